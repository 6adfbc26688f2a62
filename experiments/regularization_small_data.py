"""The same regularizers from 10 to 640 points: a help where data are few, a cost where they abound.

The task of `_regularized_nets`, 10 seeds, 800 gradients for each run. The strengths are those that
were best at 40 points, and stay; early stopping holds out a quarter of the points. ``gain`` is
the test error with a method minus that without any, seed by seed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._claim import Claim
from experiments._many_nets import spread
from experiments._regularized_nets import PAIRS, all_errors, fit, make, paired

RTOL = 1e-3
SEEDS = 10
POINTS = (10, 20, 40, 80, 160, 320, 640)
STRENGTH = {"none": 0.0, "l1": 0.01, "l2": 0.03, "dropout": 0.3, "noise": 0.3}
METHODS = (*STRENGTH, "early")

WORKED = ("seeds", "points*", "strength.*")
CLAIMS = (
    Claim(
        id="regularization-small-data-more-points",
        en="Without any method the test error falls from "
        "{{ regularization_small_data.none.test[2].mean | .3f }} with 40 points to "
        "{{ regularization_small_data.none.test[4].mean | .3f }} with 160 and "
        "{{ regularization_small_data.none.test[6].mean | .3f }} with 640: below what any of five "
        "methods reaches with 40 ({{ regularization_small_data.best_at_40 | .3f }}).",
        zh="什么方法也不用，测试误差从 40 个点的 "
        "{{ regularization_small_data.none.test[2].mean | .3f }} 降到 160 个点的 "
        "{{ regularization_small_data.none.test[4].mean | .3f }} 和 640 个点的 "
        "{{ regularization_small_data.none.test[6].mean | .3f }}：比五种方法在 40 个点上能达到的"
        "（{{ regularization_small_data.best_at_40 | .3f }}）都低。",
        criterion="none.test[6].max < best_at_40 and "
        "none.test[2].mean > none.test[3].mean > none.test[4].mean > none.test[6].mean",
        covers=("none.test*", "best_at_40"),
        runs="seeds",
        spread=("none.test[6].min", "none.test[6].max"),
        figure="regularization-small-data",
    ),
    Claim(
        id="regularization-small-data-helps-where-few",
        en="With 40 points L1, L2, dropout and noise lower the test error in at least "
        "{{ regularization_small_data.least_better_at_40 }} of "
        "{{ regularization_small_data.seeds }} runs, early stopping in "
        "{{ regularization_small_data.early.gain[2].below }}. With 10 points dropout raises it in "
        "{{ regularization_small_data.dropout.gain[0].above }}.",
        zh="40 个点时，L1、L2、dropout 和输入噪声在 {{ regularization_small_data.seeds }} 次训练"
        "中至少有 "
        "{{ regularization_small_data.least_better_at_40 }} 次降低测试误差，早停有 "
        "{{ regularization_small_data.early.gain[2].below }} 次。10 个点时，dropout 反而有 "
        "{{ regularization_small_data.dropout.gain[0].above }} 次使它上升。",
        criterion="least_better_at_40 > 0.75 * seeds and early.gain[2].below > 0.5 * seeds and "
        "dropout.gain[0].above >= 0.5 * seeds",
        covers=("least_better_at_40", "early.gain[2].*", "dropout.gain[0].*"),
        runs="seeds",
        spread=("l2.gain[2].min", "l2.gain[2].max"),
        figure="regularization-small-data",
    ),
    Claim(
        id="regularization-small-data-hurts-where-plenty",
        en="With 640 points the same strengths raise it: L2 and dropout in all "
        "{{ regularization_small_data.seeds }} runs (from "
        "{{ regularization_small_data.none.test[6].mean | .3f }} to "
        "{{ regularization_small_data.l2.test[6].mean | .3f }} and "
        "{{ regularization_small_data.dropout.test[6].mean | .3f }}), L1 in "
        "{{ regularization_small_data.l1.gain[6].above }}, noise in "
        "{{ regularization_small_data.noise.gain[6].above }}, early stopping in "
        "{{ regularization_small_data.early.gain[6].above }}.",
        zh="640 个点时，同样的强度反而使误差上升：L2 和 dropout 在 "
        "{{ regularization_small_data.seeds }} 次训练中次次如此（从 "
        "{{ regularization_small_data.none.test[6].mean | .3f }} 升到 "
        "{{ regularization_small_data.l2.test[6].mean | .3f }} 和 "
        "{{ regularization_small_data.dropout.test[6].mean | .3f }}），L1 有 "
        "{{ regularization_small_data.l1.gain[6].above }} 次，输入噪声有 "
        "{{ regularization_small_data.noise.gain[6].above }} 次，早停有 "
        "{{ regularization_small_data.early.gain[6].above }} 次。",
        criterion="min(l2.gain[6].min, dropout.gain[6].min) > 0 and "
        "all([m.gain[6].above > 0.5 * seeds for m in [l1, noise]])",
        covers=(
            "*.gain*",
            "none.test[6].*",
            "l1.test*",
            "l2.test*",
            "dropout.test*",
            "noise.test*",
            "early.test*",
        ),
        runs="seeds",
        spread=("dropout.gain[6].min", "dropout.gain[6].max"),
        figure="regularization-small-data",
    ),
)


def run() -> dict[str, Any]:
    found: dict[str, list[np.ndarray]] = {m: [] for m in METHODS}
    train: dict[str, list[np.ndarray]] = {m: [] for m in METHODS}
    for n in POINTS:
        data = make(n, SEEDS)
        for method, strength in STRENGTH.items():
            errors = all_errors(fit(data, method, (strength,)).params, data)
            found[method].append(errors["test"][0])
            train[method].append(errors["train"][0])
        held = max(1, n // 4)
        kept = data | {k: data[k][:, held:] for k in PAIRS["train"]}
        kept |= {"xv": data["x"][:, :held], "yv": data["y"][:, :held]}
        curves = {k: v[:, 0] for k, v in fit(kept, every=20).curves.items()}
        best = curves["validation"].argmin(axis=0), np.arange(SEEDS)
        found["early"].append(curves["test"][best])
        train["early"].append(curves["train"][best])
    result: dict[str, Any] = {"seeds": SEEDS, "points": POINTS, "strength": STRENGTH}
    for m in METHODS:
        result[m] = {
            "test": [spread(v) for v in found[m]],
            "train": [spread(v) for v in train[m]],
        }
        if m != "none":
            gains = zip(found[m], found["none"], strict=True)
            result[m]["gain"] = [paired(a - b) for a, b in gains]
    at_40 = POINTS.index(40)
    result["best_at_40"] = min(result[m]["test"][at_40]["mean"] for m in METHODS[1:])
    result["least_better_at_40"] = min(result[m]["gain"][at_40]["below"] for m in METHODS[1:-1])
    return result


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    from experiments.style import INK, SERIES, new_figure

    t = {
        "en": {
            "none": "no method",
            "l1": "L1, 0.01",
            "l2": "L2, 0.03",
            "dropout": "dropout, 0.3",
            "noise": "noise, 0.3",
            "early": "early stopping",
            "points": "training points",
            "test": "test error",
            "gain": "640 points: change against no method",
        },
        "zh": {
            "none": "什么都不用",
            "l1": "L1，0.01",
            "l2": "L2，0.03",
            "dropout": "dropout，0.3",
            "noise": "输入噪声，0.3",
            "early": "早停",
            "points": "训练点数",
            "test": "测试误差",
            "gain": "640 个点：与什么都不用相比",
        },
    }[lang]
    fig, (left, right) = new_figure(7.2, 3.8, ncols=2)
    colors = dict(zip(METHODS, (INK, *SERIES), strict=False))
    for m in METHODS:
        means = [row["mean"] for row in result[m]["test"]]
        left.plot(POINTS, means, color=colors[m], marker="o", markersize=3, label=t[m])
    left.set_yscale("log")
    left.set_yticks([0.03, 0.1, 0.3, 1.0], ["0.03", "0.1", "0.3", "1"])
    left.set_title(t["test"])
    left.set_xscale("log")
    left.set_xticks(POINTS, [str(n) for n in POINTS])
    left.minorticks_off()
    left.set_xlabel(t["points"])
    for y, m in enumerate(METHODS[1:]):
        gain = result[m]["gain"][-1]
        right.plot(
            [gain["min"], gain["max"]], [y, y], color=colors[m], lw=4, alpha=0.4,
            solid_capstyle="round",
        )  # fmt: skip
        right.plot(gain["mean"], y, "o", color=colors[m], markersize=6)
    right.axvline(0.0, color=INK, linewidth=1)
    right.set_yticks([])
    right.set_ylim(len(METHODS) - 1.5, -0.5)
    right.set_title(t["gain"])
    fig.legend(loc="outside upper center", ncols=3)
    return {"regularization-small-data": fig}
