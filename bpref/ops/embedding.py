"""Registry entries of `bpref.functional.embedding`."""

from __future__ import annotations

import math
from typing import Any

from bpref import functional as F
from bpref.ops.operator import Cost, Draw, Operator, Sample


def _embedding(draw: Draw) -> Sample:
    words, features = draw.integer(1, 4), draw.integer(1, 3)
    input = draw.generator().integers(words, size=draw.shape())
    options: dict[str, Any] = {"input": input}
    if draw.boolean():
        # A row that is not looked up: its gradient is 0 in central differences too.
        words += 1
        options["padding_idx"] = draw.choice((words - 1, -1))
    return Sample({"weight": draw.normal(words, features)}, options)


def _embedding_benchmark(draw: Draw) -> Sample:
    indices = draw.generator().integers(10000, size=(32, 64))
    return Sample({"weight": draw.normal(10000, 128)}, {"input": indices})


def _embedding_sizes(input: Any, weight: Any, padding_idx: int | None = None) -> dict[str, int]:
    return {"n": input.size}


def _positional_encoding(draw: Draw) -> Sample:
    return Sample({"input": draw.normal(*draw.shape(2), draw.integer(0, 4), draw.integer(1, 5))})


def _rotary_embedding(draw: Draw) -> Sample:
    shape = (*draw.shape(2), draw.integer(0, 4), 2 * draw.integer(1, 3))
    options = {"base": draw.choice((2.0, 500000.0))} if draw.boolean() else {}
    return Sample({"input": draw.normal(*shape)}, options)


def _sequence_benchmark(draw: Draw) -> Sample:
    return Sample({"input": draw.normal(32, 128, 128)})


def _sequence_sizes(input: Any, base: float = 10000.0) -> dict[str, int]:
    T, D = input.shape[-2:]
    return {"N": math.prod(input.shape[:-2]), "T": T, "D": D}


def _positional_encoding_reference(torch: Any, input: Any) -> Any:
    """Each element from the formula, one after the other."""
    T, D = input.shape[-2:]
    table = torch.empty((T, D), dtype=torch.float64)
    for t in range(T):
        for j in range(D):
            angle = t / 10000 ** (2 * (j // 2) / D)
            table[t, j] = math.cos(angle) if j % 2 else math.sin(angle)
    return input + table.to(input.dtype)


def _rotary_embedding_reference(torch: Any, input: Any, base: float = 10000.0) -> Any:
    """Pairs as complex numbers, multiplied by numbers of length 1."""
    T, D = input.shape[-2:]
    time = torch.arange(T, dtype=torch.float64)
    angle = torch.outer(time, base ** (-2 * torch.arange(D // 2, dtype=torch.float64) / D))
    pairs = torch.view_as_complex(input.reshape(*input.shape[:-1], D // 2, 2))
    turned = pairs * torch.polar(torch.ones_like(angle), angle).to(pairs.dtype)
    return torch.view_as_real(turned).reshape(input.shape)


OPERATORS = [
    Operator(
        name="embedding",
        family="embedding",
        forward=F.embedding,
        backward=F.embedding_backward,
        gradients=("weight",),
        sample=_embedding,
        formula=r"Y_{i,:} = W_{k_i,:}",
        rules={"weight": r"\bar W_{v,:} = \textstyle\sum_{i:\, k_i = v} \Delta_{i,:}"},
        shapes={"input": "(N, T)", "weight": "(V, D)", "output": "(N, T, D)"},
        sizes=_embedding_sizes,
        cost=Cost(forward="0", backward="0", stored="n"),
        torch="nn.functional.embedding",
        parameters=("weight",),
        benchmark=_embedding_benchmark,
    ),
    Operator(
        name="positional_encoding",
        family="embedding",
        forward=F.positional_encoding,
        backward=F.positional_encoding_backward,
        gradients=("input",),
        sample=_positional_encoding,
        formula=r"Y = X + P, \quad P_{t,2i} = \sin(t\,\omega_i), \; P_{t,2i+1} = \cos(t\,\omega_i),"
        r" \quad \omega_i = 10000^{-2i/D}",
        rules={"input": r"\Delta"},
        shapes={"input": "(N, T, D)", "output": "(N, T, D)"},
        sizes=_sequence_sizes,
        cost=Cost(forward="0", backward="0", stored="0"),
        torch="",
        reference=_positional_encoding_reference,
        benchmark=_sequence_benchmark,
    ),
    Operator(
        name="rotary_embedding",
        family="embedding",
        forward=F.rotary_embedding,
        backward=F.rotary_embedding_backward,
        gradients=("input",),
        sample=_rotary_embedding,
        formula=r"\begin{pmatrix} y_{2i} \\ y_{2i+1} \end{pmatrix} = R(t\,\omega_i)"
        r" \begin{pmatrix} x_{2i} \\ x_{2i+1} \end{pmatrix}, \quad R(\varphi) = \begin{pmatrix}"
        r" \cos \varphi & -\sin \varphi \\ \sin \varphi & \cos \varphi \end{pmatrix}"
        r", \quad \omega_i = 10000^{-2i/D}",
        rules={
            "input": r"\begin{pmatrix} \bar x_{2i} \\ \bar x_{2i+1} \end{pmatrix} ="
            r" R(t\,\omega_i)^\top \begin{pmatrix} \Delta_{2i} \\ \Delta_{2i+1} \end{pmatrix}"
        },
        shapes={"input": "(N, T, D)", "output": "(N, T, D)"},
        sizes=_sequence_sizes,
        cost=Cost(forward="2*N*T*D", backward="2*N*T*D", stored="T*D"),
        torch="",
        reference=_rotary_embedding_reference,
        benchmark=_sequence_benchmark,
    ),
]
