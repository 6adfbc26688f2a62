"""What a learning rate of 1e-3 does on the article's own model, and what a search on a log grid
finds.

The article's network (1-10-1, ReLU), its data (100 points of y = 2x + 1 + noise), batch size 32
and 100 epochs, so 400 gradients, for SGD and Adam on the same grid of nine rates, 30 seeds (own
data, weights and batch order each), float64. Measured: the expected squared error on new data (1.0
is the noise floor), median and 10-90 % range over the seeds; a run whose error is above 100 or not
finite counts as diverged.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from bpref import optim
from experiments._article_model import Rates, Runs, summary, train
from experiments._claim import Claim

# 400 steps near the limit of stability amplify rounding; medians over 30 seeds move less than this
RTOL = 1e-3

SEEDS = 30
EPOCHS = 100
RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)
RULES = {"sgd": optim.SGD, "adam": optim.Adam}

WORKED = ("seeds", "epochs")
CLAIMS = (
    Claim(
        id="learning-rate-ten-times-larger",
        en="On the article's model, $0.01$ gives a lower error than $0.001$ in "
        "{{ learning_rate.sgd.seeds_better_at_ten_times }} of {{ learning_rate.seeds }} seeds with "
        "SGD and in {{ learning_rate.adam.seeds_better_at_ten_times }} with Adam: the error above "
        "the floor is {{ learning_rate.sgd.excess_ratio.median | .0f }} and "
        "{{ learning_rate.adam.excess_ratio.median | .0f }} times smaller (median). Below $0.001$ "
        "it only gets worse.",
        zh="在原文的模型上，$0.01$ 的误差低于 $0.001$：SGD 在 {{ learning_rate.seeds }} 个种子中有 "
        "{{ learning_rate.sgd.seeds_better_at_ten_times }} 个如此，Adam 有 "
        "{{ learning_rate.adam.seeds_better_at_ten_times }} 个；超出下限的误差分别只有原来的 "
        "1/{{ learning_rate.sgd.excess_ratio.median | .0f }} 和 "
        "1/{{ learning_rate.adam.excess_ratio.median | .0f }}（中位数）。低于 $0.001$ 只会更差。",
        criterion="sgd.seeds_better_at_ten_times == seeds and adam.seeds_better_at_ten_times == "
        "seeds and all(untrained > r.lr_1em4.median > r.lr_3em4.median > r.lr_1em3.median and "
        "r.best.rate > 0.005 for r in (sgd, adam))",
        covers=("sgd.*", "adam.*", "untrained"),
        runs="seeds",
        spread=("sgd.excess_ratio.min", "sgd.excess_ratio.max"),
        figure="learning_rate",
    ),
)


def key(rate: float) -> str:
    return f"lr_{rate:.0e}".replace("-0", "m").replace("+0", "p")


def run() -> dict[str, Any]:
    result: dict[str, Any] = {"seeds": SEEDS, "epochs": EPOCHS, "rates": list(RATES)}
    result["untrained"] = float(np.median(Runs(range(SEEDS)).population_mse()))
    for name, rule in RULES.items():
        runs = Runs(range(SEEDS))
        errors = train(runs, Rates(rule, RATES), runs.epochs(EPOCHS))
        rows: dict[str, Any] = {}
        for rate, error in zip(RATES, errors, strict=True):
            lost = int(np.isinf(error).sum())
            rows[key(rate)] = {"rate": rate, "diverged": lost} | ({} if lost else summary(error))
        best = min((k for k in rows if "median" in rows[k]), key=lambda k: rows[k]["median"])
        rows["best"] = rows[best] | {"key": best}
        start, ten_times = errors[RATES.index(1e-3)], errors[RATES.index(1e-2)]
        rows["seeds_better_at_ten_times"] = int((ten_times < start).sum())
        rows["excess_ratio"] = summary((start - 1.0) / (ten_times - 1.0))
        result[name] = rows
    return result


def draw(result: dict[str, Any], lang: str) -> Figure:
    from experiments._dots import MIDDLE_80, draw_bands
    from experiments.style import BAD, MUTED, SERIES, new_figure

    fig, ax = new_figure(width=6.4, height=3.6)
    for color, name in zip(SERIES, ("sgd", "adam"), strict=False):
        rows = [result[name][key(r)] for r in result["rates"]]
        good = [r for r in rows if "median" in r]
        x = [r["rate"] for r in good]
        look = {"color": color, "marker": "o", "label": {"sgd": "SGD", "adam": "Adam"}[name]}
        draw_bands(ax, x, good, keys=MIDDLE_80, alpha=0.2, **look)
        bad = [r["rate"] for r in rows if "median" not in r]
        ax.plot(bad, [14.0] * len(bad), "x", color=color)
    ax.axhline(1.0, color=MUTED, linewidth=1, linestyle="--")
    ax.axvline(1e-3, color=BAD, linewidth=1, linestyle=":")
    ax.text(1.06e-3, 9.0, "1e-3", color=BAD, fontsize=9)
    floor = {"en": "noise of the labels", "zh": "标签的噪声"}[lang]
    ax.text(1.1e-4, 1.04, floor, color=MUTED, fontsize=9)
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
