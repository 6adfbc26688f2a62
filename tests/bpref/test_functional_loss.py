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
from bpref.ops import FAMILIES, RandomDraw

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
    loss, cache = op(input, target, reduction=reduction)
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
    loss, cache = op(input, target, reduction=reduction)
    grad_output = normal(seed + 2, *np.shape(loss))
    gradient = backward(grad_output, cache)
    if n == 0:
        assert gradient.shape == (0, c)
        return
    assert_like_differences(
        lambda input: op(input, target, reduction=reduction),
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
    loss, cache = F.half_mse_loss(input, target, reduction=reduction)
    grad_output = normal(seed + 2, *np.shape(loss))
    flat = tuple(np.reshape(x, (n, int(np.prod(sample)))) for x in (input, target))
    flat_loss, flat_cache = F.half_mse_loss(*flat, reduction=reduction)
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
    target = labels(seed, (n, c), dtype)
    loss, cache = op(normal(seed, n, c, dtype=dtype), target, reduction=reduction)
    grad_output = np.ones(loss.shape, dtype)
    assert loss.dtype == backward(grad_output, cache).dtype == dtype


@every
def test_empty_batch(op, backward, reference, labels):
    input, target = np.empty((0, 3)), labels(0, (0, 3), np.float64)
    loss, cache = op(input, target)
    assert np.isnan(loss)  # as in PyTorch, but without a warning
    assert backward(1.0, cache).shape == (0, 3)
    loss, cache = op(input, target, reduction="sum")
    assert loss == 0.0
    assert backward(1.0, cache).shape == (0, 3)
    loss, cache = op(input, target, reduction="none")
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
        loss, cache = F.binary_cross_entropy_with_logits(input, target, reduction="none")
        gradient = F.binary_cross_entropy_with_logits_backward(np.ones_like(input), cache)
    np.testing.assert_allclose(loss, expected.detach().numpy(), rtol=1e-6, atol=1e-15)
    np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_class_logits(dtype):
    input = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4], [1e4, 1e4, 1e4]], dtype)
    target = np.array([1, 1, 2])
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        loss, cache = F.cross_entropy(input, target, reduction="none")
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


def test_arguments_in_pytorchs_order():
    """Without the deprecated size_average and reduce."""
    logits, soft = normal(0, 4, 3), bce_target(1, (4, 3), np.float64)
    labels, weight, pos_weight = np.array([0, 2, 2, 1]), np.array([1.0, 2.0, 3.0]), np.array([0.5])
    t_logits, t_soft, t_labels, t_weight, t_pos = map(
        torch.from_numpy, (logits, soft, labels, weight, pos_weight)
    )
    assert_like_torch(F.mse_loss(logits, soft, "sum")[0], ((t_logits - t_soft) ** 2).sum())
    assert_like_torch(
        F.cross_entropy(logits, labels, weight, 2, "sum", 0.1)[0],
        torch_F.cross_entropy(
            t_logits, t_labels, t_weight, ignore_index=2, reduction="sum", label_smoothing=0.1
        ),
    )
    assert_like_torch(
        F.binary_cross_entropy_with_logits(logits, soft, weight, "sum", pos_weight)[0],
        torch_F.binary_cross_entropy_with_logits(
            t_logits, t_soft, t_weight, reduction="sum", pos_weight=t_pos
        ),
    )


@every
def test_defaults(op, backward, reference, labels):
    input, target = normal(0, 4, 3), labels(1, (4, 3), np.float64)
    expected = reference(torch.from_numpy(input), torch.from_numpy(target), reduction="mean")
    assert_like_torch(op(input, target)[0], expected)


def test_the_label_that_is_ignored_by_default():
    logits, labels = normal(0, 3, 3), np.array([0, -100, 2])
    expected = torch_F.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels))
    assert_like_torch(F.cross_entropy(logits, labels)[0], expected)


@pytest.mark.parametrize("weighted", [False, True])
def test_binary_cross_entropy_like_torch_with_weights(weighted):
    """The registry's test keeps away from where PyTorch's formula cancels; this is its own."""
    input, target = normal(0, 5, 3), bce_target(1, (5, 3), np.float64)
    options = {"weight": np.array([[1.0], [2.0], [0.0], [1.0], [3.0]])} if weighted else {}
    options["pos_weight"] = np.array([0.5, 1.0, 4.0])
    tensor = torch.from_numpy(input).requires_grad_()
    expected = torch_F.binary_cross_entropy_with_logits(
        tensor, torch.from_numpy(target), **{k: torch.from_numpy(v) for k, v in options.items()}
    )
    expected.backward()
    loss, cache = F.binary_cross_entropy_with_logits(input, target, **options)
    assert_like_torch(loss, expected)
    assert_like_torch(F.binary_cross_entropy_with_logits_backward(1.0, cache), tensor.grad)


def test_pos_weight_by_hand():
    """At a = 0 both terms are log 2: 3 times for the positive label, once for the negative one."""
    input, target, three = np.zeros(2), np.array([1.0, 0.0]), np.array(3.0)
    loss, cache = F.binary_cross_entropy_with_logits(
        input, target, pos_weight=three, reduction="none"
    )
    np.testing.assert_allclose(loss, [3 * np.log(2), np.log(2)])
    gradient = F.binary_cross_entropy_with_logits_backward(np.ones(2), cache)
    np.testing.assert_allclose(gradient, [-1.5, 0.5])


def test_small_losses_keep_their_digits():
    """PyTorch cancels −50 against 50 here and returns 0."""
    loss, _ = F.binary_cross_entropy_with_logits(np.array(-50.0), np.array(0.0))
    np.testing.assert_allclose(loss, np.exp(-50.0), rtol=1e-12)


def test_one_hot_probabilities_are_labels():
    logits, labels = normal(0, 4, 3), np.array([0, 2, 1, 1])
    loss, cache = F.cross_entropy(logits, labels)
    soft_loss, soft_cache = F.cross_entropy(logits, np.eye(3)[labels])
    np.testing.assert_allclose(soft_loss, loss, rtol=1e-15)
    gradient = F.cross_entropy_backward(1.0, cache)
    np.testing.assert_allclose(F.cross_entropy_backward(1.0, soft_cache), gradient, rtol=1e-15)


def test_axes_behind_the_classes_are_samples():
    logits, labels = normal(0, 2, 3, 4, 5), np.random.default_rng(1).integers(0, 3, (2, 4, 5))
    rows = np.moveaxis(logits, 1, -1).reshape(-1, 3)
    loss, cache = F.cross_entropy(logits, labels)
    rows_loss, rows_cache = F.cross_entropy(rows, labels.ravel())
    np.testing.assert_allclose(loss, rows_loss, rtol=1e-14)
    gradient = np.moveaxis(F.cross_entropy_backward(1.0, cache), 1, -1).reshape(-1, 3)
    np.testing.assert_allclose(gradient, F.cross_entropy_backward(1.0, rows_cache), rtol=1e-12)


def test_one_sample_without_a_batch_axis():
    logits = normal(0, 3)
    loss, cache = F.cross_entropy(logits, np.array(2))
    batch_loss, batch_cache = F.cross_entropy(logits[None], np.array([2]))
    assert loss == batch_loss
    np.testing.assert_array_equal(
        F.cross_entropy_backward(1.0, cache), F.cross_entropy_backward(1.0, batch_cache)[0]
    )


def test_ignored_samples_count_as_absent():
    logits, labels = normal(0, 4, 3), np.array([0, -100, 2, -100])
    loss, cache = F.cross_entropy(logits, labels)
    kept_loss, kept_cache = F.cross_entropy(logits[::2], labels[::2])
    np.testing.assert_allclose(loss, kept_loss, rtol=1e-15)
    gradient = F.cross_entropy_backward(1.0, cache)
    np.testing.assert_array_equal(gradient[1::2], np.zeros((2, 3)))
    np.testing.assert_allclose(gradient[::2], F.cross_entropy_backward(1.0, kept_cache))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_all_ignored(smoothing):
    """The mean over nothing is nan; its gradient is 0, as in PyTorch."""
    labels = np.full(4, -100)
    loss, cache = F.cross_entropy(normal(0, 4, 3), labels, label_smoothing=smoothing)
    assert np.isnan(loss)
    np.testing.assert_array_equal(F.cross_entropy_backward(1.0, cache), np.zeros((4, 3)))
    loss, cache = F.cross_entropy(normal(0, 4, 3), labels, reduction="sum")
    assert loss == 0.0
    np.testing.assert_array_equal(F.cross_entropy_backward(1.0, cache), np.zeros((4, 3)))


def test_class_weights_of_zero():
    """As in PyTorch: the mean divides 0 by 0 and the gradient is nan, but not where ignored."""
    input, labels, weight = normal(0, 3, 2), np.array([0, -100, 0]), np.array([0.0, 1.0])
    loss, cache = F.cross_entropy(input, labels, weight)
    tensor = torch.from_numpy(input).requires_grad_()
    expected = torch_F.cross_entropy(tensor, torch.from_numpy(labels), torch.from_numpy(weight))
    expected.backward()
    assert np.isnan(loss)
    assert torch.isnan(expected)
    np.testing.assert_array_equal(F.cross_entropy_backward(1.0, cache), tensor.grad.numpy())


def test_mean_divides_by_the_weights_of_labels_but_the_number_of_distributions():
    logits, weight = np.zeros((2, 2)), np.array([1.0, 3.0])
    loss, _ = F.cross_entropy(logits, np.array([0, 1]), weight)
    np.testing.assert_allclose(loss, np.log(2))  # (log 2 + 3 log 2) / (1 + 3)
    loss, _ = F.cross_entropy(logits, np.eye(2), weight)
    np.testing.assert_allclose(loss, 2 * np.log(2))  # (log 2 + 3 log 2) / 2


def test_label_smoothing_by_hand():
    """ε = 0.4 over two classes: q = (0.8, 0.2)."""
    logits = np.array([[1.0, 0.0]])
    p = np.exp(logits) / np.exp(logits).sum()
    loss, cache = F.cross_entropy(logits, np.array([0]), label_smoothing=0.4)
    np.testing.assert_allclose(loss, -(0.8 * np.log(p[0, 0]) + 0.2 * np.log(p[0, 1])))
    np.testing.assert_allclose(F.cross_entropy_backward(1.0, cache), p - [[0.8, 0.2]])


def test_a_class_that_is_ruled_out():
    """A logit of −inf has the probability 0: no loss where it is not the label, no nan."""
    logits = np.array([[0.0, -np.inf, 0.0]])
    for target in (np.array([2]), np.array([[0.0, 0.0, 1.0]])):
        loss, cache = F.cross_entropy(logits, target)
        np.testing.assert_allclose(loss, np.log(2))
        np.testing.assert_allclose(F.cross_entropy_backward(1.0, cache), [[0.5, 0.0, -0.5]])
    assert F.cross_entropy(logits, np.array([1]))[0] == np.inf


def test_ignore_index_can_be_a_class():
    logits = normal(0, 3, 2)
    loss, cache = F.cross_entropy(logits, np.array([0, 1, 0]), ignore_index=0)
    only, only_cache = F.cross_entropy(logits[1:2], np.array([1]))
    np.testing.assert_allclose(loss, only)
    np.testing.assert_array_equal(F.cross_entropy_backward(1.0, cache)[::2], np.zeros((2, 2)))
    np.testing.assert_allclose(
        F.cross_entropy_backward(1.0, cache)[1:2], F.cross_entropy_backward(1.0, only_cache)
    )


def test_soft_labels_of_pixels_like_torch():
    logits = normal(0, 2, 3, 4, 5)
    q = np.exp(F.log_softmax(normal(1, 2, 3, 4, 5), 1)[0])
    tensor = torch.from_numpy(logits).requires_grad_()
    weight = np.array([1.0, 2.0, 3.0])
    expected = torch_F.cross_entropy(tensor, torch.from_numpy(q), torch.from_numpy(weight))
    expected.backward()
    loss, cache = F.cross_entropy(logits, q, weight)
    assert_like_torch(loss, expected)
    assert_like_torch(F.cross_entropy_backward(1.0, cache), tensor.grad)


def test_one_class_and_axes_of_size_one():
    """The label of an ignored sample is not used as an index; no axis is lost."""
    for name in ("cross_entropy", "nll_loss"):
        op, backward = getattr(F, name), getattr(F, f"{name}_backward")
        loss, cache = op(-np.ones((1, 1, 1)), np.array([[-100]]), reduction="none")
        np.testing.assert_array_equal(loss, [[0.0]])
        np.testing.assert_array_equal(backward(np.ones((1, 1)), cache), [[[0.0]]])


@pytest.mark.parametrize("operator", FAMILIES["loss"], ids=lambda operator: operator.name)
def test_float32_stays_float32(operator):
    for seed in range(12):
        sample = operator.sample(RandomDraw(np.random.default_rng(seed), np.float32))
        loss, cache = operator.forward(**operator.arguments(sample))
        grad_output = 1.0 if np.ndim(loss) == 0 else np.ones(loss.shape, np.float32)
        gradients = operator.named_gradients(operator.backward(grad_output, cache), sample)
        assert {loss.dtype, *(g.dtype for g in gradients.values())} == {np.dtype(np.float32)}
