"""Straight-through against rounding at the end, with fewer and fewer bits for a weight.

A 64-32-10 network with tanh on scikit-learn's digits: 200 images for training, 300 to choose one of
three rates, 500 for the test; 200 full-batch steps with momentum 0.9, 10 seeds. Both weight
matrices are rounded to 1, 2 or 4 bits: 2^b levels with equal distances between -r and r, r = 2.5
times the root mean square of the matrix. ``after``: trained unrounded, rounded at the end;
``through``: the gradient at the rounded weights, applied to the unrounded ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments import _loss_nets as nets
from experiments._claim import Claim
from experiments._digits import images

RTOL = 1e-3  # accuracies are counts of images
SEEDS, STEPS, HIDDEN, CLASSES = 10, 200, 32, 10
SIZES = (200, 300, 500)
RATES = (0.03, 0.1, 0.3)
BITS = (1, 2, 4)
Array = np.ndarray

WORKED = ("seeds", "steps", "rates")
CLAIMS = (
    Claim(
        "questions-straight-through-few-bits",
        "With one bit for a weight straight-through classifies "
        "{{ questions_rounding_bits.b1.through.mean | pct1 }} of the digits and rounding at the "
        "end {{ questions_rounding_bits.b1.after.mean | pct1 }}: it is ahead in each of "
        "{{ questions_rounding_bits.seeds }} runs, by at least "
        "{{ questions_rounding_bits.b1.gap.min | pct1 }}. With four bits the means differ by "
        "{{ questions_rounding_bits.b4.gap.mean | pct1 }}.",
        "一个权重只用一个比特时，直通估计认对 "
        "{{ questions_rounding_bits.b1.through.mean | pct1 }} 的数字，最后再取整只认对 "
        "{{ questions_rounding_bits.b1.after.mean | pct1 }}：{{ questions_rounding_bits.seeds }} "
        "次训练次次领先，至少 {{ questions_rounding_bits.b1.gap.min | pct1 }}。四个比特时，均值相"
        "差 {{ questions_rounding_bits.b4.gap.mean | pct1 }}。",
        "b1.gap.min > 0.05 and b1.gap.mean > b2.gap.mean > b4.gap.mean and b4.gap.mean < 0.03",
        ("b1.*", "b2.*", "b4.*", "full.*"),
        runs="seeds",
        spread=("b1.gap.min", "b1.gap.max"),
        figure="questions_rounding_bits",
    ),
)


def rounded(w: Array, bits: int) -> Array:
    """Each matrix to 2^bits levels; 0 bits stands for no rounding."""
    if bits == 0:
        return w
    step = 5.0 * np.sqrt((w * w).mean(axis=(-2, -1), keepdims=True)) / 2**bits
    place = np.clip(np.floor(w / step), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    out: Array = (place + 0.5) * step
    return out


def fit(start: list[Array], x: Array, slope: Any, bits: int) -> list[Array]:
    """Train every rate and seed; with bits the gradient is taken at the rounded weights."""
    params = [np.repeat(p[None], len(RATES), axis=0) for p in start]
    speed = [np.zeros_like(p) for p in params]
    rate = np.reshape(RATES, (-1, 1, 1, 1))
    for _ in range(STEPS):
        w1, b1, w2, b2 = rounded(params[0], bits), params[1], rounded(params[2], bits), params[3]
        h = np.tanh(x @ w1 + b1)
        delta = slope(h @ w2 + b2) / x.shape[1]
        back = (delta @ np.swapaxes(w2, -1, -2)) * (1.0 - h * h)
        gradients = (
            np.swapaxes(x, -1, -2) @ back,
            back.sum(axis=-2, keepdims=True),
            np.swapaxes(h, -1, -2) @ delta,
            delta.sum(axis=-2, keepdims=True),
        )
        for p, v, g in zip(params, speed, gradients, strict=True):
            v *= 0.9
            v += g
            p -= rate * v
    return params


def run() -> dict[str, Any]:
    pictures, truth = images()
    order = np.stack([np.random.default_rng(s).permutation(len(truth)) for s in range(SEEDS)])
    ends = np.cumsum(SIZES)
    own, choosing, fresh = np.split(order[:, : ends[-1]], ends[:-1], axis=1)
    x, slope = pictures[own], nets.cross_entropy_slope(truth[own])
    start = nets.start(nets.generators(SEEDS, 50), 64, HIDDEN, CLASSES)
    unrounded = fit(start, x, slope, 0)

    def tested(params: list[Array], bits: int) -> Array:
        """Accuracy on the test images at the rate that is best on the others."""
        params = [rounded(params[0], bits), params[1], rounded(params[2], bits), params[3]]
        valid, test = (
            nets.accuracy(nets.logits(params, pictures[i]), truth[i]) for i in (choosing, fresh)
        )
        out: Array = test[nets.chosen(valid)]
        return out

    result: dict[str, Any] = {"seeds": SEEDS, "steps": STEPS, "rates": len(RATES)}
    result["full"] = nets.spread(tested(unrounded, 0))
    for bits in BITS:
        after, through = tested(unrounded, bits), tested(fit(start, x, slope, bits), bits)
        result[f"b{bits}"] = {
            "after": nets.spread(after),
            "through": nets.spread(through),
            "gap": nets.spread(through - after),
        }
    return result


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    from experiments import style
    from experiments._dots import Dot, Panel, draw_dots

    t = {
        "en": ("1 bit", "{} bits", "{}, rounded at the end", "{}, straight-through", "accuracy"),
        "zh": ("1 比特", "{} 比特", "{}，最后取整", "{}，直通估计", "准确率"),
    }[lang]
    dots = [
        Dot(t[place].format(t[0] if b == 1 else t[1].format(b)), result[f"b{b}"][kind], color)
        for b in BITS
        for place, kind, color in ((2, "after", style.SERIES[1]), (3, "through", style.SERIES[0]))
    ]
    return {"questions_rounding_bits": draw_dots([Panel(t[4], dots, None)])}
