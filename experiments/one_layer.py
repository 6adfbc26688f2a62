"""One layer by hand: a worked number, the gradient in two layouts, and the transposed one.

Claims, and how each is measured:

* ``sample``: every number of one forward pass, one backward pass and one update of a single
  sigmoid neuron with two inputs.
* ``check``: the gradients agree with central differences and PyTorch on random layers with
  m = 1, 2, 3 outputs, in both conventions (W x with W of shape (m, d), W' x with (d, m)).
* ``transposed``: the article prints x' where W' x needs x delta': the printed value is exactly
  the transpose of the gradient, and ``W - lr * printed`` turns a (3, 1) array into (3, 3).
* ``silent``: training goes on with that array, without an error message, to a worse loss.
* ``jacobian``: d(W' x)/dW has three axes, (m, d, m).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import _agreement, style
from experiments._claim import Claim
from experiments._ranges import Bar, draw_ranges, exactly

RTOL = 1e-6

WORKED = (
    "sample.x*",
    "sample.y*",
    "sample.W*",
    "sample.b*",
    "sample.a",
    "sample.J",
    "sample.error",
    "sample.slope",
    "sample.delta",
    "sample.d*",
    "silent.steps",
    "silent.seeds",
)
CLAIMS = (
    Claim(
        id="one-layer-worked-neuron",
        en="In the worked neuron the difference quotient for $W_{11}$ is "
        "${{ one_layer.sample.quotient | .6f }}$, the gradient by hand "
        "${{ one_layer.sample.dW[0] | .6f }}$; one step takes the loss from "
        "${{ one_layer.sample.J | .6f }}$ to ${{ one_layer.sample.J_new | .6f }}$.",
        zh="手算的神经元里，$W_{11}$ 的差商是 ${{ one_layer.sample.quotient | .6f }}$，"
        "手算的梯度是 ${{ one_layer.sample.dW[0] | .6f }}$；走一步，损失从 "
        "${{ one_layer.sample.J | .6f }}$ 降到 ${{ one_layer.sample.J_new | .6f }}$。",
        criterion="abs(sample.quotient - sample.dW[0]) < 1e-8 and sample.J_new < sample.J",
        covers=("sample.quotient", "sample.J*"),
        exact="arithmetic",
        figure="one_layer",
    ),
    Claim(
        id="one-layer-gradients-agree",
        en="In {{ one_layer.check.layers }} random layers no relative error of a gradient reaches "
        "${{ one_layer.check.central.below | sci0 }}$ against central differences or "
        "${{ one_layer.check.torch.below | sci0 }}$ against PyTorch.",
        zh="在 {{ one_layer.check.layers }} 个随机的层上，梯度的相对误差与中心差分相比都不到 "
        "${{ one_layer.check.central.below | sci0 }}$，与 PyTorch 相比都不到 "
        "${{ one_layer.check.torch.below | sci0 }}$。",
        criterion="check.central.below <= 1e-6 and check.torch.below <= 1e-10",
        covers=("check.layers", "check.central.*", "check.torch.*"),
        runs="check.layers",
        spread=("check.torch.least", "check.torch.below"),
        figure="one_layer_check",
    ),
    Claim(
        id="one-layer-printed-is-the-transpose",
        en="For one output the printed gradient is the transpose of the true one: in "
        "{{ one_layer.check.layers }} random layers the relative difference stays below "
        "${{ one_layer.check.transpose.below | sci0 }}$.",
        zh="只有一个输出时，印出的梯度是真实梯度的转置：在 {{ one_layer.check.layers }} "
        "个随机的层上，相对差都不到 ${{ one_layer.check.transpose.below | sci0 }}$。",
        criterion="check.transpose.below <= 1e-10",
        covers=("check.transpose.*",),
        runs="check.layers",
        spread=("check.transpose.least", "check.transpose.below"),
        figure="one_layer_check",
    ),
    Claim(
        id="one-layer-derivative-by-a-matrix-has-three-axes",
        en="PyTorch gives the derivative of $W^\\top x$ by $W$, with $d = 3$, the shape "
        "`{{ one_layer.jacobian.m1 }}` for one output and `{{ one_layer.jacobian.m2 }}` for two.",
        zh="取 $d = 3$，PyTorch 给出的 $W^\\top x$ 对 $W$ 的导数，一个输出时形状为 "
        "`{{ one_layer.jacobian.m1 }}`，两个输出时为 `{{ one_layer.jacobian.m2 }}`。",
        criterion="jacobian.m1 == '(1, 3, 1)' and jacobian.m2 == '(2, 3, 2)'",
        covers=("jacobian.*",),
        exact="deterministic",
    ),
    Claim(
        id="one-layer-wrong-shape-trains-in-silence",
        en="With a transposed gradient the loop runs to its end, and the loss is higher than with "
        "the right one in {{ one_layer.silent.higher }} of {{ one_layer.silent.seeds }} runs, in "
        "{{ one_layer.silent.rose }} even higher than at its start: the median rises from "
        "${{ one_layer.silent.start.median | .3f }}$ to "
        "${{ one_layer.silent.printed.median | .3f }}$, where the right gradient brings it to "
        "${{ one_layer.silent.right.median | .5f }}$.",
        zh="用转置的梯度，循环照样运行到结束；{{ one_layer.silent.seeds }} 次运行中有 "
        "{{ one_layer.silent.higher }} 次，损失高于用正确的梯度，其中 {{ one_layer.silent.rose }} "
        "次甚至高于起点：中位数从 ${{ one_layer.silent.start.median | .3f }}$ 升到 "
        "${{ one_layer.silent.printed.median | .3f }}$，而正确的梯度使它降到 "
        "${{ one_layer.silent.right.median | .5f }}$。",
        criterion="silent.shape_output == '(50, 3)' and silent.higher == silent.seeds and "
        "silent.rose > silent.seeds / 2 and silent.printed.median > silent.start.median > "
        "silent.right.median",
        covers=("silent.*",),
        runs="silent.seeds",
        spread=("silent.printed.min", "silent.printed.max"),
        figure="one_layer_silent",
    ),
)

Array = NDArray[np.float64]


def sigmoid(a: Array) -> Array:
    """Stable for every a."""
    return 0.5 * (1.0 + np.tanh(0.5 * a))


def slope(a: Array) -> Array:
    """Derivative of the sigmoid at the pre-activation."""
    s = sigmoid(a)
    return s * (1.0 - s)


def loss(W: Array, b: Array, X: Array, Y: Array) -> float:
    """J = 1/(2N) sum of squared norms, with Y_hat = sigma(X W' + b)."""
    return float(np.sum((sigmoid(X @ W.T + b) - Y) ** 2) / (2 * len(X)))


def gradients(W: Array, b: Array, X: Array, Y: Array) -> tuple[Array, Array, Array]:
    """(Delta, dJ/dW, dJ/db) in the row-major batch form."""
    A = X @ W.T + b
    Delta = (sigmoid(A) - Y) * slope(A) / len(X)
    return Delta, Delta.T @ X, Delta.sum(axis=0)


def sample() -> dict[str, Any]:
    """The worked number of the page: d = 2, m = 1, N = 1."""
    x, y = np.array([[1.0, 2.0]]), np.array([[1.0]])
    W, b, rate = np.array([[0.6, -0.4]]), np.array([0.1]), 1.0
    A = x @ W.T + b
    Delta, dW, db = gradients(W, b, x, y)
    W_new, b_new = W - rate * dW, b - rate * db
    return {
        "x": x[0].tolist(),
        "y": float(y[0, 0]),
        "W": W[0].tolist(),
        "b": float(b[0]),
        "rate": rate,
        "a": float(A[0, 0]),
        "y_hat": float(sigmoid(A)[0, 0]),
        "error": float(sigmoid(A)[0, 0] - y[0, 0]),
        "slope": float(slope(A)[0, 0]),
        "J": loss(W, b, x, y),
        "delta": float(Delta[0, 0]),
        "dW": dW[0].tolist(),
        "db": float(db[0]),
        "dx": (Delta @ W)[0].tolist(),
        "W_new": W_new[0].tolist(),
        "b_new": float(b_new[0]),
        "J_new": loss(W_new, b_new, x, y),
        "J_above": loss(W + np.array([[1e-5, 0.0]]), b, x, y),
        "J_below": loss(W - np.array([[1e-5, 0.0]]), b, x, y),
        "quotient": float(_agreement.central(lambda: loss(W, b, x, y), W)[0, 0]),
    }


def check(layers: int = 100) -> dict[str, Any]:
    """Relative errors of the gradients, and how far the printed value is from the transpose."""
    import torch

    rng = np.random.default_rng(0)
    errors: dict[str, list[float]] = {"central": [], "torch": [], "transpose": []}
    for _ in range(layers):
        N, d, m = int(rng.integers(2, 9)), int(rng.integers(2, 6)), int(rng.integers(1, 4))
        X, Y = rng.normal(size=(N, d)), rng.uniform(size=(N, m))
        W, b = rng.normal(size=(m, d)), rng.normal(size=m)
        Delta, dW, db = gradients(W, b, X, Y)

        tW = torch.tensor(W, requires_grad=True)
        tb = torch.tensor(b, requires_grad=True)
        output = torch.sigmoid(torch.nn.functional.linear(torch.tensor(X), tW, tb))
        (((output - torch.tensor(Y)) ** 2).sum() / (2 * N)).backward()

        def f(W: Array = W, b: Array = b, X: Array = X, Y: Array = Y) -> float:
            return loss(W, b, X, Y)

        for ours, parameter, theirs in ((dW, W, tW), (db, b, tb)):
            errors["central"].append(_agreement.relative(ours, _agreement.central(f, parameter)))
            errors["torch"].append(_agreement.relative(ours, _agreement.stored(theirs)))

        # W' x convention: V = W', gradient X' Delta; the article's product is its transpose.
        printed = np.sum([np.outer(Delta[i], X[i]) for i in range(N)], axis=0)
        right = X.T @ Delta
        errors["transpose"].append(_agreement.relative(printed.T, right))
    floors = {"central": 1e-7, "torch": 1e-12, "transpose": 1e-15}
    spreads = {judge: _agreement.spread(errors[judge], floors[judge]) for judge in floors}
    return {"layers": layers, **spreads}


def silent(seeds: int = 20, steps: int = 500, rate: float = 0.5) -> dict[str, Any]:
    """W - rate * printed with W of shape (3, 1): what happens to shape and loss."""
    right_end: list[float] = []
    wrong_end: list[float] = []
    right_out: list[int] = []
    wrong_out: list[int] = []
    shapes: list[list[int]] = []
    starts = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(50, 3))
        teacher = 2.0 * rng.normal(size=(3, 1))
        Y = sigmoid(X @ teacher + 0.5)
        start = rng.normal(size=(3, 1))
        for printed, ends in ((False, right_end), (True, wrong_end)):
            V, b = start.copy(), np.zeros(1)
            for step in range(steps):
                Y_hat = sigmoid(X @ V + b)
                Delta = (Y_hat - Y) * Y_hat * (1.0 - Y_hat) / len(X)
                if step == 0 and not printed:
                    starts.append(float(np.sum((Y_hat - Y) ** 2) / (2 * len(X))))
                gradient = Delta.T @ X if printed else X.T @ Delta
                V = V - rate * gradient
                b = b - rate * Delta.sum(axis=0)
                if seed == 0 and printed and step == 0:
                    shapes = [list(start.shape), list(gradient.shape), list(V.shape)]
                    shapes.append(list((X @ V + b).shape))
            # One column is what the reader looks at; all columns count for the mean loss.
            final = sigmoid(X @ V + b)
            ends.append(float(np.mean(np.sum((final - Y) ** 2, axis=0) / (2 * len(X)))))
            (wrong_out if printed else right_out).append(final.shape[1])
    return {
        "seeds": seeds,
        "steps": steps,
        "shape_parameter": _shape(shapes[0]),
        "shape_printed": _shape(shapes[1]),
        "shape_after": _shape(shapes[2]),
        "shape_output": _shape(shapes[3]),
        "outputs": {"right": right_out[0], "printed": wrong_out[0]},
        "start": exactly(starts),
        "right": exactly(right_end),
        "printed": exactly(wrong_end),
        "higher": sum(w > r for w, r in zip(wrong_end, right_end, strict=True)),
        "rose": sum(w > s for w, s in zip(wrong_end, starts, strict=True)),
    }


def _shape(shape: list[int]) -> str:
    return "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"


def jacobian() -> dict[str, Any]:
    """Shape of d(W' x)/dW, by PyTorch, for m = 1 and m = 2."""
    import torch

    out = {}
    for m in (1, 2):
        x = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
        V = torch.zeros(3, m, dtype=torch.float64)
        J = torch.autograd.functional.jacobian(lambda V, x=x: V.T @ x, V)
        out[f"m{m}"] = _shape(list(J.shape))
    return out


def run() -> dict[str, Any]:
    """All claims of the page."""
    return {"sample": sample(), "check": check(), "silent": silent(), "jacobian": jacobian()}


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    """The worked neuron, the agreement of the gradients, the runs with a wrong shape."""
    rows = {
        "en": ("central differences", "PyTorch", "printed, transposed"),
        "zh": ("中心差分", "PyTorch", "印出的，转置后"),
    }[lang]
    check = result["check"]
    judges = (check["central"], check["torch"], check["transpose"])
    return {
        "one_layer": _draw_neuron(result, lang),
        "one_layer_check": _agreement.figure(dict(zip(rows, judges, strict=True)), lang),
        "one_layer_silent": _draw_silent(result, lang),
    }


def _draw_silent(result: dict[str, Any], lang: str) -> Any:
    """Losses before and after the training runs."""
    t = {
        "en": ("start", "right gradient", "wrong shape", "loss"),
        "zh": ("开始", "正确的梯度", "错误的形状", "损失"),
    }[lang]
    found = result["silent"]
    colors = (style.MUTED, style.GOOD, style.BAD)
    keys = ("start", "right", "printed")
    bars = [Bar(row, found[k], c) for row, k, c in zip(t[:3], keys, colors, strict=True)]
    return draw_ranges(bars, t[3])


def _draw_neuron(result: dict[str, Any], lang: str) -> Any:
    """One neuron with its numbers: values forward, gradients backward."""
    words = {
        "en": ("forward: value", "backward: gradient of J"),
        "zh": ("前向：数值", "反向：J 的梯度"),
    }[lang]
    s = result["sample"]

    def num(value: float, digits: int = 3) -> str:
        return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")

    fig, ax = style.diagram(7.6, 3.3)
    left = [
        (2.62, f"x₁ = {num(s['x'][0], 1)}", f"W₁₁ = {num(s['W'][0], 1)}", s["dW"][0], s["dx"][0]),
        (1.42, f"x₂ = {num(s['x'][1], 1)}", f"W₁₂ = {num(s['W'][1], 1)}", s["dW"][1], s["dx"][1]),
    ]
    boxes = ((2.9, "a = W x + b"), (4.75, "ŷ = σ(a)"), (6.5, "J"))
    y, h = 1.42, 0.56
    widths = (1.15, 1.05, 0.55)
    for (x, text), w in zip(boxes, widths, strict=True):
        style.box(ax, x, y, w, h, text)
    middle = y + h / 2
    for top, x_text, w_text, dw, dx in left:
        level = top + 0.02
        ax.text(0.12, level + 0.12, x_text, color=style.FORWARD, fontsize=9.5, va="center")
        ax.text(0.12, level - 0.12, num(dx), color=style.BACKWARD, fontsize=9.5, va="center")
        ax.text(1.1, level + 0.12, w_text, color=style.FORWARD, fontsize=9.5, va="center")
        ax.text(1.1, level - 0.12, num(dw), color=style.BACKWARD, fontsize=9.5, va="center")
        end = middle + (0.12 if level > middle else -0.02)
        style.arrow(ax, (2.15, level), (2.88, end), color=style.MUTED, linewidth=1.1)
    ax.text(1.1, 0.64, f"b = {num(s['b'], 1)}", color=style.FORWARD, fontsize=9.5, va="center")
    ax.text(1.1, 0.40, num(s["db"]), color=style.BACKWARD, fontsize=9.5, va="center")
    style.arrow(ax, (2.15, 0.52), (2.88, middle - 0.17), color=style.MUTED, linewidth=1.1)
    spans = ((4.06, 4.74, s["a"], s["delta"]), (5.81, 6.49, s["y_hat"], s["error"]))
    for x0, x1, value, gradient in spans:
        style.arrow(ax, (x0, middle), (x1, middle), color=style.MUTED, linewidth=1.1)
        center = (x0 + x1) / 2
        ax.text(center, middle + 0.2, num(value), color=style.FORWARD, fontsize=9.5, ha="center")
        ax.text(
            center, middle - 0.3, num(gradient), color=style.BACKWARD, fontsize=9.5, ha="center"
        )
    ax.text(6.775, 2.12, num(s["J"]), color=style.FORWARD, fontsize=9.5, ha="center")
    ax.text(6.775, 1.12, f"y = {num(s['y'], 0)}", color=style.INK, fontsize=9.5, ha="center")
    ax.text(5.2, 3.02, words[0], color=style.FORWARD, fontsize=9.5, va="center")
    ax.text(5.2, 2.76, words[1], color=style.BACKWARD, fontsize=9.5, va="center")
    return fig
