"""RMSprop: gradients divided by a moving average of their size."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from bpref import _check
from bpref.nn.parameter import Parameter
from bpref.optim.optimizer import Optimizer, State, buffer, fraction


# --8<-- [start:RMSprop]
class RMSprop(Optimizer):
    """RMSprop, as `torch.optim.RMSprop`.

    With g = ∂J/∂θ + weight_decay · θ, a step is s ← alpha · s + (1 − alpha) · g²,
    d = g / (√s + eps) and θ ← θ − lr · d; with momentum v ← momentum · v + d and θ ← θ − lr · v.
    The centered form divides by the deviation √(s − m²) instead of √s, where m is the moving
    average of g.

    Parameters
    ----------
    params : iterable of Parameter
        ``model.parameters()``.
    lr : float, default 1e-2
        The learning rate η; may be changed between steps.
    alpha : float, default 0.99
        The factor of the moving averages, from 0 to below 1.
    eps : float, default 1e-8
        Added after the square root. With eps = 0, a parameter without a gradient becomes
        0/0 = nan, as in PyTorch.
    weight_decay, momentum : float, default 0
    centered : bool, default False

    Raises
    ------
    TypeError
        If params holds something else than parameters, or a number is not one.
    ValueError
        If params is empty or holds a parameter twice, or a number is out of range.

    Notes
    -----
    Sources: T. Tieleman, G. Hinton, lecture 6.5, "rmsprop: Divide the gradient by a running
    average of its recent magnitude", COURSERA: Neural Networks for Machine Learning, 2012.
    Centered: A. Graves, "Generating Sequences With Recurrent Neural Networks", 2013,
    arXiv:1308.0850.

    Where rounding makes s − m² negative, it counts as 0; PyTorch gets nan.

    Examples
    --------
    >>> theta = Parameter(np.array([1.0, 1.0]))
    >>> theta.grad = np.array([2.0, -200.0])
    >>> RMSprop([theta], lr=0.1, alpha=0.75).step()
    >>> theta.data
    array([0.8, 1.2])
    """

    options = ("lr", "alpha", "eps", "weight_decay", "momentum", "centered")
    buffers = ("square_avg", "grad_avg", "momentum_buffer")

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ) -> None:
        super().__init__(params, lr)
        self.alpha = fraction("alpha", alpha)
        self.eps = _check.real("eps", eps, minimum=0.0)
        self.weight_decay = _check.real("weight_decay", weight_decay, minimum=0.0)
        self.momentum = _check.real("momentum", momentum, minimum=0.0)
        self.centered = bool(centered)

    def direction(self, data: np.ndarray, grad: np.ndarray, state: State) -> np.ndarray:
        if self.weight_decay:
            grad = grad + self.weight_decay * data
        square = buffer(state, "square_avg", data)
        square *= self.alpha
        square += (1 - self.alpha) * grad * grad
        if self.centered:
            mean = buffer(state, "grad_avg", data)
            mean *= self.alpha
            mean += (1 - self.alpha) * grad
            square = np.maximum(square - mean * mean, 0)
        scaled: np.ndarray = grad / (np.sqrt(square) + self.eps)
        if not self.momentum:
            return scaled
        velocity = buffer(state, "momentum_buffer", data)
        velocity *= self.momentum
        velocity += scaled
        return velocity


# --8<-- [end:RMSprop]
