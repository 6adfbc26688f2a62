"""What the tests of all operators share: samples from hypothesis, PyTorch's side, comparisons."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

from bpref.ops import Draw, Operator, Sample


class HypothesisDraw(Draw):
    """A `Draw` whose choices hypothesis makes, and shrinks when a test fails."""

    def __init__(self, data: Any, dtype: Any = np.float64, values: str = "smooth") -> None:
        super().__init__(dtype, values)
        self.data = data

    def integer(self, low: int, high: int) -> int:
        return self.data.draw(st.integers(low, high))


def tuples(value: Any) -> tuple[Any, ...]:
    """The outputs or gradients of an operator, always as a tuple."""
    return value if isinstance(value, tuple) else (value,)


def grad_outputs(output: Any, seed: int = 0) -> Any:
    """Random gradients in the shapes and dtypes of the output."""
    rng = np.random.default_rng(seed)
    grads = tuple(
        np.asarray(rng.standard_normal(np.shape(o)), dtype=np.asarray(o).dtype)
        for o in tuples(output)
    )
    return grads if isinstance(output, tuple) else grads[0]


def run(operator: Operator, sample: Sample, pair: Any = None) -> tuple[Any, Any, dict[str, Any]]:
    """Forward and backward: output, gradient of the output, gradients by name."""
    forward, backward = pair or (operator.forward, operator.backward)
    output, cache = forward(**operator.arguments(sample))
    grads = grad_outputs(output)
    return output, grads, operator.named_gradients(backward(grads, cache), sample)


def to_torch(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.ascontiguousarray(value).reshape(value.shape).copy())
    if isinstance(value, (list, tuple)) and any(isinstance(v, np.ndarray) for v in value):
        return type(value)(map(to_torch, value))
    return value


def run_torch(operator: Operator, sample: Sample, grads: Any) -> tuple[Any, dict[str, Any]]:
    """The same in PyTorch: output and gradients by name, as tensors."""
    inputs = {name: to_torch(x).requires_grad_() for name, x in sample.inputs.items()}
    arguments = operator.arguments(Sample(inputs, {}))
    arguments |= {name: to_torch(v) for name, v in copy.deepcopy(sample.options).items()}
    if operator.reference is not None:
        expected = operator.reference(torch, **arguments)
    else:
        function = torch
        for part in operator.torch.split("."):
            function = getattr(function, part)
        expected = function(**arguments)
    total = sum(
        (e * to_torch(g)).sum() for e, g in zip(tuples(expected), tuples(grads), strict=True)
    )
    found = torch.autograd.grad(total, list(inputs.values()), allow_unused=True)
    gradients = {
        name: torch.zeros_like(x) if g is None else g
        for (name, x), g in zip(inputs.items(), found, strict=True)
    }
    return expected, gradients


def assert_close(ours: Any, theirs: Any, rtol: float, what: str) -> None:
    """Same shape, dtype, nan and infinities; the rest within rtol of the largest element."""
    ours = np.asarray(ours)
    theirs = theirs.detach().numpy() if isinstance(theirs, torch.Tensor) else np.asarray(theirs)
    assert ours.shape == theirs.shape, f"{what}: shape {ours.shape}, expected {theirs.shape}"
    assert ours.dtype == theirs.dtype, f"{what}: dtype {ours.dtype}, expected {theirs.dtype}"
    finite = np.isfinite(theirs)
    np.testing.assert_array_equal(ours[~finite], theirs[~finite], what)
    if finite.any():
        scale = np.abs(theirs[finite]).max()
        error = np.abs(ours[finite] - theirs[finite]).max()
        tiny = np.finfo(ours.dtype).tiny  # PyTorch may flush numbers below it to zero
        assert error <= rtol * scale + tiny, f"{what}: error {error:.2e} at scale {scale:.2e}"
