"""A CSV file as records: its names, and on which line each record begins.

Two ways lead to the same answer. Without quotes a line is a record, and NumPy counts the
delimiters of all lines at once. With quotes Python's `csv` goes from record to record. Neither
keeps a cell: the values are read later, by pandas, which counts no lines.
"""

from __future__ import annotations

import csv
import itertools
import os
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TextIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bpref.regression.cells import parse
from bpref.regression.csv_text import DELIMITERS, UTF8_MARK, CsvText
from bpref.regression.errors import ConfigError, DataError
from bpref.regression.wording import path_name, shown

IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]

BLOCK: Final = 1 << 22  # bytes looked at together


@dataclass(frozen=True)
class CsvFile(CsvText):
    """What is known of a CSV file before its values are read.

    Attributes
    ----------
    names : tuple of str
        The header, without the spaces around the names.
    skip : int
        Lines before the first record below the header.
    lines : ndarray, int64, shape (R,)
        The line on which each record below the header begins, counted from 1.
    blank : ndarray, bool, shape (R,)
        Records without a single value: empty lines, or delimiters alone.
    """

    names: tuple[str, ...]
    skip: int
    lines: IntArray
    blank: BoolArray

    @contextmanager
    def body(self) -> Iterator[TextIO]:
        """Open the text below the header."""
        with self.faults(), self.text() as text:
            for _ in itertools.islice(text, self.skip):
                pass
            yield text

    def cell(self, record: int, column: int) -> str:
        """Return the text of one cell, found again in the file."""
        with self.body() as text:
            reader = csv.reader(text, delimiter=self.delimiter, strict=True)
            found = next(itertools.islice(reader, record, None), [])
        if column >= len(found):
            raise self.error("the file changed while it was read")
        return found[column]

    def place(self, record: int, column: int) -> str:
        """Return where a cell is: file, line, column."""
        return f"{self.source}: line {self.lines[record]}, column {shown(self.names[column])}"


def scan(path: str | os.PathLike[str], delimiter: str = ",") -> CsvFile:
    """Look through a CSV file once: encoding, header, lines, numbers of cells.

    Parameters
    ----------
    path : str or path
        The file: UTF-8, with or without a byte order mark, plain or gzip.
    delimiter : str
        One of DELIMITERS.

    Returns
    -------
    CsvFile

    Raises
    ------
    DataError
        If the file cannot be read, is no CSV text, has no header or no record, a name is empty
        or repeated, a row is too short or too long, or a quote stays open.
    ConfigError
        If the delimiter is not one of DELIMITERS.

    Examples
    --------
    >>> from pathlib import Path
    >>> file = scan(Path(__file__).parent / "data" / "diabetes.csv")
    >>> file.names[:3], file.lines[:3]
    (('age', 'sex', 'bmi'), array([2, 3, 4]))
    """
    if delimiter not in DELIMITERS:
        known = ", ".join(map(repr, DELIMITERS))
        raise ConfigError(f"delimiter must be one of {known}, got {delimiter!r}")
    file = CsvText(os.fspath(path), path_name(path), delimiter)
    with file.faults():
        file.check_kind()
        survey = _survey(file)
        found = _from_records(file) if survey is None else _from_survey(file, *survey)
    if found.blank.all():
        raise file.error("no row below the header")
    return found


# Without quotes: a line is a record


def _survey(file: CsvText) -> tuple[IntArray, BoolArray] | None:
    """Check all bytes; return the delimiters per line and which lines hold no value.

    None if there are quotes, or line ends of the old Mac: then lines are not records.
    """
    commas, blanks = [], []
    line, plain, rest = 1, True, b""
    with file.binary() as binary:
        if binary.read(len(UTF8_MARK)) != UTF8_MARK:
            binary.seek(0)
        while True:
            block = binary.read(BLOCK)
            data = rest + block
            cut = data.rfind(b"\n") + 1 if block else len(data)
            data, rest = data[:cut], data[cut:]
            _check_bytes(data, line, file)
            plain = plain and b'"' not in data and data.count(b"\r") == data.count(b"\r\n")
            if plain and data:
                whole = data if data.endswith(b"\n") else data + b"\n"
                counts, blank = _count(whole, file.delimiter)
                commas.append(counts)
                blanks.append(blank)
            line += data.count(b"\n")
            if not block:
                break
    if not plain:
        return None
    if not commas:  # a byte order mark and nothing else
        raise file.error("the file is empty")
    return np.concatenate(commas), np.concatenate(blanks)


def _count(data: bytes, delimiter: str) -> tuple[IntArray, BoolArray]:
    array_ = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(array_ == ord("\n"))
    starts = np.concatenate([[0], ends[:-1] + 1])
    marks = np.flatnonzero(array_ == ord(delimiter))
    counts = np.diff(np.searchsorted(marks, ends), prepend=0)
    # Few lines begin with a delimiter, a space or beyond ASCII; only those can be blank.
    begin = array_[starts]
    blank = (begin <= ord(" ")) | (begin == ord(delimiter)) | (begin >= 128)
    for at in np.flatnonzero(blank):
        text = data[starts[at] : ends[at]].decode("utf-8")
        blank[at] = not text.replace(delimiter, "").strip()
    return counts.astype(np.int64), blank


def _check_bytes(data: bytes, line: int, file: CsvText) -> None:
    if (at := data.find(b"\0")) >= 0:
        raise file.error(f"{_position(data, at, line, file.delimiter)}: a NUL byte, not text")
    if data.isascii():
        return
    before = b"\n" if line > 1 else b""
    whole = before + data
    if (at := whole.find(b"\n" + UTF8_MARK)) >= 0:
        number = line - len(before) + whole[: at + 1].count(b"\n")
        raise file.error(
            f"line {number}: a byte order mark inside the file: were two files joined?"
        )
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        where = _position(data, error.start, line, file.delimiter)
        raise file.error(
            f"{where}: byte 0x{data[error.start]:02X} is not UTF-8 text: save the file as UTF-8"
        ) from None


def _position(data: bytes, at: int, line: int, delimiter: str) -> str:
    start = data.rfind(b"\n", 0, at) + 1
    before = data[start:at]
    column = f", column {before.count(delimiter.encode()) + 1}" if b'"' not in before else ""
    return f"line {line + data[:at].count(10)}{column}"


def _from_survey(file: CsvText, commas: IntArray, blank: BoolArray) -> CsvFile:
    if blank.all():
        raise file.error("the file holds nothing but blank lines")
    header = int(np.argmin(blank))  # the first line with something on it
    with file.text() as text:
        line = next(itertools.islice(text, header, None)).rstrip("\r\n")
    names = _names(line.split(file.delimiter), header + 1, file)
    cells = commas[header + 1 :] + 1
    empty = blank[header + 1 :]
    lines = np.arange(header + 2, header + 2 + len(cells), dtype=np.int64)
    wrong = np.where(empty, cells > len(names), cells != len(names))
    if wrong.any():
        at = int(np.argmax(wrong))
        raise _ragged(file, int(lines[at]), int(cells[at]), names)
    return CsvFile(**vars(file), names=names, skip=header + 1, lines=lines, blank=empty)


# With quotes: a record may go over lines


def _from_records(file: CsvText) -> CsvFile:
    names: tuple[str, ...] | None = None
    skip, lines, blanks = 0, array("q"), bytearray()
    start = 1
    try:
        with file.text() as text:
            reader = csv.reader(text, delimiter=file.delimiter, strict=True)
            for record in reader:
                empty = not "".join(record).strip()
                if names is None:
                    if not empty:
                        names = _names(record, start, file)
                        skip = reader.line_num
                elif len(record) > len(names) or (len(record) < len(names) and not empty):
                    raise _ragged(file, start, len(record), names)
                else:
                    lines.append(start)
                    blanks.append(empty)
                start = reader.line_num + 1
    except csv.Error as error:
        raise file.error(f"line {start}: {_quoting(str(error))}") from None
    if names is None:
        raise file.error("the file holds nothing but blank lines")
    blank = np.frombuffer(bytes(blanks), dtype=np.bool_)
    return CsvFile(
        **vars(file), names=names, skip=skip, lines=np.array(lines, np.int64), blank=blank
    )


def _quoting(reason: str) -> str:
    if "unexpected end" in reason:
        return "a quote is opened and never closed"
    if "expected after" in reason:
        return "text follows a closing quote (is a quote left open, or not doubled inside a cell?)"
    if "field limit" in reason:
        return f"a cell is longer than {csv.field_size_limit()} characters (is a quote left open?)"
    return f"not a well-formed CSV record: {reason}"


# What both have to say about the header and the rows


def _names(cells: list[str], line: int, file: CsvText) -> tuple[str, ...]:
    names = tuple(cell.strip().strip("\ufeff") for cell in cells)
    if len(names) == 1 and (error := file.wrong_delimiter()):
        raise error
    for at, name in enumerate(names):
        if not name:
            hint = " (an index? pandas leaves it out with index=False)" if at == 0 else ""
            raise file.error(f"line {line}: column {at + 1} has no name{hint}")
        if (before := names.index(name)) < at:
            raise file.error(
                f"line {line}: columns {before + 1} and {at + 1} have the same name {shown(name)}"
            )
    numbers = [name for name in names if isinstance(parse(name), float)]
    if len(numbers) == len(names) and not all(name.isdigit() for name in names):
        first = next(name for name in names if not name.isdigit())
        raise file.error(
            f"line {line}: numbers, e.g. {shown(first)}, where the names of the columns are "
            "expected: add a header line"
        )
    return names


def _ragged(file: CsvText, line: int, cells: int, names: tuple[str, ...]) -> DataError:
    if error := file.wrong_delimiter():
        return error
    where = f"column {shown(names[cells])} has none" if cells < len(names) else "it is too long"
    if len(names) == 1:
        where = f"the first line, {shown(names[0])}, should name the columns"
    return file.error(
        f"line {line}: {cells} cell{'s' * (cells != 1)} where the header names "
        f"{len(names)} column{'s' * (len(names) != 1)}: {where}"
    )
