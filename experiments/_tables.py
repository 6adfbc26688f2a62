"""Two tables that the package ships, as arrays, and one training with the package's estimator.

A split s takes 60 % of the rows for training, 20 % for validation and 20 % for test, by the seed s.
Numbers are standardised on the training rows, so an error of 1 is about that of the mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bpref.regression import BackpropRegressor
from bpref.regression.errors import DivergenceError
from bpref.regression.preprocessing import Preprocessor
from bpref.regression.splitting import split_rows
from bpref.regression.table import read_table

TARGETS = {"diabetes": "target", "auto_mpg": "mpg"}
LOST = 2.0  # the error of a run that diverged or is worse than this

Array = np.ndarray


class Rows(NamedTuple):
    X: Array  # (N, d)
    y: Array  # (N,)


class Split(NamedTuple):
    train: Rows
    validation: Rows
    test: Rows


@cache
def split(name: str, seed: int) -> Split:
    """The rows of a table for one seed."""
    path = Path(str(resources.files("bpref.regression"))) / "data" / f"{name}.csv"
    frame = read_table(path, missing="drop")
    parts = [frame.iloc[rows] for rows in split_rows(len(frame), 0.2, 0.2, seed)]
    learned = Preprocessor.fit(parts[0], TARGETS[name])
    return Split(*(Rows(learned.transform(p), learned.transform_targets(p)[:, 0]) for p in parts))


def regressor(seed: int, **settings: Any) -> BackpropRegressor:
    """The estimator with AdamW; everything but the settings stays equal."""
    fixed = {"optimizer": "adamw", "standardize": False, "dtype": "float64", "backend": "numpy"}
    return BackpropRegressor(random_state=seed, **(fixed | settings))


def errors(name: str, seed: int, weights: int | None = None, **settings: Any) -> Array:
    """Train once; mean squared errors on the validation and the test rows.

    ``weights`` is the seed of the first weights and of the order of the rows, by default the
    split's.
    """
    rows = split(name, seed)
    model = regressor(seed if weights is None else weights, **settings)
    try:
        model.fit(*rows.train)
    except DivergenceError:
        return np.array([LOST, LOST])
    return np.array([squared(model, part) for part in (rows.validation, rows.test)])


def squared(model: BackpropRegressor, rows: Rows) -> float:
    error = float(((model.predict(rows.X) - rows.y) ** 2).mean())
    return min(error, LOST) if np.isfinite(error) else LOST


def geometric(values: Sequence[float] | Array) -> dict[str, float]:
    """Ratios: their geometric mean and range, and how many lie below and above 1."""
    r = np.asarray(values, float)
    return {
        "mean": float(np.exp(np.log(r).mean())),
        "min": float(r.min()),
        "max": float(r.max()),
        "below": int((r < 1).sum()),
        "above": int((r > 1).sum()),
    }
