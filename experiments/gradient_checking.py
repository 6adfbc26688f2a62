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
  default steps (a power of ten that is at least three times larger: noise differs between CPUs);
  ``least`` is the same for the network where it is smallest, a power of ten below.
* ``scale``: 2 410 parameters, one wrong number: how often random directions and how often a
  sample of elements of the same price find it, 200 runs on each of 10 networks.
* ``dropout``: difference quotients whose two values of f drew two different masks, 20 layers.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from experiments import style
from experiments._claim import Claim
from experiments._ranges import bound_below

W = 0.7
SWEEP = (0.1, 0.8, 201)  # the weights of the figure: first, last, how many
METHODS = ("forward", "central", "complex")
BITS = (64, 32)
STEPS = [f"{digit}e{power}" for power in range(-18, 0) for digit in (1, 2, 5)] + ["1e0"]
SHOWN = ("1e-1", "1e-3", "1e-5", "1e-8", "1e-12", "1e-15", "1e-17")
EPSILON = {64: float(np.finfo(np.float64).eps), 32: float(np.finfo(np.float32).eps)}

WORKED = (
    "tolerance.networks", "scale.parameters", "scale.networks", "scale.runs", "scale.directions",
    "scale.calls_*", "scale.mnist_*", "dropout.seeds",
)  # fmt: skip
CLAIMS = (
    Claim(
        "gradient-checking-smaller-then-worse",
        en="At the weight of the example two digits of the central difference are right for "
        "$h = 10^{-1}$, the relative error falls to "
        "${{ gradient_checking.sample.h5.central_error | sci }}$ at $10^{-5}$, is "
        "${{ gradient_checking.sample.h12.central_error | sci }}$ again at $10^{-12}$, and at "
        "$10^{-17}$ the quotient is zero. The complex step keeps all digits.",
        zh="在例子的权重处，$h = 10^{-1}$ 时中心差分有两位数字正确；$10^{-5}$ 时相对误差降到 "
        "${{ gradient_checking.sample.h5.central_error | sci }}$，$10^{-12}$ 时又升到 "
        "${{ gradient_checking.sample.h12.central_error | sci }}$，$10^{-17}$ 时差商等于零。复数步"
        "长法一位也不丢。",
        criterion="abs(sample.h1.central - sample.exact) < 0.01 "
        "and sample.h1.central_error > sample.h3.central_error > sample.h5.central_error "
        "and sample.h5.central_error < sample.h8.central_error < sample.h12.central_error "
        "< sample.h15.central_error and sample.h17.forward == 0 and sample.h17.central == 0 "
        "and abs(sample.complex / sample.exact - 1) < 1e-15",
        covers=("sample.*",),
        exact="arithmetic",
    ),
    Claim(
        "gradient-checking-two-branches",
        en="Right of the best step the median error grows with $h$ to the power "
        "{{ gradient_checking.curves.slope.forward_64.truncation | .2f }} for the forward and "
        "{{ gradient_checking.curves.slope.central_64.truncation | .2f }} for the central "
        "difference, left of it with powers near $-1$; in float32 as in float64. Single "
        "weights jump up and down on the left.",
        zh="在最佳步长右侧，误差的中位数随 $h$ 增长，前向差分是 "
        "{{ gradient_checking.curves.slope.forward_64.truncation | .2f }} 次幂，中心差分是 "
        "{{ gradient_checking.curves.slope.central_64.truncation | .2f }} 次幂；左侧的幂次接"
        "近 $-1$。float32 与 float64 都如此。单个权重的误差在左侧上下跳动。",
        criterion="all(0.95 < s.truncation < 1.05 and -1.1 < s.rounding < -0.9 "
        "for s in [curves.slope.forward_64, curves.slope.forward_32]) "
        "and all(1.95 < s.truncation < 2.05 and -1.1 < s.rounding < -0.9 "
        "for s in [curves.slope.central_64, curves.slope.central_32]) "
        "and curves.live.central_64[:35] != sorted(curves.live.central_64[:35], reverse=True)",
        covers=("curves.slope.*",),
        exact="deterministic",
        figure="gradient_checking",
    ),
    Claim(
        "gradient-checking-best-steps",
        en="The best step is within a factor of ten of $\\epsilon^{1/2}$ for the forward and of "
        "$\\epsilon^{1/3}$ for the central difference, in float64 and in float32; the error that "
        "is left is at most ten times $\\epsilon^{1/2}$ and $\\epsilon^{2/3}$, and not twenty "
        "times smaller. The complex step has an error below $\\epsilon$ at every step below "
        "$10^{-8}$.",
        zh="最佳步长，前向差分与 $\\epsilon^{1/2}$、中心差分与 $\\epsilon^{1/3}$ 相差都不到十倍，"
        "float64 和 float32 都如此；剩下的误差至多是 $\\epsilon^{1/2}$ 和 $\\epsilon^{2/3}$ "
        "的十倍，也不会小到二十分之一以下。复数步长法只要步长小于 $10^{-8}$，"
        "误差就小于 $\\epsilon$。",
        criterion="0.1 < curves.best.forward_64.h / 1.49e-8 < 10 "
        "and 0.1 < curves.best.central_64.h / 6.06e-6 < 10 "
        "and 0.1 < curves.best.forward_32.h / 3.45e-4 < 10 "
        "and 0.1 < curves.best.central_32.h / 4.92e-3 < 10 "
        "and 0.05 < curves.best.forward_64.error / 1.49e-8 < 10 "
        "and 0.05 < curves.best.central_64.error / 3.67e-11 < 10 "
        "and 0.05 < curves.best.forward_32.error / 3.45e-4 < 10 "
        "and 0.05 < curves.best.central_32.error / 2.42e-5 < 10 "
        "and max(curves.median.complex_64[:30]) < 2.22e-16 "
        "and max(curves.median.complex_32[:30]) < 1.19e-7",
        covers=("curves.best.*",),
        exact="deterministic",
        figure="gradient_checking",
    ),
    Claim(
        "gradient-checking-prediction",
        en="The formulas predict the best step within a factor of five and errors that are 5 to "
        "20 times the measured ones: ${{ gradient_checking.optimum.forward_64.error | sci }}$ "
        "against ${{ gradient_checking.curves.best.forward_64.error | sci }}$ for the forward "
        "difference, ${{ gradient_checking.optimum.central_64.error | sci }}$ against "
        "${{ gradient_checking.curves.best.central_64.error | sci }}$ for the central one.",
        zh="公式预测的最佳步长与实测相差不到五倍，预测的误差是实测的 5 到 20 倍：前向差分是 "
        "${{ gradient_checking.optimum.forward_64.error | sci }}$ 对 "
        "${{ gradient_checking.curves.best.forward_64.error | sci }}$，中心差分是 "
        "${{ gradient_checking.optimum.central_64.error | sci }}$ 对 "
        "${{ gradient_checking.curves.best.central_64.error | sci }}$。",
        criterion="all(0.2 < o.h / b.h < 5 and 5 < o.error / b.error < 20 for o, b in "
        "[[optimum.forward_64, curves.best.forward_64], "
        "[optimum.central_64, curves.best.central_64]])",
        covers=("optimum.*", "curves.best.*_64.*"),
        exact="deterministic",
        figure="gradient_checking",
    ),
    Claim(
        "gradient-checking-float32-costs",
        en="For the central difference the best step in float32 is about a thousand times that in "
        "float64, and the error more than half a million times as large: "
        "${{ gradient_checking.curves.best.central_32.error | sci }}$.",
        zh="中心差分用 float32，最佳步长约是 float64 的一千倍，误差是它的五十万倍以上："
        "${{ gradient_checking.curves.best.central_32.error | sci }}$。",
        criterion="500 < curves.best.central_32.h / curves.best.central_64.h < 2000 "
        "and curves.best.central_32.error > 5e5 * curves.best.central_64.error",
        covers=("curves.best.central_32.*",),
        exact="deterministic",
        figure="gradient_checking",
    ),
    Claim(
        "gradient-checking-flat-minimum",
        en="A step that is ten times too large or too small costs the central difference two of "
        "its ten digits at most.",
        zh="步长大十倍或小十倍，中心差分至多损失十位数字中的两位。",
        criterion="curves.best.central_64.h == 2e-6 and curves.best.central_64.error < 1e-10 and "
        "max(curves.median.central_64[34], curves.median.central_64[40]) < 100 * "
        "curves.best.central_64.error",
        covers=("curves.median.central_64*",),
        exact="deterministic",
        figure="gradient_checking",
    ),
    Claim(
        "gradient-checking-tolerances",
        en="Over {{ gradient_checking.tolerance.networks }} networks with right gradients no "
        "element is off by more than ${{ gradient_checking.tolerance.complex | sci0 }}$ with the "
        "complex step, ${{ gradient_checking.tolerance.central | sci0 }}$ with central and "
        "${{ gradient_checking.tolerance.forward | sci0 }}$ with forward differences in float64: "
        "at or below the limits, far below a missing factor. In float32 it can be "
        "${{ gradient_checking.tolerance.central32 | sci0 }}$, above the limit unless the "
        "rounding is subtracted.",
        zh="{{ gradient_checking.tolerance.networks }} 个网络，梯度都正确，float64 下任何元素的误"
        "差，复数步长法不超过 ${{ gradient_checking.tolerance.complex | sci0 }}$，中心差分不超过 "
        "${{ gradient_checking.tolerance.central | sci0 }}$，前向差分不超过 "
        "${{ gradient_checking.tolerance.forward | sci0 }}$：都不高于界限，离漏掉一个因子还很远。"
        "float32 下可达 ${{ gradient_checking.tolerance.central32 | sci0 }}$，不减去舍入误差就会超"
        "过界限。",
        criterion="tolerance.complex <= 1e-10 and tolerance.central <= 1e-6 "
        "and tolerance.forward <= 1e-3 and 1e-2 < tolerance.central32 < 0.5",
        covers=("tolerance.*",),
        runs="tolerance.networks",
        spread=("tolerance.least.central", "tolerance.central"),
        figure="gradient_checking_tolerance",
    ),
    Claim(
        "gradient-checking-new-mask",
        en="With a new dropout mask at each call, the quotient is wrong by "
        "${{ gradient_checking.dropout.fresh.min[4] | sci }}$ to "
        "${{ gradient_checking.dropout.fresh.max[4] | sci }}$ times the largest gradient at "
        "$h = 10^{-5}$, and by ten times more with each power of ten by which $h$ shrinks. With "
        "the same mask the error stays below ${{ gradient_checking.dropout.same_below | sci0 }}$.",
        zh="每次调用都换 dropout 掩码，$h = 10^{-5}$ 时差商的误差是最大梯度的 "
        "${{ gradient_checking.dropout.fresh.min[4] | sci }}$ 到 "
        "${{ gradient_checking.dropout.fresh.max[4] | sci }}$ 倍；$h$ 每缩小十倍，误差就大十倍。掩"
        "码不变，误差小于 ${{ gradient_checking.dropout.same_below | sci0 }}$。",
        criterion="dropout.fresh.min[4] > 1e4 and dropout.fresh.min[0] > 1 "
        "and 8 < dropout.fresh.median[6] / dropout.fresh.median[5] < 12 "
        "and 8 < dropout.fresh.median[4] / dropout.fresh.median[3] < 12 "
        "and dropout.same_below < 1e-7",
        covers=("dropout.*",),
        runs="dropout.seeds",
        spread=("dropout.fresh.min[4]", "dropout.fresh.max[4]"),
        figure="gradient_checking_dropout",
    ),
    Claim(
        "gradient-checking-directions-find-it",
        en="Four random directions find one wrong element among "
        "{{ gradient_checking.scale.parameters }} in at least "
        "{{ gradient_checking.scale.element.min | pct1 }} of the runs of each of "
        "{{ gradient_checking.scale.networks }} networks, and a wrong array in every run. "
        "Four random elements at the same price find it in at most "
        "{{ gradient_checking.scale.element_sampled.max | pct1 }} and "
        "{{ gradient_checking.scale.array_sampled.max | pct1 }}.",
        zh="{{ gradient_checking.scale.parameters }} 个元素里错一个，四个随机方向在 "
        "{{ gradient_checking.scale.networks }} 个网络的每一个上，都至少在 "
        "{{ gradient_checking.scale.element.min | pct1 }} 的运行里发现；整个数组错了，次次都能发"
        "现。以同样的代价检验四个随机元素，发现的比例分别至多是 "
        "{{ gradient_checking.scale.element_sampled.max | pct1 }} 和 "
        "{{ gradient_checking.scale.array_sampled.max | pct1 }}。",
        criterion="scale.element.min > 0.95 and scale.array.min == 1 "
        "and scale.element_sampled.max < 0.05 and scale.array_sampled.max < 0.1",
        covers=("scale.element*", "scale.array*"),
        runs="scale.networks",
        spread=("scale.element.min", "scale.element.max"),
        figure="gradient_checking_directions",
    ),
)


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
    weights = np.linspace(*SWEEP).tolist()
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
    rows = []
    for seed in range(seeds):
        worst = dict.fromkeys(["forward", "central", "complex", "central32"], 0.0)
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
        rows.append(worst)
    for key in rows[0]:
        out[key] = power_of_ten(max(row[key] for row in rows))
    out["least"] = {key: bound_below(min(row[key] for row in rows)) for key in rows[0]}
    return out


KINDS = ("element", "element_sampled", "array", "array_sampled")


def scale(networks: int = 10, runs: int = 200, directions: int = 4) -> dict[str, Any]:
    """One wrong number among 2 410, and one wrong array."""
    shares = [_found(seed, runs, directions) for seed in range(networks)]
    parameters = 64 * 32 + 32 + 32 * 10 + 10
    mnist = 784 * 100 + 100 + 100 * 10 + 10
    return {
        "parameters": parameters,
        "networks": networks,
        "runs": runs,
        "directions": directions,
        "calls_all": 2 * parameters,
        "calls_directions": 2 * directions,
        "mnist_parameters": mnist,
        "mnist_calls": 2 * mnist,
    } | {kind: summary([share[kind] for share in shares]) for kind in KINDS}


def summary(values: list[float]) -> dict[str, float]:
    return {"mean": float(np.mean(values)), "min": min(values), "max": max(values)}


def _found(seed: int, runs: int, directions: int) -> dict[str, float]:
    """In what share of the runs each mistake is found in one network."""
    rng = np.random.default_rng(seed)
    X, Y = rng.normal(size=(16, 64)), rng.normal(size=(16, 10))
    p = network([64, 32, 10], seed)
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

    h = EPSILON[64] ** (1 / 3)
    half = gradient.copy()
    half[-10:] *= 0.5  # the whole of b_2
    found = dict.fromkeys(KINDS, 0)
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
            # The same price, 2 calls of f each: four elements.
            sampled = rng.integers(len(flat), size=directions)
            found[f"{kind}_sampled"] += bool(np.any(wrong[sampled] != gradient[sampled]))
    return {kind: count / runs for kind, count in found.items()}


MASK_STEPS = ("1e-1", "1e-2", "1e-3", "1e-4", "1e-5", "1e-6", "1e-7")


def dropout(seeds: int = 20) -> dict[str, Any]:
    """f draws a new mask at each call, or the same one; errors relative to the largest gradient."""
    errors = [[_mask_errors(seed, float(step)) for step in MASK_STEPS] for seed in range(seeds)]
    fresh, same = (np.array([[pair[i] for pair in row] for row in errors]) for i in (0, 1))
    at = MASK_STEPS.index("1e-5")  # the step of the page
    return {
        "seeds": seeds,
        "steps": [float(step) for step in MASK_STEPS],
        "fresh_error": float(np.median(fresh[:, at])),
        "same_below": power_of_ten(float(same[:, at].max())),
        "fresh": {
            "median": np.median(fresh, axis=0).tolist(),
            "min": fresh.min(axis=0).tolist(),
            "max": fresh.max(axis=0).tolist(),
        },
        "same": [power_of_ten(float(value)) for value in same.max(axis=0)],
    }


def _mask_errors(seed: int, h: float) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    w, x, kept = rng.normal(size=50), rng.normal(size=50), int(rng.integers(2**32))

    def mask(generator: np.random.Generator) -> np.ndarray:
        return (generator.random(50) >= 0.5) * 2.0

    right = mask(np.random.default_rng(kept))
    truth = right * x * (right * x @ w)

    def f(w: np.ndarray, generator: np.random.Generator) -> float:
        return float(0.5 * (mask(generator) * x @ w) ** 2)

    different, same = np.zeros(50), np.zeros(50)
    for k, step in enumerate(h * np.eye(50)):
        different[k] = (f(w + step, rng) - f(w - step, rng)) / (2 * h)
        ends = [f(at, np.random.default_rng(kept)) for at in (w + step, w - step)]
        same[k] = (ends[0] - ends[1]) / (2 * h)
    size = float(np.abs(truth).max())
    return float(np.abs(different - truth).max()) / size, float(np.abs(same - truth).max()) / size


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


WORDS = {
    "en": {
        "forward": "forward",
        "central": "central",
        "complex": "complex step",
        "x": "log10 of the step h",
        "y": "log10 of the relative error",
        "rounding": "right gradients",
        "mistakes": "mistakes",
        "names": ("sign", "factor 2", "N − 1 for N = 128"),
        "found": "percent of the runs in which the mistake is found",
        "kinds": ("one element: directions", "one element: elements",
                  "whole array: directions", "whole array: elements"),
        "fresh": "a new mask at each call",
        "same": "the same mask: below",
    },
    "zh": {
        "forward": "前向差分",
        "central": "中心差分",
        "complex": "复数步长法",
        "x": "步长 h 的 log10",
        "y": "相对误差的 log10",
        "rounding": "正确的梯度",
        "mistakes": "错误",
        "names": ("符号", "因子 2", "N − 1（N = 128）"),
        "found": "发现错误的运行所占的百分比",
        "kinds": ("一个元素：随机方向", "一个元素：随机元素",
                  "整个数组：随机方向", "整个数组：随机元素"),
        "fresh": "每次调用换掩码",
        "same": "同一个掩码：小于",
    },
}  # fmt: skip


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    return {
        "gradient_checking": _curves(result, lang),
        "gradient_checking_tolerance": _tolerance(result, lang),
        "gradient_checking_dropout": _dropout(result, lang),
        "gradient_checking_directions": _directions(result, lang),
    }


def _tolerance(result: dict[str, Any], lang: str) -> Any:
    """What right gradients of 50 networks show, by method, and where mistakes lie."""
    words, found = WORDS[lang], result["tolerance"]
    comma = {"en": ", ", "zh": "，"}[lang]
    rows = (
        ("complex", f"{words['complex']}{comma}float64", -10),
        ("central", f"{words['central']}{comma}float64", -6),
        ("forward", f"{words['forward']}{comma}float64", -3),
        ("central32", f"{words['central']}{comma}float32", -2),
    )
    fig, ax = style.new_figure(7.0, 2.6)
    for y, (key, _, limit) in enumerate(reversed(rows)):
        low, high = np.log10(found["least"][key]), np.log10(found[key])
        ax.plot([low, high], [y, y], color=style.FORWARD, linewidth=8, alpha=0.5,
                solid_capstyle="butt", label=words["rounding"] if y == 0 else None)  # fmt: skip
        ax.plot([limit, limit], [y - 0.3, y + 0.3], color=style.INK, linewidth=1.5)
    for value, name in zip((2.0, 0.5, 1 / 128), words["names"], strict=True):
        x = np.log10(value)
        ax.axvline(x, color=style.BAD, linewidth=1.2, linestyle="--")
        left = value == 2.0
        ax.text(x + (0.1 if left else -0.1), len(rows) - 0.3, name, color=style.BAD, fontsize=8,
                ha="left" if left else "right")  # fmt: skip
    ax.set_yticks(range(len(rows)), [label for _, label, _ in reversed(rows)])
    ax.set_ylim(-0.6, len(rows) - 0.4)
    ax.set_xlim(-17, 2.5)
    ax.set_xlabel(words["y"])
    return fig


def _dropout(result: dict[str, Any], lang: str) -> Any:
    words, found = WORDS[lang], result["dropout"]
    h = np.log10(found["steps"])
    low, middle, high = (np.log10(found["fresh"][key]) for key in ("min", "median", "max"))
    fig, ax = style.new_figure(6.4, 2.9)
    ax.fill_between(h, low, high, color=style.BAD, alpha=0.2, linewidth=0)
    ax.plot(h, middle, color=style.BAD, marker="o", markersize=4)
    ax.plot(h, np.log10(found["same"]), color=style.FORWARD, marker="v", markersize=5, linestyle="")
    ax.text(h[3], middle[3] + 1.6, words["fresh"], color=style.BAD, fontsize=9, ha="left")
    ax.text(h[3], np.log10(found["same"][3]) + 1.6, words["same"], color=style.FORWARD, fontsize=9)
    ax.set_xlabel(words["x"])
    ax.set_ylabel(words["y"])
    return fig


def _directions(result: dict[str, Any], lang: str) -> Any:
    words, found = WORDS[lang], result["scale"]
    fig, ax = style.new_figure(6.6, 2.2)
    for y, kind in enumerate(reversed(KINDS)):
        color = style.BACKWARD if kind.endswith("sampled") else style.FORWARD
        low, middle, high = (100 * found[kind][key] for key in ("min", "mean", "max"))
        ax.plot([low, high], [y, y], color=color, linewidth=7, alpha=0.4, solid_capstyle="butt")
        ax.plot(middle, y, "o", color=color, markersize=6)
    ax.set_yticks(range(len(KINDS)), list(reversed(words["kinds"])))
    ax.set_ylim(-0.6, len(KINDS) - 0.4)
    ax.set_xlim(-2, 102)
    ax.set_xlabel(words["found"])
    return fig


def _curves(result: dict[str, Any], lang: str) -> Any:
    """Median relative error against the step, float64 and float32."""
    words = WORDS[lang]
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
