"""The convolution and pooling modules against torch.nn, and a whole convolutional network."""

import inspect
import math

import numpy as np
import pytest
import torch
from strategies import assert_like_torch, normal, relative_error

import bpref.functional as F
from bpref import nn, optim

# name: (constructor in both libraries, shape of an input)
CONVOLUTIONS = {
    "Conv1d": (lambda n, **k: n.Conv1d(3, 4, 3, **k), (2, 3, 7)),
    "Conv1d options": (lambda n, **k: n.Conv1d(4, 6, (2,), 2, 1, 3, 2, False, **k), (3, 4, 9)),
    "Conv1d same": (lambda n, **k: n.Conv1d(2, 2, 3, padding="same", **k), (1, 2, 5)),
    "Conv2d": (lambda n, **k: n.Conv2d(3, 4, 3, **k), (2, 3, 6, 5)),
    "Conv2d pairs": (lambda n, **k: n.Conv2d(3, 4, (3, 1), (1, 2), (2, 0), **k), (2, 3, 6, 5)),
    "Conv2d options": (lambda n, **k: n.Conv2d(4, 6, 3, 2, 1, 2, 2, False, **k), (2, 4, 8, 7)),
    "Conv2d depthwise": (lambda n, **k: n.Conv2d(3, 3, 3, groups=3, **k), (2, 3, 5, 5)),
    "Conv2d valid": (lambda n, **k: n.Conv2d(1, 2, 3, padding="valid", **k), (2, 1, 5, 4)),
    "Conv2d same": (lambda n, **k: n.Conv2d(1, 2, 3, padding="same", **k), (2, 1, 5, 4)),
    "Conv2d image": (lambda n, **k: n.Conv2d(3, 4, 3, **k), (3, 6, 5)),
    "ConvTranspose2d": (lambda n, **k: n.ConvTranspose2d(3, 4, 3, **k), (2, 3, 4, 5)),
    "ConvTranspose2d options": (
        lambda n, **k: n.ConvTranspose2d(4, 6, (3, 2), 3, 1, (2, 1), 2, False, 2, **k),
        (2, 4, 3, 2),
    ),
}
OTHERS = {
    "MaxPool2d": (lambda n: n.MaxPool2d(2), (2, 3, 6, 5)),
    "MaxPool2d options": (lambda n: n.MaxPool2d((2, 3), 2, (1, 1), 1, False, True), (2, 3, 6, 6)),
    "MaxPool2d dilation": (lambda n: n.MaxPool2d(2, 1, dilation=(2, 3)), (2, 3, 6, 6)),
    "AvgPool2d": (lambda n: n.AvgPool2d((2, 1)), (2, 3, 6, 5)),
    "AvgPool2d options": (lambda n: n.AvgPool2d(3, 2, 1, True, False), (2, 3, 6, 6)),
    "AvgPool2d ceil": (lambda n: n.AvgPool2d(3, 2, 1, True), (2, 3, 6, 6)),
    "AvgPool2d divisor": (lambda n: n.AvgPool2d(2, (1, 2), divisor_override=3), (3, 6, 6)),
    "Flatten": (lambda n: n.Flatten(), (2, 3, 4, 5)),
    "Flatten some": (lambda n: n.Flatten(0, 2), (2, 3, 4, 5)),
    "Flatten one": (lambda n: n.Flatten(-2, 2), (2, 3, 4, 5)),
    "Flatten empty": (lambda n: n.Flatten(), (0, 3, 4)),
}


def to_torch(state):
    return {key: torch.from_numpy(value) for key, value in state.items()}


def assert_same_gradients(ours, theirs, rtol=1e-10):
    expected = dict(theirs.named_parameters())
    assert [name for name, _ in ours.named_parameters()] == list(expected)
    for name, parameter in ours.named_parameters():
        assert_like_torch(parameter.grad, expected[name].grad, rtol)


@pytest.mark.parametrize(("make", "shape"), CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_convolutions_like_torch(make, shape):
    ours, theirs = make(nn), make(torch.nn, dtype=torch.float64)
    theirs.load_state_dict(to_torch(ours.state_dict()))
    for step in range(2):  # gradients accumulate
        x = normal(step, *shape)
        tensor = torch.from_numpy(x).requires_grad_()
        expected = theirs(tensor)
        output = ours(x)
        assert_like_torch(output, expected, 1e-10)
        grad_output = normal(10 + step, *output.shape)
        expected.backward(torch.from_numpy(grad_output))
        assert_like_torch(ours.backward(grad_output), tensor.grad, 1e-10)
        assert_same_gradients(ours, theirs)
    ours.zero_grad()
    assert not any(p.grad.any() for p in ours.parameters())
    ours.load_state_dict(make(torch.nn).state_dict())  # float32 tensors into float64 parameters
    theirs.load_state_dict(to_torch(ours.state_dict()))
    assert_like_torch(ours(x), theirs(torch.from_numpy(x)), 1e-10)


@pytest.mark.parametrize(("make", "shape"), OTHERS.values(), ids=OTHERS)
def test_other_modules_like_torch(make, shape):
    ours, theirs = make(nn), make(torch.nn)
    x = normal(0, *shape)
    tensor = torch.from_numpy(x).requires_grad_()
    expected = theirs(tensor)
    output = ours(x)
    assert_like_torch(output, expected)
    grad_output = normal(1, *output.shape)
    expected.backward(torch.from_numpy(grad_output))
    assert_like_torch(ours.backward(grad_output), tensor.grad)
    assert not ours.state_dict()


every = {**CONVOLUTIONS, **OTHERS}


@pytest.mark.parametrize(("make", "shape"), every.values(), ids=every)
def test_repr_like_torch_and_one_backward_for_each_forward(make, shape):
    module = make(nn)
    assert repr(module) == repr(make(torch.nn))
    with pytest.raises(RuntimeError, match="backward: expected a forward pass before it"):
        module.backward(np.ones(1))
    output = module(np.ones(shape))
    module.backward(np.ones(output.shape))
    with pytest.raises(RuntimeError, match="since the last backward pass"):
        module.backward(np.ones(output.shape))


@pytest.mark.parametrize(
    "name", ["Conv1d", "Conv2d", "ConvTranspose2d", "MaxPool2d", "AvgPool2d", "Flatten"]
)
def test_arguments_in_the_order_of_torch(name):
    ours = inspect.signature(getattr(nn, name)).parameters
    theirs = inspect.signature(getattr(torch.nn, name)).parameters
    assert [n for n, p in ours.items() if p.kind != p.KEYWORD_ONLY] == [
        n for n in theirs if n not in ("device", "dtype")
    ]
    for key, parameter in ours.items():
        if key not in ("generator", "dtype"):
            assert parameter.default == theirs[key].default, key
    if "generator" in ours:
        assert ours["generator"].default is None
        assert ours["dtype"].default is np.float64


@pytest.mark.parametrize(
    ("make", "fan_in"),
    [
        (lambda **k: nn.Conv1d(8, 64, 5, groups=2, **k), 4 * 5),
        (lambda **k: nn.Conv2d(8, 64, (3, 5), groups=2, **k), 4 * 15),
        # PyTorch takes the second axis of the weight (in, out / groups, kH, kW).
        (lambda **k: nn.ConvTranspose2d(16, 64, (3, 5), groups=2, **k), 32 * 15),
    ],
    ids=["Conv1d", "Conv2d", "ConvTranspose2d"],
)
def test_initial_values(make, fan_in):
    layer = make(generator=np.random.default_rng(0))
    bound = 1 / math.sqrt(fan_in)
    for parameter in (layer.weight, layer.bias):
        values = parameter.data
        assert np.abs(values).max() <= bound
        assert np.abs(values).max() >= bound * 0.8
        assert np.abs(values.mean()) <= 4 * bound / math.sqrt(3 * values.size)
    again, other = (make(generator=np.random.default_rng(seed)) for seed in (0, 1))
    np.testing.assert_array_equal(again.weight.data, layer.weight.data)
    assert (other.weight.data != layer.weight.data).any()


@pytest.mark.parametrize(("make", "shape"), CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_float32_is_kept(make, shape):
    layer = make(nn, dtype=np.float32)
    output = layer(np.ones(shape, np.float32))
    assert output.dtype == layer.backward(output).dtype == np.float32
    assert all(p.dtype == p.grad.dtype == np.float32 for p in layer.parameters())


def test_shared_kernels_get_summed_gradients():
    first, second = nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 3, padding=1)
    second.weight = first.weight
    net = nn.Sequential(first, nn.ReLU(), second)
    a, b = (torch.nn.Conv2d(2, 2, 3, padding=1).double() for _ in range(2))
    b.weight = a.weight
    theirs = torch.nn.Sequential(a, torch.nn.ReLU(), b)
    theirs.load_state_dict(to_torch(net.state_dict()))
    x = normal(0, 2, 2, 5, 4)
    theirs(torch.from_numpy(x)).sum().backward()
    net.backward(np.ones(net(x).shape))
    assert_like_torch(first.weight.grad, a.weight.grad, 1e-10)


# A whole network


def network(n, **options):
    """A small LeNet: 2 channels of 12 × 11 pixels, 5 classes."""
    return n.Sequential(
        n.Conv2d(2, 6, 3, padding=1, **options),
        n.ReLU(),
        n.MaxPool2d(2),
        n.Conv2d(6, 8, (3, 2), stride=(1, 2), **options),
        n.ReLU(),
        n.Conv2d(8, 4, 1, groups=2, bias=False, **options),
        n.AvgPool2d(2, 1),
        n.Flatten(),
        n.Linear(12, 5, **options),
    )


@pytest.fixture
def networks():
    """The same network in both libraries, with weights from PyTorch."""
    torch.manual_seed(0)
    theirs = network(torch.nn, dtype=torch.float64)
    ours = network(nn)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def batch(seed):
    labels = np.random.default_rng(seed).integers(0, 5, 7)
    return normal(seed, 7, 2, 12, 11), labels


def test_gradients_of_a_whole_network_like_torch(networks):
    ours, theirs = networks
    x, labels = batch(1)
    tensor = torch.from_numpy(x).requires_grad_()
    expected = torch.nn.functional.cross_entropy(theirs(tensor), torch.from_numpy(labels))
    expected.backward()
    loss, cache = F.cross_entropy(ours(x), labels)
    grad_input = ours.backward(F.cross_entropy_backward(1.0, cache))
    assert math.isclose(loss, expected.item(), rel_tol=1e-9)
    assert relative_error(grad_input, tensor.grad) <= 1e-9
    assert_same_gradients(ours, theirs, 1e-9)
    assert all(np.abs(p.grad).max() > 1e-4 for p in ours.parameters())


def test_ten_training_steps_stay_together(networks):
    ours, theirs = networks
    step = optim.SGD(ours.parameters(), lr=0.1, momentum=0.9)
    their_step = torch.optim.SGD(theirs.parameters(), lr=0.1, momentum=0.9)
    start = ours.state_dict()
    for seed in range(10):
        x, labels = batch(seed)
        step.zero_grad()
        their_step.zero_grad()
        loss, cache = F.cross_entropy(ours(x), labels)
        ours.backward(F.cross_entropy_backward(1.0, cache))
        expected = torch.nn.functional.cross_entropy(
            theirs(torch.from_numpy(x)), torch.from_numpy(labels)
        )
        expected.backward()
        step.step()
        their_step.step()
        assert math.isclose(loss, expected.item(), rel_tol=1e-9)
    for key, value in theirs.state_dict().items():
        assert relative_error(ours.state_dict()[key], value) <= 1e-9
        assert np.abs(ours.state_dict()[key] - start[key]).max() > 1e-3


def test_a_network_learns_to_tell_stripes_apart():
    """Horizontal from vertical stripes, which no pixel alone tells."""
    rng = np.random.default_rng(0)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, generator=rng),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(36, 2, generator=rng),
    )
    optimizer = optim.SGD(net.parameters(), lr=0.2)

    def stripes(n):
        labels = rng.integers(0, 2, n)
        rows = np.sign(np.sin(np.pi * (np.arange(8) / 2 + rng.uniform(0, 2, (n, 1)))))
        x = np.broadcast_to(rows[:, None, :, None], (n, 1, 8, 8))
        turned = np.where(labels[:, None, None, None] == 1, x.swapaxes(2, 3), x)
        return turned + rng.normal(0, 0.3, turned.shape), labels

    for _ in range(60):
        x, labels = stripes(32)
        optimizer.zero_grad()
        _, cache = F.cross_entropy(net(x), labels)
        net.backward(F.cross_entropy_backward(1.0, cache))
        optimizer.step()
    x, labels = stripes(200)
    assert (net(x).argmax(axis=1) == labels).mean() >= 0.95
