"""Claim of the article: parameters are updated layer by layer. All gradients come first.

A 3-8-1 tanh network, 32 samples. The right gradient for W1 uses the same W2 as the forward
pass. The wrong one uses a W2 that has been updated already. Measured over 100 seeds: the
relative error of the gradient for W1, for three learning rates, and whether a gradient check
finds it at the smallest of them. At that rate 20 networks are trained in both orders for 200
steps: by how much their losses differ.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import bpref.functional as F
from bpref.gradcheck import check_gradients
from experiments import _two_layer as net
from experiments import style
from experiments._claim import Claim
from experiments._ranges import Bar, draw_ranges, exactly

RATES = {"lr_0_01": 0.01, "lr_0_1": 0.1, "lr_1": 1.0}
SEEDS, TRAINED, STEPS = 100, 20, 200
Array = np.ndarray

WORKED = ("seeds", "training.seeds", "training.steps")
CLAIMS = (
    Claim(
        id="algorithm-order-error-proportional",
        en="When $W_2$ is updated too early, the relative error of $\\frac{\\partial J}"
        "{\\partial W_1}$ is proportional to the learning rate, in each of "
        "{{ algorithm_order.seeds }} networks; at the rate 1 its median is "
        "{{ algorithm_order.lr_1.median | pct1 }}.",
        zh="过早更新 $W_2$ 时，$\\frac{\\partial J}{\\partial W_1}$ 的相对误差与学习率成正比，"
        "{{ algorithm_order.seeds }} 个网络个个如此；学习率为 1 时，中位数是 "
        "{{ algorithm_order.lr_1.median | pct1 }}。",
        criterion="max(abs(r - 10) for r in (tenfold.min, tenfold.max)) < 1e-6 and max(abs(r - "
        "100) for r in (hundredfold.min, hundredfold.max)) < 1e-5 and lr_1.min > 0.01",
        covers=("lr_*", "tenfold.*", "hundredfold.*"),
        runs="seeds",
        spread=("lr_1.min", "lr_1.max"),
        figure="algorithm_order",
    ),
    Claim(
        id="algorithm-order-invisible-in-the-loss",
        en="At the rate $0.01$ the losses of {{ algorithm_order.training.steps }} steps in the "
        "wrong and in the right order differ by at most "
        "{{ algorithm_order.training.gap.max | pct2 }} in any of "
        "{{ algorithm_order.training.seeds }} runs, and a gradient check finds the fault in "
        "{{ algorithm_order.caught }} of {{ algorithm_order.seeds }} networks.",
        zh="学习率为 $0.01$ 时，按错误顺序与正确顺序各训练 "
        "{{ algorithm_order.training.steps }} 步，{{ algorithm_order.training.seeds }} "
        "次运行中损失最多相差 "
        "{{ algorithm_order.training.gap.max | pct2 }}；梯度检验则在 "
        "{{ algorithm_order.seeds }} 个网络中的 {{ algorithm_order.caught }} 个上发现了错误。",
        criterion="training.gap.max < 0.001 and caught == seeds",
        covers=("training.gap.*", "caught"),
        runs="training.seeds",
        spread=("training.gap.min", "training.gap.max"),
        figure="algorithm_order",
    ),
)


def problem(seed: int) -> tuple[net.Parameters, Array, Array]:
    rng = np.random.default_rng(seed)
    return net.init(rng, 3, 8), rng.standard_normal((32, 3)), rng.standard_normal((32, 1))


def early_gradients(
    parameters: net.Parameters, x: Array, y: Array, lr: float
) -> tuple[float, net.Parameters]:
    """Loss and gradients, with a W2 in the backward pass that has been updated already."""
    w1, b1, w2, b2 = parameters
    a1, cache1 = F.linear(x, w1, b1)
    h1, cache_h = F.tanh(a1)
    output, cache2 = F.linear(h1, w2, b2)
    value, cache_j = F.half_mse_loss(output, y)
    delta2 = F.half_mse_loss_backward(1.0, cache_j)
    _, grad_w2, grad_b2 = F.linear_backward(delta2, cache2)
    early = w2 - lr * grad_w2  # the update that comes too soon
    _, grad_w1, grad_b1 = F.linear_backward(F.tanh_backward(delta2 @ early, cache_h), cache1)
    return float(value), [grad_w1, grad_b1, grad_w2, grad_b2]


def relative_error(seed: int, lr: float) -> float:
    parameters, x, y = problem(seed)
    right = net.gradients(parameters, x, y)[1][0]
    wrong = early_gradients(parameters, x, y, lr)[1][0]
    return float(np.linalg.norm(wrong - right) / np.linalg.norm(right))


def caught(seed: int, lr: float) -> bool:
    """Whether a gradient check says no to the gradient for W1."""
    parameters, x, y = problem(seed)
    wrong = early_gradients(parameters, x, y, lr)[1][0]

    def loss(w1: Array) -> float:
        return net.loss([w1, *parameters[1:]], x, y)

    return not check_gradients(loss, {"w1": parameters[0]}, {"w1": wrong}, rtol=1e-6).ok


def loss_gap(seed: int, lr: float) -> float:
    """Largest relative difference of the losses of two runs, one in each order."""
    right, x, y = problem(seed)
    wrong, largest = net.copy(right), 0.0
    for _ in range(STEPS):
        value, grads = net.gradients(right, x, y)
        other, early = early_gradients(wrong, x, y, lr)
        largest = max(largest, abs(other - value) / value)
        right, wrong = net.descend(right, grads, lr), net.descend(wrong, early, lr)
    return largest


def run() -> dict[str, Any]:
    result: dict[str, Any] = {"seeds": SEEDS}
    errors = {k: [relative_error(s, lr) for s in range(SEEDS)] for k, lr in RATES.items()}
    result |= {key: exactly(found) for key, found in errors.items()}
    # How many times larger the error of each network gets with ten and a hundred times the rate.
    smallest = np.array(errors["lr_0_01"])
    result["tenfold"] = exactly(errors["lr_0_1"] / smallest)
    result["hundredfold"] = exactly(errors["lr_1"] / smallest)
    result["caught"] = sum(caught(seed, RATES["lr_0_01"]) for seed in range(SEEDS))
    gaps = [loss_gap(seed, RATES["lr_0_01"]) for seed in range(TRAINED)]
    result["training"] = {"seeds": TRAINED, "steps": STEPS, "gap": exactly(gaps)}
    return result


def draw(result: dict[str, Any], lang: str) -> Any:
    t = {
        "en": ("gradient, rate {}", "loss, rate 0.01", "relative difference to the right order"),
        "zh": ("梯度，学习率 {}", "损失，学习率 0.01", "与正确顺序的相对差别"),
    }[lang]
    bars = [Bar(t[0].format(f"{lr:g}"), result[k], style.BACKWARD) for k, lr in RATES.items()]
    return draw_ranges([*bars, Bar(t[1], result["training"]["gap"])], t[2])
