"""Initial values, written in place into arrays, with PyTorch's names, bounds and defaults.

Each function fills the array it is given and returns it. Randomness comes from the argument
`generator` only; without one, a fresh unseeded generator is used.
"""

from __future__ import annotations

import math

import numpy as np

from bpref import _check

__all__ = [
    "calculate_gain",
    "constant_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "linear_",
    "normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]


# --8<-- [start:uniform_]
def uniform_(
    array: np.ndarray,
    a: float = 0.0,
    b: float = 1.0,
    generator: np.random.Generator | None = None,
) -> np.ndarray:
    """Fill with independent values, uniform between a and b.

    Parameters
    ----------
    array : ndarray, any shape, float32 or float64
        Filled in place.
    a, b : float, default 0 and 1
        The bounds, a ≤ b.
    generator : numpy.random.Generator, optional
        Where the random numbers come from.

    Returns
    -------
    ndarray
        The same array.

    Raises
    ------
    TypeError
        If array is not a float32 or float64 array, or generator is not a Generator.
    ValueError
        If a > b, or a bound is not finite.

    Examples
    --------
    >>> weight = uniform_(np.empty((2, 3)), -0.5, 0.5, generator=np.random.default_rng(0))
    >>> bool((np.abs(weight) <= 0.5).all())
    True
    """
    array, rng = _check.writable(array), _check.generator(generator)
    a, b = _check.real("a", a), _check.real("b", b, minimum=a)
    array[...] = rng.uniform(a, b, size=array.shape)
    return array


# --8<-- [end:uniform_]


# --8<-- [start:normal_]
def normal_(
    array: np.ndarray,
    mean: float = 0.0,
    std: float = 1.0,
    generator: np.random.Generator | None = None,
) -> np.ndarray:
    """Fill with independent normal values.

    Parameters
    ----------
    array : ndarray, any shape, float32 or float64
        Filled in place.
    mean, std : float, default 0 and 1
        std ≥ 0.
    generator : numpy.random.Generator, optional
        Where the random numbers come from.

    Returns
    -------
    ndarray
        The same array.

    Raises
    ------
    TypeError
        If array is not a float32 or float64 array, or generator is not a Generator.
    ValueError
        If std is negative, or a number is not finite.

    Examples
    --------
    >>> normal_(np.empty(2), mean=3.0, std=0.0)
    array([3., 3.])
    """
    array, rng = _check.writable(array), _check.generator(generator)
    mean, std = _check.real("mean", mean), _check.real("std", std, minimum=0.0)
    array[...] = rng.normal(mean, std, size=array.shape)
    return array


# --8<-- [end:normal_]


# --8<-- [start:constant_]
def constant_(array: np.ndarray, val: float) -> np.ndarray:
    """Fill with one value.

    Parameters
    ----------
    array : ndarray, any shape, float32 or float64
        Filled in place.
    val : float
        The value.

    Returns
    -------
    ndarray
        The same array.

    Raises
    ------
    TypeError
        If array is not a float32 or float64 array, or val is not a number.
    ValueError
        If val is not finite.

    Examples
    --------
    >>> constant_(np.empty(2), 0.1)
    array([0.1, 0.1])
    """
    array = _check.writable(array)
    array[...] = _check.real("val", val)
    return array


# --8<-- [end:constant_]


# --8<-- [start:zeros_]
def zeros_(array: np.ndarray) -> np.ndarray:
    """Fill with zeros: right for biases, wrong for weights.

    Parameters
    ----------
    array : ndarray, any shape, float32 or float64
        Filled in place.

    Returns
    -------
    ndarray
        The same array.

    Raises
    ------
    TypeError
        If array is not a float32 or float64 array.

    Examples
    --------
    >>> zeros_(np.ones(2))
    array([0., 0.])
    """
    return constant_(array, 0.0)


# --8<-- [end:zeros_]


# --8<-- [start:calculate_gain]
def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return PyTorch's recommended gain for an activation.

    Parameters
    ----------
    nonlinearity : {"linear", "identity", "sigmoid", "tanh", "relu", "leaky_relu"}
        The activation behind the layer.
    param : float, optional
        The negative slope of leaky_relu; 0.01 without it.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the activation is unknown.

    Examples
    --------
    >>> calculate_gain("relu") == 2**0.5
    True
    """
    gains = {"linear": 1.0, "identity": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2)}
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else _check.real("param", param)
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity not in gains:
        known = (*gains, "leaky_relu")
        raise ValueError(f"nonlinearity: expected one of {known}, got {nonlinearity!r}")
    return gains[nonlinearity]


# --8<-- [end:calculate_gain]


# --8<-- [start:xavier_uniform_]
def xavier_uniform_(
    array: np.ndarray, gain: float = 1.0, generator: np.random.Generator | None = None
) -> np.ndarray:
    """Fill from U(−r, r) with r = gain · √(6 / (fan_in + fan_out)).

    Parameters
    ----------
    array : ndarray, shape (fan_out, fan_in) or (out, in, ...), float32 or float64
        Filled in place.
    gain : float, default 1
        See `calculate_gain`.
    generator : numpy.random.Generator, optional
        Where the random numbers come from.

    Returns
    -------
    ndarray
        The same array.

    Raises
    ------
    TypeError
        If array is not a float32 or float64 array.
    ValueError
        If array has fewer than two axes.

    Notes
    -----
    Source: X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward
    neural networks", AISTATS 2010, PMLR 9:249–256, equation 16.

    Examples
    --------
    >>> weight = xavier_uniform_(np.empty((2, 4)), generator=np.random.default_rng(0))
    >>> bool((np.abs(weight) <= 1.0).all())
    True
    """
    fan_in, fan_out = _fans(array)
    std = _check.real("gain", gain, minimum=0.0) * math.sqrt(2 / (fan_in + fan_out))
    bound = math.sqrt(3) * std  # a uniform variable on (−r, r) has standard deviation r / √3
    return uniform_(array, -bound, bound, generator)


# --8<-- [end:xavier_uniform_]


# --8<-- [start:xavier_normal_]
def xavier_normal_(
    array: np.ndarray, gain: float = 1.0, generator: np.random.Generator | None = None
) -> np.ndarray:
    """Fill from N(0, s²) with s = gain · √(2 / (fan_in + fan_out)).

    Parameters
    ----------
    array : ndarray, shape (fan_out, fan_in) or (out, in, ...), float32 or float64
        Filled in place.
    gain : float, default 1
        See `calculate_gain`.
    generator : numpy.random.Generator, optional
        Where the random numbers come from.

    Returns
    -------
    ndarray
        The same array.

    Raises
    ------
    TypeError
        If array is not a float32 or float64 array.
    ValueError
        If array has fewer than two axes.

    Notes
    -----
    Source: X. Glorot, Y. Bengio, AISTATS 2010, PMLR 9:249–256, equation 12.

    Examples
    --------
    >>> xavier_normal_(np.empty((2, 4)), generator=np.random.default_rng(0)).shape
    (2, 4)
    """
    fan_in, fan_out = _fans(array)
    std = _check.real("gain", gain, minimum=0.0) * math.sqrt(2 / (fan_in + fan_out))
    return normal_(array, 0.0, std, generator)


# --8<-- [end:xavier_normal_]


# --8<-- [start:kaiming_uniform_]
def kaiming_uniform_(
    array: np.ndarray,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: np.random.Generator | None = None,
) -> np.ndarray:
    """Fill from U(−r, r) with r = gain · √(3 / fan): He's initialisation.

    Parameters
    ----------
    array : ndarray, shape (fan_out, fan_in) or (out, in, ...), float32 or float64
        Filled in place.
    a : float, default 0
        The negative slope when nonlinearity is "leaky_relu"; 0 means ReLU.
    mode : {"fan_in", "fan_out"}
        Keep the scale of the forward pass or of the backward pass.
    nonlinearity : str, default "leaky_relu"
        See `calculate_gain`.
    generator : numpy.random.Generator, optional
        Where the random numbers come from.

    Returns
    -------
    ndarray
        The same array.

    Raises
    ------
    TypeError
        If array is not a float32 or float64 array.
    ValueError
        If array has fewer than two axes, or mode or nonlinearity is unknown.

    Notes
    -----
    Source: K. He, X. Zhang, S. Ren, J. Sun, "Delving Deep into Rectifiers", ICCV 2015,
    arXiv:1502.01852, equations 10 and 14.

    Examples
    --------
    >>> weight = kaiming_uniform_(np.empty((2, 6)), generator=np.random.default_rng(0))
    >>> bool((np.abs(weight) <= 1.0).all())
    True
    """
    bound = math.sqrt(3) * _kaiming_std(array, a, mode, nonlinearity)
    return uniform_(array, -bound, bound, generator)


# --8<-- [end:kaiming_uniform_]


# --8<-- [start:kaiming_normal_]
def kaiming_normal_(
    array: np.ndarray,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: np.random.Generator | None = None,
) -> np.ndarray:
    """Fill from N(0, s²) with s = gain / √fan: He's initialisation.

    Parameters
    ----------
    array : ndarray, shape (fan_out, fan_in) or (out, in, ...), float32 or float64
        Filled in place.
    a : float, default 0
        The negative slope when nonlinearity is "leaky_relu"; 0 means ReLU.
    mode : {"fan_in", "fan_out"}
        Keep the scale of the forward pass or of the backward pass.
    nonlinearity : str, default "leaky_relu"
        See `calculate_gain`.
    generator : numpy.random.Generator, optional
        Where the random numbers come from.

    Returns
    -------
    ndarray
        The same array.

    Raises
    ------
    TypeError
        If array is not a float32 or float64 array.
    ValueError
        If array has fewer than two axes, or mode or nonlinearity is unknown.

    Notes
    -----
    Source: K. He, X. Zhang, S. Ren, J. Sun, ICCV 2015, arXiv:1502.01852, equations 10 and 14.

    Examples
    --------
    >>> kaiming_normal_(np.empty((2, 6)), generator=np.random.default_rng(0)).shape
    (2, 6)
    """
    return normal_(array, 0.0, _kaiming_std(array, a, mode, nonlinearity), generator)


# --8<-- [end:kaiming_normal_]


# --8<-- [start:linear_]
def linear_(
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    generator: np.random.Generator | None = None,
) -> np.ndarray:
    """Fill weight, then bias, from U(−r, r) with r = 1 / √fan_in: `torch.nn.Linear`'s default.

    PyTorch writes it as ``kaiming_uniform_(weight, a=sqrt(5))``, whose bound is the same.

    Parameters
    ----------
    weight : ndarray, shape (out_features, in_features), float32 or float64
        Filled in place.
    bias : ndarray, shape (out_features,), optional
        Filled in place.
    generator : numpy.random.Generator, optional
        Where the random numbers come from.

    Returns
    -------
    ndarray
        The weight.

    Raises
    ------
    TypeError
        If an array is not float32 or float64.
    ValueError
        If weight has fewer than two axes.

    Examples
    --------
    >>> weight = linear_(np.empty((2, 4)), generator=np.random.default_rng(0))
    >>> bool((np.abs(weight) <= 0.5).all())
    True
    """
    rng = _check.generator(generator)
    fan_in, _ = _fans(weight)
    bound = 1 / math.sqrt(fan_in)
    uniform_(weight, -bound, bound, rng)
    if bias is not None:
        uniform_(bias, -bound, bound, rng)
    return weight


# --8<-- [end:linear_]


def _fans(array: np.ndarray) -> tuple[int, int]:
    """Return (fan_in, fan_out) of a weight (out, in, *kernel)."""
    array = _check.writable(array)
    if array.ndim < 2 or array.size == 0:
        raise ValueError(f"array: expected shape (out, in, ...), none of them 0, got {array.shape}")
    kernel = math.prod(array.shape[2:])
    return array.shape[1] * kernel, array.shape[0] * kernel


def _kaiming_std(array: np.ndarray, a: float, mode: str, nonlinearity: str) -> float:
    fan_in, fan_out = _fans(array)
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode: expected 'fan_in' or 'fan_out', got {mode!r}")
    fan = fan_in if mode == "fan_in" else fan_out
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)
