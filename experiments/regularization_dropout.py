"""Dropout: the backward pass needs the mask of the forward pass, and evaluation needs none.

``gradient``: a 6-30-1 tanh network with dropout 0.5 behind the hidden layer, 20 seeds. The backward
pass against central differences through one fixed mask: as it should be, with a fresh mask, and
without the factor 1 / (1 - p). ``mean``: 2000 masks of a linear layer with 200 inputs, 20 seeds.
``mode``: trained networks of `_regularized_nets` at p = 0.5, evaluated as they should be and with
dropout still on, 20 masks each.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import bpref.functional as F
from experiments._claim import Claim
from experiments._many_nets import spread
from experiments._ranges import exactly
from experiments._ranges import spread as rounded
from experiments._regularized_nets import HIDDEN, Array, D, errors, fit, make, paired

RTOL = 1e-3
SEEDS, P, MASKS, UNITS = 20, 0.5, 2000, 200

WORKED = ("seeds", "p", "masks", "units")
CLAIMS = (
    Claim(
        id="regularization-dropout-same-mask",
        en="With the mask of the forward pass the gradient of a network with dropout agrees with "
        "central differences to ${{ regularization_dropout.gradient.right.max | sci0 }}$. With a "
        "fresh mask it is off by at least "
        "{{ regularization_dropout.gradient.fresh.min | pct }} of its length, without the factor "
        "by at least {{ regularization_dropout.gradient.unscaled.min | pct }} "
        "({{ regularization_dropout.seeds }} seeds).",
        zh="反向沿用前向的掩码，带 dropout 的网络的梯度与中心差分相差不到 "
        "${{ regularization_dropout.gradient.right.max | sci0 }}$。换一个新掩码，误差至少为梯度长"
        "度的 "
        "{{ regularization_dropout.gradient.fresh.min | pct }}；漏掉系数，至少为 "
        "{{ regularization_dropout.gradient.unscaled.min | pct }}"
        "（{{ regularization_dropout.seeds }} 个种子）。",
        criterion="gradient.right.max < 1e-6 and gradient.fresh.min > 0.1 and "
        "gradient.unscaled.min > 0.1",
        covers=("gradient.*",),
        runs="seeds",
        spread=("gradient.fresh.min", "gradient.fresh.max"),
        figure="regularization-dropout",
    ),
    Claim(
        id="regularization-dropout-keeps-the-mean",
        en="Over {{ regularization_dropout.masks }} masks the output of a linear layer with "
        "{{ regularization_dropout.units }} inputs has the mean that it has without dropout, "
        "within {{ regularization_dropout.mean.off.max | .1f }} standard errors in each of "
        "{{ regularization_dropout.seeds }} draws; a single pass scatters by "
        "{{ regularization_dropout.mean.scatter.mean | .2f }} "
        "({{ regularization_dropout.mean.scatter.min | .2f }} to "
        "{{ regularization_dropout.mean.scatter.max | .2f }}).",
        zh="取 {{ regularization_dropout.masks }} 个掩码，{{ regularization_dropout.units }} 个输"
        "入的"
        "线性层，输出的平均值与不用 dropout 时相同，{{ regularization_dropout.seeds }} 次抽取中偏差"
        "都在 {{ regularization_dropout.mean.off.max | .1f }} 个标准误差以内；单次前向的波动为 "
        "{{ regularization_dropout.mean.scatter.mean | .2f }}"
        "（{{ regularization_dropout.mean.scatter.min | .2f }} 到 "
        "{{ regularization_dropout.mean.scatter.max | .2f }}）。",
        criterion="mean.off.max < 4 and mean.scatter.min > 0.5",
        covers=("mean.*",),
        runs="seeds",
        spread=("mean.off.min", "mean.off.max"),
        figure="regularization-dropout-mode",
    ),
    Claim(
        id="regularization-dropout-forgotten-eval",
        en="Networks trained with dropout and evaluated with dropout still on have a higher test "
        "error in all {{ regularization_dropout.seeds }} runs: "
        "{{ regularization_dropout.mode.on.mean | .2f }} in place of "
        "{{ regularization_dropout.mode.off.mean | .2f }}.",
        zh="用 dropout 训练的网络，评估时 dropout 仍然开着，{{ regularization_dropout.seeds }} 次的"
        "测试误差全都更高：{{ regularization_dropout.mode.on.mean | .2f }}，而不是 "
        "{{ regularization_dropout.mode.off.mean | .2f }}。",
        criterion="mode.change.min > 0",
        covers=("mode.*",),
        runs="seeds",
        spread=("mode.change.min", "mode.change.max"),
        figure="regularization-dropout-mode",
    ),
)


def network(w1: Array, w2: Array, x: Array, y: Array, mask: int) -> tuple[float, dict[str, Any]]:
    """The loss of tanh, dropout and a linear output, and what the backward pass needs."""
    a, first = F.linear(x, w1)
    h, activation = F.tanh(a)
    kept, dropped = F.dropout(h, P, generator=np.random.default_rng(mask))
    out, second = F.linear(kept, w2)
    loss, last = F.mse_loss(out, y)
    caches = {
        "first": first,
        "tanh": activation,
        "dropout": dropped,
        "second": second,
        "loss": last,
    }
    return float(loss), caches


def backward(caches: dict[str, Any], factor: Array) -> Array:
    """The gradient of the first weights, with ``factor`` for the dropout layer."""
    delta = F.linear_backward(F.mse_loss_backward(1.0, caches["loss"]), caches["second"])[0]
    grad: Array = F.linear_backward(
        F.tanh_backward(delta * factor, caches["tanh"]), caches["first"]
    )[1]
    return grad


def gradient() -> dict[str, Any]:
    wrong: dict[str, list[float]] = {"right": [], "unscaled": [], "fresh": []}
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=(20, D)), rng.normal(size=(20, 1))
        w1, w2 = rng.normal(size=(HIDDEN, D)) / np.sqrt(D), rng.normal(size=(1, HIDDEN)) / 5.0
        caches = network(w1, w2, x, y, mask=seed)[1]
        numeric = np.zeros_like(w1)
        for place in np.ndindex(numeric.shape):
            step = np.zeros_like(numeric)
            step[place] = 1e-5
            up, down = (network(w1 + s, w2, x, y, mask=seed)[0] for s in (step, -step))
            numeric[place] = (up - down) / 2e-5
        factor = caches["dropout"][0]
        fresh = (rng.random(factor.shape) >= P) / (1.0 - P)
        for name, used in (("right", factor), ("unscaled", factor * (1.0 - P)), ("fresh", fresh)):
            error = np.linalg.norm(backward(caches, used) - numeric) / np.linalg.norm(numeric)
            wrong[name].append(float(error))
    right = rounded(wrong.pop("right"))
    return {"right": right} | {k: exactly(v) for k, v in wrong.items()}


def mean() -> dict[str, Any]:
    off, scatter = [], []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        h, w = rng.normal(size=UNITS), rng.normal(size=UNITS) / np.sqrt(UNITS)
        factors = (rng.random((MASKS, UNITS)) >= P) / (1.0 - P)
        outputs = (factors * h) @ w
        deviation = outputs.std(ddof=1)
        scatter.append(deviation)
        off.append((outputs.mean() - h @ w) / (deviation / np.sqrt(MASKS)))
    return {
        "each": sorted(off),
        "off": spread(np.abs(off)),
        "scatter": spread(np.array(scatter)),
    }


def mode() -> dict[str, Any]:
    data = make(40, SEEDS)
    params = fit(data, "dropout", (P,)).params
    off = errors(params, data["xt"], data["yt"])[0]
    w1, b1, w2, b2 = (p[0] for p in params)
    h = np.tanh(data["xt"] @ np.swapaxes(w1, -1, -2) + b1)
    rng = np.random.default_rng(0)
    found = []
    for _ in range(20):
        factor = (rng.random(h.shape) >= P) / (1.0 - P)
        out = (h * factor) @ np.swapaxes(w2, -1, -2) + b2
        found.append(((out - data["yt"]) ** 2).mean(axis=(1, 2)))
    on = np.mean(found, axis=0)
    return {"off": spread(off), "on": spread(on), "change": paired(on - off)}


def run() -> dict[str, Any]:
    return {
        "seeds": SEEDS,
        "p": P,
        "masks": MASKS,
        "units": UNITS,
        "gradient": gradient(),
        "mean": mean(),
        "mode": mode(),
    }


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    from experiments._ranges import Bar, draw_ranges
    from experiments.style import MUTED, SERIES, new_figure

    t = {
        "en": {
            "right": "mask of the forward pass",
            "unscaled": "without the factor",
            "fresh": "a fresh mask",
            "error": "relative error of the gradient",
            "off": "dropout off",
            "on": "dropout still on",
            "test": "test error",
            "each": "mean of 2000 masks: standard errors off",
            "draw": "draws, sorted",
        },
        "zh": {
            "right": "沿用前向的掩码",
            "unscaled": "漏掉系数",
            "fresh": "换新掩码",
            "error": "梯度的相对误差",
            "off": "关闭 dropout",
            "on": "dropout 仍开着",
            "test": "测试误差",
            "each": "2000 个掩码的均值：偏离几个标准误差",
            "draw": "20 次抽取，排序",
        },
    }[lang]
    bars = [Bar(t[k], result["gradient"][k]) for k in ("right", "unscaled", "fresh")]
    fig, (left, right) = new_figure(7.2, 2.6, ncols=2)
    each = result["mean"]["each"]
    left.plot(range(1, len(each) + 1), each, "o", color=SERIES[0], markersize=4)
    for line in (-2, 0, 2):
        left.axhline(line, color=MUTED, linewidth=1, linestyle="--" if line else "-")
    left.set_ylim(-4, 4)
    left.set_title(t["each"], fontsize=9)
    left.set_xlabel(t["draw"])
    for y, k in enumerate(("off", "on")):
        found, color = result["mode"][k], SERIES[k == "on"]
        ends = [found["min"], found["max"]]
        right.plot(ends, [y, y], color=color, lw=4, alpha=0.4, solid_capstyle="round")
        right.plot(found["mean"], y, "o", color=color, markersize=6, label=t[k])
    right.set_yticks([])
    right.set_ylim(2.2, -0.6)
    right.set_title(t["test"], fontsize=9)
    right.legend(loc="lower right")
    return {
        "regularization-dropout": draw_ranges(bars, t["error"]),
        "regularization-dropout-mode": fig,
    }
