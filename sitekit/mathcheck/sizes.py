"""Random sizes: every letter its own number, so that no transpose fits by chance."""

from __future__ import annotations

import numpy as np

from sitekit.mathcheck.errors import BadDraw, MathError
from sitekit.mathcheck.expression import Add, Entry, Expr, Index, Mul, Num, Size
from sitekit.mathcheck.pieces import letters, names_in
from sitekit.mathcheck.resolve import Resolver
from sitekit.mathcheck.scope import Range, Scope
from sitekit.mathcheck.syntax import Raw

Bind = dict[str, int]  # the values of index letters
MOST_VALUES = 1000  # of one index: sizes are small, so more of them means that one is a number


def at_most(values: int, what: str, pos: int | None) -> None:
    """Refuse what would be computed for minutes."""
    if values > MOST_VALUES:
        raise MathError(
            f"{what} {values} values, at most {MOST_VALUES} are computed: "
            "write the limit as a letter",
            pos,
        )


class Sizes:
    """Random sizes, all different and at least 2; ``table`` has those that were asked for."""

    def __init__(self, scope: Scope, rng: np.random.Generator) -> None:
        self.scope = scope
        small, large = rng.permutation([2, 3, 4, 5]), rng.permutation([6, 7, 8, 9])
        self._pool = [int(s) for s in (*small, *large, *range(10, 40))]
        self.table: dict[tuple[str, tuple[int, ...]], int] = {}
        self._resolved: dict[Raw, Expr] = {}
        self._resolver = Resolver(scope, set(scope.ranges))
        for letter in self._family_letters():  # how many layers, how many steps
            high = scope.ranges[letter].high
            for name in _size_names(high) + _size_names(scope.ranges[letter].low):
                self.named(name, (), from_small=True)

    def _family_letters(self) -> list[str]:
        families = [e for entries in self.scope.entries.values() for e in entries]
        keys = {letter for entry in families for letter in entry.letters}
        return [k for k in self.scope.ranges if k in keys]

    def named(self, base: str, key: tuple[int, ...], from_small: bool = False) -> int:
        """The size of this name: ``n`` or a member of a family, ``n_2``."""
        if (base, key) not in self.table:
            alias = self._alias(base, key)
            if alias is not None:
                self.table[base, key] = alias
            elif from_small:
                chosen = min(self._pool, key=lambda s: (s > 4 or s < 3, s))
                self._pool.remove(chosen)
                self.table[base, key] = chosen
            elif self._pool:
                self.table[base, key] = self._pool.pop(0)
            else:
                raise MathError(f"{base} is one size too many: at most {len(self.table)} of them")
        return self.table[base, key]

    def _alias(self, base: str, key: tuple[int, ...]) -> int | None:
        """``n_0 = d``."""
        for left, right in self.scope.aliases:
            node = self._resolver.inside(left)
            if isinstance(node, Size) and node.base == base:
                at = tuple(self.integer(k, {}) for k in node.key)
                if at == key:
                    return self.integer(self._resolver.inside(right), {})
        return None

    def size(self, node: Size, bind: Bind) -> int:
        return self.named(node.base, tuple(self.integer(k, bind) for k in node.key))

    def integer(self, expr: Expr, bind: Bind) -> int:
        """The value of an index or size expression."""
        match expr:
            case Num():
                return int(expr.value)
            case Index():
                if expr.letter not in bind:
                    raise MathError(f"index {expr.letter} has no range here", expr.pos)
                return bind[expr.letter]
            case Size():
                return self.size(expr, bind)
            case Add():
                return sum((1 if s == "+" else -1) * self.integer(t, bind) for s, t in expr.terms)
            case Mul():
                return int(np.prod([self.integer(f, bind) for f in expr.factors]))
        raise MathError("expected an index such as l + 1", expr.pos)

    def shape(self, raw: tuple[Raw, ...], entry: Entry, key: tuple[int, ...]) -> tuple[int, ...]:
        """The sizes of a declared shape; index letters of the key have their values."""
        bind = dict(zip(entry.letters, key, strict=True))
        try:
            sizes = tuple(self.integer(self.resolved(r, entry.letters), bind) for r in raw)
        except MathError as error:  # its place is in the declaration
            raise MathError(f"in the shape of {entry.name}: {error.message}") from None
        if any(size < 1 for size in sizes):
            raise BadDraw
        return sizes

    def resolved(self, raw: Raw, also: tuple[str, ...] = ()) -> Expr:
        """A size as an expression; resolved once."""
        if raw not in self._resolved:
            letters = set(self.scope.ranges).union(also)
            self._resolved[raw] = Resolver(self.scope, letters).inside(raw)
        return self._resolved[raw]

    def limits(
        self, letter: str, ranges: dict[str, Range], bind: Bind, pos: int | None
    ) -> tuple[int, int]:
        """First and last value of an index letter."""
        found = ranges.get(letter) or self.scope.ranges.get(letter)
        if found is None:
            raise MathError(f"index {letter} has no range: write ${letter} = 1, \\dots, …$", pos)
        try:
            low = self.integer(self.resolved(found.low), bind)
            high = self.integer(self.resolved(found.high), bind)
        except MathError as error:  # its place is in the declaration
            raise MathError(f"in the range of {letter}: {error.message}", pos) from None
        at_most(abs(high - low) + 1, f"index {letter} has", pos)
        return min(low, high), max(low, high)


def _size_names(raw: Raw) -> list[str]:
    text = letters(raw)
    return names_in(raw) if text is None or not text.isdigit() else []
