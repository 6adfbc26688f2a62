"""Training weights that are rounded: the gradient of the rounding, and what stands in for it.

The model is ŷ = X q(w) with q(w) = w rounded to multiples of 0.5 or of 2, 16 weights, 64
correlated inputs, labels from a teacher with weights that are no such multiples. Three contenders
start from the same w, take 300 steps, and are read at the step with the lowest loss of the
*rounded* weights, with the best of the same three rates:

* ``exact``: the derivative of q, which is zero wherever it exists;
* ``after``: gradient descent on the unrounded weights, rounded afterwards;
* ``through``: the gradient at the rounded weights, applied to w as if q were the identity
  (straight-through).

The loss is ½ mean squared error, over the loss of the start; 20 seeds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._claim import Claim
from experiments._ranges import exactly

SEEDS, STEPS, WEIGHTS, SAMPLES = 20, 300, 16, 64
GRIDS = {"fine": 0.5, "coarse": 2.0}
RATES = (0.1, 0.3, 1.0)  # over the largest curvature
KINDS = ("exact", "after", "through")
Array = np.ndarray[Any, Any]

WORKED = ("seeds", "steps", "rates", "weights", "*.grid")
CLAIMS = (
    Claim(
        "questions-straight-through",
        "With the exact derivative of the rounding the loss keeps "
        "{{ questions_rounding.coarse.exact.median | pct }} of its start, as no weight moves. "
        "Straight-through brings it below one half in every run, to "
        "{{ questions_rounding.fine.through.median | pct1 }} on a grid of "
        "{{ questions_rounding.fine.grid }} and to "
        "{{ questions_rounding.coarse.through.median | pct1 }} on a grid of "
        "{{ questions_rounding.coarse.grid | .0f }}; training first and rounding afterwards to "
        "{{ questions_rounding.fine.after.median | pct1 }} and "
        "{{ questions_rounding.coarse.after.median | pct1 }} (medians of "
        "{{ questions_rounding.seeds }} seeds). On the coarse grid straight-through ends lower in "
        "{{ questions_rounding.coarse.lower }} runs and higher in "
        "{{ questions_rounding.coarse.higher }}.",
        "用取整的真实导数，损失停在初值的 "
        "{{ questions_rounding.coarse.exact.median | pct }}，因为没有一个权重移动。"
        "直通估计每一次都降到一半以下：在间距 {{ questions_rounding.fine.grid }} 的网格上降到 "
        "{{ questions_rounding.fine.through.median | pct1 }}，在间距 "
        "{{ questions_rounding.coarse.grid | .0f }} 的网格上降到 "
        "{{ questions_rounding.coarse.through.median | pct1 }}；先训练再取整，分别是 "
        "{{ questions_rounding.fine.after.median | pct1 }} 和 "
        "{{ questions_rounding.coarse.after.median | pct1 }}"
        "（{{ questions_rounding.seeds }} 个种子的中位数）。粗网格上，直通估计有 "
        "{{ questions_rounding.coarse.lower }} 次更低，{{ questions_rounding.coarse.higher }} "
        "次更高。",
        "all(g.exact.min == 1 and g.exact.max == 1 and g.through.max < 0.5 for g in (fine, coarse))"
        " and coarse.through.median < coarse.after.median and coarse.lower > 2 * coarse.higher",
        ("fine.*", "coarse.*"),
        runs="seeds",
        spread=("coarse.through.min", "coarse.through.max"),
        figure="questions_rounding",
    ),
)


def rounded(w: Array, grid: float) -> Array:
    return grid * np.round(w / grid)


def train(kind: str, grid: float, rate: float, seed: int) -> float:
    """Lowest loss of the rounded weights on the way, over that of the start."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((SAMPLES, WEIGHTS)) @ rng.standard_normal((WEIGHTS, WEIGHTS))
    y = x @ rng.uniform(-2, 2, WEIGHTS)
    w = rng.uniform(-2, 2, WEIGHTS)
    hessian = x.T @ x / SAMPLES
    eta = rate / np.linalg.eigvalsh(hessian)[-1]

    def loss(q: Array) -> float:
        return float(((x @ q - y) ** 2).mean() / 2)

    first = best = loss(rounded(w, grid))
    for _ in range(STEPS):
        at = w if kind == "after" else rounded(w, grid)
        slope = 0.0 if kind == "exact" else 1.0  # what is taken for the derivative of q
        w = w - eta * slope * (x.T @ (x @ at - y)) / SAMPLES
        best = min(best, loss(rounded(w, grid)))
    return best / first


def compare(grid: float) -> dict[str, Any]:
    best = {
        kind: [min(train(kind, grid, rate, seed) for rate in RATES) for seed in range(SEEDS)]
        for kind in KINDS
    }
    gained = [t - a for t, a in zip(best["through"], best["after"], strict=True)]
    return {
        "grid": grid,
        **{kind: exactly(values) for kind, values in best.items()},
        "lower": sum(g < 0 for g in gained),
        "higher": sum(g > 0 for g in gained),
    }


def run() -> dict[str, Any]:
    settings = {"seeds": SEEDS, "steps": STEPS, "rates": len(RATES), "weights": WEIGHTS}
    return settings | {name: compare(grid) for name, grid in GRIDS.items()}


def draw(result: dict[str, Any], lang: str) -> Any:
    from experiments import style
    from experiments._ranges import Bar, draw_ranges

    names, grid, x = {
        "en": (
            ("exact derivative (zero)", "train, then round", "straight-through"),
            "grid",
            "loss / loss at the start",
        ),
        "zh": (("真实导数（零）", "先训练，再取整", "直通估计"), "间距", "损失与初值之比"),
    }[lang]
    comma = {"en": ", ", "zh": "，"}[lang]
    colors = (style.BAD, style.SERIES[1], style.SERIES[0])
    bars = [
        Bar(f"{grid} {result[which]['grid']:g}{comma}{name}", result[which][kind], color)
        for which in GRIDS
        for name, kind, color in zip(names, KINDS, colors, strict=True)
    ]
    return draw_ranges(bars, x)
