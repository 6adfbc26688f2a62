"""Embeddings and positional encodings: padding, repeated indices, numbers by hand, geometry."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from strategies import assert_like_torch, normal

import bpref.functional as F

INDICES = np.array([[0, 2, 2], [3, 2, 0]])


@pytest.mark.parametrize("padding_idx", [None, 0, 2, 3, -1, -2, -4])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_looked_up_padding_like_torch(padding_idx, dtype):
    weight, grad = normal(0, 4, 5, dtype=dtype), normal(1, 2, 3, 5, dtype=dtype)
    tensor = torch.from_numpy(weight.copy()).requires_grad_()
    expected = torch.nn.functional.embedding(torch.from_numpy(INDICES), tensor, padding_idx)
    expected.backward(torch.from_numpy(grad))
    output, cache = F.embedding(INDICES, weight, padding_idx)
    assert_like_torch(output, expected)
    assert_like_torch(F.embedding_backward(grad, cache), tensor.grad, 1e-6)


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int32, np.int64])
def test_any_integer_dtype(dtype):
    weight = normal(0, 4, 5)
    output, cache = F.embedding(INDICES.astype(dtype), weight)
    np.testing.assert_array_equal(output, weight[INDICES])
    np.testing.assert_array_equal(
        F.embedding_backward(np.ones((2, 3, 5)), cache),
        [[2.0] * 5, [0.0] * 5, [3.0] * 5, [1.0] * 5],
    )


def test_embedding_is_a_product_with_one_hot_rows():
    weight, grad = normal(0, 4, 5), normal(1, 2, 3, 5)
    output, cache = F.embedding(INDICES, weight)
    one_hot = np.eye(4)[INDICES]
    product, product_cache = F.linear(one_hot, weight.T)
    np.testing.assert_array_equal(output, product)
    expected = F.linear_backward(grad, product_cache)[1].T
    np.testing.assert_allclose(F.embedding_backward(grad, cache), expected, rtol=1e-14)


def test_output_is_a_copy():
    weight = normal(0, 4, 5)
    output, _ = F.embedding(np.arange(4), weight)
    output[...] = 99.0
    assert not (weight == 99.0).any()


def test_positional_encoding_by_hand():
    output, _ = F.positional_encoding(np.ones((2, 2, 4)))
    row = [np.sin(1.0), np.cos(1.0), np.sin(0.01), np.cos(0.01)]
    expected = 1.0 + np.array([[0.0, 1.0, 0.0, 1.0], row])
    np.testing.assert_allclose(output, np.stack([expected, expected]), rtol=1e-15)


def test_positional_encoding_of_an_odd_number_of_features():
    output, _ = F.positional_encoding(np.zeros((2, 3)))
    third = np.sin(10000 ** (-2 / 3))
    np.testing.assert_allclose(output[1], [np.sin(1.0), np.cos(1.0), third], rtol=1e-14)


def test_far_positions_in_float32_come_from_exact_angles():
    wide, _ = F.positional_encoding(np.zeros((50000, 2)))
    narrow, _ = F.positional_encoding(np.zeros((50000, 2), np.float32))
    np.testing.assert_allclose(narrow, wide, atol=1e-7)
    wide, _ = F.rotary_embedding(np.ones((50000, 2)))
    narrow, _ = F.rotary_embedding(np.ones((50000, 2), np.float32))
    np.testing.assert_allclose(narrow, wide, atol=1e-6)


def test_rotary_embedding_of_float32_is_computed_in_float32():
    x = np.linspace(-1.0, 1.0, 60, dtype=np.float32).reshape(15, 4)
    output, (cos, sin, _) = F.rotary_embedding(x)
    assert output.dtype == cos.dtype == sin.dtype == np.float32
    np.testing.assert_array_equal(output[:, 0::2], x[:, 0::2] * cos - x[:, 1::2] * sin)


def test_rotary_embedding_by_hand():
    output, _ = F.rotary_embedding(np.array([[[1.0, 0.0, 0.0, 1.0]] * 3]))
    turn = [[np.cos(t), np.sin(t), -np.sin(t / 100), np.cos(t / 100)] for t in range(3)]
    np.testing.assert_allclose(output, [turn], rtol=1e-14)


def test_base_of_rotary_embedding():
    output, _ = F.rotary_embedding(np.array([[0.0, 0.0, 1.0, 0.0]] * 2), base=4.0)
    np.testing.assert_allclose(output[1], [0.0, 0.0, np.cos(0.5), np.sin(0.5)], rtol=1e-15)


def test_rotation_keeps_lengths_and_depends_on_distance_only():
    q, k = np.tile(normal(0, 6), (9, 1)), np.tile(normal(1, 6), (9, 1))
    turned_q, turned_k = F.rotary_embedding(q)[0], F.rotary_embedding(k)[0]
    lengths = np.linalg.norm(turned_q, axis=1)
    np.testing.assert_allclose(lengths, np.linalg.norm(q, axis=1), rtol=1e-13)
    scores = turned_q @ turned_k.T
    for distance in range(-8, 9):
        diagonal = np.diagonal(scores, distance)
        np.testing.assert_allclose(diagonal, diagonal[0], rtol=1e-12)
    assert not np.isclose(scores[0, 0], scores[0, 1])


def test_backward_of_a_rotation_is_its_inverse():
    x = normal(0, 2, 5, 4)
    output, cache = F.rotary_embedding(x)
    np.testing.assert_allclose(F.rotary_embedding_backward(output, cache), x, rtol=1e-13)
