"""A figure that leaves the site takes its colours, a font and a size along."""

from xml.etree import ElementTree

import pytest

from sitekit import portable


def test_all_figures_stand_alone(tmp_path):
    portable.main([str(tmp_path)])
    sources = {path.name for path in portable.FIGURES.glob("*.svg")}
    assert sources
    assert {path.name for path in tmp_path.iterdir()} == sources
    for path in tmp_path.iterdir():
        text = path.read_text(encoding="utf-8")
        assert "var(" not in text, path.name
        root = ElementTree.fromstring(text)
        box = root.get("viewBox").split()
        assert (root.get("width"), root.get("height")) == (f"{box[2]}pt", f"{box[3]}pt")


def test_only_the_named_figure(tmp_path):
    portable.main([str(tmp_path / "new"), "one_layer.zh"])
    (copy,) = (tmp_path / "new").iterdir()
    assert copy.name == "one_layer.zh.svg"
    assert "#1f5fa8" in copy.read_text(encoding="utf-8")


def test_a_name_that_does_not_exist(tmp_path, capsys):
    with pytest.raises(SystemExit):
        portable.main([str(tmp_path / "new"), "one-layer.en"])
    assert "no figure 'one-layer.en' in docs/assets/figures" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_drawing_without_a_size():
    with pytest.raises(ValueError, match="expected a viewBox"):
        portable.portable("<svg />")
