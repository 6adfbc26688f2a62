"""Figures stand in the page itself, so that they follow its light or dark scheme.

``![Alternative text.](figure:name "Caption.")`` alone in a paragraph becomes a ``<figure>``
with the SVG of ``<figures>/name.<lang>.svg`` inside it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor


class FigureError(ValueError):
    """A figure that no experiment has drawn, or that says nothing to a reader who can't see it."""


class FigureProcessor(Treeprocessor):
    def __init__(self, md: Markdown, figures: Path, lang: str) -> None:
        super().__init__(md)
        self.figures = figures
        self.lang = lang

    def run(self, root: Element) -> None:
        for paragraph in root.iter("p"):
            image = paragraph.find("img")
            if image is None or not image.get("src", "").startswith("figure:"):
                continue
            name = image.get("src", "").removeprefix("figure:")
            alt = image.get("alt", "").strip()
            if not alt:
                raise FigureError(f"figure {name!r} has no alternative text")
            file = self.figures / f"{name}.{self.lang}.svg"
            if not file.exists():
                raise FigureError(f"there is no {file}: run python -m experiments")
            caption = image.get("title", "")
            paragraph.remove(image)
            paragraph.tag = "figure"
            paragraph.set("class", "figure")
            paragraph.set("id", f"fig-{name.replace('_', '-')}")
            picture = SubElement(paragraph, "div", {"role": "img", "aria-label": alt})
            picture.set("class", "figure-picture")
            picture.set("data-search-exclude", "1")  # its labels, out of place, are no text
            picture.text = self.md.htmlStash.store(file.read_text(encoding="utf-8"))
            if caption:
                SubElement(paragraph, "figcaption").text = caption


class FiguresExtension(Extension):
    def __init__(self, **kwargs: Any) -> None:
        self.config = {
            "figures": ["docs/assets/figures", "folder of the SVG files"],
            "lang": ["en", "language of the page"],
        }
        super().__init__(**kwargs)

    def extendMarkdown(self, md: Markdown) -> None:
        processor = FigureProcessor(md, Path(self.getConfig("figures")), self.getConfig("lang"))
        md.treeprocessors.register(processor, "figures", 14)


def makeExtension(**kwargs: Any) -> FiguresExtension:
    return FiguresExtension(**kwargs)
