"""Embedding and PositionalEncoding as modules."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from strategies import assert_like_torch, normal

import bpref.functional as F
from bpref import nn

INDICES = np.array([[0, 2, 2], [3, 2, 0]])


@pytest.mark.parametrize("padding_idx", [None, 2, -1])
def test_like_torch(padding_idx):
    ours = nn.Embedding(4, 5, padding_idx, generator=np.random.default_rng(0))
    theirs = torch.nn.Embedding(4, 5, padding_idx, dtype=torch.float64)
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in ours.state_dict().items()})
    for step in range(2):  # gradients accumulate on both sides
        grad = normal(step, 2, 3, 5)
        expected = theirs(torch.from_numpy(INDICES))
        expected.backward(torch.from_numpy(grad))
        assert_like_torch(ours(INDICES), expected)
        assert ours.backward(grad) is None
    assert_like_torch(ours.weight.grad, theirs.weight.grad)
    assert repr(ours) == repr(theirs)
    ours.zero_grad()
    assert not ours.weight.grad.any()


def test_state_dict_from_torch():
    theirs = torch.nn.Embedding(4, 5)
    ours = nn.Embedding(4, 5)
    ours.load_state_dict(theirs.state_dict())
    assert_like_torch(ours(INDICES), theirs.double()(torch.from_numpy(INDICES)))


def test_initial_values_are_standard_normal():
    weight = nn.Embedding(400, 50, generator=np.random.default_rng(0)).weight.data
    assert abs(weight.mean()) < 0.03
    assert abs(weight.std() - 1.0) < 0.03
    assert abs(np.quantile(weight, 0.975) - 1.96) < 0.05


@pytest.mark.parametrize(("padding_idx", "row"), [(0, 0), (-1, 3), (2, 2)])
def test_padding_row_starts_at_zero(padding_idx, row):
    weight = nn.Embedding(4, 5, padding_idx, generator=np.random.default_rng(0)).weight.data
    assert [i for i in range(4) if not weight[i].any()] == [row]


def test_the_same_generator_gives_the_same_values():
    a, b, c = (
        nn.Embedding(4, 5, generator=np.random.default_rng(s)).weight.data for s in (0, 0, 1)
    )
    assert (a == b).all()
    assert (a != c).any()


def test_float32():
    ours = nn.Embedding(4, 5, dtype=np.float32)
    assert ours(INDICES).dtype == np.float32
    ours.backward(np.ones((2, 3, 5), np.float32))
    assert ours.weight.grad.dtype == np.float32
    assert nn.Embedding(4, 5).weight.dtype == np.float64


def test_embedding_at_the_start_of_a_sequence_of_modules():
    net = nn.Sequential(nn.Embedding(4, 5), nn.PositionalEncoding(), nn.Linear(5, 2))
    assert net(INDICES).shape == (2, 3, 2)
    assert net.backward(np.ones((2, 3, 2))) is None
    assert net[0].weight.grad.any()


def test_positional_encoding_is_the_function():
    x, layer = normal(0, 2, 3, 4), nn.PositionalEncoding()
    np.testing.assert_array_equal(layer(x), F.positional_encoding(x)[0])
    np.testing.assert_array_equal(layer.backward(x), x)
    assert repr(layer) == "PositionalEncoding()"
    assert layer.state_dict() == {}


@pytest.mark.parametrize("module", [nn.Embedding(4, 5), nn.PositionalEncoding()])
def test_backward_needs_its_own_forward(module):
    input = INDICES if isinstance(module, nn.Embedding) else normal(0, 2, 3)
    module.backward(np.ones_like(module(input)))
    with pytest.raises(RuntimeError, match="backward: expected a forward pass before it"):
        module.backward(np.ones((2, 3)))
