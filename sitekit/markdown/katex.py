"""Formulas become HTML and MathML when the page is built: no script runs in the browser.

``pymdownx.arithmatex`` (generic mode) finds the formulas; this extension renders them with
KaTeX in one Node process that lives as long as the build. A formula that KaTeX does not
accept stops the build and names itself.
"""

from __future__ import annotations

import atexit
import json
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor

from sitekit.node import NODE

_CLOSING = "，。；：、！？）」”,.;:!?)"
_VISIBLE = re.compile('<span class="katex-html"[^>]*>')  # what is not MathML
_PART = '<span class="katex-base">'
_END = "</span></span>"
_SCRIPT = Path(__file__).with_name("katex.mjs")


class FormulaError(ValueError):
    """A formula that KaTeX does not accept."""


class Katex:
    """The Node process, and what it has rendered so far."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()  # mkdocs serve builds in another thread
        self._rendered: dict[tuple[str, bool], str] = {}

    def render(self, formulas: list[tuple[str, bool]]) -> list[str]:
        """HTML of each (tex, display) pair; raises FormulaError that quotes the first bad one."""
        with self._lock:
            new = [f for f in dict.fromkeys(formulas) if f not in self._rendered]
            if new:
                for (tex, display), answer in zip(new, self._ask(new), strict=True):
                    if "error" in answer:
                        raise FormulaError(f"{answer['error']}\nin the formula: {tex}")
                    self._rendered[tex, display] = _searchable(answer["html"])
            return [self._rendered[f] for f in formulas]

    def _ask(self, formulas: list[tuple[str, bool]]) -> list[dict[str, str]]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [str(NODE), str(_SCRIPT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="utf-8",
            )
            atexit.register(self.close)
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        question = [{"tex": tex, "display": display} for tex, display in formulas]
        stdin.write(json.dumps(question) + "\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            raise RuntimeError(
                "KaTeX did not answer: run `make setup` (it needs node_modules/katex)"
            )
        answers: list[dict[str, str]] = json.loads(line)
        return answers

    def close(self) -> None:
        """End the Node process; the next formula would start another."""
        if self._process is not None:
            self._process.communicate()
            self._process = None


_katex = Katex()


class FormulaProcessor(Treeprocessor):
    """Replaces what arithmatex marked by what KaTeX made of it."""

    def run(self, root: Element) -> None:
        marked = [el for el in root.iter() if el.get("class") == "arithmatex"]
        formulas = [_tex(el) for el in marked]
        for el, (_, display), html in zip(marked, formulas, _katex.render(formulas), strict=True):
            el.set("class", "math display" if display else "math")
            el.text = self.md.htmlStash.store(html)
            if not display and el.tail and el.tail[0] in _CLOSING:
                el.text = self.md.htmlStash.store(_unbroken(html, el.tail[0]))
                el.tail = el.tail[1:]
        for text in _prose(root):
            if "$" in text:
                raise FormulaError(
                    "a dollar sign is left: a formula has no space inside its $, and blank lines "
                    f"around its $$; a real dollar is \\$\nin the text: {text.strip()[:200]}"
                )


def _unbroken(html: str, mark: str) -> str:
    """Keep a mark with the last part of the formula: browsers may break a line before the comma.

    The parts are the places where a line may break. The last one moves out of the formula, into
    a span with the mark, which stays outside of what screen readers and the search skip.
    """
    opening = _VISIBLE.search(html)
    start = html.rfind(_PART)
    if opening is None or start == opening.end():  # one part: the whole formula
        return f'<span class="unbroken">{html}{mark}</span>'
    formula, last = html[:start] + _END, html[start : -len(_END)]
    last = f'<span class="katex">{opening[0]}{last}{_END}'
    return f'{formula}<span class="unbroken">{last}{mark}</span>'


def _searchable(html: str) -> str:
    """Search sees a formula once, as its MathML: not the LaTeX and the visual half as well.

    Material's search plugin reads this attribute and removes it.
    """
    for part in ('<span class="katex-html"', "<annotation"):
        html = html.replace(part, f'{part} data-search-exclude="1"')
    return html


def _prose(element: Element) -> Iterator[str]:
    """All text below an element that is not code."""
    if element.tag not in ("code", "pre"):
        yield element.text or ""
        for child in element:
            yield from _prose(child)
            yield child.tail or ""


def _tex(el: Element) -> tuple[str, bool]:
    r"""The LaTeX and its kind: arithmatex writes ``\(…\)`` and ``\[…\]``, escaping the latter."""
    text = str(el.text)
    inner, display = text[2:-2].strip(), text.startswith("\\[")
    if display:
        for escaped, char in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
            inner = inner.replace(escaped, char)
    return inner, display


class KatexExtension(Extension):
    def extendMarkdown(self, md: Markdown) -> None:
        # After inline patterns (20) have found the formulas, before the table of contents (5).
        md.treeprocessors.register(FormulaProcessor(md), "katex", 15)


def makeExtension(**kwargs: Any) -> KatexExtension:
    return KatexExtension(**kwargs)
