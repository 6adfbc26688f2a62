"""RNN, LSTM and GRU as modules: PyTorch's outputs, gradients, names, initial values."""

from __future__ import annotations

import copy
import inspect

import numpy as np
import pytest
import torch
from strategies import assert_like_torch, normal

import bpref.functional as F
from bpref import nn
from bpref.gradcheck import check_gradients

MODULES = {
    "RNN": (nn.RNN, torch.nn.RNN),
    "LSTM": (nn.LSTM, torch.nn.LSTM),
    "GRU": (nn.GRU, torch.nn.GRU),
}
every = pytest.mark.parametrize("name", MODULES)
T, N, D, H = 5, 3, 2, 4
LENGTHS = np.array([3, 5, 1])


def pair(name, dtype=np.float64, **options):
    """Ours and PyTorch's with the same parameters."""
    kind, torch_kind = MODULES[name]
    ours = kind(D, H, **options, generator=np.random.default_rng(0), dtype=dtype)
    theirs = torch_kind(D, H, **options).to(getattr(torch, np.dtype(dtype).name))
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in ours.state_dict().items()})
    return ours, theirs


def tuples(value):
    return value if isinstance(value, tuple) else (value,)


def run_torch(module, x, hx, lengths):
    """Output and tuple of final states."""
    packed = x
    if lengths is not None:
        packed = torch.nn.utils.rnn.pack_padded_sequence(
            x, torch.from_numpy(lengths), module.batch_first, enforce_sorted=False
        )
    output, h_n = module(packed, hx)
    if lengths is not None:
        output, _ = torch.nn.utils.rnn.pad_packed_sequence(output, module.batch_first)
    return output, tuples(h_n)


def assert_same(name, lengths=None, with_hx=True, dtype=np.float64, rtol=1e-10, **options):
    """Two passes, whose gradients add up, are the same in both."""
    ours, theirs = pair(name, dtype, **options)
    directions = 2 if options.get("bidirectional") else 1
    layers = options.get("num_layers", 1)
    sequence = (N, T) if options.get("batch_first") else (T, N)
    states = 2 if name == "LSTM" else 1
    for step in range(2):
        x = normal(step, *sequence, D, dtype=dtype)
        hx = [normal(10 + step + i, layers * directions, N, H, dtype=dtype) for i in range(states)]
        grads = [normal(20 + step, *sequence, directions * H, dtype=dtype)]
        grads += [normal(30 + step + i, *hx[0].shape, dtype=dtype) for i in range(states)]

        tensors = [torch.from_numpy(a).requires_grad_() for a in (x, *hx)]
        torch_hx = tuple(tensors[1:]) if states == 2 else tensors[1]
        output, h_n = run_torch(theirs, tensors[0], torch_hx if with_hx else None, lengths)
        total = sum(
            (o * torch.from_numpy(g)).sum() for o, g in zip((output, *h_n), grads, strict=True)
        )
        total.backward()

        our_hx = tuple(hx) if states == 2 else hx[0]
        our_output, our_h_n = ours(x, our_hx if with_hx else None, lengths)
        grad_state = tuple(grads[1:]) if states == 2 else grads[1]
        grad_input, grad_hx = ours.backward(grads[0], grad_state)

        for found, expected in zip((our_output, *tuples(our_h_n)), (output, *h_n), strict=True):
            assert_like_torch(found, expected, rtol)
        assert_like_torch(grad_input, tensors[0].grad, rtol)
        assert len(tuples(grad_hx)) == states
        if with_hx:
            for found, tensor in zip(tuples(grad_hx), tensors[1:], strict=True):
                assert_like_torch(found, tensor.grad, rtol)
    expected = dict(theirs.named_parameters())
    assert [key for key, _ in ours.named_parameters()] == list(expected)
    for key, parameter in ours.named_parameters():
        assert_like_torch(parameter.grad, expected[key].grad, rtol)
    ours.zero_grad()
    assert not any(p.grad.any() for p in ours.parameters())


@every
@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_like_torch(name, lengths, num_layers, bidirectional):
    assert_same(name, lengths, num_layers=num_layers, bidirectional=bidirectional)


@every
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_batch_first_like_torch(name, lengths):
    assert_same(name, lengths, batch_first=True, num_layers=2, bidirectional=True)


@every
def test_without_bias_like_torch(name):
    assert_same(name, bias=False, num_layers=2)


@every
def test_without_initial_state_like_torch(name):
    assert_same(name, LENGTHS, with_hx=False)


@every
def test_float32_like_torch(name):
    assert_same(name, LENGTHS, dtype=np.float32, rtol=1e-5, num_layers=2, bidirectional=True)


def test_relu_like_torch():
    assert_same("RNN", LENGTHS, nonlinearity="relu", num_layers=2)


@every
def test_dropout_of_everything_and_of_nothing_like_torch(name):
    assert_same(name, dropout=1.0, num_layers=2)  # zeros between the layers, on both sides
    ours, theirs = pair(name, dropout=0.5, num_layers=2)
    x = normal(0, T, N, D)
    expected, _ = theirs.eval()(torch.from_numpy(x))
    assert_like_torch(ours.eval()(x)[0], expected)


@every
def test_dropout_lies_between_the_layers(name):
    """As a stack of two modules with a Dropout between them, drawn from the same generator."""
    kind = MODULES[name][0]
    both = kind(D, H, 2, dropout=0.4, generator=np.random.default_rng(0))
    first, second = kind(D, H), kind(H, H)
    state = both.state_dict()
    first.load_state_dict({k: v for k, v in state.items() if k.endswith("_l0")})
    second.load_state_dict({k.replace("_l1", "_l0"): v for k, v in state.items() if "_l1" in k})
    dropout = nn.Dropout(0.4, generator=copy.deepcopy(both.generator))

    x, grad = normal(0, T, N, D), normal(1, T, N, H)
    output, _ = both(x)
    grad_input, _ = both.backward(grad)
    middle, _ = first(x)
    expected, _ = second(dropout(middle))
    np.testing.assert_allclose(output, expected, rtol=1e-13)
    gradient, _ = second.backward(grad)
    gradient, _ = first.backward(dropout.backward(gradient))
    np.testing.assert_allclose(grad_input, gradient, rtol=1e-12, atol=1e-15)
    assert (both(x)[0] != output).any()  # a new mask


def test_dropout_of_zero_draws_nothing():
    net = nn.GRU(D, H, 2, generator=np.random.default_rng(0))
    before = net.generator.bit_generator.state
    net(normal(0, T, N, D))
    assert net.generator.bit_generator.state == before


def test_a_small_dropout_drops():
    net = nn.RNN(D, H, 2, dropout=0.5, generator=np.random.default_rng(0))
    x = normal(0, T, N, D)
    dropped, _ = net(x)
    assert (dropped != net.eval()(x)[0]).any()


@every
def test_gradients_like_central_differences(name):
    net = MODULES[name][0](D, H, 2, bidirectional=True, generator=np.random.default_rng(0))
    x, grad = normal(0, T, N, D), normal(1, T, N, 2 * H)

    def loss(**state):
        net.load_state_dict(state)
        return np.sum(grad * net(x, lengths=LENGTHS)[0])

    state = net.state_dict()
    loss(**state)
    net.backward(grad)
    gradients = {key: p.grad.copy() for key, p in net.named_parameters()}
    chosen = {key: gradients[key] for key in ("weight_hh_l0_reverse", "weight_ih_l1", "bias_hh_l0")}
    report = check_gradients(loss, state, chosen)
    assert report.ok, str(report)


@every
def test_final_states_without_outputs(name):
    """None stands for a gradient of zero, at either place."""
    net = MODULES[name][0](D, H, 2, generator=np.random.default_rng(0))
    x = normal(0, T, N, D)
    output, h_n = net(x, lengths=LENGTHS)
    grads = tuple(normal(1 + i, *h.shape) for i, h in enumerate(tuples(h_n)))
    grad_state = grads if len(grads) > 1 else grads[0]
    expected, _ = net.backward(np.zeros_like(output), grad_state)
    net(x, lengths=LENGTHS)
    found, _ = net.backward(None, grad_state)
    np.testing.assert_array_equal(found, expected)
    net(x, lengths=LENGTHS)
    only_output, _ = net.backward(output)
    net(x, lengths=LENGTHS)
    zero = tuple(np.zeros_like(g) for g in grads)
    again, _ = net.backward(output, zero if len(zero) > 1 else zero[0])
    np.testing.assert_array_equal(only_output, again)
    assert expected.any()
    assert only_output.any()


def test_one_of_two_initial_states_may_be_left_out():
    net = nn.LSTM(D, H, generator=np.random.default_rng(0))
    x, c_0 = normal(0, T, N, D), normal(1, 1, N, H)
    found, _ = net(x, (None, c_0))
    expected, _ = net(x, [np.zeros_like(c_0), c_0])
    np.testing.assert_array_equal(found, expected)


@every
@pytest.mark.parametrize("batch", [0, 1])
def test_small_batches(name, batch):
    net = MODULES[name][0](D, H, bidirectional=True)
    output, _ = net(normal(0, T, batch, D), lengths=np.full(batch, 2))
    assert output.shape == (T, batch, 2 * H)
    assert net.backward(output)[0].shape == (T, batch, D)


@every
def test_state_dict_from_torch(name):
    kind, torch_kind = MODULES[name]
    theirs = torch_kind(D, H, 2, bidirectional=True)
    ours = kind(D, H, 2, bidirectional=True)
    ours.load_state_dict(theirs.state_dict())
    assert list(ours.state_dict()) == list(theirs.state_dict())
    x = normal(0, T, N, D)
    assert_like_torch(ours(x)[0], theirs.double()(torch.from_numpy(x))[0])


@every
def test_initial_values(name):
    """Uniform between −1/√H and 1/√H, all of them; the same generator gives the same values."""
    kind = MODULES[name][0]
    net = kind(30, 64, 2, generator=np.random.default_rng(0))
    for parameter in net.parameters():
        values = parameter.data * 8.0
        assert np.abs(values).max() <= 1.0
        assert np.abs(values).max() > 0.9
        four_errors = 4 / np.sqrt(values.size)
        assert abs(values.mean()) < four_errors * 0.578
        assert abs((values**2).mean() - 1 / 3) < four_errors * 0.299
    again = kind(30, 64, 2, generator=np.random.default_rng(0))
    other = kind(30, 64, 2, generator=np.random.default_rng(1))
    for a, b, c in zip(net.parameters(), again.parameters(), other.parameters(), strict=True):
        assert (a.data == b.data).all()
        assert (a.data != c.data).any()


@every
def test_arguments_and_defaults_are_those_of_torch(name):
    kind, _ = MODULES[name]
    found = inspect.signature(kind).parameters
    expected = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0}
    expected |= {"bidirectional": False}
    if name == "RNN":
        expected = {"num_layers": 1, "nonlinearity": "tanh", **expected}
    if name == "LSTM":
        expected["proj_size"] = 0
    names = list(expected)
    if name == "RNN":
        assert names[1] == "nonlinearity"
    assert list(found) == ["input_size", "hidden_size", *names, "generator", "dtype"]
    assert {key: found[key].default for key in names} == expected
    assert found["dtype"].default is np.float64
    assert found["generator"].kind is inspect.Parameter.KEYWORD_ONLY


@every
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_layers": 2, "dropout": 0.2},
        {"bidirectional": True, "batch_first": True},
        {"bias": False},
    ],
)
def test_repr_like_torch(name, options):
    kind, torch_kind = MODULES[name]
    assert repr(kind(D, H, **options)) == repr(torch_kind(D, H, **options))


@every
def test_one_layer_is_the_function(name):
    net = MODULES[name][0](D, H, generator=np.random.default_rng(0))
    x = normal(0, T, N, D)
    zeros = [np.zeros((N, H))] * (2 if name == "LSTM" else 1)
    (output, *_), _ = getattr(F, name.lower())(x, *zeros, *(p.data for p in net.parameters()))
    np.testing.assert_allclose(net(x)[0], output, rtol=1e-13, atol=1e-15)


def tokens(seed, n, t):
    return np.random.default_rng(seed).integers(0, 11, (n, t))


class TorchClassifier(torch.nn.Module):
    def __init__(self, num_layers, padding_idx):
        super().__init__()
        self.embedding = torch.nn.Embedding(11, 3, padding_idx)
        self.lstm = torch.nn.LSTM(3, 6, num_layers, batch_first=True)
        self.linear = torch.nn.Linear(6, 4)

    def forward(self, input, lengths):
        embedded = self.embedding(input)
        packed = torch.nn.utils.rnn.pack_padded_sequence(
            embedded, lengths, batch_first=True, enforce_sorted=False
        )
        _, (h_n, _) = self.lstm(packed)
        return self.linear(h_n[-1])


@pytest.mark.parametrize(("num_layers", "padding_idx"), [(1, None), (2, 0)])
def test_classifier_trains_as_in_torch(num_layers, padding_idx):
    """Equal gradients at the first of ten steps, equal parameters after the last."""
    ours = nn.LSTMClassifier(
        11, 3, 6, 4, num_layers, padding_idx, generator=np.random.default_rng(0)
    )
    theirs = TorchClassifier(num_layers, padding_idx).double()
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in ours.state_dict().items()})
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.5)
    expected = dict(theirs.named_parameters())
    assert [key for key, _ in ours.named_parameters()] == list(expected)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert ours.flat_vectors() is not None
    start = ours.state_dict()
    for step in range(10):
        input, lengths = tokens(step, 5, 7), np.array([7, 1, 4, 4, 6])
        target = np.random.default_rng(100 + step).integers(0, 4, 5)
        optimizer.zero_grad()
        logits = theirs(torch.from_numpy(input), torch.from_numpy(lengths))
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(target))
        loss.backward()

        ours.zero_grad()
        our_loss, cache = F.cross_entropy(ours(input, lengths), target)
        assert ours.backward(F.cross_entropy_backward(1.0, cache)) is None
        np.testing.assert_allclose(our_loss, loss.item(), rtol=1e-12)
        for key, parameter in ours.named_parameters():
            assert_like_torch(parameter.grad, expected[key].grad, 1e-9)
        optimizer.step()
        for parameter in ours.parameters():
            parameter.data -= 0.5 * parameter.grad
    for key, parameter in ours.named_parameters():
        assert_like_torch(parameter.data, expected[key], 1e-9)
        assert (parameter.data != start[key]).any()


def test_classifier_without_lengths_takes_the_last_step():
    net = nn.LSTMClassifier(11, 3, 6, 4, generator=np.random.default_rng(0))
    input = tokens(0, 5, 7)
    np.testing.assert_array_equal(net(input), net(input, np.full(5, 7)))
    assert (net(input) != net(input, np.full(5, 6))).any()


def test_classifier_defaults_and_options():
    found = inspect.signature(nn.LSTMClassifier).parameters
    expected = {"num_layers": 1, "padding_idx": None, "dropout": 0.0}
    assert {key: found[key].default for key in expected} == expected
    net = nn.LSTMClassifier(11, 3, 6, 4, 2, 5, 0.25, dtype=np.float32)
    assert net.lstm.dropout == 0.25
    assert net.lstm.batch_first
    assert net.embedding.padding_idx == 5
    assert {p.dtype for p in net.parameters()} == {np.dtype(np.float32)}
    assert net(tokens(0, 2, 3)).dtype == np.float32
    rngs = [np.random.default_rng(s) for s in (0, 0, 1)]
    a, b, c = (nn.LSTMClassifier(11, 3, 6, 4, generator=r).flat_vectors()[0] for r in rngs)
    assert (a == b).all()
    assert (a != c).all()
