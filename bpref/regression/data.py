"""The data: the article's line with noise, or a CSV file, as tensors in batches."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch.utils.data import DataLoader, Dataset

from bpref.regression.errors import DataError

Array: TypeAlias = NDArray[np.float64]
Pair: TypeAlias = tuple[torch.Tensor, torch.Tensor]  # one sample, or one batch: (x, y)

# --8<-- [start:constants]
SLOPE = 2.0
INTERCEPT = 1.0
NOISE_STD = 1.0
# --8<-- [end:constants]

MIN_ROWS = 5  # the smallest table that an 80 % / 20 % split leaves with a test row
LARGEST = 1e100  # a column with larger values would overflow when it is squared


# --8<-- [start:make_data]
def make_data(
    n_train: int = 100, n_test: int = 100, seed: int = 0
) -> tuple[Array, Array, Array, Array]:
    """Draw the article's data: y = 2 x + 1 + noise, with x and the noise from N(0, 1).

    Parameters
    ----------
    n_train, n_test : int
        Number of training and of test samples, each at least 1.
    seed : int
        Seed of a generator of its own; NumPy's global state is not touched.

    Returns
    -------
    X_train : ndarray, float64, shape (n_train, 1)
    y_train : ndarray, float64, shape (n_train, 1)
    X_test : ndarray, float64, shape (n_test, 1)
    y_test : ndarray, float64, shape (n_test, 1)

    Raises
    ------
    ValueError
        If a sample count is below 1.

    Examples
    --------
    >>> X_train, y_train, X_test, y_test = make_data(seed=0)
    >>> X_train.shape, y_test.shape
    ((100, 1), (100, 1))
    """
    if n_train < 1 or n_test < 1:
        raise ValueError(f"n_train and n_test must be at least 1, got {n_train} and {n_test}")
    # --8<-- [start:make_data_body]
    rng = np.random.default_rng(seed)
    X_train = rng.standard_normal((n_train, 1))
    y_train = SLOPE * X_train + INTERCEPT + NOISE_STD * rng.standard_normal((n_train, 1))
    X_test = rng.standard_normal((n_test, 1))
    y_test = SLOPE * X_test + INTERCEPT + NOISE_STD * rng.standard_normal((n_test, 1))
    return X_train, y_train, X_test, y_test
    # --8<-- [end:make_data_body]


# --8<-- [end:make_data]


# --8<-- [start:RegressionDataset]
class RegressionDataset(Dataset[Pair]):
    """Inputs and labels as tensors of one dtype, one pair per index.

    Parameters
    ----------
    X : array_like, shape (N, d)
        Inputs.
    y : array_like, shape (N, m)
        Labels. A 1-D array is refused: against a prediction of shape (N, 1) it would
        broadcast to (N, N).
    dtype : torch.dtype
        Must be the dtype of the model; `nn.Linear` is float32 unless told otherwise.

    Raises
    ------
    ValueError
        If X or y is not 2-D, or their numbers of rows differ.

    Examples
    --------
    >>> dataset = RegressionDataset(np.zeros((3, 1)), np.ones((3, 1)))
    >>> len(dataset), dataset[0]
    (3, (tensor([0.]), tensor([1.])))
    """

    # --8<-- [start:RegressionDataset_body]
    def __init__(self, X: ArrayLike, y: ArrayLike, dtype: torch.dtype = torch.float32) -> None:
        self.X = torch.as_tensor(X, dtype=dtype)
        self.y = torch.as_tensor(y, dtype=dtype)
        if self.X.ndim != 2 or self.y.ndim != 2:
            raise ValueError(
                "X and y must be 2-D, (N, d) and (N, m), "
                f"got shapes {tuple(self.X.shape)} and {tuple(self.y.shape)}"
            )
        if len(self.X) != len(self.y):
            raise ValueError(f"X has {len(self.X)} rows, y has {len(self.y)}")

    def __len__(self) -> int:
        """Return the number of samples N."""
        return len(self.X)

    def __getitem__(self, idx: int) -> Pair:
        """Return the sample at `idx`: tensors of shapes (d,) and (m,)."""
        return self.X[idx], self.y[idx]

    # --8<-- [end:RegressionDataset_body]


# --8<-- [end:RegressionDataset]


# --8<-- [start:make_loaders]
def make_loaders(
    train_dataset: Dataset[Pair], test_dataset: Dataset[Pair], batch_size: int = 32, seed: int = 0
) -> tuple[DataLoader[Pair], DataLoader[Pair]]:
    """Return the loader for training (shuffled) and the loader for testing (in order).

    Parameters
    ----------
    train_dataset, test_dataset : Dataset
        Datasets that give (x, y) pairs.
    batch_size : int
        Samples per batch; the last batch holds what is left over.
    seed : int
        Seed of the shuffling. Each loader owns its generator, because a loader without
        one draws from PyTorch's global generator every time it is iterated.

    Returns
    -------
    train_loader : DataLoader
    test_loader : DataLoader

    Raises
    ------
    ValueError
        If `batch_size` is below 1.

    Examples
    --------
    >>> X_train, y_train, X_test, y_test = make_data()
    >>> train_loader, test_loader = make_loaders(
    ...     RegressionDataset(X_train, y_train), RegressionDataset(X_test, y_test))
    >>> [len(x) for x, y in train_loader]
    [32, 32, 32, 4]
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    # --8<-- [start:make_loaders_body]
    train_loader = DataLoader(
        train_dataset,
        batch_size=batch_size,
        shuffle=True,
        generator=torch.Generator().manual_seed(seed),
    )
    test_loader = DataLoader(test_dataset, batch_size=batch_size, generator=torch.Generator())
    return train_loader, test_loader
    # --8<-- [end:make_loaders_body]


# --8<-- [end:make_loaders]


@dataclass(frozen=True)
class Table:
    """A CSV file as numbers.

    Attributes
    ----------
    X : ndarray, float64, shape (N, d)
        Every column but the target.
    y : ndarray, float64, shape (N, 1)
        The target column.
    features : tuple of str
        The names of the d columns of X.
    target : str
        The name of the target column.
    """

    X: Array
    y: Array
    features: tuple[str, ...]
    target: str


# --8<-- [start:read_csv]
def read_csv(path: str | PathLike[str], target: str) -> Table:
    """Read a CSV file of numbers with one header line.

    Parameters
    ----------
    path : str or path
        The file: comma-separated, UTF-8, names in the first line.
    target : str
        Name of the column to predict; all others become features.

    Returns
    -------
    Table
        `X` (N, d) and `y` (N, 1), float64, with the column names.

    Raises
    ------
    DataError
        If the file cannot be read, has no such column, no feature column, a repeated
        name, fewer than 5 rows, a cell that is empty or not a finite number up to 1e100,
        or a column that never changes. The message is one line and names the place.

    Examples
    --------
    >>> table = read_csv(Path(__file__).parent / "data" / "diabetes.csv", "target")
    >>> table.X.shape, table.y.shape, table.features[2]
    ((442, 10), (442, 1), 'bmi')
    """
    text = _read_cells(path)
    names = [str(name).strip() for name in text.iloc[0]]
    if target not in names:
        raise DataError(f"{path}: no column {target!r}; the columns are {', '.join(names)}")
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"{path}: line 1: the column name {name!r} appears more than once")
    if len(names) < 2:
        raise DataError(f"{path}: {target!r} is the only column, there is nothing to predict from")

    cells = text.iloc[1:]
    cells = cells[~(cells.isna() | (cells == "")).all(axis=1)]  # blank lines hold no sample
    if len(cells) < MIN_ROWS:
        raise DataError(f"{path}: at least {MIN_ROWS} data rows are needed, found {len(cells)}")
    values = cells.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    for row, column in np.argwhere(~(np.abs(values) <= LARGEST))[:1]:
        cell = cells.iloc[row, column]
        if not isinstance(cell, str) or cell.strip().lower() in {"", "nan", "na"}:
            reason = "is missing"
        elif np.isfinite(values[row, column]):
            reason = f"{cell[:30]!r} is too large"
        else:
            reason = f"{cell[:30]!r} is not a finite number"
        line = cells.index[row] + 1
        raise DataError(f"{path}: line {line}, column {names[column]!r}: value {reason}")
    for column in np.flatnonzero(np.ptp(values, axis=0) == 0)[:1]:
        raise DataError(
            f"{path}: column {names[column]!r} is constant "
            f"({values[0, column]:g} in every row) and carries no information"
        )

    at = names.index(target)
    return Table(
        X=np.delete(values, at, axis=1),
        y=values[:, [at]],
        features=tuple(names[:at] + names[at + 1 :]),
        target=target,
    )


# --8<-- [end:read_csv]


def _read_cells(path: str | PathLike[str]) -> pd.DataFrame:
    """Read every cell as text, header included; the index is the line number minus 1."""
    try:
        return pd.read_csv(
            Path(path),
            header=None,
            dtype=str,
            keep_default_na=False,
            skip_blank_lines=False,
            encoding="utf-8-sig",
        )
    except pd.errors.EmptyDataError:
        raise DataError(f"{path}: the file is empty") from None
    except pd.errors.ParserError as error:
        reason = " ".join(str(error).split()).removeprefix("Error tokenizing data. C error: ")
        raise DataError(f"{path}: not a well-formed CSV table: {reason}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None


# --8<-- [start:split]
def split(
    X: Array, y: Array, test_fraction: float = 0.2, seed: int = 0
) -> tuple[Array, Array, Array, Array]:
    """Shuffle the rows and cut off a test set.

    Parameters
    ----------
    X : ndarray, shape (N, d)
        Inputs.
    y : ndarray, shape (N, m)
        Labels.
    test_fraction : float
        Share of the rows that go into the test set, between 0 and 1.
    seed : int
        Seed of the shuffling.

    Returns
    -------
    X_train : ndarray
    y_train : ndarray
    X_test : ndarray
    y_test : ndarray

    Raises
    ------
    ValueError
        If one of the two sets would be empty.

    Examples
    --------
    >>> rows = np.arange(10.0)[:, None]
    >>> [len(part) for part in split(rows, rows)]
    [8, 8, 2, 2]
    """
    n_test = round(test_fraction * len(X))
    if not 0 < n_test < len(X):
        raise ValueError(f"{len(X)} rows cannot be split with test_fraction={test_fraction}")
    order = np.random.default_rng(seed).permutation(len(X))
    test, train = order[:n_test], order[n_test:]
    return X[train], y[train], X[test], y[test]


# --8<-- [end:split]


# --8<-- [start:Scaler]
@dataclass(frozen=True)
class Scaler:
    """Subtract a mean and divide by a standard deviation, both taken from training data.

    Attributes
    ----------
    mean, std : ndarray, float64, shape (d,)
        One value per column. A column that is constant in the training data gets std 1.

    Examples
    --------
    >>> scaler = Scaler.from_training(np.array([[1.0], [3.0]]))
    >>> scaler.transform(np.array([[5.0]]))
    array([[3.]])
    """

    mean: Array
    std: Array

    @classmethod
    def from_training(cls, values: Array) -> Scaler:
        """Measure the columns of `values` (N, d)."""
        std = values.std(axis=0)
        return cls(mean=values.mean(axis=0), std=np.where(std > 0, std, 1.0))

    def transform(self, values: Array) -> Array:
        """Standardise the columns of `values` (N, d)."""
        return (values - self.mean) / self.std

    def inverse(self, values: Array) -> Array:
        """Undo `transform`."""
        return values * self.std + self.mean


# --8<-- [end:Scaler]
