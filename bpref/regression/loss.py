"""The loss with sample weights: Σ wᵢ ℓᵢ / Σ wᵢ."""

from __future__ import annotations

import torch
from torch import nn


class Criterion(nn.Module):
    """The weighted mean of squared, absolute or Huber errors.

    ℓᵢ is the mean over the outputs of (ŷ − y)², |ŷ − y|, or Huber's function of δ, which is
    (ŷ − y)² / 2 up to δ and δ (|ŷ − y| − δ / 2) beyond.

    Parameters
    ----------
    kind : {"mse", "mae", "huber"}
    delta : float, default 1.0
        δ of "huber", above 0.

    Examples
    --------
    >>> criterion = Criterion("mse")
    >>> prediction, y = torch.tensor([[1.0], [3.0]]), torch.tensor([[0.0], [0.0]])
    >>> float(criterion(prediction, y)), float(criterion(prediction, y, torch.tensor([1.0, 0.0])))
    (5.0, 1.0)
    """

    def __init__(self, kind: str = "mse", delta: float = 1.0) -> None:
        super().__init__()
        if kind not in ("mse", "mae", "huber"):
            raise ValueError(f"kind must be mse, mae or huber, got {kind!r}")
        self.kind, self.delta = kind, delta

    def forward(
        self,
        prediction: torch.Tensor,
        y: torch.Tensor,
        weight: torch.Tensor | None = None,
        total: float | None = None,
    ) -> torch.Tensor:
        """Return the loss, a scalar.

        Parameters
        ----------
        prediction : Tensor, shape (n, m)
            ŷ.
        y : Tensor, shape (n, m)
            What should have come out.
        weight : Tensor, optional, shape (n,)
            1 for every sample without it.
        total : float, optional
            What the sum is divided by, where these rows are a part of a batch; Σ wᵢ without it.
            Where that is 0, so is the loss.

        Raises
        ------
        ValueError
            If the shapes differ; nothing is broadcast.
        """
        if prediction.shape != y.shape:
            shapes = f"{tuple(prediction.shape)} and {tuple(y.shape)}"
            raise ValueError(f"prediction and y must have the same shape, got {shapes}")
        error = prediction.to(y.dtype) - y  # a prediction in mixed precision comes in bfloat16
        if self.kind == "mse":
            losses = error.square()
        elif self.kind == "mae":
            losses = error.abs()
        else:
            inner = error.clamp(-self.delta, self.delta)
            losses = inner * (error - inner / 2)
        if weight is None and total is None:
            return losses.mean()
        if weight is not None:
            losses = losses * weight[:, None]
            total = float(weight.sum()) if total is None else total
        return losses.sum() / ((total or 1.0) * y.shape[1])
