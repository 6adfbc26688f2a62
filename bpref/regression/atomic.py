"""Files that are there whole, or as they were before."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from bpref.regression.errors import RunError
from bpref.regression.wording import path_name

PART: Final = ".part"  # at the end of the name of a file that is being written


# --8<-- [start:write_atomically]
def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file in one step.

    A process may be killed, or the power fail, at any moment: the name then leads to the old
    bytes or to the new ones, never to a part of them. So the bytes go into a file beside it, and
    onto the disk, before that file takes the name; the last `fsync` is for the name itself.

    Parameters
    ----------
    path : Path
        Need not exist; its folder does.
    data : bytes
        Its whole content.

    Raises
    ------
    OSError
        If it cannot be written; the old file is still there.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "state"
    ...     write_atomically(path, b"old")
    ...     write_atomically(path, b"new")
    ...     path.read_bytes(), os.listdir(folder)
    (b'new', ['state'])
    """
    with replacing(path) as file:
        file.write(data)


@contextmanager
def replacing(path: Path, mode: str = "wb", **options: Any) -> Iterator[IO[Any]]:
    """Do so with what is written into the file that this yields; the options are those of open."""
    part = path.with_name(path.name + PART)
    try:
        with open(part, mode, **options) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
    sync_folder(path.parent)


# --8<-- [end:write_atomically]


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a failure to write into a RunError of one line that names the path."""
    try:
        yield
    except OSError as error:
        place = error.filename if isinstance(error.filename, str) else os.fspath(path)
        name = path_name(place.removesuffix(PART))
        raise RunError(f"{name}: cannot be written: {error.strerror or error}") from None


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder onto the disk, where the system can do that."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
