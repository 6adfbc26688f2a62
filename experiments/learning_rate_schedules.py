"""Five schedules as formulas, compared with torch.optim.lr_scheduler step by step.

Step decay (factor 0.1 every 30 epochs), exponential (factor 0.95 every epoch), cosine to zero,
linear warm-up over 10 epochs followed by cosine, one cycle; peak rate 0.1, 100 epochs. Measured:
the largest difference between the formula and PyTorch's scheduler.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from matplotlib.figure import Figure
from torch.optim import lr_scheduler

from experiments._claim import Claim

WORKED = ("epochs",)
CLAIMS = (
    Claim(
        id="learning-rate-schedules-agree-with-pytorch",
        en="The five formulas give PyTorch's rates in each of "
        "{{ learning_rate_schedules.epochs }} epochs, to within $10^{-14}$.",
        zh="五个公式在 {{ learning_rate_schedules.epochs }} 轮中的每一轮都给出 PyTorch 的学习率，"
        "相差不到 $10^{-14}$。",
        criterion="all(s.difference < 1e-14 for s in (step, exponential, cosine, warmup_cosine, "
        "one_cycle))",
        covers=("*.values*", "*.difference"),
        exact="deterministic",
        figure="learning_rate_schedules",
    ),
)

BASE, EPOCHS, WARMUP = 0.1, 100, 10


def step_decay(t: int) -> float:
    return BASE * 0.1 ** (t // 30)


def cosine(t: int) -> float:
    return 0.5 * BASE * (1.0 + math.cos(math.pi * t / EPOCHS))


def exponential(t: int) -> float:
    return float(BASE * 0.95**t)


def one_cycle(t: int) -> float:
    """Up from BASE/25 along half a cosine until step s, then down to BASE/250000."""
    s, low = 0.3 * EPOCHS - 1, BASE / 25
    if t <= s:
        return low + (BASE - low) * 0.5 * (1.0 - math.cos(math.pi * t / s))
    share = (t - s) / (EPOCHS - 1 - s)
    return low / 1e4 + (BASE - low / 1e4) * 0.5 * (1.0 + math.cos(math.pi * share))


def warmup_cosine(t: int) -> float:
    if t < WARMUP:
        return BASE * (t + 1) / WARMUP
    return 0.5 * BASE * (1.0 + math.cos(math.pi * (t - WARMUP) / (EPOCHS - WARMUP)))


FORMULAS = {
    "step": step_decay,
    "exponential": exponential,
    "cosine": cosine,
    "warmup_cosine": warmup_cosine,
    "one_cycle": one_cycle,
}


def torch_rates(name: str) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=BASE)
    scheduler: lr_scheduler.LRScheduler
    if name == "exponential":
        scheduler = lr_scheduler.ExponentialLR(optimizer, gamma=0.95)
    elif name == "one_cycle":
        scheduler = lr_scheduler.OneCycleLR(
            optimizer, max_lr=BASE, total_steps=EPOCHS, cycle_momentum=False
        )
    elif name == "step":
        scheduler = lr_scheduler.StepLR(optimizer, step_size=30, gamma=0.1)
    elif name == "cosine":
        scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=EPOCHS)
    else:
        # LinearLR counts its own steps: factor (t + 1) / WARMUP for t = 0 … WARMUP - 1
        scheduler = lr_scheduler.SequentialLR(
            optimizer,
            [
                lr_scheduler.LinearLR(optimizer, start_factor=1 / WARMUP, total_iters=WARMUP - 1),
                lr_scheduler.CosineAnnealingLR(optimizer, T_max=EPOCHS - WARMUP),
            ],
            milestones=[WARMUP],
        )
    rates = []
    for _ in range(EPOCHS):
        rates.append(float(scheduler.get_last_lr()[0]))
        optimizer.step()
        scheduler.step()
    return rates


def run() -> dict[str, Any]:
    result: dict[str, Any] = {"epochs": EPOCHS}
    for name, formula in FORMULAS.items():
        values = [formula(t) for t in range(EPOCHS)]
        difference = max(abs(a - b) for a, b in zip(values, torch_rates(name), strict=True))
        result[name] = {"values": values, "difference": difference}
    return result


def draw(result: dict[str, Any], lang: str) -> Figure:
    from experiments.style import SERIES, new_figure

    names = {
        "step": {"en": "step: ×0.1 every 30 epochs", "zh": "分段：每 30 轮 ×0.1"},
        "exponential": {"en": "exponential: ×0.95", "zh": "指数：每轮 ×0.95"},
        "cosine": {"en": "cosine to zero", "zh": "余弦降到零"},
        "warmup_cosine": {"en": "warm-up, then cosine", "zh": "预热 10 轮，再余弦"},
        "one_cycle": {"en": "one cycle", "zh": "单周期"},
    }
    fig, ax = new_figure(width=6.4, height=3.2)
    for color, (key, name) in zip(SERIES, names.items(), strict=False):
        ax.plot(
            range(result["epochs"]),
            result[key]["values"],
            color=color,
            label=name[lang],
            drawstyle="steps-post",
        )
    ax.set_ylim(0, 0.152)
    ax.legend(ncols=2, loc="upper right")
    ax.set_xlabel({"en": "epoch", "zh": "轮"}[lang])
    ax.set_ylabel({"en": "learning rate", "zh": "学习率"}[lang])
    return fig
