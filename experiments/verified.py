"""How much of the site a machine checks: code blocks and widgets, counted in the pages.

``fences``: Python blocks of both languages that are run alone or with the block above them, those
whose output is compared, and those that include code of the package.
``widgets``: pages that load a script of their own, and how many settings the browser tests type
into it (`SETTINGS`, which those tests read).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sitekit.audit.markdown import pages, read_page

DOCS = Path(__file__).resolve().parent.parent / "docs"
LANGUAGES = ("en", "zh")
# Settings in which every number of a widget is compared, in each language.
SETTINGS = {
    "backward-pass": {"en": 200, "zh": 50},
    "depth-explorer": {"en": 720, "zh": 720},
    "optimizer-lab": {"en": 200, "zh": 42},
    "quiz": {"en": 73, "zh": 73},  # all options of all items
    "step-size": {"en": 60, "zh": 60},
}
_SCRIPT = re.compile(r'<script type="module" src="[./]*assets/js/([\w-]+)\.js">')


def fences() -> dict[str, Any]:
    found = [
        (fence, paths[i + 1] if i + 1 < len(paths) else None)
        for lang in LANGUAGES
        for path in pages(DOCS / lang).values()
        for paths in [read_page(path).fences]
        for i, fence in enumerate(paths)
    ]
    run = [(f, after) for f, after in found if f.info == "python"]
    return {
        "run": len(run),
        "continued": sum(f.directive == "cont" for f, _ in run),
        "compared": sum(
            after is not None and after.directive == "expected-output" for _, after in run
        ),
        "included": sum(f.info.startswith("python title=") for f, _ in found),
    }


def widgets() -> dict[str, Any]:
    loaded: dict[str, list[str]] = {}
    for lang in LANGUAGES:
        for name, path in pages(DOCS / lang).items():
            for script in _SCRIPT.findall(path.read_text(encoding="utf-8")):
                loaded.setdefault(script, []).append(f"{lang}/{name}")
    if loaded.keys() != SETTINGS.keys():
        raise ValueError(f"pages load {sorted(loaded)}, but {sorted(SETTINGS)} have tests")
    return {
        "count": len(loaded),
        "pages": loaded,
        "settings": {s.replace("-", "_"): sum(SETTINGS[s].values()) for s in loaded},
    }


def run() -> dict[str, Any]:
    return {
        "pages": sum(len(pages(DOCS / lang)) for lang in LANGUAGES),
        "fences": fences(),
        "widgets": widgets(),
    }
