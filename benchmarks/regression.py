"""Whole training runs with `bpref.regression` and with its peers, interleaved in one run.

Everything from the arrays to the last test loss is counted: making the model and the batches,
compiling where a library does it, training, and the test loss of every epoch. First all
contenders must compute the same losses. Then they take turns; the result is the speed relative to
the article's loop in the same round (2 = twice as fast), as the median and quartiles of the rounds.
"""

from __future__ import annotations

import gc
import json
import logging
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks import report
from benchmarks.regression_peers import PEERS, Peer, Task, backend_of_auto

# rows, inputs, hidden layers, batch size, epochs, learning rate
CASES: dict[str, tuple[int, int, tuple[int, ...], int, int, float]] = {
    "100 × 1, 1-10-1": (100, 1, (10,), 32, 100, 0.01),
    "100,000 × 20, 20-10-1": (100_000, 20, (10,), 1024, 1, 0.03),
    "100,000 × 20, 20-64-64-1": (100_000, 20, (64, 64), 1024, 1, 0.03),
    "1,000,000 × 20, 20-10-1": (1_000_000, 20, (10,), 1024, 1, 0.03),
    "1,000,000 × 20, 20-64-64-1": (1_000_000, 20, (64, 64), 1024, 1, 0.03),
}
LARGE = 1_000_000  # rows; from there on fewer rounds, and the memory is measured
ROUNDS, ROUNDS_LARGE = 7, 5
SECONDS = 0.1  # a turn of a contender is repeated until it lasts about this long
BASE = "article"
ORDER, ORDER_ARTICLE = 0.03, 0.1  # by how much the order of the rows may change the test loss
# They fetch one row after the other, which takes a time proportional to the number of rows, nearly
# all there is. Of a large table they get one row of SHARE, and SHARE times their time is theirs.
ROW_BY_ROW = {"article", "PyTorch, TensorDataset", "skorch", "Lightning"}
SHARE = 5
BACKENDS = ("numpy", "torch")
PACKAGES = ("numpy", "torch", "skorch", "lightning", "keras", "scikit-learn")


def installed(task: Task) -> dict[str, Peer]:
    """Return the contenders that can be imported; each is run once."""
    found = {}
    for name, run in PEERS.items():
        try:
            run(task)
        except ImportError as error:
            print(f"  {name}: not installed ({error.name})", file=sys.stderr)
            continue
        found[name] = run
    return found


def check(task: Task, peers: Mapping[str, Peer]) -> None:
    """All must compute the same losses.

    A batch of all rows has no order: there the losses of all epochs agree to float32. In small
    batches every contender draws an order of its own, and its losses differ by what that does.
    """
    small = task.part(max(1, len(task.X) // 1000))
    whole = replace(small, batch=len(small.X), epochs=5)
    expected = peers[BASE](whole)
    for name, run in peers.items():
        np.testing.assert_allclose(run(whole), expected, rtol=1e-5, err_msg=name)
    small = task.part(max(1, len(task.X) // 20_000))
    expected = peers[BASE](small)
    for name, run in peers.items():
        check_order(small, name, run(small), expected)


def check_order(task: Task, name: str, losses: list[float], expected: list[float]) -> None:
    """Compare the mean test losses of the second half of two runs with different orders."""
    half = task.epochs // 2
    # The article's last batch holds four rows, and the loss jumps with them.
    rtol = ORDER if task.epochs == 1 else ORDER_ARTICLE
    np.testing.assert_allclose(
        np.mean(losses[half:]), np.mean(expected[half:]), rtol=rtol, err_msg=name
    )


def compare(task: Task, peers: Mapping[str, Peer], rounds: int) -> dict[str, dict[str, float]]:
    """Return for each contender its speed relative to the base: median and quartiles."""
    import torch

    large = len(task.X) >= LARGE
    shares = {name: SHARE if large and name in ROW_BY_ROW else 1 for name in peers}
    tasks = {share: task.part(share) for share in set(shares.values())}
    repeats = dict.fromkeys(peers, 1)
    ratios: dict[str, list[float]] = {name: [] for name in peers}
    seconds: dict[str, list[float]] = {name: [] for name in peers}
    for number in range(rounds + (not large)):  # a large table needs no round to warm up
        torch.manual_seed(number)
        np.random.seed(number)  # noqa: NPY002 scikit-learn shuffles with it
        took: dict[str, float] = {}
        expected: dict[int, list[float]] = {}
        for name, run in peers.items():
            share = shares[name]
            gc.collect()
            start = time.perf_counter()
            for _ in range(repeats[name]):
                losses = run(tasks[share])
            took[name] = share * (time.perf_counter() - start) / repeats[name]
            check_order(task, name, losses, expected.setdefault(share, losses))
        if number == 0 and not large:
            repeats = {name: max(1, round(SECONDS / duration)) for name, duration in took.items()}
            continue
        for name, duration in took.items():
            ratios[name].append(took[BASE] / duration)
            seconds[name].append(duration)
    result = {}
    for name, values in ratios.items():
        low, median, high = statistics.quantiles(values, n=4)
        middle = statistics.median(seconds[name])
        result[name] = {"x": median, "low": low, "high": high, "seconds": middle}
    return result


def memory(case: str, backend: str) -> float:
    """Return what a training takes beyond the interpreter, as a multiple of the data."""
    command = [sys.executable, "-m", "benchmarks.regression_memory", backend]
    arguments = json.dumps(CASES[case])
    done = subprocess.run([*command, arguments], stdout=subprocess.PIPE, check=True)
    return float(done.stdout)


def measure(case: str, task: Task, peers: Mapping[str, Peer]) -> dict[str, Any]:
    """Return the rows of one case."""
    rounds = ROUNDS_LARGE if len(task.X) >= LARGE else ROUNDS
    rows: dict[str, Any] = {**compare(task, peers, rounds)}
    rows["bpref auto"]["backend"] = backend_of_auto(task)
    if len(task.X) >= LARGE:
        for backend in BACKENDS:
            rows[f"bpref {backend}"]["memory"] = memory(case, backend)
    return rows


def silence() -> None:
    """Keep the warnings and tips of the peers out of the output."""
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


def main(threads: int) -> None:
    report.one_process_with(threads)
    silence()
    peers = installed(Task.make(100, 1, (10,), batch=32, epochs=1, lr=0.01))
    for case, (rows, inputs, hidden, batch, epochs, lr) in CASES.items():
        task = Task.make(rows, inputs, hidden, batch=batch, epochs=epochs, lr=lr)
        check(task, peers)
        result = measure(case, task, peers)
        print(f"{case}, {threads} thread(s), auto is {result['bpref auto']['backend']}")
        for name, row in result.items():
            extra = f"  memory {row['memory']:.2f}" if "memory" in row else ""
            quartiles = f"[{row['low']:.2f}–{row['high']:.2f}]"
            print(f"  {name:<28}{row['x']:8.2f} {quartiles}{extra}", flush=True)
        how = {"rounds": ROUNDS, "rounds_large": ROUNDS_LARGE, "share": SHARE}
        report.save("regression", threads, case, result, packages=PACKAGES, **how)
