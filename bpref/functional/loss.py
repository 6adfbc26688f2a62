"""Losses J and their backward passes; reductions as in PyTorch.

"none" gives one loss per element (or per sample), "sum" adds them, "mean" divides the sum by
their number. The mean over an empty batch is nan and its gradient is empty, as in PyTorch.
The gradient flows to `input` only; labels and weights are constants. More losses are in the
files next to this one, ``loss_*.py``.
"""

from __future__ import annotations

from typing import Any

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
    input: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None = None,
    reduction: str = "mean",
    pos_weight: np.ndarray | None = None,
) -> tuple[np.ndarray | np.floating, tuple[Any, ...]]:
    """Return −y log σ(a) − (1 − y) log(1 − σ(a)), computed from the logit a.

    Parameters
    ----------
    input : ndarray, any shape, float32 or float64
        The logits a, before the sigmoid.
    target : ndarray, shape and dtype of input
        The labels y, from 0 to 1.
    weight : ndarray, dtype of input, optional
        Factors of the losses; its shape broadcasts to that of input.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the number of elements, whatever the weights are.
    pos_weight : ndarray, dtype of input, optional
        Factors p of the first term, usually of shape (classes,): p > 1 counts a missed positive
        more. Its shape broadcasts to that of input.

    Returns
    -------
    loss : scalar, or ndarray with the shape of input for "none"
    cache : tuple
        (probability σ(a), target, weight, pos_weight, reduction).

    Raises
    ------
    TypeError
        If a dtype is not float32 or float64, or they differ.
    ValueError
        If a shape does not fit, a label lies outside [0, 1], or the reduction is unknown.

    Notes
    -----
    −log σ(a) = max(−a, 0) + log(1 + exp(−|a|)), and the same with −a for −log(1 − σ(a)), never
    overflow.

    Examples
    --------
    >>> logits, labels = np.array([0.0, 10000.0]), np.array([1.0, 1.0])
    >>> loss, cache = binary_cross_entropy_with_logits(logits, labels, reduction="none")
    >>> loss.round(6)
    array([0.693147, 0.      ])
    """
    _check.not_text(weight=weight, pos_weight=pos_weight)
    input, target, weight, pos_weight = _check.optional_floats(
        input=input, target=target, weight=weight, pos_weight=pos_weight
    )
    _check.shape("target", target, input.shape)
    _check.probabilities("target", target)
    for name, factor in (("weight", weight), ("pos_weight", pos_weight)):
        if factor is not None:
            _check.broadcastable(name, factor, input.shape)
    divisor = _check.divisor(reduction, input.size)

    decay = np.exp(-np.abs(input))  # in (0, 1]
    probability = np.where(input >= 0, 1.0, decay) / (1.0 + decay)
    tail = np.log1p(decay)
    if_positive = np.maximum(-input, 0.0) + tail  # −log σ(a)
    if_negative = np.maximum(input, 0.0) + tail  # −log(1 − σ(a))
    if pos_weight is not None:
        if_positive = pos_weight * if_positive
    loss = target * if_positive + (1.0 - target) * if_negative
    if weight is not None:
        loss = weight * loss
    if reduction != "none":
        loss = loss.sum() / divisor
    return loss, (probability, target, weight, pos_weight, reduction)


# --8<-- [end:binary_cross_entropy_with_logits]


# --8<-- [start:binary_cross_entropy_with_logits_backward]
def binary_cross_entropy_with_logits_backward(
    grad_output: np.ndarray | float, cache: tuple[Any, ...]
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
        With pos_weight p: (1 − y) σ(a) − p y (1 − σ(a)); times weight where there is one.

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
    probability, target, weight, pos_weight, reduction = cache
    loss_shape = target.shape if reduction == "none" else ()
    grad_output = _check.grad_output(grad_output, loss_shape, target.dtype)

    if pos_weight is None:
        error = probability - target
    else:
        missing = pos_weight * (1.0 - probability)
        error = (1.0 - target) * probability - target * missing
    if weight is not None:
        error = weight * error
    grad_input: np.ndarray = grad_output * error / _check.divisor(reduction, target.size)
    return grad_input


# --8<-- [end:binary_cross_entropy_with_logits_backward]


# --8<-- [start:cross_entropy]
def cross_entropy(
    input: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> tuple[np.ndarray | np.floating, tuple[Any, ...]]:
    """Return −Σ q log softmax(a) per sample: softmax and cross-entropy in one.

    q is one-hot, −log softmax(a)[y], for a class label y.

    Parameters
    ----------
    input : ndarray, shape (N, C), (C,) or (N, C, d1, ...), float32 or float64
        The logits a of C classes, before the softmax.
    target : ndarray
        Integer class labels y from 0 to C − 1, of the shape of input without the C; or the
        probabilities q of the classes, from 0 to 1, of the shape and dtype of input.
    weight : ndarray, shape (C,), dtype of input, optional
        A factor for each class.
    ignore_index : int, default -100
        Samples with this label have no loss and no gradient. Not for probabilities.
    reduction : {"mean", "sum", "none"}
        For labels, "mean" divides by the summed weights of the labels that are not ignored,
        which is their number without weights; for probabilities by the number of samples.
    label_smoothing : float, default 0.0
        ε from 0 to 1: q becomes (1 − ε) q + ε / C.

    Returns
    -------
    loss : scalar, or ndarray with the shape of input without the C for "none"
    cache : tuple
        (log-probabilities, weighted q, which samples count, divisor, reduction).

    Raises
    ------
    TypeError
        If input, weight or probabilities are not float32 or float64, or their dtypes differ; if
        labels are not integer.
    ValueError
        If a shape does not fit, a label or probability is out of range, ignore_index meets
        probabilities, label_smoothing lies outside [0, 1], or the reduction is unknown.

    Notes
    -----
    Subtracting the largest logit of each sample changes nothing and keeps exp from overflowing.

    Examples
    --------
    >>> logits, labels = np.array([[0.0, 0.0], [10000.0, 0.0]]), np.array([1, 0])
    >>> loss, cache = cross_entropy(logits, labels)
    >>> round(float(loss), 6)
    0.346574
    """
    input, weight, axis = _check.class_scores(input, weight)
    q, counted, total = _wanted(input, axis, target, weight, ignore_index, label_smoothing)
    divisor = _check.divisor(reduction, total)

    shifted = input - input.max(axis=axis, keepdims=True)
    log_probability = shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))
    # 0 · log 0 counts as 0: a logit of −inf rules a class out.
    products = q * np.where(q == 0.0, 0.0, log_probability)
    loss = np.where(counted, -products.sum(axis=axis), 0.0)
    if reduction != "none":
        loss = loss.sum() / divisor
    return loss, (log_probability, q, counted, divisor, reduction)


def _wanted(
    input: np.ndarray,
    axis: int,
    target: Any,
    weight: np.ndarray | None,
    ignore_index: int,
    label_smoothing: float,
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the weighted q, which samples count, and what "mean" divides by."""
    smoothing = _check.fraction("label_smoothing", label_smoothing)
    target = _check.array("target", target)
    q = np.zeros_like(input)
    if target.shape == input.shape:
        input, target = _check.floats(input=input, target=target)
        _check.probabilities("target", target)
        if _check.integer("ignore_index", ignore_index) >= 0:
            raise ValueError(
                f"ignore_index: expected no class with probabilities as target, got {ignore_index}"
            )
        q[...] = target
        counted = np.full(input.shape[:axis] + input.shape[axis + 1 :], True)
        total = float(counted.size)
    else:
        labels, counted, factor = class_labels(input, axis, target, weight, ignore_index)
        np.put_along_axis(q, np.expand_dims(labels, axis), 1.0, axis)
        total = float(factor.sum())
    if smoothing > 0.0:
        q = (1.0 - smoothing) * q + smoothing / input.shape[axis]
    if weight is not None:
        q = q * weight.reshape(weight.size, *[1] * (input.ndim - axis - 1))
    return q, counted, total


def class_labels(
    input: np.ndarray,
    axis: int,
    target: Any,
    weight: np.ndarray | None,
    ignore_index: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the labels, with 0 where they are ignored; which ones count; the weight of each."""
    shape = input.shape[:axis] + input.shape[axis + 1 :]
    ignore_index = _check.integer("ignore_index", ignore_index)
    target = _check.labels("target", target, shape, input.shape[axis], ignore_index)
    counted = np.asarray(target != ignore_index)
    labels = np.where(counted, target, 0)
    class_weight = np.ones(input.shape[axis], input.dtype) if weight is None else weight
    factor = np.where(counted, class_weight[labels], 0.0)
    return labels, counted, factor


# --8<-- [end:cross_entropy]


# --8<-- [start:cross_entropy_backward]
def cross_entropy_backward(grad_output: np.ndarray | float, cache: tuple[Any, ...]) -> np.ndarray:
    """Return ∂J/∂a = softmax(a) − q, divided as the loss is; q is one-hot for a class label.

    Parameters
    ----------
    grad_output : scalar, or ndarray with the shape of the loss
        1.0 for a final loss.
    cache : tuple
        What `cross_entropy` returned.

    Returns
    -------
    grad_input : ndarray, shape of input

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
    log_probability, q, counted, divisor, reduction = cache
    axis = min(1, log_probability.ndim - 1)
    loss_shape = counted.shape if reduction == "none" else ()
    grad_output = _check.grad_output(grad_output, loss_shape, log_probability.dtype)

    # The sum of q is 1 unless there are class weights.
    error = np.exp(log_probability) * q.sum(axis=axis, keepdims=True) - q
    per_sample = np.where(counted, grad_output / divisor, 0.0)
    grad_input: np.ndarray = np.expand_dims(per_sample, axis) * error
    return grad_input


# --8<-- [end:cross_entropy_backward]
