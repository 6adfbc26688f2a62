"""What the counter counts in code of a reader's own, and what it refuses to count."""

import re

import numpy as np
import pytest

from bpref.cost import Counter, measure, operator_cost
from bpref.ops import Sample

A, B, T = np.ones((3, 4)), np.ones((4, 5)), np.ones((2, 3, 4))
V, W, EMPTY = np.ones(4), np.ones(3), np.ones((3, 0))
MASK = np.array([True, False, True, False])


def counted(call, *arrays):
    counter = Counter()
    call(*map(counter.watch, arrays))
    return counter.multiply_adds


# name: (call, arrays, multiply-adds)
PRODUCTS = {
    "multiply": (lambda a, v: a * v, (A, V), 12),
    "number": (lambda a: 2.0 * a, (A,), 12),
    "square": (lambda a: a**2, (A,), 12),
    "multiply.outer": (np.multiply.outer, (A, V), 48),
    "multiply where": (lambda a, out: np.multiply(a, a, out, where=MASK), (A, A.copy()), 6),
    "matmul": (lambda t, b: t @ b, (T, B), 120),
    "dot": (np.dot, (A, B), 60),
    "dot of many axes": (np.dot, (A, np.ones((2, 4, 5))), 120),
    "dot of a vector": (np.dot, (A, V), 12),
    "dot of a number": (np.dot, (A, np.ones(())), 12),
    "dot of nothing": (np.dot, (EMPTY, EMPTY.T), 0),
    "dot out": (lambda a, b: np.dot(a, b, out=np.empty((3, 5))), (A, B), 60),
    "dot method": (lambda a, b: a.dot(b), (A, B), 60),
    "dot method out": (lambda a, b: a.dot(b, np.empty((3, 5))), (A, B), 60),
    "inner": (np.inner, (A, np.ones((2, 4))), 24),
    "inner of vectors": (np.inner, (V, V), 4),
    "inner of a number": (np.inner, (np.ones(()), A), 12),
    "outer": (np.outer, (A, V), 48),
    "vdot": (np.vdot, (A, A), 12),
    "tensordot": (np.tensordot, (A, A), 12),
    "tensordot axes=0": (lambda a, b: np.tensordot(a, b, axes=0), (A, B), 240),
    "tensordot axes=1": (lambda a, b: np.tensordot(a, b, axes=1), (A, B), 60),
    "tensordot pairs": (lambda t, b: np.tensordot(t, b, axes=([-1], [-2])), (T, B), 120),
    "tensordot of nothing": (lambda a: np.tensordot(a, a.T, 1), (EMPTY,), 0),
    "einsum": (lambda a, b: np.einsum("ij,jk->ik", a, b, optimize=True), (A, B), 60),
    "einsum stretched": (lambda a, b: np.einsum("ij,ij->i", a, b), (A, A[:, :1]), 12),
    "einsum of one": (lambda a: np.einsum("ij->j", a), (A,), 0),
    "vecdot": (np.vecdot, (A, V), 12),
    "masks": (lambda a: a * MASK + np.dot(a, MASK)[:, None], (A,), 0),
    "var": (lambda a: np.var(a, axis=0), (A,), 12),
    "pad": (lambda a: np.pad(a, 1), (A,), 0),
    "sums": (lambda a: np.concatenate([a, -a]).sum() + np.mean(a), (A,), 0),
}


@pytest.mark.parametrize(("call", "arrays", "expected"), PRODUCTS.values(), ids=PRODUCTS)
def test_products(call, arrays, expected):
    assert counted(call, *arrays) == expected


def test_products_of_matrix_and_vector():
    assert counted(lambda t, v: np.matvec(t, v), T, V) == 24
    assert counted(lambda w, t: np.vecmat(w, t), W, T) == 24


@pytest.mark.parametrize("name", ["dot", "inner", "outer", "vdot", "tensordot", "vecdot"])
def test_the_values_are_those_of_plain_arrays(name):
    a = np.random.default_rng(0).standard_normal((3, 3))
    np.testing.assert_array_equal(getattr(np, name)(Counter().watch(a), a), getattr(np, name)(a, a))


REFUSED = {
    "numpy.cross": lambda a: np.cross(a, a),
    "numpy.kron": lambda a: np.kron(a, a),
    "numpy.convolve": lambda a: np.convolve(a[0], a[0]),
    "numpy.correlate": lambda a: np.correlate(a[0], a[0]),
    "numpy.prod": np.prod,
    "numpy.cumprod": np.cumprod,
    "numpy.polyval": lambda a: np.polyval([1.0, 2.0], a),
    "numpy.trapezoid": np.trapezoid,
    "numpy.cov": np.cov,
    "numpy.corrcoef": np.corrcoef,
    "numpy.linalg.norm": np.linalg.norm,
    "numpy.linalg.inv": np.linalg.inv,
    "numpy.linalg.matmul": lambda a: np.linalg.matmul(a, a),
    "numpy.fft.fft": np.fft.fft,
    "numpy.einsum": lambda a: np.einsum("ij,jk,kl", a, a, a),
    "numpy.pad": lambda a: np.pad(a, 1, "linear_ramp"),
    "power.__call__": lambda a: a**3,
    "float_power.__call__": lambda a: np.float_power(a, 2),
    "multiply.reduce": lambda a: a.prod(),
    "multiply.accumulate": lambda a: a.cumprod(),
    "square.at": lambda a: np.square.at(a, 0),
    "vecdot.__call__": lambda a: np.vecdot(a, a, axis=0),
    "complex numbers": lambda a: a * 1j * np.ones(3, complex),
}


@pytest.mark.parametrize(("name", "call"), REFUSED.items(), ids=REFUSED)
def test_what_is_not_known_is_refused_by_name(name, call):
    with pytest.raises(NotImplementedError, match=rf"^the cost of {re.escape(name)} is "):
        counted(call, np.eye(3))


X, WEIGHT = np.ones((5, 3)), np.ones((2, 3))
# name: (call, error, message)
ERRORS = {
    "name": (
        lambda: operator_cost("liner"),
        ValueError,
        "name: expected an operator of bpref.functional, got 'liner'",
    ),
    "missing": (
        lambda: operator_cost("linear", input=X),
        TypeError,
        "linear: expected the arguments input, weight, bias, got input: "
        "missing a required argument: 'weight'",
    ),
    "misspelt": (
        lambda: operator_cost("linear", input=X, weight=WEIGHT, offset=X),
        TypeError,
        "linear: expected the arguments input, weight, bias, got input, weight, offset: "
        "got an unexpected keyword argument 'offset'",
    ),
    "tuple": (
        lambda: operator_cost("linear", input=(5, 3), weight=WEIGHT),
        TypeError,
        "input: expected an array, got tuple",
    ),
    "indices": (
        lambda: operator_cost("embedding", input=[0, 1], weight=WEIGHT),
        TypeError,
        "input: expected an array, got list",
    ),
    "tuples": (
        lambda: operator_cost("concat", tensors=[(2, 3)]),
        TypeError,
        "tensors: expected an array, got tuple",
    ),
    "no list": (
        lambda: operator_cost("concat", tensors=X),
        TypeError,
        "tensors: expected a list of arrays, got ndarray",
    ),
    "axes": (
        lambda: operator_cost("linear", input=X, weight=np.ones(3)),
        ValueError,
        "linear: expected the shapes input (N, d), weight (m, d), got input (5, 3), weight (3,)",
    ),
    "sample": (
        lambda: measure("linear", {"input": X, "weight": WEIGHT}),
        TypeError,
        "sample: expected a Sample, got dict",
    ),
    "shapes": (
        lambda: measure("linear", Sample({"input": X, "weight": np.ones((2, 7))})),
        ValueError,
        "weight: expected shape (out_features, 3), got (2, 7)",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), ERRORS.values(), ids=ERRORS)
def test_errors_say_what_was_expected_and_what_came(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message


def test_an_input_that_is_left_out_costs_nothing():
    cost = operator_cost("linear", input=X, weight=WEIGHT, bias=None)
    assert cost == operator_cost("linear", input=X, weight=WEIGHT)
