"""The four gradient paths of the application pages: which tensors of a program receive a gradient.

For a tiny torch program per task, ``run`` records after ``backward()`` which leaves hold a
gradient. The data (pixels, word numbers, frames, states, actions, rewards, labels) hold none; every
parameter does.
"""

from __future__ import annotations

from typing import Any

import torch
from matplotlib.figure import Figure
from torch.nn import functional as F

from experiments import style
from experiments._claim import Claim

CLAIMS = (
    Claim(
        id="applications-gradient-stops-at-data",
        en="In the four programs every parameter has a gradient after `backward()`, and no data "
        "has one: pixels, word numbers, frames, states, sampled actions, rewards, labels.",
        zh="在四个程序中，`backward()` 之后每个参数都有梯度，数据都没有：像素、词的编号、帧、状态、"
        "采样得到的动作、奖励、标签。",
        criterion="all((images.kernel, images.weight, text.embedding, text.inner, text.recurrent, "
        "text.weight, speech.weight, reinforcement_learning.policy)) and not any((images.pixels, "
        "images.label, text.words, text.label, speech.frames, speech.labels, "
        "reinforcement_learning.state, reinforcement_learning.action, "
        "reinforcement_learning.reward))",
        covers=("images.*", "text.*", "speech.*", "reinforcement_learning.*"),
        exact="deterministic",
        figure="applications",
    ),
)


def _received(**tensors: torch.Tensor) -> dict[str, bool]:
    return {name: t.grad is not None for name, t in tensors.items()}


def _parameter(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64).requires_grad_()


def images() -> dict[str, bool]:
    x, y = torch.randn(6, 1, 8, 8, dtype=torch.float64), torch.arange(6) % 3
    kernel, weight = _parameter(4, 1, 3, 3), _parameter(3, 4)
    z = torch.relu(F.conv2d(x, kernel)).mean(dim=(2, 3)) @ weight.T
    F.cross_entropy(z, y).backward()
    return _received(kernel=kernel, weight=weight, pixels=x, label=y)


def text() -> dict[str, bool]:
    words, y = torch.tensor([[0, 3, 1, 2], [0, 2, 1, 3]]), torch.tensor([0, 1])
    table, inner, recurrent, weight = (
        _parameter(5, 3),
        _parameter(4, 3),
        _parameter(4, 4),
        _parameter(2, 4),
    )
    h = torch.zeros(2, 4, dtype=torch.float64)
    for t in range(4):
        h = torch.tanh(table[words[:, t]] @ inner.T + h @ recurrent.T)
    F.cross_entropy(h @ weight.T, y).backward()
    return _received(
        embedding=table, inner=inner, recurrent=recurrent, weight=weight, words=words, label=y
    )


def speech() -> dict[str, bool]:
    frames, labels = torch.randn(6, 1, 5, dtype=torch.float64), torch.tensor([[1, 2]])
    weight = _parameter(3, 5)
    logp = (frames @ weight.T).log_softmax(2)
    F.ctc_loss(logp, labels, torch.tensor([6]), torch.tensor([2])).backward()
    return _received(weight=weight, frames=frames, labels=labels)


def reinforcement_learning() -> dict[str, bool]:
    state, weight = torch.randn(3, dtype=torch.float64), _parameter(2, 3)
    policy = torch.distributions.Categorical(logits=weight @ state)
    action = policy.sample()
    reward = torch.tensor([0.0, 1.0], dtype=torch.float64)[action]
    (-(reward - 0.5) * policy.log_prob(action)).backward()
    return _received(policy=weight, state=state, action=action, reward=reward)


def run() -> dict[str, Any]:
    torch.manual_seed(0)
    return {f.__name__: f() for f in (images, text, speech, reinforcement_learning)}


WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "rows": ("images", "text", "speech", "reinforcement learning"),
        "images": ("pixels", "convolution", "pooling", "linear", "cross-entropy"),
        "text": ("word numbers", "embedding", "recurrence\nover words", "linear", "cross-entropy"),
        "speech": (
            "frames",
            "encoder",
            "log p of labels\nper frame",
            "sum over\nalignments",
            "−log p(labels)",
        ),
        "rl": (
            "state",
            "policy\nnetwork",
            "log π(action)",
            "weighted by\nreturn − baseline",
            "average",
        ),
        "more": ("sampled action", "environment", "reward\n(a constant)"),
        "legend": ("forward", "gradient", "the gradient stops", "has parameters"),
    },
    "zh": {
        "rows": ("图像", "文本", "语音", "强化学习"),
        "images": ("像素", "卷积", "池化", "线性层", "交叉熵"),
        "text": ("词的编号", "词嵌入", "逐词循环", "线性层", "交叉熵"),
        "speech": ("帧", "编码器", "每帧各标签的\n对数概率", "对所有对齐\n求和", "−log p(标签)"),
        "rl": ("状态", "策略网络", "log π(动作)", "按“回报 − 基线”\n加权", "取平均"),
        "more": ("采样得到的动作", "环境", "奖励\n（常数）"),
        "legend": ("前向", "梯度", "梯度到此为止", "带参数"),
    },
}


def draw(result: dict[str, Any], lang: str) -> Figure:
    del result
    words = WORDS[lang]
    width, box_w, box_h, pitch = 7.2, 1.12, 0.46, 1.44
    fig, ax = style.diagram(width, 5.35)

    def stop(x: float, y: float, *, vertical: bool = True) -> None:
        dx, dy = (0.0, 0.12) if vertical else (0.12, 0.0)
        ax.plot((x - dx, x + dx), (y - dy, y + dy), color=style.BAD, linewidth=2.6)

    for row, key in enumerate(("images", "text", "speech", "rl")):
        y = 4.35 - 1.05 * row
        ax.text(0.12, y + 0.62, words["rows"][row], fontsize=10, weight="bold", va="center")
        xs = [0.12 + pitch * i for i in range(5)]
        for i, label in enumerate(words[key]):
            # Parameters live in framed boxes of the accent colour, data in muted ones.
            trained = (
                (key == "images" and i in (1, 3))
                or (key == "text" and i in (1, 2, 3))
                or (key in ("speech", "rl") and i == 1)
            )
            colour = style.ACCENT if trained else style.MUTED
            style.box(ax, xs[i], y, box_w, box_h, label, color=colour, fontsize=8)
        for i in range(4):
            left, right = xs[i] + box_w, xs[i + 1]
            style.arrow(
                ax, (left, y + 0.32), (right, y + 0.32), color=style.FORWARD, mutation_scale=9
            )
            if i:
                style.arrow(
                    ax, (right, y + 0.13), (left, y + 0.13), color=style.BACKWARD, mutation_scale=9
                )
            else:
                ax.plot(
                    (right, left + 0.1), (y + 0.13, y + 0.13), color=style.BACKWARD, linewidth=1.5
                )
                stop(left + 0.1, y + 0.13)
    # The loop through the environment: forward only.
    y = 4.35 - 1.05 * 3
    low = y - 0.78
    action, world, reward = 0.12 + 1.44 * 1, 0.12 + 1.44 * 2, 0.12 + 1.44 * 3
    for x, label in zip((action, world, reward), words["more"], strict=True):
        style.box(ax, x, low, box_w, box_h, label, color=style.MUTED, fontsize=8)
    style.arrow(
        ax, (action + 0.4, y), (action + 0.4, low + box_h), color=style.FORWARD, mutation_scale=9
    )
    style.arrow(
        ax, (action + box_w, low + 0.23), (world, low + 0.23), color=style.FORWARD, mutation_scale=9
    )
    style.arrow(
        ax, (world + box_w, low + 0.23), (reward, low + 0.23), color=style.FORWARD, mutation_scale=9
    )
    style.arrow(
        ax, (reward + 0.4, low + box_h), (reward + 0.4, y), color=style.FORWARD, mutation_scale=9
    )
    ax.plot((reward + 0.75, reward + 0.75), (y, y - 0.15), color=style.BACKWARD, linewidth=1.5)
    stop(reward + 0.75, y - 0.15, vertical=False)
    # Legend.
    style.arrow(ax, (1.75, 5.2), (2.05, 5.2), color=style.FORWARD, mutation_scale=9)
    ax.text(2.13, 5.2, words["legend"][0], fontsize=8.5, va="center")
    style.arrow(ax, (3.1, 5.2), (2.8, 5.2), color=style.BACKWARD, mutation_scale=9)
    ax.text(3.18, 5.2, words["legend"][1], fontsize=8.5, va="center")
    stop(4.05, 5.2)
    ax.text(4.13, 5.2, words["legend"][2], fontsize=8.5, va="center")
    style.box(ax, 5.6, 5.12, 0.26, 0.16, color=style.ACCENT)
    ax.text(5.94, 5.2, words["legend"][3], fontsize=8.5, va="center")
    return fig
