"""Figures of the experiments, all in one style (see ``sitekit.svg``)."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from sitekit.svg import (
    ACCENT,
    BACKWARD,
    BAD,
    FORWARD,
    GOOD,
    GRID,
    INK,
    MUTED,
    RC,
    SERIES,
    SURFACE,
    inline,
)

__all__ = [
    "ACCENT",
    "BACKWARD",
    "BAD",
    "FORWARD",
    "GOOD",
    "GRID",
    "INK",
    "MUTED",
    "SERIES",
    "SURFACE",
    "arrow",
    "box",
    "diagram",
    "new_figure",
    "save",
]

matplotlib.rcParams.update(RC)


def new_figure(width: float = 6.4, height: float = 3.6, **subplots: Any) -> tuple[Figure, Any]:
    """A figure in the style of the site; size in inches, 1 inch = 72 CSS pixels before scaling."""
    fig, ax = plt.subplots(figsize=(width, height), layout="constrained", **subplots)
    return fig, ax


def diagram(width: float = 6.4, height: float = 3.6) -> tuple[Figure, Axes]:
    """A canvas without axes whose data units are inches, for boxes and arrows."""
    fig = plt.figure(figsize=(width, height))
    ax = fig.add_axes((0.0, 0.0, 1.0, 1.0))
    ax.set_xlim(0, width)
    ax.set_ylim(0, height)
    ax.axis("off")
    return fig, ax


def box(
    ax: Axes,
    x: float,
    y: float,
    w: float,
    h: float,
    text: str = "",
    *,
    color: str = INK,
    fill: str = SURFACE,
    fontsize: float = 10,
    **patch: Any,
) -> FancyBboxPatch:
    """A rounded box with its lower left corner at (x, y) and centred text."""
    shape = FancyBboxPatch(
        (x, y),
        w,
        h,
        boxstyle="round,pad=0,rounding_size=0.08",
        edgecolor=color,
        facecolor=fill,
        linewidth=1.3,
        **patch,
    )
    ax.add_patch(shape)
    if text:
        ax.text(x + w / 2, y + h / 2, text, ha="center", va="center", fontsize=fontsize, color=INK)
    return shape


def arrow(
    ax: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    *,
    color: str = INK,
    text: str = "",
    curve: float = 0.0,
    fontsize: float = 9,
    offset: tuple[float, float] = (0.0, 0.1),
    **arrowprops: Any,
) -> None:
    """An arrow from start to end with an optional label at its middle."""
    props = {
        "arrowstyle": "-|>",
        "color": color,
        "linewidth": 1.5,
        "shrinkA": 0,
        "shrinkB": 0,
        "connectionstyle": f"arc3,rad={curve}",
        "mutation_scale": 12,
    } | arrowprops
    ax.annotate("", xy=end, xytext=start, arrowprops=props)
    if text:
        x = (start[0] + end[0]) / 2 + offset[0]
        y = (start[1] + end[1]) / 2 + offset[1]
        ax.text(x, y, text, ha="center", va="center", fontsize=fontsize, color=color)


def save(fig: Figure, path: Path) -> None:
    """Write the figure as an SVG fragment that can stand inside an HTML page."""
    buffer = io.StringIO()
    with warnings.catch_warnings():
        # Matplotlib measures Chinese text with a font that lacks it; the browser draws it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        fig.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(fig)
    path.write_text(inline(buffer.getvalue(), path.stem), encoding="utf-8")
