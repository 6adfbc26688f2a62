"""Embeddings: rows looked up by index, and two ways to mark the place in a sequence."""

from __future__ import annotations

import numpy as np

from bpref import _check


# --8<-- [start:embedding]
def embedding(
    input: np.ndarray, weight: np.ndarray, padding_idx: int | None = None
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, int | None]]:
    """Look up a row of the weight for each index.

    Parameters
    ----------
    input : ndarray, any shape, integer
        The indices, from 0 to V − 1; usually (N, T).
    weight : ndarray, shape (V, D), float32 or float64
        A vector for each of V words.
    padding_idx : int, optional
        A row that gets no gradient; −1 is the last one. The forward pass reads it like any other.

    Returns
    -------
    output : ndarray, shape (*input.shape, D)
    cache : tuple
        (input, weight, padding_idx).

    Raises
    ------
    TypeError
        If input is not integer, weight not float32 or float64, or padding_idx no int.
    ValueError
        If weight does not have two axes, or an index is out of range.

    Notes
    -----
    The same as a product of one-hot rows with the weight, without the multiplications by 0.

    Examples
    --------
    >>> weight = np.array([[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]])
    >>> embedding(np.array([2, 1, 2]), weight)[0]
    array([[3., 4.],
           [1., 2.],
           [3., 4.]])
    """
    (weight,) = _check.floats(weight=weight)
    _check.shape("weight", weight, ("num_embeddings", "embedding_dim"))
    input = _check.indices("input", input, len(weight))
    padding_idx = _check.padding_index(padding_idx, len(weight))
    return weight[input], (input, weight, padding_idx)


# --8<-- [end:embedding]


# --8<-- [start:embedding_backward]
def embedding_backward(
    grad_output: np.ndarray, cache: tuple[np.ndarray, np.ndarray, int | None]
) -> np.ndarray:
    """Add each gradient to the row that was looked up; indices have no gradient.

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        ∂J/∂Y.
    cache : tuple
        What `embedding` returned.

    Returns
    -------
    grad_weight : ndarray, shape (V, D)
        Zero in rows that no index named, and in the padding row.

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Examples
    --------
    >>> _, cache = embedding(np.array([2, 1, 2]), np.zeros((3, 2)))
    >>> embedding_backward(np.ones((3, 2)), cache)  # a row that occurs twice gets the sum
    array([[0., 0.],
           [1., 1.],
           [2., 2.]])
    """
    input, weight, padding_idx = cache
    expected = (*input.shape, weight.shape[1])
    grad_output = _check.grad_output(grad_output, expected, weight.dtype)

    grad_weight = np.zeros_like(weight)
    np.add.at(grad_weight, input, grad_output)  # grad_weight[input] += … would add only once
    if padding_idx is not None:
        grad_weight[padding_idx] = 0.0
    return grad_weight


# --8<-- [end:embedding_backward]


# --8<-- [start:positional_encoding]
def positional_encoding(
    input: np.ndarray,
) -> tuple[np.ndarray, tuple[tuple[int, ...], np.dtype]]:
    """Add sines and cosines of the position: P[t, 2i] = sin(t ω), P[t, 2i+1] = cos(t ω).

    The frequencies are ω = 10000^(−2i/D), from one radian a step down to almost none. PyTorch
    has no such function.

    Parameters
    ----------
    input : ndarray, shape (..., T, D), float32 or float64
        A sequence of T vectors; usually (N, T, D).

    Returns
    -------
    output : ndarray, shape of input
        X + P, the same P for each sequence.
    cache : tuple
        (shape, dtype) of the input.

    Raises
    ------
    TypeError
        If the input is not float32 or float64.
    ValueError
        If it has fewer than two axes or no feature.

    Notes
    -----
    Source: A. Vaswani et al., "Attention Is All You Need", NeurIPS 2017, arXiv:1706.03762,
    section 3.5.

    Examples
    --------
    >>> positional_encoding(np.zeros((3, 2)))[0].round(2)
    array([[ 0.  ,  1.  ],
           [ 0.84,  0.54],
           [ 0.91, -0.42]])
    """
    (input,) = _check.floats(input=input)
    _check.sequence("input", input)
    length, features = input.shape[-2:]
    frequency = 10000.0 ** (-np.arange(0, features, 2) / features)
    angle = np.arange(length)[:, None] * frequency  # (T, D/2, rounded up)
    encoding = np.empty((length, features), input.dtype)
    encoding[:, 0::2] = np.sin(angle)
    encoding[:, 1::2] = np.cos(angle)[:, : features // 2]
    return input + encoding, (input.shape, input.dtype)


# --8<-- [end:positional_encoding]


# --8<-- [start:positional_encoding_backward]
def positional_encoding_backward(
    grad_output: np.ndarray, cache: tuple[tuple[int, ...], np.dtype]
) -> np.ndarray:
    """Return grad_output unchanged: a constant was added.

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        ∂J/∂Y.
    cache : tuple
        What `positional_encoding` returned.

    Returns
    -------
    grad_input : ndarray, shape of input

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Examples
    --------
    >>> _, cache = positional_encoding(np.zeros((1, 2)))
    >>> positional_encoding_backward(np.array([[5.0, 6.0]]), cache)
    array([[5., 6.]])
    """
    shape, dtype = cache
    return _check.grad_output(grad_output, shape, dtype)


# --8<-- [end:positional_encoding_backward]


# --8<-- [start:rotary_embedding]
def rotary_embedding(
    input: np.ndarray, base: float = 10000.0
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, tuple[int, ...]]]:
    """Rotate each pair of features by an angle that grows with the position.

    The pair (x[2i], x[2i+1]) at position t turns by t · base^(−2i/D). The scalar product of a
    rotated query and a rotated key then depends on their distance only. PyTorch has no such
    function.

    Parameters
    ----------
    input : ndarray, shape (..., T, D), float32 or float64
        Queries or keys, D even; usually (N, heads, T, D).
    base : float, default 10000
        Above 0; a larger one makes the slow pairs slower.

    Returns
    -------
    output : ndarray, shape of input
    cache : tuple
        (cosines (T, D/2), sines (T, D/2), shape of input).

    Raises
    ------
    TypeError
        If the input is not float32 or float64, or base is no number.
    ValueError
        If it has fewer than two axes or no feature, D is odd, or base is not above 0.

    Notes
    -----
    Some libraries pair x[i] with x[i + D/2] instead: the same up to the order of the features,
    but weights that were trained with one order do not fit the other.

    Source: J. Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", 2021,
    arXiv:2104.09864.

    Examples
    --------
    >>> output, _ = rotary_embedding(np.array([[1.0, 0.0], [1.0, 0.0]]))
    >>> output.round(2)  # position 1 turns by one radian
    array([[1.  , 0.  ],
           [0.54, 0.84]])
    """
    (input,) = _check.floats(input=input)
    _check.sequence("input", input)
    length, features = input.shape[-2:]
    if features % 2 != 0:
        raise ValueError(f"input: expected an even number of features, got shape {input.shape}")
    base = _check.positive("base", base)

    frequency = base ** (-np.arange(0, features, 2) / features)
    angle = np.arange(length)[:, None] * frequency  # (T, D/2)
    cos, sin = np.cos(angle).astype(input.dtype), np.sin(angle).astype(input.dtype)
    even, odd = input[..., 0::2], input[..., 1::2]
    output = np.empty_like(input)
    output[..., 0::2] = even * cos - odd * sin
    output[..., 1::2] = even * sin + odd * cos
    return output, (cos, sin, input.shape)


# --8<-- [end:rotary_embedding]


# --8<-- [start:rotary_embedding_backward]
def rotary_embedding_backward(
    grad_output: np.ndarray, cache: tuple[np.ndarray, np.ndarray, tuple[int, ...]]
) -> np.ndarray:
    """Rotate the gradient back: the transpose of a rotation is its inverse.

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        ∂J/∂Y.
    cache : tuple
        What `rotary_embedding` returned.

    Returns
    -------
    grad_input : ndarray, shape of input

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Examples
    --------
    >>> X = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> output, cache = rotary_embedding(X)
    >>> np.allclose(rotary_embedding_backward(output, cache), X)
    True
    """
    cos, sin, shape = cache
    grad_output = _check.grad_output(grad_output, shape, cos.dtype)
    even, odd = grad_output[..., 0::2], grad_output[..., 1::2]
    grad_input = np.empty_like(grad_output)
    grad_input[..., 0::2] = even * cos + odd * sin
    grad_input[..., 1::2] = odd * cos - even * sin
    return grad_input


# --8<-- [end:rotary_embedding_backward]
