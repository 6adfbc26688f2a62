"""Dropout as a module."""

from __future__ import annotations

import numpy as np

from bpref import _check
from bpref import functional as F
from bpref.nn.module import Module


# --8<-- [start:Dropout]
class Dropout(Module):
    """Random zeros in training, nothing in evaluation, see `bpref.functional.dropout`.

    Parameters
    ----------
    p : float, default 0.5
        The probability of a zero, from 0 to 1.
    generator : numpy.random.Generator, optional
        Where the random numbers come from, a new mask for each forward pass; unseeded without
        one.

    Raises
    ------
    TypeError, ValueError
        If p is not a number from 0 to 1, or generator is no Generator.

    Examples
    --------
    >>> layer = Dropout(0.2, generator=np.random.default_rng(0))
    >>> np.unique(layer(np.ones(1000)))
    array([0.  , 1.25])
    >>> layer.eval()(np.ones(2))
    array([1., 1.])
    """

    def __init__(self, p: float = 0.5, *, generator: np.random.Generator | None = None) -> None:
        self.p = _check.fraction("p", p)
        self.generator = _check.generator(generator)

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Return the input with zeros and the factor 1/(1 − p), or as it is in evaluation."""
        output, self._cache = F.dropout(input, self.p, self.training, self.generator)
        return output

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Return ∂J/∂x: the gradient with the same zeros and the same factor."""
        return F.dropout_backward(grad_output, self._take_cache())

    def __repr__(self) -> str:
        return f"Dropout(p={self.p}, inplace=False)"


# --8<-- [end:Dropout]
