"""The checks themselves: each must find what it is there to find."""

import pytest

from sitekit.audit.html import bad_ids, dead_links, read_built
from sitekit.audit.markdown import read_page
from sitekit.audit.parity import compare, missing_pages

PAGE = """---
title: T
description: D
---

# Title { #title }

Text $a+b$ and {{ claim.x | .2f }}, a [link](other.md#there).

!!! note "Before you start"
    Nothing.

```python
print(1)
```

<!--pytest-codeblocks:expected-output-->

```text
1
```

![Alt.](figure:plot "Caption.")
"""


@pytest.fixture
def trees(tmp_path):
    for lang in ("en", "zh"):
        (tmp_path / lang).mkdir()
        (tmp_path / lang / "page.md").write_text(PAGE, encoding="utf-8")
    return tmp_path / "en", tmp_path / "zh"


def test_equal_pages_have_no_differences(trees):
    assert compare(*trees, "page.md") == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{ #title }", "{ #other }"),
        ("# Title", "## Title"),
        ("$a+b$", "$a-b$"),
        ("claim.x | .2f", "claim.y | .2f"),
        ("print(1)", "print(2)"),
        ("```python", "```py"),
        ("<!--pytest-codeblocks:expected-output-->", ""),
        ("figure:plot", "figure:plan"),
        ("!!! note", "!!! warning"),
        ("other.md#there", "other.md#elsewhere"),
    ],
)
def test_every_difference_is_found(trees, old, new):
    (trees[1] / "page.md").write_text(PAGE.replace(old, new), encoding="utf-8")
    assert compare(*trees, "page.md")


def test_missing_page_is_found(trees):
    (trees[1] / "page.md").rename(trees[1] / "seite.md")
    assert missing_pages(*trees) == ["page.md", "seite.md"]


def test_code_is_not_read_as_prose(tmp_path):
    path = tmp_path / "page.md"
    path.write_text("# T { #t }\n\n```python\n# not a heading\nx = '$y$'\n```\n", encoding="utf-8")
    page = read_page(path)
    assert len(page.headings) == 1
    assert page.formulas == []


def test_open_fence_is_an_error(tmp_path):
    path = tmp_path / "page.md"
    path.write_text("```python\nx = 1\n", encoding="utf-8")
    with pytest.raises(ValueError, match="never closed"):
        read_page(path)


def test_dead_links_anchors_and_ids_are_found(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "index.html").write_text(
        '<html lang="en"><h1 id="x">A</h1><p id="">B</p><p id="x">C</p>'
        '<a href="../b/">dead</a><a href="#y">no anchor</a><a href="#x">fine</a>'
        '<a href="../../etc">outside</a><img src="none.png"></html>',
        encoding="utf-8",
    )
    read_built.cache_clear()
    found = dead_links(tmp_path)
    assert len(found) == 4, found
    assert len(bad_ids(tmp_path)) == 2
