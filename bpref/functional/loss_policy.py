"""The loss whose gradient is the policy gradient of reinforcement learning."""

from __future__ import annotations

from typing import Any

import numpy as np

from bpref import _check


# --8<-- [start:reinforce_loss]
def reinforce_loss(
    logits: np.ndarray,
    action: np.ndarray,
    returns: np.ndarray,
    baseline: np.ndarray | float = 0.0,
    reduction: str = "mean",
) -> tuple[np.ndarray | np.floating, tuple[Any, ...]]:
    """Return −log π(a|s) (R − b) per sample, with the policy π = softmax(logits).

    Parameters
    ----------
    logits : ndarray, shape (N, A), float32 or float64
        What the policy gives A actions in N states, before the softmax.
    action : ndarray, shape (N,), integer
        The actions a that were drawn from the policy, from 0 to A − 1.
    returns : ndarray, shape (N,), dtype of logits
        The returns R that followed; a constant for the gradient.
    baseline : float, or ndarray of shape (N,) and dtype of logits, default 0.0
        b, such as the mean return or a value estimate; a constant for the gradient. It must not
        depend on the action: then it changes the variance of the gradient, not its mean.
    reduction : {"mean", "sum", "none"}
        "mean" divides by N.

    Returns
    -------
    loss : scalar, or ndarray of shape (N,) for "none"
        Only its gradient has a meaning: a falling loss does not show that the policy improves.
    cache : tuple
        (log π of all actions, action, advantage R − b, reduction).

    Raises
    ------
    TypeError
        If logits, returns or baseline are not float32 or float64, their dtypes differ, or
        action is not integer.
    ValueError
        If a shape does not fit, an action is out of range, or the reduction is unknown.

    Notes
    -----
    Source: R. J. Williams, "Simple statistical gradient-following algorithms for connectionist
    reinforcement learning" (1992), DOI 10.1007/BF00992696. In PyTorch it is written
    ``-Categorical(logits=logits).log_prob(action) * (returns - baseline)``.

    Examples
    --------
    >>> logits, action = np.zeros((2, 2)), np.array([0, 1])
    >>> loss, cache = reinforce_loss(logits, action, np.array([1.0, 3.0]), 2.0, reduction="none")
    >>> loss.round(6)
    array([-0.693147,  0.693147])
    """
    logits, returns = _check.floats(logits=logits, returns=returns)
    _check.shape("logits", logits, ("N", "A"))
    samples, actions = logits.shape
    action = _check.labels("action", action, (samples,), actions)
    _check.shape("returns", returns, (samples,))
    if isinstance(baseline, np.ndarray):
        _, baseline = _check.floats(logits=logits, baseline=baseline)
        _check.shape("baseline", baseline, (samples,))
    else:
        baseline = _check.real("baseline", baseline)
    divisor = _check.divisor(reduction, samples)

    advantage = returns - baseline
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_policy = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -log_policy[np.arange(samples), action] * advantage
    if reduction != "none":
        loss = loss.sum() / divisor
    return loss, (log_policy, action, advantage, reduction)


# --8<-- [end:reinforce_loss]


# --8<-- [start:reinforce_loss_backward]
def reinforce_loss_backward(grad_output: np.ndarray | float, cache: tuple[Any, ...]) -> np.ndarray:
    """Return (R − b) (π − one-hot(a)), divided by N for "mean".

    Parameters
    ----------
    grad_output : scalar, or ndarray with the shape of the loss
        1.0 for a final loss.
    cache : tuple
        What `reinforce_loss` returned.

    Returns
    -------
    grad_logits : ndarray, shape (N, A)
        A step against it makes an action more likely when its return was above the baseline.

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the loss.

    Examples
    --------
    >>> logits, action = np.zeros((2, 2)), np.array([0, 1])
    >>> _, cache = reinforce_loss(logits, action, np.array([1.0, 3.0]), 2.0)
    >>> reinforce_loss_backward(1.0, cache)
    array([[ 0.25, -0.25],
           [ 0.25, -0.25]])
    """
    log_policy, action, advantage, reduction = cache
    loss_shape = action.shape if reduction == "none" else ()
    grad_output = _check.grad_output(grad_output, loss_shape, log_policy.dtype)

    error = np.exp(log_policy)
    error[np.arange(len(action)), action] -= 1.0
    per_sample = grad_output * advantage / _check.divisor(reduction, len(action))
    grad_logits: np.ndarray = per_sample[:, None] * error
    return grad_logits


# --8<-- [end:reinforce_loss_backward]
