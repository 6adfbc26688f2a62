"""How far two trainings drift apart that differ in rounding alone.

The same network (1-16-1, tanh), initial weights, batches and steps, computed twice. Measured:
the largest difference of any weight after so many steps, log10, over 10 seeds, for

* ``float64``: bpref and PyTorch, both in float64;
* ``float32``: bpref and PyTorch, both in float32;
* ``mixed``: bpref in float32 against bpref in float64;
* ``adam``: as float64, with Adam instead of SGD.

What is claimed are orders of magnitude: rounding noise differs between CPUs (RTOL, on log10).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments import style
from experiments._claim import Claim

STEPS = 400
MARKS = (1, 2, 5, 10, 20, 50, 100, 200, 400)
SEEDS = 10
RATES = {"SGD": 0.05, "Adam": 0.01}
RTOL = 0.12

WORKED = ("seeds", "steps", "rate", "adam_rate", "marks*")
CLAIMS = (
    Claim(
        "parity-drift-grows-slowly",
        en="Two trainings that differ in rounding alone start about one rounding error apart and "
        "drift by one or two powers of ten in {{ parity_drift.steps }} steps (medians of "
        "{{ parity_drift.seeds }} seeds).",
        zh="两次训练只有舍入不同，开始时大约相差一个舍入误差，{{ parity_drift.steps }} 步里漂移一"
        "到两个数量级（{{ parity_drift.seeds }} 个种子的中位数）。",
        criterion="all(0.5 < end - start < 2.5 for start, end in ["
        "[log10.float64[0], log10.float64[8]], [log10.adam[0], log10.adam[8]], "
        "[log10.float32[0], log10.float32[8]], [log10.mixed[0], log10.mixed[8]]]) "
        "and max(log10_max.float64[0], log10_max.adam[0]) < -15 "
        "and max(log10_max.float32[0], log10_max.mixed[0]) < -6.5",
        covers=("log10.*", "log10_min.*", "log10_max.*"),
        runs="seeds",
        spread=("log10_min.float32[8]", "log10_max.float32[8]"),
        figure="parity_drift",
    ),
    Claim(
        "parity-drift-after-a-training",
        en="In float64 the libraries still agree to better than $10^{-12}$ after a whole "
        "training, in the worst seed, with SGD and with Adam. In float32 the difference is in "
        "the sixth or seventh digit after the point.",
        zh="用 float64，整次训练之后，即使是最差的种子，两个库的差别也小于 $10^{-12}$，SGD 与 "
        "Adam 都如此。用 float32，差别在小数点后第六、第七位。",
        criterion="max(log10_max.float64[8], log10_max.adam[8]) < -12 "
        "and min(log10_min.float32[8], log10_min.mixed[8]) > -7 "
        "and max(log10_max.float32[8], log10_max.mixed[8]) < -5.3",
        covers=("log10_max.*",),
        runs="seeds",
        spread=("log10_min.adam[8]", "log10_max.adam[8]"),
        figure="parity_drift",
    ),
    Claim(
        "parity-drift-libraries-closer-than-precisions",
        en="After the training two libraries in float32 are closer to each other than `bpref` in "
        "float32 is to `bpref` in float64, in {{ parity_drift.libraries_closer }} of "
        "{{ parity_drift.seeds }} seeds.",
        zh="训练之后，两个库都用 float32 时彼此的差别，小于 `bpref` 用 float32 与用 float64 的差"
        "别，{{ parity_drift.seeds }} 个种子里有 {{ parity_drift.libraries_closer }} 个如此。",
        criterion="libraries_closer >= 0.9 * seeds",
        covers=("libraries_closer",),
        runs="seeds",
        spread=("log10_min.mixed[8]", "log10_max.mixed[8]"),
        figure="parity_drift",
    ),
)

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
    apart = [two[-1] < one[-1] for two, one in zip(found["float32"], found["mixed"], strict=True)]

    def over_seeds(reduce: Any) -> dict[str, list[float]]:
        return {name: reduce(rows, axis=0).tolist() for name, rows in found.items()}

    return {
        "seeds": SEEDS,
        "steps": STEPS,
        "rate": RATES["SGD"],
        "adam_rate": RATES["Adam"],
        "marks": list(MARKS),
        "log10": over_seeds(np.median),
        "log10_min": over_seeds(np.min),
        "log10_max": over_seeds(np.max),
        "libraries_closer": sum(apart),  # seeds: two libraries in float32, two precisions
        "loss": float(np.median(ends)),
    }


def draw(result: dict[str, Any], lang: str) -> Any:
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
        low, high = result["log10_min"][name], result["log10_max"][name]
        ax.fill_between(result["marks"], low, high, color=color, alpha=0.13, linewidth=0)
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
