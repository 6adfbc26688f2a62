"""A search for the learning rate in both directions, against one that starts at 1e-3 and goes down.

Three models: ``article`` (the article's network and data, SGD, 100 epochs of batches of 32),
``units`` (the same with an input in other units: every x is 30 times as large), ``digits`` (the
64-32-10 network, 100 images, momentum 0.9, 100 steps on all of them). 15 rates from 1e-6 to 10, two
per decade; 12 repeats with training, validation and test data of their own. Every rate is trained
from the same three starts (weights and batch order) and scored by the worst of the three validation
errors. ``both`` begins at a rate of the grid and extends it on the side where its best rate is the
last one, until the best has a neighbor on either side; ``down`` begins at 1e-3, only decreases, and
gets as many rates as ``both`` from 1e-3 tried in the same repeat. Reported: the test error of the
chosen rate (article and units: above the floor; digits: cross-entropy), mean of the three starts,
as it is and over the lowest of the 15. ``short``: ``both`` with a tenth of the gradients for each
training; the chosen rate then gets the full number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from bpref import optim
from experiments import _digits as digits
from experiments._article_model import SAMPLES, Rates, Runs, train
from experiments._claim import Claim
from experiments._ranges import exactly

RTOL = 1e-3

REPEATS, STARTS, EPOCHS, STEPS, UNITS = 12, 3, 100, 100, 30.0
RATES = tuple(float(r) for r in np.geomspace(1e-6, 10.0, 15))
BEGIN = {"low": 2, "middle": 6, "high": 10}  # places of 1e-5, 1e-3 and 0.1 in RATES

WORKED = ("repeats", "starts", "rates*", "units_factor")
CLAIMS = (
    Claim(
        id="learning-rate-search-finds-it-from-anywhere",
        en="A search in both directions on a grid of two rates per decade, begun at $10^{-5}$, "
        "$10^{-3}$ or $0.1$, ends in each of {{ learning_rate_search.repeats }} repeats and on "
        "each of three models with at most {{ learning_rate_search.worst_ratio | .2f }} times the "
        "lowest error of the whole grid, after at most {{ learning_rate_search.most_tried }} "
        "rates. On the article's model and on the digits all three beginnings give the same rate.",
        zh="每十倍取两个学习率，从 $10^{-5}$、$10^{-3}$ 或 $0.1$ 开始向两个方向搜索：在三个模型上、"
        "{{ learning_rate_search.repeats }} 次重复中，最后的误差都不超过整个网格最低误差的 "
        "{{ learning_rate_search.worst_ratio | .2f }} 倍，最多试 "
        "{{ learning_rate_search.most_tried }} 个学习率。在原文的模型和手写数字上，"
        "三个起点得到同一个学习率。",
        criterion="worst_ratio < 1.6 and most_tried < len(rates) and article.same == repeats and "
        "digits.same == repeats and max([m[s].ratio.median for m in (article, units, digits) "
        "for s in ('low', 'middle', 'high')]) < 1.05",
        covers=(
            "worst_ratio",
            "most_tried",
            "*.low.*",
            "*.middle.*",
            "*.high.*",
            "*.same",
        ),
        runs="repeats",
        spread=("article.middle.ratio.min", "article.middle.ratio.max"),
        figure="learning_rate_search",
    ),
    Claim(
        id="learning-rate-search-down-misses-it",
        en="With as many rates, a search that begins at $10^{-3}$ and only decreases is worse in "
        "each of {{ learning_rate_search.repeats }} repeats on the article's model (error above "
        "the floor {{ learning_rate_search.article.down.error.median | .2f }} instead of "
        "{{ learning_rate_search.article.middle.error.median | .3f }}, medians) and on the digits "
        "(cross-entropy {{ learning_rate_search.digits.down.error.median | .2f }} instead of "
        "{{ learning_rate_search.digits.middle.error.median | .2f }}).",
        zh="试同样多的学习率，从 $10^{-3}$ 开始只减不增的搜索，在原文的模型上（超出下限的误差为 "
        "{{ learning_rate_search.article.down.error.median | .2f }}，而不是 "
        "{{ learning_rate_search.article.middle.error.median | .3f }}，中位数）和手写数字上"
        "（交叉熵为 {{ learning_rate_search.digits.down.error.median | .2f }}，而不是 "
        "{{ learning_rate_search.digits.middle.error.median | .2f }}），"
        "{{ learning_rate_search.repeats }} 次重复每次都更差。",
        criterion="article.down.worse == repeats and digits.down.worse == repeats and "
        "article.down.ratio.min > 3 and digits.down.ratio.min > 3 and article.down.rate.min == "
        "digits.down.rate.min == rates[6] and digits.middle.rate.min == digits.middle.rate.max",
        covers=(
            "article.down.*",
            "digits.down.*",
            "article.middle.error.*",
            "digits.middle.error.*",
        ),
        runs="repeats",
        spread=("article.down.ratio.min", "article.down.ratio.max"),
        figure="learning_rate_search_ratio",
    ),
    Claim(
        id="learning-rate-search-down-is-enough-below",
        en="With an input in units that make it {{ learning_rate_search.units_factor | .0f }} "
        "times as large, the search in both directions ends at "
        "${{ learning_rate_search.units.middle.rate.median | sci0 }}$ (median), and going down "
        "from $10^{-3}$ ends at the same rate as both ways in each of "
        "{{ learning_rate_search.repeats }} repeats.",
        zh="输入换一种单位，放大到 {{ learning_rate_search.units_factor | .0f }} 倍，双向搜索得到 "
        "${{ learning_rate_search.units.middle.rate.median | sci0 }}$（中位数），"
        "从 $10^{-3}$ 只向下搜索，在 {{ learning_rate_search.repeats }} 次重复中每次都得到"
        "与双向相同的学习率。",
        criterion="units.down.worse == 0 and units.down.same == repeats and "
        "units.middle.rate.median < 0.0005",
        covers=("units.down.*", "units.middle.*"),
        runs="repeats",
        spread=("units.down.ratio.min", "units.down.ratio.max"),
        figure="learning_rate_search_ratio",
    ),
    Claim(
        id="learning-rate-search-short-trainings-mislead",
        en="Searched with a tenth of the gradients, the rate comes out higher: on the article's "
        "model {{ learning_rate_search.article.short.rate.median | .2f }} instead of "
        "{{ learning_rate_search.article.middle.rate.median | .2f }} (median), on the digits "
        "{{ learning_rate_search.digits.short.rate.median | .1f }} instead of "
        "{{ learning_rate_search.digits.middle.rate.median | .1f }}. A full training with it has "
        "{{ learning_rate_search.digits.short.ratio.min | .1f }} to "
        "{{ learning_rate_search.digits.short.ratio.max | .1f }} times the lowest cross-entropy "
        "on the digits.",
        zh="只用十分之一的梯度来搜索，得到的学习率偏高：在原文的模型上为 "
        "{{ learning_rate_search.article.short.rate.median | .2f }}，而不是 "
        "{{ learning_rate_search.article.middle.rate.median | .2f }}（中位数）；在手写数字上为 "
        "{{ learning_rate_search.digits.short.rate.median | .1f }}，而不是 "
        "{{ learning_rate_search.digits.middle.rate.median | .1f }}。用选出的学习率完整训练，"
        "手写数字上的交叉熵是最低值的 "
        "{{ learning_rate_search.digits.short.ratio.min | .1f }} 到 "
        "{{ learning_rate_search.digits.short.ratio.max | .1f }} 倍。",
        criterion="article.short.rate.median > 2 * article.middle.rate.median and "
        "digits.short.rate.min > 2 * digits.middle.rate.max and digits.short.ratio.min > 1.3",
        covers=("*.short.*", "*.middle.rate.*"),
        runs="repeats",
        spread=("digits.short.ratio.min", "digits.short.ratio.max"),
        figure="learning_rate_search_ratio",
    ),
)

Array = np.ndarray


class Table(NamedTuple):
    """Errors of every rate, (rates, repeats): what a search sees, and what it is worth."""

    validation: Array
    test: Array


class Scaled(Runs):
    """The article's runs with validation data and an input in other units.

    Three runs share their data; weights and batch order are their own.
    """

    def __init__(self, units: float) -> None:
        super().__init__(range(REPEATS * STARTS))
        self.units = units
        own = np.arange(len(self.rngs)) // STARTS * STARTS
        self.x[:], self.y[:] = self.x[own], self.y[own]
        fresh = np.random.default_rng(1000)
        x, noise = fresh.normal(size=(2, REPEATS, SAMPLES)).repeat(STARTS, axis=1)
        self.new = x, 2.0 * x + 1.0 + noise

    def predict(self, x: Array) -> Array:
        return super().predict(self.units * x)

    def loss_and_gradient(self, x: Array, y: Array) -> tuple[Array, Array]:
        return super().loss_and_gradient(self.units * x, y)

    def validation_mse(self) -> Array:
        x, y = self.new
        return np.asarray(np.mean((self.predict(x) - y) ** 2, axis=-1))


def lines(units: float, share: float) -> Table:
    """The article's network: squared error on the validation data, and above the floor."""
    runs = Scaled(units)
    batches = runs.epochs(round(share * EPOCHS))
    test = train(runs, Rates(optim.SGD, RATES), batches) - 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        return table(runs.validation_mse(), test)


def pictures(share: float) -> Table:
    """The digits: cross-entropy on validation and test images."""
    x, labels = digits.images()
    own, validation, test = (np.repeat(p, STARTS, axis=0) for p in digits.split(REPEATS))
    targets = np.broadcast_to(np.eye(digits.CLASSES)[labels[own]], (len(RATES), *own.shape, 10))
    rates, steps = np.array(RATES), round(share * STEPS)
    with np.errstate(over="ignore", invalid="ignore"):
        params = digits.fit(lambda step: x[own][None], targets, rates, steps)
        return table(
            *(
                digits.nll(digits.log_p(params, x[part][None]), labels[part])
                for part in (validation, test)
            )
        )


def table(validation: Array, test: Array) -> Table:
    """The worst of the validation errors and the mean test error of the three starts."""
    worst, mean = (
        np.where(np.isfinite(error), error, np.inf).reshape(len(RATES), REPEATS, STARTS)
        for error in (validation, test)
    )
    return Table(worst.max(axis=-1), mean.mean(axis=-1))


MODELS: dict[str, Callable[[float], Table]] = {
    "article": lambda share: lines(1.0, share),
    "units": lambda share: lines(UNITS, share),
    "digits": pictures,
}


def both(score: Array, start: int) -> list[int]:
    """The places that a search in both directions tries, the chosen one last."""
    tried = [start]
    while True:
        best = min(sorted(tried), key=score.__getitem__)  # of two lost runs, the smaller rate
        if best == min(tried) > 0:
            tried.append(best - 1)
        elif best == max(tried) < len(score) - 1:
            tried.append(best + 1)
        else:
            return [*(t for t in tried if t != best), best]


def down(score: Array, start: int, number: int) -> int:
    """The best place of a search that only decreases the rate."""
    return min(range(max(start - number + 1, 0), start + 1), key=score.__getitem__)


def worth(found: Table, chosen: Sequence[int]) -> dict[str, Any]:
    """What the chosen places of the repeats are worth."""
    error = found.test[chosen, range(REPEATS)]
    return {
        "rate": exactly(np.array(RATES)[chosen]),
        "error": exactly(error),
        "ratio": exactly(error / found.test.min(axis=0)),
    }


def run() -> dict[str, Any]:
    result: dict[str, Any] = {"repeats": REPEATS, "starts": STARTS, "rates": list(RATES)}
    result["units_factor"] = UNITS
    for name, model in MODELS.items():
        full, short = model(1.0), model(0.1)
        ways = {
            s: [both(score, place) for score in full.validation.T] for s, place in BEGIN.items()
        }
        chosen = {s: [way[-1] for way in found] for s, found in ways.items()}
        entry: dict[str, Any] = {s: worth(full, places) for s, places in chosen.items()}
        for s, found in ways.items():
            entry[s]["tried"] = exactly(len(way) for way in found)
        entry["same"] = sum(len(set(places)) == 1 for places in zip(*chosen.values(), strict=True))
        scores = zip(full.validation.T, ways["middle"], strict=True)
        lower = [down(score, BEGIN["middle"], len(way)) for score, way in scores]
        errors = (full.test[places, range(REPEATS)] for places in (lower, chosen["middle"]))
        entry["down"] = worth(full, lower) | {
            "worse": int(np.greater(*errors).sum()),
            "same": sum(a == b for a, b in zip(lower, chosen["middle"], strict=True)),
        }
        entry["short"] = worth(full, [both(s, BEGIN["middle"])[-1] for s in short.validation.T])
        entry["curve"] = [exactly(e) if np.isfinite(e).all() else None for e in full.test]
        result[name] = entry
    ends = [result[name][s] for name in MODELS for s in BEGIN]
    result["worst_ratio"] = max(end["ratio"]["max"] for end in ends)
    result["most_tried"] = int(max(end["tried"]["max"] for end in ends))
    return result


WORDS = {
    "en": {
        "article": "the article's model",
        "units": "input 30 times as large",
        "digits": "digits, momentum 0.9",
        "rate": "learning rate",
        "excess": "error above the floor",
        "nll": "cross-entropy",
        "middle": "both ways from 1e-3",
        "down": "down from 1e-3",
        "short": "both ways, a tenth of the gradients",
        "ratio": "error over the lowest of the grid",
    },
    "zh": {
        "article": "原文的模型",
        "units": "输入放大 30 倍",
        "digits": "手写数字，动量 0.9",
        "rate": "学习率",
        "excess": "超出下限的误差",
        "nll": "交叉熵",
        "middle": "从 1e-3 双向",
        "down": "从 1e-3 只向下",
        "short": "双向，十分之一的梯度",
        "ratio": "误差与网格上最低值之比",
    },
}


def draw(result: dict[str, Any], lang: str) -> dict[str, Figure]:
    words = WORDS[lang]
    return {
        "learning_rate_search": draw_curves(result, words),
        "learning_rate_search_ratio": draw_ratios(result, words, {"en": ", ", "zh": "，"}[lang]),
    }


def draw_curves(result: dict[str, Any], words: dict[str, str]) -> Figure:
    from experiments._dots import MEDIAN, draw_bands
    from experiments.style import BAD, GOOD, SERIES, new_figure

    fig, axes = new_figure(width=7.4, height=3.2, ncols=3)
    for ax, name in zip(axes, MODELS, strict=True):
        entry = result[name]
        points = [(rate, e) for rate, e in zip(result["rates"], entry["curve"], strict=True) if e]
        rates, errors = [rate for rate, _ in points], [e for _, e in points]
        look = {"color": SERIES[0], "marker": "o", "markersize": 3}
        draw_bands(ax, rates, errors, keys=MEDIAN, alpha=0.2, **look)
        for way, color, marker in (("down", BAD, "x"), ("middle", GOOD, "o")):
            spot = entry[way]["rate"]["median"], entry[way]["error"]["median"]
            ax.plot(*spot, marker, color=color, markersize=9, fillstyle="none", markeredgewidth=2)
        ax.axvline(1e-3, color=BAD, linewidth=1, linestyle=":")
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_ylim(top=2 * errors[0]["median"])
        ax.set_xticks([1e-6, 1e-4, 1e-2, 1], ["1e-6", "1e-4", "1e-2", "1"])
        ticks = [0.3, 1, 3] if name == "digits" else [0.1, 1, 10]
        ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.minorticks_off()
        ax.set_title(words[name], fontsize=10)
        ax.set_xlabel(words["rate"])
        ax.set_ylabel(words["nll" if name == "digits" else "excess"])
    return fig


def draw_ratios(result: dict[str, Any], words: dict[str, str], comma: str) -> Figure:
    from experiments._ranges import Bar, draw_ranges
    from experiments.style import BAD, GOOD, MUTED

    bars = [
        Bar(f"{words[name]}{comma}{words[way]}", result[name][way]["ratio"], color)
        for name in MODELS
        for way, color in (("middle", GOOD), ("short", MUTED), ("down", BAD))
    ]
    return draw_ranges(bars, words["ratio"])
