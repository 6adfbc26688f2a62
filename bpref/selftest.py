"""Does this installation compute right gradients? ``python -m bpref.selftest``, about a second.

Prints the versions, checks the backward pass of every operator in `bpref.functional` against
central differences, checks one training step of a small network, and returns 1 on a failure.
PyTorch is looked for but never imported.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np

import bpref
from bpref import functional, nn, optim
from bpref.gradcheck import check_gradients

Inputs = dict[str, np.ndarray]


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


def _elementwise(rng: np.random.Generator) -> tuple[Inputs, Inputs]:
    # No element near 0, where ReLU has a kink and central differences are wrong.
    magnitude = rng.uniform(0.1, 2.0, (5, 3))
    return {"input": magnitude * rng.choice([-1.0, 1.0], (5, 3))}, {}


def _linear(rng: np.random.Generator) -> tuple[Inputs, Inputs]:
    shapes = {"input": (5, 3), "weight": (2, 3), "bias": (2,)}
    return {name: rng.standard_normal(shape) for name, shape in shapes.items()}, {}


def _regression(rng: np.random.Generator) -> tuple[Inputs, Inputs]:
    return {"input": rng.standard_normal((5, 3))}, {"target": rng.standard_normal((5, 3))}


def _binary(rng: np.random.Generator) -> tuple[Inputs, Inputs]:
    return {"input": rng.standard_normal((5, 3))}, {"target": rng.uniform(0.0, 1.0, (5, 3))}


def _classes(rng: np.random.Generator) -> tuple[Inputs, Inputs]:
    return {"input": rng.standard_normal((5, 3))}, {"target": np.array([0, 2, 1, 1, 0])}


# operator -> (what is differentiated, in the order of the backward pass; what is held fixed)
CASES: dict[str, Callable[[np.random.Generator], tuple[Inputs, Inputs]]] = {
    "linear": _linear,
    "identity": _elementwise,
    "sigmoid": _elementwise,
    "tanh": _elementwise,
    "relu": _elementwise,
    "leaky_relu": _elementwise,
    "mse_loss": _regression,
    "half_mse_loss": _regression,
    "binary_cross_entropy_with_logits": _binary,
    "cross_entropy": _classes,
}


def operators() -> list[str]:
    """Return the names of all operators of `bpref.functional` that have a backward pass.

    Returns
    -------
    list of str

    Examples
    --------
    >>> "linear" in operators()
    True
    """
    suffix = "_backward"
    return [n.removesuffix(suffix) for n in functional.__all__ if n.endswith(suffix)]


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
    if name not in CASES:
        return Check(name, False, "has no case in bpref.selftest.CASES")
    op, backward = getattr(functional, name), getattr(functional, f"{name}_backward")
    rng = np.random.default_rng(0)
    inputs, fixed = CASES[name](rng)
    output, cache = op(**inputs, **fixed)
    # Any weighting of the outputs makes one number of them; its gradient is the weighting.
    grad_output = rng.standard_normal(np.shape(output))
    grads = backward(grad_output if grad_output.ndim else float(grad_output), cache)
    gradients = dict(zip(inputs, grads if isinstance(grads, tuple) else (grads,), strict=True))

    def weighted_sum(**inputs: np.ndarray) -> Any:
        return np.sum(grad_output * op(**inputs, **fixed)[0])

    report = check_gradients(weighted_sum, inputs, gradients)
    detail = f"{report.checked} derivatives agree with central differences"
    return Check(name, report.ok, detail if report.ok else str(report).replace("\n", "; "))


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
