"""LoRA as a module."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import DTypeLike

from bpref import _check, init
from bpref import functional as F
from bpref.nn.linear import Linear
from bpref.nn.module import Module
from bpref.nn.parameter import Buffer, Parameter


# --8<-- [start:LoRALinear]
class LoRALinear(Module):
    """A frozen linear layer with a trained correction of rank r, see `F.lora_linear`.

    Parameters
    ----------
    in_features, out_features : int
        d and m, each at least 1.
    r : int
        The rank of the correction, at least 1.
    alpha : float, default 1
        The correction is scaled by alpha/r.
    bias : bool, default True
        Whether there is a b.
    generator : numpy.random.Generator, optional
        Where the initial values come from: W and b as in `Linear`, then A; unseeded without one.
    dtype : float32 or float64, default float64

    Attributes
    ----------
    lora_A : Parameter, shape (r, d)
        Uniform between −1/√d and 1/√d at first.
    lora_B : Parameter, shape (m, r)
        Zero at first, so that training starts from W.
    weight : Buffer, shape (m, d)
        W: a `state_dict` includes it, an optimizer never sees it.
    bias : Buffer, shape (m,), or None

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong kind, or a size is below 1.

    Examples
    --------
    >>> trained = Linear(3, 2)
    >>> layer = LoRALinear(3, 2, r=1)
    >>> layer.weight.data, layer.bias.data = trained.weight.data, trained.bias.data
    >>> X = np.ones((5, 3))
    >>> bool((layer(X) == trained(X)).all())
    True
    >>> [name for name, _ in layer.named_parameters()]
    ['lora_A', 'lora_B']
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        r: int,
        alpha: float = 1.0,
        bias: bool = True,
        *,
        generator: np.random.Generator | None = None,
        dtype: DTypeLike = np.float64,
    ) -> None:
        self.in_features = _check.positive_int("in_features", in_features)
        self.out_features = _check.positive_int("out_features", out_features)
        self.r = _check.positive_int("r", r)
        self.alpha = _check.real("alpha", alpha)
        rng, dtype = _check.generator(generator), _check.float_dtype(dtype)
        weight = np.empty((self.out_features, self.in_features), dtype)
        offset = np.empty(self.out_features, dtype) if bias else None
        init.linear_(weight, offset, rng)
        lora_A = np.empty((self.r, self.in_features), dtype)
        init.kaiming_uniform_(lora_A, a=math.sqrt(5), generator=rng)
        self.lora_A = Parameter(lora_A)
        self.lora_B = Parameter(np.zeros((self.out_features, self.r), dtype))
        self.weight = Buffer(weight)
        self.bias = None if offset is None else Buffer(offset)

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Return X Wᵀ + b + (alpha/r) X Aᵀ Bᵀ, shape (..., m), for X of shape (..., d)."""
        output, self._cache = F.lora_linear(
            input,
            self.weight.data,
            self.lora_A.data,
            self.lora_B.data,
            None if self.bias is None else self.bias.data,
            self.alpha,
        )
        return output

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Add to lora_A.grad and lora_B.grad; return ∂J/∂X, shape (..., d)."""
        gradients = F.lora_linear_backward(grad_output, self._take_cache())
        grad_input, grad_lora_A, grad_lora_B = gradients
        self.lora_A.accumulate(grad_lora_A)
        self.lora_B.accumulate(grad_lora_B)
        return grad_input

    def merge(self) -> Linear:
        """Return a plain linear layer with the weight W + (alpha/r) B A: nothing extra to compute.

        Returns
        -------
        Linear
            With copies; this module is left as it is.

        Examples
        --------
        >>> layer = LoRALinear(3, 2, r=1)
        >>> layer.lora_B.data = np.ones((2, 1))
        >>> X = np.ones((5, 3))
        >>> bool(np.allclose(layer.merge()(X), layer(X)))
        True
        """
        dtype = self.weight.data.dtype
        merged = Linear(self.in_features, self.out_features, self.bias is not None, dtype=dtype)
        correction = self.lora_B.data @ self.lora_A.data
        merged.weight.data = self.weight.data + self.alpha / self.r * correction
        if merged.bias is not None and self.bias is not None:
            merged.bias.data = self.bias.data
        return merged

    def __repr__(self) -> str:
        return (
            f"LoRALinear(in_features={self.in_features}, out_features={self.out_features}, "
            f"r={self.r}, alpha={self.alpha}, bias={self.bias is not None})"
        )


# --8<-- [end:LoRALinear]
