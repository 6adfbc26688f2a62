"""From a section to its scope: what it sees, what it declares, and what its equations say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sitekit.mathcheck.declare import (
    bind_rows,
    parsed,
    read_declaration,
    read_range,
    read_signs,
    read_sizes,
)
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
from sitekit.mathcheck.families import covers
from sitekit.mathcheck.functions import BUILTINS
from sitekit.mathcheck.hints import unread
from sitekit.mathcheck.page import Equation, Inline, Page, Section
from sitekit.mathcheck.pieces import (
    declared,
    letters,
    relations,
    sides,
    subscripts,
    symbol,
)
from sitekit.mathcheck.resolve import Resolver
from sitekit.mathcheck.scope import Range, Scope, Statement
from sitekit.mathcheck.syntax import Raw, parse


def build(section: Section, page: Page, pages: dict[str, Page]) -> Scope:
    """Return the scope of a section with the statements that are its own.

    An equation that can't be read is left out and its error kept in ``scope.errors``; what it
    would define is marked, so that nothing is computed without it.

    Raises
    ------
    MathError
        If a declaration is wrong, or an equation whose left side can't be told: then nobody
        knows what the other equations of the section are about.
    """
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
            with _reading(item, page):
                read_range(item, scope)
        snapshots[id(item)] = dict(scope.ranges)
    for inline in inlines:
        with _reading(inline, page):
            read_sizes(inline, scope)
    for inline in inlines:
        scope.here = snapshots[id(inline)]
        with _reading(inline, page):
            found = read_declaration(inline, scope)
            if not found and (text := unread(inline, scope)) is not None:
                where = "" if page.path == Path(scope.page) else f"{page.path}, "
                scope.unread.append((text, f"{where}line {inline.line}"))
            if found and inline.row is not None:
                rows.setdefault(inline.row, []).extend(found)
    for inline in inlines:  # c > 0 declares what is not declared otherwise
        with _reading(inline, page):
            read_signs(inline, scope)
    for entries in rows.values():
        bind_rows(entries)
    checked = [e for e in section.equations if e.unchecked is None and (own or not e.false)]
    for equation in checked:
        if not equation.false:
            with _reading(equation, page):
                _enter(equation, scope)
    for inline in inlines:
        scope.here = snapshots[id(inline)]
        with _reading(inline, page):
            _meaning(inline, scope, page)
    for equation in checked:
        # An index means the last range above; with none above, the one declared below.
        ranges = scope.ranges | snapshots[id(equation)]
        try:
            with _reading(equation, page):
                statement = _state(equation, ranges, scope, page)
        except MathError as error:
            if not equation.false:
                with _reading(equation, page):
                    _mark(equation, scope, error)
            if own:
                scope.errors.append(error)
            continue
        if own:
            scope.statements.append(statement)


@contextmanager
def _reading(item: Inline | Equation, page: Page) -> Iterator[None]:
    """An error in one reading step learns where it stands."""
    try:
        yield
    except MathError as error:
        raise error.located(item.tex, str(page.path), item.line) from None
    except Exception as error:  # an author should not meet Python's own words
        strange = MathError("this can't be read: check its brackets and arguments", 0)
        raise strange.located(item.tex, str(page.path), item.line) from error


def _meaning(inline: Inline, scope: Scope, page: Page) -> None:
    r"""``\delta = \frac{\partial J}{\partial a}`` says what a declared symbol stands for."""
    if r"\partial" not in inline.tex and r"\nabla" not in inline.tex:
        return
    chains = parsed(inline)
    if len(chains) != 1 or relations(chains[0])[:1] != ["="]:
        return
    left, right, *more = sides(chains[0])
    resolver = Resolver(scope, set(scope.ranges))
    if not _is_declared(left, scope) and _is_declared(right, scope):
        left, right = right, left
    if not _is_declared(left, scope):
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


def _is_declared(raw: Raw, scope: Scope) -> bool:
    found = declared(raw, set(scope.ranges))
    if found is None or found[0] == r"\partial":
        return False
    entry = scope.find(found[0], subscripts(raw))
    return entry is not None and entry[0].kind == "value"


# --- display equations ------------------------------------------------------------------------


def _state(equation: Equation, ranges: dict[str, Range], scope: Scope, page: Page) -> Statement:
    """Resolve one display equation and decide whether it defines."""
    chains = list(parse(equation.tex).parts)
    if len(chains) != 1:
        where = chains[1].pos if len(chains) > 1 else 0
        raise MathError("one equation in each block, without commas", where)
    raw = sides(chains[0])
    if len(raw) < 2:
        raise MathError("an equation needs =; mark what can't be checked as .unchecked", 0)
    for relation in relations(chains[0]):
        if relation != "=":
            raise MathError(f"{relation} can't be evaluated: mark it .unchecked with a reason", 0)
    resolver = Resolver(scope, set(ranges) | set(scope.ranges))
    left = resolver.side(raw[0], heading=True)
    defines = _is_new(left, scope) and not equation.false
    meanings = [left, *(resolver.side(s, _params(left)) for s in raw[1:])]
    statement = Statement(equation, str(page.path), tuple(meanings), ranges, defines)
    if defines:
        assert isinstance(left, Ref | Apply)
        free = indices(meanings[1]) - indices(left)
        if free:
            letter = sorted(free)[0]
            raise MathError(
                f"index {letter} is on the right side only: sum over it", meanings[1].pos
            )
        left.entry.clauses.append(Clause(left, meanings[1], statement))
    return statement


def _head(equation: Equation) -> Raw:
    """The left side, also where the rest can't be read."""
    try:
        return sides(parse(equation.tex).parts[0])[0]
    except MathError:
        left = re.sub(r"\\begin\{aligned\}|&", " ", equation.tex.partition("=")[0])
        try:
            return sides(parse(left).parts[0])[0]
        except MathError:
            pass
        raise


def _enter(equation: Equation, scope: Scope) -> None:
    """Enter the symbol that an equation defines, if nobody has declared it."""
    raw = _head(equation)
    found = declared(raw, set(scope.ranges))
    if found is not None:
        base, key, free, sample = found
        known = scope.find(base, subscripts(raw))
        if base not in scope.sizes and known is None and base not in BUILTINS:
            scope.add(Entry(base, key, free, sample, pos=raw.pos))
    function = _function_head(raw, scope)
    if function is not None and scope.find(function, []) is None:
        scope.add(Entry(function, kind="function", inputs=(), shape=(), pos=raw.pos))


def _function_head(side: Raw, scope: Scope) -> str | None:
    """The f of a left side ``f(a)`` whose arguments are plain letters."""
    if len(side.parts) != 1 or len(side.parts[0].parts) != 2:
        return None
    head, paren = side.parts[0].parts
    if head.kind != "factor" or paren.kind != "factor" or paren.parts[0].kind != "paren":
        return None
    name = symbol(head.parts[0])
    if name is None or len(head.parts) != 1 or len(paren.parts) != 1:
        return None
    plain = all(letters(c) is not None for c in paren.parts[0].parts[0].parts)
    known = scope.find(name, [])
    if known and known[0].kind != "function":
        return None
    return name if plain and name not in scope.sizes else None


def _mark(equation: Equation, scope: Scope, error: MathError) -> None:
    """What an unreadable equation would define has no value: nothing may be computed from it."""
    raw = _head(equation)
    try:
        left = Resolver(scope, set(scope.ranges)).side(raw, heading=True)
        entry = left.entry if isinstance(left, Ref | Apply) and _is_new(left, scope) else None
    except MathError:
        found = declared(raw, set(scope.ranges))
        known = scope.find(found[0], subscripts(raw)) if found else None
        entry = known[0] if known and not known[0].clauses else None
    if entry is not None:
        entry.broken = entry.broken or error
        if entry.stacked is not None:
            entry.stacked.broken = entry.stacked.broken or error


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
            and not left.entry.broken
            and all(isinstance(a, Param) for a in left.args)
        )
    if not isinstance(left, Ref) or left.entry.kind not in ("value", "set"):
        return False
    entry = left.entry
    partner = entry.stacked
    if entry.broken:
        return False
    if partner is not None and partner.clauses:
        return False
    literal = [not indices(k) for k in left.key]
    for clause in entry.clauses:
        assert isinstance(clause.left, Ref)
        if isinstance(clause.right, Diff) and all(indices(k) for k in clause.left.key):
            return False  # its meaning is declared for the whole family
        if [not indices(k) for k in clause.left.key] == literal and _same_key(left, clause.left):
            return False
        if all(literal) and covers(scope, clause, left):
            return False
    return True


def _same_key(one: Ref, other: Ref) -> bool:
    """h_0 and h_l are two clauses; h_l and h_k are one."""
    for a, b in zip(one.key, other.key, strict=True):
        if isinstance(a, Num) != isinstance(b, Num):
            return False
        if isinstance(a, Num) and isinstance(b, Num) and a.value != b.value:
            return False
    return True
