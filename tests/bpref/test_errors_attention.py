"""Attention refuses bad input with the argument, what was expected and what came."""

import numpy as np
import pytest
from refusing import refused

import bpref.functional as F
from bpref import nn
from bpref.fast import attention as fast

Q = np.zeros((2, 3, 4))
K = np.zeros((2, 5, 4))
V = np.zeros((2, 5, 6))
W_IN, B_IN, W_OUT, B_OUT = np.zeros((12, 4)), np.zeros(12), np.zeros((4, 4)), np.zeros(4)
PARAMETERS = (W_IN, B_IN, W_OUT, B_OUT)


def attend(*arguments, **options):
    return [
        lambda: F.scaled_dot_product_attention(*arguments, **options),
        lambda: fast.scaled_dot_product_attention(*arguments, **options),
    ]


def heads(*arguments, **options):
    return [
        lambda: F.multi_head_attention(*arguments, **options),
        lambda: fast.multi_head_attention(*arguments, **options),
    ]


def layer(**options):
    return nn.MultiheadAttention(4, 2, batch_first=True, **options)


# name: (calls, error, message)
CASES = {
    "int": (
        attend(Q.astype(int), K, V),
        TypeError,
        "query: expected dtype float32 or float64, got int64",
    ),
    "mixed": (
        attend(Q, K, V.astype(np.float32)),
        TypeError,
        "value: expected dtype float64 as of query, got float32",
    ),
    "vector": (
        attend(Q[0, 0], K, V),
        ValueError,
        "query: expected shape (..., T, D) with D at least 1, got (4,)",
    ),
    "no features": (
        attend(Q[..., :0], K[..., :0], V),
        ValueError,
        "query: expected shape (..., T, D) with D at least 1, got (2, 3, 0)",
    ),
    "key features": (
        attend(Q, V, V),
        ValueError,
        "key: expected shape (2, S, 4), got (2, 5, 6)",
    ),
    "key batch": (
        attend(Q, K[:1], V[:1]),
        ValueError,
        "key: expected shape (2, S, 4), got (1, 5, 4)",
    ),
    "value places": (
        attend(Q, K, V[:, :4]),
        ValueError,
        "value: expected shape (2, 5, V), got (2, 4, 6)",
    ),
    "empty sequence": (
        attend(Q, K[:, :0], V[:, :0]),
        ValueError,
        "key: expected at least one place, got shape (2, 0, 4)",
    ),
    "mask shape": (
        attend(Q, K, V, np.ones((5, 3), bool)),
        ValueError,
        "attn_mask: expected a shape that broadcasts to (2, 3, 5), got (5, 3)",
    ),
    "mask with more axes": (
        attend(Q, K, V, np.ones((7, 2, 3, 5), bool)),
        ValueError,
        "attn_mask: expected a shape that broadcasts to (2, 3, 5), got (7, 2, 3, 5)",
    ),
    "mask dtype": (
        attend(Q, K, V, np.ones((3, 5), int)),
        TypeError,
        "attn_mask: expected dtype float64 as of query, or bool, got int64",
    ),
    "mask float32": (
        attend(Q, K, V, np.ones((3, 5), np.float32)),
        TypeError,
        "attn_mask: expected dtype float64 as of query, or bool, got float32",
    ),
    "mask and causal": (
        attend(Q, K, V, np.ones((3, 5), bool), is_causal=True),
        ValueError,
        "attn_mask: expected None when is_causal is True, got an array",
    ),
    "dropout above 1": (
        attend(Q, K, V, dropout_p=1.5),
        ValueError,
        "dropout_p: expected at most 1.0, got 1.5",
    ),
    "dropout text": (
        attend(Q, K, V, dropout_p="0.5"),
        TypeError,
        "dropout_p: expected a number, got str",
    ),
    "scale": (
        attend(Q, K, V, scale=np.inf),
        ValueError,
        "scale: expected a finite number, got inf",
    ),
    "generator": (
        attend(Q, K, V, dropout_p=0.5, generator=0),
        TypeError,
        "generator: expected a numpy.random.Generator, got int",
    ),
    "fast grad": (
        [
            lambda: fast.scaled_dot_product_attention_backward(
                Q, fast.scaled_dot_product_attention(Q, K, V)[1]
            ),
            lambda: F.scaled_dot_product_attention_backward(
                Q, F.scaled_dot_product_attention(Q, K, V)[1]
            ),
        ],
        ValueError,
        "grad_output: expected shape (2, 3, 6), got (2, 3, 4)",
    ),
    # several heads
    "heads int": (
        heads(Q, K, K, W_IN.astype(int), B_IN, W_OUT, B_OUT, 2),
        TypeError,
        "in_proj_weight: expected dtype float32 or float64, got int64",
    ),
    "heads rank": (
        heads(Q[0], K, K, *PARAMETERS, 2),
        ValueError,
        "query: expected shape (N, L, D), got (3, 4)",
    ),
    "heads features": (
        heads(Q[..., :0], K[..., :0], K[..., :0], *PARAMETERS, 2),
        ValueError,
        "query: expected shape (..., T, D) with D at least 1, got (2, 3, 0)",
    ),
    "heads key": (
        heads(Q, K[:1], K[:1], *PARAMETERS, 2),
        ValueError,
        "key: expected shape (2, S, 4), got (1, 5, 4)",
    ),
    "heads value": (
        heads(Q, K, V, *PARAMETERS, 2),
        ValueError,
        "value: expected shape (2, 5, 4), got (2, 5, 6)",
    ),
    "heads empty sequence": (
        heads(Q, K[:, :0], K[:, :0], *PARAMETERS, 2),
        ValueError,
        "key: expected at least one place, got shape (2, 0, 4)",
    ),
    "heads in weight": (
        heads(Q, K, K, W_IN.T, B_IN, W_OUT, B_OUT, 2),
        ValueError,
        "in_proj_weight: expected shape (12, 4), got (4, 12)",
    ),
    "heads in bias": (
        heads(Q, K, K, W_IN, B_OUT, W_OUT, B_OUT, 2),
        ValueError,
        "in_proj_bias: expected shape (12,), got (4,)",
    ),
    "heads out weight": (
        heads(Q, K, K, W_IN, B_IN, W_IN, B_OUT, 2),
        ValueError,
        "out_proj_weight: expected shape (4, 4), got (12, 4)",
    ),
    "heads out bias": (
        heads(Q, K, K, W_IN, B_IN, W_OUT, B_IN, 2),
        ValueError,
        "out_proj_bias: expected shape (4,), got (12,)",
    ),
    "heads number": (
        heads(Q, K, K, *PARAMETERS, 3),
        ValueError,
        "num_heads: expected a divisor of 4 features, got 3",
    ),
    "heads none": (
        heads(Q, K, K, *PARAMETERS, 0),
        ValueError,
        "num_heads: expected at least 1, got 0",
    ),
    "heads padding shape": (
        heads(Q, K, K, *PARAMETERS, 2, np.zeros((2, 3), bool)),
        ValueError,
        "key_padding_mask: expected shape (2, 5), got (2, 3)",
    ),
    "heads padding dtype": (
        heads(Q, K, K, *PARAMETERS, 2, np.zeros((2, 5), int)),
        TypeError,
        "key_padding_mask: expected dtype float64 as of query, or bool, got int64",
    ),
    "heads mask shape": (
        heads(Q, K, K, *PARAMETERS, 2, attn_mask=np.zeros((5, 3), bool)),
        ValueError,
        "attn_mask: expected shape (3, 5), got (5, 3)",
    ),
    "heads mask of every head": (
        heads(Q, K, K, *PARAMETERS, 2, attn_mask=np.zeros((2, 3, 5), bool)),
        ValueError,
        "attn_mask: expected shape (4, 3, 5), got (2, 3, 5)",
    ),
    "heads mask dtype": (
        heads(Q, K, K, *PARAMETERS, 2, attn_mask=np.zeros((3, 5), np.float32)),
        TypeError,
        "attn_mask: expected dtype float64 as of query, or bool, got float32",
    ),
    "heads dropout": (
        heads(Q, K, K, *PARAMETERS, 2, dropout_p=-1.0),
        ValueError,
        "dropout_p: expected at least 0.0, got -1.0",
    ),
    "heads fast grad": (
        [
            lambda: fast.multi_head_attention_backward(
                K, fast.multi_head_attention(Q, K, K, *PARAMETERS, 2)[1]
            )
        ],
        ValueError,
        "grad_output: expected shape (2, 3, 4), got (2, 5, 4)",
    ),
    # the module
    "module divisor": (
        [lambda: nn.MultiheadAttention(4, 3)],
        ValueError,
        "num_heads: expected a divisor of 4 features, got 3",
    ),
    "module size": (
        [lambda: nn.MultiheadAttention(4.0, 2)],
        TypeError,
        "embed_dim: expected an int, got float",
    ),
    "module dropout": (
        [lambda: nn.MultiheadAttention(4, 2, 2.0)],
        ValueError,
        "dropout: expected at most 1.0, got 2.0",
    ),
    "module generator": (
        [lambda: nn.MultiheadAttention(4, 2, generator=0)],
        TypeError,
        "generator: expected a numpy.random.Generator, got int",
    ),
    "module dtype": (
        [lambda: nn.MultiheadAttention(4, 2, dtype=int)],
        TypeError,
        "dtype: expected float32 or float64, got <class 'int'>",
    ),
    "module input": (
        [lambda: layer()(Q, K, K.astype(int)), lambda: layer()(Q, K, [[[1]]])],
        TypeError,
        "value: expected dtype float32 or float64, got int64",
    ),
    "module vector": (
        [lambda: nn.MultiheadAttention(4, 2)(B_OUT, K, K)],
        ValueError,
        "query: expected shape (N, L, D), got (4,)",
    ),
    "module mask": (
        [lambda: layer()(Q, K, K, attn_mask=np.zeros((5, 3), bool))],
        ValueError,
        "attn_mask: expected shape (3, 5), got (5, 3)",
    ),
}


@pytest.mark.parametrize(("calls", "error", "message"), CASES.values(), ids=CASES)
def test_refused_by_name(calls, error, message):
    for call in calls:
        with refused(error, message):
            call()
