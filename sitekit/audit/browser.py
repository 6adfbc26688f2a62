"""A real browser for the tests of the built site."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MISSING = (
    "no Chromium or Chrome found: install one (Debian, Ubuntu: sudo apt-get install chromium; "
    "or set CHROMIUM to its path)"
)
# No request of the browser's own may leave the machine while the page is judged by its requests.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
AXE = Path("node_modules/axe-core/axe.min.js")


def find_browser() -> str | None:
    """Path of an installed Chromium or Chrome."""
    if given := os.environ.get("CHROMIUM"):
        return given
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serving(root: Path) -> Iterator[str]:
    """Serve a folder on a free port; yields its address."""
    handler = functools.partial(_QuietHandler, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def violations(page: Any, structure: bool = True, colours: bool = True) -> list[str]:
    """What axe-core finds on the page as it is shown now.

    ``colours`` is its slowest rule, and the only one that a change of the scheme can break; all
    the others are ``structure``.
    """
    # A formula has hundreds of elements, none of them a control, all in the colour of the text.
    # axe does not read MathML, so a table header that is a formula counts as empty for it;
    # tests/site/test_html.py looks for headers that really are.
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if structure:
        options["rules"] = {
            "color-contrast": {"enabled": colours},
            "empty-table-header": {"enabled": False},
        }
    else:
        options["runOnly"] = ["color-contrast"]
    result = page.evaluate("options => axe.run({exclude: [['.katex']]}, options)", options)
    return [
        f"{v['id']} ({v['impact']}): {node['html'][:160]} -> {node['failureSummary'][:200]}"
        for v in result["violations"]
        for node in v["nodes"]
    ]


def wider_than_screen(page: Any) -> int:
    """Pixels by which the page is wider than the screen: sideways scrolling of the whole page."""
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


def wait_for_search(page: Any) -> None:
    """Until the worker of the search has loaded its index; it still asks for files after load."""
    page.wait_for_function("""() => {
      const words = JSON.parse(document.getElementById("__config").textContent).translations
      const shown = document.querySelector(".md-search-result__meta").textContent.trim()
      return shown === words["search.result.placeholder"]
    }""")
