"""The site is built once, served below a path, and looked at with a real browser."""

import os
import subprocess
import sys

import pytest
from published import ADDRESS
from visiting import DESKTOP, ROOTS

from sitekit.audit.browser import ARGUMENTS, MISSING, find_browser, serving


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """Folder of the built site: strict, both languages, with an address, without a repository."""
    root = tmp_path_factory.mktemp("served") / "learn" / "bpref"
    environment = {k: v for k, v in os.environ.items() if k != "REPOSITORY_URL"}
    built = subprocess.run(
        [sys.executable, "-m", "sitekit.build", "--site-dir", str(root)],
        env=environment | {"SITE_URL": ADDRESS},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return root


@pytest.fixture(scope="session")
def address(site):
    """Where the site is served: not at the root of a host, as on GitHub Pages."""
    with serving(site.parents[1]) as root:
        yield f"{root}learn/bpref/"


@pytest.fixture(scope="session")
def browser():
    executable = find_browser()
    if executable is None:
        if os.environ.get("CI"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def context(browser):
    context = browser.new_context(viewport=DESKTOP, reduced_motion="reduce")
    yield context
    context.close()


@pytest.fixture
def language(request):
    return getattr(request, "param", "en")


@pytest.fixture
def url(address, language, request):
    """Address of the page that the tests of a module look at, its `PAGE`."""
    return address + ROOTS[language] + request.module.PAGE


@pytest.fixture
def page(context, url, request):
    """That page, as soon as its widget is there: the module's `READY`. Nothing fails on it."""
    page = context.new_page()
    messages = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.goto(url, wait_until="load")
    page.locator(request.module.READY).first.wait_for(state="attached")
    yield page
    page.close()
    assert messages == []


@pytest.fixture
def page_without_javascript(browser, url):
    context = browser.new_context(viewport=DESKTOP, java_script_enabled=False)
    page = context.new_page()
    page.goto(url)
    yield page
    context.close()
