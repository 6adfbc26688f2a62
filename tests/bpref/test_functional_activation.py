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
from bpref.fast import activation as fast

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
    "elu": (F.elu, F.elu_backward, torch.nn.functional.elu),
    "elu_-0.5": (
        lambda input: F.elu(input, -0.5),
        F.elu_backward,
        lambda x: torch.nn.functional.elu(x, -0.5),
    ),
    # gelu is compared below: PyTorch loses digits for a < 0 in 1 + erf and in 1 + tanh.
    "silu": (F.silu, F.silu_backward, torch.nn.functional.silu),
    "softplus": (F.softplus, F.softplus_backward, torch.nn.functional.softplus),
    "softplus_3_100": (
        lambda input: F.softplus(input, 3.0, 100.0),
        F.softplus_backward,
        lambda x: torch.nn.functional.softplus(x, 3.0, 100.0),
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


def test_elu_at_zero_takes_alpha():
    output, cache = F.elu(np.array([0.0, -0.0, 1e-300]), 0.25)
    np.testing.assert_array_equal(np.signbit(output), [False, True, False])
    np.testing.assert_array_equal(F.elu_backward(np.ones(3), cache), [0.25, 0.25, 1.0])


def test_elu_near_zero_keeps_its_digits():
    output, _ = F.elu(np.array([-1e-10]))
    np.testing.assert_allclose(output, [-1e-10 + 5e-21], rtol=1e-15)  # not exp(a) − 1


def test_elu_at_infinity():
    output, cache = F.elu(np.array([-np.inf, np.inf]), 2.0)
    np.testing.assert_array_equal(output, [-2.0, np.inf])
    np.testing.assert_array_equal(F.elu_backward(np.ones(2), cache), [0.0, 1.0])


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_like_torch(approximate):
    values = np.linspace(-10, 10, 201)
    tensor = torch.from_numpy(values.copy()).requires_grad_()
    expected = torch.nn.functional.gelu(tensor, approximate=approximate)
    expected.sum().backward()
    output, cache = F.gelu(values, approximate)
    np.testing.assert_allclose(output, expected.detach().numpy(), rtol=1e-14, atol=1e-15)
    gradient = F.gelu_backward(np.ones(201), cache)
    np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=1e-14, atol=1e-14)
    assert np.isnan(F.gelu(np.array([np.nan]), approximate)[0]).all()


def test_gelu_keeps_its_digits_far_below_zero():
    output, _ = F.gelu(np.array([-10.0]))
    np.testing.assert_allclose(output, [-10 * 7.619853024160526e-24], rtol=1e-13)  # Φ(−10)
    single, _ = F.gelu(np.array([-5.0], np.float32))
    np.testing.assert_allclose(single, [-5 * 2.866515718791939e-07], rtol=1e-6)  # Φ(−5)


def test_gelu_by_hand():
    output, cache = F.gelu(np.array([1.0]))
    np.testing.assert_allclose(output, [0.8413447460685429], rtol=1e-15)  # Φ(1)
    slope = 0.8413447460685429 + 0.24197072451914337  # Φ(1) + 1 · φ(1)
    np.testing.assert_allclose(F.gelu_backward(np.ones(1), cache), [slope], rtol=1e-15)


def test_the_two_forms_of_gelu_differ_a_little():
    values = np.linspace(-4, 4, 81)
    difference = np.abs(F.gelu(values)[0] - F.gelu(values, approximate="tanh")[0]).max()
    assert 1e-4 < difference < 1e-3


def test_silu_is_the_input_times_sigmoid():
    values = np.linspace(-5, 5, 11)
    np.testing.assert_array_equal(F.silu(values)[0], values * F.sigmoid(values)[0])


@pytest.mark.parametrize("module", [F, fast], ids=["functional", "fast"])
def test_softplus_becomes_a_line_above_the_threshold(module):
    values = np.array([1.5, 1.5 + 1e-9])  # times 2: at the threshold, and above it
    output, cache = module.softplus(values, beta=2.0, threshold=3.0)
    np.testing.assert_allclose(output, [np.log(1 + np.exp(3.0)) / 2, values[1]], rtol=1e-15)
    gradient = module.softplus_backward(np.ones(2), cache)
    np.testing.assert_allclose(gradient, [1 / (1 + np.exp(-3.0)), 1.0], rtol=1e-15)
    default, _ = module.softplus(np.array([20.0, 20.5]))
    assert default[0] > 20.0
    assert default[1] == 20.5


def test_softplus_without_overflow_at_any_threshold():
    output, cache = F.softplus(np.array([1e4, -1e4], np.float32), threshold=1e9)
    np.testing.assert_array_equal(output, np.array([1e4, 0.0], np.float32))
    np.testing.assert_array_equal(F.softplus_backward(np.ones(2, np.float32), cache), [1.0, 0.0])


def test_softplus_with_negative_beta_is_a_concave_mirror_image():
    values = np.linspace(-3, 3, 7)
    np.testing.assert_allclose(
        F.softplus(values, beta=-1.0)[0], -F.softplus(-values)[0], rtol=1e-15
    )


def test_the_slope_of_softplus_is_sigmoid():
    values = np.linspace(-5, 5, 11)
    _, cache = F.softplus(values)
    np.testing.assert_array_equal(F.softplus_backward(np.ones(11), cache), F.sigmoid(values)[0])
