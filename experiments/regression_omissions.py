"""What each line of the training loop of section 5.2 is for: leave it out, and measure.

30 seeds, the article's network, 100 epochs of SGD 0.01, batch 32, float64; the test loss at the
end (median) against the complete loop with the same data, weights and batches. "doubled" counts the
runs that end with more than twice the test loss of the complete loop, or with one that is not a
number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, optim

from experiments._regression import Task, mlp, mse

SEEDS = 30

# The variant "sum" trains with steps so large that rounding grows: a change of 1e-14 in the initial
# weights changes some of its test losses by 3e-4.
RTOL = 1e-3


def train(task: Task, variant: str) -> tuple[Tensor, Tensor]:
    """Train all runs with one line changed; return test losses (S,) and the weights, flattened."""
    parameters = task.mlp()
    optimizer = optim.SGD(parameters, lr=0.01)
    order = torch.arange(task.n).expand(task.seeds, -1)
    if variant == "sorted_in_order":
        order = task.x_train[..., 0].argsort(dim=1)
    fixed = variant in {"in_order", "sorted_in_order"}
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
        test = mse(mlp(parameters, task.x_test), task.y_test)
        return test, torch.cat([p.flatten(1) for p in parameters], dim=1)


def dropout(task: Task, p: float = 0.5) -> dict[str, float]:
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
        test_train = [
            mse(forward(parameters, task.x_test, True), task.y_test).mean() for _ in range(10)
        ]
    return {"eval": float(test_eval.mean()), "train": float(torch.stack(test_train).mean())}


def run() -> dict[str, Any]:
    task = Task(SEEDS)
    complete, weights = train(task, "complete")
    result: dict[str, Any] = {"seeds": SEEDS}
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
        test, changed = (complete, weights) if variant == "complete" else train(task, variant)
        test = torch.nan_to_num(test, nan=np.inf)
        result[variant] = {
            # Without zero_grad the run is chaotic: the digits of its loss would depend on rounding.
            "median": None if variant == "no_zero_grad" else float(test.quantile(0.5)),
            "worse": int((test > complete + 1e-9).sum()),
            "doubled": int((test > 2 * complete).sum()),
            "same_weights": bool(torch.equal(changed, weights)),
        }
    result["dropout"] = dropout(task)
    return result
