"""The live backward pass: every number of the widget is the number that bpref computes.

Settings go in through the fields of the real page, results are read from its cells, unrounded.
"""

import json
import re
from pathlib import Path

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

from bpref import nn
from bpref.gradcheck import numerical_gradient
from bpref.trace import ACTIVATIONS, trace_training_step
from experiments import run
from experiments.verified import SETTINGS as SETTINGS_OF
from sitekit.audit.browser import AXE, wider_than_screen

PAGE = "derivation/two-layers/"
READY = ".bp-app"
SETTINGS = SETTINGS_OF["backward-pass"]
PARAMETERS = ("W_1", "b_1", "W_2", "b_2")
START = {
    "x": np.array([[0.5, -1.0], [1.0, 2.0]]),
    "y": np.array([[0.5], [-1.0]]),
    "W_1": np.array([[0.4, -0.2], [-0.3, 0.8], [0.6, 0.1]]),
    "b_1": np.array([0.1, 0.2, -0.1]),
    "W_2": np.array([[0.7, -0.5, 0.9]]),
    "b_2": np.array([0.3]),
    "activation": "tanh",
    "lr": 0.1,
    "batch": 1,
    "shared": False,
}
# The order in which the step is computed, as bpref.trace has it.
COMPUTED = (
    *("a_1", "h_1", "a_2", "h_2", "J", "grad_h_2", "delta_2", "grad_W_2", "grad_b_2"),
    *("grad_h_1", "delta_1", "grad_W_1", "grad_b_1", "new_W_1", "new_b_1", "new_W_2", "new_b_2"),
)

# Puts settings into the form as a reader does: a value into each field, then its events.
ENTER = """settings => {
  const app = document.querySelector('.bp-app');
  const send = (field, ...events) => {
    for (const name of events) field.dispatchEvent(new Event(name, {bubbles: true}));
  };
  const activation = app.querySelector('[data-field="activation"]');
  activation.value = settings.activation;
  send(activation, 'change');
  const batch = app.querySelector(`input[type=radio][value="${settings.batch}"]`);
  if (!batch.checked) batch.click();
  const shared = app.querySelector('[data-field="shared"]');
  if (shared.checked !== settings.shared) shared.click();
  for (const [name, value] of Object.entries(settings.fields)) {
    const field = app.querySelector(`[data-field="${name}"]`);
    if (field.disabled) continue;
    field.value = value;
    send(field, 'input', 'change');
  }
}"""
PRESS = """names => {
  for (const name of names) document.querySelector(`[data-action="${name}"]`).click();
}"""
READ = """() => Object.fromEntries(
  [...document.querySelectorAll('[data-cell][data-value]')]
    .map(cell => [cell.dataset.cell, cell.dataset.value]))"""
# Presses buttons one after the other; after each: what is marked, and how much is computed.
WALK = """async names => {
  const app = document.querySelector('.bp-app');
  const marked = what => [...app.querySelectorAll(`${what}[aria-current=step]`)];
  const seen = [];
  for (const name of names) {
    app.querySelector(`[data-action="${name}"]`).click();
    await new Promise(done => setTimeout(done));
    seen.push({
      cell: marked('[data-cell]').map(el => el.dataset.cell),
      value: Number(marked('[data-cell]')[0]?.dataset.value),
      computed: app.querySelectorAll('[data-cell][data-value]').length,
      line: marked('[data-line]').map(el => el.dataset.line),
      code: marked('[data-line]')[0]?.textContent.trim() ?? null,
      card: app.querySelector('.bp-line')?.textContent ?? null,
    });
  }
  return seen;
}"""
LISTING = "document.querySelector('.bp-code code').textContent"


# --- what bpref says ------------------------------------------------------------------------


def random_settings(rng, number):
    """One setting; every second one with all digits of a float64, the others short."""

    def draw(*shape, scale):
        value = rng.uniform(-scale, scale, size=shape)
        return value if number % 2 else value.round(2)

    return {
        "x": draw(2, 2, scale=1.5),
        "y": draw(2, 1, scale=2.0),
        "W_1": draw(3, 2, scale=1.2),
        "b_1": draw(3, scale=0.8),
        "W_2": draw(1, 3, scale=1.5),
        "b_2": draw(1, scale=0.8),
        "activation": list(ACTIVATIONS)[number % len(ACTIVATIONS)],
        "lr": float(rng.choice([0.0, 0.01, 0.1, 0.37, 1.0, 2.5])),
        "batch": int(rng.integers(1, 3)),
        "shared": False,
    }


def fields(settings):
    """Text of every field of the form."""
    found = {"lr": repr(settings["lr"])}
    for name in ("x", "W_1", "b_1", "W_2", "b_2"):
        for index in np.ndindex(settings[name].shape):
            found[cell(name, index)] = repr(float(settings[name][index]))
    for i in range(2):
        found[f"y[{i}]"] = repr(float(settings["y"][i, 0]))
    return found


def cell(name, index):
    return name + "".join(f"[{i}]" for i in index)


def tied(settings):
    """The weights in use: with shared weights unit 2 has those of unit 1."""
    W_1 = settings["W_1"].copy()
    if settings["shared"]:
        W_1[1] = W_1[0]
    return W_1


def reference(settings):
    """Every scalar of the step by the name of its cell, from bpref, in its order."""
    model = nn.Sequential(
        nn.Linear(2, 3), ACTIVATIONS[settings["activation"]](), nn.Linear(3, 1), nn.Identity()
    )
    model[0].weight.data, model[0].bias.data = tied(settings), settings["b_1"]
    model[2].weight.data, model[2].bias.data = settings["W_2"], settings["b_2"]
    N, lr = settings["batch"], settings["lr"]
    trace = trace_training_step(model, settings["x"][:N], settings["y"][:N], lr=lr)
    assert tuple(e.name for e in trace.entries[6:]) == COMPUTED
    arrays = {name: trace[name] for name in COMPUTED}
    if settings["shared"]:
        shared = trace["grad_W_1"][0] + trace["grad_W_1"][1]
        new = trace["new_W_1"].copy()
        new[:2] = tied(settings)[:2] - lr * shared
        before, after = COMPUTED[: COMPUTED.index("new_W_1")], arrays.copy()
        arrays = {name: arrays[name] for name in before} | {"grad_w": shared, "new_W_1": new}
        arrays |= {name: after[name] for name in COMPUTED if name not in arrays}
    return {
        cell(name, index): float(array[index])
        for name, array in arrays.items()
        for index in np.ndindex(array.shape)
    }


def enter(page, settings):
    plain = {name: settings[name] for name in ("activation", "batch", "shared")}
    page.evaluate(ENTER, plain | {"fields": fields(settings)})


def read(page):
    return {name: float(value) for name, value in page.evaluate(READ).items()}


def assert_equal(found, expected):
    assert list(found) == list(expected)
    wrong = {
        name: (found[name], value)
        for name, value in expected.items()
        if not abs(found[name] - value) <= 1e-12 * abs(value) + 1e-15
    }
    assert wrong == {}


# --- the numbers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "first"),
    [(lang, first) for lang, count in SETTINGS.items() for first in range(0, count, 50)],
    indirect=["language"],
)
def test_every_number_is_that_of_bpref(page, first):
    """Random settings in English, some of them again in Chinese."""
    for number in range(first, first + 50):
        settings = random_settings(np.random.default_rng(number), number)
        enter(page, settings)
        page.evaluate(PRESS, ["forward", "backward", "update"])
        assert_equal(read(page), reference(settings))


def test_the_random_settings_cover_every_case():
    drawn = [random_settings(np.random.default_rng(n), n) for n in range(SETTINGS["en"])]
    cases = {(s["activation"], s["batch"]) for s in drawn}
    assert len(cases) == 2 * len(ACTIVATIONS)
    below_zero = [reference(s)["a_1[0][0]"] < 0 for s in drawn if s["activation"] == "relu"]
    assert {True, False} == set(below_zero)


def test_shared_weights_get_the_sum_of_both_gradients(page):
    for number in range(50):
        settings = random_settings(np.random.default_rng(1000 + number), number)
        settings["shared"] = True
        enter(page, settings)
        page.evaluate(PRESS, ["update"])
        assert_equal(read(page), reference(settings))


@pytest.mark.parametrize("activation", ["identity", "sigmoid", "tanh"])
def test_the_shared_gradient_is_the_derivative(page, activation):
    """Without bpref's own backward pass: central differences of J in the one shared weight."""
    settings = START | {"activation": activation, "batch": 2, "shared": True}
    enter(page, settings)
    page.evaluate(PRESS, ["backward"])
    found = read(page)

    def J(w):
        W_1 = np.stack([w, w, START["W_1"][2]])
        return reference(settings | {"shared": False, "W_1": W_1})["J"]

    numeric = numerical_gradient(J, START["W_1"][0].copy())
    assert [found["grad_w[0]"], found["grad_w[1]"]] == pytest.approx(numeric, rel=1e-7)


def test_a_bias_is_updated_once_per_unit(page):
    """Not once per incoming weight: its gradient is the sum of δ over the samples, nothing else."""
    enter(page, START | {"batch": 2})
    page.evaluate(PRESS, ["update"])
    found = read(page)
    for j in range(3):
        delta = found[f"delta_1[0][{j}]"] + found[f"delta_1[1][{j}]"]
        assert found[f"grad_b_1[{j}]"] == pytest.approx(delta, rel=1e-15)
        assert found[f"new_b_1[{j}]"] == pytest.approx(START["b_1"][j] - 0.1 * delta, rel=1e-15)
    delta = found["delta_2[0][0]"] + found["delta_2[1][0]"]
    assert found["new_b_2[0]"] == pytest.approx(0.3 - 0.1 * delta, rel=1e-15)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_at_the_kink_the_slope_is_that_of_bpref(page, activation):
    settings = START | {"activation": activation, "b_1": np.array([-0.4, 0.2, -0.1])}
    assert reference(settings)["a_1[0][0]"] == 0
    enter(page, settings)
    page.evaluate(PRESS, ["update"])
    assert_equal(read(page), reference(settings))


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_large_numbers_stay_finite(page, activation):
    W_1 = np.array([[10000.0, 10000.0], [-10000.0, -10000.0], [1e-300, 0.0]])
    settings = START | {"activation": activation, "W_1": W_1, "x": np.full((2, 2), 10000.0)}
    enter(page, settings)
    page.evaluate(PRESS, ["update"])
    assert_equal(read(page), reference(settings))


def test_training_goes_on_with_the_new_weights(page):
    """Five steps, each from the parameters that the step before has written into the fields."""
    settings = START | {"batch": 2, "shared": True}
    enter(page, settings)
    for _ in range(5):
        page.evaluate(PRESS, ["update"])
        found = read(page)
        assert_equal(found, reference(settings))
        for name in PARAMETERS:
            new = [found[cell(f"new_{name}", i)] for i in np.ndindex(settings[name].shape)]
            settings[name] = np.reshape(new, settings[name].shape)
        page.evaluate(PRESS, ["continue"])
        assert read(page) == {}
        shown = {f: page.locator(f'[data-field="{f}"]').input_value() for f in fields(settings)}
        assert {f: float(v) for f, v in shown.items()} == {
            f: float(v) for f, v in fields(settings | {"W_1": tied(settings)}).items()
        }


# --- the program beside the numbers ---------------------------------------------------------


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("batch", [1, 2])
def test_the_listing_computes_what_the_cells_show(page, batch, shared):
    for number, activation in enumerate(ACTIVATIONS):
        settings = random_settings(np.random.default_rng(2000 + number), number)
        settings |= {"activation": activation, "batch": batch, "shared": shared}
        enter(page, settings)
        page.evaluate(PRESS, ["update"])
        found, names = read(page), {}
        exec(page.evaluate(LISTING), names)
        for key, value in found.items():
            name, *index = re.findall(r"\w+", key)
            computed = float(names[name][tuple(map(int, index))])
            assert abs(value - computed) <= 1e-12 * abs(computed) + 1e-15, key


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
@pytest.mark.parametrize("shared", [False, True])
def test_substituted_numbers_give_the_value(page, activation, shared):
    """What stands between formula and value, computed with its rounded numbers, is the value."""
    enter(page, START | {"activation": activation, "batch": 2, "shared": shared})
    page.evaluate(PRESS, ["update"])
    rows = page.evaluate("""() => [...document.querySelectorAll('[data-cell]')].map(row => [
      row.dataset.cell,
      row.querySelector('.bp-substituted').innerHTML,
      Number(row.dataset.value),
      row.querySelector('.bp-value').textContent])""")
    assert len(rows) == len(reference(START | {"batch": 2, "shared": shared}))
    for key, html, value, shown in rows:
        text = re.sub(r"<sup>2</sup>", "**2", html)
        text = re.sub(r"<[^>]+>|^= ", "", text).removeprefix("= ")
        text = text.replace("−", "-").replace("·", "*")
        names = {"tanh": np.tanh, "exp": np.exp, "max": max}
        assert eval(text, {"__builtins__": {}}, names) == pytest.approx(value, abs=5e-6), key
        assert float(shown.removeprefix("= ").replace("−", "-")) == pytest.approx(value, abs=1e-6)


# --- one scalar at a time -------------------------------------------------------------------


@pytest.mark.parametrize(("batch", "shared"), [(1, False), (2, False), (1, True), (2, True)])
def test_steps_visit_every_cell_in_order(page, batch, shared):
    settings = START | {"batch": batch, "shared": shared}
    enter(page, settings)
    expected = reference(settings)
    total = len(expected)
    # Two presses too many in each direction: at the ends they do nothing.
    forth = page.evaluate(WALK, ["step"] * (total + 2))
    for n, (name, seen) in enumerate(zip(expected, forth, strict=False), 1):
        assert seen["cell"] == [name]
        assert seen["value"] == pytest.approx(expected[name], rel=1e-12)
        assert seen["computed"] == n
        assert seen["line"] == [name.split("[")[0]]
        assert seen["code"] == seen["card"]
    assert forth[total] == forth[total + 1] == forth[total - 1]
    back = page.evaluate(WALK, ["back"] * (total + 1))
    assert [seen["cell"] for seen in back] == [[n] for n in list(expected)[-2::-1]] + [[], []]
    assert [seen["computed"] for seen in back] == [*range(total - 1, -1, -1), 0]


def test_runs_stop_where_their_pass_ends(page):
    for action, last in [
        ("forward", "J"),
        ("backward", "grad_b_1[2]"),
        ("update", "new_b_2[0]"),
        ("forward", "J"),
    ]:
        page.locator(f"[data-action={action}]").click()
        assert list(read(page))[-1] == last


def test_editing_recomputes_in_place(page):
    """The reader stays at the same step, and sees it with the new numbers."""
    page.locator("[data-action=backward]").click()
    page.locator('[data-field="W_2[0][1]"]').fill("-1.25")
    W_2 = np.array([[0.7, -1.25, 0.9]])
    expected = reference(START | {"W_2": W_2})
    assert_equal(read(page), {k: v for k, v in expected.items() if not k.startswith("new_")})
    page.locator("[data-field=activation]").select_option("sigmoid")
    expected = reference(START | {"W_2": W_2, "activation": "sigmoid"})
    assert_equal(read(page), {k: v for k, v in expected.items() if not k.startswith("new_")})
    page.locator("[data-action=reset]").click()
    page.locator("[data-action=update]").click()
    assert_equal(read(page), reference(START))


@both_languages
@pytest.mark.parametrize("wrong", ["", "1e9", "-20000"])
def test_a_field_without_a_number_keeps_the_last_one(page, wrong):
    field = page.locator('[data-field="x[0][0]"]')
    field.fill(wrong)
    assert field.get_attribute("aria-invalid") == "true"
    assert "10000" in page.locator(".widget-message").inner_text()
    page.locator("[data-action=update]").click()
    assert_equal(read(page), reference(START))
    assert field.input_value() == "0.5"


def test_parameters_that_grow_without_limit_are_refused(page):
    page.locator("[data-field=lr]").fill("9000")
    page.locator("[data-action=update]").click()
    page.locator("[data-action=continue]").click()
    page.locator("[data-action=update]").click()
    page.locator("[data-action=continue]").click()
    assert "10000" in page.locator(".widget-message").inner_text()
    assert all(np.isfinite(value) for value in read(page).values())


# --- readers --------------------------------------------------------------------------------


@both_languages
def test_by_keyboard_alone(page):
    """From the first field to the last button with Tab; then one whole step with the keys."""
    page.locator("[data-field=activation]").focus()
    seen = reached_by_tab(page, READY)
    for name in ["lr", "shared", "x[0][0]", "y[0]", "W_1[2][1]", "b_1[0]", "W_2[0][2]", "b_2[0]"]:
        assert name in seen
    for name in ["back", "step", "forward", "backward", "update", "continue", "reset"]:
        assert name in seen
    assert seen[-2:] == ["bp-code", "bp-ledger-box"]

    expected = list(reference(START))
    page.locator("[data-action=step]").focus()
    for key, last in [
        ("Enter", 0), ("Space", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", -1),
    ]:  # fmt: skip
        page.keyboard.press(key)
        assert list(read(page))[-1] == expected[last]
    page.keyboard.press("Home")
    assert read(page) == {}
    assert page.evaluate("document.activeElement.dataset.action") == "step"


@both_languages
def test_the_current_step_is_spoken(page):
    status = page.locator(".bp-status")
    assert status.get_attribute("role") == "status"
    page.locator("[data-action=step]").click()
    assert "1" in status.inner_text()
    assert status.inner_text().endswith("= 0.5")
    spoken = {status.inner_text()}
    enter(page, START | {"batch": 2, "shared": True})
    page.evaluate(PRESS, ["reset"])
    enter(page, START | {"batch": 2, "shared": True})
    total = int(page.locator(".bp-app").get_attribute("data-total"))
    spoken |= set(
        page.evaluate(
            """async total => {
          const found = [];
          for (let n = 0; n < total; n++) {
            document.querySelector('[data-action=step]').click();
            await new Promise(done => setTimeout(done));
            found.push(document.querySelector('.bp-status').textContent);
          }
          return found;
        }""",
            total,
        )
    )
    assert not [text for text in spoken if "undefined" in text or "NaN" in text or "{" in text]
    assert len(spoken) == total + 1, "every scalar is announced in words of its own"


@both_languages
def test_every_control_has_a_name(page):
    for role in ("button", "spinbutton", "combobox", "checkbox", "radio"):
        for control in page.locator(".bp-app").get_by_role(role).all():
            assert control.evaluate("el => (el.labels?.[0] ?? el).textContent.trim()")
    names = page.evaluate(
        "[...document.querySelectorAll('.bp-app input[type=number]')]"
        ".map(el => el.labels[0].textContent.trim())"
    )
    assert len(names) == len(set(names)) == 20


@both_languages
def test_accessible_and_narrow_in_both_schemes(page):
    page.add_script_tag(path=str(AXE))
    found = {}
    for batch, shared, action in [(1, False, "reset"), (2, True, "backward"), (2, True, "update")]:
        enter(page, START | {"batch": batch, "shared": shared})
        page.evaluate(PRESS, [action])
        for viewport in (DESKTOP, PHONE):
            page.set_viewport_size(viewport)
            for scheme in in_both_schemes(page):
                assert wider_than_screen(page) <= 0
                # A colour does not depend on the width.
                if bad := violations_on(page, "#backward-pass", colours=viewport is DESKTOP):
                    found[batch, action, viewport["width"], scheme] = bad
    assert found == {}


@both_languages
def test_no_label_of_the_drawing_lies_on_another(page):
    """On the phone and on the desktop, with all numbers of the step on it."""
    for viewport in (DESKTOP, PHONE):
        page.set_viewport_size(viewport)
        for batch in (1, 2):
            enter(page, START | {"batch": batch, "shared": batch == 2})
            for action in ("backward", "update"):
                page.evaluate(PRESS, [action])
                page.wait_for_timeout(50)
                boxes = page.evaluate("""() => [...document.querySelectorAll('.bp-drawing text')]
                  .map(el => [el.getBBox(), el.textContent])
                  .filter(([, text]) => text)
                  .map(([b, text]) => [text, b.x, b.y + 2.5, b.x + b.width, b.y + b.height - 2.5])
                """)
                width = page.evaluate("document.querySelector('.bp-app svg').viewBox.baseVal.width")
                for n, (text, left, top, right, bottom) in enumerate(boxes):
                    assert left >= 0
                    assert right <= width
                    for other, l2, t2, r2, b2 in boxes[n + 1 :]:
                        apart = right <= l2 or r2 <= left or bottom <= t2 or b2 <= top
                        assert apart, f"{text} and {other} at {viewport['width']} px, N = {batch}"


def test_nothing_leaves_the_site_and_nothing_fails(context, address):
    with nothing_is_asked_for(context, address, PAGE) as page:
        page.evaluate(PRESS, ["update", "continue", "step", "reset"])


@both_languages
def test_without_javascript_there_is_a_table(page_without_javascript):
    page = page_without_javascript
    assert page.locator(".bp-app").count() == 0
    table = page.locator("#backward-pass table")
    assert table.is_visible()
    rows = [
        [value.text_content() for value in row.locator("td annotation").all()]
        for row in table.locator("tbody tr").all()
    ]
    expected = reference(START)
    assert len(rows) == 13
    for symbol, value, gradient, new in rows:
        layer, _, index = re.fullmatch(r"([Wb])_\{?(\d),?(\d*)\}?", symbol).groups()
        name = re.fullmatch(r"([Wb]_)\{?(\d).*", symbol)
        name = name[1] + name[2]
        where = tuple(int(i) - 1 for i in index) or (0,)
        assert float(value) == START[name][where], layer
        assert float(gradient) == pytest.approx(expected[cell(f"grad_{name}", where)], abs=5e-7)
        assert float(new) == pytest.approx(expected[cell(f"new_{name}", where)], abs=5e-7)


# --- the page's words -----------------------------------------------------------------------


def texts(language):
    source = Path(f"docs/{language}/derivation/two-layers.md").read_text(encoding="utf-8")
    return json.loads(re.search(r'id="backward-pass-texts">\n(.*?)</script>', source, re.S)[1])


def shape(texts):
    """Keys, and the places that a text leaves open."""
    if isinstance(texts, dict):
        return {key: shape(value) for key, value in texts.items()}
    return sorted(re.findall(r"\{\w+\}", texts))


def test_both_languages_have_the_same_texts():
    assert shape(texts("en")) == shape(texts("zh"))
    assert set(texts("en")["cells"]) == {*COMPUTED, "grad_w"}
    assert set(texts("en")["activations"]) == set(ACTIVATIONS)


def test_what_the_page_says_of_the_learning_rates():
    result = run.read_result("backward_pass")
    small, large = result["loss"]["small"], result["loss"]["large"]
    assert small == sorted(small, reverse=True)
    assert large == sorted(large)
    assert small[0] == pytest.approx(reference(START)["J"], rel=1e-12)


def test_what_the_page_says_of_two_samples_and_of_sharing():
    """One and two terms; the sum of both places; their signs differ at the start."""
    two = reference(START | {"batch": 2})
    assert two["grad_h_2[0][0]"] == pytest.approx(reference(START)["grad_h_2[0][0]"] / 2)
    shared = reference(START | {"batch": 2, "shared": True})
    assert shared["grad_w[0]"] == shared["grad_W_1[0][0]"] + shared["grad_W_1[1][0]"]
    assert shared["grad_W_1[0][0]"] > 0 > shared["grad_W_1[1][0]"]
    assert shared["h_1[0][0]"] != shared["h_1[0][1]"], "each unit has its own bias"
