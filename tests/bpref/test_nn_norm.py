"""The normalisation modules against torch.nn: state, outputs, gradients, running statistics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from strategies import assert_like_torch, normal

from bpref import nn

# name: (constructor in both libraries, shape of an input)
CASES = {
    "BatchNorm1d": (lambda n, **k: n.BatchNorm1d(3, **k), (5, 3)),
    "BatchNorm1d sequence": (lambda n, **k: n.BatchNorm1d(3, 0.01, 0.3, **k), (5, 3, 2)),
    "BatchNorm1d average": (lambda n, **k: n.BatchNorm1d(3, momentum=None, **k), (5, 3)),
    "BatchNorm1d plain": (lambda n, **k: n.BatchNorm1d(3, affine=False, **k), (5, 3)),
    "BatchNorm1d batch": (lambda n, **k: n.BatchNorm1d(3, track_running_stats=False, **k), (5, 3)),
    "BatchNorm1d no bias": (lambda n, **k: n.BatchNorm1d(3, bias=False, **k), (5, 3)),
    "BatchNorm2d": (lambda n, **k: n.BatchNorm2d(3, **k), (2, 3, 4, 2)),
    "LayerNorm": (lambda n, **k: n.LayerNorm(4, **k), (2, 3, 4)),
    "LayerNorm axes": (lambda n, **k: n.LayerNorm((3, 4), 0.1, **k), (2, 3, 4)),
    "LayerNorm plain": (lambda n, **k: n.LayerNorm([4], elementwise_affine=False, **k), (2, 4)),
    "LayerNorm no bias": (lambda n, **k: n.LayerNorm(4, bias=False, **k), (2, 4)),
    "GroupNorm": (lambda n, **k: n.GroupNorm(2, 4, **k), (3, 4, 5)),
    "GroupNorm eps": (lambda n, **k: n.GroupNorm(2, 4, 0.1, **k), (3, 4)),
    "GroupNorm plain": (lambda n, **k: n.GroupNorm(1, 4, affine=False, **k), (3, 4)),
    "GroupNorm no weight": (lambda n, **k: n.GroupNorm(2, 4, bias=False, **k), (3, 4, 5)),
    "RMSNorm": (lambda n, **k: n.RMSNorm(4, **k), (2, 3, 4)),
    "RMSNorm axes": (lambda n, **k: n.RMSNorm((3, 4), 0.1, **k), (2, 3, 4)),
    "RMSNorm plain": (lambda n, **k: n.RMSNorm(4, elementwise_affine=False, **k), (2, 4)),
}
every = pytest.mark.parametrize(("make", "shape"), CASES.values(), ids=CASES)


def both(make):
    """The same module in both libraries, with the same random parameters."""
    ours, theirs = make(nn), make(torch.nn, dtype=torch.float64)
    for i, parameter in enumerate(ours.parameters()):
        parameter.data = normal(100 + i, *parameter.shape)
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in ours.state_dict().items()})
    return ours, theirs


def assert_same_state(ours, theirs):
    state, expected = ours.state_dict(), theirs.state_dict()
    assert list(state) == list(expected)
    for key, value in state.items():
        assert_like_torch(value, expected[key], 1e-12)


@every
def test_like_torch_over_several_batches(make, shape):
    ours, theirs = both(make)
    for step in range(3):
        x, g = normal(step, *shape) + step, normal(10 + step, *shape)
        tensor = torch.from_numpy(x).requires_grad_()
        expected = theirs(tensor)
        expected.backward(torch.from_numpy(g))  # gradients accumulate on both sides
        assert_like_torch(ours(x), expected, 1e-10)
        assert_like_torch(ours.backward(g), tensor.grad, 1e-10)
    parameters = dict(theirs.named_parameters())
    assert [name for name, _ in ours.named_parameters()] == list(parameters)
    for name, parameter in ours.named_parameters():
        assert_like_torch(parameter.grad, parameters[name].grad, 1e-10)
    assert_same_state(ours, theirs)
    ours.zero_grad()
    assert not any(p.grad.any() for p in ours.parameters())


@every
def test_evaluation_like_torch(make, shape):
    ours, theirs = both(make)
    for module in (ours, theirs):
        module(normal(0, *shape) if module is ours else torch.from_numpy(normal(0, *shape)))
        module.eval()
    x, g = normal(1, *shape), normal(2, *shape)
    tensor = torch.from_numpy(x).requires_grad_()
    expected = theirs(tensor)
    expected.backward(torch.from_numpy(g))
    assert_like_torch(ours(x), expected, 1e-10)
    assert_like_torch(ours.backward(g), tensor.grad, 1e-10)
    assert_same_state(ours, theirs)


@every
def test_state_dict_from_torch(make, shape):
    theirs = make(torch.nn, dtype=torch.float64)
    theirs(torch.from_numpy(normal(0, *shape)))
    ours = make(nn)
    ours.load_state_dict(theirs.state_dict())
    assert_same_state(ours, theirs)


@every
def test_initial_values_and_repr_like_torch(make, shape):
    ours, theirs = make(nn), make(torch.nn, dtype=torch.float64)
    assert_same_state(ours, theirs)
    assert repr(ours) == repr(theirs)


@every
def test_float32(make, shape):
    ours, theirs = make(nn, dtype=np.float32), make(torch.nn)
    assert_same_state(ours, theirs)
    x, g = normal(0, *shape, dtype=np.float32), normal(1, *shape, dtype=np.float32)
    tensor = torch.from_numpy(x).requires_grad_()
    expected = theirs(tensor)
    expected.backward(torch.from_numpy(g))
    assert_like_torch(ours(x), expected, 1e-4)
    assert_like_torch(ours.backward(g), tensor.grad, 1e-4)


def test_counted_average_over_all_batches():
    layer = nn.BatchNorm1d(1, momentum=None)
    for value in (1.0, 2.0, 6.0):
        layer(np.array([[value], [value]]))
    assert float(layer.running_mean.data[0]) == pytest.approx(3.0, rel=1e-15)
    assert layer.num_batches_tracked.data == 3


def test_a_refused_batch_changes_nothing():
    layer = nn.BatchNorm1d(2)
    with pytest.raises(ValueError, match="more than one value per channel"):
        layer(np.ones((1, 2)))
    assert layer.num_batches_tracked.data == 0


def test_running_statistics_are_no_parameters():
    layer = nn.BatchNorm1d(2)
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]
    assert len(layer.state_dict()) == 5


@pytest.mark.parametrize(
    "module", [nn.BatchNorm1d(3), nn.LayerNorm(3), nn.GroupNorm(1, 3), nn.RMSNorm(3)]
)
def test_backward_needs_its_own_forward(module):
    x = normal(0, 4, 3)
    module(x)
    module.backward(x)
    with pytest.raises(RuntimeError, match="backward: expected a forward pass before it"):
        module.backward(x)
