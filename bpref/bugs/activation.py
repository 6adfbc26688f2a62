"""tanh, ReLU and leaky ReLU: their backward passes, and four wrong ones."""

from __future__ import annotations

import numpy as np

SLOPE = 0.1


def tanh(input: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the hyperbolic tangent h of the pre-activation a.

    Parameters
    ----------
    input : ndarray, any shape
        The pre-activation a.

    Returns
    -------
    output : ndarray, shape of input
    cache : ndarray
        The output h: the slope at a is 1 − h².

    Examples
    --------
    >>> float(tanh(np.array(0.0))[0])
    0.0
    """
    output = np.tanh(input)
    return output, output


def tanh_backward(grad_output: np.ndarray, cache: np.ndarray) -> np.ndarray:
    """Return the gradient for the pre-activation: the right pass.

    Parameters
    ----------
    grad_output : ndarray, shape of the output
        ∂J/∂h; an array that broadcasts to it will do.
    cache : ndarray
        What `tanh` returned: h.

    Returns
    -------
    ndarray, shape of the output
        ∂J/∂h ⊙ (1 − h²), the slope at the pre-activation.

    Notes
    -----
    Source: "Derivation, model, activations and losses", the derivative of tanh.

    Examples
    --------
    >>> tanh_backward(np.array([1.0]), np.array([0.5]))
    array([0.75])
    """
    output = cache
    # --8<-- [start:right_tanh]
    return grad_output * (1 - output**2)
    # --8<-- [end:right_tanh]


def slope_at_output(grad_output: np.ndarray, cache: np.ndarray) -> np.ndarray:
    """Take the slope at h = tanh(a), not at a: wrong.

    Parameters
    ----------
    grad_output, cache : ndarray
        As of `tanh_backward`.

    Returns
    -------
    ndarray, shape of the output
        tanh is applied a second time.

    Notes
    -----
    Source: the source article, section 4.3, writes σ′(h). Also
    https://github.com/dragen1860/Deep-Learning-with-TensorFlow-book/issues/217

    Examples
    --------
    >>> slope_at_output(np.array([1.0]), np.array([0.5])).round(3)   # right: [0.75]
    array([0.786])
    """
    output = cache
    # --8<-- [start:slope_at_output]
    return grad_output * (1 - np.tanh(output) ** 2)
    # --8<-- [end:slope_at_output]


def slope_twice(grad_output: np.ndarray, cache: np.ndarray) -> np.ndarray:
    """Multiply by the slope twice: wrong.

    Parameters
    ----------
    grad_output, cache : ndarray
        As of `tanh_backward`.

    Returns
    -------
    ndarray, shape of the output

    Notes
    -----
    Source: the source article, section 4.3, where the output's gradients carry an extra σ′.

    Examples
    --------
    >>> slope_twice(np.array([1.0]), np.array([0.5]))   # right: [0.75]
    array([0.5625])
    """
    output = cache
    # --8<-- [start:slope_twice]
    return grad_output * (1 - output**2) * (1 - output**2)
    # --8<-- [end:slope_twice]


def relu(input: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Apply h = max(a, 0).

    Parameters
    ----------
    input : ndarray, any shape
        a.

    Returns
    -------
    output : ndarray, shape of input
    cache : ndarray
        a.

    Examples
    --------
    >>> relu(np.array([-1.0, 2.0]))[0]
    array([0., 2.])
    """
    return np.maximum(input, 0), input


def relu_backward(grad_output: np.ndarray, cache: np.ndarray) -> np.ndarray:
    """Return the gradient for a: the right pass.

    Parameters
    ----------
    grad_output : ndarray, shape of the output
        ∂J/∂h.
    cache : ndarray
        a.

    Returns
    -------
    ndarray, shape of the output
        ∂J/∂h where a > 0, else 0.

    Notes
    -----
    Source: "Derivation, model, activations and losses", the derivative of ReLU.

    Examples
    --------
    >>> relu_backward(np.array([5.0, 5.0]), np.array([-1.0, 2.0]))
    array([0., 5.])
    """
    input = cache
    # --8<-- [start:right_relu]
    return grad_output * (input > 0)
    # --8<-- [end:right_relu]


def relu_in_place(grad_output: np.ndarray, cache: np.ndarray) -> np.ndarray:
    """Look at the input after the forward pass has overwritten it: wrong.

    Parameters
    ----------
    grad_output, cache : ndarray
        As of `relu_backward`.

    Returns
    -------
    ndarray, shape of the output
        All of grad_output: no element of the overwritten array is negative.

    Notes
    -----
    The maximum is what ``np.maximum(a, 0, out=a)`` leaves in the array. Source: an in-place ReLU
    that PyTorch rejects, https://github.com/osmr/imgclsmob/issues/13

    Examples
    --------
    >>> relu_in_place(np.array([5.0, 5.0]), np.array([-1.0, 2.0]))   # right: [0., 5.]
    array([5., 5.])
    """
    # --8<-- [start:relu_in_place]
    input = np.maximum(cache, 0)  # what the in-place forward pass left of the input
    return grad_output * (input >= 0)
    # --8<-- [end:relu_in_place]


def leaky_relu(input: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Apply h = a for a > 0, 0.1 a otherwise.

    Parameters
    ----------
    input : ndarray, any shape
        a.

    Returns
    -------
    output : ndarray, shape of input
    cache : ndarray
        a.

    Examples
    --------
    >>> leaky_relu(np.array([-1.0, 2.0]))[0]
    array([-0.1,  2. ])
    """
    return np.where(input > 0, input, SLOPE * input), input


def leaky_relu_backward(grad_output: np.ndarray, cache: np.ndarray) -> np.ndarray:
    """Return the gradient for a: the right pass.

    Parameters
    ----------
    grad_output : ndarray, shape of the output
        ∂J/∂h.
    cache : ndarray
        a.

    Returns
    -------
    ndarray, shape of the output

    Notes
    -----
    Source: "Derivation, model, activations and losses", the derivative of leaky ReLU.

    Examples
    --------
    >>> leaky_relu_backward(np.array([5.0, 5.0]), np.array([-1.0, 2.0]))
    array([0.5, 5. ])
    """
    input = cache
    # --8<-- [start:right_leaky_relu]
    return grad_output * np.where(input > 0, 1, SLOPE)
    # --8<-- [end:right_leaky_relu]


def leaky_wrong_side(grad_output: np.ndarray, cache: np.ndarray) -> np.ndarray:
    """Put the small slope on the positive side: wrong.

    Parameters
    ----------
    grad_output, cache : ndarray
        As of `leaky_relu_backward`.

    Returns
    -------
    ndarray, shape of the output

    Notes
    -----
    Source: two arguments of `numpy.where` exchanged; no public thread.

    Examples
    --------
    >>> leaky_wrong_side(np.array([5.0, 5.0]), np.array([-1.0, 2.0]))   # right: [0.5, 5.]
    array([5. , 0.5])
    """
    input = cache
    # --8<-- [start:leaky_wrong_side]
    return grad_output * np.where(input > 0, SLOPE, 1)
    # --8<-- [end:leaky_wrong_side]
