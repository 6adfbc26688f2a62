"""How far predictions are from the truth: MSE, RMSE, MAE, R²."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bpref.regression.wording import digits

Array = NDArray[np.float64]

METRICS: Final = ("mse", "rmse", "mae", "r2")
NAMES: Final = {"mse": "MSE", "rmse": "RMSE", "mae": "MAE", "r2": "R²"}
LOSSES: Final = {
    "mse": "mean squared error",
    "mae": "mean absolute error",
    "huber": "Huber loss",
}
TINY: Final = 1e-290  # below, a mean of squares has lost digits


def scores(y: Array, prediction: Array) -> dict[str, Array]:
    """Return the scores along the last axis; any axes before it are kept.

    Parameters
    ----------
    y, prediction : ndarray, shape (..., N)
        True and predicted values of one target, in its own unit.

    Returns
    -------
    dict
        One array of shape (...) for each name in METRICS. R² is 1 minus the mean squared error
        over the variance of y; it is NaN where y does not vary.

    Raises
    ------
    ValueError
        If the shapes differ or there is no row; nothing is broadcast.

    Examples
    --------
    >>> result = scores(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 5.0]))
    >>> {name: round(float(value), 3) for name, value in result.items()}
    {'mse': 1.333, 'rmse': 1.155, 'mae': 0.667, 'r2': -1.0}
    """
    y, prediction = np.asarray(y, dtype=np.float64), np.asarray(prediction, dtype=np.float64)
    if y.shape != prediction.shape or y.ndim == 0 or y.shape[-1] == 0:
        raise ValueError(f"two arrays (..., N) are needed, got {y.shape} and {prediction.shape}")
    error = y - prediction
    mse = np.mean(error**2, axis=-1)
    # ptp, not the variance: the mean of equal values may be off by a rounding error.
    spread = np.ptp(y, axis=-1)
    variance = np.where(spread > 0, np.var(y, axis=-1), np.nan)
    r2 = 1 - mse / np.where(variance > TINY, variance, np.nan)
    if np.any(variance <= TINY):  # a square has left the range of float64, their ratio has not
        unit = np.where(spread > 0, spread, 1.0)[..., None]
        with np.errstate(all="ignore"):
            ratio = np.mean((error / unit) ** 2, axis=-1) / np.var(y / unit, axis=-1)
        r2 = np.where(variance <= TINY, 1 - ratio, r2)
    return {
        "mse": mse,
        "rmse": np.sqrt(mse),
        "mae": np.mean(np.abs(error), axis=-1),
        "r2": r2,
    }


def shown(score: float | None, metric: str = "mse") -> str:
    """Return a score as text; None, as JSON has it, is a score that is not defined.

    Examples
    --------
    >>> shown(7.64423), shown(0.87812, "r2"), shown(float("nan"), "r2")
    ('7.644', '0.878', 'not defined')
    """
    if score is None or not np.isfinite(score):
        return "not defined"
    return f"{score:.3f}" if metric == "r2" else digits(score)


def loss_unit(loss: str, std: Array) -> tuple[float, str]:
    """Return the factor from the losses of a history to the unit of the target, and their name.

    The network learns the standardised target. For one target the factor is a power of its
    standard deviation; the mean over several targets has no unit, and stays as it is.

    Parameters
    ----------
    loss : str
        As in `Config`.
    std : ndarray, shape (m,)
        Of the targets, by which they were divided.

    Returns
    -------
    factor : float
    name : str

    Examples
    --------
    >>> loss_unit("mse", np.array([3.0]))
    (9.0, 'mean squared error')
    >>> loss_unit("mae", np.array([3.0, 1.0]))
    (1.0, 'mean absolute error (standardised)')
    """
    std = np.asarray(std, dtype=np.float64)
    if std.shape != (1,):
        return 1.0, f"{LOSSES[loss]} (standardised)"
    return float(std[0] if loss == "mae" else std[0] ** 2), LOSSES[loss]
