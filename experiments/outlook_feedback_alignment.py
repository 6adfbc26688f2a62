"""Feedback alignment: a fixed random matrix in place of the transposed weights.

Claim (Lillicrap et al. 2016): the error sent back through a fixed random B instead of the weights
still trains the layer below, because the forward weights turn towards B. Measured: a tanh network
10-30-3 learns a random tanh teacher of the same size from 100 samples, full batch, gradient
descent with lr 0.1, 1000 steps, 10 seeds: the loss at the start and at the end, and the angle
between the update of the first layer and its true gradient. "Fixed first layer" trains the output
layer only.
"""

from __future__ import annotations

from typing import Any

import numpy as np

SEEDS, STEPS, LR = 10, 1000, 0.1
D, H, M, N = 10, 30, 3, 100
Array = np.ndarray


def train(mode: str, seed: int) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((N, D))
    teacher = (rng.standard_normal((H, D)) / D**0.5, rng.standard_normal((M, H)) / H**0.5)
    y = np.tanh(x @ teacher[0].T) @ teacher[1].T
    w1 = rng.standard_normal((H, D)) / D**0.5
    w2 = rng.standard_normal((M, H)) / H**0.5
    b = rng.standard_normal((M, H)) / H**0.5
    losses, angles = [], []
    for _ in range(STEPS):
        h = np.tanh(x @ w1.T)
        error = h @ w2.T - y
        losses.append(float((error**2).sum() / (2 * N)))
        true = ((error @ w2) * (1 - h * h)).T @ x / N
        used = true
        if mode == "alignment":
            used = ((error @ b) * (1 - h * h)).T @ x / N
            cosine = float((used * true).sum() / np.linalg.norm(used) / np.linalg.norm(true))
            angles.append(float(np.degrees(np.arccos(cosine))))
        elif mode == "fixed":
            used = np.zeros_like(w1)
        w2 = w2 - LR * error.T @ h / N
        w1 = w1 - LR * used
    out = {"start": losses[0], "end": losses[-1]}
    if angles:
        out |= {"angle_start": angles[0], "angle_end": angles[-1]}
    return out


def run() -> dict[str, Any]:
    result: dict[str, Any] = {"seeds": SEEDS, "steps": STEPS}
    for mode in ("backprop", "alignment", "fixed"):
        rows = [train(mode, seed) for seed in range(SEEDS)]
        result[mode] = {
            key: {
                "mean": float(np.mean([r[key] for r in rows])),
                "std": float(np.std([r[key] for r in rows])),
                "min": min(r[key] for r in rows),
                "max": max(r[key] for r in rows),
            }
            for key in rows[0]
        }
    return result
