"""Kinks and ties: what software answers where there is no derivative, and whether it matters.

Claims, and how each is measured:

* ``at_zero``: the derivative that PyTorch reports at the kink, for several spellings of the same
  function, and what bpref reports for its own.
* ``ties``: the gradient of a maximum over (2, 5, 5, 1, 5), for several spellings.
* ``cancel``: relu(a) - relu(-a) is a, a smooth function; its reported derivative at 0.
* ``checker``: which slopes at 0 ``bpref.gradcheck`` accepts as a kink, and the central difference.
* ``training``: pre-activations that are exactly 0 during training: random data in float64 and
  float32, and a start with zero biases where one sample is all zeros.
* ``choice``: the same runs with the slope 0, 1/2 and 1 at 0: the largest difference of parameters.
* ``pooling``: windows whose largest element is not unique, before and after a ReLU, and the
  gradient at the input for pooling before and after the ReLU.
* ``l1``: a subgradient method on |w - 1|: where it stops and where it swings.
"""

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

import bpref.functional as F
from bpref.gradcheck import check_gradients, numerical_gradient
from experiments import style

RTOL = 1e-6

Array = NDArray[Any]


def at_zero() -> dict[str, Any]:
    """Derivatives that are reported at the kink."""
    import torch
    import torch.nn.functional as T

    zero = torch.zeros((), dtype=torch.float64)
    spellings: dict[str, tuple[float, Any]] = {
        "relu": (0.0, torch.relu),
        "clamp": (0.0, lambda a: a.clamp(min=0)),
        "maximum": (0.0, lambda a: torch.maximum(a, zero)),
        "where_gt": (0.0, lambda a: torch.where(a > 0, a, zero)),
        "where_ge": (0.0, lambda a: torch.where(a >= 0, a, zero)),
        "half_abs": (0.0, lambda a: (a + a.abs()) / 2),
        "leaky_relu": (0.0, T.leaky_relu),
        "abs": (0.0, torch.abs),
        "sqrt_square": (0.0, lambda a: (a * a).sqrt()),
        "hardtanh": (1.0, T.hardtanh),
        "clamp_one": (1.0, lambda a: a.clamp(-1, 1)),
    }
    found: dict[str, Any] = {}
    for name, (place, f) in spellings.items():
        a = torch.tensor(place, dtype=torch.float64, requires_grad=True)
        f(a).backward()
        value = float(np.asarray(a.grad))
        found[name] = value if np.isfinite(value) else "nan"
    ours = {}
    for name in ("relu", "leaky_relu"):
        _, cache = getattr(F, name)(np.zeros(1))
        ours[name] = float(getattr(F, f"{name}_backward")(np.ones(1), cache)[0])
    _, saved = F.l1_loss(np.zeros(1), np.zeros(1))
    ours["l1_loss"] = float(F.l1_loss_backward(1.0, saved)[0])
    a = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    T.l1_loss(a, torch.zeros(1, dtype=torch.float64)).backward()
    found["l1_loss"] = float(np.asarray(a.grad)[0])
    return {"torch": found, "bpref": ours}


TIED = (2.0, 5.0, 5.0, 1.0, 5.0)


def ties() -> dict[str, Any]:
    """Gradients of a maximum with three winners."""
    import torch

    def maxima(x: Any) -> dict[str, Any]:
        return {
            "amax": torch.amax(x),
            "max_all": x.max(),
            "max_dim": x.max(dim=0).values,
            "pool": torch.nn.functional.max_pool1d(x.reshape(1, 1, -1), 5).sum(),
        }

    out: dict[str, Any] = {}
    for name in maxima(torch.tensor(TIED)):
        x = torch.tensor(TIED, dtype=torch.float64, requires_grad=True)
        maxima(x)[name].backward()
        out[name] = np.asarray(x.grad).tolist()
    values = np.array(TIED)
    for name, dim in (("bpref_max_all", None), ("bpref_max_dim", 0)):
        _, cache = F.max(values, dim)
        out[name] = np.asarray(F.max_backward(np.float64(1.0), cache)).tolist()
    _, saved = F.max_pool2d(values.reshape(1, 1, 1, 5), (1, 5))
    out["bpref_pool"] = F.max_pool2d_backward(np.ones((1, 1, 1, 1)), saved).ravel().tolist()
    return out


def cancel() -> dict[str, Any]:
    """relu(a) - relu(-a) at 0, for three choices of the slope at 0."""
    import torch

    a = torch.zeros((), dtype=torch.float64, requires_grad=True)
    (torch.relu(a) - torch.relu(-a)).backward()
    return {"torch": float(np.asarray(a.grad)), "true": 1.0}


def checker() -> dict[str, Any]:
    """What a gradient check of relu at 0 says to several slopes."""
    x = {"a": np.array([0.0])}

    def f(a: Array) -> Any:
        return np.sum(np.maximum(a, 0.0))

    verdict = {}
    for name, slope in (("zero", 0.0), ("half", 0.5), ("one", 1.0), ("two", 2.0), ("neg", -0.5)):
        report = check_gradients(f, x, {"a": np.array([slope])})
        verdict[name] = {"ok": report.ok, "kinks": len(report.kinks)}
    return {"verdict": verdict, "central": float(numerical_gradient(f, x["a"])[0])}


def train(
    dtype: Any,
    slope: float,
    *,
    blank: bool = False,
    zero_bias: bool = False,
    steps: int = 500,
    seed: int = 0,
) -> tuple[Array, float, int, int]:
    """A 4-16-16-1 ReLU network, full batch; parameters, loss, exact zeros, pre-activations seen."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(64, 4))
    y = np.sin(2 * X[:, :1]) + X[:, 1:2] * X[:, 2:3] + 0.1 * rng.normal(size=(64, 1))
    if blank:
        X[0] = 0.0
    X, y = X.astype(dtype), y.astype(dtype)
    sizes = (4, 16, 16, 1)
    W = [
        (rng.normal(size=(o, i)) * np.sqrt(2 / i)).astype(dtype)
        for i, o in itertools.pairwise(sizes)
    ]
    b = [(0.1 * rng.normal(size=o)).astype(dtype) * (not zero_bias) for o in sizes[1:]]
    zeros = seen = 0
    for _ in range(steps):
        H, A = [X], []
        for Wl, bl in zip(W, b, strict=True):
            A.append(H[-1] @ Wl.T + bl)
            H.append(np.maximum(A[-1], 0))
        zeros += sum(int(np.sum(a == 0)) for a in A[:-1])
        seen += sum(a.size for a in A[:-1])
        delta = (A[-1] - y) / dtype(len(X))
        grads = []
        for k in reversed(range(3)):
            grads.append((delta.T @ H[k], delta.sum(axis=0)))
            if k > 0:
                s = np.where(A[k - 1] > 0, 1, 0) + slope * (A[k - 1] == 0)
                delta = (delta @ W[k]) * s.astype(dtype)
        for k, (dW, db) in enumerate(reversed(grads)):
            W[k] = W[k] - dtype(0.02) * dW
            b[k] = b[k] - dtype(0.02) * db
    end = float(np.sum((A[-1] - y) ** 2) / (2 * len(X)))
    return np.concatenate([p.ravel() for p in (*W, *b)]), end, zeros, seen


def training(seeds: int = 6) -> dict[str, Any]:
    """Exact zeros in training runs, and what the slope there changes."""
    cases: dict[str, tuple[Any, dict[str, bool]]] = {
        "float64": (np.float64, {}),
        "float32": (np.float32, {}),
        "blank": (np.float64, {"blank": True, "zero_bias": True}),
    }
    slopes = {"zero": 0.0, "half": 0.5, "one": 1.0}
    out: dict[str, Any] = {"seeds": seeds, "steps": 500}
    for name, (dtype, options) in cases.items():
        zeros = seen = 0
        difference = 0.0
        losses: dict[str, list[float]] = {key: [] for key in slopes}
        for seed in range(seeds):
            ends = {}
            # In float32 only the zeros are counted: the rest would differ between CPUs.
            chosen = {"zero": 0.0} if name == "float32" else slopes
            for key, slope in chosen.items():
                ends[key], loss, hits, total = train(dtype, slope, seed=seed, **options)
                losses[key].append(loss)
                if key == "zero":
                    zeros, seen = zeros + hits, seen + total
            for key in ends.keys() - {"zero"}:
                d = np.linalg.norm(ends[key] - ends["zero"]) / np.linalg.norm(ends["zero"])
                difference = max(difference, float(d))
        if name == "float32":
            # A few zeros more or less are rounding, and differ between CPUs.
            out[name] = {"share_below": max(1e-6, _power_of_ten(zeros / seen))}
        else:
            medians = {key: float(np.median(values)) for key, values in losses.items()}
            out[name] = {"zeros": zeros, "seen": seen, "difference": difference, "loss": medians}
    out["million"] = out["float64"]["seen"] / 1e6
    out["zeros_per_run"] = out["blank"]["zeros"] // seeds
    return out


def _power_of_ten(share: float) -> float:
    return float(f"1e{int(np.ceil(np.log10(share)))}") if share > 0 else 0.0


def pooling(images: int = 20, size: int = 24) -> dict[str, Any]:
    """Ties in 2 x 2 windows of a random 3 x 3 convolution, before and after the ReLU."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(images, 1, size, size))
    weight, bias = rng.normal(size=(8, 1, 3, 3)), 0.5 * rng.normal(size=8)
    A, _ = F.conv2d(X, weight, bias, padding=1)
    H, relu_cache = F.relu(A)

    def tied(image: Array) -> float:
        n = size // 2
        windows = image.reshape(images, 8, n, 2, n, 2).transpose(0, 1, 2, 4, 3, 5)
        windows = windows.reshape(images, 8, n, n, 4)
        winners = np.sum(windows == windows.max(axis=-1, keepdims=True), axis=-1)
        return float(np.mean(winners > 1))

    output, pool_cache = F.max_pool2d(H, 2)
    grad = rng.normal(size=output.shape)
    first = F.relu_backward(F.max_pool2d_backward(grad, pool_cache), relu_cache)
    pooled, pool_cache = F.max_pool2d(A, 2)
    other, relu_cache = F.relu(pooled)
    second = F.max_pool2d_backward(F.relu_backward(grad, relu_cache), pool_cache)
    return {
        "windows": int(output.size),
        "before": tied(A),
        "after": tied(H),
        "same_output": bool(np.array_equal(output, other)),
        "difference": float(np.abs(first - second).max()),
    }


def l1(steps: int = 12) -> dict[str, Any]:
    """w - rate * sign(w - 1) from w = 0: constant rates and a decreasing one."""
    out: dict[str, Any] = {"steps": steps}
    for name, rate in (("hit", 0.25), ("swing", 0.3)):
        w, path = 0.0, [0.0]
        for _ in range(steps):
            w = w - rate * float(np.sign(w - 1.0))
            path.append(w)
        out[name] = path
    w, path = 0.0, [0.0]
    for t in range(steps):
        w = w - 0.6 / (t + 1) * float(np.sign(w - 1.0))
        path.append(w)
    out["decreasing"] = path
    return out


def run() -> dict[str, Any]:
    """All claims of the page."""
    return {
        "at_zero": at_zero(),
        "ties": ties(),
        "cancel": cancel(),
        "checker": checker(),
        "training": training(),
        "pooling": pooling(),
        "l1": l1(),
    }


def draw(result: dict[str, Any], lang: str) -> Any:
    """ReLU at its kink with its subgradients, and a subgradient method on an absolute value."""
    words = {
        "en": {
            "supports": "slopes 0, ½ and 1 at the kink",
            "outside": "slope 1.5: above the function",
            "x": "a",
            "y": "ReLU(a)",
            "step": "step",
            "w": "w",
            "hit": "η = 0.25",
            "swing": "η = 0.3",
            "decreasing": "η = 0.6/t",
        },
        "zh": {
            "supports": "折点处的斜率 0、½ 和 1",
            "outside": "斜率 1.5：高出函数",
            "x": "a",
            "y": "ReLU(a)",
            "step": "步数",
            "w": "w",
            "hit": "η = 0.25",
            "swing": "η = 0.3",
            "decreasing": "η = 0.6/t",
        },
    }[lang]
    fig, axes = style.new_figure(7.4, 3.2, ncols=2)
    a = np.linspace(-1.5, 1.5, 3)
    for slope in (0.0, 0.5, 1.0):
        axes[0].plot(
            a, slope * a, color=style.ACCENT, lw=1.2, label=words["supports"] if not slope else None
        )
    axes[0].plot(a, 1.5 * a, color=style.BAD, lw=1.2, ls="--", label=words["outside"])
    axes[0].plot([-1.5, 0, 1.5], [0, 0, 1.5], color=style.INK, lw=2.4)
    axes[0].set_ylim(-1.2, 1.9)
    axes[0].set_xlabel(words["x"])
    axes[0].set_ylabel(words["y"])
    axes[0].legend(fontsize=8.5, frameon=False, loc="upper left")
    data = result["l1"]
    steps = np.arange(data["steps"] + 1)
    for name, color, marker in zip(
        ("hit", "swing", "decreasing"), style.SERIES, ("o", "s", "^"), strict=False
    ):
        axes[1].plot(steps, data[name], color=color, marker=marker, ms=4, lw=1.2, label=words[name])
    axes[1].axhline(1.0, color=style.MUTED, lw=1, ls=":")
    axes[1].set_xlabel(words["step"])
    axes[1].set_ylabel(words["w"])
    axes[1].legend(fontsize=8.5, frameon=False, loc="lower right")
    return fig
