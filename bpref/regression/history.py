"""What a run measured, epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass, field


# --8<-- [start:History]
@dataclass
class History:
    """What `fit` measured; each list has one value per epoch, as seen by the criterion.

    Attributes
    ----------
    epoch_loss : list of float
        What `train_epoch` returned: the mean over the samples while the weights moved.
    train_loss : list of float
        Loss of the model after the epoch on the whole training set; empty unless asked for.
    val_loss : list of float
        Loss of the model after the epoch on the validation set; empty without one.
    lr : list of float
        Learning rate of the last step of the epoch.
    """

    epoch_loss: list[float] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    lr: list[float] = field(default_factory=list)

    @property
    def test_loss(self) -> list[float]:
        """The same as `val_loss`, for a run that is measured on the test set."""
        return self.val_loss

    def last(self) -> tuple[float, float]:
        """Return the last epoch loss and the last validation loss; nan where there is none."""
        nan = float("nan")
        return (self.epoch_loss or [nan])[-1], (self.val_loss or [nan])[-1]


# --8<-- [end:History]
