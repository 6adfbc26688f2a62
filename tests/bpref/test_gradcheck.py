"""The check itself: right gradients pass, wrong ones are refused and the place is named."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import normal, quick, seeds, shapes

import bpref.functional as F
from bpref.gradcheck import (
    GradientReport,
    Kink,
    WorstElement,
    assert_backward,
    assert_gradients,
    check_backward,
    check_gradients,
    numerical_gradient,
)


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

    def f(x):
        return np.sum(np.log(x))

    assert np.abs(numerical_gradient(f, x) * x - 1).max() > 1e-4
    np.testing.assert_allclose(numerical_gradient(f, x, eps=1e-8), 1 / x, rtol=1e-6)
    # the check finds the smaller step itself, and is as strict with it
    report = check_gradients(f, {"x": x}, {"x": 1 / x})
    assert report.ok, str(report)
    assert report.kinks == ()
    assert not check_gradients(f, {"x": x}, {"x": 1.0001 / x})
    assert check_gradients(f, {"x": x}, {"x": 1 / x}, eps=1e-8)


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


# --- float32 ---------------------------------------------------------------------------------


@quick
@given(seeds, shapes)
def test_float32_keeps_its_dtype_and_four_digits(seed, shape):
    x = normal(seed, *shape, dtype=np.float32)
    for f, gradient in ((lambda x: np.sum(np.sin(x)), np.cos(x)), (lambda x: np.sum(x**2), 2 * x)):
        numeric = numerical_gradient(f, x)
        assert numeric.dtype == np.float32
        assert numeric.shape == shape
        report = check_gradients(f, {"x": x}, {"x": gradient})
        assert report.ok, str(report)
        # What the rounding of f leaves, and the h² f‴ / 6 of the central difference.
        rounding = report.resolution["x"] * np.abs(gradient).max(initial=0.0)
        np.testing.assert_allclose(numeric, gradient, rtol=1e-4, atol=rounding + 1e-4)
        assert report.rtol == 1e-2
        assert report.dtype == "float32"


def test_f_gets_float32_and_the_report_says_what_it_hides():
    x = normal(0, 4, dtype=np.float32)
    seen = set()

    def f(x):
        seen.add(x.dtype)
        return np.sum(np.tanh(x))

    report = check_gradients(f, {"x": x}, {"x": 1 - np.tanh(x) ** 2})
    assert seen == {np.dtype(np.float32)}
    assert report.ok, str(report)
    assert 1e-5 < report.resolution["x"] < 1e-2
    assert "x: the rounding of f hides relative errors below" in str(report)
    assert not check_gradients(f, {"x": x}, {"x": 1.05 * (1 - np.tanh(x) ** 2)})


def test_one_float32_gradient_makes_the_check_a_float32_check():
    a, b = np.ones(2, np.float32), np.full(2, 2.0)
    report = check_gradients(lambda a, b: np.sum(a * b), {"a": a, "b": b}, {"a": a * 2, "b": b / 2})
    assert report.ok, str(report)
    assert (report.dtype, report.rtol) == ("float32", 1e-2)
    report = check_gradients(lambda a, b: np.sum(a * b), {"a": a, "b": b}, {"b": b / 2})
    assert (report.dtype, report.rtol) == ("float64", 1e-6)


def test_noise_is_measured_where_large_terms_cancel():
    for dtype, eps in ((np.float32, 4.9e-3), (np.float64, 6.1e-6)):
        x, large = np.array([0.3, 0.7, -0.9], dtype), dtype(1000)

        def f(x, large=large):  # the value is small, its rounding errors are those of 1000
            return (large + np.sum(np.exp(x))) - large

        report = check_gradients(f, {"x": x}, {"x": np.exp(x)})
        assert report.ok, str(report)
        error = report.resolution["x"] * np.exp(0.7) * eps / np.finfo(dtype).eps
        assert 200 < error < 20_000  # 16 |f| would be 60
        assert not check_gradients(f, {"x": x}, {"x": 1.2 * np.exp(x)})


# --- modes -----------------------------------------------------------------------------------


@quick
@given(seeds, shapes, st.sampled_from([np.float32, np.float64]))
def test_a_complex_step_is_exact(seed, shape, dtype):
    x = normal(seed, *shape, dtype=dtype)
    numeric = numerical_gradient(lambda x: np.sum(np.sin(x) * np.exp(x)), x, mode="complex")
    assert numeric.dtype == dtype
    gradient = np.exp(x) * (np.sin(x) + np.cos(x))
    tolerance = 8 * np.finfo(dtype).eps * np.exp(4)
    np.testing.assert_allclose(numeric, gradient, rtol=0, atol=tolerance)


def test_complex_mode_sees_what_central_differences_cannot():
    x = normal(0, 5)
    right = np.exp(x)
    inputs, slightly_wrong = {"x": x}, {"x": right * (1 + 1e-11)}

    def f(x):
        return np.sum(np.exp(x))

    assert check_gradients(f, inputs, slightly_wrong, rtol=1e-12)
    assert not check_gradients(f, inputs, slightly_wrong, rtol=1e-12, mode="complex")
    report = check_gradients(f, inputs, {"x": right}, rtol=1e-12, mode="complex")
    assert report.ok, str(report)
    assert report.mode == "complex"


def test_complex_mode_allows_a_gradient_of_zero():
    x = normal(0, 5)

    def f(x):
        return np.sum(np.exp(x) / np.exp(x).sum())

    assert check_gradients(f, {"x": x}, {"x": np.zeros(5)}, mode="complex").ok
    assert not check_gradients(f, {"x": x}, {"x": np.full(5, 1e-6)}, mode="complex").ok


@quick
@given(seeds, st.integers(0, 11), st.sampled_from([1e-3, 1.0, -2.0]))
def test_directions_find_one_wrong_element(seed, place, change):
    W, b = normal(seed, 3, 4) + 3.0, normal(seed, 2)

    def f(W, b):
        return np.sum(W**3) + np.sum(b**2)

    right = {"W": 3 * W**2, "b": 2 * b}
    report = check_gradients(f, {"W": W, "b": b}, right, mode="directional")
    assert report.ok, str(report)
    assert report.checked == 8
    assert "8 directions" in str(report)
    right["W"].ravel()[place] *= 1 + change
    report = check_gradients(f, {"W": W, "b": b}, right, mode="directional", directions=2)
    assert not report.ok
    assert report.worst.name == "W"
    assert report.worst.index == ()
    assert report.worst.direction in (0, 1)
    assert f"worst direction W along direction {report.worst.direction}: analytic" in str(report)
    assert report.errors["b"] <= 1e-6


def test_equal_errors_of_opposite_sign_do_not_cancel():
    x, error = normal(0, 2), np.array([1e-3, -1e-3])
    for seed in range(20):
        report = check_gradients(
            lambda x: np.sum(np.sin(x)),
            {"x": x},
            {"x": np.cos(x) + error},
            mode="directional",
            directions=1,
            generator=np.random.default_rng(seed),
        )
        assert not report.ok


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e9])
def test_directions_suit_large_elements(scale):
    x = scale * np.array([1.0, -2.0, 0.5])
    report = check_gradients(
        lambda x: np.sum((x / scale) ** 4),
        {"x": x},
        {"x": 4 * (x / scale) ** 3 / scale},
        mode="directional",
    )
    assert report.ok, str(report)
    assert max(report.resolution.values()) < 1e-6


def test_directions_take_few_calls_however_large_the_input():
    x = normal(0, 100_000)
    calls = []

    def f(x):
        calls.append(1)
        return np.sum(np.sin(x))

    report = check_gradients(f, {"x": x}, {"x": np.cos(x)}, mode="directional", directions=3)
    assert report.ok, str(report)
    assert len(calls) == 2 + 12 + 2 * 3  # the value twice, the noise, the directions


# --- sampling --------------------------------------------------------------------------------


@quick
@given(seeds, st.integers(1, 40))
def test_one_element_is_drawn_from_every_block(seed, count):
    x = np.arange(40.0).reshape(5, 8)
    asked = []

    def f(x):
        asked.extend(np.flatnonzero(np.abs(x.ravel() - np.arange(40.0)) > 1e-9).tolist())
        return np.sum(x)

    report = check_gradients(
        f,
        {"x": x},
        {"x": np.ones((5, 8))},
        max_elements=count,
        generator=np.random.default_rng(seed),
    )
    assert report.ok, str(report)
    assert (report.checked, report.total) == (count, 40)
    edges = np.linspace(0, 40, count + 1).astype(int)
    places = sorted(set(asked))
    assert len(places) == count
    assert all(a <= place < b for place, a, b in zip(places, edges, edges[1:], strict=False))


def test_the_sample_is_the_same_each_time_unless_a_generator_says_otherwise():
    x = normal(0, 200)
    gradient = np.cos(x) + np.linspace(1.0, 2.0, 200)  # every element has another error

    def worst(**options):
        return check_gradients(
            lambda x: np.sum(np.sin(x)), {"x": x}, {"x": gradient}, max_elements=5, **options
        ).worst

    assert worst() == worst()
    others = {worst(generator=np.random.default_rng(seed)).index for seed in range(8)}
    assert len(others) > 1


def test_the_report_says_how_many_elements_were_left_out():
    x = normal(0, 6, 5)
    report = check_gradients(
        lambda x: np.sum(x**2), {"x": x}, {"x": 2 * x}, max_elements=7, hints={}
    )
    assert "7 of 30 elements" in str(report)
    report = check_gradients(lambda x: np.sum(x**2), {"x": x}, {"x": 2 * x}, max_elements=30)
    assert "1e-06, 30 elements" in str(report)


# --- kinks -----------------------------------------------------------------------------------


def relu_sum(x):
    return np.sum(3.0 * np.maximum(x, 0.0)) + 0.5


@pytest.mark.parametrize("subgradient", [0.0, 1.0, 1.5, 3.0])
def test_a_kink_is_reported_and_not_counted(subgradient):
    x = np.array([1.0, 0.0, -2.0])
    gradient = np.array([3.0, subgradient, 0.0])
    for options in ({}, {"signs": lambda x: x}):
        report = check_gradients(relu_sum, {"x": x}, {"x": gradient}, **options)
        assert report.ok, str(report)
        assert report.checked == 3
        if subgradient == 1.5:  # the mean of the slopes is the central difference
            assert report.kinks == ()
            continue
        (kink,) = report.kinks
        assert isinstance(kink, Kink)
        assert (kink.name, kink.index, kink.direction) == ("x", (1,), None)
        assert kink.analytic == subgradient
        np.testing.assert_allclose([kink.left, kink.right], [0.0, 3.0], atol=1e-5)
        assert f"kink, not counted: x[1]: analytic {subgradient:g}, slopes" in str(report)
        assert report.worst.index != (1,)


@pytest.mark.parametrize("outside", [-0.1, 3.1, 30.0, np.nan])
def test_outside_the_slopes_of_a_kink_is_a_failure(outside):
    x = np.array([1.0, 0.0, -2.0])
    for options in ({}, {"signs": lambda x: x}):
        report = check_gradients(
            relu_sum, {"x": x}, {"x": np.array([3.0, outside, 0.0])}, **options
        )
        assert not report.ok
        assert report.kinks == ()
        assert report.worst.index == (1,)


near = st.floats(-11.0, -5.3).map(lambda exponent: 10.0**exponent)


@quick
@given(near, st.sampled_from([-1.0, 1.0]), st.booleans())
def test_beside_a_kink_only_the_slope_of_its_own_side_passes(distance, side, exactly):
    """The step reaches the kink; a shorter one does not."""
    x = np.array([side * distance, 1.0])
    right = np.where(x > 0, 3.0, 0.0)
    options = {"signs": lambda x: x} if exactly else {}
    report = check_gradients(relu_sum, {"x": x}, {"x": right}, **options)
    assert report.ok, str(report)
    (kink,) = report.kinks  # with the slopes over the whole step
    share = distance / 6.055e-6
    slopes = (3 * share, 3.0) if side > 0 else (0.0, 3 * (1 - share))
    np.testing.assert_allclose((kink.left, kink.right), slopes, atol=1e-3)
    for wrong in (3.0 - right[0], 1.4, right[0] + 0.01):
        report = check_gradients(relu_sum, {"x": x}, {"x": np.array([wrong, 3.0])}, **options)
        assert not report.ok
        assert report.kinks == ()


@quick
@given(seeds, st.sampled_from([1.0, 30.0, 1000.0]), st.sampled_from([1e-4, 1e-2, 1.0, -2.0]))
def test_curvature_is_no_excuse(seed, frequency, change):
    """The slopes on both sides differ by h f″, yet there is no kink."""
    x = normal(seed, 4)

    def f(x):
        return np.sum(np.sin(frequency * x) / frequency)

    gradient = np.cos(frequency * x)
    gradient[2] += change
    report = check_gradients(f, {"x": x}, {"x": gradient})
    assert not report.ok
    assert report.worst.index == (2,)
    assert report.kinks == ()


def test_curvature_is_no_excuse_where_rounding_ends_the_second_look():
    inputs = {"x": np.array([0.0])}

    def f(x):
        return 1000.0 + 5000.0 * np.sum(x**2)

    assert check_gradients(f, inputs, {"x": np.array([0.0])})
    assert not check_gradients(f, inputs, {"x": np.array([6e-6])})


@pytest.mark.parametrize("level", [1, 2, 3])
def test_the_mean_across_a_kink_may_hit_a_wrong_value_by_accident(level):
    kink, step = 1e-9, np.finfo(float).eps ** (1 / 3) / 4**level
    hit = (1 - kink / step) / 2  # the central difference with the smaller step
    inputs = {"x": np.array([0.0])}

    def pre(x):
        return x[0] - kink

    for options in ({}, {"signs": pre}):
        for offset in (0.0, 1.0):

            def f(x, offset=offset):
                return np.maximum(pre(x), 0.0) + offset

            assert check_gradients(f, inputs, {"x": np.array([0.0])}, **options)
            for wrong in (hit, hit + 2e-6):
                assert not check_gradients(f, inputs, {"x": np.array([wrong])}, **options)


def test_a_kink_where_f_is_zero_and_nothing_is_rounded():
    inputs = {"x": np.array([0.0])}
    report = check_gradients(lambda x: np.maximum(x[0], 0.0), inputs, {"x": np.array([0.0])})
    assert report.ok, str(report)
    assert len(report.kinks) == 1


@pytest.mark.parametrize("curvature", [-1e4, 1e4])
def test_a_kink_with_curvature_on_both_sides(curvature):
    inputs = {"x": np.array([0.0])}

    def f(x):
        return 1.0 + np.maximum(x[0], 0.0) + curvature * x[0] ** 2

    for subgradient in (0.0, 0.3, 1.0):
        report = check_gradients(f, inputs, {"x": np.array([subgradient])})
        assert report.ok, str(report)
        assert len(report.kinks) == 1
        assert abs(report.kinks[0].left) < 1e-6
        assert abs(report.kinks[0].right - 1) < 1e-6
    assert not check_gradients(f, inputs, {"x": np.array([1.001])})


def test_a_wrong_gradient_costs_no_more_calls_than_a_right_one():
    x, calls = normal(0, 50), []

    def f(x):
        calls.append(1)
        return np.sum(np.sin(x))

    check_gradients(f, {"x": x}, {"x": np.cos(x)})
    right = len(calls)
    check_gradients(f, {"x": x}, {"x": 1.01 * np.cos(x)})
    assert len(calls) == 2 * right


def test_a_wrong_gradient_at_a_curvature_is_given_up_soon():
    x, calls = np.full(20, 1e-4), []

    def f(x):
        calls.append(1)
        return np.sum(np.log(x))

    assert not check_gradients(f, {"x": x}, {"x": 1.01 / x})
    assert len(calls) < 2 + 12 + 20 * (2 + 2 * 4)  # a few looks at each


def test_a_step_that_moves_x_to_one_side_only():
    inputs = {"x": np.array([1.0])}  # 1 + 8e-17 is 1, 1 − 8e-17 is not
    report = check_gradients(lambda x: x[0] - 1.0, inputs, {"x": np.array([2.0])}, eps=8e-17)
    assert not report.ok
    assert report.worst.numeric == 1.0


@quick
@given(seeds, st.floats(-9.0, -5.3), st.sampled_from([1e-3, -0.1, 2.0]))
def test_a_wrong_gradient_beside_a_kink_is_refused(seed, exponent, change):
    """With curvature, an offset, and two kinks of different strength within the step."""
    rng = np.random.default_rng(seed)
    jumps = rng.uniform(0.1, 2.0, 2) * rng.choice([-1.0, 1.0], 2)
    places = 10.0**exponent * rng.uniform(1.0, 5.0, 2)

    def f(x):
        return 3.0 + np.sum(np.exp(x)) + jumps @ np.maximum(x[0] - places, 0.0)

    x = np.array([0.0, 1.0])
    report = check_gradients(f, {"x": x}, {"x": np.exp(x)})
    assert report.ok, str(report)
    assert not check_gradients(f, {"x": x}, {"x": np.exp(x) + np.array([change, 0.0])})


@pytest.mark.parametrize(("x", "slope"), [(3.0, 0.0), (3.0, 1e3), (3.0 + 1e-8, 1e3)])
def test_a_jump_is_not_a_kink(x, slope):
    report = check_gradients(
        lambda x: np.sum(np.floor(x)), {"x": np.array([x, 0.5])}, {"x": np.array([slope, 0.0])}
    )
    assert not report.ok
    assert report.kinks == ()


def test_signs_may_be_a_nest_and_hold_places_of_maxima():
    x = np.array([1.0, 1.0 - 1e-9, -3.0])

    def f(x):
        return 2.0 * x.max() + np.sum(np.abs(x))

    right = np.array([2.0, 0.0, 0.0]) + np.sign(x)
    wrong = np.array([0.0, 2.0, 0.0]) + np.sign(x)
    for signs in (lambda x: {"a": x, "b": (x.argmax(),)}, lambda x: [x > 0, x.argmax()]):
        report = check_gradients(f, {"x": x}, {"x": right}, signs=signs)
        assert report.ok, str(report)
        assert [kink.index for kink in report.kinks] == [(0,), (1,)]
        assert not check_gradients(f, {"x": x}, {"x": wrong}, signs=signs)
    # signs that do not change say that there is no kink; a shorter step is still tried
    report = check_gradients(f, {"x": x}, {"x": right}, signs=lambda x: x)
    assert report.ok, str(report)
    assert report.kinks == ()
    x[1] = 1.0
    assert not check_gradients(f, {"x": x}, {"x": right}, signs=lambda x: x)


def test_a_varying_number_of_signs_is_a_change():
    x = np.array([0.0, 2.0])
    report = check_gradients(
        relu_sum, {"x": x}, {"x": np.array([0.0, 3.0])}, signs=lambda x: list(x[x > 0])
    )
    assert len(report.kinks) == 1


def test_kinks_along_a_direction():
    x = np.array([1.0, 1e-8, -2.0])
    report = check_gradients(
        relu_sum, {"x": x}, {"x": np.array([3.0, 3.0, 0.0])}, mode="directional"
    )
    assert report.ok, str(report)
    assert [kink.direction for kink in report.kinks] == [0, 1, 2, 3]
    assert str(report).startswith("gradients agree: every element is at a kink")
    assert "kink, not counted: x along direction 0: analytic" in str(report)
    assert "kink, not counted: 1 more" in str(report)
    wrong = np.array([3.0, 0.0, 0.0])
    assert not check_gradients(relu_sum, {"x": x}, {"x": wrong}, mode="directional")


@pytest.mark.parametrize("offset", [30, 100])  # with 100, rounding allows no smaller step
def test_float32_finds_kinks_by_signs(offset):
    x = np.array([1e-3, -1e-3, 0.5, -0.5], np.float32)

    def f(x):
        return np.sum(np.maximum(x, np.float32(0))) + np.float32(offset)

    gradient = (x > 0).astype(np.float32)
    report = check_gradients(f, {"x": x}, {"x": gradient}, signs=lambda x: x)
    assert report.ok, str(report)
    assert [kink.index for kink in report.kinks] == [(0,), (1,)]
    assert not check_gradients(f, {"x": x}, {"x": 1.5 * gradient}, signs=lambda x: x)


def test_a_network_with_relu_and_a_kink_in_the_weights():
    X, W, b = normal(0, 6, 3), normal(1, 4, 3), normal(2, 4)
    b[1] = -(X[2] @ W[1])  # unit 1 is exactly at the kink for sample 2

    def pre(W, b):
        return X @ W.T + b

    def loss(W, b):
        return np.sum(np.maximum(pre(W, b), 0.0) ** 1 * (1.0 + np.arange(4)))

    delta = (pre(W, b) > 0) * (1.0 + np.arange(4))
    for options in ({}, {"signs": pre}):
        report = check_gradients(
            loss, {"W": W, "b": b}, {"W": delta.T @ X, "b": delta.sum(0)}, **options
        )
        assert report.ok, str(report)
        places = {(kink.name, *kink.index) for kink in report.kinks}
        assert places == {("W", 1, 0), ("W", 1, 1), ("W", 1, 2), ("b", 1)}


# --- causes ----------------------------------------------------------------------------------


def cause(gradient, f=lambda x: np.sum(np.sin(x)), x=None, **options):
    """The only cause that is found for a wrong gradient; without options also with a sample."""
    x = normal(1, *np.shape(gradient)) if x is None else x
    report = check_gradients(f, {"x": x}, {"x": np.asarray(gradient)}, **options)
    assert not report.ok
    for text in report.causes.get("x", ()):
        assert f"x: {text}?" in str(report)
    return report.causes.get("x", ())


SQUARE = normal(1, 4, 4)
ROWS = normal(1, 7, 5)
FACTORS = {
    "numeric = 2 × analytic everywhere: a missing factor 2": 1 / 2,
    "numeric = analytic / 2 everywhere: a superfluous factor 2, or added twice": 2.0,
    "numeric = analytic / 3 everywhere: a superfluous factor 3": 3.0,
    "numeric = -analytic everywhere: a wrong sign": -1.0,
    "numeric = -2 × analytic everywhere: a missing factor 2, and a wrong sign": -1 / 2,
    "numeric = -analytic / 4 everywhere: a superfluous factor 4, and a wrong sign": -4.0,
    "numeric = 7 × analytic everywhere: a missing factor 7; "
    "if it is x.shape[0], a mean where a sum belongs": 1 / 7,
    "numeric = analytic / 35 everywhere: a superfluous factor 35; "
    "if it is x.size, a sum where a mean belongs": 35.0,
    "numeric = 0.8 × analytic everywhere: a missing factor 0.8": 1.25,
    "numeric = -0.8 × analytic everywhere: a missing factor -0.8": -1.25,
}


@pytest.mark.parametrize(("text", "factor"), FACTORS.items())
@pytest.mark.parametrize(
    "options",
    [{}, {"max_elements": 4}, {"mode": "directional"}, {"mode": "complex"}],
    ids=["all", "sample", "directions", "complex"],
)
def test_cause_factor(text, factor, options):
    assert cause(factor * np.cos(ROWS), **options) == (text,)


def test_two_elements_do_not_make_a_strange_factor():
    assert cause(1.25 * np.cos(normal(1, 2))) == ()
    assert cause(2.0 * np.cos(normal(1, 1))) != ()


WRONG = {
    "transpose": (np.cos(SQUARE).T, "numeric = analytic.T: a missing transpose"),
    "reshape": (
        np.cos(ROWS).T.reshape(7, 5),
        "numeric = analytic.reshape(5, 7).T: reshape used as a transpose",
    ),
    "flip": (
        np.cos(ROWS)[:, ::-1],
        "numeric = np.flip(analytic, axis=(1,)): an axis that runs backwards",
    ),
    "flip both": (
        np.cos(ROWS)[::-1, ::-1],
        "numeric = np.flip(analytic, axis=(0, 1)): an axis that runs backwards",
    ),
    "roll": (
        np.roll(np.cos(ROWS), 1, 0),
        "numeric = np.roll(analytic, -1, axis=0): an index off by one",
    ),
    "zero": (np.zeros((7, 5)), "analytic is 0 everywhere: never computed, or overwritten"),
    "factor x": (np.cos(ROWS) / ROWS, "numeric = analytic × x: a missing factor x"),
    "superfluous x": (np.cos(ROWS) * ROWS, "numeric = analytic / x: a superfluous factor x"),
    "penalty": (np.cos(ROWS) - 0.25 * ROWS, "numeric = analytic + 0.25 × x: a missing summand"),
    "constant": (np.cos(ROWS) - 0.5, "numeric = analytic + 0.5 × 1: a missing summand"),
    "twice": (np.cos(ROWS) + ROWS, "numeric = analytic − x: a superfluous summand"),
    "superfluous": (
        np.cos(ROWS) + 0.25 * ROWS,
        "numeric = analytic − 0.25 × x: a superfluous summand",
    ),
    "rows": (
        np.cos(ROWS) * (np.arange(7) < 3)[:, None],
        "wrong only at indices 3 to 6 of axis 0, analytic is 0 there: a part that is never written",
    ),
    "column": (
        np.cos(ROWS) * np.array([1, 1, -1, 1, 1]),
        "wrong only at index 2 of axis 1, numeric = -analytic there: a wrong sign",
    ),
    "columns": (
        np.cos(ROWS) * np.array([2, 1, 1, 2, 1]),
        "wrong only at indices 0, 3 of axis 1, numeric = analytic / 2 there: "
        "a superfluous factor 2, or added twice",
    ),
    "scattered": (
        np.cos(ROWS) * (1 + np.eye(7, 5)),
        "wrong in 5 of 35 elements, numeric = analytic / 2 there: "
        "a superfluous factor 2, or added twice",
    ),
    "nan": (np.cos(ROWS) * np.where(np.eye(7, 5), np.nan, 1), "analytic is nan or infinite in 5"),
}


@pytest.mark.parametrize(("gradient", "text"), WRONG.values(), ids=WRONG)
def test_cause(gradient, text):
    (found,) = cause(gradient)[:1]
    assert found.startswith(text)


def test_a_square_gradient_is_not_reshaped():
    assert cause(np.cos(SQUARE).T, x=SQUARE) == ("numeric = analytic.T: a missing transpose",)


def test_cause_in_f():
    assert cause(np.cos(ROWS), f=lambda x: 3.0) == (
        "numeric is 0 everywhere: f is flat here, or does not depend on x",
    )
    assert cause(np.ones(3), f=lambda x: np.sum(x**2), x=np.zeros(3)) == (
        "numeric is 0 everywhere: f is flat here, or does not depend on x",
    )
    found = cause(np.cos(ROWS), f=lambda x: np.nan)
    assert found == ("numeric is nan or infinite: f leaves its domain within the step",)


def test_cause_wrong_axis():
    def f(x):
        return np.sum(x.sum(axis=1) ** 2)

    x = normal(1, 4, 4)
    wrong = np.repeat(2 * x.sum(axis=0, keepdims=True), 4, axis=0)
    assert cause(wrong, f, x, hints={"2x": 2 * x}) == (
        "numeric = 2x summed over axis 1, analytic = the same summed over axis 0: the wrong axis",
    )
    assert cause(2 * x, f, x) == ("numeric = analytic summed over axis 1: a missing sum",)
    too_many = np.repeat(2 * x.sum(axis=1, keepdims=True), 4, axis=1)
    assert cause(too_many, lambda x: np.sum(x**2), x) == (
        "analytic = numeric summed over axis 1: a sum too many",
    )


def test_cause_of_many_wrong_places_is_cut_short():
    x = normal(1, 30)
    keep = np.arange(30) % 4 > 0
    (found,) = cause(np.where(keep, np.cos(x), np.sin(x)), x=x)
    assert found == "wrong only at indices 0, 4, 8, 12, 16, … of axis 0"


def test_cause_by_a_hint():
    x = normal(1, 4, 3)
    old, new = np.cos(x + 0.1), np.cos(x)
    weight = normal(2, 3)
    inputs = {"x": x, "weight": weight}

    def f(x, weight):
        return np.sum(np.sin(x) * weight)

    def found(gradient, **hints):
        return check_gradients(f, inputs, {"x": gradient}, hints=hints).causes["x"]

    assert found(new) == ("numeric = analytic × weight: a missing factor weight",)
    assert found(new * weight**2) == ("numeric = analytic / weight: a superfluous factor weight",)
    assert found(np.ones((4, 3)) * weight, slope=new) == (
        "numeric = analytic × slope: a missing factor slope",
    )
    assert found(old * weight, now=new, before=old) == (
        "numeric = analytic × now / before: before used where now belongs, a stale activation",
    )


NARROW = {
    "the backward pass": (np.sin, lambda g, x: single(single(g) * np.cos(single(x)))),
    "its sums": (
        lambda x: x - x.mean(axis=0),
        lambda g, x: g - g.sum(axis=0, dtype=np.float32) / float(len(g)),
    ),
}


def single(x):
    """Rounded to float32, as by a kernel that computes in it."""
    return x.astype(np.float32).astype(np.float64)


@pytest.mark.parametrize(("forward", "backward"), NARROW.values(), ids=NARROW)
def test_cause_is_a_gradient_in_float32(forward, backward):
    inputs = {"x": normal(4, 9, 7)}
    options = {"backward_takes": "inputs", "rtol": 1e-9, "mode": "complex"}
    report = check_backward(forward, backward, inputs, **options)
    assert report.causes == {
        "x": ("no error is larger than float32's rounding: a part is computed in float32",)
    }


def test_cause_of_a_small_error_that_is_no_rounding():
    x = normal(4, 9, 7)
    report = check_gradients(
        lambda x: np.sum(np.sin(x)),
        {"x": x},
        {"x": np.cos(x) + 1e-6 * x},
        rtol=1e-9,
        mode="complex",
    )
    assert report.causes == {"x": ("numeric = analytic − 1e-06 × x: a superfluous summand",)}


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_cause_is_a_function_in_float32(scale):
    x = normal(4, 3, 5)
    f = lambda x: float(np.sum(np.sin(x.astype(np.float32)) * np.float32(scale)))  # noqa: E731
    report = check_gradients(f, {"x": x}, {"x": scale * np.cos(x)})
    assert not report.ok
    assert report.causes == {"x": ("f changes in jumps: a part of it is computed in float32",)}


def test_a_flat_function_does_not_change_in_jumps():
    x = normal(4, 3, 5)
    inputs, gradients = {"x": x, "y": x}, {"x": np.cos(x), "y": x}
    report = check_gradients(lambda x, y: 2.0 + 0 * np.sum(x + y), inputs, gradients)
    flat = "numeric is 0 everywhere: f is flat here, or does not depend on "
    assert report.causes == {"x": (f"{flat}x",), "y": (f"{flat}y",)}


def test_no_cause_is_invented():
    x = normal(1, 4, 4)
    assert cause(np.cos(x + 0.3), x=x) == ()
    report = check_gradients(lambda x: np.sum(np.sin(x)), {"x": x}, {"x": np.cos(x)})
    assert report.causes == {}
    assert report.failures == ()


def test_the_report_lists_failures_of_every_input():
    x, y, z = normal(0, 5), normal(1, 5), normal(2, 5)
    report = check_gradients(
        lambda x, y, z: np.sum(x**2) + np.sum(y**2) + np.sum(z**2),
        {"x": x, "y": y, "z": z},
        {"x": 2 * x + 1e-3, "y": 2 * y, "z": -2 * z},
    )
    assert [failure.name for failure in report.failures] == ["z", "z", "z", "x", "x", "x"]
    assert all(isinstance(failure, WorstElement) for failure in report.failures)
    assert report.failures[0] == report.worst
    errors = [failure.relative_error for failure in report.failures]
    assert errors == sorted(errors, reverse=True)
    lines = str(report).splitlines()
    assert lines[1] == f"worst element {report.worst}"
    assert lines[2] == f"also {report.failures[3]}"
    assert set(report.causes) == {"x", "z"}
    assert len(lines) == 5


# --- pairs -----------------------------------------------------------------------------------


def linear(x, weight, bias):
    return x @ weight.T + bias


def linear_backward(grad_output, x, weight, bias):
    return grad_output @ weight, grad_output.T @ x, grad_output.sum(0)


def linear_inputs(seed, n=5, d=3, m=2, dtype=np.float64):
    shapes = {"x": (n, d), "weight": (m, d), "bias": (m,)}
    return {k: normal(seed + i, *s, dtype=dtype) for i, (k, s) in enumerate(shapes.items())}


@quick
@given(st.integers(0, 1000), st.sampled_from([0, 1, 4]), st.sampled_from([np.float32, np.float64]))
def test_a_plain_pair(seed, n, dtype):
    inputs = linear_inputs(seed, n=n, dtype=dtype)
    report = check_backward(linear, linear_backward, inputs, backward_takes="inputs")
    assert report.ok, str(report)
    assert set(report.errors) == set(inputs)
    assert report.dtype == np.dtype(dtype).name


@pytest.mark.parametrize("mode", ["central", "complex", "directional"])
def test_options_reach_both_functions_and_the_check(mode):
    def scaled(x, *, factor):
        return factor * x**2

    def scaled_backward(grad_output, x, *, factor):
        return 2 * factor * grad_output * x

    report = check_backward(
        scaled,
        scaled_backward,
        {"x": normal(0, 4)},
        {"factor": 3.0},
        backward_takes="inputs",
        mode=mode,
        rtol=1e-7,
        directions=2,
    )
    assert report.ok, str(report)
    assert (report.mode, report.rtol) == (mode, 1e-7)
    assert report.checked == (2 if mode == "directional" else 4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_pair_with_a_cache(dtype):
    X, W, b = (normal(i, *s, dtype=dtype) for i, s in enumerate([(5, 3), (2, 3), (2,)]))
    for inputs, options in (
        ({"input": X, "weight": W, "bias": b}, None),
        ({"input": X, "weight": W}, {"bias": None}),  # backward returns None for the bias
    ):
        report = check_backward(F.linear, F.linear_backward, inputs, options)
        assert report.ok, str(report)
        assert set(report.errors) == set(inputs)
    target = normal(3, 5, 3, dtype=dtype)
    report = check_backward(F.mse_loss, F.mse_loss_backward, {"input": X}, {"target": target})
    assert report.ok, str(report)


def recurrent(x, h):
    """Return a nested output: all steps, and the last one twice."""
    steps = [h]
    for t in range(len(x)):
        steps.append(np.tanh(x[t] + steps[-1]))
    return (np.stack(steps[1:]), (steps[-1], steps[-1] * 2)), steps


def recurrent_backward(grad_output, steps):
    grad_steps, (grad_last, grad_double) = grad_output
    grad_steps += 0.0  # a backward pass may overwrite grad_output
    grad_h = grad_last + 2 * grad_double
    grad_x = np.empty_like(grad_steps)
    for t in reversed(range(len(grad_x))):
        grad_x[t] = (grad_h + grad_steps[t]) * (1 - steps[t + 1] ** 2)
        grad_h = grad_x[t]
        grad_steps[t] = 17.0
    return {"h": grad_h, "x": grad_x}


def test_outputs_may_be_nested_and_gradients_a_mapping():
    inputs = {"x": normal(0, 4, 3), "h": normal(1, 3)}
    report = check_backward(recurrent, recurrent_backward, inputs)
    assert report.ok, str(report)
    assert set(report.errors) == {"x", "h"}

    def forgets_the_last(grad_output, steps):
        return recurrent_backward(
            (grad_output[0], (0 * grad_output[1][0], grad_output[1][1])), steps
        )

    assert not check_backward(recurrent, forgets_the_last, inputs)


def test_a_forward_pass_may_work_in_place_and_a_backward_pass_on_grad_output():
    def forward(x):
        return np.multiply(x, 3.0, out=x), None

    def backward(grad_output, cache):
        return np.multiply(grad_output, 3.0, out=grad_output)

    assert check_backward(forward, backward, {"x": normal(0, 4, 3)}).ok


def test_outputs_and_gradients_may_be_tensors():
    x = normal(0, 4, 3)
    report = check_backward(
        lambda x: torch.tanh(torch.from_numpy(x)),
        lambda g, x: torch.from_numpy(g) * (1 - torch.tanh(torch.from_numpy(x)) ** 2),
        {"x": x},
        backward_takes="inputs",
    )
    assert report.ok, str(report)


def test_none_leaves_an_input_unchecked():
    def backward(grad_output, x, weight, bias):
        return grad_output @ weight, None, grad_output.sum(0)

    report = check_backward(linear, backward, linear_inputs(0), backward_takes="inputs")
    assert report.ok, str(report)
    assert set(report.errors) == {"x", "bias"}


def test_the_weights_of_the_outputs_are_the_same_each_time():
    def worst(**options):
        return check_backward(
            linear,
            lambda g, x, weight, bias: (g @ weight, g.T @ x, 2 * g.sum(0)),
            linear_inputs(0),
            backward_takes="inputs",
            **options,
        ).worst

    assert worst() == worst()
    assert worst().analytic != worst(generator=np.random.default_rng(1)).analytic


def sigmoid_of(a):
    return 1 / (1 + np.exp(-a))


def tanh_residual(a):
    return a + np.tanh(a)


ACTIVATIONS = {
    "slope missing": (
        sigmoid_of,
        lambda g, a: g,
        "numeric = analytic × output (1 - output): a missing factor output (1 - output)",
    ),
    "half of the slope missing": (
        sigmoid_of,
        lambda g, a: g * sigmoid_of(a),
        "numeric = analytic × (1 - output): a missing factor (1 - output)",
    ),
    "slope at the output": (
        sigmoid_of,
        lambda g, a: g * slope(sigmoid_of(a)),
        "numeric = analytic × output (1 - output) / σ'(output): "
        "σ'(output) used where output (1 - output) belongs, a stale activation",
    ),
    "tanh at the output": (
        np.tanh,
        lambda g, a: g * (1 - np.tanh(np.tanh(a)) ** 2),
        "numeric = analytic × (1 - output²) / (1 - tanh²(output)): "
        "(1 - tanh²(output)) used where (1 - output²) belongs, a stale activation",
    ),
    "grad_output missing": (
        np.tanh,
        lambda g, a: 1 - np.tanh(a) ** 2,
        "numeric = analytic × grad_output: a missing factor grad_output",
    ),
    "no mask": (
        lambda a: np.maximum(a, 0.0),
        lambda g, a: g,
        "numeric = analytic × [output > 0]: a missing factor [output > 0]",
    ),
    "branch missing": (
        tanh_residual,
        lambda g, a: g * (1 - np.tanh(a) ** 2),
        "numeric = analytic + grad_output: a missing summand",
    ),
}


@pytest.mark.parametrize(("forward", "backward", "text"), ACTIVATIONS.values(), ids=ACTIVATIONS)
@pytest.mark.parametrize("options", [{}, {"max_elements": 5}], ids=["all", "sample"])
def test_cause_in_an_activation(forward, backward, text, options):
    report = check_backward(
        forward, backward, {"a": normal(3, 4, 3)}, backward_takes="inputs", **options
    )
    assert not report.ok
    assert report.causes["a"][0] == text


LAYERS = {
    "bias over the wrong axis": (
        lambda g, x, weight, bias: (g @ weight, g.T @ x, g.sum(1)),
        "bias",
        "numeric = grad_output summed over axis 0, "
        "analytic = the same summed over axis 1: the wrong axis",
    ),
    "weight not transposed": (
        lambda g, x, weight, bias: (g @ weight, x.T @ g, g.sum(0)),
        "weight",
        "numeric = analytic.T: a missing transpose",
    ),
    "mean of the batch": (
        lambda g, x, weight, bias: (g @ weight, g.T @ x, g.mean(0)),
        "bias",
        "numeric = 4 × analytic everywhere: a missing factor 4; "
        "if it is x.shape[0], a mean where a sum belongs",
    ),
    "first samples only": (
        lambda g, x, weight, bias: (np.vstack([g[:2] @ weight, 0 * x[2:]]), g.T @ x, g.sum(0)),
        "x",
        "wrong only at indices 2 to 3 of axis 0, analytic is 0 there: a part that is never written",
    ),
}


@pytest.mark.parametrize(("backward", "name", "text"), LAYERS.values(), ids=LAYERS)
def test_cause_in_a_layer(backward, name, text):
    inputs = linear_inputs(0, n=4, d=4, m=4)  # all shapes agree by chance
    report = check_backward(linear, backward, inputs, backward_takes="inputs")
    assert not report.ok
    assert list(report.causes) == [name]
    assert report.causes[name][0] == text


def test_cause_that_is_an_array_itself():
    report = check_backward(
        lambda x: 2.0 + x, lambda g, x: np.cos(g), {"x": ROWS}, backward_takes="inputs"
    )
    assert report.causes == {"x": ("numeric = grad_output itself",)}
    inputs = {"x": normal(0, 2, 3, 4), "b": normal(1, 4)}
    report = check_backward(
        lambda x, b: x + b, lambda g, x, b: (g, g[0, 0]), inputs, backward_takes="inputs"
    )
    assert report.causes == {"b": ("numeric = grad_output summed over axes 0, 1",)}


def test_a_transpose_with_the_wrong_matrix_has_no_simple_cause():
    inputs = linear_inputs(0, n=4, d=4, m=4)
    report = check_backward(
        linear,
        lambda g, x, weight, bias: (g @ weight.T, g.T @ x, g.sum(0)),
        inputs,
        backward_takes="inputs",
    )
    assert report.worst.name == "x"
    assert report.causes == {}


@pytest.mark.parametrize("backward_takes", ["cache", "inputs"])
def test_a_generator_among_the_options_draws_the_same_numbers_each_time(backward_takes):
    forward, backward = F.dropout, F.dropout_backward
    if backward_takes == "inputs":

        def forward(input, generator):
            return F.dropout(input, generator=generator)[0]

        def backward(grad_output, input, generator):
            return F.dropout_backward(grad_output, F.dropout(input, generator=generator)[1])

    generator = np.random.default_rng(0)
    options = {"generator": generator}
    report = check_backward(
        forward, backward, {"input": normal(0, 4, 3)}, options, backward_takes=backward_takes
    )
    assert report.ok, str(report)
    assert generator.random() == np.random.default_rng(0).random()  # it was not used up


# --- assertions ------------------------------------------------------------------------------


def test_assertions_return_the_report_or_fail_with_it():
    x = normal(0, 4)
    report = assert_gradients(lambda x: np.sum(x**2), {"x": x}, {"x": 2 * x}, 1e-7)
    assert (report.ok, report.rtol) == (True, 1e-7)
    expected = str(check_gradients(lambda x: np.sum(x**2), {"x": x}, {"x": x}, 1e-7))
    with pytest.raises(AssertionError) as raised:
        assert_gradients(lambda x: np.sum(x**2), {"x": x}, {"x": x}, 1e-7)
    assert str(raised.value) == expected
    assert "missing factor 2" in expected

    assert assert_backward(F.tanh, F.tanh_backward, {"input": x}, rtol=1e-7).rtol == 1e-7
    with pytest.raises(AssertionError, match=r"gradients DIFFER: .*\n.*\ninput: numeric = "):
        assert_backward(F.tanh, lambda g, cache: g, {"input": x})


@pytest.mark.parametrize(("function", "arguments"), [(assert_gradients, 3), (assert_backward, 3)])
def test_pytest_shows_the_line_that_called(function, arguments):
    assert "__tracebackhide__" in function.__code__.co_varnames
