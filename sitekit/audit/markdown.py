"""What a Markdown page contains, as the site's own Markdown configuration sees it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Fence:
    """A fenced block of a page's source."""

    line: int
    info: str
    text: str
    directive: str = ""  # the pytest-codeblocks comment before it, if any


@dataclass
class PageSource:
    """The parts of a page that English and Chinese must share, read from its Markdown."""

    path: Path
    headings: list[tuple[int, str, str | None]] = field(default_factory=list)  # level, text, id
    fences: list[Fence] = field(default_factory=list)
    formulas: list[str] = field(default_factory=list)
    figures: list[str] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    boxes: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)


_FENCE = re.compile(r"^(?P<indent> *)(?P<marks>`{3,}|~{3,})(?P<info>[^`\n]*)$")
_HEADING = re.compile(r"^(?P<marks>#{1,6}) +(?P<text>.*?)(?: *\{(?P<attributes>[^}]*)\})? *$")
_DIRECTIVE = re.compile(r"^ *<!-- *(?:pytest-codeblocks:|pytest\.mark\.)(?P<what>.*?)-->")


def read_page(path: Path) -> PageSource:
    """Read one page; fences are taken out first, so that code can't look like prose."""
    page = PageSource(path)
    prose: list[str] = []
    lines = path.read_text(encoding="utf-8").splitlines()
    open_fence: re.Match[str] | None = None
    body: list[str] = []
    start, directive = 0, ""
    for number, line in enumerate(lines, start=1):
        if open_fence is not None:
            if line.strip() == open_fence["marks"]:
                text = "\n".join(body)
                page.fences.append(Fence(start, open_fence["info"], text, directive))
                open_fence, directive = None, ""
            else:
                body.append(line.removeprefix(open_fence["indent"]))
        elif match := _FENCE.match(line):
            open_fence, body, start = match, [], number
        else:
            if match := _DIRECTIVE.match(line):
                directive = match["what"].strip()
            elif line.strip():
                directive = ""
            prose.append(line)
    if open_fence is not None:
        raise ValueError(f"{path}:{start}: a fence is never closed")
    _read_prose(page, "\n".join(prose))
    return page


def _read_prose(page: PageSource, prose: str) -> None:
    prose = re.sub(r"\A---\n.*?\n---\n", "", prose, flags=re.S)
    prose = re.sub(r"<!--.*?-->", "", prose, flags=re.S)
    page.figures = re.findall(r"\]\(figure:([\w-]+)", prose)
    page.numbers = re.findall(r"\{\{(.*?)\}\}", prose)
    page.boxes = re.findall(r"^ *((?:!!!|\?\?\?\+?) \w+)", prose, flags=re.M)
    for line in prose.splitlines():
        if match := _HEADING.match(line):
            given = re.search(r"#([\w-]+)", match["attributes"] or "")
            page.headings.append((len(match["marks"]), match["text"], given and given[1]))
    without_code = re.sub(r"`[^`\n]*`", "", prose)
    page.links = re.findall(r"\]\(((?!figure:)[^)\s]+)", without_code)
    found = re.findall(
        r"\$\$(.+?)\$\$|(?<![\\$])\$(?!\s)([^$\n]+?)(?<!\s)\$", without_code, flags=re.S
    )
    page.formulas = [" ".join((display or inline).split()) for display, inline in found]


def pages(root: Path) -> dict[str, Path]:
    """Every Markdown page below ``root`` by its path relative to it."""
    return {str(p.relative_to(root)): p for p in sorted(root.rglob("*.md"))}
