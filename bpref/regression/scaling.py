"""The standardisation of arrays, with sample weights, for the estimator."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.preprocessing import StandardScaler


class Scaling(NamedTuple):
    """Every column of a table minus its mean, divided by its standard deviation.

    Attributes
    ----------
    mean, scale : ndarray, float64, shape (d,)
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(
        cls, name: str, values: np.ndarray, weight: np.ndarray | None, standardize: bool
    ) -> Scaling:
        """Return the scaling for `values` (N, d) with weights (N,); without, 0 and 1."""
        if not standardize:
            return cls(np.zeros(values.shape[1]), np.ones(values.shape[1]))
        with np.errstate(over="ignore", invalid="ignore"):
            scaler = StandardScaler().fit(values, sample_weight=weight)
        scaling = cls(scaler.mean_.astype(np.float64), scaler.scale_.astype(np.float64))
        if not np.isfinite(scaling).all():
            raise ValueError(f"{name} has values too large to be standardised")
        return scaling

    def apply(self, name: str, values: np.ndarray, dtype: str) -> np.ndarray:
        """Return the scaled values in a new array of this dtype; computed in float64."""
        scaled = np.empty(values.shape, dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            np.subtract(values, self.mean, out=scaled, casting="same_kind")
            np.divide(scaled, self.scale, out=scaled, casting="same_kind")
        if not np.isfinite(scaled).all():
            raise ValueError(f"{name} has values too large for {dtype}")
        return scaled

    def undo(self, scaled: np.ndarray) -> np.ndarray:
        """Return the values, float64."""
        return scaled * self.scale + self.mean
