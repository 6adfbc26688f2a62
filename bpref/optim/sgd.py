"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from bpref import _check
from bpref.nn.parameter import Parameter
from bpref.optim.optimizer import Optimizer, State, buffer


# --8<-- [start:SGD]
class SGD(Optimizer):
    """Stochastic gradient descent with momentum, as `torch.optim.SGD`.

    With g = ∂J/∂θ + weight_decay · θ, a step is v ← momentum · v + (1 − dampening) · g (in the
    first step v ← g) and θ ← θ − lr · v; with Nesterov's momentum θ ← θ − lr · (g + momentum · v).

    Parameters
    ----------
    params : iterable of Parameter
        ``model.parameters()``.
    lr : float, default 1e-3
        The learning rate η; may be changed between steps.
    momentum, dampening, weight_decay : float, default 0
    nesterov : bool, default False
        Needs momentum > 0 and dampening = 0.

    Raises
    ------
    TypeError
        If params holds something else than parameters, or a number is not one.
    ValueError
        If params is empty or holds a parameter twice, a number is out of range, or nesterov
        comes without momentum.

    Notes
    -----
    Source: I. Sutskever, J. Martens, G. Dahl, G. Hinton, "On the importance of initialization
    and momentum in deep learning", ICML 2013, PMLR 28(3):1139–1147, in PyTorch's form, where lr
    multiplies v instead of g.

    Examples
    --------
    >>> theta = Parameter(np.array([1.0]))
    >>> optimizer = SGD([theta], lr=0.1)
    >>> theta.grad = np.array([2.0])
    >>> optimizer.step()
    >>> theta.data
    array([0.8])
    """

    options = ("lr", "momentum", "dampening", "weight_decay", "nesterov")
    buffers = ("momentum_buffer",)

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(params, lr)
        self.momentum = _check.real("momentum", momentum, minimum=0.0)
        self.dampening = _check.real("dampening", dampening)
        self.weight_decay = _check.real("weight_decay", weight_decay, minimum=0.0)
        self.nesterov = bool(nesterov)
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            raise ValueError(
                "nesterov: expected momentum > 0 and dampening = 0, "
                f"got momentum {self.momentum} and dampening {self.dampening}"
            )

    def direction(self, data: np.ndarray, grad: np.ndarray, state: State) -> np.ndarray:
        if self.weight_decay:
            grad = grad + self.weight_decay * data
        if not self.momentum:
            return grad
        first = "momentum_buffer" not in state
        velocity = buffer(state, "momentum_buffer", data)
        velocity *= self.momentum
        velocity += grad if first else (1 - self.dampening) * grad
        return grad + self.momentum * velocity if self.nesterov else velocity


# --8<-- [end:SGD]
