"""What each step of the debugging checklist catches, measured.

The task is a classification with 10 classes in 20 dimensions (250 samples), the network 20-32-10
unless said otherwise, float64. Everything that is random is repeated with ``SEEDS`` seeds and
given as median, lowest and highest value.

* ``broadcast``: labels of shape (N,) against predictions of shape (N, 1).
* ``init``: loss before the first step: default initial values, and N(0, 1).
* ``double``: softmax before a loss that applies softmax again: where the training ends.
* ``check``: relative error that a gradient check reports for a missing slope.
* ``norms``: gradient norm of the first layer over that of the last, ten layers.
* ``ratio``: size of an update relative to the weights and the loss after 100 steps, 7 rates.
* ``dead``: share of ReLU units that are zero for every sample.
* ``tiny``: loss on 8 samples after 800 steps: right program, planted mistakes, and the last
  layer trained alone.
* ``blind``: training loss with inputs and with zeros in their place; labels shuffled.
* ``mode``: accuracy with dropout left on.
* ``zero_grad``: gradients that are never reset.
* ``mixing``: how many samples the output of one sample depends on.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import bpref.functional as F
from bpref import nn, optim
from experiments import style
from experiments._claim import Claim

SEEDS = 10
CLASSES, D, N = 10, 20, 250
RATES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 10.0)
CAP = 3.0  # a training that has blown up ends anywhere above
RTOL = 1e-3

# The settings, and the two logarithms that the page derives.
WORKED = ("seeds", "init.expected", "double.floor", "mixing.samples")
CLAIMS = (
    Claim(
        "debugging-checklist",
        en="Each check of the list tells right from wrong in every one of {{ debugging.seeds }} "
        "seeds: with the mistake, even the seed that shows it least gives a value far from the "
        "expected one.",
        zh="清单中的每项检查，用 {{ debugging.seeds }} 个随机种子，每一次都能分清对错：有错误时，"
        "即使是最不明显的那个种子，得到的值也与预期相差很远。",
        criterion="broadcast.flat.min > 10 * broadcast.right.max and init.large.min > 5 * "
        "init.default.max and double.twice.min > 10 * double.once.max and check.missing_slope.min "
        "> 0.1 and mixing.reshape > mixing.right and norms.sigmoid.max < 1e-4 * norms.tanh.min "
        "and ratio.update[6].min > 1 and ratio.loss[6].min > init.expected and dead.shifted.min > "
        "dead.usual.max + 0.5 and tiny.zero_input.min > 10 * tiny.right.max and blind.zeros.min > "
        "10 * blind.real.max and mode.lost.min > 0.02",
        covers=(
            "broadcast.*", "init.*", "double.*", "check.*", "mixing.*", "norms.*", "ratio.update*",
            "dead.*", "tiny.zero_input.*", "mode.*",
        ),
        runs="seeds",
        spread=("broadcast.flat.min", "broadcast.flat.max"),
        figure="debugging_checks",
    ),
    Claim(
        "debugging-shapes-end-at-the-variance",
        en="With labels that broadcast, the training ends at the variance of the labels, "
        "{{ debugging.broadcast.flat.min | .1f }} to {{ debugging.broadcast.flat.max | .1f }}"
        ", instead of at most {{ debugging.broadcast.right.max | .3f }}.",
        zh="标签被广播时，训练停在标签的方差上，即 {{ debugging.broadcast.flat.min | .1f }} 到 "
        "{{ debugging.broadcast.flat.max | .1f }}，正常时至多是 "
        "{{ debugging.broadcast.right.max | .3f }}。",
        criterion="0.999 < broadcast.ratio.min and broadcast.ratio.max < 1.001 "
        "and broadcast.right.max < 0.02 < broadcast.flat.min",
        covers=("broadcast.*",),
        runs="seeds",
        spread=("broadcast.ratio.min", "broadcast.ratio.max"),
        figure="debugging_checks",
    ),
    Claim(
        "debugging-loss-before-training",
        en="Before training, a classifier of ten classes with the default initial values is "
        "less than one third away from $\\log 10$ in every seed, from "
        "{{ debugging.init.default.min | .3f }} to {{ debugging.init.default.max | .3f }}; "
        "with weights from a standard normal distribution it starts at "
        "{{ debugging.init.large.min | .0f }} to {{ debugging.init.large.max | .0f }}.",
        zh="训练之前，十类分类器用默认的初始值，每个种子的损失与 $\\log 10$ 相差都不到三分之一，"
        "从 {{ debugging.init.default.min | .3f }} 到 {{ debugging.init.default.max | .3f }}；"
        "权重取自标准正态分布时，起点是 {{ debugging.init.large.min | .0f }} 到 "
        "{{ debugging.init.large.max | .0f }}。",
        criterion="init.expected - 1 / 3 < init.default.min "
        "and init.default.max < init.expected + 1 / 3 and init.large.min > 5 * init.expected",
        covers=("init.*",),
        runs="seeds",
        spread=("init.default.min", "init.default.max"),
        figure="debugging_checks",
    ),
    Claim(
        "debugging-two-softmaxes",
        en="With two softmaxes the loss ends above the floor of "
        "{{ debugging.double.floor | .3f }}, by less than $0.1$, in every seed; with one the "
        "worst seed ends at {{ debugging.double.once.max | .3f }}. The start does not show it: it "
        r"is $\log 10$ to two digits.",
        zh="用两次 softmax，每个种子的损失最后都高于 {{ debugging.double.floor | .3f }} 这个下限，"
        "高出不到 $0.1$；只用一次，最差的种子也降到 {{ debugging.double.once.max | .3f }}。从起点"
        r"看不出来：它的前两位数字就是 $\log 10$ 的。",
        criterion="double.floor <= double.twice.min and double.twice.max < double.floor + 0.1 "
        "and double.once.max < 0.05 and double.start.min > init.expected - 0.05 "
        "and double.start.max < init.expected + 0.05",
        covers=("double.*",),
        runs="seeds",
        spread=("double.twice.min", "double.twice.max"),
        figure="debugging_checks",
    ),
    Claim(
        "debugging-missing-slope",
        en="A missing slope gives a relative error of "
        "{{ debugging.check.missing_slope.min | .2f }} to "
        "{{ debugging.check.missing_slope.max | .2f }}, far above the limit of $10^{-6}$.",
        zh="漏掉斜率，相对误差是 {{ debugging.check.missing_slope.min | .2f }} 到 "
        "{{ debugging.check.missing_slope.max | .2f }}，远高于界限 $10^{-6}$。",
        criterion="check.missing_slope.min > 0.1",
        covers=("check.*",),
        runs="seeds",
        spread=("check.missing_slope.min", "check.missing_slope.max"),
        figure="debugging_checks",
    ),
    Claim(
        "debugging-reshape-mixes-samples",
        en="With a `reshape` where a transpose belongs, the output of one sample depends on "
        "{{ debugging.mixing.reshape }} of {{ debugging.mixing.samples }} samples; with the "
        "transpose on {{ debugging.mixing.right }}.",
        zh="该转置的地方写成 `reshape`，一个样本的输出依赖于 {{ debugging.mixing.samples }} 个样"
        "本中的 {{ debugging.mixing.reshape }} 个；用转置时只依赖 "
        "{{ debugging.mixing.right }} 个。",
        criterion="mixing.right == 1 < mixing.reshape",
        covers=("mixing.*",),
        exact="count",
    ),
    Claim(
        "debugging-gradient-norms",
        en="In a ten-layer network with sigmoid the first layer receives "
        "${{ debugging.norms.sigmoid.min | sci }}$ to ${{ debugging.norms.sigmoid.max | sci }}$ "
        "of what the last one receives; with tanh {{ debugging.norms.tanh.min | .2f }} to "
        "{{ debugging.norms.tanh.max | .2f }}.",
        zh="十层的 sigmoid 网络里，首层得到的梯度是末层的 "
        "${{ debugging.norms.sigmoid.min | sci }}$ 到 ${{ debugging.norms.sigmoid.max | sci }}$ "
        "倍；换成 tanh 是 {{ debugging.norms.tanh.min | .2f }} 到 "
        "{{ debugging.norms.tanh.max | .2f }} 倍。",
        criterion="norms.sigmoid.max < 1e-5 and 0.01 < norms.tanh.min and norms.tanh.max < 100",
        covers=("norms.*",),
        runs="seeds",
        spread=("norms.sigmoid.min", "norms.sigmoid.max"),
        figure="debugging_checks",
    ),
    Claim(
        "debugging-update-ratio",
        en="Over six learning rates the median loss after 100 steps falls as the ratio of update "
        "to weights grows; the best ratio is between {{ debugging.ratio.best.min | .2f }} and "
        "{{ debugging.ratio.best.max | .2f }}, more than a hundred times the often quoted "
        "$10^{-3}$. At a ratio above one the loss ends above that of guessing, in every seed.",
        zh="取六个学习率，更新量与权重之比越大，100 步后损失的中位数越低；最好的比值在 "
        "{{ debugging.ratio.best.min | .2f }} 与 {{ debugging.ratio.best.max | .2f }} 之间，是常被"
        "引用的 $10^{-3}$ 的一百多倍。比值超过 1 时，每个种子的损失都停在随机猜测之上。",
        criterion="[u.median for u in ratio.loss[:6]] == sorted([u.median for u in "
        "ratio.loss[:6]], reverse=True) and 0.1 < ratio.best.min and ratio.best.max < 0.2 and "
        "ratio.update[6].min > 1 and ratio.loss[6].min > init.expected and ratio.loss[0].min > "
        "0.9 * init.expected and ratio.loss[4].max < 0.1",
        covers=("ratio.*",),
        runs="seeds",
        spread=("ratio.best.min", "ratio.best.max"),
        figure="debugging",
    ),
    Claim(
        "debugging-dead-units",
        en="With inputs shifted by $-20$, {{ debugging.dead.shifted.min | pct }} of the hidden "
        "units are dead after 100 steps in every seed; with centred inputs "
        "{{ debugging.dead.usual.max | pct }}.",
        zh="输入平移 $-20$，每个种子在 100 步之后都有 {{ debugging.dead.shifted.min | pct }} 的隐"
        "藏单元死亡；输入中心化时是 {{ debugging.dead.usual.max | pct }}。",
        criterion="dead.shifted.min == dead.shifted.max == 1 and dead.usual.max == 0",
        covers=("dead.*",),
        runs="seeds",
        spread=("dead.shifted.min", "dead.shifted.max"),
        figure="debugging_checks",
    ),
    Claim(
        "debugging-eight-samples",
        en="Eight samples are learned by heart with shuffled labels, without the slope, with "
        "half of a gradient and with the last layer alone: no loss is above one hundredth. "
        "Only lost inputs are caught: they leave {{ debugging.tiny.zero_input.min | .2f }}, "
        "which is $\\log 8$.",
        zh="标签打乱、漏掉斜率、梯度减半、只训练末层，八个样本都能背下来：损失都不超过百分之一。只"
        "有输入丢失会被查出：损失停在 {{ debugging.tiny.zero_input.min | .2f }}，即 $\\log 8$。",
        criterion="max(tiny.right.max, tiny.random_labels.max, tiny.no_slope.max, "
        "tiny.half_first.max, tiny.last_only.max) < 0.01 and 2.07 < tiny.zero_input.min "
        "and tiny.zero_input.max < 2.09",
        covers=("tiny.*",),
        runs="seeds",
        spread=("tiny.no_slope.min", "tiny.no_slope.max"),
        figure="debugging_checks",
    ),
    Claim(
        "debugging-zero-inputs",
        en="Real inputs reach {{ debugging.blind.real.max | .2f }} or less, zeros in their place "
        "stay at {{ debugging.blind.zeros.min | .2f }} or more, and with shuffled labels the "
        "lowest loss of a small network is {{ debugging.blind.shuffled.min | .2f }}.",
        zh="真实输入的损失降到 {{ debugging.blind.real.max | .2f }} 以下，换成零则停在 "
        "{{ debugging.blind.zeros.min | .2f }} 以上；标签打乱时，小网络的损失最低也有 "
        "{{ debugging.blind.shuffled.min | .2f }}。",
        criterion="blind.real.max < 0.1 and blind.zeros.min > 2 and blind.shuffled.min > 1 "
        "and blind.shuffled.max < blind.zeros.min",
        covers=("blind.*",),
        runs="seeds",
        spread=("blind.shuffled.min", "blind.shuffled.max"),
        figure="debugging_checks",
    ),
    Claim(
        "debugging-dropout-left-on",
        en="Dropout that is left on costs accuracy on new data in every seed: "
        "{{ debugging.mode.lost.min | pct1 }} to {{ debugging.mode.lost.max | pct1 }} of the "
        "samples, at the same weights.",
        zh="dropout 没有关闭，每个种子在新数据上的准确率都下降：权重不变，少答对 "
        "{{ debugging.mode.lost.min | pct1 }} 到 {{ debugging.mode.lost.max | pct1 }} 的样本。",
        criterion="mode.lost.min > 0.02",
        covers=("mode.*",),
        runs="seeds",
        spread=("mode.lost.min", "mode.lost.max"),
        figure="debugging_checks",
    ),
    Claim(
        "debugging-zero-grad",
        en="Without `zero_grad()` the gradient of the last layer is "
        "{{ debugging.zero_grad.growth.min | .1f }} to "
        "{{ debugging.zero_grad.growth.max | .1f }} times as large after ten steps as at the "
        "first one; with it the gradient shrinks, to "
        "{{ debugging.zero_grad.right_growth.max | .2f }} at most.",
        zh="不调用 `zero_grad()`，十步之后最后一层的梯度是第一步的 "
        "{{ debugging.zero_grad.growth.min | .1f }} 到 "
        "{{ debugging.zero_grad.growth.max | .1f }} 倍；调用它，梯度变小，至多是 "
        "{{ debugging.zero_grad.right_growth.max | .2f }} 倍。",
        criterion="zero_grad.growth.min > 5 and zero_grad.right_growth.max < 1",
        covers=("zero_grad.*",),
        runs="seeds",
        spread=("zero_grad.growth.min", "zero_grad.growth.max"),
        figure="debugging_checks",
    ),
)  # fmt: skip

Array = np.ndarray


def data(seed: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(CLASSES, D))
    labels = rng.integers(CLASSES, size=N)
    return centres[labels] + rng.normal(size=(N, D)), labels


def network(seed: int, sizes: tuple[int, ...] = (D, 32, CLASSES), activation: str = "relu") -> Any:
    return nn.MLP(list(sizes), activation, generator=np.random.default_rng(100 + seed))


def step(net: Any, X: Array, labels: Array, twice: bool = False) -> float:
    """Loss and gradients; with ``twice`` the network's softmax is followed by that of the loss."""
    logits = net(X)
    if twice:
        probabilities, cache = F.softmax(logits, 1)
        loss, loss_cache = F.cross_entropy(probabilities, labels)
        net.backward(F.softmax_backward(F.cross_entropy_backward(1.0, loss_cache), cache))
    else:
        loss, loss_cache = F.cross_entropy(logits, labels)
        net.backward(F.cross_entropy_backward(1.0, loss_cache))
    return float(loss)


def fit(net: Any, X: Array, labels: Array, steps: int, rate: float, **options: Any) -> float:
    optimizer = optim.SGD(net.parameters(), lr=rate)
    loss = math.nan
    for _ in range(steps):
        optimizer.zero_grad()
        loss = step(net, X, labels, **options)
        optimizer.step()
    return loss


def summary(values: list[float]) -> dict[str, float]:
    return {"median": float(np.median(values)), "min": min(values), "max": max(values)}


def broadcast() -> dict[str, Any]:
    found: dict[str, list[float]] = {"right": [], "flat": [], "variance": [], "ratio": []}
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(100, 1))
        y = 2 * X + 0.1 * rng.normal(size=(100, 1))
        for name, labels in (("right", y), ("flat", y[:, 0])):
            w, b = np.zeros((1, 1)), np.zeros(1)
            for _ in range(300):
                error = X @ w.T + b - labels  # (100, 1) - (100,) is (100, 100)
                grad = 2 * error.sum(axis=1, keepdims=True) / error.size
                w, b = w - 0.1 * grad.T @ X, b - 0.1 * grad.sum(axis=0)
            found[name].append(float(np.mean((X @ w.T + b - y) ** 2)))
        found["variance"].append(float(y.var()))
        found["ratio"].append(found["flat"][-1] / found["variance"][-1])
    return {name: summary(values) for name, values in found.items()}


def init() -> dict[str, Any]:
    default, large = [], []
    for seed in range(SEEDS):
        X, labels = data(seed)
        net = network(seed)
        default.append(float(F.cross_entropy(net(X), labels)[0]))
        rng = np.random.default_rng(seed)
        for p in net.parameters():
            p.data[:] = rng.normal(size=p.data.shape)
        large.append(float(F.cross_entropy(net(X), labels)[0]))
    return {
        "expected": math.log(CLASSES),
        "default": summary(default),
        "large": summary(large),
    }


def double() -> dict[str, Any]:
    once, twice, start = [], [], []
    for seed in range(SEEDS):
        X, labels = data(seed)
        once.append(fit(network(seed), X, labels, 500, 0.5))
        start.append(step(network(seed), X, labels, twice=True))
        twice.append(fit(network(seed), X, labels, 500, 0.5, twice=True))
    return {
        "floor": math.log(1 + (CLASSES - 1) / math.e),
        "start": summary(start),
        "once": summary(once),
        "twice": summary(twice),
    }


def check() -> dict[str, Any]:
    """A missing slope in a small network: what the check says."""
    errors = []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        X, Y = rng.normal(size=(6, 3)), rng.normal(size=(6, 2))
        W_1, W_2 = rng.normal(size=(4, 3)), rng.normal(size=(2, 4))
        H = np.tanh(X @ W_1.T)
        D_2 = (H @ W_2.T - Y) / 6
        right, wrong = ((D_2 @ W_2) * (1 - H * H)).T @ X, (D_2 @ W_2).T @ X
        errors.append(float(np.abs(wrong - right).max() / np.abs(wrong).max()))
    return {"missing_slope": summary(errors)}


def norms() -> dict[str, Any]:
    out = {}
    for activation in ("sigmoid", "tanh"):
        ratios = []
        for seed in range(SEEDS):
            X, labels = data(seed)
            net = network(seed, (D, *[32] * 9, CLASSES), activation)
            step(net, X, labels)
            sizes = [float(np.linalg.norm(p.grad)) for p in net.parameters() if p.grad.ndim == 2]
            ratios.append(sizes[0] / sizes[-1])
        out[activation] = summary(ratios)
    return out


def ratio() -> dict[str, Any]:
    updates: list[list[float]] = []
    losses: list[list[float]] = []
    for rate in RATES:
        relative, ends = [], []
        for seed in range(SEEDS):
            X, labels = data(seed)
            net = network(seed)
            step(net, X, labels)
            W = net[0].weight
            relative.append(rate * float(np.linalg.norm(W.grad) / np.linalg.norm(W.data)))
            loss = fit(net, X, labels, 100, rate)
            ends.append(loss if loss < CAP else CAP)  # nan as well
        updates.append(relative)
        losses.append(ends)
    best = np.argmin(losses, axis=0)  # the rate with the lowest loss, for each seed
    return {
        "rates": list(RATES),
        "update": [summary(values) for values in updates],
        "loss": [summary(values) for values in losses],
        "best": summary([updates[i][seed] for seed, i in enumerate(best)]),
    }


def dead() -> dict[str, Any]:
    out = {}
    for name, rate, shift in (("usual", 0.1, 0.0), ("shifted", 0.1, -20.0)):
        shares = []
        for seed in range(SEEDS):
            X, labels = data(seed)
            net = network(seed)
            fit(net, X + shift, labels, 100, rate)
            hidden = net[1](net[0](X + shift))
            shares.append(float(np.mean(np.all(hidden == 0, axis=0))))
        out[name] = summary(shares)
    return out


def tiny() -> dict[str, Any]:
    found: dict[str, list[float]] = {
        name: []
        for name in (
            "right", "random_labels", "no_slope", "half_first", "last_only", "zero_input",
        )
    }  # fmt: skip
    for seed in range(SEEDS):
        X, labels = data(seed)
        X, labels = X[:8], np.arange(8)  # eight different classes
        for name, losses in found.items():
            inputs = np.zeros_like(X) if name == "zero_input" else X
            rng = np.random.default_rng(seed)
            classes = rng.permutation(labels) if name == "random_labels" else labels
            net = network(seed, activation="tanh")
            first, last = net[0], net[2]
            optimizer = optim.SGD(net.parameters(), lr=0.3)
            for _ in range(800):
                optimizer.zero_grad()
                loss, cache = F.cross_entropy(net(inputs), classes)
                back = last.backward(F.cross_entropy_backward(1.0, cache))
                first.backward(back if name == "no_slope" else net[1].backward(back))
                if name == "half_first":
                    first.weight.grad[:] *= 0.5
                if name == "last_only":
                    first.zero_grad()
                optimizer.step()
            losses.append(float(loss))
    return {name: summary(losses) for name, losses in found.items()}


def blind() -> dict[str, Any]:
    found: dict[str, list[float]] = {name: [] for name in ("real", "zeros", "shuffled")}
    for seed in range(SEEDS):
        X, labels = data(seed)
        # A small network, which can't learn 250 shuffled labels by heart.
        shuffled = np.random.default_rng(seed).permutation(labels)
        found["real"].append(fit(network(seed, (D, 8, CLASSES)), X, labels, 200, 0.3))
        found["zeros"].append(fit(network(seed, (D, 8, CLASSES)), 0 * X, labels, 200, 0.3))
        found["shuffled"].append(fit(network(seed, (D, 8, CLASSES)), X, shuffled, 200, 0.3))
    return {name: summary(values) for name, values in found.items()}


def mode() -> dict[str, Any]:
    evaluated, on = [], []
    for seed in range(SEEDS):
        X, labels = data(seed)
        rng = np.random.default_rng(100 + seed)
        net = nn.Sequential(
            nn.Linear(D, 32, generator=rng),
            nn.ReLU(),
            nn.Dropout(0.5, generator=np.random.default_rng(seed)),
            nn.Linear(32, CLASSES, generator=rng),
        )
        fit(net, X[:125], labels[:125], 300, 0.3)

        def accuracy(net: Any = net, X: Array = X, labels: Array = labels) -> float:
            return float(np.mean(np.argmax(net(X[125:]), axis=1) == labels[125:]))

        evaluated.append((net.eval(), accuracy())[1])
        on.append((net.train(), float(np.mean([accuracy() for _ in range(20)])))[1])
    lost = [a - b for a, b in zip(evaluated, on, strict=True)]
    return {"eval": summary(evaluated), "train": summary(on), "lost": summary(lost)}


def zero_grad() -> dict[str, Any]:
    growth, right = [], []
    for seed in range(SEEDS):
        X, labels = data(seed)
        for reset, out in ((False, growth), (True, right)):
            net = network(seed)
            optimizer = optim.SGD(net.parameters(), lr=0.1)
            sizes = []
            for _ in range(10):
                if reset:
                    optimizer.zero_grad()
                step(net, X, labels)
                sizes.append(float(np.linalg.norm(net[2].weight.grad)))
                optimizer.step()
            out.append(sizes[-1] / sizes[0])
    return {"growth": summary(growth), "right_growth": summary(right)}


def mixing() -> dict[str, Any]:
    """The output of sample 0, once as X Wᵀ and once with a reshape where a transpose belongs."""
    rng = np.random.default_rng(0)
    X, W = rng.normal(size=(6, 4)), rng.normal(size=(3, 4))

    def right(X: Array) -> Array:
        return (W @ X.T).T[0]

    def reshaped(X: Array) -> Array:
        return (W @ X.reshape(4, 6)).T[0]

    out = {"samples": len(X)}
    for name, f in (("right", right), ("reshape", reshaped)):
        count = 0
        for row in range(len(X)):
            moved = X.copy()
            moved[row] += 1.0
            count += bool(np.any(f(moved) != f(X)))
        out[name] = count
    return out


def run() -> dict[str, Any]:
    return {
        "seeds": SEEDS,
        "broadcast": broadcast(),
        "init": init(),
        "double": double(),
        "check": check(),
        "norms": norms(),
        "ratio": ratio(),
        "dead": dead(),
        "tiny": tiny(),
        "blind": blind(),
        "mode": mode(),
        "zero_grad": zero_grad(),
        "mixing": mixing(),
    }


WORDS = {
    "en": {
        "x": "log10 of the first update relative to the weights",
        "y": "loss after 100 steps",
        "start": "loss of guessing, log 10",
        "losses": "loss (log10)",
        "ratios": "ratio (log10)",
        "percent": "percent",
        "right": "as it should be",
        "wrong": "with the mistake",
    },
    "zh": {
        "x": "第一次更新量与权重之比的 log10",
        "y": "100 步后的损失",
        "start": "随机猜测的损失 log 10",
        "losses": "损失（log10）",
        "ratios": "比值（log10）",
        "percent": "百分比",
        "right": "正常",
        "wrong": "有错误",
    },
}
# Rows of the second figure: label, path of the right value, path of the wrong one.
LOSSES = (
    (("1 shapes", "1 形状"), "broadcast.right", "broadcast.flat"),
    (("2 before training", "2 训练前"), "init.default", "init.large"),
    (("3 lowest loss", "3 最小损失"), "double.once", "double.twice"),
    (("9 labels shuffled", "9 标签打乱"), "tiny.right", "tiny.random_labels"),
    (("9 no slope", "9 漏掉斜率"), "tiny.right", "tiny.no_slope"),
    (("9 gradient halved", "9 梯度减半"), "tiny.right", "tiny.half_first"),
    (("9 last layer alone", "9 只训练末层"), "tiny.right", "tiny.last_only"),
    (("9 zero inputs", "9 输入为零"), "tiny.right", "tiny.zero_input"),
    (("10 zero inputs", "10 输入为零"), "blind.real", "blind.zeros"),
    (("10 labels shuffled", "10 标签打乱"), "blind.real", "blind.shuffled"),
)
RATIOS = (
    (("4 missing slope", "4 漏掉斜率"), "", "check.missing_slope"),
    (("6 first / last layer", "6 首层比末层"), "norms.tanh", "norms.sigmoid"),
    (("11 no zero_grad", "11 无 zero_grad"), "zero_grad.right_growth", "zero_grad.growth"),
)
PERCENT = (
    (("8 dead units", "8 死亡单元"), "dead.usual", "dead.shifted"),
    (("11 accuracy", "11 准确率"), "mode.eval", "mode.train"),
)


COLORS = {"right": (style.FORWARD, 0.17), "wrong": (style.BAD, -0.17)}


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    return {"debugging": _ratio(result, lang), "debugging_checks": _checks(result, lang)}


def _ratio(result: dict[str, Any], lang: str) -> Any:
    words, r = WORDS[lang], result["ratio"]
    fig, ax = style.new_figure(6.8, 3.4)
    x = np.log10([u["median"] for u in r["update"]])
    low, y, high = ([loss[key] for loss in r["loss"]] for key in ("min", "median", "max"))
    ax.axhline(result["init"]["expected"], color=style.MUTED, linewidth=1, linestyle="--")
    ax.text(x[0], result["init"]["expected"] + 0.06, words["start"], color=style.MUTED, fontsize=9)
    ax.vlines(x, low, high, color=style.FORWARD, linewidth=4, alpha=0.35)
    ax.plot(x, y, color=style.FORWARD, marker="o", markersize=4)
    for a, b, rate in zip(x, low, r["rates"], strict=True):
        ax.text(a, b - 0.12, f"{rate:g}", color=style.FORWARD, fontsize=8, ha="center", va="top")
    ax.set_ylim(-0.45, 3.3)
    ax.set_xlabel(words["x"])
    ax.set_ylabel(words["y"])
    return fig


def _checks(result: dict[str, Any], lang: str) -> Any:
    """For each check the right and the wrong value: a dot for the median, a line for the range."""
    words, which = WORDS[lang], ("en", "zh").index(lang)
    rows = (LOSSES, RATIOS, PERCENT)
    fig, axes = style.new_figure(
        7.2, 6.0, nrows=3, gridspec_kw={"height_ratios": [len(part) + 0.6 for part in rows]}
    )
    for ax, part, name in zip(axes, rows, ("losses", "ratios", "percent"), strict=True):
        for y, (_, *paths) in enumerate(reversed(part)):
            for which_one, path in zip(("right", "wrong"), paths, strict=True):
                if not path:  # the gradient check of a right pass reports rounding noise
                    continue
                color, shift = COLORS[which_one]
                group, key = path.split(".")
                values = np.array([result[group][key][k] for k in ("min", "median", "max")])
                low, middle, high = 100 * values if part is PERCENT else np.log10(values)
                first = ax is axes[0] and y == 0
                ax.plot([low, high], [y + shift] * 2, color=color, linewidth=3, alpha=0.45)
                ax.plot(
                    middle, y + shift, "o", color=color, markersize=5,
                    label=words[which_one] if first else None,
                )  # fmt: skip
        ax.set_yticks(range(len(part)), [labels[which] for labels, *_ in reversed(part)])
        ax.set_ylim(-0.6, len(part) - 0.4)
        ax.tick_params(labelsize=8.5)
        ax.set_xlabel(words[name], fontsize=9)
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return fig
