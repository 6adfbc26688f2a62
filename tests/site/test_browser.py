"""Every page in a real browser: requests, console, formulas, accessibility, phone, search."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from published import url
from visiting import DESKTOP, PHONE, SCHEMES, in_both_schemes

from sitekit.audit.browser import AXE, violations, wait_for_search, wider_than_screen
from sitekit.audit.markdown import pages

NAMES = [url(name) for name in pages(Path("docs/en"))]
PATHS = NAMES + [f"zh/{name}" for name in NAMES]


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p or "home")
def test_page(context, address, path):
    """One visit to a page, and everything that must hold on it."""
    page = context.new_page()
    messages, hosts = [], set()
    page.on("console", lambda m: messages.append(m.text) if m.type in {"error", "warning"} else 0)
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.on("response", lambda r: messages.append(f"{r.status} {r.url}") if r.status >= 400 else 0)
    try:
        page.goto(address + path, wait_until="load")
        page.wait_for_function("document.fonts.status === 'loaded'")
        page.add_script_tag(path=str(AXE))
        found = {}
        for viewport in (DESKTOP, PHONE):
            page.set_viewport_size(viewport)
            for scheme in in_both_schemes(page):
                assert wider_than_screen(page) <= 0, f"scrolls sideways at {viewport['width']} px"
                # Colours do not depend on the width, nor the structure on the scheme: each is
                # judged where it can change, and on the home page everywhere.
                structure = path == "" or scheme == SCHEMES[0]
                colours = path == "" or viewport is DESKTOP
                if (structure or colours) and (bad := violations(page, structure, colours)):
                    found[viewport["width"], scheme] = bad
        assert found == {}
        assert page.locator(".katex-error").count() == 0
        assert messages == []
        assert hosts - {urlsplit(address).netloc, ""} == set()
    finally:
        page.close()


def test_a_page_printed_from_the_dark_scheme_is_dark_on_light(context, address):
    """Browsers leave out backgrounds on paper: pale text would not be seen."""
    page = context.new_page()
    brightness = """s => [...document.querySelectorAll(s)].map(e => {
        const [r, g, b] = getComputedStyle(e).color.match(/[0-9.]+/g).map(Number);
        return (r + g + b) / 765;
    })"""
    text = ".md-typeset :is(p, h2, td, .admonition-title, .katex, pre > code, svg text)"
    try:
        page.goto(address + "derivation/one-layer/")
        page.evaluate("document.body.setAttribute('data-md-color-scheme', 'slate')")
        assert min(page.evaluate(brightness, text)) > 0.4
        page.emulate_media(media="print")
        assert max(page.evaluate(brightness, text)) < 0.5
    finally:
        page.close()


def search(page, query):
    wait_for_search(page)
    page.locator(".md-search__input").fill(query)
    page.locator(".md-search__input").press("End")  # the theme searches when a key is released


@pytest.mark.parametrize(
    ("root", "query"),
    [("", "vanishing gradient"), ("zh/", "反向传播"), ("zh/", "梯度消失"), ("zh/", "NumPy")],
)
def test_search_finds(context, address, root, query):
    page = context.new_page()
    try:
        page.goto(address + root)
        search(page, query)
        first = page.locator(".md-search-result__item").first
        first.wait_for(state="attached", timeout=15_000)
        assert page.locator(".md-search-result__item mark").count() > 0
    finally:
        page.close()


def test_a_chinese_word_is_searched_whole(context, address):
    """The theme cut 学习率 into 学习 and 率; the pages about learners (学习者) came first."""
    page = context.new_page()
    try:
        page.goto(f"{address}zh/")
        search(page, "学习率")
        first = page.locator(".md-search-result__item h1").first
        first.wait_for(state="attached", timeout=15_000)
        assert first.text_content().replace("\u200b", "") == "学习率的选择"
    finally:
        page.close()


def test_search_finds_nothing_that_is_not_there(context, address):
    page = context.new_page()
    try:
        page.goto(address)
        search(page, "zzyzxquux")
        page.get_by_text("No matching documents").wait_for(state="attached")
        assert page.locator(".md-search-result__item").count() == 0
    finally:
        page.close()


WIDGETS = ("faq/gradients/", "faq/learning-rate/", "faq/quiz/", "derivation/two-layers/")
PRESSED = """() => [...document.querySelectorAll(
  ":is(.depth-explorer, .ol-app, .bp-app, .quiz-item, .quiz-score) :is(button, select, summary, "
  + "label:has(> [type=checkbox], > [type=radio]), input:not([type=checkbox], [type=radio]))"
)].filter(e => e.getClientRects().length).map(e => e.getBoundingClientRect().height)"""


@pytest.mark.parametrize("path", WIDGETS)
def test_fingers_hit_the_controls_of_a_widget(browser, address, path):
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    try:
        page = context.new_page()
        page.goto(f"{address}zh/{path}", wait_until="networkidle")
        heights = page.evaluate(PRESSED)
        assert len(heights) > 5
        assert min(heights) >= 43.5
    finally:
        context.close()


def test_language_switch_keeps_the_page(context, address):
    page = context.new_page()
    try:
        page.goto(f"{address}derivation/two-layers/")
        page.locator(".language-switch").click()
        page.wait_for_url("**/zh/derivation/two-layers/")
        page.locator(".language-switch").click()
        page.wait_for_url("**/bpref/derivation/two-layers/")
    finally:
        page.close()


def test_figures_follow_the_colour_scheme(context, address):
    page = context.new_page()
    try:
        page.goto(address)
        text = page.locator("figure.figure svg text").first
        colours = [text.evaluate("el => getComputedStyle(el).fill") for _ in in_both_schemes(page)]
        assert len(set(colours)) == len(SCHEMES)
    finally:
        page.close()


def test_labs_download_as_notebooks(context, address):
    page = context.new_page()
    try:
        page.goto(f"{address}zh/labs/backprop-by-hand/")
        with page.expect_download() as download:
            page.locator("a[download]").click()
        assert download.value.suggested_filename == "backprop-by-hand.ipynb"
    finally:
        page.close()
