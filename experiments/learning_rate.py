"""What a learning rate of 1e-3 does on the article's own model, and what a search on a log grid
finds.

The article's network (1-10-1, ReLU), its data (100 points of y = 2x + 1 + noise), batch size 32
and 100 epochs, for SGD and Adam on a grid of rates, 30 seeds (own data, weights and batch order
each), float64. Measured: the expected squared error on new data (1.0 is the noise floor), median
and 10-90 % range over the seeds; a run whose error is above 100 or not finite counts as diverged.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments._article_model import SGD, Adam, Runs

# 400 steps near the limit of stability amplify rounding; medians over 30 seeds move less than this
RTOL = 1e-3

SEEDS = 30
EPOCHS = 100
RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)


def key(rate: float) -> str:
    return f"lr_{rate:.0e}".replace("-0", "m").replace("+0", "p")


def train(rule: type[SGD], rate: float) -> np.ndarray:
    runs, optimizer = Runs(SEEDS), rule(rate)
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(EPOCHS):
            for x, y in runs.batches():
                runs.theta = optimizer.step(runs.theta, runs.loss_and_gradient(x, y)[1])
        return runs.population_mse()


def run() -> dict[str, Any]:
    result: dict[str, Any] = {"seeds": SEEDS, "epochs": EPOCHS, "rates": list(RATES)}
    start = Runs(SEEDS).population_mse()
    result["untrained"] = float(np.median(start))
    for name, rule in (("sgd", SGD), ("adam", Adam)):
        result[name] = {}
        for rate in RATES:
            error = train(rule, rate)
            diverged = ~(error < 100.0)
            entry: dict[str, Any] = {"rate": rate, "diverged": int(diverged.sum())}
            if not diverged.any():
                q = np.quantile(error, [0.1, 0.5, 0.9])
                entry |= {"q10": float(q[0]), "median": float(q[1]), "q90": float(q[2])}
            result[name][key(rate)] = entry
        usable = {k: v["median"] for k, v in result[name].items() if "median" in v}
        best = min(usable, key=usable.__getitem__)
        result[name]["best"] = result[name][best] | {"key": best}
    return result


def draw(result: dict[str, Any], lang: str) -> Figure:
    from experiments.style import BAD, MUTED, SERIES, new_figure

    fig, ax = new_figure(width=6.4, height=3.6)
    for color, name in zip(SERIES, ("sgd", "adam"), strict=False):
        rows = [result[name][key(r)] for r in result["rates"]]
        good = [r for r in rows if "median" in r]
        x = [r["rate"] for r in good]
        ax.fill_between(
            x,
            [r["q10"] for r in good],
            [r["q90"] for r in good],
            color=color,
            alpha=0.2,
            linewidth=0,
        )
        ax.plot(
            x,
            [r["median"] for r in good],
            marker="o",
            color=color,
            label={"sgd": "SGD", "adam": "Adam"}[name],
        )
        bad = [r["rate"] for r in rows if "median" not in r]
        ax.plot(bad, [14.0] * len(bad), "x", color=color)
    ax.axhline(1.0, color=MUTED, linewidth=1, linestyle="--")
    ax.axvline(1e-3, color=BAD, linewidth=1, linestyle=":")
    ax.text(1.06e-3, 9.0, "1e-3", color=BAD, fontsize=9)
    ax.text(1.1e-4, 1.04, {"en": "noise floor", "zh": "噪声下限"}[lang], color=MUTED, fontsize=9)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xticks([1e-4, 1e-3, 1e-2, 1e-1, 1], ["1e-4", "1e-3", "1e-2", "1e-1", "1"])
    ax.set_yticks([1, 2, 5, 10], ["1", "2", "5", "10"])
    ax.minorticks_off()
    ax.set_xlabel(
        {
            "en": "learning rate (crosses: at least one run diverged)",
            "zh": "学习率（叉号：至少一次训练发散）",
        }[lang]
    )
    ax.set_ylabel({"en": "error on new data", "zh": "新数据上的误差"}[lang])
    ax.legend(loc="center right")
    return fig
