"""How many entries the errata have, counted on the pages themselves.

Measured: headings of the form ``### ... { #e-... }`` in docs/en/errata, per page, and how many of
the entries carry a counterexample that runs; the others cite a source.
"""

from __future__ import annotations

import re
from pathlib import Path

from experiments._claim import Claim

PAGES = ("principles", "formulas", "code", "applications", "context", "faq")
WORKED = ("pages.*",)
CLAIMS = (
    Claim(
        id="errata-entries-counted",
        en="The errata have {{ errata_index.entries }} entries; {{ errata_index.with_code }} have "
        "a counterexample that runs, {{ errata_index.cited }} cite a source.",
        zh="勘误共有 {{ errata_index.entries }} 个条目，其中 {{ errata_index.with_code }} 个有可"
        "运行的反例，{{ errata_index.cited }} 个引用来源。",
        criterion="entries == with_code + cited == sum(p.entries for p in pages.values()) and "
        "with_code > cited and all(p.with_code > 0 for p in pages.values())",
        covers=("entries", "with_code", "cited"),
        exact="count",
    ),
)
FOLDER = Path(__file__).resolve().parents[1] / "docs" / "en" / "errata"


def run() -> dict:
    pages = {}
    for page in PAGES:
        text = (FOLDER / f"{page}.md").read_text(encoding="utf-8")
        entries = re.split(r"^#{2,3} .*\{ #", text, flags=re.MULTILINE)[1:]
        entries = [entry for entry in entries if entry.startswith("e-")]
        run_here = sum("\n```python\n" in entry for entry in entries)
        pages[page] = {"entries": len(entries), "with_code": run_here}
    return {
        "pages": pages,
        "entries": sum(page["entries"] for page in pages.values()),
        "with_code": sum(page["with_code"] for page in pages.values()),
        "cited": sum(page["entries"] - page["with_code"] for page in pages.values()),
    }
