"""The check itself: right gradients pass, wrong ones are refused and the place is named."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import normal, quick, seeds, shapes

import bpref.functional as F
from bpref.gradcheck import GradientReport, check_gradients, numerical_gradient


@quick
@given(seeds, shapes)
def test_numerical_gradient_of_known_functions(seed, shape):
    x = normal(seed, *shape)
    for f, gradient in (
        (lambda x: np.sum(np.sin(x)), np.cos(x)),
        (lambda x: np.sum(x**3), 3 * x**2),
        (lambda x: 5.0, np.zeros(shape)),
    ):
        numeric = numerical_gradient(f, x)
        assert numeric.shape == shape
        np.testing.assert_allclose(numeric, gradient, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e6, 1e9])
def test_the_step_suits_large_elements(scale):
    x = scale * np.array([1.0, -2.0, 0.5])
    numeric = numerical_gradient(lambda x: np.sum((x / scale) ** 4), x)
    np.testing.assert_allclose(numeric * scale, 4 * (x / scale) ** 3, rtol=1e-8)


def test_elements_of_very_different_size():
    x = np.array([0.0, 1e-12, 1e-3, 1.0, 1e8])
    gradient = x / np.sqrt(1 + x**2)
    report = check_gradients(lambda x: np.sum(np.sqrt(1 + x**2)), {"x": x}, {"x": gradient})
    assert report.ok, str(report)


def test_a_function_that_varies_fast_needs_a_smaller_step():
    x = np.array([1e-4, 1e-3])
    inputs, gradients = {"x": x}, {"x": 1 / x}
    assert not check_gradients(lambda x: np.sum(np.log(x)), inputs, gradients)
    assert check_gradients(lambda x: np.sum(np.log(x)), inputs, gradients, eps=1e-8)


def test_the_arguments_are_not_modified():
    x, y = normal(0, 3, 2), normal(1, 2)
    before = x.copy(), y.copy()

    def rude(x, y):
        value = np.sum(x**2) + np.sum(y**2)
        x[...] = 0.0
        y[...] = 0.0
        return value

    numerical_gradient(lambda x: rude(x, y.copy()), x)
    report = check_gradients(rude, {"x": x, "y": y}, {"x": 2 * x, "y": 2 * y})
    assert report.ok, str(report)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(y, before[1])


def test_read_only_arrays_work():
    x = normal(0, 3)
    x.setflags(write=False)
    assert check_gradients(lambda x: x @ x, {"x": x}, {"x": 2 * x}).ok


@quick
@given(seeds, st.integers(0, 11), st.sampled_from([1e-5, 1e-2, 1.0, -2.0]))
def test_one_wrong_element_is_found_and_named(seed, place, change):
    W = normal(seed, 3, 4) + 3.0
    gradient = 2 * W
    index = np.unravel_index(place, W.shape)
    gradient[index] *= 1 + change
    report = check_gradients(
        lambda W, b: np.sum(W**2) + np.sum(b),
        {"W": W, "b": np.ones(2)},
        {"b": np.ones(2), "W": gradient},
    )
    assert not report.ok
    assert not report
    assert report.worst.name == "W"
    assert report.worst.index == tuple(map(int, index))
    assert report.worst.analytic == gradient[index]
    np.testing.assert_allclose(report.worst.numeric, 2 * W[index], rtol=1e-8)
    assert f"W[{int(index[0])}, {int(index[1])}]" in str(report)
    assert "DIFFER" in str(report)


def test_report_of_right_gradients():
    x = np.array([1.0, 2.0])
    report = check_gradients(lambda x, k: k * (x @ x), {"x": x, "k": np.array(3)}, {"x": 6 * x})
    assert isinstance(report, GradientReport)
    assert report
    assert report.ok is True
    assert report.max_relative_error <= 1e-6
    assert report.errors == {"x": report.max_relative_error}
    assert report.checked == 2
    assert str(report).startswith("gradients agree")
    assert "2 elements" in str(report)


def test_scalar_inputs():
    report = check_gradients(lambda s: s**2, {"s": np.array(3.0)}, {"s": np.array(5.0)})
    assert report.worst.index == ()
    assert "worst element s: analytic 5, numeric 6" in str(report)


def test_nothing_to_check_is_not_an_error():
    report = check_gradients(lambda x: np.sum(x), {"x": np.empty((0, 3))}, {"x": np.empty((0, 3))})
    assert report.ok
    assert report.max_relative_error == 0.0
    assert report.worst is None
    assert "no element" in str(report)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_a_number_never_passes(bad):
    x = np.array([1.0, 2.0])
    report = check_gradients(lambda x: x @ x, {"x": x}, {"x": np.array([2.0, bad])}, rtol=1e9)
    assert not report.ok
    assert report.worst.index == (1,)
    report = check_gradients(lambda x: np.sum(x) * bad, {"x": x}, {"x": 2 * x})
    assert not report.ok


def test_a_gradient_of_zero_is_not_drowned_in_rounding():
    x = normal(0, 5)  # the sum of a softmax is 1, whatever x is: its gradient is zero

    def f(x):
        return np.sum(np.exp(x) / np.exp(x).sum())

    assert check_gradients(f, {"x": x}, {"x": np.zeros(5)}).ok
    assert not check_gradients(f, {"x": x}, {"x": np.full(5, 1e-6)}).ok


def test_a_missing_factor_of_two_is_found():
    input, target = normal(0, 4, 2), normal(1, 4, 2)
    report = check_gradients(
        lambda y: F.mse_loss(y, target)[0], {"y": input}, {"y": (input - target) / input.size}
    )
    np.testing.assert_allclose(report.max_relative_error, 0.5, rtol=1e-6)


# The four gradients that the article prints for two layers, sigmoid in the hidden layer:
# sigma' is taken at h instead of a, W_2 is missing, and dz/dW_2 is sigma(h) sigma(z).
def sigmoid(a):
    return F.sigmoid(a)[0]


def slope(a):
    return sigmoid(a) * (1 - sigmoid(a))


def forward(X, W1, b1, W2, b2):
    A = X @ W1.T + b1
    H = sigmoid(A)
    Z = H @ W2.T + b2
    return A, H, Z


def two_layers(d, hidden, seed=0, n=7):
    X, Y = normal(seed, n, d), normal(seed + 1, n, 1)
    theta = {
        "W1": normal(seed + 2, hidden, d),
        "b1": normal(seed + 3, hidden),
        "W2": normal(seed + 4, 1, hidden),
        "b2": normal(seed + 5, 1),
    }

    def loss(**theta):
        return F.half_mse_loss(sigmoid(forward(X, **theta)[2]), Y)[0]

    return X, Y, theta, loss


def right(X, Y, theta):
    A, H, Z = forward(X, **theta)
    delta2 = (sigmoid(Z) - Y) * slope(Z) / len(X)
    delta1 = delta2 @ theta["W2"] * slope(A)
    return {"W1": delta1.T @ X, "b1": delta1.sum(0), "W2": delta2.T @ H, "b2": delta2.sum(0)}


def printed(X, Y, theta):
    _, H, Z = forward(X, **theta)
    signal = (sigmoid(Z) - Y) * slope(Z) * slope(H) / len(X)  # (N, H)
    return {
        "W1": signal.T @ X,
        "b1": signal.sum(0),
        "W2": (signal * sigmoid(H) * sigmoid(Z)).sum(0).reshape(-1, 1),
        "b2": signal.sum(0).reshape(-1, 1),
    }


@pytest.mark.parametrize("hidden", [1, 4])
def test_right_formulas_pass(hidden):
    X, Y, theta, loss = two_layers(3, hidden)
    report = check_gradients(loss, theta, right(X, Y, theta))
    assert report.ok, str(report)


@pytest.mark.parametrize("name", ["W1", "b1", "W2", "b2"])
@pytest.mark.parametrize("seed", range(5))
def test_each_printed_formula_is_refused(name, seed):
    X, Y, theta, loss = two_layers(1, 1, seed=10 * seed)  # all shapes agree by chance
    wrong = {name: printed(X, Y, theta)[name].reshape(theta[name].shape)}
    report = check_gradients(loss, theta, wrong)
    assert not report.ok
    assert report.max_relative_error > 0.01
    assert report.worst.name == name


@pytest.mark.parametrize(("name", "came"), [("W2", r"\(4, 1\)"), ("b2", r"\(4, 1\)")])
def test_printed_shapes_are_refused(name, came):
    X, Y, theta, loss = two_layers(3, 4)
    with pytest.raises(ValueError, match=rf"gradients\['{name}'\]: expected shape .*, got {came}"):
        check_gradients(loss, theta, {name: printed(X, Y, theta)[name]})
    for name in ("W1", "b1"):  # the shapes are right, the values are not
        report = check_gradients(loss, theta, {name: printed(X, Y, theta)[name]})
        assert report.max_relative_error > 0.1


@pytest.mark.parametrize(("scale", "hidden"), [(1.0, False), (1e-4, False), (1e-12, True)])
def test_report_says_when_rounding_hides_the_gradient(scale, hidden):
    x = np.array([0.3, -0.7])

    def f(x):
        return 1.0 + scale * np.sum(np.sin(x))

    report = check_gradients(f, {"x": x}, {"x": scale * np.cos(x)})
    assert report.ok
    assert ("x: the rounding of f hides" in str(report)) == hidden
    assert (report.resolution["x"] > 1.0) == hidden
    if not hidden:
        assert not check_gradients(f, {"x": x}, {"x": 1.1 * scale * np.cos(x)}).ok


def test_a_gradient_of_zero_hides_nothing():
    report = check_gradients(lambda x: 3.0, {"x": np.ones(2)}, {"x": np.zeros(2)})
    assert report.ok
    assert report.resolution == {"x": 0.0}
    assert "hides" not in str(report)
