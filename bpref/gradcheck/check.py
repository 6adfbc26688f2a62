"""Compare gradients that are given with numerical ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bpref import _check
from bpref.gradcheck.compare import Arrays, Options, Problem, report_on
from bpref.gradcheck.numeric import SEED, check_eps, check_mode
from bpref.gradcheck.report import GradientReport

__all__ = ["assert_gradients", "check_gradients"]

RTOL = {"float64": 1e-6, "float32": 1e-2}


# --8<-- [start:check_gradients]
def check_gradients(
    f: Callable[..., Any],
    inputs: Arrays,
    gradients: Arrays,
    rtol: float | None = None,
    eps: float | None = None,
    *,
    mode: str = "central",
    max_elements: int | None = None,
    directions: int = 4,
    generator: np.random.Generator | None = None,
    signs: Callable[..., Any] | None = None,
    hints: Arrays | None = None,
) -> GradientReport:
    """Compare given gradients of a scalar function with numerical ones.

    Parameters
    ----------
    f : callable
        Called as ``f(**inputs)``; returns one real number and gives the same number each time.
    inputs : mapping of str to ndarray
        The arguments of f. Those with a gradient are float32 or float64. They are not modified.
    gradients : mapping of str to ndarray
        The gradients to check, with names from inputs and the dtype of the input; inputs
        without one are held fixed.
    rtol : float, optional
        The largest relative error that passes. The default is 1e-6, and 1e-2 when an input with
        a gradient is float32.
    eps : float, optional
        The step; see `numerical_gradient`.
    mode : str, default "central"
        "central": two calls of f for each element. "complex": one call, exact to rounding, for
        an f that takes complex arrays; see `numerical_gradient`. "directional": derivatives
        along a few random directions, for inputs of any size; it finds that a gradient is wrong,
        not where.
    max_elements : int, optional
        Check so many elements of each input, one drawn from each of so many blocks of equal
        size, so that no part of a large array is left out. None checks all.
    directions : int, default 4
        The number of random directions for each input in the mode "directional".
    generator : numpy.random.Generator, optional
        Draws the elements and directions; by default always the same ones.
    signs : callable, optional
        Called as ``signs(**inputs)``, returns what decides between the branches of f: an array
        or a nest of arrays. Floats, such as the input of a ReLU, are compared by sign, booleans
        and integers, such as the places of maxima, by value. A change between x − h and x + h is
        a kink. Without it kinks are recognised by the slopes of f, which float32 may be too
        coarse for.
    hints : mapping of str to ndarray, optional
        Arrays that `report.causes` tries as a missing or superfluous factor, or as what should
        have been summed, for example ``{"σ'(a)": h * (1 - h)}``. The inputs are tried anyway.

    Returns
    -------
    GradientReport
        ``report.ok``, ``report.max_relative_error``, ``report.worst``, ``report.kinks``,
        ``report.causes``; ``str(report)`` names the worst element.

    Raises
    ------
    TypeError
        If an array with a gradient is not float32 or float64, or f does not return a number.
    ValueError
        If a gradient has no input or another shape, there is no gradient, an option is out of
        range, or f is not deterministic.

    Notes
    -----
    The relative error of an element is max(|a − n| − r, 0) / max(|a|, |n|, 0.001 · s): a analytic,
    n numeric, r what the rounding of f alone can explain, s the largest |n| of the same input.
    r is 16 ε |f| / h, or more where the rounding errors of f are measured to be larger. A nan or
    an infinity in either gradient counts as an infinite error. A gradient far smaller than f, as
    in the first layers of a deep network, can drown in r: ``str(report)`` says so,
    ``report.resolution`` has the numbers.

    float32 is checked as it is, f gets float32: then h = 4.9e-3, curvature adds about h² / 6 =
    4e-6, and elements down to 0.001 · s are held to rtol = 1e-2 for that reason. To check the
    formulas themselves, convert the inputs with ``.astype(np.float64)``.

    An element that disagrees is looked at again with smaller steps. It passes when it agrees
    with them, and is a kink when f bends within the first step: `Kink` says what is required.

    Examples
    --------
    >>> x = np.array([1.0, 2.0])
    >>> print(check_gradients(lambda x: np.sum(x**3), {"x": x}, {"x": 3 * x}))
    gradients DIFFER: largest relative error 5.00e-01 > 1e-06, 2 elements
    worst element x[1]: analytic 6, numeric 12
    x: numeric = analytic × x: a missing factor x?
    """
    inputs, gradients = _check_inputs(inputs, gradients)
    narrow = any(gradient.dtype == np.float32 for gradient in gradients.values())
    dtype = np.dtype(np.float32 if narrow else np.float64)
    check_mode(mode)
    options = Options(
        RTOL[dtype.name] if rtol is None else _check.real("rtol", rtol, minimum=0.0),
        check_eps(eps, dtype, mode),
        mode,
        None if max_elements is None else _check.positive_int("max_elements", max_elements),
        _check.positive_int("directions", directions),
        np.random.default_rng(SEED) if generator is None else _check.generator(generator),
        _check_callable("signs", signs),
        _check_hints(hints),
    )
    return report_on(Problem(f, inputs, gradients, dtype, options))


# --8<-- [end:check_gradients]


# --8<-- [start:assert_gradients]
def assert_gradients(
    f: Callable[..., Any], inputs: Arrays, gradients: Arrays, *args: Any, **options: Any
) -> GradientReport:
    """Fail with the report as the message unless the gradients agree; for tests.

    Parameters
    ----------
    f : callable
        As of `check_gradients`.
    inputs : mapping of str to ndarray
        The arguments of f.
    gradients : mapping of str to ndarray
        The gradients to check.
    *args : float
        rtol, then eps.
    **options
        All other arguments of `check_gradients`.

    Returns
    -------
    GradientReport
        For what a test may ask further, such as ``report.kinks``.

    Raises
    ------
    AssertionError
        If a gradient is wrong. pytest shows the line that called this function.

    Examples
    --------
    >>> x = np.array([1.0, 2.0])
    >>> report = assert_gradients(lambda x: np.sum(x**2), {"x": x}, {"x": 2 * x})
    >>> report.checked
    2
    """
    __tracebackhide__ = True
    report = check_gradients(f, inputs, gradients, *args, **options)
    if not report.ok:
        raise AssertionError(str(report))
    return report


# --8<-- [end:assert_gradients]


def _check_inputs(
    inputs: Mapping[str, Any], gradients: Mapping[str, Any]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    _check_mapping("inputs", inputs)
    _check_mapping("gradients", gradients)
    if not gradients:
        raise ValueError("gradients: expected at least one gradient, got none")
    arrays = {name: _check.array(f"inputs[{name!r}]", x) for name, x in inputs.items()}
    checked = {}
    for name, gradient in gradients.items():
        if name not in arrays:
            raise ValueError(f"gradients: expected names from {list(arrays)}, got {name!r}")
        ours, theirs = f"inputs[{name!r}]", f"gradients[{name!r}]"
        _, checked[name] = _check.floats(**{ours: arrays[name], theirs: gradient})
        _check.shape(theirs, checked[name], arrays[name].shape)
    return arrays, checked


def _check_mapping(name: str, value: Any) -> None:
    if not isinstance(value, Mapping):
        came = type(value).__name__
        raise TypeError(f"{name}: expected a mapping of names to arrays, got {came}")


def _check_hints(hints: Arrays | None) -> dict[str, np.ndarray]:
    if hints is None:
        return {}
    _check_mapping("hints", hints)
    return {name: _check.array(f"hints[{name!r}]", hint) for name, hint in hints.items()}


def _check_callable(name: str, value: Any) -> Any:
    if value is not None and not callable(value):
        raise TypeError(f"{name}: expected a callable, got {type(value).__name__}")
    return value
