"""What is done to a table before training: learned from the training rows, applied to all rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bpref.regression.config import MISSING
from bpref.regression.errors import ConfigError, DataError, RunError
from bpref.regression.wording import listed, missing_name, nearest, shown

Array: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]

VERSION: Final = 1  # of the written form; older ones stay readable
MAX_LEVELS: Final = 100  # a column with more categories is an identifier or free text
FEW_ROWS: Final = 10  # from so many rows on, a category per row is an identifier


class ColumnReport(NamedTuple):
    """What was done to one column of the table.

    Attributes
    ----------
    column : str
    role : {"feature", "target", "dropped"}
    kind : {"numeric", "categorical", ""}
    missing : int
        Training rows in which the cell was missing and was filled in.
    treatment : str
        One sentence.
    """

    column: str
    role: str
    kind: str
    missing: int
    treatment: str


@dataclass(frozen=True)
class NumericColumn:
    """A column of numbers: (value − mean) / std.

    Attributes
    ----------
    name : str
    mean, std : float
        Of the training rows in which the value is there; std divides by their number.
    missing : int
        Training rows in which it is not.
    note : str
        What else was done or seen.
    """

    kind: ClassVar[str] = "numeric"
    name: str
    mean: float
    std: float
    missing: int = 0
    note: str = ""

    @property
    def width(self) -> int:
        """Columns of X."""
        return 1

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns of X."""
        return (self.name,)


@dataclass(frozen=True)
class CategoricalColumn:
    """A column of categories: one column of X per level, 1 where the row has it.

    Attributes
    ----------
    name : str
    levels : tuple of str
        Those of the training rows, sorted.
    common : str
        The level of most training rows; fills in missing cells.
    missing : int
        Training rows in which the value is missing.
    note : str
        What else was done or seen.
    """

    kind: ClassVar[str] = "categorical"
    name: str
    levels: tuple[str, ...]
    common: str
    missing: int = 0
    note: str = ""

    @property
    def width(self) -> int:
        """Columns of X."""
        return len(self.levels)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns of X."""
        return tuple(f"{self.name}={level}" for level in self.levels)


Column: TypeAlias = NumericColumn | CategoricalColumn


def split_rows(
    n: int, validation: float, test: float, seed: int, *, source: str = "the table"
) -> tuple[IntArray, IntArray, IntArray]:
    """Draw which rows train, validate and test.

    Parameters
    ----------
    n : int
        Number of rows.
    validation, test : float
        Their shares; 0 gives no row.
    seed : int
        Of the permutation, from a generator of its own.
    source : str
        What a message calls the table.

    Returns
    -------
    train, validation, test : ndarray, int64
        Positions in ascending order; together every row once.

    Raises
    ------
    DataError
        If fewer than 2 rows are left for training, or a share above 0 gives no row.

    Examples
    --------
    >>> train, validation, test = split_rows(10, 0.2, 0.1, seed=0)
    >>> len(train), len(validation), len(test)
    (7, 2, 1)
    """
    n_validation, n_test = round(validation * n), round(test * n)
    n_train = n - n_validation - n_test
    if n_train < 2 or (validation > 0) > n_validation or (test > 0) > n_test:
        count = "1 row is" if n == 1 else f"{n} rows are"
        raise DataError(
            f"{source}: {count} too few: split into {n_train} for training, {n_validation} for "
            f"validation (a share of {validation:g}) and {n_test} for test (a share of {test:g}); "
            "training needs 2, a share above 0 needs 1"
        )
    order = np.random.default_rng(seed).permutation(n)
    cuts = [n_test, n_test + n_validation]
    test_rows, validation_rows, train_rows = (np.sort(part) for part in np.split(order, cuts))
    return train_rows, validation_rows, test_rows


# --8<-- [start:Preprocessor]
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
        source = _source(frame)
        goals = (targets,) if isinstance(targets, str) else tuple(targets)
        names = _check_names(frame, goals)
        n = len(frame) if rows is None else len(rows)
        if n < 2:
            raise DataError(f"{source}: at least 2 training rows are needed, got {n}")
        if not any(_is_numeric(frame[name]) for name in names):
            raise DataError(f"{source}: no numeric column: the target must be a column of numbers")
        notes = frame.attrs.get("notes", {})
        learned = {}
        for name in (*goals, *(name for name in names if name not in goals)):
            some = frame if rows is None else frame[[name]].iloc[rows]
            learned[name] = _learn(some, name, missing, notes.get(name, ""), target=name in goals)
        numeric = tuple(
            column for name in goals if isinstance(column := learned[name], NumericColumn)
        )
        return cls(
            features=tuple(learned[name] for name in names if name not in goals),
            targets=numeric,
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
        values = _numbers(frame, column.name)
        missing = ~np.isfinite(values)
        if missing.any():
            if not fill:
                raise _missing_cell(frame, column.name, missing)
            values = np.where(missing, column.mean, values)
        with np.errstate(over="ignore"):
            scaled = (values - column.mean) / column.std
        if not np.isfinite(scaled).all():
            row = int(np.argmax(~np.isfinite(scaled)))
            raise DataError(
                f"{_place(frame, row, column.name)}: {values[row]:g} is too far from the training "
                f"rows (mean {column.mean:g}, standard deviation {column.std:g})"
            )
        return scaled

    def _codes(self, frame: pd.DataFrame, column: CategoricalColumn) -> IntArray:
        codes, levels = _levels(frame, column.name)
        missing = codes < 0
        if missing.any() and self.missing != "mean":
            raise _missing_cell(frame, column.name, missing)
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
                f"{_place(frame, row, column.name)}: the training rows have no {shown(value)}; "
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
            "features": [_column_to_dict(column) for column in self.features],
            "targets": [_column_to_dict(column) for column in self.targets],
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
        targets = [_column_from_dict(column) for column in _entry(written, "targets", list)]
        numeric = tuple(column for column in targets if isinstance(column, NumericColumn))
        features = tuple(_column_from_dict(column) for column in _entry(written, "features", list))
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
        dropped = _entry(written, "dropped_columns", list)
        if not all(isinstance(name, str) for name in dropped):
            raise RunError("preprocessing: dropped_columns must hold names")
        return cls(
            features=features,
            targets=numeric,
            missing=written["missing"],
            rows=_entry(written, "rows", int),
            dropped_columns=tuple(dropped),
            dropped_rows=_entry(written, "dropped_rows", int),
        )


# --8<-- [end:Preprocessor]


# Places in messages


def _source(frame: pd.DataFrame) -> str:
    return str(frame.attrs.get("source", "the table"))


def _place(frame: pd.DataFrame, row: int, column: str) -> str:
    """Return where a cell is: a line of the file, or the label of a row made in memory."""
    label = frame.index[row]
    name = f"line {label}" if frame.index.name == "line" else f"row {shown(label).strip(chr(39))}"
    return f"{_source(frame)}: {name}, column {shown(column)}"


def _missing_cell(frame: pd.DataFrame, column: str, missing: NDArray[np.bool_]) -> DataError:
    row = int(np.argmax(missing))
    value = frame[column].iloc[row]
    infinite = isinstance(value, float) and math.isinf(value)
    reason = f"{value} is not a finite number" if infinite else "the value is missing"
    return DataError(f"{_place(frame, row, column)}: {reason}")


# Columns of a frame


def _check_names(frame: pd.DataFrame, targets: tuple[str, ...]) -> list[str]:
    source = _source(frame)
    for name in frame.columns:
        if not isinstance(name, str):
            raise DataError(f"{source}: the names of columns must be text, got {shown(name)}")
    names = list(frame.columns)
    for at, name in enumerate(names):
        if name in names[:at]:
            raise DataError(f"{source}: the column name {shown(name)} appears more than once")
    if not targets:
        raise DataError(f"{source}: no target column is named; the columns are {listed(names)}")
    for at, name in enumerate(targets):
        if name in frame.attrs.get("dropped_columns", ()):
            raise DataError(f"{source}: the target {shown(name)} is a column that was dropped")
        if name not in names:
            raise DataError(f"{source}: {missing_name(name, names)}")
        if name in targets[:at]:
            raise DataError(f"{source}: the target {shown(name)} is given twice")
    if len(targets) == len(names):
        raise DataError(
            f"{source}: no column is left to predict {listed(targets)} from: "
            "every column is a target or dropped"
        )
    return names


def _is_numeric(values: pd.Series) -> bool:
    dtype = values.infer_objects().dtype
    return pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype)


def _column(frame: pd.DataFrame, name: str) -> pd.Series:
    if name not in frame.columns:
        raise DataError(f"{_source(frame)}: {missing_name(name, list(frame.columns))}")
    return frame[name].infer_objects()


def _numbers(frame: pd.DataFrame, name: str) -> Array:
    values = _column(frame, name)
    if not _is_numeric(values):
        present = values.notna().to_numpy()
        if not present.any():  # nothing but missing cells has no dtype of its own
            return np.full(len(values), np.nan)
        row = int(np.argmax(present))
        raise DataError(
            f"{_place(frame, row, name)}: {shown(values.iloc[row])} is no number, and the column "
            "was numeric in the training rows"
        )
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def _levels(frame: pd.DataFrame, name: str) -> tuple[IntArray, list[str]]:
    """Return the code of every row (-1: missing) and the text of every code."""
    codes, different = pd.factorize(_column(frame, name))
    texts = [str(level).strip() for level in different]
    return codes.astype(np.int64), texts


def _learn(frame: pd.DataFrame, name: str, missing: str, note: str, *, target: bool) -> Column:
    values = _column(frame, name)
    if _is_numeric(values):
        return _learn_numbers(frame, name, missing, note, target=target)
    kind = pd.api.types.infer_dtype(values, skipna=True)
    text = kind == "string" or isinstance(values.dtype, pd.CategoricalDtype)
    present = values.notna().to_numpy()
    if not present.any():
        raise DataError(f"{_source(frame)}: column {shown(name)} has no value in any training row")
    first = int(np.argmax(present))
    if not text:
        words = [row for row, value in enumerate(values) if isinstance(value, str)]
        if words:
            first = words[0]
            raise DataError(
                f"{_place(frame, first, name)}: {shown(values.iloc[first])} is text in a column "
                "of other values"
            )
        raise DataError(
            f"{_place(frame, first, name)}: {shown(values.iloc[first])} is neither a number nor "
            f"text (the column is {kind}): drop the column or turn it into numbers"
        )
    if target:
        raise DataError(
            f"{_place(frame, first, name)}: the target is text, e.g. {shown(values.iloc[first])}: "
            "regression predicts numbers"
        )
    return _learn_levels(frame, name, missing, note)


def _learn_numbers(
    frame: pd.DataFrame, name: str, missing: str, note: str, *, target: bool
) -> NumericColumn:
    values = _numbers(frame, name)
    there = np.isfinite(values)
    if not there.all():
        if not there.any():
            raise DataError(
                f"{_source(frame)}: column {shown(name)} has no value in any training row"
            )
        if target or missing != "mean":
            raise _missing_cell(frame, name, ~there)
        values = values[there]
    mean = float(values.mean())
    # Scaled before it is squared: neither 1e-200 nor 1e100 leaves the range of float64.
    distance = np.abs(values - mean)
    largest = float(distance.max())
    std = largest * float(np.sqrt(np.mean((distance / largest) ** 2))) if largest > 0 else 0.0
    if values.min() == values.max() or not std > 0:
        reason = "there is nothing to learn" if target else "it carries no information, drop it"
        raise DataError(
            f"{_source(frame)}: column {shown(name)} is constant ({values[0]:g} in every training "
            f"row): {reason}"
        )
    counts_up = len(values) >= FEW_ROWS and bool(np.all(np.diff(values) == 1))
    notes = [note, "it counts the rows: an identifier?" if counts_up and not target else ""]
    return NumericColumn(
        name, mean, std, int(np.sum(~there)), "; ".join(note for note in notes if note)
    )


def _learn_levels(frame: pd.DataFrame, name: str, missing: str, note: str) -> CategoricalColumn:
    codes, texts = _levels(frame, name)
    absent = codes < 0
    if absent.any() and missing != "mean":
        raise _missing_cell(frame, name, absent)
    counts: dict[str, int] = {}
    for text, count in zip(texts, np.bincount(codes[~absent], minlength=len(texts)), strict=True):
        counts[text] = counts.get(text, 0) + int(count)
    levels = sorted(level for level, count in counts.items() if count)
    where = f"{_source(frame)}: column {shown(name)}"
    if len(levels) == 1:
        raise DataError(
            f"{where} is constant ({shown(levels[0])} in every training row): "
            "it carries no information, drop it"
        )
    if len(levels) > MAX_LEVELS or (len(levels) == len(frame) >= FEW_ROWS):
        raise DataError(
            f"{where} has {len(levels)} different texts in {len(frame)} training rows, e.g. "
            f"{shown(texts[0])}: an identifier or free text is no category, drop it"
        )
    common = max(levels, key=lambda level: counts[level])  # the first in order, of equals
    return CategoricalColumn(name, tuple(levels), common, int(absent.sum()), note)


# The written form


def _column_to_dict(column: Column) -> dict[str, Any]:
    written: dict[str, Any] = {
        "name": column.name,
        "kind": column.kind,
        "missing": column.missing,
        "note": column.note,
    }
    if isinstance(column, NumericColumn):
        return written | {"mean": column.mean, "std": column.std}
    return written | {"levels": list(column.levels), "common": column.common}


def _entry(written: dict[str, Any], key: str, kind: type) -> Any:
    value = written.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise RunError(f"preprocessing: {key} must be of type {kind.__name__}, got {shown(value)}")
    return value


def _column_from_dict(written: Any) -> Column:
    if not isinstance(written, dict):
        raise RunError(f"preprocessing: a column must be an object, got {shown(written)}")
    name = _entry(written, "name", str)
    missing, note = _entry(written, "missing", int), _entry(written, "note", str)
    kind = written.get("kind")
    if kind == "numeric":
        mean, std = (_entry(written, key, float) for key in ("mean", "std"))
        if not (math.isfinite(mean) and math.isfinite(std) and std > 0):
            raise RunError(
                f"preprocessing: column {shown(name)} has mean {mean} and std {std}: "
                "they must be finite, std above 0"
            )
        return NumericColumn(name, mean, std, missing, note)
    if kind != "categorical":
        raise RunError(f"preprocessing: column {shown(name)} has the unknown kind {shown(kind)}")
    levels = _entry(written, "levels", list)
    common = written.get("common")
    if not all(isinstance(level, str) for level in levels) or len(set(levels)) < len(levels):
        raise RunError(f"preprocessing: column {shown(name)} needs different levels of text")
    if common not in levels:
        raise RunError(f"preprocessing: column {shown(name)} has no level {shown(common)}")
    return CategoricalColumn(name, tuple(levels), str(common), missing, note)
