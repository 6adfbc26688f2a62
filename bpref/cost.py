"""What an operator costs: multiplications forward and backward, numbers kept in between.

Two ways that must agree: `operator_cost` evaluates the rule of the registry, `measure` runs the
operator on arrays that count. A multiplication of two floating-point numbers is counted, in a
matrix product together with the addition that follows it (a multiply-add); additions alone,
divisions, comparisons and functions such as exp are not.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bpref.ops import OPERATORS, Sample

__all__ = ["Counter", "CountingArray", "OperatorCost", "measure", "operator_cost"]


@dataclass(frozen=True)
class OperatorCost:
    """The cost of one call.

    Attributes
    ----------
    forward, backward : int
        Multiply-adds.
    stored : int
        Elements in the cache, parameters left out.
    """

    forward: int
    backward: int
    stored: int


class Counter:
    """The number of multiply-adds so far.

    Counted are ``*``, `np.square` and the products ``@``, `np.dot`, `np.inner`, `np.outer`,
    `np.vdot`, `np.tensordot`, `np.einsum`, `np.matvec`, `np.vecdot` and `np.vecmat`, when all
    arrays in them hold floats; integers and booleans are indices and masks. A sum, a mean or a
    variance, and functions that only move numbers, count what they multiply. Any other function
    of NumPy, `np.kron` or `np.linalg.norm` say, raises NotImplementedError. What leaves the
    watched array is not seen: `np.asarray`, code outside NumPy, and ``plain.dot(watched)``, which
    NumPy does not report.

    Examples
    --------
    >>> counter = Counter()
    >>> a = counter.watch(np.ones((2, 3)))
    >>> b = a @ np.ones((3, 4))   # 2 · 4 sums of 3 products
    >>> counter.multiply_adds
    24
    >>> b = 2.0 * b               # what comes out of a watched array is watched
    >>> counter.multiply_adds
    32
    """

    def __init__(self) -> None:
        self.multiply_adds = 0

    def watch(self, array: np.ndarray) -> CountingArray:
        """Return a view of the array whose multiplications are counted here."""
        view = np.asarray(array).view(CountingArray)
        view.counter = self
        return view


class CountingArray(np.ndarray):
    """An array that counts the multiplications it takes part in; made by `Counter.watch`."""

    counter: Counter | None = None
    counts_multiplications = True  # lets it pass the argument checks as it is

    def __array_finalize__(self, parent: Any) -> None:
        if self.counter is None:
            self.counter = getattr(parent, "counter", None)

    def dot(self, b: Any, out: Any = None) -> Any:
        """Return ``np.dot(self, b)``; the method of ndarray would not be seen."""
        return np.dot(self, b) if out is None else np.dot(self, b, out=out)

    def __array_ufunc__(
        self, ufunc: Any, method: str, *inputs: Any, out: Any = (), **kwargs: Any
    ) -> Any:
        counter = _counter_of(inputs, out)
        plain = [_plain(x) for x in inputs]
        if out:
            kwargs["out"] = tuple(_plain(x) for x in out)
        if "where" in kwargs:
            kwargs["where"] = _plain(kwargs["where"])
        result = getattr(ufunc, method)(*plain, **kwargs)
        counter.multiply_adds += _products(ufunc, method, plain, kwargs, result)
        if out:
            return out[0] if len(out) == 1 else out
        return _watch(counter, result)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        counter = _counter_of(args, tuple(kwargs.values()))
        if function in PRODUCTS:
            result = function(*map(_plain, args), **{k: _plain(v) for k, v in kwargs.items()})
            if _floats(_arrays((args, kwargs))):
                counter.multiply_adds += PRODUCTS[function](*args, **kwargs)
            return kwargs["out"] if kwargs.get("out") is not None else _watch(counter, result)
        if function not in SEEN:
            name = f"{function.__module__}.{function.__name__}"
            raise NotImplementedError(f"the cost of {name} is not defined")
        return _watch(counter, super().__array_function__(function, types, args, kwargs))


def _dot(a: Any, b: Any, out: Any = None) -> int:
    """Each number of a meets all of b but the summed axis: no division, which 0 would break."""
    a, b = np.shape(a), np.shape(b)
    return math.prod(a) * math.prod((*b[:-2], *b[-1:] * (len(b) > 1)) if a else b)


def _inner(a: Any, b: Any) -> int:
    a, b = np.shape(a), np.shape(b)
    return math.prod(a) * math.prod(b[:-1] if a else b)


def _outer(a: Any, b: Any, out: Any = None) -> int:
    return int(np.size(a)) * int(np.size(b))


def _vdot(a: Any, b: Any) -> int:
    return int(np.size(a))


def _tensordot(a: Any, b: Any, axes: Any = 2) -> int:
    b = np.shape(b)
    summed = range(axes) if isinstance(axes, (int, np.integer)) else np.atleast_1d(axes[1]) % len(b)
    return int(np.size(a)) * math.prod(size for i, size in enumerate(b) if i not in summed)


def _einsum(subscripts: Any, *operands: Any, **options: Any) -> int:
    """One product for each combination of all indices; a single operand is only summed."""
    if len(operands) not in (1, 2) or not isinstance(subscripts, str) or "." in subscripts:
        expected = "one or two operands, subscripts in a string, no '...'"
        raise NotImplementedError(f"the cost of numpy.einsum is defined for {expected}")
    terms = subscripts.replace(" ", "").split("->")[0].split(",")
    sizes: dict[str, int] = {}
    for term, operand in zip(terms, operands, strict=True):
        for index, size in zip(term, np.shape(operand), strict=True):
            sizes[index] = size if sizes.get(index, 1) == 1 else sizes[index]  # 1 is stretched
    return math.prod(sizes.values()) if len(operands) == 2 else 0


def _pad(array: Any, pad_width: Any, mode: Any = "constant", **options: Any) -> int:
    if mode == "linear_ramp" or options.get("reflect_type") == "odd":
        raise NotImplementedError("the cost of numpy.pad is not defined for slopes")
    return 0


PRODUCTS: dict[Callable[..., Any], Callable[..., int]] = {
    np.dot: _dot,
    np.inner: _inner,
    np.outer: _outer,
    np.vdot: _vdot,
    np.tensordot: _tensordot,
    np.einsum: _einsum,
    np.pad: _pad,
}

# Functions that move or compare numbers, or whose products come as ufuncs, as those of np.var do.
# Functions that are not listed may multiply unseen, in C or in plain arrays: they are refused.
SEEN = {
    *(np.append, np.array_split, np.atleast_1d, np.atleast_2d, np.atleast_3d, np.block),
    *(np.broadcast_arrays, np.broadcast_to, np.choose, np.column_stack, np.compress),
    *(np.concatenate, np.copy, np.copyto, np.delete, np.diag, np.diagonal, np.dsplit),
    *(np.dstack, np.expand_dims, np.extract, np.flip, np.fliplr, np.flipud, np.hsplit),
    *(np.hstack, np.insert, np.matrix_transpose, np.moveaxis, np.put_along_axis, np.putmask),
    *(np.ravel, np.repeat, np.reshape, np.resize, np.roll, np.rot90, np.split, np.squeeze),
    *(np.stack, np.swapaxes, np.take, np.take_along_axis, np.tile, np.transpose, np.tril),
    *(np.triu, np.vsplit, np.vstack, np.where, np.lib.stride_tricks.sliding_window_view),
    *(np.empty_like, np.full_like, np.ones_like, np.zeros_like, np.ndim, np.shape, np.size),
    *(np.array2string, np.array_repr, np.array_str, np.may_share_memory, np.shares_memory),
    *(np.all, np.amax, np.amin, np.any, np.argmax, np.argmin, np.argpartition, np.argsort),
    *(np.argwhere, np.array_equal, np.clip, np.count_nonzero, np.cumsum, np.diff),
    *(np.flatnonzero, np.max, np.mean, np.min, np.nonzero, np.partition, np.ptp, np.round),
    *(np.searchsorted, np.sort, np.std, np.sum, np.trace, np.unique, np.var),
}


def _products(
    ufunc: Any, method: str, inputs: list[Any], options: dict[str, Any], result: Any
) -> int:
    """Return the number of multiplications of one call of a ufunc; 0 for those that only add."""
    if not _floats(np.asarray(x) for x in inputs if not isinstance(x, (int, float))):
        return 0
    if ufunc in (np.multiply, np.square) and method in ("__call__", "outer"):
        where = np.broadcast_to(options.get("where", True), np.shape(result))
        return int(np.count_nonzero(where))
    if ufunc.signature and ufunc.__name__ in MATRIX_PRODUCTS and not {"axes", "axis"} & {*options}:
        return int(np.size(result)) * int(np.shape(inputs[0])[-1])
    if ufunc.signature or ufunc in (np.multiply, np.square, np.power, np.float_power):
        raise NotImplementedError(f"the cost of {ufunc.__name__}.{method} is not defined")
    return 0


MATRIX_PRODUCTS = ("matmul", "matvec", "vecdot", "vecmat")  # np.matvec came with NumPy 2.2


def _floats(arrays: Iterable[np.ndarray]) -> bool:
    """Whether all hold floats; the others are masks and indices, whose products are not counted."""
    kinds = {array.dtype.kind for array in arrays}
    if "c" in kinds:
        raise NotImplementedError("the cost of complex numbers is not defined")
    return kinds <= {"f"}


def _plain(value: Any) -> Any:
    if isinstance(value, CountingArray):
        return value.view(np.ndarray)
    if isinstance(value, (tuple, list)):
        return type(value)(map(_plain, value))
    return value


def _counter_of(*nested: Any) -> Counter:
    for array in _arrays(nested):
        if isinstance(array, CountingArray) and array.counter is not None:
            return array.counter
    raise ValueError("no array is watched; make it with Counter.watch")


def _watch(counter: Counter, result: Any) -> Any:
    if isinstance(result, (np.ndarray, np.floating, np.bool)):
        return counter.watch(np.asarray(result))
    if isinstance(result, (tuple, list)):
        return type(result)(_watch(counter, x) for x in result)
    return result


def _arrays(nested: Any) -> Iterator[np.ndarray]:
    """Yield all arrays in nested tuples, lists and dicts."""
    if isinstance(nested, np.ndarray):
        yield nested
    elif isinstance(nested, dict):
        yield from _arrays(list(nested.values()))
    elif isinstance(nested, (tuple, list)):
        for inner in nested:
            yield from _arrays(inner)


def measure(name: str, sample: Sample, seed: int = 0) -> OperatorCost:
    """Run an operator and its backward pass on counting arrays.

    Parameters
    ----------
    name : str
        An operator of `bpref.functional`.
    sample : Sample
        Its arguments.
    seed : int, default 0
        Of the gradient of the output.

    Returns
    -------
    OperatorCost

    Raises
    ------
    TypeError
        If sample is not a Sample.
    ValueError
        If there is no such operator.

    Examples
    --------
    >>> measure("linear", Sample({"input": np.ones((5, 3)), "weight": np.ones((2, 3))}))
    OperatorCost(forward=30, backward=60, stored=15)
    """
    operator = _operator(name)
    if not isinstance(sample, Sample):
        raise TypeError(f"sample: expected a Sample, got {type(sample).__name__}")
    counter = Counter()
    watched = Sample({k: counter.watch(v) for k, v in sample.inputs.items()}, sample.options)
    arguments = operator.arguments(watched)
    output, cache = operator.forward(**arguments)
    forward = counter.multiply_adds

    rng = np.random.default_rng(seed)
    outputs = output if isinstance(output, tuple) else (output,)
    grads = tuple(
        counter.watch(rng.standard_normal(np.shape(o)).astype(np.asarray(o).dtype)) for o in outputs
    )
    operator.backward(grads if isinstance(output, tuple) else grads[0], cache)

    parameters = [arguments[p] for p in operator.parameters if arguments.get(p) is not None]
    kept = {
        (a.__array_interface__["data"][0], a.shape, a.strides): a.size
        for a in _arrays(cache)
        if not any(np.shares_memory(a, p) for p in parameters)
    }
    return OperatorCost(forward, counter.multiply_adds - forward, sum(kept.values()))


def operator_cost(name: str, **arguments: Any) -> OperatorCost:
    """Return the cost of a call by the rule of the registry, without running it.

    Parameters
    ----------
    name : str
        An operator of `bpref.functional`.
    **arguments
        Its arguments; of arrays only the shapes matter. Whether the shapes fit each other is not
        checked: that takes a call of the operator, as in `measure`.

    Returns
    -------
    OperatorCost

    Raises
    ------
    TypeError
        If an argument is missing or unknown, or an input is not an array.
    ValueError
        If there is no such operator, or an input has too few or too many axes.

    Examples
    --------
    >>> operator_cost("linear", input=np.ones((5, 3)), weight=np.ones((2, 3)))
    OperatorCost(forward=30, backward=60, stored=15)
    """
    operator = _operator(name)
    _check_arguments(operator, arguments)
    try:
        sizes = dict(operator.sizes(**arguments))
    except (IndexError, ValueError) as error:  # a shape that can't be unpacked
        expected = ", ".join(f"{k} {v}" for k, v in operator.shapes.items() if k in arguments)
        came = ", ".join(f"{k} {np.shape(arguments[k])}" for k in operator.shapes if k in arguments)
        raise ValueError(f"{name}: expected the shapes {expected}, got {came}") from error
    rules = (operator.cost.forward, operator.cost.backward, operator.cost.stored)
    # The rules are constants of this package, written as Python so that pages can show them.
    forward, backward, stored = (int(eval(r, {"__builtins__": {}}, sizes)) for r in rules)
    return OperatorCost(forward, backward, stored)


def _check_arguments(operator: Any, arguments: dict[str, Any]) -> None:
    """Refuse what the operator itself would not take."""
    signature = inspect.signature(operator.forward)
    try:
        signature.bind(**arguments)
    except TypeError as error:
        expected, came = ", ".join(signature.parameters), ", ".join(arguments) or "none"
        message = f"expected the arguments {expected}, got {came}: {error}"
        raise TypeError(f"{operator.name}: {message}") from None
    for name in {*operator.gradients, *operator.shapes} & {*arguments}:
        value = arguments[name]
        if name == operator.variadic and not isinstance(value, (tuple, list)):
            raise TypeError(f"{name}: expected a list of arrays, got {type(value).__name__}")
        for array in value if name == operator.variadic else [value]:
            if array is not None and not isinstance(getattr(array, "shape", None), tuple):
                raise TypeError(f"{name}: expected an array, got {type(array).__name__}")


def _operator(name: str) -> Any:
    if name not in OPERATORS:
        raise ValueError(f"name: expected an operator of bpref.functional, got {name!r}")
    return OPERATORS[name]
