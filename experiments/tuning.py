"""Tuning: what a comparison, a search and a change of structure can tell.

Claims and how they are measured (the task of ``regularization_curves``; float64):
* ``winner``: weight decay 0.03 is better than 0.1. 60 seeds each (data split and
  initial weights), judged by 40 noisy validation points as in practice. How often a
  comparison of k seeds each (drawn with replacement from the 60) names the wrong winner,
  with own seeds and with shared ones.
* ``search``: 3 x 3 grid against 9 random trials over learning rate and weight decay,
  and 2^4 grid against 16 random trials when two more settings change nothing.
* ``width``: training and test error against the number of hidden units, 10 seeds.
* ``clipping``: 2 % broken rows, batches of 4; and clean data, where both also get the
  best of four learning rates; 20 seeds.
"""

from __future__ import annotations

import numpy as np

from experiments._many_nets import SGD, gradients, init, mse, spread, train
from experiments.regularization_curves import HIDDEN, NOISE, D, make, target

WIDTHS = (1, 2, 4, 8, 16, 32, 64, 128)
SEED_COUNTS = (1, 2, 3, 5, 10, 20)
# Hundreds of steps of momentum amplify the last bit of a matrix product.
RTOL = 1e-3

Array = np.ndarray


def fit(data: dict[str, Array], hidden: int, decay: Array | float, lr: Array | float, steps: int):
    runs = len(data["x"])
    params = init([np.random.default_rng(1000 + s) for s in range(runs)], D, hidden)
    return train(params, data["x"], data["y"], steps, SGD(lr, decay))


def winner() -> dict:
    runs = 60
    data = make(40, runs)
    val, test = {}, {}
    for name, decay in (("a", 0.03), ("b", 0.1)):
        params = fit(data, HIDDEN, decay, 0.03, 400)
        val[name] = mse(params, data["xv"], data["yv"])
        test[name] = mse(params, data["xt"], data["yt"])
    rng = np.random.default_rng(0)
    own, shared = [], []
    for k in SEED_COUNTS:
        i, j = rng.integers(0, runs, (2, 20000, k))
        a = val["a"][i].mean(axis=1)
        own.append(float((a > val["b"][j].mean(axis=1)).mean()))
        shared.append(float((a > val["b"][i].mean(axis=1)).mean()))
    gap = val["b"] - val["a"]
    half = 2.001 * gap.std(ddof=1) / np.sqrt(runs)  # t quantile, 59 degrees of freedom
    return {
        "runs": runs,
        "seeds": list(SEED_COUNTS),
        "own": own,
        "shared": shared,
        "validation_a": spread(val["a"]),
        "validation_b": spread(val["b"]),
        "test_a": spread(test["a"]),
        "test_b": spread(test["b"]),
        "gap": float(gap.mean()),
        "gap_low": float(gap.mean() - half),
        "gap_high": float(gap.mean() + half),
    }


def surface() -> tuple[Array, Array, Array]:
    """Return log10 lr, log10 decay and the mean validation error on their grid (3 seeds)."""
    lrs, decays = np.linspace(-4.0, 0.0, 17), np.linspace(-5.0, 0.0, 11)
    seeds, base = 3, make(40, 3)
    data = {k: np.repeat(v, lrs.size * decays.size, axis=0) for k, v in base.items()}
    lr = np.tile(np.repeat(10.0**lrs, decays.size), seeds)
    decay = np.tile(10.0**decays, seeds * lrs.size)
    params = init([np.random.default_rng(5 + k // lr.size) for k in range(lr.size)], D, 16)
    with np.errstate(over="ignore", invalid="ignore"):
        train(params, data["x"], data["y"], 200, SGD(lr, decay))
        error = mse(params, data["xv"], data["yv"])
    error = np.where(np.isfinite(error) & (error < 2.0), error, 2.0)  # diverged: as bad as 2
    return lrs, decays, error.reshape(seeds, lrs.size, decays.size).mean(axis=0)


def search() -> dict:
    lrs, decays, error = surface()

    def look(u: Array, v: Array) -> Array:
        """Interpolate the error at positions u, v in [0, 1] of the two log ranges."""
        a, b = u * (lrs.size - 1), v * (decays.size - 1)
        i, j = np.minimum(a.astype(int), lrs.size - 2), np.minimum(b.astype(int), decays.size - 2)
        s, t = a - i, b - j
        top = error[i, j] * (1 - t) + error[i, j + 1] * t
        low = error[i + 1, j] * (1 - t) + error[i + 1, j + 1] * t
        return top * (1 - s) + low * s

    rng = np.random.default_rng(0)
    runs = 2000
    out: dict = {"best_possible": float(error.min()), "runs": runs}
    for name, side, trials in (("two", 3, 9), ("four", 2, 16)):
        # the grid has `side` values per setting; nobody knows the good range, so it is shifted
        ticks = (np.arange(side) + rng.random((2, runs, 1))) / side
        u = np.repeat(ticks[0], side, axis=1)
        v = np.tile(ticks[1], (1, side))
        grid = look(u, v).min(axis=1)
        free = look(*rng.random((2, runs, trials))).min(axis=1)
        out[name] = {
            "trials": trials,
            "grid": {"median": float(np.median(grid)), "q90": float(np.quantile(grid, 0.9))},
            "random": {"median": float(np.median(free)), "q90": float(np.quantile(free, 0.9))},
            "random_wins": float((free[:, None] < grid[None, :]).mean()),
        }
    return out


def width() -> dict:
    data = make(40, 10)
    out: dict = {"widths": list(WIDTHS), "parameters": [h * (D + 2) + 1 for h in WIDTHS]}
    for name, decay in (("plain", 0.0), ("decayed", 0.03)):
        points = []
        for h in WIDTHS:
            params = fit(data, h, decay, 0.03, 500)
            points.append(
                {
                    "train": spread(mse(params, data["x"], data["y"])),
                    "test": spread(mse(params, data["xt"], data["yt"])),
                }
            )
        best = int(np.argmin([p["test"]["mean"] for p in points]))
        out[name] = {
            "points": points,
            "best_width": WIDTHS[best],
            "best": points[best],
            "widest": points[-1],
            "narrowest": points[0],
        }
    return out


def clipping() -> dict:
    """Train with batches of 4, with and without clipping by norm 1."""
    runs = 20
    out: dict = {"runs": runs}
    data = make(200, runs)
    bad = np.random.default_rng(3).random((runs, 200)) < 0.02
    inputs = {"clean": data["x"], "broken": np.where(bad[..., None], 1000.0, 1.0) * data["x"]}
    labels = {"clean": data["y"], "broken": np.where(bad[..., None], 1000.0, 1.0) * data["y"]}
    rows = np.arange(runs)[:, None]

    def test_error(case: str, kind: str, lr: float) -> tuple[Array, float]:
        """Return the test error of each run and the share of clipped steps."""
        x, y, clipped = inputs[case], labels[case], 0.0
        params = init([np.random.default_rng(1000 + s) for s in range(runs)], D, HIDDEN)
        optimizer = SGD(lr, 0.003)
        order = np.random.default_rng(4)
        with np.errstate(over="ignore", invalid="ignore"):
            for _ in range(1000):
                pick = order.integers(0, 200, (runs, 4))
                g = gradients(params, x[rows, pick], y[rows, pick])
                if kind == "clipped":
                    norm = np.sqrt(sum((a * a).sum(axis=(1, 2), keepdims=True) for a in g))
                    clipped += float((norm > 1.0).mean()) / 1000
                    g = [a * np.minimum(1.0, 1.0 / (norm + 1e-6)) for a in g]
                optimizer.step(params, g)
            test = mse(params, data["xt"], data["yt"])
        # a run that blew up has no reproducible error: it counts as 10
        return np.minimum(np.where(np.isfinite(test), test, 10.0), 10.0), clipped

    rates = (0.002, 0.005, 0.01, 0.02)
    found = {
        (kind, lr): test_error("clean", kind, lr) for kind in ("plain", "clipped") for lr in rates
    }
    for case in ("clean", "broken"):
        for kind in ("plain", "clipped"):
            same = (kind, 0.01)
            test, clipped = found[same] if case == "clean" else test_error(case, kind, 0.01)
            lost = test > data["yt"].var()  # worse than always predicting the mean
            out[f"{case}_{kind}"] = {
                "lost": int(lost.sum()),
                "median": float(np.median(test)),
                "low": float(np.quantile(test, 0.1)),
                "high": float(np.quantile(test, 0.9)),
                "clipped_share": clipped,
            }
    best = {k: min(rates, key=lambda lr: found[k, lr][0].mean()) for k in ("plain", "clipped")}
    errors = {k: found[k, lr][0] for k, lr in best.items()}
    out["best"] = {
        "rates": list(rates),
        "plain": spread(errors["plain"]) | {"rate": best["plain"]},
        "clipped": spread(errors["clipped"]) | {"rate": best["clipped"]},
        "clipped_better": int((errors["clipped"] < errors["plain"]).sum()),
    }
    return out


def run() -> dict:
    return {
        "noise": NOISE,
        "winner": winner(),
        "search": search(),
        "width": width(),
        "clipping": clipping(),
        "baseline_mean": float(target(np.random.default_rng(0).normal(size=(100000, D))).var()),
    }


def draw(result: dict, lang: str) -> dict:
    from experiments.style import MUTED, SERIES, new_figure

    t = {
        "en": {
            "k": "seeds per configuration",
            "wrong": "share of wrong winners",
            "own": "each configuration with its own seeds",
            "shared": "both configurations with the same seeds",
            "coin": "coin toss",
            "width": "hidden units",
            "mse": "mean squared error",
            "plain": "no decay",
            "decayed": "decay 0.03",
            "train": "training",
            "test": "test",
        },
        "zh": {
            "k": "每个配置的种子数",
            "wrong": "选错赢家的比例",
            "own": "两个配置各用各的种子",
            "shared": "两个配置用相同的种子",
            "coin": "抛硬币",
            "width": "隐藏单元数",
            "mse": "均方误差",
            "plain": "无衰减",
            "decayed": "衰减 0.03",
            "train": "训练集",
            "test": "测试集",
        },
    }[lang]
    fig, ax = new_figure()
    places = np.arange(len(result["winner"]["seeds"]))
    for kind, color in (("own", SERIES[1]), ("shared", SERIES[0])):
        ax.plot(places, result["winner"][kind], "o-", color=color, label=t[kind])
    ax.axhline(0.5, color=MUTED, linestyle=":")
    ax.text(places[-1], 0.5, t["coin"], ha="right", va="bottom", color=MUTED, fontsize=9)
    ax.set_xticks(places, [str(k) for k in result["winner"]["seeds"]])
    ax.set_ylim(0.0, 0.55)
    ax.set_xlabel(t["k"])
    ax.set_ylabel(t["wrong"])
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0))
    figures = {"tuning-winner": fig}

    fig, axes = new_figure(width=7.2, height=3.2, ncols=2, sharey=True)
    data = result["width"]
    for ax, name in zip(axes, ("plain", "decayed"), strict=True):
        for kind, color in (("train", SERIES[0]), ("test", SERIES[1])):
            mean = [p[kind]["mean"] for p in data[name]["points"]]
            low = [p[kind]["min"] for p in data[name]["points"]]
            high = [p[kind]["max"] for p in data[name]["points"]]
            ax.fill_between(data["widths"], low, high, color=color, alpha=0.2, linewidth=0)
            ax.plot(data["widths"], mean, "o-", color=color, markersize=3, label=t[kind])
        ax.set_xscale("log", base=2)
        ax.set_xticks(data["widths"], [str(w) for w in data["widths"]])
        ax.set_xlabel(t["width"])
        ax.set_title(t[name])
    axes[0].set_ylabel(t["mse"])
    axes[0].legend()
    figures["tuning-width"] = fig
    return figures
