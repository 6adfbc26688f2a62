"""The network on the diabetes file: is the network better than a linear model on real data?

20 random splits into 354 training and 88 test rows, those of `bpref.regression.split` with the
seeds 0 … 19; 100 epochs of SGD 0.01, batch 32, float64.
Losses are in the square of the target's unit. "ratio" is the loss of the network over that of least
squares, split by split.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import optim

from bpref.regression import MLP, Scaler, least_squares, read_csv, split
from experiments._claim import Claim
from experiments._regression import BATCH, EPOCHS, mlp, mse, sample_order, summary

SEEDS = 20

WORKED = ("seeds",)

CLAIMS = (
    Claim(
        "regression-diabetes-overfits",
        "Trained for 100 epochs on the diabetes table, the network is better than least squares on "
        "the training rows in {{ regression_diabetes.mlp_better.train }} of "
        "{{ regression_diabetes.seeds }} random splits, and on the test rows in "
        "{{ regression_diabetes.mlp_better.test }}. Its mean test loss is "
        "{{ regression_diabetes.mlp.test.mean | .0f }} against "
        "{{ regression_diabetes.least_squares.test.mean | .0f }}, and "
        "{{ regression_diabetes.constant.test.mean | .0f }} for the mean label.",
        "在糖尿病数据上训练 100 轮，{{ regression_diabetes.seeds }} 次随机划分中，网络在训练行上有 "
        "{{ regression_diabetes.mlp_better.train }} 次优于最小二乘，在测试行上只有 "
        "{{ regression_diabetes.mlp_better.test }} 次。测试损失的平均值，网络是 "
        "{{ regression_diabetes.mlp.test.mean | .0f }}，最小二乘是 "
        "{{ regression_diabetes.least_squares.test.mean | .0f }}，常数（标签的均值）是 "
        "{{ regression_diabetes.constant.test.mean | .0f }}。",
        "mlp_better.train == seeds and mlp_better.test < 0.5 * seeds "
        "and ratio.train.max < 1 and mlp.test.mean < 0.6 * constant.test.mean",
        ("mlp*", "least_squares.*", "constant.*", "ratio.*"),
        runs="seeds",
        spread=("ratio.test.min", "ratio.test.max"),
        figure="regression_diabetes",
    ),
)


def run() -> dict[str, Any]:
    file = Path(str(resources.files("bpref.regression"))) / "data" / "diabetes.csv"
    table = read_csv(file, "target")
    parts: list[list[np.ndarray]] = [[], [], [], []]
    units, constant, line = [], [], []
    for seed in range(SEEDS):
        X_train, y_train, X_test, y_test = split(table.X, table.y, seed=seed)
        inputs, labels = Scaler.from_training(X_train), Scaler.from_training(y_train)
        weight, bias = least_squares(X_train, y_train)
        line.append(
            [
                float(np.mean((inputs_ @ weight.T + bias - labels_) ** 2))
                for inputs_, labels_ in ((X_train, y_train), (X_test, y_test))
            ]
        )
        constant.append(float(np.mean((y_test - y_train.mean()) ** 2)))
        units.append(float(labels.std[0] ** 2))
        scaled = (
            inputs.transform(X_train),
            labels.transform(y_train),
            inputs.transform(X_test),
            labels.transform(y_test),
        )
        for part, values in zip(parts, scaled, strict=True):
            part.append(values)
    x, y, x_test, y_test_scaled = (torch.as_tensor(np.stack(part)) for part in parts)
    unit = torch.tensor(units)

    states = [MLP(x.shape[2], (10,), seed=seed).double().state_dict() for seed in range(SEEDS)]
    W1, b1, W2, b2 = (torch.stack([s[name] for s in states]) for name in states[0])
    parameters = [p.clone().requires_grad_() for p in (W1, b1[:, None, :], W2, b2[:, None, :])]
    optimizer = optim.SGD(parameters, lr=0.01)
    n = x.shape[1]
    order = torch.stack([sample_order(seed, n, EPOCHS) for seed in range(SEEDS)])
    rows = torch.arange(SEEDS)[:, None]
    for epoch in range(EPOCHS):
        for start in range(0, n, BATCH):
            batch = order[:, epoch, start : start + BATCH]
            optimizer.zero_grad()
            mse(mlp(parameters, x[rows, batch]), y[rows, batch]).sum().backward()
            optimizer.step()
    with torch.no_grad():
        train = mse(mlp(parameters, x), y) * unit
        test = mse(mlp(parameters, x_test), y_test_scaled) * unit
    line_train, line_test = np.array(line).T
    return {
        "seeds": SEEDS,
        "mlp": {"train": summary(train), "test": summary(test)},
        "least_squares": {"train": summary(line_train), "test": summary(line_test)},
        "constant": {"test": summary(np.array(constant))},
        "mlp_better": {
            "train": int((train.numpy() < line_train).sum()),
            "test": int((test.numpy() < line_test).sum()),
        },
        "ratio": {
            part: summary(ratio) | {"each": ratio.tolist()}
            for part, ratio in (
                ("train", train.numpy() / line_train),
                ("test", test.numpy() / line_test),
            )
        },
    }


def draw(result: dict[str, Any], lang: str) -> Any:
    from experiments.style import BACKWARD, FORWARD, INK, MUTED, new_figure

    t = {
        "en": {"x": "loss of the network over that of least squares", "rows": ("training", "test")},
        "zh": {"x": "网络的损失与最小二乘的损失之比", "rows": ("训练行", "测试行")},
    }[lang]
    fig, ax = new_figure(6.0, 1.9)
    ax.axvline(1, color=MUTED, linewidth=1)
    for row, (part, color) in enumerate((("train", FORWARD), ("test", BACKWARD))):
        values = result["ratio"][part]["each"]
        ax.scatter(values, np.full(len(values), row), s=14, color=color, alpha=0.5)
        ax.plot([result["ratio"][part]["mean"]] * 2, [row - 0.25, row + 0.25], color=INK)
    ax.set_yticks([0, 1], t["rows"])
    ax.set_ylim(1.6, -0.6)
    ax.set_xlabel(t["x"], color=INK)
    ax.grid(visible=False, axis="y")
    return fig
