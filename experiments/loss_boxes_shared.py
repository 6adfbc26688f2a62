"""One network for many boxes that it can't hit exactly: which loss ends with the highest IoU.

An 8-16-4 network sees 100 boxes (centre and log size, sizes 0.4 to 2) through noisy features; 200
steps, the rate falls linearly to 0, the first one is the best of five per loss by the mean IoU of
300 validation boxes; mean IoU of 300 fresh boxes, 12 seeds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments import _loss_nets as nets
from experiments._claim import Claim
from experiments.loss_boxes import LOSSES, Array, iou, slope

# Boxes that barely touch amplify rounding; each CPU sees the same boxes, not the same last digits.
RTOL = 1e-2
SEEDS, STEPS, BOXES = 12, 200, 100
RATES = (0.005, 0.02, 0.08, 0.32, 1.28)

WORKED = ("seeds", "steps", "rates", "boxes")
CLAIMS = (
    Claim(
        "loss-boxes-shared",
        "One network for many boxes, with the rate tuned for each loss: the mean IoU of fresh "
        "boxes "
        "is {{ loss_boxes_shared.smooth_l1.iou.mean | .2f }} with smooth L1, "
        "{{ loss_boxes_shared.giou.iou.mean | .2f }} with 1 − GIoU, "
        "{{ loss_boxes_shared.both.iou.mean | .2f }} with both and "
        "{{ loss_boxes_shared.iou.iou.mean | .2f }} with 1 − IoU: alike, over "
        "{{ loss_boxes_shared.seeds }} seeds.",
        "同一个网络预测许多框，学习率按每种损失调好：新框的平均 IoU，smooth L1 为 "
        "{{ loss_boxes_shared.smooth_l1.iou.mean | .2f }}，1 − GIoU 为 "
        "{{ loss_boxes_shared.giou.iou.mean | .2f }}，两者相加为 "
        "{{ loss_boxes_shared.both.iou.mean | .2f }}，1 − IoU 为 "
        "{{ loss_boxes_shared.iou.iou.mean | .2f }}：{{ loss_boxes_shared.seeds }} 个种子，不相上"
        "下。",
        "max(smooth_l1.iou.mean, giou.iou.mean, both.iou.mean, iou.iou.mean) - "
        "min(smooth_l1.iou.mean, giou.iou.mean, both.iou.mean, iou.iou.mean) < 0.02",
        ("*.iou.*", "*.error.*"),
        runs="seeds",
        spread=("giou.iou.min", "giou.iou.max"),
        figure="loss-boxes-shared",
    ),
)


def ends(values: Array) -> dict[str, float]:
    return {"mean": values.mean(), "min": values.min(), "max": values.max()}


def run() -> dict[str, Any]:
    rngs = nets.generators(SEEDS, 60)
    mix = np.stack([g.normal(size=(4, 8)) / 2.0 for g in rngs])

    def draw(n: int) -> tuple[Array, Array]:
        centre = np.stack([g.uniform(-1.0, 1.0, (n, 2)) for g in rngs])
        size = np.stack([g.uniform(np.log(0.4), np.log(2.0), (n, 2)) for g in rngs])
        v = np.concatenate([centre, size], axis=-1)
        return v @ mix + 0.1 * np.stack([g.normal(size=(n, 8)) for g in rngs]), v

    (x, v), (xv, vv), (xt, vt) = draw(BOXES), draw(300), draw(300)
    begin = nets.start(rngs, 8, 16, 4)
    result: dict[str, Any] = {
        "seeds": SEEDS,
        "steps": STEPS,
        "rates": len(RATES),
        "boxes": BOXES,
    }
    for kind in LOSSES:
        descent = nets.fit(
            begin, x, lambda a, kind=kind: slope(kind, a, v), RATES, STEPS, decay=True
        )
        k = nets.chosen(iou(nets.logits(descent, xv), vv).mean(axis=-1))
        a = nets.logits(descent, xt)[k]
        result[kind] = {
            "iou": ends(iou(a, vt).mean(axis=-1)),
            "error": ends(np.abs(a - vt).mean(axis=(-1, -2))),
            "rate": RATES[k],
            "inside": bool(0 < k < len(RATES) - 1),
        }
    return result


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    from experiments import style
    from experiments._dots import Dot, Panel, draw_dots

    titles = {
        "en": ("mean IoU of fresh boxes", "mean absolute error of the four numbers"),
        "zh": ("新框的平均 IoU", "四个数的平均绝对误差"),
    }[lang]
    names = ("1 − IoU", "1 − GIoU", "smooth L1", "1 − GIoU + smooth L1")
    colors = [style.SERIES[k] for k in (1, 0, 2, 3)]
    panels = []
    for key, x in zip(("iou", "error"), titles, strict=True):
        rows = zip(names, LOSSES, colors, strict=True)
        panels.append(Panel(x, [Dot(n, result[kind][key], c) for n, kind, c in rows]))
    return {"loss-boxes-shared": draw_dots(panels)}
