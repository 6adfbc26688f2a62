"""Shapes and layouts: what a matching shape proves, and the same layer in four conventions.

Claims, and how each is measured:

* ``arrangements``: for each gradient all products of the given factors are tried, in every order
  and with every choice of transposes. Counted: how many can be multiplied and have the shape of
  the parameter, and how many equal the numerical gradient. Three choices of sizes: all different,
  all widths equal with another batch size, all equal.
* ``conventions``: one layer written in four conventions; after the stated transposes the four
  gradients are equal.
* ``special``: the same count with square inputs that are not random: ones, the
  identity, a symmetric X.
* ``layout``: PyTorch's Jacobian of a = W x is W (numerator layout), its gradient of a scalar for
  W has the shape of W (denominator layout).
"""

from collections.abc import Callable
from itertools import pairwise, permutations, product
from typing import Any

import numpy as np
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from bpref.gradcheck import numerical_gradient
from experiments import style

RTOL = 1e-6

Array = NDArray[np.float64]
SIZES = {
    "distinct": {"N": 2, "d": 3, "n": 4, "m": 5},
    "widths": {"N": 2, "d": 3, "n": 3, "m": 3},
    "equal": {"N": 3, "d": 3, "n": 3, "m": 3},
}


def arrangements(factors: dict[str, Array]) -> dict[str, Array]:
    """All products in all orders with all transposes, as far as they can be multiplied."""
    found = {}
    for names in permutations(factors):
        for flips in product((False, True), repeat=len(names)):
            arrays = [
                factors[k].T if flip else factors[k] for k, flip in zip(names, flips, strict=True)
            ]
            fits = all(a.shape[1] == b.shape[0] for a, b in pairwise(arrays))
            if fits:
                text = " ".join(
                    f"{k}'" if flip else k for k, flip in zip(names, flips, strict=True)
                )
                found[text] = np.linalg.multi_dot(arrays) if len(arrays) > 1 else arrays[0]
    return found


def judge(factors: dict[str, Array], truth: Array) -> dict[str, Any]:
    """How many arrangements there are, fit by shape, and equal the truth; and which one does."""
    tried = len(list(permutations(factors))) * 2 ** len(factors)
    fitting = {k: p for k, p in arrangements(factors).items() if p.shape == truth.shape}
    errors = {
        k: float(np.linalg.norm(p - truth) / np.linalg.norm(truth)) for k, p in fitting.items()
    }
    right = [k for k, error in errors.items() if error < 1e-6]
    wrong = [error for k, error in errors.items() if k not in right]
    return {
        "tried": tried,
        "fit": len(fitting),
        "right": len(right),
        "which": right[0] if right else "",
        "nearest_wrong": min(wrong, default=0.0),
    }


def problems(sizes: dict[str, int], draw: Callable[..., Array]) -> dict[str, dict[str, Any]]:
    """Each gradient: its factors, and its value by central differences."""
    N, d, n, m = (sizes[k] for k in ("N", "d", "n", "m"))
    X, W, Y = draw(N, d), draw(m, d), draw(N, m)
    W_1, W_2 = draw(n, d), draw(m, n)

    def one(W: Array, X: Array) -> float:
        return float(np.sum((X @ W.T - Y) ** 2) / (2 * N))

    def two(W_1: Array) -> float:
        return float(np.sum((X @ W_1.T @ W_2.T - Y) ** 2) / (2 * N))

    Delta = (X @ W.T - Y) / N
    Delta_2 = (X @ W_1.T @ W_2.T - Y) / N
    return {
        "weight": judge({"Delta": Delta, "X": X}, numerical_gradient(lambda W: one(W, X), W)),
        "input": judge({"Delta": Delta, "W": W}, numerical_gradient(lambda X: one(W, X), X)),
        "deep": judge({"Delta_2": Delta_2, "W_2": W_2, "X": X}, numerical_gradient(two, W_1)),
    }


def counts() -> dict[str, Any]:
    """All three choices of sizes, with random numbers."""
    out = {}
    for name, sizes in SIZES.items():
        rng = np.random.default_rng(0)
        out[name] = problems(sizes, lambda *shape, rng=rng: rng.normal(size=shape))
    return out


def special() -> dict[str, Any]:
    """Square arrays that are not random: X of ones, the identity, symmetric."""
    out = {}
    for name in ("ones", "identity", "symmetric"):
        rng = np.random.default_rng(0)
        X, W, Y = (rng.normal(size=(3, 3)) for _ in range(3))
        X = {"ones": np.ones((3, 3)), "identity": np.eye(3), "symmetric": X + X.T}[name]
        Delta = (X @ W.T - Y) / 3

        def loss(W: Array, X: Array = X, Y: Array = Y) -> float:
            return float(np.sum((X @ W.T - Y) ** 2) / 6)

        out[name] = judge({"Delta": Delta, "X": X}, numerical_gradient(loss, W))
    return out


def inverse() -> dict[str, Any]:
    """J = sum(C * inv(A)): dJ/dA = -Y' C Y' with Y = inv(A); everything is square."""
    rng = np.random.default_rng(0)
    A, C = rng.normal(size=(3, 3)) + 2 * np.eye(3), rng.normal(size=(3, 3))
    Y = np.linalg.inv(A)
    truth = numerical_gradient(lambda A: float(np.sum(C * np.linalg.inv(A))), A)
    without = -(Y @ C @ Y)
    return {
        "right": bool(np.allclose(-(Y.T @ C @ Y.T), truth, rtol=1e-6, atol=1e-8)),
        "without": float(np.linalg.norm(without - truth) / np.linalg.norm(truth)),
    }


def bound(value: float) -> float:
    """A power of ten, at least three times the value: rounding noise differs between CPUs."""
    return float(f"1e{int(np.ceil(np.log10(3.0 * max(value, 1e-13))))}")


def conventions(cases: int = 50) -> dict[str, Any]:
    """One layer, four conventions: dJ/dW brought to the shape (m, d) must be the same."""
    rng = np.random.default_rng(0)
    worst = 0.0
    for _ in range(cases):
        N, d, m = (int(size) for size in rng.permutation([2, 3, 4, 5])[:3])
        X, W, b, Y = (
            rng.normal(size=(N, d)),
            rng.normal(size=(m, d)),
            rng.normal(size=m),
            rng.normal(size=(N, m)),
        )

        def loss(W: Array, X: Array = X, b: Array = b, Y: Array = Y) -> float:
            return float(np.sum((X @ W.T + b - Y) ** 2) / (2 * len(X)))

        truth = numerical_gradient(loss, W)
        V, C, T = W.T, X.T, Y.T  # (in, out) weights; samples as columns
        rows_out_in = (X @ W.T + b - Y).T @ X / N
        rows_in_out = (X.T @ (X @ V + b - Y) / N).T
        columns_out_in = (W @ C + b[:, None] - T) @ C.T / N
        columns_in_out = (C @ (V.T @ C + b[:, None] - T).T / N).T
        for gradient in (rows_out_in, rows_in_out, columns_out_in, columns_in_out):
            error = np.linalg.norm(gradient - truth) / np.linalg.norm(truth)
            worst = max(worst, float(error))
    return {"cases": cases, "central": bound(worst)}


def key(text: str) -> str:
    """A name that an injected number can use: Delta' X is Dt_X."""
    return text.replace("Delta", "D").replace("'", "t").replace(" ", "_")


def sample() -> dict[str, Any]:
    """The worked numbers: N = d = m = 2, all arrangements of Delta and X."""
    X, W = np.array([[1.0, 2.0], [3.0, 1.0]]), np.array([[1.0, 0.0], [-1.0, 2.0]])
    Y = np.array([[-1.0, -1.0], [3.0, 1.0]])
    Delta = (X @ W.T - Y) / 2
    truth = numerical_gradient(lambda W: float(np.sum((X @ W.T - Y) ** 2) / 4), W)
    found = arrangements({"Delta": Delta, "X": X})
    return {
        "A": (X @ W.T).tolist(),
        "Delta": Delta.tolist(),
        "J": float(np.sum((X @ W.T - Y) ** 2) / 4),
        "numeric": truth.round(6).tolist(),
        "products": {key(k): p.tolist() for k, p in found.items()},
        "equal": [key(k) for k, p in found.items() if np.allclose(p, truth, rtol=1e-6, atol=1e-6)],
    }


def layout() -> dict[str, Any]:
    """Shapes that PyTorch gives: Jacobian of a = W x for x, gradient of a scalar for x and W."""
    import torch

    W = torch.arange(6, dtype=torch.float64).reshape(2, 3).requires_grad_()
    x = torch.ones(3, dtype=torch.float64, requires_grad=True)
    jacobian = torch.autograd.functional.jacobian(lambda x: W @ x, x)
    (W @ x).sum().backward()
    grads = (W.grad, x.grad)
    return {
        "jacobian": str(tuple(jacobian.shape)),
        "jacobian_is_W": bool(torch.equal(jacobian, W)),
        "gradients": [str(tuple(g.shape)) for g in grads if g is not None],
    }


def run() -> dict[str, Any]:
    """All claims of the page."""
    return {
        "sample": sample(),
        "arrangements": counts(),
        "special": special(),
        "inverse": inverse(),
        "conventions": conventions(),
        "layout": layout(),
    }


def draw(result: dict[str, Any], lang: str) -> Any:
    """The two batch layouts as rectangles: N = 5, d = 3, m = 2."""
    words = {
        "en": ("samples as rows", "samples as columns", "sample"),
        "zh": ("每行一个样本", "每列一个样本", "一个样本"),
    }[lang]
    fig, ax = style.diagram(7.6, 3.1)
    unit = 0.24

    def array(x: float, y: float, rows: int, columns: int, name: str, size: str, mark: str) -> None:
        w, h = columns * unit, rows * unit
        sides = {"row": (x, y + h / 2 - unit, w, unit), "column": (x, y - h / 2, unit, h)}
        ax.add_patch(Rectangle((x, y - h / 2), w, h, fill=False, edgecolor=style.INK))
        if mark:
            left, bottom, width, height = sides[mark]
            ax.add_patch(Rectangle((left, bottom), width, height, color=style.ACCENT, alpha=0.35))
        ax.text(x + w / 2, y + h / 2 + 0.16, name, color=style.INK, fontsize=11, ha="center")
        ax.text(x + w / 2, y - h / 2 - 0.24, size, color=style.MUTED, fontsize=9.5, ha="center")

    def sign(x: float, y: float, text: str) -> None:
        ax.text(x, y, text, color=style.INK, fontsize=12, ha="center", va="center")

    y = 1.5
    ax.text(0.1, 2.8, words[0], color=style.INK, fontsize=10)
    array(0.35, y, 5, 2, "A", "N × m", "row")
    sign(1.1, y, "=")
    array(1.4, y, 5, 3, "X", "N × d", "row")
    array(2.45, y, 3, 2, "Wᵀ", "d × m", "")
    ax.plot([3.45, 3.45], [0.2, 2.9], color=style.GRID, linewidth=1.2)
    ax.text(3.65, 2.8, words[1], color=style.INK, fontsize=10)
    array(3.8, y, 2, 5, "Aᵀ", "m × N", "column")
    sign(5.3, y, "=")
    array(5.55, y, 2, 3, "W", "m × d", "")
    array(6.35, y, 3, 5, "Xᵀ", "d × N", "column")
    ax.add_patch(Rectangle((0.35, 0.2), unit, unit * 0.7, color=style.ACCENT, alpha=0.35))
    ax.text(0.7, 0.28, words[2], color=style.MUTED, fontsize=9.5, va="center")
    return fig
