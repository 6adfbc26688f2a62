"""Dropout: distribution, scaling, the ends p = 0 and p = 1, the generator, the module."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from refusing import refused
from strategies import normal

import bpref.functional as F
from bpref import nn


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_share_of_zeros_and_mean(p):
    n = 100_000
    output, _ = F.dropout(np.ones(n), p, generator=rng())
    zeros = np.mean(output == 0.0)
    assert abs(zeros - p) < 4 * np.sqrt(p * (1 - p) / n)  # four standard deviations
    assert abs(output.mean() - 1.0) < 4 * np.sqrt(p / (1 - p) / n)
    np.testing.assert_array_equal(np.unique(output), [0.0, 1 / (1 - p)])


def test_elements_are_dropped_independently():
    keep = F.dropout(np.ones((2000, 50)), 0.5, generator=rng())[0] > 0
    for axis in (0, 1):
        neighbours = np.mean(keep == np.roll(keep, 1, axis))
        assert abs(neighbours - 0.5) < 0.01
    assert abs(keep.mean(axis=0) - 0.5).max() < 0.06
    assert abs(keep.mean(axis=1) - 0.5).max() < 0.3


def test_same_share_as_torch():
    torch.manual_seed(0)
    theirs = torch.nn.functional.dropout(torch.ones(100_000), 0.3).numpy()
    ours, _ = F.dropout(np.ones(100_000, np.float32), 0.3, generator=rng())
    np.testing.assert_array_equal(np.unique(ours), np.unique(theirs))
    assert abs(np.mean(ours == 0) - np.mean(theirs == 0)) < 0.01


def test_default_is_one_half_in_training():
    output, _ = F.dropout(np.ones(1000), generator=rng())
    np.testing.assert_array_equal(np.unique(output), [0.0, 2.0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_ends(dtype):
    x = normal(0, 50, dtype=dtype)
    output, cache = F.dropout(x, 0.0, generator=rng())
    np.testing.assert_array_equal(output, x)
    np.testing.assert_array_equal(F.dropout_backward(x, cache), x)
    output, cache = F.dropout(x, 1.0, generator=rng())
    assert output.dtype == dtype
    np.testing.assert_array_equal(output, np.zeros(50))
    np.testing.assert_array_equal(F.dropout_backward(x, cache), np.zeros(50))


def test_backward_uses_the_same_mask():
    x = np.ones(200)
    output, cache = F.dropout(x, 0.3, generator=rng())
    np.testing.assert_array_equal(F.dropout_backward(x, cache), output)


def test_the_same_generator_draws_the_same_mask_in_both_dtypes():
    a, _ = F.dropout(np.ones(100), generator=rng(7))
    b, _ = F.dropout(np.ones(100, np.float32), generator=rng(7))
    c, _ = F.dropout(np.ones(100), generator=rng(8))
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()


def test_without_a_generator_masks_differ():
    assert (F.dropout(np.ones(100))[0] != F.dropout(np.ones(100))[0]).any()


def test_evaluation_is_the_identity_and_draws_nothing():
    x, generator = normal(0, 5), rng()
    before = copy.deepcopy(generator.bit_generator.state)
    output, cache = F.dropout(x, 0.5, training=False, generator=generator)
    assert output is x
    assert F.dropout_backward(x, cache) is x
    assert generator.bit_generator.state == before


def test_module():
    layer = nn.Dropout(generator=rng())
    x = np.ones(1000)
    output = layer(x)
    np.testing.assert_array_equal(np.unique(output), [0.0, 2.0])
    np.testing.assert_array_equal(layer.backward(x), output)
    assert (layer(x) != output).any()  # a new mask for each forward pass
    np.testing.assert_array_equal(nn.Dropout(generator=rng())(x), output)
    assert layer.eval()(x) is x
    assert layer.backward(x) is x
    assert (layer.train()(x) != x).any()
    assert layer.state_dict() == {}
    assert repr(nn.Dropout(0.3)) == repr(torch.nn.Dropout(0.3))


def test_p_of_the_module():
    np.testing.assert_array_equal(np.unique(nn.Dropout(0.2)(np.ones(1000))), [0.0, 1.25])


def test_backward_of_the_module_needs_its_own_forward():
    layer = nn.Dropout()
    with pytest.raises(RuntimeError, match="backward: expected a forward pass before it"):
        layer.backward(np.ones(1))


X = np.ones(3)


# name: (call, error, message)
CASES = {
    "int": (
        lambda: F.dropout(X.astype(int)),
        TypeError,
        "input: expected dtype float32 or float64, got int64",
    ),
    "int in evaluation": (
        lambda: F.dropout(X.astype(int), training=False),
        TypeError,
        "input: expected dtype float32 or float64, got int64",
    ),
    "above 1": (lambda: F.dropout(X, 1.5), ValueError, "p: expected at most 1.0, got 1.5"),
    "below 0": (
        lambda: F.dropout(X, -0.1, training=False),
        ValueError,
        "p: expected at least 0.0, got -0.1",
    ),
    "text": (lambda: F.dropout(X, "0.5"), TypeError, "p: expected a number, got str"),
    "seed": (
        lambda: F.dropout(X, generator=0),
        TypeError,
        "generator: expected a numpy.random.Generator, got int",
    ),
    "seed in evaluation": (
        lambda: F.dropout(X, training=False, generator=0),
        TypeError,
        "generator: expected a numpy.random.Generator, got int",
    ),
    "module above 1": (lambda: nn.Dropout(2.0), ValueError, "p: expected at most 1.0, got 2.0"),
    "module seed": (
        lambda: nn.Dropout(generator=0),
        TypeError,
        "generator: expected a numpy.random.Generator, got int",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), CASES.values(), ids=CASES)
def test_refused_by_name(call, error, message):
    with refused(error, message):
        call()
