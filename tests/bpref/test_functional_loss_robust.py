"""l1_loss, smooth_l1_loss and huber_loss: numbers by hand, kinks, equalities between them."""

import numpy as np
import pytest
import torch

import bpref.functional as F

torch_F = torch.nn.functional
ERRORS = np.array([-3.0, -1.0, -0.25, 0.0, 0.25, 1.0, 3.0])
ZERO = np.zeros(7)


def losses_and_slopes(name, *arguments, **options):
    loss, cache = getattr(F, name)(*arguments, reduction="none", **options)
    return loss, getattr(F, f"{name}_backward")(np.ones(loss.shape), cache)


def test_l1_by_hand():
    loss, slope = losses_and_slopes("l1_loss", ERRORS, ZERO)
    np.testing.assert_array_equal(loss, [3, 1, 0.25, 0, 0.25, 1, 3])
    np.testing.assert_array_equal(slope, [-1, -1, -1, 0, 1, 1, 1])


def test_smooth_l1_by_hand():
    loss, slope = losses_and_slopes("smooth_l1_loss", ERRORS, ZERO, beta=0.5)
    np.testing.assert_array_equal(loss, [2.75, 0.75, 0.0625, 0, 0.0625, 0.75, 2.75])
    np.testing.assert_array_equal(slope, [-1, -1, -0.5, 0, 0.5, 1, 1])


def test_huber_by_hand():
    loss, slope = losses_and_slopes("huber_loss", ERRORS, ZERO, delta=2.0)
    np.testing.assert_array_equal(loss, [4, 0.5, 0.03125, 0, 0.03125, 0.5, 4])
    np.testing.assert_array_equal(slope, [-2, -1, -0.25, 0, 0.25, 1, 2])


def test_the_error_is_input_minus_target():
    for name in ("l1_loss", "smooth_l1_loss", "huber_loss"):
        loss, slope = losses_and_slopes(name, np.array([1.0]), np.array([4.0]))
        assert loss > 0
        assert slope == -1


@pytest.mark.parametrize("name", ["l1_loss", "smooth_l1_loss", "huber_loss"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_reductions(name, reduction):
    _, slope = losses_and_slopes(name, ERRORS, ZERO)
    loss, cache = getattr(F, name)(ERRORS, ZERO, reduction)
    divisor = 7 if reduction == "mean" else 1
    expected = getattr(torch_F, name)(
        torch.from_numpy(ERRORS), torch.from_numpy(ZERO), reduction=reduction
    )
    np.testing.assert_allclose(loss, expected.numpy(), rtol=1e-14)
    np.testing.assert_allclose(
        getattr(F, f"{name}_backward")(2.0, cache), 2 * slope / divisor, rtol=1e-14
    )


@pytest.mark.parametrize("name", ["l1_loss", "smooth_l1_loss", "huber_loss"])
def test_defaults_are_pytorchs(name):
    ours, _ = getattr(F, name)(ERRORS, ZERO)
    theirs = getattr(torch_F, name)(torch.from_numpy(ERRORS), torch.from_numpy(ZERO))
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-14)


@pytest.mark.parametrize("name", ["l1_loss", "smooth_l1_loss", "huber_loss"])
def test_empty(name):
    loss, cache = getattr(F, name)(np.empty((0, 3)), np.empty((0, 3)))
    assert np.isnan(loss)
    assert getattr(F, f"{name}_backward")(1.0, cache).shape == (0, 3)


def test_beta_zero_is_l1():
    loss, slope = losses_and_slopes("smooth_l1_loss", ERRORS, ZERO, beta=0.0)
    l1, l1_slope = losses_and_slopes("l1_loss", ERRORS, ZERO)
    np.testing.assert_array_equal(loss, l1)
    np.testing.assert_array_equal(slope, l1_slope)


def test_a_tiny_beta_does_not_overflow():
    loss, slope = losses_and_slopes("smooth_l1_loss", ERRORS, ZERO, beta=1e-300)
    np.testing.assert_allclose(loss, np.abs(ERRORS))
    np.testing.assert_array_equal(slope, np.sign(ERRORS))


def test_huber_is_delta_times_smooth_l1():
    huber, huber_slope = losses_and_slopes("huber_loss", ERRORS, ZERO, delta=0.5)
    smooth, smooth_slope = losses_and_slopes("smooth_l1_loss", ERRORS, ZERO, beta=0.5)
    np.testing.assert_allclose(huber, 0.5 * smooth)
    np.testing.assert_allclose(huber_slope, 0.5 * smooth_slope)


def test_a_wide_huber_is_half_the_squared_error():
    huber, slope = losses_and_slopes("huber_loss", ERRORS, ZERO, delta=10.0)
    np.testing.assert_allclose(huber, ERRORS**2 / 2)
    np.testing.assert_allclose(slope, ERRORS)
