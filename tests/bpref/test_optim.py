"""SGD against torch.optim.SGD over many steps; the flat path against the one by one."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import normal, quick, seeds

from bpref import nn, optim

OPTIONS = {
    "plain": {},
    "momentum": {"momentum": 0.9},
    "dampening": {"momentum": 0.9, "dampening": 0.3},
    "nesterov": {"momentum": 0.8, "nesterov": True},
    "weight_decay": {"weight_decay": 0.1},
    "all": {"momentum": 0.7, "weight_decay": 0.01, "nesterov": True},
    "dampened_decay": {"momentum": 0.7, "weight_decay": 0.01, "dampening": 0.5},
}
options = pytest.mark.parametrize("kwargs", OPTIONS.values(), ids=OPTIONS)
SHAPES = [(3, 2), (3,), (1, 3), (1,)]


def parameters(seed, flat):
    result = [nn.Parameter(normal(seed + i, *shape)) for i, shape in enumerate(SHAPES)]
    if flat:
        nn.flatten(result)
    return result


def set_gradients(params, seed):
    for i, p in enumerate(params):
        p.grad = normal(1000 + seed + i, *p.shape)


@options
@pytest.mark.parametrize("flat", [True, False], ids=["flat", "apart"])
@quick
@given(seed=st.integers(0, 10_000), lr=st.sampled_from([0.0, 1e-3, 0.1, 1.0]))
def test_like_torch(kwargs, flat, seed, lr):
    ours = parameters(seed, flat)
    theirs = [torch.nn.Parameter(torch.from_numpy(p.data.copy())) for p in ours]
    optimizer = optim.SGD(ours, lr=lr, **kwargs)
    reference = torch.optim.SGD(theirs, lr=lr, **kwargs)
    for step in range(10):
        set_gradients(ours, 10 * step)
        for p, t in zip(ours, theirs, strict=True):
            t.grad = torch.from_numpy(p.grad.copy())
        optimizer.step()
        reference.step()
    for p, t in zip(ours, theirs, strict=True):
        expected = t.detach().numpy()
        np.testing.assert_allclose(p.data, expected, rtol=1e-12, atol=1e-12 * abs(expected).max())


@options
def test_flat_path_equals_the_one_by_one(kwargs):
    flat, apart = parameters(0, True), parameters(0, False)
    assert nn.flat_vectors(flat) is not None
    assert nn.flat_vectors(apart) is None
    optimizers = [optim.SGD(flat, lr=0.1, **kwargs), optim.SGD(apart, lr=0.1, **kwargs)]
    for step in range(20):
        for params, optimizer in zip((flat, apart), optimizers, strict=True):
            optimizer.zero_grad()
            set_gradients(params, 10 * step)
            optimizer.step()
    for a, b in zip(flat, apart, strict=True):
        np.testing.assert_array_equal(a.data, b.data)


@options
@pytest.mark.parametrize("at", [0, 1, 5])
def test_flattened_between_steps(kwargs, at):
    """A layer that goes into a container after the optimizer was made is still trained."""
    moved, apart = parameters(0, False), parameters(0, False)
    optimizers = [optim.SGD(moved, lr=0.1, **kwargs), optim.SGD(apart, lr=0.1, **kwargs)]
    for step in range(8):
        if step == at:
            nn.flatten(moved)
        if step == 6:
            nn.flatten(reversed(moved))  # another order: one by one again
        for params, optimizer in zip((moved, apart), optimizers, strict=True):
            set_gradients(params, step)
            optimizer.step()
    for a, b in zip(moved, apart, strict=True):
        np.testing.assert_array_equal(a.data, b.data)


def test_mixed_dtypes():
    params = [nn.Parameter(np.ones(2, np.float32)), nn.Parameter(np.ones(3))]
    optimizer = optim.SGD(params, lr=0.5, momentum=0.9)
    for p in params:
        p.grad = np.ones(p.shape, p.dtype)
    optimizer.step()
    assert [p.data.dtype for p in params] == [np.float32, np.float64]
    assert all((p.data == 0.5).all() for p in params)


@pytest.mark.parametrize("flat", [True, False])
def test_zero_grad(flat):
    params = parameters(0, flat)
    set_gradients(params, 0)
    optim.SGD(params).zero_grad()
    assert not any(p.grad.any() for p in params)


def test_a_step_does_not_change_the_gradient():
    params = parameters(0, True)
    set_gradients(params, 0)
    before = [p.grad.copy() for p in params]
    optim.SGD(params, momentum=0.9, weight_decay=0.1, nesterov=True).step()
    for p, g in zip(params, before, strict=True):
        np.testing.assert_array_equal(p.grad, g)


def test_the_learning_rate_may_change():
    p = nn.Parameter(np.zeros(1))
    optimizer = optim.SGD([p], lr=1.0)
    p.grad = np.ones(1)
    optimizer.step()
    optimizer.lr = 0.25
    optimizer.step()
    np.testing.assert_array_equal(p.data, [-1.25])


@quick
@given(seeds)
def test_training_like_torch(seed):
    net = nn.MLP([1, 4, 1], generator=np.random.default_rng(seed))
    theirs = torch.nn.Sequential(torch.nn.Linear(1, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))
    theirs = theirs.double()
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in net.state_dict().items()})
    X, Y = normal(seed, 8, 1), normal(seed + 1, 8, 1)
    ours_optimizer = optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    their_optimizer = torch.optim.SGD(theirs.parameters(), lr=0.05, momentum=0.9)
    for _ in range(5):
        ours_optimizer.zero_grad()
        net.backward(2 * (net(X) - Y) / 8)
        ours_optimizer.step()
        their_optimizer.zero_grad()
        torch.nn.functional.mse_loss(theirs(torch.from_numpy(X)), torch.from_numpy(Y)).backward()
        their_optimizer.step()
    for p, t in zip(net.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(p.data, t.detach().numpy(), rtol=1e-10, atol=1e-12)
