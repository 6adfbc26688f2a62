"""All parameters of a PyTorch model in one vector, all gradients in another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import torch
from torch import nn

FUSED = ("sgd", "adam", "adamw", "adagrad")  # have a form that goes through memory once
FUSED_FROM = 10_000  # elements; below, it is slower than one call after the other


def flatten(model: nn.Module) -> nn.Parameter:
    """Move the parameters of a model into one vector; each becomes a view of its part.

    An update, a norm, a sum over processes is then one operation instead of one per layer.

    Parameters
    ----------
    model : nn.Module
        All parameters of one dtype, on one device.

    Returns
    -------
    nn.Parameter, shape (number of elements,)
        Its ``grad`` is the vector that the gradients of the parameters are views of.

    Examples
    --------
    >>> model = nn.Linear(2, 1)
    >>> flat = flatten(model)
    >>> with torch.no_grad():
    ...     _ = flat.fill_(7.0)
    >>> model.bias.item()
    7.0
    """
    parameters = list(model.parameters())
    data = torch.cat([parameter.detach().reshape(-1) for parameter in parameters])
    flat = nn.Parameter(data)
    flat.grad = data.new_zeros(len(data) + 1)[:-1]  # and room for what goes along with it
    start = 0
    for parameter in parameters:
        place = slice(start, start + parameter.numel())
        parameter.data = data[place].view(parameter.shape)
        parameter.grad = flat.grad[place].view(parameter.shape)
        start += parameter.numel()
    return flat


class FlatOptimizer:
    """An optimizer whose gradients stay where they are.

    Parameters
    ----------
    model : nn.Module
        Is flattened.
    make : callable
        Returns the `torch.optim.Optimizer` for a list of parameters.

    Attributes
    ----------
    flat : nn.Parameter, shape (number of elements,)
    grad : Tensor, shape (number of elements,)
    grad_and_loss : Tensor, shape (number of elements + 1,)
        The gradient and one more number: one sum over processes takes care of both.
    inner : torch.optim.Optimizer
    """

    def __init__(
        self, model: nn.Module, make: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
    ) -> None:
        self.flat = flatten(model)
        assert self.flat.grad is not None
        self.grad = self.flat.grad
        self.grad_and_loss = self.grad.as_strided((len(self.grad) + 1,), (1,))
        self.shapes = {key: parameter.shape for key, parameter in model.named_parameters()}
        self.inner = make([self.flat])
        self.param_groups = self.inner.param_groups

    def zero_grad(self) -> None:
        """Set all gradients to zero, in place: they stay views of the vector."""
        self.grad.zero_()

    def step(self) -> None:
        """Update all parameters."""
        self.inner.step()

    def clip(self, max_norm: float) -> None:
        """Scale the gradient down to this norm, as `torch.nn.utils.clip_grad_norm_`."""
        factor = max_norm / (torch.linalg.vector_norm(self.grad) + 1e-6)
        self.grad.mul_(factor.clamp_(max=1.0))

    def buffers(self) -> dict[str, np.ndarray]:
        """Return copies of what the rule remembers, as ``<buffer>.<key of the parameter>``."""
        found = {}
        for name, values in self.inner.state[self.flat].items():
            if torch.is_tensor(values) and values.shape == self.flat.shape:
                parts = values.cpu().split([shape.numel() for shape in self.shapes.values()])
                for (key, shape), part in zip(self.shapes.items(), parts, strict=True):
                    found[f"{name}.{key}"] = part.reshape(shape).numpy().copy()
        return found

    def load_buffers(self, buffers: Mapping[str, np.ndarray], steps: int) -> None:
        """Go on where `buffers` were taken after so many steps."""
        state = self.inner.state[self.flat]
        for name in dict.fromkeys(key.partition(".")[0] for key in buffers):
            joined = np.concatenate([buffers[f"{name}.{key}"].ravel() for key in self.shapes])
            state[name] = torch.from_numpy(joined).to(self.flat)
        if steps and not isinstance(self.inner, torch.optim.SGD):
            state["step"] = torch.tensor(float(steps))
