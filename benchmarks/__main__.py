"""Command line of the benchmarks: ``python -m benchmarks [--threads N] [NAME ...]``."""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
from functools import partial

SPEED = (
    "training_step",
    "layers",
    "operators",
    "regression",
    "regression_scaling",
)  # one process for each number of threads
NAMES = (*SPEED, "first_page")
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"from {', '.join(NAMES)}")
    parser.add_argument("--threads", type=int, action="append", help="1 and 2 without it")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    for name in options.names or NAMES:
        if name not in NAMES:
            parser.error(f"unknown benchmark {name!r}; known: {', '.join(NAMES)}")
        if name == "first_page":
            importlib.import_module("benchmarks.first_page").main()
            continue
        for threads in options.threads or (1, 2):
            if options.here:
                importlib.import_module(f"benchmarks.{name}").main(threads)
                continue
            # BLAS reads the number of threads when it is loaded: a process for each.
            environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))}
            command = [sys.executable, "-m", "benchmarks", "--here", "--threads", str(threads)]
            print(f"== {name}, {threads} thread(s)", flush=True)
            done = subprocess.run(
                [*command, name], env=environment, preexec_fn=partial(_pin, threads), check=False
            )
            if done.returncode:
                return done.returncode
    return 0


def _pin(threads: int) -> None:
    """Keep the process on so many cores: XLA takes as many threads as it sees cores."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


if __name__ == "__main__":
    sys.exit(main())
