"""What a user can repair: one line that says where, what was expected, what came."""

from __future__ import annotations

from typing import Any


class DataError(ValueError):
    """A data file cannot be used. The message is one line: file, row, column, reason."""


class ConfigError(ValueError):
    """An option cannot be used. The message is one line: option, what was expected, what came."""


class RunError(ValueError):
    """A run folder cannot be used or written. The message is one line: path, reason."""


class GradientError(ArithmeticError):
    """Autograd and the backward passes written by hand differ. The message is one line."""


class DivergenceError(FloatingPointError):
    """The loss is no longer finite. The message says at which step, where, and what to try.

    Attributes
    ----------
    step, epoch : int
        The optimizer step (counted from 1) whose loss was not finite, and its epoch.
    place : str
        Which layer's gradient, weights or output stopped being finite first.
    outcome : Outcome or None
        From `trainer.train`: ``best`` and ``last`` are the last good weights.
    """

    step: int = 0
    epoch: int = 0
    place: str = ""
    outcome: Any = None
