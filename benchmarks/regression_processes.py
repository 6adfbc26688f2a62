"""One process or two, for `benchmarks.regression_scaling`; started with torchrun.

``torchrun --nproc-per-node 2 -m benchmarks.regression_processes ROUNDS CASES`` prints, as JSON,
the seconds of a whole call of `train_on` in every round: for each case (hidden layers, batch size)
those of PyTorch on one thread and on two, of what ``backend="auto"`` chooses on two, and of two
processes with one thread each. They take turns; while process 0 trains alone, process 1 waits.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any
from unittest import mock

from benchmarks.regression_backend import options_of, table
from bpref.regression.backend import WORK_FOR_THREADS
from bpref.regression.distributed import Group, join, train_on

ALONE = {"one thread": ("torch", 1), "two threads": ("torch", 2), "auto": ("auto", 2)}


def seconds(group: Group | None, config: Any, data: Any) -> float:
    """Return how long a training takes."""
    start = time.perf_counter()
    train_on(group, config, data)
    return time.perf_counter() - start


def measure(group: Group, hidden: tuple[int, ...], batch: int, rounds: int) -> dict[str, Any]:
    """Return the seconds of each way in every round."""
    import torch

    data = table(hidden, batch)
    took: dict[str, list[float]] = {name: [] for name in (*ALONE, "two processes")}
    for _ in range(rounds + 1):
        for name, (backend, threads) in ALONE.items():
            if group.rank == 0:
                torch.set_num_threads(threads)
                # "auto" keeps the rule for threads; the others use what they are given.
                both = dict.fromkeys(WORK_FOR_THREADS, 0)
                limits = WORK_FOR_THREADS if backend == "auto" else both
                with mock.patch("bpref.regression.engine.WORK_FOR_THREADS", limits):
                    config = options_of(hidden, batch, backend=backend)
                    took[name].append(seconds(None, config, data))
            group.wait()
        torch.set_num_threads(1)
        took["two processes"].append(
            seconds(group, options_of(hidden, batch, backend="torch"), data)
        )
    return {name: values[1:] for name, values in took.items()}  # the first round warms up


def main(rounds: int, cases: list[tuple[list[int], int]]) -> None:
    """Print the table; without cases only the start is left."""
    import torch

    assert torch is not None  # part of the start
    with join() as group:
        found = [
            measure(group, tuple(hidden), batch, rounds)
            for hidden, batch in cases
            if group is not None
        ]
        if group is None or group.rank == 0:
            print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(sys.argv[2]))
