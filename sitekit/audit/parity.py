"""Two languages, one site: what must be equal in a page and its translation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from sitekit.audit.markdown import PageSource, pages, read_page


def missing_pages(first: Path, second: Path) -> list[str]:
    """Pages that only one of the two trees has."""
    return sorted(pages(first).keys() ^ pages(second).keys())


def differences(one: PageSource, other: PageSource) -> Iterator[str]:
    """Name every difference that a translation must not have."""
    yield from _sequence("heading levels and ids", _outline(one), _outline(other))
    yield from _sequence("fences", _fences(one), _fences(other))
    # Word order differs between languages, so within a page these may be permuted.
    yield from _multiset("formulas", one.formulas, other.formulas)
    yield from _multiset("injected numbers", one.numbers, other.numbers)
    yield from _sequence("figures", one.figures, other.figures)
    yield from _sequence("boxes", one.boxes, other.boxes)
    yield from _multiset("links", one.links, other.links)


def _outline(page: PageSource) -> list[str]:
    return [f"{'#' * level} {{#{given}}}" for level, _, given in page.headings]


def _fences(page: PageSource) -> list[str]:
    return [f"{fence.directive}|{fence.info}\n{fence.text}" for fence in page.fences]


def _sequence(what: str, one: list[str], other: list[str]) -> Iterator[str]:
    if len(one) != len(other):
        yield f"{what}: {len(one)} and {len(other)}"
    for a, b in zip(one, other, strict=False):
        if a != b:
            yield f"{what}: {a!r} and {b!r}"
            return


def _multiset(what: str, one: list[str], other: list[str]) -> Iterator[str]:
    for item, count in (Counter(one) - Counter(other)).items():
        yield f"{what}: {item!r} is missing {count} times in the translation"
    for item, count in (Counter(other) - Counter(one)).items():
        yield f"{what}: {item!r} is {count} times too often in the translation"


def compare(first: Path, second: Path, name: str) -> list[str]:
    """Differences between one page and its translation."""
    return list(differences(read_page(first / name), read_page(second / name)))
