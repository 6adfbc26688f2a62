"""Small networks on scikit-learn's 8 x 8 digits: many settings and seeds at once.

A 64-32-10 network with tanh; 100 training and 100 validation images and 500 for the test, drawn by
each seed out of 1797. Gradient descent with momentum 0.9. Arrays: (settings K, seeds S, images N).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.ndimage import rotate
from sklearn.datasets import load_digits

from experiments._many_nets import Params

HIDDEN, CLASSES, TRAIN, VALIDATION, TEST, MOMENTUM = 32, 10, 100, 100, 500, 0.9
STEP = 10  # degrees

Array = np.ndarray


class Split(NamedTuple):
    """Indices of images, each (S, N)."""

    train: Array
    validation: Array
    test: Array


def images() -> tuple[Array, Array]:
    """All images (1797, 64) with values from 0 to 1, and their labels (1797,)."""
    digits = load_digits()
    return digits.data / 16.0, digits.target


def turned() -> Array:
    """All images turned by -180, -170, ..., 180 degrees: (37, 1797, 64)."""
    pictures = images()[0].reshape(-1, 8, 8)
    angles = range(-180, 181, STEP)
    copies = [rotate(pictures, a, axes=(1, 2), reshape=False, order=1) for a in angles]
    return np.stack(copies).reshape(len(copies), -1, 64)


def split(seeds: int) -> Split:
    order = np.stack([np.random.default_rng(s).permutation(1797) for s in range(seeds)])
    ends = np.cumsum([TRAIN, VALIDATION, TEST])
    return Split(*np.split(order[:, : ends[-1]], ends[:-1], axis=1))


def fit(
    batch: Callable[[int], Array],
    labels: Array,
    rate: Array | float,
    steps: int,
    first: int = 0,
) -> Params:
    """Descend on the cross-entropy with class probabilities ``labels`` (K, S, N, 10).

    ``batch(step)`` gives the images, (K or 1, S, N, 64); ``rate`` may differ by setting, (K,);
    the seeds are numbered from ``first``.
    """
    copies, seeds, n, _ = labels.shape
    rngs = [np.random.default_rng(1000 + first + s) for s in range(seeds)]
    start = [
        np.stack([g.normal(size=(64, HIDDEN)) / 8.0 for g in rngs]),
        np.zeros((seeds, 1, HIDDEN)),
        np.stack([g.normal(size=(HIDDEN, CLASSES)) / np.sqrt(HIDDEN) for g in rngs]),
        np.zeros((seeds, 1, CLASSES)),
    ]
    params = [np.repeat(p[None], copies, axis=0) for p in start]
    velocities = [np.zeros_like(p) for p in params]
    rate = np.reshape(rate, (-1, 1, 1, 1))
    for step in range(steps):
        x = batch(step)
        w1, b1, w2, b2 = params
        h = np.tanh(x @ w1 + b1)
        delta = (np.exp(log_softmax(h @ w2 + b2)) - labels) / n
        back = (delta @ np.swapaxes(w2, -1, -2)) * (1.0 - h * h)
        gradients = [
            np.swapaxes(x, -1, -2) @ back,
            back.sum(axis=-2, keepdims=True),
            np.swapaxes(h, -1, -2) @ delta,
            delta.sum(axis=-2, keepdims=True),
        ]
        for p, v, g in zip(params, velocities, gradients, strict=True):
            v *= MOMENTUM
            v += g
            p -= rate * v
    return params


def log_softmax(a: Array) -> Array:
    a = a - a.max(axis=-1, keepdims=True)
    out: Array = a - np.log(np.exp(a).sum(axis=-1, keepdims=True))
    return out


def log_p(params: Params, x: Array) -> Array:
    """The logarithms of the predicted probabilities, (K, S, N, 10)."""
    w1, b1, w2, b2 = params
    return log_softmax(np.tanh(x @ w1 + b1) @ w2 + b2)


def accuracy(found: Array, labels: Array) -> Array:
    """The share of right answers (K, S) for labels (S, N)."""
    out: Array = (found.argmax(axis=-1) == labels).mean(axis=-1)
    return out


def nll(found: Array, labels: Array) -> Array:
    """The mean negative log-likelihood (K, S) of labels (S, N)."""
    wanted = np.broadcast_to(labels, found.shape[:-1])[..., None]
    out: Array = -np.take_along_axis(found, wanted, axis=-1)[..., 0].mean(axis=-1)
    return out
