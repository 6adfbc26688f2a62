"""nn.Bilinear: equal to torch.nn.Bilinear, state_dict both ways, initial values."""

import numpy as np
import pytest
import torch
from strategies import assert_like_torch, normal

from bpref import nn


def to_torch(state):
    return {key: torch.from_numpy(value) for key, value in state.items()}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("lead", [(5,), (0,), (1,), (), (2, 3)])
def test_like_torch(bias, lead):
    ours = nn.Bilinear(3, 4, 2, bias, generator=np.random.default_rng(0))
    theirs = torch.nn.Bilinear(3, 4, 2, bias, dtype=torch.float64)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict(to_torch(ours.state_dict()))
    X, Z, delta = normal(0, *lead, 3), normal(1, *lead, 4), normal(2, *lead, 2)
    x, z = (torch.from_numpy(array.copy()).requires_grad_() for array in (X, Z))
    for _ in range(2):  # gradients of the parameters add up
        x.grad = z.grad = None
        expected = theirs(x, z)
        expected.backward(torch.from_numpy(delta))
        assert_like_torch(ours(X, Z), expected)
        grad_X, grad_Z = ours.backward(delta)
        assert_like_torch(grad_X, x.grad)
        assert_like_torch(grad_Z, z.grad)
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert_like_torch(p.grad, q.grad), name
    ours.zero_grad()
    assert not any(p.grad.any() for p in ours.parameters())


def test_state_dict_from_torch():
    theirs = torch.nn.Bilinear(3, 4, 2)
    ours = nn.Bilinear(3, 4, 2)
    ours.load_state_dict(theirs.state_dict())
    np.testing.assert_array_equal(ours.weight.data, theirs.weight.detach().double().numpy())
    np.testing.assert_array_equal(ours.bias.data, theirs.bias.detach().double().numpy())


def test_initial_values_like_torch():
    """Uniform with the bound 1 / √in1_features, for weight and bias."""
    ours = nn.Bilinear(4, 30, 500, generator=np.random.default_rng(0))
    for parameter in ours.parameters():
        values = parameter.data
        assert np.abs(values).max() <= 0.5
        assert np.abs(values).max() > 0.49
        assert abs(values.mean()) < 0.05
        assert abs(values.std() - 0.5 / np.sqrt(3)) < 0.02
    torch.manual_seed(0)
    theirs = torch.nn.Bilinear(4, 30, 500)
    for parameter in theirs.parameters():
        assert 0.49 < parameter.abs().max() <= 0.5


def test_the_generator_is_used_in_order():
    a, b = (nn.Bilinear(2, 3, 4, generator=np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(a.weight.data, b.weight.data)
    np.testing.assert_array_equal(a.bias.data, b.bias.data)
    other = nn.Bilinear(2, 3, 4)
    assert not np.array_equal(a.weight.data, other.weight.data)


def test_defaults():
    layer = nn.Bilinear(2, 3, 4)
    assert layer.weight.dtype == np.float64
    assert layer.weight.shape == (4, 2, 3)
    assert layer.bias.shape == (4,)
    assert (layer.in1_features, layer.in2_features, layer.out_features) == (2, 3, 4)


def test_float32():
    layer = nn.Bilinear(2, 3, 4, dtype=np.float32)
    output = layer(np.ones((5, 2), np.float32), np.ones((5, 3), np.float32))
    assert output.dtype == np.float32
    assert all(g.dtype == np.float32 for g in layer.backward(output))
    assert all(p.dtype == p.grad.dtype == np.float32 for p in layer.parameters())
