"""L1, L2, weight decay and dropout: what each one really does to the numbers.

Claims and how they are measured (float64, NumPy):
* ``l1``: lasso on 50 features of which 5 matter, 60 samples, 20 seeds. The subgradient
  method and the proximal step (ISTA) minimise the same objective; exact zeros counted.
* ``l1_curve``: training and test error and number of exact zeros against lambda.
* ``decay``: penalty (lambda/2) w^2 and decay of the weights, under SGD and under Adam.
* ``dropout``: mean over masks of the scaled unit, variance added, gradient of the
  masked network averaged over masks.
"""

from __future__ import annotations

import numpy as np

from experiments._many_nets import spread

SEEDS = 20
FEATURES, USEFUL, SAMPLES = 50, 5, 60
LAMBDAS = (0.0, 0.01, 0.03, 0.1, 0.2, 0.5, 1.0, 2.0)
Array = np.ndarray


def lasso_data(seed: int) -> tuple[Array, Array, Array, Array]:
    rng = np.random.default_rng(seed)
    w = np.zeros(FEATURES)
    w[:USEFUL] = rng.choice([-1.0, 1.0], USEFUL) * rng.uniform(0.5, 1.5, USEFUL)
    x, xt = rng.normal(size=(SAMPLES, FEATURES)), rng.normal(size=(500, FEATURES))
    return x, x @ w + 0.5 * rng.normal(size=SAMPLES), xt, xt @ w


def soft_threshold(v: Array, t: Array | float) -> Array:
    return np.sign(v) * np.maximum(np.abs(v) - t, 0.0)


def lasso(x: Array, y: Array, lam: float, method: str, steps: int = 2000) -> Array:
    """Minimise 1/(2N) |Xw - y|^2 + lam |w|_1."""
    n = len(y)
    gram, moment = x.T @ x / n, x.T @ y / n
    lr = 1.0 / np.linalg.eigvalsh(gram)[-1]
    w = np.zeros(FEATURES) + 0.01
    for _ in range(steps):
        grad = gram @ w - moment
        if method == "proximal":
            w = soft_threshold(w - lr * grad, lr * lam)
        elif method == "subgradient":
            # a fixed step keeps jumping over zero; 1/20 of it keeps the jumps small
            w = w - 0.05 * lr * (grad + lam * np.sign(w))
        else:  # L2 penalty of the same lambda
            w = w - lr * (grad + lam * w)
    return w


def l1() -> dict:
    found: dict[str, dict[str, list[float]]] = {}
    for method in ("subgradient", "proximal", "l2"):
        found[method] = {"zeros": [], "tiny": [], "objective": []}
        for seed in range(SEEDS):
            x, y, _, _ = lasso_data(seed)
            w = lasso(x, y, 0.2, method, 10000 if method == "subgradient" else 2000)
            found[method]["zeros"].append(float((w == 0.0).sum()))
            found[method]["tiny"].append(float((np.abs(w) < 0.01).sum()))
            value = 0.5 * ((x @ w - y) ** 2).mean() + 0.2 * np.abs(w).sum()
            found[method]["objective"].append(float(value))
    out: dict = {m: {k: spread(v) for k, v in f.items()} for m, f in found.items()}
    out["parameters"] = FEATURES
    return out


def l1_curve() -> dict:
    points = []
    for lam in LAMBDAS:
        train, test, zeros = [], [], []
        for seed in range(SEEDS):
            x, y, xt, yt = lasso_data(seed)
            w = lasso(x, y, lam, "proximal")
            train.append(((x @ w - y) ** 2).mean())
            test.append(((xt @ w - yt) ** 2).mean())
            zeros.append((w == 0.0).sum())
        points.append({"train": spread(train), "test": spread(test), "zeros": spread(zeros)})
    best = int(np.argmin([p["test"]["mean"] for p in points]))
    return {
        "lambda": list(LAMBDAS),
        "points": points,
        "best_lambda": LAMBDAS[best],
        "best": points[best],
        "none": points[0],
        "strongest": points[-1],
    }


def optimise(kind: str, gram: Array, moment: Array, steps: int, lam: float) -> Array:
    """Run ``sgd`` or ``adam`` with an ``l2`` penalty or with weight ``decay``."""
    method, how = kind.split("_")
    lr = 0.01
    w = np.ones_like(moment)
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t in range(1, steps + 1):
        grad = gram @ w - moment
        if how == "l2":
            grad = grad + lam * w
        else:
            w = w * (1.0 - lr * lam)
        if method == "sgd":
            w = w - lr * grad
        else:
            m, v = 0.9 * m + 0.1 * grad, 0.999 * v + 0.001 * grad**2
            w = w - lr * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return w


def decay() -> dict:
    differences: dict[str, list[float]] = {"sgd": [], "adam": []}
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(40, 10)) * np.logspace(-0.5, 0.5, 10)
        truth = rng.normal(size=10)
        gram = x.T @ x / 40
        moment = gram @ truth
        for method, values in differences.items():
            a = optimise(method + "_l2", gram, moment, 500, 0.1)
            # w (1 - lr lam) - lr g, with g taken at the undecayed weights, is SGD on L2
            if method == "sgd":
                b = np.ones(10)
                for _ in range(500):
                    g = gram @ b - moment
                    b = b * (1.0 - 0.01 * 0.1) - 0.01 * g
            else:
                b = optimise("adam_decay", gram, moment, 500, 0.1)
            values.append(float(np.linalg.norm(a - b) / np.linalg.norm(a)))
    # no gradient from the loss: what does the decay alone do to 1, 10 and 100?
    start = np.array([1.0, 10.0, 100.0])
    shrink = {}
    for how in ("l2", "decay"):
        w, m, v = start.copy(), np.zeros(3), np.zeros(3)
        for t in range(1, 11):
            grad = 0.1 * w if how == "l2" else np.zeros(3)
            if how == "decay":
                w = w * (1.0 - 0.01 * 0.1)
            m, v = 0.9 * m + 0.1 * grad, 0.999 * v + 0.001 * grad**2
            w = w - 0.01 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        shrink[how] = (1.0 - w / start).tolist()
    return {
        "sgd_difference": spread(differences["sgd"]),
        "adam_difference": spread(differences["adam"]),
        "adam_l2_shrink": shrink["l2"],
        "adamw_shrink": shrink["decay"],
    }


def dropout() -> dict:
    """Average the scaled mask, the output of one layer and its gradient over masks."""
    p, units, masks = 0.5, 200, 20000
    rng = np.random.default_rng(0)
    h, w = rng.normal(size=units), rng.normal(size=units) / np.sqrt(units)
    mean, gradient, outputs = np.zeros(units), np.zeros(units), []
    for _ in range(masks // 1000):
        factor = (rng.random((1000, units)) >= p) / (1.0 - p)
        mean += factor.sum(axis=0) / masks
        outputs.append((factor * h) @ w)
        gradient += (factor * w).sum(axis=0) / masks
    out = np.concatenate(outputs)
    return {
        "masks": masks,
        "mask_mean": float(mean.mean()),
        "unscaled_mean": float(mean.mean() * (1.0 - p)),
        "output": float(h @ w),
        "output_mean": float(out.mean()),
        "output_std": float(out.std(ddof=1)),
        "output_std_formula": float(np.sqrt(p / (1.0 - p) * ((h * w) ** 2).sum())),
        "gradient_error": float(np.linalg.norm(gradient - w) / np.linalg.norm(w)),
    }


def run() -> dict:
    return {
        "seeds": SEEDS,
        "l1": l1(),
        "l1_curve": l1_curve(),
        "decay": decay(),
        "dropout": dropout(),
    }


def draw(result: dict, lang: str) -> dict:
    from experiments.style import ACCENT, SERIES, new_figure

    t = {
        "en": {
            "lam": "strength λ",
            "y": "mean squared error",
            "zeros": "exact zeros of 50 weights",
            "train": "training",
            "test": "test",
        },
        "zh": {
            "lam": "强度 λ",
            "y": "均方误差",
            "zeros": "50 个权重中恰好为零的个数",
            "train": "训练集",
            "test": "测试集",
        },
    }[lang]
    fig, (left, right) = new_figure(width=7.2, height=3.2, ncols=2)
    data = result["l1_curve"]
    places = np.arange(len(data["lambda"]))
    rows = ((left, "train", SERIES[0]), (left, "test", SERIES[1]), (right, "zeros", ACCENT))
    for ax, kind, color in rows:
        mean = [q[kind]["mean"] for q in data["points"]]
        low = [q[kind]["min"] for q in data["points"]]
        high = [q[kind]["max"] for q in data["points"]]
        ax.fill_between(places, low, high, color=color, alpha=0.2, linewidth=0)
        ax.plot(places, mean, "o-", color=color, markersize=3, label=t[kind])
        ax.set_xticks(places, [f"{v:g}" for v in data["lambda"]])
        ax.set_xlabel(t["lam"])
    left.set_yscale("log")
    left.set_ylabel(t["y"])
    left.legend(loc="lower right")
    right.set_ylabel(t["zeros"])
    right.set_ylim(-1, 52)
    return {"regularization-lasso": fig}
