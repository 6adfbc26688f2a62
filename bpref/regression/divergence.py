"""Where a loss that is not finite came from."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from bpref.regression.callbacks import TrainingState
from bpref.regression.errors import DivergenceError


def diverged(
    model: Any, x: Any, state: TrainingState, name: str, loss: float, step: int | None = None
) -> DivergenceError:
    """Return the error for a loss that is not finite, with step, layer and advice.

    Parameters
    ----------
    model : nn.Module or bpref.nn.Module, or what has one as ``model``
        With the weights that gave the loss.
    x : Tensor or ndarray, shape (n, d)
        Inputs that gave it.
    state : TrainingState
        Where the run stands.
    name : str
        Which loss.
    loss : float
        What it was.
    step : int, optional
        At which step, from 1; by default the one under way.
    """
    model.eval()
    place = where_not_finite(getattr(model, "model", model), x)
    step, epoch = state.step + 1 if step is None else step, state.epoch + 1
    error = DivergenceError(
        f"the {name} became {loss} at step {step} (epoch {epoch}): {place}; "
        "try a smaller learning rate, clip_norm, a warm-up or smaller targets"
    )
    error.step, error.epoch, error.place = step, epoch, place
    return error


def where_not_finite(model: Any, x: Any) -> str:
    """Say which layer's weights or output first stopped being finite.

    A backward pass goes from the last layer to the first. So where several layers have weights
    that are not finite, it was the gradient of the last of them that overflowed first.
    """
    layers = list(_layers(model))
    broken = [
        layer
        for layer in layers
        if any(not _is_finite(parameter.data) for parameter in layer[1].parameters())
    ]
    if broken:
        name, module = broken[-1]
        return f"the gradient of layer {name} ({_kind(module)}) was too large in the step before"
    if not _is_finite(x):
        return "the inputs are not finite"
    with np.errstate(all="ignore"):
        for name, module in layers:
            x = module(x)
            if not _is_finite(x):
                return f"the output of layer {name} ({_kind(module)}) is not finite"
    return "the outputs are finite, their distance from the targets is not"


def _layers(model: Any) -> list[tuple[str, Any]]:
    """Return (name, module) of a chain of modules; a model of another form is one layer."""
    if hasattr(model, "named_children"):
        torch = sys.modules["torch"]
        if isinstance(model, torch.nn.Sequential):
            return list(model.named_children())
    elif hasattr(model, "modules"):
        return [(str(number), module) for number, module in enumerate(model.modules)]
    return [("model", model)]


def _kind(module: Any) -> str:
    return " ".join(repr(module).split())


def _is_finite(values: Any) -> bool:
    if isinstance(values, np.ndarray):
        return bool(np.isfinite(values).all())
    return bool(values.isfinite().all())
