"""Initial values, written in place into arrays, with PyTorch's names, bounds and defaults.

Each function fills the array it is given and returns it; one for several arrays fills all of
them. Randomness comes from the argument `generator` only; without one, a fresh unseeded
generator is used.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from bpref import _check

__all__ = [
    "calculate_gain",
    "constant_",
    "conv_",
    "embedding_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "linear_",
    "multi_head_attention_",
    "normal_",
    "ones_",
    "orthogonal_",
    "recurrent_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]


GAINS = {
    "linear": 1.0,
    "identity": 1.0,
    "sigmoid": 1.0,
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "selu": 3 / 4,
    "conv1d": 1.0,
    "conv2d": 1.0,
    "conv3d": 1.0,
    "conv_transpose1d": 1.0,
    "conv_transpose2d": 1.0,
    "conv_transpose3d": 1.0,
}


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
    a : float, default 0
        The lower bound.
    b : float, default 1
        The upper bound, at least a.
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
    mean : float, default 0
        The mean.
    std : float, default 1
        The standard deviation, at least 0.
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


# --8<-- [start:ones_]
def ones_(array: np.ndarray) -> np.ndarray:
    """Fill with ones: the scale of a normalisation layer.

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
    >>> ones_(np.empty(2))
    array([1., 1.])
    """
    return constant_(array, 1.0)


# --8<-- [end:ones_]


# --8<-- [start:eye_]
def eye_(array: np.ndarray) -> np.ndarray:
    """Fill with the identity: ones on the diagonal, zeros elsewhere.

    Parameters
    ----------
    array : ndarray, shape (rows, columns), float32 or float64
        Filled in place.

    Returns
    -------
    ndarray
        The same array.

    Raises
    ------
    TypeError
        If array is not a float32 or float64 array.
    ValueError
        If array does not have two axes.

    Examples
    --------
    >>> eye_(np.empty((2, 3)))
    array([[1., 0., 0.],
           [0., 1., 0.]])
    """
    array = _check.writable(array)
    _check.shape("array", array, ("rows", "columns"))
    array[...] = np.eye(*array.shape)
    return array


# --8<-- [end:eye_]


# --8<-- [start:orthogonal_]
def orthogonal_(
    array: np.ndarray, gain: float = 1, generator: np.random.Generator | None = None
) -> np.ndarray:
    """Fill with a random matrix whose rows, or columns if these are fewer, are orthonormal.

    A vector that passes through a square one, forward or backward, keeps its length. Axes
    behind the second are taken as columns.

    Parameters
    ----------
    array : ndarray, shape (out, in) or (out, in, ...), float32 or float64
        Filled in place.
    gain : float, default 1
        A factor for all elements; see `calculate_gain`.
    generator : numpy.random.Generator, optional
        Where the random numbers come from.

    Returns
    -------
    ndarray
        The same array.

    Raises
    ------
    TypeError
        If array is not a float32 or float64 array, or gain is not a number.
    ValueError
        If array has fewer than two axes, or gain is not finite.

    Notes
    -----
    Source: A. Saxe, J. McClelland, S. Ganguli, "Exact solutions to the nonlinear dynamics of
    learning in deep linear neural networks", ICLR 2014, arXiv:1312.6120.

    Q of a QR decomposition of normal values is not uniform among the orthogonal matrices. It is
    when the diagonal of R is made positive: F. Mezzadri, "How to generate random matrices from
    the classical compact groups", 2007, arXiv:math-ph/0609050.

    Examples
    --------
    >>> weight = orthogonal_(np.empty((2, 4)), generator=np.random.default_rng(0))
    >>> np.allclose(weight @ weight.T, np.eye(2))
    True
    """
    rng, gain = _check.generator(generator), _check.real("gain", gain)
    _fans(array)
    rows, columns = array.shape[0], array.size // array.shape[0]
    tall = rng.normal(size=(max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(tall)
    q *= gain * np.sign(np.diag(r))
    array[...] = (q if rows >= columns else q.T).reshape(array.shape)
    return array


# --8<-- [end:orthogonal_]


# --8<-- [start:calculate_gain]
def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return PyTorch's recommended gain for an activation.

    Parameters
    ----------
    nonlinearity : str
        The activation behind the layer: "linear", "identity", "sigmoid", "tanh", "relu", "selu"
        or "leaky_relu". The names of convolutions ("conv2d", "conv_transpose2d", …) stand for
        "linear".
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
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else _check.real("param", param)
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity not in GAINS:
        known = (*GAINS, "leaky_relu")
        raise ValueError(f"nonlinearity: expected one of {known}, got {nonlinearity!r}")
    return GAINS[nonlinearity]


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


# --8<-- [start:conv_]
def conv_(
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    generator: np.random.Generator | None = None,
) -> np.ndarray:
    """Fill weight, then bias, from U(−r, r) with r = 1 / √fan_in: the convolutions' default.

    fan_in is the product of all sizes behind the first. For a transposed convolution, with its
    weight (in, out / groups, ...), this is not what goes into an output; it is what PyTorch takes.

    Parameters
    ----------
    weight : ndarray, shape (out, in / groups, ...) or (in, out / groups, ...)
        float32 or float64; filled in place.
    bias : ndarray, shape (out,), optional
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
    >>> weight = conv_(np.empty((8, 4, 3, 3)), generator=np.random.default_rng(0))
    >>> bool((np.abs(weight) <= 1 / 6).all())
    True
    """
    return linear_(weight, bias, generator)


# --8<-- [end:conv_]


# --8<-- [start:recurrent_]
def recurrent_(
    arrays: Iterable[np.ndarray],
    hidden_size: int,
    generator: np.random.Generator | None = None,
) -> None:
    """Fill all weights and biases from U(−r, r) with r = 1 / √hidden_size.

    The default of `torch.nn.RNN`, `LSTM` and `GRU`.

    Parameters
    ----------
    arrays : iterable of ndarray, float32 or float64
        Filled in place, in this order.
    hidden_size : int
        H.
    generator : numpy.random.Generator, optional
        Where the random numbers come from.

    Raises
    ------
    TypeError
        If an array is not float32 or float64, or hidden_size is not an int.
    ValueError
        If hidden_size is below 1.

    Examples
    --------
    >>> weight, bias = np.empty((4, 3)), np.empty(4)
    >>> recurrent_([weight, bias], hidden_size=4, generator=np.random.default_rng(0))
    >>> bool((np.abs(weight) <= 0.5).all())
    True
    """
    rng = _check.generator(generator)
    bound = 1 / math.sqrt(_check.positive_int("hidden_size", hidden_size))
    for array in arrays:
        uniform_(array, -bound, bound, rng)


# --8<-- [end:recurrent_]


# --8<-- [start:embedding_]
def embedding_(
    array: np.ndarray,
    padding_idx: int | None = None,
    generator: np.random.Generator | None = None,
) -> np.ndarray:
    """Fill from N(0, 1), the row of the padding with zeros: `torch.nn.Embedding`'s default.

    Parameters
    ----------
    array : ndarray, shape (num_embeddings, embedding_dim), float32 or float64
        Filled in place.
    padding_idx : int, optional
        The row of zeros; below 0 it counts from the end.
    generator : numpy.random.Generator, optional
        Where the random numbers come from.

    Returns
    -------
    ndarray
        The same array.

    Raises
    ------
    TypeError
        If array is not a float32 or float64 array, or padding_idx is not an int.
    ValueError
        If array does not have two axes, or padding_idx is no row of it.

    Examples
    --------
    >>> embedding_(np.empty((3, 2)), padding_idx=0, generator=np.random.default_rng(0))[0]
    array([0., 0.])
    """
    _check.shape("array", _check.writable(array), ("num_embeddings", "embedding_dim"))
    padding_idx = _check.padding_index(padding_idx, len(array))
    normal_(array, generator=generator)
    if padding_idx is not None:
        array[padding_idx] = 0.0
    return array


# --8<-- [end:embedding_]


# --8<-- [start:multi_head_attention_]
def multi_head_attention_(
    in_proj_weight: np.ndarray,
    out_proj_weight: np.ndarray,
    in_proj_bias: np.ndarray | None = None,
    out_proj_bias: np.ndarray | None = None,
    generator: np.random.Generator | None = None,
) -> None:
    """Fill the projections as `torch.nn.MultiheadAttention` does.

    in_proj_weight by `xavier_uniform_` as one matrix, out_proj_weight by `linear_`, the biases
    with zeros.

    Parameters
    ----------
    in_proj_weight : ndarray, shape (3 E, E), float32 or float64
        The weights for query, key and value below each other; filled in place.
    out_proj_weight : ndarray, shape (E, E), float32 or float64
        Filled in place.
    in_proj_bias : ndarray, shape (3 E,), optional
        Filled in place.
    out_proj_bias : ndarray, shape (E,), optional
        Filled in place.
    generator : numpy.random.Generator, optional
        Where the random numbers come from.

    Raises
    ------
    TypeError
        If an array is not float32 or float64.
    ValueError
        If a weight has fewer than two axes.

    Examples
    --------
    >>> in_proj, out_proj = np.empty((12, 4)), np.empty((4, 4))
    >>> multi_head_attention_(in_proj, out_proj, generator=np.random.default_rng(0))
    >>> bool((np.abs(out_proj) <= 0.5).all())
    True
    """
    rng = _check.generator(generator)
    xavier_uniform_(in_proj_weight, generator=rng)
    linear_(out_proj_weight, generator=rng)
    for bias in (in_proj_bias, out_proj_bias):
        if bias is not None:
            zeros_(bias)


# --8<-- [end:multi_head_attention_]


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
