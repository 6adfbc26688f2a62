"""Images: the backward pass of a convolution, written by hand, is exact and trains a classifier.

Data made here: 8 x 8 images with one short bar (horizontal, vertical) or one plus sign at a random
place, with noise; what leaves on one side comes in on the other, so that every pixel is equally
often part of a horizontal and of a vertical bar. Network: convolution (4 kernels 3 x 3), ReLU, mean
over all places, linear layer.

Measured: (1) the hand-written gradients against torch.autograd in float64, 20 networks; (2) test
accuracy over 10 seeds, against softmax regression on the 64 pixels; (3) the share of places that
receives a gradient with average pooling and with max pooling, over 20 initialisations; (4) the
error rate for signs that are whole and off the border, and for the others, and the share of all
errors that the others make; (5) what a kernel that is not flipped in the backward pass does to the
input gradient.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from experiments import _ranges, style
from experiments._applications import Adam, cross_entropy, gradient, pixels, spread, worst
from experiments._claim import Claim
from experiments._dots import Dot, Panel, draw_dots

Array = np.ndarray
RTOL = (
    1e-3  # hundreds of Adam steps amplify the last bits of the matrix products of another machine
)
SEEDS = range(10)
NETWORKS = 20  # random networks for the gradients
EPOCHS = 40

WORKED = ("seeds", "networks")
CLAIMS = (
    Claim(
        id="images-kernel-not-turned",
        en="With a kernel that is not turned the input gradient is off by "
        "{{ images.torch.unflipped_input.min | pct }} to "
        "{{ images.torch.unflipped_input.max | pct }} of its largest element in "
        "{{ images.networks }} random networks, and the kernel gradient by no more than "
        "${{ images.torch.unflipped_kernel.max | sci0 }}$.",
        zh="不旋转卷积核，{{ images.networks }} 个随机网络的输入梯度误差是最大元素的 "
        "{{ images.torch.unflipped_input.min | pct }} 到 "
        "{{ images.torch.unflipped_input.max | pct }}，卷积核的梯度误差却不超过 "
        "${{ images.torch.unflipped_kernel.max | sci0 }}$。",
        criterion="torch.unflipped_input.min > 0.1 and torch.unflipped_kernel.max <= 1e-10",
        covers=("torch.unflipped_*",),
        runs="networks",
        spread=("torch.unflipped_input.min", "torch.unflipped_input.max"),
        figure="images_check",
    ),
    Claim(
        id="images-gradients-agree",
        en="Over {{ images.networks }} random networks no hand-written gradient, neither of a "
        "parameter nor of the input, differs from PyTorch's by more than "
        "${{ images.torch.worst.max | sci0 }}$ of its largest element.",
        zh="在 {{ images.networks }} 个随机网络上，参数和输入的手写梯度与 PyTorch 相比，误差都不"
        "超过最大元素的 ${{ images.torch.worst.max | sci0 }}$。",
        criterion="torch.worst.max <= 1e-10",
        covers=("torch.worst.*",),
        runs="networks",
        spread=("torch.worst.min", "torch.worst.max"),
        figure="images_check",
    ),
    Claim(
        id="images-convolution-beats-pixels",
        en="The convolutional network with {{ images.parameters.conv }} parameters is right in "
        "{{ images.accuracy.conv.min | pct1 }} to {{ images.accuracy.conv.max | pct1 }} of the "
        "test images, a linear classifier with {{ images.parameters.linear }} parameters in "
        "{{ images.accuracy.linear.min | pct1 }} to {{ images.accuracy.linear.max | pct1 }} "
        "({{ images.seeds }} seeds).",
        zh="{{ images.parameters.conv }} 个参数的卷积网络在测试图像上的准确率是 "
        "{{ images.accuracy.conv.min | pct1 }} 到 {{ images.accuracy.conv.max | pct1 }}，"
        "{{ images.parameters.linear }} 个参数的线性分类器是 "
        "{{ images.accuracy.linear.min | pct1 }} 到 {{ images.accuracy.linear.max | pct1 }}"
        "（{{ images.seeds }} 个种子）。",
        # Counting the bright pixels gives 2/3; the linear classifier has settled, and not above it.
        criterion="accuracy.conv.min > accuracy.linear.max and parameters.conv < "
        "parameters.linear and abs(accuracy.linear.median - 2 / 3) < 0.05 and "
        "abs(curve.linear[40] - curve.linear[20]) < 0.02",
        covers=("accuracy.*", "parameters.*"),
        runs="seeds",
        spread=("accuracy.conv.min", "accuracy.conv.max"),
        figure="images",
    ),
    Claim(
        id="images-errors-at-the-border",
        en="In {{ images.wrong.border_higher }} of {{ images.seeds }} runs the error rate is "
        "higher for signs that are cut or at the border, "
        "{{ images.wrong.border.median | pct1 }} in the median against "
        "{{ images.wrong.inside.median | pct1 }}. They make up "
        "{{ images.wrong.border_images.mean | pct }} of the images and at least "
        "{{ images.wrong.border_share.min | pct }} of the errors.",
        zh="{{ images.seeds }} 次运行中有 {{ images.wrong.border_higher }} 次，被切开或靠边的图形"
        "错误率更高，中位数分别是 {{ images.wrong.border.median | pct1 }} 和 "
        "{{ images.wrong.inside.median | pct1 }}。这类图形占图像的 "
        "{{ images.wrong.border_images.mean | pct }}，却至少占错误的 "
        "{{ images.wrong.border_share.min | pct }}。",
        criterion="wrong.border_higher == seeds and wrong.border_share.min > "
        "wrong.border_images.max",
        covers=("wrong.*",),
        runs="seeds",
        spread=("wrong.border_share.min", "wrong.border_share.max"),
        figure="images",
    ),
    Claim(
        id="images-places-with-a-gradient",
        en="Before training {{ images.receives.average.mean | pct }} of all places receive a "
        "gradient through ReLU ({{ images.receives.average.min | pct }} to "
        "{{ images.receives.average.max | pct }} over {{ images.receives.runs }} "
        "initializations), with one maximum over the image "
        "{{ images.receives.max.mean | pct1 }}.",
        zh="训练之前，平均有 {{ images.receives.average.mean | pct }} 的位置能收到经过 ReLU 的梯度"
        "（{{ images.receives.runs }} 次初始化，在 {{ images.receives.average.min | pct }} 到 "
        "{{ images.receives.average.max | pct }} 之间）；对整幅图取一个最大值时只有 "
        "{{ images.receives.max.mean | pct1 }}。",
        # One place of 36 per kernel, none where a kernel is negative everywhere.
        criterion="0.3 < receives.average.min and receives.average.max < 0.7 and "
        "0.97 / 36 < receives.max.min and receives.max.max < 1.001 / 36",
        covers=("receives.*",),
        runs="receives.runs",
        spread=("receives.average.min", "receives.average.max"),
        figure="images_receives",
    ),
)


def make_images(n: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Return images (n, 8, 8), classes (n,) and whether the sign is whole and off the border.

    Class 0 is a horizontal bar, 1 a vertical bar, 2 a plus sign; a bar has 5 pixels.
    """
    x = rng.normal(0.0, 0.15, (n, 8, 8))
    y = np.arange(n) % 3
    inside = np.zeros(n, dtype=bool)
    for i, kind in enumerate(y):
        shape = np.zeros((8, 8))
        if kind in (0, 2):
            shape[4, 2:7] = 1.0
        if kind in (1, 2):
            shape[2:7, 4] = 1.0
        shift = rng.integers(0, 8, size=2)
        x[i] += np.roll(shape, shift, axis=(0, 1))
        row, column = (4 + shift) % 8
        need_row, need_column = (1, 2) if kind == 0 else (2, 1) if kind == 1 else (2, 2)
        inside[i] = need_row <= row < 8 - need_row and need_column <= column < 8 - need_column
    return x, y, inside


def conv(x: Array, w: Array, b: Array) -> Array:
    """a[n,k,i,j] = b[k] + sum_uv w[k,u,v] x[n,i+u,j+v]."""
    size = w.shape[1]
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))
    return np.einsum("nijuv,kuv->nkij", windows, w, optimize=True) + b[:, None, None]


def conv_backward(delta: Array, x: Array, w: Array, *, flip: bool = True) -> tuple[Array, ...]:
    """Gradients for input, kernels and biases; ``flip=False`` makes the common mistake."""
    size = w.shape[1]
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))
    grad_w = np.einsum("nkij,nijuv->kuv", delta, windows, optimize=True)
    grad_b = delta.sum(axis=(0, 2, 3))
    padded = np.pad(delta, ((0, 0), (0, 0), (size - 1, size - 1), (size - 1, size - 1)))
    around = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(2, 3))
    kernel = w[:, ::-1, ::-1] if flip else w
    grad_x = np.einsum("nkijuv,kuv->nij", around, kernel, optimize=True)
    return grad_x, grad_w, grad_b


def init(rng: np.random.Generator) -> dict[str, Array]:
    return {
        "w": rng.normal(0.0, np.sqrt(2 / 9), (4, 3, 3)),
        "b": np.zeros(4),
        "v": rng.normal(0.0, 0.5, (3, 4)),
        "c": np.zeros(3),
    }


def loss_and_gradients(
    p: dict[str, Array], x: Array, y: Array, *, flip: bool = True
) -> tuple[float, dict[str, Array]]:
    """Forward and backward pass; the gradients include the one of the images (``x``)."""
    a = conv(x, p["w"], p["b"])
    h = np.maximum(a, 0.0)
    pooled = h.mean(axis=(2, 3))
    loss, dz = cross_entropy(pooled @ p["v"].T + p["c"], y)
    dpooled = dz @ p["v"]
    places = a.shape[2] * a.shape[3]
    delta = dpooled[:, :, None, None] / places * (a > 0)
    dx, dw, db = conv_backward(delta, x, p["w"], flip=flip)
    return loss, {"w": dw, "b": db, "v": dz.T @ pooled, "c": dz.sum(axis=0), "x": dx}


def predict(p: dict[str, Array], x: Array) -> Array:
    pooled = np.maximum(conv(x, p["w"], p["b"]), 0.0).mean(axis=(2, 3))
    return (pooled @ p["v"].T + p["c"]).argmax(axis=1)


def train(seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    x, y, _ = make_images(600, rng)
    xt, yt, inside = make_images(600, rng)
    p = init(rng)
    linear = {"v": np.zeros((3, 64)), "c": np.zeros(3)}
    adam, adam_linear = Adam(p, 0.03), Adam(linear, 0.03)
    curve = {"conv": [float((predict(p, xt) == yt).mean())], "linear": [1 / 3]}
    for _ in range(EPOCHS):
        for rows in np.split(rng.permutation(600), 10):
            grads = loss_and_gradients(p, x[rows], y[rows])[1]
            grads.pop("x")
            adam.step(grads)
            flat = x[rows].reshape(-1, 64)
            dz = cross_entropy(flat @ linear["v"].T + linear["c"], y[rows])[1]
            adam_linear.step({"v": dz.T @ flat, "c": dz.sum(axis=0)})
        scores = xt.reshape(-1, 64) @ linear["v"].T + linear["c"]
        curve["conv"].append(float((predict(p, xt) == yt).mean()))
        curve["linear"].append(float((scores.argmax(axis=1) == yt).mean()))
    wrong = predict(p, xt) != yt
    return {
        "curve": curve,
        "params": p,
        "wrong": {
            "inside": float(wrong[inside].mean()),
            "border": float(wrong[~inside].mean()),
            "border_share": float((wrong & ~inside).sum() / wrong.sum()),
            "border_images": float((~inside).mean()),
        },
    }


def against_torch(seed: int) -> dict[str, float]:
    """Worst relative difference from autograd, and those of the common mistake."""
    rng = np.random.default_rng(seed)
    x, y, _ = make_images(12, rng)
    p = init(rng)
    t = {k: torch.tensor(v, requires_grad=True) for k, v in (p | {"x": x}).items()}
    a = torch.nn.functional.conv2d(t["x"][:, None], t["w"][:, None], t["b"])
    z = torch.relu(a).mean(dim=(2, 3)) @ t["v"].T + t["c"]
    torch.nn.functional.cross_entropy(z, torch.tensor(y)).backward()
    ours = loss_and_gradients(p, x, y)[1]
    wrong = loss_and_gradients(p, x, y, flip=False)[1]
    return {
        "worst": max(worst(ours[k], gradient(t[k])) for k in t),
        "unflipped_input": worst(wrong["x"], gradient(t["x"])),
        "unflipped_kernel": worst(wrong["w"], gradient(t["w"])),
    }


def pooling_shares() -> dict[str, Any]:
    """Share of the 6 x 6 places per kernel with a gradient, before training, 20 initialisations."""
    average, largest = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x, _, _ = make_images(60, rng)
        p = init(rng)
        active = conv(x, p["w"], p["b"]) > 0
        average.append(active.mean())
        largest.append(active.any(axis=(2, 3)).mean() / active[0, 0].size)
    return {"average": spread(average), "max": spread(largest), "runs": len(average)}


def run() -> dict[str, Any]:
    runs = [train(seed) for seed in SEEDS]
    curves = {k: [r["curve"][k] for r in runs] for k in ("conv", "linear")}
    checks = [against_torch(seed) for seed in range(NETWORKS)]
    wrong = {k: [r["wrong"][k] for r in runs] for k in runs[0]["wrong"]}
    x, y, _ = make_images(3, np.random.default_rng(10))
    p = runs[0]["params"]
    return {
        "seeds": len(runs),
        "networks": NETWORKS,
        "torch": {
            "worst": _ranges.spread(c["worst"] for c in checks),
            "unflipped_kernel": _ranges.spread(c["unflipped_kernel"] for c in checks),
            "unflipped_input": _ranges.exactly(c["unflipped_input"] for c in checks),
        },
        "receives": pooling_shares(),
        "accuracy": {k: spread([c[-1] for c in v]) for k, v in curves.items()},
        "wrong": {k: spread(v) for k, v in wrong.items()}
        | {"border_higher": int(np.greater(wrong["border"], wrong["inside"]).sum())},
        "parameters": {"conv": sum(v.size for v in p.values()), "linear": 3 * 64 + 3},
        "curve": {k: np.median(np.array(v), axis=0).tolist() for k, v in curves.items()},
        "example": {
            "images": np.round(x, 3).tolist(),
            "input_gradient": np.round(loss_and_gradients(p, x, y)[1]["x"], 5).tolist(),
            "kernels": np.round(p["w"], 3).tolist(),
        },
    }


def draw_check(result: dict[str, Any], lang: str) -> Figure:
    """The gradients with the kernel turned and not turned, against PyTorch's."""
    text: dict[str, tuple[str, ...]] = {
        "en": ("turned: all gradients", "not turned: kernel", "not turned: input"),
        "zh": ("旋转：全部梯度", "未旋转：卷积核的梯度", "未旋转：输入的梯度"),
    }
    keys = ("worst", "unflipped_kernel", "unflipped_input")
    colours = (style.SERIES[0], style.SERIES[1], style.SERIES[1])
    bars = [
        _ranges.Bar(row, result["torch"][key], colour)
        for row, key, colour in zip(text[lang], keys, colours, strict=True)
    ]
    x = {"en": "relative difference from PyTorch", "zh": "与 PyTorch 的相对误差"}[lang]
    return _ranges.draw_ranges(bars, x)


def draw_receives(result: dict[str, Any], lang: str) -> Figure:
    text = {
        "en": ("mean over all places", "one maximum", "share of places with a gradient"),
        "zh": ("对所有位置取平均", "取一个最大值", "收到梯度的位置所占比例"),
    }[lang]
    dots = [
        Dot(row, result["receives"][key])
        for row, key in zip(text[:2], ("average", "max"), strict=True)
    ]
    figure: Figure = draw_dots([Panel(text[2], dots, 1 / 36)])
    return figure


def draw(result: dict[str, Any], lang: str) -> dict[str, Figure]:
    return {
        "images": draw_training(result, lang),
        "images_check": draw_check(result, lang),
        "images_receives": draw_receives(result, lang),
    }


def draw_training(result: dict[str, Any], lang: str) -> Figure:
    text: dict[str, Any] = {
        "en": {
            "images": "images",
            "kernels": "learned kernels",
            "classes": ("horizontal", "vertical", "plus"),
            "conv": "convolution",
            "linear": "linear on pixels",
            "x": "epoch",
            "y": "test accuracy",
        },
        "zh": {
            "images": "图像",
            "kernels": "学到的卷积核",
            "classes": ("横线", "竖线", "十字"),
            "conv": "卷积网络",
            "linear": "像素上的线性分类器",
            "x": "轮",
            "y": "测试准确率",
        },
    }[lang]
    fig, left = style.diagram(6.6, 2.9)
    left.text(0.15, 2.68, text["images"], fontsize=10)
    for i, image in enumerate(result["example"]["images"]):
        pixels(left, np.array(image), 0.15 + 1.02 * i, 1.62, 0.92, scale=1.2)
        left.text(0.61 + 1.02 * i, 1.45, text["classes"][i], ha="center", fontsize=8.5)
    left.text(0.15, 1.08, text["kernels"], fontsize=10)
    kernels = np.array(result["example"]["kernels"])
    for i, kernel in enumerate(kernels):
        pixels(left, kernel, 0.15 + 0.77 * i, 0.32, 0.66, scale=float(np.abs(kernels).max()))
    ax = fig.add_axes((0.59, 0.18, 0.39, 0.75))
    for key, colour in (("conv", style.SERIES[0]), ("linear", style.SERIES[1])):
        ax.plot(result["curve"][key], color=colour, label=text[key])
    ax.axhline(1 / 3, color=style.MUTED, linewidth=1, linestyle=":")
    ax.set_ylim(0.2, 1.04)
    ax.set_xlabel(text["x"])
    ax.set_ylabel(text["y"])
    ax.legend(loc="lower right", bbox_to_anchor=(1.0, 0.2))
    return fig
