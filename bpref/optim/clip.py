"""Gradients made smaller before the step, as `torch.nn.utils` does."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from bpref import _check
from bpref.nn.parameter import Parameter
from bpref.optim.optimizer import check_parameters


# --8<-- [start:clip_grad_norm_]
def clip_grad_norm_(
    parameters: Parameter | Iterable[Parameter],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> float:
    """Scale all gradients by one factor, so that their common norm is at most max_norm.

    The factor is min(1, max_norm / (norm + 1e-6)): the direction stays.

    Parameters
    ----------
    parameters : Parameter or iterable of Parameter
        ``model.parameters()``; their gradients are changed in place.
    max_norm : float
        At least 0; with ``math.inf`` gradients of finite norm are only measured.
    norm_type : float, default 2
        p of the p-norm, above 0; ``math.inf`` for the largest absolute value.
    error_if_nonfinite : bool, default False
        Whether a norm of inf or nan is an error. Without it, an infinite norm makes all finite
        gradients 0 and a norm of nan makes all of them nan, as in PyTorch.

    Returns
    -------
    float
        The norm of all gradients together, before clipping.

    Raises
    ------
    TypeError
        If parameters holds something else than parameters, or a number is not one.
    ValueError
        If there is no parameter or one comes twice, or a number is out of range.
    RuntimeError
        If error_if_nonfinite and the norm is inf or nan; nothing is changed then.

    Notes
    -----
    Source: R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training Recurrent Neural
    Networks", ICML 2013, arXiv:1211.5063, algorithm 1.

    Powers are taken relative to the largest gradient, so that no large one overflows.

    Examples
    --------
    >>> a, b = Parameter(np.zeros(1)), Parameter(np.zeros(1))
    >>> a.grad, b.grad = np.array([30.0]), np.array([40.0])
    >>> clip_grad_norm_([a, b], max_norm=1.0)
    50.0
    >>> float(a.grad[0].round(6)), float(b.grad[0].round(6))
    (0.6, 0.8)
    """
    grads = _gradients(parameters)
    max_norm = _bound("max_norm", max_norm)
    norm_type = _bound("norm_type", norm_type)
    if norm_type == 0:
        raise ValueError("norm_type: expected a number above 0, got 0.0")
    total = _norm(grads, norm_type)
    if error_if_nonfinite and not math.isfinite(total):
        raise RuntimeError(f"parameters: expected gradients with a finite norm, got {total}")
    factor = float(np.minimum(max_norm / (total + 1e-6), 1.0))  # unlike min, it keeps nan
    with np.errstate(invalid="ignore"):  # inf · 0
        for grad in grads:
            grad *= factor
    return total


# --8<-- [end:clip_grad_norm_]


# --8<-- [start:clip_grad_value_]
def clip_grad_value_(parameters: Parameter | Iterable[Parameter], clip_value: float) -> None:
    """Move every element of the gradients into [−clip_value, clip_value].

    Unlike `clip_grad_norm_` this changes the direction.

    Parameters
    ----------
    parameters : Parameter or iterable of Parameter
        ``model.parameters()``; their gradients are changed in place.
    clip_value : float
        At least 0.

    Raises
    ------
    TypeError
        If parameters holds something else than parameters, or clip_value is not a number.
    ValueError
        If there is no parameter or one comes twice, or clip_value is negative or nan.

    Examples
    --------
    >>> theta = Parameter(np.zeros(3))
    >>> theta.grad = np.array([-7.0, 0.5, 2.0])
    >>> clip_grad_value_(theta, 1.0)
    >>> theta.grad
    array([-1. ,  0.5,  1. ])
    """
    grads = _gradients(parameters)
    bound = _bound("clip_value", clip_value)
    for grad in grads:
        np.clip(grad, -bound, bound, out=grad)


# --8<-- [end:clip_grad_value_]


def _gradients(parameters: Parameter | Iterable[Parameter]) -> list[np.ndarray]:
    if isinstance(parameters, Parameter):
        parameters = [parameters]
    return [p.grad for p in check_parameters("parameters", parameters)]


def _bound(name: str, value: Any) -> float:
    """Return `value` when it is a number from 0 to inf."""
    if isinstance(value, float) and value == math.inf:
        return math.inf
    return _check.real(name, value, minimum=0.0)


def _norm(grads: list[np.ndarray], p: float) -> float:
    peak = float(np.max([np.abs(grad).max(initial=0.0) for grad in grads]))
    if p == math.inf or peak == 0 or not math.isfinite(peak):
        return peak
    powers = sum(float(np.sum((np.abs(grad) / peak) ** p)) for grad in grads)
    return float(peak * powers ** (1 / p))
