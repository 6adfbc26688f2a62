"""Gradient accumulation is the large batch, computed in pieces: it changes no gradient and no
ratio between layers.

Measured: a 20-layer sigmoid network (width 32, N(0, 1/n) weights, mean squared error), batch of 64
in one piece and as 4 micro-batches of 16 whose losses are divided by 4; float64, 10 seeds.
Relative difference of all gradients (the largest of any layer), norm of the first layer's gradient
over the last layer's, and the factor without the division; ``layers``: the norm of each layer's
gradient over the last one's, both ways, for the figure.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments._claim import Claim
from experiments._deep import sigmoid, spread

SEEDS = 10
DEPTH = 20
WIDTH = 32
PIECES = 4

WORKED = ("depth", "pieces", "seeds")
CLAIMS = (
    Claim(
        id="gradients-accumulation-is-the-large-batch",
        en="Over {{ gradients_accumulation.seeds }} seeds, {{ gradients_accumulation.pieces }} "
        "accumulated pieces and one batch give the same gradient in every layer: the largest "
        "relative difference is ${{ gradients_accumulation.difference.max | sci }}$, rounding. The "
        "first layer's gradient is ${{ gradients_accumulation.ratio_accumulated.median | sci }}$ "
        "of "
        "the last one's either way.",
        zh="{{ gradients_accumulation.seeds }} 个种子，分 {{ gradients_accumulation.pieces }} "
        "块累积与一次算完，每一层的梯度都相同：相对误差最大 "
        "${{ gradients_accumulation.difference.max | sci }}$，属于舍入。"
        "两种做法下，第一层的梯度都是最后一层的 "
        "${{ gradients_accumulation.ratio_accumulated.median | sci }}$。",
        criterion="difference.max < 1e-14 and ratio_accumulated.max < 1e-10 and "
        "abs(ratio_accumulated.median / ratio_whole.median - 1) < 1e-12",
        covers=("difference.*", "ratio_*", "layers_*"),
        runs="seeds",
        spread=("difference.min", "difference.max"),
        figure="gradients_accumulation",
    ),
    Claim(
        id="gradients-accumulation-undivided-is-larger",
        en="Without the division by the number of pieces the gradient is "
        "{{ gradients_accumulation.factor_undivided.median | .3f }} times as large, for every "
        "seed.",
        zh="若不除以块数，每个种子的梯度都是原来的 "
        "{{ gradients_accumulation.factor_undivided.median | .3f }} 倍。",
        criterion="abs(factor_undivided.min - pieces) < 1e-9 and "
        "abs(factor_undivided.max - pieces) < 1e-9",
        covers=("factor_undivided.*",),
        runs="seeds",
        spread=("factor_undivided.min", "factor_undivided.max"),
        figure="gradients_accumulation",
    ),
)


def gradients(weights: list[np.ndarray], x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """dJ/dW_l of J = mean((h_L - y)^2) for h_l = sigmoid(W_l h_{l-1})."""
    hs = [x]
    for w in weights:
        hs.append(sigmoid(hs[-1] @ w.T))
    grad = 2.0 * (hs[-1] - y) / y.size
    out = []
    for w, before, after in zip(weights[::-1], hs[-2::-1], hs[:0:-1], strict=True):
        delta = grad * after * (1.0 - after)
        out.append(delta.T @ before)
        grad = delta @ w
    return out[::-1]


def total(grads: list[np.ndarray]) -> float:
    return float(np.sqrt(sum(np.sum(g * g) for g in grads)))


def measure(seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    weights = [rng.normal(0.0, np.sqrt(1.0 / WIDTH), (WIDTH, WIDTH)) for _ in range(DEPTH)]
    x, y = rng.normal(size=(64, WIDTH)), rng.normal(size=(64, WIDTH))
    whole = gradients(weights, x, y)
    summed = [np.zeros_like(w) for w in weights]
    for xs, ys in zip(np.split(x, PIECES), np.split(y, PIECES), strict=True):
        summed = [s + g for s, g in zip(summed, gradients(weights, xs, ys), strict=True)]
    divided = [s / PIECES for s in summed]
    norm = np.linalg.norm
    return {
        "difference": max(
            float(norm(d - w) / norm(w)) for d, w in zip(divided, whole, strict=True)
        ),
        "ratio_whole": float(norm(whole[0]) / norm(whole[-1])),
        "ratio_accumulated": float(norm(divided[0]) / norm(divided[-1])),
        "factor_undivided": total(summed) / total(whole),
        "layers_whole": [float(norm(g) / norm(whole[-1])) for g in whole],
        "layers_accumulated": [float(norm(g) / norm(divided[-1])) for g in divided],
    }


def run() -> dict[str, Any]:
    rows = [measure(seed) for seed in range(SEEDS)]
    result: dict[str, Any] = {"seeds": SEEDS, "depth": DEPTH, "pieces": PIECES}
    for key in ("ratio_whole", "ratio_accumulated", "factor_undivided"):
        result[key] = spread([row[key] for row in rows])
    for name in ("layers_whole", "layers_accumulated"):
        logs = np.log10([row[name] for row in rows])
        result[name] = {
            "median": np.median(logs, axis=0).tolist(),
            "min": logs.min(axis=0).tolist(),
            "max": logs.max(axis=0).tolist(),
        }
    # Rounding: its order of magnitude is what can be reproduced.
    errors = [row["difference"] for row in rows]
    result["difference"] = {
        "median": float(np.median(errors)),
        "min": min(errors),
        "max": max(errors),
    }
    return result


def draw(result: dict[str, Any], lang: str) -> Figure:
    from experiments.style import BACKWARD, FORWARD, new_figure

    words = {
        "en": ("one batch of 64", "4 pieces of 16, added up", "layer", "log10 of the ratio"),
        "zh": ("一批 64 个样本", "分 4 块累积，每块 16 个", "层", "比值的 log10"),
    }[lang]
    fig, ax = new_figure(6.4, 3.3)
    layers = range(1, DEPTH + 1)
    whole, pieces = result["layers_whole"], result["layers_accumulated"]
    ax.fill_between(layers, whole["min"], whole["max"], color=FORWARD, alpha=0.25, linewidth=0)
    ax.plot(layers, whole["median"], color=FORWARD, lw=3, label=words[0])
    ax.plot(layers, pieces["median"], "o", color=BACKWARD, markersize=4, label=words[1])
    ax.set_xticks([1, 5, 10, 15, 20])
    ax.set_xlabel(words[2])
    ax.set_ylabel(words[3])
    ax.legend()
    return fig
