"""The hand-written backward pass on PyTorch tensors.

The rules are those of `bpref.functional`, one line each. Autograd builds a graph in every forward
pass and walks through it in every backward pass; for a small network that costs several times
the arithmetic. Here the order of the layers is all the graph there is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import torch
from torch import Tensor, nn

from bpref.regression.dropout import Masks
from bpref.regression.flat import FlatOptimizer
from bpref.regression.model import MLP

# a ↦ h, and (∂J/∂h, a, h) ↦ ∂J/∂a
Rule: TypeAlias = tuple[Callable[[Tensor], Tensor], Callable[[Tensor, Tensor, Tensor], Tensor]]


def _gelu_slope(a: Tensor) -> Tensor:
    """Φ(a) + a φ(a)."""
    return torch.special.ndtr(a) + a * torch.exp(a * a * -0.5) / math.sqrt(2 * math.pi)


RULES: Final[dict[str, Rule]] = {
    "relu": (torch.relu, lambda delta, a, h: delta * h.sign()),
    "tanh": (torch.tanh, lambda delta, a, h: delta * (1 - h * h)),
    "sigmoid": (torch.sigmoid, lambda delta, a, h: delta * (h - h * h)),
    "gelu": (nn.functional.gelu, lambda delta, a, h: delta * _gelu_slope(a)),
    "leaky_relu": (
        nn.functional.leaky_relu,
        lambda delta, a, h: torch.where(a > 0, delta, 0.01 * delta),
    ),
    "identity": (lambda a: a, lambda delta, a, h: delta),
}


class ByHand:
    """A perceptron that keeps what its backward pass needs.

    Parameters
    ----------
    model : MLP
        Its weights are used and its gradients written where they are.
    masks : Masks, optional
        Needed where the model has dropout.

    Attributes
    ----------
    adds : bool
        Whether `backward` adds to the gradients; otherwise it writes them anew.
    """

    def __init__(self, model: MLP, masks: Masks | None = None) -> None:
        self.model, self.masks = model, masks
        self.activate, self.slope = RULES[model.activation]
        linears = [layer for layer in model if isinstance(layer, nn.Linear)]
        self.layers = [(layer.weight.data, layer.bias.data) for layer in linears]
        self.grads: list[Any] = [(layer.weight.grad, layer.bias.grad) for layer in linears]
        self.training, self.adds = True, False
        self._cache: list[Any] = []

    def train(self) -> None:
        """Use dropout."""
        self.training = True

    def eval(self) -> None:
        """Leave dropout out."""
        self.training = False

    def __call__(self, x: Tensor) -> Tensor:
        """Return the outputs, shape (n, m), for inputs of shape (n, d)."""
        self._cache = []
        *hidden, (weight, bias) = self.layers
        for number, (W, b) in enumerate(hidden):
            a = torch.addmm(b, x, W.t())
            h = self.activate(a)
            factor = self._mask(number, h)
            self._cache.append((x, a, h, factor))
            x = h if factor is None else h * factor
        self._cache.append((x,))
        return torch.addmm(bias, x, weight.t())

    def backward(self, delta: Tensor) -> None:
        """Write the gradients, given δ = ∂J/∂a of the last layer, shape (n, m)."""
        for number in reversed(range(len(self.layers))):
            x = self._cache[number][0]
            grad_weight, grad_bias = self.grads[number]
            if self.adds:
                grad_weight.addmm_(delta.t(), x)
                grad_bias.add_(delta.sum(0))
            else:
                torch.mm(delta.t(), x, out=grad_weight)
                torch.sum(delta, 0, out=grad_bias)
            if number:
                _, a, h, factor = self._cache[number - 1]
                grad_h = torch.mm(delta, self.layers[number][0])
                delta = self.slope(grad_h if factor is None else grad_h * factor, a, h)
        self.adds = True

    def _mask(self, number: int, h: Tensor) -> Tensor | None:
        if self.masks is None or not self.training:
            return None
        return self.masks.take_like(number, h)


class HandLoss:
    """The loss of `loss.Criterion` with its gradient for the prediction.

    Parameters
    ----------
    network : ByHand
        What `backward` goes on with.
    kind : {"mse", "mae", "huber"}
    delta : float, default 1.0
    """

    def __init__(self, network: ByHand, kind: str = "mse", delta: float = 1.0) -> None:
        self.network, self.kind, self.delta = network, kind, delta
        self._sum = self._slope = torch.empty(0)
        self._count, self._factor = 1.0, 1.0

    def __call__(
        self,
        prediction: Tensor,
        y: Tensor,
        weight: Tensor | None = None,
        total: float | None = None,
    ) -> HandLoss:
        """Compute the loss; the prediction is the network's last."""
        error = prediction - y
        if total is None:
            total = len(y) if weight is None else float(weight.sum())
        self._count, self._factor = (total or 1.0) * y.shape[1], 1.0
        if self.kind == "mse":
            slope, self._factor = error, 2.0
        elif self.kind == "mae":
            slope = error.sign()
        else:
            slope = error.clamp(-self.delta, self.delta)
            error = error - 0.5 * slope
        if weight is not None:
            slope = slope * weight[:, None]
        self._sum, self._slope = torch.dot(slope.view(-1), error.view(-1)), slope
        return self

    def item(self) -> float:
        """Return the loss."""
        return self._sum.item() / self._count

    def backward(self) -> None:
        """Write all gradients."""
        self.network.backward(self._slope * (self._factor / self._count))


class HandOptimizer(FlatOptimizer):
    """An optimizer whose gradients a `ByHand` writes; it flattens the model before."""

    network: ByHand

    def zero_grad(self) -> None:
        """Let the next backward pass write the gradients anew."""
        self.network.adds = False
