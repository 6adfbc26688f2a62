"""The pictures: the fit and the two loss curves, written without a display."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from bpref.regression.data import Array
from bpref.regression.training import History


# --8<-- [start:plot_fit]
def plot_fit(
    X: Array,
    y: Array,
    prediction: Array,
    baseline: Array,
    title: str = "fit",
) -> Figure:
    """Draw the model's predictions next to the labels and to least squares.

    With one input column: labels as points and both predictions as lines over x.
    With more: prediction against label, where the diagonal is a perfect prediction.

    Parameters
    ----------
    X : ndarray, shape (N, d)
        Inputs.
    y, prediction, baseline : ndarray, shape (N, 1)
        Labels, predictions of the model, predictions of least squares.
    title : str
        Heading of the picture.

    Returns
    -------
    matplotlib.figure.Figure
        Free of pyplot: no window, no global state; `figure.savefig(path)` writes it.

    Examples
    --------
    >>> column = np.arange(4.0)[:, None]
    >>> len(plot_fit(column, column, column, column).axes)
    1
    """
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    ax = figure.subplots()
    if X.shape[1] == 1:
        order = np.argsort(X[:, 0])
        ax.plot(X[:, 0], y[:, 0], "o", color="0.6", markersize=4, label="data")
        ax.plot(X[order, 0], prediction[order, 0], color="C0", label="MLP")
        ax.plot(X[order, 0], baseline[order, 0], "--", color="C1", label="least squares")
        ax.set(xlabel="x", ylabel="y", title=title)
    else:
        low, high = y.min(), y.max()
        ax.plot([low, high], [low, high], color="0.6", label="perfect prediction")
        ax.plot(y[:, 0], baseline[:, 0], "x", color="C1", markersize=5, label="least squares")
        ax.plot(y[:, 0], prediction[:, 0], "o", color="C0", markersize=4, label="MLP")
        ax.set(xlabel="label", ylabel="prediction", title=title)
    ax.legend()
    return figure


# --8<-- [end:plot_fit]


# --8<-- [start:plot_losses]
def plot_losses(history: History, floor: float, floor_name: str = "noise floor") -> Figure:
    """Draw the training and the test loss after each epoch, with a line to compare with.

    Parameters
    ----------
    history : History
        What `fit` returned.
    floor : float
        Height of the line, in the unit of the losses.
    floor_name : str
        Its name in the legend.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> figure = plot_losses(History([2.0, 1.0], [1.5, 1.0], [1.6, 1.1]), floor=1.0)
    >>> [line.get_label() for line in figure.axes[0].lines]
    ['train', 'test', 'noise floor']
    """
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    ax = figure.subplots()
    epochs = np.arange(1, len(history.train_loss) + 1)
    marker = "o" if len(epochs) == 1 else ""
    ax.plot(epochs, history.train_loss, color="C0", marker=marker, label="train")
    ax.plot(epochs, history.test_loss, color="C2", marker=marker, label="test")
    ax.axhline(floor, color="C1", linestyle="--", label=floor_name)
    ax.set(xlabel="epoch", ylabel="mean squared error", title="loss after each epoch")
    ax.set_ylim(bottom=0)
    ax.legend()
    return figure


# --8<-- [end:plot_losses]
