"""The data of a run, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from bpref.regression.callbacks import Checkpoint

CHECKPOINT_VERSION: Final = 1
SCALARS: Final = (
    *("backend", "device", "epoch", "step", "batch", "loss_sum", "weight_sum"),
    *("best_epoch", "best_loss"),
)


@dataclass(frozen=True)
class Data:
    """Rows ready for training: numbers, standardised.

    Attributes
    ----------
    X_train : ndarray, shape (N, d)
    y_train : ndarray, shape (N, m)
    X_val, y_val : ndarray, optional
        Shapes (M, d) and (M, m); without them the weights of the last epoch are the best.
    w_train, w_val : ndarray, optional, shapes (N,) and (M,)
        Sample weights, at least 0, with a positive sum.
    """

    X_train: np.ndarray
    y_train: np.ndarray
    X_val: np.ndarray | None = None
    y_val: np.ndarray | None = None
    w_train: np.ndarray | None = None
    w_val: np.ndarray | None = None


def check_data(data: Data) -> None:
    """Refuse arrays that do not fit each other."""
    for name, values in vars(data).items():
        if values is not None and (not hasattr(values, "ndim") or np.iscomplexobj(values)):
            kind = getattr(values, "dtype", type(values).__name__)
            raise ValueError(f"{name} must be an array of real numbers, got {kind}")
    d, m = data.X_train.shape[-1], data.y_train.shape[-1]
    if (data.X_val is None) != (data.y_val is None):
        raise ValueError("X_val and y_val go together")
    for part in ("train", "val"):
        X, y, w = (getattr(data, f"{name}_{part}") for name in "Xyw")
        if X is None:
            if w is not None:
                raise ValueError(f"w_{part} needs X_{part}")
            continue
        if X.ndim != 2 or y.ndim != 2 or len(X) != len(y) or len(X) == 0 or 0 in X.shape + y.shape:
            raise ValueError(
                f"X_{part} and y_{part} must be 2-D, (N, d) and (N, m), with the same N, "
                f"all at least 1, got shapes {X.shape} and {y.shape}"
            )
        if (X.shape[1], y.shape[1]) != (d, m):
            raise ValueError(
                f"X_{part} and y_{part} must have {d} and {m} columns, as for training, "
                f"got {X.shape[1]} and {y.shape[1]}"
            )
        if w is None:
            continue
        if w.shape != (len(X),):
            raise ValueError(f"w_{part} must have shape ({len(X)},), got {w.shape}")
        if not (np.isfinite(w).all() and w.min() >= 0 and w.sum() > 0):
            raise ValueError(f"w_{part} must be finite, at least 0, and not 0 everywhere")


def check_checkpoint(checkpoint: Checkpoint, expected: dict[str, tuple[int, ...]]) -> None:
    """Refuse what this version, or this model, cannot go on from."""
    version = checkpoint.get("version")
    if version != CHECKPOINT_VERSION:
        raise ValueError(f"checkpoint: expected version {CHECKPOINT_VERSION}, got {version!r}")
    missing = [name for name in SCALARS if name not in checkpoint]
    if missing:
        raise ValueError(f"checkpoint: {missing[0]!r} is missing")
    for name in ("model", "best", "good"):
        prefix = f"{name}."
        found = {
            key.removeprefix(prefix): value
            for key, value in checkpoint.items()
            if key.startswith(prefix)
        }
        check_weights(found, expected, prefix)


def check_weights(
    weights: Mapping[str, np.ndarray], expected: dict[str, tuple[int, ...]], prefix: str = ""
) -> None:
    """Refuse weights of another model."""
    found = {key: tuple(value.shape) for key, value in weights.items()}
    if found == expected:
        return
    for key in [*expected, *found]:
        if found.get(key) != expected.get(key):
            was = f"shape {found[key]}" if key in found else "nothing"
            wanted = f"shape {expected[key]}" if key in expected else "nothing"
            raise ValueError(f"{prefix}{key}: expected {wanted}, got {was}")
