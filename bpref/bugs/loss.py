"""Losses and softmax: their backward passes, and seven wrong ones."""

from __future__ import annotations

import numpy as np

Pair = tuple[np.ndarray, np.ndarray]
Masked = tuple[np.ndarray, np.ndarray, np.ndarray]


def half_mse(prediction: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, Pair]:
    """Return J = 1/(2N) Σ ‖ŷ − y‖².

    Parameters
    ----------
    prediction, target : ndarray, shape (N, m)
        Ŷ and Y.

    Returns
    -------
    output : ndarray, shape ()
    cache : tuple
        (prediction, target).

    Examples
    --------
    >>> float(half_mse(np.array([[3.0], [1.0]]), np.array([[1.0], [1.0]]))[0])
    1.0
    """
    J = ((prediction - target) ** 2).sum() / (2 * len(prediction))
    return np.asarray(J), (prediction, target)


def half_mse_backward(grad_output: np.ndarray | float, cache: Pair) -> np.ndarray:
    """Return the gradient for the prediction: the right pass.

    Parameters
    ----------
    grad_output : float
        Usually 1.
    cache : tuple
        What `half_mse` returned.

    Returns
    -------
    ndarray, shape (N, m)
        (Ŷ − Y) / N.

    Notes
    -----
    Source: "Derivation, model, activations and losses", half mean squared error.

    Examples
    --------
    >>> half_mse_backward(1.0, (np.array([[3.0], [1.0]]), np.array([[1.0], [2.0]])))
    array([[ 1. ],
           [-0.5]])
    """
    prediction, target = cache
    # --8<-- [start:right_half_mse]
    return grad_output * (prediction - target) / len(prediction)
    # --8<-- [end:right_half_mse]


def sum_for_mean(grad_output: np.ndarray | float, cache: Pair) -> np.ndarray:
    """Leave out 1/N: wrong by the factor N.

    Parameters
    ----------
    grad_output, cache
        As of `half_mse_backward`.

    Returns
    -------
    ndarray, shape (N, m)

    Notes
    -----
    Source: https://github.com/pytorch/tutorials/issues/1631

    Examples
    --------
    >>> sum_for_mean(1.0, (np.array([[3.0], [1.0]]), np.array([[1.0], [2.0]])))   # twice too large
    array([[ 2.],
           [-1.]])
    """
    prediction, target = cache
    # --8<-- [start:sum_for_mean]
    return grad_output * (prediction - target)
    # --8<-- [end:sum_for_mean]


def sign_flip(grad_output: np.ndarray | float, cache: Pair) -> np.ndarray:
    """Subtract the prediction from the label: wrong by the factor −1.

    Parameters
    ----------
    grad_output, cache
        As of `half_mse_backward`.

    Returns
    -------
    ndarray, shape (N, m)

    Notes
    -----
    Source: the difference written the other way round; no public thread.

    Examples
    --------
    >>> sign_flip(1.0, (np.array([[3.0], [1.0]]), np.array([[1.0], [2.0]])))
    array([[-1. ],
           [ 0.5]])
    """
    prediction, target = cache
    # --8<-- [start:sign_flip]
    return grad_output * (target - prediction) / len(prediction)
    # --8<-- [end:sign_flip]


def labels_broadcast(grad_output: np.ndarray | float, cache: Pair) -> np.ndarray:
    """Compare every prediction with every label: wrong.

    Parameters
    ----------
    grad_output, cache
        As of `half_mse_backward`, with m = 1.

    Returns
    -------
    ndarray, shape (N, 1)
        (ŷ − mean of all labels) / N.

    Notes
    -----
    Labels of shape (N,) against predictions of shape (N, 1) give an N × N difference; its mean
    over the labels is what automatic differentiation would return. Source:
    https://github.com/deepset-ai/FARM/issues/229

    Examples
    --------
    >>> labels_broadcast(1.0, (np.array([[3.0], [1.0]]), np.array([[1.0], [2.0]])))
    array([[ 0.75],
           [-0.25]])
    """
    prediction, target = cache
    # --8<-- [start:labels_broadcast]
    difference = prediction - target.ravel()  # (N, 1) − (N,): (N, N)
    return grad_output * difference.mean(axis=1, keepdims=True) / len(prediction)
    # --8<-- [end:labels_broadcast]


def softmax(input: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities of each row.

    Parameters
    ----------
    input : ndarray, shape (..., m)
        The logits Z.

    Returns
    -------
    output : ndarray, shape (..., m)
        P.
    cache : ndarray
        P.

    Examples
    --------
    >>> softmax(np.array([[1.0, 1.0]]))[0]
    array([[0.5, 0.5]])
    """
    e = np.exp(input - input.max(axis=-1, keepdims=True))
    output = e / e.sum(axis=-1, keepdims=True)
    return output, output


def softmax_backward(grad_output: np.ndarray, cache: np.ndarray) -> np.ndarray:
    """Return the gradient for the logits: the right pass.

    Parameters
    ----------
    grad_output : ndarray, shape (..., m)
        ∂J/∂P.
    cache : ndarray
        P.

    Returns
    -------
    ndarray, shape (..., m)
        p ⊙ (g − gᵀp) for each row: the Jacobian diag(p) − p pᵀ times g.

    Notes
    -----
    Source: "Derivation, softmax and cross-entropy".

    Examples
    --------
    >>> softmax_backward(np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]]))
    array([[ 0.25, -0.25]])
    """
    P = cache
    # --8<-- [start:right_softmax]
    return P * (grad_output - (grad_output * P).sum(axis=-1, keepdims=True))
    # --8<-- [end:right_softmax]


def softmax_left_out(grad_output: np.ndarray, cache: np.ndarray) -> np.ndarray:
    """Pass the gradient through softmax unchanged: wrong.

    Parameters
    ----------
    grad_output, cache : ndarray
        As of `softmax_backward`.

    Returns
    -------
    ndarray, shape (..., m)

    Notes
    -----
    Source: taking P − Y's place before the softmax for ∂J/∂P; no public thread.

    Examples
    --------
    >>> softmax_left_out(np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]]))   # right: [[0.25, -0.25]]
    array([[1., 0.]])
    """
    # --8<-- [start:softmax_left_out]
    return grad_output
    # --8<-- [end:softmax_left_out]


def softmax_diagonal(grad_output: np.ndarray, cache: np.ndarray) -> np.ndarray:
    """Differentiate softmax element by element, as if it were a sigmoid: wrong.

    Parameters
    ----------
    grad_output, cache : ndarray
        As of `softmax_backward`.

    Returns
    -------
    ndarray, shape (..., m)
        Only the diagonal of the Jacobian.

    Notes
    -----
    Source: https://github.com/SebLague/Neural-Network-Experiments/pull/5

    Examples
    --------
    >>> softmax_diagonal(np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]]))   # right: [[0.25, -0.25]]
    array([[0.25, 0.  ]])
    """
    P = cache
    # --8<-- [start:softmax_diagonal]
    return grad_output * P * (1 - P)
    # --8<-- [end:softmax_diagonal]


def negative_log(input: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, Pair]:
    """Return J = −(1/N) Σ log p of the label; no wrong pass is shown.

    Parameters
    ----------
    input : ndarray, shape (N, m)
        The probabilities P.
    labels : ndarray of int, shape (N,)
        The right classes.

    Returns
    -------
    output : ndarray, shape ()
    cache : tuple
        (input, labels).

    Examples
    --------
    >>> float(negative_log(np.array([[1.0, 0.0]]), np.array([0]))[0])
    -0.0
    """
    picked = input[np.arange(len(labels)), labels]
    return np.asarray(-np.log(picked).mean()), (input, labels)


def negative_log_backward(grad_output: np.ndarray | float, cache: Pair) -> np.ndarray:
    """Return the gradient for the probabilities.

    Parameters
    ----------
    grad_output : float
        Usually 1.
    cache : tuple
        What `negative_log` returned.

    Returns
    -------
    ndarray, shape (N, m)
        −1/(N p) at the label, else 0.

    Examples
    --------
    >>> negative_log_backward(1.0, (np.array([[0.5, 0.5]]), np.array([0])))
    array([[-2.,  0.]])
    """
    P, labels = cache
    grad_input = np.zeros_like(P)
    rows = np.arange(len(labels))
    grad_input[rows, labels] = -grad_output / (len(labels) * P[rows, labels])
    return grad_input


def cross_entropy(
    input: np.ndarray, labels: np.ndarray, mask: np.ndarray
) -> tuple[np.ndarray, Masked]:
    """Return the mean of −log softmax(z) at the label over the positions that count.

    Parameters
    ----------
    input : ndarray, shape (N, m)
        The logits Z, one row per position.
    labels : ndarray of int, shape (N,)
        The right classes.
    mask : ndarray of bool, shape (N,)
        False for padding.

    Returns
    -------
    output : ndarray, shape ()
    cache : tuple
        (probabilities, labels, mask).

    Examples
    --------
    >>> Z, labels, mask = np.zeros((2, 2)), np.array([0, 1]), np.array([True, False])
    >>> round(float(cross_entropy(Z, labels, mask)[0]), 6)   # log 2
    0.693147
    """
    shifted = input - input.max(axis=-1, keepdims=True)
    log_P = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    losses = -log_P[np.arange(len(labels)), labels]
    return np.asarray((losses * mask).sum() / mask.sum()), (np.exp(log_P), labels, mask)


def cross_entropy_backward(grad_output: np.ndarray | float, cache: Masked) -> np.ndarray:
    """Return the gradient for the logits: the right pass.

    Parameters
    ----------
    grad_output : float
        Usually 1.
    cache : tuple
        What `cross_entropy` returned.

    Returns
    -------
    ndarray, shape (N, m)
        (P − Y) / (number of positions that count), zero at padding.

    Notes
    -----
    Source: "Derivation, softmax and cross-entropy".

    Examples
    --------
    >>> P, labels, mask = np.full((2, 2), 0.5), np.array([0, 1]), np.array([True, False])
    >>> cross_entropy_backward(1.0, (P, labels, mask))[0]
    array([-0.5,  0.5])
    """
    P, labels, mask = cache
    Y = np.eye(P.shape[1])[labels]
    # --8<-- [start:right_cross_entropy]
    return grad_output * (P - Y) * mask[:, np.newaxis] / mask.sum()
    # --8<-- [end:right_cross_entropy]


def softmax_twice(grad_output: np.ndarray | float, cache: Masked) -> np.ndarray:
    """Treat the probabilities as logits: wrong.

    Parameters
    ----------
    grad_output, cache
        As of `cross_entropy_backward`.

    Returns
    -------
    ndarray, shape (N, m)
        softmax(P) where P belongs.

    Notes
    -----
    Source: https://github.com/nfmcclure/tensorflow_cookbook/issues/86

    Examples
    --------
    >>> cache = (np.array([[1.0, 0.0]]), np.array([0]), np.array([True]))
    >>> softmax_twice(1.0, cache).round(3)   # right: [[0., 0.]], the prediction is perfect
    array([[-0.269,  0.269]])
    """
    P, labels, mask = cache
    Y = np.eye(P.shape[1])[labels]
    # --8<-- [start:softmax_twice]
    P, _ = softmax(P)
    return grad_output * (P - Y) * mask[:, np.newaxis] / mask.sum()
    # --8<-- [end:softmax_twice]


def padding_in_mean(grad_output: np.ndarray | float, cache: Masked) -> np.ndarray:
    """Divide by all positions, padding included: wrong by a factor that changes with the batch.

    Parameters
    ----------
    grad_output, cache
        As of `cross_entropy_backward`.

    Returns
    -------
    ndarray, shape (N, m)

    Notes
    -----
    Source: https://github.com/OpenNMT/OpenNMT-py/issues/2209 and
    https://github.com/huggingface/transformers/issues/24725 discuss which positions to count.

    Examples
    --------
    >>> P, labels, mask = np.full((2, 2), 0.5), np.array([0, 1]), np.array([True, False])
    >>> padding_in_mean(1.0, (P, labels, mask))[0]   # half of the right values
    array([-0.25,  0.25])
    """
    P, labels, mask = cache
    Y = np.eye(P.shape[1])[labels]
    # --8<-- [start:padding_in_mean]
    return grad_output * (P - Y) * mask[:, np.newaxis] / mask.size
    # --8<-- [end:padding_in_mean]


def padding_not_masked(grad_output: np.ndarray | float, cache: Masked) -> np.ndarray:
    """Send a gradient through the padding as well: wrong.

    Parameters
    ----------
    grad_output, cache
        As of `cross_entropy_backward`.

    Returns
    -------
    ndarray, shape (N, m)

    Notes
    -----
    Source: a mask used in the forward pass only; no public thread.

    Examples
    --------
    >>> P, labels, mask = np.full((2, 2), 0.5), np.array([0, 1]), np.array([True, False])
    >>> padding_not_masked(1.0, (P, labels, mask))   # right: zeros in the second row
    array([[-0.5,  0.5],
           [ 0.5, -0.5]])
    """
    P, labels, mask = cache
    Y = np.eye(P.shape[1])[labels]
    # --8<-- [start:padding_not_masked]
    return grad_output * (P - Y) / mask.sum()
    # --8<-- [end:padding_not_masked]
