"""The training of section 5.2 in NumPy with bpref and in PyTorch: the same trajectory.

Same data, same initial weights, same batches (seed 0), 100 epochs of SGD 0.01, float64. Measured:
the largest difference of any weight after any of the 400 steps, and of the loss of any batch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn as torch_nn

import bpref.functional as F
from bpref import nn, optim
from bpref.regression import MLP, RegressionDataset, make_data, make_loaders
from experiments._claim import Claim

EPOCHS = 100

WORKED = ("steps",)

CLAIMS = (
    Claim(
        "regression-parity-rounding",
        "Trained from the same weights on the same batches in float64, no weight of the NumPy "
        "network and of the PyTorch network differs by more than "
        "${{ regression_parity.largest_weight_difference | sci }}$ after any of "
        "{{ regression_parity.steps }} steps.",
        "从相同的权重出发，用相同的批量，都用 float64，在 {{ regression_parity.steps }} 步中的任何"
        "一步之后，NumPy 网络与 PyTorch 网络的任何一个权重都相差不超过 "
        "${{ regression_parity.largest_weight_difference | sci }}$。",
        "largest_weight_difference < 1e-13 and largest_loss_difference < 1e-13 and steps == 400",
        ("largest_*",),
        exact="deterministic",
    ),
)


def run() -> dict[str, Any]:
    data = make_data(seed=0)
    dtype = torch.float64
    train_dataset = RegressionDataset(*data[:2], dtype=dtype)
    loader, _ = make_loaders(train_dataset, RegressionDataset(*data[2:], dtype=dtype), seed=0)

    theirs = MLP(seed=0).double()
    theirs_optimizer = torch.optim.SGD(theirs.parameters(), lr=0.01)
    criterion = torch_nn.MSELoss()

    ours = nn.MLP([1, 10, 1])
    values = [p.detach().numpy() for p in theirs.parameters()]
    ours.load_state_dict(dict(zip(ours.state_dict(), values, strict=True)))
    ours_optimizer = optim.SGD(ours.parameters(), lr=0.01)

    steps, largest_weight, largest_loss = 0, 0.0, 0.0
    for _ in range(EPOCHS):
        for x, y in loader:
            theirs_optimizer.zero_grad()
            theirs_loss = criterion(theirs(x), y)
            theirs_loss.backward()
            theirs_optimizer.step()

            ours_optimizer.zero_grad()
            ours_loss, cache = F.mse_loss(ours(x.numpy()), y.numpy())
            ours.backward(F.mse_loss_backward(1.0, cache))
            ours_optimizer.step()

            steps += 1
            largest_loss = max(largest_loss, abs(float(ours_loss) - theirs_loss.item()))
            for mine, their in zip(ours.state_dict().values(), theirs.parameters(), strict=True):
                gap = float(np.abs(mine - their.detach().numpy()).max())
                largest_weight = max(largest_weight, gap)
    return {
        "steps": steps,
        "largest_weight_difference": largest_weight,
        "largest_loss_difference": largest_loss,
    }
