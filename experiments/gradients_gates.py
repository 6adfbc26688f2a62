"""Gated recurrent networks over T = 200 steps: gates keep the gradient only when they are open.

Measured: ||dJ/dx_t|| / ||dJ/dx_T|| for J = <g, h_T> with a random g, for a tanh RNN, an LSTM
(PyTorch's default initialisation, and with a constant added to the forget-gate bias, ln T among
them) and a GRU (update-gate bias); width 64, input width 64, batch 4, float64, 10 seeds, at
initialisation. ``curves``: powers of ten for every 20th step counted from the last one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn

from experiments._claim import Claim
from experiments._deep import spread

SEEDS = 10
STEPS = 200
WIDTH = 64
EVERY = 20

CELLS = {
    "rnn_tanh": (nn.RNN, 0.0),
    "lstm": (nn.LSTM, 0.0),
    "lstm_1": (nn.LSTM, 1.0),
    "lstm_3": (nn.LSTM, 3.0),
    "lstm_5": (nn.LSTM, 5.0),
    "lstm_ln": (nn.LSTM, float(np.log(STEPS))),
    "gru": (nn.GRU, 0.0),
    "gru_3": (nn.GRU, 3.0),
    "gru_5": (nn.GRU, 5.0),
}

WORKED = ("steps", "width", "seeds", "*.sigmoid_power", "back*")
CLAIMS = (
    Claim(
        id="gradients-gates-closed-by-default",
        en="Over {{ gradients_gates.steps }} steps a tanh RNN keeps "
        "${{ gradients_gates.rnn_tanh.median | sci }}$ of the gradient, an LSTM with PyTorch's "
        "default bias ${{ gradients_gates.lstm.median | sci }}$, a GRU "
        "${{ gradients_gates.gru.median | sci }}$; no seed of the three reaches $10^{-30}$. Forget "
        "bias +1 gives ${{ gradients_gates.lstm_1.median | sci }}$.",
        zh="{{ gradients_gates.steps }} 步之后，tanh RNN 留下 "
        "${{ gradients_gates.rnn_tanh.median | sci }}$ 的梯度，PyTorch 默认偏置的 LSTM 留下 "
        "${{ gradients_gates.lstm.median | sci }}$，GRU 留下 "
        "${{ gradients_gates.gru.median | sci }}$；"
        "三者都没有一个种子达到 $10^{-30}$。遗忘门偏置 +1 时为 "
        "${{ gradients_gates.lstm_1.median | sci }}$。",
        criterion="max(rnn_tanh.max, lstm.max, gru.max) < 1e-30 and lstm_1.max < 1e-10",
        covers=("rnn_tanh.*", "lstm.*", "lstm_1.*", "gru.*"),
        runs="seeds",
        spread=("lstm.min", "lstm.max"),
        figure="gradients_gates",
    ),
    Claim(
        id="gradients-gates-open-keep-it",
        en="With open gates the gradient arrives: forget bias +3 keeps "
        "{{ gradients_gates.lstm_3.median | .2f }} (least {{ gradients_gates.lstm_3.min | .3f }}), "
        "$\\ln T$ keeps {{ gradients_gates.lstm_ln.median | .1f }} "
        "({{ gradients_gates.lstm_ln.min | .1f }} to {{ gradients_gates.lstm_ln.max | .1f }}), a "
        "GRU "
        "with update bias +5 {{ gradients_gates.gru_5.median | .2f }} "
        "({{ gradients_gates.gru_5.min | .2f }} to {{ gradients_gates.gru_5.max | .2f }}).",
        zh="门打开时，梯度就能到达：遗忘门偏置 +3 留下 {{ gradients_gates.lstm_3.median | .2f }}"
        "（最小 {{ gradients_gates.lstm_3.min | .3f }}），偏置 $\\ln T$ 留下 "
        "{{ gradients_gates.lstm_ln.median | .1f }}（{{ gradients_gates.lstm_ln.min | .1f }} 到 "
        "{{ gradients_gates.lstm_ln.max | .1f }}），更新门偏置 +5 的 GRU 留下 "
        "{{ gradients_gates.gru_5.median | .2f }}（{{ gradients_gates.gru_5.min | .2f }} 到 "
        "{{ gradients_gates.gru_5.max | .2f }}）。",
        criterion="min(lstm_3.min, lstm_5.min, lstm_ln.min, gru_5.min) > 0.01 and "
        "max(lstm_3.max, lstm_5.max, lstm_ln.max, gru_5.max) < 100",
        covers=("lstm_3.*", "lstm_5.*", "lstm_ln.*", "gru_3.*", "gru_5.*"),
        runs="seeds",
        spread=("lstm_ln.min", "lstm_ln.max"),
        figure="gradients_gates",
    ),
)


def gains(name: str, seed: int) -> np.ndarray:
    """||dJ/dx_t|| / ||dJ/dx_T|| for T - t = 0, 20, …, and for t = 1."""
    kind, shift = CELLS[name]
    rng = np.random.default_rng(seed)
    cell = kind(WIDTH, WIDTH).double()
    with torch.no_grad():
        for parameter in cell.parameters():  # PyTorch's default, from our own generator
            bound = 1.0 / np.sqrt(WIDTH)
            parameter.copy_(torch.from_numpy(rng.uniform(-bound, bound, tuple(parameter.shape))))
        # gate order: LSTM (input, forget, cell, output); GRU (reset, update, new)
        cell.bias_ih_l0[WIDTH : 2 * WIDTH] += shift
    x = torch.from_numpy(rng.normal(size=(STEPS, 4, WIDTH))).requires_grad_()
    out, _ = cell(x)
    g = torch.from_numpy(rng.normal(size=(4, WIDTH)))
    (grad,) = torch.autograd.grad(out[-1], x, g)
    norms = grad.flatten(1).norm(dim=1).numpy()[::-1]
    out: np.ndarray = norms[[*range(0, STEPS, EVERY), STEPS - 1]] / norms[0]
    return out


def run() -> dict[str, Any]:
    result: dict[str, Any] = {"seeds": SEEDS, "steps": STEPS, "width": WIDTH}
    result["back"] = [*range(0, STEPS, EVERY), STEPS - 1]
    curves = result["curves"] = {}
    for name, (kind, shift) in CELLS.items():
        table = np.array([gains(name, seed) for seed in range(SEEDS)])
        result[name] = spread(table[:, -1])
        logs = np.log10(table)
        curves[name] = {
            "median": np.median(logs, axis=0).tolist(),
            "min": logs.min(axis=0).tolist(),
            "max": logs.max(axis=0).tolist(),
        }
        if kind is not nn.RNN:
            # a gate with pre-activation `shift` keeps sigmoid(shift) per step: the crude estimate
            result[name]["sigmoid_power"] = float((1.0 / (1.0 + np.exp(-shift))) ** (STEPS - 1))
    return result


def draw(result: dict[str, Any], lang: str) -> Figure:
    from experiments.style import INK, SERIES, new_figure

    bias = {"en": ", bias", "zh": "，偏置"}[lang]
    names = {
        "lstm_ln": f"LSTM{bias} +ln T",
        "lstm_3": f"LSTM{bias} +3",
        "gru_5": f"GRU{bias} +5",
        "lstm_1": f"LSTM{bias} +1",
        "lstm": "LSTM",
        "rnn_tanh": "tanh RNN",
    }
    fig, ax = new_figure(6.8, 4.2)
    back = result["back"]
    for (name, label), color in zip(names.items(), SERIES, strict=False):
        curve = result["curves"][name]
        ax.fill_between(back, curve["min"], curve["max"], color=color, alpha=0.25, linewidth=0)
        ax.plot(back, curve["median"], color=color, marker="o", markersize=3)
        shift = {"lstm_ln": 3.0, "gru_5": -4.0}.get(name, 0.0)
        y = curve["median"][-1] + shift
        ax.text(back[-1] + 4, y, label, color=color, va="center", fontsize=9)
    ax.hlines(0.0, 0, back[-1], color=INK, linewidth=0.8)
    ax.set_xlim(0, 260)
    ax.set_xticks(range(0, STEPS + 1, 50))
    ax.set_xlabel({"en": "steps back from the end", "zh": "从末尾往回数的步数"}[lang])
    ax.set_ylabel({"en": "log10 of the gradient gain", "zh": "梯度增益的 log10"}[lang])
    return fig
