"""The symbols of a section: what is declared, what is defined, and what each equation claims."""

from __future__ import annotations

from dataclasses import dataclass, field

from sitekit.mathcheck.errors import MathError
from sitekit.mathcheck.expression import Entry, Expr
from sitekit.mathcheck.page import Equation
from sitekit.mathcheck.pieces import letters
from sitekit.mathcheck.syntax import Raw


@dataclass(frozen=True)
class Range:
    """i = low, …, high."""

    low: Raw
    high: Raw


@dataclass(frozen=True, eq=False)
class Statement:
    """An equation of the section with its meaning: sides[0] = sides[1] = …"""

    equation: Equation
    page: str
    sides: tuple[Expr, ...]
    ranges: dict[str, Range]
    defines: bool  # sides[0] is defined by sides[1]; only later sides are claims


@dataclass
class Scope:
    """What a section knows, in the order in which the page says it."""

    page: str
    entries: dict[str, list[Entry]] = field(default_factory=dict)
    sizes: set[str] = field(default_factory=set)
    aliases: list[tuple[Raw, Raw]] = field(default_factory=list)
    ranges: dict[str, Range] = field(default_factory=dict)
    here: dict[str, Range] = field(default_factory=dict)  # as they are where we read now
    statements: list[Statement] = field(default_factory=list)
    errors: list[MathError] = field(default_factory=list)  # of equations that can't be read
    # Inline formulas that look like a declaration and are none: what they name, their line.
    unread: list[tuple[str, str]] = field(default_factory=list)

    def find(
        self, base: str, items: list[Raw], sampled: bool | None = None
    ) -> tuple[Entry, int] | None:
        """The entry that a symbol with these subscripts belongs to, and how many are its key.

        ``sampled`` asks for one with a sample (``x^{(i)}``) or for one without.
        """
        best: tuple[Entry, int] | None = None
        for entry in self.entries.get(base, []):
            if sampled is not None and (entry.sample is not None) != sampled:
                continue
            n = len(entry.key)
            fits = n <= len(items) and all(
                is_free or letters(item) == key
                for item, key, is_free in zip(items, entry.key, entry.free, strict=False)
            )
            if fits and (best is None or _rank(entry) > _rank(best[0])):
                best = entry, n
        return best

    def add(self, entry: Entry) -> Entry:
        """Enter a symbol; saying the same thing twice is allowed, two different things are not."""
        for old in self.entries.get(entry.base, []):
            if old.key == entry.key and old.free == entry.free and old.sample == entry.sample:
                same = old.kind == entry.kind and same_shape(old.shape, entry.shape)
                if entry.shape is not None and old.shape is not None and not same:
                    raise MathError(f"{entry.name} is declared twice, in two ways", entry.pos)
                return old
        for old in self.entries.get(entry.base, []):
            clash = len(old.key) != len(entry.key) or any(old.free) != any(entry.free)
            family = any(old.free) or any(entry.free)
            if entry.shape is not None and old.shape is not None:
                short, long = sorted((old, entry), key=lambda e: len(e.key))
                if short.shape and len(long.key) - len(short.key) == len(short.shape):
                    raise MathError(
                        f"{entry.name} and {old.name} may be the same: declare one of them"
                    )
                continue  # both are declared: they are two things
            if clash and family and old.sample == entry.sample:
                raise MathError(f"{entry.name} and {old.name} may be the same: declare one of them")
        if entry.base in self.sizes and not entry.key:
            raise MathError(f"{entry.base} is a size already: give the symbol its own letter")
        entry.ranges = self.ranges | self.here
        self.entries.setdefault(entry.base, []).append(entry)
        return entry


def same_shape(one: tuple[Raw, ...] | None, other: tuple[Raw, ...] | None) -> bool:
    return _spelled(one) == _spelled(other)


def _spelled(raw: object) -> object:
    """A raw piece without its places."""
    if isinstance(raw, Raw) and (text := letters(raw)) is not None:
        return text
    if isinstance(raw, Raw):
        return raw.kind, _spelled(raw.parts)
    return tuple(map(_spelled, raw)) if isinstance(raw, tuple) else raw


def _rank(entry: Entry) -> tuple[int, int]:
    return len(entry.key), -sum(entry.free)
