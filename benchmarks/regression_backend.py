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
ROUNDS = 7


def ratio(hidden: tuple[int, ...], batch: int, options: dict[str, Any]) -> float:
    """Return the time of an epoch with PyTorch, divided by that with NumPy."""
    import numpy as np

    from bpref.regression import Config, Data, train

    work = batch * sum(a * b for a, b in zip((INPUTS, *hidden), (*hidden, 1), strict=True))
    steps = max(2, min(200, 100_000_000 // work))
    X = np.random.default_rng(0).standard_normal((batch * steps, INPUTS)).astype(np.float32)
    data = Data(X, X[:, :1].copy())
    ratios = []
    for _ in range(ROUNDS):
        seconds = {}
        for backend in ("numpy", "torch"):
            config = Config(
                hidden_sizes=hidden, batch_size=batch, epochs=1, backend=backend, **options
            )
            start = time.perf_counter()
            train(config, data)
            seconds[backend] = time.perf_counter() - start
        ratios.append(seconds["torch"] / seconds["numpy"])
    return statistics.median(ratios[1:])  # the first one loads the libraries


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
            values = [f"{ratio(hidden, batch, options):6.2f}" for batch in BATCHES]
            print(f"{'-'.join(map(str, hidden)):>10}", *values, flush=True)


if __name__ == "__main__":
    main()
