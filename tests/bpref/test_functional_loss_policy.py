"""reinforce_loss: its gradient is the policy gradient, whatever the baseline."""

import numpy as np
import pytest
import torch

import bpref.functional as F


def loss_and_gradient(*arguments, **options):
    loss, cache = F.reinforce_loss(*arguments, **options)
    return loss, F.reinforce_loss_backward(np.ones(np.shape(loss)), cache)


def test_by_hand():
    """Equal probabilities of two actions: −log π = log 2, π − one-hot = (−1/2, 1/2)."""
    logits, action, returns = np.zeros((2, 2)), np.array([0, 1]), np.array([1.0, 5.0])
    loss, gradient = loss_and_gradient(logits, action, returns, reduction="none")
    np.testing.assert_allclose(loss, np.log(2) * returns)
    np.testing.assert_allclose(gradient, [[-0.5, 0.5], [2.5, -2.5]])
    loss, gradient = loss_and_gradient(logits, action, returns, 2.0)
    np.testing.assert_allclose(loss, np.log(2))  # (−1 + 3) / 2 · log 2
    np.testing.assert_allclose(gradient, [[0.25, -0.25], [0.75, -0.75]])
    loss, gradient = loss_and_gradient(logits, action, returns, np.array([1.0, 2.0]), "sum")
    np.testing.assert_allclose(loss, 3 * np.log(2))
    np.testing.assert_allclose(gradient, [[0.0, 0.0], [1.5, -1.5]])


def test_as_pytorch_users_write_it():
    rng = np.random.default_rng(0)
    logits, returns, baseline = rng.standard_normal((6, 4)), rng.normal(size=6), rng.normal(size=6)
    action = rng.integers(0, 4, 6)
    tensor = torch.from_numpy(logits).requires_grad_()
    policy = torch.distributions.Categorical(logits=tensor)
    advantage = torch.from_numpy(returns - baseline)
    expected = (-policy.log_prob(torch.from_numpy(action)) * advantage).mean()
    expected.backward()
    loss, gradient = loss_and_gradient(logits, action, returns, baseline)
    np.testing.assert_allclose(loss, expected.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize("baseline", [0.0, 3.0, -2])
def test_expected_gradient_is_that_of_the_expected_return(baseline):
    """Over all actions, weighted by π: Σ π (R − b) (π − one-hot) = −∂ Σ π R, for any b."""
    logits, rewards = np.array([0.3, -1.0, 0.8]), np.array([1.0, 4.0, -2.0])
    policy = np.exp(logits) / np.exp(logits).sum()
    actions = np.arange(3)
    _, gradient = loss_and_gradient(
        np.tile(logits, (3, 1)), actions, rewards, baseline, reduction="none"
    )
    expected = -policy * (rewards - policy @ rewards)
    np.testing.assert_allclose(policy @ gradient, expected, rtol=1e-12)


def test_with_returns_of_one_it_is_cross_entropy():
    logits, action = np.random.default_rng(0).standard_normal((5, 3)), np.array([0, 1, 2, 1, 0])
    loss, gradient = loss_and_gradient(logits, action, np.ones(5))
    expected, cache = F.cross_entropy(logits, action)
    np.testing.assert_allclose(loss, expected, rtol=1e-14)
    np.testing.assert_allclose(gradient, F.cross_entropy_backward(1.0, cache), rtol=1e-12)


def test_empty_batch():
    loss, cache = F.reinforce_loss(np.empty((0, 2)), np.empty(0, int), np.empty(0))
    assert np.isnan(loss)
    assert F.reinforce_loss_backward(1.0, cache).shape == (0, 2)


def test_an_action_that_is_ruled_out():
    logits = np.array([[0.0, -np.inf, 0.0]])
    loss, gradient = loss_and_gradient(logits, np.array([2]), np.array([2.0]))
    np.testing.assert_allclose(loss, 2 * np.log(2))
    np.testing.assert_allclose(gradient, [[1.0, 0.0, -1.0]])


def test_float32_with_a_number_as_baseline():
    logits, returns = np.zeros((2, 2), np.float32), np.ones(2, np.float32)
    for baseline in (0.5, np.float32(0.5), np.float64(0.5), 1):
        loss, gradient = loss_and_gradient(logits, np.array([0, 1]), returns, baseline)
        assert loss.dtype == np.float32
        assert gradient.dtype == np.float32
