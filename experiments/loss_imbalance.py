"""Class weights, focal loss and a moved threshold when one sample in fifty is positive.

A 2-8-1 network on two overlapping clouds, 1000 samples of which 20 are positive, 300 full-batch
steps, 5 rates per loss (chosen by the area under the ROC curve on 2000 validation samples), 12
seeds. Contenders: binary cross-entropy; the same with pos_weight 49; focal loss with gamma 2.
Each is judged on 4000 fresh samples twice: at the threshold 0.5, and at the one with the highest
balanced accuracy on the validation data.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import rankdata

import bpref.functional as F
from experiments import _loss_nets as nets
from experiments._claim import Claim

RTOL = 1e-3
SEEDS, STEPS, SHARE, GAMMA = 12, 300, 0.02, 2.0
RATES = (0.1, 0.5, 2.5, 12.5, 62.5)
WEIGHT = (1.0 - SHARE) / SHARE

WORKED = ("seeds", "steps", "rates", "share", "weight", "gamma")
CLAIMS = (
    Claim(
        "loss-class-weights",
        "With one positive in fifty, class weights raise the balanced accuracy at the threshold "
        "$0.5$ in each of {{ loss_imbalance.seeds }} runs, on average from "
        "{{ loss_imbalance.plain.half.mean | .3f }} to "
        "{{ loss_imbalance.weighted.half.mean | .3f }}. Moving the threshold of the plain loss on "
        "validation data gives as much, {{ loss_imbalance.plain.moved.mean | .3f }}, and ranks no "
        "worse (area {{ loss_imbalance.plain.area.mean | .3f }} against "
        "{{ loss_imbalance.weighted.area.mean | .3f }}).",
        "五十个样本中只有一个正例时，类别权重在 {{ loss_imbalance.seeds }} 次训练中次次提高阈值 "
        "$0.5$ "
        "处的平衡准确率，平均从 {{ loss_imbalance.plain.half.mean | .3f }} 升到 "
        "{{ loss_imbalance.weighted.half.mean | .3f }}。不加权，只在验证数据上移动阈值，效果相当（"
        "{{ loss_imbalance.plain.moved.mean | .3f }}），排序也不更差（曲线下面积 "
        "{{ loss_imbalance.plain.area.mean | .3f }} 对 "
        "{{ loss_imbalance.weighted.area.mean | .3f }}）。",
        "weighted.gain.half.min > 0.05 and plain.moved.mean > weighted.half.mean - 0.02 and "
        "weighted.gain.moved.mean < 0.01 and weighted.gain.area.mean < 0.005",
        (
            "plain.half.*",
            "plain.moved.*",
            "plain.area.*",
            "plain.found.*",
            "weighted.half.*",
            "weighted.moved.*",
            "weighted.area.*",
            "weighted.found.*",
            "weighted.gain.*",
        ),
        runs="seeds",
        spread=("weighted.gain.half.min", "weighted.gain.half.max"),
        figure="loss-imbalance",
    ),
    Claim(
        "loss-weights-move-probabilities",
        "The share of positives is {{ loss_imbalance.share }}; the plain loss predicts it on "
        "average ({{ loss_imbalance.plain.mean_p.mean | .3f }}), class weights predict "
        "{{ loss_imbalance.weighted.mean_p.mean | .3f }} and the focal loss "
        "{{ loss_imbalance.focal.mean_p.mean | .3f }}: neither output is a probability any more.",
        "正例的比例是 {{ loss_imbalance.share }}。不加权的损失平均预测出的正是它（"
        "{{ loss_imbalance.plain.mean_p.mean | .3f }}），类别权重得到 "
        "{{ loss_imbalance.weighted.mean_p.mean | .3f }}，focal loss 得到 "
        "{{ loss_imbalance.focal.mean_p.mean | .3f }}：后两者的输出都不再是概率。",
        "abs(plain.mean_p.mean - share) < 0.005 and weighted.mean_p.min > 3 * share and "
        "focal.mean_p.min > 3 * share",
        ("*.mean_p.*",),
        runs="seeds",
        spread=("weighted.mean_p.min", "weighted.mean_p.max"),
        figure="loss-imbalance",
    ),
    Claim(
        "loss-focal",
        "The focal loss with $\\gamma = 2$ changes neither the ranking (area "
        "{{ loss_imbalance.focal.area.mean | .3f }} against "
        "{{ loss_imbalance.plain.area.mean | .3f }}) nor the share of positives found at $0.5$ "
        "({{ loss_imbalance.focal.found.mean | pct }} against "
        "{{ loss_imbalance.plain.found.mean | pct }}) by much here.",
        "$\\gamma = 2$ 的 focal loss 在这里既没有怎么改变排序（曲线下面积 "
        "{{ loss_imbalance.focal.area.mean | .3f }} 对 "
        "{{ loss_imbalance.plain.area.mean | .3f }}），也没有怎么改变阈值 $0.5$ 处找到的正例的比"
        "例（"
        "{{ loss_imbalance.focal.found.mean | pct }} 对 "
        "{{ loss_imbalance.plain.found.mean | pct }}）。",
        "abs(focal.gain.area.mean) < 0.01 and abs(focal.gain.half.mean) < 0.02 and "
        "abs(focal.gain.moved.mean) < 0.02",
        (
            "focal.area.*",
            "focal.found.*",
            "focal.half.*",
            "focal.moved.*",
            "focal.gain.*",
            "plain.found.*",
            "plain.area.*",
        ),
        runs="seeds",
        spread=("focal.gain.area.min", "focal.gain.area.max"),
        figure="loss-imbalance",
    ),
)


def focal_slope(y: np.ndarray, gamma: float) -> Any:
    """The gradient of −(1 − q)^gamma log q at the logit; q is the probability of the label."""

    def slope(a: np.ndarray) -> np.ndarray:
        sign = 2.0 * y - 1.0
        q = F.sigmoid(sign * a)[0]
        log_q = -F.softplus(-sign * a)[0]
        return sign * (1.0 - q) ** gamma * (gamma * q * log_q + q - 1.0)

    return slope


def area(a: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of scores (..., S, N) for labels (S, N)."""
    ranks = rankdata(a, axis=-1)
    positive = y.sum(axis=-1)
    negative = y.shape[-1] - positive
    return ((ranks * y).sum(axis=-1) - positive * (positive + 1) / 2) / (positive * negative)


def rates_of(p: np.ndarray, y: np.ndarray, threshold: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the positives and of the negatives that are found, for each seed."""
    said = p > threshold[:, None]
    return (said * y).sum(1) / y.sum(1), (~said * (1 - y)).sum(1) / (1 - y).sum(1)


def best_threshold(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The predicted probability at which the balanced accuracy is highest, for each seed."""
    order = np.argsort(-p, axis=1)
    hit = np.take_along_axis(y, order, axis=1)
    balanced = (
        np.cumsum(hit, 1) / y.sum(1)[:, None] - np.cumsum(1 - hit, 1) / (1 - y).sum(1)[:, None]
    )
    place = np.minimum(balanced.argmax(axis=1) + 1, p.shape[1] - 1)
    return np.take_along_axis(np.take_along_axis(p, order, axis=1), place[:, None], axis=1)[:, 0]


def run() -> dict[str, Any]:
    rngs = nets.generators(SEEDS, 500)

    def draw(n: int) -> tuple[np.ndarray, np.ndarray]:
        y = np.zeros((SEEDS, n))
        y[:, : round(SHARE * n)] = 1.0
        x = np.stack([g.normal(size=(n, 2)) for g in rngs])
        # half of the positives lie to the right, half to the upper left
        side = np.stack([g.random(n) < 0.5 for g in rngs])
        shift = np.where(side[..., None], [2.5, 0.0], [-1.5, 2.0])
        return x + y[..., None] * shift, y

    (x, y), (xv, yv), (xt, yt) = draw(1000), draw(2000), draw(4000)
    begin = nets.start(rngs, 2, 8, 1)
    target = y[..., None]
    contenders = {
        "plain": nets.binary_slope(target),
        "weighted": nets.binary_slope(target, pos_weight=np.array([WEIGHT])),
        "focal": focal_slope(target, GAMMA),
    }
    result: dict[str, Any] = {
        "seeds": SEEDS,
        "steps": STEPS,
        "rates": len(RATES),
        "share": SHARE,
        "weight": WEIGHT,
        "gamma": GAMMA,
    }
    half, moved, ranking = {}, {}, {}
    for name, slope in contenders.items():
        # the weights scale the gradient: the rates of the weighted loss are divided by their mean
        scale = 1.0 / (2.0 * (1.0 - SHARE)) if name == "weighted" else 1.0
        rates = [scale * rate for rate in RATES]
        params = nets.fit(begin, x, slope, rates, STEPS)
        av, at = (nets.logits(params, v)[..., 0] for v in (xv, xt))
        k = nets.chosen(area(av, yv))
        pv, pt = F.sigmoid(av[k])[0], F.sigmoid(at[k])[0]
        at_half = rates_of(pt, yt, np.full(SEEDS, 0.5))
        threshold = best_threshold(pv, yv)
        at_best = rates_of(pt, yt, threshold)
        half[name], moved[name] = sum(at_half) / 2, sum(at_best) / 2
        ranking[name] = area(at[k], yt)
        result[name] = {
            "found": nets.spread(at_half[0]),
            "half": nets.spread(half[name]),
            "moved": nets.spread(moved[name]),
            "area": nets.spread(ranking[name]),
            "mean_p": nets.spread(pt.mean(axis=1)),
            "threshold": nets.spread(threshold),
            "rate": rates[k],
            "inside": bool(0 < k < len(rates) - 1),
        }
    for name in ("weighted", "focal"):
        result[name]["gain"] = {
            "half": nets.spread(half[name] - half["plain"]),
            "moved": nets.spread(moved[name] - moved["plain"]),
            "area": nets.spread(ranking[name] - ranking["plain"]),
        }
    return result


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    from experiments import style
    from experiments._dots import Dot, Panel, draw_dots

    t = {
        "en": {
            "plain": "cross-entropy",
            "weighted": "class weights",
            "focal": "focal loss",
            "half": "balanced accuracy\nat 0.5",
            "moved": "balanced accuracy,\nthreshold moved",
            "mean_p": "mean prediction",
        },
        "zh": {
            "plain": "交叉熵",
            "weighted": "类别权重",
            "focal": "focal loss",
            "half": "阈值 0.5 处的\n平衡准确率",
            "moved": "移动阈值后的\n平衡准确率",
            "mean_p": "预测的平均值",
        },
    }[lang]
    panels = []
    for key, line in (("half", None), ("moved", None), ("mean_p", SHARE)):
        dots = [
            Dot(t[kind], result[kind][key], color)
            for kind, color in zip(("plain", "weighted", "focal"), style.SERIES, strict=False)
        ]
        panels.append(Panel(t[key], dots, line))
    return {"loss-imbalance": draw_dots(panels, height=0.45)}
