"""Softmax, its logarithm and the logarithm of its denominator, along an axis.

The largest element is subtracted first: it cancels in the quotient, and no exp can overflow.
Source: P. Blanchard, D. J. Higham, N. J. Higham, "Accurately computing the log-sum-exp and softmax
functions", IMA Journal of Numerical Analysis 41(4), 2021, DOI 10.1093/imanum/draa038.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bpref import _check


# --8<-- [start:softmax]
def softmax(input: np.ndarray, dim: int) -> tuple[np.ndarray, tuple[np.ndarray, int]]:
    """Return h_k = exp(a_k) / Σ_j exp(a_j) along an axis: positive, with sum 1.

    Parameters
    ----------
    input : ndarray, at least one axis, float32 or float64
        The pre-activation a; usually (N, C). −inf gives the weight 0.
    dim : int
        The axis of the classes; −1 is the last one. PyTorch's default, None, is deprecated
        there, so there is none here.

    Returns
    -------
    output : ndarray, shape of input
        nan along an axis that holds +inf or nothing but −inf, as in PyTorch.
    cache : tuple
        (output, dim).

    Raises
    ------
    TypeError
        If the input is not float32 or float64, or dim is no int.
    ValueError
        If there is no such axis.

    Examples
    --------
    >>> softmax(np.array([[0.0, 0.0], [10000.0, -10000.0]]), dim=1)[0]
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    (input,) = _check.floats(input=input)
    dim = _check.axis("dim", dim, input.ndim)
    with np.errstate(invalid="ignore"):  # inf − inf is nan
        weights = np.exp(input - np.max(input, axis=dim, keepdims=True, initial=-np.inf))
    output = weights / np.sum(weights, axis=dim, keepdims=True)
    return output, (output, dim)


# --8<-- [end:softmax]


# --8<-- [start:softmax_backward]
def softmax_backward(grad_output: np.ndarray, cache: tuple[np.ndarray, int]) -> np.ndarray:
    """Return δ = h ⊙ (∂J/∂h − Σ ∂J/∂h ⊙ h), with the sum along the axis of the softmax.

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        ∂J/∂h.
    cache : tuple
        What `softmax` returned.

    Returns
    -------
    grad_input : ndarray, shape of input
        ∂J/∂a.

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Notes
    -----
    The Jacobian diag(h) − h hᵀ is never built: only its product with ∂J/∂h is needed.

    Examples
    --------
    >>> _, cache = softmax(np.array([[0.0, 0.0]]), dim=1)
    >>> softmax_backward(np.array([[1.0, 0.0]]), cache)
    array([[ 0.25, -0.25]])
    """
    output, dim = cache
    grad_output = _check.grad_output(grad_output, output.shape, output.dtype)
    mean = np.sum(grad_output * output, axis=dim, keepdims=True)  # weighted with h
    grad_input: np.ndarray = output * (grad_output - mean)
    return grad_input


# --8<-- [end:softmax_backward]


# --8<-- [start:log_softmax]
def log_softmax(input: np.ndarray, dim: int) -> tuple[np.ndarray, tuple[np.ndarray, int]]:
    """Return log h_k = a_k − log Σ_j exp(a_j) along an axis, without computing h.

    Parameters
    ----------
    input : ndarray, at least one axis, float32 or float64
        The pre-activation a; usually (N, C).
    dim : int
        The axis of the classes; −1 is the last one. PyTorch's default, None, is deprecated
        there, so there is none here.

    Returns
    -------
    output : ndarray, shape of input
        nan along an axis that holds +inf or nothing but −inf, as in PyTorch.
    cache : tuple
        (output, dim).

    Raises
    ------
    TypeError
        If the input is not float32 or float64, or dim is no int.
    ValueError
        If there is no such axis.

    Examples
    --------
    >>> log_softmax(np.array([[0.0, 0.0], [10000.0, -10000.0]]), dim=1)[0].round(3)
    array([[-6.93e-01, -6.93e-01],
           [ 0.00e+00, -2.00e+04]])
    """
    (input,) = _check.floats(input=input)
    dim = _check.axis("dim", dim, input.ndim)
    with np.errstate(invalid="ignore", divide="ignore"):  # inf − inf is nan, log 0 is −inf
        shifted = input - np.max(input, axis=dim, keepdims=True, initial=-np.inf)
        output = shifted - np.log(np.sum(np.exp(shifted), axis=dim, keepdims=True))
    return output, (output, dim)


# --8<-- [end:log_softmax]


# --8<-- [start:log_softmax_backward]
def log_softmax_backward(grad_output: np.ndarray, cache: tuple[np.ndarray, int]) -> np.ndarray:
    """Return δ = g − h Σ g, with g = ∂J/∂(log h) and the sum along the axis of the softmax.

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        g.
    cache : tuple
        What `log_softmax` returned.

    Returns
    -------
    grad_input : ndarray, shape of input
        ∂J/∂a.

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Examples
    --------
    >>> _, cache = log_softmax(np.array([[0.0, 0.0]]), dim=1)
    >>> log_softmax_backward(np.array([[1.0, 0.0]]), cache)
    array([[ 0.5, -0.5]])
    """
    output, dim = cache
    grad_output = _check.grad_output(grad_output, output.shape, output.dtype)
    total = np.sum(grad_output, axis=dim, keepdims=True)
    grad_input: np.ndarray = grad_output - np.exp(output) * total
    return grad_input


# --8<-- [end:log_softmax_backward]


# --8<-- [start:logsumexp]
def logsumexp(
    input: np.ndarray, dim: int | Sequence[int], keepdim: bool = False
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, tuple[int, ...]]]:
    """Return log Σ exp(a) over some axes: a smooth maximum.

    Parameters
    ----------
    input : ndarray, at least one axis, float32 or float64
        a.
    dim : int or tuple of int
        The axes that are summed over.
    keepdim : bool, default False
        Whether they stay as axes of size 1.

    Returns
    -------
    output : ndarray
        −inf for the sum over nothing or over nothing but exp(−inf); inf where there is an inf.
    cache : tuple
        (input, output, shape of output with keepdim).

    Raises
    ------
    TypeError
        If the input is not float32 or float64, or an axis is no int.
    ValueError
        If there is no such axis, one comes twice, or the tuple is empty.

    Examples
    --------
    >>> logsumexp(np.array([[0.0, 0.0], [10000.0, -10000.0]]), dim=1)[0].round(3)
    array([6.93e-01, 1.00e+04])
    """
    (input,) = _check.floats(input=input)
    axes = _check.axes("dim", dim, input.ndim)
    highest = np.max(input, axis=axes, keepdims=True, initial=-np.inf)
    shift = np.where(np.isfinite(highest), highest, 0.0)  # inf − inf would be nan
    total = np.sum(np.exp(input - shift), axis=axes, keepdims=True)
    with np.errstate(divide="ignore"):  # log 0 is −inf
        kept = shift + np.log(total)
    output = kept if keepdim else np.squeeze(kept, axes)
    return output, (input, output, kept.shape)


# --8<-- [end:logsumexp]


# --8<-- [start:logsumexp_backward]
def logsumexp_backward(
    grad_output: np.ndarray | float, cache: tuple[np.ndarray, np.ndarray, tuple[int, ...]]
) -> np.ndarray:
    """Share the gradient out by softmax: δ = ∂J/∂y · exp(a − y).

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        ∂J/∂y.
    cache : tuple
        What `logsumexp` returned.

    Returns
    -------
    grad_input : ndarray, shape of input
        nan where both a and y are infinite, as in PyTorch.

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Examples
    --------
    >>> _, cache = logsumexp(np.array([[0.0, 0.0]]), dim=1)
    >>> logsumexp_backward(np.array([1.0]), cache)
    array([[0.5, 0.5]])
    """
    input, output, kept_shape = cache
    grad_output = _check.grad_output(grad_output, output.shape, input.dtype)
    with np.errstate(invalid="ignore"):  # inf − inf is nan
        softmax = np.exp(input - output.reshape(kept_shape))
    grad_input: np.ndarray = grad_output.reshape(kept_shape) * softmax
    return grad_input


# --8<-- [end:logsumexp_backward]
