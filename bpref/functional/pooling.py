"""Pooling: one number for each window of an image, and the backward passes."""

from __future__ import annotations

from typing import Any

import numpy as np

from bpref import _check
from bpref.functional._windows import (
    Padding,
    Sizes,
    check_image,
    crop,
    extents,
    ints,
    pad,
    padded,
    windows,
)

Shape = tuple[int, ...]
MaxCache = tuple[np.ndarray, Shape, np.dtype, Sizes, Sizes, Padding, Sizes]
AvgCache = tuple[Shape, np.dtype, Sizes, Sizes, Padding, Sizes, np.ndarray]


def arguments(
    input: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> tuple[Any, ...]:
    """Return the arguments, and the size of the output, when they fit."""
    (input,) = _check.floats(input=input)
    check_image(input, "HW")
    kernel = ints("kernel_size", kernel_size, 2, 1)
    stride = kernel if stride is None else ints("stride", stride, 2, 1)
    padding, dilation = ints("padding", padding, 2, 0), ints("dilation", dilation, 2, 1)
    half = tuple(k // 2 for k in kernel)
    if padding[0] > half[0] or padding[1] > half[1]:
        raise ValueError(f"padding: expected at most half the kernel, {half}, got {padding}")

    size, extent = input.shape[-2:], extents(kernel, dilation)
    outputs, around = [], []
    for a in range(2):
        padded_before = size[a] + padding[a]
        steps = padded_before + padding[a] - extent[a]
        count = (-(-steps // stride[a]) if ceil_mode else steps // stride[a]) + 1
        if ceil_mode and (count - 1) * stride[a] >= padded_before:
            count -= 1  # the last window would lie beyond the image
        end = (count - 1) * stride[a] + extent[a]  # of the last window
        outputs.append(count)
        around.append((padding[a], max(padding[a], end - padded_before)))
    if min(outputs) < 1:
        available = padded(size, tuple((p, p) for p in padding))
        raise ValueError(f"input: expected at least {extent} with padding, got {available}")
    return input, kernel, stride, tuple(around), dilation, tuple(outputs)


# --8<-- [start:max_pool2d]
def max_pool2d(
    input: np.ndarray,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
) -> tuple[np.ndarray, MaxCache]:
    """Return the largest value of each window; nan when there is one in it.

    Parameters
    ----------
    input : ndarray, shape (N, C, H, W) or (C, H, W), float32 or float64
        The images X.
    kernel_size : int or (int, int)
        The size of a window.
    stride : int or (int, int), optional
        The step from one window to the next; kernel_size without it.
    padding : int or (int, int), default 0
        −∞ put on either side, at most half of kernel_size.
    dilation : int or (int, int), default 1
        The distance between neighbouring pixels of a window.
    ceil_mode : bool, default False
        Whether a last window may hang over the edge.

    Returns
    -------
    output : ndarray, shape (N, C, Ho, Wo) or (C, Ho, Wo)
        With Ho = ⌊(H + 2 · padding − dilation · (kH − 1) − 1) / stride⌋ + 1, or ⌈…⌉ + 1.
    cache : tuple
        (which element of its window is the largest (N, C, Ho, Wo), shape and dtype of input,
        kernel_size, stride, padding, dilation).

    Raises
    ------
    TypeError
        If the input is not float32 or float64, or an option is not an int.
    ValueError
        If a shape or an option does not fit, or the window is larger than the padded image.

    Notes
    -----
    PyTorch's ``return_indices`` does not exist here.

    Examples
    --------
    >>> X = np.array([[[[1.0, 3.0, 5.0, 5.0], [2.0, 0.0, 5.0, 4.0]]]])
    >>> output, cache = max_pool2d(X, 2)
    >>> output
    array([[[[3., 5.]]]])
    """
    checked = arguments(input, kernel_size, stride, padding, dilation, ceil_mode)
    input, kernel, strides, around, dilations, outputs = checked

    image = pad(input, around, -np.inf)
    inside = pad(np.ones(input.shape[-2:], dtype=bool), around)
    output = np.full_like(image, -np.inf, shape=(*input.shape[:-2], *outputs))
    winner = np.full(output.shape, -1)
    for i, j, window in windows(kernel, outputs, strides, dilations):
        value = image[window]
        # The first pixel inside is the winner to begin with: all of them might be −inf.
        better = (value > output) | np.isnan(value) | ((winner < 0) & inside[window])
        output = np.where(better, value, output)
        winner = np.where(better, i * kernel[1] + j, winner)
    return output, (winner, input.shape, input.dtype, kernel, strides, around, dilations)


# --8<-- [end:max_pool2d]


# --8<-- [start:max_pool2d_backward]
def max_pool2d_backward(grad_output: np.ndarray, cache: MaxCache) -> np.ndarray:
    """Return the gradient for the input: the largest element of a window gets all of it.

    Among equal elements the first one, row by row, gets it, as in PyTorch.

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        ∂J/∂Y.
    cache : tuple
        What `max_pool2d` returned.

    Returns
    -------
    grad_input : ndarray, shape of input
        Where windows overlap, the sum over all windows that a pixel wins.

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Examples
    --------
    >>> X = np.array([[[[1.0, 3.0, 5.0, 5.0], [2.0, 0.0, 5.0, 4.0]]]])
    >>> _, cache = max_pool2d(X, 2)
    >>> max_pool2d_backward(np.array([[[[7.0, 8.0]]]]), cache)
    array([[[[0., 7., 8., 0.],
             [0., 0., 0., 0.]]]])
    """
    winner, shape, dtype, kernel, strides, around, dilations = cache
    grad_output = _check.grad_output(grad_output, winner.shape, dtype)

    size = padded(shape[-2:], around)
    grad_image = np.zeros_like(grad_output, shape=(*shape[:-2], *size))
    for i, j, window in windows(kernel, winner.shape[-2:], strides, dilations):
        grad_image[window] += np.where(winner == i * kernel[1] + j, grad_output, 0.0)
    return crop(grad_image, around, shape[-2:])


# --8<-- [end:max_pool2d_backward]


# --8<-- [start:avg_pool2d]
def avg_pool2d(
    input: np.ndarray,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> tuple[np.ndarray, AvgCache]:
    """Return the mean of each window.

    Parameters
    ----------
    input : ndarray, shape (N, C, H, W) or (C, H, W), float32 or float64
        The images X.
    kernel_size : int or (int, int)
        The size of a window.
    stride : int or (int, int), optional
        The step from one window to the next; kernel_size without it.
    padding : int or (int, int), default 0
        Zeros put on either side, at most half of kernel_size.
    ceil_mode : bool, default False
        Whether a last window may hang over the edge.
    count_include_pad : bool, default True
        Whether the zeros of the padding count in the mean; what hangs over never does.
    divisor_override : int, optional
        What the sum is divided by instead of the number of pixels.

    Returns
    -------
    output : ndarray, shape (N, C, Ho, Wo) or (C, Ho, Wo)
        With Ho = ⌊(H + 2 · padding − kH) / stride⌋ + 1, or ⌈…⌉ + 1.
    cache : tuple
        (shape and dtype of input, kernel_size, stride, padding, (Ho, Wo),
        divisor (Ho, Wo)).

    Raises
    ------
    TypeError
        If the input is not float32 or float64, or an option is not an int.
    ValueError
        If a shape or an option does not fit, or the window is larger than the padded image.

    Examples
    --------
    >>> X = np.array([[[[1.0, 3.0, 5.0, 5.0], [2.0, 0.0, 5.0, 4.0]]]])
    >>> output, cache = avg_pool2d(X, 2)
    >>> output
    array([[[[1.5 , 4.75]]]])
    """
    checked = arguments(input, kernel_size, stride, padding, 1, ceil_mode)
    input, kernel, strides, around, _, outputs = checked
    if divisor_override is None:
        options = (input.shape[-2:], kernel, strides, around, outputs, count_include_pad)
        divisor = np.outer(_counts(0, *options), _counts(1, *options))
    else:
        divisor = np.full(outputs, _check.positive_int("divisor_override", divisor_override))
    divisor = divisor.astype(input.dtype)

    image = pad(input, around)
    total = np.zeros_like(image, shape=(*input.shape[:-2], *outputs))
    for _, _, window in windows(kernel, outputs, strides, (1, 1)):
        total += image[window]
    return total / divisor, (input.shape, input.dtype, kernel, strides, around, outputs, divisor)


# --8<-- [end:avg_pool2d]


# --8<-- [start:avg_pool2d_backward]
def avg_pool2d_backward(grad_output: np.ndarray, cache: AvgCache) -> np.ndarray:
    """Return the gradient for the input: the pixels of a window share it equally.

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        ∂J/∂Y.
    cache : tuple
        What `avg_pool2d` returned.

    Returns
    -------
    grad_input : ndarray, shape of input
        Where windows overlap, the sum over all windows that a pixel lies in.

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Examples
    --------
    >>> _, cache = avg_pool2d(np.zeros((1, 1, 2, 4)), 2)
    >>> avg_pool2d_backward(np.array([[[[8.0, 4.0]]]]), cache)
    array([[[[2., 2., 1., 1.],
             [2., 2., 1., 1.]]]])
    """
    shape, dtype, kernel, strides, around, outputs, divisor = cache
    grad_output = _check.grad_output(grad_output, (*shape[:-2], *outputs), dtype)

    share = grad_output / divisor
    size = padded(shape[-2:], around)
    grad_image = np.zeros_like(share, shape=(*shape[:-2], *size))
    for _, _, window in windows(kernel, outputs, strides, (1, 1)):
        grad_image[window] += share
    return crop(grad_image, around, shape[-2:])


# --8<-- [end:avg_pool2d_backward]


def _counts(
    axis: int,
    size: Sizes,
    kernel: Sizes,
    stride: Sizes,
    padding: Padding,
    outputs: Sizes,
    include_pad: bool,
) -> np.ndarray:
    """Return how many pixels count in each window, along one axis."""
    before = padding[axis][0]
    counted = before if include_pad else 0
    start = stride[axis] * np.arange(outputs[axis]) - before
    stop = np.minimum(start + kernel[axis], size[axis] + counted)
    return stop - np.maximum(start, -counted)
