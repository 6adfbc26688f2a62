"""What fewer digits do: the gradient, and the end of a training, in four precisions.

A network 20-64-64-1 with tanh learns y = sin(x1) + x2 x3 from 1024 rows, Adam 0.003, batches of
64, 30 epochs; 10 seeds (data, weights, order). The contenders start from the same weights and see
the same batches: float64; float32; float32 with a forward pass in bfloat16 (autocast, as ``--amp``
does it); and everything in bfloat16, weights and optimizer included.

Measured: the digits of the first gradient, -log10 of its error relative to float64 in the
Euclidean norm; the validation loss at the end, relative to that of float64; and, for everything in
bfloat16, the share of all weights that the last 16 steps (one epoch) leave exactly as they were.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from experiments._claim import Claim
from experiments._ranges import exactly

RTOL = 0.1  # processors with and without bfloat16 add up its products in another order

SEEDS, ROWS, BATCH, EPOCHS, RATE = 10, 1024, 64, 30, 0.003
DTYPES = {
    "float64": torch.float64,
    "float32": torch.float32,
    "mixed": torch.float32,
    "bfloat16": torch.bfloat16,
}

WORKED = ("seeds", "rows", "batch", "epochs", "rate")
CLAIMS = (
    Claim(
        "scaling-digits-of-the-gradient",
        "The first gradient agrees with that of float64 to "
        "{{ scaling_precision.digits.float32.median | .1f }} digits in float32, to "
        "{{ scaling_precision.digits.mixed.median | .1f }} with autocast to bfloat16 (medians of "
        "{{ scaling_precision.seeds }} seeds; at least "
        "{{ scaling_precision.digits.float32.min | .1f }} and "
        "{{ scaling_precision.digits.mixed.min | .1f }}).",
        "第一个梯度与 float64 的结果相比，float32 有 "
        "{{ scaling_precision.digits.float32.median | .1f }} 位数字一致，"
        "用 autocast 转成 bfloat16 有 {{ scaling_precision.digits.mixed.median | .1f }} 位"
        "（{{ scaling_precision.seeds }} 个种子的中位数；"
        "最少分别是 {{ scaling_precision.digits.float32.min | .1f }} 位和 "
        "{{ scaling_precision.digits.mixed.min | .1f }} 位）。",
        "digits.float32.min > 5.5 and digits.mixed.max < 3 and digits.mixed.min > 1",
        ("digits.*",),
        runs="seeds",
        spread=("digits.mixed.min", "digits.mixed.max"),
        figure="scaling_precision",
    ),
    Claim(
        "scaling-mixed-precision-trains",
        "After the same training the validation loss relative to float64 is "
        "{{ scaling_precision.loss.float32.median | .2f }} in float32, "
        "{{ scaling_precision.loss.mixed.median | .2f }} in mixed precision "
        "({{ scaling_precision.loss.mixed.min | .2f }} to "
        "{{ scaling_precision.loss.mixed.max | .2f }}), and "
        "{{ scaling_precision.loss.bfloat16.median | .2f }} with everything in bfloat16 "
        "({{ scaling_precision.loss.bfloat16.min | .2f }} to "
        "{{ scaling_precision.loss.bfloat16.max | .2f }}), medians of "
        "{{ scaling_precision.seeds }} seeds. In its last epoch "
        "{{ scaling_precision.unmoved.median | pct }} of the bfloat16 weights do not move at all.",
        "同样的训练之后，验证损失与 float64 之比：float32 为 "
        "{{ scaling_precision.loss.float32.median | .2f }}，混合精度为 "
        "{{ scaling_precision.loss.mixed.median | .2f }}"
        "（{{ scaling_precision.loss.mixed.min | .2f }} 到 "
        "{{ scaling_precision.loss.mixed.max | .2f }}），全部用 bfloat16 为 "
        "{{ scaling_precision.loss.bfloat16.median | .2f }}"
        "（{{ scaling_precision.loss.bfloat16.min | .2f }} 到 "
        "{{ scaling_precision.loss.bfloat16.max | .2f }}），均为 "
        "{{ scaling_precision.seeds }} 个种子的中位数。在最后一轮里，"
        "{{ scaling_precision.unmoved.median | pct }} 的 bfloat16 权重一点也没有动。",
        "loss.mixed.max < 1.05 and loss.bfloat16.min > 1.05 and unmoved.min > 0.1",
        ("loss.*", "unmoved.*"),
        runs="seeds",
        spread=("loss.bfloat16.min", "loss.bfloat16.max"),
        figure="scaling_precision",
    ),
)


def rows(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    X = torch.from_numpy(rng.standard_normal((ROWS, 20)))
    return X, torch.sin(X[:, :1]) + X[:, 1:2] * X[:, 2:3]


class Run:
    """A training in one precision, from given weights."""

    def __init__(self, name: str, model: nn.Module, data: tuple[Tensor, Tensor]) -> None:
        self.name, self.dtype = name, DTYPES[name]
        self.model = copy.deepcopy(model).to(self.dtype)
        self.X, self.y = (part.to(self.dtype) for part in data)
        # One for all weights in a loop: the vectorised form would round elsewhere.
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=RATE, foreach=False)

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.name == "mixed"):
            prediction = self.model(x)
        return nn.functional.mse_loss(prediction.to(self.dtype), y)

    def gradient(self, x: Tensor, y: Tensor) -> Tensor:
        self.optimizer.zero_grad()
        self.loss(x, y).backward()
        grads = [parameter.grad for parameter in self.model.parameters()]
        return torch.cat([grad.flatten() for grad in grads if grad is not None]).double()

    def weights(self) -> Tensor:
        return nn.utils.parameters_to_vector(self.model.parameters()).detach().clone()

    def epoch(self, order: Tensor) -> None:
        for part in order.split(BATCH):
            self.gradient(self.X[part], self.y[part])
            self.optimizer.step()

    def validation(self, data: tuple[Tensor, Tensor]) -> float:
        """The loss in float64 of the weights as they are."""
        model = copy.deepcopy(self.model).double()
        with torch.no_grad():
            return float(nn.functional.mse_loss(model(data[0]), data[1]))


def one(seed: int) -> dict[str, dict[str, float]]:
    rng = np.random.default_rng(seed)
    data, fresh = rows(rng), rows(rng)
    orders = [torch.from_numpy(rng.permutation(ROWS)) for _ in range(EPOCHS)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tanh = nn.Tanh()
        model = nn.Sequential(
            nn.Linear(20, 64), tanh, nn.Linear(64, 64), tanh, nn.Linear(64, 1)
        ).double()
    runs = {name: Run(name, model, data) for name in DTYPES}
    first = {name: run.gradient(run.X[:BATCH], run.y[:BATCH]) for name, run in runs.items()}
    exact = first["float64"]
    errors = {name: float((g - exact).norm() / exact.norm()) for name, g in first.items()}
    losses, unmoved = {}, {}
    for name, run in runs.items():
        for order in orders[:-1]:
            run.epoch(order)
        before = run.weights()
        run.epoch(orders[-1])
        unmoved[name] = float((run.weights() == before).double().mean())
        losses[name] = run.validation(fresh)
    less = [name for name in DTYPES if name != "float64"]
    return {
        "digits": {name: -float(np.log10(errors[name])) for name in less},
        "loss": {name: losses[name] / losses["float64"] for name in less},
        "unmoved": {"bfloat16": unmoved["bfloat16"]},
    }


def run() -> dict[str, Any]:
    found = [one(seed) for seed in range(SEEDS)]
    of = {
        what: {name: exactly(f[what][name] for f in found) for name in found[0][what]}
        for what in found[0]
    }
    settings = {"seeds": SEEDS, "rows": ROWS, "batch": BATCH, "epochs": EPOCHS, "rate": RATE}
    return settings | {
        "digits": of["digits"],
        "loss": of["loss"],
        "unmoved": of["unmoved"]["bfloat16"],
    }


def draw(result: dict[str, Any], lang: str) -> Any:
    from experiments import style
    from experiments._ranges import Bar, draw_ranges

    names, x = {
        "en": (
            ("float32", "mixed precision", "everything in bfloat16"),
            "validation loss relative to float64",
        ),
        "zh": (("float32", "混合精度", "全部用 bfloat16"), "验证损失与 float64 之比"),
    }[lang]
    colors = (style.SERIES[0], style.SERIES[1], style.BAD)
    keys = ("float32", "mixed", "bfloat16")
    bars = [
        Bar(name, result["loss"][key], color)
        for name, key, color in zip(names, keys, colors, strict=True)
    ]
    fig = draw_ranges(bars, x)
    (ax,) = fig.axes
    ax.set_xscale("linear")
    ax.axvline(1.0, color=style.MUTED, lw=0.8, zorder=0)
    return fig
