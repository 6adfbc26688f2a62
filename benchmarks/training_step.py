"""One training step (forward, loss, backward, SGD) with bpref and with eager PyTorch.

Both run in turn in one process, one thread each, so that the ratio does not depend on what
else the machine does. Before timing, both must give the same gradients.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

import bpref.functional as F
from bpref import nn, optim

SIZES = {
    "1-10-1, batch 32 (the article's model)": ([1, 10, 1], 32),
    "784-128-10, batch 128": ([784, 128, 10], 128),
    "784-1024-1024-10, batch 256": ([784, 1024, 1024, 10], 256),
}
ROUNDS = 9


def contenders(sizes: list[int], batch: int) -> tuple[Callable[[], None], Callable[[], None]]:
    """A step of bpref and a step of PyTorch on the same data and the same weights."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch, sizes[0])).astype(np.float32)
    y = rng.normal(size=(batch, sizes[-1])).astype(np.float32)

    ours = nn.MLP(sizes, activation="relu", generator=rng, dtype=np.float32)
    sgd = optim.SGD(ours.parameters(), lr=1e-3)

    layers: list[torch.nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        layers += [torch.nn.Linear(fan_in, fan_out), torch.nn.ReLU()]
    theirs = torch.nn.Sequential(*layers[:-1])
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in ours.state_dict().items()})
    torch_sgd = torch.optim.SGD(theirs.parameters(), lr=1e-3)
    criterion = torch.nn.MSELoss()
    tx, ty = torch.from_numpy(x), torch.from_numpy(y)

    def numpy_gradients() -> None:
        sgd.zero_grad()
        _, cache = F.mse_loss(ours(x), y)
        ours.backward(F.mse_loss_backward(1.0, cache))

    def torch_gradients() -> None:
        torch_sgd.zero_grad()
        criterion(theirs(tx), ty).backward()

    numpy_gradients()
    torch_gradients()
    for mine, yours in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert yours.grad is not None
        np.testing.assert_allclose(mine.grad, yours.grad.numpy(), rtol=1e-3, atol=1e-5)

    def numpy_step() -> None:
        numpy_gradients()
        sgd.step()

    def torch_step() -> None:
        torch_gradients()
        torch_sgd.step()

    return numpy_step, torch_step


def seconds(step: Callable[[], None], repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        step()
    return (time.perf_counter() - start) / repeats


def main() -> None:
    torch.set_num_threads(1)
    for name, (sizes, batch) in SIZES.items():
        numpy_step, torch_step = contenders(sizes, batch)
        repeats = max(3, int(0.2 / seconds(torch_step, 3)))
        ratios = [
            seconds(torch_step, repeats) / seconds(numpy_step, repeats) for _ in range(ROUNDS)
        ]
        low, median, high = statistics.quantiles(ratios, n=4)
        print(f"{name}: bpref {median:.2f} [{low:.2f}–{high:.2f}] times as fast as eager PyTorch")


if __name__ == "__main__":
    main()
