"""Dead ReLU units: share of hidden units that no training sample activates any more.

What LeakyReLU repairs is dead units, not the gain through depth; and the step size decides how many
die. Measured: a 1-64-1 network (PyTorch's default initialisation) fitted to the article's data
y = 2x + 1 + noise with full-batch gradient descent, 200 steps at each of 4 rates, float64, 20
seeds. A unit is dead when its pre-activation is negative on all 100 samples: with ReLU its weights
then get a gradient of exactly zero. For LeakyReLU and GELU the same units are counted; their
gradient is not zero, so they are "negative everywhere" but not dead. ``train_mse`` at the end: what
the dead units cost.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments._claim import Claim
from experiments._deep import ACTIVATIONS
from experiments._ranges import exactly

SEEDS = 20
UNITS = 64
STEPS = 200
RATES = {"lr_001": 0.01, "lr_003": 0.03, "lr_006": 0.06, "lr_01": 0.1}
NAMES = ("relu", "leaky_relu", "gelu")

WORKED = ("units", "steps", "seeds")
CLAIMS = (
    Claim(
        id="gradients-dead-units-and-the-rate",
        en="After {{ gradients_dead_units.steps }} steps at the rate $0.01$, "
        "{{ gradients_dead_units.relu.lr_001.zero_gradient.median | pct1 }} of the ReLU units have "
        "a gradient of exactly zero; at $0.1$ it is "
        "{{ gradients_dead_units.relu.lr_01.zero_gradient.median | pct1 }}, up to "
        "{{ gradients_dead_units.relu.lr_01.zero_gradient.max | pct1 }} in one of "
        "{{ gradients_dead_units.seeds }} seeds. With LeakyReLU and GELU no unit of any seed has.",
        zh="学习率 $0.01$，走 {{ gradients_dead_units.steps }} 步之后，有 "
        "{{ gradients_dead_units.relu.lr_001.zero_gradient.median | pct1 }} 的 ReLU "
        "单元梯度恰好为零；学习率 $0.1$ 时为 "
        "{{ gradients_dead_units.relu.lr_01.zero_gradient.median | pct1 }}，"
        "{{ gradients_dead_units.seeds }} 个种子中最多达到 "
        "{{ gradients_dead_units.relu.lr_01.zero_gradient.max | pct1 }}。"
        "换成 LeakyReLU 或 GELU，任何种子里都没有这样的单元。",
        criterion="relu.lr_01.zero_gradient.median > 1.5 * relu.lr_001.zero_gradient.median and "
        "relu.lr_01.zero_gradient.max > 0.5 and "
        "max(r.zero_gradient.max for r in (*leaky_relu.values(), *gelu.values())) == 0",
        covers=(
            "relu.*.zero_gradient.*",
            "leaky_relu.*.zero_gradient.*",
            "gelu.*.zero_gradient.*",
            "relu.*.negative.*",
            "relu.*.start.*",
            "leaky_relu.*.negative.*",
            "gelu.*.negative.*",
        ),
        runs="seeds",
        spread=("relu.lr_01.zero_gradient.min", "relu.lr_01.zero_gradient.max"),
        figure="gradients_dead_units",
    ),
    Claim(
        id="gradients-dead-units-cost-nothing-here",
        en="The dead units cost nothing here: at the rate $0.1$ the median training loss is "
        "{{ gradients_dead_units.relu.lr_01.train_mse.median | .3f }} with ReLU and "
        "{{ gradients_dead_units.leaky_relu.lr_01.train_mse.median | .3f }} with LeakyReLU; at no "
        "rate do the two differ by more than 1 %.",
        zh="在这里，死亡单元没有带来损失：学习率 $0.1$ 时，训练损失的中位数 ReLU 为 "
        "{{ gradients_dead_units.relu.lr_01.train_mse.median | .3f }}，LeakyReLU 为 "
        "{{ gradients_dead_units.leaky_relu.lr_01.train_mse.median | .3f }}；"
        "在任何一个学习率下，两者相差都不超过 1 %。",
        criterion="all(abs(relu[k].train_mse.median / leaky_relu[k].train_mse.median - 1) < 0.01 "
        "for k in ('lr_001', 'lr_003', 'lr_006', 'lr_01'))",
        covers=("*.train_mse.*",),
        runs="seeds",
        spread=("relu.lr_01.train_mse.min", "relu.lr_01.train_mse.max"),
        figure="gradients_dead_units",
    ),
)


def train(activation: str, lr: float) -> dict[str, np.ndarray]:
    """All seeds at once; every value has the shape (seeds,)."""
    act = ACTIVATIONS[activation]
    draws = []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        x, noise = rng.normal(size=(2, 100, 1))
        bound = 1.0 / np.sqrt(UNITS)
        w1, b1 = rng.uniform(-1, 1, (1, UNITS)), rng.uniform(-1, 1, (1, UNITS))
        w2, b2 = rng.uniform(-bound, bound, (UNITS, 1)), rng.uniform(-bound, bound, (1, 1))
        draws.append((x, 2.0 * x + 1.0 + noise, w1, b1, w2, b2))
    x, y, w1, b1, w2, b2 = (np.stack(v) for v in zip(*draws, strict=True))
    start = (x * w1 + b1 <= 0).all(axis=1).mean(axis=1)
    for step in range(STEPS + 1):
        a = x * w1 + b1
        h, slope = act(a)
        out = h @ w2 + b2
        d2 = 2.0 * (out - y) / x.shape[1]  # nn.MSELoss
        d1 = (d2 * w2.swapaxes(1, 2)) * slope
        g1 = (x * d1).sum(axis=1, keepdims=True)
        if step == STEPS:
            break
        w2, b2 = w2 - lr * h.swapaxes(1, 2) @ d2, b2 - lr * d2.sum(axis=1, keepdims=True)
        w1, b1 = w1 - lr * g1, b1 - lr * d1.sum(axis=1, keepdims=True)
    return {
        "start": start,
        "negative": (a <= 0).all(axis=1).mean(axis=1),
        "zero_gradient": (g1 == 0.0).mean(axis=(1, 2)),
        "train_mse": ((out - y) ** 2).mean(axis=(1, 2)),
    }


def run() -> dict[str, Any]:
    result: dict[str, Any] = {"seeds": SEEDS, "units": UNITS, "steps": STEPS}
    for name in NAMES:
        result[name] = {}
        for key, lr in RATES.items():
            found = train(name, lr)
            result[name][key] = {
                field: exactly(v) | {"mean": float(v.mean())} for field, v in found.items()
            }
    return result


def draw(result: dict[str, Any], lang: str) -> Figure:
    from experiments.style import SERIES, new_figure

    names = {"relu": "ReLU", "leaky_relu": "LeakyReLU", "gelu": "GELU"}
    words = {
        "en": ("share with zero gradient", "training loss (MSE)", "learning rate"),
        "zh": ("梯度恰为零的单元比例", "训练损失（MSE）", "学习率"),
    }[lang]
    fig, axes = new_figure(7.2, 3.3, ncols=2)
    fields = ("zero_gradient", "train_mse")
    for ax, field, label in zip(axes, fields, words[:2], strict=True):
        for k, (name, color) in enumerate(zip(NAMES, SERIES, strict=False)):
            for i, key in enumerate(RATES):
                v, x = result[name][key][field], i + 0.22 * (k - 1)
                ax.plot([x, x], [v["min"], v["max"]], color=color, lw=4, alpha=0.5)
                first = names[name] if i == 0 and ax is axes[0] else None
                ax.plot(x, v["median"], "o", color=color, markersize=5, label=first)
        ax.set_xticks(range(len(RATES)), [f"{rate:g}" for rate in RATES.values()])
        ax.set_xlabel(words[2])
        ax.set_title(label, fontsize=10)
    axes[1].set_ylim(bottom=0)
    fig.legend(loc="outside upper center", ncols=3)
    return fig
