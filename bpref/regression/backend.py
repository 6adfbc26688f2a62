"""Which backend, device and dtype a run uses."""

from __future__ import annotations

import os
from itertools import pairwise
from typing import Any

from bpref.regression.config import Config
from bpref.regression.errors import ConfigError

# Multiply-adds of a forward pass. Below, one core is as fast; measured with
# `python -m benchmarks regression_scaling`.
WORK_FOR_THREADS = {"numpy": 50_000_000, "torch": 2_000_000}
WORK_FOR_TORCH = 50_000_000
VALUES_FOR_TORCH_GELU = 40_000


def choose_backend(config: Config, sizes: tuple[int, ...]) -> str:
    """Return "numpy" or "torch" for a network with layers of these sizes.

    "auto" is PyTorch where a GPU or mixed precision is asked for, and where the work of a step is
    so large that the arithmetic decides and several cores pay; NumPy otherwise.
    """
    # Time of PyTorch relative to NumPy; 20 inputs, float32, one thread, no GPU. Measured with
    # `python -m benchmarks.regression_backend` on 2026-11-30, PyTorch 2.13, NumPy 2.4:
    #
    #                     relu, sgd             tanh, adam            gelu, adam
    #   hidden, batch     32   256  1024        32   256  1024        32   256  1024
    #   10              6.79  4.34  2.56      6.95  5.21  4.04      3.11  2.74  2.01
    #   64-64           3.69  1.76  1.43      3.86  3.31  2.44      1.99  1.24  0.83
    #   256-256         1.51  1.29  1.20      1.24  1.53  1.46      1.07  0.92  0.87
    #   1024-1024       1.62  1.75  1.11      1.06  1.13  1.14      1.13  0.97  0.94
    #
    # Where the two are close, PyTorch has the advantage that it divides all its work among the
    # cores; NumPy only the matrix products.
    if config.backend != "auto":
        return config.backend
    if config.amp or config.device not in ("auto", "cpu"):
        return "torch"
    if config.activation == "gelu":  # NumPy has no erf: it is put together from many calls
        values = config.batch_size * sum(sizes[1:-1])
        return "numpy" if values <= VALUES_FOR_TORCH_GELU else "torch"
    return "numpy" if steps_work(config, sizes) <= WORK_FOR_TORCH else "torch"


def steps_work(config: Config, sizes: tuple[int, ...]) -> int:
    """Return the multiply-adds of a forward pass of one batch."""
    return config.batch_size * sum(d * m for d, m in pairwise(sizes))


def choose_device(config: Config) -> Any:
    """Return the torch device of a run; "auto" is a GPU where there is one, else the CPU.

    Raises
    ------
    ConfigError
        If PyTorch does not know the device, cannot use it here, or not with the dtype.
    """
    import torch

    if config.device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
        mps = torch.backends.mps.is_available() and config.dtype == "float32"
        return torch.device("mps" if mps else "cpu")
    try:
        device = torch.device(config.device)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"device {config.device!r} cannot be used: {reason}") from None
    if device.type == "mps" and config.dtype != "float32":
        raise ConfigError(f"device mps computes in float32, got dtype {config.dtype!r}")
    return device
