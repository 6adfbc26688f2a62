"""The bug museum: what five detectors say about every wrong backward pass of `bpref.bugs`.

Every bug is trained in each of its network families, in two sizes, with ``SEEDS`` seeds. Five
detectors look at each run. Their criteria are the constants below; they, the learning rates and
the numbers of steps were fixed with the right passes alone. A crash counts as noticed by every
detector that needs the program to run.

* ``shapes``: a gradient does not have the shape of its parameter in the first step.
* ``falls``: after ``STEPS`` steps the loss on the training set is not below ``FALLS`` times its
  start, or not finite.
* ``overfit``: after ``OVERFIT_STEPS`` steps on four samples, without dropout, the loss is not
  below ``OVERFITS`` times its start.
* ``compare``: the final training loss is above the largest of ``SEEDS`` other runs with the
  right pass (other seeds).
* ``gradcheck``: `bpref.gradcheck.check_gradients`, at its defaults, on ``ELEMENTS`` elements of
  each parameter, for the gradients of the second step.

The right passes go through the same detectors: their shares are the false alarms. ``worked`` is
the worked example of the page, ``cosine`` the median cosine between the wrong and the right
gradient of the first step.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib import ticker

from bpref.bugs import CATALOG, dense
from bpref.gradcheck import check_gradients
from experiments import style
from experiments._bug_museum import NETWORKS, SIZES, Context, Dropout, Network, Params, passes

SEEDS = 20
SAMPLES = 80
STEPS = 100
EVERY = 10
OVERFIT_STEPS = 100
FALLS = 0.9
OVERFITS = 0.05
ELEMENTS = 5
DETECTORS = ("shapes", "falls", "overfit", "compare", "gradcheck")
REFERENCE = 1000  # first seed of the runs that the comparison uses
RTOL = 1e-3  # a trained loss, rounded below; counts must agree exactly


def _start(name: str, size: str, seed: int) -> tuple[Network, Params, Any, np.random.Generator]:
    network = NETWORKS[name]
    d, n, _ = SIZES[name][size]
    rng = np.random.default_rng(seed)
    data = network.data(rng, d, SAMPLES)
    return network, network.init(rng, d, n), data, rng


def _step(p: Params, grads: Params, rate: float) -> None:
    for name, g in grads.items():
        p[name] -= rate * g  # in place: a gradient that does not fit stops the program


def train(name: str, size: str, seed: int, back: Any) -> list[float]:
    """The loss on the training set every ``EVERY`` steps; infinity after a crash."""
    network, p, data, rng = _start(name, size, seed)
    batch = SIZES[name][size][2]
    losses = [network.run(p, data, Context(back), gradients=False)[0]]
    stored: Params = {}
    for step in range(1, STEPS + 1):
        rows = rng.integers(0, SAMPLES, batch)
        try:
            context = Context(back, rng, stored)
            _, grads = network.run(p, tuple(a[rows] for a in data), context)
            _step(p, grads, network.rate)
        except ValueError:
            return losses + [math.inf] * (STEPS // EVERY + 1 - len(losses))
        stored = grads
        if step % EVERY == 0:
            value = network.run(p, data, Context(back), gradients=False)[0]
            losses.append(value if value < 1e6 else math.inf)
            if losses[-1] == math.inf:
                return losses + [math.inf] * (STEPS // EVERY + 1 - len(losses))
    return losses


def overfit(name: str, size: str, seed: int, back: Any) -> float:
    """The loss on four samples after training on them, relative to its start."""
    network, p, data, _ = _start(name, size, seed)
    four = tuple(a[:4] for a in data)
    start = network.run(p, four, Context(back), gradients=False)[0]
    stored: Params = {}
    for _ in range(OVERFIT_STEPS):
        try:
            J, stored = network.run(p, four, Context(back, None, stored))
            _step(p, stored, network.rate)
        except ValueError:
            return math.inf
        if not J < 1e6:
            return math.inf
    end = network.run(p, four, Context(back), gradients=False)[0] / start
    return end if end < 1e6 else math.inf


def examine(name: str, size: str, seed: int, back: Any) -> tuple[bool, bool, float]:
    """Wrong shapes in the first step, a failing check in the second, cosine with the right one."""
    network, p, data, rng = _start(name, size, seed)
    batch = SIZES[name][size][2]
    first, second = (
        tuple(a[rows] for a in data) for rows in (rng.integers(0, SAMPLES, batch) for _ in "12")
    )
    mask_seed = int(rng.integers(2**32))

    dropout = any(isinstance(layer, Dropout) for layer in network.layers)

    def masks() -> np.random.Generator | None:
        return np.random.default_rng(mask_seed) if dropout else None

    _, right = network.run(p, first, Context(passes(), masks()))
    try:
        _, grads = network.run(p, first, Context(back, masks()))
    except ValueError:
        return True, True, 0.0
    shapes = any(g.shape != p[k].shape for k, g in grads.items())
    flat = [
        np.concatenate([np.broadcast_to(_fit(g[k], p[k]), p[k].shape).ravel() for k in p])
        for g in (grads, right)
    ]
    cosine = float(flat[0] @ flat[1] / (np.linalg.norm(flat[0]) * np.linalg.norm(flat[1])))
    try:
        _step(p, grads, network.rate)
        _, grads = network.run(p, second, Context(back, masks(), grads))

        def f(**inputs: np.ndarray) -> float:
            return network.run(inputs, second, Context(back, masks()), gradients=False)[0]

        report = check_gradients(f, p, grads, max_elements=ELEMENTS)
    except ValueError:
        return shapes, True, cosine
    return shapes, not report.ok, cosine


def _fit(g: np.ndarray, p: np.ndarray) -> np.ndarray:
    """A gradient that doesn't even broadcast contributes nothing to the cosine."""
    try:
        np.broadcast_to(g, p.shape)
    except ValueError:
        return np.zeros_like(p)
    return g


def references() -> dict[tuple[str, str], float]:
    """The largest final loss of the runs with the right pass that the comparison uses."""
    out = {}
    for name in NETWORKS:
        for size in SIZES[name]:
            finals = [train(name, size, REFERENCE + s, passes())[-1] for s in range(SEEDS)]
            out[name, size] = max(finals)
    return out


def measure(name: str, size: str, bug: Any, worst: float) -> dict[str, Any]:
    """How many of the runs each detector flags, and the median curve."""
    back = passes(bug)
    flags = dict.fromkeys(DETECTORS, 0)
    curves, cosines = [], []
    for seed in range(SEEDS):
        losses = train(name, size, seed, back)
        curves.append(losses)
        shapes, failed, cosine = examine(name, size, seed, back)
        cosines.append(cosine)
        found = {
            "shapes": shapes,
            "falls": not losses[-1] < FALLS * losses[0],
            "overfit": not overfit(name, size, seed, back) < OVERFITS,
            "compare": not losses[-1] <= worst,
            "gradcheck": failed,
        }
        for key, noticed in found.items():
            flags[key] += bool(noticed)
    return {
        "flags": flags,
        "cosine": float(np.round(np.median(cosines), 2)),
        "curve": _curve(curves),
    }


def _curve(curves: list[list[float]]) -> list[float | None]:
    """Medians to three digits; None where most runs have crashed or diverged."""
    medians = np.sort(np.array(curves), axis=0)[SEEDS // 2]
    return [float(f"{m:.3g}") if m < 1e3 else None for m in medians]


def worked() -> dict[str, Any]:
    """A 2-2-1 network, one sample: the gradient of W_1 without W_2, and the right one."""
    x, y = np.array([[1.0, 2.0]]), np.array([[1.0]])
    W_1, b_1 = np.array([[0.5, -0.4], [0.2, 0.4]]), np.array([0.1, -0.2])
    W_2, b_2, rate = np.array([[0.8, -0.6]]), np.array([0.3]), 0.1

    def J(W: np.ndarray) -> float:
        return float(0.5 * np.sum((np.tanh(x @ W.T + b_1) @ W_2.T + b_2 - y) ** 2))

    h = np.tanh(x @ W_1.T + b_1)
    delta_2 = h @ W_2.T + b_2 - y
    cache = (h, W_2)
    out: dict[str, Any] = {"J": J(W_1), "delta_2": float(delta_2[0, 0]), "h": h[0].tolist()}
    for key, function in (("right", dense.linear_backward), ("wrong", dense.missing_weight)):
        delta_1 = function(delta_2, cache)[0] * (1 - h**2)
        dW = delta_1.T @ x
        out[key] = {
            "delta_1": delta_1[0].tolist(),
            "dW": dW.tolist(),
            "J": J(W_1 - rate * dW),
        }
    quotient = np.zeros_like(W_1)
    for index in np.ndindex(W_1.shape):
        e = np.zeros_like(W_1)
        e[index] = 1e-5
        quotient[index] = (J(W_1 + e) - J(W_1 - e)) / 2e-5
    out["quotient"] = quotient.tolist()
    g, v = np.ravel(out["right"]["dW"]), np.ravel(out["wrong"]["dW"])
    out["product"] = float(g @ v)
    out["cosine"] = float(g @ v / np.linalg.norm(g) / np.linalg.norm(v))
    return out


def run() -> dict[str, Any]:
    """All claims of the page."""
    with np.errstate(all="ignore"):
        return _run()


def _run() -> dict[str, Any]:
    worst = references()
    right = {
        name: {size: measure(name, size, None, worst[name, size]) for size in SIZES[name]}
        for name in NETWORKS
    }
    bugs: dict[str, Any] = {}
    for bug in CATALOG:
        cells = {
            name: {size: measure(name, size, bug, worst[name, size]) for size in SIZES[name]}
            for name in bug.networks
        }
        parts = [cell for sizes in cells.values() for cell in sizes.values()]
        bugs[bug.id] = {
            "cells": cells,
            "runs": SEEDS * len(parts),
            "share": _shares(parts),
        }
    parts = [cell for sizes in right.values() for cell in sizes.values()]
    return {
        "bugs": bugs,
        "right": right,
        "false": {"runs": SEEDS * len(parts), "count": _counts(parts), "share": _shares(parts)},
        "overall": _overall(bugs),
        "worked": worked(),
        "setting": {
            "seeds": SEEDS, "samples": SAMPLES, "steps": STEPS, "overfit_steps": OVERFIT_STEPS,
            "falls": FALLS, "overfits": OVERFITS, "elements": ELEMENTS,
            "bugs": len(bugs), "networks": len(NETWORKS), "sizes": 2,
            "runs": sum(bug["runs"] for bug in bugs.values()),
        },
    }  # fmt: skip


def _counts(parts: list[dict[str, Any]]) -> dict[str, int]:
    return {key: sum(part["flags"][key] for part in parts) for key in DETECTORS}


def _shares(parts: list[dict[str, Any]]) -> dict[str, float]:
    """Percent of the runs."""
    return {k: 100 * v / (SEEDS * len(parts)) for k, v in _counts(parts).items()}


def _overall(bugs: dict[str, Any]) -> dict[str, Any]:
    """Percent of all runs, each bug with equal weight, and bugs never or always noticed."""
    shares = {key: [bug["share"][key] for bug in bugs.values()] for key in DETECTORS}
    quiet = [
        name
        for name, bug in bugs.items()
        if max(bug["share"][key] for key in ("shapes", "falls", "overfit")) == 0
    ]
    return {
        "mean": {key: float(np.mean(values)) for key, values in shares.items()},
        "always": {key: sum(v == 100 for v in values) for key, values in shares.items()},
        "never": {key: sum(v == 0 for v in values) for key, values in shares.items()},
        "quiet": len(quiet),
        "cosine": _cosines(bugs),
    }


def _cosines(bugs: dict[str, Any]) -> dict[str, int]:
    """Of how many bugs the median cosine is below zero, or above a half, in every cell."""
    cells = [
        [cell["cosine"] for sizes in bug["cells"].values() for cell in sizes.values()]
        for bug in bugs.values()
    ]
    return {
        "negative": sum(min(values) < 0 for values in cells),
        "half": sum(min(values) > 0.5 for values in cells),
    }


TITLES = {
    "missing_weight": ("missing W₂", "漏掉 W₂"),
    "missing_transpose": ("missing transpose", "漏掉转置"),
    "bias_wrong_axis": ("bias: wrong axis", "偏置：求和轴错误"),
    "bias_forgotten": ("bias forgotten", "忘记偏置"),
    "slope_at_output": ("slope at the activation", "斜率取在激活值处"),
    "slope_twice": ("slope twice", "斜率乘了两次"),
    "relu_in_place": ("in-place ReLU", "原地 ReLU"),
    "leaky_wrong_side": ("leaky: wrong side", "leaky 斜率用错一侧"),
    "sum_for_mean": ("sum for mean", "平均写成求和"),
    "sign_flip": ("sign flip", "符号写反"),
    "labels_broadcast": ("labels broadcast", "标签被广播"),
    "softmax_left_out": ("softmax left out", "漏掉 softmax"),
    "softmax_diagonal": ("softmax: diagonal only", "softmax 只取对角线"),
    "softmax_twice": ("softmax twice", "softmax 用了两次"),
    "padding_in_mean": ("padding in the mean", "填充计入平均"),
    "padding_not_masked": ("padding not masked", "填充未屏蔽"),
    "batch_norm_no_mean": ("batch norm: no mean path", "批归一化漏均值路径"),
    "batch_norm_no_variance": ("batch norm: no variance path", "批归一化漏方差路径"),
    "gain_one_number": ("gain: one number", "增益只有一个数"),
    "layer_norm_constants": ("layer norm: constants", "层归一化当作常数"),
    "dropout_new_mask": ("dropout: new mask", "dropout 换了掩码"),
    "dropout_unscaled": ("dropout: not scaled", "dropout 未缩放"),
    "conv_not_flipped": ("kernel not flipped", "卷积核未翻转"),
    "conv_wrong_crop": ("wrong crop of the padding", "填充裁错位置"),
    "pool_all_ties": ("max pool: all ties", "最大池化：并列全给"),
    "embedding_assign": ("embedding: assigned", "词嵌入：覆盖而非相加"),
    "bptt_off_by_one": ("BPTT: off by one", "BPTT 差一步"),
    "recurrent_path_forgotten": ("recurrent path forgotten", "忘记循环路径"),
    "forget_gate_missing": ("forget gate missing", "漏掉遗忘门"),
    "attention_unscaled": ("attention: scale missing", "注意力漏掉缩放"),
    "residual_path_forgotten": ("residual path forgotten", "忘记残差路径"),
    "stale_cache": ("stale cache", "缓存过期"),
    "shared_once": ("shared weight: once", "共享权重只留一份"),
    "not_cleared": ("gradients not cleared", "梯度未清零"),
}
HEADS = {
    "en": ("shapes", "loss falls", "4 samples", "comparison", "gradient check"),
    "zh": ("形状", "损失下降", "4 个样本", "对照", "梯度检验"),
}
ROOMS = ("dense", "activation", "loss", "norm", "conv", "sequence", "structure")


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    """The matrix, and one figure of loss curves for each room."""
    figures = {"bug_museum": _matrix(result, lang)}
    for room in ROOMS:
        figures[f"bug_museum_{room}"] = _room(result, lang, room)
    return figures


def _matrix(result: dict[str, Any], lang: str) -> Any:
    which = ("en", "zh").index(lang)
    rows = [(TITLES[bug.id][which], result["bugs"][bug.id]["share"]) for bug in CATALOG]
    rows.append((("right passes", "正确的实现")[which], result["false"]["share"]))
    height = 0.235
    fig, ax = style.diagram(7.2, height * (len(rows) + 2.2))
    top = height * (len(rows) + 1)
    left, width = 2.35, 0.95
    for column, head in enumerate(HEADS[lang]):
        x = left + (column + 0.5) * width
        ax.text(x, top + 0.12, head, ha="center", va="bottom", fontsize=8.5)
    for row, (title, share) in enumerate(rows):
        y = top - (row + 1) * height - (0.1 if row == len(rows) - 1 else 0)
        ax.text(left - 0.1, y + height / 2, title, ha="right", va="center", fontsize=8.5)
        for column, key in enumerate(DETECTORS):
            percent = share[key]
            x = left + column * width
            shade = style.plt.Rectangle(
                (x, y), width - 0.04, height - 0.03, facecolor=style.ACCENT, edgecolor="none",
                alpha=round(0.04 + 0.36 * percent / 100, 3),
            )  # fmt: skip
            ax.add_patch(shade)
            ax.text(
                x + width / 2, y + height / 2 - 0.01, f"{percent:.0f} %", ha="center",
                va="center", fontsize=8.5, color=style.INK if percent else style.MUTED,
            )  # fmt: skip
    return fig


def _room(result: dict[str, Any], lang: str, room: str) -> Any:
    which = ("en", "zh").index(lang)
    bugs = [bug for bug in CATALOG if bug.room == room]
    columns = 3 if len(bugs) in (3, 5, 6) else 4
    rows = -(-len(bugs) // columns)
    fig, axes = style.new_figure(7.4, 2.05 * rows + 0.45, nrows=rows, ncols=columns, sharex=True)
    flat = np.ravel(axes)
    steps = np.arange(0, STEPS + 1, EVERY)
    words = (("right", "wrong", "step", "loss"), ("正确", "错误", "步数", "损失"))[which]
    for ax, bug in zip(flat, bugs, strict=False):
        name = bug.networks[0]
        right = result["right"][name]["small"]["curve"]
        wrong = result["bugs"][bug.id]["cells"][name]["small"]["curve"]
        ax.plot(steps, right, color=style.FORWARD, label=words[0])
        known = [v for v in wrong if v is not None]
        ax.plot(steps[: len(known)], known, color=style.BAD, linestyle="--", label=words[1])
        if len(known) < len(steps):
            ax.plot(steps[len(known) - 1], known[-1], "x", color=style.BAD, markersize=7)
        ax.set_yscale("log")
        wide = max(right + known) > 50 * min(right + known)
        ax.yaxis.set_major_locator(ticker.LogLocator(10, (1,) if wide else (1, 2, 5)))
        ax.yaxis.set_major_formatter(ticker.FuncFormatter(lambda v, _: f"{v:g}"))
        ax.yaxis.set_minor_locator(ticker.NullLocator())
        ax.set_title(TITLES[bug.id][which], fontsize=9)
        ax.tick_params(labelsize=8)
    for ax in flat[len(bugs) :]:
        ax.axis("off")
    for ax in np.atleast_2d(axes)[:, 0]:
        ax.set_ylabel(words[3], fontsize=9)
    for ax in flat[max(0, len(bugs) - columns) : len(bugs)]:
        ax.set_xlabel(words[2], fontsize=9)
        ax.tick_params(labelbottom=True)
    fig.legend(*flat[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return fig
