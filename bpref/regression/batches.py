"""Batches by index: which rows, in which order, depends on a seed and the epoch alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

# (x, y), or (x, y, weight, total): shapes (n, d), (n, m), (n,) or None, and a float
Batch: TypeAlias = tuple[Any, ...]

SMALL = 1 << 18  # bytes: a table that stays in the processor's cache


class Batches:
    """The rows of a table in batches, shuffled anew in every epoch.

    A `DataLoader` fetches one row at a time and puts the batch together again. Here a batch is
    one operation on the whole table, which stays where it is: in memory or on the device.

    Parameters
    ----------
    X : ndarray or Tensor, shape (N, d)
    y : ndarray or Tensor, shape (N, m)
    weight : ndarray, optional, shape (N,)
        Sample weights, at least 0.
    batch_size : int
        Rows per batch; the last batch holds what is left.
    seed : int, default 0
        With it, the order of epoch e is that of ``np.random.default_rng([seed, e])``: the same in
        every run, on every backend, and after a resume.
    shuffle : bool, default True
        Without it, the rows come in their order.
    rank, world_size : int, default 0 and 1
        Of K processes, process r gets the r-th part of each batch, and the sum of all weights of
        the batch, so that the losses of the parts add up to that of the batch.

    Attributes
    ----------
    rows : int
        Rows of the batch last given, over all processes.
    first_row : int
        Where in that batch the part of this process begins.

    Raises
    ------
    ValueError
        If the shapes do not fit, there is no row, or `batch_size` is below 1.

    Examples
    --------
    >>> X = np.arange(10.0)[:, None]
    >>> batches = Batches(X, 2 * X, batch_size=4)
    >>> [len(x) for x, y in batches], len(batches)
    ([4, 4, 2], 3)
    >>> first = [x for x, y in batches]
    >>> batches.set_epoch(1)
    >>> second = [x for x, y in batches]
    >>> bool((first[0] == second[0]).all())
    False
    """

    def __init__(
        self,
        X: Any,
        y: Any,
        weight: Any = None,
        *,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = True,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if X.ndim != 2 or y.ndim != 2 or len(X) != len(y) or len(X) == 0:
            raise ValueError(
                "X and y must be 2-D, (N, d) and (N, m), with the same N above 0, "
                f"got shapes {tuple(X.shape)} and {tuple(y.shape)}"
            )
        if weight is not None and tuple(weight.shape) != (len(X),):
            raise ValueError(f"weight must have shape ({len(X)},), got {tuple(weight.shape)}")
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        if not 0 <= rank < world_size:
            raise ValueError(f"rank must be from 0 to {world_size - 1}, got {rank}")
        self.X, self.y = X, y
        # A copy only of what is read-only, such as a column of pandas: PyTorch refuses that.
        self.weight = None if weight is None else np.require(weight, np.float64, "W")
        self.batch_size, self.seed, self.shuffle = batch_size, seed, shuffle
        self.rank, self.world_size = rank, world_size
        self.rows = self.first_row = 0
        self._epoch = self._start = 0

    def set_epoch(self, epoch: int, start: int = 0) -> None:
        """Choose the epoch that the next iteration gives, and its first batch.

        Parameters
        ----------
        epoch : int
            From 0.
        start : int, default 0
            So many batches are left out, because they were done before an interruption; for the
            next iteration only.
        """
        self._epoch, self._start = epoch, start

    def in_order(self) -> Batches:
        """Return batches of the same rows, unshuffled."""
        return Batches(
            self.X,
            self.y,
            self.weight,
            batch_size=self.batch_size,
            shuffle=False,
            rank=self.rank,
            world_size=self.world_size,
        )

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return -(-len(self.X) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        """Give (x, y), or (x, y, weight, total) with weights or several processes."""
        n, size, skip = len(self.X), self.batch_size, self._start
        self._start = 0
        X, y = self.X, self.y
        pick: Pick = as_it_lies
        order = np.arange(0)
        if self.shuffle:
            order = np.random.default_rng(self._seeds()).permutation(n)
            pick = by_index(X, order)
            if X.nbytes + y.nbytes <= SMALL:  # one call for the epoch instead of one per batch
                everything = slice(0, n)
                X, y = pick(X, everything), pick(y, everything)
                pick = as_it_lies
        alone = self.world_size == 1
        for start in range(skip * size, n, size):
            self.rows = min(size, n - start)
            own = slice(start, start + self.rows) if alone else self._part(start)
            batch = pick(X, own), pick(y, own)
            if self.weight is None:
                yield batch if alone else (*batch, None, float(self.rows))
                continue
            whole = slice(start, start + self.rows)
            weight = self.weight[order[whole] if self.shuffle else whole]
            part = weight[self.first_row : self.first_row + len(batch[0])]
            yield *batch, like(self.y, part), float(weight.sum())

    def _seeds(self) -> Any:
        """Return [seed, epoch]; as an array NumPy takes them faster, for the same order."""
        seeds = [self.seed, self._epoch]
        return np.array(seeds, np.uint32) if max(seeds) < 1 << 32 else seeds

    def _part(self, start: int) -> slice:
        """Return where the part of this process lies."""
        self.first_row = self.rows * self.rank // self.world_size
        end = self.rows * (self.rank + 1) // self.world_size
        return slice(start + self.first_row, start + end)


Pick: TypeAlias = Callable[[Any, slice], Any]


def as_it_lies(rows: Any, piece: slice) -> Any:
    """Return a piece of an array or a tensor as it lies there."""
    return rows[piece]


def by_index(rows: Any, order: np.ndarray) -> Pick:
    """Return what takes a piece in this order from arrays, or from tensors, such as `rows`."""
    if isinstance(rows, np.ndarray):
        return lambda rows, piece: rows.take(order[piece], 0)
    places = like(rows, order, keep_dtype=True)
    return lambda rows, piece: rows.index_select(0, places[piece])


def like(rows: Any, values: np.ndarray, keep_dtype: bool = False) -> Any:
    """Return values as an array or tensor of the same kind, dtype and device as the rows."""
    if isinstance(rows, np.ndarray):
        return values.astype(rows.dtype, copy=False)
    import torch

    dtype = None if keep_dtype else rows.dtype
    return torch.from_numpy(values).to(device=rows.device, dtype=dtype)


def parts(batch: Batch, count: int) -> list[Batch]:
    """Cut a batch into at most `count` parts whose losses and gradients add up to its own.

    Parameters
    ----------
    batch : tuple
        (x, y), (x, y, weight) or (x, y, weight, total).
    count : int
        At least 1; where there are fewer rows, so many parts as there are rows.

    Returns
    -------
    list of tuple
        (x, y, weight, total): the total is that of the whole batch. One part is the batch itself.

    Examples
    --------
    >>> x = np.arange(5.0)[:, None]
    >>> [(len(x), total) for x, y, weight, total in parts((x, x), 2)]
    [(2, 5.0), (3, 5.0)]
    """
    if count == 1:
        return [batch]
    x, y, weight, total = (*batch, None, None)[:4]
    if total is None:
        total = float(total_weight(batch))
    n = x.shape[0]
    bounds = [n * i // count for i in range(count + 1)] if n else [0, 0]
    return [
        (x[a:b], y[a:b], None if weight is None else weight[a:b], total)
        for a, b in pairwise(bounds)
        if a < b or n == 0
    ]


def total_weight(batch: Batch) -> float:
    """Return the sum of the sample weights of a batch; without weights, its number of rows."""
    if len(batch) == 2:
        return batch[0].shape[0]
    if len(batch) > 3:
        return batch[3]
    return float(batch[2].sum())
