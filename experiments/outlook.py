"""Section 8 of the article: what each trend changes in the backward pass, measured.

One tanh network (6-16-3, batch 24, half mean squared error), float64, gradients as one flat
vector; differences are relative (norm of the difference / norm of the full gradient). Each claim
is measured with 20 seeds and the largest error is kept:

* data parallel: the mean of the gradients of equal shards is the gradient of the whole batch;
  with unequal shards only the mean weighted by the shard size is;
* federated averaging: with one local step of gradient descent the same, with five another step;
* shared encoder: the gradient of a sum of two losses is the sum of the two gradients;
* prior knowledge as a penalty: the gradient of loss + penalty is the sum of both gradients;
* low-rank adaptation: the number of trained values and of multiply-adds, counted;
* float16: the part of the nonzero gradient entries that becomes zero, or infinite, when every
  array of the backward pass is rounded to float16, for several loss scales (8 tanh layers of
  width 32; the loss is averaged over 10⁷ values, as with many tokens and a large vocabulary).
"""

from __future__ import annotations

from typing import Any

import numpy as np

import bpref.functional as F
from bpref import nn

SEEDS = 20
N, D, H, M = 24, 6, 16, 3
Array = np.ndarray


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


def relative(estimate: Array, exact: Array) -> float:
    return float(np.linalg.norm(estimate - exact) / np.linalg.norm(exact))


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
    return {
        "width": width,
        "layers": layers,
        "rank": rank,
        "full": full,
        "lora": lora,
        "trained_ratio": lora["trained"] / (lora["trained"] + full["trained"]),
        "work_saved": 1 - lora["multiply_adds"] / full["multiply_adds"],
    }


def float16(scales: tuple[int, ...] = (0, 10, 20, 40), seed: int = 0) -> dict[str, Any]:
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


def run() -> dict[str, Any]:
    table = [shards(seed) for seed in range(SEEDS)]
    return {
        "seeds": SEEDS,
        "shards": {
            "equal": max(row["equal"] for row in table),
            "unequal_weighted": max(row["unequal_weighted"] for row in table),
            "unequal_mean": float(np.mean([row["unequal_mean"] for row in table])),
        },
        "federated": {
            "one_step": max(federated(seed, 1) for seed in range(SEEDS)),
            "five_steps": float(np.mean([federated(seed, 5) for seed in range(SEEDS)])),
            "twenty_steps": float(np.mean([federated(seed, 20) for seed in range(SEEDS)])),
        },
        "shared_encoder": max(shared_encoder(seed) for seed in range(SEEDS)),
        "penalty": max(penalty(seed) for seed in range(SEEDS)),
        "low_rank": low_rank(),
        "float16": float16(),
    }
