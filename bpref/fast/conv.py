"""`conv2d` as one matrix product for each block of pixels that stays in the processor's cache.

Same arguments and results as in `bpref.functional`. All images lie one behind the other in one
row per channel, so that what an element of the kernel meets is this row, shifted. A block of
shifted rows under each other is a matrix, and its product with the kernels is the convolution; a
last row of ones makes the bias one more weight. Where rows of pixels end, windows reach into the
next row: those outputs are computed for nothing and left out. With a stride or groups it is
`bpref.functional.conv2d` that does the work.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from bpref import _check
from bpref import functional as F
from bpref.functional._windows import Padding, Sizes, crop, extents
from bpref.functional.conv import arguments

BLOCK = 2**19  # values of the matrix of shifted rows: two megabytes of float32
SHORTEST = 1024  # pixels in a block, however many channels there are
NONE = ((0, 0), (0, 0))  # no padding


def conv2d(
    input: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] | str = 0,
    dilation: int | tuple[int, int] = 1,
    groups: int = 1,
) -> tuple[np.ndarray, tuple[Any, ...]]:
    """Return what `bpref.functional.conv2d` does, with a cache of its own.

    Examples
    --------
    >>> X = np.array([[[[1.0, 2.0, 4.0], [0.0, 0.0, 0.0]]]])
    >>> output, cache = conv2d(X, np.array([[[[-1.0, 1.0]]]]))
    >>> output
    array([[[[1., 2.],
             [0., 0.]]]])
    """
    checked = arguments(input, weight, bias, stride, padding, dilation, groups, "HW")
    input, weight, bias, strides, around, dilations, groups, outputs = checked
    if groups > 1 or max(strides) > 1:
        output, cache = F.conv2d(input, weight, bias, stride, padding, dilation, groups)
        return output, (None, cache)

    size, kernel = input.shape[-2:], weight.shape[1:]
    # A pixel's right neighbours may be the next row's padding, so one row needs one padding only.
    pitch = tuple(max(n + max(p), o) for n, p, o in zip(size, around, outputs, strict=True))
    down, right = (e - 1 for e in extents(kernel[1:], dilations))
    flat = _flat(input, pitch, around, down * pitch[1] + right)
    matrix = weight.reshape(len(weight), math.prod(kernel))
    if bias is not None:
        matrix = np.column_stack([matrix, bias])
    result = np.empty((len(weight), flat.shape[1] - down * pitch[1] - right), input.dtype)
    for block, columns in _blocks(_shifted(flat, kernel, dilations, pitch)):
        np.matmul(matrix, columns[: matrix.shape[1]], out=result[:, block])
    shapes = (input.shape, (*input.shape[:-3], len(weight), *outputs))
    output = _images(result, pitch, NONE, shapes[1])
    return output, (flat, weight, bias is not None, shapes, around, dilations, pitch)


def conv2d_backward(
    grad_output: np.ndarray, cache: tuple[Any, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return the gradients of the loss for input, weight and bias.

    Examples
    --------
    >>> X = np.array([[[[1.0, 2.0, 4.0]]]])
    >>> _, cache = conv2d(X, np.array([[[[-1.0, 1.0]]]]))
    >>> grad_input, grad_weight, _ = conv2d_backward(np.array([[[[1.0, 10.0]]]]), cache)
    >>> grad_input, grad_weight
    (array([[[[-1., -9., 10.]]]]), array([[[[21., 42.]]]]))
    """
    if cache[0] is None:
        return F.conv2d_backward(grad_output, cache[1])
    flat, weight, has_bias, (input_shape, output_shape), around, dilation, pitch = cache
    grad_output = _check.grad_output(grad_output, output_shape, flat.dtype)

    delta = _flat(grad_output, pitch, NONE, 0)  # zero where outputs were left out
    kernel = weight.shape[1:]
    rows = math.prod(kernel)
    transposed = weight.reshape(len(weight), rows).T
    grad_transposed = np.zeros((rows + 1, len(weight)), flat.dtype)  # the last row for the bias
    grad_flat = np.zeros_like(flat)
    grad_shifted = _shifted(grad_flat, kernel, dilation, pitch)
    for block, columns in _blocks(_shifted(flat, kernel, dilation, pitch)):
        grad_transposed += columns @ delta[:, block].T
        grad_columns = columns[:rows]  # its values are not needed any more
        np.matmul(transposed, delta[:, block], out=grad_columns)
        grad_columns = grad_columns.reshape(*kernel, -1)
        for i in range(kernel[1]):
            for j in range(kernel[2]):
                grad_shifted[:, i, j, block] += grad_columns[:, i, j]
    grad_input = _images(grad_flat[:, : delta.shape[1]], pitch, around, input_shape)
    grad_weight = grad_transposed[:rows].T.reshape(weight.shape)
    return grad_input, grad_weight, grad_transposed[rows] if has_bias else None


def _flat(images: np.ndarray, pitch: Sizes, around: Padding, tail: int) -> np.ndarray:
    """Return images (N, C, H, W) as (C, N · pitch · pitch + tail), with zeros in between."""
    *lead, channels, height, width = images.shape
    count = math.prod(lead)
    flat = np.zeros((channels, count * math.prod(pitch) + tail), images.dtype)
    places = _places(flat[:, : flat.shape[1] - tail], pitch, around, (height, width))
    places[...] = images.reshape(count, channels, height, width).swapaxes(0, 1)
    return flat


def _images(flat: np.ndarray, pitch: Sizes, around: Padding, shape: Sizes) -> np.ndarray:
    """Return the images, of this shape, that lie in what `_flat` returned, without the tail."""
    return _places(flat, pitch, around, shape[-2:]).swapaxes(0, 1).reshape(shape)


def _places(flat: np.ndarray, pitch: Sizes, around: Padding, size: Sizes) -> np.ndarray:
    """Return the view (C, N, H, W) of the places of the pixels."""
    grid = flat.reshape(len(flat), -1, *pitch)
    return crop(grid, around, size)


def _shifted(flat: np.ndarray, kernel: Sizes, dilation: Sizes, pitch: Sizes) -> np.ndarray:
    """Return the view (C, kH, kW, pixels) of all shifted rows; they overlap."""
    down, right = dilation[0] * pitch[1], dilation[1]
    pixels = flat.shape[1] - (kernel[1] - 1) * down - (kernel[2] - 1) * right
    channel, pixel = flat.strides
    strides = (channel, down * pixel, right * pixel, pixel)
    return np.lib.stride_tricks.as_strided(flat, (*kernel, pixels), strides)


def _blocks(shifted: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield (block of pixels, its columns (C · kH · kW + 1, pixels)), the last row of ones.

    The next block is written over them.
    """
    *kernel, pixels = shifted.shape
    rows = math.prod(kernel)
    step = max(SHORTEST, BLOCK // rows)
    buffer = np.ones((rows + 1, min(step, pixels)), shifted.dtype)
    for start in range(0, pixels, step):
        block = slice(start, min(start + step, pixels))
        columns = buffer[:, : block.stop - start]
        columns[:rows].reshape(*kernel, -1)[...] = shifted[..., block]
        yield block, columns
