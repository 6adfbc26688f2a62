"""Surfaces in two variables, and the path of an optimizer of `bpref.optim` on one of them.

The optimizer lab of the site computes the same paths in the browser (optimizer-lab-engine.js).
Order of operations and noise are the same there, so that the paths agree to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bpref import optim
from bpref.nn import Parameter

LIMIT = 1000.0  # a coordinate beyond it, or no number at all: the path has diverged
STEEP = 50.0  # the large curvature of the two valleys; the small one is 1


@dataclass(frozen=True)
class Surface:
    """A function of x and y with its gradient; `lowest` is its smallest value."""

    value: Callable[[float, float], float]
    gradient: Callable[[float, float], tuple[float, float]]
    lowest: float = 0.0
    noisy: bool = False  # noise is added to the gradient, not to the value


def _tilted_axes(x: float, y: float) -> tuple[float, float]:
    return 0.8 * x + 0.6 * y, 0.8 * y - 0.6 * x


def _tilted(x: float, y: float) -> float:
    u, v = _tilted_axes(x, y)
    return 0.5 * (u * u + STEEP * v * v)


def _tilted_gradient(x: float, y: float) -> tuple[float, float]:
    u, v = _tilted_axes(x, y)
    v = STEEP * v
    return 0.8 * u - 0.6 * v, 0.6 * u + 0.8 * v


def _rosenbrock(x: float, y: float) -> float:
    r = y - x * x
    return (1 - x) * (1 - x) + 100 * r * r


def _rosenbrock_gradient(x: float, y: float) -> tuple[float, float]:
    r = y - x * x
    return -2 * (1 - x) - 400 * x * r, 200 * r


def _himmelblau(x: float, y: float) -> float:
    p, q = x * x + y - 11, x + y * y - 7
    return p * p + q * q


def _himmelblau_gradient(x: float, y: float) -> tuple[float, float]:
    p, q = x * x + y - 11, x + y * y - 7
    return 4 * x * p + 2 * q, 2 * p + 4 * y * q


SURFACES = {
    "valley": Surface(lambda x, y: 0.5 * (x * x + STEEP * y * y), lambda x, y: (x, STEEP * y)),
    "tilted": Surface(_tilted, _tilted_gradient),
    "rosenbrock": Surface(_rosenbrock, _rosenbrock_gradient),
    "himmelblau": Surface(_himmelblau, _himmelblau_gradient),
    "saddle": Surface(
        lambda x, y: 0.5 * x * x + 0.25 * y * y * y * y - 0.5 * y * y,
        lambda x, y: (x, y * y * y - y),
        lowest=-0.25,
    ),
    "noisy": Surface(lambda x, y: 0.5 * (x * x + 4 * y * y), lambda x, y: (x, 4 * y), noisy=True),
}


def normal(seed: int) -> Iterator[float]:
    """Nearly normal numbers with mean 0 and variance 1, the same in every language.

    The sum of twelve uniform numbers (mulberry32), minus 6: all of it is exact in float64.
    """
    state, mask = seed, 2**32 - 1
    while True:
        total = 0.0
        for _ in range(12):
            state = (state + 0x6D2B79F5) & mask
            z = ((state ^ (state >> 15)) * (state | 1)) & mask
            z ^= (z + (z ^ (z >> 7)) * (z | 61)) & mask
            total += (z ^ (z >> 14)) / 2**32
        yield total - 6.0


# The optimizers of the lab; momentum 0.9 where the name says so, all else is the default.
OPTIMIZERS: dict[str, Callable[..., optim.Optimizer]] = {
    "sgd": optim.SGD,
    "momentum": lambda params, **options: optim.SGD(params, **{"momentum": 0.9} | options),
    "nesterov": lambda params, **options: optim.SGD(
        params, nesterov=True, **{"momentum": 0.9} | options
    ),
    "adagrad": optim.Adagrad,
    "rmsprop": optim.RMSprop,
    "adam": optim.Adam,
    "adamw": optim.AdamW,
}


@dataclass(frozen=True)
class Path:
    """Points, shape (steps + 1, 2); their losses; the step that left the limits, if one did."""

    points: np.ndarray
    losses: np.ndarray
    diverged: int | None


def path(
    surface: str,
    optimizer: str,
    start: tuple[float, float],
    steps: int,
    *,
    noise: float = 1.0,
    seed: int = 0,
    **options: Any,
) -> Path:
    """Run an optimizer of `bpref.optim`; a path that diverges ends where it does."""
    on = SURFACES[surface]
    theta = Parameter(np.array(start, dtype=np.float64))
    rule = OPTIMIZERS[optimizer]([theta], **options)
    draw = normal(seed)
    points, diverged = [theta.data.copy()], None
    for step in range(1, steps + 1):
        x, y = theta.data.tolist()
        gradient = on.gradient(x, y)
        if on.noisy:
            gradient = gradient[0] + noise * next(draw), gradient[1] + noise * next(draw)
        theta.grad = np.array(gradient)
        rule.step()
        points.append(theta.data.copy())
        if not np.all(np.abs(theta.data) <= LIMIT):
            diverged = step
            break
    losses = [on.value(*point.tolist()) for point in points]
    return Path(np.array(points), np.array(losses), diverged)
