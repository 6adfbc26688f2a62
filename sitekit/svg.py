"""One look for all figures: SVG whose colours are CSS variables.

A figure is inlined into its page, so ``var(--fig-ink)`` follows the reader's light or dark
scheme. Matplotlib can't write CSS variables: figures are drawn with stand-in colours that
``inline`` replaces by variables and ``standalone`` by the colours of the light scheme.
Text stays text: searchable, selectable, in the reader's own font.
"""

from __future__ import annotations

import re

from cycler import cycler

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

# Stand-in -> (CSS variable, its value in the light scheme; bpref.css has the dark ones).
COLOURS = {
    INK: ("ink", "#1d232b"),
    MUTED: ("muted", "#5a6472"),
    GRID: ("grid", "#dcdfe4"),
    FORWARD: ("forward", "#1f5fa8"),
    BACKWARD: ("backward", "#b3401a"),
    ACCENT: ("accent", "#6b3fa0"),
    GOOD: ("good", "#1d7a46"),
    BAD: ("bad", "#b3261e"),
    SURFACE: ("surface", "#ffffff"),
    SERIES[0]: ("series-1", "#1f5fa8"),
    SERIES[1]: ("series-2", "#b3401a"),
    SERIES[2]: ("series-3", "#1d7a46"),
    SERIES[3]: ("series-4", "#6b3fa0"),
    SERIES[4]: ("series-5", "#8a6100"),
    SERIES[5]: ("series-6", "#5a6472"),
}

# Matplotlib settings that use the stand-ins.
RC = {
    "svg.fonttype": "none",
    "svg.hashsalt": "sitekit",  # element ids are the same in every run
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=SERIES),
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


def inline(svg: str, name: str) -> str:
    """An SVG fragment to stand inside an HTML page; ``name`` keeps its ids apart from others."""
    svg = _clean(svg)
    for colour, (variable, _) in COLOURS.items():
        svg = svg.replace(colour, f"var(--fig-{variable})")
    # Ids are per file in matplotlib and per page in HTML: make them the figure's own.
    prefix = re.sub(r"[^a-zA-Z0-9]", "-", name)
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    svg = re.sub(r"url\(#", f"url(#{prefix}-", svg)
    svg = re.sub(r'xlink:href="#', f'href="#{prefix}-', svg)
    # Width and height in points would freeze the size; the view box and CSS decide.
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    # Path data is broken over many lines: one line per element reads and compresses better.
    svg = re.sub(r'"[^"<>]*"', lambda attribute: " ".join(attribute[0].split()), svg)
    lines = (line.strip() for line in svg.splitlines())
    return "\n".join(line for line in lines if line) + "\n"


def standalone(svg: str) -> str:
    """The same figure in the colours of the light scheme, for use outside a page."""
    for colour, (_, light) in COLOURS.items():
        svg = svg.replace(colour, light)
    return svg


def _clean(svg: str) -> str:
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r"<style[^>]*>.*?</style>", "", svg, flags=re.S)
    # Text: the size is matplotlib's, the font family is the page's.
    svg = re.sub(r"font: ([\d.]+px) [^;\"]+", r"font-size: \1", svg)
    return re.sub(r"font-family: [^;\"]+; ?", "", svg)
