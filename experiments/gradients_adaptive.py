"""What adaptive optimizers hide: the size of the gradient, but not what it has lost.

* ``step``: the largest change of a weight in the first step at the rate 1e-3, for one gradient
  times 1e-12 … 1e12. Nothing random.
* ``layers``: sigmoid networks of 2 to 50 layers (width 16, Xavier, batch 16, mean squared error),
  10 seeds: size (root mean square) of the first layer over the last one, of the gradient and of
  the first step of Adam.
* ``training``: a sigmoid network of 10 layers (width 8, Xavier) on 32 samples, 300 gradients, each
  contender tuned over the same number of rates, 10 seeds: training loss over that of the best
  constant. SGD and Adam, without and with skip connections.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments._claim import Claim
from experiments._deep import sigmoid, spread
from experiments._ranges import exactly

# 300 steps of training carry rounding errors along.
RTOL = 1e-4
SEEDS = 10
LR = 1e-3
SCALES = tuple(10.0**p for p in range(-12, 13, 2))
GRADIENT = np.array([0.5, -1.0, 2.0])
DEPTHS = (2, 5, 10, 20, 35, 50)
WIDTH, BATCH = 16, 16
EPS = 1e-8  # Adam's
STEPS, HIDDEN, SMALL, SAMPLES = 300, 10, 8, 32
# wide enough that no contender is best at an edge
SGD_RATES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
ADAM_RATES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 0.3, 1.0)

WORKED = (
    "seeds",
    "step.scales*",
    "layers.depths*",
    "training.layers",
    "training.budget",
    "training.rates",
)
CLAIMS = (
    Claim(
        id="gradients-first-step-hides-the-scale",
        en="While the gradient is multiplied by factors from $10^{-6}$ to $10^{12}$, the largest "
        "change in the first step of Adam stays between "
        "${{ gradients_adaptive.step.adam[3] | sci }}$ "
        "and ${{ gradients_adaptive.step.adam[12] | sci }}$; at $10^{-12}$ it is "
        "${{ gradients_adaptive.step.adam[0] | sci }}$.",
        zh="梯度乘以 $10^{-6}$ 到 $10^{12}$ 的倍数，Adam 第一步的最大改变量始终在 "
        "${{ gradients_adaptive.step.adam[3] | sci }}$ 到 "
        "${{ gradients_adaptive.step.adam[12] | sci }}$ 之间；乘以 $10^{-12}$ 时只有 "
        "${{ gradients_adaptive.step.adam[0] | sci }}$。",
        criterion="all(0.99e-3 < s < 1.01e-3 for s in step.adam[3:]) and step.adam[0] < 1e-6 and "
        "step.sgd[12] > 1e9 * step.sgd[0]",
        covers=("step.*",),
        exact="deterministic",
        figure="gradients_adaptive",
    ),
    Claim(
        id="gradients-adam-equalizes-until-epsilon",
        en="In sigmoid networks of 10 layers the gradient of the first layer is "
        "${{ gradients_adaptive.layers.sgd[2].median | sci }}$ of the last one's, its first step "
        "of "
        "Adam {{ gradients_adaptive.layers.adam[2].median | .2f }}. With 20 layers the gradient is "
        "${{ gradients_adaptive.layers.sgd[3].median | sci }}$ and the step of Adam "
        "${{ gradients_adaptive.layers.adam[3].median | sci }}$ (at most "
        "${{ gradients_adaptive.layers.adam[3].max | sci }}$): below $\\varepsilon$ the ratio is "
        "back.",
        zh="10 层 sigmoid 网络里，第一层的梯度是最后一层的 "
        "${{ gradients_adaptive.layers.sgd[2].median | sci }}$，而 Adam 第一步之比为 "
        "{{ gradients_adaptive.layers.adam[2].median | .2f }}。20 层时梯度之比为 "
        "${{ gradients_adaptive.layers.sgd[3].median | sci }}$，Adam 的一步之比为 "
        "${{ gradients_adaptive.layers.adam[3].median | sci }}$（最大 "
        "${{ gradients_adaptive.layers.adam[3].max | sci }}$）：低于 $\\varepsilon$，差距就回来"
        "了。",
        criterion="layers.sgd[2].max < 1e-4 and layers.adam[2].min > 0.3 and "
        "layers.adam[3].max < 1e-4",
        covers=("layers.*",),
        runs="seeds",
        spread=("layers.adam[3].min", "layers.adam[3].max"),
        figure="gradients_adaptive",
    ),
    Claim(
        id="gradients-adam-trains-what-sgd-cannot",
        en="A sigmoid network of {{ gradients_adaptive.training.layers }} layers, "
        "{{ gradients_adaptive.training.budget }} gradients, the best of "
        "{{ gradients_adaptive.training.rates }} rates: the training loss over that of the best "
        "constant is {{ gradients_adaptive.training.sgd_plain.median | .2f }} with SGD for every "
        "seed, {{ gradients_adaptive.training.adam_plain.median | .2f }} with Adam (at most "
        "{{ gradients_adaptive.training.adam_plain.max | .2f }}), "
        "{{ gradients_adaptive.training.sgd_skip.median | .2f }} with SGD and skip connections, "
        "and ${{ gradients_adaptive.training.adam_skip.median | sci }}$ with both "
        "(at most {{ gradients_adaptive.training.adam_skip.max | .2f }}).",
        zh="{{ gradients_adaptive.training.layers }} 层 sigmoid 网络，"
        "{{ gradients_adaptive.training.budget }} 次梯度，取 "
        "{{ gradients_adaptive.training.rates }} 个学习率中最好的一个："
        "训练损失与最佳常数的损失之比，SGD 对每个种子都是 "
        "{{ gradients_adaptive.training.sgd_plain.median | .2f }}，Adam 为 "
        "{{ gradients_adaptive.training.adam_plain.median | .2f }}（最大 "
        "{{ gradients_adaptive.training.adam_plain.max | .2f }}），SGD 加跳跃连接为 "
        "{{ gradients_adaptive.training.sgd_skip.median | .2f }}，Adam 加跳跃连接为 "
        "${{ gradients_adaptive.training.adam_skip.median | sci }}$（最大 "
        "{{ gradients_adaptive.training.adam_skip.max | .2f }}）。",
        criterion="training.sgd_plain.min > 0.99 and training.adam_plain.max < 0.9 and "
        "training.sgd_skip.median < 0.9 and training.adam_skip.max < 0.5 * "
        "min(training.adam_plain.min, training.sgd_skip.min)",
        covers=("training.*",),
        runs="seeds",
        spread=("training.adam_plain.min", "training.adam_plain.max"),
        figure="gradients_adaptive_training",
    ),
)


def first_step(rule: str, g: np.ndarray) -> np.ndarray:
    """PyTorch's first step; both averages of Adam are corrected to g and g^2."""
    if rule == "sgd":
        return LR * g
    if rule == "adam":
        return LR * g / (np.abs(g) + EPS)
    return LR * g / (np.abs(g) + 1e-10)  # Adagrad


def rms(x: np.ndarray) -> float:
    size = float(np.abs(x).max())
    return size * float(np.sqrt(np.mean((x / size) ** 2)))


def gradients(seed: int, depth: int) -> list[np.ndarray]:
    """dJ/dW_l, l = 1 … depth, of a sigmoid network with mean squared error."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(0.0, np.sqrt(1.0 / WIDTH), (depth, WIDTH, WIDTH))
    hs, y = [rng.normal(size=(BATCH, WIDTH))], rng.normal(size=(BATCH, WIDTH))
    for w in weights:
        hs.append(sigmoid(hs[-1] @ w.T))
    grad, out = 2.0 * (hs[-1] - y) / y.size, []
    for w, before, after in zip(weights[::-1], hs[-2::-1], hs[:0:-1], strict=True):
        delta = grad * after * (1.0 - after)
        out.append(delta.T @ before)
        grad = delta @ w
    return out[::-1]


def layers() -> dict[str, Any]:
    result: dict[str, Any] = {"depths": DEPTHS}
    for rule in ("sgd", "adam"):
        result[rule] = []
        for depth in DEPTHS:
            ratios = []
            for seed in range(SEEDS):
                grads = gradients(seed, depth)
                steps = [first_step(rule, g) for g in (grads[0], grads[-1])]
                ratios.append(rms(steps[0]) / rms(steps[1]))
            result[rule].append(spread(ratios))
    return result


def train(rule: str, skip: float) -> np.ndarray:
    """Final loss over the loss of the mean, of shape (rates, seeds)."""
    rates = SGD_RATES if rule == "sgd" else ADAM_RATES
    rngs = [np.random.default_rng(seed) for seed in range(SEEDS)]
    deviation = SMALL**-0.5
    start = np.stack([r.normal(0.0, deviation, (HIDDEN, SMALL, SMALL)) for r in rngs], axis=1)
    last = np.stack([r.normal(0.0, deviation, (1, SMALL)) for r in rngs])
    x = np.stack([r.normal(size=(SAMPLES, SMALL)) for r in rngs])
    y = np.sin(2.0 * x[..., :1]) + x[..., 1:2] * x[..., 2:3]
    y -= y.mean(axis=1, keepdims=True)
    y /= y.std(axis=1, keepdims=True)
    shape = (len(rates), SEEDS)
    values = [np.broadcast_to(w, (*shape, SMALL, SMALL)).copy() for w in start]
    values += [np.zeros((*shape, 1, SMALL)) for _ in start]
    values += [np.broadcast_to(last, (*shape, 1, SMALL)).copy(), np.zeros((*shape, 1, 1))]
    rate = np.array(rates).reshape(-1, 1, 1, 1)
    m, v = ([np.zeros_like(p) for p in values] for _ in range(2))
    for t in range(1, STEPS + 1):
        hs = [np.broadcast_to(x, (len(rates), *x.shape))]
        slopes = []
        for w, b in zip(values[:HIDDEN], values[HIDDEN : 2 * HIDDEN], strict=True):
            s = sigmoid(hs[-1] @ w.swapaxes(-1, -2) + b)
            slopes.append(s * (1.0 - s))
            hs.append(s + skip * hs[-1])
        error = hs[-1] @ values[-2].swapaxes(-1, -2) + values[-1] - y
        loss = np.mean(error**2, axis=(-2, -1))
        if t == STEPS:
            break
        d = 2.0 * error / SAMPLES
        grads: list[np.ndarray] = [d.swapaxes(-1, -2) @ hs[-1], d.sum(-2, keepdims=True)]
        grad, dws, dbs = d @ values[-2], [], []
        for k in range(HIDDEN - 1, -1, -1):
            delta = grad * slopes[k]
            dws.append(delta.swapaxes(-1, -2) @ hs[k])
            dbs.append(delta.sum(-2, keepdims=True))
            grad = delta @ values[k] + skip * grad
        for i, g in enumerate([*dws[::-1], *dbs[::-1], *grads]):
            if rule == "adam":
                m[i] += 0.1 * (g - m[i])
                v[i] += 0.001 * (g * g - v[i])
                g = m[i] / (1 - 0.9**t) / (np.sqrt(v[i] / (1 - 0.999**t)) + EPS)
            values[i] -= rate * g
    return loss


def training() -> dict[str, Any]:
    result: dict[str, Any] = {"layers": HIDDEN, "budget": STEPS, "rates": len(SGD_RATES)}
    for rule in ("sgd", "adam"):
        for skip in (0.0, 1.0):
            with np.errstate(over="ignore", invalid="ignore"):
                table = train(rule, skip)
            table = np.where(np.isfinite(table), table, 1e9)
            rates = SGD_RATES if rule == "sgd" else ADAM_RATES
            best = int(np.argmin(np.median(table, axis=1)))
            name = f"{rule}_{'skip' if skip else 'plain'}"
            result[name] = exactly(table[best]) | {"best_rate": rates[best]}
    return result


def run() -> dict[str, Any]:
    steps = {
        rule: [float(np.abs(first_step(rule, c * GRADIENT)).max()) for c in SCALES]
        for rule in ("sgd", "adam", "adagrad")
    }
    return {
        "seeds": SEEDS,
        "step": {"scales": SCALES, **steps},
        "layers": layers(),
        "training": training(),
    }


def draw(result: dict[str, Any], lang: str) -> dict[str, Figure]:
    from experiments._dots import MEDIAN, draw_bands
    from experiments.style import BACKWARD, FORWARD, SERIES, new_figure

    words = {
        "en": (
            "factor in the gradient",
            "largest change in the first step",
            "layers",
            "first layer over last layer",
            "gradient",
            "step of Adam",
        ),
        "zh": (
            "梯度所乘的倍数",
            "第一步的最大改变量",
            "层数",
            "第一层与最后一层之比",
            "梯度",
            "Adam 的一步",
        ),
    }[lang]
    fig, (left, right) = new_figure(7.2, 3.5, ncols=2)
    steps = result["step"]
    names = {"sgd": "SGD", "adam": "Adam", "adagrad": "Adagrad"}
    for (name, label), color in zip(names.items(), SERIES, strict=False):
        left.plot(steps["scales"], steps[name], marker="o", markersize=3, color=color, label=label)
    left.set_xscale("log")
    left.set_yscale("log")
    left.set_xlabel(words[0])
    left.set_title(words[1], fontsize=10)
    left.legend()
    depths = result["layers"]["depths"]
    for name, label, color in (("sgd", words[4], BACKWARD), ("adam", words[5], FORWARD)):
        rows = result["layers"][name]
        look = {"color": color, "marker": "o", "markersize": 3, "label": label}
        draw_bands(right, depths, rows, keys=MEDIAN, alpha=0.25, **look)
    right.set_yscale("log")
    right.set_xlabel(words[2])
    right.set_title(words[3], fontsize=10)
    right.legend()
    return {"gradients_adaptive": fig, "gradients_adaptive_training": draw_training(result, lang)}


def draw_training(result: dict[str, Any], lang: str) -> Figure:
    from experiments._gain_bars import draw_bars

    skip = {"en": ", skip connections", "zh": "，跳跃连接"}[lang]
    rows = {
        "SGD": result["training"]["sgd_plain"],
        "Adam": result["training"]["adam_plain"],
        f"SGD{skip}": result["training"]["sgd_skip"],
        f"Adam{skip}": result["training"]["adam_skip"],
    }
    label = {
        "en": "training loss over the loss of the best constant",
        "zh": "训练损失与最佳常数的损失之比",
    }[lang]
    return draw_bars(rows, label)
