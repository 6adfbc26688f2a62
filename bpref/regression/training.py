"""The loop: train an epoch, evaluate, repeat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader
from tqdm import tqdm

from bpref.regression.data import Pair

Criterion = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


# --8<-- [start:train_epoch]
def train_epoch(
    model: nn.Module,
    loader: DataLoader[Pair],
    criterion: Criterion,
    optimizer: Optimizer,
    device: torch.device | str,
) -> float:
    """Go once through the loader with one optimizer step per batch.

    Parameters
    ----------
    model : nn.Module
        Already on `device`; its parameters are changed in place.
    loader : DataLoader
        Gives batches (x, y) of shapes (n, d) and (n, m).
    criterion : callable
        Maps (prediction, label) to the *mean* loss of the batch, a scalar tensor.
    optimizer : Optimizer
        Holds the parameters of `model`.
    device : torch.device or str
        Where the batches are moved to.

    Returns
    -------
    float
        The loss averaged over the samples. It is measured while the weights move, so it is
        not the loss of the model that the epoch ends with: see `evaluate` for that.

    Raises
    ------
    ValueError
        If the loader gives no sample.

    Examples
    --------
    >>> from bpref.regression import MLP, RegressionDataset, make_data, make_loaders
    >>> X, y, X_test, y_test = make_data()
    >>> loader, _ = make_loaders(RegressionDataset(X, y), RegressionDataset(X_test, y_test))
    >>> model = MLP(seed=0)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    >>> losses = [train_epoch(model, loader, nn.MSELoss(), optimizer, "cpu") for _ in range(20)]
    >>> losses[-1] < losses[0]
    True
    """
    # --8<-- [start:train_epoch_body]
    model.train()
    total_loss, n_samples = 0.0, 0
    for x, y in loader:
        x, y = x.to(device), y.to(device)
        optimizer.zero_grad()
        output = model(x)
        loss = criterion(output, y)
        loss.backward()
        optimizer.step()
        total_loss += loss.item() * len(x)
        n_samples += len(x)
    if n_samples == 0:
        raise ValueError("the loader gives no sample")
    return total_loss / n_samples
    # --8<-- [end:train_epoch_body]


# --8<-- [end:train_epoch]


# --8<-- [start:evaluate]
def evaluate(
    model: nn.Module,
    loader: DataLoader[Pair],
    criterion: Criterion,
    device: torch.device | str,
) -> float:
    """Measure the mean loss of the model as it is, without changing it.

    Parameters
    ----------
    model : nn.Module
        Already on `device`. It is left in evaluation mode.
    loader : DataLoader
        Gives batches (x, y) of shapes (n, d) and (n, m).
    criterion : callable
        Maps (prediction, label) to the *mean* loss of the batch, a scalar tensor.
    device : torch.device or str
        Where the batches are moved to.

    Returns
    -------
    float
        The loss averaged over the samples, whatever the batch sizes are.

    Raises
    ------
    ValueError
        If the loader gives no sample.

    Examples
    --------
    >>> from bpref.regression import RegressionDataset
    >>> loader = DataLoader(RegressionDataset([[0.0], [0.0], [0.0]], [[1.0], [1.0], [4.0]]),
    ...                     batch_size=2)
    >>> evaluate(nn.Identity(), loader, nn.MSELoss(), "cpu")    # (1 + 1 + 16) / 3
    6.0
    """
    # --8<-- [start:evaluate_body]
    model.eval()
    total_loss, n_samples = 0.0, 0
    with torch.no_grad():
        for x, y in loader:
            x, y = x.to(device), y.to(device)
            loss = criterion(model(x), y)
            total_loss += loss.item() * len(x)
            n_samples += len(x)
    if n_samples == 0:
        raise ValueError("the loader gives no sample")
    return total_loss / n_samples
    # --8<-- [end:evaluate_body]


# --8<-- [end:evaluate]


# --8<-- [start:History]
@dataclass
class History:
    """What `fit` measured; each list has one value per epoch.

    Attributes
    ----------
    epoch_loss : list of float
        What `train_epoch` returned: the mean over batches while the weights moved.
    train_loss : list of float
        Loss of the model after the epoch, on the whole training set.
    test_loss : list of float
        Loss of the model after the epoch, on the test set.
    """

    epoch_loss: list[float] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=list)
    test_loss: list[float] = field(default_factory=list)


# --8<-- [end:History]


# --8<-- [start:fit]
def fit(
    model: nn.Module,
    train_loader: DataLoader[Pair],
    test_loader: DataLoader[Pair],
    criterion: Criterion,
    optimizer: Optimizer,
    epochs: int,
    device: torch.device | str,
    *,
    progress: bool = False,
) -> History:
    """Train for a number of epochs and measure both losses after each of them.

    Nothing is selected by the test loss; it is only recorded.

    Parameters
    ----------
    model, train_loader, test_loader, criterion, optimizer, device
        As in `train_epoch` and `evaluate`.
    epochs : int
        Number of passes through the training set, at least 1.
    progress : bool
        Show a progress bar on stderr when that is a terminal.

    Returns
    -------
    History

    Raises
    ------
    ValueError
        If `epochs` is below 1 or a loader gives no sample.

    Examples
    --------
    >>> from bpref.regression import MLP, RegressionDataset, make_data, make_loaders
    >>> X_train, y_train, X_test, y_test = make_data()
    >>> loaders = make_loaders(RegressionDataset(X_train, y_train),
    ...                        RegressionDataset(X_test, y_test))
    >>> model = MLP(seed=0)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    >>> history = fit(model, *loaders, nn.MSELoss(), optimizer, 3, "cpu")
    >>> len(history.train_loss), len(history.test_loss)
    (3, 3)
    """
    if epochs < 1:
        raise ValueError(f"epochs must be at least 1, got {epochs}")
    # --8<-- [start:fit_body]
    # The training set once more, in order: reading it must not use up the shuffling.
    whole_train_set = DataLoader(
        train_loader.dataset, batch_size=train_loader.batch_size, generator=torch.Generator()
    )
    history = History()
    bar = tqdm(range(epochs), unit="epoch", disable=None if progress else True)
    for _ in bar:
        history.epoch_loss.append(train_epoch(model, train_loader, criterion, optimizer, device))
        history.train_loss.append(evaluate(model, whole_train_set, criterion, device))
        history.test_loss.append(evaluate(model, test_loader, criterion, device))
        bar.set_postfix(train=f"{history.train_loss[-1]:.4f}", test=f"{history.test_loss[-1]:.4f}")
    return history
    # --8<-- [end:fit_body]


# --8<-- [end:fit]
