"""A cliff and a plateau in one parameter: what clipping, Adam and Adagrad do there.

A linear recurrent net with one weight, h_t = w h_{t-1}, h_0 = 1, T = 50 steps, target 0.5: J =
(w^50 - 0.5)^2 / 2 with gradient (w^50 - 0.5) * 50 * w^49. For w > 1 the gradient explodes (w =
1.2: 3.5e9), for w = 0.5 it vanishes (4.4e-14). Measured over 20 starts drawn from U(1.1, 1.3):
does J fall below 5e-5 (|y - 0.5| < 0.01) within 2000 steps at learning rate 1e-3, and after how
many steps. And from w = 0.5: how far w moves in 2000 steps. The comparison is
repeated at seven rates from 1e-4 to 0.1: the rate must not be what decides. Adam runs three times:
as it comes, with the shorter memory beta_2 = 0.95, and with the gradient clipped before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from matplotlib.figure import Figure

from experiments._claim import Claim

STARTS = 20
T = 50
TARGET = 0.5
LR = 1e-3
STEPS = 2000
RATES = {
    "lr_1em4": 1e-4,
    "lr_3em4": 3e-4,
    "lr_1em3": 1e-3,
    "lr_3em3": 3e-3,
    "lr_1em2": 1e-2,
    "lr_3em2": 3e-2,
    "lr_1em1": 1e-1,
}

WORKED = ("starts", "budget", "gradient_at_*")
CLAIMS = (
    Claim(
        id="gradients-cliff-only-clipping-arrives",
        en="From {{ gradients_cliff.starts }} starts on the cliff, with the best of seven rates "
        "for each rule, {{ gradients_cliff.clipped.sweep.best }} runs arrive with the norm "
        "clipped, {{ gradients_cliff.adam.sweep.best }} with Adam at its default "
        "$\\beta_2 = 0.999$, {{ gradients_cliff.adagrad.sweep.best }} with Adagrad and "
        "{{ gradients_cliff.sgd.sweep.best }} with plain gradient descent. "
        "Clipping has its own rates too: at $0.01$ only "
        "{{ gradients_cliff.clipped.sweep.lr_1em2 }} arrive.",
        zh="从悬崖上的 {{ gradients_cliff.starts }} 个起点出发，每种方法取七个学习率中最好的一个："
        "按范数裁剪有 {{ gradients_cliff.clipped.sweep.best }} 个到达，Adam（默认 "
        "$\\beta_2 = 0.999$）有 {{ gradients_cliff.adam.sweep.best }} 个，Adagrad 有 "
        "{{ gradients_cliff.adagrad.sweep.best }} 个，普通梯度下降有 "
        "{{ gradients_cliff.sgd.sweep.best }} 个。裁剪也有合适的学习率：$0.01$ 时只有 "
        "{{ gradients_cliff.clipped.sweep.lr_1em2 }} 个到达。",
        criterion="clipped.sweep.best == starts and clipped.sweep.lr_1em3 == starts and "
        "max(adam.sweep.best, adagrad.sweep.best, sgd.sweep.best) < 0.25 * starts and "
        "clipped.sweep.lr_1em2 < 0.5 * starts",
        covers=("*.sweep.*", "*.reached", "*.overflowed", "*.steps_*"),
        runs="starts",
        spread=("clipped.steps_min", "clipped.steps_max"),
        figure="gradients_cliff",
    ),
    Claim(
        id="gradients-cliff-shorter-memory",
        en="Adam's memory is what holds it back: with $\\beta_2 = 0.95$ all "
        "{{ gradients_cliff.starts }} starts arrive at {{ gradients_cliff.adam_short.all_arrive }} "
        "of the seven rates, with the gradient clipped before Adam at "
        "{{ gradients_cliff.adam_clipped.all_arrive }}, with SGD and clipping at "
        "{{ gradients_cliff.clipped.all_arrive }}, with Adam at its defaults at "
        "{{ gradients_cliff.adam.all_arrive }}.",
        zh="拖住 Adam 的是它的记忆：$\\beta_2 = 0.95$ 时，七个学习率中有 "
        "{{ gradients_cliff.adam_short.all_arrive }} 个让 {{ gradients_cliff.starts }} 个起点全部"
        "到达；先裁剪梯度再交给 Adam，有 {{ gradients_cliff.adam_clipped.all_arrive }} 个；SGD 加"
        "裁剪有 {{ gradients_cliff.clipped.all_arrive }} 个；默认设置的 Adam 有 "
        "{{ gradients_cliff.adam.all_arrive }} 个。",
        criterion="min(adam_short.all_arrive, adam_clipped.all_arrive) >= clipped.all_arrive > 1 "
        "and adam.all_arrive == 0",
        covers=("*.all_arrive",),
        runs="starts",
        spread=("adam_clipped.steps_min", "adam_clipped.steps_max"),
        figure="gradients_cliff",
    ),
    Claim(
        id="gradients-cliff-adam-remembers",
        en="At the rate 1e-3 Adam moves by {{ gradients_cliff.adam.moved_median | .3f }} in "
        "{{ gradients_cliff.budget }} steps and Adagrad by "
        "{{ gradients_cliff.adagrad.moved_median | .3f }} (medians); clipped runs move by "
        "{{ gradients_cliff.clipped.moved_median | .3f }} until they arrive.",
        zh="学习率 1e-3、{{ gradients_cliff.budget }} 步之内，走过的距离（中位数）Adam 为 "
        "{{ gradients_cliff.adam.moved_median | .3f }}，Adagrad 为 "
        "{{ gradients_cliff.adagrad.moved_median | .3f }}；裁剪时到达之前走了 "
        "{{ gradients_cliff.clipped.moved_median | .3f }}。",
        criterion="2 * max(adam.moved_median, adagrad.moved_median) < clipped.moved_median and "
        "clipped.steps_max < budget",
        covers=("*.moved_median",),
        runs="starts",
        spread=("clipped.steps_min", "clipped.steps_max"),
        figure="gradients_cliff",
    ),
    Claim(
        id="gradients-plateau-nothing-moves",
        en="On the plateau, at $w = 0.5$, {{ gradients_cliff.budget }} steps at 1e-3 move Adam by "
        "${{ gradients_cliff.adam.plateau_moved | sci }}$ and Adagrad by "
        "${{ gradients_cliff.adagrad.plateau_moved | sci }}$; gradient descent, clipped or not, "
        "moves by less than $10^{-12}$.",
        zh="在平台上，从 $w = 0.5$ 出发，以 1e-3 走 {{ gradients_cliff.budget }} 步，Adam 只移动 "
        "${{ gradients_cliff.adam.plateau_moved | sci }}$，Adagrad 只移动 "
        "${{ gradients_cliff.adagrad.plateau_moved | sci }}$；梯度下降无论裁剪与否，移动都不到 "
        "$10^{-12}$。",
        criterion="max(adam.plateau_moved, adagrad.plateau_moved) < 1e-3 and "
        "max(sgd.plateau_moved, clipped.plateau_moved) < 1e-12",
        covers=("*.plateau_moved",),
        exact="deterministic",
    ),
)


def gradient(w: float) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        w64 = np.float64(w)
        return float((w64**T - TARGET) * T * w64 ** (T - 1))


class Rule(Protocol):
    def step(self, w: float, g: float) -> float: ...


class SGD:
    def __init__(self, lr: float) -> None:
        self.lr = lr

    def step(self, w: float, g: float) -> float:
        return w - self.lr * g


class Clipped(SGD):
    def step(self, w: float, g: float) -> float:
        return super().step(w, g * min(1.0, 1.0 / (abs(g) + 1e-6)))


class Adam:
    def __init__(self, lr: float, beta2: float = 0.999, clip: float = math.inf) -> None:
        self.lr, self.beta2, self.clip = lr, beta2, clip
        self.m = self.v = 0.0
        self.t = 0

    def step(self, w: float, g: float) -> float:
        g = max(-self.clip, min(self.clip, g))
        self.t += 1
        self.m = 0.9 * self.m + 0.1 * g
        self.v = self.beta2 * self.v + (1 - self.beta2) * g * g
        m = self.m / (1 - 0.9**self.t)
        v = self.v / (1 - self.beta2**self.t)
        return w - self.lr * m / (math.sqrt(v) + 1e-8)


class Adagrad:
    def __init__(self, lr: float) -> None:
        self.lr = lr
        self.s = 0.0

    def step(self, w: float, g: float) -> float:
        self.s += g * g
        return w - self.lr * g / (math.sqrt(self.s) + 1e-10)


RULES: dict[str, Callable[[float], Rule]] = {
    "sgd": SGD,
    "clipped": Clipped,
    "adam": Adam,
    "adam_short": lambda lr: Adam(lr, beta2=0.95),
    "adam_clipped": lambda lr: Adam(lr, clip=1.0),
    "adagrad": Adagrad,
}


def descend(rule: str, start: float, lr: float = LR) -> dict[str, Any]:
    optimizer, w = RULES[rule](lr), start
    for step in range(1, STEPS + 1):
        g = gradient(w)
        if not np.isfinite(g):
            return {"reached": False, "finite": False, "steps": step, "w": None}
        w = optimizer.step(w, g)
        if abs(w) < 2 and abs(w**T - TARGET) < 0.01:
            return {"reached": True, "finite": True, "steps": step, "w": w}
    return {"reached": False, "finite": True, "steps": STEPS, "w": w}


def run() -> dict[str, Any]:
    starts = np.random.default_rng(0).uniform(1.1, 1.3, STARTS)
    result: dict[str, Any] = {
        "starts": STARTS,
        "budget": STEPS,
        "gradient_at_12": gradient(1.2),
        "gradient_at_05": gradient(0.5),
    }
    for rule in RULES:
        rows = [descend(rule, float(w)) for w in starts]
        steps = [r["steps"] for r in rows]
        ends = [abs(r["w"] - w) for r, w in zip(rows, starts, strict=True) if r["w"] is not None]
        result[rule] = {
            "reached": sum(r["reached"] for r in rows),
            "overflowed": sum(not r["finite"] for r in rows),
            "steps_median": float(np.median(steps)),
            "steps_min": min(steps),
            "steps_max": max(steps),
            "moved_median": float(np.median(ends)) if ends else None,
            "plateau_moved": abs(descend(rule, 0.5)["w"] - 0.5),
        }
        # the same starts at other rates: how many arrive
        reached = {
            key: sum(descend(rule, float(w), lr)["reached"] for w in starts)
            for key, lr in RATES.items()
        }
        result[rule]["all_arrive"] = sum(n == STARTS for n in reached.values())
        result[rule]["sweep"] = reached | {"best": max(reached.values())}
    return result


def draw(result: dict[str, Any], lang: str) -> Figure:
    from experiments.style import SERIES, new_figure

    words = {
        "en": ("SGD, clipped to 1", "Adam, clipped to 1", "Adam, β₂ = 0.95"),
        "zh": ("SGD，裁剪到 1", "Adam，裁剪到 1", "Adam，β₂ = 0.95"),
    }[lang]
    names = dict(zip(("clipped", "adam_clipped", "adam_short"), words, strict=True))
    names |= {"adam": "Adam", "adagrad": "Adagrad", "sgd": "SGD"}
    fig, ax = new_figure(7.2, 3.5)
    for k, ((name, label), color) in enumerate(zip(names.items(), SERIES, strict=True)):
        counts = [result[name]["sweep"][key] for key in RATES]
        places = [i + 0.14 * (k - 2.5) for i in range(len(RATES))]
        ax.bar(places, counts, width=0.14, color=color, label=label)
        # A bar of no height would not be seen.
        ax.plot(places, counts, "o", color=color, markersize=3)
    ax.set_xticks(range(len(RATES)), [f"{rate:g}" for rate in RATES.values()])
    ax.set_ylim(-0.6, STARTS + 0.6)
    ax.set_yticks(range(0, STARTS + 1, 5))
    ax.set_xlabel({"en": "learning rate", "zh": "学习率"}[lang])
    ax.set_ylabel({"en": "starts that arrive", "zh": "到达的起点数"}[lang])
    fig.legend(loc="outside upper center", ncols=3)
    return fig
