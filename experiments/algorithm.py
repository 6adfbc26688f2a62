"""The loop of training, drawn with the shapes of every array, read off a real step.

A 3-4-1 tanh network and a mini-batch of 8 rows; ``run`` records the shape of everything
that a step computes, and the figure prints them. ``worked_step`` is one step small enough to do
by hand: a 1-2-1 ReLU network, one sample, one of the two hidden units off.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments import _two_layer as net
from experiments._claim import Claim

WORKED = (
    "X*",
    "yhat*",
    "A1*",
    "D1*",
    "D2*",
    "dW*",
    "db*",
    "step.a1*",
    "step.h1*",
    "step.output",
    "step.J",
    "step.delta*",
    "step.grad*",
)
CLAIMS = (
    Claim(
        id="algorithm-batch-size-not-in-gradients",
        en="In a step with a mini-batch of {{ algorithm.X[0] }} rows the batch size is the first "
        "axis of everything that the two passes hand on, and no axis of a parameter's gradient.",
        zh="小批量为 {{ algorithm.X[0] }} 行时，前向和反向传递的每个数组，第一维都是批量大小；参数"
        "的梯度没有这样一维。",
        criterion="all(shape[0] == X[0] for shape in (y, A1, H1, yhat, D1, D2)) and all(X[0] not "
        "in shape for shape in (dW1, db1, dW2, db2))",
        covers=("X*", "y*", "A1*", "H1*", "D1*", "D2*", "dW*", "db*"),
        exact="deterministic",
        figure="algorithm",
    ),
    Claim(
        id="algorithm-worked-step",
        en="The worked step lowers the loss from {{ algorithm.step.J | .1f }} to "
        "{{ algorithm.step.J_after | .3f }}; the weights and the bias of the unit that was off "
        "stay what they were.",
        zh="手算的一步使损失从 {{ algorithm.step.J | .1f }} 降到 "
        "{{ algorithm.step.J_after | .3f }}；没有激活的那个单元，权重和偏置都保持原样。",
        criterion="step.J_after < step.J and step.h1[1] == 0 and step.new_W1[1] == -1 and "
        "step.new_b1[1] == 1 and step.new_W2[1] == 2",
        covers=("step.J_after", "step.new_*"),
        exact="arithmetic",
    ),
)


def worked_step(lr: float = 0.01) -> dict[str, Any]:
    """One step of training with round numbers, and the loss before and after it."""
    x, y = np.array([[2.0]]), np.array([[1.0]])
    parameters = [
        np.array([[0.5], [-1.0]]),
        np.array([0.0, 1.0]),
        np.array([[3.0, 2.0]]),
        np.array([-1.0]),
    ]
    found = net.passes(parameters, x, y, "relu")
    new = net.descend(parameters, [found[name] for name in ("dW1", "db1", "dW2", "db2")], lr)
    return {
        "rate": lr,
        "a1": found["A1"][0].tolist(),
        "h1": found["H1"][0].tolist(),
        "output": float(found["yhat"].item()),
        "J": float(found["J"]),
        "delta2": float(found["D2"].item()),
        "grad_W2": found["dW2"][0].tolist(),
        "grad_b2": float(found["db2"][0]),
        "grad_h1": found["dH1"][0].tolist(),
        "delta1": found["D1"][0].tolist(),
        "grad_W1": found["dW1"][:, 0].tolist(),
        "grad_b1": found["db1"].tolist(),
        "new_W1": new[0][:, 0].tolist(),
        "new_b1": new[1].tolist(),
        "new_W2": new[2][0].tolist(),
        "new_b2": float(new[3][0]),
        "J_after": net.loss(new, x, y, "relu"),
    }


def run() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    parameters = net.init(rng, 3, 4)
    x, y = rng.standard_normal((8, 3)), rng.standard_normal((8, 1))
    arrays = {"X": x, "y": y} | net.passes(parameters, x, y)
    del arrays["dH1"]  # as large as H1
    shapes = {name: list(array.shape) for name, array in arrays.items()}
    return {**shapes, "step": worked_step()}


def draw(result: dict[str, Any], lang: str) -> Any:
    from experiments.style import ACCENT, BACKWARD, FORWARD, INK, MUTED, arrow, box, diagram

    t = {
        "en": {
            "init": "1. initialize W, b",
            "batch": "take a mini-batch",
            "zero": "zero the gradients",
            "forward": "2. forward pass",
            "loss": "3. loss",
            "backward": "4. backward pass",
            "update": "5. update all parameters",
            "again": "6. repeat",
            "stop": "stop: budget spent, or the\nvalidation loss no longer falls",
            "scalar": "one number",
        },
        "zh": {
            "init": "1. 初始化 W、b",
            "batch": "取一个小批量",
            "zero": "梯度清零",
            "forward": "2. 前向传播",
            "loss": "3. 损失",
            "backward": "4. 反向传播",
            "update": "5. 同时更新全部参数",
            "again": "6. 重复",
            "stop": "停止：预算用完，\n或验证损失不再下降",
            "scalar": "一个数",
        },
    }[lang]

    def shape(name: str) -> str:
        dims = result[name]
        return f"({dims[0]},)" if len(dims) == 1 else f"({', '.join(map(str, dims))})"

    fig, ax = diagram(6.6, 4.9)
    x, w, h = 1.3, 2.3, 0.46
    rows = [
        (4.3, t["init"], INK, ""),
        (3.6, t["batch"], ACCENT, f"X {shape('X')}; y {shape('y')}"),
        (2.9, t["zero"], ACCENT, ""),
        (
            2.2,
            t["forward"],
            FORWARD,
            f"A₁ {shape('A1')}; H₁ {shape('H1')}; ŷ {shape('yhat')}",
        ),
        (1.5, t["loss"], INK, f"J: {t['scalar']}"),
        (
            0.8,
            t["backward"],
            BACKWARD,
            f"Δ₂ {shape('D2')}; ∂J/∂W₂ {shape('dW2')}; ∂J/∂b₂ {shape('db2')}\n"
            f"Δ₁ {shape('D1')}; ∂J/∂W₁ {shape('dW1')}; ∂J/∂b₁ {shape('db1')}",
        ),
        (0.1, t["update"], ACCENT, t["stop"]),
    ]
    for i, (y, text, colour, note) in enumerate(rows):
        box(ax, x, y, w, h, text, color=colour, fontsize=9.5)
        last = i == len(rows) - 1
        if note:
            start = x + w + (0.55 if last else 0.15)
            ax.text(
                start, y + h / 2, note, va="center", fontsize=9, color=MUTED if last else colour
            )
        if not last:
            arrow(ax, (x + w / 2, y), (x + w / 2, rows[i + 1][0] + h), color=MUTED)
    arrow(ax, (x + w, 0.33), (x + w + 0.5, 0.33), color=MUTED)
    ax.plot([x, 0.75, 0.75], [0.33, 0.33, 3.83], color=ACCENT, linewidth=1.5)
    arrow(ax, (0.75, 3.83), (x, 3.83), color=ACCENT)
    ax.text(0.65, 2.1, t["again"], rotation=90, ha="right", va="center", fontsize=9.5, color=ACCENT)
    return fig
