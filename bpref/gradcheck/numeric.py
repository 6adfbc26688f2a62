"""Derivatives from values of f alone: central differences, complex steps, random directions.

A probe is what one derivative is taken along: an index, for ∂f/∂x at that element, or an array v
with the shape of x, for the derivative Σ v ∂f/∂x along v.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bpref import _check

__all__ = ["numerical_gradient"]

Probe = tuple[int, ...] | np.ndarray
Function = Callable[[np.ndarray], Any]

# Not a small number: a reader's inputs come from default_rng(0), and a grad_output that equals
# one of them would hide a missing transpose.
SEED = 20_161_127
MODES = ("central", "complex", "directional")
USE_CENTRAL = "use mode='central'"


def machine_epsilon(dtype: np.dtype) -> float:
    return float(np.finfo(dtype).eps)


def default_eps(dtype: np.dtype, mode: str) -> float:
    """ε^(1/3) for a difference, where curvature and rounding balance.

    A complex step has no rounding to balance. ε² makes its curvature error h² vanish.
    """
    epsilon = machine_epsilon(dtype)
    return epsilon**2 if mode == "complex" else epsilon ** (1 / 3)


def check_eps(eps: float | None, dtype: np.dtype, mode: str) -> float:
    if eps is None:
        return default_eps(dtype, mode)
    eps = _check.real("eps", eps)
    if eps <= 0:
        raise ValueError(f"eps: expected a positive number, got {eps}")
    return eps


def check_mode(mode: str, modes: Sequence[str] = MODES) -> str:
    if mode not in modes:
        raise ValueError(f"mode: expected one of {tuple(modes)}, got {mode!r}")
    return mode


# --8<-- [start:numerical_gradient]
def numerical_gradient(
    f: Function, x: np.ndarray, eps: float | None = None, mode: str = "central"
) -> np.ndarray:
    """Return the gradient of a scalar function from its values.

    Parameters
    ----------
    f : callable
        Takes an array like x and returns one real number.
    x : ndarray, any shape, float32 or float64
        Not modified: f gets copies.
    eps : float, optional
        The step of an element is h = eps · max(1, |element|). Where f changes over much less
        than 1, as log does near 0, choose it smaller. The default is ε^(1/3) for "central" and
        ε² for "complex", with ε = 2.2e-16 for float64 (eps = 6.06e-6, 4.9e-32) and
        ε = 1.2e-7 for float32 (eps = 4.9e-3, 1.4e-14).
    mode : str, default "central"
        "central": (f(x + h) − f(x − h)) / 2h. "complex": Im f(x + ih) / h.

    Returns
    -------
    ndarray, shape and dtype of x
        ∂f/∂x; it costs two calls of f per element, or one with "complex".

    Raises
    ------
    TypeError
        If x is not float32 or float64, f does not return a number, or f does not take complex
        numbers in the mode "complex".
    ValueError
        If eps is not positive, f returns more than one number, or the mode is "complex" and f
        loses part of the derivative.

    Notes
    -----
    The default eps of "central" is where h² (curvature) and ε / h (rounding) balance; about ten
    digits of float64 are left, and four of float32. A complex step subtracts nothing and keeps
    all digits, but f must be made of operations that are analytic in complex numbers: abs,
    comparisons and the operators of `bpref.functional` are not. Two values along a random
    direction are compared with "central" to catch what drops the imaginary part.

    Source: W. Squire, G. Trapp, "Using complex variables to estimate derivatives of real
    functions", SIAM Review 40 (1998), doi:10.1137/S003614459631241X.

    Examples
    --------
    >>> numerical_gradient(lambda x: np.sum(x**2), np.array([1.0, -3.0])).round(6)
    array([ 2., -6.])
    >>> numerical_gradient(lambda x: np.sum(x**3), np.array([0.1]), mode="complex")
    array([0.03])
    """
    (x,) = _check.floats(x=x)
    check_mode(mode, MODES[:2])
    eps = check_eps(eps, x.dtype, mode)
    probes = list(np.ndindex(x.shape))
    steps = step_sizes(x, probes, eps)
    if mode == "complex":
        refuse_lost_derivatives(f, x, np.random.default_rng(SEED))
        numeric = [complex_step(f, x, p, h) for p, h in zip(probes, steps, strict=True)]
    else:
        numeric = [central(f, x, p, h)[0] for p, h in zip(probes, steps, strict=True)]
    return np.array(numeric, dtype=x.dtype).reshape(x.shape)


# --8<-- [end:numerical_gradient]


def step_sizes(x: np.ndarray, probes: Sequence[Probe], eps: float) -> list[float]:
    """The step along each probe; a direction holds the size of its elements already."""
    return [eps * max(1.0, abs(float(x[p]))) if isinstance(p, tuple) else eps for p in probes]


def move(x: np.ndarray, probe: Probe, step: complex) -> np.ndarray:
    """Return a copy of x, moved along the probe; complex when the step is."""
    # Twice the precision of each part: complex64 for float32.
    dtype = np.result_type(x.dtype, np.complex64) if isinstance(step, complex) else x.dtype
    moved = x.astype(dtype, order="C")
    if isinstance(probe, tuple):
        moved[probe] += dtype.type(step)
    else:
        moved += np.asarray(step * probe).astype(dtype)
    return moved


def distance(x: np.ndarray, moved: np.ndarray, probe: Probe, step: float) -> float:
    """How far an element was really moved: x + h is rounded."""
    return float(moved[probe]) - float(x[probe]) if isinstance(probe, tuple) else step


def central(f: Function, x: np.ndarray, probe: Probe, step: float) -> tuple[float, float, float]:
    """Return the derivative along the probe, f(x + h) and f(x − h)."""
    above, below = move(x, probe, step), move(x, probe, -step)
    width = distance(x, above, probe, step) - distance(x, below, probe, -step)
    if width == 0:
        place = list(probe) if isinstance(probe, tuple) else ""
        raise ValueError(f"eps: expected a step that changes x{place}, got {step:.2g}")
    high, low = scalar(f(above), x.dtype), scalar(f(below), x.dtype)
    return (high - low) / width, high, low


def slopes(
    f: Function, x: np.ndarray, probe: Probe, step: float, value: float
) -> tuple[float, float]:
    """Return (f(x) − f(x − h)) / h and (f(x + h) − f(x)) / h; value is f(x)."""
    above, below = move(x, probe, step), move(x, probe, -step)
    up, down = distance(x, above, probe, step), distance(x, below, probe, -step)
    if up == 0 or down == 0:
        return np.nan, np.nan
    right = (scalar(f(above), x.dtype) - value) / up
    return (scalar(f(below), x.dtype) - value) / down, right


def complex_step(f: Function, x: np.ndarray, probe: Probe, step: float) -> float:
    """Return Im f(x + ih) / h."""
    moved = move(x, probe, complex(0.0, step))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            value = np.asarray(f(moved))
    except (TypeError, np.exceptions.ComplexWarning) as error:
        raise TypeError(
            f"f: expected code that takes complex numbers, got {type(error).__name__}: {error}; "
            + USE_CENTRAL
        ) from error
    if value.dtype.kind != "c":
        raise TypeError(
            f"f: expected a complex number for complex inputs, got {value.dtype}: something in it "
            f"drops the imaginary part, as abs and .real do; {USE_CENTRAL}"
        )
    if value.size != 1:
        raise ValueError(f"f: expected one number, got an array of shape {value.shape}")
    return float(value.reshape(()).imag) / step


def refuse_lost_derivatives(f: Function, x: np.ndarray, rng: np.random.Generator) -> None:
    """Compare a complex step with a central difference along one random direction.

    abs(z) is real: in a sum with complex terms its derivative would be lost without a word.
    """
    if x.size == 0:
        return
    (direction,) = random_directions(x, 1, rng)
    eps = default_eps(x.dtype, "central")
    real, high, _ = central(f, x, direction, eps)
    step = complex_step(f, x, direction, default_eps(x.dtype, "complex"))
    rounding = 16 * machine_epsilon(x.dtype) * abs(high) / eps
    if not abs(step - real) <= 10 * eps * max(abs(step), abs(real)) + rounding:
        raise ValueError(
            f"f: expected code that is analytic in complex numbers, got the derivative {step:.6g} "
            f"from a complex step and {real:.6g} from central differences along the same "
            f"direction: abs, conj and norm lose derivatives, or there is a kink; {USE_CENTRAL}"
        )


def random_directions(x: np.ndarray, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Return directions in which every element moves by 0.5 to 1.5 of its scale, up or down.

    Away from 0, so that every wrong element is seen; of different size, so that two equal errors
    with opposite signs never cancel.
    """
    size = rng.uniform(0.5, 1.5, (count, *x.shape)) * rng.choice([-1.0, 1.0], (count, *x.shape))
    return list(size * np.maximum(1.0, np.abs(x)))


def sampled_indices(
    shape: tuple[int, ...], count: int | None, rng: np.random.Generator
) -> list[tuple[int, ...]]:
    """Return all indices, or one from each of `count` contiguous blocks of equal size."""
    size = int(np.prod(shape))
    if count is None or count >= size:
        return list(np.ndindex(shape))
    edges = np.linspace(0, size, count + 1).astype(int)
    flat = rng.integers(edges[:-1], edges[1:])
    return [tuple(map(int, index)) for index in np.transpose(np.unravel_index(flat, shape))]


def along(gradient: np.ndarray, probes: Sequence[Probe]) -> np.ndarray:
    """Return the derivative along each probe that a gradient implies."""
    values = [gradient[p] if isinstance(p, tuple) else np.sum(gradient * p) for p in probes]
    return np.array(values, dtype=np.float64)


def rounding_noise(f: Callable[[float], float], epsilon: float, eps: float) -> tuple[float, float]:
    """Estimate the rounding error of f from values that are little more than rounding apart.

    Returned with it is the distance over which f did not change at all, 0 when it did.

    f takes the distance along one direction, in which every element moves by its scale. So near
    to x a smooth function is a cubic; what is left of the values is noise, and the median ignores
    single jumps. It matters where f is the small sum of large terms of both signs.

    Source: the idea is that of J. J. Moré, S. M. Wild, "Estimating computational noise", SIAM
    Journal on Scientific Computing 33 (2011), doi:10.1137/100786125.
    """
    points = np.random.default_rng(SEED).uniform(0.1, 1.0, 12)
    cubic = np.vander(points, 4)
    reach = 12 * eps * epsilon ** (2 / 3)  # 12 ε for the default eps; always far below the step
    for _ in range(4):
        values = np.array([f(reach * point) for point in points.tolist()])
        if not np.isfinite(values).all():
            return 0.0, 0.0
        flat = reach if np.all(values == values[0]) else 0.0
        if len(np.unique(values)) > 6:
            break
        reach *= 16  # most values are equal: f is rounded more coarsely than x
    values -= values[0]  # exact, and the fit is no longer rounded like the values themselves
    left = values - cubic @ np.linalg.lstsq(cubic, values)[0]
    # Four of twelve errors are fitted away; the median of |N(0, σ²)| is 0.67 σ.
    return float(np.median(np.abs(left))) / 0.67 * (12 / 8) ** 0.5, flat


def scalar(value: Any, dtype: np.dtype) -> float:
    """Return what f returned as a float; float32 only where the input is."""
    if isinstance(value, tuple):
        raise TypeError(
            "f: expected one number, got a tuple; an operator returns (output, cache), use [0]"
        )
    array = _check.array("f", value)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"f: expected one real number, got {type(value).__name__}")
    if array.size != 1:
        raise ValueError(f"f: expected one number, got an array of shape {array.shape}")
    if array.dtype.kind == "f" and array.dtype.itemsize < dtype.itemsize:
        raise TypeError(f"f: expected a {dtype} number, got {array.dtype}")
    return float(array.reshape(()))
