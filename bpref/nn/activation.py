"""The activations as modules; they have no parameters."""

from __future__ import annotations

import numpy as np

from bpref import _check
from bpref import functional as F
from bpref.fast import activation as fast
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


class ELU(Module):
    """a where a ≥ 0, alpha · (exp(a) − 1) elsewhere, see `bpref.functional.elu`.

    Parameters
    ----------
    alpha : float, default 1

    Raises
    ------
    TypeError, ValueError
        If alpha is not a finite number.

    Examples
    --------
    >>> ELU()(np.array([-100.0, 2.0]))
    array([-1.,  2.])
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = _check.real("alpha", alpha)

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Return the output, shape of the input."""
        output, self._cache = F.elu(input, self.alpha)
        return output

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Return δ where a > 0 and alpha · exp(a) · δ elsewhere."""
        return F.elu_backward(grad_output, self._take_cache())

    def __repr__(self) -> str:
        return f"ELU(alpha={self.alpha})"


class GELU(Module):
    """h = a Φ(a), see `bpref.functional.gelu`.

    Parameters
    ----------
    approximate : {"none", "tanh"}
        Whether Φ is exact or written with tanh.

    Raises
    ------
    ValueError
        If approximate is neither of them.

    Examples
    --------
    >>> GELU()(np.array([0.0, 10.0]))
    array([ 0., 10.])
    """

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = _check.gelu_form(approximate)

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Return a Φ(a), shape of the input."""
        output, self._cache = fast.gelu(input, self.approximate)
        return output

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Return δ ⊙ (Φ(a) + a Φ′(a))."""
        return fast.gelu_backward(grad_output, self._take_cache())

    def __repr__(self) -> str:
        return f"GELU(approximate={self.approximate!r})"


class SiLU(Module):
    """h = a σ(a), see `bpref.functional.silu`.

    Examples
    --------
    >>> SiLU()(np.array([0.0, 100.0]))
    array([  0., 100.])
    """

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Return a σ(a), shape of the input."""
        output, self._cache = F.silu(input)
        return output

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Return δ ⊙ (σ + a σ (1 − σ))."""
        return F.silu_backward(grad_output, self._take_cache())

    def __repr__(self) -> str:
        return "SiLU()"


class Softplus(Module):
    """h = log(1 + exp(beta · a)) / beta, see `bpref.functional.softplus`.

    Parameters
    ----------
    beta : float, default 1
        Not 0.
    threshold : float, default 20
        The output is a where beta · a is larger.

    Raises
    ------
    TypeError, ValueError
        If beta or threshold is not a finite number, or beta is 0.

    Examples
    --------
    >>> Softplus()(np.array([-100.0, 100.0])).round(9)
    array([  0., 100.])
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.beta, self.threshold = _check.softplus_options(beta, threshold)

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Return the output, shape of the input."""
        output, self._cache = fast.softplus(input, self.beta, self.threshold)
        return output

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Return δ ⊙ σ(beta · a), and δ where beta · a > threshold."""
        return fast.softplus_backward(grad_output, self._take_cache())

    def __repr__(self) -> str:
        return f"Softplus(beta={self.beta}, threshold={self.threshold})"


class Softmax(Module):
    """Positive weights with sum 1 along an axis, see `bpref.functional.softmax`.

    Parameters
    ----------
    dim : int
        The axis; −1 is the last one.

    Examples
    --------
    >>> Softmax(dim=1)(np.array([[0.0, 0.0]]))
    array([[0.5, 0.5]])
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Return the weights, shape of the input."""
        output, self._cache = F.softmax(input, self.dim)
        return output

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Return h ⊙ (δ − Σ δ ⊙ h)."""
        return F.softmax_backward(grad_output, self._take_cache())

    def __repr__(self) -> str:
        return f"Softmax(dim={self.dim})"


class LogSoftmax(Module):
    """The logarithm of `Softmax`, see `bpref.functional.log_softmax`.

    Parameters
    ----------
    dim : int
        The axis; −1 is the last one.

    Examples
    --------
    >>> LogSoftmax(dim=1)(np.array([[0.0, 10000.0]]))
    array([[-10000.,      0.]])
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Return the logarithms, shape of the input."""
        output, self._cache = F.log_softmax(input, self.dim)
        return output

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Return δ − h Σ δ."""
        return F.log_softmax_backward(grad_output, self._take_cache())

    def __repr__(self) -> str:
        return f"LogSoftmax(dim={self.dim})"
