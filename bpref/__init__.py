"""Reference backward passes in NumPy, with PyTorch's names and layouts.

`bpref.functional` holds the operators, `bpref.nn` the modules, `bpref.optim` the update rules,
`bpref.init` the initial values and `bpref.gradcheck` the check against central differences.
`bpref.ops` is the registry of operators, `bpref.cost` counts what they cost, `bpref.graph` is a
scalar engine and `bpref.trace` writes down every number of a training step.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bpref import cost, functional, gradcheck, graph, init, nn, ops, optim, trace

__all__ = [
    "__version__",
    "cost",
    "functional",
    "gradcheck",
    "graph",
    "init",
    "nn",
    "ops",
    "optim",
    "trace",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import a submodule when it is first used: `import bpref` itself costs next to nothing."""
    if name in __all__:
        import importlib

        return importlib.import_module(f"bpref.{name}")
    raise AttributeError(f"module 'bpref' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
