"""What to change first: how much of the validation error each of six settings moves.

Two shipped tables, networks trained with AdamW for 20 epochs, 12 splits. ``share``: in each split
36 trainings with all six settings drawn at random, every level equally often; the share of the
variance of the log validation error that goes with one setting alone, with what chance gives taken
off, so it may be negative. ``narrow``: of the same trainings, those with the learning rate 0.001 or
more. ``alone``: from a plain configuration with the learning rate 0.001 (``low``) or 0.01
(``high``) one setting is changed to each of its levels, chosen by the validation rows; the test
error over that of the plain configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments._claim import Claim
from experiments._many_nets import spread
from experiments._tables import TARGETS, Array, errors, geometric

RTOL = 1e-3
SPLITS, RUNS, EPOCHS = 12, 36, 20
LEVELS: dict[str, tuple[Any, ...]] = {
    "lr": (0.0001, 0.001, 0.01, 0.03),  # beyond, some deep runs are chaotic
    "width": (4, 16, 64),
    "depth": (1, 2, 3),
    "batch_size": (16, 32, 128),
    "weight_decay": (0.0, 0.01, 0.1, 1.0),
    "activation": ("relu", "tanh", "sigmoid"),
}
PLAIN: dict[str, Any] = {
    "width": 16,
    "depth": 1,
    "batch_size": 32,
    "weight_decay": 0.0,
    "activation": "relu",
}
STARTS = {"low": 0.001, "high": 0.01}
LOWEST = {"share": LEVELS["lr"][0], "narrow": LEVELS["lr"][1]}

WORKED = ("splits", "runs", "epochs")
CLAIMS = (
    Claim(
        id="tuning-what-first-the-rate-moves-most",
        en="With six settings drawn at random, the learning rate alone goes with "
        "{{ tuning_what_first.share.diabetes.lr.mean | pct }} of the variance of the log "
        "validation error on the diabetes table and "
        "{{ tuning_what_first.share.auto_mpg.lr.mean | pct }} on Auto MPG (mean over "
        "{{ tuning_what_first.splits }} splits), each of the other five with less than "
        "{{ tuning_what_first.second | pct }} on average; it is the largest share in "
        "{{ tuning_what_first.first.diabetes }} and {{ tuning_what_first.first.auto_mpg }} "
        "of the splits.",
        zh="六个设置随机抽取时，对数验证误差的方差中，单独由学习率解释的在糖尿病表上平均占 "
        "{{ tuning_what_first.share.diabetes.lr.mean | pct }}，在 Auto MPG 上占 "
        "{{ tuning_what_first.share.auto_mpg.lr.mean | pct }}"
        "（{{ tuning_what_first.splits }} 次划分），其余五个设置平均各不到 "
        "{{ tuning_what_first.second | pct }}；学习率的份额最大的划分分别有 "
        "{{ tuning_what_first.first.diabetes }} 次和 {{ tuning_what_first.first.auto_mpg }} 次。",
        criterion="min(share.diabetes.lr.mean, share.auto_mpg.lr.mean) > 2 * second and "
        "min(first.diabetes, first.auto_mpg) > 0.8 * splits",
        covers=("share.*", "first.*", "second"),
        runs="splits",
        spread=("share.diabetes.lr.min", "share.diabetes.lr.max"),
        figure="tuning-what-first",
    ),
    Claim(
        id="tuning-what-first-the-share-is-of-the-range",
        en="The share belongs to the range. Without the rate $0.0001$, at which "
        "{{ tuning_what_first.epochs }} epochs are too few, the learning rate goes with "
        "{{ tuning_what_first.narrow.diabetes.lr.mean | pct }} of the variance on the diabetes "
        "table and {{ tuning_what_first.narrow.auto_mpg.lr.mean | pct }} on Auto MPG, and has the "
        "largest share in {{ tuning_what_first.narrow_first.diabetes }} and "
        "{{ tuning_what_first.narrow_first.auto_mpg }} of {{ tuning_what_first.splits }} splits.",
        zh="份额取决于范围。去掉学习率 $0.0001$（用它训练 {{ tuning_what_first.epochs }} 轮不够），"
        "学习率在糖尿病表上占方差的 {{ tuning_what_first.narrow.diabetes.lr.mean | pct }}，在 "
        "Auto MPG 上占 {{ tuning_what_first.narrow.auto_mpg.lr.mean | pct }}，"
        "{{ tuning_what_first.splits }} 次划分中份额最大的有 "
        "{{ tuning_what_first.narrow_first.diabetes }} 次和 "
        "{{ tuning_what_first.narrow_first.auto_mpg }} 次。",
        criterion="narrow.diabetes.lr.mean < 0.6 * share.diabetes.lr.mean and "
        "narrow.auto_mpg.lr.mean < 0.6 * share.auto_mpg.lr.mean and "
        "narrow_first.diabetes < 0.5 * splits",
        covers=("narrow.*", "narrow_first.*"),
        runs="splits",
        spread=("narrow.diabetes.lr.min", "narrow.diabetes.lr.max"),
        figure="tuning-what-first",
    ),
    Claim(
        id="tuning-what-first-depends-on-the-start",
        en="What pays depends on where you stand. From the rate $0.001$ on Auto MPG, the rate "
        "alone lowers the test error in {{ tuning_what_first.alone.low.auto_mpg.lr.below }} of "
        "{{ tuning_what_first.splits }} splits, to "
        "{{ tuning_what_first.alone.low.auto_mpg.lr.mean | .2f }} of what it was, the most of "
        "the six; from $0.01$ to {{ tuning_what_first.alone.high.auto_mpg.lr.mean | .2f }}, less "
        "than the width ({{ tuning_what_first.alone.high.auto_mpg.width.mean | .2f }}). On the "
        "diabetes table, from $0.001$, it lowers the error in "
        "{{ tuning_what_first.alone.low.diabetes.lr.below }} splits.",
        zh="改什么有用，取决于从哪里出发。在 Auto MPG 上从学习率 $0.001$ 出发，只改学习率在 "
        "{{ tuning_what_first.splits }} 次划分中有 "
        "{{ tuning_what_first.alone.low.auto_mpg.lr.below }} 次降低测试误差，平均变为原来的 "
        "{{ tuning_what_first.alone.low.auto_mpg.lr.mean | .2f }} 倍，六个设置中降得最多；从 "
        "$0.01$ 出发是 {{ tuning_what_first.alone.high.auto_mpg.lr.mean | .2f }} 倍，不如宽度"
        "（{{ tuning_what_first.alone.high.auto_mpg.width.mean | .2f }} 倍）。在糖尿病表上从 "
        "$0.001$ 出发，只有 {{ tuning_what_first.alone.low.diabetes.lr.below }} 次划分降低误差。",
        criterion="alone.low.auto_mpg.lr.below > 0.9 * splits and "
        "alone.low.auto_mpg.lr.mean == min([s.mean for s in alone.low.auto_mpg.values()]) and "
        "alone.high.auto_mpg.width.mean < alone.high.auto_mpg.lr.mean and "
        "alone.low.diabetes.lr.below < 0.5 * splits",
        covers=("alone.*.auto_mpg.*", "alone.low.diabetes.lr.*"),
        runs="splits",
        spread=("alone.low.auto_mpg.lr.min", "alone.low.auto_mpg.lr.max"),
        figure="tuning-from-here",
    ),
    Claim(
        id="tuning-what-first-depth-brings-nothing",
        en="From the rate $0.01$ with one hidden layer, two more depths to choose from lower the "
        "test "
        "error in {{ tuning_what_first.alone.high.diabetes.depth.below }} (diabetes) and "
        "{{ tuning_what_first.alone.high.auto_mpg.depth.below }} (Auto MPG) of "
        "{{ tuning_what_first.splits }} splits, two more widths in "
        "{{ tuning_what_first.alone.high.diabetes.width.below }} and "
        "{{ tuning_what_first.alone.high.auto_mpg.width.below }}, to "
        "{{ tuning_what_first.alone.high.diabetes.width.mean | .2f }} and "
        "{{ tuning_what_first.alone.high.auto_mpg.width.mean | .2f }} of what it was.",
        zh="从学习率 $0.01$、一个隐藏层出发，多两种深度可选，测试误差降低的划分有 "
        "{{ tuning_what_first.alone.high.diabetes.depth.below }} 次（糖尿病）和 "
        "{{ tuning_what_first.alone.high.auto_mpg.depth.below }} 次（Auto MPG），共 "
        "{{ tuning_what_first.splits }} 次；多两种宽度可选，则有 "
        "{{ tuning_what_first.alone.high.diabetes.width.below }} 次和 "
        "{{ tuning_what_first.alone.high.auto_mpg.width.below }} 次，平均变为原来的 "
        "{{ tuning_what_first.alone.high.diabetes.width.mean | .2f }} 倍和 "
        "{{ tuning_what_first.alone.high.auto_mpg.width.mean | .2f }} 倍。",
        criterion="max(alone.high.diabetes.depth.below, alone.high.auto_mpg.depth.below) "
        "< 0.25 * splits and max(alone.high.diabetes.width.mean, alone.high.auto_mpg.width.mean) "
        "< 1",
        covers=("alone.high.*.depth.*", "alone.high.*.width.*"),
        runs="splits",
        spread=("alone.high.auto_mpg.width.min", "alone.high.auto_mpg.width.max"),
        figure="tuning-from-here",
    ),
)


def configuration(levels: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as the estimator takes them."""
    rest = {k: v for k, v in levels.items() if k not in ("width", "depth")}
    return {"hidden_sizes": (levels["width"],) * levels["depth"], "epochs": EPOCHS} | rest


def explained(response: Array, level: Array) -> float:
    """The share of the variance between the levels, less what equal levels would give."""
    groups = [response[level == value] for value in np.unique(level)]
    total = ((response - response.mean()) ** 2).sum()
    within = sum(((g - g.mean()) ** 2).sum() for g in groups)
    noise = within / (response.size - len(groups))
    return float((total - within - (len(groups) - 1) * noise) / total)


def shares(name: str) -> dict[str, dict[str, Array]]:
    """The shares of the six settings, one for each split, for each range of learning rates."""
    found: dict[str, dict[str, list[float]]] = {key: {k: [] for k in LEVELS} for key in LOWEST}
    for seed in range(SPLITS):
        rng = np.random.default_rng(seed)
        design = {k: rng.permutation(np.arange(RUNS) % len(v)) for k, v in LEVELS.items()}
        drawn = [{k: LEVELS[k][design[k][i]] for k in LEVELS} for i in range(RUNS)]
        error = [errors(name, seed, **configuration(levels))[0] for levels in drawn]
        response, rate = np.log(error), np.array([levels["lr"] for levels in drawn])
        for key, lowest in LOWEST.items():
            some = rate >= lowest
            for k in LEVELS:
                found[key][k].append(explained(response[some], design[k][some]))
    return {key: {k: np.array(v) for k, v in f.items()} for key, f in found.items()}


def alone(name: str, rate: float) -> dict[str, dict[str, float]]:
    """The test error after tuning one setting, over that before."""
    ratios: dict[str, list[float]] = {k: [] for k in LEVELS}
    plain = PLAIN | {"lr": rate}
    for seed in range(SPLITS):
        before = errors(name, seed, **configuration(plain))
        for k, levels in LEVELS.items():
            others = [plain | {k: level} for level in levels if level != plain[k]]
            tried = [before, *(errors(name, seed, **configuration(c)) for c in others)]
            ratios[k].append(min(tried, key=lambda e: e[0])[1] / before[1])
    return {k: geometric(r) for k, r in ratios.items()}


def first(found: Mapping[str, Mapping[str, Array]]) -> dict[str, int]:
    """In how many splits the learning rate has the largest share."""
    return {n: int((f["lr"] >= np.max(list(f.values()), axis=0)).sum()) for n, f in found.items()}


def run() -> dict[str, Any]:
    both = {name: shares(name) for name in TARGETS}
    found, narrow = ({name: f[key] for name, f in both.items()} for key in LOWEST)
    means = [s.mean() for f in found.values() for k, s in f.items() if k != "lr"]
    return {
        "splits": SPLITS,
        "runs": RUNS,
        "epochs": EPOCHS,
        "share": {name: {k: spread(v) for k, v in f.items()} for name, f in found.items()},
        "first": first(found),
        "narrow": {name: {k: spread(v) for k, v in f.items()} for name, f in narrow.items()},
        "narrow_first": first(narrow),
        "second": float(np.ceil(100 * max(means)) / 100),
        "alone": {
            start: {name: alone(name, rate) for name in TARGETS} for start, rate in STARTS.items()
        },
    }


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    from experiments._dots import Dot, Panel, draw_dots
    from experiments.style import SERIES

    names, tables, share, ratio = {
        "en": (
            ("learning rate", "width", "depth", "batch size", "weight decay", "activation"),
            {"diabetes": "diabetes", "auto_mpg": "Auto MPG"},
            "{},\nrates from {}:\nshare of variance",
            "{},\nfrom rate {}",
        ),
        "zh": (
            ("学习率", "宽度", "深度", "批量大小", "权重衰减", "激活函数"),
            {"diabetes": "糖尿病", "auto_mpg": "Auto MPG"},
            "{}，\n学习率从 {} 起：\n占方差的份额",
            "{}，\n从学习率 {} 出发",
        ),
    }[lang]

    def dots(found: Mapping[str, Any]) -> list[Dot]:
        return [
            Dot(label, found[k], SERIES[0] if k == "lr" else SERIES[1])
            for label, k in zip(names, LEVELS, strict=True)
        ]

    return {
        "tuning-what-first": draw_dots(
            [
                Panel(share.format(tables[t], lowest), dots(result[key][t]), 0.0)
                for t in TARGETS
                for key, lowest in LOWEST.items()
            ]
        ),
        "tuning-from-here": draw_dots(
            [
                Panel(ratio.format(tables[t], rate), dots(result["alone"][start][t]), 1.0)
                for t in TARGETS
                for start, rate in STARTS.items()
            ]
        ),
    }
