"""Contenders side by side: a dot at the mean over the seeds, a line from lowest to highest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from unicodedata import east_asian_width

from experiments import style

# Of a spread, for `draw_bands`.
MEDIAN = ("min", "median", "max")
MIDDLE_80 = ("q10", "median", "q90")


class Dot(NamedTuple):
    """A row of a panel."""

    name: str
    spread: Mapping[str, float]
    color: str = style.SERIES[0]


class Panel(NamedTuple):
    x: str
    dots: Sequence[Dot]
    line: float | None = None  # a value to compare with


def draw_dots(panels: Sequence[Panel], width: float = 7.2, height: float = 0.36) -> Any:
    """One panel beside the other; the rows of the first are named at the left."""
    rows = len(panels[0].dots)
    fig, axes = style.new_figure(
        width, 0.8 + height * rows, ncols=len(panels), sharey=True, squeeze=False
    )
    for ax, panel in zip(axes[0], panels, strict=True):
        if panel.line is not None:
            ax.axvline(panel.line, color=style.MUTED, linewidth=1, linestyle=":")
        for y, dot in enumerate(panel.dots):
            ends = [dot.spread["min"], dot.spread["max"]]
            ax.plot(ends, [y, y], color=dot.color, lw=4, alpha=0.4, solid_capstyle="round")
            ax.plot(dot.spread["mean"], y, "o", color=dot.color, markersize=6)
        ax.set_xlabel(panel.x)
        ax.grid(axis="y", visible=False)
        ax.margins(x=0.08)
    names = [dot.name for dot in panels[0].dots]
    axes[0, 0].set_yticks(range(rows), names)
    axes[0, 0].set_ylim(rows - 0.5, -0.5)
    # Chinese characters are wider in the browser than the boxes that Matplotlib measures.
    wide = max(sum(east_asian_width(char) in "WF" for char in name) for name in names)
    left = min(0.3, wide * 0.4 * 10 / 72 / width)
    fig.get_layout_engine().set(rect=(left, 0, 1 - left, 1))
    return fig


def draw_bands(
    ax: Any,
    x: Sequence[float],
    spreads: Sequence[Mapping[str, float]],
    *,
    keys: tuple[str, str, str] = ("min", "mean", "max"),
    alpha: float = 0.18,
    **line: Any,
) -> None:
    """A line through the means and a band from the lowest to the highest value, or other keys."""
    low, middle, high = ([s[key] for s in spreads] for key in keys)
    ax.fill_between(x, low, high, color=line["color"], alpha=alpha, linewidth=0)
    ax.plot(x, middle, **line)
