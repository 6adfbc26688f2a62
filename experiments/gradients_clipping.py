"""Clipping by norm and by value: what happens to the direction, and to a training that explodes.

* ``direction``: gradients of a 12-layer ReLU network (width 16, weights N(0, 3/n): the layers'
  gradients differ in size), 20 seeds. Each is clipped to a share of its norm, or so that its
  largest coordinate keeps that share: cosine and angle between the gradient and what is left.
* ``training``: h_t = W h_{t-1}, W of shape (4, 4), 20 steps, W starts as 1.1 to 1.3 times a random
  orthogonal matrix; J = ||h_20 - y||^2 / 2. Gradient descent with 1000 gradients; each contender is
  tuned over 15 settings: 15 rates without clipping, 5 rates x 3 thresholds with it. 20 starts.
  A run arrives when ||h_20 - y|| < 1/8 within the budget.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments._claim import Claim

# Near the cliff a clipped run repeats its rounding errors many times over.
RTOL = 5e-2
SEEDS = 20
SHARES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01)
SIZE, T, STEPS = 4, 20, 1000
CLOSE = 0.125
FLOOR = 1e-4
RATES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
THRESHOLDS = (0.1, 1.0, 10.0)
ALONE = tuple(float(f"{10.0**p:.0e}") for p in np.linspace(-11, -1, 15))

WORKED = ("seeds", "direction.shares*", "training.starts", "training.budget", "training.settings")
CLAIMS = (
    Claim(
        id="gradients-clipping-by-value-turns",
        en="Clipping by norm turns none of {{ gradients_clipping.seeds }} gradients (below "
        "${{ gradients_clipping.direction.norm.below | sci0 }}$ degrees, rounding). Clipping by "
        "value to a tenth of the largest coordinate turns them by "
        "{{ gradients_clipping.direction.value.median[3] | .0f }}° "
        "({{ gradients_clipping.direction.value.min[3] | .0f }}° to "
        "{{ gradients_clipping.direction.value.max[3] | .0f }}°), to a hundredth by "
        "{{ gradients_clipping.direction.value.median[6] | .0f }}°.",
        zh="按范数裁剪，{{ gradients_clipping.seeds }} 个梯度没有一个转向（不到 "
        "${{ gradients_clipping.direction.norm.below | sci0 }}$ 度，属于舍入）。"
        "按值裁剪到最大坐标的十分之一，方向转过 "
        "{{ gradients_clipping.direction.value.median[3] | .0f }}°"
        "（{{ gradients_clipping.direction.value.min[3] | .0f }}° 到 "
        "{{ gradients_clipping.direction.value.max[3] | .0f }}°），裁剪到百分之一则转过 "
        "{{ gradients_clipping.direction.value.median[6] | .0f }}°。",
        criterion="direction.norm.below <= 1e-5 and direction.value.min[3] > 20 and "
        "direction.value.median == sorted(direction.value.median)",
        covers=("direction.*",),
        runs="seeds",
        spread=("direction.value.min[3]", "direction.value.max[3]"),
        figure="gradients_clipping",
    ),
    Claim(
        id="gradients-clipping-both-ways-saves-training",
        en="With {{ gradients_clipping.training.budget }} gradients and the best of "
        "{{ gradients_clipping.training.settings }} settings for each, "
        "{{ gradients_clipping.training.none.arrived }} of "
        "{{ gradients_clipping.training.starts }} exploding recurrent nets arrive without clipping "
        "and {{ gradients_clipping.training.none.overflowed }} overflow; "
        "{{ gradients_clipping.training.norm.arrived }} arrive with clipping by norm, "
        "{{ gradients_clipping.training.value.arrived }} by value, and none overflows.",
        zh="{{ gradients_clipping.training.budget }} 次梯度，各取 "
        "{{ gradients_clipping.training.settings }} 组设置中最好的一组："
        "{{ gradients_clipping.training.starts }} 个会爆炸的循环网络，不裁剪只有 "
        "{{ gradients_clipping.training.none.arrived }} 个到达，"
        "{{ gradients_clipping.training.none.overflowed }} 个溢出；按范数裁剪有 "
        "{{ gradients_clipping.training.norm.arrived }} 个到达，按值裁剪有 "
        "{{ gradients_clipping.training.value.arrived }} 个，没有一个溢出。",
        criterion="min(training.norm.arrived, training.value.arrived) > "
        "0.5 * training.starts > 2 * training.none.arrived and "
        "training.norm.overflowed + training.value.overflowed == 0",
        covers=("training.*",),
        runs="training.starts",
        spread=("training.norm.closest.min", "training.norm.closest.max"),
        figure="gradients_clipping",
    ),
)


def deep_gradient(seed: int, depth: int = 12, n: int = 16, batch: int = 16) -> np.ndarray:
    """All weight gradients of J = ||h_L||^2 / (2 N), as one vector."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(0.0, np.sqrt(3.0 / n), (depth, n, n))
    hs = [rng.normal(size=(batch, n))]
    for w in weights:
        hs.append(np.maximum(hs[-1] @ w.T, 0.0))
    grad, parts = hs[-1] / batch, []
    for w, before, after in zip(weights[::-1], hs[-2::-1], hs[:0:-1], strict=True):
        delta = grad * (after > 0.0)
        parts.append((delta.T @ before).ravel())
        grad = delta @ w
    return np.concatenate(parts)


def by_norm(g: np.ndarray, c: float | np.ndarray, axes: tuple[int, ...] = (-1,)) -> np.ndarray:
    norm = np.sqrt(np.sum(g * g, axis=axes, keepdims=True))
    out: np.ndarray = g * np.minimum(1.0, c / np.maximum(norm, 1e-300))
    return out


def angle(a: np.ndarray, b: np.ndarray) -> float:
    """In degrees; exact for small angles, where the cosine is not."""
    u, v = a / np.linalg.norm(a), b / np.linalg.norm(b)
    return float(np.degrees(2.0 * np.arcsin(min(1.0, 0.5 * float(np.linalg.norm(u - v))))))


def directions() -> dict[str, Any]:
    gradients = [deep_gradient(seed) for seed in range(SEEDS)]
    result: dict[str, Any] = {"shares": SHARES}
    for name in ("norm", "value"):
        table = []
        for g in gradients:
            row = []
            for share in SHARES:
                left = (
                    by_norm(g, share * float(np.linalg.norm(g)))
                    if name == "norm"
                    else np.clip(g, -share * np.abs(g).max(), share * np.abs(g).max())
                )
                row.append(angle(g, left))
            table.append(row)
        values = np.array(table)
        result[name] = {
            "median": np.median(values, axis=0).tolist(),
            "min": values.min(axis=0).tolist(),
            "max": values.max(axis=0).tolist(),
        }
    # rounding: a bound that holds for every seed and share, not its digits
    result["norm"] = {"below": 1e-5} if max(result["norm"]["max"]) < 1e-5 else result["norm"]
    return result


def train(rule: str) -> tuple[np.ndarray, np.ndarray]:
    """The smallest distance of each run and whether it overflows, of shape (settings, starts)."""
    rng = np.random.default_rng(0)
    q = np.linalg.qr(rng.normal(size=(SEEDS, SIZE, SIZE)))[0]
    start = rng.uniform(1.1, 1.3, (SEEDS, 1, 1)) * q
    h0, y = rng.normal(size=(2, SEEDS, SIZE, 1))
    pairs = [(r, 1.0) for r in ALONE]
    if rule != "none":
        pairs = [(r, c) for r in RATES for c in THRESHOLDS]
    rate, bound = (np.array(v).reshape(-1, 1, 1, 1) for v in zip(*pairs, strict=True))
    w = np.broadcast_to(start, (len(pairs), *start.shape)).copy()
    closest = np.full(w.shape[:2], np.inf)
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(STEPS):
            hs = [np.broadcast_to(h0, (len(pairs), *h0.shape))]
            for _ in range(T):
                hs.append(w @ hs[-1])
            error = hs[-1] - y
            closest = np.fmin(closest, np.sqrt((error * error).sum((-2, -1))))
            g, delta, back = np.zeros_like(w), error, np.swapaxes(w, -1, -2)
            for h in hs[-2::-1]:
                g += delta * np.swapaxes(h, -1, -2)
                delta = back @ delta
            if rule == "norm":
                g = by_norm(g, bound, (-2, -1))
            elif rule == "value":
                g = np.clip(g, -bound, bound)
            w = w - rate * g
    return closest, ~np.isfinite(w).all((-2, -1))


def training() -> dict[str, Any]:
    result: dict[str, Any] = {"starts": SEEDS, "budget": STEPS, "settings": len(ALONE)}
    for rule in ("none", "norm", "value"):
        closest, overflowed = train(rule)
        counts = (closest < CLOSE).sum(axis=1)
        best = int(np.argmax(counts))
        # What has arrived goes on towards zero; how far is not what is asked.
        distance = np.maximum(closest[best], FLOOR)
        result[rule] = {
            "arrived": int(counts[best]),
            "overflowed": int(overflowed[best].sum()),
            "closest": {
                "median": float(np.median(distance)),
                "min": float(distance.min()),
                "max": float(distance.max()),
                "all": np.sort(distance).tolist(),
            },
        }
    return result


def run() -> dict[str, Any]:
    return {"seeds": SEEDS, "direction": directions(), "training": training()}


def draw(result: dict[str, Any], lang: str) -> Figure:
    from experiments.style import BACKWARD, FORWARD, MUTED, new_figure

    words = {
        "en": ("angle to the gradient", "share that is kept", "by norm", "by value", "none"),
        "zh": ("与梯度的夹角", "保留的比例", "按范数", "按值", "不裁剪"),
    }[lang]
    distance = {"en": "smallest distance to the target", "zh": "与目标的最小距离"}[lang]
    fig, (left, right) = new_figure(7.2, 3.5, ncols=2)
    value = result["direction"]["value"]
    left.fill_between(SHARES, value["min"], value["max"], color=BACKWARD, alpha=0.25, linewidth=0)
    left.plot(SHARES, value["median"], marker="o", markersize=4, color=BACKWARD, label=words[3])
    left.plot(SHARES, [0.0] * len(SHARES), marker="o", markersize=4, color=FORWARD, label=words[2])
    left.set_xscale("log")
    left.invert_xaxis()
    left.set_xticks([1.0, 0.1, 0.01], ["1", "0.1", "0.01"])
    left.minorticks_off()
    left.set_xlabel(words[1])
    left.set_yticks([0, 20, 40, 60], ["0°", "20°", "40°", "60°"])
    left.set_title(words[0], fontsize=10)
    left.legend()
    rules = (("none", words[4], MUTED), ("norm", words[2], FORWARD), ("value", words[3], BACKWARD))
    for k, (rule, _, color) in enumerate(rules):
        found = result["training"][rule]["closest"]["all"]
        places = [k + 0.5 * (i / (len(found) - 1) - 0.5) for i in range(len(found))]
        right.plot(places, found, "o", color=color, markersize=4)
    right.axhline(CLOSE, color=MUTED, linewidth=0.9, linestyle="--")
    right.set_yscale("log")
    right.set_xticks(range(3), [label for _, label, _ in rules])
    right.set_title(distance, fontsize=10)
    return fig
