"""A classifier of sequences: embedding, long short-term memory, linear layer."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from bpref import _check
from bpref.nn.embedding import Embedding
from bpref.nn.linear import Linear
from bpref.nn.module import Module
from bpref.nn.parameter import flatten
from bpref.nn.recurrent import LSTM


# --8<-- [start:LSTMClassifier]
class LSTMClassifier(Module):
    """The class of a sequence of tokens, from the state after its last valid token.

    Parameters
    ----------
    num_embeddings, embedding_dim, hidden_size, num_classes : int
        V, D, H and C, each at least 1.
    num_layers : int, default 1
        Of the `LSTM`.
    padding_idx : int, optional
        A token whose vector is zero and gets no gradient, see `Embedding`.
    dropout : float, default 0.0
        Between the layers of the `LSTM`.
    generator : numpy.random.Generator, optional
        Where the initial values and dropout come from; unseeded without one.
    dtype : float32 or float64, default float64
        PyTorch's default is float32.

    Attributes
    ----------
    embedding : Embedding
    lstm : LSTM
    linear : Linear

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong kind or is out of range.

    Examples
    --------
    >>> net = LSTMClassifier(10, 4, 8, 3, generator=np.random.default_rng(0))
    >>> tokens, lengths = np.array([[1, 5, 2], [7, 0, 0]]), np.array([3, 1])
    >>> net(tokens, lengths).shape
    (2, 3)
    >>> net.backward(np.ones((2, 3)))
    >>> net.linear.bias.grad
    array([2., 2., 2.])
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        hidden_size: int,
        num_classes: int,
        num_layers: int = 1,
        padding_idx: int | None = None,
        dropout: float = 0.0,
        *,
        generator: np.random.Generator | None = None,
        dtype: DTypeLike = np.float64,
    ) -> None:
        num_classes = _check.positive_int("num_classes", num_classes)
        rng = _check.generator(generator)
        self.embedding = Embedding(
            num_embeddings, embedding_dim, padding_idx, generator=rng, dtype=dtype
        )
        self.lstm = LSTM(
            embedding_dim,
            hidden_size,
            num_layers,
            batch_first=True,
            dropout=dropout,
            generator=rng,
            dtype=dtype,
        )
        self.linear = Linear(hidden_size, num_classes, generator=rng, dtype=dtype)
        flatten(self.parameters())

    def forward(self, input: np.ndarray, lengths: np.ndarray | None = None) -> np.ndarray:
        """Return the logits, shape (N, C), for tokens of shape (N, T) and lengths from 1 to T."""
        input = _check.array("input", input)
        _check.shape("input", input, ("N", "T"))
        _, (h_n, _) = self.lstm(self.embedding(input), lengths=lengths)
        self._cache = h_n
        return self.linear(h_n[-1])

    def backward(self, grad_output: np.ndarray) -> None:
        """Add to the gradients of all parameters; tokens have none."""
        h_n = self._take_cache()
        grad_h_n = np.zeros_like(h_n)
        grad_h_n[-1] = self.linear.backward(grad_output)
        grad_embedded, _ = self.lstm.backward(None, (grad_h_n, None))
        self.embedding.backward(grad_embedded)


# --8<-- [end:LSTMClassifier]
