"""Convolutions and poolings refuse bad input with the argument, what was expected and what came."""

import numpy as np
import pytest
from refusing import refused

import bpref.functional as F
from bpref import nn
from bpref.fast import conv as fast

X = np.zeros((2, 4, 5, 6))
W = np.zeros((6, 4, 3, 3))  # conv2d from 4 to 6 channels
V = np.zeros((4, 6, 3, 3))  # conv_transpose2d from 4 to 6 channels
B = np.zeros(6)
LINE, KERNEL = np.zeros((2, 4, 5)), np.zeros((6, 4, 3))


def conv2d(*arguments, **options):
    """The same call of the clear and of the fast function."""
    return [lambda f=f: f(*(arguments or (X, W)), **options) for f in (F.conv2d, fast.conv2d)]


def transposed(**options):
    return [lambda: F.conv_transpose2d(X, V, **options)]


def conv1d(*arguments, **options):
    return [lambda: F.conv1d(*(arguments or (LINE, KERNEL)), **options)]


def pools(*arguments, **options):
    return [lambda f=f: f(*(arguments or (X, 2)), **options) for f in (F.max_pool2d, F.avg_pool2d)]


def module(cls, *arguments, **options):
    return [lambda: getattr(nn, cls)(*arguments, **options)]


ANY_FLOAT = "expected dtype float32 or float64, got"
# name: (calls, error, message)
CASES = {
    "int input": (conv2d(X.astype(int), W), TypeError, f"input: {ANY_FLOAT} int64"),
    "bool weight": (conv2d(X, W.astype(bool)), TypeError, f"weight: {ANY_FLOAT} bool"),
    "mixed bias": (
        conv2d(X, W, B.astype(np.float32)),
        TypeError,
        "bias: expected dtype float64 as of input, got float32",
    ),
    "matrix": (
        conv2d(X[0, 0], W),
        ValueError,
        "input: expected shape (N, C, H, W) or (C, H, W), got (5, 6)",
    ),
    "five axes": (
        conv2d(X[None], W),
        ValueError,
        "input: expected shape (N, C, H, W) or (C, H, W), got (1, 2, 4, 5, 6)",
    ),
    "no rows": (
        conv2d(X[:, :, :0], W),
        ValueError,
        "input: expected no axis of size 0 but the batch, got (2, 4, 0, 6)",
    ),
    "no channels": (
        conv2d(X[0, :0], W),
        ValueError,
        "input: expected no axis of size 0 but the batch, got (0, 5, 6)",
    ),
    "weight transposed": (
        conv2d(X, V),
        ValueError,
        "weight: expected shape (out_channels, 4, kH, kW), got (4, 6, 3, 3)",
    ),
    "weight of a line": (
        conv2d(X, KERNEL),
        ValueError,
        "weight: expected shape (out_channels, 4, kH, kW), got (6, 4, 3)",
    ),
    "weight without groups": (
        conv2d(X, W, groups=2),
        ValueError,
        "weight: expected shape (out_channels, 2, kH, kW), got (6, 4, 3, 3)",
    ),
    "weight empty": (
        conv2d(X, W[:0]),
        ValueError,
        "weight: expected no axis of size 0, got (0, 4, 3, 3)",
    ),
    "bias": (conv2d(X, W, B[:4]), ValueError, "bias: expected shape (6,), got (4,)"),
    "groups of input": (
        conv2d(groups=3),
        ValueError,
        "groups: expected a divisor of the 4 input channels, got 3",
    ),
    "groups of one image": (
        conv2d(X[0], W, groups=3),
        ValueError,
        "groups: expected a divisor of the 4 input channels, got 3",
    ),
    "groups of output": (
        conv2d(X, W[:, :1], groups=4),
        ValueError,
        "groups: expected a divisor of the 6 output channels, got 4",
    ),
    "groups zero": (conv2d(groups=0), ValueError, "groups: expected at least 1, got 0"),
    "groups float": (conv2d(groups=1.0), TypeError, "groups: expected an int, got float"),
    "stride zero": (conv2d(stride=0), ValueError, "stride: expected at least 1, got 0"),
    "stride zero in a pair": (
        conv2d(stride=(1, 0)),
        ValueError,
        "stride: expected at least 1, got (1, 0)",
    ),
    "stride of three": (
        conv2d(stride=(1, 2, 3)),
        TypeError,
        "stride: expected an int or a tuple of 2, got (1, 2, 3)",
    ),
    "stride float": (
        conv2d(stride=(1, 2.0)),
        TypeError,
        "stride: expected an int or a tuple of 2, got (1, 2.0)",
    ),
    "stride bool": (
        conv2d(stride=True),
        TypeError,
        "stride: expected an int or a tuple of 2, got True",
    ),
    "dilation zero": (conv2d(dilation=0), ValueError, "dilation: expected at least 1, got 0"),
    "padding negative": (
        conv2d(padding=(0, -1)),
        ValueError,
        "padding: expected at least 0, got (0, -1)",
    ),
    "padding array": (
        conv2d(padding=np.array([1, 1])),
        TypeError,
        "padding: expected an int or a tuple of 2, got array([1, 1])",
    ),
    "padding text": (
        conv2d(padding="full"),
        ValueError,
        "padding: expected numbers, 'valid' or 'same', got 'full'",
    ),
    "padding same with stride": (
        conv2d(padding="same", stride=(1, 2)),
        ValueError,
        "padding: expected numbers where stride is (1, 2), got 'same'",
    ),
    "kernel too large": (
        conv2d(padding=(1, 0), dilation=(3, 4)),
        ValueError,
        "input: expected at least (7, 9) with padding, got (7, 6)",
    ),
    "conv1d image": (
        conv1d(X, KERNEL),
        ValueError,
        "input: expected shape (N, C, L) or (C, L), got (2, 4, 5, 6)",
    ),
    "conv1d vector": (
        conv1d(LINE[0, 0], KERNEL),
        ValueError,
        "input: expected shape (N, C, L) or (C, L), got (5,)",
    ),
    "conv1d empty": (
        conv1d(LINE[..., :0], KERNEL),
        ValueError,
        "input: expected no axis of size 0 but the batch, got (2, 4, 0)",
    ),
    "conv1d weight": (
        conv1d(LINE, KERNEL[:, :3]),
        ValueError,
        "weight: expected shape (out_channels, 4, kL), got (6, 3, 3)",
    ),
    "conv1d weight of an image": (
        conv1d(LINE, W),
        ValueError,
        "weight: expected shape (out_channels, 4, kL), got (6, 4, 3, 3)",
    ),
    "conv1d bias": (
        conv1d(LINE, KERNEL, B[:, None]),
        ValueError,
        "bias: expected shape (6,), got (6, 1)",
    ),
    "conv1d stride": (
        conv1d(stride=(1, 1)),
        TypeError,
        "stride: expected an int or a tuple of 1, got (1, 1)",
    ),
    "conv1d padding": (
        conv1d(padding="full"),
        ValueError,
        "padding: expected numbers, 'valid' or 'same', got 'full'",
    ),
    "conv1d same with stride": (
        conv1d(padding="same", stride=2),
        ValueError,
        "padding: expected numbers where stride is (2,), got 'same'",
    ),
    "conv1d kernel too long": (
        conv1d(dilation=3),
        ValueError,
        "input: expected at least (7,) with padding, got (5,)",
    ),
    "transposed int": (
        [lambda: F.conv_transpose2d(X.astype(int), V)],
        TypeError,
        f"input: {ANY_FLOAT} int64",
    ),
    "transposed matrix": (
        [lambda: F.conv_transpose2d(X[0, 0], V)],
        ValueError,
        "input: expected shape (N, C, H, W) or (C, H, W), got (5, 6)",
    ),
    "transposed weight": (
        [lambda: F.conv_transpose2d(X, W)],
        ValueError,
        "weight: expected shape (4, out_channels / groups, kH, kW), got (6, 4, 3, 3)",
    ),
    "transposed weight empty": (
        [lambda: F.conv_transpose2d(X, V[:, :0])],
        ValueError,
        "weight: expected no axis of size 0, got (4, 0, 3, 3)",
    ),
    "transposed bias": (
        [lambda: F.conv_transpose2d(X, V, B, groups=2)],
        ValueError,
        "bias: expected shape (12,), got (6,)",
    ),
    "transposed groups": (
        transposed(groups=3),
        ValueError,
        "groups: expected a divisor of the 4 input channels, got 3",
    ),
    "transposed stride": (transposed(stride=0), ValueError, "stride: expected at least 1, got 0"),
    "transposed dilation": (
        transposed(dilation=(0, 1)),
        ValueError,
        "dilation: expected at least 1, got (0, 1)",
    ),
    "transposed padding": (
        transposed(padding="same"),
        TypeError,
        "padding: expected an int or a tuple of 2, got 'same'",
    ),
    "transposed padding negative": (
        transposed(padding=-1),
        ValueError,
        "padding: expected at least 0, got -1",
    ),
    "transposed nothing left": (
        transposed(padding=(0, 4)),
        ValueError,
        "padding: expected to leave at least one pixel of output, got (7, 0)",
    ),
    "output_padding negative": (
        transposed(output_padding=-1),
        ValueError,
        "output_padding: expected at least 0, got -1",
    ),
    "output_padding too large": (
        transposed(output_padding=(1, 2), stride=(2, 1), dilation=(1, 2)),
        ValueError,
        "output_padding: expected less than stride or dilation (2, 2), got (1, 2)",
    ),
    # pooling
    "pool int": (pools(X.astype(int), 2), TypeError, f"input: {ANY_FLOAT} int64"),
    "pool matrix": (
        pools(X[0, 0], 2),
        ValueError,
        "input: expected shape (N, C, H, W) or (C, H, W), got (5, 6)",
    ),
    "pool empty": (
        pools(X[:, :0], 2),
        ValueError,
        "input: expected no axis of size 0 but the batch, got (2, 0, 5, 6)",
    ),
    "pool kernel": (pools(X, 0), ValueError, "kernel_size: expected at least 1, got 0"),
    "pool kernel float": (
        pools(X, 2.0),
        TypeError,
        "kernel_size: expected an int or a tuple of 2, got 2.0",
    ),
    "pool stride": (pools(stride=0), ValueError, "stride: expected at least 1, got 0"),
    "pool padding": (pools(padding=-1), ValueError, "padding: expected at least 0, got -1"),
    "pool padding too large": (
        pools(X, (3, 4), padding=(2, 2)),
        ValueError,
        "padding: expected at most half the kernel, (1, 2), got (2, 2)",
    ),
    "pool dilation": (
        [lambda: F.max_pool2d(X, 2, dilation=0)],
        ValueError,
        "dilation: expected at least 1, got 0",
    ),
    "pool too large": (
        pools(X, (5, 9), padding=(0, 1)),
        ValueError,
        "input: expected at least (5, 9) with padding, got (5, 8)",
    ),
    "pool one image too large": (
        pools(X[0], (5, 7)),
        ValueError,
        "input: expected at least (5, 7) with padding, got (5, 6)",
    ),
    "pool dilated too large": (
        [lambda: F.max_pool2d(X, 3, padding=1, dilation=(4, 1))],
        ValueError,
        "input: expected at least (9, 3) with padding, got (7, 8)",
    ),
    "divisor": (
        [lambda: F.avg_pool2d(X, 2, divisor_override=0)],
        ValueError,
        "divisor_override: expected at least 1, got 0",
    ),
    "divisor float": (
        [lambda: F.avg_pool2d(X, 2, divisor_override=2.0)],
        TypeError,
        "divisor_override: expected an int, got float",
    ),
    # modules
    "Conv2d channels": (
        module("Conv2d", 0, 1, 3),
        ValueError,
        "in_channels: expected at least 1, got 0",
    ),
    "Conv2d outputs": (
        module("Conv2d", 1, 1.5, 3),
        TypeError,
        "out_channels: expected an int, got float",
    ),
    "Conv2d kernel": (
        module("Conv2d", 1, 1, (3, 0)),
        ValueError,
        "kernel_size: expected at least 1, got (3, 0)",
    ),
    "Conv2d stride": (
        module("Conv2d", 1, 1, 3, 0),
        ValueError,
        "stride: expected at least 1, got 0",
    ),
    "Conv2d padding": (
        module("Conv2d", 1, 1, 3, padding=-1),
        ValueError,
        "padding: expected at least 0, got -1",
    ),
    "Conv2d padding text": (
        module("Conv2d", 1, 1, 3, padding="full"),
        ValueError,
        "padding: expected numbers, 'valid' or 'same', got 'full'",
    ),
    "Conv2d same with stride": (
        module("Conv2d", 1, 1, 3, 2, "same"),
        ValueError,
        "padding: expected numbers where stride is (2, 2), got 'same'",
    ),
    "Conv2d dilation": (
        module("Conv2d", 1, 1, 3, dilation=0),
        ValueError,
        "dilation: expected at least 1, got 0",
    ),
    "Conv2d groups": (
        module("Conv2d", 3, 4, 3, groups=2),
        ValueError,
        "groups: expected a divisor of the 3 input channels, got 2",
    ),
    "Conv2d groups zero": (
        module("Conv2d", 3, 4, 3, groups=0),
        ValueError,
        "groups: expected at least 1, got 0",
    ),
    "Conv1d groups": (
        module("Conv1d", 4, 3, 3, groups=2),
        ValueError,
        "groups: expected a divisor of the 3 output channels, got 2",
    ),
    "Conv1d kernel": (
        module("Conv1d", 4, 3, (3, 3)),
        TypeError,
        "kernel_size: expected an int or a tuple of 1, got (3, 3)",
    ),
    "Conv2d padding_mode": (
        module("Conv2d", 1, 1, 3, padding_mode="reflect"),
        ValueError,
        "padding_mode: expected 'zeros', got 'reflect'",
    ),
    "Conv2d dtype": (
        module("Conv2d", 1, 1, 3, dtype=int),
        TypeError,
        "dtype: expected float32 or float64, got <class 'int'>",
    ),
    "Conv2d generator": (
        module("Conv2d", 1, 1, 3, generator=0),
        TypeError,
        "generator: expected a numpy.random.Generator, got int",
    ),
    "Conv2d input": (
        [lambda: nn.Conv2d(3, 2, 3)(X)],
        ValueError,
        "weight: expected shape (out_channels, 4, kH, kW), got (2, 3, 3, 3)",
    ),
    "ConvTranspose2d padding": (
        module("ConvTranspose2d", 1, 1, 3, padding="same"),
        TypeError,
        "padding: expected an int or a tuple of 2, got 'same'",
    ),
    "ConvTranspose2d output_padding": (
        module("ConvTranspose2d", 1, 1, 3, output_padding=-1),
        ValueError,
        "output_padding: expected at least 0, got -1",
    ),
    "MaxPool2d kernel": (
        module("MaxPool2d", 0),
        ValueError,
        "kernel_size: expected at least 1, got 0",
    ),
    "MaxPool2d stride": (
        module("MaxPool2d", 2, 0),
        ValueError,
        "stride: expected at least 1, got 0",
    ),
    "MaxPool2d padding": (
        module("MaxPool2d", 2, padding=-1),
        ValueError,
        "padding: expected at least 0, got -1",
    ),
    "MaxPool2d dilation": (
        module("MaxPool2d", 2, dilation=0),
        ValueError,
        "dilation: expected at least 1, got 0",
    ),
    "MaxPool2d return_indices": (
        module("MaxPool2d", 2, return_indices=True),
        ValueError,
        "return_indices: expected False, got True",
    ),
    "AvgPool2d kernel": (
        module("AvgPool2d", (2, 0)),
        ValueError,
        "kernel_size: expected at least 1, got (2, 0)",
    ),
    "AvgPool2d stride": (
        module("AvgPool2d", 2, 0),
        ValueError,
        "stride: expected at least 1, got 0",
    ),
    "AvgPool2d padding": (
        module("AvgPool2d", 2, padding="same"),
        TypeError,
        "padding: expected an int or a tuple of 2, got 'same'",
    ),
    "AvgPool2d divisor": (
        module("AvgPool2d", 2, divisor_override=0),
        ValueError,
        "divisor_override: expected at least 1, got 0",
    ),
    "Flatten axis": (
        [lambda: nn.Flatten(4)(X)],
        ValueError,
        "start_dim: expected an axis of an array with ndim 4, got 4",
    ),
    "Flatten end": (
        [lambda: nn.Flatten(0, -5)(X)],
        ValueError,
        "end_dim: expected an axis of an array with ndim 4, got -5",
    ),
    "Flatten kind": (
        [lambda: nn.Flatten(1.0)(X)],
        TypeError,
        "start_dim: expected an int, got float",
    ),
    "Flatten order": (
        [lambda: nn.Flatten(2, 1)(X)],
        ValueError,
        "start_dim: expected an axis up to end_dim 1, got 2",
    ),
    "Flatten int": (
        [lambda: nn.Flatten()(X.astype(int))],
        TypeError,
        f"input: {ANY_FLOAT} int64",
    ),
}


@pytest.mark.parametrize(("calls", "error", "message"), CASES.values(), ids=CASES)
def test_message(calls, error, message):
    for call in calls:
        with refused(error, message):
            call()


@pytest.mark.parametrize(
    "name", ["conv1d", "conv2d", "conv_transpose2d", "max_pool2d", "avg_pool2d"]
)
def test_the_gradient_is_that_of_the_output(name):
    arrays = {
        "conv1d": (LINE, KERNEL),
        "conv2d": (X, W),
        "conv_transpose2d": (X, V),
        "max_pool2d": (X, 2),
        "avg_pool2d": (X, 2),
    }
    output, cache = getattr(F, name)(*arrays[name])
    backward = getattr(F, f"{name}_backward")
    message = f"grad_output: expected shape {output.shape}, got (2, 1)"
    with refused(ValueError, message):
        backward(np.zeros((2, 1)), cache)
    message = "grad_output: expected dtype float64 as of the output, got float32"
    with refused(TypeError, message):
        backward(output.astype(np.float32), cache)
