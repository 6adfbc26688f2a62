"""Dropout in front of batch norm: the statistics of training do not fit evaluation.

The task of `_regularized_nets` with 40 points: 6-30-1 with tanh, dropout p = 0.5 and batch norm
between the hidden layer and the output, in both orders, 300 full-batch steps of SGD with momentum
0.9, 12 seeds. ``ratio``: the running variance that training has left over the variance of the same
units without dropout, mean over the units. ``error``: test error in evaluation mode; ``again``: the
same after the statistics have been computed anew without dropout.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from experiments._claim import Claim
from experiments._many_nets import spread
from experiments._regularized_nets import D, make, paired

RTOL = 1e-3
SEEDS, STEPS, HIDDEN, RATE, P = 12, 300, 30, 0.01, 0.5
ORDERS = ("before", "behind")

WORKED = ("seeds", "steps", "p")
CLAIMS = (
    Claim(
        id="regularization-dropout-before-batch-norm",
        en="With dropout $p = 0.5$ in front of batch norm the running variance of training is "
        "{{ regularization_dropout_norm.before.ratio.mean | .2f }} times that of evaluation (at "
        "least {{ regularization_dropout_norm.before.ratio.min | .2f }} over "
        "{{ regularization_dropout_norm.seeds }} seeds). It does no harm here: with statistics "
        "computed anew the test error is "
        "{{ regularization_dropout_norm.before.again.mean | .2f }} in place of "
        "{{ regularization_dropout_norm.before.error.mean | .2f }}, with dropout behind the batch "
        "norm {{ regularization_dropout_norm.behind.error.mean | .2f }}.",
        zh="dropout（$p = 0.5$）放在批归一化之前，训练留下的滑动方差是评估时方差的 "
        "{{ regularization_dropout_norm.before.ratio.mean | .2f }} 倍"
        "（{{ regularization_dropout_norm.seeds }} 个种子中至少 "
        "{{ regularization_dropout_norm.before.ratio.min | .2f }} 倍）。这在这里并无害处：重新统计"
        "之后，测试误差为 {{ regularization_dropout_norm.before.again.mean | .2f }}，原来是 "
        "{{ regularization_dropout_norm.before.error.mean | .2f }}；dropout 放在批归一化之后则为 "
        "{{ regularization_dropout_norm.behind.error.mean | .2f }}。",
        criterion="before.ratio.min > 1.5 and behind.ratio.max < 1.1 and "
        "before.change.above > 0.6 * seeds and "
        "abs(before.error.mean - behind.error.mean) < 0.05",
        covers=("before.*", "behind.*"),
        runs="seeds",
        spread=("before.ratio.min", "before.ratio.max"),
        figure="regularization-dropout-norm",
    ),
)


def train(order: str, seed: int, data: dict[str, np.ndarray]) -> tuple[float, float, float]:
    x, y, xt, yt = (torch.from_numpy(data[k][seed]) for k in ("x", "y", "xt", "yt"))
    torch.manual_seed(seed)
    norm, drop = nn.BatchNorm1d(HIDDEN), nn.Dropout(P)
    middle = (drop, norm) if order == "before" else (norm, drop)
    model = nn.Sequential(nn.Linear(D, HIDDEN), nn.Tanh(), *middle, nn.Linear(HIDDEN, 1)).double()
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9)
    for _ in range(STEPS):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        error = nn.functional.mse_loss(model(xt), yt).item()
        trained = norm.running_var.clone()
        norm.reset_running_stats()
        norm.momentum = None  # one batch is the whole average
        norm.train()
        model(x)
        model.eval()
        again = nn.functional.mse_loss(model(xt), yt).item()
    return float((trained / norm.running_var).mean()), error, again


def run() -> dict[str, Any]:
    data = make(40, SEEDS)
    result: dict[str, Any] = {"seeds": SEEDS, "steps": STEPS, "p": P}
    for order in ORDERS:
        rows = [train(order, seed, data) for seed in range(SEEDS)]
        ratio, error, again = np.array(rows).T
        result[order] = {
            "ratio": spread(ratio),
            "error": spread(error),
            "again": spread(again),
            "change": paired(again - error),
        }
    return result


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    from experiments import style
    from experiments._dots import Dot, Panel, draw_dots

    t = {
        "en": {
            "before": "dropout, batch norm",
            "behind": "batch norm, dropout",
            "error": "{}, as trained",
            "again": "{}, computed anew",
            "label": "test error",
        },
        "zh": {
            "before": "dropout，批归一化",
            "behind": "批归一化，dropout",
            "error": "{}：训练的统计量",
            "again": "{}：重新统计",
            "label": "测试误差",
        },
    }[lang]
    dots = [
        Dot(t[kind].format(t[order]), result[order][kind], color)
        for order in ORDERS
        for kind, color in zip(("error", "again"), style.SERIES, strict=False)
    ]
    return {"regularization-dropout-norm": draw_dots([Panel(t["label"], dots, None)])}
