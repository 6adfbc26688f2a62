"""Are the equations of a page true? Each is evaluated on random numbers, in several draws."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sitekit.mathcheck.build import build
from sitekit.mathcheck.draw import Draw
from sitekit.mathcheck.emit import code_of, flat, namespace
from sitekit.mathcheck.errors import BadDraw, FalseEquation, MathError, Untrue
from sitekit.mathcheck.evaluate import Env, NeedsReal
from sitekit.mathcheck.expression import (
    Apply,
    Call,
    Compare,
    Diff,
    Expr,
    Gradient,
    Num,
    Param,
    Ref,
    children,
    indices,
)
from sitekit.mathcheck.functions import Array
from sitekit.mathcheck.operations import shown
from sitekit.mathcheck.page import Equation, Page, read
from sitekit.mathcheck.scope import Scope, Statement
from sitekit.mathcheck.sizes import Bind

CASES = 3
AT_MOST = 24  # values of the free indices that are compared in one draw
# max |a − b| / (floor + max |a| + max |b|): what is smaller than the floor may be rounding.
# The complex step is exact to rounding, differences to about 1e-12.
FLOOR = 1e-5
_STRANGE = "this can't be evaluated: check its brackets, arguments and shapes"
TOLERANCE = {"complex": 1e-9, "central": 1e-7}


@dataclass
class Result:
    """What was found out about one equation."""

    id: str
    number: int
    line: int
    tex: str
    status: str  # claim, definition, unchecked, false
    reason: str = ""
    cases: int = 0
    compared: int = 0  # numbers
    error: float = 0.0  # the largest, by the complex step
    central: float | None = None  # the largest, by central differences; None without a derivative
    python: str = ""  # the expression compared with
    code: str = ""
    zero: bool = True  # all that was compared so far was zero, though nobody said so


@dataclass
class Report:
    """The results of a page and what is wrong with it."""

    page: str
    results: list[Result] = field(default_factory=list)
    errors: list[MathError] = field(default_factory=list)

    def add(self, error: MathError, equations: list[Equation]) -> None:
        """Enter what is wrong with some equations; once, if it is wrong with what they use."""
        known = next((e for e in self.errors if e.source == error.source), None)
        if known is None:
            self.errors.append(error)
            known = error
        for equation in equations:
            itself = (self.page, equation.line, equation.tex) == known.source
            if not itself and equation.id not in known.blocked:
                known.blocked.append(equation.id)


def check_page(
    path: Path, text: str | None = None, others: dict[str, Page] | None = None, cases: int = CASES
) -> Report:
    """Check all equations of a page; errors are collected, not raised."""
    report = Report(str(path))
    try:
        page = read(path, text)
    except MathError as error:
        report.errors.append(error)
        return report
    pages = {} if others is None else others
    for section in page.sections:
        for equation in section.equations:
            if equation.unchecked is not None:
                result = _result(equation, "unchecked")
                result.reason = equation.unchecked
                report.results.append(result)
        checked = [e for e in section.equations if e.unchecked is None]
        if checked:
            try:
                scope = build(section, page, pages)
            except MathError as error:
                report.add(error, checked)
                continue
            for unreadable in scope.errors:
                report.add(unreadable, [])
            for statement in scope.statements:
                equation = statement.equation
                try:
                    check = check_false if equation.false else check_statement
                    report.results.append(check(scope, statement, cases))
                except MathError as error:
                    error.located(equation.tex, statement.page, equation.line)
                    report.add(error, [equation])
    report.results.sort(key=lambda r: r.number)
    return report


def check_text(text: str, name: str = "text") -> list[Result]:
    r"""Check the equations of a Markdown text.

    Parameters
    ----------
    text
        The Markdown of one page; see `sitekit.mathcheck.page` for its dialect.
    name
        What errors call the page.

    Returns
    -------
    list of Result
        One for each display equation, in their order.

    Raises
    ------
    FalseEquation
        If an equation does not hold or can't be read; the message has a paragraph for each.

    Examples
    --------
    >>> text = "$a, b \\in \\mathbb{R}$\n\n$$\na = 2 b\n$$\n\n$$\na = b + b\n$$\n"
    >>> [result.status for result in check_text(text)]
    ['definition', 'claim']
    """
    report = check_page(Path(name), text)
    if report.errors:
        raise FalseEquation("\n".join(map(str, report.errors)))
    return report.results


def check_statement(scope: Scope, statement: Statement, cases: int = CASES) -> Result:
    """Evaluate all sides of an equation in several draws; raise where two of them differ."""
    equation = statement.equation
    status = "definition" if statement.defines and len(statement.sides) == 2 else "claim"
    result = _result(equation, status)
    result.python = equation.python or ""
    derivative = any(_has_derivative(side) for side in statement.sides)
    branches = any(_has_branch(side) for side in statement.sides)
    scales: tuple[float, ...] = (1.0,)
    if branches:  # more draws, of several sizes: each branch must be met
        cases, scales = 4 * cases, (1.0, 0.3, 3.0, 20.0)
    seed = unsuitable = 0
    while result.cases < cases:
        if seed > 20 * cases:
            raise MathError("no sizes suit these shapes", 0)
        if seed - unsuitable > 2 * cases + 6:
            raise MathError("the two numerical derivatives never agree: is there a jump?", 0)
        try:
            with _in_words():
                env = Env(Draw(scope, seed, scales[seed % len(scales)]))
                result.cases += _one_draw(env, statement, result, derivative)
        except BadDraw:
            unsuitable += 1
        seed += 1
    if result.zero and isinstance(statement.sides[0], Diff):
        raise MathError("both sides are zero: nothing here depends on the denominator", 0)
    return result


def _result(equation: Equation, status: str) -> Result:
    return Result(equation.id, equation.number, equation.line, equation.tex, status)


def check_false(scope: Scope, statement: Statement, cases: int = CASES) -> Result:
    """A formula that is printed because it is wrong must not hold in any draw."""
    result = _result(statement.equation, "false")
    seed = 0
    while result.cases < cases:
        if seed > 20 * cases:
            raise MathError("no sizes suit these shapes", 0)
        try:
            with _in_words():
                env = Env(Draw(scope, seed))
                trial = _result(statement.equation, "claim")
                if all(
                    _compare(env, statement, a, b, trial, False, {})
                    for a, b in itertools.pairwise(statement.sides)
                ):
                    raise MathError("this formula is marked .false, and it holds", None)
            result.cases += 1
        except Untrue as error:
            if error.source is not None:  # not this formula: a definition that it uses
                raise
            result.reason = error.message
            result.cases += 1
        except BadDraw:
            pass
        seed += 1
    return result


@contextmanager
def _in_words() -> Iterator[None]:
    """No author should meet Python's own words; the page and line still tell the place."""
    try:
        with np.errstate(all="ignore"):  # an infinite value is told as such
            yield
    except (MathError, BadDraw):
        raise
    except RecursionError:
        raise MathError("a definition goes round in circles", 0) from None
    except NeedsReal:
        raise MathError("a derivative of a derivative of a derivative", 0) from None
    except Exception as error:
        raise MathError(_STRANGE, 0) from error


def _one_draw(env: Env, statement: Statement, result: Result, derivative: bool) -> bool:
    """One random draw; False if a kink is so near that the numerical derivatives disagree."""
    sides = statement.sides
    point: Bind = {}  # the arguments of a function that is defined here
    if statement.defines:
        point = _definition(env, statement, result)
        sides = sides[1:]
    for a, b in itertools.pairwise(sides):
        if not _compare(env, statement, a, b, result, derivative, point):
            return False
    if statement.equation.python:
        _same_as_python(env, statement, result, point)
    return True


def _definition(env: Env, statement: Statement, result: Result) -> Bind:
    """A definition must be computable and have the declared shape, used or not."""
    left = statement.sides[0]
    if isinstance(left, Apply):
        names = [a.name for a in left.args if isinstance(a, Param)]
        shape = env.draw.shape(left.entry.inputs, left.entry, ()) if left.entry.inputs else ()
        drawn = env.draw.rng.normal(size=(*shape, 1) if shape else ())
        point: Bind = {n: np.asarray(drawn) for n in names}  # type: ignore[misc]
        result.compared += env.evaluate(statement.sides[1], point).size
        return point
    assert isinstance(left, Ref)
    seen = set()
    for bind in _assignments(env, [left], statement):
        key = tuple(env.draw.integer(k, bind) for k in left.key)
        if key not in seen:
            value = env.full(left.entry, key)
            if not np.all(np.isfinite(value)):
                raise MathError("the value is infinite or not a number", left.pos)
            result.compared += value.size
            seen.add(key)
        env.evaluate(statement.sides[1], bind)
        _write(env, bind, left, statement.sides[1], result)
    return {}


def _write(env: Env, bind: Bind, left: Expr, right: Expr, result: Result) -> None:
    """Run the formula as NumPy code; keep what the first run was."""
    code = code_of(env, bind, left, right)
    lines = result.code.splitlines()
    if code and code not in lines and len(lines) < 4:
        result.code = "\n".join([*lines, code])


def _same_as_python(env: Env, statement: Statement, result: Result, point: Bind) -> None:
    """The right side is what a Python expression gives on the same numbers."""
    text, last = statement.equation.python, statement.sides[-1]
    assert text is not None
    for bind in _assignments(env, list(statement.sides), statement):
        expected = flat(env.evaluate(last, bind | point))
        try:
            value = np.asarray(eval(text, {**namespace(env, bind, text), **point}))
        except Exception as error:
            raise MathError(f"python={text!r} fails: {error}", 0) from None
        if value.shape != expected.shape or not _error(value, expected) <= TOLERANCE["complex"]:
            raise MathError(f"python={text!r} gives another value", last.pos)
        result.compared += value.size


def _compare(
    env: Env,
    statement: Statement,
    a: Expr,
    b: Expr,
    result: Result,
    derivative: bool,
    point: Bind,
) -> bool:
    for found in _some(env, list(_assignments(env, [a, b], statement))):
        bind = found | point
        left, right = env.evaluate(a, bind), env.evaluate(b, bind)
        if left.shape != right.shape:
            raise Untrue(
                f"left side is {shown(left.shape)}, right side is {shown(right.shape)}", b.pos
            )
        error = _error(left, right)
        if derivative:
            central = env.central or _by_differences(env)
            by_difference = central.evaluate(a, bind), central.evaluate(b, bind)
            steps = max(_error(left, by_difference[0], 1.0), _error(right, by_difference[1], 1.0))
            if steps > TOLERANCE["central"]:
                return False
            result.central = max(result.central or 0.0, _error(*by_difference, 1.0))
        if not error <= TOLERANCE["complex"]:
            remark = _remark(statement, a, left)
            raise Untrue(_difference(env, left, right, error, bind) + remark, b.pos)
        result.error = max(result.error, error)
        result.zero = result.zero and not np.any(left) and not isinstance(b, Num)
        _write(env, bind, statement.sides[0], b, result)
        result.compared += left.size
    return True


def _some(env: Env, binds: list[Bind]) -> list[Bind]:
    """At most AT_MOST values of the free indices; which ones differs from draw to draw."""
    if len(binds) <= AT_MOST:
        return binds
    chosen = np.random.default_rng(env.draw.seed).choice(len(binds), AT_MOST, replace=False)
    return [binds[k] for k in sorted(chosen)]


def _by_differences(env: Env) -> Env:
    """The same draw once more, with all derivatives by central differences."""
    twin = Env(env.draw, method="central")
    twin.functions = env.functions
    env.central = twin
    return twin


def _error(a: Array, b: Array, floor: float = FLOOR) -> float:
    if not (np.all(np.isfinite(a)) and np.all(np.isfinite(b))):
        return float("inf")
    size = float(np.max(np.abs(a), initial=0.0) + np.max(np.abs(b), initial=0.0))
    return float(np.max(np.abs(a - b), initial=0.0)) / (floor + size)


def _difference(env: Env, left: Array, right: Array, error: float, bind: Bind) -> str:
    sizes = [
        f"{base}{''.join(f'_{k}' for k in key)} = {value}"
        for (base, key), value in sorted(env.draw.table.items())
    ]
    at = ", ".join([*sizes, *(f"{letter} = {value}" for letter, value in bind.items())])
    place = np.unravel_index(int(np.argmax(np.abs(left - right))), left.shape) if left.ndim else ()
    return (
        f"the two sides differ: {left[place]:.6g} and {right[place]:.6g} "
        f"(relative error {error:.1e}{f' at {at}' if at else ''})"
    )


def _remark(statement: Statement, a: Expr, left: Array) -> str:
    """What an author overlooks most: a derivative by what is not in it, a second definition."""
    if isinstance(a, Diff) and not np.any(left):
        return "; the derivative is zero: does it depend on the denominator?"
    first = statement.sides[0]
    if not isinstance(first, Ref) or not first.entry.clauses:
        return ""
    source = first.entry.clauses[0].source
    if source.equation is statement.equation:
        return ""
    where = "" if source.page == statement.page else f"{source.page}, "
    return f"; {first.entry.name} is defined in {where}line {source.equation.line}"


def _assignments(env: Env, sides: list[Expr], statement: Statement) -> Iterator[Bind]:
    """All values of the free index letters."""
    names = sorted(set().union(*(indices(s) for s in sides)))

    def extend(bind: Bind, rest: list[str]) -> Iterator[Bind]:
        if not rest:
            yield bind
            return
        letter, *others = rest
        try:
            low, high = env.draw.limits(letter, statement.ranges, bind, sides[0].pos)
        except MathError:
            if letter not in statement.ranges and letter not in env.scope.ranges:
                low, high = _by_axis(env, letter, sides, bind)
            elif others:  # the limit needs another index first
                yield from extend(bind, [*others, letter])
                return
            else:
                raise
        for value in range(low, high + 1):
            yield from extend(bind | {letter: value}, others)

    yield from extend({}, names)


def _by_axis(env: Env, letter: str, sides: list[Expr], bind: Bind) -> tuple[int, int]:
    for side in sides:
        try:
            return env.inferred(letter, side, bind, side.pos)
        except MathError as error:
            if error.source is not None:  # a definition is at fault
                raise
    raise MathError(f"index {letter} has no range: write ${letter} = 1, \\dots, …$", sides[0].pos)


def _has_derivative(expr: Expr, seen: frozenset[int] = frozenset()) -> bool:
    """Whether a derivative stands in the formula, or in the definition of one of its symbols."""
    if isinstance(expr, Diff | Gradient) or (isinstance(expr, Apply) and expr.order):
        return True
    if isinstance(expr, Ref):
        entry = expr.entry.stacked or expr.entry
        if id(entry) not in seen:
            inside = seen | {id(entry)}
            if any(_has_derivative(c.right, inside) for c in entry.clauses):
                return True
    return any(_has_derivative(c, seen) for c in children(expr))


def _has_values(expr: Expr) -> bool:
    return isinstance(expr, Ref | Apply | Param) or any(map(_has_values, children(expr)))


def _has_branch(expr: Expr, seen: frozenset[int] = frozenset()) -> bool:
    """Whether the formula, or a definition behind it, distinguishes cases by drawn values.

    ``[j = k]`` does not: an index takes all its values in every draw.
    """
    if isinstance(expr, Compare):
        return _has_values(expr)
    if isinstance(expr, Call) and expr.name in ("max", "min", "abs", "sign"):
        return True
    entry = expr.entry if isinstance(expr, Ref | Apply) else None
    if entry is not None:
        entry = entry.stacked or entry
        if id(entry) not in seen:
            inside = seen | {id(entry)}
            if any(_has_branch(c.right, inside) for c in entry.clauses):
                return True
    return any(_has_branch(c, seen) for c in children(expr))
