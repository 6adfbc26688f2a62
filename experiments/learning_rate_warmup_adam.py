"""Adam on residual networks: warm-up with the normalization behind the sum, and before the branch.

Eight residual blocks of width 16 whose branch is two linear maps with a ReLU between, layer norm
behind the sum (post-norm) or before the branch (pre-norm, with one more before the output). A
teacher with four classes, 64 samples, 200 full-batch steps of Adam, Xavier weights at the
start, six peak rates, without warm-up and with 50 steps of it, then linearly to zero; 10 seeds. A
run has learned when its training loss ends below 0.1; guessing costs log 4. Losses are stored as
far as they lie between 0.002 and 0.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments._claim import Claim

RTOL = 1e-2  # two hundred steps at rates near the limit carry rounding errors along
SEEDS, STEPS, WARM, BLOCKS, WIDTH = 10, 200, 50, 8, 16
SAMPLES, INPUTS, CLASSES = 64, 8, 4
PEAKS = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
LEARNED, SMALLEST = 0.1, 2e-3
Array = np.ndarray

WORKED = ("seeds", "steps", "warm", "blocks", "peaks*", "learned")
CLAIMS = (
    Claim(
        id="learning-rate-warm-up-under-post-norm",
        en="Adam on {{ learning_rate_warmup_adam.blocks }} residual blocks: the largest peak at "
        "which all {{ learning_rate_warmup_adam.seeds }} runs learn is "
        "{{ learning_rate_warmup_adam.post.none.largest_safe }} with post-norm, "
        "{{ learning_rate_warmup_adam.post.warm.largest_safe }} with post-norm and warm-up, and "
        "{{ learning_rate_warmup_adam.pre.none.largest_safe }}, the largest that was tried, with "
        "pre-norm, with and without.",
        zh="Adam 训练 {{ learning_rate_warmup_adam.blocks }} 个残差模块，"
        "{{ learning_rate_warmup_adam.seeds }} 次训练全部学会的最大峰值：后置归一化为 "
        "{{ learning_rate_warmup_adam.post.none.largest_safe }}，后置归一化加预热为 "
        "{{ learning_rate_warmup_adam.post.warm.largest_safe }}，前置归一化不论预热与否都是 "
        "{{ learning_rate_warmup_adam.pre.none.largest_safe }}，即试过的最大值。",
        criterion="post.none.largest_safe < post.warm.largest_safe < pre.none.largest_safe == "
        "pre.warm.largest_safe == max(peaks)",
        covers=("post.*", "pre.*"),
        runs="seeds",
        spread=("post.none.loss[3].min", "post.none.loss[3].max"),
        figure="learning_rate_warmup_adam",
    ),
)


def normalise(x: Array) -> tuple[Array, Array]:
    centred = x - x.mean(axis=-1, keepdims=True)
    inverse = 1.0 / np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + 1e-5)
    return centred * inverse, inverse


def normalise_backward(grad: Array, out: Array, inverse: Array) -> Array:
    along = out * (grad * out).mean(axis=-1, keepdims=True)
    back: Array = inverse * (grad - grad.mean(axis=-1, keepdims=True) - along)
    return back


def turned(x: Array) -> Array:
    return np.swapaxes(x, -1, -2)


def gradients(params: Sequence[Array], x: Array, y: Array, post: bool) -> tuple[Array, list[Array]]:
    """The mean cross-entropy (K, S) and the gradients, for rates K and seeds S."""
    first, *maps, last = params
    h, caches = x @ first, []
    for up, down in zip(maps[::2], maps[1::2], strict=True):
        inner, before = (h, None) if post else normalise(h)
        a = inner @ up
        active = np.maximum(a, 0.0)
        h = h + active @ down
        after = None
        if post:
            h, after = normalise(h)
        caches.append((inner, before, active, h, after))
    end = None
    if not post:
        h, end = normalise(h)
    scores = h @ last
    scores -= scores.max(axis=-1, keepdims=True)
    p = np.exp(scores)
    p /= p.sum(axis=-1, keepdims=True)
    loss = -np.log(np.maximum((p * y).sum(axis=-1), 1e-30)).mean(axis=-1)
    delta = (p - y) / SAMPLES
    found = [turned(h) @ delta]
    grad = delta @ turned(last)
    if end is not None:
        grad = normalise_backward(grad, h, end)
    for up, down, (inner, before, active, out, after) in zip(
        maps[-2::-2], maps[::-2], caches[::-1], strict=True
    ):
        if after is not None:
            grad = normalise_backward(grad, out, after)
        back = (grad @ turned(down)) * (active > 0.0)
        found += [turned(active) @ grad, turned(inner) @ back]
        back = back @ turned(up)
        grad = grad + (back if before is None else normalise_backward(back, inner, before))
    return loss, [*found, turned(x) @ grad][::-1]


def train(post: bool, warm: int) -> Array:
    """The loss at the end, of shape (peaks, seeds)."""
    rngs = [np.random.default_rng(seed) for seed in range(SEEDS)]

    def draw(rows: int, columns: int, deviation: float) -> Array:
        return np.stack([deviation * r.normal(size=(rows, columns)) for r in rngs])

    x = draw(SAMPLES, INPUTS, 1.0)
    teacher = np.tanh(x @ draw(INPUTS, 16, 1.0)) @ draw(16, CLASSES, 1.0)
    y = np.eye(CLASSES)[teacher.argmax(axis=-1)]
    xavier = (2.0 / (3 * WIDTH)) ** 0.5
    start = [draw(INPUTS, WIDTH, INPUTS**-0.5)]
    for _ in range(BLOCKS):
        start += [draw(WIDTH, 2 * WIDTH, xavier), draw(2 * WIDTH, WIDTH, xavier)]
    start.append(draw(WIDTH, CLASSES, WIDTH**-0.5))
    params = [np.repeat(p[None], len(PEAKS), axis=0) for p in start]
    means, squares = ([np.zeros_like(p) for p in params] for _ in range(2))
    peak, x = np.reshape(PEAKS, (-1, 1, 1, 1)), np.broadcast_to(x, (len(PEAKS), *x.shape))
    for t in range(1, STEPS + 1):
        share = t / warm if t <= warm else (STEPS - t) / (STEPS - warm)
        found = gradients(params, x, y, post)[1]
        for p, m, v, g in zip(params, means, squares, found, strict=True):
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            p -= peak * share * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return gradients(params, x, y, post)[0]


def run() -> dict[str, Any]:
    result: dict[str, Any] = {
        "seeds": SEEDS,
        "steps": STEPS,
        "warm": WARM,
        "blocks": BLOCKS,
        "peaks": list(PEAKS),
        "learned": LEARNED,
    }
    for name, post in (("post", True), ("pre", False)):
        result[name] = {}
        for way, warm in (("none", 0), ("warm", WARM)):
            table = train(post, warm)
            # Runs that fail are chaotic: that the worst one failed is known, not its loss.
            low, high = np.clip([table.min(axis=1), table.max(axis=1)], SMALLEST, LEARNED)
            result[name][way] = {
                "loss": [
                    {"min": float(a), "max": float(b)} for a, b in zip(low, high, strict=True)
                ],
                "largest_safe": max(p for p, b in zip(PEAKS, high, strict=True) if b < LEARNED),
            }
    return result


def draw(result: dict[str, Any], lang: str) -> Figure:
    from experiments.style import MUTED, SERIES, new_figure

    words = {
        "en": (
            "post-norm",
            "pre-norm",
            "no warm-up",
            "50 steps of warm-up",
            "peak rate",
            "highest loss at the end",
        ),
        "zh": ("后置归一化", "前置归一化", "不预热", "预热 50 步", "峰值学习率", "终点的最高损失"),
    }[lang]
    fig, axes = new_figure(7.2, 3.1, ncols=2, sharey=True)
    for ax, name, title in zip(axes, ("post", "pre"), words[:2], strict=True):
        for way, label, style, color in zip(
            ("none", "warm"), words[2:4], ("o-", "s--"), SERIES, strict=False
        ):
            shown = label if ax is axes[0] else None
            worst = [row["max"] for row in result[name][way]["loss"]]
            ax.plot(PEAKS, worst, style, color=color, label=shown)
        ax.axhline(LEARNED, color=MUTED, linewidth=0.9, linestyle=":")
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xlabel(words[4])
        ax.set_title(title, fontsize=10)
    axes[0].set_ylabel(words[5])
    fig.legend(loc="outside upper center", ncols=2)
    return fig
