"""Everything that decides a run, in one value that can be written down."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from bpref.regression.errors import ConfigError

VERSION: Final = 1  # of the written form; older ones stay readable
ACTIVATIONS: Final = ("relu", "tanh", "sigmoid", "gelu", "leaky_relu", "identity")
LOSSES: Final = ("mse", "mae", "huber")
OPTIMIZERS: Final = ("sgd", "adam", "adamw", "rmsprop", "adagrad")
SCHEDULES: Final = ("constant", "cosine", "linear", "step")
BACKENDS: Final = ("auto", "torch", "numpy")
DTYPES: Final = ("float32", "float64")
MISSING: Final = ("error", "drop", "mean")


@dataclass(frozen=True)
class Config:
    """The options of a training run. Defaults are the article's: 1-10-1, SGD 0.01, batch 32.

    Attributes
    ----------
    hidden_sizes : tuple of int
        Units of the hidden layers; () is a linear model.
    activation : str
        After every hidden layer, one of ACTIVATIONS.
    dropout : float
        Share of hidden units set to zero in training, in [0, 1).
    loss : str
        One of LOSSES; means over the samples and outputs.
    huber_delta : float
        Where "huber" turns from a square into a line, in units of the standardised target.
    optimizer : str
        One of OPTIMIZERS.
    lr : float
        Learning rate after the warm-up.
    momentum : float
        Of "sgd" and "rmsprop", in [0, 1).
    weight_decay : float
        Decoupled for "adamw", added to the gradient for the others, as in PyTorch.
    schedule : str
        One of SCHEDULES: the rate after the warm-up, changed after every optimizer step.
    warmup_epochs : int
        Epochs in which the rate grows linearly from lr / steps to lr.
    epochs : int
        Passes over the training rows.
    batch_size : int
        Rows per optimizer step; the last batch of an epoch holds what is left.
    accumulate : int
        A batch is worked off in so many parts, one after the other; the step is the same.
    clip_norm : float or None
        Largest norm of the whole gradient.
    patience : int or None
        Stop after so many epochs without a better validation loss; None trains to the end.
    validation, test : float
        Shares of the rows, in (0, 1) together below 1; test may be 0.
    seed : int
        Of the split, the initial weights, the order of the rows and the dropout masks.
    dtype : str
        One of DTYPES.
    device : str
        "auto", "cpu", "cuda", "cuda:1", "mps", …
    amp : bool
        Mixed precision (bfloat16 forward pass) where the device has it.
    backend : str
        One of BACKENDS; "auto" takes the one that a measured rule calls faster.
    missing : str
        One of MISSING: what happens to empty cells and NaN.
    """

    hidden_sizes: tuple[int, ...] = (10,)
    activation: str = "relu"
    dropout: float = 0.0
    loss: str = "mse"
    huber_delta: float = 1.0
    optimizer: str = "sgd"
    lr: float = 0.01
    momentum: float = 0.0
    weight_decay: float = 0.0
    schedule: str = "constant"
    warmup_epochs: int = 0
    epochs: int = 100
    batch_size: int = 32
    accumulate: int = 1
    clip_norm: float | None = None
    patience: int | None = None
    validation: float = 0.15
    test: float = 0.15
    seed: int = 0
    dtype: str = "float32"
    device: str = "auto"
    amp: bool = False
    backend: str = "auto"
    missing: str = "error"

    def __post_init__(self) -> None:
        """Refuse what no run could use."""
        if isinstance(self.hidden_sizes, str) or not isinstance(self.hidden_sizes, Iterable):
            raise ConfigError(
                f"hidden_sizes must be a sequence of integers, got {self.hidden_sizes!r}"
            )
        object.__setattr__(self, "hidden_sizes", tuple(self.hidden_sizes))
        if not isinstance(self.device, str):
            raise ConfigError(f"device must be text, such as 'cpu', got {self.device!r}")
        if not isinstance(self.amp, bool):
            raise ConfigError(f"amp must be True or False, got {self.amp!r}")
        for name, allowed in (
            ("activation", ACTIVATIONS),
            ("loss", LOSSES),
            ("optimizer", OPTIMIZERS),
            ("schedule", SCHEDULES),
            ("backend", BACKENDS),
            ("dtype", DTYPES),
            ("missing", MISSING),
        ):
            value = getattr(self, name)
            if value not in allowed:
                raise ConfigError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
        for size in self.hidden_sizes:
            _whole("hidden_sizes", size, 1, 1_000_000)
        _whole("epochs", self.epochs, 1, 10_000_000)
        _whole("batch_size", self.batch_size, 1, 2**31)
        _whole("accumulate", self.accumulate, 1, self.batch_size)
        _whole("warmup_epochs", self.warmup_epochs, 0, self.epochs)
        _whole("seed", self.seed, 0, 2**63 - 1)
        if self.patience is not None:
            _whole("patience", self.patience, 1, 10_000_000)
        _number("lr", self.lr, 0, math.inf, open_low=True)
        _number("huber_delta", self.huber_delta, 0, math.inf, open_low=True)
        _number("weight_decay", self.weight_decay, 0, math.inf)
        _number("momentum", self.momentum, 0, 1)
        _number("dropout", self.dropout, 0, 1)
        _number("validation", self.validation, 0, 1, open_low=True)
        _number("test", self.test, 0, 1)
        if self.validation + self.test >= 1:
            raise ConfigError(
                "validation and test together must be below 1, "
                f"got {self.validation} + {self.test}: no row is left for training"
            )
        if self.clip_norm is not None:
            _number("clip_norm", self.clip_norm, 0, math.inf, open_low=True)
        if self.backend == "numpy" and (self.amp or self.device not in ("auto", "cpu")):
            raise ConfigError("backend numpy runs on the cpu without mixed precision")

    def to_dict(self) -> dict[str, Any]:
        """Return the options as JSON values, with the version of this form."""
        return {"version": VERSION, **asdict(self), "hidden_sizes": list(self.hidden_sizes)}

    @classmethod
    def from_dict(cls, written: dict[str, Any]) -> Config:
        """Return the options of `to_dict`; what an older version lacks has its default.

        Raises
        ------
        ConfigError
            If the form is of a later version, or an option is unknown or refused.
        """
        options = dict(written)
        version = options.pop("version", None)
        if type(version) is not int or not 1 <= version <= VERSION:
            raise ConfigError(f"version must be an integer from 1 to {VERSION}, got {version!r}")
        known = {field.name for field in fields(cls)}
        if unknown := sorted(options.keys() - known):
            raise ConfigError(f"unknown option {unknown[0]!r}")
        return cls(**options)


def _whole(name: str, value: Any, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ConfigError(f"{name} must be an integer from {low} to {high}, got {value!r}")


def _number(name: str, value: Any, low: float, high: float, *, open_low: bool = False) -> None:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not (good and (low < value if open_low else low <= value) and value < high):
        raise ConfigError(
            f"{name} must be {'above' if open_low else 'at least'} {low:g} and "
            f"{'finite' if high == math.inf else f'below {high:g}'}, got {value!r}"
        )
