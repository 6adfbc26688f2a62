"""Embeddings refuse bad input with the argument, what was expected and what came."""

import numpy as np
import pytest
from refusing import refused

import bpref.functional as F
from bpref import nn

W = np.zeros((3, 2))
INDICES = np.array([0, 2])
ODD = np.zeros((4, 3))

# name: (call, error, message)
CASES = {
    "embedding float index": (
        lambda: F.embedding(np.array([0.0]), W),
        TypeError,
        "input: expected an integer dtype, got float64",
    ),
    "embedding bool index": (
        lambda: F.embedding(np.array([True]), W),
        TypeError,
        "input: expected an integer dtype, got bool",
    ),
    "embedding too large": (
        lambda: F.embedding(np.array([[0, 1], [3, 0]]), W),
        ValueError,
        "input: expected indices from 0 to 2, got 3 at index (1, 0)",
    ),
    "embedding negative": (
        lambda: F.embedding(np.array([0, -1]), W),
        ValueError,
        "input: expected indices from 0 to 2, got -1 at index (1,)",
    ),
    "embedding int weight": (
        lambda: F.embedding(INDICES, W.astype(int)),
        TypeError,
        "weight: expected dtype float32 or float64, got int64",
    ),
    "embedding vector": (
        lambda: F.embedding(INDICES, W[0]),
        ValueError,
        "weight: expected shape (num_embeddings, embedding_dim), got (2,)",
    ),
    "embedding padding": (
        lambda: F.embedding(INDICES, W, 3),
        ValueError,
        "padding_idx: expected an index from -3 to 2, got 3",
    ),
    "embedding negative padding": (
        lambda: F.embedding(INDICES, W, -4),
        ValueError,
        "padding_idx: expected an index from -3 to 2, got -4",
    ),
    "embedding float padding": (
        lambda: F.embedding(INDICES, W, 1.0),
        TypeError,
        "padding_idx: expected an int, got float",
    ),
    "embedding bool padding": (
        lambda: F.embedding(INDICES, W, True),
        TypeError,
        "padding_idx: expected an int, got bool",
    ),
    "positional_encoding int": (
        lambda: F.positional_encoding(np.zeros((2, 2), int)),
        TypeError,
        "input: expected dtype float32 or float64, got int64",
    ),
    "positional_encoding vector": (
        lambda: F.positional_encoding(np.zeros(2)),
        ValueError,
        "input: expected shape (..., T, D) with D at least 1, got (2,)",
    ),
    "positional_encoding no features": (
        lambda: F.positional_encoding(np.zeros((2, 0))),
        ValueError,
        "input: expected shape (..., T, D) with D at least 1, got (2, 0)",
    ),
    "rotary_embedding int": (
        lambda: F.rotary_embedding(np.zeros((2, 2), int)),
        TypeError,
        "input: expected dtype float32 or float64, got int64",
    ),
    "rotary_embedding vector": (
        lambda: F.rotary_embedding(np.zeros(2)),
        ValueError,
        "input: expected shape (..., T, D) with D at least 1, got (2,)",
    ),
    "rotary_embedding odd": (
        lambda: F.rotary_embedding(ODD),
        ValueError,
        "input: expected an even number of features, got shape (4, 3)",
    ),
    "rotary_embedding base": (
        lambda: F.rotary_embedding(np.zeros((2, 2)), 0.0),
        ValueError,
        "base: expected a number above 0, got 0.0",
    ),
    "Embedding size": (
        lambda: nn.Embedding(0, 2),
        ValueError,
        "num_embeddings: expected at least 1, got 0",
    ),
    "Embedding dim": (
        lambda: nn.Embedding(2, 2.0),
        TypeError,
        "embedding_dim: expected an int, got float",
    ),
    "Embedding padding": (
        lambda: nn.Embedding(3, 2, 3),
        ValueError,
        "padding_idx: expected an index from -3 to 2, got 3",
    ),
    "Embedding dtype": (
        lambda: nn.Embedding(3, 2, dtype=int),
        TypeError,
        "dtype: expected float32 or float64, got <class 'int'>",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), CASES.values(), ids=CASES)
def test_refused_by_name(call, error, message):
    with refused(error, message):
        call()
