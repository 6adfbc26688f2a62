"""Skip connections around branches that end with a linear map: no normalization is needed there.

The branch is V relu(W h + b) + d, as in residual networks and Transformers, where nothing rectifies
the sum. The mean square of the gradient then grows per block by the factor 1 + q, where q is the
gain of the branch alone, and over L blocks the norm by about (1 + q)^(L/2). Measured:
||dJ/dh_0|| / ||dJ/dh_L|| at initialization, 50 blocks, width 64, batch 64, float64, 20 seeds, the
same draws for He, He times 1/sqrt(L), and He with the last map of each branch at zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments._claim import Claim
from experiments._deep import spread

SEEDS, DEPTH, WIDTH, BATCH = 20, 50, 64, 64
#: name: variance of the weights times the width, and the factor on the branch
STARTS = {
    "torch": (1.0 / 3.0, 1.0),
    "he": (2.0, 1.0),
    "he_scaled": (2.0, DEPTH**-0.5),
    "he_zero": (2.0, 0.0),
}

WORKED = ("depth", "width", "batch", "seeds")
CLAIMS = (
    Claim(
        id="gradients-branch-decides",
        en="Without any normalization, fifty residual blocks whose branch ends with a linear map "
        "keep the gradient within a factor of 10 for each of {{ gradients_branch.seeds }} seeds "
        "with PyTorch's default weights ({{ gradients_branch.torch.median | .1f }}), with He "
        "weights and branches times $1/\\sqrt L$ ({{ gradients_branch.he_scaled.median | .1f }}), "
        "and exactly where the last map starts at zero; with He weights alone it grows by "
        "${{ gradients_branch.he.median | sci }}$. $(1 + q)^{L/2}$ predicts the medians to within "
        "{{ gradients_branch.gap | .2f }} powers of ten.",
        zh="不用任何归一化，五十个残差模块，分支以线性变换收尾：{{ gradients_branch.seeds }} 个"
        "种子的梯度变化都在 10 倍以内的有，PyTorch 默认初始化"
        "（{{ gradients_branch.torch.median | .1f }}），以及 He 初始化、分支乘以 $1/\\sqrt L$"
        "（{{ gradients_branch.he_scaled.median | .1f }}）；最后一个变换从零开始时，梯度分毫不变；"
        "只用 He 则增大 ${{ gradients_branch.he.median | sci }}$ 倍。$(1 + q)^{L/2}$ 的预测与各"
        "中位数相差不到 {{ gradients_branch.gap | .2f }} 个数量级。",
        criterion="all(0.1 < p.min and p.max < 10 for p in (torch, he_scaled)) and "
        "he_zero.min == he_zero.max == 1 and he.min > 1e10 and gap < 0.5",
        covers=("torch.*", "he.*", "he_scaled.*", "he_zero.*", "gap"),
        runs="seeds",
        spread=("torch.min", "torch.max"),
        figure="gradients_branch",
    ),
)


def gain(seed: int, start: str) -> float:
    variance, factor = STARTS[start]
    rng = np.random.default_rng(seed)
    shape = (2, DEPTH, WIDTH, WIDTH)
    if start == "torch":  # U(-1/sqrt(n), 1/sqrt(n)), the biases too
        weights = rng.uniform(-1.0, 1.0, shape) / np.sqrt(WIDTH)
        biases = rng.uniform(-1.0, 1.0, shape[:3]) / np.sqrt(WIDTH)
    else:
        weights = rng.normal(0.0, np.sqrt(variance / WIDTH), shape)
        biases = np.zeros(shape[:3])
    h, active = rng.normal(size=(BATCH, WIDTH)), []
    for w, v, b, d in zip(*weights, *biases, strict=True):
        a = h @ w.T + b
        active.append(a > 0.0)
        h = h + factor * (np.maximum(a, 0.0) @ v.T + d)
    grad = last = rng.normal(size=(BATCH, WIDTH))
    for w, v, on in zip(*weights[:, ::-1], active[::-1], strict=True):
        grad = grad + factor * ((grad @ v) * on) @ w
    return float(np.linalg.norm(grad) / np.linalg.norm(last))


def run() -> dict[str, Any]:
    result: dict[str, Any] = {"seeds": SEEDS, "depth": DEPTH, "width": WIDTH, "batch": BATCH}
    gaps = []
    for name, (variance, factor) in STARTS.items():
        # half of the slopes of ReLU are one: a map and the ReLU behind it, then another map
        q = factor**2 * (variance / 2.0) * variance
        predicted = (1.0 + q) ** (DEPTH / 2)
        found = spread([gain(seed, name) for seed in range(SEEDS)])
        gaps.append(abs(float(np.log10(found["median"] / predicted))))
        result[name] = found | {"q": q, "predicted": predicted}
    result["gap"] = max(gaps)
    return result


def draw(result: dict[str, Any], lang: str) -> Figure:
    from experiments._gain_bars import draw_bars

    words = {
        "en": ("PyTorch default", "He", "He, branch times 1/√L", "He, last map zero"),
        "zh": ("PyTorch 默认", "He", "He，分支乘 1/√L", "He，最后的变换为零"),
    }[lang]
    label = {"en": "gradient gain over 50 blocks", "zh": "50 个模块的梯度增益"}[lang]
    return draw_bars({w: result[name] for w, name in zip(words, STARTS, strict=True)}, label)
