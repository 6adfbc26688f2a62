"""The residual block, and the encoder layer of a Transformer made of the modules before."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from bpref import _check
from bpref.nn.activation import GELU, ReLU
from bpref.nn.attention import MultiheadAttention
from bpref.nn.dropout import Dropout
from bpref.nn.linear import Linear
from bpref.nn.module import Module
from bpref.nn.norm import LayerNorm

Array = np.ndarray

ACTIVATIONS: dict[str, type[Module]] = {"relu": ReLU, "gelu": GELU}


# --8<-- [start:Residual]
class Residual(Module):
    """Y = X + f(X): the gradient reaches X directly too, whatever f does to it.

    Parameters
    ----------
    module : Module
        f; its output has the shape of its input.

    Raises
    ------
    TypeError
        If it is not a Module.

    Notes
    -----
    Source: K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition",
    CVPR 2016, arXiv:1512.03385.

    Examples
    --------
    >>> block = Residual(ReLU())
    >>> block(np.array([-1.0, 2.0]))
    array([-1.,  4.])
    >>> block.backward(np.array([1.0, 1.0]))
    array([1., 2.])
    """

    def __init__(self, module: Module) -> None:
        if not isinstance(module, Module):
            raise TypeError(f"module: expected a bpref.nn.Module, got {type(module).__name__}")
        self.module = module

    def forward(self, input: Array) -> Array:
        """Return X + f(X), shape of the input."""
        output = self.module(input)
        if np.shape(output) != np.shape(input):
            raise ValueError(
                f"module: expected an output of the shape of the input, {np.shape(input)}, "
                f"got {np.shape(output)}"
            )
        return input + output

    def backward(self, grad_output: Array) -> Array:
        """Add to the gradients of f; return ∂J/∂X, shape of the input."""
        return grad_output + self.module.backward(grad_output)

    def __repr__(self) -> str:
        return f"Residual({self.module!r})"


# --8<-- [end:Residual]


# --8<-- [start:TransformerEncoderLayer]
class TransformerEncoderLayer(Module):
    """Attention, then two linear layers for each place, both with a residual and a layer norm.

    With norm_first=False, as in the paper, x = norm1(x + attention(x)), x = norm2(x + feed(x));
    with norm_first=True, which trains more easily when there are many layers,
    x = x + attention(norm1(x)), x = x + feed(norm2(x)).

    Parameters
    ----------
    d_model, nhead : int
        D and the number of heads, a divisor of D.
    dim_feedforward : int, default 2048
        The features between the two linear layers.
    dropout : float, default 0.1
        The probability of a zero: among the attention weights, behind the activation and before
        both sums.
    activation : {"relu", "gelu"}
        Between the two linear layers.
    layer_norm_eps : float, default 1e-5
        eps of both layer norms.
    batch_first : bool, default False
        True for inputs (N, T, D), False for (T, N, D).
    norm_first : bool, default False
        Where the layer norms are.
    bias : bool, default True
        Whether linear layers, attention and layer norms have a bias.
    generator : numpy.random.Generator, optional
        Where the initial values and dropout's random numbers come from; unseeded without one.
    dtype : float32 or float64, default float64
        PyTorch's default is float32.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong kind or is out of range.

    Notes
    -----
    PyTorch's hint ``is_causal`` is left out; pass the mask.

    Source: A. Vaswani et al., "Attention Is All You Need", NeurIPS 2017, arXiv:1706.03762,
    section 3.1.

    Examples
    --------
    >>> layer = TransformerEncoderLayer(4, nhead=2, dim_feedforward=8, batch_first=True)
    >>> layer(np.ones((1, 3, 4))).shape
    (1, 3, 4)
    >>> layer.backward(np.ones((1, 3, 4))).shape
    (1, 3, 4)
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        generator: np.random.Generator | None = None,
        dtype: DTypeLike = np.float64,
    ) -> None:
        d_model = _check.positive_int("d_model", d_model)
        nhead = _check.divides("nhead", nhead, d_model, "features")
        hidden = _check.positive_int("dim_feedforward", dim_feedforward)
        dropout = _check.fraction("dropout", dropout)
        eps = _check.positive("layer_norm_eps", layer_norm_eps)
        if activation not in ACTIVATIONS:
            known = tuple(ACTIVATIONS)
            raise ValueError(f"activation: expected one of {known}, got {activation!r}")
        rng = _check.generator(generator)
        self.self_attn = MultiheadAttention(
            d_model, nhead, dropout, bias, batch_first=batch_first, generator=rng, dtype=dtype
        )
        self.linear1 = Linear(d_model, hidden, bias, generator=rng, dtype=dtype)
        self.dropout = Dropout(dropout, generator=rng)
        self.linear2 = Linear(hidden, d_model, bias, generator=rng, dtype=dtype)
        self.norm_first = bool(norm_first)
        self.norm1 = LayerNorm(d_model, eps, bias=bias, dtype=dtype)
        self.norm2 = LayerNorm(d_model, eps, bias=bias, dtype=dtype)
        self.dropout1 = Dropout(dropout, generator=rng)
        self.dropout2 = Dropout(dropout, generator=rng)
        self.activation = ACTIVATIONS[activation]()

    def forward(
        self, src: Array, src_mask: Array | None = None, src_key_padding_mask: Array | None = None
    ) -> Array:
        """Return the sequence after attention and the two linear layers.

        Parameters
        ----------
        src : ndarray, shape (T, N, D), or (N, T, D) with batch_first
            The batch of sequences.
        src_mask : ndarray, shape (T, T) or (N nhead, T, T), bool or dtype of src, optional
            True leaves a place out for one query; a float mask is added.
        src_key_padding_mask : ndarray, shape (N, T), bool or dtype of src, optional
            True leaves a place out; a float mask is added.

        Returns
        -------
        ndarray, shape of src
        """
        x = src
        if self.norm_first:
            x = x + self._attend(self.norm1(x), src_mask, src_key_padding_mask)
            return x + self._feed(self.norm2(x))
        x = self.norm1(x + self._attend(x, src_mask, src_key_padding_mask))
        return self.norm2(x + self._feed(x))

    def backward(self, grad_output: Array) -> Array:
        """Add to the gradients of all parameters; return ∂J/∂src, shape of src."""
        grad = grad_output
        if self.norm_first:
            grad = grad + self.norm2.backward(self._feed_backward(grad))
            return grad + self.norm1.backward(self._attend_backward(grad))
        grad = self.norm2.backward(grad)
        grad = self.norm1.backward(grad + self._feed_backward(grad))
        return grad + self._attend_backward(grad)

    def _attend(self, x: Array, mask: Array | None, padding_mask: Array | None) -> Array:
        output, _ = self.self_attn(x, x, x, padding_mask, need_weights=False, attn_mask=mask)
        return self.dropout1(output)

    def _attend_backward(self, grad: Array) -> Array:
        grad_query, grad_key, grad_value = self.self_attn.backward(self.dropout1.backward(grad))
        return grad_query + grad_key + grad_value

    def _feed(self, x: Array) -> Array:
        hidden = self.dropout(self.activation(self.linear1(x)))
        return self.dropout2(self.linear2(hidden))

    def _feed_backward(self, grad: Array) -> Array:
        grad_hidden = self.linear2.backward(self.dropout2.backward(grad))
        return self.linear1.backward(self.activation.backward(self.dropout.backward(grad_hidden)))

    def __repr__(self) -> str:
        lines = (f"  ({n}): {m!r}" for n, m in self._members() if isinstance(m, Module))
        return "\n".join(["TransformerEncoderLayer(", *lines, ")"])


# --8<-- [end:TransformerEncoderLayer]
