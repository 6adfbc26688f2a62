"""Cost and memory by counting: one layer, a network, paths, differences, checkpoints.

Claims, and how each is measured (multiply-adds by ``bpref.cost.Counter``; nothing is timed):

* ``layer``: one linear layer with tanh, forward and backward, product by product.
* ``formula``: over random networks the counted products equal the formulas exactly.
* ``ratio``: backward over forward against depth and width, with and without the elementwise
  products.
* ``paths``: the error signal of the first layer summed over every path, and by reuse.
* ``differences``: all partial derivatives by central differences, really run.
* ``memory``: activations that wait for the backward pass, and parameters.
* ``checkpoints``: training steps that really compute activations again, with segments of the
  square root of the depth and by halving; peak of the arrays alive, layers computed.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

import bpref.functional as F
from bpref.cost import Counter
from experiments import style

Array = NDArray[np.float64]


def network(widths: list[int], seed: int = 0) -> list[tuple[Array, Array]]:
    """Weights and biases of a network with these numbers of units, input first."""
    rng = np.random.default_rng(seed)
    pairs = itertools.pairwise(widths)
    return [(rng.normal(size=(m, d)) / d**0.5, 0.1 * rng.normal(size=m)) for d, m in pairs]


def forward(layers: list[tuple[Array, Array]], X: Array) -> list[Array]:
    """H_0 = X, then tanh layers; the last layer has no activation."""
    H = [X]
    for number, (W, b) in enumerate(layers, 1):
        A = H[-1] @ W.T + b
        H.append(np.tanh(A) if number < len(layers) else A)
    return H


def loss(layers: list[tuple[Array, Array]], X: Array, Y: Array) -> float:
    """Half mean squared error."""
    return float(np.sum((np.asarray(forward(layers, X)[-1]) - Y) ** 2) / (2 * len(X)))


def count(widths: list[int], N: int) -> dict[str, int]:
    """One training step on counting arrays; products of matrices and elementwise ones apart."""
    rng = np.random.default_rng(1)
    layers = network(widths)
    Y = rng.normal(size=(N, widths[-1]))
    counter = Counter()
    H = forward(layers, counter.watch(rng.normal(size=(N, widths[0]))))
    counted = {"forward": counter.multiply_adds, "weights": 0, "inputs": 0, "slopes": 0}
    Delta = (H[-1] - Y) / N
    for number in range(len(layers), 0, -1):
        before = counter.multiply_adds
        Delta.T @ H[number - 1]
        counted["weights"] += counter.multiply_adds - before
        if number == 1:
            break  # nobody needs the gradient of X
        before = counter.multiply_adds
        below = Delta @ layers[number - 1][0]
        counted["inputs"] += counter.multiply_adds - before
        before = counter.multiply_adds
        Delta = below * (1.0 - H[number - 1] * H[number - 1])
        counted["slopes"] += counter.multiply_adds - before
    counted["backward"] = counted["weights"] + counted["inputs"] + counted["slopes"]
    counted["stored"] = sum(h.size for h in H)
    counted["parameters"] = sum(W.size + b.size for W, b in layers)
    return counted


def layer(N: int = 4, d: int = 3, m: int = 2) -> dict[str, int]:
    """One linear layer with tanh, by the functions of the package."""
    rng = np.random.default_rng(0)
    counter = Counter()
    counts = {"N": N, "d": d, "m": m}

    def add(key: str) -> None:
        counts[key] = counter.multiply_adds
        counter.multiply_adds = 0

    X, W = counter.watch(rng.normal(size=(N, d))), rng.normal(size=(m, d))
    A, cache = F.linear(X, W, np.zeros(m))
    add("linear")
    H, cache_tanh = F.tanh(A)
    add("tanh")
    Delta = F.tanh_backward(counter.watch(rng.normal(size=H.shape)), cache_tanh)
    add("tanh_backward")
    F.linear_backward(Delta, cache)
    add("linear_backward")
    Delta.T @ X
    add("weights")
    Delta @ W
    add("inputs")
    return counts


def formula(networks: int = 50) -> dict[str, Any]:
    """Whether the counts equal the formulas of the page."""
    rng = np.random.default_rng(2)
    equal = True
    ratios = []
    for _ in range(networks):
        N = int(rng.integers(1, 9))
        n = [int(k) for k in rng.integers(1, 20, size=int(rng.integers(2, 8)))]
        counted = count(n, N)
        products = sum(a * b for a, b in itertools.pairwise(n))
        equal &= counted["forward"] == N * products
        equal &= counted["weights"] == N * products
        equal &= counted["inputs"] == N * (products - n[0] * n[1])
        equal &= counted["slopes"] == 2 * N * sum(n[1:-1])
        equal &= counted["stored"] == N * sum(n)
        ratios.append((counted["weights"] + counted["inputs"]) / counted["forward"])
    return {"networks": networks, "equal": equal, "max": max(ratios), "min": min(ratios)}


def ratio(N: int = 2) -> dict[str, Any]:
    """Backward over forward for square layers."""
    depths, widths = [1, 2, 4, 8, 16, 32], [4, 8, 16, 32, 64, 128]

    def of(width: int, depth: int) -> tuple[float, float]:
        c = count([width] * (depth + 1), N)
        return (c["weights"] + c["inputs"]) / c["forward"], c["backward"] / c["forward"]

    digits = count([784, 128, 10], 64)
    return {
        "depths": depths,
        "widths": widths,
        "products": [of(16, depth)[0] for depth in depths],
        "all": {f"w{w}": [of(w, depth)[1] for depth in depths] for w in (4, 16, 128)},
        "by_width": [of(w, 8)[1] for w in widths],
        "products_by_width": [of(w, 8)[0] for w in widths],
        "digits": {
            **digits,
            "ratio": digits["backward"] / digits["forward"],
            "products": (digits["weights"] + digits["inputs"]) / digits["forward"],
        },
    }


def paths(width: int, layers: int) -> dict[str, Any]:
    """All of delta_1 for J = sum of the last activations: every path, and by reuse."""
    rng = np.random.default_rng(3)
    weights = [rng.normal(size=(width, width)) / width**0.5 for _ in range(layers)]
    h, slopes = rng.normal(size=width), []
    for W in weights:
        h = np.tanh(W @ h)
        slopes.append(1 - h**2)
    W_lists, s_lists = [W.tolist() for W in weights], [s.tolist() for s in slopes]
    naive, total = 0, [0.0] * width
    for path in itertools.product(range(width), repeat=layers):
        factor = s_lists[0][path[0]]
        for number in range(1, layers):
            factor *= W_lists[number][path[number]][path[number - 1]]
            factor *= s_lists[number][path[number]]
            naive += 2
        total[path[0]] += factor
    counter = Counter()
    delta = counter.watch(slopes[-1])
    for number in range(layers - 1, 0, -1):
        delta = slopes[number - 1] * (weights[number].T @ delta)
    return {
        "paths": width**layers,
        "naive": naive,
        "reuse": counter.multiply_adds,
        "difference": float(np.abs(np.asarray(delta) - total).max()),
    }


def gradients(layers: list[tuple[Array, Array]], X: Array, Y: Array) -> list[Array]:
    """Backpropagation, in the order W_1, b_1, W_2, ..."""
    H = forward(layers, X)
    Delta = (H[-1] - Y) / len(X)
    found: list[Array] = []
    for number in range(len(layers), 0, -1):
        found = [Delta.T @ H[number - 1], Delta.sum(axis=0), *found]
        Delta = (Delta @ layers[number - 1][0]) * (1 - H[number - 1] ** 2)
    return found


def differences(widths: list[int], N: int = 4) -> dict[str, Any]:
    """Central differences for every parameter, on counting arrays."""
    rng = np.random.default_rng(4)
    layers = network(widths)
    X, Y = rng.normal(size=(N, widths[0])), rng.normal(size=(N, widths[-1]))
    step = count(widths, N)
    exact = gradients(layers, X, Y)
    counter = Counter()
    watched = counter.watch(X)
    passes, worst = 0, 0.0
    for parameter, gradient in zip(itertools.chain(*layers), exact, strict=True):
        for index in np.ndindex(parameter.shape):
            keep, values = parameter[index], []
            for moved in (keep + 1e-5, keep - 1e-5):
                parameter[index] = moved
                values.append(loss(layers, watched, Y))
                passes += 1
            parameter[index] = keep
            worst = max(worst, abs((values[0] - values[1]) / 2e-5 - float(gradient[index])))
    return {
        "parameters": step["parameters"],
        "passes": passes,
        "backprop": step["forward"] + step["backward"],
        "central": counter.multiply_adds,
        "ratio": counter.multiply_adds / (step["forward"] + step["backward"]),
        "forward": step["forward"],
        "agree": bool(worst < 1e-8),
        "within": 1e-8 if worst < 1e-8 else float(worst),
    }


def memory() -> dict[str, Any]:
    """Activations and parameters of 16 layers with 64 units."""
    widths = [64] * 17
    rows = {f"n{N}": count(widths, N)["stored"] for N in (1, 32, 64, 256)}
    parameters = count(widths, 1)["parameters"]
    equal = next(N for N in range(1, 1000) if N * sum(widths) > parameters)
    return {"parameters": parameters, "rows": rows, "batch_equal": equal}


class Step:
    """A training step that knows how many activation arrays are alive and layers computed."""

    def __init__(self, weights: list[Array], x: Array) -> None:
        self.weights, self.x = weights, x
        self.alive: dict[int, Array] = {0: x}
        self.peak, self.computed = 1, 0
        self.gradients: list[Array] = [np.empty(0)] * len(weights)
        self.delta: Array | None = None

    def run(self, below: int, keep: bool = True) -> None:
        """Compute the activation above this one; without keep the one below is dropped."""
        self.computed += 1
        self.alive[below + 1] = np.tanh(self.alive[below] @ self.weights[below].T)
        if not keep:
            del self.alive[below]
        self.peak = max(self.peak, len(self.alive))

    def back(self, number: int) -> None:
        """Backward pass of one layer; J is half the squared length of the last activation."""
        h = self.alive.pop(number)
        delta = h if self.delta is None else self.delta
        delta = delta * (1 - h**2)
        self.gradients[number - 1] = delta.T @ self.alive[number - 1]
        self.delta = delta @ self.weights[number - 1]


def segments(weights: list[Array], x: Array, lengths: list[int]) -> Step:
    """Keep the input of each segment; compute the inside again, except in the last one."""
    step = Step(weights, x)
    starts = [0, *itertools.accumulate(lengths)]
    for below in range(len(weights)):
        step.run(below, keep=below in starts or below >= starts[-2])
    for start, end in reversed(list(itertools.pairwise(starts))):
        for below in range(start, end - 1):
            if below + 1 not in step.alive:
                step.run(below)
        for number in range(end, start, -1):
            step.back(number)
    return step


def halving(weights: list[Array], x: Array) -> Step:
    """Recompute by halves: walk to the middle, do the upper half, then the lower one."""
    step = Step(weights, x)

    def half(start: int, end: int) -> None:
        if end - start == 1:
            if end not in step.alive:
                step.run(start)
            step.back(end)
            return
        middle = (start + end) // 2
        for below in range(start, middle):
            step.run(below, keep=below == start)
        half(middle, end)
        # What stood at the middle is the output of the lower half and still alive.
        half(start, middle)

    half(0, len(weights))
    return step


def checkpoints() -> dict[str, Any]:
    """Depths that are squares and powers of two."""
    depths = [4, 16, 64, 256]
    rows: dict[str, list[int]] = {key: [] for key in ("all", "root", "again", "halving", "again2")}
    difference = 0.0
    for L in depths:
        rng = np.random.default_rng(5)
        weights = [rng.normal(size=(4, 4)) / 2.0 for _ in range(L)]
        x = rng.normal(size=(2, 4))
        k = int(L**0.5)
        plain = segments(weights, x, [L])
        root = segments(weights, x, [k] * k)
        half = halving(weights, x)
        for other in (root, half):
            pairs = zip(plain.gradients, other.gradients, strict=True)
            difference = max(difference, max(float(np.abs(a - b).max()) for a, b in pairs))
        rows["all"].append(plain.peak)
        rows["root"].append(root.peak)
        rows["again"].append(root.computed - L)
        rows["halving"].append(half.peak)
        rows["again2"].append(half.computed - L)
    rng = np.random.default_rng(5)
    weights = [rng.normal(size=(4, 4)) / 2.0 for _ in range(9)]
    x = rng.normal(size=(2, 4))
    splits = {"equal": [2, 2, 2, 2, 1], "rest": [1, 1, 1, 1, 5], "one": [9]}
    nine = {key: segments(weights, x, lengths) for key, lengths in splits.items()}
    return {
        "depths": depths,
        **rows,
        "difference": difference,
        "share": rows["again"][-1] / depths[-1],
        "nine": {key: {"peak": s.peak, "again": s.computed - 9} for key, s in nine.items()},
    }


def _bound(value: float) -> float:
    """A power of ten at least three times larger."""
    return float(f"1e{int(np.ceil(np.log10(3.0 * value)))}")


def run() -> dict[str, Any]:
    """All claims of the page."""
    depths = [2, 4, 6, 8, 10]
    rows = [paths(3, L) for L in depths]
    return {
        "layer": layer(),
        "formula": formula(),
        "ratio": ratio(),
        "paths": {
            "width": 3,
            "depths": depths,
            **{key: [row[key] for row in rows] for key in ("paths", "naive", "reuse")},
            "reuse_more": rows[1]["reuse"] - rows[0]["reuse"],
            # Rounding noise differs between CPUs: a power of ten that is larger.
            "difference": _bound(max(row["difference"] for row in rows)),
        },
        "differences": {f"w{n}": differences([n] * 4) for n in (4, 8, 16)},
        "memory": memory(),
        "checkpoints": checkpoints(),
    }


def draw(result: dict[str, Any], lang: str) -> Any:
    """The ratio against depth and width; the peak of the arrays alive against depth."""
    words = {
        "en": (
            "layers",
            "width (8 layers)",
            "backward / forward",
            "matrix products only",
            "with slopes, width {}",
            "arrays alive, at most",
            "everything stored",
            "segments of √L layers",
            "halving",
        ),
        "zh": (
            "层数",
            "宽度（8 层）",
            "反向 / 前向",
            "只计矩阵乘积",
            "含斜率，宽度 {}",
            "同时保存的数组（最多）",
            "全部保存",
            "每段 √L 层",
            "逐次对半",
        ),
    }[lang]
    r = result["ratio"]
    fig, (left, right) = style.new_figure(7.4, 3.4, ncols=2, sharey=True)
    left.plot(r["depths"], r["products"], "o-", color=style.INK, label=words[3])
    for (name, values), colour in zip(
        r["all"].items(), (style.ACCENT, style.FORWARD, style.BACKWARD), strict=True
    ):
        left.plot(r["depths"], values, "s--", color=colour, label=words[4].format(name[1:]))
    right.plot(r["widths"], r["products_by_width"], "o-", color=style.INK)
    right.plot(r["widths"], r["by_width"], "s--", color=style.FORWARD)
    for ax, values, label in ((left, r["depths"], words[0]), (right, r["widths"], words[1])):
        ax.set_xscale("log", base=2)
        ax.set_xticks(values, [str(v) for v in values])
        ax.minorticks_off()
        ax.axhline(2, color=style.MUTED, linewidth=0.8)
        ax.set_xlabel(label)
    left.set_ylabel(words[2])
    left.set_ylim(0.9, 2.6)
    left.legend(fontsize=7.5, loc="lower right")

    c = result["checkpoints"]
    memory_figure, ax = style.new_figure(6.4, 3.4)
    for key, colour, marker, label in (
        ("all", style.MUTED, "d", words[6]),
        ("root", style.BACKWARD, "s", words[7]),
        ("halving", style.FORWARD, "o", words[8]),
    ):
        ax.loglog(c["depths"], c[key], marker=marker, color=colour, label=label)
    ax.set_xticks(c["depths"], [str(v) for v in c["depths"]])
    ax.set_yticks([4, 16, 64, 256], ["4", "16", "64", "256"])
    ax.minorticks_off()
    ax.set_xlabel(words[0])
    ax.set_ylabel(words[5])
    ax.legend(fontsize=9)
    return {"cost_and_memory": fig, "cost_and_memory_checkpoints": memory_figure}
