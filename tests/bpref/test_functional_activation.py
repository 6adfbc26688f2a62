"""The activations against central differences and PyTorch, kinks and extremes included."""

import numpy as np
import pytest
import torch
from hypothesis import given
from strategies import (
    assert_like_differences,
    assert_like_torch,
    dtypes,
    normal,
    quick,
    seeds,
    shapes,
)

import bpref.functional as F

CASES = {
    "identity": (F.identity, F.identity_backward, torch.nn.Identity()),
    "sigmoid": (F.sigmoid, F.sigmoid_backward, torch.sigmoid),
    "tanh": (F.tanh, F.tanh_backward, torch.tanh),
    "relu": (F.relu, F.relu_backward, torch.relu),
    "leaky_relu": (F.leaky_relu, F.leaky_relu_backward, torch.nn.functional.leaky_relu),
    "leaky_relu_0.3": (
        lambda input: F.leaky_relu(input, 0.3),
        F.leaky_relu_backward,
        lambda x: torch.nn.functional.leaky_relu(x, 0.3),
    ),
    "leaky_relu_-1": (
        lambda input: F.leaky_relu(input, -1.0),
        F.leaky_relu_backward,
        lambda x: torch.nn.functional.leaky_relu(x, -1.0),
    ),
}
every = pytest.mark.parametrize(("op", "backward", "reference"), CASES.values(), ids=CASES)


@every
@quick
@given(seeds, shapes)
def test_backward_like_central_differences(op, backward, reference, seed, shape):
    values = normal(seed, *shape, scale=2.0)
    inputs = {"input": np.where(abs(values) < 1e-3, 0.5, values)}  # no step over a kink
    grad_output = normal(seed + 1, *shape)
    _, cache = op(**inputs)
    gradients = {"input": np.asarray(backward(grad_output, cache))}
    assert_like_differences(op, inputs, grad_output, gradients)


@every
@quick
@given(seeds, shapes)
def test_like_torch(op, backward, reference, seed, shape):
    values = normal(seed, *shape, scale=3.0, decimals=1)  # many exact zeros
    grad_output = normal(seed + 1, *shape)
    output, cache = op(values)
    tensor = torch.from_numpy(values.copy()).requires_grad_()
    expected = reference(tensor)
    expected.backward(torch.from_numpy(grad_output))
    assert_like_torch(output, expected)
    assert_like_torch(backward(grad_output, cache), tensor.grad)


@every
@quick
@given(seeds, shapes, dtypes)
def test_dtype_is_kept(op, backward, reference, seed, shape, dtype):
    output, cache = op(normal(seed, *shape, dtype=dtype))
    gradient = backward(np.ones(shape, dtype), cache)
    assert output.dtype == gradient.dtype == dtype
    assert output.shape == gradient.shape == shape


@every
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extremes_without_warning(op, backward, reference, dtype):
    values = np.array([-1e4, -100.0, -0.0, 0.0, 100.0, 1e4], dtype)
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        output, cache = op(values)
        gradient = backward(np.ones_like(values), cache)
    tensor = torch.from_numpy(values.copy()).requires_grad_()
    expected = reference(tensor)
    expected.sum().backward()
    rtol = 1e-6 if dtype is np.float32 else 1e-12
    np.testing.assert_allclose(output, expected.detach().numpy(), rtol=rtol, atol=1e-40)
    np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=rtol, atol=1e-40)


@every
def test_nan_stays_visible(op, backward, reference):
    assert np.isnan(op(np.array([np.nan]))[0]).all()


@every
def test_arguments_are_not_modified(op, backward, reference):
    values, grad_output = normal(0, 3, 2), normal(1, 3, 2)
    before = values.copy(), grad_output.copy()
    backward(grad_output, op(values)[1])
    np.testing.assert_array_equal(values, before[0])
    np.testing.assert_array_equal(grad_output, before[1])


def test_relu_at_zero_is_zero():
    _, cache = F.relu(np.array([0.0, -0.0]))
    np.testing.assert_array_equal(F.relu_backward(np.ones(2), cache), [0.0, 0.0])


def test_leaky_relu_at_zero_takes_the_slope():
    _, cache = F.leaky_relu(np.array([0.0]), 0.25)
    np.testing.assert_array_equal(F.leaky_relu_backward(np.ones(1), cache), [0.25])


def test_sigmoid_reaches_its_limits():
    output, _ = F.sigmoid(np.array([-1e4, 0.0, 1e4], np.float32))
    np.testing.assert_array_equal(output, [0.0, 0.5, 1.0])


def test_relu_backward_like_torch_where_nothing_is_finite():
    input, grad = np.array([np.nan, -1.0, -1.0, 2.0]), np.array([1.0, np.inf, np.nan, np.inf])
    tensor = torch.from_numpy(input).requires_grad_()
    torch.relu(tensor).backward(torch.from_numpy(grad))
    ours = F.relu_backward(grad, F.relu(input)[1])
    np.testing.assert_array_equal(ours, tensor.grad.numpy())  # no 0 · inf = nan
