"""Claim of the article: gradients may vanish or explode. True, and a matter of the network.

Fifty layers of width 128, batch 16, float64. delta_l is the gradient of the loss for the
pre-activation of layer l; measured is its norm in every layer over its norm in the last,
over 10 seeds, for four pairs of activation and initialisation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._claim import Claim
from experiments._ranges import exactly

DEPTH, WIDTH, BATCH, SEEDS = 50, 128, 16, 10
NETWORKS = {
    "sigmoid_xavier": ("sigmoid", WIDTH**-0.5),
    "tanh_large": ("tanh", 3 * WIDTH**-0.5),
    "tanh_xavier": ("tanh", WIDTH**-0.5),
    "relu_he": ("relu", (2 / WIDTH) ** 0.5),
}

WORKED = ("depth", "seeds")
CLAIMS = (
    Claim(
        id="strengths-and-limits-gradients-vanish-or-explode",
        en="Through {{ strengths_and_limits_depth.depth }} sigmoid layers with Xavier weights the "
        "norm of the signal is multiplied by "
        "${{ strengths_and_limits_depth.sigmoid_xavier.first.median | sci }}$ in the median, and "
        "in the mildest of {{ strengths_and_limits_depth.seeds }} runs by "
        "${{ strengths_and_limits_depth.sigmoid_xavier.first.max | sci }}$; with tanh and three "
        "times Xavier weights it is multiplied by "
        "${{ strengths_and_limits_depth.tanh_large.first.median | sci }}$.",
        zh="经过 {{ strengths_and_limits_depth.depth }} 个 Xavier 权重的 sigmoid 层，信号的范数变"
        "为原来的 ${{ strengths_and_limits_depth.sigmoid_xavier.first.median | sci }}$ 倍（中位"
        "数），{{ strengths_and_limits_depth.seeds }} 次运行中缩得最少的一次也只剩 "
        "${{ strengths_and_limits_depth.sigmoid_xavier.first.max | sci }}$ 倍；用 tanh 和三倍 "
        "Xavier 权重，则变为 ${{ strengths_and_limits_depth.tanh_large.first.median | sci }}$ 倍。",
        criterion="sigmoid_xavier.first.max < 1e-25 and tanh_large.first.min > 1e5",
        covers=("sigmoid_xavier.first.*", "tanh_large.first.*"),
        runs="seeds",
        spread=("sigmoid_xavier.first.min", "sigmoid_xavier.first.max"),
        figure="strengths_and_limits_depth",
    ),
    Claim(
        id="strengths-and-limits-other-networks-keep-the-signal",
        en="With tanh and Xavier weights, or with ReLU and He weights, the norm in layer 1 is "
        "{{ strengths_and_limits_depth.tanh_xavier.first.median | .2f }} and "
        "{{ strengths_and_limits_depth.relu_he.first.median | .2f }} times that of the last layer "
        "in the median, and between $0.01$ and $10$ times in every run.",
        zh="用 tanh 配 Xavier 权重，或者 ReLU 配 He 权重，第 1 层的范数是末层的 "
        "{{ strengths_and_limits_depth.tanh_xavier.first.median | .2f }} 和 "
        "{{ strengths_and_limits_depth.relu_he.first.median | .2f }} 倍（中位数），"
        "每次运行都在 $0.01$ 与 $10$ 倍之间。",
        criterion="all(0.01 < n.first.min and n.first.max < 10 for n in (tanh_xavier, relu_he)) "
        "and tanh_xavier.first.median < 1",
        covers=("tanh_xavier.first.*", "relu_he.first.*"),
        runs="seeds",
        spread=("relu_he.first.min", "relu_he.first.max"),
        figure="strengths_and_limits_depth",
    ),
)


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
    result: dict[str, Any] = {"depth": DEPTH, "seeds": SEEDS}
    for name, (kind, scale) in NETWORKS.items():
        norms = np.array([relative_norms(kind, scale, seed) for seed in range(SEEDS)])
        result[name] = {
            "first": exactly(norms[:, 0]),
            "norms": {
                "min": norms.min(axis=0).tolist(),
                "median": np.median(norms, axis=0).tolist(),
                "max": norms.max(axis=0).tolist(),
            },
        }
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
        norms, layers = result[name]["norms"], range(1, DEPTH + 1)
        ax.semilogy(layers, norms["median"], color=colour, label=label[name])
        ax.fill_between(layers, norms["min"], norms["max"], color=colour, alpha=0.2, linewidth=0)
    ax.set_xlabel(label["x"])
    ax.set_ylabel(label["y"])
    ax.legend()
    return fig
