"""One style for all figures: SVG whose colours are CSS variables.

A figure is inlined into the page, so ``var(--fig-ink)`` follows the reader's light or
dark scheme. Matplotlib can't write CSS variables; it draws with stand-in colours which
``save`` replaces. Text stays text: searchable, selectable, in the reader's own font.
"""

from __future__ import annotations

import io
import re
import warnings
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402  (the backend is chosen first)
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.patches import FancyBboxPatch  # noqa: E402

# Stand-ins: nearly black, so a forgotten one is visible; each is one CSS variable.
INK = "#010101"
MUTED = "#020202"
GRID = "#030303"
FORWARD = "#040404"
BACKWARD = "#050505"
ACCENT = "#060606"
GOOD = "#070707"
BAD = "#080808"
SURFACE = "#090909"
SERIES = ["#0a0a0a", "#0b0b0b", "#0c0c0c", "#0d0d0d", "#0e0e0e", "#0f0f0f"]

VARIABLES = {
    INK: "ink",
    MUTED: "muted",
    GRID: "grid",
    FORWARD: "forward",
    BACKWARD: "backward",
    ACCENT: "accent",
    GOOD: "good",
    BAD: "bad",
    SURFACE: "surface",
} | {colour: f"series-{i}" for i, colour in enumerate(SERIES, start=1)}

RC = {
    "svg.fonttype": "none",
    "svg.hashsalt": "bpref",  # element ids are the same in every run
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": matplotlib.cycler(color=SERIES),
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}
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
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r"<style[^>]*>.*?</style>", "", svg, flags=re.S)
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, f"var(--fig-{variable})")
    # Text: the size is matplotlib's, the font family is the page's.
    svg = re.sub(r"font: ([\d.]+px) [^;\"]+", r"font-size: \1", svg)
    svg = re.sub(r"font-family: [^;\"]+; ?", "", svg)
    # Ids are per file in matplotlib and per page in HTML: make them the figure's own.
    stem = re.sub(r"[^a-zA-Z0-9]", "-", path.name.removesuffix(".svg"))
    svg = re.sub(r'id="', f'id="{stem}-', svg)
    svg = re.sub(r"url\(#", f"url(#{stem}-", svg)
    svg = re.sub(r'xlink:href="#', f'href="#{stem}-', svg)
    # Width and height in points would freeze the size; the view box and CSS decide.
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    # Path data is broken over many lines: one line per element reads and compresses better.
    svg = re.sub(r'"[^"<>]*"', lambda attribute: " ".join(attribute[0].split()), svg)
    lines = (line.strip() for line in svg.splitlines())
    path.write_text("\n".join(line for line in lines if line) + "\n", encoding="utf-8")
