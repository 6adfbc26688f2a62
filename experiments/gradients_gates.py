"""Gated recurrent networks over T = 200 steps: gates keep the gradient only when they are open.

Measured: ||dL/dx_1|| / ||dL/dx_T|| for L = <g, h_T> with a random g, for a tanh RNN, an LSTM
(PyTorch's default initialisation, and with a constant added to the forget-gate bias) and a GRU
(update-gate bias); width 64, input width 64, batch 8, float64, 10 seeds, at initialisation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from experiments._deep import spread

SEEDS = 10
STEPS = 200
WIDTH = 64

CELLS = {
    "rnn_tanh": (nn.RNN, 0.0),
    "lstm": (nn.LSTM, 0.0),
    "lstm_1": (nn.LSTM, 1.0),
    "lstm_3": (nn.LSTM, 3.0),
    "lstm_5": (nn.LSTM, 5.0),
    "gru": (nn.GRU, 0.0),
    "gru_3": (nn.GRU, 3.0),
    "gru_5": (nn.GRU, 5.0),
}


def gain(name: str, seed: int) -> float:
    kind, shift = CELLS[name]
    rng = np.random.default_rng(seed)
    cell = kind(WIDTH, WIDTH).double()
    with torch.no_grad():
        for parameter in cell.parameters():  # PyTorch's default, from our own generator
            bound = 1.0 / np.sqrt(WIDTH)
            parameter.copy_(torch.from_numpy(rng.uniform(-bound, bound, tuple(parameter.shape))))
        # gate order: LSTM (input, forget, cell, output); GRU (reset, update, new)
        cell.bias_ih_l0[WIDTH : 2 * WIDTH] += shift
    x = torch.from_numpy(rng.normal(size=(STEPS, 8, WIDTH))).requires_grad_()
    out, _ = cell(x)
    g = torch.from_numpy(rng.normal(size=(8, WIDTH)))
    (grad,) = torch.autograd.grad(out[-1], x, g)
    return float(grad[0].norm() / grad[-1].norm())


def run() -> dict[str, Any]:
    result: dict[str, Any] = {"seeds": SEEDS, "steps": STEPS, "width": WIDTH}
    for name, (kind, shift) in CELLS.items():
        result[name] = spread([gain(name, seed) for seed in range(SEEDS)])
        if kind is not nn.RNN:
            # a gate with pre-activation `shift` keeps sigmoid(shift) per step: the crude estimate
            result[name]["sigmoid_power"] = float((1.0 / (1.0 + np.exp(-shift))) ** (STEPS - 1))
    return result
