"""Refusals of the activations and their modules: argument, expectation, what came."""

import numpy as np
import pytest
from refusing import refused

import bpref.functional as F
from bpref import nn

A = np.zeros((4, 3))
INTS = A.astype(int)


def backward(op, *arguments):
    """Return op's backward function with the cache of one forward pass."""
    _, cache = op(*arguments)
    return lambda grad_output: getattr(F, op.__name__ + "_backward")(grad_output, cache)


# name: (call, error, message)
CASES = {
    "elu alpha": (lambda: F.elu(A, "1"), TypeError, "alpha: expected a number, got str"),
    "elu infinite": (
        lambda: F.elu(A, np.inf),
        ValueError,
        "alpha: expected a finite number, got inf",
    ),
    "gelu form": (
        lambda: F.gelu(A, "erf"),
        ValueError,
        "approximate: expected 'none' or 'tanh', got 'erf'",
    ),
    "gelu bool": (
        lambda: F.gelu(A, True),
        ValueError,
        "approximate: expected 'none' or 'tanh', got True",
    ),
    "softplus beta": (
        lambda: F.softplus(A, None),
        TypeError,
        "beta: expected a number, got NoneType",
    ),
    "softplus beta 0": (
        lambda: F.softplus(A, 0),
        ValueError,
        "beta: expected a number other than 0, got 0.0",
    ),
    "softplus threshold": (
        lambda: F.softplus(A, threshold=np.nan),
        ValueError,
        "threshold: expected a finite number, got nan",
    ),
    "softmax dim": (
        lambda: F.softmax(A, 2),
        ValueError,
        "dim: expected an axis of an array with ndim 2, got 2",
    ),
    "softmax None": (lambda: F.softmax(A, None), TypeError, "dim: expected an int, got NoneType"),
    "softmax scalar": (
        lambda: F.softmax(np.array(1.0), 0),
        ValueError,
        "dim: expected an axis of an array with ndim 0, got 0",
    ),
    "log_softmax dim": (
        lambda: F.log_softmax(A, -3),
        ValueError,
        "dim: expected an axis of an array with ndim 2, got -3",
    ),
    "log_softmax bool": (
        lambda: F.log_softmax(A, True),
        TypeError,
        "dim: expected an int, got bool",
    ),
    "logsumexp dim": (
        lambda: F.logsumexp(A, (0, 2)),
        ValueError,
        "dim: expected an axis of an array with ndim 2, got 2",
    ),
    "logsumexp twice": (
        lambda: F.logsumexp(A, (1, 1)),
        ValueError,
        "dim: expected one axis or several, each once, got (1, 1)",
    ),
    "logsumexp grad": (
        lambda: backward(F.logsumexp, A, 1)(np.zeros((4, 1))),
        ValueError,
        "grad_output: expected shape (4,), got (4, 1)",
    ),
    "ELU": (lambda: nn.ELU(None), TypeError, "alpha: expected a number, got NoneType"),
    "GELU": (
        lambda: nn.GELU("erf"),
        ValueError,
        "approximate: expected 'none' or 'tanh', got 'erf'",
    ),
    "Softplus beta": (lambda: nn.Softplus("1"), TypeError, "beta: expected a number, got str"),
    "Softplus beta 0": (
        lambda: nn.Softplus(0),
        ValueError,
        "beta: expected a number other than 0, got 0.0",
    ),
    "Softplus threshold": (
        lambda: nn.Softplus(1.0, np.inf),
        ValueError,
        "threshold: expected a finite number, got inf",
    ),
    "Softmax": (
        lambda: nn.Softmax(2)(A),
        ValueError,
        "dim: expected an axis of an array with ndim 2, got 2",
    ),
    "LogSoftmax": (
        lambda: nn.LogSoftmax(None)(A),
        TypeError,
        "dim: expected an int, got NoneType",
    ),
}
# What all of them refuse.
for _op, _options in (
    (F.elu, ()),
    (F.gelu, ()),
    (F.silu, ()),
    (F.softplus, ()),
    (F.softmax, (1,)),
    (F.log_softmax, (1,)),
    (F.logsumexp, (1,)),
):
    CASES[f"{_op.__name__} int"] = (
        lambda op=_op, options=_options: op(INTS, *options),
        TypeError,
        "input: expected dtype float32 or float64, got int64",
    )
    _shape = _op(A, *_options)[0].shape
    CASES[f"{_op.__name__} grad shape"] = (
        lambda op=_op, options=_options: backward(op, A, *options)(np.zeros((3, 4))),
        ValueError,
        f"grad_output: expected shape {_shape}, got (3, 4)",
    )
    CASES[f"{_op.__name__} grad dtype"] = (
        lambda op=_op, options=_options, shape=_shape: backward(op, A, *options)(
            np.zeros(shape, np.float32)
        ),
        TypeError,
        "grad_output: expected dtype float64 as of the output, got float32",
    )


@pytest.mark.parametrize(("call", "error", "message"), CASES.values(), ids=CASES)
def test_message(call, error, message):
    with refused(error, message):
        call()
