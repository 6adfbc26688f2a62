"""Checks before tuning, the price of choosing on a small set, and LoRA.

Claims and how they are measured (float64, NumPy):
* ``bugs``: seven versions of the same 6-16-1 training program, one right. For each:
  loss after overfitting one batch of 8, largest relative error of a gradient check,
  and validation error against the baseline "predict the mean", 10 seeds.
* ``coins``: 100 classifiers that toss a coin; the accuracy of the best of them on the
  set that chose it, 2000 repetitions.
* ``lora``: a 64 x 64 layer whose target differs by a rank-4 matrix; trained parameters,
  coordinates that one Adam step changes, gradients checked by central differences,
  error after equal numbers of steps, 10 seeds.
"""

from __future__ import annotations

import numpy as np

from experiments._many_nets import SGD, Params, gradients, init, mse, spread
from experiments.regularization_curves import NOISE, D, target

HIDDEN = 16
BUGS = (
    "none",
    "no_activation_slope",
    "half_w1",
    "no_bias_gradient",
    "wrong_sign",
    "shuffled_labels",
    "unscaled_input",
)
# Thousands of steps of momentum amplify the last bit of a matrix product.
RTOL = 1e-3

Array = np.ndarray


def wrong_gradients(params: Params, x: Array, y: Array, bug: str) -> Params:
    """Return the gradients with one planted mistake."""
    g = gradients(params, x, y)
    if bug == "half_w1":
        g[0] = 0.5 * g[0]
    elif bug == "no_bias_gradient":
        g[1] = np.zeros_like(g[1])
    elif bug == "wrong_sign":
        g[0], g[1] = -g[0], -g[1]
    elif bug == "no_activation_slope":
        w1, b1, w2, b2 = params
        h = np.tanh(x @ w1.transpose(0, 2, 1) + b1)
        delta1 = (h @ w2.transpose(0, 2, 1) + b2 - y) / x.shape[1] * w2
        g[0], g[1] = delta1.transpose(0, 2, 1) @ x, delta1.sum(axis=1, keepdims=True)
    return g


def gradient_error(bug: str) -> float:
    """Compare with central differences of J at a random point; largest relative error."""
    rng = np.random.default_rng(0)
    params = init([rng], D, HIDDEN)
    params = [p + 0.1 * rng.normal(size=p.shape) for p in params]
    x, y = rng.normal(size=(1, 8, D)), rng.normal(size=(1, 8, 1))
    worst = 0.0
    for p, g in zip(params, wrong_gradients(params, x, y, bug), strict=True):
        numeric = np.zeros_like(p)
        for i in np.ndindex(*p.shape):
            keep = p[i]
            p[i] = keep + 1e-5
            up = 0.5 * mse(params, x, y).item()
            p[i] = keep - 1e-5
            down = 0.5 * mse(params, x, y).item()
            p[i] = keep
            numeric[i] = (up - down) / 2e-5
        scale = np.maximum(np.abs(numeric), np.abs(g)).max()
        worst = max(worst, float(np.abs(numeric - g).max() / scale))
    return worst


def bugs() -> dict:
    seeds = 10
    sets: dict[str, list[Array]] = {k: [] for k in ("x", "y", "xv", "yv", "shuffled")}
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(200, D))
        y = target(x) + NOISE * rng.normal(size=(200, 1))
        xv = rng.normal(size=(200, D))
        sets["x"].append(x)
        sets["y"].append(y)
        sets["shuffled"].append(rng.permutation(y))
        sets["xv"].append(xv)
        sets["yv"].append(target(xv) + NOISE * rng.normal(size=(200, 1)))
    data = {k: np.stack(v) for k, v in sets.items()}
    mean = ((data["yv"] - data["y"].mean(axis=1, keepdims=True)) ** 2).mean(axis=(1, 2))
    out: dict = {"seeds": seeds, "baseline": spread(mean)}
    for bug in BUGS:
        x, y, xv = data["x"], data["y"], data["xv"]
        if bug == "shuffled_labels":
            y = data["shuffled"]
        if bug == "unscaled_input":  # the same inputs in other units, with an offset
            x, xv = 1000.0 * (x + 50.0), 1000.0 * (xv + 50.0)
        losses = {}
        for kind, n, steps in (("batch", 8, 3000), ("all", 200, 300)):
            params = init([np.random.default_rng(50 + s) for s in range(seeds)], D, HIDDEN)
            optimizer = SGD(0.03, 0.0 if kind == "batch" else 0.01)
            with np.errstate(over="ignore", invalid="ignore"):
                for _ in range(steps):
                    g = wrong_gradients(params, x[:, :n], y[:, :n], bug)
                    optimizer.step(params, g)
            if kind == "batch":
                losses[kind] = mse(params, x[:, :n], y[:, :n])
            else:
                losses[kind] = mse(params, xv, data["yv"])
        batch, val = losses["batch"], losses["all"]
        error = gradient_error(bug)
        out[bug] = {
            "batch_median": max(float(np.median(batch)), 1e-12),
            "overfits": int((batch < 1e-3).sum()),
            "gradient_error_above_1e6": error > 1e-6,
            "gradient_error": error if error > 1e-6 else 0.0,
            "validation": spread(val),
            "beats_baseline": int((val < 0.9 * mean).sum()),
        }
    return out


def coins() -> dict:
    rng = np.random.default_rng(0)
    out: dict = {"classifiers": 100}
    for n in (50, 200, 1000, 10000):
        best = rng.binomial(n, 0.5, (2000, 100)).max(axis=1) / n
        out[f"best_of_{n}"] = spread(best)
    return out


class Adam:
    """Adam for a list of arrays."""

    def __init__(self, lr: float) -> None:
        self.lr, self.t = lr, 0
        self.m: list[Array] = []
        self.v: list[Array] = []

    def step(self, params: list[Array], grads: list[Array]) -> None:
        if not self.m:
            self.m, self.v = [0.0 * p for p in params], [0.0 * p for p in params]
        self.t += 1
        for k, (p, g) in enumerate(zip(params, grads, strict=True)):
            self.m[k] = 0.9 * self.m[k] + 0.1 * g
            self.v[k] = 0.999 * self.v[k] + 0.001 * g * g
            m, v = self.m[k] / (1 - 0.9**self.t), self.v[k] / (1 - 0.999**self.t)
            p -= self.lr * m / (np.sqrt(v) + 1e-8)


def lora_gradients(w0: Array, a: Array, b: Array, s: float, x: Array, y: Array) -> list[Array]:
    """Return dJ/dA and dJ/dB for yhat = x (W0 + s B A)^T and J = 1/(2N) sum of squares."""
    delta = (x @ w0.T + s * (x @ a.T) @ b.T - y) / len(x)
    return [s * (delta @ b).T @ x, s * delta.T @ (x @ a.T)]


def lora() -> dict:
    d, true_rank, steps = 64, 4, 300
    found: dict[str, list[float]] = {k: [] for k in ("start", "full", "r1", "r2", "r4", "r8")}
    out: dict = {"full_parameters": d * d, "steps": steps}
    check = 0.0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        w0 = rng.normal(size=(d, d)) / np.sqrt(d)
        change = rng.normal(size=(d, true_rank)) @ rng.normal(size=(true_rank, d)) / d
        x, xt = rng.normal(size=(200, d)), rng.normal(size=(500, d))
        y = x @ (w0 + change).T + 0.3 * rng.normal(size=(200, d))
        yt = xt @ (w0 + change).T
        found["start"].append(float(((xt @ w0.T - yt) ** 2).mean()))
        w, optimizer = w0.copy(), Adam(0.01)
        for step in range(steps):
            optimizer.step([w], [((x @ w.T - y) / len(x)).T @ x])
            if step == 0 and seed == 0:
                out["full_changed"] = int((w != w0).sum())
        found["full"].append(float(((xt @ w.T - yt) ** 2).mean()))
        for r in (1, 2, 4, 8):
            a, b, s = rng.normal(size=(r, d)) / np.sqrt(d), np.zeros((d, r)), 2.0
            a0, optimizer = a.copy(), Adam(0.01)
            for step in range(steps):
                g = lora_gradients(w0, a, b, s, x, y)
                optimizer.step([a, b], g)
                if step == 0 and seed == 0 and r == 4:
                    out["first_step_a_changed"] = int((a != a0).sum())
                    out["first_step_b_changed"] = int((b != 0.0).sum())
            found[f"r{r}"].append(float(((xt @ (w0 + s * b @ a).T - yt) ** 2).mean()))
            out[f"r{r}_parameters"] = 2 * r * d
            if seed == 0 and r == 4:
                check = lora_check(w0, a, b, s, x, y)
    out["gradient_check_below_1e6"] = check < 1e-6
    return out | {k: spread(v) for k, v in found.items()}


def lora_check(w0: Array, a: Array, b: Array, s: float, x: Array, y: Array) -> float:
    """Return the largest relative error of 40 coordinates of dA and dB."""
    rng = np.random.default_rng(1)
    a, b = a + 0.1 * rng.normal(size=a.shape), b + 0.1 * rng.normal(size=b.shape)
    worst = 0.0
    for p, g in zip((a, b), lora_gradients(w0, a, b, s, x, y), strict=True):
        for _ in range(20):
            i = (int(rng.integers(p.shape[0])), int(rng.integers(p.shape[1])))
            values = []
            keep = p[i]
            for h in (1e-5, -1e-5):
                p[i] = keep + h
                values.append(0.5 * ((x @ (w0 + s * b @ a).T - y) ** 2).sum() / len(x))
            p[i] = keep
            worst = max(worst, abs((values[0] - values[1]) / 2e-5 - g[i]) / np.abs(g).max())
    return float(worst)


def run() -> dict:
    return {"bugs": bugs(), "coins": coins(), "lora": lora()}
