"""Dead ReLU units: share of hidden units that no training sample activates any more.

Claim: what LeakyReLU repairs is dead units, not the gain through depth; and the step size decides
how many die. Measured: a 1-64-1 network (PyTorch's default initialisation) fitted to the article's
data y = 2x + 1 + noise with full-batch gradient descent, 200 steps, float64, 20 seeds. A unit is
dead when its pre-activation is negative on all 100 samples: with ReLU its weights then get a
gradient of exactly zero. For LeakyReLU the same units are counted; their gradient is not zero, so
they are "negative everywhere" but not dead.
"""

from __future__ import annotations

from typing import Any

import numpy as np

SEEDS = 20
UNITS = 64
STEPS = 200
RATES = {"lr_001": 0.01, "lr_005": 0.05, "lr_01": 0.1}
SLOPES = {"relu": 0.0, "leaky_relu": 0.01}


def train(slope: float, lr: float, seed: int) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(100, 1))
    y = 2.0 * x + 1.0 + rng.normal(size=(100, 1))
    bound = 1.0 / np.sqrt(UNITS)
    w1, b1 = rng.uniform(-1, 1, (UNITS, 1)), rng.uniform(-1, 1, UNITS)
    w2, b2 = rng.uniform(-bound, bound, (1, UNITS)), rng.uniform(-bound, bound, 1)
    start = float(np.mean((x @ w1.T + b1 <= 0).all(axis=0)))
    for _ in range(STEPS):
        a = x @ w1.T + b1
        h = np.where(a > 0, a, slope * a)
        out = h @ w2.T + b2
        d2 = 2.0 * (out - y) / len(x)  # nn.MSELoss
        d1 = (d2 @ w2) * np.where(a > 0, 1.0, slope)
        w2, b2 = w2 - lr * d2.T @ h, b2 - lr * d2.sum(axis=0)
        w1, b1 = w1 - lr * d1.T @ x, b1 - lr * d1.sum(axis=0)
    a = x @ w1.T + b1
    h = np.where(a > 0, a, slope * a)
    d2 = 2.0 * (h @ w2.T + b2 - y) / len(x)
    g1 = ((d2 @ w2) * np.where(a > 0, 1.0, slope)).T @ x
    return {
        "start": start,
        "negative": float(np.mean((a <= 0).all(axis=0))),
        "zero_gradient": float(np.mean(g1[:, 0] == 0.0)),
        "train_mse": float(np.mean((h @ w2.T + b2 - y) ** 2)),
    }


def run() -> dict[str, Any]:
    result: dict[str, Any] = {"seeds": SEEDS, "units": UNITS, "steps": STEPS}
    for name, slope in SLOPES.items():
        result[name] = {}
        for key, lr in RATES.items():
            rows = [train(slope, lr, seed) for seed in range(SEEDS)]
            entry = {}
            for field in rows[0]:
                v = np.array([row[field] for row in rows])
                entry[field] = {
                    "mean": float(v.mean()),
                    "min": float(v.min()),
                    "max": float(v.max()),
                }
            result[name][key] = entry
    return result
