"""The loop: train an epoch, evaluate, repeat.

It calls nothing but ``model(x)``, ``criterion(output, y)``, ``loss.backward()``, ``loss.item()``
and the two methods of an optimizer. So the same lines train a PyTorch model by autograd, the same
model with its backward pass written by hand (`by_hand`), and `bpref` in NumPy (`numpy_training`).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from bpref.regression.batches import Batch, Batches, parts, total_weight
from bpref.regression.callbacks import Callback, TrainingState, overriding
from bpref.regression.divergence import diverged
from bpref.regression.history import History
from bpref.regression.steps import Steps, rate_of, set_rate


# --8<-- [start:train_epoch]
def train_epoch(
    model: Any,
    batches: Iterable[Batch],
    criterion: Any,
    optimizer: Any,
    device: Any = None,
    *,
    accumulate: int = 1,
    steps: Steps | None = None,
) -> float:
    """Go once through the batches with one optimizer step for each.

    Parameters
    ----------
    model : nn.Module
        Already on `device`; its parameters are changed in place.
    batches : Batches or DataLoader
        Gives (x, y) of shapes (n, d) and (n, m), or (x, y, weight) with weights of shape (n,).
    criterion : callable
        Maps (prediction, y) to the *mean* loss of the batch, a scalar tensor. It is called with
        the weights, too, where there are some; `Criterion` takes them.
    optimizer : Optimizer
        Holds the parameters of `model`.
    device : torch.device or str, optional
        Where the batches of a DataLoader are moved to; `Batches` are where they are.
    accumulate : int, default 1
        A batch goes through the model in so many parts, to save memory. The gradients add up to
        that of the whole batch; needs a `Criterion`.
    steps : Steps, optional
        Learning rates, dropout masks, clipping and callbacks of a whole run.

    Returns
    -------
    float
        The loss averaged over the samples. It is measured while the weights move, so it is
        not the loss of the model that the epoch ends with: see `evaluate` for that.

    Raises
    ------
    ValueError
        If there is no batch.
    DivergenceError
        If a loss is not finite.

    Examples
    --------
    >>> import torch
    >>> from bpref.regression import MLP, RegressionDataset, make_data, make_loaders
    >>> X, y, X_test, y_test = make_data()
    >>> loader, _ = make_loaders(RegressionDataset(X, y), RegressionDataset(X_test, y_test))
    >>> model, criterion = MLP(seed=0), torch.nn.MSELoss()
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    >>> losses = [train_epoch(model, loader, criterion, optimizer, "cpu") for _ in range(20)]
    >>> losses[-1] < losses[0]
    True
    """
    steps = Steps() if steps is None else steps
    # --8<-- [start:train_epoch_body]
    model.train()
    for batch in on_device(batches, device):
        steps.begin(batches, optimizer)  # learning rate, dropout masks
        optimizer.zero_grad()
        batch_loss = 0.0
        for x, y, *weight in parts(batch, accumulate):
            output = model(x)
            loss = criterion(output, y, *weight)
            loss.backward()
            batch_loss += loss.item()
        batch_loss = steps.update(model, x, batch_loss)  # clipping
        optimizer.step()
        if steps.end(batch_loss, total_weight(batch)):  # callbacks
            break
    # --8<-- [end:train_epoch_body]
    if not steps.batch:
        raise ValueError("the loader gives no sample")
    return steps.loss_sum / steps.weight_sum if steps.stopped else steps.finish_epoch()


# --8<-- [end:train_epoch]


def evaluate(
    model: Any,
    batches: Iterable[Batch],
    criterion: Any,
    device: Any = None,
) -> float:
    """Measure the mean loss of the model as it is, without changing it.

    Parameters
    ----------
    model : nn.Module
        Already on `device`. It is left in evaluation mode.
    batches, criterion, device
        As in `train_epoch`.

    Returns
    -------
    float
        The loss averaged over the samples, whatever the batch sizes are.

    Raises
    ------
    ValueError
        If there is no batch.

    Examples
    --------
    >>> from torch import nn
    >>> from torch.utils.data import DataLoader
    >>> from bpref.regression import RegressionDataset
    >>> loader = DataLoader(RegressionDataset([[0.0], [0.0], [0.0]], [[1.0], [1.0], [4.0]]),
    ...                     batch_size=2)
    >>> evaluate(nn.Identity(), loader, nn.MSELoss(), "cpu")    # (1 + 1 + 16) / 3
    6.0
    """
    # --8<-- [start:evaluate_body]
    model.eval()
    loss_sum, weight_sum = 0.0, 0.0
    with no_graph():
        for batch in on_device(batches, device):
            x, y, *weight = batch
            loss = criterion(model(x), y, *weight)
            loss_sum += loss.item() * total_weight(batch)
            weight_sum += total_weight(batch)
    # --8<-- [end:evaluate_body]
    if not weight_sum:
        raise ValueError("the loader gives no sample")
    return loss_sum / weight_sum


def fit(
    model: Any,
    train_batches: Any,
    val_batches: Any,
    criterion: Any,
    optimizer: Any,
    epochs: int,
    device: Any = None,
    *,
    callbacks: Iterable[Callback] = (),
    measure_train: bool = True,
    accumulate: int = 1,
    steps: Steps | None = None,
) -> History:
    """Train for a number of epochs and measure the losses after each of them.

    Parameters
    ----------
    model, train_batches, criterion, optimizer, device, accumulate, steps
        As in `train_epoch`. The state of `steps` may lie within a run, which then goes on.
    val_batches : Batches or DataLoader, optional
        What the model is evaluated on. Nothing is selected here; a callback may do so.
    epochs : int
        Passes through the training set in all, at least 1.
    callbacks : iterable of Callback
        Called in this order.
    measure_train : bool, default True
        Whether the training set is evaluated after each epoch, too.

    Returns
    -------
    History

    Raises
    ------
    ValueError
        If `epochs` is below 1 or there is no batch.
    DivergenceError
        If a loss is not finite.

    Examples
    --------
    >>> import torch
    >>> from bpref.regression import MLP, RegressionDataset, make_data, make_loaders
    >>> X_train, y_train, X_test, y_test = make_data()
    >>> loaders = make_loaders(RegressionDataset(X_train, y_train),
    ...                        RegressionDataset(X_test, y_test))
    >>> model = MLP(seed=0)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    >>> history = fit(model, *loaders, torch.nn.MSELoss(), optimizer, 3, "cpu")
    >>> len(history.train_loss), len(history.val_loss)
    (3, 3)
    """
    if epochs < 1:
        raise ValueError(f"epochs must be at least 1, got {epochs}")
    callbacks = list(callbacks)
    steps = Steps(callbacks=callbacks) if steps is None else steps
    state = steps.state
    state.epochs, state.steps_per_epoch = epochs, len(train_batches)
    state.validates = val_batches is not None
    state.model = getattr(model, "model", model)
    state.optimizer = getattr(optimizer, "inner", optimizer)
    if steps.rate is not None and state.step:  # a run that goes on
        set_rate(optimizer, steps.rate(state.step - 1))
    state.lr = rate_of(optimizer)
    call(callbacks, "on_fit_start", state)
    # --8<-- [start:fit_body]
    history = state.history
    whole_train_set = in_order(train_batches) if measure_train else None
    while state.epoch < epochs and not state.stop_reason:
        set_epoch(train_batches, state.epoch, steps.batch)
        epoch_loss = train_epoch(
            model, train_batches, criterion, optimizer, device, accumulate=accumulate, steps=steps
        )
        if steps.stopped:  # within the epoch
            state.stop_reason = state.stop_reason or "callback"
            break
        history.epoch_loss.append(epoch_loss)
        if whole_train_set is not None:
            history.train_loss.append(evaluate(model, whole_train_set, criterion, device))
        if val_batches is not None:
            val_loss = steps.over_processes(evaluate(model, val_batches, criterion, device))
            if not math.isfinite(val_loss):
                x, *_ = next(iter(on_device(val_batches, device)))
                raise diverged(model, x, state, "validation loss", val_loss)
            history.val_loss.append(val_loss)
        history.lr.append(rate_of(optimizer))
        state.finish_epoch()
        if call(callbacks, "on_epoch_end", state):
            state.stop_reason = state.stop_reason or "callback"
    # --8<-- [end:fit_body]
    state.stop_reason = state.stop_reason or "finished"
    call(callbacks, "on_fit_end", state)
    return history


def call(callbacks: Iterable[Callback], name: str, state: TrainingState) -> bool:
    """Call a method of every callback; return whether one of them said True."""
    answers = [method(state) for method in overriding(callbacks, name)]
    return True in answers


def on_device(batches: Iterable[Batch], device: Any) -> Iterable[Batch]:
    """Give the batches on the device; `Batches` are there already."""
    if device is None or isinstance(batches, Batches):
        return batches
    return (tuple(values.to(device) for values in batch) for batch in batches)


def in_order(batches: Any) -> Any:
    """Return the same rows unshuffled; reading them does not use up the shuffling."""
    if isinstance(batches, Batches):
        return batches.in_order()
    import torch
    from torch.utils.data import DataLoader

    return DataLoader(batches.dataset, batch_size=batches.batch_size, generator=torch.Generator())


def set_epoch(batches: Any, epoch: int, start: int) -> None:
    """Choose the epoch of `Batches`; a DataLoader goes on with its generator."""
    if isinstance(batches, Batches):
        batches.set_epoch(epoch, start)


def no_graph() -> AbstractContextManager[Any]:
    """Return `torch.no_grad()`, but where no graph is built anyway."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.is_grad_enabled():
        return nullcontext()
    return torch.no_grad()
