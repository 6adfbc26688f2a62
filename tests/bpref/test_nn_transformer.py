"""Residual and TransformerEncoderLayer; a whole network stays together with PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from refusing import refused
from strategies import assert_like_torch, normal

import bpref.functional as F
from bpref import nn, optim
from bpref.gradcheck import check_gradients

FUTURE = np.arange(4) > np.arange(4)[:, None]
PADDING = np.array([[False, True, False, True], [False] * 4, [True, True, True, False]])
MASKS = {
    "none": (None, None),
    "future": (FUTURE, None),
    "padding": (None, PADDING),
    "both": (FUTURE | np.eye(4, dtype=bool)[::-1], PADDING),
    "floats": (normal(8, 4, 4), normal(9, 3, 4)),
}


def to_torch(state):
    return {key: torch.from_numpy(value) for key, value in state.items()}


def both(**options):
    """The same layer in both libraries, with the same random parameters and no dropout."""
    options = {"dim_feedforward": 7, "dropout": 0.0} | options
    generator = options.pop("generator", None)
    ours = nn.TransformerEncoderLayer(6, 2, generator=generator, **options)
    theirs = torch.nn.TransformerEncoderLayer(6, 2, dtype=torch.float64, **options)
    for i, parameter in enumerate(ours.parameters()):
        parameter.data = normal(100 + i, *parameter.shape)
    theirs.load_state_dict(to_torch(ours.state_dict()))
    return ours, theirs


def compare(ours, theirs, x, grad, masks=(None, None)):
    tensor = torch.from_numpy(x).requires_grad_()
    their_masks = [None if mask is None else torch.from_numpy(mask) for mask in masks]
    expected = theirs(tensor, *their_masks)
    expected.backward(torch.from_numpy(grad))
    assert_like_torch(ours(x, *masks), expected, 1e-9)
    assert_like_torch(ours.backward(grad), tensor.grad, 1e-9)


def compare_parameters(ours, theirs):
    parameters = dict(theirs.named_parameters())
    assert sorted(name for name, _ in ours.named_parameters()) == sorted(parameters)
    for name, parameter in ours.named_parameters():
        assert_like_torch(parameter.grad, parameters[name].grad, 1e-9)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("masks", MASKS.values(), ids=MASKS)
def test_like_torch(batch_first, norm_first, activation, masks):
    ours, theirs = both(activation=activation, batch_first=batch_first, norm_first=norm_first)
    for step in range(2):  # gradients accumulate on both sides
        x, grad = normal(step, 3, 4, 6), normal(10 + step, 3, 4, 6)
        if not batch_first:
            x, grad = (a.swapaxes(0, 1).copy() for a in (x, grad))
        compare(ours, theirs, x, grad, masks)
    compare_parameters(ours, theirs)
    ours.zero_grad()
    assert not any(p.grad.any() for p in ours.parameters())


@pytest.mark.parametrize("norm_first", [False, True])
def test_without_bias(norm_first):
    ours, theirs = both(bias=False, norm_first=norm_first, layer_norm_eps=0.1)
    compare(ours, theirs, normal(0, 4, 3, 6), normal(1, 4, 3, 6))
    compare_parameters(ours, theirs)


def test_state_dict_from_torch():
    theirs = torch.nn.TransformerEncoderLayer(6, 2)
    ours = nn.TransformerEncoderLayer(6, 2)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    shapes = {key: value.shape for key, value in ours.state_dict().items()}
    assert shapes == {key: tuple(value.shape) for key, value in theirs.state_dict().items()}
    ours.load_state_dict(theirs.state_dict())
    x = normal(0, 4, 3, 6)
    expected = theirs.double().eval()(torch.from_numpy(x).requires_grad_())
    assert_like_torch(ours.eval()(x), expected, 1e-9)


def test_defaults_are_those_of_torch():
    ours, theirs = nn.TransformerEncoderLayer(6, 2), torch.nn.TransformerEncoderLayer(6, 2)
    assert ours.norm_first == theirs.norm_first
    assert ours.self_attn.batch_first == theirs.self_attn.batch_first
    assert ours.norm1.eps == ours.norm2.eps == theirs.norm1.eps
    for name in ("dropout", "dropout1", "dropout2"):
        assert getattr(ours, name).p == getattr(theirs, name).p
    assert ours.self_attn.dropout == theirs.self_attn.dropout
    assert isinstance(ours.activation, nn.ReLU)
    assert {p.dtype for p in ours.parameters()} == {np.dtype(np.float64)}


def test_gradients_like_central_differences():
    layer = both(activation="gelu", norm_first=True)[0]
    x, grad = normal(0, 4, 2, 6), normal(1, 4, 2, 6)

    def weighted_sum(src, **state):
        layer.load_state_dict({key.replace("__", "."): value for key, value in state.items()})
        return np.sum(grad * layer(src))

    state = {key.replace(".", "__"): value for key, value in layer.state_dict().items()}
    layer(x)
    gradients = {"src": layer.backward(grad)}
    gradients |= {k.replace(".", "__"): p.grad.copy() for k, p in layer.named_parameters()}
    report = check_gradients(weighted_sum, {"src": x, **state}, gradients)
    assert report.ok, str(report)


def test_dropout_in_four_places():
    x = normal(0, 4, 3, 6)
    plain = both()[0]
    expected = plain(x)
    for place in ("self_attn", "dropout", "dropout1", "dropout2"):
        layer = both(generator=np.random.default_rng(0))[0]
        if place == "self_attn":
            layer.self_attn.dropout = 0.5
        else:
            getattr(layer, place).p = 0.5
        assert (layer(x) != expected).any(), place
        layer.backward(np.ones_like(x))
        np.testing.assert_array_equal(layer.eval()(x), expected)


def test_gradients_with_dropout_like_central_differences():
    """The masks drawn again from a copy of the generator."""
    x, grad = normal(0, 4, 2, 6), normal(1, 4, 2, 6)

    def layer():
        return both(dropout=0.3, activation="gelu", generator=np.random.default_rng(5))[0]

    def weighted_sum(src):
        return np.sum(grad * layer()(src))

    module = layer()
    module(x)
    report = check_gradients(weighted_sum, {"src": x}, {"src": module.backward(grad)})
    assert report.ok, str(report)


def test_one_generator_for_everything():
    rngs = (np.random.default_rng(seed) for seed in (0, 0, 1))
    a, b, c = (nn.TransformerEncoderLayer(6, 2, 7, 0.5, generator=rng) for rng in rngs)
    x = normal(0, 4, 3, 6)
    np.testing.assert_array_equal(a(x), b(x))
    assert (a(x) != c(x)).any()


def test_float32():
    layer = nn.TransformerEncoderLayer(6, 2, 7, dtype=np.float32)
    output = layer(normal(0, 4, 3, 6, dtype=np.float32))
    assert output.dtype == layer.backward(output).dtype == np.float32


def test_repr_names_the_modules():
    lines = repr(nn.TransformerEncoderLayer(6, 2, 7)).splitlines()
    assert lines[0] == "TransformerEncoderLayer("
    assert lines[1] == "  (self_attn): MultiheadAttention(embed_dim=6, num_heads=2)"
    assert lines[2] == "  (linear1): Linear(in_features=6, out_features=7, bias=True)"
    assert len(lines) == 11
    assert lines[-1] == ")"


# a whole network


class Ours(nn.Module):
    def __init__(self, rng):
        self.embedding = nn.Embedding(10, 6, padding_idx=0, generator=rng)
        self.position = nn.PositionalEncoding()
        self.encoder = nn.TransformerEncoderLayer(6, 2, 7, 0.0, batch_first=True, generator=rng)
        self.output = nn.Linear(6, 3, generator=rng)

    def forward(self, words):
        x = self.position(self.embedding(words))
        x = self.encoder(x, src_key_padding_mask=words == 0)
        self.length = x.shape[1]
        return self.output(x.mean(axis=1))

    def backward(self, grad_output):
        grad = self.output.backward(grad_output)[:, None, :] / self.length
        grad = self.encoder.backward(np.repeat(grad, self.length, axis=1))
        self.embedding.backward(self.position.backward(grad))


class Theirs(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(10, 6, padding_idx=0)
        self.encoder = torch.nn.TransformerEncoderLayer(6, 2, 7, 0.0, batch_first=True)
        self.output = torch.nn.Linear(6, 3)

    def forward(self, words):
        x = self.embedding(words)
        time = torch.arange(x.shape[1], dtype=torch.float64)[:, None]
        angle = time * 10000.0 ** (-torch.arange(0, 6, 2, dtype=torch.float64) / 6)
        x = x + torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)
        return self.output(self.encoder(x, src_key_padding_mask=words == 0).mean(dim=1))


def test_ten_training_steps_stay_together():
    rng, losses = np.random.default_rng(0), []
    ours, theirs = Ours(rng), Theirs().double()
    theirs.load_state_dict(to_torch(ours.state_dict()))
    optimizer = optim.SGD(ours.parameters(), lr=0.1, momentum=0.9)
    their_optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1, momentum=0.9)
    words, labels = rng.integers(0, 10, (5, 4)), rng.integers(0, 3, 5)
    words[:, 0] = np.arange(1, 6)  # at least one word in each sequence
    for _ in range(10):
        optimizer.zero_grad()
        loss, cache = F.cross_entropy(ours(words), labels)
        ours.backward(F.cross_entropy_backward(1.0, cache))
        their_optimizer.zero_grad()
        expected = torch.nn.functional.cross_entropy(
            theirs(torch.from_numpy(words)), torch.from_numpy(labels)
        )
        expected.backward()
        assert_like_torch(loss, expected, 1e-9)
        compare_parameters(ours, theirs)
        optimizer.step()
        their_optimizer.step()
        losses.append(float(loss))
    assert losses[-1] < losses[0]
    for name, parameter in theirs.named_parameters():
        assert_like_torch(dict(ours.named_parameters())[name].data, parameter, 1e-9)


# Residual


def test_residual():
    inner = nn.Linear(3, 3, generator=np.random.default_rng(0))
    block = nn.Residual(inner)
    x, grad = normal(0, 5, 3), normal(1, 5, 3)
    theirs = torch.nn.Linear(3, 3, dtype=torch.float64)
    theirs.load_state_dict(to_torch(inner.state_dict()))
    tensor = torch.from_numpy(x).requires_grad_()
    expected = tensor + theirs(tensor)
    expected.backward(torch.from_numpy(grad))
    assert_like_torch(block(x), expected)
    assert_like_torch(block.backward(grad), tensor.grad)
    assert_like_torch(inner.weight.grad, theirs.weight.grad)
    assert list(block.state_dict()) == ["module.weight", "module.bias"]
    assert repr(block) == "Residual(Linear(in_features=3, out_features=3, bias=True))"


def test_a_deep_stack_of_residuals_keeps_the_gradient():
    blocks = [nn.Sequential(nn.Linear(4, 4), nn.Tanh()) for _ in range(30)]
    for block in blocks:
        block[0].weight.data *= 0.1
    x = normal(0, 1, 4)
    plain, residual = nn.Sequential(*blocks), nn.Sequential(*map(nn.Residual, blocks))
    plain(x)
    lost = abs(plain.backward(np.ones((1, 4)))).max()
    residual(x)
    kept = abs(residual.backward(np.ones((1, 4)))).max()
    assert lost < 1e-20
    assert kept > 0.1


# name: (call, error, message)
X = normal(0, 4, 3, 6)


def layer(*arguments, **options):
    return nn.TransformerEncoderLayer(*arguments, **options)


CASES = {
    "heads": (lambda: layer(6, 4), ValueError, "nhead: expected a divisor of 6 features, got 4"),
    "size": (lambda: layer(6.0, 2), TypeError, "d_model: expected an int, got float"),
    "hidden": (
        lambda: layer(6, 2, 0),
        ValueError,
        "dim_feedforward: expected at least 1, got 0",
    ),
    "dropout": (
        lambda: layer(6, 2, dropout=1.5),
        ValueError,
        "dropout: expected at most 1.0, got 1.5",
    ),
    "eps": (
        lambda: layer(6, 2, layer_norm_eps=0.0),
        ValueError,
        "layer_norm_eps: expected a number above 0, got 0.0",
    ),
    "activation": (
        lambda: layer(6, 2, activation="tanh"),
        ValueError,
        "activation: expected one of ('relu', 'gelu'), got 'tanh'",
    ),
    "generator": (
        lambda: layer(6, 2, generator=0),
        TypeError,
        "generator: expected a numpy.random.Generator, got int",
    ),
    "dtype": (
        lambda: layer(6, 2, dtype=int),
        TypeError,
        "dtype: expected float32 or float64, got <class 'int'>",
    ),
    "mask": (
        lambda: layer(6, 2)(X, np.zeros((3, 4), bool)),
        ValueError,
        "attn_mask: expected shape (4, 4), got (3, 4)",
    ),
    "padding": (
        lambda: layer(6, 2)(X, None, np.zeros((4, 3), bool)),
        ValueError,
        "key_padding_mask: expected shape (3, 4), got (4, 3)",
    ),
    "residual of a function": (
        lambda: nn.Residual(np.tanh),
        TypeError,
        "module: expected a bpref.nn.Module, got ufunc",
    ),
    "residual of another shape": (
        lambda: nn.Residual(nn.Linear(6, 2))(X),
        ValueError,
        "module: expected an output of the shape of the input, (4, 3, 6), got (4, 3, 2)",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), CASES.values(), ids=CASES)
def test_refused_by_name(call, error, message):
    with refused(error, message):
        call()


def test_backward_needs_its_own_forward():
    module = nn.TransformerEncoderLayer(6, 2, 7)
    module.backward(np.ones_like(module(X)))
    with pytest.raises(RuntimeError, match="backward: expected a forward pass before it"):
        module.backward(X)
