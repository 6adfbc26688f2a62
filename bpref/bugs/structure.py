"""Paths that join, weights used twice, gradients kept: backward passes, and four wrong ones."""

from __future__ import annotations

import numpy as np

BlockCache = tuple[np.ndarray, np.ndarray, np.ndarray]
TwiceCache = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
Gradients = tuple[np.ndarray, np.ndarray, np.ndarray]


def residual(
    input: np.ndarray, weight: np.ndarray, bias: np.ndarray
) -> tuple[np.ndarray, BlockCache]:
    """Apply Y = X + tanh(X Wᵀ + b).

    Parameters
    ----------
    input : ndarray, shape (N, n)
        X.
    weight : ndarray, shape (n, n)
        W.
    bias : ndarray, shape (n,)
        b.

    Returns
    -------
    output : ndarray, shape (N, n)
    cache : tuple
        (input, weight, value of the tanh).

    Examples
    --------
    >>> residual(np.ones((1, 1)), np.zeros((1, 1)), np.zeros(1))[0]
    array([[1.]])
    """
    branch = np.tanh(input @ weight.T + bias)
    return input + branch, (input, weight, branch)


def residual_backward(grad_output: np.ndarray, cache: BlockCache) -> Gradients:
    """Return the gradients for input, weight and bias: the right pass.

    Parameters
    ----------
    grad_output : ndarray, shape (N, n)
        ∂J/∂Y.
    cache : tuple
        What `residual` returned.

    Returns
    -------
    grad_input : ndarray, shape (N, n)
        What comes through the branch plus what comes past it.
    grad_weight : ndarray, shape (n, n)
    grad_bias : ndarray, shape (n,)

    Notes
    -----
    Source: K. He et al., "Deep Residual Learning for Image Recognition", 2015, arXiv:1512.03385.

    Examples
    --------
    >>> _, cache = residual(np.ones((1, 1)), np.full((1, 1), 2.0), np.full(1, -2.0))
    >>> residual_backward(np.ones((1, 1)), cache)[0]
    array([[3.]])
    """
    input, weight, branch = cache
    delta = grad_output * (1 - branch**2)
    # --8<-- [start:right_residual]
    grad_input = grad_output + delta @ weight
    # --8<-- [end:right_residual]
    return grad_input, delta.T @ input, delta.sum(axis=0)


def residual_path_forgotten(grad_output: np.ndarray, cache: BlockCache) -> Gradients:
    """Leave out the path past the branch: wrong.

    Parameters
    ----------
    grad_output, cache
        As of `residual_backward`.

    Returns
    -------
    grad_input, grad_weight, grad_bias : ndarray
        As of `residual_backward`; the first is wrong.

    Notes
    -----
    Source: where paths join, derivatives add, and one was forgotten; no public thread.

    Examples
    --------
    >>> _, cache = residual(np.ones((1, 1)), np.full((1, 1), 2.0), np.full(1, -2.0))
    >>> residual_path_forgotten(np.ones((1, 1)), cache)[0]   # right: [[3.]]
    array([[2.]])
    """
    input, weight, branch = cache
    delta = grad_output * (1 - branch**2)
    # --8<-- [start:residual_path_forgotten]
    grad_input = delta @ weight
    # --8<-- [end:residual_path_forgotten]
    return grad_input, delta.T @ input, delta.sum(axis=0)


def twice(input: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, TwiceCache]:
    """Call one tanh layer two times: h₁ = tanh(x Wᵀ + b), h₂ = tanh(h₁ Wᵀ + b).

    Parameters
    ----------
    input : ndarray, shape (N, n)
        x.
    weight : ndarray, shape (n, n)
        W, the same in both calls.
    bias : ndarray, shape (n,)
        b.

    Returns
    -------
    output : ndarray, shape (N, n)
        h₂.
    cache : tuple
        (input, weight, h₁, h₂).

    Examples
    --------
    >>> twice(np.zeros((1, 1)), np.ones((1, 1)), np.zeros(1))[0]
    array([[0.]])
    """
    first = np.tanh(input @ weight.T + bias)
    second = np.tanh(first @ weight.T + bias)
    return second, (input, weight, first, second)


def twice_backward(grad_output: np.ndarray, cache: TwiceCache) -> Gradients:
    """Return the gradients for input, weight and bias: the right pass.

    Parameters
    ----------
    grad_output : ndarray, shape (N, n)
        ∂J/∂h₂.
    cache : tuple
        What `twice` returned.

    Returns
    -------
    grad_input : ndarray, shape (N, n)
    grad_weight : ndarray, shape (n, n)
        The sum of both calls.
    grad_bias : ndarray, shape (n,)

    Notes
    -----
    Source: "Ideas, the chain rule": where paths join, derivatives add.

    Examples
    --------
    >>> _, cache = twice(np.zeros((1, 1)), np.ones((1, 1)), np.zeros(1))
    >>> twice_backward(np.ones((1, 1)), cache)[2]   # one from each call
    array([2.])
    """
    input, weight, first, second = cache
    delta_2 = grad_output * (1 - second**2)
    # --8<-- [start:right_own_cache]
    delta_1 = (delta_2 @ weight) * (1 - first**2)
    # --8<-- [end:right_own_cache]
    # --8<-- [start:right_sum_of_calls]
    grad_weight = delta_2.T @ first + delta_1.T @ input
    grad_bias = delta_2.sum(axis=0) + delta_1.sum(axis=0)
    # --8<-- [end:right_sum_of_calls]
    return delta_1 @ weight, grad_weight, grad_bias


def stale_cache(grad_output: np.ndarray, cache: TwiceCache) -> Gradients:
    """Use what the layer saved last for both calls: wrong.

    Parameters
    ----------
    grad_output, cache
        As of `twice_backward`.

    Returns
    -------
    grad_input, grad_weight, grad_bias : ndarray

    Notes
    -----
    A layer that keeps its input and output in attributes has one place for both, and the second
    call overwrites the first. Source: a design with one cache for each layer; no public thread.

    Examples
    --------
    >>> _, cache = twice(np.ones((1, 1)), np.ones((1, 1)), np.zeros(1))
    >>> stale_cache(np.ones((1, 1)), cache)[0].round(3)   # right: [[0.247]]
    array([[0.346]])
    """
    _, weight, first, second = cache
    delta_2 = grad_output * (1 - second**2)
    # --8<-- [start:stale_cache]
    input, first_output = first, second  # what the second call left in the layer
    delta_1 = (delta_2 @ weight) * (1 - first_output**2)
    # --8<-- [end:stale_cache]
    grad_weight = delta_2.T @ first + delta_1.T @ input
    return delta_1 @ weight, grad_weight, delta_2.sum(axis=0) + delta_1.sum(axis=0)


def shared_once(grad_output: np.ndarray, cache: TwiceCache) -> Gradients:
    """Overwrite the gradient of the second call with that of the first: wrong.

    Parameters
    ----------
    grad_output, cache
        As of `twice_backward`.

    Returns
    -------
    grad_input, grad_weight, grad_bias : ndarray
        As of `twice_backward`; the last two are those of one call.

    Notes
    -----
    Source: a comment quoted in https://github.com/karpathy/nn-zero-to-hero/issues/52.

    Examples
    --------
    >>> _, cache = twice(np.zeros((1, 1)), np.ones((1, 1)), np.zeros(1))
    >>> shared_once(np.ones((1, 1)), cache)[2]   # right: [2.]
    array([1.])
    """
    input, weight, first, second = cache
    delta_2 = grad_output * (1 - second**2)
    delta_1 = (delta_2 @ weight) * (1 - first**2)
    # --8<-- [start:shared_once]
    grad_weight = delta_1.T @ input
    grad_bias = delta_1.sum(axis=0)
    # --8<-- [end:shared_once]
    return delta_1 @ weight, grad_weight, grad_bias


def store(gradient: np.ndarray, stored: np.ndarray) -> np.ndarray:
    """Return what the optimizer will see as the gradient of this step: the right rule.

    Parameters
    ----------
    gradient : ndarray, any shape
        Of this step.
    stored : ndarray, shape of gradient
        What the step before left in the buffer.

    Returns
    -------
    ndarray, shape of gradient

    Notes
    -----
    Source: "FAQ, vanishing and exploding gradients", gradient accumulation.

    Examples
    --------
    >>> store(np.array([1.0]), np.array([5.0]))
    array([1.])
    """
    # --8<-- [start:right_store]
    stored = np.zeros_like(stored)  # zero_grad()
    return stored + gradient
    # --8<-- [end:right_store]


def not_cleared(gradient: np.ndarray, stored: np.ndarray) -> np.ndarray:
    """Add to the gradients of all steps before: wrong.

    Parameters
    ----------
    gradient, stored : ndarray
        As of `store`.

    Returns
    -------
    ndarray, shape of gradient

    Notes
    -----
    Source: https://github.com/karpathy/micrograd/issues/53

    Examples
    --------
    >>> not_cleared(np.array([1.0]), np.array([5.0]))   # right: [1.]
    array([6.])
    """
    # --8<-- [start:not_cleared]
    return stored + gradient
    # --8<-- [end:not_cleared]
