"""The losses against central differences and PyTorch; reductions, empty batches, extremes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from strategies import (
    assert_like_differences,
    assert_like_torch,
    batch,
    dtypes,
    features,
    normal,
    quick,
    reductions,
    seeds,
    shapes,
)

import bpref.functional as F

torch_F = torch.nn.functional


def half_mse_2d(input, target, reduction):
    loss = 0.5 * (input - target).square().sum(dim=1)
    return {"none": loss, "sum": loss.sum(), "mean": loss.mean()}[reduction]


def mse_target(seed, shape, dtype):
    return normal(seed, *shape, dtype=dtype)


def bce_target(seed, shape, dtype):
    soft = np.random.default_rng(seed).uniform(size=shape).astype(dtype)
    return np.asarray(np.where(soft < 0.7, soft.round(), soft), dtype)  # hard and soft labels


def class_target(seed, shape, dtype):
    return np.random.default_rng(seed).integers(0, shape[1], size=shape[0])


CASES = {
    "mse_loss": (F.mse_loss, F.mse_loss_backward, torch_F.mse_loss, mse_target),
    "half_mse_loss": (F.half_mse_loss, F.half_mse_loss_backward, half_mse_2d, mse_target),
    "binary_cross_entropy_with_logits": (
        F.binary_cross_entropy_with_logits,
        F.binary_cross_entropy_with_logits_backward,
        torch_F.binary_cross_entropy_with_logits,
        bce_target,
    ),
    "cross_entropy": (
        F.cross_entropy,
        F.cross_entropy_backward,
        torch_F.cross_entropy,
        class_target,
    ),
}
every = pytest.mark.parametrize(
    ("op", "backward", "reference", "labels"), CASES.values(), ids=CASES
)


def compare_with_torch(op, backward, reference, input, target, reduction, seed):
    loss, cache = op(input, target, reduction)
    grad_output = normal(seed, *np.shape(loss))
    tensor = torch.from_numpy(input.copy()).requires_grad_()
    expected = reference(tensor, torch.from_numpy(target.copy()), reduction=reduction)
    expected.backward(torch.from_numpy(grad_output))
    assert_like_torch(loss, expected)
    assert_like_torch(backward(grad_output, cache), tensor.grad)


@every
@quick
@given(seeds, batch, features, reductions)
def test_backward_like_central_differences(op, backward, reference, labels, seed, n, c, reduction):
    input, target = normal(seed, n, c, scale=2.0), labels(seed + 1, (n, c), np.float64)
    loss, cache = op(input, target, reduction)
    grad_output = normal(seed + 2, *np.shape(loss))
    gradient = backward(grad_output, cache)
    if n == 0:
        assert gradient.shape == (0, c)
        return
    assert_like_differences(
        lambda input: op(input, target, reduction),
        {"input": input},
        grad_output,
        {"input": gradient},
    )


@every
@quick
@given(seeds, batch, features, reductions)
def test_like_torch(op, backward, reference, labels, seed, n, c, reduction):
    input, target = normal(seed, n, c, scale=3.0), labels(seed + 1, (n, c), np.float64)
    compare_with_torch(op, backward, reference, input, target, reduction, seed + 2)


@pytest.mark.parametrize("name", ["mse_loss", "binary_cross_entropy_with_logits"])
@quick
@given(seed=seeds, shape=shapes, reduction=reductions)
def test_any_shape_like_torch(name, seed, shape, reduction):
    op, backward, reference, labels = CASES[name]
    input, target = normal(seed, *shape), labels(seed + 1, shape, np.float64)
    compare_with_torch(op, backward, reference, input, target, reduction, seed + 2)


@quick
@given(seeds, batch, shapes, reductions)
def test_half_mse_any_sample_shape(seed, n, sample, reduction):
    input, target = normal(seed, n, *sample), normal(seed + 1, n, *sample)
    loss, cache = F.half_mse_loss(input, target, reduction)
    grad_output = normal(seed + 2, *np.shape(loss))
    flat = tuple(np.reshape(x, (n, int(np.prod(sample)))) for x in (input, target))
    flat_loss, flat_cache = F.half_mse_loss(*flat, reduction)
    np.testing.assert_allclose(loss, flat_loss, rtol=1e-12)
    np.testing.assert_allclose(
        F.half_mse_loss_backward(grad_output, cache).ravel(),
        F.half_mse_loss_backward(grad_output, flat_cache).ravel(),
        rtol=1e-12,
    )


@every
@quick
@given(seeds, batch, features, reductions, dtypes)
def test_dtype_is_kept(op, backward, reference, labels, seed, n, c, reduction, dtype):
    loss, cache = op(normal(seed, n, c, dtype=dtype), labels(seed, (n, c), dtype), reduction)
    grad_output = np.ones(loss.shape, dtype)
    assert loss.dtype == backward(grad_output, cache).dtype == dtype


@every
def test_empty_batch(op, backward, reference, labels):
    input, target = np.empty((0, 3)), labels(0, (0, 3), np.float64)
    loss, cache = op(input, target)
    assert np.isnan(loss)  # as in PyTorch, but without a warning
    assert backward(1.0, cache).shape == (0, 3)
    loss, cache = op(input, target, "sum")
    assert loss == 0.0
    assert backward(1.0, cache).shape == (0, 3)
    loss, cache = op(input, target, "none")
    assert loss.shape[0] == 0
    assert backward(np.empty(loss.shape), cache).shape == (0, 3)


@every
def test_grad_output_of_a_scalar_loss(op, backward, reference, labels):
    _, cache = op(normal(0, 4, 3), labels(1, (4, 3), np.float64))
    once = backward(1.0, cache)
    for two in (2, 2.0, np.float32(2), np.float64(2), np.array(2.0)):
        np.testing.assert_allclose(backward(two, cache), 2 * once, rtol=1e-15)


@every
def test_arguments_are_not_modified(op, backward, reference, labels):
    input, target = normal(0, 4, 3), labels(1, (4, 3), np.float64)
    before = input.copy(), target.copy()
    _, cache = op(input, target)
    np.testing.assert_array_equal(backward(1.0, cache), backward(1.0, cache))
    np.testing.assert_array_equal(input, before[0])
    np.testing.assert_array_equal(target, before[1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("label", [0.0, 1.0])
def test_extreme_logits(dtype, label):
    input = np.array([-1e4, -50.0, 0.0, 50.0, 1e4], dtype)
    target = np.full_like(input, label)
    tensor = torch.from_numpy(input.copy()).requires_grad_()
    expected = torch_F.binary_cross_entropy_with_logits(
        tensor, torch.from_numpy(target), reduction="none"
    )
    expected.sum().backward()
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        loss, cache = F.binary_cross_entropy_with_logits(input, target, "none")
        gradient = F.binary_cross_entropy_with_logits_backward(np.ones_like(input), cache)
    np.testing.assert_allclose(loss, expected.detach().numpy(), rtol=1e-6, atol=1e-15)
    np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_class_logits(dtype):
    input = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4], [1e4, 1e4, 1e4]], dtype)
    target = np.array([1, 1, 2])
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        loss, cache = F.cross_entropy(input, target, "none")
        gradient = F.cross_entropy_backward(np.ones(3, dtype), cache)
    np.testing.assert_allclose(loss, [2e4, np.log(2), np.log(3)], rtol=1e-6)
    third = 1 / 3
    np.testing.assert_allclose(
        gradient, [[1, -1, 0], [0, -0.5, 0.5], [third, third, third - 1]], rtol=1e-6
    )


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.uint64])
def test_label_dtypes(dtype):
    loss, _ = F.cross_entropy(np.zeros((2, 3)), np.array([0, 2], dtype))
    np.testing.assert_allclose(loss, np.log(3))


def test_scales_of_the_two_squared_errors():
    input, target = normal(0, 5, 3), normal(1, 5, 3)
    half, half_cache = F.half_mse_loss(input, target)
    full, full_cache = F.mse_loss(input, target)
    np.testing.assert_allclose(half, 3 / 2 * full)  # m / 2
    np.testing.assert_allclose(
        F.half_mse_loss_backward(1.0, half_cache), 3 / 2 * F.mse_loss_backward(1.0, full_cache)
    )
