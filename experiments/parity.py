"""Parity with PyTorch: four routes to one gradient, accumulation, exact and approximate equality.

Claims, and how each is measured:

* ``routes``: all nine parameter gradients of a 2-2-1 network by hand, by the scalar graph of
  ``bpref.graph``, by autograd and by central differences, and the largest distances (a power of
  ten that is at least three times larger: rounding differs between CPUs).
* ``random``: the same distances over 100 random networks with random sizes.
* ``accumulate``: what two backward passes leave in ``.grad``: PyTorch, bpref.graph, bpref.nn, and
  a class that keeps the gradients of intermediate values, as micrograd does.
* ``order``: the same 100 000 numbers, summed in float32 in three orders, against the exact sum.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

RTOL = 1e-5

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
    worst = dict.fromkeys(("graph", "autograd", "differences"), 0.0)
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
        for name in worst:
            worst[name] = max(worst[name], distance(hand, ROUTES[name](p, x, y)))
    return {"networks": count} | {name: power_of_ten(value) for name, value in worst.items()}


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
    leaf, result = torch_run()
    for times in ("once", "twice"):
        result.backward(retain_graph=True)
        out.setdefault("torch", {})[times] = float(leaf.grad)
    return out


def order(count: int = 100_000) -> dict[str, Any]:
    """One float32 sum, three orders; scalars are added one by one, as IEEE 754 says."""
    rng = np.random.default_rng(0)
    values = rng.uniform(size=count).astype(np.float32)
    exact = math.fsum(values.tolist())

    def add(numbers: np.ndarray) -> float:
        return float(np.add.accumulate(numbers, dtype=np.float32)[-1])

    def pairs(numbers: np.ndarray) -> float:
        while len(numbers) > 1:
            if len(numbers) % 2:
                numbers = np.append(numbers, np.float32(0))
            numbers = numbers[::2] + numbers[1::2]
        return float(numbers[0])

    sums = {"forward": add(values), "backward": add(values[::-1]), "pairs": pairs(values)}
    return {"count": count, "exact": exact} | {
        name: {"sum": value, "error": abs(value - exact) / exact} for name, value in sums.items()
    }


def run() -> dict[str, Any]:
    """All claims of the page except the drift (``parity_drift``)."""
    return {
        "routes": routes(),
        "random": random_networks(),
        "accumulate": accumulate(),
        "order": order(),
    }
