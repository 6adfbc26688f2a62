"""The stability limit 2/lambda, and the price of ill-conditioning with and without momentum.

(a) Gradient descent on J = lambda theta^2 / 2 multiplies theta by (1 - eta lambda) per step: it
shrinks for eta < 2/lambda and grows above. Measured: the factor per step of the iteration itself,
for eta lambda from 0.5 to 2.1. (b) The same limit on the article's own linear problem: full-batch
least squares on y = 2x + 1 + noise (100 points, 10 seeds); lambda_max of the Hessian; gradient
descent at 0.99 and 1.01 times 2/lambda_max. (c) Steps to reduce ||theta|| by 1e6 on a
100-dimensional quadratic with condition number kappa (eigenvalues spread logarithmically between 1
and kappa, theta_0 = 1): gradient descent at 1/L and at 2/(L + mu), heavy ball at Polyak's
parameters.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

SEEDS = 10
FACTORS = {"p05": 0.5, "p10": 1.0, "p15": 1.5, "p19": 1.9, "p20": 2.0, "p21": 2.1}
KAPPAS = (10, 100, 1000, 10000)


def factor(eta_lambda: float, curvature: float = 3.0, steps: int = 40) -> float:
    """Measured |theta_{t+1} / theta_t|, geometric mean over the steps; 0 when theta becomes 0."""
    eta, theta = eta_lambda / curvature, 1.0
    for _ in range(steps):
        theta = theta - eta * curvature * theta
    return float(abs(theta) ** (1.0 / steps))


def least_squares(seed: int) -> dict[str, float]:
    """Growth of the excess loss over 300 steps just below and just above the limit."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=100)
    design = np.column_stack([x, np.ones(100)])
    y = 2.0 * x + 1.0 + rng.normal(size=100)
    hessian = 2.0 * design.T @ design / 100  # of nn.MSELoss
    largest = float(np.linalg.eigvalsh(hessian)[-1])
    best = np.linalg.lstsq(design, y, rcond=None)[0]
    out = {"lambda_max": largest, "limit": 2.0 / largest}
    for name, share in (("below", 0.99), ("above", 1.01)):
        theta = np.zeros(2)
        start = np.linalg.norm(theta - best)
        for _ in range(300):
            theta = theta - share * 2.0 / largest * (2.0 * design.T @ (design @ theta - y) / 100)
        out[name] = float(np.linalg.norm(theta - best) / start)
    return out


def steps_needed(eigenvalues: np.ndarray, eta: float, beta: float) -> int:
    theta = np.ones_like(eigenvalues)
    velocity = np.zeros_like(theta)
    goal = 1e-6 * np.linalg.norm(theta)
    for step in range(1, 1_000_000):
        velocity = beta * velocity + eigenvalues * theta
        theta = theta - eta * velocity
        if np.linalg.norm(theta) < goal:
            return step
    raise RuntimeError("no convergence")


def run() -> dict[str, Any]:
    result: dict[str, Any] = {"factor": {}, "predicted": {}}
    for name, value in FACTORS.items():
        result["factor"][name] = factor(value)
        result["predicted"][name] = abs(1.0 - value)
    rows = [least_squares(seed) for seed in range(SEEDS)]
    result["article"] = {"seeds": SEEDS}
    for key in rows[0]:
        v = [row[key] for row in rows]
        result["article"][key] = {"median": float(np.median(v)), "min": min(v), "max": max(v)}
    result["steps"] = {}
    for kappa in KAPPAS:
        eig = np.logspace(0.0, np.log10(kappa), 100)
        root = np.sqrt(kappa)
        beta = ((root - 1.0) / (root + 1.0)) ** 2
        result["steps"][f"kappa_{kappa}"] = {
            "gd_one_over_L": steps_needed(eig, 1.0 / kappa, 0.0),
            "gd_best": steps_needed(eig, 2.0 / (kappa + 1.0), 0.0),
            "heavy_ball": steps_needed(eig, 4.0 / (root + 1.0) ** 2, beta),
            "beta": float(beta),
        }
    return result


def draw(result: dict[str, Any], lang: str) -> Figure:
    from experiments.style import INK, SERIES, new_figure

    fig, ax = new_figure(width=6.4, height=3.4)
    names = {
        "gd_one_over_L": {"en": "gradient descent, 1/L", "zh": "梯度下降，1/L"},
        "gd_best": {"en": "gradient descent, 2/(L+μ)", "zh": "梯度下降，2/(L+μ)"},
        "heavy_ball": {"en": "heavy ball", "zh": "重球法（动量）"},
    }
    for color, (key, name) in zip(SERIES, names.items(), strict=False):
        y = [result["steps"][f"kappa_{k}"][key] for k in KAPPAS]
        ax.loglog(KAPPAS, y, marker="o", color=color)
        ax.text(KAPPAS[-1] * 1.15, y[-1], name[lang], color=color, va="center", fontsize=9)
    ax.set_xlim(8, 3e5)
    ticks = [10, 100, 1000, 10000]
    ax.set_xticks(ticks, [f"{t:,}" for t in ticks])
    rows = [10, 100, 1000, 10000, 100000]
    ax.set_yticks(rows, [f"{t:,}" for t in rows])
    ax.minorticks_off()
    ax.set_xlabel({"en": "condition number κ = L/μ", "zh": "条件数 κ = L/μ"}[lang], color=INK)
    ax.set_ylabel({"en": "steps to 1e-6", "zh": "误差降到 1e-6 的步数"}[lang])
    return fig
