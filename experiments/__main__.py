"""Command line of the experiments: ``python -m experiments [--check] [NAME ...]``."""

from __future__ import annotations

import argparse
import sys
import time

from experiments import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m experiments", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all experiments")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    args = parser.parse_args()
    known = run.names()
    for name in args.names:
        if name not in known:
            print(f"unknown experiment {name!r}; known: {', '.join(known)}", file=sys.stderr)
            return 2
    failed = 0
    for name in args.names or known:
        start = time.perf_counter()
        result = run.measure(name)
        seconds = time.perf_counter() - start
        if args.check:
            rtol = getattr(run.load(name), "RTOL", 1e-6)
            found = list(run.differences(run.read_result(name), result, rtol, name))
            failed += bool(found)
            print(f"{name}: {'drifted' if found else 'as committed'} ({seconds:.1f} s)")
            for line in found:
                print(f"  {line}")
        else:
            run.write_result(name, result)
            figures = run.draw(name, result)
            print(f"{name}: {seconds:.1f} s, {len(figures)} figure files")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
