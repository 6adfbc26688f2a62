"""Check gradients against central differences.

A derivative is compared with (f(x + h) − f(x − h)) / 2h, which needs nothing but f. The error of
that quotient is of order h² from the curvature plus ε |f| / h from rounding (ε = 2.2e-16), so it
is small near h = ε^(1/3). Everything here works in float64; float32 is refused, because the
quotient would keep only about four digits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bpref import _check

__all__ = ["GradientReport", "WorstElement", "check_gradients", "numerical_gradient"]

MACHINE_EPSILON = float(np.finfo(np.float64).eps)
DEFAULT_EPS = MACHINE_EPSILON ** (1 / 3)
VISIBLE = 1e-2  # str(report) warns where errors larger than this could hide in rounding


# --8<-- [start:numerical_gradient]
def numerical_gradient(
    f: Callable[[np.ndarray], Any], x: np.ndarray, eps: float = DEFAULT_EPS
) -> np.ndarray:
    """Return the gradient of a scalar function by central differences.

    Parameters
    ----------
    f : callable
        Takes an array like x and returns one real number.
    x : ndarray, any shape, float64
        Not modified: f gets copies.
    eps : float, default 6.06e-6
        The step of an element is h = eps · max(1, |element|). Where f changes over much less
        than 1, as log does near 0, choose it smaller.

    Returns
    -------
    ndarray, shape of x
        ∂f/∂x; it costs two calls of f per element.

    Raises
    ------
    TypeError
        If x is not float64, or f does not return a number.
    ValueError
        If eps is not positive, or f returns more than one number.

    Notes
    -----
    The default eps is ε^(1/3) with ε = 2.2e-16: where h² (curvature) and ε / h (rounding) balance.

    Examples
    --------
    >>> numerical_gradient(lambda x: np.sum(x**2), np.array([1.0, -3.0])).round(6)
    array([ 2., -6.])
    """
    x, eps = _float64("x", x), _check_eps(eps)
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        above, below = x.copy(), x.copy()
        step = eps * max(1.0, abs(float(x[index])))
        above[index] += step
        below[index] -= step
        width = float(above[index]) - float(below[index])  # the step that was really taken
        if width == 0:
            raise ValueError(f"eps: expected a step that changes x{list(index)}, got {eps}")
        gradient[index] = (_scalar(f(above)) - _scalar(f(below))) / width
    return gradient


# --8<-- [end:numerical_gradient]


@dataclass(frozen=True)
class WorstElement:
    """The element with the largest relative error.

    Attributes
    ----------
    name : str
        The input that it belongs to.
    index : tuple of int
    analytic, numeric : float
        The gradient that was given and the one from central differences.
    relative_error : float
    """

    name: str
    index: tuple[int, ...]
    analytic: float
    numeric: float
    relative_error: float

    def __str__(self) -> str:
        place = f"{self.name}[{', '.join(map(str, self.index))}]" if self.index else self.name
        return f"{place}: analytic {self.analytic:.10g}, numeric {self.numeric:.10g}"


@dataclass(frozen=True)
class GradientReport:
    """What `check_gradients` found; true in an `if` or `assert` when all gradients agree.

    Attributes
    ----------
    ok : bool
        Whether the largest relative error is at most rtol.
    max_relative_error : float
        0.0 when there was no element to check.
    worst : WorstElement or None
    errors : dict of str to float
        The largest relative error of each input.
    checked : int
        The number of elements.
    rtol : float
    resolution : dict of str to float
        For each input, the relative error of its largest gradient that the rounding of f can
        hide. From 1 on, a gradient of zero would pass as well.
    """

    ok: bool
    max_relative_error: float
    worst: WorstElement | None
    errors: dict[str, float]
    checked: int
    rtol: float
    resolution: dict[str, float]

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        if self.worst is None:
            return "gradients agree: there is no element to check"
        verdict, sign = ("agree", "<=") if self.ok else ("DIFFER", ">")
        lines = [
            f"gradients {verdict}: largest relative error {self.max_relative_error:.2e} "
            f"{sign} {self.rtol:.0e}, {self.checked} elements",
            f"worst element {self.worst}",
        ]
        for name, hidden in self.resolution.items():
            if hidden > max(VISIBLE, self.rtol):
                lines.append(f"{name}: the rounding of f hides relative errors below {hidden:.0e}")
        return "\n".join(lines)


# --8<-- [start:check_gradients]
def check_gradients(
    f: Callable[..., Any],
    inputs: Mapping[str, np.ndarray],
    gradients: Mapping[str, np.ndarray],
    rtol: float = 1e-6,
    eps: float = DEFAULT_EPS,
) -> GradientReport:
    """Compare given gradients of a scalar function with central differences.

    Parameters
    ----------
    f : callable
        Called as ``f(**inputs)``; returns one real number and gives the same number each time.
    inputs : mapping of str to ndarray
        The arguments of f. Those with a gradient are float64. They are not modified.
    gradients : mapping of str to ndarray
        The gradients to check, with names from inputs; inputs without one are held fixed.
    rtol : float, default 1e-6
        The largest relative error that passes.
    eps : float, default 6.06e-6
        See `numerical_gradient`.

    Returns
    -------
    GradientReport
        ``report.ok``, ``report.max_relative_error``, ``report.worst``; ``str(report)`` names
        the worst element.

    Raises
    ------
    TypeError
        If an array is not float64 or f does not return a number.
    ValueError
        If a gradient has no input or another shape, there is no gradient, or f is not
        deterministic.

    Notes
    -----
    The relative error of an element is max(|a − n| − r, 0) / max(|a|, |n|, 0.001 · s): a analytic,
    n numeric, r = 16 ε |f| / h what the rounding of f alone can explain, s the largest |n| of the
    same input. A nan or an infinity in either gradient counts as an infinite error. A gradient
    far smaller than f, as in the first layers of a deep network, can drown in r: ``str(report)``
    says so, ``report.resolution`` has the numbers.

    Examples
    --------
    >>> x = np.array([1.0, 2.0])
    >>> print(check_gradients(lambda x: np.sum(x**3), {"x": x}, {"x": 3 * x}))
    gradients DIFFER: largest relative error 5.00e-01 > 1e-06, 2 elements
    worst element x[1]: analytic 6, numeric 12
    """
    rtol, eps = _check.real("rtol", rtol, minimum=0.0), _check_eps(eps)
    inputs, gradients = _check_inputs(inputs, gradients)
    value = _deterministic_value(f, inputs)

    errors: dict[str, float] = {}
    resolution: dict[str, float] = {}
    elements: list[WorstElement] = []
    for name, analytic in gradients.items():
        numeric = numerical_gradient(_of_one(f, inputs, name), inputs[name], eps)
        rounding = 16 * MACHINE_EPSILON * abs(value) / (eps * np.maximum(1.0, abs(inputs[name])))
        error = _relative_error(analytic, numeric, rounding)
        errors[name] = float(error.max(initial=0.0))
        resolution[name] = _resolution(analytic, numeric, rounding)
        if error.size:
            index = tuple(int(i) for i in np.unravel_index(error.argmax(), error.shape))
            a, n = float(analytic[index]), float(numeric[index])
            elements.append(WorstElement(name, index, a, n, errors[name]))

    worst = max(elements, key=lambda element: element.relative_error, default=None)
    largest = max(errors.values())
    checked = sum(gradient.size for gradient in gradients.values())
    return GradientReport(largest <= rtol, largest, worst, errors, checked, rtol, resolution)


# --8<-- [end:check_gradients]


def _relative_error(analytic: np.ndarray, numeric: np.ndarray, rounding: np.ndarray) -> np.ndarray:
    """Return the relative error of each element, as in the notes of `check_gradients`."""
    finite = np.isfinite(analytic) & np.isfinite(numeric)
    a, n = np.where(finite, analytic, 0.0), np.where(finite, numeric, 0.0)
    difference = np.maximum(np.abs(a - n) - rounding, 0.0)
    scale = np.maximum(np.maximum(np.abs(a), np.abs(n)), 1e-3 * np.abs(n).max(initial=0.0))
    error = np.divide(difference, scale, out=np.zeros_like(scale), where=scale > 0)
    return np.where(finite, error, np.inf)


def _resolution(analytic: np.ndarray, numeric: np.ndarray, rounding: np.ndarray) -> float:
    """Return the rounding as a share of the largest gradient; 0 where all gradients are 0."""
    gradient = np.maximum(np.abs(analytic), np.abs(numeric))
    if not np.any(gradient) or not np.isfinite(gradient).all():
        return 0.0
    index = np.unravel_index(gradient.argmax(), gradient.shape)
    return float(rounding[index] / gradient[index])


def _copies(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: x.copy() for name, x in inputs.items()}


def _of_one(
    f: Callable[..., Any], inputs: Mapping[str, np.ndarray], name: str
) -> Callable[[np.ndarray], Any]:
    """Return f as a function of the input `name`; the others stay fixed."""
    return lambda x: f(**{**_copies(inputs), name: x})


def _deterministic_value(f: Callable[..., Any], inputs: Mapping[str, np.ndarray]) -> float:
    value, again = _scalar(f(**_copies(inputs))), _scalar(f(**_copies(inputs)))
    if value != again and not (np.isnan(value) and np.isnan(again)):
        raise ValueError(
            f"f: expected the same value for the same inputs, got {value} and {again}; "
            "fix its random numbers"
        )
    return value


def _check_inputs(
    inputs: Mapping[str, Any], gradients: Mapping[str, Any]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    for name, mapping in (("inputs", inputs), ("gradients", gradients)):
        if not isinstance(mapping, Mapping):
            came = type(mapping).__name__
            raise TypeError(f"{name}: expected a mapping of names to arrays, got {came}")
    if not gradients:
        raise ValueError("gradients: expected at least one gradient, got none")
    arrays = {name: _check.array(f"inputs[{name!r}]", x) for name, x in inputs.items()}
    checked = {}
    for name, gradient in gradients.items():
        if name not in arrays:
            raise ValueError(f"gradients: expected names from {list(arrays)}, got {name!r}")
        _float64(f"inputs[{name!r}]", arrays[name])
        checked[name] = _float64(f"gradients[{name!r}]", gradient)
        _check.shape(f"gradients[{name!r}]", checked[name], arrays[name].shape)
    return arrays, checked


def _float64(name: str, value: Any) -> np.ndarray:
    array = _check.array(name, value)
    if array.dtype != np.float64:
        raise TypeError(
            f"{name}: expected dtype float64, got {array.dtype}; "
            "central differences need all digits, use .astype(np.float64)"
        )
    return array


def _check_eps(eps: float) -> float:
    eps = _check.real("eps", eps)
    if eps <= 0:
        raise ValueError(f"eps: expected a positive number, got {eps}")
    return eps


def _scalar(value: Any) -> float:
    if isinstance(value, tuple):
        raise TypeError(
            "f: expected one number, got a tuple; an operator returns (output, cache), use [0]"
        )
    array = np.asarray(value)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"f: expected one real number, got {type(value).__name__}")
    if array.size != 1:
        raise ValueError(f"f: expected one number, got an array of shape {array.shape}")
    if array.dtype in (np.float16, np.float32):
        raise TypeError(f"f: expected a float64 number, got {array.dtype}")
    return float(array.reshape(()))
