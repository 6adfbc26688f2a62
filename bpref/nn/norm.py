"""The normalisation layers as modules."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from bpref import _check
from bpref import functional as F
from bpref.fast import norm as fast
from bpref.nn.module import Module
from bpref.nn.parameter import Buffer, Parameter


class _Norm(Module):
    """What the normalisation layers share: a weight of ones and a bias of zeros, or None."""

    weight: Parameter | None
    bias: Parameter | None

    def _set(self, shape: tuple[int, ...], weight: bool, bias: bool, dtype: DTypeLike) -> None:
        dtype = _check.float_dtype(dtype)
        self.weight = Parameter(np.ones(shape, dtype)) if weight else None
        self.bias = Parameter(np.zeros(shape, dtype)) if weight and bias else None

    def _accumulate(self, grad_weight: np.ndarray | None, grad_bias: np.ndarray | None) -> None:
        for parameter, gradient in ((self.weight, grad_weight), (self.bias, grad_bias)):
            if parameter is not None and gradient is not None:
                parameter.accumulate(gradient)


def _data(array: Parameter | Buffer | None) -> np.ndarray | None:
    return None if array is None else array.data


class _BatchNorm(_Norm):
    shapes: tuple[tuple[str, ...], ...] = ()  # of the axes behind the channels

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
        dtype: DTypeLike = np.float64,
    ) -> None:
        self.num_features = _check.positive_int("num_features", num_features)
        self.eps = _check.positive("eps", eps)
        self.momentum = None if momentum is None else _check.real("momentum", momentum)
        self.affine = bool(affine)
        self.track_running_stats = bool(track_running_stats)
        self._set((self.num_features,), self.affine, bias, dtype)
        self.running_mean = self.running_var = self.num_batches_tracked = None
        if self.track_running_stats:
            self.running_mean = Buffer(np.zeros(self.num_features, dtype))
            self.running_var = Buffer(np.ones(self.num_features, dtype))
            self.num_batches_tracked = Buffer(np.array(0))

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Return the normalised batch; in training, move the running statistics.

        In evaluation the running statistics normalise, those of the batch where there are none.
        """
        (input,) = _check.floats(input=input)
        self._check_shape(input)
        momentum = 0.0 if self.momentum is None else self.momentum
        if self.training and self.momentum is None and self.num_batches_tracked is not None:
            # A step of 1/k for the k-th batch keeps the plain average of all batches.
            momentum = 1 / (int(self.num_batches_tracked.data) + 1)
        output, self._cache = fast.batch_norm(
            input,
            _data(self.running_mean),
            _data(self.running_var),
            _data(self.weight),
            _data(self.bias),
            self.training or not self.track_running_stats,
            momentum,
            self.eps,
        )
        if (
            self.training
            and self.running_mean is not None
            and self.running_var is not None
            and self.num_batches_tracked is not None
        ):
            self.running_mean.data, self.running_var.data = self._cache[-2:]
            self.num_batches_tracked.data += 1
        return output

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Add to weight.grad and bias.grad; return ∂J/∂x, shape of the input."""
        gradients = fast.batch_norm_backward(grad_output, self._take_cache())
        grad_input, grad_weight, grad_bias = gradients
        self._accumulate(grad_weight, grad_bias)
        return grad_input

    def _check_shape(self, input: np.ndarray) -> None:
        channels = self.num_features
        if not any(
            input.ndim == 2 + len(rest) and input.shape[1] == channels for rest in self.shapes
        ):
            expected = " or ".join(
                f"({', '.join(('N', str(channels), *rest))})" for rest in self.shapes
            )
            raise ValueError(f"input: expected shape {expected}, got {input.shape}")

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, bias={self.bias is not None}, "
            f"track_running_stats={self.track_running_stats})"
        )


# --8<-- [start:BatchNorm1d]
class BatchNorm1d(_BatchNorm):
    """Normalise each feature over the batch, see `bpref.functional.batch_norm`.

    Parameters
    ----------
    num_features : int
        C, for inputs (N, C) or (N, C, L).
    eps : float, default 1e-5
        Added to the variance.
    momentum : float, optional, default 0.1
        The step of the running statistics towards those of the batch; None makes them averages
        over all batches so far.
    affine : bool, default True
        Whether there are a weight, at first ones, and a bias, at first zeros.
    track_running_stats : bool, default True
        False: evaluation too uses the statistics of the batch.
    bias : bool, default True
        False leaves the bias out.
    dtype : float32 or float64, default float64
        PyTorch's default is float32.

    Attributes
    ----------
    weight, bias : Parameter, shape (C,), or None
    running_mean, running_var : Buffer, shape (C,), or None
    num_batches_tracked : Buffer, shape (), or None

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong kind or is out of range.

    Examples
    --------
    >>> layer = BatchNorm1d(2)
    >>> layer(np.array([[1.0, 0.0], [3.0, 4.0]])).round(3)
    array([[-1., -1.],
           [ 1.,  1.]])
    >>> layer.running_mean.data, layer.running_var.data
    (array([0.2, 0.2]), array([1.1, 1.7]))
    """

    shapes = ((), ("L",))


# --8<-- [end:BatchNorm1d]


# --8<-- [start:BatchNorm2d]
class BatchNorm2d(_BatchNorm):
    """Normalise each channel of images over the batch; parameters as for `BatchNorm1d`.

    Parameters
    ----------
    num_features : int
        C, for inputs (N, C, H, W).
    eps, momentum, affine, track_running_stats, bias, dtype
        See `BatchNorm1d`.

    Examples
    --------
    >>> BatchNorm2d(3)(np.ones((2, 3, 4, 4))).shape
    (2, 3, 4, 4)
    """

    shapes = (("H", "W"),)


# --8<-- [end:BatchNorm2d]


# --8<-- [start:LayerNorm]
class LayerNorm(_Norm):
    """Normalise each sample over its last axes, see `bpref.functional.layer_norm`.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        The sizes of the last axes; an int means one axis.
    eps : float, default 1e-5
        Added to the variance.
    elementwise_affine : bool, default True
        Whether there are a weight, at first ones, and a bias, at first zeros.
    bias : bool, default True
        False leaves the bias out.
    dtype : float32 or float64, default float64
        PyTorch's default is float32.

    Attributes
    ----------
    weight, bias : Parameter, shape normalized_shape, or None

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong kind or is out of range.

    Examples
    --------
    >>> layer = LayerNorm(2)
    >>> layer(np.array([[1.0, 3.0], [0.0, 4.0]])).round(3)
    array([[-1.,  1.],
           [-1.,  1.]])
    >>> layer.backward(np.ones((2, 2)))
    array([[0., 0.],
           [0., 0.]])
    >>> layer.bias.grad
    array([2., 2.])
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        *,
        dtype: DTypeLike = np.float64,
    ) -> None:
        self.normalized_shape = _check.sizes("normalized_shape", normalized_shape)
        self.eps = _check.positive("eps", eps)
        self.elementwise_affine = bool(elementwise_affine)
        self._set(self.normalized_shape, self.elementwise_affine, bias, dtype)

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Return w ⊙ x̂ + b, shape of the input."""
        weight, bias = _data(self.weight), _data(self.bias)
        output, self._cache = fast.layer_norm(input, self.normalized_shape, weight, bias, self.eps)
        return output

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Add to weight.grad and bias.grad; return ∂J/∂x, shape of the input."""
        gradients = fast.layer_norm_backward(grad_output, self._take_cache())
        grad_input, grad_weight, grad_bias = gradients
        self._accumulate(grad_weight, grad_bias)
        return grad_input

    def __repr__(self) -> str:
        return (
            f"LayerNorm({self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None})"
        )


# --8<-- [end:LayerNorm]


# --8<-- [start:GroupNorm]
class GroupNorm(_Norm):
    """Normalise each sample over groups of channels, see `bpref.functional.group_norm`.

    Parameters
    ----------
    num_groups, num_channels : int
        G and C, G a divisor of C; for inputs (N, C, ...).
    eps : float, default 1e-5
        Added to the variance.
    affine : bool, default True
        Whether there are a weight, at first ones, and a bias, at first zeros.
    bias : bool, default True
        False leaves the bias out.
    dtype : float32 or float64, default float64
        PyTorch's default is float32.

    Attributes
    ----------
    weight, bias : Parameter, shape (C,), or None

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong kind, is out of range, or G does not divide C.

    Examples
    --------
    >>> GroupNorm(2, 4)(np.array([[1.0, 3.0, 0.0, 4.0]])).round(3)
    array([[-1.,  1., -1.,  1.]])
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        *,
        bias: bool = True,
        dtype: DTypeLike = np.float64,
    ) -> None:
        self.num_channels = _check.positive_int("num_channels", num_channels)
        self.num_groups = _check.divides("num_groups", num_groups, self.num_channels, "channels")
        self.eps = _check.positive("eps", eps)
        self.affine = bool(affine)
        self._set((self.num_channels,), self.affine, bias, dtype)

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Return w ⊙ x̂ + b, shape of the input."""
        (input,) = _check.floats(input=input)
        if input.shape[1:2] != (self.num_channels,):
            raise ValueError(
                f"input: expected shape (N, {self.num_channels}, ...), got {input.shape}"
            )
        weight, bias = _data(self.weight), _data(self.bias)
        output, self._cache = F.group_norm(input, self.num_groups, weight, bias, self.eps)
        return output

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Add to weight.grad and bias.grad; return ∂J/∂x, shape of the input."""
        gradients = F.group_norm_backward(grad_output, self._take_cache())
        grad_input, grad_weight, grad_bias = gradients
        self._accumulate(grad_weight, grad_bias)
        return grad_input

    def __repr__(self) -> str:
        return (
            f"GroupNorm({self.num_groups}, {self.num_channels}, eps={self.eps}, "
            f"affine={self.affine}, bias={self.bias is not None})"
        )


# --8<-- [end:GroupNorm]


# --8<-- [start:RMSNorm]
class RMSNorm(_Norm):
    """Divide each sample by its root mean square, see `bpref.functional.rms_norm`.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        The sizes of the last axes; an int means one axis.
    eps : float, optional
        Added to the mean square; None means the machine epsilon of the input's dtype.
    elementwise_affine : bool, default True
        Whether there is a weight, at first ones.
    dtype : float32 or float64, default float64
        PyTorch's default is float32.

    Attributes
    ----------
    weight : Parameter, shape normalized_shape, or None

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong kind or is out of range.

    Examples
    --------
    >>> RMSNorm(4)(np.array([[3.0, 0.0, 0.0, 4.0]])).round(3)
    array([[1.2, 0. , 0. , 1.6]])
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        *,
        dtype: DTypeLike = np.float64,
    ) -> None:
        self.normalized_shape = _check.sizes("normalized_shape", normalized_shape)
        self.eps = None if eps is None else _check.positive("eps", eps)
        self.elementwise_affine = bool(elementwise_affine)
        self._set(self.normalized_shape, self.elementwise_affine, False, dtype)

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Return w ⊙ x̂, shape of the input."""
        weight = _data(self.weight)
        output, self._cache = F.rms_norm(input, self.normalized_shape, weight, self.eps)
        return output

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Add to weight.grad; return ∂J/∂x, shape of the input."""
        grad_input, grad_weight = F.rms_norm_backward(grad_output, self._take_cache())
        self._accumulate(grad_weight, None)
        return grad_input

    def __repr__(self) -> str:
        return (
            f"RMSNorm({self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine})"
        )


# --8<-- [end:RMSNorm]
