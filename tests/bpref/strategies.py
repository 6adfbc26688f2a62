"""Shapes for hypothesis, and the two comparisons that every backward function must pass."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from hypothesis import Phase, settings
from hypothesis import strategies as st

from bpref.gradcheck import check_gradients

# Mutation testing runs every test thousands of times: fewer examples, no search for smaller ones.
HASTY = bool(os.environ.get("BPREF_HASTY"))
PHASES = (Phase.explicit, Phase.generate) if HASTY else tuple(Phase)


def examples(count: int) -> settings:
    """The same examples in every run, so that a failure is never a matter of luck."""
    count = min(count, 10) if HASTY else count
    return settings(deadline=None, max_examples=count, derandomize=True, phases=PHASES)


quick = examples(40)

batch = st.sampled_from([0, 1, 2, 3, 7])  # batch size 0 and 1 included
features = st.integers(1, 5)
leading = st.lists(st.integers(0, 3), max_size=3).map(tuple)  # () is a single sample
shapes = st.lists(st.integers(0, 4), max_size=3).map(tuple)
seeds = st.integers(0, 2**32 - 1)
dtypes = st.sampled_from([np.float32, np.float64])
reductions = st.sampled_from(["none", "mean", "sum"])


def normal(
    seed: int, *sizes: int, scale: float = 1.0, decimals: int = 15, dtype: Any = np.float64
) -> np.ndarray:
    """Normal values with the shape `sizes`, cut off at 4.

    Beyond 4, one rounding error of a sigmoid or tanh is no longer small relative to its slope.
    """
    values = np.random.default_rng(seed).normal(0.0, scale, sizes).clip(-4.0, 4.0)
    return np.asarray(values.round(decimals), dtype=dtype)


def relative_error(ours: Any, theirs: torch.Tensor) -> float:
    """The largest difference, relative to the largest element of torch's tensor."""
    ours, theirs = np.asarray(ours), theirs.detach().numpy()
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    if ours.size == 0 or np.array_equal(ours, theirs, equal_nan=True):
        return 0.0
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def assert_like_torch(ours: Any, theirs: torch.Tensor, rtol: float = 1e-12) -> None:
    error = relative_error(ours, theirs)
    assert error <= rtol, f"relative error {error:.2e}"


def assert_like_differences(
    op: Callable[..., Any],
    inputs: dict[str, np.ndarray],
    grad_output: Any,
    gradients: dict[str, np.ndarray],
) -> None:
    """Compare with central differences of sum(grad_output * output)."""

    def f(**arguments: np.ndarray) -> float:
        return float(np.sum(grad_output * op(**arguments)[0]))

    report = check_gradients(f, inputs, gradients, rtol=1e-6)
    assert report.ok, str(report)
