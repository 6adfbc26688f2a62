"""Several labels at once: binary cross-entropy per label against one softmax over the labels.

Each sample has any subset of five labels, each drawn from its own
hyperplane with logistic noise. A 6-16-5 network, 300 full-batch steps on 200 samples, 5 rates and
one threshold out of 19 per loss, both chosen on 500 validation samples; 12 seeds. The softmax gets
the label vector divided by its sum, as is usual; samples without a label have no loss there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import bpref.functional as F
from experiments import _loss_nets as nets
from experiments._claim import Claim

RTOL = 1e-3
SEEDS, STEPS, LABELS = 12, 300, 5
RATES = (0.05, 0.25, 1.25, 6.25, 31.25)
THRESHOLDS = np.arange(1, 20) / 20.0

WORKED = ("seeds", "steps", "rates", "thresholds", "labels_per_sample.*")
CLAIMS = (
    Claim(
        "loss-multilabel",
        "With several labels per sample, one sigmoid per label finds the exact set of labels for "
        "{{ loss_multilabel.sigmoids.exact.mean | pct1 }} of the fresh samples, one softmax with "
        "its best threshold for {{ loss_multilabel.softmax.exact.mean | pct1 }}; the sigmoids are "
        "ahead in each of {{ loss_multilabel.seeds }} runs, by "
        "{{ loss_multilabel.gap.min | pct1 }} to {{ loss_multilabel.gap.max | pct1 }}.",
        "每个样本可有多个标签时，逐标签用 sigmoid，在 "
        "{{ loss_multilabel.sigmoids.exact.mean | pct1 }} 的新样本上标签集合全对；只用一个 softmax "
        "再配上最好的阈值，则是 {{ loss_multilabel.softmax.exact.mean | pct1 }}。"
        "{{ loss_multilabel.seeds }} 次训练中次次都是 sigmoid 领先，幅度 "
        "{{ loss_multilabel.gap.min | pct1 }} 到 {{ loss_multilabel.gap.max | pct1 }}。",
        "gap.min > 0 and sigmoids.wrong.mean < softmax.wrong.mean",
        ("sigmoids.*", "softmax.*", "gap.*"),
        runs="seeds",
        spread=("gap.min", "gap.max"),
        figure="loss-multilabel",
    ),
)


def run() -> dict[str, Any]:
    rngs = nets.generators(SEEDS, 300)
    planes = np.stack([2.0 * g.normal(size=(6, LABELS)) for g in rngs])
    shift = np.stack([g.normal(size=(1, LABELS)) for g in rngs])

    def draw(n: int) -> tuple[np.ndarray, np.ndarray]:
        x = np.stack([g.normal(size=(n, 6)) for g in rngs])
        noise = np.stack([g.logistic(size=(n, LABELS)) for g in rngs])
        return x, (x @ planes + shift + 0.5 * noise > 0.0).astype(float)

    (x, y), (xv, yv), (xt, yt) = draw(200), draw(500), draw(500)
    begin = nets.start(rngs, 6, 16, LABELS)
    share = y / np.maximum(y.sum(axis=2, keepdims=True), 1.0)
    contenders = {
        "sigmoids": (nets.binary_slope(y), lambda a: F.sigmoid(a)[0]),
        "softmax": (nets.cross_entropy_slope(share), nets.softmax),
    }
    result: dict[str, Any] = {
        "seeds": SEEDS,
        "steps": STEPS,
        "rates": len(RATES),
        "thresholds": len(THRESHOLDS),
        "labels_per_sample": nets.spread(yt.sum(axis=2).mean(axis=1)),
    }
    exact, wrong = {}, {}
    for name, (slope, probability) in contenders.items():
        params = nets.fit(begin, x, slope, RATES, STEPS)
        p, pt = (probability(nets.logits(params, v)) for v in (xv, xt))
        # mean share of exact label sets on the validation data, for every rate and threshold
        score = np.array(
            [((p > t) == yv).all(axis=3).mean(axis=2).mean(axis=1) for t in THRESHOLDS]
        )
        t, k = np.unravel_index(score.argmax(), score.shape)
        hit = (pt[k] > THRESHOLDS[t]) == yt
        exact[name], wrong[name] = hit.all(axis=2).mean(axis=1), 1.0 - hit.mean(axis=(1, 2))
        result[name] = {
            "exact": nets.spread(exact[name]),
            "wrong": nets.spread(wrong[name]),
            "threshold": float(THRESHOLDS[t]),
            "rate": RATES[k],
            "inside": bool(0 < k < len(RATES) - 1),
        }
    result["gap"] = nets.spread(exact["sigmoids"] - exact["softmax"])
    return result


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    from experiments import style
    from experiments._dots import Dot, Panel, draw_dots

    exact, wrong, names = {
        "en": ("all labels of a sample right", "share of wrong labels", ("sigmoids", "softmax")),
        "zh": ("样本的标签全对的比例", "判错的标签所占比例", ("逐标签 sigmoid", "一个 softmax")),
    }[lang]
    panels = []
    for key, x in (("exact", exact), ("wrong", wrong)):
        rows = zip(names, ("sigmoids", "softmax"), style.SERIES, strict=False)
        panels.append(Panel(x, [Dot(n, result[kind][key], c) for n, kind, c in rows]))
    return {"loss-multilabel": draw_dots(panels)}
