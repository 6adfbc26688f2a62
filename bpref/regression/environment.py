"""What a run was made with: versions and machine."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from bpref import __version__

PACKAGES: Final = ("numpy", "torch", "pandas", "scikit-learn", "safetensors")
DECISIVE: Final = ("bpref", "python", "machine", "processor", "numpy", "torch", "gpu")


def environment() -> dict[str, Any]:
    """Return versions and machine as JSON values; PyTorch is not imported for it.

    Examples
    --------
    >>> sorted(environment().keys() & {"bpref", "numpy", "python", "torch"})
    ['bpref', 'numpy', 'python', 'torch']
    """
    found: dict[str, Any] = {
        "bpref": __version__,
        "python": platform.python_version(),
        **{package: _version(package) for package in PACKAGES},
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": _processor(),
        "processors": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
    return found


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return what may change the last digits of a continued run.

    Examples
    --------
    >>> differences({"numpy": "2.0.0", "threads": "1"}, {"numpy": "2.1.0", "threads": "8"})
    ['numpy was 2.0.0, is 2.1.0']
    """
    return [
        f"{name} was {before[name]}, is {now[name]}"
        for name in DECISIVE
        if name in before and name in now and before[name] != now[name]
    ]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    """Return the model of the processor; Python's own answer is empty on many systems."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()
