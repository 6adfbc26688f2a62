"""Normalisation layers and their backward passes.

All of them compute y = w ⊙ x̂ + b with x̂ = (x − mean) / √(var + eps) and differ in the values
that share one mean and one variance: a channel of the batch, a sample, a group of channels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from bpref import _check


# --8<-- [start:batch_norm]
def batch_norm(
    input: np.ndarray,
    running_mean: np.ndarray | None,
    running_var: np.ndarray | None,
    weight: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> tuple[np.ndarray, tuple[Any, ...]]:
    """Normalise each channel with the mean and variance of the batch, or with running ones.

    PyTorch overwrites running_mean and running_var in training. Here no argument is modified:
    the new values are the last two entries of the cache,
    ``running_mean, running_var = cache[-2:]``.

    Parameters
    ----------
    input : ndarray, shape (N, C), (N, C, L) or (N, C, H, W), float32 or float64
        The batch x.
    running_mean, running_var : ndarray, shape (C,), dtype of input, or None
        What normalises when training is False. None for both in training keeps none.
    weight, bias : ndarray, shape (C,), dtype of input, optional
        w and b; None means 1 and 0.
    training : bool, default False
        Whether the batch is normalised with its own statistics.
    momentum : float, default 0.1
        How far the running statistics move towards those of the batch: 0 not at all, 1 all the
        way. The opposite of the momentum of an optimizer.
    eps : float, default 1e-5
        Added to the variance, above 0.

    Returns
    -------
    output : ndarray, shape of input
        y = w ⊙ x̂ + b.
    cache : tuple
        (x̂, 1/√(var + eps), weight, whether there is a bias, training, running_mean,
        running_var).

    Raises
    ------
    TypeError
        If an array is not float32 or float64, the dtypes differ, or a number is none.
    ValueError
        If a shape does not fit, only one of the running statistics is given, both are missing
        although training is False, or a channel has a single value in training.

    Notes
    -----
    The batch is normalised with the variance that divides by n; the running variance takes the
    one that divides by n − 1, as in PyTorch. An empty batch leaves the running statistics alone.

    Source: S. Ioffe, C. Szegedy, "Batch Normalization: Accelerating Deep Network Training by
    Reducing Internal Covariate Shift", ICML 2015, arXiv:1502.03167.

    Examples
    --------
    >>> X = np.array([[1.0, 0.0], [3.0, 4.0]])
    >>> output, cache = batch_norm(X, np.zeros(2), np.ones(2), training=True)
    >>> output.round(3)
    array([[-1., -1.],
           [ 1.,  1.]])
    >>> running_mean, running_var = cache[-2:]
    >>> running_mean, running_var
    (array([0.2, 0.2]), array([1.1, 1.7]))
    """
    input, running_mean, running_var, weight, bias, momentum, eps = _check.batch_norm_arguments(
        input, running_mean, running_var, weight, bias, training, momentum, eps
    )
    channels = input.shape[1]
    axes = (0, *range(2, input.ndim))
    column = (1, channels) + (1,) * (input.ndim - 2)  # the shape in which a (C,) broadcasts
    if training:
        count = max(input.size // channels, 1)  # values per channel; 1 keeps 0/0 out
        mean = input.sum(axis=axes, keepdims=True) / count
        centred = input - mean
        var = (centred * centred).sum(axis=axes, keepdims=True) / count
        if running_mean is not None and running_var is not None and input.size > 0:
            unbiased = var.reshape(channels) * (count / (count - 1))
            running_mean = running_mean + momentum * (mean.reshape(channels) - running_mean)
            running_var = running_var + momentum * (unbiased - running_var)
    else:
        centred = input - running_mean.reshape(column)
        var = running_var.reshape(column)
    inverse_std = 1.0 / np.sqrt(var + eps)
    normalized = centred * inverse_std

    output = normalized
    if weight is not None:
        output = output * weight.reshape(column)
    if bias is not None:
        output = output + bias.reshape(column)
    cache = (normalized, inverse_std, weight, bias is not None, training, running_mean, running_var)
    return output, cache


# --8<-- [end:batch_norm]


# --8<-- [start:batch_norm_backward]
def batch_norm_backward(
    grad_output: np.ndarray, cache: tuple[Any, ...]
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Return the gradients of the loss for input, weight and bias.

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        ∂J/∂y.
    cache : tuple
        What `batch_norm` returned.

    Returns
    -------
    grad_input : ndarray, shape of input
        In training the mean and the variance depend on every value of the channel, so two parts
        of the gradient vanish: its mean and its part along x̂.
    grad_weight : ndarray, shape (C,), or None
        The sum of ∂J/∂y ⊙ x̂ over a channel.
    grad_bias : ndarray, shape (C,), or None
        The sum of ∂J/∂y over a channel.

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Notes
    -----
    The running statistics are constants for the gradient, as in PyTorch.

    Examples
    --------
    >>> X = np.array([[1.0], [2.0], [4.0]])
    >>> _, cache = batch_norm(X, None, None, bias=np.zeros(1), training=True)
    >>> grad_input, grad_weight, grad_bias = batch_norm_backward(np.ones((3, 1)), cache)
    >>> np.allclose(grad_input, 0.0)  # a shift of the whole channel changes nothing
    True
    >>> grad_weight, grad_bias
    (None, array([3.]))
    """
    normalized, inverse_std, weight, has_bias, training, _, _ = cache
    grad_output = _check.grad_output(grad_output, normalized.shape, normalized.dtype)
    channels = normalized.shape[1]
    axes = (0, *range(2, normalized.ndim))

    grad_sum = grad_output.sum(axis=axes, keepdims=True)
    product_sum = (grad_output * normalized).sum(axis=axes, keepdims=True)
    grad_input = grad_output
    if training:
        count = max(normalized.size // channels, 1)
        grad_input = grad_input - (grad_sum + normalized * product_sum) / count
    scale = inverse_std if weight is None else inverse_std * weight.reshape(inverse_std.shape)
    grad_input = grad_input * scale

    grad_weight = None if weight is None else product_sum.reshape(channels)
    grad_bias = grad_sum.reshape(channels) if has_bias else None
    return grad_input, grad_weight, grad_bias


# --8<-- [end:batch_norm_backward]


# --8<-- [start:layer_norm]
def layer_norm(
    input: np.ndarray,
    normalized_shape: int | Sequence[int],
    weight: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    eps: float = 1e-5,
) -> tuple[np.ndarray, tuple[Any, ...]]:
    """Normalise each sample over its last axes, the same in training and evaluation.

    Parameters
    ----------
    input : ndarray, shape (..., *normalized_shape), float32 or float64
        The batch x; usually (N, D) or (N, T, D).
    normalized_shape : int or sequence of int
        The sizes of the last axes; an int means one axis.
    weight, bias : ndarray, shape normalized_shape, dtype of input, optional
        w and b; None means 1 and 0.
    eps : float, default 1e-5
        Added to the variance, above 0.

    Returns
    -------
    output : ndarray, shape of input
        y = w ⊙ x̂ + b.
    cache : tuple
        (x̂, 1/√(var + eps), weight, whether there is a bias, the normalised axes).

    Raises
    ------
    TypeError
        If an array is not float32 or float64, the dtypes differ, or a size or eps is no number.
    ValueError
        If a shape does not fit, or a size or eps is not above 0.

    Notes
    -----
    Source: J. L. Ba, J. R. Kiros, G. E. Hinton, "Layer Normalization", 2016, arXiv:1607.06450.

    Examples
    --------
    >>> output, cache = layer_norm(np.array([[1.0, 3.0], [0.0, 4.0]]), 2)
    >>> output.round(3)
    array([[-1.,  1.],
           [-1.,  1.]])
    """
    input, weight, bias = _check.optional_floats(input=input, weight=weight, bias=bias)
    axes = _check.last_axes(input, normalized_shape, weight=weight, bias=bias)
    eps = _check.positive("eps", eps)

    centred = input - input.mean(axis=axes, keepdims=True)
    var = (centred * centred).mean(axis=axes, keepdims=True)
    inverse_std = 1.0 / np.sqrt(var + eps)
    normalized = centred * inverse_std

    output = normalized
    if weight is not None:
        output = output * weight
    if bias is not None:
        output = output + bias
    return output, (normalized, inverse_std, weight, bias is not None, axes)


# --8<-- [end:layer_norm]


# --8<-- [start:layer_norm_backward]
def layer_norm_backward(
    grad_output: np.ndarray, cache: tuple[Any, ...]
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Return the gradients of the loss for input, weight and bias.

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        ∂J/∂y.
    cache : tuple
        What `layer_norm` returned.

    Returns
    -------
    grad_input : ndarray, shape of input
        Per sample, ∂J/∂x̂ without its mean and without its part along x̂, over √(var + eps).
    grad_weight : ndarray, shape of weight, or None
        The sum of ∂J/∂y ⊙ x̂ over the samples.
    grad_bias : ndarray, shape of bias, or None
        The sum of ∂J/∂y over the samples.

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Examples
    --------
    >>> _, cache = layer_norm(np.array([[1.0, 3.0], [0.0, 4.0]]), 2, bias=np.zeros(2))
    >>> grad_input, grad_weight, grad_bias = layer_norm_backward(np.ones((2, 2)), cache)
    >>> grad_input, grad_weight, grad_bias
    (array([[0., 0.],
           [0., 0.]]), None, array([2., 2.]))
    """
    normalized, inverse_std, weight, has_bias, axes = cache
    grad_output = _check.grad_output(grad_output, normalized.shape, normalized.dtype)
    samples = tuple(range(normalized.ndim - len(axes)))

    grad_weight = None if weight is None else (grad_output * normalized).sum(axis=samples)
    grad_bias = grad_output.sum(axis=samples) if has_bias else None

    grad = grad_output if weight is None else grad_output * weight  # ∂J/∂x̂
    along = (grad * normalized).mean(axis=axes, keepdims=True)
    grad_input = (grad - grad.mean(axis=axes, keepdims=True) - normalized * along) * inverse_std
    return grad_input, grad_weight, grad_bias


# --8<-- [end:layer_norm_backward]


# --8<-- [start:group_norm]
def group_norm(
    input: np.ndarray,
    num_groups: int,
    weight: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    eps: float = 1e-5,
) -> tuple[np.ndarray, tuple[Any, ...]]:
    """Normalise each sample over groups of neighbouring channels.

    One group is a layer norm over (C, ...), C groups are an instance norm; the batch does not
    matter, so training and evaluation are the same.

    Parameters
    ----------
    input : ndarray, shape (N, C, ...), float32 or float64
        The batch x.
    num_groups : int
        G, a divisor of C.
    weight, bias : ndarray, shape (C,), dtype of input, optional
        w and b, per channel; None means 1 and 0.
    eps : float, default 1e-5
        Added to the variance, above 0.

    Returns
    -------
    output : ndarray, shape of input
        y = w ⊙ x̂ + b.
    cache : tuple
        (x̂ as (N, G, values per group), 1/√(var + eps), weight, whether there is a bias, shape of
        input).

    Raises
    ------
    TypeError
        If an array is not float32 or float64, the dtypes differ, or num_groups or eps is no
        number.
    ValueError
        If a shape does not fit, num_groups does not divide C, or eps is not above 0.

    Notes
    -----
    Source: Y. Wu, K. He, "Group Normalization", ECCV 2018, arXiv:1803.08494.

    Examples
    --------
    >>> output, cache = group_norm(np.array([[1.0, 3.0, 0.0, 4.0]]), num_groups=2)
    >>> output.round(3)
    array([[-1.,  1., -1.,  1.]])
    """
    input, weight, bias = _check.optional_floats(input=input, weight=weight, bias=bias)
    channels = _check.channels(input, weight=weight, bias=bias)
    num_groups = _check.divides("num_groups", num_groups, channels, "channels")
    eps = _check.positive("eps", eps)

    groups = input.reshape(len(input), num_groups, math.prod(input.shape[1:]) // num_groups)
    centred = groups - groups.mean(axis=2, keepdims=True)
    var = (centred * centred).mean(axis=2, keepdims=True)
    inverse_std = 1.0 / np.sqrt(var + eps)
    normalized = centred * inverse_std

    column = (channels,) + (1,) * (input.ndim - 2)
    output = normalized.reshape(input.shape)
    if weight is not None:
        output = output * weight.reshape(column)
    if bias is not None:
        output = output + bias.reshape(column)
    return output, (normalized, inverse_std, weight, bias is not None, input.shape)


# --8<-- [end:group_norm]


# --8<-- [start:group_norm_backward]
def group_norm_backward(
    grad_output: np.ndarray, cache: tuple[Any, ...]
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Return the gradients of the loss for input, weight and bias.

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        ∂J/∂y.
    cache : tuple
        What `group_norm` returned.

    Returns
    -------
    grad_input : ndarray, shape of input
        Per group, ∂J/∂x̂ without its mean and without its part along x̂, over √(var + eps).
    grad_weight : ndarray, shape (C,), or None
        The sum of ∂J/∂y ⊙ x̂ over a channel.
    grad_bias : ndarray, shape (C,), or None
        The sum of ∂J/∂y over a channel.

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Examples
    --------
    >>> _, cache = group_norm(np.array([[1.0, 3.0, 0.0, 4.0]]), 2, bias=np.zeros(4))
    >>> grad_input, grad_weight, grad_bias = group_norm_backward(np.ones((1, 4)), cache)
    >>> grad_input, grad_weight, grad_bias
    (array([[0., 0., 0., 0.]]), None, array([1., 1., 1., 1.]))
    """
    normalized, inverse_std, weight, has_bias, shape = cache
    grad_output = _check.grad_output(grad_output, shape, normalized.dtype)
    axes = (0, *range(2, len(shape)))

    grad = grad_output  # ∂J/∂x̂
    grad_weight = None
    if weight is not None:
        grad_weight = (grad_output * normalized.reshape(shape)).sum(axis=axes)
        grad = grad_output * weight.reshape((len(weight),) + (1,) * (len(shape) - 2))
    grad_bias = grad_output.sum(axis=axes) if has_bias else None

    grad = grad.reshape(normalized.shape)
    along = (grad * normalized).mean(axis=2, keepdims=True)
    grad_input = (grad - grad.mean(axis=2, keepdims=True) - normalized * along) * inverse_std
    return grad_input.reshape(shape), grad_weight, grad_bias


# --8<-- [end:group_norm_backward]


# --8<-- [start:rms_norm]
def rms_norm(
    input: np.ndarray,
    normalized_shape: int | Sequence[int],
    weight: np.ndarray | None = None,
    eps: float | None = None,
) -> tuple[np.ndarray, tuple[Any, ...]]:
    """Divide each sample by the root of its mean square over the last axes; no mean is taken off.

    Parameters
    ----------
    input : ndarray, shape (..., *normalized_shape), float32 or float64
        The batch x; usually (N, D) or (N, T, D).
    normalized_shape : int or sequence of int
        The sizes of the last axes; an int means one axis.
    weight : ndarray, shape normalized_shape, dtype of input, optional
        w; None means 1.
    eps : float, optional
        Added to the mean square, above 0; None means the machine epsilon of the dtype.

    Returns
    -------
    output : ndarray, shape of input
        y = w ⊙ x̂ with x̂ = x / √(mean(x²) + eps).
    cache : tuple
        (x̂, 1/√(mean(x²) + eps), weight, the normalised axes).

    Raises
    ------
    TypeError
        If an array is not float32 or float64, the dtypes differ, or a size or eps is no number.
    ValueError
        If a shape does not fit, or a size or eps is not above 0.

    Notes
    -----
    Source: B. Zhang, R. Sennrich, "Root Mean Square Layer Normalization", NeurIPS 2019,
    arXiv:1910.07467.

    Examples
    --------
    >>> output, cache = rms_norm(np.array([[3.0, 0.0, 0.0, 4.0]]), 4)
    >>> output.round(3)
    array([[1.2, 0. , 0. , 1.6]])
    """
    input, weight = _check.optional_floats(input=input, weight=weight)
    axes = _check.last_axes(input, normalized_shape, weight=weight)
    eps = float(np.finfo(input.dtype).eps) if eps is None else _check.positive("eps", eps)

    inverse_rms = 1.0 / np.sqrt((input * input).mean(axis=axes, keepdims=True) + eps)
    normalized = input * inverse_rms
    output = normalized if weight is None else normalized * weight
    return output, (normalized, inverse_rms, weight, axes)


# --8<-- [end:rms_norm]


# --8<-- [start:rms_norm_backward]
def rms_norm_backward(
    grad_output: np.ndarray, cache: tuple[Any, ...]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the gradients of the loss for input and weight.

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        ∂J/∂y.
    cache : tuple
        What `rms_norm` returned.

    Returns
    -------
    grad_input : ndarray, shape of input
        Per sample, ∂J/∂x̂ without its part along x̂, over √(mean(x²) + eps).
    grad_weight : ndarray, shape of weight, or None
        The sum of ∂J/∂y ⊙ x̂ over the samples.

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Examples
    --------
    >>> X = np.array([[3.0, 0.0, 0.0, 4.0]])
    >>> _, cache = rms_norm(X, 4)
    >>> grad_input, grad_weight = rms_norm_backward(X, cache)
    >>> np.allclose(grad_input, 0.0)  # a longer x has the same output
    True
    """
    normalized, inverse_rms, weight, axes = cache
    grad_output = _check.grad_output(grad_output, normalized.shape, normalized.dtype)
    samples = tuple(range(normalized.ndim - len(axes)))
    grad_weight = None if weight is None else (grad_output * normalized).sum(axis=samples)

    grad = grad_output if weight is None else grad_output * weight  # ∂J/∂x̂
    along = (grad * normalized).mean(axis=axes, keepdims=True)
    grad_input = (grad - normalized * along) * inverse_rms
    return grad_input, grad_weight


# --8<-- [end:rms_norm_backward]
