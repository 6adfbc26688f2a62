"""The columns of a frame, and what messages call a cell of it."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bpref.regression.errors import DataError
from bpref.regression.wording import listed, missing_name, shown

Array: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]


def source_of(frame: pd.DataFrame) -> str:
    """Return what messages call the table."""
    return str(frame.attrs.get("source", "the table"))


def place(frame: pd.DataFrame, row: int, column: str) -> str:
    """Return where a cell is: a line of the file, or the label of a row made in memory."""
    label = frame.index[row]
    name = f"line {label}" if frame.index.name == "line" else f"row {shown(label).strip(chr(39))}"
    return f"{source_of(frame)}: {name}, column {shown(column)}"


def missing_cell(frame: pd.DataFrame, column: str, missing: NDArray[np.bool_]) -> DataError:
    """Return the error for the first of the missing cells of a column."""
    row = int(np.argmax(missing))
    value = frame[column].iloc[row]
    infinite = isinstance(value, float) and math.isinf(value)
    reason = f"{value} is not a finite number" if infinite else "the value is missing"
    return DataError(f"{place(frame, row, column)}: {reason}")


def check_names(frame: pd.DataFrame, targets: tuple[str, ...]) -> list[str]:
    """Return the names of the columns; refuse those that cannot be told apart, and odd targets."""
    source = source_of(frame)
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


def is_numeric(values: pd.Series) -> bool:
    """Whether a column holds real numbers or truth values."""
    dtype = values.infer_objects().dtype
    return pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype)


def column_of(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return a column; a missing one is an error."""
    if name not in frame.columns:
        raise DataError(f"{source_of(frame)}: {missing_name(name, list(frame.columns))}")
    return frame[name].infer_objects()


def numbers(frame: pd.DataFrame, name: str) -> Array:
    """Return a column that was numeric in training as float64, NaN where a cell is missing."""
    values = column_of(frame, name)
    if not is_numeric(values):
        present = values.notna().to_numpy()
        if not present.any():  # nothing but missing cells has no dtype of its own
            return np.full(len(values), np.nan)
        row = int(np.argmax(present))
        raise DataError(
            f"{place(frame, row, name)}: {shown(values.iloc[row])} is no number, and the column "
            "was numeric in the training rows"
        )
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def levels_of(frame: pd.DataFrame, name: str) -> tuple[IntArray, list[str]]:
    """Return the code of every row (-1: missing) and the text of every code."""
    codes, different = pd.factorize(column_of(frame, name))
    texts = [str(level).strip() for level in different]
    return codes.astype(np.int64), texts
