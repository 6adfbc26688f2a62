"""The recurrent layer of Elman over a whole sequence, and its backward pass through time."""

from __future__ import annotations

from typing import Any

import numpy as np

from bpref import _check
from bpref.functional import _recurrent

NONLINEARITIES = ("tanh", "relu")


# --8<-- [start:rnn]
def rnn(
    input: np.ndarray,
    h_0: np.ndarray,
    weight_ih: np.ndarray,
    weight_hh: np.ndarray,
    bias_ih: np.ndarray | None = None,
    bias_hh: np.ndarray | None = None,
    nonlinearity: str = "tanh",
    lengths: np.ndarray | None = None,
    truncation: int | None = None,
    reverse: bool = False,
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[Any, ...]]:
    """Apply hₜ = tanh(W_ih xₜ + b_ih + W_hh hₜ₋₁ + b_hh) for t = 1, …, T.

    This is one layer of `torch.nn.RNN` in one direction, with time as the first axis.

    Parameters
    ----------
    input : ndarray, shape (T, N, D), float32 or float64
        N sequences x of at most T ≥ 1 steps, padded to the same length.
    h_0 : ndarray, shape (N, H), dtype of input
        The state before the first step.
    weight_ih : ndarray, shape (H, D), dtype of input
        From the input to the state.
    weight_hh : ndarray, shape (H, H), dtype of input
        From the state to the next state.
    bias_ih, bias_hh : ndarray, shape (H,), dtype of input, optional
        None leaves one out.
    nonlinearity : {"tanh", "relu"}
        "relu" takes relu for tanh; its derivative at 0 is 0.
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
        (input and states in the order of reading, weights, which biases there are, options).

    Raises
    ------
    TypeError
        If an argument has the wrong kind, or the dtypes differ.
    ValueError
        If a shape does not fit, there is no time step, a length is not in [1, T], truncation is
        below 1, or the nonlinearity is unknown.

    Notes
    -----
    Source: J. L. Elman, "Finding structure in time", Cognitive Science 14, 1990,
    DOI 10.1207/s15516709cog1402_1.

    Examples
    --------
    >>> x, h_0, W = np.array([[[1.0]], [[0.0]]]), np.array([[0.0]]), np.array([[1.0]])
    >>> (output, h_n), cache = rnn(x, h_0, W, W)
    >>> output.round(4).ravel()  # tanh(1), tanh(tanh(1))
    array([0.7616, 0.642 ])
    """
    input, h_0, weight_ih, weight_hh, bias_ih, bias_hh = _recurrent.arguments(
        1, input, {"h_0": h_0}, weight_ih, weight_hh, bias_ih, bias_hh
    )
    T, N, _ = input.shape
    lengths = _recurrent.lengths_of(lengths, T, N)
    chunk = _recurrent.chunk_of(truncation, T)
    if nonlinearity not in NONLINEARITIES:
        raise ValueError(f"nonlinearity: expected one of {NONLINEARITIES}, got {nonlinearity!r}")

    input = _recurrent.in_reading_order(input, lengths, reverse)
    from_input = input @ weight_ih.T  # (T, N, H): all steps in one product
    for bias in (bias_ih, bias_hh):
        if bias is not None:
            from_input += bias
    states = np.empty_like(h_0, shape=(T + 1, *h_0.shape))  # states[t + 1] is the one after step t
    states[0] = h_0
    for t in range(T):
        a = from_input[t] + states[t] @ weight_hh.T
        h = np.tanh(a) if nonlinearity == "tanh" else np.maximum(a, 0.0)
        valid = (t < lengths)[:, None]  # relu could grow without bound in the padding
        states[t + 1] = np.where(valid, h, 0.0)

    output = _recurrent.in_reading_order(states[1:], lengths, reverse)
    h_n = states[lengths, np.arange(N)]
    biases = (bias_ih is not None, bias_hh is not None)
    options = (nonlinearity, lengths, chunk, reverse)
    return (output, h_n), (input, states, weight_ih, weight_hh, biases, options)


# --8<-- [end:rnn]


# --8<-- [start:rnn_backward]
def rnn_backward(
    grad_output: tuple[np.ndarray | None, np.ndarray | None], cache: tuple[Any, ...]
) -> tuple[np.ndarray | None, ...]:
    """Go back through time: each state gets a gradient from its output and from the next state.

    Parameters
    ----------
    grad_output : (ndarray, ndarray), shapes (T, N, H) and (N, H), dtype of the output
        The gradients of the loss for output and h_n; None stands for zero.
    cache : tuple
        What `rnn` returned.

    Returns
    -------
    grad_input : ndarray, shape (T, N, D)
        δₜ W_ih, with δₜ = ∂J/∂hₜ ⊙ (1 − hₜ²).
    grad_h_0 : ndarray, shape (N, H)
        δ₁ W_hh.
    grad_weight_ih : ndarray, shape (H, D)
        The sum over t of δₜᵀ xₜ.
    grad_weight_hh : ndarray, shape (H, H)
        The sum over t of δₜᵀ hₜ₋₁.
    grad_bias_ih : ndarray, shape (H,), or None
        The sum over t of the column sums of δₜ; None without the bias.
    grad_bias_hh : ndarray, shape (H,), or None
        The same sum; None without the bias.

    Raises
    ------
    TypeError, ValueError
        If a gradient does not have the dtype or the shape of its output.

    Notes
    -----
    Sources: P. J. Werbos, "Backpropagation through time: what it does and how to do it",
    Proceedings of the IEEE 78, 1990, DOI 10.1109/5.58337; for truncation R. J. Williams, J. Peng,
    "An efficient gradient-based algorithm for on-line training of recurrent network
    trajectories", Neural Computation 2, 1990, DOI 10.1162/neco.1990.2.4.490.

    Examples
    --------
    >>> x, h_0, W = np.array([[[1.0]], [[0.0]]]), np.array([[0.0]]), np.array([[1.0]])
    >>> _, cache = rnn(x, h_0, W, W)
    >>> grad_input, *_ = rnn_backward((None, np.array([[1.0]])), cache)
    >>> grad_input.round(4).ravel()
    array([0.2469, 0.5878])
    """
    input, states, weight_ih, weight_hh, biases, options = cache
    nonlinearity, lengths, chunk, reverse = options
    T, N, D = input.shape
    H = states.shape[2]
    grad_h, grad_h_n = _check.grad_outputs(
        grad_output, states.dtype, grad_output=(T, N, H), grad_h_n=(N, H)
    )

    grad_states = np.zeros_like(states)
    grad_states[1:] = _recurrent.in_reading_order(grad_h, lengths, reverse)
    grad_states[lengths, np.arange(N)] += grad_h_n
    delta = np.empty_like(states[1:])  # δ_t = ∂J/∂a_t
    for t in reversed(range(T)):
        h = states[t + 1]
        if nonlinearity == "tanh":
            delta[t] = grad_states[t + 1] * (1.0 - h * h)
        else:
            delta[t] = np.where(h > 0, grad_states[t + 1], 0.0)
        if t == 0 or t % chunk != 0:  # else a chunk begins here, and the gradient stops
            grad_states[t] += delta[t] @ weight_hh

    grad_input = _recurrent.in_reading_order(delta @ weight_ih, lengths, reverse)
    rows = delta.reshape(T * N, H)
    grad_weight_ih = rows.T @ input.reshape(T * N, D)
    grad_weight_hh = rows.T @ states[:-1].reshape(T * N, H)
    grad_bias_ih, grad_bias_hh = (rows.sum(axis=0) if given else None for given in biases)
    return grad_input, grad_states[0], grad_weight_ih, grad_weight_hh, grad_bias_ih, grad_bias_hh


# --8<-- [end:rnn_backward]
