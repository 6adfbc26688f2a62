"""hinge_embedding_loss and multi_margin_loss: numbers by hand, kinks, defaults."""

import numpy as np
import pytest
import torch

import bpref.functional as F

torch_F = torch.nn.functional


def test_hinge_by_hand():
    """−1 at the kink x = margin, as in PyTorch."""
    input = np.array([0.5, 0.5, 2.0, 3.0, -1.0, -1.0])
    target = np.array([1.0, -1.0, -1.0, -1.0, 1.0, -1.0])
    loss, cache = F.hinge_embedding_loss(input, target, 2.0, "none")
    np.testing.assert_array_equal(loss, [0.5, 1.5, 0, 0, -1, 3])
    gradient = F.hinge_embedding_loss_backward(np.full(6, 2.0), cache)
    np.testing.assert_array_equal(gradient, [2, -2, -2, 0, 2, -2])


@pytest.mark.parametrize("options", [{}, {"margin": 0.5}, {"reduction": "sum"}])
def test_hinge_defaults_like_torch(options):
    input, target = np.array([0.5, 0.75, 2.0]), np.array([1.0, -1.0, -1.0])
    loss, cache = F.hinge_embedding_loss(input, target, **options)
    tensor = torch.from_numpy(input).requires_grad_()
    expected = torch_F.hinge_embedding_loss(tensor, torch.from_numpy(target), **options)
    expected.backward()
    np.testing.assert_allclose(loss, expected.detach().numpy(), rtol=1e-15)
    np.testing.assert_allclose(F.hinge_embedding_loss_backward(1.0, cache), tensor.grad.numpy())


def test_hinge_empty():
    loss, cache = F.hinge_embedding_loss(np.empty(0), np.empty(0))
    assert np.isnan(loss)
    assert F.hinge_embedding_loss_backward(1.0, cache).shape == (0,)


SCORES = np.array([[3.0, 2.5, 0.0, 2.0], [1.0, 4.0, 3.5, 0.0]])
LABELS = np.array([0, 2])


def test_multi_margin_by_hand():
    """Violations: 0.5, −, 0 (the kink) for the first sample; −, 1.5, − for the second one."""
    loss, cache = F.multi_margin_loss(SCORES, LABELS, reduction="none")
    np.testing.assert_array_equal(loss, [0.5 / 4, 1.5 / 4])
    gradient = F.multi_margin_loss_backward(np.full(2, 4.0), cache)
    np.testing.assert_array_equal(gradient, [[-1, 1, 0, 0], [0, 1, -1, 0]])
    loss, cache = F.multi_margin_loss(SCORES, LABELS, p=2, reduction="none")
    np.testing.assert_array_equal(loss, [0.25 / 4, 2.25 / 4])
    gradient = F.multi_margin_loss_backward(np.full(2, 4.0), cache)
    np.testing.assert_array_equal(gradient, [[-1, 1, 0, 0], [0, 3, -3, 0]])


@pytest.mark.parametrize("weight", [None, np.array([0.5, 1.0, 2.0, 0.0])])
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_multi_margin_arguments_in_pytorchs_order(weight, reduction):
    loss, cache = F.multi_margin_loss(SCORES, LABELS, 2, 0.7, weight, reduction)
    tensor = torch.from_numpy(SCORES).requires_grad_()
    expected = torch_F.multi_margin_loss(
        tensor,
        torch.from_numpy(LABELS),
        p=2,
        margin=0.7,
        weight=None if weight is None else torch.from_numpy(weight),
        reduction=reduction,
    )
    expected.sum().backward()
    np.testing.assert_allclose(loss, expected.detach().numpy(), rtol=1e-14)
    gradient = F.multi_margin_loss_backward(np.ones(np.shape(loss)), cache)
    np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=1e-14)


def test_multi_margin_defaults():
    theirs = torch_F.multi_margin_loss(torch.from_numpy(SCORES), torch.from_numpy(LABELS))
    np.testing.assert_allclose(F.multi_margin_loss(SCORES, LABELS)[0], theirs.numpy())


def test_multi_margin_of_one_sample_and_of_one_class():
    loss, cache = F.multi_margin_loss(SCORES[0], np.array(0))
    assert loss == 0.5 / 4
    np.testing.assert_array_equal(F.multi_margin_loss_backward(4.0, cache), [-1, 1, 0, 0])
    loss, cache = F.multi_margin_loss(SCORES[:, :1], np.zeros(2, int))
    assert loss == 0.0
    np.testing.assert_array_equal(F.multi_margin_loss_backward(1.0, cache), np.zeros((2, 1)))


def test_multi_margin_empty():
    loss, cache = F.multi_margin_loss(np.empty((0, 3)), np.empty(0, int))
    assert np.isnan(loss)
    assert F.multi_margin_loss_backward(1.0, cache).shape == (0, 3)
    assert F.multi_margin_loss(np.empty((0, 3)), np.empty(0, int), reduction="sum")[0] == 0.0
