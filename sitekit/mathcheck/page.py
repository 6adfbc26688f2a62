r"""What a page says in formulas: its sections, declarations and display equations.

**Inline formulas declare.** ``$x^{(i)} \in \mathbb{R}^{d}$`` gives a shape,
``$\sigma \colon \mathbb{R} \to \mathbb{R}$`` a function, ``$i = 1, \dots, N$`` a range,
``$c > 0$`` a sign, ``$y \in \{0, 1\}$`` a set, ``$k \in \{1, \dots, m\}$`` a number that may be an
index, ``$n_0 = d$`` two names of one size, ``$\delta = \frac{\partial J}{\partial a}$`` a meaning.
Every other inline formula is left alone: none is evaluated, whatever it claims.

**A display equation** (``$$`` on lines of their own) defines a symbol or, if the symbol is known,
claims something about it; of a chain ``a = b = c`` every link is checked. An attribute line may
follow it::

    $$
    J \ge 0
    $$
    { .unchecked reason="an inequality" }

``#name`` gives the equation an id, ``python="…"`` names an expression that must have the same
value, ``.false`` marks a formula that is printed because it is wrong (it must fail). Any other
attribute is an error, and so is ``python`` where nothing is compared.

**A section** sees itself and what stands above its own heading's level: the page's preamble and
the sections around it. ``<!-- math: uses shapes matrix -->`` below a heading imports sections,
also of other pages (``uses two-layers.md#matrix``).

**Formulas** are built from numbers, symbols with subscripts (elements, members of a family such as
``W_l``) and one superscript ``^{(i)}`` (a sample), ``+ - \cdot / \odot \frac \sqrt \lVert \lvert
\sum \prod \max \min``, powers, ``^\top``, ``^{-1}`` of a matrix, ``[j = k]``, ``cases``,
``bmatrix``, ``aligned`` around a chain, common functions (``\exp``, ``\operatorname{softmax}``),
derivatives (``\frac{\partial J}{\partial W}``, ``\nabla f(x)``, ``\sigma'(a)``). Juxtaposition is
the product of matrices; a vector is a column; ``1/a b`` and others with two readings are errors.

**Limits**, each an error that says so: an index has at most 1000 values (a sum is as long), a
derivative is at most the third (the outer ones are taken by differences, which lose digits), a
derivative of a matrix by a matrix is written by index.

An error is reported once, where it arises; equations that use what failed there are named in its
last line and not checked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from markdown.extensions.attr_list import get_attrs_and_remainder

from sitekit.mathcheck.errors import MathError

_HEADING = re.compile(r"^(?P<marks>#{1,6}) +.*?(?:\{[^}]*#(?P<id>[\w-]+)[^}]*\})? *$")
_FENCE = re.compile(r"^ *(?P<marks>`{3,}(?=[^`]*$)|~{3,})")
_OTHER_DISPLAY = re.compile(
    r"^[ >]*(?:\$\$.*\S|> *\$\$|\\\[|\\begin\{(?:equation|align|gather)\*?\})"
)
_DIRECTIVE = re.compile(r"^ *<!-- *math: *uses +(?P<what>.+?) *-->$")
_INLINE = re.compile(r"(?<![\\$])\$(?!\s)([^$\n]+?)(?<!\s)\$")


@dataclass(frozen=True)
class Inline:
    """A formula in a sentence or table; ``row`` tells cells of one table row apart from others."""

    tex: str
    line: int
    row: int | None = None


@dataclass(frozen=True)
class Equation:
    """A display equation with its attributes."""

    tex: str
    line: int  # of the first line of the formula
    id: str
    number: int
    unchecked: str | None = None
    false: bool = False
    python: str | None = None


@dataclass
class Section:
    """What stands between two headings; ``parents`` are the sections around it, outermost first."""

    id: str
    level: int
    parents: list[Section] = field(default_factory=list)
    uses: list[tuple[str, int]] = field(default_factory=list)
    items: list[Inline | Equation] = field(default_factory=list)

    @property
    def equations(self) -> list[Equation]:
        return [item for item in self.items if isinstance(item, Equation)]


@dataclass
class Page:
    """All sections of a page, in order; the first one stands before the first heading."""

    path: Path
    sections: list[Section]

    def section(self, name: str) -> Section | None:
        return next((s for s in self.sections if s.id == name), None)

    @property
    def equations(self) -> list[Equation]:
        return [e for s in self.sections for e in s.equations]

    def content(self) -> tuple[object, ...]:
        """All that the checks depend on, without lines and words: equal in every translation."""
        return tuple(
            (
                s.id,
                s.level,
                tuple(u for u, _ in s.uses),
                tuple(
                    (e.tex, e.id, e.unchecked is not None, e.false, e.python)
                    if isinstance(e, Equation)
                    else e.tex
                    for e in s.items
                ),
            )
            for s in self.sections
        )


def read(path: Path, text: str | None = None) -> Page:
    """Read the formulas of a Markdown page."""
    lines = (path.read_text(encoding="utf-8") if text is None else text).splitlines()
    page = Page(path, [Section("", 0)])
    stack = [page.sections[0]]
    fence, number, k = "", 0, 0
    while k < len(lines):
        line, section = lines[k], stack[-1]
        marks = _FENCE.match(line)
        if fence:
            closing = line.strip()
            if len(closing) >= len(fence) and set(closing) == set(fence):
                fence = ""
        elif marks:
            fence = marks["marks"]
        elif heading := _HEADING.match(line):
            level = len(heading["marks"])
            while stack[-1].level >= level:
                stack.pop()
            name = heading["id"] or f"section-{len(page.sections)}"
            new = Section(name, level, [*stack])
            page.sections.append(new)
            stack.append(new)
        elif directive := _DIRECTIVE.match(line):
            section.uses += [(what, k + 1) for what in directive["what"].split()]
        elif line.strip() == "$$":
            k, number = _display(path, lines, k, section, number)
        elif _OTHER_DISPLAY.match(line):
            error = MathError("write a display equation between lines of $$ alone", 0)
            raise error.located(line, str(path), k + 1)
        else:
            row = k if line.lstrip().startswith("|") else None
            prose = re.sub(r"`[^`\n]*`", lambda m: " " * len(m[0]), line)
            section.items += [
                Inline(m[1], k + 1, row) for m in _INLINE.finditer(prose) if "{{" not in m[1]
            ]
        k += 1
    seen: set[str] = set()
    for equation in page.equations:
        if equation.id in seen:
            error = MathError(f"two equations have the id {equation.id}", 0)
            raise error.located(equation.tex, str(path), equation.line)
        seen.add(equation.id)
    return page


def _display(
    path: Path, lines: list[str], k: int, section: Section, number: int
) -> tuple[int, int]:
    """Read the equation that opens in line k; return the last line read and the new count."""
    indent = len(lines[k]) - len(lines[k].lstrip())
    end = next((j for j in range(k + 1, len(lines)) if lines[j].strip() == "$$"), None)
    if end is None:
        error = MathError("this $$ is never closed", 0)
        raise error.located("$$", str(path), k + 1)
    tex = "\n".join(line[indent:] for line in lines[k + 1 : end])
    attributes: dict[str, str] = {}
    if end + 1 < len(lines) and (match := re.match(r"^ *\{:?(.*)\} *$", lines[end + 1])):
        pairs, _ = get_attrs_and_remainder(match[1])
        classes = [value for key, value in pairs if key == "."]
        attributes = {key: value for key, value in pairs if key != "."}
        attributes |= {f".{name}": "" for name in classes}
        end += 1
    count = 1 + len(section.equations)
    unchecked = attributes.get("reason", "") if ".unchecked" in attributes else None
    if (fault := _wrong_attributes(attributes)) is not None:
        raise MathError(fault, 0).located(tex, str(path), k + 2)
    equation = Equation(
        tex,
        k + 2,
        attributes.get("id", f"eq-{section.id}-{count}"),
        number + 1,
        unchecked,
        ".false" in attributes,
        attributes.get("python"),
    )
    section.items.append(equation)
    return end, number + 1


def _wrong_attributes(attributes: dict[str, str]) -> str | None:
    """What is wrong with an attribute line; one that is misspelt would be passed over."""
    unknown = sorted(attributes.keys() - {"id", "reason", "python", ".unchecked", ".false"})
    if unknown:
        return f'{unknown[0]} is unknown: write #id, .false, .unchecked reason="…" or python="…"'
    if ".unchecked" in attributes and not attributes.get("reason"):
        return '.unchecked needs a reason="…"'
    if "reason" in attributes and ".unchecked" not in attributes:
        return "reason belongs to .unchecked"
    if ".unchecked" in attributes and ".false" in attributes:
        return ".unchecked and .false exclude each other"
    if "python" in attributes and {".unchecked", ".false"} & attributes.keys():
        return "python needs a formula that is checked and holds: without .unchecked and .false"
    return None
