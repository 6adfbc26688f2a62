"""Losses J and their backward passes; reductions as in PyTorch.

"none" gives one loss per element (or per sample), "sum" adds them, "mean" divides the sum by
their number. The mean over an empty batch is nan and its gradient is empty, as in PyTorch.
The gradient flows to `input` only; labels are constants.
"""

from __future__ import annotations

import numpy as np

from bpref import _check


# --8<-- [start:mse_loss]
def mse_loss(
    input: np.ndarray, target: np.ndarray, reduction: str = "mean"
) -> tuple[np.ndarray | np.floating, tuple[np.ndarray, str]]:
    """Return the squared error; "mean" divides by the number of elements.

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
        For (N, m) and "mean": J = 1/(N m) Σ (ŷ − y)².
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
    >>> loss, cache = mse_loss(np.array([[1.0], [4.0]]), np.array([[0.0], [1.0]]))
    >>> float(loss)
    5.0
    """
    input, target = _check.floats(input=input, target=target)
    _check.shape("target", target, input.shape)
    divisor = _check.divisor(reduction, input.size)

    error = input - target
    loss = error * error
    if reduction != "none":
        loss = loss.sum() / divisor
    return loss, (error, reduction)


# --8<-- [end:mse_loss]


# --8<-- [start:mse_loss_backward]
def mse_loss_backward(grad_output: np.ndarray | float, cache: tuple[np.ndarray, str]) -> np.ndarray:
    """Return ∂J/∂ŷ = 2 (ŷ − y) / (N m); without the divisor for "sum" and "none".

    Parameters
    ----------
    grad_output : scalar, or ndarray with the shape of the loss
        1.0 for a final loss.
    cache : tuple
        What `mse_loss` returned.

    Returns
    -------
    grad_input : ndarray, shape of input

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the loss.

    Examples
    --------
    >>> _, cache = mse_loss(np.array([[1.0], [4.0]]), np.array([[0.0], [1.0]]))
    >>> mse_loss_backward(1.0, cache)
    array([[1.],
           [3.]])
    """
    error, reduction = cache
    loss_shape = error.shape if reduction == "none" else ()
    grad_output = _check.grad_output(grad_output, loss_shape, error.dtype)
    grad_input: np.ndarray = grad_output * 2.0 * error / _check.divisor(reduction, error.size)
    return grad_input


# --8<-- [end:mse_loss_backward]


# --8<-- [start:half_mse_loss]
def half_mse_loss(
    input: np.ndarray, target: np.ndarray, reduction: str = "mean"
) -> tuple[np.ndarray | np.floating, tuple[np.ndarray, str]]:
    """Return half the squared distance per sample; "mean" divides by the batch size N.

    Parameters
    ----------
    input : ndarray, shape (N, ...), float32 or float64
        The prediction ŷ; usually (N, m).
    target : ndarray, shape and dtype of input
        The label y; it is not broadcast.
    reduction : {"mean", "sum", "none"}
        What becomes of the single losses.

    Returns
    -------
    loss : scalar, or ndarray of shape (N,) for "none"
        For "mean": J = 1/(2N) Σᵢ ‖ŷᵢ − yᵢ‖², which is m/2 times `mse_loss`.
    cache : tuple
        (error ŷ − y, reduction).

    Raises
    ------
    TypeError
        If a dtype is not float32 or float64, or the two differ.
    ValueError
        If the shapes differ, there is no batch axis, or the reduction is unknown.

    Notes
    -----
    Source: "Derivation, one layer", the loss J. PyTorch has no such loss.

    Examples
    --------
    >>> loss, cache = half_mse_loss(np.array([[1.0], [4.0]]), np.array([[0.0], [1.0]]))
    >>> float(loss)
    2.5
    """
    input, target = _check.floats(input=input, target=target)
    _check.batch("input", input)
    _check.shape("target", target, input.shape)
    divisor = _check.divisor(reduction, len(input))

    error = input - target
    loss = 0.5 * (error * error).sum(axis=tuple(range(1, error.ndim)))  # (N,)
    if reduction != "none":
        loss = loss.sum() / divisor
    return loss, (error, reduction)


# --8<-- [end:half_mse_loss]


# --8<-- [start:half_mse_loss_backward]
def half_mse_loss_backward(
    grad_output: np.ndarray | float, cache: tuple[np.ndarray, str]
) -> np.ndarray:
    """Return ∂J/∂ŷ = (ŷ − y) / N; without the divisor for "sum" and "none".

    Parameters
    ----------
    grad_output : scalar, or ndarray of shape (N,) for "none"
        1.0 for a final loss.
    cache : tuple
        What `half_mse_loss` returned.

    Returns
    -------
    grad_input : ndarray, shape of input

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the loss.

    Notes
    -----
    Source: "The model: network, activations, losses", section "Half mean squared error".

    Examples
    --------
    >>> _, cache = half_mse_loss(np.array([[1.0], [4.0]]), np.array([[0.0], [1.0]]))
    >>> half_mse_loss_backward(1.0, cache)
    array([[0.5],
           [1.5]])
    """
    error, reduction = cache
    loss_shape = error.shape[:1] if reduction == "none" else ()
    grad_output = _check.grad_output(grad_output, loss_shape, error.dtype)
    per_sample = grad_output.reshape(loss_shape + (1,) * (error.ndim - 1))
    grad_input: np.ndarray = per_sample * error / _check.divisor(reduction, len(error))
    return grad_input


# --8<-- [end:half_mse_loss_backward]


# --8<-- [start:binary_cross_entropy_with_logits]
def binary_cross_entropy_with_logits(
    input: np.ndarray, target: np.ndarray, reduction: str = "mean"
) -> tuple[np.ndarray | np.floating, tuple[np.ndarray, np.ndarray, str]]:
    """Return −y log σ(a) − (1 − y) log(1 − σ(a)), computed from the logit a.

    Parameters
    ----------
    input : ndarray, any shape, float32 or float64
        The logits a, before the sigmoid.
    target : ndarray, shape and dtype of input
        The labels y, from 0 to 1.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the number of elements.

    Returns
    -------
    loss : scalar, or ndarray with the shape of input for "none"
    cache : tuple
        (probability σ(a), target, reduction).

    Raises
    ------
    TypeError
        If a dtype is not float32 or float64, or the two differ.
    ValueError
        If the shapes differ, a label lies outside [0, 1], or the reduction is unknown.

    Notes
    -----
    The equal form max(a, 0) − a y + log(1 + exp(−|a|)) never overflows.

    Examples
    --------
    >>> logits, labels = np.array([0.0, 10000.0]), np.array([1.0, 1.0])
    >>> loss, cache = binary_cross_entropy_with_logits(logits, labels, reduction="none")
    >>> loss.round(6)
    array([0.693147, 0.      ])
    """
    input, target = _check.floats(input=input, target=target)
    _check.shape("target", target, input.shape)
    _check.probabilities("target", target)
    divisor = _check.divisor(reduction, input.size)

    decay = np.exp(-np.abs(input))  # in (0, 1]
    probability = np.where(input >= 0, 1.0, decay) / (1.0 + decay)
    loss = np.maximum(input, 0.0) - input * target + np.log1p(decay)
    if reduction != "none":
        loss = loss.sum() / divisor
    return loss, (probability, target, reduction)


# --8<-- [end:binary_cross_entropy_with_logits]


# --8<-- [start:binary_cross_entropy_with_logits_backward]
def binary_cross_entropy_with_logits_backward(
    grad_output: np.ndarray | float, cache: tuple[np.ndarray, np.ndarray, str]
) -> np.ndarray:
    """Return ∂J/∂a = σ(a) − y, divided by the number of elements for "mean".

    Parameters
    ----------
    grad_output : scalar, or ndarray with the shape of the loss
        1.0 for a final loss.
    cache : tuple
        What `binary_cross_entropy_with_logits` returned.

    Returns
    -------
    grad_input : ndarray, shape of input

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the loss.

    Examples
    --------
    >>> logits, labels = np.array([0.0, 10000.0]), np.array([1.0, 1.0])
    >>> _, cache = binary_cross_entropy_with_logits(logits, labels)
    >>> binary_cross_entropy_with_logits_backward(1.0, cache)
    array([-0.25,  0.  ])
    """
    probability, target, reduction = cache
    loss_shape = target.shape if reduction == "none" else ()
    grad_output = _check.grad_output(grad_output, loss_shape, target.dtype)
    grad_input: np.ndarray = (
        grad_output * (probability - target) / _check.divisor(reduction, target.size)
    )
    return grad_input


# --8<-- [end:binary_cross_entropy_with_logits_backward]


# --8<-- [start:cross_entropy]
def cross_entropy(
    input: np.ndarray, target: np.ndarray, reduction: str = "mean"
) -> tuple[np.ndarray | np.floating, tuple[np.ndarray, np.ndarray, str]]:
    """Return −log softmax(a)[y] per sample: softmax and cross-entropy in one.

    Parameters
    ----------
    input : ndarray, shape (N, C), float32 or float64
        The logits a of C classes, before the softmax.
    target : ndarray, shape (N,), integer
        The class labels y, from 0 to C − 1. PyTorch's ``ignore_index`` does not exist here.
    reduction : {"mean", "sum", "none"}
        "mean" divides by N.

    Returns
    -------
    loss : scalar, or ndarray of shape (N,) for "none"
    cache : tuple
        (log-probabilities (N, C), target, reduction).

    Raises
    ------
    TypeError
        If input is not float32 or float64, or target is not integer.
    ValueError
        If a shape does not fit, a label is out of range, or the reduction is unknown.

    Notes
    -----
    Subtracting the largest logit of each row changes nothing and keeps exp from overflowing.

    Examples
    --------
    >>> logits, labels = np.array([[0.0, 0.0], [10000.0, 0.0]]), np.array([1, 0])
    >>> loss, cache = cross_entropy(logits, labels)
    >>> round(float(loss), 6)
    0.346574
    """
    (input,) = _check.floats(input=input)
    _check.logits("input", input)
    target = _check.labels(target, *input.shape)
    divisor = _check.divisor(reduction, len(input))

    shifted = input - input.max(axis=1, keepdims=True)
    log_probability = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -log_probability[np.arange(len(target)), target]  # (N,)
    if reduction != "none":
        loss = loss.sum() / divisor
    return loss, (log_probability, target, reduction)


# --8<-- [end:cross_entropy]


# --8<-- [start:cross_entropy_backward]
def cross_entropy_backward(
    grad_output: np.ndarray | float, cache: tuple[np.ndarray, np.ndarray, str]
) -> np.ndarray:
    """Return ∂J/∂a = softmax(a) − one-hot(y), divided by N for "mean".

    Parameters
    ----------
    grad_output : scalar, or ndarray of shape (N,) for "none"
        1.0 for a final loss.
    cache : tuple
        What `cross_entropy` returned.

    Returns
    -------
    grad_input : ndarray, shape (N, C)

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the loss.

    Examples
    --------
    >>> _, cache = cross_entropy(np.array([[0.0, 0.0], [10000.0, 0.0]]), np.array([1, 0]))
    >>> cross_entropy_backward(1.0, cache)
    array([[ 0.25, -0.25],
           [ 0.  ,  0.  ]])
    """
    log_probability, target, reduction = cache
    loss_shape = target.shape if reduction == "none" else ()
    grad_output = _check.grad_output(grad_output, loss_shape, log_probability.dtype)

    error = np.exp(log_probability)
    error[np.arange(len(target)), target] -= 1.0
    grad_input: np.ndarray = grad_output[..., None] * error
    return grad_input / _check.divisor(reduction, len(target))


# --8<-- [end:cross_entropy_backward]
