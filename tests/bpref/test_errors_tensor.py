"""Refusals of the operators of bpref.functional.tensor: argument, expectation, what came."""

import numpy as np
import pytest
from refusing import refused

import bpref.functional as F

X = np.zeros((4, 3))
X32 = X.astype(np.float32)


def backward(op, *arguments):
    """Return op's backward function with the cache of one forward pass."""
    _, cache = op(*arguments)
    return lambda grad_output: getattr(F, op.__name__ + "_backward")(grad_output, cache)


# name: (call, error, message)
CASES = {
    "add dtype": (
        lambda: F.add(X, X32),
        TypeError,
        "other: expected dtype float64 as of input, got float32",
    ),
    "add shape": (
        lambda: F.add(X, np.zeros(4)),
        ValueError,
        "other: expected a shape that broadcasts with (4, 3), got (4,)",
    ),
    "add grad": (
        lambda: backward(F.add, X, np.zeros(3))(np.zeros(3)),
        ValueError,
        "grad_output: expected shape (4, 3), got (3,)",
    ),
    "mul int": (
        lambda: F.mul(X.astype(int), X),
        TypeError,
        "input: expected dtype float32 or float64, got int64",
    ),
    "mul shape": (
        lambda: F.mul(X, np.zeros((2, 4, 2))),
        ValueError,
        "other: expected a shape that broadcasts with (4, 3), got (2, 4, 2)",
    ),
    "mul grad": (
        lambda: backward(F.mul, X, np.zeros((2, 1, 1)))(X),
        ValueError,
        "grad_output: expected shape (2, 4, 3), got (4, 3)",
    ),
    "matmul scalar": (
        lambda: F.matmul(np.array(1.0), X),
        ValueError,
        "input: expected shape (..., m, d) or (d,), got ()",
    ),
    "matmul other scalar": (
        lambda: F.matmul(X, np.array(1.0)),
        ValueError,
        "other: expected shape (..., 3, p) or (3,), got ()",
    ),
    "matmul inner": (
        lambda: F.matmul(X, X),
        ValueError,
        "other: expected shape (..., 3, p) or (3,), got (4, 3)",
    ),
    "matmul vector": (
        lambda: F.matmul(X, np.zeros(4)),
        ValueError,
        "other: expected shape (..., 3, p) or (3,), got (4,)",
    ),
    "matmul batch": (
        lambda: F.matmul(np.zeros((2, 4, 3)), np.zeros((5, 3, 2))),
        ValueError,
        "other: expected leading axes that broadcast with (2,), got (5,)",
    ),
    "matmul dtype": (
        lambda: F.matmul(X32, X.T),
        TypeError,
        "other: expected dtype float32 as of input, got float64",
    ),
    "matmul grad": (
        lambda: backward(F.matmul, X, np.zeros(3))(np.zeros((4, 1))),
        ValueError,
        "grad_output: expected shape (4,), got (4, 1)",
    ),
    "concat array": (
        lambda: F.concat(X),
        TypeError,
        "tensors: expected a list of arrays, got ndarray",
    ),
    "concat nothing": (
        lambda: F.concat([]),
        ValueError,
        "tensors: expected at least one array, got none",
    ),
    "concat int": (
        lambda: F.concat([X, X.astype(int)]),
        TypeError,
        "tensors[1]: expected dtype float32 or float64, got int64",
    ),
    "concat dtype": (
        lambda: F.concat([X, X, X32]),
        TypeError,
        "tensors[2]: expected dtype float64 as of tensors[0], got float32",
    ),
    "concat shape": (
        lambda: F.concat([X, np.zeros((4, 2))]),
        ValueError,
        "tensors[1]: expected shape (any, 3), got (4, 2)",
    ),
    "concat rank": (
        lambda: F.concat([X, np.zeros((4, 2, 1))], dim=-1),
        ValueError,
        "tensors[1]: expected shape (4, any), got (4, 2, 1)",
    ),
    "concat dim": (
        lambda: F.concat([X], dim=2),
        ValueError,
        "dim: expected an axis of an array with ndim 2, got 2",
    ),
    "concat numbers": (
        lambda: F.concat([np.array(1.0)]),
        ValueError,
        "dim: expected an axis of an array with ndim 0, got 0",
    ),
    "concat grad": (
        lambda: backward(F.concat, [X, X])(X),
        ValueError,
        "grad_output: expected shape (8, 3), got (4, 3)",
    ),
    "reshape int": (
        lambda: F.reshape(X, 12),
        TypeError,
        "shape: expected a tuple of int, got int",
    ),
    "reshape float": (
        lambda: F.reshape(X, (3.0, 4)),
        TypeError,
        "shape: expected a tuple of int, got (3.0, 4)",
    ),
    "reshape size": (
        lambda: F.reshape(X, (5, 2)),
        ValueError,
        "shape: expected sizes that hold 12 elements, got (5, 2)",
    ),
    "reshape two free": (
        lambda: F.reshape(X, (-1, -1)),
        ValueError,
        "shape: expected sizes that hold 12 elements, got (-1, -1)",
    ),
    "reshape negative": (
        lambda: F.reshape(X, (-2, 6)),
        ValueError,
        "shape: expected sizes that hold 12 elements, got (-2, 6)",
    ),
    "reshape input": (
        lambda: F.reshape(X.astype(np.float16), (12,)),
        TypeError,
        "input: expected dtype float32 or float64, got float16",
    ),
    "reshape grad": (
        lambda: backward(F.reshape, X, (12,))(X),
        ValueError,
        "grad_output: expected shape (12,), got (4, 3)",
    ),
    "transpose dim0": (
        lambda: F.transpose(X, -3, 0),
        ValueError,
        "dim0: expected an axis of an array with ndim 2, got -3",
    ),
    "transpose dim1": (
        lambda: F.transpose(X, 0, 1.0),
        TypeError,
        "dim1: expected an int, got float",
    ),
    "transpose input": (
        lambda: F.transpose(X.astype(int), 0, 1),
        TypeError,
        "input: expected dtype float32 or float64, got int64",
    ),
    "transpose grad": (
        lambda: backward(F.transpose, X, 0, 1)(X),
        ValueError,
        "grad_output: expected shape (3, 4), got (4, 3)",
    ),
    "sum dim": (
        lambda: F.sum(X, 2),
        ValueError,
        "dim: expected an axis of an array with ndim 2, got 2",
    ),
    "sum dims": (
        lambda: F.sum(X, (0, "1")),
        TypeError,
        "dim: expected an int, got str",
    ),
    "sum twice": (
        lambda: F.sum(X, (1, -1)),
        ValueError,
        "dim: expected one axis or several, each once, got (1, -1)",
    ),
    "sum no dim": (
        lambda: F.sum(X, ()),
        ValueError,
        "dim: expected one axis or several, each once, got ()",
    ),
    "sum bool dim": (
        lambda: F.sum(X, True),
        TypeError,
        "dim: expected an int, got bool",
    ),
    "sum of a number along an axis": (
        lambda: F.sum(np.array(1.0), 0),
        ValueError,
        "dim: expected an axis of an array with ndim 0, got 0",
    ),
    "sum input": (
        lambda: F.sum(X.astype(int)),
        TypeError,
        "input: expected dtype float32 or float64, got int64",
    ),
    "sum grad": (
        lambda: backward(F.sum, X, 1)(np.zeros((4, 1))),
        ValueError,
        "grad_output: expected shape (4,), got (4, 1)",
    ),
    "sum grad keepdim": (
        lambda: backward(F.sum, X, 1, True)(np.zeros(4)),
        ValueError,
        "grad_output: expected shape (4, 1), got (4,)",
    ),
    "sum grad dtype": (
        lambda: backward(F.sum, X, 1)(np.zeros(4, np.float32)),
        TypeError,
        "grad_output: expected dtype float64 as of the output, got float32",
    ),
    "mean dim": (
        lambda: F.mean(X, -3),
        ValueError,
        "dim: expected an axis of an array with ndim 2, got -3",
    ),
    "mean grad": (
        lambda: backward(F.mean, X)(np.zeros(1)),
        ValueError,
        "grad_output: expected shape (), got (1,)",
    ),
    "max dim": (
        lambda: F.max(X, 2),
        ValueError,
        "dim: expected an axis of an array with ndim 2, got 2",
    ),
    "max dims": (
        lambda: F.max(X, (0, 1)),
        TypeError,
        "dim: expected an int, got tuple",
    ),
    "max empty": (
        lambda: F.max(np.zeros((0, 3))),
        ValueError,
        "input: expected at least one element, got shape (0, 3)",
    ),
    "max empty axis": (
        lambda: F.max(np.zeros((4, 0)), 1),
        ValueError,
        "input: expected a size of at least 1 along dim, got (4, 0)",
    ),
    "max input": (
        lambda: F.max(X.astype(bool)),
        TypeError,
        "input: expected dtype float32 or float64, got bool",
    ),
    "max grad": (
        lambda: backward(F.max, X, 0)(np.zeros(4)),
        ValueError,
        "grad_output: expected shape (3,), got (4,)",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), CASES.values(), ids=CASES)
def test_message(call, error, message):
    with refused(error, message):
        call()


@pytest.mark.parametrize(
    ("op", "arguments"),
    [
        (F.add, (X, X)),
        (F.mul, (X, X)),
        (F.matmul, (X, X.T)),
        (F.concat, ([X, X],)),
        (F.reshape, (X, (3, 4))),
        (F.transpose, (X, 0, 1)),
        (F.sum, (X, 1)),
        (F.mean, (X, 1)),
        (F.max, (X, 1)),
    ],
)
def test_grad_output_of_another_dtype(op, arguments):
    output, _ = op(*arguments)
    message = "^grad_output: expected dtype float64 as of the output, got float32$"
    with pytest.raises(TypeError, match=message):
        backward(op, *arguments)(output.astype(np.float32))
