"""Build both languages: ``python -m sitekit.build [--site-dir DIR]``.

The English build cleans its folder, so it comes first; the Chinese one lies inside it.
The address comes from SITE_URL; without it the site works at any address, but has no
sitemap and no canonical links, because those must name one. The repository comes from
REPOSITORY_URL; without it no page links to its source.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import sys
from pathlib import Path
from typing import Any

CONFIGS = {"en": Path("mkdocs.yml"), "zh": Path("mkdocs.zh.yml")}


def site_url(lang: str, root: str) -> str:
    """Address of one language's site below the address of the whole."""
    if not root:
        return ""
    root = root.rstrip("/") + "/"
    return root if lang == "en" else f"{root}{lang}/"


def build(
    lang: str, site_dir: Path, root: str = "", strict: bool = True, dirty: bool = False
) -> None:
    """Build one language into ``site_dir``.

    With ``strict`` a warning is an error. With ``dirty`` only pages that are newer than what
    lies in ``site_dir`` are built again, and the search index keeps the others' entries.
    """
    from mkdocs.commands.build import build as mkdocs_build
    from mkdocs.config import load_config

    options: dict[str, Any] = {
        "site_dir": str(site_dir.resolve()),
        "site_url": site_url(lang, root),
        "strict": strict,
    }
    if repository := os.environ.get("REPOSITORY_URL"):
        options |= {"repo_url": repository, "edit_uri": f"edit/main/docs/{lang}/"}
    config = load_config(str(CONFIGS[lang]), **options)
    index = site_dir / "search" / "search_index.json"
    known = json.loads(index.read_text(encoding="utf-8")) if dirty else {"docs": []}
    config.plugins.on_startup(command="build", dirty=False)
    try:
        mkdocs_build(config, dirty=dirty)
    finally:
        config.plugins.on_shutdown()
    for worker in site_dir.glob("assets/javascripts/workers/search.*.min.js"):
        script = worker.read_text(encoding="utf-8")
        worker.write_text(with_whole_queries(script), encoding="utf-8")
    if dirty:
        fresh = json.loads(index.read_text(encoding="utf-8"))
        index.write_text(json.dumps(merged(known, fresh)), encoding="utf-8")


def with_whole_queries(script: str) -> str:
    """The search worker of the theme, which then knows a Chinese word at the end of a query.

    It cuts a Chinese query into words of the index, but looks only at pieces that end before the
    last character: 学习率 was searched as 学习 and 率, and found the pages about learners.
    """
    script, cuts = re.subn(
        r"(=(\w)\+1;\w)<=?((\w)\.length;\w\+\+\)\4\.slice\(\2,)", r"\1<=\3", script
    )
    if cuts != 1:
        raise ValueError("the search worker of the theme cuts Chinese queries in another way now")
    return script


def merged(known: dict[str, Any], fresh: dict[str, Any]) -> dict[str, Any]:
    """The search index with the entries of the pages in ``fresh`` replaced."""

    def page(entry: dict[str, Any]) -> str:
        return str(entry["location"]).partition("#")[0]

    rebuilt = {page(entry) for entry in fresh["docs"]}
    kept = [entry for entry in known["docs"] if page(entry) not in rebuilt]
    return fresh | {"docs": kept + fresh["docs"]}


def build_all(site_dir: Path, root: str = "") -> None:
    """Build English into ``site_dir`` and Chinese into ``site_dir/zh``."""
    build("en", site_dir, root)
    build("zh", site_dir / "zh", root)


def quiet() -> None:
    """Leave out notices that every command repeats; docs/adr/0003 records what they say."""
    os.environ["NO_MKDOCS_2_WARNING"] = "1"
    logging.getLogger("jieba").setLevel(logging.WARNING)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sitekit.build", description=__doc__)
    parser.add_argument("--site-dir", type=Path, default=Path("site"))
    args = parser.parse_args()
    quiet()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s  %(message)s", stream=sys.stderr)

    from mkdocs.exceptions import Abort

    try:
        build_all(args.site_dir, os.environ.get("SITE_URL", ""))
    except Abort as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
