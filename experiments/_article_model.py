"""The article's 1-10-1 ReLU network on its data, many seeds and many rates at once, in float64.

Helper of the ``learning_rate*`` experiments. The last two axes of the parameters are seed and
parameter; every seed has its own data, initial weights and batch order. A leading axis, if there
is one, is the learning rate: all rates see the same batches. The population error is computed by
quadrature, not from a sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from bpref import optim
from bpref.nn import Parameter
from bpref.optim.optimizer import State

SAMPLES, HIDDEN, BATCH = 100, 10, 32
LOST = 100.0  # an error above it, or no number at all: the run has diverged

# E over x ~ N(0, 1): a fine normalised grid; exact enough for a piecewise linear function
_GRID = np.linspace(-6.0, 6.0, 1201)
_WEIGHT = np.exp(-0.5 * _GRID**2)
_WEIGHT /= _WEIGHT.sum()

Pairs = tuple[np.ndarray, np.ndarray]


class Runs:
    """Independent copies of the article's training run, one for each seed."""

    def __init__(self, seeds: Iterable[int], scale: float = 1.0) -> None:
        self.rngs = [np.random.default_rng(seed) for seed in seeds]
        x = np.stack([r.normal(size=SAMPLES) for r in self.rngs])
        noise = np.stack([r.normal(size=SAMPLES) for r in self.rngs])
        self.x, self.y = x, 2.0 * x + 1.0 + noise
        bound = 1.0 / np.sqrt(HIDDEN)
        # PyTorch's default, U(-1/sqrt(fan_in), 1/sqrt(fan_in)), times scale
        self.theta = scale * np.stack(
            [
                np.concatenate([r.uniform(-1, 1, 2 * HIDDEN), r.uniform(-bound, bound, HIDDEN + 1)])
                for r in self.rngs
            ]
        )

    def batches(self, size: int = BATCH) -> Iterator[Pairs]:
        """One epoch of (seeds, batch) pairs, reshuffled per seed; the last one may be smaller."""
        index = np.stack([r.permutation(SAMPLES) for r in self.rngs])
        for k in range(0, SAMPLES, size):
            part = index[:, k : k + size]
            yield np.take_along_axis(self.x, part, 1), np.take_along_axis(self.y, part, 1)

    def epochs(self, number: int, size: int = BATCH) -> Iterator[Pairs]:
        """All batches of several epochs."""
        for _ in range(number):
            yield from self.batches(size)

    def fresh(self, steps: int, size: int = BATCH) -> Iterator[Pairs]:
        """Batches that nobody has seen before, from the article's distribution."""
        for _ in range(steps):
            x = np.stack([r.normal(size=size) for r in self.rngs])
            noise = np.stack([r.normal(size=size) for r in self.rngs])
            yield x, 2.0 * x + 1.0 + noise

    def split(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        h, t = HIDDEN, self.theta
        return t[..., :h], t[..., h : 2 * h], t[..., 2 * h : 3 * h], t[..., 3 * h]

    def predict(self, x: np.ndarray) -> np.ndarray:
        w1, b1, w2, b2 = self.split()
        hidden = np.maximum(x[..., :, None] * w1[..., None, :] + b1[..., None, :], 0.0)
        return np.asarray((hidden @ w2[..., None])[..., 0] + b2[..., None])

    def loss_and_gradient(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean squared error per run and its gradient, of the shape of the parameters."""
        w1, b1, w2, b2 = self.split()
        a = x[..., :, None] * w1[..., None, :] + b1[..., None, :]
        hidden = np.maximum(a, 0.0)
        error = (hidden @ w2[..., None])[..., 0] + b2[..., None] - y
        d2 = error * (2.0 / x.shape[-1])
        # w2 is the same for every sample, so it is taken out of the sums over them
        sums = np.stack([d2 * x, d2], axis=-2) @ (a > 0).astype(float)
        gradient = np.concatenate(
            [
                w2 * sums[..., 0, :],
                w2 * sums[..., 1, :],
                (d2[..., None, :] @ hidden)[..., 0, :],
                d2.sum(axis=-1, keepdims=True),
            ],
            axis=-1,
        )
        return np.mean(error**2, axis=-1), gradient

    def population_mse(self) -> np.ndarray:
        """Expected squared error on fresh data: 1 (the noise) plus that of the function.

        Infinity where a run has diverged.
        """
        x = np.broadcast_to(_GRID, (len(self.rngs), _GRID.size))
        error = 1.0 + ((self.predict(x) - (2.0 * _GRID + 1.0)) ** 2) @ _WEIGHT
        return np.where(error < LOST, error, np.inf)


class Rates:
    """A rule of `bpref.optim`, with a rate of its own for each row of the parameters.

    ``steps_before`` is where the rule starts to count: Adam's correction of its averages is over
    after some thousand steps, so that with 10^6 it does without.
    """

    def __init__(
        self,
        rule: type[optim.Optimizer],
        rates: Sequence[float],
        steps_before: int = 0,
        **options: Any,
    ) -> None:
        self.rule = rule([Parameter(np.zeros(1))], lr=0.0, **options)  # type: ignore[call-arg]
        self.rule.steps = steps_before
        self.rates = np.reshape(rates, (-1, 1, 1))
        self.state: State = {}

    def step(self, theta: np.ndarray, gradient: np.ndarray, share: Any = 1.0) -> np.ndarray:
        """The parameters after a step with ``share`` times the rates."""
        self.rule.steps += 1
        return theta - share * self.rates * self.rule.direction(theta, gradient, self.state)


def train(
    runs: Runs,
    optimizer: Rates,
    batches: Iterable[Pairs],
    share: Callable[[int], Any] = lambda step: 1.0,
) -> np.ndarray:
    """Train every seed with every rate; the population error of shape (rates, seeds).

    ``share(step)`` times the rates is the rate of a step.
    """
    runs.theta = np.broadcast_to(runs.theta, (optimizer.rates.size, *runs.theta.shape[-2:])).copy()
    with np.errstate(over="ignore", invalid="ignore"):
        for step, (x, y) in enumerate(batches):
            gradient = runs.loss_and_gradient(x, y)[1]
            runs.theta = optimizer.step(runs.theta, gradient, share(step))
        return runs.population_mse()


def summary(errors: np.ndarray) -> dict[str, float]:
    """Lowest, median and highest error over the seeds, and where the middle 80 % lie."""
    q = np.quantile(errors, [0.0, 0.1, 0.5, 0.9, 1.0])
    return dict(zip(("min", "q10", "median", "q90", "max"), q.tolist(), strict=True))
