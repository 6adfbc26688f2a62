"""Factors and reductions: one sum of squares under five names, and what that does to a step.

Claims, and how each is measured:

* ``sample``: nine errors, the five losses c S and the gradient of one element under each.
* ``divisor``: what "mean" divides by in PyTorch, as the quotient of the sum and the mean.
* ``trajectory``: a tanh network trained with each of the five factors, from several random
  starts; the learning rate is rescaled by c_J / c. The gap is the largest relative distance of
  the parameters from those of the reference J = 1/(2N) S over all steps; a result has the
  smallest and the largest gap of all starts and factors. SGD, momentum and Nesterov: rounding.
  Adam: the rate has to stay, and epsilon has to be rescaled for equality. Weight decay: the
  coefficient has to be rescaled with c. Clipping: the threshold has to be rescaled too, and
  what remains is the 1e-6 that the function adds to the norm.
* ``same_rate``: least squares on several random data sets with one learning rate for all five
  factors: the largest stable rate is 1 / (c lambda).
* ``batches``: the weight of one sample in the mean of the means of unequal batches.
"""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpref import nn, optim
from experiments import style
from experiments._claim import Claim
from experiments._ranges import Bar, bound, draw_ranges, exactly, spread

RTOL = 1e-6

# The nine errors of the page, unequal batches, and settings.
WORKED = (
    "sample.*",
    "batches.*",
    "divisor.N",
    "divisor.m",
    "same_rate.lr",
    "same_rate.steps",
    "trajectory.steps",
)
CLAIMS = (
    Claim(
        id="factors-what-mean-divides-by",
        en="For an output of shape $({{ factors.divisor.N }}, {{ factors.divisor.m }})$ the mean "
        "is the sum divided by {{ factors.divisor.mse_loss | .0f }}, the number of elements, in "
        "`MSELoss`, `L1Loss`, `BCEWithLogitsLoss` and `KLDivLoss`; it is the sum divided by "
        "{{ factors.divisor.cross_entropy | .0f }}, the number of samples, in `CrossEntropyLoss`, "
        "`NLLLoss` and `KLDivLoss` with `batchmean`.",
        zh="输出形状为 $({{ factors.divisor.N }}, {{ factors.divisor.m }})$ 时，`MSELoss`、"
        "`L1Loss`、`BCEWithLogitsLoss` 和 `KLDivLoss` 的 mean 是总和除以元素数 "
        "{{ factors.divisor.mse_loss | .0f }}；`CrossEntropyLoss`、`NLLLoss` 以及用 `batchmean` "
        "的 `KLDivLoss` 则是除以样本数 {{ factors.divisor.cross_entropy | .0f }}。",
        criterion="divisor.mse_loss == divisor.l1_loss == divisor.bce == divisor.kl_div"
        " == divisor.N * divisor.m and divisor.cross_entropy == divisor.nll_loss"
        " == divisor.kl_div_batchmean == divisor.N",
        covers=("divisor.*",),
        exact="deterministic",
    ),
    Claim(
        id="factors-largest-stable-rate",
        en="Least squares on {{ factors.same_rate.draws }} random data sets, all five factors: "
        r"with a rate 5 % below $1 / (c \lambda)$ the sum of squares comes down to its minimum, "
        "with a rate 5 % above it grows. The limit is "
        "${{ factors.same_rate.limit.sum.min | .3f }}$ to "
        "${{ factors.same_rate.limit.sum.max | .3f }}$ for $c = 1$ and "
        "${{ factors.same_rate.limit.mse.min | .2f }}$ to "
        r"${{ factors.same_rate.limit.mse.max | .2f }}$ for $c = \frac{1}{Nm}$.",
        zh="在 {{ factors.same_rate.draws }} 个随机数据集上做最小二乘，五种因子都是如此：学习率比"
        r" $1 / (c \lambda)$ 低 5 %，平方和降到最小值；高 5 %，平方和不断增长。这个界限在 $c = 1$ "
        "时是 ${{ factors.same_rate.limit.sum.min | .3f }}$ 至 "
        r"${{ factors.same_rate.limit.sum.max | .3f }}$，在 $c = \frac{1}{Nm}$ 时是 "
        "${{ factors.same_rate.limit.mse.min | .2f }}$ 至 "
        "${{ factors.same_rate.limit.mse.max | .2f }}$。",
        criterion="same_rate.stable.below.max < 1e-3 and same_rate.stable.above.min > 1e3"
        " and same_rate.limit.sum.max < same_rate.limit.mse.min",
        covers=("same_rate.draws", "same_rate.limit.*", "same_rate.stable.*"),
        runs="same_rate.draws",
        spread=("same_rate.limit.sum.min", "same_rate.limit.sum.max"),
        figure="factors",
    ),
    Claim(
        id="factors-one-rate-different-speeds",
        en=r"With $\eta = {{ factors.same_rate.lr }}$ for all factors, the sum of squares grows "
        "for $c = 1$ on every one of {{ factors.same_rate.draws }} random data sets. On "
        r"{{ factors.same_rate.slower }} of them it falls for $\frac{1}{N}$, $\frac{1}{2N}$ and "
        r"$\frac{1}{Nm}$, the more slowly the smaller the factor: with $\frac{1}{Nm}$, "
        "{{ factors.same_rate.left.mse.min | pct }} to {{ factors.same_rate.left.mse.max | pct }} "
        "of the avoidable part are left after {{ factors.same_rate.steps }} steps.",
        zh=r"所有因子都用 $\eta = {{ factors.same_rate.lr }}$ 时，在 {{ factors.same_rate.draws }}"
        " 个随机数据集的每一个上，$c = 1$ 的平方和都在增长；在其中 {{ factors.same_rate.slower }}"
        r" 个上，$\frac{1}{N}$、$\frac{1}{2N}$ 和 $\frac{1}{Nm}$ 的平方和都下降，因子越小降得越"
        r"慢：用 $\frac{1}{Nm}$ 时，{{ factors.same_rate.steps }} 步后可以消除的部分还剩 "
        "{{ factors.same_rate.left.mse.min | pct }} 至 "
        "{{ factors.same_rate.left.mse.max | pct }}。",
        criterion="same_rate.left.sum.min > 1 and same_rate.slower == same_rate.draws"
        " and same_rate.left.mse.max < 1",
        covers=("same_rate.draws", "same_rate.slower", "same_rate.left.*"),
        runs="same_rate.draws",
        spread=("same_rate.left.mse.min", "same_rate.left.mse.max"),
        figure="factors",
    ),
    Claim(
        id="factors-sgd-rate-undoes-the-factor",
        en="From {{ factors.trajectory.seeds }} random starts, a tanh network takes the same path "
        "with each of the five factors if the learning rate is divided by the factor: over "
        "{{ factors.trajectory.steps }} steps the parameters differ by less than "
        "${{ factors.trajectory.below.sgd | sci0 }}$ of their length with SGD, "
        "${{ factors.trajectory.below.momentum | sci0 }}$ with momentum and "
        "${{ factors.trajectory.below.nesterov | sci0 }}$ with Nesterov's momentum.",
        zh="从 {{ factors.trajectory.seeds }} 个随机起点出发，只要把学习率除以因子，tanh 网络在五"
        "种因子下走的是同一条轨迹：{{ factors.trajectory.steps }} 步之内，参数的相对差在 SGD 下小"
        "于 ${{ factors.trajectory.below.sgd | sci0 }}$，带动量时小于 "
        "${{ factors.trajectory.below.momentum | sci0 }}$，带 Nesterov 动量时小于 "
        "${{ factors.trajectory.below.nesterov | sci0 }}$。",
        criterion="all(g.max <= b <= 1e-10 for g, b in ["
        "[trajectory.gap.sgd, trajectory.below.sgd],"
        " [trajectory.gap.momentum, trajectory.below.momentum],"
        " [trajectory.gap.nesterov, trajectory.below.nesterov]])"
        " and same_rate.apart.max <= 1e-10",
        covers=(
            "trajectory.seeds",
            "trajectory.below.sgd",
            "trajectory.below.momentum",
            "trajectory.below.nesterov",
            "same_rate.apart.*",
        ),
        runs="trajectory.seeds",
        spread=("trajectory.gap.momentum.min", "trajectory.gap.momentum.max"),
        figure="factors_gaps",
    ),
    Claim(
        id="factors-adam-keeps-its-rate",
        en=r"With Adam, the same learning rate for all factors leaves the parameters within "
        "${{ factors.trajectory.below.adam_same | sci0 }}$ of the reference, from each of "
        r"{{ factors.trajectory.seeds }} random starts; with $\epsilon$ multiplied by the factor "
        "they are within ${{ factors.trajectory.below.adam_eps | sci0 }}$. With the learning rate "
        "divided by the factor they end up "
        "${{ factors.trajectory.gap.adam_rate.min | .2f }}$ to "
        "${{ factors.trajectory.gap.adam_rate.max | .2f }}$ of their length away.",
        zh="用 Adam 时，各种因子都用同一个学习率，从 {{ factors.trajectory.seeds }} 个随机起点出"
        "发，参数与基准的相对差都小于 ${{ factors.trajectory.below.adam_same | sci0 }}$；再把 "
        r"$\epsilon$ 乘以因子，则小于 ${{ factors.trajectory.below.adam_eps | sci0 }}$。如果把学习"
        "率除以因子，相对差达到 ${{ factors.trajectory.gap.adam_rate.min | .2f }}$ 至 "
        "${{ factors.trajectory.gap.adam_rate.max | .2f }}$。",
        criterion="trajectory.gap.adam_eps.max <= trajectory.below.adam_eps <= 1e-10"
        " and trajectory.gap.adam_same.max <= trajectory.below.adam_same"
        " and trajectory.gap.adam_rate.min > 1000 * trajectory.gap.adam_same.max",
        covers=(
            "trajectory.seeds",
            "trajectory.below.adam_*",
            "trajectory.gap.adam_*",
        ),
        runs="trajectory.seeds",
        spread=("trajectory.gap.adam_rate.min", "trajectory.gap.adam_rate.max"),
        figure="factors_gaps",
    ),
    Claim(
        id="factors-decay-scales-with-the-loss",
        en="With weight decay, rescaling the learning rate alone leads "
        "${{ factors.trajectory.gap.decay_same.min | .2f }}$ to "
        "${{ factors.trajectory.gap.decay_same.max | .2f }}$ of the length of the parameters away "
        "from the reference, over {{ factors.trajectory.seeds }} random starts. With the decay "
        "multiplied by the factor the gap is below "
        "${{ factors.trajectory.below.decay_scaled | sci0 }}$.",
        zh="使用权重衰减时，只换算学习率，参数与基准的相对差在 {{ factors.trajectory.seeds }} 个"
        "随机起点上达到 ${{ factors.trajectory.gap.decay_same.min | .2f }}$ 至 "
        "${{ factors.trajectory.gap.decay_same.max | .2f }}$；把衰减系数也乘以因子，相对差就小于 "
        "${{ factors.trajectory.below.decay_scaled | sci0 }}$。",
        criterion="trajectory.gap.decay_same.min > 0.1"
        " and trajectory.gap.decay_scaled.max <= trajectory.below.decay_scaled <= 1e-10",
        covers=(
            "trajectory.seeds",
            "trajectory.below.decay_scaled",
            "trajectory.gap.decay_*",
        ),
        runs="trajectory.seeds",
        spread=("trajectory.gap.decay_same.min", "trajectory.gap.decay_same.max"),
        figure="factors_gaps",
    ),
    Claim(
        id="factors-threshold-scales-with-the-loss",
        en="With gradient clipping, rescaling the learning rate alone leads "
        "${{ factors.trajectory.gap.clip_same.min | .2f }}$ to "
        "${{ factors.trajectory.gap.clip_same.max | .2f }}$ of the length of the parameters away "
        "from the reference, over {{ factors.trajectory.seeds }} random starts. With the threshold "
        "multiplied by the factor the gap is below "
        "${{ factors.trajectory.below.clip_scaled | sci0 }}$, and below "
        "${{ factors.trajectory.below.clip_plain | sci0 }}$ when nothing is added to the norm.",
        zh="使用梯度裁剪时，只换算学习率，参数与基准的相对差在 {{ factors.trajectory.seeds }} 个"
        "随机起点上达到 ${{ factors.trajectory.gap.clip_same.min | .2f }}$ 至 "
        "${{ factors.trajectory.gap.clip_same.max | .2f }}$；把阈值也乘以因子，相对差就小于 "
        "${{ factors.trajectory.below.clip_scaled | sci0 }}$，如果范数上不加任何数，则小于 "
        "${{ factors.trajectory.below.clip_plain | sci0 }}$。",
        criterion="trajectory.gap.clip_same.min > 1000 * trajectory.gap.clip_scaled.max"
        " and trajectory.gap.clip_scaled.max <= trajectory.below.clip_scaled"
        " and trajectory.gap.clip_plain.max <= trajectory.below.clip_plain <= 1e-10",
        covers=(
            "trajectory.seeds",
            "trajectory.below.clip_*",
            "trajectory.gap.clip_*",
        ),
        runs="trajectory.seeds",
        spread=("trajectory.gap.clip_same.min", "trajectory.gap.clip_same.max"),
        figure="factors_gaps",
    ),
)

Array = NDArray[np.float64]

ERRORS = np.array([[1.0, -0.5, 0.0], [0.5, 2.0, -1.0], [-1.0, 0.0, 0.5]])
REFERENCE = "half_mean"  # J = 1/(2N) S, the loss of the derivations
KINDS = ("sum", "half_sum", "mean", "half_mean", "mse")


def factors(N: int, m: int) -> dict[str, float]:
    """The factor c in front of the sum of squares."""
    return {"sum": 1.0, "half_sum": 0.5, "mean": 1 / N, "half_mean": 0.5 / N, "mse": 1 / (N * m)}


def sample() -> dict[str, Any]:
    """The worked numbers of the page."""
    N, m = ERRORS.shape
    S = float(np.sum(ERRORS**2))
    c = factors(N, m)
    first = float(ERRORS[0, 0])
    return {
        "S": S,
        "c": c,
        "J": {kind: value * S for kind, value in c.items()},
        "grad": {kind: 2 * value * first for kind, value in c.items()},
        "rate": {kind: c[REFERENCE] / value for kind, value in c.items()},
    }


def divisor(N: int = 5, m: int = 3) -> dict[str, Any]:
    """The sum of a loss over its mean, in PyTorch, for an output of shape (5, 3)."""
    import torch
    import torch.nn.functional as T

    output = torch.linspace(-1, 2, N * m, dtype=torch.float64).reshape(N, m)
    label = torch.linspace(0.1, 0.8, N * m, dtype=torch.float64).reshape(N, m)
    classes = torch.arange(N) % m
    log_p = torch.log_softmax(output, dim=1)
    cases: dict[str, Any] = {
        "mse_loss": lambda r: T.mse_loss(output, label, reduction=r),
        "l1_loss": lambda r: T.l1_loss(output, label, reduction=r),
        "bce": lambda r: T.binary_cross_entropy_with_logits(output, label, reduction=r),
        "kl_div": lambda r: T.kl_div(log_p, label, reduction=r),
        "cross_entropy": lambda r: T.cross_entropy(output, classes, reduction=r),
        "nll_loss": lambda r: T.nll_loss(log_p, classes, reduction=r),
    }
    with warnings.catch_warnings():
        # It warns that the mean of kl_div is not what its name says; that is the point here.
        warnings.simplefilter("ignore")
        quotient = {name: float(f("sum") / f("mean")) for name, f in cases.items()}
        quotient["kl_div_batchmean"] = float(cases["kl_div"]("sum") / cases["kl_div"]("batchmean"))
    return {"N": N, "m": m, **{name: round(value, 6) for name, value in quotient.items()}}


def clip_plainly(parameters: Any, threshold: float) -> None:
    """Clipping by the norm of all gradients, without a small number added to it."""
    grads = [p.grad for p in parameters]
    norm = np.sqrt(sum(float(np.sum(g**2)) for g in grads))
    for g in grads:
        g *= min(1.0, threshold / norm)


def train(seed: int, c: float, make: Any, N: int, steps: int, clip: Any = None) -> Array:
    """Parameters of a 3-8-3 tanh network after each step, for the loss c S."""
    rng = np.random.default_rng(seed)
    X, Y = rng.normal(size=(N, 3)), rng.normal(size=(N, 3))
    net = nn.MLP([3, 8, 3], "tanh", generator=rng)
    optimizer = make(net.parameters())
    path = []
    for _ in range(steps):
        optimizer.zero_grad()
        net.backward(2 * c * (net(X) - Y))
        if clip is not None:
            clip(net.parameters())
        optimizer.step()
        path.append(np.concatenate([p.data.ravel() for p in net.parameters()]))
    return np.array(path)


def gap(path: Array, reference: Array) -> float:
    """The largest relative distance over all steps."""
    distance = np.linalg.norm(path - reference, axis=1)
    return float(np.max(distance / np.linalg.norm(reference, axis=1)))


def trajectory(N: int = 20, steps: int = 200, seeds: int = 10) -> dict[str, Any]:
    """Gaps between each factor and the reference, for several optimizers."""
    c = factors(N, 3)
    scale = {kind: c[kind] / c[REFERENCE] for kind in KINDS}
    lr, adam_lr, decay, eps, limit = 0.1, 0.01, 0.1, 1e-8, 0.1

    def sgd(k: float, rescaled_decay: float | None = None, **options: Any) -> Any:
        if rescaled_decay is not None:
            options["weight_decay"] = decay * rescaled_decay
        return lambda params: optim.SGD(params, lr=lr / k, **options)

    def adam(rate: float, small: float) -> Any:
        return lambda params: optim.Adam(params, lr=adam_lr / rate, eps=eps * small)

    def clipped(k: float) -> Any:
        return lambda params: optim.clip_grad_norm_(params, limit * k)

    def plainly(k: float) -> Any:
        return lambda params: clip_plainly(params, limit * k)

    # For the factor k times the reference's: the optimizer, and the clipping if there is one.
    ways: dict[str, Any] = {
        "sgd": lambda k: (sgd(k), None),
        "momentum": lambda k: (sgd(k, momentum=0.9), None),
        "nesterov": lambda k: (sgd(k, momentum=0.9, nesterov=True), None),
        "adam_same": lambda k: (adam(1, 1), None),
        "adam_eps": lambda k: (adam(1, k), None),
        "adam_rate": lambda k: (adam(k, 1), None),
        "decay_same": lambda k: (sgd(k, rescaled_decay=1), None),
        "decay_scaled": lambda k: (sgd(k, rescaled_decay=k), None),
        "clip_same": lambda k: (sgd(k), clipped(1)),
        "clip_scaled": lambda k: (sgd(k), clipped(k)),
        "clip_plain": lambda k: (sgd(k), plainly(k)),
    }
    gaps: dict[str, dict[str, float]] = {}
    for name, way in ways.items():
        found = []
        for seed in range(seeds):
            paths = {}
            for kind in KINDS:
                make, clip = way(scale[kind])
                paths[kind] = train(seed, c[kind], make, N, steps, clip)
            reference = paths.pop(REFERENCE)
            found += [gap(path, reference) for path in paths.values()]
        gaps[name] = exactly(found)
    return {
        "N": N,
        "steps": steps,
        "seeds": seeds,
        "lr": lr,
        "adam_lr": adam_lr,
        "gap": gaps,
        "below": {k: bound(found["max"]) for k, found in gaps.items() if found["max"] < 1e-3},
    }


def same_rate(N: int = 20, steps: int = 40, lr: float = 0.05, draws: int = 10) -> dict[str, Any]:
    """Least squares with three inputs and three outputs, started at random.

    ``same`` and ``rescaled`` are the sums of squares of the first data set, over the steps. Over
    all data sets: what is left of the avoidable part of S after them with one rate for all
    factors (``left``; ``slower``: in how many of them c = 1/N, 1/(2N), 1/(Nm) is the order from
    the least to the most), and after 100 steps 5 % below and above the largest stable rate; and how
    far the rescaled runs are apart.
    """
    c = factors(N, 3)
    curves: dict[str, Any] = {}
    limits, apart, slower = [], [], 0
    left: dict[str, list[float]] = {kind: [] for kind in KINDS}
    stable: dict[str, list[float]] = {"below": [], "above": []}
    for draw in range(draws):
        rng = np.random.default_rng(draw)
        X, Y = rng.normal(size=(N, 3)), rng.normal(size=(N, 3))
        start = rng.normal(size=(3, 3))
        largest = float(np.linalg.eigvalsh(X.T @ X)[-1])
        best = np.linalg.lstsq(X, Y, rcond=None)[0].T
        limit = {kind: 1 / (value * largest) for kind, value in c.items()}

        def descend(
            kind: str, rate: float, steps: int = steps, X: Array = X, Y: Array = Y, W: Array = start
        ) -> list[Array]:
            path = [W]
            for _ in range(steps):
                W = W - rate * 2 * c[kind] * (X @ W.T - Y).T @ X
                path.append(W)
            return path

        def rest(path: list[Array], X: Array = X, best: Array = best) -> float:
            """What is left of the avoidable part of S; 1 at the start."""
            last, first = (float(np.sum((X @ (path[k] - best).T) ** 2)) for k in (-1, 0))
            return last / first

        same = {kind: descend(kind, lr) for kind in KINDS}
        rescaled = {kind: descend(kind, 0.3 * c[REFERENCE] / c[kind]) for kind in KINDS}
        for kind in KINDS:
            left[kind].append(rest(same[kind]))
            stable["below"].append(rest(descend(kind, 0.95 * limit[kind], 100)))
            stable["above"].append(rest(descend(kind, 1.05 * limit[kind], 100)))
            flat = np.array(rescaled[kind]).reshape(steps + 1, -1)
            if kind != REFERENCE:
                apart.append(gap(flat, np.array(rescaled[REFERENCE]).reshape(steps + 1, -1)))
        slower += left["mean"][-1] < left["half_mean"][-1] < left["mse"][-1]
        limits.append(limit)
        if draw == 0:
            for name, paths in (("same", same), ("rescaled", rescaled)):
                curves[name] = {
                    kind: [float(np.sum((X @ W.T - Y) ** 2)) for W in path]
                    for kind, path in paths.items()
                }
    return {
        "N": N,
        "steps": steps,
        "draws": draws,
        "lr": lr,
        "limit": {kind: exactly(limit[kind] for limit in limits) for kind in KINDS},
        **curves,
        "left": {kind: exactly(values) for kind, values in left.items()},
        "slower": int(slower),
        "stable": {name: exactly(values) for name, values in stable.items()},
        "apart": spread(apart),
    }


def batches(N: int = 10, size: int = 4) -> dict[str, Any]:
    """The weight of one sample in the mean of batch means."""
    sizes = [size] * (N // size) + ([N % size] if N % size else [])
    return {
        "N": N,
        "size": size,
        "count": len(sizes),
        "last": sizes[-1],
        "full": 1 / (len(sizes) * sizes[0]),
        "weight_last": 1 / (len(sizes) * sizes[-1]),
        "fair": 1 / N,
    }


def run() -> dict[str, Any]:
    """All claims of the page."""
    return {
        "sample": sample(),
        "divisor": divisor(),
        "trajectory": trajectory(),
        "same_rate": same_rate(),
        "batches": batches(),
    }


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    """The paths of least squares, and the gaps of the network."""
    return {"factors": _draw_paths(result, lang), "factors_gaps": _draw_gaps(result, lang)}


def _draw_gaps(result: dict[str, Any], lang: str) -> Any:
    """The rows of the table, over all starts and factors."""
    words = {
        "en": {
            "sgd": "SGD: η",
            "momentum": "momentum: η",
            "nesterov": "Nesterov: η",
            "adam_same": "Adam: nothing",
            "adam_eps": "Adam: ε",
            "adam_rate": "Adam: η",
            "decay_same": "weight decay: η",
            "decay_scaled": "weight decay: η, decay",
            "clip_same": "clipping: η",
            "clip_scaled": "clipping: η, threshold",
            "clip_plain": "the same without 10⁻⁶",
            "x": "gap",
            "levels": ("rounding", "small", "another path"),
        },
        "zh": {
            "sgd": "SGD：η",
            "momentum": "动量：η",
            "nesterov": "Nesterov：η",
            "adam_same": "Adam：不换算",
            "adam_eps": "Adam：ε",
            "adam_rate": "Adam：η",
            "decay_same": "权重衰减：η",
            "decay_scaled": "权重衰减：η、衰减系数",
            "clip_same": "梯度裁剪：η",
            "clip_scaled": "梯度裁剪：η、阈值",
            "clip_plain": "同上，不加 10⁻⁶",
            "x": "差距",
            "levels": ("舍入误差", "很小", "另一条轨迹"),
        },
    }[lang]
    levels = list(zip((style.GOOD, style.ACCENT, style.BAD), words["levels"], strict=True))
    bars = []
    for name, row in words.items():
        if name in ("x", "levels"):
            continue
        found = result["trajectory"]["gap"][name]
        bars.append(Bar(row, found, *levels[(found["max"] > 1e-10) + (found["max"] > 1e-3)]))
    return draw_ranges(bars, words["x"], height=0.3)


def _draw_paths(result: dict[str, Any], lang: str) -> Any:
    """S over the steps: one rate for all factors, and the rate rescaled for each."""
    words = {
        "en": {
            "same": "one learning rate for all",
            "rescaled": "learning rate rescaled",
            "x": "step",
            "y": "sum of squares S",
            "sum": "c = 1",
            "half_sum": "c = 1/2",
            "mean": "c = 1/N",
            "half_mean": "c = 1/(2N)",
            "mse": "c = 1/(Nm)",
        },
        "zh": {
            "same": "同一个学习率",
            "rescaled": "学习率按因子换算",
            "x": "步数",
            "y": "平方和 S",
            "sum": "c = 1",
            "half_sum": "c = 1/2",
            "mean": "c = 1/N",
            "half_mean": "c = 1/(2N)",
            "mse": "c = 1/(Nm)",
        },
    }[lang]
    fig, axes = style.new_figure(7.4, 3.4, ncols=2, sharey=True)
    data = result["same_rate"]
    ceiling = 1e4
    for ax, part in zip(axes, ("same", "rescaled"), strict=True):
        for kind, color in zip(KINDS, style.SERIES, strict=False):
            values = np.array(data[part][kind])
            steps = np.arange(len(values))
            # The five curves lie on each other: thinner ones above thicker ones.
            width = 1.6 if part == "same" else 6.4 - 1.2 * KINDS.index(kind)
            visible = values < ceiling
            stop = int(np.argmin(visible)) if not visible.all() else len(values)
            ax.plot(steps[:stop], values[:stop], color=color, lw=width, label=words[kind])
        ax.set_yscale("log")
        ax.set_ylim(30, 1e4)
        ax.set_xlabel(words["x"])
        ax.set_title(words[part], fontsize=10)
    axes[0].set_ylabel(words["y"])
    axes[0].legend(fontsize=8.5, frameon=False, loc="upper right")
    return fig
