"""Claims of the article: several forward passes, and a cost that grows exponentially.

Counted, by running a tanh network whose every multiplication goes through a counter:
multiply-adds of one forward and one backward pass for widths 32 to 1024, the same for
central differences, the sum over all paths without reuse against backpropagation, and
the number of stored values with and without checkpoints. Nothing is timed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

LAYERS, BATCH = 8, 4
WIDTHS = (32, 64, 128, 256, 512, 1024)
Array = np.ndarray


class Counter:
    """Counts what a training step does: multiply-adds, passes, stored values."""

    def __init__(self) -> None:
        self.multiply_adds = 0
        self.stored = 0
        self.peak_stored = 0

    def matmul(self, a: Array, b: Array) -> Array:
        self.multiply_adds += a.shape[0] * a.shape[1] * b.shape[1]
        product: Array = a @ b
        return product

    def store(self, *arrays: Array) -> None:
        self.stored += sum(a.size for a in arrays)
        self.peak_stored = max(self.peak_stored, self.stored)

    def release(self, *arrays: Array) -> None:
        self.stored -= sum(a.size for a in arrays)


def make_network(width: int, layers: int, seed: int = 0) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((width, width)) / width**0.5 for _ in range(layers)]


def forward(weights: list[Array], h: Array, counter: Counter) -> tuple[Array, list[Any]]:
    """H_l = tanh(H_{l-1} W_lᵀ); stores the input and the output of every layer."""
    caches = []
    for weight in weights:
        output = np.tanh(counter.matmul(h, weight.T))
        counter.store(output)
        caches.append((h, output))
        h = output
    return h, caches


def backward(
    weights: list[Array], delta: Array, caches: list[Any], counter: Counter, first: bool = True
) -> tuple[Array, list[Array]]:
    """Gradients of all weights; the network's first layer needs no gradient of its input."""
    gradients = []
    for index in reversed(range(len(weights))):
        h, output = caches[index]
        delta = delta * (1 - output**2)
        gradients.append(counter.matmul(delta.T, h))
        counter.release(output)
        if index > 0 or not first:
            delta = counter.matmul(delta, weights[index])
    return delta, gradients[::-1]


def count(width: int, layers: int, batch: int) -> dict[str, Any]:
    """One training step: forward pass, loss, backward pass."""
    rng = np.random.default_rng(1)
    weights = make_network(width, layers)
    x, y = rng.standard_normal((2, batch, width))
    counter = Counter()
    output, caches = forward(weights, x, counter)
    forward_cost = counter.multiply_adds
    _, gradients = backward(weights, (output - y) / batch, caches, counter)
    return {
        "parameters": sum(w.size for w in weights),
        "forward": forward_cost,
        "step": counter.multiply_adds,
        "stored": counter.peak_stored,
        "gradients": gradients,
    }


def step_with_checkpoints(width: int, layers: int, batch: int, segment: int) -> dict[str, Any]:
    """Keep the activations at every ``segment``-th layer only; compute the others again."""
    rng = np.random.default_rng(1)
    weights = make_network(width, layers)
    x, y = rng.standard_normal((2, batch, width))
    counter = Counter()
    starts, h = [], x
    for begin in range(0, layers, segment):
        starts.append((begin, h))
        discarded = Counter()  # these activations are not kept
        h, _ = forward(weights[begin : begin + segment], h, discarded)
        counter.multiply_adds += discarded.multiply_adds
        counter.store(h)
    delta = (h - y) / batch
    gradients: list[Array] = []
    for begin, start in reversed(starts):
        part = weights[begin : begin + segment]
        end, caches = forward(part, start, counter)
        counter.release(end)  # kept already, as the start of the next segment
        delta, grads = backward(part, delta, caches, counter, first=begin == 0)
        gradients = grads + gradients
    return {"step": counter.multiply_adds, "stored": counter.peak_stored, "gradients": gradients}


def paths(width: int, layers: int) -> dict[str, Any]:
    """dy/da_1 for one unit of layer 1: summed over all paths, and by backpropagation."""
    weights = make_network(width, layers)
    h = np.random.default_rng(2).standard_normal(width)
    slopes = []
    for weight in weights:
        h = np.tanh(weight @ h)
        slopes.append(1 - h**2)
    multiplications = 0

    def along_paths(layer: int, unit: int) -> float:
        """Follow every path from this unit to y = sum of the last layer; nothing is reused."""
        nonlocal multiplications
        if layer == layers - 1:
            return float(slopes[layer][unit])
        total = 0.0
        for following in range(width):
            total += weights[layer + 1][following, unit] * along_paths(layer + 1, following)
            multiplications += 1
        multiplications += 1
        return float(slopes[layer][unit]) * total

    slow = along_paths(0, 0)
    delta, reused = slopes[-1], 0
    for layer in reversed(range(layers - 1)):
        delta = slopes[layer] * (weights[layer + 1].T @ delta)
        reused += width * width + width
    return {
        "naive": multiplications,
        "backprop": reused,
        "difference": abs(slow - float(delta[0])),
    }


def run() -> dict[str, Any]:
    rows = {f"w{w}": count(w, LAYERS, BATCH) for w in WIDTHS}
    for row in rows.values():
        row.pop("gradients")
        row["differences"] = 2 * row["parameters"] * row["forward"]
    parameters = np.log([row["parameters"] for row in rows.values()])

    def slope(key: str) -> float:
        return float(np.polyfit(parameters, np.log([r[key] for r in rows.values()]), 1)[0])

    widest = rows[f"w{WIDTHS[-1]}"]
    depths = list(range(2, 10))
    path_rows = [paths(4, depth) for depth in depths]

    plain = count(64, 16, 32)
    saving = step_with_checkpoints(64, 16, 32, 4)
    double = count(64, 16, 64)
    deeper = count(64, 32, 32)
    return {
        "layers": LAYERS,
        "batch": BATCH,
        "rows": rows,
        "slope": {key: slope(key) for key in ("forward", "step", "differences")},
        "ratio": {
            "backward": (widest["step"] - widest["forward"]) / widest["forward"],
            "step": widest["step"] / widest["forward"],
            "per_parameter": widest["step"] / (widest["parameters"] * BATCH),
            "differences": widest["differences"] / widest["step"],
        },
        "paths": {
            "depths": depths,
            "naive": [r["naive"] for r in path_rows],
            "backprop": [r["backprop"] for r in path_rows],
            "difference_max": max(r["difference"] for r in path_rows),
        },
        "memory": {
            "parameters": plain["parameters"],
            "stored": plain["stored"],
            "stored_double_batch": double["stored"],
            "stored_double_depth": deeper["stored"],
            "checkpoint_stored": saving["stored"],
            "checkpoint_cost": saving["step"] / plain["step"],
            "checkpoint_difference": max(
                float(np.abs(a - b).max())
                for a, b in zip(plain["gradients"], saving["gradients"], strict=True)
            ),
        },
    }


def draw(result: dict[str, Any], lang: str) -> Any:
    from experiments.style import BACKWARD, BAD, FORWARD, MUTED, new_figure

    label = {
        "en": {
            "params": "parameters",
            "madds": "multiply-adds",
            "forward": "forward",
            "step": "forward + backward",
            "differences": "central differences",
            "layers": "layers",
            "mult": "multiplications",
            "naive": "every path",
            "backprop": "backpropagation",
        },
        "zh": {
            "params": "参数个数",
            "madds": "乘加次数",
            "forward": "前向",
            "step": "前向 + 反向",
            "differences": "中心差分",
            "layers": "层数",
            "mult": "乘法次数",
            "naive": "逐条路径求和",
            "backprop": "反向传播",
        },
    }[lang]
    fig, (left, right) = new_figure(7.2, 3.4, ncols=2)
    rows = list(result["rows"].values())
    x = [row["parameters"] for row in rows]
    for key, colour, marker in (
        ("differences", BAD, "d"),
        ("step", BACKWARD, "s"),
        ("forward", FORWARD, "o"),
    ):
        left.loglog(x, [row[key] for row in rows], marker=marker, color=colour, label=label[key])
    left.set_xlabel(label["params"])
    left.set_ylabel(label["madds"])
    left.legend()
    depths = result["paths"]["depths"]
    right.semilogy(depths, result["paths"]["naive"], "d-", color=MUTED, label=label["naive"])
    right.semilogy(
        depths, result["paths"]["backprop"], "s-", color=BACKWARD, label=label["backprop"]
    )
    right.set_xlabel(label["layers"])
    right.set_ylabel(label["mult"])
    right.legend()
    return fig
