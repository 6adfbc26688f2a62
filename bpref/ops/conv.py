"""Registry entries of `bpref.functional.conv`."""

from __future__ import annotations

import math
from typing import Any

from bpref import functional as F
from bpref.fast import conv as fast
from bpref.functional.conv import arguments
from bpref.ops.operator import Array, Cost, Draw, Operator, Sample


def _ints(draw: Draw, low: int, high: int, axes: int) -> tuple[int, ...]:
    return tuple(draw.integer(low, high) for _ in range(axes))


def _bias(draw: Draw, channels: int) -> dict[str, Array]:
    return {"bias": draw.normal(channels)} if draw.boolean() else {}


def _lead(draw: Draw) -> tuple[int, ...]:
    """Return a batch axis, or now and then none."""
    return (draw.batch(),) if draw.integer(0, 4) else ()


def _conv(draw: Draw, axes: int) -> Sample:
    """Draw a convolution: the kernel first, then images that it fits into."""
    kernel, dilation = _ints(draw, 1, 3, axes), _ints(draw, 1, 2, axes)
    extent = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    stride, around = _ints(draw, 1, 3, axes), _ints(draw, 0, 2, axes)
    padding: Any = draw.choice((around, "valid", "same"))
    if padding == "same":
        stride = (1,) * axes
        if not all(e % 2 for e in extent):  # PyTorch warns that it has to copy
            padding = "valid"
    if padding == "valid":
        around = (0,) * axes
    size = [max(1, e - 2 * p + draw.integer(0, 3)) for e, p in zip(extent, around, strict=True)]
    groups, channels, outputs = draw.integer(1, 3), draw.integer(1, 2), draw.integer(1, 2)
    inputs = {
        "input": draw.normal(*_lead(draw), groups * channels, *size),
        "weight": draw.normal(groups * outputs, channels, *kernel),
        **_bias(draw, groups * outputs),
    }
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return Sample(inputs, options)


def _conv1d(draw: Draw) -> Sample:
    return _conv(draw, 1)


def _conv2d(draw: Draw) -> Sample:
    return _conv(draw, 2)


def _conv_transpose2d(draw: Draw) -> Sample:
    kernel, dilation, stride = _ints(draw, 1, 3, 2), _ints(draw, 1, 2, 2), _ints(draw, 1, 3, 2)
    extent = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    padding = _ints(draw, 0, 2, 2)
    # Large enough for some output to be left.
    size = [
        (2 * p - e) // s + 2 + draw.integer(0, 2) if 2 * p >= e else draw.integer(1, 3)
        for p, e, s in zip(padding, extent, stride, strict=True)
    ]
    output_padding = tuple(
        draw.integer(0, max(s, d) - 1) for s, d in zip(stride, dilation, strict=True)
    )
    groups, channels, outputs = draw.integer(1, 3), draw.integer(1, 2), draw.integer(1, 2)
    inputs = {
        "input": draw.normal(*_lead(draw), groups * channels, *size),
        "weight": draw.normal(groups * channels, outputs, *kernel),
        **_bias(draw, groups * outputs),
    }
    return Sample(
        inputs,
        {
            "stride": stride,
            "padding": padding,
            "output_padding": output_padding,
            "groups": groups,
            "dilation": dilation,
        },
    )


def _conv1d_benchmark(draw: Draw) -> Sample:
    inputs = {"input": draw.normal(32, 64, 128), "weight": draw.normal(64, 64, 3)}
    return Sample(inputs | {"bias": draw.normal(64)}, {"padding": 1})


def _conv2d_benchmark(draw: Draw) -> Sample:
    inputs = {"input": draw.normal(32, 16, 32, 32), "weight": draw.normal(32, 16, 3, 3)}
    return Sample(inputs | {"bias": draw.normal(32)}, {"padding": 1})


def _conv_transpose2d_benchmark(draw: Draw) -> Sample:
    inputs = {"input": draw.normal(32, 32, 16, 16), "weight": draw.normal(32, 16, 4, 4)}
    return Sample(inputs | {"bias": draw.normal(16)}, {"stride": 2, "padding": 1})


def _sizes(axes: str, input: Any, weight: Any, **options: Any) -> dict[str, int]:
    given = {"bias": None, "stride": 1, "padding": 0, "dilation": 1, "groups": 1} | options
    names = [f"{axis}o" for axis in axes]
    outputs = dict(zip(names, arguments(input, weight, **given, axes=axes)[-1], strict=True))
    kernel = {f"k{axis}": k for axis, k in zip(axes, weight.shape[2:], strict=True)}
    return _images(input, axes) | outputs | kernel | {"O": len(weight), "Cg": weight.shape[1]}


def _images(input: Any, axes: str) -> dict[str, int]:
    """Return the number of images, of channels, and the size of an image."""
    lead, shape = input.shape[: -len(axes) - 1], input.shape[-len(axes) - 1 :]
    return {"N": math.prod(lead), **dict(zip("C" + axes, shape, strict=True))}


def _conv1d_sizes(**call: Any) -> dict[str, int]:
    return _sizes("L", **call)


def _conv2d_sizes(**call: Any) -> dict[str, int]:
    return _sizes("HW", **call)


def _conv_transpose2d_sizes(input: Any, weight: Any, **options: Any) -> dict[str, int]:
    _, o, kH, kW = weight.shape
    return _images(input, "HW") | {"Og": o, "kH": kH, "kW": kW}


_BIAS = r"\textstyle\sum_{n,p,q} \Delta_{n,o,p,q}"
_SHAPES = {"input": "(N, C, H, W)", "weight": "(O, C / groups, kH, kW)", "bias": "(O,)"}

OPERATORS = [
    Operator(
        name="conv1d",
        family="conv",
        forward=F.conv1d,
        backward=F.conv1d_backward,
        gradients=("input", "weight", "bias"),
        sample=_conv1d,
        formula=r"Y_{n,o,p} = b_o + \sum_{c,i} W_{o,c,i} X_{n,c,u}, \quad u = sp + di",
        rules={
            "input": r"\textstyle\sum_{o,i,p} [u = sp + di]\, W_{o,c,i} \Delta_{n,o,p}",
            "weight": r"\textstyle\sum_{n,p} \Delta_{n,o,p} X_{n,c,sp+di}",
            "bias": r"\textstyle\sum_{n,p} \Delta_{n,o,p}",
        },
        shapes={
            "input": "(N, C, L)",
            "weight": "(O, C / groups, kL)",
            "bias": "(O,)",
            "output": "(N, O, Lo)",
        },
        sizes=_conv1d_sizes,
        cost=Cost(forward="N*O*Lo*Cg*kL", backward="2*N*O*Lo*Cg*kL", stored="N*C*L"),
        torch="nn.functional.conv1d",
        parameters=("weight", "bias"),
        benchmark=_conv1d_benchmark,
    ),
    Operator(
        name="conv2d",
        family="conv",
        forward=F.conv2d,
        backward=F.conv2d_backward,
        gradients=("input", "weight", "bias"),
        sample=_conv2d,
        formula=r"Y_{n,o,p,q} = b_o + \sum_{c,i,j} W_{o,c,i,j} X_{n,c,u,v},"
        r" \quad u = sp + di,\ v = sq + dj",
        rules={
            "input": r"\textstyle\sum_{o,i,j,p,q} [u = sp + di] [v = sq + dj]\,"
            r" W_{o,c,i,j} \Delta_{n,o,p,q}",
            "weight": r"\textstyle\sum_{n,p,q} \Delta_{n,o,p,q} X_{n,c,sp+di,sq+dj}",
            "bias": _BIAS,
        },
        shapes={**_SHAPES, "output": "(N, O, Ho, Wo)"},
        sizes=_conv2d_sizes,
        cost=Cost(forward="N*O*Ho*Wo*Cg*kH*kW", backward="2*N*O*Ho*Wo*Cg*kH*kW", stored="N*C*H*W"),
        torch="nn.functional.conv2d",
        parameters=("weight", "bias"),
        benchmark=_conv2d_benchmark,
        fast=(fast.conv2d, fast.conv2d_backward),
    ),
    Operator(
        name="conv_transpose2d",
        family="conv",
        forward=F.conv_transpose2d,
        backward=F.conv_transpose2d_backward,
        gradients=("input", "weight", "bias"),
        sample=_conv_transpose2d,
        formula=r"Y_{n,o,u,v} = b_o + \sum_{c,i,j,p,q} [u = sp + di] [v = sq + dj]\,"
        r" W_{c,o,i,j} X_{n,c,p,q}",
        rules={
            "input": r"\textstyle\sum_{o,i,j} W_{c,o,i,j} \Delta_{n,o,sp+di,sq+dj}",
            "weight": r"\textstyle\sum_{n,p,q} X_{n,c,p,q} \Delta_{n,o,sp+di,sq+dj}",
            "bias": r"\textstyle\sum_{n,u,v} \Delta_{n,o,u,v}",
        },
        shapes={**_SHAPES, "weight": "(C, O / groups, kH, kW)", "output": "(N, O, Ho, Wo)"},
        sizes=_conv_transpose2d_sizes,
        cost=Cost(forward="N*C*H*W*Og*kH*kW", backward="2*N*C*H*W*Og*kH*kW", stored="N*C*H*W"),
        torch="nn.functional.conv_transpose2d",
        parameters=("weight", "bias"),
        benchmark=_conv_transpose2d_benchmark,
    ),
]
