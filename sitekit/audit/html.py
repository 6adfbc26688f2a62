"""Checks of the built site that need no browser: links, anchors, ids, weight."""

from __future__ import annotations

import gzip
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup


@dataclass
class BuiltPage:
    """One HTML file: its ids, what it links to, what it loads."""

    path: Path
    language: str = ""
    ids: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)  # href of <a>
    resources: list[str] = field(default_factory=list)  # what the browser loads by itself


@cache
def read_built(path: Path) -> BuiltPage:
    soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html5lib")
    page = BuiltPage(path, language=str(soup.html.get("lang", "")) if soup.html else "")
    page.ids = [str(el["id"]) for el in soup.find_all(id=True)]
    page.links = [str(a["href"]) for a in soup.find_all("a", href=True)]
    page.resources = [str(el["src"]) for el in soup.find_all(src=True)]
    page.resources += [
        str(link["href"])
        for link in soup.find_all("link", href=True)
        if {"stylesheet", "icon", "preload", "modulepreload"} & set(link.get_attribute_list("rel"))
    ]
    return page


def html_files(root: Path) -> list[Path]:
    return sorted(root.rglob("*.html"))


def is_external(address: str) -> bool:
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme in {"mailto", "javascript", "data"}


def target_file(page: Path, address: str) -> Path:
    """The file that a relative address on a page names, as a static server would find it."""
    path = unquote(urlsplit(address).path)
    file = (page.parent / path).resolve() if path else page.resolve()
    return file / "index.html" if file.is_dir() else file


def has_anchor(file: Path, fragment: str) -> bool:
    return not fragment or unquote(fragment) in read_built(file).ids


def dead_links(root: Path) -> list[str]:
    """Links and resources inside the site whose file or anchor does not exist."""
    found = []
    for path in html_files(root):
        if path.name == "404.html":  # its addresses are absolute: it is shown at any depth
            continue
        page = read_built(path)
        where = path.relative_to(root)
        for address in dict.fromkeys(page.links + page.resources):
            if is_external(address):
                continue
            file = target_file(path, address)
            if root.resolve() not in file.parents:
                found.append(f"{where}: {address} leaves the site")
            elif not file.exists():
                found.append(f"{where}: {address} does not exist")
            elif file.suffix == ".html" and not has_anchor(file, urlsplit(address).fragment):
                found.append(f"{where}: {address} has no such anchor")
    return found


def bad_ids(root: Path) -> list[str]:
    """Empty and repeated ids."""
    found = []
    for path in html_files(root):
        for name, count in Counter(read_built(path).ids).items():
            if not name or count > 1:
                found.append(f"{path.relative_to(root)}: id {name!r}, {count} times")
    return found


def weight(path: Path) -> int:
    """Bytes of one file as a server with gzip would send it."""
    return len(gzip.compress(path.read_bytes(), compresslevel=6))
