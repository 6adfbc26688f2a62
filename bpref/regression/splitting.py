"""Which rows of a table train, validate and test."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bpref.regression.errors import DataError

IntArray: TypeAlias = NDArray[np.int64]


def split_rows(
    n: int, validation: float, test: float, seed: int, *, source: str = "the table"
) -> tuple[IntArray, IntArray, IntArray]:
    """Draw which rows train, validate and test.

    Parameters
    ----------
    n : int
        Number of rows.
    validation, test : float
        Their shares; 0 gives no row.
    seed : int
        Of the permutation, from a generator of its own.
    source : str
        What a message calls the table.

    Returns
    -------
    train, validation, test : ndarray, int64
        Positions in ascending order; together every row once.

    Raises
    ------
    DataError
        If fewer than 2 rows are left for training, or a share above 0 gives no row.

    Examples
    --------
    >>> train, validation, test = split_rows(10, 0.2, 0.1, seed=0)
    >>> len(train), len(validation), len(test)
    (7, 2, 1)
    """
    n_validation, n_test = round(validation * n), round(test * n)
    n_train = n - n_validation - n_test
    if n_train < 2 or (validation > 0) > n_validation or (test > 0) > n_test:
        count = "1 row is" if n == 1 else f"{n} rows are"
        raise DataError(
            f"{source}: {count} too few: split into {n_train} for training, {n_validation} for "
            f"validation (a share of {validation:g}) and {n_test} for test (a share of {test:g}); "
            "training needs 2, a share above 0 needs 1"
        )
    order = np.random.default_rng(seed).permutation(n)
    cuts = [n_test, n_test + n_validation]
    test_rows, validation_rows, train_rows = (np.sort(part) for part in np.split(order, cuts))
    return train_rows, validation_rows, test_rows
