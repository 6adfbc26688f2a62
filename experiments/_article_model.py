"""The article's 1-10-1 ReLU network on its data, many seeds at once, in float64.

Helper of the ``learning_rate*`` experiments. All arrays carry the seed as their first axis; every
seed has its own data, initial weights and batch order. The population error is computed by
quadrature, not from a sample.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

SAMPLES, HIDDEN, BATCH = 100, 10, 32

# E over x ~ N(0, 1): a fine normalised grid; exact enough for a piecewise linear function
_GRID = np.linspace(-6.0, 6.0, 1201)
_WEIGHT = np.exp(-0.5 * _GRID**2)
_WEIGHT /= _WEIGHT.sum()


class Runs:
    """``seeds`` independent copies of the article's training run."""

    def __init__(self, seeds: int) -> None:
        self.rngs = [np.random.default_rng(seed) for seed in range(seeds)]
        x = np.stack([r.normal(size=SAMPLES) for r in self.rngs])
        noise = np.stack([r.normal(size=SAMPLES) for r in self.rngs])
        self.x, self.y = x, 2.0 * x + 1.0 + noise
        bound = 1.0 / np.sqrt(HIDDEN)
        # PyTorch's default, U(-1/sqrt(fan_in), 1/sqrt(fan_in)); one row of parameters per seed
        self.theta = np.stack(
            [
                np.concatenate([r.uniform(-1, 1, 2 * HIDDEN), r.uniform(-bound, bound, HIDDEN + 1)])
                for r in self.rngs
            ]
        )

    def order(self) -> np.ndarray:
        return np.stack([r.permutation(SAMPLES) for r in self.rngs])

    def batches(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """One epoch of (seeds, batch) pairs, reshuffled per seed; 32, 32, 32, 4 samples."""
        index = self.order()
        for k in range(0, SAMPLES, BATCH):
            part = index[:, k : k + BATCH]
            yield np.take_along_axis(self.x, part, 1), np.take_along_axis(self.y, part, 1)

    def split(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        h = HIDDEN
        t = self.theta
        return t[:, :h], t[:, h : 2 * h], t[:, 2 * h : 3 * h], t[:, 3 * h]

    def predict(self, x: np.ndarray) -> np.ndarray:
        w1, b1, w2, b2 = self.split()
        hidden = np.maximum(x[:, :, None] * w1[:, None, :] + b1[:, None, :], 0.0)
        return np.asarray(np.einsum("snh,sh->sn", hidden, w2) + b2[:, None])

    def loss_and_gradient(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean squared error per seed and its gradient, one row per seed."""
        w1, b1, w2, b2 = self.split()
        a = x[:, :, None] * w1[:, None, :] + b1[:, None, :]
        hidden = np.maximum(a, 0.0)
        error = np.einsum("snh,sh->sn", hidden, w2) + b2[:, None] - y
        d2 = 2.0 * error / x.shape[1]
        d1 = d2[:, :, None] * w2[:, None, :] * (a > 0)
        gradient = np.concatenate(
            [
                np.einsum("snh,sn->sh", d1, x),
                d1.sum(axis=1),
                np.einsum("snh,sn->sh", hidden, d2),
                d2.sum(axis=1, keepdims=True),
            ],
            axis=1,
        )
        return np.mean(error**2, axis=1), gradient

    def population_mse(self) -> np.ndarray:
        """Expected squared error on fresh data: 1 (the noise) plus that of the function."""
        x = np.broadcast_to(_GRID, (len(self.rngs), _GRID.size))
        return 1.0 + ((self.predict(x) - (2.0 * _GRID + 1.0)) ** 2) @ _WEIGHT


class SGD:
    def __init__(self, lr: float) -> None:
        self.lr = lr

    def step(self, theta: np.ndarray, g: np.ndarray) -> np.ndarray:
        return theta - self.lr * g


class Adam(SGD):
    def __init__(self, lr: float) -> None:
        super().__init__(lr)
        self.m: np.ndarray | float = 0.0
        self.v: np.ndarray | float = 0.0
        self.t = 0

    def step(self, theta: np.ndarray, g: np.ndarray) -> np.ndarray:
        self.t += 1
        self.m = 0.9 * self.m + 0.1 * g
        self.v = 0.999 * self.v + 0.001 * g * g
        m, v = self.m / (1 - 0.9**self.t), self.v / (1 - 0.999**self.t)
        return theta - self.lr * m / (np.sqrt(v) + 1e-8)
