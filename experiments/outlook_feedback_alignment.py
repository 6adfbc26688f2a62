"""Feedback alignment: a fixed random matrix in place of the transposed weights.

Claim (Lillicrap et al. 2016): the error sent back through a fixed random B instead of the weights
still trains the layer below, because the forward weights turn towards B. Measured: a tanh network
10-30-3 learns a random tanh teacher of the same size from 100 samples, full batch, gradient
descent with lr 0.1, 1000 steps, 10 seeds: the loss, the angle between the update of the first layer
and its true gradient, and the angle between the forward weights and B. "Fixed first layer" trains
the output layer only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments import style
from experiments._applications import spread
from experiments._claim import Claim

SEEDS, STEPS, LR = 10, 1000, 0.1
D, H, M, N = 10, 30, 3, 100
EVERY = 20  # steps between the points of the curves
MODES = ("backprop", "alignment", "fixed")
Array = np.ndarray

WORKED = ("seeds", "steps")
CLAIMS = (
    Claim(
        id="outlook-feedback-alignment-learns",
        en="After {{ outlook_feedback_alignment.steps }} steps the loss is "
        "{{ outlook_feedback_alignment.alignment.end.mean | .4f }} with a fixed random matrix on "
        "the way back, lower than the "
        "{{ outlook_feedback_alignment.fixed.end.mean | .4f }} of a fixed first layer in "
        "{{ outlook_feedback_alignment.better_than_fixed }} of "
        "{{ outlook_feedback_alignment.seeds }} runs, and higher than the "
        "{{ outlook_feedback_alignment.backprop.end.mean | .4f }} of backpropagation in "
        "{{ outlook_feedback_alignment.worse_than_backprop }}; it started at "
        "{{ outlook_feedback_alignment.backprop.start.mean | .2f }}.",
        zh="{{ outlook_feedback_alignment.steps }} 步之后，用固定的随机矩阵往回传，损失为 "
        "{{ outlook_feedback_alignment.alignment.end.mean | .4f }}："
        "{{ outlook_feedback_alignment.seeds }} 次运行中有 "
        "{{ outlook_feedback_alignment.better_than_fixed }} 次低于固定第一层的 "
        "{{ outlook_feedback_alignment.fixed.end.mean | .4f }}，有 "
        "{{ outlook_feedback_alignment.worse_than_backprop }} 次高于反向传播的 "
        "{{ outlook_feedback_alignment.backprop.end.mean | .4f }}；初始损失为 "
        "{{ outlook_feedback_alignment.backprop.start.mean | .2f }}。",
        criterion="better_than_fixed >= 0.9 * seeds and worse_than_backprop >= 0.9 * seeds and "
        "alignment.end.max < 0.05 * backprop.start.min",
        covers=("*.end.*", "*.start.*", "better_than_fixed", "worse_than_backprop"),
        runs="seeds",
        spread=("alignment.end.min", "alignment.end.max"),
        figure="outlook_feedback_alignment",
    ),
    Claim(
        id="outlook-feedback-alignment-turns",
        en="The update of the first layer starts at "
        "{{ outlook_feedback_alignment.angle.first.mean | .0f }}° from its true gradient and ends "
        "at {{ outlook_feedback_alignment.angle.last.mean | .0f }}°; the forward weights turn "
        "towards the random matrix from "
        "{{ outlook_feedback_alignment.weights.first.mean | .0f }}° to "
        "{{ outlook_feedback_alignment.weights.last.mean | .0f }}°, in "
        "{{ outlook_feedback_alignment.weights.turned }} of "
        "{{ outlook_feedback_alignment.seeds }} runs.",
        zh="第一层的更新与真实梯度的夹角从 "
        "{{ outlook_feedback_alignment.angle.first.mean | .0f }}° 变为 "
        "{{ outlook_feedback_alignment.angle.last.mean | .0f }}°；前向权重转向那个随机矩阵，夹角从 "
        "{{ outlook_feedback_alignment.weights.first.mean | .0f }}° 变为 "
        "{{ outlook_feedback_alignment.weights.last.mean | .0f }}°，"
        "{{ outlook_feedback_alignment.seeds }} 次运行中有 "
        "{{ outlook_feedback_alignment.weights.turned }} 次如此。",
        criterion="weights.turned >= 0.9 * seeds and angle.turned >= 0.8 * seeds and "
        "angle.last.max < 90",
        covers=("angle.*", "weights.*"),
        runs="seeds",
        spread=("angle.last.min", "angle.last.max"),
        figure="outlook_feedback_alignment",
    ),
)


def angle(a: Array, b: Array) -> float:
    """In degrees, of two arrays as vectors."""
    cosine = float((a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b))
    return float(np.degrees(np.arccos(cosine)))


def train(mode: str, seed: int) -> dict[str, list[float]]:
    """The loss before each step and, with a random way back, the two angles."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((N, D))
    teacher = (rng.standard_normal((H, D)) / D**0.5, rng.standard_normal((M, H)) / H**0.5)
    y = np.tanh(x @ teacher[0].T) @ teacher[1].T
    w1 = rng.standard_normal((H, D)) / D**0.5
    w2 = rng.standard_normal((M, H)) / H**0.5
    b = rng.standard_normal((M, H)) / H**0.5
    found: dict[str, list[float]] = {"loss": [], "angle": [], "weights": []}
    for _ in range(STEPS):
        h = np.tanh(x @ w1.T)
        error = h @ w2.T - y
        found["loss"].append(float((error**2).sum() / (2 * N)))
        true = ((error @ w2) * (1 - h * h)).T @ x / N
        used = true
        if mode == "alignment":
            used = ((error @ b) * (1 - h * h)).T @ x / N
            found["angle"].append(angle(used, true))
            found["weights"].append(angle(w2, b))
        elif mode == "fixed":
            used = np.zeros_like(w1)
        w2 = w2 - LR * error.T @ h / N
        w1 = w1 - LR * used
    return found


def run() -> dict[str, Any]:
    rows = {mode: [train(mode, seed) for seed in range(SEEDS)] for mode in MODES}
    loss = {mode: np.array([row["loss"] for row in rows[mode]]) for mode in MODES}
    end = {mode: loss[mode][:, -1] for mode in MODES}
    angles = {
        key: np.array([row[key] for row in rows["alignment"]]) for key in ("angle", "weights")
    }
    result: dict[str, Any] = {
        "seeds": SEEDS,
        "steps": STEPS,
        "better_than_fixed": int((end["alignment"] < end["fixed"]).sum()),
        "worse_than_backprop": int((end["alignment"] > end["backprop"]).sum()),
    }
    for mode in MODES:
        result[mode] = {"start": _with_std(loss[mode][:, 0]), "end": _with_std(end[mode])}
        result[mode]["curve"] = _curve(loss[mode])
    for key, found in angles.items():
        first, last = found[:, 0], found[:, -1]
        result[key] = {"first": spread(first), "last": spread(last), "curve": _curve(found)}
        result[key]["turned"] = int((last < first).sum())
    return result


def _with_std(values: Array) -> dict[str, float]:
    return spread(values) | {"std": float(values.std(ddof=1))}


def _curve(found: Array) -> dict[str, list[float]]:
    some = found[:, ::EVERY]
    ends = {"min": some.min(axis=0), "mean": some.mean(axis=0), "max": some.max(axis=0)}
    return {key: value.tolist() for key, value in ends.items()}


def draw(result: dict[str, Any], lang: str) -> Figure:
    text = {
        "en": {
            "backprop": "backpropagation",
            "alignment": "feedback alignment",
            "fixed": "output layer only",
            "angle": "update, gradient",
            "weights": "W₂, random matrix",
            "step": "step",
            "loss": "loss",
            "degrees": "angle in degrees",
        },
        "zh": {
            "backprop": "反向传播",
            "alignment": "反馈对齐",
            "fixed": "只训练输出层",
            "angle": "更新与梯度",
            "weights": "W₂ 与随机矩阵",
            "step": "步",
            "loss": "损失",
            "degrees": "夹角（度）",
        },
    }[lang]
    fig, (left, right) = style.new_figure(6.8, 3.0, ncols=2)
    steps = range(0, STEPS, EVERY)
    colours = iter(style.SERIES)
    for ax, keys in ((left, MODES), (right, ("angle", "weights"))):
        for key in keys:
            curve, colour = result[key]["curve"], next(colours)
            ax.fill_between(steps, curve["min"], curve["max"], color=colour, alpha=0.15, lw=0)
            ax.plot(steps, curve["mean"], color=colour, label=text[key])
        ax.set_xlabel(text["step"])
        ax.legend(loc="upper right" if ax is left else "lower left")
    left.set_yscale("log")
    left.set_ylabel(text["loss"])
    right.set_ylabel(text["degrees"])
    return fig
