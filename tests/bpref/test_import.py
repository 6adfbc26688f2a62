"""Importing the package never imports torch."""

import pkgutil
import subprocess
import sys

import pytest

import bpref

NEEDS_TORCH = ("bpref.regression",)
NUMPY_ONLY = sorted(
    module.name
    for module in pkgutil.walk_packages(bpref.__path__, "bpref.", onerror=lambda name: None)
    if not module.name.startswith(NEEDS_TORCH) and not module.name.endswith("__main__")
)


def run(code):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("names", [["bpref"], NUMPY_ONLY], ids=["package", "all submodules"])
def test_torch_is_not_imported(names):
    done = run(f"import sys, {', '.join(names)}; sys.exit('torch' in sys.modules)")
    assert done.returncode == 0, done.stderr


def test_it_works_where_torch_is_not_installed():
    code = "import sys; sys.modules['torch'] = None; import " + ", ".join(NUMPY_ONLY)
    done = run(code)
    assert done.returncode == 0, done.stderr


def test_importing_the_package_costs_next_to_nothing():
    """At most a tenth of NumPy's modules; a time would depend on the machine."""
    count = "import sys, {}; print(len(sys.modules))"
    numpy, bpref_too, nothing = (
        int(run(count.format(names)).stdout) for names in ("numpy", "numpy, bpref", "sys")
    )
    assert bpref_too - numpy <= 0.1 * (numpy - nothing)


def test_submodules_are_found_when_first_used():
    done = run("import bpref; bpref.nn.Linear(1, 1); bpref.cost; bpref.graph; bpref.trace")
    assert done.returncode == 0, done.stderr
    done = run("import bpref; bpref.nonsense")
    assert "module 'bpref' has no attribute 'nonsense'" in done.stderr


def test_the_submodules_are_found():
    assert {"bpref.functional.loss", "bpref.nn.container", "bpref.optim.sgd"} <= set(NUMPY_ONLY)


def test_exports():
    assert {"functional", "nn", "optim", "init", "gradcheck", "ops"} <= set(bpref.__all__)
    assert set(bpref.__all__) <= set(dir(bpref))
    assert bpref.gradcheck.check_gradients.__module__ == "bpref.gradcheck.check"
    for module in (bpref, bpref.functional, bpref.nn, bpref.optim, bpref.init, bpref.gradcheck):
        for name in module.__all__:
            assert hasattr(module, name), f"{module.__name__}.{name}"


def test_every_operator_has_its_backward():
    names = set(bpref.functional.__all__)
    forward = {name for name in names if not name.endswith("_backward")}
    assert names == forward | {f"{name}_backward" for name in forward}


def test_linear_is_the_function_whatever_was_imported_first():
    done = run(
        "import importlib; importlib.import_module('bpref.functional.linear')\n"
        "import bpref.functional as F; from bpref.functional import linear\n"
        "assert linear is F.linear and F.linear.__name__ == 'linear' and callable(F.linear)"
    )
    assert done.returncode == 0, done.stderr
