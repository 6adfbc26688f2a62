"""The table of losses: the gradient that it prints for each task against PyTorch's autograd.

For each row 20 draws of raw outputs and labels, float64: the largest relative difference, in the
Frobenius norm, between the formula of the table and what autograd finds at the raw outputs.
* ``rows``: the table of the page.
* ``identities``: losses that are one and the same: NLL of the log-softmax and cross-entropy, binary
  cross-entropy and the cross-entropy of the logits (0, a), Gaussian NLL and MSE / (2v).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import torch
from torch.nn import functional as TF

import bpref.functional as F
from experiments._agreement import relative
from experiments._claim import Claim
from experiments._ranges import Bar, bound, draw_ranges
from experiments.loss_ctc import collapse

DRAWS, N, C = 20, 6, 5
Array = np.ndarray
Row = Callable[[np.random.Generator], tuple[Any, Any, Array]]

WORKED = ("draws",)
CLAIMS = (
    Claim(
        "loss-table-gradients",
        "Every gradient in the table of losses is the one that PyTorch finds: over "
        "{{ loss.draws }} draws the relative difference stays below "
        "${{ loss.below | sci }}$ in each row.",
        "损失函数表中的每个梯度都与 PyTorch 求出的一致：每行抽取 {{ loss.draws }} 次，相对误差都"
        "小于 "
        "${{ loss.below | sci }}$。",
        "all(row.max < 1e-12 for row in rows.values()) and below <= 1e-12",
        ("rows.*", "below"),
        runs="draws",
        spread=("worst.min", "worst.max"),
        figure="loss-table",
    ),
    Claim(
        "loss-identities",
        "NLL after log-softmax is cross-entropy, binary cross-entropy is the cross-entropy of the "
        "logits $(0, a)$, and the Gaussian NLL has the gradient of MSE divided by $2v$: over "
        "{{ loss.draws }} draws no value or gradient differs by more than "
        "${{ loss.same_below | sci }}$.",
        "log-softmax 之后的 NLL 就是交叉熵，二元交叉熵就是 logits 为 $(0, a)$ 的交叉熵，高斯 NLL "
        "的梯度是 MSE 的梯度除以 $2v$：抽取 {{ loss.draws }} 次，值与梯度的差都不超过 "
        "${{ loss.same_below | sci }}$。",
        "all(row.max < 1e-12 for row in identities.values()) and same_below <= 1e-12",
        ("identities.*", "same_below"),
        runs="draws",
        spread=("identities.nll.min", "identities.nll.max"),
        figure="loss-table",
    ),
)


def raw(rng: np.random.Generator, *shape: int) -> Any:
    return torch.tensor(2.0 * rng.normal(size=shape), requires_grad=True)


def mse(rng: np.random.Generator) -> Any:
    a, y = raw(rng, N), rng.normal(size=N)
    return a, TF.mse_loss(a, torch.tensor(y)), 2.0 / N * (a.detach().numpy() - y)


def mae(rng: np.random.Generator) -> Any:
    a, y = raw(rng, N), rng.normal(size=N)
    return a, TF.l1_loss(a, torch.tensor(y)), np.sign(a.detach().numpy() - y) / N


def huber(rng: np.random.Generator) -> Any:
    a, y, d = raw(rng, N), rng.normal(size=N), 1.5
    r = a.detach().numpy() - y
    return a, TF.huber_loss(a, torch.tensor(y), delta=d), np.clip(r, -d, d) / N


def quantile(rng: np.random.Generator) -> Any:
    a, y, tau = raw(rng, N), rng.normal(size=N), 0.9
    e = torch.tensor(y) - a
    return (
        a,
        torch.maximum(tau * e, (tau - 1.0) * e).mean(),
        ((y < a.detach().numpy()) - tau) / N,
    )


def binary(rng: np.random.Generator) -> Any:
    a, y = raw(rng, N), rng.integers(0, 2, N).astype(float)
    loss = TF.binary_cross_entropy_with_logits(a, torch.tensor(y))
    return a, loss, (F.sigmoid(a.detach().numpy())[0] - y) / N


def multilabel(rng: np.random.Generator) -> Any:
    a, y = raw(rng, N, C), rng.integers(0, 2, (N, C)).astype(float)
    loss = TF.binary_cross_entropy_with_logits(a, torch.tensor(y))
    return a, loss, (F.sigmoid(a.detach().numpy())[0] - y) / (N * C)


def softmax(a: Any) -> Array:
    return F.softmax(a.detach().numpy(), dim=-1)[0]


def classes(rng: np.random.Generator) -> Any:
    a, y = raw(rng, N, C), rng.integers(0, C, N)
    return a, TF.cross_entropy(a, torch.tensor(y)), (softmax(a) - np.eye(C)[y]) / N


def smoothed(rng: np.random.Generator) -> Any:
    a, y, e = raw(rng, N, C), rng.integers(0, C, N), 0.1
    q = (1.0 - e) * np.eye(C)[y] + e / C
    return a, TF.cross_entropy(a, torch.tensor(y), label_smoothing=e), (softmax(a) - q) / N


def weighted(rng: np.random.Generator) -> Any:
    a, y, w = raw(rng, N, C), rng.integers(0, C, N), rng.uniform(0.5, 3.0, C)
    each = w[y] / w[y].sum()
    loss = TF.cross_entropy(a, torch.tensor(y), weight=torch.tensor(w))
    return a, loss, each[:, None] * (softmax(a) - np.eye(C)[y])


def focal(rng: np.random.Generator) -> Any:
    a, y, gamma = raw(rng, N), rng.integers(0, 2, N), 2.0
    sign = 2.0 * y - 1.0
    log_q = TF.logsigmoid(torch.tensor(sign) * a)
    loss = -((1.0 - log_q.exp()) ** gamma * log_q).mean()
    q = F.sigmoid(sign * a.detach().numpy())[0]
    return a, loss, sign * (1.0 - q) ** gamma * (gamma * q * np.log(q) + q - 1.0) / N


def tokens(rng: np.random.Generator) -> Any:
    a, y = raw(rng, 2 * N, C), rng.integers(0, C, 2 * N)
    real = rng.random(2 * N) < 0.6
    real[0] = True
    loss = TF.cross_entropy(a, torch.tensor(np.where(real, y, -100)))
    return a, loss, real[:, None] * (softmax(a) - np.eye(C)[y]) / real.sum()


def ctc(rng: np.random.Generator) -> Any:
    """The probability of a symbol minus its share of the alignments, by listing all 81."""
    frames, a, word = 4, raw(rng, 4, 1, 3), [1, 2]
    p, shares = softmax(a)[:, 0], np.zeros((4, 3))
    for path in product(range(3), repeat=frames):
        if collapse(path) == word:
            for t, s in enumerate(path):
                shares[t, s] += np.prod([p[u, v] for u, v in enumerate(path)])
    lengths = torch.tensor([frames]), torch.tensor([len(word)])
    loss = TF.ctc_loss(a.log_softmax(-1), torch.tensor([word]), *lengths)
    return a, loss, ((p - shares / shares[0].sum()) / len(word))[:, None]


def boxes(rng: np.random.Generator) -> Any:
    low = 2.0 * rng.normal(size=(2, N, 2))
    corners = np.concatenate([low, low + rng.uniform(0.5, 2.0, (2, N, 2))], axis=-1)
    a, b = torch.tensor(corners[0], requires_grad=True), torch.tensor(corners[1])
    side = torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])
    inter = side.clamp(min=0).prod(1)
    union = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - inter
    hull = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).prod(1)
    eps = 1e-7
    loss = (1.0 - inter / (union + eps) + (hull - union) / (hull + eps)).mean()
    _, cache = F.generalized_box_iou_loss(*corners, reduction="mean", eps=eps)
    return a, loss, F.generalized_box_iou_loss_backward(1.0, cache)[0]


ROWS: dict[str, Row] = {
    "mse": mse,
    "mae": mae,
    "huber": huber,
    "quantile": quantile,
    "binary": binary,
    "classes": classes,
    "smoothed": smoothed,
    "weighted": weighted,
    "focal": focal,
    "multilabel": multilabel,
    "tokens": tokens,
    "ctc": ctc,
    "boxes": boxes,
}


def compare(row: Row) -> list[float]:
    found = []
    for seed in range(DRAWS):
        a, loss, formula = row(np.random.default_rng(seed))
        found.append(relative(formula, torch.autograd.grad(loss, a)[0].numpy()))
    return found


def identities() -> dict[str, list[float]]:
    out: dict[str, list[float]] = {"nll": [], "two_classes": [], "gaussian": []}
    for seed in range(DRAWS):
        rng = np.random.default_rng(100 + seed)
        a, y = rng.normal(size=(N, C)), rng.integers(0, C, N)
        ce, ce_cache = F.cross_entropy(a, y)
        log_p, softmax_cache = F.log_softmax(a, dim=1)
        nll, nll_cache = F.nll_loss(log_p, y)
        slope = F.log_softmax_backward(F.nll_loss_backward(1.0, nll_cache), softmax_cache)
        out["nll"].append(
            max(abs(float(nll - ce)), relative(slope, F.cross_entropy_backward(1.0, ce_cache)))
        )
        z, label = rng.normal(size=N), rng.integers(0, 2, N)
        bce, bce_cache = F.binary_cross_entropy_with_logits(z, label.astype(float))
        two, two_cache = F.cross_entropy(np.stack([np.zeros(N), z], axis=1), label)
        slope = F.cross_entropy_backward(1.0, two_cache)[:, 1]
        bce_slope = F.binary_cross_entropy_with_logits_backward(1.0, bce_cache)
        out["two_classes"].append(max(abs(float(bce - two)), relative(slope, bce_slope)))
        yhat, v = raw(rng, N), float(rng.uniform(0.5, 3.0))
        label = rng.normal(size=N)
        variance = torch.full((N,), v, dtype=torch.float64)
        value = TF.gaussian_nll_loss(yhat, torch.tensor(label), variance, full=True)
        _, cache = F.mse_loss(yhat.detach().numpy(), label)
        slope = F.mse_loss_backward(1.0, cache) / (2.0 * v)
        out["gaussian"].append(relative(slope, torch.autograd.grad(value, yhat)[0].numpy()))
    return out


def ends(found: list[float]) -> dict[str, float]:
    return {"min": min(found), "median": float(np.median(found)), "max": max(found)}


def run() -> dict[str, Any]:
    rows = {name: compare(row) for name, row in ROWS.items()}
    same = identities()
    return {
        "draws": DRAWS,
        "rows": {name: ends(found) for name, found in rows.items()},
        "worst": ends([max(found) for found in rows.values()]),
        "below": max(1e-14, bound(max(max(found) for found in rows.values()))),
        "identities": {name: ends(found) for name, found in same.items()},
        "same_below": max(1e-14, bound(max(max(found) for found in same.values()))),
    }


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    from experiments import style

    names = {
        "en": {
            "mse": "real number: MSE",
            "mae": "MAE",
            "huber": "Huber",
            "quantile": "quantile",
            "binary": "yes or no: BCE",
            "classes": "one of C: cross-entropy",
            "smoothed": "label smoothing",
            "weighted": "class weights",
            "focal": "focal loss",
            "multilabel": "any of C: BCE per label",
            "tokens": "next token, masked",
            "ctc": "labels without times: CTC",
            "boxes": "boxes: 1 − GIoU",
            "nll": "NLL = cross-entropy",
            "two_classes": "BCE = two-class CE",
            "gaussian": "Gaussian NLL = MSE / 2v",
            "x": "relative difference of the gradients",
            "row": "formula against PyTorch",
            "same": "two names, one loss",
        },
        "zh": {
            "mse": "实数：MSE",
            "mae": "MAE",
            "huber": "Huber",
            "quantile": "分位数",
            "binary": "是或否：BCE",
            "classes": "C 类选一：交叉熵",
            "smoothed": "标签平滑",
            "weighted": "类别权重",
            "focal": "focal loss",
            "multilabel": "任选若干：逐标签 BCE",
            "tokens": "下一个词元，带掩码",
            "ctc": "没有时刻的标签：CTC",
            "boxes": "边界框：1 − GIoU",
            "nll": "NLL = 交叉熵",
            "two_classes": "BCE = 两类交叉熵",
            "gaussian": "高斯 NLL = MSE / 2v",
            "x": "梯度的相对误差",
            "row": "公式与 PyTorch 对照",
            "same": "两个名称，同一个损失",
        },
    }[lang]
    bars = [
        Bar(names[name], result[group][name], color, names[label])
        for group, color, label in (
            ("rows", style.FORWARD, "row"),
            ("identities", style.BACKWARD, "same"),
        )
        for name in names
        if name in result[group]
    ]
    return {"loss-table": draw_ranges(bars, names["x"], height=0.28)}
