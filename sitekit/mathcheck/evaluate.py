"""The value of an expression on random numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np

from sitekit.mathcheck import functions as fn
from sitekit.mathcheck.derivatives import along_imaginary, five_points, gradient, partial
from sitekit.mathcheck.draw import Draw, Node
from sitekit.mathcheck.errors import MathError, Untrue
from sitekit.mathcheck.expression import (
    Add,
    Apply,
    Big,
    Call,
    Cases,
    Compare,
    Const,
    Diff,
    Div,
    Entry,
    Expr,
    Gradient,
    Hadamard,
    Index,
    Indicator,
    Matrix,
    Mul,
    Norm,
    Num,
    Param,
    Pow,
    Ref,
    Size,
    Transpose,
    children,
    indices,
)
from sitekit.mathcheck.functions import Array
from sitekit.mathcheck.operations import call, power, product, shown
from sitekit.mathcheck.sizes import Bind, at_most
from sitekit.mathcheck.values import Values, number


class NeedsReal(Exception):
    """A derivative inside a derivative: the outer one must take real steps."""


class Env(Values):
    """Computes expressions; derivatives by complex step or (``method``) by central differences."""

    def __init__(
        self,
        draw: Draw,
        overrides: dict[Node, Array] | None = None,
        base: Env | None = None,
        method: str = "complex",
    ) -> None:
        super().__init__(draw, overrides, base)
        self.method = method
        self.functions: dict[int, Callable[..., Any]] = base.functions if base else {}
        self.central: Env | None = None  # the same draw by differences, made when needed

    def evaluate(self, expr: Expr, bind: Bind) -> Array:
        """The value: numbers are 0-d, vectors columns (n × 1), matrices 2-d."""
        method = getattr(self, "_" + type(expr).__name__.lower())
        value: Array = np.asarray(method(expr, bind))
        expr.shape = value.shape
        return value

    def _num(self, expr: Num, bind: Bind) -> Any:
        return expr.value

    def _const(self, expr: Const, bind: Bind) -> Any:
        return np.pi

    def _size(self, expr: Size, bind: Bind) -> Any:
        return float(self.draw.size(expr, bind))

    def _index(self, expr: Index, bind: Bind) -> Any:
        return float(self.draw.integer(expr, bind))

    def _param(self, expr: Param, bind: Bind) -> Any:
        return bind[expr.name]

    def _ref(self, expr: Ref, bind: Bind) -> Any:
        entry = expr.entry
        key = tuple(self.draw.integer(k, bind) for k in expr.key)
        try:
            value = self.full(entry, key)
        except MathError as error:
            if error.pos is None and error.source is None:  # a member that does not exist
                error.pos = expr.pos
            raise
        if expr.sample is not None:
            value = self._item(value, self.draw.integer(expr.sample, bind), expr)
        if expr.elements:
            if value.ndim != len(expr.elements):
                numbers = any(isinstance(e, Num) and e.pos > expr.pos for e in expr.elements)
                hint = "; each digit is one, as in W_{12}" if numbers else ""
                raise MathError(
                    f"{entry.name} has {value.ndim} indices, not {len(expr.elements)}{hint}",
                    expr.pos,
                )
            for element in expr.elements:
                value = self._item(value, self.draw.integer(element, bind), expr)
        if value.shape == (1,):
            return value[0]
        return value[:, None] if value.ndim == 1 else value

    def _item(self, value: Array, index: int, expr: Expr) -> Array:
        if not 1 <= index <= len(value):
            raise MathError(f"index {index} is outside 1 … {len(value)}", expr.pos)
        return np.asarray(value[index - 1])

    def _add(self, expr: Add, bind: Bind) -> Any:
        total: Array | None = None
        for sign, term in expr.terms:
            value = self.evaluate(term, bind)
            value = value if sign == "+" else -value
            if total is None:
                total = value
                continue
            if total.shape != value.shape:
                literal = any(_literal(t) for _, t in expr.terms)
                if not (literal and (total.ndim == 0 or value.ndim == 0)):
                    raise MathError(
                        f"sum of {shown(total.shape)} and {shown(value.shape)}", term.pos
                    )
            total = total + value
        return total

    def _mul(self, expr: Mul, bind: Bind) -> Any:
        result: Array | None = None
        for factor in expr.factors:
            value = self.evaluate(factor, bind)
            result = value if result is None else product(result, value, factor.pos)
        return result

    def _hadamard(self, expr: Hadamard, bind: Bind) -> Any:
        result: Array | None = None
        for factor in expr.factors:
            value = self.evaluate(factor, bind)
            if isinstance(factor, Mul) and not factor.in_brackets:
                arrays = [f for f in factor.factors if f.shape]
                if len(arrays) > 1:
                    raise MathError(r"write (A b) \odot c with brackets", factor.pos)
            if result is not None and result.shape != value.shape:
                raise Untrue(
                    rf"\odot of {shown(result.shape)} and {shown(value.shape)}", factor.pos
                )
            result = value if result is None else result * value
        return result

    def _div(self, expr: Div, bind: Bind) -> Any:
        top, bottom = self.evaluate(expr.top, bind), self.evaluate(expr.bottom, bind)
        if bottom.ndim:
            raise MathError("division by a vector: write it by element", expr.bottom.pos)
        if bottom == 0:
            raise MathError("division by zero", expr.bottom.pos)
        return top / bottom

    def _pow(self, expr: Pow, bind: Bind) -> Any:
        base, exponent = self.evaluate(expr.base, bind), self.evaluate(expr.exponent, bind)
        if exponent.ndim:
            raise MathError("an exponent is a number", expr.exponent.pos)
        if base.ndim == 2 and isinstance(expr.exponent, Add) and exponent == -1:
            return np.linalg.inv(base)
        return power(base, exponent, expr.pos)

    def _transpose(self, expr: Transpose, bind: Bind) -> Any:
        value = self.evaluate(expr.of, bind)
        if value.ndim != 2:
            raise MathError(r"\top of a number", expr.pos)
        return value.T

    def _call(self, expr: Call, bind: Bind) -> Any:
        return call(expr.name, [self.evaluate(a, bind) for a in expr.args], expr.pos)

    def _apply(self, expr: Apply, bind: Bind) -> Any:
        args = [self.evaluate(a, bind) for a in expr.args]
        return self.apply(expr.entry, args, expr.order, expr.pos)

    def apply(self, entry: Entry, args: list[Array], order: int, pos: int) -> Array:
        """A declared function at a point; on numbers it acts on each element."""
        if entry.broken is not None:
            raise entry.broken
        clause = entry.clauses[0] if entry.clauses else None
        if clause is None:
            if not entry.inputs and entry.shape is None:
                raise MathError(f"{entry.base} is not declared", pos)
            if id(entry) not in self.functions:
                self.functions[id(entry)] = self.draw.function(entry, pos)
            smooth = self.functions[id(entry)]
            if order and isinstance(smooth, fn.SmoothMap):
                raise MathError("a prime is for functions of one number", pos)
            if isinstance(smooth, fn.SmoothMap) and args[0].shape != (smooth.A.shape[1], 1):
                raise MathError(f"{entry.base} takes a vector of another size", pos)
            return np.asarray(smooth(args[0], order))
        if order:
            if len(args) != 1:
                raise MathError("a prime is for functions of one number", pos)
            return self._derivative_of_function(entry, args[0], order, pos)
        left = clause.left
        assert isinstance(left, Apply)
        if len(left.args) != len(args):
            raise MathError(f"{entry.base} takes {len(left.args)} arguments", pos)
        names = [a.name for a in left.args if isinstance(a, Param)]
        if entry.inputs:  # of a vector: not element by element
            whole = dict(zip(names, args, strict=True))
            return self.evaluate(clause.right, whole)  # type: ignore[arg-type]
        shape = next((a.shape for a in args if a.ndim), ())
        out = np.empty(shape, dtype=complex)
        for place in np.ndindex(*shape):
            point = {n: (a[place] if a.ndim else a) for n, a in zip(names, args, strict=True)}
            value = self.evaluate(clause.right, point)  # type: ignore[arg-type]
            out[place] = number(value, clause.right)
        complex_in = any(np.iscomplexobj(a) for a in args) or self.imaginary
        return out if complex_in else np.asarray(out.real)

    def _derivative_of_function(self, entry: Entry, x: Array, order: int, pos: int) -> Array:
        def f(t: Array) -> Array:
            return self.apply(entry, [t], order - 1, pos)

        if not np.iscomplexobj(x) and order == 1 and self.method == "complex":
            with suppress(NeedsReal):
                return along_imaginary(f, x)
        return five_points(f, x)

    def _big(self, expr: Big, bind: Bind) -> Any:
        if expr.low is not None and expr.high is not None:
            low, high = self.draw.integer(expr.low, bind), self.draw.integer(expr.high, bind)
        else:
            low, high = self.inferred(expr.letter, expr.body, bind, expr.pos)
        at_most(high - low + 1, f"index {expr.letter} has", expr.pos)
        total: Array | None = None
        for value in range(low, high + 1):
            inner = bind | {expr.letter: value}
            if expr.condition is not None and not self.holds(expr.condition, inner):
                continue
            term = self.evaluate(expr.body, inner)
            if total is None:
                total = term
            elif expr.op == "sum":
                total = total + term
            elif expr.op == "prod":
                total = product(total, term, expr.pos)
            else:
                total = np.asarray((fn.maximum if expr.op == "max" else fn.minimum)(total, term))
        if total is None:
            return np.asarray(1.0 if expr.op == "prod" else 0.0)
        return total

    def inferred(self, letter: str, body: Expr, bind: Bind, pos: int) -> tuple[int, int]:
        """The range of an index: as declared, or the size of the axis that it runs over."""
        if letter in self.scope.ranges:
            return self.draw.limits(letter, self.scope.ranges, bind, pos)
        for ref in _refs(body):
            for axis, element in enumerate(ref.elements):
                if isinstance(element, Index) and element.letter == letter:
                    free = [k for k in ref.key if not indices(k) - bind.keys()]
                    if len(free) == len(ref.key):
                        key = tuple(self.draw.integer(k, bind) for k in ref.key)
                        offset = 0 if ref.sample is None else 1
                        return 1, self.full(ref.entry, key).shape[axis + offset]
        raise MathError(f"index {letter} has no range: write its limits", pos)

    def holds(self, condition: Compare, bind: Bind) -> bool:
        values = [self.evaluate(side, bind) for side in (condition.left, condition.right)]
        if any(v.ndim for v in values):
            raise MathError("a condition compares numbers", condition.pos)
        left, right = (float(np.real(v)) for v in values)
        return {
            "=": left == right, r"\ne": left != right, "<": left < right, ">": left > right,
            r"\le": left <= right, r"\ge": left >= right,
        }[condition.relation]  # fmt: skip

    def _norm(self, expr: Norm, bind: Bind) -> Any:
        value = self.evaluate(expr.of, bind)
        if value.ndim == 0:
            raise MathError(r"the norm of a number: write \lvert a \rvert", expr.pos)
        squared = np.sum(value * value)  # without conj: analytic
        return squared if expr.squared else np.sqrt(squared)

    def _cases(self, expr: Cases, bind: Bind) -> Any:
        for value, condition in expr.rows:
            if condition is None or self.holds(condition, bind):
                return self.evaluate(value, bind)
        raise MathError("no case holds", expr.pos)

    def _matrix(self, expr: Matrix, bind: Bind) -> Any:
        rows = [[self.evaluate(cell, bind) for cell in row] for row in expr.rows]
        if len({len(row) for row in rows}) != 1:
            raise MathError("rows of different lengths", expr.pos)
        return np.block([[np.atleast_2d(cell) for cell in row] for row in rows])

    def _indicator(self, expr: Indicator, bind: Bind) -> Any:
        return float(self.holds(expr.condition, bind))

    # -- derivatives

    def _gradient(self, expr: Gradient, bind: Bind) -> Any:
        return self.gradient_of(expr.entry, self.evaluate(expr.at, bind), expr.pos)

    def gradient_of(self, entry: Entry, at: Array, pos: int) -> Array:
        """The gradient of a declared function at a point; for one number its derivative."""

        def f(x: Array) -> Array:
            return self.apply(entry, [x], 0, pos)

        if at.ndim == 0:
            return self.apply(entry, [at], 1, pos)
        if not np.iscomplexobj(at) and self.method == "complex":
            with suppress(NeedsReal):
                return gradient(f, at, "complex")
        return gradient(f, at, "central")

    def _diff(self, expr: Diff, bind: Bind) -> Any:
        by = expr.by
        entry = by.entry.stacked or by.entry
        node = (entry, tuple(self.draw.integer(k, bind) for k in by.key))
        storage = np.array(self.full(*node))
        if self.imaginary or any(np.iscomplexobj(value) for value in bind.values()):
            raise NeedsReal
        places = self._places(by, storage, bind)
        shape = self.evaluate(by, bind).shape

        def f(values: Array) -> Array:
            env = Env(self.draw, {**self.overrides, node: values}, self, self.method)
            return env.evaluate(expr.of, bind)

        method = self.method
        try:
            columns = [partial(f, storage, place, method) for place in places]
        except NeedsReal:
            columns = [partial(f, storage, place, "central") for place in places]
        outer = columns[0].shape
        if outer == ():
            return np.array(columns).reshape(shape)
        if shape == ():
            return columns[0]
        if outer[1:] == (1,) and shape[1:] == (1,):
            return np.concatenate(columns, axis=1)  # Jacobian: numerator layout
        raise MathError(
            f"the derivative of {shown(outer)} by {shown(shape)} is no matrix: use indices",
            expr.pos,
        )

    def _places(self, by: Ref, storage: Array, bind: Bind) -> list[tuple[int, ...]]:
        """The numbers in storage that the denominator names, in the order of its shape."""
        fixed: list[int] = []
        if by.sample is not None:
            fixed.append(self.draw.integer(by.sample, bind) - 1)
        fixed += [self.draw.integer(e, bind) - 1 for e in by.elements]
        rest = storage.shape[len(fixed) :]
        return [(*fixed, *place) for place in np.ndindex(*rest)]


# --- small helpers --------------------------------------------------------------------------------


def _literal(expr: Expr) -> bool:
    return isinstance(expr, Num)


def _refs(expr: Expr) -> Iterator[Ref]:
    if isinstance(expr, Ref):
        yield expr
    for child in children(expr):
        yield from _refs(child)
