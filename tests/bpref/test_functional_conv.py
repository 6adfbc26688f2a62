"""What the tests of the registry can't see in the convolutions: numbers, defaults, equalities."""

import inspect
import itertools
import math
import warnings

import numpy as np
import pytest
import torch
from strategies import assert_like_torch, normal

import bpref.functional as F
from bpref.fast import conv as fast
from bpref.functional._windows import windows


def close(ours, expected):
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-12)


def conv2d_by_loops(x, w, b, stride, padding, dilation):
    """The definition, one multiplication at a time."""
    (n_images, channels, height, width), (outputs, _, kh, kw) = x.shape, w.shape
    oh = (height + 2 * padding - dilation * (kh - 1) - 1) // stride + 1
    ow = (width + 2 * padding - dilation * (kw - 1) - 1) // stride + 1
    y = np.zeros((n_images, outputs, oh, ow))
    for n, o, p, q in np.ndindex(y.shape):
        y[n, o, p, q] = b[o]
        for c, i, j in np.ndindex(channels, kh, kw):
            u, v = p * stride + i * dilation - padding, q * stride + j * dilation - padding
            if 0 <= u < height and 0 <= v < width:
                y[n, o, p, q] += w[o, c, i, j] * x[n, c, u, v]
    return y


@pytest.mark.parametrize("op", [F.conv2d, fast.conv2d])
@pytest.mark.parametrize(
    ("stride", "padding", "dilation"), [(1, 0, 1), (2, 1, 1), (1, 2, 2), (3, 1, 2)]
)
def test_conv2d_is_its_definition(op, stride, padding, dilation):
    x, w, b = normal(0, 2, 3, 6, 7), normal(1, 4, 3, 3, 2), normal(2, 4)
    output, _ = op(x, w, b, stride, padding, dilation)
    close(output, conv2d_by_loops(x, w, b, stride, padding, dilation))


@pytest.mark.parametrize(
    ("op", "backward"),
    [(F.conv2d, F.conv2d_backward), (fast.conv2d, fast.conv2d_backward)],
    ids=["clear", "fast"],
)
def test_conv2d_numbers_by_hand(op, backward):
    x = np.array([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]])
    w = np.array([[[[1.0, 10.0], [100.0, 1000.0]]]])
    output, cache = op(x, w, np.array([0.5]))
    np.testing.assert_array_equal(output, [[[[5421.5, 6532.5]]]])
    grad_input, grad_weight, grad_bias = backward(np.array([[[[1.0, 2.0]]]]), cache)
    np.testing.assert_array_equal(grad_input, [[[[1.0, 12.0, 20.0], [100.0, 1200.0, 2000.0]]]])
    np.testing.assert_array_equal(grad_weight, [[[[5.0, 8.0], [14.0, 17.0]]]])
    np.testing.assert_array_equal(grad_bias, [3.0])


def test_conv_transpose2d_numbers_by_hand():
    w = np.array([[[[1.0, 2.0], [3.0, 4.0]]]])
    output, cache = F.conv_transpose2d(np.array([[[[1.0, 10.0]]]]), w, np.array([0.5]))
    np.testing.assert_array_equal(output, [[[[1.5, 12.5, 20.5], [3.5, 34.5, 40.5]]]])
    delta = np.array([[[[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]]])
    grad_input, grad_weight, grad_bias = F.conv_transpose2d_backward(delta, cache)
    np.testing.assert_array_equal(grad_input, [[[[1.0, 4.0]]]])
    np.testing.assert_array_equal(grad_weight, [[[[1.0, 0.0], [0.0, 10.0]]]])
    np.testing.assert_array_equal(grad_bias, [2.0])


def test_the_forward_pass_of_the_transpose_is_the_backward_pass_of_the_convolution():
    """Each for the other: one weight, one set of options, the gradient of the input alone."""
    shapes = itertools.product([1, 2, 3], [0, 1, 2], [1, 2], [1, 2])
    for seed, (stride, padding, dilation, groups) in enumerate(shapes):
        options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        x, w = normal(seed, 2, 4, 9, 8), normal(seed + 1, 6, 4 // groups, 3, 2)
        y, cache = F.conv2d(x, w, **options)
        delta = normal(seed + 2, *y.shape)
        # What a strided convolution leaves over at the edge has to be said.
        sizes = zip(x.shape[2:], w.shape[2:], strict=True)
        rest = tuple((n + 2 * padding - dilation * (k - 1) - 1) % stride for n, k in sizes)
        transposed, cache_t = F.conv_transpose2d(delta, w, output_padding=rest, **options)
        close(transposed, F.conv2d_backward(delta, cache)[0])
        # The adjoint: <conv(x), δ> = <x, convᵀ(δ)>.
        assert math.isclose(np.sum(y * delta), np.sum(x * transposed), abs_tol=1e-10)
        grad_delta, grad_weight, _ = F.conv_transpose2d_backward(x, cache_t)
        close(grad_delta, y)
        close(grad_weight, F.conv2d_backward(delta, cache)[1])


@pytest.mark.parametrize(
    ("op", "backward", "torch_op", "shapes"),
    [
        (F.conv1d, F.conv1d_backward, "conv1d", ((3, 5), (2, 3, 2))),
        (F.conv2d, F.conv2d_backward, "conv2d", ((3, 5, 4), (2, 3, 2, 3))),
        (fast.conv2d, fast.conv2d_backward, "conv2d", ((3, 5, 4), (2, 3, 2, 3))),
        (
            F.conv_transpose2d,
            F.conv_transpose2d_backward,
            "conv_transpose2d",
            ((3, 5, 4), (3, 2, 2, 3)),
        ),
    ],
    ids=["conv1d", "conv2d", "fast", "conv_transpose2d"],
)
def test_defaults_and_images_without_a_batch_axis(op, backward, torch_op, shapes):
    x, w, b = normal(0, *shapes[0]), normal(1, *shapes[1]), normal(2, 2)
    tensors = [torch.from_numpy(a).requires_grad_() for a in (x, w, b)]
    expected = getattr(torch.nn.functional, torch_op)(*tensors)
    output, cache = op(x, w, b)
    assert_like_torch(output, expected)
    delta = normal(3, *output.shape)
    expected.backward(torch.from_numpy(delta))
    for ours, tensor in zip(backward(delta, cache), tensors, strict=True):
        assert_like_torch(ours, tensor.grad)
    batched, _ = op(x[None], w, b)
    np.testing.assert_array_equal(batched[0], output)
    no_bias, cache = op(x, w)
    assert backward(np.zeros(no_bias.shape), cache)[2] is None


DEFAULTS = {
    "conv1d": {"bias": None, "stride": 1, "padding": 0, "dilation": 1, "groups": 1},
    "conv2d": {"bias": None, "stride": 1, "padding": 0, "dilation": 1, "groups": 1},
    "conv_transpose2d": {
        "bias": None,
        "stride": 1,
        "padding": 0,
        "output_padding": 0,
        "groups": 1,
        "dilation": 1,
    },
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_arguments_in_the_order_of_torch(name):
    functions = [getattr(F, name)] + ([fast.conv2d] if name == "conv2d" else [])
    for function in functions:
        parameters = inspect.signature(function).parameters
        assert list(parameters) == ["input", "weight", *DEFAULTS[name]]
        assert {n: parameters[n].default for n in DEFAULTS[name]} == DEFAULTS[name]


@pytest.mark.parametrize(
    ("op", "backward"),
    [(F.conv2d, F.conv2d_backward), (fast.conv2d, fast.conv2d_backward)],
    ids=["clear", "fast"],
)
@pytest.mark.parametrize("kernel", [(1, 2), (2, 3), (4, 4), (5, 1)])
@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_same_padding_like_torch(op, backward, kernel, dilation):
    """Even kernels too: one side gets one more."""
    x, w = normal(0, 2, 3, 5, 4), normal(1, 2, 3, *kernel)
    tensors = [torch.from_numpy(a).requires_grad_() for a in (x, w)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that PyTorch has to copy
        expected = torch.nn.functional.conv2d(*tensors, padding="same", dilation=dilation)
    output, cache = op(x, w, padding="same", dilation=dilation)
    assert output.shape[2:] == x.shape[2:]
    assert_like_torch(output, expected)
    delta = normal(2, *output.shape)
    expected.backward(torch.from_numpy(delta))
    for ours, tensor in zip(backward(delta, cache), tensors, strict=False):
        assert_like_torch(ours, tensor.grad)


def test_conv1d_same_padding_like_torch():
    x, w = normal(0, 2, 3, 7), normal(1, 2, 3, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        tensors = map(torch.from_numpy, (x, w))
        expected = torch.nn.functional.conv1d(*tensors, padding="same")
    assert_like_torch(F.conv1d(x, w, padding="same")[0], expected)
    np.testing.assert_array_equal(F.conv1d(x, w, padding="valid")[0], F.conv1d(x, w)[0])


def test_one_int_stands_for_both_axes():
    x, w = normal(0, 2, 4, 7, 6), normal(1, 4, 4, 3, 2)
    ints = {"stride": 2, "padding": 1, "dilation": 2}
    pairs = {name: (value, value) for name, value in ints.items()}
    lists = {name: [np.int64(value)] * 2 for name, value in ints.items()}
    for op in (F.conv2d, fast.conv2d, F.conv_transpose2d):
        expected, _ = op(x, w, **ints)
        for options in (pairs, lists):
            np.testing.assert_array_equal(op(x, w, **options)[0], expected)
    one, _ = F.conv1d(x[:, :, 0], w[:, :, 0], **ints)
    one_tuple = {name: (value,) for name, value in ints.items()}
    np.testing.assert_array_equal(F.conv1d(x[:, :, 0], w[:, :, 0], **one_tuple)[0], one)


def test_a_kernel_of_one_pixel_is_a_linear_layer_on_the_channels():
    x, w, b = normal(0, 2, 3, 4, 5), normal(1, 6, 3), normal(2, 6)
    output, _ = F.conv2d(x, w[:, :, None, None], b)
    expected, _ = F.linear(x.transpose(0, 2, 3, 1), w, b)
    close(output.transpose(0, 2, 3, 1), expected)


def test_a_kernel_as_large_as_the_image_is_a_linear_layer():
    x, w, b = normal(0, 2, 3, 4, 5), normal(1, 6, 3, 4, 5), normal(2, 6)
    output, _ = F.conv2d(x, w, b)
    close(output[:, :, 0, 0], F.linear(x.reshape(2, -1), w.reshape(6, -1), b)[0])


def test_a_transposed_convolution_can_leave_a_single_pixel():
    output, _ = F.conv_transpose2d(np.full((1, 1, 1), 2.0), normal(0, 1, 1, 3, 3), padding=1)
    np.testing.assert_array_equal(output, 2.0 * normal(0, 1, 1, 3, 3)[0, :, 1:2, 1:2])


def test_groups_do_not_meet():
    x, w, b = normal(0, 2, 4, 5, 5), normal(1, 6, 2, 3, 3), normal(2, 6)
    output, _ = F.conv2d(x, w, b, groups=2)
    close(output[:, :3], F.conv2d(x[:, :2], w[:3], b[:3])[0])
    close(output[:, 3:], F.conv2d(x[:, 2:], w[3:], b[3:])[0])
    w = normal(3, 4, 3, 3, 3)
    output, cache = F.conv_transpose2d(x, w, b, groups=2)
    close(output[:, :3], F.conv_transpose2d(x[:, :2], w[:2], b[:3])[0])
    close(output[:, 3:], F.conv_transpose2d(x[:, 2:], w[2:], b[3:])[0])
    delta = normal(4, *output.shape)
    close(F.conv_transpose2d_backward(delta, cache)[2], delta.sum(axis=(0, 2, 3)))


def test_conv1d_is_conv2d_on_images_of_one_row():
    x, w, b = normal(0, 2, 4, 9), normal(1, 6, 2, 3), normal(2, 6)
    options = {"stride": 2, "padding": 1, "dilation": 3, "groups": 2}
    output, cache = F.conv1d(x, w, b, **options)
    options["padding"] = (0, 1)
    expected, cache2d = F.conv2d(x[:, :, None], w[:, :, None], b, **options)
    close(output, expected[:, :, 0])
    delta = normal(3, *output.shape)
    gradients = F.conv1d_backward(delta, cache)
    for ours, theirs in zip(gradients, F.conv2d_backward(delta[:, :, None], cache2d), strict=True):
        close(ours, theirs.reshape(ours.shape))


def test_the_cache_refers_to_the_arrays_of_the_caller():
    x, w = normal(0, 2, 3, 5, 4), normal(1, 3, 3, 2, 2)
    for op in (F.conv2d, F.conv_transpose2d):
        _, cache = op(x, w, padding=1)
        assert cache[0] is x
        assert cache[1] is w
        arrays = [a for a in cache if isinstance(a, np.ndarray)]
        assert len(arrays) == 2
    _, (_, cache) = F.conv1d(x[:, :, 0], w[:, :, 0])
    assert np.shares_memory(cache[0], x)
    assert np.shares_memory(cache[1], w)


@pytest.mark.parametrize("name", ["conv1d", "conv2d", "conv_transpose2d"])
def test_an_empty_batch_gives_zero_gradients(name):
    x, w = (np.ones((0, 3, 4)), np.ones((3, 3, 2)))
    if name != "conv1d":
        x, w = np.ones((0, 3, 4, 4)), np.ones((3, 3, 2, 2))
    output, cache = getattr(F, name)(x, w, np.ones(3))
    assert output.size == 0
    grad_input, grad_weight, grad_bias = getattr(F, f"{name}_backward")(output, cache)
    assert grad_input.shape == x.shape
    assert not grad_weight.any()
    assert not grad_bias.any()
    assert grad_weight.shape == w.shape


def test_windows_cover_what_each_element_meets():
    image = np.arange(40).reshape(5, 8)
    found = {
        (i, j): image[window].tolist()
        for i, j, window in windows((2, 2), (2, 3), stride=(2, 1), dilation=(1, 3))
    }
    assert found == {
        (0, 0): [[0, 1, 2], [16, 17, 18]],
        (0, 1): [[3, 4, 5], [19, 20, 21]],
        (1, 0): [[8, 9, 10], [24, 25, 26]],
        (1, 1): [[11, 12, 13], [27, 28, 29]],
    }


# The fast pair


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("block", [1, 100, 1000, 10**6])
@pytest.mark.parametrize(
    ("kernel", "padding", "dilation"),
    [
        ((3, 3), 1, 1),
        ((1, 1), 0, 1),
        ((2, 3), (4, 0), (1, 2)),
        ((3, 2), (0, 5), 2),
        ((2, 2), "same", 1),
    ],
)
def test_fast_in_blocks_of_any_length(monkeypatch, block, kernel, padding, dilation, dtype):
    """Blocks that end within a row, an image, or beyond the last one; paddings of any width."""
    monkeypatch.setattr(fast, "BLOCK", block)
    monkeypatch.setattr(fast, "SHORTEST", 7)
    x, w, b = normal(0, 3, 2, 6, 5), normal(1, 4, 2, *kernel), normal(2, 4)
    arrays = [a.astype(dtype) for a in (x, w, b)]
    options = {"padding": padding, "dilation": dilation}
    output, cache = fast.conv2d(*arrays, **options)
    expected, clear_cache = F.conv2d(*arrays, **options)
    delta = normal(3, *output.shape).astype(dtype)
    pairs = zip(
        (output, *fast.conv2d_backward(delta, cache)),
        (expected, *F.conv2d_backward(delta, clear_cache)),
        strict=True,
    )
    for ours, theirs in pairs:
        assert ours.dtype == theirs.dtype == dtype
        np.testing.assert_allclose(
            ours, theirs, rtol=0, atol=1e-12 if dtype is np.float64 else 1e-4
        )


def test_fast_takes_the_clear_way_with_a_stride_or_groups():
    x, w = normal(0, 2, 4, 6, 5), normal(1, 4, 2, 3, 3)
    for options in ({"groups": 2}, {"groups": 2, "stride": 2}, {"groups": 2, "stride": (1, 2)}):
        _, cache = fast.conv2d(x, w, **options)
        assert cache[0] is None
    _, cache = fast.conv2d(x[:, :2], w, stride=(2, 1))
    assert cache[0] is None
    _, cache = fast.conv2d(x[:, :2], w, padding=1, dilation=2)
    assert isinstance(cache[0], np.ndarray)


def test_fast_refuses_a_wrong_gradient():
    for stride in (1, 2):
        output, cache = fast.conv2d(np.ones((2, 3, 5, 4)), np.ones((2, 3, 2, 2)), stride=stride)
        with pytest.raises(ValueError, match=r"^grad_output: expected shape \(2, 2, "):
            fast.conv2d_backward(np.ones((*output.shape, 1)), cache)
        with pytest.raises(TypeError, match=r"^grad_output: expected dtype float64"):
            fast.conv2d_backward(output.astype(np.float32), cache)


def test_fast_results_do_not_share_memory_with_the_input_or_the_cache():
    x, w = normal(0, 1, 1, 4, 4), np.ones((1, 1, 1, 1))
    output, cache = fast.conv2d(x, w)
    grad_input, _, _ = fast.conv2d_backward(np.ones(output.shape), cache)
    assert not np.shares_memory(output, x)
    assert not np.shares_memory(output, cache[0])
    assert not np.shares_memory(grad_input, cache[0])
