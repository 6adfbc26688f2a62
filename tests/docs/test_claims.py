"""The ledger: every empirical number of the chapters has a claim, and every claim can fail."""

import copy
import re
from pathlib import Path

import pytest

from experiments import claims, run
from experiments._claim import Claim, ClaimError, claims_of, matches, worked_of
from pages import words
from pages.claims import MARK, places
from sitekit.markdown.numbers import REFERENCE, look_up

CLAIMS = {c.id: (name, c) for name, found in claims.all_claims().items() for c in found}
# The parts in which every injected number must be claimed, or declared as worked.
CHAPTERS = ["ideas", "derivation", "checking", "practice", "applications", "faq", "context"]
CHAPTERS += ["errata"]
PAGES = [
    p for lang in ("en", "zh") for f in CHAPTERS for p in sorted(Path("docs", lang, f).glob("*.md"))
]
EXPERIMENTS = sorted({name for name, _ in CLAIMS.values()})


def sections(path):
    """Each section of a page: its line and its text, without fences."""
    found, line, inside = [(1, [])], 0, False
    for line, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if text.lstrip().startswith("```"):
            inside = not inside
        elif not inside:
            if re.match(r"#{1,6} ", text):
                found.append((line, []))
            found[-1][1].append(text)
    return [(first, "\n".join(lines)) for first, lines in found]


@pytest.mark.parametrize("path", PAGES, ids=str)
def test_every_number_of_a_section_is_claimed_there_or_worked(path):
    unclaimed = []
    for line, text in sections(path):
        marked = [CLAIMS[m["id"]] for m in MARK.finditer(text)]
        for number in REFERENCE.finditer(text):
            name, key = number["name"], number["path"]
            if any(matches(key, pattern) for pattern in worked_of(run.load(name))):
                continue
            if not any(owner == name and claim.answers_for(key) for owner, claim in marked):
                unclaimed.append(f"section of line {line}: {name}.{key}")
    assert unclaimed == []


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_claim_is_marked_by_its_kind_and_every_mark_has_its_claim(lang):
    marks, _ = places(lang)
    assert set(marks) == set(CLAIMS)
    kinds = words.load("claims")["mark"]
    for name, found in marks.items():
        expected = kinds[CLAIMS[name][1].exact or "measured"][lang]
        assert {place.text for place in found} == {expected}, name


def leaves(value, path=()):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from leaves(inner, (*path, i))
    elif value is not None:
        yield path, value


def other_values(value):
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, str):
        return ["another"]
    return [-value - 1, 1000 * value + 1, 0, value / 1000, value + 1]


def can_fail(claim, result):
    """Whether some other outcome of the run would have broken the claim."""
    asked = set(re.findall(r"[A-Za-z_]\w*", claim.criterion))
    changed = copy.deepcopy(result)
    for path, value in list(leaves(changed)):
        if path[0] not in asked:
            continue
        inner = changed
        for step in path[:-1]:
            inner = inner[step]
        for inner[path[-1]] in other_values(value):
            try:
                if not claim.holds(changed):
                    return True
            except ClaimError:  # a name where a number stood
                continue
        inner[path[-1]] = value
    return False


@pytest.mark.parametrize("name", CLAIMS)
def test_the_claim_holds_and_could_fail(name):
    experiment, claim = CLAIMS[name]
    result = run.read_result(experiment)
    assert claim.holds(result)
    assert can_fail(claim, result), f"nothing in the result would break {claim.criterion!r}"


@pytest.mark.parametrize("name", CLAIMS)
def test_the_claim_speaks_of_its_own_result_in_both_languages(name):
    experiment, claim = CLAIMS[name]
    numbers = {}
    for lang in ("en", "zh"):
        found = list(REFERENCE.finditer(getattr(claim, lang)))
        for number in found:
            assert number["name"] == experiment
            look_up(run.RESULTS, number["name"], number["path"])
        numbers[lang] = sorted(match[0] for match in found)
    assert numbers["en"] == numbers["zh"]
    assert not re.search(r"\d\.\d", re.sub(r"\{\{.*?\}\}|`.*?`|\$.*?\$", "", claim.en)), "typed"


@pytest.mark.parametrize("name", CLAIMS)
def test_a_power_of_ten_stands_in_math(name):
    """`sci` writes LaTeX; outside of $…$ the ledger would print the backslash."""
    _, claim = CLAIMS[name]
    for text in (claim.en, claim.zh):
        assert not re.search(r"\|\s*sci", re.sub(r"\$[^$]*\$", "", text))


@pytest.mark.parametrize("name", CLAIMS)
def test_a_measured_claim_has_repeats_and_a_spread(name):
    experiment, claim = CLAIMS[name]
    if claim.exact:
        return
    result = run.read_result(experiment)
    assert claims.repeats(claim, result) >= 10
    low, high = (look_up(run.RESULTS, experiment, path) for path in claim.spread)
    assert low <= high


@pytest.mark.parametrize("experiment", run.names())
def test_every_pattern_fits_something(experiment):
    """A pattern that fits nothing hides a renamed key."""
    paths = []
    for path, _ in leaves(run.read_result(experiment)):
        joined = ""
        for step in path:
            joined += f"[{step}]" if isinstance(step, int) else f".{step}"
        paths.append(joined.lstrip("."))
    module = run.load(experiment)
    patterns = [p for claim in claims_of(module) for p in claim.covers] + [*worked_of(module)]
    assert [p for p in patterns if not any(matches(path, p) for path in paths)] == []


def test_a_claim_that_is_not_met_is_named():
    """The check itself can fail."""
    claim = Claim("a-b", "A.", "甲。", "x.y > 1", ("x.*",), exact="count")
    assert claim.holds({"x": {"y": 2}})
    assert not claim.holds({"x": {"y": 1}})
    with pytest.raises(ClaimError, match="no key 'y', only z"):
        claim.holds({"x": {"z": 1}})
    with pytest.raises(ClaimError, match="not true or false"):
        Claim("a", "A.", "甲。", "x", ("x",), exact="count").holds({"x": 2})
    assert not can_fail(Claim("a", "A.", "甲。", "x == x", ("x",), exact="count"), {"x": 2})
    with pytest.raises(ClaimError, match="runs and spread, or exact"):
        Claim("a", "A.", "甲。", "x > 1", ("x",))
    with pytest.raises(ClaimError, match="kebab"):
        Claim("a_b", "A.", "甲。", "x > 1", ("x",), exact="count")
