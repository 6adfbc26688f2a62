"""Figures for slides and print: ``python -m sitekit.portable FOLDER [NAME ...]``.

A figure in ``docs/assets/figures`` is a part of a page: its colours, its font and its size are the
page's, and outside of one it is black. This writes copies that stand alone.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from sitekit.svg import COLOURS

FIGURES = Path("docs/assets/figures")


def portable(svg: str) -> str:
    """Return the figure with the colours of the light scheme, a font and a size in points."""
    for variable, light in COLOURS.values():
        svg = svg.replace(f"var(--fig-{variable})", light)
    box = re.search(r'viewBox="[\d.]+ [\d.]+ ([\d.]+) ([\d.]+)"', svg)
    if box is None:
        raise ValueError("svg: expected a viewBox with a width and a height, got none")
    size = f'width="{box[1]}pt" height="{box[2]}pt" font-family="sans-serif"'
    return svg.replace("<svg ", f"<svg {size} ", 1)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sitekit.portable", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the copies go")
    parser.add_argument("names", nargs="*", help="for example one_layer.en; all without a name")
    options = parser.parse_args(arguments)
    known = {path.name.removesuffix(".svg"): path for path in sorted(FIGURES.glob("*.svg"))}
    if unknown := sorted(set(options.names) - set(known)):
        parser.error(f"no figure {unknown[0]!r} in {FIGURES}")
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in options.names or known:
        copy = portable(known[name].read_text(encoding="utf-8"))
        (options.folder / f"{name}.svg").write_text(copy, encoding="utf-8")


if __name__ == "__main__":
    main()
