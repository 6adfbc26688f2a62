"""The tables that the estimator takes, of NumPy, pandas or Polars, as arrays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.validation import validate_data

SPAN: Final = 1e-30  # smallest ratio of two sample weights: float32 has to hold their products
# As dtypes begin: "Date", "Duration(…)", "Time" of Polars, "timedelta64[s]", "period[M]" of pandas.
TIMES: Final = ("date", "duration", "period", "time")
FLOAT64: Final = {"dtype": np.float64, "ensure_2d": False}


def check_X(estimator: Any, X: Any) -> np.ndarray:
    """Return X (N, d), float32 or float64, with the columns that the estimator knows."""
    of_X = _options("X", X)
    with _columns_named(X):
        return validate_data(estimator, X, reset=False, **of_X)


def check_X_y(estimator: Any, X: Any, y: Any, *, reset: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return X (N, d), float32 or float64, and y (N,) or (N, m), float64.

    With `reset` the estimator learns the number of columns and their names; without, X must have
    the same.
    """
    both = _options("X", X), _options("y", y) | FLOAT64
    with _columns_named(X):
        X, y = validate_data(estimator, X, y, reset=reset, validate_separately=both)
    check_consistent_length(X, y)
    return X, y


def check_weight(weight: Any, rows: int) -> np.ndarray:
    """Return the sample weights (N,), at least 0, the largest from 0.5 to 1."""
    options = _options("sample_weight", weight) | FLOAT64
    weight = check_array(weight, **options, input_name="sample_weight")
    if weight.shape != (rows,):
        raise ValueError(f"sample_weight must have shape ({rows},), got {weight.shape}")
    high = weight.max()
    if weight.min() < 0 or high == 0:
        raise ValueError("sample_weight must be at least 0 and not zero everywhere")
    low = weight[weight > 0].min()
    if low < high * SPAN:
        raise ValueError(
            f"sample_weight from {low:g} to {high:g}: the smallest above 0 must be at least "
            f"{SPAN:g} of the largest"
        )
    # Only their ratios count. Divided by a power of two, which changes no bit of a result.
    return np.ldexp(weight, -np.frexp(high)[1])


def _options(name: str, values: Any) -> dict[str, Any]:
    """Return how `check_array` makes an array of them; refuse what it would take for numbers."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise ValueError(f"{name} has masked values: fill them in, or leave their rows out")
    if type(values).__name__ == "LazyFrame":
        raise TypeError(f"{name} is a LazyFrame, which has no rows yet: collect() it")
    kinds = set()
    for column, dtype in _dtypes(values):
        kind = str(dtype).lower().removeprefix("torch.")
        if kind.startswith(TIMES):  # a number of what, and since when, differs between tables
            raise TypeError(
                f"{column or name} holds dates or times ({dtype}): turn them into numbers, "
                "e.g. of days"
            )
        kinds.add(kind)
    # Of a list of dtypes scikit-learn keeps that of an array and of a frame of pandas only. In
    # another order than that of the rows, sums would be rounded in another way.
    keep = (np.float64, np.float32)
    return {"dtype": np.float32 if kinds == {"float32"} else keep, "order": "C"}


def _dtypes(values: Any) -> Iterator[tuple[str, Any]]:
    """Give the dtype of every column with what messages call it, or that of an array."""
    if hasattr(values, "columns") and hasattr(values, "dtypes"):
        for column, dtype in zip(values.columns, values.dtypes, strict=True):
            yield f"column {column!r}", dtype
    elif hasattr(values, "dtype"):
        yield "", values.dtype


@contextmanager
def _columns_named(X: Any) -> Iterator[None]:
    """Name the column of a frame that cannot be turned into numbers."""
    try:
        yield
    except (TypeError, ValueError) as error:
        for name in getattr(X, "columns", ()):
            try:
                check_array(X[name], **FLOAT64, ensure_all_finite=False, ensure_min_samples=0)
            except (TypeError, ValueError):
                raise ValueError(
                    f"column {name!r} is not of numbers ({error}): encode it, e.g. with "
                    "OneHotEncoder"
                ) from None
        raise
