"""What a formula means: expressions with their symbols resolved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sitekit.mathcheck.errors import MathError
from sitekit.mathcheck.syntax import Raw


@dataclass(eq=False)
class Entry:
    """A symbol: declared, defined, or both. A family (W_l) has a key with an index letter in it."""

    base: str
    key: tuple[str, ...] = ()  # "1", "B", or an index letter; ``free`` says which are letters
    free: tuple[bool, ...] = ()
    sample: str | None = None  # the letter i of x^{(i)}
    shape: tuple[Raw, ...] | None = None  # None: as its definition has it
    kind: str = "value"  # value, function, ones, one-hot, set, number
    choices: tuple[float, ...] = ()  # of a set
    count: Raw | None = None  # of a number: the largest that it may be
    interval: tuple[float, float] | None = None
    positive: bool = False
    inputs: tuple[Raw, ...] = ()  # of a function: the shape of its argument
    stacked: Entry | None = None  # X, whose rows are x^{(i)}: the entry of x
    clauses: list[Clause] = field(default_factory=list)
    ranges: dict[str, Any] = field(default_factory=dict)  # of the indices, where it was declared
    pos: int = 0
    broken: MathError | None = None  # why the equation that defines it can't be read

    @property
    def letters(self) -> tuple[str, ...]:
        """The index letters of the key: what tells the members of a family apart."""
        return tuple(k for k, free in zip(self.key, self.free, strict=True) if free)

    @property
    def name(self) -> str:
        script = "_{" + ",".join(self.key) + "}" if self.key else ""
        return self.base + script + ("^{(" + self.sample + ")}" if self.sample else "")


@dataclass(eq=False)
class Clause:
    """One equation that defines (part of) an entry: ``left = right``."""

    left: Ref | Apply
    right: Expr
    source: Any  # the Statement it comes from, for errors


@dataclass(eq=False)
class Expr:
    """Any expression; ``pos`` is its place in the formula."""

    pos: int

    def __post_init__(self) -> None:
        self.in_brackets = False
        self.shape: tuple[int, ...] = ()  # of the last evaluation; the emitter asks for it


@dataclass(eq=False)
class Num(Expr):
    value: float
    text: str


@dataclass(eq=False)
class Const(Expr):
    name: str  # pi


@dataclass(eq=False)
class Size(Expr):
    base: str
    key: tuple[Expr, ...]


@dataclass(eq=False)
class Index(Expr):
    letter: str


@dataclass(eq=False)
class Ref(Expr):
    entry: Entry
    key: tuple[Expr, ...]  # of a family: which member
    sample: Expr | None
    elements: tuple[Expr, ...]


@dataclass(eq=False)
class Param(Expr):
    """The argument of a function inside its own definition."""

    name: str


@dataclass(eq=False)
class Add(Expr):
    terms: list[tuple[str, Expr]]


@dataclass(eq=False)
class Mul(Expr):
    factors: list[Expr]


@dataclass(eq=False)
class Hadamard(Expr):
    factors: list[Expr]


@dataclass(eq=False)
class Div(Expr):
    top: Expr
    bottom: Expr


@dataclass(eq=False)
class Pow(Expr):
    base: Expr
    exponent: Expr


@dataclass(eq=False)
class Transpose(Expr):
    of: Expr


@dataclass(eq=False)
class Call(Expr):
    """A function that everybody knows: exp, max, softmax, …"""

    name: str
    args: list[Expr]


@dataclass(eq=False)
class Apply(Expr):
    """A declared function, or one of its derivatives (``order`` primes)."""

    entry: Entry
    args: list[Expr]
    order: int


@dataclass(eq=False)
class Big(Expr):
    op: str  # sum, prod, max, min
    letter: str
    low: Expr | None
    high: Expr | None
    condition: Compare | None
    body: Expr


@dataclass(eq=False)
class Norm(Expr):
    of: Expr
    squared: bool


@dataclass(eq=False)
class Compare(Expr):
    relation: str
    left: Expr
    right: Expr


@dataclass(eq=False)
class Cases(Expr):
    rows: list[tuple[Expr, Compare | None]]


@dataclass(eq=False)
class Matrix(Expr):
    rows: list[list[Expr]]


@dataclass(eq=False)
class Indicator(Expr):
    condition: Compare


@dataclass(eq=False)
class Diff(Expr):
    """The derivative of ``of`` by ``by``: all that comes after ``by`` is computed again."""

    of: Expr
    by: Ref


@dataclass(eq=False)
class Gradient(Expr):
    """∇f(x) of a declared function at a point."""

    entry: Entry
    at: Expr


def children(expr: Expr) -> list[Expr]:
    """All expressions directly below one."""
    found: list[Expr] = []

    def collect(value: object) -> None:
        if isinstance(value, Expr):
            found.append(value)
        elif isinstance(value, list | tuple):
            for item in value:
                collect(item)

    for value in vars(expr).values():
        collect(value)
    return found


def indices(expr: Expr, bound: frozenset[str] = frozenset()) -> set[str]:
    """The index letters that are free in an expression."""
    if isinstance(expr, Index):
        return set() if expr.letter in bound else {expr.letter}
    if isinstance(expr, Big):
        inside = indices(expr.body, bound | {expr.letter})
        if expr.condition:
            inside |= indices(expr.condition, bound | {expr.letter})
        limits = [e for e in (expr.low, expr.high) if e]
        return inside.union(*(indices(e, bound) for e in limits)) if limits else inside
    return set().union(*(indices(child, bound) for child in children(expr)))
