"""Modules made of modules."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from bpref.nn.activation import (
    ELU,
    GELU,
    Identity,
    LeakyReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from bpref.nn.linear import Linear
from bpref.nn.module import Module
from bpref.nn.parameter import flatten

ACTIVATIONS: dict[str, type[Module]] = {
    "identity": Identity,
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "elu": ELU,
    "gelu": GELU,
    "silu": SiLU,
    "softplus": Softplus,
}


# --8<-- [start:Sequential]
class Sequential(Module):
    """Modules applied one after the other; backward visits them in reverse.

    All parameters are moved into one flat vector of values and one of gradients.

    Parameters
    ----------
    *modules : Module
        Each object only once: a module remembers one forward pass.

    Raises
    ------
    TypeError
        If an argument is not a Module.
    ValueError
        If a module object is used at two places.

    Examples
    --------
    >>> net = Sequential(Linear(2, 3), ReLU(), Linear(3, 1))
    >>> list(net.state_dict())
    ['0.weight', '0.bias', '2.weight', '2.bias']
    >>> net.flat_vectors()[0].shape
    (13,)
    """

    def __init__(self, *modules: Module) -> None:
        for index, module in enumerate(modules):
            if not isinstance(module, Module):
                came = type(module).__name__
                raise TypeError(f"modules[{index}]: expected a bpref.nn.Module, got {came}")
        self.modules = modules
        places = list(self._modules())
        if len({id(module) for module in places}) < len(places):
            raise ValueError("modules: expected each module object once, got one of them twice")
        flatten(self.parameters())

    def __setattr__(self, name: str, value: Any) -> None:
        # A list could be changed later without anyone noticing.
        super().__setattr__(name, tuple(value) if name == "modules" else value)

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Return the output of the last module."""
        for module in self.modules:
            input = module.forward(input)
        return input

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Send the gradient from the last module to the first; return ∂J/∂input."""
        for module in reversed(self.modules):
            grad_output = module.backward(grad_output)
        return grad_output

    def __len__(self) -> int:
        return len(self.modules)

    def __getitem__(self, index: int) -> Module:
        return self.modules[index]

    def __repr__(self) -> str:
        lines = (f"  ({name}): {module!r}" for name, module in self._members())
        return "\n".join([f"{type(self).__name__}(", *lines, ")"])

    def _members(self) -> Iterator[tuple[str, Any]]:
        for index, module in enumerate(self.modules):
            yield str(index), module


# --8<-- [end:Sequential]


# --8<-- [start:MLP]
class MLP(Sequential):
    """A multilayer perceptron: Linear, activation, Linear, …, with a linear output layer.

    Its keys are those of ``torch.nn.Sequential(Linear, ReLU, Linear, …)``.

    Parameters
    ----------
    sizes : sequence of int
        [d, H, …, m]: at least the input and the output size.
    activation : str, default "relu"
        "relu", "tanh", "sigmoid", "leaky_relu", "elu", "gelu", "silu", "softplus" or "identity".
    generator : numpy.random.Generator, optional
        Where the initial values come from; unseeded without one.
    dtype : float32 or float64, default float64

    Raises
    ------
    TypeError, ValueError
        If a size is not a positive int, there are fewer than two, or the activation is unknown.

    Examples
    --------
    >>> MLP([1, 10, 1])
    MLP(
      (0): Linear(in_features=1, out_features=10, bias=True)
      (1): ReLU()
      (2): Linear(in_features=10, out_features=1, bias=True)
    )
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str = "relu",
        *,
        generator: np.random.Generator | None = None,
        dtype: DTypeLike = np.float64,
    ) -> None:
        if not isinstance(sizes, Iterable) or isinstance(sizes, str):
            raise TypeError(f"sizes: expected a sequence of int, got {type(sizes).__name__}")
        sizes = list(sizes)
        if len(sizes) < 2:
            raise ValueError(f"sizes: expected at least [d, m], got {sizes}")
        known = tuple(ACTIVATIONS)
        if activation not in known:
            raise ValueError(f"activation: expected one of {known}, got {activation!r}")
        modules: list[Module] = []
        for d, m in itertools.pairwise(sizes):
            modules += [Linear(d, m, generator=generator, dtype=dtype), ACTIVATIONS[activation]()]
        super().__init__(*modules[:-1])


# --8<-- [end:MLP]
