"""Registry entries of `bpref.functional.tensor`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from bpref import functional as F
from bpref.ops.operator import Cost, Draw, Operator, Sample


def _stretchable(draw: Draw, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape that broadcasts to `shape`: axes left out in front, others of size 1."""
    start = draw.integer(0, len(shape))
    return tuple(1 if draw.boolean() else size for size in shape[start:])


def _pair(draw: Draw) -> Sample:
    shape = draw.shape()
    inputs = {name: draw.normal(*_stretchable(draw, shape)) for name in ("input", "other")}
    return Sample(inputs)


def _pair_benchmark(draw: Draw) -> Sample:
    return Sample({"input": draw.normal(128, 1024), "other": draw.normal(1024)})


def _pair_sizes(input: Any, other: Any) -> dict[str, int]:
    output = math.prod(np.broadcast_shapes(input.shape, other.shape))
    return {"n": input.size, "o": other.size, "y": output}


def _matmul(draw: Draw) -> Sample:
    m, d, p = draw.integer(0, 3), draw.integer(0, 3), draw.integer(0, 3)
    batch = draw.shape(2)
    input = (d,) if draw.boolean() else (*_stretchable(draw, batch), m, d)
    other = (d,) if draw.boolean() else (*_stretchable(draw, batch), d, p)
    return Sample({"input": draw.normal(*input), "other": draw.normal(*other)})


def _matmul_benchmark(draw: Draw) -> Sample:
    return Sample({"input": draw.normal(32, 128, 64), "other": draw.normal(32, 64, 128)})


def _matmul_sizes(input: Any, other: Any) -> dict[str, int]:
    batch = math.prod(np.broadcast_shapes(input.shape[:-2], other.shape[:-2]))
    m = 1 if input.ndim == 1 else input.shape[-2]
    p = 1 if other.ndim == 1 else other.shape[-1]
    sizes = {"B": batch, "m": m, "d": input.shape[-1], "p": p}
    return {**sizes, "n": input.size, "o": other.size}


def _concat(draw: Draw) -> Sample:
    shape = [draw.integer(0, 3) for _ in range(draw.integer(1, 3))]
    dim = draw.integer(-len(shape), len(shape) - 1)
    inputs = {}
    for index in range(draw.integer(1, 4)):
        shape[dim] = draw.integer(0, 3)
        inputs[f"tensor{index}"] = draw.normal(*shape)
    return Sample(inputs, {"dim": dim})


def _concat_benchmark(draw: Draw) -> Sample:
    inputs = {"tensor0": draw.normal(128, 512), "tensor1": draw.normal(128, 512)}
    return Sample(inputs, {"dim": 1})


def _reshape(draw: Draw) -> Sample:
    input = draw.normal(*draw.shape())
    shapes: list[tuple[int, ...]] = [input.shape[::-1], (input.size,), (1, input.size, 1), (-1,)]
    if input.size:  # with 0 elements, any size could stand for −1
        shapes += [(*input.shape[:1], -1), (-1, *input.shape[1:])]
    return Sample({"input": input}, {"shape": draw.choice(shapes)})


def _reshape_benchmark(draw: Draw) -> Sample:
    return Sample({"input": draw.normal(128, 16, 64)}, {"shape": (128, -1)})


def _transpose(draw: Draw) -> Sample:
    shape = [draw.integer(0, 3) for _ in range(draw.integer(1, 3))]
    dims = {name: draw.integer(-len(shape), len(shape) - 1) for name in ("dim0", "dim1")}
    return Sample({"input": draw.normal(*shape)}, dims)


def _transpose_benchmark(draw: Draw) -> Sample:
    return Sample({"input": draw.normal(128, 1024)}, {"dim0": 0, "dim1": 1})


def _reduction(draw: Draw) -> Sample:
    shape = draw.shape()
    options: dict[str, Any] = {}
    if shape and draw.boolean():
        options["dim"] = draw.integer(-len(shape), len(shape) - 1)
    elif shape and draw.boolean():
        options["dim"] = tuple(range(draw.integer(0, len(shape) - 1), len(shape)))
    if options and draw.boolean():
        options["keepdim"] = True
    return Sample({"input": draw.normal(*shape)}, options)


def _max(draw: Draw) -> Sample:
    shape = [draw.integer(1, 3) for _ in range(draw.integer(0, 3))]
    options: dict[str, Any] = {}
    if shape and draw.boolean():
        dim = draw.integer(-len(shape), len(shape) - 1)
        options = {"dim": dim, "keepdim": draw.boolean()}
        if len(shape) > 1 and draw.boolean():
            shape[(dim + 1) % len(shape)] = 0  # an empty axis that nothing is chosen from
    return Sample({"input": draw.distinct(*shape)}, options)


def _torch_max(torch: Any, input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    return torch.max(input) if dim is None else torch.max(input, dim, keepdim).values


def _reduction_benchmark(draw: Draw) -> Sample:
    return Sample({"input": draw.normal(128, 1024)}, {"dim": 1})


def _max_benchmark(draw: Draw) -> Sample:
    return Sample({"input": draw.distinct(128, 1024)}, {"dim": 1})


def _input_size(input: Any, **options: Any) -> dict[str, int]:
    return {"n": input.size}


def _rearrangement(
    name: str,
    formula: str,
    rule: str,
    output: str,
    sample: Callable[[Draw], Sample],
    benchmark: Callable[[Draw], Sample],
) -> Operator:
    """Return the entry of an operator that moves or adds numbers and keeps none."""
    return Operator(
        name=name,
        family="tensor",
        forward=getattr(F, name),
        backward=getattr(F, f"{name}_backward"),
        gradients=("input",),
        sample=sample,
        formula=formula,
        rules={"input": rule},
        shapes={"input": "any", "output": output},
        sizes=_input_size,
        cost=Cost(forward="0", backward="0", stored="0"),
        torch=name,
        benchmark=benchmark,
    )


OPERATORS = [
    Operator(
        name="add",
        family="tensor",
        forward=F.add,
        backward=F.add_backward,
        gradients=("input", "other"),
        sample=_pair,
        formula=r"Y = X + Z",
        rules={
            "input": r"\textstyle\sum_{\mathcal B} \bar Y",
            "other": r"\textstyle\sum_{\mathcal B} \bar Y",
        },
        shapes={"input": "any", "other": "broadcasts with input", "output": "broadcast"},
        sizes=_pair_sizes,
        cost=Cost(forward="0", backward="0", stored="0"),
        torch="add",
        benchmark=_pair_benchmark,
    ),
    Operator(
        name="mul",
        family="tensor",
        forward=F.mul,
        backward=F.mul_backward,
        gradients=("input", "other"),
        sample=_pair,
        formula=r"Y = X \odot Z",
        rules={
            "input": r"\textstyle\sum_{\mathcal B} \bar Y \odot Z",
            "other": r"\textstyle\sum_{\mathcal B} \bar Y \odot X",
        },
        shapes={"input": "any", "other": "broadcasts with input", "output": "broadcast"},
        sizes=_pair_sizes,
        cost=Cost(forward="y", backward="2*y", stored="n + o"),
        torch="mul",
        benchmark=_pair_benchmark,
    ),
    Operator(
        name="matmul",
        family="tensor",
        forward=F.matmul,
        backward=F.matmul_backward,
        gradients=("input", "other"),
        sample=_matmul,
        formula=r"Y = X Z",
        rules={
            "input": r"\textstyle\sum_{\mathcal B} \Delta Z^\top",
            "other": r"\textstyle\sum_{\mathcal B} X^\top \Delta",
        },
        shapes={"input": "(..., m, d)", "other": "(..., d, p)", "output": "(..., m, p)"},
        sizes=_matmul_sizes,
        cost=Cost(forward="B*m*d*p", backward="2*B*m*d*p", stored="n + o"),
        torch="matmul",
        benchmark=_matmul_benchmark,
    ),
    Operator(
        name="concat",
        family="tensor",
        forward=F.concat,
        backward=F.concat_backward,
        gradients=("tensors",),
        sample=_concat,
        formula=r"Y = [X_1, \dots, X_k]",
        rules={"tensors": r"[\bar X_1, \dots, \bar X_k] = \bar Y"},
        shapes={"tensors": "equal but for dim", "output": "sizes along dim added"},
        sizes=lambda tensors, dim=0: {},
        cost=Cost(forward="0", backward="0", stored="0"),
        torch="concat",
        variadic="tensors",
        benchmark=_concat_benchmark,
    ),
    _rearrangement(
        "reshape",
        r"Y = \operatorname{reshape}(X)",
        r"\operatorname{reshape}(\bar Y)",
        "as many elements",
        _reshape,
        _reshape_benchmark,
    ),
    _rearrangement(
        "transpose",
        r"Y = X^\top",
        r"\bar Y^\top",
        "dim0 and dim1 swapped",
        _transpose,
        _transpose_benchmark,
    ),
    _rearrangement(
        "sum",
        r"y = \textstyle\sum_i x_i",
        r"\bar x_i = \bar y",
        "without dim",
        _reduction,
        _reduction_benchmark,
    ),
    _rearrangement(
        "mean",
        r"y = \tfrac{1}{n} \textstyle\sum_i x_i",
        r"\bar x_i = \bar y / n",
        "without dim",
        _reduction,
        _reduction_benchmark,
    ),
    Operator(
        name="max",
        family="tensor",
        forward=F.max,
        backward=F.max_backward,
        gradients=("input",),
        sample=_max,
        formula=r"y = \max_i x_i",
        rules={"input": r"\bar x_i = \bar y \, [i = m]"},
        shapes={"input": "any", "output": "without dim"},
        sizes=_input_size,
        cost=Cost(forward="0", backward="0", stored="n"),
        torch="max",
        reference=_torch_max,
        benchmark=_max_benchmark,
    ),
]
