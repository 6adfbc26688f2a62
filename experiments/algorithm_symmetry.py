"""Claim of the article: weights and biases start at random. Weights must, biases need not.

A 2-8-1 tanh network learns y = x1 x2 (64 points) with full-batch gradient descent, 4000
steps, learning rate 0.2, in five ways to start. Measured: the largest difference between
two rows of W1, and the loss, at the end; over 5 seeds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments import _two_layer as net
from experiments._claim import Claim
from experiments._ranges import Bar, draw_ranges, exactly

# At the rate 0.5 these runs are chaotic: the last bit of a matrix product decides the median.
STEPS, LR, HIDDEN, SEEDS = 4000, 0.2, 8, 10
STARTS = ("all_zero", "equal", "equal_random_bias", "random_zero_bias", "random_random_bias")

WORKED = ("steps", "seeds")
CLAIMS = (
    Claim(
        id="algorithm-symmetry-equal-stays-equal",
        en="Hidden units that start equal end equal: with all weights $0$ or all $0.5$ and zero "
        "biases the largest difference between two rows of $W_1$ is "
        "{{ algorithm_symmetry.equal.spread.max | .0f }} after {{ algorithm_symmetry.steps }} "
        "steps in every run, and the loss stays at "
        "{{ algorithm_symmetry.equal.loss.median | .4f }} or more in the median, where random "
        "weights reach {{ algorithm_symmetry.random_zero_bias.loss.median | .5f }}.",
        zh="起点相同的隐藏单元，终点也相同：权重全为 $0$ 或全为 $0.5$、偏置为零时，"
        "{{ algorithm_symmetry.steps }} 步之后，每次运行中 $W_1$ 任意两行之差最大也是 "
        "{{ algorithm_symmetry.equal.spread.max | .0f }}，损失的中位数停在 "
        "{{ algorithm_symmetry.equal.loss.median | .4f }} 以上，而随机的权重能达到 "
        "{{ algorithm_symmetry.random_zero_bias.loss.median | .5f }}。",
        criterion="max(all_zero.spread.max, equal.spread.max) == 0 and min(all_zero.loss.min, "
        "equal.loss.min) > 10 * random_zero_bias.loss.max and all_zero.loss.median >= "
        "equal.loss.median",
        covers=("all_zero.*", "equal.*", "random_zero_bias.loss.*"),
        runs="seeds",
        spread=("equal.spread.min", "equal.spread.max"),
        figure="algorithm_symmetry",
    ),
    Claim(
        id="algorithm-symmetry-random-weights-suffice",
        en="Random weights with zero biases separate the units in every run (smallest difference "
        "{{ algorithm_symmetry.random_zero_bias.spread.min | .2f }}); random biases besides make "
        "no difference that {{ algorithm_symmetry.seeds }} seeds could show.",
        zh="权重随机、偏置为零，每次运行中各单元都分开了（差异最小 "
        "{{ algorithm_symmetry.random_zero_bias.spread.min | .2f }}）；偏置也随机，带来的差别用 "
        "{{ algorithm_symmetry.seeds }} 个随机种子看不出来。",
        criterion="min(random_zero_bias.spread.min, random_random_bias.spread.min) > 0.5 and "
        "random_zero_bias.loss.min < random_random_bias.loss.max and random_random_bias.loss.min "
        "< random_zero_bias.loss.max",
        covers=("random_zero_bias.*", "random_random_bias.*"),
        runs="seeds",
        spread=("random_zero_bias.loss.min", "random_zero_bias.loss.max"),
        figure="algorithm_symmetry",
    ),
    Claim(
        id="algorithm-symmetry-random-biases-slower",
        en="Random biases alone separate the units as well, but after "
        "{{ algorithm_symmetry.steps }} steps the loss is higher than with random weights in "
        "{{ algorithm_symmetry.equal_random_bias.slower }} of {{ algorithm_symmetry.seeds }} runs: "
        "{{ algorithm_symmetry.equal_random_bias.loss.median | .5f }} in the median.",
        zh="只有偏置随机，各单元也能分开，但 {{ algorithm_symmetry.steps }} 步之后，"
        "{{ algorithm_symmetry.seeds }} 次运行中有 "
        "{{ algorithm_symmetry.equal_random_bias.slower }} 次损失高于权重随机的：中位数是 "
        "{{ algorithm_symmetry.equal_random_bias.loss.median | .5f }}。",
        criterion="equal_random_bias.spread.min > 0.1 and equal_random_bias.slower == seeds",
        covers=("equal_random_bias.*",),
        runs="seeds",
        spread=("equal_random_bias.loss.min", "equal_random_bias.loss.max"),
        figure="algorithm_symmetry",
    ),
)


def start(name: str, rng: np.random.Generator) -> net.Parameters:
    parameters = net.init(rng, 2, HIDDEN)
    bias = 0.5 * rng.standard_normal(HIDDEN)
    w1, _, w2, _ = parameters
    if name == "all_zero":
        w1[:], w2[:] = 0.0, 0.0
    elif name.startswith("equal"):
        w1[:], w2[:] = 0.5, 0.5
    if name.endswith("random_bias"):
        parameters[1] = bias
    return parameters


def train(name: str, seed: int) -> tuple[float, float]:
    """Return the spread of the rows of W1 and the loss after training."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1.5, 1.5, (64, 2))
    y = x[:, :1] * x[:, 1:]
    parameters = start(name, rng)
    for _ in range(STEPS):
        parameters = net.descend(parameters, net.gradients(parameters, x, y)[1], LR)
    spread = float(np.ptp(parameters[0], axis=0).max())
    return spread, net.loss(parameters, x, y)


def run() -> dict[str, Any]:
    result: dict[str, Any] = {"steps": STEPS, "seeds": SEEDS}
    losses: dict[str, list[float]] = {}
    for name in STARTS:
        rows = [train(name, seed) for seed in range(SEEDS)]
        losses[name] = [loss for _, loss in rows]
        result[name] = {"spread": exactly(s for s, _ in rows), "loss": exactly(losses[name])}
    pairs = zip(losses["equal_random_bias"], losses["random_zero_bias"], strict=True)
    result["equal_random_bias"]["slower"] = sum(biases > weights for biases, weights in pairs)
    return result


def draw(result: dict[str, Any], lang: str) -> Any:
    words = {
        "en": (
            "all 0",
            "weights 0.5, biases 0",
            "weights 0.5, biases random",
            "weights random, biases 0",
            "weights random, biases random",
            "loss at the end",
        ),
        "zh": (
            "全为 0",
            "权重 0.5，偏置 0",
            "权重 0.5，偏置随机",
            "权重随机，偏置 0",
            "权重随机，偏置随机",
            "结束时的损失",
        ),
    }[lang]
    rows = [Bar(row, result[name]["loss"]) for row, name in zip(words, STARTS, strict=False)]
    return draw_ranges(rows, words[-1])
