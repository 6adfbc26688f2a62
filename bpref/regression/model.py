"""The model: one hidden ReLU layer and a linear output."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def seeded(seed: int | None) -> Iterator[None]:
    """Run a block with PyTorch's CPU generator at `seed`, then put its old state back.

    Parameters
    ----------
    seed : int or None
        None leaves the generator as it is.

    Examples
    --------
    >>> with seeded(0):
    ...     a = torch.rand(1)
    >>> with seeded(0):
    ...     b = torch.rand(1)
    >>> bool(a == b)
    True
    """
    if seed is None:
        yield
        return
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


# --8<-- [start:MLP]
class MLP(nn.Module):
    """A perceptron with one hidden ReLU layer and a linear output.

    Parameters
    ----------
    in_features, hidden, out_features : int
        Layer widths; the default 1-10-1 is the article's network (31 parameters).
    seed : int, optional
        Seed of the initial weights. With None they come from PyTorch's global generator.

    Examples
    --------
    >>> MLP(seed=0)(torch.zeros(5, 1)).shape
    torch.Size([5, 1])
    """

    def __init__(
        self,
        in_features: int = 1,
        hidden: int = 10,
        out_features: int = 1,
        *,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        with seeded(seed):
            self.fc1 = nn.Linear(in_features, hidden)
            self.fc2 = nn.Linear(hidden, out_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map inputs (N, in_features) to predictions (N, out_features)."""
        x = self.fc1(x)
        x = nn.functional.relu(x)
        x = self.fc2(x)
        return x


# --8<-- [end:MLP]
