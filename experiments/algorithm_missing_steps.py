"""The two steps that the article leaves out: take a mini-batch, and zero the gradients.

The article's task, 100 points of y = 2x + 1 + noise and a 1-10-1 ReLU network, trained on all
points with the rate 0.02 for J; 10 seeds. First: how far the gradients of four batches of 25
rows are from the gradient of all rows, at the start and after 1000 steps. Second: 200 steps in
which every step uses the sum of all gradients so far, against steps that use the last one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments import _two_layer as net
from experiments import style
from experiments._claim import Claim
from experiments._ranges import Bar, draw_ranges, exactly, spread

LR, SEEDS, LONG, SHORT = 0.02, 10, 1000, 200
Array = np.ndarray

WORKED = ("seeds", "batches.steps", "clearing.steps")
CLAIMS = (
    Claim(
        id="algorithm-mini-batch-gradients-scatter",
        en="At the start the gradients of four batches agree roughly with that of all 100 rows: "
        "over {{ algorithm_missing_steps.seeds }} runs the largest difference is "
        "{{ algorithm_missing_steps.batches.start.max | .2f }} of its length. After "
        "{{ algorithm_missing_steps.batches.steps }} steps they differ by "
        "{{ algorithm_missing_steps.batches.end.median | .0f }} times its length in the median. "
        "Their mean is the full gradient both times.",
        zh="开始时，四个小批量各自的梯度与全部 100 行的梯度大致一致："
        "{{ algorithm_missing_steps.seeds }} 次运行中，相差最多的也只是后者长度的 "
        "{{ algorithm_missing_steps.batches.start.max | .2f }} 倍。"
        "{{ algorithm_missing_steps.batches.steps }} 步之后，相差的中位数是后者长度的 "
        "{{ algorithm_missing_steps.batches.end.median | .0f }} 倍。两次它们的平均都等于完整的梯"
        "度。",
        criterion="batches.start.max < 1 and batches.end.min > 2 and batches.mean.max < 1e-9",
        covers=("batches.*",),
        runs="seeds",
        spread=("batches.end.min", "batches.end.max"),
        figure="algorithm_missing_steps",
    ),
    Claim(
        id="algorithm-gradients-never-cleared",
        en="When the gradients are never cleared, the loss rises again and again: within "
        "{{ algorithm_missing_steps.clearing.steps }} steps it turns from falling to rising at "
        "least {{ algorithm_missing_steps.clearing.summed.waves.min | .0f }} times in every run. "
        "After its lowest value it climbs to "
        "{{ algorithm_missing_steps.clearing.summed.climb.median | .1f }} times that in the "
        "median, and in {{ algorithm_missing_steps.clearing.higher }} of "
        "{{ algorithm_missing_steps.seeds }} runs it ends higher than with cleared gradients, "
        "where it never rises.",
        zh="梯度从不清零时，损失一再上升：{{ algorithm_missing_steps.clearing.steps }} 步里，每次"
        "运行都至少 {{ algorithm_missing_steps.clearing.summed.waves.min | .0f }} 次由降转升；到过"
        "最低值之后，又升到它的 {{ algorithm_missing_steps.clearing.summed.climb.median | .1f }} "
        "倍（中位数）；{{ algorithm_missing_steps.seeds }} 次运行中有 "
        "{{ algorithm_missing_steps.clearing.higher }} 次，结束时高于每步清零的，而每步清零的损失"
        "从不上升。",
        criterion="clearing.summed.waves.min > 5 and clearing.summed.climb.min > 1.05 and "
        "clearing.cleared.rises.max == 0 and clearing.higher == seeds",
        covers=("clearing.*",),
        runs="seeds",
        spread=("clearing.summed.end.min", "clearing.summed.end.max"),
        figure="algorithm_clearing",
    ),
)


def task(seed: int) -> tuple[net.Parameters, Array, Array]:
    rng = np.random.default_rng(seed)
    x, y = net.article_data(rng, 100)
    return net.init(rng, 1, 10), x, y


def off(parameters: net.Parameters, x: Array, y: Array) -> tuple[list[float], float]:
    """How far the gradients of four batches, and their mean, are from the full gradient of W1."""

    def gradient(rows: Array) -> Array:
        return np.ravel(net.gradients(parameters, x[rows], y[rows], "relu")[1][0])

    full = gradient(np.arange(100))
    length = float(np.linalg.norm(full))
    parts = [gradient(rows) for rows in np.arange(100).reshape(4, 25)]
    mean = float(np.linalg.norm(np.mean(parts, axis=0) - full)) / length
    return [float(np.linalg.norm(part - full)) / length for part in parts], mean


def batches() -> dict[str, Any]:
    start, end, means = [], [], []
    for seed in range(SEEDS):
        parameters, x, y = task(seed)
        found, mean = off(parameters, x, y)
        start += found
        means.append(mean)
        for _ in range(LONG):
            parameters = net.descend(parameters, net.gradients(parameters, x, y, "relu")[1], LR)
        found, mean = off(parameters, x, y)
        end += found
        means.append(mean)
    return {"steps": LONG, "start": exactly(start), "end": exactly(end), "mean": spread(means)}


def losses(seed: int, *, clear: bool) -> Array:
    """The loss before each step and after the last."""
    parameters, x, y = task(seed)
    total = [np.zeros_like(p) for p in parameters]
    found = []
    for _ in range(SHORT):
        value, grads = net.gradients(parameters, x, y, "relu")
        found.append(value)
        total = grads if clear else [t + g for t, g in zip(total, grads, strict=True)]
        parameters = net.descend(parameters, total, LR)
    return np.array([*found, net.loss(parameters, x, y, "relu")])


def waves(values: Array) -> int:
    """How often the values turn from falling to rising."""
    rising = np.diff(values) > 0
    return int(np.sum(rising[1:] & ~rising[:-1]))


def clearing() -> dict[str, Any]:
    out: dict[str, Any] = {"steps": SHORT}
    curves = {}
    for name, clear in (("cleared", True), ("summed", False)):
        rows = [losses(seed, clear=clear) for seed in range(SEEDS)]
        out[name] = {
            "end": exactly(row[-1] for row in rows),
            "rises": exactly(np.sum(np.diff(row) > 0) for row in rows),
            "waves": exactly(waves(row) for row in rows),
            "climb": exactly(row[row.argmin() :].max() / row.min() for row in rows),
        }
        curves[name] = np.array(rows)
    out["higher"] = int(np.sum(curves["summed"][:, -1] > curves["cleared"][:, -1]))
    out["curve"] = {name: rows[0].tolist() for name, rows in curves.items()}
    return out


def run() -> dict[str, Any]:
    return {"seeds": SEEDS, "batches": batches(), "clearing": clearing()}


def draw(result: dict[str, Any], lang: str) -> Any:
    t = {
        "en": {
            "start": "at the start",
            "end": f"after {LONG} steps",
            "x": "distance of a batch gradient, in lengths of the full gradient",
            "cleared": "cleared before each step",
            "summed": "never cleared",
            "step": "step",
            "loss": "loss J",
        },
        "zh": {
            "start": "开始时",
            "end": f"{LONG} 步之后",
            "x": "小批量梯度与完整梯度的距离（以后者的长度为单位）",
            "cleared": "每步之前清零",
            "summed": "从不清零",
            "step": "步",
            "loss": "损失 J",
        },
    }[lang]
    found = result["batches"]
    fig, ax = style.new_figure(6.0, 3.0)
    for name, color in (("cleared", style.GOOD), ("summed", style.BAD)):
        ax.semilogy(result["clearing"]["curve"][name], color=color, label=t[name])
    ax.set_xlabel(t["step"])
    ax.set_ylabel(t["loss"])
    ax.legend()
    bars = [Bar(t["start"], found["start"]), Bar(t["end"], found["end"], style.BACKWARD)]
    return {"algorithm_missing_steps": draw_ranges(bars, t["x"]), "algorithm_clearing": fig}
