"""What warm-up is worth: the range of usable rates, from a start that is too steep.

The article's model, SGD, batch 32, 400 gradients, cosine to zero, with no warm-up and with a linear
one over 40 and over 100 of the 400 steps; the start is PyTorch's, and the same three times as
large. Seven peak rates for each, 30 seeds. Measured: runs that diverge (error above 100 or no
number), the error minus its floor 1, and 2/lambda_max of the whole data at the start.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from bpref import optim
from experiments._article_model import Rates, Runs, summary, train
from experiments._claim import Claim
from experiments._ranges import exactly

RTOL = 1e-3

SEEDS, EPOCHS, STEPS = range(30), 100, 400
PEAKS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64)
SCALES = {"usual": 1.0, "large": 3.0}
WARMUPS = {"none": 0, "short": 40, "long": 100}

WORKED = ("seeds", "peaks*", "steps")
CLAIMS = (
    Claim(
        id="learning-rate-warm-up-widens-the-range",
        en="From a start three times as large, the largest peak rate without a diverged run is "
        "{{ learning_rate_warmup.large.none.largest_safe }} without warm-up, "
        "{{ learning_rate_warmup.large.short.largest_safe }} with 40 steps and "
        "{{ learning_rate_warmup.large.long.largest_safe }} with 100. From PyTorch's start it is "
        "{{ learning_rate_warmup.usual.none.largest_safe }} in each case.",
        zh="初始值放大三倍时，没有一次发散的最大峰值学习率，不预热是 "
        "{{ learning_rate_warmup.large.none.largest_safe }}，预热 40 步是 "
        "{{ learning_rate_warmup.large.short.largest_safe }}，100 步是 "
        "{{ learning_rate_warmup.large.long.largest_safe }}。用 PyTorch 的初始值，三种情形都是 "
        "{{ learning_rate_warmup.usual.none.largest_safe }}。",
        criterion="large.none.largest_safe < large.short.largest_safe < large.long.largest_safe "
        "and usual.none.largest_safe == usual.short.largest_safe == usual.long.largest_safe and "
        "large.limit.median < 0.5 * usual.limit.median",
        covers=("*.*.largest_safe", "*.*.lost*", "*.limit.*"),
        runs="seeds",
        spread=("large.limit.min", "large.limit.max"),
        figure="learning_rate_warmup",
    ),
    Claim(
        id="learning-rate-warm-up-does-not-beat-a-tuned-rate",
        en="With each peak tuned, warm-up changes nothing on the article's model: the error above "
        "the floor is {{ learning_rate_warmup.usual.none.best.median | .3f }} without, "
        "{{ learning_rate_warmup.usual.short.best.median | .3f }} with 40 steps and "
        "{{ learning_rate_warmup.usual.long.best.median | .3f }} with 100; from the large start "
        "{{ learning_rate_warmup.large.none.best.median | .3f }}, "
        "{{ learning_rate_warmup.large.short.best.median | .3f }} and "
        "{{ learning_rate_warmup.large.long.best.median | .3f }}.",
        zh="峰值各自调好之后，预热在原文的模型上没有区别：超出下限的误差，不预热为 "
        "{{ learning_rate_warmup.usual.none.best.median | .3f }}，预热 40 步为 "
        "{{ learning_rate_warmup.usual.short.best.median | .3f }}，100 步为 "
        "{{ learning_rate_warmup.usual.long.best.median | .3f }}；初始值放大三倍时为 "
        "{{ learning_rate_warmup.large.none.best.median | .3f }}、"
        "{{ learning_rate_warmup.large.short.best.median | .3f }} 和 "
        "{{ learning_rate_warmup.large.long.best.median | .3f }}。",
        criterion="all(0.8 < s[k].best.median / s.none.best.median < 1.25 for s in (usual, large) "
        "for k in ('short', 'long'))",
        covers=("*.*.best.*",),
        runs="seeds",
        spread=("large.none.best.min", "large.none.best.max"),
        figure="learning_rate_warmup_best",
    ),
)


def shape(warmup: int, t: int) -> float:
    """The rate over its peak."""
    if t < warmup:
        return (t + 1) / warmup
    return 0.5 * (1.0 + math.cos(math.pi * (t - warmup) / (STEPS - warmup)))


def limits(scale: float) -> np.ndarray:
    """2/lambda_max at the start, for each seed; the Hessian by differences, away from kinks."""
    runs, h = Runs(SEEDS, scale), 1e-7
    theta, columns = runs.theta, []
    for unit in np.eye(theta.shape[-1]):
        gradients = []
        for sign in (1.0, -1.0):
            runs.theta = theta + sign * h * unit
            gradients.append(runs.loss_and_gradient(runs.x, runs.y)[1])
        columns.append((gradients[0] - gradients[1]) / (2.0 * h))
    hessian = np.stack(columns, axis=-1)
    return 2.0 / np.linalg.eigvalsh((hessian + hessian.swapaxes(-1, -2)) / 2.0)[:, -1]


def run() -> dict[str, Any]:
    result: dict[str, Any] = {"seeds": len(SEEDS), "steps": STEPS, "peaks": list(PEAKS)}
    for name, scale in SCALES.items():
        result[name] = {"limit": exactly(limits(scale))}
        for kind, warmup in WARMUPS.items():
            runs = Runs(SEEDS, scale)
            table = train(
                runs,
                Rates(optim.SGD, PEAKS),
                runs.epochs(EPOCHS),
                lambda t, warmup=warmup: shape(warmup, t),  # type: ignore[misc]
            )
            lost = np.isinf(table).sum(axis=1)
            best = int(np.argmin(np.median(table, axis=1)))
            result[name][kind] = {
                "lost": lost.tolist(),
                "largest_safe": max(p for p, n in zip(PEAKS, lost, strict=True) if n == 0),
                "best": summary(table[best] - 1.0) | {"rate": PEAKS[best]},
            }
    return result


def draw(result: dict[str, Any], lang: str) -> dict[str, Figure]:
    from experiments._ranges import Bar, draw_ranges

    words = WORDS[lang]
    comma = {"en": ", ", "zh": "，"}[lang]
    bars = [
        Bar(f"{words[name]}{comma}{words[kind]}", result[name][kind]["best"])
        for name in SCALES
        for kind in WARMUPS
    ]
    return {
        "learning_rate_warmup": draw_lost(result, words),
        "learning_rate_warmup_best": draw_ranges(bars, words["error"]),
    }


WORDS = {
    "en": {
        "usual": "PyTorch's start",
        "large": "three times as large",
        "none": "no warm-up",
        "short": "40 steps",
        "long": "100 steps",
        "x": "peak rate",
        "y": "diverged, of 30 runs",
        "error": "error above the floor, each at its best peak",
    },
    "zh": {
        "usual": "PyTorch 的初始值",
        "large": "初始值放大三倍",
        "none": "不预热",
        "short": "预热 40 步",
        "long": "预热 100 步",
        "x": "峰值学习率",
        "y": "30 次中发散的次数",
        "error": "超出下限的误差，各用最好的峰值",
    },
}


def draw_lost(result: dict[str, Any], words: dict[str, str]) -> Figure:
    from experiments.style import SERIES, new_figure

    fig, axes = new_figure(width=7.2, height=3.2, ncols=2, sharey=True)
    for ax, name in zip(axes, SCALES, strict=True):
        for kind, color in zip(WARMUPS, SERIES, strict=False):
            ax.plot(
                result["peaks"], result[name][kind]["lost"], "o-", color=color, label=words[kind]
            )
        ax.set_xscale("log")
        ax.set_xticks(result["peaks"][::2], [f"{p:g}" for p in result["peaks"][::2]])
        ax.minorticks_off()
        ax.set_title(words[name], fontsize=10)
        ax.set_xlabel(words["x"])
    axes[0].set_ylabel(words["y"])
    axes[0].legend()
    return fig
