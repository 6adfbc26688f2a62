"""Registry entries of `bpref.functional.linear`."""

from __future__ import annotations

import math
from typing import Any

from bpref import functional as F
from bpref.ops.operator import Cost, Draw, Operator, Sample


def _linear(draw: Draw) -> Sample:
    lead = draw.shape(2)
    d, m = draw.integer(1, 4), draw.integer(1, 4)
    inputs = {"input": draw.normal(*lead, d), "weight": draw.normal(m, d)}
    if draw.boolean():
        inputs["bias"] = draw.normal(m)
    return Sample(inputs)


def _linear_benchmark(draw: Draw) -> Sample:
    return Sample(
        {"input": draw.normal(128, 784), "weight": draw.normal(128, 784), "bias": draw.normal(128)}
    )


def _linear_sizes(input: Any, weight: Any, bias: Any = None) -> dict[str, int]:
    m, d = weight.shape
    return {"N": math.prod(input.shape[:-1]), "d": d, "m": m}


def _bilinear(draw: Draw) -> Sample:
    lead = draw.shape(2)
    d, e, m = draw.integer(1, 4), draw.integer(1, 4), draw.integer(1, 4)
    inputs = {
        "input1": draw.normal(*lead, d),
        "input2": draw.normal(*lead, e),
        "weight": draw.normal(m, d, e),
    }
    if draw.boolean():
        inputs["bias"] = draw.normal(m)
    return Sample(inputs)


def _bilinear_benchmark(draw: Draw) -> Sample:
    inputs = {"input1": draw.normal(128, 64), "input2": draw.normal(128, 64)}
    return Sample({**inputs, "weight": draw.normal(32, 64, 64), "bias": draw.normal(32)})


def _bilinear_sizes(input1: Any, input2: Any, weight: Any, bias: Any = None) -> dict[str, int]:
    m, d, e = weight.shape
    return {"N": math.prod(input1.shape[:-1]), "d": d, "e": e, "m": m}


OPERATORS = [
    Operator(
        name="linear",
        family="linear",
        forward=F.linear,
        backward=F.linear_backward,
        gradients=("input", "weight", "bias"),
        sample=_linear,
        formula=r"Y = X W^\top + b",
        rules={
            "input": r"\Delta W",
            "weight": r"\Delta^\top X",
            "bias": r"\textstyle\sum_i \Delta_{i,:}",
        },
        shapes={"input": "(N, d)", "weight": "(m, d)", "bias": "(m,)", "output": "(N, m)"},
        sizes=_linear_sizes,
        cost=Cost(forward="N*m*d", backward="2*N*m*d", stored="N*d"),
        torch="nn.functional.linear",
        parameters=("weight", "bias"),
        benchmark=_linear_benchmark,
    ),
    Operator(
        name="bilinear",
        family="linear",
        forward=F.bilinear,
        backward=F.bilinear_backward,
        gradients=("input1", "input2", "weight", "bias"),
        sample=_bilinear,
        formula=r"Y_{nk} = \textstyle\sum_{ij} X_{ni} W_{kij} Z_{nj} + b_k",
        rules={
            "input1": r"\textstyle\sum_{kj} \Delta_{nk} W_{kij} Z_{nj}",
            "input2": r"\textstyle\sum_{ki} \Delta_{nk} W_{kij} X_{ni}",
            "weight": r"\textstyle\sum_n \Delta_{nk} X_{ni} Z_{nj}",
            "bias": r"\textstyle\sum_n \Delta_{nk}",
        },
        shapes={
            "input1": "(N, d)",
            "input2": "(N, e)",
            "weight": "(m, d, e)",
            "bias": "(m,)",
            "output": "(N, m)",
        },
        sizes=_bilinear_sizes,
        cost=Cost(forward="N*d*e + N*m*d*e", backward="3*N*d*e + 2*N*m*d*e", stored="N*d + N*e"),
        torch="nn.functional.bilinear",
        parameters=("weight", "bias"),
        benchmark=_bilinear_benchmark,
    ),
]
