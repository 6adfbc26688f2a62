"""The optimizer lab: every path in the page is the path of `bpref.optim` on the same surface.

Settings go in through the fields of the real page, results are read from its table, unrounded.
"""

import re

import numpy as np
import pytest
from visiting import (
    DESKTOP,
    PHONE,
    both_languages,
    in_both_schemes,
    nothing_is_asked_for,
    reached_by_tab,
    violations_on,
)

from experiments import run
from experiments._surfaces import OPTIMIZERS, SURFACES, path
from experiments.verified import SETTINGS
from sitekit.audit.browser import AXE, violations, wider_than_screen

PAGE = "faq/learning-rate/"
READY = ".ol-app"
# Corners of the picture: the start lies inside it.
VIEWS = {
    "valley": (-3, 3, -3, 3),
    "tilted": (-3, 3, -3, 3),
    "rosenbrock": (-2, 2, -1, 3),
    "himmelblau": (-6, 6, -6, 6),
    "saddle": (-2, 2, -2, 2),
    "noisy": (-3, 3, -3, 3),
}
# Rates from far too small to too large, as powers of ten; steep surfaces need smaller ones.
EXPONENTS = {"rosenbrock": (-4.5, -2.3), "himmelblau": (-4, -1.3)}
ADAPTIVE = {"adagrad", "rmsprop", "adam", "adamw"}
OPTIONS = {
    "sgd": {"weight_decay": (0, 0.05)},
    "momentum": {"momentum": (0, 0.97), "dampening": (0, 0.9), "weight_decay": (0, 0.05)},
    "nesterov": {"momentum": (0.1, 0.97), "weight_decay": (0, 0.05)},
    "adagrad": {
        "lr_decay": (0, 0.1),
        "weight_decay": (0, 0.05),
        "initial_accumulator_value": (0, 2),
        "eps": (1e-12, 1e-3),
    },
    "rmsprop": {
        "alpha": (0.5, 0.999),
        "eps": (1e-12, 1e-3),
        "weight_decay": (0, 0.05),
        "momentum": (0, 0.95),
        "centered": bool,
    },
    "adam": {
        "beta1": (0, 0.98),
        "beta2": (0.5, 0.9999),
        "eps": (1e-12, 1e-3),
        "weight_decay": (0, 0.05),
        "amsgrad": bool,
    },
}
OPTIONS["adamw"] = OPTIONS["adam"]
AMPLIFICATION = 1000.0

# Puts settings into the form as a reader does: a value into each field, then its events.
ENTER = """fields => {
  for (const [name, value] of fields) {
    const field = document.querySelector(`.ol-app [data-field="${name}"]`);
    if (field.type === 'checkbox') {
      if (field.checked !== value) field.click();
      continue;
    }
    field.value = value;
    for (const event of ['input', 'change']) {
      field.dispatchEvent(new Event(event, {bubbles: true}));
    }
  }
}"""
READ = """() => Object.fromEntries(
  [...document.querySelectorAll('.ol-app tr[data-optimizer]')].map(row => [
    row.dataset.optimizer,
    {
      step: Number(row.dataset.step),
      diverged: row.dataset.diverged === '' ? null : Number(row.dataset.diverged),
      ...Object.fromEntries([...row.querySelectorAll('td[data-value]')].map(
        cell => [cell.dataset.out, Number(cell.dataset.value)])),
      state: row.querySelector('[data-out=state]').textContent,
    }]))"""
POINTS = """what => document.querySelector(what).getAttribute('points').split(' ')
  .map(point => point.split(',').map(Number))"""


def enter(page, fields):
    page.evaluate(ENTER, list(fields.items()))


def read(page):
    return page.evaluate(READ)


def only(optimizer):
    return {f"on-{name}": name == optimizer for name in OPTIMIZERS}


# --- what bpref.optim says ------------------------------------------------------------------


def draw_setting(rng, number):
    """One of the 42 pairs of surface and optimizer with random numbers for all else."""
    surface = list(SURFACES)[number % 6]
    optimizer = list(OPTIMIZERS)[number // 6 % 7]
    left, right, bottom, top = VIEWS[surface]
    low, high = EXPONENTS.get(surface, (-3.5, -0.5))
    if optimizer in ADAPTIVE:  # their rate is a distance, whatever the gradient
        low, high = -3, 0
    options = {}
    for name, between in OPTIONS[optimizer].items():
        if between is bool:
            options[name] = bool(rng.integers(2))
        elif name == "eps":
            options[name] = float(np.exp(rng.uniform(*np.log(between))))
        else:  # an option that is 0 takes a path of its own through the rule
            zero = between[0] == 0 and rng.random() < 0.4
            options[name] = 0.0 if zero else float(rng.uniform(*between))
    steps = int(rng.integers(50, 201))
    return {
        "surface": surface,
        "optimizer": optimizer,
        "options": options,
        "lr": float(10 ** rng.uniform(low, high)),
        "start": (float(rng.uniform(left, right)), float(rng.uniform(bottom, top))),
        "steps": steps,
        "middle": int(rng.integers(1, steps)),
        "noise": float(rng.uniform(0, 3)),
        "seed": int(rng.integers(2**32)),
    }


def compared(setting, start):
    """x, y and height at the middle step and at the last one; the step in which it diverged."""
    options = dict(setting["options"])
    if "beta1" in options:
        options["betas"] = options.pop("beta1"), options.pop("beta2")
    found = path(
        setting["surface"],
        setting["optimizer"],
        start,
        setting["steps"],
        noise=setting["noise"],
        seed=setting["seed"],
        lr=setting["lr"],
        **options,
    )
    last = len(found.points) - 1
    rows = [min(setting["middle"], last), last]
    heights = found.losses[rows] - SURFACES[setting["surface"]].lowest
    return np.column_stack([found.points[rows], heights]), found.diverged, rows


def is_calm(setting):
    """Whether the compared numbers can be expected to agree to 1e-12 at all.

    Some paths amplify whatever they are given: RMSprop and Adam jump back and forth around a
    minimum, large rates on Rosenbrock's and Himmelblau's surfaces are chaotic, and a coordinate or
    a height that has just passed zero has lost its digits. There the last digit of one βᵗ decides,
    and no two programs have to agree. So the start is changed by 2⁻⁴⁰ of itself, and the setting
    is used if no compared number changes by more than 1000 times as much: errors of rounding,
    about 1e-16, then stay below 1e-12.
    """
    numbers, diverged, _ = compared(setting, setting["start"])
    x, y = setting["start"]
    moved, also, _ = compared(setting, (x * (1 + 2**-40), y * (1 - 2**-40)))
    if diverged != also or not np.all(np.isfinite(numbers)) or np.any(numbers == 0):
        return False
    return bool(np.max(np.abs(moved / numbers - 1)) <= AMPLIFICATION * 2**-40)


def settings(seed, count):
    """Calm settings, every pair of surface and optimizer in turn; and how many were not calm."""
    rng = np.random.default_rng(seed)
    found, refused = [], 0
    for number in range(count):
        setting = draw_setting(rng, number)
        while not is_calm(setting):
            refused += 1
            setting = draw_setting(rng, number)
        found.append(setting)
    return found, refused


def fields(setting):
    name = setting["optimizer"]
    texts = {
        "surface": setting["surface"],  # first: it sets start, steps and rates
        "x": repr(setting["start"][0]),
        "y": repr(setting["start"][1]),
        "steps": str(setting["steps"]),
        "noise": repr(setting["noise"]),
        "seed": str(setting["seed"]),
        **only(name),
        f"lr-{name}": repr(setting["lr"]),
    }
    for option, value in setting["options"].items():
        texts[f"{name}.{option}"] = value if isinstance(value, bool) else repr(value)
    return texts


@pytest.mark.parametrize(("language", "seed"), [("en", 1), ("zh", 2)], indirect=["language"])
def test_paths_are_those_of_bpref(page, language, seed):
    count = SETTINGS["optimizer-lab"][language]
    chosen, refused = settings(seed, count)
    assert refused < count / 4, "most settings have to be calm, or the test shows little"
    pairs = {(s["surface"], s["optimizer"]) for s in chosen}
    assert len(pairs) == len(SURFACES) * len(OPTIMIZERS)
    diverged = 0
    for setting in chosen:
        enter(page, fields(setting))
        numbers, step, rows = compared(setting, setting["start"])
        diverged += step is not None
        for position, row, expected in [
            (setting["middle"], rows[0], numbers[0]),
            (setting["steps"], rows[1], numbers[1]),
        ]:
            enter(page, {"position": str(position)})
            got = read(page)
            assert list(got) == [setting["optimizer"]]
            got = got[setting["optimizer"]]
            assert (got["step"], got["diverged"]) == (row, step), setting
            values = [got["x"], got["y"], got["height"]]
            np.testing.assert_allclose(values, expected, rtol=1e-12, atol=0, err_msg=str(setting))
    assert 0 < diverged < count / 2, "some of the settings have to diverge, most not"


def test_the_filter_for_calm_paths_can_refuse():
    """RMSprop with momentum at a large rate never settles, and is chaotic."""
    wild = draw_setting(np.random.default_rng(0), 0) | {
        "surface": "himmelblau",
        "optimizer": "rmsprop",
        "options": {"alpha": 0.9, "eps": 1e-8, "weight_decay": 0.0, "momentum": 0.9},
        "lr": 0.5,
        "start": (1.0, 1.0),
        "steps": 200,
    }
    assert not is_calm(wild)


def test_several_optimizers_at_once(page):
    """All seven with their defaults: each row is the path of its own optimizer."""
    enter(page, {f"on-{name}": True for name in OPTIMIZERS})
    rates = {"lr-sgd": "0.02", "lr-rmsprop": "0.01", "lr-adamw": "0.03", "steps": "60"}
    enter(page, rates)
    got = read(page)
    assert list(got) == list(OPTIMIZERS)
    for name, row in got.items():
        rate = float(page.locator(f"[data-field=lr-{name}]").input_value())
        expected = path("valley", name, (-2.5, 1.0), 60, lr=rate)
        assert [row["x"], row["y"]] == pytest.approx(expected.points[-1], rel=1e-12, abs=0)


@both_languages
def test_first_setting_is_the_committed_one(page):
    committed = run.read_result("learning_rate_lab")["default"]
    got = read(page)
    assert got.keys() == committed["rows"].keys()
    for name, row in committed["rows"].items():
        for key in ("x", "y", "height"):
            assert got[name][key] == pytest.approx(row[key], rel=1e-12, abs=0)
        assert float(page.locator(f"[data-field=lr-{name}]").input_value()) == row["rate"]
    start = [float(page.locator(f"[data-field={key}]").input_value()) for key in "xy"]
    assert start == committed["start"]


def test_things_to_try_give_the_numbers_of_the_page(page):
    result = run.read_result("learning_rate_lab")
    enter(page, {"lr-sgd": "0.045", "lr-momentum": "0.045"})
    got = read(page)
    assert got["sgd"]["diverged"] == result["limit"]["above"]["sgd_diverged"]
    assert got["momentum"]["height"] == pytest.approx(
        result["limit"]["above"]["momentum_height"], rel=1e-12
    )
    enter(page, {"surface": "tilted"} | {f"on-{name}": True for name in OPTIMIZERS})
    got = read(page)
    for name, height in result["tilt"]["tilted"].items():
        assert got[name]["height"] == pytest.approx(height, rel=1e-12)
    enter(page, {"lr-adam": "0.5"})
    assert read(page)["adam"]["height"] == pytest.approx(result["tilt"]["faster"]["adam"])


# --- drawings -------------------------------------------------------------------------------


def to_data(pixels, view):
    """From the drawing of the map back to the surface."""
    left, right, bottom, top = view
    x, y = np.array(pixels, dtype=float).T
    return left + (x - 40) / 372 * (right - left), bottom + (380 - y) / 372 * (top - bottom)


@pytest.mark.parametrize("surface", SURFACES)
def test_contour_lines_lie_at_their_level(page, surface):
    enter(page, {"surface": surface})
    on, view = SURFACES[surface], VIEWS[surface]
    lines = page.evaluate(
        """() => [...document.querySelectorAll('.ol-contour')].map(
          line => [Number(line.dataset.level), line.getAttribute('d')])"""
    )
    assert len(lines) >= 8
    half = (view[1] - view[0]) / 160 / 2  # half a square of the grid that the lines come from
    for level, d in lines:
        numbers = [float(n) for n in re.findall(r"-?\d+\.?\d*", d)]
        x, y = to_data(np.reshape(numbers, (-1, 2)), view)
        assert len(x) >= 20, (surface, level)
        around = np.array(
            [on.value(x + dx, y + dy) for dx in (-half, 0, half) for dy in (-half, 0, half)]
        )
        height = around - on.lowest
        inside = (height.min(axis=0) <= level) & (level <= height.max(axis=0))
        assert inside.all(), (surface, level)


def test_paths_and_curves_are_drawn_where_they_are(page):
    committed = run.read_result("learning_rate_lab")["default"]["paths"]
    drawn, heights = [], []
    for name, found in committed.items():
        x, y = to_data(page.evaluate(POINTS, f".ol-map [data-path={name}]"), VIEWS["valley"])
        np.testing.assert_allclose(np.column_stack([x, y]), found["points"], atol=1e-4)
        drawn += page.evaluate(POINTS, f".ol-curve [data-curve={name}]")
        heights += found["heights"]
    # One straight line takes the logarithm of every height to its place.
    logs, down = np.log10(heights), np.array(drawn)[:, 1]
    np.testing.assert_allclose(np.polyval(np.polyfit(logs, down, 1), logs), down, atol=0.01)
    assert np.ptp(down) > 200
    enter(page, {"position": "7"})
    assert len(page.evaluate(POINTS, ".ol-map [data-path=adam]")) == 8


@both_languages
def test_no_label_of_the_drawings_lies_on_another(page):
    for viewport in (DESKTOP, PHONE):
        page.set_viewport_size(viewport)
        for surface in SURFACES:
            enter(page, {"surface": surface})
            for svg in (".ol-map", ".ol-curve"):
                boxes = page.evaluate(
                    """svg => [...document.querySelectorAll(`${svg} text`)].map(el => {
                      const a = el.getBoundingClientRect();
                      const b = el.ownerSVGElement.getBoundingClientRect();
                      return [el.textContent, a.left - b.left, a.top - b.top,
                              a.right - b.left, a.bottom - b.top, b.width, b.height];
                    })""",
                    svg,
                )
                for n, (text, left, top, right, bottom, width, height) in enumerate(boxes):
                    where = (text, surface, viewport["width"])
                    assert left >= -1, where
                    assert top >= -5, where
                    assert right <= width + 1, where
                    assert bottom <= height + 5, where
                    for other, l2, t2, r2, b2, _, _ in boxes[n + 1 :]:
                        # The line box is higher than the digits.
                        apart = right <= l2 or r2 <= left or bottom - 3 <= t2 or b2 - 3 <= top
                        assert apart, (*where, other)


# --- readers --------------------------------------------------------------------------------


def test_the_start_is_moved_by_dragging_and_by_a_click(page):
    page.locator(".ol-map").scroll_into_view_if_needed()
    box = page.locator(".ol-map").bounding_box()
    scale = box["width"] / 420
    # The pointer stands on whole pixels, and the fields show two digits.
    nearest = 6 / 372 / scale + 0.005

    def at(x, y):
        return box["x"] + (40 + (x + 3) / 6 * 372) * scale, box["y"] + (380 - (y + 3) / 6 * 372) * (
            scale
        )

    def start():
        return [float(page.locator(f"[data-field={key}]").input_value()) for key in "xy"]

    page.mouse.move(*at(-2.5, 1.0))
    page.mouse.down()
    page.mouse.move(*at(0.5, -1.5), steps=4)
    page.mouse.move(*at(1.5, -2.0), steps=4)
    page.mouse.up()
    assert start() == pytest.approx([1.5, -2.0], abs=nearest)
    page.mouse.move(*at(0.0, 0.0))  # the button is up: nothing moves any more
    assert start() == pytest.approx([1.5, -2.0], abs=nearest)
    rate = float(page.locator("[data-field=lr-sgd]").input_value())
    expected = path("valley", "sgd", tuple(start()), 100, lr=rate).points[-1]
    got = read(page)["sgd"]
    assert [got["x"], got["y"]] == pytest.approx(expected, rel=1e-12, abs=0)
    page.mouse.click(*at(2.0, 2.5))
    assert start() == pytest.approx([2.0, 2.5], abs=nearest)
    # Beyond the edge of the picture it stays in it.
    page.mouse.move(*at(*start()))
    page.mouse.down()
    page.mouse.move(*at(4.0, 2.0), steps=3)
    page.mouse.up()
    assert start()[0] == 3.0


@both_languages
def test_by_keyboard_alone(page):
    page.locator("[data-field=surface]").focus()
    seen = reached_by_tab(page, READY)
    rates = [f"{kind}-{name}" for name in OPTIMIZERS for kind in ("on", "slider", "lr")]
    buttons = ["play", "step", "start", "end", "reset"]
    assert seen == ["x", "y", "steps", *rates, "SUMMARY", *buttons, "position", "ol-scroll"]

    slider = page.locator("[data-field=slider-sgd]")
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("[data-field=lr-sgd]").input_value() == "0.04"
    page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "η = 0.045"
    assert read(page)["sgd"]["diverged"] == 31
    page.keyboard.press("Home")
    assert page.locator("[data-field=lr-sgd]").input_value() == "0.00001"
    page.keyboard.press("End")
    assert page.locator("[data-field=lr-sgd]").input_value() == "10"

    for button, step in [("start", 0), ("step", 1), ("step", 2), ("end", 100), ("step", 100)]:
        page.locator(f"[data-action={button}]").focus()
        page.keyboard.press("Enter")
        assert read(page)["adam"]["step"] == step
    page.locator("[data-field=position]").focus()
    page.keyboard.press("ArrowLeft")
    assert read(page)["adam"]["step"] == 99
    page.locator("[data-field=on-sgd]").focus()
    page.keyboard.press("Space")
    assert "sgd" not in read(page)
    page.locator("[data-action=reset]").focus()
    page.keyboard.press("Enter")
    assert page.locator("[data-field=lr-sgd]").input_value() == "0.035"
    assert list(read(page)) == ["sgd", "momentum", "adagrad", "adam"]


def test_play_goes_from_the_start_to_the_end(browser, url):
    context = browser.new_context(viewport=DESKTOP, reduced_motion="no-preference")
    try:
        page = context.new_page()
        page.goto(url)
        button = page.locator("[data-action=play]")
        button.click()
        assert button.inner_text() == "Pause"
        assert read(page)["adam"]["step"] < 50
        button.click()
        stopped = read(page)["adam"]["step"]
        page.wait_for_timeout(150)
        assert read(page)["adam"]["step"] == stopped
        button.click()
        page.wait_for_function(
            "document.querySelector('[data-action=play]').textContent === 'Play'", timeout=15_000
        )
        assert read(page)["adam"]["step"] == 100
    finally:
        context.close()


def test_with_reduced_motion_nothing_moves(page):
    page.locator("[data-action=start]").click()
    page.locator("[data-action=play]").click()
    assert read(page)["adam"]["step"] == 100
    assert page.locator("[data-action=play]").inner_text() == "Play"


@both_languages
def test_divergence_is_said(page):
    verdict = page.locator(".ol-verdict")
    assert verdict.get_attribute("role") == "status"
    assert "1000" not in verdict.inner_text()
    enter(page, {"lr-sgd": "0.045"})
    assert re.search(r"SGD (diverges|发散)\D*31\D*1000", verdict.inner_text())
    assert "31" in read(page)["sgd"]["state"]
    enter(page, {"position": "30"})  # before it happens, the table does not say it
    assert "31" not in read(page)["sgd"]["state"]
    # Just beyond the limit it grows, but not that far: that is said, too.
    enter(page, {"lr-sgd": "0.0405"})
    assert read(page)["sgd"]["diverged"] is None
    enter(page, {"lr-sgd": "0.041"})
    assert re.search("higher than it started|比起点还高", verdict.inner_text())
    enter(page, {f"on-{name}": False for name in OPTIMIZERS})
    assert read(page) == {}
    assert re.search("at least one|至少", verdict.inner_text())


@both_languages
@pytest.mark.parametrize(
    ("field", "wrong"),
    [("x", "3.1"), ("steps", "0"), ("steps", "7.5"), ("lr-sgd", ""), ("adam.beta1", "1")],
)
def test_a_field_without_a_valid_number_keeps_the_last_one(page, field, wrong):
    page.locator(".widget-fold summary").click()
    before = read(page)
    box = page.locator(f'[data-field="{field}"]')
    kept = box.input_value()
    box.fill(wrong)
    assert box.get_attribute("aria-invalid") == "true"
    assert page.locator(".widget-message").inner_text() != ""
    assert read(page) == before
    page.keyboard.press("Tab")
    assert box.input_value() == kept
    assert box.get_attribute("aria-invalid") is None


@both_languages
def test_every_control_has_a_name_of_its_own(page):
    page.locator(".widget-fold summary").click()
    names = page.evaluate("""() => [...document.querySelectorAll('.ol-app :is(input, select)')]
      .filter(el => el.offsetParent)
      .map(el => `${el.type} ${el.getAttribute('aria-label') ?? el.labels[0].textContent.trim()}`
        + (el.closest('fieldset.ol-optimizers') ? '' : el.closest('fieldset')?.textContent ?? ''))
    """)
    assert len(names) == len(set(names))
    assert not [name for name in names if "undefined" in name or "{" in name]


@both_languages
def test_words_are_in_the_language_of_the_page(page, language):
    chinese = language == "zh"
    enter(page, {"surface": "noisy"})
    words = page.locator(".ol-app").inner_text()
    for svg in (".ol-map", ".ol-curve"):
        words += page.locator(svg).get_attribute("aria-label")
        words += " ".join(page.locator(f"{svg} text").all_text_contents())
    assert bool(re.search(r"[一-鿿]", words)) == chinese
    assert ("height" in words) != chinese
    assert "undefined" not in words
    assert "{" not in words


@both_languages
def test_accessible_and_narrow_in_both_schemes(page):
    page.add_script_tag(path=str(AXE))
    page.locator(".widget-fold summary").click()
    found, colours = {}, set()
    for surface, rate in [("valley", "0.045"), ("noisy", "0.3")]:
        enter(page, {"surface": surface, "lr-sgd": rate})
        for viewport in (DESKTOP, PHONE):
            page.set_viewport_size(viewport)
            for scheme in in_both_schemes(page):
                assert wider_than_screen(page) <= 0
                overfull = page.evaluate(
                    "[...document.querySelectorAll('.ol-table :is(th, td)')]"
                    ".filter(el => el.scrollWidth > el.clientWidth).map(el => el.textContent)"
                )
                assert overfull == []
                curve = page.locator(".ol-map [data-path=sgd]")
                colours.add(curve.evaluate("el => getComputedStyle(el).stroke"))
                if bad := violations_on(page, "#optimizer-lab", colours=viewport is DESKTOP):
                    found[surface, viewport["width"], scheme] = bad
    assert found == {}
    assert len(colours) == 2


def test_the_whole_page_is_accessible(page):
    page.add_script_tag(path=str(AXE))
    assert violations(page) == []


def test_nothing_leaves_the_site_and_nothing_fails(context, address):
    with nothing_is_asked_for(context, address, PAGE) as page:
        for surface in SURFACES:
            enter(page, {"surface": surface, "lr-sgd": "10", "lr-momentum": "10"})
            for button in ("start", "step", "play", "reset"):
                page.locator(f"[data-action={button}]").click()


@both_languages
def test_without_javascript_there_are_a_figure_and_a_table(page_without_javascript):
    page = page_without_javascript
    assert page.locator(".ol-app").count() == 0
    assert page.locator("#fig-learning-rate-lab svg").is_visible()
    rows = page.locator("#optimizer-lab tbody tr")
    committed = run.read_result("learning_rate_lab")["default"]["rows"]
    assert rows.count() == len(committed)
    shown = [row.locator("td").nth(4).locator("annotation").text_content() for row in rows.all()]
    heights = [float(re.sub(r" ?\\times ?10\^\{(.*)\}", r"e\1", text)) for text in shown]
    order = ("sgd", "momentum", "adagrad", "adam")
    assert heights == pytest.approx([committed[name]["height"] for name in order], rel=0.05)
