"""Factors and reductions: one sum of squares under five names, and what that does to a step.

Claims, and how each is measured:

* ``sample``: nine errors, the five losses c S and the gradient of one element under each.
* ``divisor``: what "mean" divides by in PyTorch, as the quotient of the sum and the mean.
* ``trajectory``: a tanh network trained with each of the five factors; the learning rate is
  rescaled by c_J / c. The gap is the largest relative distance of the parameters from those of
  the reference J = 1/(2N) S over all steps. SGD, momentum and Nesterov: rounding. Adam: the
  rate has to stay, and epsilon has to be rescaled for equality. Weight decay: the coefficient
  has to be rescaled the other way. Clipping: the threshold has to be rescaled too.
* ``same_rate``: least squares with one learning rate for all five factors: the largest stable
  rate is proportional to 1/c.
* ``batches``: the weight of one sample in the mean of the means of unequal batches.
"""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpref import nn, optim
from experiments import style

RTOL = 1e-6

Array = NDArray[np.float64]

ERRORS = np.array([[1.0, -0.5, 0.0], [0.5, 2.0, -1.0], [-1.0, 0.0, 0.5]])
REFERENCE = "half_mean"  # J = 1/(2N) S, the loss of the derivations
KINDS = ("sum", "half_sum", "mean", "half_mean", "mse")


def factors(N: int, m: int) -> dict[str, float]:
    """The factor c in front of the sum of squares."""
    return {"sum": 1.0, "half_sum": 0.5, "mean": 1 / N, "half_mean": 0.5 / N, "mse": 1 / (N * m)}


def bound(value: float) -> float:
    """A power of ten that is at least three times larger: rounding differs between CPUs."""
    return max(1e-12, float(f"1e{int(np.ceil(np.log10(3.0 * value)))}"))


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

    generator = torch.Generator().manual_seed(0)
    output = torch.randn(N, m, generator=generator, dtype=torch.float64)
    label = torch.rand(N, m, generator=generator, dtype=torch.float64)
    classes = torch.randint(0, m, (N,), generator=generator)
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


def train(c: float, make: Any, N: int, steps: int, clip: float | None = None) -> Array:
    """Parameters of a 3-8-3 tanh network after each step, for the loss c S."""
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(N, 3)), rng.normal(size=(N, 3))
    net = nn.MLP([3, 8, 3], "tanh", generator=np.random.default_rng(1))
    optimizer = make(net.parameters())
    path = []
    for _ in range(steps):
        optimizer.zero_grad()
        net.backward(2 * c * (net(X) - Y))
        if clip is not None:
            optim.clip_grad_norm_(net.parameters(), clip)
        optimizer.step()
        path.append(np.concatenate([p.data.ravel() for p in net.parameters()]))
    return np.array(path)


def gap(path: Array, reference: Array) -> float:
    """The largest relative distance over all steps."""
    distance = np.linalg.norm(path - reference, axis=1)
    return float(np.max(distance / np.linalg.norm(reference, axis=1)))


def trajectory(N: int = 20, steps: int = 200) -> dict[str, Any]:
    """Gaps between each factor and the reference, for several optimizers."""
    c = factors(N, 3)
    ref = c[REFERENCE]
    lr, adam_lr, decay, eps, clip = 0.1, 0.01, 0.1, 1e-8, 0.1
    others = [kind for kind in KINDS if kind != REFERENCE]

    def sgd(rate: float, **options: Any) -> Any:
        return lambda params: optim.SGD(params, lr=rate, **options)

    def adam(rate: float, small: float) -> Any:
        return lambda params: optim.Adam(params, lr=rate, eps=small)

    def worst(start: Any, other: Any, clips: Any = None) -> dict[str, float]:
        reference = train(ref, start, N, steps, None if clips is None else clip)
        found = {}
        for kind in others:
            scale = c[kind] / ref
            limit = None if clips is None else clips(scale)
            found[kind] = gap(train(c[kind], other(scale), N, steps, limit), reference)
        return found

    plain = worst(sgd(lr), lambda k: sgd(lr / k))
    momentum = worst(sgd(lr, momentum=0.9), lambda k: sgd(lr / k, momentum=0.9))
    nesterov = worst(
        sgd(lr, momentum=0.9, nesterov=True),
        lambda k: sgd(lr / k, momentum=0.9, nesterov=True),
    )
    adam_same = worst(adam(adam_lr, eps), lambda k: adam(adam_lr, eps))
    adam_eps = worst(adam(adam_lr, eps), lambda k: adam(adam_lr, eps * k))
    adam_rate = worst(adam(adam_lr, eps), lambda k: adam(adam_lr / k, eps))
    decay_same = worst(sgd(lr, weight_decay=decay), lambda k: sgd(lr / k, weight_decay=decay))
    decay_scaled = worst(sgd(lr, weight_decay=decay), lambda k: sgd(lr / k, weight_decay=decay * k))
    clip_same = worst(sgd(lr), lambda k: sgd(lr / k), lambda k: clip)
    clip_scaled = worst(sgd(lr), lambda k: sgd(lr / k), lambda k: clip * k)

    exact = {
        "sgd": plain,
        "momentum": momentum,
        "nesterov": nesterov,
        "adam_eps": adam_eps,
        "decay_scaled": decay_scaled,
        "clip_scaled": clip_scaled,
    }
    return {
        "N": N,
        "steps": steps,
        "lr": lr,
        "adam_lr": adam_lr,
        **{name: bound(max(found.values())) for name, found in exact.items()},
        "adam_same": bound(max(adam_same.values())),
        "adam_rate": adam_rate,
        "decay_same": decay_same,
        "clip_same": clip_same,
    }


def same_rate(N: int = 20, steps: int = 40, lr: float = 0.05) -> dict[str, Any]:
    """Least squares with three inputs and three outputs: S over the steps for each factor."""
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(N, 3)), rng.normal(size=(N, 3))
    c = factors(N, 3)
    largest = float(np.linalg.eigvalsh(X.T @ X)[-1])
    start = rng.normal(size=(3, 3))

    def run_with(kind: str, rate: float) -> list[float]:
        W, out = start.copy(), []
        for _ in range(steps + 1):
            E = X @ W.T - Y
            out.append(float(np.sum(E**2)))
            W = W - rate * 2 * c[kind] * E.T @ X
        return out

    return {
        "N": N,
        "steps": steps,
        "lr": lr,
        "limit": {kind: 1 / (value * largest) for kind, value in c.items()},
        "same": {kind: run_with(kind, lr) for kind in KINDS},
        "rescaled": {kind: run_with(kind, 0.3 * c[REFERENCE] / c[kind]) for kind in KINDS},
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


def draw(result: dict[str, Any], lang: str) -> Any:
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
