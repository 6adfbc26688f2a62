"""The activations as modules; they have no parameters."""

from __future__ import annotations

import numpy as np

from bpref import _check
from bpref import functional as F
from bpref.nn.module import Module


class Identity(Module):
    """h = a, see `bpref.functional.identity`.

    Examples
    --------
    >>> Identity()(np.array([-1.0, 2.0]))
    array([-1.,  2.])
    """

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Return the input."""
        output, self._cache = F.identity(input)
        return output

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Return grad_output."""
        return F.identity_backward(grad_output, self._take_cache())

    def __repr__(self) -> str:
        return "Identity()"


class Sigmoid(Module):
    """h = σ(a), see `bpref.functional.sigmoid`.

    Examples
    --------
    >>> Sigmoid()(np.array([0.0]))
    array([0.5])
    """

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Return σ(a), shape of the input."""
        output, self._cache = F.sigmoid(input)
        return output

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Return δ ⊙ h (1 − h)."""
        return F.sigmoid_backward(grad_output, self._take_cache())

    def __repr__(self) -> str:
        return "Sigmoid()"


class Tanh(Module):
    """h = tanh(a), see `bpref.functional.tanh`.

    Examples
    --------
    >>> Tanh()(np.array([0.0]))
    array([0.])
    """

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Return tanh(a), shape of the input."""
        output, self._cache = F.tanh(input)
        return output

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Return δ ⊙ (1 − h²)."""
        return F.tanh_backward(grad_output, self._take_cache())

    def __repr__(self) -> str:
        return "Tanh()"


# --8<-- [start:ReLU]
class ReLU(Module):
    """h = max(a, 0), see `bpref.functional.relu`.

    Examples
    --------
    >>> ReLU()(np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Return max(a, 0), shape of the input."""
        output, self._cache = F.relu(input)
        return output

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Return δ where a > 0 and 0 elsewhere."""
        return F.relu_backward(grad_output, self._take_cache())

    def __repr__(self) -> str:
        return "ReLU()"


# --8<-- [end:ReLU]


class LeakyReLU(Module):
    """a where a > 0, negative_slope · a elsewhere, see `bpref.functional.leaky_relu`.

    Parameters
    ----------
    negative_slope : float, default 0.01

    Raises
    ------
    TypeError, ValueError
        If negative_slope is not a finite number.

    Examples
    --------
    >>> LeakyReLU(0.1)(np.array([-1.0, 2.0]))
    array([-0.1,  2. ])
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = _check.real("negative_slope", negative_slope)

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Return the output, shape of the input."""
        output, self._cache = F.leaky_relu(input, self.negative_slope)
        return output

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Return δ where a > 0 and negative_slope · δ elsewhere."""
        return F.leaky_relu_backward(grad_output, self._take_cache())

    def __repr__(self) -> str:
        return f"LeakyReLU(negative_slope={self.negative_slope})"
