"""A file of JSON lines that grows with a run, and forgets what a killed one wrote too much."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bpref.regression.atomic import write_atomically, writing


class JsonLines:
    """One JSON object per line; a line is handed over to the system when it is written.

    Parameters
    ----------
    path : Path
        Need not exist; its folder does.

    Raises
    ------
    RunError
        From `begin` and `add`, if the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     lines = JsonLines(Path(folder) / "metrics.jsonl")
    ...     lines.begin([{"epoch": 1}])
    ...     lines.add({"epoch": 2})
    ...     lines.close()
    ...     lines.there()
    [{'epoch': 1}, {'epoch': 2}]
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: Any = None

    def there(self) -> list[dict[str, Any]]:
        """Return the whole lines; the last one may have been cut off when the run was killed."""
        found = []
        with contextlib.suppress(FileNotFoundError), open(self.path, "rb") as file:
            for line in file:
                with contextlib.suppress(ValueError, RecursionError):
                    values = json.loads(line)
                    if isinstance(values, dict) and line.endswith(b"\n"):
                        found.append(values)
        return found

    def begin(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Replace the file by these lines, and open it for more."""
        with writing(self.path):
            write_atomically(self.path, b"".join(map(_encoded, lines)))
            self._file = open(self.path, "ab")  # noqa: SIM115  (open as long as the run)

    def add(self, line: Mapping[str, Any]) -> None:
        """Write a line."""
        with writing(self.path):
            self._file.write(_encoded(line))
            self._file.flush()

    def close(self) -> None:
        """Close the file, also after an error. Closing twice does nothing."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # a full disk has been reported before
                self._file.close()


def _encoded(line: Mapping[str, Any]) -> bytes:
    return f"{json.dumps(line)}\n".encode()
