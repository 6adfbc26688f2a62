"""Embedding, recurrent layers, attention: their backward passes, and five wrong ones."""

from __future__ import annotations

import numpy as np

EmbeddingCache = tuple[np.ndarray, int]
RNNCache = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
GatedCache = tuple[np.ndarray, np.ndarray, np.ndarray]
AttentionCache = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
Three = tuple[np.ndarray, np.ndarray, np.ndarray]
Four = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def embedding(weight: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, EmbeddingCache]:
    """Look up a row of the table for each token.

    Parameters
    ----------
    weight : ndarray, shape (V, n)
        The table.
    ids : ndarray of int, any shape
        The numbers of the tokens.

    Returns
    -------
    output : ndarray, shape (*ids.shape, n)
    cache : tuple
        (ids, V).

    Examples
    --------
    >>> embedding(np.array([[1.0], [2.0]]), np.array([1, 1, 0]))[0].ravel()
    array([2., 2., 1.])
    """
    return weight[ids], (ids, len(weight))


def embedding_backward(grad_output: np.ndarray, cache: EmbeddingCache) -> np.ndarray:
    """Return the gradient of the table: the right pass.

    Parameters
    ----------
    grad_output : ndarray, shape (*ids.shape, n)
        Δ.
    cache : tuple
        What `embedding` returned.

    Returns
    -------
    ndarray, shape (V, n)
        For each token the sum over all its places.

    Notes
    -----
    Source: "Applications, text", the gradient of an embedding.

    Examples
    --------
    >>> embedding_backward(np.array([[1.0], [2.0], [4.0]]), (np.array([1, 1, 0]), 2)).ravel()
    array([4., 3.])
    """
    ids, V = cache
    grad_weight = np.zeros((V, grad_output.shape[-1]))
    # --8<-- [start:right_embedding]
    np.add.at(grad_weight, ids, grad_output)
    # --8<-- [end:right_embedding]
    return grad_weight


def embedding_assign(grad_output: np.ndarray, cache: EmbeddingCache) -> np.ndarray:
    """Keep only the last place of each token: wrong.

    Parameters
    ----------
    grad_output, cache
        As of `embedding_backward`.

    Returns
    -------
    ndarray, shape (V, n)

    Notes
    -----
    With an array of indices, ``+=`` assigns: repeated indices are not added up. Source:
    https://github.com/HIPS/autograd/pull/136 and https://github.com/numpy/numpy/issues/16790

    Examples
    --------
    >>> embedding_assign(np.array([[1.0], [2.0], [4.0]]), (np.array([1, 1, 0]), 2)).ravel()
    array([4., 2.])
    """
    ids, V = cache
    grad_weight = np.zeros((V, grad_output.shape[-1]))
    # --8<-- [start:embedding_assign]
    grad_weight[ids] += grad_output
    # --8<-- [end:embedding_assign]
    return grad_weight


def rnn(
    input: np.ndarray, weight_ih: np.ndarray, weight_hh: np.ndarray, bias: np.ndarray
) -> tuple[np.ndarray, RNNCache]:
    """Apply h_t = tanh(x_t W_xᵀ + h_{t−1} W_hᵀ + b), starting from zeros.

    Parameters
    ----------
    input : ndarray, shape (N, T, d)
        X.
    weight_ih : ndarray, shape (n, d)
        W_x.
    weight_hh : ndarray, shape (n, n)
        W_h.
    bias : ndarray, shape (n,)
        b.

    Returns
    -------
    output : ndarray, shape (N, T, n)
        All states.
    cache : tuple
        (input, states of shape (T + 1, N, n) with the zeros in front, weight_ih, weight_hh).

    Examples
    --------
    >>> rnn(np.ones((1, 2, 1)), np.zeros((1, 1)), np.ones((1, 1)), np.ones(1))[0].round(3).ravel()
    array([0.762, 0.943])
    """
    N, T, _ = input.shape
    states = np.zeros((T + 1, N, len(bias)))
    for t in range(T):
        states[t + 1] = np.tanh(input[:, t] @ weight_ih.T + states[t] @ weight_hh.T + bias)
    return states[1:].transpose(1, 0, 2), (input, states, weight_ih, weight_hh)


def rnn_backward(grad_output: np.ndarray, cache: RNNCache) -> Four:
    """Return the gradients for input, both weights and bias: the right pass.

    Parameters
    ----------
    grad_output : ndarray, shape (N, T, n)
        ∂J/∂h for every step, without what comes from later steps.
    cache : tuple
        What `rnn` returned.

    Returns
    -------
    grad_input : ndarray, shape (N, T, d)
    grad_weight_ih : ndarray, shape (n, d)
    grad_weight_hh : ndarray, shape (n, n)
    grad_bias : ndarray, shape (n,)

    Notes
    -----
    Source: P. J. Werbos, "Backpropagation through time", Proceedings of the IEEE 78(10),
    1550–1560, 1990, doi:10.1109/5.58337.

    Examples
    --------
    >>> X, ones = np.ones((1, 2, 1)), np.ones((1, 1))
    >>> _, cache = rnn(X, 0 * ones, ones, np.ones(1))
    >>> rnn_backward(np.array([[[0.0], [1.0]]]), cache)[2].round(4)   # (1 − h₂²) h₁
    array([[0.0848]])
    """
    input, states, weight_ih, weight_hh = cache
    grad_input, grad_ih = np.zeros_like(input), np.zeros_like(weight_ih)
    grad_hh, grad_bias = np.zeros_like(weight_hh), np.zeros(len(weight_hh))
    carry = np.zeros_like(states[0])
    for t in reversed(range(input.shape[1])):
        delta = (grad_output[:, t] + carry) * (1 - states[t + 1] ** 2)
        grad_ih += delta.T @ input[:, t]
        # --8<-- [start:right_state_before]
        grad_hh += delta.T @ states[t]  # the state before step t
        # --8<-- [end:right_state_before]
        grad_bias += delta.sum(axis=0)
        grad_input[:, t] = delta @ weight_ih
        # --8<-- [start:right_carry]
        carry = delta @ weight_hh
        # --8<-- [end:right_carry]
    return grad_input, grad_ih, grad_hh, grad_bias


def bptt_off_by_one(grad_output: np.ndarray, cache: RNNCache) -> Four:
    """Pair the error signal with the state after the step, not before: wrong.

    Parameters
    ----------
    grad_output, cache
        As of `rnn_backward`.

    Returns
    -------
    grad_input, grad_weight_ih, grad_weight_hh, grad_bias : ndarray
        As of `rnn_backward`; the third is wrong.

    Notes
    -----
    Source: an index of a loop; no public thread.

    Examples
    --------
    >>> X, ones = np.ones((1, 2, 1)), np.ones((1, 1))
    >>> _, cache = rnn(X, 0 * ones, ones, np.ones(1))
    >>> bptt_off_by_one(np.array([[[0.0], [1.0]]]), cache)[2].round(4)   # right: 0.0848
    array([[0.1406]])
    """
    input, states, weight_ih, weight_hh = cache
    grad_input, grad_ih = np.zeros_like(input), np.zeros_like(weight_ih)
    grad_hh, grad_bias = np.zeros_like(weight_hh), np.zeros(len(weight_hh))
    carry = np.zeros_like(states[0])
    for t in reversed(range(input.shape[1])):
        delta = (grad_output[:, t] + carry) * (1 - states[t + 1] ** 2)
        grad_ih += delta.T @ input[:, t]
        # --8<-- [start:bptt_off_by_one]
        grad_hh += delta.T @ states[t + 1]  # the state after step t
        # --8<-- [end:bptt_off_by_one]
        grad_bias += delta.sum(axis=0)
        grad_input[:, t] = delta @ weight_ih
        carry = delta @ weight_hh
    return grad_input, grad_ih, grad_hh, grad_bias


def recurrent_path_forgotten(grad_output: np.ndarray, cache: RNNCache) -> Four:
    """Send nothing back from one step to the step before: wrong.

    Parameters
    ----------
    grad_output, cache
        As of `rnn_backward`.

    Returns
    -------
    grad_input, grad_weight_ih, grad_weight_hh, grad_bias : ndarray
        As of `rnn_backward`, truncated to one step.

    Notes
    -----
    Source: truncated backpropagation through time with a window of one step. As a choice it is
    an approximation; as an oversight it is this bug. No public thread.

    Examples
    --------
    >>> X, ones = np.ones((1, 2, 1)), np.ones((1, 1))
    >>> _, cache = rnn(X, 0 * ones, ones, np.ones(1))
    >>> grads = recurrent_path_forgotten(np.array([[[0.0], [1.0]]]), cache)
    >>> grads[3].round(4)   # right: 0.1582
    array([0.1114])
    """
    input, states, weight_ih, weight_hh = cache
    grad_input, grad_ih = np.zeros_like(input), np.zeros_like(weight_ih)
    grad_hh, grad_bias = np.zeros_like(weight_hh), np.zeros(len(weight_hh))
    carry = np.zeros_like(states[0])
    for t in reversed(range(input.shape[1])):
        delta = (grad_output[:, t] + carry) * (1 - states[t + 1] ** 2)
        grad_ih += delta.T @ input[:, t]
        grad_hh += delta.T @ states[t]
        grad_bias += delta.sum(axis=0)
        grad_input[:, t] = delta @ weight_ih
        # --8<-- [start:recurrent_path_forgotten]
        carry = np.zeros_like(delta)
        # --8<-- [end:recurrent_path_forgotten]
    return grad_input, grad_ih, grad_hh, grad_bias


def gated(gate: np.ndarray, content: np.ndarray) -> tuple[np.ndarray, GatedCache]:
    """Carry a cell along a sequence: c_t = f_t ⊙ c_{t−1} + (1 − f_t) ⊙ g_t, from zeros.

    Parameters
    ----------
    gate : ndarray, shape (N, T, n)
        f, from 0 (forget) to 1 (keep).
    content : ndarray, shape (N, T, n)
        g.

    Returns
    -------
    output : ndarray, shape (N, T, n)
        All cells; the path of an LSTM's cell, without its other gates.
    cache : tuple
        (gate, content, cells of shape (N, T + 1, n) with the zeros in front).

    Examples
    --------
    >>> gated(np.full((1, 2, 1), 0.5), np.ones((1, 2, 1)))[0].ravel()
    array([0.5 , 0.75])
    """
    N, T, n = gate.shape
    cells = np.zeros((N, T + 1, n))
    for t in range(T):
        cells[:, t + 1] = gate[:, t] * cells[:, t] + (1 - gate[:, t]) * content[:, t]
    return cells[:, 1:], (gate, content, cells)


def gated_backward(grad_output: np.ndarray, cache: GatedCache) -> tuple[np.ndarray, np.ndarray]:
    """Return the gradients for gate and content: the right pass.

    Parameters
    ----------
    grad_output : ndarray, shape (N, T, n)
        ∂J/∂c for every step, without what comes from later steps.
    cache : tuple
        What `gated` returned.

    Returns
    -------
    grad_gate, grad_content : ndarray, shape (N, T, n)

    Notes
    -----
    Source: S. Hochreiter, J. Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8),
    1735–1780, 1997, doi:10.1162/neco.1997.9.8.1735; the gate f as in J. Bradbury et al.,
    "Quasi-Recurrent Neural Networks", 2016, arXiv:1611.01576.

    Examples
    --------
    >>> _, cache = gated(np.full((1, 2, 1), 0.5), np.ones((1, 2, 1)))
    >>> gated_backward(np.array([[[0.0], [1.0]]]), cache)[1].ravel()
    array([0.25, 0.5 ])
    """
    gate, content, cells = cache
    grad_gate, grad_content = np.zeros_like(gate), np.zeros_like(content)
    carry = np.zeros_like(gate[:, 0])
    for t in reversed(range(gate.shape[1])):
        delta = grad_output[:, t] + carry
        grad_gate[:, t] = delta * (cells[:, t] - content[:, t])
        grad_content[:, t] = delta * (1 - gate[:, t])
        # --8<-- [start:right_gate]
        carry = delta * gate[:, t]
        # --8<-- [end:right_gate]
    return grad_gate, grad_content


def forget_gate_missing(
    grad_output: np.ndarray, cache: GatedCache
) -> tuple[np.ndarray, np.ndarray]:
    """Hand the cell's gradient back without the gate: wrong.

    Parameters
    ----------
    grad_output, cache
        As of `gated_backward`.

    Returns
    -------
    grad_gate, grad_content : ndarray, shape (N, T, n)

    Notes
    -----
    Source: right for a cell that never forgets, as in the first LSTM of 1997; no public thread.

    Examples
    --------
    >>> _, cache = gated(np.full((1, 2, 1), 0.5), np.ones((1, 2, 1)))
    >>> forget_gate_missing(np.array([[[0.0], [1.0]]]), cache)[1].ravel()   # right: 0.25, 0.5
    array([0.5, 0.5])
    """
    gate, content, cells = cache
    grad_gate, grad_content = np.zeros_like(gate), np.zeros_like(content)
    carry = np.zeros_like(gate[:, 0])
    for t in reversed(range(gate.shape[1])):
        delta = grad_output[:, t] + carry
        grad_gate[:, t] = delta * (cells[:, t] - content[:, t])
        grad_content[:, t] = delta * (1 - gate[:, t])
        # --8<-- [start:forget_gate_missing]
        carry = delta
        # --8<-- [end:forget_gate_missing]
    return grad_gate, grad_content


def attention(
    query: np.ndarray, key: np.ndarray, value: np.ndarray
) -> tuple[np.ndarray, AttentionCache]:
    """Apply softmax(Q Kᵀ / √n) V.

    Parameters
    ----------
    query, key, value : ndarray, shape (N, T, n)
        Q, K, V.

    Returns
    -------
    output : ndarray, shape (N, T, n)
    cache : tuple
        (query, key, value, probabilities of shape (N, T, T)).

    Examples
    --------
    >>> Q, V = np.zeros((1, 2, 1)), np.array([[[1.0], [3.0]]])
    >>> attention(Q, Q, V)[0].ravel()
    array([2., 2.])
    """
    scores = query @ key.transpose(0, 2, 1) / np.sqrt(query.shape[-1])
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    P = e / e.sum(axis=-1, keepdims=True)
    return P @ value, (query, key, value, P)


def attention_backward(grad_output: np.ndarray, cache: AttentionCache) -> Three:
    """Return the gradients for query, key and value: the right pass.

    Parameters
    ----------
    grad_output : ndarray, shape (N, T, n)
        Δ.
    cache : tuple
        What `attention` returned.

    Returns
    -------
    grad_query, grad_key, grad_value : ndarray, shape (N, T, n)

    Notes
    -----
    Source: A. Vaswani et al., "Attention Is All You Need", 2017, arXiv:1706.03762, section 3.2.

    Examples
    --------
    >>> Q, V = np.ones((1, 2, 4)), np.array([[[1.0, 0, 0, 0], [3.0, 0, 0, 0]]])
    >>> _, cache = attention(Q, Q, V)
    >>> attention_backward(np.ones((1, 2, 4)), cache)[1][0, :, 0]
    array([-0.5,  0.5])
    """
    query, key, value, P = cache
    grad_P = grad_output @ value.transpose(0, 2, 1)
    grad_scores = P * (grad_P - (grad_P * P).sum(axis=-1, keepdims=True))
    # --8<-- [start:right_attention]
    scale = 1 / np.sqrt(query.shape[-1])
    grad_query = scale * grad_scores @ key
    grad_key = scale * grad_scores.transpose(0, 2, 1) @ query
    # --8<-- [end:right_attention]
    return grad_query, grad_key, P.transpose(0, 2, 1) @ grad_output


def attention_unscaled(grad_output: np.ndarray, cache: AttentionCache) -> Three:
    """Forget 1/√n on the way back: wrong.

    Parameters
    ----------
    grad_output, cache
        As of `attention_backward`.

    Returns
    -------
    grad_query, grad_key, grad_value : ndarray, shape (N, T, n)
        The first two are √n times too large.

    Notes
    -----
    Source: a factor of the forward pass only; no public thread.

    Examples
    --------
    >>> Q, V = np.ones((1, 2, 4)), np.array([[[1.0, 0, 0, 0], [3.0, 0, 0, 0]]])
    >>> _, cache = attention(Q, Q, V)
    >>> attention_unscaled(np.ones((1, 2, 4)), cache)[1][0, :, 0]   # right: -0.5, 0.5
    array([-1.,  1.])
    """
    query, key, value, P = cache
    grad_P = grad_output @ value.transpose(0, 2, 1)
    grad_scores = P * (grad_P - (grad_P * P).sum(axis=-1, keepdims=True))
    # --8<-- [start:attention_unscaled]
    grad_query = grad_scores @ key
    grad_key = grad_scores.transpose(0, 2, 1) @ query
    # --8<-- [end:attention_unscaled]
    return grad_query, grad_key, P.transpose(0, 2, 1) @ grad_output
