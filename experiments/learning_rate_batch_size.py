"""Batch size and learning rate: the noise floor, the best rate, the largest stable rate.

(a) ``floor``: least squares on the article's 100 points, batches drawn with replacement, 3000 steps
from the solution, the mean excess of the loss over the last 2000, 20 seeds; predicted for small
rates: eta tr(C) / (4 B), with C the covariance of the gradient of one sample. (b) ``sweep``: the
article's network, 100 epochs for every batch size from 1 to 100 (10 000 sample gradients), SGD and
Adam, the same 15 rates, 10 seeds: the best rate, the largest rate without a diverged run, and the
error minus its floor 1. (c) ``scaling``: SGD with the rate that is best at batch 5, kept, times
the square root of B/5, and times B/5.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from bpref import optim
from experiments._article_model import Rates, Runs, summary, train
from experiments._claim import Claim
from experiments._ranges import exactly

RTOL = 1e-3

SIZES = (1, 2, 5, 10, 20, 50, 100)
BASE, BASE_RATE = 5, 10**-2.25  # a size, and the rate of the grid that is best for SGD there
RATES = tuple(float(r) for r in np.geomspace(10**-3.5, 1.0, 15))
SEEDS, EPOCHS = range(10), 100
RULES = {"sgd": optim.SGD, "adam": optim.Adam}
FLOOR_SEEDS, FLOOR_STEPS, LAST = 20, 3000, 2000
PAIRS = {"b1": (0.005, 1), "b4": (0.02, 4), "b16": (0.08, 16), "b16_small": (0.005, 16)}

WORKED = ("seeds", "rates*", "sizes*", "samples", "floor.seeds", "floor.*.rate", "floor.*.size")
CLAIMS = (
    Claim(
        id="learning-rate-floor-goes-with-rate-over-batch",
        en="On least squares with the article's data the excess of the loss follows "
        "$\\eta \\operatorname{tr}(C) / (4 B)$: measured over predicted "
        "{{ learning_rate_batch_size.floor.b1.ratio.median | .2f }} for batch 1 and rate $0.005$, "
        "{{ learning_rate_batch_size.floor.b4.ratio.median | .2f }} for 4 and $0.02$, "
        "{{ learning_rate_batch_size.floor.b16.ratio.median | .2f }} for 16 and $0.08$. Batch 16 "
        "with $0.005$ has at most {{ learning_rate_batch_size.floor.b16_small.excess.max | .4f }}, "
        "batch 1 at least {{ learning_rate_batch_size.floor.b1.excess.min | .4f }}.",
        zh="用原文数据做最小二乘，损失的超出量服从 "
        "$\\eta \\operatorname{tr}(C) / (4 B)$：实测与预测之比，批量 1、学习率 $0.005$ 时为 "
        "{{ learning_rate_batch_size.floor.b1.ratio.median | .2f }}，4 和 $0.02$ 时为 "
        "{{ learning_rate_batch_size.floor.b4.ratio.median | .2f }}，16 和 $0.08$ 时为 "
        "{{ learning_rate_batch_size.floor.b16.ratio.median | .2f }}。批量 16 配 $0.005$ 至多 "
        "{{ learning_rate_batch_size.floor.b16_small.excess.max | .4f }}，批量 1 至少 "
        "{{ learning_rate_batch_size.floor.b1.excess.min | .4f }}。",
        criterion="all(0.8 < f.ratio.median < 1.25 for f in (floor.b1, floor.b4, floor.b16, "
        "floor.b16_small)) and floor.b16_small.excess.max < 0.25 * floor.b1.excess.min",
        covers=("floor.b*",),
        runs="floor.seeds",
        spread=("floor.b1.ratio.min", "floor.b1.ratio.max"),
        figure="learning_rate_batch_floor",
    ),
    Claim(
        id="learning-rate-best-rate-grows-with-the-batch",
        en="For 100 epochs of the article's model the best rate of SGD grows from "
        "{{ learning_rate_batch_size.sweep.sgd[0].rate | .4f }} at batch 1 to "
        "{{ learning_rate_batch_size.sweep.sgd[6].rate | .2f }} at batch 100, the largest rate "
        "without a diverged run only from "
        "{{ learning_rate_batch_size.sweep.sgd[0].largest_safe | .3f }} to "
        "{{ learning_rate_batch_size.sweep.sgd[6].largest_safe | .2f }}. That of Adam grows from "
        "{{ learning_rate_batch_size.sweep.adam[0].rate | .4f }} to "
        "{{ learning_rate_batch_size.sweep.adam[6].rate | .1f }}. The best error above the "
        "floor stays between {{ learning_rate_batch_size.lowest | .3f }} and "
        "{{ learning_rate_batch_size.highest | .3f }} for both rules and all sizes.",
        zh="在原文的模型上训练 100 轮，SGD 的最佳学习率从批量 1 时的 "
        "{{ learning_rate_batch_size.sweep.sgd[0].rate | .4f }} 增到批量 100 时的 "
        "{{ learning_rate_batch_size.sweep.sgd[6].rate | .2f }}，不发散的最大学习率只从 "
        "{{ learning_rate_batch_size.sweep.sgd[0].largest_safe | .3f }} 增到 "
        "{{ learning_rate_batch_size.sweep.sgd[6].largest_safe | .2f }}。Adam 的最佳学习率从 "
        "{{ learning_rate_batch_size.sweep.adam[0].rate | .4f }} 增到 "
        "{{ learning_rate_batch_size.sweep.adam[6].rate | .1f }}。对两种规则和所有批量，"
        "超出下限的最小误差都在 {{ learning_rate_batch_size.lowest | .3f }} 到 "
        "{{ learning_rate_batch_size.highest | .3f }} 之间。",
        criterion="sweep.sgd[6].rate > 30 * sweep.sgd[0].rate and sweep.sgd[6].largest_safe < 20 * "
        "sweep.sgd[0].largest_safe and sweep.adam[6].rate > 20 * sweep.adam[0].rate and "
        "highest < 1.5 * lowest",
        covers=("sweep.*", "lowest", "highest"),
        runs="seeds",
        spread=("sweep.sgd[0].min", "sweep.sgd[0].max"),
        figure="learning_rate_batch_size",
    ),
    Claim(
        id="learning-rate-linear-scaling",
        en="With the rate in proportion to the batch, the error above the floor stays between "
        "{{ learning_rate_batch_size.scaling.linear_low | .3f }} and "
        "{{ learning_rate_batch_size.scaling.linear_high | .3f }} from batch 1 to 100; with the "
        "rate of batch 5 kept, it is "
        "{{ learning_rate_batch_size.scaling.kept[6].median | .2f }} at batch 100 after the same "
        "100 epochs.",
        zh="学习率与批量成正比时，从批量 1 到 100，超出下限的误差保持在 "
        "{{ learning_rate_batch_size.scaling.linear_low | .3f }} 到 "
        "{{ learning_rate_batch_size.scaling.linear_high | .3f }} 之间；若一直用批量 5 的学习率，"
        "同样 100 轮之后，批量 100 的误差为 "
        "{{ learning_rate_batch_size.scaling.kept[6].median | .2f }}。",
        criterion="scaling.linear_high < 1.25 * scaling.linear_low and scaling.kept[6].median > 3 "
        "* scaling.linear[6].median",
        covers=("scaling.*",),
        runs="seeds",
        spread=("scaling.linear[5].min", "scaling.linear[5].max"),
        figure="learning_rate_batch_scaling",
    ),
)


def floor(rate: float, size: int) -> dict[str, Any]:
    """Measured over predicted excess of the mean squared error, and the excess itself."""
    data = Runs(range(FLOOR_SEEDS))
    design = np.stack([data.x, np.ones_like(data.x)], axis=-1)  # (seeds, 100, 2)
    best = np.stack(
        [np.linalg.lstsq(a, b, rcond=None)[0] for a, b in zip(design, data.y, strict=True)]
    )
    hessian = 2.0 * design.swapaxes(1, 2) @ design / 100
    one = 2.0 * design * ((design @ best[..., None])[..., 0] - data.y)[..., None]
    predicted = rate * np.mean(np.sum(one**2, axis=-1), axis=-1) / (4.0 * size)
    rng, seeds = np.random.default_rng(size), np.arange(FLOOR_SEEDS)[:, None]
    theta, total = best, np.zeros(FLOOR_SEEDS)
    for t in range(FLOOR_STEPS):
        pick = rng.integers(100, size=(FLOOR_SEEDS, size))
        part = design[seeds, pick]
        error = (part @ theta[..., None])[..., 0] - data.y[seeds, pick]
        theta = theta - rate * 2.0 / size * (error[:, None, :] @ part)[:, 0]
        if t >= FLOOR_STEPS - LAST:
            away = (theta - best)[..., None]
            total += 0.5 * (away.swapaxes(1, 2) @ hessian @ away)[:, 0, 0]
    excess = total / LAST
    return {
        "rate": rate,
        "size": size,
        "excess": exactly(excess),
        "ratio": exactly(excess / predicted),
    }


def run() -> dict[str, Any]:
    powers = {"kept": 0.0, "root": 0.5, "linear": 1.0}
    sweep: dict[str, Any] = {name: [] for name in RULES}
    scaling: dict[str, Any] = {name: [] for name in powers}
    for size in SIZES:
        scaled = [BASE_RATE * (size / BASE) ** power for power in powers.values()]
        table = errors(optim.SGD, (*RATES, *scaled), size)
        sweep["sgd"].append(row(table[: len(RATES)]))
        sweep["adam"].append(row(errors(optim.Adam, RATES, size)))
        for name, rate, found in zip(powers, scaled, table[len(RATES) :], strict=True):
            lost = int(np.isinf(found).sum())
            entry = {"rate": rate, "diverged": lost} | ({} if lost else summary(found))
            scaling[name].append(entry)
    medians = [found["median"] for rows in sweep.values() for found in rows]
    linear = [found["median"] for found in scaling["linear"]]
    return {
        "lowest": min(medians),
        "highest": max(medians),
        "seeds": len(SEEDS),
        "sizes": list(SIZES),
        "rates": list(RATES),
        "samples": 100 * EPOCHS,
        "floor": {"seeds": FLOOR_SEEDS} | {name: floor(*pair) for name, pair in PAIRS.items()},
        "sweep": sweep,
        "scaling": scaling | {"linear_low": min(linear), "linear_high": max(linear)},
    }


def errors(rule: type[optim.Optimizer], rates: tuple[float, ...], size: int) -> np.ndarray:
    """Error minus its floor, of shape (rates, seeds); the same samples are seen at every size."""
    runs = Runs(SEEDS)
    return train(runs, Rates(rule, rates), runs.epochs(EPOCHS, size)) - 1.0


def row(table: np.ndarray) -> dict[str, Any]:
    medians = np.median(table, axis=1)
    best = int(np.argmin(medians))
    safe = [r for r, errors in zip(RATES, table, strict=True) if np.isfinite(errors).all()]
    usable = [r for r, m in zip(RATES, medians, strict=True) if m < 1.25 * medians[best]]
    return summary(table[best]) | {
        "rate": RATES[best],
        "largest_safe": max(safe),
        "usable_from": min(usable),
        "usable_to": max(usable),
    }


def draw(result: dict[str, Any], lang: str) -> dict[str, Figure]:
    from experiments._ranges import Bar, draw_ranges

    names = {"en": ("batch", "rate", ", "), "zh": ("批量", "学习率", "，")}[lang]
    bars = [
        Bar(f"{names[0]} {size}{names[2]}{names[1]} {rate}", result["floor"][key]["excess"])
        for key, (rate, size) in PAIRS.items()
    ]
    label = {"en": "excess of the loss", "zh": "损失的超出量"}[lang]
    return {
        "learning_rate_batch_floor": draw_ranges(bars, label),
        "learning_rate_batch_size": draw_sweep(result, lang),
        "learning_rate_batch_scaling": draw_scaling(result, lang),
    }


def draw_sweep(result: dict[str, Any], lang: str) -> Figure:
    from experiments.style import BAD, MUTED, SERIES, new_figure

    words = {
        "en": (
            "batch size",
            "learning rate",
            "best",
            "within a quarter of the best",
            "last without divergence",
            "in proportion to B",
        ),
        "zh": (
            "批量大小",
            "学习率",
            "最好的",
            "误差比最好的至多大四分之一",
            "不发散的最大值",
            "与 B 成正比",
        ),
    }[lang]
    sizes = np.array(result["sizes"])
    fig, axes = new_figure(width=7.2, height=3.6, ncols=2, sharey=True)
    for ax, name, color in zip(axes, RULES, SERIES, strict=False):
        rows = result["sweep"][name]
        low, high = ([r[end] for r in rows] for end in ("usable_from", "usable_to"))
        ax.fill_between(sizes, low, high, color=color, alpha=0.2, linewidth=0, label=words[3])
        ax.plot(sizes, [r["rate"] for r in rows], "o-", color=color, label=words[2])
        ax.plot(sizes, [r["largest_safe"] for r in rows], "x--", color=BAD, label=words[4])
        ax.plot(sizes, 1.2e-3 * sizes, ":", color=MUTED, label=words[5])
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xticks(sizes, [str(s) for s in sizes])
        ax.set_yticks([1e-3, 1e-2, 1e-1, 1], ["1e-3", "1e-2", "1e-1", "1"])
        ax.minorticks_off()
        ax.set_xlabel(words[0])
        ax.set_title({"sgd": "SGD", "adam": "Adam"}[name], fontsize=10)
    axes[0].set_ylabel(words[1])
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=2)
    return fig


def draw_scaling(result: dict[str, Any], lang: str) -> Figure:
    from experiments._dots import MEDIAN, draw_bands
    from experiments.style import SERIES, new_figure

    words = {
        "en": {"kept": "rate kept", "root": "times √(B/5)", "linear": "times B/5"},
        "zh": {"kept": "学习率不变", "root": "乘以 √(B/5)", "linear": "乘以 B/5"},
    }[lang]
    fig, ax = new_figure(width=6.4, height=3.2)
    for (name, word), color in zip(words.items(), SERIES, strict=False):
        good = [
            (size, r)
            for size, r in zip(result["sizes"], result["scaling"][name], strict=True)
            if "median" in r
        ]
        x, rows = [size for size, _ in good], [r for _, r in good]
        draw_bands(ax, x, rows, keys=MEDIAN, alpha=0.15, color=color, marker="o", label=word)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xticks(result["sizes"], [str(s) for s in result["sizes"]])
    ax.minorticks_off()
    ax.set_xlabel({"en": "batch size B", "zh": "批量大小 B"}[lang])
    ax.set_ylabel({"en": "error above the floor", "zh": "超出下限的误差"}[lang])
    ax.legend()
    return fig
