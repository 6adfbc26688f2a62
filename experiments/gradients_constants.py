"""Two constants for the weights that look right and are not: GELU's, and PyTorch's 5/3 for tanh.

Gradient gain at initialization, width 64, batch 16, float64, 20 seeds, Gaussian weights with
variance c / n and biases zero, over 50 and 100 layers. GELU with c = 2, 2.2 and 2.4, where its gain
turns from falling to growing; tanh with c = 25/9, which is what
`torch.nn.init.calculate_gain("tanh")` returns, squared.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments._claim import Claim
from experiments._deep import Draws, Kinds, Stack, spread

SEEDS, WIDTH, BATCH, DEPTHS = 20, 64, 16, (50, 100)
CASES = {
    "gelu_20": ("gelu", 2.0),
    "gelu_22": ("gelu", 2.2),
    "gelu_24": ("gelu", 2.4),
    "tanh": ("tanh", 25.0 / 9.0),
}

WORKED = ("seeds", "width")
CLAIMS = (
    Claim(
        id="gradients-no-constant-for-gelu",
        en="GELU with $n v = 2.2$ has the median gain {{ gradients_constants.gelu_22.l50.median | "
        ".1f }} over 50 layers and {{ gradients_constants.gelu_22.l100.median | .0f }} over 100, "
        "but single seeds fall to ${{ gradients_constants.gelu_22.l100.min | sci }}$; with $2$ the "
        "median falls to ${{ gradients_constants.gelu_20.l100.median | sci }}$ over 100 layers, "
        "with $2.4$ it grows to ${{ gradients_constants.gelu_24.l100.median | sci }}$.",
        zh="GELU 取 $n v = 2.2$，增益的中位数 50 层为 "
        "{{ gradients_constants.gelu_22.l50.median | .1f }}，100 层为 "
        "{{ gradients_constants.gelu_22.l100.median | .0f }}，但个别种子低到 "
        "${{ gradients_constants.gelu_22.l100.min | sci }}$；取 $2$，100 层的中位数降到 "
        "${{ gradients_constants.gelu_20.l100.median | sci }}$，取 $2.4$ 则升到 "
        "${{ gradients_constants.gelu_24.l100.median | sci }}$。",
        criterion="gelu_22.l100.min < 1e-6 and gelu_20.l100.median < 1e-6 and "
        "gelu_24.l100.median > 1e3 and 1 < gelu_22.l50.median < 100",
        covers=("gelu_*",),
        runs="seeds",
        spread=("gelu_22.l100.min", "gelu_22.l100.max"),
        figure="gradients_constants",
    ),
    Claim(
        id="gradients-five-thirds-explodes",
        en="With the factor 5/3, which `calculate_gain` returns for tanh, the gradient of tanh "
        "layers grows by {{ gradients_constants.tanh.l50.median | .0f }} over 50 layers (least "
        "{{ gradients_constants.tanh.l50.min | .0f }} of {{ gradients_constants.seeds }} seeds) "
        "and by ${{ gradients_constants.tanh.l100.median | sci }}$ over 100.",
        zh="tanh 取 `calculate_gain` 返回的系数 5/3，经过 50 层梯度增大 "
        "{{ gradients_constants.tanh.l50.median | .0f }} 倍（{{ gradients_constants.seeds }} 个种"
        "子中最小 {{ gradients_constants.tanh.l50.min | .0f }} 倍），100 层增大 "
        "${{ gradients_constants.tanh.l100.median | sci }}$ 倍。",
        criterion="tanh.l50.min > 20 and tanh.l100.min > 1e3",
        covers=("tanh.*",),
        runs="seeds",
        spread=("tanh.l50.min", "tanh.l50.max"),
        figure="gradients_constants",
    ),
)


def gains(name: str, seed: int) -> list[float]:
    activation, c = CASES[name]
    draws = Draws(seed, WIDTH, max(DEPTHS), BATCH)
    weights = draws.gaussian * np.sqrt(c / WIDTH)
    biases = np.zeros((max(DEPTHS), WIDTH))
    stack = Stack(weights, biases, draws.h, Kinds((activation,)), [1.0])
    return [float(stack.backward(draws.grad, depth, [0]).flat[0]) for depth in DEPTHS]


def run() -> dict[str, Any]:
    result: dict[str, Any] = {"seeds": SEEDS, "width": WIDTH}
    for name in CASES:
        table = np.array([gains(name, seed) for seed in range(SEEDS)])
        result[name] = {f"l{d}": spread(table[:, k]) for k, d in enumerate(DEPTHS)}
    return result


def draw(result: dict[str, Any], lang: str) -> Figure:
    from experiments._gain_bars import draw_bars

    layers = {"en": ", {} layers", "zh": "，{} 层"}[lang]
    names = {
        "gelu_20": "GELU, n v = 2",
        "gelu_22": "GELU, n v = 2.2",
        "gelu_24": "GELU, n v = 2.4",
        "tanh": "tanh, n v = 25/9",
    }
    rows = {
        (label if lang == "en" else label.replace(", ", "，")) + layers.format(d): result[name][
            f"l{d}"
        ]
        for name, label in names.items()
        for d in DEPTHS
    }
    return draw_bars(rows, {"en": "gradient gain", "zh": "梯度增益"}[lang])
