"""Batch normalization, layer normalization, dropout: backward passes, and six wrong ones."""

from __future__ import annotations

import numpy as np

EPS = 1e-5
Cache = tuple[np.ndarray, np.ndarray, np.ndarray]
Gradients = tuple[np.ndarray, np.ndarray, np.ndarray]
DropoutCache = tuple[np.ndarray, float, np.random.Generator]


def batch_norm(input: np.ndarray, gain: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, Cache]:
    """Normalize each column of a batch, then scale and shift.

    Parameters
    ----------
    input : ndarray, shape (N, n)
        X.
    gain, shift : ndarray, shape (n,)
        γ and β.

    Returns
    -------
    output : ndarray, shape (N, n)
        γ x̂ + β with x̂ = (x − mean) / √(variance + 1e-5), both over the batch.
    cache : tuple
        (x̂, gain, 1 / √(variance + 1e-5)).

    Examples
    --------
    >>> batch_norm(np.array([[1.0], [3.0]]), np.ones(1), np.zeros(1))[0].round(3)
    array([[-1.],
           [ 1.]])
    """
    centred = input - input.mean(axis=0)
    inverse = 1 / np.sqrt((centred**2).mean(axis=0) + EPS)
    X_hat = centred * inverse
    return gain * X_hat + shift, (X_hat, gain, inverse)


def batch_norm_backward(grad_output: np.ndarray, cache: Cache) -> Gradients:
    """Return the gradients for input, gain and shift: the right pass.

    Parameters
    ----------
    grad_output : ndarray, shape (N, n)
        ∂J/∂Y.
    cache : tuple
        What `batch_norm` returned.

    Returns
    -------
    grad_input : ndarray, shape (N, n)
        The direct path, minus the path through the mean, minus the path through the variance.
    grad_gain, grad_shift : ndarray, shape (n,)

    Notes
    -----
    Source: S. Ioffe, C. Szegedy, "Batch Normalization", 2015, arXiv:1502.03167, section 3.

    Examples
    --------
    >>> _, cache = batch_norm(np.array([[1.0], [3.0]]), np.ones(1), np.zeros(1))
    >>> grad_input, *_ = batch_norm_backward(np.array([[1.0], [1.0]]), cache)
    >>> grad_input   # the same push on all samples is taken out by the mean
    array([[0.],
           [0.]])
    """
    X_hat, gain, inverse = cache
    # --8<-- [start:right_batch_norm]
    grad_hat = grad_output * gain
    through_mean = grad_hat.mean(axis=0)
    through_variance = X_hat * (grad_hat * X_hat).mean(axis=0)
    grad_input = inverse * (grad_hat - through_mean - through_variance)
    # --8<-- [end:right_batch_norm]
    # --8<-- [start:right_gain]
    grad_gain = (grad_output * X_hat).sum(axis=0)
    # --8<-- [end:right_gain]
    return grad_input, grad_gain, grad_output.sum(axis=0)


def batch_norm_no_mean(grad_output: np.ndarray, cache: Cache) -> Gradients:
    """Leave out the path through the mean: wrong.

    Parameters
    ----------
    grad_output, cache
        As of `batch_norm_backward`.

    Returns
    -------
    grad_input, grad_gain, grad_shift : ndarray
        As of `batch_norm_backward`; the first is wrong.

    Notes
    -----
    Source: https://github.com/pjreddie/darknet/issues/1723 and
    https://github.com/apache/mxnet/issues/1053 discuss this path in two libraries.

    Examples
    --------
    >>> _, cache = batch_norm(np.array([[1.0], [3.0]]), np.ones(1), np.zeros(1))
    >>> batch_norm_no_mean(np.array([[1.0], [1.0]]), cache)[0].round(3)   # right: zeros
    array([[1.],
           [1.]])
    """
    X_hat, gain, inverse = cache
    # --8<-- [start:batch_norm_no_mean]
    grad_hat = grad_output * gain
    through_variance = X_hat * (grad_hat * X_hat).mean(axis=0)
    grad_input = inverse * (grad_hat - through_variance)
    # --8<-- [end:batch_norm_no_mean]
    return grad_input, (grad_output * X_hat).sum(axis=0), grad_output.sum(axis=0)


def batch_norm_no_variance(grad_output: np.ndarray, cache: Cache) -> Gradients:
    """Leave out the path through the variance: wrong.

    Parameters
    ----------
    grad_output, cache
        As of `batch_norm_backward`.

    Returns
    -------
    grad_input, grad_gain, grad_shift : ndarray
        As of `batch_norm_backward`; the first is wrong.

    Notes
    -----
    Source: https://github.com/mlpack/mlpack/pull/1327 repairs such a formula so that it passes
    the gradient check.

    Examples
    --------
    >>> _, cache = batch_norm(np.array([[1.0], [3.0]]), np.ones(1), np.zeros(1))
    >>> batch_norm_no_variance(np.array([[-1.0], [1.0]]), cache)[0].round(3)   # right: about 0
    array([[-1.],
           [ 1.]])
    """
    X_hat, gain, inverse = cache
    # --8<-- [start:batch_norm_no_variance]
    grad_hat = grad_output * gain
    through_mean = grad_hat.mean(axis=0)
    grad_input = inverse * (grad_hat - through_mean)
    # --8<-- [end:batch_norm_no_variance]
    return grad_input, (grad_output * X_hat).sum(axis=0), grad_output.sum(axis=0)


def gain_one_number(grad_output: np.ndarray, cache: Cache) -> Gradients:
    """Sum the gradient of the gain over all axes: wrong, and broadcast in the update.

    Parameters
    ----------
    grad_output, cache
        As of `batch_norm_backward`.

    Returns
    -------
    grad_input, grad_shift : ndarray
        As of `batch_norm_backward`.
    grad_gain : ndarray, shape ()
        Should be (n,).

    Notes
    -----
    Source: an ``axis=0`` forgotten when a broadcast is undone; no public thread.

    Examples
    --------
    >>> _, cache = batch_norm(np.array([[1.0, 1.0], [3.0, 3.0]]), np.ones(2), np.zeros(2))
    >>> grads = gain_one_number(np.array([[0.0, 0.0], [1.0, 2.0]]), cache)
    >>> float(grads[1].round(3))   # right: [1., 2.]
    3.0
    """
    X_hat, gain, inverse = cache
    grad_hat = grad_output * gain
    through = grad_hat.mean(axis=0) + X_hat * (grad_hat * X_hat).mean(axis=0)
    # --8<-- [start:gain_one_number]
    grad_gain = np.asarray((grad_output * X_hat).sum())
    # --8<-- [end:gain_one_number]
    return inverse * (grad_hat - through), grad_gain, grad_output.sum(axis=0)


def layer_norm(input: np.ndarray, gain: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, Cache]:
    """Normalize each row, then scale and shift.

    Parameters
    ----------
    input : ndarray, shape (N, n)
        X.
    gain, shift : ndarray, shape (n,)
        γ and β.

    Returns
    -------
    output : ndarray, shape (N, n)
    cache : tuple
        (x̂, gain, 1 / √(variance + 1e-5)), the variance of each row.

    Examples
    --------
    >>> layer_norm(np.array([[1.0, 3.0]]), np.ones(2), np.zeros(2))[0].round(3)
    array([[-1.,  1.]])
    """
    centred = input - input.mean(axis=1, keepdims=True)
    inverse = 1 / np.sqrt((centred**2).mean(axis=1, keepdims=True) + EPS)
    X_hat = centred * inverse
    return gain * X_hat + shift, (X_hat, gain, inverse)


def layer_norm_backward(grad_output: np.ndarray, cache: Cache) -> Gradients:
    """Return the gradients for input, gain and shift: the right pass.

    Parameters
    ----------
    grad_output : ndarray, shape (N, n)
        ∂J/∂Y.
    cache : tuple
        What `layer_norm` returned.

    Returns
    -------
    grad_input : ndarray, shape (N, n)
    grad_gain, grad_shift : ndarray, shape (n,)

    Notes
    -----
    Source: J. L. Ba, J. R. Kiros, G. E. Hinton, "Layer Normalization", 2016, arXiv:1607.06450.

    Examples
    --------
    >>> _, cache = layer_norm(np.array([[1.0, 3.0]]), np.ones(2), np.zeros(2))
    >>> layer_norm_backward(np.array([[1.0, 1.0]]), cache)[0]
    array([[0., 0.]])
    """
    X_hat, gain, inverse = cache
    # --8<-- [start:right_layer_norm]
    grad_hat = grad_output * gain
    through_mean = grad_hat.mean(axis=1, keepdims=True)
    through_variance = X_hat * (grad_hat * X_hat).mean(axis=1, keepdims=True)
    grad_input = inverse * (grad_hat - through_mean - through_variance)
    # --8<-- [end:right_layer_norm]
    return grad_input, (grad_output * X_hat).sum(axis=0), grad_output.sum(axis=0)


def layer_norm_constants(grad_output: np.ndarray, cache: Cache) -> Gradients:
    """Treat mean and variance as constants: wrong.

    Parameters
    ----------
    grad_output, cache
        As of `layer_norm_backward`.

    Returns
    -------
    grad_input, grad_gain, grad_shift : ndarray
        As of `layer_norm_backward`; the first is wrong.

    Notes
    -----
    Source: right for batch normalization in evaluation mode, where the statistics are constants;
    no public thread.

    Examples
    --------
    >>> _, cache = layer_norm(np.array([[1.0, 3.0]]), np.ones(2), np.zeros(2))
    >>> layer_norm_constants(np.array([[1.0, 1.0]]), cache)[0].round(3)   # right: [[0., 0.]]
    array([[1., 1.]])
    """
    X_hat, gain, inverse = cache
    # --8<-- [start:layer_norm_constants]
    grad_input = inverse * grad_output * gain
    # --8<-- [end:layer_norm_constants]
    return grad_input, (grad_output * X_hat).sum(axis=0), grad_output.sum(axis=0)


def dropout(
    input: np.ndarray, p: float, generator: np.random.Generator
) -> tuple[np.ndarray, DropoutCache]:
    """Set elements to zero with probability p, multiply the others by 1/(1 − p).

    Parameters
    ----------
    input : ndarray, any shape
        x.
    p : float
        The probability of a zero.
    generator : numpy.random.Generator
        Draws the mask.

    Returns
    -------
    output : ndarray, shape of input
    cache : tuple
        (mask, p, generator).

    Examples
    --------
    >>> dropout(np.ones(4), 0.5, np.random.default_rng(0))[0]
    array([2., 0., 0., 0.])
    """
    mask = generator.random(input.shape) >= p
    return input * mask / (1 - p), (mask, p, generator)


def dropout_backward(grad_output: np.ndarray, cache: DropoutCache) -> np.ndarray:
    """Return the gradient for the input: the right pass.

    Parameters
    ----------
    grad_output : ndarray, shape of the output
        ∂J/∂y.
    cache : tuple
        What `dropout` returned.

    Returns
    -------
    ndarray, shape of the output

    Notes
    -----
    Source: N. Srivastava et al., "Dropout", JMLR 15, 1929–1958, 2014; the factor 1/(1 − p) is
    taken in training instead of in evaluation.

    Examples
    --------
    >>> _, cache = dropout(np.ones(4), 0.5, np.random.default_rng(0))
    >>> dropout_backward(np.ones(4), cache)
    array([2., 0., 0., 0.])
    """
    mask, p, _ = cache
    # --8<-- [start:right_dropout]
    return grad_output * mask / (1 - p)
    # --8<-- [end:right_dropout]


def dropout_new_mask(grad_output: np.ndarray, cache: DropoutCache) -> np.ndarray:
    """Draw a second mask for the backward pass: wrong.

    Parameters
    ----------
    grad_output, cache
        As of `dropout_backward`.

    Returns
    -------
    ndarray, shape of the output

    Notes
    -----
    Source: https://github.com/pytorch/pytorch/issues/190717

    Examples
    --------
    >>> _, cache = dropout(np.ones(4), 0.5, np.random.default_rng(0))
    >>> dropout_new_mask(np.ones(4), cache)   # right: [2., 0., 0., 0.]
    array([2., 2., 2., 2.])
    """
    mask, p, generator = cache
    # --8<-- [start:dropout_new_mask]
    mask = generator.random(mask.shape) >= p
    return grad_output * mask / (1 - p)
    # --8<-- [end:dropout_new_mask]


def dropout_unscaled(grad_output: np.ndarray, cache: DropoutCache) -> np.ndarray:
    """Forget the factor 1/(1 − p): wrong.

    Parameters
    ----------
    grad_output, cache
        As of `dropout_backward`.

    Returns
    -------
    ndarray, shape of the output

    Notes
    -----
    Source: https://github.com/ddbourgin/numpy-ml/issues/94 discusses mask and factor.

    Examples
    --------
    >>> _, cache = dropout(np.ones(4), 0.5, np.random.default_rng(0))
    >>> dropout_unscaled(np.ones(4), cache)   # right: [2., 0., 0., 0.]
    array([1., 0., 0., 0.])
    """
    mask, _, _ = cache
    # --8<-- [start:dropout_unscaled]
    return grad_output * mask
    # --8<-- [end:dropout_unscaled]
