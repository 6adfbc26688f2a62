"""Optimizers against torch.optim, every step of long runs; flat against one by one; resuming."""

import copy
import inspect
import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import normal, quick, seeds

import bpref.functional as F
from bpref import nn, optim
from bpref.optim.optimizer import PIECE

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


# Every optimizer. The SGD tests above, for all, and against PyTorch over 200 steps.

RULES = {
    **{f"SGD {name}": ("SGD", {"lr": 0.05, **kwargs}) for name, kwargs in OPTIONS.items()},
    "Adagrad": ("Adagrad", {}),
    "Adagrad decay": ("Adagrad", {"lr": 0.1, "lr_decay": 0.02, "weight_decay": 0.1}),
    "Adagrad start": ("Adagrad", {"lr": 0.1, "initial_accumulator_value": 0.3, "eps": 1e-3}),
    "RMSprop": ("RMSprop", {}),
    "RMSprop decay": ("RMSprop", {"lr": 1e-3, "alpha": 0.9, "eps": 1e-4, "weight_decay": 0.1}),
    "RMSprop momentum": ("RMSprop", {"lr": 1e-3, "momentum": 0.8}),
    "RMSprop centered": ("RMSprop", {"lr": 1e-3, "centered": True}),
    "RMSprop all": (
        "RMSprop",
        {"lr": 1e-3, "alpha": 0.95, "weight_decay": 0.01, "momentum": 0.5, "centered": True},
    ),
    "Adam": ("Adam", {}),
    "Adam betas": ("Adam", {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-4}),
    "Adam zero betas": ("Adam", {"lr": 0.01, "betas": (0.0, 0.0), "eps": 0.1}),
    "Adam decay": ("Adam", {"lr": 0.01, "weight_decay": 0.1}),
    "Adam amsgrad": ("Adam", {"lr": 0.05, "betas": (0.9, 0.9), "amsgrad": True}),
    "AdamW": ("AdamW", {"lr": 0.01}),
    "AdamW decay": ("AdamW", {"lr": 0.02, "weight_decay": 0.3, "betas": (0.7, 0.9)}),
    "AdamW amsgrad": ("AdamW", {"lr": 0.05, "betas": (0.9, 0.9), "amsgrad": True}),
}
SOME = {
    **{k: RULES[k] for k in ("SGD plain", "SGD all", "Adagrad decay", "RMSprop all")},
    "AdamW amsgrad": RULES["AdamW amsgrad"],
    "ProximalL1": ("ProximalL1", {"lr": 0.05, "l1": 0.1}),
}
rules = pytest.mark.parametrize(("name", "kwargs"), RULES.values(), ids=RULES)
some_rules = pytest.mark.parametrize(("name", "kwargs"), SOME.values(), ids=SOME)
layouts = pytest.mark.parametrize("flat", [True, False], ids=["flat", "apart"])


def network(flat, dtype=np.float64):
    net = nn.MLP([2, 4, 1], "tanh", generator=np.random.default_rng(0), dtype=dtype)
    net = net if flat else copy.deepcopy(net)  # the parameters of a copy lie apart
    assert (net.flat_vectors() is not None) == flat
    return net


def batches(steps, dtype=np.float64):
    """Batches of a regression with noise, so that gradients never settle."""
    for step in range(steps):
        X = normal(step, 8, 2)
        yield X.astype(dtype), (np.sin(X[:, :1]) + normal(step + 1000, 8, 1) / 4).astype(dtype)


def train(net, optimizer, data):
    """Make the steps; return all parameters after each, shape (steps, parameters)."""
    trajectory = []
    for X, Y in data:
        net.zero_grad()
        _, cache = F.mse_loss(net(X), Y)
        net.backward(F.mse_loss_backward(1.0, cache))
        optimizer.step()
        trajectory.append(np.concatenate([p.data.ravel() for p in net.parameters()]))
    return np.array(trajectory)


def torch_optimizer(net, name, kwargs):
    """PyTorch's optimizer, at work on the arrays of the network."""
    tensors = []
    for p in net.parameters():
        tensors.append(torch.nn.Parameter(torch.from_numpy(p.data)))
        tensors[-1].grad = torch.from_numpy(p.grad)
    return getattr(torch.optim, name)(tensors, **kwargs)


def assert_close(ours, theirs, rtol):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=rtol * np.abs(b).max())


@rules
def test_two_hundred_steps_like_torch(name, kwargs):
    flat, apart, theirs = network(True), network(False), network(False)
    start, data = flat.state_dict(), list(batches(200))
    optimizers = [getattr(optim, name)(net.parameters(), **kwargs) for net in (flat, apart)]
    ours = train(flat, optimizers[0], data)
    expected = train(theirs, torch_optimizer(theirs, name, kwargs), data)
    error = np.abs(ours - expected).max(axis=1) / np.abs(expected).max(axis=1)
    assert len(error) == 200
    assert error.max() <= 1e-10
    np.testing.assert_array_equal(train(apart, optimizers[1], data), ours)
    assert [optimizer.steps for optimizer in optimizers] == [200, 200]
    assert not np.allclose(flat.state_dict()["0.weight"], start["0.weight"], rtol=0.1)


@pytest.mark.parametrize("name", ["SGD", "Adagrad", "RMSprop", "Adam", "AdamW"])
def test_arguments_and_defaults_like_torch(name):
    ours = inspect.signature(getattr(optim, name)).parameters
    theirs = inspect.signature(getattr(torch.optim, name)).parameters
    assert list(ours) == list(theirs)[: len(ours)]
    for argument in list(ours)[1:]:
        assert ours[argument].default == theirs[argument].default
    optimizer = getattr(optim, name)([nn.Parameter(np.ones(1))])
    assert optimizer.options == tuple(ours)[1:]
    for argument in optimizer.options:  # every option is an attribute
        assert getattr(optimizer, argument) == ours[argument].default
        assert type(getattr(optimizer, argument)) is type(ours[argument].default)


@some_rules
@pytest.mark.parametrize("at", [0, 1, 5])
def test_moved_between_steps(name, kwargs, at):
    moved, apart = parameters(0, False), parameters(0, False)
    ours = [getattr(optim, name)(params, **kwargs) for params in (moved, apart)]
    for step in range(10):
        if step == at:
            nn.flatten(moved)
        if step == 6:
            nn.flatten(reversed(moved))  # another order: one by one again
        if step == 8:
            nn.flatten([nn.Parameter(np.ones(2)), *moved])  # a part of longer vectors
        for params, optimizer in zip((moved, apart), ours, strict=True):
            optimizer.zero_grad()
            set_gradients(params, step)
            optimizer.step()
        for a, b in zip(moved, apart, strict=True):
            np.testing.assert_array_equal(a.data, b.data)


@some_rules
@layouts
def test_only_the_parameters_change(name, kwargs, flat):
    params = parameters(0, flat)
    optimizer = getattr(optim, name)(params, **kwargs)
    for step in range(3):
        set_gradients(params, step)
        before = [p.grad.copy() for p in params]
        optimizer.step()
        for p, grad in zip(params, before, strict=True):
            np.testing.assert_array_equal(p.grad, grad)
    optimizer.zero_grad()
    assert not any(p.grad.any() for p in params)


@some_rules
@layouts
def test_float32_stays_float32(name, kwargs, flat):
    single, double = network(flat, np.float32), network(flat)
    double.load_state_dict(single.state_dict())
    optimizer = getattr(optim, name)(single.parameters(), **kwargs)
    train(single, optimizer, batches(10, np.float32))
    train(double, getattr(optim, name)(double.parameters(), **kwargs), batches(10))
    for key, value in single.state_dict().items():
        assert value.dtype == np.float32
        np.testing.assert_allclose(value, double.state_dict()[key], rtol=1e-3, atol=1e-3)
    for state in optimizer.state_dict()["state"]:
        assert {array.dtype for array in state.values()} <= {np.dtype(np.float32)}


@layouts
def test_float32_is_computed_in_float32(flat):
    data, grad = normal(0, 50, dtype=np.float32), normal(1, 50, dtype=np.float32)
    p = nn.Parameter(data)
    if flat:
        nn.flatten([p])
    p.grad = grad
    optim.SGD([p], lr=0.1).step()
    np.testing.assert_array_equal(p.data, data - np.float32(0.1) * grad)
    exact = data - 0.1 * grad.astype(np.float64)
    assert (p.data != exact.astype(np.float32)).any()


@pytest.mark.parametrize("size", [PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 7])
def test_long_vectors_are_updated_in_pieces(size):
    """A flat vector, an array that lies apart and NumPy, each element alike."""
    data, grad = normal(0, size, dtype=np.float32), normal(1, size, dtype=np.float32)
    shapes = {"flat": [(5,), (size - 5,)], "apart": [(size,)], "matrix": [(1, size)]}
    for layout, places in shapes.items():
        parts, start = [], 0
        for shape in places:
            stop = start + math.prod(shape)
            p = nn.Parameter(data[start:stop].reshape(shape))
            p.grad = grad[start:stop].reshape(shape)
            parts.append(p)
            start = stop
        if layout == "flat":
            nn.flatten(parts)
        optim.SGD(parts, lr=0.1).step()
        ours = np.concatenate([p.data.ravel() for p in parts])
        np.testing.assert_array_equal(ours, data - np.float32(0.1) * grad)


def test_the_vectors_are_looked_up_once():
    params = parameters(0, flat=True)
    optimizer = optim.SGD(params, lr=0.1)
    blocks = optimizer._blocks()
    assert optimizer._blocks() is blocks
    nn.flatten(params)  # they have moved
    assert optimizer._blocks() is not blocks


@some_rules
@layouts
def test_odd_shapes(name, kwargs, flat):
    """No axes, no elements: as parts of a vector and one by one."""
    params = [nn.Parameter(np.full(shape, 2.0)) for shape in [(), (0, 3), (1, 1), (2,)]]
    if flat:
        nn.flatten(params)
    optimizer = getattr(optim, name)(params, **kwargs)
    for _ in range(3):
        for p in params:
            p.grad = np.ones(p.shape)
        optimizer.step()
    values = {float(x) for p in params for x in p.data.ravel()}
    assert len(values) == 1
    assert values.pop() < 2.0
    assert [p.shape for p in params] == [(), (0, 3), (1, 1), (2,)]


@some_rules
def test_one_flat_parameter(name, kwargs):
    """The vector of a single parameter has another shape than the parameter."""
    moved, apart = nn.Parameter(normal(0, 2, 3)), nn.Parameter(normal(0, 2, 3))
    ours = [getattr(optim, name)([p], **kwargs) for p in (moved, apart)]
    for step in range(4):
        if step == 2:
            nn.flatten([moved])
        for p, optimizer in zip((moved, apart), ours, strict=True):
            p.grad = normal(step, 2, 3)
            optimizer.step()
        np.testing.assert_array_equal(moved.data, apart.data)
    for key, array in ours[0].state_dict()["state"][0].items():
        np.testing.assert_array_equal(array, ours[1].state_dict()["state"][0][key])


def test_two_optimizers_for_one_network():
    """Each changes its own slice of the flat vectors and nothing else."""
    net, twin = network(True), network(False)
    rules = []
    for model in (net, twin):
        first, second = list(model.parameters())[:2], list(model.parameters())[2:]
        rules.append([optim.Adam(first, lr=0.1), optim.SGD(second, lr=0.1, momentum=0.9)])
    for _ in range(5):
        for model, optimizers in zip((net, twin), rules, strict=True):
            for p in model.parameters():
                p.grad = np.ones(p.shape)
            for optimizer in optimizers:
                optimizer.step()
            optimizers[0].zero_grad()
            assert [p.grad.any() for p in model.parameters()] == [False, False, True, True]
    for key, value in net.state_dict().items():
        np.testing.assert_array_equal(twin.state_dict()[key], value)


def test_other_networks_do_not_matter():
    """Whatever is built or moved elsewhere between steps, the vectors of this one are found."""
    net, twin = network(True), network(True)
    optimizers = [optim.Adam(model.parameters(), lr=0.1) for model in (net, twin)]
    train(twin, optimizers[1], batches(6))
    for data in batches(6):
        network(True)
        train(net, optimizers[0], [data])
    for key, value in twin.state_dict().items():
        np.testing.assert_array_equal(net.state_dict()[key], value)


# Options that change between steps


@pytest.mark.parametrize(
    ("name", "kwargs", "changes"),
    [
        ("SGD", {}, {"lr": 0.3}),
        ("SGD", {"dampening": 0.5}, {"momentum": 0.9}),  # the first step with momentum
        ("SGD", {"momentum": 0.9, "nesterov": True}, {"momentum": 0.5, "weight_decay": 0.1}),
        ("SGD", {"momentum": 0.9}, {"nesterov": True}),
        ("SGD", {"momentum": 0.9}, {"momentum": 0.0}),
        ("Adagrad", {}, {"lr": 0.3, "lr_decay": 0.1, "weight_decay": 0.1, "eps": 0.1}),
        ("RMSprop", {}, {"lr": 0.3, "alpha": 0.5, "weight_decay": 0.1, "eps": 0.1}),
        ("RMSprop", {"momentum": 0.9}, {"momentum": 0.3}),
        ("Adam", {}, {"lr": 0.3, "betas": (0.5, 0.7), "weight_decay": 0.1, "eps": 0.1}),
        ("AdamW", {"amsgrad": True}, {"weight_decay": 0.0, "amsgrad": False}),
    ],
)
@layouts
def test_options_may_change(name, kwargs, changes, flat):
    ours = parameters(0, flat)
    theirs = [torch.nn.Parameter(torch.from_numpy(p.data.copy())) for p in ours]
    optimizer = getattr(optim, name)(ours, **kwargs)
    reference = getattr(torch.optim, name)(theirs, **kwargs)
    for step in range(10):
        if step == 4:
            vars(optimizer).update(changes)
            reference.param_groups[0].update(changes)
        set_gradients(ours, step)
        for p, t in zip(ours, theirs, strict=True):
            t.grad = torch.from_numpy(p.grad.copy())
        optimizer.step()
        reference.step()
        assert_close([p.data for p in ours], [t.detach().numpy() for t in theirs], 1e-12)


# What is special about one rule


def test_centered_rmsprop_stays_finite_where_the_variance_rounds_below_zero():
    p = nn.Parameter(np.zeros(3))
    q = torch.nn.Parameter(torch.zeros(3, dtype=torch.float64))
    optimizer = optim.RMSprop([p], alpha=0.5, centered=True)
    reference = torch.optim.RMSprop([q], alpha=0.5, centered=True)
    for _ in range(100):
        p.grad = np.array([0.1, 0.3, 1.7])
        q.grad = torch.from_numpy(p.grad.copy())
        optimizer.step()
        reference.step()
    assert q.isnan().any()
    assert np.isfinite(p.data).all()


@pytest.mark.parametrize("name", ["Adagrad", "RMSprop", "Adam", "AdamW"])
def test_no_gradient_and_no_eps_is_nan_with_a_warning(name):
    p = nn.Parameter(np.ones(2))
    p.grad = np.array([0.0, 1.0])
    with pytest.warns(RuntimeWarning, match="invalid value encountered in divide"):
        getattr(optim, name)([p], eps=0.0).step()
    np.testing.assert_array_equal(np.isnan(p.data), [True, False])


def test_a_gradient_of_zero_takes_part_in_the_step():
    p = nn.Parameter(np.ones(2))
    optim.SGD([p], lr=0.1, weight_decay=1.0).step()
    np.testing.assert_array_equal(p.data, 0.9)


def soft_threshold(z, t):
    return np.where(z > t, z - t, np.where(z < -t, z + t, 0.0))


@quick
@given(seed=seeds, lr=st.sampled_from([0.0, 0.1, 1.0]), l1=st.sampled_from([0.0, 0.3, 2.0]))
def test_proximal_step_by_cases(seed, lr, l1):
    p = nn.Parameter(normal(seed, 4, 5))
    p.grad = normal(seed + 1, 4, 5)
    expected = soft_threshold(p.data - lr * p.grad, lr * l1)
    optim.ProximalL1([p], lr=lr, l1=l1).step()
    np.testing.assert_allclose(p.data, expected, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(p.data == 0, expected == 0)


@layouts
def test_proximal_zeros_are_exact_and_leave_again(flat):
    params = [nn.Parameter(np.array([0.05, -0.05, 0.0, 2.0])), nn.Parameter(np.array([-0.09]))]
    if flat:
        nn.flatten(params)
    optimizer = optim.ProximalL1(params, lr=0.1, l1=1.0)
    optimizer.step()
    np.testing.assert_array_equal(params[0].data, [0.0, 0.0, 0.0, 1.9])
    np.testing.assert_array_equal(params[1].data, 0.0)
    params[0].grad = np.array([-1.5, 0.9, 0.0, 0.0])
    optimizer.step()
    np.testing.assert_allclose(params[0].data, [0.05, 0.0, 0.0, 1.8], rtol=1e-15)


def test_proximal_finds_the_lasso_optimum():
    """Minimum of Σ h (θ − c)² / 2 + l1 Σ|θ|, known in closed form: soft thresholding by l1/h."""
    h, c, l1 = np.array([0.5, 1.0, 2.0, 4.0, 1.5]), np.array([1.0, 0.3, -1.0, 0.2, -3.0]), 0.9
    p = nn.Parameter(np.ones(5))
    optimizer = optim.ProximalL1([p], lr=0.2, l1=l1)
    for _ in range(500):
        p.grad = h * (p.data - c)
        optimizer.step()
    expected = soft_threshold(c, l1 / h)
    assert (expected == 0).sum() == 3
    np.testing.assert_allclose(p.data, expected, rtol=0, atol=1e-14)
    np.testing.assert_array_equal(p.data == 0, expected == 0)


def test_proximal_without_a_penalty_is_gradient_descent():
    ours, theirs = network(True), network(True)
    train(ours, optim.ProximalL1(ours.parameters(), l1=0.0), batches(5))
    train(theirs, optim.SGD(theirs.parameters()), batches(5))  # the same default lr
    for key, value in ours.state_dict().items():
        np.testing.assert_array_equal(value, theirs.state_dict()[key])


def test_an_optimizer_of_ones_own():
    class SignDescent(optim.Optimizer):
        def direction(self, data, grad, state):
            return np.sign(grad)

    p = nn.Parameter(np.zeros(2))
    p.grad = np.array([3.0, -0.1])
    optimizer = SignDescent([p], 0.5)
    optimizer.step()
    np.testing.assert_array_equal(p.data, [-0.5, 0.5])
    assert optimizer.state_dict() == {"steps": 1, "options": {"lr": 0.5}, "state": [{}]}
    again = SignDescent([p], lr=0.1)
    again.load_state_dict(optimizer.state_dict())
    assert (again.lr, again.steps) == (0.5, 1)


def test_flat_parameters_are_one_vector_and_others_come_one_by_one():
    seen = []

    class Recorder(optim.Optimizer):
        def direction(self, data, grad, state):
            seen.append(data.shape)
            return grad

    params = parameters(0, False)
    optimizer = Recorder(params, lr=0.1)
    optimizer.step()
    assert seen == SHAPES
    nn.flatten(params)
    seen.clear()
    optimizer.step()
    optimizer.step()
    assert seen == [(13,), (13,)]


def test_an_optimizer_needs_a_direction():
    class Nothing(optim.Optimizer):
        pass

    with pytest.raises(NotImplementedError, match=r"^Nothing does not define direction$"):
        Nothing([nn.Parameter(np.ones(1))], lr=0.1).step()


# Gradient accumulation


@pytest.mark.parametrize("parts", [2, 4])
@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_gradients_of_parts_add_up_to_those_of_the_batch(name, parts):
    whole, pieces = network(True), network(True)
    optimizers = [getattr(optim, name)(net.parameters(), lr=0.01) for net in (whole, pieces)]
    for X, Y in batches(20):
        train(whole, optimizers[0], [(X, Y)])
        optimizers[1].zero_grad()
        for x, y in zip(np.split(X, parts), np.split(Y, parts), strict=True):
            _, cache = F.mse_loss(pieces(x), y)
            pieces.backward(F.mse_loss_backward(1 / parts, cache))  # the loss divided by parts
        optimizers[1].step()
    assert_close([p.data for p in pieces.parameters()], [p.data for p in whole.parameters()], 1e-12)


# Saving and going on


@some_rules
@layouts
@pytest.mark.parametrize("flat_before", [True, False])
def test_a_resumed_run_equals_an_uninterrupted_one(name, kwargs, flat, flat_before):
    data = list(batches(12))
    through, first, second = network(flat), network(flat_before), network(flat)
    train(through, getattr(optim, name)(through.parameters(), **kwargs), data)

    optimizer = getattr(optim, name)(first.parameters(), **kwargs)
    train(first, optimizer, data[:5])
    saved = pickle.loads(pickle.dumps(optimizer.state_dict()))
    train(first, optimizer, data[5:7])  # what was saved does not follow

    second.load_state_dict(through.state_dict())
    resumed = getattr(optim, name)(second.parameters(), **required(name))
    train(second, resumed, data[:2])  # what it remembers of these is replaced
    resumed.load_state_dict(saved)
    assert resumed.steps == 5
    assert resumed.state_dict()["options"] == saved["options"]

    repeated = network(flat)
    train(repeated, getattr(optim, name)(repeated.parameters(), **kwargs), data[:5])
    second.load_state_dict(repeated.state_dict())
    train(second, resumed, data[5:])
    for key, value in through.state_dict().items():
        np.testing.assert_array_equal(second.state_dict()[key], value)


@layouts
def test_a_state_may_hold_more_than_its_options_ask_for(flat):
    params = parameters(0, flat)
    optimizer = optim.RMSprop(params, momentum=0.9, centered=True)
    set_gradients(params, 0)
    optimizer.step()
    optimizer.momentum, optimizer.centered = 0.0, False
    state = optimizer.state_dict()
    again = optim.RMSprop(params)
    again.load_state_dict(state)
    np.testing.assert_equal(again.state_dict(), state)


@pytest.mark.filterwarnings("error")
def test_loading_does_not_warn_of_overflow():
    p = nn.Parameter(np.ones((2, 2)))
    p.grad = np.ones((2, 2))
    optimizer = optim.Adagrad([p], lr=1e300, eps=0.0, weight_decay=1e300)
    optimizer.steps = 1
    state = {**optimizer.state_dict(), "state": [{"sum": np.ones((2, 2))}]}
    optimizer.load_state_dict(state)
    np.testing.assert_equal(optimizer.state_dict(), state)


def required(name):
    return {"l1": 0.9} if name == "ProximalL1" else {}


@rules
@layouts
def test_the_state_has_torchs_names_and_values(name, kwargs, flat):
    ours = parameters(0, flat)
    theirs = [torch.nn.Parameter(torch.from_numpy(p.data.copy())) for p in ours]
    optimizer = getattr(optim, name)(ours, **kwargs)
    reference = getattr(torch.optim, name)(theirs, **kwargs)
    for step in range(3):
        set_gradients(ours, step)
        for p, t in zip(ours, theirs, strict=True):
            t.grad = torch.from_numpy(p.grad.copy())
        optimizer.step()
        reference.step()
    state = optimizer.state_dict()
    assert state["steps"] == 3
    for mine, t in zip(state["state"], theirs, strict=True):
        expected = reference.state[t]
        assert set(mine) == {k for k, v in expected.items() if k != "step" and v is not None}
        for key, value in mine.items():
            np.testing.assert_allclose(value, expected[key].numpy(), rtol=1e-12)


def test_a_new_optimizer_has_an_empty_state():
    state = optim.Adam(parameters(0, True)).state_dict()
    assert state["steps"] == 0
    assert state["state"] == [{}] * len(SHAPES)


def test_loaded_arrays_are_copies_of_the_parameters_dtype():
    p = nn.Parameter(np.ones(2, np.float32))
    optimizer = optim.SGD([p], momentum=0.5)
    velocity = np.array([1.0, 2.0])
    state = {**optimizer.state_dict(), "steps": 1, "state": [{"momentum_buffer": velocity}]}
    optimizer.load_state_dict(state)
    optimizer.step()
    loaded = optimizer.state_dict()["state"][0]["momentum_buffer"]
    assert loaded.dtype == np.float32
    np.testing.assert_array_equal(loaded, [0.5, 1.0])
    np.testing.assert_array_equal(velocity, [1.0, 2.0])


@some_rules
@layouts
@pytest.mark.parametrize("clone", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_of_network_and_optimizer_goes_on(name, kwargs, flat, clone):
    data = list(batches(8))
    net = network(flat)
    optimizer = getattr(optim, name)(net.parameters(), **kwargs)
    train(net, optimizer, data[:4])
    twin, its = clone((net, optimizer))
    kept = twin.state_dict()
    train(net, optimizer, data[4:])
    for key, value in twin.state_dict().items():
        np.testing.assert_array_equal(value, kept[key])  # nothing is shared
    train(twin, its, data[4:6])
    nn.flatten(twin.parameters())
    train(twin, its, data[6:])
    for key, value in net.state_dict().items():
        np.testing.assert_array_equal(twin.state_dict()[key], value)
