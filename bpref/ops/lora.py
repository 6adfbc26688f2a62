"""Registry entry of `bpref.functional.lora`."""

from __future__ import annotations

import math
from typing import Any

from bpref import functional as F
from bpref.ops.operator import Cost, Draw, Operator, Sample


def _lora_linear(draw: Draw) -> Sample:
    lead = draw.shape(2)
    d, m, r = draw.integer(1, 4), draw.integer(1, 4), draw.integer(1, 3)
    inputs = {
        "input": draw.normal(*lead, d),
        "lora_A": draw.normal(r, d),
        "lora_B": draw.normal(m, r),
    }
    options: dict[str, Any] = {"weight": draw.normal(m, d)}
    if draw.boolean():
        options["bias"] = draw.normal(m)
    if draw.boolean():
        options["alpha"] = draw.choice((16.0, -0.5))
    return Sample(inputs, options)


def _lora_linear_benchmark(draw: Draw) -> Sample:
    inputs = {
        "input": draw.normal(128, 768),
        "lora_A": draw.normal(8, 768),
        "lora_B": draw.normal(768, 8),
    }
    options = {"weight": draw.normal(768, 768), "bias": draw.normal(768), "alpha": 16.0}
    return Sample(inputs, options)


def _lora_linear_sizes(
    input: Any, weight: Any, lora_A: Any, lora_B: Any, bias: Any = None, alpha: float = 1.0
) -> dict[str, int]:
    m, d = weight.shape
    return {"N": math.prod(input.shape[:-1]), "d": d, "m": m, "r": len(lora_A)}


def _lora_linear_reference(
    torch: Any,
    input: Any,
    weight: Any,
    lora_A: Any,
    lora_B: Any,
    bias: Any = None,
    alpha: float = 1.0,
) -> Any:
    """As a linear layer whose weight is corrected first."""
    corrected = weight + alpha / len(lora_A) * (lora_B @ lora_A)
    return torch.nn.functional.linear(input, corrected, bias)


OPERATORS = [
    Operator(
        name="lora_linear",
        family="lora",
        forward=F.lora_linear,
        backward=F.lora_linear_backward,
        gradients=("input", "lora_A", "lora_B"),
        sample=_lora_linear,
        formula=r"Y = X W^\top + b + s\, X A^\top B^\top, \quad s = \tfrac{\alpha}{r}",
        rules={
            "input": r"\Delta W + s\, \Delta B A",
            "lora_A": r"s\, (\Delta B)^\top X",
            "lora_B": r"s\, \Delta^\top (X A^\top)",
        },
        shapes={
            "input": "(N, d)",
            "weight": "(m, d)",
            "lora_A": "(r, d)",
            "lora_B": "(m, r)",
            "bias": "(m,)",
            "output": "(N, m)",
        },
        sizes=_lora_linear_sizes,
        cost=Cost(
            forward="N*m*d + N*r*(d + m + 1)",
            backward="N*m*d + N*r*(2*d + 2*m + 1) + m*r",
            stored="N*d + N*r",
        ),
        torch="",
        reference=_lora_linear_reference,
        parameters=("weight", "lora_A", "lora_B"),
        benchmark=_lora_linear_benchmark,
    ),
]
