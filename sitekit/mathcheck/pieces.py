"""Small readings of what the parser found: which symbol a piece is, its scripts, a shape."""

from __future__ import annotations

from sitekit.mathcheck.errors import MathError
from sitekit.mathcheck.syntax import Raw

# Base, key, which parts of the key are index letters, sample.
Declared = tuple[str, tuple[str, ...], tuple[bool, ...], str | None]

# What looks like a letter to the parser and names nothing.
NOT_SYMBOLS = {r"\quad", r"\qquad", r"\dots", r"\ldots", r"\cdots", r"\infty", r"\mid", r"\lVert"}


def symbol(atom: Raw) -> str | None:
    r"""The name that an atom spells: ``W``, ``\hat y``, ``\mathbf{1}``, ``\mathrm{IoU}``."""
    if atom.kind == "letter":
        return str(atom.parts[0])
    if atom.kind in ("accent", "font"):
        command, inner = atom.parts
        text = letters(inner)
        return None if text is None else f"{command}{{{text}}}"
    if atom.kind == "named":
        return str(atom.parts[0])
    return None


def letters(raw: Raw) -> str | None:
    """The text of a piece that is one symbol or number, else None."""
    if raw.kind in ("list", "chain", "side", "term") and len(raw.parts) == 1:
        return letters(raw.parts[0]) if isinstance(raw.parts[0], Raw) else None
    if raw.kind == "side" and len(raw.parts) == 2 and raw.parts[0] == "-":
        text = letters(raw.parts[1])
        return None if text is None else "-" + text
    if raw.kind == "factor":
        if len(raw.parts) != 1:
            sub = raw.parts[1]
            inner = letters(raw.parts[0])
            if len(raw.parts) == 2 and sub.kind == "sub" and inner:
                text = letters(sub.parts[0])
                return None if text is None else f"{inner}_{text}"
            return None
        return letters(raw.parts[0])
    if raw.kind in ("number", "function"):
        return str(raw.parts[0])
    return symbol(raw)


def shape_of(side: Raw) -> tuple[Raw, ...] | None:
    r"""``\mathbb{R}^{N \times d}`` as its sizes, ``\mathbb{R}`` as none of them."""
    if len(side.parts) != 1 or not isinstance(side.parts[0], Raw):
        return None
    pieces = side.parts[0].parts
    if len(pieces) != 1 or pieces[0].kind != "factor":
        return None
    atom, *scripts = pieces[0].parts
    if symbol(atom) != r"\mathbb{R}":
        return None
    if not scripts:
        return ()
    if len(scripts) != 1 or scripts[0].kind != "sup":
        return None
    (chain,) = scripts[0].parts[0].parts
    (inner,) = chain.parts
    dimensions: list[list[Raw]] = [[]]
    (term,) = [p for p in inner.parts if isinstance(p, Raw)][:1]
    if len(inner.parts) != 1:
        return (inner,)
    for piece in term.parts:
        if piece.kind == "operator" and piece.parts[0] == r"\times":
            dimensions.append([])
        else:
            dimensions[-1].append(piece)
    return tuple(Raw("term", d[0].pos, tuple(d)) for d in dimensions if d)


def starting_partial(raw: Raw) -> Raw | None:
    """The factor ∂ at the start of a numerator or denominator."""
    if len(raw.parts) != 1 or len(raw.parts[0].parts) != 1:
        return None
    (side,) = raw.parts[0].parts
    if len(side.parts) != 1:
        return None
    first: Raw = side.parts[0].parts[0]
    if first.kind == "factor" and symbol(first.parts[0]) == r"\partial":
        return first
    return None


def starts_with_d(raw: Raw) -> bool:
    """Whether an argument is d and a symbol: half of dJ/dw."""
    if len(raw.parts) != 1 or len(raw.parts[0].parts) != 1:
        return False
    (side,) = raw.parts[0].parts
    first = side.parts[0]
    if len(side.parts) != 1 or not isinstance(first, Raw) or len(first.parts) != 2:
        return False
    return first.parts[0].kind == "factor" and letters(first.parts[0]) == "d"


def scripts(factor: Raw) -> tuple[list[Raw], list[Raw], int]:
    """Subscript items, superscripts and the number of primes of a factor."""
    subs: list[Raw] = []
    sups: list[Raw] = []
    primes = 0
    for script in factor.parts[1:]:
        if script.kind == "prime":
            primes += 1
        elif script.kind == "sup":
            sups.append(script.parts[0])
        else:
            if subs:
                raise MathError("two subscripts", script.pos)
            subs = _subscript_items(script.parts[0])
    return subs, sups, primes


def _subscript_items(raw: Raw) -> list[Raw]:
    """``2,rj`` is three items; ``l+1`` is one; ``12`` is row 1, column 2."""
    items: list[Raw] = []
    for chain in raw.parts:
        (side,) = chain.parts if len(chain.parts) == 1 else (None,)
        if side is None:
            raise MathError("a relation in a subscript belongs to a sum", chain.pos)
        if len(side.parts) == 1 and side.parts[0].kind == "term":
            for piece in side.parts[0].parts:
                if piece.kind != "factor":
                    items.append(as_side(piece))
                elif piece.parts[0].kind == "number" and len(piece.parts) == 1:
                    for k, digit in enumerate(str(piece.parts[0].parts[0])):
                        number = Raw("number", piece.pos + k, (digit,))
                        items.append(as_side(Raw("factor", piece.pos + k, (number,))))
                else:
                    items.append(as_side(piece))
        else:
            items.append(side)
    return items


def as_side(piece: Raw) -> Raw:
    return Raw("side", piece.pos, (Raw("term", piece.pos, (piece,)),))


def sample_of(sup: Raw) -> Raw | None:
    """The i of ``^{(i)}``."""
    if len(sup.parts) != 1 or len(sup.parts[0].parts) != 1:
        return None
    (side,) = sup.parts[0].parts
    if len(side.parts) != 1 or len(side.parts[0].parts) != 1:
        return None
    factor = side.parts[0].parts[0]
    if factor.kind == "factor" and len(factor.parts) == 1 and factor.parts[0].kind == "paren":
        inner: Raw = factor.parts[0].parts[0]
        if len(inner.parts) == 1 and len(inner.parts[0].parts) == 1:
            return inner.parts[0].parts[0]
    return None


def declared(piece: Raw, ranged: set[str]) -> Declared | None:
    """Base, key and sample of a bare symbol; None if the piece is anything else."""
    while piece.kind in ("list", "chain", "side", "term"):
        if len(piece.parts) != 1 or not isinstance(piece.parts[0], Raw):
            return None
        piece = piece.parts[0]
    if piece.kind != "factor":
        return None
    base = symbol(piece.parts[0])
    if base is None or base in NOT_SYMBOLS or base == r"\partial":
        return None
    subs, sups, primes = scripts(piece)
    if primes or len(sups) > 1:
        return None
    sample = None
    if sups:
        inner = sample_of(sups[0])
        sample = letters(inner) if inner else None
        if sample is None:
            return None
    key, free = [], []
    for item in subs:
        text = letters(item)
        if text is None:
            return None
        key.append(text)
        free.append(text in ranged)
    return base, tuple(key), tuple(free), sample


def subscripts(piece: Raw) -> list[Raw]:
    """The subscripts of a bare symbol."""
    while piece.kind in ("list", "chain", "side", "term"):
        piece = piece.parts[0]
    return scripts(piece)[0]


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


def relations(chain: Raw) -> list[str]:
    """The = and < of a chain, in order."""
    return [p for p in chain.parts if isinstance(p, str)]


def sides(chain: Raw) -> list[Raw]:
    """What stands between them."""
    return [p for p in chain.parts if isinstance(p, Raw)]
