"""Functions on numbers that may be complex: the complex step needs them analytic in each branch.

Comparisons look at the real part, |x| is x or −x, and no transpose conjugates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def absolute(x: Array) -> Array:
    return np.where(np.real(x) < 0, -x, x)


def maximum(*values: Array) -> Array:
    result = values[0]
    for value in values[1:]:
        result = np.where(np.real(result) >= np.real(value), result, value)
    return result


def minimum(*values: Array) -> Array:
    return -maximum(*(-np.asarray(v) for v in values))


def softmax(x: Array) -> Array:
    powers = np.exp(x - np.max(np.real(x)))
    return powers / np.sum(powers)


def sign(x: Array) -> Array:
    return np.sign(np.real(x)) + 0 * x


def diag(x: Array) -> Array:
    """A column to a diagonal matrix, a matrix to the column of its diagonal."""
    return np.diag(x[:, 0]) if x.shape[1] == 1 else np.diag(x)[:, None]


ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "exp": np.exp, "log": np.log, "ln": np.log, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "sqrt": np.sqrt, "abs": absolute,
    "sign": sign,
}  # fmt: skip
BUILTINS = {*ELEMENTWISE, "max", "min", "softmax", "diag", "tr", "det"}


class Smooth:
    """Any smooth function ℝ → ℝ: a bounded one with random numbers, and its derivatives."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.height, self.width, self.shift = rng.uniform(0.5, 1.5, 3)
        self.slope = rng.uniform(0.2, 0.5)

    def __call__(self, x: Any, order: int = 0) -> Any:
        angle = self.width * x + self.shift + order * np.pi / 2
        value = self.height * self.width**order * np.sin(angle)
        return value + (self.slope * x if order == 0 else self.slope if order == 1 else 0.0)


class SmoothMap:
    """Any smooth function ℝⁿ → ℝᵐ (or ℝ): B sin(A x + c), on columns."""

    def __init__(self, rng: np.random.Generator, n: int, m: int | None) -> None:
        self.A, self.c = rng.normal(size=(n + 1, n)), rng.normal(size=(n + 1, 1))
        self.B = rng.normal(size=(m or 1, n + 1))
        self.scalar = m is None

    def __call__(self, x: Any, order: int = 0) -> Any:
        value = self.B @ np.sin(self.A @ x + self.c)
        return value[0, 0] if self.scalar else value
