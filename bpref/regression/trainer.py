"""One function that trains, on either backend, from arrays to weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bpref.regression.batches import Batches
from bpref.regression.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    TrainingState,
    Weights,
)
from bpref.regression.checks import (
    CHECKPOINT_VERSION,
    Data,
    check_checkpoint,
    check_data,
    check_weights,
)
from bpref.regression.config import Config
from bpref.regression.divergence import diverged
from bpref.regression.engine import Engine, make_engine, shapes
from bpref.regression.errors import DivergenceError
from bpref.regression.history import History
from bpref.regression.schedule import rate
from bpref.regression.steps import Steps
from bpref.regression.training import fit, no_graph

__all__ = ["CHECKPOINT_VERSION", "Config", "Data", "Outcome", "predict", "train"]


@dataclass(frozen=True)
class Outcome:
    """What a run ended with.

    Attributes
    ----------
    best, last : dict of str to ndarray
        Weights after the epoch with the lowest validation loss (without validation rows: after
        the last whole epoch), and after the last step, under the keys of ``MLP.state_dict()``,
        in the dtype of the run.
    best_epoch, best_loss : int, float
    history : History
    backend, device, dtype : str
        What the run used.
    epochs_run, steps : int
    stop_reason : str
        "finished", "early stopping", or what a callback said.
    checkpoint : dict
        As ``TrainingState.checkpoint()`` after the last step.
    """

    best: Weights
    last: Weights
    best_epoch: int
    best_loss: float
    history: History
    backend: str
    device: str
    dtype: str
    epochs_run: int
    steps: int
    stop_reason: str
    checkpoint: Checkpoint


def train(
    config: Config,
    data: Data,
    *,
    callbacks: Iterable[Callback] = (),
    state: Checkpoint | None = None,
    group: Any = None,
) -> Outcome:
    """Train a perceptron as the configuration says.

    Parameters
    ----------
    config : Config
        All options.
    data : Data
        Preprocessed rows.
    callbacks : iterable of Callback
        Called in this order, behind the early stopping that ``config.patience`` asks for.
    state : dict, optional
        A checkpoint of a run with the same configuration and data: the run goes on behind it and
        ends with the very weights of a run that was never interrupted.
    group : optional
        Processes that train together: ``rank``, ``world_size`` and ``sum_(tensor)``, which
        replaces a tensor by its sum over all processes.

    Returns
    -------
    Outcome

    Raises
    ------
    ConfigError
        If an option cannot be used here, such as a device.
    ValueError
        If the data or the checkpoint do not fit.
    DivergenceError
        If a loss is not finite, that of the weights after the last update included; its
        ``outcome`` has the last good weights.

    Notes
    -----
    A checkpoint is one flat dict. NumPy arrays: ``model.<key>``, ``best.<key>``, ``good.<key>``
    (weights after the last whole epoch), ``optimizer.<buffer>.<key>``, ``history.<list>``. JSON
    values: ``version``, ``backend``, ``device``, ``epoch``, ``step``, ``batch`` (batches done of
    the epoch under way), ``loss_sum`` and ``weight_sum`` (of these batches), ``best_epoch``,
    ``best_loss`` (None before the first).
    """
    check_data(data)
    return _Run(config, data, list(callbacks), state, group).train()


class _Run(Callback):
    """One run: its engine, its state, and what of both is kept."""

    def __init__(
        self,
        config: Config,
        data: Data,
        callbacks: list[Callback],
        checkpoint: Checkpoint | None,
        group: Any,
    ) -> None:
        self.config, self.group = config, group
        sizes = (data.X_train.shape[1], *config.hidden_sizes, data.y_train.shape[1])
        self.engine = engine = make_engine(config, sizes, checkpoint, group)
        self.train_batches, self.val_batches = make_batches(config, data, engine, group)
        self.callbacks = [self, *callbacks]
        if config.patience is not None:
            self.callbacks.insert(1, EarlyStopping(config.patience))
        self.state = TrainingState(backend=engine.backend)
        self.state.checkpoint = self.checkpoint
        self.state.weights = self.weights
        self.state.best_weights = self.best_weights
        self.steps = Steps(
            self.state,
            callbacks=self.callbacks,
            rate=changing_rate(config, len(self.train_batches)),
            masks=engine.masks,
            before_update=self.before_update if config.clip_norm or group else None,
            over_processes=self.sum if group is not None else float,
            after_update=self.check_update if self.val_batches is None else None,
        )
        self.good = self.best = engine.copy_of_vector()
        if checkpoint is not None:
            self.resume(checkpoint)

    def train(self) -> Outcome:
        """Train from here to the end."""
        engine, state = self.engine, self.state
        try:
            with engine.context():
                fit(
                    engine.network,
                    self.train_batches,
                    self.val_batches,
                    engine.criterion,
                    engine.optimizer,
                    self.config.epochs,
                    callbacks=self.callbacks,
                    measure_train=False,
                    accumulate=self.config.accumulate,
                    steps=self.steps,
                )
                if self.steps.stopped:  # no loss has been computed behind the last update
                    self.check_update()
        except DivergenceError as error:
            state.stop_reason = "diverged"
            error.outcome = self.outcome(last=engine.unpack(self.good))
            raise
        return self.outcome(last=self.weights())

    def sum(self, loss: float) -> float:
        """Return the sum over the processes."""
        number = self.engine.vector.new_tensor([loss])
        self.group.sum_(number)
        return float(number)

    def before_update(self, loss: float) -> float:
        """Sum over the processes, then clip."""
        optimizer = self.engine.optimizer
        if self.group is not None:
            optimizer.grad_and_loss[-1] = loss
            self.group.sum_(optimizer.grad_and_loss)
            loss = optimizer.grad_and_loss[-1].item()
        if self.config.clip_norm is not None:
            optimizer.clip(self.config.clip_norm)
        return loss

    def check_update(self) -> None:
        """Compute a loss with the weights of now; with validation rows their loss does that.

        Raises
        ------
        DivergenceError
            If it is not finite.
        """
        network, state = self.engine.network, self.state
        x, y, *weight = next(iter(self.train_batches.in_order()))
        network.eval()
        with no_graph():
            own = self.engine.criterion(network(x), y, *weight).item()
        loss = self.steps.over_processes(own)
        if not math.isfinite(loss):
            raise diverged(network, x, state, "loss after the update", loss, step=state.step)

    def on_epoch_end(self, state: TrainingState) -> None:
        """Keep the weights: both losses of this epoch are finite."""
        self.good = self.engine.copy_of_vector()
        if state.is_best:
            self.best = self.good

    def weights(self) -> Weights:
        """Return the weights of now."""
        return self.engine.unpack(self.engine.copy_of_vector())

    def best_weights(self) -> Weights:
        """Return the weights of the best epoch; the initial ones before the first."""
        return self.engine.unpack(self.best.copy())

    def outcome(self, last: Weights) -> Outcome:
        """Return what there is now."""
        state = self.state
        return Outcome(
            best=self.best_weights(),
            last=last,
            best_epoch=state.best_epoch,
            best_loss=state.best_loss,
            history=state.history,
            backend=state.backend,
            device=self.engine.device,
            dtype=self.config.dtype,
            epochs_run=state.epoch,
            steps=state.step,
            stop_reason=state.stop_reason,
            checkpoint=self.checkpoint(),
        )

    def checkpoint(self) -> Checkpoint:
        """Return all that a later run needs, as copies."""
        state, steps = self.state, self.steps
        arrays = {f"model.{key}": array for key, array in self.weights().items()}
        arrays |= {f"best.{key}": array for key, array in self.best_weights().items()}
        arrays |= {f"good.{key}": array for key, array in self.engine.unpack(self.good).items()}
        arrays |= {
            f"optimizer.{key}": array for key, array in self.engine.optimizer.buffers().items()
        }
        for name, values in vars(state.history).items():
            arrays[f"history.{name}"] = np.array(values, np.float64)
        return arrays | {
            "version": CHECKPOINT_VERSION,
            "backend": state.backend,
            "device": self.engine.device,
            "epoch": state.epoch,
            "step": state.step,
            "batch": steps.batch,
            "loss_sum": steps.loss_sum,
            "weight_sum": steps.weight_sum,
            "best_epoch": state.best_epoch,
            "best_loss": state.best_loss if state.best_epoch else None,
        }

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go back to where a checkpoint was taken."""
        check_checkpoint(checkpoint, shapes(self.engine.sizes))
        state, steps, engine = self.state, self.steps, self.engine

        def part(name: str) -> Weights:
            prefix = f"{name}."
            return {
                key.removeprefix(prefix): np.asarray(value)
                for key, value in checkpoint.items()
                if key.startswith(prefix)
            }

        engine.load(part("best"))
        self.best = engine.copy_of_vector()
        engine.load(part("good"))
        self.good = engine.copy_of_vector()
        engine.load(part("model"))
        engine.optimizer.load_buffers(part("optimizer"), checkpoint["step"])
        for name, values in part("history").items():
            setattr(state.history, name, values.tolist())
        state.epoch_loss, state.val_loss = state.history.last()
        for name in ("epoch", "step", "best_epoch"):
            setattr(state, name, checkpoint[name])
        for name in ("batch", "loss_sum", "weight_sum"):
            setattr(steps, name, checkpoint[name])
        best_loss = checkpoint["best_loss"]
        state.best_loss = float("inf") if best_loss is None else best_loss


def predict(config: Config, state_dict: Mapping[str, np.ndarray], X: np.ndarray) -> np.ndarray:
    """Return the predictions of a trained model.

    Parameters
    ----------
    config : Config
        That of the training; the backend and the device are chosen as there.
    state_dict : mapping
        Weights of an `Outcome`.
    X : ndarray, shape (N, d)
        Preprocessed as for the training.

    Returns
    -------
    ndarray, float64, shape (N, m)

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    if X.ndim != 2:
        raise ValueError(f"X must be 2-D, (N, d), got shape {X.shape}")
    last = f"{2 * len(config.hidden_sizes)}.bias"
    if last not in state_dict:
        raise ValueError(f"{last}: expected the bias of the last layer, got {list(state_dict)}")
    outputs = len(state_dict[last])
    sizes = (X.shape[1], *config.hidden_sizes, outputs)
    engine = make_engine(config, sizes, None, None)
    check_weights(state_dict, shapes(sizes))
    engine.load(state_dict)
    engine.network.eval()
    size = rows_at_once(sizes)
    prediction = np.empty((len(X), outputs))
    with engine.context(), no_graph():
        for start in range(0, len(X), size):
            rows = engine.rows(X[start : start + size])
            prediction[start : start + size] = engine.numpy(engine.network(rows))
    return prediction


def changing_rate(config: Config, steps_per_epoch: int) -> Callable[[int], float] | None:
    """Return the rate of each step, or None where all steps have the same."""
    if config.schedule == "constant" and not config.warmup_epochs:
        return None
    return lambda step: rate(step, config, steps_per_epoch)


def make_batches(
    config: Config, data: Data, engine: Engine, group: Any
) -> tuple[Batches, Batches | None]:
    """Return the batches for training, and those for validation if there are rows."""
    rank, world_size = (group.rank, group.world_size) if group is not None else (0, 1)
    train = Batches(
        engine.rows(data.X_train),
        engine.rows(data.y_train),
        data.w_train,
        batch_size=config.batch_size,
        seed=config.seed,
        rank=rank,
        world_size=world_size,
    )
    if data.X_val is None or data.y_val is None:
        return train, None
    val = Batches(
        engine.rows(data.X_val),
        engine.rows(data.y_val),
        data.w_val,
        batch_size=rows_at_once(engine.sizes),
        shuffle=False,
        rank=rank,
        world_size=world_size,
    )
    return train, val


def rows_at_once(sizes: tuple[int, ...]) -> int:
    """Return how many rows go through the network at once when nothing is learned from them.

    About a quarter of a million values in the widest layer: they fit into a processor's cache.
    """
    return max(1, 2**18 // max(sizes))
