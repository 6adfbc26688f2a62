"""MultiheadAttention against torch.nn: state, outputs, weights, gradients, masks, layout."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from strategies import assert_like_torch, normal

from bpref import nn

PADDING = np.array([[False, True, False, True], [False] * 4])
FUTURE = np.arange(4) > np.arange(3)[:, None]
MASKS = {
    "none": {},
    "padding": {"key_padding_mask": PADDING},
    "future": {"attn_mask": FUTURE},
    "both": {"key_padding_mask": PADDING, "attn_mask": FUTURE},
    "floats": {"attn_mask": normal(9, 3, 4)},
}


def both(**options):
    """The same module in both libraries, with the same random parameters."""
    ours = nn.MultiheadAttention(6, 2, **options)
    theirs = torch.nn.MultiheadAttention(6, 2, dtype=torch.float64, **options)
    for i, parameter in enumerate(ours.parameters()):
        parameter.data = normal(100 + i, *parameter.shape)
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in ours.state_dict().items()})
    return ours, theirs


def sequences(batch_first):
    arrays = normal(0, 2, 3, 6), normal(1, 2, 4, 6), normal(2, 2, 4, 6)
    return arrays if batch_first else tuple(x.swapaxes(0, 1).copy() for x in arrays)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("masks", MASKS.values(), ids=MASKS)
def test_like_torch(batch_first, bias, average, masks):
    ours, theirs = both(bias=bias, batch_first=batch_first)
    inputs = sequences(batch_first)
    tensors = [torch.from_numpy(x).requires_grad_() for x in inputs]
    their_masks = {name: torch.from_numpy(mask) for name, mask in masks.items()}
    for step in range(2):  # gradients accumulate on both sides
        grad = normal(20 + step, *inputs[0].shape)
        expected, expected_weights = theirs(*tensors, **their_masks, average_attn_weights=average)
        for tensor in tensors:
            tensor.grad = None
        expected.backward(torch.from_numpy(grad))
        output, weights = ours(*inputs, **masks, average_attn_weights=average)
        assert_like_torch(output, expected, 1e-10)
        assert_like_torch(weights, expected_weights, 1e-10)
        for gradient, tensor in zip(ours.backward(grad), tensors, strict=True):
            assert_like_torch(gradient, tensor.grad, 1e-10)
    parameters = dict(theirs.named_parameters())
    assert [name for name, _ in ours.named_parameters()] == list(parameters)
    for name, parameter in ours.named_parameters():
        assert_like_torch(parameter.grad, parameters[name].grad, 1e-10)
    ours.zero_grad()
    assert not any(p.grad.any() for p in ours.parameters())


def test_weights_are_averaged_and_returned_by_default():
    ours, theirs = both()
    inputs = sequences(False)
    _, weights = ours(*inputs)
    assert_like_torch(weights, theirs(*map(torch.from_numpy, inputs))[1], 1e-10)
    assert ours(*inputs, need_weights=False)[1] is None
    assert ours(*inputs, None, False)[1] is None  # by position, as in PyTorch


def test_everything_masked_gives_the_bias():
    """As PyTorch without need_weights; with it, PyTorch gives nan."""
    ours, theirs = both(batch_first=True)
    inputs, mask = sequences(True), np.array([[True] * 4, [False] * 4])
    output, weights = ours(*inputs, key_padding_mask=mask)
    expected, _ = theirs(
        *map(torch.from_numpy, inputs), key_padding_mask=torch.from_numpy(mask), need_weights=False
    )
    assert_like_torch(output, expected, 1e-10)
    np.testing.assert_array_equal(output[0], np.broadcast_to(ours.out_proj.bias.data, (3, 6)))
    assert not weights[0].any()


def test_state_dict_from_torch():
    theirs = torch.nn.MultiheadAttention(6, 2)
    ours = nn.MultiheadAttention(6, 2)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    inputs = sequences(False)
    expected, _ = theirs.double()(*map(torch.from_numpy, inputs))
    assert_like_torch(ours(*inputs)[0], expected, 1e-10)


def test_initial_values():
    layer = nn.MultiheadAttention(64, 4, generator=np.random.default_rng(0))
    bound = np.sqrt(6 / (64 + 192))  # Xavier, over the three weights as one
    weight = layer.in_proj_weight.data
    assert abs(weight).max() <= bound
    assert abs(weight).max() > 0.99 * bound
    assert abs(weight.std() - bound / np.sqrt(3)) < 0.01 * bound
    assert not layer.in_proj_bias.data.any()
    weight = layer.out_proj.weight.data
    assert 0.99 / 8 < abs(weight).max() <= 1 / 8
    assert not layer.out_proj.bias.data.any()
    theirs = torch.nn.MultiheadAttention(64, 4)
    assert abs(theirs.in_proj_weight.detach().numpy()).max() == pytest.approx(bound, rel=0.01)


def test_the_same_generator_gives_the_same_values():
    rngs = (np.random.default_rng(seed) for seed in (0, 0, 1))
    a, b, c = (nn.MultiheadAttention(6, 2, generator=rng).state_dict() for rng in rngs)
    assert all((a[key] == b[key]).all() for key in a)
    assert (a["in_proj_weight"] != c["in_proj_weight"]).any()
    assert (a["out_proj.weight"] != c["out_proj.weight"]).any()


def test_dropout_in_training_only():
    layer = nn.MultiheadAttention(6, 2, 0.5, generator=np.random.default_rng(0))
    inputs = sequences(False)
    first, weights = layer(*inputs, average_attn_weights=False)
    assert 0.1 < np.mean(weights == 0.0) < 0.9
    assert (layer(*inputs)[0] != first).any()
    layer.backward(np.ones((3, 2, 6)))
    layer.eval()
    output, weights = layer(*inputs)
    np.testing.assert_array_equal(layer(*inputs)[0], output)
    np.testing.assert_allclose(weights.sum(axis=2), np.ones((2, 3)), rtol=1e-14)
    without = nn.MultiheadAttention(6, 2, generator=np.random.default_rng(0))
    np.testing.assert_array_equal(without(*inputs)[0], output)  # the default is no dropout


def test_float32():
    layer = nn.MultiheadAttention(6, 2, dtype=np.float32)
    x = normal(0, 3, 2, 6, dtype=np.float32)
    output, weights = layer(x, x, x)
    assert output.dtype == weights.dtype == np.float32
    assert all(g.dtype == np.float32 for g in layer.backward(output))
    assert all(p.grad.dtype == np.float32 for p in layer.parameters())
    assert {p.dtype for p in nn.MultiheadAttention(6, 2).parameters()} == {np.dtype(np.float64)}


def test_backward_needs_its_own_forward():
    layer = nn.MultiheadAttention(6, 2)
    layer(*sequences(False))
    layer.backward(np.ones((3, 2, 6)))
    with pytest.raises(RuntimeError, match="backward: expected a forward pass before it"):
        layer.backward(np.ones((3, 2, 6)))


def test_repr():
    assert repr(nn.MultiheadAttention(6, 2)) == "MultiheadAttention(embed_dim=6, num_heads=2)"
