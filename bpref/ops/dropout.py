"""Registry entry of `bpref.functional.dropout`."""

from __future__ import annotations

from typing import Any

from bpref import functional as F
from bpref.ops.operator import Cost, Draw, Operator, Sample


def _dropout(draw: Draw) -> Sample:
    options: dict[str, Any] = {"generator": draw.generator()}
    if draw.boolean():
        options["p"] = draw.choice((0.3, 0.0, 1.0))
    if draw.boolean():
        options["training"] = draw.boolean()
    return Sample({"input": draw.normal(*draw.shape())}, options)


def _dropout_benchmark(draw: Draw) -> Sample:
    return Sample({"input": draw.normal(128, 1024)}, {"generator": draw.generator()})


def _dropout_sizes(input: Any, training: bool = True, **options: Any) -> dict[str, int]:
    return {"n": input.size, "t": int(training)}


def _dropout_reference(
    torch: Any, input: Any, generator: Any, p: float = 0.5, training: bool = True
) -> Any:
    """With the mask of the same generator: PyTorch would draw another one."""
    if not training:
        return input.clone()
    mask = torch.tensor(generator.random(tuple(input.shape)) >= p)
    return torch.where(mask, input / (1 - p or 1), 0.0)


OPERATORS = [
    Operator(
        name="dropout",
        family="dropout",
        forward=F.dropout,
        backward=F.dropout_backward,
        gradients=("input",),
        sample=_dropout,
        formula=r"Y = \frac{1}{1 - p}\, m \odot X, \quad m \in \{0, 1\}, \; P(m = 0) = p",
        rules={"input": r"\frac{1}{1 - p}\, m \odot \Delta"},
        shapes={"input": "any", "output": "as input"},
        sizes=_dropout_sizes,
        cost=Cost(forward="t*n", backward="t*n", stored="t*n"),
        torch="nn.functional.dropout",
        reference=_dropout_reference,
        benchmark=_dropout_benchmark,
    ),
]
