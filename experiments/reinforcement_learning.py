"""Reinforcement learning: the policy gradient is an average of samples; a baseline quiets it.

Measured: (1) on a bandit with 5 arms, the mean of 200 000 REINFORCE samples against the exact
gradient, 20 times, and the exact gradient against torch.autograd of the expected reward; (2) the
exact variance of one sample with no baseline, with the mean reward as baseline and with the best
constant baseline, for three constants added to all rewards; (3) on a 5 x 5 grid, the return of a
policy network trained by REINFORCE with and without baseline, 10 seeds each, also at half and twice
the rate, and the variance of the gradient of 10 untrained policies; (4) which tensors of such a
program carry a gradient at all.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from experiments import style
from experiments._applications import Adam, gradient, log_softmax, spread, worst
from experiments._claim import Claim
from experiments._dots import Dot, Panel, draw_dots

Array = np.ndarray
RTOL = (
    1e-3  # hundreds of Adam steps amplify the last bits of the matrix products of another machine
)
REWARDS = np.array([0.1, 0.3, 0.5, 0.7, 1.0])
LOGITS = np.array([0.4, 0.2, 0.0, -0.2, -0.4])
SEEDS = range(10)
DRAWS, SAMPLES = 20, 200_000
SIZE, HORIZON, EPISODES, UPDATES = 5, 30, 32, 100
RATE = 0.02
MOVES = np.array([[-1, 0], [1, 0], [0, -1], [0, 1]])

WORKED = ("seeds", "sampled.draws", "sampled.samples", "sampled.probabilities*")
CLAIMS = (
    Claim(
        id="reinforcement-learning-constant-added",
        en="A constant of 10 added to all rewards takes the variance of one sample from "
        "{{ reinforcement_learning.bandit.0.variance_none | .3f }} to "
        "{{ reinforcement_learning.bandit.10.variance_none | .1f }}; with the mean reward as "
        "baseline it stays at {{ reinforcement_learning.bandit.10.variance_mean | .4f }}, close "
        "to the {{ reinforcement_learning.bandit.0.variance_best | .4f }} of the best constant.",
        zh="给所有奖励加上 10，单个样本的方差就从 "
        "{{ reinforcement_learning.bandit.0.variance_none | .3f }} 变为 "
        "{{ reinforcement_learning.bandit.10.variance_none | .1f }}；以平均奖励为基线时仍是 "
        "{{ reinforcement_learning.bandit.10.variance_mean | .4f }}，接近最优常数的 "
        "{{ reinforcement_learning.bandit.0.variance_best | .4f }}。",
        # The means are equal: the baseline changes the noise alone.
        criterion="all(max(b.bias_none, b.bias_mean, b.bias_best) < 1e-10 for b in "
        "bandit.values()) and bandit['0'].ratio > 2 and bandit['10'].ratio > 100 * "
        "bandit['0'].ratio and abs(bandit['10'].variance_mean - bandit['0'].variance_mean) < "
        "1e-10 and bandit['0'].variance_mean < 1.1 * bandit['0'].variance_best",
        covers=("bandit.*",),
        exact="arithmetic",
        figure="reinforcement_learning",
    ),
    Claim(
        id="reinforcement-learning-samples-are-unbiased",
        en="In {{ reinforcement_learning.sampled.draws }} means of "
        "{{ reinforcement_learning.sampled.samples | ,d }} samples no component is more than "
        "{{ reinforcement_learning.sampled.none.worst_z.max | .1f }} standard errors from the "
        "exact gradient without, and "
        "{{ reinforcement_learning.sampled.mean.worst_z.max | .1f }} with a baseline.",
        zh="{{ reinforcement_learning.sampled.draws }} 次各取 "
        "{{ reinforcement_learning.sampled.samples | ,d }} 个样本，均值的各分量与精确梯度相差都不"
        "超过若干个标准误差：无基线时 "
        "{{ reinforcement_learning.sampled.none.worst_z.max | .1f }} 个，有基线时 "
        "{{ reinforcement_learning.sampled.mean.worst_z.max | .1f }} 个。",
        # Five components, 20 draws: beyond four standard errors once in 80 such runs.
        criterion="sampled.autograd < 1e-10 and max(sampled.none.worst_z.max, "
        "sampled.mean.worst_z.max) < 4",
        covers=("sampled.autograd", "sampled.*.worst_z.*"),
        runs="sampled.draws",
        spread=("sampled.none.worst_z.min", "sampled.none.worst_z.max"),
        figure="reinforcement_learning_samples",
    ),
    Claim(
        id="reinforcement-learning-baseline-learns-better",
        en="The mean return over the last 10 of 100 updates is "
        "${{ reinforcement_learning.grid.end.state.mean | .2f }}$ with the baseline "
        "(${{ reinforcement_learning.grid.end.state.min | .2f }}$ at worst) and "
        "${{ reinforcement_learning.grid.end.none.mean | .2f }}$ without "
        "(${{ reinforcement_learning.grid.end.none.max | .2f }}$ at best); the start is "
        "${{ reinforcement_learning.grid.start | .1f }}$, the shortest way "
        "${{ reinforcement_learning.grid.best | .0f }}$. It passes $-12$ after "
        "{{ reinforcement_learning.grid.updates.state.mean | .0f }} updates in place of "
        "{{ reinforcement_learning.grid.updates.none.mean | .0f }}, earlier for "
        "{{ reinforcement_learning.grid.earlier }} of {{ reinforcement_learning.seeds }} seeds.",
        zh="100 次更新的最后 10 次，平均回报在有基线时为 "
        "${{ reinforcement_learning.grid.end.state.mean | .2f }}$（最差 "
        "${{ reinforcement_learning.grid.end.state.min | .2f }}$），无基线时为 "
        "${{ reinforcement_learning.grid.end.none.mean | .2f }}$（最好 "
        "${{ reinforcement_learning.grid.end.none.max | .2f }}$）；开始时为 "
        "${{ reinforcement_learning.grid.start | .1f }}$，最短路径为 "
        "${{ reinforcement_learning.grid.best | .0f }}$。回报超过 $-12$ 平均需要 "
        "{{ reinforcement_learning.grid.updates.state.mean | .0f }} 次更新，无基线时需要 "
        "{{ reinforcement_learning.grid.updates.none.mean | .0f }} 次；"
        "{{ reinforcement_learning.seeds }} 个种子中有 {{ reinforcement_learning.grid.earlier }} "
        "个在有基线时更早。",
        criterion="grid.end.none.max < grid.end.state.min and grid.end.state.max <= grid.best and "
        "-10 < grid.end.none.min and grid.earlier > 0.7 * seeds",
        covers=("grid.end.*", "grid.start", "grid.best", "grid.earlier", "grid.updates.*"),
        runs="seeds",
        spread=("grid.end.state.min", "grid.end.state.max"),
        figure="reinforcement_learning",
    ),
    Claim(
        id="reinforcement-learning-baseline-at-other-rates",
        en="At half the learning rate the return passes $-12$ after "
        "{{ reinforcement_learning.grid.rates.half.state.mean | .0f }} updates with the baseline "
        "and {{ reinforcement_learning.grid.rates.half.none.mean | .0f }} without, at twice the "
        "rate after {{ reinforcement_learning.grid.rates.twice.state.mean | .0f }} and "
        "{{ reinforcement_learning.grid.rates.twice.none.mean | .0f }}, earlier for at least "
        "{{ reinforcement_learning.grid.rates.least }} of {{ reinforcement_learning.seeds }} "
        "seeds.",
        zh="学习率减半，回报超过 $-12$ 平均需要 "
        "{{ reinforcement_learning.grid.rates.half.state.mean | .0f }} 次更新，无基线时 "
        "{{ reinforcement_learning.grid.rates.half.none.mean | .0f }} 次；学习率加倍，分别为 "
        "{{ reinforcement_learning.grid.rates.twice.state.mean | .0f }} 次和 "
        "{{ reinforcement_learning.grid.rates.twice.none.mean | .0f }} 次；"
        "{{ reinforcement_learning.seeds }} 个种子中至少有 "
        "{{ reinforcement_learning.grid.rates.least }} 个在有基线时更早。",
        criterion="grid.rates.least > 0.7 * seeds and all(r.state.mean < r.none.mean for r in "
        "(grid.rates.half, grid.rates.twice))",
        covers=("grid.rates.*",),
        runs="seeds",
        spread=("grid.rates.twice.state.min", "grid.rates.twice.state.max"),
        figure="reinforcement_learning_rates",
    ),
    Claim(
        id="reinforcement-learning-baseline-quiets",
        en="For {{ reinforcement_learning.seeds }} untrained policies the variance of the gradient "
        "falls by a factor of {{ reinforcement_learning.grid.variance.ratio.median | .1f }} "
        "({{ reinforcement_learning.grid.variance.ratio.min | .1f }} to "
        "{{ reinforcement_learning.grid.variance.ratio.max | .1f }}) with the mean return of each "
        "state as baseline.",
        zh="取 {{ reinforcement_learning.seeds }} 个未经训练的策略，以每个状态的平均回报为基线，"
        "无基线时梯度的方差是有基线时的 "
        "{{ reinforcement_learning.grid.variance.ratio.median | .1f }} 倍（各策略在 "
        "{{ reinforcement_learning.grid.variance.ratio.min | .1f }} 到 "
        "{{ reinforcement_learning.grid.variance.ratio.max | .1f }} 之间）。",
        criterion="grid.variance.ratio.min > 2",
        covers=("grid.variance.*",),
        runs="seeds",
        spread=("grid.variance.ratio.min", "grid.variance.ratio.max"),
        figure="reinforcement_learning_samples",
    ),
)


def bandit(offset: float) -> dict[str, float]:
    """Exact bias and total variance of (r - b) * d log pi / d theta for three baselines."""
    r = REWARDS + offset
    pi = np.exp(log_softmax(LOGITS))
    scores = np.eye(5) - pi  # row k: gradient of log pi(k)
    exact = pi * (r - pi @ r)
    squares = (scores**2).sum(axis=1)
    best = float((pi * squares) @ r / (pi @ squares))
    out = {"best_baseline": best, "mean_reward": float(pi @ r)}
    for name, b in (("none", 0.0), ("mean", float(pi @ r)), ("best", best)):
        mean = (pi * (r - b)) @ scores
        out[f"bias_{name}"] = worst(mean, exact)
        out[f"variance_{name}"] = float((pi * (r - b) ** 2) @ squares - exact @ exact)
    out["ratio"] = out["variance_none"] / out["variance_mean"]
    return out


def sampled() -> dict[str, Any]:
    """Means of many REINFORCE samples against the exact gradient, several times."""
    rng = np.random.default_rng(0)
    pi = np.exp(log_softmax(LOGITS))
    exact = pi * (REWARDS - pi @ REWARDS)
    theta = torch.tensor(LOGITS, requires_grad=True)
    (theta.softmax(0) @ torch.tensor(REWARDS)).backward()
    found: dict[str, list[float]] = {"none": [], "mean": []}
    for _ in range(DRAWS):
        arms = rng.choice(5, size=SAMPLES, p=pi)
        scores = np.eye(5)[arms] - pi
        for name, b in (("none", 0.0), ("mean", float(pi @ REWARDS))):
            samples = (REWARDS[arms] - b)[:, None] * scores
            error = samples.std(axis=0, ddof=1) / np.sqrt(SAMPLES)
            found[name].append(float((np.abs(samples.mean(axis=0) - exact) / error).max()))
    return {
        "draws": DRAWS,
        "samples": SAMPLES,
        "exact": exact.tolist(),
        "probabilities": pi.tolist(),
        "autograd": worst(exact, gradient(theta)),
    } | {name: {"worst_z": spread(values)} for name, values in found.items()}


def init(rng: np.random.Generator) -> dict[str, Array]:
    return {
        "W": rng.normal(0.0, 1.0, (16, SIZE * SIZE)) * 0.5,
        "b": np.zeros(16),
        "V": rng.normal(0.0, 0.1, (4, 16)),
        "c": np.zeros(4),
    }


def play(p: dict[str, Array], rng: np.random.Generator) -> tuple[Array, Array, Array, Array]:
    """Play EPISODES episodes side by side; return states, actions, alive, rewards, all (T, E).

    Start in one corner, the goal is the opposite one; every move costs 1, walls stop a move.
    """
    place = np.zeros((EPISODES, 2), dtype=int)
    alive = np.ones(EPISODES, dtype=bool)
    shape = (HORIZON, EPISODES)
    states, actions = np.zeros(shape, dtype=int), np.zeros(shape, dtype=int)
    lives, rewards = np.zeros(shape, dtype=bool), np.zeros(shape)
    for t in range(HORIZON):
        s = place @ [SIZE, 1]
        logp = log_softmax(np.tanh(p["W"].T[s] + p["b"]) @ p["V"].T + p["c"])
        cumulative = np.exp(logp).cumsum(axis=1)
        a = (rng.random((EPISODES, 1)) * cumulative[:, -1:] > cumulative).sum(axis=1)
        states[t], actions[t], lives[t], rewards[t] = s, a, alive, -1.0 * alive
        place = np.where(alive[:, None], np.clip(place + MOVES[a], 0, SIZE - 1), place)
        alive = alive & ~(place == SIZE - 1).all(axis=1)
        if not alive.any():
            break
    return states, actions, lives, rewards


def gradients(p: dict[str, Array], s: Array, a: Array, weight: Array) -> dict[str, Array]:
    """Gradient of -sum_i weight_i log pi(a_i | s_i); the weights are constants."""
    h = np.tanh(p["W"].T[s] + p["b"])
    dz = np.exp(log_softmax(h @ p["V"].T + p["c"]))
    dz[np.arange(len(a)), a] -= 1.0
    dz *= weight[:, None]
    delta = (dz @ p["V"]) * (1.0 - h**2)
    dw = np.zeros_like(p["W"])
    np.add.at(dw.T, s, delta)
    return {"W": dw, "b": delta.sum(axis=0), "V": dz.T @ h, "c": dz.sum(axis=0)}


def weights(
    lives: Array, rewards: Array, states: Array, value: Array, baseline: bool
) -> tuple[Array, Array]:
    """Return to go minus the baseline (a table of mean returns), for the moves made."""
    togo = rewards[::-1].cumsum(axis=0)[::-1]
    return (togo - value[states] * baseline)[lives], togo[lives]


def train(seed: int, baseline: bool, rate: float = RATE) -> list[float]:
    """Mean return per update."""
    rng = np.random.default_rng(seed)
    p = init(rng)
    value = np.zeros(SIZE * SIZE)
    adam = Adam(p, rate)
    curve = []
    for _ in range(UPDATES):
        s, a, lives, r = play(p, rng)
        w, togo = weights(lives, r, s, value, baseline)
        g = gradients(p, s[lives], a[lives], w)
        adam.step({k: v / EPISODES for k, v in g.items()})
        count = np.bincount(s[lives], minlength=len(value))
        total = np.bincount(s[lives], weights=togo, minlength=len(value))
        seen = count > 0
        value[seen] += 0.3 * (total[seen] / count[seen] - value[seen])
        curve.append(float(r.sum(axis=0).mean()))
    return curve


def grid_variance(seed: int, batches: int = 40) -> dict[str, float]:
    """Total variance of the gradient of a fresh policy, with and without baseline."""
    rng = np.random.default_rng(100 + seed)
    p = init(rng)
    value, count = np.zeros(SIZE * SIZE), np.zeros(SIZE * SIZE)
    for _ in range(20):  # the baseline comes from other episodes than the gradient
        s, _, lives, r = play(p, rng)
        togo = r[::-1].cumsum(axis=0)[::-1][lives]
        np.add.at(value, s[lives], togo)
        np.add.at(count, s[lives], 1)
    value = np.divide(value, count, out=np.zeros_like(value), where=count > 0)
    found: dict[str, list[Array]] = {"none": [], "state": []}
    for _ in range(batches):
        s, a, lives, r = play(p, rng)
        for name in found:
            w, _ = weights(lives, r, s, value, name == "state")
            g = gradients(p, s[lives], a[lives], w)
            found[name].append(np.concatenate([v.ravel() / EPISODES for v in g.values()]))
    out = {k: float(np.array(v).var(axis=0, ddof=1).sum()) for k, v in found.items()}
    return out | {"ratio": out["none"] / out["state"]}


def leaves() -> dict[str, Any]:
    """What carries a gradient in one step of REINFORCE written with torch."""
    torch.manual_seed(0)
    policy = torch.nn.Linear(3, 2)
    distribution = torch.distributions.Categorical(logits=policy(torch.ones(3)))
    action = distribution.sample()
    reward = torch.tensor([0.0, 1.0])[action]
    try:
        (-reward).backward()
        message = ""
    except RuntimeError as error:
        message = str(error).split(" and ")[0]
    (-reward * distribution.log_prob(action)).backward()
    return {
        "action": action.requires_grad,
        "reward": reward.requires_grad,
        "log_prob": distribution.log_prob(action).requires_grad,
        "message": message,
        "policy": policy.weight.grad is not None,
    }


def _updates(returns: Array) -> Array:
    """The first update whose mean return is above -12, half as long again as the best way."""
    above = returns > -12
    first: Array = np.where(above.any(axis=1), above.argmax(axis=1), UPDATES)
    return first


def run() -> dict[str, Any]:
    runs = {
        name: np.array([train(seed, baseline) for seed in SEEDS])
        for name, baseline in (("none", False), ("state", True))
    }
    variances = [grid_variance(seed) for seed in SEEDS]
    last = {k: v[:, -10:].mean(axis=1) for k, v in runs.items()}
    reached = {k: _updates(v) for k, v in runs.items()}
    rates = {}
    for name, rate in (("half", RATE / 2), ("twice", 2 * RATE)):
        found = {
            key: _updates(np.array([train(seed, baseline, rate) for seed in SEEDS]))
            for key, baseline in (("none", False), ("state", True))
        }
        rates[name] = {key: spread(values) for key, values in found.items()}
        rates[name]["earlier"] = int((found["state"] < found["none"]).sum())
    least = min(found["earlier"] for found in rates.values())
    return {
        "seeds": len(SEEDS),
        "bandit": {name: bandit(offset) for name, offset in (("0", 0.0), ("1", 1.0), ("10", 10.0))},
        "sampled": sampled(),
        "grid": {
            "curve": {k: v.mean(axis=0).tolist() for k, v in runs.items()},
            "low": {k: v.min(axis=0).tolist() for k, v in runs.items()},
            "high": {k: v.max(axis=0).tolist() for k, v in runs.items()},
            "end": {k: spread(v) for k, v in last.items()},
            "earlier": int((reached["state"] < reached["none"]).sum()),
            "updates": {k: spread(v) for k, v in reached.items()},
            "rates": rates | {"least": least},
            "start": float(np.mean([v[:, 0].mean() for v in runs.values()])),
            "best": -2.0 * (SIZE - 1),
            "variance": {k: spread([row[k] for row in variances]) for k in variances[0]},
        },
        "leaves": leaves(),
    }


def draw_samples(result: dict[str, Any], lang: str) -> Figure:
    """The variance of the gradient on the grid, and the distance of sample means."""
    rows, variance, distance = {
        "en": (
            ("no baseline", "with baseline"),
            "grid: variance of the gradient",
            "bandit: worst distance, standard errors",
        ),
        "zh": (("无基线", "有基线"), "网格：梯度的方差", "老虎机：最大偏差（标准误差）"),
    }[lang]
    colours = (style.SERIES[1], style.SERIES[0])
    spreads = (
        [result["grid"]["variance"][k] for k in ("none", "state")],
        [result["sampled"][k]["worst_z"] for k in ("none", "mean")],
    )
    panels = [
        Panel(x, [Dot(*dot) for dot in zip(rows, found, colours, strict=True)])
        for x, found in zip((variance, distance), spreads, strict=True)
    ]
    figure: Figure = draw_dots(panels)
    return figure


def draw(result: dict[str, Any], lang: str) -> dict[str, Figure]:
    return {
        "reinforcement_learning": draw_training(result, lang),
        "reinforcement_learning_samples": draw_samples(result, lang),
        "reinforcement_learning_rates": draw_rates(result, lang),
    }


def draw_rates(result: dict[str, Any], lang: str) -> Figure:
    """The updates until the return passes -12, at three learning rates."""
    names, rates, x = {
        "en": (("none", "baseline"), "{}, rate {:g}", "updates until the return passes −12"),
        "zh": (("无基线", "有基线"), "{}，学习率 {:g}", "回报超过 −12 所需的更新次数"),
    }[lang]
    grid = result["grid"]
    rows = ((RATE / 2, grid["rates"]["half"]), (RATE, grid["updates"]))
    dots = [
        Dot(rates.format(name, rate), found[key], colour)
        for rate, found in (*rows, (2 * RATE, grid["rates"]["twice"]))
        for name, key, colour in zip(names, ("none", "state"), style.SERIES[1::-1], strict=True)
    ]
    figure: Figure = draw_dots([Panel(x, dots)], height=0.3)
    return figure


def draw_training(result: dict[str, Any], lang: str) -> Figure:
    text = {
        "en": {
            "offset": "added to all rewards",
            "variance": "variance of one sample",
            "none": "no baseline",
            "mean": "mean reward as baseline",
            "state": "baseline per state",
            "x": "update",
            "y": "mean return",
            "best": "shortest path",
        },
        "zh": {
            "offset": "给所有奖励加上的常数",
            "variance": "单个样本的方差",
            "none": "无基线",
            "mean": "以平均奖励为基线",
            "state": "按状态的基线",
            "x": "更新次数",
            "y": "平均回报",
            "best": "最短路径",
        },
    }[lang]
    fig, (left, right) = style.new_figure(6.8, 3.0, ncols=2)
    names = list(result["bandit"])
    at = np.arange(len(names))
    for i, key in enumerate(("none", "mean")):
        heights = [result["bandit"][n][f"variance_{key}"] for n in names]
        left.bar(at + 0.38 * i - 0.19, heights, 0.36, color=style.SERIES[1 - i], label=text[key])
    left.set_yscale("log")
    left.set_ylim(0.03, 900)
    left.set_xticks(at, [f"+{n}" for n in names])
    left.grid(axis="x", visible=False)
    left.set_xlabel(text["offset"])
    left.set_ylabel(text["variance"])
    left.legend(loc="upper left")
    grid = result["grid"]
    for i, key in enumerate(("none", "state")):
        colour = style.SERIES[1 - i]
        right.fill_between(
            np.arange(len(grid["low"][key])),
            grid["low"][key],
            grid["high"][key],
            color=colour,
            alpha=0.2,
            linewidth=0,
        )
        right.plot(grid["curve"][key], color=colour, label=text[key])
    right.axhline(grid["best"], color=style.MUTED, linewidth=1, linestyle=":", label=text["best"])
    right.set_xlabel(text["x"])
    right.set_ylabel(text["y"])
    right.legend(loc="lower right")
    return fig
