"""A document of headings, paragraphs, tables and pictures: as Markdown and as one HTML file."""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias
from xml.etree import ElementTree

from bpref.regression import plotting


@dataclass(frozen=True)
class Heading:
    """A heading; level 1 is the title of the document, which has one."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """Plain text; `strong` is for the one sentence that a reader should not miss."""

    text: str
    strong: bool = False


@dataclass(frozen=True)
class Table:
    """A caption, the names of the columns, and rows of cells. The first cell names its row.

    Cells of a table of `numbers` are not broken over lines.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: bool = False


@dataclass(frozen=True)
class Picture:
    """An SVG document; `alt` says what it shows to those who don't see it."""

    name: str
    svg: str
    alt: str
    caption: str


Block: TypeAlias = Heading | Paragraph | Table | Picture


def to_markdown(blocks: Iterable[Block], folder: str = "figures") -> str:
    r"""Return the document as Markdown; pictures are links to ``folder/name.svg``.

    Parameters
    ----------
    blocks : iterable of Block
        The document.
    folder : str
        Where the pictures are, as seen from the file.

    Returns
    -------
    str

    Examples
    --------
    >>> print(to_markdown([Heading("Scores", 1), Table("", ["a|b", "c"], [["1", "2"]])]), end="")
    # Scores
    <BLANKLINE>
    | a\|b | c |
    | --- | --- |
    | 1 | 2 |
    """
    parts = []
    for block in blocks:
        match block:
            case Heading(text, level):
                parts.append(f"{'#' * level} {_escape(text)}")
            case Paragraph(text, strong):
                parts.append(f"**{_escape(text)}**" if strong else _escape(text))
            case Table(caption, columns, rows, _):
                if caption:
                    parts.append(f"{_escape(caption)}:")
                lines = [columns, ["---"] * len(columns), *rows]
                parts.append("\n".join(f"| {' | '.join(map(_escape, line))} |" for line in lines))
            case Picture(name, _, alt, caption):
                parts.append(f"![{_escape(alt)}]({folder}/{name}.svg)")
                parts.append(_escape(caption))
    return "\n\n".join(parts) + "\n"


def to_html(blocks: Iterable[Block]) -> str:
    """Return the document as one HTML file: no script, nothing loaded, light and dark.

    Parameters
    ----------
    blocks : iterable of Block
        The first one is the heading of level 1, which is also the title.

    Returns
    -------
    str

    Examples
    --------
    >>> page = to_html([Heading("A & B", 1), Paragraph("text")])
    >>> "<title>A &amp; B</title>" in page, "<p>text</p>" in page
    (True, True)
    """
    blocks = list(blocks)
    parts, tables = [], 0
    for block in blocks:
        match block:
            case Heading(text, level):
                parts.append(f"<h{level}>{_text(text)}</h{level}>")
            case Paragraph(text, strong):
                parts.append(
                    f'<p class="strong">{_text(text)}</p>' if strong else f"<p>{_text(text)}</p>"
                )
            case Table():
                tables += 1
                parts.append(_table(block, tables))
            case Picture():
                parts.append(
                    f"<figure>\n{inline_svg(block)}\n"
                    f"<figcaption>{_text(block.caption)}</figcaption>\n</figure>"
                )
    title = next((block.text for block in blocks if isinstance(block, Heading)), "")
    body = "\n".join(_pair_figures(parts))
    return _PAGE.format(title=_text(title), style=_STYLE, body=body)


def inline_svg(picture: Picture) -> str:
    """Return the SVG of a picture as it stands in an HTML file.

    Its colours become CSS variables, which the page sets for light and dark; its ids begin with
    the name of the picture, because ids are unique in a page; its size is left to the page.

    Parameters
    ----------
    picture : Picture
        Drawn with the colours of `plotting`.

    Returns
    -------
    str

    Examples
    --------
    >>> svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9"><path style="fill:#1D232B"/></svg>'
    >>> print(inline_svg(Picture("x", svg.lower(), "A line.", "")))
    <svg role="img" aria-label="A line."><path style="fill:var(--ink)" /></svg>
    """
    root = ElementTree.fromstring(picture.svg)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith(("}metadata", "}style")):
                parent.remove(child)
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', picture.svg))
    for element in root.iter():
        element.tag = element.tag.removeprefix("{http://www.w3.org/2000/svg}")
        element.tail = None
        attributes = dict(element.attrib)
        element.attrib.clear()
        for name, value in attributes.items():
            if name == "id":
                if value in used:
                    element.set(name, f"{picture.name}-{value}")
            elif name.endswith("}href"):
                element.set("href", f"#{picture.name}-{value.removeprefix('#')}")
            elif name == "clip-path":
                element.set(name, value.replace("url(#", f"url(#{picture.name}-"))
            elif name == "style":
                value = re.sub(r" *font-family: [^;]+;", "", value)
                for color, variable in _VARIABLES.items():
                    value = value.replace(color, f"var(--{variable})")
                element.set(name, value)
            else:
                element.set(name, " ".join(value.split()))
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    attributes = dict(root.attrib)
    root.attrib.clear()
    root.attrib.update({"role": "img", "aria-label": _clean(picture.alt), **attributes})
    return ElementTree.tostring(root, encoding="unicode")


def _clean(text: str) -> str:
    """Return text on one line, without signs that neither format can hold."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def _text(text: str) -> str:
    return html.escape(_clean(text))


def _escape(text: str) -> str:
    """Return text that Markdown shows as it is: the name of a column may hold any sign."""
    text = html.escape(_clean(text), quote=False)
    text = re.sub(r"([\\`*\[\]|])", r"\\\1", text).replace("~", "&#126;")
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)  # inside a word it means nothing


def _table(table: Table, number: int) -> str:
    name = f"table-{number}"
    kind = ' class="numbers"' if table.numbers else ""
    head = "".join(f'<th scope="col">{_text(column)}</th>' for column in table.columns)
    body = "\n".join(
        f'<tr><th scope="row">{_text(first)}</th>'
        + "".join(f"<td>{_text(cell)}</td>" for cell in cells)
        + "</tr>"
        for first, *cells in table.rows
    )
    # A wide table scrolls in its own box, which the keyboard must reach.
    return (
        f'<div class="scroll" role="region" aria-labelledby="{name}" tabindex="0">\n'
        f'<table{kind}>\n<caption id="{name}">{_text(table.caption)}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>"
    )


def _pair_figures(parts: list[str]) -> list[str]:
    """Put neighbouring figures into one box, where they stand side by side if there is room."""
    lines: list[str] = []
    for figures, group in itertools.groupby(parts, lambda part: part.startswith("<figure>")):
        box = ['<div class="figures">', "</div>"] if figures else []
        lines += [*box[:1], *group, *box[1:]]
    return lines


_VARIABLES: Final = {
    plotting.INK: "ink",
    plotting.MUTED: "muted",
    plotting.GRID: "grid",
    plotting.SURFACE: "surface",
    plotting.BLUE: "blue",
    plotting.ORANGE: "orange",
    plotting.GREEN: "green",
}

_LIGHT: Final = "; ".join(f"--{name}: {color}" for color, name in _VARIABLES.items())

_STYLE: Final = (
    f":root {{ color-scheme: light dark; {_LIGHT}; }}\n"
    + """\
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8ec; --muted: #a3acb8; --grid: #363d48; --surface: #15181d;
    --blue: #7db3f0; --orange: #f09a72; --green: #6cc28f; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 60rem; background: var(--surface);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.25; }
h2 { font-size: 1.25rem; margin-top: 2.5rem; padding-top: 1rem;
  border-top: 1px solid var(--grid); }
h3 { font-size: 1.05rem; margin-top: 2rem; }
p { max-width: 45rem; }
.strong { border-left: 4px solid var(--blue); padding-left: .75rem; font-weight: 600; }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--muted); padding-bottom: .25rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .9rem .3rem 0;
  border-bottom: 1px solid var(--grid); overflow-wrap: normal; }
tbody th { font-weight: 400; }
.numbers :is(th, td) { white-space: nowrap; }
.figures { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fit, minmax(min(21rem, 100%), 1fr)); }
figure { margin: 0; max-width: 32rem; }
figure svg { display: block; width: 100%; height: auto; }
figcaption { color: var(--muted); font-size: .9rem; }
@media (max-width: 30rem) { table { font-size: .8rem; } th, td { padding-right: .6rem; } }
@media print { .figures { display: block; } figure { break-inside: avoid; } }
"""
)

_PAGE: Final = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""
