"""L1: what sets weights to exactly zero, and when that is the right thing to want.

Linear regression with 50 features, 60 training samples, noise of standard deviation 0.5, 20 seeds.
``methods``: the same penalized loss (lambda = 0.1, 5 features matter) by subgradient with a fixed
rate, by subgradient with a rate that falls like 1/sqrt(step), and by the proximal step: 1000
gradients and the best of five rates for each. ``excess`` is the distance to the smallest value.
``truths``: L1 (proximal) against L2 with eight strengths each, chosen on 60 validation samples,
where 5 features matter and where all 50 do. The test error is against the function without noise.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._claim import Claim
from experiments._many_nets import spread
from experiments._regularized_nets import Array, paired, soft_threshold

RTOL = 1e-3
SEEDS, FEATURES, SAMPLES, STEPS = 20, 50, 60, 1000
LAMBDA = 0.1
LAMBDAS = (0.0, 0.01, 0.03, 0.1, 0.2, 0.5, 1.0, 2.0)
RATES = (1.0, 0.3, 0.1, 0.03, 0.01)  # times 1 / the largest curvature
METHODS = ("fixed", "falling", "proximal")

WORKED = ("seeds", "steps", "lambda*", "settings", "strengths*", "rates")
CLAIMS = (
    Claim(
        id="regularization-l1-count-stays",
        en="L1 leaves the number of parameters as it is: {{ regularization_l1.parameters }} before "
        "and {{ regularization_l1.parameters_after }} after.",
        zh="L1 不改变参数的个数：之前 {{ regularization_l1.parameters }} 个，之后还是 "
        "{{ regularization_l1.parameters_after }} 个。",
        criterion="parameters == parameters_after and bytes == bytes_after",
        covers=("parameters*", "bytes*"),
        exact="count",
    ),
    Claim(
        id="regularization-l1-only-proximal-zeros",
        en="With {{ regularization_l1.steps }} gradients and the best of "
        "{{ regularization_l1.rates }}"
        " rates each, the proximal step sets "
        "{{ regularization_l1.methods.proximal.zeros.mean | .1f }} of 50 weights to exactly zero "
        "(at least {{ regularization_l1.methods.proximal.zeros.min | .0f }} in "
        "{{ regularization_l1.seeds }} runs), the subgradient none in any run, and the proximal "
        "step ends closer to the minimum of the penalized loss in each run.",
        zh="各用 {{ regularization_l1.steps }} 次梯度，各取 {{ regularization_l1.rates }} 个学习"
        "率中"
        "最好的一个：近端更新使 50 个权重中的 "
        "{{ regularization_l1.methods.proximal.zeros.mean | .1f }} 个恰好为零"
        "（{{ regularization_l1.seeds }} 次中至少 "
        "{{ regularization_l1.methods.proximal.zeros.min | .0f }} 个），次梯度法一个也没有，"
        "而且近端更新每次都更接近含惩罚损失的最小值。",
        criterion="methods.fixed.zeros.max == 0 and methods.falling.zeros.max == 0 and "
        "max([z.max for z in truths.sparse.subgradient_zeros]) == 0 and "
        "methods.proximal.zeros.min > 10 and "
        "methods.proximal.excess.max < min(methods.fixed.excess.min, methods.falling.excess.min)",
        covers=("methods.*", "truths.*.subgradient_zeros*"),
        runs="seeds",
        spread=("methods.proximal.zeros.min", "methods.proximal.zeros.max"),
        figure="regularization-l1",
    ),
    Claim(
        id="regularization-l1-needs-a-sparse-truth",
        en="With the strength chosen on validation data, L1 has a lower test error than L2 in "
        "{{ regularization_l1.truths.sparse.difference.below }} of {{ regularization_l1.seeds }} "
        "runs if 5 of 50 features matter "
        "({{ regularization_l1.truths.sparse.l1.chosen.mean | .3f }}"
        " against {{ regularization_l1.truths.sparse.l2.chosen.mean | .3f }}), and in "
        "{{ regularization_l1.truths.dense.difference.below }} if all 50 do "
        "({{ regularization_l1.truths.dense.l1.chosen.mean | .3f }} against "
        "{{ regularization_l1.truths.dense.l2.chosen.mean | .3f }}).",
        zh="强度在验证数据上选定，若 50 个特征中只有 5 个有用，L1 的测试误差在 "
        "{{ regularization_l1.seeds }} 次中有 "
        "{{ regularization_l1.truths.sparse.difference.below }} 次低于 L2"
        "（{{ regularization_l1.truths.sparse.l1.chosen.mean | .3f }} 对 "
        "{{ regularization_l1.truths.sparse.l2.chosen.mean | .3f }}）；若 50 个都有用，则只有 "
        "{{ regularization_l1.truths.dense.difference.below }} 次"
        "（{{ regularization_l1.truths.dense.l1.chosen.mean | .3f }} 对 "
        "{{ regularization_l1.truths.dense.l2.chosen.mean | .3f }}）。",
        criterion="truths.sparse.difference.below > 0.9 * seeds and "
        "truths.dense.difference.below < 0.1 * seeds",
        covers=("truths.*.chosen.*", "truths.*.difference.*"),
        runs="seeds",
        spread=("truths.sparse.difference.min", "truths.sparse.difference.max"),
        figure="regularization-l1",
    ),
    Claim(
        id="regularization-l1-too-strong",
        en="At $\\lambda = 2$ the proximal step leaves fewer than one of 50 weights on average, "
        "and "
        "the test error is {{ regularization_l1.truths.sparse.l1.test[7].mean | .2f }}: worse than "
        "without L1 ({{ regularization_l1.truths.sparse.l1.test[0].mean | .2f }}) in all "
        "{{ regularization_l1.seeds }} runs.",
        zh="$\\lambda = 2$ 时，近端更新在 50 个权重中平均留下不到一个，测试误差为 "
        "{{ regularization_l1.truths.sparse.l1.test[7].mean | .2f }}，"
        "{{ regularization_l1.seeds }} 次全都比不用 L1"
        "（{{ regularization_l1.truths.sparse.l1.test[0].mean | .2f }}）更差。",
        criterion="truths.sparse.strongest.min > 0 and truths.sparse.l1.zeros[7].mean > 49",
        covers=("truths.sparse.l1.test*", "truths.sparse.l1.zeros*", "truths.sparse.strongest.*"),
        runs="seeds",
        spread=("truths.sparse.strongest.min", "truths.sparse.strongest.max"),
        figure="regularization-l1",
    ),
)


def data(useful: int) -> dict[str, Array]:
    """Samples (seeds, n, 50) and labels (seeds, n, 1); the variance of the labels is the same."""
    sets: dict[str, list[Array]] = {k: [] for k in ("x", "y", "xv", "yv", "xt", "yt")}
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        w = np.zeros((FEATURES, 1))
        size = rng.choice([-1.0, 1.0], useful) * rng.uniform(0.5, 1.5, useful)
        w[:useful, 0] = size * np.sqrt(5 / useful)
        for x_name, y_name, n, noise in (
            ("x", "y", 60, 0.5),
            ("xv", "yv", 60, 0.5),
            ("xt", "yt", 500, 0),
        ):
            x = rng.normal(size=(n, FEATURES))
            sets[x_name].append(x)
            sets[y_name].append(x @ w + noise * rng.normal(size=(n, 1)))
    return {k: np.stack(v) for k, v in sets.items()}


def solve(
    sets: dict[str, Array], method: str, lambdas: Array, rates: Array, steps: int = STEPS
) -> Array:
    """Minimise 1/(2N) |Xw - y|^2 + penalty; weights (settings, seeds, 50, 1), from 0.01."""
    n = sets["x"].shape[1]
    back = np.swapaxes(sets["x"], -1, -2)
    gram, moment = back @ sets["x"] / n, back @ sets["y"] / n
    lam, share = (np.reshape(a, (-1, 1, 1, 1)) for a in (lambdas, rates))
    largest = np.linalg.eigvalsh(gram)[:, -1, None, None]
    w = np.full((max(lam.size, share.size), *moment.shape), 0.01)
    for step in range(steps):
        rate = share / (largest + lam if method == "l2" else largest)
        grad = gram @ w - moment
        if method == "proximal":
            w = soft_threshold(w - rate * grad, rate * lam)
        elif method == "l2":
            w = w - rate * (grad + lam * w)
        else:
            shrink = np.sqrt(1 + step) if method == "falling" else 1.0
            w = w - rate / shrink * (grad + lam * np.sign(w))
    return w


def mean_square(x: Array, w: Array, y: Array) -> Array:
    out: Array = ((x @ w - y) ** 2).mean(axis=(-1, -2))
    return out


def methods() -> dict[str, Any]:
    sets = data(5)

    def penalized(w: Array) -> Array:
        size = LAMBDA * np.abs(w).sum(axis=(-1, -2))
        out: Array = 0.5 * mean_square(sets["x"], w, sets["y"]) + size
        return out

    lam = np.array([LAMBDA])
    smallest = penalized(solve(sets, "proximal", lam, np.array([1.0]), 20 * STEPS))[0]
    out = {}
    for method in METHODS:
        w = solve(sets, method, lam, np.array(RATES))
        values = penalized(w)
        best = values.argmin(axis=0), np.arange(SEEDS)
        out[method] = {
            "zeros": spread((w == 0.0).sum(axis=(-1, -2))[best]),
            "below_001": spread((np.abs(w) < 0.01).sum(axis=(-1, -2))[best]),
            # the proximal step arrives at rounding errors
            "excess": spread(np.maximum(values[best] - smallest, 1e-8)),
        }
    return out


def truths() -> dict[str, Any]:
    lam, one = np.array(LAMBDAS), np.array([1.0])
    out: dict[str, Any] = {}
    for name, useful in (("sparse", 5), ("dense", 50)):
        sets, chosen = data(useful), {}
        out[name] = {}
        for penalty, method in (("l1", "proximal"), ("l2", "l2")):
            w = solve(sets, method, lam, one)
            test = mean_square(sets["xt"], w, sets["yt"])
            best = mean_square(sets["xv"], w, sets["yv"]).argmin(axis=0)
            chosen[penalty] = test[best, np.arange(SEEDS)]
            out[name][penalty] = {
                "train": [spread(v) for v in mean_square(sets["x"], w, sets["y"])],
                "test": [spread(v) for v in test],
                "zeros": [spread(v) for v in (w == 0.0).sum(axis=(-1, -2))],
                "chosen": spread(chosen[penalty]),
            }
            if penalty == "l1":
                out[name]["strongest"] = paired(test[-1] - test[0])
        w = solve(sets, "falling", lam, one)
        out[name]["subgradient_zeros"] = [spread(v) for v in (w == 0.0).sum(axis=(-1, -2))]
        out[name]["difference"] = paired(chosen["l1"] - chosen["l2"])
    return out


def run() -> dict[str, Any]:
    before = np.full(FEATURES, 0.01)
    after = solve(data(5), "proximal", np.array([LAMBDA]), np.array([1.0]))[0, 0, :, 0]
    return {
        "seeds": SEEDS,
        "steps": STEPS,
        "lambda": LAMBDA,
        "strengths": LAMBDAS,
        "settings": len(LAMBDAS),
        "rates": len(RATES),
        "parameters": before.size,
        "parameters_after": after.size,
        "bytes": before.nbytes,
        "bytes_after": after.nbytes,
        "methods": methods(),
        "truths": truths(),
    }


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    from experiments._dots import draw_bands
    from experiments.style import INK, MUTED, SERIES, new_figure

    t = {
        "en": ("strength λ", "5 of 50 features matter", "all 50 matter", "exact zeros of 50",
               "mean squared error", "L1, test", "L1, training", "L2, test", "L1, subgradient"),
        "zh": ("强度 λ", "50 个特征中 5 个有用", "50 个都有用", "50 个中恰好为零的个数",
               "均方误差", "L1，测试集", "L1，训练集", "L2，测试集", "L1，次梯度"),
    }[lang]  # fmt: skip
    fig, axes = new_figure(7.2, 3.1, ncols=3)
    places = list(range(len(LAMBDAS)))
    for ax, name, title in zip(axes, ("sparse", "dense"), t[1:3], strict=False):
        found = result["truths"][name]
        lines = (
            (found["l1"]["train"], t[6], MUTED),
            (found["l2"]["test"], t[7], SERIES[1]),
            (found["l1"]["test"], t[5], SERIES[0]),
        )
        for rows, label, color in lines:
            label = label if ax is axes[0] else ""
            draw_bands(ax, places, rows, color=color, marker="o", markersize=3, label=label)
        ax.set_ylim(-0.2, 7)
        ax.set_title(title, fontsize=9)
    axes[0].set_ylabel(t[4])
    for name, dash in (("sparse", "-"), ("dense", "--")):
        for penalty, color in (("l1", SERIES[0]), ("l2", SERIES[1])):
            rows = result["truths"][name][penalty]["zeros"]
            style = {"color": color, "marker": "o", "markersize": 3, "linestyle": dash}
            draw_bands(axes[2], places, rows, **style)
    rows = result["truths"]["sparse"]["subgradient_zeros"]
    draw_bands(axes[2], places, rows, color=INK, marker="x", linestyle=":", label=t[8])
    axes[2].set_title(t[3], fontsize=9)
    axes[2].set_ylim(-2, 52)
    for ax in axes:
        ax.set_xticks(places, [f"{v:g}" for v in LAMBDAS], fontsize=7)
        ax.set_xlabel(t[0])
    fig.legend(loc="outside upper center", ncols=4)
    return {"regularization-l1": fig}
