"""The linear layer Y = X Wᵀ + b, the bilinear one, and their backward passes."""

from __future__ import annotations

import math

import numpy as np

from bpref import _check


# --8<-- [start:linear]
def linear(
    input: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, bool]]:
    """Apply Y = X Wᵀ + b to the last axis, as `torch.nn.functional.linear` does.

    Parameters
    ----------
    input : ndarray, shape (..., d), float32 or float64
        The batch X; usually (N, d).
    weight : ndarray, shape (m, d), dtype of input
        W in PyTorch's layout (out_features, in_features).
    bias : ndarray, shape (m,), dtype of input, optional
        The vector b; None leaves it out.

    Returns
    -------
    output : ndarray, shape (..., m)
        The pre-activation Y.
    cache : tuple
        (input, weight, whether there is a bias).

    Raises
    ------
    TypeError
        If an argument is not float32 or float64, or the dtypes differ.
    ValueError
        If the shapes do not fit.

    Notes
    -----
    Source: "Derivation, one layer", the forward equation in batch form.

    Examples
    --------
    >>> X, W, b = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]]), np.array([0.5])
    >>> output, cache = linear(X, W, b)
    >>> output
    array([[11.5]])
    """
    input, weight, bias = _check.linear_arguments(input, weight, bias)
    output = input @ weight.T
    if bias is not None:
        output = output + bias
    return output, (input, weight, bias is not None)


# --8<-- [end:linear]


# --8<-- [start:linear_backward]
def linear_backward(
    grad_output: np.ndarray, cache: tuple[np.ndarray, np.ndarray, bool]
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return the gradients of the loss for input, weight and bias.

    Parameters
    ----------
    grad_output : ndarray, shape (..., m), dtype of the output
        Δ = ∂J/∂Y.
    cache : tuple
        What `linear` returned.

    Returns
    -------
    grad_input : ndarray, shape (..., d)
        Δ W.
    grad_weight : ndarray, shape (m, d)
        Δᵀ X, summed over all leading axes.
    grad_bias : ndarray, shape (m,), or None
        The column sums of Δ; None when there is no bias.

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Notes
    -----
    Source: "Derivation, one layer", the backward equations in batch form.

    Examples
    --------
    >>> X, W = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])
    >>> _, cache = linear(X, W)
    >>> grad_input, grad_weight, grad_bias = linear_backward(np.array([[10.0]]), cache)
    >>> grad_input, grad_weight, grad_bias
    (array([[30., 40.]]), array([[10., 20.]]), None)
    """
    input, weight, has_bias = cache
    out_features, in_features = weight.shape
    delta = _check.grad_output(grad_output, (*input.shape[:-1], out_features), input.dtype)

    grad_input = delta @ weight
    rows = delta.reshape(-1, out_features)  # (N, m): one row per sample, whatever the input's rank
    grad_weight = rows.T @ input.reshape(-1, in_features)
    grad_bias = rows.sum(axis=0) if has_bias else None
    return grad_input, grad_weight, grad_bias


# --8<-- [end:linear_backward]


# --8<-- [start:bilinear]
def bilinear(
    input1: np.ndarray, input2: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray, bool]]:
    """Return y_k = Σ_ij x_i W_kij z_j + b_k, as `torch.nn.functional.bilinear` does.

    It is a linear layer whose inputs are all products x_i z_j, and that is how it is computed.

    Parameters
    ----------
    input1 : ndarray, shape (..., d), float32 or float64
        The batch X; usually (N, d).
    input2 : ndarray, shape (..., e), dtype of input1
        The batch Z, with the leading axes of input1.
    weight : ndarray, shape (m, d, e), dtype of input1
        W: one d × e matrix for each output.
    bias : ndarray, shape (m,), dtype of input1, optional
        The vector b; None leaves it out.

    Returns
    -------
    output : ndarray, shape (..., m)
    cache : tuple
        (input1, input2, weight, whether there is a bias).

    Raises
    ------
    TypeError
        If an argument is not float32 or float64, or the dtypes differ.
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> X, Z, W = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]]), np.ones((1, 2, 2))
    >>> bilinear(X, Z, W)[0]   # (1 + 2) · (3 + 4)
    array([[21.]])
    """
    input1, input2, weight, bias = _check.bilinear_arguments(input1, input2, weight, bias)
    m, d, e = weight.shape
    products = input1[..., :, np.newaxis] * input2[..., np.newaxis, :]  # (..., d, e)
    flat = products.reshape(*input1.shape[:-1], d * e)
    output = flat @ weight.reshape(m, d * e).T
    if bias is not None:
        output = output + bias
    return output, (input1, input2, weight, bias is not None)


# --8<-- [end:bilinear]


# --8<-- [start:bilinear_backward]
def bilinear_backward(
    grad_output: np.ndarray, cache: tuple[np.ndarray, np.ndarray, np.ndarray, bool]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
    """Return the gradients of the loss for both inputs, weight and bias.

    Parameters
    ----------
    grad_output : ndarray, shape (..., m), dtype of the output
        Δ = ∂J/∂Y.
    cache : tuple
        What `bilinear` returned.

    Returns
    -------
    grad_input1 : ndarray, shape (..., d)
        Σ_kj Δ_k W_kij z_j for each sample.
    grad_input2 : ndarray, shape (..., e)
        Σ_ki Δ_k W_kij x_i for each sample.
    grad_weight : ndarray, shape (m, d, e)
        Σ Δ_k x_i z_j, summed over all samples.
    grad_bias : ndarray, shape (m,), or None
        The column sums of Δ; None when there is no bias.

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Examples
    --------
    >>> X, Z, W = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]]), np.ones((1, 2, 2))
    >>> _, cache = bilinear(X, Z, W)
    >>> grad_input1, grad_input2, grad_weight, _ = bilinear_backward(np.array([[1.0]]), cache)
    >>> grad_input1, grad_input2, grad_weight[0]
    (array([[7., 7.]]), array([[3., 3.]]), array([[3., 4.],
           [6., 8.]]))
    """
    input1, input2, weight, has_bias = cache
    m, d, e = weight.shape
    delta = _check.grad_output(grad_output, (*input1.shape[:-1], m), input1.dtype)

    N = math.prod(input1.shape[:-1])  # one row per sample, whatever the inputs' rank
    rows = delta.reshape(N, m)
    x, z = input1.reshape(N, d, 1), input2.reshape(N, 1, e)
    grad_products = (rows @ weight.reshape(m, d * e)).reshape(N, d, e)
    grad_input1 = (grad_products * z).sum(axis=2).reshape(input1.shape)
    grad_input2 = (grad_products * x).sum(axis=1).reshape(input2.shape)
    grad_weight = (rows.T @ (x * z).reshape(N, d * e)).reshape(weight.shape)
    grad_bias = rows.sum(axis=0) if has_bias else None
    return grad_input1, grad_input2, grad_weight, grad_bias


# --8<-- [end:bilinear_backward]
