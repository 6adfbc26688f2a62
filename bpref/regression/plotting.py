"""The pictures: fit, learning curves, predicted against true, residuals; without a display."""

from __future__ import annotations

import io
import warnings
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from bpref.regression.history import History
from bpref.regression.wording import short

Array = NDArray[np.float64]

MAX_POINTS: Final = 1000  # drawn in one picture; more make it heavy and show nothing new
SIZE: Final = (4.4, 3.3)  # inches: on a phone the text stays above 9 pixels

# Each colour is used for one thing only, so that `document` can put a variable in its place.
INK, MUTED, GRID, SURFACE = "#1d232b", "#5a6472", "#dcdfe4", "#ffffff"
BLUE, ORANGE, GREEN = "#1f5fa8", "#b3401a", "#1d7a46"

STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "bpref",  # the same ids in every run
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.facecolor": SURFACE,
    "axes.prop_cycle": cycler(color=[BLUE, ORANGE, GREEN]),
    "figure.facecolor": SURFACE,
    "savefig.facecolor": SURFACE,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
}


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


def _axes(x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel=x, ylabel=y)
    return figure, axes


def sample_rows(n: int, most: int = MAX_POINTS, seed: int = 0) -> NDArray[np.int64]:
    """Return the rows to draw: all of n, or `most` of them at random, in order.

    Parameters
    ----------
    n : int
        Number of rows.
    most : int
        Largest number of rows to draw.
    seed : int
        Of the choice.

    Returns
    -------
    ndarray, int64

    Examples
    --------
    >>> sample_rows(4), len(sample_rows(5000))
    (array([0, 1, 2, 3]), 1000)
    """
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, most, replace=False))


def plot_learning_curves(
    history: History, *, loss: str = "loss", factor: float = 1.0, best_epoch: int | None = None
) -> Figure:
    """Draw the losses after each epoch; on a logarithmic axis if they fall by more than 20 times.

    Parameters
    ----------
    history : History
        A list without values is left out. Of more than 1000 epochs, 1000 are drawn.
    loss : str
        Name of the losses, for the axis.
    factor : float
        Multiplies the losses: from the unit of the engine to that of the target.
    best_epoch : int, optional
        Gets a vertical line.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> figure = plot_learning_curves(History([2.0, 1.0], val_loss=[1.6, 1.1]), best_epoch=2)
    >>> [line.get_label() for line in figure.axes[0].lines]
    ['training, while learning', 'validation', 'best epoch (2)']
    """
    with mpl.rc_context(STYLE):
        figure, axes = _axes("epoch", loss)
        drawn = []
        for label, values, color, style in (
            ("training, while learning", history.epoch_loss, MUTED, ":"),
            ("training, after the epoch", history.train_loss, BLUE, "-"),
            ("validation", history.val_loss, ORANGE, "-"),
        ):
            if not values:
                continue
            rows = np.unique(np.linspace(0, len(values) - 1, MAX_POINTS).round().astype(int))
            curve = np.asarray(values, dtype=np.float64)[rows] * factor
            marker = "o" if len(rows) == 1 else ""
            axes.plot(rows + 1, curve, label=label, color=color, linestyle=style, marker=marker)
            drawn.append(curve[np.isfinite(curve)])
        points = np.concatenate(drawn) if drawn else np.empty(0)
        if len(points) and 0 < 20 * points.min() < points.max():
            axes.set_yscale("log")
        if best_epoch:
            axes.axvline(
                best_epoch,
                color=GREEN,
                linestyle="--",
                linewidth=1,
                label=f"best epoch ({best_epoch})",
            )
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend()
    return figure


def plot_learning_rate(history: History) -> Figure:
    """Draw the learning rate of each epoch's last step.

    Parameters
    ----------
    history : History
        Of which the list `lr` is drawn.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> len(plot_learning_rate(History(lr=[0.1, 0.05])).axes[0].lines)
    1
    """
    with mpl.rc_context(STYLE):
        figure, axes = _axes("epoch", "learning rate")
        rows = np.unique(np.linspace(0, len(history.lr) - 1, MAX_POINTS).round().astype(int))
        axes.plot(rows + 1, np.asarray(history.lr)[rows], color=BLUE)
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def plot_predicted(y: Array, prediction: Array, name: str = "target") -> Figure:
    """Draw predicted against true values; on the diagonal a prediction is perfect.

    Parameters
    ----------
    y, prediction : ndarray, shape (N,)
        Of one target. Of more than 1000 rows, 1000 are drawn.
    name : str
        Of the target.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> plot_predicted(np.arange(4.0), np.arange(4.0), "price").axes[0].get_xlabel()
    'true price'
    """
    with mpl.rc_context(STYLE):
        figure, axes = _axes(f"true {_label(name)}", f"predicted {_label(name)}")
        rows = sample_rows(len(y))
        axes.plot(y[rows], prediction[rows], "o", color=BLUE, markersize=4, alpha=0.5)
        ends = [*axes.get_xlim(), *axes.get_ylim()]
        axes.axline((ends[0], ends[0]), slope=1, color=ORANGE, linewidth=1, label="perfect")
        axes.set(xlim=(min(ends), max(ends)), ylim=(min(ends), max(ends)))
        axes.legend()
    return figure


def plot_residuals(y: Array, prediction: Array, name: str = "target") -> Figure:
    """Draw the residual, true minus predicted, against the prediction.

    Without a pattern the noise is all that is left. A bend is something the model did not
    learn; a funnel is noise that grows with the value.

    Parameters
    ----------
    y, prediction : ndarray, shape (N,)
        Of one target. Of more than 1000 rows, 1000 are drawn.
    name : str
        Of the target.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> plot_residuals(np.arange(4.0), np.ones(4)).axes[0].get_ylabel()
    'true − predicted'
    """
    with mpl.rc_context(STYLE):
        figure, axes = _axes(f"predicted {_label(name)}", "true − predicted")
        rows = sample_rows(len(y))
        axes.plot(
            prediction[rows], (y - prediction)[rows], "o", color=BLUE, markersize=4, alpha=0.5
        )
        axes.axhline(0, color=ORANGE, linewidth=1)
    return figure


def plot_residual_histogram(y: Array, prediction: Array) -> Figure:
    """Draw how often residuals of each size occur, over all rows.

    Parameters
    ----------
    y, prediction : ndarray, shape (N,)
        Of one target.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> len(plot_residual_histogram(np.arange(100.0), np.zeros(100)).axes[0].patches)
    25
    """
    residual = y - prediction
    ends = float(residual.min()), float(residual.max())
    # Residuals that differ by rounding errors only leave no room for bins between them.
    if ends[1] - ends[0] <= 1e-9 * max(map(abs, ends)):
        ends = min(ends[0], 0.0), max(ends[1], 0.0)
    if ends[0] == ends[1]:
        ends = -0.5, 0.5
    bins = min(30, 5 + int(2 * np.sqrt(len(residual))))
    with mpl.rc_context(STYLE):
        figure, axes = _axes("true − predicted", "rows")
        axes.hist(residual, bins=bins, range=ends, color=BLUE)
        axes.axvline(0, color=ORANGE, linewidth=1)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def _label(name: str) -> str:
    """Return a column name that fits an axis; a dollar sign is not a formula."""
    name = "".join(sign if sign.isprintable() else " " for sign in name)
    return short(name, 30).replace("$", r"\$")


def to_svg(figure: Figure) -> str:
    """Return a figure as an SVG document; the same picture drawn again gives the same text.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Drawn by a function of this module.

    Returns
    -------
    str

    Examples
    --------
    >>> to_svg(plot_residuals(np.arange(4.0), np.ones(4), "体重")).count("predicted 体重")
    1
    """
    buffer = io.StringIO()
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        # The text stays text: the reader's fonts draw what Matplotlib's font does not have.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
