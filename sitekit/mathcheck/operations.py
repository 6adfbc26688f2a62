"""Products, powers and common functions on arrays: numbers are 0-d, vectors columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from sitekit.mathcheck import functions as fn
from sitekit.mathcheck.errors import MathError, Untrue
from sitekit.mathcheck.functions import Array


def shown(shape: tuple[int, ...]) -> str:
    """A shape as an author reads it."""
    return "×".join(map(str, shape)) if shape else "a number"


def product(a: Array, b: Array, pos: int) -> Array:
    """The matrix product, or with a number that of each element."""
    if a.ndim == 0 or b.ndim == 0:
        return np.asarray(a * b)
    if a.ndim != 2 or b.ndim != 2:
        raise MathError("a product of more than two axes: use indices", pos)
    if a.shape[1] != b.shape[0]:
        raise Untrue(f"product of {shown(a.shape)} and {shown(b.shape)}: inner sizes differ", pos)
    value = a @ b
    return value.reshape(()) if value.shape == (1, 1) else value


def power(base: Array, exponent: Array, pos: int) -> Any:
    """A power of a number or of a square matrix."""
    if base.ndim:
        if base.shape[0] == base.shape[1]:
            return np.linalg.matrix_power(base, int(exponent.real))
        raise MathError("a power of a vector: write v \\odot v", pos)
    if np.real(base) < 0 and float(np.real(exponent)) != int(np.real(exponent)):
        raise MathError("a root of a negative number", pos)
    if not np.iscomplexobj(exponent) and float(exponent) == int(exponent):
        return base ** int(exponent)
    return base**exponent


def call(name: str, args: list[Array], pos: int) -> Any:
    """A function that everybody knows."""
    if name in ("max", "min"):
        return _extreme(name, args, pos)
    if len(args) != 1:
        raise MathError(f"{name} takes one argument", pos)
    (x,) = args
    if name in fn.ELEMENTWISE:
        if name in ("log", "ln", "sqrt") and np.any(np.real(x) <= 0):
            hint = "; $c > 0$ declares a positive one"
            raise MathError(f"\\{name} of a negative number{hint}", pos)
        return fn.ELEMENTWISE[name](x)
    if x.ndim != 2:
        raise MathError(f"{name} takes a vector or matrix", pos)
    if name == "softmax":
        if x.shape[1] != 1:
            raise MathError("softmax takes a column: write it by sample", pos)
        return fn.softmax(x)
    if name == "diag":
        return fn.diag(x)
    return np.trace(x) if name == "tr" else np.linalg.det(x)


def _extreme(name: str, args: list[Array], pos: int) -> Any:
    """The largest or smallest of several arguments, or element of one."""
    if len(args) == 1:
        parts = [np.asarray(x) for x in np.ravel(args[0])]
    else:
        shapes = {a.shape for a in args if a.ndim}
        if len(shapes) > 1:
            raise MathError(f"\\{name} of different shapes", pos)
        parts = args
    return fn.maximum(*parts) if name == "max" else fn.minimum(*parts)
