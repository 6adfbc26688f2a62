"""Two ways to a gradient through a random draw: what their noise costs.

z = θ + ε with ε from N(0, I) in d dimensions, J(θ) = E[½‖z − c‖²], so the gradient is u = θ − c;
here ‖u‖ = 1. One draw gives three estimates:

* ``path``: z − c, the chain rule through z (reparameterization);
* ``score``: ½‖z − c‖² ε, the value times the slope of the log density (score function);
* ``baseline``: the same with the mean of the value subtracted.

``rows``: their variance (sum over the d components, in units of ‖u‖² = 1) from 2000 draws, for 20
seeds, and the value that the moments of the normal distribution predict.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._claim import Claim
from experiments._ranges import exactly

SEEDS, DRAWS = 20, 2000
DIMENSIONS = (1, 3, 10, 30, 100, 300)
KINDS = ("path", "baseline", "score")

WORKED = ("seeds", "draws")
CLAIMS = (
    Claim(
        "questions-score-function-is-noisier",
        "In 100 dimensions one draw of the score function estimate has a variance of "
        "{{ questions_sampling.rows.d_100.score.median | ,.0f }}, with a baseline "
        "{{ questions_sampling.rows.d_100.baseline.median | ,.0f }}, and through the path "
        "{{ questions_sampling.rows.d_100.path.median | .0f }} (medians of "
        "{{ questions_sampling.seeds }} seeds). The path has the least variance in every "
        "dimension, even comparing its noisiest seed with the calmest of the others.",
        "在 100 维中，一次抽样的得分函数估计，方差为 "
        "{{ questions_sampling.rows.d_100.score.median | ,.0f }}；减去基线后为 "
        "{{ questions_sampling.rows.d_100.baseline.median | ,.0f }}；沿路径求导则为 "
        "{{ questions_sampling.rows.d_100.path.median | .0f }}"
        "（{{ questions_sampling.seeds }} 个种子的中位数）。"
        "各种维数下都是沿路径的方差最小，哪怕拿它最吵的种子去比另外两种最静的种子。",
        "all(r.path.max < min(r.baseline.min, r.score.min) for r in rows.values()) "
        "and rows.d_100.baseline.min > 10 * rows.d_100.path.max "
        "and rows.d_100.score.min > 1000 * rows.d_100.path.max",
        ("rows.d_*",),
        runs="seeds",
        spread=("rows.d_100.score.min", "rows.d_100.score.max"),
        figure="questions_sampling",
    ),
    Claim(
        "questions-score-function-as-predicted",
        "The variances follow from the moments of the normal distribution: the median over the "
        "seeds is within {{ questions_sampling.gap | pct }} of the prediction in every dimension "
        "and for all three estimates.",
        "这些方差可由正态分布的矩推出：各种维数下，三种估计的种子中位数与预测值相差都不超过 "
        "{{ questions_sampling.gap | pct }}。",
        "gap < 0.1",
        ("gap",),
        runs="seeds",
        spread=("rows.d_1.score.min", "rows.d_1.score.max"),
        figure="questions_sampling",
    ),
)


def predicted(d: int) -> dict[str, float]:
    """Variances for ‖u‖ = 1, from E r = d, E r² = d(d+2), E r³ = d(d+2)(d+4) with r = ‖ε‖²."""
    return {
        "path": float(d),
        "baseline": d**2 / 2 + 3 * d + 1,
        "score": (d**3 + 8 * d**2 + 17 * d + 4) / 4,
    }


def variances(d: int, seed: int) -> dict[str, float]:
    rng = np.random.default_rng((d, seed))
    u = np.full(d, d**-0.5)
    noise = rng.standard_normal((DRAWS, d))
    value = 0.5 * ((u + noise) ** 2).sum(axis=1, keepdims=True)
    mean = (1 + d) / 2
    estimates = {"path": u + noise, "baseline": (value - mean) * noise, "score": value * noise}
    return {kind: float(((found - u) ** 2).sum(axis=1).mean()) for kind, found in estimates.items()}


def run() -> dict[str, Any]:
    rows: dict[str, Any] = {}
    gaps = []
    for d in DIMENSIONS:
        found = [variances(d, seed) for seed in range(SEEDS)]
        rows[f"d_{d}"] = {kind: exactly(f[kind] for f in found) for kind in KINDS}
        for kind, value in predicted(d).items():
            rows[f"d_{d}"][kind]["predicted"] = value
            gaps.append(abs(rows[f"d_{d}"][kind]["median"] / value - 1))
    return {"seeds": SEEDS, "draws": DRAWS, "rows": rows, "gap": max(gaps)}


def draw(result: dict[str, Any], lang: str) -> Any:
    from experiments import style

    t = {
        "en": {
            "x": "dimensions d",
            "y": "variance of one estimate",
            "path": "path (reparameterization)",
            "baseline": "score function, baseline",
            "score": "score function",
        },
        "zh": {
            "x": "维数 d",
            "y": "一次估计的方差",
            "path": "沿路径（重参数化）",
            "baseline": "得分函数，减基线",
            "score": "得分函数",
        },
    }[lang]
    fig, ax = style.new_figure(6.4, 3.4)
    for kind, color in zip(KINDS, style.SERIES, strict=False):
        spreads = [result["rows"][f"d_{d}"][kind] for d in DIMENSIONS]
        low, high = ([s[end] for s in spreads] for end in ("min", "max"))
        ax.fill_between(DIMENSIONS, low, high, color=color, alpha=0.2, linewidth=0)
        ax.plot(DIMENSIONS, [s["median"] for s in spreads], "o", color=color)
        ax.plot(DIMENSIONS, [s["predicted"] for s in spreads], color=color, label=t[kind])
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel(t["x"])
    ax.set_ylabel(t["y"])
    fig.legend(loc="outside upper center", ncols=3)
    return fig
