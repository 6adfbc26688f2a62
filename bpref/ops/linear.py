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
]
