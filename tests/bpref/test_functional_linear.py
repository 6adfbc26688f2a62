"""bpref.functional.linear against central differences and PyTorch."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import (
    assert_like_differences,
    assert_like_torch,
    dtypes,
    features,
    leading,
    normal,
    quick,
    seeds,
)

import bpref.functional as F


def draw(seed, lead, d, m, has_bias, dtype=np.float64):
    inputs = {
        "input": normal(seed, *lead, d, dtype=dtype),
        "weight": normal(seed + 1, m, d, dtype=dtype),
    }
    if has_bias:
        inputs["bias"] = normal(seed + 2, m, dtype=dtype)
    return inputs, normal(seed + 3, *lead, m, dtype=dtype)


@quick
@given(seeds, leading, features, features, st.booleans())
def test_backward_like_central_differences(seed, lead, d, m, has_bias):
    inputs, grad_output = draw(seed, lead, d, m, has_bias)
    _, cache = F.linear(**inputs)
    gradients = dict(zip(inputs, F.linear_backward(grad_output, cache), strict=False))
    assert_like_differences(F.linear, inputs, grad_output, gradients)


@quick
@given(seeds, leading, features, features, st.booleans())
def test_like_torch(seed, lead, d, m, has_bias):
    inputs, grad_output = draw(seed, lead, d, m, has_bias)
    output, cache = F.linear(**inputs)
    gradients = F.linear_backward(grad_output, cache)

    tensors = {k: torch.from_numpy(v.copy()).requires_grad_() for k, v in inputs.items()}
    expected = torch.nn.functional.linear(**tensors)
    expected.backward(torch.from_numpy(grad_output))

    assert_like_torch(output, expected)
    for ours, tensor in zip(gradients, tensors.values(), strict=False):
        assert_like_torch(ours, tensor.grad)
    assert has_bias or gradients[2] is None


@quick
@given(seeds, leading, features, features, dtypes)
def test_dtype_is_kept(seed, lead, d, m, dtype):
    inputs, grad_output = draw(seed, lead, d, m, True, dtype)
    output, cache = F.linear(**inputs)
    assert output.dtype == dtype
    assert all(g.dtype == dtype for g in F.linear_backward(grad_output, cache))


def test_arguments_are_not_modified():
    inputs, grad_output = draw(0, (4,), 3, 2, True)
    before = {k: v.copy() for k, v in inputs.items()}
    _, cache = F.linear(**inputs)
    F.linear_backward(grad_output, cache)
    for name, array in inputs.items():
        np.testing.assert_array_equal(array, before[name])


def test_numbers_by_hand():
    output, cache = F.linear(np.array([[1.0, 2.0], [0.0, 1.0]]), np.array([[3.0, 4.0]]))
    np.testing.assert_array_equal(output, [[11.0], [4.0]])
    grad_input, grad_weight, _ = F.linear_backward(np.array([[1.0], [10.0]]), cache)
    np.testing.assert_array_equal(grad_input, [[3.0, 4.0], [30.0, 40.0]])
    np.testing.assert_array_equal(grad_weight, [[1.0, 12.0]])


@pytest.mark.parametrize("lead", [(), (0,), (1,), (0, 3), (2, 0, 3)])
def test_empty_and_single(lead):
    inputs, grad_output = draw(1, lead, 3, 2, True)
    output, cache = F.linear(**inputs)
    grad_input, grad_weight, grad_bias = F.linear_backward(grad_output, cache)
    assert output.shape == (*lead, 2)
    assert grad_input.shape == (*lead, 3)
    assert grad_weight.shape == (2, 3)
    if 0 in lead:
        assert not grad_weight.any()
        assert not grad_bias.any()
