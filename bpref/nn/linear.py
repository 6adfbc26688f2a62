"""The linear and the bilinear layer as modules."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import DTypeLike

from bpref import _check, init
from bpref import functional as F
from bpref.nn.module import Module
from bpref.nn.parameter import Parameter


# --8<-- [start:Linear]
class Linear(Module):
    """Y = X Wᵀ + b, with `torch.nn.Linear`'s layout and initial values.

    Parameters
    ----------
    in_features, out_features : int
        d and m, each at least 1.
    bias : bool, default True
        Whether there is a b.
    generator : numpy.random.Generator, optional
        Where the initial values come from (`init.linear_`); unseeded without one.
    dtype : float32 or float64, default float64
        PyTorch's default is float32.

    Attributes
    ----------
    weight : Parameter, shape (m, d)
    bias : Parameter, shape (m,), or None

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong kind, or a size is below 1.

    Examples
    --------
    >>> layer = Linear(3, 2, generator=np.random.default_rng(0))
    >>> layer(np.ones((5, 3))).shape
    (5, 2)
    >>> layer.backward(np.ones((5, 2))).shape
    (5, 3)
    >>> layer.bias.grad
    array([5., 5.])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        generator: np.random.Generator | None = None,
        dtype: DTypeLike = np.float64,
    ) -> None:
        self.in_features = _check.positive_int("in_features", in_features)
        self.out_features = _check.positive_int("out_features", out_features)
        weight = np.empty((self.out_features, self.in_features), _check.float_dtype(dtype))
        offset = np.empty(self.out_features, weight.dtype) if bias else None
        init.linear_(weight, offset, generator)
        self.weight = Parameter(weight)
        self.bias = None if offset is None else Parameter(offset)

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Return X Wᵀ + b, shape (..., m), for X of shape (..., d)."""
        bias = None if self.bias is None else self.bias.data
        output, self._cache = F.linear(input, self.weight.data, bias)
        return output

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Add to weight.grad and bias.grad; return ∂J/∂X, shape (..., d)."""
        gradients = F.linear_backward(grad_output, self._take_cache())
        grad_input, grad_weight, grad_bias = gradients
        self.weight.accumulate(grad_weight)
        if self.bias is not None and grad_bias is not None:
            self.bias.accumulate(grad_bias)
        return grad_input

    def __repr__(self) -> str:
        bias = self.bias is not None
        return (
            f"Linear(in_features={self.in_features}, out_features={self.out_features}, bias={bias})"
        )


# --8<-- [end:Linear]


# --8<-- [start:Bilinear]
class Bilinear(Module):
    """y_k = Σ_ij x_i W_kij z_j + b_k, with `torch.nn.Bilinear`'s layout and initial values.

    Parameters
    ----------
    in1_features, in2_features, out_features : int
        d, e and m, each at least 1.
    bias : bool, default True
        Whether there is a b.
    generator : numpy.random.Generator, optional
        Where the initial values come from; unseeded without one.
    dtype : float32 or float64, default float64
        PyTorch's default is float32.

    Attributes
    ----------
    weight : Parameter, shape (m, d, e)
        Initially uniform between −1/√d and 1/√d, as is the bias.
    bias : Parameter, shape (m,), or None

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong kind, or a size is below 1.

    Examples
    --------
    >>> layer = Bilinear(3, 4, 2, generator=np.random.default_rng(0))
    >>> layer(np.ones((5, 3)), np.ones((5, 4))).shape
    (5, 2)
    >>> grad_input1, grad_input2 = layer.backward(np.ones((5, 2)))
    >>> grad_input1.shape, grad_input2.shape, layer.bias.grad
    ((5, 3), (5, 4), array([5., 5.]))
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        *,
        generator: np.random.Generator | None = None,
        dtype: DTypeLike = np.float64,
    ) -> None:
        self.in1_features = _check.positive_int("in1_features", in1_features)
        self.in2_features = _check.positive_int("in2_features", in2_features)
        self.out_features = _check.positive_int("out_features", out_features)
        rng, dtype = _check.generator(generator), _check.float_dtype(dtype)
        bound = 1 / math.sqrt(self.in1_features)
        weight = np.empty((self.out_features, self.in1_features, self.in2_features), dtype)
        self.weight = Parameter(init.uniform_(weight, -bound, bound, rng))
        self.bias = None
        if bias:
            offset = np.empty(self.out_features, dtype)
            self.bias = Parameter(init.uniform_(offset, -bound, bound, rng))

    def forward(self, input1: np.ndarray, input2: np.ndarray) -> np.ndarray:
        """Return Y, shape (..., m), for X of shape (..., d) and Z of shape (..., e)."""
        bias = None if self.bias is None else self.bias.data
        output, self._cache = F.bilinear(input1, input2, self.weight.data, bias)
        return output

    def backward(self, grad_output: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Add to weight.grad and bias.grad; return ∂J/∂X and ∂J/∂Z."""
        gradients = F.bilinear_backward(grad_output, self._take_cache())
        grad_input1, grad_input2, grad_weight, grad_bias = gradients
        self.weight.accumulate(grad_weight)
        if self.bias is not None and grad_bias is not None:
            self.bias.accumulate(grad_bias)
        return grad_input1, grad_input2

    def __repr__(self) -> str:
        return (
            f"Bilinear(in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None})"
        )


# --8<-- [end:Bilinear]
