"""Modules: gradients, accumulation, flat storage, and state_dict both ways with PyTorch."""

import copy
import itertools
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import assert_like_torch, batch, features, normal, quick, seeds

import bpref.functional as F
from bpref import nn, optim
from bpref.gradcheck import check_gradients

ACTIVATIONS = {
    "identity": torch.nn.Identity,
    "sigmoid": torch.nn.Sigmoid,
    "tanh": torch.nn.Tanh,
    "relu": torch.nn.ReLU,
    "leaky_relu": torch.nn.LeakyReLU,
}


def rng(seed=0):
    return np.random.default_rng(seed)


def torch_mlp(sizes, activation, dtype=torch.float64):
    layers = []
    for d, m in itertools.pairwise(sizes):
        layers += [torch.nn.Linear(d, m, dtype=dtype), ACTIVATIONS[activation]()]
    return torch.nn.Sequential(*layers[:-1])


def to_torch(state):
    return {key: torch.from_numpy(value) for key, value in state.items()}


@quick
@given(
    seeds,
    batch,
    st.lists(features, min_size=2, max_size=4),
    st.sampled_from(list(ACTIVATIONS)),
)
def test_mlp_like_torch(seed, n, sizes, activation):
    ours = nn.MLP(sizes, activation, generator=rng(seed))
    theirs = torch_mlp(sizes, activation)
    theirs.load_state_dict(to_torch(ours.state_dict()))
    X, grad_output = normal(seed, n, sizes[0]), normal(seed + 1, n, sizes[-1])

    tensor = torch.from_numpy(X).requires_grad_()
    expected = theirs(tensor)
    expected.backward(torch.from_numpy(grad_output))

    assert_like_torch(ours(X), expected)
    assert_like_torch(ours.backward(grad_output), tensor.grad)
    parameters = dict(theirs.named_parameters())
    assert [name for name, _ in ours.named_parameters()] == list(parameters)
    for name, parameter in ours.named_parameters():
        assert_like_torch(parameter.grad, parameters[name].grad)


def test_gradients_like_central_differences():
    net = nn.MLP([3, 4, 2], "tanh", generator=rng())
    X, Y = normal(1, 5, 3), normal(2, 5, 2)

    def loss_of(**state):
        net.load_state_dict({key.replace("_", "."): value for key, value in state.items()})
        return F.mse_loss(net(X), Y)[0]

    state = {key.replace(".", "_"): value for key, value in net.state_dict().items()}
    _, cache = F.mse_loss(net(X), Y)
    net.backward(F.mse_loss_backward(1.0, cache))
    gradients = {k.replace(".", "_"): p.grad.copy() for k, p in net.named_parameters()}
    report = check_gradients(loss_of, state, gradients)
    assert report.ok, str(report)


def test_gradients_accumulate_until_zero_grad():
    net = nn.MLP([2, 3, 1], generator=rng())
    X, delta = normal(0, 4, 2), normal(1, 4, 1)
    net(X)
    net.backward(delta)
    once = [p.grad.copy() for p in net.parameters()]
    net(X)
    net.backward(delta)
    for p, g in zip(net.parameters(), once, strict=True):
        np.testing.assert_allclose(p.grad, 2 * g, rtol=1e-15)
    net.zero_grad()
    assert not any(p.grad.any() for p in net.parameters())
    net(X)
    net.backward(delta)
    for p, g in zip(net.parameters(), once, strict=True):
        np.testing.assert_array_equal(p.grad, g)


def test_zero_grad_without_flat_storage():
    layer = nn.Linear(2, 3, generator=rng())
    assert layer.flat_vectors() is None
    layer(np.ones((1, 2)))
    layer.backward(np.ones((1, 3)))
    assert layer.weight.grad.any()
    layer.zero_grad()
    assert not layer.weight.grad.any()
    assert not layer.bias.grad.any()


@pytest.mark.parametrize(
    "module",
    [
        nn.Linear(2, 2),
        nn.Identity(),
        nn.Sigmoid(),
        nn.Tanh(),
        nn.ReLU(),
        nn.LeakyReLU(),
        nn.Sequential(nn.Linear(2, 2)),
    ],
    ids=lambda m: type(m).__name__,
)
def test_backward_needs_its_own_forward(module):
    X = np.ones((1, 2))
    with pytest.raises(RuntimeError, match="backward: expected a forward pass before it"):
        module.backward(X)
    module(X)
    module.backward(X)
    with pytest.raises(RuntimeError, match="since the last backward pass"):
        module.backward(X)


def test_every_parameter_is_a_view_of_the_flat_vectors():
    net = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.ReLU(), nn.Linear(3, 2)), nn.Linear(2, 1))
    data, grad = net.flat_vectors()
    parameters = list(net.parameters())
    assert data.size == grad.size == sum(p.size for p in parameters)
    for p in parameters:
        assert np.shares_memory(p.data, data)
        assert np.shares_memory(p.grad, grad)
    np.testing.assert_array_equal(data, np.concatenate([p.data.ravel() for p in parameters]))
    inner_data, _ = net[1].flat_vectors()  # a container in a container: a slice of the outer one
    assert np.shares_memory(inner_data, data)
    data[...] = 7.0
    grad[...] = 8.0
    assert all((p.data == 7.0).all() and (p.grad == 8.0).all() for p in parameters)


def test_flattening_keeps_values_and_gradients():
    first, second = nn.Linear(2, 3, generator=rng()), nn.Linear(3, 1, generator=rng(1))
    first(np.ones((1, 2)))
    first.backward(np.ones((1, 3)))
    before = first.weight.data.copy(), first.weight.grad.copy(), second.weight.data.copy()
    nn.Sequential(first, second)
    np.testing.assert_array_equal(first.weight.data, before[0])
    np.testing.assert_array_equal(first.weight.grad, before[1])
    np.testing.assert_array_equal(second.weight.data, before[2])


def test_assignment_keeps_the_views():
    net = nn.MLP([2, 3, 1], generator=rng())
    data, grad = net.flat_vectors()
    p = next(net.parameters())
    p.data = np.ones((3, 2))
    p.grad = np.full((3, 2), 2.0)
    p.data -= 0.5 * p.grad
    assert not data[:6].any()
    assert (grad[:6] == 2.0).all()
    p.grad = None
    assert not grad.any()


def test_dtypes_that_differ_stay_apart():
    net = nn.Sequential(nn.Linear(1, 1, dtype=np.float32), nn.Linear(1, 1))
    assert net.flat_vectors() is None


def test_shared_parameter_is_listed_once_and_saved_twice():
    a, b = nn.Linear(2, 2, generator=rng()), nn.Linear(2, 2, generator=rng(1))
    b.weight = a.weight
    net = nn.Sequential(a, b)
    assert [name for name, _ in net.named_parameters()] == ["0.weight", "0.bias", "1.bias"]
    assert list(net.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    X = np.ones((1, 2))
    net(X)
    net.backward(X)
    ta, tb = torch.nn.Linear(2, 2).double(), torch.nn.Linear(2, 2).double()
    tb.weight = ta.weight
    theirs = torch.nn.Sequential(ta, tb)
    theirs.load_state_dict(to_torch(net.state_dict()))
    theirs(torch.from_numpy(X)).backward(torch.from_numpy(X))
    assert_like_torch(a.weight.grad, ta.weight.grad)


@pytest.mark.parametrize("bias", [True, False])
def test_state_dict_from_torch(bias):
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4, bias=bias), torch.nn.Tanh())
    ours = nn.Sequential(nn.Linear(3, 4, bias=bias), nn.Tanh())
    ours.load_state_dict(theirs.state_dict())  # float32 tensors into float64 parameters
    X = normal(0, 5, 3)
    expected = theirs.double()(torch.from_numpy(X))
    assert_like_torch(ours(X), expected)
    ours.load_state_dict(dict(theirs.named_parameters()))  # tensors that require a gradient
    theirs.load_state_dict(to_torch(ours.state_dict()))


def test_state_dict_is_a_copy():
    net = nn.MLP([1, 2, 1], generator=rng())
    state = net.state_dict()
    state["0.weight"][...] = 99.0
    assert not (net.state_dict()["0.weight"] == 99.0).any()


def test_load_state_dict_is_all_or_nothing():
    net = nn.MLP([1, 2, 1], generator=rng())
    before = net.state_dict()
    broken = {key: np.zeros_like(v) for key, v in before.items()} | {"2.bias": np.zeros(5)}
    with pytest.raises(ValueError, match=r"state_dict\['2.bias'\]: expected shape \(1,\), got"):
        net.load_state_dict(broken)
    for key, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[key])


def test_load_state_dict_names_the_keys():
    net = nn.MLP([1, 2, 1])
    state = net.state_dict()
    state["3.weight"] = state.pop("2.weight")
    with pytest.raises(ValueError, match=r"missing \['2.weight'\], unexpected \['3.weight'\]"):
        net.load_state_dict(state)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(dtype):
    net = nn.MLP([2, 3, 1], generator=rng(), dtype=dtype)
    output = net(np.ones((4, 2), dtype))
    assert output.dtype == dtype
    assert net.backward(np.ones((4, 1), dtype)).dtype == dtype
    assert all(p.dtype == p.grad.dtype == dtype for p in net.parameters())


def test_the_same_generator_gives_the_same_network():
    a, b, c = (nn.MLP([2, 3, 1], generator=rng(seed)).state_dict() for seed in (0, 0, 1))
    assert all((a[key] == b[key]).all() for key in a)
    assert any((a[key] != c[key]).any() for key in a)


def test_empty_sequential_is_the_identity():
    net = nn.Sequential()
    X = np.ones((2, 3))
    assert net(X) is X
    assert net.backward(X) is X
    net.zero_grad()
    assert net.state_dict() == {}
    net.load_state_dict({})


def test_repr_like_torch():
    ours = repr(nn.Sequential(*nn.MLP([1, 2, 1])))
    assert ours == repr(torch_mlp([1, 2, 1], "relu"))
    assert repr(nn.Sequential(nn.LeakyReLU(0.1))) == repr(
        torch.nn.Sequential(torch.nn.LeakyReLU(0.1))
    )


def test_attributes_are_found_like_in_torch():
    class Ours(nn.Module):
        def __init__(self):
            self.inner = nn.Sequential(nn.Linear(1, 1))
            self.scale = nn.Parameter(np.ones(1))

    class Theirs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = torch.nn.Sequential(torch.nn.Linear(1, 1))
            self.scale = torch.nn.Parameter(torch.ones(1))

    assert list(Ours().state_dict()) == list(Theirs().state_dict())


def test_module_without_passes():
    with pytest.raises(NotImplementedError, match="Module does not define forward"):
        nn.Module()(np.ones(1))
    with pytest.raises(NotImplementedError, match="Module does not define backward"):
        nn.Module().backward(np.ones(1))


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_of_a_network_learns_like_the_original(clone):
    net = nn.MLP([3, 4, 2], generator=np.random.default_rng(0))
    twin, start = clone(net), net.state_dict()
    for model in (net, twin):
        optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        for _ in range(2):
            optimizer.zero_grad()
            model.backward(np.ones_like(model(np.ones((5, 3)))))
            optimizer.step()
    for key, value in net.state_dict().items():
        assert not np.array_equal(value, start[key]), key
        np.testing.assert_array_equal(twin.state_dict()[key], value)
    twin.zero_grad()
    assert not any(p.grad.any() for p in twin.parameters())


def test_an_array_cannot_replace_a_parameter():
    layer = nn.Linear(2, 1)
    with pytest.raises(TypeError, match=r"weight: expected a Parameter, got ndarray.*weight\.data"):
        layer.weight = np.ones((1, 2))
    layer.weight = nn.Parameter(np.ones((1, 2)))
    layer.bias = None
    assert float(layer(np.ones((1, 2)))[0, 0]) == 2.0
