"""Losses of predicted log-probabilities: likelihood of labels, distance of distributions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bpref import _check
from bpref.functional.loss import class_labels


# --8<-- [start:nll_loss]
def nll_loss(
    input: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> tuple[np.ndarray | np.floating, tuple[Any, ...]]:
    """Return −log p[y] per sample, from log-probabilities; `cross_entropy` takes logits.

    Parameters
    ----------
    input : ndarray, shape (N, C), (C,) or (N, C, d1, ...), float32 or float64
        The log-probabilities log p of C classes, as `log_softmax` returns them.
    target : ndarray, shape of input without the C, integer
        The class labels y, from 0 to C − 1.
    weight : ndarray, shape (C,), dtype of input, optional
        A factor for each class.
    ignore_index : int, default -100
        Samples with this label have no loss and no gradient.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the summed weights of the labels that are not ignored, which is their
        number without weights.

    Returns
    -------
    loss : scalar, or ndarray with the shape of target for "none"
    cache : tuple
        (labels, which of them count, their weights, shape of input, divisor, reduction).

    Raises
    ------
    TypeError
        If input or weight is not float32 or float64, their dtypes differ, or target is not
        integer.
    ValueError
        If a shape does not fit, a label is out of range, or the reduction is unknown.

    Notes
    -----
    A common mistake: passing probabilities. The loss is then a negative number without a warning.

    Examples
    --------
    >>> log_p = np.log(np.array([[0.5, 0.5], [0.2, 0.8]]))
    >>> loss, cache = nll_loss(log_p, np.array([0, 1]), reduction="none")
    >>> loss.round(6)
    array([0.693147, 0.223144])
    """
    input, weight, axis = _check.class_scores(input, weight)
    labels, counted, factor = class_labels(input, axis, target, weight, ignore_index)
    divisor = _check.divisor(reduction, float(factor.sum()))

    picked = np.take_along_axis(input, np.expand_dims(labels, axis), axis).squeeze(axis)
    loss = factor * np.where(factor == 0.0, 0.0, -picked)  # what does not count may be −inf
    if reduction != "none":
        loss = loss.sum() / divisor
    return loss, (labels, counted, factor, input.shape, divisor, reduction)


# --8<-- [end:nll_loss]


# --8<-- [start:nll_loss_backward]
def nll_loss_backward(grad_output: np.ndarray | float, cache: tuple[Any, ...]) -> np.ndarray:
    """Return −1 at the label of each sample and 0 elsewhere, divided as the loss is.

    Parameters
    ----------
    grad_output : scalar, or ndarray with the shape of the loss
        1.0 for a final loss.
    cache : tuple
        What `nll_loss` returned.

    Returns
    -------
    grad_input : ndarray, shape of input
        Times the weight of the label where there are weights.

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the loss.

    Examples
    --------
    >>> _, cache = nll_loss(np.log(np.array([[0.5, 0.5], [0.2, 0.8]])), np.array([0, 1]))
    >>> nll_loss_backward(1.0, cache)
    array([[-0.5,  0. ],
           [ 0. , -0.5]])
    """
    labels, counted, factor, shape, divisor, reduction = cache
    axis = min(1, len(shape) - 1)
    loss_shape = labels.shape if reduction == "none" else ()
    grad_output = _check.grad_output(grad_output, loss_shape, factor.dtype)

    at_label = np.where(counted, -factor * (grad_output / divisor), 0.0)
    grad_input = np.zeros(shape, factor.dtype)
    np.put_along_axis(
        grad_input, np.expand_dims(labels, axis), np.expand_dims(at_label, axis), axis
    )
    return grad_input


# --8<-- [end:nll_loss_backward]


# --8<-- [start:kl_div]
def kl_div(
    input: np.ndarray, target: np.ndarray, reduction: str = "mean", log_target: bool = False
) -> tuple[np.ndarray | np.floating, tuple[np.ndarray, str]]:
    """Return q (log q − log p): the Kullback-Leibler divergence of p from q, element by element.

    Parameters
    ----------
    input : ndarray, any shape, float32 or float64
        The predicted log-probabilities log p, as `log_softmax` returns them.
    target : ndarray, shape and dtype of input
        The probabilities q, from 0 to 1, or log q with log_target.
    reduction : {"mean", "sum", "none", "batchmean"}
        "batchmean" divides the sum by the size N of the first axis; "mean" divides it by the
        number of elements.
    log_target : bool, default False
        Whether target holds log q.

    Returns
    -------
    loss : scalar, or ndarray with the shape of input for "none"
    cache : tuple
        (q, reduction).

    Raises
    ------
    TypeError
        If a dtype is not float32 or float64, or the two differ.
    ValueError
        If the shapes differ, a probability lies outside [0, 1], or the reduction is unknown.

    Notes
    -----
    The divergence of two distributions is the sum over the classes: use "batchmean" for its
    mean over a batch (N, C). "mean", the default as in PyTorch, is smaller by the factor C.
    Source: S. Kullback and R. A. Leibler, "On Information and Sufficiency" (1951),
    DOI 10.1214/aoms/1177729694.

    Examples
    --------
    >>> p, q = np.array([[0.5, 0.5]]), np.array([[1.0, 0.0]])
    >>> loss, cache = kl_div(np.log(p), q, reduction="batchmean")
    >>> round(float(loss), 6)
    0.693147
    """
    input, target = _check.floats(input=input, target=target)
    _check.shape("target", target, input.shape)
    if not log_target:
        _check.probabilities("target", target)
    divisor = _kl_divisor(reduction, input.shape)

    if log_target:
        q, log_q = np.asarray(np.exp(target)), target
    else:
        q, log_q = target, np.log(np.where(target == 0.0, 1.0, target))  # 0 · log 0 counts as 0
    loss = q * (log_q - input)
    if reduction != "none":
        loss = loss.sum() / divisor
    return loss, (q, reduction)


KL_REDUCTIONS = (*_check.REDUCTIONS, "batchmean")


def _kl_divisor(reduction: str, shape: tuple[int, ...]) -> float:
    _check.known_reduction(reduction, KL_REDUCTIONS)
    if reduction == "batchmean":
        return _check.divisor("mean", shape[0] if shape else 1)
    return _check.divisor(reduction, math.prod(shape))


# --8<-- [end:kl_div]


# --8<-- [start:kl_div_backward]
def kl_div_backward(grad_output: np.ndarray | float, cache: tuple[np.ndarray, str]) -> np.ndarray:
    """Return ∂J/∂(log p) = −q, divided as the loss is.

    Parameters
    ----------
    grad_output : scalar, or ndarray with the shape of the loss
        1.0 for a final loss.
    cache : tuple
        What `kl_div` returned.

    Returns
    -------
    grad_input : ndarray, shape of input
        target is a constant; in PyTorch it can have a gradient, too.

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the loss.

    Examples
    --------
    >>> p, q = np.array([[0.5, 0.5]]), np.array([[1.0, 0.0]])
    >>> _, cache = kl_div(np.log(p), q, reduction="batchmean")
    >>> kl_div_backward(1.0, cache)
    array([[-1., -0.]])
    """
    q, reduction = cache
    loss_shape = q.shape if reduction == "none" else ()
    grad_output = _check.grad_output(grad_output, loss_shape, q.dtype)
    grad_input: np.ndarray = grad_output * -q / _kl_divisor(reduction, q.shape)
    return grad_input


# --8<-- [end:kl_div_backward]
