"""Convolution, transposed convolution, and their backward passes.

Each is a sum over the elements (i, j) of the kernel, and each element does what a linear layer
does: it multiplies the channels of the pixels that it meets by a matrix W[:, :, i, j]. So the
backward pass is that of the linear layer, element by element.
"""

from __future__ import annotations

import math
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

Cache = tuple[np.ndarray, np.ndarray, bool, Sizes, Padding, Sizes, int, Sizes]


def arguments(
    input: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
    axes: str,
) -> tuple[Any, ...]:
    """Return the arguments of a convolution over these axes, and the size of its output."""
    input, weight, bias = _check.optional_floats(input=input, weight=weight, bias=bias)
    groups = _check_channels(input, weight, groups, axes)
    weight_shape = ("out_channels", input.shape[-len(axes) - 1] // groups)
    _check.shape("weight", weight, (*weight_shape, *(f"k{axis}" for axis in axes)))
    divides(groups, len(weight), "output")
    if bias is not None:
        _check.shape("bias", bias, weight.shape[:1])

    size, kernel = input.shape[-len(axes) :], weight.shape[2:]
    stride = ints("stride", stride, len(axes), 1)
    dilation = ints("dilation", dilation, len(axes), 1)
    extent = extents(kernel, dilation)
    around = paddings(padding, stride, extent)
    available = padded(size, around)
    outputs = tuple((available[a] - extent[a]) // stride[a] + 1 for a in range(len(axes)))
    if min(outputs) < 1:
        raise ValueError(f"input: expected at least {extent} with padding, got {available}")
    return input, weight, bias, stride, around, dilation, groups, outputs


def _check_channels(input: np.ndarray, weight: np.ndarray, groups: Any, axes: str) -> int:
    """Return groups; check what convolution and transposed convolution have in common."""
    check_image(input, axes)
    if 0 in weight.shape:
        raise ValueError(f"weight: expected no axis of size 0, got {weight.shape}")
    groups = _check.positive_int("groups", groups)
    divides(groups, input.shape[-len(axes) - 1], "input")
    return groups


def divides(groups: int, channels: int, which: str) -> None:
    """Check that the groups get the same number of channels."""
    if channels % groups:
        raise ValueError(
            f"groups: expected a divisor of the {channels} {which} channels, got {groups}"
        )


def paddings(padding: Any, stride: Sizes, extent: Sizes) -> Padding:
    """Return (before, after) for each axis; "same" puts an odd pixel after, as PyTorch does."""
    if not isinstance(padding, str):
        return tuple((p, p) for p in ints("padding", padding, len(extent), 0))
    if padding == "valid":
        return ((0, 0),) * len(extent)
    if padding != "same":
        raise ValueError(f"padding: expected numbers, 'valid' or 'same', got {padding!r}")
    if max(stride) > 1:
        raise ValueError(f"padding: expected numbers where stride is {stride}, got 'same'")
    return tuple(((e - 1) // 2, e - 1 - (e - 1) // 2) for e in extent)


# --8<-- [start:by_group]
def by_group(image: np.ndarray, groups: int) -> np.ndarray:
    """Return (N, C, H, W), or (C, H, W), as (N, G, C / G, H, W)."""
    channels, *size = image.shape[-3:]
    return image.reshape(math.prod(image.shape[:-3]), groups, channels // groups, *size)


def kernel_by_group(weight: np.ndarray, groups: int) -> np.ndarray:
    """Return a weight (O, C, kH, kW) as (G, O / G, C, kH, kW)."""
    return weight.reshape(groups, len(weight) // groups, *weight.shape[1:])


def pixels(image: np.ndarray) -> np.ndarray:
    """Return (..., H, W) as (..., H · W): one column per pixel."""
    *others, height, width = image.shape
    return image.reshape(*others, height * width)


# --8<-- [end:by_group]


# --8<-- [start:conv2d]
def conv2d(
    input: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] | str = 0,
    dilation: int | tuple[int, int] = 1,
    groups: int = 1,
) -> tuple[np.ndarray, Cache]:
    """Slide a kernel over images: what all frameworks call a convolution.

    Parameters
    ----------
    input : ndarray, shape (N, C, H, W) or (C, H, W), float32 or float64
        The images X.
    weight : ndarray, shape (O, C / groups, kH, kW), dtype of input
        The kernels W, one for each of the O output channels.
    bias : ndarray, shape (O,), dtype of input, optional
        The vector b; None leaves it out.
    stride : int or (int, int), default 1
        The step from one output to the next, in pixels.
    padding : int or (int, int), "valid" or "same", default 0
        Zeros put on either side; "same" makes the output as large as the input.
    dilation : int or (int, int), default 1
        The distance between neighbouring elements of the kernel, in pixels.
    groups : int, default 1
        Splits the channels into groups that do not meet; C groups are a depthwise convolution.

    Returns
    -------
    output : ndarray, shape (N, O, Ho, Wo) or (O, Ho, Wo)
        With Ho = ⌊(H + 2 · padding − dilation · (kH − 1) − 1) / stride⌋ + 1.
    cache : tuple
        (input, weight, whether there is a bias, stride, padding, dilation, groups, (Ho, Wo)).

    Raises
    ------
    TypeError
        If an array is not float32 or float64, the dtypes differ, or an option is not an int.
    ValueError
        If a shape or an option does not fit, or the kernel is larger than the padded image.

    Notes
    -----
    Mathematically a cross-correlation: the kernel is not flipped.

    Source: V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning", 2016,
    arXiv:1603.07285.

    Examples
    --------
    >>> X = np.array([[[[1.0, 2.0, 4.0], [0.0, 0.0, 0.0]]]])
    >>> difference = np.array([[[[-1.0, 1.0]]]])
    >>> output, cache = conv2d(X, difference)
    >>> output
    array([[[[1., 2.],
             [0., 0.]]]])
    """
    checked = arguments(input, weight, bias, stride, padding, dilation, groups, "HW")
    input, weight, bias, strides, around, dilations, groups, outputs = checked

    image = by_group(pad(input, around), groups)  # (N, G, C / G, H, W)
    kernel = kernel_by_group(weight, groups)  # (G, O / G, C / G, kH, kW)
    output = np.zeros_like(image, shape=(*image.shape[:2], kernel.shape[1], math.prod(outputs)))
    for i, j, window in windows(kernel.shape[-2:], outputs, strides, dilations):
        output += kernel[..., i, j] @ pixels(image[window])
    output = output.reshape(*input.shape[:-3], len(weight), *outputs)
    if bias is not None:
        output += bias[:, None, None]
    return output, (input, weight, bias is not None, strides, around, dilations, groups, outputs)


# --8<-- [end:conv2d]


# --8<-- [start:conv2d_backward]
def conv2d_backward(
    grad_output: np.ndarray, cache: Cache
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return the gradients of the loss for input, weight and bias.

    Each element of the kernel sends Δ back to the pixels that it met.

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        Δ = ∂J/∂Y.
    cache : tuple
        What `conv2d` returned.

    Returns
    -------
    grad_input : ndarray, shape of input
        The transposed convolution of Δ with the same weight, see `conv_transpose2d`.
    grad_weight : ndarray, shape of weight
    grad_bias : ndarray, shape (O,), or None
        Δ summed over all positions of all images; None when there is no bias.

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Examples
    --------
    >>> X = np.array([[[[1.0, 2.0, 4.0]]]])
    >>> _, cache = conv2d(X, np.array([[[[-1.0, 1.0]]]]))
    >>> grad_input, grad_weight, _ = conv2d_backward(np.array([[[[1.0, 10.0]]]]), cache)
    >>> grad_input, grad_weight
    (array([[[[-1., -9., 10.]]]]), array([[[[21., 42.]]]]))
    """
    input, weight, has_bias, strides, around, dilations, groups, outputs = cache
    shape = (*input.shape[:-3], len(weight), *outputs)
    grad_output = _check.grad_output(grad_output, shape, input.dtype)

    image = by_group(pad(input, around), groups)
    kernel = kernel_by_group(weight, groups)
    delta = pixels(by_group(grad_output, groups))  # (N, G, O / G, Ho · Wo)
    grad_image, grad_kernel = np.zeros_like(image), np.zeros_like(kernel)
    for i, j, window in windows(kernel.shape[-2:], outputs, strides, dilations):
        met = image[window]
        grad_kernel[..., i, j] = (delta @ pixels(met).mT).sum(axis=0)
        grad_image[window] += (kernel[..., i, j].mT @ delta).reshape(met.shape)
    grad_input = crop(grad_image, around, input.shape[-2:]).reshape(input.shape)
    grad_bias = delta.sum(axis=(0, 3)).ravel() if has_bias else None
    return grad_input, grad_kernel.reshape(weight.shape), grad_bias


# --8<-- [end:conv2d_backward]


# --8<-- [start:conv1d]
def conv1d(
    input: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    stride: int | tuple[int] = 1,
    padding: int | tuple[int] | str = 0,
    dilation: int | tuple[int] = 1,
    groups: int = 1,
) -> tuple[np.ndarray, tuple[Sizes, Cache]]:
    """Slide a kernel over sequences: `conv2d` on images of one row.

    Parameters
    ----------
    input : ndarray, shape (N, C, L) or (C, L), float32 or float64
        The sequences X.
    weight : ndarray, shape (O, C / groups, kL), dtype of input
        The kernels W, one for each of the O output channels.
    bias : ndarray, shape (O,), dtype of input, optional
        The vector b; None leaves it out.
    stride : int or (int,), default 1
        The step from one output to the next.
    padding : int or (int,), "valid" or "same", default 0
        Zeros put on either side; "same" makes the output as long as the input.
    dilation : int or (int,), default 1
        The distance between neighbouring elements of the kernel.
    groups : int, default 1
        Splits the channels into groups that do not meet.

    Returns
    -------
    output : ndarray, shape (N, O, Lo) or (O, Lo)
        With Lo = ⌊(L + 2 · padding − dilation · (kL − 1) − 1) / stride⌋ + 1.
    cache : tuple
        (shape of the output, cache of `conv2d`).

    Raises
    ------
    TypeError
        If an array is not float32 or float64, the dtypes differ, or an option is not an int.
    ValueError
        If a shape or an option does not fit, or the kernel is longer than the padded sequence.

    Examples
    --------
    >>> output, cache = conv1d(np.array([[[1.0, 2.0, 4.0]]]), np.array([[[-1.0, 1.0]]]))
    >>> output
    array([[[1., 2.]]])
    """
    checked = arguments(input, weight, bias, stride, padding, dilation, groups, "L")
    input, weight, bias, strides, around, dilations, groups, _ = checked
    output, cache = conv2d(
        input[..., None, :],
        weight[..., None, :],
        bias,
        (1, *strides),
        padding if isinstance(padding, str) else (0, around[0][0]),
        (1, *dilations),
        groups,
    )
    output = output[..., 0, :]
    return output, (output.shape, cache)


# --8<-- [end:conv1d]


# --8<-- [start:conv1d_backward]
def conv1d_backward(
    grad_output: np.ndarray, cache: tuple[Sizes, Cache]
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return the gradients of the loss for input, weight and bias.

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        Δ = ∂J/∂Y.
    cache : tuple
        What `conv1d` returned.

    Returns
    -------
    grad_input : ndarray, shape of input
    grad_weight : ndarray, shape of weight
    grad_bias : ndarray, shape (O,), or None
        None when there is no bias.

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Examples
    --------
    >>> _, cache = conv1d(np.array([[[1.0, 2.0, 4.0]]]), np.array([[[-1.0, 1.0]]]))
    >>> grad_input, grad_weight, _ = conv1d_backward(np.array([[[1.0, 10.0]]]), cache)
    >>> grad_input, grad_weight
    (array([[[-1., -9., 10.]]]), array([[[21., 42.]]]))
    """
    shape, cache2d = cache
    grad_output = _check.grad_output(grad_output, shape, cache2d[0].dtype)
    grad_input, grad_weight, grad_bias = conv2d_backward(grad_output[..., None, :], cache2d)
    return grad_input[..., 0, :], grad_weight[..., 0, :], grad_bias


# --8<-- [end:conv1d_backward]


# --8<-- [start:conv_transpose2d]
def conv_transpose2d(
    input: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    output_padding: int | tuple[int, int] = 0,
    groups: int = 1,
    dilation: int | tuple[int, int] = 1,
) -> tuple[np.ndarray, Cache]:
    """Transpose of a convolution: what `conv2d_backward` does to Δ, used as a forward pass.

    Each pixel puts a copy of the kernel, times its value, into the output; with a stride the
    output is larger than the input.

    Parameters
    ----------
    input : ndarray, shape (N, C, H, W) or (C, H, W), float32 or float64
        The images X.
    weight : ndarray, shape (C, O / groups, kH, kW), dtype of input
        The kernels W, with the layout of a `conv2d` from O to C channels.
    bias : ndarray, shape (O,), dtype of input, optional
        The vector b; None leaves it out.
    stride : int or (int, int), default 1
        The step from one copy of the kernel to the next, in pixels of the output.
    padding : int or (int, int), default 0
        Rows and columns cut off on either side of the output.
    output_padding : int or (int, int), default 0
        Rows and columns added below and to the right: several sizes of input give a strided
        convolution the same size of output, and this says which one is meant.
    groups : int, default 1
        Splits the channels into groups that do not meet.
    dilation : int or (int, int), default 1
        The distance between neighbouring elements of the kernel, in pixels.

    Returns
    -------
    output : ndarray, shape (N, O, Ho, Wo) or (O, Ho, Wo)
        With Ho = (H − 1) · stride − 2 · padding + dilation · (kH − 1) + output_padding + 1.
    cache : tuple
        (input, weight, whether there is a bias, stride, padding, dilation, groups, (Ho, Wo)).

    Raises
    ------
    TypeError
        If an array is not float32 or float64, the dtypes differ, or an option is not an int.
    ValueError
        If a shape or an option does not fit, or the padding leaves no output.

    Notes
    -----
    Source: V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning", 2016,
    arXiv:1603.07285.

    Examples
    --------
    >>> kernel = np.array([[[[1.0, 2.0]]]])
    >>> output, cache = conv_transpose2d(np.array([[[[1.0, 10.0]]]]), kernel, stride=(1, 2))
    >>> output
    array([[[[ 1.,  2., 10., 20.]]]])
    """
    checked = _transpose_arguments(
        input, weight, bias, stride, padding, output_padding, groups, dilation
    )
    input, weight, bias, strides, around, dilations, groups, outputs = checked

    columns = pixels(by_group(input, groups))  # (N, G, C / G, H · W)
    kernel = kernel_by_group(weight, groups)  # (G, C / G, O / G, kH, kW)
    size = padded(outputs, around)
    image = np.zeros_like(columns, shape=(*columns.shape[:2], kernel.shape[2], *size))
    for i, j, window in windows(kernel.shape[-2:], input.shape[-2:], strides, dilations):
        image[window] += (kernel[..., i, j].mT @ columns).reshape(image[window].shape)
    shape = (*input.shape[:-3], groups * weight.shape[1], *outputs)
    output = crop(image, around, outputs).reshape(shape)
    if bias is not None:
        output += bias[:, None, None]
    return output, (input, weight, bias is not None, strides, around, dilations, groups, outputs)


# --8<-- [end:conv_transpose2d]


# --8<-- [start:conv_transpose2d_backward]
def conv_transpose2d_backward(
    grad_output: np.ndarray, cache: Cache
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return the gradients of the loss for input, weight and bias.

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        Δ = ∂J/∂Y.
    cache : tuple
        What `conv_transpose2d` returned.

    Returns
    -------
    grad_input : ndarray, shape of input
        The convolution of Δ with the same weight, see `conv2d`.
    grad_weight : ndarray, shape of weight
    grad_bias : ndarray, shape (O,), or None
        Δ summed over all positions of all images; None when there is no bias.

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Examples
    --------
    >>> kernel = np.array([[[[1.0, 2.0]]]])
    >>> _, cache = conv_transpose2d(np.array([[[[1.0, 10.0]]]]), kernel, stride=(1, 2))
    >>> delta = np.array([[[[1.0, 0.0, 0.0, 1.0]]]])
    >>> grad_input, grad_weight, _ = conv_transpose2d_backward(delta, cache)
    >>> grad_input, grad_weight
    (array([[[[1., 2.]]]]), array([[[[ 1., 10.]]]]))
    """
    input, weight, has_bias, strides, around, dilations, groups, outputs = cache
    shape = (*input.shape[:-3], groups * weight.shape[1], *outputs)
    grad_output = _check.grad_output(grad_output, shape, input.dtype)

    columns = pixels(by_group(input, groups))
    kernel = kernel_by_group(weight, groups)
    delta = by_group(pad(grad_output, around), groups)  # (N, G, O / G, H, W)
    grad_columns, grad_kernel = np.zeros_like(columns), np.zeros_like(kernel)
    for i, j, window in windows(kernel.shape[-2:], input.shape[-2:], strides, dilations):
        met = pixels(delta[window])
        grad_kernel[..., i, j] = (columns @ met.mT).sum(axis=0)
        grad_columns += kernel[..., i, j] @ met
    grad_bias = by_group(grad_output, groups).sum(axis=(0, 3, 4)).ravel() if has_bias else None
    return grad_columns.reshape(input.shape), grad_kernel.reshape(weight.shape), grad_bias


# --8<-- [end:conv_transpose2d_backward]


def _transpose_arguments(
    input: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: Any,
    dilation: Any,
) -> tuple[Any, ...]:
    """Return the arguments of a transposed convolution, and the size of its output."""
    input, weight, bias = _check.optional_floats(input=input, weight=weight, bias=bias)
    groups = _check_channels(input, weight, groups, "HW")
    _check.shape("weight", weight, (input.shape[-3], "out_channels / groups", "kH", "kW"))
    if bias is not None:
        _check.shape("bias", bias, (groups * weight.shape[1],))

    size, kernel = input.shape[-2:], weight.shape[2:]
    stride, dilation = ints("stride", stride, 2, 1), ints("dilation", dilation, 2, 1)
    padding = ints("padding", padding, 2, 0)
    output_padding = ints("output_padding", output_padding, 2, 0)
    steps = tuple(map(max, stride, dilation))
    if any(output_padding[a] >= steps[a] for a in range(2)):
        raise ValueError(
            f"output_padding: expected less than stride or dilation {steps}, got {output_padding}"
        )
    extent = extents(kernel, dilation)
    outputs = tuple(
        (size[a] - 1) * stride[a] - 2 * padding[a] + extent[a] + output_padding[a] for a in range(2)
    )
    if min(outputs) < 1:
        raise ValueError(f"padding: expected to leave at least one pixel of output, got {outputs}")
    return input, weight, bias, stride, tuple((p, p) for p in padding), dilation, groups, outputs
