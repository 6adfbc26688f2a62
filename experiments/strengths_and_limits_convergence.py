"""Claim of the article: gradient descent converges quickly. It depends on the problem.

J(w) = (w_1^2 + kappa w_2^2) / 2 has the exact gradient (w_1, kappa w_2) and the condition
number kappa. Counted: steps until the distance to the optimum is 1e-6 of what it was, with
the best constant learning rate of gradient descent, the best momentum, and Newton's method.
Steps are counted, never time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._claim import Claim

KAPPAS = (10, 100, 1000, 10000)
TOLERANCE = 1e-6

CLAIMS = (
    Claim(
        id="strengths-and-limits-convergence-depends-on-the-problem",
        en="With exact gradients and the best constant rate, gradient descent takes "
        "{{ strengths_and_limits_convergence.gradient_descent.k10 }} steps at the condition number "
        "10 and {{ strengths_and_limits_convergence.gradient_descent.k10000 }} at 10000, in "
        "proportion to it; with momentum the steps grow like its square root, and Newton's method "
        "takes {{ strengths_and_limits_convergence.newton.k10000 }} step every time.",
        zh="梯度精确、常数学习率取最优，条件数为 10 时，梯度下降要走 "
        "{{ strengths_and_limits_convergence.gradient_descent.k10 }} 步，为 10000 时要走 "
        "{{ strengths_and_limits_convergence.gradient_descent.k10000 }} 步，与条件数成正比；"
        "加上动量，步数按它的平方根增长；牛顿法每次都只要 "
        "{{ strengths_and_limits_convergence.newton.k10000 }} 步。",
        criterion="all(9.9 < b / a < 10.1 for a, b in ((gradient_descent.k10, "
        "gradient_descent.k100), (gradient_descent.k100, gradient_descent.k1000), "
        "(gradient_descent.k1000, gradient_descent.k10000))) and all(2.5 < b / a < 4 for a, b in "
        "((momentum.k10, momentum.k100), (momentum.k100, momentum.k1000), (momentum.k1000, "
        "momentum.k10000))) and all(steps == 1 for steps in newton.values())",
        covers=("*",),
        exact="count",
        figure="strengths_and_limits_convergence",
    ),
)


def steps(kappa: float, rule: str) -> int:
    """Number of updates that ``rule`` needs, starting from (1, 1)."""
    curvature = np.array([1.0, kappa])
    small, large = 1.0, float(kappa)
    w, velocity, count = np.ones(2), np.zeros(2), 0
    goal = TOLERANCE * np.linalg.norm(w)
    if rule == "momentum":  # Polyak's optimal pair for a quadratic
        lr = 4 / (large**0.5 + small**0.5) ** 2
        beta = ((large**0.5 - small**0.5) / (large**0.5 + small**0.5)) ** 2
    else:
        lr, beta = 2 / (large + small), 0.0
    while np.linalg.norm(w) > goal:
        gradient = curvature * w
        if rule == "newton":
            w = w - gradient / curvature
        else:
            velocity = beta * velocity - lr * gradient
            w = w + velocity
        count += 1
    return count


def run() -> dict[str, Any]:
    rules = ("gradient_descent", "momentum", "newton")
    result: dict[str, Any] = {rule: {f"k{k}": steps(k, rule) for k in KAPPAS} for rule in rules}
    return result


def draw(result: dict[str, Any], lang: str) -> Any:
    from experiments.style import SERIES, new_figure

    label = {
        "en": {
            "gradient_descent": "gradient descent",
            "momentum": "with momentum",
            "newton": "Newton",
            "x": "condition number",
            "y": "steps (log scale)",
        },
        "zh": {
            "gradient_descent": "梯度下降",
            "momentum": "加动量",
            "newton": "牛顿法",
            "x": "条件数",
            "y": "步数（对数刻度）",
        },
    }[lang]
    fig, ax = new_figure(5.6, 3.2)
    for (rule, counts), colour, marker in zip(result.items(), SERIES, "osd", strict=False):
        values = [counts[f"k{k}"] for k in KAPPAS]
        ax.loglog(KAPPAS, values, marker=marker, color=colour, label=label[rule])
    ax.set_xlabel(label["x"])
    ax.set_ylabel(label["y"])
    ax.legend()
    return fig
