"""Gradient checking to the end: the step, the precision, the tolerance, large networks.

Claims, and how each is measured:

* ``sample``: difference quotients of J = w / (1 + w²) at w = 0.7 for a few steps h. The function
  uses + - * / only, which every processor rounds in the same way, so the numbers are the same
  to the last bit everywhere, in JavaScript too (``docs/theme/assets/js/step-size.js``).
* ``live``: the relative error at w = 0.7 for every step of the slider, method and precision.
* ``median``: the median of that error over 201 weights from 0.1 to 0.8: the figure. ``best`` is
  its minimum, ``slope`` the exponent of h left and right of the minimum.
* ``optimum``: step and error that truncation plus rounding predict at w = 0.7.
* ``tolerance``: the largest relative error of correct gradients of random networks at the
  default steps (a power of ten that is at least three times larger: noise differs between CPUs).
* ``scale``: 2 410 parameters, one wrong number: how often random directions and how often a
  sample of elements of the same price find it, 200 runs each.
* ``dropout``: a difference quotient whose two values of f drew two different masks.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

W = 0.7
METHODS = ("forward", "central", "complex")
BITS = (64, 32)
STEPS = [f"{digit}e{power}" for power in range(-18, 0) for digit in (1, 2, 5)] + ["1e0"]
SHOWN = ("1e-1", "1e-3", "1e-5", "1e-8", "1e-12", "1e-15", "1e-17")
EPSILON = {64: float(np.finfo(np.float64).eps), 32: float(np.finfo(np.float32).eps)}


def number(bits: int) -> Any:
    return np.float64 if bits == 64 else np.float32


def loss(w: Any, one: Any) -> Any:
    """J = w / (1 + w²); ``one`` is 1 in the precision of w."""
    return w / (one + w * w)


def quotient(method: str, bits: int, w: float, step: str) -> float:
    """The difference quotient, each operation rounded to the precision."""
    t = number(bits)
    w, h, one, two = t(w), t(float(step)), t(1), t(2)
    if method == "forward":
        return float((loss(w + h, one) - loss(w, one)) / h)
    if method == "central":
        return float((loss(w + h, one) - loss(w - h, one)) / (two * h))
    # Im J(w + ih) / h with real arithmetic: 1 + (w + ih)² = u + iv.
    u, v = one + w * w - h * h, two * (w * h)
    return float((h * u - w * v) / (u * u + v * v) / h)


def exact(bits: int, w: float) -> float:
    """The derivative at the weight as the precision stores it."""
    w = float(number(bits)(w))
    return (1 - w * w) / (1 + w * w) ** 2


def error(method: str, bits: int, w: float, step: str) -> float:
    truth = exact(bits, w)
    return abs(quotient(method, bits, w, step) - truth) / abs(truth)


def sample() -> dict[str, Any]:
    rows = {
        f"h{step[2:].replace('-', '')}": {
            method: quotient(method, 64, W, step) for method in ("forward", "central")
        }
        | {f"{method}_error": error(method, 64, W, step) for method in ("forward", "central")}
        for step in SHOWN
    }
    second = 2 * W * (W**2 - 3) / (1 + W**2) ** 3
    third = -6 * (W**4 - 6 * W**2 + 1) / (1 + W**2) ** 4
    return {
        "w": W,
        "J": W / (1 + W * W),
        "exact": exact(64, W),
        "second": second,
        "third": third,
        "above": (W + 0.1) / (1 + (W + 0.1) ** 2),
        "below": (W - 0.1) / (1 + (W - 0.1) ** 2),
        "complex": quotient("complex", 64, W, "1e-17"),
    } | rows


def curves() -> dict[str, Any]:
    weights = np.linspace(0.1, 0.8, 201).tolist()
    live, median, best, slope = {}, {}, {}, {}
    for bits in BITS:
        for method in METHODS:
            key = f"{method}_{bits}"
            live[key] = [error(method, bits, W, step) for step in STEPS]
            rows = [[error(method, bits, w, step) for step in STEPS] for w in weights]
            median[key] = np.median(rows, axis=0).tolist()
            low = int(np.argmin(median[key]))
            best[key] = {"h": float(STEPS[low]), "error": median[key][low]}
            if method != "complex":
                slope[key] = _slopes(median[key], low)
    return {"live": live, "median": median, "best": best, "slope": slope}


def _slopes(values: list[float], low: int) -> dict[str, float]:
    """d log(error) / d log(h): rounding left of the minimum, truncation right of it."""
    h = np.log10([float(step) for step in STEPS])
    logs = np.log10(np.maximum(values, 1e-300))
    left, right = slice(max(low - 10, 0), low - 3), slice(low + 4, len(STEPS) - 3)
    return {
        "rounding": float(np.polyfit(h[left], logs[left], 1)[0]),
        "truncation": float(np.polyfit(h[right], logs[right], 1)[0]),
    }


def optimum() -> dict[str, Any]:
    """alpha h^p + beta / h at w = 0.7, each value of J wrong by at most epsilon |J|."""
    s = sample()
    out = {}
    for bits in BITS:
        for method, alpha, beta, power in (
            ("forward", abs(s["second"]) / 2, 2 * EPSILON[bits] * s["J"], 1),
            ("central", abs(s["third"]) / 6, EPSILON[bits] * s["J"], 2),
        ):
            h = (beta / (power * alpha)) ** (1 / (power + 1))
            out[f"{method}_{bits}"] = {
                "h": h,
                "error": (alpha * h**power + beta / h) / abs(s["exact"]),
            }
    return out


def power_of_ten(value: float) -> float:
    return float(f"1e{math.ceil(math.log10(3.0 * value))}")


def network(sizes: list[int], seed: int, dtype: Any = np.float64) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    arrays = {}
    for layer, (d, m) in enumerate(itertools.pairwise(sizes), 1):
        arrays[f"W_{layer}"] = (rng.normal(size=(m, d)) / math.sqrt(d)).astype(dtype)
        arrays[f"b_{layer}"] = (0.1 * rng.normal(size=m)).astype(dtype)
    return arrays


def network_loss(X: np.ndarray, Y: np.ndarray, **p: np.ndarray) -> Any:
    """Half mean squared error of a network with one tanh layer."""
    H = np.tanh(X @ p["W_1"].T + p["b_1"])
    return np.sum((H @ p["W_2"].T + p["b_2"] - Y) ** 2) / X.dtype.type(2 * len(X))


def network_gradients(X: np.ndarray, Y: np.ndarray, **p: np.ndarray) -> dict[str, np.ndarray]:
    H = np.tanh(X @ p["W_1"].T + p["b_1"])
    D2 = (H @ p["W_2"].T + p["b_2"] - Y) / X.dtype.type(len(X))
    D1 = (D2 @ p["W_2"]) * (1 - H * H)
    return {"W_1": D1.T @ X, "b_1": D1.sum(axis=0), "W_2": D2.T @ H, "b_2": D2.sum(axis=0)}


def tolerance(seeds: int = 50) -> dict[str, Any]:
    """Correct gradients: how large does the relative error of an element get?"""
    from bpref.gradcheck import numerical_gradient

    out: dict[str, Any] = {"networks": seeds}
    worst = dict.fromkeys(["forward", "central", "complex", "central32"], 0.0)
    for seed in range(seeds):
        rng = np.random.default_rng(1000 + seed)
        X, Y = rng.normal(size=(8, 4)), rng.normal(size=(8, 2))
        p = network([4, 5, 2], seed)
        g = network_gradients(X, Y, **p)
        for name, truth in g.items():
            scale = np.maximum(np.abs(truth), 1e-3 * np.abs(truth).max())

            def f(value: np.ndarray, name: str = name, p: Any = p, X: Any = X, Y: Any = Y) -> Any:
                return network_loss(X, Y, **{**p, name: value})

            base = f(p[name])
            forward = np.zeros_like(truth)
            h = math.sqrt(EPSILON[64])
            for index in np.ndindex(truth.shape):
                moved = p[name].copy()
                moved[index] += h
                forward[index] = (f(moved) - base) / (moved[index] - p[name][index])
            found = {"forward": forward} | {
                mode: numerical_gradient(f, p[name], mode=mode) for mode in ("central", "complex")
            }
            for mode, numeric in found.items():
                worst[mode] = max(worst[mode], float(np.max(np.abs(numeric - truth) / scale)))
            X32, Y32 = X.astype(np.float32), Y.astype(np.float32)
            p32 = {key: value.astype(np.float32) for key, value in p.items()}

            def f32(value: np.ndarray, name: str = name, p: Any = p32, X: Any = X32, Y: Any = Y32):
                return network_loss(X, Y, **{**p, name: value})

            numeric = numerical_gradient(f32, p32[name]).astype(np.float64)
            worst["central32"] = max(
                worst["central32"], float(np.max(np.abs(numeric - truth) / scale))
            )
    return out | {key: power_of_ten(value) for key, value in worst.items()}


def scale(runs: int = 200) -> dict[str, Any]:
    """One wrong number among 2 410, and one wrong array."""
    sizes = [64, 32, 10]
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(16, 64)), rng.normal(size=(16, 10))
    p = network(sizes, 0)
    names = list(p)
    flat = np.concatenate([p[name].ravel() for name in names])
    shapes = [p[name].shape for name in names]
    g = network_gradients(X, Y, **p)
    gradient = np.concatenate([g[name].ravel() for name in names])

    def f(theta: np.ndarray) -> float:
        parts, start = {}, 0
        for name, shape in zip(names, shapes, strict=True):
            size = math.prod(shape)
            parts[name] = theta[start : start + size].reshape(shape)
            start += size
        return float(network_loss(X, Y, **parts))

    h, directions = EPSILON[64] ** (1 / 3), 4
    half = gradient.copy()
    half[-10:] *= 0.5  # the whole of b_2
    found = dict.fromkeys(("element", "element_sampled", "array", "array_sampled"), 0)
    smallest = np.inf
    for _ in range(runs):
        one = gradient.copy()
        place = int(rng.integers(len(flat)))
        one[place] *= 1.01  # one per cent off, in one place
        for kind, wrong in (("element", one), ("array", half)):
            worst = 0.0
            for _ in range(directions):
                v = rng.uniform(0.5, 1.5, len(flat)) * rng.choice([-1.0, 1.0], len(flat))
                numeric = (f(flat + h * v) - f(flat - h * v)) / (2 * h)
                analytic = float(v @ wrong)
                worst = max(worst, abs(analytic - numeric) / max(abs(analytic), abs(numeric)))
            found[kind] += worst > 1e-6
            if kind == "array":
                smallest = min(smallest, worst)
            # The same price, 2 calls of f each: four elements.
            sampled = rng.integers(len(flat), size=directions)
            found[f"{kind}_sampled"] += bool(np.any(wrong[sampled] != gradient[sampled]))
    return {
        "parameters": len(flat),
        "runs": runs,
        "directions": directions,
        "calls_all": 2 * len(flat),
        "calls_directions": 2 * directions,
        "mnist_parameters": 784 * 100 + 100 + 100 * 10 + 10,
        "mnist_calls": 2 * (784 * 100 + 100 + 100 * 10 + 10),
        "array_smallest": smallest,
    } | {key: value / runs for key, value in found.items()}


def dropout() -> dict[str, Any]:
    """f draws a new mask at each call, or the same one."""
    rng = np.random.default_rng(0)
    w, x, h = rng.normal(size=50), rng.normal(size=50), 1e-5
    truth_mask = (np.random.default_rng(1).random(50) >= 0.5) * 2.0
    truth = truth_mask * x * (truth_mask * x @ w)

    def f(w: np.ndarray, generator: np.random.Generator) -> float:
        mask = (generator.random(50) >= 0.5) * 2.0
        return float(0.5 * (mask * x @ w) ** 2)

    fresh = np.random.default_rng(2)
    different, same = np.zeros(50), np.zeros(50)
    for k in range(50):
        step = np.zeros(50)
        step[k] = h
        different[k] = (f(w + step, fresh) - f(w - step, fresh)) / (2 * h)
        same[k] = (
            f(w + step, np.random.default_rng(1)) - f(w - step, np.random.default_rng(1))
        ) / (2 * h)
    size = float(np.abs(truth).max())
    return {
        "largest_gradient": size,
        "fresh_error": float(np.abs(different - truth).max()) / size,
        "same_below": power_of_ten(float(np.abs(same - truth).max()) / size),
    }


def run() -> dict[str, Any]:
    """All claims of the page."""
    return {
        "sample": sample(),
        "curves": curves(),
        "optimum": optimum(),
        "tolerance": tolerance(),
        "scale": scale(),
        "dropout": dropout(),
    }


def draw(result: dict[str, Any], lang: str) -> Any:
    """Median relative error against the step, float64 and float32."""
    from experiments import style

    words = {
        "en": {
            "forward": "forward",
            "central": "central",
            "complex": "complex step",
            "x": "log10 of the step h",
            "y": "log10 of the relative error",
        },
        "zh": {
            "forward": "前向差分",
            "central": "中心差分",
            "complex": "复数步长法",
            "x": "步长 h 的 log10",
            "y": "相对误差的 log10",
        },
    }[lang]
    fig, axes = style.new_figure(7.4, 3.7, ncols=2, sharey=True)
    h = np.log10([float(step) for step in STEPS])
    at = {
        "forward_64": (-5.6, -4.6, "right"),
        "central_64": (-6.3, -11.9, "center"),
        "complex_64": (-17.8, -15.3, "left"),
        "forward_32": (-2.6, -1.9, "right"),
        "central_32": (-3.2, -5.9, "right"),
        "complex_32": (-17.8, -6.6, "left"),
    }
    for ax, bits in zip(axes, BITS, strict=True):
        for color, method in zip(style.SERIES, METHODS, strict=False):
            key = f"{method}_{bits}"
            logs = np.log10(np.maximum(result["curves"]["median"][key], 1e-17))
            ax.plot(h, logs, color=color)
            x, y, align = at[key]
            ax.text(x, y, words[method], color=color, fontsize=9, ha=align)
        ax.set_title(f"float{bits}", fontsize=10)
        ax.set_xlabel(words["x"])
        ax.set_xlim(-18.3, 0.3)
        ax.set_ylim(-17, 2)
        ax.set_yticks(range(-15, 1, 5))
    axes[0].set_ylabel(words["y"])
    return fig
