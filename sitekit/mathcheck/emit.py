"""A checked formula as NumPy code, in the words of the page: vectors are 1-d, families are dicts.

The code is for one value of each free index: samples and elements count from 0 as Python does,
layers and steps from 1 as the page does. It is run by the checker on the same numbers as the
formula, so a line that is shown is a line that works.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import keyword
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from sitekit.mathcheck import functions as fn
from sitekit.mathcheck.errors import MathError
from sitekit.mathcheck.evaluate import Env
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
from sitekit.mathcheck.sizes import Bind

# How tightly an operation binds, for brackets.
SUM, PRODUCT, UNARY, POWER, ATOM = range(5)
_NUMPY = {"ln": "log", "abs": "abs", "sign": "sign"}
Code = tuple[str, int]


class NoCode(Exception):
    """The formula is checked, but there is no short NumPy code for it."""


def name_of(base: str) -> str:
    r"""``\hat{y}`` as ``y_hat``, ``\Delta`` as ``Delta``, ``\mathbf{1}`` as ``ones``."""
    if base == r"\mathbf{1}":
        return "ones"
    if match := re.fullmatch(r"\\(hat|bar|tilde|dot|vec)\{(.*)\}", base):
        return f"{name_of(match[2])}_{match[1]}"
    text = re.sub(r"\\(mathbf|mathcal|boldsymbol|operatorname|mathrm)\{(.*)\}", r"\2", base)
    text = re.sub(r"\W", "", text.replace("\\", ""))
    if not text or not text.isidentifier():
        raise NoCode
    return text + "_" if keyword.iskeyword(text) else text


def identifier(entry: Entry) -> str:
    """The Python name of a symbol; the index letters of a family are left to brackets."""
    fixed = [k for k, free in zip(entry.key, entry.free, strict=True) if not free]
    return "_".join([name_of(entry.base), *(name_of(k) if k[0] == "\\" else k for k in fixed)])


class _Family:
    """W[l]: the members of a family, looked up as the code asks for them."""

    def __init__(self, env: Env, entry: Entry) -> None:
        self.env, self.entry = env, entry

    def __getitem__(self, key: Any) -> Array:
        free = tuple(int(k) for k in (key if isinstance(key, tuple) else (key,)))
        return _squeezed(self.env, self.entry, self.env.full(self.entry, free))


def _is_row(env: Env, entry: Entry) -> bool:
    shape = entry.shape
    if shape is None or len(shape) != 2:
        return False
    first = shape[0]
    return (
        re.fullmatch(r"1", str(first.parts[0].parts[0].parts[0])) is not None
        if (first.kind == "term" and first.parts[0].kind == "factor")
        else False
    )


def _squeezed(env: Env, entry: Entry, value: Array) -> Array:
    """A matrix with one row is a vector in the code."""
    return value[..., 0, :] if _is_row(env, entry) else value


class Emitter:
    """Writes one formula; ``bind`` are the values of its free indices."""

    def __init__(self, env: Env, bind: Bind, sides: list[Expr]) -> None:
        self.env, self.bind = env, bind
        self.counted = set().union(*(_key_letters(s) for s in sides))  # these count from 1
        self.names: dict[str, Any] = {"np": np, "softmax": fn.softmax}
        self._owners: dict[str, object] = {}
        for letter, value in bind.items():
            as_it_is = letter in self.counted or isinstance(value, np.ndarray)  # an argument
            self.names[self._own(letter, letter)] = value if as_it_is else value - 1

    def _own(self, base: str | Entry, owner: object) -> str:
        """The Python name of a symbol; n and n_k on one page can't have the same."""
        name = identifier(base) if isinstance(base, Entry) else name_of(base)
        if self._owners.setdefault(name, owner) != owner:
            raise NoCode
        return name

    def write(self, expr: Expr, level: int = SUM) -> str:
        """The code of an expression, in brackets where it binds less than ``level``."""
        method = getattr(self, "_" + type(expr).__name__.lower())
        text, own = method(expr)
        return f"({text})" if own < level else text

    # -- indices

    def _at(self, expr: Expr) -> str:
        """An index in brackets of a sample or an element: from 0."""
        if isinstance(expr, Num):
            return str(int(expr.value) - 1)
        letters = indices(expr)
        if not letters:
            return f"{self._count(expr)} - 1"
        if letters <= self.counted:
            return f"{self._count(expr)} - 1"
        if isinstance(expr, Index):
            return self._count(expr)
        return self._shifted(expr)

    def _shifted(self, expr: Expr) -> str:
        """A sum of indices that count from 0: j + r - 1 becomes j + r."""
        if not isinstance(expr, Add):
            raise NoCode
        text, constant = "", -1
        for sign, term in expr.terms:
            one = 1 if sign == "+" else -1
            if isinstance(term, Num):
                constant += one * int(term.value)
                continue
            if isinstance(term, Index) and term.letter not in self.counted:
                constant += one
            code = self._count(term)
            text += f" {sign} {code}" if text or sign == "-" else code
        if constant:
            text += f" {'+' if constant > 0 else '-'} {abs(constant)}"
        return text.strip()

    def _count(self, expr: Expr) -> str:
        """An index expression as it stands."""
        match expr:
            case Num():
                return str(int(expr.value))
            case Index():
                return self._own(expr.letter, expr.letter)
            case Size():
                return self._size(expr)[0]
            case Ref():
                return self._ref(expr)[0]
            case Add():
                text = ""
                for sign, term in expr.terms:
                    text += (
                        f" {sign} {self._count(term)}"
                        if text or sign == "-"
                        else (self._count(term))
                    )
                return text.strip()
        raise NoCode

    # -- leaves

    def _num(self, expr: Num) -> Code:
        return expr.text, ATOM

    def _const(self, expr: Const) -> Code:
        return "np.pi", ATOM

    def _param(self, expr: Param) -> Code:
        return name_of(expr.name), ATOM

    def _index(self, expr: Index) -> Code:
        name = self._own(expr.letter, expr.letter)
        return (name, ATOM) if expr.letter in self.counted else (f"{name} + 1", SUM)

    def _size(self, expr: Size) -> Code:
        name = self._own(expr.base, expr.base)
        if not expr.key:
            self.names[name] = self.env.draw.size(expr, self.bind)
            return name, ATOM
        self.names[name] = _Sizes(self.env, expr.base)
        return f"{name}[{', '.join(self._count(k) for k in expr.key)}]", ATOM

    def _ref(self, expr: Ref) -> Code:
        entry = expr.entry
        name = self._own(entry, id(entry))
        if expr.key:
            self.names[name] = _Family(self.env, entry)
            name += f"[{', '.join(self._count(k) for k in expr.key)}]"
        else:
            self.names[name] = _squeezed(self.env, entry, self.env.full(entry, ()))
        elements = [self._at(e) for e in expr.elements]
        if _is_row(self.env, entry):
            elements = elements[1:]
        inner = ([self._at(expr.sample)] if expr.sample is not None else []) + elements
        return (f"{name}[{', '.join(inner)}]" if inner else name), ATOM

    # -- operations

    def _add(self, expr: Add) -> Code:
        text = ""
        for sign, term in expr.terms:
            code = self.write(term, PRODUCT)
            text += f" {sign} {code}" if text else (f"-{code}" if sign == "-" else code)
        return text, SUM

    def _mul(self, expr: Mul) -> Code:
        text = self.write(expr.factors[0], PRODUCT)
        shape = _shape(expr.factors[0])
        for factor in expr.factors[1:]:
            other, code = _shape(factor), self.write(factor, UNARY)
            if shape == () or other == ():
                text = f"{text} * {code}"
                shape = shape or other
            elif shape[1] == 1 and other[0] == 1:
                text = f"np.outer({text}, {code})"
                shape = (shape[0], other[1])
            else:
                text = f"{text} @ {code}"
                shape = (shape[0], other[1])
                shape = () if shape == (1, 1) else shape
        return text, PRODUCT

    def _hadamard(self, expr: Hadamard) -> Code:
        # `*` and `@` bind alike, so a matrix product on the right needs its brackets.
        parts = [self.write(f, UNARY if k else PRODUCT) for k, f in enumerate(expr.factors)]
        first = expr.factors[0]
        if isinstance(first, Mul) and "@" in parts[0]:
            parts[0] = f"({parts[0]})"
        return " * ".join(parts), PRODUCT

    def _div(self, expr: Div) -> Code:
        return f"{self.write(expr.top, PRODUCT)} / {self.write(expr.bottom, UNARY)}", PRODUCT

    def _pow(self, expr: Pow) -> Code:
        if _shape(expr.base):
            raise NoCode
        return f"{self.write(expr.base, ATOM)} ** {self.write(expr.exponent, ATOM)}", POWER

    def _transpose(self, expr: Transpose) -> Code:
        shape = _shape(expr.of)
        if len(shape) == 2 and 1 in shape:
            return self.write(expr.of, SUM), _level(self, expr.of)
        return f"{self.write(expr.of, ATOM)}.T", ATOM

    def _call(self, expr: Call) -> Code:
        args = ", ".join(self.write(a) for a in expr.args)
        name = expr.name
        if name in ("max", "min"):
            if len(expr.args) == 1:
                return f"np.{name}({args})", ATOM
            if len(expr.args) > 2:
                raise NoCode
            return f"np.{name}imum({args})", ATOM
        if name == "softmax":
            return f"softmax({args})", ATOM
        if name == "diag":
            return f"np.diag({args})", ATOM
        if name == "tr":
            return f"np.trace({args})", ATOM
        if name == "det":
            return f"np.linalg.det({args})", ATOM
        return f"np.{_NUMPY.get(name, name)}({args})", ATOM

    def _apply(self, expr: Apply) -> Code:
        name = name_of(expr.entry.base) + "_prime" * expr.order
        self.names[name] = _callable(self.env, expr.entry, expr.order, expr.pos)
        return f"{name}({', '.join(self.write(a) for a in expr.args)})", ATOM

    def _big(self, expr: Big) -> Code:
        if expr.op == "prod" and _shape(expr.body):
            raise NoCode
        letter = self._own(expr.letter, expr.letter)
        counted = expr.letter in self.counted
        if expr.low is not None and expr.high is not None:
            low, high = self._count(expr.low), self.write(expr.high, SUM)
        else:
            first, last = self.env.inferred(expr.letter, expr.body, self.bind, expr.pos)
            low, high = str(first), self._bound(expr.letter, last)
        if counted:
            span = f"range({low}, {high} + 1)"
        else:
            span = f"range({high})" if low == "1" else f"range({low} - 1, {high})"
        condition = f" if {self._comparison(expr.condition)}" if expr.condition else ""
        body = self.write(expr.body)
        loop = f"{body} for {letter} in {span}{condition}"
        if expr.op == "sum":
            return f"sum({loop})", ATOM
        return (f"np.prod([{loop}])" if expr.op == "prod" else f"{expr.op}({loop})"), ATOM

    def _bound(self, letter: str, last: int) -> str:
        """The size that an index runs to, by its name where the page gives it one."""
        found = self.env.scope.ranges.get(letter)
        if found is not None:
            node = self.env.draw.resolved(found.high)
            if isinstance(node, Size):
                return self._size(node)[0]
        return str(last)

    def _norm(self, expr: Norm) -> Code:
        if expr.squared:
            return f"np.sum({self.write(expr.of, ATOM)} ** 2)", ATOM
        return f"np.linalg.norm({self.write(expr.of)})", ATOM

    def _comparison(self, expr: Compare) -> str:
        sign = {"=": "==", r"\ne": "!=", r"\le": "<=", r"\ge": ">="}.get(
            expr.relation, expr.relation
        )
        if isinstance(expr.left, Index) and isinstance(expr.right, Index):
            return f"{self._at(expr.left)} {sign} {self._at(expr.right)}"
        return f"{self.write(expr.left)} {sign} {self.write(expr.right)}"

    def _cases(self, expr: Cases) -> Code:
        *rows, (last, _) = expr.rows
        text = self.write(last)
        for value, condition in reversed(rows):
            assert condition is not None
            text = f"np.where({self._comparison(condition)}, {self.write(value)}, {text})"
        return text, ATOM

    def _matrix(self, expr: Matrix) -> Code:
        rows = [", ".join(self.write(cell) for cell in row) for row in expr.rows]
        if any(_shape(cell) for row in expr.rows for cell in row):
            raise NoCode
        if len(expr.rows[0]) == 1:
            return f"np.array([{', '.join(rows)}])", ATOM
        if len(rows) == 1:
            return f"np.array([{rows[0]}])", ATOM
        return f"np.array([{', '.join(f'[{row}]' for row in rows)}])", ATOM

    def _indicator(self, expr: Indicator) -> Code:
        return f"({self._comparison(expr.condition)})", ATOM

    def _diff(self, expr: Diff) -> Code:
        return self.derivative_name(expr, given=True), ATOM

    def derivative_name(self, expr: Diff, given: bool = False) -> str:
        """``grad_W[j, k]`` for ∂J/∂W_{jk}, ``da_dx`` for a Jacobian."""
        by = expr.by
        if isinstance(expr.of, Ref) and not expr.of.elements and expr.of.entry.base in ("J", "L"):
            name = f"grad_{identifier(by.entry)}"
        elif isinstance(expr.of, Ref):
            name = f"d{identifier(expr.of.entry)}_d{identifier(by.entry)}"
        else:
            raise NoCode
        of: list[Expr] = []
        if isinstance(expr.of, Ref) and not name.startswith("grad_"):
            of = [*expr.of.key, *expr.of.elements]
        keys = [self._count(k) for k in by.key]
        inner = [self._at(e) for e in [*of, *([by.sample] if by.sample else []), *by.elements]]
        brackets = ", ".join([*keys, *inner])
        if given:
            if indices(expr) - self.bind.keys():
                raise NoCode
            value = flat(self.env.evaluate(expr, self.bind))
            if brackets:
                at = eval(f"({brackets},)", {}, dict(self.names))
                table = self.names.setdefault(name, {})
                table[at if len(at) > 1 else at[0]] = value
            else:
                self.names[name] = value
        return f"{name}[{brackets}]" if brackets else name

    def _gradient(self, expr: Gradient) -> Code:
        name = f"grad_{name_of(expr.entry.base)}"
        env, entry, pos = self.env, expr.entry, expr.pos

        def function(x: Any) -> Any:
            column = np.asarray(x)
            value = env.gradient_of(entry, column[:, None] if column.ndim == 1 else column, pos)
            return flat(value)

        self.names[name] = function
        return f"{name}({self.write(expr.at)})", ATOM


class _Sizes:
    """n[l]: the sizes of a family."""

    def __init__(self, env: Env, base: str) -> None:
        self.env, self.base = env, base

    def __getitem__(self, key: int) -> int:
        return self.env.draw.named(self.base, (int(key),))


def namespace(env: Env, bind: Bind, text: str) -> dict[str, Any]:
    """The names that a Python expression about a page may use: its symbols, and modules."""
    names: dict[str, Any] = {"np": np}
    for letter, value in bind.items():
        names[name_of(letter)] = value - 1
    tree = ast.parse(text, mode="eval")
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for entry in (e for entries in env.scope.entries.values() for e in entries):
        try:
            name = identifier(entry)
        except NoCode:
            continue
        if name in used:
            if entry.kind == "function":
                names[name] = _callable(env, entry, 0, 0)
            elif entry.letters:
                names[name] = _Family(env, entry)
            else:
                names[name] = _squeezed(env, entry, env.full(entry, ()))
    for base in env.scope.sizes:
        if base.isidentifier() and base in used and base not in names:
            names[base] = env.draw.size(Size(0, base, ()), bind)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and not isinstance(node.value, ast.Call):
            module = ast.unparse(node.value)
            if module.split(".")[0] not in names:
                with contextlib.suppress(ImportError):
                    importlib.import_module(module)
    for name in used - names.keys():
        with contextlib.suppress(ImportError):
            names[name] = importlib.import_module(name)
    return names


def _callable(env: Env, entry: Entry, order: int, pos: int) -> Callable[..., Any]:
    """A function of the page on 1-d arrays."""

    def function(*args: Any) -> Any:
        columns = [np.asarray(a) for a in args]
        shaped = [c[:, None] if c.ndim == 1 else c for c in columns]
        value = env.apply(entry, shaped, order, pos)
        return value[:, 0] if value.ndim == 2 and value.shape[1] == 1 else value

    return function


def code_of(env: Env, bind: Bind, left: Expr, right: Expr) -> str:
    """``left = right`` as code that has been run; empty if there is none."""
    try:
        emitter = Emitter(env, bind, [left, right])
        text = emitter.write(right)
        target = _target(emitter, left)
    except NoCode:
        return ""
    expected = flat(env.evaluate(right, bind))
    value = np.asarray(eval(text, emitter.names))
    if value.shape != expected.shape or not np.allclose(value, expected, rtol=1e-10, atol=1e-12):
        raise MathError(f"the code of this formula gives another value: {text}", right.pos)
    return f"{target} = {text}"


def _target(emitter: Emitter, left: Expr) -> str:
    """What the code assigns to."""
    if isinstance(left, Ref):
        return emitter.write(left)
    if isinstance(left, Diff):
        return emitter.derivative_name(left)
    if isinstance(left, Apply) and all(isinstance(a, Param | Ref) for a in left.args):
        name = name_of(left.entry.base) + "_prime" * left.order
        return f"{name}_{'_'.join(emitter.write(a) for a in left.args)}".split("[")[0]
    return "value"


def flat(value: Array) -> Array:
    """Columns and rows are 1-d in the code."""
    return value.ravel() if value.ndim == 2 and 1 in value.shape else value


def _shape(expr: Expr) -> tuple[int, ...]:
    return expr.shape


def _level(emitter: Emitter, expr: Expr) -> int:
    method = getattr(emitter, "_" + type(expr).__name__.lower())
    level: int = method(expr)[1]
    return level


def _key_letters(expr: Expr) -> set[str]:
    """Index letters that choose a member of a family somewhere: layers, steps."""
    found: set[str] = set()
    if isinstance(expr, Ref | Size):
        found = set().union(*(indices(k) for k in expr.key)) if expr.key else set()
    return found.union(*(_key_letters(c) for c in children(expr)))
