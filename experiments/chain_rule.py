"""The chain rule with matrices: a product of Jacobians, and the order of its evaluation.

Claims, and how each is measured:

* ``sample``: a chain of three functions with whole numbers; its three Jacobians, their product,
  and the multiplications of both orders, counted by `bpref.cost.Counter`.
* ``order``: multiplications of both orders, counted while the product is
  evaluated, for chains of square Jacobians; and, for m outputs, from the left and the right.
* ``check``: on random tanh networks, one vector-Jacobian product from the left, the sum over the
  basis from the right, PyTorch's ``backward(gradient=v)`` and central differences agree.
* ``passes``: reverse and forward mode of `bpref.graph` on one function of many inputs.
"""

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpref.cost import Counter
from bpref.graph import Value, jvp, vjp
from experiments import style

RTOL = 1e-6

Array = NDArray[np.float64]
WIDTHS = (8, 16, 32, 64, 128)
DEPTHS = (2, 4, 6, 8, 10, 12)
OUTPUTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
LAYERS, WIDTH = 6, 64


def counted(factors: list[Array], order: str) -> tuple[int, Array]:
    """Evaluate a product of matrices; (multiplications, product)."""
    counter = Counter()
    watched: list[Any] = [counter.watch(factor) for factor in factors]
    if order == "left":  # (((A B) C) D): from the output, as reverse mode
        product = watched[0]
        for factor in watched[1:]:
            product = product @ factor
    else:  # (A (B (C D))): from the input, as forward mode
        product = watched[-1]
        for factor in watched[-2::-1]:
            product = factor @ product
    return counter.multiply_adds, np.asarray(product)


def jacobians(outputs: int, width: int, layers: int, inputs: int | None = None) -> list[Array]:
    """Random Jacobians, the last function first: (outputs, n), (n, n), ..., (n, inputs)."""
    rng = np.random.default_rng(0)
    sizes = [outputs, *[width] * (layers - 1), width if inputs is None else inputs]
    return [
        rng.standard_normal((rows, columns)) / columns**0.5
        for rows, columns in itertools.pairwise(sizes)
    ]


def both(factors: list[Array]) -> tuple[int, int]:
    """Multiplications from the left and from the right; the products must agree."""
    (left, a), (right, b) = counted(factors, "left"), counted(factors, "right")
    if not np.allclose(a, b, rtol=1e-9, atol=1e-9 * float(np.abs(a).max())):
        raise AssertionError("the two orders of the product differ")
    return left, right


def sample() -> dict[str, Any]:
    """x in R^3, a = W x, h = a * a, J = v' h."""
    x, v = np.array([1.0, 1.0, 2.0]), np.array([2.0, -1.0])
    W = np.array([[1.0, -2.0, 0.0], [3.0, 1.0, -1.0]])
    a = W @ x
    h = a * a
    factors = [v[None, :], np.diag(2 * a), W]
    left, right = both(factors)
    return {
        "a": a.tolist(),
        "h": h.tolist(),
        "J": float(v @ h),
        "slopes": (2 * a).tolist(),
        "vD": (v * 2 * a).tolist(),
        "DW": (np.diag(2 * a) @ W).tolist(),
        "gradient": counted(factors, "left")[1][0].tolist(),
        "left": left,
        "right": right,
    }


def order() -> dict[str, Any]:
    """Multiplications over width, depth and number of outputs."""
    width = [both(jacobians(1, n, LAYERS)) for n in WIDTHS]
    depth = [both(jacobians(1, WIDTH, layers)) for layers in DEPTHS]
    outputs = [both(jacobians(m, WIDTH, LAYERS)) for m in OUTPUTS]
    one_input = both(jacobians(WIDTH, WIDTH, LAYERS, inputs=1))

    def split(pairs: list[tuple[int, int]]) -> dict[str, Any]:
        left, right = zip(*pairs, strict=True)
        return {
            "left": list(left),
            "right": list(right),
            "ratio": [r / l for l, r in pairs],  # noqa: E741
        }

    return {
        "layers": LAYERS,
        "width": split(width) | {"n": list(WIDTHS)},
        "depth": split(depth) | {"layers": list(DEPTHS), "n": WIDTH},
        "outputs": split(outputs) | {"m": list(OUTPUTS), "n": WIDTH},
        "one_input": {"left": one_input[0], "right": one_input[1], "m": WIDTH},
    }


def bound(value: float) -> float:
    """A power of ten, at least three times the value: rounding noise differs between CPUs."""
    return float(f"1e{int(np.ceil(np.log10(3.0 * max(value, 1e-13))))}")


def check(cases: int = 50) -> dict[str, Any]:
    """Random networks y = W_2 tanh(W_1 x + b_1): four ways to v' dy/dx, two to dy/dx t."""
    import torch

    rng = np.random.default_rng(0)
    worst = {"jacobian": 0.0, "torch": 0.0, "central": 0.0, "forward": 0.0}
    for _ in range(cases):
        d, n, m = (int(size) for size in rng.permutation([2, 3, 4, 5])[:3])
        W_1, b_1, W_2 = rng.normal(size=(n, d)), rng.normal(size=n), rng.normal(size=(m, n))
        x, v, t = rng.normal(size=d), rng.normal(size=m), rng.normal(size=d)

        def f(x: Array, W_1: Array = W_1, b_1: Array = b_1, W_2: Array = W_2) -> Array:
            return np.asarray(W_2 @ np.tanh(W_1 @ x + b_1))

        slope = 1 - np.tanh(W_1 @ x + b_1) ** 2
        pulled = W_1.T @ ((W_2.T @ v) * slope)  # never a matrix product
        pushed = W_2 @ (slope * (W_1 @ t))
        jacobian = W_2 @ np.diag(slope) @ W_1
        tx = torch.tensor(x, requires_grad=True)
        ty = torch.tensor(W_2) @ torch.tanh(torch.tensor(W_1) @ tx + torch.tensor(b_1))
        ty.backward(gradient=torch.tensor(v))
        eps = 1e-5
        central = [v @ (f(x + eps * e) - f(x - eps * e)) / (2 * eps) for e in np.eye(d)]
        along = (f(x + eps * t) - f(x - eps * t)) / (2 * eps)
        norm = float(np.linalg.norm(pulled))
        for name, other in (
            ("jacobian", v @ jacobian),
            ("torch", np.asarray(tx.grad)),
            ("central", np.array(central)),
        ):
            worst[name] = max(worst[name], float(np.linalg.norm(other - pulled)) / norm)
        error = float(np.linalg.norm(along - pushed) / np.linalg.norm(pushed))
        worst["forward"] = max(worst["forward"], error)
    return {"cases": cases, **{name: bound(value) for name, value in worst.items()}}


def passes(inputs: int = 20) -> dict[str, Any]:
    """A function of many inputs in the scalar graph: one reverse pass, many forward passes."""
    rng = np.random.default_rng(0)
    x = [Value(number) for number in rng.normal(size=inputs)]
    total = Value(0.0)
    for number, weight in zip(x, rng.normal(size=inputs), strict=True):
        total = total + weight * number
    y = total.tanh() * total
    reverse = vjp(y, x)
    forward = [jvp(y, {leaf: 1.0}) for leaf in x]
    return {
        "inputs": inputs,
        "reverse_passes": 1,
        "forward_passes": len(forward),
        "equal": bool(np.allclose(reverse, forward, rtol=1e-12, atol=0)),
    }


def run() -> dict[str, Any]:
    """All claims of the page."""
    return {"sample": sample(), "order": order(), "check": check(), "passes": passes()}


def draw(result: dict[str, Any], lang: str) -> Any:
    """Counted multiplications: against the width, against the depth, against the outputs."""
    words = {
        "en": {
            "width": "width n",
            "depth": "number of Jacobians L",
            "outputs": "outputs m",
            "y": "multiplications",
            "left": "from the left (reverse mode)",
            "right": "from the right (forward mode)",
        },
        "zh": {
            "width": "宽度 n",
            "depth": "雅可比矩阵的个数 L",
            "outputs": "输出个数 m",
            "y": "乘法次数",
            "left": "从左往右乘（反向模式）",
            "right": "从右往左乘（前向模式）",
        },
    }[lang]
    fig, axes = style.new_figure(8.0, 3.3, ncols=3)
    order = result["order"]
    panels = (("width", "n"), ("depth", "layers"), ("outputs", "m"))
    for ax, (name, key) in zip(axes, panels, strict=True):
        x = order[name][key]
        for side, color, marker in (
            ("left", style.BACKWARD, "s"),
            ("right", style.FORWARD, "o"),
        ):
            values = order[name][side]
            ax.plot(x, values, marker=marker, markersize=4, color=color, label=words[side])
        ax.set_yscale("log")
        if name != "depth":
            ax.set_xscale("log", base=2)
            ax.set_xticks(x[:: 1 if name == "width" else 2], x[:: 1 if name == "width" else 2])
            ax.minorticks_off()
        else:
            ax.set_xticks(x)
        ax.set_xlabel(words[name])
    axes[0].set_ylabel(words["y"])
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=2)
    return fig
