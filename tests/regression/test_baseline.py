import numpy as np
import pytest

from bpref.regression import least_squares, make_data, mse


@pytest.mark.parametrize(("n", "d", "m"), [(100, 1, 1), (50, 4, 1), (30, 3, 2), (5, 5, 1)])
def test_least_squares_agrees_with_numpy_lstsq(n, d, m):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((n, d)) + 3, rng.standard_normal((n, m))
    weight, bias = least_squares(X, y)
    assert (weight.shape, bias.shape) == ((m, d), (m,))
    expected, *_ = np.linalg.lstsq(np.hstack([X, np.ones((n, 1))]), y, rcond=None)
    prediction = np.hstack([X, np.ones((n, 1))]) @ expected
    np.testing.assert_allclose(X @ weight.T + bias, prediction, atol=1e-10)
    if n > d + 1:  # unique solution
        np.testing.assert_allclose(np.vstack([weight.T, bias]), expected, atol=1e-10)


def test_least_squares_gives_a_constant_or_repeated_column_no_trouble():
    x = np.arange(6.0)[:, None]
    X = np.hstack([x, x, np.full((6, 1), 4.0)])
    weight, bias = least_squares(X, 3 * x - 2)
    np.testing.assert_allclose(X @ weight.T + bias, 3 * x - 2, atol=1e-12)
    weight, bias = least_squares(np.ones((4, 1)), np.array([[1.0], [2.0], [3.0], [6.0]]))
    assert (weight[0, 0], bias[0]) == (0, 3)


def test_no_line_does_better_on_the_training_data():
    X, y, _, _ = make_data(seed=1)
    weight, bias = least_squares(X, y)
    best = mse(X @ weight.T + bias, y)
    for dw, db in [(1e-3, 0), (-1e-3, 0), (0, 1e-3), (0, -1e-3)]:
        assert mse(X @ (weight + dw).T + bias + db, y) > best


@pytest.mark.parametrize("shape", [(4,), (4, 1, 1), (0, 1)])
def test_least_squares_refuses_other_shapes(shape):
    with pytest.raises(ValueError, match="needed"):
        least_squares(np.zeros(shape), np.zeros(shape))


def test_mse_does_not_broadcast():
    with pytest.raises(ValueError, match="shapes differ"):
        mse(np.zeros((3, 1)), np.zeros(3))
