"""Claim of the article: overfitting comes from local optima. A convex problem overfits too.

A polynomial is fitted by least squares to n equally spaced points of y = 2x + 1 + noise.
In the basis of Legendre polynomials the loss is a quadratic whose Hessian has only positive
eigenvalues, so the solution is its only optimum, the global one. Measured: mean squared
error on the training points and on fresh points for degree 1 and 9, over 200 noise draws.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.polynomial import legendre

from experiments._claim import Claim
from experiments._ranges import exactly

NOISE = 0.5
SEEDS = 200

WORKED = ("noise_variance", "draws")
CLAIMS = (
    Claim(
        id="strengths-and-limits-overfitting-at-the-only-optimum",
        en="The polynomial of degree 9 is at the only optimum of a convex loss (smallest "
        "eigenvalue {{ strengths_and_limits_overfitting.degree9.eigenvalue_min | .4f }}) and "
        "passes through the ten points, in every draw. On new points its error is "
        "{{ strengths_and_limits_overfitting.degree9.test.median | .2f }} in the median, that of "
        "the straight line {{ strengths_and_limits_overfitting.degree1.test.median | .2f }}; it is "
        "higher in {{ strengths_and_limits_overfitting.worse }} of "
        "{{ strengths_and_limits_overfitting.draws }} draws.",
        zh="9 次多项式处在凸损失唯一的最优点上（最小特征值为 "
        "{{ strengths_and_limits_overfitting.degree9.eigenvalue_min | .4f }}），"
        "每次抽样都穿过那十个点。在新的点上，它的误差中位数是 "
        "{{ strengths_and_limits_overfitting.degree9.test.median | .2f }}，直线的是 "
        "{{ strengths_and_limits_overfitting.degree1.test.median | .2f }}；"
        "{{ strengths_and_limits_overfitting.draws }} 次抽样中有 "
        "{{ strengths_and_limits_overfitting.worse }} 次它的误差更大。",
        criterion="degree9.eigenvalue_min > 1e-3 and degree9.gradient_max < 1e-12 and "
        "degree9.train.max < 1e-20 and degree9.test.median > 2 * degree1.test.median and worse > "
        "0.9 * draws",
        covers=("degree9.*", "degree1.*", "worse"),
        runs="draws",
        spread=("degree9.test.min", "degree9.test.max"),
        figure="strengths_and_limits_overfitting",
    ),
    Claim(
        id="strengths-and-limits-overfitting-more-data",
        en="With 200 points instead of 10 the same fit of degree 9 has an error of "
        "{{ strengths_and_limits_overfitting.degree9_more_data.test.median | .3f }} on new points, "
        "near the {{ strengths_and_limits_overfitting.noise_variance | .2f }} of the noise, and in "
        "none of {{ strengths_and_limits_overfitting.draws }} draws as much as the median with 10.",
        zh="点数从 10 个增加到 200 个，同样的 9 次拟合在新的点上误差为 "
        "{{ strengths_and_limits_overfitting.degree9_more_data.test.median | .3f }}，接近噪声的 "
        "{{ strengths_and_limits_overfitting.noise_variance | .2f }}；"
        "{{ strengths_and_limits_overfitting.draws }} 次抽样中，没有一次达到 10 个点时的中位数。",
        criterion="degree9_more_data.test.median < 1.2 * noise_variance and "
        "degree9_more_data.test.max < degree9.test.median",
        covers=("degree9_more_data.*",),
        runs="draws",
        spread=("degree9_more_data.test.min", "degree9_more_data.test.max"),
        figure="strengths_and_limits_overfitting",
    ),
)


def make_data(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    x = np.linspace(-1.0, 1.0, n)
    return x, 2 * x + 1 + NOISE * rng.standard_normal(n)


def fit(x: np.ndarray, y: np.ndarray, degree: int) -> np.ndarray:
    solution: np.ndarray = np.linalg.lstsq(legendre.legvander(x, degree), y, rcond=None)[0]
    return solution


def errors(seed: int, degree: int, n: int) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    x, y = make_data(rng, n)
    fresh_x = rng.uniform(-1.0, 1.0, 2000)
    fresh_y = 2 * fresh_x + 1 + NOISE * rng.standard_normal(2000)
    design = legendre.legvander(x, degree)
    coefficients = fit(x, y, degree)
    residual = design @ coefficients - y
    return {
        "train": float(np.mean(residual**2)),
        "test": float(np.mean((legendre.legval(fresh_x, coefficients) - fresh_y) ** 2)),
        "gradient": float(np.abs(design.T @ residual / n).max()),
        "eigenvalue": float(np.linalg.eigvalsh(design.T @ design / n)[0]),
    }


def run() -> dict[str, Any]:
    result: dict[str, Any] = {"noise_variance": NOISE**2, "draws": SEEDS}
    tests: dict[str, list[float]] = {}
    for key, degree, n in (("degree1", 1, 10), ("degree9", 9, 10), ("degree9_more_data", 9, 200)):
        rows = [errors(seed, degree, n) for seed in range(SEEDS)]
        tests[key] = [r["test"] for r in rows]
        result[key] = {
            "train": exactly(r["train"] for r in rows),
            "test": exactly(tests[key]),
            "gradient_max": float(max(r["gradient"] for r in rows)),
            "eigenvalue_min": rows[0]["eigenvalue"],
        }
    pairs = zip(tests["degree9"], tests["degree1"], strict=True)
    result["worse"] = sum(nine > one for nine, one in pairs)
    return result


def draw(result: dict[str, Any], lang: str) -> Any:
    from experiments.style import BAD, GOOD, INK, MUTED, SERIES, new_figure

    label = {
        "en": ("10 training points", "true line", "degree 1", "degree 9"),
        "zh": ("10 个训练点", "真实直线", "1 次", "9 次"),
    }[lang]
    bars = {
        "en": ("degree 1", "degree 9", "degree 9,\n200 points", "error on new points"),
        "zh": ("1 次", "9 次", "9 次，\n200 个点", "新的点上的误差"),
    }[lang]
    x, y = make_data(np.random.default_rng(0), 10)
    grid = np.linspace(-1, 1, 400)
    fig, (ax, right) = new_figure(7.4, 3.2, ncols=2, width_ratios=(3, 2))
    ax.plot(x, y, "o", color=INK, label=label[0])
    ax.plot(grid, 2 * grid + 1, color=MUTED, linestyle=":", label=label[1])
    ax.plot(grid, legendre.legval(grid, fit(x, y, 1)), color=GOOD, label=label[2])
    ax.plot(grid, legendre.legval(grid, fit(x, y, 9)), color=BAD, label=label[3])
    ax.set_xlabel("x")
    ax.set_ylabel("y")
    ax.legend(ncols=2)
    for row, (key, color) in enumerate(
        (("degree1", GOOD), ("degree9", BAD), ("degree9_more_data", SERIES[0]))
    ):
        test = result[key]["test"]
        right.plot([test["min"], test["max"]], [row, row], color=color, lw=4, alpha=0.55)
        right.plot([test["median"]], [row], "o", color=color)
    right.set_xscale("log")
    right.set_yticks(range(3), bars[:3])
    right.set_ylim(2.5, -0.5)
    right.grid(axis="y", visible=False)
    right.set_xlabel(bars[3])
    return fig
