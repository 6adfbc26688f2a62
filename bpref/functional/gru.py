"""The gated recurrent unit over a whole sequence, and its backward pass through time."""

from __future__ import annotations

from typing import Any

import numpy as np

from bpref import _check
from bpref.functional import _recurrent
from bpref.functional.activation import sigmoid


# --8<-- [start:gru]
def gru(
    input: np.ndarray,
    h_0: np.ndarray,
    weight_ih: np.ndarray,
    weight_hh: np.ndarray,
    bias_ih: np.ndarray | None = None,
    bias_hh: np.ndarray | None = None,
    lengths: np.ndarray | None = None,
    truncation: int | None = None,
    reverse: bool = False,
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[Any, ...]]:
    """Apply hₜ = (1 − z) ⊙ n + z ⊙ hₜ₋₁ for t = 1, …, T.

    With p = W_ih xₜ + b_ih and q = W_hh hₜ₋₁ + b_hh, each in three parts in the order r, z, n:
    the gates are r = σ(p_r + q_r) and z = σ(p_z + q_z), the candidate is n = tanh(p_n + r ⊙ q_n).
    This is one layer of `torch.nn.GRU` in one direction, with time as the first axis.

    Parameters
    ----------
    input : ndarray, shape (T, N, D), float32 or float64
        N sequences x of at most T ≥ 1 steps, padded to the same length.
    h_0 : ndarray, shape (N, H), dtype of input
        The state before the first step.
    weight_ih : ndarray, shape (3H, D), dtype of input
        From the input to the gates.
    weight_hh : ndarray, shape (3H, H), dtype of input
        From the state to the next gates.
    bias_ih, bias_hh : ndarray, shape (3H,), dtype of input, optional
        None leaves one out.
    lengths : ndarray, shape (N,), integer, optional
        The number of valid steps of each sequence, from 1 to T; the output behind them is 0.
        PyTorch says it with `torch.nn.utils.rnn.pack_padded_sequence`.
    truncation : int, optional
        The gradient of the state stops after each so many steps, as it does in PyTorch when
        ``h = h.detach()`` is called there: truncated backpropagation through time.
    reverse : bool, default False
        Read each sequence from its last valid step to its first.

    Returns
    -------
    (output, h_n) : ndarrays, shapes (T, N, H) and (N, H)
        The states hₜ, and of each sequence the state after the step that is read last.
    cache : tuple
        (input, states, gates and q_n in the order of reading, weights, which biases there are,
        options).

    Raises
    ------
    TypeError
        If an argument has the wrong kind, or the dtypes differ.
    ValueError
        If a shape does not fit, there is no time step, a length is not in [1, T], or truncation
        is below 1.

    Notes
    -----
    Source: K. Cho et al., "Learning phrase representations using RNN encoder-decoder for
    statistical machine translation", 2014, arXiv:1406.1078. There, the reset gate r scales
    hₜ₋₁ before the product with its weights; PyTorch, and so this function, scales q_n.

    Examples
    --------
    >>> x, h_0 = np.array([[[1.0]], [[0.0]]]), np.array([[0.0]])
    >>> W_ih, W_hh = np.array([[0.0], [-9.0], [1.0]]), np.zeros((3, 1))
    >>> (output, h_n), cache = gru(x, h_0, W_ih, W_hh)
    >>> output.round(4).ravel()  # z near 0 takes tanh(1), then z = 1/2 keeps half of it
    array([0.7615, 0.3808])
    """
    input, h_0, weight_ih, weight_hh, bias_ih, bias_hh = _recurrent.arguments(
        3, input, {"h_0": h_0}, weight_ih, weight_hh, bias_ih, bias_hh
    )
    T, N, _ = input.shape
    H = h_0.shape[1]
    lengths = _recurrent.lengths_of(lengths, T, N)
    chunk = _recurrent.chunk_of(truncation, T)

    input = _recurrent.in_reading_order(input, lengths, reverse)
    from_input = input @ weight_ih.T  # (T, N, 3H): all steps in one product
    if bias_ih is not None:
        from_input += bias_ih
    states = np.empty_like(h_0, shape=(T + 1, N, H))  # states[t + 1] is the one after step t
    gates, hidden = np.empty_like(from_input), np.empty_like(states[1:])
    states[0] = h_0
    for t in range(T):
        from_state = states[t] @ weight_hh.T
        if bias_hh is not None:
            from_state += bias_hh
        p_r, p_z, p_n = np.split(from_input[t], 3, axis=1)
        q_r, q_z, q_n = np.split(from_state, 3, axis=1)
        r, z = sigmoid(p_r + q_r)[0], sigmoid(p_z + q_z)[0]
        n = np.tanh(p_n + r * q_n)
        states[t + 1] = (1.0 - z) * n + z * states[t]
        gates[t], hidden[t] = np.concatenate((r, z, n), axis=1), q_n

    output = _recurrent.in_reading_order(states[1:], lengths, reverse)
    h_n = states[lengths, np.arange(N)]
    biases = (bias_ih is not None, bias_hh is not None)
    cache = (input, states, gates, hidden, weight_ih, weight_hh, biases, (lengths, chunk, reverse))
    return (output, h_n), cache


# --8<-- [end:gru]


# --8<-- [start:gru_backward]
def gru_backward(
    grad_output: tuple[np.ndarray | None, np.ndarray | None], cache: tuple[Any, ...]
) -> tuple[np.ndarray | None, ...]:
    """Go back through time: through the kept share z of the state, and through the gates.

    Parameters
    ----------
    grad_output : (ndarray, ndarray), shapes (T, N, H) and (N, H), dtype of the output
        The gradients of the loss for output and h_n; None stands for zero.
    cache : tuple
        What `gru` returned.

    Returns
    -------
    grad_input : ndarray, shape (T, N, D)
        δₜ W_ih, with δₜ = ∂J/∂p.
    grad_h_0 : ndarray, shape (N, H)
        ε₁ W_hh + ∂J/∂h₁ ⊙ z₁, with εₜ = ∂J/∂q.
    grad_weight_ih : ndarray, shape (3H, D)
        The sum over t of δₜᵀ xₜ.
    grad_weight_hh : ndarray, shape (3H, H)
        The sum over t of εₜᵀ hₜ₋₁.
    grad_bias_ih : ndarray, shape (3H,), or None
        The sum over t of the column sums of δₜ; None without the bias.
    grad_bias_hh : ndarray, shape (3H,), or None
        The sum over t of the column sums of εₜ; None without the bias.

    Raises
    ------
    TypeError, ValueError
        If a gradient does not have the dtype or the shape of its output.

    Notes
    -----
    The parts r and z of δₜ and εₜ are the same; part n of εₜ has the factor r. Sources: that of
    `gru`, and P. J. Werbos, "Backpropagation through time: what it does and how to do it",
    Proceedings of the IEEE 78, 1990, DOI 10.1109/5.58337; for truncation R. J. Williams, J. Peng,
    Neural Computation 2, 1990, DOI 10.1162/neco.1990.2.4.490.

    Examples
    --------
    >>> x, h_0 = np.array([[[1.0]], [[0.0]]]), np.array([[0.0]])
    >>> W_ih, W_hh = np.array([[0.0], [-9.0], [1.0]]), np.zeros((3, 1))
    >>> _, cache = gru(x, h_0, W_ih, W_hh)
    >>> _, grad_h_0, *_ = gru_backward((None, np.array([[1.0]])), cache)
    >>> grad_h_0.round(6)  # z_1 z_2 = 0.000123 · 0.5
    array([[6.2e-05]])
    """
    input, states, gates, hidden, weight_ih, weight_hh, biases, options = cache
    lengths, chunk, reverse = options
    T, N, D = input.shape
    H = states.shape[2]
    grad_h, grad_h_n = _check.grad_outputs(
        grad_output, states.dtype, grad_output=(T, N, H), grad_h_n=(N, H)
    )

    grad_states = np.zeros_like(states)
    grad_states[1:] = _recurrent.in_reading_order(grad_h, lengths, reverse)
    grad_states[lengths, np.arange(N)] += grad_h_n
    delta, epsilon = np.empty_like(gates), np.empty_like(gates)  # δ_t = ∂J/∂p, ε_t = ∂J/∂q
    for t in reversed(range(T)):
        r, z, n = np.split(gates[t], 3, axis=1)
        delta_n = grad_states[t + 1] * (1.0 - z) * (1.0 - n * n)
        delta_z = grad_states[t + 1] * (states[t] - n) * z * (1.0 - z)
        delta_r = delta_n * hidden[t] * r * (1.0 - r)
        delta[t] = np.concatenate((delta_r, delta_z, delta_n), axis=1)
        epsilon[t] = np.concatenate((delta_r, delta_z, delta_n * r), axis=1)
        if t == 0 or t % chunk != 0:  # else a chunk begins here, and the gradient stops
            grad_states[t] += grad_states[t + 1] * z + epsilon[t] @ weight_hh

    grad_input = _recurrent.in_reading_order(delta @ weight_ih, lengths, reverse)
    rows_ih, rows_hh = delta.reshape(T * N, 3 * H), epsilon.reshape(T * N, 3 * H)
    grad_weight_ih = rows_ih.T @ input.reshape(T * N, D)
    grad_weight_hh = rows_hh.T @ states[:-1].reshape(T * N, H)
    has_bias_ih, has_bias_hh = biases
    grad_bias_ih = rows_ih.sum(axis=0) if has_bias_ih else None
    grad_bias_hh = rows_hh.sum(axis=0) if has_bias_hh else None
    return grad_input, grad_states[0], grad_weight_ih, grad_weight_hh, grad_bias_ih, grad_bias_hh


# --8<-- [end:gru_backward]
