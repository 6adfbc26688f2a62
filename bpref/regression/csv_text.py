"""A file that should be CSV text: how it is opened, and what is said where it is something else."""

from __future__ import annotations

import csv
import gzip
import io
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Final, TextIO, cast

from bpref.regression.cells import parse
from bpref.regression.errors import DataError

DELIMITERS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "space"}
HEAD: Final = 1 << 16  # bytes that tell what kind of file it is
UTF8_MARK: Final = b"\xef\xbb\xbf"

_GZIP = b"\x1f\x8b"
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
class CsvText:
    """A file whose lines are cells with a delimiter between them.

    Attributes
    ----------
    path : str
        "x.csv.gz" is read as it is.
    source : str
        The path as messages show it.
    delimiter : str
        One of DELIMITERS.
    """

    path: str
    source: str
    delimiter: str

    def error(self, reason: str) -> DataError:
        """Return an error that names the file."""
        return DataError(f"{self.source}: {reason}")

    @contextmanager
    def faults(self) -> Iterator[None]:
        """Turn what a file can do wrong into a DataError of one line."""
        try:
            yield
        except (EOFError, gzip.BadGzipFile, zlib.error):
            raise self.error("the gzip file is damaged or incomplete") from None
        except OSError as error:
            raise self.error(f"cannot be read: {error.strerror or error}") from None
        except (UnicodeDecodeError, csv.Error):  # the first look at the file has refused these
            raise self.error("the file changed while it was read") from None

    def binary(self) -> BinaryIO:
        """Open the bytes."""
        with open(self.path, "rb") as file:
            packed = file.read(2) == _GZIP
        return cast(BinaryIO, gzip.open(self.path, "rb")) if packed else open(self.path, "rb")

    @contextmanager
    def text(self) -> Iterator[TextIO]:
        """Open the text; line breaks inside quotes stay as they are."""
        with (
            self.binary() as binary,
            io.TextIOWrapper(binary, encoding="utf-8-sig", newline="") as text,
        ):
            yield text

    def check_kind(self) -> None:
        """Refuse what is no file, and files of other formats and encodings."""
        try:
            mode = os.stat(self.path).st_mode
        except FileNotFoundError:
            raise self.error("cannot be read: no such file") from None
        except ValueError:  # a NUL character in the name
            raise self.error("cannot be read: not a name of a file") from None
        if stat.S_ISDIR(mode):
            raise self.error("cannot be read: it is a folder")
        if not stat.S_ISREG(mode):  # a pipe can be read only once
            raise self.error("cannot be read: not a regular file")
        head = self._head()
        if not head:
            raise self.error("the file is empty")
        pairs = head[: len(head) // 2 * 2]
        zeros = max(pairs[::2].count(0), pairs[1::2].count(0))
        if head.startswith((b"\xff\xfe", b"\xfe\xff")) or zeros > len(pairs) / 5:
            raise self.error("the text is UTF-16, not UTF-8: save it as UTF-8")
        start = head.removeprefix(UTF8_MARK).lstrip().lower()
        for magic, name in _NOT_CSV:
            if start.startswith(magic.lower()):
                raise self.error(f"the file is {name}")

    def wrong_delimiter(self) -> DataError | None:
        """Return an error if another delimiter cuts all of the first lines into as many cells."""
        head = self._head().decode("utf-8-sig", errors="replace")
        lines = [line for line in head.splitlines()[:20] if line.strip()]
        if len(head) >= HEAD:
            lines = lines[:-1]  # it may have been cut
        best, width = None, 1
        for other in DELIMITERS:
            if other == self.delimiter:
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
        if best is None:
            return None
        return self.error(
            f"the columns seem to be separated by {best!r} ({DELIMITERS[best]}), not by "
            f"{self.delimiter!r}: read it with that delimiter, or save it with {self.delimiter!r}"
        )

    def _head(self) -> bytes:
        with self.binary() as binary:
            return binary.read(HEAD)
