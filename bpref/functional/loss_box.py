"""Losses of predicted boxes: how little two rectangles overlap.

A box is (x1, y1, x2, y2) with x1 ≤ x2 and y1 ≤ y2. Names, defaults and values are those of
torchvision's `generalized_box_iou_loss`, where ε keeps boxes without an area from dividing by 0.
Both losses are symmetric and differentiated for both arguments.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bpref import _check


# --8<-- [start:iou_loss]
def iou_loss(
    boxes1: np.ndarray, boxes2: np.ndarray, reduction: str = "none", eps: float = 1e-7
) -> tuple[np.ndarray | np.floating, tuple[Any, ...]]:
    """Return 1 − IoU: one minus intersection over union, I / (U + ε).

    Parameters
    ----------
    boxes1, boxes2 : ndarray, shape (N, 4) or (..., 4), float32 or float64
        Boxes (x1, y1, x2, y2), compared pair by pair.
    reduction : {"none", "mean", "sum"}
        "mean" divides by the number of pairs.
    eps : float, default 1e-7
        ε.

    Returns
    -------
    loss : scalar, or ndarray of shape (N,) or (...,) for "none"
        From 0 for equal boxes to 1 for disjoint ones.
    cache : tuple
        (boxes1, boxes2, reduction, eps).

    Raises
    ------
    TypeError
        If a dtype is not float32 or float64, or the two differ, or eps is not a number.
    ValueError
        If a shape is not (..., 4) or they differ, a box has x1 > x2 or y1 > y2, eps is not above
        0, or the reduction is unknown.

    Notes
    -----
    Source: H. Rezatofighi et al., "Generalized Intersection over Union" (2019),
    arXiv:1902.09630. J. Yu et al., "UnitBox" (2016), arXiv:1608.01471, have −log IoU instead.

    Examples
    --------
    >>> loss, cache = iou_loss(np.array([[0.0, 0.0, 2.0, 2.0]]), np.array([[0.0, 1.0, 2.0, 3.0]]))
    >>> loss.round(6)   # intersection 2, union 6
    array([0.666667])
    """
    boxes1, boxes2, divisor = _check_boxes(boxes1, boxes2, reduction, eps)
    intersection, union, _ = _areas(boxes1, boxes2)
    loss = 1.0 - intersection / (union + eps)
    if reduction != "none":
        loss = loss.sum() / divisor
    return loss, (boxes1, boxes2, reduction, eps)


# --8<-- [end:iou_loss]


# --8<-- [start:iou_loss_backward]
def iou_loss_backward(
    grad_output: np.ndarray | float, cache: tuple[Any, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the gradients for both boxes.

    Parameters
    ----------
    grad_output : scalar, or ndarray with the shape of the loss
        1.0 for a final loss.
    cache : tuple
        What `iou_loss` returned.

    Returns
    -------
    grad_boxes1 : ndarray, shape (N, 4) or (..., 4)
        0 for boxes that are disjoint or only touch: `generalized_box_iou_loss` pulls them
        together. Where a coordinate of both boxes is the same, the slope of I along it is
        halved, as in PyTorch.
    grad_boxes2 : ndarray, shape (N, 4) or (..., 4)
        The same for boxes2.

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the loss.

    Examples
    --------
    >>> _, cache = iou_loss(np.array([[0.0, 0.0, 2.0, 2.0]]), np.array([[1.0, 1.0, 3.0, 3.0]]))
    >>> iou_loss_backward(np.array([1.0]), cache)[0].round(3)   # larger x2, y2: more overlap
    array([[-0.041, -0.041, -0.122, -0.122]])
    """
    boxes1, boxes2, reduction, eps = cache
    intersection, union, _ = _areas(boxes1, boxes2)
    u = union + eps

    # J = 1 − I / (U + ε), and U = A₁ + A₂ − I depends on I, too.
    by_union = intersection / u / u
    by_intersection = -1.0 / u - by_union
    slopes = by_intersection, by_union, np.zeros_like(u)
    return _box_gradients(grad_output, boxes1, boxes2, reduction, *slopes)


# --8<-- [end:iou_loss_backward]


# --8<-- [start:generalized_box_iou_loss]
def generalized_box_iou_loss(
    boxes1: np.ndarray, boxes2: np.ndarray, reduction: str = "none", eps: float = 1e-7
) -> tuple[np.ndarray | np.floating, tuple[Any, ...]]:
    """Return 1 − IoU + (C − U) / (C + ε), with C the area of the smallest box around both.

    Parameters
    ----------
    boxes1, boxes2 : ndarray, shape (N, 4) or (..., 4), float32 or float64
        Boxes (x1, y1, x2, y2), compared pair by pair.
    reduction : {"none", "mean", "sum"}
        "mean" divides by the number of pairs.
    eps : float, default 1e-7
        ε, also in IoU = I / (U + ε).

    Returns
    -------
    loss : scalar, or ndarray of shape (N,) or (...,) for "none"
        From 0 for equal boxes to 2 for small boxes far apart.
    cache : tuple
        (boxes1, boxes2, reduction, eps).

    Raises
    ------
    TypeError
        If a dtype is not float32 or float64, or the two differ, or eps is not a number.
    ValueError
        If a shape is not (..., 4) or they differ, a box has x1 > x2 or y1 > y2, eps is not above
        0, or the reduction is unknown.

    Notes
    -----
    Source: H. Rezatofighi et al., "Generalized Intersection over Union" (2019),
    arXiv:1902.09630.

    Examples
    --------
    >>> apart = np.array([[0.0, 0.0, 1.0, 1.0]]), np.array([[2.0, 0.0, 3.0, 1.0]])
    >>> loss, cache = generalized_box_iou_loss(*apart)
    >>> loss.round(6)   # 1 − 0 + (3 − 2) / 3
    array([1.333333])
    """
    boxes1, boxes2, divisor = _check_boxes(boxes1, boxes2, reduction, eps)
    intersection, union, enclosing = _areas(boxes1, boxes2)
    loss = 1.0 - intersection / (union + eps) + (enclosing - union) / (enclosing + eps)
    if reduction != "none":
        loss = loss.sum() / divisor
    return loss, (boxes1, boxes2, reduction, eps)


# --8<-- [end:generalized_box_iou_loss]


# --8<-- [start:generalized_box_iou_loss_backward]
def generalized_box_iou_loss_backward(
    grad_output: np.ndarray | float, cache: tuple[Any, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the gradients for both boxes.

    Parameters
    ----------
    grad_output : scalar, or ndarray with the shape of the loss
        1.0 for a final loss.
    cache : tuple
        What `generalized_box_iou_loss` returned.

    Returns
    -------
    grad_boxes1 : ndarray, shape (N, 4) or (..., 4)
        Where a coordinate of both boxes is the same, the slopes of I and C along it are halved,
        as in PyTorch.
    grad_boxes2 : ndarray, shape (N, 4) or (..., 4)
        The same for boxes2.

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the loss.

    Examples
    --------
    >>> apart = np.array([[0.0, 0.0, 1.0, 1.0]]), np.array([[2.0, 0.0, 3.0, 1.0]])
    >>> _, cache = generalized_box_iou_loss(*apart)
    >>> grad, _ = generalized_box_iou_loss_backward(np.array([1.0]), cache)
    >>> grad[0, 2].round(3)   # x2 to the right lowers the loss
    np.float64(-0.333)
    """
    boxes1, boxes2, reduction, eps = cache
    intersection, union, enclosing = _areas(boxes1, boxes2)
    u, c = union + eps, enclosing + eps

    # J = 1 − I / (U + ε) + (C − U) / (C + ε), and U = A₁ + A₂ − I depends on I, too.
    by_union = intersection / u / u - 1.0 / c
    by_intersection = -1.0 / u - by_union
    slopes = by_intersection, by_union, u / c / c
    return _box_gradients(grad_output, boxes1, boxes2, reduction, *slopes)


# --8<-- [end:generalized_box_iou_loss_backward]


# --8<-- [start:box_geometry]
def _check_boxes(
    boxes1: Any, boxes2: Any, reduction: str, eps: float
) -> tuple[np.ndarray, np.ndarray, float]:
    boxes1, boxes2 = _check.floats(boxes1=boxes1, boxes2=boxes2)
    _check.boxes("boxes1", boxes1)
    _check.shape("boxes2", boxes2, boxes1.shape)
    _check.boxes("boxes2", boxes2)
    _check.positive("eps", eps)
    return boxes1, boxes2, _check.divisor(reduction, boxes1[..., 0].size)


def _sides(own: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (width, height) of a box, of its intersection with the other, of a box around both."""
    low, high, other_low, other_high = own[..., :2], own[..., 2:], other[..., :2], other[..., 2:]
    overlap = np.minimum(high, other_high) - np.maximum(low, other_low)
    around = np.maximum(high, other_high) - np.minimum(low, other_low)
    return high - low, np.maximum(overlap, 0.0), around


def _areas(boxes1: np.ndarray, boxes2: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the areas I of the intersection, U of the union and C of the box around both."""
    size, overlap, around = _sides(boxes1, boxes2)
    other_size = boxes2[..., 2:] - boxes2[..., :2]
    area, other_area, intersection, enclosing = (
        sides[..., 0] * sides[..., 1] for sides in (size, other_size, overlap, around)
    )
    return intersection, area + other_area - intersection, enclosing


def _box_gradients(
    grad_output: Any,
    boxes1: np.ndarray,
    boxes2: np.ndarray,
    reduction: str,
    by_intersection: np.ndarray,
    by_union: np.ndarray,
    by_enclosing: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return ∂J/∂boxes1 and ∂J/∂boxes2 from the slopes of the loss by I, U and C."""
    loss_shape = by_union.shape if reduction == "none" else ()
    grad_output = _check.grad_output(grad_output, loss_shape, by_union.dtype)
    per_pair = grad_output / _check.divisor(reduction, by_union.size)
    slopes = [(per_pair * slope)[..., None] for slope in (by_intersection, by_union, by_enclosing)]
    return _box_gradient(boxes1, boxes2, *slopes), _box_gradient(boxes2, boxes1, *slopes)


def _box_gradient(
    own: np.ndarray,
    other: np.ndarray,
    by_intersection: np.ndarray,
    by_area: np.ndarray,
    by_enclosing: np.ndarray,
) -> np.ndarray:
    """Return ∂J/∂own from ∂J/∂I, ∂J/∂A and ∂J/∂C: an area changes with its width by its height."""
    low, high, other_low, other_high = own[..., :2], own[..., 2:], other[..., :2], other[..., 2:]
    size, overlap, around = _sides(own, other)
    by_size = by_area * size[..., ::-1]
    by_overlap = np.where(overlap > 0.0, by_intersection * overlap[..., ::-1], 0.0)
    by_around = by_enclosing * around[..., ::-1]

    grad_low = by_overlap * _is_larger(low, other_low) + by_around * _is_larger(other_low, low)
    grad_high = by_overlap * _is_larger(other_high, high) + by_around * _is_larger(high, other_high)
    return np.concatenate([-grad_low - by_size, grad_high + by_size], axis=-1)


def _is_larger(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return 1 where a > b, 0 where a < b and 1/2 where both are equal."""
    return np.heaviside(a - b, 0.5)


# --8<-- [end:box_geometry]
