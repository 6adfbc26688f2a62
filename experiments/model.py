"""Activations and losses: slopes, values at the kink, stable forms, factors of reductions.

Claims, and how each is measured:

* ``slopes``: largest slope of each activation on a fine grid, and where it is small.
* ``kink``: the derivative that PyTorch reports at exactly 0.
* ``overflow``: where the naive sigmoid, binary cross-entropy and softmax stop working in
  float64 and float32, found by trying every integer.
* ``reduction``: gradient of ``nn.MSELoss`` divided by the gradient of J, for m outputs.
* ``saturation``: gradient of half-MSE and of cross-entropy at a confident wrong output.
* ``logits``: the gradients at the logits against PyTorch.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import style
from experiments._agreement import stored
from experiments._claim import Claim

CLAIMS = (
    Claim(
        id="model-sigmoid-passes-a-quarter",
        en="The slope of the sigmoid is at most ${{ model.slopes.sigmoid.largest | .2f }}$, that "
        "of tanh at most ${{ model.slopes.tanh.largest | .2f }}$; at $a = 5$ they are "
        "${{ model.slopes.sigmoid.at_5 | .4f }}$ and ${{ model.slopes.tanh.at_5 | .4f }}$, where "
        "ReLU still has ${{ model.slopes.relu.at_5 | .2f }}$.",
        zh="sigmoid 的斜率至多为 ${{ model.slopes.sigmoid.largest | .2f }}$，tanh 的至多为 "
        "${{ model.slopes.tanh.largest | .2f }}$；在 $a = 5$ 处它们是 "
        "${{ model.slopes.sigmoid.at_5 | .4f }}$ 和 ${{ model.slopes.tanh.at_5 | .4f }}$，而 ReLU "
        "仍有 ${{ model.slopes.relu.at_5 | .2f }}$。",
        criterion="slopes.sigmoid.largest == 0.25 and slopes.tanh.largest == 1 and "
        "max(slopes.sigmoid.at_5, slopes.sigmoid.at_minus_5, slopes.tanh.at_5, "
        "slopes.tanh.at_minus_5) < 0.01 and slopes.relu.at_5 == 1 and slopes.relu.at_minus_5 == 0 "
        "and slopes.leaky_relu.at_minus_5 > 0",
        covers=("slopes.*",),
        exact="arithmetic",
        figure="model",
    ),
    Claim(
        id="model-slope-at-zero-depends-on-the-spelling",
        en="At $a = 0$ PyTorch reports ${{ model.kink.relu | .1f }}$ for `torch.relu(a)`, "
        "${{ model.kink.clamp | .1f }}$ for `a.clamp(min=0)` and ${{ model.kink.maximum | .1f }}$ "
        "for `torch.maximum(a, zero)`; for leaky ReLU it reports the slope of the left side, "
        "${{ model.kink.leaky_relu | .2f }}$.",
        zh="在 $a = 0$ 处，PyTorch 对 `torch.relu(a)` 给出 ${{ model.kink.relu | .1f }}$，对 "
        "`a.clamp(min=0)` 给出 ${{ model.kink.clamp | .1f }}$，对 `torch.maximum(a, zero)` 给出 "
        "${{ model.kink.maximum | .1f }}$；对 Leaky ReLU 给出左侧的斜率 "
        "${{ model.kink.leaky_relu | .2f }}$。",
        criterion="kink.relu == 0 and kink.clamp == 1 and kink.maximum == 0.5 and kink.leaky_relu "
        "== 0.01",
        covers=("kink.*",),
        exact="deterministic",
    ),
    Claim(
        id="model-cross-entropy-does-not-saturate",
        en="At the logit $-10$ with label $1$ the gradient is "
        "${{ model.saturation.bce | .4f }}$ through the binary cross-entropy and "
        "${{ model.saturation.half_mse | sci2 }}$ through the half squared error of the sigmoid.",
        zh="logit 为 $-10$、标签为 $1$ 时，经二元交叉熵得到的梯度是 "
        "${{ model.saturation.bce | .4f }}$，经 sigmoid 的半平方误差得到的是 "
        "${{ model.saturation.half_mse | sci2 }}$。",
        criterion="saturation.bce < -0.99 and -1e-3 < saturation.half_mse < 0",
        covers=("saturation.*",),
        exact="arithmetic",
    ),
    Claim(
        id="model-naive-forms-fail",
        en="Typed as they stand, the formulas fail: $e^a / (1 + e^a)$ is nan from "
        "$a = {{ model.overflow.float64.ratio }}$ on in float64, and $-\\log(1 - \\sigma(a))$ "
        "is infinite from $a = {{ model.overflow.float64.bce }}$ on, in float32 from "
        "$a = {{ model.overflow.float32.bce }}$. At $a = 30$ its relative error is "
        "${{ model.overflow.bce_error_at_30 | sci2 }}$ already.",
        zh="公式照原样写会出错：在 float64 下，$e^a / (1 + e^a)$ 从 "
        "$a = {{ model.overflow.float64.ratio }}$ 起得 nan，$-\\log(1 - \\sigma(a))$ 从 "
        "$a = {{ model.overflow.float64.bce }}$ 起为无穷大，在 float32 下从 "
        "$a = {{ model.overflow.float32.bce }}$ 起。而在 $a = 30$ 处，后者的相对误差已有 "
        "${{ model.overflow.bce_error_at_30 | sci2 }}$。",
        criterion="all(f.ratio == f.exp and f.bce == f.rounds_to_one for f in (overflow.float64, "
        "overflow.float32)) and overflow.float32.bce < 20 and overflow.float64.bce < 40 and "
        "overflow.bce_error_at_30 > 1e-6 and overflow.softmax_naive_is_nan",
        covers=("overflow.float*", "overflow.bce_error_at_30"),
        exact="deterministic",
    ),
    Claim(
        id="model-mse-gradient-is-two-over-m",
        en="The gradient of `nn.MSELoss()` is ${{ model.reduction.m1 | .0f }}$ times that of $J$ "
        "for one output, equal to it for two, and ${{ model.reduction.m10 | .1f }}$ times for ten.",
        zh="`nn.MSELoss()` 的梯度，一个输出时是 $J$ 的梯度的 ${{ model.reduction.m1 | .0f }}$ "
        "倍，两个输出时与它相等，十个输出时是 ${{ model.reduction.m10 | .1f }}$ 倍。",
        criterion="all(abs(ratio - 2 / m) < 1e-12 for m, ratio in ((1, reduction.m1), (2, "
        "reduction.m2), (4, reduction.m4), (10, reduction.m10)))",
        covers=("reduction.*",),
        exact="deterministic",
    ),
)

Array = NDArray[Any]


def sigmoid(a: Array) -> Array:
    """1 / (1 + e^-a), stable for every a."""
    a = np.asarray(a)
    e = np.exp(-np.abs(a))
    return np.where(a >= 0, 1.0 / (1.0 + e), e / (1.0 + e))


def _leaky_relu(c: float) -> tuple[Any, Any]:
    return lambda a: np.where(a > 0, a, c * a), lambda a: np.where(a > 0, 1.0, c)


FUNCTIONS = {
    "sigmoid": (sigmoid, lambda a: sigmoid(a) * (1.0 - sigmoid(a))),
    "tanh": (np.tanh, lambda a: 1.0 - np.tanh(a) ** 2),
    "relu": (lambda a: np.maximum(a, 0.0), lambda a: (a > 0).astype(float)),
    "leaky_relu": _leaky_relu(0.01),
}


def slopes() -> dict[str, Any]:
    """Largest slope, and slopes far from the origin."""
    grid = np.linspace(-10, 10, 2001)
    out = {}
    for name, (_, derivative) in FUNCTIONS.items():
        values = derivative(grid)
        out[name] = {
            "largest": float(values.max()),
            "at_5": float(derivative(np.array(5.0))),
            "at_minus_5": float(derivative(np.array(-5.0))),
        }
    return out


def kink() -> dict[str, Any]:
    """PyTorch's derivative at exactly 0."""
    import torch

    spellings = {
        "relu": torch.relu,
        "leaky_relu": torch.nn.functional.leaky_relu,
        "clamp": lambda a: a.clamp(min=0.0),
        "maximum": lambda a: torch.maximum(a, torch.zeros_like(a)),
    }
    out = {}
    for name, function in spellings.items():
        a = torch.zeros((), dtype=torch.float64, requires_grad=True)
        function(a).backward()
        out[name] = float(stored(a))
    return out


def _first(dtype: Any, broken: Any) -> int:
    with np.errstate(all="ignore"):
        return next(k for k in range(1, 2000) if broken(dtype(k)))


def overflow() -> dict[str, Any]:
    """First positive integer at which each naive form gives a wrong or infinite value."""
    out: dict[str, Any] = {}
    for name, dtype in (("float64", np.float64), ("float32", np.float32)):
        one = dtype(1)
        out[name] = {
            "exp": _first(dtype, lambda a: np.isinf(np.exp(a))),
            "ratio": _first(dtype, lambda a, one=one: np.isnan(np.exp(a) / (one + np.exp(a)))),
            "rounds_to_one": _first(dtype, lambda a, one=one: one / (one + np.exp(-a)) == one),
            "bce": _first(
                dtype, lambda a, one=one: np.isinf(-np.log(one - one / (one + np.exp(-a))))
            ),
        }
    a = 30.0
    true = a + np.log1p(np.exp(-a))
    naive = -np.log(1.0 - 1.0 / (1.0 + np.exp(-a)))
    out["bce_error_at_30"] = float(abs(naive - true) / true)
    a = 40.0  # label 1, logit 40: the loss is small and the naive form loses all of it
    out["bce_tail"] = {
        "stable": float(np.log1p(np.exp(-a))),
        "naive": float(-np.log(1.0 / (1.0 + np.exp(-a)))) + 0.0,
    }
    logits = np.array([1000.0, 1001.0, 1002.0])
    with np.errstate(all="ignore"):
        e = np.exp(logits)
        out["softmax_naive_is_nan"] = bool(np.all(np.isnan(e / e.sum())))
    shifted = np.exp(logits - logits.max())
    out["softmax_stable"] = (shifted / shifted.sum()).tolist()
    return out


def reduction() -> dict[str, Any]:
    """Gradient of nn.MSELoss() over gradient of J; 2/m is the prediction."""
    import torch

    out = {}
    for m in (1, 2, 4, 10):
        output = torch.tensor(np.linspace(-1.0, 2.0, 6 * m).reshape(6, m), requires_grad=True)
        target = torch.full((6, m), 0.3, dtype=torch.float64)
        torch.nn.MSELoss()(output, target).backward()
        j_gradient = (output.detach() - target).numpy() / 6
        ratio = stored(output) / j_gradient
        out[f"m{m}"] = float(ratio.mean())
    return out


def saturation() -> dict[str, Any]:
    """Logit -10, label 1: the output is wrong and certain."""
    s = float(sigmoid(np.array(-10.0)))
    return {"y_hat": s, "half_mse": (s - 1.0) * s * (1.0 - s), "bce": s - 1.0}


def logits() -> dict[str, bool]:
    """Whether the two gradients at the logits are PyTorch's, to rounding; noise is not kept."""
    import torch

    rng = np.random.default_rng(1)
    a, y = 4.0 * rng.normal(size=50), rng.integers(0, 2, size=50).astype(float)
    t = torch.tensor(a, requires_grad=True)
    torch.nn.BCEWithLogitsLoss()(t, torch.tensor(y)).backward()
    bce = np.abs((sigmoid(a) - y) / 50 - stored(t)).max()

    A, k = 4.0 * rng.normal(size=(50, 5)), rng.integers(0, 5, size=50)
    t = torch.tensor(A, requires_grad=True)
    torch.nn.CrossEntropyLoss()(t, torch.tensor(k)).backward()
    P = np.exp(A - A.max(axis=1, keepdims=True))
    P /= P.sum(axis=1, keepdims=True)
    P[np.arange(50), k] -= 1.0
    ce = np.abs(P / 50 - stored(t)).max()
    return {"bce": bool(bce < 1e-16), "cross_entropy": bool(ce < 1e-16)}


def run() -> dict[str, Any]:
    """All claims of the page."""
    return {
        "slopes": slopes(),
        "kink": kink(),
        "overflow": overflow(),
        "reduction": reduction(),
        "saturation": saturation(),
        "logits": logits(),
    }


def draw(result: dict[str, Any], lang: str) -> Any:
    """Four activations, each with its derivative."""
    t = {
        "en": ("function σ(a)", "derivative σ′(a)", "pre-activation a"),
        "zh": ("函数 σ(a)", "导数 σ′(a)", "预激活值 a"),
    }[lang]
    titles = {
        "sigmoid": "sigmoid",
        "tanh": "tanh",
        "relu": "ReLU",
        "leaky_relu": "Leaky ReLU (0.1)",
    }
    fig, axes = style.new_figure(6.8, 5.0, nrows=2, ncols=2, sharex=True)
    a = np.linspace(-4, 4, 161)
    left, right = a[a < 0], a[a > 0]
    for ax, (name, title) in zip(axes.flat, titles.items(), strict=True):
        value, derivative = FUNCTIONS[name]
        if name == "leaky_relu":  # drawn with 0.1: with the default 0.01 it looks like ReLU
            value, derivative = _leaky_relu(0.1)
        ax.plot(a, value(a), color=style.FORWARD, label=t[0])
        if "relu" in name:
            ax.plot(left, derivative(left), color=style.BACKWARD, label=t[1], linestyle="--")
            ax.plot(right, derivative(right), color=style.BACKWARD, linestyle="--")
            at_zero = float(derivative(np.array(0.0)))
            ax.plot([0], [at_zero], "o", color=style.BACKWARD, markersize=5)
            ax.plot([0], [1.0], "o", color=style.BACKWARD, markersize=5, markerfacecolor="none")
            ax.set_ylim(-0.6, 2.4)
        else:
            ax.plot(a, derivative(a), color=style.BACKWARD, label=t[1], linestyle="--")
            ax.set_ylim(-1.15, 1.15)
        ax.set_title(title)
    for ax in axes[1]:
        ax.set_xlabel(t[2])
    axes[0, 0].legend(loc="lower right")
    return fig
