"""LoRA: a frozen linear layer with a trained correction of low rank."""

from __future__ import annotations

import numpy as np

from bpref import _check

Cache = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, float]


# --8<-- [start:lora_linear]
def lora_linear(
    input: np.ndarray,
    weight: np.ndarray,
    lora_A: np.ndarray,
    lora_B: np.ndarray,
    bias: np.ndarray | None = None,
    alpha: float = 1.0,
) -> tuple[np.ndarray, Cache]:
    """Apply Y = X Wᵀ + b + (alpha/r) X Aᵀ Bᵀ, a linear layer with the weight W + (alpha/r) B A.

    W and b are frozen: they get no gradient. Of the m·d numbers of a whole weight only the
    r·(d + m) of A and B are trained. PyTorch has no such function.

    Parameters
    ----------
    input : ndarray, shape (..., d), float32 or float64
        The batch X; usually (N, d).
    weight : ndarray, shape (m, d), dtype of input
        The frozen weight W.
    lora_A : ndarray, shape (r, d), dtype of input
        A, from d features to r.
    lora_B : ndarray, shape (m, r), dtype of input
        B, from r features to m; zeros at the start of training.
    bias : ndarray, shape (m,), dtype of input, optional
        The frozen b; None leaves it out.
    alpha : float, default 1
        The correction is scaled by alpha/r, so that another r needs no other learning rate.

    Returns
    -------
    output : ndarray, shape (..., m)
    cache : tuple
        (input, weight, A, B, X Aᵀ, alpha/r).

    Raises
    ------
    TypeError
        If an array is not float32 or float64, the dtypes differ, or alpha is no number.
    ValueError
        If the shapes do not fit.

    Notes
    -----
    Source: E. J. Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022,
    arXiv:2106.09685.

    Examples
    --------
    >>> X, W = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])
    >>> A, B = np.array([[1.0, 1.0]]), np.array([[10.0]])
    >>> lora_linear(X, W, A, B)[0]   # 11 + 3 · 10
    array([[41.]])
    """
    input, weight, lora_A, lora_B, bias = _check.optional_floats(
        input=input, weight=weight, lora_A=lora_A, lora_B=lora_B, bias=bias
    )
    input, weight, bias = _check.linear_arguments(input, weight, bias)
    out_features, in_features = weight.shape
    _check.shape("lora_A", lora_A, ("r", in_features))
    rank = _check.positive_int("r", len(lora_A))
    _check.shape("lora_B", lora_B, (out_features, rank))
    scale = _check.real("alpha", alpha) / rank

    hidden = input @ lora_A.T  # (..., r)
    output = input @ weight.T + (scale * hidden) @ lora_B.T
    if bias is not None:
        output = output + bias
    return output, (input, weight, lora_A, lora_B, hidden, scale)


# --8<-- [end:lora_linear]


# --8<-- [start:lora_linear_backward]
def lora_linear_backward(
    grad_output: np.ndarray, cache: Cache
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the gradients of the loss for input, A and B; W and b are frozen.

    Parameters
    ----------
    grad_output : ndarray, shape (..., m), dtype of the output
        Δ = ∂J/∂Y.
    cache : tuple
        What `lora_linear` returned.

    Returns
    -------
    grad_input : ndarray, shape (..., d)
        Δ W + (alpha/r) Δ B A.
    grad_lora_A : ndarray, shape (r, d)
        (alpha/r) (Δ B)ᵀ X, summed over all leading axes; zero as long as B is.
    grad_lora_B : ndarray, shape (m, r)
        (alpha/r) Δᵀ (X Aᵀ), summed over all leading axes.

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Examples
    --------
    >>> X, W = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])
    >>> _, cache = lora_linear(X, W, np.array([[1.0, 1.0]]), np.array([[10.0]]))
    >>> lora_linear_backward(np.array([[1.0]]), cache)
    (array([[13., 14.]]), array([[10., 20.]]), array([[3.]]))
    """
    input, weight, lora_A, lora_B, hidden, scale = cache
    expected = (*input.shape[:-1], len(weight))
    delta = _check.grad_output(grad_output, expected, input.dtype)

    grad_hidden = scale * (delta @ lora_B)  # (..., r)
    grad_input = delta @ weight + grad_hidden @ lora_A
    rank, in_features = lora_A.shape
    grad_lora_A = grad_hidden.reshape(-1, rank).T @ input.reshape(-1, in_features)
    grad_lora_B = scale * (delta.reshape(-1, len(weight)).T @ hidden.reshape(-1, rank))
    return grad_input, grad_lora_A, grad_lora_B


# --8<-- [end:lora_linear_backward]
