"""One run against one run: how often it is right, and how many pairs of runs it takes.

Two shipped tables, a network with 16 hidden units, AdamW, learning rate 0.003, 60 epochs, no
decay; 60 seeds, each with its own split and first weights. Against ReLU: GELU (``gelu``, a
difference that is not there) and tanh (``tanh``, one that is, on the diabetes table); everything
else is equal. ``gain`` is the test error of ReLU less that of the other, over that of ReLU.
``wrong``: how often the mean validation error of k runs names the worse of ReLU and tanh (worse
over all 60), each with seeds of its own or both with the same. ``decided``: k pairs with the same
seeds, and the conclusions that a 95 % interval of Student's t draws. 20 000 draws of k of the 60,
with repetition. ``sources``: 10 splits times 10 seeds of the weights: the standard deviation that
each brings alone. ``overlap``: two linear models on five of ten inputs each, equally good by
symmetry; k splits of one table of 400 rows, or k tables; the interval of the k differences, and the
wider one of Nadeau and Bengio (2003), 1000 times each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from experiments._claim import Claim
from experiments._many_nets import spread
from experiments._tables import TARGETS, Array, errors

RTOL = 1e-3
SEEDS, DRAWS, SIDE = 60, 20_000, 10
LEVEL = 0.95  # of the intervals
BASE: dict[str, Any] = {"hidden_sizes": (16,), "lr": 0.003, "epochs": 60}
OTHERS = ("gelu", "tanh")
COUNTS = (1, 2, 3, 5, 10, 20)
PAIRS = (5, 10, 20)
TABLES, TABLE_ROWS, INPUTS = 1000, 400, 5
TEST_PER_TRAINING = 20 / 60  # of the rows of a split

WORKED = ("seeds", "side", "counts*", "pairs*", "epochs", "overlap.rows", "overlap.tables")
CLAIMS = (
    Claim(
        id="tuning-seeds-one-run-shows-anything",
        en="GELU has the lower test error in {{ tuning_seeds.tables.diabetes.gelu.better }} "
        "(diabetes) and {{ tuning_seeds.tables.auto_mpg.gelu.better }} (Auto MPG) of "
        "{{ tuning_seeds.seeds }} runs, and the 95 % interval of the mean gain contains zero on "
        "both tables. Single runs go from {{ tuning_seeds.tables.auto_mpg.gelu.gain.min | pct }} "
        "to {{ tuning_seeds.tables.auto_mpg.gelu.gain.max | pct }} on Auto MPG and from "
        "{{ tuning_seeds.tables.diabetes.gelu.gain.min | pct }} to "
        "{{ tuning_seeds.tables.diabetes.gelu.gain.max | pct }} on the diabetes table.",
        zh="{{ tuning_seeds.seeds }} 次训练中，GELU 的测试误差更低的有 "
        "{{ tuning_seeds.tables.diabetes.gelu.better }} 次（糖尿病）和 "
        "{{ tuning_seeds.tables.auto_mpg.gelu.better }} 次（Auto MPG），"
        "平均收益的 95 % 区间在两张表上都包含零。单次训练的收益在 Auto MPG 上从 "
        "{{ tuning_seeds.tables.auto_mpg.gelu.gain.min | pct }} 到 "
        "{{ tuning_seeds.tables.auto_mpg.gelu.gain.max | pct }}，在糖尿病表上从 "
        "{{ tuning_seeds.tables.diabetes.gelu.gain.min | pct }} 到 "
        "{{ tuning_seeds.tables.diabetes.gelu.gain.max | pct }}。",
        criterion="all([t.gelu.low < 0 < t.gelu.high and 0.4 * seeds < t.gelu.better < 0.6 * seeds "
        "and t.gelu.gain.min < -0.05 and t.gelu.gain.max > 0.05 for t in tables.values()])",
        covers=("tables.*.gelu.*",),
        runs="seeds",
        spread=("tables.auto_mpg.gelu.gain.min", "tables.auto_mpg.gelu.gain.max"),
        figure="tuning-one-run",
    ),
    Claim(
        id="tuning-seeds-a-real-difference",
        en="On the diabetes table tanh lowers the test error by "
        "{{ tuning_seeds.tables.diabetes.tanh.gain.mean | pct1 }} on average (95 % interval "
        "{{ tuning_seeds.tables.diabetes.tanh.low | pct1 }} to "
        "{{ tuning_seeds.tables.diabetes.tanh.high | pct1 }}), and yet ReLU has the lower one in "
        "{{ tuning_seeds.tables.diabetes.tanh.worse }} of {{ tuning_seeds.seeds }} runs.",
        zh="在糖尿病表上，tanh 使测试误差平均降低 "
        "{{ tuning_seeds.tables.diabetes.tanh.gain.mean | pct1 }}（95 % 区间 "
        "{{ tuning_seeds.tables.diabetes.tanh.low | pct1 }} 到 "
        "{{ tuning_seeds.tables.diabetes.tanh.high | pct1 }}），然而 "
        "{{ tuning_seeds.seeds }} 次训练中仍有 {{ tuning_seeds.tables.diabetes.tanh.worse }} 次是 "
        "ReLU 更低。",
        criterion="tables.diabetes.tanh.low > 0 and tables.diabetes.tanh.worse > 0.1 * seeds",
        covers=("tables.diabetes.tanh.*",),
        runs="seeds",
        spread=("tables.diabetes.tanh.gain.min", "tables.diabetes.tanh.gain.max"),
        figure="tuning-one-run",
    ),
    Claim(
        id="tuning-seeds-shared-seeds",
        en="Naming the better of tanh and ReLU on the diabetes table goes wrong in "
        "{{ tuning_seeds.wrong.own[0] | pct }} of comparisons of one run each with its own seed, "
        "in {{ tuning_seeds.wrong.own[4] | pct }} with ten runs each; with the same seeds for "
        "both in {{ tuning_seeds.wrong.shared[0] | pct }} and "
        "{{ tuning_seeds.wrong.shared[4] | pct }}.",
        zh="在糖尿病表上判断 tanh 和 ReLU 哪个更好：各用各的种子，只训练一次时，判错的占 "
        "{{ tuning_seeds.wrong.own[0] | pct }}，各训练十次时占 "
        "{{ tuning_seeds.wrong.own[4] | pct }}；两者用相同的种子，则分别为 "
        "{{ tuning_seeds.wrong.shared[0] | pct }} 和 {{ tuning_seeds.wrong.shared[4] | pct }}。",
        criterion="all([a > b for a, b in wrong.both]) and wrong.own[0] > 0.3 and "
        "wrong.shared[4] < 0.1",
        covers=("wrong.*",),
        runs="seeds",
        spread=("tables.diabetes.tanh.gain.min", "tables.diabetes.tanh.gain.max"),
        figure="tuning-winner",
    ),
    Claim(
        id="tuning-seeds-intervals-decide",
        en="An interval from 10 pairs sees the difference between tanh and ReLU (diabetes) in "
        "{{ tuning_seeds.decided.real.right[1] | pct }} of the draws, stays undecided in the "
        "others, and names the wrong one in less than "
        "{{ tuning_seeds.decided.real.wrong_below | pct }}; of GELU and ReLU, which do not "
        "differ, it claims a difference in {{ tuning_seeds.decided.null.claimed[1] | pct }}.",
        zh="由 10 对训练得到的区间，在 {{ tuning_seeds.decided.real.right[1] | pct }} 的抽取中看出 "
        "tanh 与 ReLU 的差别（糖尿病），其余不作结论，判反的不到 "
        "{{ tuning_seeds.decided.real.wrong_below | pct }}；GELU 与 ReLU 并无差别，"
        "区间声称有差别的占 {{ tuning_seeds.decided.null.claimed[1] | pct }}。",
        criterion="decided.real.wrong_below <= 0.01 and max(decided.null.claimed) < 0.1 and "
        "decided.real.right[2] > 2 * decided.real.right[0]",
        covers=("decided.*",),
        runs="seeds",
        spread=("tables.diabetes.tanh.gain.min", "tables.diabetes.tanh.gain.max"),
        figure="tuning-one-run",
    ),
    Claim(
        id="tuning-seeds-the-split-moves-most",
        en="The split alone moves the validation error with a standard deviation of "
        "{{ tuning_seeds.sources.diabetes.split | pct }} of its mean (diabetes) and "
        "{{ tuning_seeds.sources.auto_mpg.split | pct }} (Auto MPG), the first weights and the "
        "order of the rows with {{ tuning_seeds.sources.diabetes.weights | pct }} and "
        "{{ tuning_seeds.sources.auto_mpg.weights | pct }}.",
        zh="单是数据划分就使验证误差波动，标准差为均值的 "
        "{{ tuning_seeds.sources.diabetes.split | pct }}（糖尿病）和 "
        "{{ tuning_seeds.sources.auto_mpg.split | pct }}（Auto MPG）；初始权重和样本顺序带来的分"
        "别是 "
        "{{ tuning_seeds.sources.diabetes.weights | pct }} 和 "
        "{{ tuning_seeds.sources.auto_mpg.weights | pct }}。",
        criterion="all([s.split > 2 * s.weights for s in sources.values()])",
        covers=("sources.*",),
        runs="side",
        spread=("sources.diabetes.smallest", "sources.diabetes.largest"),
        figure="tuning-one-run",
    ),
    Claim(
        id="tuning-seeds-splits-of-one-table",
        en="Of two models that are equally good on new rows, the interval from splits of one table "
        "of {{ tuning_seeds.overlap.rows }} rows claims a difference in "
        "{{ tuning_seeds.overlap.one[0].mean | pct }} of the tables with 5 splits, in "
        "{{ tuning_seeds.overlap.one[1].mean | pct }} with 10 and in "
        "{{ tuning_seeds.overlap.one[2].mean | pct }} with 20; with a new table for each of 10 "
        "pairs in {{ tuning_seeds.overlap.new[1].mean | pct }}, with the correction of Nadeau and "
        "Bengio for 10 splits in {{ tuning_seeds.overlap.corrected[1].mean | pct }}.",
        zh="两个模型在新的样本上同样好；由同一张 {{ tuning_seeds.overlap.rows }} 行的表的多次划分"
        "得到的区间，用 5 次划分时在 {{ tuning_seeds.overlap.one[0].mean | pct }} 的表上声称有差别，"  # noqa: E501
        "10 次为 {{ tuning_seeds.overlap.one[1].mean | pct }}，20 次为 "
        "{{ tuning_seeds.overlap.one[2].mean | pct }}；10 对各用一张新表，为 "
        "{{ tuning_seeds.overlap.new[1].mean | pct }}；10 次划分加上 Nadeau 和 Bengio 的修正，为 "
        "{{ tuning_seeds.overlap.corrected[1].mean | pct }}。",
        criterion="overlap.one[0].mean > 0.1 and overlap.one[1].mean > 0.2 and "
        "overlap.one[2].mean > 0.3 and max([s.mean for s in overlap.new]) < 0.07 and "
        "max([s.mean for s in overlap.corrected]) < 0.07",
        covers=("overlap.*",),
        runs="overlap.tables",
        spread=("overlap.one[1].low", "overlap.one[1].high"),
        figure="tuning-one-table",
    ),
    Claim(
        id="tuning-seeds-one-table-is-one-table",
        en="With the correction of Nadeau and Bengio the interval of the gain of tanh on the "
        "diabetes table goes from {{ tuning_seeds.tables.diabetes.tanh.corrected_low | pct }} to "
        "{{ tuning_seeds.tables.diabetes.tanh.corrected_high | pct }} and contains zero.",
        zh="加上 Nadeau 和 Bengio 的修正，tanh 在糖尿病表上的收益，区间为 "
        "{{ tuning_seeds.tables.diabetes.tanh.corrected_low | pct }} 到 "
        "{{ tuning_seeds.tables.diabetes.tanh.corrected_high | pct }}，包含零。",
        criterion="tables.diabetes.tanh.corrected_low < 0 < tables.diabetes.tanh.corrected_high",
        covers=("tables.diabetes.tanh.corrected_*",),
        runs="seeds",
        spread=("tables.diabetes.tanh.gain.min", "tables.diabetes.tanh.gain.max"),
        figure="tuning-one-run",
    ),
)


def compare(relu: Array, other: Array) -> dict[str, Any]:
    """Relative gains in the test error, from errors (seeds, 2)."""
    gain = (relu[:, 1] - other[:, 1]) / relu[:, 1]
    half = stats.t.ppf((1 + LEVEL) / 2, SEEDS - 1) * gain.std(ddof=1) / np.sqrt(SEEDS)
    return {
        "gain": spread(gain),
        "each": gain.tolist(),
        "better": int((gain > 0).sum()),
        "worse": int((gain < 0).sum()),
        "low": float(gain.mean() - half),
        "high": float(gain.mean() + half),
        "corrected_low": float(gain.mean() - half * wider(SEEDS)),
        "corrected_high": float(gain.mean() + half * wider(SEEDS)),
    }


def wider(k: int) -> float:
    """How much wider the interval of k splits has to be if it is to speak of new rows."""
    return float(np.sqrt(1 + k * TEST_PER_TRAINING))


def draws(count: int, number: int) -> Array:
    """Which of the 60 seeds: `number` sets of draws of `count`, with repetition."""
    return np.random.default_rng(count).integers(0, SEEDS, (number, DRAWS, count))


def wrong(worse: Array, better: Array) -> dict[str, Any]:
    """How often the mean of k runs of `worse` is the lower one."""
    own, shared = [], []
    for k in COUNTS:
        i, j = draws(k, 2)
        score = worse[i].mean(axis=1)
        own.append(float((score < better[j].mean(axis=1)).mean()))
        shared.append(float((score < better[i].mean(axis=1)).mean()))
    return {"own": own, "shared": shared, "both": list(zip(own, shared, strict=True))}


def conclusions(gap: Array) -> tuple[list[float], list[float]]:
    """How often the interval of k pairs lies above zero, and how often below."""
    above, below = [], []
    for k in PAIRS:
        some = gap[draws(k, 1)[0]]
        t = some.mean(axis=1) / (some.std(axis=1, ddof=1) / np.sqrt(k))
        limit = stats.t.ppf((1 + LEVEL) / 2, k - 1)
        above.append(float((t > limit).mean()))
        below.append(float((t < -limit).mean()))
    return above, below


def sources(name: str) -> dict[str, float]:
    """Components of the variance of the validation error, two-way layout without repeats."""
    error = np.array(
        [[errors(name, s, weights=w, **BASE)[0] for w in range(SIDE)] for s in range(SIDE)]
    )
    rest = error - error.mean(axis=0) - error.mean(axis=1, keepdims=True) + error.mean()
    noise = (rest**2).sum() / (SIDE - 1) ** 2
    by_split = error.mean(axis=1).var(ddof=1) - noise / SIDE
    # the seed of the weights acts on every split anew: its own part and the interaction
    by_weights = max(error.mean(axis=0).var(ddof=1) - noise / SIDE, 0.0) + noise
    return {
        "split": float(np.sqrt(by_split) / error.mean()),
        "weights": float(np.sqrt(by_weights) / error.mean()),
        "smallest": float(error.min()),
        "largest": float(error.max()),
    }


def linear_gaps(rng: np.random.Generator, number: int) -> Array:
    """Differences of the test errors on splits of one new table, (number,)."""
    x = rng.normal(size=(TABLE_ROWS, 2 * INPUTS))
    y = 0.5 * x.sum(axis=1) + rng.normal(size=TABLE_ROWS)
    order = np.array([rng.permutation(TABLE_ROWS) for _ in range(number)])
    train, test = order[:, : 3 * TABLE_ROWS // 5], order[:, 4 * TABLE_ROWS // 5 :]
    error = []
    for part in (slice(None, INPUTS), slice(INPUTS, None)):
        a, b = x[train][..., part], y[train][..., None]
        theta = np.linalg.solve(a.mT @ a, a.mT @ b)
        residual = x[test][..., part] @ theta - y[test][..., None]
        error.append((residual**2).mean(axis=(1, 2)))
    return np.asarray(error[0] - error[1])


def overlap() -> dict[str, Any]:
    """How often the interval of k pairs excludes zero though nothing is there."""
    rng, most = np.random.default_rng(0), max(PAIRS)
    one = np.array([linear_gaps(rng, most) for _ in range(TABLES)])
    new = np.array([[linear_gaps(rng, 1)[0] for _ in range(most)] for _ in range(TABLES)])
    found: dict[str, list[dict[str, float]]] = {"one": [], "corrected": [], "new": []}
    for k in PAIRS:
        for key, gaps, factor in (
            ("one", one, 1.0),
            ("corrected", one, wider(k)),
            ("new", new, 1.0),
        ):
            some = gaps[:, :k]
            half = stats.t.ppf((1 + LEVEL) / 2, k - 1) * some.std(axis=1, ddof=1) / np.sqrt(k)
            share = float((np.abs(some.mean(axis=1)) > factor * half).mean())
            se = float(np.sqrt(share * (1 - share) / TABLES))
            off = float(stats.norm.ppf((1 + LEVEL) / 2)) * se
            found[key].append({"mean": share, "low": share - off, "high": share + off})
    return {"tables": TABLES, "rows": TABLE_ROWS, **found}


def run() -> dict[str, Any]:
    found = {
        name: {
            kind: np.array([errors(name, s, activation=kind, **BASE) for s in range(SEEDS)])
            for kind in ("relu", *OTHERS)
        }
        for name in TARGETS
    }
    validation = {kind: e[:, 0] for kind, e in found["diabetes"].items()}
    right, reverse = conclusions(validation["relu"] - validation["tanh"])
    claimed = np.sum(conclusions(validation["relu"] - validation["gelu"]), axis=0)
    return {
        "seeds": SEEDS,
        "side": SIDE,
        "epochs": BASE["epochs"],
        "counts": list(COUNTS),
        "pairs": list(PAIRS),
        "tables": {n: {k: compare(f["relu"], f[k]) for k in OTHERS} for n, f in found.items()},
        "wrong": wrong(validation["relu"], validation["tanh"]),
        "decided": {
            "real": {
                "right": right,
                "wrong": reverse,
                "wrong_below": float(np.ceil(100 * max(reverse[1], 1e-3)) / 100),
            },
            "null": {"claimed": claimed.tolist()},
        },
        "sources": {name: sources(name) for name in TARGETS},
        "overlap": overlap(),
    }


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    from experiments.style import INK, MUTED, SERIES, new_figure

    t = {
        "en": {
            "gelu": "GELU instead of ReLU",
            "tanh": "tanh instead of ReLU",
            "diabetes": "diabetes",
            "auto_mpg": "Auto MPG",
            "gain": "test error lower by (%)",
            "one": "one run",
            "mean": "mean of 60 runs with its 95 % interval",
            "k": "runs of each",
            "wrong": "share of wrong winners",
            "own": "each with its own seeds",
            "shared": "both with the same seeds",
            "coin": "coin toss",
            "pairs": "pairs",
            "claimed": "difference claimed (%)",
            "one_table": "splits of one table",
            "corrected": "the same, corrected",
            "new": "a new table for each pair",
        },
        "zh": {
            "gelu": "用 GELU 代替 ReLU",
            "tanh": "用 tanh 代替 ReLU",
            "diabetes": "糖尿病",
            "auto_mpg": "Auto MPG",
            "gain": "测试误差降低（%）",
            "one": "一次训练",
            "mean": "60 次训练的均值及其 95 % 区间",
            "k": "各训练几次",
            "wrong": "选错赢家的比例",
            "own": "各用各的种子",
            "shared": "两者用相同的种子",
            "coin": "抛硬币",
            "pairs": "对数",
            "claimed": "声称有差别（%）",
            "one_table": "同一张表的多次划分",
            "corrected": "同上，经修正",
            "new": "每一对用一张新表",
        },
    }[lang]
    fig, axes = new_figure(7.2, 3.2, ncols=2, sharey=True)
    lift = np.random.default_rng(0).uniform(-0.22, 0.22, SEEDS)
    for ax, kind in zip(axes, OTHERS, strict=True):
        for row, name in enumerate(TARGETS):
            found = result["tables"][name][kind]
            ax.scatter(
                100 * np.array(found["each"]),
                row + lift,
                s=14,
                color=SERIES[0],
                alpha=0.5,
                label=t["one"] if row == 0 else None,
            )
            mean, low, high = (
                100 * v for v in (found["gain"]["mean"], found["low"], found["high"])
            )
            ax.errorbar(
                mean,
                row + 0.36,
                xerr=[[mean - low], [high - mean]],
                color=INK,
                marker="o",
                markersize=5,
                capsize=3,
                label=t["mean"] if row == 0 else None,
            )
        ax.axvline(0.0, color=MUTED, linewidth=1)
        ax.set_title(t[kind])
        ax.set_xlabel(t["gain"])
        ax.grid(visible=False, axis="y")
    axes[0].set_yticks(range(len(TARGETS)), [t[name] for name in TARGETS])
    axes[0].set_ylim(len(TARGETS) - 0.4, -0.5)
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    figures = {"tuning-one-run": fig}

    fig, ax = new_figure()
    places = np.arange(len(COUNTS))
    for kind, color in (("own", SERIES[1]), ("shared", SERIES[0])):
        ax.plot(places, result["wrong"][kind], "o-", color=color, label=t[kind])
    ax.axhline(0.5, color=MUTED, linestyle=":")
    ax.text(places[-1], 0.5, t["coin"], ha="right", va="bottom", color=MUTED, fontsize=9)
    ax.set_xticks(places, [str(k) for k in COUNTS])
    ax.set_ylim(0.0, 0.55)
    ax.set_xlabel(t["k"])
    ax.set_ylabel(t["wrong"])
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0))
    figures["tuning-winner"] = fig

    fig, ax = new_figure()
    places = np.arange(len(PAIRS))
    for kind, label, color in (
        ("one", "one_table", SERIES[1]),
        ("corrected", "corrected", SERIES[2]),
        ("new", "new", SERIES[0]),
    ):
        share, high = (
            100 * np.array([p[key] for p in result["overlap"][kind]]) for key in ("mean", "high")
        )
        ax.errorbar(
            places, share, yerr=high - share, fmt="o-", color=color, label=t[label], capsize=3
        )
    ax.axhline(5.0, color=MUTED, linestyle=":")
    ax.set_xticks(places, [str(k) for k in PAIRS])
    ax.set_ylim(0.0, None)
    ax.set_xlabel(t["pairs"])
    ax.set_ylabel(t["claimed"])
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0))
    return figures | {"tuning-one-table": fig}
