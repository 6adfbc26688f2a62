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

from experiments._claim import Claim
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

WORKED = ("seeds",)

CLAIMS = (
    Claim(
        "regression-batch-means",
        "The mean of batch means, in which a sample of the last batch weighs "
        "{{ regression.mean_of_batch_means.weight_ratio | .0f }} times as much as another, differs "
        "from the mean over the samples of the test set by "
        "{{ regression.mean_of_batch_means.mean | .3f }} on average over "
        "{{ regression.seeds }} seeds, by {{ regression.mean_of_batch_means.largest | .3f }} at "
        "most, and relatively by up to "
        "{{ regression.mean_of_batch_means.largest_relative | pct1 }}.",
        "对各批的平均值再取平均，最后一批中每个样本的权重是其他样本的 "
        "{{ regression.mean_of_batch_means.weight_ratio | .0f }} 倍；得到的测试损失与对样本的"
        "平均相比，在 {{ regression.seeds }} 个种子上平均差 "
        "{{ regression.mean_of_batch_means.mean | .3f }}，最多差 "
        "{{ regression.mean_of_batch_means.largest | .3f }}，相对误差最大 "
        "{{ regression.mean_of_batch_means.largest_relative | pct1 }}。",
        "mean_of_batch_means.weight_ratio == 8 and mean_of_batch_means.largest_relative > 0.1 "
        "and mean_of_batch_means.lowest < 0 < mean_of_batch_means.highest",
        ("mean_of_batch_means.*",),
        runs="seeds",
        spread=("mean_of_batch_means.lowest", "mean_of_batch_means.highest"),
        figure="regression",
    ),
    Claim(
        "regression-running-loss",
        "The loss that is collected during the first epoch is "
        "{{ regression.running_loss.first_epoch_excess | .2f }} above that of the model with which "
        "the epoch ends, mean over {{ regression.seeds }} seeds; it is above it in each of them.",
        "第一轮之中收集的损失，比这一轮最终模型的损失高 "
        "{{ regression.running_loss.first_epoch_excess | .2f }}（{{ regression.seeds }} 个种子的"
        "平均），每个种子都偏高。",
        "running_loss.first_epoch_lowest > 0",
        ("running_loss.*",),
        runs="seeds",
        spread=("running_loss.first_epoch_lowest", "running_loss.first_epoch_highest"),
        figure="regression",
    ),
    Claim(
        "regression-no-gain-over-the-line",
        "On the article's data the test loss of the trained network is on average "
        "{{ regression.gap_to_least_squares.mean | .3f }} above that of least squares on the same "
        "data, and never more than {{ regression.gap_to_least_squares.largest | .2f }} away "
        "({{ regression.seeds }} seeds). With a learning rate of $0.001$ the expected loss on new "
        "samples is still {{ regression.sgd_1e3.population.mean | .2f }} (SGD) and "
        "{{ regression.adam_1e3.population.mean | .2f }} (Adam) after 100 epochs.",
        "在原文的数据上，训练好的网络的测试损失平均比同样数据上的最小二乘高 "
        "{{ regression.gap_to_least_squares.mean | .3f }}，相差从不超过 "
        "{{ regression.gap_to_least_squares.largest | .2f }}（{{ regression.seeds }} 个种子）。"
        "学习率取 $0.001$ 时，100 轮之后新样本上的期望损失仍有 "
        "{{ regression.sgd_1e3.population.mean | .2f }}（SGD）和 "
        "{{ regression.adam_1e3.population.mean | .2f }}（Adam）。",
        "0 < gap_to_least_squares.mean and gap_to_least_squares.largest < 0.25 "
        "and sgd_1e2.population.mean > least_squares.population.mean "
        "and sgd_1e3.population.mean > 1.5 * sgd_1e2.population.mean "
        "and adam_1e3.population.mean > 1.5 * adam_1e2.population.mean "
        "and least_squares.train.mean < 1 < least_squares.population.mean",
        (
            *("gap_to_least_squares.*", "untrained.*", "sgd_*", "adam_*", "linear_sgd.*"),
            *("least_squares.*", "true_line.*"),
        ),
        runs="seeds",
        spread=("gap_to_least_squares.min", "gap_to_least_squares.max"),
        figure="regression",
    ),
    Claim(
        "regression-below-one",
        "The test losses of {{ regression.seeds }} runs lie between "
        "{{ regression.sgd_1e2.test.min | .2f }} and {{ regression.sgd_1e2.test.max | .2f }}; "
        "{{ regression.below_one.count }} are below 1, although the expected loss on new samples "
        "is at least {{ regression.below_one.smallest_population | .3f }} in every run. A perfect "
        "predictor measured on 100 samples has a standard deviation of "
        "{{ regression.perfect.sd | .2f }}, lies between {{ regression.perfect.low | .2f }} and "
        "{{ regression.perfect.high | .2f }} in 95 % of the cases, and below 1 in "
        "{{ regression.perfect.share_below_one | pct1 }}.",
        "{{ regression.seeds }} 次训练的测试损失在 {{ regression.sgd_1e2.test.min | .2f }} 和 "
        "{{ regression.sgd_1e2.test.max | .2f }} 之间，其中 {{ regression.below_one.count }} 次低于"
        " 1，而新样本上的期望损失每一次都不低于 "
        "{{ regression.below_one.smallest_population | .3f }}。完美的预测器在 100 个样本上测出的"
        "损失，标准差是 {{ regression.perfect.sd | .2f }}，95 % 的情况在 "
        "{{ regression.perfect.low | .2f }} 和 {{ regression.perfect.high | .2f }} 之间，"
        "{{ regression.perfect.share_below_one | pct1 }} 低于 1。",
        "0 < below_one.count < seeds and below_one.smallest_population > 1 "
        "and perfect.low < 1 < perfect.high and 0.4 < perfect.share_below_one < 0.6",
        ("below_one.*", "perfect.*", "sgd_1e2.test.*"),
        runs="seeds",
        spread=("sgd_1e2.test.min", "sgd_1e2.test.max"),
        figure="regression",
    ),
    Claim(
        "regression-sgd-and-adam-end-alike",
        "With a learning rate of $0.01$ the expected loss on new samples after 100 epochs is "
        "{{ regression.sgd_1e2.population.mean | .3f }} with SGD and "
        "{{ regression.adam_1e2.population.mean | .3f }} with Adam "
        "(mean over {{ regression.seeds }} seeds).",
        "学习率取 $0.01$，100 轮之后新样本上的期望损失，用 SGD 是 "
        "{{ regression.sgd_1e2.population.mean | .3f }}，用 Adam 是 "
        "{{ regression.adam_1e2.population.mean | .3f }}（{{ regression.seeds }} 个种子的平均）。",
        "abs(sgd_1e2.population.mean - adam_1e2.population.mean) < 0.02",
        ("sgd_1e2.population.*", "adam_1e2.population.*"),
        runs="seeds",
        spread=("adam_1e2.population.min", "adam_1e2.population.max"),
        figure="regression",
    ),
)


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
        "min": float(gap.min()),
        "max": float(gap.max()),
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
        "lowest": float((means - true_mean).min()),
        "highest": float((means - true_mean).max()),
        "weight_ratio": BATCH / (task.n - 3 * BATCH),
    }
    lag = curves["batch_means"][-1] - curves["train"][-1]
    first = curves["epoch"][0] - curves["train"][0]
    result["running_loss"] = {
        "first_epoch_excess": float(first.mean()),
        "first_epoch_lowest": float(first.min()),
        "first_epoch_highest": float(first.max()),
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
