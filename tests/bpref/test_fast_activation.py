"""bpref.fast.activation: accuracy over the whole range, and arrays of more than one block."""

import math

import numpy as np
import pytest

import bpref.functional as F
from bpref.fast import activation as fast

DTYPES = [np.float32, np.float64]


def scalar(f, values):
    """f of Python's math module, one element after the other, in float64."""
    return np.array([f(float(v)) for v in values])


@pytest.mark.parametrize("dtype", DTYPES)
def test_gelu_over_the_whole_range(dtype):
    values = np.linspace(-12, 12, 4001).astype(dtype)
    phi = scalar(lambda a: math.erfc(-a / math.sqrt(2)) / 2, values)
    output, cache = fast.gelu(values)
    eps = np.finfo(dtype).eps
    # exp(−a²/2) inherits the rounding error of a², up to 72 ulp at a = −12.
    np.testing.assert_allclose(output, values * phi, rtol=200 * eps)
    near = np.abs(values) < 2
    np.testing.assert_allclose(output[near], (values * phi)[near], rtol=8 * eps)
    density = scalar(lambda a: math.exp(-a * a / 2) / math.sqrt(2 * math.pi), values)
    gradient = fast.gelu_backward(np.ones_like(values), cache)
    np.testing.assert_allclose(gradient, phi + values * density, rtol=0, atol=8 * eps)


@pytest.mark.parametrize("dtype", DTYPES)
def test_softplus_over_the_whole_range(dtype):
    values = np.linspace(-30, 30, 4001).astype(dtype)
    output, cache = fast.softplus(values, threshold=100.0)
    expected = scalar(lambda a: max(a, 0) + math.log1p(math.exp(-abs(a))), values)
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(output, expected, rtol=8 * eps)
    gradient = fast.softplus_backward(np.ones_like(values), cache)
    sigmoid = scalar(lambda a: 1 / (1 + math.exp(-a)), values)
    np.testing.assert_allclose(gradient, sigmoid, rtol=8 * eps)


@pytest.mark.parametrize("name", ["gelu", "softplus"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_more_than_one_block(name, dtype):
    rng = np.random.default_rng(0)
    shape = (3, fast.BLOCK // 2 + 1)
    values, grad = (rng.standard_normal(shape).astype(dtype) * 4 for _ in range(2))
    for a in (values, np.asfortranarray(values), values[:, ::-1]):
        output, cache = getattr(fast, name)(a)
        expected, plain = getattr(F, name)(a)
        assert output.dtype == dtype
        rtol = 30 * np.finfo(dtype).eps
        np.testing.assert_allclose(output, expected, rtol=rtol, atol=rtol)
        gradient = getattr(fast, f"{name}_backward")(grad, cache)
        assert gradient.dtype == dtype
        expected = getattr(F, f"{name}_backward")(grad, plain)
        np.testing.assert_allclose(gradient, expected, rtol=rtol, atol=rtol)


def test_nan_stays_visible():
    for op in (fast.gelu, fast.softplus):
        assert np.isnan(op(np.array([np.nan]))[0]).all()


def test_options_are_checked():
    with pytest.raises(ValueError, match="approximate: expected 'none' or 'tanh', got 'erf'"):
        fast.gelu(np.ones(1), "erf")
    with pytest.raises(ValueError, match=r"beta: expected a number other than 0, got 0\.0"):
        fast.softplus(np.ones(1), 0.0)
