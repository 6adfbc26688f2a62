"""The best rate belongs to a length of training: 1e-3 against 0.01 with ten times the gradients.

The article's network and 100 points, batch 32, for 100 epochs (400 gradients) and for 1000 epochs
(4000 gradients), the same five rates for SGD and Adam, 30 seeds: the expected squared error on new
data above its floor 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from bpref import optim
from experiments._article_model import Rates, Runs, summary, train
from experiments._claim import Claim

RTOL = 1e-3
SEEDS = 30
RATES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
BUDGETS = {"short": 100, "long": 1000}  # epochs
RULES = {"sgd": optim.SGD, "adam": optim.Adam}

WORKED = ("seeds", "epochs.*", "gradients.*", "rates*")
CLAIMS = (
    Claim(
        id="learning-rate-best-rate-depends-on-the-budget",
        en="With {{ learning_rate_budget.gradients.long }} gradients in place of "
        "{{ learning_rate_budget.gradients.short }} the rate $10^{-3}$ is better than $0.01$ in "
        "{{ learning_rate_budget.long.sgd.smaller_wins }} of {{ learning_rate_budget.seeds }} "
        "seeds with SGD (error above the floor "
        "{{ learning_rate_budget.long.sgd.errors[1].median | .3f }} against "
        "{{ learning_rate_budget.long.sgd.errors[3].median | .3f }} in the median) and in "
        "{{ learning_rate_budget.long.adam.smaller_wins }} with Adam "
        "({{ learning_rate_budget.long.adam.errors[1].median | .3f }} against "
        "{{ learning_rate_budget.long.adam.errors[3].median | .3f }}); with "
        "{{ learning_rate_budget.gradients.short }} gradients in "
        "{{ learning_rate_budget.short.sgd.smaller_wins }} and "
        "{{ learning_rate_budget.short.adam.smaller_wins }}.",
        zh="把 {{ learning_rate_budget.gradients.short }} 次梯度换成 "
        "{{ learning_rate_budget.gradients.long }} 次，{{ learning_rate_budget.seeds }} 个种子中 "
        "$10^{-3}$ 优于 $0.01$ 的，SGD 有 {{ learning_rate_budget.long.sgd.smaller_wins }} 个"
        "（超出下限的误差，中位数 {{ learning_rate_budget.long.sgd.errors[1].median | .3f }} 对 "
        "{{ learning_rate_budget.long.sgd.errors[3].median | .3f }}），Adam 有 "
        "{{ learning_rate_budget.long.adam.smaller_wins }} 个（"
        "{{ learning_rate_budget.long.adam.errors[1].median | .3f }} 对 "
        "{{ learning_rate_budget.long.adam.errors[3].median | .3f }}）；"
        "{{ learning_rate_budget.gradients.short }} 次梯度时分别为 "
        "{{ learning_rate_budget.short.sgd.smaller_wins }} 个和 "
        "{{ learning_rate_budget.short.adam.smaller_wins }} 个。",
        criterion="long.adam.smaller_wins > 0.5 * seeds and long.sgd.smaller_wins > 0.25 * seeds "
        "and short.sgd.smaller_wins == short.adam.smaller_wins == 0 and "
        "long.adam.best_rate < short.adam.best_rate and long.sgd.best_rate < short.sgd.best_rate",
        covers=("long.*", "short.*"),
        runs="seeds",
        spread=("long.adam.errors[1].min", "long.adam.errors[1].max"),
        figure="learning_rate_budget",
    ),
)


def run() -> dict[str, Any]:
    result: dict[str, Any] = {"seeds": SEEDS, "rates": list(RATES), "epochs": BUDGETS}
    result["gradients"] = {name: 4 * epochs for name, epochs in BUDGETS.items()}
    small, large = RATES.index(1e-3), RATES.index(1e-2)
    for name, epochs in BUDGETS.items():
        result[name] = {}
        for key, rule in RULES.items():
            runs = Runs(range(SEEDS))
            table = train(runs, Rates(rule, RATES), runs.epochs(epochs)) - 1.0
            result[name][key] = {
                "errors": [summary(row) for row in table],
                "best_rate": RATES[int(np.argmin(np.median(table, axis=1)))],
                "smaller_wins": int((table[small] < table[large]).sum()),
            }
    return result


def draw(result: dict[str, Any], lang: str) -> Figure:
    from experiments._dots import MIDDLE_80, draw_bands
    from experiments.style import SERIES, new_figure

    words = {
        "en": ("{} gradients", "learning rate", "error above the floor"),
        "zh": ("{} 次梯度", "学习率", "超出下限的误差"),
    }[lang]
    fig, axes = new_figure(7.2, 3.3, ncols=2, sharey=True)
    for ax, (key, label) in zip(axes, {"sgd": "SGD", "adam": "Adam"}.items(), strict=True):
        for name, color in zip(BUDGETS, SERIES, strict=False):
            rows = result[name][key]["errors"]
            text = words[0].format(result["gradients"][name]) if ax is axes[0] else None
            look = {"color": color, "marker": "o", "markersize": 4, "label": text}
            draw_bands(ax, RATES, rows, keys=MIDDLE_80, alpha=0.25, **look)
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xlabel(words[1])
        ax.set_title(label, fontsize=10)
    axes[0].set_ylabel(words[2])
    fig.legend(loc="outside upper center", ncols=2)
    return fig
