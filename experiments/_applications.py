"""Shared by the application experiments: softmax cross-entropy, Adam, spread, pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from experiments import style

Array = np.ndarray


def log_softmax(z: Array) -> Array:
    """Log-softmax along the last axis."""
    z = z - z.max(axis=-1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


def cross_entropy(z: Array, y: Array) -> tuple[float, Array]:
    """Return the mean cross-entropy of logits (N, C) and its gradient for the logits."""
    logp = log_softmax(z)
    rows = np.arange(len(y))
    grad = np.exp(logp)
    grad[rows, y] -= 1.0
    return float(-logp[rows, y].mean()), grad / len(y)


class Adam:
    """Adam on a dict of arrays, in place."""

    def __init__(self, params: dict[str, Array], lr: float) -> None:
        self.params, self.lr, self.t = params, lr, 0
        self.m = {k: np.zeros_like(p) for k, p in params.items()}
        self.v = {k: np.zeros_like(p) for k, p in params.items()}

    def step(self, grads: dict[str, Array]) -> None:
        self.t += 1
        for k, g in grads.items():
            self.m[k] += 0.1 * (g - self.m[k])
            self.v[k] += 0.001 * (g * g - self.v[k])
            m = self.m[k] / (1.0 - 0.9**self.t)
            v = self.v[k] / (1.0 - 0.999**self.t)
            self.params[k] -= self.lr * m / (np.sqrt(v) + 1e-8)


def numerical(f: Any, x: Array, eps: float = 1e-6) -> Array:
    """Central differences of a function of no argument that reads ``x`` (changed and restored)."""
    out = np.zeros_like(x)
    flat, grad = x.reshape(-1), out.reshape(-1)
    for i in range(flat.size):
        kept = flat[i]
        flat[i] = kept + eps
        up = f()
        flat[i] = kept - eps
        grad[i] = (up - f()) / (2 * eps)
        flat[i] = kept
    return out


def gradient(tensor: torch.Tensor) -> Array:
    """The gradient that ``backward`` has stored, as an array."""
    if tensor.grad is None:
        raise ValueError("the tensor has no gradient")
    array: Array = tensor.grad.numpy()
    return array


def worst(a: Array, b: Array) -> float:
    """Largest difference relative to the largest element of ``b``."""
    return float(np.abs(a - b).max() / np.abs(b).max())


def spread(values: Any) -> dict[str, float]:
    v = np.asarray(values, dtype=float)
    return {
        "mean": float(v.mean()),
        "median": float(np.median(v)),
        "min": float(v.min()),
        "max": float(v.max()),
    }


def pixels(
    ax: Axes, image: Array, x: float, y: float, size: float, *, scale: float | None = None
) -> None:
    """Draw a small matrix as squares; opacity is the magnitude, red is negative."""
    image = np.asarray(image)
    top = float(np.abs(image).max()) if scale is None else scale
    rows, cols = image.shape
    cell = size / max(rows, cols)
    ax.add_patch(
        Rectangle((x, y), size, size, facecolor="none", edgecolor=style.MUTED, linewidth=0.8)
    )
    for i in range(rows):
        for j in range(cols):
            strength = min(1.0, abs(float(image[i, j])) / top) if top else 0.0
            if strength < 0.04:
                continue
            ax.add_patch(
                Rectangle(
                    (x + j * cell, y + size - (i + 1) * cell),
                    cell,
                    cell,
                    facecolor=style.INK if image[i, j] > 0 else style.BACKWARD,
                    edgecolor="none",
                    alpha=round(strength, 2),
                )
            )
