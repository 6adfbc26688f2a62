"""NumPy or PyTorch: the measurement behind ``backend="auto"`` of `bpref.regression`.

``python -m benchmarks.regression_backend [--threads N]`` prints, for networks and batch sizes, the
time of an epoch with the PyTorch backend relative to NumPy (2 = NumPy is twice as fast): the
median of interleaved runs of `bpref.regression.train`, everything counted.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from typing import Any

HIDDEN = ((10,), (64, 64), (256, 256), (1024, 1024))
BATCHES = (32, 256, 1024)
OPTIONS: tuple[dict[str, Any], ...] = (
    {"activation": "relu", "optimizer": "sgd"},
    {"activation": "tanh", "optimizer": "adam"},
    {"activation": "gelu", "optimizer": "adam"},
)
INPUTS = 20
ROUNDS = 6


def options_of(hidden: tuple[int, ...], batch: int, **options: Any) -> Any:
    """Return the configuration of one epoch."""
    from bpref.regression import Config

    return Config(hidden_sizes=hidden, batch_size=batch, epochs=1, **options)


def steps_of(hidden: tuple[int, ...], batch: int) -> int:
    """Return how many steps take a while, whatever the size of the network is."""
    work = batch * sum(a * b for a, b in zip((INPUTS, *hidden), (*hidden, 1), strict=True))
    return max(2, min(200, 100_000_000 // work))


def table(hidden: tuple[int, ...], batch: int) -> Any:
    """Return the rows of so many steps."""
    import numpy as np

    from bpref.regression import Data

    rows = batch * steps_of(hidden, batch)
    X = np.random.default_rng(0).standard_normal((rows, INPUTS)).astype(np.float32)
    return Data(X, X[:, :1].copy())


def ratios(
    hidden: tuple[int, ...], batch: int, options: dict[str, Any], rounds: int
) -> list[float]:
    """Return the time of an epoch with PyTorch, divided by that with NumPy, in every round."""
    from bpref.regression import train

    data = table(hidden, batch)
    found = []
    for _ in range(rounds + 1):
        seconds = {}
        for backend in ("numpy", "torch"):
            config = options_of(hidden, batch, backend=backend, **options)
            start = time.perf_counter()
            train(config, data)
            seconds[backend] = time.perf_counter() - start
        found.append(seconds["torch"] / seconds["numpy"])
    return found[1:]  # the first one loads the libraries


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    threads = parser.parse_args().threads
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)  # read when NumPy and PyTorch are loaded
    print(f"time of PyTorch / time of NumPy, {INPUTS} inputs, float32, {threads} thread(s)")
    for options in OPTIONS:
        print(", ".join(options.values()), "| batch", *BATCHES)
        for hidden in HIDDEN:
            values = [
                f"{statistics.median(ratios(hidden, batch, options, ROUNDS)):6.2f}"
                for batch in BATCHES
            ]
            print(f"{'-'.join(map(str, hidden)):>10}", *values, flush=True)


if __name__ == "__main__":
    main()
