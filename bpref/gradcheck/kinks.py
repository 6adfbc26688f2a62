"""Is it a kink? A second look at a derivative that disagrees, with smaller and smaller steps.

Where f is smooth, the slopes to the left and to the right of x approach each other like h: a
quarter of the step, a quarter of the gap. At a kink of f, as of ReLU at 0, the gap stays; at a
kink beside x it vanishes once the step no longer reaches it. Then the derivative is compared
again, with a step that is short enough. So a wrong gradient is never excused by a kink nearby,
only by one that is nearer than rounding lets a step be, and only if it lies between the slopes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

__all__: list[str] = []

SHRINK = 4.0  # each look divides the step by this


@dataclass(frozen=True)
class Look:
    """The slopes on both sides of x for one step, and what rounding may add to their mean."""

    step: float
    left: float
    right: float
    rounding: float

    @property
    def mean(self) -> float:
        return (self.left + self.right) / 2

    @property
    def gap(self) -> float:
        return abs(self.right - self.left)


@dataclass(frozen=True)
class Verdict:
    """The gradient is right: at a kink, or with a smaller step."""

    kink: bool
    look: Look


def look_closer(
    slopes: Callable[[float], tuple[float, float]],
    analytic: float,
    first: Look,
    smallest: float,
    error_of: Callable[[float, float], float],
    rtol: float,
    changed: Callable[[float], bool] | None = None,
) -> Verdict | None:
    """Decide about a derivative that failed at the first look; None says that it is wrong.

    ``slopes(h)`` are the two slopes, ``error_of(numeric, rounding)`` is the relative error of
    the derivative and ``changed(h)`` tells whether the sign pattern of x − h and x + h differs.
    """
    looks = [first]
    small = np.inf  # rounding that is far below every error that a smaller step is to explain
    while True:
        look = looks[-1]
        error = abs(analytic - look.mean)
        # A kink, or a curvature, moves the mean of the slopes by less than their gap.
        if not error <= look.gap + look.rounding:
            return None
        if error_of(look.mean, look.rounding) > rtol:
            small = min(small, error / 8)
        elif (
            len(looks) > 1
            and look.rounding <= small
            and _beside_the_kink(looks, error_of, rtol, changed)
        ):
            bends = _bends(looks) if changed is None else changed(first.step)
            return Verdict(bends, first if bends else look)
        step, rounding = look.step / SHRINK, look.rounding * SHRINK
        if rounding > max(small, look.gap / 32) or step < smallest:
            return _between_the_slopes(looks, analytic, error_of, rtol, changed)
        looks.append(Look(step, *slopes(step), rounding))


def _beside_the_kink(
    looks: list[Look],
    error_of: Callable[[float, float], float],
    rtol: float,
    changed: Callable[[float], bool] | None,
) -> bool:
    """Whether the step of the last look is short enough for its value to count."""
    if changed is not None:
        return not changed(looks[-1].step)
    # Across a kink the mean may hit the value by accident; not twice in a row.
    before = looks[-2]
    return not _bends(looks) or error_of(before.mean, before.rounding) <= rtol


def _bends(looks: list[Look]) -> bool:
    """Whether the gap ever did something else than to shrink in proportion to the step."""
    return any(abs(b.gap - a.gap / SHRINK) > a.gap / 8 + b.rounding for a, b in pairwise(looks))


def _between_the_slopes(
    looks: list[Look],
    analytic: float,
    error_of: Callable[[float, float], float],
    rtol: float,
    changed: Callable[[float], bool] | None,
) -> Verdict | None:
    """Accept what lies between the slopes, if there is a kink at x as far as steps can tell."""
    if changed is not None and not changed(looks[-1].step):
        return None
    # Three looks, to tell a kink from curvature by the slopes alone.
    start = 2 if changed is None else min(2, len(looks) - 1)
    accepted, outside = None, np.inf
    for i in range(start, len(looks)):
        limit = _without_curvature(looks[max(i - 1, 0)], looks[i])
        low, high = sorted((limit.left, limit.right))
        nearest = min(max(analytic, low), high)
        if error_of(nearest, limit.rounding) > rtol:
            accepted, outside = None, min(outside, abs(analytic - nearest))
        # Not when only the growing rounding brings it between the slopes.
        elif accepted is None and limit.rounding * 8 <= outside:
            accepted = i, limit
    if accepted is None:
        return None
    i, limit = accepted
    if changed is None and looks[i].gap <= 4 * looks[0].gap / SHRINK**i:  # smooth
        return None
    if looks[i].gap > 2 * looks[0].gap:  # f jumps: it has no slope
        return None
    return Verdict(True, limit)


def _without_curvature(before: Look, look: Look) -> Look:
    """Extrapolate the slopes to a step of 0; curvature is in proportion to the step."""
    if before is look:
        return look
    left = look.left + (look.left - before.left) / 3
    right = look.right + (look.right - before.right) / 3
    return Look(look.step, left, right, 3 * look.rounding)


def leaves(value: Any) -> list[Any]:
    """The arrays in a nest of tuples, lists and mappings."""
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, (tuple, list)):
        return [leaf for part in value for leaf in leaves(part)]
    return [value]


def pattern_changed(one: Any, other: Any) -> bool:
    """Compare two results of the user's `signs`: floats by sign, masks and indices by value."""
    ours, theirs = list(map(_pattern, leaves(one))), list(map(_pattern, leaves(other)))
    if len(ours) != len(theirs):
        return True
    return not all(map(np.array_equal, ours, theirs))


def _pattern(value: Any) -> np.ndarray:
    array = np.asarray(value)
    return np.sign(array) if array.dtype.kind == "f" else array
