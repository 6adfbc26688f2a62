"""The errata are complete, each entry has its four parts, and both languages agree.

ROWS is the list of what was found wrong or outdated in the source article, by section. A new
finding is added here first; the test then asks for its entry in both languages.
"""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = ("principles", "formulas", "code", "applications", "context", "faq")

# (section of the article, what is wrong or outdated, page, entry)
ROWS = [
    ("1.1", "backpropagation updates parameters", "principles", "e-1-1-training-method"),
    ("2.1", "flowchart without loss and loop", "principles", "e-2-1-flowchart"),
    ("2.1", "chart of large language models", "principles", "e-2-1-large-language-models"),
    ("3.1", "based on gradient descent", "principles", "e-3-1-based-on-gradient-descent"),
    ("3.1", "updates layer by layer", "principles", "e-3-1-layer-by-layer"),
    ("3.3", "robust", "principles", "e-3-3-robust"),
    ("3.3", "converges fast", "principles", "e-3-3-fast-convergence"),
    ("3.3", "overfitting through local optima", "principles", "e-3-3-overfitting"),
    ("3.3", "exponential cost", "principles", "e-3-3-exponential"),
    ("3.4", "network models the environment", "applications", "e-6-4-environment"),
    ("4.2", "dJ/dW: shape", "formulas", "e-4-2-dw-shape"),
    ("4.2", "vector outputs: product", "formulas", "e-4-2-vector-outputs"),
    ("4.2", "d(W^T x)/dW = x^T", "formulas", "e-4-2-jacobian"),
    ("4.3", "sigmoid output for regression", "formulas", "e-4-3-sigmoid-output"),
    ("4.3", "dJ/dW1", "formulas", "e-4-3-dw1"),
    ("4.3", "dJ/db1", "formulas", "e-4-3-db1"),
    ("4.3", "dJ/dW2", "formulas", "e-4-3-dw2"),
    ("4.3", "dJ/db2", "formulas", "e-4-3-db2"),
    ("4.3", "dz/dW1 = x^T", "formulas", "e-4-3-dz-dw1"),
    ("4.3", "dz/dW2 = sigma(h) sigma(z)", "formulas", "e-4-3-dz-dw2"),
    ("5.1", "Anaconda", "code", "e-5-1-anaconda"),
    ("5.1", "Python 3.8", "code", "e-5-1-python38"),
    ("5.1", "conda command, CUDA 11.1", "code", "e-5-1-conda-command"),
    ("5.2", "complete code", "code", "e-5-2-complete"),
    ("5.2", "import torch missing", "code", "e-5-2-import-torch"),
    ("5.2", "loaders missing, no shuffle", "code", "e-5-2-loaders"),
    ("5.2", "float64 against float32", "code", "e-5-2-dtype"),
    ("5.2", "criterion is a global", "code", "e-5-2-criterion"),
    ("5.2", "average loss", "code", "e-5-2-average-loss"),
    ("5.2", "train loss is a running loss", "code", "e-5-2-running-loss"),
    ("5.2", "no seed", "code", "e-5-2-seed"),
    ("5.2", "test set in every epoch", "code", "e-5-2-validation"),
    ("5.2", "loss without one half", "code", "e-5-2-loss-scale"),
    ("5.2", "no backpropagation to read", "code", "e-5-2-no-backprop"),
    ("5.3", "Adam", "code", "e-5-3-adam"),
    ("6.1", "50,000 test images", "applications", "e-6-1-test-images"),
    ("6.4", "network models the environment", "applications", "e-6-4-environment"),
    ("7.1", "Chollet's book", "context", "e-7-1-chollet"),
    ("7.1", "CS231n", "context", "e-7-1-cs231n"),
    ("7.2", "TensorFlow static graph", "context", "e-7-2-tensorflow"),
    ("7.2", "Keras on Theano and CNTK", "context", "e-7-2-keras"),
    ("7.3", "paper of 1986", "context", "e-7-3-paper-1"),
    ("7.3", "paper of 1988", "context", "e-7-3-paper-2"),
    ("7.3", "paper of 2012", "context", "e-7-3-paper-3"),
    ("7.3", "paper of 2017", "context", "e-7-3-paper-4"),
    ("7.3", "paper of 2015", "context", "e-7-3-paper-5"),
    ("7.3", "history of language models", "context", "e-7-3-llm"),
    ("8.1", "comprehensive and systematic", "context", "e-8-1-comprehensive"),
    ("8.2", "Momentum and Adam as trends", "context", "e-8-2-optimizers"),
    ("8.2", "ALAR", "context", "e-8-2-alar"),
    ("8.3", "generalisation, privacy, data", "context", "e-8-3-wrong-address"),
    ("9 Q1", "Adam is parameter-efficient", "faq", "e-9-q1-parameter-efficient"),
    ("9 Q1", "Adam avoids explosion", "faq", "e-9-q1-adam-explosion"),
    ("9 Q1", "accumulation avoids vanishing", "faq", "e-9-q1-accumulation"),
    ("9 Q2", "IoU as a loss", "faq", "e-9-q2-iou"),
    ("9 Q3", "start at 1e-3 and decrease", "faq", "e-9-q3-learning-rate"),
    ("9 Q4", "L1 reduces the number of parameters", "faq", "e-9-q4-l1"),
    ("9 Q4", "regularization prevents overfitting", "faq", "e-9-q4-prevents-overfitting"),
    ("9 Q5", "clipping improves the performance", "faq", "e-9-q5-clipping"),
    ("9 Q5", "fewer updates", "faq", "e-9-q5-fewer-updates"),
]

PARTS = {
    "en": [
        r"\*\*The article says\*\* \(§",
        r"\*\*Why it is (wrong|outdated)\.\*\*",
        r"\*\*(Counterexample|Evidence)\.\*\*",
        r"\*\*Correction\.\*\*",
    ],
    "zh": [
        r"\*\*原文\*\*（§",
        r"\*\*(错在哪里|为何过时)。\*\*",
        r"\*\*(反例|依据)。\*\*",
        r"\*\*更正。\*\*",
    ],
}
FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXPECTED = re.compile(
    r"^<!--pytest-codeblocks:expected-output-->\n\n```text\n(.*?)^```$", re.MULTILINE | re.DOTALL
)


def entries(lang: str, page: str) -> dict[str, str]:
    """Entry id -> its text, in the order of the page."""
    text = (DOCS / lang / "errata" / f"{page}.md").read_text(encoding="utf-8")
    pieces = re.split(r"^#{1,3} .*\{ #([\w-]+) \}$", text, flags=re.MULTILINE)
    return {
        i: body for i, body in zip(pieces[1::2], pieces[2::2], strict=True) if i.startswith("e-")
    }


@pytest.fixture(scope="module")
def pages() -> dict[tuple[str, str], dict[str, str]]:
    return {(lang, page): entries(lang, page) for lang in PARTS for page in PAGES}


@pytest.mark.parametrize("lang", PARTS)
@pytest.mark.parametrize(("section", "key", "page", "entry"), ROWS)
def test_every_finding_has_its_entry(pages, lang, section, key, page, entry):
    assert entry in pages[lang, page], f"§{section} ({key}) has no entry #{entry} in {lang}/{page}"


@pytest.mark.parametrize("lang", PARTS)
def test_no_entry_without_a_finding(pages, lang):
    known = {entry for *_, entry in ROWS}
    assert {e for page in PAGES for e in pages[lang, page]} == known


@pytest.mark.parametrize("lang", PARTS)
@pytest.mark.parametrize("page", PAGES)
def test_every_entry_has_its_four_parts_in_order(pages, lang, page):
    for entry, body in pages[lang, page].items():
        places = []
        for part in PARTS[lang]:
            found = list(re.finditer(f"^{part}", body, re.MULTILINE))
            assert len(found) == 1, f"{lang}/{page}#{entry}: {part} occurs {len(found)} times"
            places.append(found[0].start())
        assert places == sorted(places), f"{lang}/{page}#{entry}: parts out of order"


@pytest.mark.parametrize("lang", PARTS)
@pytest.mark.parametrize("page", PAGES)
def test_every_entry_runs_or_cites(pages, lang, page):
    for entry, body in pages[lang, page].items():
        evidence = re.split(PARTS[lang][2], body)[-1]
        evidence, correction = re.split(PARTS[lang][3], evidence)
        code = FENCE.findall(body)
        if code:
            assert len(EXPECTED.findall(body)) == len(code), f"{entry}: no checked output"
            assert len(code[0].splitlines()) <= 30, f"{entry}: too long for a counterexample"
        else:
            assert re.search(r"\]\(https://\S+\)", evidence), f"{entry}: neither code nor source"
        assert re.search(r"\]\((\.\./)?[\w/-]+\.md", correction), f"{entry}: correction has no link"


@pytest.mark.parametrize("page", PAGES)
def test_both_languages_have_the_same_entries_and_fences(pages, page):
    english, chinese = pages["en", page], pages["zh", page]
    assert list(english) == list(chinese)
    for entry, body in english.items():
        for pattern in (FENCE, EXPECTED):
            assert pattern.findall(body) == pattern.findall(chinese[entry]), entry
        links = [sorted(re.findall(r"\]\(([^)\s]+)\)", text)) for text in (body, chinese[entry])]
        assert links[0] == links[1], entry


@pytest.mark.parametrize("lang", PARTS)
def test_the_index_lists_every_entry_once_and_in_order(pages, lang):
    index = (DOCS / lang / "errata" / "index.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\|.*\]\((\w+)\.md#(e-[\w-]+)\)", index, re.MULTILINE)
    assert listed == [(page, entry) for page in PAGES for entry in pages[lang, page]]


def test_the_counts_on_the_index_are_those_of_the_pages(pages):
    result = json.loads((ROOT / "experiments/results/errata_index.json").read_text())
    with_code = {p: sum(bool(FENCE.search(b)) for b in pages["en", p].values()) for p in PAGES}
    assert result["pages"] == {
        page: {"entries": len(pages["en", page]), "with_code": with_code[page]} for page in PAGES
    }


def test_the_listing_of_the_article_needs_three_repairs():
    result = json.loads((ROOT / "experiments/results/errata_code.json").read_text())
    assert result["run"]["errors"] == ["NameError", "NameError", "RuntimeError", ""]
    assert result["run"]["messages"] == [
        "NameError: name 'torch' is not defined",
        "NameError: name 'train_loader' is not defined",
    ]
    assert result["alone"] == ["", "NameError", "", "NameError"]
