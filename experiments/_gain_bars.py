"""A row for each name on a logarithmic axis: lowest to highest value, a dot at the median."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments._ranges import _leave_room
from experiments.style import FORWARD, INK, new_figure


def draw_bars(
    rows: Mapping[str, Mapping[str, float]], label: str, colors: Sequence[str] | None = None
) -> Any:
    """Draw spreads (``min``, ``median``, ``max``); a line marks the value 1."""
    fig, ax = new_figure(7.2, 0.8 + 0.29 * len(rows))
    for y, (row, color) in enumerate(zip(rows.values(), colors or [FORWARD] * 99, strict=False)):
        ax.plot([row["min"], row["max"]], [y, y], color=color, lw=5, alpha=0.5)
        ax.plot(row["median"], y, "o", color=color, markersize=5)
    ax.axvline(1.0, color=INK, linewidth=0.8)
    ax.set_xscale("log")
    if min(row["min"] for row in rows.values()) < 1e-20:
        ax.set_xticks([10.0**p for p in range(-30, 11, 10)])
        ax.minorticks_off()
    ax.set_yticks(range(len(rows)), list(rows))
    _leave_room(fig, list(rows))
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel(label)
    return fig
