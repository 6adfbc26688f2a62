"""Losses, learning rate and gradient norms for TensorBoard."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any, Final

from bpref.regression.atomic import writing
from bpref.regression.callbacks import Callback, TrainingState

NAME: Final = "events.out.tfevents."
_NUMBER: Final = count()


class TensorBoard(Callback):
    """Write scalars for `tensorboard --logdir FOLDER`, one value per epoch.

    The tags are ``loss/training`` (mean over the batches while the weights moved),
    ``loss/training_after``, ``loss/validation``, ``learning_rate``, and those of `more`.
    A run that is continued takes back what was written after its checkpoint.

    Parameters
    ----------
    folder : path
        Is made. Runs in neighbouring folders can be compared.
    factor : float
        Multiplies the losses: from the unit of the engine to that of the target.
    more : callable, optional
        Returns further scalars by tag, asked after each epoch, such as the gradient norms:
        ``{"gradient_norm/0.weight": 0.3}``.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = TensorBoard(folder, more=lambda: {"gradient_norm/0.weight": 0.3})
    ...     state = TrainingState(epochs=1, steps_per_epoch=4, model=None, optimizer=None,
    ...                           backend="numpy")
    ...     log.on_fit_start(state)
    ...     state.epoch, state.epoch_loss, state.lr = 1, 0.5, 0.01
    ...     log.on_epoch_end(state)
    ...     log.on_fit_end(state)
    ...     len(os.listdir(folder))
    1
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        factor: float = 1.0,
        more: Callable[[], Mapping[str, float]] | None = None,
    ) -> None:
        self.folder, self.factor, self.more = Path(folder), factor, more
        self.writer: EventFile | None = None

    def on_fit_start(self, state: TrainingState) -> None:
        """Open a file of its own for this part of the run."""
        # A killed run may have written epochs that its checkpoint does not know.
        self.writer = EventFile(self.folder, purge=state.epoch + 1 if state.epoch else None)

    def on_epoch_end(self, state: TrainingState) -> None:
        """Write the values of the epoch."""
        after = state.history.train_loss
        scalars = {
            "loss/training": state.epoch_loss * self.factor,
            "loss/validation": state.val_loss * self.factor,
            "learning_rate": state.lr,
        }
        if after:
            scalars["loss/training_after"] = after[-1] * self.factor
        scalars.update(self.more() if self.more else {})
        assert self.writer is not None
        # A loss that is not a number is one that was not measured.
        self.writer.add({tag: v for tag, v in scalars.items() if v == v}, state.epoch)

    def on_fit_end(self, state: TrainingState) -> None:
        """Write what is left and close the file."""
        self.flush()
        self.close()

    def flush(self) -> None:
        """Hand over to the system what was written so far."""
        if self.writer is not None:
            self.writer.flush()

    def close(self) -> None:
        """Close the file, also after an error. Closing twice does nothing."""
        if self.writer is not None:
            self.writer.close()
            self.writer = None


class EventFile:
    """A file of TensorBoard events, written in this thread.

    `torch.utils.tensorboard` takes a thread of its own, in which the error of a full disk is
    printed as a traceback and reaches the run late; here it is raised where it happens.

    Parameters
    ----------
    folder : Path
        Is made.
    purge : int, optional
        Readers forget what older files say of this step and all later ones.

    Raises
    ------
    RunError
        From every method, if the file cannot be written.
    """

    def __init__(self, folder: Path, purge: int | None = None) -> None:
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._event, self._summary = event_pb2.Event, summary_pb2.Summary
        now = f"{_later_than_all(folder):.6f}"
        self.path = folder / f"{NAME}{now}.{os.getpid()}.{next(_NUMBER)}"
        with writing(self.path):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("wb")
        self._records = RecordWriter(self._file)
        self._write(file_version="brain.Event:2")
        if purge is not None:
            start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            self._write(step=purge, session_log=start)

    def add(self, scalars: Mapping[str, float], step: int) -> None:
        """Write values under their tags."""
        values = [
            self._summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()
        ]
        self._write(step=step, summary=self._summary(value=values))

    def flush(self) -> None:
        """Hand over to the system what was written so far."""
        with writing(self.path):
            self._file.flush()

    def close(self) -> None:
        """Close the file; what could not be written has been reported by `flush`."""
        with contextlib.suppress(OSError):
            self._file.close()

    def _write(self, **fields: Any) -> None:
        with writing(self.path):
            self._records.write(self._event(wall_time=time.time(), **fields).SerializeToString())


def _later_than_all(folder: Path) -> float:
    """Return the time, or one behind those in the names: readers sort by it, and clocks go back."""
    names = "\n".join(path.name for path in folder.glob(f"{NAME}*"))
    before = re.findall(rf"^{re.escape(NAME)}(\d+(?:\.\d+)?)\.", names, re.MULTILINE)
    return max([time.time(), *(float(found) + 0.001 for found in before)])
