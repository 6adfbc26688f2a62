"""Parity with PyTorch: four routes to one gradient, accumulation, exact and approximate equality.

Claims, and how each is measured:

* ``routes``: all nine parameter gradients of a 2-2-1 network by hand, by the scalar graph of
  ``bpref.graph``, by autograd and by central differences, and the largest distances (a power of
  ten that is at least three times larger: rounding differs between CPUs).
* ``random``: the same distances over 100 random networks with random sizes: the largest, and in
  ``least`` the smallest, rounded outwards in the same way.
* ``same_seed``: how many of 100 normal numbers NumPy and PyTorch draw alike from the same seed.
* ``accumulate``: what two backward passes leave in ``.grad``: PyTorch, bpref.graph, and a class
  that keeps the gradients of intermediate values, as micrograd does, on one graph and on two.
* ``order``: the same 100 000 numbers, summed in float32 in three orders, against the exact sum,
  in 20 draws.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from experiments import style
from experiments._claim import Claim
from experiments._ranges import bound_below

RTOL = 1e-5

WORKED = (
    "routes.forward.*", "random.networks", "order.count", "order.draws",
    "same_seed.seeds",
)  # fmt: skip
CLAIMS = (
    Claim(
        "parity-four-routes",
        en="On the example the scalar graph and autograd agree with the derivatives by hand to "
        "${{ parity.routes.distance.graph | sci0 }}$ and "
        "${{ parity.routes.distance.autograd | sci0 }}$, central differences to "
        "${{ parity.routes.distance.differences | sci0 }}$.",
        zh="在例子上，标量计算图和 autograd 与手工求得的导数相差不到 "
        "${{ parity.routes.distance.graph | sci0 }}$ 和 "
        "${{ parity.routes.distance.autograd | sci0 }}$，中心差分相差不到 "
        "${{ parity.routes.distance.differences | sci0 }}$。",
        criterion="routes.distance.graph <= 1e-13 and routes.distance.autograd <= 1e-13 "
        "and routes.distance.differences <= 1e-8",
        covers=("routes.*",),
        exact="arithmetic",
    ),
    Claim(
        "parity-random-networks",
        en="Over {{ parity.random.networks }} random networks of random size the worst distance "
        "from the derivatives by hand stays below ${{ parity.random.graph | sci0 }}$ for the "
        "graph, ${{ parity.random.autograd | sci0 }}$ for autograd and "
        "${{ parity.random.differences | sci0 }}$ for central differences.",
        zh="在 {{ parity.random.networks }} 个大小随机的网络上，与手工求得的导数的最大距离，计算图"
        "小于 ${{ parity.random.graph | sci0 }}$，autograd 小于 "
        "${{ parity.random.autograd | sci0 }}$，中心差分小于 "
        "${{ parity.random.differences | sci0 }}$。",
        criterion="max(random.graph, random.autograd) <= 1e-12 and random.differences <= 1e-6",
        covers=("random.*",),
        runs="random.networks",
        spread=("random.least.differences", "random.differences"),
        figure="parity_random",
    ),
    Claim(
        "parity-same-seed-other-numbers",
        en="From the same seed NumPy and PyTorch draw different numbers: of the first 100 normal "
        "numbers of {{ parity.same_seed.seeds }} seeds, {{ parity.same_seed.equal }} are "
        "equal.",
        zh="同一个随机种子，NumPy 与 PyTorch 得到的数不同：{{ parity.same_seed.seeds }} 个种子各"
        "取前 100 个正态随机数，相等的有 {{ parity.same_seed.equal }} 个。",
        criterion="same_seed.equal == 0",
        covers=("same_seed.equal",),
        exact="count",
    ),
    Claim(
        "parity-intermediate-gradients",
        en="A second backward pass on the same graph takes the gradient of the example from "
        "{{ parity.accumulate.keeping.once | .0f }} to "
        "{{ parity.accumulate.keeping.twice | .0f }} if intermediate values keep theirs; "
        "PyTorch and `bpref.graph` return {{ parity.accumulate.torch.twice | .0f }}, and so "
        "do fresh graphs.",
        zh="如果中间值保留各自的梯度，在同一张图上再做一次反向传播，例子里的梯度从 "
        "{{ parity.accumulate.keeping.once | .0f }} 变成 "
        "{{ parity.accumulate.keeping.twice | .0f }}；PyTorch 与 `bpref.graph` 给出 "
        "{{ parity.accumulate.torch.twice | .0f }}，每次都用新图时也是如此。",
        criterion="accumulate.torch.twice == accumulate.graph.twice == 2 * accumulate.torch.once "
        "and accumulate.keeping.twice == 3 * accumulate.keeping.once "
        "and accumulate.keeping.fresh == accumulate.torch.twice",
        covers=("accumulate.*",),
        exact="deterministic",
    ),
    Claim(
        "parity-order-of-a-sum",
        en="In each of {{ parity.order.draws }} draws of {{ parity.order.count }} numbers the "
        "float32 sums from the front and from the back differ, and the sum in pairs is the most "
        "accurate: its largest error is ${{ parity.order.pairs.max | sci }}$, while that of the "
        "other two is ${{ parity.order.forward.max | sci }}$ and "
        "${{ parity.order.backward.max | sci }}$.",
        zh="{{ parity.order.draws }} 次抽取，每次 {{ parity.order.count }} 个数，用 float32 从前往"
        "后加与从后往前加，结果次次不同；两两相加次次最准确，误差最大是 "
        "${{ parity.order.pairs.max | sci }}$，另外两种最大是 "
        "${{ parity.order.forward.max | sci }}$ 和 ${{ parity.order.backward.max | sci }}$。",
        criterion="order.different == order.draws and order.pairs_best == order.draws "
        "and order.pairs.median < 0.1 * min(order.forward.median, order.backward.median) "
        "and max(order.forward.max, order.backward.max) < 1e-4",
        covers=("order.*",),
        runs="order.draws",
        spread=("order.forward.min", "order.forward.max"),
        figure="parity_order",
    ),
)


Arrays = dict[str, np.ndarray]


def start() -> Arrays:
    """The chosen numbers of the page."""
    return {
        "W_1": np.array([[0.5, -0.3], [0.2, 0.4]]),
        "b_1": np.array([0.1, -0.2]),
        "W_2": np.array([[0.7, -0.6]]),
        "b_2": np.array([0.3]),
    }


SAMPLE = {"x": np.array([1.0, -2.0]), "y": np.array([0.5])}


def forward(p: Arrays, x: np.ndarray, y: np.ndarray) -> float:
    h_1 = np.tanh(p["W_1"] @ x + p["b_1"])
    return float(0.5 * np.sum((p["W_2"] @ h_1 + p["b_2"] - y) ** 2))


def by_hand(p: Arrays, x: np.ndarray, y: np.ndarray) -> Arrays:
    h_1 = np.tanh(p["W_1"] @ x + p["b_1"])
    delta_2 = p["W_2"] @ h_1 + p["b_2"] - y
    delta_1 = (p["W_2"].T @ delta_2) * (1 - h_1 * h_1)
    return {
        "W_1": np.outer(delta_1, x),
        "b_1": delta_1,
        "W_2": np.outer(delta_2, h_1),
        "b_2": delta_2,
    }


def by_graph(p: Arrays, x: np.ndarray, y: np.ndarray) -> Arrays:
    from bpref.graph import Value

    leaves = {name: np.vectorize(Value, otypes=[object])(array) for name, array in p.items()}
    h_1 = [
        sum((w * float(v) for w, v in zip(row, x, strict=True)), b).tanh()
        for row, b in zip(leaves["W_1"], leaves["b_1"], strict=True)
    ]
    total: Any = 0.0
    for row, b, label in zip(leaves["W_2"], leaves["b_2"], y, strict=True):
        y_hat = sum((w * h for w, h in zip(row, h_1, strict=True)), b)
        total = total + 0.5 * (y_hat - float(label)) ** 2
    total.backward()
    return {name: np.vectorize(lambda v: v.grad)(array) for name, array in leaves.items()}


def by_autograd(p: Arrays, x: np.ndarray, y: np.ndarray) -> Arrays:
    import torch

    t = {name: torch.tensor(array, requires_grad=True) for name, array in p.items()}
    h_1 = torch.tanh(t["W_1"] @ torch.tensor(x) + t["b_1"])
    (0.5 * ((t["W_2"] @ h_1 + t["b_2"] - torch.tensor(y)) ** 2).sum()).backward()
    return {name: np.asarray(tensor.grad) for name, tensor in t.items()}


def by_differences(p: Arrays, x: np.ndarray, y: np.ndarray) -> Arrays:
    from bpref.gradcheck import numerical_gradient

    def f(name: str) -> Any:
        return lambda value: forward({**p, name: value}, x, y)

    return {name: numerical_gradient(f(name), array) for name, array in p.items()}


ROUTES = {
    "hand": by_hand,
    "graph": by_graph,
    "autograd": by_autograd,
    "differences": by_differences,
}


def power_of_ten(value: float) -> float:
    return float(f"1e{math.ceil(math.log10(max(3.0 * value, 1e-13)))}")


def distance(one: Arrays, other: Arrays) -> float:
    """Largest difference, relative to the largest gradient of the same array."""
    return max(
        float(np.abs(one[name] - other[name]).max() / np.abs(one[name]).max()) for name in one
    )


def routes() -> dict[str, Any]:
    p, out = start(), {}
    found = {name: route(p, **SAMPLE) for name, route in ROUTES.items()}
    h_1 = np.tanh(p["W_1"] @ SAMPLE["x"] + p["b_1"])
    y_hat = p["W_2"] @ h_1 + p["b_2"]
    out["forward"] = {
        "a_1": (p["W_1"] @ SAMPLE["x"] + p["b_1"]).tolist(),
        "h_1": h_1.tolist(),
        "y_hat": float(y_hat[0]),
        "J": forward(p, **SAMPLE),
        "delta_2": float(y_hat[0] - SAMPLE["y"][0]),
        "delta_1": found["hand"]["b_1"].tolist(),
    }
    for name, arrays in found.items():
        out[name] = {key: array.tolist() for key, array in arrays.items()}
    out["distance"] = {
        name: power_of_ten(distance(found["hand"], found[name]))
        for name in ("graph", "autograd", "differences")
    }
    return out


def random_networks(count: int = 100) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    found: dict[str, list[float]] = {name: [] for name in ("graph", "autograd", "differences")}
    for _ in range(count):
        d, n, m = (int(k) for k in rng.integers(1, 6, size=3))
        p = {
            "W_1": rng.normal(size=(n, d)),
            "b_1": rng.normal(size=n),
            "W_2": rng.normal(size=(m, n)),
            "b_2": rng.normal(size=m),
        }
        x, y = rng.normal(size=d), rng.normal(size=m)
        hand = by_hand(p, x, y)
        for name, distances in found.items():
            distances.append(distance(hand, ROUTES[name](p, x, y)))
    return {
        "networks": count,
        **{name: power_of_ten(max(distances)) for name, distances in found.items()},
        "least": {name: bound_below(min(values)) for name, values in found.items()},
    }


def same_seed(seeds: int = 20) -> dict[str, int]:
    import torch

    equal = 0
    for seed in range(seeds):
        ours = np.random.default_rng(seed).normal(size=100)
        generator = torch.Generator().manual_seed(seed)
        theirs = torch.randn(100, dtype=torch.float64, generator=generator).numpy()
        equal += int(np.sum(ours == theirs))
    return {"seeds": seeds, "equal": equal}


class Keeping:
    """A scalar whose backward pass adds to the gradient of every value, leaf or not."""

    def __init__(self, data: float, parents: tuple[tuple[Keeping, float], ...] = ()) -> None:
        self.data, self.grad, self.parents = data, 0.0, parents

    def __add__(self, other: Keeping) -> Keeping:
        return Keeping(self.data + other.data, ((self, 1.0), (other, 1.0)))

    def __mul__(self, other: Keeping) -> Keeping:
        return Keeping(self.data * other.data, ((self, other.data), (other, self.data)))

    def backward(self) -> None:
        order: list[Keeping] = []

        def visit(value: Keeping) -> None:
            if value not in order:
                for parent, _ in value.parents:
                    visit(parent)
                order.append(value)

        visit(self)
        self.grad = 1.0
        for value in reversed(order):
            for parent, slope in value.parents:
                parent.grad += slope * value.grad


def accumulate() -> dict[str, Any]:
    """e = (a + b) d with a = 3, b = 2, d = 1: a.grad after one and after two backward passes."""
    import torch

    from bpref.graph import Value

    def torch_run() -> tuple[Any, Any]:
        a, b, d = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (3, 2, 1))
        return a, (a + b) * d

    out: dict[str, Any] = {}
    a, b, d = Value(3.0), Value(2.0), Value(1.0)
    e = (a + b) * d
    for times in ("once", "twice"):
        e.backward()
        out.setdefault("graph", {})[times] = a.grad
    first, second, third = Keeping(3.0), Keeping(2.0), Keeping(1.0)
    kept = (first + second) * third
    for times in ("once", "twice"):
        kept.backward()
        out.setdefault("keeping", {})[times] = first.grad
    leaves = Keeping(3.0), Keeping(2.0), Keeping(1.0)
    for _ in range(2):
        ((leaves[0] + leaves[1]) * leaves[2]).backward()
    out["keeping"]["fresh"] = leaves[0].grad
    leaf, result = torch_run()
    for times in ("once", "twice"):
        result.backward(retain_graph=True)
        out.setdefault("torch", {})[times] = float(leaf.grad)
    return out


def order(draws: int = 20, count: int = 100_000) -> dict[str, Any]:
    """One float32 sum, three orders; scalars are added one by one, as IEEE 754 says."""

    def add(numbers: np.ndarray) -> float:
        return float(np.add.accumulate(numbers, dtype=np.float32)[-1])

    def pairs(numbers: np.ndarray) -> float:
        while len(numbers) > 1:
            if len(numbers) % 2:
                numbers = np.append(numbers, np.float32(0))
            numbers = numbers[::2] + numbers[1::2]
        return float(numbers[0])

    errors: dict[str, list[float]] = {"forward": [], "backward": [], "pairs": []}
    different = best = 0
    for seed in range(draws):
        values = np.random.default_rng(seed).uniform(size=count).astype(np.float32)
        exact = math.fsum(values.tolist())
        sums = {"forward": add(values), "backward": add(values[::-1]), "pairs": pairs(values)}
        for name, value in sums.items():
            errors[name].append(abs(value - exact) / exact)
        different += sums["forward"] != sums["backward"]
        best += errors["pairs"][-1] < min(errors["forward"][-1], errors["backward"][-1])
    return {
        "count": count,
        "draws": draws,
        "different": different,
        "pairs_best": best,
        **{
            name: {"median": float(np.median(found)), "min": min(found), "max": max(found)}
            for name, found in errors.items()
        },
    }


def run() -> dict[str, Any]:
    """All claims of the page except the drift (``parity_drift``)."""
    return {
        "routes": routes(),
        "random": random_networks(),
        "same_seed": same_seed(),
        "accumulate": accumulate(),
        "order": order(),
    }


WORDS = {
    "en": {
        "graph": "scalar graph", "autograd": "autograd", "differences": "central differences",
        "distance": "log10 of the distance from the hand-written gradient",
        "forward": "first to last", "backward": "last to first", "pairs": "in pairs",
        "error": "log10 of the relative error of the sum", "below": "or exactly 0",
    },
    "zh": {
        "graph": "标量计算图", "autograd": "autograd", "differences": "中心差分",
        "distance": "与手工梯度的距离的 log10",
        "forward": "从前到后", "backward": "从后到前", "pairs": "两两相加",
        "error": "和的相对误差的 log10", "below": "或恰好为 0",
    },
}  # fmt: skip


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    return {"parity_random": _random(result, lang), "parity_order": _order(result, lang)}


def _random(result: dict[str, Any], lang: str) -> Any:
    """The range of the distances over the random networks; a distance of 0 has no logarithm."""
    words, found = WORDS[lang], result["random"]
    fig, ax = style.new_figure(6.6, 1.9)
    edge = -18.0
    for y, name in enumerate(("differences", "autograd", "graph")):
        least = found["least"][name]
        low = np.log10(least) if least else edge
        ax.plot([low, np.log10(found[name])], [y, y], color=style.FORWARD, linewidth=7, alpha=0.5,
                solid_capstyle="butt")  # fmt: skip
        if not least:
            ax.text(edge + 0.1, y + 0.3, words["below"], color=style.MUTED, fontsize=8)
    ax.set_yticks(range(3), [words[name] for name in ("differences", "autograd", "graph")])
    ax.set_ylim(-0.5, 2.7)
    ax.set_xlim(edge, -5)
    ax.set_xlabel(words["distance"])
    return fig


def _order(result: dict[str, Any], lang: str) -> Any:
    words = WORDS[lang]
    fig, ax = style.new_figure(6.6, 1.9)
    for y, name in enumerate(("pairs", "backward", "forward")):
        low, middle, high = (
            np.log10(max(result["order"][name][key], 1e-10)) for key in ("min", "median", "max")
        )
        ax.plot([low, high], [y, y], color=style.FORWARD, linewidth=7, alpha=0.4,
                solid_capstyle="butt")  # fmt: skip
        ax.plot(middle, y, "o", color=style.FORWARD, markersize=6)
    ax.set_yticks(range(3), [words[name] for name in ("pairs", "backward", "forward")])
    ax.set_ylim(-0.5, 2.5)
    ax.set_xlabel(words["error"])
    return fig
