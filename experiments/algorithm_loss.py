"""Claims of the article: the loss keeps falling, and one stops at convergence.

First, the article's task: 100 points of y = 2x + 1 + noise, a 1-10-1 ReLU network, 100
epochs. Its learning rate 0.01 for the mean squared error is 0.02 for J, which is half of
it. Counted in epochs 51 to 100: the steps after which J on all 100 points is larger than
before, for batches of 32 and for the whole data set; 10 seeds.

Second, when to stop: 20 noisy points of sin(3x), a 1-40-1 tanh network, 4000 steps with
momentum; 200 points validate and 1000 test, looked at every 10 steps. Measured: where each
stopping rule stops, and the test loss there; median of 5 seeds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments import _two_layer as net

EPOCHS, BATCH, LR, SEEDS = 100, 32, 0.02, 10
BUDGET, LOOK, STOP_SEEDS, PATIENCE, NOISE = 4000, 10, 5, 30, 0.3
Array = np.ndarray


def rising_steps(seed: int, batch: int) -> tuple[int, int, list[float]]:
    """Return rising steps and all steps of epochs 51 to 100, and the loss after each step."""
    rng = np.random.default_rng(seed)
    x, y = net.article_data(rng, 100)
    parameters = net.init(rng, 1, 10)
    losses = [net.loss(parameters, x, y, "relu")]
    for _ in range(EPOCHS):
        order = rng.permutation(100)
        for begin in range(0, 100, batch):
            rows = order[begin : begin + batch]
            grads = net.gradients(parameters, x[rows], y[rows], "relu")[1]
            parameters = net.descend(parameters, grads, LR)
            losses.append(net.loss(parameters, x, y, "relu"))
    late = losses[len(losses) // 2 :]
    return int(np.sum(np.diff(late) > 0)), len(late) - 1, losses


def stopping(seed: int) -> tuple[dict[str, dict[str, float]], list[list[float]]]:
    """Train once for the whole budget; say where each rule would have stopped."""
    rng = np.random.default_rng(seed)

    def sample(n: int) -> tuple[Array, Array]:
        x = rng.uniform(-2.0, 2.0, (n, 1))
        return x, np.sin(3 * x) + NOISE * rng.standard_normal((n, 1))

    train, validation, test = sample(20), sample(200), sample(1000)
    parameters = net.init(rng, 1, 40)
    parameters[0] *= 3
    velocity = [np.zeros_like(p) for p in parameters]
    curves: list[list[float]] = [[], [], []]
    slopes = []
    for step in range(BUDGET + 1):
        value, grads = net.gradients(parameters, *train)
        if step % LOOK == 0:
            curves[0].append(value)
            curves[1].append(net.loss(parameters, *validation))
            curves[2].append(net.loss(parameters, *test))
            slopes.append(float(np.linalg.norm(net.flat(grads))))
        velocity = [0.9 * v + g for v, g in zip(velocity, grads, strict=True)]
        parameters = net.descend(parameters, velocity, 0.05)

    best, kept, last = float("inf"), 0, len(slopes) - 1
    for look, value in enumerate(curves[1]):
        if value < best:
            best, kept = value, look
        elif look - kept >= PATIENCE:
            break
    small = next((i for i, slope in enumerate(slopes) if slope < 1e-2), last)
    rules = {
        name: {"step": at * LOOK, "train": curves[0][at], "test": curves[2][at]}
        for name, at in {"budget": last, "small_gradient": small, "early": kept}.items()
    }
    rules["early"]["stopped_at"] = look * LOOK
    return rules, curves


def run() -> dict[str, Any]:
    result: dict[str, Any] = {"seeds": SEEDS}
    for key, batch in (("mini_batch", BATCH), ("full_batch", 100)):
        counts = [rising_steps(seed, batch)[:2] for seed in range(SEEDS)]
        shares = [rising / total for rising, total in counts]
        result[key] = {
            "steps": counts[0][1],
            "share_mean": float(np.mean(shares)),
            "share_min": float(min(shares)),
            "share_max": float(max(shares)),
        }
    result["curve"] = rising_steps(0, BATCH)[2]
    runs = [stopping(seed)[0] for seed in range(STOP_SEEDS)]
    result["stop"] = {
        rule: {k: float(np.median([r[rule][k] for r in runs])) for k in runs[0][rule]}
        for rule in runs[0]
    }
    curves = stopping(0)[1]
    result["stop_curves"] = {"train": curves[0], "validation": curves[1]}
    return result


def draw(result: dict[str, Any], lang: str) -> Any:
    from experiments.style import FORWARD, SERIES, new_figure

    t = {
        "en": ("step", "loss on all 100 points", "loss J", "training", "validation"),
        "zh": ("步", "全部 100 个点上的损失", "损失 J", "训练", "验证"),
    }[lang]
    curve = result["curve"]
    first = len(curve) // 2
    steps = range(first, first + 61)
    fig, ax = new_figure(6.0, 3.0)
    ax.plot(steps, curve[first : first + 61], marker=".", color=FORWARD)
    ax.set_xlabel(t[0])
    ax.set_ylabel(t[1])
    fig_stop, ax = new_figure(6.0, 3.2)
    x = np.arange(len(result["stop_curves"]["train"])) * LOOK
    ax.semilogy(x, result["stop_curves"]["train"], color=SERIES[0], label=t[3])
    ax.semilogy(x, result["stop_curves"]["validation"], color=SERIES[1], label=t[4])
    ax.set_xlabel(t[0])
    ax.set_ylabel(t[2])
    ax.legend()
    return {"algorithm_loss": fig, "algorithm_stopping": fig_stop}
