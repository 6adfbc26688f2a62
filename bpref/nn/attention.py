"""Attention with several heads as a module."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from bpref import _check, init
from bpref.fast import attention as fast
from bpref.nn.linear import Linear
from bpref.nn.module import Module
from bpref.nn.parameter import Parameter

Array = np.ndarray


# --8<-- [start:MultiheadAttention]
class MultiheadAttention(Module):
    """Attention with H heads, see `bpref.functional.multi_head_attention`.

    Of its bool masks True means "left out", as in `torch.nn.MultiheadAttention`: the opposite of
    `bpref.functional.scaled_dot_product_attention`.

    Parameters
    ----------
    embed_dim, num_heads : int
        D and H, a divisor of D.
    dropout : float, default 0
        The probability that an attention weight becomes zero in training.
    bias : bool, default True
        Whether the projections have a bias.
    batch_first : bool, default False
        True for inputs (N, L, D), False for (L, N, D).
    generator : numpy.random.Generator, optional
        Where the initial values and dropout's random numbers come from; unseeded without one.
    dtype : float32 or float64, default float64
        PyTorch's default is float32.

    Attributes
    ----------
    in_proj_weight : Parameter, shape (3 D, D)
        The weights for query, key and value, one below the other.
    in_proj_bias : Parameter, shape (3 D,), or None
    out_proj : Linear

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong kind, is out of range, or H does not divide D.

    Notes
    -----
    PyTorch's options for keys and values of other sizes, for added biases and zeros, and its hint
    ``is_causal`` are left out.

    Examples
    --------
    >>> layer = MultiheadAttention(4, num_heads=2, batch_first=True)
    >>> X = np.ones((1, 3, 4))
    >>> output, weights = layer(X, X, X)
    >>> output.shape, weights.round(2)
    ((1, 3, 4), array([[[0.33, 0.33, 0.33],
            [0.33, 0.33, 0.33],
            [0.33, 0.33, 0.33]]]))
    >>> grad_query, grad_key, grad_value = layer.backward(np.ones((1, 3, 4)))
    >>> grad_input = grad_query + grad_key + grad_value  # they were all X
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        *,
        batch_first: bool = False,
        generator: np.random.Generator | None = None,
        dtype: DTypeLike = np.float64,
    ) -> None:
        self.embed_dim = _check.positive_int("embed_dim", embed_dim)
        self.num_heads = _check.divides("num_heads", num_heads, self.embed_dim, "features")
        self.dropout = _check.fraction("dropout", dropout)
        self.batch_first = bool(batch_first)
        self.generator = _check.generator(generator)
        dtype = _check.float_dtype(dtype)
        weight = np.empty((3 * self.embed_dim, self.embed_dim), dtype)
        self.in_proj_weight = Parameter(init.xavier_uniform_(weight, generator=self.generator))
        self.in_proj_bias = Parameter(np.zeros(3 * self.embed_dim, dtype)) if bias else None
        self.out_proj = Linear(
            self.embed_dim, self.embed_dim, bias, generator=self.generator, dtype=dtype
        )
        if self.out_proj.bias is not None:
            init.zeros_(self.out_proj.bias.data)

    def forward(
        self,
        query: Array,
        key: Array,
        value: Array,
        key_padding_mask: Array | None = None,
        need_weights: bool = True,
        attn_mask: Array | None = None,
        average_attn_weights: bool = True,
    ) -> tuple[Array, Array | None]:
        """Return the output and, to look at, the weights.

        Parameters
        ----------
        query : ndarray, shape (L, N, D), or (N, L, D) with batch_first
            The batch.
        key, value : ndarray, shape (S, N, D), or (N, S, D) with batch_first
            What is attended to.
        key_padding_mask : ndarray, shape (N, S), bool or dtype of query, optional
            True leaves a place of the key out; a float mask is added.
        need_weights : bool, default True
            Whether to return the weights.
        attn_mask : ndarray, shape (L, S) or (N H, L, S), bool or dtype of query, optional
            True leaves a place out for one query; a float mask is added.
        average_attn_weights : bool, default True
            Whether to average the weights over the heads.

        Returns
        -------
        output : ndarray, shape of query
        weights : ndarray, shape (N, L, S), (N, H, L, S) without averaging, or None
            After dropout. They get no gradient.
        """
        query, key, value = _check.floats(query=query, key=key, value=value)
        bias, out_bias = self.in_proj_bias, self.out_proj.bias
        output, self._cache = fast.multi_head_attention(
            self._swap(query),
            self._swap(key),
            self._swap(value),
            self.in_proj_weight.data,
            None if bias is None else bias.data,
            self.out_proj.weight.data,
            None if out_bias is None else out_bias.data,
            self.num_heads,
            key_padding_mask,
            attn_mask,
            self.dropout if self.training else 0.0,
            self.generator,
        )
        weights = fast.attention_weights(self._cache) if need_weights else None
        if weights is not None and average_attn_weights:
            weights = weights.mean(axis=1)
        return self._swap(output), weights

    def backward(self, grad_output: Array) -> tuple[Array, Array, Array]:
        """Add to the gradients of the parameters; return those for query, key and value.

        In self-attention the gradient of the one input is the sum of the three.
        """
        (grad_output,) = _check.floats(grad_output=grad_output)
        gradients = fast.multi_head_attention_backward(self._swap(grad_output), self._take_cache())
        grad_query, grad_key, grad_value, *rest = gradients
        parameters = (
            self.in_proj_weight,
            self.in_proj_bias,
            self.out_proj.weight,
            self.out_proj.bias,
        )
        for parameter, gradient in zip(parameters, rest, strict=True):
            if parameter is not None:
                parameter.accumulate(gradient)
        return self._swap(grad_query), self._swap(grad_key), self._swap(grad_value)

    def _swap(self, array: Array) -> Array:
        """Turn (L, N, D) into (N, L, D) and back, unless the batch is first anyway."""
        return array if self.batch_first or array.ndim < 2 else array.swapaxes(0, 1)

    def __repr__(self) -> str:
        return f"MultiheadAttention(embed_dim={self.embed_dim}, num_heads={self.num_heads})"


# --8<-- [end:MultiheadAttention]
