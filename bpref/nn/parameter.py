"""Parameters, and the flat vectors that many of them can share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from bpref import _check

_structure_version = 0


def structure_version() -> int:
    """Return a number that grows whenever a parameter of any module is replaced or moved.

    What holds on to the arrays of a model (`TrainingStep`) asks for it to know that they are
    still the model's.
    """
    return _structure_version


def structure_changed() -> None:
    """Make `structure_version` grow."""
    global _structure_version
    _structure_version += 1


class Parameter:
    """An array to be learned, with a gradient of the same shape.

    Assigning to `data` or `grad` copies into the existing array, so that views of a flat vector
    (see `flatten`) stay views. ``grad = None`` clears the gradient.

    Parameters
    ----------
    data : ndarray, any shape, float32 or float64
        Copied.

    Raises
    ------
    TypeError
        If data is not float32 or float64.

    Examples
    --------
    >>> p = Parameter(np.array([1.0, 2.0]))
    >>> p.grad
    array([0., 0.])
    """

    def __init__(self, data: np.ndarray) -> None:
        (data,) = _check.floats(data=data)
        self._data = np.array(data, order="C")
        self._grad = np.zeros_like(self._data)
        self._flat: tuple[np.ndarray, np.ndarray, int] | None = None  # data, grad, start

    @property
    def data(self) -> np.ndarray:
        """The values."""
        return self._data

    @data.setter
    def data(self, value: Any) -> None:
        self._write("data", self._data, value)

    @property
    def grad(self) -> np.ndarray:
        """The gradient summed over all backward passes since the last `zero_grad`."""
        return self._grad

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is None:
            self.zero_grad()
        else:
            self._write("grad", self._grad, value)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of data and grad."""
        return self._data.shape

    @property
    def dtype(self) -> np.dtype:
        """The dtype of data and grad."""
        return self._data.dtype

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._data.size

    def accumulate(self, gradient: np.ndarray) -> None:
        """Add to the gradient, as every backward pass does.

        Parameters
        ----------
        gradient : ndarray, shape of the parameter
            What is added.

        Raises
        ------
        TypeError
            If it is not float32 or float64.
        ValueError
            If the shape is another.
        """
        (gradient,) = _check.floats(gradient=gradient)
        _check.shape("gradient", gradient, self._grad.shape)
        self._grad += gradient

    def zero_grad(self) -> None:
        """Set the gradient to zero."""
        self._grad.fill(0.0)

    def __repr__(self) -> str:
        return f"Parameter({self._data!r})"

    def _write(self, name: str, place: np.ndarray, value: Any) -> None:
        if value is place:  # the second half of `parameter.data -= …`
            return
        (value,) = _check.floats(**{name: value})
        _check.shape(name, value, place.shape)
        place[...] = value


class Buffer:
    """An array that belongs to a module but is not learned, such as a running mean.

    A `state_dict` includes it, an optimizer never sees it.

    Parameters
    ----------
    data : ndarray, any shape, float32, float64 or integer
        Copied.

    Raises
    ------
    TypeError
        If data is of another kind.

    Examples
    --------
    >>> steps = Buffer(np.array(0))
    >>> steps.data += 1
    >>> steps.data
    array(1)
    """

    def __init__(self, data: Any) -> None:
        data = _check.array("data", data)
        if data.dtype.kind not in "iu":
            (data,) = _check.floats(data=data)
        self._data = np.array(data)

    @property
    def data(self) -> np.ndarray:
        """The values; assigning copies into the array and keeps its dtype."""
        return self._data

    @data.setter
    def data(self, value: Any) -> None:
        value = _check.array("data", value)
        _check.shape("data", value, self._data.shape)
        self._data[...] = value

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of data."""
        return self._data.shape

    def __repr__(self) -> str:
        return f"Buffer({self._data!r})"


# --8<-- [start:flatten]
def flatten(parameters: Iterable[Parameter]) -> None:
    """Move parameters into one vector of values and one vector of gradients.

    Each ``data`` and ``grad`` becomes a view of its slice, so that an optimizer can update all of
    them with a few operations on whole vectors. Values and gradients are kept.

    Parameters
    ----------
    parameters : iterable of Parameter
        Left as they are when their dtypes differ.

    Examples
    --------
    >>> a, b = Parameter(np.array([1.0])), Parameter(np.array([[2.0, 3.0]]))
    >>> flatten([a, b])
    >>> data, grad = flat_vectors([a, b])
    >>> data *= 10.0
    >>> b.data
    array([[20., 30.]])
    """
    parameters = list(parameters)
    if len({p.dtype for p in parameters}) != 1:
        return
    data = np.concatenate([p.data.ravel() for p in parameters])
    grad = np.concatenate([p.grad.ravel() for p in parameters])
    start = 0
    for p in parameters:
        place = slice(start, start + p.size)
        p._data = data[place].reshape(p.shape)
        p._grad = grad[place].reshape(p.shape)
        p._flat = (data, grad, start)
        start += p.size
    structure_changed()


# --8<-- [end:flatten]


def flat_vectors(parameters: Sequence[Parameter]) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the vector of all values and the vector of all gradients, or None.

    Parameters
    ----------
    parameters : sequence of Parameter
        In the order that they were flattened in.

    Returns
    -------
    (data, grad) : ndarrays, shape (number of elements,)
        Views, when the parameters lie next to each other, in this order, in vectors made by
        `flatten`; otherwise None.
    """
    if not parameters or parameters[0]._flat is None:
        return None
    data, grad, start = parameters[0]._flat
    stop = start
    for p in parameters:
        if p._flat is None or p._flat[0] is not data or p._flat[2] != stop:
            return None
        if p._data.base is not data:  # copy.deepcopy and pickle separate views from their vector
            return None
        stop += p.size
    return data[start:stop], grad[start:stop]
