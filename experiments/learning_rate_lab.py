"""The optimizer lab: the setting it starts with, and the three things that the page says to try.

All paths are those of `bpref.optim` on the surfaces of ``_surfaces.py``; the lab computes the same
in the browser (tests/site/test_optimizer_lab.py). (a) ``default``: four optimizers on the steep
valley. (b) ``limit``: the largest rate at which a path stays bounded, by bisection, for SGD,
momentum and Nesterov, and what happens on both sides of SGD's. (c) ``tilt``: the same rates on the
same valley, turned, so that it lies along no coordinate. (d) ``noise``: the mean height of the
last 100 of 200 steps on the noisy quadratic for two rates of SGD, 20 seeds of the noise.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments._claim import Claim
from experiments._surfaces import STEEP, SURFACES, path

WORKED = (
    "default.start*",
    "default.steps",
    "default.rows.*.rate",
    "limit.below.rate",
    "limit.above.rate",
    "noise.low.rate",
    "noise.high.rate",
    "noise.steps",
    "noise.last",
    "tilt.faster.rate",
)
CLAIMS = (
    Claim(
        id="learning-rate-lab-first-setting",
        en="On the steep valley, at the rates that the lab starts with, Adagrad is lowest after "
        "{{ learning_rate_lab.default.steps }} steps "
        "(${{ learning_rate_lab.default.rows.adagrad.height | sci1 }}$ above the minimum) and SGD "
        "highest (${{ learning_rate_lab.default.rows.sgd.height | sci1 }}$).",
        zh="在陡峭的山谷上，用实验台最初的学习率，走完 {{ learning_rate_lab.default.steps }} 步，"
        "Adagrad 最低（高出最小值 ${{ learning_rate_lab.default.rows.adagrad.height | sci1 }}$），"
        "SGD 最高（${{ learning_rate_lab.default.rows.sgd.height | sci1 }}$）。",
        criterion="default.rows.adagrad.height == min(r.height for r in default.rows.values()) "
        "and default.rows.sgd.height == max(r.height for r in default.rows.values())",
        covers=("default.rows.*",),
        exact="deterministic",
    ),
    Claim(
        id="learning-rate-lab-limits",
        en="On the steep valley, where $\\lambda_{\\max} = 50$, the largest rates without "
        "divergence are {{ learning_rate_lab.limit.sgd.measured | .4f }} for SGD, "
        "{{ learning_rate_lab.limit.momentum.measured | .4f }} for momentum $\\beta = 0.9$ and "
        "{{ learning_rate_lab.limit.nesterov.measured | .4f }} for Nesterov; the formulas give "
        "{{ learning_rate_lab.limit.sgd.predicted | .4f }}, "
        "{{ learning_rate_lab.limit.momentum.predicted | .4f }} and "
        "{{ learning_rate_lab.limit.nesterov.predicted | .4f }}. At "
        "{{ learning_rate_lab.limit.above.rate }} SGD diverges and momentum does not.",
        zh="在陡峭的山谷上，$\\lambda_{\\max} = 50$，不发散的最大学习率，SGD 是 "
        "{{ learning_rate_lab.limit.sgd.measured | .4f }}，动量（$\\beta = 0.9$）是 "
        "{{ learning_rate_lab.limit.momentum.measured | .4f }}，Nesterov 是 "
        "{{ learning_rate_lab.limit.nesterov.measured | .4f }}；公式给出 "
        "{{ learning_rate_lab.limit.sgd.predicted | .4f }}、"
        "{{ learning_rate_lab.limit.momentum.predicted | .4f }} 和 "
        "{{ learning_rate_lab.limit.nesterov.predicted | .4f }}。学习率取 "
        "{{ learning_rate_lab.limit.above.rate }} 时，SGD 发散，动量不发散。",
        criterion="all(abs(r.measured / r.predicted - 1) < 0.01 for r in (limit.sgd, "
        "limit.momentum, limit.nesterov)) and limit.below.sgd_height < 0.01 and "
        "limit.above.sgd_diverged > 0 and limit.above.momentum_height < 0.01",
        covers=("limit.*",),
        exact="deterministic",
    ),
    Claim(
        id="learning-rate-lab-tilt",
        en="When the valley is tilted and the rates stay, SGD, momentum and Nesterov end at the "
        "same height; Adagrad ends at ${{ learning_rate_lab.tilt.tilted.adagrad | sci1 }}$ "
        "instead of ${{ learning_rate_lab.tilt.straight.adagrad | sci1 }}$, RMSprop at "
        "${{ learning_rate_lab.tilt.tilted.rmsprop | sci1 }}$ instead of "
        "${{ learning_rate_lab.tilt.straight.rmsprop | sci1 }}$, Adam at "
        "${{ learning_rate_lab.tilt.tilted.adam | sci1 }}$ instead of "
        "${{ learning_rate_lab.tilt.straight.adam | sci1 }}$. At a rate of "
        "{{ learning_rate_lab.tilt.faster.rate }} Adam gets to "
        "${{ learning_rate_lab.tilt.faster.adam | sci1 }}$.",
        zh="把山谷斜过来，学习率不变，SGD、动量和 Nesterov 的终点一样高；Adagrad 的终点是 "
        "${{ learning_rate_lab.tilt.tilted.adagrad | sci1 }}$，原来是 "
        "${{ learning_rate_lab.tilt.straight.adagrad | sci1 }}$；RMSprop 是 "
        "${{ learning_rate_lab.tilt.tilted.rmsprop | sci1 }}$，原来是 "
        "${{ learning_rate_lab.tilt.straight.rmsprop | sci1 }}$；Adam 是 "
        "${{ learning_rate_lab.tilt.tilted.adam | sci1 }}$，原来是 "
        "${{ learning_rate_lab.tilt.straight.adam | sci1 }}$。学习率取 "
        "{{ learning_rate_lab.tilt.faster.rate }}，Adam 到达 "
        "${{ learning_rate_lab.tilt.faster.adam | sci1 }}$。",
        criterion="all(abs(tilt.tilted[n] / tilt.straight[n] - 1) < 1e-6 for n in ('sgd', "
        "'momentum', 'nesterov')) and all(tilt.tilted[n] > 100 * tilt.straight[n] for n in "
        "('adagrad', 'rmsprop', 'adam')) and tilt.faster.adam < tilt.straight.adam",
        covers=("tilt.*",),
        exact="deterministic",
    ),
    Claim(
        id="learning-rate-lab-noise-floor",
        en="On the noisy quadratic, over {{ learning_rate_lab.noise.seeds }} seeds of the noise, "
        "SGD ends at a mean height of {{ learning_rate_lab.noise.high.median | .2f }} "
        "({{ learning_rate_lab.noise.high.min | .2f }} to "
        "{{ learning_rate_lab.noise.high.max | .2f }}) with rate "
        "{{ learning_rate_lab.noise.high.rate }} and of "
        "{{ learning_rate_lab.noise.low.median | .3f }} "
        "({{ learning_rate_lab.noise.low.min | .3f }} to "
        "{{ learning_rate_lab.noise.low.max | .3f }}) with "
        "{{ learning_rate_lab.noise.low.rate }}; the formula predicts "
        "{{ learning_rate_lab.noise.high.predicted | .2f }} and "
        "{{ learning_rate_lab.noise.low.predicted | .3f }}.",
        zh="在带噪声的二次函数上，噪声取 {{ learning_rate_lab.noise.seeds }} 个随机种子，"
        "学习率为 {{ learning_rate_lab.noise.high.rate }} 时 SGD 的平均高度为 "
        "{{ learning_rate_lab.noise.high.median | .2f }}"
        "（{{ learning_rate_lab.noise.high.min | .2f }} 到 "
        "{{ learning_rate_lab.noise.high.max | .2f }}），为 "
        "{{ learning_rate_lab.noise.low.rate }} 时是 "
        "{{ learning_rate_lab.noise.low.median | .3f }}"
        "（{{ learning_rate_lab.noise.low.min | .3f }} 到 "
        "{{ learning_rate_lab.noise.low.max | .3f }}）；公式预测 "
        "{{ learning_rate_lab.noise.high.predicted | .2f }} 和 "
        "{{ learning_rate_lab.noise.low.predicted | .3f }}。",
        criterion="noise.low.max < noise.high.min and all(abs(r.median / r.predicted - 1) < 0.25 "
        "and r.min < r.predicted < r.max for r in (noise.low, noise.high))",
        covers=("noise.*",),
        runs="noise.seeds",
        spread=("noise.low.min", "noise.low.max"),
        figure="learning_rate_lab_noise",
    ),
)

START, TILTED_START, STEPS = (-2.5, 1.0), (-2.6, -0.7), 100
RATES = {
    "sgd": 0.035,
    "momentum": 0.01,
    "nesterov": 0.01,
    "adagrad": 0.5,
    "rmsprop": 0.05,
    "adam": 0.1,
}
CHOSEN = ("sgd", "momentum", "adagrad", "adam")
BETA = 0.9
LIMITS = {
    "sgd": 2 / STEEP,
    "momentum": 2 * (1 + BETA) / STEEP,
    "nesterov": 2 * (1 + BETA) / (1 + 2 * BETA) / STEEP,
}
SEEDS, NOISY_START, NOISY_STEPS, LAST = 20, (-2.5, 2.0), 200, 100


def largest_stable_rate(optimizer: str) -> float:
    """By bisection: the largest rate at which 2000 steps on the valley stay within the limits."""
    low, high = 0.001, 0.2
    for _ in range(16):
        middle = (low + high) / 2
        diverges = path("valley", optimizer, START, 2000, lr=middle).diverged is not None
        low, high = (low, middle) if diverges else (middle, high)
    return low


def height(surface: str, optimizer: str, start: tuple[float, float], rate: float) -> float:
    found = path(surface, optimizer, start, STEPS, lr=rate)
    if found.diverged is not None:
        raise RuntimeError(f"{optimizer} at {rate} diverges on {surface}")
    return float(found.losses[-1] - SURFACES[surface].lowest)


def limit() -> dict[str, Any]:
    result: dict[str, Any] = {
        name: {"predicted": predicted, "measured": largest_stable_rate(name)}
        for name, predicted in LIMITS.items()
    }
    below, above = 0.035, 0.045
    result["below"] = {"rate": below, "sgd_height": height("valley", "sgd", START, below)}
    result["above"] = {
        "rate": above,
        "sgd_diverged": path("valley", "sgd", START, STEPS, lr=above).diverged,
        "momentum_height": height("valley", "momentum", START, above),
    }
    return result


def noise() -> dict[str, Any]:
    result: dict[str, Any] = {"seeds": SEEDS, "steps": NOISY_STEPS, "last": LAST}
    for name, rate in (("high", 0.3), ("low", 0.03)):
        heights = np.array(
            [
                path("noisy", "sgd", NOISY_START, NOISY_STEPS, seed=seed, lr=rate).losses
                for seed in range(1, SEEDS + 1)
            ]
        )
        means = heights[:, -LAST:].mean(axis=1)
        result[name] = {
            "rate": rate,
            # Half of curvature times variance, for the curvatures 1 and 4.
            "predicted": sum(rate / (2 - rate * curvature) for curvature in (1, 4)) / 2,
            "min": float(means.min()),
            "median": float(np.median(means)),
            "max": float(means.max()),
            "curves": {
                q: np.quantile(heights, level, axis=0)[::2].tolist()
                for q, level in (("low", 0.0), ("middle", 0.5), ("high", 1.0))
            },
        }
    return result


def run() -> dict[str, Any]:
    rows, paths = {}, {}
    for name in CHOSEN:
        found = path("valley", name, START, STEPS, lr=RATES[name])
        x, y = found.points[-1].tolist()
        rows[name] = {"rate": RATES[name], "x": x, "y": y, "height": float(found.losses[-1])}
        paths[name] = {"points": found.points.tolist(), "heights": found.losses.tolist()}
    return {
        "default": {"start": list(START), "steps": STEPS, "rows": rows, "paths": paths},
        "limit": limit(),
        "tilt": {
            "straight": {n: height("valley", n, START, r) for n, r in RATES.items()},
            "tilted": {n: height("tilted", n, TILTED_START, r) for n, r in RATES.items()},
            "faster": {"rate": 0.5, "adam": height("tilted", "adam", TILTED_START, 0.5)},
        },
        "noise": noise(),
    }


NAMES = {
    "sgd": {"en": "SGD", "zh": "SGD"},
    "momentum": {"en": "Momentum", "zh": "动量"},
    "adagrad": {"en": "Adagrad", "zh": "Adagrad"},
    "adam": {"en": "Adam", "zh": "Adam"},
}


def draw(result: dict[str, Any], lang: str) -> dict[str, Figure]:
    return {
        "learning_rate_lab": draw_default(result["default"], lang),
        "learning_rate_lab_noise": draw_noise(result["noise"], lang),
    }


def draw_default(result: dict[str, Any], lang: str) -> Figure:
    from experiments.style import INK, MUTED, SERIES, new_figure

    fig, (ground, curves) = new_figure(width=7.0, height=3.5, ncols=2)
    axis = np.linspace(-3, 3, 121)
    x, y = np.meshgrid(axis, axis)
    levels = [0.1, 0.5, 1.5, 4, 10, 25, 60, 120, 200]
    z = 0.5 * (x * x + STEEP * y * y)
    ground.contour(x, y, z, levels=levels, colors=[MUTED], linewidths=0.6)
    styles = {"sgd": "-", "momentum": (0, (5, 2)), "adagrad": (0, (5, 2, 1, 2)), "adam": "-"}
    colors = dict(zip(CHOSEN, SERIES, strict=False))
    for name in CHOSEN:
        found = result["paths"][name]
        points = np.array(found["points"])
        ground.plot(*points.T, color=colors[name], linestyle=styles[name], linewidth=1.4)
        curves.semilogy(
            found["heights"], color=colors[name], linestyle=styles[name], label=NAMES[name][lang]
        )
    ground.plot(*result["start"], "o", color=INK, markerfacecolor="none", markersize=8)
    ground.plot(0, 0, "+", color=INK, markersize=9)
    ground.set_aspect("equal")
    ground.grid(False)
    ground.set_xlabel("x")
    ground.set_ylabel("y")
    curves.set_xlabel({"en": "step", "zh": "步"}[lang])
    curves.set_ylabel({"en": "height above the minimum", "zh": "高出最小值的量"}[lang])
    curves.set_ylim(top=2e3)
    curves.set_yticks([1, 1e-3, 1e-6, 1e-9], ["1", "1e-3", "1e-6", "1e-9"])
    curves.minorticks_off()
    curves.legend(loc="upper center", ncols=2, fontsize=8)
    return fig


def draw_noise(result: dict[str, Any], lang: str) -> Figure:
    from experiments.style import SERIES, new_figure

    fig, ax = new_figure(width=6.4, height=3.2)
    steps = np.arange(0, result["steps"] + 1, 2)
    for color, name in zip(SERIES, ("high", "low"), strict=False):
        row = result[name]
        curve = row["curves"]
        ax.fill_between(steps, curve["low"], curve["high"], color=color, alpha=0.18, linewidth=0)
        ax.semilogy(steps, curve["middle"], color=color, label=f"η = {row['rate']}")
        ax.axhline(row["predicted"], color=color, linestyle="--", linewidth=1)
    ax.set_ylim(1e-5, 30)
    ax.set_yticks([1e-4, 1e-2, 1], ["1e-4", "0.01", "1"])
    ax.minorticks_off()
    ax.set_xlabel({"en": "step", "zh": "步"}[lang])
    ax.set_ylabel({"en": "height above the minimum", "zh": "高出最小值的量"}[lang])
    ax.legend(loc="upper right")
    return fig
