"""What the training rows of a column say: its scale or its categories, or a fault."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bpref.regression.columns import CategoricalColumn, Column, NumericColumn
from bpref.regression.errors import DataError
from bpref.regression.frames import (
    Array,
    column_of,
    is_numeric,
    levels_of,
    missing_cell,
    numbers,
    place,
    source_of,
)
from bpref.regression.wording import shown

MAX_LEVELS: Final = 100  # a column with more categories is an identifier or free text
FEW_ROWS: Final = 10  # from so many rows on, a category per row is an identifier


def learn(frame: pd.DataFrame, name: str, missing: str, note: str, *, target: bool) -> Column:
    """Return what is learned of a column from the training rows, which `frame` holds."""
    values = column_of(frame, name)
    if is_numeric(values):
        return _learn_numbers(frame, name, missing, note, target=target)
    kind = pd.api.types.infer_dtype(values, skipna=True)
    text = kind == "string" or isinstance(values.dtype, pd.CategoricalDtype)
    present = values.notna().to_numpy()
    if not present.any():
        raise DataError(
            f"{source_of(frame)}: column {shown(name)} has no value in any training row"
        )
    first = int(np.argmax(present))
    if not text:
        words = [row for row, value in enumerate(values) if isinstance(value, str)]
        if words:
            first = words[0]
            raise DataError(
                f"{place(frame, first, name)}: {shown(values.iloc[first])} is text in a column "
                "of other values"
            )
        raise DataError(
            f"{place(frame, first, name)}: {shown(values.iloc[first])} is neither a number nor "
            f"text (the column is {kind}): drop the column or turn it into numbers"
        )
    if target:
        raise DataError(
            f"{place(frame, first, name)}: the target is text, e.g. {shown(values.iloc[first])}: "
            "regression predicts numbers"
        )
    return _learn_levels(frame, name, missing, note)


def _learn_numbers(
    frame: pd.DataFrame, name: str, missing: str, note: str, *, target: bool
) -> NumericColumn:
    values = numbers(frame, name)
    there = np.isfinite(values)
    if not there.all():
        if not there.any():
            raise DataError(
                f"{source_of(frame)}: column {shown(name)} has no value in any training row"
            )
        if target or missing != "mean":
            raise missing_cell(frame, name, ~there)
        values = values[there]
    mean = float(values.mean())
    # Scaled before it is squared: neither 1e-200 nor 1e100 leaves the range of float64.
    distance = np.abs(values - mean)
    largest = float(distance.max())
    std = largest * float(np.sqrt(np.mean((distance / largest) ** 2))) if largest > 0 else 0.0
    if values.min() == values.max() or not std > 0:
        reason = "there is nothing to learn" if target else "it carries no information, drop it"
        raise DataError(
            f"{source_of(frame)}: column {shown(name)} is constant ({values[0]:g} in every "
            f"training row): {reason}"
        )
    counts_up = len(values) >= FEW_ROWS and _counts_up(values, frame.index.to_numpy()[there])
    notes = [note, "it counts the rows: an identifier?" if counts_up and not target else ""]
    return NumericColumn(
        name, mean, std, int(np.sum(~there)), "; ".join(note for note in notes if note)
    )


def _counts_up(values: Array, rows: NDArray[Any]) -> bool:
    """Whether the values grow by 1 from row to row, also where rows between were left out."""
    steps = np.diff(rows) if np.issubdtype(rows.dtype, np.integer) else 1
    return bool(np.all(np.diff(values) == steps))


def _learn_levels(frame: pd.DataFrame, name: str, missing: str, note: str) -> CategoricalColumn:
    codes, texts = levels_of(frame, name)
    absent = codes < 0
    if absent.any() and missing != "mean":
        raise missing_cell(frame, name, absent)
    counts: dict[str, int] = {}
    for text, count in zip(texts, np.bincount(codes[~absent], minlength=len(texts)), strict=True):
        counts[text] = counts.get(text, 0) + int(count)
    levels = sorted(level for level, count in counts.items() if count)
    where = f"{source_of(frame)}: column {shown(name)}"
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
