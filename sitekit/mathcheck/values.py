"""The values of symbols in one draw: each is computed once, from what it is defined by."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from sitekit.mathcheck.draw import Draw, Node
from sitekit.mathcheck.errors import MathError
from sitekit.mathcheck.expression import Clause, Entry, Expr, Index, Ref
from sitekit.mathcheck.families import clause_of, unify, within
from sitekit.mathcheck.functions import Array
from sitekit.mathcheck.operations import shown
from sitekit.mathcheck.scope import Statement
from sitekit.mathcheck.sizes import Bind


class Values(ABC):
    """Values of one draw; ``overrides`` replace some of them, and what depends on them follows.

    What does not depend on them is taken from ``base``, the values without these overrides.
    """

    def __init__(
        self,
        draw: Draw,
        overrides: dict[Node, Array] | None = None,
        base: Values | None = None,
    ) -> None:
        self.draw, self.scope = draw, draw.scope
        self.overrides = overrides or {}
        self.base = base
        self.memo: dict[Node, Array] = {}
        self.deps: dict[Node, frozenset[Node]] = {}
        self._reading: list[set[Node]] = []
        self._active: list[Node] = []
        self.imaginary = any(np.iscomplexobj(v) for v in self.overrides.values())
        self.imaginary |= base.imaginary if base else False

    def full(self, entry: Entry, key: tuple[int, ...]) -> Array:
        """All of a symbol: samples along the first axis."""
        if entry.stacked is not None:
            return self.full(entry.stacked, key)
        node = (entry, key)
        for reading in self._reading:
            reading.add(node)
        if node in self.overrides:
            return self.overrides[node]
        if node not in self.memo:
            if self.base is not None:
                value = self.base.full(entry, key)
                needs = self.base.dependencies(node)
                if not needs & self.overrides.keys():
                    return value
            self._compute(node)
        for reading in self._reading:
            reading |= self.deps[node]
        return self.memo[node]

    def dependencies(self, node: Node) -> frozenset[Node]:
        if node in self.deps:
            return self.deps[node]
        if node in self.overrides:
            return frozenset()
        return self.base.dependencies(node) if self.base else frozenset()

    def _compute(self, node: Node) -> None:
        if node in self._active:
            raise MathError(f"{node[0].name} is defined by itself")
        self._active.append(node)
        self._reading.append(set())
        try:
            self.memo[node] = self._value(*node)
        finally:
            self._active.pop()
            read = self._reading.pop()
        self.deps[node] = frozenset(read)

    def _value(self, entry: Entry, key: tuple[int, ...]) -> Array:
        if entry.broken is not None:
            raise entry.broken
        clause = clause_of(self.draw, entry, key)
        if clause is None:
            partner = self._stack_clause(entry, key)
            if partner is not None:
                return self._defined(partner[1], partner[0], key)
            within(self.draw, entry, key)
            return self.draw.given(entry, key, self._samples(entry))
        return self._defined(clause, entry, key)

    def _samples(self, entry: Entry) -> int | None:
        if entry.sample is None:
            return None
        low, high = self.draw.limits(entry.sample, entry.ranges, {}, None)
        return high - low + 1

    def _stack_clause(self, entry: Entry, key: tuple[int, ...]) -> tuple[Entry, Clause] | None:
        """The definition of X, where x^{(i)} has none of its own."""
        for entries in self.scope.entries.values():
            for other in entries:
                if other.stacked is entry and (clause := clause_of(self.draw, other, key)):
                    return other, clause
        return None

    def _defined(self, clause: Clause, entry: Entry, key: tuple[int, ...]) -> Array:
        """Assemble a symbol from its defining equation, element by element where it says so."""
        statement: Statement = clause.source
        try:
            value = self._assembled(clause, entry, key)
        except MathError as error:
            raise error.located(
                statement.equation.tex, statement.page, statement.equation.line
            ) from None
        return value

    def _assembled(self, clause: Clause, entry: Entry, key: tuple[int, ...]) -> Array:
        left, right = clause.left, clause.right
        assert isinstance(left, Ref)
        bind = unify(self.draw, clause, key)
        assert bind is not None
        declared = None if entry.shape is None else self.draw.shape(entry.shape, entry, key)
        ranges = clause.source.ranges

        def one(at: Bind) -> Array:
            if not left.elements:
                value = _stored(self.evaluate(right, at))
                value = value.reshape(1) if declared == (1,) and value.ndim == 0 else value
                if declared is not None and value.shape != declared:
                    raise MathError(
                        f"{entry.name} is declared as {shown(declared)}, "
                        f"its definition is {shown(value.shape)}",
                        right.pos,
                    )
                return value
            if declared is None or len(declared) != len(left.elements):
                raise MathError(f"declare the shape of {entry.name}", left.pos)
            names = []
            for element in left.elements:
                if not isinstance(element, Index):
                    raise MathError("define whole symbols or all elements by index", element.pos)
                names.append(element.letter)
            out = np.empty(declared, dtype=complex)
            for place in np.ndindex(*declared):
                inner = at | {n: p + 1 for n, p in zip(names, place, strict=True)}
                out[place] = number(self.evaluate(right, inner), right)
            return out if np.any(out.imag) or self.imaginary else out.real

        if left.sample is None:
            return one(bind)
        if not isinstance(left.sample, Index):
            raise MathError("define all samples at once: ^{(i)}", left.pos)
        letter = left.sample.letter
        low, high = self.draw.limits(letter, ranges, bind, left.pos)
        return np.stack([one(bind | {letter: i}) for i in range(low, high + 1)])

    @abstractmethod
    def evaluate(self, expr: Expr, bind: Bind) -> Array:
        """The value: numbers are 0-d, vectors columns (n × 1), matrices 2-d."""


def _stored(value: Array) -> Array:
    """A column is stored as a vector."""
    return value[:, 0] if value.ndim == 2 and value.shape[1] == 1 else value


def number(value: Array, expr: Expr) -> Any:
    """The one number that an expression must be."""
    if value.ndim:
        raise MathError(f"expected a number, this is {shown(value.shape)}", expr.pos)
    return value[()]
