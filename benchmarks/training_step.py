"""One training step of three networks with bpref and with its peers, interleaved in one run.

All contenders start from the same weights and must agree after three steps. Then they take
turns, so that what else the machine does hits all alike; the result is the speed relative to
eager PyTorch in the same round (2 = twice as fast), as the median and quartiles of the rounds.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import report
from benchmarks.peers import PEERS, Contender, Problem

CASES: dict[str, tuple[list[int], int, str]] = {
    "1-10-1": ([1, 10, 1], 32, "mse"),
    "784-128-10": ([784, 128, 10], 128, "cross_entropy"),
    "784-1024-1024-10": ([784, 1024, 1024, 10], 256, "cross_entropy"),
}
ROUNDS = 15
SECONDS = 0.1  # a turn of a contender lasts about this long
BASE = "PyTorch eager"
NO_WEIGHTS = {"NumPy matrix products alone"}  # it does not train


def make(problem: Problem) -> dict[str, Contender]:
    """Return the contenders that are installed and can run this network."""
    contenders = {}
    for name, build in PEERS.items():
        if name == "micrograd" and sum(w.size for w in problem.weights) > 100:
            continue
        try:
            contenders[name] = build(problem)
        except ImportError as error:
            print(f"  {name}: not installed ({error.name})", file=sys.stderr)
    return contenders


def check(contenders: dict[str, Contender]) -> None:
    """After three steps all must have the same weights."""
    for contender in contenders.values():
        for _ in range(3):
            contender.step()
    expected = contenders[BASE].weights()
    for name, contender in contenders.items():
        if name in NO_WEIGHTS:
            continue
        for ours, theirs in zip(contender.weights(), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5, err_msg=name)


def seconds(step: Callable[[], Any], repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        step()
    return (time.perf_counter() - start) / repeats


def compare(
    steps: dict[str, Callable[[], Any]], base: str, rounds: int = ROUNDS
) -> dict[str, dict[str, float]]:
    """Return for each step its speed relative to `base`: median and quartiles over the rounds."""
    repeats = {}
    for name, step in steps.items():
        step()
        repeats[name] = max(1, round(SECONDS / seconds(step, 3)))
    ratios: dict[str, list[float]] = {name: [] for name in steps}
    microseconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        took = {name: seconds(step, repeats[name]) for name, step in steps.items()}
        for name, duration in took.items():
            ratios[name].append(took[base] / duration)
            microseconds[name].append(1e6 * duration)
    result = {}
    for name, values in ratios.items():
        low, median, high = statistics.quantiles(values, n=4)
        result[name] = {
            "x": median,
            "low": low,
            "high": high,
            "microseconds": statistics.median(microseconds[name]),
        }
    return result


def main(threads: int) -> None:
    report.one_process_with(threads)
    for case, arguments in CASES.items():
        problem = Problem.make(*arguments)
        contenders = make(problem)
        check(contenders)
        result = compare({name: c.step for name, c in contenders.items()}, BASE)
        print(f"{case}, {threads} thread(s)")
        for name, row in result.items():
            print(f"  {name:<28}{row['x']:8.2f} [{row['low']:.2f}–{row['high']:.2f}]", flush=True)
        report.save("training_step", threads, case, result, rounds=ROUNDS, seconds=SECONDS)
