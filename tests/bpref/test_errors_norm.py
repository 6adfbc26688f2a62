"""The normalisations refuse bad input with the argument, what was expected and what came."""

import numpy as np
import pytest
from refusing import refused

import bpref.functional as F
from bpref import nn
from bpref.fast import norm as fast

X = np.zeros((4, 3))
IMAGES = np.zeros((2, 4, 3, 3))
ONE = np.ones(3)
INTS = np.zeros((4, 3), int)
ONE32 = ONE.astype(np.float32)


def both(name, *arguments, **options):
    """The same call of the clear and of the fast function."""
    return [(lambda f=f: f(*arguments, **options)) for f in (getattr(F, name), getattr(fast, name))]


# name: (calls, error, message)
CASES = {
    "batch_norm int": (
        both("batch_norm", INTS, ONE, ONE),
        TypeError,
        "input: expected dtype float32 or float64, got int64",
    ),
    "batch_norm none": (
        both("batch_norm", None, ONE, ONE),
        TypeError,
        "input: expected dtype float32 or float64, got object",
    ),
    "batch_norm mixed": (
        both("batch_norm", X, ONE, ONE32),
        TypeError,
        "running_var: expected dtype float64 as of input, got float32",
    ),
    "batch_norm vector": (
        both("batch_norm", ONE, ONE, ONE),
        ValueError,
        "input: expected shape (N, C, ...) with C at least 1, got (3,)",
    ),
    "batch_norm no channels": (
        both("batch_norm", np.zeros((4, 0)), np.zeros(0), np.zeros(0)),
        ValueError,
        "input: expected shape (N, C, ...) with C at least 1, got (4, 0)",
    ),
    "batch_norm mean": (
        both("batch_norm", X, np.zeros(4), ONE),
        ValueError,
        "running_mean: expected shape (3,), got (4,)",
    ),
    "batch_norm var": (
        both("batch_norm", X, ONE, np.zeros((3, 1))),
        ValueError,
        "running_var: expected shape (3,), got (3, 1)",
    ),
    "batch_norm weight": (
        both("batch_norm", X, ONE, ONE, np.ones(2)),
        ValueError,
        "weight: expected shape (3,), got (2,)",
    ),
    "batch_norm bias": (
        both("batch_norm", X, ONE, ONE, ONE, np.ones(())),
        ValueError,
        "bias: expected shape (3,), got ()",
    ),
    "batch_norm no statistics": (
        both("batch_norm", X, None, None),
        ValueError,
        "running_mean: expected an array when training is False, got None",
    ),
    "batch_norm only a mean": (
        both("batch_norm", X, ONE, None, training=True),
        ValueError,
        "running_var: expected an array like the other statistic, got None",
    ),
    "batch_norm only a variance": (
        both("batch_norm", X, None, ONE, training=True),
        ValueError,
        "running_mean: expected an array like the other statistic, got None",
    ),
    "batch_norm one value": (
        both("batch_norm", X[:1], ONE, ONE, training=True),
        ValueError,
        "input: expected more than one value per channel in training, got shape (1, 3)",
    ),
    "batch_norm one pixel": (
        both("batch_norm", np.zeros((1, 3, 1, 1)), ONE, ONE, training=True),
        ValueError,
        "input: expected more than one value per channel in training, got shape (1, 3, 1, 1)",
    ),
    "batch_norm momentum": (
        both("batch_norm", X, ONE, ONE, momentum=None),
        TypeError,
        "momentum: expected a number, got NoneType",
    ),
    "batch_norm eps": (
        both("batch_norm", X, ONE, ONE, eps=0.0),
        ValueError,
        "eps: expected a number above 0, got 0.0",
    ),
    "layer_norm int": (
        both("layer_norm", INTS, 3),
        TypeError,
        "input: expected dtype float32 or float64, got int64",
    ),
    "layer_norm mixed": (
        both("layer_norm", X, 3, ONE32),
        TypeError,
        "weight: expected dtype float64 as of input, got float32",
    ),
    "layer_norm shape": (
        both("layer_norm", X, (4, 2)),
        ValueError,
        "input: expected shape (..., 4, 2), got (4, 3)",
    ),
    "layer_norm too few axes": (
        both("layer_norm", X, (2, 4, 3)),
        ValueError,
        "input: expected shape (..., 2, 4, 3), got (4, 3)",
    ),
    "layer_norm no axis": (
        both("layer_norm", X, ()),
        ValueError,
        "normalized_shape: expected at least one size, got ()",
    ),
    "layer_norm size 0": (
        both("layer_norm", np.zeros((4, 0)), 0),
        ValueError,
        "normalized_shape: expected at least 1, got 0",
    ),
    "layer_norm float size": (
        both("layer_norm", X, (4, 3.0)),
        TypeError,
        "normalized_shape[1]: expected an int, got float",
    ),
    "layer_norm weight": (
        both("layer_norm", X, 3, np.ones(4)),
        ValueError,
        "weight: expected shape (3,), got (4,)",
    ),
    "layer_norm bias": (
        both("layer_norm", X, (4, 3), None, ONE),
        ValueError,
        "bias: expected shape (4, 3), got (3,)",
    ),
    "layer_norm eps": (
        both("layer_norm", X, 3, eps=-1e-5),
        ValueError,
        "eps: expected a number above 0, got -1e-05",
    ),
    "group_norm int": (
        [lambda: F.group_norm(INTS, 1)],
        TypeError,
        "input: expected dtype float32 or float64, got int64",
    ),
    "group_norm vector": (
        [lambda: F.group_norm(ONE, 1)],
        ValueError,
        "input: expected shape (N, C, ...) with C at least 1, got (3,)",
    ),
    "group_norm divisor": (
        [lambda: F.group_norm(IMAGES, 3)],
        ValueError,
        "num_groups: expected a divisor of 4 channels, got 3",
    ),
    "group_norm no group": (
        [lambda: F.group_norm(IMAGES, 0)],
        ValueError,
        "num_groups: expected at least 1, got 0",
    ),
    "group_norm weight": (
        [lambda: F.group_norm(IMAGES, 2, ONE)],
        ValueError,
        "weight: expected shape (4,), got (3,)",
    ),
    "group_norm bias": (
        [lambda: F.group_norm(IMAGES, 2, None, ONE)],
        ValueError,
        "bias: expected shape (4,), got (3,)",
    ),
    "group_norm eps": (
        [lambda: F.group_norm(IMAGES, 2, eps=0)],
        ValueError,
        "eps: expected a number above 0, got 0",
    ),
    "rms_norm int": (
        [lambda: F.rms_norm(INTS, 3)],
        TypeError,
        "input: expected dtype float32 or float64, got int64",
    ),
    "rms_norm shape": (
        [lambda: F.rms_norm(X, 4)],
        ValueError,
        "input: expected shape (..., 4), got (4, 3)",
    ),
    "rms_norm weight": (
        [lambda: F.rms_norm(X, 3, np.ones((4, 3)))],
        ValueError,
        "weight: expected shape (3,), got (4, 3)",
    ),
    "rms_norm eps": (
        [lambda: F.rms_norm(X, 3, eps=0.0)],
        ValueError,
        "eps: expected a number above 0, got 0.0",
    ),
    "fast grad shape": (
        [
            lambda: fast.layer_norm_backward(ONE, fast.layer_norm(X, 3)[1]),
            lambda: fast.batch_norm_backward(ONE, fast.batch_norm(X, ONE, ONE)[1]),
            lambda: fast.batch_norm_backward(ONE, fast.batch_norm(X, ONE, ONE, training=True)[1]),
        ],
        ValueError,
        "grad_output: expected shape (4, 3), got (3,)",
    ),
    # modules
    "BatchNorm1d images": (
        [lambda: nn.BatchNorm1d(4)(IMAGES)],
        ValueError,
        "input: expected shape (N, 4) or (N, 4, L), got (2, 4, 3, 3)",
    ),
    "BatchNorm1d channels": (
        [lambda: nn.BatchNorm1d(4, affine=False, track_running_stats=False)(X)],
        ValueError,
        "input: expected shape (N, 4) or (N, 4, L), got (4, 3)",
    ),
    "BatchNorm2d rows": (
        [lambda: nn.BatchNorm2d(3)(X)],
        ValueError,
        "input: expected shape (N, 3, H, W), got (4, 3)",
    ),
    "BatchNorm1d int": (
        [lambda: nn.BatchNorm1d(3)(INTS)],
        TypeError,
        "input: expected dtype float32 or float64, got int64",
    ),
    "BatchNorm1d float32": (
        [lambda: nn.BatchNorm1d(3)(X.astype(np.float32))],
        TypeError,
        "running_mean: expected dtype float32 as of input, got float64",
    ),
    "BatchNorm1d size": (
        [lambda: nn.BatchNorm1d(0)],
        ValueError,
        "num_features: expected at least 1, got 0",
    ),
    "BatchNorm1d eps": (
        [lambda: nn.BatchNorm1d(3, 0.0)],
        ValueError,
        "eps: expected a number above 0, got 0.0",
    ),
    "BatchNorm1d momentum": (
        [lambda: nn.BatchNorm1d(3, momentum="all")],
        TypeError,
        "momentum: expected a number, got str",
    ),
    "BatchNorm1d dtype": (
        [
            lambda: nn.BatchNorm1d(3, dtype=int),
            lambda: nn.LayerNorm(3, elementwise_affine=False, dtype=int),
        ],
        TypeError,
        "dtype: expected float32 or float64, got <class 'int'>",
    ),
    "LayerNorm size": (
        [lambda: nn.LayerNorm((3, 0)), lambda: nn.RMSNorm((3, 0))],
        ValueError,
        "normalized_shape[1]: expected at least 1, got 0",
    ),
    "LayerNorm eps": (
        [lambda: nn.LayerNorm(3, -1.0), lambda: nn.RMSNorm(3, -1.0)],
        ValueError,
        "eps: expected a number above 0, got -1.0",
    ),
    "GroupNorm divisor": (
        [lambda: nn.GroupNorm(3, 4)],
        ValueError,
        "num_groups: expected a divisor of 4 channels, got 3",
    ),
    "GroupNorm size": (
        [lambda: nn.GroupNorm(3, 4.0)],
        TypeError,
        "num_channels: expected an int, got float",
    ),
    "GroupNorm eps": (
        [lambda: nn.GroupNorm(2, 4, 0.0)],
        ValueError,
        "eps: expected a number above 0, got 0.0",
    ),
    "GroupNorm channels": (
        [lambda: nn.GroupNorm(2, 4, affine=False)(X)],
        ValueError,
        "input: expected shape (N, 4, ...), got (4, 3)",
    ),
    "GroupNorm int": (
        [lambda: nn.GroupNorm(1, 3)(INTS)],
        TypeError,
        "input: expected dtype float32 or float64, got int64",
    ),
}


@pytest.mark.parametrize(("calls", "error", "message"), CASES.values(), ids=CASES)
def test_refused_by_name(calls, error, message):
    for call in calls:
        with refused(error, message):
            call()
