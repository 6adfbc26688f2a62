"""Why the target of temporal-difference learning is detached.

The smallest example (Sutton and Barto, 2018, section 11.5): from A to B or C with probability ½
each, reward 0; from B to the end with reward 1, from C to the end with reward 0. No discount, so
the values are A ½, B 1, C 0. Each value is one parameter, so nothing is lost by approximation.
Every transition is one step of gradient descent on the squared TD error, rate 0.01:

* ``detached``: the value of the next state is a constant;
* ``attached``: the gradient flows into it as well (the gradient of the loss as it stands).

4000 episodes, values averaged over the second half, 20 seeds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._claim import Claim
from experiments._ranges import exactly

SEEDS, EPISODES, LR = 20, 4000, 0.01
TRUE = (0.5, 1.0, 0.0)
A, B, C = 0, 1, 2

WORKED = ("seeds", "episodes")
CLAIMS = (
    Claim(
        "questions-detached-target",
        "With the target detached the values of A, B and C come to "
        "{{ questions_targets.detached.a.median | .2f }}, "
        "{{ questions_targets.detached.b.median | .2f }} and "
        "{{ questions_targets.detached.c.median | .2f }}, which is right; with the gradient "
        "flowing into the target, to {{ questions_targets.attached.a.median | .2f }}, "
        "{{ questions_targets.attached.b.median | .2f }} and "
        "{{ questions_targets.attached.c.median | .2f }}, which is not, although the squared TD "
        "error is lower in every run ({{ questions_targets.attached.error.median | .3f }} against "
        "{{ questions_targets.detached.error.median | .3f }}; {{ questions_targets.seeds }} "
        "seeds).",
        "目标截断梯度时，A、B、C 的值学成 {{ questions_targets.detached.a.median | .2f }}、"
        "{{ questions_targets.detached.b.median | .2f }}、"
        "{{ questions_targets.detached.c.median | .2f }}，是对的；梯度流入目标时，学成 "
        "{{ questions_targets.attached.a.median | .2f }}、"
        "{{ questions_targets.attached.b.median | .2f }}、"
        "{{ questions_targets.attached.c.median | .2f }}，是错的，"
        "尽管每一次的平方 TD 误差都更低（"
        "{{ questions_targets.attached.error.median | .3f }} 对 "
        "{{ questions_targets.detached.error.median | .3f }}；"
        "{{ questions_targets.seeds }} 个种子）。",
        "detached.off.max < 0.1 and attached.off.min > 0.2 and "
        "attached.error.max < detached.error.min",
        ("detached.*", "attached.*"),
        runs="seeds",
        spread=("attached.off.min", "attached.off.max"),
        figure="questions_targets",
    ),
)


def learn(attached: bool, seed: int) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    v = np.zeros(3)
    kept, errors = [], []
    for episode in range(EPISODES):
        middle = B if rng.random() < 0.5 else C
        for state, following, reward in ((A, middle, 0.0), (middle, None, float(middle == B))):
            target = reward if following is None else v[following]
            error = target - v[state]
            v[state] += LR * error
            if attached and following is not None:
                v[following] -= LR * error
            if episode >= EPISODES // 2:
                errors.append(error**2)
        if episode >= EPISODES // 2:
            kept.append(v.copy())
    mean = np.mean(kept, axis=0)
    off = float(np.abs(mean - TRUE).max())
    return dict(zip("abc", mean, strict=True)) | {"off": off, "error": float(np.mean(errors))}


def run() -> dict[str, Any]:
    result: dict[str, Any] = {"seeds": SEEDS, "episodes": EPISODES}
    for name, attached in (("detached", False), ("attached", True)):
        found = [learn(attached, seed) for seed in range(SEEDS)]
        result[name] = {key: exactly(row[key] for row in found) for key in found[0]}
    return result


def draw(result: dict[str, Any], lang: str) -> Any:
    from experiments import style

    t = {
        "en": ("true value", "target detached", "target attached", "state", "value learned"),
        "zh": ("真值", "目标截断梯度", "梯度流入目标", "状态", "学到的值"),
    }[lang]
    fig, ax = style.new_figure(5.6, 3.2)
    for x, value in enumerate(TRUE):
        ax.plot(
            [x - 0.3, x + 0.3], [value] * 2, color=style.MUTED, lw=2, label=t[0] if x == 0 else None
        )
    for shift, key, name, color in (
        (-0.12, "detached", t[1], style.GOOD),
        (0.12, "attached", t[2], style.BAD),
    ):
        for x, state in enumerate("abc"):
            s = result[key][state]
            ax.plot([x + shift] * 2, [s["min"], s["max"]], color=color, lw=4, alpha=0.4)
            ax.plot(x + shift, s["median"], "o", color=color, label=name if x == 0 else None)
    ax.set_xticks(range(3), ["A", "B", "C"])
    ax.set_xlabel(t[3])
    ax.set_ylabel(t[4])
    fig.legend(loc="outside upper center", ncols=3)
    return fig
