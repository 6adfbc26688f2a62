"""Files that are there whole, or as they were before."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

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
    part = path.with_name(path.name + PART)
    try:
        with open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
    sync_folder(path.parent)


# --8<-- [end:write_atomically]


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder onto the disk, where the system can do that."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
