"""Normalisation beyond the registry: running statistics, defaults, constant rows, equalities."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from registry import assert_close
from strategies import assert_like_torch, normal

import bpref.functional as F
from bpref.fast import norm as fast

functional = torch.nn.functional
PAIRS = {
    "clear": (F.batch_norm, F.batch_norm_backward),
    "fast": (fast.batch_norm, fast.batch_norm_backward),
}
every_batch_norm = pytest.mark.parametrize(("op", "backward"), PAIRS.values(), ids=PAIRS)


def tensor(array):
    return torch.from_numpy(array.copy())


# batch_norm: running statistics


@every_batch_norm
@pytest.mark.parametrize("shape", [(2, 3), (5, 3), (1, 3, 2), (4, 3, 2), (2, 3, 2, 4)])
@pytest.mark.parametrize("momentum", [0.1, 0.0, 0.7, 1.0])
def test_running_statistics_like_torch(op, backward, shape, momentum):
    x, mean, var = normal(0, *shape), normal(1, 3), normal(2, 3) ** 2
    theirs_mean, theirs_var = tensor(mean), tensor(var)
    before = mean.copy(), var.copy()
    _, cache = op(x, mean, var, training=True, momentum=momentum)
    functional.batch_norm(tensor(x), theirs_mean, theirs_var, training=True, momentum=momentum)
    assert_like_torch(cache[-2], theirs_mean)
    assert_like_torch(cache[-1], theirs_var)
    np.testing.assert_array_equal(mean, before[0])  # torch would have changed them
    np.testing.assert_array_equal(var, before[1])


@every_batch_norm
def test_running_statistics_by_hand(op, backward):
    x = np.array([[1.0], [3.0]])  # mean 2, variance 1 (n), 2 (n − 1)
    _, cache = op(x, np.array([10.0]), np.array([4.0]), training=True)
    np.testing.assert_allclose(cache[-2], [10.0 + 0.1 * (2.0 - 10.0)], rtol=1e-15)
    np.testing.assert_allclose(cache[-1], [4.0 + 0.1 * (2.0 - 4.0)], rtol=1e-15)


@every_batch_norm
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_running_statistics_keep_the_dtype(op, backward, dtype):
    x = normal(0, 4, 3, dtype=dtype)
    _, cache = op(x, np.zeros(3, dtype), np.ones(3, dtype), training=True)
    assert cache[-2].dtype == cache[-1].dtype == dtype
    assert cache[-2].shape == cache[-1].shape == (3,)


@every_batch_norm
def test_evaluation_leaves_the_running_statistics_alone(op, backward):
    mean, var = normal(0, 3), np.ones(3)
    _, cache = op(normal(1, 4, 3), mean, var)
    assert cache[-2] is mean
    assert cache[-1] is var


@every_batch_norm
def test_no_running_statistics_stay_none(op, backward):
    _, cache = op(normal(0, 4, 3), None, None, training=True)
    assert cache[-2:] == (None, None)


@every_batch_norm
@pytest.mark.parametrize("shape", [(0, 3), (0, 3, 2), (4, 3, 0)])
def test_empty_training_batch_changes_no_statistics(op, backward, shape):
    mean, var = normal(0, 3), np.ones(3)
    output, cache = op(np.zeros(shape), mean, var, np.ones(3), np.ones(3), training=True)
    assert output.shape == shape
    np.testing.assert_array_equal(cache[-2], mean)
    np.testing.assert_array_equal(cache[-1], var)
    grad_input, grad_weight, grad_bias = backward(np.zeros(shape), cache)
    assert grad_input.shape == shape
    np.testing.assert_array_equal(grad_weight, np.zeros(3))
    np.testing.assert_array_equal(grad_bias, np.zeros(3))


@every_batch_norm
def test_the_default_is_evaluation(op, backward):
    x, mean, var = normal(0, 4, 3), normal(1, 3), normal(2, 3) ** 2 + 0.1
    expected = functional.batch_norm(tensor(x), tensor(mean), tensor(var))
    assert_like_torch(op(x, mean, var)[0], expected)


@every_batch_norm
def test_evaluation_gradient_scales_only(op, backward):
    x, var, w, g = normal(0, 4, 2), np.array([1.0, 4.0]), np.array([2.0, 6.0]), normal(1, 4, 2)
    _, cache = op(x, np.zeros(2), var, w, eps=1e-12)
    grad_input, _, _ = backward(g, cache)
    np.testing.assert_allclose(grad_input, g * [2.0, 3.0], rtol=1e-11)


@every_batch_norm
def test_two_values_become_plus_and_minus_one(op, backward):
    x = np.array([[0.0, 5.0], [10.0, 7.0]])
    output, cache = op(x, None, None, training=True)
    np.testing.assert_allclose(output, [[-1.0, -1.0], [1.0, 1.0]], rtol=1e-5)
    grad_input, grad_weight, grad_bias = backward(normal(0, 2, 2), cache)
    np.testing.assert_allclose(grad_input, 0.0, atol=1e-5)
    assert (grad_weight, grad_bias) == (None, None)


# all of them: values without spread, defaults


def layer(x):
    return (F.layer_norm, F.layer_norm_backward, (x.shape[1:],))


def layer_fast(x):
    return (fast.layer_norm, fast.layer_norm_backward, (x.shape[1:],))


def group(x):
    return (F.group_norm, F.group_norm_backward, (1,))


SAMPLES = {"layer": layer, "layer_fast": layer_fast, "group": group}


@pytest.mark.parametrize("pick", SAMPLES.values(), ids=SAMPLES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [0.0, 1e4, -1e4])
def test_equal_values_have_no_variance(pick, dtype, value):
    """x̂ = 0, so the gradient is Δ w without its mean, over √eps."""
    x = np.full((3, 4), value, dtype)
    w, b, g = (normal(seed, 4, dtype=dtype) for seed in range(3))
    op, backward, options = pick(x)
    output, cache = op(x, *options, w, b)
    np.testing.assert_array_equal(output, np.broadcast_to(b, (3, 4)))
    grad_input, grad_weight, grad_bias = backward(np.broadcast_to(g, (3, 4)), cache)
    d = (g * w).astype(np.float64)
    expected = np.broadcast_to((d - d.mean()) / np.sqrt(1e-5), (3, 4))
    np.testing.assert_allclose(grad_input, expected, rtol=1e-4 if dtype == np.float32 else 1e-12)
    np.testing.assert_array_equal(grad_weight, np.zeros(4))
    np.testing.assert_allclose(grad_bias, 3 * g, rtol=1e-6)


@every_batch_norm
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_values_in_a_channel(op, backward, dtype):
    x = np.full((4, 2, 3), 1e4, dtype)
    w, b, g = normal(0, 2, dtype=dtype), normal(1, 2, dtype=dtype), normal(2, 4, 2, 3, dtype=dtype)
    output, cache = op(x, None, None, w, b, training=True)
    np.testing.assert_array_equal(output, np.broadcast_to(b[:, None], x.shape))
    grad_input, grad_weight, _ = backward(g, cache)
    wide = g.astype(np.float64)
    centred = wide - wide.mean(axis=(0, 2), keepdims=True)
    expected = centred * w[:, None] / np.sqrt(1e-5)
    np.testing.assert_allclose(grad_input, expected, rtol=1e-4 if dtype == np.float32 else 1e-11)
    np.testing.assert_array_equal(grad_weight, np.zeros(2))


@pytest.mark.parametrize("pick", SAMPLES.values(), ids=SAMPLES)
def test_a_single_value_becomes_the_bias(pick):
    x, b = normal(0, 5, 1), np.array([0.5])
    op, backward, options = pick(x)
    output, cache = op(x, *options, None, b)
    np.testing.assert_array_equal(output, np.full((5, 1), 0.5))
    grad_input, grad_weight, grad_bias = backward(np.ones((5, 1)), cache)
    np.testing.assert_array_equal(grad_input, np.zeros((5, 1)))
    assert grad_weight is None
    np.testing.assert_array_equal(grad_bias, [5.0])


@pytest.mark.parametrize("op", [F.layer_norm, fast.layer_norm])
def test_layer_norm_by_hand(op):
    output, _ = op(np.array([[0.0, 2.0, 4.0]]), 3, np.array([1.0, 2.0, 3.0]), np.array([0.0, 1, 2]))
    step = 2.0 / np.sqrt(8 / 3 + 1e-5)
    np.testing.assert_allclose(output, [[-step, 1.0, 3 * step + 2]], rtol=1e-14)


@pytest.mark.parametrize("op", [F.layer_norm, fast.layer_norm, F.rms_norm])
def test_an_int_means_one_axis(op):
    x = normal(0, 2, 3)
    np.testing.assert_array_equal(op(x, 3)[0], op(x, (3,))[0])
    np.testing.assert_array_equal(op(x, [3])[0], op(x, (3,))[0])


def test_default_eps_like_torch():
    """Values so small that eps decides."""
    x = normal(0, 3, 4) * 1e-3
    assert_like_torch(F.layer_norm(x, 4)[0], functional.layer_norm(tensor(x), (4,)))
    assert_like_torch(fast.layer_norm(x, 4)[0], functional.layer_norm(tensor(x), (4,)))
    assert_like_torch(F.group_norm(x, 2)[0], functional.group_norm(tensor(x), 2))
    for op in (F.batch_norm, fast.batch_norm):
        expected = functional.batch_norm(tensor(x), None, None, training=True)
        assert_like_torch(op(x, None, None, training=True)[0], expected)


@pytest.mark.parametrize(("dtype", "scale"), [(np.float32, 1e-4), (np.float64, 1e-8)])
def test_default_eps_of_rms_norm_like_torch(dtype, scale):
    x = normal(0, 3, 4, dtype=dtype) * dtype(scale)
    expected = functional.rms_norm(tensor(x), (4,))
    assert_like_torch(F.rms_norm(x, 4)[0], expected, 1e-6 if dtype == np.float32 else 1e-12)


def test_rms_norm_does_not_take_off_the_mean():
    output, _ = F.rms_norm(np.full((1, 4), 5.0), 4)
    np.testing.assert_allclose(output, np.ones((1, 4)), rtol=1e-15)


@pytest.mark.parametrize("value", [0.0, 1e4])
def test_rms_norm_of_one_value_is_its_sign(value):
    output, cache = F.rms_norm(np.array([[value], [-value]], np.float32), 1)
    np.testing.assert_allclose(output, np.sign([[value], [-value]]), atol=1e-6)
    grad_input, _ = F.rms_norm_backward(np.ones((2, 1), np.float32), cache)
    slope = 1 / np.sqrt(np.finfo(np.float32).eps) if value == 0.0 else 0.0
    np.testing.assert_allclose(grad_input, [[slope], [slope]], rtol=1e-6, atol=1e-6)


# equalities


def test_one_group_is_a_layer_norm_over_all_but_the_batch():
    x, g = normal(0, 2, 4, 3), normal(1, 2, 4, 3)
    ours, cache = F.group_norm(x, 1)
    layer, layer_cache = F.layer_norm(x, (4, 3))
    np.testing.assert_allclose(ours, layer, rtol=1e-13)
    grad = F.layer_norm_backward(g, layer_cache)[0]
    np.testing.assert_allclose(F.group_norm_backward(g, cache)[0], grad, rtol=1e-11)


def test_a_group_per_channel_is_a_batch_norm_of_each_sample():
    x, w, b = normal(0, 2, 4, 3), normal(1, 4), normal(2, 4)
    ours, _ = F.group_norm(x, 4, w, b)
    for i in range(2):
        alone, _ = F.batch_norm(x[i : i + 1], None, None, w, b, training=True)
        np.testing.assert_allclose(ours[i : i + 1], alone, rtol=1e-12)


# the fast pairs


@pytest.mark.parametrize("block", [1, 4, 7, 1000])
def test_fast_layer_norm_in_blocks(monkeypatch, block):
    monkeypatch.setattr(fast, "BLOCK", block)
    x, w, b, g = normal(0, 5, 2, 3), normal(1, 2, 3), normal(2, 2, 3), normal(3, 5, 2, 3)
    output, cache = F.layer_norm(x, (2, 3), w, b)
    ours, ours_cache = fast.layer_norm(x, (2, 3), w, b)
    np.testing.assert_allclose(ours, output, rtol=1e-12)
    expected = F.layer_norm_backward(g, cache)
    for a, e in zip(fast.layer_norm_backward(g, ours_cache), expected, strict=True):
        assert_close(a, e, 1e-12, "gradient")


@pytest.mark.parametrize("block", [1, 9, 13, 1000])
@pytest.mark.parametrize("shape", [(5, 3), (5, 3, 2), (5, 3, 2, 2)])
def test_fast_batch_norm_in_blocks(monkeypatch, block, shape):
    monkeypatch.setattr(fast, "BLOCK", block)
    x, w, b, g = normal(0, *shape), normal(1, 3), normal(2, 3), normal(3, *shape)
    output, cache = F.batch_norm(x, w, b, w, b, training=True)
    ours, ours_cache = fast.batch_norm(x, w, b, w, b, training=True)
    for a, e in zip((ours, *ours_cache[-2:]), (output, *cache[-2:]), strict=True):
        assert_close(a, e, 1e-12, "output")
    expected = F.batch_norm_backward(g, cache)
    for a, e in zip(fast.batch_norm_backward(g, ours_cache), expected, strict=True):
        assert_close(a, e, 1e-12, "gradient")


@pytest.mark.parametrize("shape", [(3, 8), (4, 3, 5)])
def test_fast_pairs_at_extreme_values(shape):
    rng = np.random.default_rng(0)
    x = rng.choice([-1e4, -100, -1, 0, 1, 100, 1e4], shape).astype(np.float32)
    g = normal(1, *shape, dtype=np.float32)
    output, cache = F.layer_norm(x, shape[-1:])
    ours, ours_cache = fast.layer_norm(x, shape[-1:])
    assert_close(ours, output, 1e-5, "output")
    expected = F.layer_norm_backward(g, cache)[0]
    assert_close(fast.layer_norm_backward(g, ours_cache)[0], expected, 1e-4, "gradient")
    output, cache = F.batch_norm(x, None, None, training=True)
    ours, ours_cache = fast.batch_norm(x, None, None, training=True)
    assert_close(ours, output, 1e-5, "output")
    expected = F.batch_norm_backward(g, cache)[0]
    assert_close(fast.batch_norm_backward(g, ours_cache)[0], expected, 1e-4, "gradient")
