"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from bpref import _check
from bpref.nn.parameter import Parameter, flat_vectors


# --8<-- [start:SGD]
class SGD:
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

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        self.params = _check_parameters(params)
        self.lr = _check.real("lr", lr, minimum=0.0)
        self.momentum = _check.real("momentum", momentum, minimum=0.0)
        self.dampening = _check.real("dampening", dampening)
        self.weight_decay = _check.real("weight_decay", weight_decay, minimum=0.0)
        self.nesterov = bool(nesterov)
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            raise ValueError(
                "nesterov: expected momentum > 0 and dampening = 0, "
                f"got momentum {self.momentum} and dampening {self.dampening}"
            )
        self._velocity: list[np.ndarray] = []

    def step(self) -> None:
        """Change every parameter once, in place."""
        first = not self._velocity
        if first:
            self._velocity = _zeros_like(self.params)
        flat = flat_vectors(self.params)
        if flat is not None:  # all parameters at once
            self._update(*flat, self._velocity[-1], first)
        else:
            for p, velocity in zip(self.params, self._velocity, strict=False):
                self._update(p.data, p.grad, velocity, first)

    def _update(
        self, data: np.ndarray, grad: np.ndarray, velocity: np.ndarray, first: bool
    ) -> None:
        if self.weight_decay:
            grad = grad + self.weight_decay * data
        if self.momentum:
            velocity *= self.momentum
            velocity += grad if first else (1 - self.dampening) * grad
            grad = grad + self.momentum * velocity if self.nesterov else velocity
        data -= self.lr * grad

    def zero_grad(self) -> None:
        """Set every gradient to zero."""
        flat = flat_vectors(self.params)
        if flat is not None:
            flat[1].fill(0.0)
            return
        for p in self.params:
            p.zero_grad()


# --8<-- [end:SGD]


def _zeros_like(params: list[Parameter]) -> list[np.ndarray]:
    """Return an array per parameter and, last, the one vector that they are views of."""
    if len({p.dtype for p in params}) > 1:
        return [np.zeros_like(p.data) for p in params]
    vector = np.zeros(sum(p.size for p in params), params[0].dtype)
    views, start = [], 0
    for p in params:
        views.append(vector[start : start + p.size].reshape(p.shape))
        start += p.size
    return [*views, vector]


def _check_parameters(params: Iterable[Parameter]) -> list[Parameter]:
    hint = "; pass model.parameters()"
    if not isinstance(params, Iterable):
        came = type(params).__name__
        raise TypeError(f"params: expected an iterable of parameters, got {came}{hint}")
    result = list(params)
    for index, p in enumerate(result):
        if not isinstance(p, Parameter):
            came = type(p).__name__
            raise TypeError(f"params[{index}]: expected a bpref.nn.Parameter, got {came}{hint}")
    if not result:
        raise ValueError("params: expected at least one parameter, got none")
    if len({id(p) for p in result}) < len(result):
        raise ValueError("params: expected each parameter once, got one of them twice")
    return result
