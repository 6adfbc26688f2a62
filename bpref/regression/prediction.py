"""The rows of a table with predictions behind them."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from bpref.regression.atomic import replacing, writing
from bpref.regression.csv_file import CsvFile, scan
from bpref.regression.errors import DataError
from bpref.regression.preprocessing import Preprocessor
from bpref.regression.wording import shown

PREFIX = "predicted_"


def write_predictions(
    file: str | os.PathLike[str],
    delimiter: str,
    lines: NDArray[Any],
    predictions: NDArray[np.float64],
    preprocessor: Preprocessor,
    output: str | os.PathLike[str] | None = None,
) -> int:
    """Copy a CSV table with a column "predicted_TARGET" for each target.

    The other cells stay as they are; blank lines are left out.

    Parameters
    ----------
    file : path
        The table.
    delimiter : str
        Between its cells, and between those of the output.
    lines : ndarray, shape (N,)
        The line on which each predicted row begins, ascending.
    predictions : ndarray, shape (N, m)
        In the unit of the targets.
    preprocessor : Preprocessor
        Knows the names of the targets.
    output : path, optional
        Is replaced in one step; standard output without it.

    Returns
    -------
    int
        Rows without a prediction: those that miss a value.

    Raises
    ------
    DataError
        If the table has a column of that name already, or has changed.
    RunError
        If the output cannot be written.
    """
    table = scan(file, delimiter)
    new = [f"{PREFIX}{name}" for name in preprocessor.target_names]
    for name in new:
        if name in table.names:
            raise DataError(f"{table.source}: line 1: there is a column {shown(name)} already")
    left_out = at = 0
    with _opened(output) as out:
        writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
        writer.writerow([*table.names, *new])
        for line, blank, cells in _records(table):
            if at < len(lines) and lines[at] == line:
                values = [repr(value) for value in predictions[at].tolist()]
                at += 1
            elif blank:
                continue
            else:
                values = [""] * len(new)
                left_out += 1
            writer.writerow([*cells, *values])
        if at < len(lines):
            raise DataError(f"{table.source}: the file changed while it was read")
    return left_out


def _records(table: CsvFile) -> Iterator[tuple[int, bool, list[str]]]:
    """Give line, whether it is blank, and cells of every record below the header."""
    with table.body() as text:
        reader = csv.reader(text, delimiter=table.delimiter, strict=True)
        yield from zip(table.lines.tolist(), table.blank.tolist(), reader, strict=False)


@contextlib.contextmanager
def _opened(output: str | os.PathLike[str] | None) -> Iterator[IO[str]]:
    """Open a file that takes its name when it is complete; pipes and devices as they are."""
    if output is None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")
        yield sys.stdout
        return
    path = Path(output)
    if path.exists() and not path.is_file():
        with writing(path), path.open("w", encoding="utf-8", newline="") as file:
            yield file
        return
    with writing(path), replacing(path, "w", encoding="utf-8", newline="") as file:
        yield file
