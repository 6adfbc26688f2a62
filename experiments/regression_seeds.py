"""The trainer on the article's data, over 30 seeds: how close to least squares does it come?

Seed s has 100 training rows of its own, initial weights and batches of its own, and 20 000 fresh
rows on which the network and the least-squares line of the same training rows are both measured,
so that the difference is paired. 1-10-1, 100 epochs of SGD 0.01, batch 32, float64, NumPy backend:
"article" trains on the data as they are, with `trainer.train`; "estimator" is `BackpropRegressor`
with its defaults, which standardizes x and y. "low" and "high" of a gap are the ends of the 95 %
interval of its mean.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from bpref.regression import (
    BackpropRegressor,
    Config,
    Data,
    least_squares,
    make_data,
    mse,
    predict,
    train,
)
from experiments._claim import Claim
from experiments._regression import summary

SEEDS, FRESH = 30, 20_000
MARGIN = 0.10

# 400 steps of plain SGD in float64: a change of 1e-14 in x moves no number by more than 1e-9, but
# NumPy and its BLAS on another processor add up in another order.
RTOL = 1e-6

WORKED = ("seeds", "fresh", "margin")

CLAIMS = (
    Claim(
        "regression-seeds-close-to-least-squares",
        "On fresh data from the article's line the trained network is on average "
        "{{ regression_seeds.article.gap.mean | .3f }} above least squares on the same training "
        "rows, and {{ regression_seeds.estimator.gap.mean | .3f }} if x and y are standardized "
        "first: {{ regression_seeds.article.population.mean | .3f }} and "
        "{{ regression_seeds.estimator.population.mean | .3f }} against "
        "{{ regression_seeds.least_squares.population.mean | .3f }} "
        "({{ regression_seeds.seeds }} seeds). The upper ends of both 95 % intervals are below "
        "{{ regression_seeds.margin | .2f }}, the lower ends above 0.",
        "在原文那条直线的新数据上，训练好的网络平均比同一批训练数据的最小二乘高 "
        "{{ regression_seeds.article.gap.mean | .3f }}；先把 x 和 y 标准化，则高 "
        "{{ regression_seeds.estimator.gap.mean | .3f }}。均方误差分别是 "
        "{{ regression_seeds.article.population.mean | .3f }} 和 "
        "{{ regression_seeds.estimator.population.mean | .3f }}，最小二乘是 "
        "{{ regression_seeds.least_squares.population.mean | .3f }}"
        "（{{ regression_seeds.seeds }} 个种子）。两个差的 95 % 区间，上端都低于 "
        "{{ regression_seeds.margin | .2f }}，下端都高于 0。",
        "0 < article.gap.low and article.gap.high < margin "
        "and 0 < estimator.gap.low and estimator.gap.high < margin",
        ("article.*", "estimator.*", "least_squares.*"),
        runs="seeds",
        spread=("article.gap.min", "article.gap.max"),
        figure="regression_seeds",
    ),
)


def population(seed: int) -> dict[str, float]:
    """Return the mean squared error on fresh rows of each predictor trained with this seed."""
    X, y, _, _ = make_data(seed=seed)
    _, _, X_new, y_new = make_data(n_train=1, n_test=FRESH, seed=10_000 + seed)
    weight, bias = least_squares(X, y)
    config = Config(seed=seed, dtype="float64", backend="numpy")
    outcome = train(config, Data(X, y))
    model = BackpropRegressor(random_state=seed, backend="numpy").fit(X, y)
    return {
        "least_squares": mse(X_new @ weight.T + bias, y_new),
        "article": mse(predict(config, outcome.last, X_new), y_new),
        "estimator": mse(model.predict(X_new), y_new),
    }


def run() -> dict[str, Any]:
    losses = [population(seed) for seed in range(SEEDS)]
    by_name = {name: np.array([one[name] for one in losses]) for name in losses[0]}
    result: dict[str, Any] = {"seeds": SEEDS, "fresh": FRESH, "margin": MARGIN}
    for name, values in by_name.items():
        result[name] = {"population": summary(values)}
        if name != "least_squares":
            gap = values - by_name["least_squares"]
            half = stats.t.ppf(0.975, SEEDS - 1) * gap.std(ddof=1) / np.sqrt(SEEDS)
            result[name]["gap"] = summary(gap) | {
                "low": float(gap.mean() - half),
                "high": float(gap.mean() + half),
                "each": [float(g) for g in gap],
            }
    return result


def draw(result: dict[str, Any], lang: str) -> Any:
    from experiments.style import ACCENT, BACKWARD, FORWARD, INK, MUTED, new_figure

    t = {
        "en": {
            "x": "mean squared error on fresh rows, minus that of least squares",
            "article": "data as they are",
            "estimator": "standardized",
            "margin": "margin for the mean",
            "mean": "mean and its 95 % interval",
        },
        "zh": {
            "x": "新数据上的均方误差减去最小二乘的均方误差",
            "article": "原样的数据",
            "estimator": "标准化之后",
            "margin": "平均值的界限",
            "mean": "平均值及其 95 % 区间",
        },
    }[lang]
    fig, ax = new_figure(6.4, 2.5)
    for row, (name, color) in enumerate((("article", FORWARD), ("estimator", BACKWARD))):
        gap = result[name]["gap"]
        ax.scatter(gap["each"], np.full(len(gap["each"]), row), s=14, color=color, alpha=0.5)
        ax.errorbar(
            gap["mean"],
            row + 0.25,
            xerr=[[gap["mean"] - gap["low"]], [gap["high"] - gap["mean"]]],
            color=INK,
            marker="o",
            markersize=5,
            capsize=3,
            label=t["mean"] if row == 0 else None,
        )
    ax.axvline(0, color=MUTED, linewidth=1)
    ax.axvline(result["margin"], color=ACCENT, linestyle="--", label=t["margin"])
    ax.set_yticks([0, 1], [t["article"], t["estimator"]])
    ax.set_ylim(1.5, -0.7)
    ax.set_xlabel(t["x"], color=INK)
    ax.grid(visible=False, axis="y")
    fig.legend(loc="outside lower center", ncols=2)
    return fig
