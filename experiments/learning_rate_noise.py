"""A constant learning rate leaves a noise floor; a decaying one does not.

Stochastic gradient descent on J = theta^2 / 2 with gradient theta + noise, noise ~ N(0, 1): for a
constant eta the mean of theta^2 tends to eta / (2 - eta), for eta_t = 1/t it tends to 0 like 1/t.
Measured: the mean of theta^2 over 4000 independent chains after 1000 steps from theta = 10, with
its standard error, for constant rates and for three schedules that start at 0.3.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure

CHAINS = 4000
STEPS = 1000
PEAK = 0.3
CONSTANT = {"eta_03": 0.3, "eta_01": 0.1, "eta_003": 0.03, "eta_001": 0.01}


def constant(eta: float, t: int) -> float:
    return eta


def step_decay(t: int) -> float:
    return PEAK * 0.1 ** (t // 400)


def cosine(t: int) -> float:
    return 0.5 * PEAK * (1.0 + math.cos(math.pi * t / STEPS))


def inverse(t: int) -> float:
    return 1.0 / (t + 1.0 / PEAK)


SCHEDULES = {"step": step_decay, "cosine": cosine, "inverse": inverse}


def chains(rate: Callable[[int], float], seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    theta = np.full(CHAINS, 10.0)
    curve = []
    for t in range(STEPS):
        if t % 20 == 0:
            curve.append(float(np.mean(theta**2)))
        theta = theta - rate(t) * (theta + rng.normal(size=CHAINS))
    curve.append(float(np.mean(theta**2)))
    return theta**2, np.array(curve)


def run() -> dict[str, Any]:
    result: dict[str, Any] = {
        "chains": CHAINS,
        "steps": STEPS,
        "peak": PEAK,
        "at": [*range(0, STEPS, 20), STEPS],
    }
    curves = {}
    for k, (name, eta) in enumerate(CONSTANT.items()):
        final, curves[name] = chains(partial(constant, eta), k)
        result[name] = {
            "floor": float(final.mean()),
            "error": float(final.std() / np.sqrt(CHAINS)),
            "predicted": eta / (2.0 - eta),
            "start_left": float(100.0 * (1.0 - eta) ** (2 * STEPS)),
        }
    for k, (name, rate) in enumerate(SCHEDULES.items(), start=10):
        final, curves[name] = chains(rate, k)
        result[name] = {"floor": float(final.mean()), "error": float(final.std() / np.sqrt(CHAINS))}
    worst = max(result[name]["floor"] for name in SCHEDULES)
    result["ratio"] = result["eta_03"]["floor"] / worst
    result["curves"] = {name: curve.tolist() for name, curve in curves.items()}
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
    ax.set_ylim(-4.2, 2.2)
    ax.legend(ncols=2, loc="upper right")
    ax.set_xlabel({"en": "step", "zh": "步"}[lang])
    ax.set_ylabel(
        {"en": "log10 of the mean squared error of θ", "zh": "θ 的均方误差的 log10"}[lang]
    )
    return fig
