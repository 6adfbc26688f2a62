"""Ctrl-C and termination: at once, or after the step that is under way."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
INTERRUPTED: Final = "interrupted"  # stop_reason of a run that a signal ended


class Stopped(BaseException):
    """The process was asked to stop. Like KeyboardInterrupt it is no error.

    Attributes
    ----------
    signal : int
    """

    def __init__(self, signum: int, message: str = "stopped") -> None:
        super().__init__(message)
        self.signal = int(signum)

    @property
    def exit_code(self) -> int:
        """What a shell calls a process that was ended by the signal."""
        return 128 + self.signal

    @property
    def name(self) -> str:
        """Name of the signal, such as "SIGINT"."""
        return signal.Signals(self.signal).name


class Interruption:
    """While it is open, SIGINT and SIGTERM raise `Stopped`; or wait to be asked for.

    Attributes
    ----------
    waits : bool
        Whether a signal is only noted in `received`. The same one again does not wait. (After
        Ctrl-C torchrun sends SIGTERM: that is another one.)
    received : int
        The signal that waits; 0 if there is none.

    Examples
    --------
    >>> with Interruption() as interruption:
    ...     interruption.waits = True
    ...     signal.raise_signal(signal.SIGTERM)
    ...     interruption.received == signal.SIGTERM
    True
    """

    def __init__(self) -> None:
        self.waits, self.received = False, 0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruption:
        # Only the main thread may set handlers; elsewhere the program around it has its own.
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._receive) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler or signal.SIG_DFL)

    def _receive(self, signum: int, frame: FrameType | None) -> None:
        if self.waits and signum != self.received:
            self.received = self.received or signum
            return
        raise Stopped(signum)
