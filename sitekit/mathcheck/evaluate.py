"""The value of an expression on random numbers, and derivatives by complex step and differences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from sitekit.mathcheck import functions as fn
from sitekit.mathcheck.errors import BadDraw, MathError, Untrue
from sitekit.mathcheck.expression import (
    Add,
    Apply,
    Big,
    Call,
    Cases,
    Clause,
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
from sitekit.mathcheck.resolve import Resolver, letters
from sitekit.mathcheck.scope import Range, Scope, Statement, names_in
from sitekit.mathcheck.syntax import Raw

Array = np.ndarray[Any, Any]
Node = tuple[Entry, tuple[int, ...]]
Bind = dict[str, int]


MOST_TERMS = 1000


class NeedsReal(Exception):
    """A derivative inside a derivative: the outer one must take real steps."""


class Draw:
    """Random sizes, all different and at least 2, and random values of what is given."""

    def __init__(self, scope: Scope, seed: int, scale: float = 1.0) -> None:
        self.scope, self.seed, self.scale = scope, seed, scale
        self.rng = np.random.default_rng(seed)
        small, large = self.rng.permutation([2, 3, 4, 5]), self.rng.permutation([6, 7, 8, 9])
        self._pool = [int(s) for s in (*small, *large, *range(10, 40))]
        self._sizes: dict[tuple[str, tuple[int, ...]], int] = {}
        self._given: dict[Node, Array] = {}
        self._resolved: dict[Raw, Expr] = {}
        self._resolver = Resolver(scope, set(scope.ranges))
        for letter in self._family_letters():  # how many layers, how many steps
            high = scope.ranges[letter].high
            for name in _size_names(high) + _size_names(scope.ranges[letter].low):
                self._take(name, (), from_small=True)

    def _family_letters(self) -> list[str]:
        keys = {
            k
            for entries in self.scope.entries.values()
            for e in entries
            for k, is_free in zip(e.key, e.free, strict=True)
            if is_free
        }
        return [k for k in self.scope.ranges if k in keys]

    def _take(self, base: str, key: tuple[int, ...], from_small: bool = False) -> int:
        if (base, key) not in self._sizes:
            alias = self._alias(base, key)
            if alias is not None:
                self._sizes[base, key] = alias
            elif from_small:
                chosen = min(self._pool, key=lambda s: (s > 4 or s < 3, s))
                self._pool.remove(chosen)
                self._sizes[base, key] = chosen
            else:
                self._sizes[base, key] = self._pool.pop(0)
        return self._sizes[base, key]

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
        return self._take(node.base, tuple(self.integer(k, bind) for k in node.key))

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
        sizes = tuple(self.integer(self.resolved(r, entry.letters), bind) for r in raw)
        if any(size < 1 for size in sizes):
            raise BadDraw
        return sizes

    def resolved(self, raw: Raw, also: tuple[str, ...] = ()) -> Expr:
        """A size as an expression; resolved once."""
        if raw not in self._resolved:
            letters = set(self.scope.ranges).union(also)
            self._resolved[raw] = Resolver(self.scope, letters).inside(raw)
        return self._resolved[raw]

    def given(self, entry: Entry, key: tuple[int, ...], samples: int | None) -> Array:
        """A random value for what the page does not define; drawn once."""
        if (entry, key) not in self._given:
            self._given[entry, key] = self._new(entry, key, samples)
        return self._given[entry, key]

    def _new(self, entry: Entry, key: tuple[int, ...], samples: int | None) -> Array:
        if entry.shape is None:
            raise MathError(f"{entry.name} is neither declared nor defined", entry.pos)
        shape = self.shape(entry.shape, entry, key)
        full = shape if samples is None else (samples, *shape)
        if entry.kind == "ones":
            return np.ones(full)
        if entry.kind == "one-hot":
            eye = np.eye(shape[0])
            chosen = self.rng.integers(shape[0], size=samples)
            return np.asarray(eye[chosen])
        if entry.kind == "set":
            if full == ():  # a single one takes all values in turn, draw after draw
                return np.asarray(entry.choices[self.seed % len(entry.choices)])
            return np.asarray(self.rng.choice(entry.choices, size=full))
        if entry.interval is not None:
            low, high = entry.interval
            return np.asarray(self.rng.uniform(low + 0.05, high - 0.05, size=full))
        if entry.positive:
            return np.asarray(self.rng.uniform(0.3, 1.7, size=full))
        return np.asarray(self.scale * self.rng.normal(size=full))

    def function(self, entry: Entry) -> Callable[..., Any]:
        n = self.shape(entry.inputs, entry, ())
        m = self.shape(entry.shape or (), entry, ())
        if not n and not m:
            return fn.Smooth(self.rng)
        if len(n) == 1 and len(m) <= 1:
            return fn.SmoothMap(self.rng, n[0], m[0] if m else None)
        raise MathError("a function is on numbers or on vectors", entry.pos)


def _size_names(raw: Raw) -> list[str]:
    text = letters(raw)
    return names_in(raw) if text is None or not text.isdigit() else []


class Env:
    """Values of one draw; ``overrides`` replace some of them, and what depends on them follows."""

    def __init__(
        self,
        draw: Draw,
        overrides: dict[Node, Array] | None = None,
        base: Env | None = None,
        method: str = "complex",
    ) -> None:
        self.draw, self.scope, self.method = draw, draw.scope, method
        self.overrides = overrides or {}
        self.base = base
        self.memo: dict[Node, Array] = {}
        self.deps: dict[Node, frozenset[Node]] = {}
        self.functions: dict[int, Callable[..., Any]] = base.functions if base else {}
        self.central: Env | None = None  # the same draw by differences, made when needed
        self._reading: list[set[Node]] = []
        self._active: list[Node] = []
        self.imaginary = any(np.iscomplexobj(v) for v in self.overrides.values())
        self.imaginary |= base.imaginary if base else False

    # -- symbols

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

    def whole(self, entry: Entry, free: list[int]) -> Array:
        """A symbol by the free part of its key; the fixed part is in its name."""
        return self.full(entry, tuple(free))

    def dependencies(self, node: Node) -> frozenset[Node]:
        if node in self.deps:
            return self.deps[node]
        if node in self.overrides:
            return frozenset()
        return self.base.dependencies(node) if self.base else frozenset()

    def _compute(self, node: Node) -> None:
        if node in self._active:
            raise MathError(f"{node[0].name} is defined by itself", node[0].pos)
        self._active.append(node)
        self._reading.append(set())
        try:
            self.memo[node] = self._value(*node)
        finally:
            self._active.pop()
            read = self._reading.pop()
        self.deps[node] = frozenset(read)

    def _value(self, entry: Entry, key: tuple[int, ...]) -> Array:
        clause = self._clause(entry, key)
        if clause is None:
            partner = self._stack_clause(entry, key)
            if partner is not None:
                return self._defined(partner[1], partner[0], key)
            self._within(entry, key)
            return self.draw.given(entry, key, self._samples(entry))
        return self._defined(clause, entry, key)

    def _within(self, entry: Entry, key: tuple[int, ...]) -> None:
        """A family ends where its index does; one before its first is allowed: h_0."""
        for letter, value in zip(entry.letters, key, strict=True):
            if letter in entry.ranges:
                low, high = self.limits(letter, entry.ranges, {}, entry.pos)
                if not low - 1 <= value <= high:
                    raise MathError(f"there is no {entry.name} with {letter} = {value}")

    def _samples(self, entry: Entry) -> int | None:
        if entry.sample is None:
            return None
        low, high = self.limits(entry.sample, entry.ranges, {}, entry.pos)
        return high - low + 1

    def _stack_clause(self, entry: Entry, key: tuple[int, ...]) -> tuple[Entry, Clause] | None:
        """The definition of X, where x^{(i)} has none of its own."""
        for entries in self.scope.entries.values():
            for other in entries:
                if other.stacked is entry and (clause := self._clause(other, key)):
                    return other, clause
        return None

    def _clause(self, entry: Entry, key: tuple[int, ...]) -> Clause | None:
        """The clause for a key: literal ones (h_0) before families (h_l), within its range."""
        best: tuple[int, Clause] | None = None
        for clause in entry.clauses:
            assert isinstance(clause.left, Ref)
            bind = self.unify(clause, key)
            if bind is None:
                continue
            literal = len(key) - len(bind)
            if best is None or literal > best[0]:
                best = literal, clause
        return best[1] if best else None

    def unify(self, clause: Clause, key: tuple[int, ...]) -> Bind | None:
        assert isinstance(clause.left, Ref)
        bind: Bind = {}
        for pattern, value in zip(clause.left.key, key, strict=True):
            free = sorted(indices(pattern))
            if not free:
                if self.draw.integer(pattern, {}) != value:
                    return None
                continue
            (letter,) = free
            offset = self.draw.integer(pattern, {letter: 0})
            bind[letter] = value - offset
            ranges = clause.source.ranges if letter in clause.source.ranges else self.scope.ranges
            if letter in ranges:
                low, high = self.limits(letter, ranges, {}, pattern.pos)
                if not low <= bind[letter] <= high:
                    return None
        return bind

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
        bind = self.unify(clause, key)
        assert bind is not None
        declared = None if entry.shape is None else self.draw.shape(entry.shape, entry, key)
        ranges = clause.source.ranges

        def one(at: Bind) -> Array:
            if not left.elements:
                value = _stored(self.evaluate(right, at))
                value = value.reshape(1) if declared == (1,) and value.ndim == 0 else value
                if declared is not None and value.shape != declared:
                    raise MathError(
                        f"{entry.name} is declared as {_shown(declared)}, "
                        f"its definition is {_shown(value.shape)}",
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
                out[place] = _number(self.evaluate(right, inner), right)
            return out if np.any(out.imag) or self.imaginary else out.real

        if left.sample is None:
            return one(bind)
        if not isinstance(left.sample, Index):
            raise MathError("define all samples at once: ^{(i)}", left.pos)
        letter = left.sample.letter
        low, high = self.limits(letter, ranges, bind, left.pos)
        return np.stack([one(bind | {letter: i}) for i in range(low, high + 1)])

    def limits(
        self, letter: str, ranges: dict[str, Range], bind: Bind, pos: int
    ) -> tuple[int, int]:
        """First and last value of an index letter."""
        found = ranges.get(letter) or self.scope.ranges.get(letter)
        if found is None:
            raise MathError(f"index {letter} has no range: write ${letter} = 1, \\dots, …$", pos)
        low = self.draw.integer(self.draw.resolved(found.low), bind)
        high = self.draw.integer(self.draw.resolved(found.high), bind)
        return min(low, high), max(low, high)

    # -- expressions

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
        value = self.full(entry, key)
        if expr.sample is not None:
            value = self._item(value, self.draw.integer(expr.sample, bind), expr)
        if expr.elements:
            if value.ndim != len(expr.elements):
                raise MathError(
                    f"{entry.name} has {value.ndim} indices, not {len(expr.elements)}", expr.pos
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
                        f"sum of {_shown(total.shape)} and {_shown(value.shape)}", term.pos
                    )
            total = total + value
        return total

    def _mul(self, expr: Mul, bind: Bind) -> Any:
        product: Array | None = None
        for factor in expr.factors:
            value = self.evaluate(factor, bind)
            product = value if product is None else self._product(product, value, factor.pos)
        return product

    def _product(self, a: Array, b: Array, pos: int) -> Array:
        if a.ndim == 0 or b.ndim == 0:
            return np.asarray(a * b)
        if a.ndim != 2 or b.ndim != 2:
            raise MathError("a product of more than two axes: use indices", pos)
        if a.shape[1] != b.shape[0]:
            raise Untrue(
                f"product of {_shown(a.shape)} and {_shown(b.shape)}: inner sizes differ", pos
            )
        value = a @ b
        return value.reshape(()) if value.shape == (1, 1) else value

    def _hadamard(self, expr: Hadamard, bind: Bind) -> Any:
        product: Array | None = None
        for factor in expr.factors:
            value = self.evaluate(factor, bind)
            if isinstance(factor, Mul) and not factor.in_brackets:
                arrays = [f for f in factor.factors if f.shape]
                if len(arrays) > 1:
                    raise MathError(r"write (A b) \odot c with brackets", factor.pos)
            if product is not None and product.shape != value.shape:
                raise Untrue(
                    rf"\odot of {_shown(product.shape)} and {_shown(value.shape)}", factor.pos
                )
            product = value if product is None else product * value
        return product

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
        if base.ndim:
            if base.shape[0] == base.shape[1]:
                return np.linalg.matrix_power(base, int(exponent.real))
            raise MathError("a power of a vector: write v \\odot v", expr.pos)
        if np.real(base) < 0 and float(np.real(exponent)) != int(np.real(exponent)):
            raise MathError("a root of a negative number", expr.pos)
        if not np.iscomplexobj(exponent) and float(exponent) == int(exponent):
            return base ** int(exponent)
        return base**exponent

    def _transpose(self, expr: Transpose, bind: Bind) -> Any:
        value = self.evaluate(expr.of, bind)
        if value.ndim != 2:
            raise MathError(r"\top of a number", expr.pos)
        return value.T

    def _call(self, expr: Call, bind: Bind) -> Any:
        args = [self.evaluate(a, bind) for a in expr.args]
        name = expr.name
        if name in ("max", "min"):
            if len(args) == 1:
                parts = [np.asarray(x) for x in np.ravel(args[0])]
            else:
                shapes = {a.shape for a in args if a.ndim}
                if len(shapes) > 1:
                    raise MathError(f"\\{name} of different shapes", expr.pos)
                parts = args
            return fn.maximum(*parts) if name == "max" else fn.minimum(*parts)
        if len(args) != 1:
            raise MathError(f"{name} takes one argument", expr.pos)
        (x,) = args
        if name in fn.ELEMENTWISE:
            if name in ("log", "ln", "sqrt") and np.any(np.real(x) <= 0):
                raise MathError(f"\\{name} of a negative number", expr.pos)
            return fn.ELEMENTWISE[name](x)
        if x.ndim != 2:
            raise MathError(f"{name} takes a vector or matrix", expr.pos)
        if name == "softmax":
            if x.shape[1] != 1:
                raise MathError("softmax takes a column: write it by sample", expr.pos)
            return fn.softmax(x)
        if name == "diag":
            return fn.diag(x)
        return np.trace(x) if name == "tr" else np.linalg.det(x)

    def _apply(self, expr: Apply, bind: Bind) -> Any:
        args = [self.evaluate(a, bind) for a in expr.args]
        return self.apply(expr.entry, args, expr.order, expr.pos)

    def apply(self, entry: Entry, args: list[Array], order: int, pos: int) -> Array:
        """A declared function at a point; on numbers it acts on each element."""
        clause = entry.clauses[0] if entry.clauses else None
        if clause is None:
            if not entry.inputs and entry.shape is None:
                raise MathError(f"{entry.base} is not declared", pos)
            if id(entry) not in self.functions:
                self.functions[id(entry)] = self.draw.function(entry)
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
            out[place] = _number(value, clause.right)
        complex_in = any(np.iscomplexobj(a) for a in args) or self.imaginary
        return out if complex_in else np.asarray(out.real)

    def _derivative_of_function(self, entry: Entry, x: Array, order: int, pos: int) -> Array:
        def f(t: Array) -> Array:
            return self.apply(entry, [t], order - 1, pos)

        if not np.iscomplexobj(x) and order == 1 and self.method == "complex":
            step = 1e-40
            return np.asarray(f(x + 1j * step).imag / step)
        return _five_points(f, x)

    def _big(self, expr: Big, bind: Bind) -> Any:
        if expr.low is not None and expr.high is not None:
            low, high = self.draw.integer(expr.low, bind), self.draw.integer(expr.high, bind)
        else:
            low, high = self._inferred(expr.letter, expr.body, bind, expr.pos)
        if high - low > MOST_TERMS:
            raise MathError(f"a sum of more than {MOST_TERMS} terms", expr.pos)
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
                total = self._product(total, term, expr.pos)
            else:
                total = np.asarray((fn.maximum if expr.op == "max" else fn.minimum)(total, term))
        if total is None:
            return np.asarray(1.0 if expr.op == "prod" else 0.0)
        return total

    def inferred(self, expr: Big, bind: Bind) -> tuple[int, int]:
        """The range of a sum without limits."""
        return self._inferred(expr.letter, expr.body, bind, expr.pos)

    def _inferred(self, letter: str, body: Expr, bind: Bind, pos: int) -> tuple[int, int]:
        """The range of an index: as declared, or the size of the axis that it runs over."""
        if letter in self.scope.ranges:
            return self.limits(letter, self.scope.ranges, bind, pos)
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
        numeric = np.iscomplexobj(at) or self.method != "complex"
        return (_grad5 if numeric else _grad_complex)(f, at)

    def _diff(self, expr: Diff, bind: Bind) -> Any:
        by = expr.by
        entry = by.entry.stacked or by.entry
        node = (entry, tuple(self.draw.integer(k, bind) for k in by.key))
        storage = np.array(self.full(*node))
        if self.imaginary:
            raise NeedsReal
        places = self._places(by, storage, bind)
        shape = self.evaluate(by, bind).shape

        def f(values: Array) -> Array:
            env = Env(self.draw, {**self.overrides, node: values}, self, self.method)
            return env.evaluate(expr.of, bind)

        method = self.method
        try:
            columns = [_partial(f, storage, place, method) for place in places]
        except NeedsReal:
            columns = [_partial(f, storage, place, "central") for place in places]
        outer = columns[0].shape
        if outer == ():
            return np.array(columns).reshape(shape)
        if shape == ():
            return columns[0]
        if outer[1:] == (1,) and shape[1:] == (1,):
            return np.concatenate(columns, axis=1)  # Jacobian: numerator layout
        raise MathError(
            f"the derivative of {_shown(outer)} by {_shown(shape)} is no matrix: use indices",
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


# --- numerical derivatives ------------------------------------------------------------------------


def _partial(f: Callable[[Array], Array], at: Array, place: tuple[int, ...], method: str) -> Array:
    """The derivative of f by one of its numbers."""
    if method == "complex":
        step, moved = 1e-40, at.astype(complex)
        moved[place] += 1j * step
        return np.asarray(np.imag(f(moved)) / step)

    def along(t: Array) -> Array:
        moved = np.array(at)
        moved[place] += t
        return f(moved)

    return _five_points(along, np.asarray(0.0))


def _five_points(f: Callable[[Array], Array], x: Array, h: float = 1e-3) -> Array:
    """Central differences of fourth order: the error is of order h⁴, rounding ε / h."""
    return np.asarray((8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h))


def _grad_complex(f: Callable[[Array], Array], x: Array) -> Array:
    return np.array([_partial(f, x, place, "complex") for place in np.ndindex(*x.shape)]).reshape(
        x.shape
    )


def _grad5(f: Callable[[Array], Array], x: Array) -> Array:
    return np.array([_partial(f, x, place, "central") for place in np.ndindex(*x.shape)]).reshape(
        x.shape
    )


# --- small helpers --------------------------------------------------------------------------------


def _stored(value: Array) -> Array:
    """A column is stored as a vector."""
    return value[:, 0] if value.ndim == 2 and value.shape[1] == 1 else value


def _number(value: Array, expr: Expr) -> Any:
    if value.ndim:
        raise MathError(f"expected a number, this is {_shown(value.shape)}", expr.pos)
    return value[()]


def _literal(expr: Expr) -> bool:
    return isinstance(expr, Num)


def _shown(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) if shape else "a number"


def _refs(expr: Expr) -> Iterator[Ref]:
    if isinstance(expr, Ref):
        yield expr
    for child in children(expr):
        yield from _refs(child)
