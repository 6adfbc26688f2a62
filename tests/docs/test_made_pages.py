"""The pages made from the registry and from measurements are up to date and complete."""

import re
from pathlib import Path

import pytest

from bpref.ops import FAMILIES, OPERATORS
from pages import made_pages, speed, words
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


def test_no_number_is_typed_into_the_sentences_of_the_speed_page():
    """Ratios come from the result files; the sentences hold sizes of networks only."""
    text = Path("pages/speed.toml").read_text(encoding="utf-8")
    assert not re.search(r"\d\.\d", text)


def test_a_peer_that_is_ahead_is_noticed():
    rows = {"bpref": {"x": 1.0}, "JAX jit": {"x": 1.5}, "PyTorch eager": {"x": 1.0}}
    assert speed.ahead({"case": rows}) == [("case", "JAX jit", 1.5)]
