"""The range test of Smith: raise the rate a little every step and watch where the loss turns.

The article's model and data, SGD and Adam, 300 steps with the rate growing from 1e-5 to 10 (a
factor of 1.047 per step), batch 32, 30 seeds. Measured: the rate at which the smoothed batch loss
(exponential average, 0.9) is lowest and the rate at which it exceeds four times that minimum.
``rule``: each seed is then trained for 100 epochs (400 steps) with shares of its own lowest point,
and with every rate of a grid of nine; the error on new data minus its floor 1, of which the best
on the grid is chosen for all seeds together.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from bpref import optim
from experiments._article_model import Rates, Runs, summary, train
from experiments._claim import Claim

RTOL = 1e-3  # near the turn the iteration amplifies rounding; the turn itself is a grid point

SEEDS = 30
STEPS = 300
EPOCHS = 100
LOW, HIGH = 1e-5, 10.0
GRID = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)
SHARES = {"one": 1.0, "third": 1 / 3, "tenth": 0.1, "thirtieth": 1 / 30}
RULES = {"sgd": optim.SGD, "adam": optim.Adam}

WORKED = ("seeds", "steps")
CLAIMS = (
    Claim(
        id="learning-rate-range-test-finds-the-range",
        en="In the range test the smoothed loss of SGD is lowest at "
        "{{ learning_rate_range_test.sgd.lowest.median | .2f }} and four times as large at "
        "{{ learning_rate_range_test.sgd.explodes.median | .2f }}, that of Adam at "
        "{{ learning_rate_range_test.adam.lowest.median | .2f }} and "
        "{{ learning_rate_range_test.adam.explodes.median | .1f }} (medians of "
        "{{ learning_rate_range_test.seeds }} seeds): Adam bears larger rates.",
        zh="范围测试中，SGD 的平滑损失在 {{ learning_rate_range_test.sgd.lowest.median | .2f }} "
        "处最低，在 {{ learning_rate_range_test.sgd.explodes.median | .2f }} 处升到四倍；Adam "
        "分别为 {{ learning_rate_range_test.adam.lowest.median | .2f }} 和 "
        "{{ learning_rate_range_test.adam.explodes.median | .1f }}"
        "（{{ learning_rate_range_test.seeds }} 个种子的中位数）：Adam 承受得住更大的学习率。",
        criterion="sgd.lowest.q90 < sgd.explodes.q10 and adam.lowest.q90 < adam.explodes.q10 and "
        "adam.explodes.q10 > sgd.explodes.q90",
        covers=("*.lowest.*", "*.explodes.*"),
        runs="seeds",
        spread=("sgd.lowest.min", "sgd.lowest.max"),
        figure="learning_rate_range_test",
    ),
    Claim(
        id="learning-rate-a-tenth-of-the-lowest-point",
        en="Training with a tenth of the lowest point of the range test ends at "
        "{{ learning_rate_range_test.sgd.rule.tenth.median | .3f }} above the floor with SGD and "
        "{{ learning_rate_range_test.adam.rule.tenth.median | .3f }} with Adam; the best of a grid "
        "of nine rates at {{ learning_rate_range_test.sgd.rule.grid.median | .3f }} and "
        "{{ learning_rate_range_test.adam.rule.grid.median | .3f }}. A third of the lowest point "
        "is worse in the median.",
        zh="用范围测试最低点的十分之一训练，终点超出下限：SGD 为 "
        "{{ learning_rate_range_test.sgd.rule.tenth.median | .3f }}，Adam 为 "
        "{{ learning_rate_range_test.adam.rule.tenth.median | .3f }}；九个学习率的网格中最好的"
        "分别为 {{ learning_rate_range_test.sgd.rule.grid.median | .3f }} 和 "
        "{{ learning_rate_range_test.adam.rule.grid.median | .3f }}。取最低点的三分之一，"
        "中位数更差。",
        criterion="all(r.tenth.diverged == 0 and r.tenth.median < 1.25 * r.grid.median and "
        "r.third.median > r.tenth.median for r in (sgd.rule, adam.rule))",
        covers=("*.rule.*",),
        runs="seeds",
        spread=("sgd.rule.tenth.min", "sgd.rule.tenth.max"),
        figure="learning_rate_range_test_rule",
    ),
)


def sweep(rule: type[optim.Optimizer]) -> tuple[np.ndarray, np.ndarray]:
    """The rates (STEPS,) and the smoothed losses (STEPS, seeds)."""
    rates = np.geomspace(LOW, HIGH, STEPS)
    runs, optimizer = Runs(range(SEEDS)), Rates(rule, [1.0])
    runs.theta = runs.theta[None]
    smooth: np.ndarray | float = 0.0
    out = []
    with np.errstate(over="ignore", invalid="ignore"):
        for t, (x, y) in zip(range(STEPS), runs.epochs(STEPS), strict=False):
            loss, gradient = runs.loss_and_gradient(x, y)
            smooth = 0.9 * smooth + 0.1 * loss[0]
            out.append(smooth / (1.0 - 0.9 ** (t + 1)))
            runs.theta = optimizer.step(runs.theta, gradient, rates[t])
    return rates, np.array(out)


def excess(rule: type[optim.Optimizer], rates: np.ndarray) -> np.ndarray:
    """Error minus its floor after the article's 100 epochs; a row of rates, or one per seed."""
    runs = Runs(range(SEEDS))
    optimizer = Rates(rule, [1.0] * len(rates))
    return train(runs, optimizer, runs.epochs(EPOCHS), lambda step: rates[:, :, None]) - 1.0


def run() -> dict[str, Any]:
    result: dict[str, Any] = {"seeds": SEEDS, "steps": STEPS}
    for name, rule in RULES.items():
        rates, loss = sweep(rule)
        loss = np.where(np.isfinite(loss), loss, np.inf)
        low = loss.argmin(axis=0)
        # the first step after the minimum where the loss is four times as large
        turn = [
            int(np.argmax((loss[:, s] > 4 * loss[low[s], s]) & (np.arange(STEPS) > low[s])))
            for s in range(SEEDS)
        ]
        entry: dict[str, Any] = {
            "lowest": summary(rates[low]),
            "explodes": summary(rates[turn]),
        }
        middle = np.median(loss[::6], axis=1)
        entry["curve"] = [float(v) if v < 100 else None for v in middle]
        table = excess(rule, np.tile(np.reshape(GRID, (-1, 1)), (1, SEEDS)))
        best = int(np.argmin(np.median(table, axis=1)))
        own = excess(rule, np.reshape(list(SHARES.values()), (-1, 1)) * rates[low])
        entry["rule"] = {"grid": summary(table[best]) | {"rate": GRID[best]}}
        for share, errors in zip(SHARES, own, strict=True):
            lost = int(np.isinf(errors).sum())
            entry["rule"][share] = {"diverged": lost} | ({} if lost else summary(errors))
        result[name] = entry
    result["rates"] = np.geomspace(LOW, HIGH, STEPS)[::6].tolist()
    return result


def draw(result: dict[str, Any], lang: str) -> dict[str, Figure]:
    return {
        "learning_rate_range_test": draw_sweep(result, lang),
        "learning_rate_range_test_rule": draw_rule(result, lang),
    }


def draw_sweep(result: dict[str, Any], lang: str) -> Figure:
    from experiments.style import SERIES, new_figure

    fig, ax = new_figure(width=6.4, height=3.2)
    for color, name in zip(SERIES, RULES, strict=False):
        curve = [np.nan if v is None else v for v in result[name]["curve"]]
        ax.plot(result["rates"], curve, color=color, label={"sgd": "SGD", "adam": "Adam"}[name])
        lowest = result[name]["lowest"]
        ax.axvline(lowest["median"], color=color, linestyle=":", linewidth=1)
        ax.axvspan(lowest["q10"], lowest["q90"], color=color, alpha=0.1, linewidth=0)
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


def draw_rule(result: dict[str, Any], lang: str) -> Figure:
    from experiments._ranges import Bar, draw_ranges
    from experiments.style import SERIES

    words = {
        "en": ("best of the grid", "lowest point / 3", "lowest point / 10", "lowest point / 30"),
        "zh": ("网格上最好的", "最低点 / 3", "最低点 / 10", "最低点 / 30"),
    }[lang]
    bars = []
    for rule, label, color in zip(RULES, ("SGD", "Adam"), SERIES, strict=False):
        for row, word in zip(("grid", "third", "tenth", "thirtieth"), words, strict=True):
            entry = result[rule]["rule"][row]
            bars.append(
                Bar(f"{label}, {word}" if lang == "en" else f"{label}，{word}", entry, color)
            )
    return draw_ranges(bars, {"en": "error above the floor", "zh": "超出下限的误差"}[lang])
