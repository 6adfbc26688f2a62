"""Softmax and cross-entropy by hand: three classes, the Jacobian, and its diagonal alone.

Claims, and how each is measured:

* ``sample``: every number of one sample with three classes: exponentials, probabilities, loss,
  Jacobian of the softmax, gradient by way of the Jacobian and as p - y, difference quotient.
* ``smoothing``: the same logits with label smoothing.
* ``check``: over random batches, the gradients of logits, weights, bias and input agree with
  central differences and PyTorch; row sums of the Jacobian; its smallest eigenvalue.
* ``diagonal``: what is left of the gradient when the softmax is differentiated like a sigmoid,
  element by element: exact at the right class and zero at the others under cross-entropy, wrong
  everywhere under the half mean squared error. A linear classifier still learns with it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import style

Array = NDArray[np.float64]


def softmax(A: Array) -> Array:
    """Softmax of each row, with the largest logit subtracted."""
    weights = np.exp(A - A.max(axis=-1, keepdims=True))
    out: Array = weights / weights.sum(axis=-1, keepdims=True)
    return out


def jacobian(p: Array) -> Array:
    """Diag(p) - p p' of one sample."""
    return np.diag(p) - np.outer(p, p)


def loss(A: Array, Q: Array) -> float:
    """Mean over the samples of -sum_k q_k log p_k, by log-sum-exp."""
    top = A.max(axis=1, keepdims=True)
    log_sum = top + np.log(np.exp(A - top).sum(axis=1, keepdims=True))
    return float(np.sum(Q * (log_sum - A)) / len(A))


def sample() -> dict[str, Any]:
    """One sample with three classes; the second one is right."""
    a, y = np.array([2.0, 1.0, -1.0]), np.array([0.0, 1.0, 0.0])
    exponentials = np.exp(a)
    p = exponentials / exponentials.sum()
    D = jacobian(p)
    grad_p = 0.0 - y / p
    step = np.array([1e-5, 0.0, 0.0])
    above, below = (loss((a + s)[None], y[None]) for s in (step, -step))
    a_new = a - (p - y)
    return {
        "a": a.tolist(),
        "y": y.tolist(),
        "exp": exponentials.tolist(),
        "sum": float(exponentials.sum()),
        "p": p.tolist(),
        "J": loss(a[None], y[None]),
        "grad_p": grad_p.tolist(),
        "jacobian": D.tolist(),
        "by_jacobian": (D.T @ grad_p).tolist(),
        "delta": (p - y).tolist(),
        "delta_sum": abs(float(np.sum(p - y))),
        "quotient": (above - below) / 2e-5,
        "J_new": loss(a_new[None], y[None]),
        "p_new": softmax(a_new).tolist(),
    }


def smoothing(epsilon: float = 0.1) -> dict[str, Any]:
    """The sample again with smoothed labels."""
    a, y = np.array([2.0, 1.0, -1.0]), np.array([0.0, 1.0, 0.0])
    q = (1 - epsilon) * y + epsilon / 3
    best = np.log(q)  # logits whose softmax is q
    return {
        "epsilon": epsilon,
        "q": q.tolist(),
        "delta": (softmax(a) - q).tolist(),
        "J": loss(a[None], q[None]),
        "J_min": loss(best[None], q[None]),
        "gap": float(best[1] - best[0]),
    }


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


def _relative(estimate: Array, truth: Array) -> float:
    return float(np.linalg.norm(estimate - truth) / np.linalg.norm(truth))


def _bound(value: float) -> float:
    """A power of ten at least three times larger: rounding noise differs between CPUs."""
    return float(f"1e{int(np.ceil(np.log10(3.0 * value)))}")


def check(batches: int = 100) -> dict[str, Any]:
    """Largest relative errors of the batch formulas, and the properties of the Jacobian."""
    import torch

    rng = np.random.default_rng(0)
    worst = {"central": 0.0, "torch": 0.0, "jacobian": 0.0}
    smallest = 0.0
    for _ in range(batches):
        N, d, m = int(rng.integers(2, 7)), int(rng.integers(2, 6)), int(rng.integers(2, 6))
        X, labels = rng.normal(size=(N, d)), rng.integers(0, m, size=N)
        W, b = rng.normal(size=(m, d)), rng.normal(size=m)
        Y = np.eye(m)[labels]
        P = softmax(X @ W.T + b)
        Delta = (P - Y) / N
        hand = {"X": Delta @ W, "W": Delta.T @ X, "b": Delta.sum(axis=0)}

        tX, tW, tb = (torch.tensor(v, requires_grad=True) for v in (X, W, b))
        logits = torch.nn.functional.linear(tX, tW, tb)
        torch.nn.functional.cross_entropy(logits, torch.tensor(labels)).backward()
        for name, parameter, theirs in (("X", X, tX), ("W", W, tW), ("b", b, tb)):

            def f(X: Array = X, W: Array = W, b: Array = b, Y: Array = Y) -> float:
                return loss(X @ W.T + b, Y)

            ours = hand[name]
            worst["central"] = max(worst["central"], _relative(ours, _central(f, parameter)))
            worst["torch"] = max(worst["torch"], _relative(ours, np.asarray(theirs.grad)))

        a = X[0] @ W.T + b
        columns = [
            (softmax(a + 1e-5 * e) - softmax(a - 1e-5 * e)) / 2e-5 for e in np.eye(m)
        ]  # column j: derivative by a_j
        D = jacobian(P[0])
        worst["jacobian"] = max(worst["jacobian"], _relative(D, np.stack(columns, axis=1)))
        smallest = min(smallest, float(np.linalg.eigvalsh(D)[0]))
    bounds = {key: _bound(value) for key, value in worst.items()}
    return {"batches": batches, **bounds, "eigenvalue_above": -_bound(-smallest)}


def diagonal(batches: int = 100, seeds: int = 20, steps: int = 200) -> dict[str, Any]:
    """The gradient by p (1 - p) element by element, against the true one."""
    rng = np.random.default_rng(1)
    N, m = 8, 5
    right, others, ce, mse = 0.0, 0.0, [], []
    for _ in range(batches):
        P = softmax(rng.normal(size=(N, m)))
        labels = rng.integers(0, m, size=N)
        Y = np.eye(m)[labels]
        slope = P * (1 - P)
        true = (P - Y) / N
        wrong = (-Y / P / N) * slope
        right = max(right, float(np.abs((wrong - true)[Y == 1]).max()))
        others = max(others, float(np.abs(wrong[Y == 0]).max()))
        ce.append(_relative(wrong, true))
        G = (P - Y) / N  # gradient of the half mean squared error by p
        true = P * (G - np.sum(G * P, axis=1, keepdims=True))
        mse.append(_relative(G * slope, true))
    ends: dict[bool, list[float]] = {False: [], True: []}
    starts = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, 3, size=150)
        X = rng.normal(size=(150, 2)) + rng.normal(size=(3, 2))[labels]
        Y = np.eye(3)[labels]
        for only_diagonal in (False, True):
            W, b = np.zeros((3, 2)), np.zeros(3)
            for _ in range(steps):
                P = softmax(X @ W.T + b)
                Delta = (P - Y) / len(X)
                if only_diagonal:
                    Delta = Y * Delta  # what -y / p times p (1 - p) leaves
                W, b = W - 0.5 * Delta.T @ X, b - 0.5 * Delta.sum(axis=0)
            ends[only_diagonal].append(loss(X @ W.T + b, Y))
        starts.append(loss(np.zeros((150, 3)), Y))
    return {
        "batches": batches,
        "seeds": seeds,
        "steps": steps,
        "start": float(np.median(starts)),
        "end_right": float(np.median(ends[False])),
        "end_diagonal": float(np.median(ends[True])),
        "higher": sum(d > r for r, d in zip(ends[False], ends[True], strict=True)),
        "right_class": right,
        "other_classes": others,
        "cross_entropy": float(np.median(ce)),
        "half_mse": float(np.median(mse)),
    }


def run() -> dict[str, Any]:
    """All claims of the page."""
    return {
        "sample": sample(),
        "smoothing": smoothing(),
        "check": check(),
        "diagonal": diagonal(),
    }


def draw(result: dict[str, Any], lang: str) -> Any:
    """Left: the Jacobian of the softmax as a table. Right: p, y and their difference."""
    words = {
        "en": ("Jacobian: row k, column j", "probability p", "label y", "gradient p − y", "class"),
        "zh": ("雅可比矩阵：第 k 行，第 j 列", "概率 p", "标签 y", "梯度 p − y", "类别"),
    }[lang]
    s = result["sample"]
    fig, (left, right) = style.new_figure(7.4, 3.3, ncols=2, gridspec_kw={"width_ratios": [1, 1.3]})
    largest = max(abs(v) for row in s["jacobian"] for v in row)
    for k, row in enumerate(s["jacobian"]):
        for j, value in enumerate(row):
            colour = style.GOOD if value > 0 else style.BAD
            left.add_patch(
                _square(j, k, colour, alpha=0.12 + 0.4 * abs(value) / largest),
            )
            text = f"{value:.3f}".replace("-", "\N{MINUS SIGN}")
            left.text(j, k, text, ha="center", va="center", fontsize=10, color=style.INK)
    left.set_xlim(-0.5, 2.5)
    left.set_ylim(2.5, -0.5)
    left.set_aspect("equal")
    left.set_xticks(range(3), ["1", "2", "3"])
    left.set_yticks(range(3), ["1", "2", "3"])
    left.grid(False)
    left.set_title(words[0], fontsize=10)

    x = np.arange(3)
    bars = (
        (s["p"], style.FORWARD, words[1]),
        (s["y"], style.MUTED, words[2]),
        (s["delta"], style.BACKWARD, words[3]),
    )
    for shift, (values, colour, label) in zip((-0.27, 0.0, 0.27), bars, strict=True):
        right.bar(x + shift, values, width=0.25, color=colour, label=label)
    right.axhline(0, color=style.MUTED, linewidth=0.8)
    right.set_xticks(x, ["1", "2", "3"])
    right.set_ylim(-0.9, 1.15)
    right.set_xlabel(words[4])
    right.legend(loc="lower right", fontsize=8)
    return fig


def _square(j: int, k: int, colour: Any, alpha: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((j - 0.48, k - 0.48), 0.96, 0.96, color=colour, alpha=alpha, linewidth=0)
