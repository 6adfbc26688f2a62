"""All checked pages of a site, their results kept in a cache until a formula changes."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import re
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path

from sitekit.mathcheck.check import Report, Result, check_page
from sitekit.mathcheck.errors import FalseEquation
from sitekit.mathcheck.page import Page, read

_HERE = Path(__file__).parent


class Site:
    """The pages below some folders of ``docs``; ``cache`` keeps the results between builds."""

    def __init__(self, docs: Path, folders: list[str], cache: Path) -> None:
        self.docs, self.folders, self.cache = docs, folders, cache

    def paths(self) -> list[Path]:
        """All checked pages, sorted."""
        return sorted(p for f in self.folders for p in (self.docs / f).rglob("*.md"))

    def pages(self) -> dict[str, Page]:
        """All checked pages by their absolute path, as they are now on the disk."""
        return {str(p.resolve()): read(p) for p in self.paths()}

    def find(self, text: str) -> Path | None:
        """Which page a Markdown text is; Python-Markdown does not say."""
        if "$$" not in text:
            return None
        return next((path for path in self.paths() if _body(path) == text.strip()), None)

    def results(self, path: Path) -> list[Result]:
        """The results of a page; raises FalseEquation that names each line at fault."""
        page = read(path)
        file = self.cache / f"{self._key(page)}.json"
        if file.exists():
            kept = [Result(**r) for r in json.loads(file.read_text(encoding="utf-8"))]
            # What the other language or an earlier version said is not kept.
            return [
                replace(r, line=e.line, reason=e.unchecked or r.reason)
                for e, r in zip(page.equations, kept, strict=True)
            ]
        report = self.check(path)
        if report.errors:
            raise FalseEquation("\n".join(map(str, report.errors)))
        self.cache.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps([asdict(r) for r in report.results]), encoding="utf-8")
        return report.results

    def check(self, path: Path) -> Report:
        """Check a page now, whatever the cache says."""
        return check_page(path, others=self.pages())

    def _key(self, page: Page) -> str:
        digest = hashlib.sha256(_own_code().encode())
        digest.update(repr(page.content()).encode())
        for name in sorted(self._used(page)):
            digest.update(repr(read(Path(name)).content()).encode())
        for equation in page.equations:
            if equation.python:
                for name in sorted(_names(equation.python)):
                    digest.update(_package_code(name).encode())
        return digest.hexdigest()[:32]

    def _used(self, page: Page) -> set[str]:
        """Other pages whose sections this one imports, and those that they import."""
        found: set[str] = set()
        waiting = [page]
        while waiting:
            current = waiting.pop()
            for section in current.sections:
                for name, _ in section.uses:
                    other = name.rpartition("#")[0]
                    if other:
                        path = (current.path.parent / other).resolve()
                        if str(path) not in found and path.exists():
                            found.add(str(path))
                            waiting.append(read(path))
        return found


def _body(path: Path) -> str:
    """The text of a page without its front matter, as MkDocs hands it on."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.S).strip()


def _names(expression: str) -> set[str]:
    """The names in a Python expression; some of them are packages."""
    try:
        tree = ast.parse(expression, mode="eval")
    except SyntaxError:
        return set()
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


@lru_cache(maxsize=1)
def _own_code() -> str:
    files = sorted([*_HERE.glob("*.py"), *_HERE.glob("*.lark")])
    return "".join(f.read_text(encoding="utf-8") for f in files)


@lru_cache(maxsize=64)
def _package_code(name: str) -> str:
    """All code of a package that a page compares itself with."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return ""
    if spec is None or not spec.submodule_search_locations:
        return ""
    files = sorted(f for d in spec.submodule_search_locations for f in Path(d).rglob("*.py"))
    return "".join(f.read_text(encoding="utf-8") for f in files)
