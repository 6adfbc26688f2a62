"""The long short-term memory over a whole sequence, and its backward pass through time."""

from __future__ import annotations

from typing import Any

import numpy as np

from bpref import _check
from bpref.functional import _recurrent
from bpref.functional.activation import sigmoid


# --8<-- [start:lstm]
def lstm(
    input: np.ndarray,
    h_0: np.ndarray,
    c_0: np.ndarray,
    weight_ih: np.ndarray,
    weight_hh: np.ndarray,
    bias_ih: np.ndarray | None = None,
    bias_hh: np.ndarray | None = None,
    lengths: np.ndarray | None = None,
    truncation: int | None = None,
    reverse: bool = False,
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], tuple[Any, ...]]:
    """Apply cₜ = f ⊙ cₜ₋₁ + i ⊙ g and hₜ = o ⊙ tanh(cₜ) for t = 1, …, T.

    The gates i, f, o are sigmoids, and the candidate g is a tanh, of the four parts of
    aₜ = W_ih xₜ + b_ih + W_hh hₜ₋₁ + b_hh, in the order i, f, g, o. This is one layer of
    `torch.nn.LSTM` in one direction, with time as the first axis.

    Parameters
    ----------
    input : ndarray, shape (T, N, D), float32 or float64
        N sequences x of at most T ≥ 1 steps, padded to the same length.
    h_0, c_0 : ndarray, shape (N, H), dtype of input
        The state and the cell before the first step.
    weight_ih : ndarray, shape (4H, D), dtype of input
        From the input to the gates.
    weight_hh : ndarray, shape (4H, H), dtype of input
        From the state to the next gates.
    bias_ih, bias_hh : ndarray, shape (4H,), dtype of input, optional
        None leaves one out.
    lengths : ndarray, shape (N,), integer, optional
        The number of valid steps of each sequence, from 1 to T; the output behind them is 0.
        PyTorch says it with `torch.nn.utils.rnn.pack_padded_sequence`.
    truncation : int, optional
        The gradient of state and cell stops after each so many steps, as it does in PyTorch when
        both are detached there: truncated backpropagation through time.
    reverse : bool, default False
        Read each sequence from its last valid step to its first.

    Returns
    -------
    (output, h_n, c_n) : ndarrays, shapes (T, N, H), (N, H) and (N, H)
        The states hₜ, and of each sequence state and cell after the step that is read last.
    cache : tuple
        (input, states, cells and gates in the order of reading, weights, which biases there are,
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
    Sources: S. Hochreiter, J. Schmidhuber, "Long short-term memory", Neural Computation 9, 1997,
    DOI 10.1162/neco.1997.9.8.1735; the forget gate f is from F. A. Gers, J. Schmidhuber,
    F. Cummins, "Learning to forget: continual prediction with LSTM", Neural Computation 12, 2000,
    DOI 10.1162/089976600300015015.

    Examples
    --------
    >>> x, zero = np.array([[[1.0]], [[0.0]]]), np.array([[0.0]])
    >>> W_ih, W_hh = np.array([[9.0], [9.0], [1.0], [9.0]]), np.zeros((4, 1))
    >>> (output, h_n, c_n), cache = lstm(x, zero, zero, W_ih, W_hh)
    >>> output.round(4).ravel()  # gates near 1, then gates of 1/2
    array([0.6419, 0.1817])
    """
    input, h_0, c_0, weight_ih, weight_hh, bias_ih, bias_hh = _recurrent.arguments(
        4, input, {"h_0": h_0, "c_0": c_0}, weight_ih, weight_hh, bias_ih, bias_hh
    )
    T, N, _ = input.shape
    H = h_0.shape[1]
    lengths = _recurrent.lengths_of(lengths, T, N)
    chunk = _recurrent.chunk_of(truncation, T)

    input = _recurrent.in_reading_order(input, lengths, reverse)
    from_input = input @ weight_ih.T  # (T, N, 4H): all steps in one product
    for bias in (bias_ih, bias_hh):
        if bias is not None:
            from_input += bias
    states = np.empty_like(h_0, shape=(T + 1, N, H))  # states[t + 1] is the one after step t
    cells, gates = np.empty_like(states), np.empty_like(from_input)
    states[0], cells[0] = h_0, c_0
    for t in range(T):
        a_i, a_f, a_g, a_o = np.split(from_input[t] + states[t] @ weight_hh.T, 4, axis=1)
        i, f, g, o = sigmoid(a_i)[0], sigmoid(a_f)[0], np.tanh(a_g), sigmoid(a_o)[0]
        cells[t + 1] = f * cells[t] + i * g
        states[t + 1] = o * np.tanh(cells[t + 1])
        gates[t] = np.concatenate((i, f, g, o), axis=1)

    output = _recurrent.in_reading_order(states[1:], lengths, reverse)
    last = lengths, np.arange(N)
    biases = (bias_ih is not None, bias_hh is not None)
    cache = (input, states, cells, gates, weight_ih, weight_hh, biases, (lengths, chunk, reverse))
    return (output, states[last], cells[last]), cache


# --8<-- [end:lstm]


# --8<-- [start:lstm_backward]
def lstm_backward(
    grad_output: tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None],
    cache: tuple[Any, ...],
) -> tuple[np.ndarray | None, ...]:
    """Go back through time: along the cells, where only the forget gate scales the gradient.

    Parameters
    ----------
    grad_output : (ndarray, ndarray, ndarray), shapes (T, N, H), (N, H) and (N, H)
        The gradients of the loss for output, h_n and c_n; None stands for zero.
    cache : tuple
        What `lstm` returned.

    Returns
    -------
    grad_input : ndarray, shape (T, N, D)
        δₜ W_ih, with δₜ = ∂J/∂aₜ.
    grad_h_0 : ndarray, shape (N, H)
        δ₁ W_hh.
    grad_c_0 : ndarray, shape (N, H)
        ∂J/∂c₁ ⊙ f₁.
    grad_weight_ih : ndarray, shape (4H, D)
        The sum over t of δₜᵀ xₜ.
    grad_weight_hh : ndarray, shape (4H, H)
        The sum over t of δₜᵀ hₜ₋₁.
    grad_bias_ih : ndarray, shape (4H,), or None
        The sum over t of the column sums of δₜ; None without the bias.
    grad_bias_hh : ndarray, shape (4H,), or None
        The same sum; None without the bias.

    Raises
    ------
    TypeError, ValueError
        If a gradient does not have the dtype or the shape of its output.

    Notes
    -----
    Sources: those of `lstm`, and P. J. Werbos, "Backpropagation through time: what it does and
    how to do it", Proceedings of the IEEE 78, 1990, DOI 10.1109/5.58337; for truncation
    R. J. Williams, J. Peng, Neural Computation 2, 1990, DOI 10.1162/neco.1990.2.4.490. The paper
    of 1997 cuts more gradients than this; here, as in PyTorch, the gradient is exact.

    Examples
    --------
    >>> x, zero = np.array([[[1.0]], [[0.0]]]), np.array([[0.0]])
    >>> W_ih, W_hh = np.array([[9.0], [9.0], [1.0], [9.0]]), np.zeros((4, 1))
    >>> _, cache = lstm(x, zero, zero, W_ih, W_hh)
    >>> _, _, grad_c_0, *_ = lstm_backward((None, None, np.array([[1.0]])), cache)
    >>> grad_c_0.round(4)  # the two forget gates, 0.9999 · 0.5
    array([[0.4999]])
    """
    input, states, cells, gates, weight_ih, weight_hh, biases, options = cache
    lengths, chunk, reverse = options
    T, N, D = input.shape
    H = states.shape[2]
    grad_h, grad_h_n, grad_c_n = _check.grad_outputs(
        grad_output, states.dtype, grad_output=(T, N, H), grad_h_n=(N, H), grad_c_n=(N, H)
    )

    last = lengths, np.arange(N)
    grad_states, grad_cells = np.zeros_like(states), np.zeros_like(cells)
    grad_states[1:] = _recurrent.in_reading_order(grad_h, lengths, reverse)
    grad_states[last] += grad_h_n
    grad_cells[last] = grad_c_n
    delta = np.empty_like(gates)  # δ_t = ∂J/∂a_t
    for t in reversed(range(T)):
        i, f, g, o = np.split(gates[t], 4, axis=1)
        tanh_c = np.tanh(cells[t + 1])
        grad_o = grad_states[t + 1] * tanh_c
        grad_c = grad_cells[t + 1] + grad_states[t + 1] * o * (1.0 - tanh_c * tanh_c)
        delta_i = grad_c * g * i * (1.0 - i)
        delta_f = grad_c * cells[t] * f * (1.0 - f)
        delta_g = grad_c * i * (1.0 - g * g)
        delta_o = grad_o * o * (1.0 - o)
        delta[t] = np.concatenate((delta_i, delta_f, delta_g, delta_o), axis=1)
        if t == 0 or t % chunk != 0:  # else a chunk begins here, and the gradient stops
            grad_states[t] += delta[t] @ weight_hh
            grad_cells[t] += grad_c * f

    grad_input = _recurrent.in_reading_order(delta @ weight_ih, lengths, reverse)
    rows = delta.reshape(T * N, 4 * H)
    grad_weight_ih = rows.T @ input.reshape(T * N, D)
    grad_weight_hh = rows.T @ states[:-1].reshape(T * N, H)
    grad_bias_ih, grad_bias_hh = (rows.sum(axis=0) if given else None for given in biases)
    return (
        grad_input,
        grad_states[0],
        grad_cells[0],
        grad_weight_ih,
        grad_weight_hh,
        grad_bias_ih,
        grad_bias_hh,
    )


# --8<-- [end:lstm_backward]
