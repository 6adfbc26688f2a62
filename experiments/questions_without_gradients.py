"""What a gradient is worth: evaluations of the loss until it has fallen to 1/10000.

The loss is ½ Σ λ_k x_k² with curvatures λ from 1 to 10 (logarithmic), x from N(0, I). Three ways:

* ``backprop``: gradient descent with its best fixed rate, 2/11. A step is charged three
  evaluations, one for the forward pass and two for the backward pass;
* ``differences``: the same steps, the gradient from d + 1 evaluations (forward differences);
* ``search``: a random change of x, kept if the loss falls; the width of the changes follows the
  success (the (1+1) evolution strategy with the one-fifth rule). One evaluation a step.

20 seeds; 2 to 300 parameters.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._claim import Claim
from experiments._ranges import exactly

SEEDS, FALL = 20, 1e-4
PARAMETERS = (2, 5, 10, 30, 100, 300)
KINDS = ("backprop", "differences", "search")
RTOL = 1e-2  # one step more or less where a loss lies on the threshold
Array = np.ndarray[Any, Any]

WORKED = ("seeds",)
CLAIMS = (
    Claim(
        "questions-few-parameters",
        "With 2 parameters random search needs "
        "{{ questions_without_gradients.rows.d_2.search.median | .0f }} evaluations, gradient "
        "descent by backpropagation the worth of "
        "{{ questions_without_gradients.rows.d_2.backprop.median | .0f }}, by differences as many. "
        "With 300 it is {{ questions_without_gradients.rows.d_300.search.median | ,.0f }}, "
        "{{ questions_without_gradients.rows.d_300.backprop.median | .0f }} and "
        "{{ questions_without_gradients.rows.d_300.differences.median | ,.0f }} (medians of "
        "{{ questions_without_gradients.seeds }} seeds): only backpropagation does not grow with "
        "the number of parameters.",
        "2 个参数时，随机搜索需要 "
        "{{ questions_without_gradients.rows.d_2.search.median | .0f }} 次求值，"
        "用反向传播做梯度下降相当于 "
        "{{ questions_without_gradients.rows.d_2.backprop.median | .0f }} 次，"
        "用差分也是这么多。300 个参数时，三者分别为 "
        "{{ questions_without_gradients.rows.d_300.search.median | ,.0f }}、"
        "{{ questions_without_gradients.rows.d_300.backprop.median | .0f }} 和 "
        "{{ questions_without_gradients.rows.d_300.differences.median | ,.0f }}"
        "（{{ questions_without_gradients.seeds }} 个种子的中位数）：不随参数个数增长的，"
        "只有反向传播。",
        "rows.d_2.search.median < 3 * rows.d_2.backprop.median and "
        "rows.d_2.differences.median == rows.d_2.backprop.median and "
        "rows.d_300.backprop.max < 2 * rows.d_2.backprop.max and "
        "rows.d_300.search.min > 100 * rows.d_300.backprop.max and "
        "rows.d_300.differences.median > 100 * rows.d_300.backprop.median",
        ("rows.d_*",),
        runs="seeds",
        spread=("rows.d_300.search.min", "rows.d_300.search.max"),
        figure="questions_without_gradients",
    ),
)


def descent(curvature: Array, x: Array) -> int:
    """Steps of gradient descent."""
    eta = 2 / (curvature[0] + curvature[-1])
    goal, steps = FALL * (curvature * x**2).sum(), 0
    while (curvature * x**2).sum() > goal:
        x, steps = x - eta * curvature * x, steps + 1
    return steps


def search(curvature: Array, x: Array, rng: np.random.Generator) -> int:
    """Steps of the (1+1) evolution strategy."""
    d = len(x)
    loss = float((curvature * x**2).sum())
    goal, steps, width = FALL * loss, 0, float(np.linalg.norm(x)) / d
    while loss > goal:
        new = x + width * rng.standard_normal(d)
        new_loss, steps = float((curvature * new**2).sum()), steps + 1
        better = new_loss < loss
        if better:
            x, loss = new, new_loss
        width *= np.exp((better - 0.2) / 0.8 / np.sqrt(d + 1))
    return steps


def run() -> dict[str, Any]:
    rows: dict[str, Any] = {}
    for d in PARAMETERS:
        curvature = np.logspace(0, 1, d)
        found: dict[str, list[int]] = {kind: [] for kind in KINDS}
        for seed in range(SEEDS):
            rng = np.random.default_rng((d, seed))
            x = rng.standard_normal(d)
            steps = descent(curvature, x)
            found["backprop"].append(3 * steps)
            found["differences"].append((d + 1) * steps)
            found["search"].append(search(curvature, x, rng))
        rows[f"d_{d}"] = {kind: exactly(values) for kind, values in found.items()}
    return {"seeds": SEEDS, "rows": rows}


def draw(result: dict[str, Any], lang: str) -> Any:
    from experiments import style
    from experiments._dots import MEDIAN, draw_bands

    t = {
        "en": {
            "x": "parameters",
            "y": "evaluations of the loss",
            "backprop": "backpropagation",
            "differences": "forward differences",
            "search": "random search",
        },
        "zh": {
            "x": "参数个数",
            "y": "损失的求值次数",
            "backprop": "反向传播",
            "differences": "前向差分",
            "search": "随机搜索",
        },
    }[lang]
    fig, ax = style.new_figure(6.4, 3.4)
    for kind, color in zip(KINDS, style.SERIES, strict=False):
        spreads = [result["rows"][f"d_{d}"][kind] for d in PARAMETERS]
        look = {"color": color, "marker": "o", "label": t[kind]}
        draw_bands(ax, PARAMETERS, spreads, keys=MEDIAN, alpha=0.2, **look)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel(t["x"])
    ax.set_ylabel(t["y"])
    fig.legend(loc="outside upper center", ncols=3)
    return fig
