"""Four schedules as formulas, compared with torch.optim.lr_scheduler step by step.

Constant, step decay (factor 0.1 every 30 epochs), cosine to zero, linear warm-up over 10 epochs
followed by cosine; base rate 0.1, 100 epochs. Measured: the largest difference between the formula
and PyTorch's scheduler.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from matplotlib.figure import Figure
from torch.optim import lr_scheduler

BASE, EPOCHS, WARMUP = 0.1, 100, 10


def constant(t: int) -> float:
    return BASE


def step_decay(t: int) -> float:
    return BASE * 0.1 ** (t // 30)


def cosine(t: int) -> float:
    return 0.5 * BASE * (1.0 + math.cos(math.pi * t / EPOCHS))


def warmup_cosine(t: int) -> float:
    if t < WARMUP:
        return BASE * (t + 1) / WARMUP
    return 0.5 * BASE * (1.0 + math.cos(math.pi * (t - WARMUP) / (EPOCHS - WARMUP)))


FORMULAS = {
    "constant": constant,
    "step": step_decay,
    "cosine": cosine,
    "warmup_cosine": warmup_cosine,
}


def torch_rates(name: str) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=BASE)
    scheduler: lr_scheduler.LRScheduler
    if name == "constant":
        scheduler = lr_scheduler.ConstantLR(optimizer, factor=1.0)
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
        assert difference < 1e-14
        result[name] = {"values": values, "difference": difference}
    return result


def draw(result: dict[str, Any], lang: str) -> Figure:
    from experiments.style import SERIES, new_figure

    names = {
        "constant": {"en": "constant", "zh": "恒定"},
        "step": {"en": "step: ×0.1 every 30 epochs", "zh": "分段：每 30 轮 ×0.1"},
        "cosine": {"en": "cosine to zero", "zh": "余弦降到零"},
        "warmup_cosine": {"en": "warm-up (10 epochs), then cosine", "zh": "预热 10 轮，再余弦"},
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
    ax.set_ylim(0, 0.142)
    ax.legend(ncols=2, loc="upper right")
    ax.set_xlabel({"en": "epoch", "zh": "轮"}[lang])
    ax.set_ylabel({"en": "learning rate", "zh": "学习率"}[lang])
    return fig
