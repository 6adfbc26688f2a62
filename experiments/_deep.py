"""Deep fully connected stacks in float64: how large signal and gradient are at every layer.

Helper of the ``gradients*`` experiments. Rows are samples, as everywhere: ``h`` is ``(N, n)`` and
a layer computes ``a = h @ W.T + b``. Nothing here trains. Many kinds of networks share the same
weights, so they go through one product of matrices: arrays have the shape ``(A, M, S, N, n)`` for
``A`` activations, ``M`` normalisations and ``S`` without and with a skip connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

Array = np.ndarray
EPS = 1e-5  # what PyTorch adds to a variance


def sigmoid(a: Array) -> Array:
    """Logistic function without overflow."""
    out: Array = 0.5 * (1.0 + np.tanh(0.5 * a))
    return out


def _sigmoid(a: Array) -> tuple[Array, Array]:
    h = sigmoid(a)
    return h, h * (1.0 - h)


def _tanh(a: Array) -> tuple[Array, Array]:
    h = np.tanh(a)
    return h, 1.0 - h * h


def _leaky(negative: float) -> Callable[[Array], tuple[Array, Array]]:
    def leaky(a: Array) -> tuple[Array, Array]:
        slope = np.where(a > 0.0, 1.0, negative)
        return a * slope, slope

    return leaky


def _gelu(a: Array) -> tuple[Array, Array]:
    gate = 0.5 * torch.special.erfc(torch.from_numpy(a * -np.sqrt(0.5))).numpy()
    return a * gate, gate + a * np.exp(-0.5 * a * a) / np.sqrt(2.0 * np.pi)


#: name -> value and slope of an activation
ACTIVATIONS: dict[str, Callable[[Array], tuple[Array, Array]]] = {
    "sigmoid": _sigmoid,
    "tanh": _tanh,
    "relu": _leaky(0.0),
    "leaky_relu": _leaky(0.01),
    "gelu": _gelu,
}
#: the initialisations of the tables, in the order in which they are shown
INITS = ("small", "torch", "xavier", "he", "orthogonal", "unit")
NORMS = ("none", "batch", "layer", "rms")
#: where a block normalises: behind its linear map, before it, or behind the addition
PLACES = ("branch", "pre", "post")


class Draws:
    """Everything random of one seed: weights and biases of all layers, inputs, last gradients.

    All Gaussian initialisations are one matrix times a factor, and ``orthogonal`` is its
    orthogonal part: what differs between them is the initialisation, not luck.
    """

    def __init__(self, seed: int, width: int, depth: int, batch: int) -> None:
        self.width = width
        self.shape = (depth, width, width)
        # One stream for each kind of number, so that what is not needed need not be drawn.
        ends, self._gaussian, self._uniform = np.random.default_rng(seed).spawn(3)
        self.h = ends.normal(size=(batch, width))
        self.grad = ends.normal(size=(batch, width))

    @cached_property
    def gaussian(self) -> Array:
        return self._gaussian.normal(size=self.shape)

    @cached_property
    def uniform(self) -> tuple[Array, Array]:
        draw = self._uniform.uniform
        return draw(-1.0, 1.0, self.shape), draw(-1.0, 1.0, self.shape[:2])

    @cached_property
    def orthogonal(self) -> Array:
        q, r = np.linalg.qr(self.gaussian)
        signs: Array = np.sign(np.diagonal(r, axis1=1, axis2=2))
        out: Array = q * signs[:, None, :]
        return out

    def layers(self, init: str) -> tuple[Array, Array]:
        """Return weights ``(depth, n, n)`` and biases ``(depth, n)``.

        ``small``: N(0, 0.01²); ``unit``: N(0, 1); ``torch``: the default of ``torch.nn.Linear``,
        U(-1/√n, 1/√n) for weights and biases; ``xavier``: N(0, 1/n), as fan-in equals fan-out;
        ``he``: N(0, 2/n); ``orthogonal``: a random orthogonal matrix, see :func:`gain`. Biases are
        zero except for ``torch``.
        """
        n = self.width
        if init == "torch":
            weights, biases = self.uniform
            return weights / np.sqrt(n), biases / np.sqrt(n)
        bias = np.zeros(self.shape[:2])
        if init == "orthogonal":
            return self.orthogonal, bias
        deviation = {"small": 0.01, "unit": 1.0, "xavier": n**-0.5, "he": (2.0 / n) ** 0.5}[init]
        return deviation * self.gaussian, bias


@dataclass(frozen=True)
class Kinds:
    """The networks that go through the same weights together."""

    activations: Sequence[str]
    norms: Sequence[str] = ("none",)
    skips: Sequence[bool] = (False,)
    place: str = "branch"

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self.activations), len(self.norms), len(self.skips)


@dataclass(frozen=True)
class Signals:
    """Root mean squares, each of shape ``(A, M, S, points)``.

    ``forward`` belongs to ``h_l`` for the layers ``l`` asked for, divided by the one of ``h_0``;
    ``backward[depth]`` to the gradient at ``h_l`` of a network with that many layers, divided by
    the one at its last layer.
    """

    forward: Array
    backward: dict[int, Array]


def _rms(x: Array) -> Array:
    # No squares of the entries themselves: a vanished gradient would vanish twice.
    size = np.abs(x).max(axis=(-2, -1), keepdims=True)
    size = np.where(size > 0.0, size, 1.0)
    out: Array = size[..., 0, 0] * np.sqrt(np.mean((x / size) ** 2, axis=(-2, -1)))
    return out


def normalise(a: Array, norms: Sequence[str]) -> tuple[Array, Any]:
    """Normalise ``a[:, m]`` as ``norms[m]`` says; None as cache where nothing is normalised."""
    if set(norms) == {"none"}:
        return a, None
    out, inverses = a.copy(), {}
    for m, norm in enumerate(norms):
        if norm != "none":
            axis = -2 if norm == "batch" else -1
            x = out[:, m]
            if norm != "rms":
                x -= x.mean(axis=axis, keepdims=True)
            inverses[m] = 1.0 / np.sqrt((x * x).mean(axis=axis, keepdims=True) + EPS)
            x *= inverses[m]
    return out, (out, inverses)


def normalise_backward(grad: Array, cache: Any, norms: Sequence[str]) -> Array:
    """The gradient at what :func:`normalise` was given."""
    out, inverses = cache
    grad = grad.copy()
    for m, inverse in inverses.items():
        axis = -2 if norms[m] == "batch" else -1
        g, x = grad[:, m], out[:, m]
        along = x * (g * x).mean(axis=axis, keepdims=True)
        if norms[m] != "rms":
            g -= g.mean(axis=axis, keepdims=True)
        g -= along
        g *= inverse
    return grad


def gain(activation: str, init: str) -> float:
    """Orthogonal matrices are multiplied by √2 where the activation drops half of the signal."""
    return float(np.sqrt(2.0)) if init == "orthogonal" and "relu" in activation else 1.0


class Stack:
    """A forward pass that remembers what the backward passes need."""

    def __init__(
        self, weights: Array, biases: Array, h: Array, kinds: Kinds, gains: Sequence[float]
    ) -> None:
        self.weights, self.kinds = weights, kinds
        self.scale = np.array(gains).reshape(-1, 1, 1, 1, 1)
        self.skip = np.array(kinds.skips, dtype=float).reshape(1, 1, -1, 1, 1)
        self.caches: list[tuple[Any, ...]] = []
        self.outputs: list[Array] = [np.broadcast_to(h, (*kinds.shape, *h.shape))]
        for weight, bias in zip(weights, biases, strict=True):
            h, norms = self.outputs[-1], kinds.norms
            inner, before = normalise(h, norms) if kinds.place == "pre" else (h, None)
            a = inner @ weight.T
            a *= self.scale
            a += bias
            a, branch = normalise(a, norms) if kinds.place == "branch" else (a, None)
            out, slope = np.empty_like(a), np.empty_like(a)
            for k, name in enumerate(kinds.activations):
                out[k], slope[k] = ACTIVATIONS[name](a[k])
            if any(kinds.skips):
                out += self.skip * h
            out, after = normalise(out, norms) if kinds.place == "post" else (out, None)
            self.caches.append((before, branch, slope, after))
            self.outputs.append(out)

    def forward(self, points: Sequence[int]) -> Array:
        """Return the root mean square at these layers, over the one of the input."""
        sizes = np.stack([_rms(self.outputs[layer]) for layer in points], axis=-1)
        out: Array = sizes / _rms(self.outputs[0])[..., None]
        return out

    def backward(self, grad: Array, depth: int, points: Sequence[int]) -> Array:
        """Return the root mean square at these layers, over the one at layer ``depth``."""
        norms, sizes = self.kinds.norms, {}
        grad = np.broadcast_to(grad, (*self.kinds.shape, *grad.shape))
        last = _rms(grad)
        for layer in range(depth, -1, -1):
            if layer in points:
                sizes[layer] = _rms(grad) / last
            if layer == 0:
                break
            before, branch, slope, after = self.caches[layer - 1]
            grad = grad if after is None else normalise_backward(grad, after, norms)
            inner = grad * slope
            if branch is not None:
                inner = normalise_backward(inner, branch, norms)
            inner = inner @ self.weights[layer - 1]
            inner *= self.scale
            if before is not None:
                inner = normalise_backward(inner, before, norms)
            if any(self.kinds.skips):
                inner += self.skip * grad
            grad = inner
        return np.stack([sizes[layer] for layer in points], axis=-1)


def signals(
    draws: Draws, init: str, kinds: Kinds, depths: Iterable[int], parts: int | None = None
) -> Signals:
    """Run one seed forward once, and backward from each of the depths.

    Each network is measured at its first and last layer and between, in ``parts`` equal steps;
    None means at every layer.
    """
    at = {depth: range(0, depth + 1, depth // (parts or depth)) for depth in depths}
    last = max(at)
    weights, biases = draws.layers(init)
    gains = [gain(name, init) for name in kinds.activations]
    stack = Stack(weights[:last], biases[:last], draws.h, kinds, gains)
    return Signals(
        stack.forward(sorted({layer for points in at.values() for layer in points})),
        {depth: stack.backward(draws.grad, depth, points) for depth, points in at.items()},
    )


def spread(values: Sequence[float] | Array) -> dict[str, float]:
    """Median and range, and the same as powers of ten, of a list of positive numbers."""
    v = np.asarray(values, dtype=float)
    out = {"median": float(np.median(v)), "min": float(v.min()), "max": float(v.max())}
    if v.min() > 0.0:
        out |= {f"log10_{k}": float(np.log10(x)) for k, x in list(out.items())}
    return out
