"""bpref.functional.bilinear: numbers by hand, and what it equals."""

import numpy as np
import pytest
from strategies import normal

import bpref.functional as F


def test_numbers_by_hand():
    X, Z = np.array([[1.0, 2.0]]), np.array([[3.0, 4.0, 5.0]])
    W = np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], [[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]])
    b = np.array([10.0, 20.0])
    output, cache = F.bilinear(X, Z, W, b)
    np.testing.assert_array_equal(output, [[1 * 3 + 2 * 4 + 10, 1 * 5 + 20]])
    gradients = F.bilinear_backward(np.array([[1.0, 100.0]]), cache)
    grad_X, grad_Z, grad_W, grad_b = gradients
    np.testing.assert_array_equal(grad_X, [[3.0 + 500.0, 4.0]])
    np.testing.assert_array_equal(grad_Z, [[1.0, 2.0, 100.0]])
    np.testing.assert_array_equal(grad_W[0], [[3.0, 4.0, 5.0], [6.0, 8.0, 10.0]])
    np.testing.assert_array_equal(grad_W[1], 100 * grad_W[0])
    np.testing.assert_array_equal(grad_b, [1.0, 100.0])


def test_with_a_second_input_of_ones_it_is_linear():
    X, W, b, delta = normal(0, 4, 3), normal(1, 2, 3), normal(2, 2), normal(3, 4, 2)
    output, cache = F.bilinear(X, np.ones((4, 1)), W[:, :, np.newaxis], b)
    expected, linear_cache = F.linear(X, W, b)
    np.testing.assert_allclose(output, expected, rtol=1e-14)
    grad_X, _, grad_W, grad_b = F.bilinear_backward(delta, cache)
    expected_X, expected_W, expected_b = F.linear_backward(delta, linear_cache)
    np.testing.assert_allclose(grad_X, expected_X, rtol=1e-14)
    np.testing.assert_allclose(grad_W[:, :, 0], expected_W, rtol=1e-14)
    np.testing.assert_allclose(grad_b, expected_b, rtol=1e-14)


@pytest.mark.parametrize("lead", [(), (0,), (1,), (2, 0, 3)])
def test_empty_and_single(lead):
    output, cache = F.bilinear(np.ones((*lead, 3)), np.ones((*lead, 4)), np.ones((2, 3, 4)))
    assert output.shape == (*lead, 2)
    grad_X, grad_Z, grad_W, grad_b = F.bilinear_backward(np.ones((*lead, 2)), cache)
    assert grad_X.shape == (*lead, 3)
    assert grad_Z.shape == (*lead, 4)
    assert grad_W.shape == (2, 3, 4)
    assert grad_W.any() == (0 not in lead)
    assert grad_b is None
