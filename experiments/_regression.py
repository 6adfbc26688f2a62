"""The runs of `bpref.regression`, many seeds at once, in float64.

Seed s has the data, the initial weights and the batches of `make_data`, `MLP` and `make_loaders`
with that seed. The runs are independent; they are stacked along a first
axis of length `seeds` only for speed: the sum of their losses has, for each run, the gradient of
that run's loss, and SGD and Adam work element by element.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from bpref.regression import MLP, least_squares, make_data

EPOCHS, BATCH = 100, 32

# E over x ~ N(0, 1) on a grid; accurate to 1e-6 for piecewise linear functions.
_GRID = torch.linspace(-7.0, 7.0, 2801, dtype=torch.float64)
_WEIGHT = torch.exp(-0.5 * _GRID**2) / torch.exp(-0.5 * _GRID**2).sum()

Parameters = list[Tensor]
Model = Callable[[Parameters, Tensor], Tensor]


class Task:
    """Data of `seeds` runs, and for each step of the training the samples of its batch."""

    def __init__(self, seeds: int, epochs: int = EPOCHS) -> None:
        data = [make_data(seed=seed) for seed in range(seeds)]
        stacked = [torch.as_tensor(np.stack(part)) for part in zip(*data, strict=True)]
        self.x_train, self.y_train, self.x_test, self.y_test = stacked
        self.seeds, self.epochs = seeds, epochs
        self.n = self.x_train.shape[1]
        self.order = torch.stack([sample_order(seed, self.n, epochs) for seed in range(seeds)])

    def mlp(self) -> Parameters:
        """Initial weights of 1-10-1: W1 (S,10,1), b1 (S,1,10), W2 (S,1,10), b2 (S,1,1)."""
        states = [MLP(seed=seed).double().state_dict() for seed in range(self.seeds)]
        W1, b1, W2, b2 = (torch.stack([s[name] for s in states]) for name in states[0])
        return [p.clone().requires_grad_() for p in (W1, b1[:, None, :], W2, b2[:, None, :])]

    def linear(self) -> Parameters:
        """A line per run, started at 0: W (S,1,1), b (S,1,1)."""
        return [torch.zeros(self.seeds, 1, 1, dtype=torch.float64).requires_grad_() for _ in "Wb"]

    def batches(self, epoch: int, order: Tensor | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of an epoch: x and y of shape (S, 32, 1), the last one (S, 4, 1)."""
        order = self.order[:, epoch] if order is None else order
        rows = torch.arange(self.seeds)[:, None]
        for part in order.split(BATCH, dim=1):
            yield self.x_train[rows, part], self.y_train[rows, part]

    def line(self) -> tuple[np.ndarray, np.ndarray]:
        """Slope and intercept of least squares, shape (S,) each."""
        fits = [
            least_squares(x.numpy(), y.numpy())
            for x, y in zip(self.x_train, self.y_train, strict=True)
        ]
        return np.array([w[0, 0] for w, _ in fits]), np.array([b[0] for _, b in fits])


class _Numbers(Dataset[Tensor]):
    """0 … n - 1, whole batches at a time: much faster than sample by sample."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitems__(self, indices: list[int]) -> Tensor:
        return torch.tensor(indices)


@cache
def sample_order(seed: int, n: int, epochs: int) -> Tensor:
    """The samples in the order in which the package's loader gives them, (epochs, n)."""
    loader = DataLoader(
        _Numbers(n),
        batch_size=BATCH,
        shuffle=True,
        generator=torch.Generator().manual_seed(seed),
        collate_fn=lambda batch: batch,
    )
    return torch.stack([torch.cat(list(loader)) for _ in range(epochs)])


def mlp(parameters: Parameters, x: Tensor) -> Tensor:
    W1, b1, W2, b2 = parameters
    return torch.relu(x @ W1.mT + b1) @ W2.mT + b2


def linear(parameters: Parameters, x: Tensor) -> Tensor:
    W, b = parameters
    return x @ W.mT + b


def mse(output: Tensor, y: Tensor) -> Tensor:
    """One mean squared error per run, (S,)."""
    return ((output - y) ** 2).mean(dim=(1, 2))


def population_mse(model: Model, parameters: Parameters) -> Tensor:
    """Expected squared error on a new sample: noise variance 1 + squared distance to 2x + 1."""
    with torch.no_grad():
        f = model(parameters, _GRID[None, :, None])[..., 0]
        return 1.0 + ((f - 2 * _GRID - 1) ** 2 * _WEIGHT).sum(dim=1)


def summary(values: Tensor | np.ndarray) -> dict[str, float]:
    """Mean, standard deviation, least and largest value over the runs."""
    v = np.asarray(values, dtype=np.float64)
    return {
        "mean": float(v.mean()),
        "sd": float(v.std(ddof=1)),
        "min": float(v.min()),
        "max": float(v.max()),
    }
