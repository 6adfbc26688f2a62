"""`cross_entropy` for the ordinary case: a batch (N, C) of logits, one label for each sample.

Same arguments and results as in `bpref.functional`, which computes all other cases.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bpref import _check
from bpref import functional as F


def cross_entropy(
    input: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> tuple[np.ndarray | np.floating, tuple[Any, ...]]:
    """Return what `bpref.functional.cross_entropy` does, with a cache of its own.

    Examples
    --------
    >>> loss, cache = cross_entropy(np.array([[0.0, 0.0], [10000.0, 0.0]]), np.array([1, 0]))
    >>> round(float(loss), 6)
    0.346574
    """
    if weight is not None or label_smoothing != 0.0 or not _is_plain(input, target, ignore_index):
        return F.cross_entropy(input, target, weight, ignore_index, reduction, label_smoothing)
    divisor = _check.divisor(reduction, len(input))

    shifted = input - input.max(axis=1, keepdims=True)
    loss = -shifted[np.arange(len(input)), target]
    probability = np.exp(shifted)
    total = probability.sum(axis=1, keepdims=True)
    probability /= total
    loss += np.log(total[:, 0])
    if reduction != "none":
        return loss.sum() / divisor, (probability, target, divisor, reduction)
    return loss, (probability, target, divisor, reduction)


def cross_entropy_backward(grad_output: np.ndarray | float, cache: tuple[Any, ...]) -> np.ndarray:
    """Return the gradient of the loss for input.

    Examples
    --------
    >>> _, cache = cross_entropy(np.array([[0.0, 0.0], [10000.0, 0.0]]), np.array([1, 0]))
    >>> cross_entropy_backward(1.0, cache)
    array([[ 0.25, -0.25],
           [ 0.  ,  0.  ]])
    """
    if len(cache) != 4:
        return F.cross_entropy_backward(grad_output, cache)
    probability, target, divisor, reduction = cache
    loss_shape = target.shape if reduction == "none" else ()
    scale = _check.grad_output(grad_output, loss_shape, probability.dtype) / divisor

    grad_input: np.ndarray = probability * (scale[:, None] if loss_shape else scale)
    grad_input[np.arange(len(target)), target] -= scale
    return grad_input


def _is_plain(input: Any, target: Any, ignore_index: Any) -> bool:
    """Whether these are logits (N, C) and as many labels, all in range and none ignored."""
    return (
        type(input) is type(target) is np.ndarray
        and input.ndim == 2
        and input.size > 0
        and input.dtype in _check.FLOATS
        and target.dtype.kind in "iu"
        and target.shape == input.shape[:1]
        and isinstance(ignore_index, int)
        and ignore_index < 0
        and bool(target.min() >= 0)
        and bool(target.max() < input.shape[1])
    )
