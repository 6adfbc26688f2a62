"""The learning rate as a function of the step."""

from __future__ import annotations

import math

from bpref.regression.config import Config

STEP_PARTS = 3  # of schedule "step", of equal length; the rate falls between them
STEP_FACTOR = 0.1


# --8<-- [start:rate]
def rate(step: int, config: Config, steps_per_epoch: int) -> float:
    """Return the learning rate of one optimizer step.

    The first ``warmup_epochs`` climb in equal steps to ``lr``. Then t runs from 0 to 1 over what
    is left of the run, and the rate is lr for "constant", lr (1 + cos π t) / 2 for "cosine",
    lr (1 − t) for "linear", and lr divided by 10 at t = 1/3 and t = 2/3 for "step".

    Parameters
    ----------
    step : int
        Optimizer steps done before, from 0.
    config : Config
        ``lr``, ``schedule``, ``warmup_epochs``, ``epochs``.
    steps_per_epoch : int
        Optimizer steps in an epoch.

    Returns
    -------
    float
        Above 0 in every step of the run. Behind its last step t stays 1.

    Examples
    --------
    >>> config = Config(lr=1.0, epochs=4, warmup_epochs=2, schedule="linear")
    >>> [rate(step, config, 2) for step in range(8)]
    [0.25, 0.5, 0.75, 1.0, 1.0, 0.75, 0.5, 0.25]
    """
    warmup = config.warmup_epochs * steps_per_epoch
    if step < warmup:
        return config.lr * (step + 1) / warmup
    if config.schedule == "constant":
        return config.lr
    steps = max(config.epochs * steps_per_epoch - warmup, 1)
    done = min(step - warmup, steps)  # t = done / steps stays 1 behind the last step
    if config.schedule == "cosine":
        return config.lr * (1 + math.cos(math.pi * (done / steps))) / 2
    if config.schedule == "linear":
        return config.lr * (steps - done) / steps
    return config.lr * STEP_FACTOR ** min(STEP_PARTS * done // steps, STEP_PARTS - 1)


# --8<-- [end:rate]
