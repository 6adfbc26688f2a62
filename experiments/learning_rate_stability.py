"""The stability limit 2/lambda: on a parabola, on least squares, in a network.

(a) ``factor``: gradient descent on J = lambda theta^2 / 2 multiplies theta by (1 - eta lambda) per
step; measured on the iteration itself, for eta lambda from 0.5 to 2.1. (b) ``article``: full-batch
least squares on the article's data (100 points, 10 seeds), 300 steps at 0.99 and 1.01 times
2/lambda_max. (c) ``network``: the article's network with tanh for ReLU, so that it has a Hessian
everywhere, after 5000 full-batch steps, 10 seeds. Two copies 1e-8 apart along the steepest
direction take 20 steps at shares of 2/lambda_max: the factor per step of their distance. Then 200
steps from 1e-3 beside it: the loss on the way and at the end, and eta lambda_max at the end.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments._article_model import Runs
from experiments._claim import Claim
from experiments._ranges import exactly

RTOL = 1e-3  # differences of two runs, and 5000 steps of training

SEEDS = 10
FACTORS = {"p05": 0.5, "p10": 1.0, "p15": 1.5, "p19": 1.9, "p20": 2.0, "p21": 2.1}
SHARES = {"s080": 0.8, "s090": 0.9, "s095": 0.95, "s105": 1.05, "s110": 1.1}
TRAINING, PAIR, WALK = 5000, 20, 200

WORKED = ("article.seeds", "network.seeds", "network.training", "network.walk")
CLAIMS = (
    Claim(
        id="learning-rate-limit-on-a-parabola",
        en="On a parabola, gradient descent multiplies the parameter by $\\lvert 1 - \\eta "
        "\\lambda \\rvert$ per step: {{ learning_rate_stability.factor.p19 | .2f }} at "
        "$\\eta \\lambda = 1.9$, {{ learning_rate_stability.factor.p20 | .2f }} at 2 and "
        "{{ learning_rate_stability.factor.p21 | .2f }} at $2.1$.",
        zh="在抛物线上，梯度下降每步把参数乘以 $\\lvert 1 - \\eta \\lambda \\rvert$："
        "$\\eta \\lambda = 1.9$ 时为 {{ learning_rate_stability.factor.p19 | .2f }}，2 时为 "
        "{{ learning_rate_stability.factor.p20 | .2f }}，$2.1$ 时为 "
        "{{ learning_rate_stability.factor.p21 | .2f }}。",
        criterion="all(abs(a - b) < 1e-9 for a, b in ((factor.p05, predicted.p05), (factor.p10, "
        "predicted.p10), (factor.p15, predicted.p15), (factor.p19, predicted.p19), (factor.p20, "
        "predicted.p20), (factor.p21, predicted.p21))) and factor.p19 < 1 < factor.p21",
        covers=("factor.*", "predicted.*"),
        exact="deterministic",
    ),
    Claim(
        id="learning-rate-limit-on-least-squares",
        en="On the article's data ({{ learning_rate_stability.article.seeds }} seeds), a rate of "
        "$0.99$ times $2/\\lambda_{\\max}$ brings the distance from the solution in 300 steps to "
        "at most {{ learning_rate_stability.article.below.max | .4f }} of its start, $1.01$ times "
        "makes it grow at least {{ learning_rate_stability.article.above.min | .0f }}-fold.",
        zh="在原文的数据上（{{ learning_rate_stability.article.seeds }} 个种子），学习率取 "
        "$2/\\lambda_{\\max}$ 的 $0.99$ 倍，300 步后到解的距离至多是起初的 "
        "{{ learning_rate_stability.article.below.max | .4f }}；取 $1.01$ 倍，至少增大到 "
        "{{ learning_rate_stability.article.above.min | .0f }} 倍。",
        criterion="article.below.max < 0.1 and article.above.min > 10",
        covers=("article.*",),
        runs="article.seeds",
        spread=("article.limit.min", "article.limit.max"),
        figure="learning_rate_stability_article",
    ),
    Claim(
        id="learning-rate-limit-in-a-network",
        en="In a trained network the distance of two neighboring copies along the steepest "
        "direction changes per step by $\\lvert 1 - \\eta \\lambda_{\\max} \\rvert$: at "
        "$0.95$ times the limit by "
        "{{ learning_rate_stability.network.shares.s095.factor.min | .3f }} to "
        "{{ learning_rate_stability.network.shares.s095.factor.max | .3f }}, at $1.05$ times by "
        "{{ learning_rate_stability.network.shares.s105.factor.min | .3f }} to "
        "{{ learning_rate_stability.network.shares.s105.factor.max | .3f }} over "
        "{{ learning_rate_stability.network.seeds }} seeds.",
        zh="在训练好的网络里，两个相邻的副本沿最陡方向的距离每步乘以 $\\lvert 1 - \\eta "
        "\\lambda_{\\max} \\rvert$：取上限的 $0.95$ 倍时为 "
        "{{ learning_rate_stability.network.shares.s095.factor.min | .3f }} 到 "
        "{{ learning_rate_stability.network.shares.s095.factor.max | .3f }}，取 $1.05$ 倍时为 "
        "{{ learning_rate_stability.network.shares.s105.factor.min | .3f }} 到 "
        "{{ learning_rate_stability.network.shares.s105.factor.max | .3f }}"
        "（{{ learning_rate_stability.network.seeds }} 个种子）。",
        criterion="all(abs(s.factor.min - s.predicted) < 0.02 and abs(s.factor.max - s.predicted) "
        "< 0.02 for s in network.shares.values())",
        covers=("network.shares.*.factor.*", "network.limit*"),
        runs="network.seeds",
        spread=("network.shares.s105.factor.min", "network.shares.s105.factor.max"),
        figure="learning_rate_stability",
    ),
    Claim(
        id="learning-rate-network-settles-below-the-limit",
        en="At $1.1$ times the limit the loss of the network rises to at least "
        "{{ learning_rate_stability.network.shares.s110.highest.min | .1f }} times its start and "
        "returns to at most {{ learning_rate_stability.network.shares.s110.last.max | .3f }} times "
        "within {{ learning_rate_stability.network.walk }} steps, where $\\eta "
        "\\lambda_{\\max}$ is at most "
        "{{ learning_rate_stability.network.shares.s110.eta_lambda.max | .2f }}.",
        zh="学习率取上限的 $1.1$ 倍，网络的损失至少升到起初的 "
        "{{ learning_rate_stability.network.shares.s110.highest.min | .1f }} 倍，在 "
        "{{ learning_rate_stability.network.walk }} 步之内又回到至多 "
        "{{ learning_rate_stability.network.shares.s110.last.max | .3f }} 倍，那里 $\\eta "
        "\\lambda_{\\max}$ 至多为 "
        "{{ learning_rate_stability.network.shares.s110.eta_lambda.max | .2f }}。",
        criterion="network.shares.s110.highest.min > 1.3 and network.shares.s110.last.max < 1.05 "
        "and network.shares.s110.eta_lambda.max < 2",
        covers=("network.shares.s1*.highest.*", "network.shares.*.last.*", "network.shares.*.eta*"),
        runs="network.seeds",
        spread=("network.shares.s110.eta_lambda.min", "network.shares.s110.eta_lambda.max"),
        figure="learning_rate_stability",
    ),
)


def factor(eta_lambda: float, curvature: float = 3.0, steps: int = 40) -> float:
    """Measured |theta_{t+1} / theta_t|, geometric mean over the steps; 0 when theta becomes 0."""
    eta, theta = eta_lambda / curvature, 1.0
    for _ in range(steps):
        theta = theta - eta * curvature * theta
    return float(abs(theta) ** (1.0 / steps))


def least_squares(seed: int) -> dict[str, float]:
    """How the distance to the solution changes in 300 steps just below and just above the limit."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=100)
    design = np.column_stack([x, np.ones(100)])
    y = 2.0 * x + 1.0 + rng.normal(size=100)
    hessian = 2.0 * design.T @ design / 100  # of nn.MSELoss
    largest = float(np.linalg.eigvalsh(hessian)[-1])
    best = np.linalg.lstsq(design, y, rcond=None)[0]
    out = {"lambda_max": largest, "limit": 2.0 / largest}
    for name, share in (("below", 0.99), ("above", 1.01)):
        theta = np.zeros(2)
        start = np.linalg.norm(theta - best)
        for _ in range(300):
            theta = theta - share * 2.0 / largest * (2.0 * design.T @ (design @ theta - y) / 100)
        out[name] = float(np.linalg.norm(theta - best) / start)
    return out


class Smooth(Runs):
    """The article's network with tanh in place of ReLU, on the whole data set."""

    def predict(self, x: np.ndarray) -> np.ndarray:
        w1, b1, w2, b2 = self.split()
        hidden = np.tanh(x[..., :, None] * w1[..., None, :] + b1[..., None, :])
        return np.asarray((hidden @ w2[..., None])[..., 0] + b2[..., None])

    def gradient(self, theta: np.ndarray) -> np.ndarray:
        self.theta = theta
        w1, b1, w2, _ = self.split()
        hidden = np.tanh(self.x[..., None] * w1[..., None, :] + b1[..., None, :])
        d2 = 2.0 * (self.predict(self.x) - self.y) / self.x.shape[-1]
        d1 = d2[..., None] * w2[..., None, :] * (1.0 - hidden**2)
        parts = (d1 * self.x[..., None], d1, hidden * d2[..., None], d2[..., None])
        return np.concatenate([part.sum(axis=-2) for part in parts], axis=-1)

    def loss(self, theta: np.ndarray) -> np.ndarray:
        self.theta = theta
        return np.asarray(np.mean((self.predict(self.x) - self.y) ** 2, axis=-1))

    def steepest(self, theta: np.ndarray, h: float = 1e-5) -> tuple[np.ndarray, np.ndarray]:
        """Largest eigenvalue (seeds, 1) of the Hessian and its direction (seeds, parameters)."""
        columns = []
        for unit in np.eye(theta.shape[-1]):
            plus, minus = self.gradient(theta + h * unit), self.gradient(theta - h * unit)
            columns.append((plus - minus) / (2.0 * h))
        hessian = np.stack(columns, axis=-1)
        values, vectors = np.linalg.eigh((hessian + hessian.swapaxes(-1, -2)) / 2.0)
        return values[..., -1:], vectors[..., -1]


def network() -> dict[str, Any]:
    net = Smooth(range(SEEDS))
    theta = net.theta
    first = net.steepest(theta)[0]
    for _ in range(TRAINING):
        theta = theta - 0.05 * net.gradient(theta)
    largest, direction = net.steepest(theta)
    limit = 2.0 / largest
    result: dict[str, Any] = {
        "seeds": SEEDS,
        "training": TRAINING,
        "walk": WALK,
        "limit_at_start": exactly((2.0 / first).ravel()),
        "limit": exactly(limit.ravel()),
        "shares": {},
    }
    for name, share in SHARES.items():
        rate = share * limit
        one, other = theta, theta + 1e-8 * direction
        for _ in range(PAIR):
            one, other = one - rate * net.gradient(one), other - rate * net.gradient(other)
        apart = np.abs(np.sum((other - one) * direction, axis=-1)) / 1e-8
        walker = theta + 1e-3 * direction
        losses = [net.loss(walker)]
        for _ in range(WALK):
            walker = walker - rate * net.gradient(walker)
            losses.append(net.loss(walker))
        result["shares"][name] = {
            "share": share,
            "predicted": abs(1.0 - 2.0 * share),
            "factor": exactly(apart ** (1.0 / PAIR)),
            "highest": exactly(np.max(losses, axis=0) / losses[0]),
            "last": exactly(losses[-1] / losses[0]),
            "eta_lambda": exactly((rate * net.steepest(walker)[0]).ravel()),
            "curve": np.median(np.array(losses) / losses[0], axis=1).tolist(),
        }
    return result


def run() -> dict[str, Any]:
    result: dict[str, Any] = {"factor": {}, "predicted": {}}
    for name, value in FACTORS.items():
        result["factor"][name] = factor(value)
        result["predicted"][name] = abs(1.0 - value)
    rows = [least_squares(seed) for seed in range(SEEDS)]
    result["article"] = {"seeds": SEEDS}
    for key in rows[0]:
        result["article"][key] = exactly(row[key] for row in rows)
    result["network"] = network()
    return result


def draw(result: dict[str, Any], lang: str) -> dict[str, Figure]:
    from experiments._ranges import Bar, draw_ranges

    article = result["article"]
    rows = {"0.99 · 2/λ": article["below"], "1.01 · 2/λ": article["above"]}
    label = {
        "en": "distance from the solution after 300 steps, over that at the start",
        "zh": "300 步后到解的距离与起初之比",
    }[lang]
    return {
        "learning_rate_stability": draw_network(result["network"], lang),
        "learning_rate_stability_article": draw_ranges(
            [Bar(row, found) for row, found in rows.items()], label
        ),
    }


def draw_network(network: dict[str, Any], lang: str) -> Figure:
    from experiments.style import INK, MUTED, SERIES, new_figure

    words = {
        "en": ("rate over 2/λ", "factor per step", "step", "loss over the loss at the start"),
        "zh": ("学习率与 2/λ 之比", "每步的倍数", "步", "损失与起初损失之比"),
    }[lang]
    fig, (left, right) = new_figure(width=7.2, height=3.3, ncols=2)
    share = np.linspace(0.78, 1.12, 50)
    left.plot(share, np.abs(1.0 - 2.0 * share), color=MUTED, label="|1 − ηλ|")
    for row in network["shares"].values():
        low, high = row["factor"]["min"], row["factor"]["max"]
        left.plot([row["share"]] * 2, [low, high], color=SERIES[0], linewidth=3)
        left.plot(row["share"], row["factor"]["median"], "o", color=SERIES[0])
    left.axvline(1.0, color=INK, linewidth=1, linestyle=":")
    left.legend(loc="upper left")
    left.set_xlabel(words[0])
    left.set_ylabel(words[1])
    for (name, row), color in zip(network["shares"].items(), SERIES, strict=False):
        if name == "s080":
            continue
        right.plot(row["curve"], color=color, label=f"{row['share']:g} · 2/λ")
    right.set_xlabel(words[2])
    right.set_ylabel(words[3])
    right.legend()
    return fig
