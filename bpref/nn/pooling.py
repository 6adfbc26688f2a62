"""The pooling layers as modules."""

from __future__ import annotations

from typing import Any

import numpy as np

from bpref import _check
from bpref import functional as F
from bpref.functional._windows import ints
from bpref.nn.module import Module


def _option(name: str, value: Any, minimum: int) -> Any:
    """Return an int or a pair of ints as it came, for PyTorch's repr."""
    ints(name, value, 2, minimum)
    return value


# --8<-- [start:MaxPool2d]
class MaxPool2d(Module):
    """The largest value of each window, see `bpref.functional.max_pool2d`.

    Parameters
    ----------
    kernel_size : int or (int, int)
        The size of a window.
    stride : int or (int, int), optional
        The step from one window to the next; kernel_size without it.
    padding, dilation
        As in `bpref.functional.max_pool2d`.
    return_indices : {False}
        What PyTorch returns for True does not exist here.
    ceil_mode : bool, default False
        Whether a last window may hang over the edge.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong kind or is out of range.

    Examples
    --------
    >>> MaxPool2d(2)(np.arange(16.0).reshape(1, 4, 4))
    array([[[ 5.,  7.],
            [13., 15.]]])
    """

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        self.kernel_size = _option("kernel_size", kernel_size, 1)
        self.stride = self.kernel_size if stride is None else _option("stride", stride, 1)
        self.padding = _option("padding", padding, 0)
        self.dilation = _option("dilation", dilation, 1)
        if return_indices:
            raise ValueError(f"return_indices: expected False, got {return_indices}")
        self.ceil_mode = bool(ceil_mode)

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Return the output, shape (N, C, Ho, Wo), for images of shape (N, C, H, W)."""
        output, self._cache = F.max_pool2d(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode
        )
        return output

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Return ∂J/∂X: the largest element of each window gets its gradient."""
        return F.max_pool2d_backward(grad_output, self._take_cache())

    def __repr__(self) -> str:
        return (
            f"MaxPool2d(kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding}, dilation={self.dilation}, ceil_mode={self.ceil_mode})"
        )


# --8<-- [end:MaxPool2d]


# --8<-- [start:AvgPool2d]
class AvgPool2d(Module):
    """The mean of each window, see `bpref.functional.avg_pool2d`.

    Parameters
    ----------
    kernel_size : int or (int, int)
        The size of a window.
    stride : int or (int, int), optional
        The step from one window to the next; kernel_size without it.
    padding, ceil_mode, count_include_pad, divisor_override
        As in `bpref.functional.avg_pool2d`.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong kind or is out of range.

    Examples
    --------
    >>> AvgPool2d(2)(np.arange(16.0).reshape(1, 4, 4))
    array([[[ 2.5,  4.5],
            [10.5, 12.5]]])
    """

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        self.kernel_size = _option("kernel_size", kernel_size, 1)
        self.stride = self.kernel_size if stride is None else _option("stride", stride, 1)
        self.padding = _option("padding", padding, 0)
        self.ceil_mode = bool(ceil_mode)
        self.count_include_pad = bool(count_include_pad)
        self.divisor_override = divisor_override
        if divisor_override is not None:
            _check.positive_int("divisor_override", divisor_override)

    def forward(self, input: np.ndarray) -> np.ndarray:
        """Return the output, shape (N, C, Ho, Wo), for images of shape (N, C, H, W)."""
        output, self._cache = F.avg_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )
        return output

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        """Return ∂J/∂X: the pixels of each window share its gradient."""
        return F.avg_pool2d_backward(grad_output, self._take_cache())

    def __repr__(self) -> str:
        return (
            f"AvgPool2d(kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding})"
        )


# --8<-- [end:AvgPool2d]
