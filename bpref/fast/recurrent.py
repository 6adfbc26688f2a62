"""`lstm` with one block of memory for each gate and results written where they stay.

Same arguments and results as in `bpref.functional`. Input and state lie side by side, so that a
step needs one product with both weights, and everything else of a step happens while its numbers
are in the processor's cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bpref import _check
from bpref.functional import _recurrent

SIGMOIDS_FIRST = [0, 1, 3, 2]  # the order i, f, g, o becomes i, f, o, g; and the other way round


def _by_gate(rows: np.ndarray, H: int) -> np.ndarray:
    """Return a view (4, N, H) of an array (N, 4H)."""
    return rows.reshape(len(rows), 4, H).transpose(1, 0, 2)


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
    """Return what `bpref.functional.lstm` does, with a cache of its own.

    Examples
    --------
    >>> x, zero = np.array([[[1.0]], [[0.0]]]), np.array([[0.0]])
    >>> W_ih, W_hh = np.array([[9.0], [9.0], [1.0], [9.0]]), np.zeros((4, 1))
    >>> (output, h_n, c_n), cache = lstm(x, zero, zero, W_ih, W_hh)
    >>> output.round(4).ravel()
    array([0.6419, 0.1817])
    """
    input, h_0, c_0, weight_ih, weight_hh, bias_ih, bias_hh = _recurrent.arguments(
        4, input, {"h_0": h_0, "c_0": c_0}, weight_ih, weight_hh, bias_ih, bias_hh
    )
    T, N, D = input.shape
    H, dtype = h_0.shape[1], input.dtype
    lengths = _recurrent.lengths_of(lengths, T, N)
    chunk = _recurrent.chunk_of(truncation, T)
    weight = np.concatenate((weight_ih, weight_hh), axis=1).reshape(4, H, D + H)[SIGMOIDS_FIRST]
    bias = np.zeros((4, 1, H), dtype)
    for given in (bias_ih, bias_hh):
        if given is not None:
            bias += given.reshape(4, 1, H)[SIGMOIDS_FIRST]
    negative = weight.copy()
    negative[:3] *= -1.0  # a sigmoid is 1 / (1 + exp(−a))
    bias[:3] *= -1.0
    weight, negative_t = weight.reshape(4 * H, D + H), negative.reshape(4 * H, D + H).T.copy()

    x_and_h = np.empty((T + 1, N, D + H), dtype)
    x_and_h[:-1, :, :D] = _recurrent.in_reading_order(input, lengths, reverse)
    x_and_h[0, :, D:] = h_0
    states, cells = np.empty((T, N, H), dtype), np.empty((T + 1, N, H), dtype)
    cells[0] = c_0
    gates, tanh_cells = np.empty((4, T, N, H), dtype), np.empty_like(states)
    product, work = np.empty((N, 4 * H), dtype), np.empty((N, H), dtype)
    with np.errstate(over="ignore"):  # exp may reach infinity, whose sigmoid is 0
        for t in range(T):
            np.dot(x_and_h[t], negative_t, out=product)
            now = np.add(_by_gate(product, H), bias, out=gates[:, t])
            i, f, o, g = now
            sigmoids = now[:3]
            np.exp(sigmoids, out=sigmoids)
            sigmoids += 1.0
            np.reciprocal(sigmoids, out=sigmoids)
            np.tanh(g, out=g)
            c = np.multiply(f, cells[t], out=cells[t + 1])
            c += np.multiply(i, g, out=work)
            h = np.multiply(o, np.tanh(c, out=tanh_cells[t]), out=states[t])
            x_and_h[t + 1, :, D:] = h

    output = _recurrent.in_reading_order(states, lengths, reverse)
    last = lengths, np.arange(N)
    biases = (bias_ih is not None, bias_hh is not None)
    cache = (x_and_h, cells, tanh_cells, gates, weight, biases, (lengths, chunk, reverse))
    return (output, x_and_h[last][:, D:], cells[last]), cache


def lstm_backward(
    grad_output: tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None],
    cache: tuple[Any, ...],
) -> tuple[np.ndarray | None, ...]:
    """Return the gradients of the loss for input, initial state and cell, weights and biases.

    Examples
    --------
    >>> x, zero = np.array([[[1.0]], [[0.0]]]), np.array([[0.0]])
    >>> W_ih, W_hh = np.array([[9.0], [9.0], [1.0], [9.0]]), np.zeros((4, 1))
    >>> _, cache = lstm(x, zero, zero, W_ih, W_hh)
    >>> _, _, grad_c_0, *_ = lstm_backward((None, None, np.array([[1.0]])), cache)
    >>> grad_c_0.round(4)
    array([[0.4999]])
    """
    x_and_h, cells, tanh_cells, gates, weight, biases, (lengths, chunk, reverse) = cache
    _, T, N, H = gates.shape
    D, dtype = x_and_h.shape[2] - H, gates.dtype
    grad_h, grad_h_n, grad_c_n = _check.grad_outputs(
        grad_output, dtype, grad_output=(T, N, H), grad_h_n=(N, H), grad_c_n=(N, H)
    )

    last = lengths, np.arange(N)
    grad_states, grad_cells = np.zeros_like(cells), np.zeros_like(cells)
    grad_states[1:] = _recurrent.in_reading_order(grad_h, lengths, reverse)
    grad_states[last] += grad_h_n
    grad_cells[last] = grad_c_n
    grad_input, delta = np.empty((T, N, D), dtype), np.empty((T, N, 4 * H), dtype)
    d, slopes = np.empty((3, N, H), dtype), np.empty((3, N, H), dtype)
    work, grad_x_and_h = np.empty((N, H), dtype), np.empty((N, D + H), dtype)
    for t in reversed(range(T)):
        (i, f, o, g), tanh_c, now = gates[:, t], tanh_cells[t], _by_gate(delta[t], H)
        grad_state, grad_c, sigmoids = grad_states[t + 1], grad_cells[t + 1], gates[:3, t]
        np.multiply(tanh_c, tanh_c, out=work)
        np.subtract(1.0, work, out=work)
        work *= o
        work *= grad_state
        grad_c += work
        np.multiply(grad_c, g, out=d[0])
        np.multiply(grad_c, cells[t], out=d[1])
        np.multiply(grad_state, tanh_c, out=d[2])
        np.subtract(1.0, sigmoids, out=slopes)
        slopes *= sigmoids
        np.multiply(d, slopes, out=now[:3])
        np.multiply(g, g, out=work)
        np.subtract(1.0, work, out=work)
        work *= grad_c
        np.multiply(work, i, out=now[3])
        np.dot(delta[t], weight, out=grad_x_and_h)
        grad_input[t] = grad_x_and_h[:, :D]
        if t == 0 or t % chunk != 0:  # else a chunk begins here, and the gradient stops
            grad_states[t] += grad_x_and_h[:, D:]
            grad_cells[t] += np.multiply(grad_c, f, out=work)

    grad_input = _recurrent.in_reading_order(grad_input, lengths, reverse)
    rows = delta.reshape(T * N, 4 * H)
    grad_weight = rows.T @ x_and_h[:-1].reshape(T * N, D + H)
    grad_weight = grad_weight.reshape(4, H, D + H)[SIGMOIDS_FIRST].reshape(4 * H, D + H)
    grad_bias = rows.sum(axis=0).reshape(4, H)[SIGMOIDS_FIRST].reshape(4 * H)
    grad_bias_ih, grad_bias_hh = (grad_bias.copy() if given else None for given in biases)
    return (
        grad_input,
        grad_states[0],
        grad_cells[0],
        grad_weight[:, :D],
        grad_weight[:, D:],
        grad_bias_ih,
        grad_bias_hh,
    )
