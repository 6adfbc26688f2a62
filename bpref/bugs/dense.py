"""The linear layer Y = X Wᵀ + b: its backward pass, and four wrong ones."""

from __future__ import annotations

import numpy as np

Gradients = tuple[np.ndarray, np.ndarray, np.ndarray]


def linear(
    input: np.ndarray, weight: np.ndarray, bias: np.ndarray
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Apply Y = X Wᵀ + b.

    Parameters
    ----------
    input : ndarray, shape (N, d)
        X, one row per sample.
    weight : ndarray, shape (m, d)
        W.
    bias : ndarray, shape (m,)
        b.

    Returns
    -------
    output : ndarray, shape (N, m)
    cache : tuple
        (input, weight).

    Examples
    --------
    >>> linear(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]]), np.array([0.5]))[0]
    array([[11.5]])
    """
    return input @ weight.T + bias, (input, weight)


def linear_backward(grad_output: np.ndarray, cache: tuple[np.ndarray, np.ndarray]) -> Gradients:
    """Return the gradients for input, weight and bias: the right pass.

    Parameters
    ----------
    grad_output : ndarray, shape (N, m)
        Δ = ∂J/∂Y.
    cache : tuple
        What `linear` returned.

    Returns
    -------
    grad_input : ndarray, shape (N, d)
        Δ W.
    grad_weight : ndarray, shape (m, d)
        Δᵀ X.
    grad_bias : ndarray, shape (m,)
        The column sums of Δ.

    Notes
    -----
    Source: "Derivation, one layer", the backward equations in batch form.

    Examples
    --------
    >>> X, W, b = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]]), np.array([0.5])
    >>> _, cache = linear(X, W, b)
    >>> linear_backward(np.array([[10.0]]), cache)
    (array([[30., 40.]]), array([[10., 20.]]), array([10.]))
    """
    input, weight = cache
    # --8<-- [start:right_grad_input]
    grad_input = grad_output @ weight
    # --8<-- [end:right_grad_input]
    grad_weight = grad_output.T @ input
    # --8<-- [start:right_grad_bias]
    grad_bias = grad_output.sum(axis=0)
    # --8<-- [end:right_grad_bias]
    return grad_input, grad_weight, grad_bias


def missing_weight(grad_output: np.ndarray, cache: tuple[np.ndarray, np.ndarray]) -> Gradients:
    """Hand the error signal on without W: wrong.

    Parameters
    ----------
    grad_output : ndarray, shape (N, 1)
        A layer with one output; then Δ broadcasts where Δ W belongs.
    cache : tuple
        What `linear` returned.

    Returns
    -------
    grad_input : ndarray, shape (N, 1)
        Should be (N, d).
    grad_weight, grad_bias : ndarray
        As of `linear_backward`.

    Notes
    -----
    Source: the source article, section 4.3, the gradients of W₁ and b₁.

    Examples
    --------
    >>> X, W, b = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]]), np.array([0.5])
    >>> missing_weight(np.array([[10.0]]), linear(X, W, b)[1])[0]   # right: [[30., 40.]]
    array([[10.]])
    """
    input, _ = cache
    # --8<-- [start:missing_weight]
    grad_input = grad_output
    # --8<-- [end:missing_weight]
    return grad_input, grad_output.T @ input, grad_output.sum(axis=0)


def missing_transpose(grad_output: np.ndarray, cache: tuple[np.ndarray, np.ndarray]) -> Gradients:
    """Multiply by Wᵀ where W belongs: wrong, and silent for a square layer.

    Parameters
    ----------
    grad_output : ndarray, shape (N, n)
        Δ.
    cache : tuple
        What `linear` returned for W of shape (n, n).

    Returns
    -------
    grad_input, grad_weight, grad_bias : ndarray
        As of `linear_backward`; the first is wrong.

    Notes
    -----
    Source: a slip of layout; https://github.com/pytorch/tutorials/pull/426 reports a Jacobian
    that was printed transposed.

    Examples
    --------
    >>> X, W, b = np.ones((1, 2)), np.array([[0.0, 1.0], [0.0, 0.0]]), np.zeros(2)
    >>> missing_transpose(np.array([[1.0, 0.0]]), linear(X, W, b)[1])[0]   # right: [[0., 1.]]
    array([[0., 0.]])
    """
    input, weight = cache
    # --8<-- [start:missing_transpose]
    grad_input = grad_output @ weight.T
    # --8<-- [end:missing_transpose]
    return grad_input, grad_output.T @ input, grad_output.sum(axis=0)


def bias_wrong_axis(grad_output: np.ndarray, cache: tuple[np.ndarray, np.ndarray]) -> Gradients:
    """Sum the error signal over the outputs, not over the samples: wrong.

    Parameters
    ----------
    grad_output : ndarray, shape (N, m)
        Δ.
    cache : tuple
        What `linear` returned.

    Returns
    -------
    grad_input, grad_weight : ndarray
        As of `linear_backward`.
    grad_bias : ndarray, shape (N,)
        Should be (m,): nothing is noticed when N = m.

    Notes
    -----
    Source: https://github.com/rasbt/stat453-deep-learning-ss21/issues/5

    Examples
    --------
    >>> cache = linear(np.ones((2, 1)), np.ones((2, 1)), np.zeros(2))[1]
    >>> bias_wrong_axis(np.array([[1.0, 2.0], [3.0, 4.0]]), cache)[2]   # right: [4., 6.]
    array([3., 7.])
    """
    input, weight = cache
    # --8<-- [start:bias_wrong_axis]
    grad_bias = grad_output.sum(axis=1)
    # --8<-- [end:bias_wrong_axis]
    return grad_output @ weight, grad_output.T @ input, grad_bias


def bias_forgotten(grad_output: np.ndarray, cache: tuple[np.ndarray, np.ndarray]) -> Gradients:
    """Leave the bias where it started: wrong.

    Parameters
    ----------
    grad_output : ndarray, shape (N, m)
        Δ.
    cache : tuple
        What `linear` returned.

    Returns
    -------
    grad_input, grad_weight : ndarray
        As of `linear_backward`.
    grad_bias : ndarray, shape (m,)
        Zeros.

    Notes
    -----
    Source: https://github.com/mattm/simple-neural-network/issues/5

    Examples
    --------
    >>> cache = linear(np.ones((2, 1)), np.ones((2, 1)), np.zeros(2))[1]
    >>> bias_forgotten(np.array([[1.0, 2.0], [3.0, 4.0]]), cache)[2]   # right: [4., 6.]
    array([0., 0.])
    """
    input, weight = cache
    # --8<-- [start:bias_forgotten]
    grad_bias = np.zeros(len(weight))
    # --8<-- [end:bias_forgotten]
    return grad_output @ weight, grad_output.T @ input, grad_bias
