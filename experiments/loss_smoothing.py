"""Label smoothing: what it does to accuracy, to the likelihood and to the confidence.

A 6-16-5 classifier, 100 training samples, 400 full-batch steps, 12 seeds, 1000 fresh samples. Two
ways to choose the rate, the same for each strength: ``tuned``, the best of five by the likelihood
of 1000 validation samples, and ``long``, the rate 3.2, which fits the training data to the end.
The training labels are clean, or 30 % of them are replaced by random ones. Confidence: the mean of
the largest probability. Overconfidence: confidence minus accuracy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments import _loss_nets as nets
from experiments._claim import Claim

RTOL = 1e-3
SEEDS, STEPS, CLASSES = 12, 400, 5
RATES = (0.0125, 0.05, 0.2, 0.8, 3.2)
STRENGTHS = (0.0, 0.1, 0.3)

WORKED = ("seeds", "steps", "rates", "flipped", "optimum.*")
CLAIMS = (
    Claim(
        "loss-smoothing-overfitted",
        "A classifier that was fitted to the end is less overconfident with label smoothing: on "
        "noisy labels the negative log-likelihood of fresh samples falls in each of "
        "{{ loss_smoothing.seeds }} runs, on average from "
        "{{ loss_smoothing.noisy.long.e0.nll.mean | .2f }} to "
        "{{ loss_smoothing.noisy.long.e30.nll.mean | .2f }} at $\\varepsilon = 0.3$. The accuracy "
        "does not rise: {{ loss_smoothing.noisy.long.e0.accuracy.mean | pct1 }} and "
        "{{ loss_smoothing.noisy.long.e30.accuracy.mean | pct1 }}.",
        "一直拟合到底的分类器，用了标签平滑就不那么过度自信：标签有噪声时，新样本的负对数似然在 "
        "{{ loss_smoothing.seeds }} 次训练中次次下降，平均从 "
        "{{ loss_smoothing.noisy.long.e0.nll.mean | .2f }} 降到 "
        "{{ loss_smoothing.noisy.long.e30.nll.mean | .2f }}（$\\varepsilon = 0.3$）。准确率没有提"
        "高："
        "{{ loss_smoothing.noisy.long.e0.accuracy.mean | pct1 }} 与 "
        "{{ loss_smoothing.noisy.long.e30.accuracy.mean | pct1 }}。",
        "noisy.long.e30.gain.nll.max < 0 and noisy.long.e30.gain.accuracy.mean < 0.01 and "
        "noisy.long.e30.gain.over.max < 0 and clean.long.e30.gain.nll.mean < 0",
        ("noisy.long.*", "clean.long.*"),
        runs="seeds",
        spread=("noisy.long.e30.gain.nll.min", "noisy.long.e30.gain.nll.max"),
        figure="loss-smoothing",
    ),
    Claim(
        "loss-smoothing-tuned",
        "With the rate chosen on validation data, label smoothing with $\\varepsilon = 0.3$ "
        "makes the likelihood of "
        "fresh samples worse in each run, on clean labels "
        "({{ loss_smoothing.clean.tuned.e0.nll.mean | .2f }} becomes "
        "{{ loss_smoothing.clean.tuned.e30.nll.mean | .2f }}) and on noisy ones "
        "({{ loss_smoothing.noisy.tuned.e0.nll.mean | .2f }} becomes "
        "{{ loss_smoothing.noisy.tuned.e30.nll.mean | .2f }}), and the predictions become "
        "underconfident.",
        "学习率在验证数据上选定时，$\\varepsilon = 0.3$ 的标签平滑让新样本的似然次次变差：标签干"
        "净时 "
        "{{ loss_smoothing.clean.tuned.e0.nll.mean | .2f }} 变成 "
        "{{ loss_smoothing.clean.tuned.e30.nll.mean | .2f }}，有噪声时 "
        "{{ loss_smoothing.noisy.tuned.e0.nll.mean | .2f }} 变成 "
        "{{ loss_smoothing.noisy.tuned.e30.nll.mean | .2f }}，预测也变得信心不足。",
        "clean.tuned.e30.gain.nll.min > 0 and noisy.tuned.e30.gain.nll.min > 0 and "
        "clean.tuned.e30.over.max < 0 and abs(clean.tuned.e10.gain.accuracy.mean) < 0.02",
        ("clean.tuned.*", "noisy.tuned.*"),
        runs="seeds",
        spread=("clean.tuned.e30.gain.nll.min", "clean.tuned.e30.gain.nll.max"),
        figure="loss-smoothing",
    ),
)


def run() -> dict[str, Any]:
    rngs = nets.generators(SEEDS, 700)
    draw = nets.clouds(rngs, CLASSES, 6, apart=1.2)
    (x, clean), (xv, yv), (xt, yt) = draw(100), draw(1000), draw(1000)
    begin = nets.start(rngs, 6, 16, CLASSES)
    noisy = nets.mislabelled(rngs, clean, CLASSES, 0.3)
    result: dict[str, Any] = {"seeds": SEEDS, "steps": STEPS, "rates": len(RATES), "flipped": 0.3}
    scores: dict[Any, dict[str, np.ndarray]] = {}
    # the smallest loss and the logit gap at which it is reached, for 5 classes
    result["optimum"] = {}
    for e in STRENGTHS[1:]:
        right, wrong = 1.0 - e + e / CLASSES, e / CLASSES
        result["optimum"][f"e{round(100 * e)}"] = {
            "gap": float(np.log(right / wrong)),
            "loss": float(-right * np.log(right) - (CLASSES - 1) * wrong * np.log(wrong)),
        }
    for case, target in (("clean", clean), ("noisy", noisy)):
        for e in STRENGTHS:
            slope = nets.cross_entropy_slope(target, label_smoothing=e)
            params = nets.fit(begin, x, slope, RATES, STEPS)
            a = nets.logits(params, xt)
            best = nets.chosen(-nets.nll(nets.logits(params, xv), yv))
            for how, k in (("tuned", best), ("long", len(RATES) - 1)):
                accuracy = nets.accuracy(a[k], yt)
                scores[case, how, e] = {
                    "accuracy": accuracy,
                    "nll": nets.nll(a[k], yt),
                    "over": nets.softmax(a[k]).max(axis=-1).mean(axis=-1) - accuracy,
                }
                entry = {name: nets.spread(v) for name, v in scores[case, how, e].items()}
                if e:
                    entry["gain"] = {
                        name: nets.spread(v - scores[case, how, 0.0][name])
                        for name, v in scores[case, how, e].items()
                    }
                place = result.setdefault(case, {}).setdefault(how, {})
                place[f"e{round(100 * e)}"] = entry | {"rate": RATES[k]}
    return result


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    from experiments import style
    from experiments._dots import draw_bands

    t = {
        "en": {
            "strength": "label smoothing ε",
            "nll": "negative log-likelihood",
            "accuracy": "accuracy",
            "over": "overconfidence",
            "tuned": "rate chosen on validation data",
            "long": "fitted to the end",
        },
        "zh": {
            "strength": "标签平滑 ε",
            "nll": "负对数似然",
            "accuracy": "准确率",
            "over": "过度自信",
            "tuned": "学习率在验证数据上选定",
            "long": "一直拟合到底",
        },
    }[lang]
    fig, axes = style.new_figure(7.2, 2.9, ncols=3)
    for ax, key in zip(axes, ("nll", "accuracy", "over"), strict=True):
        for how, color in (("tuned", style.SERIES[0]), ("long", style.SERIES[1])):
            rows = [result["noisy"][how][f"e{round(100 * e)}"][key] for e in STRENGTHS]
            label = t[how] if key == "nll" else None
            draw_bands(ax, STRENGTHS, rows, color=color, marker="o", label=label)
        ax.set_title(t[key])
        ax.set_xticks(STRENGTHS)
    axes[2].axhline(0.0, color=style.MUTED, linewidth=1, linestyle=":")
    axes[1].set_xlabel(t["strength"])
    fig.legend(loc="outside upper center", ncols=2)
    return {"loss-smoothing": fig}
