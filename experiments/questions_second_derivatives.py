"""What a second derivative costs: multiply-adds of a Hessian-vector product, counted.

A tanh network with three linear layers of equal width, batch of 32. PyTorch's counter adds up the
matrix products of the forward pass, of forward and backward pass (``gradient``), and of both
together with a second backward pass through g·v (``product``).
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from experiments._claim import Claim

WIDTHS, BATCH = (16, 64, 256), 32

WORKED = ("batch",)
CLAIMS = (
    Claim(
        "questions-hessian-vector-product",
        "One Hessian-vector product of a network with "
        "{{ questions_second_derivatives.w_256.parameters | , }} parameters takes "
        "{{ questions_second_derivatives.w_256.over_gradient | .2f }} times the matrix products of "
        "its gradient, and as many with a sixteenth of the width "
        "({{ questions_second_derivatives.w_16.over_gradient | .2f }} times).",
        "网络有 {{ questions_second_derivatives.w_256.parameters | , }} 个参数时，"
        "一次 Hessian 向量积的矩阵乘法量是梯度的 "
        "{{ questions_second_derivatives.w_256.over_gradient | .2f }} 倍；"
        "宽度只有十六分之一时也一样"
        "（{{ questions_second_derivatives.w_16.over_gradient | .2f }} 倍）。",
        "w_256.over_gradient < 3 and w_16.over_gradient < 3 and "
        "abs(w_256.over_gradient - w_16.over_gradient) < 0.01",
        ("w_*",),
        exact="count",
    ),
)


def count(width: int) -> dict[str, float]:
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Linear(width, width),
        torch.nn.Tanh(),
        torch.nn.Linear(width, width),
        torch.nn.Tanh(),
        torch.nn.Linear(width, width),
    )
    parameters = list(net.parameters())
    x, v = torch.randn(BATCH, width), [torch.randn_like(p) for p in parameters]
    flops = {}
    for what in ("forward", "gradient", "product"):
        with FlopCounterMode(display=False) as counter:
            loss = net(x).square().mean()
            if what != "forward":
                g = torch.autograd.grad(loss, parameters, create_graph=what == "product")
            if what == "product":
                torch.autograd.grad(g, parameters, grad_outputs=v)
        flops[what] = counter.get_total_flops() // 2
    return {
        "parameters": sum(p.numel() for p in parameters),
        **flops,
        "over_gradient": flops["product"] / flops["gradient"],
    }


def run() -> dict[str, Any]:
    return {"batch": BATCH} | {f"w_{width}": count(width) for width in WIDTHS}
