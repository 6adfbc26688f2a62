"""Reference backward passes in NumPy, with PyTorch's names and layouts.

`bpref.functional` holds the operators, `bpref.nn` the modules, `bpref.optim` the update rules,
`bpref.init` the initial values and `bpref.gradcheck` the check against central differences.
"""

from bpref import functional, gradcheck, init, nn, optim

__all__ = ["__version__", "functional", "gradcheck", "init", "nn", "optim"]

__version__ = "0.1.0"
