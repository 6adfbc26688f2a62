"""Forward and backward of every operator of the registry against eager PyTorch, float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmarks import report
from benchmarks.training_step import SECONDS, compare
from bpref.ops import OPERATORS, Operator, RandomDraw, Sample

BASE = "PyTorch eager"
ROUNDS = 5  # seventy operators; the quartiles are wider for it


def steps(operator: Operator) -> dict[str, Callable[[], Any]]:
    """Return PyTorch's step and bpref's on the benchmark sample of the operator."""
    assert operator.benchmark is not None
    sample = operator.benchmark(RandomDraw(np.random.default_rng(0), np.float32))
    output, _ = operator.forward(**operator.arguments(sample))
    outputs = output if isinstance(output, tuple) else (output,)
    grads = tuple(np.ones(np.shape(o), np.float32) for o in outputs)
    grad_output = grads if isinstance(output, tuple) else grads[0]

    def of(forward: Callable[..., Any], backward: Callable[..., Any]) -> Callable[[], Any]:
        arguments = operator.arguments(sample)
        return lambda: backward(grad_output, forward(**arguments)[1])

    inputs = {k: torch.from_numpy(v).requires_grad_() for k, v in sample.inputs.items()}
    options = {
        k: torch.from_numpy(v) if isinstance(v, np.ndarray) else v
        for k, v in sample.options.items()
    }
    arguments = operator.arguments(Sample(inputs, options))  # type: ignore[arg-type]
    tensors = tuple(torch.from_numpy(g) for g in grads)
    reference = operator.reference
    if reference is None:
        function: Any = torch
        for part in operator.torch.split("."):
            function = getattr(function, part)
    else:

        def function(**arguments: Any) -> Any:
            return reference(torch, **arguments)

    def theirs() -> Any:
        expected = function(**arguments)
        expected = expected if isinstance(expected, tuple) else (expected,)
        return torch.autograd.grad(expected, list(inputs.values()), tensors, allow_unused=True)

    result = {BASE: theirs, "bpref": of(operator.forward, operator.backward)}
    if operator.fast is not None:
        result["bpref fast"] = of(*operator.fast)
    return result


def main(threads: int) -> None:
    report.one_process_with(threads)
    for name, operator in OPERATORS.items():
        result = compare(steps(operator), BASE, ROUNDS)
        print(
            f"{name:<34}" + "  ".join(f"{k} {r['x']:.2f}" for k, r in result.items() if k != BASE),
            flush=True,
        )
        report.save("operators", threads, name, result, rounds=ROUNDS, seconds=SECONDS)
