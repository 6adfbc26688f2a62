"""One neuron as a circuit of scalar operations: values forward, gradients backward.

Claims, and how each is measured:

* ``neuron``: every value, local derivative and gradient of y_hat = x + tanh(w x + b), read from
  the graph that `bpref.graph` recorded. The input x forks: two gradients arrive at it and add.
* ``check``: the gradients agree with central differences and with PyTorch.
* ``batch``: 100 random neurons with d inputs and N samples: the graph of scalars, the matrix
  formula and central differences give the same gradient, with the lowest and the highest
  difference; and how many values a graph holds.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpref.graph import Value, topological_order
from experiments import style
from experiments._claim import Claim
from experiments._ranges import Bar, bound, draw_ranges, spread

RTOL = 1e-6

# The circuit that the page walks through.
WORKED = ("given.*", "value.*", "grad.*", "slope", "fork.*")
CLAIMS = (
    Claim(
        id="neuron-difference-sees-the-total",
        en="On the worked circuit, central differences give the gradients of the walk. For the "
        "input $x$, which has two wires, the quotient is ${{ neuron.check.quotient.x | .6f }}$: "
        "the sum of what the two wires bring back, and neither of the two parts.",
        zh="在算例的电路上，中心差分给出的就是逐门反向算得的梯度。输入 $x$ 连着两条线，差商是 "
        "${{ neuron.check.quotient.x | .6f }}$，即两条线带回的梯度之和，而不是其中任何一个。",
        criterion="all(abs(check.quotient[k] - grad[k]) < 1e-6 for k in ['x', 'w', 'b'])"
        " and fork.skip < 0 < fork.neuron"
        " and abs(fork.skip + fork.neuron - check.quotient.x) < 1e-6",
        covers=("check.quotient.*",),
        exact="arithmetic",
    ),
    Claim(
        id="neuron-graph-gives-the-matrix-formula",
        en="Over {{ neuron.batch.cases }} random neurons, the graph of scalars and "
        r"$X^\top \delta$ never differ by more than "
        "${{ neuron.batch.graph | sci0 }}$ relative to the gradient, and "
        r"central differences never differ from $X^\top \delta$ by more than "
        "${{ neuron.batch.central | sci0 }}$.",
        zh=r"在 {{ neuron.batch.cases }} 个随机的神经元上，标量计算图与 $X^\top \delta$ 之差（相对"
        r"于梯度）从不超过 ${{ neuron.batch.graph | sci0 }}$，中心差分与 $X^\top \delta$ 之差从不"
        "超过 ${{ neuron.batch.central | sci0 }}$。",
        criterion="batch.difference.graph.max <= batch.graph <= 1e-10"
        " and batch.difference.central.max <= batch.central <= 1e-6",
        covers=("batch.cases", "batch.graph", "batch.central", "batch.difference.*"),
        runs="batch.cases",
        spread=("batch.difference.graph.min", "batch.difference.graph.max"),
        figure="neuron_agreement",
    ),
    Claim(
        id="neuron-graph-holds-more-values-than-derivatives",
        en="For $N = {{ neuron.batch.size.N }}$ samples and $d = {{ neuron.batch.size.d }}$ inputs "
        "the graph of scalars holds {{ neuron.batch.size.nodes }} values to get "
        "{{ neuron.batch.size.parameters }} derivatives: $2 d + 4$ for each sample, and $d + 3$ "
        "besides.",
        zh="有 $N = {{ neuron.batch.size.N }}$ 个样本、$d = {{ neuron.batch.size.d }}$ 个输入时，"
        "为了 {{ neuron.batch.size.parameters }} 个导数，标量计算图里有 "
        "{{ neuron.batch.size.nodes }} 个值：每个样本 $2 d + 4$ 个，此外还有 $d + 3$ 个。",
        criterion="batch.size.nodes == batch.size.N * (2 * batch.size.d + 4) + batch.size.d + 3"
        " and batch.size.nodes > 10 * batch.size.parameters",
        covers=("batch.size.*",),
        exact="count",
    ),
)

Array = NDArray[np.float64]
START = {"x": 1.5, "w": -0.8, "b": 0.4, "y": 2.0}


def circuit(x: Any, w: Any, b: Any, y: Any) -> dict[str, Any]:
    """All values of the circuit by name; Value, PyTorch tensors and floats all work."""
    p = w * x
    a = p + b
    h = a.tanh() if hasattr(a, "tanh") else np.tanh(a)
    y_hat = x + h
    e = y_hat - y
    return {"p": p, "a": a, "h": h, "y_hat": y_hat, "e": e, "J": 0.5 * e**2}


def neuron() -> dict[str, Any]:
    """Values and gradients at every node, and what arrives at the fork."""
    x, w, b = (Value(START[name], name) for name in ("x", "w", "b"))
    nodes = {"x": x, "w": w, "b": b} | circuit(x, w, b, START["y"])
    nodes["J"].backward()
    a, h, y_hat = nodes["a"], nodes["h"], nodes["y_hat"]
    return {
        "given": START,
        "value": {name: node.data for name, node in nodes.items()},
        "grad": {name: node.grad for name, node in nodes.items()},
        "slope": h.derivatives[0],
        "fork": {"skip": y_hat.grad, "neuron": a.grad * w.data},
        "nodes": len(topological_order(nodes["J"])),
    }


def check() -> dict[str, Any]:
    """Largest differences from central differences and from PyTorch, as powers of ten."""
    import torch

    grad = neuron()["grad"]
    worst = {"central": 0.0, "torch": 0.0}
    leaves = {n: torch.tensor(START[n], dtype=torch.float64, requires_grad=True) for n in "xwb"}
    circuit(**leaves, y=START["y"])["J"].backward()
    eps = 1e-5
    quotients = {}
    for name, leaf in leaves.items():
        above = circuit(**START | {name: START[name] + eps})["J"]
        below = circuit(**START | {name: START[name] - eps})["J"]
        quotients[name] = float((above - below) / (2 * eps))
        worst["central"] = max(worst["central"], abs(quotients[name] / grad[name] - 1))
        worst["torch"] = max(worst["torch"], abs(float(leaf.grad) / grad[name] - 1))  # type: ignore[arg-type]
    return {"quotient": quotients, **{name: bound(value) for name, value in worst.items()}}


def sigmoid(a: Array) -> Array:
    return 0.5 * (1.0 + np.tanh(0.5 * a))


def loss(X: Array, w: Array, b: float, y: Array) -> float:
    return float(np.sum((sigmoid(X @ w + b) - y) ** 2) / (2 * len(y)))


def batch(cases: int = 100) -> dict[str, Any]:
    """A sigmoid neuron on a batch: the graph of scalars against X' delta."""
    rng = np.random.default_rng(0)
    differences: dict[str, list[float]] = {"graph": [], "central": []}
    size = {}
    for case in range(cases):
        N, d = (6, 3) if case == 0 else (int(rng.integers(2, 7)), int(rng.integers(1, 5)))
        X, w, b = rng.normal(size=(N, d)), rng.normal(size=d), float(rng.normal())
        y = rng.uniform(size=N)
        y_hat = sigmoid(X @ w + b)
        delta = (y_hat - y) * y_hat * (1 - y_hat) / N
        dw = X.T @ delta

        weights = [Value(value) for value in w]
        bias, total = Value(b), Value(0.0)
        for row, label in zip(X, y, strict=True):
            a = bias
            for weight, x in zip(weights, row, strict=True):
                a = weight * x + a
            total = total + (a.sigmoid() - label) ** 2
        J = total / (2 * N)
        J.backward()
        if case == 0:
            size = {"N": N, "d": d, "nodes": len(topological_order(J)), "parameters": d + 1}
        graph = np.array([weight.grad for weight in weights])
        eps = 1e-5
        central = [
            (loss(X, w + eps * step, b, y) - loss(X, w - eps * step, b, y)) / (2 * eps)
            for step in np.eye(d)
        ]
        norm = float(np.linalg.norm(dw))
        differences["graph"].append(float(np.linalg.norm(graph - dw)) / norm)
        differences["central"].append(float(np.linalg.norm(central - dw)) / norm)
    return {
        "cases": cases,
        "size": size,
        "difference": {name: spread(found) for name, found in differences.items()},
        **{name: bound(max(found)) for name, found in differences.items()},
    }


def run() -> dict[str, Any]:
    """All claims of the page."""
    result = neuron()
    return result | {"check": check(), "batch": batch()}


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    """The circuit of the page, and the agreement on random neurons."""
    return {
        "neuron": _draw_circuit(result, lang),
        "neuron_agreement": _draw_agreement(result, lang),
    }


def _draw_agreement(result: dict[str, Any], lang: str) -> Any:
    """How far two other ways to the gradient are from the matrix formula."""
    graph, central, x = {
        "en": ("graph of scalars", "central differences", "relative difference from Xᵀδ"),
        "zh": ("标量计算图", "中心差分", "与 Xᵀδ 的相对差"),
    }[lang]
    found = result["batch"]["difference"]
    bars = [Bar(graph, found["graph"]), Bar(central, found["central"], style.BACKWARD)]
    return draw_ranges(bars, x)


def _draw_circuit(result: dict[str, Any], lang: str) -> Any:
    """The circuit: values above the wires, gradients below them, local derivatives at the gates."""
    words = {
        "en": ("forward: value", "backward: gradient of J", "local derivative"),
        "zh": ("前向：数值", "反向：J 的梯度", "局部导数"),
    }[lang]
    value, grad = result["value"], result["grad"]

    def num(number: float, digits: int = 3) -> str:
        return f"{number:.{digits}f}".replace("-", "\N{MINUS SIGN}")

    fig, ax = style.diagram(7.6, 3.6)
    low, high, size = 1.2, 2.45, 0.5

    def gate(x: float, y: float, text: str, width: float = size) -> None:
        style.box(ax, x, y - size / 2, width, size, text, fontsize=11)

    def wire(x0: float, x1: float, y: float, name: str, at: float | None = None) -> None:
        style.arrow(ax, (x0, y), (x1, y), color=style.MUTED, linewidth=1.1)
        mark(x0 + (x1 - x0) / 2 if at is None else at, y, num(value[name]), num(grad[name]))

    def mark(x: float, y: float, above: str, below: str) -> None:
        ax.text(x, y + 0.13, above, color=style.FORWARD, fontsize=9.5, ha="center", va="center")
        ax.text(x, y - 0.14, below, color=style.BACKWARD, fontsize=9.5, ha="center", va="center")

    def local(x: float, y: float, text: str) -> None:
        ax.text(x, y, text, color=style.ACCENT, fontsize=8.5, ha="center", va="center")

    # Lower row: x, times w, plus b, tanh. Upper row: the wire that goes past the neuron.
    ax.text(0.14, low, "x", color=style.INK, fontsize=11, va="center", ha="center")
    style.arrow(ax, (0.3, low), (1.6, low), color=style.MUTED, linewidth=1.1)
    mark(0.56, low, num(value["x"], 1), num(grad["x"]))
    ax.plot([0.9], [low], "o", color=style.INK, markersize=5)
    mark(1.24, low, "", num(result["fork"]["neuron"]))
    ax.plot([0.9, 0.9], [low, high], color=style.MUTED, linewidth=1.1)
    style.arrow(ax, (0.9, high), (4.85, high), color=style.MUTED, linewidth=1.1)
    mark(2.9, high, num(value["x"], 1), num(result["fork"]["skip"]))
    for at, name in ((1.85, "w"), (3.0, "b")):
        style.arrow(ax, (at, 0.42), (at, low - size / 2), color=style.MUTED, linewidth=1.1)
        ax.text(at, 0.24, name, color=style.INK, fontsize=11, ha="center", va="center")
        ax.text(at + 0.1, 0.72, num(value[name], 1), color=style.FORWARD, fontsize=9.5)
        ax.text(at + 0.1, 0.5, num(grad[name]), color=style.BACKWARD, fontsize=9.5)
    gate(1.6, low, "×")
    wire(2.1, 2.75, low, "p")
    gate(2.75, low, "+")
    wire(3.25, 3.9, low, "a")
    gate(3.9, low, "tanh", 0.62)
    ax.plot([4.52, 5.1], [low, low], color=style.MUTED, linewidth=1.1)
    mark(4.82, low, num(value["h"]), num(grad["h"]))
    style.arrow(ax, (5.1, low), (5.1, high - size / 2), color=style.MUTED, linewidth=1.1)
    gate(4.85, high, "+")
    wire(5.35, 6.1, high, "y_hat")
    gate(6.1, high, "½(ŷ−y)²", 0.95)
    mark(7.3, high, num(value["J"]), num(grad["J"], 0))
    style.arrow(ax, (7.05, high), (7.55, high), color=style.MUTED, linewidth=1.1)
    local(1.42, low + 0.42, f"w = {num(value['w'], 1)}")
    local(1.44, low - 0.4, f"x = {num(value['x'], 1)}")
    local(4.21, low + 0.42, f"1−h² = {num(result['slope'])}")
    local(4.76, high + 0.34, "1")
    local(5.22, high - 0.42, "1")
    local(2.65, low + 0.34, "1")
    local(2.88, low - 0.4, "1")
    local(6.58, high - 0.42, f"ŷ−y = {num(value['e'])}")
    for x, text, color in (
        (0.15, words[0], style.FORWARD),
        (1.75, words[1], style.BACKWARD),
        (3.75, words[2], style.ACCENT),
    ):
        ax.text(x, 3.35, text, color=color, fontsize=9.5, va="center")
    return fig
