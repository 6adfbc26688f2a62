"""Every number on the site comes from a run, and a run today gives the same number."""

import re
from pathlib import Path

import numpy as np
import pytest

from experiments import run
from experiments._claim import broken
from sitekit.audit.markdown import pages, read_page
from sitekit.markdown.numbers import REFERENCE, look_up

NAMES = run.names()
ALL_PAGES = [*pages(Path("docs/en")).values(), *pages(Path("docs/zh")).values()]


@pytest.mark.parametrize("name", NAMES)
def test_experiment_gives_the_committed_result(name):
    module, measured = run.load(name), run.measure(name)
    rtol = getattr(module, "RTOL", 1e-6)
    assert list(run.differences(run.read_result(name), measured, rtol, name)) == []
    assert list(broken(module, measured)) == []


def test_every_result_has_its_experiment():
    assert sorted(p.stem for p in run.RESULTS.glob("*.json")) == NAMES


@pytest.mark.parametrize("path", ALL_PAGES, ids=str)
def test_numbers_on_the_page_exist(path):
    for match in REFERENCE.finditer(path.read_text(encoding="utf-8")):
        look_up(run.RESULTS, match["name"], match["path"])


def test_every_figure_on_a_page_is_drawn_by_an_experiment():
    placed = {name for path in ALL_PAGES for name in read_page(path).figures}
    drawn = {p.name.removesuffix(".en.svg") for p in run.FIGURES.glob("*.en.svg")}
    assert placed == drawn, "a figure without a page, or a page without its figure"
    for name in drawn:
        assert (run.FIGURES / f"{name}.zh.svg").exists()


def picture(path):
    """What an SVG file says and where it says it; the ids are hashes of the rest."""
    source = re.sub(r'(id="|#)[\w-]+', r"\1", path.read_text(encoding="utf-8"))
    number = r"-?\d+\.\d+"
    return re.sub(number, "", source), np.array(re.findall(number, source), dtype=float)


@pytest.mark.parametrize("name", [n for n in NAMES if hasattr(run.load(n), "draw")])
def test_figures_show_the_committed_result(name, tmp_path, monkeypatch):
    """Drawn anew from the file alone: no older run, no order that the file doesn't keep."""
    committed = run.FIGURES
    monkeypatch.setattr(run, "FIGURES", tmp_path)
    for path in run.draw(name, run.read_result(name)):
        (shape, places), (found, now) = picture(committed / path.name), picture(path)
        assert found == shape, path.name
        np.testing.assert_allclose(now, places, atol=0.05, err_msg=path.name)


def test_figures_use_only_the_colours_of_the_scheme():
    for path in run.FIGURES.glob("*.svg"):
        colours = set(re.findall(r"#[0-9a-f]{6}\b", path.read_text(encoding="utf-8")))
        assert colours == set(), path.name


def test_drift_is_noticed():
    """The comparison itself can fail."""
    committed = {"a": 1.0, "b": [1e-30, 2.0], "c": "x"}
    assert list(run.differences(committed, {"a": 1.0, "b": [3e-30, 2.0], "c": "x"}, 1e-6)) == []
    assert list(run.differences(committed, {"a": 1.001, "b": [1e-30, 2.0], "c": "x"}, 1e-6))
    assert list(run.differences(committed, {"a": 1.0, "b": [1e-20, 2.0], "c": "x"}, 1e-6))
    assert list(run.differences(committed, {"a": 1.0, "b": [1e-30], "c": "x"}, 1e-6))
    assert list(run.differences(committed, {"a": 1.0, "b": [1e-30, 2.0]}, 1e-6))
