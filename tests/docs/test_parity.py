"""English and Chinese pages pair up: files, ids, fences, formulas, numbers, figures, links."""

from pathlib import Path

import pytest
import yaml

from sitekit.audit.markdown import pages, read_page
from sitekit.audit.parity import compare, missing_pages

EN, ZH = Path("docs/en"), Path("docs/zh")
COMMON = sorted(pages(EN).keys() & pages(ZH).keys())


def test_every_page_exists_in_both_languages():
    assert missing_pages(EN, ZH) == []


@pytest.mark.parametrize("name", COMMON)
def test_page_and_translation_agree(name):
    assert compare(EN, ZH, name) == []


@pytest.mark.parametrize("path", [*pages(EN).values(), *pages(ZH).values()], ids=str)
def test_every_heading_has_its_own_id(path):
    page = read_page(path)
    assert [text for _, text, given in page.headings if given is None] == []
    ids = [given for _, _, given in page.headings]
    assert len(ids) == len(set(ids))
    assert [level for level, _, _ in page.headings].count(1) == 1


@pytest.mark.parametrize("path", [*pages(EN).values(), *pages(ZH).values()], ids=str)
def test_every_page_says_what_it_is(path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("---\n"), "front matter is missing"
    # MkDocs prints front matter that is no YAML (a colon in a sentence) as text, without a word.
    front_matter = yaml.safe_load(text.split("---\n")[1])
    assert isinstance(front_matter["title"], str)
    assert isinstance(front_matter["description"], str)


def test_chinese_pages_use_the_standard_terms_and_punctuation():
    """后向传播 is not the term; half-width punctuation between Chinese characters is a slip."""
    import re

    found = []
    for path in pages(ZH).values():
        prose = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.S)
        found += [f"{path}: {m}" for m in re.findall(r"[一-鿿][,;:?!][一-鿿]", prose)]
        quoted = ("后向传播”", "`后向传播`", "| 后向传播")  # where the article's own word is shown
        for quote in quoted:
            prose = prose.replace(quote, "")
        found += [f"{path}: 后向传播" for _ in re.findall("后向传播", prose)]
    assert found == []
