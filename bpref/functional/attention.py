"""Attention: a weighted mean of values, with weights from the scalar products of two vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from bpref import _check
from bpref.functional.dropout import dropout, dropout_backward
from bpref.functional.linear import linear, linear_backward
from bpref.functional.tensor import unbroadcast


# --8<-- [start:scaled_dot_product_attention]
def scaled_dot_product_attention(
    query: np.ndarray,
    key: np.ndarray,
    value: np.ndarray,
    attn_mask: np.ndarray | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    generator: np.random.Generator | None = None,
) -> tuple[np.ndarray, tuple[Any, ...]]:
    """Return Y = P V with P = softmax(scale · Q Kᵀ + M), row by row.

    Parameters
    ----------
    query : ndarray, shape (..., L, E), float32 or float64
        Q, a vector for each of L places; usually (N, heads, L, E).
    key : ndarray, shape (..., S, E), dtype of query
        K, a vector for each of S places that can be attended to.
    value : ndarray, shape (..., S, V), dtype of query
        V, what is averaged.
    attn_mask : ndarray, shape that broadcasts to (..., L, S), bool or dtype of query, optional
        M. Of a bool mask True means "takes part", the opposite of `multi_head_attention`; a float
        mask is added and gets a gradient.
    dropout_p : float, default 0
        The probability that an element of P becomes zero; there is no evaluation mode here.
    is_causal : bool, default False
        Place i attends to places 0 to i only; excludes attn_mask.
    scale : float, optional
        1/√E without it.
    generator : numpy.random.Generator, optional
        Where dropout's random numbers come from.

    Returns
    -------
    output : ndarray, shape (..., L, V)
        Zero in a row for which everything is masked.
    cache : tuple
        (query, key, value, shape of a float mask, P before dropout, P after dropout, cache of
        dropout, scale).

    Raises
    ------
    TypeError
        If a dtype is wrong, or a number is none.
    ValueError
        If the shapes do not fit, S is 0, or attn_mask is given together with is_causal.

    Notes
    -----
    Subtracting the largest score of each row changes nothing and keeps exp from overflowing.

    Source: A. Vaswani et al., "Attention Is All You Need", NeurIPS 2017, arXiv:1706.03762,
    equation 1.

    Examples
    --------
    >>> Q, K, V = np.array([[2.0, 0.0]]), np.array([[9.0, 0.0], [0.0, 9.0]]), np.array([[1.0], [5]])
    >>> scaled_dot_product_attention(Q, K, V)[0].round(3)  # Q points at the first key
    array([[1.]])
    >>> scaled_dot_product_attention(Q, K, V, attn_mask=np.array([False, True]))[0]
    array([[5.]])
    """
    query, key, value, attn_mask, dropout_p, scale = _check.attention_arguments(
        query, key, value, attn_mask, dropout_p, is_causal, scale
    )
    scores = (query * scale) @ key.swapaxes(-1, -2)  # (..., L, S)
    mask_shape = None
    if attn_mask is not None and attn_mask.dtype != bool:
        scores = scores + attn_mask
        mask_shape = attn_mask.shape
    elif attn_mask is not None:
        scores = np.where(attn_mask, scores, -np.inf)

    largest = scores.max(axis=-1, keepdims=True)
    weights = np.exp(scores - np.where(largest == -np.inf, 0.0, largest))
    total = weights.sum(axis=-1, keepdims=True)  # 0 where everything is masked, else at least 1
    probability = weights / np.where(total == 0.0, 1.0, total)

    kept, dropped = dropout(probability, dropout_p, dropout_p > 0.0, generator)
    cache = (query, key, value, mask_shape, probability, kept, dropped, scale)
    return kept @ value, cache


# --8<-- [end:scaled_dot_product_attention]


# --8<-- [start:scaled_dot_product_attention_backward]
def scaled_dot_product_attention_backward(
    grad_output: np.ndarray, cache: tuple[Any, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
    """Return the gradients of the loss for query, key, value and a float mask.

    Parameters
    ----------
    grad_output : ndarray, shape (..., L, V), dtype of the output
        Δ = ∂J/∂Y.
    cache : tuple
        What `scaled_dot_product_attention` returned.

    Returns
    -------
    grad_query : ndarray, shape (..., L, E)
        scale · G K, where G = P ⊙ (Δ Vᵀ − row sums of P ⊙ Δ Vᵀ) is the gradient of the scores.
    grad_key : ndarray, shape (..., S, E)
        scale · Gᵀ Q.
    grad_value : ndarray, shape (..., S, V)
        Pᵀ Δ.
    grad_attn_mask : ndarray, shape of attn_mask, or None
        G, summed over broadcast axes; None unless there was a float mask.

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Examples
    --------
    >>> Q, K, V = np.zeros((1, 2)), np.eye(2), np.array([[1.0], [5.0]])
    >>> _, cache = scaled_dot_product_attention(Q, K, V, scale=1.0)  # P = (0.5, 0.5)
    >>> gradients = scaled_dot_product_attention_backward(np.array([[1.0]]), cache)
    >>> grad_query, grad_key, grad_value, grad_attn_mask = gradients
    >>> grad_query, grad_value
    (array([[-1.,  1.]]), array([[0.5],
           [0.5]]))
    """
    query, key, value, mask_shape, probability, kept, dropped, scale = cache
    expected = (*query.shape[:-1], value.shape[-1])
    grad_output = _check.grad_output(grad_output, expected, query.dtype)

    grad_value = kept.swapaxes(-1, -2) @ grad_output
    grad_probability = dropout_backward(grad_output @ value.swapaxes(-1, -2), dropped)
    row_sums = (grad_probability * probability).sum(axis=-1, keepdims=True)
    grad_scores = probability * (grad_probability - row_sums)

    grad_query = (grad_scores @ key) * scale
    grad_key = grad_scores.swapaxes(-1, -2) @ (query * scale)
    grad_attn_mask = None if mask_shape is None else unbroadcast(grad_scores, mask_shape)
    return grad_query, grad_key, grad_value, grad_attn_mask


# --8<-- [end:scaled_dot_product_attention_backward]


# --8<-- [start:heads]
def split_heads(array: np.ndarray, num_heads: int) -> np.ndarray:
    """Return (N, T, D) as (N, H, T, D/H), a view: head h sees features h D/H to (h + 1) D/H − 1."""
    batch, length, features = array.shape
    return array.reshape(batch, length, num_heads, features // num_heads).swapaxes(1, 2)


def join_heads(heads: np.ndarray) -> np.ndarray:
    """Return (N, H, T, D/H) as (N, T, D)."""
    batch, num_heads, length, features = heads.shape
    return heads.swapaxes(1, 2).reshape(batch, length, num_heads * features)


def merge_masks(
    key_padding_mask: np.ndarray | None,
    attn_mask: np.ndarray | None,
    query: np.ndarray,
    key: np.ndarray,
    num_heads: int,
) -> np.ndarray | None:
    """Return one mask for `scaled_dot_product_attention`, which broadcasts to (N, H, L, S).

    Bool masks are turned around, for there True means "takes part".
    """
    batch, length, _ = query.shape
    places = key.shape[1]
    masks = []
    if key_padding_mask is not None:
        mask = _check.mask("key_padding_mask", key_padding_mask, query.dtype)
        _check.shape("key_padding_mask", mask, (batch, places))
        masks.append(mask.reshape(batch, 1, 1, places))
    if attn_mask is not None:
        mask = _check.mask("attn_mask", attn_mask, query.dtype)
        if mask.ndim == 3:
            _check.shape("attn_mask", mask, (batch * num_heads, length, places))
            mask = mask.reshape(batch, num_heads, length, places)
        else:
            _check.shape("attn_mask", mask, (length, places))
        masks.append(mask)

    if not masks:
        return None
    if all(mask.dtype == bool for mask in masks):
        return ~(masks[0] | masks[-1])  # of a single mask both are the same
    added = [np.where(m, -np.inf, 0).astype(query.dtype) if m.dtype == bool else m for m in masks]
    return sum(added[1:], start=added[0])


# --8<-- [end:heads]


# --8<-- [start:multi_head_attention]
def multi_head_attention(
    query: np.ndarray,
    key: np.ndarray,
    value: np.ndarray,
    in_proj_weight: np.ndarray,
    in_proj_bias: np.ndarray | None,
    out_proj_weight: np.ndarray,
    out_proj_bias: np.ndarray | None,
    num_heads: int,
    key_padding_mask: np.ndarray | None = None,
    attn_mask: np.ndarray | None = None,
    dropout_p: float = 0.0,
    generator: np.random.Generator | None = None,
) -> tuple[np.ndarray, tuple[Any, ...]]:
    """Project query, key and value, attend in each head, join the heads and project again.

    Each of H heads sees D/H of the D features. The masks are those of
    `torch.nn.MultiheadAttention`: of a bool mask True means "left out", the opposite of
    `scaled_dot_product_attention`. Taking one for the other is the most common mistake here.

    Parameters
    ----------
    query : ndarray, shape (N, L, D), float32 or float64
        The batch comes first.
    key, value : ndarray, shape (N, S, D), dtype of query
        All three are the same array in self-attention.
    in_proj_weight : ndarray, shape (3 D, D), dtype of query
        The weights for query, key and value, one below the other.
    in_proj_bias : ndarray, shape (3 D,), dtype of query, or None
        Their biases, None for none.
    out_proj_weight : ndarray, shape (D, D), dtype of query
        The weight that mixes the heads.
    out_proj_bias : ndarray, shape (D,), dtype of query, or None
        Its bias, None for none.
    num_heads : int
        H, a divisor of D.
    key_padding_mask : ndarray, shape (N, S), bool or dtype of query, optional
        True leaves a place of the key out, for all queries; a float mask is added.
    attn_mask : ndarray, shape (L, S) or (N H, L, S), bool or dtype of query, optional
        True leaves a place out for one query; a float mask is added. It gets no gradient.
    dropout_p : float, default 0
        The probability that an attention weight becomes zero.
    generator : numpy.random.Generator, optional
        Where dropout's random numbers come from.

    Returns
    -------
    output : ndarray, shape (N, L, D)
    cache : tuple
        The caches of the projections of query, key and value, of the attention, and of the
        projection of the output.

    Raises
    ------
    TypeError
        If a dtype is wrong, or a number is none.
    ValueError
        If the shapes do not fit, S is 0, or num_heads does not divide D.

    Notes
    -----
    Source: A. Vaswani et al., "Attention Is All You Need", NeurIPS 2017, arXiv:1706.03762,
    section 3.2.2.

    Examples
    --------
    >>> X, W = np.array([[[1.0, 0.0], [0.0, 1.0]]]), np.eye(2)
    >>> later = np.array([[False, True], [False, False]])  # a place does not see the next one
    >>> output, _ = multi_head_attention(
    ...     X, X, X, np.tile(W, (3, 1)), None, W, None, num_heads=2, attn_mask=later
    ... )
    >>> output.round(2)
    array([[[1.  , 0.  ],
            [0.5 , 0.73]]])
    """
    query, key, value, w_in, b_in, w_out, b_out, num_heads = _check.multi_head_arguments(
        query, key, value, in_proj_weight, in_proj_bias, out_proj_weight, out_proj_bias, num_heads
    )
    mask = merge_masks(key_padding_mask, attn_mask, query, key, num_heads)

    w_query, w_key, w_value = np.split(w_in, 3)
    b_query, b_key, b_value = (None, None, None) if b_in is None else np.split(b_in, 3)
    q, query_cache = linear(query, w_query, b_query)
    k, key_cache = linear(key, w_key, b_key)
    v, value_cache = linear(value, w_value, b_value)
    context, attention_cache = scaled_dot_product_attention(
        split_heads(q, num_heads),
        split_heads(k, num_heads),
        split_heads(v, num_heads),
        mask,
        dropout_p,
        generator=generator,
    )
    output, out_cache = linear(join_heads(context), w_out, b_out)
    return output, (query_cache, key_cache, value_cache, attention_cache, out_cache)


# --8<-- [end:multi_head_attention]


# --8<-- [start:multi_head_attention_backward]
def multi_head_attention_backward(
    grad_output: np.ndarray, cache: tuple[Any, ...]
) -> tuple[Any, ...]:
    """Return the gradients of the loss for the inputs and the parameters.

    Parameters
    ----------
    grad_output : ndarray, shape (N, L, D), dtype of the output
        ∂J/∂Y.
    cache : tuple
        What `multi_head_attention` returned.

    Returns
    -------
    grad_query : ndarray, shape (N, L, D)
    grad_key : ndarray, shape (N, S, D)
    grad_value : ndarray, shape (N, S, D)
        In self-attention the gradient of the one input is the sum of the three.
    grad_in_proj_weight : ndarray, shape (3 D, D)
    grad_in_proj_bias : ndarray, shape (3 D,), or None
    grad_out_proj_weight : ndarray, shape (D, D)
    grad_out_proj_bias : ndarray, shape (D,), or None

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Examples
    --------
    >>> X, W = np.array([[[1.0, 0.0], [0.0, 1.0]]]), np.eye(2)
    >>> _, cache = multi_head_attention(X, X, X, np.tile(W, (3, 1)), None, W, None, num_heads=2)
    >>> gradients = multi_head_attention_backward(np.ones((1, 2, 2)), cache)
    >>> [None if g is None else g.shape for g in gradients]
    [(1, 2, 2), (1, 2, 2), (1, 2, 2), (6, 2), None, (2, 2), None]
    """
    query_cache, key_cache, value_cache, attention_cache, out_cache = cache
    num_heads = attention_cache[0].shape[1]
    grad_joined, grad_out_weight, grad_out_bias = linear_backward(grad_output, out_cache)
    grad_q, grad_k, grad_v, _ = scaled_dot_product_attention_backward(
        split_heads(grad_joined, num_heads), attention_cache
    )
    grad_query, w_query, b_query = linear_backward(join_heads(grad_q), query_cache)
    grad_key, w_key, b_key = linear_backward(join_heads(grad_k), key_cache)
    grad_value, w_value, b_value = linear_backward(join_heads(grad_v), value_cache)
    grad_in_weight = np.concatenate([w_query, w_key, w_value])
    biases: list[Any] = [b_query, b_key, b_value]
    grad_in_bias = None if b_query is None else np.concatenate(biases)
    return (
        grad_query,
        grad_key,
        grad_value,
        grad_in_weight,
        grad_in_bias,
        grad_out_weight,
        grad_out_bias,
    )


# --8<-- [end:multi_head_attention_backward]
