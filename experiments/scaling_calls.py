"""A training step counted: operations that Python asks PyTorch for, and multiply-adds.

The usual loop (zero_grad, model, loss, backward, SGD step, item) for networks with one hidden
layer of different size, and the backward pass by hand of `bpref.regression` on the same tensors.
Counted is every call that reaches ATen, PyTorch's library of operations, views included.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from bpref.regression import Config
from bpref.regression.engine import TorchEngine
from experiments._claim import Claim

# inputs, hidden units, rows of a batch
CASES = {"article": (1, 10, 32), "batch": (1, 10, 8192), "wide": (20, 1024, 1024)}

WORKED = ("*.inputs", "*.hidden", "*.rows")
CLAIMS = (
    Claim(
        "scaling-calls-of-a-step",
        "One training step of the article's network is {{ scaling_calls.article.calls }} calls "
        "into PyTorch for {{ scaling_calls.article.work | ,d }} multiply-adds, "
        "{{ scaling_calls.article.per_call | .0f }} a call. With {{ scaling_calls.wide.inputs }} "
        "inputs, {{ scaling_calls.wide.hidden | ,d }} hidden units and "
        "{{ scaling_calls.wide.rows | ,d }} rows it is {{ scaling_calls.wide.calls }} calls and "
        "{{ scaling_calls.wide.per_call | ,.0f }} multiply-adds a call. The backward pass by hand "
        "of `bpref.regression` takes {{ scaling_calls.article.by_hand }} calls.",
        "原文网络的一个训练步对 PyTorch 调用 {{ scaling_calls.article.calls }} 次，做 "
        "{{ scaling_calls.article.work | ,d }} 次乘加，平均每次调用 "
        "{{ scaling_calls.article.per_call | .0f }} 次。"
        "换成 {{ scaling_calls.wide.inputs }} 个输入、"
        "{{ scaling_calls.wide.hidden | ,d }} 个隐藏单元、{{ scaling_calls.wide.rows | ,d }} 行，"
        "调用 {{ scaling_calls.wide.calls }} 次，平均每次 "
        "{{ scaling_calls.wide.per_call | ,.0f }} 次乘加。`bpref.regression` 手写的反向传播调用 "
        "{{ scaling_calls.article.by_hand }} 次。",
        "article.calls == batch.calls and article.calls == wide.calls and "
        "wide.per_call > 10000 * article.per_call and article.by_hand < article.calls",
        ("*.calls", "*.work", "*.per_call", "*.by_hand"),
        exact="count",
    ),
)


class Calls(TorchDispatchMode):
    """Count what reaches ATen."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += str(func).startswith("aten.")
        return func(*args, **(kwargs or {}))


def calls(step: Callable[[], object]) -> int:
    """Calls of a step; the first one makes the gradients and is not counted."""
    step()
    with Calls() as counted:
        step()
    return counted.count


def usual(inputs: int, hidden: int, rows: int) -> int:
    model = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    criterion = nn.MSELoss()
    x, y = torch.ones(rows, inputs), torch.ones(rows, 1)

    def step() -> None:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        loss.item()

    return calls(step)


def by_hand(inputs: int, hidden: int, rows: int) -> int:
    config = Config(hidden_sizes=(hidden,), backend="torch", device="cpu")
    engine = TorchEngine(config, (inputs, hidden, 1), torch.device("cpu"))
    x, y = torch.ones(rows, inputs), torch.ones(rows, 1)

    def step() -> None:
        engine.optimizer.zero_grad()
        loss = engine.criterion(engine.network(x), y)
        loss.backward()
        engine.optimizer.step()
        loss.item()

    with torch.no_grad():
        return calls(step)


def multiply_adds(inputs: int, hidden: int, rows: int) -> int:
    """Forward, gradients of the weights, and back to the hidden layer."""
    return rows * (2 * (inputs * hidden + hidden) + hidden)


def run() -> dict[str, Any]:
    found = {}
    for name, case in CASES.items():
        count, work = usual(*case), multiply_adds(*case)
        found[name] = dict(zip(("inputs", "hidden", "rows"), case, strict=True)) | {
            "calls": count,
            "by_hand": by_hand(*case),
            "work": work,
            "per_call": work / count,
        }
    return found
