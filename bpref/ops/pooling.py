"""Registry entries of `bpref.functional.pooling`."""

from __future__ import annotations

import math
from typing import Any

from bpref import functional as F
from bpref.functional.pooling import arguments
from bpref.ops.operator import Cost, Draw, Operator, Sample


def _pair(draw: Draw, low: int, high: int) -> tuple[int, int]:
    return draw.integer(low, high), draw.integer(low, high)


def _options(draw: Draw) -> dict[str, Any]:
    kernel = _pair(draw, 1, 3)
    options: dict[str, Any] = {
        "kernel_size": kernel,
        "padding": tuple(draw.integer(0, k // 2) for k in kernel),
        "ceil_mode": draw.boolean(),
    }
    if draw.boolean():
        options["stride"] = _pair(draw, 1, 3)
    return options


def _shape(draw: Draw, options: dict[str, Any], dilation: tuple[int, int]) -> tuple[int, ...]:
    """Return a shape of images that at least one window fits into."""
    lead = (draw.batch(),) if draw.integer(0, 4) else ()
    size = []
    for k, p, d in zip(options["kernel_size"], options["padding"], dilation, strict=True):
        # With dilation a window could hold padding alone; PyTorch 2.13 then writes out of bounds.
        least = max(1, k - 2 * p) if d == 1 else d * (k - 1) + 1
        size.append(least + draw.integer(0, 4))
    return (*lead, draw.integer(1, 2), *size)


def _max_pool2d(draw: Draw) -> Sample:
    options, dilation = _options(draw), _pair(draw, 1, 2)
    input = draw.distinct(*_shape(draw, options, dilation))
    return Sample({"input": input}, options | {"dilation": dilation})


def _avg_pool2d(draw: Draw) -> Sample:
    options = _options(draw) | {"count_include_pad": draw.boolean()}
    if draw.boolean():
        options["divisor_override"] = draw.integer(1, 5)
    return Sample({"input": draw.normal(*_shape(draw, options, (1, 1)))}, options)


def _benchmark(draw: Draw) -> Sample:
    return Sample({"input": draw.normal(32, 16, 32, 32)}, {"kernel_size": 2})


def _sizes(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> dict[str, int]:
    Ho, Wo = arguments(input, kernel_size, stride, padding, dilation, ceil_mode)[-1]
    return {"N": math.prod(input.shape[:-3]), "C": input.shape[-3], "Ho": Ho, "Wo": Wo}


_SHAPES = {"input": "(N, C, H, W)", "output": "(N, C, Ho, Wo)"}

OPERATORS = [
    Operator(
        name="max_pool2d",
        family="pooling",
        forward=F.max_pool2d,
        backward=F.max_pool2d_backward,
        gradients=("input",),
        sample=_max_pool2d,
        formula=r"Y_{n,c,p,q} = \max_{i,j} X_{n,c,u,v}, \quad u = sp + di,\ v = sq + dj",
        rules={"input": r"\textstyle\sum_{p,q} [(u, v) = m_{n,c,p,q}]\, \bar Y_{n,c,p,q}"},
        shapes=_SHAPES,
        sizes=_sizes,
        cost=Cost(forward="0", backward="0", stored="N*C*Ho*Wo"),
        torch="nn.functional.max_pool2d",
        benchmark=_benchmark,
    ),
    Operator(
        name="avg_pool2d",
        family="pooling",
        forward=F.avg_pool2d,
        backward=F.avg_pool2d_backward,
        gradients=("input",),
        sample=_avg_pool2d,
        formula=r"Y_{n,c,p,q} = \frac{1}{D_{p,q}} \sum_{i,j} X_{n,c,u,v},"
        r" \quad u = sp + i,\ v = sq + j",
        rules={
            "input": r"\textstyle\sum_{i,j,p,q} [u = sp + i] [v = sq + j]\,"
            r" \bar Y_{n,c,p,q} / D_{p,q}"
        },
        shapes=_SHAPES,
        sizes=_sizes,
        cost=Cost(forward="0", backward="0", stored="Ho*Wo"),
        torch="nn.functional.avg_pool2d",
        benchmark=_benchmark,
    ),
]
