"""``python -m tests.mutation [PATTERN ...]``: change the code at every place; do the tests notice?

mutmut runs on a copy of the working tree, so that nothing here changes. The outcome of each file
and every survivor go to ``tests/mutation/results.json``; a survivor's reason is looked up in
``tests/mutation/survivors.toml``. With patterns (``bpref/functional/tensor.py``) only those files
are mutated and only their entries are renewed. A test compares the fingerprint of the code with
the one that was mutated, so that no old score stands for new code.
"""

from __future__ import annotations

import ast
import fnmatch
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).with_name("results.json")
REASONS = Path(__file__).with_name("survivors.toml")
TARGET = 0.95
COPIED = ("bpref", "sitekit", "tests", "conftest.py", "pyproject.toml", "README.md")


def main(patterns: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="bpref-mutants-") as folder:
        copy = Path(folder)
        for name in COPIED:
            if (ROOT / name).is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / name, copy / name, ignore=ignored)
            else:
                shutil.copy2(ROOT / name, copy / name)
        if patterns:
            _restrict(copy / "pyproject.toml", patterns)
        one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "BPREF_HASTY": "1"}
        environment = {**os.environ, **one_thread}
        command = [
            sys.executable,
            "-m",
            "mutmut",
            "run",
            "--max-children",
            str(os.cpu_count() or 1),
        ]
        subprocess.run(command, cwd=copy, env=environment, check=True, stdout=subprocess.DEVNULL)
        files = _outcomes(copy, environment)
    results = (
        json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() and patterns else {}
    )
    results.update(files)
    RESULTS.write_text(json.dumps(dict(sorted(results.items())), indent=1) + "\n", encoding="utf-8")
    return report(results)


def _restrict(pyproject: Path, patterns: list[str]) -> None:
    text = pyproject.read_text(encoding="utf-8")
    start = text.index("only_mutate = ")
    end = text.index("\n", start)
    pyproject.write_text(f"{text[:start]}only_mutate = {json.dumps(patterns)}{text[end:]}")


def _outcomes(copy: Path, environment: dict[str, str]) -> dict[str, Any]:
    """Return for each file the number of mutants, of killed ones, and the survivors' changes."""

    def mutmut(*arguments: str) -> str:
        command = [sys.executable, "-m", "mutmut", *arguments]
        done = subprocess.run(
            command, cwd=copy, env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout

    files: dict[str, Any] = {}
    for line in mutmut("results", "--all", "true").splitlines():
        if ": " not in line:
            continue
        name, outcome = line.strip().rsplit(": ", 1)
        module, function = name.split(".x", 1)[0], name.rsplit(".", 1)[1]
        path = module.replace(".", "/") + ".py"
        if path not in files:
            code = fingerprint(copy / path)
            files[path] = {"code": code, "mutants": 0, "killed": 0, "survivors": []}
        entry = files[path]
        entry["mutants"] += 1
        # A mutant that never ends, or crashes the interpreter, has been noticed as well.
        if outcome in ("killed", "timeout", "segfault", "suspicious", "caught by type check"):
            entry["killed"] += 1
            continue
        changes = [
            f"{change[0]} {change[1:].strip()}"
            for change in mutmut("show", name).splitlines()
            if change.startswith(("+", "-")) and not change.startswith(("+++", "---"))
        ]
        # x_add__mutmut_3 is in the function add, xǁSGDǁstep__mutmut_1 in the method SGD.step.
        function = function.split("__mutmut")[0].removeprefix("x_").removeprefix("xǁ")
        function = function.replace("ǁ", ".")
        entry["survivors"].append({"function": function, "change": changes, "outcome": outcome})
    return files


def fingerprint(path: Path) -> str:
    """Return a hash of the code in a file; comments and docstrings do not count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(
            node, clean=False
        ):
            node.body = node.body[1:]
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()[:16]


def unexplained(results: dict[str, Any]) -> list[str]:
    """Return the survivors without a reason in survivors.toml, a line each."""
    reasons = tomllib.loads(REASONS.read_text(encoding="utf-8"))["survivor"]
    missing = []
    for path, entry in results.items():
        for survivor in entry["survivors"]:
            change = " → ".join(survivor["change"])
            if not any(
                fnmatch.fnmatchcase(f"{path}:{survivor['function']}", reason["where"])
                and reason["change"] in change
                for reason in reasons
            ):
                missing.append(f"{path}:{survivor['function']}  {change}")
    return missing


def report(results: dict[str, Any]) -> int:
    """Print the table; return 1 when the score is below the target or a survivor unexplained."""
    for path, entry in results.items():
        print(f"{path:<40}{entry['killed']:>5} of {entry['mutants']:>5}")
    mutants = sum(entry["mutants"] for entry in results.values())
    killed = sum(entry["killed"] for entry in results.values())
    print(f"killed {killed} of {mutants} mutants: {killed / mutants:.1%} (target {TARGET:.0%})")
    missing = unexplained(results)
    for line in missing:
        print(f"no reason given: {line}")
    return int(killed < TARGET * mutants or bool(missing))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
