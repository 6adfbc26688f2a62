"""LoRA: the function, the module, what is frozen, merging, bad input."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from refusing import refused
from registry import assert_close
from strategies import assert_like_torch, normal

import bpref.functional as F
from bpref import nn, optim

X, W = normal(0, 5, 3), normal(1, 2, 3)
A, B, BIAS = normal(2, 4, 3), normal(3, 2, 4), normal(4, 2)


def test_default_scale_is_one_over_the_rank():
    output, _ = F.lora_linear(X, W, A, B)
    assert_close(output, X @ (W + B @ A / 4).T, 1e-14, "output")
    output, _ = F.lora_linear(X, W, A, B, BIAS, 8.0)
    assert_close(output, X @ (W + 2 * B @ A).T + BIAS, 1e-14, "output")


def test_zero_B_is_the_frozen_layer_and_A_waits():
    output, cache = F.lora_linear(X, W, A, np.zeros((2, 4)), BIAS)
    np.testing.assert_array_equal(output, F.linear(X, W, BIAS)[0])
    grad_input, grad_A, grad_B = F.lora_linear_backward(normal(5, 5, 2), cache)
    assert not grad_A.any()
    assert grad_B.all()
    np.testing.assert_allclose(grad_input, normal(5, 5, 2) @ W, rtol=1e-14)


def module(**options):
    layer = nn.LoRALinear(3, 2, 4, 8.0, generator=np.random.default_rng(0), **options)
    layer.lora_B.data = B
    return layer


@pytest.mark.parametrize("bias", [True, False])
def test_module_like_torch_autograd(bias):
    layer = module(bias=bias)
    state = {k: torch.from_numpy(v) for k, v in layer.state_dict().items()}
    lora_A, lora_B = state["lora_A"].requires_grad_(), state["lora_B"].requires_grad_()
    for step in range(2):  # gradients accumulate on both sides
        x, grad = normal(step, 5, 3), normal(10 + step, 5, 2)
        tensor = torch.from_numpy(x).requires_grad_()
        weight = state["weight"] + 2.0 * lora_B @ lora_A
        expected = torch.nn.functional.linear(tensor, weight, state.get("bias"))
        expected.backward(torch.from_numpy(grad))
        assert_like_torch(layer(x), expected)
        assert_like_torch(layer.backward(grad), tensor.grad)
    assert_like_torch(layer.lora_A.grad, lora_A.grad)
    assert_like_torch(layer.lora_B.grad, lora_B.grad)
    layer.zero_grad()
    assert not layer.lora_A.grad.any()
    assert not layer.lora_B.grad.any()


def test_initial_values():
    layer = nn.LoRALinear(64, 50, 40, generator=np.random.default_rng(0))
    assert not layer.lora_B.data.any()
    for array in (layer.weight.data, layer.bias.data, layer.lora_A.data):
        assert abs(array).max() <= 1 / 8
        assert abs(array).max() > 0.95 / 8
    assert abs(layer.lora_A.data.std() - 1 / 8 / np.sqrt(3)) < 0.002
    plain = nn.Linear(64, 50, generator=np.random.default_rng(0))
    np.testing.assert_array_equal(layer.weight.data, plain.weight.data)
    np.testing.assert_array_equal(layer.bias.data, plain.bias.data)
    x = normal(0, 5, 64)
    np.testing.assert_array_equal(layer(x), plain(x))
    assert layer.alpha == 1.0


def test_training_changes_the_correction_only():
    layer = module()
    before = layer.state_dict()
    optimizer = optim.SGD(layer.parameters(), lr=0.1, weight_decay=0.1)
    layer.backward(np.ones_like(layer(X)))
    optimizer.step()
    after = layer.state_dict()
    changed = [key for key in after if (after[key] != before[key]).any()]
    assert changed == ["lora_A", "lora_B"]
    assert list(after) == ["lora_A", "lora_B", "weight", "bias"]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_merge(bias, dtype):
    layer = module(bias=bias, dtype=dtype)
    x = X.astype(dtype)
    merged = layer.merge()
    assert merged.weight.dtype == dtype
    assert (merged.bias is None) == (not bias)
    np.testing.assert_allclose(merged(x), layer(x), rtol=1e-5 if dtype == np.float32 else 1e-12)
    merged.weight.data[...] = 0.0
    assert layer.weight.data.any()


def test_float32_and_repr():
    layer = nn.LoRALinear(3, 2, 4, dtype=np.float32)
    output = layer(X.astype(np.float32))
    assert output.dtype == layer.backward(output).dtype == np.float32
    assert nn.LoRALinear(3, 2, 4).weight.data.dtype == np.float64
    expected = "LoRALinear(in_features=3, out_features=2, r=4, alpha=1.0, bias=True)"
    assert repr(layer) == expected


def test_backward_needs_its_own_forward():
    with pytest.raises(RuntimeError, match="backward: expected a forward pass before it"):
        module().backward(np.ones((5, 2)))


# name: (call, error, message)
CASES = {
    "int": (
        lambda: F.lora_linear(X, W, A.astype(int), B),
        TypeError,
        "lora_A: expected dtype float32 or float64, got int64",
    ),
    "mixed": (
        lambda: F.lora_linear(X, W, A, B, BIAS.astype(np.float32)),
        TypeError,
        "bias: expected dtype float64 as of input, got float32",
    ),
    "weight": (
        lambda: F.lora_linear(X, W.T, A, B),
        ValueError,
        "weight: expected shape (out_features, 3), got (3, 2)",
    ),
    "A": (
        lambda: F.lora_linear(X, W, A.T, B),
        ValueError,
        "lora_A: expected shape (r, 3), got (3, 4)",
    ),
    "B": (
        lambda: F.lora_linear(X, W, A, B.T),
        ValueError,
        "lora_B: expected shape (2, 4), got (4, 2)",
    ),
    "rank": (
        lambda: F.lora_linear(X, W, A[:0], B[:, :0]),
        ValueError,
        "r: expected at least 1, got 0",
    ),
    "bias": (
        lambda: F.lora_linear(X, W, A, B, np.zeros(3)),
        ValueError,
        "bias: expected shape (2,), got (3,)",
    ),
    "alpha": (
        lambda: F.lora_linear(X, W, A, B, alpha="1"),
        TypeError,
        "alpha: expected a number, got str",
    ),
    "module size": (
        lambda: nn.LoRALinear(0, 2, 1),
        ValueError,
        "in_features: expected at least 1, got 0",
    ),
    "module out": (
        lambda: nn.LoRALinear(1, 2.0, 1),
        TypeError,
        "out_features: expected an int, got float",
    ),
    "module rank": (
        lambda: nn.LoRALinear(3, 2, 0),
        ValueError,
        "r: expected at least 1, got 0",
    ),
    "module alpha": (
        lambda: nn.LoRALinear(3, 2, 1, np.nan),
        ValueError,
        "alpha: expected a finite number, got nan",
    ),
    "module dtype": (
        lambda: nn.LoRALinear(3, 2, 1, dtype=int),
        TypeError,
        "dtype: expected float32 or float64, got <class 'int'>",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), CASES.values(), ids=CASES)
def test_refused_by_name(call, error, message):
    with refused(error, message):
        call()
