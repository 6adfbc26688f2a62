"""Run experiments, write their results and figures, compare them with the committed ones."""

from __future__ import annotations

import importlib
import json
import math
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parent
RESULTS = ROOT / "results"
FIGURES = ROOT.parent / "docs" / "assets" / "figures"
LANGUAGES = ("en", "zh")
NOT_EXPERIMENTS = {"run", "style"}
LAST = {"claims", "verified"}  # these count what the others have written


def names() -> list[str]:
    """Names of all experiments, sorted."""
    found = (module.name for module in pkgutil.iter_modules([str(ROOT)]))
    return sorted(n for n in found if not n.startswith("_") and n not in NOT_EXPERIMENTS)


def load(name: str) -> ModuleType:
    return importlib.import_module(f"experiments.{name}")


def measure(name: str) -> dict[str, Any]:
    """Run one experiment; the result has been through JSON, as the committed one has.

    With its order too: a figure drawn after a run is the one drawn from the file.
    """
    result = json.loads(json.dumps(load(name).run(), sort_keys=True))
    if not isinstance(result, dict):
        raise TypeError(f"experiments.{name}.run() must return a dict, got {type(result).__name__}")
    return result


def write_result(name: str, result: dict[str, Any]) -> None:
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(result, indent=1, sort_keys=True, ensure_ascii=False)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def read_result(name: str) -> dict[str, Any]:
    path = RESULTS / f"{name}.json"
    if not path.exists():
        raise FileNotFoundError(f"no result for {name!r}: run python -m experiments {name}")
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return result


def draw(name: str, result: dict[str, Any]) -> list[Path]:
    """Draw the figures of one experiment in every language; return the files written."""
    module = load(name)
    if not hasattr(module, "draw"):
        return []
    from experiments import style

    FIGURES.mkdir(parents=True, exist_ok=True)
    written = []
    for lang in LANGUAGES:
        drawn = module.draw(result, lang)
        figures = drawn if isinstance(drawn, dict) else {name: drawn}
        for figure_name, figure in figures.items():
            path = FIGURES / f"{figure_name}.{lang}.svg"
            style.save(figure, path)
            written.append(path)
    return written


def differences(committed: Any, measured: Any, rtol: float, where: str = "") -> Iterator[str]:
    """Name every place where two results differ by more than ``rtol``.

    Numbers below 1e-9 are rounding noise in float64 when they are meant to be zero,
    so an absolute slack of 1e-9 applies to them unless the experiment reports
    magnitudes that small on purpose; those are compared by their logarithm.
    """
    if isinstance(committed, dict) and isinstance(measured, dict):
        for key in sorted(committed.keys() | measured.keys()):
            if key not in committed or key not in measured:
                yield f"{where}.{key}: only in one of the two results"
            else:
                yield from differences(committed[key], measured[key], rtol, f"{where}.{key}")
    elif isinstance(committed, list) and isinstance(measured, list):
        if len(committed) != len(measured):
            yield f"{where}: {len(committed)} values committed, {len(measured)} measured"
        for i, (c, m) in enumerate(zip(committed, measured, strict=False)):
            yield from differences(c, m, rtol, f"{where}[{i}]")
    elif isinstance(committed, bool) or not isinstance(committed, int | float):
        if committed != measured:
            yield f"{where}: committed {committed!r}, measured {measured!r}"
    elif not _close(float(committed), float(measured), rtol):
        yield f"{where}: committed {committed!r}, measured {measured!r}"


def _close(committed: float, measured: float, rtol: float) -> bool:
    if math.isnan(committed) or math.isnan(measured):
        return math.isnan(committed) and math.isnan(measured)
    if math.isclose(committed, measured, rel_tol=rtol, abs_tol=0.0):
        return True
    if 0 < abs(committed) < 1e-9 and 0 < abs(measured) < 1e-9:
        # Rounding errors and vanished gradients: the order of magnitude is the claim.
        return abs(math.log10(abs(committed) / abs(measured))) < 1.0
    return abs(committed) < 1e-9 and abs(measured) < 1e-9
