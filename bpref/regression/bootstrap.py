"""How sure a score is: intervals from drawing the rows of the test set again."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEVEL: Final = 0.95
DRAWS: Final = 10_000_000  # rows drawn in all: a large test set gets fewer resamples
MOST, FEWEST = 4999, 299  # resamples
BCA_ROWS: Final = 2000  # BCa leaves out every row in turn: the square of the number of rows


@dataclass(frozen=True)
class Interval:
    """A bootstrap interval.

    Attributes
    ----------
    low, high : float
        Its ends.
    method : str
        "BCa" or "percentile".
    resamples : int
        How many times the rows were drawn.
    """

    low: float
    high: float
    method: str
    resamples: int


def interval(statistic: Callable[..., Array], *columns: Array, seed: int) -> Interval | None:
    """Return the 95% bootstrap interval of a statistic of rows.

    Up to 2000 rows it is the bias-corrected and accelerated interval (BCa), above, and where
    BCa is not defined, the percentile interval.

    Parameters
    ----------
    statistic : callable
        Maps arrays of shape (..., N), one for each column, to an array of shape (...).
    *columns : ndarray, shape (N,)
        The rows; a row is drawn with all its columns.
    seed : int
        Of the draws.

    Returns
    -------
    Interval or None
        None where there is no interval: fewer than two rows, or a statistic that is not
        defined for some draws (R² when all rows drawn have the same y).

    Examples
    --------
    >>> values = np.random.default_rng(0).normal(5, 1, size=100)
    >>> result = interval(lambda v: v.mean(axis=-1), values, seed=0)
    >>> result.low < 5 < result.high, result.method
    (True, 'BCa')
    """
    from scipy import stats

    n = len(columns[0])
    if n < 2:
        return None
    resamples = int(np.clip(DRAWS // n, FEWEST, MOST))
    for method in ("BCa", "percentile") if n <= BCA_ROWS else ("percentile",):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            # All draws alike, or all on one side of the value: the ends come back as NaN.
            warnings.simplefilter("ignore", stats.DegenerateDataWarning)
            found = stats.bootstrap(
                columns,
                lambda *drawn, axis: statistic(*drawn),
                paired=True,
                vectorized=True,
                n_resamples=resamples,
                batch=max(1, 1_000_000 // n),
                confidence_level=LEVEL,
                method=method,
                rng=np.random.default_rng(seed),
            )
        if not np.isfinite(found.bootstrap_distribution).all():
            return None
        low, high = (float(end) for end in found.confidence_interval)
        if np.isfinite([low, high]).all():
            return Interval(low, high, method, resamples)
    return None


def _mean(rows: Array) -> Array:
    return np.mean(rows, axis=-1)


def score_intervals(y: Array, prediction: Array, *, seed: int) -> dict[str, Interval | None]:
    """Return an interval for each score of `scores`, for one target.

    Parameters
    ----------
    y, prediction : ndarray, shape (N,)
        True and predicted values.
    seed : int
        As in `interval`.

    Returns
    -------
    dict
        Of Interval or None, by the names of METRICS.

    Examples
    --------
    >>> y = np.arange(20.0)
    >>> found = score_intervals(y, y + np.sin(y), seed=0)
    >>> found["rmse"].high == found["mse"].high ** 0.5
    True
    """
    y, prediction = np.asarray(y, dtype=np.float64), np.asarray(prediction, dtype=np.float64)
    square = (y - prediction) ** 2
    spread = y - y.mean()  # the same R², and no digits lost where y is far from zero

    def r2(square: Array, spread: Array) -> Array:
        varies = np.ptp(spread, axis=-1) > 0
        return 1 - np.mean(square, axis=-1) / np.where(varies, np.var(spread, axis=-1), np.nan)

    found = {
        "mse": interval(_mean, square, seed=seed),
        "mae": interval(_mean, np.abs(y - prediction), seed=seed),
        "r2": interval(r2, square, spread, seed=seed),
    }
    # The root is increasing, so that it maps the ends of one interval to those of the other.
    mse = found["mse"]
    found["rmse"] = mse and Interval(
        max(mse.low, 0.0) ** 0.5, mse.high**0.5, mse.method, mse.resamples
    )
    return found


def paired_difference(y: Array, prediction: Array, other: Array, *, seed: int) -> Interval | None:
    """Return an interval for the MSE of `prediction` minus the MSE of `other`, same rows.

    Below zero: `prediction` is the better one. The rows are drawn once for both, so that what
    makes a row hard for both cancels.

    Parameters
    ----------
    y, prediction, other : ndarray, shape (N,)
        True values and two predictions.
    seed : int
        As in `interval`.

    Returns
    -------
    Interval or None

    Examples
    --------
    >>> y = np.arange(20.0)
    >>> found = paired_difference(y, y + 0.1, y + 1 + 0.1 * np.cos(y), seed=0)
    >>> found.high < 0
    True
    """
    difference = (prediction - y) ** 2 - (other - y) ** 2
    return interval(_mean, difference, seed=seed)
