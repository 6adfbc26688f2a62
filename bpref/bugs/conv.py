"""Convolution and max pooling: their backward passes, and three wrong ones."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Cache = tuple[np.ndarray, np.ndarray, int]
Gradients = tuple[np.ndarray, np.ndarray, np.ndarray]


def padded(input: np.ndarray, size: int) -> np.ndarray:
    """Put `size` rows and columns of zeros around every image.

    Parameters
    ----------
    input : ndarray, shape (N, C, H, W)
        The images.
    size : int
        The width of the border.

    Returns
    -------
    ndarray, shape (N, C, H + 2 size, W + 2 size)

    Examples
    --------
    >>> padded(np.ones((1, 1, 1, 1)), 1)[0, 0]
    array([[0., 0., 0.],
           [0., 1., 0.],
           [0., 0., 0.]])
    """
    N, C, H, W = input.shape
    output = np.zeros((N, C, H + 2 * size, W + 2 * size), dtype=input.dtype)
    output[:, :, size : size + H, size : size + W] = input
    return output


def conv2d(
    input: np.ndarray, weight: np.ndarray, bias: np.ndarray, padding: int = 1
) -> tuple[np.ndarray, Cache]:
    """Slide square kernels over padded images, with stride 1.

    Parameters
    ----------
    input : ndarray, shape (N, C, H, W)
        X.
    weight : ndarray, shape (O, C, k, k)
        The kernels.
    bias : ndarray, shape (O,)
        One number for each kernel.
    padding : int, default 1
        Zeros around each image.

    Returns
    -------
    output : ndarray, shape (N, O, H + 2 padding − k + 1, W + 2 padding − k + 1)
    cache : tuple
        (input, weight, padding).

    Examples
    --------
    >>> X, W = np.ones((1, 1, 2, 2)), np.ones((1, 1, 3, 3))
    >>> conv2d(X, W, np.zeros(1))[0][0, 0]
    array([[4., 4.],
           [4., 4.]])
    """
    windows = sliding_window_view(padded(input, padding), weight.shape[2:], axis=(2, 3))
    output = np.tensordot(windows, weight, axes=((1, 4, 5), (1, 2, 3)))  # (N, H, W, O)
    return output.transpose(0, 3, 1, 2) + bias[:, np.newaxis, np.newaxis], (input, weight, padding)


def conv2d_backward(grad_output: np.ndarray, cache: Cache) -> Gradients:
    """Return the gradients for input, weight and bias: the right pass.

    Parameters
    ----------
    grad_output : ndarray, shape of the output
        Δ.
    cache : tuple
        What `conv2d` returned.

    Returns
    -------
    grad_input : ndarray, shape (N, C, H, W)
        Δ, padded by k − 1, convolved with the flipped kernels; then the padding is cut off.
    grad_weight : ndarray, shape (O, C, k, k)
    grad_bias : ndarray, shape (O,)

    Notes
    -----
    Source: V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning", 2016,
    arXiv:1603.07285, chapter 4.

    Examples
    --------
    >>> X, W = np.zeros((1, 1, 1, 3)), np.arange(9.0).reshape(1, 1, 3, 3)
    >>> _, cache = conv2d(X, W, np.zeros(1))
    >>> conv2d_backward(np.array([[[[0.0, 1.0, 0.0]]]]), cache)[0]
    array([[[[3., 4., 5.]]]])
    """
    input, weight, padding = cache
    H, W = input.shape[2:]
    k = weight.shape[2]
    # --8<-- [start:right_flip]
    kernel = weight[:, :, ::-1, ::-1]
    # --8<-- [end:right_flip]
    windows = sliding_window_view(padded(grad_output, k - 1), (k, k), axis=(2, 3))
    full = np.tensordot(windows, kernel, axes=((1, 4, 5), (0, 2, 3))).transpose(0, 3, 1, 2)
    # --8<-- [start:right_crop]
    grad_input = full[:, :, padding : padding + H, padding : padding + W]
    # --8<-- [end:right_crop]
    return grad_input, *_parameters(grad_output, input, k, padding)


def conv_not_flipped(grad_output: np.ndarray, cache: Cache) -> Gradients:
    """Forget to flip the kernels: wrong.

    Parameters
    ----------
    grad_output, cache
        As of `conv2d_backward`.

    Returns
    -------
    grad_input, grad_weight, grad_bias : ndarray
        As of `conv2d_backward`; the first is wrong.

    Notes
    -----
    Source: the question is asked in https://github.com/ddbourgin/numpy-ml/issues/27

    Examples
    --------
    >>> X, W = np.zeros((1, 1, 1, 3)), np.arange(9.0).reshape(1, 1, 3, 3)
    >>> _, cache = conv2d(X, W, np.zeros(1))
    >>> conv_not_flipped(np.array([[[[0.0, 1.0, 0.0]]]]), cache)[0]   # right: 3, 4, 5
    array([[[[5., 4., 3.]]]])
    """
    input, weight, padding = cache
    H, W = input.shape[2:]
    k = weight.shape[2]
    # --8<-- [start:conv_not_flipped]
    kernel = weight
    # --8<-- [end:conv_not_flipped]
    windows = sliding_window_view(padded(grad_output, k - 1), (k, k), axis=(2, 3))
    full = np.tensordot(windows, kernel, axes=((1, 4, 5), (0, 2, 3))).transpose(0, 3, 1, 2)
    grad_input = full[:, :, padding : padding + H, padding : padding + W]
    return grad_input, *_parameters(grad_output, input, k, padding)


def conv_wrong_crop(grad_output: np.ndarray, cache: Cache) -> Gradients:
    """Cut the padding off at one side only: wrong.

    Parameters
    ----------
    grad_output, cache
        As of `conv2d_backward`.

    Returns
    -------
    grad_input, grad_weight, grad_bias : ndarray
        As of `conv2d_backward`; the first is shifted by the padding.

    Notes
    -----
    Source: the right shape at the wrong corner; no public thread.

    Examples
    --------
    >>> X, W = np.zeros((1, 1, 1, 3)), np.arange(9.0).reshape(1, 1, 3, 3)
    >>> _, cache = conv2d(X, W, np.zeros(1))
    >>> conv_wrong_crop(np.array([[[[0.0, 1.0, 0.0]]]]), cache)[0]   # right: 3, 4, 5
    array([[[[0., 0., 1.]]]])
    """
    input, weight, padding = cache
    H, W = input.shape[2:]
    k = weight.shape[2]
    kernel = weight[:, :, ::-1, ::-1]
    windows = sliding_window_view(padded(grad_output, k - 1), (k, k), axis=(2, 3))
    full = np.tensordot(windows, kernel, axes=((1, 4, 5), (0, 2, 3))).transpose(0, 3, 1, 2)
    # --8<-- [start:conv_wrong_crop]
    grad_input = full[:, :, :H, :W]
    # --8<-- [end:conv_wrong_crop]
    return grad_input, *_parameters(grad_output, input, k, padding)


def _parameters(
    delta: np.ndarray, input: np.ndarray, k: int, padding: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the gradients of kernels and bias."""
    windows = sliding_window_view(padded(input, padding), (k, k), axis=(2, 3))
    grad_weight = np.tensordot(delta, windows, axes=((0, 2, 3), (0, 2, 3)))
    return grad_weight, delta.sum(axis=(0, 2, 3))


def max_pool(input: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take the largest element of every 2 × 2 window.

    Parameters
    ----------
    input : ndarray, shape (N, C, H, W)
        X, with even H and W.

    Returns
    -------
    output : ndarray, shape (N, C, H/2, W/2)
    cache : ndarray, shape (N, C, H/2, W/2, 4)
        The windows.

    Examples
    --------
    >>> max_pool(np.array([[[[1.0, 2.0], [3.0, 4.0]]]]))[0]
    array([[[[4.]]]])
    """
    N, C, H, W = input.shape
    blocks = input.reshape(N, C, H // 2, 2, W // 2, 2)
    windows = blocks.transpose(0, 1, 2, 4, 3, 5).reshape(N, C, H // 2, W // 2, 4)
    return windows.max(axis=-1), windows


def max_pool_backward(grad_output: np.ndarray, cache: np.ndarray) -> np.ndarray:
    """Return the gradient for the input: the right pass.

    Parameters
    ----------
    grad_output : ndarray, shape (N, C, H/2, W/2)
        Δ.
    cache : ndarray
        What `max_pool` returned.

    Returns
    -------
    ndarray, shape (N, C, H, W)
        Δ at the first maximum of each window, else 0.

    Notes
    -----
    At a tie any weights that sum to one are allowed; the first maximum takes all here, as in
    `bpref.functional.max_pool2d`. Source: "Derivation, kinks".

    Examples
    --------
    >>> _, cache = max_pool(np.array([[[[4.0, 4.0], [0.0, 0.0]]]]))
    >>> max_pool_backward(np.array([[[[1.0]]]]), cache)[0, 0]
    array([[1., 0.],
           [0., 0.]])
    """
    windows = cache
    # --8<-- [start:right_max_pool]
    place = np.arange(4) == windows.argmax(axis=-1)[..., np.newaxis]
    # --8<-- [end:right_max_pool]
    return _unpooled(grad_output[..., np.newaxis] * place)


def pool_all_ties(grad_output: np.ndarray, cache: np.ndarray) -> np.ndarray:
    """Give every element that equals the maximum the whole gradient: wrong at ties.

    Parameters
    ----------
    grad_output, cache : ndarray
        As of `max_pool_backward`.

    Returns
    -------
    ndarray, shape (N, C, H, W)

    Notes
    -----
    Source: https://github.com/Theano/Theano/issues/5248

    Examples
    --------
    >>> _, cache = max_pool(np.array([[[[4.0, 4.0], [0.0, 0.0]]]]))
    >>> pool_all_ties(np.array([[[[1.0]]]]), cache)[0, 0]   # sums to 2
    array([[1., 1.],
           [0., 0.]])
    """
    windows = cache
    # --8<-- [start:pool_all_ties]
    place = windows == windows.max(axis=-1, keepdims=True)
    # --8<-- [end:pool_all_ties]
    return _unpooled(grad_output[..., np.newaxis] * place)


def _unpooled(windows: np.ndarray) -> np.ndarray:
    """Put windows of shape (N, C, H/2, W/2, 4) back into images."""
    N, C, H, W, _ = windows.shape
    blocks = windows.reshape(N, C, H, W, 2, 2).transpose(0, 1, 2, 4, 3, 5)
    return blocks.reshape(N, C, 2 * H, 2 * W)
