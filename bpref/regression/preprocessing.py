"""What is done to a table before training: learned from the training rows, applied to all rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np
import pandas as pd

from bpref.regression.columns import (
    CategoricalColumn,
    Column,
    ColumnReport,
    NumericColumn,
    column_from_dict,
    column_to_dict,
    entry,
)
from bpref.regression.config import MISSING
from bpref.regression.errors import ConfigError, DataError, RunError
from bpref.regression.frames import (
    Array,
    IntArray,
    check_names,
    is_numeric,
    levels_of,
    missing_cell,
    numbers,
    place,
    source_of,
)
from bpref.regression.learning import learn
from bpref.regression.wording import listed, nearest, shown

VERSION: Final = 1  # of the written form; older ones stay readable
FARTHEST: Final = 1e18  # standard deviations from the mean: float32 holds the square of 1e19


@dataclass(frozen=True)
class Preprocessor:
    """What turns a table into X and y, learned from the training rows alone.

    Numbers are standardised with the mean and the standard deviation of the training rows.
    Categories become columns of 0 and 1, one per level that the training rows have.

    Attributes
    ----------
    features : tuple of NumericColumn or CategoricalColumn
        In the order of the columns of X.
    targets : tuple of NumericColumn
        In the order of the columns of y.
    missing : str
        "error", "drop" or "mean". With "mean" a missing number becomes the training mean, a
        missing category the most common one; otherwise a missing cell is an error here, and
        `read_table` has left its row out or refused it before.
    rows : int
        Number of training rows.
    dropped_columns : tuple of str
        Columns of the file that were not read.
    dropped_rows : int
        Rows of the file that were left out because a cell was missing.

    Examples
    --------
    >>> frame = pd.DataFrame({
    ...     "size": [1.0, 3.0], "color": ["red", "blue"], "price": [10.0, 20.0]})
    >>> preprocessor = Preprocessor.fit(frame, ["price"])
    >>> preprocessor.transform(frame)
    array([[-1.,  0.,  1.],
           [ 1.,  1.,  0.]])
    >>> preprocessor.transform_targets(frame)
    array([[-1.],
           [ 1.]])
    >>> preprocessor.inverse_targets(np.array([[0.0]]))
    array([[15.]])
    """

    features: tuple[Column, ...]
    targets: tuple[NumericColumn, ...]
    missing: str
    rows: int
    dropped_columns: tuple[str, ...] = ()
    dropped_rows: int = 0

    @classmethod
    def fit(
        cls,
        frame: pd.DataFrame,
        targets: str | Sequence[str],
        missing: str = "error",
        rows: IntArray | None = None,
    ) -> Preprocessor:
        """Learn from the training rows.

        Parameters
        ----------
        frame : DataFrame
            The training rows, from `read_table` or made in memory.
        targets : str or sequence of str
            The columns to predict; all others are features.
        missing : {"error", "drop", "mean"}
            As in `read_table`.
        rows : ndarray of int, optional
            Which rows of the frame are the training rows, without a copy of the frame; all by
            default.

        Raises
        ------
        DataError
            If a target does not exist, is given twice or is no number; no feature is left; a
            column is constant, has too many categories, is neither numbers nor text, or misses
            values that the policy does not allow. One line: file, line, column.
        ConfigError
            If `missing` is not one of the above.
        """
        if missing not in MISSING:
            raise ConfigError(f"missing must be one of {', '.join(MISSING)}, got {missing!r}")
        source = source_of(frame)
        goals = (targets,) if isinstance(targets, str) else tuple(targets)
        names = check_names(frame, goals)
        n = len(frame) if rows is None else len(rows)
        if n < 2:
            raise DataError(f"{source}: at least 2 training rows are needed, got {n}")
        if not any(is_numeric(frame[name]) for name in names):
            raise DataError(f"{source}: no numeric column: the target must be a column of numbers")
        notes = frame.attrs.get("notes", {})
        learned = {}
        for name in (*goals, *(name for name in names if name not in goals)):
            some = frame if rows is None else frame[[name]].iloc[rows]
            learned[name] = learn(some, name, missing, notes.get(name, ""), target=name in goals)
        return cls(
            features=tuple(learned[name] for name in names if name not in goals),
            targets=tuple(cast(NumericColumn, learned[name]) for name in goals),
            missing=missing,
            rows=n,
            dropped_columns=tuple(frame.attrs.get("dropped_columns", ())),
            dropped_rows=int(frame.attrs.get("dropped_rows", 0)),
        )

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Columns of the table that X is made of."""
        return tuple(column.name for column in self.features)

    @property
    def target_names(self) -> tuple[str, ...]:
        """Columns of the table that y is made of."""
        return tuple(column.name for column in self.targets)

    @property
    def categorical_names(self) -> tuple[str, ...]:
        """Columns of the table that are categories; `read_table` has to know them."""
        return tuple(c.name for c in self.features if isinstance(c, CategoricalColumn))

    @property
    def x_names(self) -> tuple[str, ...]:
        """Names of the d columns of X: "size", "color=blue", "color=red"."""
        return tuple(name for column in self.features for name in column.names)

    def transform(self, frame: pd.DataFrame) -> Array:
        """Return X, float64, shape (N, d).

        The columns may come in any order, with others beside them.

        Raises
        ------
        DataError
            If a column is missing or of the wrong kind, a cell is missing (unless the policy is
            "mean"), or a category is none of the training rows'.
        """
        X = np.empty((len(frame), sum(column.width for column in self.features)))
        at = 0
        for column in self.features:
            X[:, at : at + column.width] = self.transform_feature(frame, column)
            at += column.width
        return X

    def transform_feature(self, frame: pd.DataFrame, column: Column) -> Array:
        """Return what X has of one of `features`, float64, shape (N, width)."""
        if isinstance(column, NumericColumn):
            return self._standardised(frame, column, fill=self.missing == "mean")[:, None]
        part = np.zeros((len(frame), column.width))
        part[np.arange(len(frame)), self._codes(frame, column)] = 1.0
        return part

    def transform_targets(self, frame: pd.DataFrame) -> Array:
        """Return y, float64, shape (N, m), standardised.

        Raises
        ------
        DataError
            If a target is missing, as a column or in a row, or is no number.
        """
        y = np.empty((len(frame), len(self.targets)))
        for at, column in enumerate(self.targets):
            y[:, at] = self._standardised(frame, column, fill=False)
        return y

    def inverse_targets(self, y: Array) -> Array:
        """Return standardised targets (N, m) in the unit of the table."""
        mean = np.array([column.mean for column in self.targets])
        std = np.array([column.std for column in self.targets])
        return np.asarray(y, dtype=np.float64) * std + mean

    def _standardised(self, frame: pd.DataFrame, column: NumericColumn, *, fill: bool) -> Array:
        values = numbers(frame, column.name)
        missing = ~np.isfinite(values)
        if missing.any():
            if not fill:
                raise missing_cell(frame, column.name, missing)
            values = np.where(missing, column.mean, values)
        with np.errstate(over="ignore"):
            scaled = (values - column.mean) / column.std
        far = ~(np.abs(scaled) <= FARTHEST)
        if far.any():
            row = int(np.argmax(far))
            raise DataError(
                f"{place(frame, row, column.name)}: {values[row]:g} is too far from the training "
                f"rows (mean {column.mean:g}, standard deviation {column.std:g})"
            )
        return scaled

    def _codes(self, frame: pd.DataFrame, column: CategoricalColumn) -> IntArray:
        codes, levels = levels_of(frame, column.name)
        missing = codes < 0
        if missing.any() and self.missing != "mean":
            raise missing_cell(frame, column.name, missing)
        position = {level: at for at, level in enumerate(column.levels)}
        unseen = [level for level in levels if level not in position]
        known = np.array(
            [position.get(level, -1) for level in levels] + [position[column.common]],
            dtype=np.int64,
        )
        found = known[codes]  # code -1 takes the last entry, the common level
        if unseen and (found < 0).any():
            row = int(np.argmax(found < 0))
            value = levels[codes[row]]
            near = nearest(value, column.levels)
            hint = f"did you mean {shown(near)}?" if near else f"they have {listed(column.levels)}"
            raise DataError(
                f"{place(frame, row, column.name)}: the training rows have no {shown(value)}; "
                f"{hint}"
            )
        return found

    def report(self) -> list[ColumnReport]:
        """Return what was done to each column, targets first."""
        rows = []
        for role, columns in (("target", self.targets), ("feature", self.features)):
            for column in columns:
                if isinstance(column, NumericColumn):
                    what = f"standardised: mean {column.mean:.6g}, std {column.std:.6g}"
                    filled = f"{column.missing} missing filled with the mean"
                else:
                    what = f"one column each for {listed(column.levels)}"
                    filled = f"{column.missing} missing filled with {shown(column.common)}"
                notes = [what, column.note, filled if column.missing else ""]
                rows.append(
                    ColumnReport(
                        column.name,
                        role,
                        column.kind,
                        column.missing,
                        "; ".join(note for note in notes if note),
                    )
                )
        rows += [ColumnReport(name, "dropped", "", 0, "not used") for name in self.dropped_columns]
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values from which `from_dict` makes an equal preprocessor, bit for bit."""
        return {
            "version": VERSION,
            "missing": self.missing,
            "rows": self.rows,
            "dropped_rows": self.dropped_rows,
            "dropped_columns": list(self.dropped_columns),
            "features": [column_to_dict(column) for column in self.features],
            "targets": [column_to_dict(column) for column in self.targets],
        }

    @classmethod
    def from_dict(cls, written: dict[str, Any]) -> Preprocessor:
        """Return the preprocessor of `to_dict`.

        Raises
        ------
        RunError
            If the form is of a later version, or damaged. The message is one line.
        """
        if not isinstance(written, dict):
            raise RunError(f"preprocessing: expected an object, got {shown(written)}")
        version = written.get("version")
        if not isinstance(version, int) or isinstance(version, bool) or not version >= 1:
            raise RunError(f"preprocessing: version must be an integer, got {shown(version)}")
        if version > VERSION:
            raise RunError(
                f"preprocessing: version {version} is later than {VERSION}, the latest that this "
                "version of bpref reads: use a newer bpref"
            )
        targets = [column_from_dict(column) for column in entry(written, "targets", list)]
        numeric = tuple(column for column in targets if isinstance(column, NumericColumn))
        features = tuple(column_from_dict(column) for column in entry(written, "features", list))
        names = [column.name for column in (*features, *targets)]
        if not numeric or not features or len(numeric) < len(targets):
            raise RunError("preprocessing: it needs a feature and numeric targets")
        if len(set(names)) < len(names):
            raise RunError("preprocessing: a column is there twice")
        if written.get("missing") not in MISSING:
            raise RunError(
                f"preprocessing: missing must be one of {', '.join(MISSING)}, "
                f"got {shown(written.get('missing'))}"
            )
        dropped = entry(written, "dropped_columns", list)
        if not all(isinstance(name, str) for name in dropped):
            raise RunError("preprocessing: dropped_columns must hold names")
        return cls(
            features=features,
            targets=numeric,
            missing=written["missing"],
            rows=entry(written, "rows", int),
            dropped_columns=tuple(dropped),
            dropped_rows=entry(written, "dropped_rows", int),
        )
