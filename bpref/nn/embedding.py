"""Embeddings and positional encodings as modules."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from bpref import _check, init
from bpref import functional as F
from bpref.nn.module import Module
from bpref.nn.parameter import Parameter


# --8<-- [start:Embedding]
class Embedding(Module):
    """A vector for each word or position, with `torch.nn.Embedding`'s initial values.

    Learned positions are an Embedding of ``np.arange(T)``.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        V and D, each at least 1.
    padding_idx : int, optional
        A row that is zero at first and gets no gradient; −1 is the last one.
    generator : numpy.random.Generator, optional
        Where the initial values, N(0, 1), come from; unseeded without one.
    dtype : float32 or float64, default float64
        PyTorch's default is float32.

    Attributes
    ----------
    weight : Parameter, shape (V, D)

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong kind or is out of range.

    Examples
    --------
    >>> layer = Embedding(10, 4, padding_idx=0)
    >>> layer(np.array([[1, 2, 0]])).shape
    (1, 3, 4)
    >>> layer.backward(np.ones((1, 3, 4)))
    >>> layer.weight.grad[:3, 0]
    array([0., 1., 1.])
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        *,
        generator: np.random.Generator | None = None,
        dtype: DTypeLike = np.float64,
    ) -> None:
        self.num_embeddings = _check.positive_int("num_embeddings", num_embeddings)
        self.embedding_dim = _check.positive_int("embedding_dim", embedding_dim)
        self.padding_idx = _check.padding_index(padding_idx, self.num_embeddings)
        shape = (self.num_embeddings, self.embedding_dim)
        weight = init.normal_(np.empty(shape, _check.float_dtype(dtype)), generator=generator)
        if self.padding_idx is not None:
            weight[self.padding_idx] = 0.0
        self.weight = Parameter(weight)

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Return the rows of the weight, shape (*input.shape, D), for integer indices."""
        output, self._cache = F.embedding(input, self.weight.data, self.padding_idx)
        return output

    def backward(self, grad_output: np.ndarray) -> None:
        """Add to weight.grad; return None, for indices have no gradient."""
        self.weight.accumulate(F.embedding_backward(grad_output, self._take_cache()))

    def __repr__(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"Embedding({self.num_embeddings}, {self.embedding_dim}{padding})"


# --8<-- [end:Embedding]


# --8<-- [start:PositionalEncoding]
class PositionalEncoding(Module):
    """Add sines and cosines of the position, see `bpref.functional.positional_encoding`.

    Examples
    --------
    >>> PositionalEncoding()(np.zeros((1, 2, 2))).round(2)
    array([[[0.  , 1.  ],
            [0.84, 0.54]]])
    """

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Return X + P, shape (..., T, D) as the input."""
        output, self._cache = F.positional_encoding(input)
        return output

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Return grad_output."""
        return F.positional_encoding_backward(grad_output, self._take_cache())

    def __repr__(self) -> str:
        return "PositionalEncoding()"


# --8<-- [end:PositionalEncoding]
