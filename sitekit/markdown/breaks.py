"""Where a line may break.

Names in code may break after a dot, an underscore or a slash instead of in a word; in running
text only those that a phone can't show on one line do. A number does not break before its
percent sign or between its groups of three digits.
"""

from __future__ import annotations

import re
from typing import Any
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor
from markdown.util import HTML_PLACEHOLDER_RE, AtomicString

_PLACE = re.compile(r"(?<=[^\W\d_][._/])(?=[^\W\d_])")
_NARROW = ("h1", "h2", "h3", "h4", "h5", "h6", "td", "th", "summary")
_LINE = 30  # characters
_NUMBER = re.compile(r"(?<=\d) (?=%|\d{3}(?!\d))")


class BreakProcessor(Treeprocessor):
    """What is read, copied and searched stays the same."""

    def run(self, root: Element) -> None:
        narrow = {code for tag in _NARROW for el in root.iter(tag) for code in el.iter("code")}
        for code in root.iter("code"):
            self._allow(code, 0 if code in narrow else _LINE)
        for element in root.iter():
            element.text = self._join(element.text)
            element.tail = self._join(element.tail)

    def _join(self, text: str | None) -> str | None:
        """The same text with its numbers held together; code and formulas are atomic."""
        if not text or isinstance(text, AtomicString):
            return text
        return _NUMBER.sub("\u00a0", text)

    def _allow(self, code: Element, length: int) -> None:
        """Put a ``<wbr>`` at each place; ``pymdownx.inlinehilite`` has put the text aside."""
        stash = self.md.htmlStash
        stored = HTML_PLACEHOLDER_RE.fullmatch(code.text or "")
        text = str(stash.rawHtmlBlocks[int(stored[1])] if stored else code.text or "")
        if "<" not in text and len(text) > length:
            code.text = stash.store(_PLACE.sub("<wbr>", text))


class BreakExtension(Extension):
    def extendMarkdown(self, md: Markdown) -> None:
        # After inline patterns (20) have found the code, before the table of contents (5).
        md.treeprocessors.register(BreakProcessor(md), "breaks", 12)


def makeExtension(**kwargs: Any) -> BreakExtension:
    return BreakExtension(**kwargs)
