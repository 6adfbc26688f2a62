"""Gradient accumulation is the large batch, computed in pieces: it changes no gradient and no
ratio between layers.

Measured: a 20-layer sigmoid network (width 32, N(0, 1/n) weights, mean squared error), batch of 64
in one piece and as 4 micro-batches of 16 whose losses are divided by 4; float64, 10 seeds.
Relative difference of all gradients, norm of the first layer's gradient over the last layer's, and
the factor without the division.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._deep import sigmoid, spread

SEEDS = 10
DEPTH = 20
WIDTH = 32
PIECES = 4


def gradients(weights: list[np.ndarray], x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """dJ/dW_l of J = mean((h_L - y)^2) for h_l = sigmoid(W_l h_{l-1})."""
    hs = [x]
    for w in weights:
        hs.append(sigmoid(hs[-1] @ w.T))
    grad = 2.0 * (hs[-1] - y) / y.size
    out = []
    for w, before, after in zip(weights[::-1], hs[-2::-1], hs[:0:-1], strict=True):
        delta = grad * after * (1.0 - after)
        out.append(delta.T @ before)
        grad = delta @ w
    return out[::-1]


def total(grads: list[np.ndarray]) -> float:
    return float(np.sqrt(sum(np.sum(g * g) for g in grads)))


def measure(seed: int) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    weights = [rng.normal(0.0, np.sqrt(1.0 / WIDTH), (WIDTH, WIDTH)) for _ in range(DEPTH)]
    x, y = rng.normal(size=(64, WIDTH)), rng.normal(size=(64, WIDTH))
    whole = gradients(weights, x, y)
    summed = [np.zeros_like(w) for w in weights]
    for xs, ys in zip(np.split(x, PIECES), np.split(y, PIECES), strict=True):
        summed = [s + g for s, g in zip(summed, gradients(weights, xs, ys), strict=True)]
    divided = [s / PIECES for s in summed]
    norm = np.linalg.norm
    return {
        "difference": max(
            float(norm(d - w) / norm(w)) for d, w in zip(divided, whole, strict=True)
        ),
        "ratio_whole": float(norm(whole[0]) / norm(whole[-1])),
        "ratio_accumulated": float(norm(divided[0]) / norm(divided[-1])),
        "factor_undivided": total(summed) / total(whole),
    }


def run() -> dict[str, Any]:
    rows = [measure(seed) for seed in range(SEEDS)]
    result: dict[str, Any] = {"seeds": SEEDS, "depth": DEPTH, "pieces": PIECES}
    for key in rows[0]:
        result[key] = spread([row[key] for row in rows])
    # the order of magnitude of rounding, as a bound that holds for every seed and layer
    assert result["difference"]["max"] < 1e-14
    return result
