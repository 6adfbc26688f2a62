"""Products of random matrices: a Gaussian product forgets most directions, an orthogonal one none.

The singular values of W_L ... W_1 for L = 1 ... 50 matrices of width 64, entries N(0, 1/n) or
random orthogonal, 10 seeds. ``gaussian``: logarithms of the largest, the tenth and the
33rd singular value, and the share of directions shorter than a hundredth of the longest one.
``orthogonal.error``: the largest distance of a singular value from 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments._claim import Claim
from experiments._deep import Draws
from experiments._ranges import bound, exactly

SEEDS = 10
WIDTH = 64
DEPTHS = (1, 2, 5, 10, 20, 35, 50)

WORKED = ("seeds", "width", "depths*")
CLAIMS = (
    Claim(
        id="gradients-gaussian-product-forgets-directions",
        en="In a product of {{ gradients_orthogonal.depths[6] }} Gaussian matrices of width "
        "{{ gradients_orthogonal.width }}, "
        "{{ gradients_orthogonal.gaussian.short[6].median | pct }} "
        "of the directions have shrunk below a hundredth of the longest one (least "
        "{{ gradients_orthogonal.gaussian.short[6].min | pct }} over "
        "{{ gradients_orthogonal.seeds }} seeds). The singular values of as many orthogonal "
        "matrices differ from 1 by less than "
        "${{ gradients_orthogonal.orthogonal.error | sci0 }}$.",
        zh="{{ gradients_orthogonal.depths[6] }} 个宽度为 {{ gradients_orthogonal.width }} "
        "的高斯矩阵相乘，{{ gradients_orthogonal.gaussian.short[6].median | pct }} "
        "的方向缩短到最长方向的百分之一以下（{{ gradients_orthogonal.seeds }} 个种子中最少 "
        "{{ gradients_orthogonal.gaussian.short[6].min | pct }}）。同样多的正交矩阵相乘，"
        "奇异值与 1 相差不到 ${{ gradients_orthogonal.orthogonal.error | sci0 }}$。",
        criterion="gaussian.short[6].min > 0.5 and orthogonal.error <= 1e-11",
        covers=("gaussian.*", "orthogonal.*"),
        runs="seeds",
        spread=("gaussian.short[6].min", "gaussian.short[6].max"),
        figure="gradients_orthogonal",
    ),
)


def products(seed: int, name: str) -> np.ndarray:
    """The singular values of the products, of shape (depths, n), sorted."""
    weights, _ = Draws(seed, WIDTH, max(DEPTHS), 1).layers(name)
    product, found = np.eye(WIDTH), []
    for depth, weight in enumerate(weights, 1):
        product = weight @ product
        if depth in DEPTHS:
            found.append(np.linalg.svd(product, compute_uv=False))
    return np.array(found)


def run() -> dict[str, Any]:
    gaussian = np.array([products(seed, "xavier") for seed in range(SEEDS)])
    orthogonal = np.array([products(seed, "orthogonal") for seed in range(SEEDS)])
    curves = {}
    for name, index in (("largest", 0), ("tenth", 9), ("middle", WIDTH // 2)):
        logs = np.log10(gaussian[:, :, index])
        curves[name] = {
            "median": np.median(logs, axis=0).tolist(),
            "min": logs.min(axis=0).tolist(),
            "max": logs.max(axis=0).tolist(),
        }
    short = (gaussian < 0.01 * gaussian[:, :, :1]).mean(axis=-1)
    return {
        "seeds": SEEDS,
        "width": WIDTH,
        "depths": DEPTHS,
        "gaussian": curves | {"short": [exactly(short[:, k]) for k in range(len(DEPTHS))]},
        "orthogonal": {"error": bound(float(np.abs(orthogonal - 1.0).max()))},
    }


def draw(result: dict[str, Any], lang: str) -> Figure:
    from experiments.style import INK, SERIES, new_figure

    words = {
        "en": {
            "largest": "largest",
            "tenth": "10th of 64",
            "middle": "33rd of 64",
            "x": "matrices in the product",
            "y": "log10 of the singular value",
            "one": "orthogonal: all 64",
        },
        "zh": {
            "largest": "最大的",
            "tenth": "64 个中第 10 个",
            "middle": "64 个中第 33 个",
            "x": "相乘的矩阵个数",
            "y": "奇异值的 log10",
            "one": "正交：64 个全部",
        },
    }[lang]
    fig, ax = new_figure(6.6, 3.5)
    for name, color in zip(("largest", "tenth", "middle"), SERIES, strict=False):
        curve = result["gaussian"][name]
        ax.fill_between(DEPTHS, curve["min"], curve["max"], color=color, alpha=0.25, linewidth=0)
        ax.plot(DEPTHS, curve["median"], color=color, marker="o", markersize=3, label=words[name])
    ax.plot([1, DEPTHS[-1]], [0, 0], color=INK, linewidth=1.4, label=words["one"])
    ax.set_xlabel(words["x"])
    ax.set_ylabel(words["y"])
    fig.legend(loc="outside upper center", ncols=4)
    return fig
