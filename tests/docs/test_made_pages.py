"""The pages made from the registry and from measurements are up to date and complete."""

import re
from pathlib import Path

import pytest

from bpref.ops import FAMILIES, OPERATORS
from pages import made_pages, speed, speed_regression, speed_scaling, words
from pages.latex import latex

PAGES = made_pages.all_pages()


@pytest.mark.parametrize("path", PAGES, ids=lambda p: str(p.relative_to(made_pages.DOCS)))
def test_page_is_up_to_date(path):
    assert path.read_text(encoding="utf-8") == PAGES[path], "run: python -m pages"


def test_no_page_is_left_from_an_operator_that_is_gone():
    for lang in made_pages.LANGUAGES:
        folder = made_pages.DOCS / lang / "reference" / "backward-rules"
        assert {p.stem for p in folder.glob("*.md")} == {"index", *FAMILIES}


@pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS)
def test_operator_stands_on_its_page(operator):
    page, anchor = operator.anchor.split("#")
    for lang in made_pages.LANGUAGES:
        assert f"{{ #{anchor} }}" in (made_pages.DOCS / lang / page).read_text(encoding="utf-8")


def test_no_sentence_without_its_operator():
    text = words.load("backward_rules")
    assert set(text["operator"]) == set(OPERATORS)
    assert set(text["family"]) == set(FAMILIES)


def test_every_letter_of_a_cost_is_explained_by_its_sizes():
    for operator in OPERATORS.values():
        for rule in (operator.cost.forward, operator.cost.backward, operator.cost.stored):
            assert latex(rule)


@pytest.mark.parametrize("name", ["speed", "speed_regression", "speed_scaling"])
def test_no_number_is_typed_into_the_sentences_of_the_speed_pages(name):
    """Ratios come from the result files; the sentences hold sizes of networks only."""
    text = Path(f"pages/{name}.toml").read_text(encoding="utf-8")
    assert not re.search(r"\d\.\d", text)


def test_a_peer_that_is_ahead_is_noticed():
    rows = {"bpref": {"x": 1.0}, "JAX jit": {"x": 1.5}, "PyTorch eager": {"x": 1.0}}
    assert speed.ahead({"case": rows}) == [("case", "JAX jit", 1.5)]


def training_runs(auto, **others):
    rows = {"article": {"x": 1.0}, "bpref auto": {"x": auto, "backend": "numpy"}}
    return rows | {name.replace("_", " "): {"x": x} for name, x in others.items()}


def test_auto_is_not_behind_the_backend_that_it_chose():
    rows = training_runs(2.0, bpref_numpy=2.5, bpref_torch=3.0, skorch=0.5)
    assert speed_regression.ahead(rows) == [("bpref torch", 1.5)]


def test_who_is_ahead_of_auto_needs_a_reason():
    text = words.load("speed_regression") | {"why": {}}
    threads = {"1": {"100 × 1, 1-10-1": training_runs(2.0, skorch=2.5)}}
    with pytest.raises(KeyError, match="skorch"):
        speed_regression.reasons(text, "en", threads)
    text["why"] = {"skorch": {"1": {"en": "Because."}}}
    assert speed_regression.reasons(text, "en", threads)[-1] == (
        "- 100 × 1, 1-10-1, one thread: skorch is 1.25 times as fast. Because."
    )


def cells(**lows):
    """One network, and the lower quartile of each batch size."""
    return {"2-3-1": {size[1:]: {"low": low, "x": low} for size, low in lows.items()}}


@pytest.mark.parametrize(
    ("lows", "expected"),
    [
        ({"b1": 0.5, "b2": 1.1, "b4": 1.2}, "ahead in 2 of 3 cases, and in every case from 18 "),
        ({"b1": 1.5, "b2": 0.9, "b4": 1.2}, "ahead in 2 of 3 cases, and in every case from 36 "),
        ({"b1": 1.5, "b2": 1.5}, "ahead in 2 of 2 cases, and in every case from 9 "),
        ({"b1": 1.5, "b2": 1.0}, "ahead in 1 of 2 cases; the case with the most work is not"),
        ({"b1": 0.5}, "ahead in 0 of 1 cases; the case with the most work is not"),
    ],
)
def test_from_which_work_a_step_pays(lows, expected):
    text = words.load("speed_scaling")
    assert f"It: {expected}" in speed_scaling.pays(text, "en", "It", cells(**lows))


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ([(False, 0.5), (True, 2.0)], 1.0),  # right both times
        ([(True, 0.5), (False, 2.0)], 2.0),
        ([(False, 4.0), (False, 1.0)], 2.0),  # once four times as slow: the geometric mean
    ],
)
def test_what_a_rule_costs(choices, expected):
    assert speed_scaling.cost(choices) == pytest.approx(expected)


@pytest.mark.parametrize(("large", "verdict"), [(2.0, "supported"), (0.5, "unsupported")])
def test_the_verdict_on_a_rule_comes_from_the_numbers(large, verdict):
    text = words.load("speed_scaling")
    choices = [(False, 0.5), (True, large)]
    sentence = speed_scaling.policies(text, "en", "cores", choices, 10)
    assert sentence.endswith(text[verdict]["en"])
    assert f"in {2 if large > 1 else 1} of 2 cases" in sentence
