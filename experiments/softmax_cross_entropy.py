"""Softmax and cross-entropy by hand: three classes, the Jacobian, and its diagonal alone.

Claims, and how each is measured:

* ``sample``: every number of one sample with three classes: exponentials, probabilities, loss,
  Jacobian of the softmax, gradient by way of the Jacobian and as p - y, difference quotient.
* ``smoothing``: the same logits with label smoothing.
* ``check``: over random batches, the gradients of logits, weights, bias and input agree with
  central differences and PyTorch; row sums of the Jacobian; its smallest eigenvalue.
* ``diagonal``: what is left of the gradient when the softmax is differentiated like a sigmoid,
  element by element: exact at the right class and zero at the others under cross-entropy, wrong
  everywhere under the half mean squared error. A gradient check of the softmax alone
  notices it.
* ``training``: a linear classifier that is trained with it, against the true gradient.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpref.gradcheck import check_gradients
from experiments import _agreement, style
from experiments._claim import Claim

WORKED = (
    "sample.a*",
    "sample.exp*",
    "sample.sum",
    "sample.p[*",
    "sample.grad_p*",
    "sample.jacobian*",
    "smoothing.epsilon",
    "smoothing.q*",
    "smoothing.delta[*",
    "training.steps",
)
CLAIMS = (
    Claim(
        id="softmax-cross-entropy-worked-sample",
        en="In the worked sample the way by the Jacobian and $p - y$ give the same gradient, and "
        "the difference quotient of the first logit is "
        "${{ softmax_cross_entropy.sample.quotient | .6f }}$. One step lowers the loss from "
        "${{ softmax_cross_entropy.sample.J | .3f }}$ to "
        "${{ softmax_cross_entropy.sample.J_new | .3f }}$.",
        zh="在手算的样本里，经雅可比矩阵的算法与 $p - y$ 给出同样的梯度，第一个 logit 的差商是 "
        "${{ softmax_cross_entropy.sample.quotient | .6f }}$。走一步，损失从 "
        "${{ softmax_cross_entropy.sample.J | .3f }}$ 降到 "
        "${{ softmax_cross_entropy.sample.J_new | .3f }}$。",
        criterion="all(abs(sample.by_jacobian[k] - sample.delta[k]) < 1e-12 for k in (0, 1, 2)) "
        "and abs(sample.quotient - sample.delta[0]) < 1e-8 and sample.delta_sum < 1e-12 and "
        "sample.J_new < sample.J and sample.p_new[1] > sample.p[1]",
        covers=(
            "sample.by_jacobian*",
            "sample.delta*",
            "sample.quotient",
            "sample.J",
            "sample.J_new",
            "sample.p_new*",
        ),
        exact="arithmetic",
        figure="softmax_cross_entropy",
    ),
    Claim(
        id="softmax-cross-entropy-smoothing-finite-optimum",
        en="With smoothed labels the gradient vanishes at finite logits, for the sample with the "
        "right class ${{ softmax_cross_entropy.smoothing.gap | .3f }}$ above the others. The loss "
        "there is the entropy of the target, ${{ softmax_cross_entropy.smoothing.J_min | .3f }}$.",
        zh="标签平滑之后，梯度在有限的 logits 处为零：对手算的样本，正确类别比其余类别高 "
        "${{ softmax_cross_entropy.smoothing.gap | .3f }}$。那里的损失是目标的熵 "
        "${{ softmax_cross_entropy.smoothing.J_min | .3f }}$。",
        criterion="smoothing.delta_best < 1e-12 and 0 < smoothing.J_min < smoothing.J and "
        "abs(smoothing.J_min - smoothing.entropy) < 1e-12",
        covers=("smoothing.gap", "smoothing.J_min"),
        exact="arithmetic",
    ),
    Claim(
        id="softmax-cross-entropy-gradients-agree",
        en="In {{ softmax_cross_entropy.check.batches }} random batches no relative error of a "
        "gradient reaches ${{ softmax_cross_entropy.check.central.below | sci0 }}$ against central "
        "differences or ${{ softmax_cross_entropy.check.torch.below | sci0 }}$ against PyTorch, "
        "and no Jacobian of softmax has a negative eigenvalue, up to rounding.",
        zh="在 {{ softmax_cross_entropy.check.batches }} 个随机批量上，梯度的相对误差与中心差分相比"
        "不到 ${{ softmax_cross_entropy.check.central.below | sci0 }}$，与 PyTorch 相比不到 "
        "${{ softmax_cross_entropy.check.torch.below | sci0 }}$；不计舍入误差，softmax "
        "的雅可比矩阵都没有负的特征值。",
        criterion="check.central.below <= 1e-6 and check.torch.below <= 1e-10 and "
        "check.jacobian.below <= 1e-5 and check.smallest_eigenvalue > -1e-12",
        covers=("check.*",),
        runs="check.batches",
        spread=("check.torch.least", "check.torch.below"),
        figure="softmax_cross_entropy_check",
    ),
    Claim(
        id="softmax-cross-entropy-diagonal-error",
        en="The diagonal of the Jacobian alone gives a wrong gradient in every batch with five "
        "classes: the median relative error is "
        "{{ softmax_cross_entropy.diagonal.cross_entropy.median | .2f }} with cross-entropy and "
        "{{ softmax_cross_entropy.diagonal.half_mse.median | .2f }} with the half mean squared "
        "error, the smallest {{ softmax_cross_entropy.diagonal.half_mse.least | .2f }}. A gradient "
        "check of the softmax alone finds it in {{ softmax_cross_entropy.diagonal.caught }} of "
        "{{ softmax_cross_entropy.diagonal.batches }} batches.",
        zh="只用雅可比矩阵的对角线，在每个五类的批量上得到的梯度都是错的：相对误差的中位数，"
        "配上交叉熵是 {{ softmax_cross_entropy.diagonal.cross_entropy.median | .2f }}，"
        "配上半均方误差是 {{ softmax_cross_entropy.diagonal.half_mse.median | .2f }}，最小的也有 "
        "{{ softmax_cross_entropy.diagonal.half_mse.least | .2f }}。单独对 softmax 做梯度检验，"
        "{{ softmax_cross_entropy.diagonal.batches }} 个批量中有 "
        "{{ softmax_cross_entropy.diagonal.caught }} 个查出了错误。",
        criterion="diagonal.caught == diagonal.batches and diagonal.right_class < 1e-12 and "
        "diagonal.other_classes == 0 and min(diagonal.cross_entropy.least, "
        "diagonal.half_mse.least) > 0.2",
        covers=("diagonal.*",),
        runs="diagonal.batches",
        spread=("diagonal.cross_entropy.least", "diagonal.cross_entropy.most"),
        figure="softmax_cross_entropy_diagonal",
    ),
    Claim(
        id="softmax-cross-entropy-diagonal-training",
        en="A linear classifier that is trained with the diagonal alone ends higher than with the "
        "true gradient in {{ softmax_cross_entropy.training.higher }} of "
        "{{ softmax_cross_entropy.training.seeds }} seeds, and its median loss, "
        "{{ softmax_cross_entropy.training.end.diagonal.median | .2f }}, is above the first loss "
        "{{ softmax_cross_entropy.training.start | .2f }}; with the true gradient no seed ends "
        "above it.",
        zh="只用对角线训练的线性分类器，{{ softmax_cross_entropy.training.seeds }} 个随机种子里有 "
        "{{ softmax_cross_entropy.training.higher }} 个的最终损失高于用真实梯度训练的；它的中位数 "
        "{{ softmax_cross_entropy.training.end.diagonal.median | .2f }} 比开始时的 "
        "{{ softmax_cross_entropy.training.start | .2f }} 还高，而用真实的梯度，"
        "没有一个种子高于开始时。",
        criterion="training.higher == training.seeds and training.end.right.most < training.start "
        "and training.end.diagonal.median > training.start",
        covers=(
            "training.seeds",
            "training.start",
            "training.end.*",
            "training.higher",
            "training.above_start",
        ),
        runs="training.seeds",
        spread=("training.end.diagonal.least", "training.end.diagonal.most"),
        figure="softmax_cross_entropy_diagonal",
    ),
)

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
        "entropy": -float(np.sum(q * np.log(q))),
        "delta_best": float(np.abs(softmax(best) - q).max()),
        "gap": float(best[1] - best[0]),
    }


def check(batches: int = 100) -> dict[str, Any]:
    """Relative errors of the batch formulas, and the smallest eigenvalue of the Jacobians."""
    import torch

    rng = np.random.default_rng(0)
    errors: dict[str, list[float]] = {"central": [], "torch": [], "jacobian": []}
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
            errors["central"].append(_agreement.relative(ours, _agreement.central(f, parameter)))
            errors["torch"].append(_agreement.relative(ours, np.asarray(theirs.grad)))

        a = X[0] @ W.T + b
        columns = [
            (softmax(a + 1e-5 * e) - softmax(a - 1e-5 * e)) / 2e-5 for e in np.eye(m)
        ]  # column j: derivative by a_j
        D = jacobian(P[0])
        errors["jacobian"].append(_agreement.relative(D, np.stack(columns, axis=1)))
        smallest = min(smallest, float(np.linalg.eigvalsh(D)[0]))
    floors = {"central": 1e-7, "torch": 1e-12, "jacobian": 1e-6}
    return {
        "batches": batches,
        **{judge: _agreement.spread(errors[judge], floors[judge]) for judge in floors},
        "smallest_eigenvalue": smallest,
    }


def diagonal(batches: int = 100) -> dict[str, Any]:
    """The gradient by p (1 - p) element by element, against the true one."""
    rng = np.random.default_rng(1)
    N, m = 8, 5
    right, others, caught = 0.0, 0.0, 0
    errors: dict[str, list[float]] = {"cross_entropy": [], "half_mse": []}
    for _ in range(batches):
        A = rng.normal(size=(N, m))
        P = softmax(A)
        labels = rng.integers(0, m, size=N)
        Y = np.eye(m)[labels]
        slope = P * (1 - P)
        true = (P - Y) / N
        wrong = (-Y / P / N) * slope
        right = max(right, float(np.abs((wrong - true)[Y == 1]).max()))
        others = max(others, float(np.abs(wrong[Y == 0]).max()))
        errors["cross_entropy"].append(_agreement.relative(wrong, true))
        G = (P - Y) / N  # gradient of the half mean squared error by p
        true = P * (G - np.sum(G * P, axis=1, keepdims=True))
        errors["half_mse"].append(_agreement.relative(G * slope, true))

        def alone(A: Array, G: Array = G) -> float:
            """The softmax without a loss, weighted with what arrives."""
            return float(np.sum(G * softmax(A)))

        caught += not check_gradients(alone, {"A": A}, {"A": G * slope}).ok
    return {
        "batches": batches,
        "caught": caught,
        "right_class": right,
        "other_classes": others,
        **{key: _agreement.extremes(values) for key, values in errors.items()},
    }


def training(seeds: int = 20, steps: int = 200, every: int = 10) -> dict[str, Any]:
    """A linear classifier for three clouds of points, with the true gradient and the diagonal."""
    curves: dict[str, list[list[float]]] = {"right": [], "diagonal": []}
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, 3, size=150)
        X = rng.normal(size=(150, 2)) + rng.normal(size=(3, 2))[labels]
        Y = np.eye(3)[labels]
        for name, curve in curves.items():
            W, b = np.zeros((3, 2)), np.zeros(3)
            curve.append([])
            for step in range(steps + 1):
                A = X @ W.T + b
                if step % every == 0:
                    curve[-1].append(loss(A, Y))
                Delta = (softmax(A) - Y) / len(X)
                if name == "diagonal":
                    Delta = Y * Delta  # what -y / p times p (1 - p) leaves
                W, b = W - 0.5 * Delta.T @ X, b - 0.5 * Delta.sum(axis=0)
    start = curves["right"][0][0]
    ends = {name: [run[-1] for run in runs] for name, runs in curves.items()}
    return {
        "seeds": seeds,
        "steps": steps,
        "start": start,
        "curve_steps": list(range(0, steps + 1, every)),
        "curves": {
            name: [_agreement.extremes([run[k] for run in runs]) for k in range(steps // every + 1)]
            for name, runs in curves.items()
        },
        "end": {name: _agreement.extremes(values) for name, values in ends.items()},
        "above_start": sum(end > start for end in ends["diagonal"]),
        "higher": sum(d > r for r, d in zip(ends["right"], ends["diagonal"], strict=True)),
    }


def run() -> dict[str, Any]:
    """All claims of the page."""
    return {
        "sample": sample(),
        "smoothing": smoothing(),
        "check": check(),
        "diagonal": diagonal(),
        "training": training(),
    }


def draw(result: dict[str, Any], lang: str) -> Any:
    """The sample; how well the gradients agree; what training with the diagonal does."""
    rows = {
        "en": (
            "gradients, central difference",
            "gradients, PyTorch",
            "Jacobian, central difference",
        ),
        "zh": ("梯度，中心差分", "梯度，PyTorch", "雅可比矩阵，中心差分"),
    }[lang]
    judges = (result["check"][key] for key in ("central", "torch", "jacobian"))
    return {
        "softmax_cross_entropy": _sample_figure(result, lang),
        "softmax_cross_entropy_check": _agreement.figure(
            dict(zip(rows, judges, strict=True)), lang
        ),
        "softmax_cross_entropy_diagonal": _diagonal_figure(result, lang),
    }


def _diagonal_figure(result: dict[str, Any], lang: str) -> Any:
    """Left: relative errors of the two losses. Right: loss against steps, both gradients."""
    words = {
        "en": {
            "cross_entropy": "cross-entropy",
            "half_mse": "half MSE",
            "error": "relative error of the gradient",
            "right": "true gradient",
            "diagonal": "diagonal only",
            "start": "at the start",
            "steps": "steps",
            "loss": "loss",
        },
        "zh": {
            "cross_entropy": "交叉熵",
            "half_mse": "半均方误差",
            "error": "梯度的相对误差",
            "right": "真实的梯度",
            "diagonal": "只用对角线",
            "start": "开始时",
            "steps": "步数",
            "loss": "损失",
        },
    }[lang]
    fig, (left, right) = style.new_figure(7.4, 3.0, ncols=2, gridspec_kw={"width_ratios": [1, 1.5]})
    for place, key in enumerate(("cross_entropy", "half_mse")):
        row = result["diagonal"][key]
        left.plot(
            [place, place], [row["least"], row["most"]], color=style.BAD, linewidth=5, alpha=0.4
        )
        left.plot(place, row["median"], "o", color=style.BAD)
    left.set_xticks([0, 1], [words["cross_entropy"], words["half_mse"]])
    left.set_xlim(-0.5, 1.5)
    left.set_ylim(0, 0.7)
    left.set_ylabel(words["error"])
    t = result["training"]
    for name, colour in (("diagonal", style.BAD), ("right", style.GOOD)):
        values = {key: [v[key] for v in t["curves"][name]] for key in ("least", "median", "most")}
        right.plot(t["curve_steps"], values["median"], color=colour, label=words[name])
        right.fill_between(
            t["curve_steps"], values["least"], values["most"], color=colour, alpha=0.15
        )
    right.axhline(
        t["start"], color=style.MUTED, linewidth=0.9, linestyle="--", label=words["start"]
    )
    right.set_xlabel(words["steps"])
    right.set_ylabel(words["loss"])
    right.set_ylim(0, None)
    right.legend(fontsize=8, loc="lower left")
    return fig


def _sample_figure(result: dict[str, Any], lang: str) -> Any:
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
