"""The gradients in the open: two backward passes compared, and what each layer gets of them."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from bpref.regression.batches import Batch, Batches
from bpref.regression.callbacks import Callback, TrainingState, Weights
from bpref.regression.config import Config
from bpref.regression.engine import NumpyEngine, TorchEngine
from bpref.regression.json_lines import JsonLines

if TYPE_CHECKING:
    from bpref.regression.trainer import Data

# --- autograd and the backward pass by hand ----------------------------------------------------

TOLERANCE: Final = 1e-10


class GradientRow(NamedTuple):
    """How well the gradients for one parameter agree.

    Attributes
    ----------
    parameter : str
        Its key.
    shape : tuple of int
    norm : float
        Of autograd's gradient.
    numpy, by_hand : float
        Largest relative error of the NumPy backend, and of the backward pass that the PyTorch
        backend trains with.
    """

    parameter: str
    shape: tuple[int, ...]
    norm: float
    numpy: float
    by_hand: float

    def __str__(self) -> str:
        """Return a line of the table."""
        shape = " × ".join(map(str, self.shape))
        errors = f"{self.numpy:>12.1e}{self.by_hand:>12.1e}"
        return f"{self.parameter:<14}{shape:>14}{self.norm:>12.2e}{errors}"


class GradientCheck(NamedTuple):
    """What `check_gradients` found; as text, a table.

    Attributes
    ----------
    rows : list of GradientRow
    ok : bool
        Whether all errors are at most 1e-10.
    """

    rows: list[GradientRow]
    ok: bool

    def __str__(self) -> str:
        """Return the table with a verdict below."""
        head = f"{'gradient for':<14}{'shape':>14}{'norm':>12}{'NumPy':>12}{'by hand':>12}"
        largest = np.max([(row.numpy, row.by_hand) for row in self.rows])
        verdict = f"agree within {TOLERANCE:.0e}" if self.ok else "DIFFER"
        end = f"autograd and bpref {verdict}: largest relative error {largest:.1e}"
        return "\n".join([head, *map(str, self.rows), end])


# --8<-- [start:check_gradients]
def check_gradients(config: Config, data: Data) -> GradientCheck:
    """Compare autograd with the backward passes written by hand, on the first batch of a run.

    Everything is computed in float64 on the CPU, with the initial weights and the dropout masks
    of the run. The error of a derivative is divided by the largest Σ |δ x| of its parameter: the
    sum, over the batch, of the absolute values of the terms that a derivative is the sum of. Where
    these cancel, as in a batch with as many errors above as below zero under "mae", the
    derivative itself is nothing but rounding.

    Parameters
    ----------
    config : Config
        Of the run.
    data : Data
        Its rows.

    Returns
    -------
    GradientCheck
        ``rows, ok = check_gradients(…)``; printed, it is a table.

    Examples
    --------
    >>> from bpref.regression.trainer import Data
    >>> X = np.linspace(-1, 1, 8)[:, None]
    >>> rows, ok = check_gradients(Config(activation="tanh"), Data(X, 2 * X + 1))
    >>> [row.parameter for row in rows], ok
    (['0.weight', '0.bias', '2.weight', '2.bias'], True)
    """
    import torch

    exact = replace(config, dtype="float64", device="cpu", amp=False, backend="torch")
    sizes = (data.X_train.shape[1], *config.hidden_sizes, data.y_train.shape[1])
    rows = data.X_train, data.y_train, data.w_train
    batch = next(iter(Batches(*rows, batch_size=config.batch_size, seed=config.seed)))
    cpu = torch.device("cpu")
    autograd = TorchEngine(exact, sizes, cpu, autograd=True)
    terms = _Terms(autograd.model)
    expected = _gradients(autograd, batch)
    others = (NumpyEngine(exact, sizes), TorchEngine(exact, sizes, cpu, autograd=False))
    found = [_gradients(engine, batch) for engine in others]
    sums = terms.sums()
    compared = [
        GradientRow(
            key,
            gradient.shape,
            float(np.linalg.norm(gradient)),
            *(_error(gradients[key], gradient, sums[key]) for gradients in found),
        )
        for key, gradient in expected.items()
    ]
    ok = all(row.numpy <= TOLERANCE and row.by_hand <= TOLERANCE for row in compared)
    return GradientCheck(compared, ok)


# --8<-- [end:check_gradients]


def _gradients(engine: NumpyEngine | TorchEngine, batch: Batch) -> dict[str, np.ndarray]:
    """Return the gradients as the loop of `training` computes them, copied."""
    x, y, *weight = (engine.rows(rows) for rows in batch[:3])
    if engine.masks is not None:
        engine.masks.start(0, len(batch[0]))
    engine.optimizer.zero_grad()
    engine.network.train()
    with engine.context():
        engine.criterion(engine.network(x), y, *weight).backward()
    return {key: _array(p.grad).copy() for key, p in engine.model.named_parameters()}


class _Terms:
    """What the derivatives of every linear layer are sums of: δᵢ xᵢ."""

    def __init__(self, model: Any) -> None:
        self._kept: dict[str, tuple[Any, Any]] = {}
        for name, layer in model.named_children():
            if hasattr(layer, "weight"):
                layer.register_forward_hook(self._keeper(name))

    def _keeper(self, name: str) -> Callable[[Any, Any, Any], None]:
        def keep(layer: Any, inputs: Any, output: Any) -> None:
            output.retain_grad()
            self._kept[name] = inputs[0].detach(), output

        return keep

    def sums(self) -> dict[str, float]:
        """Return the largest Σ |δ x| of every parameter."""
        found = {}
        for name, (x, output) in self._kept.items():
            delta = output.grad.abs()
            found[f"{name}.weight"] = float((delta.t() @ x.abs()).max())
            found[f"{name}.bias"] = float(delta.sum(0).max())
        return found


def _error(found: np.ndarray, expected: np.ndarray, scale: float) -> float:
    with np.errstate(invalid="ignore"):  # inf − inf is nan, and that is not at most anything
        largest = float(np.abs(found - expected).max())
    if largest == 0:
        return 0.0
    return largest / scale if scale else math.inf


# --- norms, steps, dead units ------------------------------------------------------------------

VANISHED: Final = 1e-6
EXPLODED: Final = 1.0
STEEP: Final = 1e4
DEAD: Final = 0.9
SAMPLE: Final = 512  # rows
ADVICE: Final = {
    "vanishing": "try relu or gelu, or fewer layers",
    "exploding": "try a smaller learning rate, clip_norm or a warm-up",
    "dead": "try a smaller learning rate or leaky_relu",
}


class GradientWarning(UserWarning):
    """Something in the gradients of a run keeps layers from learning."""


# --8<-- [start:GradientLog]
class GradientLog(Callback):
    """Record what each layer gets of the gradient, and say when that is too little or too much.

    For every linear layer, weights and bias together: the norm of the gradient that the optimizer
    saw (after clipping), the length of the step divided by that of the weights, and, with "relu",
    the share of its units that give 0 for every row of a sample. The run is only read.

    Parameters
    ----------
    config : Config
        Of the run.
    X : ndarray, shape (N, d)
        The training rows; 512 of them, evenly spaced, are the sample.
    path : path, optional
        Gets one line of JSON per record. A run that is continued takes back what was written
        after its checkpoint.
    every : int, optional
        Records after so many steps; without it, after the last step of each epoch. The first
        step of a run is always recorded.
    warn : callable, optional
        Takes a warning as text; without it, it is a `GradientWarning`.

    Attributes
    ----------
    record : dict
        The last: ``step``, ``epoch`` (from 1), ``learning_rate``, by layer ``gradient_norm``,
        ``update_ratio`` and ``dead_units``, and the ``warnings`` that came with it. What is not
        finite is None.
    warnings : list of str
        All so far.

    Notes
    -----
    There is one warning for each layer and kind in a run, from these on:

    vanishing, 1e-6
        Root mean square of the layer's gradient over that of the last layer. Such a layer goes a
        millionth of the way: at a learning rate of 0.01 its steps are below the rounding of
        float32 weights. In networks of up to 4 hidden layers, 20 seeds each, the quotient stayed
        above 1e-5, with sigmoid, too; 30 layers of sigmoid have 1e-27. A gradient that is exactly
        0 counts only where it has vanished in the layers behind: dead units give one, too.
    exploding, 1
        Length of the step over that of the weights (or, if they are shorter, over their expected
        length at the start): nothing of what the layer had learned is left. With SGD, 1 or 2
        hidden layers of relu or tanh, 20 seeds each, the longest step was at most 1 at rates up
        to 0.2, where nearly all runs learned, and at least 1.2 from 0.5 on, where a third of them
        or more did not. Optimizers that rescale the gradient hide an explosion, so there is a
        warning, too, where the gradient is 10,000 times as long as the weights; with standardised
        targets it stayed below 20 times in all networks that learned.
    dead, 0.9
        Share of dead units: a tenth of the layer is left. Healthy networks have some, too: up
        to 0.4 with 1 to 4 hidden layers, 20 seeds each.

    Examples
    --------
    >>> from bpref.regression.trainer import Data, train
    >>> X = np.linspace(-1, 1, 8)[:, None]
    >>> config = Config(epochs=3)
    >>> log = GradientLog(config, X)
    >>> outcome = train(config, Data(X, 2 * X + 1), callbacks=[log])
    >>> sorted(log.scalars())[:2]
    ['dead_units/0', 'gradient_norm/0']
    """

    def __init__(
        self,
        config: Config,
        X: np.ndarray,
        path: str | os.PathLike[str] | None = None,
        *,
        every: int | None = None,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        if every is not None and every < 1:
            raise ValueError(f"every must be at least 1, got {every}")
        places = np.linspace(0, len(X) - 1, min(len(X), SAMPLE)).astype(int)
        self.sample = np.array(np.asarray(X)[places], np.float64)
        self.relu = config.activation == "relu"
        self.file = None if path is None else JsonLines(Path(path))
        self.every, self.warn = every, warn
        self.record: dict[str, Any] = {}
        self.warnings: list[str] = []
        self._warned: set[tuple[str, str]] = set()  # kind and layer
        self._before: Weights | None = None

    def scalars(self) -> dict[str, float]:
        """Return the values of the last record by tag, for `TensorBoard(more=…)`."""
        return {
            f"{name}/{layer}": value
            for name in ("gradient_norm", "update_ratio", "dead_units")
            for layer, value in self.record.get(name, {}).items()
            if value is not None
        }

    def on_fit_start(self, state: TrainingState) -> None:
        """Open the file; of a run that is continued, keep the records up to here."""
        if self.file is not None:
            there = self.file.there() if state.step else []
            kept = [one for one in there if one.get("step") in range(state.step + 1)]
            for record in kept:
                self._remember(record)
            self.file.begin(kept)
        self._prepare(state)

    def on_step(self, state: TrainingState) -> None:
        """Record the step, if it is its turn."""
        if self._before is not None:
            with np.errstate(all="ignore"):
                record = self._measure(state, self._before)
            self._remember(record)
            for warning in record["warnings"]:
                self._say(warning["message"])
            if self.file is not None:
                self.file.add(record)
        self._prepare(state)

    def on_fit_end(self, state: TrainingState) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file, also after an error. Closing twice does nothing."""
        if self.file is not None:
            self.file.close()

    def _prepare(self, state: TrainingState) -> None:
        """Keep the weights of now if the next step is to be recorded."""
        step, every = state.step + 1, self.every or state.steps_per_epoch
        self._before = state.weights() if step == 1 or step % every == 0 else None

    def _measure(self, state: TrainingState, before: Weights) -> dict[str, Any]:
        after = state.weights()
        gradients = {key: _array(p.grad) for key, p in state.model.named_parameters()}
        layers = [
            Layer(name, *(_joined(name, values) for values in (gradients, before, after)))
            for name in dict.fromkeys(key.partition(".")[0] for key in before)
        ]
        dead = self._dead_units(after)
        warnings = []
        for kind, found in judge(layers, dead).items():
            new = {
                name: found[name]
                for name in sorted(found, key=int)
                if (kind, name) not in self._warned
            }
            if new:
                message = f"{_listed(new)} (step {state.step}); {ADVICE[kind]}"
                warnings.append({"kind": kind, "layers": list(new), "message": message})
        return {
            "step": state.step,
            "epoch": state.epoch + 1,
            "learning_rate": state.lr,
            "gradient_norm": {layer.name: _finite(layer.gradient) for layer in layers},
            "update_ratio": {layer.name: _finite(layer.ratio) for layer in layers},
            "dead_units": dead,
            "warnings": warnings,
        }

    def _dead_units(self, weights: Weights) -> dict[str, float]:
        """Return the share of units that give 0 for the whole sample, by layer."""
        if not self.relu:
            return {}
        found, x = {}, self.sample
        *hidden, _ = dict.fromkeys(key.partition(".")[0] for key in weights)
        for name in hidden:
            x = np.maximum(x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"], 0)
            found[name] = float((x == 0).all(axis=0).mean())
        return found

    def _remember(self, record: dict[str, Any]) -> None:
        self.record = record
        for warning in record["warnings"]:
            self._warned |= {(warning["kind"], name) for name in warning["layers"]}
            self.warnings.append(warning["message"])

    def _say(self, message: str) -> None:
        if self.warn is not None:
            self.warn(message)
        else:
            warnings.warn(message, GradientWarning, stacklevel=2)


# --8<-- [end:GradientLog]


class Layer:
    """Lengths of a layer: of its gradient, its weights, and the step that they took.

    Parameters
    ----------
    name : str
    gradient, before, after : ndarray, float64, shapes (m, d + 1)
        Weights and bias side by side.

    Attributes
    ----------
    gradient, step, weights : float
    mean_square : float
        Root of the mean square of the gradient.
    ratio : float
        Length of the step over that of the weights before; inf where these are 0.
    least : float
        Length of the weights, or that expected at the start where it is larger.
    """

    def __init__(
        self, name: str, gradient: np.ndarray, before: np.ndarray, after: np.ndarray
    ) -> None:
        self.name = name
        self.gradient, self.weights = _norm(gradient), _norm(before)
        self.step = _norm(after - before)
        self.mean_square = self.gradient / math.sqrt(gradient.size)
        self.ratio = self.step / self.weights if self.weights else math.inf
        # Uniform within ± 1/√d: the mean square is 1 / (3 d).
        self.least = max(self.weights, math.sqrt(gradient.size / 3 / (gradient.shape[1] - 1)))


# --8<-- [start:judge]
def judge(layers: list[Layer], dead: Mapping[str, float]) -> dict[str, dict[str, str]]:
    """Return what is wrong with which layers, by kind and name; see `GradientLog`.

    Parameters
    ----------
    layers : list of Layer
        From the first to the last.
    dead : mapping
        Share of dead units by name.

    Returns
    -------
    dict
        For "vanishing", "exploding" and "dead", what to say of each layer.
    """
    found: dict[str, dict[str, str]] = {"vanishing": {}, "exploding": {}, "dead": {}}
    last = layers[-1].mean_square
    vanished = False
    for layer in reversed(layers[:-1]):
        quotient = layer.mean_square / last if last else math.nan
        vanished = quotient < VANISHED and (quotient > 0 or vanished)
        if vanished:
            found["vanishing"][layer.name] = (
                f"vanishing gradient, {quotient:.0e} of that of the last layer"
            )
    for layer in layers:
        if not layer.step <= EXPLODED * layer.least:
            found["exploding"][layer.name] = (
                f"exploding gradient, a step {layer.step / layer.least:.3g} times as long as "
                "the weights"
            )
        elif not layer.gradient <= STEEP * layer.least:
            found["exploding"][layer.name] = (
                f"exploding gradient, {layer.gradient / layer.least:.1e} times as long as "
                "the weights"
            )
        if dead.get(layer.name, 0) >= DEAD:
            found["dead"][layer.name] = (
                f"{dead[layer.name]:.0%} of the units are dead: 0 for every row of a sample"
            )
    return found


# --8<-- [end:judge]


def _listed(texts: Mapping[str, str]) -> str:
    """Return one line about all layers, with what is to be said of the first."""
    first, *others = texts
    also = f" (also layers {', '.join(others)})" if others else ""
    return f"layer {first}: {texts[first]}{also}"


def _array(values: Any) -> np.ndarray:
    """Return a tensor or array as an array; it may share the memory."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


def _joined(name: str, values: Mapping[str, np.ndarray]) -> np.ndarray:
    weight, bias = (np.asarray(values[f"{name}.{key}"], np.float64) for key in ("weight", "bias"))
    return np.column_stack([weight, bias])


def _norm(values: np.ndarray) -> float:
    """Return √Σ v², where the squares would overflow or vanish, too."""
    largest = float(np.abs(values).max())
    if largest == 0 or not math.isfinite(largest):
        return largest
    return largest * float(np.linalg.norm(values / largest))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
