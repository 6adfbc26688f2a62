"""Eight schedules with equal budgets: where a falling rate pays, and where the data are the limit.

The article's network, SGD with momentum 0.9, batch 32, 400 gradients. Eight schedules, for each the
same seven peak rates, chosen on 10 seeds and reported on 30 others; the error minus its floor 1.
``fresh``: every batch is new, so the noise of the gradient is all that is left. ``fixed``: the
article's 100 points, 100 epochs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from bpref import optim
from experiments._article_model import Rates, Runs, summary
from experiments._claim import Claim

RTOL = 1e-3

SEEDS, CHOOSING = 30, 10
STEPS, EPOCHS = 400, 100
PEAKS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064)
MOMENTUM = 0.9
EVERY, PATIENCE = 20, 2  # the plateau: mean loss of 20 steps, two of them without a new best

WORKED = ("seeds", "choosing", "peaks*", "steps")
CLAIMS = (
    Claim(
        id="learning-rate-schedules-pay-where-noise-is-left",
        en="When every batch is new, each of six schedules ends below the tuned constant rate in "
        "at least {{ learning_rate_decay.fresh_wins }} of {{ learning_rate_decay.seeds }} seeds: "
        "medians from {{ learning_rate_decay.fresh_low | .4f }} to "
        "{{ learning_rate_decay.fresh_high | .4f }} above the floor against "
        "{{ learning_rate_decay.fresh.constant.median | .4f }}, with the same number of gradients "
        "and of tried rates.",
        zh="每个批量都是新数据时，六种调度中的每一种，在 {{ learning_rate_decay.seeds }} 个种子里"
        "至少有 {{ learning_rate_decay.fresh_wins }} 个低于调好的恒定学习率：中位数超出下限 "
        "{{ learning_rate_decay.fresh_low | .4f }} 到 {{ learning_rate_decay.fresh_high | .4f }}，"
        "恒定为 {{ learning_rate_decay.fresh.constant.median | .4f }}；梯度次数和试过的学习率个数"
        "都相同。",
        criterion="fresh_wins > 0.8 * seeds and 2 * fresh_high < fresh.constant.median and "
        "fresh_high / fresh_low < fresh.constant.median / fresh_high",
        covers=("fresh.*", "fresh_*"),
        runs="seeds",
        spread=("fresh.cosine.min", "fresh.cosine.max"),
        figure="learning_rate_decay",
    ),
    Claim(
        id="learning-rate-schedules-gain-little-on-100-points",
        en="On the article's 100 points the same six schedules change the error above the floor "
        "from {{ learning_rate_decay.fixed.constant.median | .3f }} to between "
        "{{ learning_rate_decay.fixed_low | .3f }} and {{ learning_rate_decay.fixed_high | .3f }}; "
        "the constant rate is better in up to {{ learning_rate_decay.fixed_losses }} of "
        "{{ learning_rate_decay.seeds }} seeds.",
        zh="在原文的 100 个点上，同样六种调度把超出下限的误差从 "
        "{{ learning_rate_decay.fixed.constant.median | .3f }} 变为 "
        "{{ learning_rate_decay.fixed_low | .3f }} 到 {{ learning_rate_decay.fixed_high | .3f }}；"
        "{{ learning_rate_decay.seeds }} 个种子中至多有 {{ learning_rate_decay.fixed_losses }} 个"
        "反而是恒定学习率更好。",
        criterion="fixed_low > 0.5 * fixed.constant.median and fixed_losses > 0.1 * seeds",
        covers=("fixed.*", "fixed_*"),
        runs="seeds",
        spread=("fixed.cosine.min", "fixed.cosine.max"),
        figure="learning_rate_decay",
    ),
    Claim(
        id="learning-rate-short-cooldown",
        en="A constant rate that falls linearly to zero in the last fifth of the steps ends at "
        "{{ learning_rate_decay.fresh.cooldown.median | .4f }} on new data, below the tuned "
        "constant rate in {{ learning_rate_decay.fresh.cooldown.lower_than_constant }} of "
        "{{ learning_rate_decay.seeds }} seeds and above the cosine in "
        "{{ learning_rate_decay.fresh.cooldown.higher_than_cosine }}.",
        zh="恒定学习率，只在最后五分之一的步数里线性降到零：用新数据时停在 "
        "{{ learning_rate_decay.fresh.cooldown.median | .4f }}，{{ learning_rate_decay.seeds }} "
        "个种子中有 {{ learning_rate_decay.fresh.cooldown.lower_than_constant }} 个低于调好的恒定"
        "学习率，有 {{ learning_rate_decay.fresh.cooldown.higher_than_cosine }} 个高于余弦。",
        criterion="2 * fresh.cooldown.median < fresh.constant.median and "
        "fresh.cooldown.lower_than_constant > 0.7 * seeds and "
        "fresh.cooldown.higher_than_cosine > 0.7 * seeds",
        covers=("fresh.cooldown.*", "fixed.cooldown.*"),
        runs="seeds",
        spread=("fresh.cooldown.min", "fresh.cooldown.max"),
        figure="learning_rate_decay",
    ),
)


def cosine(t: int, steps: int = STEPS) -> float:
    return 0.5 * (1.0 + math.cos(math.pi * t / steps))


def warmup_cosine(t: int, warmup: int = STEPS // 10) -> float:
    return (t + 1) / warmup if t < warmup else cosine(t - warmup, STEPS - warmup)


def one_cycle(t: int, first: float = 0.3 * STEPS - 1) -> float:
    """As OneCycleLR: from 1/25 up to 1, then down to 1/250 000."""
    if t <= first:
        return 1.0 + (1.0 / 25 - 1.0) * cosine(t, first)  # type: ignore[arg-type]
    low = 1.0 / 25e4
    return low + (1.0 - low) * 0.5 * (1.0 + math.cos(math.pi * (t - first) / (STEPS - 1 - first)))


SHAPES: dict[str, Callable[[int], float]] = {
    "constant": lambda t: 1.0,
    "step": lambda t: 0.1 ** ((t >= STEPS // 2) + (t >= 3 * STEPS // 4)),
    "exponential": lambda t: 0.01 ** (t / STEPS),
    "cosine": cosine,
    "warmup_cosine": warmup_cosine,
    "one_cycle": one_cycle,
    # constant, and linearly to zero in the last fifth
    "cooldown": lambda t: min(1.0, (STEPS - t) / (STEPS / 5)),
}


class Plateau:
    """ReduceLROnPlateau for many runs at once: a factor for each, a tenth after a plateau."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.share = np.ones((*shape, 1))
        self.best, self.bad, self.sum = np.full(shape, np.inf), np.zeros(shape), np.zeros(shape)
        self.seen = 0

    def watch(self, loss: np.ndarray) -> None:
        self.sum, self.seen = self.sum + loss, self.seen + 1
        if self.seen % EVERY:
            return
        mean, self.sum = self.sum / EVERY, np.zeros_like(self.sum)
        better = mean < self.best * (1 - 1e-4)
        self.best = np.where(better, mean, self.best)
        self.bad = np.where(better, 0, self.bad + 1)
        falls = self.bad > PATIENCE
        self.share = np.where(falls[..., None], self.share * 0.1, self.share)
        self.bad = np.where(falls, 0, self.bad)


def errors(name: str, fresh: bool) -> np.ndarray:
    """Error above the floor, of shape (peaks, seeds)."""
    runs, optimizer = Runs(range(SEEDS + CHOOSING)), Rates(optim.SGD, PEAKS, momentum=MOMENTUM)
    runs.theta = np.broadcast_to(runs.theta, (len(PEAKS), *runs.theta.shape)).copy()
    plateau = Plateau((len(PEAKS), SEEDS + CHOOSING))
    with np.errstate(over="ignore", invalid="ignore"):
        for t, (x, y) in enumerate(runs.fresh(STEPS) if fresh else runs.epochs(EPOCHS)):
            loss, gradient = runs.loss_and_gradient(x, y)
            share = plateau.share if name == "plateau" else SHAPES[name](t)
            runs.theta = optimizer.step(runs.theta, gradient, share)
            plateau.watch(loss)
        return runs.population_mse() - 1.0


def run() -> dict[str, Any]:
    result: dict[str, Any] = {
        "seeds": SEEDS,
        "choosing": CHOOSING,
        "peaks": list(PEAKS),
        "steps": STEPS,
    }
    for data, fresh in (("fresh", True), ("fixed", False)):
        result[data] = {}
        for name in (*SHAPES, "plateau"):
            table = errors(name, fresh)
            best = int(np.argmin(np.median(table[:, SEEDS:], axis=1)))
            found = table[best, :SEEDS]
            if name == "constant":
                constant = found
            if name == "cosine":
                cosine_found = found
            result[data][name] = summary(found) | {
                "peak": PEAKS[best],
                "lower_than_constant": int((found < constant).sum()),
                "constant_over_it": summary(constant / found),
            }
            if name == "cooldown":
                result[data][name]["higher_than_cosine"] = int((found > cosine_found).sum())
        own = ("constant", "cooldown")  # what each of the other six does, is one claim
        falling = [result[data][name] for name in (*SHAPES, "plateau") if name not in own]
        wins = [row["lower_than_constant"] for row in falling]
        result |= {
            f"{data}_low": min(row["median"] for row in falling),
            f"{data}_high": max(row["median"] for row in falling),
            f"{data}_wins": min(wins),
            f"{data}_losses": SEEDS - min(wins),
        }
    return result


NAMES = {
    "constant": {"en": "constant", "zh": "恒定"},
    "step": {"en": "step", "zh": "分段"},
    "exponential": {"en": "exponential", "zh": "指数"},
    "cosine": {"en": "cosine", "zh": "余弦"},
    "warmup_cosine": {"en": "warm-up, cosine", "zh": "预热加余弦"},
    "one_cycle": {"en": "one-cycle", "zh": "单周期"},
    "cooldown": {"en": "constant, then linear to 0", "zh": "恒定，最后线性降到 0"},
    "plateau": {"en": "plateau", "zh": "平台"},
}


def draw(result: dict[str, Any], lang: str) -> Figure:
    from experiments._ranges import Bar, draw_ranges
    from experiments.style import SERIES

    words = {
        "en": ("new data in every step", "the article's 100 points", "error above the floor"),
        "zh": ("每一步都是新数据", "原文的 100 个点", "超出下限的误差"),
    }[lang]
    bars = [
        Bar(name[lang], result[data][key], color, word)
        for key, name in NAMES.items()
        for data, word, color in zip(("fresh", "fixed"), words, SERIES, strict=False)
    ]
    return draw_ranges(bars, words[2])
