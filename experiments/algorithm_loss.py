"""Claims of the article: the loss keeps falling, and one stops at convergence.

First, the article's task: 100 points of y = 2x + 1 + noise, a 1-10-1 ReLU network, 100
epochs. Its learning rate 0.01 for the mean squared error is 0.02 for J, which is half of
it. Counted in epochs 51 to 100: the steps after which J on all 100 points is larger than
before, for batches of 32 and for the whole data set, and how many of them follow the last
batch of an epoch, which has four rows; 10 seeds.

Second, when to stop: 20 noisy points of sin(3x), a 1-40-1 tanh network, 4000 steps with
momentum; 200 points validate and 1000 test, looked at every 10 steps. Measured: where each
stopping rule stops, and the test loss there; 5 seeds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments import _two_layer as net
from experiments._claim import Claim
from experiments._ranges import exactly

EPOCHS, BATCH, LR, SEEDS = 100, 32, 0.02, 10
BUDGET, LOOK, STOP_SEEDS, PATIENCE, NOISE = 4000, 10, 20, 30, 0.3
Array = np.ndarray

WORKED = ("seeds", "*_batch.steps", "stop.seeds")
CLAIMS = (
    Claim(
        id="algorithm-loss-rises-in-many-steps",
        en="In epochs 51 to 100, with mini-batches of 32 rows, "
        "{{ algorithm_loss.mini_batch.share.mean | pct1 }} of the steps raise the loss on all 100 "
        "points, from {{ algorithm_loss.mini_batch.share.min | pct1 }} to "
        "{{ algorithm_loss.mini_batch.share.max | pct1 }} over {{ algorithm_loss.seeds }} seeds; "
        "with all rows in every step none does.",
        zh="第 51 至 100 轮，小批量为 32 行时，有 "
        "{{ algorithm_loss.mini_batch.share.mean | pct1 }} 的步使全部 100 个点上的损失上升，"
        "{{ algorithm_loss.seeds }} 个随机种子从 {{ algorithm_loss.mini_batch.share.min | pct1 }} "
        "到 {{ algorithm_loss.mini_batch.share.max | pct1 }} 不等；每步都用全部数据，则一步也没"
        "有。",
        criterion="mini_batch.share.min > 0.25 and full_batch.share.max == 0",
        covers=("mini_batch.share.*", "full_batch.share.*"),
        runs="seeds",
        spread=("mini_batch.share.min", "mini_batch.share.max"),
        figure="algorithm_loss",
    ),
    Claim(
        id="algorithm-loss-jumps-after-the-short-batch",
        en="The last batch of an epoch has four rows. Its step is one in four, but "
        "{{ algorithm_loss.mini_batch.short.share.median | pct }} of the steps that raise the "
        "loss are its own (median); these rises are "
        "{{ algorithm_loss.mini_batch.short.height.median | .1f }} times as high as the others, "
        "and the highest of a run is always one of them.",
        zh="每轮的最后一个小批量只有四行。它的步占四分之一，而使损失上升的步中有 "
        "{{ algorithm_loss.mini_batch.short.share.median | pct }}（中位数）是它的；这些上升的幅度"
        "是其余的 {{ algorithm_loss.mini_batch.short.height.median | .1f }} 倍，每次运行中最大的一"
        "次都在其中。",
        criterion="mini_batch.short.share.min > 0.3 and mini_batch.short.height.min > 2 and "
        "mini_batch.short.highest == seeds",
        covers=("mini_batch.short.*",),
        runs="seeds",
        spread=("mini_batch.short.share.min", "mini_batch.short.share.max"),
        figure="algorithm_loss",
    ),
    Claim(
        id="algorithm-loss-early-stopping",
        en="Training to the end of the budget gives the lowest training loss in each of "
        "{{ algorithm_loss.stop.seeds }} runs, and a higher test loss than early stopping in "
        "{{ algorithm_loss.stop.worse_than_early }} of them: "
        "{{ algorithm_loss.stop.budget.test.median | .4f }} against "
        "{{ algorithm_loss.stop.early.test.median | .4f }} in the median.",
        zh="{{ algorithm_loss.stop.seeds }} 次运行中，用完预算的训练损失每次都最低，"
        "测试损失却有 {{ algorithm_loss.stop.worse_than_early }} 次高于早停：中位数为 "
        "{{ algorithm_loss.stop.budget.test.median | .4f }} 对 "
        "{{ algorithm_loss.stop.early.test.median | .4f }}。",
        criterion="stop.lowest_training == stop.seeds and "
        "stop.seeds / 2 < stop.worse_than_early < stop.seeds and "
        "stop.budget.test.median > stop.small_gradient.test.median > stop.early.test.median",
        covers=("stop.*",),
        runs="stop.seeds",
        spread=("stop.budget.test.min", "stop.budget.test.max"),
        figure="algorithm_stopping",
    ),
)


def rising_steps(seed: int, batch: int) -> tuple[int, int, list[float]]:
    """Return rising steps and all steps of epochs 51 to 100, and the loss after each step."""
    rng = np.random.default_rng(seed)
    x, y = net.article_data(rng, 100)
    parameters = net.init(rng, 1, 10)
    losses = [net.loss(parameters, x, y, "relu")]
    for _ in range(EPOCHS):
        order = rng.permutation(100)
        for begin in range(0, 100, batch):
            rows = order[begin : begin + batch]
            grads = net.gradients(parameters, x[rows], y[rows], "relu")[1]
            parameters = net.descend(parameters, grads, LR)
            losses.append(net.loss(parameters, x, y, "relu"))
    late = losses[len(losses) // 2 :]
    return int(np.sum(np.diff(late) > 0)), len(late) - 1, losses


def stopping(seed: int) -> tuple[dict[str, dict[str, float]], list[list[float]]]:
    """Train once for the whole budget; say where each rule would have stopped."""
    rng = np.random.default_rng(seed)

    def sample(n: int) -> tuple[Array, Array]:
        x = rng.uniform(-2.0, 2.0, (n, 1))
        return x, np.sin(3 * x) + NOISE * rng.standard_normal((n, 1))

    train, validation, test = sample(20), sample(200), sample(1000)
    parameters = net.init(rng, 1, 40)
    parameters[0] *= 3
    velocity = [np.zeros_like(p) for p in parameters]
    curves: list[list[float]] = [[], [], []]
    slopes = []
    for step in range(BUDGET + 1):
        value, grads = net.gradients(parameters, *train)
        if step % LOOK == 0:
            curves[0].append(value)
            curves[1].append(net.loss(parameters, *validation))
            curves[2].append(net.loss(parameters, *test))
            slopes.append(float(np.linalg.norm(net.flat(grads))))
        velocity = [0.9 * v + g for v, g in zip(velocity, grads, strict=True)]
        parameters = net.descend(parameters, velocity, 0.05)

    best, kept, last = float("inf"), 0, len(slopes) - 1
    for look, value in enumerate(curves[1]):
        if value < best:
            best, kept = value, look
        elif look - kept >= PATIENCE:
            break
    small = next((i for i, slope in enumerate(slopes) if slope < 1e-2), last)
    rules = {
        name: {"step": at * LOOK, "train": curves[0][at], "test": curves[2][at]}
        for name, at in {"budget": last, "small_gradient": small, "early": kept}.items()
    }
    rules["early"]["stopped_at"] = look * LOOK
    return rules, curves


def jumps(losses: list[float]) -> tuple[float, float, bool]:
    """The rises of epochs 51 to 100 after the last batch of an epoch.

    Their share of all rises, their height against the others, whether the highest is among them.
    """
    change = np.diff(losses[len(losses) // 2 :])
    per_epoch = len(change) // (EPOCHS // 2)
    short = np.arange(len(change)) % per_epoch == per_epoch - 1
    rises = change > 0
    height = change[rises & short].mean() / change[rises & ~short].mean()
    return np.sum(rises & short) / np.sum(rises), height, bool(short[change.argmax()])


def run() -> dict[str, Any]:
    result: dict[str, Any] = {"seeds": SEEDS}
    for key, batch in (("mini_batch", BATCH), ("full_batch", 100)):
        runs = [rising_steps(seed, batch) for seed in range(SEEDS)]
        shares = [rising / total for rising, total, _ in runs]
        share = exactly(shares) | {"mean": float(np.mean(shares))}
        result[key] = {"steps": runs[0][1], "share": share}
        if key == "mini_batch":
            result["curve"] = runs[0][2]
            found = [jumps(losses) for *_, losses in runs]
            result[key]["short"] = {
                "share": exactly(f[0] for f in found),
                "height": exactly(f[1] for f in found),
                "highest": sum(f[2] for f in found),
            }
    stops = [stopping(seed) for seed in range(STOP_SEEDS)]
    rules = [found for found, _ in stops]
    result["stop"] = {
        "seeds": STOP_SEEDS,
        **{
            rule: {key: exactly(r[rule][key] for r in rules) for key in rules[0][rule]}
            for rule in rules[0]
        },
        "lowest_training": sum(min(r, key=lambda k: r[k]["train"]) == "budget" for r in rules),
        "worse_than_early": sum(r["budget"]["test"] > r["early"]["test"] for r in rules),
    }
    result["stop_curves"] = {
        name: {
            "min": np.min(rows, axis=0).tolist(),
            "median": np.median(rows, axis=0).tolist(),
            "max": np.max(rows, axis=0).tolist(),
        }
        for place, name in enumerate(("train", "validation"))
        for rows in [[curves[place] for _, curves in stops]]
    }
    return result


def draw(result: dict[str, Any], lang: str) -> Any:
    from experiments.style import FORWARD, SERIES, new_figure

    t = {
        "en": ("step", "loss on all 100 points", "loss J", "training", "validation"),
        "zh": ("步", "全部 100 个点上的损失", "损失 J", "训练", "验证"),
    }[lang]
    curve = result["curve"]
    first = len(curve) // 2
    steps = range(first, first + 61)
    fig, ax = new_figure(6.0, 3.0)
    ax.plot(steps, curve[first : first + 61], marker=".", color=FORWARD)
    ax.set_xlabel(t[0])
    ax.set_ylabel(t[1])
    fig_stop, ax = new_figure(6.0, 3.2)
    for name, color, label in zip(("train", "validation"), SERIES, t[3:], strict=False):
        curves = result["stop_curves"][name]
        x = np.arange(len(curves["median"])) * LOOK
        ax.semilogy(x, curves["median"], color=color, label=label)
        ax.fill_between(x, curves["min"], curves["max"], color=color, alpha=0.15, linewidth=0)
    ax.set_xlabel(t[0])
    ax.set_ylabel(t[2])
    ax.legend()
    return {"algorithm_loss": fig, "algorithm_stopping": fig_stop}
