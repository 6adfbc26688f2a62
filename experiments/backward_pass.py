"""The live backward pass: the training step that the widget starts with, as `bpref.trace` sees it.

``step`` holds every array of one step of gradient descent (η = 0.1) on the page's 2-3-1 network
with one sample: the table that readers without the script see. ``loss`` is the loss of this and
of the next steps for the learning rates that the page suggests.
"""

from typing import Any

import numpy as np

from bpref import nn
from bpref.trace import Trace, trace_training_step
from experiments._claim import Claim

X, Y = np.array([[0.5, -1.0]]), np.array([[0.5]])
RATES = {"small": 0.1, "large": 2.0}
STEPS = 5

WORKED = ("step.*", "rate.*")
CLAIMS = (
    Claim(
        id="backward-pass-step-too-long",
        en="On the network of the live backward pass, the loss falls from "
        "${{ backward_pass.loss.small[0] | .4f }}$ to ${{ backward_pass.loss.small[1] | .4f }}$ "
        "and ${{ backward_pass.loss.small[2] | .4f }}$ with the rate "
        "{{ backward_pass.rate.small }}; with the rate {{ backward_pass.rate.large | .0f }} it "
        "rises to ${{ backward_pass.loss.large[1] | .2f }}$ and "
        "${{ backward_pass.loss.large[2] | .2f }}$.",
        zh="在交互式反向传播所用的网络上，学习率为 {{ backward_pass.rate.small }} 时，损失从 "
        "${{ backward_pass.loss.small[0] | .4f }}$ 降到 "
        "${{ backward_pass.loss.small[1] | .4f }}$，再到 "
        "${{ backward_pass.loss.small[2] | .4f }}$；学习率为 {{ backward_pass.rate.large | .0f }} "
        "时，损失升到 ${{ backward_pass.loss.large[1] | .2f }}$，再到 "
        "${{ backward_pass.loss.large[2] | .2f }}$。",
        criterion="loss.small[0] > loss.small[1] > loss.small[2] and loss.large[0] == "
        "loss.small[0] and loss.large[0] < loss.large[1] < loss.large[2]",
        covers=("loss.*",),
        exact="arithmetic",
    ),
)


def network() -> nn.Sequential:
    """The network of the page, before the step."""
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    model[0].weight.data = np.array([[0.4, -0.2], [-0.3, 0.8], [0.6, 0.1]])
    model[0].bias.data = np.array([0.1, 0.2, -0.1])
    model[2].weight.data = np.array([[0.7, -0.5, 0.9]])
    model[2].bias.data = np.array([0.3])
    return model


def apply(model: nn.Sequential, trace: Trace) -> None:
    """Put the updated parameters into the model."""
    for k, layer in enumerate((model[0], model[2]), 1):
        layer.weight.data, layer.bias.data = trace[f"new_W_{k}"], trace[f"new_b_{k}"]


def losses(lr: float) -> list[float]:
    model, found = network(), []
    for _ in range(STEPS):
        trace = trace_training_step(model, X, Y, lr=lr)
        found.append(float(trace["J"]))
        apply(model, trace)
    return found


def run() -> dict[str, Any]:
    trace = trace_training_step(network(), X, Y, lr=RATES["small"])
    step = {entry.name: entry.value.tolist() for entry in trace.entries}
    return {"step": step, "rate": RATES, "loss": {name: losses(lr) for name, lr in RATES.items()}}
