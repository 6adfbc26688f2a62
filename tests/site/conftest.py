"""The site is built once, served below a path, and looked at with a real browser."""

import os
import subprocess
import sys

import pytest
from published import ADDRESS

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
