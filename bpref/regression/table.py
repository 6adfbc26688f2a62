"""A CSV file as a table: columns of numbers and columns of categories, or one line that says why.

pandas reads the cells twice at most. First as numbers, in pieces, into one array per column, so
that no Python string is kept for a cell. The pieces of columns where that fails are read again as
text, of which only the different texts are kept: they decide between categories and a fault.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bpref.regression.cells import (
    LARGEST,
    MISSING_MARKS,
    almost_number,
    is_date,
    parse,
    unusable,
)
from bpref.regression.config import MISSING
from bpref.regression.csv_file import CsvFile, scan
from bpref.regression.errors import ConfigError, DataError
from bpref.regression.wording import listed, missing_name, shown

Array: TypeAlias = NDArray[np.float64]
Values: TypeAlias = "Array | pd.Categorical[Any]"  # of one column

PIECE: Final = 500_000  # cells that are read together
BOOLEANS: Final = {"true": 1.0, "false": 0.0}


def read_table(
    path: str | os.PathLike[str],
    *,
    columns: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    categorical: Sequence[str] = (),
    missing: str = "error",
    delimiter: str = ",",
) -> pd.DataFrame:
    """Read a CSV file with one header line into numbers and categories.

    A column of numbers becomes float64; true and false become 1 and 0. A column of text becomes a
    pandas Categorical. Spaces around names and cells don't count; blank lines are no rows.

    Parameters
    ----------
    path : str or path
        The file: UTF-8, plain or gzip.
    columns : sequence of str, optional
        The columns to read, in this order; what the others hold does not matter.
    drop : sequence of str
        Columns that are not read.
    categorical : sequence of str
        Columns whose cells are categories even where they look like numbers.
    missing : {"error", "drop", "mean"}
        Of a missing or infinite cell: raise, leave the row out, or leave the cell for
        `Preprocessor` to fill in: NaN among numbers, no category among categories.
    delimiter : str
        Comma, semicolon, tab, bar or space.

    Returns
    -------
    DataFrame, shape (N, d)
        The index, called "line", is the line of the file on which the row begins. `attrs` holds
        "source" (the path), "dropped_columns", "dropped_rows" (their number) and "notes" (what
        else was done, by column).

    Raises
    ------
    DataError
        If the file is no such table. The message is one line and names file, line and column.
    ConfigError
        If `missing` or `delimiter` is not one of the above.

    Examples
    --------
    >>> from pathlib import Path
    >>> frame = read_table(Path(__file__).parent / "data" / "diabetes.csv", drop=["s1", "s2"])
    >>> frame.shape, frame.index[0], frame["age"].dtype
    ((442, 9), 2, dtype('float64'))
    """
    if missing not in MISSING:
        raise ConfigError(f"missing must be one of {', '.join(MISSING)}, got {missing!r}")
    file = scan(path, delimiter)
    wanted = _choose(file, columns, drop, categorical)

    declared = {at for at in wanted if file.names[at] in categorical}
    found, failed = _read_numbers(file, [at for at in wanted if at not in declared])
    texts = _read_texts(file, found, failed, declared)
    values: dict[int, Values] = {}
    notes = {}
    for at in wanted:
        if at in texts:
            values[at], note = _decide(file, at, texts.pop(at))
            if note:
                notes[file.names[at]] = note
        else:
            values[at] = found.pop(at)
        _refuse_too_large(file, at, values[at])
    return _to_frame(file, values, missing, notes)


def _choose(
    file: CsvFile, columns: Sequence[str] | None, drop: Sequence[str], categorical: Sequence[str]
) -> list[int]:
    """Return the positions of the columns to read."""
    for name in (*(columns or ()), *drop, *categorical):
        if name not in file.names:
            raise file.error(missing_name(name, file.names))
    wanted = [
        file.names.index(name)
        for name in dict.fromkeys(columns if columns is not None else file.names)
        if name not in drop
    ]
    if not wanted:
        raise file.error(f"every column is dropped ({listed(file.names)})")
    return wanted


def _pieces(
    file: CsvFile, positions: Collection[int], **options: Any
) -> Iterator[tuple[slice, pd.DataFrame]]:
    """Read some columns in pieces: the records of each, and their cells."""
    end = 0
    with file.body() as text:
        try:
            pieces = pd.read_csv(
                text,
                sep=file.delimiter,
                header=None,
                names=range(len(file.names)),
                usecols=sorted(positions),
                index_col=False,
                skip_blank_lines=False,
                low_memory=False,
                chunksize=max(1, PIECE // len(file.names)),
                keep_default_na=False,
                **options,
            )
            with pieces:
                for piece in pieces:
                    end += len(piece)
                    if end > len(file.lines):
                        break
                    yield slice(end - len(piece), end), piece
        except pd.errors.ParserError as error:
            reason = " ".join(str(error).split())
            raise file.error(f"not a well-formed CSV table: {reason}") from None
    if end != len(file.lines):
        raise file.error("the file changed while it was read")


def _read_numbers(
    file: CsvFile, positions: list[int]
) -> tuple[dict[int, Array], dict[int, set[int]]]:
    """Read columns as finite numbers and missing cells (NaN).

    Returns the columns, and the pieces (by their first record) in which a column is not that.
    """
    found = {at: np.empty(len(file.lines)) for at in positions}
    failed: dict[int, set[int]] = {}
    if positions:
        for rows, piece in _pieces(file, positions, na_values=list(MISSING_MARKS)):
            for at, column in found.items():
                cells = piece[at]
                if cells.dtype.kind in "iuf" and not np.isinf(part := cells.to_numpy(float)).any():
                    column[rows] = part
                else:  # text, true and false, or infinite
                    failed.setdefault(at, set()).add(rows.start)
    return found, failed


@dataclass
class _Texts:
    """A column with cells that are no numbers: its numbers, and its different texts.

    `codes` holds -1 where the cell is a number or has no value; None is -1 everywhere.
    """

    numbers: Array
    declared: bool
    codes: NDArray[np.int32] | None = None
    levels: dict[str, int] = field(default_factory=dict)

    def take(self, rows: slice, cells: pd.Series) -> None:
        """Add the cells of some records."""
        kinds, different = pd.factorize(cells)
        numbers = np.full(len(different), np.nan)
        codes = np.full(len(different), -1, dtype=np.int32)
        for at, cell in enumerate(different):
            value = parse(cell)
            if value is not None and self.declared:
                value = cell.strip()
            if isinstance(value, str):
                codes[at] = self.levels.setdefault(value, len(self.levels))
            elif value is not None:
                numbers[at] = value
        self.numbers[rows] = numbers[kinds]
        if self.levels:
            if self.codes is None:
                self.codes = np.full(len(self.numbers), -1, dtype=np.int32)
            self.codes[rows] = codes[kinds]


def _read_texts(
    file: CsvFile,
    found: dict[int, Array],
    failed: dict[int, set[int]],
    declared: set[int],
) -> dict[int, _Texts]:
    """Read as text the pieces that are no numbers, and all of the declared categories."""
    texts = {at: _Texts(found.pop(at), declared=False) for at in failed}
    texts |= {at: _Texts(np.empty(len(file.lines)), declared=True) for at in declared}
    if texts:
        for rows, piece in _pieces(file, texts, dtype=str, na_filter=False):
            for at, column in texts.items():
                if at in declared or rows.start in failed[at]:
                    column.take(rows, piece[at])
    return texts


def _decide(file: CsvFile, at: int, texts: _Texts) -> tuple[Values, str]:
    """Return the column as numbers or as categories, with a note where that is not obvious."""
    numbers, levels = texts.numbers, list(texts.levels)
    codes = np.full(len(numbers), -1, dtype=np.int32) if texts.codes is None else texts.codes
    if texts.declared:
        return pd.Categorical.from_codes(codes, pd.Index(levels)), "categories, as asked for"
    if not levels:
        return numbers, ""
    first = int(np.argmax(codes >= 0))  # the first cell that is text
    place, cell = file.place(first, at), levels[codes[first]]
    if not np.isnan(numbers).all():
        fault = almost_number(cell)
        if fault is None and np.sum(codes >= 0) > np.sum(~np.isnan(numbers)):
            first = int(np.argmax(~np.isnan(numbers)))
            place, cell = file.place(first, at), file.cell(first, at).strip()
            fault = f"{shown(cell)} is a number in a column of text"
        fault = fault or f"{shown(cell)} is text in a column of numbers"
        if not any(letter.isalnum() for letter in cell):
            fault += ": if it stands for a missing value, leave the cell empty"
        raise DataError(f"{place}: {fault}")
    if all(level.lower() in BOOLEANS for level in levels):
        truth = np.array([BOOLEANS[level.lower()] for level in levels])
        return np.where(codes >= 0, truth[codes], np.nan), "true and false read as 1 and 0"
    if all(is_date(level) for level in levels):
        raise DataError(
            f"{place}: {shown(cell)} is a date or a time, which is neither used as a number nor "
            "as a category: drop the column, or write a number, e.g. of days"
        )
    if all(almost_number(level) for level in levels):
        raise DataError(f"{place}: {almost_number(cell)}")
    return pd.Categorical.from_codes(codes, pd.Index(levels)), ""


def _refuse_too_large(file: CsvFile, at: int, values: Values) -> None:
    if isinstance(values, pd.Categorical):
        return
    large = np.abs(values) > LARGEST
    if large.any():
        record = int(np.argmax(large))
        cell = shown(file.cell(record, at).strip())
        raise DataError(f"{file.place(record, at)}: {cell} is too large (above {LARGEST:g})")


def _to_frame(
    file: CsvFile, values: dict[int, Values], missing: str, notes: dict[str, str]
) -> pd.DataFrame:
    """Apply the policy to missing cells and join the columns."""
    gaps = {at: pd.isna(column) for at, column in values.items()}
    gaps = {at: gap & ~file.blank for at, gap in gaps.items()}
    gaps = {at: gap for at, gap in gaps.items() if gap.any()}
    if gaps and missing == "error":
        record, at = min((int(np.argmax(gap)), at) for at, gap in gaps.items())
        raise DataError(f"{file.place(record, at)}: {unusable(file.cell(record, at))}")

    out = file.blank
    if missing == "drop":
        for gap in gaps.values():
            out = out | gap
    if out.all():
        at = max(gaps, key=lambda at: int(gaps[at].sum()))
        raise file.error(
            f"no row is left without the rows that miss a value: column {shown(file.names[at])} "
            f"misses {gaps[at].sum()} of {np.sum(~file.blank)}"
        )
    lines = file.lines
    if out.any():
        keep = ~out
        lines = lines[keep]
        for at, column in values.items():
            values[at] = column[keep]
    consecutive = len(lines) == lines[-1] - lines[0] + 1
    index = pd.RangeIndex(lines[0], lines[-1] + 1) if consecutive else pd.Index(lines)
    frame = pd.DataFrame(
        {file.names[at]: column for at, column in values.items()},
        index=index.rename("line"),
        copy=False,
    )
    frame.attrs = {
        "source": file.source,
        "dropped_columns": [name for at, name in enumerate(file.names) if at not in values],
        "dropped_rows": int(out.sum() - file.blank.sum()),
        "notes": notes,
    }
    return frame
