"""Connectionist temporal classification: a label sequence without known times.

In every frame one of C symbols is emitted; one of them is the blank. An alignment becomes a
label sequence by dropping repetitions first and blanks then: with the blank −, both a a − b and
a − b b become a b. The loss is −log of the summed probability of all alignments of the target.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bpref import _check


# --8<-- [start:ctc_loss]
def ctc_loss(
    log_probs: np.ndarray,
    targets: np.ndarray,
    input_lengths: np.ndarray,
    target_lengths: np.ndarray,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> tuple[np.ndarray | np.floating, tuple[Any, ...]]:
    """Return −log p(target), summed over all alignments by the forward algorithm.

    Parameters
    ----------
    log_probs : ndarray, shape (T, N, C), float32 or float64
        Log-probabilities of C symbols in T frames, as `log_softmax` over the last axis returns
        them.
    targets : ndarray, shape (N, S), integer
        The label sequences without blanks; what stands behind target_lengths does not matter.
    input_lengths : ndarray, shape (N,), integer
        The number of frames of each sequence, from 1 to T.
    target_lengths : ndarray, shape (N,), integer
        The number of labels of each sequence, from 0 to S.
    blank : int, default 0
        The symbol that is the blank.
    reduction : {"mean", "sum", "none"}
        "mean" divides each loss by its target length, at least 1, and takes the mean over N.
    zero_infinity : bool, default False
        Whether a target that does not fit into its frames has the loss and gradient 0 instead
        of inf and nan.

    Returns
    -------
    loss : scalar, or ndarray of shape (N,) for "none"
    cache : tuple
        What the backward algorithm needs.

    Raises
    ------
    TypeError
        If log_probs is not float32 or float64, or another array or blank is not integer.
    ValueError
        If a shape does not fit, a length or a label is out of range, a label is the blank, or
        the reduction is unknown.

    Notes
    -----
    With blanks around and between its labels, a target becomes L = 2 S + 1 states. From one
    frame to the next a path stays in its state, moves to the next one, or skips a blank between
    two different labels. Two equal labels need a blank between them, hence one frame more.
    Source: A. Graves et al., "Connectionist temporal classification" (2006),
    DOI 10.1145/1143844.1143891.

    Examples
    --------
    >>> log_probs = np.log(np.full((2, 1, 3), 1 / 3))   # two frames: a a, a −, − a of 9
    >>> one = np.array([1])
    >>> loss, cache = ctc_loss(log_probs, np.array([[1]]), 2 * one, one)
    >>> round(float(np.exp(-loss)), 6)
    0.333333
    """
    (log_probs,) = _check.floats(log_probs=log_probs)
    _check.shape("log_probs", log_probs, ("T", "N", "C"))
    frames, samples, symbols = log_probs.shape
    blank = _check.index("blank", blank, symbols)
    targets = _check.integers("targets", targets, (samples, "S"))
    most = targets.shape[1]
    input_lengths = _check.lengths("input_lengths", input_lengths, samples, 1, frames)
    target_lengths = _check.lengths("target_lengths", target_lengths, samples, 0, most)
    inside = np.arange(most) < target_lengths[:, None]
    _check.label_sequences("targets", targets, inside, symbols, blank)
    path, skips, ends = _states(np.where(inside, targets, blank), target_lengths, blank)
    divisor = _check.divisor(reduction, samples)

    emission = np.take_along_axis(log_probs, path[None], axis=2)  # (T, N, L)
    alpha = np.full_like(emission, -np.inf)  # log of the summed probability of all ways to a state
    alpha[0, :, :2] = emission[0, :, :2]
    for t in range(1, frames):
        alpha[t] = emission[t] + _arrive(alpha[t - 1], skips)
    last = alpha[input_lengths - 1, np.arange(samples)]
    negative_log = -np.logaddexp.reduce(np.where(ends, last, -np.inf), axis=1)

    loss = negative_log
    if zero_infinity:
        loss = np.where(loss == np.inf, 0.0, loss)
    if reduction == "mean":
        loss = loss / np.maximum(target_lengths, 1).astype(loss.dtype)
    if reduction != "none":
        loss = loss.sum() / divisor
    cache = emission, alpha, negative_log, path, skips, ends, input_lengths, target_lengths
    return loss, (*cache, symbols, reduction, zero_infinity)


def _states(
    targets: np.ndarray, target_lengths: np.ndarray, blank: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the symbol of each state, whether a skip leads to it, whether a path may end there.

    The shape is (N, L), L = 2 S + 1, but no skip leads to the first two states. targets has blanks
    behind the last label.
    """
    samples, most = targets.shape
    path = np.full((samples, 2 * most + 1), blank)
    path[:, 1::2] = targets

    skips = (path[:, 2:] != blank) & (path[:, 2:] != path[:, :-2])
    final = 2 * target_lengths[:, None]  # the blank after the last label
    state = np.arange(path.shape[1])
    return path, skips, (state == final) | (state == final - 1)


def _arrive(score: np.ndarray, skips: np.ndarray) -> np.ndarray:
    """Return the log-sum over the ways into each state: stay, step from the last one, skip one."""
    step, skip = np.full_like(score, -np.inf), np.full_like(score, -np.inf)
    step[:, 1:] = score[:, :-1]
    skip[:, 2:] = np.where(skips, score[:, :-2], -np.inf)
    return np.logaddexp(np.logaddexp(score, step), skip)


# --8<-- [end:ctc_loss]


# --8<-- [start:ctc_loss_backward]
def ctc_loss_backward(grad_output: np.ndarray | float, cache: tuple[Any, ...]) -> np.ndarray:
    """Return ∂J/∂(log p) = −γ: minus the probability that a path emits a symbol in a frame.

    Parameters
    ----------
    grad_output : scalar, or ndarray with the shape of the loss
        1.0 for a final loss.
    cache : tuple
        What `ctc_loss` returned.

    Returns
    -------
    grad_log_probs : ndarray, shape (T, N, C)
        −γ, where γ is the posterior, given the target; divided as the loss is. 0 behind the
        input length. For a target that does not fit into its frames 0 with zero_infinity, else
        nan.

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the loss.

    Notes
    -----
    A common mistake: comparing it with ``log_probs.grad`` of PyTorch, which is p − γ. That is no
    derivative by log_probs but already the gradient for the logits in front of log_softmax, whose
    backward pass leaves it as it is. Behind log_softmax's backward pass both are p − γ.

    Examples
    --------
    >>> log_probs = np.log(np.full((2, 1, 3), 1 / 3))   # two frames: a a, a −, − a
    >>> one = np.array([1])
    >>> _, cache = ctc_loss(log_probs, np.array([[1]]), 2 * one, one)
    >>> ctc_loss_backward(1.0, cache)[0].round(6)   # in the first frame − a third of the time
    array([[-0.333333, -0.666667, -0.      ]])
    """
    emission, alpha, negative_log, path, skips, ends, input_lengths, target_lengths = cache[:8]
    symbols, reduction, zero_infinity = cache[8:]
    frames, samples, _ = alpha.shape
    loss_shape = (samples,) if reduction == "none" else ()
    grad_output = _check.grad_output(grad_output, loss_shape, alpha.dtype)

    beta = np.empty_like(alpha)  # log of the summed probability of all ways on to the end
    onward: Any = -np.inf
    for t in reversed(range(frames)):
        is_last = (input_lengths == t + 1)[:, None]
        beta[t] = np.where(is_last, np.where(ends, 0.0, -np.inf), onward)
        onward = _leave(emission[t] + beta[t], skips)

    fits = negative_log < np.inf
    negative_log = np.where(fits, negative_log, 0.0)[:, None]
    visits = np.exp(alpha + beta + negative_log)  # (T, N, L): is a path in this state at that time?
    posterior = np.zeros_like(alpha, shape=(frames, samples, symbols))
    for state in range(path.shape[1]):
        posterior[:, np.arange(samples), path[:, state]] += visits[:, :, state]

    per_sample = grad_output / _check.divisor(reduction, samples)
    if reduction == "mean":
        per_sample = per_sample / np.maximum(target_lengths, 1).astype(alpha.dtype)
    grad_log_probs: np.ndarray = -per_sample[..., None] * posterior
    if not zero_infinity:
        is_frame = np.arange(frames)[:, None] < input_lengths
        grad_log_probs[is_frame & ~fits] = np.nan
    return grad_log_probs


def _leave(score: np.ndarray, skips: np.ndarray) -> np.ndarray:
    """Return the log-sum over the ways out of each state: stay, step to the next one, skip one."""
    step, skip = np.full_like(score, -np.inf), np.full_like(score, -np.inf)
    step[:, :-1] = score[:, 1:]
    skip[:, :-2] = np.where(skips, score[:, 2:], -np.inf)
    return np.logaddexp(np.logaddexp(score, step), skip)


# --8<-- [end:ctc_loss_backward]
