"""The linear layer Y = X Wᵀ + b and its backward pass."""

from __future__ import annotations

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
