"""Networks and data of the bug museum; every backward pass can be exchanged by its slot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bpref.bugs import CATALOG, activation, conv, dense, loss, norm, sequence, structure

Array = np.ndarray
Params = dict[str, Array]

OPERATORS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "linear": (dense.linear, dense.linear_backward),
    "tanh": (activation.tanh, activation.tanh_backward),
    "relu": (activation.relu, activation.relu_backward),
    "leaky_relu": (activation.leaky_relu, activation.leaky_relu_backward),
    "softmax": (loss.softmax, loss.softmax_backward),
    "half_mse": (loss.half_mse, loss.half_mse_backward),
    "negative_log": (loss.negative_log, loss.negative_log_backward),
    "cross_entropy": (loss.cross_entropy, loss.cross_entropy_backward),
    "batch_norm": (norm.batch_norm, norm.batch_norm_backward),
    "layer_norm": (norm.layer_norm, norm.layer_norm_backward),
    "dropout": (norm.dropout, norm.dropout_backward),
    "conv2d": (conv.conv2d, conv.conv2d_backward),
    "max_pool": (conv.max_pool, conv.max_pool_backward),
    "embedding": (sequence.embedding, sequence.embedding_backward),
    "rnn": (sequence.rnn, sequence.rnn_backward),
    "gated": (sequence.gated, sequence.gated_backward),
    "attention": (sequence.attention, sequence.attention_backward),
    "residual": (structure.residual, structure.residual_backward),
    "twice": (structure.twice, structure.twice_backward),
}
# The linear layers have a slot each: three bugs are silent only in some of them.
LINEAR_SLOTS = ("linear_in", "linear_square", "linear_out")
ONLY_IN = {
    "missing_weight": ("linear_out",),
    "missing_transpose": ("linear_square",),
    "bias_wrong_axis": ("linear_in", "linear_square"),
}


def passes(bug: Any = None) -> dict[str, Callable[..., Any]]:
    """The backward pass of every slot: all right, or with one bug."""
    back = {name: pair[1] for name, pair in OPERATORS.items()}
    back |= dict.fromkeys(LINEAR_SLOTS, dense.linear_backward)
    back["store"] = structure.store
    if bug is not None:
        slots = LINEAR_SLOTS if bug.operator == "linear" else (bug.operator,)
        back |= dict.fromkeys(ONLY_IN.get(bug.id, slots), bug.wrong)
    return back


@dataclass
class Context:
    """What a pass needs besides parameters and data."""

    back: Mapping[str, Callable[..., Any]]
    rng: np.random.Generator | None = None  # None: no dropout
    stored: Params = field(default_factory=dict)  # gradients of the step before


# Layers: forward(h, params, context) -> (h, cache), backward(g, cache, context) -> (g, gradients).
@dataclass(frozen=True)
class Op:
    """An operator of the museum with its parameters."""

    name: str
    params: tuple[str, ...] = ()
    slot: str = ""

    def forward(self, h: Array, p: Params, context: Context) -> Any:
        return OPERATORS[self.name][0](h, *(p[k] for k in self.params))

    def backward(self, g: Array, cache: Any, context: Context) -> Any:
        result = context.back[self.slot or self.name](g, cache)
        if not self.params:
            return result, {}
        return result[0], dict(zip(self.params, result[1:], strict=True))


class Dropout:
    def forward(self, h: Array, p: Params, context: Context) -> Any:
        return (h, None) if context.rng is None else norm.dropout(h, 0.2, context.rng)

    def backward(self, g: Array, cache: Any, context: Context) -> Any:
        return (g if cache is None else context.back["dropout"](g, cache)), {}


class Lookup:
    """Embeddings of each token and of the token before it, as rows."""

    def forward(self, h: Array, p: Params, context: Context) -> Any:
        before = np.concatenate([np.zeros_like(h[:, :1]), h[:, :-1]], axis=1)
        ids = np.stack([h, before], axis=-1)  # (N, T, 2)
        vectors, cache = sequence.embedding(p["E"], ids)
        return vectors.reshape(h.size, -1), (cache, vectors.shape)

    def backward(self, g: Array, cache: Any, context: Context) -> Any:
        return None, {"E": context.back["embedding"](g.reshape(cache[1]), cache[0])}


class Last:
    def forward(self, h: Array, p: Params, context: Context) -> Any:
        return h[:, -1], h.shape

    def backward(self, g: Array, cache: Any, context: Context) -> Any:
        out = np.zeros(cache)
        out[:, -1] = g
        return out, {}


class Mean:
    def forward(self, h: Array, p: Params, context: Context) -> Any:
        return h.mean(axis=1), h.shape

    def backward(self, g: Array, cache: Any, context: Context) -> Any:
        return np.broadcast_to(g[:, np.newaxis] / cache[1], cache), {}


class Flatten:
    def forward(self, h: Array, p: Params, context: Context) -> Any:
        return h.reshape(len(h), -1), h.shape

    def backward(self, g: Array, cache: Any, context: Context) -> Any:
        return g.reshape(cache), {}


class SelfAttention:
    def forward(self, h: Array, p: Params, context: Context) -> Any:
        output, cache = sequence.attention(h @ p["Q"].T, h @ p["K"].T, h @ p["V"].T)
        return output, (h, cache)

    def backward(self, g: Array, cache: Any, context: Context) -> Any:
        h, inner = cache
        rows = h.reshape(-1, h.shape[-1])
        grads = context.back["attention"](g, inner)
        parts = {k: d.reshape(len(rows), -1).T @ rows for k, d in zip("QKV", grads, strict=True)}
        return None, parts


class Gated:
    def forward(self, h: Array, p: Params, context: Context) -> Any:
        gate = 0.5 * (1 + np.tanh(0.5 * (h @ p["F"].T + p["f"])))
        content = np.tanh(h @ p["G"].T + p["g"])
        output, cache = sequence.gated(gate, content)
        return output, (h, gate, content, cache)

    def backward(self, g: Array, cache: Any, context: Context) -> Any:
        h, gate, content, inner = cache
        rows = h.reshape(-1, h.shape[-1])
        d_gate, d_content = context.back["gated"](g, inner)
        d_gate = (d_gate * gate * (1 - gate)).reshape(len(rows), -1)
        d_content = (d_content * (1 - content**2)).reshape(len(rows), -1)
        grads = {"F": d_gate.T @ rows, "f": d_gate.sum(axis=0)}
        return None, grads | {"G": d_content.T @ rows, "g": d_content.sum(axis=0)}


@dataclass(frozen=True)
class Network:
    """A chain of layers with a loss, its parameters and its data."""

    layers: tuple[Any, ...]
    loss: str
    shapes: Callable[[int, int], dict[str, tuple[int, ...]]]  # (d, n) -> shapes
    data: Callable[[np.random.Generator, int, int], tuple[Array, ...]]  # (rng, d, samples)
    rate: float

    def init(self, rng: np.random.Generator, d: int, n: int) -> Params:
        """Weights with variance 1/fan-in, biases near zero, gains near one."""
        out = {}
        for name, shape in self.shapes(d, n).items():
            values = rng.normal(size=shape)
            if name.startswith("gain"):
                out[name] = 1 + 0.1 * values
            elif len(shape) == 1:
                out[name] = 0.1 * values
            else:
                out[name] = values / np.sqrt(1 if name == "E" else np.prod(shape[1:]))
        return out

    def run(
        self, p: Params, batch: tuple[Array, ...], context: Context, gradients: bool = True
    ) -> tuple[float, Params]:
        """The loss of a batch and, on demand, the gradients of the parameters."""
        h, *target = batch
        caches = []
        for layer in self.layers:
            h, cache = layer.forward(h, p, context)
            caches.append(cache)
        forward, _ = OPERATORS[self.loss]
        # Tags have an axis for the position; the logits have one row for each position.
        target = [t.reshape(len(h), *t.shape[t.ndim - self._axes() :]) for t in target]
        J, cache = forward(h, *target)
        if not gradients:
            return float(J), {}
        g = context.back[self.loss](1.0, cache)
        grads: Params = {}
        for layer, cache in zip(reversed(self.layers), reversed(caches), strict=True):
            g, found = layer.backward(g, cache, context)
            grads |= found
        stored = context.stored
        if stored:
            grads = {k: context.back["store"](g, stored[k]) for k, g in grads.items()}
        return float(J), grads

    def _axes(self) -> int:
        """Axes of a target besides the samples."""
        return 1 if self.loss == "half_mse" else 0


def _unit(rng: np.random.Generator, d: int) -> Array:
    v = rng.normal(size=d)
    return v / np.linalg.norm(v)


def _regression(rng: np.random.Generator, d: int, samples: int) -> tuple[Array, ...]:
    u, v = _unit(rng, d), _unit(rng, d)
    X = rng.normal(size=(samples, d))
    return X, (np.sin(2 * X @ u) + 0.5 * X @ v + 1)[:, np.newaxis]


def _classes(rng: np.random.Generator, d: int, samples: int) -> tuple[Array, ...]:
    A, B = (np.stack([_unit(rng, d) for _ in range(3)], axis=1) for _ in range(2))
    X = rng.normal(size=(samples, d))
    return X, np.argmax(X @ A + np.sin(2 * X @ B), axis=1)


def _masked(rng: np.random.Generator, d: int, samples: int) -> tuple[Array, ...]:
    X, labels = _classes(rng, d, samples)
    return X, labels, np.ones(samples, dtype=bool)


def _images(rng: np.random.Generator, d: int, samples: int) -> tuple[Array, ...]:
    """Black and white images d × d with a horizontal, vertical or diagonal bar, some noise."""
    labels = rng.integers(0, 3, size=samples)
    X = (rng.random((samples, 1, d, d)) < 0.05).astype(float)
    for i, label in enumerate(labels):
        at = rng.integers(0, d)
        if label == 0:
            X[i, 0, at] = 1
        elif label == 1:
            X[i, 0, :, at] = 1
        else:
            X[i, 0, np.arange(d), (np.arange(d) + at) % d] = 1
    return X, labels, np.ones(samples, dtype=bool)


def _sequences(rng: np.random.Generator, d: int, samples: int) -> tuple[Array, ...]:
    """The target needs the first elements as much as the last."""
    u, v = _unit(rng, 2), _unit(rng, 2)
    X = rng.normal(size=(samples, d, 2))
    return X, (np.tanh(X.mean(axis=1) @ u * 2) + 0.5 * X[:, 0] @ v)[:, np.newaxis]


def _tags(rng: np.random.Generator, d: int, samples: int) -> tuple[Array, ...]:
    """Tokens 1 … d − 1 with padding 0; the tag follows from a token and the one before."""
    table = rng.integers(0, 3, size=(d, d))
    ids = rng.integers(1, d, size=(samples, 6))
    mask = np.arange(6) < rng.integers(2, 7, size=(samples, 1))
    ids = np.where(mask, ids, 0)
    before = np.concatenate([np.zeros_like(ids[:, :1]), ids[:, :-1]], axis=1)
    return ids, np.where(mask, table[before, ids], 0), mask


def _pointers(rng: np.random.Generator, d: int, samples: int) -> tuple[Array, ...]:
    """The class stands in the element whose first coordinate is largest."""
    X = rng.normal(size=(samples, 5, d))
    X[..., 0] *= 2
    chosen = X[np.arange(samples), X[..., 0].argmax(axis=1)]
    return X, chosen[:, 1:4].argmax(axis=1), np.ones(samples, dtype=bool)


def _linear(slot: str, letter: str) -> Op:
    return Op("linear", (f"W{letter}", f"b{letter}"), f"linear_{slot}")


def _mlp(d: int, n: int, m: int = 1) -> dict[str, tuple[int, ...]]:
    return {"W1": (n, d), "b1": (n,), "W2": (n, n), "b2": (n,), "W3": (m, n), "b3": (m,)}


TANH, RELU = Op("tanh"), Op("relu")
IN, SQUARE, OUT = _linear("in", "1"), _linear("square", "2"), _linear("out", "3")

NETWORKS: dict[str, Network] = {
    "mlp_tanh": Network(
        (IN, TANH, SQUARE, TANH, OUT), "half_mse", lambda d, n: _mlp(d, n), _regression, 0.1
    ),
    "mlp_relu": Network(
        (
            IN, RELU, Op("residual", ("R", "r")), SQUARE, Op("leaky_relu"), Dropout(), OUT,
        ),
        "half_mse", lambda d, n: _mlp(d, n) | {"R": (n, n), "r": (n,)}, _regression, 0.1,
    ),
    "softmax": Network(
        (IN, TANH, SQUARE, TANH, OUT, Op("softmax")), "negative_log",
        lambda d, n: _mlp(d, n, 3), _classes, 0.3,
    ),
    "norm": Network(
        (
            IN, Op("batch_norm", ("gain1", "shift1")), TANH,
            SQUARE, Op("layer_norm", ("gain2", "shift2")), TANH, OUT,
        ),
        "cross_entropy",
        lambda d, n: _mlp(d, n, 3) | dict.fromkeys(("gain1", "shift1", "gain2", "shift2"), (n,)),
        _masked, 0.3,
    ),
    "conv": Network(
        (
            Op("conv2d", ("C1", "c1")), Op("max_pool"), RELU, Op("conv2d", ("C2", "c2")), RELU,
            Flatten(), OUT,
        ),
        "cross_entropy",
        lambda d, n: {
            "C1": (n // 4, 1, 3, 3), "c1": (n // 4,), "C2": (n // 4, n // 4, 3, 3),
            "c2": (n // 4,), "W3": (3, n // 4 * (d // 2) ** 2), "b3": (3,),
        },
        _images, 0.2,
    ),
    "embedding": Network(
        (Lookup(), IN, TANH, OUT), "cross_entropy",
        lambda d, n: {"E": (d, 4), "W1": (n, 8), "b1": (n,), "W3": (3, n), "b3": (3,)},
        _tags, 0.5,
    ),
    "rnn": Network(
        (Op("rnn", ("Wx", "Wh", "b")), Last(), OUT), "half_mse",
        lambda d, n: {"Wx": (n, 2), "Wh": (n, n), "b": (n,), "W3": (1, n), "b3": (1,)},
        _sequences, 0.1,
    ),
    "gated": Network(
        (Gated(), Last(), OUT), "half_mse",
        lambda d, n: {
            "F": (n, 2), "f": (n,), "G": (n, 2), "g": (n,), "W3": (1, n), "b3": (1,)
        },
        _sequences, 0.5,
    ),
    "attention": Network(
        (SelfAttention(), Mean(), OUT), "cross_entropy",
        lambda d, n: {"Q": (n, d), "K": (n, d), "V": (n, d), "W3": (3, n), "b3": (3,)},
        _pointers, 0.3,
    ),
    "shared": Network(
        (IN, Op("twice", ("W2", "b2")), OUT), "half_mse", lambda d, n: _mlp(d, n), _regression,
        0.1,
    ),
}  # fmt: skip

# (d, n, batch) of the two sizes; in the first one the batch is as large as the layers are wide.
SIZES: dict[str, dict[str, tuple[int, int, int]]] = {
    name: {"small": (4, 8, 8), "large": (6, 16, 12)} for name in NETWORKS
} | {
    "conv": {"small": (4, 12, 8), "large": (6, 16, 8)},
    "embedding": {"small": (5, 8, 8), "large": (8, 16, 12)},
    "rnn": {"small": (4, 8, 8), "large": (6, 16, 12)},
    "gated": {"small": (4, 8, 8), "large": (6, 16, 12)},
}
assert {network for bug in CATALOG for network in bug.networks} == set(NETWORKS)
