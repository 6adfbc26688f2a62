"""The chain rule with matrices: a product of Jacobians, and the order of its evaluation.

Claims, and how each is measured:

* ``sample``: a chain of three functions with whole numbers; its three Jacobians, their product,
  and the multiplications of both orders, counted by `bpref.cost.Counter`.
* ``order``: multiplications of both orders, counted while the product is
  evaluated, for chains of square Jacobians; and, for m outputs, from the left and the right.
* ``check``: on random tanh networks, one vector-Jacobian product from the left, the sum over the
  basis from the right, PyTorch's ``backward(gradient=v)`` and central differences agree; the
  lowest and the highest difference.
* ``passes``: reverse and forward mode of `bpref.graph` on random functions of many inputs.
"""

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpref.cost import Counter
from bpref.graph import Value, jvp, vjp
from experiments import style
from experiments._claim import Claim
from experiments._ranges import Bar, bound, draw_ranges, spread

RTOL = 1e-6

# The chain that the page multiplies out, and settings.
WORKED = (
    "sample.a*",
    "sample.h*",
    "sample.J",
    "sample.slopes*",
    "sample.vD*",
    "sample.DW*",
    "sample.gradient*",
    "order.layers",
    "order.width.n*",
    "order.depth.layers*",
    "order.depth.n",
    "order.outputs.m*",
    "order.one_input.m",
)
CLAIMS = (
    Claim(
        id="chain-rule-two-orders-of-the-example",
        en=r"For the chain of a row ($1 \times 2$) and two matrices ($2 \times 2$ and "
        r"$2 \times 3$), the product takes {{ chain_rule.sample.left }} multiplications from the "
        "left and {{ chain_rule.sample.right }} from the right.",
        zh=r"一个行向量（$1 \times 2$）与两个矩阵（$2 \times 2$ 和 $2 \times 3$）连乘，从左往右要 "
        "{{ chain_rule.sample.left }} 次乘法，从右往左要 {{ chain_rule.sample.right }} 次。",
        criterion="sample.left == 1 * 2 * 2 + 1 * 2 * 3 and sample.right == 2 * 2 * 3 + 1 * 2 * 3",
        covers=("sample.left", "sample.right"),
        exact="count",
    ),
    Claim(
        id="chain-rule-counts-equal-formulas",
        en="With one output, the multiplications counted while the product is evaluated are "
        "exactly $(L - 1) n^2$ from the left and $(L - 2) n^3 + n^2$ from the right, at every "
        "width and every number of Jacobians in the figure.",
        zh="只有一个输出时，计算乘积的过程中数出的乘法次数，从左往右恰好是 $(L - 1) n^2$，从右往"
        "左恰好是 $(L - 2) n^3 + n^2$，图中每个宽度、每个雅可比矩阵个数都是如此。",
        criterion="order.width.left == [(order.layers - 1) * n**2 for n in order.width.n]"
        " and order.width.right == [(order.layers - 2) * n**3 + n**2 for n in order.width.n]"
        " and order.depth.left == [(L - 1) * order.depth.n**2 for L in order.depth.layers]"
        " and order.depth.right"
        " == [(L - 2) * order.depth.n**3 + order.depth.n**2 for L in order.depth.layers]",
        covers=(
            "order.width.left*",
            "order.width.right*",
            "order.depth.left*",
            "order.depth.right*",
        ),
        exact="count",
        figure="chain_rule",
    ),
    Claim(
        id="chain-rule-reverse-gains-with-width",
        en="With one output and {{ chain_rule.order.layers }} Jacobians, the order from the right "
        "costs {{ chain_rule.order.width.ratio[3] | .1f }} times as much as the one from the left "
        "at $n = {{ chain_rule.order.width.n[3] }}$ and "
        "{{ chain_rule.order.width.ratio[4] | .1f }} times as much at "
        "$n = {{ chain_rule.order.width.n[4] }}$: the ratio grows with the width. With more "
        "Jacobians it grows too, ever more slowly, and stays below $n$.",
        zh="只有一个输出、{{ chain_rule.order.layers }} 个雅可比矩阵时，从右往左的代价在 "
        "$n = {{ chain_rule.order.width.n[3] }}$ 时是从左往右的 "
        "{{ chain_rule.order.width.ratio[3] | .1f }} 倍，在 "
        "$n = {{ chain_rule.order.width.n[4] }}$ 时是 {{ chain_rule.order.width.ratio[4] | .1f }}"
        " 倍：倍数随宽度增长。雅可比矩阵增多时它也增长，但越来越慢，并且始终小于 $n$。",
        criterion="order.width.ratio[4] > 1.9 * order.width.ratio[3] and order.width.ratio == "
        "sorted(order.width.ratio) and order.depth.ratio == sorted(order.depth.ratio) and "
        "max(order.depth.ratio) < order.depth.n and all(order.depth.ratio[k + 2] - "
        "order.depth.ratio[k + 1] < order.depth.ratio[k + 1] - order.depth.ratio[k] for k in (0, "
        "1, 2, 3))",
        covers=("order.width.ratio*", "order.depth.ratio*"),
        exact="count",
        figure="chain_rule",
    ),
    Claim(
        id="chain-rule-shorter-end-wins",
        en="With {{ chain_rule.order.outputs.n }} inputs, the order from the left takes fewer "
        "multiplications below {{ chain_rule.order.outputs.m[6] }} outputs, as many at "
        "{{ chain_rule.order.outputs.m[6] }}, and more beyond. With one input and "
        "{{ chain_rule.order.one_input.m }} outputs the counts of the opposite case, one output, "
        "change places: {{ chain_rule.order.one_input.left }} from the left, "
        "{{ chain_rule.order.one_input.right }} from the right.",
        zh="有 {{ chain_rule.order.outputs.n }} 个输入时，输出少于 "
        "{{ chain_rule.order.outputs.m[6] }} 个则从左往右的乘法较少，等于 "
        "{{ chain_rule.order.outputs.m[6] }} 个则两边一样多，再多则从左往右的较多。只有一个输入、"
        "{{ chain_rule.order.one_input.m }} 个输出时，次数与只有一个输出时正好对调：从左往右 "
        "{{ chain_rule.order.one_input.left }} 次，从右往左 "
        "{{ chain_rule.order.one_input.right }} 次。",
        criterion="[r > 1 for r in order.outputs.ratio]"
        " == [m < order.outputs.n for m in order.outputs.m]"
        " and [r < 1 for r in order.outputs.ratio]"
        " == [m > order.outputs.n for m in order.outputs.m]"
        " and order.one_input.left == order.width.right[3]"
        " and order.one_input.right == order.width.left[3]",
        covers=("order.outputs.*", "order.one_input.*"),
        exact="count",
        figure="chain_rule",
    ),
    Claim(
        id="chain-rule-backward-is-a-vjp",
        en="Over {{ chain_rule.check.cases }} random networks with two layers, "
        "`backward(gradient=v)`, the product of $v$ with the full Jacobian, and the product "
        "without a matrix agree within ${{ chain_rule.check.torch | sci0 }}$ of its length; "
        "central differences agree within ${{ chain_rule.check.central | sci0 }}$ for the VJP and "
        "within ${{ chain_rule.check.forward | sci0 }}$ for the JVP.",
        zh="在 {{ chain_rule.check.cases }} 个随机的两层网络上，`backward(gradient=v)`、$v$ 与完"
        "整雅可比矩阵的乘积、不造出矩阵的乘积，三者的相对差不超过 "
        "${{ chain_rule.check.torch | sci0 }}$；与中心差分相比，VJP 的相对差不超过 "
        "${{ chain_rule.check.central | sci0 }}$，JVP 不超过 "
        "${{ chain_rule.check.forward | sci0 }}$。",
        criterion="max(check.difference.torch.max, check.difference.jacobian.max)"
        " <= check.torch <= 1e-10"
        " and check.difference.central.max <= check.central <= 1e-6"
        " and check.difference.forward.max <= check.forward <= 1e-6",
        covers=("check.*",),
        runs="check.cases",
        spread=("check.difference.torch.min", "check.difference.torch.max"),
        figure="chain_rule_agreement",
    ),
    Claim(
        id="chain-rule-one-reverse-pass",
        en="For {{ chain_rule.passes.functions }} random functions of "
        "{{ chain_rule.passes.inputs }} inputs, {{ chain_rule.passes.reverse_passes }} reverse "
        "pass through the graph of scalars gives the same gradient as "
        "{{ chain_rule.passes.forward_passes }} forward passes.",
        zh="对 {{ chain_rule.passes.functions }} 个有 {{ chain_rule.passes.inputs }} 个输入的随机"
        "函数，在标量计算图上反向走 {{ chain_rule.passes.reverse_passes }} 遍，得到的梯度与前向走"
        " {{ chain_rule.passes.forward_passes }} 遍相同。",
        criterion="passes.difference.max < 1e-12 and passes.reverse_passes == 1"
        " and passes.forward_passes == passes.inputs",
        covers=("passes.*",),
        runs="passes.functions",
        spread=("passes.difference.min", "passes.difference.max"),
        figure="chain_rule_agreement",
    ),
)

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


def check(cases: int = 50) -> dict[str, Any]:
    """Random networks y = W_2 tanh(W_1 x + b_1): four ways to v' dy/dx, two to dy/dx t."""
    import torch

    rng = np.random.default_rng(0)
    differences: dict[str, list[float]] = {
        name: [] for name in ("jacobian", "torch", "central", "forward")
    }
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
            differences[name].append(float(np.linalg.norm(other - pulled)) / norm)
        error = float(np.linalg.norm(along - pushed) / np.linalg.norm(pushed))
        differences["forward"].append(error)
    return {
        "cases": cases,
        "difference": {name: spread(found) for name, found in differences.items()},
        **{name: bound(max(found)) for name, found in differences.items()},
    }


def passes(inputs: int = 20, functions: int = 20) -> dict[str, Any]:
    """Functions of many inputs in the scalar graph: one reverse pass, many forward passes."""
    differences = []
    for seed in range(functions):
        rng = np.random.default_rng(seed)
        x = [Value(number) for number in rng.normal(size=inputs)]
        total = Value(0.0)
        for number, weight in zip(x, rng.normal(size=inputs), strict=True):
            total = total + weight * number
        y = total.tanh() * total
        reverse = vjp(y, x)
        forward = [jvp(y, {leaf: 1.0}) for leaf in x]
        gap = np.linalg.norm(np.subtract(reverse, forward)) / np.linalg.norm(forward)
        differences.append(float(gap))
    return {
        "inputs": inputs,
        "functions": functions,
        "reverse_passes": 1,
        "forward_passes": len(forward),
        "difference": spread(differences),
    }


def run() -> dict[str, Any]:
    """All claims of the page."""
    return {"sample": sample(), "order": order(), "check": check(), "passes": passes()}


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    """Counted multiplications, and the agreement of several ways to the same product."""
    return {
        "chain_rule": _draw_order(result, lang),
        "chain_rule_agreement": _draw_agreement(result, lang),
    }


def _draw_agreement(result: dict[str, Any], lang: str) -> Any:
    """How far the other ways are from the products without a matrix."""
    words = {
        "en": {
            "torch": "VJP: backward(gradient=v)",
            "jacobian": "VJP: v times the Jacobian",
            "passes": "VJP: one JVP per input",
            "central": "VJP: central differences",
            "forward": "JVP: central difference",
            "x": "relative difference",
        },
        "zh": {
            "torch": "VJP：backward(gradient=v)",
            "jacobian": "VJP：v 乘雅可比矩阵",
            "passes": "VJP：每个输入一次 JVP",
            "central": "VJP：中心差分",
            "forward": "JVP：中心差分",
            "x": "相对差",
        },
    }[lang]
    found = result["check"]["difference"] | {"passes": result["passes"]["difference"]}
    bars = [Bar(words[name], found[name]) for name in ("torch", "jacobian", "passes")]
    bars += [Bar(words[name], found[name], style.BACKWARD) for name in ("central", "forward")]
    return draw_ranges(bars, words["x"])


def _draw_order(result: dict[str, Any], lang: str) -> Any:
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
