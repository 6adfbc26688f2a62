"""What the tests of the registry can't see in the poolings: numbers, ties, nan, defaults."""

import inspect

import numpy as np
import pytest
import torch
from strategies import assert_like_torch, normal

import bpref.functional as F
from bpref.functional.pooling import arguments

INF, NAN = np.inf, np.nan
X = np.array([[[[1.0, 3.0, 2.0, 0.0], [4.0, 2.0, 2.0, 9.0], [0.0, 7.0, 1.0, 1.0]]]])


def image(rows):
    return np.array([[rows]], dtype=float)


def gradient(op, x, *arguments, delta=None, **options):
    output, cache = getattr(F, op)(x, *arguments, **options)
    delta = np.ones(output.shape) if delta is None else delta
    return getattr(F, f"{op}_backward")(delta, cache)


def test_max_numbers_by_hand():
    output, cache = F.max_pool2d(X, (2, 2), stride=1)
    np.testing.assert_array_equal(output, [[[[4.0, 3.0, 9.0], [7.0, 7.0, 9.0]]]])
    delta = image([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    expected = image([[0.0, 2.0, 0.0, 0.0], [1.0, 0.0, 0.0, 9.0], [0.0, 9.0, 0.0, 0.0]])
    np.testing.assert_array_equal(F.max_pool2d_backward(delta, cache), expected)


def test_average_numbers_by_hand():
    output, cache = F.avg_pool2d(X, (1, 2))
    np.testing.assert_array_equal(output, [[[[2.0, 1.0], [3.0, 5.5], [3.5, 1.0]]]])
    delta = image([[2.0, 4.0], [6.0, 8.0], [10.0, 12.0]])
    expected = image([[1.0, 1.0, 2.0, 2.0], [3.0, 3.0, 4.0, 4.0], [5.0, 5.0, 6.0, 6.0]])
    np.testing.assert_array_equal(F.avg_pool2d_backward(delta, cache), expected)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[2, 5], [5, 5]], [[0, 1], [0, 0]]),  # the first of equal maxima, row by row
        ([[1, 1], [1, 1]], [[1, 0], [0, 0]]),
        ([[-INF, -INF], [-INF, -INF]], [[1, 0], [0, 0]]),
        ([[-INF, -INF], [-INF, -3]], [[0, 0], [0, 1]]),
        ([[INF, 1], [INF, 0]], [[1, 0], [0, 0]]),
        ([[1, NAN], [2, 9]], [[0, 1], [0, 0]]),  # nan beats all
        ([[NAN, 9], [1, 2]], [[1, 0], [0, 0]]),
        ([[1, NAN], [NAN, 2]], [[0, 0], [1, 0]]),  # and the last of several, as in PyTorch
    ],
)
def test_ties_infinities_and_nan_like_torch(rows, expected):
    x = image(rows)
    tensor = torch.from_numpy(x).requires_grad_()
    theirs = torch.nn.functional.max_pool2d(tensor, 2)
    theirs.sum().backward()
    np.testing.assert_array_equal(tensor.grad.numpy()[0, 0], expected)
    np.testing.assert_array_equal(F.max_pool2d(x, 2)[0], theirs.detach().numpy())
    np.testing.assert_array_equal(gradient("max_pool2d", x, 2)[0, 0], expected)


def test_the_padding_never_wins():
    """Even where all pixels are −∞ as the padding is, the first pixel gets the gradient."""
    x = np.full((1, 1, 2, 3), -INF)
    options = {"kernel_size": 3, "stride": 1, "padding": 1}
    tensor = torch.from_numpy(x).requires_grad_()
    theirs = torch.nn.functional.max_pool2d(tensor, **options)
    theirs.sum().backward()
    np.testing.assert_array_equal(F.max_pool2d(x, **options)[0], theirs.detach().numpy())
    np.testing.assert_array_equal(gradient("max_pool2d", x, **options), tensor.grad.numpy())
    assert (F.max_pool2d(-np.ones((1, 1, 4, 4)), 2, padding=1)[0] == -1.0).all()


def test_a_window_of_padding_alone():
    """A dilated window can miss the image: its output is −∞ and nothing gets its gradient."""
    x = np.ones((2, 1, 1, 1))
    output, cache = F.max_pool2d(x, 2, padding=1, dilation=2)
    np.testing.assert_array_equal(output, np.full((2, 1, 1, 1), -INF))
    grad_input = F.max_pool2d_backward(np.ones(output.shape), cache)
    np.testing.assert_array_equal(grad_input, np.zeros(x.shape))


@pytest.mark.parametrize("size", range(1, 12))
@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
@pytest.mark.parametrize("ceil_mode", [False, True])
def test_every_size_like_torch(size, kernel, ceil_mode):
    """The number of windows, and the divisor where one hangs over the edge."""
    for stride in (1, 2, 3, 5):
        for padding in range(kernel // 2 + 1):
            if size + 2 * padding < kernel:
                continue
            options = {"kernel_size": (kernel, 1), "stride": (stride, 1), "padding": (padding, 0)}
            options["ceil_mode"] = ceil_mode
            x = normal(size, 2, size, 2)
            for op, more in (
                ("max_pool2d", {}),
                ("avg_pool2d", {}),
                ("avg_pool2d", {"count_include_pad": False}),
                ("avg_pool2d", {"divisor_override": 3}),
            ):
                tensor = torch.from_numpy(x).requires_grad_()
                theirs = getattr(torch.nn.functional, op)(tensor, **options, **more)
                output, cache = getattr(F, op)(x, **options, **more)
                assert_like_torch(output, theirs)
                delta = normal(1, *output.shape)
                theirs.backward(torch.from_numpy(delta))
                assert_like_torch(getattr(F, f"{op}_backward")(delta, cache), tensor.grad)


def test_what_hangs_over_does_not_count_but_padding_does():
    x = np.ones((1, 1, 1, 4))
    options = {"kernel_size": (1, 3), "stride": 3, "padding": (0, 1), "ceil_mode": True}
    np.testing.assert_array_equal(F.avg_pool2d(x, **options)[0][0, 0], [[2 / 3, 2 / 3]])
    options["count_include_pad"] = False
    np.testing.assert_array_equal(F.avg_pool2d(x, **options)[0][0, 0], [[1.0, 1.0]])
    options["divisor_override"] = 1
    np.testing.assert_array_equal(F.avg_pool2d(x, **options)[0][0, 0], [[2.0, 2.0]])


@pytest.mark.parametrize(
    ("op", "defaults"),
    [
        (F.max_pool2d, {"stride": None, "padding": 0, "dilation": 1, "ceil_mode": False}),
        (
            F.avg_pool2d,
            {
                "stride": None,
                "padding": 0,
                "ceil_mode": False,
                "count_include_pad": True,
                "divisor_override": None,
            },
        ),
    ],
)
def test_arguments_in_the_order_of_torch(op, defaults):
    parameters = inspect.signature(op).parameters
    assert list(parameters) == ["input", "kernel_size", *defaults]
    assert {name: parameters[name].default for name in defaults} == defaults


@pytest.mark.parametrize("op", ["max_pool2d", "avg_pool2d"])
def test_defaults_and_images_without_a_batch_axis(op):
    x = normal(0, 2, 5, 7)
    tensor = torch.from_numpy(x).requires_grad_()
    expected = getattr(torch.nn.functional, op)(tensor, 2)
    output, _ = getattr(F, op)(x, 2)
    assert_like_torch(output, expected)
    expected.sum().backward()
    assert_like_torch(gradient(op, x, 2), tensor.grad)
    np.testing.assert_array_equal(getattr(F, op)(x[None], [np.int64(2), 2])[0][0], output)
    empty = getattr(F, op)(np.ones((0, 3, 4, 4)), 2)[0]
    assert empty.shape == (0, 3, 2, 2)
    assert gradient(op, np.ones((0, 3, 4, 4)), 2).shape == (0, 3, 4, 4)


def test_an_average_is_a_convolution_with_equal_weights():
    x = normal(0, 2, 3, 6, 7)
    kernel = np.full((3, 1, 3, 2), 1 / 6)
    expected, _ = F.conv2d(x, kernel, stride=(2, 1), padding=1, groups=3)
    output, _ = F.avg_pool2d(x, (3, 2), (2, 1), 1)
    np.testing.assert_allclose(output, expected, rtol=0, atol=1e-14)


def test_integer_options_keep_float32():
    x = np.ones((1, 1, 4, 4), np.float32)
    for options in ({}, {"divisor_override": 3}, {"count_include_pad": False, "padding": 1}):
        output, cache = F.avg_pool2d(x, 2, **options)
        assert output.dtype == np.float32
        assert F.avg_pool2d_backward(output, cache).dtype == np.float32
    output, cache = F.max_pool2d(x, 2, padding=1)
    assert output.dtype == F.max_pool2d_backward(output, cache).dtype == np.float32


def test_the_padding_ends_with_the_last_window():
    """At the right and below: `padding`, and what the last window needs beyond it, no more."""
    x = np.ones((1, 5, 7))
    for kernel, stride, padding, ceil_mode, expected in (
        (2, 2, 0, False, ((0, 0), (0, 0))),
        (2, 2, 0, True, ((0, 1), (0, 1))),
        (3, 3, 1, True, ((1, 1), (1, 1))),
        (4, 3, 1, False, ((1, 1), (1, 1))),
        (4, 3, 1, True, ((1, 1), (1, 2))),
    ):
        *_, around, _, _ = arguments(x, kernel, stride, padding, 1, ceil_mode)
        assert around == expected, (kernel, stride, padding, ceil_mode)
