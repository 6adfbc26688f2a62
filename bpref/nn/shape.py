"""What joins convolutions and linear layers."""

from __future__ import annotations

import math

import numpy as np

from bpref import _check
from bpref.nn.module import Module


# --8<-- [start:Flatten]
class Flatten(Module):
    """Make one axis of several: images (N, C, H, W) become rows (N, C · H · W).

    Parameters
    ----------
    start_dim : int, default 1
        The first of these axes.
    end_dim : int, default -1
        The last of them; −1 is the last axis.

    Raises
    ------
    TypeError, ValueError
        In `forward`, if an argument is not an int, or there is no such axis.

    Examples
    --------
    >>> Flatten()(np.ones((5, 3, 2, 4))).shape
    (5, 24)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Return the input in its new shape, as a view where that is possible."""
        (input,) = _check.floats(input=input)
        start = _check.axis("start_dim", self.start_dim, input.ndim)
        end = _check.axis("end_dim", self.end_dim, input.ndim)
        if start > end:
            raise ValueError(f"start_dim: expected an axis up to end_dim {end}, got {start}")
        shape = input.shape
        output = input.reshape(*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :])
        self._cache = (shape, output.shape, input.dtype)
        return output

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Return ∂J/∂X: the same gradients in the shape of the input."""
        input_shape, output_shape, dtype = self._take_cache()
        return _check.grad_output(grad_output, output_shape, dtype).reshape(input_shape)

    def __repr__(self) -> str:
        return f"Flatten(start_dim={self.start_dim}, end_dim={self.end_dim})"


# --8<-- [end:Flatten]
