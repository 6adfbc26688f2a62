"""What a good result is: the noise floor, and three predictors to compare with."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bpref.regression.config import Config
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


MLP_VISITS: Final = 20_000_000  # rows x epochs up to which MLPRegressor is trained
BLOCK: Final = 65_536  # rows that `summary_rows` reads at a time


@dataclass(frozen=True)
class Baseline:
    """A predictor to compare the network with, fitted on the same training rows.

    Attributes
    ----------
    name : str
        For a table.
    predict : callable or None
        Maps X (N, d) to predictions (N, m); None where there is none, `note` says why.
    note : str
        How it was fitted, one sentence.
    """

    name: str
    predict: Callable[[Array], Array] | None
    note: str


def baselines(
    config: Config,
    X_train: Array,
    y_train: Array,
    X_val: Array,
    y_val: Array,
    *,
    mlp_visits: int = MLP_VISITS,
) -> list[Baseline]:
    """Fit the constant, least squares and scikit-learn's MLPRegressor.

    Parameters
    ----------
    config : Config
        Options of the network; MLPRegressor takes those that it has.
    X_train, X_val : ndarray, shapes (N, d) and (M, d)
        Inputs as the network sees them.
    y_train, y_val : ndarray, shapes (N, m) and (M, m)
        Targets in their own unit. The validation rows choose the epoch of MLPRegressor, as
        they do for the network.
    mlp_visits : int
        MLPRegressor is left out if rows x epochs is larger.

    Returns
    -------
    list of Baseline
        Always three.

    Examples
    --------
    >>> X = np.linspace(-1, 1, 40)[:, None]
    >>> found = baselines(Config(epochs=2), X[:30], 2 * X[:30], X[30:], 2 * X[30:])
    >>> [one.name for one in found]
    ['constant (training mean)', 'least squares', 'scikit-learn MLPRegressor']
    >>> bool(np.allclose(found[1].predict(X), 2 * X))
    True
    """
    mean = y_train.mean(axis=0)
    weight, bias = least_squares(*summary_rows(X_train, y_train))
    return [
        Baseline(
            "constant (training mean)",
            lambda X: np.tile(mean, (len(X), 1)),
            "The mean of the target over the training rows, for every row.",
        ),
        Baseline(
            "least squares",
            lambda X: X @ weight.T + bias,
            "The linear model with the smallest squared error on the training rows, closed form.",
        ),
        mlp_baseline(config, X_train, y_train, X_val, y_val, mlp_visits=mlp_visits),
    ]


def summary_rows(X: Array, y: Array) -> tuple[Array, Array]:
    """Return few rows on which least squares finds the same line as on all of (X, y).

    A million rows would be copied twice by the singular value decomposition; here they are
    read in blocks. Least squares needs the means and the products of the centred columns,
    and these stay the same: with Z the centred columns and QR = Z, the rows mean + R / sqrt(2)
    and mean - R / sqrt(2) have the mean of Z and R^T R = Z^T Z.

    Parameters
    ----------
    X : ndarray, shape (N, d)
        Inputs.
    y : ndarray, shape (N, m)
        Labels.

    Returns
    -------
    X : ndarray, shape (n, d)
    y : ndarray, shape (n, m)
        As they are if N is small; else n = 2 (d + m).

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(100_000, 2))
    >>> y = X @ np.array([[1.0], [2.0]]) + 3 + X[:, :1] ** 2
    >>> few = summary_rows(X, y)
    >>> few[0].shape, few[1].shape
    ((6, 2), (6, 1))
    >>> bool(np.allclose(least_squares(*few)[0], least_squares(X, y)[0], rtol=1e-10))
    True
    """
    width = X.shape[1] + y.shape[1]
    if len(X) <= max(BLOCK, 4 * width):
        return X, y
    mean = np.concatenate([X.mean(axis=0), y.mean(axis=0)])
    R: Array = np.empty((0, width))
    for start in range(0, len(X), BLOCK):
        block = np.hstack([X[start : start + BLOCK], y[start : start + BLOCK]]) - mean
        R = np.asarray(np.linalg.qr(np.vstack([R, block]), mode="r"))
    rows = np.vstack([mean + R / np.sqrt(2), mean - R / np.sqrt(2)])
    return rows[:, : X.shape[1]], rows[:, X.shape[1] :]


def mlp_baseline(
    config: Config,
    X_train: Array,
    y_train: Array,
    X_val: Array,
    y_val: Array,
    *,
    mlp_visits: int = MLP_VISITS,
) -> Baseline:
    """Fit scikit-learn's MLPRegressor with the budget of the network.

    Same hidden sizes, batch size, number of epochs, standardised target, and the weights of
    the best epoch on the same validation rows with the same patience: `partial_fit` goes
    through the data once, so that the choice is made here and not on a split of its own.
    What it does not have is replaced, and the note says by what.

    Parameters
    ----------
    config, X_train, y_train, X_val, y_val, mlp_visits
        As in `baselines`.

    Returns
    -------
    Baseline
        Without `predict` if it was left out or diverged.

    Examples
    --------
    >>> X = np.linspace(-1, 1, 40)[:, None]
    >>> mlp_baseline(Config(epochs=2), X, X, X, X).predict(X).shape
    (40, 1)
    >>> mlp_baseline(Config(epochs=2), X, X, X, X, mlp_visits=79).note
    'Left out: 40 rows × 2 epochs are more than 79.'
    """
    from sklearn.neural_network import MLPRegressor

    name = "scikit-learn MLPRegressor"
    if len(X_train) * config.epochs > mlp_visits:
        return Baseline(
            name,
            None,
            f"Left out: {len(X_train):,} rows × {config.epochs:,} epochs are more than "
            f"{mlp_visits:,}.",
        )
    options, replaced = mlp_options(config, *y_train.shape)
    mean, std = y_train.mean(axis=0), y_train.std(axis=0)
    std = np.where(std > 0, std, 1.0)
    target = (y_train - mean) / std
    if y_train.shape[1] == 1:
        target = target[:, 0]
    model = MLPRegressor(**options, random_state=np.random.RandomState(config.seed % 2**32))

    def predict(X: Array) -> Array:
        return model.predict(X).reshape(len(X), -1) * std + mean

    best, best_weights, waited, epochs = np.inf, None, 0, 0
    with np.errstate(over="ignore", invalid="ignore"):  # where it diverges; it then says so
        while epochs < config.epochs and waited != config.patience:
            epochs += 1
            try:
                model.partial_fit(X_train, target)
            except ValueError as error:
                if "non-finite" not in str(error):
                    raise
                return Baseline(name, None, f"Left out: it diverged in epoch {epochs}.")
            loss = float(np.mean(((predict(X_val) - y_val) / std) ** 2))
            waited += 1
            if loss < best:
                best, waited = loss, 0
                best_weights = copy.deepcopy((model.coefs_, model.intercepts_))
    if best_weights is None:
        return Baseline(name, None, "Left out: its validation loss was never a finite number.")
    model.coefs_, model.intercepts_ = best_weights
    sizes = "–".join(map(str, config.hidden_sizes)) or "none"
    note = (
        f"Hidden sizes {sizes}, {model.solver}, {epochs} epochs, "
        f"batches of {options['batch_size']}, best epoch on the validation rows."
    )
    return Baseline(name, predict, " ".join([note, *replaced]))


def mlp_options(config: Config, rows: int, outputs: int) -> tuple[dict[str, Any], list[str]]:
    """Return the arguments of MLPRegressor for a configuration, and what it has not.

    MLPRegressor takes half the squared error, summed over the outputs, where the network takes
    the mean: its gradient is outputs / 2 times as large. The learning rate of SGD makes up for
    that, and the L2 penalty is set for the same ratio to the gradient (`alpha` is divided by
    the rows of a batch).

    Parameters
    ----------
    config : Config
        Options of the network.
    rows, outputs : int
        Training rows and targets.

    Returns
    -------
    options : dict
        Keyword arguments of `sklearn.neural_network.MLPRegressor`.
    replaced : list of str
        A sentence for each option of the network that it does not have.

    Examples
    --------
    >>> options, replaced = mlp_options(Config(optimizer="rmsprop", dropout=0.1), 100, 1)
    >>> options["solver"], options["batch_size"]
    ('adam', 32)
    >>> replaced
    ['It has no rmsprop: adam.', 'It has no dropout.']
    """
    activations = {"relu": "relu", "tanh": "tanh", "sigmoid": "logistic", "identity": "identity"}
    activation = activations.get(config.activation, "relu")
    solver = "sgd" if config.optimizer == "sgd" else "adam"
    batch_size = min(config.batch_size, rows)
    replaced = []
    if config.activation not in activations:
        replaced.append(f"It has no {config.activation}: {activation}.")
    if config.optimizer not in ("sgd", "adam", "adamw"):
        replaced.append(f"It has no {config.optimizer}: {solver}.")
    if config.optimizer == "adamw":
        replaced.append("It has no decoupled weight decay: an L2 penalty with adam.")
    if config.loss != "mse":
        replaced.append(f"It has no {config.loss} loss: squared error.")
    if config.dropout:
        replaced.append("It has no dropout.")
    if config.schedule != "constant" or config.warmup_epochs:
        replaced.append("It has no such schedule: the rate is constant.")
    if config.clip_norm is not None:
        replaced.append("It has no clipping.")
    options = {
        "hidden_layer_sizes": config.hidden_sizes,
        "activation": activation,
        "solver": solver,
        "alpha": config.weight_decay * batch_size * outputs / 2,
        "batch_size": batch_size,
        "learning_rate_init": config.lr * (2 / outputs if solver == "sgd" else 1),
        "momentum": config.momentum if solver == "sgd" else 0.9,
        "nesterovs_momentum": False,
    }
    return options, replaced
