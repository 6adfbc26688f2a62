"""Modules that own parameters and call `bpref.functional`; a `state_dict` moves to PyTorch."""

from bpref.nn.activation import Identity, LeakyReLU, ReLU, Sigmoid, Tanh
from bpref.nn.container import MLP, Sequential
from bpref.nn.linear import Linear
from bpref.nn.module import Module
from bpref.nn.parameter import Buffer, Parameter, flat_vectors, flatten

__all__ = [
    "MLP",
    "Buffer",
    "Identity",
    "LeakyReLU",
    "Linear",
    "Module",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "flat_vectors",
    "flatten",
]
