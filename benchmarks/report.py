"""Where measured ratios are kept: ``benchmarks/results/<benchmark>.json``."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).resolve().parent / "results"
PACKAGES = ("numpy", "torch", "jax", "autograd", "tinygrad", "scikit-learn", "micrograd")


def one_process_with(threads: int) -> None:
    """Check that this process was started with so many threads; set PyTorch's; warm the allocator.

    glibc gives freed memory back to the system at once, and pays for it again in the next step,
    until an array of some size has been freed. That it would happen to some contenders and not to
    others says nothing about them, and any longer training has it behind it.
    """
    if os.environ.get("OPENBLAS_NUM_THREADS") != str(threads):
        raise RuntimeError("start with python -m benchmarks, which sets the number of threads")
    import torch

    torch.set_num_threads(threads)
    np.empty(2**24, np.uint8)  # freed at once; not touched, so it costs no memory


def machine(packages: Sequence[str] = PACKAGES) -> dict[str, Any]:
    """Return what a reader needs to judge the numbers."""
    versions = {}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "date": datetime.date.today().isoformat(),
        "cores": os.cpu_count(),
        "processor": _processor(),
        "python": platform.python_version(),
        "versions": versions,
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def save(
    benchmark: str,
    threads: int,
    case: str,
    rows: dict[str, Any],
    *,
    packages: Sequence[str] = PACKAGES,
    **how: float,
) -> None:
    """Put one case into the result file; what other cases hold stays.

    `how` is what the page says about the measurement: rounds, seconds.
    """
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{benchmark}.json"
    result = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    result["machine"] = machine(packages)
    result["how"] = how
    result.setdefault("threads", {}).setdefault(str(threads), {})[case] = rows
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
