"""softmax, log_softmax and logsumexp: numbers by hand, shifts, infinities."""

import numpy as np
import pytest
import torch
from strategies import normal

import bpref.functional as F

PAIRS = [(F.softmax, F.softmax_backward), (F.log_softmax, F.log_softmax_backward)]
INF = np.inf


def test_softmax_by_hand():
    output, cache = F.softmax(np.log([[1.0, 3.0], [2.0, 2.0]]), 1)
    np.testing.assert_allclose(output, [[0.25, 0.75], [0.5, 0.5]], rtol=1e-15)
    gradient = F.softmax_backward(np.array([[1.0, 0.0], [4.0, 0.0]]), cache)
    np.testing.assert_allclose(gradient, [[0.1875, -0.1875], [1.0, -1.0]], rtol=1e-15)


def test_log_softmax_by_hand():
    output, cache = F.log_softmax(np.log([[1.0, 3.0]]), 1)
    np.testing.assert_allclose(output, np.log([[0.25, 0.75]]), rtol=1e-15)
    gradient = F.log_softmax_backward(np.array([[1.0, 1.0]]), cache)
    np.testing.assert_allclose(gradient, [[0.5, -0.5]], rtol=1e-15)


def test_logsumexp_by_hand():
    output, cache = F.logsumexp(np.log([[1.0, 3.0], [2.0, 2.0]]), 1)
    np.testing.assert_allclose(output, np.log([4.0, 4.0]), rtol=1e-15)
    gradient = F.logsumexp_backward(np.array([4.0, 8.0]), cache)
    np.testing.assert_allclose(gradient, [[1.0, 3.0], [4.0, 4.0]], rtol=1e-15)
    both, cache = F.logsumexp(np.log([[1.0, 3.0], [2.0, 2.0]]), (0, 1), keepdim=True)
    np.testing.assert_allclose(both, np.log([[8.0]]), rtol=1e-15)
    gradient = F.logsumexp_backward(np.array([[8.0]]), cache)
    np.testing.assert_allclose(gradient, [[1.0, 3.0], [2.0, 2.0]], rtol=1e-14)


def test_three_ways_to_the_same_gradient():
    """log softmax, the logarithm of softmax, and a − logsumexp."""
    a, delta = normal(0, 4, 3), normal(1, 4, 3)
    output, cache = F.log_softmax(a, 1)
    h, softmax_cache = F.softmax(a, 1)
    lse, lse_cache = F.logsumexp(a, 1, keepdim=True)
    np.testing.assert_allclose(output, np.log(h), rtol=1e-13)
    np.testing.assert_allclose(output, a - lse, rtol=1e-13)
    expected = F.log_softmax_backward(delta, cache)
    through_log = F.softmax_backward(delta / h, softmax_cache)
    total = delta.sum(axis=1, keepdims=True)
    through_lse = delta - F.logsumexp_backward(total, lse_cache)
    np.testing.assert_allclose(through_log, expected, rtol=0, atol=1e-14)
    np.testing.assert_allclose(through_lse, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shift", [1e4, -1e4])
def test_a_shift_changes_nothing(dtype, shift):
    a = np.array([[0.0, 1.0, 2.0]], dtype)
    for op, _ in PAIRS:
        np.testing.assert_array_equal(op(a + dtype(shift), 1)[0], op(a, 1)[0])
    output, _ = F.logsumexp(a + dtype(shift), 1)
    np.testing.assert_allclose(output, F.logsumexp(a, 1)[0] + dtype(shift), rtol=1e-7)


def test_each_row_has_its_own_maximum():
    a = np.array([[0.0, 0.0], [1e4, 1e4]])
    np.testing.assert_array_equal(F.softmax(a, 1)[0], np.full((2, 2), 0.5))
    np.testing.assert_allclose(F.log_softmax(a, 1)[0], np.full((2, 2), np.log(0.5)))
    np.testing.assert_allclose(F.logsumexp(a, 1)[0], [np.log(2), 1e4 + np.log(2)], rtol=1e-15)


def test_log_softmax_keeps_what_softmax_loses():
    a = np.array([0.0, -2000.0])
    assert F.softmax(a, 0)[0][1] == 0.0
    assert F.log_softmax(a, 0)[0][1] == -2000.0


ROWS = [[-INF, -INF], [-INF, 1.0], [0.0, INF], [INF, INF], [np.nan, 0.0], [INF, -INF]]


@pytest.mark.parametrize(("op", "backward"), [*PAIRS, (F.logsumexp, F.logsumexp_backward)])
@pytest.mark.parametrize("row", ROWS)
def test_infinities_like_torch(op, backward, row):
    """Without a warning: masks are made of −inf."""
    a = np.array([row])
    tensor = torch.from_numpy(a.copy()).requires_grad_()
    expected = getattr(torch, op.__name__)(tensor, 1)
    expected.sum().backward()
    output, cache = op(a, 1)
    np.testing.assert_array_equal(output, expected.detach().numpy())
    np.testing.assert_array_equal(backward(np.ones(output.shape), cache), tensor.grad.numpy())


def test_over_nothing():
    empty = np.ones((2, 0))
    for op, backward in PAIRS:
        output, cache = op(empty, 1)
        assert output.shape == backward(empty, cache).shape == (2, 0)
    output, cache = F.logsumexp(empty, 1)
    np.testing.assert_array_equal(output, [-INF, -INF])
    assert F.logsumexp_backward(np.ones(2), cache).shape == (2, 0)


def test_keepdim_is_off_by_default():
    assert F.logsumexp(np.ones((2, 3)), 1)[0].shape == (2,)
    assert F.logsumexp(np.ones((2, 3)), -1, True)[0].shape == (2, 1)
    assert F.logsumexp(np.ones((2, 1)), 0)[0].shape == (1,)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(dtype):
    for op, backward in [*PAIRS, (F.logsumexp, F.logsumexp_backward)]:
        output, cache = op(np.ones((2, 3), dtype), 1)
        assert output.dtype == backward(np.ones(output.shape, dtype), cache).dtype == dtype
