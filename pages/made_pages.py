"""All made pages: file and text."""

from __future__ import annotations

from pathlib import Path

from pages import (
    backward_rules,
    claims,
    equations,
    functional_api,
    nn_api,
    speed,
    speed_regression,
)

DOCS = Path(__file__).resolve().parent.parent / "docs"
LANGUAGES = ("en", "zh")
MODULES = (
    *(backward_rules, claims, equations, functional_api, nn_api),
    *(speed, speed_regression),
)


def all_pages() -> dict[Path, str]:
    """Return the text of every made page by its file."""
    result: dict[Path, str] = {}
    for lang in LANGUAGES:
        for module in MODULES:
            for name, text in module.pages(lang).items():
                result[DOCS / lang / "reference" / name] = text
    return result
