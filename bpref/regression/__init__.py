"""The article's regression task in PyTorch: data, model, loop, baseline, pictures.

This is the only part of `bpref` that imports torch, and `import bpref` does not import it.
Run it with `python -m bpref.regression`.
"""

from bpref.regression.baseline import NOISE_FLOOR, least_squares, mse
from bpref.regression.data import (
    DataError,
    RegressionDataset,
    Scaler,
    Table,
    make_data,
    make_loaders,
    read_csv,
    split,
)
from bpref.regression.model import MLP
from bpref.regression.plotting import plot_fit, plot_losses
from bpref.regression.training import History, evaluate, fit, train_epoch

__all__ = [
    "MLP",
    "NOISE_FLOOR",
    "DataError",
    "History",
    "RegressionDataset",
    "Scaler",
    "Table",
    "evaluate",
    "fit",
    "least_squares",
    "make_data",
    "make_loaders",
    "mse",
    "plot_fit",
    "plot_losses",
    "read_csv",
    "split",
    "train_epoch",
]
