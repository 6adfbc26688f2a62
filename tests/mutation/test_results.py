"""The committed outcome of ``make mutants``: of this code, good enough, survivors explained."""

from __future__ import annotations

import fnmatch
import json
import tomllib

import pytest

from tests.mutation.__main__ import REASONS, RESULTS, ROOT, TARGET, fingerprint, unexplained

MUTATED = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("functional", "optim")
    for path in (ROOT / "bpref" / folder).glob("*.py")
    if path.name != "__init__.py"
)


@pytest.fixture(scope="module")
def results():
    return json.loads(RESULTS.read_text(encoding="utf-8"))


def test_every_file_was_mutated(results):
    assert sorted(results) == MUTATED


@pytest.mark.parametrize("path", MUTATED)
def test_the_code_is_the_code_that_was_mutated(results, path):
    assert results[path]["code"] == fingerprint(ROOT / path), f"run make mutants ARGS={path}"


def test_a_fingerprint_is_that_of_the_code_alone(tmp_path):
    path = tmp_path / "a.py"
    prints = set()
    for text in ('"""One."""\nx = 1\n', "# two\nx = 1\n", "x = 2\n"):
        path.write_text(text, encoding="utf-8")
        prints.add(fingerprint(path))
    assert len(prints) == 2


def test_the_counts_are_consistent(results):
    for path, entry in results.items():
        assert entry["killed"] + len(entry["survivors"]) == entry["mutants"], path


def test_enough_mutants_are_killed(results):
    mutants = sum(entry["mutants"] for entry in results.values())
    assert sum(entry["killed"] for entry in results.values()) >= TARGET * mutants


def test_every_survivor_has_a_reason(results):
    assert unexplained(results) == []


def test_a_survivor_without_a_reason_is_found():
    survivor = {"function": "add", "change": ["- a + b", "+ a - b"], "outcome": "survived"}
    entry = {"mutants": 1, "killed": 0, "survivors": [survivor]}
    (line,) = unexplained({"bpref/functional/tensor.py": entry})
    assert line.startswith("bpref/functional/tensor.py:add")


def test_every_reason_is_needed(results):
    for reason in tomllib.loads(REASONS.read_text(encoding="utf-8"))["survivor"]:
        assert any(
            fnmatch.fnmatchcase(f"{path}:{survivor['function']}", reason["where"])
            and reason["change"] in " → ".join(survivor["change"])
            for path, entry in results.items()
            for survivor in entry["survivors"]
        ), reason
