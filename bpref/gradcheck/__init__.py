"""Check gradients against numerical derivatives; works on any function, nothing to subclass.

`check_gradients` compares the gradients of a scalar function, `check_backward` the backward pass
of an operator; `assert_gradients` and `assert_backward` are the same for a test. The report names
the worst element, sets kinks apart and guesses the cause of an error.
"""

from bpref.gradcheck.backward import assert_backward, check_backward
from bpref.gradcheck.check import assert_gradients, check_gradients
from bpref.gradcheck.numeric import numerical_gradient
from bpref.gradcheck.report import GradientReport, Kink, WorstElement

__all__ = [
    "GradientReport",
    "Kink",
    "WorstElement",
    "assert_backward",
    "assert_gradients",
    "check_backward",
    "check_gradients",
    "numerical_gradient",
]
