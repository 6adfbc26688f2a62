"""What the bug museum says in words, beyond what its claims already ask."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from bpref.bugs import CATALOG
from experiments import bug_museum
from experiments.run import read_result

PAGES = [Path(f"docs/{lang}/checking/bug-museum.md") for lang in ("en", "zh")]


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    return read_result("bug_museum")


def test_every_bug_is_there(result: dict[str, Any]) -> None:
    assert set(result["bugs"]) == {bug.id for bug in CATALOG} == set(bug_museum.TITLES)
    assert len(CATALOG) == 34  # the description says so in words
    assert {bug.room for bug in CATALOG} == set(bug_museum.ROOMS)
    for bug in CATALOG:
        cells = result["bugs"][bug.id]["cells"]
        assert set(cells) == set(bug.networks)
        assert all(set(sizes) == {"small", "large"} for sizes in cells.values())
        assert result["bugs"][bug.id]["runs"] == 2 * bug_museum.SEEDS * len(cells)
    assert bug_museum.SEEDS == 20  # the captions say so


@pytest.mark.parametrize("path", PAGES, ids=str)
def test_every_bug_has_its_section(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for bug in CATALOG:
        (heading,) = re.findall(rf"^### .+ {{ #{bug.id.replace('_', '-')} }}$", text, flags=re.M)
        section = text.split(heading)[1].split("\n### ")[0]
        source = bug.wrong.__module__.replace(".", "/") + ".py"
        for name in (bug.id, bug.section):
            assert f'--8<-- "{source}:{name}"' in section
        for key in bug_museum.DETECTORS:
            assert f"bug_museum.bugs.{bug.id}.share.{key} " in section
        for address in bug.seen:
            assert ("errata/formulas.md" if address == "article" else address) in section


def test_the_right_pass_is_compared_with_itself(result: dict[str, Any]) -> None:
    for sizes in result["right"].values():
        for part in sizes.values():
            assert part["cosine_min"] == part["cosine_max"] == 1.0


def test_curves_are_drawn_as_long_as_they_are_known(result: dict[str, Any]) -> None:
    points = bug_museum.STEPS // bug_museum.EVERY + 1
    for bug in result["bugs"].values():
        for sizes in bug["cells"].values():
            for part in sizes.values():
                assert len(part["curve"]) == points
                assert part["curve"][0] is not None
                known = [value is not None for value in part["curve"]]
                assert known == sorted(known, reverse=True)
