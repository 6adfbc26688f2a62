"""Many small classifiers trained at once on a loss: axes (rates K, seeds S, samples N, classes C).

The network is d-H-C with tanh and C raw outputs. A loss comes as the gradient of its sum at the
raw outputs, so every contender goes through the same training: as many gradients, the same rates
to choose from, chosen by the mean score on validation data and reported on fresh data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import bpref.functional as F
from experiments._many_nets import spread

Array = np.ndarray
Params = list[Array]


def generators(seeds: int, first: int = 0) -> list[np.random.Generator]:
    return [np.random.default_rng(first + seed) for seed in range(seeds)]


def clouds(
    rngs: Sequence[np.random.Generator], classes: int, d: int, apart: float, width: float = 1.0
) -> Callable[[int], tuple[Array, Array]]:
    """Return what draws n samples of each seed, inputs (S, n, d) and class labels (S, n).

    Each class is a normal cloud around a centre that is normal itself; ``apart`` and ``width`` are
    the standard deviations of the centres and of the clouds.
    """
    centres = np.stack([apart * g.normal(size=(classes, d)) for g in rngs])

    def draw(n: int) -> tuple[Array, Array]:
        label = np.stack([g.integers(0, classes, n) for g in rngs])
        noise = np.stack([width * g.normal(size=(n, d)) for g in rngs])
        return np.take_along_axis(centres, label[..., None], axis=1) + noise, label

    return draw


def mislabelled(
    rngs: Sequence[np.random.Generator], label: Array, classes: int, share: float
) -> Array:
    """Return the labels (S, n), a share of them replaced by random ones."""
    n = label.shape[1]
    replaced = np.stack([g.random(n) < share for g in rngs])
    return np.where(replaced, np.stack([g.integers(0, classes, n) for g in rngs]), label)


def start(rngs: Sequence[np.random.Generator], d: int, hidden: int, classes: int) -> Params:
    """Return [W1 (S, d, H), b1 (S, 1, H), W2 (S, H, C), b2 (S, 1, C)], variance 1 / fan-in."""
    w1 = np.stack([g.normal(size=(d, hidden)) / np.sqrt(d) for g in rngs])
    w2 = np.stack([g.normal(size=(hidden, classes)) / np.sqrt(hidden) for g in rngs])
    return [w1, np.zeros((len(rngs), 1, hidden)), w2, np.zeros((len(rngs), 1, classes))]


def logits(params: Params, x: Array) -> Array:
    """Return the raw outputs (..., N, C) for inputs (S, N, d)."""
    w1, b1, w2, b2 = params
    return np.tanh(x @ w1 + b1) @ w2 + b2


def fit(
    params: Params,
    x: Array,
    slope: Callable[[Array], Array],
    rates: Sequence[float],
    steps: int,
    *,
    decay: bool = False,
) -> Params:
    """Descend with each rate, constant or falling linearly to 0, from the same start; (K, S, ...).

    ``slope`` maps the raw outputs (K, S, N, C) to the gradient of the summed loss there.
    """
    params = [np.repeat(p[None], len(rates), axis=0) for p in params]
    first = np.reshape(rates, (-1, 1, 1, 1)) / x.shape[1]
    for step in range(steps):
        rate = first * (1.0 - step / steps) if decay else first
        w1, b1, w2, b2 = params
        h = np.tanh(x @ w1 + b1)
        delta = slope(h @ w2 + b2)
        back = (delta @ np.swapaxes(w2, -1, -2)) * (1.0 - h * h)
        w2 -= rate * (np.swapaxes(h, -1, -2) @ delta)
        b2 -= rate * delta.sum(axis=-2, keepdims=True)
        w1 -= rate * (np.swapaxes(x, -1, -2) @ back)
        b1 -= rate * back.sum(axis=-2, keepdims=True)
    return params


def softmax(a: Array) -> Array:
    return F.softmax(a, dim=-1)[0]


def cross_entropy_slope(target: Array, **options: Any) -> Callable[[Array], Array]:
    """Cross-entropy for class labels (S, N) or class probabilities (S, N, C)."""

    def slope(a: Array) -> Array:
        shape = a.shape if target.ndim == 3 else a.shape[:-1]
        wanted = np.broadcast_to(target, shape).reshape(-1, *shape[3:])
        flat = a.reshape(-1, a.shape[-1])
        _, cache = F.cross_entropy(flat, wanted, reduction="sum", **options)
        return F.cross_entropy_backward(1.0, cache).reshape(a.shape)

    return slope


def squared_slope(target: Array) -> Callable[[Array], Array]:
    """Squared error of the softmax, summed over the classes, for class labels (S, N)."""

    def slope(a: Array) -> Array:
        onehot = np.eye(a.shape[-1])[target]
        p, softmax_cache = F.softmax(a, dim=-1)
        _, cache = F.mse_loss(p, np.broadcast_to(onehot, a.shape), reduction="sum")
        return F.softmax_backward(F.mse_loss_backward(1.0, cache), softmax_cache)

    return slope


def binary_slope(target: Array, **options: Any) -> Callable[[Array], Array]:
    """Binary cross-entropy for each of C labels 0 or 1, (S, N, C)."""

    def slope(a: Array) -> Array:
        wanted = np.broadcast_to(target, a.shape)
        _, cache = F.binary_cross_entropy_with_logits(a, wanted, reduction="sum", **options)
        return F.binary_cross_entropy_with_logits_backward(1.0, cache)

    return slope


def nll(a: Array, target: Array) -> Array:
    """Mean negative log-likelihood (..., S) of class labels (S, N)."""
    log_p = F.log_softmax(a, dim=-1)[0]
    wanted = np.broadcast_to(target, a.shape[:-1])[..., None]
    return -np.take_along_axis(log_p, wanted, axis=-1)[..., 0].mean(axis=-1)


def accuracy(a: Array, target: Array) -> Array:
    return (a.argmax(axis=-1) == target).mean(axis=-1)


def chosen(validation: Array) -> int:
    """The rate with the highest mean score (K, S) over the seeds; at no edge of the grid."""
    return int(np.nan_to_num(validation.mean(axis=1), nan=-np.inf).argmax())


def summary(scores: Array, k: int, rates: Sequence[float]) -> dict[str, Any]:
    """Spread over the seeds at the chosen rate; whether that rate lies inside the grid."""
    return spread(scores[k]) | {"rate": float(rates[k]), "inside": 0 < k < len(rates) - 1}
