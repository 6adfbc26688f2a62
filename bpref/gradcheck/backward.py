"""Check a pair of functions, forward and backward."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bpref import _check
from bpref.gradcheck.check import check_gradients
from bpref.gradcheck.compare import Arrays
from bpref.gradcheck.kinks import leaves
from bpref.gradcheck.numeric import SEED
from bpref.gradcheck.report import GradientReport

__all__ = ["assert_backward", "check_backward"]

STYLES = ("cache", "inputs")


# --8<-- [start:check_backward]
def check_backward(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    inputs: Arrays,
    options: Mapping[str, Any] | None = None,
    *,
    backward_takes: str = "cache",
    hints: Arrays | None = None,
    generator: np.random.Generator | None = None,
    **check_options: Any,
) -> GradientReport:
    """Compare a backward pass with numerical derivatives of its forward pass.

    Parameters
    ----------
    forward, backward : callable
        With ``backward_takes="cache"``, as in `bpref.functional`: ``forward(**inputs, **options)``
        returns (output, cache), ``backward(grad_output, cache)`` the gradients. With "inputs":
        ``forward(*inputs, **options)`` returns the output,
        ``backward(grad_output, *inputs, **options)`` the gradients. An output may be a tuple of
        arrays, also a nested one; then grad_output has the same structure.
    inputs : mapping of str to ndarray
        What is differentiated: float32 or float64. Not modified.
    options : mapping, optional
        All other arguments of forward. A random generator is copied for each call, so that all
        calls draw the same numbers.
    backward_takes : str, default "cache"
        What the backward pass gets besides grad_output: "cache" or "inputs".
    hints : mapping of str to ndarray, optional
        As of `check_gradients`. The output, grad_output and the usual slopes, written with the
        output, are tried anyway.
    generator : numpy.random.Generator, optional
        Draws grad_output, and what `check_gradients` draws; by default always the same.
    **check_options
        rtol, eps, mode, max_elements, directions and signs of `check_gradients`.

    Returns
    -------
    GradientReport

    Raises
    ------
    TypeError
        If the output is not float32 or float64, or is float32 though no input is, or forward
        returns no (output, cache).
    ValueError
        If the backward pass returns another number of gradients, or names, than there are
        inputs, or a gradient of another shape, or if it writes into the inputs.

    Notes
    -----
    The number that is differentiated is Σ w · output with random weights w; its gradient by the
    output is w, which is what backward gets. The gradients are a single array for a single
    input, a tuple in the order of the inputs, or a mapping by their names. None instead of a
    gradient leaves that input unchecked; None may also stand for arguments that are options.

    Examples
    --------
    >>> import bpref.functional as F
    >>> X, W = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])
    >>> check_backward(F.linear, F.linear_backward, {"input": X, "weight": W}, {"bias": None}).ok
    True
    >>> def square_backward(grad_output, x):
    ...     return grad_output * x  # 2 is missing
    >>> x = np.array([1.0, 2.0, 3.0])
    >>> report = check_backward(np.square, square_backward, {"x": x}, backward_takes="inputs")
    >>> report.causes["x"]
    ('numeric = 2 × analytic everywhere: a missing factor 2',)
    """
    options = {} if options is None else options
    if backward_takes not in STYLES:
        raise ValueError(f"backward_takes: expected one of {STYLES}, got {backward_takes!r}")
    for name, value in (("inputs", inputs), ("options", options)):
        if not isinstance(value, Mapping):
            came = type(value).__name__
            raise TypeError(f"{name}: expected a mapping of names to values, got {came}")
    generator = np.random.default_rng(SEED) if generator is None else _check.generator(generator)
    arrays = {name: _check.array(f"inputs[{name!r}]", x) for name, x in inputs.items()}

    def run(**inputs: np.ndarray) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
        """Return the output and the further arguments of backward."""
        if backward_takes == "inputs":
            output = forward(*inputs.values(), **_fresh(options))
            return output, tuple(inputs.values()), _fresh(options)
        result = forward(**inputs, **_fresh(options))
        if not (isinstance(result, tuple) and len(result) == 2):
            raise TypeError(
                f"forward: expected (output, cache), got {type(result).__name__}; "
                "without a cache, use backward_takes='inputs'"
            )
        return result[0], (result[1],), {}

    given = {name: x.copy() for name, x in arrays.items()}
    output, saved, keywords = run(**given)
    _refuse_narrower(output, arrays)
    weights = _random_like("output", output, generator)
    before = {name: x.copy() for name, x in given.items()}  # forward may work in place
    gradients = _by_name(backward(_copied(weights), *saved, **keywords), list(arrays))
    _refuse_changed(before, given)

    def weighted_sum(**inputs: np.ndarray) -> Any:
        output = run(**{name: inputs[name] for name in arrays})[0]
        pairs = zip(leaves(weights), leaves(output), strict=True)
        return sum(np.sum(np.asarray(w, np.float64) * np.asanyarray(out)) for w, out in pairs)

    return check_gradients(
        weighted_sum,
        arrays,
        gradients,
        generator=generator,
        hints={**_slopes(output, weights), **({} if hints is None else hints)},
        **check_options,
    )


# --8<-- [end:check_backward]


# --8<-- [start:assert_backward]
def assert_backward(
    forward: Callable[..., Any], backward: Callable[..., Any], *args: Any, **options: Any
) -> GradientReport:
    """Fail with the report as the message unless the backward pass is right; for tests.

    Parameters
    ----------
    forward, backward : callable
        The pair, as of `check_backward`.
    *args : mapping
        inputs, then the options of forward.
    **options
        All other arguments of `check_backward`.

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
    >>> import bpref.functional as F
    >>> report = assert_backward(F.tanh, F.tanh_backward, {"input": np.array([0.5, -2.0])})
    >>> report.checked
    2
    """
    __tracebackhide__ = True
    report = check_backward(forward, backward, *args, **options)
    if not report.ok:
        raise AssertionError(str(report))
    return report


# --8<-- [end:assert_backward]


def _fresh(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with generators that have not drawn yet."""
    draws = np.random.Generator
    return {k: copy.deepcopy(v) if isinstance(v, draws) else v for k, v in options.items()}


def _refuse_narrower(output: Any, inputs: Mapping[str, np.ndarray]) -> None:
    """The differences of a float32 output say nothing about float64 inputs."""
    narrow = [part for part in leaves(output) if getattr(part, "dtype", None) == np.float32]
    if narrow and inputs and all(x.dtype == np.float64 for x in inputs.values()):
        raise TypeError("output: expected dtype float64 as of the inputs, got float32")


def _refuse_changed(before: Mapping[str, np.ndarray], after: Mapping[str, np.ndarray]) -> None:
    """The gradients may be right; whoever uses the inputs after the backward pass is wrong."""
    for name, x in before.items():
        if not np.array_equal(x, after[name], equal_nan=True):
            raise ValueError(
                f"backward: expected to leave inputs[{name!r}] as it is, got other values: it "
                "writes into its arguments, or into arrays that share their memory"
            )


def _random_like(name: str, output: Any, rng: np.random.Generator) -> Any:
    """Return random numbers in the structure of the output; a number for a number."""
    if isinstance(output, (tuple, list)):
        parts = [_random_like(f"{name}[{i}]", part, rng) for i, part in enumerate(output)]
        return tuple(parts)
    (array,) = _check.floats(**{name: output})
    return np.asarray(rng.standard_normal(array.shape)).astype(array.dtype)[()]


def _copied(nest: Any) -> Any:
    """Return a copy that a backward pass may overwrite."""
    return tuple(map(_copied, nest)) if isinstance(nest, tuple) else nest.copy()


def _by_name(gradients: Any, names: list[str]) -> dict[str, np.ndarray]:
    """Return what backward returned as a mapping, without the inputs that have no gradient."""
    if isinstance(gradients, Mapping):
        if set(gradients) != set(names):
            raise ValueError(
                f"backward: expected gradients for {names}, got {list(gradients)}; "
                "None stands for an input without a gradient"
            )
        gradients = tuple(gradients[name] for name in names)
    elif not isinstance(gradients, (tuple, list)):
        gradients = (gradients,)
    rest = gradients[len(names) :]  # the None of an optional argument that is not there
    if len(gradients) < len(names) or any(gradient is not None for gradient in rest):
        raise ValueError(
            f"backward: expected {len(names)} gradients, one for each of {names}, "
            f"got {len(gradients)}"
        )
    return {name: g for name, g in zip(names, gradients, strict=False) if g is not None}


def _slopes(output: Any, weights: Any) -> dict[str, np.ndarray]:
    """Factors that a backward pass of an activation may lack, or take at a stale place."""
    if isinstance(output, (tuple, list)):
        return {}
    y = np.asarray(output)
    with np.errstate(all="ignore"):  # the slopes are wrong guesses for most operators
        sigmoid = 1.0 / (1.0 + np.exp(-y))
        return {
            "grad_output": np.asarray(weights),
            "output": y,
            "[output > 0]": y > 0,
            "(1 - output)": 1.0 - y,
            "output (1 - output)": y * (1.0 - y),
            "(1 - output²)": 1.0 - y**2,
            "σ'(output)": sigmoid * (1.0 - sigmoid),
            "(1 - tanh²(output))": 1.0 - np.tanh(y) ** 2,
        }
