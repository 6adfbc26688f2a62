"""The depth explorer shows what the experiment has measured, in both languages."""

import json
import re
from itertools import product

import numpy as np
import pytest
from visiting import PHONE, ROOTS, in_both_schemes

from experiments import gradients_explorer as experiment
from experiments.run import read_result
from experiments.verified import SETTINGS
from sitekit.audit.browser import AXE, violations, wider_than_screen

PAGE = "faq/gradients/"
READY = "[data-depth-explorer] circle"
RESULT = read_result("gradients_explorer")
KINDS = list(product(*experiment.NAMES))
LAYERS, DEPTHS, PARTS = experiment.LAYERS, experiment.DEPTHS, experiment.PARTS

# Sets the controls as a reader does and reads the chart and the results, for each setting.
DRIVE = """settings => settings.map(([depth, width, init, activation, norm, skip]) => {
  const root = document.querySelector('[data-depth-explorer]');
  const set = (id, value) => {
    const field = root.querySelector(id);
    field.value = value;
    field.dispatchEvent(new Event('input', {bubbles: true}));
  };
  set('#de-depth', depth);
  set('#de-width', width);
  set('#de-init', init);
  set('#de-activation', activation);
  set('#de-norm', norm);
  const box = root.querySelector('#de-skip');
  if (box.checked !== skip) box.click();
  const points = name => [...root.querySelectorAll(`circle.${name}`)].map(
    c => [Number(c.dataset.layer), Number(c.dataset.level), Number(c.getAttribute('cy'))]);
  const value = name => root.querySelector(`[data-out=${name}]`).dataset.value;
  const range = root.querySelector('[data-out=range]');
  return {
    forward: points('forward'), backward: points('backward'),
    signal: value('signal'), gradient: value('gradient'), factor: value('factor'),
    low: range.dataset.low, high: range.dataset.high,
    verdict: root.querySelector('[data-verdict]').dataset.verdict,
    rows: root.querySelectorAll('tbody tr').length,
    shown: root.querySelector('[data-out=gradient]').textContent,
  };
})"""


@pytest.fixture(params=ROOTS)
def language(request):
    return request.param


def setting(kind, depth):
    width, init, activation, norm, skip = kind
    place = experiment.NAMES[0].index(width)
    return [DEPTHS.index(depth), place, init, activation, norm, skip == "skip"]


def expected(kind, depth):
    """What the result of the experiment says about a kind of network."""
    row = RESULT["signals"][" ".join(kind)]
    points = [depth * k // PARTS for k in range(PARTS + 1)]
    start = len(LAYERS) + PARTS * DEPTHS.index(depth)
    forward = [0.0, *(row[LAYERS.index(layer)] for layer in points[1:])]
    low, high = row[len(LAYERS) + PARTS * len(DEPTHS) + 2 * DEPTHS.index(depth) :][:2]
    return points, forward, [*row[start : start + PARTS], 0.0], low, high


def read(text):
    """A number as the page keeps it; a gradient of zero has the logarithm -Infinity."""
    return experiment.ZERO if text == "-Infinity" else float(text)


def test_every_kind_shows_its_numbers(page, language):
    """All kinds, each at a random depth."""
    rng = np.random.default_rng(0)
    depths = [int(d) for d in rng.choice(DEPTHS, len(KINDS))]
    settings = [setting(kind, depth) for kind, depth in zip(KINDS, depths, strict=True)]
    assert len(settings) == SETTINGS["depth-explorer"][language]
    chaotic = 0
    for kind, depth, found in zip(KINDS, depths, page.evaluate(DRIVE, settings), strict=True):
        points, forward, backward, low, high = expected(kind, depth)
        for name, levels in (("forward", forward), ("backward", backward)):
            known = [
                [layer, level]
                for layer, level in zip(points, levels, strict=True)
                if level is not None
            ]
            assert [point[:2] for point in found[name]] == known, (kind, depth, name)
        assert found["rows"] == PARTS + 1
        if backward[0] is None:
            chaotic += 1
            assert (found["gradient"], found["verdict"]) == ("null", "chaotic")
            continue
        assert float(found["gradient"]) == backward[0]
        assert float(found["signal"]) == forward[-1]
        assert float(found["factor"]) == pytest.approx(backward[0] / depth, rel=1e-12, abs=1e-15)
        assert (read(found["low"]), read(found["high"])) == (low, high)
        fate = "vanishes" if backward[0] < -3 else "explodes" if backward[0] > 3 else "stays"
        assert found["verdict"] == fate
    assert chaotic <= 3


def test_shown_text_is_the_number(page):
    """Two digits of the power of ten, however small it is."""
    rng = np.random.default_rng(1)
    kinds = [kind for kind in KINDS if kind[1:] != experiment.CHAOTIC]
    chosen = [kinds[k] for k in rng.choice(len(kinds), 40, replace=False)]
    found = page.evaluate(DRIVE, [setting(kind, 100) for kind in chosen])
    for kind, shown in zip(chosen, found, strict=True):
        level = expected(kind, 100)[2][0]
        match = re.fullmatch(r"([\d.]+) × 10(−?\d+)", shown["shown"])
        number = (
            np.log10(float(match[1])) + int(match[2].replace("−", "-"))
            if match
            else np.log10(float(shown["shown"]))
        )
        assert number == pytest.approx(level, abs=0.03), (kind, shown["shown"])


def test_heights_follow_the_numbers(page):
    """One scale for both curves: equal steps of the logarithm are equal heights."""
    found = page.evaluate(DRIVE, [setting(("w64", "torch", "relu", "none", "plain"), 50)])[0]
    levels, heights = zip(*(p[1:] for p in found["forward"] + found["backward"]), strict=True)
    slope, offset = np.polyfit(levels, heights, 1)
    assert slope < 0
    np.testing.assert_allclose(heights, np.polyval([slope, offset], levels), atol=1e-6)


def test_keyboard_is_enough(page):
    gradient = page.locator("[data-depth-explorer] [data-out=gradient]")
    page.locator("#de-depth").focus()
    page.keyboard.press("Home")
    start = gradient.get_attribute("data-value")
    assert re.search(r"\b10\b", page.locator("#de-depth").get_attribute("aria-valuetext"))
    page.keyboard.press("ArrowRight")
    assert gradient.get_attribute("data-value") != start
    seen = ["de-depth"]
    for _ in range(5):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id"))
    assert seen == ["de-depth", "de-width", "de-activation", "de-init", "de-norm", "de-skip"]
    before = gradient.get_attribute("data-value")
    page.keyboard.press("Space")
    assert gradient.get_attribute("data-value") != before


def test_words_are_in_the_language_of_the_page(page, language):
    widget = page.locator("[data-depth-explorer]")
    chinese = language == "zh"
    words = widget.inner_text() + widget.locator("svg").get_attribute("aria-label")
    assert bool(re.search(r"[一-鿿]", words)) == chinese
    assert ("gradient" in words) != chinese
    assert widget.locator("[role=status]").inner_text() != ""


def test_both_schemes_and_the_phone(page):
    page.add_script_tag(path=str(AXE))
    page.locator("[data-depth-explorer] summary").click()
    colours = []
    for scheme in in_both_schemes(page):
        curve = page.locator("[data-depth-explorer] polyline.backward")
        colours.append(curve.evaluate("el => getComputedStyle(el).stroke"))
        # The structure does not depend on the scheme; it is judged once, with the table open.
        assert violations(page, structure=scheme == "default", colours=True) == []
    assert len(set(colours)) == 2
    page.set_viewport_size(PHONE)
    assert wider_than_screen(page) <= 0


def test_without_javascript_the_figure_stays(page_without_javascript):
    page = page_without_javascript
    assert page.locator("#fig-gradients-explorer svg").is_visible()
    assert not page.locator("[data-depth-explorer]").is_visible()


def test_the_script_holds_the_committed_result():
    """What the page loads is written from the result that a test measures again."""
    text = experiment.SCRIPT.read_text(encoding="utf-8")
    assert text == experiment.script(RESULT)
    assert len(text) < 150_000
    about = json.loads(re.search(r"export const about = (.*);", text)[1])
    assert about["names"] == [list(names) for names in experiment.NAMES]
