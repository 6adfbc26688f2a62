"""The convolutions as modules."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from bpref import _check, init
from bpref import functional as F
from bpref.fast import conv as fast
from bpref.functional._windows import Sizes, extents, ints
from bpref.functional.conv import divides, paddings
from bpref.nn.module import Module
from bpref.nn.parameter import Parameter


class _Conv(Module):
    """What the convolutions share: their arguments, their parameters, and how they are shown."""

    axes = 2
    output_padding: Any = (0, 0)

    def _set(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sizes,
        stride: int | Sizes,
        padding: int | Sizes | str,
        dilation: int | Sizes,
        groups: int,
        padding_mode: str,
    ) -> None:
        self.in_channels = _check.positive_int("in_channels", in_channels)
        self.out_channels = _check.positive_int("out_channels", out_channels)
        self.kernel_size = ints("kernel_size", kernel_size, self.axes, 1)
        self.stride: Any = ints("stride", stride, self.axes, 1)
        self.dilation: Any = ints("dilation", dilation, self.axes, 1)
        paddings(padding, self.stride, extents(self.kernel_size, self.dilation))
        self.padding: Any = padding
        if not isinstance(padding, str):
            self.padding = ints("padding", padding, self.axes, 0)
        self.groups = _check.positive_int("groups", groups)
        divides(self.groups, self.in_channels, "input")
        divides(self.groups, self.out_channels, "output")
        if padding_mode != "zeros":
            raise ValueError(f"padding_mode: expected 'zeros', got {padding_mode!r}")

    def _fill(
        self,
        shape: tuple[int, int],
        bias: bool,
        generator: np.random.Generator | None,
        dtype: DTypeLike,
    ) -> None:
        """Make the parameters; `shape` is that of the weight without the kernel."""
        weight = np.empty((*shape, *self.kernel_size), _check.float_dtype(dtype))
        offset = np.empty(self.out_channels, weight.dtype) if bias else None
        init.conv_(weight, offset, generator)
        self.weight = Parameter(weight)
        self.bias = None if offset is None else Parameter(offset)

    @property
    def _bias(self) -> np.ndarray | None:
        return None if self.bias is None else self.bias.data

    def _accumulate(self, grad_weight: np.ndarray, grad_bias: np.ndarray | None) -> None:
        self.weight.accumulate(grad_weight)
        if self.bias is not None and grad_bias is not None:
            self.bias.accumulate(grad_bias)

    def __repr__(self) -> str:
        zeros, ones = (0,) * self.axes, (1,) * self.axes
        text = f"kernel_size={self.kernel_size}, stride={self.stride}"
        if self.padding != zeros:
            text += f", padding={self.padding}"
        if self.dilation != ones:
            text += f", dilation={self.dilation}"
        if self.output_padding != (0, 0):
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels}, {text})"


# --8<-- [start:Conv1d]
class Conv1d(_Conv):
    """Kernels that slide over sequences, see `bpref.functional.conv1d`.

    Parameters
    ----------
    in_channels, out_channels : int
        C and O, each at least 1.
    kernel_size : int or (int,)
        kL.
    stride, padding, dilation, groups
        As in `bpref.functional.conv1d`.
    bias : bool, default True
        Whether there is a b.
    padding_mode : {"zeros"}
        PyTorch's other modes do not exist here.
    generator : numpy.random.Generator, optional
        Where the initial values come from (`init.conv_`); unseeded without one.
    dtype : float32 or float64, default float64
        PyTorch's default is float32.

    Attributes
    ----------
    weight : Parameter, shape (O, C / groups, kL)
    bias : Parameter, shape (O,), or None

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong kind or is out of range.

    Examples
    --------
    >>> Conv1d(3, 8, 5, padding=2)(np.ones((4, 3, 10))).shape
    (4, 8, 10)
    """

    axes = 1

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] = 1,
        padding: int | tuple[int] | str = 0,
        dilation: int | tuple[int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        generator: np.random.Generator | None = None,
        dtype: DTypeLike = np.float64,
    ) -> None:
        self._set(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, padding_mode
        )
        self._fill((out_channels, in_channels // groups), bias, generator, dtype)

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Return the output, shape (N, O, Lo), for sequences of shape (N, C, L)."""
        output, self._cache = F.conv1d(
            input,
            self.weight.data,
            self._bias,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
        )
        return output

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Add to weight.grad and bias.grad; return ∂J/∂X, shape of the input."""
        gradients = F.conv1d_backward(grad_output, self._take_cache())
        grad_input, grad_weight, grad_bias = gradients
        self._accumulate(grad_weight, grad_bias)
        return grad_input


# --8<-- [end:Conv1d]


# --8<-- [start:Conv2d]
class Conv2d(_Conv):
    """Kernels that slide over images, see `bpref.functional.conv2d`.

    Parameters
    ----------
    in_channels, out_channels : int
        C and O, each at least 1.
    kernel_size : int or (int, int)
        kH and kW.
    stride, padding, dilation, groups
        As in `bpref.functional.conv2d`.
    bias : bool, default True
        Whether there is a b.
    padding_mode : {"zeros"}
        PyTorch's other modes do not exist here.
    generator : numpy.random.Generator, optional
        Where the initial values come from (`init.conv_`); unseeded without one.
    dtype : float32 or float64, default float64
        PyTorch's default is float32.

    Attributes
    ----------
    weight : Parameter, shape (O, C / groups, kH, kW)
    bias : Parameter, shape (O,), or None

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong kind or is out of range.

    Examples
    --------
    >>> layer = Conv2d(3, 8, 5, padding=2, generator=np.random.default_rng(0))
    >>> layer(np.ones((4, 3, 10, 12))).shape
    (4, 8, 10, 12)
    >>> layer.backward(np.ones((4, 8, 10, 12))).shape
    (4, 3, 10, 12)
    >>> float(layer.bias.grad[0])  # one for each pixel
    480.0
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | str = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        generator: np.random.Generator | None = None,
        dtype: DTypeLike = np.float64,
    ) -> None:
        self._set(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, padding_mode
        )
        self._fill((out_channels, in_channels // groups), bias, generator, dtype)

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Return the output, shape (N, O, Ho, Wo), for images of shape (N, C, H, W)."""
        output, self._cache = fast.conv2d(
            input,
            self.weight.data,
            self._bias,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
        )
        return output

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Add to weight.grad and bias.grad; return ∂J/∂X, shape of the input."""
        gradients = fast.conv2d_backward(grad_output, self._take_cache())
        grad_input, grad_weight, grad_bias = gradients
        self._accumulate(grad_weight, grad_bias)
        return grad_input


# --8<-- [end:Conv2d]


# --8<-- [start:ConvTranspose2d]
class ConvTranspose2d(_Conv):
    """The transpose of a convolution, see `bpref.functional.conv_transpose2d`.

    Parameters
    ----------
    in_channels, out_channels : int
        C and O, each at least 1.
    kernel_size : int or (int, int)
        kH and kW.
    stride, padding, output_padding, groups
        As in `bpref.functional.conv_transpose2d`.
    bias : bool, default True
        Whether there is a b.
    dilation : int or (int, int), default 1
        As in `bpref.functional.conv_transpose2d`.
    padding_mode : {"zeros"}
        PyTorch knows no other here.
    generator : numpy.random.Generator, optional
        Where the initial values come from (`init.conv_`); unseeded without one.
    dtype : float32 or float64, default float64
        PyTorch's default is float32.

    Attributes
    ----------
    weight : Parameter, shape (C, O / groups, kH, kW)
    bias : Parameter, shape (O,), or None

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong kind or is out of range.

    Examples
    --------
    >>> ConvTranspose2d(8, 3, 4, stride=2, padding=1)(np.ones((1, 8, 5, 6))).shape
    (1, 3, 10, 12)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        output_padding: int | tuple[int, int] = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int | tuple[int, int] = 1,
        padding_mode: str = "zeros",
        *,
        generator: np.random.Generator | None = None,
        dtype: DTypeLike = np.float64,
    ) -> None:
        padding = ints("padding", padding, 2, 0)  # type: ignore[assignment]
        self._set(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, padding_mode
        )
        self.output_padding = ints("output_padding", output_padding, 2, 0)
        self._fill((in_channels, out_channels // groups), bias, generator, dtype)

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Return the output, shape (N, O, Ho, Wo), for images of shape (N, C, H, W)."""
        output, self._cache = F.conv_transpose2d(
            input,
            self.weight.data,
            self._bias,
            self.stride,
            self.padding,
            self.output_padding,
            self.groups,
            self.dilation,
        )
        return output

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Add to weight.grad and bias.grad; return ∂J/∂X, shape of the input."""
        gradients = F.conv_transpose2d_backward(grad_output, self._take_cache())
        grad_input, grad_weight, grad_bias = gradients
        self._accumulate(grad_weight, grad_bias)
        return grad_input


# --8<-- [end:ConvTranspose2d]
