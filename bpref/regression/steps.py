"""What surrounds the five lines of a step: its learning rate, its masks, its guards."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from bpref.regression.callbacks import Callback, TrainingState, overriding
from bpref.regression.divergence import diverged
from bpref.regression.dropout import Masks


class Steps:
    """Everything of a run that is not forward, backward or update.

    Parameters
    ----------
    state : TrainingState, optional
        Counts the steps; a new one by itself.
    callbacks : iterable of Callback
        Their `on_step` is called.
    rate : callable, optional
        Gives the learning rate for the number of steps done; without it the optimizer keeps its.
    masks : Masks, optional
        Where the dropout masks come from.
    before_update : callable, optional
        Called between the backward pass and the update with the loss of the batch, which it
        returns: clipping, and the sums over processes.
    over_processes : callable, optional
        Returns the sum of a number over the processes; there is one without it.
    after_update : callable, optional
        Called after the last update of an epoch, before the epoch counts: it may raise.

    Attributes
    ----------
    batch : int
        Batches done of the epoch under way; 0 between two epochs.
    loss_sum, weight_sum : float
        Σ wᵢ ℓᵢ and Σ wᵢ over these batches.
    stopped : bool
        Whether a callback has ended the run within an epoch.
    """

    def __init__(
        self,
        state: TrainingState | None = None,
        *,
        callbacks: Iterable[Callback] = (),
        rate: Callable[[int], float] | None = None,
        masks: Masks | None = None,
        before_update: Callable[[float], float] | None = None,
        over_processes: Callable[[float], float] = float,
        after_update: Callable[[], None] | None = None,
    ) -> None:
        self.state = state or TrainingState()
        self.rate, self.masks, self.before_update = rate, masks, before_update
        self.over_processes, self.after_update = over_processes, after_update
        self.on_step = overriding(callbacks, "on_step")
        self.batch, self.loss_sum, self.weight_sum = 0, 0.0, 0.0
        self.stopped = False

    def begin(self, batches: Any, optimizer: Any) -> None:
        """Set the learning rate and the dropout masks of the step to come."""
        state = self.state
        if self.rate is not None:
            lr = self.rate(state.step)
            if lr != state.lr:
                state.lr = lr
                set_rate(optimizer, lr)
        if self.masks is not None:
            self.masks.start(state.step, batches.rows, batches.first_row)

    def update(self, model: Any, x: Any, loss: float) -> float:
        """Do what comes between the backward pass and the update; return the batch's loss.

        Raises
        ------
        DivergenceError
            If the loss is not finite; the weights are those that gave it.
        """
        if self.before_update is not None:
            loss = self.before_update(loss)
        if not math.isfinite(loss):
            raise diverged(model, x, self.state, "loss", loss)
        return loss

    def end(self, loss: float, weight: float) -> bool:
        """Count the step; return whether a callback ends the run."""
        state = self.state
        state.step += 1
        state.loss = loss
        self.batch += 1
        self.loss_sum += loss * weight
        self.weight_sum += weight
        if self.on_step:  # all are called, also those behind one that ends the run
            answers = [callback(state) for callback in self.on_step]
            self.stopped = True in answers
        return self.stopped

    def finish_epoch(self) -> float:
        """Return the mean loss over the samples of the epoch, and begin a new one."""
        if self.after_update is not None:
            self.after_update()
        loss = self.loss_sum / self.weight_sum if self.weight_sum else 0.0
        self.batch, self.loss_sum, self.weight_sum = 0, 0.0, 0.0
        return loss


def set_rate(optimizer: Any, lr: float) -> None:
    """Set the learning rate of an optimizer of `torch.optim` or of `bpref.optim`."""
    for group in getattr(optimizer, "param_groups", ()):
        group["lr"] = lr
    if not hasattr(optimizer, "param_groups"):
        optimizer.lr = lr


def rate_of(optimizer: Any) -> float:
    """Return the learning rate that an optimizer would use."""
    groups = getattr(optimizer, "param_groups", None)
    return float(optimizer.lr if groups is None else groups[0]["lr"])
