"""Three real tables: the package's trainer against scikit-learn's MLPRegressor, same budget.

20 random splits of each table into 60 % training, 20 % validation and 20 % test rows. Both get the
same preprocessed arrays (learned from the training rows) and the same budget: one hidden layer of
16 ReLU units, Adam, batches of 32, at most 100 epochs; the epoch and one of two learning rates are
chosen by the same validation rows, with patience 20. No weight decay. 3 seeds of the weights and
batches per split; a split's score is their mean. float64, NumPy backend. What differs is the rest
of the two libraries: the distribution of the initial weights, the order of the rows, the code.

"ratio" of a split is our mean squared error on the test rows over scikit-learn's; means are
geometric. 20 splits of one table share rows, so they are not independent: the interval "low" to
"high" uses the corrected variance of Nadeau and Bengio (2003), 1/J + n_test/n_train in place of
1/J; "naive_low" to "naive_high" does not.

Not worse means: the upper end of the corrected 95 % interval is below a ratio of 1.10. The margin
was fixed before the comparison was run. 10 % of a squared error is 5 % of the typical error, and of
the size of what a new seed does to a network: "seed_sd" is the standard deviation of the logarithm
of the ratio of two of our own runs that differ in the seed alone.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from bpref.regression import Config, Data, mse, predict, train
from bpref.regression.baseline import least_squares, mlp_baseline
from bpref.regression.preprocessing import Preprocessor
from bpref.regression.splitting import split_rows
from bpref.regression.table import read_table
from experiments._claim import Claim
from experiments._regression import summary

SPLITS, SEEDS = 20, 3
VALIDATION = TEST = 0.2
HIDDEN, RATES, EPOCHS, PATIENCE = 16, (0.003, 0.01), 100, 20
MARGIN = 0.10
# The choice of the best epoch could turn a rounding error into another epoch. It does not here: a
# relative change of 1e-10 in X moves no number by more than 1e-10.
RTOL = 1e-6
TARGETS = {"diabetes": "target", "auto_mpg": "mpg", "penguins": "body_mass_g"}

WORKED = (
    *("splits", "seeds", "hidden", "epochs", "patience", "rates*", "margin"),
    *("tables.*.rows", "tables.*.columns", "tables.*.inputs", "tables.*.test_rows"),
)

CLAIMS = (
    Claim(
        "regression-tables-not-worse-than-sklearn",
        "With the same budget the trainer is not worse than scikit-learn's `MLPRegressor` on any "
        "of three real tables: its test error is "
        "{{ regression_tables.tables.diabetes.to_sklearn.ratio | .3f }} (diabetes), "
        "{{ regression_tables.tables.auto_mpg.to_sklearn.ratio | .3f }} (Auto MPG) and "
        "{{ regression_tables.tables.penguins.to_sklearn.ratio | .3f }} (penguins) times that of "
        "`MLPRegressor`, mean over {{ regression_tables.splits }} splits, and the 95 % intervals "
        "end below the margin of 1 + {{ regression_tables.margin | .2f }}. That it is better is "
        "not shown: it has the smaller error in most splits, but the intervals contain 1.",
        "预算相同时，训练器在三张真实的数据表上都不比 scikit-learn 的 `MLPRegressor` 差："
        "测试误差与后者之比是 "
        "{{ regression_tables.tables.diabetes.to_sklearn.ratio | .3f }}（糖尿病）、"
        "{{ regression_tables.tables.auto_mpg.to_sklearn.ratio | .3f }}（Auto MPG）和 "
        "{{ regression_tables.tables.penguins.to_sklearn.ratio | .3f }}（企鹅），为 "
        "{{ regression_tables.splits }} 次划分的平均；95 % 区间的上端都低于界限 "
        "1 + {{ regression_tables.margin | .2f }}。"
        "但也没有证明它更好：它在多数划分中误差较小，区间却都包含 1。",
        "all([t.to_sklearn.high < 1 + margin for t in tables.values()]) "
        "and all([t.to_sklearn.low < 1 < t.to_sklearn.high for t in tables.values()]) "
        "and all([t.to_sklearn.better > splits / 2 for t in tables.values()])",
        (
            *("smallest_ratio", "largest_ratio", "tables.*.to_sklearn.*", "tables.*.seed_sd"),
            *("tables.*.mse.ours.*", "tables.*.mse.sklearn.*"),
        ),
        runs="splits",
        spread=("smallest_ratio", "largest_ratio"),
        figure="regression_tables",
    ),
    Claim(
        "regression-tables-against-the-line",
        "The network is better than the constant predictor in every split of each table. Better "
        "than least squares it is on Auto MPG only: there its test error is "
        "{{ regression_tables.tables.auto_mpg.to_least_squares.ratio | .2f }} times as large; on "
        "the other two tables the 95 % interval of the ratio contains 1.",
        "网络在每张表的每次划分中都优于常数预测。只有在 Auto MPG 上它优于最小二乘："
        "测试误差是后者的 {{ regression_tables.tables.auto_mpg.to_least_squares.ratio | .2f }} 倍；"
        "在另外两张表上，比值的 95 % 区间包含 1。",
        "all([t.to_constant.better == splits for t in tables.values()]) "
        "and tables.auto_mpg.to_least_squares.high < 1 "
        "and all([t.to_least_squares.low < 1 < t.to_least_squares.high "
        "for t in [tables.diabetes, tables.penguins]])",
        (
            *("tables.*.to_least_squares.*", "tables.*.to_constant.*"),
            *("tables.*.mse.ours.*", "tables.*.mse.least_squares.*", "tables.*.mse.constant.*"),
        ),
        runs="splits",
        spread=(
            "tables.auto_mpg.to_least_squares.min",
            "tables.auto_mpg.to_least_squares.max",
        ),
        figure="regression_tables",
    ),
)


class Rows(NamedTuple):
    """Preprocessed rows: X (N, d) and y (N, 1), both standardized on the training rows."""

    X: np.ndarray
    y: np.ndarray


def run() -> dict[str, Any]:
    tables = {name: table(name, target) for name, target in TARGETS.items()}
    ratios = [r for t in tables.values() for r in t["to_sklearn"]["each"]]
    return {
        "splits": SPLITS,
        "seeds": SEEDS,
        "hidden": HIDDEN,
        "epochs": EPOCHS,
        "patience": PATIENCE,
        "rates": list(RATES),
        "margin": MARGIN,
        "tables": tables,
        "smallest_ratio": min(ratios),
        "largest_ratio": max(ratios),
    }


def table(name: str, target: str) -> dict[str, Any]:
    """Compare the predictors on one table."""
    path = Path(str(resources.files("bpref.regression"))) / "data" / f"{name}.csv"
    frame = read_table(path, missing="drop")
    scores: dict[str, list[Any]] = {n: [] for n in ("ours", "sklearn", "least_squares", "constant")}
    for split in range(SPLITS):
        parts = split_rows(len(frame), VALIDATION, TEST, split)
        preprocessor = Preprocessor.fit(frame.iloc[parts[0]], target)
        training, validation, test = (
            Rows(preprocessor.transform(rows), preprocessor.transform_targets(rows))
            for rows in (frame.iloc[part] for part in parts)
        )
        unit = preprocessor.targets[0].std ** 2  # of a squared error, in the table's unit
        weight, bias = least_squares(*training)
        seeds = [SEEDS * split + k for k in range(SEEDS)]
        for who, score in (
            ("ours", [ours(training, validation, test, seed) for seed in seeds]),
            ("sklearn", [theirs(training, validation, test, seed) for seed in seeds]),
            ("least_squares", mse(test.X @ weight.T + bias, test.y)),
            ("constant", mse(np.zeros_like(test.y), test.y)),
        ):
            scores[who].append(np.array(score) * unit)
    each_seed = np.array(scores["ours"])  # (splits, seeds)
    means = {
        who: np.array(values).reshape(SPLITS, -1).mean(axis=1) for who, values in scores.items()
    }
    within = np.log(each_seed).var(axis=1, ddof=1).mean()
    return {
        "rows": len(frame),
        "columns": len(preprocessor.feature_names),
        "inputs": len(preprocessor.x_names),
        "test_rows": len(test.X),
        "mse": {who: summary(values) for who, values in means.items()},
        "to_sklearn": comparison(means["ours"], means["sklearn"], parts),
        "to_least_squares": comparison(means["ours"], means["least_squares"], parts),
        "to_constant": comparison(means["ours"], means["constant"], parts),
        "seed_sd": float(np.sqrt(2 * within)),
    }


def ours(training: Rows, validation: Rows, test: Rows, seed: int) -> float:
    """Train with each rate; return the test error of the one with the best validation error."""
    tried = []
    for config in configs(seed):
        outcome = train(config, Data(*training, *validation))
        prediction = predict(config, outcome.best, test.X)
        tried.append((outcome.best_loss, mse(prediction, test.y)))
    return min(tried)[1]


def theirs(training: Rows, validation: Rows, test: Rows, seed: int) -> float:
    """The same with scikit-learn."""
    tried = []
    for config in configs(seed):
        model = mlp_baseline(config, *training, *validation)
        if model.predict is None:
            raise RuntimeError(model.note)
        tried.append((mse(model.predict(validation.X), validation.y), model.predict(test.X)))
    return mse(min(tried, key=lambda one: one[0])[1], test.y)


def configs(seed: int) -> list[Config]:
    return [
        Config(
            hidden_sizes=(HIDDEN,),
            optimizer="adam",
            lr=rate,
            epochs=EPOCHS,
            patience=PATIENCE,
            seed=seed,
            dtype="float64",
            backend="numpy",
        )
        for rate in RATES
    ]


def comparison(a: np.ndarray, b: np.ndarray, parts: tuple[np.ndarray, ...]) -> dict[str, Any]:
    """Return the ratios of paired errors, their mean with its intervals, how often a is smaller."""
    logs = np.log(a / b)
    n_test, n_train = len(parts[2]), len(parts[0]) + len(parts[1])
    quantile = stats.t.ppf(0.975, SPLITS - 1) * logs.std(ddof=1)
    ends = {}
    for prefix, variance in (("", 1 / SPLITS + n_test / n_train), ("naive_", 1 / SPLITS)):
        half = quantile * np.sqrt(variance)
        ends[f"{prefix}low"] = float(np.exp(logs.mean() - half))
        ends[f"{prefix}high"] = float(np.exp(logs.mean() + half))
    return {
        "ratio": float(np.exp(logs.mean())),
        "better": int((a < b).sum()),
        "min": float((a / b).min()),
        "max": float((a / b).max()),
        "each": [float(r) for r in a / b],
        **ends,
    }


def draw(result: dict[str, Any], lang: str) -> Any:
    from experiments.style import ACCENT, BACKWARD, FORWARD, INK, MUTED, new_figure

    t = {
        "en": {
            "diabetes": "diabetes",
            "auto_mpg": "Auto MPG",
            "penguins": "penguins",
            "to_sklearn": "to MLPRegressor",
            "to_least_squares": "to least squares",
            "x": "ratio of test errors",
            "mean": "mean and its 95 % interval",
            "margin": "margin",
        },
        "zh": {
            "diabetes": "糖尿病",
            "auto_mpg": "Auto MPG",
            "penguins": "企鹅",
            "to_sklearn": "与 MLPRegressor 之比",
            "to_least_squares": "与最小二乘之比",
            "x": "测试误差之比",
            "mean": "平均值及其 95 % 区间",
            "margin": "界限",
        },
    }[lang]
    fig, axes = new_figure(6.4, 3.2, ncols=2, sharey=True)
    kinds = (("to_sklearn", FORWARD), ("to_least_squares", BACKWARD))
    for ax, (kind, color) in zip(axes, kinds, strict=True):
        for row, name in enumerate(TARGETS):
            found = result["tables"][name][kind]
            ax.scatter(
                found["each"], np.full(len(found["each"]), row), s=14, color=color, alpha=0.5
            )
            ends = [[found["ratio"] - found["low"]], [found["high"] - found["ratio"]]]
            ax.errorbar(
                found["ratio"],
                row + 0.25,
                xerr=ends,
                color=INK,
                marker="o",
                markersize=5,
                capsize=3,
                label=t["mean"] if row == 0 else None,
            )
        ax.axvline(1, color=MUTED, linewidth=1)
        if kind == "to_sklearn":
            ax.axvline(1 + result["margin"], color=ACCENT, linestyle="--", label=t["margin"])
            fig.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        ax.set_title(t[kind])
        ax.set_xlabel(t["x"], color=INK)
        ax.grid(visible=False, axis="y")
    axes[0].set_yticks(range(len(TARGETS)), [t[name] for name in TARGETS])
    axes[0].set_ylim(len(result["tables"]) - 0.4, -0.5)
    return fig
