"""The page that repairs the article's program: its listing is the article's, its diff is what runs.

That each fence prints what stands below it is tested with the other fences of the site.
"""

import difflib
import re
from pathlib import Path

import pytest

from experiments._article_listing import BLOCKS
from experiments._article_repairs import REPAIRS, repaired
from sitekit.audit.markdown import read_page

LISTING = Path("experiments/article_listing.txt").read_text(encoding="utf-8")
PAGES = [Path("docs", lang, "practice", "repairing.md") for lang in ("en", "zh")]
MESSAGES = ["NameError", "NameError", "RuntimeError"]


def without_marks(text):
    return [line for line in text.splitlines() if not line.startswith("# --8<--")]


def programs(page):
    """The program with which each fence ends."""
    for fence in read_page(page).fences:
        if fence.info == "python":
            # what a fence does with its program is tested where it is run
            body = re.split(r"\n(?:try:|first, second|after =|\*_, train|test =)", fence.text)[0]
            space = {"Path": Path, "repaired": repaired, "losses": lambda program: []}
            exec(re.sub(r"^from experiments.*\n", "", body), space)
            yield space["program"]


def test_the_listing_is_the_articles():
    assert "".join(line for line in without_marks(LISTING) if line) == "".join(
        line for block in BLOCKS for line in block.splitlines() if line
    )
    for block in BLOCKS:
        assert block in LISTING


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_the_fences_make_the_repairs_one_after_the_other(page):
    made = [0, 1, 2, 3, 4, 5, 6, 6, 7]  # the last but one only looks
    for program, count in zip(programs(page), made, strict=True):
        assert without_marks(program) == without_marks(repaired(count)), count


def test_each_repair_finds_what_it_replaces():
    for count, repair in enumerate(REPAIRS):
        program = repaired(count)
        for old, new in repair:
            assert old in program
            program = program.replace(old, new)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_the_diff_is_the_sum_of_the_repairs(page):
    lines = without_marks(LISTING), without_marks(repaired(7))
    diff = list(difflib.unified_diff(*lines, lineterm="", n=1))[2:]
    (shown,) = (f.text for f in read_page(page).fences if f.info == "diff")
    assert shown.splitlines() == diff


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_the_messages_come_in_the_order_of_the_page(page):
    outputs = [f.text for f in read_page(page).fences if f.directive == "expected-output"]
    assert [text.split(":")[0] for text in outputs[:3]] == MESSAGES
    assert not any("Error" in text for text in outputs[3:])
