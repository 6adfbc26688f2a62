"""What the report says of one target: its scores, the comparison with baselines, the figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bpref.regression import plotting
from bpref.regression.baseline import Baseline
from bpref.regression.bootstrap import LEVEL, Interval, paired_difference, score_intervals
from bpref.regression.document import Block, Heading, Paragraph, Picture, Table
from bpref.regression.scores import METRICS, NAMES, scores, shown
from bpref.regression.wording import digits

Array = NDArray[np.float64]

FEW_ROWS: Final = 10  # below, an interval says too little to call one model the better one
MOST_TARGETS: Final = 6  # with figures; the tables have all


@dataclass(frozen=True)
class Part:
    """The training, validation or test rows.

    Attributes
    ----------
    X : ndarray, float64, shape (N, d)
        Inputs as the network sees them.
    y, prediction : ndarray, float64, shape (N, m)
        True values and the network's predictions, in the unit of the target.
    """

    X: Array
    y: Array
    prediction: Array

    def __post_init__(self) -> None:
        """Refuse what would broadcast."""
        shapes = self.X.shape, self.y.shape, self.prediction.shape
        if self.y.ndim != 2 or self.X.ndim != 2 or shapes[1] != shapes[2] or len(self) == 0:
            raise ValueError(f"X (N, d), y (N, m), prediction (N, m) are needed, got {shapes}")
        if len(self.X) != len(self.y):
            raise ValueError(f"X has {len(self.X)} rows, y has {len(self.y)}")

    def __len__(self) -> int:
        """Return the number of rows N."""
        return len(self.y)


class Target:
    """One target: its scores on every part, and the comparison with the baselines."""

    def __init__(
        self,
        name: str,
        column: int,
        parts: Mapping[str, Part],
        judged: str,
        rivals: Sequence[Baseline],
        guesses: Sequence[Array | None],
        seed: int,
    ) -> None:
        self.name, self.judged, self.rivals = name, judged, rivals
        self.alone = parts[judged].y.shape[1] == 1
        self.y = parts[judged].y[:, column]
        self.prediction = parts[judged].prediction[:, column]
        self.scores = {
            part: {
                metric: float(value)
                for metric, value in scores(p.y[:, column], p.prediction[:, column]).items()
            }
            for part, p in parts.items()
        }
        self.interval = score_intervals(self.y, self.prediction, seed=seed)
        self.guesses = [guess if guess is None else guess[:, column] for guess in guesses]
        self.differences = [
            guess if guess is None else paired_difference(self.y, self.prediction, guess, seed=seed)
            for guess in self.guesses
        ]

    def wins(self) -> bool:
        """Return whether the network beats least squares on enough rows to say so."""
        difference = self.differences[1]
        return difference is not None and difference.high < 0 and len(self.y) >= FEW_ROWS

    def verdict(self) -> str:
        """Say whether the network is better than least squares, as far as the rows can tell."""
        rows, difference = len(self.y), self.differences[1]
        network = digits(self.scores[self.judged]["mse"])
        linear = digits(mse_of(self.y, self.guesses[1]))
        numbers = f"MSE {network} against {linear} on {rows_of(rows, self.judged)}"
        if difference is None or rows < FEW_ROWS:
            return f"Too few rows to compare the network with least squares: {numbers}."
        span = f"{LEVEL:.0%} interval of the difference {span_of(difference)}"
        if self.wins():
            return f"The network beats least squares: {numbers}; {span}, below zero."
        constant = self.differences[0]
        neither = (
            " It does not beat the constant either." if constant and constant.high >= 0 else ""
        )
        if difference.low > 0:
            return (
                f"The network does not beat least squares, it is worse: {numbers}; {span}, "
                f"above zero.{neither} Use least squares, or train differently."
            )
        return (
            f"The network is not shown to beat least squares: {numbers}; {span}, contains zero."
            f"{neither} On these rows the two cannot be told apart, and least squares is the "
            "simpler model."
        )

    def result(self) -> dict[str, Any]:
        """Return the numbers as JSON values."""
        return {
            **{
                part: {metric: number_of(value) for metric, value in found.items()}
                for part, found in self.scores.items()
            },
            "interval": {metric: ends_of(self.interval[metric]) for metric in METRICS},
            "baselines": {
                rival.name: {
                    "mse": None if guess is None else mse_of(self.y, guess),
                    "difference": ends_of(difference),
                }
                for rival, guess, difference in zip(
                    self.rivals, self.guesses, self.differences, strict=True
                )
            },
        }

    def blocks(self, number: int) -> Iterator[Block]:
        """Give the tables and, for the first targets, the figures."""
        if not self.alone:
            yield Heading(f"Target: {self.name}", 3)
            yield Paragraph(self.verdict())
        yield Table(
            f"Scores of the network for {self.name}, in its own unit",
            ("score", *self.scores, f"{LEVEL:.0%} interval, {self.judged}"),
            [
                (
                    NAMES[metric],
                    *(shown(found[metric], metric) for found in self.scores.values()),
                    span_of(self.interval[metric], metric),
                )
                for metric in METRICS
            ],
            numbers=True,
        )
        yield Table(
            f"Other models on the same {rows_of(len(self.y), self.judged)}",
            ("model", "MSE", "R²", f"network's MSE minus its MSE, {LEVEL:.0%} interval"),
            [
                (
                    rival.name,
                    shown(mse_of(self.y, guess)) if guess is not None else "—",
                    shown(float(scores(self.y, guess)["r2"]), "r2") if guess is not None else "—",
                    span_of(difference),
                )
                for rival, guess, difference in zip(
                    self.rivals, self.guesses, self.differences, strict=True
                )
            ],
            numbers=True,
        )
        if number > MOST_TARGETS:
            return
        if number == MOST_TARGETS:
            yield Paragraph(f"Targets after the first {MOST_TARGETS} have no figures.")
        rows = len(self.y)
        drawn = (
            rows_of(rows, self.judged)
            if rows <= plotting.MAX_POINTS
            else f"{plotting.MAX_POINTS:,} of {rows:,} {self.judged} rows, drawn at random"
        )
        residual = self.y - self.prediction
        yield Picture(
            f"predicted-{number}",
            plotting.to_svg(plotting.plot_predicted(self.y, self.prediction, self.name)),
            f"Scatter plot of predicted against true {self.name}; R² is "
            f"{shown(self.scores[self.judged]['r2'], 'r2')}.",
            f"Predicted against true: {drawn}. On the line a prediction is perfect.",
        )
        yield Picture(
            f"residuals-{number}",
            plotting.to_svg(plotting.plot_residuals(self.y, self.prediction, self.name)),
            f"Scatter plot of the residuals of {self.name} against the prediction; they lie "
            f"between {residual.min():.4g} and {residual.max():.4g}.",
            f"Residuals against prediction: {drawn}. A bend is something not learned, a funnel "
            "is noise that grows with the value.",
        )
        yield Picture(
            f"residual-histogram-{number}",
            plotting.to_svg(plotting.plot_residual_histogram(self.y, self.prediction)),
            f"Histogram of the residuals of {self.name}; their mean is {residual.mean():.4g}, "
            f"their standard deviation {residual.std():.4g}.",
            f"Residuals: {rows_of(rows, self.judged)}. A middle away from zero is a bias.",
        )


# Numbers as text


def rows_of(n: int, part: str) -> str:
    """Return how many rows a part has, as text."""
    return f"{n:,} {part} row{'s' * (n != 1)}"


def mse_of(y: Array, guess: Array | None) -> float:
    """Return the mean squared error; NaN without predictions."""
    return float("nan") if guess is None else float(scores(y, guess)["mse"])


def span_of(found: Interval | None, metric: str = "mse") -> str:
    """Return an interval as text."""
    return f"{shown(found.low, metric)} to {shown(found.high, metric)}" if found else "—"


def ends_of(found: Interval | None) -> list[float] | None:
    """Return an interval as JSON values."""
    return [found.low, found.high] if found else None


def number_of(value: float) -> float | None:
    """Return a score as a JSON value."""
    return value if np.isfinite(value) else None
