"""nll_loss and kl_div: numbers by hand, reductions, what is ignored, zeros."""

import numpy as np
import pytest
import torch

import bpref.functional as F

torch_F = torch.nn.functional


def logs(*shape, seed=0, axis=1):
    scores = np.random.default_rng(seed).standard_normal(shape)
    return F.log_softmax(scores, axis)[0]


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_nll_of_log_softmax_is_cross_entropy(reduction):
    logits = np.random.default_rng(0).standard_normal((2, 3, 4))
    labels = np.random.default_rng(1).integers(0, 3, (2, 4))
    labels[0, 1] = -100
    options = {"weight": np.array([0.5, 1.0, 2.0]), "reduction": reduction}
    log_p, log_cache = F.log_softmax(logits, 1)
    loss, cache = F.nll_loss(log_p, labels, **options)
    expected, expected_cache = F.cross_entropy(logits, labels, **options)
    np.testing.assert_allclose(loss, expected, rtol=1e-12)
    grad_output = np.ones(np.shape(loss))
    gradient = F.log_softmax_backward(F.nll_loss_backward(grad_output, cache), log_cache)
    np.testing.assert_allclose(
        gradient, F.cross_entropy_backward(grad_output, expected_cache), rtol=1e-12, atol=1e-16
    )


def test_nll_by_hand():
    log_p = np.array([[-1.0, -2.0], [-3.0, -4.0], [-5.0, -6.0]])
    labels, weight = np.array([1, -100, 0]), np.array([3.0, 1.0])
    loss, cache = F.nll_loss(log_p, labels, weight)
    assert loss == (1 * 2 + 3 * 5) / (1 + 3)
    np.testing.assert_array_equal(F.nll_loss_backward(4.0, cache), [[0, -1], [0, 0], [-3, 0]])
    loss, cache = F.nll_loss(log_p, labels, weight, reduction="none")
    np.testing.assert_array_equal(loss, [2, 0, 15])
    np.testing.assert_array_equal(
        F.nll_loss_backward(np.ones(3), cache), [[0, -1], [0, 0], [-3, 0]]
    )


def test_nll_arguments_in_pytorchs_order():
    log_p, labels, weight = logs(4, 3), np.array([0, 1, 2, 1]), np.array([1.0, 2.0, 3.0])
    ours, _ = F.nll_loss(log_p, labels, weight, 1, "sum")
    theirs = torch_F.nll_loss(
        *map(torch.from_numpy, (log_p, labels, weight)), ignore_index=1, reduction="sum"
    )
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-14)


def test_nll_one_sample():
    loss, cache = F.nll_loss(np.array([-1.0, -2.0]), np.array(1))
    assert loss == 2.0
    np.testing.assert_array_equal(F.nll_loss_backward(3.0, cache), [0.0, -3.0])


@pytest.mark.parametrize(
    ("labels", "weight"), [([-100, -100], [1.0, 1.0]), ([0, -100], [0.0, 1.0])]
)
def test_nll_mean_over_nothing_like_torch(labels, weight):
    input, labels, weight = logs(2, 2), np.array(labels), np.array(weight)
    loss, cache = F.nll_loss(input, labels, weight)
    tensor = torch.from_numpy(input).requires_grad_()
    expected = torch_F.nll_loss(tensor, torch.from_numpy(labels), torch.from_numpy(weight))
    expected.backward()
    assert np.isnan(loss)
    assert torch.isnan(expected)
    np.testing.assert_array_equal(F.nll_loss_backward(1.0, cache), tensor.grad.numpy())


@pytest.mark.parametrize("shape", [(0, 3), (0, 3, 2), (2, 3, 0)])
def test_nll_empty(shape):
    labels = np.zeros((shape[0], *shape[2:]), int)
    loss, cache = F.nll_loss(np.empty(shape), labels)
    assert np.isnan(loss)
    assert F.nll_loss_backward(1.0, cache).shape == shape


@pytest.mark.parametrize(
    ("label", "weight"), [(-100, np.ones(2)), (1, np.array([1.0, 0.0])), (-100, None)]
)
def test_what_does_not_count_may_have_any_value(label, weight):
    input, labels = np.array([[-np.inf, -np.inf], [-2.0, -1.0]]), np.array([label, 0])
    loss, cache = F.nll_loss(input, labels, weight)
    assert loss == 2.0
    np.testing.assert_array_equal(F.nll_loss_backward(1.0, cache), [[0, 0], [-1, 0]])


def test_kl_by_hand():
    q, p = np.array([[0.25, 0.75], [1.0, 0.0]]), np.array([[0.5, 0.5], [0.25, 0.75]])
    loss, cache = F.kl_div(np.log(p), q, reduction="none")
    expected = [[0.25 * np.log(0.5), 0.75 * np.log(1.5)], [np.log(4), 0.0]]
    np.testing.assert_allclose(loss, expected)
    np.testing.assert_array_equal(F.kl_div_backward(np.full((2, 2), 2.0), cache), -2 * q)


@pytest.mark.parametrize("log_target", [False, True])
@pytest.mark.parametrize(("reduction", "divisor"), [("sum", 1), ("mean", 12), ("batchmean", 4)])
def test_kl_reductions_like_torch(reduction, divisor, log_target):
    input, log_q = logs(4, 3), logs(4, 3, seed=1)
    target = log_q if log_target else np.exp(log_q)
    tensors = torch.from_numpy(input), torch.from_numpy(target)
    loss, cache = F.kl_div(input, target, reduction, log_target)
    if reduction == "mean":
        with pytest.warns(UserWarning, match="batchmean"):
            expected = torch_F.kl_div(*tensors, log_target=log_target)
    else:
        expected = torch_F.kl_div(*tensors, reduction=reduction, log_target=log_target)
    np.testing.assert_allclose(loss, expected.numpy(), rtol=1e-12)
    np.testing.assert_allclose(F.kl_div_backward(1.0, cache), -np.exp(log_q) / divisor)


def test_kl_defaults():
    input, target = logs(4, 3), np.exp(logs(4, 3, seed=1))
    assert F.kl_div(input, target)[0] == F.kl_div(input, target, "mean", False)[0]


def test_kl_of_equal_distributions_is_zero_and_others_are_larger():
    log_p, log_q = logs(5, 3), logs(5, 3, seed=1)
    same, _ = F.kl_div(log_p, log_p, "none", log_target=True)
    np.testing.assert_array_equal(same, np.zeros((5, 3)))
    other, _ = F.kl_div(log_p, log_q, "none", log_target=True)
    assert (other.sum(axis=1) > 0).all()


def test_kl_of_a_scalar_and_of_nothing():
    loss, cache = F.kl_div(np.array(-1.0), np.array(0.5), "batchmean")
    np.testing.assert_allclose(loss, 0.5 * (np.log(0.5) + 1))
    assert F.kl_div_backward(1.0, cache) == -0.5
    for reduction in ("mean", "batchmean"):
        loss, cache = F.kl_div(np.empty((0, 3)), np.empty((0, 3)), reduction)
        assert np.isnan(loss)
        assert F.kl_div_backward(1.0, cache).shape == (0, 3)


def test_kl_is_cross_entropy_less_the_entropy_of_the_target():
    logits, q = np.random.default_rng(0).standard_normal((4, 3)), np.exp(logs(4, 3, seed=1))
    kl, _ = F.kl_div(F.log_softmax(logits, 1)[0], q, "batchmean")
    entropy = -(q * np.log(q)).sum() / 4
    np.testing.assert_allclose(kl, F.cross_entropy(logits, q)[0] - entropy)
