"""Few rows: one validation split or five folds, with equally many trainings.

100 rows of each shipped table for everything but the test, all other rows for the test; 12 draws of
the 100 rows, in each the same 25 configurations drawn at random from the ranges of
``tuning_search``, 27 epochs. ``one``: one of five folds chooses among 25 configurations, 25
trainings. ``folds``: five folds choose among 5, also 25 trainings. ``all``: five folds choose among
all 25, 125 trainings. What is chosen is trained once more on the 100 rows. 200 draws of the fold
and of the 5 configurations are averaged within a draw of rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._claim import Claim
from experiments._many_nets import spread
from experiments._tables import TARGETS, Array, Rows, geometric, regressor, split
from experiments.tuning_search import EPOCHS, space

RTOL = 1e-3
SPLITS, ROWS, FOLDS, POOL, DRAWS = 12, 100, 5, 25, 200
FEWER = POOL // FOLDS
WAYS = ("one", "folds", "all")

WORKED = ("splits", "rows", "folds", "pool", "fewer", "trainings*")
CLAIMS = (
    Claim(
        id="tuning-folds-where-rows-are-few",
        en="With {{ tuning_folds.rows }} rows, five folds instead of one choose a better one of "
        "the same {{ tuning_folds.pool }} configurations: the test error is "
        "{{ tuning_folds.tables.diabetes.all.ratio.mean | .2f }} (diabetes) and "
        "{{ tuning_folds.tables.auto_mpg.all.ratio.mean | .2f }} (Auto MPG) times as large, lower "
        "in {{ tuning_folds.tables.diabetes.all.ratio.below }} and "
        "{{ tuning_folds.tables.auto_mpg.all.ratio.below }} of {{ tuning_folds.splits }} draws of "
        "the rows. They cost five times as many trainings. With equally many, that is with "
        "{{ tuning_folds.fewer }} configurations, it is "
        "{{ tuning_folds.tables.diabetes.folds.ratio.mean | .2f }} times as large on the diabetes "
        "table, lower in {{ tuning_folds.tables.diabetes.folds.ratio.below }}, and "
        "{{ tuning_folds.tables.auto_mpg.folds.ratio.mean | .2f }} times on Auto MPG.",
        zh="有 {{ tuning_folds.rows }} 行时，用五折而不是一折，从同样的 {{ tuning_folds.pool }} 个"
        "配置中选得更好：测试误差是一折的 "
        "{{ tuning_folds.tables.diabetes.all.ratio.mean | .2f }} 倍（糖尿病）和 "
        "{{ tuning_folds.tables.auto_mpg.all.ratio.mean | .2f }} 倍（Auto MPG），"
        "{{ tuning_folds.splits }} 次抽取中有 "
        "{{ tuning_folds.tables.diabetes.all.ratio.below }} 次和 "
        "{{ tuning_folds.tables.auto_mpg.all.ratio.below }} 次更低，训练次数也是五倍。"
        "训练次数相同，即只在 {{ tuning_folds.fewer }} 个配置中选时，糖尿病表上是 "
        "{{ tuning_folds.tables.diabetes.folds.ratio.mean | .2f }} 倍，"
        "{{ tuning_folds.tables.diabetes.folds.ratio.below }} 次更低；Auto MPG 上是 "
        "{{ tuning_folds.tables.auto_mpg.folds.ratio.mean | .2f }} 倍。",
        criterion="all([t.all.ratio.below > 0.7 * splits and t.folds.ratio.mean < 1.05 "
        "for t in tables.values()]) and tables.diabetes.folds.ratio.below > 0.7 * splits",
        covers=("tables.*",),
        runs="splits",
        spread=("tables.diabetes.all.ratio.min", "tables.diabetes.all.ratio.max"),
        figure="tuning-folds",
    ),
)


def few(name: str, seed: int) -> tuple[Rows, Rows]:
    """100 rows drawn at random, and all others."""
    parts = split(name, seed)
    X, y = (np.concatenate([getattr(p, k) for p in parts]) for k in ("X", "y"))
    order = np.random.default_rng(seed).permutation(len(y))
    return Rows(X[order[:ROWS]], y[order[:ROWS]]), Rows(X[order[ROWS:]], y[order[ROWS:]])


def error(settings: dict[str, Any], seed: int, train: Rows, judge: Rows) -> float:
    model = regressor(seed, epochs=EPOCHS, **settings).fit(*train)
    return float(((model.predict(judge.X) - judge.y) ** 2).mean())


def pool(name: str, seed: int) -> tuple[Array, Array]:
    """Errors on each fold (25, 5), and on the test rows (25,) after training on all 100."""
    rows, rest = few(name, seed)
    laws, rng, fold = space(), np.random.RandomState(seed), np.arange(ROWS) % FOLDS
    folds, test = [], []
    for _ in range(POOL):
        drawn = {k: law.rvs(random_state=rng) for k, law in laws.items()}
        parts = [
            (Rows(rows.X[fold != f], rows.y[fold != f]), Rows(rows.X[fold == f], rows.y[fold == f]))
            for f in range(FOLDS)
        ]
        folds.append([error(drawn, seed, *part) for part in parts])
        test.append(error(drawn, seed, rows, rest))
    return np.array(folds), np.array(test)


def winners(folds: Array, test: Array, seed: int) -> dict[str, float]:
    """Test error of what each way chooses."""
    rng, mean = np.random.default_rng(seed), folds.mean(axis=1)
    some = [rng.permutation(POOL)[:FEWER] for _ in range(DRAWS)]
    return {
        "one": float(np.mean([test[folds[:, f].argmin()] for f in range(FOLDS)])),
        "folds": float(np.mean([test[s[mean[s].argmin()]] for s in some])),
        "all": float(test[mean.argmin()]),
    }


def table(name: str) -> dict[str, Any]:
    found = [winners(*pool(name, seed), seed) for seed in range(SPLITS)]
    test = {way: np.array([f[way] for f in found]) for way in WAYS}
    return {
        way: {"test": spread(e), "ratio": geometric(e / test["one"])} for way, e in test.items()
    }


def run() -> dict[str, Any]:
    return {
        "splits": SPLITS,
        "rows": ROWS,
        "folds": FOLDS,
        "pool": POOL,
        "fewer": FEWER,
        "trainings": {"one": POOL, "folds": FEWER * FOLDS, "all": POOL * FOLDS},
        "tables": {name: table(name) for name in TARGETS},
    }


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    from experiments._dots import Dot, Panel, draw_dots
    from experiments.style import MUTED, SERIES

    names, tables, label = {
        "en": (
            (
                "1 fold, 25 configurations",
                "5 folds, 5 configurations",
                "5 folds, 25 configurations",
            ),
            {"diabetes": "diabetes", "auto_mpg": "Auto MPG"},
            "{}: test error",
        ),
        "zh": (
            ("1 折，25 个配置", "5 折，5 个配置", "5 折，25 个配置"),
            {"diabetes": "糖尿病", "auto_mpg": "Auto MPG"},
            "{}：测试误差",
        ),
    }[lang]
    colors = (SERIES[1], SERIES[0], MUTED)
    return {
        "tuning-folds": draw_dots(
            [
                Panel(
                    label.format(tables[t]),
                    [
                        Dot(n, result["tables"][t][w]["test"], c)
                        for n, w, c in zip(names, WAYS, colors, strict=True)
                    ],
                )
                for t in TARGETS
            ]
        )
    }
