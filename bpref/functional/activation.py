"""Elementwise activations h = σ(a) and their backward passes.

Every backward pass is δ = ∂J/∂a = ∂J/∂h ⊙ σ′(a), with σ′ taken at the pre-activation a.
"""

from __future__ import annotations

import math

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


# --8<-- [start:elu]
def elu(input: np.ndarray, alpha: float = 1.0) -> tuple[np.ndarray, tuple[np.ndarray, float]]:
    """Return a where a ≥ 0 and alpha · (exp(a) − 1) elsewhere.

    Parameters
    ----------
    input : ndarray, any shape, float32 or float64
        The pre-activation a.
    alpha : float, default 1
        Any finite number; the output tends to −alpha for a → −∞.

    Returns
    -------
    output : ndarray, shape of input
    cache : tuple
        (input, alpha).

    Raises
    ------
    TypeError
        If the input is not float32 or float64, or alpha is not a number.
    ValueError
        If alpha is not finite.

    Notes
    -----
    Source: D.-A. Clevert, T. Unterthiner, S. Hochreiter, "Fast and Accurate Deep Network Learning
    by Exponential Linear Units (ELUs)", ICLR 2016, arXiv:1511.07289.

    Examples
    --------
    >>> elu(np.array([-10000.0, 0.0, 2.0]), alpha=0.5)[0]
    array([-0.5,  0. ,  2. ])
    """
    (input,) = _check.floats(input=input)
    alpha = _check.real("alpha", alpha)
    below = np.expm1(-np.abs(input))  # exp(a) − 1 for a ≤ 0, and no overflow where it isn't used
    output = np.where(input >= 0, input, alpha * below)
    return output, (input, alpha)


# --8<-- [end:elu]


# --8<-- [start:elu_backward]
def elu_backward(grad_output: np.ndarray, cache: tuple[np.ndarray, float]) -> np.ndarray:
    """Scale the gradient by alpha · exp(a) where a ≤ 0; at the kink a = 0 that is alpha.

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        ∂J/∂h.
    cache : tuple
        What `elu` returned.

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
    >>> _, cache = elu(np.array([-10000.0, 0.0, 2.0]), alpha=0.5)
    >>> elu_backward(np.array([1.0, 1.0, 1.0]), cache)
    array([0. , 0.5, 1. ])
    """
    input, alpha = cache
    grad_output = _check.grad_output(grad_output, input.shape, input.dtype)
    slope = alpha * np.exp(-np.abs(input))  # alpha · exp(a) for a ≤ 0
    return np.where(input > 0, grad_output, slope * grad_output)


# --8<-- [end:elu_backward]


# --8<-- [start:gelu]
_erfc = np.frompyfunc(math.erfc, 1, 1)  # NumPy has no erf


def gelu(
    input: np.ndarray, approximate: str = "none"
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, str]]:
    """Return a · Φ(a), with Φ the distribution function of the standard normal distribution.

    Parameters
    ----------
    input : ndarray, any shape, float32 or float64
        The pre-activation a.
    approximate : {"none", "tanh"}
        How Φ(a) is computed: ½ erfc(−a/√2), or about ½ (1 + tanh(√(2/π) (a + 0.044715 a³))).

    Returns
    -------
    output : ndarray, shape of input
    cache : tuple
        (input, Φ(a), approximate).

    Raises
    ------
    TypeError
        If the input is not float32 or float64.
    ValueError
        If approximate is neither "none" nor "tanh".

    Notes
    -----
    ½ erfc(−a/√2) is the usual ½ (1 + erf(a/√2)) without its loss of digits for a < 0.

    Source: D. Hendrycks, K. Gimpel, "Gaussian Error Linear Units (GELUs)", 2016, arXiv:1606.08415.

    Examples
    --------
    >>> gelu(np.array([-10000.0, 0.0, 10000.0]))[0]
    array([   -0.,     0., 10000.])
    >>> gelu(np.array([1.0]))[0].round(4), gelu(np.array([1.0]), approximate="tanh")[0].round(4)
    (array([0.8413]), array([0.8412]))
    """
    (input,) = _check.floats(input=input)
    if _check.gelu_form(approximate) == "none":
        argument = -input / math.sqrt(2)
        gate = _erfc(argument, out=np.empty_like(argument), casting="unsafe") / 2
    else:
        cubic = input + 0.044715 * input * input * input
        gate = (1 + np.tanh(math.sqrt(2 / math.pi) * cubic)) / 2
    return input * gate, (input, gate, approximate)


# --8<-- [end:gelu]


# --8<-- [start:gelu_backward]
def gelu_backward(grad_output: np.ndarray, cache: tuple[np.ndarray, np.ndarray, str]) -> np.ndarray:
    """Return δ = ∂J/∂h ⊙ (Φ(a) + a Φ′(a)).

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        ∂J/∂h.
    cache : tuple
        What `gelu` returned.

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
    Φ′(a) = exp(−a²/2) / √(2π) is the normal density. For ½ (1 + tanh u) it is
    2 Φ (1 − Φ) du/da, since tanh′ u = 1 − tanh² u.

    Examples
    --------
    >>> _, cache = gelu(np.array([-10000.0, 0.0, 10000.0]))
    >>> gelu_backward(np.array([1.0, 1.0, 1.0]), cache)
    array([0. , 0.5, 1. ])
    """
    input, gate, approximate = cache
    grad_output = _check.grad_output(grad_output, input.shape, input.dtype)
    square = input * input
    if approximate == "none":
        density = np.exp(-square / 2) / math.sqrt(2 * math.pi)
    else:
        slope = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * square)
        density = 2 * gate * (1 - gate) * slope
    grad_input: np.ndarray = grad_output * (gate + input * density)
    return grad_input


# --8<-- [end:gelu_backward]


# --8<-- [start:silu]
def silu(input: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Return a · σ(a), also called swish.

    Parameters
    ----------
    input : ndarray, any shape, float32 or float64
        The pre-activation a.

    Returns
    -------
    output : ndarray, shape of input
    cache : tuple
        (input, σ(a)).

    Raises
    ------
    TypeError
        If the input is not float32 or float64.

    Notes
    -----
    Source: S. Elfwing, E. Uchibe, K. Doya, "Sigmoid-Weighted Linear Units for Neural Network
    Function Approximation in Reinforcement Learning", 2017, arXiv:1702.03118.

    Examples
    --------
    >>> silu(np.array([-10000.0, 0.0, 10000.0]))[0]
    array([   -0.,     0., 10000.])
    """
    (input,) = _check.floats(input=input)
    gate, _ = sigmoid(input)
    return input * gate, (input, gate)


# --8<-- [end:silu]


# --8<-- [start:silu_backward]
def silu_backward(grad_output: np.ndarray, cache: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Return δ = ∂J/∂h ⊙ (σ + a σ (1 − σ)) with σ = σ(a).

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        ∂J/∂h.
    cache : tuple
        What `silu` returned.

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
    >>> _, cache = silu(np.array([-10000.0, 0.0, 10000.0]))
    >>> silu_backward(np.array([1.0, 1.0, 1.0]), cache)
    array([0. , 0.5, 1. ])
    """
    input, gate = cache
    grad_output = _check.grad_output(grad_output, input.shape, input.dtype)
    grad_input: np.ndarray = grad_output * (gate + input * gate * (1.0 - gate))
    return grad_input


# --8<-- [end:silu_backward]


# --8<-- [start:softplus]
def softplus(
    input: np.ndarray, beta: float = 1.0, threshold: float = 20.0
) -> tuple[np.ndarray, tuple[np.ndarray, float]]:
    """Return log(1 + exp(beta · a)) / beta, and a itself where beta · a > threshold.

    Parameters
    ----------
    input : ndarray, any shape, float32 or float64
        The pre-activation a.
    beta : float, default 1
        Any finite number but 0; the larger, the closer to ReLU.
    threshold : float, default 20
        Where the straight line begins. PyTorch needs it against overflow; here it only keeps
        the values equal to PyTorch's.

    Returns
    -------
    output : ndarray, shape of input
    cache : tuple
        (beta · a, threshold).

    Raises
    ------
    TypeError
        If the input is not float32 or float64, or beta or threshold is not a number.
    ValueError
        If beta is 0, or beta or threshold is not finite.

    Notes
    -----
    Source: C. Dugas, Y. Bengio, F. Bélisle, C. Nadeau, R. Garcia, "Incorporating Second-Order
    Functional Knowledge for Better Option Pricing", NIPS 2000.

    Examples
    --------
    >>> softplus(np.array([-10000.0, 0.0, 100.0]))[0].round(4)
    array([  0.    ,   0.6931, 100.    ])
    """
    (input,) = _check.floats(input=input)
    beta, threshold = _check.softplus_options(beta, threshold)
    scaled = beta * input
    # log(1 + exp(x)) = max(x, 0) + log(1 + exp(−|x|)) can't overflow.
    curve = (np.maximum(scaled, 0.0) + np.log1p(np.exp(-np.abs(scaled)))) / beta
    return np.where(scaled > threshold, input, curve), (scaled, threshold)


# --8<-- [end:softplus]


# --8<-- [start:softplus_backward]
def softplus_backward(grad_output: np.ndarray, cache: tuple[np.ndarray, float]) -> np.ndarray:
    """Return δ = ∂J/∂h ⊙ σ(beta · a), and ∂J/∂h where beta · a > threshold.

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        ∂J/∂h.
    cache : tuple
        What `softplus` returned.

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
    >>> _, cache = softplus(np.array([-10000.0, 0.0, 10000.0]))
    >>> softplus_backward(np.array([1.0, 1.0, 1.0]), cache)
    array([0. , 0.5, 1. ])
    """
    scaled, threshold = cache
    grad_output = _check.grad_output(grad_output, scaled.shape, scaled.dtype)
    slope, _ = sigmoid(scaled)
    return np.where(scaled > threshold, grad_output, slope * grad_output)


# --8<-- [end:softplus_backward]
