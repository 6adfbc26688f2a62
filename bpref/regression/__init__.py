"""Regression on tables: data, model, loop, baselines, reports, and the command `bpref-train`.

This is the only part of `bpref` that uses PyTorch, and `import bpref` does not import it. Here a
name is imported when it is first used: what needs NumPy only does not wait for PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bpref.regression.baseline import NOISE_FLOOR, least_squares, mse
    from bpref.regression.batches import Batches
    from bpref.regression.callbacks import Callback, EarlyStopping, TrainingState
    from bpref.regression.config import Config
    from bpref.regression.data import RegressionDataset, make_data, make_loaders
    from bpref.regression.errors import ConfigError, DataError, DivergenceError, RunError
    from bpref.regression.estimator import BackpropRegressor
    from bpref.regression.history import History
    from bpref.regression.loss import Criterion
    from bpref.regression.model import MLP
    from bpref.regression.number_table import Scaler, Table, read_csv, split
    from bpref.regression.plotting import plot_fit, plot_losses
    from bpref.regression.trainer import Data, Outcome, predict, train
    from bpref.regression.training import evaluate, fit, train_epoch

_MODULES = {
    "baseline": ("NOISE_FLOOR", "least_squares", "mse"),
    "batches": ("Batches",),
    "callbacks": ("Callback", "EarlyStopping", "TrainingState"),
    "config": ("Config",),
    "data": ("RegressionDataset", "make_data", "make_loaders"),
    "errors": ("ConfigError", "DataError", "DivergenceError", "RunError"),
    "estimator": ("BackpropRegressor",),
    "history": ("History",),
    "loss": ("Criterion",),
    "model": ("MLP",),
    "number_table": ("Scaler", "Table", "read_csv", "split"),
    "plotting": ("plot_fit", "plot_losses"),
    "trainer": ("Data", "Outcome", "predict", "train"),
    "training": ("evaluate", "fit", "train_epoch"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "MLP",
    "NOISE_FLOOR",
    "BackpropRegressor",
    "Batches",
    "Callback",
    "Config",
    "ConfigError",
    "Criterion",
    "Data",
    "DataError",
    "DivergenceError",
    "EarlyStopping",
    "History",
    "Outcome",
    "RegressionDataset",
    "RunError",
    "Scaler",
    "Table",
    "TrainingState",
    "evaluate",
    "fit",
    "least_squares",
    "make_data",
    "make_loaders",
    "mse",
    "plot_fit",
    "plot_losses",
    "predict",
    "read_csv",
    "split",
    "train",
    "train_epoch",
]


def __getattr__(name: str) -> Any:
    """Import a name when it is first used."""
    if name in _MODULE_OF:
        return getattr(import_module(f"bpref.regression.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module 'bpref.regression' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
