"""`gelu` and `softplus` without erfc and log1p, which NumPy computes one element at a time.

Same arguments and results as in `bpref.functional`. Both are written with exp and log, which
NumPy computes several at a time, keeping the digits that log(1 + exp(a)) would lose. The arrays
are gone through in blocks that stay in the processor's cache.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from bpref import _check
from bpref import functional as F

BLOCK = 2**14  # values at a time

# For x ≥ 0 and t = 4 / (4 + x), the upper tail of the normal distribution is
# t exp(−x²/2) P(2t − 1). P is the Chebyshev series cut off after 12 (float32) or 23 (float64)
# terms, as a polynomial; its error is below the rounding error.
TAIL = {
    np.dtype(np.float32): (
        0.18882128262915143,
        0.15197415784155602,
        0.09678434846496078,
        0.04663053995998785,
        0.015099162069501234,
        0.001884429289920908,
        -0.00086998865936085,
        -0.00040551002638210704,
        3.341334677361033e-05,
        5.3893444071613026e-05,
        -4.3277057536885447e-07,
        -5.295746063806165e-06,
    ),
    np.dtype(np.float64): (
        0.18882128260393785,
        0.15197416049297324,
        0.09678435018555664,
        0.04663046448989468,
        0.01509914372259023,
        0.0018850472422229046,
        -0.0008699230891628756,
        -0.0004077046213683964,
        3.3336052290036945e-05,
        5.7773784446822336e-05,
        -4.769190076797745e-07,
        -8.78640058976113e-06,
        1.7865053828168654e-07,
        1.480723444385482e-06,
        -1.5623877693912945e-07,
        -2.5674601753579823e-07,
        6.61834320494967e-08,
        4.055790802133918e-08,
        -1.9695900856734096e-08,
        -4.892402234993512e-09,
        4.01684673933235e-09,
        3.19308785823943e-10,
        -4.221644241696684e-10,
    ),
}


def _blocks(*arrays: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield pieces of arrays of one shape; those written to are contiguous, so pieces are views."""
    flat = [array.reshape(-1) for array in arrays]
    for start in range(0, arrays[0].size, BLOCK):
        yield tuple(array[start : start + BLOCK] for array in flat)


def gelu(
    input: np.ndarray, approximate: str = "none"
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, Any]]:
    """Return what `bpref.functional.gelu` does, with a cache of its own.

    Examples
    --------
    >>> gelu(np.array([1.0]))[0].round(4), gelu(np.array([1.0]), approximate="tanh")[0].round(4)
    (array([0.8413]), array([0.8412]))
    """
    (input,) = _check.floats(input=input)
    if _check.gelu_form(approximate) == "tanh":
        return F.gelu(input, approximate)
    output, gate, decay = (np.empty(input.shape, input.dtype) for _ in range(3))
    *rest, constant = reversed(TAIL[input.dtype])
    for a, h, phi, e in _blocks(input, output, gate, decay):
        np.multiply(a, a, out=e)
        e *= -0.5
        np.exp(e, out=e)
        t = 4 / (4 + np.abs(a))
        y = 2 * t - 1
        tail = np.zeros_like(y)
        for coefficient in rest:
            tail += coefficient
            tail *= y
        tail += constant
        tail *= t
        tail *= e
        np.subtract(1, tail, out=phi)
        np.putmask(phi, a < 0, tail)
        np.multiply(a, phi, out=h)
    return output, (input, gate, decay)


def gelu_backward(grad_output: np.ndarray, cache: tuple[np.ndarray, np.ndarray, Any]) -> np.ndarray:
    """Return the gradient of the loss for input.

    Examples
    --------
    >>> _, cache = gelu(np.array([-10000.0, 0.0, 10000.0]))
    >>> gelu_backward(np.array([1.0, 1.0, 1.0]), cache)
    array([0. , 0.5, 1. ])
    """
    input, gate, decay = cache
    if isinstance(decay, str):  # the form with tanh
        return F.gelu_backward(grad_output, cache)
    grad_output = _check.grad_output(grad_output, input.shape, input.dtype)
    grad_input = np.empty(input.shape, input.dtype)
    for a, phi, e, grad, delta in _blocks(input, gate, decay, grad_output, grad_input):
        np.multiply(a, e, out=delta)
        delta *= 1 / math.sqrt(2 * math.pi)
        delta += phi
        delta *= grad
    return grad_input


def softplus(
    input: np.ndarray, beta: float = 1.0, threshold: float = 20.0
) -> tuple[np.ndarray, tuple[Any, ...]]:
    """Return what `bpref.functional.softplus` does, with a cache of its own.

    Examples
    --------
    >>> softplus(np.array([-10000.0, 0.0, 100.0]))[0].round(4)
    array([  0.    ,   0.6931, 100.    ])
    """
    (input,) = _check.floats(input=input)
    beta, threshold = _check.softplus_options(beta, threshold)
    output, slope = np.empty(input.shape, input.dtype), np.empty(input.shape, input.dtype)
    for a, h, s in _blocks(input, output, slope):
        x = beta * a
        decay = np.exp(-np.abs(x))
        rounded = 1 + decay
        np.log(rounded, out=h)
        h += (decay - (rounded - 1)) / rounded  # what 1 + decay lost by rounding
        h += np.maximum(x, 0.0)
        h /= beta
        np.exp(np.minimum(x, 0.0), out=s)
        s /= rounded
        line = x > threshold
        np.putmask(h, line, a)
        np.putmask(s, line, 1.0)
    return output, (slope,)


def softplus_backward(grad_output: np.ndarray, cache: tuple[Any, ...]) -> np.ndarray:
    """Return the gradient of the loss for input.

    Examples
    --------
    >>> _, cache = softplus(np.array([-10000.0, 0.0, 10000.0]))
    >>> softplus_backward(np.array([1.0, 1.0, 1.0]), cache)
    array([0. , 0.5, 1. ])
    """
    (slope,) = cache
    grad_output = _check.grad_output(grad_output, slope.shape, slope.dtype)
    grad_input: np.ndarray = slope * grad_output
    return grad_input
