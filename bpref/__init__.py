"""Reference backward passes in NumPy, with PyTorch's names and layouts."""

from bpref import functional

__all__ = ["__version__", "functional"]

__version__ = "0.1.0"
