"""What inline formulas declare: ranges of indices, sizes, shapes, functions, signs."""

from __future__ import annotations

from sitekit.mathcheck.errors import MathError
from sitekit.mathcheck.expression import Entry
from sitekit.mathcheck.page import Inline
from sitekit.mathcheck.pieces import declared, letters, names_in, relations, shape_of, sides, symbol
from sitekit.mathcheck.scope import Range, Scope, same_shape
from sitekit.mathcheck.syntax import Raw, parse


def parsed(inline: Inline) -> list[Raw]:
    """The chains of an inline formula; none if it is not one that we could read."""
    try:
        return list(parse(inline.tex).parts)
    except MathError:
        return []


def read_range(inline: Inline, scope: Scope) -> None:
    r"""``i = 1, \dots, N``, also downwards."""
    if r"\dots" not in inline.tex and r"\ldots" not in inline.tex:
        return
    chains = parsed(inline)
    dots = [k for k, c in enumerate(chains) if letters(c) in (r"\dots", r"\ldots")]
    if len(dots) != 1 or dots[0] != len(chains) - 2 or not chains:
        return
    first = sides(chains[0])
    if relations(chains[0]) != ["="] or len(first) != 2:
        return
    letter = letters(first[0])
    if letter is None or not (len(letter) == 1 or letter.startswith("\\")):
        return
    low, high = first[1], sides(chains[-1])[0]
    if letters(high) == "1" or letters(high) == "0":
        low, high = high, low
    scope.ranges[letter] = Range(low, high)
    for name in names_in(low) + names_in(high):
        scope.sizes.add(name)


def read_sizes(inline: Inline, scope: Scope) -> None:
    """Letters in shapes are sizes."""
    for chain in parsed(inline):
        if {r"\in", r"\colon"} & set(relations(chain)):
            for side in sides(chain)[1:]:
                for dimension in shape_of(side) or ():
                    for name in names_in(dimension):
                        scope.sizes.add(name)


def read_declaration(inline: Inline, scope: Scope) -> list[Entry]:
    """Enter what an inline formula declares; ``n_0 = d`` makes two sizes equal."""
    chains = parsed(inline)
    if not chains:
        return []
    last = relations(chains[-1])
    if any(relations(c) for c in chains[:-1]):
        return []
    if last and last[0] == r"\in" and len(last) == 1:
        names = [sides(c)[0] for c in chains]
        return [e for name in names if (e := _member(name, sides(chains[-1])[1], scope))]
    if last in ([r"\colon", r"\to"], [r"\colon"]) and len(last) == 2:
        source, target = sides(chains[-1])[1:]
        return [
            e for c in chains if (e := _function(sides(c)[0], source, target, scope)) is not None
        ]
    if last == ["="] and len(chains) == 1:
        left, right = sides(chains[0])
        sizes = names_in(left)
        if len(sizes) == 1 and sizes[0] in scope.sizes and sizes[0] not in scope.entries:
            known = set(names_in(right)) <= scope.sizes and bool(names_in(right))
            if known and letters(left) is not None and (left, right) not in scope.aliases:
                scope.aliases.append((left, right))
    return []


def _new(name: Raw, scope: Scope) -> Entry | None:
    """An entry for a symbol as declared: its base, key and sample."""
    found = declared(name, set(scope.ranges))
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
    elif (count := _number(target)) is not None:
        entry.shape, entry.kind, entry.count = (), "number", count
        for letter in names_in(count):
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


def read_signs(inline: Inline, scope: Scope) -> None:
    chains = parsed(inline)
    if not chains or relations(chains[-1]) != [">"] or any(map(relations, chains[:-1])):
        return
    if letters(sides(chains[-1])[1]) == "0":
        for chain in chains:
            _positive(sides(chain)[0], scope)


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
    last = sides(atom.parts[0].parts[2])[0]
    factor = last.parts[0].parts[0]
    if factor.kind != "factor" or symbol(factor.parts[0]) != "e" or len(factor.parts) != 2:
        return None
    return sides(factor.parts[1].parts[0].parts[0])[0]


def _number(side: Raw) -> Raw | None:
    r"""``\{1, \dots, m\\}``: the number of a class or a word, which may be an index."""
    atom = _atom(side, "braces")
    if atom is None or len(atom.parts[0].parts) != 3:
        return None
    first, dots, last = atom.parts[0].parts
    if letters(first) != "1" or letters(dots) not in (r"\dots", r"\ldots") or relations(last):
        return None
    return sides(last)[0]


def _interval(side: Raw) -> tuple[float, float] | None:
    atom = _atom(side, "paren") or _atom(side, "bracket")
    if atom is None or len(atom.parts[0].parts) != 2:
        return None
    ends = [letters(chain) for chain in atom.parts[0].parts]
    try:
        return float(ends[0] or ""), float(ends[1] or "")
    except ValueError:
        return None


def bind_rows(entries: list[Entry]) -> None:
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
        if fits and whole.key == single.key and same_shape(tuple(rest), single.shape):
            whole.stacked = single
