"""Numerical derivatives: the complex step, exact to rounding, and central differences.

The complex step takes f(x + iε) / ε: nothing is subtracted, so ε may be tiny. It needs f to be
analytic and x real. Central differences need neither and lose some digits.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sitekit.mathcheck.functions import Array

STEP = 1e-40  # its square is below every number that it is added to


def along_imaginary(f: Callable[[Array], Array], x: Array) -> Array:
    """The derivative at real numbers, each of which f takes by itself."""
    return np.asarray(np.imag(f(x + 1j * STEP)) / STEP)


def five_points(f: Callable[[Array], Array], x: Array, h: float = 1e-3) -> Array:
    """Central differences of fourth order: the error is of order h⁴, rounding ε / h."""
    return np.asarray((8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h))


def partial(f: Callable[[Array], Array], at: Array, place: tuple[int, ...], method: str) -> Array:
    """The derivative of f by one of its numbers; ``method`` is "complex" or "central"."""

    def along(t: Array) -> Array:
        moved = at.astype(np.result_type(at, t))
        moved[place] += t
        return f(moved)

    zero = np.asarray(0.0)
    return along_imaginary(along, zero) if method == "complex" else five_points(along, zero)


def gradient(f: Callable[[Array], Array], at: Array, method: str) -> Array:
    """All derivatives of a number by an array, in its shape."""
    parts = [partial(f, at, place, method) for place in np.ndindex(*at.shape)]
    return np.array(parts).reshape(at.shape)
