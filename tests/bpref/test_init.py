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


CONVOLUTIONS = [f"conv{kind}{axes}d" for axes in "123" for kind in ("", "_transpose")]


@pytest.mark.parametrize(
    "name", ["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu", *CONVOLUTIONS]
)
def test_gain_like_torch(name):
    assert init.calculate_gain(name) == pytest.approx(torch.nn.init.calculate_gain(name), rel=1e-15)


def test_gain_of_the_identity():
    assert init.calculate_gain("identity") == 1.0


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


# Constants


def test_ones_and_identity():
    np.testing.assert_array_equal(init.ones_(np.zeros((2, 3), np.float32)), np.ones((2, 3)))
    for shape in [(2, 2), (2, 4), (4, 2), (0, 3)]:
        array = np.full(shape, 7.0)
        assert init.eye_(array) is array
        np.testing.assert_array_equal(array, np.eye(*shape))
        if array.size:
            expected = torch.nn.init.eye_(torch.empty(shape, dtype=torch.float64)).numpy()
            np.testing.assert_array_equal(array, expected)


# Orthogonal


@pytest.mark.parametrize(
    "shape", [(1, 1), (4, 4), (3, 7), (7, 3), (1, 5), (5, 1), (6, 2, 3), (4, 2, 3, 3), (20, 1, 3)]
)
@pytest.mark.parametrize("gain", [1.0, -0.5, 3])
def test_orthogonal_rows_or_columns(shape, gain):
    array = np.empty(shape)
    assert init.orthogonal_(array, gain, rng()) is array
    matrix = array.reshape(shape[0], -1)
    short = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    np.testing.assert_allclose(short @ short.T, gain**2 * np.eye(len(short)), atol=1e-12)


@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (7, 3), (4, 2, 3)])
def test_orthogonal_like_torch(shape):
    """From the same normal values: PyTorch's draws are replaced by NumPy's."""
    rows, columns = shape[0], math.prod(shape[1:])
    draws = rng(5).normal(size=(max(rows, columns), min(rows, columns)))
    q, r = torch.linalg.qr(torch.from_numpy(draws))
    q = q * torch.diag(r, 0).sign()
    expected = 2 * (q if rows >= columns else q.T).reshape(shape)
    ours = init.orthogonal_(np.empty(shape), gain=2, generator=rng(5))
    np.testing.assert_allclose(ours, expected.numpy(), atol=1e-12)


@pytest.mark.parametrize("shape", [(2, 2), (2, 3), (3, 2)])
def test_orthogonal_is_uniform(shape):
    """Every element has mean 0 and mean square 1/max(shape): 4000 draws, five deviations."""
    generator = rng(0)
    draws = np.array([init.orthogonal_(np.empty(shape), generator=generator) for _ in range(4000)])
    assert np.abs(draws.mean(axis=0)).max() < 5 / math.sqrt(4000 * max(shape))
    np.testing.assert_allclose((draws**2).mean(axis=0), 1 / max(shape), atol=5 * 0.36 / 63)


def test_orthogonal_float32_and_defaults():
    array = init.orthogonal_(np.empty((3, 4), np.float32), generator=rng())
    assert array.dtype == np.float32
    np.testing.assert_allclose(array @ array.T, np.eye(3), atol=1e-6)
    np.testing.assert_array_equal(
        array, init.orthogonal_(np.empty((3, 4)), 1, rng()).astype(np.float32)
    )
    assert (init.orthogonal_(np.empty((2, 2))) != init.orthogonal_(np.empty((2, 2)))).any()


def test_orthogonal_fills_a_view():
    whole = np.zeros((6, 8))
    init.orthogonal_(whole[::2, ::2], generator=rng())
    np.testing.assert_allclose(whole[::2, ::2] @ whole[::2, ::2].T, np.eye(3), atol=1e-12)
    assert not whole[1::2].any()
    assert not whole[:, 1::2].any()


# The defaults of PyTorch's layers: all parameters of a large layer, ours against theirs

LAYERS = {
    "Conv1d": (lambda: torch.nn.Conv1d(30, 400, 7, groups=2), 1 / math.sqrt(15 * 7)),
    "Conv2d": (lambda: torch.nn.Conv2d(16, 400, (3, 5)), 1 / math.sqrt(16 * 15)),
    "ConvTranspose2d": (
        lambda: torch.nn.ConvTranspose2d(90, 400, 3, groups=2),
        1 / math.sqrt(200 * 9),
    ),
    "RNN": (lambda: torch.nn.RNN(40, 400), 1 / math.sqrt(400)),
    "LSTM": (lambda: torch.nn.LSTM(30, 300), 1 / math.sqrt(300)),
    "GRU": (lambda: torch.nn.GRU(30, 300), 1 / math.sqrt(300)),
}


def fill(name, arrays):
    if name.startswith("Conv"):
        assert init.conv_(arrays["weight"], arrays["bias"], rng()) is arrays["weight"]
    else:
        hidden = arrays["weight_hh_l0"].shape[1]
        assert init.recurrent_(arrays.values(), hidden, rng()) is None


@pytest.mark.parametrize("name", LAYERS)
def test_layers_with_one_bound_like_torch(name):
    make, bound = LAYERS[name]
    torch.manual_seed(0)
    theirs = {key: value.detach().numpy() for key, value in make().named_parameters()}
    ours = {key: np.full_like(value, np.nan) for key, value in theirs.items()}
    fill(name, ours)
    for arrays in (ours, theirs):
        for array in arrays.values():
            assert array.dtype == np.float32
            assert np.abs(array).max() <= np.float32(bound)
            assert np.abs(array).max() > 0.97 * bound  # at least 300 draws
            np.testing.assert_allclose(array.std(), bound / math.sqrt(3), rtol=0.08)
            assert abs(array.mean()) < 0.15 * bound
    first, second, *_ = ours.values()
    assert first.ravel()[0] != second.ravel()[0]  # each draws its own


def test_a_convolution_without_bias():
    a, b = np.empty((2, 3, 3)), np.empty((2, 3, 3))
    init.conv_(a, generator=rng())
    init.conv_(b, np.empty(2), rng())
    np.testing.assert_array_equal(a, b)
    assert (init.conv_(np.empty((2, 3, 3))) != a).any()


def test_embedding_like_torch():
    torch.manual_seed(0)
    theirs = torch.nn.Embedding(500, 80, padding_idx=3).weight.detach().numpy()
    ours = np.empty((500, 80), np.float32)
    assert init.embedding_(ours, padding_idx=3, generator=rng()) is ours
    for table in (ours, theirs):
        assert not table[3].any()
        rest = np.delete(table, 3, axis=0)
        assert abs(rest.mean()) < 0.02
        np.testing.assert_allclose(rest.std(), 1.0, rtol=0.02)
        np.testing.assert_allclose((abs(rest) < 1).mean(), 0.6827, atol=0.01)


@pytest.mark.parametrize("padding_idx", [None, 0, 4, -1, -5])
def test_embedding_padding(padding_idx):
    ours = init.embedding_(np.empty((5, 3)), padding_idx, rng())
    expected = rng().normal(size=(5, 3))
    if padding_idx is not None:
        expected[padding_idx] = 0.0
    np.testing.assert_array_equal(ours, expected)
    np.testing.assert_array_equal(init.embedding_(np.empty((5, 3)), None, rng(1))[0] == 0, False)


def test_multi_head_attention_like_torch():
    torch.manual_seed(0)
    layer = torch.nn.MultiheadAttention(128, 4)
    theirs = {key: value.detach().numpy() for key, value in layer.named_parameters()}
    ours = {key: np.full_like(value, np.nan) for key, value in theirs.items()}
    init.multi_head_attention_(
        ours["in_proj_weight"],
        ours["out_proj.weight"],
        ours["in_proj_bias"],
        ours["out_proj.bias"],
        rng(),
    )
    bounds = {"in_proj_weight": math.sqrt(6 / 512), "out_proj.weight": 1 / math.sqrt(128)}
    for arrays in (ours, theirs):
        for key, bound in bounds.items():
            assert np.abs(arrays[key]).max() <= np.float32(bound)
            assert np.abs(arrays[key]).max() > 0.999 * bound
            np.testing.assert_allclose(arrays[key].std(), bound / math.sqrt(3), rtol=0.02)
        assert not arrays["in_proj_bias"].any()
        assert not arrays["out_proj.bias"].any()
    pair = np.empty((6, 2)), np.empty((2, 2))
    assert init.multi_head_attention_(*pair) is None  # without biases and generator


def test_one_generator_draws_all_in_turn():
    """Weight, then bias; the arrays in their order: a seed gives the same layer everywhere."""
    weight, bias = np.empty((2, 4)), np.empty(2)
    init.conv_(weight, bias, rng())
    draws = rng().uniform(-0.5, 0.5, size=10)
    np.testing.assert_array_equal(np.concatenate([weight.ravel(), bias]), draws)
    init.recurrent_(iter([weight, bias]), 4, rng())
    np.testing.assert_array_equal(np.concatenate([weight.ravel(), bias]), draws)
    square = np.empty((2, 2))
    init.multi_head_attention_(weight, square, generator=rng())
    generator = rng()
    np.testing.assert_allclose(weight, generator.uniform(-1, 1, size=(2, 4)), rtol=1e-15)
    bound = 1 / math.sqrt(2)
    np.testing.assert_array_equal(square, generator.uniform(-bound, bound, size=(2, 2)))
