"""Losses with a margin: what is right by more than the margin costs nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from bpref import _check


# --8<-- [start:hinge_embedding_loss]
def hinge_embedding_loss(
    input: np.ndarray, target: np.ndarray, margin: float = 1.0, reduction: str = "mean"
) -> tuple[np.ndarray | np.floating, tuple[np.ndarray, str]]:
    """Return x for the label 1 and max(0, margin − x) for the label −1.

    Parameters
    ----------
    input : ndarray, any shape, float32 or float64
        x, usually the distance of two embeddings: near for the label 1, far for −1.
    target : ndarray, shape and dtype of input
        The labels, 1 or −1.
    margin : float, default 1.0
        From this distance on, a pair with the label −1 costs nothing.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the number of elements.

    Returns
    -------
    loss : scalar, or ndarray with the shape of input for "none"
    cache : tuple
        (slope of each loss, reduction).

    Raises
    ------
    TypeError
        If a dtype is not float32 or float64, or the two differ, or margin is not a number.
    ValueError
        If the shapes differ, a label is not 1 or −1, or the reduction is unknown.

    Examples
    --------
    >>> distance, same = np.array([0.3, 0.3, 2.0]), np.array([1.0, -1.0, -1.0])
    >>> loss, cache = hinge_embedding_loss(distance, same, reduction="none")
    >>> loss
    array([0.3, 0.7, 0. ])
    """
    input, target = _check.floats(input=input, target=target)
    _check.shape("target", target, input.shape)
    _check.signs("target", target)
    margin = _check.real("margin", margin)
    divisor = _check.divisor(reduction, input.size)

    loss = np.where(target == 1.0, input, np.maximum(margin - input, 0.0))
    slope = np.zeros_like(input)
    slope[input <= margin] = -1.0
    slope[target == 1.0] = 1.0
    if reduction != "none":
        loss = loss.sum() / divisor
    return loss, (slope, reduction)


# --8<-- [end:hinge_embedding_loss]


# --8<-- [start:hinge_embedding_loss_backward]
def hinge_embedding_loss_backward(
    grad_output: np.ndarray | float, cache: tuple[np.ndarray, str]
) -> np.ndarray:
    """Return 1 for the label 1, −1 for the label −1 up to the margin, 0 beyond it.

    Parameters
    ----------
    grad_output : scalar, or ndarray with the shape of the loss
        1.0 for a final loss.
    cache : tuple
        What `hinge_embedding_loss` returned.

    Returns
    -------
    grad_input : ndarray, shape of input
        Divided by the number of elements for "mean". −1 at the kink x = margin, as in PyTorch.

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the loss.

    Examples
    --------
    >>> distance, same = np.array([0.3, 0.3, 2.0]), np.array([1.0, -1.0, -1.0])
    >>> _, cache = hinge_embedding_loss(distance, same, reduction="sum")
    >>> hinge_embedding_loss_backward(1.0, cache)
    array([ 1., -1.,  0.])
    """
    slope, reduction = cache
    loss_shape = slope.shape if reduction == "none" else ()
    grad_output = _check.grad_output(grad_output, loss_shape, slope.dtype)
    grad_input: np.ndarray = grad_output * slope / _check.divisor(reduction, slope.size)
    return grad_input


# --8<-- [end:hinge_embedding_loss_backward]


# --8<-- [start:multi_margin_loss]
def multi_margin_loss(
    input: np.ndarray,
    target: np.ndarray,
    p: int = 1,
    margin: float = 1.0,
    weight: np.ndarray | None = None,
    reduction: str = "mean",
) -> tuple[np.ndarray | np.floating, tuple[Any, ...]]:
    """Return Σ max(0, margin − x[y] + x[c])ᵖ / C over all classes c but the label y.

    Parameters
    ----------
    input : ndarray, shape (N, C) or (C,), float32 or float64
        The scores x of C classes.
    target : ndarray, shape (N,) or (), integer
        The class labels y, from 0 to C − 1.
    p : {1, 2}
        Whether the violations of the margin count as they are or squared.
    margin : float, default 1.0
        How much larger the score of the label has to be than any other.
    weight : ndarray, shape (C,), dtype of input, optional
        A factor for each label.
    reduction : {"mean", "sum", "none"}
        "mean" divides by N, whatever the weights are.

    Returns
    -------
    loss : scalar, or ndarray with the shape of target for "none"
    cache : tuple
        (violations of the margin, labels, their weights, p, reduction).

    Raises
    ------
    TypeError
        If input or weight is not float32 or float64, their dtypes differ, target or p is not
        integer, or margin is not a number.
    ValueError
        If a shape does not fit, a label is out of range, p is not 1 or 2, or the reduction is
        unknown.

    Notes
    -----
    The hinge loss of a support vector machine with many classes. Textbooks often leave out the
    division by C; PyTorch has it.
    Source: J. Weston and C. Watkins, "Support Vector Machines for Multi-Class Pattern
    Recognition", ESANN 1999.

    Examples
    --------
    >>> loss, cache = multi_margin_loss(np.array([[3.0, 2.5, 0.0]]), np.array([0]))
    >>> round(float(loss), 6)   # (max(0, 1 − 3 + 2.5) + max(0, 1 − 3 + 0)) / 3
    0.166667
    """
    input, weight, axis = _check.class_scores(input, weight)
    if input.ndim > 2:
        raise ValueError(f"input: expected shape (N, C) or (C,), got {input.shape}")
    classes = input.shape[axis]
    labels = _check.labels("target", target, input.shape[:axis], classes)
    p = _check.power("p", p)
    margin = _check.real("margin", margin)
    divisor = _check.divisor(reduction, labels.size)

    class_weight = np.ones(classes, input.dtype) if weight is None else weight
    factor = np.asarray(class_weight[labels])
    place = np.expand_dims(labels, axis)
    violation = np.maximum(margin - np.take_along_axis(input, place, axis) + input, 0.0)
    np.put_along_axis(violation, place, 0.0, axis)
    loss = violation if p == 1 else violation * violation
    loss = factor * loss.sum(axis=axis) / classes
    if reduction != "none":
        loss = loss.sum() / divisor
    return loss, (violation, labels, factor, p, reduction)


# --8<-- [end:multi_margin_loss]


# --8<-- [start:multi_margin_loss_backward]
def multi_margin_loss_backward(
    grad_output: np.ndarray | float, cache: tuple[Any, ...]
) -> np.ndarray:
    """Return for each other class its violation's slope, and minus their sum at the label.

    Parameters
    ----------
    grad_output : scalar, or ndarray with the shape of the loss
        1.0 for a final loss.
    cache : tuple
        What `multi_margin_loss` returned.

    Returns
    -------
    grad_input : ndarray, shape of input
        The slope is 1 for p = 1 and twice the violation for p = 2, 0 where the margin is kept
        (also exactly at the kink, as in PyTorch); divided by C, and by N for "mean".

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the loss.

    Examples
    --------
    >>> _, cache = multi_margin_loss(np.array([[3.0, 2.5, 0.0]]), np.array([0]))
    >>> multi_margin_loss_backward(3.0, cache)
    array([[-1.,  1.,  0.]])
    """
    violation, labels, factor, p, reduction = cache
    axis = violation.ndim - 1
    loss_shape = labels.shape if reduction == "none" else ()
    grad_output = _check.grad_output(grad_output, loss_shape, violation.dtype)

    slope = np.sign(violation) if p == 1 else 2.0 * violation
    at_label = -slope.sum(axis=axis, keepdims=True)
    np.put_along_axis(slope, np.expand_dims(labels, axis), at_label, axis)
    divisor = _check.divisor(reduction, labels.size) * violation.shape[axis]
    per_sample = factor * (grad_output / divisor)
    grad_input: np.ndarray = np.expand_dims(per_sample, axis) * slope
    return grad_input


# --8<-- [end:multi_margin_loss_backward]
