"""Adagrad: a learning rate for each parameter, from all its gradients so far."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from bpref import _check
from bpref.nn.parameter import Parameter
from bpref.optim.optimizer import Optimizer, State, buffer


# --8<-- [start:Adagrad]
class Adagrad(Optimizer):
    """Adagrad, as `torch.optim.Adagrad`: parameters with large gradients so far move less.

    With g = ∂J/∂θ + weight_decay · θ, step t is s ← s + g² and
    θ ← θ − lr / (1 + (t − 1) · lr_decay) · g / (√s + eps).

    Parameters
    ----------
    params : iterable of Parameter
        ``model.parameters()``.
    lr : float, default 1e-2
        The learning rate η; may be changed between steps.
    lr_decay, weight_decay : float, default 0
    initial_accumulator_value : float, default 0
        What s starts with.
    eps : float, default 1e-10
        With eps = 0, a parameter that never had a gradient becomes 0/0 = nan, as in PyTorch.

    Raises
    ------
    TypeError
        If params holds something else than parameters, or a number is not one.
    ValueError
        If params is empty or holds a parameter twice, or a number is negative.

    Notes
    -----
    Source: J. Duchi, E. Hazan, Y. Singer, "Adaptive Subgradient Methods for Online Learning and
    Stochastic Optimization", JMLR 12:2121–2159, 2011; the diagonal form.

    Examples
    --------
    >>> theta = Parameter(np.array([1.0, 1.0]))
    >>> theta.grad = np.array([2.0, 200.0])
    >>> Adagrad([theta], lr=0.1).step()
    >>> theta.data
    array([0.9, 0.9])
    """

    options = ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")
    buffers = ("sum",)

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
    ) -> None:
        super().__init__(params, lr)
        self.lr_decay = _check.real("lr_decay", lr_decay, minimum=0.0)
        self.weight_decay = _check.real("weight_decay", weight_decay, minimum=0.0)
        self.initial_accumulator_value = _check.real(
            "initial_accumulator_value", initial_accumulator_value, minimum=0.0
        )
        self.eps = _check.real("eps", eps, minimum=0.0)

    def direction(self, data: np.ndarray, grad: np.ndarray, state: State) -> np.ndarray:
        if self.weight_decay:
            grad = grad + self.weight_decay * data
        total = buffer(state, "sum", data, self.initial_accumulator_value)
        total += grad * grad
        return grad / (np.sqrt(total) + self.eps) / (1 + (self.steps - 1) * self.lr_decay)


# --8<-- [end:Adagrad]
