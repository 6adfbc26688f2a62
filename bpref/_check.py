"""Argument checks shared by the whole package.

Every error names the argument, what was expected and what came:
``weight: expected shape (out_features, 3), got (4, 2)``. A value of a wrong kind is a
`TypeError`, a wrong shape or a value out of range is a `ValueError`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
REDUCTIONS = ("none", "mean", "sum")


def array(name: str, value: Any) -> np.ndarray:
    """Return `value` as an array; refuse what NumPy can't read or would read without its mask.

    Examples
    --------
    >>> array("input", np.ma.masked_array([1.0, 2.0], mask=[False, True]))
    Traceback (most recent call last):
    TypeError: input: expected an array without a mask, got a MaskedArray; use .filled(...)
    """
    if getattr(value, "counts_multiplications", False):  # bpref.cost watches the operators at work
        return value
    came = type(value).__name__
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name}: expected an array without a mask, got a {came}; use .filled(...)")
    try:
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:  # ragged list; tensor with a graph
        raise TypeError(f"{name}: expected a NumPy array, got {came}: {error}") from None


def floats(**arguments: Any) -> tuple[np.ndarray, ...]:
    """Return the arguments as arrays of one dtype, float32 or float64.

    Examples
    --------
    >>> floats(input=np.ones(2, dtype=int))
    Traceback (most recent call last):
    TypeError: input: expected dtype float32 or float64, got int64
    """
    arrays = tuple(array(name, value) for name, value in arguments.items())
    dtype = arrays[0].dtype
    for name, came in zip(arguments, (array.dtype for array in arrays), strict=True):
        if came not in FLOATS:
            raise TypeError(f"{name}: expected dtype float32 or float64, got {came}")
        if came != dtype:
            first = next(iter(arguments))
            raise TypeError(f"{name}: expected dtype {dtype} as of {first}, got {came}")
    return arrays


def shape(name: str, array: np.ndarray, expected: Sequence[int | str]) -> None:
    """Check the shape; a string in `expected` is the name of a size that is free.

    Examples
    --------
    >>> shape("weight", np.ones((4, 2)), ("out_features", 3))
    Traceback (most recent call last):
    ValueError: weight: expected shape (out_features, 3), got (4, 2)
    """
    fits = len(array.shape) == len(expected) and all(
        isinstance(want, str) or want == came
        for want, came in zip(expected, array.shape, strict=True)
    )
    if not fits:
        text = ", ".join(map(str, expected)) + ("," if len(expected) == 1 else "")
        raise ValueError(f"{name}: expected shape ({text}), got {array.shape}")


def grad_output(value: Any, expected: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return the gradient of an output as an array of that output's shape and dtype.

    A single real number (the usual ``1.0`` of a scalar loss) takes the dtype of the output.
    """
    gradient = array("grad_output", value)
    if gradient.ndim == 0 and gradient.dtype.kind in "iuf":
        gradient = gradient.astype(dtype)
    elif gradient.dtype != dtype:
        came = gradient.dtype
        raise TypeError(f"grad_output: expected dtype {dtype} as of the output, got {came}")
    shape("grad_output", gradient, expected)
    return gradient


def linear_arguments(
    input: np.ndarray, weight: np.ndarray, bias: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return the arguments of a linear layer when their dtypes and shapes fit."""
    if bias is None:
        input, weight = floats(input=input, weight=weight)
    else:
        input, weight, bias = floats(input=input, weight=weight, bias=bias)
    if input.ndim == 0:
        raise ValueError("input: expected shape (..., in_features), got ()")
    shape("weight", weight, ("out_features", input.shape[-1]))
    if 0 in weight.shape:
        raise ValueError(f"weight: expected at least one feature each way, got {weight.shape}")
    if bias is not None:
        shape("bias", bias, (weight.shape[0],))
    return input, weight, bias


def divisor(reduction: str, count: int) -> float:
    """Return what the sum of the losses is divided by: `count` for "mean", else 1.

    The mean over nothing is nan, as in PyTorch: dividing by nan gives it without a warning.
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction: expected one of {REDUCTIONS}, got {reduction!r}")
    if reduction != "mean":
        return 1.0
    return float(count) if count else float("nan")


def batch(name: str, array: np.ndarray) -> None:
    """Check that there is a batch axis."""
    if array.ndim == 0:
        raise ValueError(f"{name}: expected shape (N, ...), got ()")


def logits(name: str, array: np.ndarray) -> None:
    """Check that the shape is (N, C) with at least one class."""
    shape(name, array, ("N", "C"))
    if array.shape[1] == 0:
        raise ValueError(f"{name}: expected shape (N, C) with C at least 1, got {array.shape}")


def labels(target: Any, count: int, classes: int) -> np.ndarray:
    """Return `target` as an array of `count` integer class labels, each in [0, classes)."""
    target = array("target", target)
    if target.dtype.kind not in "iu":
        raise TypeError(f"target: expected an integer dtype, got {target.dtype}")
    shape("target", target, (count,))
    wrong = np.flatnonzero((target < 0) | (target >= classes))
    if wrong.size:
        first = wrong[0]
        raise ValueError(
            f"target: expected labels from 0 to {classes - 1}, got {target[first]} at index {first}"
        )
    return target


def probabilities(name: str, array: np.ndarray) -> None:
    """Check that every element lies in [0, 1]; nan does not."""
    wrong = np.argwhere(~((array >= 0) & (array <= 1)))
    if len(wrong):
        index = tuple(int(i) for i in wrong[0])
        raise ValueError(
            f"{name}: expected values from 0 to 1, got {array[index]} at index {index}"
        )


def positive_int(name: str, value: Any) -> int:
    """Return `value` when it is an integer of at least 1."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name}: expected an int, got {type(value).__name__}")
    if value < 1:
        raise ValueError(f"{name}: expected at least 1, got {value}")
    return int(value)


def real(name: str, value: Any, *, minimum: float | None = None) -> float:
    """Return `value` when it is a finite real number, not below `minimum`."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name}: expected a number, got {type(value).__name__}")
    try:
        finite = math.isfinite(value)
    except OverflowError:  # an int beyond the range of a float
        finite = False
    if not finite:
        raise ValueError(f"{name}: expected a finite number, got {value}")
    if minimum is not None and value < minimum:
        raise ValueError(f"{name}: expected at least {minimum}, got {value}")
    return float(value)


def writable(array: Any) -> np.ndarray:
    """Return `array` when values can be written into it in place."""
    if not isinstance(array, np.ndarray):
        hint = "; pass its .data" if hasattr(array, "data") and hasattr(array, "grad") else ""
        raise TypeError(f"array: expected a NumPy array, got {type(array).__name__}{hint}")
    floats(array=array)
    if not array.flags.writeable:
        raise ValueError("array: expected an array that can be written to, got a read-only one")
    return array


def generator(value: Any) -> np.random.Generator:
    """Return `value`, or a fresh unseeded generator for None."""
    if value is None:
        return np.random.default_rng()
    if not isinstance(value, np.random.Generator):
        raise TypeError(f"generator: expected a numpy.random.Generator, got {type(value).__name__}")
    return value


def float_dtype(value: Any) -> np.dtype:
    """Return `value` as a dtype, float32 or float64."""
    for dtype in FLOATS:
        if value is not None and value == dtype:
            return dtype
    raise TypeError(f"dtype: expected float32 or float64, got {value!r}")
