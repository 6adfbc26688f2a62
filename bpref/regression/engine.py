"""The objects that the loop works with, for each backend."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import pairwise
from typing import Any

import numpy as np

from bpref.regression.backend import WORK_FOR_THREADS, choose_backend, choose_device, steps_work
from bpref.regression.callbacks import Checkpoint
from bpref.regression.config import Config
from bpref.regression.dropout import Masks
from bpref.regression.errors import ConfigError
from bpref.regression.threads import one_blas_thread, one_thread


class Engine:
    """A model, a loss and an optimizer that fit each other, and their state as NumPy arrays.

    Attributes
    ----------
    network, criterion, optimizer
        For `training.fit`.
    model
        Holds the weights.
    masks : Masks or None
    vector : ndarray or Tensor, shape (number of parameters,)
        All weights, live.
    device : str
    """

    network: Any
    criterion: Any
    optimizer: Any
    model: Any
    masks: Masks | None
    vector: Any
    device: str
    backend: str

    def __init__(self, config: Config, sizes: tuple[int, ...]) -> None:
        self.config, self.sizes = config, sizes
        self.masks = Masks(config.dropout, config.seed) if config.dropout else None
        self.dtype = np.dtype(config.dtype)

    def rows(self, values: np.ndarray) -> Any:
        """Return an array as the loop wants it: dtype of the run, contiguous, on the device."""
        with np.errstate(over="ignore"):  # the loss tells
            return np.ascontiguousarray(values, self.dtype)

    def numpy(self, rows: Any) -> np.ndarray:
        """Return what `rows` made as an array again."""
        return np.asarray(rows)

    def context(self) -> AbstractContextManager[Any]:
        """Return what training and prediction run in."""
        return nullcontext()

    def unpack(self, vector: np.ndarray) -> dict[str, np.ndarray]:
        """Return the parts of a vector of all weights under their keys."""
        parts, start = {}, 0
        for key, shape in shapes(self.sizes).items():
            size = int(np.prod(shape))
            parts[key] = vector[start : start + size].reshape(shape)
            start += size
        return parts

    def copy_of_vector(self) -> np.ndarray:
        """Return all weights of now."""
        return np.array(self.numpy(self.vector))

    def load(self, weights: Mapping[str, np.ndarray]) -> None:
        """Copy weights into the model."""
        joined = np.concatenate([weights[key].ravel() for key in shapes(self.sizes)])
        self.vector[...] = self.rows(joined)


class NumpyEngine(Engine):
    """`bpref` alone."""

    def __init__(self, config: Config, sizes: tuple[int, ...]) -> None:
        from bpref import nn
        from bpref.regression.numpy_training import Loss, Network, NumpyOptimizer

        super().__init__(config, sizes)
        self.device, self.backend = "cpu", "numpy"
        generator = np.random.default_rng(config.seed)
        self.model = nn.MLP(sizes, config.activation, generator=generator, dtype=self.dtype)
        self.network = Network(self.model, self.masks)
        self.criterion = Loss(self.network, config.loss, config.huber_delta)
        self.optimizer = NumpyOptimizer(self.network, config)
        self.vector = self.network.data

    @contextmanager
    def context(self) -> Iterator[None]:
        """Let inf and nan pass: the loop looks for them. Small products stay on one core."""
        small = steps_work(self.config, self.sizes) < WORK_FOR_THREADS["numpy"]
        torch = sys.modules.get("torch")  # once for the run: each evaluation would switch it off
        with (
            np.errstate(all="ignore"),
            one_blas_thread() if small else nullcontext(),
            nullcontext() if torch is None else torch.no_grad(),
        ):
            yield


class TorchEngine(Engine):
    """PyTorch: by autograd in mixed precision, by hand otherwise.

    Parameters
    ----------
    config : Config
    sizes : tuple of int
    device : torch.device
    autograd : bool, optional
        Which of the two, for comparisons.
    """

    def __init__(
        self,
        config: Config,
        sizes: tuple[int, ...],
        device: Any,
        autograd: bool | None = None,
    ) -> None:
        import torch

        from bpref.regression.by_hand import ByHand, HandLoss, HandOptimizer
        from bpref.regression.flat import FUSED, FUSED_FROM, FlatOptimizer
        from bpref.regression.loss import Criterion
        from bpref.regression.model import MLP
        from bpref.regression.optimizers import make_optimizer

        super().__init__(config, sizes)
        self.device, self.backend, self._device = str(device), "torch", device
        self.model = MLP(
            sizes[0],
            sizes[1:-1],
            sizes[-1],
            activation=config.activation,
            dropout=config.dropout,
            seed=config.seed,
            dtype=getattr(torch, config.dtype),
        ).to(device)

        def make(parameters: Any) -> Any:
            options = {"foreach": False}
            if parameters[0].numel() >= FUSED_FROM and config.optimizer in FUSED:
                options["fused"] = True
            return make_optimizer(torch.optim, config, parameters, **options)

        if config.amp if autograd is None else autograd:
            self.optimizer = FlatOptimizer(self.model, make)
            self.network = self.model
            self.criterion = Criterion(config.loss, config.huber_delta)
            if self.masks is not None:
                self.model.set_masks(self.masks)
            if config.amp:
                mixed = torch.autocast(device.type, dtype=torch.bfloat16)
                self.model.forward = mixed(self.model.forward)
        else:
            self.optimizer = HandOptimizer(self.model, make)
            self.network = ByHand(self.model, self.masks)
            self.optimizer.network = self.network
            self.criterion = HandLoss(self.network, config.loss, config.huber_delta)
        self.vector = self.optimizer.flat.data

    def rows(self, values: np.ndarray) -> Any:
        """Return an array as a tensor on the device; on the CPU it shares the memory."""
        import torch

        with warnings.catch_warnings():  # a read-only array, which nobody here writes to
            warnings.simplefilter("ignore", UserWarning)
            return torch.from_numpy(super().rows(values)).to(self._device)

    @contextmanager
    def context(self) -> Iterator[None]:
        """Leave the other cores alone where the work of a step is too small to be shared."""
        import torch

        small = steps_work(self.config, self.sizes) < WORK_FOR_THREADS["torch"]
        alone = one_thread() if small and self.device == "cpu" else nullcontext()
        with alone, torch.enable_grad():  # the caller may have switched it off
            yield

    def numpy(self, rows: Any) -> np.ndarray:
        """Return a tensor as an array; mixed precision made a bfloat16, which NumPy lacks."""
        return np.asarray(rows.detach().to("cpu", self.vector.dtype))


def make_engine(
    config: Config, sizes: tuple[int, ...], checkpoint: Checkpoint | None, group: Any
) -> Engine:
    """Return the engine that the configuration, or the run that goes on, asks for."""
    backend = choose_backend(config, sizes)
    if group is not None:
        if config.backend == "numpy":
            raise ConfigError("backend numpy trains in one process; use torch for several")
        backend = "torch"
    if checkpoint is not None:
        began = checkpoint.get("backend")
        if began not in ("numpy", "torch"):
            raise ValueError(f"checkpoint: backend must be 'numpy' or 'torch', got {began!r}")
        if config.backend not in ("auto", began):
            raise ConfigError(f"backend must be {began!r}, with which the training began")
        backend = began
        if backend == "numpy" and (config.amp or config.device not in ("auto", "cpu")):
            asked = "amp" if config.amp else f"device {config.device!r}"
            raise ConfigError(f"{asked}: the run began with backend numpy, which has only the cpu")
        if backend == "numpy" and group is not None:
            raise ConfigError("the run began with backend numpy, which trains in one process")
    if backend == "numpy":
        return NumpyEngine(config, sizes)
    return TorchEngine(config, sizes, choose_device(config))


def shapes(sizes: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Return the shape of every weight of a perceptron under its key.

    Examples
    --------
    >>> shapes((1, 10, 1))
    {'0.weight': (10, 1), '0.bias': (10,), '2.weight': (1, 10), '2.bias': (1,)}
    """
    found: dict[str, tuple[int, ...]] = {}
    for number, (d, m) in enumerate(pairwise(sizes)):
        found[f"{2 * number}.weight"] = (m, d)
        found[f"{2 * number}.bias"] = (m,)
    return found
