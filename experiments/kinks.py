"""Kinks and ties: what software answers where there is no derivative, and whether it matters.

Claims, and how each is measured:

* ``at_zero``: the derivative that PyTorch reports at the kink, for several spellings of the same
  function, and what bpref reports for its own.
* ``ties``: the gradient of a maximum over (2, 5, 5, 1, 5), for several spellings.
* ``cancel``: relu(a) - relu(-a) is a, a smooth function; its reported derivative at 0, and the
  central difference.
* ``checker``: which slopes at 0 ``bpref.gradcheck`` accepts as a kink, and the central difference.
* ``training``: pre-activations that are exactly 0 during training: random data in float64 and
  float32, and a start with zero biases where one sample is all zeros; the same runs with the
  slope 0, 1/2 and 1 at 0: the difference of parameters and losses. ``nearer`` has the share of
  pre-activations that are nearer to 0 than some distances, the lowest and the highest run.
* ``pooling``: windows whose largest element is not unique, before and after a ReLU, and the
  gradient at the input for pooling before and after the ReLU; over random convolutions.
* ``l1``: a subgradient method on |w - 1|: where it stops and where it swings.
"""

import itertools
from typing import Any

import numpy as np
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

import bpref.functional as F
from bpref.gradcheck import check_gradients, numerical_gradient
from experiments import style
from experiments._claim import Claim
from experiments._ranges import exactly

RTOL = 1e-6

# Settings.
WORKED = ("l1.steps", "training.steps", "training.distances*")
CLAIMS = (
    Claim(
        id="kinks-relu-three-answers",
        en=r"At $a = 0$ PyTorch reports three different derivatives for $\max(a, 0)$: "
        "${{ kinks.at_zero.torch.relu | .1f }}$ for `relu` and `where(a > 0, …)`, "
        "${{ kinks.at_zero.torch.clamp | .1f }}$ for `clamp` and `where(a >= 0, …)`, "
        "${{ kinks.at_zero.torch.maximum | .1f }}$ for `maximum` and the spelling with `abs`. All "
        "are subgradients; of `relu`, `clamp` and `maximum` only the first has the smallest norm.",
        zh=r"在 $a = 0$ 处，PyTorch 对 $\max(a, 0)$ 报告三种不同的导数：`relu` 和 "
        "`where(a > 0, …)` 是 ${{ kinks.at_zero.torch.relu | .1f }}$，`clamp` 和 "
        "`where(a >= 0, …)` 是 ${{ kinks.at_zero.torch.clamp | .1f }}$，`maximum` 和带 `abs` 的写"
        "法是 ${{ kinks.at_zero.torch.maximum | .1f }}$。它们都是次梯度；`relu`、`clamp` 和 "
        "`maximum` 之中，只有第一个范数最小。",
        criterion="at_zero.torch.relu == at_zero.torch.where_gt == 0"
        " and at_zero.torch.clamp == at_zero.torch.where_ge == 1"
        " and at_zero.torch.maximum == at_zero.torch.half_abs == 0.5",
        covers=(
            "at_zero.torch.relu",
            "at_zero.torch.where_*",
            "at_zero.torch.clamp",
            "at_zero.torch.maximum",
            "at_zero.torch.half_abs",
        ),
        exact="deterministic",
        figure="kinks",
    ),
    Claim(
        id="kinks-spelling-decides",
        en="At other kinks the spelling decides too. PyTorch reports "
        "${{ kinks.at_zero.torch.abs | .1f }}$ for `a.abs()` at $0$ and "
        "{{ kinks.at_zero.torch.sqrt_square }} for `(a * a).sqrt()`; "
        "${{ kinks.at_zero.torch.hardtanh | .1f }}$ for `hardtanh(a)` at $1$ and "
        "${{ kinks.at_zero.torch.clamp_one | .1f }}$ for `a.clamp(-1, 1)`. For `relu`, "
        "`leaky_relu` and `l1_loss`, `bpref` reports what PyTorch does.",
        zh="在其他折点处，答案同样取决于写法。在 $0$ 处，PyTorch 对 `a.abs()` 报告 "
        "${{ kinks.at_zero.torch.abs | .1f }}$，对 `(a * a).sqrt()` 报告 "
        "{{ kinks.at_zero.torch.sqrt_square }}；在 $1$ 处，对 `hardtanh(a)` 报告 "
        "${{ kinks.at_zero.torch.hardtanh | .1f }}$，对 `a.clamp(-1, 1)` 报告 "
        "${{ kinks.at_zero.torch.clamp_one | .1f }}$。`relu`、`leaky_relu` 和 `l1_loss` 在 "
        "`bpref` 中的回答与 PyTorch 一致。",
        criterion="at_zero.torch.abs == 0 and at_zero.torch.sqrt_square == 'nan'"
        " and at_zero.torch.hardtanh == 0 and at_zero.torch.clamp_one == 1"
        " and at_zero.bpref.relu == at_zero.torch.relu"
        " and at_zero.bpref.leaky_relu == at_zero.torch.leaky_relu"
        " and at_zero.bpref.l1_loss == at_zero.torch.l1_loss",
        covers=("at_zero.*",),
        exact="deterministic",
    ),
    Claim(
        id="kinks-one-winner-or-all",
        en="With three equal winners, an operator that knows which element won gives one of them "
        "the whole gradient (`max(dim)`, max pooling), and one that knows only the value gives "
        "each of them ${{ kinks.ties.amax[1] | .3f }}$ (`amax`, `max` of all), in PyTorch and in "
        "`bpref`.",
        zh="有三个元素并列最大时，知道哪个元素最大的算子（`max(dim)`、最大池化）把全部梯度给其中"
        "一个，只知道最大值的算子（`amax`、对全体的 `max`）给每个 "
        "${{ kinks.ties.amax[1] | .3f }}$，PyTorch 和 `bpref` 都是如此。",
        criterion="ties.max_dim == ties.pool == ties.bpref_max_dim == ties.bpref_pool"
        " == [0, 1, 0, 0, 0]"
        " and all(abs(g[i] - [0, 1, 1, 0, 1][i] / 3) < 1e-9"
        " for g in [ties.amax, ties.max_all, ties.bpref_max_all] for i in [0, 1, 2, 3, 4])",
        covers=("ties.*",),
        exact="deterministic",
    ),
    Claim(
        id="kinks-constant-rate-swings",
        en=r"Descent on $\lvert w - 1 \rvert$ from $w = 0$: with $\eta = 0.25$ it lands on the "
        r"kink and stays at ${{ kinks.l1.hit[4] | .2f }}$; with $\eta = 0.3$ it ends in a cycle "
        "of two points, ${{ kinks.l1.swing[11] | .1f }}$ and ${{ kinks.l1.swing[12] | .1f }}$; "
        r"with $\eta = 0.6 / t$ the swings get smaller, and after {{ kinks.l1.steps }} steps it "
        "is at ${{ kinks.l1.decreasing[12] | .3f }}$.",
        zh=r"从 $w = 0$ 出发对 $\lvert w - 1 \rvert$ 做梯度下降：$\eta = 0.25$ 时落在折点上，停在 "
        r"${{ kinks.l1.hit[4] | .2f }}$；$\eta = 0.3$ 时最后在两点 "
        "${{ kinks.l1.swing[11] | .1f }}$ 与 ${{ kinks.l1.swing[12] | .1f }}$ 之间循环；"
        r"$\eta = 0.6 / t$ 时摆动越来越小，{{ kinks.l1.steps }} 步后在 "
        "${{ kinks.l1.decreasing[12] | .3f }}$。",
        criterion="all(w == 1 for w in l1.hit[4:])"
        " and l1.swing[12] == l1.swing[10] and l1.swing[11] == l1.swing[9]"
        " and abs(l1.swing[12] - l1.swing[11]) > 0.25"
        " and max(abs(w - 1) for w in l1.decreasing[9:])"
        " < max(abs(w - 1) for w in l1.decreasing[6:9])"
        " < max(abs(w - 1) for w in l1.decreasing[3:6])",
        covers=("l1.*",),
        exact="deterministic",
        figure="kinks",
    ),
    Claim(
        id="kinks-checker-accepts-subgradients",
        en="At the kink of the ReLU the central difference is "
        r"${{ kinks.checker.central }}$. `bpref.gradcheck` accepts the slopes $0$, $\frac{1}{2}$ "
        r"and $1$, and rejects $2$ and $-\frac{1}{2}$.",
        zh="在 ReLU 的折点处，中心差分是 ${{ kinks.checker.central }}$。`bpref.gradcheck` 接受斜"
        r"率 $0$、$\frac{1}{2}$ 和 $1$，不接受 $2$ 和 $-\frac{1}{2}$。",
        criterion="checker.central == 0.5 and checker.verdict.zero.ok and checker.verdict.half.ok"
        " and checker.verdict.one.ok and not checker.verdict.two.ok"
        " and not checker.verdict.neg.ok"
        " and checker.verdict.zero.kinks == checker.verdict.one.kinks == 1",
        covers=("checker.*",),
        exact="deterministic",
    ),
    Claim(
        id="kinks-chain-rule-misses-a-smooth-function",
        en=r"For $\max(a, 0) - \max(-a, 0)$, which is $a$, PyTorch reports the derivative "
        "${{ kinks.cancel.torch | .0f }}$ at $a = 0$; the central difference is "
        "${{ kinks.cancel.true | .0f }}$.",
        zh=r"$\max(a, 0) - \max(-a, 0)$ 就是 $a$，PyTorch 在 $a = 0$ 处报告的导数却是 "
        "${{ kinks.cancel.torch | .0f }}$；中心差分是 ${{ kinks.cancel.true | .0f }}$。",
        criterion="cancel.torch == 0 and cancel.true == 1",
        covers=("cancel.*",),
        exact="deterministic",
    ),
    Claim(
        id="kinks-not-hit-in-float64",
        en="In {{ kinks.training.seeds }} training runs on random data in float64, with "
        "{{ kinks.training.float64.seen | , }} pre-activations together, "
        "{{ kinks.training.float64.zeros }} were exactly $0$, and the runs end with the same "
        r"parameters, to the last bit, for the slopes $0$, $\frac{1}{2}$ and $1$ there. In "
        "float32 less than ${{ kinks.training.float32.share_below | sci0 }}$ of them were.",
        zh="在随机数据上用 float64 训练 {{ kinks.training.seeds }} 次，总共 "
        "{{ kinks.training.float64.seen | , }} 个预激活值，恰好为 $0$ 的有 "
        r"{{ kinks.training.float64.zeros }} 个；无论那里的斜率取 $0$、$\frac{1}{2}$ 还是 $1$，最"
        "后的参数逐位相同。用 float32 时，恰好为零的占比小于 "
        "${{ kinks.training.float32.share_below | sci0 }}$。",
        criterion="training.float64.zeros == 0 and training.float64.apart.max == 0"
        " and training.float64.seen > 1e6 and training.float32.share_below <= 1e-5",
        covers=(
            "training.seeds",
            "training.float64.*",
            "training.float32.*",
        ),
        runs="training.seeds",
        spread=("training.float64.zeros_per_run.min", "training.float64.zeros_per_run.max"),
        figure="kinks_training",
    ),
    Claim(
        id="kinks-systematic-with-zero-biases",
        en="With one sample of zeros and zero biases, each of {{ kinks.training.seeds }} runs has "
        "{{ kinks.training.blank.zeros_per_run.max | .0f }} pre-activations that are exactly $0$, "
        "all of them in the first step: the units of both layers, for that sample. The slope "
        "there then moves the final parameters, by "
        "${{ kinks.training.blank.apart.min | sci }}$ to "
        "${{ kinks.training.blank.apart.max | sci }}$ of their length; the final losses differ by "
        "{{ kinks.training.blank.loss_apart.max | pct2 }} in the run where they differ most.",
        zh="有一个全零样本、偏置都从零开始时，{{ kinks.training.seeds }} 次运行中每一次都有 "
        "{{ kinks.training.blank.zeros_per_run.max | .0f }} 个预激活值恰好是 $0$，全部在第一步，"
        "即这个样本在两层中的所有单元。这时那里的斜率会改变最后的参数，相对差为 "
        "${{ kinks.training.blank.apart.min | sci }}$ 至 "
        "${{ kinks.training.blank.apart.max | sci }}$；最后的损失相差最多的一次运行也只差 "
        "{{ kinks.training.blank.loss_apart.max | pct2 }}。",
        criterion="training.blank.zeros_per_run.min == training.blank.zeros_per_run.max == 32"
        " and training.blank.zeros_in_first_step.min == 32"
        " and training.blank.zeros == 32 * training.seeds"
        " and training.blank.apart.min > 1e-6 and training.blank.loss_apart.max < 0.01",
        covers=("training.seeds", "training.blank.*"),
        runs="training.seeds",
        spread=("training.blank.apart.min", "training.blank.apart.max"),
        figure="kinks_training",
    ),
    Claim(
        id="kinks-relu-makes-harmless-ties",
        en="Over {{ kinks.pooling.draws }} random convolutions, "
        "{{ kinks.pooling.before.max | pct1 }} of {{ kinks.pooling.windows }} pooling windows have "
        "more than one largest element, and {{ kinks.pooling.after.min | pct1 }} to "
        "{{ kinks.pooling.after.max | pct1 }} after a ReLU: a larger share than that of kinks in "
        "any of the training runs. Pooling before or after the ReLU gives the same output, and "
        "the largest difference of the gradients is ${{ kinks.pooling.difference | .0f }}$.",
        zh="在 {{ kinks.pooling.draws }} 次随机卷积中，{{ kinks.pooling.windows }} 个池化窗口里最"
        "大者不止一个的占 {{ kinks.pooling.before.max | pct1 }}，经过 ReLU 之后占 "
        "{{ kinks.pooling.after.min | pct1 }} 至 {{ kinks.pooling.after.max | pct1 }}，比任何一次"
        "训练中落在折点上的占比都大。先池化还是先 ReLU，输出相同，梯度的最大差是 "
        "${{ kinks.pooling.difference | .0f }}$。",
        criterion="pooling.before.max == 0 and pooling.same_output and pooling.difference == 0"
        " and pooling.after.min"
        " > max(training.blank.nearer.max[0], training.float64.nearer.max[0],"
        " training.float32.share_below)",
        covers=("pooling.*",),
        runs="pooling.draws",
        spread=("pooling.after.min", "pooling.after.max"),
        figure="kinks_training",
    ),
)

Array = NDArray[Any]


def at_zero() -> dict[str, Any]:
    """Derivatives that are reported at the kink."""
    import torch
    import torch.nn.functional as T

    zero = torch.zeros((), dtype=torch.float64)
    spellings: dict[str, tuple[float, Any]] = {
        "relu": (0.0, torch.relu),
        "clamp": (0.0, lambda a: a.clamp(min=0)),
        "maximum": (0.0, lambda a: torch.maximum(a, zero)),
        "where_gt": (0.0, lambda a: torch.where(a > 0, a, zero)),
        "where_ge": (0.0, lambda a: torch.where(a >= 0, a, zero)),
        "half_abs": (0.0, lambda a: (a + a.abs()) / 2),
        "leaky_relu": (0.0, T.leaky_relu),
        "abs": (0.0, torch.abs),
        "sqrt_square": (0.0, lambda a: (a * a).sqrt()),
        "hardtanh": (1.0, T.hardtanh),
        "clamp_one": (1.0, lambda a: a.clamp(-1, 1)),
    }
    found: dict[str, Any] = {}
    for name, (place, f) in spellings.items():
        a = torch.tensor(place, dtype=torch.float64, requires_grad=True)
        f(a).backward()
        value = float(np.asarray(a.grad))
        found[name] = value if np.isfinite(value) else "nan"
    ours = {}
    for name in ("relu", "leaky_relu"):
        _, cache = getattr(F, name)(np.zeros(1))
        ours[name] = float(getattr(F, f"{name}_backward")(np.ones(1), cache)[0])
    _, saved = F.l1_loss(np.zeros(1), np.zeros(1))
    ours["l1_loss"] = float(F.l1_loss_backward(1.0, saved)[0])
    a = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    T.l1_loss(a, torch.zeros(1, dtype=torch.float64)).backward()
    found["l1_loss"] = float(np.asarray(a.grad)[0])
    return {"torch": found, "bpref": ours}


TIED = (2.0, 5.0, 5.0, 1.0, 5.0)


def ties() -> dict[str, Any]:
    """Gradients of a maximum with three winners."""
    import torch

    def maxima(x: Any) -> dict[str, Any]:
        return {
            "amax": torch.amax(x),
            "max_all": x.max(),
            "max_dim": x.max(dim=0).values,
            "pool": torch.nn.functional.max_pool1d(x.reshape(1, 1, -1), 5).sum(),
        }

    out: dict[str, Any] = {}
    for name in maxima(torch.tensor(TIED)):
        x = torch.tensor(TIED, dtype=torch.float64, requires_grad=True)
        maxima(x)[name].backward()
        out[name] = np.asarray(x.grad).tolist()
    values = np.array(TIED)
    for name, dim in (("bpref_max_all", None), ("bpref_max_dim", 0)):
        _, cache = F.max(values, dim)
        out[name] = np.asarray(F.max_backward(np.float64(1.0), cache)).tolist()
    _, saved = F.max_pool2d(values.reshape(1, 1, 1, 5), (1, 5))
    out["bpref_pool"] = F.max_pool2d_backward(np.ones((1, 1, 1, 1)), saved).ravel().tolist()
    return out


def cancel() -> dict[str, Any]:
    """relu(a) - relu(-a) at 0: what PyTorch reports, and the central difference."""
    import torch

    a = torch.zeros((), dtype=torch.float64, requires_grad=True)
    (torch.relu(a) - torch.relu(-a)).backward()

    def f(a: Array) -> Any:
        return np.sum(np.maximum(a, 0.0) - np.maximum(-a, 0.0))

    difference = float(numerical_gradient(f, np.zeros(1))[0])
    return {"torch": float(np.asarray(a.grad)), "true": round(difference, 6)}


def checker() -> dict[str, Any]:
    """What a gradient check of relu at 0 says to several slopes."""
    x = {"a": np.array([0.0])}

    def f(a: Array) -> Any:
        return np.sum(np.maximum(a, 0.0))

    verdict = {}
    for name, slope in (("zero", 0.0), ("half", 0.5), ("one", 1.0), ("two", 2.0), ("neg", -0.5)):
        report = check_gradients(f, x, {"a": np.array([slope])})
        verdict[name] = {"ok": report.ok, "kinks": len(report.kinks)}
    return {"verdict": verdict, "central": float(numerical_gradient(f, x["a"])[0])}


STEPS = 500
# Distances from 0, for the share of pre-activations that are nearer.
DISTANCES = tuple(10.0 ** np.arange(-7, 1))


def train(
    dtype: Any, slope: float, *, blank: bool = False, zero_bias: bool = False, seed: int = 0
) -> dict[str, Any]:
    """A 4-16-16-1 ReLU network, full batch.

    Returns the parameters and the loss at the end; how many pre-activations there were, how many
    were exactly 0, how many of these in the first step; and how many were nearer to 0 than each
    of the distances.
    """
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(64, 4))
    y = np.sin(2 * X[:, :1]) + X[:, 1:2] * X[:, 2:3] + 0.1 * rng.normal(size=(64, 1))
    if blank:
        X[0] = 0.0
    X, y = X.astype(dtype), y.astype(dtype)
    sizes = (4, 16, 16, 1)
    W = [
        (rng.normal(size=(o, i)) * np.sqrt(2 / i)).astype(dtype)
        for i, o in itertools.pairwise(sizes)
    ]
    b = [(0.1 * rng.normal(size=o)).astype(dtype) * (not zero_bias) for o in sizes[1:]]
    zeros, seen, nearer = [], 0, np.zeros(len(DISTANCES), dtype=int)
    for _ in range(STEPS):
        H, A = [X], []
        for Wl, bl in zip(W, b, strict=True):
            A.append(H[-1] @ Wl.T + bl)
            H.append(np.maximum(A[-1], 0))
        hidden = np.sort(np.abs(np.concatenate([a.ravel() for a in A[:-1]])))
        zeros.append(int(np.searchsorted(hidden, 0, side="right")))
        nearer += np.searchsorted(hidden, DISTANCES)
        seen += hidden.size
        delta = (A[-1] - y) / dtype(len(X))
        grads = []
        for k in reversed(range(3)):
            grads.append((delta.T @ H[k], delta.sum(axis=0)))
            if k > 0:
                s = np.where(A[k - 1] > 0, 1, 0) + slope * (A[k - 1] == 0)
                delta = (delta @ W[k]) * s.astype(dtype)
        for k, (dW, db) in enumerate(reversed(grads)):
            W[k] = W[k] - dtype(0.02) * dW
            b[k] = b[k] - dtype(0.02) * db
    return {
        "parameters": np.concatenate([p.ravel() for p in (*W, *b)]),
        "loss": float(np.sum((A[-1] - y) ** 2) / (2 * len(X))),
        "zeros": sum(zeros),
        "first": zeros[0],
        "seen": seen,
        "nearer": nearer / seen,
    }


SLOPES = {"zero": 0.0, "half": 0.5, "one": 1.0}


def in_float64(seeds: int, **options: bool) -> dict[str, Any]:
    """Exact zeros of all runs, and how far the three slopes at 0 lead apart."""
    runs = [
        {name: train(np.float64, slope, seed=seed, **options) for name, slope in SLOPES.items()}
        for seed in range(seeds)
    ]
    first = [run["zero"] for run in runs]
    apart, loss_apart = [], []
    for run in runs:
        start = run["zero"]["parameters"]
        losses = [run[name]["loss"] for name in SLOPES]
        apart.append(
            max(
                float(np.linalg.norm(run[name]["parameters"] - start) / np.linalg.norm(start))
                for name in ("half", "one")
            )
        )
        loss_apart.append(max(losses) / min(losses) - 1)
    shares = np.array([run["nearer"] for run in first])
    return {
        "seen": sum(run["seen"] for run in first),
        "zeros": sum(run["zeros"] for run in first),
        "zeros_per_run": exactly(run["zeros"] for run in first),
        "zeros_in_first_step": exactly(run["first"] for run in first),
        "apart": exactly(apart),
        "loss": {name: float(np.median([run[name]["loss"] for run in runs])) for name in SLOPES},
        "loss_apart": exactly(loss_apart),
        "nearer": {"min": shares.min(axis=0).tolist(), "max": shares.max(axis=0).tolist()},
    }


def training(seeds: int = 10) -> dict[str, Any]:
    """Exact zeros in training runs, and what the slope there changes."""
    normal = in_float64(seeds)
    # In float32 only the zeros are counted, and a few more or less are rounding: both differ
    # between CPUs.
    runs = [train(np.float32, 0.0, seed=seed) for seed in range(seeds)]
    shares = [max(1e-6, _power_of_ten(run["zeros"] / run["seen"])) for run in runs]
    return {
        "seeds": seeds,
        "steps": STEPS,
        "distances": list(DISTANCES),
        "float64": normal,
        "float32": {"share_below": max(shares)},
        "blank": in_float64(seeds, blank=True, zero_bias=True),
    }


def _power_of_ten(share: float) -> float:
    return float(f"1e{int(np.ceil(np.log10(share)))}") if share > 0 else 0.0


def pooling(images: int = 20, size: int = 24, draws: int = 10) -> dict[str, Any]:
    """Ties in 2 x 2 windows of random 3 x 3 convolutions, before and after the ReLU."""
    before, after, difference, same = [], [], [], True

    def tied(image: Array) -> float:
        n = size // 2
        windows = image.reshape(images, 8, n, 2, n, 2).transpose(0, 1, 2, 4, 3, 5)
        windows = windows.reshape(images, 8, n, n, 4)
        winners = np.sum(windows == windows.max(axis=-1, keepdims=True), axis=-1)
        return float(np.mean(winners > 1))

    for draw in range(draws):
        rng = np.random.default_rng(draw)
        X = rng.normal(size=(images, 1, size, size))
        weight, bias = rng.normal(size=(8, 1, 3, 3)), 0.5 * rng.normal(size=8)
        A, _ = F.conv2d(X, weight, bias, padding=1)
        H, relu_cache = F.relu(A)
        output, pool_cache = F.max_pool2d(H, 2)
        grad = rng.normal(size=output.shape)
        first = F.relu_backward(F.max_pool2d_backward(grad, pool_cache), relu_cache)
        pooled, pool_cache = F.max_pool2d(A, 2)
        other, relu_cache = F.relu(pooled)
        second = F.max_pool2d_backward(F.relu_backward(grad, relu_cache), pool_cache)
        before.append(tied(A))
        after.append(tied(H))
        difference.append(float(np.abs(first - second).max()))
        same = same and bool(np.array_equal(output, other))
    return {
        "draws": draws,
        "windows": int(output.size),
        "before": exactly(before),
        "after": exactly(after),
        "same_output": same,
        "difference": max(difference),
    }


def l1(steps: int = 12) -> dict[str, Any]:
    """w - rate * sign(w - 1) from w = 0: constant rates and a decreasing one."""
    out: dict[str, Any] = {"steps": steps}
    for name, rate in (("hit", 0.25), ("swing", 0.3)):
        w, path = 0.0, [0.0]
        for _ in range(steps):
            w = w - rate * float(np.sign(w - 1.0))
            path.append(w)
        out[name] = path
    w, path = 0.0, [0.0]
    for t in range(steps):
        w = w - 0.6 / (t + 1) * float(np.sign(w - 1.0))
        path.append(w)
    out["decreasing"] = path
    return out


def run() -> dict[str, Any]:
    """All claims of the page."""
    return {
        "at_zero": at_zero(),
        "ties": ties(),
        "cancel": cancel(),
        "checker": checker(),
        "training": training(),
        "pooling": pooling(),
        "l1": l1(),
    }


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    """Subgradients and a subgradient method; how often training is near a kink or at a tie."""
    return {"kinks": _draw_slopes(result, lang), "kinks_training": _draw_training(result, lang)}


def _draw_training(result: dict[str, Any], lang: str) -> Any:
    """Shares of pre-activations near 0, and of pooling windows with a tie; over all repeats."""
    words = {
        "en": {
            "float64": "random data",
            "blank": "one sample all zeros, zero biases",
            "distance": "distance from 0",
            "share": "share of pre-activations that are nearer",
            "ties": "share of windows with a tie",
            "before": "before\nthe ReLU",
            "after": "after\nthe ReLU",
        },
        "zh": {
            "float64": "随机数据",
            "blank": "一个样本全为零，偏置为零",
            "distance": "到 0 的距离",
            "share": "更近的预激活值所占的比例",
            "ties": "有并列的窗口所占的比例",
            "before": "ReLU 之前",
            "after": "ReLU 之后",
        },
    }[lang]
    fig, (left, right) = style.new_figure(7.4, 3.4, ncols=2, width_ratios=(2.2, 1))
    distances = result["training"]["distances"]
    for name, color in (("blank", style.BACKWARD), ("float64", style.FORWARD)):
        shares = result["training"][name]["nearer"]
        low, high = (np.maximum(shares[end], 1e-8) for end in ("min", "max"))
        left.fill_between(distances, low, high, color=color, alpha=0.45, lw=0, label=words[name])
        left.plot(distances, high, color=color, lw=1.2)
    left.set_xscale("log")
    left.set_yscale("log")
    left.set_ylim(3e-7, 1.5)
    left.set_xlabel(words["distance"])
    left.set_ylabel(words["share"])
    left.legend(loc="upper left")
    for place, name in enumerate(("before", "after")):
        found = result["pooling"][name]
        right.plot(
            [place, place], [found["min"], found["max"]], color=style.ACCENT, lw=4, alpha=0.5
        )
        right.plot([place], [found["median"]], "o", color=style.ACCENT)
    right.set_xticks((0, 1), (words["before"], words["after"]))
    right.set_xlim(-0.6, 1.6)
    right.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    right.set_ylabel(words["ties"])
    return fig


def _draw_slopes(result: dict[str, Any], lang: str) -> Any:
    """ReLU at its kink with its subgradients, and a subgradient method on an absolute value."""
    words = {
        "en": {
            "supports": "slopes 0, ½ and 1 at the kink",
            "outside": "slope 1.5: above the function",
            "x": "a",
            "y": "ReLU(a)",
            "step": "step",
            "w": "w",
            "hit": "η = 0.25",
            "swing": "η = 0.3",
            "decreasing": "η = 0.6/t",
        },
        "zh": {
            "supports": "折点处的斜率 0、½ 和 1",
            "outside": "斜率 1.5：高出函数",
            "x": "a",
            "y": "ReLU(a)",
            "step": "步数",
            "w": "w",
            "hit": "η = 0.25",
            "swing": "η = 0.3",
            "decreasing": "η = 0.6/t",
        },
    }[lang]
    fig, axes = style.new_figure(7.4, 3.2, ncols=2)
    a = np.linspace(-1.5, 1.5, 3)
    for slope in (0.0, 0.5, 1.0):
        axes[0].plot(
            a, slope * a, color=style.ACCENT, lw=1.2, label=words["supports"] if not slope else None
        )
    axes[0].plot(a, 1.5 * a, color=style.BAD, lw=1.2, ls="--", label=words["outside"])
    axes[0].plot([-1.5, 0, 1.5], [0, 0, 1.5], color=style.INK, lw=2.4)
    axes[0].set_ylim(-1.2, 1.9)
    axes[0].set_xlabel(words["x"])
    axes[0].set_ylabel(words["y"])
    axes[0].legend(fontsize=8.5, frameon=False, loc="upper left")
    data = result["l1"]
    steps = np.arange(data["steps"] + 1)
    for name, color, marker in zip(
        ("hit", "swing", "decreasing"), style.SERIES, ("o", "s", "^"), strict=False
    ):
        axes[1].plot(steps, data[name], color=color, marker=marker, ms=4, lw=1.2, label=words[name])
    axes[1].axhline(1.0, color=style.MUTED, lw=1, ls=":")
    axes[1].set_xlabel(words["step"])
    axes[1].set_ylabel(words["w"])
    axes[1].legend(fontsize=8.5, frameon=False, loc="lower right")
    return fig
