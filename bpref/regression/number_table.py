"""A file of numbers alone: read, split and standardised without the trainer."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike

import numpy as np

from bpref.regression.errors import DataError
from bpref.regression.frames import Array
from bpref.regression.preprocessing import Preprocessor
from bpref.regression.table import read_table
from bpref.regression.wording import shown

MIN_ROWS = 5  # the smallest table that an 80 % / 20 % split leaves with a test row


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
    >>> from pathlib import Path
    >>> table = read_csv(Path(__file__).parent / "data" / "diabetes.csv", "target")
    >>> table.X.shape, table.y.shape, table.features[2]
    ((442, 10), (442, 1), 'bmi')
    """
    frame = read_table(path)
    source = frame.attrs["source"]
    if len(frame) < MIN_ROWS:
        raise DataError(f"{source}: at least {MIN_ROWS} rows are needed, found {len(frame)}")
    columns = Preprocessor.fit(frame, target)  # refuses what nothing can be learned from
    for name in columns.categorical_names:
        raise DataError(f"{source}: column {shown(name)} holds text: this reader takes numbers")
    features = list(columns.feature_names)
    X = np.ascontiguousarray(frame[features].to_numpy())
    return Table(X, frame[[target]].to_numpy(), tuple(features), target)


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
