"""Figures: stand-in colours become CSS variables, or the light scheme's colours."""

import re
from pathlib import Path

from experiments import style
from sitekit import svg


def test_css_has_every_variable_in_both_schemes():
    css = Path("docs/theme/assets/css/bpref.css").read_text(encoding="utf-8")
    for variable, light in svg.COLOURS.values():
        values = re.findall(rf"--fig-{variable}: (#[0-9a-f]{{6}});", css)
        assert len(values) == 2, variable
        assert values[0] == light, f"{variable}: the style sheet and sitekit.svg disagree"


def test_saved_figure_is_a_fragment_with_its_own_ids(tmp_path):
    fig, ax = style.new_figure()
    ax.plot([0, 1], [0, 1], color=style.FORWARD, label="线")
    ax.legend()
    style.save(fig, tmp_path / "plot.zh.svg")
    text = (tmp_path / "plot.zh.svg").read_text(encoding="utf-8")
    assert text.startswith("<svg")
    assert "var(--fig-forward)" in text
    assert not re.search(r"#0[0-9a-f]0[0-9a-f]0[0-9a-f]", text)
    assert all(i.startswith("plot-zh-") for i in re.findall(r'\bid="([^"]*)"', text))
    assert "线" in text
    assert "font-family" not in text


def test_standalone_figure_has_no_stand_in_left():
    drawing = "".join(f'<path fill="{colour}"/>' for colour in svg.COLOURS)
    assert not re.search(r"#0[0-9a-f]0[0-9a-f]0[0-9a-f]", svg.standalone(drawing))
