"""Registry entries of `bpref.functional.activation`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bpref import functional as F
from bpref.fast import activation as fast
from bpref.ops.operator import Cost, Draw, Operator, Sample


def _elementwise(draw: Draw) -> Sample:
    return Sample({"input": draw.away_from(*draw.shape())})


def _leaky_relu(draw: Draw) -> Sample:
    inputs = {"input": draw.away_from(*draw.shape())}
    return Sample(inputs, {"negative_slope": draw.choice((0.01, 0.3, -1.0))})


def _elu(draw: Draw) -> Sample:
    inputs = {"input": draw.away_from(*draw.shape())}
    return Sample(inputs, {"alpha": draw.choice((1.0, 0.3, -1.0))})


def _gelu(draw: Draw) -> Sample:
    values = draw.normal(*draw.shape())
    if draw.values != "extreme":
        values = np.maximum(values, -3)  # further down PyTorch's 1 + erf loses its digits
    inputs = {"input": np.asarray(values, draw.dtype)}
    return Sample(inputs, {"approximate": draw.choice(("none", "tanh"))})


def _softplus(draw: Draw) -> Sample:
    inputs = {"input": draw.away_from(*draw.shape(), kinks=(2.5,))}  # 5 / 2
    options = draw.choice(({}, {"beta": 2.0, "threshold": 5.0}, {"beta": -0.5}))
    return Sample(inputs, options)


def _benchmark(draw: Draw) -> Sample:
    return Sample({"input": draw.normal(128, 1024)})


def _sizes(input: Any, **options: Any) -> dict[str, int]:
    return {"n": input.size}


def _gelu_sizes(input: Any, approximate: str = "none") -> dict[str, int]:
    return {"n": input.size, "t": int(approximate == "tanh")}


def _activation(
    name: str,
    formula: str,
    rule: str,
    cost: Cost,
    *,
    torch: str,
    sample: Callable[[Draw], Sample] = _elementwise,
    sizes: Callable[..., dict[str, int]] = _sizes,
    reference: Callable[..., Any] | None = None,
    fast: tuple[Callable[..., Any], Callable[..., Any]] | None = None,
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
        sizes=sizes,
        cost=cost,
        torch=torch,
        reference=reference,
        benchmark=_benchmark,
        fast=fast,
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
    _activation(
        "elu",
        r"h = \begin{cases} a & a > 0 \\ \alpha\,(e^a - 1) & a \le 0 \end{cases}",
        r"\bar h \odot \begin{cases} 1 & a > 0 \\ \alpha\, e^a & a \le 0 \end{cases}",
        Cost(forward="n", backward="2*n", stored="n"),
        torch="nn.functional.elu",
        sample=_elu,
    ),
    _activation(
        "gelu",
        r"h = a\, \Phi(a)",
        r"\bar h \odot (\Phi(a) + a\, \Phi'(a))",
        Cost(forward="n + 4*t*n", backward="3*n + 5*t*n", stored="2*n"),
        torch="nn.functional.gelu",
        sample=_gelu,
        sizes=_gelu_sizes,
        fast=(fast.gelu, fast.gelu_backward),
    ),
    _activation(
        "silu",
        r"h = a\, \sigma(a)",
        r"\bar h \odot (\sigma(a) + a\, \sigma(a) (1 - \sigma(a)))",
        Cost(forward="n", backward="3*n", stored="2*n"),
        torch="nn.functional.silu",
    ),
    _activation(
        "softplus",
        r"h = \tfrac{1}{\beta} \log(1 + e^{\beta a})",
        r"\bar h \odot \sigma(\beta a)",
        Cost(forward="n", backward="n", stored="n"),
        torch="nn.functional.softplus",
        sample=_softplus,
        fast=(fast.softplus, fast.softplus_backward),
    ),
]
