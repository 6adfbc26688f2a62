"""NumPy arrays and JSON values in one safetensors file, which is checked when it is read.

The format has no code in it that a reader would run, unlike pickle. The values that are no arrays
lie in its metadata, with a SHA-256 of all that matters: a changed bit is found, not loaded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from bpref.regression.atomic import write_atomically
from bpref.regression.errors import RunError
from bpref.regression.wording import path_name, shown

FORMAT: Final = 1  # of these files; older ones stay readable
KEY: Final = "bpref"  # of the metadata: one alone, because the file does not keep their order


def save(path: Path, values: Mapping[str, Any]) -> None:
    """Write arrays and JSON values under their names, in one step.

    Parameters
    ----------
    path : Path
        Is replaced.
    values : mapping
        NumPy arrays become tensors of the file; the rest must be JSON values.

    Raises
    ------
    OSError
        If the file cannot be written; an older one is still there.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "state.safetensors"
    ...     save(path, {"step": 3, "weight": np.zeros((2, 1))})
    ...     load(path)
    {'step': 3, 'weight': array([[0.],
           [0.]])}
    """
    write_atomically(path, to_bytes(values))


def to_bytes(values: Mapping[str, Any]) -> bytes:
    """Return the content of the file."""
    from safetensors.numpy import save as serialize

    arrays = {
        name: np.ascontiguousarray(value)
        for name, value in values.items()
        if isinstance(value, np.ndarray)
    }
    about = {
        "format": FORMAT,
        "order": list(values),  # the file sorts its tensors
        "values": {name: value for name, value in values.items() if name not in arrays},
    }
    about["sha256"] = _digest(arrays, about)
    return serialize(arrays, {KEY: json.dumps(about)})


def load(path: Path) -> dict[str, Any]:
    """Return what `save` wrote, in the same order.

    Raises
    ------
    RunError
        If the file is missing, damaged, or of a later version. The message is one line.
    """
    from safetensors import SafetensorError, safe_open

    name = path_name(path)
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = (file.metadata() or {}).get(KEY, "{}")
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise RunError(f"{name}: no such file") from None
    # The other three: a dtype that NumPy does not have.
    except (SafetensorError, TypeError, ValueError, AttributeError) as error:
        reason = " ".join(str(error).split()).removeprefix("Error while deserializing header: ")
        raise RunError(f"{name}: damaged or incomplete: {reason}") from None
    except OSError as error:
        raise RunError(f"{name}: cannot be read: {error.strerror or error}") from None
    try:
        about = json.loads(metadata)
        check_format(about.get("format"), FORMAT, name)
        if about.pop("sha256") != _digest(arrays, about):
            raise RunError(f"{name}: damaged: its content does not have the SHA-256 that it names")
        found = about["values"] | arrays
        return {key: found[key] for key in about["order"]}
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
        if isinstance(error, RunError):
            raise
        raise RunError(f"{name}: damaged: its metadata cannot be read") from None


def check_format(written: Any, known: int, name: str) -> None:
    """Refuse a form that this version cannot read.

    Raises
    ------
    RunError
        If `written` is no version up to `known`.
    """
    version = written if type(written) is int else 0  # neither true, 1.5 nor Infinity
    if version < 1:
        raise RunError(f"{name}: not written by bpref-train: format is {shown(written)}")
    if version > known:
        raise RunError(
            f"{name}: format {version} is later than {known}, the latest that this version of "
            "bpref reads: use a newer bpref"
        )


def _digest(arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(about).encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(json.dumps([name, array.dtype.str, array.shape]).encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
