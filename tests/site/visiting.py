"""How the tests look at a page: on which screens, in which language and colours, and what fails."""

from contextlib import contextmanager

import pytest

from sitekit.audit.browser import wait_for_search

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 740}
SCHEMES = ("default", "slate")
ROOTS = {"en": "", "zh": "zh/"}

# For a test that takes the fixture `page`, which is English unless told.
both_languages = pytest.mark.parametrize("language", ROOTS, indirect=True)

AXE_ON = """async ([selector, rules]) => {
  const {violations} = await axe.run(selector, {resultTypes: ['violations'], rules});
  return violations.flatMap(v => v.nodes.map(node => `${v.id}: ${node.html.slice(0, 160)}`));
}"""

FOCUS = """selector => {
  const el = document.activeElement;
  if (!el.closest(selector)) return null;
  const style = getComputedStyle(el);
  const [kind] = [...el.classList].filter(name => name !== 'focus-visible');  // the theme's
  return [el.dataset.field ?? el.dataset.action ?? kind ?? el.tagName,
          style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2];
}"""


def in_both_schemes(page):
    """Show the page in light colours, then in dark ones."""
    for scheme in SCHEMES:
        page.evaluate("s => document.body.setAttribute('data-md-color-scheme', s)", scheme)
        page.wait_for_timeout(50)
        yield scheme


def violations_on(page, selector, *, colours):
    """What axe-core finds on a widget; test_browser.py looks at the whole page, at its start."""
    return page.evaluate(AXE_ON, [selector, {"color-contrast": {"enabled": colours}}])


def reached_by_tab(page, selector):
    """Press Tab until the focus leaves the widget; what it was on, visibly each time."""
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        if (focus := page.evaluate(FOCUS, selector)) is None:
            break
        assert focus[1], f"focus is not visible on {focus[0]}"
        seen.append(focus[0])
    return seen


@contextmanager
def nothing_is_asked_for(context, address, name):
    """A loaded page on which nothing may be requested any more, and nothing may have failed."""
    page = context.new_page()
    requests, messages = [], []
    page.on("request", lambda request: requests.append(request))
    page.on("console", lambda m: messages.append(m.text) if m.type in {"error", "warning"} else 0)
    page.on("response", lambda r: messages.append(f"{r.status} {r.url}") if r.status >= 400 else 0)
    page.goto(address + name, wait_until="load")  # on a busy machine the network may idle before
    page.wait_for_load_state("networkidle")
    wait_for_search(page)
    loaded = len(requests)
    yield page
    page.wait_for_timeout(100)
    assert [r.url for r in requests if not r.url.startswith(address)] == []
    # The browser itself may still ask for the icon of the site: type "other".
    assert [r.url for r in requests[loaded:] if r.resource_type != "other"] == []
    assert messages == []
    page.close()
