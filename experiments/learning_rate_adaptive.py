"""Adaptive rules: what is left to tune, what the correction of the averages does, what never rises.

(a) ``contenders``: eight rules of `bpref.optim` on the article's model (400 gradients), the same
nine rates for each, chosen on 10 seeds, reported on 30 others: error on new data minus its floor 1,
and how many of the nine rates come within a quarter of the best. (b) ``correction``: the size of
step t for a gradient that is always 1, Adam with and without correction, RMSprop. (c) ``moved``:
theta^2 / 2 with noise of variance 1; after so many steps the minimum jumps from 0 to 10; the
distance after 200 more steps, 20 seeds, each rule at the best of five rates for an early jump. (d)
``floor``: Adam with a constant rate on the same parabola, 4000 chains in 20 groups.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from bpref import optim
from experiments._article_model import Rates, Runs, summary, train
from experiments._claim import Claim
from experiments._ranges import exactly

RTOL = 1e-3  # 400 steps near the limit of stability amplify rounding

SEEDS, CHOOSING, EPOCHS = 30, 10, 100
RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)
LATE = 10**6  # where Adam starts to count when its averages are not corrected
RULES: dict[str, tuple[type[optim.Optimizer], dict[str, Any]]] = {
    "sgd": (optim.SGD, {}),
    "momentum": (optim.SGD, {"momentum": 0.9}),
    "nesterov": (optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "adagrad": (optim.Adagrad, {}),
    "rmsprop": (optim.RMSprop, {}),
    "adam": (optim.Adam, {}),
    "uncorrected": (optim.Adam, {"steps_before": LATE}),
    "adamw": (optim.AdamW, {}),
}
FIRST = 3000
JUMPS, AFTER, DRIFT_SEEDS = {"early": 10, "later": 1000, "late": 10_000}, 200, 20
DRIFTERS = {
    "sgd": (optim.SGD, (0.01, 0.03, 0.1, 0.3, 1.0)),
    "adagrad": (optim.Adagrad, (0.1, 0.3, 1.0, 3.0, 10.0)),
    "rmsprop": (optim.RMSprop, (0.01, 0.03, 0.1, 0.3, 1.0)),
    "adam": (optim.Adam, (0.01, 0.03, 0.1, 0.3, 1.0)),
}
FLOOR_RATES = {"eta_01": 0.1, "eta_003": 0.03, "eta_001": 0.01}
GROUPS, CHAINS, FLOOR_STEPS = 20, 4000, 2000

WORKED = ("seeds", "choosing", "grid", "rates*", "moved.seeds", "moved.after", "floor.groups")
CLAIMS = (
    Claim(
        id="learning-rate-tuned-rules-are-close",
        en="Eight update rules, each with the best of the same "
        "{{ learning_rate_adaptive.grid }} rates, end on the article's model between "
        "{{ learning_rate_adaptive.best.median | .3f }} and "
        "{{ learning_rate_adaptive.worst.median | .3f }} above the floor (medians of "
        "{{ learning_rate_adaptive.seeds }} seeds); the seeds of one rule differ by more. Of the "
        "rates, at most {{ learning_rate_adaptive.most_usable }} are within a quarter of the best "
        "for any rule.",
        zh="八种更新规则，各取同样 {{ learning_rate_adaptive.grid }} 个学习率中最好的一个，"
        "在原文的模型上终点超出下限 {{ learning_rate_adaptive.best.median | .3f }} 到 "
        "{{ learning_rate_adaptive.worst.median | .3f }}"
        "（{{ learning_rate_adaptive.seeds }} 个种子的中位数）；同一规则的不同种子之间差得更多。"
        "无论哪种规则，误差比最好的至多大四分之一的学习率最多 "
        "{{ learning_rate_adaptive.most_usable }} 个。",
        criterion="worst.median < 2 * best.median and all(c.q90 > 2 * c.q10 and c.usable <= 4 for "
        "c in contenders.values()) and contenders.adam.survivors == grid and "
        "contenders.adagrad.survivors == grid",
        covers=("contenders.*", "best.*", "worst.*", "most_usable"),
        runs="seeds",
        spread=("contenders.adam.min", "contenders.adam.max"),
        figure="learning_rate_adaptive",
    ),
    Claim(
        id="learning-rate-one-number-means-different-things",
        en="The same $0.001$ leaves an error above the floor of "
        "{{ learning_rate_adaptive.contenders.momentum.at_1em3 | .2f }} with momentum $0.9$, "
        "{{ learning_rate_adaptive.contenders.adam.at_1em3 | .2f }} with Adam and "
        "{{ learning_rate_adaptive.contenders.adagrad.at_1em3 | .1f }} with Adagrad.",
        zh="同样是 $0.001$，超出下限的误差：动量 $0.9$ 为 "
        "{{ learning_rate_adaptive.contenders.momentum.at_1em3 | .2f }}，Adam 为 "
        "{{ learning_rate_adaptive.contenders.adam.at_1em3 | .2f }}，Adagrad 为 "
        "{{ learning_rate_adaptive.contenders.adagrad.at_1em3 | .1f }}。",
        criterion="contenders.adagrad.at_1em3 > 3 * contenders.adam.at_1em3 > 9 * "
        "contenders.momentum.at_1em3",
        covers=("contenders.*.at_1em3",),
        runs="seeds",
        spread=("contenders.momentum.min", "contenders.momentum.max"),
        figure="learning_rate_adaptive_rates",
    ),
    Claim(
        id="learning-rate-first-steps-without-correction",
        en="For a gradient that is always 1, every step of Adam is $\\eta$. Without correction "
        "the first is {{ learning_rate_adaptive.correction.uncorrected.first | .2f }} $\\eta$ "
        "and the largest, step {{ learning_rate_adaptive.correction.uncorrected.largest_at }}, "
        "{{ learning_rate_adaptive.correction.uncorrected.largest | .1f }} $\\eta$; RMSprop, "
        "which has no correction, begins with "
        "{{ learning_rate_adaptive.correction.rmsprop.first | .1f }} $\\eta$.",
        zh="梯度恒为 1 时，Adam 的每一步都是 $\\eta$。不修正时，第一步是 "
        "{{ learning_rate_adaptive.correction.uncorrected.first | .2f }} $\\eta$，最大的第 "
        "{{ learning_rate_adaptive.correction.uncorrected.largest_at }} 步是 "
        "{{ learning_rate_adaptive.correction.uncorrected.largest | .1f }} $\\eta$；没有修正的 "
        "RMSprop 以 {{ learning_rate_adaptive.correction.rmsprop.first | .1f }} $\\eta$ 开头。",
        criterion="0.999 < correction.adam.smallest and correction.adam.largest < 1.001 and "
        "correction.uncorrected.first > 3 and correction.uncorrected.largest > 6 and "
        "correction.rmsprop.first > 9",
        covers=("correction.*",),
        exact="deterministic",
        figure="learning_rate_correction",
    ),
    Claim(
        id="learning-rate-correction-shifts-the-rate",
        en="On the article's model Adam without correction ends, at its own rate of "
        "{{ learning_rate_adaptive.contenders.uncorrected.rate }}, at "
        "{{ learning_rate_adaptive.contenders.uncorrected.median | .3f }} above the floor; "
        "corrected, at {{ learning_rate_adaptive.contenders.adam.rate }}, at "
        "{{ learning_rate_adaptive.contenders.adam.median | .3f }}.",
        zh="在原文的模型上，不修正的 Adam 用它自己的学习率 "
        "{{ learning_rate_adaptive.contenders.uncorrected.rate }}，终点超出下限 "
        "{{ learning_rate_adaptive.contenders.uncorrected.median | .3f }}；修正的用 "
        "{{ learning_rate_adaptive.contenders.adam.rate }}，为 "
        "{{ learning_rate_adaptive.contenders.adam.median | .3f }}。",
        criterion="contenders.uncorrected.rate < contenders.adam.rate and "
        "contenders.uncorrected.median < 1.25 * contenders.adam.median",
        covers=("contenders.uncorrected.*", "contenders.adam.*"),
        runs="seeds",
        spread=("contenders.uncorrected.min", "contenders.uncorrected.max"),
        figure="learning_rate_adaptive",
    ),
    Claim(
        id="learning-rate-adagrad-cannot-speed-up",
        en="When the minimum jumps after 10 000 steps, Adagrad is still "
        "{{ learning_rate_adaptive.moved.adagrad.late.median | .2f }} away "
        "{{ learning_rate_adaptive.moved.after }} steps later (at least "
        "{{ learning_rate_adaptive.moved.adagrad.late.min | .2f }} over "
        "{{ learning_rate_adaptive.moved.seeds }} seeds); after a jump at step 10 it is "
        "{{ learning_rate_adaptive.moved.adagrad.early.median | .2f }}. SGD, RMSprop and Adam are "
        "at most {{ learning_rate_adaptive.others_late | .2f }} away in both cases. With the next "
        "larger rate Adagrad is "
        "{{ learning_rate_adaptive.moved.adagrad.larger.late.median | .2f }} "
        "away after the late jump and "
        "{{ learning_rate_adaptive.moved.adagrad.larger.early.median | .2f }} after the early one.",
        zh="走了 10 000 步之后最小值跳走，再过 {{ learning_rate_adaptive.moved.after }} 步，"
        "Adagrad 还差 {{ learning_rate_adaptive.moved.adagrad.late.median | .2f }}"
        "（{{ learning_rate_adaptive.moved.seeds }} 个种子中至少 "
        "{{ learning_rate_adaptive.moved.adagrad.late.min | .2f }}）；若在第 10 步跳走，只差 "
        "{{ learning_rate_adaptive.moved.adagrad.early.median | .2f }}。两种情形下，SGD、RMSprop "
        "和 Adam 至多差 {{ learning_rate_adaptive.others_late | .2f }}。换用网格上更大一级的学习"
        "率，Adagrad 在晚跳之后差 "
        "{{ learning_rate_adaptive.moved.adagrad.larger.late.median | .2f }}，早跳之后差 "
        "{{ learning_rate_adaptive.moved.adagrad.larger.early.median | .2f }}。",
        criterion="moved.adagrad.late.min > 3 * moved.adagrad.early.max and "
        "moved.adagrad.late.min > 2 * others_late and moved.adagrad.larger.late.median < 0.2 and "
        "moved.adagrad.larger.early.median > 1.5 * moved.adagrad.early.median",
        covers=("moved.*", "others_late"),
        runs="moved.seeds",
        spread=("moved.adagrad.late.min", "moved.adagrad.late.max"),
        figure="learning_rate_moved",
    ),
    Claim(
        id="learning-rate-adam-has-a-floor",
        en="On a parabola with noise of variance 1, Adam with a constant rate settles at about "
        "$\\eta / 2$: {{ learning_rate_adaptive.floor.eta_01.mean | .4f }} for $0.1$ and "
        "{{ learning_rate_adaptive.floor.eta_001.mean | .4f }} for $0.01$.",
        zh="在噪声方差为 1 的抛物线上，学习率恒定的 Adam 大约停在 $\\eta / 2$：$0.1$ 时为 "
        "{{ learning_rate_adaptive.floor.eta_01.mean | .4f }}，$0.01$ 时为 "
        "{{ learning_rate_adaptive.floor.eta_001.mean | .4f }}。",
        criterion="all(abs(f.mean / f.predicted - 1) < 0.1 and f.min < f.predicted < f.max for f "
        "in (floor.eta_01, floor.eta_003, floor.eta_001))",
        covers=("floor.eta_*",),
        runs="floor.groups",
        spread=("floor.eta_01.min", "floor.eta_01.max"),
        figure="learning_rate_adam_floor",
    ),
)


def contender(name: str) -> dict[str, Any]:
    rule, options = RULES[name]
    runs = Runs(range(SEEDS + CHOOSING))
    errors = train(runs, Rates(rule, RATES, **options), runs.epochs(EPOCHS)) - 1.0
    found, choice = errors[:, :SEEDS], np.median(errors[:, SEEDS:], axis=1)
    best = int(np.argmin(choice))
    medians = np.median(found, axis=1)
    return summary(found[best]) | {
        "rate": RATES[best],
        "curve": [float(m) if np.isfinite(m) else None for m in medians],
        "usable": int((medians < 1.25 * medians.min()).sum()),
        "at_1em3": float(medians[RATES.index(1e-3)]),
        "survivors": int(np.isfinite(found).all(axis=1).sum()),
    }


def step_sizes(rule: type[optim.Optimizer], steps_before: int = 0) -> np.ndarray:
    """How far each of the first steps goes at the rate 1 when the gradient is always 1."""
    optimizer, theta = Rates(rule, [1.0], steps_before), np.zeros((1, 1, 1))
    path = [0.0]
    for _ in range(FIRST):
        theta = optimizer.step(theta, np.ones_like(theta))
        path.append(float(theta[0, 0, 0]))
    return -np.diff(path)


def correction() -> dict[str, Any]:
    sizes = {
        "adam": step_sizes(optim.Adam),
        "uncorrected": step_sizes(optim.Adam, LATE),
        "rmsprop": step_sizes(optim.RMSprop),
    }
    at = [*range(30), *np.unique(np.geomspace(30, FIRST - 1, 40).astype(int)).tolist()]
    result: dict[str, Any] = {"at": [t + 1 for t in at]}
    for name, size in sizes.items():
        result[name] = {
            "first": float(size[0]),
            "largest": float(size.max()),
            "largest_at": int(size.argmax()) + 1,
            "smallest": float(size.min()),
            "curve": size[at].tolist(),
        }
    return result


def distances(name: str, jump: int) -> np.ndarray:
    """Distance from the minimum some steps after its jump, of shape (rates, seeds)."""
    rule, rates = DRIFTERS[name]
    rng = np.random.default_rng(jump)
    optimizer, theta = Rates(rule, rates), np.zeros((len(rates), DRIFT_SEEDS, 1))
    for t in range(jump + AFTER):
        noise = rng.normal(size=(DRIFT_SEEDS, 1))
        theta = optimizer.step(theta, theta - (0.0 if t < jump else 10.0) + noise)
    return np.abs(theta[..., 0] - 10.0)


def moved() -> dict[str, Any]:
    result: dict[str, Any] = {"seeds": DRIFT_SEEDS, "after": AFTER, "jumps": list(JUMPS.values())}
    for name, (_, rates) in DRIFTERS.items():
        best = int(np.argmin(np.median(distances(name, JUMPS["early"]), axis=1)))
        result[name] = {key: exactly(distances(name, jump)[best]) for key, jump in JUMPS.items()}
        result[name]["rate"] = rates[best]
    # What tuning for the early jump does not show: the next rate of the grid.
    rates = DRIFTERS["adagrad"][1]
    larger = rates.index(result["adagrad"]["rate"]) + 1
    result["adagrad"]["larger"] = {"rate": rates[larger]} | {
        key: exactly(distances("adagrad", jump)[larger]) for key, jump in JUMPS.items()
    }
    return result


def floor() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    rates = list(FLOOR_RATES.values())
    optimizer, theta = Rates(optim.Adam, rates), np.zeros((len(rates), CHAINS, 1))
    for _ in range(FLOOR_STEPS):
        theta = optimizer.step(theta, theta + rng.normal(size=(CHAINS, 1)))
    squares = theta[..., 0] ** 2
    result: dict[str, Any] = {"groups": GROUPS}
    for name, rate, square in zip(FLOOR_RATES, rates, squares, strict=True):
        found = exactly(square.reshape(GROUPS, -1).mean(axis=1))
        result[name] = found | {"mean": float(square.mean()), "predicted": rate / 2}
    return result


def run() -> dict[str, Any]:
    contenders = {name: contender(name) for name in RULES}
    drift = moved()
    return {
        "seeds": SEEDS,
        "choosing": CHOOSING,
        "grid": len(RATES),
        "rates": list(RATES),
        "contenders": contenders,
        "best": min(contenders.values(), key=lambda c: c["median"]),
        "worst": max(contenders.values(), key=lambda c: c["median"]),
        "most_usable": max(c["usable"] for c in contenders.values()),
        "correction": correction(),
        "moved": drift,
        "others_late": max(drift[n]["late"]["max"] for n in DRIFTERS if n != "adagrad"),
        "floor": floor(),
    }


NAMES = {
    "sgd": "SGD",
    "momentum": {"en": "momentum", "zh": "动量"},
    "nesterov": "Nesterov",
    "adagrad": "Adagrad",
    "rmsprop": "RMSprop",
    "adam": "Adam",
    "uncorrected": {"en": "Adam, uncorrected", "zh": "Adam，不修正"},
    "adamw": "AdamW",
}


def label(name: str, lang: str) -> str:
    found = NAMES[name]
    return found if isinstance(found, str) else found[lang]


def draw(result: dict[str, Any], lang: str) -> dict[str, Figure]:
    from experiments._ranges import Bar, draw_ranges

    error = {
        "en": "error above the floor, each rule at its chosen rate",
        "zh": "超出下限的误差，各用选定的学习率",
    }
    bars = [Bar(label(n, lang), result["contenders"][n]) for n in RULES]
    return {
        "learning_rate_adaptive": draw_ranges(bars, error[lang]),
        "learning_rate_adaptive_rates": draw_rates(result, lang),
        "learning_rate_adam_floor": draw_floor(result["floor"], lang),
        "learning_rate_correction": draw_correction(result["correction"], lang),
        "learning_rate_moved": draw_moved(result["moved"], lang),
    }


def draw_floor(floor: dict[str, Any], lang: str) -> Figure:
    from experiments._ranges import Bar, draw_ranges

    fig = draw_ranges(
        [Bar(f"η = {rate:g}", floor[key]) for key, rate in FLOOR_RATES.items()],
        {"en": "mean square of θ", "zh": "θ 的均方值"}[lang],
    )
    ticks = [0.005, 0.01, 0.02, 0.05]
    fig.axes[0].set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    fig.axes[0].minorticks_off()
    return fig


def draw_rates(result: dict[str, Any], lang: str) -> Figure:
    from experiments.style import BAD, SERIES, new_figure

    fig, ax = new_figure(width=6.4, height=3.4)
    for name, color in zip(("sgd", "momentum", "adagrad", "rmsprop", "adam"), SERIES, strict=False):
        curve = [np.nan if v is None else v for v in result["contenders"][name]["curve"]]
        ax.plot(result["rates"], curve, "o-", color=color, markersize=3, label=label(name, lang))
    ax.axvline(1e-3, color=BAD, linewidth=1, linestyle=":")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_ylim(0.03, 10)
    ax.set_xticks([1e-4, 1e-3, 1e-2, 1e-1, 1], ["1e-4", "1e-3", "1e-2", "1e-1", "1"])
    ax.set_yticks([0.1, 1, 10], ["0.1", "1", "10"])
    ax.minorticks_off()
    ax.set_xlabel({"en": "learning rate", "zh": "学习率"}[lang])
    ax.set_ylabel({"en": "error above the floor", "zh": "超出下限的误差"}[lang])
    fig.legend(loc="outside upper center", ncols=5)
    return fig


def draw_correction(result: dict[str, Any], lang: str) -> Figure:
    from experiments.style import SERIES, new_figure

    fig, ax = new_figure(width=6.4, height=3.0)
    for name, color in zip(("adam", "uncorrected", "rmsprop"), SERIES, strict=False):
        ax.plot(result["at"], result[name]["curve"], color=color, label=label(name, lang))
    ax.set_xscale("log")
    ax.set_ylim(0, 10.5)
    ax.set_xlabel({"en": "step", "zh": "步"}[lang])
    ax.set_ylabel({"en": "step size in units of η", "zh": "步长，以 η 为单位"}[lang])
    ax.legend()
    return fig


def draw_moved(result: dict[str, Any], lang: str) -> Figure:
    from experiments._dots import MEDIAN, draw_bands
    from experiments.style import SERIES, new_figure

    fig, ax = new_figure(width=6.4, height=3.2)
    x = result["jumps"]
    for name, color in zip(DRIFTERS, SERIES, strict=False):
        rows = [result[name][key] for key in JUMPS]
        look = {"color": color, "marker": "o", "label": label(name, lang)}
        draw_bands(ax, x, rows, keys=MEDIAN, alpha=0.2, **look)
    ax.set_xscale("log")
    ax.set_xticks(x, [f"{v:,}" for v in x])
    ax.minorticks_off()
    ax.set_xlabel({"en": "steps before the minimum jumps", "zh": "最小值跳走之前的步数"}[lang])
    ax.set_ylabel({"en": f"distance {AFTER} steps later", "zh": f"再走 {AFTER} 步后的距离"}[lang])
    ax.legend()
    return fig
