"""One whole training run of a perceptron in every library that is compared.

Each function takes a `Task` and does everything from the arrays to the last test loss: it builds
the model, sets the initial weights, prepares the data, trains, and measures the test loss after
every epoch. It returns these losses, which must agree.
"""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from bpref import nn

Weights: TypeAlias = list[np.ndarray]  # W_1, b_1, W_2, b_2, … with W_l of shape (m, d)
Peer: TypeAlias = Callable[["Task"], list[float]]


@dataclass(frozen=True)
class Task:
    """A table, a network with ReLU, and how it is trained: squared error, plain SGD, float32."""

    X: np.ndarray  # (N, d)
    y: np.ndarray  # (N, 1)
    X_test: np.ndarray
    y_test: np.ndarray
    hidden: tuple[int, ...]
    batch: int
    epochs: int
    lr: float

    @classmethod
    def make(
        cls, rows: int, inputs: int, hidden: tuple[int, ...], *, batch: int, epochs: int, lr: float
    ) -> Task:
        """Return y = 2 x + 1 + noise for one input, the article's; a tanh of all for more."""
        rng = np.random.default_rng(0)
        n_test = rows if inputs == 1 else rows // 10
        X = rng.standard_normal((rows + n_test, inputs), np.float32)
        noise = rng.standard_normal((len(X), 1), np.float32)
        if inputs == 1:
            y = 2 * X + 1 + noise
        else:
            y = np.tanh(X @ rng.standard_normal((inputs, 1), np.float32)) + noise / 10
        return cls(X[:rows], y[:rows], X[rows:], y[rows:], hidden, batch, epochs, lr)

    def part(self, share: int) -> Task:
        """Return the task with one of so many rows."""
        n, n_test = len(self.X) // share, len(self.X_test) // share
        return replace(
            self,
            X=self.X[:n],
            y=self.y[:n],
            X_test=self.X_test[:n_test],
            y_test=self.y_test[:n_test],
        )

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units of all layers."""
        return (self.X.shape[1], *self.hidden, 1)

    @property
    def weights(self) -> Weights:
        """What all start from: the initial weights of `bpref.regression.train` with seed 0."""
        model = nn.MLP(self.sizes, generator=np.random.default_rng(0), dtype=np.float32)
        return [parameter.data for parameter in model.parameters()]


def _torch_model(task: Task) -> Any:
    import torch

    layers: list[torch.nn.Module] = []
    for d, m in itertools.pairwise(task.sizes):
        layers += [torch.nn.Linear(d, m), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), task.weights, strict=True):
            parameter.copy_(torch.from_numpy(value))
    return model


def _tensors(task: Task) -> Any:
    import torch

    return [torch.from_numpy(a) for a in (task.X, task.y, task.X_test, task.y_test)]


def article(task: Task) -> list[float]:
    """The article's program with its errors repaired, and nothing made faster."""
    import torch
    from torch.utils.data import DataLoader, Dataset

    class RegressionDataset(Dataset[Any]):
        def __init__(self, X: np.ndarray, y: np.ndarray) -> None:
            self.X = torch.from_numpy(X)
            self.y = torch.from_numpy(y)

        def __len__(self) -> int:
            return len(self.X)

        def __getitem__(self, idx: int) -> Any:
            x = self.X[idx]
            y = self.y[idx]
            return x, y

    train_loader = DataLoader(RegressionDataset(task.X, task.y), task.batch, shuffle=True)
    test_loader = DataLoader(RegressionDataset(task.X_test, task.y_test), task.batch)
    return _train(task, train_loader, test_loader)


def tensor_dataset(task: Task) -> list[float]:
    """The same loop with PyTorch's own `TensorDataset`."""
    from torch.utils.data import DataLoader, TensorDataset

    X, y, X_test, y_test = _tensors(task)
    train_loader = DataLoader(TensorDataset(X, y), task.batch, shuffle=True)
    return _train(task, train_loader, DataLoader(TensorDataset(X_test, y_test), task.batch))


def _train(task: Task, train_loader: Any, test_loader: Any) -> list[float]:
    import torch

    device = torch.device("cpu")
    model = _torch_model(task).to(device)
    criterion = torch.nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=task.lr)

    def train_epoch() -> float:
        model.train()
        total_loss = 0.0
        for x, y in train_loader:
            x = x.to(device)
            y = y.to(device)
            optimizer.zero_grad()
            output = model(x)
            loss = criterion(output, y)
            loss.backward()
            optimizer.step()
            total_loss += loss.item() * len(x)
        return total_loss / len(train_loader.dataset)

    def evaluate() -> float:
        model.eval()
        total_loss = 0.0
        with torch.no_grad():
            for x, y in test_loader:
                x = x.to(device)
                y = y.to(device)
                output = model(x)
                loss = criterion(output, y)
                total_loss += loss.item() * len(x)
        return total_loss / len(test_loader.dataset)

    losses = []
    for _ in range(task.epochs):
        train_epoch()
        losses.append(evaluate())
    return losses


def tensors_by_index(task: Task) -> list[float]:
    """A loop without a DataLoader: the rows of a batch are one `index_select`."""
    import torch

    X, y, X_test, y_test = _tensors(task)
    model = _torch_model(task)
    criterion = torch.nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=task.lr)
    losses = []
    for _ in range(task.epochs):
        total_loss = 0.0
        for rows in torch.randperm(len(X)).split(task.batch):
            optimizer.zero_grad()
            loss = criterion(model(X.index_select(0, rows)), y.index_select(0, rows))
            loss.backward()
            optimizer.step()
            total_loss += loss.item() * len(rows)
        with torch.no_grad():
            total = 0.0
            pieces = zip(X_test.split(task.batch), y_test.split(task.batch), strict=True)
            for x, target in pieces:
                total += criterion(model(x), target).item() * len(x)
        losses.append(total / len(X_test))
    return losses


def skorch(task: Task) -> list[float]:
    """`NeuralNetRegressor`, nothing printed."""
    import torch
    from skorch import NeuralNetRegressor
    from skorch.dataset import Dataset
    from skorch.helper import predefined_split

    net = NeuralNetRegressor(
        _torch_model(task),
        criterion=torch.nn.MSELoss,
        optimizer=torch.optim.SGD,
        lr=task.lr,
        max_epochs=task.epochs,
        batch_size=task.batch,
        iterator_train__shuffle=True,
        train_split=predefined_split(Dataset(task.X_test, task.y_test)),
        callbacks__print_log=None,
        verbose=0,
    )
    net.fit(task.X, task.y)
    return [float(loss) for loss in net.history[:, "valid_loss"]]


def lightning(task: Task) -> list[float]:
    """`Trainer` with everything optional off ("barebones")."""
    import lightning.pytorch as pl
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    losses: list[float] = []

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = _torch_model(task)
            self.total = 0.0

        def training_step(self, batch: Any, index: int) -> Any:
            x, y = batch
            return torch.nn.functional.mse_loss(self.model(x), y)

        def validation_step(self, batch: Any, index: int) -> None:
            x, y = batch
            self.total += torch.nn.functional.mse_loss(self.model(x), y).item() * len(x)

        def on_validation_epoch_end(self) -> None:
            losses.append(self.total / len(task.X_test))
            self.total = 0.0

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=task.lr)

    X, y, X_test, y_test = _tensors(task)
    trainer = pl.Trainer(accelerator="cpu", devices=1, max_epochs=task.epochs, barebones=True)
    train_loader = DataLoader(TensorDataset(X, y), task.batch, shuffle=True)
    test_loader = DataLoader(TensorDataset(X_test, y_test), task.batch)
    trainer.fit(Module(), train_loader, test_loader)
    return losses


def keras(task: Task) -> list[float]:
    """Keras on PyTorch, which does not compile unless told to."""
    os.environ["KERAS_BACKEND"] = "torch"  # read when it is imported
    import keras
    from keras import layers

    stack = [layers.Dense(size, "relu") for size in task.hidden]
    model = keras.Sequential([keras.Input(task.X.shape[1:]), *stack, layers.Dense(1)])
    weights = task.weights
    model.set_weights([w.T if w.ndim == 2 else w for w in weights])
    model.compile(keras.optimizers.SGD(task.lr), "mse")
    history = model.fit(
        task.X,
        task.y,
        batch_size=task.batch,
        epochs=task.epochs,
        validation_data=(task.X_test, task.y_test),
        validation_batch_size=task.batch,
        verbose=0,
    )
    return [float(loss) for loss in history.history["val_loss"]]


def scikit_learn(task: Task) -> list[float]:
    """`MLPRegressor`, one `partial_fit` an epoch, because `fit` measures no test loss."""
    from sklearn.neural_network import MLPRegressor

    y = task.y.ravel()
    model = MLPRegressor(
        hidden_layer_sizes=task.hidden,
        activation="relu",
        solver="sgd",
        alpha=0.0,
        batch_size=task.batch,
        learning_rate_init=2 * task.lr,  # its loss is half the squared error
        momentum=0.0,
    )
    model.partial_fit(task.X[: task.batch], y[: task.batch])  # makes the arrays
    for place, value in zip(model.coefs_, task.weights[::2], strict=True):
        place[...] = value.T
    for place, value in zip(model.intercepts_, task.weights[1::2], strict=True):
        place[...] = value
    losses = []
    for _ in range(task.epochs):
        model.partial_fit(task.X, y)
        error = model.predict(task.X_test) - task.y_test.ravel()
        losses.append(float(error @ error) / len(error))
    return losses


def bpref(backend: str) -> Peer:
    """Return a run of `bpref.regression.train` with this backend."""

    def run(task: Task) -> list[float]:
        from bpref.regression import Data, train

        return train(
            config(task, backend), Data(task.X, task.y, task.X_test, task.y_test)
        ).history.val_loss

    return run


def config(task: Task, backend: str) -> Any:
    """Return the options of `bpref.regression.train`."""
    from bpref.regression import Config

    return Config(
        hidden_sizes=task.hidden,
        batch_size=task.batch,
        epochs=task.epochs,
        lr=task.lr,
        backend=backend,
    )


def backend_of_auto(task: Task) -> str:
    """Return what ``backend="auto"`` is for this task."""
    from bpref.regression.backend import choose_backend

    return choose_backend(config(task, "auto"), task.sizes)


# In the order of the table; the article's loop is what the others are divided by.
PEERS: dict[str, Peer] = {
    "article": article,
    "bpref auto": bpref("auto"),
    "bpref numpy": bpref("numpy"),
    "bpref torch": bpref("torch"),
    "PyTorch, TensorDataset": tensor_dataset,
    "PyTorch, rows by index": tensors_by_index,
    "skorch": skorch,
    "Lightning": lightning,
    "Keras on PyTorch": keras,
    "scikit-learn": scikit_learn,
}
