"""L2 in the gradient against decay of the weights: one method under SGD, two under Adam.

``linear``: linear regression with 10 features of different scales, 2000 steps, lambda = 0.1, 20
seeds: relative distance of the two solutions for SGD, for SGD with momentum 0.9 (with the same
lambda, and with lambda / (1 - 0.9)), and for Adam (the closest of 61 strengths of the decay).
``shrink``: weights without any gradient from the loss, 10 steps.
``nets``: the task of `_regularized_nets` under Adam, 12 seeds, 300 steps, four rates times six
strengths for each contender, chosen for every run on 40 validation points; as it is, and with the
two useful inputs in units in which they are ten times smaller. ``units`` of the loss: the sum over
the 40 samples in place of the mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from experiments._claim import Claim
from experiments._many_nets import gradients, init, spread
from experiments._ranges import exactly
from experiments._regularized_nets import HIDDEN, Array, D, Sets, errors, make, paired

RTOL = 1e-3
SEEDS, NETS, STEPS = 20, 12, 300
LAMBDA, RATE = 0.1, 0.01
ADAM_RATES = (0.003, 0.01, 0.03, 0.1)
STRENGTHS = {"l2": (0.0, 0.003, 0.01, 0.03, 0.1, 0.3), "decoupled": (0.0, 0.5, 2.0, 4.0, 6.0, 10.0)}
GRID = tuple(float(v) for v in np.logspace(-2, 2, 61))

WORKED = ("seeds", "nets_seeds", "steps", "settings", "grid")
CLAIMS = (
    Claim(
        id="regularization-decay-one-under-sgd",
        en="Under SGD, L2 in the gradient and decay of the weights end at the same solution: the "
        "relative distance is at most ${{ regularization_decay.linear.sgd.max | sci0 }}$ over "
        "{{ regularization_decay.seeds }} seeds. With the momentum $0.9$ it is "
        "{{ regularization_decay.linear.momentum_same.median | pct }} at the same $\\lambda$, and "
        "at most ${{ regularization_decay.linear.momentum_scaled.max | sci0 }}$ if the decay gets "
        "ten times the strength.",
        zh="用 SGD，把 L2 写进梯度与直接衰减权重到达同一个解：{{ regularization_decay.seeds }} 个"
        "种子上，相对距离至多 ${{ regularization_decay.linear.sgd.max | sci0 }}$。动量为 $0.9$ 时，"
        "$\\lambda$ 相同则相差 {{ regularization_decay.linear.momentum_same.median | pct }}，衰减"
        "的强度取十倍则至多相差 ${{ regularization_decay.linear.momentum_scaled.max | sci0 }}$。",
        criterion="linear.sgd.max < 1e-12 and linear.momentum_scaled.max < 1e-12 and "
        "linear.momentum_same.min > 0.01",
        covers=("linear.sgd.*", "linear.momentum_*"),
        runs="seeds",
        spread=("linear.sgd.min", "linear.sgd.max"),
        figure="regularization-decay-linear",
    ),
    Claim(
        id="regularization-decay-two-under-adam",
        en="Under Adam no strength of the decay gives the solution of L2: the closest of "
        "{{ regularization_decay.grid }} is still "
        "{{ regularization_decay.linear.adam_closest.median | pct1 }} away (at least "
        "{{ regularization_decay.linear.adam_closest.min | pct1 }} over "
        "{{ regularization_decay.seeds }} seeds).",
        zh="用 Adam，衰减取什么强度都得不到 L2 的解：{{ regularization_decay.grid }} 个强度中最接近"
        "的仍相差 {{ regularization_decay.linear.adam_closest.median | pct1 }}"
        "（{{ regularization_decay.seeds }} 个种子上至少 "
        "{{ regularization_decay.linear.adam_closest.min | pct1 }}）。",
        criterion="linear.adam_closest.min > 0.001",
        covers=("linear.adam_closest.*",),
        runs="seeds",
        spread=("linear.adam_closest.min", "linear.adam_closest.max"),
        figure="regularization-decay-linear",
    ),
    Claim(
        id="regularization-decay-shrinks-by-size",
        en="Without a gradient from the loss, ten steps of AdamW shrink weights of size 1, 10 and "
        "100 by the same share, Adam with L2 by "
        "{{ regularization_decay.shrink.l2[0] | pct1 }}, "
        "{{ regularization_decay.shrink.l2[1] | pct1 }} and "
        "{{ regularization_decay.shrink.l2[2] | pct1 }}.",
        zh="损失不给梯度时，AdamW 走十步，大小为 1、10、100 的权重缩小的比例相同；Adam 加 L2 则分别"
        "缩小 {{ regularization_decay.shrink.l2[0] | pct1 }}、"
        "{{ regularization_decay.shrink.l2[1] | pct1 }} 和 "
        "{{ regularization_decay.shrink.l2[2] | pct1 }}。",
        criterion="max(shrink.decoupled) - min(shrink.decoupled) < 1e-9 and "
        "shrink.l2[0] > 5 * shrink.l2[1] > 25 * shrink.l2[2]",
        covers=("shrink.*",),
        exact="deterministic",
    ),
    Claim(
        id="regularization-decay-loss-units",
        en="Writing the loss as a sum over 40 samples in place of their mean moves the test error "
        "of Adam with L2 by a factor of two in the middle of {{ regularization_decay.nets_seeds }} "
        "runs (from {{ regularization_decay.units.l2.mean.mean | .2f }} to "
        "{{ regularization_decay.units.l2.sum.mean | .2f }} on average), that of AdamW by less "
        "than one percent in each run.",
        zh="把损失从 40 个样本的平均改写成总和，Adam 加 L2 的测试误差在 "
        "{{ regularization_decay.nets_seeds }} 次训练的中位数上翻了一倍（平均从 "
        "{{ regularization_decay.units.l2.mean.mean | .2f }} 到 "
        "{{ regularization_decay.units.l2.sum.mean | .2f }}），AdamW 的变化每次都不到百分之一。",
        criterion="units.l2.change.median > 0.8 and units.l2.change.min > 0.05 and "
        "units.decoupled.change.max < 0.01",
        covers=("units.*",),
        runs="nets_seeds",
        spread=("units.decoupled.change.min", "units.decoupled.change.max"),
        figure="regularization-decay-units",
    ),
    Claim(
        id="regularization-decay-either-may-win",
        en="With {{ regularization_decay.settings }} settings each, chosen on validation data, "
        "Adam "
        "with L2 has the lower test error than AdamW in "
        "{{ regularization_decay.nets.plain.difference.above }} of "
        "{{ regularization_decay.nets_seeds }} runs "
        "({{ regularization_decay.nets.plain.l2.chosen.mean | .2f }} against "
        "{{ regularization_decay.nets.plain.decoupled.chosen.mean | .2f }}); with the useful "
        "inputs "
        "in units that make them ten times smaller, AdamW is better on average "
        "({{ regularization_decay.nets.small.l2.chosen.mean | .2f }} against "
        "{{ regularization_decay.nets.small.decoupled.chosen.mean | .2f }}, better in "
        "{{ regularization_decay.nets.small.difference.below }}).",
        zh="各试 {{ regularization_decay.settings }} 组设置并在验证数据上选定，"
        "{{ regularization_decay.nets_seeds }} 次训练中有 "
        "{{ regularization_decay.nets.plain.difference.above }} 次 Adam 加 L2 的测试误差低于 AdamW"
        "（{{ regularization_decay.nets.plain.l2.chosen.mean | .2f }} 对 "
        "{{ regularization_decay.nets.plain.decoupled.chosen.mean | .2f }}）；有用的输入换一种单"
        "位、"
        "数值缩小到十分之一之后，平均是 AdamW 更好"
        "（{{ regularization_decay.nets.small.l2.chosen.mean | .2f }} 对 "
        "{{ regularization_decay.nets.small.decoupled.chosen.mean | .2f }}，"
        "{{ regularization_decay.nets.small.difference.below }} 次更好）。",
        criterion="nets.plain.difference.above > 0.75 * nets_seeds and "
        "nets.small.difference.below >= 0.75 * nets_seeds",
        covers=("nets.*",),
        runs="nets_seeds",
        spread=("nets.plain.difference.min", "nets.plain.difference.max"),
        figure="regularization-adam",
    ),
)


def descend(
    w: Array, slope: Callable[[Array], Array], method: str, how: str, lam: Any, steps: int
) -> Array:
    """Follow ``slope`` from ``w`` by sgd, momentum or adam, with l2 or decoupled decay."""
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t in range(1, steps + 1):
        g = slope(w)
        if how == "l2":
            g = g + lam * w
        step = g
        if method == "momentum":
            m = 0.9 * m + g
            step = m
        elif method == "adam":
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
            step = (m / (1.0 - 0.9**t)) / (np.sqrt(v / (1.0 - 0.999**t)) + 1e-8)
        if how == "decoupled":
            w = (1.0 - RATE * lam) * w
        w = w - RATE * step
    return w


def linear() -> dict[str, Any]:
    rngs = [np.random.default_rng(s) for s in range(SEEDS)]
    x = np.stack([g.normal(size=(40, 10)) * np.logspace(-0.5, 0.5, 10) for g in rngs])
    truth = np.stack([g.normal(size=(10, 1)) for g in rngs])
    gram = np.swapaxes(x, -1, -2) @ x / 40

    def slope(w: Array) -> Array:
        out: Array = gram @ (w - truth)
        return out

    def distance(method: str, lam: Array | float) -> Array:
        start = np.ones((1, *truth.shape))
        a = descend(start, slope, method, "l2", LAMBDA, 2000)
        b = descend(start, slope, method, "decoupled", lam, 2000)
        out: Array = np.sqrt(((a - b) ** 2).sum((-1, -2)) / (a**2).sum((-1, -2)))
        return out

    grid = np.reshape(GRID, (-1, 1, 1, 1))
    return {
        "sgd": exactly(distance("sgd", LAMBDA)[0]),
        "momentum_same": exactly(distance("momentum", LAMBDA)[0]),
        "momentum_scaled": exactly(distance("momentum", LAMBDA / (1.0 - 0.9))[0]),
        "adam_closest": exactly(distance("adam", grid).min(axis=0)),
    }


def shrink() -> dict[str, list[float]]:
    """By how much weights of size 1, 10 and 100 shrink under Adam if the loss has no gradient."""
    start = np.array([1.0, 10.0, 100.0])
    return {
        how: (1.0 - descend(start, np.zeros_like, "adam", how, LAMBDA, 10) / start).tolist()
        for how in ("l2", "decoupled")
    }


def adam_nets(
    data: Sets, rates: Sequence[float], how: str, strengths: Sequence[float], factor: float = 1.0
) -> list[Array]:
    """Train with Adam on ``factor`` times the loss; parameters (rates x strengths, seeds, ., .)."""
    pairs = [(r, s) for r in rates for s in strengths]
    seeds, copies = len(data["x"]), len(pairs)
    done = []
    for seed in range(seeds):  # seed by seed: the arrays stay in the cache
        x, y = (np.tile(data[k][seed : seed + 1], (copies, 1, 1)) for k in ("x", "y"))
        rate, lam = (np.reshape(v, (-1, 1, 1)) for v in zip(*pairs, strict=True))
        start = init([np.random.default_rng(1000 + seed)], D, HIDDEN)
        params = [np.tile(p, (copies, 1, 1)) for p in start]
        ms, vs = ([np.zeros_like(p) for p in params] for _ in range(2))
        for t in range(1, STEPS + 1):
            for i, g in enumerate(gradients(params, x, y)):
                g, is_weight = factor * g, i % 2 == 0
                if how == "l2" and is_weight:
                    g = g + lam * params[i]
                if how == "decoupled" and is_weight:
                    params[i] = (1.0 - rate * lam) * params[i]
                ms[i] = 0.9 * ms[i] + 0.1 * g
                vs[i] = 0.999 * vs[i] + 0.001 * g * g
                size = np.sqrt(vs[i] / (1.0 - 0.999**t)) + 1e-8
                params[i] = params[i] - rate * (ms[i] / (1.0 - 0.9**t)) / size
        done.append(params)
    return [np.stack(p, axis=1) for p in zip(*done, strict=True)]


def nets() -> dict[str, Any]:
    out: dict[str, Any] = {}
    for task, scale in (("plain", 1.0), ("small", 0.1)):
        data = make(40, NETS)
        for k in ("x", "xv", "xt"):
            data[k][..., :2] *= scale
        picked, out[task] = {}, {}
        for how, strengths in STRENGTHS.items():
            params = adam_nets(data, ADAM_RATES, how, strengths)
            test = errors(params, data["xt"], data["yt"])
            best = errors(params, data["xv"], data["yv"]).argmin(axis=0)
            picked[how] = test[best, np.arange(NETS)]
            middle = test.reshape(len(ADAM_RATES), -1, NETS)[1]
            out[task][how] = {
                "test": [spread(v) for v in middle],
                "chosen": spread(picked[how]),
                "gain": paired(
                    picked[how] - test[best // len(strengths) * len(strengths), np.arange(NETS)]
                ),
            }
        out[task]["difference"] = paired(picked["decoupled"] - picked["l2"])
    return out


def units() -> dict[str, Any]:
    """The change of the test error when the loss is the sum over 40 samples, not their mean."""
    data = make(40, NETS)
    out: dict[str, Any] = {}
    for how, strength in (("l2", 0.03), ("decoupled", 3.0)):
        mean, total = (
            errors(adam_nets(data, (RATE,), how, (strength,), f), data["xt"], data["yt"])[0]
            for f in (1.0, 40.0)
        )
        out[how] = {
            "mean": spread(mean),
            "sum": spread(total),
            "change": exactly(np.abs(total / mean - 1.0)),
        }
    return out


def run() -> dict[str, Any]:
    return {
        "seeds": SEEDS,
        "nets_seeds": NETS,
        "steps": STEPS,
        "settings": len(ADAM_RATES) * len(STRENGTHS["l2"]),
        "grid": len(GRID),
        "linear": linear(),
        "shrink": shrink(),
        "nets": nets(),
        "units": units(),
    }


WORDS = {
    "en": {
        "sgd": "SGD",
        "momentum_same": "momentum 0.9, same λ",
        "momentum_scaled": "momentum 0.9, ten times λ",
        "adam_closest": "Adam, closest of 61 λ",
        "distance": "relative distance between L2 and decay",
        "l2": "Adam with L2",
        "decoupled": "AdamW",
        "mean": "mean",
        "sum": "sum",
        "test": "test error",
        "plain": "inputs of one size",
        "small": "useful inputs ten times smaller",
        "strength": "strength λ",
    },
    "zh": {
        "sgd": "SGD",
        "momentum_same": "动量 0.9，λ 相同",
        "momentum_scaled": "动量 0.9，λ 取十倍",
        "adam_closest": "Adam，61 个 λ 中最近的",
        "distance": "L2 与衰减的相对距离",
        "l2": "Adam 加 L2",
        "decoupled": "AdamW",
        "mean": "平均",
        "sum": "总和",
        "test": "测试误差",
        "plain": "输入大小一致",
        "small": "有用的输入小十倍",
        "strength": "强度 λ",
    },
}


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    from experiments._dots import Dot, Panel, draw_bands, draw_dots
    from experiments._ranges import Bar, draw_ranges
    from experiments.style import SERIES, new_figure

    t = WORDS[lang]
    comma = {"en": ", ", "zh": "，"}[lang]
    rows = ("sgd", "momentum_same", "momentum_scaled", "adam_closest")  # a result file is sorted
    bars = [Bar(t[k], result["linear"][k]) for k in rows]
    dots = [
        Dot(f"{t[how]}{comma}{t[kind]}", result["units"][how][kind], SERIES[i])
        for i, how in enumerate(STRENGTHS)
        for kind in ("mean", "sum")
    ]
    fig, axes = new_figure(7.2, 3.4, ncols=2, sharey=True)
    for ax, task in zip(axes, ("plain", "small"), strict=True):
        for color, how in zip(SERIES, STRENGTHS, strict=False):
            rows = result["nets"][task][how]["test"]
            draw_bands(
                ax, range(len(rows)), rows, color=color, marker="o", markersize=4, label=t[how]
            )
        pairs = zip(*STRENGTHS.values(), strict=True)
        ax.set_xticks(range(6), [f"{a:g}\n{b:g}" for a, b in pairs])
        ax.set_title(t[task])
        ax.set_xlabel(t["strength"])
    axes[0].set_ylabel(t["test"])
    axes[0].legend()
    return {
        "regularization-decay-linear": draw_ranges(bars, t["distance"]),
        "regularization-decay-units": draw_dots([Panel(t["test"], dots)]),
        "regularization-adam": fig,
    }
