"""The folder of a run: which files it has, who may write them, and what is wrong with them.

    config.json             options, table, targets            preprocessing.json
    split.csv               which row trains, validates, tests
    checkpoint.safetensors  all that it takes to go on         environment.json
    metrics.jsonl           one line per epoch                 tensorboard/
    gradients.jsonl         with --log-gradients
    model.safetensors       the best weights                   result.json
    report.html, report.md  figures/

config.json is the last file that is written before the training, and result.json the last one
after it: they say whether a run has begun, and whether it has ended.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from bpref.regression import checkpoint
from bpref.regression.atomic import PART, write_atomically, writing
from bpref.regression.errors import RunError
from bpref.regression.preprocessing import Preprocessor
from bpref.regression.recipe import Recipe
from bpref.regression.wording import path_name

LOCK: Final = ".bpref-train.lock"
FILES: Final = (
    "config.json",  # the first that goes: without it there is no run
    "result.json",
    "checkpoint.safetensors",
    "model.safetensors",
    "preprocessing.json",
    "split.csv",
    "environment.json",
    "metrics.jsonl",
    "gradients.jsonl",
    "report.html",
    "report.md",
)
FOLDERS: Final = {
    "figures": ("learning-*.svg", "predicted-*.svg", "residual*.svg"),
    "tensorboard": ("events.out.tfevents.*",),
}
PARTS: Final = ("train", "validation", "test")


@dataclass(frozen=True)
class Model:
    """What a run has learned.

    Attributes
    ----------
    weights : dict of str to ndarray
        Under the keys of ``MLP.state_dict()``.
    epoch : int
        After which they were taken.
    final : bool
        Whether the run has ended; otherwise they are the best so far.
    """

    weights: dict[str, np.ndarray]
    epoch: int
    final: bool


class RunFolder:
    """A folder with the files above.

    Parameters
    ----------
    path : path
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.name = path_name(self.path)
        self.config_path = self.path / "config.json"
        self.checkpoint_path = self.path / "checkpoint.safetensors"
        self.metrics_path = self.path / "metrics.jsonl"

    def command(self, name: str) -> str:
        """Return what one types for a command on this folder."""
        path = os.fspath(self.path)
        if path.isprintable():
            return f"bpref-train {name} {shlex.quote(path)}"
        escapes = "".join(
            sign if sign.isprintable() and sign not in r"\'" else _bytes_of(sign) for sign in path
        )
        return f"bpref-train {name} $'{escapes}'"  # which is how a shell reads escapes

    def holds(self, file: str | os.PathLike[str]) -> bool:
        """Return whether a path leads to a file of the run, there or not."""
        path = Path(file)
        return path.name in FILES and path.parent.resolve() == self.path.resolve()

    # Beginning

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from writing into the folder; the lock dies with this one.

        Raises
        ------
        RunError
            If another process has the lock, or the folder cannot be written.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.path / LOCK)
        with writing(self.path):
            try:
                lock.acquire(timeout=0)
            except Timeout:
                raise RunError(
                    f"{self.name}: another bpref-train is at work in this folder"
                ) from None
            except NotImplementedError as error:
                raise RunError(f"{self.name}: {error}") from None
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def new(self, *, force: bool = False) -> Iterator[None]:
        """Make the folder, or take over an empty one, and lock it.

        Parameters
        ----------
        force : bool
            Replace a run that is there: its files, and no others.

        Raises
        ------
        RunError
            If the folder holds something else, a run without `force`, or cannot be written.
        """
        self.check_free(force=force)
        made = [p for p in (self.path, *self.path.parents) if not p.exists()]
        try:
            with writing(self.path):
                self.path.mkdir(parents=True, exist_ok=True)
            with self.locked():
                self.check_free(force=force)  # someone may have been faster
                try:
                    with writing(self.path):
                        self._clear()
                    yield
                finally:
                    if not self.config_path.exists():  # it has not begun: leave nothing behind
                        with contextlib.suppress(OSError):
                            self._clear()
                            (self.path / LOCK).unlink()
        finally:
            with contextlib.suppress(OSError):  # not empty, then
                for path in made:
                    path.rmdir()

    def check_free(self, *, force: bool = False) -> None:
        """Refuse a folder that a new run may not use."""
        try:
            names = set(os.listdir(self.path)) - {LOCK}
        except FileNotFoundError:
            return
        except NotADirectoryError:
            raise RunError(f"{self.name}: cannot be made: there is a file in the way") from None
        except OSError as error:
            raise RunError(f"{self.name}: cannot be read: {error.strerror or error}") from None
        if not names:
            return
        if not self._is_run():
            raise RunError(f"{self.name}: the folder is not empty: choose another one with --run")
        if not force:
            raise RunError(
                f"{self.name}: holds a run: choose another folder with --run, or replace the run "
                "with --force"
            )

    def begin(
        self,
        recipe: Recipe,
        preprocessor: Preprocessor,
        split: bytes,
        environment: Mapping[str, Any],
    ) -> None:
        """Write what is known before the training.

        Raises
        ------
        RunError
            If a file cannot be written.
        """
        self.write_json("preprocessing.json", preprocessor.to_dict())
        self.write_json("environment.json", environment)
        with writing(self.path / "split.csv"):
            write_atomically(self.path / "split.csv", split)
        self.write_json("config.json", recipe.to_dict())

    def _is_run(self) -> bool:
        if (self.path / LOCK).exists():
            return True
        try:
            written = json.loads(self.config_path.read_bytes())
        except (OSError, ValueError, RecursionError):
            return False
        return isinstance(written, dict) and {"format", "options", "data"} <= written.keys()

    def _clear(self) -> None:
        """Remove the files of a run, and the folders in it that are then empty."""
        found = [self.path / name for name in FILES]
        found += [path for name in FILES for path in self.path.glob(f"{name}{PART}")]
        for folder, patterns in FOLDERS.items():
            found += [p for pattern in patterns for p in (self.path / folder).glob(pattern)]
        for path in found:
            path.unlink(missing_ok=True)
        for folder in FOLDERS:
            with contextlib.suppress(OSError):
                (self.path / folder).rmdir()

    # Writing

    def write_json(self, name: str, values: Mapping[str, Any]) -> None:
        """Write a file of JSON values in one step.

        Raises
        ------
        RunError
            If it cannot be written.
        """
        text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
        with writing(self.path / name):
            # A name of a file may hold bytes that are no UTF-8; `read_json` brings them back.
            write_atomically(self.path / name, f"{text}\n".encode("utf-8", "surrogatepass"))

    def save_checkpoint(self, values: Mapping[str, Any], seconds: float) -> None:
        """Write all that it takes to go on.

        Raises
        ------
        RunError
            If it cannot be written; an older checkpoint is still there.
        """
        own = {"fingerprint": self.fingerprint, "seconds": seconds}
        with writing(self.checkpoint_path):
            checkpoint.save(self.checkpoint_path, {**values, **own})

    def save_model(self, weights: Mapping[str, np.ndarray], epoch: int) -> None:
        """Write the weights that the run has chosen.

        Raises
        ------
        RunError
            If they cannot be written.
        """
        path = self.path / "model.safetensors"
        with writing(path):
            checkpoint.save(path, {**weights, "epoch": epoch, "fingerprint": self.fingerprint})

    # Reading

    def open(self) -> Recipe:
        """Return the recipe of the run.

        Raises
        ------
        RunError
            If the folder holds no run, or one that this version cannot read.
        """
        if not self.path.is_dir():
            there = self.path.exists()
            what = "is no folder; the FOLDER of a run comes first" if there else "no such folder"
            raise RunError(f"{self.name}: {what}")
        if not self.config_path.exists():
            if (self.path / LOCK).exists():
                raise RunError(
                    f"{self.name}: the run was interrupted before it began: start it again with "
                    "bpref-train fit"
                )
            raise RunError(f"{self.name}: not the folder of a run: it has no config.json")
        for name in FILES:
            path = self.path / name
            if path.exists() and not path.is_file():  # a pipe would be waited for
                raise RunError(f"{path_name(path)}: cannot be read: not a regular file")
        return Recipe.from_dict(self.read_json("config.json"), path_name(self.config_path))

    def read_json(self, name: str) -> dict[str, Any]:
        """Return the values of a JSON file.

        Raises
        ------
        RunError
            If it is missing, cannot be read or is damaged.
        """
        path = self.path / name
        try:
            found = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise RunError(f"{path_name(path)}: no such file: the run is incomplete") from None
        except OSError as error:
            reason = error.strerror or error
            raise RunError(f"{path_name(path)}: cannot be read: {reason}") from None
        except (ValueError, RecursionError) as error:
            reason = " ".join(str(error).split())
            raise RunError(f"{path_name(path)}: damaged: not JSON: {reason}") from None
        if not isinstance(found, dict):
            raise RunError(f"{path_name(path)}: damaged: not a JSON object")
        return found

    def preprocessor(self) -> Preprocessor:
        """Return what turns a table into numbers.

        Raises
        ------
        RunError
            If the file is missing, damaged or of a later version.
        """
        path = self.path / "preprocessing.json"
        try:
            return Preprocessor.from_dict(self.read_json(path.name))
        except RunError as error:
            text = str(error)
            if text.startswith(path_name(path)):
                raise
            raise RunError(f"{path_name(path)}: {text.removeprefix('preprocessing: ')}") from None

    def result(self) -> dict[str, Any] | None:
        """Return how the run ended; None if it has not."""
        exists = (self.path / "result.json").exists()
        return self.read_json("result.json") if exists else None

    def checkpoint(self) -> tuple[dict[str, Any] | None, float]:
        """Return the state to go on from, and the seconds that it took to get there.

        Raises
        ------
        RunError
            If the file is damaged, of a later version or of another run.
        """
        if not self.checkpoint_path.exists():  # killed before the first one
            return None, 0.0
        values = checkpoint.load(self.checkpoint_path)
        self._check_fingerprint(values, self.checkpoint_path)
        seconds = values.pop("seconds", 0.0)
        return values, float(seconds)

    def model(self) -> Model:
        """Return the best weights: those of the end, or the best so far.

        Raises
        ------
        RunError
            If there are none, or the file is damaged, of a later version or of another run.
        """
        path = self.path / "model.safetensors"
        if path.exists():
            values = checkpoint.load(path)
            self._check_fingerprint(values, path)
            weights = {key: v for key, v in values.items() if isinstance(v, np.ndarray)}
            return Model(weights, int(values.get("epoch", 0)), final=True)
        result = self.result()
        if result is not None and result.get("status") == "diverged":
            raise RunError(f"{self.name}: no weights: the run diverged before an epoch had ended")
        state, _ = self.checkpoint()
        if state is None or not state.get("best_epoch"):
            raise RunError(
                f"{self.name}: no weights yet: no epoch was saved; go on with: "
                f"{self.command('resume')}"
            )
        weights = {
            key.removeprefix("best."): value
            for key, value in state.items()
            if key.startswith("best.")
        }
        return Model(weights, int(state["best_epoch"]), final=False)

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of the options and of the preprocessing."""
        both = [self.read_json("config.json").get("options"), self.read_json("preprocessing.json")]
        text = json.dumps(both, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _check_fingerprint(self, values: dict[str, Any], path: Path) -> None:
        if values.pop("fingerprint", None) != self.fingerprint:
            raise RunError(
                f"{path_name(path)}: does not belong to config.json and preprocessing.json "
                "beside it: one of them was changed or comes from another run"
            )


def _bytes_of(sign: str) -> str:
    """Return the bytes that a sign of a path stands for, as a shell reads them."""
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(sign))
