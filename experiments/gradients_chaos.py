"""tanh x N(0, 1): the gradient explodes, and so does every rounding error of the forward pass.

Measured like ``gradients`` (width 64, batch 16) but over 100 seeds and in powers of ten only: the
forward map is chaotic (a change of the input grows by the same factor as the gradient, far beyond
1e16), so the last digits depend on the order of summation in the BLAS and only the statistics can
be reproduced.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._claim import Claim
from experiments._deep import Draws, Kinds, signals

# chaotic forward map (see the docstring); the median exponent over 100 seeds is stable to 1 %
RTOL = 5e-2
SEEDS = 100
DEPTHS = (1, 2, 5, 10, 20, 35, 50)

WORKED = ("depth", "depths*")
CLAIMS = (
    Claim(
        id="gradients-tanh-unit-weights-explode",
        en="tanh with N(0, 1) weights multiplies the gradient by "
        "$10^{ {{ gradients_chaos.log10_median | .0f }} }$ over {{ gradients_chaos.depth }} "
        "layers; "
        "for 80 % of {{ gradients_chaos.seeds }} seeds the exponent lies between "
        "{{ gradients_chaos.log10_q10 | .1f }} and {{ gradients_chaos.log10_q90 | .1f }}.",
        zh="tanh 配 N(0, 1) 的权重，经过 {{ gradients_chaos.depth }} 层，梯度变为 "
        "$10^{ {{ gradients_chaos.log10_median | .0f }} }$ 倍；{{ gradients_chaos.seeds }} 个种子"
        "中有 "
        "80 % 的指数在 {{ gradients_chaos.log10_q10 | .1f }} 到 "
        "{{ gradients_chaos.log10_q90 | .1f }} 之间。",
        criterion="log10_q10 > 12",
        covers=("log10_*", "curve.*", "seeds"),
        runs="seeds",
        spread=("log10_q10", "log10_q90"),
        figure="gradients",
    ),
)


def gains(seed: int) -> list[float]:
    draws = Draws(seed, 64, max(DEPTHS), 16)
    backward = signals(draws, "unit", Kinds(("tanh",)), DEPTHS, parts=1).backward
    return [float(backward[depth].flat[0]) for depth in DEPTHS]


def run() -> dict[str, Any]:
    logs = np.log10([gains(seed) for seed in range(SEEDS)])
    q = np.quantile(logs, [0.1, 0.5, 0.9], axis=0)
    return {
        "seeds": SEEDS,
        "depth": DEPTHS[-1],
        "depths": DEPTHS,
        "log10_q10": float(q[0, -1]),
        "log10_median": float(q[1, -1]),
        "log10_q90": float(q[2, -1]),
        "curve": {"q10": q[0].tolist(), "median": q[1].tolist(), "q90": q[2].tolist()},
    }
