"""What a good result is: least squares, the constant predictor, the noise floor."""

from __future__ import annotations

import numpy as np

from bpref.regression.data import NOISE_STD, Array

# --8<-- [start:noise_floor]
NOISE_FLOOR = NOISE_STD**2  # Var(noise): no predictor of the article's data can expect less
# --8<-- [end:noise_floor]


# --8<-- [start:least_squares]
def least_squares(X: Array, y: Array) -> tuple[Array, Array]:
    """Return the linear map with the smallest mean squared error on (X, y), in closed form.

    The data are centred, then the slope comes from the singular value decomposition
    X - mean(X) = U S Vᵀ as V S⁻¹ Uᵀ (y - mean(y)); directions without any variation
    get slope 0.

    Parameters
    ----------
    X : ndarray, shape (N, d)
        Inputs.
    y : ndarray, shape (N, m)
        Labels.

    Returns
    -------
    weight : ndarray, float64, shape (m, d)
    bias : ndarray, float64, shape (m,)
        In the layout of `nn.Linear`: the prediction is X @ weight.T + bias.

    Raises
    ------
    ValueError
        If X or y is not 2-D, their numbers of rows differ, or there is no row.

    Examples
    --------
    >>> X = np.array([[0.0], [1.0], [2.0]])
    >>> weight, bias = least_squares(X, 2 * X + 1)
    >>> float(round(weight[0, 0], 12)), float(round(bias[0], 12))
    (2.0, 1.0)
    """
    X, y = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if X.ndim != 2 or y.ndim != 2 or len(X) != len(y) or len(X) == 0:
        raise ValueError(f"X (N, d) and y (N, m) are needed, got shapes {X.shape} and {y.shape}")
    # --8<-- [start:least_squares_body]
    X_mean, y_mean = X.mean(axis=0), y.mean(axis=0)
    U, S, Vt = np.linalg.svd(X - X_mean, full_matrices=False)
    smallest = max(X.shape) * np.finfo(np.float64).eps * S.max(initial=0.0)
    keep = np.greater(S, smallest)
    U, S, Vt = U[:, keep], S[keep], Vt[keep]
    weight = ((U.T @ (y - y_mean)).T / S) @ Vt
    bias = y_mean - X_mean @ weight.T
    return weight, bias
    # --8<-- [end:least_squares_body]


# --8<-- [end:least_squares]


# --8<-- [start:mse]
def mse(prediction: Array, y: Array) -> float:
    """Return the mean squared error of two arrays of the same shape.

    Parameters
    ----------
    prediction : ndarray, shape (N, m)
        Predictions.
    y : ndarray, shape (N, m)
        Labels.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the shapes differ; nothing is broadcast.

    Examples
    --------
    >>> mse(np.array([[1.0], [2.0]]), np.array([[1.0], [4.0]]))
    2.0
    """
    prediction, y = np.asarray(prediction), np.asarray(y)
    if prediction.shape != y.shape:
        raise ValueError(f"shapes differ: {prediction.shape} and {y.shape}")
    return float(np.mean((prediction - y) ** 2))


# --8<-- [end:mse]
