"""What convolution and pooling share: argument checks, and where a kernel lies over an image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

Sizes = tuple[int, ...]
Padding = tuple[tuple[int, int], ...]  # (before, after) for each axis of the image


# --8<-- [start:windows]
def windows(
    kernel: Sequence[int], outputs: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> Iterator[tuple[int, int, tuple[Any, ...]]]:
    """Yield (i, j, window) for each element (i, j) of a kernel.

    ``image[window]`` is what this element meets, for all output positions at once: output (p, q)
    meets the pixel (p · stride + i · dilation, q · stride + j · dilation) of the padded image.

    Parameters
    ----------
    kernel : (int, int)
        kH and kW.
    outputs : (int, int)
        Ho and Wo, the height and the width of the output.
    stride : (int, int)
        From one output to the next, in pixels.
    dilation : (int, int)
        From one element of the kernel to the next, in pixels.

    Yields
    ------
    i, j : int
    window : index
        Cuts (..., Ho, Wo) out of (..., H, W); a view, so that ``image[window] += ...`` adds.

    Examples
    --------
    >>> row = np.array([[10, 20, 30, 40]])
    >>> for i, j, window in windows((1, 2), (1, 3), stride=(1, 1), dilation=(1, 1)):
    ...     print((i, j), row[window])
    (0, 0) [[10 20 30]]
    (0, 1) [[20 30 40]]
    """
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            top, left = i * dilation[0], j * dilation[1]
            rows = slice(top, top + outputs[0] * stride[0], stride[0])
            columns = slice(left, left + outputs[1] * stride[1], stride[1])
            yield i, j, (..., rows, columns)


# --8<-- [end:windows]


def pad(image: np.ndarray, padding: Padding, value: float = 0.0) -> np.ndarray:
    """Put `value` around the last axes of an array, (before, after) for each."""
    others = image.ndim - len(padding)
    return np.pad(image, [(0, 0)] * others + list(padding), constant_values=value)


def padded(size: Sequence[int], padding: Padding) -> Sizes:
    """Return the size of the last axes after `pad`."""
    return tuple(size[a] + sum(padding[a]) for a in range(len(size)))


def crop(image: np.ndarray, padding: Padding, size: Sequence[int]) -> np.ndarray:
    """Cut images of this size out of what `pad` returned."""
    (top, _), (left, _) = padding
    height, width = size
    return image[..., top : top + height, left : left + width]


def ints(name: str, value: Any, count: int, minimum: int) -> Sizes:
    """Return `count` ints, each at least `minimum`; one int stands for all.

    Examples
    --------
    >>> ints("stride", 2, 2, 1)
    (2, 2)
    """
    values = value if isinstance(value, (tuple, list)) else (value,) * count
    kinds = all(isinstance(v, (int, np.integer)) and not isinstance(v, bool) for v in values)
    if len(values) != count or not kinds:
        raise TypeError(f"{name}: expected an int or a tuple of {count}, got {value!r}")
    if min(values) < minimum:
        raise ValueError(f"{name}: expected at least {minimum}, got {value}")
    return tuple(map(int, values))


def check_image(input: np.ndarray, axes: str) -> None:
    """Check that the input is (N, C, ...) or (C, ...), empty in no axis but the batch."""
    if input.ndim not in (len(axes) + 1, len(axes) + 2):
        names = ", ".join(axes)
        raise ValueError(
            f"input: expected shape (N, C, {names}) or (C, {names}), got {input.shape}"
        )
    if 0 in input.shape[-len(axes) - 1 :]:
        raise ValueError(f"input: expected no axis of size 0 but the batch, got {input.shape}")


def extents(kernel: Sizes, dilation: Sizes) -> Sizes:
    """Return how many pixels a kernel spans."""
    return tuple(dilation[a] * (kernel[a] - 1) + 1 for a in range(len(kernel)))
