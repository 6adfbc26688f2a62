"""How much of the gradient survives 50 layers, for activation x initialisation.

Claim: whether the gradient vanishes or explodes is decided by the product of slope and weight size
per layer, not by the activation alone. Measured: gain = ||dL/dh_0|| / ||dL/dh_L|| at
initialisation over 50 layers of width 64 (batch 16, float64), 20 seeds, median and range.
Orthogonal matrices are multiplied by sqrt(2) for the ReLU family. The pair tanh x N(0, 1) is in
``gradients_chaos``: there the forward pass amplifies rounding.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments._deep import ACTIVATIONS, INITS, gains, spread

SEEDS = 20
DEPTH = 50
STEP = 5

#: the curves of the figure, top to bottom
CURVES = (
    ("relu", "unit"),
    ("relu", "he"),
    ("relu", "xavier"),
    ("relu", "torch"),
    ("sigmoid", "xavier"),
    ("relu", "small"),
)


def run() -> dict[str, Any]:
    result: dict[str, Any] = {"seeds": SEEDS, "depth": DEPTH, "width": 64}
    curves: dict[str, Any] = {}
    for activation in ACTIVATIONS:
        result[activation] = {}
        for init in INITS:
            if (activation, init) == ("tanh", "unit"):
                continue
            table = np.array([gains(activation, init, seed, depth=DEPTH) for seed in range(SEEDS)])
            result[activation][init] = spread(table[:, -1])
            if (activation, init) in CURVES:
                logs = np.log10(table[:, ::STEP])
                curves[f"{activation}_{init}"] = {
                    "median": np.median(logs, axis=0).tolist(),
                    "min": logs.min(axis=0).tolist(),
                    "max": logs.max(axis=0).tolist(),
                }
    # the same N(0, 1) layers, twice as wide: the width enters through the size of the weight matrix
    wide = [gains("sigmoid", "unit", seed, depth=DEPTH, width=128)[-1] for seed in range(SEEDS)]
    result["sigmoid_unit_width_128"] = spread(wide)
    result["layers"] = list(range(0, DEPTH + 1, STEP))
    result["curves"] = curves
    # the bound that the activation alone gives: sigmoid' <= 1/4
    result["sigmoid_slope_bound"] = 0.25**DEPTH
    return result


def draw(result: dict[str, Any], lang: str) -> Figure:
    from experiments.style import INK, SERIES, new_figure

    names = {"relu": "ReLU", "tanh": "tanh", "sigmoid": "sigmoid"}
    inits = {
        "unit": "N(0, 1)",
        "he": "He",
        "xavier": "Xavier",
        "torch": {"en": "PyTorch default", "zh": "PyTorch 默认"}[lang],
        "small": "N(0, 0.01²)",
    }
    fig, ax = new_figure(width=6.8, height=4.2)
    layers = result["layers"]
    for color, (activation, init) in zip(SERIES, CURVES, strict=True):
        curve = result["curves"][f"{activation}_{init}"]
        ax.fill_between(layers, curve["min"], curve["max"], color=color, alpha=0.25, linewidth=0)
        ax.plot(layers, curve["median"], color=color, marker="o", markersize=3)
        label = f"{names[activation]}, {inits[init]}"
        ax.text(DEPTH + 1, curve["median"][-1], label, color=color, va="center", fontsize=9)
    ax.hlines(0.0, 0, DEPTH, color=INK, linewidth=0.8)
    ax.set_xlim(0, DEPTH + 21)
    ax.set_xticks(range(0, DEPTH + 1, 10))
    ax.set_xlabel(
        {
            "en": "layers that the gradient has passed, counted from the output",
            "zh": "梯度从输出端起已经过的层数",
        }[lang]
    )
    ax.set_ylabel({"en": "log10 of the gradient gain", "zh": "梯度增益的 log10"}[lang])
    return fig
