"""The built files: links, ids, languages, sitemap, weight."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

from published import ADDRESS, url

from sitekit.audit.html import bad_ids, dead_links, html_files, is_external, read_built, weight
from sitekit.audit.markdown import pages

NAMESPACES = {
    "s": "http://www.sitemaps.org/schemas/sitemap/0.9",
    "x": "http://www.w3.org/1999/xhtml",
}
PAGE_BUDGET = 200_000  # gzipped bytes of one HTML file


def test_no_dead_link_or_anchor(site):
    assert dead_links(site) == []


def test_no_empty_or_duplicate_id(site):
    assert bad_ids(site) == []


def test_every_page_is_published_in_both_languages(site):
    for name in pages(Path("docs/en")):
        assert (site / url(name) / "index.html").exists(), name
        assert (site / "zh" / url(name) / "index.html").exists(), name


def test_language_of_every_page(site):
    for path in html_files(site):
        chinese = path.relative_to(site).parts[0] == "zh"
        assert read_built(path).language == ("zh" if chinese else "en"), path


def test_language_switch_leads_to_the_same_page(site):
    for name in pages(Path("docs/en")):
        for path, other in ((site, site / "zh"), (site / "zh", site)):
            file = path / url(name) / "index.html"
            html = file.read_text(encoding="utf-8")
            (target,) = re.findall(r'language-switch" href="([^"]+)"', html)
            assert (file.parent / target).resolve() == (other / url(name)).resolve()


def test_sitemap_names_every_page_with_its_translation(site):
    tree = ET.parse(site / "sitemap.xml")
    entries = {}
    for entry in tree.iterfind("s:url", NAMESPACES):
        links = entry.iterfind("x:link", NAMESPACES)
        entries[entry.findtext("s:loc", "", NAMESPACES)] = {
            link.get("hreflang"): link.get("href") for link in links
        }
    expected = {}
    for name in pages(Path("docs/en")):
        en, zh = f"{ADDRESS}{url(name)}", f"{ADDRESS}zh/{url(name)}"
        expected[en] = expected[zh] = {"en": en, "zh": zh, "x-default": en}
    assert entries == expected


def test_nothing_is_loaded_from_another_host(site):
    found = [
        f"{path.relative_to(site)}: {resource}"
        for path in html_files(site)
        for resource in read_built(path).resources
        if is_external(resource) and not resource.startswith(("data:", ADDRESS))
    ]
    assert found == []
    css = [*site.rglob("*.css")]
    assert css
    for path in css:
        addresses = re.findall(r"url\(\s*['\"]?([^)'\"]+)", path.read_text(encoding="utf-8"))
        assert [a for a in addresses if is_external(a) and not a.startswith("data:")] == [], path


def test_without_a_repository_no_page_links_to_one(site):
    for path in html_files(site):
        assert 'class="edit-link"' not in path.read_text(encoding="utf-8")
        assert 'class="md-source"' not in path.read_text(encoding="utf-8")


def test_formulas_are_rendered_and_numbers_injected(site):
    for path in html_files(site):
        html = path.read_text(encoding="utf-8")
        prose = re.sub(r"<(pre|code|annotation)\b.*?</\1>", "", html, flags=re.S)
        assert "katex-error" not in html, path
        assert "arithmatex" not in html, path
        assert "{{" not in prose, path
        text = re.sub(r"<[^>]+>", "", re.sub(r"<(script|style)\b.*?</\1>", "", prose, flags=re.S))
        assert "$" not in text, f"{path}: {text[max(0, text.find('$') - 60) :][:120]}"
        assert not re.search(r"\\(frac|sum|times|hat)\b", text), path


def test_no_table_header_is_empty(site):
    for path in html_files(site):
        html = path.read_text(encoding="utf-8")
        assert not re.search(r"<th[^>]*>\s*</th>", html), path


def test_labs_ran_and_can_be_downloaded(site):
    import nbformat

    labs = ("backprop-by-hand", "regression-in-pytorch", "numpy-to-pytorch", "your-own-table")
    for lab in labs:
        for root in (site, site / "zh"):
            html = (root / "labs" / lab / "index.html").read_text(encoding="utf-8")
            assert "Traceback" not in html
            assert "lab-figure" in html, "the figures are in the page"
            notebook = nbformat.read(root / "labs" / f"{lab}.ipynb", as_version=4)
            nbformat.validate(notebook)
            cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
            assert cells
            assert all(cell.execution_count for cell in cells)
            text = "\n".join(cell.source for cell in notebook.cells)
            assert "](../" not in text
            into = re.findall(rf"\]\({ADDRESS}([^)#]*)", text)  # links into the site
            assert into
            assert all((site / path / "index.html").exists() for path in into)
            text = text.replace(f"]({ADDRESS}", "](")
            outside = lab != "your-own-table"  # that one trains with BackpropRegressor
            assert not (outside and "bpref" in text), "the lab runs outside this project"
            assert "{ #" not in text
            assert "!!! " not in text


def test_no_page_is_too_heavy(site):
    weights = {str(p.relative_to(site)): weight(p) for p in html_files(site)}
    heaviest = max(weights, key=weights.get)
    print(f"heaviest page: {heaviest}, {weights[heaviest] / 1000:.0f} kB gzipped")
    assert weights[heaviest] <= PAGE_BUDGET


def test_chinese_terms_are_whole_words_in_the_search_index(site):
    index = json.loads((site / "zh" / "search" / "search_index.json").read_text(encoding="utf-8"))
    words = {word for entry in index["docs"] for word in entry["text"].split("\u200b")}
    assert {"反向传播", "梯度消失", "链式法则", "计算图", "学习率"} <= words


def test_search_index_has_each_formula_once(site):
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    for entry in index["docs"]:
        assert "\\frac" not in entry["text"], entry["location"]


def test_a_missing_page_is_told_in_the_language_of_the_site(site):
    english, chinese = (site / "404.html", site / "zh" / "404.html")
    assert "there is no such page" in english.read_text(encoding="utf-8")
    assert "没有这个页面" in english.read_text(encoding="utf-8")  # many hosts know only this one
    assert "没有这个页面" in chinese.read_text(encoding="utf-8")
    assert "Not found" not in chinese.read_text(encoding="utf-8")
