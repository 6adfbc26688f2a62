"""The spread of a quantity over repeats: how a result holds it, and one way to draw it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from unicodedata import east_asian_width

import numpy as np

from experiments import style

# Two float64 numbers that are not equal differ by about this much, relative to their size.
SMALLEST = 1e-17


def bound(value: float, floor: float = 3e-13) -> float:
    """A power of ten, at least the floor and three times the value: CPUs round differently."""
    return float(f"1e{int(np.ceil(np.log10(max(3.0 * value, floor)) - 1e-9))}")


def bound_below(value: float) -> float:
    """A power of ten, at most a third of the value; 0 stays 0."""
    return float(f"1e{int(np.floor(np.log10(value / 3.0)))}") if value else 0.0


def spread(values: Iterable[float]) -> dict[str, float]:
    """Lowest, median and highest of many errors of rounding or of central differences.

    The noise differs between CPUs. Results below 1e-9 are compared by their order of magnitude,
    so they stand as they are; the largest error of a central difference may lie above, and is
    rounded up to a power of ten.
    """
    found = exactly(values)
    return found | ({"max": bound(found["max"])} if found["max"] > 1e-12 else {})


def exactly(values: Iterable[float]) -> dict[str, float]:
    """Lowest, median and highest value, as they are."""
    found = np.array([float(value) for value in values])
    return {
        "min": float(found.min()),
        "median": float(np.median(found)),
        "max": float(found.max()),
    }


class Bar(NamedTuple):
    """A range to draw: its row, its ends and median, its colour, its entry in the legend."""

    row: str
    spread: Mapping[str, float]
    color: str = style.FORWARD
    label: str = ""


def draw_ranges(bars: Sequence[Bar], x: str, height: float = 0.34, width: float = 7.4) -> Any:
    """A row for each name: a line from the lowest to the highest value, a dot at the median."""
    rows = list(dict.fromkeys(bar.row for bar in bars))
    labelled = any(bar.label for bar in bars)
    fig, ax = style.new_figure(width, 0.75 + 0.25 * labelled + height * len(rows))
    for bar in bars:
        y = rows.index(bar.row)
        low, high = (max(bar.spread[end], SMALLEST) for end in ("min", "max"))
        ax.plot([low, high], [y, y], color=bar.color, lw=4, solid_capstyle="round", alpha=0.55)
        ax.plot([max(bar.spread["median"], SMALLEST)], [y], "o", color=bar.color, markersize=6)
    for label, color in dict.fromkeys((bar.label, bar.color) for bar in bars if bar.label):
        ax.plot([], [], color=color, lw=4, label=label)
    if labelled:
        fig.legend(loc="outside upper center", ncols=3)
    ax.set_xscale("log")
    ax.set_yticks(range(len(rows)), rows)
    _leave_room(fig, rows)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel(x)
    if min(bar.spread["min"] for bar in bars) < SMALLEST:
        _name_the_zero(ax)
    return fig


def _leave_room(fig: Any, rows: Sequence[str]) -> None:
    """Chinese characters are wider in the browser than the boxes that Matplotlib measures."""
    wide = [sum(east_asian_width(char) in "WF" for char in row) for row in rows]
    here, there = (
        max(0.6 * len(row) + extra * n for row, n in zip(rows, wide, strict=True))
        for extra in (0.0, 0.4)
    )
    left = (there - here) * 10 / 72 / fig.get_figwidth()  # in widths; 10 points are one em
    fig.get_layout_engine().set(rect=(left, 0, 1 - left, 1))


def _name_the_zero(ax: Any) -> None:
    """A logarithmic axis has no zero: its left end stands for it."""
    left, right = np.log10(ax.get_xlim())
    step = 4 if right - left > 14 else 2
    zero = round(np.log10(SMALLEST))
    powers = [zero, *range(zero + step, int(right) + 1, step)]
    names = ["0", *(f"$10^{{{p}}}$" for p in powers[1:])]
    ax.set_xticks([10.0**p for p in powers], names)
    ax.minorticks_off()
