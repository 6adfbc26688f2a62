"""Attention, one head after the other, so that its scores stay in the cache.

Same arguments and results as in `bpref.functional`, with fewer passes over the scores. Their
maximum is subtracted only where exp could overflow without it, or some are masked. The division by
the sum of the exponentials follows behind the product with the values, where there is less to
divide. Dropout, masks to be added and a single place are left to the clear pair.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import repeat
from typing import Any

import numpy as np

from bpref import _check
from bpref import functional as F
from bpref.functional.attention import join_heads, merge_masks, split_heads

SMALL_SCORE = 16.0  # exp(±16) is below 1e7: its products stay far from the limits of float32


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
    """Return what `bpref.functional.scaled_dot_product_attention` does, with a cache of its own.

    Examples
    --------
    >>> Q, K, V = np.array([[2.0, 0.0]]), np.array([[9.0, 0.0], [0.0, 9.0]]), np.array([[1.0], [5]])
    >>> scaled_dot_product_attention(Q, K, V)[0].round(3)
    array([[1.]])
    """
    q, k, v, mask, dropout_p, scale = _check.attention_arguments(
        query, key, value, attn_mask, dropout_p, is_causal, scale
    )
    only_one = k.shape[-2] == 1  # its weight is 1 and its gradient 0, exactly
    if dropout_p > 0.0 or only_one or (mask is not None and mask.dtype != bool):
        output, cache = F.scaled_dot_product_attention(
            q, k, v, attn_mask, dropout_p, is_causal, scale, generator
        )
        return output, (cache, None, None)
    lead = q.shape[:-2]
    if mask is not None:
        mask = _four_axes(np.broadcast_to(mask, (*lead, q.shape[-2], k.shape[-2])))
    output, kept = _attend(_four_axes(q), _four_axes(k), _four_axes(v), mask, scale)
    return output.reshape(*lead, *output.shape[2:]), (None, kept, lead)


def scaled_dot_product_attention_backward(
    grad_output: np.ndarray, cache: tuple[Any, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
    """Return the gradients of the loss for query, key, value and a float mask.

    Examples
    --------
    >>> Q, K, V = np.zeros((1, 2)), np.eye(2), np.array([[1.0], [5.0]])
    >>> _, cache = scaled_dot_product_attention(Q, K, V, scale=1.0)
    >>> scaled_dot_product_attention_backward(np.array([[1.0]]), cache)[0]
    array([[-1.,  1.]])
    """
    clear, kept, lead = cache
    if clear is not None:
        return F.scaled_dot_product_attention_backward(grad_output, clear)
    query, _, value = kept[:3]
    expected = (*lead, query.shape[2], value.shape[3])
    grad_output = _check.grad_output(grad_output, expected, query.dtype)
    gradients = _attend_backward(_four_axes(grad_output), kept)
    grad_query, grad_key, grad_value = (g.reshape(*lead, *g.shape[2:]) for g in gradients)
    return grad_query, grad_key, grad_value, None


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
    """Return what `bpref.functional.multi_head_attention` does, with a cache of its own.

    Examples
    --------
    >>> X, W = np.array([[[1.0, 0.0], [0.0, 1.0]]]), np.eye(2)
    >>> output, _ = multi_head_attention(X, X, X, np.tile(W, (3, 1)), None, W, None, num_heads=2)
    >>> output.round(2)
    array([[[0.73, 0.5 ],
            [0.5 , 0.73]]])
    """
    query, key, value, w_in, b_in, w_out, b_out, num_heads = _check.multi_head_arguments(
        query, key, value, in_proj_weight, in_proj_bias, out_proj_weight, out_proj_bias, num_heads
    )
    mask = merge_masks(key_padding_mask, attn_mask, query, key, num_heads)
    weights = np.split(w_in, 3)
    biases = (None, None, None) if b_in is None else np.split(b_in, 3)
    q, k, v = (
        split_heads(_linear(x, w, b), num_heads)
        for x, w, b in zip((query, key, value), weights, biases, strict=True)
    )
    heads, attention = scaled_dot_product_attention(q, k, v, mask, dropout_p, generator=generator)
    joined = join_heads(heads)
    output = _linear(joined, w_out, b_out)
    kept = (query, key, value, w_in, w_out, b_in is not None, b_out is not None, joined)
    return output, (*kept, num_heads, attention)


def multi_head_attention_backward(
    grad_output: np.ndarray, cache: tuple[Any, ...]
) -> tuple[Any, ...]:
    """Return the gradients of the loss for the inputs and the parameters.

    Examples
    --------
    >>> X, W = np.array([[[1.0, 0.0], [0.0, 1.0]]]), np.eye(2)
    >>> _, cache = multi_head_attention(X, X, X, np.tile(W, (3, 1)), None, W, None, num_heads=2)
    >>> gradients = multi_head_attention_backward(np.ones((1, 2, 2)), cache)
    >>> [None if g is None else g.shape for g in gradients]
    [(1, 2, 2), (1, 2, 2), (1, 2, 2), (6, 2), None, (2, 2), None]
    """
    query, key, value, w_in, w_out, has_b_in, has_b_out, joined, num_heads, attention = cache
    grad_output = _check.grad_output(grad_output, query.shape, query.dtype)
    grad_joined, grad_w_out, grad_b_out = _linear_backward(grad_output, joined, w_out)
    grad_heads = scaled_dot_product_attention_backward(
        split_heads(grad_joined, num_heads), attention
    )
    parts = [
        _linear_backward(join_heads(grad), x, w)
        for grad, x, w in zip(grad_heads[:3], (query, key, value), np.split(w_in, 3), strict=True)
    ]
    grad_inputs, grad_weights, grad_biases = zip(*parts, strict=True)
    return (
        *grad_inputs,
        np.concatenate(grad_weights),
        np.concatenate(grad_biases) if has_b_in else None,
        grad_w_out,
        grad_b_out if has_b_out else None,
    )


def _four_axes(array: np.ndarray) -> np.ndarray:
    """Return (..., L, E) as (N, H, L, E)."""
    *lead, length, features = array.shape
    num_heads = lead.pop() if len(lead) > 1 else 1
    return array.reshape(math.prod(lead), num_heads, length, features)


def _attend(
    query: np.ndarray, key: np.ndarray, value: np.ndarray, mask: np.ndarray | None, scale: float
) -> tuple[np.ndarray, tuple[Any, ...]]:
    """Return Y, and what the backward pass needs, for arrays (N, H, places, features)."""
    batch, num_heads, length, _ = query.shape
    places, features = value.shape[2:]
    scaled = query * scale
    exponentials = np.empty((batch, num_heads, length, places), query.dtype)
    totals = np.empty((batch, num_heads, length, 1), query.dtype)
    output = np.empty((batch, num_heads, length, features), query.dtype)
    ones = np.ones((places, 1), query.dtype)
    is_small = mask is None and _largest_score(scaled, key) <= SMALL_SCORE
    none = repeat(repeat(None))
    arrays = (scaled, key, value, none if mask is None else ~mask, exponentials, totals, output)
    for q, k, v, masked, weights, total, y in _heads(*arrays):
        np.dot(q, k.T, out=weights)
        if masked is not None:
            np.copyto(weights, -np.inf, where=masked)
        if not is_small:
            largest = weights.max(axis=1, keepdims=True)
            largest[largest == -np.inf] = 0.0
            weights -= largest
        np.exp(weights, out=weights)
        np.dot(weights, ones, out=total)
        if masked is not None:
            total[total == 0.0] = 1.0  # of a query that may attend to nothing
        np.dot(weights, v, out=y)
    output /= totals
    return output, (scaled, key, value, scale, exponentials, totals)


def _largest_score(query: np.ndarray, key: np.ndarray) -> float:
    """Return a bound of all |q·k|: the longest query times the longest key."""
    ones = np.ones(query.shape[-1], query.dtype)
    longest = [float((np.square(array) @ ones).max(initial=0.0)) for array in (query, key)]
    return math.sqrt(longest[0]) * math.sqrt(longest[1])


def _attend_backward(
    grad_output: np.ndarray, kept: tuple[Any, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the gradients for query, key and value."""
    scaled, key, value, scale, exponentials, totals = kept
    grad_query, grad_key, grad_value = (np.empty(a.shape, a.dtype) for a in (scaled, key, value))
    divided = grad_output / totals
    grad_scores = np.empty(exponentials.shape[2:], scaled.dtype)
    arrays = (scaled, key, value, exponentials, totals, divided)
    results = (grad_query, grad_key, grad_value)
    for q, k, v, weights, total, grad, grad_q, grad_k, grad_v in _heads(*arrays, *results):
        np.dot(weights.T, grad, out=grad_v)
        np.dot(grad, v.T, out=grad_scores)
        # The sum of P ⊙ ∂J/∂P, not of the smaller Y ⊙ ∂J/∂Y: where one place has all the weight,
        # only the former leaves a gradient of exactly 0.
        grad_scores -= np.vecdot(grad_scores, weights)[:, None] / total
        grad_scores *= weights
        np.dot(grad_scores, k, out=grad_q)
        np.dot(grad_scores.T, q, out=grad_k)
    grad_query *= scale
    return grad_query, grad_key, grad_value


def _heads(*arrays: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the matrices of every head of every element of the batch, from all arrays alike."""
    for of_one_element in zip(*arrays, strict=False):  # one of them may be endless
        yield from zip(*of_one_element, strict=False)


def _linear(input: np.ndarray, weight: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    """Return X Wᵀ + b as one product over all places."""
    output = input.reshape(-1, input.shape[2]) @ weight.T
    if bias is not None:
        output += bias
    return output.reshape(input.shape)


def _linear_backward(
    grad_output: np.ndarray, input: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = grad_output.reshape(-1, weight.shape[0])
    grad_weight = rows.T @ input.reshape(rows.shape)
    grad_bias = np.ones(len(rows), rows.dtype) @ rows
    return (rows @ weight).reshape(input.shape), grad_weight, grad_bias


def attention_weights(cache: tuple[Any, ...]) -> np.ndarray:
    """Return P, shape (N, H, L, S), after dropout, from the cache of `multi_head_attention`."""
    clear, kept, _ = cache[-1]
    if clear is not None:
        return clear[5]
    exponentials, totals = kept[-2:]
    return exponentials / totals
