"""Momentum on quadratics: how many steps it saves, what it does to noise, and which formulas hold.

(a) ``steps``: steps until the error has fallen by 1e6 on 100-dimensional quadratics whose
curvatures are spread evenly on a log scale from mu = 1 to L = kappa, from 10 random starts:
gradient descent, heavy ball and Nesterov, each with the parameters
that are best for a known mu and L. (b) ``floor``: heavy ball with beta = 0.9 on theta^2 / 2 with
gradient noise of variance 1, 4000 chains in 20 groups, against the formula and against SGD at
eta / (1 - beta). (c) ``distill``: three formulas as they stand in Distill's article on momentum and
as they should stand, relative errors on 10 random quadratics.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments._claim import Claim
from experiments._ranges import exactly, spread

STARTS, SIZE = 10, 100
KAPPAS = (10, 100, 1000, 10000)
METHODS = ("gd_best", "nesterov", "heavy_ball")
GROUPS, CHAINS, NOISY_STEPS, BETA = 20, 200, 2000, 0.9

WORKED = ("starts", "groups", "chains", "draws", "floor.*.rate", "floor.*.beta")
CLAIMS = (
    Claim(
        id="learning-rate-momentum-takes-the-square-root",
        en="When the condition number goes from 100 to 10 000, the steps of gradient descent go "
        "from {{ learning_rate_momentum.steps.kappa_100.gd_best.median | .0f }} to "
        "{{ learning_rate_momentum.steps.kappa_10000.gd_best.median | .0f }}, those of the heavy "
        "ball from {{ learning_rate_momentum.steps.kappa_100.heavy_ball.median | .0f }} to "
        "{{ learning_rate_momentum.steps.kappa_10000.heavy_ball.median | .0f }}, those of Nesterov "
        "from {{ learning_rate_momentum.steps.kappa_100.nesterov.median | .0f }} to "
        "{{ learning_rate_momentum.steps.kappa_10000.nesterov.median | .0f }}. From every start "
        "the heavy ball is fastest and gradient descent slowest.",
        zh="条件数从 100 到 10 000，梯度下降的步数从 "
        "{{ learning_rate_momentum.steps.kappa_100.gd_best.median | .0f }} 增到 "
        "{{ learning_rate_momentum.steps.kappa_10000.gd_best.median | .0f }}，重球法从 "
        "{{ learning_rate_momentum.steps.kappa_100.heavy_ball.median | .0f }} 增到 "
        "{{ learning_rate_momentum.steps.kappa_10000.heavy_ball.median | .0f }}，Nesterov 从 "
        "{{ learning_rate_momentum.steps.kappa_100.nesterov.median | .0f }} 增到 "
        "{{ learning_rate_momentum.steps.kappa_10000.nesterov.median | .0f }}。无论从哪个起点出发，"
        "重球法最快，梯度下降最慢。",
        criterion="all(k.heavy_ball.max < k.nesterov.min and k.nesterov.max < k.gd_best.min for k "
        "in steps.values()) and all(steps.kappa_10000[m].median < 20 * steps.kappa_100[m].median "
        "for m in ('heavy_ball', 'nesterov')) and steps.kappa_10000.gd_best.median > 50 * "
        "steps.kappa_100.gd_best.median",
        covers=("steps.*",),
        runs="starts",
        spread=("steps.kappa_1000.heavy_ball.min", "steps.kappa_1000.heavy_ball.max"),
        figure="learning_rate_momentum",
    ),
    Claim(
        id="learning-rate-momentum-raises-the-floor",
        en="At the same rate, momentum $0.9$ raises the noise floor from "
        "{{ learning_rate_momentum.floor.sgd.mean | .4f }} to "
        "{{ learning_rate_momentum.floor.momentum.mean | .4f }}, about where SGD with the tenfold "
        "rate ends ({{ learning_rate_momentum.floor.sgd_ten_times.mean | .4f }}); the formula "
        "predicts {{ learning_rate_momentum.floor.momentum.predicted | .4f }}.",
        zh="学习率相同，$0.9$ 的动量把噪声下限从 "
        "{{ learning_rate_momentum.floor.sgd.mean | .4f }} 抬高到 "
        "{{ learning_rate_momentum.floor.momentum.mean | .4f }}，与学习率十倍的 SGD 差不多"
        "（{{ learning_rate_momentum.floor.sgd_ten_times.mean | .4f }}）；公式预测 "
        "{{ learning_rate_momentum.floor.momentum.predicted | .4f }}。",
        criterion="all(abs(f.mean - f.predicted) < 4 * f.error for f in floor.values()) and "
        "floor.momentum.min > 5 * floor.sgd.max and abs(floor.momentum.mean / "
        "floor.sgd_ten_times.mean - 1) < 0.2",
        covers=("floor.*",),
        runs="groups",
        spread=("floor.momentum.min", "floor.momentum.max"),
        figure="learning_rate_momentum_floor",
    ),
    Claim(
        id="learning-rate-three-formulas-of-distill",
        en="On {{ learning_rate_momentum.draws }} random quadratics the three formulas as printed "
        "are wrong by at least {{ learning_rate_momentum.distill.half_printed.min | pct }}, "
        "{{ learning_rate_momentum.distill.basis_printed.min | pct }} and "
        "{{ learning_rate_momentum.distill.power_printed.min | pct }}; the corrected ones hold to "
        "rounding.",
        zh="在 {{ learning_rate_momentum.draws }} 个随机二次函数上，三个公式照原样计算，误差至少为 "
        "{{ learning_rate_momentum.distill.half_printed.min | pct }}、"
        "{{ learning_rate_momentum.distill.basis_printed.min | pct }} 和 "
        "{{ learning_rate_momentum.distill.power_printed.min | pct }}；改正后只差舍入误差。",
        criterion="min(distill.half_printed.min, distill.basis_printed.min, "
        "distill.power_printed.min) > 0.01 and max(distill.half_corrected.max, "
        "distill.basis_corrected.max, distill.power_corrected.max) < 1e-9",
        covers=("distill.*",),
        runs="draws",
        spread=("distill.basis_printed.min", "distill.basis_printed.max"),
        figure="learning_rate_momentum_formulas",
    ),
)


def parameters(method: str, kappa: float) -> tuple[float, float]:
    """Rate and momentum for mu = 1 and L = kappa."""
    root, other = np.sqrt(kappa), np.sqrt(3.0 * kappa + 1.0)
    return {
        "gd_best": (2.0 / (kappa + 1.0), 0.0),
        "heavy_ball": (4.0 / (root + 1.0) ** 2, ((root - 1.0) / (root + 1.0)) ** 2),
        "nesterov": (4.0 / (3.0 * kappa + 1.0), (other - 2.0) / (other + 2.0)),
    }[method]


def steps_needed(kappa: float, method: str) -> np.ndarray:
    """Steps for each start."""
    eta, beta = parameters(method, kappa)
    eigenvalues = np.logspace(0.0, np.log10(kappa), SIZE)
    theta = np.stack([np.random.default_rng(seed).normal(size=SIZE) for seed in range(STARTS)])
    velocity = np.zeros_like(theta)
    goal, needed = 1e-6 * np.linalg.norm(theta, axis=1), np.zeros(STARTS, dtype=int)
    for step in range(1, 1_000_000):
        gradient = eigenvalues * theta
        velocity = beta * velocity + gradient
        theta = theta - eta * (gradient + beta * velocity if method == "nesterov" else velocity)
        needed[(needed == 0) & (np.linalg.norm(theta, axis=1) < goal)] = step
        if needed.all():
            return needed
    raise RuntimeError("no convergence")


def floor(eta: float, beta: float, seed: int) -> dict[str, Any]:
    """The mean of theta^2 in each group after the start is forgotten, and the formula."""
    rng = np.random.default_rng(seed)
    theta, velocity = np.zeros((2, GROUPS, CHAINS))
    for _ in range(NOISY_STEPS):
        velocity = beta * velocity + theta + rng.normal(size=theta.shape)
        theta = theta - eta * velocity
    return exactly((theta**2).mean(axis=1)) | {
        "rate": eta,
        "beta": beta,
        "mean": float((theta**2).mean()),
        "error": float((theta**2).std() / np.sqrt(theta.size)),
        "predicted": eta * (1 + beta) / ((1 - beta) * (2 * (1 + beta) - eta)),
    }


def distill(seed: int) -> dict[str, float]:
    """Relative errors of three formulas, as printed and as corrected."""
    rng = np.random.default_rng(seed)
    q = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    lam = np.array([0.5, 1.0, 2.0, 4.0])
    a, b = q @ np.diag(lam) @ q.T, rng.normal(size=4)
    best, w = np.linalg.solve(a, b), rng.normal(size=4)

    def f(v: np.ndarray) -> float:
        return float(0.5 * v @ a @ v - b @ v)

    eta, beta, k = rng.uniform(0.05, 0.4), rng.uniform(0.0, 0.9), 5
    start = q.T @ (w - best)
    for _ in range(k):
        w = w - eta * (a @ w - b)
    excess = f(w) - f(best)
    terms = float(np.sum((1 - eta * lam) ** (2 * k) * lam * start**2))
    # x and y in the basis of the eigenvectors: one step of the recursion y' = beta y + lam x
    z, w = rng.normal(size=4), rng.normal(size=4)
    z_next = beta * z + a @ w - b

    def gap(basis: np.ndarray) -> float:
        left, right = basis @ z_next, beta * basis @ z + lam * (basis @ (w - best))
        return float(np.linalg.norm(left - right) / np.linalg.norm(left))

    r = np.array([[beta, lam[0]], [-eta * beta, 1 - eta * lam[0]]])
    one, two = np.linalg.eigvals(r)
    power, eye = np.linalg.matrix_power(r, k), np.eye(2)
    r_one, r_two = (r - one * eye) / (one - two), (r - two * eye) / (one - two)

    def error(guess: np.ndarray) -> float:
        return float(np.linalg.norm(guess - power) / np.linalg.norm(power))

    return {
        "half_printed": abs(terms - excess) / excess,
        "half_corrected": abs(0.5 * terms - excess) / excess,
        "basis_printed": gap(q),
        "basis_corrected": gap(q.T),
        "power_printed": error(one**k * r_one - two**k * r_two),
        "power_corrected": error(one**k * r_two - two**k * r_one),
    }


def run() -> dict[str, Any]:
    steps: dict[str, Any] = {}
    for kappa in KAPPAS:
        steps[f"kappa_{kappa}"] = {m: exactly(steps_needed(kappa, m)) for m in METHODS}
    rows = [distill(seed) for seed in range(STARTS)]
    return {
        "starts": STARTS,
        "steps": steps,
        "groups": GROUPS,
        "chains": GROUPS * CHAINS,
        "floor": {
            "sgd": floor(0.01, 0.0, 0),
            "momentum": floor(0.01, BETA, 1),
            "sgd_ten_times": floor(0.1, 0.0, 2),
        },
        "draws": len(rows),
        "distill": {
            key: (spread if key.endswith("corrected") else exactly)(row[key] for row in rows)
            for key in rows[0]
        },
    }


def draw(result: dict[str, Any], lang: str) -> dict[str, Figure]:
    return {
        "learning_rate_momentum": draw_steps(result["steps"], lang),
        "learning_rate_momentum_floor": draw_floor(result["floor"], lang),
        "learning_rate_momentum_formulas": draw_formulas(result["distill"], lang),
    }


def draw_steps(steps: dict[str, Any], lang: str) -> Figure:
    from experiments._dots import MEDIAN, draw_bands
    from experiments.style import INK, SERIES, new_figure

    fig, ax = new_figure(width=6.4, height=3.4)
    names = {
        "gd_best": {"en": "gradient descent", "zh": "梯度下降"},
        "nesterov": {"en": "Nesterov", "zh": "Nesterov"},
        "heavy_ball": {"en": "heavy ball", "zh": "重球法（动量）"},
    }
    for color, (key, name) in zip(SERIES, names.items(), strict=False):
        rows = [steps[f"kappa_{k}"][key] for k in KAPPAS]
        look = {"color": color, "marker": "o", "label": name[lang]}
        draw_bands(ax, KAPPAS, rows, keys=MEDIAN, alpha=0.3, **look)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.legend(loc="upper left")
    ticks = [10, 100, 1000, 10000]
    ax.set_xticks(ticks, [f"{t:,}" for t in ticks])
    rows = [10, 100, 1000, 10000, 100000]
    ax.set_yticks(rows, [f"{t:,}" for t in rows])
    ax.minorticks_off()
    ax.set_xlabel({"en": "condition number κ = L/μ", "zh": "条件数 κ = L/μ"}[lang], color=INK)
    ax.set_ylabel({"en": "steps to 1e-6", "zh": "误差降到 1e-6 的步数"}[lang])
    return fig


def draw_floor(floor: dict[str, Any], lang: str) -> Figure:
    from experiments._ranges import Bar, draw_ranges

    words = {"en": ("SGD, rate", "momentum 0.9, rate"), "zh": ("SGD，学习率", "动量 0.9，学习率")}
    sgd, momentum = words[lang]
    rows = {
        f"{sgd} 0.01": floor["sgd"],
        f"{momentum} 0.01": floor["momentum"],
        f"{sgd} 0.1": floor["sgd_ten_times"],
    }
    label = {"en": "mean square of θ at the end", "zh": "终点 θ 的均方值"}[lang]
    fig = draw_ranges([Bar(row, value) for row, value in rows.items()], label)
    ticks = [0.005, 0.01, 0.02, 0.05]
    fig.axes[0].set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    fig.axes[0].minorticks_off()
    return fig


def draw_formulas(rows: dict[str, Any], lang: str) -> Figure:
    from experiments._ranges import Bar, draw_ranges
    from experiments.style import BAD, GOOD

    names = {
        "half": {"en": "error of f", "zh": "f 的误差分解"},
        "basis": {"en": "change of basis", "zh": "换基"},
        "power": {"en": "power of R", "zh": "R 的幂"},
    }
    kinds = {
        "printed": ({"en": "as printed", "zh": "原样"}[lang], BAD),
        "corrected": ({"en": "corrected", "zh": "改正后"}[lang], GOOD),
    }
    bars = [
        Bar(name[lang], rows[f"{key}_{kind}"], color, label)
        for key, name in names.items()
        for kind, (label, color) in kinds.items()
    ]
    return draw_ranges(bars, {"en": "relative error", "zh": "相对误差"}[lang])
