"""``python -m pages.screenshots``: the pictures of a training report and of TensorBoard.

They show a real run on a table of the package, in a real browser. Made by hand, not by
``python -m pages``: a picture depends on the fonts of the machine, so that no test could compare
it; tests/site/test_screenshots.py makes them again and looks at what is on them.
"""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypedDict

from PIL import Image

from sitekit.audit.browser import ARGUMENTS, MISSING, find_browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


class ViewportSize(TypedDict):
    """Of a window, in pixels of the page."""

    width: int
    height: int


FOLDER: Final = Path("docs/theme/assets/screenshots")
REPORT, BOARD = ViewportSize(width=780, height=800), ViewportSize(width=1000, height=740)
SCALE: Final = 1.5  # pixels of the picture per pixel of the page
TAGS: Final = ("gradient_norm/0", "gradient_norm/2", "loss/training", "loss/validation")
COLORS: Final = 64  # enough for text and curves; it makes the files small
SECONDS: Final = 60  # that TensorBoard may take


def train(folder: Path) -> Path:
    """Run the command on the table of cars; return the folder of the run."""
    from bpref.regression.command import main

    table = resources.files("bpref.regression") / "data" / "auto_mpg.csv"
    (folder / "cars.csv").write_bytes(table.read_bytes())
    fit = ["fit", "cars.csv", "--target", "mpg", "--run", "cars", "--log-gradients"]
    screen = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(screen):
        code = main([*fit, "--quiet"])
    assert code == 0
    return folder / "cars"


@contextlib.contextmanager
def tensorboard(logs: Path) -> Iterator[str]:
    """Start a TensorBoard on a free port; yields its address."""
    program = [sys.executable, "-m", "tensorboard.main", "--logdir", "."]
    program += ["--host", "127.0.0.1", "--port", "0", "--load_fast", "false"]
    with subprocess.Popen(program, stderr=subprocess.PIPE, text=True, cwd=logs) as process:
        assert process.stderr is not None
        said = ""
        try:
            for line in process.stderr:
                said += line
                if found := re.search(r"http://\S+", line):
                    yield found[0]
                    return
            raise RuntimeError(f"TensorBoard did not start: {said}")
        finally:
            process.terminate()


def report(page: Page, run: Path) -> dict[str, bytes]:
    """Return pictures of the report: its beginning, and the scores."""
    page.set_viewport_size(REPORT)
    page.goto((run / "report.html").as_uri())

    def top(selector: str) -> float:
        box = page.locator(selector).bounding_box()
        assert box is not None
        return box["y"] - 16

    data, scores, end = (
        top(f"h2:has-text('{title}')") for title in ("Data", "Scores and baselines", "To repeat it")
    )
    strips = {"report": (0.0, data), "report-scores": (scores, end)}
    return {
        name: page.screenshot(
            full_page=True,
            clip={"x": 0, "y": first, "width": REPORT["width"], "height": last - first},
        )
        for name, (first, last) in strips.items()
    }


def board(page: Page, address: str) -> bytes:
    """Return a picture of the losses and of the gradient norms in TensorBoard."""
    page.set_viewport_size(BOARD)
    page.goto(f"{address}#scalars&_smoothingWeight=0&tagFilter=loss%7Cgradient_norm")
    for tag in TAGS:
        page.get_by_text(tag, exact=True).first.wait_for(timeout=1000 * SECONDS)
    page.wait_for_timeout(3000)  # the curves are drawn a moment after their titles
    return page.screenshot()


def small(picture: bytes) -> Image.Image:
    """Return the picture with a palette."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    return image.quantize(COLORS, dither=Image.Dither.NONE)


def make(chromium: Browser, folder: Path = FOLDER) -> list[Path]:
    """Write all pictures; return their paths."""
    context = chromium.new_context(device_scale_factor=SCALE, color_scheme="light")
    with tempfile.TemporaryDirectory() as name, contextlib.closing(context):
        run = train(Path(name))
        logs = Path(name) / "logs"
        shutil.copytree(run / "tensorboard", logs / "cars")
        page = context.new_page()
        pictures = report(page, run)
        with tensorboard(logs) as address:
            pictures["tensorboard"] = board(page, address)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, picture in pictures.items():
        paths.append(folder / f"{name}.png")
        small(picture).save(paths[-1], optimize=True)
    return paths


def main() -> None:
    """Make the pictures of the site."""
    from playwright.sync_api import sync_playwright

    executable = find_browser()
    if executable is None:
        raise SystemExit(MISSING)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        for path in make(chromium):
            print(path, path.stat().st_size)
        chromium.close()


if __name__ == "__main__":
    main()
