"""Training and test error against the strength of a regulariser.

Six methods with seven settings each, from weak to strong, on the task of `_regularized_nets`: 40
training points, 20 seeds, 800 full-batch gradients for each run (early stopping takes fewer). The
setting is chosen for every run on 40 validation points; the test error is against the function
without noise. ``more``: the validation points are trained on instead, without any method.

``mirror``: every sample also with x_1 -> -x_1 and the same label, for a target for which that is
true (even) and one for which it is false (odd); 30 points, decay 0.01, 500 gradients.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._claim import Claim
from experiments._dots import Dot, Panel, draw_bands, draw_dots
from experiments._many_nets import spread
from experiments._regularized_nets import (
    HIDDEN,
    LR,
    NOISE,
    Array,
    D,
    all_errors,
    errors,
    fit,
    make,
    paired,
    target,
    weights,
)

__all__ = ["HIDDEN", "LR", "NOISE", "D", "draw", "make", "run", "target"]

# Hundreds of steps of momentum amplify the last bit of a matrix product.
RTOL = 1e-3
SEEDS, N = 20, 40
SETTINGS: dict[str, tuple[float, ...]] = {
    "l1": (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3),
    "l2": (0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
    "dropout": (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9),
    "noise": (0.0, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0),
    "early": (800, 400, 200, 100, 50, 20, 5),
    "width": (30, 15, 8, 5, 3, 2, 1),
}

WORKED = ("seeds", "settings", "points", "noise_variance", "predict_zero.*", "*.strength*")
CLAIMS = (
    Claim(
        id="regularization-curves-chosen-helps",
        en="Each of six regularizers, with one of {{ regularization_curves.settings }} strengths "
        "chosen on 40 validation points, lowers the test error of a network that memorizes 40 "
        "noisy points in at least {{ regularization_curves.least_better }} of "
        "{{ regularization_curves.seeds }} runs, on average from "
        "{{ regularization_curves.l2.none.test.mean | .3f }} to between "
        "{{ regularization_curves.lowest | .3f }} and {{ regularization_curves.highest | .3f }}.",
        zh="一个会记住 40 个带噪声样本的网络，六种正则化方法各在 40 个验证点上从 "
        "{{ regularization_curves.settings }} 个强度中选一个，测试误差在 "
        "{{ regularization_curves.seeds }} 次训练中至少有 "
        "{{ regularization_curves.least_better }} 次下降，平均从 "
        "{{ regularization_curves.l2.none.test.mean | .3f }} 降到 "
        "{{ regularization_curves.lowest | .3f }} 至 {{ regularization_curves.highest | .3f }}。",
        criterion="least_better >= 0.75 * seeds and "
        "all([m.gain.mean + 2 * m.gain.se < 0 for m in [l1, l2, dropout, noise, early, width]])",
        covers=(
            *("*.none.*", "*.chosen.*", "*.gain.*", "*.most"),
            *("least_better", "lowest", "highest"),
        ),
        runs="seeds",
        spread=("l2.gain.min", "l2.gain.max"),
        figure="regularization-curves",
    ),
    Claim(
        id="regularization-curves-too-strong-hurts",
        en="At the largest strength L1, L2, dropout and noise are worse than at their best "
        "strength in all {{ regularization_curves.seeds }} runs, and stopping after 5 steps is "
        "worse than stopping later in all but {{ regularization_curves.early.excess.below }}. L1 "
        "and L2 then end at a test error of "
        "{{ regularization_curves.l1.strongest.test.mean | .3f }} and "
        "{{ regularization_curves.l2.strongest.test.mean | .3f }}, above that of no method "
        "({{ regularization_curves.l2.none.test.mean | .3f }}).",
        zh="强度取最大值时，L1、L2、dropout 和输入噪声在全部 {{ regularization_curves.seeds }} 次"
        "训练中都不如各自的最佳强度；第 5 步就停止，除 "
        "{{ regularization_curves.early.excess.below }} 次以外都不如晚些停止。此时 L1 和 L2 的"
        "测试误差为 {{ regularization_curves.l1.strongest.test.mean | .3f }} 和 "
        "{{ regularization_curves.l2.strongest.test.mean | .3f }}，比什么都不用"
        "（{{ regularization_curves.l2.none.test.mean | .3f }}）还高。",
        criterion="all([m.excess.min > 0 for m in [l1, l2, dropout, noise]]) and "
        "early.excess.below <= 0.1 * seeds and "
        "min(l1.strongest.test.mean, l2.strongest.test.mean) > l2.none.test.mean",
        covers=("*.strongest.*", "*.excess.*", "l2.none.test.*"),
        runs="seeds",
        spread=("l2.excess.min", "l2.excess.max"),
        figure="regularization-curves",
    ),
    Claim(
        id="regularization-curves-fewer-units",
        en="Fewer hidden units are no simple brake: eight units are worse than 30 in "
        "{{ regularization_curves.width.eight.above }} of {{ regularization_curves.seeds }} runs "
        "(test error {{ regularization_curves.width.points[2].test.mean | .3f }} against "
        "{{ regularization_curves.width.none.test.mean | .3f }}), a single unit is better in "
        "{{ regularization_curves.width.one.below }} "
        "({{ regularization_curves.width.strongest.test.mean | .3f }}).",
        zh="减少隐藏单元并不是简单的刹车：8 个单元在 {{ regularization_curves.seeds }} 次训练中有 "
        "{{ regularization_curves.width.eight.above }} 次比 30 个更差（测试误差 "
        "{{ regularization_curves.width.points[2].test.mean | .3f }}，后者为 "
        "{{ regularization_curves.width.none.test.mean | .3f }}），只用 1 个单元则有 "
        "{{ regularization_curves.width.one.below }} 次更好"
        "（{{ regularization_curves.width.strongest.test.mean | .3f }}）。",
        criterion="width.eight.mean - 2 * width.eight.se > 0 > width.one.mean + 2 * width.one.se",
        covers=(
            "width.eight.*",
            "width.one.*",
            "width.points*",
            "width.none.*",
            "width.strongest.*",
        ),
        runs="seeds",
        spread=("width.eight.min", "width.eight.max"),
        figure="regularization-curves",
    ),
    Claim(
        id="regularization-curves-gap-stays",
        en="Regularization reduces the gap between validation and training error and does not "
        "close it: with the L2 strength chosen on validation data it is "
        "{{ regularization_curves.l2.gap.chosen.mean | .2f }} on average "
        "(without L2 {{ regularization_curves.l2.gap.none.mean | .2f }}), and above zero in "
        "{{ regularization_curves.l2.gap.open }} of {{ regularization_curves.seeds }} runs.",
        zh="正则化缩小验证误差与训练误差的差距，但不会使它消失：在验证数据上选定 L2 的强度后，差距"
        "平均为 {{ regularization_curves.l2.gap.chosen.mean | .2f }}（不用 L2 时为 "
        "{{ regularization_curves.l2.gap.none.mean | .2f }}），"
        "{{ regularization_curves.seeds }} 次训练中有 "
        "{{ regularization_curves.l2.gap.open }} 次大于零。",
        criterion="0 < l2.gap.chosen.mean < 0.75 * l2.gap.none.mean and l2.gap.open > 0.8 * seeds",
        covers=("*.gap.*",),
        runs="seeds",
        spread=("l2.gap.chosen.min", "l2.gap.chosen.max"),
        figure="regularization-curves",
    ),
    Claim(
        id="regularization-curves-l2-limits-the-norm",
        en="The norm of the weights falls with each larger L2 strength, in each of "
        "{{ regularization_curves.seeds }} runs; on average from "
        "{{ regularization_curves.l2.norm[0].mean | .2f }} without L2 to "
        "{{ regularization_curves.l2.norm[3].mean | .2f }} at $\\lambda = 0.03$.",
        zh="L2 的强度每增大一档，权重的范数都随之减小，"
        "{{ regularization_curves.seeds }} 次训练次次如此；平均从不用 L2 时的 "
        "{{ regularization_curves.l2.norm[0].mean | .2f }} 降到 $\\lambda = 0.03$ 时的 "
        "{{ regularization_curves.l2.norm[3].mean | .2f }}。",
        criterion="l2.norm_falls.max < 0",
        covers=("l2.norm*", "l2.norm_falls.*"),
        runs="seeds",
        spread=("l2.norm_falls.min", "l2.norm_falls.max"),
        figure="regularization-norm",
    ),
    Claim(
        id="regularization-curves-l1-zeros",
        en="In the network the proximal step sets weights to exactly zero, at "
        "$\\lambda = 0.01$ {{ regularization_curves.l1.zeros[3].mean | pct }} of them on average "
        "(at least {{ regularization_curves.l1.zeros[3].min | pct }} in "
        "{{ regularization_curves.seeds }} runs), L2 none at any strength.",
        zh="在网络中，近端更新使权重恰好为零：$\\lambda = 0.01$ 时平均占 "
        "{{ regularization_curves.l1.zeros[3].mean | pct }}"
        "（{{ regularization_curves.seeds }} 次训练中至少 "
        "{{ regularization_curves.l1.zeros[3].min | pct }}），"
        "L2 在任何强度下都一个也没有。",
        criterion="l1.zeros[3].min > 0.5 and max([z.max for z in l2.zeros]) == 0",
        covers=("l1.zeros*", "l2.zeros*"),
        runs="seeds",
        spread=("l1.zeros[3].min", "l1.zeros[3].max"),
        figure="regularization-norm",
    ),
    Claim(
        id="regularization-curves-twice-the-points",
        en="Training on the 40 validation points as well, without any method, lowers the test "
        "error to {{ regularization_curves.more.test.mean | .3f }}. Choosing a strength of L1, L2 "
        "or dropout on them lowers it further, in at least "
        "{{ regularization_curves.more.least_beaten }} of {{ regularization_curves.seeds }} runs.",
        zh="把 40 个验证点也拿来训练，什么方法也不用，测试误差降到 "
        "{{ regularization_curves.more.test.mean | .3f }}。用它们来选 L1、L2 或 dropout 的强度，"
        "降得更多，{{ regularization_curves.seeds }} 次训练中至少有 "
        "{{ regularization_curves.more.least_beaten }} 次如此。",
        criterion="more.test.mean < l2.none.test.mean and more.least_beaten > 0.75 * seeds",
        covers=("more.*",),
        runs="seeds",
        spread=("more.test.min", "more.test.max"),
        figure="regularization-contenders",
    ),
    Claim(
        id="regularization-curves-mirror",
        en="Mirror images with the same label lower the test error in "
        "{{ regularization_curves.mirror.kept.better }} of {{ regularization_curves.seeds }} runs "
        "if the target is symmetric, and in {{ regularization_curves.mirror.broken.better }} if it "
        "is not; there the error rises from "
        "{{ regularization_curves.mirror.broken.without.mean | .3f }} to "
        "{{ regularization_curves.mirror.broken.with.mean | .3f }}.",
        zh="目标对称时，标签照抄的镜像在 {{ regularization_curves.seeds }} 次训练中有 "
        "{{ regularization_curves.mirror.kept.better }} 次降低测试误差；目标不对称时只有 "
        "{{ regularization_curves.mirror.broken.better }} 次，误差从 "
        "{{ regularization_curves.mirror.broken.without.mean | .3f }} 升到 "
        "{{ regularization_curves.mirror.broken.with.mean | .3f }}。",
        criterion="mirror.kept.better > 0.75 * seeds and mirror.broken.better < 0.1 * seeds and "
        'mirror.broken["with"].mean > 2 * mirror.broken.without.mean',
        covers=("mirror.*",),
        runs="seeds",
        spread=("mirror.broken.with.min", "mirror.broken.with.max"),
        figure="regularization-mirror",
    ),
)


def even(x: Array) -> Array:
    return np.abs(x[..., :1]) + 0.5 * x[..., 1:2]


def odd(x: Array) -> Array:
    return x[..., :1] + 0.5 * x[..., 1:2]


def sweep(found: dict[str, Array], settings: tuple[float, ...]) -> tuple[dict[str, Any], Array]:
    """Summarize errors (settings, seeds); the first setting is the weakest."""
    best = found["validation"].argmin(axis=0)
    run = np.arange(SEEDS)
    picked = {k: v[best, run] for k, v in found.items()}
    gap = {"none": 0, "chosen": (best, run)}
    counts = np.bincount(best, minlength=len(settings))
    return {
        "strength": list(settings),
        "points": [{k: spread(v[i]) for k, v in found.items()} for i in range(len(settings))],
        "none": {k: spread(v[0]) for k, v in found.items()},
        "strongest": {k: spread(v[-1]) for k, v in found.items()},
        "chosen": {k: spread(v) for k, v in picked.items()},
        "most": settings[int(counts.argmax())],
        "gain": paired(picked["test"] - found["test"][0]),
        "excess": paired(found["test"][-1] - found["test"][:-1].min(axis=0)),
        "gap": {k: spread((found["validation"] - found["train"])[i]) for k, i in gap.items()}
        | {"open": int((picked["validation"] > picked["train"]).sum())},
    }, picked["test"]


def mirror() -> dict[str, Any]:
    """Add the mirror image x_1 -> -x_1 with the same label."""
    out: dict[str, Any] = {}
    for name, f in (("kept", even), ("broken", odd)):
        data = make(30, SEEDS, f)
        flipped = data["x"].copy()
        flipped[..., 0] *= -1.0
        twice = data | {
            "x": np.concatenate([data["x"], flipped], axis=1),
            "y": np.concatenate([data["y"], data["y"]], axis=1),
        }
        # same decay in both, so that the comparison is not plain overfitting
        test = {
            k: errors(fit(d, "l2", (0.01,), steps=500).params, data["xt"], data["yt"])[0]
            for k, d in (("without", data), ("with", twice))
        }
        better = test["with"] < test["without"]
        out[name] = {k: spread(v) for k, v in test.items()} | {"better": int(better.sum())}
    return out


def run() -> dict[str, Any]:
    data = make(N, SEEDS)
    found: dict[str, dict[str, Array]] = {}
    extra: dict[str, dict[str, Any]] = {}
    for name in ("l1", "l2", "dropout", "noise"):
        params = fit(data, name, SETTINGS[name]).params
        found[name] = all_errors(params, data)
        if name in ("l1", "l2"):
            zero = (weights(params) == 0.0).mean(axis=-1)
            extra[name] = {"zeros": [spread(z) for z in zero]}
        if name == "l2":
            norm = np.linalg.norm(weights(params), axis=-1)
            extra[name] |= {
                "norm": [spread(v) for v in norm],
                "norm_falls": spread(np.diff(norm, axis=0).max(axis=0)),
            }
    curves = fit(data, every=5).curves
    found["early"] = {
        k: np.stack([v[int(s) // 5, 0] for s in SETTINGS["early"]]) for k, v in curves.items()
    }
    nets = [all_errors(fit(data, hidden=int(h)).params, data) for h in SETTINGS["width"]]
    found["width"] = {k: np.concatenate([e[k] for e in nets]) for k in nets[0]}

    result: dict[str, Any] = {"seeds": SEEDS, "points": N, "noise_variance": NOISE**2}
    result["settings"] = len(SETTINGS["l2"])
    picked = {}
    for name, errors_of in found.items():
        result[name], picked[name] = sweep(errors_of, SETTINGS[name])
        result[name] |= extra.get(name, {})
    for name, i in (("eight", 2), ("one", 6)):
        difference = found["width"]["test"][i] - found["width"]["test"][0]
        result["width"][name] = paired(difference)
    result["least_better"] = min(result[name]["gain"]["below"] for name in SETTINGS)
    means = [result[name]["chosen"]["test"]["mean"] for name in SETTINGS]
    result["lowest"], result["highest"] = min(means), max(means)

    both = data | {a: np.concatenate([data[a], data[b]], 1) for a, b in (("x", "xv"), ("y", "yv"))}
    more = errors(fit(both).params, data["xt"], data["yt"])[0]
    beaten = [int((picked[name] < more).sum()) for name in ("l1", "l2", "dropout")]
    result["more"] = {"test": spread(more), "least_beaten": min(beaten)}
    result["predict_zero"] = spread((data["yt"] ** 2).mean(axis=(1, 2)))
    result["mirror"] = mirror()
    return result


WORDS = {
    "en": {
        "l1": "L1 strength λ",
        "l2": "L2 strength λ",
        "dropout": "dropout probability p",
        "noise": "noise on the inputs",
        "early": "stop at step",
        "width": "hidden units",
        "train": "training",
        "test": "test",
        "y": "mean squared error",
        "norm": "norm of the weights",
        "zeros": "weights exactly zero",
        "strength": "strength λ",
        "names": {
            "none": "no method",
            "noise": "noise on the inputs",
            "more": "80 points, no method",
            "width": "fewer hidden units",
            "early": "early stopping",
            "l2": "L2",
            "dropout": "dropout",
            "l1": "L1",
        },
        "error": "test error",
        "kept": "label kept: test error",
        "broken": "label broken: test error",
        "without": "as they are",
        "with": "with mirror images",
    },
    "zh": {
        "l1": "L1 强度 λ",
        "l2": "L2 强度 λ",
        "dropout": "dropout 概率 p",
        "noise": "输入噪声",
        "early": "停止的步数",
        "width": "隐藏单元数",
        "train": "训练集",
        "test": "测试集",
        "y": "均方误差",
        "norm": "权重的范数",
        "zeros": "恰好为零的权重",
        "strength": "强度 λ",
        "names": {
            "none": "什么都不用",
            "noise": "输入噪声",
            "more": "80 个点，不用方法",
            "width": "减少隐藏单元",
            "early": "早停",
            "l2": "L2",
            "dropout": "dropout",
            "l1": "L1",
        },
        "error": "测试误差",
        "kept": "标签保持：测试误差",
        "broken": "标签被破坏：测试误差",
        "without": "原样",
        "with": "加镜像",
    },
}


def draw_curves(result: dict[str, Any], t: dict[str, Any]) -> Any:
    from experiments.style import MUTED, SERIES, new_figure

    fig, axes = new_figure(7.2, 5.2, nrows=2, ncols=3, sharey=True)
    for ax, name in zip(axes.flat, SETTINGS, strict=True):
        data = result[name]
        places = list(range(len(data["strength"])))
        for kind, color in (("train", SERIES[0]), ("test", SERIES[1])):
            rows = [p[kind] for p in data["points"]]
            draw_bands(ax, places, rows, color=color, marker="o", markersize=3, label=t[kind])
        ax.axhline(result["noise_variance"], color=MUTED, linewidth=1, linestyle=":")
        ax.set_xticks(places, [f"{v:g}" for v in data["strength"]], fontsize=7)
        ax.set_xlabel(t[name])
        ax.set_ylim(-0.03, 1.5)
    for ax in axes[:, 0]:
        ax.set_ylabel(t["y"])
    axes[0, 0].legend(loc="upper left")
    return fig


def draw_norm(result: dict[str, Any], t: dict[str, Any]) -> Any:
    from experiments.style import SERIES, new_figure

    fig, (left, right) = new_figure(7.2, 2.9, ncols=2)
    places = list(range(len(SETTINGS["l2"])))
    draw_bands(left, places, result["l2"]["norm"], color=SERIES[1], marker="o", markersize=3)
    for name, color in (("l1", SERIES[0]), ("l2", SERIES[1])):
        draw_bands(
            right, places, result[name]["zeros"], color=color, marker="o", markersize=3,
            label=name.upper(),
        )  # fmt: skip
    left.set_title(t["norm"])
    left.set_xlabel(t["l2"])
    left.set_ylim(bottom=0)
    left.set_xticks(places, [f"{v:g}" for v in SETTINGS["l2"]])
    right.set_title(t["zeros"])
    right.set_xlabel(t["strength"])
    pairs = zip(SETTINGS["l1"], SETTINGS["l2"], strict=True)
    right.set_xticks(places, [f"{a:g}\n{b:g}" for a, b in pairs])
    right.set_yticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
    right.legend(loc="center right")
    return fig


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    from experiments.style import SERIES

    t = WORDS[lang]
    tests = {name: result[name]["chosen"]["test"] for name in SETTINGS}
    tests |= {"none": result["l2"]["none"]["test"], "more": result["more"]["test"]}
    contenders = [Dot(t["names"][k], tests[k]) for k in t["names"]]
    mirrors = [
        Panel(
            t[case],
            [Dot(t[how], result["mirror"][case][how], SERIES[case == "broken"])
             for how in ("without", "with")],
        )
        for case in ("kept", "broken")
    ]  # fmt: skip
    return {
        "regularization-curves": draw_curves(result, t),
        "regularization-norm": draw_norm(result, t),
        "regularization-contenders": draw_dots([Panel(t["error"], contenders)], height=0.3),
        "regularization-mirror": draw_dots(mirrors),
    }
