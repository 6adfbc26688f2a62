"""Residual connections and normalisation: gradient gain over 50 layers at initialisation.

A skip connection keeps the gradient alive whatever the activation; normalisation repairs a wrong
weight scale but not a saturating activation, and batch normalisation without skips makes the
gradient grow. Where a residual block normalises decides: before the linear map the identity stays,
behind the addition every layer divides it. Measured: ||dJ/dh_0|| / ||dJ/dh_L||, float64, width 64,
batch 64, 50 layers, 20 seeds, the same draws for every block; PyTorch's default weights for ReLU,
Xavier for the sigmoid.
"""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from experiments._claim import Claim
from experiments._deep import Draws, Kinds, signals, spread

SEEDS = 20
DEPTH = 50
WIDTH = 64
BATCH = 64

#: name: initialisation, activation, normalisation, skip connection, where it normalises
BLOCKS: dict[str, tuple[str, str, str, bool, str]] = {
    "sigmoid_plain": ("xavier", "sigmoid", "none", False, "branch"),
    "sigmoid_layer_norm": ("xavier", "sigmoid", "layer", False, "branch"),
    "sigmoid_rms_norm": ("xavier", "sigmoid", "rms", False, "branch"),
    "sigmoid_batch_norm": ("xavier", "sigmoid", "batch", False, "branch"),
    "sigmoid_residual": ("xavier", "sigmoid", "none", True, "branch"),
    "relu_plain": ("torch", "relu", "none", False, "branch"),
    "relu_layer_norm": ("torch", "relu", "layer", False, "branch"),
    "relu_rms_norm": ("torch", "relu", "rms", False, "branch"),
    "relu_batch_norm": ("torch", "relu", "batch", False, "branch"),
    "relu_residual": ("torch", "relu", "none", True, "branch"),
    "relu_residual_he": ("he", "relu", "none", True, "branch"),
    "relu_residual_pre_norm": ("torch", "relu", "layer", True, "pre"),
    "relu_residual_pre_rms": ("torch", "relu", "rms", True, "pre"),
    "relu_residual_pre_batch": ("torch", "relu", "batch", True, "pre"),
    "relu_residual_post_norm": ("torch", "relu", "layer", True, "post"),
    "relu_residual_pre_norm_he": ("he", "relu", "layer", True, "pre"),
    "relu_residual_post_norm_he": ("he", "relu", "layer", True, "post"),
}

WORKED = ("depth", "width", "batch", "seeds")
CLAIMS = (
    Claim(
        id="gradients-skip-keeps-the-sigmoid",
        en="Fifty sigmoid layers keep ${{ gradients_remedies.sigmoid_plain.median | sci }}$ of the "
        "gradient; with a skip connection around each layer it is "
        "{{ gradients_remedies.sigmoid_residual.median | .2f }} "
        "({{ gradients_remedies.sigmoid_residual.min | .2f }} to "
        "{{ gradients_remedies.sigmoid_residual.max | .2f }} over {{ gradients_remedies.seeds }} "
        "seeds).",
        zh="五十层 sigmoid 留下 ${{ gradients_remedies.sigmoid_plain.median | sci }}$ "
        "的梯度；每层加一条跳跃连接，则为 "
        "{{ gradients_remedies.sigmoid_residual.median | .2f }}"
        "（{{ gradients_remedies.seeds }} 个种子："
        "{{ gradients_remedies.sigmoid_residual.min | .2f }} "
        "到 {{ gradients_remedies.sigmoid_residual.max | .2f }}）。",
        criterion="sigmoid_plain.max < 1e-20 and 0.5 < sigmoid_residual.min and "
        "sigmoid_residual.max < 2",
        covers=("sigmoid_plain.*", "sigmoid_residual.*"),
        runs="seeds",
        spread=("sigmoid_residual.min", "sigmoid_residual.max"),
        figure="gradients_remedies",
    ),
    Claim(
        id="gradients-skip-alone-explodes",
        en="Skip connections around ReLU layers without normalization make the gradient grow, by "
        "${{ gradients_remedies.relu_residual.median | sci }}$ with PyTorch's default weights "
        "(least "
        "${{ gradients_remedies.relu_residual.min | sci }}$) and by "
        "${{ gradients_remedies.relu_residual_he.median | sci }}$ with He; with layer norm before "
        "the linear map it is {{ gradients_remedies.relu_residual_pre_norm.median | .1f }} and "
        "{{ gradients_remedies.relu_residual_pre_norm_he.median | .0f }}.",
        zh="ReLU 层只加跳跃连接而不归一化，梯度会增大：PyTorch 默认初始化下为 "
        "${{ gradients_remedies.relu_residual.median | sci }}$ 倍（最小 "
        "${{ gradients_remedies.relu_residual.min | sci }}$），配 He 为 "
        "${{ gradients_remedies.relu_residual_he.median | sci }}$ 倍；"
        "线性变换之前加层归一化，则分别为 "
        "{{ gradients_remedies.relu_residual_pre_norm.median | .1f }} 和 "
        "{{ gradients_remedies.relu_residual_pre_norm_he.median | .0f }}。",
        criterion="relu_residual.min > 1e3 and relu_residual_he.min > 1e9 and "
        "relu_residual_pre_norm.max < 10 and relu_residual_pre_norm_he.max < 100",
        covers=(
            "relu_residual.*",
            "relu_residual_he.*",
            "relu_residual_pre_norm.*",
            "relu_residual_pre_norm_he.*",
            "relu_plain.*",
        ),
        runs="seeds",
        spread=("relu_residual.min", "relu_residual.max"),
        figure="gradients_remedies",
    ),
    Claim(
        id="gradients-norm-repairs-the-scale-not-the-slope",
        en="Layer norm takes fifty ReLU layers with PyTorch's default weights from "
        "${{ gradients_remedies.relu_plain.median | sci }}$ to "
        "{{ gradients_remedies.relu_layer_norm.median | .2f }} "
        "({{ gradients_remedies.relu_layer_norm.min | .2f }} to "
        "{{ gradients_remedies.relu_layer_norm.max | .2f }}), RMS norm to "
        "{{ gradients_remedies.relu_rms_norm.median | .2f }}; sigmoid layers stay at "
        "${{ gradients_remedies.sigmoid_layer_norm.median | sci }}$ and "
        "${{ gradients_remedies.sigmoid_rms_norm.median | sci }}$.",
        zh="层归一化把 PyTorch 默认初始化的五十层 ReLU 从 "
        "${{ gradients_remedies.relu_plain.median | sci }}$ 提高到 "
        "{{ gradients_remedies.relu_layer_norm.median | .2f }}"
        "（{{ gradients_remedies.relu_layer_norm.min | .2f }} 到 "
        "{{ gradients_remedies.relu_layer_norm.max | .2f }}），RMS 归一化提高到 "
        "{{ gradients_remedies.relu_rms_norm.median | .2f }}；sigmoid 层仍停在 "
        "${{ gradients_remedies.sigmoid_layer_norm.median | sci }}$ 和 "
        "${{ gradients_remedies.sigmoid_rms_norm.median | sci }}$。",
        criterion="relu_plain.max < 1e-15 and all(1e-3 < p.min and p.max < 10 for p in "
        "(relu_layer_norm, relu_rms_norm)) and max(sigmoid_layer_norm.max, sigmoid_rms_norm.max) "
        "< 1e-15",
        covers=(
            "relu_layer_norm.*",
            "relu_rms_norm.*",
            "relu_plain.*",
            "sigmoid_layer_norm.*",
            "sigmoid_rms_norm.*",
        ),
        runs="seeds",
        spread=("relu_layer_norm.min", "relu_layer_norm.max"),
        figure="gradients_remedies",
    ),
    Claim(
        id="gradients-batch-norm-alone",
        en="Batch norm without skip connections makes the gradient of fifty ReLU layers grow to "
        "${{ gradients_remedies.relu_batch_norm.median | sci }}$ (least "
        "${{ gradients_remedies.relu_batch_norm.min | sci }}$), while sigmoid layers keep "
        "{{ gradients_remedies.sigmoid_batch_norm.median | .2f }} "
        "({{ gradients_remedies.sigmoid_batch_norm.min | .2f }} to "
        "{{ gradients_remedies.sigmoid_batch_norm.max | .2f }}).",
        zh="没有跳跃连接的批归一化，让五十层 ReLU 的梯度增大到 "
        "${{ gradients_remedies.relu_batch_norm.median | sci }}$（最小 "
        "${{ gradients_remedies.relu_batch_norm.min | sci }}$），而 sigmoid 层保持在 "
        "{{ gradients_remedies.sigmoid_batch_norm.median | .2f }}"
        "（{{ gradients_remedies.sigmoid_batch_norm.min | .2f }} 到 "
        "{{ gradients_remedies.sigmoid_batch_norm.max | .2f }}）。",
        criterion="relu_batch_norm.min > 1e3 and 0.5 < sigmoid_batch_norm.min and "
        "sigmoid_batch_norm.max < 2",
        covers=("relu_batch_norm.*", "sigmoid_batch_norm.*"),
        runs="seeds",
        spread=("relu_batch_norm.min", "relu_batch_norm.max"),
        figure="gradients_remedies",
    ),
    Claim(
        id="gradients-pre-norm-and-post-norm",
        en="At initialization neither place of the layer norm loses the gradient over fifty "
        "residual "
        "ReLU blocks: {{ gradients_remedies.relu_residual_pre_norm.median | .1f }} before the "
        "linear "
        "map and {{ gradients_remedies.relu_residual_post_norm.median | .1f }} behind the "
        "addition. "
        "With He weights, post-norm grows to "
        "{{ gradients_remedies.relu_residual_post_norm_he.median | .0f }} (least "
        "{{ gradients_remedies.relu_residual_post_norm_he.min | .0f }}), pre-norm to "
        "{{ gradients_remedies.relu_residual_pre_norm_he.median | .0f }} (at most "
        "{{ gradients_remedies.relu_residual_pre_norm_he.max | .0f }}).",
        zh="初始化时，层归一化放在哪里，五十个残差 ReLU 模块都不会丢掉梯度：放在线性变换之前为 "
        "{{ gradients_remedies.relu_residual_pre_norm.median | .1f }}，放在加法之后为 "
        "{{ gradients_remedies.relu_residual_post_norm.median | .1f }}。配 He 时，后置增大到 "
        "{{ gradients_remedies.relu_residual_post_norm_he.median | .0f }}（最小 "
        "{{ gradients_remedies.relu_residual_post_norm_he.min | .0f }}），前置为 "
        "{{ gradients_remedies.relu_residual_pre_norm_he.median | .0f }}（最大 "
        "{{ gradients_remedies.relu_residual_pre_norm_he.max | .0f }}）。",
        criterion="all(1 < p.min and p.max < 10 for p in (relu_residual_pre_norm, "
        "relu_residual_post_norm)) and "
        "relu_residual_post_norm_he.min > 3 * relu_residual_pre_norm_he.max",
        covers=("relu_residual_pre_*", "relu_residual_post_*"),
        runs="seeds",
        spread=("relu_residual_post_norm_he.min", "relu_residual_post_norm_he.max"),
        figure="gradients_remedies",
    ),
)


def gain(name: str, draws: Draws) -> float:
    init, activation, norm, skip, place = BLOCKS[name]
    kinds = Kinds((activation,), (norm,), (skip,), place)
    return float(signals(draws, init, kinds, [DEPTH], parts=1).backward[DEPTH].flat[0])


def run() -> dict[str, Any]:
    result: dict[str, Any] = {"seeds": SEEDS, "depth": DEPTH, "width": WIDTH, "batch": BATCH}
    draws = [Draws(seed, WIDTH, DEPTH, BATCH) for seed in range(SEEDS)]
    for name in BLOCKS:
        result[name] = spread([gain(name, draw) for draw in draws])
    return result


def draw(result: dict[str, Any], lang: str) -> Figure:
    from experiments._gain_bars import draw_bars
    from experiments.style import BACKWARD, FORWARD

    words = {
        "en": {
            "plain": "alone",
            "residual": "skip",
            "batch_norm": "batch norm",
            "layer_norm": "layer norm",
            "rms_norm": "RMS norm",
            "residual_he": "skip, He",
            "residual_pre_norm": "skip, layer norm before",
            "residual_pre_rms": "skip, RMS norm before",
            "residual_pre_batch": "skip, batch norm before",
            "residual_post_norm": "skip, layer norm behind",
            "residual_pre_norm_he": "skip, layer norm before, He",
            "residual_post_norm_he": "skip, layer norm behind, He",
        },
        "zh": {
            "plain": "单独",
            "residual": "跳跃连接",
            "batch_norm": "批归一化",
            "layer_norm": "层归一化",
            "rms_norm": "RMS 归一化",
            "residual_he": "跳跃连接，He",
            "residual_pre_norm": "跳跃连接，前置层归一化",
            "residual_pre_rms": "跳跃连接，前置 RMS 归一化",
            "residual_pre_batch": "跳跃连接，前置批归一化",
            "residual_post_norm": "跳跃连接，后置层归一化",
            "residual_pre_norm_he": "跳跃连接，前置层归一化，He",
            "residual_post_norm_he": "跳跃连接，后置层归一化，He",
        },
    }[lang]
    rows, colors = {}, []
    comma = {"en": ", ", "zh": "，"}[lang]
    for activation, name in (("sigmoid", "sigmoid"), ("relu", "ReLU")):
        for key in (key for key in BLOCKS if key.startswith(f"{activation}_")):
            rows[f"{name}{comma}{words[key.removeprefix(f'{activation}_')]}"] = result[key]
            colors.append(BACKWARD if activation == "sigmoid" else FORWARD)
    label = {"en": "gradient gain over 50 layers", "zh": "50 层的梯度增益"}[lang]
    return draw_bars(rows, label, colors)
