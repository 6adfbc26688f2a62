"""Clipping against torch.nn.utils: norms of all kinds, values, extremes, and what is left alone."""

import inspect
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import normal, quick, seeds

from bpref import nn, optim

SHAPES = [(3, 2), (), (4,), (1, 2)]
layouts = pytest.mark.parametrize("flat", [True, False], ids=["flat", "apart"])


def parameters(seed=0, flat=False, scale=1.0, dtype=np.float64):
    """Parameters with gradients, and PyTorch's with the same."""
    ours = [nn.Parameter(normal(seed + i, *shape, dtype=dtype)) for i, shape in enumerate(SHAPES)]
    if flat:
        nn.flatten(ours)
    theirs = []
    for i, p in enumerate(ours):
        p.grad = normal(seed + 10 + i, *p.shape, dtype=dtype) * np.array(scale, dtype)
        theirs.append(torch.nn.Parameter(torch.from_numpy(p.data.copy())))
        theirs[-1].grad = torch.from_numpy(p.grad.copy())
    return ours, theirs


def assert_same_gradients(ours, theirs, rtol=1e-12):
    for p, t in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.grad, t.grad.numpy(), rtol=rtol)
        np.testing.assert_array_equal(p.data, t.detach().numpy())  # the values stay
        assert p.grad.dtype == t.grad.numpy().dtype


@quick
@given(
    seed=seeds,
    flat=st.booleans(),
    max_norm=st.sampled_from([0.0, 0.1, 1, 3.0, 100.0, math.inf]),
    norm_type=st.sampled_from([0.5, 1, 2.0, 3.0, 10.0, math.inf]),
)
def test_norm_like_torch(seed, flat, max_norm, norm_type):
    ours, theirs = parameters(seed, flat)
    total = optim.clip_grad_norm_(ours, max_norm, norm_type)
    expected = torch.nn.utils.clip_grad_norm_(theirs, max_norm, norm_type)
    assert type(total) is float
    assert total == pytest.approx(float(expected), rel=1e-12)
    assert_same_gradients(ours, theirs)


@quick
@given(seed=seeds, flat=st.booleans(), clip_value=st.sampled_from([0.0, 0.3, 1, 9.0, math.inf]))
def test_value_like_torch(seed, flat, clip_value):
    ours, theirs = parameters(seed, flat)
    assert optim.clip_grad_value_(ours, clip_value) is None
    torch.nn.utils.clip_grad_value_(theirs, clip_value)
    assert_same_gradients(ours, theirs)


@pytest.mark.parametrize("name", ["clip_grad_norm_", "clip_grad_value_"])
def test_arguments_and_defaults_like_torch(name):
    ours = inspect.signature(getattr(optim, name)).parameters
    theirs = inspect.signature(getattr(torch.nn.utils, name)).parameters
    assert list(ours) == [key for key in theirs if key != "foreach"]
    assert [p.default for p in ours.values()] == [theirs[key].default for key in ours]


def test_a_norm_below_the_bound_changes_nothing():
    ours, _ = parameters()
    before = [p.grad.copy() for p in ours]
    total = optim.clip_grad_norm_(ours, 1e3)
    assert total == pytest.approx(math.sqrt(sum(float((g**2).sum()) for g in before)), rel=1e-14)
    for p, grad in zip(ours, before, strict=True):
        np.testing.assert_array_equal(p.grad, grad)


def test_the_direction_stays():
    ours, _ = parameters(scale=50.0)
    before = np.concatenate([p.grad.ravel() for p in ours])
    optim.clip_grad_norm_(ours, 2.0)
    after = np.concatenate([p.grad.ravel() for p in ours])
    assert np.linalg.norm(after) == pytest.approx(2.0, rel=1e-6)
    np.testing.assert_allclose(after / before, after[0] / before[0], rtol=1e-12)


def test_a_generator_and_a_single_parameter_are_welcome():
    net = nn.MLP([2, 3, 1], generator=np.random.default_rng(0))
    for p in net.parameters():
        p.grad = np.full(p.shape, 4.0)
    assert optim.clip_grad_norm_(net.parameters(), 1.0, math.inf) == 4.0
    np.testing.assert_allclose(net.flat_vectors()[1], 1.0, rtol=1e-6)
    optim.clip_grad_value_(net.parameters(), 0.5)
    np.testing.assert_array_equal(net.flat_vectors()[1], 0.5)
    p = next(net.parameters())
    assert optim.clip_grad_norm_(p, 1.0, math.inf) == 0.5
    optim.clip_grad_value_(p, 0.25)
    np.testing.assert_array_equal(net.flat_vectors()[1][[5, 6]], [0.25, 0.5])


@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.0, math.inf])
def test_no_gradient_at_all(norm_type):
    ours, theirs = parameters(scale=0.0)
    assert optim.clip_grad_norm_(ours, 1.0, norm_type) == 0.0
    torch.nn.utils.clip_grad_norm_(theirs, 1.0, norm_type)
    assert_same_gradients(ours, theirs)


@pytest.mark.parametrize("norm_type", [1.0, 2.0, math.inf])
def test_no_elements(norm_type):
    empty, p = nn.Parameter(np.zeros((0, 2))), nn.Parameter(np.zeros(1))
    p.grad = np.array([-3.0])
    assert optim.clip_grad_norm_([empty, p], 5.0, norm_type) == 3.0
    assert optim.clip_grad_norm_(empty, 5.0, norm_type) == 0.0
    optim.clip_grad_value_(empty, 5.0)


@layouts
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float32_stays_float32(dtype, flat):
    ours, theirs = parameters(flat=flat, scale=20.0, dtype=dtype)
    total = optim.clip_grad_norm_(ours, 1.5)
    assert total == pytest.approx(float(torch.nn.utils.clip_grad_norm_(theirs, 1.5)), rel=1e-6)
    assert_same_gradients(ours, theirs, 1e-6)
    optim.clip_grad_value_(ours, 0.1)
    torch.nn.utils.clip_grad_value_(theirs, 0.1)
    assert_same_gradients(ours, theirs, 1e-6)


@pytest.mark.parametrize(
    ("dtype", "size"), [(np.float32, 1e30), (np.float32, 1e-30), (np.float64, 1e200)]
)
@pytest.mark.parametrize("norm_type", [1.0, 2.0, 4.0, math.inf])
def test_extreme_gradients(dtype, size, norm_type):
    """Their squares are beyond the dtype, their norm is not."""
    p = nn.Parameter(np.zeros(2, dtype))
    p.grad = np.array([3 * size, 4 * size], dtype)
    expected = np.linalg.norm([3.0, 4.0], norm_type)
    assert optim.clip_grad_norm_(p, 2.0, norm_type) == pytest.approx(expected * size, rel=1e-6)
    clipped = [6, 8] / expected if size > 1 else [3 * size, 4 * size]
    np.testing.assert_allclose(p.grad, clipped, rtol=1e-6)


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("norm_type", [1.0, 2.0, math.inf])
def test_a_norm_that_is_not_finite_like_torch(bad, norm_type):
    ours, theirs = parameters()
    ours[2].grad[1] = theirs[2].grad[1] = bad
    total = optim.clip_grad_norm_(ours, 1.0, norm_type)
    expected = torch.nn.utils.clip_grad_norm_(theirs, 1.0, norm_type)
    assert total == pytest.approx(float(expected), nan_ok=True)
    assert_same_gradients(ours, theirs)


@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_a_norm_that_is_not_finite_can_be_an_error(bad):
    ours, _ = parameters()
    ours[2].grad[1] = bad
    before = [p.grad.copy() for p in ours]
    message = f"^parameters: expected gradients with a finite norm, got {bad}$"
    with pytest.raises(RuntimeError, match=message):
        optim.clip_grad_norm_(ours, 1.0, error_if_nonfinite=True)
    for p, grad in zip(ours, before, strict=True):
        np.testing.assert_array_equal(p.grad, grad)


def test_a_finite_norm_is_no_error():
    ours, theirs = parameters()
    optim.clip_grad_norm_(ours, 1.0, error_if_nonfinite=True)
    torch.nn.utils.clip_grad_norm_(theirs, 1.0, error_if_nonfinite=True)
    assert_same_gradients(ours, theirs)


def test_values_keep_nan_and_bound_inf():
    p = nn.Parameter(np.zeros(3))
    p.grad = np.array([math.nan, math.inf, -math.inf])
    optim.clip_grad_value_(p, 2.0)
    np.testing.assert_array_equal(p.grad, [math.nan, 2.0, -2.0])


def test_training_with_clipping_like_torch():
    ours, theirs = parameters(flat=True)
    optimizer = optim.SGD(ours, lr=0.1, momentum=0.9)
    reference = torch.optim.SGD(theirs, lr=0.1, momentum=0.9)
    for step in range(50):
        for i, (p, t) in enumerate(zip(ours, theirs, strict=True)):
            p.grad = normal(100 * step + i, *p.shape) + p.data
            t.grad = torch.from_numpy(normal(100 * step + i, *p.shape)) + t.detach()
        optim.clip_grad_norm_(ours, 1.0)
        torch.nn.utils.clip_grad_norm_(theirs, 1.0)
        optimizer.step()
        reference.step()
    for p, t in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.data, t.detach().numpy(), rtol=1e-10)
