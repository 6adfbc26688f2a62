"""The learning rate as a regularizer: the task of ``regularization_curves``, the rate chosen, too.

40 points, 40 validation points, 800 full-batch gradients, 20 seeds, as there; but five rates from
0.001 to 0.03 instead of 0.03 alone. ``none`` has nothing to choose but the rate; L1, L2 and dropout
have seven strengths for each rate. ``fixed``: the choice with the rate 0.03 only. ``width``: 30, 8
and 1 hidden units without a method, the rate chosen for each.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._claim import Claim
from experiments._many_nets import spread
from experiments._regularized_nets import all_errors, fit, make, paired
from experiments.regularization_curves import SETTINGS

RTOL = 1e-3
SEEDS, N = 20, 40
RATES = (0.001, 0.003, 0.005, 0.01, 0.03)
METHODS = ("none", "l1", "l2", "dropout")
WIDTHS = (30, 8, 1)

WORKED = ("seeds", "points", "rates", "settings")
CLAIMS = (
    Claim(
        id="regularization-rate-is-a-regularizer",
        en="Without any method, the rate chosen out of {{ regularization_rates.rates }} lowers the "
        "test error from {{ regularization_rates.none.fixed.mean | .3f }} to "
        "{{ regularization_rates.none.chosen.mean | .3f }}, in "
        "{{ regularization_rates.none.gain.below }} of {{ regularization_rates.seeds }} runs. With "
        "the rate chosen, L1 is still lower in {{ regularization_rates.l1.over_none.below }} runs "
        "({{ regularization_rates.l1.chosen.mean | .3f }}), dropout in "
        "{{ regularization_rates.dropout.over_none.below }} "
        "({{ regularization_rates.dropout.chosen.mean | .3f }}) and L2 in "
        "{{ regularization_rates.l2.over_none.below }} "
        "({{ regularization_rates.l2.chosen.mean | .3f }}).",
        zh="什么方法都不用，只从 {{ regularization_rates.rates }} 个学习率中选一个，测试误差就从 "
        "{{ regularization_rates.none.fixed.mean | .3f }} 降到 "
        "{{ regularization_rates.none.chosen.mean | .3f }}，"
        "{{ regularization_rates.seeds }} 次训练中有 {{ regularization_rates.none.gain.below }} 次"
        "如此。学习率也经过选择时，L1 仍有 {{ regularization_rates.l1.over_none.below }} 次更低"
        "（{{ regularization_rates.l1.chosen.mean | .3f }}），dropout 有 "
        "{{ regularization_rates.dropout.over_none.below }} 次"
        "（{{ regularization_rates.dropout.chosen.mean | .3f }}），L2 有 "
        "{{ regularization_rates.l2.over_none.below }} 次"
        "（{{ regularization_rates.l2.chosen.mean | .3f }}）。",
        criterion="none.chosen.mean < 0.6 * none.fixed.mean and none.gain.below > 0.9 * seeds and "
        "min(m.over_none.below for m in (l1, l2, dropout)) > 0.6 * seeds and "
        "all(m.over_none.mean < 0 for m in (l1, l2, dropout))",
        covers=("none.*", "l1.*", "l2.*", "dropout.*"),
        runs="seeds",
        spread=("none.chosen.min", "none.chosen.max"),
        figure="regularization-rates",
    ),
    Claim(
        id="regularization-width-with-its-rate",
        en="With the rate chosen for each width, the narrow networks lose their advantage: 30 "
        "units have a test error of {{ regularization_rates.width.w30.chosen.mean | .3f }}, 8 of "
        "{{ regularization_rates.width.w8.chosen.mean | .3f }}, and one unit of "
        "{{ regularization_rates.width.w1.chosen.mean | .3f }}; 8 units are better than 30 in "
        "{{ regularization_rates.width.w8.change.below }} of {{ regularization_rates.seeds }} "
        "runs, one unit in {{ regularization_rates.width.w1.change.below }}.",
        zh="为每个宽度各选学习率之后，窄网络的优势不见了：30 个单元的测试误差为 "
        "{{ regularization_rates.width.w30.chosen.mean | .3f }}，8 个为 "
        "{{ regularization_rates.width.w8.chosen.mean | .3f }}，1 个为 "
        "{{ regularization_rates.width.w1.chosen.mean | .3f }}；"
        "{{ regularization_rates.seeds }} 次训练中，8 个单元有 "
        "{{ regularization_rates.width.w8.change.below }} 次优于 30 个，1 个单元有 "
        "{{ regularization_rates.width.w1.change.below }} 次。",
        criterion="all(w.change.mean > 0 and w.change.below < 0.5 * seeds for w in "
        "(width.w8, width.w1))",
        covers=("width.*",),
        runs="seeds",
        spread=("width.w1.change.min", "width.w1.change.max"),
        figure="regularization-rates",
    ),
)


def run() -> dict[str, Any]:
    data = make(N, SEEDS)
    each = np.arange(SEEDS)

    def errors(method: str, hidden: int) -> tuple[np.ndarray, np.ndarray]:
        """Validation and test error of (rates, strengths, seeds)."""
        strengths = (0.0,) if method == "none" else SETTINGS[method]
        found = [
            all_errors(fit(data, method, strengths, hidden=hidden, lr=rate).params, data)
            for rate in RATES
        ]
        return (
            np.stack([e["validation"] for e in found]),
            np.stack([e["test"] for e in found]),
        )

    def chosen(valid: np.ndarray, test: np.ndarray) -> np.ndarray:
        out: np.ndarray = test.reshape(-1, SEEDS)[valid.reshape(-1, SEEDS).argmin(axis=0), each]
        return out

    result: dict[str, Any] = {
        "seeds": SEEDS,
        "points": N,
        "rates": len(RATES),
        "settings": len(RATES) * len(SETTINGS["l2"]),
    }
    picked = {}
    for method in METHODS:
        valid, test = errors(method, 30)
        picked[method], fixed = chosen(valid, test), chosen(valid[-1:], test[-1:])
        result[method] = {
            "fixed": spread(fixed),
            "chosen": spread(picked[method]),
            "gain": paired(picked[method] - fixed),
        }
        if method != "none":
            result[method]["over_none"] = paired(picked[method] - picked["none"])
    result["width"] = {}
    for hidden in WIDTHS:
        tuned = picked["none"] if hidden == 30 else chosen(*errors("none", hidden))
        result["width"][f"w{hidden}"] = {
            "chosen": spread(tuned),
            "change": paired(tuned - picked["none"]),
        }
    return result


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    from experiments import style
    from experiments._dots import Dot, Panel, draw_dots

    t = {
        "en": {
            "none": "no method{}",
            "l1": "L1{}",
            "l2": "L2{}",
            "dropout": "dropout{}",
            "fixed": ", rate 0.03",
            "chosen": ", rate chosen",
            "width": "{} units, rate chosen",
            "one": "1 unit, rate chosen",
            "label": "test error",
        },
        "zh": {
            "none": "什么都不用{}",
            "l1": "L1{}",
            "l2": "L2{}",
            "dropout": "dropout{}",
            "fixed": "，学习率 0.03",
            "chosen": "，学习率也选",
            "width": "{} 个单元，学习率也选",
            "one": "1 个单元，学习率也选",
            "label": "测试误差",
        },
    }[lang]
    dots = [
        Dot(t[method].format(t[how]), result[method][how], color)
        for method in METHODS
        for how, color in zip(("fixed", "chosen"), style.SERIES, strict=False)
    ]
    dots += [
        Dot(name, result["width"][key]["chosen"], style.SERIES[1])
        for name, key in ((t["width"].format(8), "w8"), (t["one"], "w1"))
    ]
    return {"regularization-rates": draw_dots([Panel(t["label"], dots, None)])}
