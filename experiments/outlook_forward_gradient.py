"""Forward gradients: unbiased, with a variance that grows with the number of parameters.

The forward gradient is (directional derivative along v) times v, with v ~ N(0, I): one forward
pass, no backward pass. Claims: its mean is the gradient; its relative variance
E|g_hat - g|² / |g|² is n + 1 for n parameters. Measured on tanh networks with one hidden layer
(4 inputs, 1 output, batch 16) of 8 sizes, 10 networks of each, 2000 directions each; the
directional derivative is computed by forward-mode differentiation, not from the known gradient. A
second measurement: steps until 1/2 |theta|² has fallen to 1 % with the best fixed learning rate,
1/(n + 2), against the one step of gradient descent (20 runs).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments import _ranges
from experiments._applications import spread
from experiments._claim import Claim

HIDDEN = (1, 2, 5, 10, 30, 100, 300, 1000)
DIRECTIONS, AT_ONCE = 2000, 100
SEEDS, RUNS = 10, 20
INPUTS, BATCH = 4, 16
DIMENSIONS = (1, 10, 100, 1000)
Array = np.ndarray

WORKED = ("directions", "runs", "seeds", "*.parameters", "*.expected")
CLAIMS = (
    Claim(
        id="outlook-forward-gradient-variance",
        en="On networks with {{ outlook_forward_gradient.smallest.parameters }} to "
        "{{ outlook_forward_gradient.largest.parameters | , }} parameters, "
        "{{ outlook_forward_gradient.seeds }} of each size, the relative variance of a forward "
        "gradient is {{ outlook_forward_gradient.ratio.min | .2f }} to "
        "{{ outlook_forward_gradient.ratio.max | .2f }} times $n + 1$, and the mean of all "
        "estimates is the gradient as far as {{ outlook_forward_gradient.directions | , }} "
        "directions can tell. At the largest size estimate and gradient have a mean cosine of "
        "{{ outlook_forward_gradient.largest.cosine.mean | .3f }}.",
        zh="在参数个数为 {{ outlook_forward_gradient.smallest.parameters }} 到 "
        "{{ outlook_forward_gradient.largest.parameters | , }} 的网络上（每种大小 "
        "{{ outlook_forward_gradient.seeds }} 个），前向梯度的相对方差是 $n + 1$ 的 "
        "{{ outlook_forward_gradient.ratio.min | .2f }} 到 "
        "{{ outlook_forward_gradient.ratio.max | .2f }} 倍；以 "
        "{{ outlook_forward_gradient.directions | , }} 个方向所能分辨的精度，全部估计值的均值就是"
        "梯度。网络最大时，估计值与梯度夹角余弦的平均值为 "
        "{{ outlook_forward_gradient.largest.cosine.mean | .3f }}。",
        # bias is in units of the scatter of that mean: 1 on average, 16 at the smallest size if
        # the mean were zero.
        criterion="0.8 < ratio.min and ratio.max < 1.25 and bias.max < 3 and slope_error.max < "
        "1e-10 and largest.cosine.max < 0.02 < smallest.cosine.min",
        covers=("ratio.*", "bias.*", "slope_error.*", "*.cosine.*", "*.variance.*"),
        runs="seeds",
        spread=("ratio.min", "ratio.max"),
        figure="outlook_forward_gradient",
    ),
    Claim(
        id="outlook-forward-gradient-steps",
        en="To bring half the squared length of $\\theta$ down to one hundredth, forward gradients "
        "need {{ outlook_forward_gradient.steps.n10.mean | .0f }} steps for 10 parameters and "
        "{{ outlook_forward_gradient.steps.n1000.mean | .0f }} for 1000 (mean of "
        "{{ outlook_forward_gradient.runs }} runs).",
        zh="把 $\\theta$ 长度平方的一半降到百分之一，前向梯度在 10 个参数时需要 "
        "{{ outlook_forward_gradient.steps.n10.mean | .0f }} 步，1000 个参数时需要 "
        "{{ outlook_forward_gradient.steps.n1000.mean | .0f }} 步"
        "（{{ outlook_forward_gradient.runs }} 次的均值）。",
        # A step leaves 1 - 1/(n + 2) of the loss on average, and ln 100 is 4.605.
        criterion="abs(steps.n1000.mean / (4.605 * 1002) - 1) < 0.05 and steps.n10.min > 10 and "
        "abs(steps.n10.mean / (4.605 * 12) - 1) < 0.2",
        covers=("steps.*",),
        runs="runs",
        spread=("steps.n1000.min", "steps.n1000.max"),
        figure="outlook_forward_gradient_steps",
    ),
)


def forward_mode(
    x: Array, y: Array, params: tuple[Array, ...], tangents: tuple[Array, ...]
) -> Array:
    """Derivatives of the half mean squared error along many directions: values and tangents go
    together. Tangents have one axis more in front, the direction.
    """
    (w1, b1, w2, b2), (tw1, tb1, tw2, tb2) = params, tangents
    a, ta = x @ w1.T + b1, x @ tw1.swapaxes(1, 2) + tb1[:, None]
    h = np.tanh(a)
    th = (1 - h * h) * ta
    out, tout = h @ w2.T + b2, th @ w2.T + h @ tw2.swapaxes(1, 2) + tb2[:, None]
    slopes: Array = ((out - y) * tout).sum(axis=(1, 2)) / len(x)
    return slopes


def reverse_mode(x: Array, y: Array, params: tuple[Array, ...]) -> tuple[Array, ...]:
    w1, b1, w2, b2 = params
    h = np.tanh(x @ w1.T + b1)
    d2 = (h @ w2.T + b2 - y) / len(x)
    d1 = (d2 @ w2) * (1 - h * h)
    return d1.T @ x, d1.sum(axis=0), d2.T @ h, d2.sum(axis=0)


def flat(arrays: tuple[Array, ...]) -> Array:
    return np.concatenate([a.ravel() for a in arrays])


def network(hidden: int, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng([seed, hidden])
    params = (
        rng.standard_normal((hidden, INPUTS)) / INPUTS**0.5,
        np.zeros(hidden),
        rng.standard_normal((1, hidden)) / hidden**0.5,
        np.zeros(1),
    )
    x = rng.standard_normal((BATCH, INPUTS))
    y = np.sin(x.sum(axis=1, keepdims=True))
    g = flat(reverse_mode(x, y, params))
    mean = np.zeros_like(g)
    square = 0.0
    cosine = 0.0
    worst = 0.0
    for _ in range(DIRECTIONS // AT_ONCE):
        v = tuple(rng.standard_normal((AT_ONCE, *p.shape)) for p in params)
        slopes = forward_mode(x, y, params, v)
        directions = np.concatenate([t.reshape(AT_ONCE, -1) for t in v], axis=1)
        worst = max(worst, float(np.abs(slopes - directions @ g).max() / np.linalg.norm(g)))
        estimates = slopes[:, None] * directions
        mean += estimates.sum(axis=0) / DIRECTIONS
        square += float(((estimates - g) ** 2).sum()) / DIRECTIONS
        lengths = np.linalg.norm(g) * np.linalg.norm(directions, axis=1)
        cosine += float((np.abs(slopes) / lengths).sum()) / DIRECTIONS
    norm2 = float(g @ g)
    variance = square / norm2
    return {
        "parameters": int(g.size),
        "variance": variance,
        "expected": g.size + 1,
        "cosine": cosine,
        # distance of the mean of all estimates from g, in units of its expected size
        "bias": float(np.linalg.norm(mean - g) / (norm2 * (g.size + 1) / DIRECTIONS) ** 0.5),
        "slope_error": worst,
    }


def steps_to_one_percent(n: int, seed: int) -> int:
    rng = np.random.default_rng([seed, n])
    theta = np.ones(n)
    target = 0.01 * float(theta @ theta)
    steps = 0
    while float(theta @ theta) > target:
        v = rng.standard_normal(n)
        theta = theta - float(theta @ v) * v / (n + 2)
        steps += 1
    return steps


def run() -> dict[str, Any]:
    found = [[network(hidden, seed) for seed in range(SEEDS)] for hidden in HIDDEN]
    every = [row for rows in found for row in rows]
    networks = [
        {
            "parameters": rows[0]["parameters"],
            "expected": rows[0]["expected"],
            "variance": spread([row["variance"] for row in rows]),
            "cosine": spread([row["cosine"] for row in rows]),
        }
        for rows in found
    ]
    return {
        "directions": DIRECTIONS,
        "seeds": SEEDS,
        "runs": RUNS,
        "networks": networks,
        "slope_error": _ranges.spread(row["slope_error"] for row in every),
        "ratio": spread([row["variance"] / row["expected"] for row in every]),
        "bias": spread([row["bias"] for row in every]),
        "largest": networks[-1],
        "smallest": networks[0],
        "steps": {
            f"n{n}": spread([steps_to_one_percent(n, seed) for seed in range(RUNS)])
            for n in DIMENSIONS
        },
    }


def draw(result: dict[str, Any], lang: str) -> dict[str, Figure]:
    return {
        "outlook_forward_gradient": draw_variance(result, lang),
        "outlook_forward_gradient_steps": draw_steps(result, lang),
    }


def draw_variance(result: dict[str, Any], lang: str) -> Figure:
    from experiments._dots import draw_bands
    from experiments.style import ACCENT, MUTED, new_figure

    text = {
        "en": ("measured", "n + 1", "number of parameters n", "relative variance"),
        "zh": ("测量值", "n + 1", "参数个数 n", "相对方差"),
    }[lang]
    fig, ax = new_figure(width=6.2, height=3.6)
    rows = result["networks"]
    n = [row["parameters"] for row in rows]
    ax.plot(n, [row["expected"] for row in rows], color=MUTED, label=text[1])
    spreads = [row["variance"] for row in rows]
    draw_bands(ax, n, spreads, color=ACCENT, marker="o", linestyle="none", label=text[0])
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel(text[2])
    ax.set_ylabel(text[3])
    ax.legend(loc="upper left")
    return fig


def draw_steps(result: dict[str, Any], lang: str) -> Figure:
    x = {"en": "steps to one hundredth of the loss", "zh": "损失降到百分之一所需的步数"}[lang]
    bars = [_ranges.Bar(f"n = {n}", result["steps"][f"n{n}"]) for n in DIMENSIONS]
    return _ranges.draw_ranges(bars, x)
