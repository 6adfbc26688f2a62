"""Registry entries of `bpref.functional.norm`."""

from __future__ import annotations

import math
from typing import Any

from bpref import functional as F
from bpref.fast import norm as fast
from bpref.ops.operator import Array, Cost, Draw, Operator, Sample

# Two values that share a mean always become ±1, and one value 0: nearly all of the gradient
# cancels and what is left is rounding. A large eps keeps it away; so do three values and more.
_LARGE_EPS = 0.5


def _affine(draw: Draw, *shape: int) -> dict[str, Any]:
    """Return weight and bias, each present or not."""
    return {name: draw.normal(*shape) for name in ("weight", "bias") if draw.boolean()}


def _rows(draw: Draw, rows: int, values: int) -> Array:
    """Return rows to be normalised; where values are extreme, none of equal values.

    Equal values have the variance 0, and PyTorch's gradient there is rounding alone.
    """
    input = draw.normal(rows, values)
    if draw.values == "extreme":
        input[:, :2] = -1e4, 1e4
    return input


def _eps(draw: Draw, values: int) -> float:
    return draw.choice((1e-5, 0.1)) if values > 2 else _LARGE_EPS


def _batch_norm(draw: Draw) -> Sample:
    batch, channels = draw.batch(), draw.integer(1, 3)
    space = tuple(draw.integer(1, 3) for _ in range(draw.integer(0, 2)))
    training = draw.boolean()
    count = batch * math.prod(space)
    if training and (count == 1 or (count == 2 and draw.values == "extreme")):
        batch += 2
    options: dict[str, Any] = {"running_mean": None, "running_var": None, "training": training}
    if not training or draw.boolean():
        options["running_mean"] = draw.uniform(-1.0, 1.0, channels)
        options["running_var"] = draw.uniform(0.5, 2.0, channels)
    options["eps"] = _eps(draw, batch * math.prod(space))
    inputs = {"input": draw.normal(batch, channels, *space), **_affine(draw, channels)}
    return Sample(inputs, options)


def _batch_norm_benchmark(draw: Draw) -> Sample:
    inputs = {"input": draw.normal(32, 64, 32, 32), "weight": draw.normal(64)}
    options = {
        "running_mean": draw.normal(64),
        "running_var": draw.uniform(0.5, 2.0, 64),
        "training": True,
    }
    return Sample(inputs | {"bias": draw.normal(64)}, options)


def _batch_norm_sizes(
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> dict[str, int]:
    s = int(running_mean is not None)
    return {
        "N": len(input),
        "C": input.shape[1],
        "L": math.prod(input.shape[2:]),
        "a": int(weight is not None),
        "t": int(training),
        "s": s,
        "u": s * int(training and input.size > 0),
    }


def _layer_norm(draw: Draw) -> Sample:
    normalized_shape = draw.choice(((4,), (3,), (1, 3), (3, 1), (2, 2), (1, 5, 1)))
    lead = draw.shape(2)
    input = _rows(draw, math.prod(lead), math.prod(normalized_shape))
    inputs = {"input": input.reshape(*lead, *normalized_shape)}
    options: dict[str, Any] = {"normalized_shape": normalized_shape}
    if draw.boolean():
        options["eps"] = 0.1
    return Sample(inputs | _affine(draw, *normalized_shape), options)


def _layer_norm_benchmark(draw: Draw) -> Sample:
    inputs = {"input": draw.normal(256, 4096), "weight": draw.normal(4096)}
    return Sample(inputs | {"bias": draw.normal(4096)}, {"normalized_shape": (4096,)})


def _layer_norm_sizes(
    input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> dict[str, int]:
    D = math.prod(normalized_shape)
    return {"N": input.size // D, "D": D, "a": int(weight is not None)}


def _group_norm(draw: Draw) -> Sample:
    groups, per_group = draw.integer(1, 3), draw.integer(1, 2)
    space = draw.choice(((3,), (5,), (1, 3), (3, 1), (2, 2)))
    if per_group == 2 and draw.boolean():
        per_group, space = 3, ()
    batch, channels = draw.batch(), groups * per_group
    input = _rows(draw, batch * groups, per_group * math.prod(space))
    inputs = {"input": input.reshape(batch, channels, *space)}
    options: dict[str, Any] = {"num_groups": groups}
    if draw.boolean():
        options["eps"] = 0.1
    return Sample(inputs | _affine(draw, channels), options)


def _group_norm_benchmark(draw: Draw) -> Sample:
    inputs = {"input": draw.normal(32, 64, 32, 32), "weight": draw.normal(64)}
    return Sample(inputs | {"bias": draw.normal(64)}, {"num_groups": 8})


def _group_norm_sizes(
    input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> dict[str, int]:
    N, C = input.shape[:2]
    return {
        "N": N,
        "C": C,
        "L": math.prod(input.shape[2:]),
        "G": num_groups,
        "a": int(weight is not None),
    }


def _rms_norm(draw: Draw) -> Sample:
    normalized_shape = draw.choice(((4,), (2,), (1, 3), (3, 1), (2, 2), (1, 5, 1)))
    inputs = {"input": draw.normal(*draw.shape(2), *normalized_shape)}
    if draw.boolean():
        inputs["weight"] = draw.normal(*normalized_shape)
    options: dict[str, Any] = {"normalized_shape": normalized_shape}
    if draw.boolean():
        options["eps"] = 0.1
    return Sample(inputs, options)


def _rms_norm_benchmark(draw: Draw) -> Sample:
    inputs = {"input": draw.normal(256, 4096), "weight": draw.normal(4096)}
    return Sample(inputs, {"normalized_shape": (4096,)})


def _rms_norm_sizes(
    input: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None
) -> dict[str, int]:
    return _layer_norm_sizes(input, normalized_shape, weight)


def _group_norm_reference(torch: Any, input: Any, num_groups: int, **arguments: Any) -> Any:
    # torch 2.13 has no gradient for a bias without a weight.
    arguments.setdefault("weight", torch.ones(input.shape[1], dtype=input.dtype))
    return torch.nn.functional.group_norm(input, num_groups, **arguments)


_FORMULA = r"Y = w \odot \hat x + b, \quad \hat x = \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}}"

OPERATORS = [
    Operator(
        name="batch_norm",
        family="norm",
        forward=F.batch_norm,
        backward=F.batch_norm_backward,
        gradients=("input", "weight", "bias"),
        sample=_batch_norm,
        formula=_FORMULA,
        rules={
            "input": r"\frac{w}{\sqrt{\sigma^2 + \epsilon}} \odot \Bigl(\Delta"
            r" - \frac{1}{n} \sum \Delta - \frac{\hat x}{n} \odot \sum \Delta \odot \hat x\Bigr)",
            "weight": r"\textstyle\sum \Delta \odot \hat x",
            "bias": r"\textstyle\sum \Delta",
        },
        shapes={
            "input": "(N, C, L)",
            "running_mean": "(C,)",
            "running_var": "(C,)",
            "weight": "(C,)",
            "bias": "(C,)",
            "output": "(N, C, L)",
        },
        sizes=_batch_norm_sizes,
        cost=Cost(
            forward="(1 + t + a)*N*C*L + 3*u*C",
            backward="(2 + t)*N*C*L + a*C",
            stored="N*C*L + C + 2*s*C",
        ),
        torch="nn.functional.batch_norm",
        parameters=("weight", "bias"),
        benchmark=_batch_norm_benchmark,
        fast=(fast.batch_norm, fast.batch_norm_backward),
    ),
    Operator(
        name="layer_norm",
        family="norm",
        forward=F.layer_norm,
        backward=F.layer_norm_backward,
        gradients=("input", "weight", "bias"),
        sample=_layer_norm,
        formula=_FORMULA,
        rules={
            "input": r"\frac{1}{\sqrt{\sigma^2 + \epsilon}} \Bigl(d - \frac{1}{D} \sum d"
            r" - \frac{\hat x}{D} \sum d \odot \hat x\Bigr), \quad d = \Delta \odot w",
            "weight": r"\textstyle\sum_i \Delta_{i,:} \odot \hat x_{i,:}",
            "bias": r"\textstyle\sum_i \Delta_{i,:}",
        },
        shapes={"input": "(N, D)", "weight": "(D,)", "bias": "(D,)", "output": "(N, D)"},
        sizes=_layer_norm_sizes,
        cost=Cost(forward="(2 + a)*N*D", backward="(3 + 2*a)*N*D", stored="N*D + N"),
        torch="nn.functional.layer_norm",
        parameters=("weight", "bias"),
        benchmark=_layer_norm_benchmark,
        fast=(fast.layer_norm, fast.layer_norm_backward),
    ),
    Operator(
        name="group_norm",
        family="norm",
        forward=F.group_norm,
        backward=F.group_norm_backward,
        gradients=("input", "weight", "bias"),
        sample=_group_norm,
        formula=_FORMULA,
        rules={
            "input": r"\frac{1}{\sqrt{\sigma^2 + \epsilon}} \Bigl(d - \frac{1}{n} \sum d"
            r" - \frac{\hat x}{n} \sum d \odot \hat x\Bigr), \quad d = \Delta \odot w",
            "weight": r"\textstyle\sum \Delta \odot \hat x",
            "bias": r"\textstyle\sum \Delta",
        },
        shapes={"input": "(N, C, L)", "weight": "(C,)", "bias": "(C,)", "output": "(N, C, L)"},
        sizes=_group_norm_sizes,
        cost=Cost(forward="(2 + a)*N*C*L", backward="(3 + 2*a)*N*C*L", stored="N*C*L + N*G"),
        torch="nn.functional.group_norm",
        reference=_group_norm_reference,
        parameters=("weight", "bias"),
        benchmark=_group_norm_benchmark,
    ),
    Operator(
        name="rms_norm",
        family="norm",
        forward=F.rms_norm,
        backward=F.rms_norm_backward,
        gradients=("input", "weight"),
        sample=_rms_norm,
        formula=r"Y = w \odot \hat x, \quad"
        r" \hat x = \frac{x}{\sqrt{\frac{1}{D} \sum_j x_j^2 + \epsilon}}",
        rules={
            "input": r"\frac{1}{\sqrt{\frac{1}{D} \sum_j x_j^2 + \epsilon}}"
            r" \Bigl(d - \frac{\hat x}{D} \sum d \odot \hat x\Bigr), \quad d = \Delta \odot w",
            "weight": r"\textstyle\sum_i \Delta_{i,:} \odot \hat x_{i,:}",
        },
        shapes={"input": "(N, D)", "weight": "(D,)", "output": "(N, D)"},
        sizes=_rms_norm_sizes,
        cost=Cost(forward="(2 + a)*N*D", backward="(3 + 2*a)*N*D", stored="N*D + N"),
        torch="nn.functional.rms_norm",
        parameters=("weight",),
        benchmark=_rms_norm_benchmark,
    ),
]
