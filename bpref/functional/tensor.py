"""Arithmetic, shapes and sums: what networks are made of between their layers.

Broadcasting copies an element to several places, so its gradient is the sum over these places:
`unbroadcast`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bpref import _check

Shape = tuple[int, ...]


# --8<-- [start:unbroadcast]
def unbroadcast(grad: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sum a gradient over the axes that broadcasting from `shape` added or stretched.

    Parameters
    ----------
    grad : ndarray
        The gradient in the shape after broadcasting.
    shape : tuple of int
        The shape before.

    Returns
    -------
    ndarray, shape `shape`

    Examples
    --------
    >>> unbroadcast(np.ones((2, 3)), (3,))   # three numbers, each used in 2 rows
    array([2., 2., 2.])
    >>> unbroadcast(np.ones((2, 3)), (2, 1))
    array([[3.],
           [3.]])
    """
    added = grad.ndim - len(shape)
    stretched = [added + axis for axis, size in enumerate(shape) if size == 1]
    return grad.sum(axis=(*range(added), *stretched)).reshape(shape)


# --8<-- [end:unbroadcast]


def _broadcast(one: Shape, other: Shape, what: str = "a shape that broadcasts with") -> Shape:
    """Return the shape of the result; the error is about the argument `other`."""
    try:
        return np.broadcast_shapes(one, other)
    except ValueError:
        message = f"other: expected {what} {one}, got {other}"
        raise ValueError(message) from None


# --8<-- [start:add]
def add(
    input: np.ndarray, other: np.ndarray
) -> tuple[np.ndarray, tuple[Shape, Shape, Shape, np.dtype]]:
    """Return X + Z with broadcasting, as `torch.add` does.

    Parameters
    ----------
    input : ndarray, any shape, float32 or float64
        X.
    other : ndarray, a shape that broadcasts with that of input, dtype of input
        Z.

    Returns
    -------
    output : ndarray
    cache : tuple
        (shape of input, shape of other, shape of output, dtype).

    Raises
    ------
    TypeError
        If an argument is not float32 or float64, or the dtypes differ.
    ValueError
        If the shapes do not broadcast.

    Examples
    --------
    >>> add(np.array([[1.0], [2.0]]), np.array([10.0, 20.0, 30.0]))[0]
    array([[11., 21., 31.],
           [12., 22., 32.]])
    """
    input, other = _check.floats(input=input, other=other)
    shape = _broadcast(input.shape, other.shape)
    return input + other, (input.shape, other.shape, shape, input.dtype)


# --8<-- [end:add]


# --8<-- [start:add_backward]
def add_backward(
    grad_output: np.ndarray, cache: tuple[Shape, Shape, Shape, np.dtype]
) -> tuple[np.ndarray, np.ndarray]:
    """Return grad_output for both, summed over the axes that were broadcast.

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        ∂J/∂Y.
    cache : tuple
        What `add` returned.

    Returns
    -------
    grad_input : ndarray, shape of input
    grad_other : ndarray, shape of other

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Examples
    --------
    >>> _, cache = add(np.array([[1.0], [2.0]]), np.array([10.0, 20.0, 30.0]))
    >>> add_backward(np.ones((2, 3)), cache)
    (array([[3.],
           [3.]]), array([2., 2., 2.]))
    """
    input_shape, other_shape, shape, dtype = cache
    grad_output = _check.grad_output(grad_output, shape, dtype)
    return unbroadcast(grad_output, input_shape), unbroadcast(grad_output, other_shape)


# --8<-- [end:add_backward]


# --8<-- [start:mul]
def mul(
    input: np.ndarray, other: np.ndarray
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, Shape]]:
    """Return X ⊙ Z with broadcasting, as `torch.mul` does.

    Parameters
    ----------
    input : ndarray, any shape, float32 or float64
        X.
    other : ndarray, a shape that broadcasts with that of input, dtype of input
        Z.

    Returns
    -------
    output : ndarray
    cache : tuple
        (input, other, shape of output).

    Raises
    ------
    TypeError
        If an argument is not float32 or float64, or the dtypes differ.
    ValueError
        If the shapes do not broadcast.

    Examples
    --------
    >>> mul(np.array([[1.0], [2.0]]), np.array([10.0, 20.0, 30.0]))[0]
    array([[10., 20., 30.],
           [20., 40., 60.]])
    """
    input, other = _check.floats(input=input, other=other)
    shape = _broadcast(input.shape, other.shape)
    return input * other, (input, other, shape)


# --8<-- [end:mul]


# --8<-- [start:mul_backward]
def mul_backward(
    grad_output: np.ndarray, cache: tuple[np.ndarray, np.ndarray, Shape]
) -> tuple[np.ndarray, np.ndarray]:
    """Return grad_output times the other factor, summed over the axes that were broadcast.

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        ∂J/∂Y.
    cache : tuple
        What `mul` returned.

    Returns
    -------
    grad_input : ndarray, shape of input
    grad_other : ndarray, shape of other

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Examples
    --------
    >>> _, cache = mul(np.array([[1.0], [2.0]]), np.array([10.0, 20.0, 30.0]))
    >>> mul_backward(np.ones((2, 3)), cache)
    (array([[60.],
           [60.]]), array([3., 3., 3.]))
    """
    input, other, shape = cache
    grad_output = _check.grad_output(grad_output, shape, input.dtype)
    grad_input = unbroadcast(grad_output * other, input.shape)
    grad_other = unbroadcast(grad_output * input, other.shape)
    return grad_input, grad_other


# --8<-- [end:mul_backward]


# --8<-- [start:matmul]
def matmul(
    input: np.ndarray, other: np.ndarray
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, Shape]]:
    """Return the matrix product X Z of the last two axes, as `torch.matmul` does.

    Parameters
    ----------
    input : ndarray, shape (..., m, d) or (d,), float32 or float64
        X; one axis is a row vector.
    other : ndarray, shape (..., d, p) or (d,), dtype of input
        Z; one axis is a column vector. The axes before the last two are broadcast.

    Returns
    -------
    output : ndarray, shape (..., m, p)
        Without m where input has one axis, without p where other has.
    cache : tuple
        (input, other, shape of output).

    Raises
    ------
    TypeError
        If an argument is not float32 or float64, or the dtypes differ.
    ValueError
        If an argument has no axis, or the shapes do not fit.

    Examples
    --------
    >>> X, Z = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([10.0, 100.0])
    >>> matmul(X, Z)[0]
    array([210., 430.])
    """
    input, other = _check.floats(input=input, other=other)
    if input.ndim == 0:
        raise ValueError("input: expected shape (..., m, d) or (d,), got ()")
    d = input.shape[-1]
    if other.shape[-2:][:1] != (d,):  # the last axis but one, or the only one
        raise ValueError(f"other: expected shape (..., {d}, p) or ({d},), got {other.shape}")
    _broadcast(input.shape[:-2], other.shape[:-2], "leading axes that broadcast with")
    output = np.matmul(input, other)
    return output, (input, other, output.shape)


# --8<-- [end:matmul]


# --8<-- [start:matmul_backward]
def matmul_backward(
    grad_output: np.ndarray, cache: tuple[np.ndarray, np.ndarray, Shape]
) -> tuple[np.ndarray, np.ndarray]:
    """Return Δ Zᵀ and Xᵀ Δ, summed over the leading axes that were broadcast.

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        Δ = ∂J/∂Y.
    cache : tuple
        What `matmul` returned.

    Returns
    -------
    grad_input : ndarray, shape of input
    grad_other : ndarray, shape of other

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Notes
    -----
    Source: M. B. Giles, "An extended collection of matrix derivative results for forward and
    reverse mode automatic differentiation", report NA-08/01, University of Oxford, 2008.

    Examples
    --------
    >>> X, Z = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([10.0, 100.0])
    >>> _, cache = matmul(X, Z)
    >>> matmul_backward(np.array([1.0, 0.0]), cache)
    (array([[ 10., 100.],
           [  0.,   0.]]), array([1., 2.]))
    """
    input, other, shape = cache
    grad_output = _check.grad_output(grad_output, shape, input.dtype)
    rows = np.atleast_2d(input)
    columns = other if other.ndim > 1 else other[:, np.newaxis]
    batch = np.broadcast_shapes(rows.shape[:-2], columns.shape[:-2])
    delta = grad_output.reshape(*batch, rows.shape[-2], columns.shape[-1])

    grad_rows = unbroadcast(delta @ columns.swapaxes(-1, -2), rows.shape)
    grad_columns = unbroadcast(rows.swapaxes(-1, -2) @ delta, columns.shape)
    return grad_rows.reshape(input.shape), grad_columns.reshape(other.shape)


# --8<-- [end:matmul_backward]


# --8<-- [start:concat]
def concat(
    tensors: Sequence[np.ndarray], dim: int = 0
) -> tuple[np.ndarray, tuple[list[int], int, Shape, np.dtype]]:
    """Join arrays along an axis, as `torch.concat` does.

    Parameters
    ----------
    tensors : list or tuple of ndarray, float32 or float64
        At least one; all shapes equal except along dim, all dtypes equal.
    dim : int, default 0
        The axis; −1 is the last one.

    Returns
    -------
    output : ndarray
    cache : tuple
        (sizes along dim, dim, shape of output, dtype).

    Raises
    ------
    TypeError
        If tensors is no list or tuple, an array is not float32 or float64, or the dtypes differ.
    ValueError
        If there is no array, no such axis, or the shapes do not fit.

    Examples
    --------
    >>> concat([np.array([[1.0], [2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]])], dim=1)[0]
    array([[1., 3., 4.],
           [2., 5., 6.]])
    """
    if not isinstance(tensors, (list, tuple)):
        raise TypeError(f"tensors: expected a list of arrays, got {type(tensors).__name__}")
    if not tensors:
        raise ValueError("tensors: expected at least one array, got none")
    arrays = _check.floats(**{f"tensors[{i}]": tensor for i, tensor in enumerate(tensors)})
    dim = _check.axis("dim", dim, arrays[0].ndim)
    expected: list[int | str] = list(arrays[0].shape)
    expected[dim] = "any"
    for index, array in enumerate(arrays):
        _check.shape(f"tensors[{index}]", array, expected)
    output = np.concatenate(arrays, axis=dim)
    return output, ([array.shape[dim] for array in arrays], dim, output.shape, output.dtype)


# --8<-- [end:concat]


# --8<-- [start:concat_backward]
def concat_backward(
    grad_output: np.ndarray, cache: tuple[list[int], int, Shape, np.dtype]
) -> tuple[np.ndarray, ...]:
    """Cut the gradient into the pieces that were joined.

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        ∂J/∂Y.
    cache : tuple
        What `concat` returned.

    Returns
    -------
    tuple of ndarray
        One for each of the tensors, in its shape: views of grad_output.

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Examples
    --------
    >>> _, cache = concat([np.ones((2, 1)), np.ones((2, 2))], dim=1)
    >>> concat_backward(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), cache)
    (array([[1.],
           [4.]]), array([[2., 3.],
           [5., 6.]]))
    """
    sizes, dim, shape, dtype = cache
    grad_output = _check.grad_output(grad_output, shape, dtype)
    return tuple(np.split(grad_output, np.cumsum(sizes)[:-1], axis=dim))


# --8<-- [end:concat_backward]


# --8<-- [start:reshape]
def reshape(
    input: np.ndarray, shape: Sequence[int]
) -> tuple[np.ndarray, tuple[Shape, Shape, np.dtype]]:
    """Arrange the elements in another shape, row by row, as `torch.reshape` does.

    Parameters
    ----------
    input : ndarray, any shape, float32 or float64
        X.
    shape : tuple or list of int
        The new sizes; one of them may be −1 and follows from the others.

    Returns
    -------
    output : ndarray
        A view of the input where the memory layout allows it, otherwise a copy.
    cache : tuple
        (shape of input, shape of output, dtype).

    Raises
    ------
    TypeError
        If the input is not float32 or float64, or shape is no sequence of int.
    ValueError
        If the sizes do not hold exactly the elements of the input.

    Examples
    --------
    >>> reshape(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), (2, -1))[0]
    array([[1., 2., 3.],
           [4., 5., 6.]])
    """
    (input,) = _check.floats(input=input)
    if not isinstance(shape, (tuple, list)):
        raise TypeError(f"shape: expected a tuple of int, got {type(shape).__name__}")
    if not all(isinstance(size, (int, np.integer)) for size in shape):
        raise TypeError(f"shape: expected a tuple of int, got {shape}")
    try:
        if any(size < -1 for size in shape):  # NumPy would take it for −1
            raise ValueError
        output = input.reshape(shape)
    except ValueError:
        message = f"shape: expected sizes that hold {input.size} elements, got {shape}"
        raise ValueError(message) from None
    return output, (input.shape, output.shape, input.dtype)


# --8<-- [end:reshape]


# --8<-- [start:reshape_backward]
def reshape_backward(grad_output: np.ndarray, cache: tuple[Shape, Shape, np.dtype]) -> np.ndarray:
    """Arrange the gradient in the shape of the input.

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        ∂J/∂Y.
    cache : tuple
        What `reshape` returned.

    Returns
    -------
    grad_input : ndarray, shape of input
        A view of grad_output where the memory layout allows it.

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Examples
    --------
    >>> _, cache = reshape(np.ones(4), (2, 2))
    >>> reshape_backward(np.array([[1.0, 2.0], [3.0, 4.0]]), cache)
    array([1., 2., 3., 4.])
    """
    input_shape, shape, dtype = cache
    return _check.grad_output(grad_output, shape, dtype).reshape(input_shape)


# --8<-- [end:reshape_backward]


# --8<-- [start:transpose]
def transpose(
    input: np.ndarray, dim0: int, dim1: int
) -> tuple[np.ndarray, tuple[int, int, Shape, np.dtype]]:
    """Swap two axes, as `torch.transpose` does.

    Parameters
    ----------
    input : ndarray, at least one axis, float32 or float64
        X.
    dim0, dim1 : int
        The axes; −1 is the last one.

    Returns
    -------
    output : ndarray
        A view of the input.
    cache : tuple
        (dim0, dim1, shape of output, dtype).

    Raises
    ------
    TypeError
        If the input is not float32 or float64, or an axis is no int.
    ValueError
        If there is no such axis.

    Examples
    --------
    >>> transpose(np.array([[1.0, 2.0, 3.0]]), 0, 1)[0]
    array([[1.],
           [2.],
           [3.]])
    """
    (input,) = _check.floats(input=input)
    dim0 = _check.axis("dim0", dim0, input.ndim)
    dim1 = _check.axis("dim1", dim1, input.ndim)
    output = np.swapaxes(input, dim0, dim1)
    return output, (dim0, dim1, output.shape, output.dtype)


# --8<-- [end:transpose]


# --8<-- [start:transpose_backward]
def transpose_backward(
    grad_output: np.ndarray, cache: tuple[int, int, Shape, np.dtype]
) -> np.ndarray:
    """Swap the same two axes of the gradient.

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        ∂J/∂Y.
    cache : tuple
        What `transpose` returned.

    Returns
    -------
    grad_input : ndarray, shape of input
        A view of grad_output.

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Examples
    --------
    >>> _, cache = transpose(np.ones((1, 3)), 0, 1)
    >>> transpose_backward(np.array([[1.0], [2.0], [3.0]]), cache)
    array([[1., 2., 3.]])
    """
    dim0, dim1, shape, dtype = cache
    return np.swapaxes(_check.grad_output(grad_output, shape, dtype), dim0, dim1)


# --8<-- [end:transpose_backward]


# --8<-- [start:sum]
def sum(
    input: np.ndarray, dim: int | Sequence[int] | None = None, keepdim: bool = False
) -> tuple[np.ndarray, tuple[Shape, Shape, Shape, np.dtype]]:
    """Return the sum over some axes, as `torch.sum` does.

    Parameters
    ----------
    input : ndarray, any shape, float32 or float64
        X.
    dim : int or tuple of int, optional
        The axes that are summed over; all without it.
    keepdim : bool, default False
        Whether they stay as axes of size 1.

    Returns
    -------
    output : ndarray
        The sum over nothing is 0.
    cache : tuple
        (shape of input, shape of output with keepdim, shape of output, dtype).

    Raises
    ------
    TypeError
        If the input is not float32 or float64, or an axis is no int.
    ValueError
        If there is no such axis, one comes twice, or the tuple is empty.

    Examples
    --------
    >>> sum(np.array([[1.0, 2.0], [3.0, 4.0]]), dim=1)[0]
    array([3., 7.])
    """
    (input,) = _check.floats(input=input)
    axes = _check.axes("dim", dim, input.ndim)
    kept = np.sum(input, axis=axes, keepdims=True)
    output = kept if keepdim else np.squeeze(kept, axes)
    return output, (input.shape, kept.shape, output.shape, input.dtype)


# --8<-- [end:sum]


# --8<-- [start:sum_backward]
def sum_backward(
    grad_output: np.ndarray | float, cache: tuple[Shape, Shape, Shape, np.dtype]
) -> np.ndarray:
    """Give every term the gradient of its sum.

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        ∂J/∂Y.
    cache : tuple
        What `sum` returned.

    Returns
    -------
    grad_input : ndarray, shape of input

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Examples
    --------
    >>> _, cache = sum(np.array([[1.0, 2.0], [3.0, 4.0]]), dim=1)
    >>> sum_backward(np.array([10.0, 20.0]), cache)
    array([[10., 10.],
           [20., 20.]])
    """
    input_shape, kept_shape, shape, dtype = cache
    grad_output = _check.grad_output(grad_output, shape, dtype)
    return np.broadcast_to(grad_output.reshape(kept_shape), input_shape).copy()


# --8<-- [end:sum_backward]


# --8<-- [start:mean]
def mean(
    input: np.ndarray, dim: int | Sequence[int] | None = None, keepdim: bool = False
) -> tuple[np.ndarray, tuple[Shape, Shape, Shape, np.dtype, float]]:
    """Return the mean over some axes, as `torch.mean` does.

    Parameters
    ----------
    input : ndarray, any shape, float32 or float64
        X.
    dim : int or tuple of int, optional
        The axes that the mean is taken over; all without it.
    keepdim : bool, default False
        Whether they stay as axes of size 1.

    Returns
    -------
    output : ndarray
        The mean over nothing is nan.
    cache : tuple
        (shape of input, shape of output with keepdim, shape of output, dtype, number of terms).

    Raises
    ------
    TypeError
        If the input is not float32 or float64, or an axis is no int.
    ValueError
        If there is no such axis, one comes twice, or the tuple is empty.

    Examples
    --------
    >>> mean(np.array([[1.0, 2.0], [3.0, 4.0]]), dim=1)[0]
    array([1.5, 3.5])
    """
    (input,) = _check.floats(input=input)
    axes = _check.axes("dim", dim, input.ndim)
    terms = _check.divisor("mean", math.prod(input.shape[axis] for axis in axes))
    kept = np.sum(input, axis=axes, keepdims=True) / terms
    output = kept if keepdim else np.squeeze(kept, axes)
    return output, (input.shape, kept.shape, output.shape, input.dtype, terms)


# --8<-- [end:mean]


# --8<-- [start:mean_backward]
def mean_backward(
    grad_output: np.ndarray | float, cache: tuple[Shape, Shape, Shape, np.dtype, float]
) -> np.ndarray:
    """Give every term its equal share of the gradient.

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        ∂J/∂Y.
    cache : tuple
        What `mean` returned.

    Returns
    -------
    grad_input : ndarray, shape of input

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Examples
    --------
    >>> _, cache = mean(np.array([[1.0, 2.0], [3.0, 4.0]]), dim=1)
    >>> mean_backward(np.array([10.0, 20.0]), cache)
    array([[ 5.,  5.],
           [10., 10.]])
    """
    input_shape, kept_shape, shape, dtype, terms = cache
    share = _check.grad_output(grad_output, shape, dtype) / terms
    return np.broadcast_to(share.reshape(kept_shape), input_shape).copy()


# --8<-- [end:mean_backward]


# --8<-- [start:max]
def max(
    input: np.ndarray, dim: int | None = None, keepdim: bool = False
) -> tuple[np.ndarray, tuple[np.ndarray, int | None, Shape, np.dtype]]:
    """Return the largest element of all or along one axis: the values of `torch.max`.

    Parameters
    ----------
    input : ndarray, any shape without an axis of size 0 to choose from, float32 or float64
        X.
    dim : int, optional
        The axis; without it the maximum is taken over all elements.
    keepdim : bool, default False
        Whether the axes stay as axes of size 1. PyTorch takes it together with dim only.

    Returns
    -------
    output : ndarray
        nan where there is one. With dim PyTorch returns the indices as well.
    cache : tuple
        (which elements the gradient goes to, dim, shape of output, dtype).

    Raises
    ------
    TypeError
        If the input is not float32 or float64, or dim is no int.
    ValueError
        If there is no such axis, or no element to choose from.

    Notes
    -----
    Where several elements are the largest, the maximum has a kink. As in PyTorch, with dim the
    first of them gets the whole gradient; without dim all of them share it equally.

    Examples
    --------
    >>> max(np.array([[1.0, 5.0], [7.0, 3.0]]), dim=1)[0]
    array([5., 7.])
    """
    (input,) = _check.floats(input=input)
    if dim is None:
        if input.size == 0:
            raise ValueError(f"input: expected at least one element, got shape {input.shape}")
        kept = np.max(input, keepdims=True)
        chosen = (input == kept) | np.isnan(input)  # if there is a nan, nothing equals the maximum
    else:
        dim = _check.axis("dim", dim, input.ndim)
        if input.shape[dim] == 0:
            raise ValueError(f"input: expected a size of at least 1 along dim, got {input.shape}")
        first = np.argmax(input, axis=dim, keepdims=True)
        kept = np.take_along_axis(input, first, dim)
        chosen = np.zeros_like(input, dtype=bool)
        np.put_along_axis(chosen, first, True, dim)
    output = kept if keepdim else np.squeeze(kept, dim)
    return output, (chosen, dim, output.shape, input.dtype)


# --8<-- [end:max]


# --8<-- [start:max_backward]
def max_backward(
    grad_output: np.ndarray | float, cache: tuple[np.ndarray, int | None, Shape, np.dtype]
) -> np.ndarray:
    """Give the gradient to the largest element; see `max` for ties.

    Parameters
    ----------
    grad_output : ndarray, shape and dtype of the output
        ∂J/∂Y.
    cache : tuple
        What `max` returned.

    Returns
    -------
    grad_input : ndarray, shape of input

    Raises
    ------
    TypeError, ValueError
        If grad_output does not have the dtype or the shape of the output.

    Examples
    --------
    >>> _, cache = max(np.array([[1.0, 5.0], [7.0, 7.0]]), dim=1)
    >>> max_backward(np.array([10.0, 20.0]), cache)
    array([[ 0., 10.],
           [20.,  0.]])
    >>> _, cache = max(np.array([[1.0, 5.0], [7.0, 7.0]]))
    >>> max_backward(10.0, cache)
    array([[0., 0.],
           [5., 5.]])
    """
    chosen, dim, shape, dtype = cache
    grad_output = _check.grad_output(grad_output, shape, dtype)
    count = np.sum(chosen, axis=dim, keepdims=True, dtype=dtype)
    return np.where(chosen, grad_output.reshape(count.shape) / count, 0.0)


# --8<-- [end:max_backward]
