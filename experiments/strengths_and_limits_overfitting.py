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

NOISE = 0.5
SEEDS = 200


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
    for key, degree, n in (("degree1", 1, 10), ("degree9", 9, 10), ("degree9_more_data", 9, 200)):
        rows = [errors(seed, degree, n) for seed in range(SEEDS)]
        result[key] = {
            "train": float(np.median([r["train"] for r in rows])),
            "test": float(np.median([r["test"] for r in rows])),
            "test_min": float(min(r["test"] for r in rows)),
            "test_max": float(max(r["test"] for r in rows)),
            "gradient_max": float(max(r["gradient"] for r in rows)),
            "eigenvalue_min": rows[0]["eigenvalue"],
        }
    return result


def draw(result: dict[str, Any], lang: str) -> Any:
    from experiments.style import BAD, GOOD, INK, MUTED, new_figure

    label = {
        "en": ("10 training points", "true line", "degree 1", "degree 9"),
        "zh": ("10 个训练点", "真实直线", "1 次", "9 次"),
    }[lang]
    x, y = make_data(np.random.default_rng(0), 10)
    grid = np.linspace(-1, 1, 400)
    fig, ax = new_figure(5.6, 3.2)
    ax.plot(x, y, "o", color=INK, label=label[0])
    ax.plot(grid, 2 * grid + 1, color=MUTED, linestyle=":", label=label[1])
    ax.plot(grid, legendre.legval(grid, fit(x, y, 1)), color=GOOD, label=label[2])
    ax.plot(grid, legendre.legval(grid, fit(x, y, 9)), color=BAD, label=label[3])
    ax.set_xlabel("x")
    ax.set_ylabel("y")
    ax.legend(ncols=2)
    return fig
