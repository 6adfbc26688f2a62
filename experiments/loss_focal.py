"""The focal loss and calibration: it lowers the confidence, which helps where there is too much.

The 6-16-5 classifier and the clean data of ``loss_smoothing``: 100 samples, 400 steps, 12 seeds,
cross-entropy against the focal loss with gamma 2. The rate is chosen for each on 1000 validation
samples by their negative log-likelihood, out of 5, or it is the largest, which fits the training
data to the end. ``over``: mean of the largest probability minus accuracy, on 1000 fresh samples.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments import _loss_nets as nets
from experiments._claim import Claim

RTOL = 1e-3
SEEDS, STEPS, CLASSES, GAMMA = 12, 400, 5, 2.0
RATES = (0.0125, 0.05, 0.2, 0.8, 3.2)

WORKED = ("seeds", "steps", "rates", "gamma")
CLAIMS = (
    Claim(
        "loss-focal-calibration",
        "Fitted to the end, the focal loss has a lower negative log-likelihood of fresh samples "
        "than cross-entropy in each of {{ loss_focal.seeds }} runs "
        "({{ loss_focal.long.focal.nll.mean | .2f }} against "
        "{{ loss_focal.long.ce.nll.mean | .2f }}) and is less overconfident "
        "({{ loss_focal.long.focal.over.mean | .3f }} against "
        "{{ loss_focal.long.ce.over.mean | .3f }}); with the rate chosen on validation data it "
        "has a higher one on average ({{ loss_focal.tuned.focal.nll.mean | .2f }} against "
        "{{ loss_focal.tuned.ce.nll.mean | .2f }}).",
        "一直拟合到底时，{{ loss_focal.seeds }} 次训练中 focal loss 在新样本上的负对数似然次次低"
        "于交叉熵（{{ loss_focal.long.focal.nll.mean | .2f }} 对 "
        "{{ loss_focal.long.ce.nll.mean | .2f }}），过度自信也较轻"
        "（{{ loss_focal.long.focal.over.mean | .3f }} 对 "
        "{{ loss_focal.long.ce.over.mean | .3f }}）；学习率在验证数据上选定时，它的平均值反而更高"
        "（{{ loss_focal.tuned.focal.nll.mean | .2f }} 对 "
        "{{ loss_focal.tuned.ce.nll.mean | .2f }}）。",
        "long.gain.nll.max < 0 and long.gain.over.max < 0 and tuned.gain.nll.mean > 0",
        ("long.*", "tuned.*"),
        runs="seeds",
        spread=("long.gain.nll.min", "long.gain.nll.max"),
        figure="loss-focal",
    ),
)


def focal_slope(target: np.ndarray) -> Any:
    """The gradient of -(1 - q)^gamma log q, q the probability of the label, at the logits."""

    def slope(a: np.ndarray) -> np.ndarray:
        onehot = np.eye(a.shape[-1])[target]
        p = nets.softmax(a)
        q = np.maximum((p * onehot).sum(axis=-1, keepdims=True), 1e-300)
        factor = (1.0 - q) ** GAMMA - GAMMA * q * (1.0 - q) ** (GAMMA - 1.0) * np.log(q)
        out: np.ndarray = factor * (p - onehot)
        return out

    return slope


def run() -> dict[str, Any]:
    rngs = nets.generators(SEEDS, 700)
    draw = nets.clouds(rngs, CLASSES, 6, apart=1.2)
    (x, y), (xv, yv), (xt, yt) = draw(100), draw(1000), draw(1000)
    begin = nets.start(rngs, 6, 16, CLASSES)
    result: dict[str, Any] = {"seeds": SEEDS, "steps": STEPS, "rates": len(RATES), "gamma": GAMMA}
    scores: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    for kind, slope in (("ce", nets.cross_entropy_slope(y)), ("focal", focal_slope(y))):
        params = nets.fit(begin, x, slope, RATES, STEPS)
        a = nets.logits(params, xt)
        best = nets.chosen(-nets.nll(nets.logits(params, xv), yv))
        for how, k in (("long", len(RATES) - 1), ("tuned", best)):
            accuracy = nets.accuracy(a[k], yt)
            found = {
                "nll": nets.nll(a[k], yt),
                "accuracy": accuracy,
                "over": nets.softmax(a[k]).max(axis=-1).mean(axis=-1) - accuracy,
            }
            scores[how, kind] = found
            entry = {name: nets.spread(v) for name, v in found.items()} | {"rate": RATES[k]}
            result.setdefault(how, {})[kind] = entry
    for how in ("long", "tuned"):
        result[how]["gain"] = {
            name: nets.spread(v - scores[how, "ce"][name])
            for name, v in scores[how, "focal"].items()
        }
    return result


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    from experiments import style
    from experiments._dots import Dot, Panel, draw_dots

    t = {
        "en": {
            "ce": "cross-entropy, {}",
            "focal": "focal loss, {}",
            "long": "to the end",
            "tuned": "rate chosen",
            "nll": "negative log-likelihood",
            "over": "overconfidence",
        },
        "zh": {
            "ce": "交叉熵，{}",
            "focal": "focal loss，{}",
            "long": "拟合到底",
            "tuned": "学习率调好",
            "nll": "负对数似然",
            "over": "过度自信",
        },
    }[lang]
    panels = [
        Panel(
            t[key],
            [
                Dot(t[kind].format(t[how]), result[how][kind][key], color)
                for how in ("long", "tuned")
                for kind, color in zip(("ce", "focal"), style.SERIES, strict=False)
            ],
            line,
        )
        for key, line in (("nll", None), ("over", 0.0))
    ]
    return {"loss-focal": draw_dots(panels)}
