"""How well two ways to compute a gradient agree, over many random cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from experiments import style
from experiments._ranges import bound

# Left edge of the figure: exact agreement, an error of 0, stands there.
EDGE = 1e-18


def central(loss: Callable[[], float], parameter: np.ndarray, eps: float = 1e-5) -> np.ndarray:
    """Central differences of a loss that reads the parameter, an array that is changed in place."""
    out = np.empty_like(parameter)
    for index in np.ndindex(parameter.shape):
        keep = parameter[index]
        parameter[index] = keep + eps
        above = loss()
        parameter[index] = keep - eps
        below = loss()
        parameter[index] = keep
        out[index] = (above - below) / (2 * eps)
    return out


def relative(estimate: np.ndarray, truth: np.ndarray) -> float:
    """Norm of the difference over the norm of the truth."""
    return float(np.linalg.norm(estimate - truth) / np.linalg.norm(truth))


def stored(tensor: Any) -> np.ndarray:
    """What PyTorch stored in .grad."""
    return np.asarray(tensor.grad)


def extremes(values: Sequence[float]) -> dict[str, float]:
    return {"least": min(values), "median": float(np.median(values)), "most": max(values)}


def spread(errors: Sequence[float], floor: float) -> dict[str, float]:
    """Sum up the relative errors of all cases.

    The bound is a power of ten, at least three times the largest error and at least the floor:
    rounding differs between CPUs, and the largest of many rounding errors differs most.
    """
    return {
        "least": float(min(errors)),
        "median": float(np.median(errors)),
        "ninety": float(np.quantile(errors, 0.9)),
        "below": bound(max(errors), floor),
    }


def figure(rows: dict[str, dict[str, float]], lang: str) -> Any:
    """A bar for each comparison: least to 90 % of the errors, the median, the bound."""
    words = {
        "en": ("relative error", "rounding unit of float64", "median", "least to 90 %", "bound"),
        "zh": ("相对误差", "float64 的舍入单位", "中位数", "最小值至 90 % 分位", "上界"),
    }[lang]
    fig, ax = style.new_figure(6.6, 1.45 + 0.3 * len(rows))
    for place, row in enumerate(rows.values()):
        first = place == 0
        low, middle, high = (max(row[key], EDGE) for key in ("least", "median", "ninety"))
        ax.plot(
            [low, high],
            [place, place],
            color=style.FORWARD,
            linewidth=5,
            alpha=0.35,
            solid_capstyle="butt",
            label=words[3] if first else None,
        )
        ax.plot(middle, place, "o", color=style.FORWARD, label=words[2] if first else None)
        ax.plot(
            row["below"],
            place,
            "|",
            color=style.BACKWARD,
            markersize=12,
            markeredgewidth=2,
            label=words[4] if first else None,
        )
    unit = float(np.finfo(np.float64).eps)
    ax.axvline(unit, color=style.MUTED, linewidth=0.9, linestyle="--", label=words[1])
    ax.set_xscale("log")
    ax.set_xlim(EDGE / 2, 1e-5)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlabel(words[0])
    fig.legend(loc="outside upper center", ncols=4, fontsize=8, frameon=False)
    return fig
