"""What happens between the steps: callbacks, and the state that they see."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from bpref.regression.history import History

Weights: TypeAlias = dict[str, np.ndarray]  # a state_dict of NumPy arrays
Checkpoint: TypeAlias = dict[str, Any]  # NumPy arrays and JSON values, see `trainer.train`


@dataclass
class TrainingState:
    """Where a run stands. The same object throughout the run; callbacks read it.

    Attributes
    ----------
    epochs : int
        How many the run has in all.
    steps_per_epoch : int
        Optimizer steps of an epoch.
    validates : bool
        Whether there are validation rows.
    epoch : int
        Epochs done; 0 in `on_fit_start` of a new run, ``epochs`` at the end.
    step : int
        Optimizer steps done, over all epochs.
    lr : float
        Learning rate of the last step.
    loss : float
        Loss of the last step's batch, before its update.
    epoch_loss, val_loss : float
        Of the last whole epoch; nan before there is one, or without validation rows.
    best_epoch, best_loss : int, float
        Epoch (counted from 1) with the lowest validation loss so far, and that loss; without
        validation rows the last epoch, and its epoch loss. 0 and inf before the first.
    is_best : bool
        Whether the last whole epoch is that epoch.
    history : History
    model : nn.Module or bpref.nn.MLP
        As it is now. Callbacks may read it, and its gradients in `on_step`.
    optimizer : torch.optim.Optimizer or bpref.optim.Optimizer
    backend : str
        "torch" or "numpy".
    stop_reason : str
        Empty while the run goes on; then "finished", or what a callback wrote into it before it
        returned True, or "callback".
    checkpoint : callable
        ``state.checkpoint()`` returns all that a later run needs to go on from here, bit for bit;
        copies, so that it may be written while the run goes on. After any step or epoch.
    weights : callable
        ``state.weights()`` returns the weights of now, ``state.best_weights()`` those of
        `best_epoch`, as copies.
    """

    epochs: int = 0
    steps_per_epoch: int = 0
    validates: bool = False
    model: Any = None
    optimizer: Any = None
    backend: str = "torch"
    epoch: int = 0
    step: int = 0
    lr: float = float("nan")
    loss: float = float("nan")
    epoch_loss: float = float("nan")
    val_loss: float = float("nan")
    best_epoch: int = 0
    best_loss: float = float("inf")
    is_best: bool = False
    history: History = field(default_factory=History)
    stop_reason: str = ""
    checkpoint: Callable[[], Checkpoint] = dict
    weights: Callable[[], Weights] = dict
    best_weights: Callable[[], Weights] = dict

    def finish_epoch(self) -> None:
        """Count an epoch whose losses have been appended to the history."""
        self.epoch += 1
        self.epoch_loss, self.val_loss = self.history.last()
        if self.validates:
            decisive = self.val_loss
            self.is_best = decisive < self.best_loss
        else:  # the epoch loss was measured while the weights moved: it can't choose among them
            decisive, self.val_loss, self.is_best = self.epoch_loss, float("nan"), True
        if self.is_best:
            self.best_epoch, self.best_loss = self.epoch, decisive


# --8<-- [start:Callback]
class Callback:
    """What a run calls; a subclass defines what it needs. What it leaves out costs nothing.

    Examples
    --------
    >>> class Print(Callback):
    ...     def on_epoch_end(self, state):
    ...         print(state.epoch, state.lr)
    >>> from bpref.regression.trainer import Config, Data, train
    >>> X = np.linspace(-1, 1, 8)[:, None]
    >>> outcome = train(Config(epochs=2), Data(X, 2 * X + 1), callbacks=[Print()])
    1 0.01
    2 0.01
    """

    def on_fit_start(self, state: TrainingState) -> None:
        """Before the first step, also of a run that is continued."""

    def on_step(self, state: TrainingState) -> bool | None:
        """After every optimizer step. True ends the run here, within the epoch."""

    def on_epoch_end(self, state: TrainingState) -> bool | None:
        """After an epoch and its evaluation. True ends the run."""

    def on_fit_end(self, state: TrainingState) -> None:
        """After the last step, however the run ended; not after an error."""


# --8<-- [end:Callback]


# --8<-- [start:EarlyStopping]
class EarlyStopping(Callback):
    """End the run after `patience` epochs without a better validation loss.

    Without validation rows there is none, and the run goes to its end.

    Parameters
    ----------
    patience : int
        At least 1. There is nothing else to remember: the state says when the best epoch was.
    """

    def __init__(self, patience: int) -> None:
        if patience < 1:
            raise ValueError(f"patience must be at least 1, got {patience}")
        self.patience = patience

    def on_fit_start(self, state: TrainingState) -> None:
        """A run that is continued may have been at its end."""
        self.on_epoch_end(state)

    def on_epoch_end(self, state: TrainingState) -> bool | None:
        """End the run when the best epoch lies `patience` epochs back."""
        if state.epoch - state.best_epoch < self.patience:
            return None
        state.stop_reason = "early stopping"
        return True


# --8<-- [end:EarlyStopping]


def overriding(callbacks: Iterable[Any], name: str) -> list[Callable[[TrainingState], Any]]:
    """Return the methods `name` of those callbacks that define it themselves."""
    methods = []
    for callback in callbacks:
        method = getattr(callback, name, None)
        if method is not None and getattr(method, "__func__", None) is not getattr(Callback, name):
            methods.append(method)
    return methods
