"""The optimizer that a configuration names, of `torch.optim` or of `bpref.optim`."""

from __future__ import annotations

from typing import Any, Final

from bpref.regression.config import Config

CLASSES: Final = {
    "sgd": "SGD",
    "adam": "Adam",
    "adamw": "AdamW",
    "rmsprop": "RMSprop",
    "adagrad": "Adagrad",
}


def make_optimizer(library: Any, config: Config, parameters: Any, **options: Any) -> Any:
    """Return the optimizer; both libraries have the same names, arguments and rules.

    Parameters
    ----------
    library : module
        `torch.optim` or `bpref.optim`.
    config : Config
        ``optimizer``, ``lr``, ``weight_decay``, and ``momentum`` where the rule has one.
    parameters : iterable
        What is optimized.
    **options
        What only one library has.
    """
    if config.optimizer in ("sgd", "rmsprop"):
        options["momentum"] = config.momentum
    rule = getattr(library, CLASSES[config.optimizer])
    return rule(parameters, lr=config.lr, weight_decay=config.weight_decay, **options)
