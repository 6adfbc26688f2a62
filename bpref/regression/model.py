"""The model: hidden layers with an activation, and a linear output."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Final

import numpy as np
import torch
from torch import nn

from bpref.regression.dropout import Masks

ACTIVATIONS: Final[dict[str, Callable[[], nn.Module]]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "gelu": nn.GELU,
    "leaky_relu": nn.LeakyReLU,
    "identity": nn.Identity,
}


# --8<-- [start:MLP]
class MLP(nn.Sequential):
    """A multilayer perceptron: Linear, activation, Linear, …, with a linear output layer.

    Its state_dict has the keys and shapes of `bpref.nn.MLP`; weights move both ways.

    Parameters
    ----------
    in_features : int
    hidden_sizes : iterable of int
        Units of the hidden layers; () is a linear model. The default is the article's 1-10-1
        network (31 parameters).
    out_features : int
    activation : str
        "relu", "tanh", "sigmoid", "gelu", "leaky_relu" or "identity", after each hidden layer.
    dropout : float
        Share of the hidden units that are set to 0 in training, in [0, 1).
    seed : int, optional
        The initial weights are those of ``bpref.nn.MLP(generator=np.random.default_rng(seed))``.
        With None they come from PyTorch's global generator; the distribution is the same.
    dtype : torch.dtype

    Raises
    ------
    ValueError
        If a size is below 1, the activation is unknown or `dropout` out of range.

    Examples
    --------
    >>> model = MLP(seed=0)
    >>> model(torch.zeros(5, 1)).shape
    torch.Size([5, 1])
    >>> list(model.state_dict())
    ['0.weight', '0.bias', '2.weight', '2.bias']
    """

    def __init__(
        self,
        in_features: int = 1,
        hidden_sizes: Iterable[int] = (10,),
        out_features: int = 1,
        *,
        activation: str = "relu",
        dropout: float = 0.0,
        seed: int | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        sizes = [in_features, *hidden_sizes, out_features]
        if min(sizes) < 1:
            raise ValueError(f"sizes must be at least 1, got {sizes}")
        if activation not in ACTIVATIONS:
            known = ", ".join(ACTIVATIONS)
            raise ValueError(f"activation must be one of {known}, got {activation!r}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, got {dropout}")
        super().__init__()
        # With a seed, what `nn.Linear` draws is not used; it is not missing from the generator.
        with torch.random.fork_rng(devices=[], enabled=seed is not None):
            for d, m in pairwise(sizes[:-1]):
                self.append(nn.Linear(d, m, dtype=dtype))
                nonlinear = ACTIVATIONS[activation]()
                # Both in one place: the next layer keeps its number, the weights their keys.
                self.append(nn.Sequential(nonlinear, Dropout(dropout)) if dropout else nonlinear)
            self.append(nn.Linear(sizes[-2], sizes[-1], dtype=dtype))
        self.sizes, self.activation, self.dropout = tuple(sizes), activation, dropout
        if seed is not None:
            self.load_state_dict(
                {key: torch.from_numpy(value) for key, value in initial(sizes, seed).items()}
            )

    def set_masks(self, masks: Masks) -> None:
        """Take the dropout masks from there instead of PyTorch's generator."""
        layers = [module for module in self.modules() if isinstance(module, Dropout)]
        for number, layer in enumerate(layers):
            layer.masks, layer.number = masks, number


# --8<-- [end:MLP]


def initial(sizes: Iterable[int], seed: int) -> dict[str, np.ndarray]:
    """Return the initial weights of every backend: uniform within ± 1/√d of each layer."""
    from bpref import nn as numpy_nn

    return numpy_nn.MLP(list(sizes), generator=np.random.default_rng(seed)).state_dict()


class Dropout(nn.Dropout):
    """Dropout whose masks may come from `Masks`."""

    masks: Masks | None = None
    number: int = 0

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return the input with zeros and the factor 1/(1 − p), or as it is in evaluation."""
        if not self.training or self.masks is None:
            return super().forward(input)
        return input * self.masks.take_like(self.number, input)
