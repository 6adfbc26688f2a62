"""A CSV file as records: its names, and on which line each record begins.

Two ways lead to the same answer. Without quotes a line is a record, and NumPy counts the
delimiters of all lines at once. With quotes Python's `csv` goes from record to record. Neither
keeps a cell: the values are read later, by pandas, which counts no lines.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import os
import stat
import zlib
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, TextIO, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from bpref.regression.cells import parse
from bpref.regression.errors import ConfigError, DataError
from bpref.regression.wording import path_name, shown

IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]

DELIMITERS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "space"}
BLOCK: Final = 1 << 22  # bytes looked at together
HEAD: Final = 1 << 16  # bytes that tell what kind of file it is

_GZIP = b"\x1f\x8b"
_UTF8_MARK = b"\xef\xbb\xbf"
_NOT_CSV = (
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook: save the table as CSV"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook: save the table as CSV"),
    (b"PAR1", "a Parquet file: save the table as CSV"),
    (b"\x89HDF", "an HDF5 file: save the table as CSV"),
    (b"SQLite format 3", "an SQLite database: save the table as CSV"),
    (b"%PDF", "a PDF document: save the table as CSV"),
    (b"BZh", "compressed with bzip2: unpack it first (gzip is read as it is)"),
    (b"\xfd7zXZ", "compressed with xz: unpack it first (gzip is read as it is)"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd: unpack it first (gzip is read as it is)"),
    (b"<!doctype html", "a web page, not a table: download the file itself"),
    (b"<html", "a web page, not a table: download the file itself"),
)


@dataclass(frozen=True)
class CsvFile:
    """What is known of a CSV file before its values are read.

    Attributes
    ----------
    path : Path
        The file; "x.csv.gz" is read as it is.
    source : str
        The path as messages show it.
    delimiter : str
        Between the cells, one of DELIMITERS.
    names : tuple of str
        The header, without the spaces around the names.
    skip : int
        Lines before the first record below the header.
    lines : ndarray, int64, shape (R,)
        The line on which each record below the header begins, counted from 1.
    blank : ndarray, bool, shape (R,)
        Records without a single value: empty lines, or delimiters alone.
    """

    path: Path
    source: str
    delimiter: str
    names: tuple[str, ...]
    skip: int
    lines: IntArray
    blank: BoolArray

    @contextmanager
    def body(self) -> Iterator[TextIO]:
        """Open the text below the header."""
        with faults(self.source), _binary(self.path) as binary, _text(binary) as text:
            for _ in itertools.islice(text, self.skip):
                pass
            yield text

    def cell(self, record: int, column: int) -> str:
        """Return the text of one cell, found again in the file."""
        with self.body() as text:
            reader = csv.reader(text, delimiter=self.delimiter, strict=True)
            found = next(itertools.islice(reader, record, None), [])
        if column >= len(found):
            raise DataError(f"{self.source}: the file changed while it was read")
        return found[column]

    def place(self, record: int, column: int) -> str:
        """Return where a cell is: file, line, column."""
        return f"{self.source}: line {self.lines[record]}, column {shown(self.names[column])}"


@contextmanager
def faults(source: str) -> Iterator[None]:
    """Turn what a file can do wrong into a DataError of one line."""
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise DataError(f"{source}: the gzip file is damaged or incomplete") from None
    except OSError as error:
        raise DataError(f"{source}: cannot be read: {error.strerror or error}") from None
    except (UnicodeDecodeError, csv.Error):  # `scan` has refused these before
        raise DataError(f"{source}: the file changed while it was read") from None


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
    >>> file = scan(Path(__file__).parent / "data" / "diabetes.csv")
    >>> file.names[:3], file.lines[:3]
    (('age', 'sex', 'bmi'), array([2, 3, 4]))
    """
    if delimiter not in DELIMITERS:
        known = ", ".join(map(repr, DELIMITERS))
        raise ConfigError(f"delimiter must be one of {known}, got {delimiter!r}")
    source = path_name(path)
    with faults(source):
        file = _regular_file(path, source)
        with _binary(file) as binary:
            _refuse_other_formats(binary.read(HEAD), source)
            binary.seek(0)
            survey = _survey(binary, delimiter, source)
        if survey is None:
            with _binary(file) as binary, _text(binary) as text:
                return _from_records(text, file, delimiter, source)
        with _binary(file) as binary, _text(binary) as text:
            return _from_survey(survey, text, file, delimiter, source)


def _regular_file(path: str | os.PathLike[str], source: str) -> Path:
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise DataError(f"{source}: cannot be read: no such file") from None
    except ValueError:  # a NUL character in the name
        raise DataError(f"{source}: cannot be read: not a name of a file") from None
    if stat.S_ISDIR(mode):
        raise DataError(f"{source}: cannot be read: it is a folder")
    if not stat.S_ISREG(mode):  # a pipe can be read only once
        raise DataError(f"{source}: cannot be read: not a regular file")
    return Path(path)


def _binary(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
    return cast(BinaryIO, gzip.open(path, "rb")) if packed else path.open("rb")


def _text(binary: BinaryIO) -> TextIO:
    # newline="": line breaks inside quotes stay as they are.
    return io.TextIOWrapper(binary, encoding="utf-8-sig", newline="")


def _refuse_other_formats(head: bytes, source: str) -> None:
    if not head:
        raise DataError(f"{source}: the file is empty")
    pairs = head[: len(head) // 2 * 2]
    zeros = max(pairs[::2].count(0), pairs[1::2].count(0))
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or zeros > len(pairs) / 5:
        raise DataError(f"{source}: the text is UTF-16, not UTF-8: save it as UTF-8")
    start = head.removeprefix(_UTF8_MARK).lstrip().lower()
    for magic, name in _NOT_CSV:
        if start.startswith(magic.lower()):
            raise DataError(f"{source}: the file is {name}")


# Without quotes: a line is a record


def _survey(binary: BinaryIO, delimiter: str, source: str) -> tuple[IntArray, BoolArray] | None:
    """Check all bytes; return the delimiters per line and which lines hold no value.

    None if there are quotes, or line ends of the old Mac: then lines are not records.
    """
    if binary.read(len(_UTF8_MARK)) != _UTF8_MARK:
        binary.seek(0)
    commas, blanks = [], []
    line, plain, rest = 1, True, b""
    while True:
        block = binary.read(BLOCK)
        data = rest + block
        cut = data.rfind(b"\n") + 1 if block else len(data)
        data, rest = data[:cut], data[cut:]
        _check_bytes(data, line, delimiter, source)
        plain = plain and b'"' not in data and data.count(b"\r") == data.count(b"\r\n")
        if plain and data:
            counts, blank = _count(data if data.endswith(b"\n") else data + b"\n", delimiter)
            commas.append(counts)
            blanks.append(blank)
        line += data.count(b"\n")
        if not block:
            break
    if not plain:
        return None
    if not commas:  # a byte order mark and nothing else
        raise DataError(f"{source}: the file is empty")
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


def _check_bytes(data: bytes, line: int, delimiter: str, source: str) -> None:
    if (at := data.find(b"\0")) >= 0:
        raise DataError(f"{source}: {_position(data, at, line, delimiter)}: a NUL byte, not text")
    if data.isascii():
        return
    before = b"\n" if line > 1 else b""
    whole = before + data
    if (at := whole.find(b"\n" + _UTF8_MARK)) >= 0:
        number = line - len(before) + whole[: at + 1].count(b"\n")
        raise DataError(
            f"{source}: line {number}: a byte order mark inside the file: were two files joined?"
        )
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        where = _position(data, error.start, line, delimiter)
        raise DataError(
            f"{source}: {where}: byte 0x{data[error.start]:02X} is not UTF-8 text: "
            "save the file as UTF-8"
        ) from None


def _position(data: bytes, at: int, line: int, delimiter: str) -> str:
    start = data.rfind(b"\n", 0, at) + 1
    before = data[start:at]
    column = f", column {before.count(delimiter.encode()) + 1}" if b'"' not in before else ""
    return f"line {line + data[:at].count(10)}{column}"


def _from_survey(
    survey: tuple[IntArray, BoolArray], text: TextIO, path: Path, delimiter: str, source: str
) -> CsvFile:
    commas, blank = survey
    if blank.all():
        raise DataError(f"{source}: the file holds nothing but blank lines")
    header = int(np.argmin(blank))  # the first line with something on it
    line = next(itertools.islice(text, header, None)).rstrip("\r\n")
    names = _names(line.split(delimiter), header + 1, path, delimiter, source)
    cells = commas[header + 1 :] + 1
    empty = blank[header + 1 :]
    lines = np.arange(header + 2, header + 2 + len(cells), dtype=np.int64)
    wrong = np.where(empty, cells > len(names), cells != len(names))
    if wrong.any():
        at = int(np.argmax(wrong))
        raise _ragged(path, delimiter, source, int(lines[at]), int(cells[at]), names)
    return _checked(CsvFile(path, source, delimiter, names, header + 1, lines, empty))


# With quotes: a record may go over lines


def _from_records(text: TextIO, path: Path, delimiter: str, source: str) -> CsvFile:
    names: tuple[str, ...] | None = None
    skip, lines, blank = 0, array("q"), bytearray()
    start = 1
    try:
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        for record in reader:
            empty = not "".join(record).strip()
            if names is None:
                if not empty:
                    names = _names(record, start, path, delimiter, source)
                    skip = reader.line_num
            elif len(record) > len(names) or (len(record) < len(names) and not empty):
                raise _ragged(path, delimiter, source, start, len(record), names)
            else:
                lines.append(start)
                blank.append(empty)
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{source}: line {start}: {_quoting(str(error))}") from None
    if names is None:
        raise DataError(f"{source}: the file holds nothing but blank lines")
    return _checked(
        CsvFile(
            path,
            source,
            delimiter,
            names,
            skip,
            np.array(lines, dtype=np.int64),
            np.frombuffer(bytes(blank), dtype=np.bool_),
        )
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


def _names(cells: list[str], line: int, path: Path, delimiter: str, source: str) -> tuple[str, ...]:
    names = tuple(cell.strip().strip("\ufeff") for cell in cells)
    if len(names) == 1 and (other := _other_delimiter(path, delimiter)):
        raise DataError(f"{source}: {_wrong_delimiter(other, delimiter)}")
    for at, name in enumerate(names):
        if not name:
            hint = " (an index? pandas leaves it out with index=False)" if at == 0 else ""
            raise DataError(f"{source}: line {line}: column {at + 1} has no name{hint}")
        if (before := names.index(name)) < at:
            raise DataError(
                f"{source}: line {line}: columns {before + 1} and {at + 1} "
                f"have the same name {shown(name)}"
            )
    numbers = [name for name in names if isinstance(parse(name), float)]
    if len(numbers) == len(names) and not all(name.isdigit() for name in names):
        first = next(name for name in names if not name.isdigit())
        raise DataError(
            f"{source}: line {line}: numbers, e.g. {shown(first)}, where the names of the columns "
            "are expected: add a header line"
        )
    return names


def _ragged(
    path: Path, delimiter: str, source: str, line: int, cells: int, names: tuple[str, ...]
) -> DataError:
    if other := _other_delimiter(path, delimiter):
        return DataError(f"{source}: {_wrong_delimiter(other, delimiter)}")
    where = f"column {shown(names[cells])} has none" if cells < len(names) else "it is too long"
    if len(names) == 1:
        where = f"the first line, {shown(names[0])}, should name the columns"
    return DataError(
        f"{source}: line {line}: {cells} cell{'s' * (cells != 1)} where the header names "
        f"{len(names)} column{'s' * (len(names) != 1)}: {where}"
    )


def _wrong_delimiter(other: str, delimiter: str) -> str:
    return (
        f"the columns seem to be separated by {other!r} ({DELIMITERS[other]}), not by "
        f"{delimiter!r}: read it with that delimiter, or save it with {delimiter!r}"
    )


def _other_delimiter(path: Path, delimiter: str) -> str | None:
    """Return the delimiter that cuts every one of the first lines into the same number of cells."""
    with _binary(path) as binary:
        head = binary.read(HEAD).decode("utf-8-sig", errors="replace")
    lines = [line for line in head.splitlines()[:20] if line.strip()]
    if len(head) >= HEAD:
        lines = lines[:-1]  # it may have been cut
    best, width = None, 1
    for other in DELIMITERS:
        if other == delimiter:
            continue
        try:
            rows = list(csv.reader(lines, delimiter=other, strict=True))
        except csv.Error:
            continue
        widths = {len(row) for row in rows}
        # A space is also what stands between words: it separates only numbers.
        if other == " " and not all(isinstance(parse(x), float) for r in rows[1:] for x in r):
            continue
        if len(widths) == 1 and min(widths) > width and (other != " " or len(rows) > 1):
            best, width = other, min(widths)
    return best


def _checked(file: CsvFile) -> CsvFile:
    if file.blank.all():
        raise DataError(f"{file.source}: no row below the header")
    return file
