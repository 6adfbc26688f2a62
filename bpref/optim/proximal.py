"""The proximal gradient method for an L1 penalty: weights become exactly zero."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from bpref import _check
from bpref.nn.parameter import Parameter
from bpref.optim.optimizer import Optimizer, State


# --8<-- [start:ProximalL1]
class ProximalL1(Optimizer):
    """Minimise J(θ) + l1 · Σ|θ|: a gradient step for J, then soft thresholding.

    z = θ − lr · ∂J/∂θ and θ ← sign(z) · max(|z| − lr · l1, 0): what lies within ± lr · l1 becomes
    exactly zero, the rest moves towards zero. With the penalty's gradient l1 · sign(θ) in place
    of the second half, weights would jump over zero and back. PyTorch has no such optimizer.

    Parameters
    ----------
    params : iterable of Parameter
        The weights to be made sparse; biases usually go to another optimizer.
    lr : float, default 1e-3
        The learning rate η; may be changed between steps.
    l1 : float
        The factor λ of the penalty.

    Raises
    ------
    TypeError
        If params holds something else than parameters, or a number is not one.
    ValueError
        If params is empty or holds a parameter twice, or a number is negative.

    Notes
    -----
    Source: N. Parikh, S. Boyd, "Proximal Algorithms", Foundations and Trends in Optimization
    1(3):127–239, 2014, DOI 10.1561/2400000003: the proximal gradient method and soft
    thresholding.

    Examples
    --------
    >>> theta = Parameter(np.array([1.0, -0.05]))
    >>> ProximalL1([theta], lr=0.1, l1=1.0).step()
    >>> theta.data
    array([0.9, 0. ])
    """

    options = ("lr", "l1")

    def __init__(self, params: Iterable[Parameter], lr: float = 1e-3, *, l1: float) -> None:
        super().__init__(params, lr)
        self.l1 = _check.real("l1", l1, minimum=0.0)

    def direction(self, data: np.ndarray, grad: np.ndarray, state: State) -> np.ndarray:
        return grad

    def step(self) -> None:
        """Change every parameter once, in place."""
        super().step()
        threshold = self.lr * self.l1
        for data, *_ in self._blocks():
            data -= np.clip(data, -threshold, threshold)


# --8<-- [end:ProximalL1]
