"""The article's section 5.2, run word for word, and what its printed losses mean.

Claims, and how each is measured:

* ``run``: the listing stops, and each repair uncovers the next error. The four blocks are
  executed one after the other in one namespace, with one repair more each time; the type of the
  exception is recorded. Repairs: ``import torch``; two loaders; float32 data.
* ``alone``: blocks 2 and 4 do not run on their own, blocks 1 and 3 do.
* ``mean``: "average loss" is a mean of batch means. For each seed the repaired listing is run and
  its last test loss is compared with the mean over the 100 samples.
* ``running``: the "train loss" of an epoch is collected while the weights move. It is compared
  with the loss of the model at the end of that epoch, for the first and the last epoch.
"""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from experiments import _ranges
from experiments._applications import spread
from experiments._article_listing import BLOCKS
from experiments._claim import Claim

RTOL = 2e-2  # float32 training of 400 steps; rounding differs between CPUs

WORKED = ("seeds",)
CLAIMS = (
    Claim(
        id="errata-listing-needs-repairs",
        en="Run as printed, the listing stops; it runs after {{ errata_code.run.repairs }} "
        "repairs, an import, two data loaders and a dtype, and each uncovers the next error. "
        "Alone, blocks 2 and 4 stop at a missing name.",
        zh="照原样运行，这份代码会中断；修改 {{ errata_code.run.repairs }} 处（import、两个 "
        "DataLoader、数据类型）之后才能运行，每改一处就露出下一个错误。单独运行时，"
        "第 2、4 块因名字未定义而中断。",
        criterion="run.errors == ['NameError', 'NameError', 'RuntimeError', ''] and "
        "run.dtype_in_message and run.repairs == 3 and alone == ['', 'NameError', '', "
        "'NameError']",
        covers=("run.*",),
        exact="deterministic",
    ),
    Claim(
        id="errata-mean-of-batch-means",
        en="The printed test loss is off the mean over the samples by "
        "{{ errata_code.mean.median | pct1 }} in the median and by up to "
        "{{ errata_code.mean.max | pct1 }} ({{ errata_code.seeds }} seeds).",
        zh="打印出的测试损失与全部样本上的均值相差，中位数为 "
        "{{ errata_code.mean.median | pct1 }}，最多 {{ errata_code.mean.max | pct1 }}"
        "（{{ errata_code.seeds }} 个种子）。",
        criterion="mean.median > 0.02 and mean.max > 0.1",
        covers=("mean.*",),
        runs="seeds",
        spread=("mean.min", "mean.max"),
        figure="errata_code",
    ),
    Claim(
        id="errata-running-train-loss",
        en="The train loss of the first epoch differs from the loss of the model at its end by "
        "{{ errata_code.running.first.median | .2f }}, that of the last by "
        "{{ errata_code.running.last.median | .2f }} (medians of {{ errata_code.seeds }} seeds).",
        zh="第一轮的训练损失与该轮结束时模型的损失相差 "
        "{{ errata_code.running.first.median | .2f }}，最后一轮相差 "
        "{{ errata_code.running.last.median | .2f }}（{{ errata_code.seeds }} 个种子的中位数）。",
        criterion="running.first.median > 2 * running.last.median and running.larger_first > 0.7 * "
        "seeds",
        covers=("running.*",),
        runs="seeds",
        spread=("running.first.min", "running.first.max"),
        figure="errata_code",
    ),
    Claim(
        id="errata-no-seed",
        en="Over {{ errata_code.seeds }} seeds the final test loss lies between "
        "{{ errata_code.test.min | .2f }} and {{ errata_code.test.max | .2f }}.",
        zh="{{ errata_code.seeds }} 个种子的最终测试损失在 {{ errata_code.test.min | .2f }} 到 "
        "{{ errata_code.test.max | .2f }} 之间。",
        # The noise alone costs 1, give or take 0.14 on 100 samples.
        criterion="test.max > 1.2 * test.min and 0.7 < test.median < 1.4",
        covers=("test.*",),
        runs="seeds",
        spread=("test.min", "test.max"),
        figure="errata_code",
    ),
)

IMPORT = "import torch\n"
LOADERS = """
train_loader = DataLoader(train_dataset, batch_size=32, shuffle=True)
test_loader = DataLoader(test_dataset, batch_size=32)
"""
FLOAT32 = """
X_train, y_train, X_test, y_test = (a.astype('float32') for a in (X_train, y_train, X_test, y_test))
train_dataset = RegressionDataset(X_train, y_train)
test_dataset = RegressionDataset(X_test, y_test)
"""


def _execute(source: str, epochs: int = 100, seed: int = 0) -> tuple[str, dict[str, Any]]:
    """("" or the exception's type and message, namespace) after running the source."""
    np.random.seed(seed)  # noqa: NPY002, the listing draws from the global generator
    torch.manual_seed(seed)
    namespace: dict[str, Any] = {"__name__": "listing"}
    source = source.replace("epochs = 100", f"epochs = {epochs}")
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(source, "section 5.2", "exec"), namespace)
    except (NameError, RuntimeError) as error:
        return f"{type(error).__name__}: {error}", namespace
    return "", namespace


def listing(repairs: int) -> str:
    """The four blocks with the first ``repairs`` of the three repairs."""
    one, two, three, four = BLOCKS
    return "".join(
        [
            IMPORT if repairs > 0 else "",
            one,
            FLOAT32 if repairs > 2 else "",
            LOADERS if repairs > 1 else "",
            two,
            three,
            four,
        ]
    )


def _sample_mean(namespace: dict[str, Any], which: str) -> float:
    """Mean squared error over all samples, with the weights as they are now."""
    with torch.no_grad():
        x, y = (torch.as_tensor(namespace[f"{part}_{which}"]) for part in ("X", "y"))
        return float(((namespace["model"](x) - y) ** 2).mean())


def run(seeds: int = 10) -> dict[str, Any]:
    stages = [_execute(listing(k), epochs=1)[0] for k in range(4)]
    alone = [_execute(block, epochs=1)[0] for block in BLOCKS]

    unweighted, final_test = [], []
    gaps: dict[str, list[float]] = {"first": [], "last": []}
    for seed in range(seeds):
        for epochs, key in ((1, "first"), (100, "last")):
            failure, space = _execute(listing(3), epochs, seed)
            assert not failure, failure
            gaps[key].append(abs(space["train_loss"] - _sample_mean(space, "train")))
        true = _sample_mean(space, "test")
        final_test.append(true)
        unweighted.append(abs(space["test_loss"] - true) / true)
    return {
        "run": {
            "errors": [stage.split(":")[0] for stage in stages],
            "messages": stages[:2],
            "dtype_in_message": "dtype" in stages[2],
            "repairs": stages.index(""),
        },
        "alone": [error.split(":")[0] for error in alone],
        "seeds": seeds,
        "mean": spread(unweighted),
        "running": {key: spread(found) for key, found in gaps.items()}
        | {"larger_first": int(np.greater(gaps["first"], gaps["last"]).sum())},
        "test": spread(final_test),
    }


def draw(result: dict[str, Any], lang: str) -> Figure:
    rows, x = {
        "en": (
            (
                "test loss, last epoch",
                "batch means, relative error",
                "train loss off, first epoch",
                "train loss off, last epoch",
            ),
            "loss, or difference of losses",
        ),
        "zh": (
            (
                "最后一轮的测试损失",
                "批均值的相对误差",
                "训练损失的偏差，第一轮",
                "训练损失的偏差，最后一轮",
            ),
            "损失，或损失之差",
        ),
    }[lang]
    running = result["running"]
    spreads = (result["test"], result["mean"], running["first"], running["last"])
    bars = [_ranges.Bar(row, found) for row, found in zip(rows, spreads, strict=True)]
    figure: Figure = _ranges.draw_ranges(bars, x)
    return figure
