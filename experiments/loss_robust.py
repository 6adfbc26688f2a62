"""MSE, MAE, Huber and quantile loss: which number each one asks for, and what outliers do.

* ``constant``: 99 zeros and one 100; where the gradient of each loss changes its sign.
* ``line``: a line fitted to 100 points of y = 2x + 1 + noise (standard deviation 0.5), a share of
  the labels replaced by −y − 10, at random places or at the right end; root mean square distance
  to the true line on [−3, 3], 20 seeds.
* ``threshold``: 10 % replaced at random places, Huber with five thresholds.
* ``quantile``: y = 2x + e, e exponential with mean 1; the quantile loss with tau 0.1, 0.5 and 0.9
  on 20 and on 500 points; share of 2000 fresh labels at or below the line, 20 seeds.
Every fit: 400 full-batch steps, the rate falls linearly to 0, the first one is the best of four
by the loss that is minimised.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import bpref.functional as F
from experiments._claim import Claim
from experiments._many_nets import spread

RTOL = 1e-4
SEEDS, STEPS, POINTS = 20, 400, 100
RATES = (0.05, 0.1, 0.2, 0.4)
SHARES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4)
THRESHOLDS = (0.01, 0.1, 1.0, 10.0, 100.0)
LEVELS = (0.1, 0.5, 0.9)

WORKED = ("seeds", "steps", "rates", "constant.*")
CLAIMS = (
    Claim(
        "loss-outliers",
        "With 10 % of the labels grossly wrong at random places, the MSE line is off by "
        "{{ loss_robust.line.anywhere.mse.p10.mean | .2f }} on average over "
        "{{ loss_robust.seeds }} seeds, MAE by {{ loss_robust.line.anywhere.mae.p10.mean | .2f }}, "
        "Huber by {{ loss_robust.line.anywhere.huber.p10.mean | .2f }}; the best MSE run is worse "
        "than the worst run of both. On clean labels MSE is not worse than either on average.",
        "10 % 的标签在随机位置严重出错时，{{ loss_robust.seeds }} 个种子平均，MSE 直线偏离 "
        "{{ loss_robust.line.anywhere.mse.p10.mean | .2f }}，MAE 偏离 "
        "{{ loss_robust.line.anywhere.mae.p10.mean | .2f }}，Huber 偏离 "
        "{{ loss_robust.line.anywhere.huber.p10.mean | .2f }}；MSE 最好的一次也不如另外两者最差的"
        "一次。"
        "标签干净时，MSE 的平均偏离不大于它们。",
        "line.anywhere.mse.p10.min > 2 * max(line.anywhere.mae.p10.max, "
        "line.anywhere.huber.p10.max) and line.anywhere.mse.p0.mean <= "
        "min(line.anywhere.mae.p0.mean, line.anywhere.huber.p0.mean)",
        ("line.anywhere.*",),
        runs="seeds",
        spread=("line.anywhere.mse.p10.min", "line.anywhere.mse.p10.max"),
        figure="loss-shares",
    ),
    Claim(
        "loss-outliers-leverage",
        "When the wrong labels all stand at the right end, MAE holds at 10 % "
        "({{ loss_robust.line.end.mae.p10.mean | .2f }}) and breaks at 30 %: it is then off by "
        "{{ loss_robust.line.end.mae.p30.mean | .1f }} on average, more than MSE with "
        "{{ loss_robust.line.end.mse.p30.mean | .1f }}, and Huber with "
        "{{ loss_robust.line.end.huber.p30.mean | .1f }} is no better.",
        "若出错的标签都在右端，MAE 在 10 % 时还站得住（"
        "{{ loss_robust.line.end.mae.p10.mean | .2f }}），"
        "到 30 % 就垮了：平均偏离 {{ loss_robust.line.end.mae.p30.mean | .1f }}，比 MSE 的 "
        "{{ loss_robust.line.end.mse.p30.mean | .1f }} 还大；Huber 为 "
        "{{ loss_robust.line.end.huber.p30.mean | .1f }}，也不比 MSE 好。",
        "line.end.mae.p10.max < line.end.mse.p10.min and line.end.mae.p30.mean > "
        "line.end.mse.p30.mean and line.end.huber.p30.mean > line.end.mse.p30.mean",
        ("line.end.*",),
        runs="seeds",
        spread=("line.end.mae.p30.min", "line.end.mae.p30.max"),
        figure="loss-shares",
    ),
    Claim(
        "loss-huber-threshold",
        "The threshold of Huber decides which of the two it is: with the same 10 % of wrong labels "
        "the line is off by {{ loss_robust.threshold.d0_1.mean | .2f }} at $d = 0.1$ and by "
        "{{ loss_robust.threshold.d100.mean | .2f }} at $d = 100$, as far as with MSE.",
        "Huber 偏向哪一边，由阈值决定：同样有 10 % 的错误标签，$d = 0.1$ 时偏离 "
        "{{ loss_robust.threshold.d0_1.mean | .2f }}，$d = 100$ 时偏离 "
        "{{ loss_robust.threshold.d100.mean | .2f }}，与 MSE 一样远。",
        "threshold.d0_1.max < threshold.d10.min and "
        "abs(threshold.d100.mean - line.anywhere.mse.p10.mean) < 0.01",
        ("threshold.*",),
        runs="seeds",
        spread=("threshold.d0_1.min", "threshold.d0_1.max"),
        figure="loss-shares",
    ),
    Claim(
        "loss-quantile-coverage",
        "Trained on 500 points, the quantile loss puts the share of fresh labels at or below the "
        "line where it was asked to: {{ loss_robust.quantile.n500.q10.below.mean | .3f }}, "
        "{{ loss_robust.quantile.n500.q50.below.mean | .3f }} and "
        "{{ loss_robust.quantile.n500.q90.below.mean | .3f }} on average for $0.1$, $0.5$ and "
        "$0.9$. "
        "Trained on 20 points it gives {{ loss_robust.quantile.n20.q90.below.mean | .2f }} for "
        "$0.9$, and in the worst run {{ loss_robust.quantile.n20.q90.below.min | .2f }}. On these "
        "skewed labels MSE asks for the mean, with "
        "{{ loss_robust.quantile.n500.mse.below.mean | .2f }} of the labels below.",
        "用 500 个点训练，分位数损失让新标签落在直线上或直线以下的比例正是所要的值：要求 $0.1$、"
        "$0.5$、$0.9$ "
        "时，平均为 {{ loss_robust.quantile.n500.q10.below.mean | .3f }}、"
        "{{ loss_robust.quantile.n500.q50.below.mean | .3f }}、"
        "{{ loss_robust.quantile.n500.q90.below.mean | .3f }}。只用 20 个点时，要求 $0.9$ 却得到 "
        "{{ loss_robust.quantile.n20.q90.below.mean | .2f }}，最差的一次是 "
        "{{ loss_robust.quantile.n20.q90.below.min | .2f }}。这些标签是偏斜的，MSE 求的是均值，"
        "{{ loss_robust.quantile.n500.mse.below.mean | .2f }} 的标签在它以下。",
        "abs(quantile.n500.q10.below.mean - 0.1) < 0.02 and abs(quantile.n500.q50.below.mean - "
        "0.5) "
        "< 0.02 and abs(quantile.n500.q90.below.mean - 0.9) < 0.02 and "
        "quantile.n500.q90.below.min > 0.85 and quantile.n20.q90.below.mean < 0.88 and "
        "quantile.n20.q90.below.min < 0.8 and quantile.n500.mse.below.min > 0.55",
        ("quantile.*",),
        runs="seeds",
        spread=("quantile.n500.q90.below.min", "quantile.n500.q90.below.max"),
        figure="loss-quantile",
    ),
)


def value_and_slope(kind: str, level: float, yhat: np.ndarray, y: np.ndarray) -> Any:
    """The loss of each element and its derivative; the level is a threshold or a quantile."""
    one = np.ones_like(yhat)
    if kind == "mse":
        loss, cache = F.mse_loss(yhat, y, reduction="none")
        return loss, F.mse_loss_backward(one, cache)
    if kind == "huber":
        loss, cache = F.huber_loss(yhat, y, reduction="none", delta=level)
        return loss, F.huber_loss_backward(one, cache)
    # The quantile loss is half the absolute error and a linear part; MAE is twice that at 1/2.
    loss, cache = F.l1_loss(yhat, y, reduction="none")
    slope = F.l1_loss_backward(one, cache)
    if kind == "mae":
        return loss, slope
    return 0.5 * loss + (level - 0.5) * (y - yhat), 0.5 * slope - (level - 0.5)


def fit(kind: str, level: float, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Slope and intercept (S, 2) of the line that each of S data sets (S, N) asks for."""
    scale = {"mse": 0.5, "huber": max(1.0, 1.0 / level)}.get(kind, 1.0)  # curvature 1
    rate = scale * np.reshape(RATES, (-1, 1))
    x, y = (np.broadcast_to(v, (len(RATES), *v.shape)) for v in (x, y))
    slope, shift = np.zeros(y.shape[:2]), np.zeros(y.shape[:2])
    for step in range(STEPS + 1):
        yhat = slope[..., None] * x + shift[..., None]
        loss, grad = value_and_slope(kind, level, yhat, y)
        if step < STEPS:
            left = rate * (1.0 - step / STEPS)
            slope = slope - left * (grad * x).mean(axis=2)
            shift = shift - left * grad.mean(axis=2)
    best = loss.mean(axis=2).argmin(axis=0)
    seeds = np.arange(y.shape[1])
    return np.stack([slope[best, seeds], shift[best, seeds]], axis=1)


def distance(theta: np.ndarray) -> np.ndarray:
    """Root mean square distance to y = 2x + 1 for x uniform on [−3, 3]."""
    return np.sqrt(3.0 * (theta[:, 0] - 2.0) ** 2 + (theta[:, 1] - 1.0) ** 2)


def constant() -> dict[str, float]:
    y = np.array([0.0] * 99 + [100.0])
    found = {}
    for kind in ("mse", "mae", "huber"):
        low, high = -1.0, 100.0
        for _ in range(60):
            middle = (low + high) / 2.0
            pull = value_and_slope(kind, 1.0, np.full_like(y, middle), y)[1].sum()
            low, high = (low, middle) if pull > 0 else (middle, high)
        found[kind] = high
    return found


def corrupted(share: float, where: str) -> tuple[np.ndarray, np.ndarray]:
    xs, ys = [], []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        x = np.sort(rng.uniform(-3.0, 3.0, POINTS))
        y = 2.0 * x + 1.0 + 0.5 * rng.normal(size=POINTS)
        order = rng.permutation(POINTS) if where == "anywhere" else np.arange(POINTS)[::-1]
        worst = order[: round(share * POINTS)]
        y[worst] = -y[worst] - 10.0
        xs.append(x)
        ys.append(y)
    return np.array(xs), np.array(ys)


def line() -> dict[str, Any]:
    out: dict[str, Any] = {"shares": SHARES}
    for where in ("anywhere", "end"):
        out[where] = {}
        for kind in ("mse", "mae", "huber"):
            rows = []
            for share in SHARES:
                theta = fit(kind, 1.0, *corrupted(share, where))
                rows.append(spread(distance(theta)))
                if where == "end" and share == 0.1:
                    out.setdefault("example", {})[kind] = theta[0].tolist()
            out[where][kind] = {f"p{round(100 * s)}": r for s, r in zip(SHARES, rows, strict=True)}
    x, y = corrupted(0.1, "end")
    out["example"] |= {"x": x[0].tolist(), "y": y[0].tolist()}
    return out


def threshold() -> dict[str, Any]:
    data = corrupted(0.1, "anywhere")
    return {
        f"d{d:g}".replace(".", "_"): spread(distance(fit("huber", d, *data))) for d in THRESHOLDS
    }


def quantile() -> dict[str, Any]:
    out: dict[str, Any] = {}
    rngs = [np.random.default_rng(50 + seed) for seed in range(SEEDS)]
    for n in (20, 500):
        x = np.stack([g.uniform(-1.0, 1.0, n) for g in rngs])
        y = 2.0 * x + np.stack([g.exponential(size=n) for g in rngs])
        xt = np.stack([g.uniform(-1.0, 1.0, 2000) for g in rngs])
        yt = 2.0 * xt + np.stack([g.exponential(size=2000) for g in rngs])
        for name, kind, level in (
            ("mse", "mse", 1.0),
            *((f"q{round(100 * q)}", "quantile", q) for q in LEVELS),
        ):
            theta = fit(kind, level, x, y)
            below = (yt <= theta[:, :1] * xt + theta[:, 1:]).mean(axis=1)
            out.setdefault(f"n{n}", {})[name] = {
                "below": spread(below),
                "shift": spread(theta[:, 1]),
            }
    return out


def run() -> dict[str, Any]:
    return {
        "seeds": SEEDS,
        "steps": STEPS,
        "rates": len(RATES),
        "constant": constant(),
        "line": line(),
        "threshold": threshold(),
        "quantile": quantile(),
    }


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    from experiments import style
    from experiments._dots import Dot, Panel, draw_bands, draw_dots

    t = {
        "en": {
            "data": "data, 10 labels corrupted",
            "true": "true line",
            "share": "share of wrong labels",
            "distance": "distance to the true line",
            "anywhere": "at random places",
            "end": "at the right end",
            "below": "share of fresh labels at or below the line",
            "quantile": "quantile {q}, {n} points",
            "mse": "MSE, {n} points",
        },
        "zh": {
            "data": "数据，其中 10 个标签被破坏",
            "true": "真实直线",
            "share": "错误标签的比例",
            "distance": "与真实直线的距离",
            "anywhere": "随机位置",
            "end": "都在右端",
            "below": "新标签不高于直线的比例",
            "quantile": "分位数 {q}，{n} 个点",
            "mse": "MSE，{n} 个点",
        },
    }[lang]
    names = {"mse": "MSE", "mae": "MAE", "huber": "Huber"}
    colors = dict(zip(names, style.SERIES, strict=False))
    figures = {}

    fig, ax = style.new_figure(6.4, 3.2)
    example = result["line"]["example"]
    ax.plot(example["x"], example["y"], "o", color=style.MUTED, markersize=3, label=t["data"])
    ends = np.array([-3.0, 3.0])
    ax.plot(ends, 2.0 * ends + 1.0, color=style.INK, linestyle=":", label=t["true"])
    for kind, name in names.items():
        slope, shift = example[kind]
        dash = "--" if kind == "huber" else "-"
        ax.plot(ends, slope * ends + shift, dash, color=colors[kind], label=name)
    ax.set_xlabel("x")
    ax.set_ylabel("y")
    fig.legend(loc="outside upper center", ncols=5, fontsize=8)
    figures["loss-outliers"] = fig

    fig, axes = style.new_figure(7.2, 3.2, ncols=2, sharey=True)
    for ax, where in zip(axes, ("anywhere", "end"), strict=True):
        for kind, name in names.items():
            rows = [result["line"][where][kind][f"p{round(100 * s)}"] for s in SHARES]
            label = name if where == "end" else None
            draw_bands(ax, SHARES, rows, color=colors[kind], marker="o", markersize=4, label=label)
        ax.set_title(t[where])
        ax.set_xlabel(t["share"])
    axes[0].set_ylabel(t["distance"])
    fig.legend(loc="outside upper center", ncols=3)
    figures["loss-shares"] = fig

    dots = []
    for key, level in (("q10", 0.1), ("q50", 0.5), ("q90", 0.9), ("mse", None)):
        for n, color in ((500, style.SERIES[0]), (20, style.SERIES[1])):
            label = t["mse" if level is None else "quantile"].format(q=level, n=n)
            dots.append(Dot(label, result["quantile"][f"n{n}"][key]["below"], color))
    fig = draw_dots([Panel(t["below"], dots)], width=6.6, height=0.3)
    for level in LEVELS:
        fig.axes[0].axvline(level, color=style.MUTED, linewidth=1, linestyle=":", zorder=0)
    figures["loss-quantile"] = fig
    return figures
