"""Why cross-entropy and not MSE for classes: the saturated gradient, and where it does not matter.

* ``curve``, ``steps``: gradient at the logit of MSE behind a sigmoid and of binary cross-entropy,
  label 1; steps of gradient descent with rate 1 until p > 0.5.
* ``networks``: a 6-16-5 classifier trained with cross-entropy, with MSE on the softmax and with
  squared error on the raw outputs (its rates a fifth of the others', so that none is best at an
  edge of its grid), 100 samples, 200 full-batch steps, 5 rates each (chosen on 1000 validation
  samples), accuracy on 1000 fresh ones, 12 seeds. One change at a time: the output bias of one
  class starts at 0, 4, 8 or 16 (all other samples begin sure and wrong); or 40 % of the training
  labels are random.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import bpref.functional as F
from experiments import _loss_nets as nets
from experiments._claim import Claim

RTOL = 1e-3  # accuracies are counts of samples; rounding may move one
SEEDS, STEPS, CLASSES = 12, 200, 5
RATES = (0.02, 0.1, 0.5, 2.5, 12.5)
BIASES = (0, 4, 8, 16)
STARTS = (-2.0, -5.0, -10.0)

WORKED = ("seeds", "steps_of_training", "rates", "flipped")
CLAIMS = (
    Claim(
        "loss-saturated-gradient",
        "At the logit −10 with label 1 the gradient of MSE behind a sigmoid is "
        "${{ loss_saturation.at_minus_10.mse | sci2 }}$, that of cross-entropy "
        "{{ loss_saturation.at_minus_10.bce | .5f }}; descent with rate 1 needs "
        "{{ loss_saturation.steps.mse_10 }} steps and {{ loss_saturation.steps.bce_10 }} steps "
        "to turn the answer.",
        "logit 为 −10、标签为 1 时，sigmoid 之后用 MSE 的梯度是 "
        "${{ loss_saturation.at_minus_10.mse | sci2 }}$，交叉熵的梯度是 "
        "{{ loss_saturation.at_minus_10.bce | .5f }}；学习率取 1 做梯度下降，要把答案扭转过来，"
        "前者需要 {{ loss_saturation.steps.mse_10 }} 步，后者 {{ loss_saturation.steps.bce_10 }} "
        "步。",
        "abs(at_minus_10.mse) < 1e-3 * abs(at_minus_10.bce) and steps.mse_10 > 500 * steps.bce_10 "
        "and steps.mse_5 > 5 * steps.bce_5",
        ("at_minus_10.*", "steps.*"),
        exact="deterministic",
        figure="loss-saturation",
    ),
    Claim(
        "loss-mse-or-cross-entropy",
        "From a usual start MSE and cross-entropy classify equally well (mean accuracy "
        "{{ loss_saturation.networks.bias_0.mse.mean | pct1 }} and "
        "{{ loss_saturation.networks.bias_0.ce.mean | pct1 }}). When the bias of one class starts "
        "at 16, cross-entropy still reaches {{ loss_saturation.networks.bias_16.ce.mean | pct1 }} "
        "and MSE stays at chance, {{ loss_saturation.networks.bias_16.mse.mean | pct1 }}, with "
        "each "
        "of its rates and in each of {{ loss_saturation.seeds }} runs.",
        "从通常的初值出发，MSE 与交叉熵分得一样好（平均准确率 "
        "{{ loss_saturation.networks.bias_0.mse.mean | pct1 }} 与 "
        "{{ loss_saturation.networks.bias_0.ce.mean | pct1 }}）。某一类的偏置从 16 开始时，交叉熵"
        "仍达到 "
        "{{ loss_saturation.networks.bias_16.ce.mean | pct1 }}，MSE 则停在瞎猜的水平（"
        "{{ loss_saturation.networks.bias_16.mse.mean | pct1 }}），{{ loss_saturation.seeds }} "
        "次训练无一例外，哪个学习率都一样。",
        "abs(networks.bias_0.gap.mean) < 0.01 and networks.bias_16.gap.min > 0.4 and "
        "networks.bias_16.mse.best_rate_max < 0.3",
        ("networks.bias_*.ce.*", "networks.bias_*.mse.*", "networks.bias_*.gap.*"),
        runs="seeds",
        spread=("networks.bias_16.gap.min", "networks.bias_16.gap.max"),
        figure="loss-classes",
    ),
    Claim(
        "loss-wrong-class-labels",
        "With 40 % of the training labels random, the bounded MSE is no clear remedy here: mean "
        "accuracy {{ loss_saturation.networks.noisy.mse.mean | pct1 }} against "
        "{{ loss_saturation.networks.noisy.ce.mean | pct1 }} with cross-entropy, and either is "
        "ahead in some runs.",
        "40 % 的训练标签换成随机标签时，有界的 MSE 在这里并不是明显的解药：平均准确率 "
        "{{ loss_saturation.networks.noisy.mse.mean | pct1 }}，交叉熵为 "
        "{{ loss_saturation.networks.noisy.ce.mean | pct1 }}，两者互有领先。",
        "abs(networks.noisy.gap.mean) < 0.03 and networks.noisy.gap.min < 0 < "
        "networks.noisy.gap.max",
        ("networks.noisy.ce.*", "networks.noisy.mse.*", "networks.noisy.gap.*"),
        runs="seeds",
        spread=("networks.noisy.gap.min", "networks.noisy.gap.max"),
        figure="loss-classes",
    ),
    Claim(
        "loss-squared-error-on-raw-outputs",
        "Squared error on the raw outputs, without a softmax, does not stand still: where the bias "
        "of one class starts at 16 it reaches "
        "{{ loss_saturation.networks.bias_16.raw.mean | pct1 }} in the mean of "
        "{{ loss_saturation.seeds }} runs (at least "
        "{{ loss_saturation.networks.bias_16.raw.min | pct1 }}), where MSE behind the softmax has "
        "{{ loss_saturation.networks.bias_16.mse.mean | pct1 }} and cross-entropy "
        "{{ loss_saturation.networks.bias_16.ce.mean | pct1 }}; from a usual start "
        "{{ loss_saturation.networks.bias_0.raw.mean | pct1 }}.",
        "平方误差直接用在原始输出上、不经 softmax，就不会停住：某一类的偏置从 16 开始时，"
        "{{ loss_saturation.seeds }} 次训练平均达到 "
        "{{ loss_saturation.networks.bias_16.raw.mean | pct1 }}（最低 "
        "{{ loss_saturation.networks.bias_16.raw.min | pct1 }}），而 softmax 之后用 MSE 只有 "
        "{{ loss_saturation.networks.bias_16.mse.mean | pct1 }}，交叉熵为 "
        "{{ loss_saturation.networks.bias_16.ce.mean | pct1 }}；从通常的初值出发则为 "
        "{{ loss_saturation.networks.bias_0.raw.mean | pct1 }}。",
        "networks.bias_16.raw.min > 0.7 and abs(networks.bias_0.raw.mean - "
        "networks.bias_0.ce.mean) < 0.02 and networks.bias_16.raw.mean < "
        "networks.bias_16.ce.mean and networks.noisy.raw.mean < networks.noisy.ce.mean",
        ("networks.*.raw.*",),
        runs="seeds",
        spread=("networks.bias_16.raw.min", "networks.bias_16.raw.max"),
        figure="loss-classes",
    ),
)


def saturation() -> dict[str, Any]:
    z = np.linspace(-12.0, 12.0, 49)
    out: dict[str, Any] = {"curve": {"z": z.tolist()}, "steps": {}, "at_minus_10": {}}
    for kind, slope in (("mse", mse_slope), ("bce", bce_slope)):
        out["curve"][kind] = slope(z).tolist()
        out["at_minus_10"][kind] = float(slope(np.array([-10.0]))[0])
        for begin in STARTS:
            a, count = np.array([begin]), 0
            while a[0] <= 0.0:
                a, count = a - slope(a), count + 1
            out["steps"][f"{kind}_{int(-begin)}"] = count
    return out


def mse_slope(a: np.ndarray) -> np.ndarray:
    """∂(σ(a) − 1)² / ∂a."""
    p, sigmoid_cache = F.sigmoid(a)
    _, cache = F.mse_loss(p, np.ones_like(a), reduction="sum")
    return F.sigmoid_backward(F.mse_loss_backward(1.0, cache), sigmoid_cache)


def bce_slope(a: np.ndarray) -> np.ndarray:
    _, cache = F.binary_cross_entropy_with_logits(a, np.ones_like(a), reduction="sum")
    return F.binary_cross_entropy_with_logits_backward(1.0, cache)


def raw_slope(target: np.ndarray) -> Any:
    """Squared error of the raw outputs, summed over the classes, for class labels (S, N)."""

    def slope(a: np.ndarray) -> np.ndarray:
        return 2.0 * (a - np.eye(a.shape[-1])[target])

    return slope


def networks() -> dict[str, Any]:
    rngs = nets.generators(SEEDS, 100)
    draw = nets.clouds(rngs, CLASSES, 6, apart=1.5)
    x, label = draw(100)
    (xv, yv), (xt, yt) = draw(1000), draw(1000)
    begin = nets.start(rngs, 6, 16, CLASSES)
    noisy = nets.mislabelled(rngs, label, CLASSES, 0.4)
    cases = {f"bias_{s}": (s, label) for s in BIASES} | {"noisy": (0, noisy)}
    out: dict[str, Any] = {}
    for name, (bias, target) in cases.items():
        first = [*begin[:3], begin[3] + bias * np.eye(CLASSES)[0]]
        found = {}
        for kind, slope, factor in (
            ("ce", nets.cross_entropy_slope(target), 1.0),
            ("mse", nets.squared_slope(target), 1.0),
            ("raw", raw_slope(target), 0.2),
        ):
            rates = [factor * rate for rate in RATES]
            with np.errstate(over="ignore", invalid="ignore"):  # the largest rates may diverge
                params = nets.fit(first, x, slope, rates, STEPS)
                valid, test = (
                    nets.accuracy(nets.logits(params, v), y) for v, y in ((xv, yv), (xt, yt))
                )
            k = nets.chosen(valid)
            # of all rates and seeds, also those that the validation data did not choose
            highest = {"best_rate_max": float(test.max())}
            out.setdefault(name, {})[kind] = nets.summary(test, k, rates) | highest
            found[kind] = test[k]
        out[name]["gap"] = nets.spread(found["ce"] - found["mse"])
    return out


def run() -> dict[str, Any]:
    settings = {"seeds": SEEDS, "steps_of_training": STEPS, "rates": len(RATES)}
    return {**settings, "flipped": 0.4, **saturation(), "networks": networks()}


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    from experiments import style
    from experiments._dots import draw_bands

    t = {
        "en": {
            "z": "logit a (the label is 1)",
            "grad": "size of the gradient at the logit",
            "mse": "MSE after the sigmoid",
            "bce": "binary cross-entropy",
            "scale": "bias of one class at the start",
            "accuracy": "accuracy on fresh samples",
            "ce": "cross-entropy",
            "raw": "squared error, no softmax",
            "noisy": "40 % of the labels random",
        },
        "zh": {
            "z": "logit a（标签为 1）",
            "grad": "logit 处的梯度大小",
            "mse": "sigmoid 之后用 MSE",
            "bce": "二元交叉熵",
            "scale": "某一类偏置的初值",
            "accuracy": "新样本上的准确率",
            "ce": "交叉熵",
            "raw": "平方误差，不经 softmax",
            "noisy": "40 % 的标签是随机的",
        },
    }[lang]
    first, ax = style.new_figure(6.4, 3.2)
    curve = result["curve"]
    for kind, color in (("mse", style.SERIES[1]), ("bce", style.SERIES[0])):
        ax.semilogy(curve["z"], np.abs(curve[kind]), color=color, label=t[kind])
    ax.set_xlabel(t["z"])
    ax.set_ylabel(t["grad"])
    first.legend(loc="outside upper center", ncols=2)

    second, axes = style.new_figure(
        7.2, 3.2, ncols=2, sharey=True, gridspec_kw={"width_ratios": [3, 1]}
    )
    for place, (kind, color) in enumerate(zip(("ce", "mse", "raw"), style.SERIES, strict=False)):
        rows = [result["networks"][f"bias_{s}"][kind] for s in BIASES]
        draw_bands(axes[0], BIASES, rows, color=color, marker="o", label=t.get(kind))
        noisy = result["networks"]["noisy"][kind]
        axes[1].plot([place] * 2, [noisy["min"], noisy["max"]], color=color, lw=4, alpha=0.4)
        axes[1].plot(place, noisy["mean"], "o", color=color)
    axes[0].set_xticks(BIASES)
    axes[0].set_xlabel(t["scale"])
    axes[0].set_ylabel(t["accuracy"])
    axes[1].set_xlim(-0.8, 2.8)
    axes[1].set_xticks([])
    axes[1].set_xlabel(t["noisy"])
    handles = axes[0].get_legend_handles_labels()[0]
    second.legend(handles, [t["ce"], "MSE", t["raw"]], loc="outside upper center", ncols=3)
    return {"loss-saturation": first, "loss-classes": second}
