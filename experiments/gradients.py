"""How much of the gradient survives 1 to 100 layers, for activation x initialisation.

Whether the gradient vanishes or explodes is decided by the product of slope and weight size per
layer, not by the activation alone. Measured: gain = ||dJ/dh_0|| / ||dJ/dh_L|| at initialisation of
networks with L = 1 … 100 layers of width 64 (batch 16, float64), 20 seeds, median and range.
Orthogonal matrices are multiplied by sqrt(2) for the ReLU family. The pair tanh x N(0, 1) is in
``gradients_chaos``: there the forward pass amplifies rounding.

* ``relu``, ``gelu``, …: the table, 50 layers. ``curves``: all depths, in powers of ten.
* ``predicted``: q^(L/2) with q = n v / 2, for ReLU, in powers of ten; ``gap``: the largest distance
  from the measured median.
* ``sigmoid_unit_width_128``: the same N(0, 1) layers, twice as wide.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments._claim import Claim
from experiments._deep import ACTIVATIONS, INITS, Draws, Kinds, signals, spread

SEEDS = 20
WIDTH = 64
BATCH = 16
DEPTHS = (1, 2, 5, 10, 20, 35, 50, 75, 100)
#: the depth of the table
DEPTH = 50
#: variance of a weight, times the width
VARIANCES = {"small": 1e-4 * WIDTH, "torch": 1 / 3, "xavier": 1.0, "he": 2.0, "unit": WIDTH}

WORKED = ("depth", "width", "depths*", "sigmoid_slope_bound")
CLAIMS = (
    Claim(
        id="gradients-product-of-slope-and-weights",
        en="For ReLU with five sizes of weights and 1 to 100 layers, $q^{L/2}$ predicts the median "
        "gradient gain to within ${{ gradients.gap.largest | .2f }}$ powers of ten, between "
        "${{ gradients.deepest.relu_small.median | sci }}$ and "
        "${{ gradients.deepest.relu_unit.median | sci }}$.",
        zh="对 ReLU 的五种权重大小、1 到 100 层，$q^{L/2}$ 预测的梯度增益与实测中位数相差至多 "
        "${{ gradients.gap.largest | .2f }}$ 个数量级，而增益从 "
        "${{ gradients.deepest.relu_small.median | sci }}$ 一直到 "
        "${{ gradients.deepest.relu_unit.median | sci }}$。",
        criterion="gap.largest < 1 and deepest.relu_small.max < 1e-100 and "
        "deepest.relu_unit.min > 1e50",
        covers=("gap.*", "predicted.*", "deepest.*"),
        runs="seeds",
        spread=("deepest.relu_torch.min", "deepest.relu_torch.max"),
        figure="gradients",
    ),
    Claim(
        id="gradients-only-matched-pairs-keep-it",
        en="Over {{ gradients.depth }} layers the gradient stays within a factor of 1000, for each "
        "of {{ gradients.seeds }} seeds, only where the initialization fits the activation: tanh "
        "with Xavier, He or orthogonal weights, ReLU and LeakyReLU with He or scaled orthogonal "
        "weights. The median of every other pair in the table lies outside.",
        zh="经过 {{ gradients.depth }} 层，{{ gradients.seeds }} 个种子的梯度变化都不超过 1000 "
        "倍的，只有初始化与激活函数配套的组合：tanh 配 Xavier、He 或正交矩阵，ReLU 和 LeakyReLU "
        "配 He 或放大后的正交矩阵。表中其余每一对的中位数都超出这个范围。",
        criterion="all(1e-3 < p.min and p.max < 1e3 for p in (tanh.xavier, tanh.he, "
        "tanh.orthogonal, relu.he, relu.orthogonal, leaky_relu.he, leaky_relu.orthogonal)) and "
        "all(p.median < 1e-3 or p.median > 1e3 for p in (*sigmoid.values(), *gelu.values(), "
        "tanh.small, tanh.torch, relu.small, relu.torch, relu.xavier, relu.unit, leaky_relu.small, "
        "leaky_relu.torch, leaky_relu.xavier, leaky_relu.unit))",
        covers=("sigmoid.*", "tanh.*", "relu.*", "leaky_relu.*", "gelu.*", "seeds"),
        runs="seeds",
        spread=("relu.he.min", "relu.he.max"),
        figure="gradients",
    ),
    Claim(
        id="gradients-sigmoid-vanishes-unless-weights-grow",
        en="A sigmoid network of {{ gradients.depth }} layers keeps less than $10^{-20}$ with "
        "Xavier, He, orthogonal and PyTorch's default weights, for every seed; with N(0, 1) "
        "weights "
        "and width 128 the gradient grows instead, by "
        "{{ gradients.sigmoid_unit_width_128.median | .1f }} in the median (least "
        "{{ gradients.sigmoid_unit_width_128.min | .1f }}).",
        zh="{{ gradients.depth }} 层的 sigmoid 网络，用 Xavier、He、正交或 PyTorch "
        "默认初始化时，每个种子留下的梯度都不到 $10^{-20}$；改用 N(0, 1) 的权重、宽度 128，"
        "梯度反而增大，中位数为 {{ gradients.sigmoid_unit_width_128.median | .1f }} 倍（最小 "
        "{{ gradients.sigmoid_unit_width_128.min | .1f }} 倍）。",
        criterion="all(p.max < 1e-20 for p in (sigmoid.xavier, sigmoid.he, sigmoid.orthogonal, "
        "sigmoid.torch)) and sigmoid_unit_width_128.min > 1",
        covers=("sigmoid.*", "sigmoid_unit_width_128.*"),
        runs="seeds",
        spread=("sigmoid_unit_width_128.min", "sigmoid_unit_width_128.max"),
        figure="gradients",
    ),
    Claim(
        id="gradients-leaky-does-not-help-depth",
        en="With PyTorch's default weights, {{ gradients.depth }} layers of LeakyReLU keep "
        "${{ gradients.leaky_relu.torch.median | sci }}$ of the gradient, as much as ReLU with "
        "${{ gradients.relu.torch.median | sci }}$; no seed of either reaches $10^{-17}$.",
        zh="用 PyTorch 默认初始化，{{ gradients.depth }} 层 LeakyReLU 留下 "
        "${{ gradients.leaky_relu.torch.median | sci }}$ 的梯度，与 ReLU 的 "
        "${{ gradients.relu.torch.median | sci }}$ 相当；两者都没有一个种子达到 $10^{-17}$。",
        criterion="0.5 < leaky_relu.torch.median / relu.torch.median < 2 and "
        "max(relu.torch.max, leaky_relu.torch.max) < 1e-17",
        covers=("relu.torch.*", "leaky_relu.torch.*", "relu.he.*", "seeds"),
        runs="seeds",
        spread=("leaky_relu.torch.min", "leaky_relu.torch.max"),
        figure="gradients",
    ),
    Claim(
        id="gradients-gelu-has-no-matching-constant",
        en="GELU with He weights keeps ${{ gradients.gelu.he.median | sci }}$ over "
        "{{ gradients.depth }} layers, and the seeds scatter from "
        "${{ gradients.gelu.he.min | sci }}$ to ${{ gradients.gelu.he.max | sci }}$: the variance "
        "that fits ReLU does not fit GELU.",
        zh="GELU 配 He，经过 {{ gradients.depth }} 层留下 ${{ gradients.gelu.he.median | sci }}$，"
        "各个种子从 ${{ gradients.gelu.he.min | sci }}$ 到 ${{ gradients.gelu.he.max | sci }}$ "
        "相差悬殊：适合 ReLU 的方差并不适合 GELU。",
        criterion="gelu.he.median < 1e-3 and gelu.he.max > 1e3 * gelu.he.min",
        covers=("gelu.he.*",),
        runs="seeds",
        spread=("gelu.he.min", "gelu.he.max"),
        figure="gradients",
    ),
    Claim(
        id="gradients-orthogonal-narrows-the-spread",
        en="Over {{ gradients.depth }} tanh layers the largest gain of {{ gradients.seeds }} seeds "
        "is less than $1.5$ times the smallest with orthogonal weights "
        "({{ gradients.tanh.orthogonal.min | .3f }} to "
        "{{ gradients.tanh.orthogonal.max | .3f }}), and more than twice the smallest with "
        "Xavier ({{ gradients.tanh.xavier.min | .3f }} to {{ gradients.tanh.xavier.max | .3f }}).",
        zh="{{ gradients.depth }} 层 tanh、{{ gradients.seeds }} 个种子：用正交矩阵时，最大增益不"
        "到最小增益的 "
        "$1.5$ 倍（{{ gradients.tanh.orthogonal.min | .3f }} 到 "
        "{{ gradients.tanh.orthogonal.max | .3f }}）；用 Xavier 时超过两倍"
        "（{{ gradients.tanh.xavier.min | .3f }} 到 {{ gradients.tanh.xavier.max | .3f }}）。",
        criterion="tanh.orthogonal.max < 1.5 * tanh.orthogonal.min and "
        "tanh.xavier.max > 2 * tanh.xavier.min",
        covers=("tanh.orthogonal.*", "tanh.xavier.*", "sigmoid.orthogonal.*"),
        runs="seeds",
        spread=("tanh.orthogonal.min", "tanh.orthogonal.max"),
        figure="gradients",
    ),
)


def gains(init: str, seed: int) -> np.ndarray:
    """The gain for every activation (rows) and depth (columns)."""
    draws = Draws(seed, WIDTH, max(DEPTHS), BATCH)
    backward = signals(draws, init, Kinds(tuple(ACTIVATIONS)), DEPTHS, parts=1).backward
    return np.stack([backward[depth][:, 0, 0, 0] for depth in DEPTHS], axis=-1)


def run() -> dict[str, Any]:
    result: dict[str, Any] = {"seeds": SEEDS, "depth": DEPTH, "width": WIDTH, "depths": DEPTHS}
    result |= {name: {} for name in ACTIVATIONS} | {"curves": {}, "deepest": {}}
    for init in INITS:
        table = np.stack([gains(init, seed) for seed in range(SEEDS)])
        for k, activation in enumerate(ACTIVATIONS):
            if (activation, init) == ("tanh", "unit"):
                continue
            result[activation][init] = spread(table[:, k, DEPTHS.index(DEPTH)])
            result["deepest"][f"{activation}_{init}"] = spread(table[:, k, -1])
            logs = np.log10(table[:, k])
            result["curves"][f"{activation}_{init}"] = {
                "median": np.median(logs, axis=0).tolist(),
                "min": logs.min(axis=0).tolist(),
                "max": logs.max(axis=0).tolist(),
            }
    result["predicted"] = {
        init: [0.5 * depth * float(np.log10(0.5 * nv)) for depth in DEPTHS]
        for init, nv in VARIANCES.items()
    }
    sigmoid = Kinds(("sigmoid",))
    gaps = [
        abs(predicted - measured)
        for init, line in result["predicted"].items()
        for predicted, measured in zip(
            line, result["curves"][f"relu_{init}"]["median"], strict=True
        )
    ]
    # in powers of ten: how far the largest gap is, and between which gains
    result["gap"] = {"largest": max(gaps), "compared": len(gaps)}
    wide = [
        signals(Draws(seed, 128, DEPTH, BATCH), "unit", sigmoid, [DEPTH], 1).backward[DEPTH].flat[0]
        for seed in range(SEEDS)
    ]
    result["sigmoid_unit_width_128"] = spread(wide)
    # the bound that the activation alone gives: sigmoid' <= 1/4
    result["sigmoid_slope_bound"] = 0.25**DEPTH
    return result


def draw(result: dict[str, Any], lang: str) -> Figure:
    from experiments.run import read_result
    from experiments.style import INK, SERIES, new_figure

    names = ("sigmoid", "tanh", "ReLU", "LeakyReLU", "GELU")
    inits = {
        "unit": "N(0, 1)",
        "he": "He",
        "xavier": "Xavier",
        "orthogonal": {"en": "orthogonal", "zh": "正交"}[lang],
        "torch": {"en": "PyTorch default", "zh": "PyTorch 默认"}[lang],
        "small": "N(0, 0.01²)",
    }
    chaos = read_result("gradients_chaos")
    fig, grid = new_figure(7.4, 5.2, nrows=2, ncols=3, sharex=True, sharey=True)
    axes = list(grid.flat)
    for ax, activation, name in zip(axes, ACTIVATIONS, names, strict=False):
        for (init, label), color in zip(inits.items(), SERIES, strict=True):
            curve = result["curves"].get(f"{activation}_{init}")
            depths, ends = result["depths"], ("min", "median", "max")
            if curve is None:
                curve, depths, ends = chaos["curve"], chaos["depths"], ("q10", "median", "q90")
            low, middle, high = (curve[end] for end in ends)
            ax.fill_between(depths, low, high, color=color, alpha=0.25, linewidth=0)
            style = "--" if init == "orthogonal" else "-"
            ax.plot(depths, middle, style, color=color, marker="o", markersize=2.5, label=label)
        ax.axhline(0.0, color=INK, linewidth=0.8)
        ax.set_title(name, fontsize=10)
        ax.set_ylim(-60, 40)
        ax.set_xticks([1, 25, 50, 75, 100])
    axes[5].axis("off")
    handles, labels = axes[0].get_legend_handles_labels()
    axes[5].legend(handles, labels, loc="center", frameon=False)
    fig.supxlabel({"en": "layers", "zh": "层数"}[lang], fontsize=10)
    fig.supylabel({"en": "log10 of the gradient gain", "zh": "梯度增益的 log10"}[lang], fontsize=10)
    return fig
