"""What a run writes while it trains: a line per epoch, and now and then all of its state."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from bpref.regression.callbacks import Callback, TrainingState
from bpref.regression.history import History
from bpref.regression.interruption import INTERRUPTED, Interruption
from bpref.regression.json_lines import JsonLines
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
        self.metrics = JsonLines(folder.metrics_path)
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
        self.metrics.begin(self._lines_until_now(state.history))
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
        self.metrics.add(line)
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
        self.metrics.close()

    def _lines_until_now(self, history: History) -> Iterator[dict[str, Any]]:
        """Give a line for every epoch of the history; those that are there stay as they are."""
        there = {str(line.get("epoch")): line for line in self.metrics.there()}
        for epoch in range(len(history.epoch_loss)):
            yield there.get(str(epoch + 1)) or _line(history, epoch, self.factor)


def _line(history: History, epoch: int, factor: float) -> dict[str, Any]:
    return {
        "epoch": epoch + 1,
        "training_loss": history.epoch_loss[epoch] * factor,
        "validation_loss": history.val_loss[epoch] * factor,
        "learning_rate": history.lr[epoch],
    }
