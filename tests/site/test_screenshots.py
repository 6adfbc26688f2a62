"""The pictures of the report and of TensorBoard can be made again, and show something."""

import numpy as np
import pytest
from PIL import Image

from pages.screenshots import FOLDER, SCALE, make

LARGEST = 150_000  # bytes
NAMES = {"report.png", "report-scores.png", "tensorboard.png"}


@pytest.fixture(scope="module")
def made(browser, tmp_path_factory):
    """Pictures made now. That the tags are seen in TensorBoard is what the program waits for."""
    paths = make(browser, tmp_path_factory.mktemp("screenshots"))
    return {path.name: path for path in paths}


def read(path, mode):
    with Image.open(path) as image:
        return np.asarray(image.convert(mode), dtype=int)


def shows_something(path):
    """Whether there are text and lines, in three quarters of the picture at least."""
    pixels = read(path, "L")
    height, width = (side // 2 for side in pixels.shape)
    halves = pixels[:height], pixels[height:]
    quarters = [part for half in halves for part in (half[:, :width], half[:, width:])]
    return pixels.std() > 10 and sum(part.std() > 5 for part in quarters) >= 3


def test_the_program_makes_the_pictures_of_the_site(made):
    assert made.keys() == NAMES == {path.name for path in FOLDER.glob("*.png")}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_picture_shows_what_it_should(made, name):
    for path in (made[name], FOLDER / name):
        assert path.stat().st_size <= LARGEST
        assert shows_something(path)
    now, then = (read(path, "L").shape for path in (made[name], FOLDER / name))
    assert now[1] == then[1]
    assert now[0] == pytest.approx(then[0], rel=0.3)  # lines break where the fonts make them


def test_the_curves_of_the_board_are_drawn(made):
    """Orange below the header: TensorBoard's first colour, of the curves."""
    for path in (made["tensorboard.png"], FOLDER / "tensorboard.png"):
        pixels = read(path, "RGB")[int(150 * SCALE) :]
        red, green, blue = np.moveaxis(pixels, -1, 0)
        orange = (red > 200) & (green > 60) & (green < 180) & (blue < 120)
        right = orange[:, pixels.shape[1] // 3 :]
        assert right.sum() > 2000
        top, bottom = right[: len(right) // 2], right[len(right) // 2 :]
        assert min(top.sum(), bottom.sum()) > 500


def test_a_blank_picture_is_noticed(tmp_path):
    Image.new("RGB", (600, 400), "white").save(tmp_path / "blank.png")
    assert not shows_something(tmp_path / "blank.png")
