"""From the raw tree to an expression: what juxtaposition means, which letter is an index."""

from __future__ import annotations

from sitekit.mathcheck.errors import MathError
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
)
from sitekit.mathcheck.functions import BUILTINS
from sitekit.mathcheck.hints import suggestion
from sitekit.mathcheck.pieces import (
    NOT_SYMBOLS,
    letters,
    sample_of,
    scripts,
    starting_partial,
    starts_with_d,
    symbol,
)
from sitekit.mathcheck.scope import Scope
from sitekit.mathcheck.syntax import Raw

MOST_DERIVATIVES = 3  # the outer ones are differences, and each of them costs three digits
_RELATIONS = {r"\leq": r"\le", r"\geq": r"\ge", r"\neq": r"\ne"}


class Resolver:
    """Gives every piece its meaning in a scope; ``indices`` are the letters that have a range."""

    def __init__(self, scope: Scope, ranged: set[str]) -> None:
        self.scope, self.ranged = scope, ranged
        self.bound: list[str] = []
        self.params: tuple[str, ...] = ()
        self.heading = False

    # -- expressions

    def side(self, raw: Raw, params: tuple[str, ...] = (), heading: bool = False) -> Expr:
        """One side of an equation."""
        saved, self.params = self.params, (*self.params, *params)
        self.heading = heading
        try:
            return self.sum(raw)
        finally:
            self.params = saved
            self.heading = False

    def sum(self, raw: Raw) -> Expr:
        terms: list[tuple[str, Expr]] = []
        sign = "+"
        for part in raw.parts:
            if isinstance(part, str):
                if part not in "+-":
                    raise MathError(f"{part} has two meanings: write two equations", raw.pos)
                sign = part
            else:
                terms.append((sign, self.product(list(part.parts))))
                sign = "+"
        if len(terms) == 1 and terms[0][0] == "+":
            return terms[0][1]
        return Add(raw.pos, terms)

    def inside(self, raw: Raw) -> Expr:
        """The one expression inside brackets."""
        if raw.kind == "list":
            if len(raw.parts) != 1:
                raise MathError("expected one expression", raw.pos)
            raw = raw.parts[0]
        if raw.kind == "chain":
            if len(raw.parts) != 1:
                raise MathError("did not expect a relation here", raw.pos)
            raw = raw.parts[0]
        heading, self.heading = self.heading, False
        found = self.sum(raw) if raw.kind == "side" else self.product(list(raw.parts))
        self.heading = heading
        return found

    def product(self, pieces: list[Raw]) -> Expr:
        r"""A term: \odot binds loosest, then \cdot and /, juxtaposition tightest."""
        groups: list[list[tuple[str, Expr]]] = [[]]
        operator, k, pos = "", 0, pieces[0].pos
        while k < len(pieces):
            piece = pieces[k]
            if piece.kind == "operator":
                operator = str(piece.parts[0])
                if operator == r"\odot":
                    if not groups[-1]:
                        raise MathError(r"\odot needs something before it", piece.pos)
                    groups.append([])
                    operator = ""
                elif operator == r"\circ":
                    raise MathError(r"\circ: write g(f(x)), or \odot for a product", piece.pos)
                k += 1
                continue
            if piece.kind == "big":
                node, k = self.big(piece, pieces[k + 1 :]), len(pieces)
            else:
                node, k = self.factor(pieces, k)
            groups[-1].append((operator or " ", node))
            operator = ""
        if not groups[-1] or operator:
            raise MathError("the product ends too early", pieces[-1].pos)
        factors = [self._group(group) for group in groups]
        return factors[0] if len(factors) == 1 else Hadamard(pos, factors)

    def _group(self, items: list[tuple[str, Expr]]) -> Expr:
        r"""Left to right: juxtaposed factors first, then \cdot, \times and /."""
        runs: list[tuple[str, list[Expr]]] = []
        for operator, node in items:
            if operator == " " and runs:
                runs[-1][1].append(node)
            else:
                runs.append((operator, [node]))
        products = [(op, ns[0] if len(ns) == 1 else Mul(ns[0].pos, ns)) for op, ns in runs]
        result = products[0][1]
        for (operator, node), (_, run) in zip(products[1:], runs[1:], strict=True):
            if operator == "/" and len(run) > 1:
                raise MathError(r"1/a b has two readings: write \frac", node.pos)
            if operator == "/":
                result = Div(result.pos, result, node)
            else:
                result = Mul(result.pos, [result, node])
        return result

    def big(self, piece: Raw, rest: list[Raw]) -> Expr:
        """A sum or product; it takes the rest of its term."""
        op = str(piece.parts[0]).lstrip("\\")
        if not rest:
            raise MathError(f"\\{op} of nothing", piece.pos)
        letter, low, high, condition_raw = self._bounds(piece)
        if letter in self.bound:
            raise MathError(f"{letter} is summed twice", piece.pos)
        self.bound.append(letter)
        try:
            condition = self.compare(condition_raw) if condition_raw else None
            body = self.product(rest)
        finally:
            self.bound.pop()
        return Big(piece.pos, op, letter, low, high, condition, body)

    def _bounds(self, piece: Raw) -> tuple[str, Expr | None, Expr | None, Raw | None]:
        low = high = None
        letter: str | None = None
        condition: Raw | None = None
        for script in piece.parts[1:]:
            if script.kind == "sup":
                high = self.inside(script.parts[0])
                continue
            if len(script.parts[0].parts) != 1:
                raise MathError(r"one index for each sum: \sum_j \sum_k", script.pos)
            (chain,) = script.parts[0].parts
            sides = [p for p in chain.parts if isinstance(p, Raw)]
            relations = [p for p in chain.parts if isinstance(p, str)]
            letter = letters(sides[0])
            if relations == ["="]:
                low = self.inside(sides[1])
            elif relations:
                condition = chain
        if letter is None:
            raise MathError("a sum needs its index: \\sum_{i=1}^{N}", piece.pos)
        if (low is None) != (high is None):
            raise MathError("a sum has both limits or none", piece.pos)
        if isinstance(high, Num) and isinstance(low, Size):
            raise MathError("the limits of this sum are the wrong way round", piece.pos)
        return letter, low, high, condition

    def compare(self, chain: Raw) -> Compare:
        sides = [p for p in chain.parts if isinstance(p, Raw)]
        relations = [p for p in chain.parts if isinstance(p, str)]
        if len(relations) != 1 or relations[0] in (r"\in", r"\colon", r"\to", r"\leftarrow"):
            raise MathError("expected one comparison: =, <, >, \\le, \\ge or \\ne", chain.pos)
        relation = _RELATIONS.get(relations[0], relations[0])
        return Compare(chain.pos, relation, self.inside(sides[0]), self.inside(sides[1]))

    def factor(self, pieces: list[Raw], k: int) -> tuple[Expr, int]:
        """One factor and the place after it; a function takes its argument along."""
        piece = pieces[k]
        if piece.kind == "big":
            return self.big(piece, pieces[k + 1 :]), len(pieces)
        if piece.kind == "operator":
            raise MathError(f"did not expect {piece.parts[0]}", piece.pos)
        atom = piece.parts[0]
        name = symbol(atom)
        if atom.kind == "function" or atom.kind == "named":
            return self._named(pieces, k)
        if name == r"\nabla":
            return self._nabla(pieces, k)
        if name is not None:
            known = self.scope.find(name, [])
            if known and known[0].kind == "function":
                return self._apply(known[0], pieces, k)
            return self._reference(name, piece), k + 1
        if atom.kind == "frac":
            return self._fraction(pieces, k)
        return self._scripted(self._bracket(atom), piece), k + 1

    def _scripted(self, node: Expr, factor: Raw) -> Expr:
        """Apply powers and ⊤ that stand on brackets."""
        subs, sups, primes = scripts(factor)
        if subs and isinstance(node, Norm):
            raise MathError(r"write \lVert v \rVert: it is the Euclidean norm", factor.pos)
        if subs or primes:
            raise MathError("a subscript or prime belongs to a symbol", factor.pos)
        if len(sups) > 1:
            raise MathError("two superscripts: write {(…)^2}^3", factor.pos)
        for sup in sups:
            node = self._power(node, sup, factor.pos)
        return node

    def _power(self, node: Expr, sup: Raw, pos: int) -> Expr:
        text = letters(sup)
        if text == r"\top":
            return Transpose(pos, node)
        if text == "T" and "T" not in self.scope.sizes:
            raise MathError(r"write W^\top: T is a letter like any other", pos)
        if text == "T" and isinstance(node, Ref) and len(node.entry.shape or ()) == 2:
            raise MathError(r"write W^\top: T is a size here", pos)
        if sample_of(sup) is not None:
            raise MathError("a sample (i) belongs to a symbol", pos)
        exponent = self.inside(sup)
        if isinstance(node, Norm) and text == "2":
            return Norm(node.pos, node.of, True)
        return Pow(pos, node, exponent)

    def _bracket(self, atom: Raw) -> Expr:
        kind, pos = atom.kind, atom.pos
        if kind == "number":
            return Num(pos, float(atom.parts[0]), str(atom.parts[0]))
        if kind in ("paren", "group"):
            node = self.inside(atom.parts[0])
            node.in_brackets = kind == "paren"
            return node
        if kind == "bracket":
            (chain,) = atom.parts[0].parts
            if any(isinstance(p, str) for p in chain.parts):
                return Indicator(pos, self.compare(chain))
            return self.inside(atom.parts[0])
        if kind == "sqrt":
            return Call(pos, "sqrt", [self.inside(atom.parts[0])])
        if kind == "norm":
            return Norm(pos, self.inside(atom.parts[0]), False)
        if kind == "absolute":
            return Call(pos, "abs", [self.inside(atom.parts[0])])
        rows = [p for p in atom.parts if isinstance(p, Raw)]
        if kind == "cases":
            return Cases(pos, [self._case(row) for row in rows])
        if kind == "matrix":
            return Matrix(pos, [[self.inside(c) for c in row.parts] for row in rows])
        raise MathError(f"can't evaluate {kind}", pos)

    def _case(self, row: Raw) -> tuple[Expr, Compare | None]:
        if len(row.parts) != 2:
            raise MathError("a case has a value and a condition: a & a > 0", row.pos)
        value, condition = row.parts
        if condition.kind == "text":
            if condition.parts[0].strip() not in ("otherwise", "else", "其他", "否则"):
                raise MathError("the only text in a formula is \\text{otherwise}", condition.pos)
            return self.inside(value), None
        return self.inside(value), self.compare(condition)

    # -- symbols

    def _reference(self, name: str, factor: Raw) -> Expr:
        subs, sups, primes = scripts(factor)
        pos = factor.pos
        if primes:
            raise MathError(f"{name}' : a prime is the derivative of a declared function", pos)
        samples = [(s, inner) for s in sups if (inner := sample_of(s)) is not None]
        powers = [s for s in sups if sample_of(s) is None]
        if samples and powers:
            raise MathError(f"two superscripts: write {{{name}^{{(i)}}}}^\\top", pos)
        if len(powers) > 1:
            raise MathError(f"two superscripts: write {{{name}^…}}^…", pos)
        node = self._plain(name, subs, samples[0][1] if samples else None, powers, pos)
        if name == "e" and isinstance(node, Call):
            powers = powers[1:]
        for sup in powers:
            node = self._power(node, sup, pos)
        return node

    def _plain(
        self, name: str, subs: list[Raw], sample: Raw | None, powers: list[Raw], pos: int
    ) -> Expr:
        scope = self.scope
        if name in self.params and not subs and sample is None:
            return Param(pos, name)
        found = scope.find(name, subs, sample is not None) or scope.find(name, subs)
        if found is not None:
            entry, n = found
            if (entry.sample is None) != (sample is None):
                hint = (
                    f"{name} has a sample: write {entry.name}"
                    if entry.sample
                    else (f"{name} has no sample: it is declared without one")
                )
                raise MathError(hint, pos)
            members = zip(subs[:n], entry.free, strict=True)
            key = tuple(self.inside(s) for s, is_free in members if is_free)
            elements = tuple(self.inside(s) for s in subs[n:])
            at = self.inside(sample) if sample is not None else None
            return Ref(pos, entry, key, at, elements)
        if sample is None:
            if not subs and (name in self.bound or name in self.ranged):
                return Index(pos, name)
            if name in scope.sizes:
                return Size(pos, name, tuple(self.inside(s) for s in subs))
            if name == "e" and powers:
                return Call(pos, "exp", [self.inside(powers[0])])
            if name == r"\pi" and not subs:
                return Const(pos, "pi")
        if name in (r"\quad", r"\qquad"):
            raise MathError("one equation in each block, without spaces between several", pos)
        if name in NOT_SYMBOLS:
            raise MathError(f"{name} can't be evaluated", pos)
        shown = name + ("_{…}" if subs else "") + ("^{(…)}" if sample is not None else "")
        raise MathError(f"{shown} is not declared in this section{suggestion(scope, name)}", pos)

    # -- functions

    def _named(self, pieces: list[Raw], k: int) -> tuple[Expr, int]:
        r"""``\log x``, ``\max(a, b)``, ``\operatorname{softmax}(a)``, ``\mathrm{IoU}``."""
        piece = pieces[k]
        atom = piece.parts[0]
        full = str(atom.parts[0])
        name = full.lstrip("\\")
        if atom.kind == "named":
            name = name[name.index("{") + 1 : -1].strip()
            known = self.scope.find(full, [])
            if known and known[0].kind == "function":
                return self._apply(known[0], pieces, k)
            if known or name not in BUILTINS:
                return self._reference(full, piece), k + 1
        if name not in BUILTINS:
            raise MathError(f"{full} is not known", piece.pos)
        subs, sups, primes = scripts(piece)
        if sups or primes:
            raise MathError(f"write ({full} …)^2 with brackets", piece.pos)
        if subs:
            letter = letters(subs[0])
            if name not in ("max", "min") or letter is None or len(subs) != 1:
                raise MathError(f"{full} takes no subscript here", piece.pos)
            self.bound.append(letter)
            body, after = self._argument(pieces, k + 1, piece.pos)
            self.bound.pop()
            return Big(piece.pos, name, letter, None, None, None, body[0]), after
        args, after = self._argument(pieces, k + 1, piece.pos)
        node: Expr = Call(piece.pos, name, args)
        node = self._after(node, pieces, k + 1, after)
        return node, after

    def _argument(self, pieces: list[Raw], k: int, pos: int) -> tuple[list[Expr], int]:
        if k >= len(pieces):
            raise MathError("a function without its argument", pos)
        piece = pieces[k]
        if piece.kind == "factor" and piece.parts[0].kind == "paren":
            chains = piece.parts[0].parts[0].parts
            return [self.inside(c) for c in chains], k + 1
        node, after = self.factor(pieces, k)
        return [node], after

    def _after(self, node: Expr, pieces: list[Raw], k: int, after: int) -> Expr:
        """Scripts on the brackets of an argument belong to the result: σ(a)^2."""
        if after == k + 1 and pieces[k].kind == "factor" and pieces[k].parts[0].kind == "paren":
            subs, sups, primes = scripts(pieces[k])
            if subs or primes:
                raise MathError("a subscript or prime belongs to a symbol", pieces[k].pos)
            if sups and isinstance(node, Call) and node.name != "softmax":
                raise MathError(f"write (\\{node.name} …)^2 with brackets", pieces[k].pos)
            for sup in sups:
                node = self._power(node, sup, pieces[k].pos)
        return node

    def _apply(self, entry: Entry, pieces: list[Raw], k: int) -> tuple[Expr, int]:
        piece = pieces[k]
        subs, sups, primes = scripts(piece)
        if subs or sups:
            raise MathError(f"{entry.base} is a function: write {entry.base}(…)", piece.pos)
        following = pieces[k + 1] if k + 1 < len(pieces) else None
        if following is None or following.kind != "factor" or following.parts[0].kind != "paren":
            raise MathError(f"{entry.base} is a function: write {entry.base}(…)", piece.pos)
        chains = following.parts[0].parts[0].parts
        if self.heading and primes == 0 and not entry.clauses:
            names = [letters(c) for c in chains]
            if all(n is not None for n in names):
                params: list[Expr] = [
                    Param(c.pos, str(n)) for c, n in zip(chains, names, strict=True)
                ]
                return Apply(piece.pos, entry, params, 0), k + 2
        args = [self.inside(c) for c in chains]
        node: Expr = Apply(piece.pos, entry, args, primes)
        return self._after(node, pieces, k + 1, k + 2), k + 2

    # -- derivatives

    def _fraction(self, pieces: list[Raw], k: int) -> tuple[Expr, int]:
        piece = pieces[k]
        top, bottom = piece.parts[0].parts
        partial = starting_partial(top)
        if partial is None:
            if starts_with_d(top) and starts_with_d(bottom):
                raise MathError(r"write a derivative with \partial", piece.pos)
            node: Expr = Div(piece.pos, self.inside(top), self.inside(bottom))
            return self._scripted(node, piece), k + 1
        by = self._denominators(bottom)
        _subs, sups, _primes = scripts(partial)
        order = letters(sups[0]) if sups else "1"
        if order != str(len(by)):
            raise MathError(
                f"\\partial^{order} stands over {len(by)} of them: the orders differ", piece.pos
            )
        if len(by) > MOST_DERIVATIVES:
            raise MathError("at most third derivatives: differences lose digits", piece.pos)
        rest = top.parts[0].parts[0].parts[0].parts[1:]
        if rest:
            of, after = self.product(list(rest)), k + 1
        else:
            if k + 1 >= len(pieces):
                raise MathError("the derivative of nothing", piece.pos)
            of, after = self.product(pieces[k + 1 :]), len(pieces)
        for ref in reversed(by):
            of = Diff(piece.pos, of, ref)
        return (self._scripted(of, piece) if rest else of), after

    def _denominators(self, raw: Raw) -> list[Ref]:
        if starting_partial(raw) is None:
            raise MathError(r"expected \partial in the denominator", raw.pos)
        pieces = list(raw.parts[0].parts[0].parts[0].parts)
        refs: list[Ref] = []
        k = 0
        while k < len(pieces):
            if symbol(pieces[k].parts[0]) != r"\partial" or k + 1 >= len(pieces):
                raise MathError(r"expected \partial and a symbol", pieces[k].pos)
            target = pieces[k + 1]
            _subs, sups, _primes = scripts(target)
            times = 1
            if len(sups) == 1 and (letters(sups[0]) or "").isdigit():  # ∂w², not ∂(w²)
                times = int(letters(sups[0]) or 1)
                bare = tuple(p for p in target.parts if getattr(p, "kind", "") != "sup")
                target = Raw("factor", target.pos, bare)
            node, _ = self.factor([target], 0)
            if not isinstance(node, Ref):
                raise MathError("a derivative is by a declared symbol", pieces[k + 1].pos)
            refs += [node] * times
            k += 2
        return refs

    def _nabla(self, pieces: list[Raw], k: int) -> tuple[Expr, int]:
        """∇f(x): the gradient of a declared function; ∇_W J: the derivative of J by W."""
        piece = pieces[k]
        subs, _, _ = scripts(piece)
        if k + 1 >= len(pieces):
            raise MathError("the gradient of nothing", piece.pos)
        name = symbol(pieces[k + 1].parts[0])
        known = self.scope.find(name, []) if name else None
        if known and known[0].kind == "function" and not subs:
            node, after = self.factor(pieces, k + 1)
            if not isinstance(node, Apply) or len(node.args) != 1:
                raise MathError("the gradient of a function is taken at a point", piece.pos)
            return Gradient(piece.pos, known[0], node.args[0]), after
        if len(subs) != 1:
            raise MathError(r"write \nabla_{W} J, or \nabla f(x) of a declared function", piece.pos)
        by = self.inside(subs[0])
        if not isinstance(by, Ref):
            raise MathError("a gradient is by a declared symbol", piece.pos)
        node, after = self.factor(pieces, k + 1)
        return Diff(piece.pos, node, by), after
