"""The misconception quiz: one right option, in no pattern, and for each option a place to look."""

import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from experiments import claims
from sitekit.audit.quiz import QuizError, read_quiz

PAGES = {lang: Path("docs", lang, "faq", "quiz.md") for lang in ("en", "zh")}
QUIZ = {lang: read_quiz(path) for lang, path in PAGES.items()}
CLAIMS = {claim.id for found in claims.all_claims().values() for claim in found}
WORDS = {"en": ("Right.", "Wrong."), "zh": ("正确", "错误")}
each_language = pytest.mark.parametrize("lang", PAGES)


def shown_length(text):
    """Characters that the reader sees: `\\hat y` is one, code and formulas lose their marks."""
    return len(re.sub(r"\\hat |\\(?=[a-z])|[`$]", "", text).replace("delta", "d"))


@cache
def ids(path):
    """Everything on a page that a link can lead to."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    return set(re.findall(r"^#{1,6} .*\{ *#([\w-]+)", text, flags=re.M)) | set(
        re.findall(r'\bid="([\w-]+)"', text)
    )


@each_language
def test_there_are_twenty_items_numbered_in_their_order(lang):
    items = QUIZ[lang]
    assert len(items) == 20
    assert [item.title.split(". ")[0] for item in items] == [str(n) for n in range(1, 21)]
    assert [re.findall(r"\d+", item.summary) for item in items] == [[str(n)] for n in range(1, 21)]
    assert all(3 <= len(item.options) <= 4 for item in items)


def test_both_languages_ask_the_same():
    for en, zh in zip(QUIZ["en"], QUIZ["zh"], strict=True):
        assert (en.id, en.right, len(en.options)) == (zh.id, zh.right, len(zh.options))
        for one, other in zip(en.options, zh.options, strict=True):
            assert Counter(one.links) == Counter(other.links), f"{en.id}: {one.text}"


@each_language
def test_the_verdict_is_a_word_too(lang):
    right, wrong = WORDS[lang]
    for item in QUIZ[lang]:
        for option in item.options:
            assert option.word == (right if option.right else wrong)


@each_language
def test_no_two_items_or_options_are_the_same(lang):
    items = QUIZ[lang]
    for values in (
        [item.id for item in items],
        [item.title for item in items],
        [item.question for item in items],
        [option.text for item in items for option in item.options],
        [option.explanation for item in items for option in item.options],
    ):
        assert [value for value, times in Counter(values).items() if times > 1] == []


def test_the_place_of_the_right_option_tells_nothing():
    places = [item.right for item in QUIZ["en"]]
    for place, times in Counter(places).items():
        could = sum(len(item.options) > place for item in QUIZ["en"])
        assert 0.15 <= times / could <= 0.45, f"{'ABCD'[place]} is right {times} times of {could}"
    assert set(places) == {0, 1, 2, 3}
    runs = zip(places, places[1:], places[2:], strict=False)
    assert all(len({a, b, c}) > 1 for a, b, c in runs), "three times the same letter in a row"


@each_language
def test_the_length_of_the_right_option_tells_nothing(lang):
    """A reader who always takes the longest option, or the shortest, gets no more than a third."""
    longest = shortest = 0
    for item in QUIZ[lang]:
        lengths = [shown_length(option.text) for option in item.options]
        assert max(lengths) <= 1.75 * min(lengths), f"{item.title}: {lengths}"
        longest += lengths[item.right] == max(lengths) and lengths.count(max(lengths)) == 1
        shortest += lengths[item.right] == min(lengths) and lengths.count(min(lengths)) == 1
    assert longest <= 7
    assert shortest <= 7


@each_language
def test_each_explanation_leads_to_what_decides(lang):
    page = PAGES[lang]
    for item in QUIZ[lang]:
        for option in item.options:
            assert option.links, f"{item.title}: {option.explanation}"
            for link in option.links:
                path, _, anchor = link.partition("#")
                target = (page.parent / path).resolve()
                assert path, f"{item.title}: {link} leads to the quiz itself"
                assert target.is_file(), f"{item.title}: {link}"
                # The ledger is made from the claims; test_made_pages compares the two.
                known = CLAIMS if target.name == "claims.md" else ids(target)
                assert anchor in known, f"{item.title}: {link}"


@each_language
def test_each_item_rests_on_a_claim(lang):
    for item in QUIZ[lang]:
        links = [link for option in item.options for link in option.links]
        assert any(link.startswith("../reference/claims.md#") for link in links), item.title


ITEM = """### 1. Title { #title }

<div class="quiz-item" markdown>

Question?

1. One.
2. Two.

??? question "Answer 1"

    1. **Right.**{ .verdict .holds } So.
    2. **Wrong.**{ .verdict .false } Not so.

</div>
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (".false } Not", ".holds } Not", "not exactly one option is right"),
        (".holds }", ".false }", "not exactly one option is right"),
        ("2. Two.\n", "", "1 options, 2 explanations"),
        ("2. Two.", "3. Two.", "not numbered"),
        ("**Wrong.**{ .verdict .false } ", "", "does not begin with a verdict"),
        ("Question?\n\n", "", "1 items, of which 0 can be read"),
    ],
)
def test_an_item_that_is_written_otherwise_is_an_error(tmp_path, old, new, message):
    path = tmp_path / "quiz.md"
    path.write_text(ITEM, encoding="utf-8")
    assert read_quiz(path)[0].right == 0
    path.write_text(ITEM.replace(old, new), encoding="utf-8")
    with pytest.raises(QuizError, match=message):
        read_quiz(path)
