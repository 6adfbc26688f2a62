"""Boxes: descent on 1 − IoU, 1 − GIoU, smooth L1 and the last two together.

A prediction is four numbers, the centre and the logarithms of width and height, as detectors have
them. 12 seeds of 30 pairs; the predicted box starts beside the true one (gap 0.2 to 2), or
overlaps it. 500 steps, the rate falls linearly to 0, the first one is the best of five per loss by
the mean IoU at the end.
* ``example``: the box [2, 0, 3, 1] and the truth [0, 0, 1, 1].
"""

from __future__ import annotations

from typing import Any

import numpy as np

import bpref.functional as F
from experiments._claim import Claim
from experiments._many_nets import spread

# Where edges of two boxes cross, the gradient jumps and the descent amplifies rounding: a change of
# 1e-14 at the start moves a point of a curve by up to 6 %. The claims hold either way.
RTOL = 0.1
SEEDS, PAIRS, STEPS, EVERY = 12, 30, 500, 10
RATES = (0.005, 0.02, 0.08, 0.32, 1.28)
LOSSES = ("iou", "giou", "smooth_l1", "both")
Array = np.ndarray

WORKED = ("seeds", "pairs", "steps", "rates", "example.*")
CLAIMS = (
    Claim(
        "loss-iou-stuck",
        "Of {{ loss_boxes.pairs }} predicted boxes beside their targets, in each of "
        "{{ loss_boxes.seeds }} draws, descent on 1 − IoU leaves "
        "{{ loss_boxes.disjoint.iou.stuck.min | pct }} where they are; with 1 − GIoU all arrive "
        "(mean IoU {{ loss_boxes.disjoint.giou.iou.mean | .3f }}, lowest draw "
        "{{ loss_boxes.disjoint.giou.iou.min | .3f }}), and with smooth L1 as well "
        "({{ loss_boxes.disjoint.smooth_l1.iou.min | .3f }}).",
        "每次取 {{ loss_boxes.pairs }} 个预测框，都在目标旁边，共 {{ loss_boxes.seeds }} 次：对 "
        "1 − IoU "
        "做梯度下降，{{ loss_boxes.disjoint.iou.stuck.min | pct }} 的框原地不动；用 1 − GIoU 全部"
        "到达"
        "（平均 IoU 为 {{ loss_boxes.disjoint.giou.iou.mean | .3f }}，最低的一次为 "
        "{{ loss_boxes.disjoint.giou.iou.min | .3f }}），用 smooth L1 也全部到达（"
        "{{ loss_boxes.disjoint.smooth_l1.iou.min | .3f }}）。",
        "disjoint.iou.stuck.min == 1 and disjoint.giou.iou.min > 0.98 and "
        "disjoint.smooth_l1.iou.min > 0.98 and disjoint.both.iou.min > 0.98",
        ("disjoint.*",),
        runs="seeds",
        spread=("disjoint.giou.iou.min", "disjoint.giou.iou.max"),
        figure="loss-boxes",
    ),
    Claim(
        "loss-iou-overlapping",
        "Boxes that overlap from the start reach their targets with 1 − IoU as well: mean IoU at "
        "least {{ loss_boxes.overlap.iou.iou.min | .4f }}.",
        "一开始就相交的框，用 1 − IoU 也能到达目标：平均 IoU 至少为 "
        "{{ loss_boxes.overlap.iou.iou.min | .4f }}。",
        "overlap.iou.iou.min > 0.99",
        ("overlap.*",),
        runs="seeds",
        spread=("overlap.iou.iou.min", "overlap.iou.iou.max"),
        figure="loss-boxes",
    ),
)


def corners(v: Array) -> Array:
    """Boxes (x1, y1, x2, y2) of (centre, log size)."""
    half = np.exp(v[..., 2:]) / 2.0
    return np.concatenate([v[..., :2] - half, v[..., :2] + half], axis=-1)


def box_slope(v: Array, truth: Array, generalized: bool) -> Array:
    """Gradient of 1 − IoU or 1 − GIoU at the four numbers."""
    boxes = corners(v)
    forward, backward = (
        (F.generalized_box_iou_loss, F.generalized_box_iou_loss_backward)
        if generalized
        else (F.iou_loss, F.iou_loss_backward)
    )
    loss, cache = forward(boxes, np.broadcast_to(corners(truth), boxes.shape))
    grad = backward(np.ones_like(loss), cache)[0]
    low, high = grad[..., :2], grad[..., 2:]
    return np.concatenate([low + high, (high - low) * np.exp(v[..., 2:]) / 2.0], axis=-1)


def smooth_slope(v: Array, truth: Array) -> Array:
    _, cache = F.smooth_l1_loss(v, np.broadcast_to(truth, v.shape), reduction="none", beta=0.1)
    return F.smooth_l1_loss_backward(np.ones_like(v), cache)


def slope(kind: str, v: Array, truth: Array) -> Array:
    if kind == "smooth_l1":
        return smooth_slope(v, truth)
    grad = box_slope(v, truth, kind != "iou")
    return grad + smooth_slope(v, truth) if kind == "both" else grad


def iou(v: Array, truth: Array) -> Array:
    boxes = corners(v)
    return 1.0 - F.iou_loss(boxes, np.broadcast_to(corners(truth), boxes.shape))[0]


def pairs(where: str) -> tuple[Array, Array]:
    """True and predicted boxes (S, P, 4) as centre and log size."""
    truth, begin = np.zeros((2, SEEDS, PAIRS, 4))
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        size = rng.uniform(0.5, 1.5, (2, PAIRS, 2))
        truth[seed, :, 2:], begin[seed, :, 2:] = np.log(size)
        reach = size.sum(axis=0) / 2.0
        if where == "disjoint":
            begin[seed, :, 0] = reach[:, 0] + rng.uniform(0.2, 2.0, PAIRS)
            begin[seed, :, 1] = rng.uniform(-0.5, 0.5, PAIRS)
        else:
            begin[seed, :, :2] = rng.uniform(-0.6, 0.6, (PAIRS, 2)) * reach
    return truth, begin


def descend(kind: str, truth: Array, begin: Array) -> tuple[Array, Array]:
    """The IoU (K, S) along the way, mean over the pairs, and at the end (K, S, P)."""
    v = np.repeat(begin[None], len(RATES), axis=0)
    rate = np.reshape(RATES, (-1, 1, 1, 1))
    curve = []
    for step in range(STEPS + 1):
        if step % EVERY == 0:
            last = iou(v, truth)
            curve.append(last.mean(axis=-1))
        v = v - rate * (1.0 - step / STEPS) * slope(kind, v, truth)
    return np.array(curve), last


def run() -> dict[str, Any]:
    box, truth = np.array([[2.0, 0.0, 3.0, 1.0]]), np.array([[0.0, 0.0, 1.0, 1.0]])
    plain, cache = F.iou_loss(box, truth)
    general, general_cache = F.generalized_box_iou_loss(box, truth)
    result: dict[str, Any] = {
        "seeds": SEEDS,
        "pairs": PAIRS,
        "steps": STEPS,
        "rates": len(RATES),
        "example": {
            "iou": float(plain[0]),
            "iou_gradient": F.iou_loss_backward(np.ones(1), cache)[0][0].tolist(),
            "giou": float(general[0]),
            "giou_gradient": F.generalized_box_iou_loss_backward(np.ones(1), general_cache)[0][
                0
            ].tolist(),
        },
    }
    for where in ("disjoint", "overlap"):
        truth, begin = pairs(where)
        for kind in LOSSES:
            curve, last = descend(kind, truth, begin)
            k = int(last.mean(axis=(1, 2)).argmax())
            result.setdefault(where, {})[kind] = {
                "iou": spread(last[k].mean(axis=-1)),
                "stuck": spread((last[k] == 0.0).mean(axis=-1)),
                "rate": RATES[k],
                "inside": bool(0 < k < len(RATES) - 1),
                "curve": {
                    "mean": curve[:, k].mean(axis=1).tolist(),
                    "min": curve[:, k].min(axis=1).tolist(),
                    "max": curve[:, k].max(axis=1).tolist(),
                },
            }
    return result


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    from experiments import style
    from experiments._dots import draw_bands

    t = {
        "en": {
            "step": "gradient step",
            "y": "mean IoU with the true boxes",
            "disjoint": "start: disjoint",
            "overlap": "start: overlapping",
            "both": "1 − GIoU + smooth L1",
        },
        "zh": {
            "step": "梯度下降步数",
            "y": "与真实框的平均 IoU",
            "disjoint": "起点：不相交",
            "overlap": "起点：相交",
            "both": "1 − GIoU + smooth L1",
        },
    }[lang]
    names = {"iou": "1 − IoU", "giou": "1 − GIoU", "smooth_l1": "smooth L1", "both": t["both"]}
    colors = dict(zip(LOSSES, (style.SERIES[k] for k in (1, 0, 2, 3)), strict=True))
    first, axes = style.new_figure(7.2, 3.2, ncols=2, sharey=True)
    steps = list(range(0, STEPS + 1, EVERY))
    for ax, where in zip(axes, ("disjoint", "overlap"), strict=True):
        for kind in LOSSES:
            curve = result[where][kind]["curve"]
            rows = [dict(zip(curve, row, strict=True)) for row in zip(*curve.values(), strict=True)]
            label = names[kind] if where == "disjoint" else None
            draw_bands(ax, steps, rows, color=colors[kind], label=label)
        ax.set_title(t[where])
        ax.set_xlabel(t["step"])
    axes[0].set_ylabel(t["y"])
    axes[0].set_ylim(-0.03, 1.03)
    first.legend(loc="outside upper center", ncols=4)
    return {"loss-boxes": first}
