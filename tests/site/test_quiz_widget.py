"""The quiz in a browser: every option of every item chosen by keyboard, in both languages."""

import re
from pathlib import Path

import pytest
from visiting import DESKTOP, PHONE, ROOTS, in_both_schemes

from experiments.verified import SETTINGS
from sitekit.audit.browser import AXE, violations, wait_for_search, wider_than_screen
from sitekit.audit.quiz import read_quiz

PAGE = "faq/quiz/"
READY = "[data-quiz]:not([hidden])"


@pytest.fixture(params=ROOTS)
def language(request):
    return request.param


@pytest.fixture
def items(language):
    return read_quiz(Path("docs", language, "faq", "quiz.md"))


def word(page, name, **values):
    return page.locator("[data-quiz]").get_attribute(f"data-{name}").format(**values)


def score(page):
    return page.locator("[data-quiz] [role=status]").inner_text()


def chosen_by_keyboard(page, option):
    """The focus is on the first option of an item; choose one and check it."""
    page.keyboard.press("Space")
    for _ in range(option):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")


def answer(page, number, option):
    root = page.locator(".quiz-item").nth(number)
    root.locator("input").nth(option).check()
    root.locator("button").click()
    return root


def test_every_option_gets_its_verdict_by_keyboard_alone(page, items, language):
    assert sum(len(item.options) for item in items) == SETTINGS["quiz"][language]
    roots = page.locator(".quiz-item")
    tried = 0
    for option in range(max(len(item.options) for item in items)):
        page.locator("[data-quiz] button").focus()
        page.keyboard.press("Enter")  # starts again, and goes to the first item
        right = answered = 0
        missed = []
        for number, item in enumerate(items):
            root = roots.nth(number)
            if option >= len(item.options):  # this round passes over the items with three options
                continue
            root.locator("input").first.focus()
            chosen_by_keyboard(page, option)
            assert root.locator("input:checked").get_attribute("value") == str(option)
            said = root.locator("[role=status]").inner_text()
            letter = "ABCD"[item.right]
            expected = (
                word(page, "right") if option == item.right else word(page, "wrong", right=letter)
            )
            assert said == expected, item.title
            notes = root.locator(".quiz-note").all_inner_texts()
            assert notes[item.right] == "✓ " + word(page, "correct")
            if option != item.right:
                assert notes[option] == "✗ " + word(page, "chosen")
                missed.append(f"#{item.id}")
            assert sum(note != "" for note in notes) == len({option, item.right})
            states = [label.get_attribute("data-state") for label in root.locator("label").all()]
            expected = {item.right: "right"} | ({} if option == item.right else {option: "wrong"})
            assert dict(enumerate(states)) == {i: expected.get(i) for i in range(len(states))}
            assert root.locator("details").get_attribute("open") is not None
            assert root.locator("details li").nth(option).is_visible()
            tried, answered, right = tried + 1, answered + 1, right + (option == item.right)
        name = "score" if answered == len(items) else "open"
        values = {"answered": answered, "right": right, "total": len(items)}
        assert score(page) == word(page, name, **values)
        links = page.locator("[data-quiz] a")
        assert [link.get_attribute("href") for link in links.all()] == missed
        assert all(link.is_visible() for link in links.all())
    assert tried == SETTINGS["quiz"][language]


def test_enter_leads_from_one_end_to_the_other(page, items):
    """No Tab is needed: Enter checks, Enter goes on, and after the last item to the score."""
    place = """[...document.querySelectorAll('.quiz-item')]
        .indexOf(document.activeElement.closest('.quiz-item'))"""
    page.locator(".quiz-item input").first.focus()
    for number in range(len(items)):
        assert page.evaluate(place) == number
        chosen_by_keyboard(page, 1)
        assert page.evaluate(place) == number, "the focus stays in the item"
        assert page.evaluate("document.activeElement.localName") == "button"
        page.keyboard.press("Enter")
        if number + 1 < len(items):
            heading = page.locator(f"#{items[number + 1].id}").bounding_box()
            header = page.locator(".md-header").bounding_box()
            assert header["y"] + header["height"] <= heading["y"] < DESKTOP["height"] / 2
    assert page.evaluate("document.activeElement.closest('[data-quiz]') !== null")
    right = sum(item.right == 1 for item in items)
    assert score(page) == word(page, "score", right=right, total=len(items))


def test_nothing_is_said_before_an_option_is_chosen(page, items):
    root = page.locator(".quiz-item").first
    assert root.locator("details").is_hidden()
    root.locator("button").click()
    assert root.locator("[role=status]").inner_text() == word(page, "choose")
    assert root.locator("details").is_hidden()
    assert score(page) == word(page, "open", answered=0, right=0, total=len(items))


def test_an_answer_stays_and_a_reload_forgets_it(page, items):
    stored = "JSON.stringify([{...localStorage}, {...sessionStorage}])"
    before = page.evaluate(stored)
    root = answer(page, 0, items[0].right)
    assert root.locator("input:enabled").count() == 0
    root.locator("label").nth((items[0].right + 1) % 3).click(force=True)
    assert root.locator("input:checked").get_attribute("value") == str(items[0].right)
    assert page.evaluate(stored) == before
    page.reload()
    page.locator("[data-quiz]").wait_for(state="visible")
    assert page.locator(".quiz-item input:checked").count() == 0


def test_each_question_names_its_options(page, items):
    """A screen reader announces the question as the name of the group."""
    groups = page.get_by_role("group").filter(has=page.get_by_role("radio"))
    assert groups.count() == len(items)
    for number, item in enumerate(items):
        root = page.locator(".quiz-item").nth(number)
        assert root.locator("legend").inner_text().strip() != ""
        assert root.get_by_role("radio").count() == len(item.options)
        names = {radio.get_attribute("name") for radio in root.get_by_role("radio").all()}
        assert names == {f"quiz-{number + 1}"}


def test_right_and_wrong_are_told_by_more_than_colour(page, items):
    wrong = (items[0].right + 1) % len(items[0].options)
    root = answer(page, 0, wrong)
    borders = [
        root.locator("label").nth(i).evaluate("el => getComputedStyle(el).borderTopStyle")
        for i in (items[0].right, wrong)
    ]
    assert borders == ["solid", "dashed"]
    texts = root.locator("label").all_inner_texts()
    assert "✓" in texts[items[0].right]
    assert "✗" in texts[wrong]


def test_the_focus_is_visible(page):
    page.locator(".quiz-item input").first.focus()
    page.keyboard.press("ArrowDown")
    outline = "el => getComputedStyle(el).outlineStyle + getComputedStyle(el).outlineWidth"
    assert page.locator(".quiz-option").nth(1).evaluate(outline) == "solid2px"
    page.keyboard.press("Tab")
    assert page.locator(".quiz-item button").first.evaluate(outline) == "solid2px"


def test_both_schemes_and_the_phone(page):
    page.add_script_tag(path=str(AXE))
    assert violations(page) == []
    for number in range(2):
        answer(page, number, 0)
    for _ in in_both_schemes(page):
        assert violations(page) == []
    page.set_viewport_size(PHONE)
    assert wider_than_screen(page) <= 0


def test_nothing_is_requested_while_answering(page, items):
    wait_for_search(page)
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    for number in range(len(items)):
        answer(page, number, 0)
    # A formula in an answer may need one more font of the site.
    assert [r for r in requests if not r.endswith(".woff2")] == []


def test_words_are_in_the_language_of_the_page(page, language):
    answer(page, 0, 0)
    answer(page, 1, 1)
    words = " ".join(
        page.locator(".quiz-item button, .quiz-result, .quiz-note, [data-quiz]").all_inner_texts()
    )
    words = re.sub(r"backward\(\)", "", words)
    assert bool(re.search(r"[一-鿿]", words)) == (language == "zh")
    assert bool(re.search(r"[a-z]{3}", words)) == (language == "en")


def test_forced_colours_keep_the_borders_and_the_words(browser, url, items):
    context = browser.new_context(viewport=DESKTOP, forced_colors="active")
    try:
        page = context.new_page()
        page.goto(url, wait_until="load")
        page.locator("[data-quiz]").wait_for(state="visible")
        right = items[0].right
        root = answer(page, 0, right)
        label = root.locator("label").nth(right)
        assert label.evaluate("el => getComputedStyle(el).borderTopWidth") == "2px"
        assert "✓" in label.inner_text()
    finally:
        context.close()


def test_without_javascript_it_is_a_list_with_folded_answers(page_without_javascript, items):
    page = page_without_javascript
    roots = page.locator(".quiz-item")
    assert roots.count() == len(items)
    for number, item in enumerate(items):
        root = roots.nth(number)
        assert root.locator("> ol > li").count() == len(item.options)
        assert root.locator("details[open]").count() == 0
        assert root.locator("summary").inner_text() == item.summary
    roots.first.locator("summary").click()
    assert roots.first.locator("details li").first.is_visible()
    marker = "el => getComputedStyle(el).listStyleType"
    assert roots.first.locator("> ol").evaluate(marker) == "upper-alpha"
    assert page.locator("[data-quiz]").is_hidden()
