"""Four pairs of learning curves: a rate that is too small, a good fit, overfitting, divergence.

6 inputs, y = sin(1.5 x_1) + 0.5 x_2 plus noise of standard deviation 0.5; the network is 6-30-1
with tanh; batches of 20, shuffled in every epoch; 20 seeds of data, first weights and batches. Each
panel differs from "good" in one thing: "small" and "large" in the learning rate, "overfit" in the
number of training rows. All get the same number of steps, and 500 validation rows. The losses are
mean squared errors, measured on all training rows and on all validation rows.

"lowest" is the lowest validation loss of a run and "lowest_step" where it lies; "rise" is the last
validation loss over the lowest. "fall" is what the validation loss loses in the last fifth of the
steps, as a share. "after" is the training loss after so many steps over the first one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._claim import Claim
from experiments._many_nets import Array, gradients, init, mse, spread

SEEDS, D, HIDDEN, BATCH, NOISE = 20, 6, 30, 20, 0.5
STEPS, EVERY, VALIDATION = 2000, 25, 500
FIRST = 5  # steps after which a diverging run is compared with its start
GOOD = {"rows": 1000, "rate": 0.05}
PANELS = {
    "small": GOOD | {"rate": 0.0001},
    "good": GOOD,
    "overfit": GOOD | {"rows": 60},
    "large": GOOD | {"rate": 1.0},
}
RTOL = 1e-6

WORKED = (
    *("seeds", "steps", "every", "noise_variance", "first", "validation_rows"),
    *("panels.*.rows", "panels.*.rate"),
)

CLAIMS = (
    Claim(
        "regression-curves-small-rate",
        "With a learning rate of {{ regression_curves.panels.small.rate }} both losses are still "
        "falling after {{ regression_curves.steps | ,d }} steps: the last fifth of the steps takes "
        "{{ regression_curves.panels.small.fall.mean | pct }} off the validation loss "
        "({{ regression_curves.panels.small.fall.min | pct }} to "
        "{{ regression_curves.panels.small.fall.max | pct }} in "
        "{{ regression_curves.seeds }} runs, each of which is at its lowest value there), "
        "and it ends at "
        "{{ regression_curves.panels.small.validation.mean | .2f }} instead of "
        "{{ regression_curves.panels.good.validation.mean | .2f }}.",
        "学习率取 {{ regression_curves.panels.small.rate }} 时，"
        "{{ regression_curves.steps | ,d }} 步之后两条损失曲线仍在下降：最后五分之一的步数使"
        "验证损失降低 {{ regression_curves.panels.small.fall.mean | pct }}"
        "（{{ regression_curves.seeds }} 次训练中从 "
        "{{ regression_curves.panels.small.fall.min | pct }} 到 "
        "{{ regression_curves.panels.small.fall.max | pct }}，每一次的最低点都在最后），结束时是 "
        "{{ regression_curves.panels.small.validation.mean | .2f }}，而不是 "
        "{{ regression_curves.panels.good.validation.mean | .2f }}。",
        "panels.small.fall.min > 0 and panels.small.lowest_step.min == steps "
        "and panels.small.validation.min > panels.good.validation.max",
        ("panels.small.*", "panels.good.validation.*"),
        runs="seeds",
        spread=("panels.small.fall.min", "panels.small.fall.max"),
        figure="regression_curves",
    ),
    Claim(
        "regression-curves-good-fit",
        "With a learning rate of {{ regression_curves.panels.good.rate }} and "
        "{{ regression_curves.panels.good.rows | ,d }} rows the validation loss ends at "
        "{{ regression_curves.panels.good.validation.mean | .3f }} "
        "({{ regression_curves.panels.good.validation.min | .2f }} to "
        "{{ regression_curves.panels.good.validation.max | .2f }}), a little above the variance of "
        "the noise, {{ regression_curves.noise_variance }}, and the training loss at "
        "{{ regression_curves.panels.good.train.mean | .3f }}; the validation loss is at most "
        "{{ regression_curves.panels.good.rise.max | .2f }} times its lowest value in any of "
        "{{ regression_curves.seeds }} runs.",
        "学习率取 {{ regression_curves.panels.good.rate }}、训练样本 "
        "{{ regression_curves.panels.good.rows | ,d }} 行时，验证损失最后为 "
        "{{ regression_curves.panels.good.validation.mean | .3f }}"
        "（{{ regression_curves.panels.good.validation.min | .2f }} 到 "
        "{{ regression_curves.panels.good.validation.max | .2f }}），略高于噪声的方差 "
        "{{ regression_curves.noise_variance }}；训练损失为 "
        "{{ regression_curves.panels.good.train.mean | .3f }}。"
        "{{ regression_curves.seeds }} 次训练中，最后的验证损失都不超过其最低值的 "
        "{{ regression_curves.panels.good.rise.max | .2f }} 倍。",
        "panels.good.validation.mean < 1.3 * noise_variance and panels.good.rise.max < 1.2",
        ("panels.good.*",),
        runs="seeds",
        spread=("panels.good.validation.min", "panels.good.validation.max"),
        figure="regression_curves",
    ),
    Claim(
        "regression-curves-overfit",
        "With {{ regression_curves.panels.overfit.rows }} rows instead of "
        "{{ regression_curves.panels.good.rows | ,d }} the training loss falls to "
        "{{ regression_curves.panels.overfit.train.mean | .3f }}, below the variance of the noise, "
        "and the validation loss has its minimum early, at step "
        "{{ regression_curves.panels.overfit.lowest_step.mean | .0f }} on average "
        "({{ regression_curves.panels.overfit.lowest_step.min | .0f }} to "
        "{{ regression_curves.panels.overfit.lowest_step.max | .0f }}). At the end it is "
        "{{ regression_curves.panels.overfit.rise.mean | .2f }} times as large as there, at least "
        "{{ regression_curves.panels.overfit.rise.min | .2f }} times in "
        "{{ regression_curves.seeds }} runs.",
        "训练样本从 {{ regression_curves.panels.good.rows | ,d }} 行减到 "
        "{{ regression_curves.panels.overfit.rows }} 行，训练损失降到 "
        "{{ regression_curves.panels.overfit.train.mean | .3f }}，低于噪声的方差；"
        "验证损失早早就到了最低点，平均在第 "
        "{{ regression_curves.panels.overfit.lowest_step.mean | .0f }} 步"
        "（{{ regression_curves.panels.overfit.lowest_step.min | .0f }} 到 "
        "{{ regression_curves.panels.overfit.lowest_step.max | .0f }}）。"
        "结束时是最低点的 {{ regression_curves.panels.overfit.rise.mean | .2f }} 倍，"
        "{{ regression_curves.seeds }} 次训练中至少 "
        "{{ regression_curves.panels.overfit.rise.min | .2f }} 倍。",
        "panels.overfit.rise.min > 1.1 and panels.overfit.train.max < noise_variance "
        "and panels.overfit.lowest_step.max < 0.5 * steps",
        ("panels.overfit.*",),
        runs="seeds",
        spread=("panels.overfit.rise.min", "panels.overfit.rise.max"),
        figure="regression_curves",
    ),
    Claim(
        "regression-curves-large-rate",
        "With a learning rate of {{ regression_curves.panels.large.rate | .0f }} the training loss "
        "is at least {{ regression_curves.panels.large.after.min | ,.0f }} times its first value "
        "after {{ regression_curves.first }} steps, and "
        "{{ regression_curves.panels.large.overflowed }} of {{ regression_curves.seeds }} runs end "
        "in overflow.",
        "学习率取 {{ regression_curves.panels.large.rate | .0f }} 时，"
        "{{ regression_curves.first }} 步之后训练损失至少是初始值的 "
        "{{ regression_curves.panels.large.after.min | ,.0f }} 倍，"
        "{{ regression_curves.seeds }} 次训练中有 "
        "{{ regression_curves.panels.large.overflowed }} 次以溢出告终。",
        "panels.large.after.min > 100 and panels.large.overflowed == seeds "
        "and panels.good.overflowed == 0",
        ("panels.large.after.*", "panels.*.overflowed"),
        runs="seeds",
        spread=("panels.large.after.min", "panels.large.after.max"),
        figure="regression_curves",
    ),
)


def sample(rng: np.random.Generator, rows: int) -> tuple[Array, Array]:
    """Inputs (rows, 6) and labels (rows, 1)."""
    x = rng.normal(size=(rows, D))
    y = np.sin(1.5 * x[:, :1]) + 0.5 * x[:, 1:2] + NOISE * rng.normal(size=(rows, 1))
    return x, y


def curves(rows: int, rate: float, *, steps: int = STEPS, every: int = EVERY) -> Array:
    """Training and validation loss of each run: (times, 2, SEEDS)."""
    sets = []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        validation = sample(rng, VALIDATION)  # the same for every number of training rows
        sets.append((*sample(rng, rows), *validation))
    x, y, xv, yv = (np.stack(part) for part in zip(*sets, strict=True))
    params = init([np.random.default_rng(1000 + s) for s in range(SEEDS)], D, HIDDEN)
    rngs = [np.random.default_rng(2000 + s) for s in range(SEEDS)]
    run, found = np.arange(SEEDS)[:, None], []
    with np.errstate(all="ignore"):  # a rate that is too large overflows
        for step in range(steps + 1):
            if step % every == 0:
                found.append((mse(params, x, y), mse(params, xv, yv)))
            start = BATCH * step % rows
            if start == 0:
                order = np.stack([g.permutation(rows) for g in rngs])
            batch = order[:, start : start + BATCH]
            grads = gradients(params, x[run, batch], y[run, batch])
            for p, g in zip(params, grads, strict=True):
                p -= 2 * rate * g  # the gradient is that of half the squared error
    return np.array(found)


def run() -> dict[str, Any]:
    result: dict[str, Any] = {
        "seeds": SEEDS,
        "steps": STEPS,
        "every": EVERY,
        "noise_variance": NOISE**2,
        "validation_rows": VALIDATION,
        "first": FIRST,
        "panels": {},
    }
    for name, setting in PANELS.items():
        rows, rate = int(setting["rows"]), setting["rate"]
        losses = curves(rows, rate)
        found: dict[str, Any] = {
            "rows": rows,
            "rate": rate,
            "overflowed": int((~np.isfinite(losses[-1])).any(axis=0).sum()),
        }
        if name == "large":
            early = curves(rows, rate, steps=FIRST, every=1)
            found["after"] = spread(early[-1, 0] / early[0, 0])
            found["curves"] = {k: early[:, i].tolist() for i, k in enumerate(("train", "val"))}
        else:
            train, val = losses[:, 0], losses[:, 1]
            before = val[int(0.8 * (len(val) - 1))]
            found |= {
                "train": spread(train[-1]),
                "validation": spread(val[-1]),
                "lowest": spread(val.min(axis=0)),
                "lowest_step": spread(val.argmin(axis=0) * EVERY),
                "rise": spread(val[-1] / val.min(axis=0)),
                "fall": spread(1 - val[-1] / before),
                "curves": {"train": [spread(v) for v in train], "val": [spread(v) for v in val]},
            }
        result["panels"][name] = found
    return result


def draw(result: dict[str, Any], lang: str) -> Any:
    from experiments._dots import draw_bands
    from experiments.style import BACKWARD, FORWARD, INK, MUTED, new_figure

    t = {
        "en": {
            "small": "rate too small",
            "good": "good fit",
            "overfit": "overfitting",
            "large": "rate too large",
            "train": "training loss",
            "val": "validation loss",
            "noise": "variance of the noise",
            "lowest": "lowest validation loss",
            "step": "step",
            "loss": "mean squared error",
        },
        "zh": {
            "small": "学习率太小",
            "good": "拟合良好",
            "overfit": "过拟合",
            "large": "学习率太大",
            "train": "训练损失",
            "val": "验证损失",
            "noise": "噪声的方差",
            "lowest": "验证损失的最低点",
            "step": "步",
            "loss": "均方误差",
        },
    }[lang]
    fig, axes = new_figure(7.2, 4.6, nrows=2, ncols=2)
    colors = {"train": FORWARD, "val": BACKWARD}
    for ax, name in zip(axes.flat, PANELS, strict=True):
        panel = result["panels"][name]
        ax.set_title(t[name], fontsize=9)
        for key, color in colors.items():
            rows = panel["curves"][key]
            if name == "large":
                runs = np.array(rows)
                for number, values in enumerate(runs.T):
                    label = t[key] if number == 0 else None
                    ax.semilogy(values, color=color, linewidth=0.8, alpha=0.6, label=label)
            else:
                steps = [EVERY * i for i in range(len(rows))]
                draw_bands(ax, steps, rows, color=color, label=t[key])
        if name == "large":
            ax.set_xlim(0, FIRST)
        else:
            ax.axhline(result["noise_variance"], color=MUTED, linestyle="--", label=t["noise"])
            ax.set_ylim(0, 2.2)
        if name == "overfit":
            means = [s["mean"] for s in panel["curves"]["val"]]
            best = int(np.argmin(means))
            ax.plot([EVERY * best], [means[best]], "o", color=INK, markersize=5, label=t["lowest"])
        ax.set_xlabel(t["step"])
    for ax in axes[:, 0]:
        ax.set_ylabel(t["loss"])
    handles, labels = axes[1, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=4)
    return fig
