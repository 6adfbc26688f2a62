"""From a fresh clone to the first page, and from a saved edit to the browser.

Targets: 180 s for the first page with warm package caches, 3 s for an edit. The clone, its
virtual environment and its npm packages are made anew and thrown away.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FIRST_PAGE_TARGET, EDIT_TARGET = 180.0, 3.0
EDITS = 5


def get(address: str) -> str | None:
    try:
        with urllib.request.urlopen(address, timeout=60) as response:
            return str(response.read().decode("utf-8"))
    except (urllib.error.URLError, OSError):
        return None


def wait_for(address: str, text: str, limit: float) -> float:
    """Seconds until the page at this address contains the text."""
    start = time.perf_counter()
    while time.perf_counter() - start < limit:
        if text in (get(address) or ""):
            return time.perf_counter() - start
        time.sleep(0.05)
    raise TimeoutError(f"{address} did not show {text!r} within {limit:.0f} s")


def report(what: str, measured: float, target: float) -> None:
    verdict = "met" if measured <= target else "MISSED"
    print(f"{what}: {measured:.1f} s (target {target:.0f} s: {verdict})")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bpref-bench-") as folder:
        clone = Path(folder) / "bpref"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        address = f"http://127.0.0.1:{port}/"

        start = time.perf_counter()
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        environment = {
            k: v
            for k, v in os.environ.items()
            if k not in {"VIRTUAL_ENV", "MAKEFLAGS", "MAKELEVEL"}
        }
        server = subprocess.Popen(
            ["make", "serve", f"PORT={port}"],
            cwd=clone,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            wait_for(address, "<h1", 900)
            report("fresh clone to the first page", time.perf_counter() - start, FIRST_PAGE_TARGET)
            for lang, prefix in (("en", ""), ("zh", "zh/")):
                times = [edit(clone, address, lang, prefix, i) for i in range(EDITS)]
                report(
                    f"saved edit to the served page, {lang}, slowest of {EDITS}",
                    max(times),
                    EDIT_TARGET,
                )
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(timeout=30)


def edit(clone: Path, address: str, lang: str, prefix: str, number: int) -> float:
    """Change one page and wait until the server shows the change."""
    page = clone / "docs" / lang / "derivation" / "two-layers.md"
    marker = f"edit-{lang}-{number}"
    page.write_text(page.read_text(encoding="utf-8") + f"\n\n{marker}\n", encoding="utf-8")
    return wait_for(f"{address}{prefix}derivation/two-layers/", marker, 60)


if __name__ == "__main__":
    main()
