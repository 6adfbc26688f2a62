"""Does this installation compute right gradients? ``python -m bpref.selftest``, about a second.

Prints the versions, checks the backward pass of every operator in `bpref.functional` against
central differences, checks one training step of a small network, and returns 1 on a failure.
PyTorch is looked for but never imported.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np

import bpref
from bpref import functional, nn, optim
from bpref.gradcheck import check_gradients
from bpref.ops import OPERATORS, Operator, RandomDraw, Sample


@dataclass(frozen=True)
class Check:
    """One line of the report.

    Attributes
    ----------
    name : str
    ok : bool
    detail : str
    """

    name: str
    ok: bool
    detail: str

    def __str__(self) -> str:
        return f"{'ok  ' if self.ok else 'FAIL'}  {self.name:<34}{self.detail}"


def operators() -> list[str]:
    """Return the names of all operators of `bpref.functional`.

    Returns
    -------
    list of str

    Examples
    --------
    >>> "linear" in operators()
    True
    """
    return list(OPERATORS)


def check_operator(name: str) -> Check:
    """Compare one backward pass with central differences of its forward pass.

    Parameters
    ----------
    name : str
        An operator of `bpref.functional`.

    Returns
    -------
    Check
    """
    operator = OPERATORS[name]
    sample = _sample_with_elements(operator)
    output, cache = operator.forward(**operator.arguments(sample))
    # Any weighting of the outputs makes one number of them; its gradient is the weighting.
    rng = np.random.default_rng(0)
    outputs = output if isinstance(output, tuple) else (output,)
    weights = tuple(np.asarray(rng.standard_normal(np.shape(o))) for o in outputs)
    grad_output = weights if isinstance(output, tuple) else weights[0]
    backward = getattr(functional, f"{name}_backward")
    gradients = operator.named_gradients(backward(grad_output, cache), sample)

    def weighted_sum(**inputs: np.ndarray) -> Any:
        output, _ = operator.forward(**operator.arguments(Sample(inputs, sample.options)))
        outputs = output if isinstance(output, tuple) else (output,)
        return sum(np.sum(w * o) for w, o in zip(weights, outputs, strict=True))

    report = check_gradients(weighted_sum, sample.inputs, gradients)
    detail = f"{report.checked} derivatives agree with central differences"
    return Check(name, report.ok, detail if report.ok else str(report).replace("\n", "; "))


def _sample_with_elements(operator: Operator) -> Sample:
    """Return the first drawn sample whose inputs all have at least two elements."""
    draw = RandomDraw(np.random.default_rng(0))
    while True:
        sample = operator.sample(draw)
        if all(x.size > 1 for x in sample.inputs.values()):
            return sample


def check_training_step() -> Check:
    """Take one step of gradient descent with a small network; the loss has to fall.

    Returns
    -------
    Check
    """
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((16, 3)), rng.standard_normal((16, 1))
    model = nn.MLP([3, 8, 1], activation="tanh", generator=rng)
    optimizer = optim.SGD(model.parameters(), lr=0.05)

    before, cache = functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    model.backward(functional.mse_loss_backward(1.0, cache))
    optimizer.step()
    after, _ = functional.mse_loss(model(x), y)
    detail = f"loss {float(before):.6f} -> {float(after):.6f}"
    return Check("one training step", bool(after < before), detail)


def versions() -> Iterator[str]:
    """Yield one line for each version that matters.

    Yields
    ------
    str
    """
    yield f"bpref   {bpref.__version__}"
    yield f"Python  {platform.python_version()} ({platform.system()}, {platform.machine()})"
    yield f"NumPy   {np.__version__}"
    try:
        yield f"PyTorch {metadata.version('torch')}"
    except metadata.PackageNotFoundError:
        yield "PyTorch not found (optional: only bpref.regression needs it)"


def main() -> int:
    """Print the report.

    Returns
    -------
    int
        0 when all checks passed, otherwise 1.
    """
    for line in versions():
        print(line)
    checks = [*map(check_operator, operators()), check_training_step()]
    for check in checks:
        print(check)
    failed = sum(not check.ok for check in checks)
    print(f"{failed} of {len(checks)} checks FAILED" if failed else "all checks passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
