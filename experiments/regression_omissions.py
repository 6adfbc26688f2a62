"""What each line of the training loop of section 5.2 is for: leave it out, and measure.

30 seeds, the article's network, 100 epochs of SGD 0.01, batch 32, float64; the test loss at the
end (median) against the complete loop with the same data, weights and batches. "doubled" counts the
runs that end with more than twice the test loss of the complete loop, or with one that is not a
number; "late_doubled" those that were there at some time in the last 20 epochs. "late" is the
largest test loss of these epochs over the final one of the complete loop, for runs that do not
overflow. "moved" counts the runs that overflow with the inputs as they are and not with inputs that
are larger by a factor of 1 + 1e-7, or the other way round.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, optim

from experiments._claim import Claim
from experiments._regression import Task, mlp, mse

SEEDS = 30
LATE = 20  # epochs at the end in which a run without zero_grad is watched
SHOWN = (0, 3, 7)  # seeds in the figure
NUDGE = 1e-7  # relative; float32 rounds by 6e-8

# The variant "sum" trains with steps so large that rounding grows: a change of 1e-14 in the initial
# weights changes some of its test losses by 3e-4.
RTOL = 1e-3


WORKED = ("seeds", "late_epochs")

CLAIMS = (
    Claim(
        "regression-omissions-no-zero-grad",
        "Without `zero_grad` the test loss after 100 epochs is more than twice that of the "
        "complete loop in {{ regression_omissions.no_zero_grad.doubled }} of "
        "{{ regression_omissions.seeds }} runs; all "
        "{{ regression_omissions.no_zero_grad.late_doubled }} were that high at some time in the "
        "last {{ regression_omissions.late_epochs }} epochs, and "
        "{{ regression_omissions.no_zero_grad.overflowed }} have overflowed. A change of the "
        "inputs as small as the rounding of float32 decides for "
        "{{ regression_omissions.no_zero_grad.moved }} runs whether they overflow.",
        "没有 `zero_grad` 时，{{ regression_omissions.seeds }} 次训练中有 "
        "{{ regression_omissions.no_zero_grad.doubled }} 次在 100 轮之后的测试损失"
        "超过完整循环的两倍；在最后 {{ regression_omissions.late_epochs }} 轮里，全部 "
        "{{ regression_omissions.no_zero_grad.late_doubled }} 次都曾超过两倍，其中 "
        "{{ regression_omissions.no_zero_grad.overflowed }} 次已经溢出。"
        "只要把输入改动到与 float32 的舍入误差相当，就有 "
        "{{ regression_omissions.no_zero_grad.moved }} 次训练在溢出与不溢出之间改变结局。",
        "no_zero_grad.late_doubled == seeds and no_zero_grad.doubled > 0.9 * seeds "
        "and 0 < no_zero_grad.overflowed < seeds and no_zero_grad.moved > 0",
        ("no_zero_grad.*",),
        runs="seeds",
        spread=("no_zero_grad.late.min", "no_zero_grad.late.max"),
        figure="regression_omissions",
    ),
    Claim(
        "regression-omissions-each-line",
        "`zero_grad` after `step` gives the same weights. Without `step`, with `step` before "
        "`backward`, or with `zero_grad` between the two the median test loss stays at "
        "{{ regression_omissions.no_step.median | .3f }}; with labels of shape (N,) it ends at "
        "{{ regression_omissions.one_dimensional_labels.median | .3f }}, with the loss summed over "
        "the batch at {{ regression_omissions.sum.median | .3f }}, and the complete loop at "
        "{{ regression_omissions.complete.median | .3f }}. Without shuffling it is "
        "{{ regression_omissions.in_order.median | .3f }}, higher than with it in "
        "{{ regression_omissions.in_order.worse }} of {{ regression_omissions.seeds }} runs, and "
        "{{ regression_omissions.sorted_in_order.median | .3f }} if the data are sorted.",
        "`zero_grad` 放在 `step` 之后，得到的权重相同。没有 `step`，或者 `step` 放在 "
        "`backward` 之前，或者 `zero_grad` 放在两者之间，测试损失的中位数停在 "
        "{{ regression_omissions.no_step.median | .3f }}；标签的形状是 (N,) 时为 "
        "{{ regression_omissions.one_dimensional_labels.median | .3f }}，对批量求和作损失时为 "
        "{{ regression_omissions.sum.median | .3f }}，完整的循环为 "
        "{{ regression_omissions.complete.median | .3f }}。不打乱顺序时为 "
        "{{ regression_omissions.in_order.median | .3f }}，{{ regression_omissions.seeds }} 次中有 "
        "{{ regression_omissions.in_order.worse }} 次比打乱时高；数据排过序则为 "
        "{{ regression_omissions.sorted_in_order.median | .3f }}。",
        "zero_grad_last.same_weights and no_step.median == step_before_backward.median "
        "and no_step.median == zero_grad_before_step.median "
        "and no_step.median > 5 * complete.median "
        "and one_dimensional_labels.median > 3 * complete.median and sum.doubled > 0.4 * seeds "
        "and in_order.worse > 0.5 * seeds and in_order.doubled == 0 "
        "and sorted_in_order.doubled == 0",
        (
            *("complete.*", "zero_grad_last.*", "zero_grad_before_step.*", "no_step.*"),
            *("step_before_backward.*", "in_order.*", "sorted_in_order.*"),
            *("one_dimensional_labels.*", "sum.*"),
        ),
        runs="seeds",
        spread=("in_order.ratio.min", "in_order.ratio.max"),
        figure="regression_omissions",
    ),
    Claim(
        "regression-omissions-dropout",
        "With dropout $0.5$ on the hidden layer the mean test loss is "
        "{{ regression_omissions.dropout.eval | .2f }} in evaluation mode and "
        "{{ regression_omissions.dropout.train | .2f }} in training mode; it is higher in training "
        "mode in each of {{ regression_omissions.seeds }} runs.",
        "隐藏层用 $0.5$ 的 dropout 时，平均测试损失在评估状态下是 "
        "{{ regression_omissions.dropout.eval | .2f }}，在训练状态下是 "
        "{{ regression_omissions.dropout.train | .2f }}；{{ regression_omissions.seeds }} 次训练"
        "中，每一次都是训练状态下更高。",
        "dropout.ratio.min > 1",
        ("dropout.*",),
        runs="seeds",
        spread=("dropout.ratio.min", "dropout.ratio.max"),
        figure="regression_omissions",
    ),
)


def train(task: Task, variant: str) -> tuple[Tensor, Tensor]:
    """Train all runs with one line changed.

    Return the test loss after each epoch, (epochs, S), and the weights, flattened.
    """
    parameters = task.mlp()
    optimizer = optim.SGD(parameters, lr=0.01)
    order = torch.arange(task.n).expand(task.seeds, -1)
    if variant == "sorted_in_order":
        order = task.x_train[..., 0].argsort(dim=1)
    fixed = variant in {"in_order", "sorted_in_order"}
    test = []
    for epoch in range(task.epochs):
        for x, y in task.batches(epoch, order if fixed else None):
            if variant not in {"no_zero_grad", "zero_grad_last", "zero_grad_before_step"}:
                optimizer.zero_grad()
            output = mlp(parameters, x)
            if variant == "one_dimensional_labels":
                loss = mse(output, y.mT)  # (n, 1) against (n): every prediction meets every label
            elif variant == "sum":
                loss = mse(output, y) * x.shape[1]
            else:
                loss = mse(output, y)
            if variant == "step_before_backward":
                optimizer.step()
            loss.sum().backward()
            if variant == "zero_grad_before_step":
                optimizer.zero_grad()
            if variant not in {"no_step", "step_before_backward"}:
                optimizer.step()
            if variant == "zero_grad_last":
                optimizer.zero_grad()
        with torch.no_grad():
            test.append(mse(mlp(parameters, task.x_test), task.y_test))
    weights = torch.cat([p.detach().flatten(1) for p in parameters], dim=1)
    return torch.stack(test), weights


def without_zero_grad(task: Task, test: Tensor, complete: Tensor) -> dict[str, Any]:
    """What happens in the runs without zero_grad, beyond their last test loss."""
    late = test[-LATE:].max(dim=0).values / complete  # nan where a loss is nan
    overflowed = ~test[-1].isfinite()
    nudged = Task(SEEDS)
    nudged.x_train = nudged.x_train * (1 + NUDGE)
    other = ~train(nudged, "no_zero_grad")[0][-1].isfinite()
    finite = late[late.isfinite()]
    return {
        "late_doubled": int((torch.nan_to_num(late, nan=np.inf) > 2).sum()),
        "late": {"min": float(finite.min()), "max": float(finite.max())},
        "overflowed": int(overflowed.sum()),
        "moved": int((overflowed != other).sum()),
    }


def dropout(task: Task, p: float = 0.5) -> dict[str, Any]:
    """Train with dropout on the hidden layer; test with the masks off (eval) and on (train)."""
    generator = torch.Generator().manual_seed(0)

    def forward(parameters: list[Tensor], x: Tensor, training: bool) -> Tensor:
        W1, b1, W2, b2 = parameters
        h = torch.relu(x @ W1.mT + b1)
        if training:
            h = h * (torch.rand(h.shape, generator=generator, dtype=h.dtype) >= p) / (1 - p)
        return h @ W2.mT + b2

    parameters = task.mlp()
    optimizer = optim.SGD(parameters, lr=0.01)
    for epoch in range(task.epochs):
        for x, y in task.batches(epoch):
            optimizer.zero_grad()
            mse(forward(parameters, x, True), y).sum().backward()
            optimizer.step()
    with torch.no_grad():
        test_eval = mse(forward(parameters, task.x_test, False), task.y_test)
        test_train = [mse(forward(parameters, task.x_test, True), task.y_test) for _ in range(10)]
    train_mode = torch.stack(test_train).mean(dim=0)
    ratio = train_mode / test_eval
    return {
        "eval": float(test_eval.mean()),
        "train": float(train_mode.mean()),
        "ratio": {"min": float(ratio.min()), "max": float(ratio.max())},
    }


def run() -> dict[str, Any]:
    task = Task(SEEDS)
    complete_curves, weights = train(task, "complete")
    complete = complete_curves[-1]
    result: dict[str, Any] = {"seeds": SEEDS, "late_epochs": LATE}
    for variant in (
        "complete",
        "no_zero_grad",
        "zero_grad_last",
        "zero_grad_before_step",
        "no_step",
        "step_before_backward",
        "in_order",
        "sorted_in_order",
        "one_dimensional_labels",
        "sum",
    ):
        curves, changed = (
            (complete_curves, weights) if variant == "complete" else train(task, variant)
        )
        test = torch.nan_to_num(curves[-1], nan=np.inf)
        result[variant] = {
            # Without zero_grad the run is chaotic: the digits of its loss would depend on rounding.
            "median": None if variant == "no_zero_grad" else float(test.quantile(0.5)),
            "worse": int((test > complete + 1e-9).sum()),
            "doubled": int((test > 2 * complete).sum()),
            "same_weights": bool(torch.equal(changed, weights)),
        }
        if variant == "in_order":
            ratio = test / complete
            result[variant]["ratio"] = {"min": float(ratio.min()), "max": float(ratio.max())}
        if variant == "no_zero_grad":
            result[variant] |= without_zero_grad(task, curves, complete)
            result["curves"] = {
                "complete": complete_curves[:, SHOWN[-1]].tolist(),
                "no_zero_grad": [curves[:, seed].tolist() for seed in SHOWN],
            }
    result["dropout"] = dropout(task)
    return result


def draw(result: dict[str, Any], lang: str) -> Any:
    from experiments.style import BACKWARD, FORWARD, INK, SERIES, new_figure

    t = {
        "en": {
            "complete": "complete loop",
            "no_zero_grad": "no zero_grad, seed {}",
            "x": "epoch",
            "y": "test loss",
        },
        "zh": {
            "complete": "完整的循环",
            "no_zero_grad": "没有 zero_grad，种子 {}",
            "x": "轮",
            "y": "测试损失",
        },
    }[lang]
    fig, ax = new_figure(6.4, 3.4)
    for seed, curve, color in zip(
        SHOWN, result["curves"]["no_zero_grad"], (SERIES[3], SERIES[2], BACKWARD), strict=True
    ):
        epochs = np.arange(1, len(curve) + 1)
        ax.plot(epochs, curve, color=color, label=t["no_zero_grad"].format(seed))
    ax.plot(epochs, result["curves"]["complete"], color=FORWARD, label=t["complete"])
    ax.set_yscale("log")
    ax.set_xlim(1, len(epochs))
    ax.set_ylim(0.5, 1e5)
    ax.set_xlabel(t["x"], color=INK)
    ax.set_ylabel(t["y"], color=INK)
    ax.legend(loc="upper left", ncols=2)
    return fig
