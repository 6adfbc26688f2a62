"""Every display equation of the checked chapters holds, and a wrong one would be noticed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from experiments import equations
from experiments.run import read_result
from sitekit.mathcheck.check import check_page
from sitekit.mathcheck.page import read

ENGLISH, CHINESE = equations.pages("en"), equations.pages("zh")
SITE = equations.site("en")


@pytest.mark.parametrize("name", ENGLISH)
def test_equations_hold(name):
    assert [str(error) for error in SITE.check(ENGLISH[name]).errors] == []


@pytest.mark.parametrize("name", ENGLISH)
def test_both_languages_say_the_same_to_the_checker(name):
    """So one check serves both: the same formulas, declarations and marks in the same order."""
    english, chinese = read(ENGLISH[name]), read(CHINESE[name])
    for one, other in zip(english.sections, chinese.sections, strict=True):
        assert _equations(one) == _equations(other)
        assert sorted(i.tex for i in one.items) == sorted(i.tex for i in other.items)


def _equations(section):
    return [(e.tex, e.id, e.unchecked is None, e.false, e.python) for e in section.equations]


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", ENGLISH)
def test_a_wrong_sign_fails_with_page_and_line(name, lang):
    """One claim of each page, in each language; the experiment tries all places of all."""
    path = {"en": ENGLISH, "zh": CHINESE}[lang][name]
    text = path.read_text(encoding="utf-8")
    report = check_page(path, others=equations.site(lang).pages(), cases=1)
    claims = [r for r in report.results if r.status == "claim" and "aligned" not in r.tex]
    assert claims, "a page of formulas should claim something"
    result = max(claims, key=lambda r: r.compared)
    left, _, right = result.tex.partition("=")
    wrong = text.replace(f"{result.tex}\n$$", f"{left}= -1 ({right})\n$$", 1)
    assert wrong != text
    errors = check_page(path, wrong, equations.site(lang).pages(), cases=1).errors
    line = text[: text.index(f"{result.tex}\n$$")].count("\n") + 1
    assert any(f"{path}:{line}" in str(e) and left.strip()[:20] in str(e) for e in errors)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_no_display_equation_stands_outside_the_checked_folders(lang):
    """But for the operators: their formulas are the registry's, for arrays of any shape."""
    docs = equations.DOCS / lang
    shown = {p.relative_to(docs).as_posix() for p in docs.rglob("*.md") if read(p).equations}
    outside = shown - equations.pages(lang).keys()
    assert all(name.startswith("reference/backward-rules/") for name in outside), outside


def test_the_checked_folders_are_those_of_the_site():
    text = Path("mkdocs.yml").read_text(encoding="utf-8")
    found = re.search(r"sitekit\.markdown\.equations:\n(?:    .*\n)*?    folders: (\[.*\])", text)
    assert found is not None
    assert yaml.safe_load(found[1]) == equations.FOLDERS


def test_few_equations_are_left_unchecked():
    total = read_result("equations")["total"]
    assert total["share"] >= 0.95
    assert total["claim"] + total["definition"] + total["false"] == total["checked"]


def test_no_wrong_formula_goes_unnoticed():
    mutants = read_result("equations")["mutants"]
    assert mutants["missed"] == [], "a change of a claim that no check notices"
    assert mutants["rate"] == 1.0
