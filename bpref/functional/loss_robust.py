"""Losses of a regression that large errors influence less than they influence `mse_loss`."""

from __future__ import annotations

import numpy as np

from bpref import _check


# --8<-- [start:l1_loss]
def l1_loss(
    input: np.ndarray, target: np.ndarray, reduction: str = "mean"
) -> tuple[np.ndarray | np.floating, tuple[np.ndarray, str]]:
    """Return the absolute error; "mean" divides by the number of elements.

    Parameters
    ----------
    input : ndarray, any shape, float32 or float64
        The prediction ŷ.
    target : ndarray, shape and dtype of input
        The label y; it is not broadcast.
    reduction : {"mean", "sum", "none"}
        What becomes of the single losses.

    Returns
    -------
    loss : scalar, or ndarray with the shape of input for "none"
        For (N, m) and "mean": J = 1/(N m) Σ |ŷ − y|.
    cache : tuple
        (error ŷ − y, reduction).

    Raises
    ------
    TypeError
        If a dtype is not float32 or float64, or the two differ.
    ValueError
        If the shapes differ or the reduction is unknown.

    Examples
    --------
    >>> loss, cache = l1_loss(np.array([[1.0], [4.0]]), np.array([[0.0], [1.0]]))
    >>> float(loss)
    2.0
    """
    input, target = _check.floats(input=input, target=target)
    _check.shape("target", target, input.shape)
    divisor = _check.divisor(reduction, input.size)

    error = input - target
    loss = np.abs(error)
    if reduction != "none":
        loss = loss.sum() / divisor
    return loss, (error, reduction)


# --8<-- [end:l1_loss]


# --8<-- [start:l1_loss_backward]
def l1_loss_backward(grad_output: np.ndarray | float, cache: tuple[np.ndarray, str]) -> np.ndarray:
    """Return ∂J/∂ŷ = sign(ŷ − y) / (N m); without the divisor for "sum" and "none".

    Parameters
    ----------
    grad_output : scalar, or ndarray with the shape of the loss
        1.0 for a final loss.
    cache : tuple
        What `l1_loss` returned.

    Returns
    -------
    grad_input : ndarray, shape of input
        0 where ŷ = y, as in PyTorch.

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the loss.

    Examples
    --------
    >>> _, cache = l1_loss(np.array([3.0, 5.0, 0.0, 0.0]), np.array([1.0, 5.0, 1.0, 1.0]))
    >>> l1_loss_backward(1.0, cache)
    array([ 0.25,  0.  , -0.25, -0.25])
    """
    error, reduction = cache
    loss_shape = error.shape if reduction == "none" else ()
    grad_output = _check.grad_output(grad_output, loss_shape, error.dtype)
    grad_input: np.ndarray = grad_output * np.sign(error) / _check.divisor(reduction, error.size)
    return grad_input


# --8<-- [end:l1_loss_backward]


# --8<-- [start:smooth_l1_loss]
def smooth_l1_loss(
    input: np.ndarray, target: np.ndarray, reduction: str = "mean", beta: float = 1.0
) -> tuple[np.ndarray | np.floating, tuple[np.ndarray, str, float]]:
    """Return e² / (2 β) where |e| < β and |e| − β/2 elsewhere, for the error e = ŷ − y.

    Parameters
    ----------
    input : ndarray, any shape, float32 or float64
        The prediction ŷ.
    target : ndarray, shape and dtype of input
        The label y; it is not broadcast.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the number of elements.
    beta : float, default 1.0
        β, where the parabola becomes a line; with 0 this is `l1_loss`.

    Returns
    -------
    loss : scalar, or ndarray with the shape of input for "none"
    cache : tuple
        (error ŷ − y, reduction, beta).

    Raises
    ------
    TypeError
        If a dtype is not float32 or float64, or the two differ, or beta is not a number.
    ValueError
        If the shapes differ, beta is below 0, or the reduction is unknown.

    Notes
    -----
    Source: R. Girshick, "Fast R-CNN" (2015), arXiv:1504.08083, for β = 1. With β = δ it is
    `huber_loss` divided by δ: here the slope of the lines is 1, there it is δ.

    Examples
    --------
    >>> loss, cache = smooth_l1_loss(np.array([0.5, 3.0]), np.array([0.0, 0.0]), reduction="none")
    >>> loss
    array([0.125, 2.5  ])
    """
    input, target = _check.floats(input=input, target=target)
    _check.shape("target", target, input.shape)
    divisor = _check.divisor(reduction, input.size)
    beta = _check.real("beta", beta, minimum=0.0)

    error = input - target
    loss = np.abs(error)
    if beta > 0.0:
        inside = np.minimum(loss, beta)  # the part of |e| on the parabola
        loss = 0.5 * inside * (inside / beta) + (loss - inside)
    if reduction != "none":
        loss = loss.sum() / divisor
    return loss, (error, reduction, beta)


# --8<-- [end:smooth_l1_loss]


# --8<-- [start:smooth_l1_loss_backward]
def smooth_l1_loss_backward(
    grad_output: np.ndarray | float, cache: tuple[np.ndarray, str, float]
) -> np.ndarray:
    """Return ∂J/∂ŷ: e / β between −β and β, −1 and 1 outside; for "mean" by the element count.

    Parameters
    ----------
    grad_output : scalar, or ndarray with the shape of the loss
        1.0 for a final loss.
    cache : tuple
        What `smooth_l1_loss` returned.

    Returns
    -------
    grad_input : ndarray, shape of input
        0 where ŷ = y, for β = 0 too, as in PyTorch.

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the loss.

    Examples
    --------
    >>> _, cache = smooth_l1_loss(np.array([0.5, 3.0]), np.array([0.0, 0.0]))
    >>> smooth_l1_loss_backward(1.0, cache)
    array([0.25, 0.5 ])
    """
    error, reduction, beta = cache
    loss_shape = error.shape if reduction == "none" else ()
    grad_output = _check.grad_output(grad_output, loss_shape, error.dtype)

    slope = np.clip(error, -beta, beta) / beta if beta > 0.0 else np.sign(error)
    grad_input: np.ndarray = grad_output * slope / _check.divisor(reduction, error.size)
    return grad_input


# --8<-- [end:smooth_l1_loss_backward]


# --8<-- [start:huber_loss]
def huber_loss(
    input: np.ndarray, target: np.ndarray, reduction: str = "mean", delta: float = 1.0
) -> tuple[np.ndarray | np.floating, tuple[np.ndarray, str, float]]:
    """Return e² / 2 where |e| < δ and δ (|e| − δ/2) elsewhere, for the error e = ŷ − y.

    Parameters
    ----------
    input : ndarray, any shape, float32 or float64
        The prediction ŷ.
    target : ndarray, shape and dtype of input
        The label y; it is not broadcast.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the number of elements.
    delta : float, default 1.0
        δ, where the parabola becomes a line.

    Returns
    -------
    loss : scalar, or ndarray with the shape of input for "none"
    cache : tuple
        (error ŷ − y, reduction, delta).

    Raises
    ------
    TypeError
        If a dtype is not float32 or float64, or the two differ, or delta is not a number.
    ValueError
        If the shapes differ, delta is not above 0, or the reduction is unknown.

    Notes
    -----
    Source: P. J. Huber, "Robust Estimation of a Location Parameter" (1964),
    DOI 10.1214/aoms/1177703732.

    Examples
    --------
    >>> loss, cache = huber_loss(np.array([0.5, 3.0]), np.array([0.0, 0.0]), "none", delta=2.0)
    >>> loss
    array([0.125, 4.   ])
    """
    input, target = _check.floats(input=input, target=target)
    _check.shape("target", target, input.shape)
    divisor = _check.divisor(reduction, input.size)
    delta = _check.positive("delta", delta)

    error = input - target
    distance = np.abs(error)
    inside = np.minimum(distance, delta)  # the part of |e| on the parabola
    loss = 0.5 * inside * inside + delta * (distance - inside)
    if reduction != "none":
        loss = loss.sum() / divisor
    return loss, (error, reduction, delta)


# --8<-- [end:huber_loss]


# --8<-- [start:huber_loss_backward]
def huber_loss_backward(
    grad_output: np.ndarray | float, cache: tuple[np.ndarray, str, float]
) -> np.ndarray:
    """Return ∂J/∂ŷ = e cut off at −δ and δ, divided by the number of elements for "mean".

    Parameters
    ----------
    grad_output : scalar, or ndarray with the shape of the loss
        1.0 for a final loss.
    cache : tuple
        What `huber_loss` returned.

    Returns
    -------
    grad_input : ndarray, shape of input

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the loss.

    Examples
    --------
    >>> _, cache = huber_loss(np.array([0.5, 3.0]), np.array([0.0, 0.0]), delta=2.0)
    >>> huber_loss_backward(1.0, cache)
    array([0.25, 1.  ])
    """
    error, reduction, delta = cache
    loss_shape = error.shape if reduction == "none" else ()
    grad_output = _check.grad_output(grad_output, loss_shape, error.dtype)

    slope = np.clip(error, -delta, delta)
    grad_input: np.ndarray = grad_output * slope / _check.divisor(reduction, error.size)
    return grad_input


# --8<-- [end:huber_loss_backward]
