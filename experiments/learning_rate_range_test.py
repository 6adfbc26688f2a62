"""The range test of Smith: raise the rate a little every step and watch where the loss turns.

The article's model and data, SGD and Adam, 300 steps with the rate growing from 1e-5 to 10 (a
factor of 1.047 per step), batch 32, 30 seeds. Measured: the rate at which the smoothed batch loss
(exponential average, 0.9) is lowest and the rate at which it exceeds four times that minimum,
median and 10-90 % range over seeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments._article_model import SGD, Adam, Runs

RTOL = 1e-3  # near the turn the iteration amplifies rounding; the turn itself is a grid point

SEEDS = 30
STEPS = 300
LOW, HIGH = 1e-5, 10.0


def sweep(rule: type[SGD]) -> tuple[np.ndarray, np.ndarray]:
    """The rates (STEPS,) and the smoothed losses (STEPS, seeds)."""
    rates = np.geomspace(LOW, HIGH, STEPS)
    runs, optimizer = Runs(SEEDS), rule(LOW)
    smooth: np.ndarray | float = 0.0
    out = []
    stream: Iterator[tuple[np.ndarray, np.ndarray]] = iter(())
    with np.errstate(over="ignore", invalid="ignore"):
        for t, rate in enumerate(rates):
            batch = next(stream, None)
            if batch is None:
                stream = runs.batches()
                batch = next(stream)
            loss, gradient = runs.loss_and_gradient(*batch)
            smooth = 0.9 * smooth + 0.1 * loss
            out.append(smooth / (1.0 - 0.9 ** (t + 1)))
            optimizer.lr = rate
            runs.theta = optimizer.step(runs.theta, gradient)
    return rates, np.array(out)


def run() -> dict[str, Any]:
    result: dict[str, Any] = {"seeds": SEEDS, "steps": STEPS}
    for name, rule in (("sgd", SGD), ("adam", Adam)):
        rates, loss = sweep(rule)
        loss = np.where(np.isfinite(loss), loss, np.inf)
        low = loss.argmin(axis=0)
        # the first step after the minimum where the loss is four times as large
        turn = [
            int(np.argmax((loss[:, s] > 4 * loss[low[s], s]) & (np.arange(STEPS) > low[s])))
            for s in range(SEEDS)
        ]
        entry: dict[str, Any] = {}
        for label, index in (("lowest", low), ("explodes", np.array(turn))):
            q = np.quantile(rates[index], [0.1, 0.5, 0.9], method="nearest")
            entry[label] = {"q10": float(q[0]), "median": float(q[1]), "q90": float(q[2])}
        middle = np.median(loss[::6], axis=1)
        entry["curve"] = [float(v) if v < 100 else None for v in middle]
        result[name] = entry
    result["rates"] = np.geomspace(LOW, HIGH, STEPS)[::6].tolist()
    return result


def draw(result: dict[str, Any], lang: str) -> Figure:
    from experiments.style import SERIES, new_figure

    fig, ax = new_figure(width=6.4, height=3.2)
    for color, name in zip(SERIES, ("sgd", "adam"), strict=False):
        curve = [np.nan if v is None else v for v in result[name]["curve"]]
        ax.plot(result["rates"], curve, color=color, label={"sgd": "SGD", "adam": "Adam"}[name])
        ax.axvline(result[name]["lowest"]["median"], color=color, linestyle=":", linewidth=1)
    ax.set_xscale("log")
    ticks = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10]
    ax.set_xticks(ticks, ["1e-5", "1e-4", "1e-3", "1e-2", "1e-1", "1", "10"])
    ax.minorticks_off()
    ax.set_ylim(0, 12)
    ax.set_xlabel(
        {
            "en": "learning rate of the step (grows with every step)",
            "zh": "该步的学习率（逐步增大）",
        }[lang]
    )
    ax.set_ylabel({"en": "smoothed batch loss", "zh": "平滑后的批量损失"}[lang])
    ax.legend(loc="upper left")
    return fig
