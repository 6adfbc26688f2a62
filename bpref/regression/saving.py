"""What a run writes while it trains: a line per epoch, and now and then all of its state."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterable
from typing import Any

from bpref.regression.atomic import write_atomically, writing
from bpref.regression.callbacks import Callback, TrainingState
from bpref.regression.history import History
from bpref.regression.interruption import INTERRUPTED, Interruption
from bpref.regression.run_folder import RunFolder


class Saving(Callback):
    """Keep what a killed process would lose, and end the run when a signal asks for it.

    Parameters
    ----------
    folder : RunFolder
    interruption : Interruption
        Asked after every step.
    every : float
        Seconds between two checkpoints, at least; 0 writes one after every step.
    factor : float
        Multiplies the losses: from the unit of the engine to that of the target.
    seconds : float
        Spent on the run before.
    before : iterable of callable
        Called before a checkpoint: what else must not lie behind it.

    Attributes
    ----------
    saved : tuple of int or None
        Epoch and step of the last checkpoint.
    """

    def __init__(
        self,
        folder: RunFolder,
        interruption: Interruption,
        *,
        every: float,
        factor: float,
        seconds: float = 0.0,
        before: Iterable[Callable[[], None]] = (),
    ) -> None:
        self.folder, self.interruption = folder, interruption
        self.every, self.factor, self.before = every, factor, list(before)
        self.saved: tuple[int, int] | None = None
        self._metrics: Any = None
        self._start = time.monotonic() - seconds
        self._last = self._epoch_start = time.monotonic()

    @property
    def seconds(self) -> float:
        """Spent on the run so far."""
        return time.monotonic() - self._start

    def on_fit_start(self, state: TrainingState) -> None:
        """Cut the lines of epochs that the checkpoint does not know."""
        if state.step:
            self.saved = state.epoch, state.step
        path = self.folder.metrics_path
        with writing(path):
            write_atomically(path, _lines_until(path, state.history, self.factor))
            self._metrics = open(path, "ab")  # noqa: SIM115  (open as long as the run)
        self._last = self._epoch_start = time.monotonic()

    def on_step(self, state: TrainingState) -> bool | None:
        """End the run after a signal; save if it is time."""
        if self.interruption.received:
            state.stop_reason = INTERRUPTED
            return True
        if time.monotonic() - self._last >= self.every:
            self.save(state.checkpoint())
        return None

    def on_epoch_end(self, state: TrainingState) -> bool | None:
        """Write the line of the epoch, then as after a step."""
        now = time.monotonic()
        line = _line(state.history, state.epoch - 1, self.factor)
        line |= {"step": state.step, "seconds": round(now - self._epoch_start, 6)}
        self._epoch_start = now
        with writing(self.folder.metrics_path):
            self._metrics.write(_encoded(line))
            self._metrics.flush()
        return self.on_step(state)

    def save(self, checkpoint: dict[str, Any]) -> None:
        """Write a checkpoint, and what leads to it before.

        Raises
        ------
        RunError
            If it cannot be written; the one before is still there.
        """
        for call in self.before:
            call()
        self.folder.save_checkpoint(checkpoint, self.seconds)
        self.saved = checkpoint["epoch"], checkpoint["step"]
        self._last = time.monotonic()

    def close(self) -> None:
        """Close the metrics. Closing twice does nothing."""
        if self._metrics is not None:
            with contextlib.suppress(OSError):  # a full disk has been reported before
                self._metrics.close()


def _lines_until(path: Any, history: History, factor: float) -> bytes:
    """Return a line for every epoch of the history; those that are there stay as they are."""
    there = {}
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        for line in file:
            with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
                epoch = json.loads(line)["epoch"]
                if line.endswith(b"\n"):  # else the process was killed within the line
                    there[epoch] = line
    return b"".join(
        there.get(epoch + 1) or _encoded(_line(history, epoch, factor))
        for epoch in range(len(history.epoch_loss))
    )


def _line(history: History, epoch: int, factor: float) -> dict[str, Any]:
    return {
        "epoch": epoch + 1,
        "training_loss": history.epoch_loss[epoch] * factor,
        "validation_loss": history.val_loss[epoch] * factor,
        "learning_rate": history.lr[epoch],
    }


def _encoded(line: dict[str, Any]) -> bytes:
    return f"{json.dumps(line)}\n".encode()
