"""No code on a page goes untested: the inventory of all fences."""

import re
from pathlib import Path

import pytest
from pytest_codeblocks import extract_from_file

from sitekit.audit.markdown import Fence, pages, read_page

PAGES = [Path("README.md"), Path("CONTRIBUTING.md"), *pages(Path("docs/en")).values()]
PAGES += pages(Path("docs/zh")).values()
# Fences that hold no Python: shell sessions, outputs, file contents.
OTHER = {"", "console", "text", "toml", "yaml", "diff", "bibtex", "json"}
INCLUDED = re.compile(r'^python title="(?P<path>[\w./]+)"$')
INCLUDE_LINE = re.compile(r'^--8<-- "(?P<path>[\w./]+):(?P<section>[\w.]+)"$')


def problem(fence: Fence) -> str | None:
    """Why this fence would not be tested, or None."""
    if fence.info == "python":
        return "includes a file, needs a title" if "--8<--" in fence.text else None
    if match := INCLUDED.match(fence.info):
        lines = [line for line in fence.text.splitlines() if line.strip()]
        for line in lines:
            include = INCLUDE_LINE.match(line)
            if include is None:
                return f"has a title, so it must only include package code, but says {line!r}"
            if include["path"] != match["path"]:
                return f"its title says {match['path']}, it includes {include['path']}"
        return None if lines else "is empty"
    if fence.info in OTHER:
        return None
    return f"spelled {fence.info!r}, which pytest-codeblocks does not run"


@pytest.mark.parametrize("path", PAGES, ids=str)
def test_every_fence_is_run_or_included(path):
    found = [f"line {f.line}: {p}" for f in read_page(path).fences if (p := problem(f))]
    assert found == []


@pytest.mark.parametrize("path", PAGES, ids=str)
def test_pytest_codeblocks_sees_every_python_fence(path):
    fences = read_page(path).fences
    expected = sum(f.info == "python" and f.directive != "cont" for f in fences)
    seen = [b for b in extract_from_file(path) if b.syntax == "python"]
    assert len(seen) == expected
    assert [b.marks for b in seen if b.marks] == [], "no fence is skipped"


@pytest.mark.parametrize("path", PAGES, ids=str)
def test_continued_fences_follow_python(path):
    """`cont` appends to whatever fence came before; after another language it is swallowed."""
    previous = None
    for fence in read_page(path).fences:
        if fence.directive == "cont":
            assert previous is not None
            assert previous.info == "python", f"line {fence.line}"
        if fence.directive != "expected-output":  # an output belongs to the block above it
            previous = fence


@pytest.mark.parametrize("path", PAGES, ids=str)
def test_included_sections_exist_and_end(path):
    """A missing end marker would include everything to the end of the file, without a word."""
    for fence in read_page(path).fences:
        for line in fence.text.splitlines():
            if include := INCLUDE_LINE.match(line):
                source = Path(include["path"]).read_text(encoding="utf-8")
                assert f"# --8<-- [start:{include['section']}]" in source
                assert f"# --8<-- [end:{include['section']}]" in source


def test_the_inventory_rejects_what_would_not_be_tested():
    """The check itself can fail."""
    bad = ["py", "python hl_lines='1'", "{.python}", " python", "python linenums='1'", "pycon"]
    assert all(problem(Fence(1, info, "x = 1")) for info in bad)
    assert problem(Fence(1, 'python title="bpref/a.py"', "x = 1"))
    assert problem(Fence(1, 'python title="bpref/a.py"', '--8<-- "bpref/b.py:f"'))
