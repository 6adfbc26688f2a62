"""How far two trainings drift apart that differ in rounding alone.

The same network (1-16-1, tanh), initial weights, batches and steps, computed twice. Measured:
the largest difference of any weight after so many steps, log10, median over 3 seeds, for

* ``float64``: bpref and PyTorch, both in float64;
* ``float32``: bpref and PyTorch, both in float32;
* ``mixed``: bpref in float32 against bpref in float64;
* ``adam``: as float64, with Adam instead of SGD.

What is claimed are orders of magnitude: rounding noise differs between CPUs (RTOL, on log10).
"""

from __future__ import annotations

from typing import Any

import numpy as np

STEPS = 400
MARKS = (1, 2, 5, 10, 20, 50, 100, 200, 400)
SEEDS = 3
RATES = {"SGD": 0.05, "Adam": 0.01}
RTOL = 0.12

Array = np.ndarray


def data(seed: int) -> tuple[Array, Array, list[Array]]:
    rng = np.random.default_rng(seed)
    X = rng.uniform(-2, 2, size=(128, 1))
    Y = np.sin(2 * X) + 0.1 * rng.normal(size=(128, 1))
    return X, Y, [rng.integers(128, size=32) for _ in range(STEPS)]


def ours(seed: int, dtype: Any, rule: str = "SGD") -> tuple[list[Array], list[float]]:
    """Weights at the marks and all losses, with bpref."""
    import bpref.functional as F
    from bpref import nn, optim

    X, Y, batches = data(seed)
    X, Y = X.astype(dtype), Y.astype(dtype)
    net = nn.MLP([1, 16, 1], "tanh", generator=np.random.default_rng(100 + seed), dtype=np.float32)
    state = net.state_dict()  # float32 values: both precisions begin at the same point
    net = nn.MLP([1, 16, 1], "tanh", dtype=dtype)
    net.load_state_dict(state)
    optimizer = getattr(optim, rule)(net.parameters(), lr=RATES[rule])
    kept, losses = [], []
    for step, batch in enumerate(batches, 1):
        optimizer.zero_grad()
        loss, cache = F.mse_loss(net(X[batch]), Y[batch])
        net.backward(F.mse_loss_backward(1.0, cache))
        optimizer.step()
        losses.append(float(loss))
        if step in MARKS:
            values = [v.astype(np.float64).ravel() for v in net.state_dict().values()]
            kept.append(np.concatenate(values))
    return kept, losses


def theirs(seed: int, dtype: Any, rule: str = "SGD") -> list[Array]:
    """Weights at the marks with PyTorch."""
    import torch

    from bpref import nn

    X, Y, batches = data(seed)
    tX, tY = torch.tensor(X.astype(dtype)), torch.tensor(Y.astype(dtype))
    net = nn.MLP([1, 16, 1], "tanh", generator=np.random.default_rng(100 + seed), dtype=np.float32)
    model = torch.nn.Sequential(torch.nn.Linear(1, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
    model.load_state_dict({k: torch.from_numpy(v) for k, v in net.state_dict().items()})
    model = model.to(tX.dtype)
    optimizer = getattr(torch.optim, rule)(model.parameters(), lr=RATES[rule])
    kept = []
    for step, batch in enumerate(batches, 1):
        optimizer.zero_grad()
        index = torch.from_numpy(batch)
        torch.nn.functional.mse_loss(model(tX[index]), tY[index]).backward()
        optimizer.step()
        if step in MARKS:
            values = [p.detach().double().numpy().ravel() for p in model.parameters()]
            kept.append(np.concatenate(values))
    return kept


def logs(one: list[Array], other: list[Array]) -> list[float]:
    gaps = [float(np.abs(a - b).max()) for a, b in zip(one, other, strict=True)]
    return np.log10(np.maximum(gaps, 1e-18)).tolist()


def run() -> dict[str, Any]:
    found: dict[str, list[list[float]]] = {
        name: [] for name in ("float64", "float32", "mixed", "adam")
    }
    ends = []
    for seed in range(SEEDS):
        double, losses = ours(seed, np.float64)
        single, _ = ours(seed, np.float32)
        ends.append(float(np.mean(losses[-20:])))
        found["float64"].append(logs(double, theirs(seed, np.float64)))
        found["float32"].append(logs(single, theirs(seed, np.float32)))
        found["mixed"].append(logs(double, single))
        adam, _ = ours(seed, np.float64, "Adam")
        found["adam"].append(logs(adam, theirs(seed, np.float64, "Adam")))
    medians = {name: np.median(rows, axis=0).tolist() for name, rows in found.items()}
    return {
        "seeds": SEEDS,
        "steps": STEPS,
        "rate": RATES["SGD"],
        "adam_rate": RATES["Adam"],
        "marks": list(MARKS),
        "log10": medians,
        "loss": float(np.median(ends)),
    }


def draw(result: dict[str, Any], lang: str) -> Any:
    from experiments import style

    words = {
        "en": {
            "x": "training step",
            "y": "log10 of the largest weight difference",
            "float64": "bpref and PyTorch, float64",
            "float32": "bpref and PyTorch, float32",
            "mixed": "bpref, float32 and float64",
            "adam": "the same with Adam",
        },
        "zh": {
            "x": "训练步数",
            "y": "权重最大差的 log10",
            "float64": "bpref 与 PyTorch，float64",
            "float32": "bpref 与 PyTorch，float32",
            "mixed": "bpref，float32 与 float64",
            "adam": "同上，用 Adam",
        },
    }[lang]
    fig, ax = style.new_figure(7.0, 3.9)
    for color, name in zip(style.SERIES, ("float64", "float32", "mixed", "adam"), strict=False):
        ax.plot(result["marks"], result["log10"][name], color=color, marker="o", markersize=3)
        y = result["log10"][name][-1] + {"mixed": 0.15, "float32": -0.1, "adam": 0.15}.get(
            name, -0.2
        )
        ax.text(480, y, words[name], color=color, va="center", fontsize=9)
    ax.set_xscale("log")
    ax.set_xlim(0.9, 2e4)
    ax.set_xticks([1, 10, 100], ["1", "10", "100"])
    ax.minorticks_off()
    ax.set_xlabel(words["x"])
    ax.set_ylabel(words["y"])
    return fig
