"""Registry entries of `bpref.functional.activation`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bpref import functional as F
from bpref.ops.operator import Cost, Draw, Operator, Sample


def _elementwise(draw: Draw) -> Sample:
    return Sample({"input": draw.away_from(*draw.shape())})


def _leaky_relu(draw: Draw) -> Sample:
    inputs = {"input": draw.away_from(*draw.shape())}
    return Sample(inputs, {"negative_slope": draw.choice((0.01, 0.3, -1.0))})


def _benchmark(draw: Draw) -> Sample:
    return Sample({"input": draw.normal(128, 1024)})


def _sizes(input: Any, **options: Any) -> dict[str, int]:
    return {"n": input.size}


def _activation(
    name: str,
    formula: str,
    rule: str,
    cost: Cost,
    *,
    torch: str,
    sample: Callable[[Draw], Sample] = _elementwise,
    reference: Callable[..., Any] | None = None,
) -> Operator:
    """Return the entry of an elementwise function of one argument."""
    return Operator(
        name=name,
        family="activation",
        forward=getattr(F, name),
        backward=getattr(F, f"{name}_backward"),
        gradients=("input",),
        sample=sample,
        formula=formula,
        rules={"input": rule},
        shapes={"input": "any", "output": "as input"},
        sizes=_sizes,
        cost=cost,
        torch=torch,
        reference=reference,
        benchmark=_benchmark,
    )


OPERATORS = [
    _activation(
        "identity",
        r"h = a",
        r"\bar h",
        Cost(forward="0", backward="0", stored="0"),
        torch="nn.Identity",
        reference=lambda torch, input: input.clone(),
    ),
    _activation(
        "sigmoid",
        r"h = \frac{1}{1 + e^{-a}}",
        r"\bar h \odot h \odot (1 - h)",
        Cost(forward="0", backward="2*n", stored="n"),
        torch="sigmoid",
    ),
    _activation(
        "tanh",
        r"h = \tanh a",
        r"\bar h \odot (1 - h \odot h)",
        Cost(forward="0", backward="2*n", stored="n"),
        torch="tanh",
    ),
    _activation(
        "relu",
        r"h = \max(a, 0)",
        r"\bar h \odot [h > 0]",
        Cost(forward="0", backward="0", stored="n"),
        torch="nn.functional.relu",
    ),
    _activation(
        "leaky_relu",
        r"h = \begin{cases} a & a > 0 \\ s\,a & a \le 0 \end{cases}",
        r"\bar h \odot \begin{cases} 1 & a > 0 \\ s & a \le 0 \end{cases}",
        Cost(forward="n", backward="n", stored="n"),
        torch="nn.functional.leaky_relu",
        sample=_leaky_relu,
    ),
]
