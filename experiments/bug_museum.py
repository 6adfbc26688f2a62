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
gradient of the first step. Spreads: over the seeds (every share computed for one seed at a time),
over the network families, over the two sizes, and over the bugs of a room.

The weights are rounded to float32 after each step. A wrong pass may train chaotically, and then
the last bit of a sum, which differs between processors, would decide what is noticed; the
rounding swallows it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib import ticker

from bpref.bugs import CATALOG, dense
from bpref.gradcheck import check_gradients
from experiments import style
from experiments._bug_museum import NETWORKS, SIZES, Context, Dropout, Network, Params, passes
from experiments._bug_museum_claims import CLAIMS as CLAIMS
from experiments._bug_museum_claims import DETECTORS
from experiments._bug_museum_claims import WORKED as WORKED

SEEDS = 20
SAMPLES = 80
STEPS = 100
EVERY = 10
OVERFIT_STEPS = 100
FALLS = 0.9
OVERFITS = 0.05
ELEMENTS = 5
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
        p[name][...] = p[name].astype(np.float32)  # see the head of the module


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


Flags = dict[str, np.ndarray]  # by detector: for each seed, whether it has noticed the run


def measure(
    name: str, size: str, bug: Any, worst: float, right: np.ndarray | None = None
) -> tuple[dict[str, Any], Flags, np.ndarray]:
    """How many of the runs each detector flags, the cosines, the curves, and the final losses.

    ``lower`` counts the runs that end below the one of ``right`` with the same seed.
    """
    back = passes(bug)
    flags: dict[str, list[bool]] = {key: [] for key in DETECTORS}
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
            flags[key].append(bool(noticed))
    cell = {
        "flags": {key: sum(values) for key, values in flags.items()},
        "cosine": float(np.round(np.median(cosines), 2)),
        "cosine_min": float(np.round(min(cosines), 2)),
        "cosine_max": float(np.round(max(cosines), 2)),
        "downhill": sum(cosine > 0 for cosine in cosines),
        **_curves(curves),
    }
    finals = np.array(curves)[:, -1]
    if right is not None:
        cell["lower"] = int(np.sum(finals < right))
    return cell, {key: np.array(values) for key, values in flags.items()}, finals


def first_step() -> dict[str, Any]:
    """Whether the check fails in the first step, where the buffer of ``not_cleared`` is empty."""
    (bug,) = (bug for bug in CATALOG if bug.id == "not_cleared")
    back, failed = passes(bug), []
    for name in bug.networks:
        for size in SIZES[name]:
            for seed in range(SEEDS):
                network, p, data, rng = _start(name, size, seed)
                rows = rng.integers(0, SAMPLES, SIZES[name][size][2])
                batch = tuple(a[rows] for a in data)
                _, grads = network.run(p, batch, Context(back))

                def f(network: Any = network, batch: Any = batch, **inputs: np.ndarray) -> float:
                    return network.run(inputs, batch, Context(back), gradients=False)[0]

                failed.append(not check_gradients(f, p, grads, max_elements=ELEMENTS).ok)
    by_seed = 100 * np.mean(np.reshape(failed, (-1, SEEDS)), axis=0)
    return {"runs": len(failed), "failed": sum(failed), "seed": _range(by_seed)}


def _curves(curves: list[list[float]]) -> dict[str, list[float | None]]:
    """Median, lowest and highest to three digits; None where the run has crashed or diverged."""
    ordered = np.sort(np.array(curves), axis=0)
    rows = {"curve": SEEDS // 2, "curve_min": 0, "curve_max": -1}
    return {
        key: [float(f"{value:.3g}") if value < 1e3 else None for value in ordered[row]]
        for key, row in rows.items()
    }


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
    right: dict[str, Any] = {name: {} for name in NETWORKS}
    right_flags: list[Flags] = []
    finals: dict[tuple[str, str], np.ndarray] = {}
    for name in NETWORKS:
        for size in SIZES[name]:
            cell, flags, finals[name, size] = measure(name, size, None, worst[name, size])
            right[name][size] = cell
            right_flags.append(flags)
    bugs: dict[str, Any] = {}
    found: dict[str, dict[tuple[str, str], Flags]] = {}  # by bug, by network and size
    for bug in CATALOG:
        cells: dict[str, Any] = {name: {} for name in bug.networks}
        found[bug.id] = {}
        for name in bug.networks:
            for size in SIZES[name]:
                at = name, size
                cell, flags, _ = measure(name, size, bug, worst[at], finals[at])
                cells[name][size], found[bug.id][at] = cell, flags
        parts = list(found[bug.id].values())
        bugs[bug.id] = {
            "cells": cells,
            "runs": SEEDS * len(parts),
            "share": _shares(parts),
            "seed": _seeds([parts]),
        }
    counts = {key: int(sum(flags[key].sum() for flags in right_flags)) for key in DETECTORS}
    return {
        "bugs": bugs,
        "right": right,
        "false": {
            "runs": SEEDS * len(right_flags), "count": counts, "share": _shares(right_flags),
            "seed": _seeds([right_flags]),
        },
        "overall": _overall(bugs, found),
        "rooms": {room: _room_shares(bugs, found, room) for room in ROOMS},
        "families": {name: _part_shares(found, 0, name) for name in NETWORKS},
        "first_step": first_step(),
        "worked": worked(),
        "setting": {
            "seeds": SEEDS, "samples": SAMPLES, "steps": STEPS, "overfit_steps": OVERFIT_STEPS,
            "falls": FALLS, "overfits": OVERFITS, "elements": ELEMENTS,
            "bugs": len(bugs), "networks": len(NETWORKS), "sizes": 2,
            "runs": sum(bug["runs"] for bug in bugs.values()),
        },
    }  # fmt: skip


def _shares(parts: list[Flags]) -> dict[str, float]:
    """Percent of the runs."""
    return {key: float(100 * np.mean([part[key] for part in parts])) for key in DETECTORS}


def _range(values: Iterable[float]) -> dict[str, float]:
    listed = [float(value) for value in values]
    return {"min": min(listed), "max": max(listed)}


def _seeds(groups: list[list[Flags]]) -> dict[str, dict[str, float]]:
    """The lowest and the highest percentage over the seeds; each group has the same weight."""
    out = {}
    for key in DETECTORS:
        by_group = [np.mean([part[key] for part in parts], axis=0) for parts in groups]
        out[key] = _range(100 * np.mean(by_group, axis=0))
    return out


def _part_shares(found: dict[str, dict[tuple[str, str], Flags]], index: int, value: str) -> Any:
    """Percent in one network family (index 0) or one size (1); each bug has the same weight."""
    groups = [
        [flags for place, flags in cells.items() if place[index] == value]
        for cells in found.values()
    ]
    shares = [_shares(parts) for parts in groups if parts]
    return {key: float(np.mean([share[key] for share in shares])) for key in DETECTORS}


def _room_shares(
    bugs: dict[str, Any], found: dict[str, dict[tuple[str, str], Flags]], room: str
) -> dict[str, Any]:
    """The rows of one room of the matrix, each bug with equal weight."""
    names = [bug.id for bug in CATALOG if bug.room == room]
    shares = [bugs[name]["share"] for name in names]
    others = [max(v for k, v in share.items() if k != "gradcheck") for share in shares]
    return {
        "bugs": len(names),
        "runs": sum(bugs[name]["runs"] for name in names),
        "mean": {key: float(np.mean([share[key] for share in shares])) for key in DETECTORS},
        "min": {key: min(share[key] for share in shares) for key in DETECTORS},
        "max": {key: max(share[key] for share in shares) for key in DETECTORS},
        "seed": _seeds([list(found[name].values()) for name in names]),
        "hidden": sum(other <= 50 for other in others),
    }


def _overall(
    bugs: dict[str, Any], found: dict[str, dict[tuple[str, str], Flags]]
) -> dict[str, Any]:
    """Percent of all runs, each bug with equal weight, and bugs never or always noticed."""
    shares = {key: [bug["share"][key] for bug in bugs.values()] for key in DETECTORS}
    silent = ("shapes", "falls", "overfit")
    by_seed = [
        ~np.any([flags[key] for flags in cells.values() for key in silent], axis=0)
        for cells in found.values()
    ]
    families = [_part_shares(found, 0, name) for name in NETWORKS]
    sizes = {size: _part_shares(found, 1, size) for size in ("small", "large")}
    return {
        "mean": {key: float(np.mean(values)) for key, values in shares.items()},
        "always": {key: sum(v == 100 for v in values) for key, values in shares.items()},
        "never": {key: sum(v == 0 for v in values) for key, values in shares.items()},
        "seed": _seeds([list(cells.values()) for cells in found.values()]),
        "family": {key: _range(family[key] for family in families) for key in DETECTORS},
        "size": {key: {size: sizes[size][key] for size in sizes} for key in DETECTORS},
        "quiet": sum(bool(unnoticed.all()) for unnoticed in by_seed),
        "quiet_seed": _range(np.sum(by_seed, axis=0)),
        "cosine": _cosines(bugs),
    }


def _cosines(bugs: dict[str, Any]) -> dict[str, Any]:
    """Of how many bugs the median cosine is below zero, or above a half, in every cell."""
    cells = {
        name: [cell for sizes in bug["cells"].values() for cell in sizes.values()]
        for name, bug in bugs.items()
    }
    others = [cell for name, parts in cells.items() if name != "sign_flip" for cell in parts]
    return {
        "negative": sum(min(c["cosine"] for c in parts) < 0 for parts in cells.values()),
        "half": sum(min(c["cosine"] for c in parts) > 0.5 for parts in cells.values()),
        "uphill_others": sum(SEEDS - cell["downhill"] for cell in others),
        "uphill_bugs": sum(
            any(cell["downhill"] < SEEDS for cell in parts)
            for name, parts in cells.items() if name != "sign_flip"
        ),
        "others": SEEDS * len(others),
        "min": min(cell["cosine_min"] for cell in others),
        "max": max(cell["cosine_max"] for cell in others),
    }  # fmt: skip


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
    """The matrix, its spread, the cosines, and the loss curves of each room."""
    figures = {
        "bug_museum": _matrix(result, lang),
        "bug_museum_spread": _spread(result, lang),
        "bug_museum_cosine": _angles(result, lang),
        "bug_museum_missing_weight": _missing_weight(result, lang),
    }
    for room in ROOMS:
        figures[f"bug_museum_{room}"] = _room(result, lang, room)
    return figures


def _spread(result: dict[str, Any], lang: str) -> Any:
    """For each detector: mean, seeds, families; below it the false alarms."""
    words = {
        "en": ("mean", "range over the seeds", "a network family", "false alarms", "percent"),
        "zh": ("平均", "各随机种子的范围", "一种网络", "误报", "百分比"),
    }[lang]
    overall, false = result["overall"], result["false"]
    fig, ax = style.new_figure(7.0, 3.5)
    for y, key in enumerate(reversed(DETECTORS)):
        families = [share[key] for share in result["families"].values()]
        ax.plot(families, [y + 0.1] * len(families), "|", color=style.MUTED, markersize=12,
                label=words[2])  # fmt: skip
        for source, mean, up, color, label in (
            (overall, overall["mean"][key], 0.1, style.FORWARD, words[0]),
            (false, false["share"][key], -0.22, style.BAD, words[3]),
        ):
            seeds = source["seed"][key]
            ax.plot(
                [seeds["min"], seeds["max"]], [y + up] * 2, color=color, linewidth=5, alpha=0.4,
                solid_capstyle="butt", label=words[1] if up > 0 else None,
            )  # fmt: skip
            ax.plot(mean, y + up, "o", color=color, markersize=6, label=label)
    ax.set_yticks(range(len(DETECTORS)), list(reversed(HEADS[lang])))
    ax.set_ylim(-0.55, len(DETECTORS) - 0.5)
    ax.set_xlim(-2, 102)
    ax.set_xlabel(words[4])
    handles, labels = ax.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    fig.legend(unique.values(), unique.keys(), loc="outside upper center", ncols=4, fontsize=8.5)
    return fig


def _angles(result: dict[str, Any], lang: str) -> Any:
    """One line for each bug and network, from the lowest to the highest cosine, sorted."""
    words = {
        "en": ("bugs and networks, sorted by the median", "cosine with the right gradient"),
        "zh": ("错误与网络，按中位数排序", "与正确梯度的夹角余弦"),
    }[lang]
    cells = [
        cell for bug in result["bugs"].values() for sizes in bug["cells"].values()
        for cell in sizes.values()
    ]  # fmt: skip
    cells.sort(key=lambda cell: (cell["cosine"], cell["cosine_min"]))
    fig, ax = style.new_figure(7.0, 3.0)
    ax.axhline(0, color=style.MUTED, linewidth=1)
    x = range(len(cells))
    ax.vlines(x, [c["cosine_min"] for c in cells], [c["cosine_max"] for c in cells],
              color=style.FORWARD, linewidth=3.2, alpha=0.4)  # fmt: skip
    ax.plot(x, [c["cosine"] for c in cells], "o", color=style.FORWARD, markersize=3.5)
    ax.set_xticks([])
    ax.set_xlabel(words[0])
    ax.set_ylabel(words[1])
    ax.set_ylim(-1.1, 1.1)
    return fig


def _missing_weight(result: dict[str, Any], lang: str) -> Any:
    """Small and large tanh and ReLU networks, with the range over the seeds."""
    words = {
        "en": {"mlp_tanh": "tanh", "mlp_relu": "ReLU", "small": ", small", "large": ", large"},
        "zh": {"mlp_tanh": "tanh", "mlp_relu": "ReLU", "small": "，小", "large": "，大"},
    }[lang]
    fig, axes = style.new_figure(7.4, 2.5, ncols=4, sharex=True, sharey=True)
    places = [(name, size) for name in ("mlp_tanh", "mlp_relu") for size in ("small", "large")]
    for ax, (name, size) in zip(axes, places, strict=True):
        cells = result["right"][name][size], result["bugs"]["missing_weight"]["cells"][name][size]
        _losses(ax, *cells, lang)
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(ticker.FuncFormatter(lambda v, _: f"{v:g}"))
        ax.set_title(f"{words[name]}{words[size]}", fontsize=9)
        ax.set_xlabel(CURVE_WORDS[lang][2], fontsize=9)
        ax.tick_params(labelsize=8)
    axes[0].set_ylabel(CURVE_WORDS[lang][3], fontsize=9)
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return fig


CURVE_WORDS = {"en": ("right", "wrong", "step", "loss"), "zh": ("正确", "错误", "步数", "损失")}


def _losses(ax: Any, right: dict[str, Any], wrong: dict[str, Any], lang: str) -> None:
    """Both median curves and, pale, the range over the seeds; a cross where most runs stop."""
    steps = np.arange(0, STEPS + 1, EVERY)
    looks = ((style.FORWARD, "-"), (style.BAD, "--"))
    for cell, label, (color, line) in zip((right, wrong), CURVE_WORDS[lang], looks, strict=False):
        low, high = (np.array(cell[k], dtype=float) for k in ("curve_min", "curve_max"))
        ax.fill_between(steps, low, high, color=color, alpha=0.13, linewidth=0)
        known = [v for v in cell["curve"] if v is not None]
        ax.plot(steps[: len(known)], known, color=color, linestyle=line, label=label)
        if len(known) < len(steps):
            ax.plot(steps[len(known) - 1], known[-1], "x", color=color, markersize=7)


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
    words = CURVE_WORDS[lang]
    for ax, bug in zip(flat, bugs, strict=False):
        name = bug.networks[0]
        right = result["right"][name]["small"]
        wrong = result["bugs"][bug.id]["cells"][name]["small"]
        _losses(ax, right, wrong, lang)
        known = [v for k in ("curve_min", "curve_max") for v in (*right[k], *wrong[k]) if v]
        ax.set_yscale("log")
        wide = max(known) > 50 * min(known)
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
