"""A cliff and a plateau in one parameter: what clipping, Adam and Adagrad do there.

A linear recurrent net with one weight, h_t = w h_{t-1}, h_0 = 1, T = 50 steps, target 0.5: J =
(w^50 - 0.5)^2 / 2 with gradient (w^50 - 0.5) * 50 * w^49. For w > 1 the gradient explodes (w =
1.2: 3.5e9), for w = 0.5 it vanishes (4.4e-14). Measured over 20 starts drawn from U(1.1, 1.3):
does J fall below 5e-5 (|y - 0.5| < 0.01) within 2000 steps at learning rate 1e-3, and after how
many steps. And from w = 0.5: how far w moves in 2000 steps. The comparison is
repeated at seven rates from 1e-4 to 0.1: the rate must not be what decides.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

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
    def __init__(self, lr: float) -> None:
        self.lr = lr
        self.m = self.v = 0.0
        self.t = 0

    def step(self, w: float, g: float) -> float:
        self.t += 1
        self.m = 0.9 * self.m + 0.1 * g
        self.v = 0.999 * self.v + 0.001 * g * g
        m = self.m / (1 - 0.9**self.t)
        v = self.v / (1 - 0.999**self.t)
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
        result[rule]["sweep"] = reached | {"best": max(reached.values())}
    return result
