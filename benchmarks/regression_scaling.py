"""From which size each step of scaling up pays, measured with `bpref.regression` itself.

Every number is a ratio of whole calls of `train`, made by turns in one process: the speed relative
to the way named first (2 = twice as fast), as the median and the quartiles of the rounds. With one
thread: the batch size, the dtype, the backend, mixed precision, accumulation. With two: the second
thread, the second process, and the workers of a `DataLoader`.
"""

from __future__ import annotations

import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any
from unittest import mock

import numpy as np

from benchmarks import report
from benchmarks.regression_backend import (
    BATCHES,
    HIDDEN,
    INPUTS,
    OPTIONS,
    options_of,
    steps_of,
    table,
)
from benchmarks.regression_backend import ratios as backend_ratios
from bpref.regression.backend import WORK_FOR_THREADS

ROUNDS = 5
ROUNDS_START = 3  # of the start of the processes
SECONDS = 0.05  # a turn is repeated until it lasts about this long
ROWS = 16_384
SIZES = (32, 128, 512, 2048, 8192)  # batches of an epoch over ROWS rows
RATE = 0.03
PARTS = (1, 2, 4, 16)  # of a batch of PARTS_OF rows
PARTS_OF = 1024
ROW_COSTS = (0, 100, 1000)  # microseconds of work for one row of a data set
WORKERS = (0, 1, 2)
LOADER_ROWS, LOADER_BATCH = 512, 32
BACKENDS = ("numpy", "torch")
PACKAGES = ("numpy", "torch")


def row(values: Sequence[float]) -> dict[str, float]:
    """Return the median and the quartiles."""
    if len(values) == 1:
        return dict.fromkeys(("x", "low", "high"), values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return {"x": median, "low": low, "high": high}


def compare(ways: dict[str, Callable[[], object]]) -> dict[str, dict[str, float]]:
    """Return the speed of each way relative to the first."""
    repeats = dict.fromkeys(ways, 1)
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    base = next(iter(ways))
    for number in range(ROUNDS + 1):
        took = {}
        for name, run in ways.items():
            gc.collect()
            start = time.perf_counter()
            for _ in range(repeats[name]):
                run()
            took[name] = (time.perf_counter() - start) / repeats[name]
        if number == 0:
            repeats = {name: max(1, round(SECONDS / second)) for name, second in took.items()}
            continue
        for name, second in took.items():
            speeds[name].append(took[base] / second)
    return {name: row(values) for name, values in speeds.items()}


def network(hidden: Sequence[int]) -> str:
    """Return the name of a network."""
    return "-".join(map(str, (INPUTS, *hidden, 1)))


def training(config: Any, data: Any, threads: int | None = None) -> Callable[[], object]:
    """Return what trains once; with `threads` the rule for small steps is left aside."""
    from bpref.regression import train

    if threads is None:
        return lambda: train(config, data)
    limit = sys.maxsize if threads == 1 else 0
    limits = dict.fromkeys(WORK_FOR_THREADS, limit)
    rule = mock.patch("bpref.regression.engine.WORK_FOR_THREADS", limits)

    def run() -> None:
        with rule:
            train(config, data)

    return run


def batch_sizes() -> dict[str, Any]:
    """Rows per second relative to the smallest batch, and the loss after the same epoch."""
    from bpref.regression import Data, train

    rng = np.random.default_rng(0)
    X = rng.standard_normal((ROWS + 2048, INPUTS)).astype(np.float32)
    y = np.sin(X[:, :1]) + X[:, 1:2] * X[:, 2:3]
    data = Data(X[:ROWS], y[:ROWS], X[ROWS:], y[ROWS:])
    found = {}
    for hidden in HIDDEN[:3]:
        configs = {str(size): options_of(hidden, size, lr=RATE) for size in SIZES}
        rows = compare({name: training(config, data) for name, config in configs.items()})
        for name, config in configs.items():
            outcome = train(config, data)
            rows[name] |= {"loss": outcome.history.val_loss[-1], "steps": outcome.steps}
        found[network(hidden)] = rows
    return found


def cells(
    ways: Callable[[tuple[int, ...], int], dict[str, Callable[[], object]]],
) -> dict[str, Any]:
    """Compare the ways for every network and batch size; keep the second of the two."""
    found: dict[str, Any] = {}
    for hidden in HIDDEN:
        for batch in BATCHES:
            last = list(compare(ways(hidden, batch)).values())[-1]
            found.setdefault(network(hidden), {})[str(batch)] = last
    return found


def second_thread() -> dict[str, Any]:
    """Two threads, relative to one."""

    def ways(backend: str) -> Callable[[tuple[int, ...], int], dict[str, Callable[[], object]]]:
        def of(hidden: tuple[int, ...], batch: int) -> dict[str, Callable[[], object]]:
            config, data = options_of(hidden, batch, backend=backend), table(hidden, batch)
            return {str(threads): training(config, data, threads) for threads in (1, 2)}

        return of

    return {backend: cells(ways(backend)) for backend in BACKENDS}


def single_precision() -> dict[str, Any]:
    """float32, relative to float64."""

    def ways(backend: str) -> Callable[[tuple[int, ...], int], dict[str, Callable[[], object]]]:
        def of(hidden: tuple[int, ...], batch: int) -> dict[str, Callable[[], object]]:
            data = table(hidden, batch)
            return {
                dtype: training(options_of(hidden, batch, backend=backend, dtype=dtype), data)
                for dtype in ("float64", "float32")
            }

        return of

    return {backend: cells(ways(backend)) for backend in BACKENDS}


def mixed_precision() -> dict[str, Any]:
    """``--amp``, relative to float32 with the PyTorch backend; empty where it does not work."""

    def ways(hidden: tuple[int, ...], batch: int) -> dict[str, Callable[[], object]]:
        data = table(hidden, batch)
        return {
            str(amp): training(options_of(hidden, batch, backend="torch", amp=amp), data)
            for amp in (False, True)
        }

    try:
        ways(HIDDEN[0], BATCHES[0])["True"]()
    except RuntimeError as error:
        print(f"  no mixed precision here: {error}", file=sys.stderr)
        return {}
    return cells(ways)


def backends() -> dict[str, Any]:
    """NumPy, relative to PyTorch."""
    found: dict[str, Any] = {}
    for options in OPTIONS:
        rows = found[", ".join(options.values())] = {}
        for hidden in HIDDEN:
            rows[network(hidden)] = {
                str(batch): row(backend_ratios(hidden, batch, options, ROUNDS)) for batch in BATCHES
            }
    return found


def accumulation() -> dict[str, Any]:
    """A batch in parts, relative to the whole batch."""
    found: dict[str, Any] = {}
    for backend in BACKENDS:
        for hidden in HIDDEN[:3]:
            data = table(hidden, PARTS_OF)
            rows = compare(
                {
                    str(n): training(
                        options_of(hidden, PARTS_OF, backend=backend, accumulate=n), data
                    )
                    for n in PARTS
                }
            )
            del rows["1"]
            found.setdefault(backend, {})[network(hidden)] = rows
    return found


def second_process() -> dict[str, Any]:
    """Two processes with one thread each, relative to one, without and with the start."""
    torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    cases = [(hidden, batch) for hidden in HIDDEN for batch in BATCHES]

    def run(command: list[str], cases: Any) -> tuple[float, Any]:
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", *command, str(ROUNDS), json.dumps(cases)],
            stdout=subprocess.PIPE,
            check=True,
        )
        return time.perf_counter() - start, json.loads(done.stdout)

    script = "benchmarks.regression_processes"
    starts: dict[str, list[float]] = {"one": [], "two": []}
    for _ in range(ROUNDS_START):
        starts["one"].append(run([script], [])[0])
        starts["two"].append(run([*torchrun, script], [])[0])
    longer = statistics.median(starts["two"]) - statistics.median(starts["one"])
    found: dict[str, Any] = {}
    for (hidden, batch), took in zip(cases, run([*torchrun, script], cases)[1], strict=True):
        pairs = {name: list(zip(took["one thread"], took[name], strict=True)) for name in took}
        rows = {
            name: row([base / second for base, second in values]) for name, values in pairs.items()
        }
        del rows["one thread"]
        saved = statistics.median(base - second for base, second in pairs["two processes"])
        if saved > 0:  # so many steps have to follow each other until the start is earned
            rows["two processes"]["earned"] = steps_of(hidden, batch) * longer / saved
        found.setdefault(network(hidden), {})[str(batch)] = rows
    ratios = [two / one for one, two in zip(starts["one"], starts["two"], strict=True)]
    return {"start": row(ratios), "cells": found}


class Rows:
    """A data set whose rows take some microseconds each."""

    def __init__(self, cost: int) -> None:
        self.cost = cost / 1e6

    def __len__(self) -> int:
        return LOADER_ROWS

    def __getitem__(self, i: int) -> Any:
        end = time.perf_counter() + self.cost
        while time.perf_counter() < end:
            pass
        return np.full(INPUTS, i, np.float32)


def loader_workers() -> dict[str, Any]:
    """An epoch of a `DataLoader` with workers, relative to none; their start is counted."""
    from torch.utils.data import DataLoader

    def epoch(cost: int, workers: int) -> Callable[[], object]:
        loader: Any = DataLoader(Rows(cost), batch_size=LOADER_BATCH, num_workers=workers)  # type: ignore[arg-type]
        return lambda: sum(len(batch) for batch in loader)

    return {
        str(cost): {
            name: found
            for name, found in compare({str(n): epoch(cost, n) for n in WORKERS}).items()
            if name != "0"
        }
        for cost in ROW_COSTS
    }


CASES: dict[int, dict[str, Callable[[], dict[str, Any]]]] = {
    1: {
        "batch": batch_sizes,
        "dtype": single_precision,
        "backend": backends,
        "amp": mixed_precision,
        "accumulate": accumulation,
    },
    2: {
        "threads": second_thread,
        "processes": second_process,
        "loader": loader_workers,
    },
}


def main(threads: int) -> None:
    report.one_process_with(threads)
    how: dict[str, float] = {"rounds": ROUNDS, "rounds_start": ROUNDS_START}
    how |= {"table": ROWS, "rate": RATE}
    for case, measure in CASES.get(threads, {}).items():
        start = time.perf_counter()
        rows = measure()
        print(f"{case}, {threads} thread(s): {time.perf_counter() - start:.0f} s", flush=True)
        report.save("regression_scaling", threads, case, rows, packages=PACKAGES, **how)
