"""How many trials are enough, and what it costs to report the score that has chosen.

Two shipped tables, 12 splits; in each the same 64 configurations drawn at random from the ranges
of ``tuning_search``, trained for 27 epochs. Two sets of 78 rows each that were not trained on: one
chooses among n of the 64 and reports its error for the winner, the other shows the error of the
same winner on rows that chose nothing. Then the two sets change places. 200 draws of the n trials
(and, for ``small``, of 20 of the 78 rows that choose) are averaged within a split, so the spread is
over the splits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._claim import Claim
from experiments._many_nets import spread
from experiments._tables import TARGETS, Array, regressor, split
from experiments.tuning_search import EPOCHS, space

RTOL = 1e-3
SPLITS, POOL, DRAWS, ROWS, FEW = 12, 64, 200, 78, 20
TRIALS = (1, 2, 4, 8, 16, 32, 64)
SIZES = {"small": FEW, "large": ROWS}

WORKED = ("splits", "pool", "rows", "few", "trials*")
CLAIMS = (
    Claim(
        id="tuning-budget-the-score-that-chose-flatters",
        en="The error of the winner among 64 trials on the {{ tuning_budget.rows }} rows that "
        "chose it is lower than on fresh rows by "
        "{{ tuning_budget.tables.diabetes.large.flattery[6].mean | pct }} of the latter "
        "(diabetes) and {{ tuning_budget.tables.auto_mpg.large.flattery[6].mean | pct }} "
        "(Auto MPG); with {{ tuning_budget.few }} rows by "
        "{{ tuning_budget.tables.diabetes.small.flattery[6].mean | pct }} and "
        "{{ tuning_budget.tables.auto_mpg.small.flattery[6].mean | pct }}. With one trial the "
        "difference is "
        "{{ tuning_budget.tables.diabetes.large.flattery[0].mean | pct }}.",
        zh="64 次试验的优胜者，在选出它的 {{ tuning_budget.rows }} 行上的误差，比在没用过的行上低 "
        "{{ tuning_budget.tables.diabetes.large.flattery[6].mean | pct }}（糖尿病）和 "
        "{{ tuning_budget.tables.auto_mpg.large.flattery[6].mean | pct }}（Auto MPG）；只用 "
        "{{ tuning_budget.few }} 行来选，则低 "
        "{{ tuning_budget.tables.diabetes.small.flattery[6].mean | pct }} 和 "
        "{{ tuning_budget.tables.auto_mpg.small.flattery[6].mean | pct }}。只有一次试验时，相差 "
        "{{ tuning_budget.tables.diabetes.large.flattery[0].mean | pct }}。",
        criterion="all([t.large.flattery[6].min > 0 and t.small.flattery[6].min > 0 and "
        "t.small.flattery[6].mean > 2 * t.large.flattery[6].mean and "
        "abs(t.large.flattery[0].mean) < 0.001 for t in tables.values()])",
        covers=("tables.*.flattery*",),
        runs="splits",
        spread=(
            "tables.diabetes.small.flattery[6].min",
            "tables.diabetes.small.flattery[6].max",
        ),
        figure="tuning-budget",
    ),
    Claim(
        id="tuning-budget-eight-trials",
        en="Chosen by {{ tuning_budget.rows }} rows, the best of 8 trials has a test error of "
        "{{ tuning_budget.tables.diabetes.large.fresh[3].mean | .3f }} (diabetes) and "
        "{{ tuning_budget.tables.auto_mpg.large.fresh[3].mean | .3f }} (Auto MPG), a single one "
        "{{ tuning_budget.tables.diabetes.large.fresh[0].mean | .3f }} and "
        "{{ tuning_budget.tables.auto_mpg.large.fresh[0].mean | .3f }}, the best of 64 "
        "{{ tuning_budget.tables.diabetes.large.fresh[6].mean | .3f }} and "
        "{{ tuning_budget.tables.auto_mpg.large.fresh[6].mean | .3f }}: eight trials bring at "
        "least {{ tuning_budget.share | pct }} of what 64 bring.",
        zh="用 {{ tuning_budget.rows }} 行来选，8 次试验中最好的测试误差为 "
        "{{ tuning_budget.tables.diabetes.large.fresh[3].mean | .3f }}（糖尿病）和 "
        "{{ tuning_budget.tables.auto_mpg.large.fresh[3].mean | .3f }}（Auto MPG），单独一次为 "
        "{{ tuning_budget.tables.diabetes.large.fresh[0].mean | .3f }} 和 "
        "{{ tuning_budget.tables.auto_mpg.large.fresh[0].mean | .3f }}，64 次中最好的为 "
        "{{ tuning_budget.tables.diabetes.large.fresh[6].mean | .3f }} 和 "
        "{{ tuning_budget.tables.auto_mpg.large.fresh[6].mean | .3f }}：8 次试验得到的好处，至少"
        "有 64 次的 "
        "{{ tuning_budget.share | pct }}。",
        criterion="share > 0.9",
        covers=("tables.*.large.fresh*", "share"),
        runs="splits",
        spread=(
            "tables.diabetes.large.fresh[3].min",
            "tables.diabetes.large.fresh[3].max",
        ),
        figure="tuning-budget",
    ),
    Claim(
        id="tuning-budget-too-many-for-few-rows",
        en="Chosen by {{ tuning_budget.few }} rows of the diabetes table, the best of 64 trials is "
        "worse on fresh rows than the best of 8, in "
        "{{ tuning_budget.tables.diabetes.overtuned }} of {{ tuning_budget.splits }} splits "
        "({{ tuning_budget.tables.diabetes.small.fresh[6].mean | .3f }} against "
        "{{ tuning_budget.tables.diabetes.small.fresh[3].mean | .3f }} on average). On Auto MPG it "
        "is worse in {{ tuning_budget.tables.auto_mpg.overtuned }} "
        "({{ tuning_budget.tables.auto_mpg.small.fresh[6].mean | .3f }} against "
        "{{ tuning_budget.tables.auto_mpg.small.fresh[3].mean | .3f }}).",
        zh="用糖尿病表的 {{ tuning_budget.few }} 行来选，64 次试验中最好的，在没用过的行上比 8 次中"
        "最好的更差，{{ tuning_budget.splits }} 次划分中有 "
        "{{ tuning_budget.tables.diabetes.overtuned }} 次如此（平均 "
        "{{ tuning_budget.tables.diabetes.small.fresh[6].mean | .3f }} 对 "
        "{{ tuning_budget.tables.diabetes.small.fresh[3].mean | .3f }}）。在 Auto MPG 上有 "
        "{{ tuning_budget.tables.auto_mpg.overtuned }} 次更差"
        "（{{ tuning_budget.tables.auto_mpg.small.fresh[6].mean | .3f }} 对 "
        "{{ tuning_budget.tables.auto_mpg.small.fresh[3].mean | .3f }}）。",
        criterion="tables.diabetes.overtuned > 0.7 * splits and "
        "tables.diabetes.small.fresh[6].mean > tables.diabetes.small.fresh[3].mean and "
        "tables.auto_mpg.overtuned < 0.5 * splits",
        covers=("tables.*.small.fresh*", "tables.*.overtuned"),
        runs="splits",
        spread=(
            "tables.diabetes.small.fresh[6].min",
            "tables.diabetes.small.fresh[6].max",
        ),
        figure="tuning-budget",
    ),
)


def pool(name: str, seed: int) -> tuple[Array, Array]:
    """Squared errors of the 64 models on the two sets, (64, 78) each."""
    laws, rng, rows = space(), np.random.RandomState(seed), split(name, seed)
    found: tuple[list[Array], list[Array]] = ([], [])
    for _ in range(POOL):
        drawn = {k: law.rvs(random_state=rng) for k, law in laws.items()}
        model = regressor(seed, epochs=EPOCHS, **drawn).fit(*rows.train)
        for errors, part in zip(found, (rows.validation, rows.test), strict=True):
            errors.append((model.predict(part.X[:ROWS]) - part.y[:ROWS]) ** 2)
    return np.array(found[0]), np.array(found[1])


def winners(first: Array, second: Array, rows: int, seed: int) -> tuple[Array, Array]:
    """Error of the winner where it was chosen and on fresh rows, (numbers of trials,) each."""
    rng = np.random.default_rng(seed)
    chose, fresh = np.zeros(len(TRIALS)), np.zeros(len(TRIALS))
    for _ in range(DRAWS):
        order, picked = rng.permutation(POOL), rng.permutation(ROWS)[:rows]
        for one, other in ((first, second), (second, first)):
            score, truth = one[:, picked].mean(axis=1), other.mean(axis=1)
            for i, n in enumerate(TRIALS):
                best = order[:n][score[order[:n]].argmin()]
                chose[i] += score[best] / (2 * DRAWS)
                fresh[i] += truth[best] / (2 * DRAWS)
    return chose, fresh


def table(name: str) -> dict[str, Any]:
    pools = [pool(name, seed) for seed in range(SPLITS)]
    out: dict[str, Any] = {}
    for size, rows in SIZES.items():
        found = [winners(*p, rows, seed) for seed, p in enumerate(pools)]
        chose, fresh = (np.array(a) for a in zip(*found, strict=True))  # (splits, trials)
        out[size] = {
            "fresh": [spread(v) for v in fresh.T],
            # one trial is chosen by nothing: there the sets differ by rounding only
            "flattery": [spread(v) for v in (((fresh - chose) / fresh).round(12) + 0.0).T],
        }
        if size == "small":
            out["overtuned"] = int((fresh[:, -1] > fresh[:, TRIALS.index(8)]).sum())
    return out


def run() -> dict[str, Any]:
    tables = {name: table(name) for name in TARGETS}
    means = [[p["mean"] for p in t["large"]["fresh"]] for t in tables.values()]
    eight = TRIALS.index(8)
    return {
        "splits": SPLITS,
        "pool": POOL,
        "rows": ROWS,
        "few": FEW,
        "trials": list(TRIALS),
        "tables": tables,
        # the gain of 8 trials over that of 64, on the table where it is smaller
        "share": min((m[0] - m[eight]) / (m[0] - m[-1]) for m in means),
    }


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    from experiments._dots import draw_bands
    from experiments.style import MUTED, SERIES, new_figure

    t = {
        "en": {
            "diabetes": "diabetes",
            "auto_mpg": "Auto MPG",
            "trials": "trials",
            "test": "winner: test error",
            "flattery": "its score too low by",
            "rows": "chosen by {} rows",
        },
        "zh": {
            "diabetes": "糖尿病",
            "auto_mpg": "Auto MPG",
            "trials": "试验次数",
            "test": "优胜者的测试误差",
            "flattery": "自己的得分偏低",
            "rows": "用 {} 行来选",
        },
    }[lang]
    fig, axes = new_figure(7.2, 5.0, nrows=2, ncols=2, sharex=True)
    places = list(range(len(TRIALS)))
    for column, name in enumerate(TARGETS):
        found = result["tables"][name]
        for size, color in (("small", SERIES[1]), ("large", SERIES[0])):
            style = {"color": color, "marker": "o", "markersize": 3}
            label = t["rows"].format(SIZES[size]) if column == 0 else ""
            draw_bands(axes[0, column], places, found[size]["fresh"], **style, label=label)
            percent = [{k: 100 * v for k, v in p.items()} for p in found[size]["flattery"]]
            draw_bands(axes[1, column], places, percent, **style)
        axes[0, column].set_title(t[name])
        axes[1, column].axhline(0.0, color=MUTED, linewidth=1)
        axes[1, column].set_xticks(places, [str(n) for n in TRIALS])
        axes[1, column].set_xlabel(t["trials"])
    axes[0, 0].set_ylabel(t["test"])
    axes[1, 0].set_ylabel(t["flattery"] + " (%)")
    fig.legend(loc="outside upper center", ncols=2)
    return {"tuning-budget": fig}
