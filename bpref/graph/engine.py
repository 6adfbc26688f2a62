"""Automatic differentiation of scalars: a recorded graph, reverse mode, forward mode.

Each operation on a `Value` computes a number and stores beside it which values it came from and
the local derivative for each of them. A gradient is a walk over that record: from the output to
the inputs in reverse mode, from the inputs to the output in forward mode. Both walks are loops,
not recursions, so only memory limits the depth of a graph.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bpref import _check


def _sigmoid(a: float) -> float:
    decay = math.exp(-abs(a))  # in (0, 1], never an overflow
    return (1.0 if a >= 0 else decay) / (1.0 + decay)


# --8<-- [start:OPERATORS]
# operator: (y from its arguments, then the local derivative ∂y/∂a, ∂y/∂b for each argument)
OPERATORS: dict[str, tuple[Callable[..., float], ...]] = {
    "+": (lambda a, b: a + b, lambda y, a, b: 1.0, lambda y, a, b: 1.0),
    "-": (lambda a, b: a - b, lambda y, a, b: 1.0, lambda y, a, b: -1.0),
    "*": (lambda a, b: a * b, lambda y, a, b: b, lambda y, a, b: a),
    "/": (lambda a, b: a / b, lambda y, a, b: 1.0 / b, lambda y, a, b: -y / b),
    "**": (
        math.pow,
        lambda y, a, b: b * math.pow(a, b - 1.0) if b else 0.0,  # a⁰ is constant, at a = 0 too
        lambda y, a, b: y * math.log(a),
    ),
    "neg": (lambda a: -a, lambda y, a: -1.0),
    "exp": (math.exp, lambda y, a: y),
    "log": (math.log, lambda y, a: 1.0 / a),
    "tanh": (math.tanh, lambda y, a: 1.0 - y * y),
    "sigmoid": (_sigmoid, lambda y, a: y * (1.0 - y)),
    "relu": (lambda a: max(a, 0.0), lambda y, a: 1.0 if a > 0 else 0.0),
}
# --8<-- [end:OPERATORS]


# --8<-- [start:apply]
def apply(operator: str, *arguments: Value | float) -> Value:
    """Return the result of an operator, with its parents and the local derivatives.

    The methods of `Value` call this. A new operator is a new row in `OPERATORS`.

    Parameters
    ----------
    operator : str
        A key of `OPERATORS`.
    *arguments : Value or float
        Plain numbers are constants: they do not become parents.

    Returns
    -------
    Value

    Raises
    ------
    TypeError
        If an argument is neither a Value nor a number.
    ValueError
        If the operator is unknown or has another number of derivatives than arguments, a number
        is not finite, or the value or one of the local derivatives does not exist.
    ZeroDivisionError, OverflowError
        Where Python raises them for floats, and when a number becomes too large.

    Examples
    --------
    >>> OPERATORS["sin"] = (math.sin, lambda y, a: math.cos(a))
    >>> x = Value(0.0)
    >>> apply("sin", 2.0 * x).backward()
    >>> x.grad
    2.0
    >>> del OPERATORS["sin"]
    """
    if operator not in OPERATORS:
        raise ValueError(f"operator: expected one of {list(OPERATORS)}, got {operator!r}")
    forward, *derivatives = OPERATORS[operator]
    if len(derivatives) != len(arguments):
        expected = f"one derivative for each argument, got {len(derivatives)} for {len(arguments)}"
        raise ValueError(f"{operator}: expected {expected}")
    numbers = [a.data if isinstance(a, Value) else _check.real(operator, a) for a in arguments]
    parents = tuple([a for a in arguments if isinstance(a, Value)])
    try:
        y = forward(*numbers)
        pairs = zip(arguments, derivatives, strict=True)
        slopes = tuple([slope(y, *numbers) for a, slope in pairs if isinstance(a, Value)])
        if not math.isfinite(y) or not all(map(math.isfinite, slopes)):
            raise OverflowError
    except (ArithmeticError, ValueError) as error:
        expected = "expected arguments with a finite value and finite derivatives"
        came = ", ".join(f"{number:g}" for number in numbers)
        raise type(error)(f"{operator}: {expected}, got {came}") from None

    result = Value.__new__(Value)  # not Value(y), which would check y a second time
    result.data, result.grad, result.label = y, 0.0, operator
    result.parents, result.derivatives = parents, slopes
    if len(parents) < len(arguments):  # a constant takes part: show it
        words = ["" if isinstance(a, Value) else f" {a:g} " for a in arguments]
        result.label = operator.join(words).strip()
    return result


# --8<-- [end:apply]


def _both_ways(operator: str) -> tuple[Callable[..., Value], Callable[..., Value]]:
    """Return the methods for ``value operator other`` and for ``other operator value``."""
    return (
        lambda self, other: apply(operator, self, other),
        lambda self, other: apply(operator, other, self),
    )


# --8<-- [start:Value]
class Value:
    """A number that knows what it was computed from.

    ``+ - * / **`` work between values and with plain numbers on either side. Local derivatives
    are stored at once, so a later change of ``data`` reaches no result: compute it again.

    Parameters
    ----------
    data : float
        A finite number.
    label : str, default ""
        The name that a drawing shows.

    Attributes
    ----------
    data : float
        The number.
    grad : float
        The sum of ∂output/∂self over all calls of `backward` since the last `zero_grad`.
    label : str
        The name of a leaf; the operator of a result, with its constants.
    parents : tuple of Value
        What it was computed from; empty for a leaf.
    derivatives : tuple of float
        ∂self/∂parent for each parent.

    Raises
    ------
    TypeError
        If data is not a number or label not a string; if an operand is neither a Value nor a
        number; if a result is copied or pickled, which would take its whole graph along.
    ValueError
        If data is not finite or label does not print; if a result or one of its local
        derivatives does not exist, as for log(−1), (−8) ** (1/3), or 0 ** 0.5, where the slope
        is infinite.
    ZeroDivisionError, OverflowError
        Where Python raises them for floats, and when a result becomes too large.

    Notes
    -----
    The derivative of relu at 0 is 0, as in PyTorch. With a value as exponent the base must be
    positive, because ∂(aᵇ)/∂b = aᵇ log a; with a plain number as exponent it need not.

    Examples
    --------
    >>> x, w, b = Value(2.0), Value(-3.0), Value(7.0)
    >>> y = (w * x + b).tanh() + x**2
    >>> y.backward()
    >>> round(x.grad, 6), round(w.grad, 6)
    (2.740077, 0.839949)
    >>> Value(2.0)
    Value(data=2.0, grad=0.0)
    """

    __slots__ = ("data", "derivatives", "grad", "label", "parents")
    __array_ufunc__ = None  # np.float64(2.0) * value is left to Value.__rmul__

    def __init__(self, data: float, label: str = "") -> None:
        self.data, self.grad, self.label = (
            _check.real("data", data),
            0.0,
            _check.text("label", label),
        )
        self.parents: tuple[Value, ...] = ()
        self.derivatives: tuple[float, ...] = ()

    __add__, __radd__ = _both_ways("+")
    __sub__, __rsub__ = _both_ways("-")
    __mul__, __rmul__ = _both_ways("*")
    __truediv__, __rtruediv__ = _both_ways("/")
    __pow__, __rpow__ = _both_ways("**")

    def __neg__(self) -> Value:
        return apply("neg", self)

    def exp(self) -> Value:
        """Return e to the power of self."""
        return apply("exp", self)

    def log(self) -> Value:
        """Return the natural logarithm."""
        return apply("log", self)

    def tanh(self) -> Value:
        """Return the hyperbolic tangent."""
        return apply("tanh", self)

    def sigmoid(self) -> Value:
        """Return 1 / (1 + exp(−self)), without overflow."""
        return apply("sigmoid", self)

    def relu(self) -> Value:
        """Return max(self, 0)."""
        return apply("relu", self)

    def backward(self, grad: float = 1.0) -> None:
        """Add grad · ∂self/∂v to ``v.grad`` for every value v that self was computed from.

        Calling it again adds the same amounts again, to leaves and to intermediate values, as
        PyTorch does with ``retain_graph=True`` and `retain_grad` on every tensor.

        Parameters
        ----------
        grad : float, default 1.0
            ∂J/∂self, when self is not the loss J itself.

        Raises
        ------
        TypeError, ValueError
            If grad is not a finite number.

        Examples
        --------
        >>> x = Value(3.0)
        >>> y = x * x
        >>> y.backward()
        >>> y.backward()
        >>> x.grad
        12.0
        """
        for value, gradient in _gradients(self, grad).items():
            value.grad += gradient

    def zero_grad(self) -> None:
        """Set the gradient of self, and of all values that it was computed from, to zero."""
        for value in topological_order(self):
            value.grad = 0.0

    def __repr__(self) -> str:
        return f"Value(data={self.data}, grad={self.grad})"

    def __reduce__(self) -> tuple[Any, ...]:
        if self.parents:  # copying or pickling node by node would recurse through the graph
            raise TypeError("Value: expected a leaf to copy or pickle, got a result; take its data")
        return Value, (self.data, self.label), (None, {"grad": self.grad})


# --8<-- [end:Value]


# --8<-- [start:topological_order]
def topological_order(output: Value) -> list[Value]:
    """Return all values that the output was computed from, each after its parents.

    Parameters
    ----------
    output : Value
        Any value; a leaf is alone in its order.

    Returns
    -------
    list of Value
        Each once; the output is the last.

    Raises
    ------
    TypeError
        If output is not a Value.

    Examples
    --------
    >>> x = Value(2.0, "x")
    >>> [value.label for value in topological_order((x * x).exp())]
    ['x', '*', 'exp']
    """
    order: list[Value] = []
    seen: set[Value] = set()
    stack = [(_value("output", output), False)]
    while stack:
        value, parents_done = stack.pop()
        if parents_done:
            order.append(value)
        elif value not in seen:
            seen.add(value)
            stack.append((value, True))  # comes up again when its parents are in the order
            for parent in reversed(value.parents):  # the first parent is on top
                stack.append((parent, False))
    return order


# --8<-- [end:topological_order]


# --8<-- [start:gradients]
def _gradients(output: Value, grad: float) -> dict[Value, float]:
    """Return grad · ∂output/∂v for every value v of the graph: reverse mode."""
    order = topological_order(output)
    gradients = {output: _check.real("grad", grad)}
    for value in reversed(order):  # its gradient is complete: its children came before it
        for parent, slope in zip(value.parents, value.derivatives, strict=True):
            gradients[parent] = gradients.get(parent, 0.0) + gradients[value] * slope
    return gradients


# --8<-- [end:gradients]


# --8<-- [start:vjp]
def vjp(output: Value, inputs: Sequence[Value], grad: float = 1.0) -> tuple[float, ...]:
    """Return grad · ∂output/∂v for each v in inputs: reverse mode that leaves every ``grad`` alone.

    Parameters
    ----------
    output : Value
        What is differentiated.
    inputs : sequence of Value
        Leaves or intermediate values; one that the output does not depend on gets 0.0.
    grad : float, default 1.0
        ∂J/∂output, when the output is not the loss J itself.

    Returns
    -------
    tuple of float

    Raises
    ------
    TypeError
        If output or an input is not a Value, or grad is not a number.
    ValueError
        If grad is not finite.

    Notes
    -----
    Source: S. Linnainmaa, "Taylor expansion of the accumulated rounding error", BIT 16 (2), 1976,
    doi:10.1007/BF01931367.

    Examples
    --------
    >>> x, y, unused = Value(3.0), Value(4.0), Value(5.0)
    >>> vjp(x * y, [x, y, unused])
    (4.0, 3.0, 0.0)
    """
    gradients = _gradients(output, grad)
    return tuple(gradients.get(_value("inputs", value), 0.0) for value in inputs)


# --8<-- [end:vjp]


# --8<-- [start:jvp]
def jvp(output: Value, tangents: Mapping[Value, float]) -> float:
    """Return Σ ∂output/∂v · tangent of v: forward mode over the recorded graph.

    Parameters
    ----------
    output : Value
        What is differentiated.
    tangents : mapping of Value to float
        How fast each value changes; 0 for those that are not named. An intermediate value changes
        by its tangent on top of what its parents bring.

    Returns
    -------
    float
        The derivative of the output in the direction of the tangents.

    Raises
    ------
    TypeError
        If output or a key is not a Value, or a tangent is not a number.
    ValueError
        If a tangent is not finite.

    Notes
    -----
    Source: R. E. Wengert, "A simple automatic derivative evaluation program", Communications of
    the ACM 7 (8), 1964, doi:10.1145/355586.364791.

    Examples
    --------
    >>> x, y = Value(3.0), Value(4.0)
    >>> jvp(x * y, {x: 1.0, y: 10.0})
    34.0
    """
    rates = {_value("tangents", v): _check.real("tangents", t) for v, t in tangents.items()}
    for value in topological_order(output):
        rates.setdefault(value, 0.0)
        for parent, slope in zip(value.parents, value.derivatives, strict=True):
            rates[value] += slope * rates[parent]  # complete: parents come before children
    return rates[output]


# --8<-- [end:jvp]


def _value(name: str, value: Any) -> Value:
    if not isinstance(value, Value):
        raise TypeError(f"{name}: expected a Value, got {type(value).__name__}")
    return value
