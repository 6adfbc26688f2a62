"""Label smoothing over its strength: training and test accuracy, likelihood and confidence.

Digits (see `_digits`), 12 seeds, 300 gradients. ``tuned``: the rate is chosen for each strength out
of the same three, by the mean accuracy on validation images whose labels are as clean or as noisy
as those of training. ``long``: the largest rate, which fits the training labels to the end.
``noisy``: 30 % of the labels are replaced by random ones. Test labels are clean. ``over`` is the
mean of the largest probability minus the accuracy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments import _digits as digits
from experiments._claim import Claim
from experiments._many_nets import spread
from experiments._regularized_nets import paired

RTOL = 1e-3
SEEDS, STEPS, FLIPPED = 12, 300, 0.3
RATES = (0.01, 0.03, 0.1)
STRENGTHS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9)

WORKED = ("seeds", "steps", "rates", "flipped", "strengths*", "*.rate*")
CLAIMS = (
    Claim(
        id="regularization-smoothing-cures-confidence",
        en="A network that was fitted to noisy labels to the end has a better likelihood with "
        "label smoothing of $\\varepsilon = 0.1$ in all {{ regularization_smoothing.seeds }} "
        "runs: the negative log-likelihood of test images falls from "
        "{{ regularization_smoothing.noisy.long.nll[0].mean | .2f }} to "
        "{{ regularization_smoothing.noisy.long.nll[1].mean | .2f }}. The accuracy rises only "
        "with far more: from {{ regularization_smoothing.noisy.long.accuracy[0].mean | pct1 }} to"
        " {{ regularization_smoothing.noisy.long.accuracy[4].mean | pct1 }} at "
        "$\\varepsilon = 0.7$.",
        zh="把带噪声的标签一直拟合到底的网络，用 $\\varepsilon = 0.1$ 的标签平滑后似然变好，"
        "{{ regularization_smoothing.seeds }} 次训练次次如此：测试图像的负对数似然从 "
        "{{ regularization_smoothing.noisy.long.nll[0].mean | .2f }} 降到 "
        "{{ regularization_smoothing.noisy.long.nll[1].mean | .2f }}。准确率要用大得多的强度才上"
        "升：取 $\\varepsilon = 0.7$ 时从 "
        "{{ regularization_smoothing.noisy.long.accuracy[0].mean | pct1 }} 升到 "
        "{{ regularization_smoothing.noisy.long.accuracy[4].mean | pct1 }}。",
        criterion="noisy.long.change.nll[0].max < 0 and "
        "abs(noisy.long.change.accuracy[0].mean) < 0.02 and "
        "noisy.long.change.accuracy[3].mean - 2 * noisy.long.change.accuracy[3].se > 0",
        covers=("noisy.long.*",),
        runs="seeds",
        spread=("noisy.long.change.nll[0].min", "noisy.long.change.nll[0].max"),
        figure="regularization-smoothing",
    ),
    Claim(
        id="regularization-smoothing-hurts-the-likelihood",
        en="With the rate chosen on validation images, label smoothing makes the likelihood worse"
        " at every strength and in all {{ regularization_smoothing.seeds }} runs: at "
        "$\\varepsilon = 0.3$ the negative log-likelihood rises from "
        "{{ regularization_smoothing.clean.tuned.nll[0].mean | .2f }} to "
        "{{ regularization_smoothing.clean.tuned.nll[2].mean | .2f }} on clean labels and from "
        "{{ regularization_smoothing.noisy.tuned.nll[0].mean | .2f }} to "
        "{{ regularization_smoothing.noisy.tuned.nll[2].mean | .2f }} on noisy ones. The accuracy"
        " moves by less than two points: "
        "{{ regularization_smoothing.clean.tuned.accuracy[0].mean | pct1 }} becomes "
        "{{ regularization_smoothing.clean.tuned.accuracy[2].mean | pct1 }}, and "
        "{{ regularization_smoothing.noisy.tuned.accuracy[0].mean | pct1 }} becomes "
        "{{ regularization_smoothing.noisy.tuned.accuracy[2].mean | pct1 }}. On noisy labels the "
        "chosen rate without smoothing is more accurate than the largest rate with any.",
        zh="学习率在验证图像上选定时，标签平滑在任何强度下都使似然变差，"
        "{{ regularization_smoothing.seeds }} 次训练次次如此：取 $\\varepsilon = 0.3$ 时，负对数"
        "似然在干净标签上从 {{ regularization_smoothing.clean.tuned.nll[0].mean | .2f }} 升到 "
        "{{ regularization_smoothing.clean.tuned.nll[2].mean | .2f }}，在带噪声的标签上从 "
        "{{ regularization_smoothing.noisy.tuned.nll[0].mean | .2f }} 升到 "
        "{{ regularization_smoothing.noisy.tuned.nll[2].mean | .2f }}。准确率的变化不到两个百分点："
        "{{ regularization_smoothing.clean.tuned.accuracy[0].mean | pct1 }} 变成 "
        "{{ regularization_smoothing.clean.tuned.accuracy[2].mean | pct1 }}，"
        "{{ regularization_smoothing.noisy.tuned.accuracy[0].mean | pct1 }} 变成 "
        "{{ regularization_smoothing.noisy.tuned.accuracy[2].mean | pct1 }}。标签有噪声时，只选好"
        "学习率而不平滑，准确率就高于最大学习率配任何强度的平滑。",
        criterion="all([c.min > 0 for c in clean.tuned.change.nll]) and "
        "all([c.min > 0 for c in noisy.tuned.change.nll]) and "
        "abs(clean.tuned.change.accuracy[1].mean) < 0.02 and "
        "abs(noisy.tuned.change.accuracy[1].mean) < 0.02 and "
        "noisy.tuned.accuracy[0].mean > max([a.mean for a in noisy.long.accuracy])",
        covers=("clean.tuned.*", "noisy.tuned.*"),
        runs="seeds",
        spread=("clean.tuned.change.nll[1].min", "clean.tuned.change.nll[1].max"),
        figure="regularization-smoothing",
    ),
)


def run() -> dict[str, Any]:
    pixels, label = digits.images()
    part = digits.split(SEEDS)
    rng = np.random.default_rng(0)
    result: dict[str, Any] = {
        "seeds": SEEDS,
        "steps": STEPS,
        "rates": len(RATES),
        "flipped": FLIPPED,
        "strengths": STRENGTHS,
    }
    e = np.repeat(STRENGTHS, len(RATES))[:, None, None, None]
    rates = np.tile(RATES, len(STRENGTHS))
    for case in ("clean", "noisy"):
        given = {}
        for name in ("train", "validation"):
            truth = label[getattr(part, name)]
            flip = rng.random(truth.shape) < (FLIPPED if case == "noisy" else 0.0)
            given[name] = np.where(flip, rng.integers(0, digits.CLASSES, truth.shape), truth)
        soft = (1.0 - e) * np.eye(digits.CLASSES)[given["train"]] + e / digits.CLASSES
        x = pixels[part.train][None]
        # seed by seed: the arrays stay in the cache
        one_by_one = [
            digits.fit(lambda _, x=x, s=s: x[:, s : s + 1], soft[:, s : s + 1], rates, STEPS, s)
            for s in range(SEEDS)
        ]
        params = [np.concatenate(p, axis=1) for p in zip(*one_by_one, strict=True)]
        checked = digits.log_p(params, pixels[part.validation])
        score = by_strength(digits.accuracy(checked, given["validation"])).mean(axis=-1)
        values = measured(params, x, given["train"], pixels[part.test], label[part.test])
        picks = {"tuned": score.argmax(axis=-1), "long": np.full(len(STRENGTHS), len(RATES) - 1)}
        for how, best in picks.items():
            picked = {k: by_strength(v)[np.arange(len(STRENGTHS)), best] for k, v in values.items()}
            result.setdefault(case, {})[how] = {
                k: [spread(row) for row in v] for k, v in picked.items()
            } | {
                "change": {
                    k: [paired(row - picked[k][0]) for row in picked[k][1:]]
                    for k in ("accuracy", "nll")
                },
                "rate": [RATES[k] for k in best],
            }
    return result


def by_strength(values: np.ndarray) -> np.ndarray:
    return values.reshape(len(STRENGTHS), len(RATES), SEEDS)


def measured(
    params: list[np.ndarray], x: np.ndarray, y: np.ndarray, xt: np.ndarray, yt: np.ndarray
) -> dict[str, np.ndarray]:
    """Scores of every run on its training and test images, each (settings, seeds)."""
    seen, found = digits.log_p(params, x), digits.log_p(params, xt)
    accuracy = digits.accuracy(found, yt)
    return {
        "accuracy": accuracy,
        "nll": digits.nll(found, yt),
        "over": np.exp(found.max(axis=-1)).mean(axis=-1) - accuracy,
        "train_accuracy": digits.accuracy(seen, y),
        "train_nll": digits.nll(seen, y),
    }


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    from experiments._dots import draw_bands
    from experiments.style import MUTED, SERIES, new_figure

    t = {
        "en": {
            "strength": "label smoothing ε",
            "nll": "negative log-likelihood",
            "accuracy": "accuracy",
            "clean": "clean labels",
            "noisy": "30 % random labels",
            "tuned": "test, rate chosen",
            "long": "test, fitted to the end",
            "train": "training, fitted to the end",
        },
        "zh": {
            "strength": "标签平滑 ε",
            "nll": "负对数似然",
            "accuracy": "准确率",
            "clean": "标签干净",
            "noisy": "30 % 的标签是随机的",
            "tuned": "测试集，学习率选定",
            "long": "测试集，拟合到底",
            "train": "训练集，拟合到底",
        },
    }[lang]
    fig, axes = new_figure(7.2, 5.0, nrows=2, ncols=2, sharex=True, sharey="row")
    places = list(range(len(STRENGTHS)))
    lines = (("tuned", "", SERIES[0]), ("long", "", SERIES[1]), ("long", "train_", MUTED))
    for column, case in zip(axes.T, ("clean", "noisy"), strict=True):
        column[0].set_title(t[case])
        for ax, key in zip(column, ("accuracy", "nll"), strict=True):
            for how, prefix, color in lines:
                label = t["train" if prefix else how] if ax is axes[0, 0] else None
                rows = result[case][how][prefix + key]
                draw_bands(ax, places, rows, color=color, marker="o", markersize=3, label=label)
        column[1].set_xlabel(t["strength"])
        column[1].set_xticks(places, [f"{e:g}" for e in STRENGTHS])
    axes[0, 0].set_ylabel(t["accuracy"])
    axes[0, 0].set_yticks([0.6, 0.8, 1.0], ["60 %", "80 %", "100 %"])
    axes[1, 0].set_ylabel(t["nll"])
    fig.legend(loc="outside upper center", ncols=3)
    return {"regularization-smoothing": fig}
