"""Command line of the experiments: ``python -m experiments [--check] [--jobs N] [NAME ...]``."""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial


def one(name: str, check: bool) -> tuple[bool, list[str]]:
    """Run an experiment; return whether it is as it should be, and what to print."""
    from experiments import run
    from experiments._claim import broken

    start = time.perf_counter()
    result = run.measure(name)
    took = f"{time.perf_counter() - start:.1f} s"
    module = run.load(name)
    lines = list(broken(module, result))
    if check:
        rtol = getattr(module, "RTOL", 1e-6)
        lines += run.differences(run.read_result(name), result, rtol, name)
        summary = f"{name}: {'drifted' if lines else 'as committed'} ({took})"
    else:
        run.write_result(name, result)
        summary = f"{name}: {took}, {len(run.draw(name, result))} figure files"
    return not lines, [summary, *(f"  {line}" for line in lines)]


def main() -> int:
    from experiments import run

    parser = argparse.ArgumentParser(prog="python -m experiments", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all experiments")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="so many at once [1]")
    args = parser.parse_args()
    known = run.names()
    for name in args.names:
        if name not in known:
            print(f"unknown experiment {name!r}; known: {', '.join(known)}", file=sys.stderr)
            return 2
    names = args.names or known
    # Those that read the results of others wait until these are written.
    rounds = [[n for n in names if (n in run.LAST) == last] for last in (False, True)]
    failed = 0
    for group in rounds:
        with ProcessPoolExecutor(max(1, args.jobs)) as pool:
            for good, lines in pool.map(partial(one, check=args.check), group):
                failed += not good
                print("\n".join(lines), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    # Several experiments side by side: each takes one core, and sums come out in one order.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
