"""Command line of the benchmarks: ``python -m benchmarks [NAME ...]``."""

from __future__ import annotations

import importlib
import sys

NAMES = ("training_step", "first_page")


def main(names: list[str]) -> int:
    for name in names or NAMES:
        if name not in NAMES:
            print(f"unknown benchmark {name!r}; known: {', '.join(NAMES)}", file=sys.stderr)
            return 2
        print(f"== {name}", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
