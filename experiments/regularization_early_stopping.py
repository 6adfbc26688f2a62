"""Early stopping with 40 labels in all: what the held-out ones cost, and what they buy.

The task of `_regularized_nets`, 20 seeds. Every contender gets the same 40 labeled points and at
most 800 gradients for a run: train on all to the end; hold out 5, 10 or 20 points and keep the
weights of the step with the smallest error on them; train on all 40 again for that many steps.
``peek``: the step with the smallest error on 500 test points, training on 30.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._claim import Claim
from experiments._many_nets import spread
from experiments._regularized_nets import fit, make, paired

RTOL = 1e-3
SEEDS, N, EVERY = 20, 40, 5
HELD = (5, 10, 20)

WORKED = ("seeds", "points", "held*")
CLAIMS = (
    Claim(
        id="regularization-early-stopping-pays-for-its-data",
        en="Of 40 labeled points, 10 are held out and training stops at the smallest error on "
        "them: "
        "the test error is {{ regularization_early_stopping.held_10.stop.mean | .3f }} on average, "
        "against {{ regularization_early_stopping.all.mean | .3f }} for 800 steps on all 40; lower "
        "in {{ regularization_early_stopping.held_10.gain.below }} of "
        "{{ regularization_early_stopping.seeds }} runs. Training again on all 40 for as many "
        "steps "
        "({{ regularization_early_stopping.held_10.again.mean | .3f }}) is better than that in "
        "only {{ regularization_early_stopping.held_10.retrained.below }}.",
        zh="40 个有标签的点留出 10 个，在这 10 个点误差最小处停止：测试误差平均为 "
        "{{ regularization_early_stopping.held_10.stop.mean | .3f }}，而 40 个点全部训练 800 步为 "
        "{{ regularization_early_stopping.all.mean | .3f }}；"
        "{{ regularization_early_stopping.seeds }} 次训练中有 "
        "{{ regularization_early_stopping.held_10.gain.below }} 次更低。再用全部 40 个点训练同样多"
        "的步数（{{ regularization_early_stopping.held_10.again.mean | .3f }}），只有 "
        "{{ regularization_early_stopping.held_10.retrained.below }} 次比这更好。",
        criterion="held_10.gain.mean + 2 * held_10.gain.se < 0 and "
        "held_10.gain.below >= 0.75 * seeds and held_10.retrained.below < 0.75 * seeds",
        covers=("all.*", "held_*.stop.*", "held_*.again.*", "held_*.gain.*", "held_*.retrained.*"),
        runs="seeds",
        spread=("held_10.gain.min", "held_10.gain.max"),
        figure="regularization-early-stopping",
    ),
    Claim(
        id="regularization-early-stopping-step-is-noisy",
        en="Where training stops is partly chance: with 10 held-out points between step "
        "{{ regularization_early_stopping.held_10.step.min | .0f }} and step "
        "{{ regularization_early_stopping.held_10.step.max | .0f }} over "
        "{{ regularization_early_stopping.seeds }} seeds, with 20 between "
        "{{ regularization_early_stopping.held_20.step.min | .0f }} and "
        "{{ regularization_early_stopping.held_20.step.max | .0f }}.",
        zh="在哪一步停止，部分靠运气：留出 10 个点时，{{ regularization_early_stopping.seeds }} 个"
        "种子的停止步数从 {{ regularization_early_stopping.held_10.step.min | .0f }} 到 "
        "{{ regularization_early_stopping.held_10.step.max | .0f }}，留出 20 个点时从 "
        "{{ regularization_early_stopping.held_20.step.min | .0f }} 到 "
        "{{ regularization_early_stopping.held_20.step.max | .0f }}。",
        criterion="held_10.step.max > 3 * held_10.step.min and "
        "held_20.step.max > 3 * held_20.step.min",
        covers=("held_*.step.*",),
        runs="seeds",
        spread=("held_10.step.min", "held_10.step.max"),
        figure="regularization-early-stopping",
    ),
    Claim(
        id="regularization-early-stopping-peeking",
        en="Stopping where the test error is smallest reports "
        "{{ regularization_early_stopping.peek.report.mean | .3f }}, less than stopping on the 10 "
        "held-out points reaches ({{ regularization_early_stopping.held_10.stop.mean | .3f }}) in "
        "{{ regularization_early_stopping.peek.gain.below }} of "
        "{{ regularization_early_stopping.seeds }} runs and never more.",
        zh="若在测试误差最小处停止，报告的是 "
        "{{ regularization_early_stopping.peek.report.mean | .3f }}，"
        "{{ regularization_early_stopping.seeds }} 次中有 "
        "{{ regularization_early_stopping.peek.gain.below }} 次低于按 10 个留出点停止所能达到的"
        "（{{ regularization_early_stopping.held_10.stop.mean | .3f }}），从不更高。",
        criterion="peek.gain.max <= 0 and peek.gain.mean + 2 * peek.gain.se < 0",
        covers=("peek.*", "held_10.stop.*"),
        runs="seeds",
        spread=("peek.gain.min", "peek.gain.max"),
        figure="regularization-early-stopping",
    ),
)


def run() -> dict[str, Any]:
    data = make(N, SEEDS)
    run_ = np.arange(SEEDS)
    whole = fit(data, every=EVERY).curves["test"][:, 0]
    result: dict[str, Any] = {"seeds": SEEDS, "points": N, "held": HELD, "all": spread(whole[-1])}
    for held in HELD:
        kept = data | {k: data[k][:, held:] for k in ("x", "y")}
        kept |= {"xv": data["x"][:, :held], "yv": data["y"][:, :held]}
        curves = {k: v[:, 0] for k, v in fit(kept, every=EVERY).curves.items()}
        best = curves["validation"].argmin(axis=0)
        stop, again = curves["test"][best, run_], whole[best, run_]
        result[f"held_{held}"] = {
            "step": spread(EVERY * best),
            "stop": spread(stop),
            "again": spread(again),
            "gain": paired(stop - whole[-1]),
            "retrained": paired(again - stop),
        }
        if held == 10:
            smallest = curves["test"].min(axis=0)
            result["peek"] = {"report": spread(smallest), "gain": paired(smallest - stop)}
    return result


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    from experiments._dots import Dot, Panel, draw_dots
    from experiments.style import MUTED, SERIES

    t = {
        "en": {
            "all": "all 40 points, 800 steps",
            "stop": "{} held out, stop",
            "again": "{} held out, then all 40",
            "peek": "10 held out, stop on the test",
            "test": "test error",
            "step": "step at which training stops",
        },
        "zh": {
            "all": "40 个点，800 步",
            "stop": "留出 {} 个，停止",
            "again": "留出 {} 个，再用全部",
            "peek": "按测试误差停止",
            "test": "测试误差",
            "step": "停止的步数",
        },
    }[lang]
    end = {"min": 800.0, "mean": 800.0, "max": 800.0}
    errors, steps = [Dot(t["all"], result["all"], MUTED)], [Dot("", end, MUTED)]
    for held in HELD:
        found = result[f"held_{held}"]
        for kind, color in (("stop", SERIES[0]), ("again", SERIES[2])):
            errors.append(Dot(t[kind].format(held), found[kind], color))
            steps.append(Dot("", found["step"], color))
    errors.append(Dot(t["peek"], result["peek"]["report"], SERIES[1]))
    panels = [Panel(t["test"], errors), Panel(t["step"], steps)]
    return {"regularization-early-stopping": draw_dots(panels, height=0.32)}
