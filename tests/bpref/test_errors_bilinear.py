"""Refusals of bilinear and nn.Bilinear: argument, expectation, what came."""

import numpy as np
import pytest
from refusing import refused

import bpref.functional as F
from bpref import nn

X, Z, W, B = np.zeros((4, 3)), np.zeros((4, 2)), np.zeros((5, 3, 2)), np.zeros(5)


# name: (call, error, message)
CASES = {
    "int": (
        lambda: F.bilinear(X.astype(int), Z, W),
        TypeError,
        "input1: expected dtype float32 or float64, got int64",
    ),
    "mixed": (
        lambda: F.bilinear(X, Z.astype(np.float32), W),
        TypeError,
        "input2: expected dtype float64 as of input1, got float32",
    ),
    "bias dtype": (
        lambda: F.bilinear(X, Z, W, B.astype(np.float32)),
        TypeError,
        "bias: expected dtype float64 as of input1, got float32",
    ),
    "scalar": (
        lambda: F.bilinear(np.array(1.0), Z, W),
        ValueError,
        "input1: expected shape (..., in1_features), got ()",
    ),
    "batch": (
        lambda: F.bilinear(X, Z[:1], W),
        ValueError,
        "input2: expected shape (4, in2_features), got (1, 2)",
    ),
    "scalar input2": (
        lambda: F.bilinear(X, np.array(1.0), W),
        ValueError,
        "input2: expected shape (4, in2_features), got ()",
    ),
    "weight": (
        lambda: F.bilinear(X, Z, W.swapaxes(1, 2)),
        ValueError,
        "weight: expected shape (out_features, 3, 2), got (5, 2, 3)",
    ),
    "no features": (
        lambda: F.bilinear(X, Z, W[:0]),
        ValueError,
        "weight: expected at least one feature each way, got (0, 3, 2)",
    ),
    "bias": (
        lambda: F.bilinear(X, Z, W, np.zeros(3)),
        ValueError,
        "bias: expected shape (5,), got (3,)",
    ),
    "grad": (
        lambda: F.bilinear_backward(np.zeros((4, 4)), F.bilinear(X, Z, W)[1]),
        ValueError,
        "grad_output: expected shape (4, 5), got (4, 4)",
    ),
    "grad dtype": (
        lambda: F.bilinear_backward(np.zeros((4, 5), np.float32), F.bilinear(X, Z, W)[1]),
        TypeError,
        "grad_output: expected dtype float64 as of the output, got float32",
    ),
    "module in1": (
        lambda: nn.Bilinear(0, 2, 5),
        ValueError,
        "in1_features: expected at least 1, got 0",
    ),
    "module in2": (
        lambda: nn.Bilinear(3, 2.0, 5),
        TypeError,
        "in2_features: expected an int, got float",
    ),
    "module out": (
        lambda: nn.Bilinear(3, 2, -1),
        ValueError,
        "out_features: expected at least 1, got -1",
    ),
    "module generator": (
        lambda: nn.Bilinear(3, 2, 5, generator=0),
        TypeError,
        "generator: expected a numpy.random.Generator, got int",
    ),
    "module dtype": (
        lambda: nn.Bilinear(3, 2, 5, dtype=int),
        TypeError,
        "dtype: expected float32 or float64, got <class 'int'>",
    ),
    "module backward first": (
        lambda: nn.Bilinear(3, 2, 5).backward(np.zeros((4, 5))),
        RuntimeError,
        "Bilinear.backward: expected a forward pass before it, got none since the last backward "
        "pass; call the module first",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), CASES.values(), ids=CASES)
def test_message(call, error, message):
    with refused(error, message):
        call()
