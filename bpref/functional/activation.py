"""Elementwise activations h = σ(a) and their backward passes.

Every backward pass is δ = ∂J/∂a = ∂J/∂h ⊙ σ′(a), with σ′ taken at the pre-activation a.
"""

from __future__ import annotations

import numpy as np

from bpref import _check


# --8<-- [start:identity]
def identity(input: np.ndarray) -> tuple[np.ndarray, tuple[tuple[int, ...], np.dtype]]:
    """Return the input: the output layer of a regression.

    Parameters
    ----------
    input : ndarray, any shape, float32 or float64
        The pre-activation a.

    Returns
    -------
    output : ndarray, shape of input
        The input itself, not a copy.
    cache : tuple
        (shape, dtype) of the input.

    Raises
    ------
    TypeError
        If the input is not float32 or float64.

    Examples
    --------
    >>> identity(np.array([-1.0, 2.0]))[0]
    array([-1.,  2.])
    """
    (input,) = _check.floats(input=input)
    return input, (input.shape, input.dtype)


# --8<-- [end:identity]


# --8<-- [start:identity_backward]
def identity_backward(
    grad_output: np.ndarray, cache: tuple[tuple[int, ...], np.dtype]
) -> np.ndarray:
    """Return grad_output unchanged: σ′(a) = 1.

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        ∂J/∂h.
    cache : tuple
        What `identity` returned.

    Returns
    -------
    grad_input : ndarray, shape of the input

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Examples
    --------
    >>> _, cache = identity(np.array([-1.0, 2.0]))
    >>> identity_backward(np.array([5.0, 5.0]), cache)
    array([5., 5.])
    """
    shape, dtype = cache
    return _check.grad_output(grad_output, shape, dtype)


# --8<-- [end:identity_backward]


# --8<-- [start:sigmoid]
def sigmoid(input: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray]]:
    """Return σ(a) = 1 / (1 + exp(−a)), without overflow for any a.

    Parameters
    ----------
    input : ndarray, any shape, float32 or float64
        The pre-activation a.

    Returns
    -------
    output : ndarray, shape of input
        h = σ(a), between 0 and 1.
    cache : tuple
        (output,): σ′ can be written with the output alone.

    Raises
    ------
    TypeError
        If the input is not float32 or float64.

    Notes
    -----
    For a < 0 the equal form exp(a) / (1 + exp(a)) is used, so only exp(−|a|) is computed.

    Examples
    --------
    >>> sigmoid(np.array([-10000.0, 0.0, 10000.0]))[0]
    array([0. , 0.5, 1. ])
    """
    (input,) = _check.floats(input=input)
    decay = np.exp(-np.abs(input))  # in (0, 1]
    output = np.where(input >= 0, 1.0, decay) / (1.0 + decay)
    return output, (output,)


# --8<-- [end:sigmoid]


# --8<-- [start:sigmoid_backward]
def sigmoid_backward(grad_output: np.ndarray, cache: tuple[np.ndarray]) -> np.ndarray:
    """Return δ = ∂J/∂h ⊙ σ′(a) with σ′(a) = h (1 − h).

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        ∂J/∂h.
    cache : tuple
        What `sigmoid` returned.

    Returns
    -------
    grad_input : ndarray, shape of the input
        ∂J/∂a.

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Notes
    -----
    Source: "The model: network, activations, losses", section "Sigmoid".

    Examples
    --------
    >>> _, cache = sigmoid(np.array([0.0]))
    >>> sigmoid_backward(np.array([1.0]), cache)
    array([0.25])
    """
    (output,) = cache
    grad_output = _check.grad_output(grad_output, output.shape, output.dtype)
    grad_input: np.ndarray = grad_output * output * (1.0 - output)
    return grad_input


# --8<-- [end:sigmoid_backward]


# --8<-- [start:tanh]
def tanh(input: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray]]:
    """Return the hyperbolic tangent of a, elementwise.

    Parameters
    ----------
    input : ndarray, any shape, float32 or float64
        The pre-activation a.

    Returns
    -------
    output : ndarray, shape of input
        h = tanh(a), between −1 and 1.
    cache : tuple
        (output,).

    Raises
    ------
    TypeError
        If the input is not float32 or float64.

    Examples
    --------
    >>> tanh(np.array([0.0, 100.0]))[0]
    array([0., 1.])
    """
    (input,) = _check.floats(input=input)
    output = np.tanh(input)
    return output, (output,)


# --8<-- [end:tanh]


# --8<-- [start:tanh_backward]
def tanh_backward(grad_output: np.ndarray, cache: tuple[np.ndarray]) -> np.ndarray:
    """Return δ = ∂J/∂h ⊙ σ′(a) with σ′(a) = 1 − h².

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        ∂J/∂h.
    cache : tuple
        What `tanh` returned.

    Returns
    -------
    grad_input : ndarray, shape of the input
        ∂J/∂a.

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Examples
    --------
    >>> _, cache = tanh(np.array([0.0, 100.0]))
    >>> tanh_backward(np.array([3.0, 3.0]), cache)
    array([3., 0.])
    """
    (output,) = cache
    grad_output = _check.grad_output(grad_output, output.shape, output.dtype)
    grad_input: np.ndarray = grad_output * (1.0 - output * output)
    return grad_input


# --8<-- [end:tanh_backward]


# --8<-- [start:relu]
def relu(input: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray]]:
    """Return max(a, 0).

    Parameters
    ----------
    input : ndarray, any shape, float32 or float64
        The pre-activation a.

    Returns
    -------
    output : ndarray, shape of input
    cache : tuple
        (output,): the output is positive exactly where the input is.

    Raises
    ------
    TypeError
        If the input is not float32 or float64.

    Examples
    --------
    >>> relu(np.array([-1.0, 0.0, 2.0]))[0]
    array([0., 0., 2.])
    """
    (input,) = _check.floats(input=input)
    output = np.maximum(input, 0.0)
    return output, (output,)


# --8<-- [end:relu]


# --8<-- [start:relu_backward]
def relu_backward(grad_output: np.ndarray, cache: tuple[np.ndarray]) -> np.ndarray:
    """Pass the gradient where a > 0; the gradient at a = 0 is 0, as in PyTorch.

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        ∂J/∂h.
    cache : tuple
        What `relu` returned.

    Returns
    -------
    grad_input : ndarray, shape of the input
        ∂J/∂a.

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Examples
    --------
    >>> _, cache = relu(np.array([-1.0, 0.0, 2.0]))
    >>> relu_backward(np.array([5.0, 5.0, 5.0]), cache)
    array([0., 0., 5.])
    """
    (output,) = cache
    grad_output = _check.grad_output(grad_output, output.shape, output.dtype)
    return np.where(output <= 0, 0.0, grad_output)


# --8<-- [end:relu_backward]


# --8<-- [start:leaky_relu]
def leaky_relu(
    input: np.ndarray, negative_slope: float = 0.01
) -> tuple[np.ndarray, tuple[np.ndarray, float]]:
    """Return a where a > 0 and negative_slope · a elsewhere.

    Parameters
    ----------
    input : ndarray, any shape, float32 or float64
        The pre-activation a.
    negative_slope : float, default 0.01
        Any finite number.

    Returns
    -------
    output : ndarray, shape of input
    cache : tuple
        (input, negative_slope).

    Raises
    ------
    TypeError
        If the input is not float32 or float64, or negative_slope is not a number.
    ValueError
        If negative_slope is not finite.

    Notes
    -----
    Source: A. L. Maas, A. Y. Hannun, A. Y. Ng, "Rectifier Nonlinearities Improve Neural Network
    Acoustic Models", ICML Workshop on Deep Learning for Audio, Speech and Language Processing,
    2013.

    Examples
    --------
    >>> leaky_relu(np.array([-2.0, 0.0, 2.0]), negative_slope=0.1)[0]
    array([-0.2,  0. ,  2. ])
    """
    (input,) = _check.floats(input=input)
    negative_slope = _check.real("negative_slope", negative_slope)
    output = np.where(input > 0, input, negative_slope * input)
    return output, (input, negative_slope)


# --8<-- [end:leaky_relu]


# --8<-- [start:leaky_relu_backward]
def leaky_relu_backward(grad_output: np.ndarray, cache: tuple[np.ndarray, float]) -> np.ndarray:
    """Scale the gradient by negative_slope where a ≤ 0.

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        ∂J/∂h.
    cache : tuple
        What `leaky_relu` returned.

    Returns
    -------
    grad_input : ndarray, shape of the input
        ∂J/∂a.

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Examples
    --------
    >>> _, cache = leaky_relu(np.array([-2.0, 0.0, 2.0]), negative_slope=0.1)
    >>> leaky_relu_backward(np.array([1.0, 1.0, 1.0]), cache)
    array([0.1, 0.1, 1. ])
    """
    input, negative_slope = cache
    grad_output = _check.grad_output(grad_output, input.shape, input.dtype)
    return np.where(input > 0, grad_output, negative_slope * grad_output)


# --8<-- [end:leaky_relu_backward]
