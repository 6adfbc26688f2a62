"""Families of symbols (W_l): their members, and which equation defines which of them."""

from __future__ import annotations

import numpy as np

from sitekit.mathcheck.errors import MathError
from sitekit.mathcheck.expression import Clause, Entry, Ref, indices
from sitekit.mathcheck.scope import Scope
from sitekit.mathcheck.sizes import Bind, Sizes


def unify(sizes: Sizes, clause: Clause, key: tuple[int, ...]) -> Bind | None:
    """The index letters with which a clause defines this member; None if it defines others."""
    assert isinstance(clause.left, Ref)
    bind: Bind = {}
    for pattern, value in zip(clause.left.key, key, strict=True):
        free = sorted(indices(pattern))
        if not free:
            if sizes.integer(pattern, {}) != value:
                return None
            continue
        (letter,) = free
        offset = sizes.integer(pattern, {letter: 0})
        bind[letter] = value - offset
        ranges = clause.source.ranges
        if letter in ranges or letter in sizes.scope.ranges:
            low, high = sizes.limits(letter, ranges, {}, pattern.pos)
            if not low <= bind[letter] <= high:
                return None
    return bind


def clause_of(sizes: Sizes, entry: Entry, key: tuple[int, ...]) -> Clause | None:
    """The clause for a member: literal ones (h_0) before families (h_l), within its range."""
    best: tuple[int, Clause] | None = None
    for clause in entry.clauses:
        bind = unify(sizes, clause, key)
        if bind is None:
            continue
        literal = len(key) - len(bind)
        if best is None or literal > best[0]:
            best = literal, clause
    return best[1] if best else None


def within(sizes: Sizes, entry: Entry, key: tuple[int, ...]) -> None:
    """A family ends where its index does; one before its first is allowed: h_0."""
    for letter, value in zip(entry.letters, key, strict=True):
        if letter in entry.ranges:
            low, high = sizes.limits(letter, entry.ranges, {}, None)
            if not low - 1 <= value <= high:
                raise MathError(f"there is no {entry.name} with {letter} = {value}")


def covers(scope: Scope, clause: Clause, left: Ref) -> bool:
    """Whether a clause for a family defines this member of it: a_1 where a_l is defined."""
    sizes = Sizes(scope, np.random.default_rng(0))
    try:
        key = tuple(sizes.integer(k, {}) for k in left.key)
        return unify(sizes, clause, key) is not None
    except MathError:
        return False
