"""The picture on the home page: one forward and one backward pass, every number computed.

Model: a = w1 x + b1, h = tanh(a), y_hat = w2 h + b2, J = (y_hat - y)^2 / 2, one sample.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import bpref.functional as F
from experiments.style import BACKWARD, FORWARD, INK, MUTED, arrow, box, diagram


def run() -> dict[str, float]:
    x, y = np.array([[1.5]]), np.array([[2.0]])
    w1, b1, w2, b2 = np.array([[0.8]]), np.array([-0.2]), np.array([[1.2]]), np.array([0.1])

    a, cache_a = F.linear(x, w1, b1)
    h, cache_h = F.tanh(a)
    y_hat, cache_y = F.linear(h, w2, b2)
    loss, cache_loss = F.half_mse_loss(y_hat, y)

    grad_y_hat = F.half_mse_loss_backward(1.0, cache_loss)
    grad_h, grad_w2, grad_b2 = F.linear_backward(grad_y_hat, cache_y)
    grad_a = F.tanh_backward(grad_h, cache_h)
    grad_x, grad_w1, grad_b1 = F.linear_backward(grad_a, cache_a)

    values = {"x": x, "y": y, "w1": w1, "b1": b1, "w2": w2, "b2": b2, "a": a, "h": h}
    values |= {"y_hat": y_hat, "loss": loss, "grad_y_hat": grad_y_hat, "grad_h": grad_h}
    values |= {"grad_a": grad_a, "grad_x": grad_x, "grad_w1": grad_w1, "grad_b1": grad_b1}
    values |= {"grad_w2": grad_w2, "grad_b2": grad_b2}
    return {name: float(np.squeeze(value)) for name, value in values.items()}


def draw(r: dict[str, Any], lang: str) -> Figure:
    text = {
        "en": ("forward: values", "backward: gradients of J", "linear", "tanh", "linear", "loss"),
        "zh": ("前向传播：数值", "反向传播：J 的梯度", "线性", "tanh", "线性", "损失"),
    }[lang]
    fig, ax = diagram(8.4, 3.5)
    ax.text(0.1, 3.28, text[0], color=FORWARD, fontsize=10.5, ha="left", va="center")
    ax.text(0.1, 3.02, text[1], color=BACKWARD, fontsize=10.5, ha="left", va="center")

    # (x position, operation, formula)
    operations = [
        (1.5, text[2], "a = w₁x + b₁"),
        (3.4, text[3], "h = tanh a"),
        (5.3, text[4], "ŷ = w₂h + b₂"),
        (7.2, text[5], "J = ½(ŷ − y)²"),
    ]
    top, low, width = 2.35, 1.75, 1.1
    for x, name, formula in operations:
        box(ax, x, 1.55, width, 1.0)
        ax.text(x + width / 2, 2.2, name, ha="center", va="center", color=INK, fontsize=10.5)
        ax.text(x + width / 2, 1.85, formula, ha="center", va="center", color=MUTED, fontsize=8.5)

    between = [(0.1, 1.5, "x", "grad_x"), (2.6, 3.4, "a", "grad_a"), (4.5, 5.3, "h", "grad_h")]
    between += [(6.4, 7.2, "y_hat", "grad_y_hat")]
    shown = {"x": "x", "a": "a", "h": "h", "y_hat": "ŷ"}
    for left, right, value, gradient in between:
        arrow(ax, (left, top), (right, top), color=FORWARD)
        arrow(ax, (right, low), (left, low), color=BACKWARD)
        middle = (left + right) / 2
        label = f"{shown[value]} = {r[value]:.3g}" if value == "x" else f"{r[value]:.4f}"
        ax.text(middle, top + 0.2, label, color=FORWARD, ha="center", va="center", fontsize=9.5)
        ax.text(
            middle,
            low - 0.2,
            number(r[gradient]),
            color=BACKWARD,
            ha="center",
            va="center",
            fontsize=9.5,
        )

    for x, layer in ((1.5, "1"), (5.3, "2")):
        _parameters(ax, x, width, r, layer)
    ax.text(
        7.75, 2.8, f"J = {r['loss']:.4f}", color=FORWARD, ha="center", va="center", fontsize=10.5
    )
    ax.text(7.75, 1.2, f"y = {r['y']:.3g}", color=INK, ha="center", va="center", fontsize=9.5)
    return fig


def number(value: float, spec: str = "+.4f") -> str:
    """A number with a real minus sign."""
    return format(value, spec).replace("-", "−")


def _parameters(ax: Axes, x: float, width: float, r: dict[str, Any], layer: str) -> None:
    """The parameters of one layer below its box: value going in, gradient coming out."""
    subscript = {"1": "₁", "2": "₂"}[layer]
    for column, parameter in ((x + 0.27, "w"), (x + width - 0.27, "b")):
        arrow(ax, (column - 0.1, 0.75), (column - 0.1, 1.5), color=FORWARD)
        arrow(ax, (column + 0.1, 1.5), (column + 0.1, 0.75), color=BACKWARD)
        value, gradient = r[f"{parameter}{layer}"], r[f"grad_{parameter}{layer}"]
        label = f"{parameter}{subscript} = {number(value, '.3g')}"
        side = -0.22 if parameter == "w" else 0.22
        ax.text(column + side, 0.55, label, color=FORWARD, ha="center", va="center", fontsize=9.5)
        ax.text(
            column + side,
            0.25,
            number(gradient),
            color=BACKWARD,
            ha="center",
            va="center",
            fontsize=9.5,
        )
