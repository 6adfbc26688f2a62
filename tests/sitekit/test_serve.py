"""`make serve`: both languages from one server, and a saved edit reaches the browser."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from mkdocs.exceptions import Abort

from sitekit import serve
from sitekit.build import merged, with_whole_queries
from sitekit.serve import only_pages_changed

ROOT = Path(__file__).resolve().parents[2]


def get(address):
    with urllib.request.urlopen(address, timeout=60) as response:
        return response.read().decode("utf-8")


@pytest.fixture(scope="module")
def copy_of_the_site(tmp_path_factory):
    """The server watches a copy, so that the test can edit a page."""
    root = tmp_path_factory.mktemp("serve")
    for name in ("docs", "bpref", "experiments", "sitekit", "node_modules", ".cache"):
        if (ROOT / name).exists():
            shutil.copytree(ROOT / name, root / name)
    for name in ("mkdocs.yml", "mkdocs.zh.yml", "constraints.txt", "CHANGELOG.md"):
        shutil.copy(ROOT / name, root / name)
    return root


@pytest.fixture(scope="module")
def server(copy_of_the_site):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "sitekit.serve", "--port", str(port)],
        cwd=copy_of_the_site,
        env=os.environ | {"PYTHONPATH": str(copy_of_the_site)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        printed = []
        for line in process.stdout:
            printed.append(line)
            if "Serving on" in line or line.startswith("English"):
                break
        else:
            pytest.fail("the server did not start:\n" + "".join(printed))
        address = f"http://127.0.0.1:{port}/"
        for _ in range(100):
            try:
                get(address)
                break
            except OSError:
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_both_languages_and_the_switch_between_them(server):
    english, chinese = get(f"{server}faq/gradients/"), get(f"{server}zh/faq/gradients/")
    assert '<html lang="en"' in english
    assert '<html lang="zh"' in chinese
    (to_chinese,) = re.findall(r'language-switch" href="([^"]+)"', english)
    (to_english,) = re.findall(r'language-switch" href="([^"]+)"', chinese)
    assert (
        urllib.parse.urljoin(f"{server}faq/gradients/", to_chinese) == f"{server}zh/faq/gradients/"
    )
    assert (
        urllib.parse.urljoin(f"{server}zh/faq/gradients/", to_english) == f"{server}faq/gradients/"
    )


@pytest.mark.parametrize(("lang", "path"), [("en", ""), ("zh", "zh/")])
def test_saved_edit_reaches_the_browser(server, copy_of_the_site, lang, path):
    page = copy_of_the_site / "docs" / lang / "reference" / "glossary.md"
    before = get(f"{server}{path}reference/glossary/")
    assert "livereload(" in before, "the page asks for reloads"
    marker = f"edited-{lang}"
    page.write_text(page.read_text(encoding="utf-8") + f"\n\n{marker}\n", encoding="utf-8")
    for _ in range(300):
        if marker in get(f"{server}{path}reference/glossary/"):
            return
        time.sleep(0.1)
    pytest.fail("the edit never appeared")


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A `Site` over a small tree whose build copies the pages; a page `bad.md` breaks it."""
    monkeypatch.chdir(tmp_path)
    for lang in ("en", "zh"):
        (tmp_path / "docs" / lang).mkdir(parents=True)
        (tmp_path / "docs" / lang / "page.md").write_text(f"{lang} 1", encoding="utf-8")

    def build(lang, folder, strict, dirty):
        shutil.rmtree(folder, ignore_errors=True)  # as MkDocs does
        if (Path("docs") / lang / "bad.md").exists():
            raise Abort("<a bad page>")
        shutil.copytree(Path("docs") / lang, folder)

    monkeypatch.setattr(serve, "build", build)
    return serve.Site(tmp_path / "out")


def test_an_error_leaves_the_last_good_build_and_its_repair_is_seen(site):
    site.rebuild()
    bad = Path("docs/en/bad.md")
    bad.write_text("bad", encoding="utf-8")
    site.rebuild()
    assert (site.root / "page.md").read_text(encoding="utf-8") == "en 1"
    assert (site.root / "zh" / "page.md").read_text(encoding="utf-8") == "zh 1"
    bad.unlink()
    Path("docs/en/page.md").write_text("en 2", encoding="utf-8")
    site.rebuild()
    assert (site.root / "page.md").read_text(encoding="utf-8") == "en 2"


def test_an_error_in_the_first_build_is_shown_until_it_is_repaired(site):
    bad = Path("docs/en/bad.md")
    bad.write_text("bad", encoding="utf-8")
    site.rebuild()
    assert "&lt;a bad page&gt;" in (site.root / "index.html").read_text(encoding="utf-8")
    assert (site.root / "zh" / "page.md").exists()
    bad.unlink()
    site.rebuild()
    assert not (site.root / "index.html").exists()
    assert (site.root / "page.md").exists()
    assert (site.root / "zh" / "page.md").exists()


def test_a_page_added_and_deleted(site):
    site.rebuild()
    new = Path("docs/zh/new.md")
    new.write_text("new", encoding="utf-8")
    site.rebuild()
    assert (site.root / "zh" / "new.md").exists()
    new.unlink()
    site.rebuild()
    assert not (site.root / "zh" / "new.md").exists()
    assert (site.root / "page.md").exists()


def test_only_edited_pages_are_built_again():
    page, other = Path("docs/en/index.md"), Path("mkdocs.yml")
    before = {page: 1.0, other: 1.0}
    assert only_pages_changed(before, {page: 2.0, other: 1.0})
    assert not only_pages_changed(before, {page: 1.0, other: 2.0})
    assert not only_pages_changed(before, {page: 2.0})
    assert not only_pages_changed(before, before | {Path("docs/en/new.md"): 1.0})
    assert not only_pages_changed(None, before)


def test_the_search_index_keeps_the_pages_that_were_not_built():
    known = {"docs": [{"location": "a/"}, {"location": "a/#x"}, {"location": "b/", "text": "old"}]}
    fresh = {"config": {}, "docs": [{"location": "b/", "text": "new"}]}
    index = merged(known, fresh)
    assert [entry["location"] for entry in index["docs"]] == ["a/", "a/#x", "b/"]
    assert index["docs"][-1]["text"] == "new"


def test_after_an_edit_search_knows_the_edit_and_all_other_pages(server, copy_of_the_site):
    before = json.loads(get(f"{server}search/search_index.json"))["docs"]
    page = copy_of_the_site / "docs" / "en" / "reference" / "changelog.md"
    page.write_text(page.read_text(encoding="utf-8") + "\n\nzyzzyva\n", encoding="utf-8")
    for _ in range(300):
        if "zyzzyva" in get(f"{server}reference/changelog/"):
            break
        time.sleep(0.1)
    after = json.loads(get(f"{server}search/search_index.json"))["docs"]
    assert {e["location"] for e in before} <= {e["location"] for e in after}
    assert any("zyzzyva" in entry["text"] for entry in after)


def test_the_search_worker_is_mended_once_or_the_build_stops():
    script = "for(let s=0;s<t.length;s++)for(let o=s+1;o<t.length;o++)t.slice(s,o)in e&&(n[s]=o-s);"
    mended = with_whole_queries(script)
    assert mended == script.replace("o=s+1;o<t", "o=s+1;o<=t")
    assert with_whole_queries(mended) == mended
    with pytest.raises(ValueError, match="another way"):
        with_whole_queries("for(let o=0;o<t.length;o++)t.slice(o)")
