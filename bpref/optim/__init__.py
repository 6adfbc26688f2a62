"""Update rules: what an optimizer does with the gradients of backpropagation."""

from bpref.optim.sgd import SGD

__all__ = ["SGD"]
