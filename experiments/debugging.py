"""What each step of the debugging checklist catches, measured.

The task is a classification with 10 classes in 20 dimensions (250 samples), the network 20-32-10
unless said otherwise, float64, medians over 3 seeds.

* ``broadcast``: labels of shape (N,) against predictions of shape (N, 1).
* ``init``: loss before the first step: default initial values, and N(0, 1).
* ``double``: softmax before a loss that applies softmax again: where the training ends.
* ``check``: relative error that a gradient check reports for a missing slope.
* ``norms``: gradient norm of the first layer over that of the last, ten layers.
* ``ratio``: size of an update relative to the weights and the loss after 100 steps, 7 rates.
* ``dead``: share of ReLU units that are zero for every sample.
* ``tiny``: loss on 8 samples after 800 steps: right program and planted mistakes.
* ``blind``: training loss with inputs and with zeros in their place; labels shuffled.
* ``mode``: accuracy with dropout left on.
* ``zero_grad``: gradients that are never reset.
* ``mixing``: how many samples the output of one sample depends on.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import bpref.functional as F
from bpref import nn, optim

SEEDS = 3
CLASSES, D, N = 10, 20, 250
RATES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 10.0)
CAP = 3.0  # a training that has blown up ends anywhere above
RTOL = 1e-3

Array = np.ndarray


def data(seed: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(CLASSES, D))
    labels = rng.integers(CLASSES, size=N)
    return centres[labels] + rng.normal(size=(N, D)), labels


def network(seed: int, sizes: tuple[int, ...] = (D, 32, CLASSES), activation: str = "relu") -> Any:
    return nn.MLP(list(sizes), activation, generator=np.random.default_rng(100 + seed))


def step(net: Any, X: Array, labels: Array, twice: bool = False) -> float:
    """Loss and gradients; with ``twice`` the network's softmax is followed by that of the loss."""
    logits = net(X)
    if twice:
        probabilities, cache = F.softmax(logits, 1)
        loss, loss_cache = F.cross_entropy(probabilities, labels)
        net.backward(F.softmax_backward(F.cross_entropy_backward(1.0, loss_cache), cache))
    else:
        loss, loss_cache = F.cross_entropy(logits, labels)
        net.backward(F.cross_entropy_backward(1.0, loss_cache))
    return float(loss)


def fit(net: Any, X: Array, labels: Array, steps: int, rate: float, **options: Any) -> float:
    optimizer = optim.SGD(net.parameters(), lr=rate)
    loss = math.nan
    for _ in range(steps):
        optimizer.zero_grad()
        loss = step(net, X, labels, **options)
        optimizer.step()
    return loss


def median(values: list[float]) -> float:
    return float(np.median(values))


def broadcast() -> dict[str, Any]:
    found: dict[str, list[float]] = {"right": [], "flat": [], "variance": []}
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(100, 1))
        y = 2 * X + 0.1 * rng.normal(size=(100, 1))
        for name, labels in (("right", y), ("flat", y[:, 0])):
            w, b = np.zeros((1, 1)), np.zeros(1)
            for _ in range(300):
                error = X @ w.T + b - labels  # (100, 1) - (100,) is (100, 100)
                grad = 2 * error.sum(axis=1, keepdims=True) / error.size
                w, b = w - 0.1 * grad.T @ X, b - 0.1 * grad.sum(axis=0)
            found[name].append(float(np.mean((X @ w.T + b - y) ** 2)))
        found["variance"].append(float(y.var()))
    return {name: median(values) for name, values in found.items()}


def init() -> dict[str, Any]:
    default, large = [], []
    for seed in range(20):
        X, labels = data(seed)
        net = network(seed)
        default.append(float(F.cross_entropy(net(X), labels)[0]))
        rng = np.random.default_rng(seed)
        for p in net.parameters():
            p.data[:] = rng.normal(size=p.data.shape)
        large.append(float(F.cross_entropy(net(X), labels)[0]))
    return {
        "expected": math.log(CLASSES),
        "median": median(default),
        "min": min(default),
        "max": max(default),
        "large": median(large),
    }


def double() -> dict[str, Any]:
    once, twice, start = [], [], []
    for seed in range(SEEDS):
        X, labels = data(seed)
        once.append(fit(network(seed), X, labels, 500, 0.5))
        start.append(step(network(seed), X, labels, twice=True))
        twice.append(fit(network(seed), X, labels, 500, 0.5, twice=True))
    return {
        "floor": math.log(1 + (CLASSES - 1) / math.e),
        "start": median(start),
        "once": median(once),
        "twice": median(twice),
    }


def check() -> dict[str, Any]:
    """A missing slope in a small network: what the check says."""
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(6, 3)), rng.normal(size=(6, 2))
    W_1, W_2 = rng.normal(size=(4, 3)), rng.normal(size=(2, 4))
    H = np.tanh(X @ W_1.T)
    D_2 = (H @ W_2.T - Y) / 6
    right, wrong = ((D_2 @ W_2) * (1 - H * H)).T @ X, (D_2 @ W_2).T @ X
    return {"missing_slope": float(np.abs(wrong - right).max() / np.abs(wrong).max())}


def norms() -> dict[str, Any]:
    out = {}
    for activation in ("sigmoid", "tanh"):
        ratios = []
        for seed in range(SEEDS):
            X, labels = data(seed)
            net = network(seed, (D, *[32] * 9, CLASSES), activation)
            step(net, X, labels)
            sizes = [float(np.linalg.norm(p.grad)) for p in net.parameters() if p.grad.ndim == 2]
            ratios.append(sizes[0] / sizes[-1])
        out[activation] = median(ratios)
    return out


def ratio() -> dict[str, Any]:
    updates, losses = [], []
    for rate in RATES:
        relative, ends = [], []
        for seed in range(SEEDS):
            X, labels = data(seed)
            net = network(seed)
            step(net, X, labels)
            W = net[0].weight
            relative.append(rate * float(np.linalg.norm(W.grad) / np.linalg.norm(W.data)))
            loss = fit(net, X, labels, 100, rate)
            ends.append(loss if loss < CAP else CAP)  # nan as well
        updates.append(median(relative))
        losses.append(median(ends))
    return {
        "rates": list(RATES),
        "update": updates,
        "loss": losses,
        "last_update": updates[-1],
    }


def dead() -> dict[str, Any]:
    out = {}
    for name, rate, shift in (("usual", 0.1, 0.0), ("shifted", 0.1, -20.0)):
        shares = []
        for seed in range(SEEDS):
            X, labels = data(seed)
            net = network(seed)
            fit(net, X + shift, labels, 100, rate)
            hidden = net[1](net[0](X + shift))
            shares.append(float(np.mean(np.all(hidden == 0, axis=0))))
        out[name] = median(shares)
    return out


def tiny() -> dict[str, Any]:
    found: dict[str, list[float]] = {
        name: [] for name in ("right", "random_labels", "no_slope", "half_first", "zero_input")
    }
    for seed in range(SEEDS):
        X, labels = data(seed)
        X, labels = X[:8], np.arange(8)  # eight different classes
        for name, losses in found.items():
            inputs = np.zeros_like(X) if name == "zero_input" else X
            rng = np.random.default_rng(seed)
            classes = rng.permutation(labels) if name == "random_labels" else labels
            net = network(seed, activation="tanh")
            first, last = net[0], net[2]
            optimizer = optim.SGD(net.parameters(), lr=0.3)
            for _ in range(800):
                optimizer.zero_grad()
                loss, cache = F.cross_entropy(net(inputs), classes)
                back = last.backward(F.cross_entropy_backward(1.0, cache))
                first.backward(back if name == "no_slope" else net[1].backward(back))
                if name == "half_first":
                    first.weight.grad[:] *= 0.5
                optimizer.step()
            losses.append(float(loss))
    return {name: median(losses) for name, losses in found.items()}


def blind() -> dict[str, Any]:
    found: dict[str, list[float]] = {name: [] for name in ("real", "zeros", "shuffled")}
    for seed in range(SEEDS):
        X, labels = data(seed)
        # A small network, which can't learn 250 shuffled labels by heart.
        shuffled = np.random.default_rng(seed).permutation(labels)
        found["real"].append(fit(network(seed, (D, 8, CLASSES)), X, labels, 200, 0.3))
        found["zeros"].append(fit(network(seed, (D, 8, CLASSES)), 0 * X, labels, 200, 0.3))
        found["shuffled"].append(fit(network(seed, (D, 8, CLASSES)), X, shuffled, 200, 0.3))
    return {name: median(values) for name, values in found.items()}


def mode() -> dict[str, Any]:
    evaluated, on = [], []
    for seed in range(SEEDS):
        X, labels = data(seed)
        rng = np.random.default_rng(100 + seed)
        net = nn.Sequential(
            nn.Linear(D, 32, generator=rng),
            nn.ReLU(),
            nn.Dropout(0.5, generator=np.random.default_rng(seed)),
            nn.Linear(32, CLASSES, generator=rng),
        )
        fit(net, X[:125], labels[:125], 300, 0.3)

        def accuracy(net: Any = net, X: Array = X, labels: Array = labels) -> float:
            return float(np.mean(np.argmax(net(X[125:]), axis=1) == labels[125:]))

        evaluated.append((net.eval(), accuracy())[1])
        on.append((net.train(), float(np.mean([accuracy() for _ in range(20)])))[1])
    return {"eval": float(np.mean(evaluated)), "train": float(np.mean(on))}


def zero_grad() -> dict[str, Any]:
    growth, ends, right = [], [], []
    for seed in range(SEEDS):
        X, labels = data(seed)
        net = network(seed)
        optimizer = optim.SGD(net.parameters(), lr=0.1)
        sizes = []
        for _ in range(20):
            loss = step(net, X, labels)
            sizes.append(float(np.linalg.norm(net[2].weight.grad)))
            optimizer.step()
        other = network(seed)
        fit(other, X, labels, 20, 0.1)
        growth.append(sizes[9] / sizes[0])
        ends.append(loss)
        other.zero_grad()
        step(other, X, labels)
        right.append(float(np.linalg.norm(other[2].weight.grad)) / sizes[0])
    return {"growth": median(growth), "right_growth": median(right)}


def mixing() -> dict[str, Any]:
    """The output of sample 0, once as X Wᵀ and once with a reshape where a transpose belongs."""
    rng = np.random.default_rng(0)
    X, W = rng.normal(size=(6, 4)), rng.normal(size=(3, 4))

    def right(X: Array) -> Array:
        return (W @ X.T).T[0]

    def reshaped(X: Array) -> Array:
        return (W @ X.reshape(4, 6)).T[0]

    out = {"samples": len(X)}
    for name, f in (("right", right), ("reshape", reshaped)):
        count = 0
        for row in range(len(X)):
            moved = X.copy()
            moved[row] += 1.0
            count += bool(np.any(f(moved) != f(X)))
        out[name] = count
    return out


def run() -> dict[str, Any]:
    return {
        "seeds": SEEDS,
        "broadcast": broadcast(),
        "init": init(),
        "double": double(),
        "check": check(),
        "norms": norms(),
        "ratio": ratio(),
        "dead": dead(),
        "tiny": tiny(),
        "blind": blind(),
        "mode": mode(),
        "zero_grad": zero_grad(),
        "mixing": mixing(),
    }


def draw(result: dict[str, Any], lang: str) -> Any:
    from experiments import style

    words = {
        "en": {
            "x": "log10 of the first update relative to the weights",
            "y": "loss after 100 steps",
            "start": "loss of guessing, log 10",
        },
        "zh": {
            "x": "第一次更新量与权重之比的 log10",
            "y": "100 步后的损失",
            "start": "随机猜测的损失 log 10",
        },
    }[lang]
    r = result["ratio"]
    fig, ax = style.new_figure(6.8, 3.4)
    x = np.log10(r["update"])
    ax.axhline(result["init"]["expected"], color=style.MUTED, linewidth=1, linestyle="--")
    ax.text(x[0], result["init"]["expected"] + 0.06, words["start"], color=style.MUTED, fontsize=9)
    ax.plot(x, r["loss"], color=style.FORWARD, marker="o", markersize=4)
    for a, b, rate in zip(x, r["loss"], r["rates"], strict=True):
        ax.text(a, b - 0.14, f"{rate:g}", color=style.FORWARD, fontsize=8, ha="center", va="top")
    ax.set_ylim(-0.45, 3.3)
    ax.set_xlabel(words["x"])
    ax.set_ylabel(words["y"])
    return fig
