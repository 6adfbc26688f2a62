"""The article's regression task (section 5.2): which loss is a good result?

30 seeds; each has its own data (100 training, 100 test samples), initial weights and batches, those
of `make_data`, `MLP` and `make_loaders` with that seed. 100 epochs, batch 32, float64. "population"
is the expected squared error on a new sample, by quadrature. Also measured: how far a perfect
predictor scatters on 100 test samples, the error of averaging batch means, and the gap between the
loss that an epoch reports and the loss of the model that it ends with.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import optim

from experiments._regression import (
    BATCH,
    Model,
    Parameters,
    Task,
    linear,
    mlp,
    mse,
    population_mse,
    summary,
)

SEEDS = 30


def train(
    task: Task, model: Model, parameters: Parameters, optimizer: optim.Optimizer
) -> dict[str, Any]:
    """Train all runs; (epochs, S) each: running loss, loss on the training and the test set."""
    history: dict[str, list[torch.Tensor]] = {
        "epoch": [],
        "batch_means": [],
        "train": [],
        "test": [],
    }
    for epoch in range(task.epochs):
        losses, sizes = [], []
        for x, y in task.batches(epoch):
            optimizer.zero_grad()
            loss = mse(model(parameters, x), y)
            loss.sum().backward()
            optimizer.step()
            losses.append(loss.detach())
            sizes.append(x.shape[1])
        with torch.no_grad():
            each = torch.stack(losses)
            weights = torch.tensor(sizes, dtype=each.dtype) / task.n
            history["epoch"].append(weights @ each)
            history["batch_means"].append(each.mean(dim=0))
            history["train"].append(mse(model(parameters, task.x_train), task.y_train))
            history["test"].append(mse(model(parameters, task.x_test), task.y_test))
    return {name: torch.stack(values).numpy() for name, values in history.items()}


def final(history: dict[str, Any], population: Any) -> dict[str, dict[str, float]]:
    return {
        "train": summary(history["train"][-1]),
        "test": summary(history["test"][-1]),
        "population": summary(population),
    }


def run() -> dict[str, Any]:
    task = Task(SEEDS)
    result: dict[str, Any] = {"seeds": SEEDS}

    start = task.mlp()
    with torch.no_grad():
        untrained = {
            "train": mse(mlp(start, task.x_train), task.y_train)[None].numpy(),
            "test": mse(mlp(start, task.x_test), task.y_test)[None].numpy(),
        }
    result["untrained"] = final(untrained, population_mse(mlp, start))

    for name, model, rule, lr in (
        ("sgd_1e2", mlp, optim.SGD, 0.01),
        ("adam_1e2", mlp, optim.Adam, 0.01),
        ("sgd_1e3", mlp, optim.SGD, 0.001),
        ("adam_1e3", mlp, optim.Adam, 0.001),
        ("linear_sgd", linear, optim.SGD, 0.01),
    ):
        parameters = task.mlp() if model is mlp else task.linear()
        history = train(task, model, parameters, rule(parameters, lr=lr))
        population = population_mse(model, parameters)
        result[name] = final(history, population)
        if name == "sgd_1e2":
            curves, article, article_population = history, parameters, population

    slope, intercept = task.line()
    excess = (slope - 2) ** 2 + (intercept - 1) ** 2
    best = {
        part: ((slope[:, None] * x + intercept[:, None] - y) ** 2).mean(axis=1)
        for part, x, y in (
            ("train", task.x_train[..., 0].numpy(), task.y_train[..., 0].numpy()),
            ("test", task.x_test[..., 0].numpy(), task.y_test[..., 0].numpy()),
        )
    }
    result["least_squares"] = {part: summary(values) for part, values in best.items()}
    result["least_squares"]["population"] = summary(1 + excess)
    truth = (task.y_test - 2 * task.x_test - 1)[..., 0].numpy()
    result["true_line"] = {"test": summary((truth**2).mean(axis=1))}
    constant = (task.y_test - task.y_train.mean(dim=1, keepdim=True))[..., 0].numpy()
    result["constant"] = {"test": summary((constant**2).mean(axis=1))}

    gap = curves["test"][-1] - best["test"]
    result["gap_to_least_squares"] = {
        "mean": float(gap.mean()),
        "largest": float(np.abs(gap).max()),
    }
    below = curves["test"][-1] < 1
    result["below_one"] = {
        "count": int(below.sum()),
        "smallest_population": float(article_population.min()),
        "population_mean": float(article_population[torch.as_tensor(below)].mean()),
        "population_mean_of_the_others": float(article_population[torch.as_tensor(~below)].mean()),
        "correlation": float(np.corrcoef(curves["test"][-1], article_population)[0, 1]),
    }

    # A perfect predictor leaves the noise: 100 squared N(0, 1) numbers, averaged.
    scores = np.random.default_rng(0).chisquare(100, size=400_000) / 100
    result["perfect"] = {
        "sd": float(scores.std()),
        "low": float(np.quantile(scores, 0.025)),
        "high": float(np.quantile(scores, 0.975)),
        "share_below_one": float((scores < 1).mean()),
    }

    # The article's evaluate(): the mean of the means of 32, 32, 32 and 4 samples.
    with torch.no_grad():
        errors = (mlp(article, task.x_test) - task.y_test)[..., 0] ** 2
        means = torch.stack([part.mean(dim=1) for part in errors.split(BATCH, dim=1)]).mean(dim=0)
    true_mean = errors.mean(dim=1)
    result["mean_of_batch_means"] = {
        "mean": float((means - true_mean).abs().mean()),
        "largest": float((means - true_mean).abs().max()),
        "largest_relative": float(((means - true_mean).abs() / true_mean).max()),
        "weight_ratio": BATCH / (task.n - 3 * BATCH),
    }
    lag = curves["batch_means"][-1] - curves["train"][-1]
    first = curves["epoch"][0] - curves["train"][0]
    result["running_loss"] = {
        "first_epoch_excess": float(first.mean()),
        "last_printed_mean": float(np.abs(lag).mean()),
        "last_printed_largest": float(np.abs(lag).max()),
    }
    result["curves"] = {
        f"{part}_{name}": [float(v) for v in statistic]
        for part in ("train", "test")
        for name, statistic in (
            ("mean", curves[part].mean(axis=1)),
            ("sd", curves[part].std(axis=1, ddof=1)),
        )
    }
    result["seed0"] = {part: [float(v) for v in curves[part][:, 0]] for part in ("train", "test")}
    result["seed0"]["least_squares_test"] = float(best["test"][0])
    result["seed0"]["least_squares_train"] = float(best["train"][0])
    return result


def draw(result: dict[str, Any], lang: str) -> Any:
    from experiments.style import ACCENT, BACKWARD, FORWARD, INK, MUTED, new_figure

    fig, ax = new_figure(6.4, 3.6)
    t = {
        "en": {
            "train": "training set",
            "test": "test set",
            "floor": "noise floor 1.0",
            "band": "± 1 standard deviation",
            "x": "epoch",
            "y": "mean squared error",
        },
        "zh": {
            "train": "训练集",
            "test": "测试集",
            "floor": "噪声下限 1.0",
            "band": "± 1 个标准差",
            "x": "轮",
            "y": "均方误差",
        },
    }[lang]
    epochs = np.arange(1, len(result["curves"]["train_mean"]) + 1)
    for part, color in (("train", FORWARD), ("test", BACKWARD)):
        mean, sd = (np.array(result["curves"][f"{part}_{k}"]) for k in ("mean", "sd"))
        ax.fill_between(epochs, mean - sd, mean + sd, color=color, alpha=0.15, linewidth=0)
        ax.plot(epochs, mean, color=color, label=t[part])
    ax.axhline(1.0, color=ACCENT, linestyle="--", label=t["floor"])
    ax.fill_between([], [], [], color=MUTED, alpha=0.3, label=t["band"])
    ax.set_xlim(1, len(epochs))
    ax.set_ylim(0, 6)
    ax.set_xlabel(t["x"], color=INK)
    ax.set_ylabel(t["y"], color=INK)
    ax.legend()
    return fig
