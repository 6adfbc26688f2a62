"""The trainer as a scikit-learn estimator."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from numbers import Integral
from typing import Any, Final

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from bpref.regression.arrays import check_weight, check_X, check_X_y
from bpref.regression.callbacks import Callback, Checkpoint, TrainingState
from bpref.regression.config import Config
from bpref.regression.errors import ConfigError
from bpref.regression.history import History
from bpref.regression.scaling import Scaling
from bpref.regression.trainer import CHECKPOINT_VERSION, Data, Outcome, predict, train

OPTIONS: Final = (  # of Config, under the same names
    *("activation", "dropout", "loss", "huber_delta", "optimizer", "lr", "momentum"),
    *("weight_decay", "schedule", "warmup_epochs", "epochs", "batch_size", "accumulate"),
    *("clip_norm", "patience", "validation", "amp", "backend"),
)
# What the weights and the optimizer's memory belong to: a model is trained further only with it.
LASTING: Final = ("hidden_sizes", "activation", "optimizer", "momentum", "dtype")


class BackpropRegressor(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """A multilayer perceptron for regression, trained by backpropagation.

    The parameters are those of `Config`, which says what each of them does, with its defaults.
    Three things differ, because a user of scikit-learn expects them so:

    - ``random_state=None`` draws new weights and orders in every fit; an integer is the ``seed``
      of `Config` and gives the same result in every fit.
    - ``dtype="auto"`` computes in the dtype of X: float32 for float32, otherwise float64.
    - All rows train. Validation rows are split off only if ``patience`` asks for early stopping,
      and there is no test split: that is the task of `train_test_split` or `cross_val_score`.

    Parameters
    ----------
    hidden_sizes : int or sequence of int
        Units of the hidden layers; () is a linear model.
    activation : {"relu", "tanh", "sigmoid", "gelu", "leaky_relu", "identity"}
    dropout : float
        Share of hidden units set to zero in training, in [0, 1).
    loss : {"mse", "mae", "huber"}
        The mean over samples, by weight, and outputs.
    huber_delta : float
        Where "huber" turns from a square into a line, in units of the standardised target.
    optimizer : {"sgd", "adam", "adamw", "rmsprop", "adagrad"}
    lr : float
        Learning rate after the warm-up.
    momentum : float
        Of "sgd" and "rmsprop", in [0, 1).
    weight_decay : float
        Decoupled for "adamw", added to the gradient for the others, as in PyTorch.
    schedule : {"constant", "cosine", "linear", "step"}
        The rate after the warm-up, over all epochs of the run.
    warmup_epochs : int
        Epochs in which the rate grows linearly.
    epochs : int
        Passes over the training rows in a `fit`. `partial_fit` makes one, and knows from this
        number how long the schedule is.
    batch_size : int
        Rows per optimizer step; all rows if there are fewer.
    accumulate : int
        A batch is worked off in so many parts, to save memory; the step is the same.
    clip_norm : float, optional
        Largest norm of the whole gradient.
    patience : int, optional
        Stop after so many epochs without a better validation loss, and keep the best weights.
        Without it, the weights are those of the last epoch.
    validation : float
        Share of the rows that `patience` looks at, in (0, 1).
    standardize : bool
        Whether X and y are standardised inside, with mean and standard deviation of the training
        rows (by weight; a constant column is only centred). Predictions are in the unit of y.
    dtype : {"auto", "float32", "float64"}
    device : str
        "auto", "cpu", "cuda", "cuda:1", "mps", …
    amp : bool
        Mixed precision (bfloat16 forward pass) where the device has it.
    backend : {"auto", "torch", "numpy"}
        "auto" takes the one that a measured rule calls faster; "numpy" does not need PyTorch.
    warm_start : bool
        Whether `fit` goes on from the model of the call before, with `epochs` more epochs.
    random_state : int, RandomState or None
        Of the initial weights, the order of the rows, the dropout masks and the validation split.
    verbose : bool
        Whether `fit` shows losses, speed and time left on standard error.

    Attributes
    ----------
    weights_ : dict of str to ndarray
        ``"0.weight"`` (units, d), ``"0.bias"`` (units,), ``"2.weight"``, … as in the
        ``state_dict`` of a PyTorch model; of the standardised problem.
    X_scaling_, y_scaling_ : Scaling
        ``mean`` and ``scale``, float64, shapes (d,) and (m,): what was subtracted, and what the
        difference was divided by; 0 and 1 without ``standardize``. They stay those of the first
        call that trained the model.
    history_ : History
        Lists with one value per epoch: ``epoch_loss``, ``val_loss`` (for epochs with validation
        rows), ``lr``. The losses are those of the standardised targets: an MSE of 1 is that of
        the mean.
    loss_curve_ : list of float
        ``history_.epoch_loss``: the mean over the epoch while the weights moved.
    n_iter_ : int
        Epochs done, over all calls that trained the model.
    best_epoch_ : int
        The epoch, from 1, whose weights were kept.
    n_features_in_, n_outputs_ : int
        d and m.
    feature_names_in_ : ndarray of str, shape (d,)
        Columns of X, if it was a data frame.
    seed_ : int
        What ``random_state`` gave: with it as ``random_state``, the fit can be repeated.
    backend_, device_, dtype_ : str
        What the training used.

    Notes
    -----
    A weight of 2 counts as the row twice, where all rows are in one batch. A weight of 0 leaves
    the row out, from the standardisation and the validation, too. Only the ratios of the weights
    count. `score` is R², of several outputs the mean of theirs; it has weights of its own, and
    those of the training play no part in it.

    `partial_fit` and a warm start go on exactly, with the optimizer's memory: k calls of
    `partial_fit` on all rows give, bit for bit, the weights of a `fit` with k epochs, and two warm
    fits with k epochs those of one with 2k. ``hidden_sizes``, ``activation``, ``optimizer``,
    ``momentum``, ``dtype`` and ``standardize`` must stay; what else was set counts from then on.
    A schedule is laid over all epochs, past and to come. After early stopping, a warm start goes
    on from the best weights and looks for the best of the new epochs.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.model_selection import train_test_split
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    >>> model = BackpropRegressor(epochs=20, random_state=0).fit(X_train, y_train)
    >>> model.predict(X_test).shape, model.n_iter_, model.score(X_test, y_test) > 0.3
    ((111,), 20, True)
    """

    weights_: dict[str, np.ndarray]
    X_scaling_: Scaling
    y_scaling_: Scaling
    history_: History
    n_iter_: int
    n_outputs_: int

    def __init__(
        self,
        hidden_sizes: Any = (10,),
        *,
        activation: str = "relu",
        dropout: float = 0.0,
        loss: str = "mse",
        huber_delta: float = 1.0,
        optimizer: str = "sgd",
        lr: float = 0.01,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        schedule: str = "constant",
        warmup_epochs: int = 0,
        epochs: int = 100,
        batch_size: int = 32,
        accumulate: int = 1,
        clip_norm: float | None = None,
        patience: int | None = None,
        validation: float = 0.15,
        standardize: bool = True,
        dtype: str = "auto",
        device: str = "auto",
        amp: bool = False,
        backend: str = "auto",
        warm_start: bool = False,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.hidden_sizes = hidden_sizes
        self.activation = activation
        self.dropout = dropout
        self.loss = loss
        self.huber_delta = huber_delta
        self.optimizer = optimizer
        self.lr = lr
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.warmup_epochs = warmup_epochs
        self.epochs = epochs
        self.batch_size = batch_size
        self.accumulate = accumulate
        self.clip_norm = clip_norm
        self.patience = patience
        self.validation = validation
        self.standardize = standardize
        self.dtype = dtype
        self.device = device
        self.amp = amp
        self.backend = backend
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> BackpropRegressor:
        """Train the model.

        Parameters
        ----------
        X : array or data frame, of pandas or Polars, shape (N, d)
            Numbers, finite, dense.
        y : array, series or data frame, shape (N,) or (N, m)
            Numbers, finite. Predictions have as many axes.
        sample_weight : array, optional, shape (N,)
            At least 0, not 0 everywhere.

        Returns
        -------
        BackpropRegressor
            The estimator itself.

        Raises
        ------
        ValueError
            If X, y or the weights cannot be used; TypeError if they are sparse, or dates.
        ConfigError
            If a parameter cannot be used; it is a ValueError.
        DivergenceError
            If the loss or the outputs are no longer finite. The estimator is then not fitted; one
            that goes on by a warm start keeps the model from before.
        """
        return self._train(X, y, sample_weight, goes_on=self.warm_start)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> BackpropRegressor:
        """Train for one epoch on these rows, from where the call before ended.

        The first call fixes the standardisation: give it enough rows, or standardise before.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.

        Returns
        -------
        BackpropRegressor
            The estimator itself.

        Raises
        ------
        ValueError
            As in `fit`, and if ``patience`` is set: one call has no epochs to choose from.
        ConfigError, DivergenceError
            As in `fit`. The model stays as it was before the call.
        """
        if self.patience is not None:
            raise ValueError(f"partial_fit needs patience=None, got {self.patience!r}")
        return self._train(X, y, sample_weight, goes_on=True, one_epoch=True)

    def predict(self, X: Any) -> np.ndarray:
        """Return the predictions.

        Parameters
        ----------
        X : array or data frame, shape (N, d)
            With the columns of the training, in their order.

        Returns
        -------
        ndarray, float64, shape (N,) or (N, m)
            As y in the training, in its unit.

        Raises
        ------
        NotFittedError
            Before a call of `fit` or `partial_fit`.
        ValueError
            If X cannot be used; TypeError if it is sparse, or dates.
        ConfigError
            If the device cannot be used; a model may be moved by ``set_params(device="cpu")``.
        """
        check_is_fitted(self)
        X = check_X(self, X)
        on_cpu = str(self.device) in ("auto", "cpu")
        config = replace(
            self._config, device=str(self.device), backend=self.backend_ if on_cpu else "torch"
        )
        scaled = self.X_scaling_.apply("X", X, self.dtype_)
        y = self.y_scaling_.undo(predict(config, self.weights_, scaled))
        return y[:, 0] if self._y_ndim == 1 else y

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "weights_")

    def _train(
        self, X: Any, y: Any, sample_weight: Any, *, goes_on: bool, one_epoch: bool = False
    ) -> BackpropRegressor:
        """Train a new model, or further epochs of the one that there is."""
        goes_on = goes_on and self.__sklearn_is_fitted__()
        if not goes_on and hasattr(self, "weights_"):
            del self.weights_  # a fit that fails leaves no model
        X, y, weight = self._check_rows(X, y, sample_weight, goes_on)
        y_ndim, y = y.ndim, y.reshape(len(y), -1)
        if goes_on and y.shape[1] != self.n_outputs_:
            raise ValueError(f"y has {y.shape[1]} outputs, but had {self.n_outputs_} before")
        config = self._further_config(one_epoch) if goes_on else self._new_config(X.dtype)

        rows, val_rows = slice(None), None
        if config.patience is not None:
            rows, val_rows = train_test_split(
                np.arange(len(X)), test_size=config.validation, random_state=config.seed
            )
        w = None if weight is None else weight[rows]
        if goes_on:
            X_scaling, y_scaling = self.X_scaling_, self.y_scaling_
        else:
            X_scaling = Scaling.of("X", X[rows], w, self.standardize)
            y_scaling = Scaling.of("y", y[rows], w, self.standardize)

        def scaled(rows: Any) -> tuple[np.ndarray, np.ndarray]:
            return (
                X_scaling.apply("X", X[rows], config.dtype),
                y_scaling.apply("y", y[rows], config.dtype),
            )

        X_val, y_val = (None, None) if val_rows is None else scaled(val_rows)
        w_val = None if val_rows is None or weight is None else weight[val_rows]
        data = Data(*scaled(rows), X_val, y_val, w, w_val)
        outcome = self._run(config, data, goes_on, one_epoch)

        self._config, self._standardize, self._y_ndim = config, self.standardize, y_ndim
        self.X_scaling_, self.y_scaling_ = X_scaling, y_scaling
        self.n_outputs_, self.seed_, self.dtype_ = y.shape[1], config.seed, config.dtype
        self._keep(outcome)
        return self

    def _check_rows(
        self, X: Any, y: Any, sample_weight: Any, goes_on: bool
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Return the rows that count, as arrays."""
        X, y = check_X_y(self, X, y, reset=not goes_on)
        if sample_weight is None:
            return X, y, None
        weight = check_weight(sample_weight, len(X))
        counts = weight > 0
        return (X, y, weight) if counts.all() else (X[counts], y[counts], weight[counts])

    def _options(self, seed: int, dtype: str) -> Config:
        """Return the parameters as the trainer takes them."""
        for name in ("standardize", "warm_start"):
            if not isinstance(value := plain(getattr(self, name)), bool):
                raise ConfigError(f"{name} must be True or False, got {value!r}")
        options = {name: plain(getattr(self, name)) for name in OPTIONS}
        return Config(
            **options,
            hidden_sizes=tuple(np.atleast_1d(self.hidden_sizes).tolist()),
            device=str(self.device),
            dtype=dtype,
            seed=seed,
            test=0.0,
        )

    def _new_config(self, dtype: np.dtype[Any]) -> Config:
        """Return the options for a new model."""
        state = self.random_state
        if isinstance(state, Integral):
            check_random_state(state)
            seed = int(state)
        else:
            seed = int(check_random_state(state).randint(2**31))
        return self._options(seed, str(dtype) if self.dtype == "auto" else self.dtype)

    def _further_config(self, one_epoch: bool) -> Config:
        """Return the options for further epochs of the model that there is."""
        config = self._options(self.seed_, self.dtype_ if self.dtype == "auto" else self.dtype)
        was = {name: getattr(self._config, name) for name in LASTING}
        now = {name: getattr(config, name) for name in LASTING}
        was["standardize"], now["standardize"] = self._standardize, self.standardize
        for name, value in was.items():
            if value != now[name]:
                raise ConfigError(
                    f"{name} must stay {value!r} for a model that is trained further, "
                    f"got {now[name]!r}"
                )
        done = self.n_iter_
        epochs = max(config.epochs, done + 1) if one_epoch else done + config.epochs
        backend = self.backend_ if config.backend == "auto" else config.backend
        return replace(config, epochs=epochs, backend=backend)

    def _run(self, config: Config, data: Data, goes_on: bool, one_epoch: bool) -> Outcome:
        """Train."""
        state = self._checkpoint() if goes_on else None
        if state is not None and config.schedule != "constant":
            batches = -(-len(data.X_train) // config.batch_size)
            if state["step"] != state["epoch"] * batches:
                raise ValueError(
                    f"schedule {config.schedule!r} needs epochs of equal length: "
                    f"they had {state['step'] / state['epoch']:g} batches, this one has {batches}"
                )
        if one_epoch:
            return train(config, data, callbacks=[OneEpoch()], state=state)
        if not self.verbose:
            return train(config, data, state=state)
        from bpref.regression.progress import Progress

        with closing(Progress(len(data.X_train))) as progress:
            return train(config, data, callbacks=[progress], state=state)

    def _keep(self, outcome: Outcome) -> None:
        """Keep the weights, and what it takes to train them further."""
        chosen = self._config.patience is not None
        self.weights_ = outcome.best if chosen else outcome.last
        self.best_epoch_ = outcome.best_epoch if chosen else outcome.epochs_run
        self.history_, self.n_iter_ = outcome.history, outcome.epochs_run
        self.loss_curve_ = outcome.history.epoch_loss
        self.backend_, self.device_ = outcome.backend, outcome.device
        self._optimizer_state = {
            key: value
            for key, value in outcome.checkpoint.items()
            if key.startswith("optimizer.") or key == "step"
        }

    def _checkpoint(self) -> Checkpoint:
        """Return the state of a run that begins anew with the model of now."""
        weights = {
            f"{copy}.{key}": value
            for copy in ("model", "best", "good")
            for key, value in self.weights_.items()
        }
        history = {f"history.{key}": np.array(v) for key, v in vars(self.history_).items()}
        return {
            **weights,
            **history,
            **self._optimizer_state,
            "version": CHECKPOINT_VERSION,
            "backend": self.backend_,
            "device": self.device_,
            "epoch": self.n_iter_,
            "batch": 0,
            "loss_sum": 0.0,
            "weight_sum": 0.0,
            "best_epoch": self.n_iter_,  # early stopping counts from here
            "best_loss": None,
        }


class OneEpoch(Callback):
    """End the run after an epoch."""

    def on_epoch_end(self, state: TrainingState) -> bool:
        """Now."""
        return True


def plain(value: Any) -> Any:
    """Return a NumPy scalar, such as a search draws, as a number of Python."""
    return value.item() if isinstance(value, np.generic) else value
