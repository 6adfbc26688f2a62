"""The memory of one training, for `benchmarks.regression`; Linux only.

``python -m benchmarks.regression_memory BACKEND CASE`` prints the largest resident size during the
run, minus that of the interpreter with everything imported and a small network trained, divided by
the size of the data, which lies in memory all the time and is counted.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from benchmarks.regression_peers import Task, bpref


def kilobytes(what: str) -> int:
    """Return a value of this process: VmRSS is the size now, VmHWM the largest so far."""
    found = re.search(rf"^{what}:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.M)
    assert found is not None
    return int(found[1])


def main(backend: str, case: str) -> None:
    """Print the multiple."""
    import torch

    assert torch is not None  # imported with either backend: only the training is measured
    rows, inputs, hidden, batch, epochs, lr = json.loads(case)
    run = bpref(backend)
    run(Task.make(2 * batch, inputs, tuple(hidden), batch=batch, epochs=1, lr=lr))
    before = kilobytes("VmRSS")
    task = Task.make(rows, inputs, tuple(hidden), batch=batch, epochs=epochs, lr=lr)
    data = sum(array.nbytes for array in (task.X, task.y, task.X_test, task.y_test))
    run(task)
    print((kilobytes("VmHWM") - before) * 1024 / data)


if __name__ == "__main__":
    main(*sys.argv[1:])
