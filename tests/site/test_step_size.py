"""The step-size slider: its numbers are NumPy's, in both languages, with the keyboard alone."""

import re

import numpy as np
import pytest
from visiting import PHONE, ROOTS, in_both_schemes

from experiments.gradient_checking import BITS, METHODS, STEPS, W, exact, quotient
from experiments.run import read_result
from experiments.verified import SETTINGS
from sitekit.audit.browser import AXE, violations, wider_than_screen

PAGE = "checking/gradient-checking/"
READY = "[data-step-size] .point[cx]"
# Ten steps for each method and precision, spread over the slider.
INDICES = (0, 6, 13, 18, 25, 31, 36, 41, 48, 54)


def difference_quotient(method, dtype, h):
    """With NumPy's own operators, complex arithmetic included."""

    def loss(w):
        return w / (dtype(1) + w * w)

    w, h = dtype(W), dtype(h)
    if method == "forward":
        return (loss(w + h) - loss(w)) / h
    if method == "central":
        return (loss(w + h) - loss(w - h)) / (dtype(2) * h)
    z = np.result_type(dtype, np.complex64).type(complex(w, h))
    return loss(z).imag / h


@pytest.fixture(params=ROOTS)
def language(request):
    return request.param


def value(page, name):
    return float(page.locator(f"[data-step-size] [data-out={name}]").get_attribute("data-value"))


def choose(page, method, bits, index):
    page.locator("#step-size-method").select_option(f"{method}-{bits}")
    page.locator("#step-size-h").fill(str(index))


def test_numbers_are_those_of_numpy(page):
    assert len(BITS) * len(METHODS) * len(INDICES) == SETTINGS["step-size"]["en"]
    for bits, dtype in zip(BITS, (np.float64, np.float32), strict=True):
        for method in METHODS:
            for index in INDICES:
                choose(page, method, bits, index)
                h = float(STEPS[index])
                assert value(page, "step") == h
                got = value(page, "quotient")
                same = quotient(method, bits, W, STEPS[index])
                assert got == pytest.approx(same, rel=1e-12, abs=0.0), (method, bits, h)
                # NumPy divides complex numbers in another order; all else is the same operations.
                rtol = 4e-7 if (method, bits) == ("complex", 32) else 1e-12
                other = float(difference_quotient(method, dtype, h))
                assert got == pytest.approx(other, rel=rtol, abs=0.0), (method, bits, h)
                assert value(page, "exact") == pytest.approx(exact(bits, W), rel=1e-15)
                error = abs(got - exact(bits, W)) / exact(bits, W)
                assert value(page, "error") == pytest.approx(error, rel=1e-12, abs=0.0)


def test_curve_is_the_measured_one(page):
    """Every point that is drawn belongs to the committed result of the experiment."""
    live = read_result("gradient_checking")["curves"]["live"]
    for key, errors in live.items():
        method, bits = key.split("_")
        for index in (3, 20, 39, 50):
            choose(page, method, bits, index)
            assert value(page, "error") == pytest.approx(errors[index], rel=1e-12, abs=0.0)
        points = page.locator("[data-step-size] .curve").get_attribute("points").split()
        assert len(points) == len(errors) == len(STEPS)
        heights = [float(point.split(",")[1]) for point in points]
        logs = np.log10(np.maximum(errors, 1e-17)).clip(None, 1.0)
        np.testing.assert_allclose(heights, 12 + (1 - logs) / 18 * (300 - 12 - 44), atol=1e-6)


def test_shown_text_is_the_number(page):
    choose(page, "central", 64, 39)
    widget = page.locator("[data-step-size]")
    assert widget.locator("[data-out=step]").inner_text() == "1e-5"
    shown = float(widget.locator("[data-out=quotient]").inner_text())
    assert shown == pytest.approx(value(page, "quotient"), abs=1e-15)
    assert float(widget.locator("[data-out=error]").inner_text()) == pytest.approx(
        value(page, "error"), rel=1e-2
    )


def test_keyboard_is_enough(page):
    page.locator("#step-size-method").focus()
    page.keyboard.press("Home")
    assert page.locator("#step-size-method").input_value() == "forward-64"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "step-size-h"
    before = value(page, "step")
    page.keyboard.press("ArrowRight")
    assert value(page, "step") == pytest.approx(2 * before)
    page.keyboard.press("ArrowLeft")
    assert value(page, "step") == before
    page.keyboard.press("Home")
    assert value(page, "step") == 1e-18
    assert value(page, "quotient") == 0.0
    page.keyboard.press("End")
    assert value(page, "step") == 1.0
    assert page.locator("#step-size-h").get_attribute("aria-valuetext") == "h = 1e0"


def test_point_follows_the_slider(page):
    point = page.locator("[data-step-size] .point")
    choose(page, "central", 64, 39)
    left = float(point.get_attribute("cx"))
    choose(page, "central", 64, 48)
    assert float(point.get_attribute("cx")) > left
    assert page.locator("[data-step-size] .now").get_attribute("x1") == point.get_attribute("cx")


def test_words_are_in_the_language_of_the_page(page, language):
    widget = page.locator("[data-step-size]")
    chinese = language == "zh"
    words = widget.inner_text() + widget.locator("svg").get_attribute("aria-label")
    words += " ".join(widget.locator("svg text").all_text_contents())
    assert bool(re.search(r"[一-鿿]", words)) == chinese
    assert ("forward" in words) != chinese


def test_both_schemes_and_the_phone(page):
    page.add_script_tag(path=str(AXE))
    colours = []
    for _ in in_both_schemes(page):
        curve = page.locator("[data-step-size] .curve")
        colours.append(curve.evaluate("el => getComputedStyle(el).stroke"))
        assert violations(page) == []
    assert len(set(colours)) == 2
    page.set_viewport_size(PHONE)
    assert wider_than_screen(page) <= 0


def test_without_javascript_the_figure_stays(page_without_javascript):
    page = page_without_javascript
    assert page.locator("#fig-gradient-checking svg").is_visible()
    assert not page.locator("[data-step-size]").is_visible()
