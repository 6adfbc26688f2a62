"""What it costs to choose with the test set: the reported error against that on new rows.

The task and the network of `regression_curves`: 40 training rows, full-batch gradient descent. A
repeat has data of its own (40 validation rows, 40 test rows) and 16 starts, which differ in the
first weights only; each is looked at after every 50 of 400 steps. One start and one step are
chosen from the first k starts, once by the error on the test rows, once by that on the validation
rows. Both then report the error on the test rows. The two sets are alike, so each takes both roles
in turn, and a repeat counts as the mean of the two. "truth" is the expected error of the chosen
network on new rows: measured on 500 fresh rows without noise, plus the variance of the noise.
"optimism" is truth minus report: what the report promises and the network does not keep.
"low" and "high" are the ends of the 95 % interval of its mean over the repeats.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from experiments._claim import Claim
from experiments._many_nets import Array, gradients, init, mse
from experiments.regression_curves import HIDDEN, NOISE, D, sample

REPEATS, STARTS, ROWS, FRESH = 100, 16, 40, 500
LEVEL = 0.95  # of the intervals
STEPS, EVERY, RATE = 400, 50, 0.05
COUNTS = (1, 2, 4, 8, 16)
RTOL = 1e-6

WORKED = ("repeats", "starts", "rows", "looks", "counts*")

CLAIMS = (
    Claim(
        "regression-choosing-test-set",
        "If the best of {{ regression_choosing.starts }} starts and its best step are chosen by "
        "{{ regression_choosing.rows }} test rows, the reported error is "
        "{{ regression_choosing.by_test[4].report | .3f }}, the error on new rows "
        "{{ regression_choosing.by_test[4].truth | .3f }}: the report is too low by "
        "{{ regression_choosing.by_test[4].optimism.mean | .3f }} (95 % interval "
        "{{ regression_choosing.by_test[4].optimism.low | .3f }} to "
        "{{ regression_choosing.by_test[4].optimism.high | .3f }}, "
        "{{ regression_choosing.repeats }} repeats), and the more starts there are, the more. "
        "Chosen by {{ regression_choosing.rows }} validation rows, the test rows report "
        "{{ regression_choosing.by_validation[4].report | .3f }} for such networks, off by "
        "{{ regression_choosing.by_validation[4].optimism.mean | .3f }} "
        "({{ regression_choosing.by_validation[4].optimism.low | .3f }} to "
        "{{ regression_choosing.by_validation[4].optimism.high | .3f }}).",
        "用 {{ regression_choosing.rows }} 行测试数据从 {{ regression_choosing.starts }} 个起点中选"
        "出最好的一个和它最好的一步，报告的误差是 "
        "{{ regression_choosing.by_test[4].report | .3f }}，新数据上的误差却是 "
        "{{ regression_choosing.by_test[4].truth | .3f }}：报告偏低 "
        "{{ regression_choosing.by_test[4].optimism.mean | .3f }}（95 % 区间 "
        "{{ regression_choosing.by_test[4].optimism.low | .3f }} 到 "
        "{{ regression_choosing.by_test[4].optimism.high | .3f }}，重复 "
        "{{ regression_choosing.repeats }} 次），起点越多，偏得越多。"
        "用 {{ regression_choosing.rows }} 行验证数据来选，测试数据对这样的网络报告 "
        "{{ regression_choosing.by_validation[4].report | .3f }}，只差 "
        "{{ regression_choosing.by_validation[4].optimism.mean | .3f }}"
        "（{{ regression_choosing.by_validation[4].optimism.low | .3f }} 到 "
        "{{ regression_choosing.by_validation[4].optimism.high | .3f }}）。",
        "by_test[0].optimism.mean < by_test[2].optimism.mean < by_test[4].optimism.mean "
        "and 0 < by_test[4].optimism.low "
        "and by_validation[4].optimism.low < 0 < by_validation[4].optimism.high "
        "and difference.low > 0 and by_test[4].truth < by_test[0].truth",
        ("by_test*", "by_validation*", "difference.*"),
        runs="repeats",
        spread=("by_test[4].optimism.low", "by_test[4].optimism.high"),
        figure="regression_choosing",
    ),
)


def errors() -> dict[str, Array]:
    """Errors of every candidate on each set: (starts, looks, repeats)."""
    sets = []
    for repeat in range(REPEATS):
        rng = np.random.default_rng(repeat)
        noisy = [part for _ in range(3) for part in sample(rng, ROWS)]
        x = rng.normal(size=(FRESH, D))
        sets.append((*noisy, x, np.sin(1.5 * x[:, :1]) + 0.5 * x[:, 1:2]))
    x, y, *others = (np.stack(part) for part in zip(*sets, strict=True))
    names = ("validation", "test", "truth")
    pairs = dict(zip(names, zip(others[::2], others[1::2], strict=True), strict=True))
    found: dict[str, list[list[Array]]] = {name: [] for name in names}
    for start in range(STARTS):
        rngs = [np.random.default_rng([repeat, start]) for repeat in range(REPEATS)]
        params = init(rngs, D, HIDDEN)
        looks: dict[str, list[Array]] = {name: [] for name in names}
        for step in range(1, STEPS + 1):
            for p, g in zip(params, gradients(params, x, y), strict=True):
                p -= 2 * RATE * g
            if step % EVERY == 0:
                for name, pair in pairs.items():
                    looks[name].append(mse(params, *pair))
        for name in names:
            found[name].append(looks[name])
    arrays = {name: np.array(values) for name, values in found.items()}
    arrays["truth"] += NOISE**2
    return arrays


def interval(values: Array) -> dict[str, float]:
    """Mean over the repeats and the ends of its 95 % interval."""
    half = stats.t.ppf((1 + LEVEL) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    mean = values.mean()
    return {"mean": float(mean), "low": float(mean - half), "high": float(mean + half)}


def run() -> dict[str, Any]:
    found = errors()
    repeat = np.arange(REPEATS)
    result: dict[str, Any] = {
        "repeats": REPEATS,
        "starts": STARTS,
        "rows": ROWS,
        "looks": STEPS // EVERY,
        "counts": list(COUNTS),
    }
    reports = {}
    for by in ("test", "validation"):
        result[f"by_{by}"] = []
        for count in COUNTS:
            report, truth = np.zeros(REPEATS), np.zeros(REPEATS)
            for test, validation in (("test", "validation"), ("validation", "test")):
                judge = test if by == "test" else validation
                chosen = found[judge][:count].reshape(-1, REPEATS).argmin(axis=0), repeat
                report += found[test][:count].reshape(-1, REPEATS)[chosen] / 2
                truth += found["truth"][:count].reshape(-1, REPEATS)[chosen] / 2
            result[f"by_{by}"].append(
                {
                    "report": float(report.mean()),
                    "truth": float(truth.mean()),
                    "optimism": interval(truth - report),
                }
            )
            reports[by] = report
    # on the same test rows, with all starts: by how much the second report is above the first
    result["difference"] = interval(reports["validation"] - reports["test"])
    return result


def draw(result: dict[str, Any], lang: str) -> Any:
    from experiments.style import BACKWARD, FORWARD, MUTED, new_figure

    t = {
        "en": {
            "x": "starts to choose from",
            "y": "error on new rows minus report",
            "by_test": "chosen by the test rows",
            "by_validation": "chosen by validation rows",
        },
        "zh": {
            "x": "供选择的起点个数",
            "y": "新数据上的误差减去报告的误差",
            "by_test": "用测试数据选",
            "by_validation": "用验证数据选",
        },
    }[lang]
    fig, ax = new_figure(5.6, 3.0)
    ax.axhline(0, color=MUTED, linewidth=1)
    for shift, name, color in ((-0.06, "by_test", BACKWARD), (0.06, "by_validation", FORWARD)):
        places = np.arange(len(result["counts"])) + shift
        found = [row["optimism"] for row in result[name]]
        mean, low, high = (np.array([f[key] for f in found]) for key in ("mean", "low", "high"))
        bars = np.array([mean - low, high - mean])
        ax.errorbar(
            places, mean, yerr=bars, color=color, marker="o", markersize=4, capsize=3, label=t[name]
        )
    ax.set_xticks(range(len(result["counts"])), [str(c) for c in result["counts"]])
    ax.set_xlabel(t["x"])
    ax.set_ylabel(t["y"])
    fig.legend(loc="outside upper center", ncols=2)
    return fig
