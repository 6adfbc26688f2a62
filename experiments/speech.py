"""Speech: the CTC loss and its gradient, checked against the sum over every alignment.

CTC scores a label sequence by the sum over all frame-by-frame paths that collapse to it (merge
equal neighbours, then drop blanks).

Measured: (1) loss and gradient of the forward-backward algorithm against brute-force enumeration
and against torch.nn.functional.ctc_loss, float64, 30 random cases; (2) how many alignments there
are and how many cells the forward-backward algorithm visits; (3) label error rate on made-up
"speech", where each label lasts 2 to 4 noisy frames and no alignment is given, 10 seeds; (4) what
happens when the label sequence cannot fit into the frames.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from experiments import _ranges, style
from experiments._applications import Adam, gradient, log_softmax, numerical, spread, worst
from experiments._claim import Claim
from experiments._edit_distance import edit_distance

Array = np.ndarray
RTOL = (
    1e-3  # hundreds of Adam steps amplify the last bits of the matrix products of another machine
)
BLANK = 0
SEEDS = range(10)
CASES = 30
EPOCHS = 16

WORKED = ("seeds", "checks.cases", "epochs")
CLAIMS = (
    Claim(
        id="speech-alignments-counted",
        en="20 labels in 100 frames have ${{ speech.count.alignments | sci }}$ alignments and "
        "{{ speech.count.cells | ,d }} cells.",
        zh="20 个标签放进 100 帧，有 ${{ speech.count.alignments | sci }}$ 种对齐，"
        "{{ speech.count.cells | ,d }} 个格子。",
        criterion="count.log10_alignments > 30 and count.cells == 100 * 41",
        covers=("count.*",),
        exact="count",
    ),
    Claim(
        id="speech-ctc-gradient-agrees",
        en="Over {{ speech.checks.cases }} random cases the gradient of the forward-backward "
        "algorithm differs by at most ${{ speech.checks.gradient.max | sci0 }}$ of its largest "
        "element from the one of the full list, and loss and gradient by at most "
        "${{ speech.checks.torch.max | sci0 }}$ from PyTorch's.",
        zh="在 {{ speech.checks.cases }} 个随机例子上，前向后向算法的梯度与完整枚举相比，误差最多是"
        "最大元素的 ${{ speech.checks.gradient.max | sci0 }}$；损失和梯度与 PyTorch 相比，最多是 "
        "${{ speech.checks.torch.max | sci0 }}$。",
        criterion="max(checks.loss.max, checks.gradient.max, checks.torch.max) <= 1e-10 and "
        "checks.numerical.max <= 1e-6",
        covers=("checks.*",),
        runs="checks.cases",
        spread=("checks.torch.min", "checks.torch.max"),
        figure="speech_check",
    ),
    Claim(
        id="speech-learns-without-alignments",
        en="The label error rate on new utterances falls from "
        "{{ speech.error_before.median | pct }} to {{ speech.error.median | pct1 }} in the median "
        "and to {{ speech.error.max | pct1 }} at most ({{ speech.seeds }} seeds).",
        zh="新语句上的标签错误率中位数从 {{ speech.error_before.median | pct }} 降到 "
        "{{ speech.error.median | pct1 }}，最多为 {{ speech.error.max | pct1 }}"
        "（{{ speech.seeds }} 个种子）。",
        # An empty answer has the error rate 1, so a start below 1 is no knowledge.
        criterion="error.max < 0.1 * error_before.min and error_before.median > 1",
        covers=("error.*", "error_before.*"),
        runs="seeds",
        spread=("error.min", "error.max"),
        figure="speech",
    ),
    Claim(
        id="speech-too-short",
        en="Two equal labels in two frames: the loss is infinite, the gradient has no number, and "
        "`zero_infinity=True` makes both {{ speech.impossible.quiet_loss | .0f }}.",
        zh="两帧放两个相同的标签：损失为无穷大，梯度不是数；`zero_infinity=True` 使两者都为 "
        "{{ speech.impossible.quiet_loss | .0f }}。",
        criterion="impossible.infinite and impossible.nan and impossible.quiet_loss == 0 and "
        "impossible.quiet_gradient == 0",
        covers=("impossible.*",),
        exact="deterministic",
    ),
)


def collapse(path: tuple[int, ...]) -> tuple[int, ...]:
    """Merge equal neighbours, then drop blanks."""
    return tuple(k for k, _ in itertools.groupby(path) if k != BLANK)


def brute_force(logits: Array, labels: tuple[int, ...]) -> tuple[float, Array, int]:
    """Loss, gradient for the logits and number of alignments, by enumerating all C**T paths."""
    logp = log_softmax(logits)
    frames = np.arange(len(logits))
    total, occupancy, count = 0.0, np.zeros_like(logits), 0
    for path in itertools.product(range(logits.shape[1]), repeat=len(logits)):
        if collapse(path) == labels:
            p = float(np.exp(logp[frames, path].sum()))
            total += p
            occupancy[frames, path] += p
            count += 1
    return -np.log(total), np.exp(logp) - occupancy / total, count


def extended(labels: tuple[int, ...]) -> tuple[Array, Array]:
    """Labels with blanks between and around, and whether state s may be entered from s - 2."""
    states = np.full(2 * len(labels) + 1, BLANK)
    states[1::2] = labels
    skip = np.zeros(len(states), dtype=bool)
    skip[2:] = (states[2:] != BLANK) & (states[2:] != states[:-2])
    return states, skip


def ctc(logits: Array, labels: tuple[int, ...]) -> tuple[float, Array]:
    """Loss and gradient for the logits (T, C) by forward-backward, rescaled per frame."""
    y = np.exp(log_softmax(logits))
    states, skip = extended(labels)
    emit = y[:, states]
    frames, size = emit.shape
    alpha, beta = np.zeros((frames, size)), np.zeros((frames, size))
    loss = 0.0
    alpha[0, :2] = emit[0, :2]
    for t in range(frames):
        if t:
            a = alpha[t - 1].copy()
            a[1:] += alpha[t - 1, :-1]
            a[2:] += np.where(skip[2:], alpha[t - 1, :-2], 0.0)
            alpha[t] = a * emit[t]
        scale = alpha[t].sum()
        if scale == 0.0:
            return np.inf, np.full_like(logits, np.nan)
        alpha[t] /= scale
        loss -= np.log(scale)
    end = alpha[-1, -2:].sum()
    if end == 0.0:
        return np.inf, np.full_like(logits, np.nan)
    loss -= np.log(end)
    beta[-1, -2:] = 1.0
    for t in range(frames - 2, -1, -1):
        e = beta[t + 1] * emit[t + 1]
        b = e.copy()
        b[:-1] += e[1:]
        b[:-2] += np.where(skip[2:], e[2:], 0.0)
        beta[t] = b / b.sum()
    gamma = alpha * beta
    gamma /= gamma.sum(axis=1, keepdims=True)
    occupancy = np.zeros_like(y)
    np.add.at(occupancy.T, states, gamma.T)
    return float(loss), y - occupancy


def alignments(frames: int, labels: tuple[int, ...]) -> int:
    """Number of paths that collapse to ``labels``, exactly."""
    states, skip = extended(labels)
    a = [1, 1] + [0] * (len(states) - 2)
    for _ in range(frames - 1):
        a = [
            a[s] + (a[s - 1] if s else 0) + (a[s - 2] if s > 1 and skip[s] else 0)
            for s in range(len(states))
        ]
    return a[-1] + a[-2]


def checks() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    errors: dict[str, list[float]] = {"loss": [], "gradient": [], "torch": [], "numerical": []}
    for case in range(CASES):
        labels = ((1, 2), (1, 1), (2, 1, 2), (1,), (1, 1, 2))[case % 5]
        logits = rng.normal(0.0, 1.5, (5 if len(labels) > 2 else 4, 3))
        loss, grad = ctc(logits, labels)
        brute, brute_grad, _ = brute_force(logits, labels)
        z = torch.tensor(logits, requires_grad=True)
        frames = torch.tensor([len(logits)])
        theirs = torch.nn.functional.ctc_loss(
            z.log_softmax(1)[:, None],
            torch.tensor([labels]),
            frames,
            torch.tensor([len(labels)]),
            reduction="sum",
        )
        theirs.backward()
        errors["loss"].append(abs(loss - brute) / brute)
        errors["gradient"].append(worst(grad, brute_grad))
        errors["torch"].append(max(abs(loss - theirs.item()) / loss, worst(grad, gradient(z))))
        x = logits.copy()
        errors["numerical"].append(worst(grad, numerical(lambda x=x, k=labels: ctc(x, k)[0], x)))
    return {"cases": CASES} | {k: _ranges.spread(v) for k, v in errors.items()}


def impossible() -> dict[str, Any]:
    """ "aa" needs three frames (a, blank, a); here are two."""
    z = torch.zeros((2, 1, 3), dtype=torch.float64, requires_grad=True)
    args = (torch.tensor([[1, 1]]), torch.tensor([2]), torch.tensor([2]))
    loss = torch.nn.functional.ctc_loss(z.log_softmax(2), *args)
    loss.backward()
    out = {"infinite": bool(torch.isinf(loss)), "nan": bool(np.isnan(gradient(z)).any())}
    z.grad = None
    quiet = torch.nn.functional.ctc_loss(z.log_softmax(2), *args, zero_infinity=True)
    quiet.backward()
    return out | {
        "quiet_loss": float(quiet.detach()),
        "quiet_gradient": float(np.abs(gradient(z)).max()),
    }


def utter(n: int, shapes: Array, rng: np.random.Generator) -> list[tuple[Array, tuple[int, ...]]]:
    """Made-up utterances: features (T, 6) and labels; durations are not given."""
    out = []
    for _ in range(n):
        labels = tuple(int(k) for k in rng.integers(1, 4, size=rng.integers(2, 5)))
        track: list[int] = []
        for k in labels:
            track += [0] * int(rng.integers(1, 3)) + [k] * int(rng.integers(2, 5))
        track += [0] * int(rng.integers(1, 3))
        out.append((shapes[track] + rng.normal(0.0, 0.4, (len(track), 6)), labels))
    return out


def network(p: dict[str, Array], x: Array) -> tuple[Array, Array, Array]:
    """Each frame sees its neighbours: logits (T, 4), hidden (T, 16), inputs (T, 18)."""
    padded = np.pad(x, ((1, 1), (0, 0)))
    seen = np.concatenate([padded[:-2], padded[1:-1], padded[2:]], axis=1)
    hidden = np.tanh(seen @ p["W"].T + p["b"])
    return hidden @ p["V"].T + p["c"], hidden, seen


def error_rate(p: dict[str, Array], data: list[tuple[Array, tuple[int, ...]]]) -> float:
    wrong = sum(
        edit_distance(collapse(tuple(network(p, x)[0].argmax(axis=1))), labels)
        for x, labels in data
    )
    return wrong / sum(len(labels) for _, labels in data)


def train(seed: int) -> list[float]:
    """Label error rate on new utterances, before training and after every epoch."""
    rng = np.random.default_rng(seed)
    shapes = rng.normal(0.0, 1.0, (4, 6))
    fit, test = utter(100, shapes, rng), utter(100, shapes, rng)
    p = {
        "W": rng.normal(0.0, np.sqrt(1 / 18), (16, 18)),
        "b": np.zeros(16),
        "V": rng.normal(0.0, 0.25, (4, 16)),
        "c": np.zeros(4),
    }
    adam = Adam(p, 0.01)
    curve = [error_rate(p, test)]
    for _ in range(EPOCHS):
        for rows in np.array_split(rng.permutation(len(fit)), 10):
            g = {k: np.zeros_like(v) for k, v in p.items()}
            for i in rows:
                x, labels = fit[i]
                logits, hidden, seen = network(p, x)
                dz = ctc(logits, labels)[1] / len(rows)
                delta = (dz @ p["V"]) * (1.0 - hidden**2)
                g["V"] += dz.T @ hidden
                g["c"] += dz.sum(axis=0)
                g["W"] += delta.T @ seen
                g["b"] += delta.sum(axis=0)
            adam.step(g)
        curve.append(error_rate(p, test))
    return curve


def run() -> dict[str, Any]:
    curves = [train(seed) for seed in SEEDS]
    logits = np.log([[0.2, 0.6, 0.2], [0.3, 0.4, 0.3], [0.4, 0.2, 0.4], [0.3, 0.1, 0.6]])
    loss, grad = ctc(logits, (1, 2))
    brute, _, count = brute_force(logits, (1, 2))
    states, _ = extended((1, 2))
    gamma = _occupancy(logits, (1, 2))
    long = tuple([1, 2] * 10)
    curve = np.array(curves)
    return {
        "seeds": len(SEEDS),
        "epochs": EPOCHS,
        "checks": checks(),
        "impossible": impossible(),
        "example": {
            "loss": loss,
            "brute": brute,
            "probability": float(np.exp(-loss)),
            "alignments": count,
            "paths": 3**4,
            "gradient": np.round(grad, 6).tolist(),
            "gamma": np.round(gamma, 6).tolist(),
            "states": states.tolist(),
        },
        "count": {
            "log10_alignments": math.log10(alignments(100, long)),
            "alignments": float(alignments(100, long)),
            "cells": 100 * (2 * len(long) + 1),
        },
        "error": spread([c[-1] for c in curves]),
        "error_before": spread([c[0] for c in curves]),
        "curve": {
            "min": curve.min(axis=0).tolist(),
            "median": np.median(curve, axis=0).tolist(),
            "max": curve.max(axis=0).tolist(),
        },
    }


def _occupancy(logits: Array, labels: tuple[int, ...]) -> Array:
    """Posterior of every state of the trellis (T, 2U + 1), by enumeration."""
    logp = log_softmax(logits)
    states, skip = extended(labels)
    size, frames = len(states), len(logits)
    gamma = np.zeros((frames, size))
    for path in itertools.product(range(size), repeat=frames):
        legal = path[0] < 2 and path[-1] >= size - 2
        for s, t in itertools.pairwise(path):
            legal = legal and (t - s in (0, 1) or (t - s == 2 and bool(skip[t])))
        if legal:
            gamma[range(frames), path] += np.exp(logp[range(frames), states[list(path)]].sum())
    return gamma / gamma.sum(axis=1, keepdims=True)


def draw_check(result: dict[str, Any], lang: str) -> Figure:
    rows = {
        "en": ("loss, full list", "gradient, full list", "PyTorch", "central differences"),
        "zh": ("损失，完整枚举", "梯度，完整枚举", "PyTorch", "中心差分"),
    }[lang]
    keys = ("loss", "gradient", "torch", "numerical")
    bars = [_ranges.Bar(row, result["checks"][key]) for row, key in zip(rows, keys, strict=True)]
    return _ranges.draw_ranges(bars, {"en": "relative difference", "zh": "相对误差"}[lang])


def draw(result: dict[str, Any], lang: str) -> dict[str, Figure]:
    return {"speech": draw_grid(result, lang), "speech_check": draw_check(result, lang)}


def draw_grid(result: dict[str, Any], lang: str) -> Figure:
    text = {
        "en": {
            "frame": "frame",
            "blank": "blank",
            "title": "all alignments of “ab” in 4 frames",
            "epoch": "epoch",
            "error": "label error rate",
        },
        "zh": {
            "frame": "帧",
            "blank": "空白",
            "title": "“ab” 在 4 帧中的全部对齐",
            "epoch": "轮",
            "error": "标签错误率",
        },
    }[lang]
    fig, ax = style.diagram(6.8, 3.1)
    gamma = np.array(result["example"]["gamma"])
    names = (text["blank"], "a", text["blank"], "b", text["blank"])
    skip = extended((1, 2))[1]

    def at(t: int, s: int) -> tuple[float, float]:
        return 0.95 + 0.78 * t, 2.45 - 0.45 * s

    def alive(t: int, s: int) -> bool:
        return bool(gamma[t, s] > 0)

    ax.text(0.15, 2.88, text["title"], fontsize=10)
    for t in range(4):
        ax.text(
            at(t, 0)[0],
            0.25,
            f"{text['frame']} {t + 1}",
            ha="center",
            fontsize=8.5,
            color=style.MUTED,
        )
        for s in range(5):
            if t < 3 and alive(t, s):
                for step in (0, 1, 2):
                    n = s + step
                    if n < 5 and alive(t + 1, n) and (step < 2 or skip[n]):
                        style.arrow(
                            ax,
                            at(t, s),
                            at(t + 1, n),
                            color=style.MUTED,
                            linewidth=0.9,
                            shrinkA=8,
                            shrinkB=8,
                            mutation_scale=7,
                        )
    for t in range(4):
        for s in range(5):
            x, y = at(t, s)
            ax.add_patch(
                Circle((x, y), 0.13, facecolor=style.SURFACE, edgecolor=style.GRID, zorder=3)
            )
            if alive(t, s):
                ax.add_patch(
                    Circle(
                        (x, y),
                        0.13,
                        facecolor=style.FORWARD,
                        edgecolor=style.INK,
                        linewidth=0.8,
                        alpha=round(float(max(gamma[t, s], 0.04)), 3),
                        zorder=4,
                    )
                )
    for s in range(5):
        ax.text(0.15, at(0, s)[1], names[s], va="center", fontsize=9)
    right = fig.add_axes((0.63, 0.17, 0.35, 0.76))
    curve = result["curve"]
    right.fill_between(
        range(EPOCHS + 1),
        curve["min"],
        curve["max"],
        color=style.SERIES[0],
        alpha=0.18,
        linewidth=0,
    )
    right.plot(curve["median"], color=style.SERIES[0])
    right.set_ylim(-0.03, 2.15)
    right.set_xlabel(text["epoch"])
    right.set_ylabel(text["error"])
    return fig
