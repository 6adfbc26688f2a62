"""Attention beyond the registry: masks, numbers by hand, dropout, equalities."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from registry import assert_close
from strategies import assert_like_torch, normal

import bpref.functional as F
from bpref.fast import attention as fast

attend = torch.nn.functional.scaled_dot_product_attention
PAIRS = {
    "clear": (F.scaled_dot_product_attention, F.scaled_dot_product_attention_backward),
    "fast": (fast.scaled_dot_product_attention, fast.scaled_dot_product_attention_backward),
}
every = pytest.mark.parametrize(("op", "backward"), PAIRS.values(), ids=PAIRS)
HEADS = {
    "clear": (F.multi_head_attention, F.multi_head_attention_backward),
    "fast": (fast.multi_head_attention, fast.multi_head_attention_backward),
}
every_mha = pytest.mark.parametrize(("op", "backward"), HEADS.values(), ids=HEADS)


def rng(seed=0):
    return np.random.default_rng(seed)


def arrays(*lead, length=3, places=4, features=2, values=5):
    return (
        normal(0, *lead, length, features),
        normal(1, *lead, places, features),
        normal(2, *lead, places, values),
    )


def compare_with_torch(pair, inputs, grad, rtol=1e-12, **options):
    op, backward = pair
    output, cache = op(*inputs, **options)
    tensors = [torch.from_numpy(x.copy()).requires_grad_() for x in inputs]
    theirs = {k: torch.from_numpy(v) if hasattr(v, "shape") else v for k, v in options.items()}
    expected = attend(*tensors, **theirs)
    expected.backward(torch.from_numpy(grad))
    assert_like_torch(output, expected, rtol)
    for ours, tensor in zip(backward(grad, cache), tensors, strict=False):
        assert_like_torch(ours, tensor.grad, rtol)


@every
def test_by_hand(op, backward):
    """Scores ln 1 and ln 3 give the weights 1/4 and 3/4."""
    query, key = np.array([[np.log(3.0)]]), np.array([[0.0], [1.0]])
    output, cache = op(query, key, np.array([[8.0], [4.0]]))
    np.testing.assert_allclose(output, [[5.0]], rtol=1e-14)
    grad_query, grad_key, grad_value, grad_mask = backward(np.array([[1.0]]), cache)
    # G = P ⊙ (V − Y) = (1/4 · 3, 3/4 · −1)
    np.testing.assert_allclose(grad_query, [[-0.75]], rtol=1e-14)
    np.testing.assert_allclose(grad_key, np.array([[0.75], [-0.75]]) * np.log(3.0), rtol=1e-14)
    np.testing.assert_allclose(grad_value, [[0.25], [0.75]], rtol=1e-14)
    assert grad_mask is None


@every
def test_default_scale_is_one_over_the_root_of_the_features(op, backward):
    query, key, value = arrays(2)
    expected, _ = op(query, key, value, scale=1 / np.sqrt(2))
    np.testing.assert_array_equal(op(query, key, value)[0], expected)
    assert (op(query, key, value, scale=1.0)[0] != expected).any()


@every
def test_masked_out_rows_are_zero(op, backward):
    mask = np.array([[True, False, True, True], [False] * 4, [True] * 4])
    grad = normal(3, 2, 3, 5)
    compare_with_torch((op, backward), arrays(2), grad, attn_mask=mask)
    output, cache = op(*arrays(2), attn_mask=mask)
    np.testing.assert_array_equal(output[:, 1], np.zeros((2, 5)))
    np.testing.assert_array_equal(backward(grad, cache)[0][:, 1], np.zeros((2, 2)))
    only = np.zeros_like(grad)
    only[:, 1] = grad[:, 1]  # this row's gradient reaches nothing
    assert not any(g.any() for g in backward(only, cache)[:3])


@every
def test_a_float_mask_with_infinities(op, backward):
    mask = np.where([[True, False, True, True], [False] * 4, [True] * 4], 0.5, -np.inf)
    compare_with_torch((op, backward), arrays(2), normal(3, 2, 3, 5), attn_mask=mask)
    kept, _ = op(*arrays(2), attn_mask=mask == 0.5)
    output, cache = op(*arrays(2), attn_mask=mask)
    np.testing.assert_allclose(output, kept, rtol=1e-13)
    grad_mask = backward(normal(3, 2, 3, 5), cache)[3]
    assert grad_mask.shape == (3, 4)
    assert not grad_mask[mask != 0.5].any()
    assert grad_mask[mask == 0.5].all()


@every
@pytest.mark.parametrize(("length", "places"), [(3, 3), (2, 4), (4, 2), (1, 3), (0, 2)])
def test_causal_is_a_triangle_from_the_upper_left(op, backward, length, places):
    inputs = arrays(2, 3, length=length, places=places)
    grad = normal(3, 2, 3, length, 5)
    compare_with_torch((op, backward), inputs, grad, is_causal=True)
    triangle = np.arange(length)[:, None] >= np.arange(places)
    ours, _ = op(*inputs, is_causal=True)
    np.testing.assert_array_equal(ours, op(*inputs, attn_mask=triangle)[0])


@every
def test_the_past_does_not_see_the_future(op, backward):
    query, key, value = arrays(places=3)
    before, _ = op(query, key, value, is_causal=True)
    key[2], value[2] = 99.0, 99.0
    after, _ = op(query, key, value, is_causal=True)
    np.testing.assert_array_equal(after[:2], before[:2])
    assert (after[2] != before[2]).all()


@every
@pytest.mark.parametrize("lead", [(), (2,), (2, 3), (2, 1, 3), (0,), (2, 0)])
@pytest.mark.parametrize("shape", [(4,), (1, 4), (3, 1), (3, 4), ()])
def test_masks_are_broadcast(op, backward, lead, shape):
    inputs, grad = arrays(*lead), normal(5, *lead, 3, 5)
    mask = np.asarray(rng().random(shape) < 0.7)
    full = np.broadcast_to(mask, (*lead, 3, 4)).copy()
    output, cache = op(*inputs, attn_mask=mask)
    expected, expected_cache = op(*inputs, attn_mask=full)
    np.testing.assert_array_equal(output, expected)
    for ours, theirs in zip(backward(grad, cache), backward(grad, expected_cache), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("shape", [(4,), (1, 4), (3, 1), (3, 4), (), (2, 1, 1)])
def test_gradient_of_a_broadcast_mask(shape):
    inputs, mask, grad = arrays(2), normal(4, *shape), normal(5, 2, 3, 5)
    _, cache = F.scaled_dot_product_attention(*inputs, attn_mask=mask)
    tensor = torch.from_numpy(np.asarray(mask)).requires_grad_()
    tensors = map(torch.from_numpy, inputs)
    attend(*tensors, attn_mask=tensor.expand(2, 3, 4)).backward(torch.from_numpy(grad))
    ours = F.scaled_dot_product_attention_backward(grad, cache)[3]
    np.testing.assert_allclose(ours, tensor.grad.numpy(), rtol=1e-11, atol=1e-15)


@every
def test_a_single_place_is_copied(op, backward):
    query, key, value = arrays(2, places=1)
    output, cache = op(query, key, value)
    np.testing.assert_allclose(output, np.broadcast_to(value, (2, 3, 5)), rtol=1e-15)
    grad_query, grad_key, grad_value, _ = backward(np.ones((2, 3, 5)), cache)
    np.testing.assert_array_equal(grad_query, np.zeros((2, 3, 2)))
    np.testing.assert_array_equal(grad_key, np.zeros((2, 1, 2)))
    np.testing.assert_allclose(grad_value, np.full((2, 1, 5), 3.0), rtol=1e-15)


@every
def test_order_of_the_places_does_not_matter(op, backward):
    query, key, value = arrays(2)
    order = [2, 0, 3, 1]
    output, _ = op(query, key, value)
    np.testing.assert_allclose(op(query, key[:, order], value[:, order])[0], output, rtol=1e-13)


@every
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_scores(op, backward, dtype):
    """The place with the larger score takes everything; equal ones share."""
    query = np.array([[1e4], [-1e4], [0.0]], dtype)
    key, value = np.array([[1e4], [-1e4], [1e4]], dtype), np.array([[1.0], [2.0], [5.0]], dtype)
    output, cache = op(query, key, value, scale=1.0)
    np.testing.assert_allclose(output, [[3.0], [2.0], [8 / 3]], rtol=1e-6)
    assert output.dtype == dtype
    for gradient in backward(np.ones((3, 1), dtype), cache)[:3]:
        assert np.isfinite(gradient).all()
        assert gradient.dtype == dtype


# dropout


@every
def test_dropout_like_the_weights_times_its_factors(op, backward):
    inputs, grad = arrays(2), normal(3, 2, 3, 5)
    output, cache = op(*inputs, dropout_p=0.4, generator=rng(7))
    weights, weights_cache = F.scaled_dot_product_attention(*inputs[:2], np.stack([np.eye(4)] * 2))
    kept, dropped = F.dropout(weights, 0.4, generator=rng(7))
    assert (kept == 0.0).any()
    np.testing.assert_allclose(output, kept @ inputs[2], rtol=1e-13)
    expected = F.scaled_dot_product_attention_backward(
        F.dropout_backward(grad @ inputs[2].swapaxes(1, 2), dropped), weights_cache
    )
    grad_query, grad_key, grad_value, _ = backward(grad, cache)
    assert_close(grad_query, expected[0], 1e-12, "query")
    assert_close(grad_key, expected[1], 1e-12, "key")
    assert_close(grad_value, kept.swapaxes(1, 2) @ grad, 1e-12, "value")


@every
def test_dropout_of_everything(op, backward):
    output, cache = op(*arrays(2), dropout_p=1.0)
    assert not output.any()
    assert not any(g.any() for g in backward(np.ones((2, 3, 5)), cache)[:3])


@every
def test_without_dropout_nothing_is_drawn(op, backward):
    generator = rng()
    before = copy.deepcopy(generator.bit_generator.state)
    expected, _ = op(*arrays(2))
    np.testing.assert_array_equal(op(*arrays(2), generator=generator)[0], expected)
    assert generator.bit_generator.state == before


@every
def test_dropout_with_a_mask(op, backward):
    mask = np.array([[True, False, True, True], [False] * 4, [True] * 4])
    output, cache = op(*arrays(2), attn_mask=mask, dropout_p=0.3, generator=rng())
    assert not output[:, 1].any()
    assert not backward(np.ones((2, 3, 5)), cache)[0][:, 1].any()
    output, _ = op(*arrays(2), is_causal=True, dropout_p=0.3, generator=rng())
    assert ((output[:, 0] == 0) | (np.isclose(output[:, 0] * 0.7, arrays(2)[2][:, 0]))).all()


# several heads


def parameters(features=6):
    return (
        normal(10, 3 * features, features),
        normal(11, 3 * features),
        normal(12, features, features),
        normal(13, features),
    )


def sequences(batch=2, length=3, places=4, features=6):
    return (
        normal(0, batch, length, features),
        normal(1, batch, places, features),
        normal(2, batch, places, features),
    )


@every_mha
def test_one_head_is_the_plain_attention(op, backward):
    query, key, value = sequences()
    unit = np.eye(6)
    output, _ = op(query, key, value, np.tile(unit, (3, 1)), None, unit, None, 1)
    expected, _ = F.scaled_dot_product_attention(query, key, value)
    np.testing.assert_allclose(output, expected, rtol=1e-13)


@every_mha
def test_each_head_sees_its_own_features(op, backward):
    query, key, value = sequences()
    unit = np.eye(6)
    output, _ = op(query, key, value, np.tile(unit, (3, 1)), None, unit, None, 3)
    for start in (0, 2, 4):
        own = slice(start, start + 2)
        expected, _ = F.scaled_dot_product_attention(
            query[..., own], key[..., own], value[..., own]
        )
        np.testing.assert_allclose(output[..., own], expected, rtol=1e-13)


@every_mha
def test_masks_mean_the_opposite(op, backward):
    query, key, value = sequences()
    unit = np.eye(6)
    arguments = (query, key, value, np.tile(unit, (3, 1)), None, unit, None, 1)
    left_out = rng().random((3, 4)) < 0.4
    output, _ = op(*arguments, attn_mask=left_out)
    expected, _ = F.scaled_dot_product_attention(query, key, value, attn_mask=~left_out)
    np.testing.assert_allclose(output, expected, rtol=1e-13)


MASKS = {
    "padding": {"key_padding_mask": np.array([[False, True, False, True], [False] * 4])},
    "everything": {"key_padding_mask": np.array([[False] * 4, [True] * 4])},
    "future": {"attn_mask": np.arange(4) > np.arange(3)[:, None]},
    "per head": {"attn_mask": rng().random((4, 3, 4)) < 0.4},
    "both": {
        "key_padding_mask": np.array([[False, True, False, True], [False] * 4]),
        "attn_mask": np.arange(4) > np.arange(3)[:, None],
    },
    "floats": {"key_padding_mask": normal(20, 2, 4), "attn_mask": normal(21, 3, 4)},
    "floats per head": {"key_padding_mask": normal(20, 2, 4), "attn_mask": normal(21, 4, 3, 4)},
}


@every_mha
@pytest.mark.parametrize("masks", MASKS.values(), ids=MASKS)
def test_masks_like_torch(op, backward, masks):
    inputs, grad = (*sequences(), *parameters()), normal(3, 2, 3, 6)
    output, cache = op(*inputs, 2, **masks)
    gradients = backward(grad, cache)
    tensors = [torch.from_numpy(x.copy()).requires_grad_() for x in inputs]
    query, key, value, w_in, b_in, w_out, b_out = tensors
    expected, _ = torch.nn.functional.multi_head_attention_forward(
        *(x.transpose(0, 1) for x in (query, key, value)),
        *(6, 2, w_in, b_in, None, None, False, 0.0, w_out, b_out),
        need_weights=False,
        **{name: torch.from_numpy(mask) for name, mask in masks.items()},
    )
    expected = expected.transpose(0, 1)
    expected.backward(torch.from_numpy(grad))
    assert_like_torch(output, expected)
    for ours, tensor in zip(gradients, tensors, strict=True):
        assert_like_torch(ours, tensor.grad, 1e-11)


@every_mha
def test_a_bool_and_a_float_mask(op, backward):
    padding, bias = MASKS["padding"]["key_padding_mask"], normal(21, 3, 4)
    inputs = (*sequences(), *parameters(), 2)
    output, _ = op(*inputs, key_padding_mask=padding, attn_mask=bias)
    added = np.where(padding, -np.inf, 0.0)
    np.testing.assert_allclose(
        output, op(*inputs, key_padding_mask=added, attn_mask=bias)[0], rtol=1e-13
    )


@every
def test_where_one_place_has_all_the_weight_the_scores_get_no_gradient(op, backward):
    """Rounding must not take its place: Adam would turn it into whole steps."""
    rng = np.random.default_rng(0)
    query, key, value, grad = rng.normal(size=(4, 2, 16, 8)).astype(np.float32) * 1000
    _, cache = op(query, key, value)
    grad_query, grad_key, grad_value, _ = backward(grad, cache)
    assert not grad_query.any()
    assert not grad_key.any()
    assert grad_value.any()


@every
def test_the_output_may_be_changed_before_the_backward_pass(op, backward):
    output, cache = op(*arrays(2))
    expected = backward(np.ones_like(output), cache)
    output += 1.0
    for ours, theirs in zip(backward(np.ones_like(output), cache)[:3], expected[:3], strict=True):
        np.testing.assert_array_equal(ours, theirs)


@every_mha
def test_a_bool_and_a_float_mask_in_float32(op, backward):
    single = [a.astype(np.float32) for a in (*sequences(), *parameters())]
    padding = MASKS["padding"]["key_padding_mask"]
    bias = normal(21, 3, 4).astype(np.float32)
    output, cache = op(*single, 2, key_padding_mask=padding, attn_mask=bias)
    gradients = backward(np.ones_like(output), cache)
    assert {a.dtype for a in (output, *gradients)} == {np.dtype(np.float32)}


@every_mha
def test_the_same_array_three_times(op, backward):
    x, grad = sequences()[0], normal(3, 2, 3, 6)
    output, cache = op(x, x, x, *parameters(), 2)
    again, cache_again = op(x.copy(), x.copy(), x.copy(), *parameters(), 2)
    np.testing.assert_array_equal(output, again)
    for a, b in zip(backward(grad, cache), backward(grad, cache_again), strict=True):
        np.testing.assert_array_equal(a, b)


@every_mha
def test_dropout_of_several_heads(op, backward):
    query, key, value = sequences()
    w_in, _, w_out, _ = parameters()
    output, cache = op(
        query, key, value, w_in, None, w_out, None, 2, dropout_p=0.4, generator=rng(3)
    )
    projected = [
        (x @ w.T).reshape(2, -1, 2, 3).swapaxes(1, 2)
        for x, w in zip((query, key, value), np.split(w_in, 3), strict=True)
    ]
    heads, _ = F.scaled_dot_product_attention(*projected, dropout_p=0.4, generator=rng(3))
    expected = heads.swapaxes(1, 2).reshape(2, 3, 6) @ w_out.T
    np.testing.assert_allclose(output, expected, rtol=1e-12)
    gradients = backward(normal(3, 2, 3, 6), cache)
    assert gradients[4] is None
    assert gradients[6] is None
    assert output.any()
    assert (op(query, key, value, w_in, None, w_out, None, 2)[0] != output).any()


def test_one_bias_alone():
    query, key, value = sequences()
    w_in, b_in, w_out, b_out = parameters()
    results = []
    for op, backward in HEADS.values():
        _, cache = op(query, key, value, w_in, None, w_out, b_out, 2)
        without_in = backward(normal(3, 2, 3, 6), cache)
        _, cache = op(query, key, value, w_in, b_in, w_out, None, 2)
        without_out = backward(normal(3, 2, 3, 6), cache)
        assert without_in[4] is None
        assert without_out[6] is None
        results.append((without_in[6], without_out[4]))
    for clear, quick in zip(*results, strict=True):
        assert_close(quick, clear, 1e-12, "bias")  # a third of it is 0: no score moves with b_key


@pytest.mark.parametrize("p", [0.0, 0.4])
def test_weights_of_the_fast_pair(p):
    query, key, value = sequences()
    _, cache = fast.multi_head_attention(
        query, key, value, *parameters(), 2, dropout_p=p, generator=rng(3)
    )
    _, clear_cache = F.multi_head_attention(
        query, key, value, *parameters(), 2, dropout_p=p, generator=rng(3)
    )
    weights = fast.attention_weights(cache)
    np.testing.assert_allclose(weights, clear_cache[3][5], rtol=1e-12)
