"""Training and test error against the strength of a regulariser.

Claim: every regulariser has a useful range; below it the network memorises the
noise, above it the network fits neither set. Measured on a 6-30-1 tanh network,
40 training points, y = sin(1.5 x_1) + 0.5 x_2 + noise (sd 0.5), 10 seeds (data and
initial weights), 800 full-batch steps of SGD (lr 0.03, momentum 0.9). The test
error is against the noise-free function on 500 fresh points.

Also: early stopping on validation data and the optimism of stopping on test data;
dropout and decay with plenty of data (400 points), where they cost accuracy; mirror
augmentation that keeps the label (even target) and that breaks it (odd target).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from experiments._many_nets import SGD, Params, init, mse, spread, train

SEEDS = 10
D, HIDDEN, N, STEPS, LR, NOISE = 6, 30, 40, 800, 0.03, 0.5
DECAY = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
DROPOUT = (0.0, 0.1, 0.3, 0.5, 0.7, 0.8)
JITTER = (0.0, 0.1, 0.3, 0.5, 0.7, 1.0)
STOPS = (0, 5, 10, 20, 40, 60, 80, 120, 160, 240, 400, 600, 800)
# Hundreds of steps of momentum amplify the last bit of a matrix product.
RTOL = 1e-3

Array = np.ndarray
Function = Callable[[Array], Array]


def target(x: Array) -> Array:
    return np.sin(1.5 * x[..., :1]) + 0.5 * x[..., 1:2]


def even(x: Array) -> Array:
    return np.abs(x[..., :1]) + 0.5 * x[..., 1:2]


def odd(x: Array) -> Array:
    return x[..., :1] + 0.5 * x[..., 1:2]


def make(n: int, seeds: int, f: Function = target) -> dict[str, Array]:
    """Draw training, validation and test sets, one per seed, stacked."""
    sets: dict[str, list[Array]] = {k: [] for k in ("x", "y", "xv", "yv", "xt", "yt")}
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        for a, b, m, noise in (("x", "y", n, NOISE), ("xv", "yv", 40, NOISE), ("xt", "yt", 500, 0)):
            x = rng.normal(size=(m, D))
            sets[a].append(x)
            sets[b].append(f(x) + noise * rng.normal(size=(m, 1)))
    return {k: np.stack(v) for k, v in sets.items()}


def fit(
    data: dict[str, Array],
    *,
    decay: float = 0.0,
    dropout: float = 0.0,
    jitter: float = 0.0,
    steps: int = STEPS,
    watch: Callable[[int, Params], None] | None = None,
) -> Params:
    runs, n, _ = data["x"].shape
    rng = np.random.default_rng(7)
    params = init([np.random.default_rng(1000 + s) for s in range(runs)], D, HIDDEN)
    batch = mask = None
    if jitter:

        def batch(step: int) -> tuple[Array, Array]:
            return data["x"] + jitter * rng.normal(size=data["x"].shape), data["y"]

    if dropout:

        def mask(step: int) -> Array:
            return (rng.random((runs, n, HIDDEN)) >= dropout) / (1.0 - dropout)

    optimizer = SGD(LR, decay)
    return train(
        params, data["x"], data["y"], steps, optimizer, batch=batch, mask=mask, watch=watch
    )


def errors(params: Params, data: dict[str, Array]) -> dict:
    return {
        "train": spread(mse(params, data["x"], data["y"])),
        "test": spread(mse(params, data["xt"], data["yt"])),
    }


def sweep(name: str, strengths: tuple[float, ...], data: dict[str, Array]) -> dict:
    points = [errors(fit(data, **{name: s}), data) for s in strengths]
    best = int(np.argmin([p["test"]["mean"] for p in points]))
    return {
        "strength": list(strengths),
        "points": points,
        "best_strength": strengths[best],
        "best": points[best],
        "none": points[0],
        "strongest": points[-1],
    }


def early(data: dict[str, Array]) -> dict:
    curves: dict[str, list[Array]] = {"train": [], "validation": [], "test": []}

    def watch(step: int, params: Params) -> None:
        if step % 5 == 0:
            curves["train"].append(mse(params, data["x"], data["y"]))
            curves["validation"].append(mse(params, data["xv"], data["yv"]))
            curves["test"].append(mse(params, data["xt"], data["yt"]))

    # the test error is followed only to draw it and to show what peeking would report
    fit(data, watch=watch)
    table = {k: np.array(v) for k, v in curves.items()}
    stop = table["validation"].argmin(axis=0)
    run = np.arange(SEEDS)
    points = [
        {"train": spread(table["train"][s // 5]), "test": spread(table["test"][s // 5])}
        for s in STOPS
    ]
    return {
        "strength": list(STOPS),
        "points": points,
        "stop": spread(5 * stop),
        "at_stop": spread(table["test"][stop, run]),
        "at_end": spread(table["test"][-1]),
        "peeking": spread(table["test"].min(axis=0)),
    }


def plenty() -> dict:
    data = make(400, 5)
    return {
        "none": errors(fit(data, steps=400), data),
        "dropout_half": errors(fit(data, steps=400, dropout=0.5), data),
        "decay_tenth": errors(fit(data, steps=400, decay=0.1), data),
    }


def mirror() -> dict:
    """Add the mirror image x_1 -> -x_1 with the same label."""
    out: dict = {}
    for name, f in (("kept", even), ("broken", odd)):
        data = make(30, 2 * SEEDS, f)
        flipped = data["x"].copy()
        flipped[..., 0] *= -1.0
        twice = data | {
            "x": np.concatenate([data["x"], flipped], axis=1),
            "y": np.concatenate([data["y"], data["y"]], axis=1),
        }
        # same decay in both, so that the comparison is not plain overfitting
        test = {
            k: mse(fit(d, decay=0.01, steps=500), data["xt"], data["yt"])
            for k, d in (("without", data), ("with", twice))
        }
        better = test["with"] < test["without"]
        out[name] = {k: spread(v) for k, v in test.items()} | {"better": int(better.sum())}
    return out


def run() -> dict:
    data = make(N, SEEDS)
    return {
        "seeds": SEEDS,
        "variance_of_target": float(data["yt"].var()),
        "predict_zero": spread((data["yt"] ** 2).mean(axis=(1, 2))),
        "decay": sweep("decay", DECAY, data),
        "dropout": sweep("dropout", DROPOUT, data),
        "jitter": sweep("jitter", JITTER, data),
        "early": early(data),
        "plenty": plenty(),
        "mirror": mirror(),
    }


def draw(result: dict, lang: str) -> dict:
    from experiments.style import SERIES, new_figure

    t = {
        "en": {
            "decay": "weight decay λ",
            "dropout": "dropout probability p",
            "jitter": "input noise (augmentation)",
            "early": "step at which training stops",
            "y": "mean squared error",
            "train": "training",
            "test": "test",
        },
        "zh": {
            "decay": "权重衰减系数 λ",
            "dropout": "dropout 概率 p",
            "jitter": "输入噪声（数据增强）",
            "early": "停止训练的步数",
            "y": "均方误差",
            "train": "训练集",
            "test": "测试集",
        },
    }[lang]
    fig, axes = new_figure(width=7.2, height=5.4, nrows=2, ncols=2, sharey=True)
    for ax, name in zip(axes.flat, ("decay", "dropout", "jitter", "early"), strict=True):
        data = result[name]
        places = np.arange(len(data["strength"]))
        for kind, color in (("train", SERIES[0]), ("test", SERIES[1])):
            mean = np.array([p[kind]["mean"] for p in data["points"]])
            low = np.array([p[kind]["min"] for p in data["points"]])
            high = np.array([p[kind]["max"] for p in data["points"]])
            ax.fill_between(places, low, high, color=color, alpha=0.2, linewidth=0)
            ax.plot(places, mean, "o-", color=color, markersize=3, label=t[kind])
        if name == "early":
            ax.set_xticks(places[::2], [f"{v:g}" for v in data["strength"][::2]])
        else:
            ax.set_xticks(places, [f"{v:g}" for v in data["strength"]])
        ax.set_xlabel(t[name])
        ax.set_ylim(-0.03, 1.4)
    axes[0, 0].set_ylabel(t["y"])
    axes[1, 0].set_ylabel(t["y"])
    axes[0, 0].legend(loc="upper right")
    return {"regularization-curves": fig}
