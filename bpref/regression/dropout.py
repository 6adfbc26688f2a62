"""Dropout masks that depend on the step and not on what was drawn before."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike


# --8<-- [start:Masks]
class Masks:
    """The factors of dropout, 0 or 1 / (1 − p), for every step, layer and row of a run.

    A generator that counts (Philox) gives the numbers of any step at once. So a run that is
    continued, another backend, and a process that has only some rows of the batch all see the
    same masks.

    Parameters
    ----------
    p : float
        Probability of a zero, in [0, 1).
    seed : int

    Examples
    --------
    >>> masks = Masks(0.5, seed=0)
    >>> masks.start(step=7, rows=4)
    >>> whole = masks.take(0, (4, 3), float)
    >>> masks.start(step=7, rows=4, first_row=2)
    >>> bool((masks.take(0, (2, 3), float) == whole[2:]).all())
    True
    """

    def __init__(self, p: float, seed: int) -> None:
        self.p, self.seed = p, seed
        self._step = self._rows = self._first_row = 0
        self._whole: dict[int, np.ndarray] = {}  # layer: mask of the whole batch
        self._next: dict[int, int] = {}  # layer: the row that the next part begins with

    def start(self, step: int, rows: int, first_row: int = 0) -> None:
        """Begin an optimizer step with so many rows; `take` begins at `first_row`."""
        self._step, self._rows, self._first_row = step, rows, first_row
        self._whole.clear()
        self._next.clear()

    def take(self, layer: int, shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
        """Return the factors of the next rows of a layer, of this shape (rows, units).

        Raises
        ------
        IndexError
            If the batch has no more rows.
        """
        rows, units = shape
        whole = self._whole.get(layer)
        if whole is None:
            bits = np.random.Philox(key=[self.seed, 0], counter=[0, 0, layer, self._step])
            keep = np.random.Generator(bits).random((self._rows, units)) >= self.p
            whole = self._whole[layer] = keep * np.asarray(1 / (1 - self.p), dtype)
        first = self._next.get(layer, self._first_row)
        if first + rows > self._rows:
            raise IndexError(f"rows up to {first + rows} of a batch with {self._rows}")
        self._next[layer] = first + rows
        return whole[first : first + rows]

    def take_like(self, layer: int, output: Any) -> Any:
        """Return the same as a tensor of the shape, dtype and device of the layer's output."""
        import torch

        # Mixed precision rounds later; some devices have no float64.
        dtype = np.float64 if output.dtype == torch.float64 else np.float32
        return torch.from_numpy(self.take(layer, tuple(output.shape), dtype)).to(output)


# --8<-- [end:Masks]
