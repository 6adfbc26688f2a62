"""Grid, random search and successive halving with scikit-learn, on real trainings.

Two shipped tables, 12 splits. Four settings (learning rate, weight decay, width, batch size) over
the ranges of ``RANGES``; every search may spend 432 epochs, the validation rows choose, the chosen
configuration is judged on the test rows. ``grid``: 2 values of each setting, 16 trainings of 27
epochs; since nobody knows where the good values lie, the grid lies at random in the ranges.
``random``: 16 trainings. ``halving``: 45 configurations for 3 epochs, the best 15 for 9, the best 5
for 27 (405 epochs). ``rate``: 16 learning rates, the rest as it is. ``none``: no search, the
defaults of the estimator with AdamW.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import loguniform
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingRandomSearchCV,
    PredefinedSplit,
    RandomizedSearchCV,
)

from experiments._claim import Claim
from experiments._many_nets import spread
from experiments._tables import LOST, TARGETS, Array, Split, errors, geometric, regressor, split

RTOL = 1e-3
SPLITS, EPOCHS, TRIALS, SIDE = 12, 27, 16, 2
CANDIDATES, LEAST, FACTOR = 45, 3, 3
WIDTH = 16
RANGES: dict[str, tuple[float, float]] = {
    "lr": (1e-4, 0.3),
    "weight_decay": (1e-3, 1.0),
    "hidden_sizes": (4, 64),
    "batch_size": (16, 128),
}
WAYS = ("grid", "random", "halving", "rate")

WORKED = ("splits", "epochs", "trials", "candidates", "budget*", "rates_tried.*")
CLAIMS = (
    Claim(
        id="tuning-search-the-way-hardly-matters",
        en="With at most {{ tuning_search.budget.random }} epochs for each, none of grid, "
        "halving and "
        "a search over the learning rate only has a lower test error than random search in more "
        "than half of the {{ tuning_search.splits }} splits of both tables. The mean ratios "
        "to random search are {{ tuning_search.tables.diabetes.smallest | .2f }} to "
        "{{ tuning_search.tables.diabetes.largest | .2f }} (diabetes) and "
        "{{ tuning_search.tables.auto_mpg.smallest | .2f }} to "
        "{{ tuning_search.tables.auto_mpg.largest | .2f }} (Auto MPG), those of single splits "
        "{{ tuning_search.lowest | .2f }} to {{ tuning_search.highest | .2f }}.",
        zh="各用至多 {{ tuning_search.budget.random }} 轮，网格、逐次减半和只搜索学习率，没有一种"
        "能在"
        "两张表上都有过半的划分（共 {{ tuning_search.splits }} 次）测试误差低于随机搜索。"
        "与随机搜索之比，平均为 {{ tuning_search.tables.diabetes.smallest | .2f }} 到 "
        "{{ tuning_search.tables.diabetes.largest | .2f }}（糖尿病）和 "
        "{{ tuning_search.tables.auto_mpg.smallest | .2f }} 到 "
        "{{ tuning_search.tables.auto_mpg.largest | .2f }}（Auto MPG），"
        "单次划分为 {{ tuning_search.lowest | .2f }} 到 {{ tuning_search.highest | .2f }}。",
        criterion="all([min(tables.diabetes[way].ratio.below, tables.auto_mpg[way].ratio.below) "
        "<= splits / 2 for way in ['grid', 'halving', 'rate']]) and "
        "all([t.smallest > 0.9 and t.largest < 1.1 for t in tables.values()])",
        covers=(
            *("tables.*.grid.*", "tables.*.random.*", "tables.*.halving.*", "tables.*.rate.*"),
            *("tables.*.smallest", "tables.*.largest", "lowest", "highest"),
        ),
        runs="splits",
        spread=("lowest", "highest"),
        figure="tuning-search",
    ),
    Claim(
        id="tuning-search-halving-wins-and-loses",
        en="Successive halving has a lower test error than random search in "
        "{{ tuning_search.tables.auto_mpg.halving.ratio.below }} of {{ tuning_search.splits }} "
        "splits of Auto MPG ({{ tuning_search.tables.auto_mpg.halving.ratio.mean | .2f }} times) "
        "and a higher one in {{ tuning_search.tables.diabetes.halving.ratio.above }} of the "
        "diabetes table ({{ tuning_search.tables.diabetes.halving.ratio.mean | .2f }} times).",
        zh="逐次减半的测试误差，在 Auto MPG 的 {{ tuning_search.splits }} 次划分中有 "
        "{{ tuning_search.tables.auto_mpg.halving.ratio.below }} 次低于随机搜索（平均 "
        "{{ tuning_search.tables.auto_mpg.halving.ratio.mean | .2f }} 倍），在糖尿病表上则有 "
        "{{ tuning_search.tables.diabetes.halving.ratio.above }} 次更高（平均 "
        "{{ tuning_search.tables.diabetes.halving.ratio.mean | .2f }} 倍）。",
        criterion="tables.auto_mpg.halving.ratio.below > splits / 2 and "
        "tables.diabetes.halving.ratio.above > splits / 2",
        covers=("tables.*.halving.ratio.*",),
        runs="splits",
        spread=("tables.auto_mpg.halving.ratio.min", "tables.auto_mpg.halving.ratio.max"),
        figure="tuning-search",
    ),
    Claim(
        id="tuning-search-against-the-defaults",
        en="The defaults without any search are worse than random search in "
        "{{ tuning_search.tables.diabetes.none.ratio.above }} of {{ tuning_search.splits }} "
        "splits of the diabetes table (test error "
        "{{ tuning_search.tables.diabetes.none.ratio.mean | .2f }} times as large) and in "
        "{{ tuning_search.tables.auto_mpg.none.ratio.above }} on Auto MPG "
        "({{ tuning_search.tables.auto_mpg.none.ratio.mean | .2f }} times).",
        zh="完全不搜索、只用默认值，在糖尿病表的 {{ tuning_search.splits }} 次划分中有 "
        "{{ tuning_search.tables.diabetes.none.ratio.above }} 次不如随机搜索（测试误差为其 "
        "{{ tuning_search.tables.diabetes.none.ratio.mean | .2f }} 倍），在 Auto MPG 上有 "
        "{{ tuning_search.tables.auto_mpg.none.ratio.above }} 次"
        "（{{ tuning_search.tables.auto_mpg.none.ratio.mean | .2f }} 倍）。",
        criterion="tables.diabetes.none.ratio.above > 0.75 * splits and "
        "tables.diabetes.none.ratio.mean > 1.04 > tables.auto_mpg.none.ratio.mean",
        covers=("tables.*.none.*",),
        runs="splits",
        spread=("tables.diabetes.none.ratio.min", "tables.diabetes.none.ratio.max"),
        figure="tuning-search",
    ),
)


class WholeNumbers:
    """Whole numbers whose logarithm is uniform."""

    def __init__(self, low: float, high: float) -> None:
        self.law = loguniform(low, high)

    def rvs(self, random_state: Any = None) -> int:
        return round(float(self.law.rvs(random_state=random_state)))


def space() -> dict[str, Any]:
    """What random search draws from."""
    return {
        k: (WholeNumbers if isinstance(v[0], int) else loguniform)(*v) for k, v in RANGES.items()
    }


def ticks(name: str, number: int, shift: float) -> list[Any]:
    """Values at equal ratios; the shift in [0, 1) says where in its cell each of them lies."""
    low, high = RANGES[name]
    values = (low * (high / low) ** ((np.arange(number) + shift) / number)).tolist()
    return [round(v) for v in values] if isinstance(low, int) else values


def search(way: str, rows: Split, seed: int) -> Any:
    """Search on the training rows, judged by the validation rows."""
    (X, y), (X_val, y_val), _ = rows
    fold = PredefinedSplit(np.repeat([-1, 0], [len(y), len(y_val)]))
    common = {
        "scoring": "neg_mean_squared_error",
        "cv": fold,
        "refit": False,
        "return_train_score": False,
        "error_score": -LOST,
    }
    model = regressor(seed, epochs=EPOCHS, hidden_sizes=WIDTH)
    shifts = np.random.default_rng(seed).random(len(RANGES))
    if way == "grid":
        grid = {k: ticks(k, SIDE, shift) for k, shift in zip(RANGES, shifts, strict=True)}
        found = GridSearchCV(model, grid, **common)
    elif way == "rate":
        found = GridSearchCV(model, {"lr": ticks("lr", TRIALS, shifts[0])}, **common)
    elif way == "random":
        found = RandomizedSearchCV(model, space(), n_iter=TRIALS, random_state=seed, **common)
    else:
        found = HalvingRandomSearchCV(
            model,
            space(),
            resource="epochs",
            n_candidates=CANDIDATES,
            factor=FACTOR,
            min_resources=LEAST,
            max_resources=EPOCHS,
            random_state=seed,
            **common,
        )
    return found.fit(np.concatenate([X, X_val]), np.concatenate([y, y_val]))


def spent(found: Any) -> int:
    """Epochs of all trainings of a search."""
    if isinstance(found, HalvingRandomSearchCV):
        return sum(n * r for n, r in zip(found.n_candidates_, found.n_resources_, strict=True))
    return EPOCHS * len(found.cv_results_["params"])


def table(name: str) -> tuple[dict[str, Any], dict[str, int], dict[str, int]]:
    """Test errors of what each way has chosen; epochs and learning rates that it has tried."""
    test: dict[str, list[float]] = {way: [] for way in (*WAYS, "none")}
    epochs, rates = {}, {}
    fixed = {"epochs": EPOCHS, "hidden_sizes": WIDTH}
    for seed in range(SPLITS):
        for way in WAYS:
            found = search(way, split(name, seed), seed)
            test[way].append(errors(name, seed, **(fixed | found.best_params_))[1])
            epochs[way] = spent(found)
            rates[way] = len({p["lr"] for p in found.cv_results_["params"]})
        test["none"].append(errors(name, seed, **fixed)[1])
    error: dict[str, Array] = {way: np.array(values) for way, values in test.items()}
    out: dict[str, Any] = {
        way: {"test": spread(e), "ratio": geometric(e / error["random"])}
        for way, e in error.items()
    }
    means = [out[way]["ratio"]["mean"] for way in ("grid", "halving", "rate")]
    return out | {"smallest": min(means), "largest": max(means)}, epochs, rates


def run() -> dict[str, Any]:
    tables = {}
    for name in TARGETS:
        tables[name], epochs, rates = table(name)
    ratios = [t[way]["ratio"] for t in tables.values() for way in ("grid", "halving", "rate")]
    return {
        "splits": SPLITS,
        "epochs": EPOCHS,
        "trials": TRIALS,
        "candidates": CANDIDATES,
        "budget": epochs,
        "rates_tried": rates,
        "tables": tables,
        "lowest": min(r["min"] for r in ratios),
        "highest": max(r["max"] for r in ratios),
    }


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    from experiments._dots import Dot, Panel, draw_dots
    from experiments.style import MUTED, SERIES

    names, tables, label = {
        "en": (
            ("grid", "halving", "learning rate only", "no search"),
            {"diabetes": "diabetes", "auto_mpg": "Auto MPG"},
            "{}: test error / random search",
        ),
        "zh": (
            ("网格", "逐次减半", "只搜索学习率", "不搜索"),
            {"diabetes": "糖尿病", "auto_mpg": "Auto MPG"},
            "{}：与随机搜索的测试误差之比",
        ),
    }[lang]
    ways = ("grid", "halving", "rate", "none")
    return {
        "tuning-search": draw_dots(
            [
                Panel(
                    label.format(tables[t]),
                    [
                        Dot(n, result["tables"][t][w]["ratio"], MUTED if w == "none" else SERIES[0])
                        for n, w in zip(names, ways, strict=True)
                    ],
                    1.0,
                )
                for t in TARGETS
            ]
        )
    }
