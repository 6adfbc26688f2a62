"""Claim of the article: parameters are updated layer by layer. All gradients come first.

A 3-8-1 tanh network, 32 samples. The right gradient for W1 uses the same W2 as the forward
pass. The wrong one uses a W2 that has been updated already. Measured: the relative error of
the gradient for W1 as the median of 100 seeds, for three learning rates.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import bpref.functional as F
from experiments import _two_layer as net

RATES = {"lr_0_01": 0.01, "lr_0_1": 0.1, "lr_1": 1.0}
SEEDS = 100


def relative_error(seed: int, lr: float) -> float:
    rng = np.random.default_rng(seed)
    w1, b1, w2, b2 = net.init(rng, 3, 8)
    x, y = rng.standard_normal((32, 3)), rng.standard_normal((32, 1))
    a1, cache1 = F.linear(x, w1, b1)
    h1, cache_h = F.tanh(a1)
    output, cache2 = F.linear(h1, w2, b2)
    delta2 = F.half_mse_loss_backward(1.0, F.half_mse_loss(output, y)[1])
    grad_h1, grad_w2, _ = F.linear_backward(delta2, cache2)
    right = F.linear_backward(F.tanh_backward(grad_h1, cache_h), cache1)[1]

    early = w2 - lr * grad_w2  # the update that comes too soon
    wrong = F.linear_backward(F.tanh_backward(delta2 @ early, cache_h), cache1)[1]
    return float(np.linalg.norm(wrong - right) / np.linalg.norm(right))


def run() -> dict[str, Any]:
    result: dict[str, Any] = {"seeds": SEEDS}
    for key, lr in RATES.items():
        errors = [relative_error(seed, lr) for seed in range(SEEDS)]
        result[key] = {"median": float(np.median(errors)), "max": float(max(errors))}
    return result
