"""Section 8 of the article: what each trend changes in the backward pass, measured.

One tanh network (6-16-3, batch 24, half mean squared error), float64, gradients as one flat
vector; differences are relative (norm of the difference / norm of the full gradient). Each claim
is measured with 20 seeds:

* data parallel: the mean of the gradients of equal shards is the gradient of the whole batch;
  with unequal shards only the mean weighted by the shard size is;
* federated averaging: with one local step of gradient descent the same, with more another step;
* shared encoder: the gradient of a sum of two losses is the sum of the two gradients;
* prior knowledge as a penalty: the gradient of loss + penalty is the sum of both gradients;
* low-rank adaptation: the number of trained values and of multiply-adds, by formula and counted by
  PyTorch while it runs;
* float16: the part of the nonzero gradient entries that becomes zero, or infinite, when every
  array of the backward pass is rounded to float16, for several loss scales (8 tanh layers of
  width 32; the loss is averaged over 10⁷ values, as with many tokens and a large vocabulary).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch.utils.flop_counter import FlopCounterMode

import bpref.functional as F
from bpref import nn
from experiments import _ranges, style
from experiments._agreement import relative
from experiments._applications import spread
from experiments._claim import Claim
from experiments._dots import draw_bands

SEEDS = 20
N, D, H, M = 24, 6, 16, 3
SCALES = tuple(range(0, 45, 5))  # powers of two
Array = np.ndarray

WORKED = ("seeds", "float16.entries")
CLAIMS = (
    Claim(
        id="outlook-low-rank-saves-little-work",
        en="Of a stack of eight layers with low-rank adaptation "
        "{{ outlook.low_rank.trained_ratio | pct1 }} of the values are trained; the multiply-adds "
        "of a training step shrink by {{ outlook.low_rank.work_saved | pct1 }}.",
        zh="八层采用低秩适应，被训练的数值占 {{ outlook.low_rank.trained_ratio | pct1 }}；一步"
        "训练的乘加次数减少 {{ outlook.low_rank.work_saved | pct1 }}。",
        # W h and its way back stay. At best 8 of the 23 products of the stack are saved: 35 %.
        criterion="low_rank.lora.counted == low_rank.lora.multiply_adds and low_rank.full.counted "
        "== low_rank.full.multiply_adds and low_rank.trained_ratio < 0.02 and 0.3 < "
        "low_rank.work_saved < 0.35",
        covers=("low_rank.*",),
        exact="count",
    ),
    Claim(
        id="outlook-shards",
        en="The mean over equal shards and the weighted mean over unequal ones differ from the "
        "full gradient by at most ${{ outlook.shards.equal.max | sci }}$ and "
        "${{ outlook.shards.unequal_weighted.max | sci }}$; the plain mean over unequal ones by "
        "{{ outlook.shards.unequal_mean.min | pct }} to "
        "{{ outlook.shards.unequal_mean.max | pct }} ({{ outlook.seeds }} seeds).",
        zh="等分时取平均、不等分时加权平均，与完整梯度的相对误差至多为 "
        "${{ outlook.shards.equal.max | sci }}$ 和 "
        "${{ outlook.shards.unequal_weighted.max | sci }}$；不等分而直接平均，误差为 "
        "{{ outlook.shards.unequal_mean.min | pct }} 到 "
        "{{ outlook.shards.unequal_mean.max | pct }}（{{ outlook.seeds }} 个种子）。",
        criterion="max(shards.equal.max, shards.unequal_weighted.max) < 1e-12 and "
        "shards.unequal_mean.min > 0.1",
        covers=("shards.*",),
        runs="seeds",
        spread=("shards.unequal_mean.min", "shards.unequal_mean.max"),
        figure="outlook",
    ),
    Claim(
        id="outlook-gradients-add",
        en="The gradient of a sum of two losses on one encoder is the sum of their gradients to a "
        "relative ${{ outlook.shared_encoder.max | sci }}$, with a penalty to "
        "${{ outlook.penalty.max | sci }}$ ({{ outlook.seeds }} networks).",
        zh="同一编码器上两个损失之和，其梯度等于两个梯度之和，相对误差至多为 "
        "${{ outlook.shared_encoder.max | sci }}$，带惩罚项时为 "
        "${{ outlook.penalty.max | sci }}$（{{ outlook.seeds }} 个网络）。",
        criterion="max(shared_encoder.max, penalty.max) < 1e-12",
        covers=("shared_encoder.*", "penalty.*"),
        runs="seeds",
        spread=("shared_encoder.min", "shared_encoder.max"),
        figure="outlook",
    ),
    Claim(
        id="outlook-federated-steps",
        en="With one local step the averaged change is that of one step on all data to a relative "
        "${{ outlook.federated.one_step.max | sci }}$; after five local steps it differs by "
        "{{ outlook.federated.five_steps.mean | pct }} on average, after twenty by "
        "{{ outlook.federated.twenty_steps.mean | pct }}, and in each of {{ outlook.seeds }} runs "
        "by more after twenty.",
        zh="本地只走一步，平均后的变化量与在全部数据上走一步相同，相对误差至多为 "
        "${{ outlook.federated.one_step.max | sci }}$；本地走五步之后平均相差 "
        "{{ outlook.federated.five_steps.mean | pct }}，二十步之后相差 "
        "{{ outlook.federated.twenty_steps.mean | pct }}，{{ outlook.seeds }} "
        "次运行都是二十步之后相差更多。",
        criterion="federated.one_step.max < 1e-12 and federated.five_steps.min > 0.01 and "
        "federated.more_after_twenty == seeds",
        covers=("federated.*",),
        runs="seeds",
        spread=("federated.five_steps.min", "federated.five_steps.max"),
        figure="outlook",
    ),
    Claim(
        id="outlook-float16-window",
        en="Without a loss scale {{ outlook.float16.scales.p0.zero.mean | pct1 }} of the gradient "
        "entries become zero and the gradient is off by "
        "{{ outlook.float16.scales.p0.error.mean | pct }} of its length; at $2^{20}$ none does and "
        "it is off by {{ outlook.float16.scales.p20.error.mean | pct2 }}; at $2^{40}$ "
        "{{ outlook.float16.scales.p40.not_finite.mean | pct }} are not finite "
        "({{ outlook.float16.seeds }} networks).",
        zh="不放大损失，{{ outlook.float16.scales.p0.zero.mean | pct1 }} 的梯度元素变为零，梯度的"
        "误差是其长度的 {{ outlook.float16.scales.p0.error.mean | pct }}；放大 $2^{20}$ 倍，没有"
        "元素变为零，误差为 {{ outlook.float16.scales.p20.error.mean | pct2 }}；放大 $2^{40}$ 倍，"
        "{{ outlook.float16.scales.p40.not_finite.mean | pct }} 的元素不是有限数"
        "（{{ outlook.float16.seeds }} 个网络）。",
        # float16 keeps 11 binary digits: rounding alone costs some 2 ** -11 per operation.
        criterion="float16.scales.p0.zero.min > 0.05 and float16.scales.p0.error.min > 0.1 and "
        "float16.scales.p20.zero.max < 0.001 and float16.scales.p20.error.max < 0.005 and "
        "float16.scales.p20.not_finite.max == 0 and float16.scales.p40.not_finite.min > 0.99",
        covers=("float16.*",),
        runs="float16.seeds",
        spread=("float16.scales.p0.zero.min", "float16.scales.p0.zero.max"),
        figure="outlook_float16",
    ),
)


def network(seed: int) -> tuple[nn.MLP, Array, Array]:
    rng = np.random.default_rng(seed)
    model = nn.MLP([D, H, M], activation="tanh", generator=rng)
    return model, rng.standard_normal((N, D)), rng.standard_normal((N, M))


def gradient(model: nn.Module, x: Array, y: Array) -> Array:
    """The gradient of the half mean squared error on the batch (x, y), as one vector."""
    model.zero_grad()
    _, cache = F.half_mse_loss(model(x), y)
    model.backward(F.half_mse_loss_backward(1.0, cache))
    return np.concatenate([p.grad.ravel() for p in model.parameters()])


def get(model: nn.Module) -> Array:
    return np.concatenate([p.data.ravel() for p in model.parameters()])


def put(model: nn.Module, values: Array) -> None:
    start = 0
    for p in model.parameters():
        p.data[...] = values[start : start + p.data.size].reshape(p.data.shape)
        start += p.data.size


def shards(seed: int) -> dict[str, float]:
    model, x, y = network(seed)
    full = gradient(model, x, y)

    def parts(sizes: list[int]) -> list[Array]:
        cuts = np.cumsum(sizes)[:-1]
        pairs = zip(np.split(x, cuts), np.split(y, cuts), strict=True)
        return [gradient(model, xs, ys) for xs, ys in pairs]

    equal = parts([6, 6, 6, 6])
    sizes = [2, 4, 6, 12]
    unequal = parts(sizes)
    weighted = sum(n * g for n, g in zip(sizes, unequal, strict=True)) / N
    return {
        "equal": relative(np.mean(equal, axis=0), full),
        "unequal_mean": relative(np.mean(unequal, axis=0), full),
        "unequal_weighted": relative(np.asarray(weighted), full),
    }


def federated(seed: int, local_steps: int, lr: float = 0.1) -> float:
    """Relative difference between averaged local training and the same steps on all data."""
    model, x, y = network(seed)
    start = get(model)

    def train(xs: Array, ys: Array) -> Array:
        put(model, start)
        for _ in range(local_steps):
            put(model, get(model) - lr * gradient(model, xs, ys))
        return get(model) - start

    central = train(x, y)
    clients = [train(xs, ys) for xs, ys in zip(np.split(x, 4), np.split(y, 4), strict=True)]
    return relative(np.mean(clients, axis=0), central)


def shared_encoder(seed: int) -> float:
    """One encoder, two heads with a loss each (two modalities of the output side)."""
    rng = np.random.default_rng(seed)
    encoder = nn.Sequential(nn.Linear(D, H, generator=rng), nn.Tanh())
    heads = [nn.Linear(H, m, generator=rng) for m in (3, 2)]
    x = rng.standard_normal((N, D))
    labels = [rng.standard_normal((N, m)) for m in (3, 2)]

    def encoder_gradient(which: tuple[int, ...]) -> Array:
        encoder.zero_grad()
        h = encoder(x)
        grad_h = np.zeros_like(h)
        for i in which:
            _, cache = F.half_mse_loss(heads[i](h), labels[i])
            grad_h += heads[i].backward(F.half_mse_loss_backward(1.0, cache))
        encoder.backward(grad_h)
        return np.concatenate([p.grad.ravel() for p in encoder.parameters()])

    both = encoder_gradient((0, 1))
    return relative(encoder_gradient((0,)) + encoder_gradient((1,)), both)


def penalty(seed: int, strength: float = 0.5) -> float:
    """Prior knowledge "the outputs of each sample add up to 1" as a penalty on the outputs."""
    model, x, y = network(seed)

    def gradients(with_data: bool, with_prior: bool) -> Array:
        model.zero_grad()
        output = model(x)
        grad = np.zeros_like(output)
        if with_data:
            _, cache = F.half_mse_loss(output, y)
            grad += F.half_mse_loss_backward(1.0, cache)
        if with_prior:
            grad += strength / N * (output.sum(axis=1, keepdims=True) - 1.0)
        model.backward(grad)
        return np.concatenate([p.grad.ravel() for p in model.parameters()])

    both = gradients(True, True)
    return relative(gradients(True, False) + gradients(False, True), both)


def low_rank(width: int = 1024, layers: int = 8, rank: int = 8, batch: int = 1) -> dict[str, Any]:
    """Counts for a stack of square layers W + BA with W frozen; biases left out."""
    dense = width * width
    thin = 2 * width * rank
    forward = layers * batch * dense
    full = {"trained": layers * dense, "multiply_adds": forward + (2 * layers - 1) * batch * dense}
    # forward: W h, A h, B(Ah); backward: Δ W below every layer but the first (frozen layers are
    # crossed), no Δᵀ H for W; for the thin matrices a product for the input and one for the weight
    lora = {
        "trained": layers * thin,
        "multiply_adds": forward
        + (layers - 1) * batch * dense
        + 3 * layers * batch * thin
        - batch * width * rank,
    }
    square = [torch.nn.Linear(width, width, bias=False, device="meta") for _ in range(layers)]
    full["counted"] = counted([*square], width)
    lora["counted"] = counted([_LowRank(width, rank) for _ in range(layers)], width)
    return {
        "width": width,
        "layers": layers,
        "rank": rank,
        "full": full,
        "lora": lora,
        "trained_ratio": lora["trained"] / (lora["trained"] + full["trained"]),
        "work_saved": 1 - lora["multiply_adds"] / full["multiply_adds"],
    }


class _LowRank(torch.nn.Module):
    """A frozen linear map without bias and the product of two thin ones."""

    def __init__(self, width: int, rank: int) -> None:
        super().__init__()
        self.frozen = torch.nn.Linear(width, width, bias=False, device="meta")
        self.frozen.requires_grad_(False)
        self.a = torch.nn.Linear(width, rank, bias=False, device="meta")
        self.b = torch.nn.Linear(rank, width, bias=False, device="meta")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.frozen(x) + self.b(self.a(x))
        return out


def counted(layers: list[torch.nn.Module], width: int) -> int:
    """Multiply-adds of one forward and one backward pass, counted by PyTorch."""
    net = torch.nn.Sequential(*layers)
    with FlopCounterMode(display=False) as counter:
        net(torch.empty(1, width, device="meta")).sum().backward()
    return int(counter.get_total_flops()) // 2


def float16(seed: int, scales: tuple[int, ...] = SCALES) -> dict[str, Any]:
    """Round every array of the backward pass to float16; count what is lost."""
    rng = np.random.default_rng(seed)
    width, layers, batch = 32, 8, 16
    weights = [rng.standard_normal((width, width)) / width**0.5 for _ in range(layers)]
    h = [rng.standard_normal((batch, width))]
    for w in weights:
        h.append(np.tanh(h[-1] @ w.T))
    error = (h[-1] - rng.standard_normal((batch, width))) / 1e7

    def backward(scale: float, dtype: type) -> Array:
        grads: list[Array] = []
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            delta: Array = (scale * error).astype(dtype)
            for w, below, out in zip(weights[::-1], h[-2::-1], h[:0:-1], strict=True):
                delta = (delta * (1 - out.astype(dtype) ** 2)).astype(dtype)
                grads.append((delta.T @ below.astype(dtype)).astype(dtype).ravel())
                delta = (delta @ w.astype(dtype)).astype(dtype)
        return np.concatenate(grads).astype(np.float64) / scale

    exact = backward(1.0, np.float64)
    result: dict[str, Any] = {"entries": exact.size, "scales": {}}
    for power in scales:
        g = backward(2.0**power, np.float16)
        finite = np.isfinite(g)
        result["scales"][f"p{power}"] = {
            "zero": float(np.mean((g == 0) & (exact != 0))),
            "not_finite": float(np.mean(~finite)),
            "error": relative(g, exact) if finite.all() else None,
        }
    return result


def many_float16(seeds: int = 10) -> dict[str, Any]:
    """What float16 loses over several networks; no error where a run was not finite."""
    runs = [float16(seed) for seed in range(seeds)]
    rows = {p: [r["scales"][p] for r in runs] for p in runs[0]["scales"]}
    return {
        "entries": runs[0]["entries"],
        "seeds": seeds,
        "scales": {
            power: {
                key: None if None in values else spread(values)
                for key, values in ((k, [row[k] for row in found]) for k in found[0])
            }
            for power, found in rows.items()
        },
    }


def run() -> dict[str, Any]:
    table = [shards(seed) for seed in range(SEEDS)]
    one, five, twenty = ([federated(seed, steps) for seed in range(SEEDS)] for steps in (1, 5, 20))
    return {
        "seeds": SEEDS,
        "shards": {
            "equal": _ranges.spread(row["equal"] for row in table),
            "unequal_weighted": _ranges.spread(row["unequal_weighted"] for row in table),
            "unequal_mean": spread([row["unequal_mean"] for row in table]),
        },
        "federated": {
            "one_step": _ranges.spread(one),
            "five_steps": spread(five),
            "twenty_steps": spread(twenty),
            "more_after_twenty": int(np.greater(twenty, five).sum()),
        },
        "shared_encoder": _ranges.spread(shared_encoder(seed) for seed in range(SEEDS)),
        "penalty": _ranges.spread(penalty(seed) for seed in range(SEEDS)),
        "low_rank": low_rank(),
        "float16": many_float16(),
    }


def draw(result: dict[str, Any], lang: str) -> dict[str, Figure]:
    return {
        "outlook": draw_differences(result, lang),
        "outlook_float16": draw_float16(result, lang),
    }


def draw_differences(result: dict[str, Any], lang: str) -> Figure:
    rows = {
        "en": (
            "equal shards, mean",
            "unequal shards, weighted",
            "unequal shards, mean",
            "federated, 1 step",
            "federated, 5 steps",
            "federated, 20 steps",
            "two losses",
            "loss and penalty",
        ),
        "zh": (
            "等分，平均",
            "不等分，加权平均",
            "不等分，直接平均",
            "联邦平均，1 步",
            "联邦平均，5 步",
            "联邦平均，20 步",
            "两个损失",
            "损失与惩罚项",
        ),
    }[lang]
    shard, average = result["shards"], result["federated"]
    spreads = [shard[k] for k in ("equal", "unequal_weighted", "unequal_mean")]
    spreads += [average[k] for k in ("one_step", "five_steps", "twenty_steps")]
    spreads += [result["shared_encoder"], result["penalty"]]
    bars = [
        _ranges.Bar(row, found, style.SERIES[found["median"] > 1e-6])
        for row, found in zip(rows, spreads, strict=True)
    ]
    return _ranges.draw_ranges(bars, {"en": "relative difference", "zh": "相对误差"}[lang], 0.3)


def draw_float16(result: dict[str, Any], lang: str) -> Figure:
    zero, lost, x, y = {
        "en": ("become zero", "not finite", "loss scale, power of two", "share of the entries"),
        "zh": ("变为零", "不是有限数", "损失的放大倍数（2 的幂）", "元素所占比例"),
    }[lang]
    fig, ax = style.new_figure(6.2, 2.9)
    scales = [result["float16"]["scales"][f"p{power}"] for power in SCALES]
    for key, label, color in (
        ("zero", zero, style.SERIES[0]),
        ("not_finite", lost, style.SERIES[1]),
    ):
        draw_bands(ax, SCALES, [s[key] for s in scales], color=color, marker="o", label=label)
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    ax.legend(loc="center left")
    return fig
