"""Registry entries of `bpref.functional.softmax`."""

from __future__ import annotations

import math
from typing import Any

from bpref import functional as F
from bpref.ops.operator import Cost, Draw, Operator, Sample


def _softmax(draw: Draw) -> Sample:
    shape = [draw.integer(0, 3) for _ in range(draw.integer(1, 3))]
    dim = draw.integer(-len(shape), len(shape) - 1)
    return Sample({"input": draw.normal(*shape)}, {"dim": dim})


def _logsumexp(draw: Draw) -> Sample:
    sample = _softmax(draw)
    ndim = sample.inputs["input"].ndim
    if draw.boolean():
        sample.options["dim"] = tuple(range(draw.integer(0, ndim - 1), ndim))
    if draw.boolean():
        sample.options["keepdim"] = True
    return sample


def _benchmark(draw: Draw) -> Sample:
    return Sample({"input": draw.normal(128, 1024)}, {"dim": 1})


def _sizes(input: Any, dim: Any, keepdim: bool = False) -> dict[str, int]:
    dims = dim if isinstance(dim, tuple) else (dim,)
    summed = {d % input.ndim for d in dims}
    kept = [size for axis, size in enumerate(input.shape) if axis not in summed]
    return {"n": input.size, "r": math.prod(kept)}


OPERATORS = [
    Operator(
        name="softmax",
        family="activation",
        forward=F.softmax,
        backward=F.softmax_backward,
        gradients=("input",),
        sample=_softmax,
        formula=r"h_k = \frac{e^{a_k}}{\sum_j e^{a_j}}",
        rules={"input": r"h \odot \big(\bar h - \textstyle\sum_j \bar h_j h_j\big)"},
        shapes={"input": "(..., C, ...)", "output": "as input"},
        sizes=_sizes,
        cost=Cost(forward="0", backward="2*n", stored="n"),
        torch="nn.functional.softmax",
        benchmark=_benchmark,
    ),
    Operator(
        name="log_softmax",
        family="activation",
        forward=F.log_softmax,
        backward=F.log_softmax_backward,
        gradients=("input",),
        sample=_softmax,
        formula=r"h_k = a_k - \log \textstyle\sum_j e^{a_j}",
        rules={"input": r"\bar h - e^h \textstyle\sum_j \bar h_j"},
        shapes={"input": "(..., C, ...)", "output": "as input"},
        sizes=_sizes,
        cost=Cost(forward="0", backward="n", stored="n"),
        torch="nn.functional.log_softmax",
        benchmark=_benchmark,
    ),
    Operator(
        name="logsumexp",
        family="activation",
        forward=F.logsumexp,
        backward=F.logsumexp_backward,
        gradients=("input",),
        sample=_logsumexp,
        formula=r"h = \log \textstyle\sum_j e^{a_j}",
        rules={"input": r"\bar h \, e^{a - h}"},
        shapes={"input": "(..., C, ...)", "output": "without dim"},
        sizes=_sizes,
        cost=Cost(forward="0", backward="n", stored="n + r"),
        torch="logsumexp",
        benchmark=_benchmark,
    ),
]
