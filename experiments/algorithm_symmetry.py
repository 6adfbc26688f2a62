"""Claim of the article: weights and biases start at random. Weights must, biases need not.

A 2-8-1 tanh network learns y = x1 x2 (64 points) with full-batch gradient descent, 1500
steps, learning rate 0.5, in five ways to start. Measured: the largest difference between
two rows of W1, and the loss, at the end; over 5 seeds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments import _two_layer as net

STEPS, LR, HIDDEN, SEEDS = 1500, 0.5, 8, 5
STARTS = ("all_zero", "equal", "equal_random_bias", "random_zero_bias", "random_random_bias")


def start(name: str, rng: np.random.Generator) -> net.Parameters:
    parameters = net.init(rng, 2, HIDDEN)
    bias = 0.5 * rng.standard_normal(HIDDEN)
    w1, _, w2, _ = parameters
    if name == "all_zero":
        w1[:], w2[:] = 0.0, 0.0
    elif name.startswith("equal"):
        w1[:], w2[:] = 0.5, 0.5
    if name.endswith("random_bias"):
        parameters[1] = bias
    return parameters


def train(name: str, seed: int) -> tuple[float, float]:
    """Return the spread of the rows of W1 and the loss after training."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1.5, 1.5, (64, 2))
    y = x[:, :1] * x[:, 1:]
    parameters = start(name, rng)
    for _ in range(STEPS):
        parameters = net.descend(parameters, net.gradients(parameters, x, y)[1], LR)
    spread = float(np.ptp(parameters[0], axis=0).max())
    return spread, net.loss(parameters, x, y)


def run() -> dict[str, Any]:
    result: dict[str, Any] = {"steps": STEPS, "seeds": SEEDS}
    for name in STARTS:
        rows = [train(name, seed) for seed in range(SEEDS)]
        result[name] = {
            "spread_median": float(np.median([r[0] for r in rows])),
            "spread_max": float(max(r[0] for r in rows)),
            "loss_median": float(np.median([r[1] for r in rows])),
        }
    return result
