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

from experiments import style

RTOL = 1e-6

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


def _central(f: Any, parameter: Array, eps: float = 1e-5) -> Array:
    out = np.empty_like(parameter)
    for index in np.ndindex(parameter.shape):
        keep = parameter[index]
        parameter[index] = keep + eps
        above = f()
        parameter[index] = keep - eps
        below = f()
        parameter[index] = keep
        out[index] = (above - below) / (2 * eps)
    return out


def _grad(tensor: Any) -> Array:
    """What PyTorch stored in .grad."""
    return np.asarray(tensor.grad)


def _relative(estimate: Array, truth: Array) -> float:
    return float(np.linalg.norm(estimate - truth) / np.linalg.norm(truth))


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
        "quotient": float(_central(lambda: loss(W, b, x, y), W)[0, 0]),
    }


def check(layers: int = 100) -> dict[str, Any]:
    """Largest relative errors, and how far the printed value is from the transpose."""
    import torch

    rng = np.random.default_rng(0)
    worst = {"central": 0.0, "torch": 0.0, "transpose": 0.0}
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
            worst["central"] = max(worst["central"], _relative(ours, _central(f, parameter)))
            worst["torch"] = max(worst["torch"], _relative(ours, _grad(theirs)))

        # W' x convention: V = W', gradient X' Delta; the article's product is its transpose.
        printed = np.sum([np.outer(Delta[i], X[i]) for i in range(N)], axis=0)
        right = X.T @ Delta
        worst["transpose"] = max(worst["transpose"], _relative(printed.T, right))
    # Rounding noise differs between CPUs: a power of ten that is at least three times larger.
    bounds = {k: float(f"1e{int(np.ceil(np.log10(3.0 * v)))}") for k, v in worst.items()}
    return {"layers": layers, **bounds}


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
        "start": float(np.median(starts)),
        "right": float(np.median(right_end)),
        "printed": float(np.median(wrong_end)),
        "printed_min": float(np.min(wrong_end)),
        "printed_max": float(np.max(wrong_end)),
        "ratio": float(np.median(wrong_end) / np.median(right_end)),
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


def draw(result: dict[str, Any], lang: str) -> Any:
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
