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

EPOCHS = 100


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
