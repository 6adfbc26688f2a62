"""Small repairs that screen readers need: the empty corner of a table is a cell, not a header."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor


class AccessibleProcessor(Treeprocessor):
    def run(self, root: Element) -> None:
        for header in root.iter("th"):
            if not "".join(header.itertext()).strip():
                header.tag = "td"


class AccessibleExtension(Extension):
    def extendMarkdown(self, md: Markdown) -> None:
        md.treeprocessors.register(AccessibleProcessor(md), "accessible", 13)


def makeExtension(**kwargs: Any) -> AccessibleExtension:
    return AccessibleExtension(**kwargs)
