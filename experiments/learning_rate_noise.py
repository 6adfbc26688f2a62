"""A constant learning rate leaves a noise floor; a decaying one does not.

Stochastic gradient descent on J = theta^2 / 2 with gradient theta + noise, noise ~ N(0, 1): for a
constant eta the mean of theta^2 tends to eta / (2 - eta), for eta_t = 1/t it tends to 0 like 1/t.
Measured: the mean of theta^2 over 4000 independent chains after 1000 steps from theta = 10, with
its standard error, and over 20 groups of 200 chains, for constant rates and for three schedules
that start at 0.3. Without noise (``quiet``): the distance after 200 steps, constant and cosine.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments._claim import Claim
from experiments._ranges import exactly

GROUPS, CHAINS = 20, 4000
STEPS = 1000
EARLY = 200
PEAK = 0.3
CONSTANT = {"eta_03": 0.3, "eta_01": 0.1, "eta_003": 0.03, "eta_001": 0.01}

WORKED = ("chains", "groups", "steps", "early", "peak")
CLAIMS = (
    Claim(
        id="learning-rate-floor-of-a-constant-rate",
        en="With noise of variance 1 on a parabola of curvature 1, the mean square of the "
        "parameter settles at the predicted $\\eta / (2 - \\eta)$: "
        "{{ learning_rate_noise.eta_03.floor | .4f }} for $0.3$ (predicted "
        "{{ learning_rate_noise.eta_03.predicted | .4f }}), "
        "{{ learning_rate_noise.eta_003.floor | .4f }} for $0.03$ "
        "({{ learning_rate_noise.eta_003.predicted | .4f }}).",
        zh="曲率为 1 的抛物线，噪声方差为 1，参数的均方值停在预测的 $\\eta / (2 - \\eta)$："
        "学习率 $0.3$ 时为 {{ learning_rate_noise.eta_03.floor | .4f }}（预测 "
        "{{ learning_rate_noise.eta_03.predicted | .4f }}），$0.03$ 时为 "
        "{{ learning_rate_noise.eta_003.floor | .4f }}（"
        "{{ learning_rate_noise.eta_003.predicted | .4f }}）。",
        criterion="all(abs(r.floor - r.predicted) < 4 * r.error and r.groups.min < r.predicted < "
        "r.groups.max for r in (eta_03, eta_01, eta_003, eta_001))",
        covers=("eta_*.*",),
        runs="groups",
        spread=("eta_03.groups.min", "eta_03.groups.max"),
        figure="learning_rate_noise",
    ),
    Claim(
        id="learning-rate-decay-goes-below-the-floor",
        en="Three schedules that start at $0.3$ end at least "
        "{{ learning_rate_noise.ratio | .0f }} times below the floor of a constant $0.3$. A "
        "constant $0.01$ gets there too, but after {{ learning_rate_noise.early }} steps it is "
        "still at {{ learning_rate_noise.eta_001.early | .2f }}, the cosine at "
        "{{ learning_rate_noise.cosine.early | .2f }}.",
        zh="三种从 $0.3$ 开始的调度，终点至多是恒定 $0.3$ 的下限的 "
        "1/{{ learning_rate_noise.ratio | .0f }}。恒定 $0.01$ 也能到那里，但 "
        "{{ learning_rate_noise.early }} 步之后它还在 "
        "{{ learning_rate_noise.eta_001.early | .2f }}，余弦已经在 "
        "{{ learning_rate_noise.cosine.early | .2f }}。",
        criterion="eta_03.groups.min > 10 * max(r.groups.max for r in (step, cosine, inverse)) and "
        "eta_001.early > 5 * cosine.early and eta_001.groups.max < 0.1 * eta_03.groups.min",
        covers=("step.*", "cosine.*", "inverse.*", "ratio", "eta_001.*", "eta_03.floor"),
        runs="groups",
        spread=("cosine.groups.min", "cosine.groups.max"),
        figure="learning_rate_noise",
    ),
    Claim(
        id="learning-rate-decay-only-slows-without-noise",
        en="Without noise a decaying rate is slower: after {{ learning_rate_noise.early }} steps "
        "the distance is ${{ learning_rate_noise.quiet.step | sci0 }}$ of its start with a step "
        "schedule and ${{ learning_rate_noise.quiet.constant | sci0 }}$ with the constant rate.",
        zh="没有噪声时，衰减反而更慢：{{ learning_rate_noise.early }} 步之后，分段调度剩下起初"
        "距离的 ${{ learning_rate_noise.quiet.step | sci0 }}$，恒定学习率只剩 "
        "${{ learning_rate_noise.quiet.constant | sci0 }}$。",
        criterion="quiet.step > 1e6 * quiet.constant",
        covers=("quiet.*",),
        exact="deterministic",
    ),
)


def constant(eta: float, t: int) -> float:
    return eta


def step_decay(t: int) -> float:
    return PEAK * 0.1 ** (t // 400)


def cosine(t: int) -> float:
    return 0.5 * PEAK * (1.0 + math.cos(math.pi * t / STEPS))


def inverse(t: int) -> float:
    return 1.0 / (t + 1.0 / PEAK)


SCHEDULES = {"step": step_decay, "cosine": cosine, "inverse": inverse}


def chains(rate: Callable[[int], float], seed: int) -> tuple[np.ndarray, list[float]]:
    """The last theta^2 of every chain, and their mean in every 20th step."""
    rng = np.random.default_rng(seed)
    theta = np.full(CHAINS, 10.0)
    curve = []
    for t in range(STEPS):
        if t % 20 == 0:
            curve.append(float(np.mean(theta**2)))
        theta = theta - rate(t) * (theta + rng.normal(size=CHAINS))
    curve.append(float(np.mean(theta**2)))
    return theta**2, curve


def quiet(rate: Callable[[int], float]) -> float:
    """The distance that is left after the first steps without noise, from 1."""
    return float(np.prod([1.0 - rate(t) for t in range(EARLY)]))


def run() -> dict[str, Any]:
    result: dict[str, Any] = {
        "chains": CHAINS,
        "groups": GROUPS,
        "steps": STEPS,
        "early": EARLY,
        "peak": PEAK,
        "at": [*range(0, STEPS, 20), STEPS],
        "curves": {},
    }
    rates: dict[str, Callable[[int], float]] = {
        name: partial(constant, eta) for name, eta in CONSTANT.items()
    }
    for seed, (name, rate) in enumerate((rates | SCHEDULES).items()):
        final, curve = chains(rate, seed)
        result["curves"][name] = curve
        result[name] = {
            "floor": float(final.mean()),
            "error": float(final.std() / np.sqrt(CHAINS)),
            "groups": exactly(final.reshape(GROUPS, -1).mean(axis=1)),
            "early": curve[EARLY // 20],
        }
    for name, eta in CONSTANT.items():
        result[name]["predicted"] = eta / (2.0 - eta)
    worst = max(result[name]["floor"] for name in SCHEDULES)
    result["ratio"] = result["eta_03"]["floor"] / worst
    result["quiet"] = {
        "constant": quiet(partial(constant, PEAK)),
        "step": quiet(lambda t: PEAK * 0.1 ** (t // 80)),
    }
    return result


def draw(result: dict[str, Any], lang: str) -> Figure:
    from experiments.style import SERIES, new_figure

    names = {
        "eta_03": {"en": "constant 0.3", "zh": "恒定 0.3"},
        "eta_003": {"en": "constant 0.03", "zh": "恒定 0.03"},
        "step": {"en": "step, from 0.3", "zh": "分段，从 0.3 起"},
        "cosine": {"en": "cosine, from 0.3", "zh": "余弦，从 0.3 起"},
        "inverse": {"en": "1/t, from 0.3", "zh": "1/t，从 0.3 起"},
    }
    fig, ax = new_figure(width=6.4, height=3.6)
    for color, (key, name) in zip(SERIES, names.items(), strict=False):
        y = np.log10(result["curves"][key])
        ax.plot(result["at"], y, color=color, label=name[lang])
        ends = np.log10([result[key]["groups"][end] for end in ("min", "max")])
        ax.plot([STEPS] * 2, ends, color=color, linewidth=4, alpha=0.5)
    ax.set_ylim(-4.2, 2.2)
    ax.legend(ncols=2, loc="upper right")
    ax.set_xlabel({"en": "step", "zh": "步"}[lang])
    ax.set_ylabel(
        {"en": "log10 of the mean squared error of θ", "zh": "θ 的均方误差的 log10"}[lang]
    )
    return fig
