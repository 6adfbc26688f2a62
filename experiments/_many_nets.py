"""Many small networks trained at once: the leading axis of every array is the run.

A sweep over strengths and seeds is a loop over hundreds of tiny networks.  Here
the runs are stacked along the first axis (R runs), so one NumPy call serves all
of them and a sweep takes seconds.  The network is d-H-1 with tanh and a linear
output, the loss is the article's J = 1/(2N) sum (yhat - y)^2.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Array = np.ndarray
Params = list[Array]


def spread(values: Array) -> dict[str, float]:
    """Return mean, standard deviation (n - 1), smallest and largest of a sample."""
    v = np.asarray(values, dtype=float)
    return {
        "mean": float(v.mean()),
        "std": float(v.std(ddof=1)),
        "min": float(v.min()),
        "max": float(v.max()),
    }


def init(rngs: list[np.random.Generator], d: int, hidden: int) -> Params:
    """Return [W1 (R,H,d), b1 (R,1,H), W2 (R,1,H), b2 (R,1,1)], Xavier-normal, zero biases."""
    runs = len(rngs)
    w1 = np.stack([g.normal(0.0, np.sqrt(2.0 / (d + hidden)), (hidden, d)) for g in rngs])
    w2 = np.stack([g.normal(0.0, np.sqrt(2.0 / (hidden + 1)), (1, hidden)) for g in rngs])
    return [w1, np.zeros((runs, 1, hidden)), w2, np.zeros((runs, 1, 1))]


def forward(params: Params, x: Array) -> Array:
    """Return the predictions (R, N, 1) for inputs (R, N, d)."""
    w1, b1, w2, b2 = params
    return np.tanh(x @ w1.transpose(0, 2, 1) + b1) @ w2.transpose(0, 2, 1) + b2


def gradients(params: Params, x: Array, y: Array, mask: Array | float = 1.0) -> Params:
    """Return the gradients of J; ``mask`` (R, N, H) holds dropout factors 0 or 1/(1-p)."""
    w1, b1, w2, b2 = params
    h = np.tanh(x @ w1.transpose(0, 2, 1) + b1)
    kept = h * mask
    delta2 = (kept @ w2.transpose(0, 2, 1) + b2 - y) / x.shape[1]
    delta1 = (delta2 * w2) * mask * (1.0 - h * h)
    return [
        delta1.transpose(0, 2, 1) @ x,
        delta1.sum(axis=1, keepdims=True),
        delta2.transpose(0, 2, 1) @ kept,
        delta2.sum(axis=1, keepdims=True),
    ]


def mse(params: Params, x: Array, y: Array) -> Array:
    """Return the mean squared error of each run, shape (R,)."""
    return ((forward(params, x) - y) ** 2).mean(axis=(1, 2))


class SGD:
    """Momentum SGD as in PyTorch; ``lr`` and ``weight_decay`` may differ per run.

    The decay is the L2 penalty (weight_decay / 2) * sum of squares; biases are not decayed.
    """

    def __init__(
        self, lr: Array | float, weight_decay: Array | float = 0.0, momentum: float = 0.9
    ) -> None:
        self.lr = np.reshape(np.asarray(lr, dtype=float), (-1, 1, 1))
        self.weight_decay = np.reshape(np.asarray(weight_decay, dtype=float), (-1, 1, 1))
        self.momentum = momentum
        self.buffers: Params = []

    def step(self, params: Params, grads: Params) -> None:
        """Update ``params`` in place."""
        if not self.buffers:
            self.buffers = [np.zeros_like(p) for p in params]
        for i, (p, g, m) in enumerate(zip(params, grads, self.buffers, strict=True)):
            m *= self.momentum
            m += g
            if i % 2 == 0:
                m += self.weight_decay * p
            p -= self.lr * m


def train(
    params: Params,
    x: Array,
    y: Array,
    steps: int,
    optimizer: SGD,
    *,
    batch: Callable[[int], tuple[Array, Array]] | None = None,
    mask: Callable[[int], Array] | None = None,
    watch: Callable[[int, Params], None] | None = None,
) -> Params:
    """Train in place for ``steps`` full-batch steps and return ``params``.

    ``batch(step)`` may replace the data of a step (augmentation), ``mask(step)``
    gives the dropout factors, ``watch(step, params)`` looks on.
    """
    for step in range(steps):
        if watch is not None:
            watch(step, params)
        xs, ys = (x, y) if batch is None else batch(step)
        factors: Array | float = 1.0 if mask is None else mask(step)
        optimizer.step(params, gradients(params, xs, ys, factors))
    if watch is not None:
        watch(steps, params)
    return params
