"""What an operator costs: multiplications forward and backward, numbers kept in between.

Two ways that must agree: `operator_cost` evaluates the rule of the registry, `measure` runs the
operator on arrays that count. A multiplication of two floating-point numbers is counted, in a
matrix product together with the addition that follows it (a multiply-add); additions alone,
divisions, comparisons and functions such as exp are not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
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
        counter.multiply_adds += _products(ufunc, method, plain, result)
        if out:
            return out[0] if len(out) == 1 else out
        return _watch(counter, result)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        counter = _counter_of(args, tuple(kwargs.values()))
        if function in PRODUCTS:
            counter.multiply_adds += PRODUCTS[function](*args)
            result = function(*map(_plain, args), **{k: _plain(v) for k, v in kwargs.items()})
            return kwargs["out"] if kwargs.get("out") is not None else _watch(counter, result)
        # All else, np.where or np.concatenate say, moves numbers; sums in it come as ufuncs.
        return _watch(counter, super().__array_function__(function, types, args, kwargs))


def _dot(a: Any, b: Any, *rest: Any) -> int:
    a, b = np.shape(a), np.shape(b)
    if not a or not b:
        return math.prod(a) * math.prod(b)
    return math.prod(a) * math.prod(b) // b[-2 if len(b) > 1 else 0]


def _tensordot(a: Any, b: Any, axes: Any = 2) -> int:
    summed = np.shape(a)[-axes:] if isinstance(axes, int) else _sizes(a, axes[0])
    summed = summed if axes != 0 else ()
    return math.prod(np.shape(a)) * math.prod(np.shape(b)) // math.prod(summed)


def _sizes(a: Any, axes: Any) -> tuple[int, ...]:
    return tuple(np.shape(a)[axis] for axis in np.atleast_1d(axes))


def _einsum(subscripts: str, *operands: Any) -> int:
    """One product for each combination of all indices, for two operands."""
    if len(operands) != 2 or "." in subscripts:
        raise ValueError(f"einsum: expected two operands without '...', got {subscripts!r}")
    terms = subscripts.replace(" ", "").split("->")[0].split(",")
    sizes: dict[str, int] = {}
    for term, operand in zip(terms, operands, strict=True):
        sizes.update(zip(term, np.shape(operand), strict=True))
    return math.prod(sizes.values())


PRODUCTS: dict[Callable[..., Any], Callable[..., int]] = {
    np.dot: _dot,
    np.tensordot: _tensordot,
    np.einsum: _einsum,
}


def _products(ufunc: Any, method: str, inputs: list[Any], result: Any) -> int:
    """Return the number of multiplications of one call of a ufunc; 0 for those that only add."""
    floats = all(np.asarray(x).dtype.kind == "f" for x in inputs if not isinstance(x, (int, float)))
    if not floats:
        return 0  # masks and indices
    if ufunc in (np.multiply, np.square) and method in ("__call__", "outer"):
        return int(np.size(result))
    if ufunc is np.matmul:
        return int(np.size(result)) * int(np.shape(inputs[0])[-1])
    if ufunc is np.multiply or ufunc is np.power:
        raise NotImplementedError(f"the cost of {ufunc.__name__}.{method} is not defined")
    return 0


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
    ValueError
        If there is no such operator.

    Examples
    --------
    >>> measure("linear", Sample({"input": np.ones((5, 3)), "weight": np.ones((2, 3))}))
    OperatorCost(forward=30, backward=60, stored=15)
    """
    operator = _operator(name)
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
        Its arguments; of arrays only the shapes matter.

    Returns
    -------
    OperatorCost

    Raises
    ------
    ValueError
        If there is no such operator.

    Examples
    --------
    >>> operator_cost("linear", input=np.ones((5, 3)), weight=np.ones((2, 3)))
    OperatorCost(forward=30, backward=60, stored=15)
    """
    operator = _operator(name)
    sizes = dict(operator.sizes(**arguments))
    rules = (operator.cost.forward, operator.cost.backward, operator.cost.stored)
    # The rules are constants of this package, written as Python so that pages can show them.
    forward, backward, stored = (int(eval(r, {"__builtins__": {}}, sizes)) for r in rules)
    return OperatorCost(forward, backward, stored)


def _operator(name: str) -> Any:
    if name not in OPERATORS:
        raise ValueError(f"name: expected an operator of bpref.functional, got {name!r}")
    return OPERATORS[name]
