"""Adam and AdamW: momentum, divided by a moving average of the gradient's size."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from bpref import _check
from bpref.nn.parameter import Parameter
from bpref.optim.optimizer import Optimizer, State, buffer, fraction


# --8<-- [start:Adam]
class Adam(Optimizer):
    """Adam, as `torch.optim.Adam`; weight decay is a part of the gradient here.

    With g = ∂J/∂θ + weight_decay · θ, step t is m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g²
    and θ ← θ − lr · m̂ / (√v̂ + eps), with m̂ = m / (1 − β₁ᵗ) and v̂ = v / (1 − β₂ᵗ), because m and
    v start at zero. AMSGrad divides by the largest v so far.

    Parameters
    ----------
    params : iterable of Parameter
        ``model.parameters()``.
    lr : float, default 1e-3
        The learning rate η; may be changed between steps.
    betas : pair of float, default (0.9, 0.999)
        β₁ and β₂, from 0 to below 1.
    eps : float, default 1e-8
        With eps = 0, a parameter that never had a gradient becomes 0/0 = nan, as in PyTorch.
    weight_decay : float, default 0
    amsgrad : bool, default False

    Raises
    ------
    TypeError
        If params holds something else than parameters, or a number is not one.
    ValueError
        If params is empty or holds a parameter twice, or a number is out of range.

    Notes
    -----
    Sources: D. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015,
    arXiv:1412.6980, algorithm 1. AMSGrad: S. Reddi, S. Kale, S. Kumar, "On the Convergence of
    Adam and Beyond", ICLR 2018, arXiv:1904.09237.

    Examples
    --------
    >>> theta = Parameter(np.array([1.0, 1.0]))
    >>> theta.grad = np.array([2.0, -200.0])
    >>> Adam([theta], lr=0.1).step()
    >>> theta.data
    array([0.9, 1.1])
    """

    options = ("lr", "betas", "eps", "weight_decay", "amsgrad")
    buffers = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float = 1e-3,
        betas: Sequence[float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(params, lr)
        if not isinstance(betas, (tuple, list)):
            raise TypeError(f"betas: expected a pair of numbers, got {type(betas).__name__}")
        if len(betas) != 2:
            raise ValueError(f"betas: expected a pair of numbers, got {len(betas)}")
        self.betas = fraction("betas[0]", betas[0]), fraction("betas[1]", betas[1])
        self.eps = _check.real("eps", eps, minimum=0.0)
        self.weight_decay = _check.real("weight_decay", weight_decay, minimum=0.0)
        self.amsgrad = bool(amsgrad)

    def direction(self, data: np.ndarray, grad: np.ndarray, state: State) -> np.ndarray:
        if self.weight_decay:
            grad = grad + self.weight_decay * data
        return self._adaptive(data, grad, state)

    def _adaptive(self, data: np.ndarray, grad: np.ndarray, state: State) -> np.ndarray:
        beta1, beta2 = self.betas
        m, v = buffer(state, "exp_avg", data), buffer(state, "exp_avg_sq", data)
        m *= beta1
        m += (1 - beta1) * grad
        v *= beta2
        v += (1 - beta2) * grad * grad
        if self.amsgrad:
            largest = buffer(state, "max_exp_avg_sq", data)
            v = np.maximum(largest, v, out=largest)
        deviation = np.sqrt(v) / math.sqrt(1 - beta2**self.steps)
        return m / (1 - beta1**self.steps) / (deviation + self.eps)


# --8<-- [end:Adam]


# --8<-- [start:AdamW]
class AdamW(Adam):
    """AdamW, as `torch.optim.AdamW`: Adam whose weight decay does not pass through m and v.

    θ ← θ − lr · (m̂ / (√v̂ + eps) + weight_decay · θ), with m̂ and v̂ of ∂J/∂θ alone.

    Parameters
    ----------
    params : iterable of Parameter
        ``model.parameters()``.
    lr : float, default 1e-3
        The learning rate η; may be changed between steps.
    betas : pair of float, default (0.9, 0.999)
        β₁ and β₂, from 0 to below 1.
    eps : float, default 1e-8
    weight_decay : float, default 1e-2
    amsgrad : bool, default False

    Raises
    ------
    TypeError, ValueError
        As `Adam`.

    Notes
    -----
    Source: I. Loshchilov, F. Hutter, "Decoupled Weight Decay Regularization", ICLR 2019,
    arXiv:1711.05101, algorithm 2, in PyTorch's form, where lr multiplies the decay, too.

    Examples
    --------
    >>> theta = Parameter(np.array([1.0, 1.0]))
    >>> AdamW([theta], lr=0.1, weight_decay=0.5).step()
    >>> theta.data
    array([0.95, 0.95])
    """

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float = 1e-3,
        betas: Sequence[float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad)

    def direction(self, data: np.ndarray, grad: np.ndarray, state: State) -> np.ndarray:
        return self._adaptive(data, grad, state) + self.weight_decay * data


# --8<-- [end:AdamW]
