"""From LaTeX to a raw tree: what is written, not yet what it means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from lark import Lark, Token, Transformer, Tree, UnexpectedInput, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, VisitError

from sitekit.mathcheck.errors import MathError

# What a parser library calls a token, and what an author calls it.
_NAMES = {
    "LBRACE": "{",
    "LPAR": "(",
    "RELATION": "=",
    "SIGN": "+ or -",
    "$END": "the end of the formula",
}
_PAIRS = {
    "{": "}", "(": ")", "[": "]", r"\{": r"\}", r"\lVert": r"\rVert", r"\lvert": r"\rvert",
}  # fmt: skip
_BRACKET = re.compile(
    r"\\(?P<side>begin|end)\{[^}]*\}|\\[lr][Vv]ert(?![A-Za-z])|\\[{}]|\\\\|[{}()\[\]]"
)
_ENVIRONMENTS = ("cases", "bmatrix")


@dataclass(frozen=True)
class Raw:
    """A piece of the formula as written; ``kind`` says which, ``pos`` where."""

    kind: str
    pos: int
    parts: tuple[Any, ...] = ()


@v_args(meta=True)
class _ToRaw(Transformer[Token, Raw]):
    def __default__(self, data: Any, children: list[Any], meta: Any) -> Raw:
        parts = tuple(str(c) if isinstance(c, Token) else c for c in children if c is not None)
        return Raw(str(data), getattr(meta, "start_pos", 0), parts)

    def arg(self, meta: Any, children: list[Any]) -> Raw:
        r"""One token stands for itself: \frac12, x_i, W^\top."""
        child = children[0]
        if isinstance(child, Raw):
            return child
        kind = {"DIGIT": "number", "FUNCTION": "function"}.get(child.type, "letter")
        pos = int(child.start_pos or 0)
        factor = Raw("factor", pos, (Raw(kind, pos, (str(child),)),))
        return _wrap(factor)

    def factor(self, meta: Any, children: list[Any]) -> Raw:
        r"""``\hat{y_i}`` is ``\hat{y}_i``: the scripts come out of the accent."""
        atom, *scripts = children
        if atom.kind == "accent":
            inner = _only_factor(atom.parts[1])
            if inner is not None and len(inner.parts) > 1:
                bare = _wrap(Raw("factor", inner.pos, inner.parts[:1]))
                atom = Raw("accent", atom.pos, (atom.parts[0], bare))
                scripts = [*inner.parts[1:], *scripts]
        return Raw("factor", atom.pos, (atom, *scripts))

    def big(self, meta: Any, children: list[Any]) -> Raw:
        return Raw("big", children[0].start_pos or 0, (str(children[0]), *children[1:]))

    def operator(self, meta: Any, children: list[Any]) -> Raw:
        return Raw("operator", meta.start_pos, (str(children[0]),))

    def term(self, meta: Any, children: list[Any]) -> Raw:
        pieces = [
            Raw("operator", c.start_pos or 0, (str(c),)) if isinstance(c, Token) else c
            for c in children
        ]
        return Raw("term", pieces[0].pos, tuple(pieces))

    def cell(self, meta: Any, children: list[Any]) -> Raw:
        if isinstance(children[0], Token):
            return Raw("text", children[0].start_pos or 0, (str(children[0])[6:-1],))
        return children[0]

    def number(self, meta: Any, children: list[Any]) -> Raw:
        digits = [c for c in children if c is not None]
        if digits[-1].start_pos - digits[0].start_pos != len(digits) - 1:
            raise MathError("a number with spaces in it", digits[0].start_pos)
        return Raw("number", digits[0].start_pos, ("".join(digits),))


def _wrap(factor: Raw) -> Raw:
    """A single factor as a list, the shape that braces have."""
    pos = factor.pos
    term = Raw("term", pos, (factor,))
    return Raw("list", pos, (Raw("chain", pos, (Raw("side", pos, (term,)),)),))


def _only_factor(raw: Raw) -> Raw | None:
    """The factor that a list consists of, if it is just one."""
    while raw.kind in ("list", "chain", "side", "term") and len(raw.parts) == 1:
        if not isinstance(raw.parts[0], Raw):
            return None
        raw = raw.parts[0]
    return raw if raw.kind == "factor" else None


@lru_cache(maxsize=1)
def _parser() -> Lark:
    grammar = Path(__file__).with_name("grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", propagate_positions=True, maybe_placeholders=False)


@lru_cache(maxsize=4096)
def parse(tex: str) -> Raw:
    """Return the list of chains that a formula is; raises MathError where it can't be read."""
    flat = _without_alignment(tex)
    if not flat.strip():
        raise MathError("the formula is empty", 0)
    for match in re.finditer(r"\\begin\{([^}]*)\}", flat):
        if match[1] not in _ENVIRONMENTS:
            raise _environment(flat, match[0], match.start())
    try:
        tree: Tree[Token] = _parser().parse(flat)
    except UnexpectedInput as error:
        raise _syntax_error(flat, error) from None
    try:
        return _ToRaw().transform(tree).parts[0]
    except VisitError as error:  # lark wraps what a transformer raises
        if isinstance(error.orig_exc, MathError):
            raise error.orig_exc from None
        raise


def _syntax_error(tex: str, error: UnexpectedInput) -> MathError:
    """What the author should mend: first the brackets, whose fault shows far from its place."""
    if (found := _unpaired(tex)) is not None:
        return found
    pos = error.pos_in_stream if error.pos_in_stream is not None else len(tex)
    if pos < 0:
        pos = len(tex)
    if isinstance(error, UnexpectedCharacters):
        if tex.startswith((r"\|", "|"), pos):
            return MathError(r"write \lVert v \rVert or \lvert a \rvert", pos)
        return MathError(f"{tex[pos : pos + 1]!r} is not part of the dialect", pos)
    token = getattr(error, "token", None)
    if isinstance(error, UnexpectedEOF) or token is None or token.type == "$END":
        punctuated = tex.rstrip().endswith(",")
        hint = "; write one equation in each block, without punctuation" if punctuated else ""
        return MathError(f"the formula ends too early{hint}", len(tex))
    expected = getattr(error, "accepts", None) or getattr(error, "expected", set()) or set()
    closing = sorted({_NAMES[e] for e in expected if e in _NAMES})
    hint = f"; expected one of: {'  '.join(closing)}" if closing else ""
    if re.match(r"\.\d", tex[pos:]):
        hint = "; write 0.5 with its zero"
    elif str(token) in {".", ";"} or str(token).startswith((r"\quad", r"\qquad")):
        hint = "; write one equation in each block, without punctuation"
    return MathError(f"did not expect '{token}'{hint}", pos)


def _environment(tex: str, begin: str, pos: int) -> MathError:
    if begin != r"\begin{aligned}":
        known = ", ".join(_ENVIRONMENTS)
        return MathError(f"{begin} is not part of the dialect: write {known} or aligned", pos)
    if tex.count(begin) > tex.count(r"\end{aligned}"):
        return MathError(f"the formula ends too early: {begin} is never closed", pos)
    return MathError("aligned stands around the whole formula", pos)


def _unpaired(tex: str) -> MathError | None:
    """The first bracket without its partner."""
    open_: list[tuple[str, int]] = []
    for match in _BRACKET.finditer(tex):
        bracket, pos = match[0], match.start()
        if bracket in _PAIRS or match["side"] == "begin":
            open_.append((bracket, pos))
        elif bracket != r"\\":
            if not open_:
                return MathError(f"did not expect '{bracket}': it closes nothing", pos)
            opener, where = open_.pop()
            partner = _PAIRS.get(opener, opener.replace("begin", "end"))
            if bracket != partner:
                return MathError(f"did not expect '{bracket}': {opener} is open before it", pos)
    if open_:
        opener, where = open_[-1]
        return MathError(f"the formula ends too early: this {opener} is never closed", where)
    return None


def _without_alignment(tex: str) -> str:
    """Blank out an outer ``aligned``; every offset stays. Rows continue the chain before."""
    match = re.fullmatch(r"\s*(\\begin\{aligned\})(.*)(\\end\{aligned\})\s*", tex, flags=re.S)
    if match is None:
        return tex
    out = list(tex)
    for group in (1, 3):
        for k in range(match.start(group), match.end(group)):
            out[k] = " "
    depth, k, end = 0, match.start(2), match.end(2)
    while k < end:
        if tex.startswith(r"\begin", k):
            depth += 1
        elif tex.startswith(r"\end", k):
            depth -= 1
        elif depth == 0 and tex[k] == "&":
            out[k] = " "
        elif depth == 0 and tex.startswith(r"\\", k):
            row = re.compile(r"\\\\(?:\[[^\]]*\])?").match(tex, k)  # with its distance: \\[4pt]
            after = row.end() if row else k + 2
            out[k:after] = " " * (after - k)
            rest = re.match(r"\s*&?\s*(\S|$)", tex[after:end])
            if rest and rest[1] not in "=+-":
                where = after + rest.start(1)
                raise MathError("a new row continues the chain: it begins with = + or -", where)
            k = after - 1
        k += 1
    return "".join(out)
