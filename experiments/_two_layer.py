"""A two-layer network on top of bpref.functional, shared by several experiments.

Parameters are the list [W1, b1, W2, b2] in PyTorch's layout; J is the article's half mean
squared error. Everything is float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import bpref.functional as F

Array = np.ndarray
Parameters = list[Any]  # of arrays


def init(rng: np.random.Generator, d: int, hidden: int, m: int = 1) -> Parameters:
    """Weights ~ N(0, 1 / fan_in), biases zero."""
    return [
        rng.standard_normal((hidden, d)) / d**0.5,
        np.zeros(hidden),
        rng.standard_normal((m, hidden)) / hidden**0.5,
        np.zeros(m),
    ]


def predict(parameters: Parameters, x: Array, activation: str = "tanh") -> Array:
    w1, b1, w2, b2 = parameters
    a1, _ = F.linear(x, w1, b1)
    h1, _ = getattr(F, activation)(a1)
    return F.linear(h1, w2, b2)[0]


def loss(parameters: Parameters, x: Array, y: Array, activation: str = "tanh") -> float:
    return float(F.half_mse_loss(predict(parameters, x, activation), y)[0])


def passes(
    parameters: Parameters, x: Array, y: Array, activation: str = "tanh"
) -> dict[str, Array]:
    """One forward and one backward pass: every array, by its name in the article."""
    w1, b1, w2, b2 = parameters
    a1, cache1 = F.linear(x, w1, b1)
    h1, cache_h = getattr(F, activation)(a1)
    output, cache2 = F.linear(h1, w2, b2)
    value, cache_j = F.half_mse_loss(output, y)

    delta2 = F.half_mse_loss_backward(1.0, cache_j)
    grad_h1, grad_w2, grad_b2 = F.linear_backward(delta2, cache2)
    delta1 = getattr(F, f"{activation}_backward")(grad_h1, cache_h)
    _, grad_w1, grad_b1 = F.linear_backward(delta1, cache1)
    return {
        "A1": a1,
        "H1": h1,
        "yhat": output,
        "J": np.asarray(value),
        "D2": delta2,
        "dW2": grad_w2,
        "db2": grad_b2,
        "dH1": grad_h1,
        "D1": delta1,
        "dW1": grad_w1,
        "db1": grad_b1,
    }


def gradients(
    parameters: Parameters, x: Array, y: Array, activation: str = "tanh"
) -> tuple[float, Parameters]:
    """The loss and the gradient of every parameter."""
    found = passes(parameters, x, y, activation)
    return float(found["J"]), [found[name] for name in ("dW1", "db1", "dW2", "db2")]


def descend(parameters: Parameters, grads: Parameters, lr: float) -> Parameters:
    """One step of gradient descent; returns new arrays."""
    return [p - lr * g for p, g in zip(parameters, grads, strict=True)]


def copy(parameters: Parameters) -> Parameters:
    return [p.copy() for p in parameters]


def flat(parameters: Parameters) -> Array:
    return np.concatenate([p.ravel() for p in parameters])


def article_data(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """The article's data: y = 2x + 1 + noise, x and the noise standard normal."""
    x = rng.standard_normal((n, 1))
    return x, 2 * x + 1 + rng.standard_normal((n, 1))
