"""Batch normalization by hand: four samples, the projection, and the statistics held constant.

Claims, and how each is measured:

* ``sample``: every number of one feature with four samples, epsilon = 0, forward and backward,
  by the chain of Ioffe and Szegedy and by the one-line formula; the difference quotient.
* ``check``: over random batches, batch norm and layer norm agree with central differences and
  PyTorch.
* ``projection``: the gradient is orthogonal to the vector of ones and, for epsilon = 0, to the
  normalised values; with epsilon it keeps the share that the formula gives; a batch of two
  samples gets almost no gradient.
* ``running``: after one batch the running variance of PyTorch and of the package has moved towards
  the unbiased variance, while the output is normalised with the biased one.
* ``constant``: the gradient with mean and variance held constant: its cosine with the true one for
  batches of several sizes, and whether a gradient check notices it.
* ``training``: what training with that gradient does.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpref.gradcheck import check_gradients
from experiments import _agreement, style
from experiments._claim import Claim

WORKED = (
    "sample.x*",
    "sample.y*",
    "sample.mu",
    "sample.v",
    "sample.s",
    "sample.z*",
    "sample.g*",
    "sample.J",
    "sample.along",
    "sample.constant*",
    "sample.through_*",
    "sample.without_mean*",
    "sample.chain*",
    "running.package",
)
CLAIMS = (
    Claim(
        id="batch-normalization-worked-sample",
        en="In the worked sample the last row of the table is the gradient: the difference "
        "quotient of $x_1$ is ${{ batch_normalization.sample.quotient | .6f }}$. With the "
        "statistics held constant the gradient would be "
        "{{ batch_normalization.sample.too_large | .1f }} times as long, and the signs of samples "
        "2 and 4 would be wrong.",
        zh="在手算的样本里，表的最后一行就是梯度：$x_1$ 的差商是 "
        "${{ batch_normalization.sample.quotient | .6f }}$。若把统计量当作常数，梯度的长度会是真实"
        "值的 {{ batch_normalization.sample.too_large | .1f }} 倍，样本 2 和 4 的符号也会错。",
        criterion="abs(sample.quotient - sample.dx[0]) < 1e-8 and all(abs(sample.chain[k] - "
        "sample.dx[k]) < 1e-12 for k in (0, 1, 2, 3)) and max(sample.dx_sum, sample.dx_along) < "
        "1e-12 and sample.too_large > 3 and [sample.constant[k] * sample.dx[k] < 0 for k in (0, 1, "
        "2, 3)] == [False, True, False, True]",
        covers=("sample.quotient", "sample.too_large", "sample.dx*"),
        exact="arithmetic",
        figure="batch_normalization",
    ),
    Claim(
        id="batch-normalization-projection",
        en="In {{ batch_normalization.projection.batches }} random features the gradient has no "
        "part along $\\mathbf{1}$ and, for $\\epsilon = 0$, none along $\\hat x$: both stay below "
        "${{ batch_normalization.projection.ones.below | sci0 }}$ of the length of $\\hat g / s$. "
        "For $\\epsilon > 0$ what is left is what the formula gives, to a relative error below "
        "${{ batch_normalization.projection.kept.below | sci0 }}$.",
        zh="在 {{ batch_normalization.projection.batches }} 个随机特征上，梯度沿 $\\mathbf{1}$ "
        "没有分量，$\\epsilon = 0$ 时沿 $\\hat x$ 也没有：两者都不到 $\\hat g / s$ 长度的 "
        "${{ batch_normalization.projection.ones.below | sci0 }}$ 倍。$\\epsilon > 0$ "
        "时留下的正是公式给出的量，相对误差不到 "
        "${{ batch_normalization.projection.kept.below | sci0 }}$。",
        criterion="max(projection.ones.below, projection.along.below, projection.kept.below) <= "
        "1e-9",
        covers=(
            "projection.ones.*",
            "projection.along.*",
            "projection.kept.*",
            "projection.batches",
        ),
        runs="projection.batches",
        spread=("projection.ones.least", "projection.ones.below"),
        figure="batch_normalization_check",
    ),
    Claim(
        id="batch-normalization-running-variance",
        en="In training mode PyTorch and the package normalize with the variance that divides by "
        "$N$, and move the running variance towards the one that divides by $N - 1$: for the four "
        "samples, from $1$ to {{ batch_normalization.running.torch | .4f }} in both.",
        zh="训练模式下，PyTorch 与本站的程序包都用除以 $N$ 的方差做归一化，而让滑动方差靠近除以 $N "
        "- 1$ 的方差：对那四个样本，两者都从 $1$ "
        "变为 {{ batch_normalization.running.torch | .4f }}。",
        criterion="abs(running.torch - running.unbiased) < 1e-9 and abs(running.package - "
        "running.unbiased) < 1e-9 and abs(running.output_variance - 1) < 1e-5",
        covers=("running.*",),
        exact="deterministic",
    ),
    Claim(
        id="batch-normalization-gradients-agree",
        en="In {{ batch_normalization.check.batches }} random batches no gradient of batch norm or "
        "layer norm has a relative error of ${{ batch_normalization.check.central.below | sci0 }}$ "
        "or more against central differences, or of "
        "${{ batch_normalization.check.torch.below | sci0 }}$ or more against PyTorch.",
        zh="在 {{ batch_normalization.check.batches }} 个随机批量上，批归一化与层归一化的各个梯度，"
        "相对误差与中心差分相比都不到 ${{ batch_normalization.check.central.below | sci0 }}$，与 "
        "PyTorch 相比都不到 ${{ batch_normalization.check.torch.below | sci0 }}$。",
        criterion="check.central.below <= 1e-6 and check.torch.below <= 1e-10",
        covers=("check.*",),
        runs="check.batches",
        spread=("check.torch.least", "check.torch.below"),
        figure="batch_normalization_check",
    ),
    Claim(
        id="batch-normalization-constant-statistics-cosine",
        en="The gradient with constant statistics comes closer to the true one with every "
        "doubling of the batch: the median cosine rises from "
        "{{ batch_normalization.constant.cosine[0].median | .2f }} with 4 samples to "
        "{{ batch_normalization.constant.cosine[3].median | .2f }} with 32, the smallest of "
        "{{ batch_normalization.constant.batches }} from "
        "{{ batch_normalization.constant.cosine[0].least | .2f }} to "
        "{{ batch_normalization.constant.cosine[3].least | .2f }}. A gradient check with four "
        "samples notices it in {{ batch_normalization.constant.caught }} of "
        "{{ batch_normalization.constant.batches }} batches.",
        zh="批量每加倍一次，把统计量当作常数的梯度就更接近真实的梯度：余弦的中位数从 4 个样本时的 "
        "{{ batch_normalization.constant.cosine[0].median | .2f }} 升到 32 个样本时的 "
        "{{ batch_normalization.constant.cosine[3].median | .2f }}，"
        "{{ batch_normalization.constant.batches }} 次中的最小值从 "
        "{{ batch_normalization.constant.cosine[0].least | .2f }} 升到 "
        "{{ batch_normalization.constant.cosine[3].least | .2f }}。用四个样本做梯度检验，"
        "{{ batch_normalization.constant.batches }} 个批量中有 "
        "{{ batch_normalization.constant.caught }} 个查出了错误。",
        criterion="[c.median for c in constant.cosine] == sorted(c.median for c in "
        "constant.cosine) and constant.cosine[0].median < 0.8 and constant.cosine[3].median > 0.95 "
        "and constant.cosine[0].least < constant.cosine[3].least and constant.caught == "
        "constant.batches",
        covers=("constant.*",),
        runs="constant.batches",
        spread=("constant.cosine[0].least", "constant.cosine[0].most"),
        figure="batch_normalization_constant",
    ),
    Claim(
        id="batch-normalization-constant-statistics-training",
        en="A small network with batches of 64 trains almost as well with the wrong rule: its last "
        "loss is between {{ batch_normalization.training.ratio.least | .2f }} and "
        "{{ batch_normalization.training.ratio.most | .2f }} times that of the right rule, and "
        "higher in {{ batch_normalization.training.higher }} of "
        "{{ batch_normalization.training.seeds }} seeds.",
        zh="批量为 64 的小网络，用错误的规则训练，结果几乎一样好：最终损失是正确规则的 "
        "{{ batch_normalization.training.ratio.least | .2f }} 至 "
        "{{ batch_normalization.training.ratio.most | .2f }} 倍，"
        "{{ batch_normalization.training.seeds }} 个随机种子中有 "
        "{{ batch_normalization.training.higher }} 个更高。",
        criterion="training.end.right.most > 10 * training.end.right.least and 0.5 < "
        "training.ratio.least and training.ratio.most < 1.5 and training.end.wrong.median < 0.1 * "
        "training.start.median and training.seeds / 2 < training.higher < training.seeds",
        covers=(
            "training.seeds",
            "training.start.*",
            "training.end.*",
            "training.ratio.*",
            "training.higher",
        ),
        runs="training.seeds",
        spread=("training.ratio.least", "training.ratio.most"),
        figure="batch_normalization_constant",
    ),
)


Array = NDArray[np.float64]


def forward(X: Array, gamma: Array, beta: Array, eps: float, axis: int = 0) -> Any:
    """(Z, X_hat, s) with mean and biased variance over the axis."""
    centred = X - X.mean(axis=axis, keepdims=True)
    s = np.sqrt((centred**2).mean(axis=axis, keepdims=True) + eps)
    X_hat = centred / s
    return gamma * X_hat + beta, X_hat, s


def backward(G: Array, gamma: Array, X_hat: Array, s: Array, axis: int = 0) -> Array:
    """The one-line formula for the gradient of X."""
    G_hat = G * gamma
    along = (G_hat * X_hat).mean(axis=axis, keepdims=True)
    out: Array = (G_hat - G_hat.mean(axis=axis, keepdims=True) - X_hat * along) / s
    return out


def sample() -> dict[str, Any]:
    """One feature, four samples, numbers that come out even."""
    x, y = np.array([1.0, 7.0, 9.0, 15.0]), np.array([0.0, 1.0, 1.0, 3.0])
    gamma, beta, N = 2.0, 1.0, 4

    def loss(x: Array) -> float:
        z = forward(x, np.array(gamma), np.array(beta), 0.0)[0]
        return float(np.sum((z - y) ** 2) / (2 * N))

    mu = x.mean()
    v = ((x - mu) ** 2).mean()
    s = np.sqrt(v)
    x_hat = (x - mu) / s
    z = gamma * x_hat + beta
    g = (z - y) / N
    g_hat = gamma * g
    grad_v = -np.sum(g_hat * (x - mu)) / (2 * s**3)
    grad_mu = -np.sum(g_hat) / s
    chain = g_hat / s + grad_v * 2 * (x - mu) / N + grad_mu / N
    line = (g_hat - g_hat.mean() - x_hat * (g_hat * x_hat).mean()) / s
    step = np.array([1e-5, 0.0, 0.0, 0.0])
    return {
        "x": x.tolist(),
        "y": y.tolist(),
        "mu": float(mu),
        "v": float(v),
        "s": float(s),
        "x_hat": x_hat.tolist(),
        "z": z.tolist(),
        "J": loss(x),
        "g": g.tolist(),
        "g_hat": g_hat.tolist(),
        "grad_gamma": float(np.sum(g * x_hat)),
        "grad_beta": float(np.sum(g)),
        "grad_v": float(grad_v),
        "grad_mu": float(grad_mu),
        "g_hat_mean": float(g_hat.mean()),
        "along": float((g_hat * x_hat).mean()),
        "constant": (g_hat / s).tolist(),
        "through_v": (grad_v * 2 * (x - mu) / N).tolist(),
        "through_mu": float(grad_mu / N),
        "without_mean": ((g_hat - g_hat.mean()) / s).tolist(),
        "chain": chain.tolist(),
        "dx": line.tolist(),
        "quotient": (loss(x + step) - loss(x - step)) / 2e-5,
        "dx_sum": abs(float(line.sum())),
        "dx_along": abs(float(line @ x_hat)),
        "too_large": float(np.linalg.norm(g_hat / s) / np.linalg.norm(line)),
    }


def check(batches: int = 50) -> dict[str, Any]:
    """Relative errors of all three gradients of both normalisations."""
    import torch

    rng = np.random.default_rng(0)
    errors: dict[str, list[float]] = {"central": [], "torch": []}
    for _ in range(batches):
        N, d = int(rng.integers(3, 8)), int(rng.integers(3, 6))
        X, T = rng.normal(size=(2, N, d))
        gamma, beta = rng.normal(size=(2, d))
        for axis in (0, 1):

            def f(
                X: Array = X, w: Array = gamma, b: Array = beta, T: Array = T, axis: int = axis
            ) -> float:
                return float(np.sum((forward(X, w, b, 1e-5, axis)[0] - T) ** 2) / 2)

            Z, X_hat, s = forward(X, gamma, beta, 1e-5, axis)
            G = Z - T
            ours = (backward(G, gamma, X_hat, s, axis), (G * X_hat).sum(axis=0), G.sum(axis=0))
            tensors = [torch.tensor(v, requires_grad=True) for v in (X, gamma, beta)]
            if axis == 0:
                out = torch.nn.functional.batch_norm(
                    tensors[0], None, None, tensors[1], tensors[2], training=True
                )
            else:
                out = torch.nn.functional.layer_norm(tensors[0], (d,), tensors[1], tensors[2])
            (((out - torch.tensor(T)) ** 2).sum() / 2).backward()
            for grad, parameter, tensor in zip(ours, (X, gamma, beta), tensors, strict=True):
                errors["central"].append(
                    _agreement.relative(grad, _agreement.central(f, parameter))
                )
                errors["torch"].append(_agreement.relative(grad, np.asarray(tensor.grad)))
    floors = {"central": 1e-7, "torch": 1e-12}
    return {
        "batches": batches,
        **{judge: _agreement.spread(errors[judge], floors[judge]) for judge in floors},
    }


def projection(batches: int = 100) -> dict[str, Any]:
    """What is left of the gradient along 1 and along x_hat, relative to the full length."""
    rng = np.random.default_rng(1)
    one = np.array(1.0)
    parts: dict[str, list[float]] = {"ones": [], "along": [], "kept": []}
    for _ in range(batches):
        N = int(rng.integers(3, 12))
        x, g = rng.normal(size=(2, N))
        _, x_hat, s = forward(x, one, one, 0.0)
        dx = backward(g, one, x_hat, s)
        length = np.linalg.norm(g) / s[0]
        parts["ones"].append(abs(float(dx.sum())) / (length * N**0.5))
        parts["along"].append(abs(float(dx @ x_hat)) / (length * N**0.5))
        eps = 0.1
        _, x_hat, s = forward(x, one, one, eps)
        dx = backward(g, one, x_hat, s)
        formula = eps / s[0] ** 3 * (x_hat @ g)
        parts["kept"].append(abs(float((dx @ x_hat - formula) / formula)))
    x, g = np.array([0.3, 1.7]), np.array([1.0, -0.4])
    pair = {}
    for name, eps in (("zero", 0.0), ("torch", 1e-5)):
        _, x_hat, s = forward(x, one, one, eps)
        pair[name] = float(np.abs(backward(g, one, x_hat, s)).max())
    return {
        "batches": batches,
        **{name: _agreement.spread(values, 1e-12) for name, values in parts.items()},
        "pair_zero": pair["zero"],
        "pair_eps": pair["torch"],
    }


def running() -> dict[str, float]:
    """One batch in training mode: what becomes of the running variance, which starts at 1."""
    import torch

    import bpref.functional as F

    x = np.array([1.0, 7.0, 9.0, 15.0])[:, None]
    _, cache = F.batch_norm(x, np.zeros(1), np.ones(1), training=True)
    layer = torch.nn.BatchNorm1d(1, affine=False, dtype=torch.float64)
    output = layer(torch.tensor(x)).numpy()
    return {
        "package": float(cache[-1][0]),
        "torch": float(np.asarray(layer.running_var)[0]),
        "unbiased": 0.9 + 0.1 * float(x.var(ddof=1)),
        "output_variance": float(output.var()),
    }


def train(seed: int, constant: bool, steps: int = 300, rate: float = 0.1) -> list[float]:
    """Loss at every step: linear, batch norm, tanh, linear; half mean squared error."""
    rng = np.random.default_rng(seed)
    X = 3.0 * rng.normal(size=(64, 4))
    Y = np.sin(X @ rng.normal(size=(4, 1)) / 3.0)
    W1, W2 = rng.normal(size=(16, 4)) / 2.0, rng.normal(size=(1, 16)) / 4.0
    gamma, beta, b2 = np.ones(16), np.zeros(16), np.zeros(1)
    curve = []
    for _ in range(steps + 1):
        Z, A_hat, s = forward(X @ W1.T, gamma, beta, 1e-5)
        H = np.tanh(Z)
        E = H @ W2.T + b2 - Y
        curve.append(float(np.sum(E**2) / (2 * len(X))))
        Delta2 = E / len(X)
        G = (Delta2 @ W2) * (1 - H**2)
        Delta1 = G * gamma / s if constant else backward(G, gamma, A_hat, s)
        W2, b2 = W2 - rate * Delta2.T @ H, b2 - rate * Delta2.sum(axis=0)
        gamma, beta = gamma - rate * (G * A_hat).sum(axis=0), beta - rate * G.sum(axis=0)
        W1 = W1 - rate * Delta1.T @ X
    return curve


def constant(batches: int = 200) -> dict[str, Any]:
    """Mean and variance held constant, as if they did not depend on x."""
    one, zero = np.array(1.0), np.array(0.0)
    sizes, cosines, caught = [4, 8, 16, 32, 64], [], 0
    for N in sizes:
        rng = np.random.default_rng([2, N])
        found = []
        for _ in range(batches):
            x, g = rng.normal(size=(2, N))
            _, x_hat, s = forward(x, one, one, 1e-5)
            true, wrong = backward(g, one, x_hat, s), g / s
            found.append(float(true @ wrong / (np.linalg.norm(true) * np.linalg.norm(wrong))))

            def f(x: Array, g: Array = g) -> float:
                return float(g @ forward(x, one, zero, 1e-5)[0])

            if N == 4:
                caught += not check_gradients(f, {"x": x}, {"x": wrong}).ok
        cosines.append(_agreement.extremes(found))
    return {"batches": batches, "sizes": sizes, "cosine": cosines, "caught": caught}


def training(seeds: int = 20, every: int = 10) -> dict[str, Any]:
    """The small network with both rules."""
    runs = {name: [train(k, name == "wrong") for k in range(seeds)] for name in ("right", "wrong")}
    ends = {name: [run[-1] for run in curves] for name, curves in runs.items()}
    return {
        "seeds": seeds,
        "start": _agreement.extremes([run[0] for run in runs["right"]]),
        "end": {name: _agreement.extremes(values) for name, values in ends.items()},
        "ratio": _agreement.extremes(
            [w / r for r, w in zip(ends["right"], ends["wrong"], strict=True)]
        ),
        "higher": sum(w > r for r, w in zip(ends["right"], ends["wrong"], strict=True)),
        "curve_steps": list(range(0, len(runs["right"][0]), every)),
        "curves": {
            name: [
                _agreement.extremes(list(losses))
                for losses in zip(*(c[::every] for c in curves), strict=True)
            ]
            for name, curves in runs.items()
        },
    }


def run() -> dict[str, Any]:
    """All claims of the page."""
    return {
        "sample": sample(),
        "check": check(),
        "projection": projection(),
        "running": running(),
        "constant": constant(),
        "training": training(),
    }


def draw(result: dict[str, Any], lang: str) -> Any:
    """The sample; how well the gradients agree; the rule with constant statistics."""
    rows = {
        "en": (
            "gradients, central difference",
            "gradients, PyTorch",
            "part along 1",
            "part along x̂",
        ),
        "zh": ("梯度，中心差分", "梯度，PyTorch", "沿 1 的分量", "沿 x̂ 的分量"),
    }[lang]
    check, projection = result["check"], result["projection"]
    values = (check["central"], check["torch"], projection["ones"], projection["along"])
    return {
        "batch_normalization": _sample_figure(result, lang),
        "batch_normalization_check": _agreement.figure(dict(zip(rows, values, strict=True)), lang),
        "batch_normalization_constant": _constant_figure(result, lang),
    }


def _constant_figure(result: dict[str, Any], lang: str) -> Any:
    """Left: cosine against the size of the batch. Right: loss against steps, both rules."""
    words = {
        "en": (
            "batch size N",
            "cosine, wrong and right",
            "right rule",
            "wrong rule",
            "steps",
            "loss",
        ),
        "zh": ("批量大小 N", "错误与正确结果的余弦", "正确的规则", "错误的规则", "步数", "损失"),
    }[lang]
    fig, (left, right) = style.new_figure(7.4, 3.1, ncols=2)
    sizes = result["constant"]["sizes"]
    _band(left, sizes, result["constant"]["cosine"], style.BACKWARD, "o-")
    left.set_xscale("log", base=2)
    left.set_xticks(sizes, [str(N) for N in sizes])
    left.minorticks_off()
    left.set_ylim(0, 1.05)
    left.set_xlabel(words[0])
    left.set_ylabel(words[1])
    t = result["training"]
    _band(right, t["curve_steps"], t["curves"]["right"], style.GOOD, "-", words[2])
    _band(right, t["curve_steps"], t["curves"]["wrong"], style.BAD, "--", words[3])
    right.set_yscale("log")
    right.set_xlabel(words[4])
    right.set_ylabel(words[5])
    right.legend(fontsize=8.5, loc="upper right")
    return fig


def _band(
    ax: Any, x: list[int], values: list[Any], colour: Any, line: str, label: str | None = None
) -> None:
    """The median, and a band from the least to the most."""
    ax.plot(x, [v["median"] for v in values], line, color=colour, label=label)
    low, high = ([v[key] for v in values] for key in ("least", "most"))
    ax.fill_between(x, low, high, color=colour, alpha=0.15)


def _sample_figure(result: dict[str, Any], lang: str) -> Any:
    """The gradient of each of the four samples after each of the three terms."""
    words = {
        "en": (
            "statistics held constant",
            "mean removed",
            "part along x̂ removed: ∂J/∂x",
            "sample",
            "gradient",
        ),
        "zh": ("统计量视为常数", "减去均值", "再减去沿 x̂ 的分量：∂J/∂x", "样本", "梯度"),
    }[lang]
    s = result["sample"]
    fig, ax = style.new_figure(6.8, 3.4)
    x = np.arange(4)
    bars = (
        (s["constant"], style.MUTED, words[0]),
        (s["without_mean"], style.FORWARD, words[1]),
        (s["dx"], style.BACKWARD, words[2]),
    )
    for shift, (values, colour, label) in zip((-0.27, 0.0, 0.27), bars, strict=True):
        ax.bar(x + shift, values, width=0.25, color=colour, label=label)
    ax.axhline(0, color=style.MUTED, linewidth=0.8)
    ax.set_xticks(x, [f"{k + 1}: x̂ = {v:.1f}".replace("-", "−") for k, v in enumerate(s["x_hat"])])
    ax.set_xlabel(words[3])
    ax.set_ylabel(words[4])
    ax.legend(loc="lower right", fontsize=8)
    return fig
