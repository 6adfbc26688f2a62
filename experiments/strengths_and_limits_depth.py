"""Claim of the article: gradients may vanish or explode. True, and a matter of the network.

Fifty layers of width 128, batch 16, float64. delta_l is the gradient of the loss for the
pre-activation of layer l; measured is its norm in every layer over its norm in the last,
as the median of 10 seeds, for four pairs of activation and initialisation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

DEPTH, WIDTH, BATCH, SEEDS = 50, 128, 16, 10
NETWORKS = {
    "sigmoid_xavier": ("sigmoid", WIDTH**-0.5),
    "tanh_large": ("tanh", 3 * WIDTH**-0.5),
    "tanh_xavier": ("tanh", WIDTH**-0.5),
    "relu_he": ("relu", (2 / WIDTH) ** 0.5),
}


def activate(kind: str, a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the activation and its slope at the pre-activation."""
    if kind == "sigmoid":
        h = 1 / (1 + np.exp(-a))
        return h, h * (1 - h)
    if kind == "tanh":
        h = np.tanh(a)
        return h, 1 - h**2
    return np.maximum(a, 0), (a > 0).astype(float)


def relative_norms(kind: str, scale: float, seed: int) -> np.ndarray:
    """Norm of delta_l for l = 1, ..., DEPTH, divided by that of the last layer."""
    rng = np.random.default_rng(seed)
    weights = scale * rng.standard_normal((DEPTH, WIDTH, WIDTH))
    h, slopes = rng.standard_normal((BATCH, WIDTH)), []
    for weight in weights:
        h, slope = activate(kind, h @ weight.T)
        slopes.append(slope)
    delta = rng.standard_normal((BATCH, WIDTH)) * slopes[-1]
    norms = [np.linalg.norm(delta)]
    for layer in reversed(range(DEPTH - 1)):
        delta = (delta @ weights[layer + 1]) * slopes[layer]
        norms.append(np.linalg.norm(delta))
    relative: np.ndarray = np.array(norms[::-1]) / norms[0]
    return relative


def run() -> dict[str, Any]:
    result: dict[str, Any] = {"depth": DEPTH}
    for name, (kind, scale) in NETWORKS.items():
        norms = np.array([relative_norms(kind, scale, seed) for seed in range(SEEDS)])
        median = np.median(norms, axis=0)
        result[name] = {"first": float(median[0]), "norms": [float(v) for v in median]}
    return result


def draw(result: dict[str, Any], lang: str) -> Any:
    from experiments.style import SERIES, new_figure

    label = {
        "en": {
            "sigmoid_xavier": "sigmoid, Xavier",
            "tanh_large": "tanh, three times Xavier",
            "tanh_xavier": "tanh, Xavier",
            "relu_he": "ReLU, He",
            "x": "layer",
            "y": "gradient norm, last layer = 1",
        },
        "zh": {
            "sigmoid_xavier": "sigmoid，Xavier",
            "tanh_large": "tanh，三倍 Xavier",
            "tanh_xavier": "tanh，Xavier",
            "relu_he": "ReLU，He",
            "x": "层",
            "y": "梯度范数（末层为 1）",
        },
    }[lang]
    fig, ax = new_figure(6.0, 3.4)
    for name, colour in zip(NETWORKS, SERIES, strict=False):
        ax.semilogy(range(1, DEPTH + 1), result[name]["norms"], color=colour, label=label[name])
    ax.set_xlabel(label["x"])
    ax.set_ylabel(label["y"])
    ax.legend()
    return fig
