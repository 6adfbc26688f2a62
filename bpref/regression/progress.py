"""What a run prints while it goes on: losses, speed, time left."""

from __future__ import annotations

import sys
import time
from typing import NoReturn, TextIO

from tqdm import tqdm

from bpref.regression.callbacks import Callback, TrainingState
from bpref.regression.wording import digits

FORMAT = "{desc} |{bar}| {percentage:3.0f}%{postfix}, {rate_fmt}, {remaining} left"
MANY_ROWS = 100_000  # an epoch takes long enough to look at


class Progress(Callback):
    """A bar on a terminal; elsewhere, in a log file for instance, a line now and then.

    An error ends a run without `on_fit_end`: use `contextlib.closing(Progress(...))`, so that
    the message stands on a line of its own.

    Parameters
    ----------
    rows : int
        Training rows: what an epoch goes through.
    factor : float
        Multiplies the losses: from the unit of the engine to that of the target.
    every : int, optional
        Epochs between two lines where there is no terminal; by default about ten lines in all.
        The first and the last epoch always have one.
    file : text file, optional
        Default: standard error.

    Examples
    --------
    >>> bar = Progress(100, every=2, file=sys.stdout)
    >>> state = TrainingState(epochs=2, steps_per_epoch=4, model=None, optimizer=None,
    ...                       backend="numpy")
    >>> bar.on_fit_start(state)
    >>> state.epoch, state.epoch_loss, state.val_loss = 2, 0.5, 0.25
    >>> bar.on_epoch_end(state)    # doctest: +ELLIPSIS
    epoch 2/2: training loss 0.5, validation loss 0.25, ... rows/s, 00:00 left
    """

    def __init__(
        self,
        rows: int,
        *,
        factor: float = 1.0,
        every: int | None = None,
        file: TextIO | None = None,
    ) -> None:
        self.rows, self.factor, self.every = rows, factor, every
        self.file = sys.stderr if file is None else file
        self.bar: tqdm[NoReturn] | None = None
        self.first_epoch, self.start = 0, 0.0

    def on_fit_start(self, state: TrainingState) -> None:
        """Open the bar, where it belongs in a run that is continued."""
        self.first_epoch, self.start = state.epoch, time.perf_counter()
        if self.file.isatty():
            self.bar = tqdm(
                total=state.epochs * self.rows,
                initial=self._done(state),
                unit="rows",
                unit_scale=True,
                dynamic_ncols=True,
                file=self.file,
                bar_format=FORMAT,
            )
            self._show(state)

    def on_epoch_end(self, state: TrainingState) -> None:
        """Move the bar, or print a line if it is time for one."""
        if self.bar is not None:
            self._show(state)
            return
        every = self.every or max(1, state.epochs // 10)
        done = state.epoch - self.first_epoch
        if state.epoch % every and done != 1 and state.epoch != state.epochs:
            return
        seconds = time.perf_counter() - self.start
        left = seconds / done * (state.epochs - state.epoch)
        print(
            f"epoch {state.epoch}/{state.epochs}: {', '.join(self._losses(state))}, "
            f"{done * self.rows / seconds:,.0f} rows/s, {tqdm.format_interval(left)} left",
            file=self.file,
            flush=True,
        )

    def on_fit_end(self, state: TrainingState) -> None:
        """Close the bar."""
        self.close()

    def close(self) -> None:
        """Leave the bar as it is and go to a new line. Closing twice does nothing."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def _show(self, state: TrainingState) -> None:
        assert self.bar is not None
        self.bar.set_description_str(f"epoch {state.epoch}/{state.epochs}", refresh=False)
        self.bar.set_postfix_str(", ".join(self._losses(state)), refresh=False)
        self.bar.update(self._done(state) - self.bar.n)

    def _done(self, state: TrainingState) -> int:
        return round(self.rows * state.step / max(1, state.steps_per_epoch))

    def _losses(self, state: TrainingState) -> list[str]:
        losses = ("training", state.epoch_loss), ("validation", state.val_loss)
        # A loss that is not a number is one that was not measured.
        return [
            f"{name} loss {digits(loss * self.factor)}" for name, loss in losses if loss == loss
        ]


class StepProgress(Progress):
    """The same with a bar that also moves inside an epoch, for epochs that take long.

    Parameters are those of `Progress`. A callback that asks for every step costs a little at
    every step, so that it is only for tables that are large.
    """

    def on_step(self, state: TrainingState) -> None:
        """Move the bar; tqdm draws it about ten times per second."""
        if self.bar is not None:
            self.bar.update(self._done(state) - self.bar.n)


def progress(
    rows: int, *, factor: float = 1.0, every: int | None = None, file: TextIO | None = None
) -> Progress:
    """Return the callback that suits the number of training rows.

    Parameters
    ----------
    rows, factor, every, file
        As in `Progress`.

    Returns
    -------
    Progress

    Examples
    --------
    >>> type(progress(442)).__name__, type(progress(1_000_000)).__name__
    ('Progress', 'StepProgress')
    """
    kind = StepProgress if rows >= MANY_ROWS else Progress
    return kind(rows, factor=factor, every=every, file=file)
