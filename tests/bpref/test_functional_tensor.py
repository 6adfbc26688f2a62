"""Arithmetic, shapes and reductions: numbers by hand, special values, views."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import normal, quick, seeds, shapes

import bpref.functional as F
from bpref.functional.tensor import unbroadcast


def both(op, *arguments, grad_output, **options):
    """Output and gradients of one call."""
    output, cache = op(*arguments, **options)
    return output, getattr(F, f"{op.__name__}_backward")(grad_output, cache)


# unbroadcast, add, mul


@quick
@given(seeds, shapes, st.data())
def test_unbroadcast_adds_up_what_each_element_was_copied_to(seed, shape, data):
    start = data.draw(st.integers(0, len(shape)))
    before = tuple(data.draw(st.sampled_from([1, size])) for size in shape[start:])
    places = np.broadcast_to(np.arange(np.prod(before, dtype=int)).reshape(before), shape)
    grad = normal(seed, *shape)
    expected = np.zeros(before)
    np.add.at(expected.reshape(-1), places.ravel(), grad.ravel())
    result = unbroadcast(grad, before)
    assert result.shape == before
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-14)


def test_unbroadcast_returns_no_view():
    grad = np.ones((2, 3))
    assert not np.shares_memory(unbroadcast(grad, (2, 3)), grad)


def test_add_by_hand():
    output, (grad_input, grad_other) = both(
        F.add,
        np.array([[1.0], [2.0]]),
        np.array([10.0, 20.0, 30.0]),
        grad_output=np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
    )
    np.testing.assert_array_equal(output, [[11.0, 21.0, 31.0], [12.0, 22.0, 32.0]])
    np.testing.assert_array_equal(grad_input, [[6.0], [15.0]])
    np.testing.assert_array_equal(grad_other, [5.0, 7.0, 9.0])


def test_mul_by_hand():
    output, (grad_input, grad_other) = both(
        F.mul,
        np.array([[1.0], [2.0]]),
        np.array([10.0, 20.0, 30.0]),
        grad_output=np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
    )
    np.testing.assert_array_equal(output, [[10.0, 20.0, 30.0], [20.0, 40.0, 60.0]])
    np.testing.assert_array_equal(grad_input, [[140.0], [320.0]])
    np.testing.assert_array_equal(grad_other, [9.0, 12.0, 15.0])


def test_a_square_is_a_product_with_itself():
    x = np.array([3.0])
    _, (one, other) = both(F.mul, x, x, grad_output=np.ones(1))
    np.testing.assert_array_equal(one + other, 2 * x)


def test_size_1_against_size_0():
    output, (grad_input, grad_other) = both(
        F.mul, np.ones((1, 2)), np.ones((0, 2)), grad_output=np.ones((0, 2))
    )
    assert output.shape == grad_other.shape == (0, 2)
    np.testing.assert_array_equal(grad_input, [[0.0, 0.0]])


# matmul


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((3,), (3,)),
        ((3,), (3, 2)),
        ((4, 3), (3,)),
        ((3,), (5, 3, 2)),
        ((5, 4, 3), (3,)),
        ((4, 3), (5, 3, 2)),
        ((5, 1, 4, 3), (6, 3, 2)),
        ((0, 3), (3, 2)),
        ((4, 0), (0, 2)),
        ((0, 4, 3), (3, 2)),
    ],
)
def test_matmul_like_torch(one, other):
    x, z = normal(0, *one), normal(1, *other)
    a, b = (torch.from_numpy(array).requires_grad_() for array in (x, z))
    expected = torch.matmul(a, b)
    grad_output = normal(2, *expected.shape)
    expected.backward(torch.from_numpy(grad_output))
    output, gradients = both(F.matmul, x, z, grad_output=grad_output)
    assert np.shape(output) == tuple(expected.shape)
    np.testing.assert_allclose(output, expected.detach().numpy(), rtol=0, atol=1e-13)
    for ours, theirs in zip(gradients, (a, b), strict=True):
        assert ours.shape == tuple(theirs.shape)
        np.testing.assert_allclose(ours, theirs.grad.numpy(), rtol=0, atol=1e-13)


def test_matmul_with_a_transposed_weight_is_linear():
    X, W, delta = normal(0, 4, 3), normal(1, 2, 3), normal(2, 4, 2)
    output, (grad_input, grad_other) = both(F.matmul, X, W.T, grad_output=delta)
    expected, cache = F.linear(X, W)
    grad_X, grad_W, _ = F.linear_backward(delta, cache)
    np.testing.assert_allclose(output, expected, rtol=1e-14)
    np.testing.assert_allclose(grad_input, grad_X, rtol=1e-14)
    np.testing.assert_allclose(grad_other, grad_W.T, rtol=1e-14)


# concat, reshape, transpose


def test_concat_by_hand():
    one, other = np.array([[1.0], [2.0]]), np.array([[3.0, 4.0], [5.0, 6.0]])
    delta = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    for dim in (1, -1):
        output, gradients = both(F.concat, [one, other], dim, grad_output=delta)
        np.testing.assert_array_equal(output, [[1.0, 3.0, 4.0], [2.0, 5.0, 6.0]])
        assert isinstance(gradients, tuple)
        np.testing.assert_array_equal(gradients[0], [[1.0], [4.0]])
        np.testing.assert_array_equal(gradients[1], [[2.0, 3.0], [5.0, 6.0]])


def test_concat_along_the_first_axis_by_default():
    output, gradients = both(
        F.concat, (np.ones((1, 2)), np.zeros((0, 2)), np.ones((2, 2))), grad_output=np.ones((3, 2))
    )
    assert output.shape == (3, 2)
    assert [g.shape for g in gradients] == [(1, 2), (0, 2), (2, 2)]


def test_concat_of_one_array_is_a_copy():
    x = np.ones(3)
    output, (gradient,) = both(F.concat, [x], grad_output=np.array([1.0, 2.0, 3.0]))
    assert not np.shares_memory(output, x)
    np.testing.assert_array_equal(gradient, [1.0, 2.0, 3.0])


def test_reshape_reads_row_by_row():
    x = np.arange(6.0).reshape(2, 3)
    for shape in ((3, 2), [3, -1], (np.int64(-1), 2)):
        output, gradient = both(F.reshape, x, shape, grad_output=np.array(x.reshape(3, 2)))
        np.testing.assert_array_equal(output, [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
        np.testing.assert_array_equal(gradient, x)
    assert np.shares_memory(output, x)
    assert F.reshape(np.array(7.0), (1, 1))[0].shape == (1, 1)
    assert F.reshape(np.array([7.0]), ())[0].shape == ()
    assert F.reshape(np.ones((0, 3)), (-1,))[0].shape == (0,)
    np.testing.assert_array_equal(F.reshape(x.T, (6,))[0], [0.0, 3.0, 1.0, 4.0, 2.0, 5.0])


def test_transpose_swaps_two_axes():
    x, delta = normal(0, 2, 3, 4), normal(1, 4, 3, 2)
    output, gradient = both(F.transpose, x, 0, -1, grad_output=delta)
    np.testing.assert_array_equal(output, np.moveaxis(x, (0, 2), (2, 0)))
    np.testing.assert_array_equal(gradient, np.moveaxis(delta, (0, 2), (2, 0)))
    assert np.shares_memory(output, x)
    same, gradient = both(F.transpose, x, 1, -2, grad_output=x)
    np.testing.assert_array_equal(same, x)
    np.testing.assert_array_equal(gradient, x)


# sum, mean, max

X = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


@pytest.mark.parametrize(
    ("op", "total", "columns", "rows"),
    [
        (F.sum, 21.0, [5.0, 7.0, 9.0], [6.0, 15.0]),
        (F.mean, 3.5, [2.5, 3.5, 4.5], [2.0, 5.0]),
        (F.max, 6.0, [4.0, 5.0, 6.0], [3.0, 6.0]),
    ],
)
def test_reductions_by_hand(op, total, columns, rows):
    assert float(op(X)[0]) == total
    assert op(X)[0].shape == ()
    np.testing.assert_array_equal(op(X, 0)[0], columns)
    np.testing.assert_array_equal(op(X, -1)[0], rows)
    np.testing.assert_array_equal(op(X, 1, True)[0], np.reshape(rows, (2, 1)), strict=True)
    np.testing.assert_array_equal(op(X, keepdim=True)[0], np.array([[total]]), strict=True)
    assert op(X[:, np.newaxis], 0)[0].shape == (1, 3)  # axes of size 1 that are not reduced stay
    assert float(op(np.array(5.0))[0]) == 5.0


@pytest.mark.parametrize("op", [F.sum, F.mean, F.max])
@pytest.mark.parametrize(
    "options", [{}, {"dim": 1}, {"dim": 0, "keepdim": True}, {"keepdim": True}]
)
def test_gradients_of_reductions_can_be_written_to(op, options):
    output, cache = op(X, **options)
    gradient = getattr(F, f"{op.__name__}_backward")(np.ones(output.shape), cache)
    assert gradient.shape == X.shape
    gradient += 1.0


@pytest.mark.parametrize("dim", [(0, 1), [0, -1], (-1, -2), None])
def test_sum_and_mean_over_several_axes(dim):
    assert float(F.sum(X, dim)[0]) == 21.0
    output, gradient = both(F.mean, X, dim, True, grad_output=np.array([[12.0]]))
    np.testing.assert_array_equal(output, [[3.5]])
    np.testing.assert_array_equal(gradient, np.full((2, 3), 2.0))


def test_sum_over_the_outer_axes():
    x = normal(0, 2, 3, 4)
    output, gradient = both(F.sum, x, (0, 2), grad_output=np.array([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(output, x.sum(axis=(0, 2)), rtol=1e-14)
    np.testing.assert_array_equal(gradient, np.ones((2, 3, 4)) * [[1.0], [2.0], [3.0]])


def test_over_nothing():
    empty = np.ones((2, 0))
    np.testing.assert_array_equal(F.sum(empty, 1)[0], [0.0, 0.0])
    for dim, expected in ((1, [np.nan, np.nan]), (None, np.nan), (0, [])):
        output, cache = F.mean(empty, dim)
        np.testing.assert_array_equal(output, expected)
        assert F.mean_backward(np.ones(output.shape), cache).shape == (2, 0)
    assert F.max(empty, 0)[0].shape == (0,)


def test_max_splits_among_ties_only_without_dim():
    x = np.array([[1.0, 3.0], [3.0, 3.0]])
    _, gradient = both(F.max, x, grad_output=6.0)
    np.testing.assert_array_equal(gradient, [[0.0, 2.0], [2.0, 2.0]])
    _, gradient = both(F.max, x, 1, grad_output=np.array([5.0, 7.0]))
    np.testing.assert_array_equal(gradient, [[0.0, 5.0], [7.0, 0.0]])
    _, gradient = both(F.max, x, 0, True, grad_output=np.array([[5.0, 7.0]]))
    np.testing.assert_array_equal(gradient, [[0.0, 7.0], [5.0, 0.0]])


@pytest.mark.parametrize(
    "x",
    [
        [1.0, np.nan, 3.0, np.nan],
        [1.0, np.inf, np.inf, -np.inf],
        [-np.inf, -np.inf],
        [0.0, -0.0],
    ],
)
@pytest.mark.parametrize("dim", [None, 0])
def test_max_like_torch_on_special_values(x, dim):
    x = np.array(x)
    tensor = torch.from_numpy(x).requires_grad_()
    expected = torch.max(tensor) if dim is None else torch.max(tensor, dim).values
    expected.backward()
    output, gradient = both(F.max, x, dim, grad_output=1.0)
    np.testing.assert_array_equal(output, expected.detach().numpy())
    np.testing.assert_array_equal(gradient, tensor.grad.numpy())


def test_max_keeps_one_byte_per_element():
    assert F.max(X)[1][0].dtype == F.max(X, 1)[1][0].dtype == bool


def test_an_infinite_gradient_of_max_leaves_the_others_alone():
    _, gradient = both(F.max, np.array([1.0, 2.0]), grad_output=np.inf)
    np.testing.assert_array_equal(gradient, [0.0, np.inf])  # no 0 · inf = nan


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(dtype):
    x = X.astype(dtype)
    for op in (F.sum, F.mean, F.max):
        for options in ({}, {"dim": 1}):
            output, cache = op(x, **options)
            gradient = getattr(F, f"{op.__name__}_backward")(np.ones(output.shape, dtype), cache)
            assert output.dtype == gradient.dtype == dtype
