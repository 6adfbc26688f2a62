"""Initial values: bounds and deviations by formula, by statistics, and against PyTorch."""

import math

import numpy as np
import pytest
import torch

from bpref import init, nn

SHAPE = (200, 500)  # fan_out 200, fan_in 500
KERNEL = (40, 20, 5, 5)


def rng(seed=0):
    return np.random.default_rng(seed)


def torch_std(name, shape, **kwargs):
    """The standard deviation that PyTorch draws with, from a large sample."""
    torch.manual_seed(0)
    return float(getattr(torch.nn.init, name)(torch.empty(shape), **kwargs).std())


UNIFORM = {
    "xavier": (init.xavier_uniform_, {}, math.sqrt(6 / 700)),
    "xavier_gain": (init.xavier_uniform_, {"gain": 5 / 3}, 5 / 3 * math.sqrt(6 / 700)),
    "he": (init.kaiming_uniform_, {}, math.sqrt(6 / 500)),
    "he_fan_out": (init.kaiming_uniform_, {"mode": "fan_out"}, math.sqrt(6 / 200)),
    "he_tanh": (init.kaiming_uniform_, {"nonlinearity": "tanh"}, 5 / 3 * math.sqrt(3 / 500)),
    "he_slope": (init.kaiming_uniform_, {"a": math.sqrt(5)}, 1 / math.sqrt(500)),
    "linear": (init.linear_, {}, 1 / math.sqrt(500)),
    "uniform": (init.uniform_, {"a": -0.3, "b": 0.3}, 0.3),
}
NORMAL = {
    "xavier": (init.xavier_normal_, {}, math.sqrt(2 / 700)),
    "xavier_gain": (init.xavier_normal_, {"gain": 2.0}, 2 * math.sqrt(2 / 700)),
    "he": (init.kaiming_normal_, {}, math.sqrt(2 / 500)),
    "he_fan_out": (init.kaiming_normal_, {"mode": "fan_out"}, math.sqrt(2 / 200)),
    "he_linear": (init.kaiming_normal_, {"nonlinearity": "linear"}, 1 / math.sqrt(500)),
    "normal": (init.normal_, {"std": 0.2}, 0.2),
}


@pytest.mark.parametrize(("fill", "kwargs", "bound"), UNIFORM.values(), ids=UNIFORM)
def test_uniform_bounds(fill, kwargs, bound):
    array = fill(np.empty(SHAPE), generator=rng(), **kwargs)
    assert np.abs(array).max() <= bound
    assert np.abs(array).max() > 0.999 * bound  # 100 000 draws come close
    assert abs(array.mean()) < 0.01 * bound
    np.testing.assert_allclose(array.std(), bound / math.sqrt(3), rtol=0.01)


@pytest.mark.parametrize(("fill", "kwargs", "std"), NORMAL.values(), ids=NORMAL)
def test_normal_deviation(fill, kwargs, std):
    array = fill(np.empty(SHAPE), generator=rng(), **kwargs)
    assert abs(array.mean()) < 0.02 * std
    np.testing.assert_allclose(array.std(), std, rtol=0.01)
    np.testing.assert_allclose((abs(array) < std).mean(), 0.6827, atol=0.01)


@pytest.mark.parametrize("shape", [SHAPE, KERNEL], ids=["linear", "kernel"])
@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("xavier_uniform_", {"gain": 1.5}),
        ("xavier_normal_", {}),
        ("kaiming_uniform_", {"a": 0.2}),
        ("kaiming_uniform_", {"mode": "fan_out", "nonlinearity": "relu"}),
        ("kaiming_normal_", {"mode": "fan_out"}),
        ("kaiming_normal_", {"nonlinearity": "sigmoid"}),
    ],
)
def test_deviation_like_torch(name, kwargs, shape):
    ours = getattr(init, name)(np.empty(shape), generator=rng(), **kwargs).std()
    np.testing.assert_allclose(ours, torch_std(name, shape, **kwargs), rtol=0.02)


@pytest.mark.parametrize("name", ["linear", "sigmoid", "tanh", "relu", "leaky_relu"])
def test_gain_like_torch(name):
    assert init.calculate_gain(name) == pytest.approx(torch.nn.init.calculate_gain(name), rel=1e-15)


def test_gain_of_a_slope_like_torch():
    assert init.calculate_gain("leaky_relu", 0.3) == torch.nn.init.calculate_gain("leaky_relu", 0.3)


def test_linear_layer_like_torch():
    torch.manual_seed(0)
    theirs = torch.nn.Linear(500, 2000)
    ours = nn.Linear(500, 2000, generator=rng())
    for a, b in ((ours.weight, theirs.weight), (ours.bias, theirs.bias)):
        b = b.detach().numpy()
        np.testing.assert_allclose(abs(a.data).max(), abs(b).max(), rtol=0.01)
        np.testing.assert_allclose(a.data.std(), b.std(), rtol=0.05)


@pytest.mark.parametrize(
    "fill", [f for f, _, _ in (*UNIFORM.values(), *NORMAL.values())], ids=lambda f: f.__name__
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_in_place_same_generator_same_values(fill, dtype):
    array = np.empty((3, 4), dtype)
    assert fill(array, generator=rng(7)) is array
    np.testing.assert_array_equal(array, fill(np.empty((3, 4), dtype), generator=rng(7)))
    assert (array != fill(np.empty((3, 4), dtype), generator=rng(8))).any()
    assert array.dtype == dtype


def test_without_generator_two_calls_differ():
    assert (init.normal_(np.empty(5)) != init.normal_(np.empty(5))).any()


def test_constants():
    np.testing.assert_array_equal(init.constant_(np.empty((2, 2)), 3), 3.0)
    np.testing.assert_array_equal(init.zeros_(np.ones(4)), 0.0)


def test_views_are_filled():
    net = nn.MLP([4, 3, 1], generator=rng())
    init.kaiming_normal_(net[0].weight.data, generator=rng(1))
    np.testing.assert_array_equal(net.flat_vectors()[0][:12], net[0].weight.data.ravel())
