"""Ctrl-C and termination: at once, or after the step that is under way."""

from __future__ import annotations

import _thread
import signal
import sys
import threading
from types import FrameType
from typing import Any, Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
AGAIN: Final = 0.02  # seconds after which a signal that met an import comes again
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


def send(signum: int) -> None:
    """Send a signal to the main thread: it also ends what that thread waits for."""
    main = threading.main_thread().ident
    if main is not None and hasattr(signal, "pthread_kill"):
        signal.pthread_kill(main, signum)
    else:  # Windows
        _thread.interrupt_main(signal.Signals(signum))


class Interruption:
    """While it is open, SIGINT and SIGTERM raise `Stopped`; or wait to be asked for.

    An import is ended first: a module in C that is left half-way may bring the process down. And
    what an error handler somewhere made of `Stopped` becomes `Stopped` again at the end.

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
        self._outside: FrameType | None = None
        self._again: threading.Timer | None = None
        self._raised: Stopped | None = None

    def __enter__(self) -> Interruption:
        self._outside = sys._getframe(1)
        # Only the main thread may set handlers; elsewhere the program around it has its own.
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._receive) for number in SIGNALS}
        return self

    def __exit__(self, kind: Any, error: BaseException | None, _: Any) -> None:
        self._outside = None
        if self._again is not None:
            self._again.cancel()
        for number, handler in self._before.items():
            signal.signal(number, handler or signal.SIG_DFL)
        if self._raised is not None and isinstance(error, Exception):
            raise self._raised from error

    def _receive(self, signum: int, frame: FrameType | None) -> None:
        if self.waits and signum != self.received:
            self.received = self.received or signum
            return
        if self._imports(frame):
            if self._again is not None:
                self._again.cancel()
            self._again = threading.Timer(AGAIN, send, (signum,))
            self._again.daemon = True
            self._again.start()
            return
        self._raised = Stopped(signum)
        raise self._raised

    def _imports(self, frame: FrameType | None) -> bool:
        """Whether an import that began inside is under way."""
        while frame is not None and frame is not self._outside:
            if frame.f_code.co_filename.startswith("<frozen importlib"):
                return True
            frame = frame.f_back
        return False
