"""Shapes and layouts: what a matching shape proves, and the same layer in four conventions.

Claims, and how each is measured:

* ``arrangements``: for each gradient all products of the given factors are tried, in every order
  and with every choice of transposes. Counted: how many can be multiplied and have the shape of
  the parameter, and how many equal the numerical gradient. Three choices of sizes: all different,
  all widths equal with another batch size, all equal; 20 random draws of each.
* ``conventions``: one layer written in four conventions; after the stated transposes the four
  gradients are equal.
* ``special``: the same count with square inputs that are not random: ones, the
  identity, a symmetric X; the weights and the labels are drawn 20 times.
* ``layout``: PyTorch's Jacobian of a = W x is W (numerator layout), its gradient of a scalar for
  W has the shape of W (denominator layout).
"""

import math
from collections.abc import Callable
from itertools import pairwise, permutations, product
from typing import Any

import numpy as np
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from bpref.gradcheck import numerical_gradient
from experiments import style
from experiments._claim import Claim
from experiments._ranges import Bar, bound, draw_ranges, exactly, spread

RTOL = 1e-6

# The layer that the page works through.
WORKED = ("sample.A*", "sample.Delta*", "sample.products.*")
CLAIMS = (
    Claim(
        id="notation-one-of-eight-products",
        en=r"On the worked layer all eight products of $\Delta$ and $X$, in either order and with "
        r"any transposes, have the shape of $W$. One of them equals the central differences: "
        r"$\Delta^\top X$.",
        zh=r"在算例的那一层上，$\Delta$ 与 $X$ 按两种次序、任意转置得到的八个乘积都与 $W$ 同形状，"
        r"其中与中心差分相等的只有 $\Delta^\top X$ 一个。",
        criterion="len(sample.products.values()) == 8 and sample.equal == ['Dt_X']"
        " and sample.products.Dt_X == sample.numeric",
        covers=("sample.numeric*", "sample.equal*"),
        exact="arithmetic",
    ),
    Claim(
        id="notation-four-conventions-agree",
        en="Over {{ notation.conventions.cases }} random layers, the gradients in the four "
        "conventions, brought to one form by the stated transposes, differ from central "
        "differences by less than ${{ notation.conventions.central | sci0 }}$ of their length.",
        zh="在 {{ notation.conventions.cases }} 个随机的层上，四种约定下的梯度按表中的转置化为同"
        "一形式后，与中心差分的相对差都小于 ${{ notation.conventions.central | sci0 }}$。",
        criterion="conventions.error.max <= conventions.central <= 1e-6",
        covers=("conventions.*",),
        runs="conventions.cases",
        spread=("conventions.error.min", "conventions.error.max"),
        figure="notation_errors",
    ),
    Claim(
        id="notation-pytorch-mixes-the-layouts",
        en="For $a = W x$ with $W$ of shape `(2, 3)`, the Jacobian of PyTorch is $W$, of shape "
        "`{{ notation.layout.jacobian }}`; the gradients of a loss have the shapes of what they "
        "belong to, `{{ notation.layout.gradients[0] }}` and "
        "`{{ notation.layout.gradients[1] }}`.",
        zh="设 $a = W x$，$W$ 的形状是 `(2, 3)`。PyTorch 给出的雅可比矩阵就是 $W$，形状为 "
        "`{{ notation.layout.jacobian }}`；损失的梯度与它们所属的量同形状，分别是 "
        "`{{ notation.layout.gradients[0] }}` 和 `{{ notation.layout.gradients[1] }}`。",
        criterion="layout.jacobian == '(2, 3)' and layout.jacobian_is_W"
        " and layout.gradients == ['(2, 3)', '(3,)']",
        covers=("layout.*",),
        exact="deterministic",
    ),
    Claim(
        id="notation-shape-leaves-a-choice",
        en="In each of {{ notation.arrangements.draws }} random draws exactly one arrangement of "
        "the factors is the gradient. It is the only one that fits by its shape where all sizes "
        "differ. With equal widths {{ notation.arrangements.widths.weight.fit }} of "
        "{{ notation.arrangements.widths.weight.tried }} fit for one layer and "
        "{{ notation.arrangements.widths.deep.fit }} of "
        "{{ notation.arrangements.widths.deep.tried }} for two; with square matrices all of them, "
        "and the nearest wrong one misses the gradient by "
        "{{ notation.arrangements.nearest_wrong | .2f }} of its length.",
        zh="在 {{ notation.arrangements.draws }} 次随机抽取中，每次都恰好有一种因子的排法等于梯"
        "度。各个尺寸都不同时，形状对得上的只有它。宽度相等时，单层的 "
        "{{ notation.arrangements.widths.weight.tried }} 种排法中有 "
        "{{ notation.arrangements.widths.weight.fit }} 种对得上，两层的 "
        "{{ notation.arrangements.widths.deep.tried }} 种中有 "
        "{{ notation.arrangements.widths.deep.fit }} 种；全是方阵时种种都对得上，错误的排法中最接"
        "近的一种，与梯度之差也有梯度长度的 {{ notation.arrangements.nearest_wrong | .2f }} 倍。",
        criterion="all(row.right == row.fewest_right == len(row.which) == 1"
        " for sizes in [arrangements.distinct, arrangements.widths, arrangements.equal]"
        " for row in sizes.values())"
        " and all(row.fit == 1 for row in arrangements.distinct.values())"
        " and all(1 < row.fit < row.tried for row in arrangements.widths.values())"
        " and all(row.fit == row.tried for row in arrangements.equal.values())"
        " and arrangements.nearest_wrong"
        " == min(row.wrong.min for row in arrangements.equal.values()) > 0.1",
        covers=("arrangements.*",),
        runs="arrangements.draws",
        spread=("arrangements.equal.deep.wrong.min", "arrangements.equal.deep.wrong.max"),
        figure="notation_errors",
    ),
    Claim(
        id="notation-special-inputs-hide-errors",
        en="With square arrays, {{ notation.special.identity.right }} of the "
        "{{ notation.special.identity.fit }} products equal the gradient of the weights if $X$ is "
        "the identity, and {{ notation.special.symmetric.right }} if $X$ is symmetric or all "
        "ones, in each of {{ notation.special.draws }} draws of the weights and labels.",
        zh="用方阵时，$X$ 若是单位矩阵，{{ notation.special.identity.fit }} 个乘积中有 "
        "{{ notation.special.identity.right }} 个等于权重的梯度；$X$ 若是对称矩阵或全 1 矩阵，则"
        "有 {{ notation.special.symmetric.right }} 个。权重和标签抽取 "
        "{{ notation.special.draws }} 次，次次如此。",
        criterion="special.identity.right == special.identity.fewest_right > special.ones.right"
        " and special.ones.right == special.ones.fewest_right == special.symmetric.right"
        " == special.symmetric.fewest_right > 1",
        covers=("special.*",),
        runs="special.draws",
        spread=("special.identity.fewest_right", "special.identity.right"),
        figure="notation_errors",
    ),
)

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


def judge(factors: dict[str, Array], truth: Array) -> dict[str, float]:
    """Each arrangement that fits by its shape, and how far it is from the truth."""
    return {
        text: float(np.linalg.norm(product - truth) / np.linalg.norm(truth))
        for text, product in arrangements(factors).items()
        if product.shape == truth.shape
    }


def summary(draws: list[dict[str, float]], factors: int) -> dict[str, Any]:
    """How many arrangements there are, fit by shape, and equal the truth; over all draws.

    The right ones differ from the truth by the noise of central differences; the wrong ones by
    much more: ``wrong`` has the nearest and the farthest one of any draw.
    """
    (fitting,) = {tuple(errors) for errors in draws}  # the shapes decide: the same in every draw
    right = [[text for text, error in errors.items() if error < 1e-6] for errors in draws]
    wrong = [error for errors in draws for error in errors.values() if error >= 1e-6]
    out = {
        "tried": math.factorial(factors) * 2**factors,
        "fit": len(fitting),
        "right": max(len(found) for found in right),
        "fewest_right": min(len(found) for found in right),
        "which": sorted({text for found in right for text in found}),
        "error": spread(e for errors in draws for e in errors.values() if e < 1e-6),
    }
    return out | ({"wrong": exactly(wrong)} if wrong else {})


def problems(sizes: dict[str, int], draw: Callable[..., Array]) -> dict[str, dict[str, float]]:
    """Each gradient by its factors and by central differences, compared."""
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


def counts(draws: int = 20) -> dict[str, Any]:
    """All three choices of sizes, with random numbers."""
    out: dict[str, Any] = {"draws": draws}
    for name, sizes in SIZES.items():
        found = []
        for seed in range(draws):
            rng = np.random.default_rng(seed)
            found.append(problems(sizes, lambda *shape, rng=rng: rng.normal(size=shape)))
        out[name] = {
            gradient: summary([one[gradient] for one in found], factors)
            for gradient, factors in (("weight", 2), ("input", 2), ("deep", 3))
        }
    nearest = min(row["wrong"]["min"] for row in out["equal"].values())
    return out | {"nearest_wrong": nearest}


def special(draws: int = 20) -> dict[str, Any]:
    """Square arrays that are not random: X of ones, the identity, symmetric."""
    out: dict[str, Any] = {"draws": draws}
    for name in ("ones", "identity", "symmetric"):
        found = []
        for seed in range(draws):
            rng = np.random.default_rng(seed)
            X, W, Y = (rng.normal(size=(3, 3)) for _ in range(3))
            X = {"ones": np.ones((3, 3)), "identity": np.eye(3), "symmetric": X + X.T}[name]
            Delta = (X @ W.T - Y) / 3

            def loss(W: Array, X: Array = X, Y: Array = Y) -> float:
                return float(np.sum((X @ W.T - Y) ** 2) / 6)

            found.append(judge({"Delta": Delta, "X": X}, numerical_gradient(loss, W)))
        out[name] = summary(found, 2)
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


def conventions(cases: int = 50) -> dict[str, Any]:
    """One layer, four conventions: dJ/dW brought to the shape (m, d) must be the same."""
    rng = np.random.default_rng(0)
    errors = []
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
            errors.append(float(error))
    return {"cases": cases, "central": bound(max(errors)), "error": spread(errors)}


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


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    """The two batch layouts, and how far right and wrong products are from the gradient."""
    return {
        "notation": _draw_layouts(result, lang),
        "notation_errors": _draw_errors(result, lang),
    }


def _draw_errors(result: dict[str, Any], lang: str) -> Any:
    """Each row: the right products and the wrong ones, over all draws."""
    words = {
        "en": {
            "conventions": "four conventions",
            "weight": "∂J/∂W",
            "input": "∂J/∂X",
            "deep": "∂J/∂W₁",
            "symmetric": "∂J/∂W, X symmetric",
            "ones": "∂J/∂W, X all ones",
            "identity": "∂J/∂W, X the identity",
            "count": "{name}: {right} of {fit} right",
            "right": "right",
            "wrong": "wrong",
            "x": "relative difference from central differences",
        },
        "zh": {
            "conventions": "四种约定",
            "weight": "∂J/∂W",
            "input": "∂J/∂X",
            "deep": "∂J/∂W₁",
            "symmetric": "∂J/∂W，X 对称",
            "ones": "∂J/∂W，X 全为 1",
            "identity": "∂J/∂W，X 是单位矩阵",
            "count": "{name}：{fit} 个中 {right} 个正确",
            "right": "正确",
            "wrong": "错误",
            "x": "与中心差分的相对差",
        },
    }[lang]
    right, wrong = (style.GOOD, words["right"]), (style.BAD, words["wrong"])
    bars = [Bar(words["conventions"], result["conventions"]["error"], *right)]
    for part, names in (
        (result["arrangements"]["equal"], ("weight", "input", "deep")),
        (result["special"], ("symmetric", "ones", "identity")),
    ):
        for name in names:
            row = words["count"].format(name=words[name], **part[name])
            bars += [Bar(row, part[name]["error"], *right), Bar(row, part[name]["wrong"], *wrong)]
    return draw_ranges(bars, words["x"])


def _draw_layouts(result: dict[str, Any], lang: str) -> Any:
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
