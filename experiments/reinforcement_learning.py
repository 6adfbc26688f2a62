"""Reinforcement learning: the policy gradient is an average of samples; a baseline quiets it.

Measured: (1) on a bandit with 5 arms, the mean of 200 000 REINFORCE samples against the exact
gradient and against torch.autograd of the expected reward; (2) the exact variance of one sample
with no baseline, with the mean reward as baseline and with the best constant baseline, for three
constants added to all rewards; (3) on a 5 x 5 grid, the return of a policy network trained by
REINFORCE with and without baseline, 5 seeds each, and the variance of the gradient of 5 untrained
policies; (4) which tensors of such a program carry a gradient at all.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from experiments import style
from experiments._applications import Adam, gradient, log_softmax, spread, worst

Array = np.ndarray
RTOL = (
    1e-3  # hundreds of Adam steps amplify the last bits of the matrix products of another machine
)
REWARDS = np.array([0.1, 0.3, 0.5, 0.7, 1.0])
LOGITS = np.array([0.4, 0.2, 0.0, -0.2, -0.4])
SEEDS = range(5)
SIZE, HORIZON, EPISODES, UPDATES = 5, 30, 32, 100
MOVES = np.array([[-1, 0], [1, 0], [0, -1], [0, 1]])


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
    """Sample means of 200 000 REINFORCE samples against the exact gradient."""
    rng = np.random.default_rng(0)
    pi = np.exp(log_softmax(LOGITS))
    exact = pi * (REWARDS - pi @ REWARDS)
    theta = torch.tensor(LOGITS, requires_grad=True)
    (theta.softmax(0) @ torch.tensor(REWARDS)).backward()
    arms = rng.choice(5, size=200_000, p=pi)
    scores = np.eye(5)[arms] - pi
    out: dict[str, Any] = {
        "exact": exact.tolist(),
        "probabilities": pi.tolist(),
        "autograd": worst(exact, gradient(theta)),
    }
    for name, b in (("none", 0.0), ("mean", float(pi @ REWARDS))):
        samples = (REWARDS[arms] - b)[:, None] * scores
        error = samples.std(axis=0, ddof=1) / np.sqrt(len(arms))
        out[name] = {
            "mean": samples.mean(axis=0).tolist(),
            "worst_z": float((np.abs(samples.mean(axis=0) - exact) / error).max()),
        }
    return out


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


def train(seed: int, baseline: bool) -> list[float]:
    """Mean return per update."""
    rng = np.random.default_rng(seed)
    p = init(rng)
    value = np.zeros(SIZE * SIZE)
    adam = Adam(p, 0.02)
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


def run() -> dict[str, Any]:
    runs = {
        name: np.array([train(seed, baseline) for seed in SEEDS])
        for name, baseline in (("none", False), ("state", True))
    }
    variances = [grid_variance(seed) for seed in SEEDS]
    return {
        "bandit": {name: bandit(offset) for name, offset in (("0", 0.0), ("1", 1.0), ("10", 10.0))},
        "sampled": sampled(),
        "grid": {
            "curve": {k: v.mean(axis=0).tolist() for k, v in runs.items()},
            "low": {k: v.min(axis=0).tolist() for k, v in runs.items()},
            "high": {k: v.max(axis=0).tolist() for k, v in runs.items()},
            "end": {k: spread(v[:, -10:].mean(axis=1)) for k, v in runs.items()},
            "start": float(np.mean([v[:, 0].mean() for v in runs.values()])),
            "best": -2.0 * (SIZE - 1),
            "variance": {k: spread([row[k] for row in variances]) for k in variances[0]},
        },
        "leaves": leaves(),
    }


def draw(result: dict[str, Any], lang: str) -> Figure:
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
