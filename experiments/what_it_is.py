"""Claim of the article: backpropagation updates the parameters. It only computes gradients.

A 1-10-1 tanh network, y = sin(2x), 64 points, float64, ten random starts. One function returns
the gradient; five rules that use it start at the same parameters and take 150 steps. "none"
computes 150 gradients and leaves the parameters alone. Then gradient descent is run once more
with central differences in the place of backpropagation, and passes over the data are counted.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments import _two_layer as net
from experiments._claim import Claim
from experiments._ranges import Bar, draw_ranges, exactly, spread

# RMSprop gets a small rate: once an element of the gradient swings around zero, the rule divides
# rounding noise by its own size, and the losses of two CPUs part (at 0.002 from step 120 on).
STEPS, SEEDS, SWAP_STEPS = 150, 10, 50
RATES = {"none": 0.0, "gd": 0.1, "momentum": 0.1, "rmsprop": 0.001, "adam": 0.01}
Array = np.ndarray

WORKED = ("steps", "seeds", "swap.steps", "swap.parameters")
CLAIMS = (
    Claim(
        id="what-it-is-gradients-move-nothing",
        en="Computing the gradient {{ what_it_is.steps }} times moves no parameter: from "
        "{{ what_it_is.seeds }} random starts the largest movement is "
        "{{ what_it_is.rules.none.moved.max | .1f }}, and every loss is what it was.",
        zh="计算 {{ what_it_is.steps }} 次梯度，没有任何参数改变：{{ what_it_is.seeds }} "
        "个随机起点里，移动量最大也是 {{ what_it_is.rules.none.moved.max | .1f }}，"
        "每次运行的损失都与开始时相同。",
        criterion="rules.none.moved.max == 0 and rules.none.kept == seeds",
        covers=("rules.none.*", "start.*"),
        runs="seeds",
        spread=("rules.none.moved.min", "rules.none.moved.max"),
        figure="what_it_is_update_rules",
    ),
    Claim(
        id="what-it-is-one-gradient-several-steps",
        en="Rules that receive the same gradient part in the first step: gradient descent and "
        "momentum follow the steepest descent (cosine "
        "{{ what_it_is.rules.gd.cosine.median | .3f }}), RMSprop and Adam do not (cosine "
        "{{ what_it_is.rules.adam.cosine.median | .3f }} for both, median of "
        "{{ what_it_is.seeds }} starts). All four lower the loss in every run.",
        zh="接收同样的梯度，各规则从第一步起就分道扬镳：梯度下降和动量法沿最速下降方向（余弦 "
        "{{ what_it_is.rules.gd.cosine.median | .3f }}），RMSprop 与 Adam 则不然"
        "（{{ what_it_is.seeds }} 个起点的余弦中位数都是 "
        "{{ what_it_is.rules.adam.cosine.median | .3f }}）。每次运行中，四种规则都使损失下降。",
        criterion="all(abs(c - 1) < 1e-12 for r in (rules.gd, rules.momentum) for c in "
        "(r.cosine.min, r.cosine.max)) and max(rules.rmsprop.cosine.max, rules.adam.cosine.max) < "
        "0.9 and abs(rules.rmsprop.cosine.median - rules.adam.cosine.median) < 1e-4 and "
        "all(r.fell == seeds for r in (rules.gd, rules.momentum, rules.rmsprop, rules.adam))",
        covers=tuple(f"rules.{name}.*" for name in ("gd", "momentum", "rmsprop", "adam")),
        runs="seeds",
        spread=("rules.adam.cosine.min", "rules.adam.cosine.max"),
        figure="what_it_is_update_rules",
    ),
    Claim(
        id="what-it-is-another-source-same-training",
        en="Gradient descent with central differences follows gradient descent with "
        "backpropagation: after {{ what_it_is.swap.steps }} steps from each of "
        "{{ what_it_is.seeds }} starts no parameter differs by more than "
        "${{ what_it_is.swap.gap.max | sci0 }}$. The price is "
        "{{ what_it_is.swap.forward_differences }} forward passes instead of "
        "{{ what_it_is.swap.forward_backprop }} forward and "
        "{{ what_it_is.swap.backward_backprop }} backward ones.",
        zh="用中心差分的梯度下降与用反向传播的走的是同一条路：从 {{ what_it_is.seeds }} 个起点各"
        "走 {{ what_it_is.swap.steps }} 步之后，任何参数的相差都不超过 "
        "${{ what_it_is.swap.gap.max | sci0 }}$。代价是 {{ what_it_is.swap.forward_differences }} "
        "次前向传播，而不是 {{ what_it_is.swap.forward_backprop }} 次前向和 "
        "{{ what_it_is.swap.backward_backprop }} 次反向。",
        criterion="swap.gap.max <= 1e-7 and swap.loss_gap.max <= 1e-7 and "
        "swap.forward_differences == 2 * swap.parameters * swap.steps and swap.forward_backprop "
        "== swap.backward_backprop == swap.steps",
        covers=(
            "swap.gap.*",
            "swap.loss_gap.*",
            "swap.loss_backprop",
            "swap.loss_differences",
            "swap.*_backprop",
            "swap.forward_differences",
        ),
        runs="seeds",
        spread=("swap.gap.min", "swap.gap.max"),
        figure="what_it_is_swap",
    ),
)


def make_problem(seed: int) -> tuple[net.Parameters, Array, Array]:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-2.0, 2.0, (64, 1))
    return net.init(rng, 1, 10), x, np.sin(2 * x)


class Rule:
    """Turns gradients into steps. It sees nothing of the network or of the loss."""

    def __init__(self, name: str) -> None:
        self.name, self.lr, self.count = name, RATES[name], 0
        self.first: Any = 0.0
        self.second: Any = 0.0

    def step(self, gradient: Array) -> Any:
        self.count += 1
        if self.name == "momentum":
            self.first = 0.9 * self.first + gradient
            return -self.lr * self.first
        if self.name == "rmsprop":
            self.second = 0.99 * self.second + 0.01 * gradient**2
            return -self.lr * gradient / (np.sqrt(self.second) + 1e-8)
        if self.name == "adam":
            self.first = 0.9 * self.first + 0.1 * gradient
            self.second = 0.999 * self.second + 0.001 * gradient**2
            first = self.first / (1 - 0.9**self.count)
            second = self.second / (1 - 0.999**self.count)
            return -self.lr * first / (np.sqrt(second) + 1e-8)
        return -self.lr * gradient  # "gd", and "none" with the rate 0


def shift(parameters: net.Parameters, step: Array) -> net.Parameters:
    """Add a flat step to a list of parameters."""
    moved, start = [], 0
    for p in parameters:
        moved.append(p + step[start : start + p.size].reshape(p.shape))
        start += p.size
    return moved


def differences(parameters: net.Parameters, x: Array, y: Array) -> tuple[Array, int]:
    """The gradient by central differences, and the number of forward passes it took."""
    size = net.flat(parameters).size
    gradient, eps = np.empty(size), 1e-5
    for i in range(size):
        step = np.zeros(size)
        step[i] = eps
        above = net.loss(shift(parameters, step), x, y)
        below = net.loss(shift(parameters, -step), x, y)
        gradient[i] = (above - below) / (2 * eps)
    return gradient, 2 * size


def train(name: str, seed: int) -> dict[str, Any]:
    parameters, x, y = make_problem(seed)
    rule, losses, first = Rule(name), [], {}
    for count in range(STEPS):
        value, grads = net.gradients(parameters, x, y)
        gradient = net.flat(grads)
        step = rule.step(gradient)
        if count == 0:
            length = float(np.linalg.norm(step))
            cosine = -float(gradient @ step) / (float(np.linalg.norm(gradient)) * (length or 1.0))
            first = {
                "gradient_norm": float(np.linalg.norm(gradient)),
                "step_norm": length,
                "cosine": cosine,
            }
        losses.append(value)
        parameters = shift(parameters, step)
    losses.append(net.loss(parameters, x, y))
    moved = net.flat(parameters) - net.flat(make_problem(seed)[0])
    return {"losses": losses, "last": losses[-1], "moved": float(np.abs(moved).max())} | first


def over_seeds(name: str) -> dict[str, Any]:
    runs = [train(name, seed) for seed in range(SEEDS)]
    losses = np.array([r["losses"] for r in runs])
    out: dict[str, Any] = {
        key: exactly(r[key] for r in runs) for key in ("gradient_norm", "step_norm", "last")
    }
    if name == "none":
        out["moved"] = exactly(r["moved"] for r in runs)
        out["kept"] = int(np.sum(np.all(losses == losses[:, :1], axis=1)))
    else:
        out["cosine"] = exactly(r["cosine"] for r in runs)
        out["fell"] = int(np.sum(losses[:, -1] < losses[:, 0]))
    out["losses"] = {
        "min": losses.min(axis=0).tolist(),
        "median": np.median(losses, axis=0).tolist(),
        "max": losses.max(axis=0).tolist(),
    }
    return out


def swap_the_gradient(seed: int) -> dict[str, Any]:
    """Gradient descent with backpropagation and with central differences, side by side."""
    exact, x, y = make_problem(seed)
    numeric = net.copy(exact)
    passes = 0
    for _ in range(SWAP_STEPS):
        exact = net.descend(exact, net.gradients(exact, x, y)[1], RATES["gd"])
        gradient, used = differences(numeric, x, y)
        numeric = shift(numeric, -RATES["gd"] * gradient)
        passes += used
    gaps = np.abs(net.flat(exact) - net.flat(numeric))
    return {
        "parameters": gaps.size,
        "forward_differences": passes,
        "gaps": gaps,
        "loss_backprop": net.loss(exact, x, y),
        "loss_differences": net.loss(numeric, x, y),
    }


def swap() -> dict[str, Any]:
    runs = [swap_the_gradient(seed) for seed in range(SEEDS)]
    first = runs[0]
    return {
        "steps": SWAP_STEPS,
        "parameters": first["parameters"],
        "forward_backprop": SWAP_STEPS,
        "backward_backprop": SWAP_STEPS,
        "forward_differences": first["forward_differences"],
        "loss_backprop": float(np.median([r["loss_backprop"] for r in runs])),
        "loss_differences": float(np.median([r["loss_differences"] for r in runs])),
        "gap": spread(float(r["gaps"].max()) for r in runs),
        "loss_gap": spread(abs(r["loss_backprop"] - r["loss_differences"]) for r in runs),
    }


def run() -> dict[str, Any]:
    rules = {name: over_seeds(name) for name in RATES}
    start = {key: values[0] for key, values in rules["gd"]["losses"].items()}
    return {"steps": STEPS, "seeds": SEEDS, "start": start, "rules": rules, "swap": swap()}


def draw(result: dict[str, Any], lang: str) -> Any:
    return {
        "what_it_is": draw_concepts(lang),
        "what_it_is_article": draw_article(lang),
        "what_it_is_update_rules": draw_rules(result, lang),
        "what_it_is_swap": draw_swap(result, lang),
    }


def draw_concepts(lang: str) -> Any:
    """The loop of training, with the part that is backpropagation marked."""
    from experiments.style import ACCENT, BACKWARD, FORWARD, INK, MUTED, arrow, box, diagram

    t = {
        "en": {
            "model": "model\nparameters W, b",
            "forward": "forward pass",
            "cache": "stored activations",
            "loss": "loss J",
            "backward": "backward pass",
            "gradients": "gradients\n∂J/∂W, ∂J/∂b",
            "optimizer": "optimizer",
            "x": "input x",
            "y": "label y",
            "update": "new\nvalues",
            "again": "next step",
            "bp": "backpropagation",
        },
        "zh": {
            "model": "模型\n参数 W、b",
            "forward": "前向传播",
            "cache": "保存的激活值",
            "loss": "损失 J",
            "backward": "反向计算",
            "gradients": "梯度\n∂J/∂W、∂J/∂b",
            "optimizer": "优化器",
            "x": "输入 x",
            "y": "标签 y",
            "update": "新的\n取值",
            "again": "下一步",
            "bp": "反向传播",
        },
    }[lang]
    fig, ax = diagram(7.6, 3.9)
    box(ax, 2.0, 0.12, 3.35, 1.2, color=BACKWARD, fill="none", linestyle="--")
    ax.text(3.68, 0.26, t["bp"], ha="center", va="center", fontsize=9, color=BACKWARD)
    box(ax, 0.2, 2.4, 1.5, 0.7, t["model"])
    box(ax, 3.6, 2.4, 1.5, 0.7, t["forward"], color=FORWARD)
    box(ax, 6.0, 2.4, 1.4, 0.7, t["loss"])
    box(ax, 3.5, 1.6, 1.7, 0.42, t["cache"], color=MUTED, fontsize=9)
    box(ax, 3.6, 0.5, 1.5, 0.7, t["backward"], color=BACKWARD)
    box(ax, 2.1, 0.5, 1.15, 0.7, t["gradients"], color=BACKWARD, fontsize=9)
    box(ax, 0.2, 0.5, 1.5, 0.7, t["optimizer"], color=ACCENT)
    ax.text(4.35, 3.65, t["x"], ha="center", va="center", fontsize=10)
    ax.text(6.7, 3.65, t["y"], ha="center", va="center", fontsize=10)
    arrow(ax, (4.35, 3.5), (4.35, 3.1), color=INK)
    arrow(ax, (6.7, 3.5), (6.7, 3.1), color=INK)
    arrow(ax, (1.7, 2.75), (3.6, 2.75), color=FORWARD)
    arrow(ax, (5.1, 2.75), (6.0, 2.75), color=FORWARD, text="ŷ", fontsize=11, offset=(0, 0.17))
    arrow(ax, (4.35, 2.4), (4.35, 2.02), color=MUTED)
    arrow(ax, (4.35, 1.6), (4.35, 1.2), color=MUTED)
    corner = "angle,angleA=-90,angleB=0,rad=8"
    arrow(ax, (6.7, 2.4), (5.1, 0.85), color=BACKWARD, connectionstyle=corner)
    ax.text(6.0, 1.03, "∂J/∂ŷ", ha="center", va="center", fontsize=10, color=BACKWARD)
    arrow(ax, (3.6, 0.85), (3.25, 0.85), color=BACKWARD)
    arrow(ax, (2.1, 0.85), (1.7, 0.85), color=BACKWARD)
    arrow(ax, (0.95, 1.2), (0.95, 2.4), color=ACCENT)
    ax.text(1.08, 1.8, t["update"], ha="left", va="center", fontsize=9, color=ACCENT)
    ax.text(2.65, 2.9, t["again"], ha="center", va="center", fontsize=9, color=FORWARD)
    return fig


def draw_article(lang: str) -> Any:
    """The four boxes and three arrows of the article, nothing else."""
    from experiments.style import arrow, box, diagram

    t = {
        "en": ("A: neural network", "B: forward pass", "C: backward pass", "D: gradient descent"),
        "zh": ("A: 神经网络", "B: 前向传播", "C: 反向传播", "D: 梯度下降"),
    }[lang]
    fig, ax = diagram(7.6, 2.5)
    box(ax, 2.9, 1.9, 1.8, 0.45, t[0])
    box(ax, 1.7, 1.0, 1.8, 0.45, t[1])
    box(ax, 4.1, 1.0, 1.8, 0.45, t[2])
    box(ax, 4.1, 0.1, 1.8, 0.45, t[3])
    arrow(ax, (3.5, 1.9), (2.7, 1.45))
    arrow(ax, (4.1, 1.9), (4.9, 1.45))
    arrow(ax, (5.0, 1.0), (5.0, 0.55))
    return fig


def draw_rules(result: dict[str, Any], lang: str) -> Any:
    from experiments.style import MUTED, SERIES, new_figure

    t = {
        "en": {
            "none": "no update",
            "gd": "gradient descent",
            "momentum": "momentum",
            "rmsprop": "RMSprop",
            "adam": "Adam",
            "x": "step",
            "y": "loss J",
        },
        "zh": {
            "none": "不更新",
            "gd": "梯度下降",
            "momentum": "动量法",
            "rmsprop": "RMSprop",
            "adam": "Adam",
            "x": "步",
            "y": "损失 J",
        },
    }[lang]
    fig, ax = new_figure(6.0, 3.4)
    for name, colour in zip(RATES, [MUTED, *SERIES], strict=False):
        losses = result["rules"][name]["losses"]
        ax.semilogy(losses["median"], color=colour, label=t[name])
        steps = range(len(losses["median"]))
        ax.fill_between(steps, losses["min"], losses["max"], color=colour, alpha=0.12, linewidth=0)
    ax.set_xlabel(t["x"])
    ax.set_ylabel(t["y"])
    ax.legend()
    return fig


def draw_swap(result: dict[str, Any], lang: str) -> Any:
    """How far the two runs are apart at the end."""
    t = {
        "en": ("parameters", "loss", "largest difference between the two runs"),
        "zh": ("参数", "损失", "两次运行的最大差别"),
    }[lang]
    found = result["swap"]
    return draw_ranges([Bar(t[0], found["gap"]), Bar(t[1], found["loss_gap"])], t[2])
