"""Registry entries of `bpref.functional.attention`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bpref import functional as F
from bpref.fast import attention as fast
from bpref.ops.operator import Array, Cost, Draw, Operator, Sample


def _bool_mask(draw: Draw, *shape: int) -> Array:
    return np.asarray(draw.generator().random(shape) < 0.6)


def _scaled_dot_product_attention(draw: Draw) -> Sample:
    lead, L, S = draw.shape(2), draw.integer(0, 3), draw.integer(1, 4)
    E, V = draw.integer(1, 3), draw.integer(1, 3)
    options: dict[str, Any] = {}
    if draw.values == "extreme":
        # Scores of 1e8 that differ by less than they are rounded: one exact product has no sum.
        E, options["scale"] = 1, 1.0
    elif draw.boolean():
        options["scale"] = draw.choice((0.3, -1.0))
    inputs = {
        "query": draw.normal(*lead, L, E),
        "key": draw.normal(*lead, S, E),
        "value": draw.normal(*lead, S, V),
    }
    mask_shape = draw.choice(((*lead, L, S), (L, S), (1, S), (S,)))
    mask = draw.choice(("none", "causal", "bool", "float"))
    if mask == "causal":
        options["is_causal"] = True
    elif mask == "bool":
        options["attn_mask"] = _bool_mask(draw, *mask_shape)
    elif mask == "float":
        inputs["attn_mask"] = draw.normal(*mask_shape)
    if draw.boolean():
        options |= {"dropout_p": 0.4, "generator": draw.generator()}
    return Sample(inputs, options)


def _scaled_dot_product_attention_benchmark(draw: Draw) -> Sample:
    names = ("query", "key", "value")
    return Sample({name: draw.normal(8, 4, 128, 32) for name in names})


def _scaled_dot_product_attention_sizes(
    query: Any, key: Any, value: Any, dropout_p: float = 0.0, **options: Any
) -> dict[str, int]:
    *lead, L, E = query.shape
    S, Ev = value.shape[-2:]
    return {"B": math.prod(lead), "L": L, "S": S, "E": E, "Ev": Ev, "d": int(dropout_p > 0)}


def _scaled_dot_product_attention_reference(
    torch: Any, query: Any, key: Any, value: Any, generator: Any = None, **options: Any
) -> Any:
    if "attn_mask" in options:  # PyTorch has trouble with masks of fewer than two axes
        places = (*query.shape[:-1], key.shape[-2])
        options["attn_mask"] = options["attn_mask"].expand(places)
    p = options.pop("dropout_p", 0.0)
    if p == 0.0:
        return torch.nn.functional.scaled_dot_product_attention(query, key, value, **options)
    # The weights alone, then the same zeros as ours: PyTorch would draw others.
    unit = torch.eye(key.shape[-2], dtype=key.dtype).expand(*key.shape[:-1], -1)
    weights = torch.nn.functional.scaled_dot_product_attention(query, key, unit, **options)
    keep = torch.from_numpy(generator.random(tuple(weights.shape)) >= p)
    return (weights * keep / (1 - p)) @ value


def _multi_head_attention(draw: Draw) -> Sample:
    N, L, S = draw.batch(), draw.integer(0, 3), draw.integer(1, 3)
    H = draw.integer(1, 3)
    D = H * draw.integer(1, 2)
    inputs = {
        "query": draw.normal(N, L, D),
        "key": draw.normal(N, S, D),
        "value": draw.normal(N, S, D),
        # About as large as PyTorch's initial values. With larger ones the softmax saturates, and
        # what is left of the gradients of query and key is rounding, in PyTorch as well.
        "in_proj_weight": draw.uniform(-(D**-0.5), D**-0.5, 3 * D, D),
        "in_proj_bias": draw.uniform(-1, 1, 3 * D),
        "out_proj_weight": draw.normal(D, D),
        "out_proj_bias": draw.normal(D),
    }
    options: dict[str, Any] = {"num_heads": H}
    if draw.boolean():
        del inputs["in_proj_bias"], inputs["out_proj_bias"]
        options |= {"in_proj_bias": None, "out_proj_bias": None}
    floats = draw.boolean()
    for name, shape in (
        ("key_padding_mask", (N, S)),
        ("attn_mask", draw.choice(((L, S), (N * H, L, S)))),
    ):
        if draw.boolean():
            options[name] = draw.normal(*shape) if floats else _bool_mask(draw, *shape)
    return Sample(inputs, options)


def _multi_head_attention_benchmark(draw: Draw) -> Sample:
    inputs = {name: draw.normal(8, 128, 128) for name in ("query", "key", "value")}
    inputs |= {"in_proj_weight": draw.normal(384, 128), "in_proj_bias": draw.normal(384)}
    inputs |= {"out_proj_weight": draw.normal(128, 128), "out_proj_bias": draw.normal(128)}
    return Sample(inputs, {"num_heads": 4})


def _multi_head_attention_sizes(
    query: Any, key: Any, num_heads: int, **rest: Any
) -> dict[str, int]:
    N, L, D = query.shape
    return {"N": N, "L": L, "S": key.shape[1], "D": D, "H": num_heads}


def _multi_head_attention_reference(
    torch: Any,
    query: Any,
    key: Any,
    value: Any,
    in_proj_weight: Any,
    in_proj_bias: Any,
    out_proj_weight: Any,
    out_proj_bias: Any,
    num_heads: int,
    **masks: Any,
) -> Any:
    """Call PyTorch's function, which wants the sequence first and takes no empty batch."""
    if query.numel() == 0:
        return query.clone()
    output, _ = torch.nn.functional.multi_head_attention_forward(
        *(x.transpose(0, 1) for x in (query, key, value)),
        embed_dim_to_check=query.shape[2],
        num_heads=num_heads,
        in_proj_weight=in_proj_weight,
        in_proj_bias=in_proj_bias,
        bias_k=None,
        bias_v=None,
        add_zero_attn=False,
        dropout_p=0.0,
        out_proj_weight=out_proj_weight,
        out_proj_bias=out_proj_bias,
        need_weights=False,
        **masks,
    )
    return output.transpose(0, 1)


OPERATORS = [
    Operator(
        name="scaled_dot_product_attention",
        family="attention",
        forward=F.scaled_dot_product_attention,
        backward=F.scaled_dot_product_attention_backward,
        gradients=("query", "key", "value", "attn_mask"),
        sample=_scaled_dot_product_attention,
        formula=r"Y = P V, \quad P = \operatorname{softmax}\bigl(s\, Q K^\top + M\bigr),"
        r" \quad s = \tfrac{1}{\sqrt{E}}",
        rules={
            "query": r"s\, G K, \quad G = P \odot"
            r" \bigl(\Delta V^\top - \textstyle\sum_j P_{:,j} \odot (\Delta V^\top)_{:,j}\bigr)",
            "key": r"s\, G^\top Q",
            "value": r"P^\top \Delta",
            "attn_mask": r"\textstyle\sum_n G_n",
        },
        shapes={
            "query": "(N, L, E)",
            "key": "(N, S, E)",
            "value": "(N, S, Ev)",
            "attn_mask": "(L, S)",
            "output": "(N, L, Ev)",
        },
        sizes=_scaled_dot_product_attention_sizes,
        cost=Cost(
            forward="B*L*(E + S*E + d*S + S*Ev)",
            backward="B*L*(2*E + 2*S*E + (2 + d)*S + 2*S*Ev)",
            stored="B*(L*E + S*E + S*Ev + (1 + 2*d)*L*S)",
        ),
        torch="nn.functional.scaled_dot_product_attention",
        reference=_scaled_dot_product_attention_reference,
        benchmark=_scaled_dot_product_attention_benchmark,
        fast=(fast.scaled_dot_product_attention, fast.scaled_dot_product_attention_backward),
    ),
    Operator(
        name="multi_head_attention",
        family="attention",
        forward=F.multi_head_attention,
        backward=F.multi_head_attention_backward,
        gradients=(
            "query",
            "key",
            "value",
            "in_proj_weight",
            "in_proj_bias",
            "out_proj_weight",
            "out_proj_bias",
        ),
        sample=_multi_head_attention,
        formula=r"Y = [Z_1, \dots, Z_H] W_O^\top + b_O, \quad Z_h = \operatorname{softmax}"
        r"\bigl(\tfrac{1}{\sqrt{D/H}} q_h k_h^\top + M\bigr) v_h,"
        r" \quad [q_1, \dots, q_H] = Q W_Q^\top + b_Q",
        rules={
            "query": r"[\bar q_1, \dots, \bar q_H]\, W_Q",
            "key": r"[\bar k_1, \dots, \bar k_H]\, W_K",
            "value": r"[\bar v_1, \dots, \bar v_H]\, W_V",
            "in_proj_weight": r"\begin{pmatrix} [\bar q_1, \dots, \bar q_H]^\top Q \\"
            r" [\bar k_1, \dots, \bar k_H]^\top K \\"
            r" [\bar v_1, \dots, \bar v_H]^\top V \end{pmatrix}",
            "in_proj_bias": r"\textstyle\sum_i [\bar q_1, \dots, \bar q_H,"
            r" \bar k_1, \dots, \bar k_H, \bar v_1, \dots, \bar v_H]_{i,:}",
            "out_proj_weight": r"\Delta^\top [Z_1, \dots, Z_H]",
            "out_proj_bias": r"\textstyle\sum_i \Delta_{i,:}",
        },
        shapes={
            "query": "(N, L, D)",
            "key": "(N, S, D)",
            "value": "(N, S, D)",
            "in_proj_weight": "(3D, D)",
            "in_proj_bias": "(3D,)",
            "out_proj_weight": "(D, D)",
            "out_proj_bias": "(D,)",
            "output": "(N, L, D)",
        },
        sizes=_multi_head_attention_sizes,
        cost=Cost(
            forward="2*N*(L + S)*D*D + N*L*D*(1 + 2*S)",
            backward="4*N*(L + S)*D*D + 2*N*L*D*(1 + 2*S) + 2*N*H*L*S",
            stored="N*(3*L + 4*S)*D + N*H*L*S",
        ),
        torch="nn.functional.multi_head_attention_forward",
        reference=_multi_head_attention_reference,
        parameters=("in_proj_weight", "in_proj_bias", "out_proj_weight", "out_proj_bias"),
        benchmark=_multi_head_attention_benchmark,
        fast=(fast.multi_head_attention, fast.multi_head_attention_backward),
        # Scores of 1e8 and more that differ by less than they are rounded.
        extreme=False,
    ),
]
