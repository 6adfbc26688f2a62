"""The symbols of a section: what is declared, what is defined, and what each equation claims."""

from __future__ import annotations

from dataclasses import dataclass, field

from sitekit.mathcheck.errors import MathError
from sitekit.mathcheck.expression import (
    Apply,
    Clause,
    Diff,
    Div,
    Entry,
    Expr,
    Num,
    Param,
    Ref,
    indices,
)
from sitekit.mathcheck.page import Equation, Inline, Page, Section
from sitekit.mathcheck.resolve import BUILTINS, Resolver, letters, shape_of, symbol
from sitekit.mathcheck.syntax import Raw, parse


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

    def find(self, base: str, items: list[Raw]) -> tuple[Entry, int] | None:
        """The entry that a symbol with these subscripts belongs to, and how many are its key."""
        best: tuple[Entry, int] | None = None
        for entry in self.entries.get(base, []):
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
                same = old.kind == entry.kind and _same_shape(old.shape, entry.shape)
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


def _same_shape(one: tuple[Raw, ...] | None, other: tuple[Raw, ...] | None) -> bool:
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


def build(section: Section, page: Page, pages: dict[str, Page]) -> Scope:
    """Return the scope of a section with the statements that are its own."""
    scope = Scope(str(page.path))
    seen: set[int] = set()
    for outer in section.parents:
        _include(outer, page, pages, scope, seen)
    _include(section, page, pages, scope, seen, own=True)
    return scope


def _include(
    section: Section,
    page: Page,
    pages: dict[str, Page],
    scope: Scope,
    seen: set[int],
    own: bool = False,
) -> None:
    if id(section) in seen:
        return
    seen.add(id(section))
    for name, line in section.uses:
        other, _, anchor = name.rpartition("#")
        target_page = pages.get(str((page.path.parent / other).resolve())) if other else page
        target = target_page.section(anchor or name) if target_page else None
        if target is None or target_page is None:
            error = MathError(f"no section {name!r} to use", 0)
            raise error.located(name, str(page.path), line)
        for outer in (*target.parents, target):  # a section brings along what it sees itself
            _include(outer, target_page, pages, scope, seen)
    # Declarations come first: an equation may stand above the table that names its symbols.
    snapshots: dict[int, dict[str, Range]] = {}
    rows: dict[int, list[Entry]] = {}
    inlines = [item for item in section.items if isinstance(item, Inline)]
    for item in section.items:
        if isinstance(item, Inline):
            _guard(lambda item=item: _range(item, scope), item, page)
        snapshots[id(item)] = dict(scope.ranges)
    for inline in inlines:
        _guard(lambda inline=inline: _size_names(inline, scope), inline, page)
    for inline in inlines:
        scope.here = snapshots[id(inline)]
        found = _guard(lambda inline=inline: _declare(inline, scope), inline, page)
        if found and inline.row is not None:
            rows.setdefault(inline.row, []).extend(found)
    for inline in inlines:  # c > 0 declares what is not declared otherwise
        _guard(lambda inline=inline: _positive_ones(inline, scope), inline, page)
    for entries in rows.values():
        _bind_rows(entries)
    checked = [e for e in section.equations if e.unchecked is None]
    for equation in checked:
        if not equation.false:
            _guard(lambda e=equation: _enter(e, scope), equation, page)
    for inline in inlines:
        scope.here = snapshots[id(inline)]
        _guard(lambda inline=inline: _meaning(inline, scope, page), inline, page)
    for item in section.items:
        if isinstance(item, Equation) and item.unchecked is None and (own or not item.false):
            # An index means the last range above; with none above, the one declared below.
            ranges = scope.ranges | snapshots[id(item)]
            statement = _guard(lambda i=item, r=ranges: _state(i, r, scope, page), item, page)
            if own:
                scope.statements.append(statement)


def _guard(action, item, page):  # type: ignore[no-untyped-def]
    """Run one reading step; an error learns where it stands."""
    try:
        return action()
    except MathError as error:
        raise error.located(item.tex, str(page.path), item.line) from None
    except Exception as error:  # an author should not meet Python's own words
        strange = MathError("this can't be read: check its brackets and arguments", 0)
        raise strange.located(item.tex, str(page.path), item.line) from error


# --- inline formulas --------------------------------------------------------------------------


def _parsed(inline: Inline) -> list[Raw]:
    """The chains of an inline formula; none if it is not one that we could read."""
    try:
        return list(parse(inline.tex).parts)
    except MathError:
        return []


def _relations(chain: Raw) -> list[str]:
    return [p for p in chain.parts if isinstance(p, str)]


def _sides(chain: Raw) -> list[Raw]:
    return [p for p in chain.parts if isinstance(p, Raw)]


def _range(inline: Inline, scope: Scope) -> None:
    r"""``i = 1, \dots, N``, also downwards."""
    if r"\dots" not in inline.tex and r"\ldots" not in inline.tex:
        return
    chains = _parsed(inline)
    dots = [k for k, c in enumerate(chains) if letters(c) in (r"\dots", r"\ldots")]
    if len(dots) != 1 or dots[0] != len(chains) - 2 or not chains:
        return
    first = _sides(chains[0])
    if _relations(chains[0]) != ["="] or len(first) != 2:
        return
    letter = letters(first[0])
    if letter is None or not (len(letter) == 1 or letter.startswith("\\")):
        return
    low, high = first[1], _sides(chains[-1])[0]
    if letters(high) == "1" or letters(high) == "0":
        low, high = high, low
    scope.ranges[letter] = Range(low, high)
    for name in names_in(low) + names_in(high):
        scope.sizes.add(name)


def _size_names(inline: Inline, scope: Scope) -> None:
    """Letters in shapes are sizes; ``n_0 = d`` makes two of them equal."""
    for chain in _parsed(inline):
        relations, sides = _relations(chain), _sides(chain)
        if r"\in" in relations or r"\colon" in relations:
            for side in sides[1:]:
                for dimension in shape_of(side) or ():
                    for name in names_in(dimension):
                        scope.sizes.add(name)


def names_in(raw: Raw) -> list[str]:
    """All letters with their accents below a raw piece, subscripts left out."""
    found: list[str] = []
    if raw.kind == "factor":
        name = symbol(raw.parts[0])
        return [name] if name else [n for p in raw.parts if isinstance(p, Raw) for n in names_in(p)]
    for part in raw.parts:
        if isinstance(part, Raw):
            found += names_in(part)
    return found


def _declare(inline: Inline, scope: Scope) -> list[Entry]:
    """Enter what an inline formula declares."""
    chains = _parsed(inline)
    if not chains:
        return []
    last = _relations(chains[-1])
    if any(_relations(c) for c in chains[:-1]):
        return []
    if last and last[0] == r"\in" and len(last) == 1:
        names = [_sides(c)[0] for c in chains]
        return [e for name in names if (e := _member(name, _sides(chains[-1])[1], scope))]
    if last in ([r"\colon", r"\to"], [r"\colon"]) and len(last) == 2:
        source, target = _sides(chains[-1])[1:]
        return [
            e for c in chains if (e := _function(_sides(c)[0], source, target, scope)) is not None
        ]
    if last == ["="] and len(chains) == 1:
        left, right = _sides(chains[0])
        sizes = names_in(left)
        if len(sizes) == 1 and sizes[0] in scope.sizes and sizes[0] not in scope.entries:
            known = set(names_in(right)) <= scope.sizes and bool(names_in(right))
            if known and letters(left) is not None and (left, right) not in scope.aliases:
                scope.aliases.append((left, right))
    return []


def _new(name: Raw, scope: Scope) -> Entry | None:
    """An entry for a symbol as declared: its base, key and sample."""
    resolver = Resolver(scope, set(scope.ranges))
    found = resolver.declared(name)
    if found is None:
        return None
    base, key, free, sample = found
    return Entry(base, key, free, sample, pos=name.pos)


def _member(name: Raw, target: Raw, scope: Scope) -> Entry | None:
    entry = _new(name, scope)
    if entry is None:
        return None
    shape = shape_of(target)
    if shape is not None:
        entry.shape = shape
        if entry.base == r"\mathbf{1}":
            entry.kind = "ones"
    elif (choices := _choices(target)) is not None:
        entry.shape, entry.kind, entry.choices = (), "set", choices
    elif (size := _one_hot(target)) is not None:
        entry.shape, entry.kind = (size,), "one-hot"
        for letter in names_in(size):
            scope.sizes.add(letter)
    elif (interval := _interval(target)) is not None:
        entry.shape, entry.interval = (), interval
    else:
        return None
    return scope.add(entry)


def _function(name: Raw, source: Raw, target: Raw, scope: Scope) -> Entry | None:
    entry = _new(name, scope)
    inputs, shape = shape_of(source), shape_of(target)
    if entry is None or inputs is None or shape is None:
        return None
    entry.kind, entry.inputs, entry.shape = "function", inputs, shape
    return scope.add(entry)


def _positive_ones(inline: Inline, scope: Scope) -> None:
    chains = _parsed(inline)
    if not chains or _relations(chains[-1]) != [">"] or any(map(_relations, chains[:-1])):
        return
    if letters(_sides(chains[-1])[1]) == "0":
        for chain in chains:
            _positive(_sides(chain)[0], scope)


def _positive(name: Raw, scope: Scope) -> Entry | None:
    entry = _new(name, scope)
    if entry is None or entry.base in scope.sizes:
        return None
    known = scope.find(entry.base, [])
    if known and known[0].key == entry.key:
        return None  # a remark about a case, such as "for a > 0"
    entry.shape, entry.positive = (), True
    return scope.add(entry)


def _atom(side: Raw, kind: str) -> Raw | None:
    if len(side.parts) == 1 and len(side.parts[0].parts) == 1:
        piece = side.parts[0].parts[0]
        if piece.kind == "factor" and len(piece.parts) == 1 and piece.parts[0].kind == kind:
            return piece.parts[0]
    return None


def _choices(side: Raw) -> tuple[float, ...] | None:
    r"""``\{0, 1\\}`` or ``\{-1, 1\\}``."""
    atom = _atom(side, "braces")
    if atom is None:
        return None
    values = []
    for chain in atom.parts[0].parts:
        text = letters(chain)
        if text is None:
            return None
        try:
            values.append(float(text))
        except ValueError:
            return None
    return tuple(values)


def _one_hot(side: Raw) -> Raw | None:
    r"""``\{e_1, \dots, e_m\\}``: the unit vectors."""
    atom = _atom(side, "braces")
    if atom is None or len(atom.parts[0].parts) != 3:
        return None
    last = _sides(atom.parts[0].parts[2])[0]
    factor = last.parts[0].parts[0]
    if factor.kind != "factor" or symbol(factor.parts[0]) != "e" or len(factor.parts) != 2:
        return None
    return _sides(factor.parts[1].parts[0].parts[0])[0]


def _interval(side: Raw) -> tuple[float, float] | None:
    atom = _atom(side, "paren") or _atom(side, "bracket")
    if atom is None or len(atom.parts[0].parts) != 2:
        return None
    ends = [letters(chain) for chain in atom.parts[0].parts]
    try:
        return float(ends[0] or ""), float(ends[1] or "")
    except ValueError:
        return None


def _bind_rows(entries: list[Entry]) -> None:
    """In one row of a table: x^{(i)} with d numbers and X with N × d say that X stacks the x."""
    singles = [e for e in entries if e.sample and e.shape is not None]
    wholes = [e for e in entries if not e.sample and e.shape and e.kind == "value"]
    for single, whole in zip(singles, wholes, strict=False):
        assert single.shape is not None
        assert single.sample is not None
        assert whole.shape is not None
        samples = single.ranges.get(single.sample)
        rows, *rest = whole.shape
        fits = samples is not None and letters(rows) == letters(samples.high)
        if fits and whole.key == single.key and _same_shape(tuple(rest), single.shape):
            whole.stacked = single


def _meaning(inline: Inline, scope: Scope, page: Page) -> None:
    r"""``\delta = \frac{\partial J}{\partial a}`` says what a declared symbol stands for."""
    if r"\partial" not in inline.tex and r"\nabla" not in inline.tex:
        return
    chains = _parsed(inline)
    if len(chains) != 1 or _relations(chains[0])[:1] != ["="]:
        return
    left, right, *more = _sides(chains[0])
    resolver = Resolver(scope, set(scope.ranges))
    if not _is_declared(left, resolver, scope) and _is_declared(right, resolver, scope):
        left, right = right, left
    if not _is_declared(left, resolver, scope):
        return
    lhs = resolver.side(left)
    if not isinstance(lhs, Ref) or lhs.entry.clauses:
        return
    rhs = resolver.side(right)
    if not isinstance(rhs, Diff):
        if r"\partial" in inline.tex.split("=")[1] and isinstance(rhs, Div):
            raise MathError(r"write the meaning as \frac{\partial J}{\partial a}", right.pos)
        return
    if more:
        raise MathError("write the meaning and the shape as two formulas", more[0].pos)
    equation = Equation(inline.tex, inline.line, "", 0)
    statement = Statement(equation, str(page.path), (lhs, rhs), scope.ranges | scope.here, True)
    lhs.entry.clauses.append(Clause(lhs, rhs, statement))


def _is_declared(raw: Raw, resolver: Resolver, scope: Scope) -> bool:
    found = resolver.declared(raw)
    if found is None or found[0] == r"\partial":
        return False
    entry = scope.find(found[0], list(resolver.items(raw)))
    return entry is not None and entry[0].kind == "value"


# --- display equations ------------------------------------------------------------------------


def _state(equation: Equation, ranges: dict[str, Range], scope: Scope, page: Page) -> Statement:
    """Resolve one display equation and decide whether it defines."""
    chains = list(parse(equation.tex).parts)
    if len(chains) != 1:
        where = chains[1].pos if len(chains) > 1 else 0
        raise MathError("one equation in each block, without commas", where)
    relations, raw = _relations(chains[0]), _sides(chains[0])
    if len(raw) < 2:
        raise MathError("an equation needs =; mark what can't be checked as .unchecked", 0)
    for relation in relations:
        if relation != "=":
            raise MathError(f"{relation} can't be evaluated: mark it .unchecked with a reason", 0)
    resolver = Resolver(scope, set(ranges) | set(scope.ranges))
    left = resolver.side(raw[0], heading=True)
    defines = _is_new(left, scope) and not equation.false
    sides = [left, *(resolver.side(s, _params(left)) for s in raw[1:])]
    statement = Statement(equation, str(page.path), tuple(sides), ranges, defines)
    if defines:
        assert isinstance(left, Ref | Apply)
        free = indices(sides[1]) - indices(left)
        if free:
            letter = sorted(free)[0]
            raise MathError(f"index {letter} is on the right side only: sum over it", sides[1].pos)
        left.entry.clauses.append(Clause(left, sides[1], statement))
    return statement


def _enter(equation: Equation, scope: Scope) -> None:
    """Enter the symbol that an equation defines, if nobody has declared it."""
    chain = parse(equation.tex).parts[0]
    raw = _sides(chain)[0]
    resolver = Resolver(scope, set(scope.ranges))
    found = resolver.declared(raw)
    if found is not None:
        base, key, free, sample = found
        known = scope.find(base, resolver.items(raw))
        if base not in scope.sizes and known is None and base not in BUILTINS:
            scope.add(Entry(base, key, free, sample, pos=raw.pos))
    function = resolver.function_head(raw)
    if function is not None and scope.find(function, []) is None:
        scope.add(Entry(function, kind="function", inputs=(), shape=(), pos=raw.pos))


def _params(left: Expr) -> tuple[str, ...]:
    if isinstance(left, Apply) and left.order == 0 and not left.entry.clauses:
        return tuple(a.name for a in left.args if isinstance(a, Param))
    return ()


def _is_new(left: Expr, scope: Scope) -> bool:
    """Whether the left side is a symbol (or a part of one) that has no definition yet."""
    if isinstance(left, Apply):
        return (
            left.order == 0
            and not left.entry.clauses
            and all(isinstance(a, Param) for a in left.args)
        )
    if not isinstance(left, Ref) or left.entry.kind not in ("value", "set"):
        return False
    entry = left.entry
    partner = entry.stacked
    if partner is not None and partner.clauses:
        return False
    literal = [not indices(k) for k in left.key]
    for clause in entry.clauses:
        assert isinstance(clause.left, Ref)
        if isinstance(clause.right, Diff) and all(indices(k) for k in clause.left.key):
            return False  # its meaning is declared for the whole family
        if [not indices(k) for k in clause.left.key] == literal and _same_key(left, clause.left):
            return False
        if all(literal) and _covers(clause, left, scope):
            return False
    return True


def _covers(clause: Clause, left: Ref, scope: Scope) -> bool:
    """Whether a clause for a family defines this member of it: a_1 where a_l is defined."""
    from sitekit.mathcheck.evaluate import Draw, Env  # which import this module

    env = Env(Draw(scope, 0))
    try:
        key = tuple(env.draw.integer(k, {}) for k in left.key)
        return env.unify(clause, key) is not None
    except MathError:
        return False


def _same_key(one: Ref, other: Ref) -> bool:
    """h_0 and h_l are two clauses; h_l and h_k are one."""
    for a, b in zip(one.key, other.key, strict=True):
        if isinstance(a, Num) != isinstance(b, Num):
            return False
        if isinstance(a, Num) and isinstance(b, Num) and a.value != b.value:
            return False
    return True
