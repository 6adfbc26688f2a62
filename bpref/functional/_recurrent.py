"""What rnn, lstm and gru share: argument checks, and sequences of different lengths."""

from __future__ import annotations

from typing import Any

import numpy as np

from bpref import _check


def arguments(
    gates: int,
    input: Any,
    states: dict[str, Any],
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any,
    bias_hh: Any,
) -> tuple[Any, ...]:
    """Return the arrays of a recurrent layer, in this order, when dtypes and shapes fit."""
    given = {"input": input, **states, "weight_ih": weight_ih, "weight_hh": weight_hh}
    biases = {"bias_ih": bias_ih, "bias_hh": bias_hh}
    given |= {name: bias for name, bias in biases.items() if bias is not None}
    arrays = dict(zip(given, _check.floats(**given), strict=True))

    _check.shape("input", arrays["input"], ("T", "N", "D"))
    T, N, D = arrays["input"].shape
    if T == 0 or D == 0:
        raise ValueError(f"input: expected shape (T, N, D) with T, D >= 1, got {(T, N, D)}")
    _check.shape("h_0", arrays["h_0"], (N, "H"))
    H = arrays["h_0"].shape[1]
    if H == 0:
        raise ValueError(f"h_0: expected shape (N, H) with H >= 1, got {(N, H)}")
    expected: dict[str, tuple[int, ...]] = dict.fromkeys(states, (N, H))
    expected |= {"weight_ih": (gates * H, D), "weight_hh": (gates * H, H)}
    expected |= {name: (gates * H,) for name in biases if name in arrays}
    for name, shape in expected.items():
        _check.shape(name, arrays[name], shape)
    return tuple(arrays.get(name) for name in ("input", *states, "weight_ih", "weight_hh", *biases))


def lengths_of(lengths: Any, T: int, N: int) -> np.ndarray:
    """Return `lengths`, or all T for None, as an integer array when each is in [1, T]."""
    if lengths is None:
        return np.full(N, T)
    lengths = _check.array("lengths", lengths)
    if lengths.dtype.kind not in "iu":
        raise TypeError(f"lengths: expected an integer dtype, got {lengths.dtype}")
    _check.shape("lengths", lengths, (N,))
    wrong = np.flatnonzero((lengths < 1) | (lengths > T))
    if wrong.size:
        first = wrong[0]
        raise ValueError(
            f"lengths: expected lengths from 1 to {T}, got {lengths[first]} at index {first}"
        )
    return lengths.astype(int)


def chunk_of(truncation: Any, T: int) -> int:
    """Return over how many steps the gradient of the state flows; all T without truncation."""
    return T if truncation is None else _check.positive_int("truncation", truncation)


# --8<-- [start:in_reading_order]
def in_reading_order(sequence: np.ndarray, lengths: np.ndarray, reverse: bool) -> np.ndarray:
    """Let each sequence begin with the step that is read first; put zeros into the padding.

    Parameters
    ----------
    sequence : ndarray, shape (T, N, D)
        N sequences, padded to T steps.
    lengths : ndarray, shape (N,), integer
        The number of valid steps of each sequence.
    reverse : bool
        Whether a sequence is read from its last valid step to its first.

    Returns
    -------
    ndarray, shape of sequence
        A view where there is no padding. A second call undoes the first.

    Examples
    --------
    >>> sequence = np.array([[[1.0], [4.0]], [[2.0], [5.0]], [[3.0], [6.0]]])
    >>> in_reading_order(sequence, np.array([3, 2]), reverse=True)[:, :, 0]
    array([[3., 5.],
           [2., 4.],
           [1., 0.]])
    """
    T, N, _ = sequence.shape
    if (lengths == T).all():
        return sequence[::-1] if reverse else sequence
    t = np.arange(T)[:, None]
    valid = t < lengths  # (T, N)
    source = np.where(valid & reverse, lengths - 1 - t, t)
    return np.where(valid[:, :, None], sequence[source, np.arange(N)], 0.0)


# --8<-- [end:in_reading_order]
