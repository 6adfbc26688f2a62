"""Two of the article's ways of tuning: more units, and clipping.

The task of ``regularization_curves``: 6 inputs, y = sin(1.5 x_1) + 0.5 x_2 plus noise of standard
deviation 0.5, a 6-H-1 network with tanh, momentum 0.9, float64; test errors against the function
without noise.
* ``width``: 1 to 128 units, 40 points, 500 full-batch gradients, 20 seeds. ``plain``: the rate 0.03
  for every width, no decay; ``stopped``: the same, the weights with the lowest validation error of
  every fifth step; ``common``: of six rates, the one with the lowest sum of the validation errors
  of all widths, for each seed; ``tuned``: the six rates for every width, of which 40 validation
  points choose one for each seed; ``decayed``: the same with decay 0.03.
* ``clipping``: 200 points, batches of 4, 1000 gradients, H = 30, decay 0.003, 20 seeds; 15 rates
  without clipping against 5 rates times 3 bounds with it, 40 validation points choose; on clean
  data, with 2 % of the rows 1000 times too large, and with heavy tails: the noise of the labels
  follows Student's t with 3 degrees of freedom, for the validation points too. Two controls:
  ``wide`` is normal noise of the same variance, ``mild`` has such tails and the variance of the
  clean data. ``same``: both at the rate 0.01, bound 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._claim import Claim
from experiments._many_nets import SGD, Params, gradients, init, mse, spread
from experiments._regularized_nets import HIDDEN, NOISE, D, Sets, make, paired, target

# Hundreds of steps of momentum amplify the last bit of a matrix product.
RTOL = 1e-3
WIDTHS = (1, 2, 4, 8, 16, 32, 64, 128)
WIDTH_RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
WIDTH_SEEDS, WIDTH_STEPS, LOOK = 20, 500, 5
FIXED = WIDTH_RATES.index(0.03)
WAYS = ("plain", "tuned", "decayed")  # in the figure
CLIP_SEEDS, CLIP_STEPS, BATCH, CLIP_DECAY = 20, 1000, 4, 0.003
PLAIN_RATES = tuple(float(r) for r in np.geomspace(1e-3, 0.1, 15))
CLIP_RATES = tuple(float(r) for r in np.geomspace(1e-3, 0.1, 5))
BOUNDS = (0.3, 1.0, 3.0)
SAME = 0.01  # a rate that both have
TAIL = 3  # degrees of freedom: the variance is finite, single labels lie far off
LOST = 10.0  # the error of a run that has blown up: it has none that can be reproduced

Array = np.ndarray

WORKED = ("width.seeds", "width.widths*", "width.parameters*", "clipping.runs", "clipping.settings")
CLAIMS = (
    Claim(
        id="tuning-width-at-one-rate",
        en="At one rate and without decay, eight units instead of one lower the training error "
        "from "
        "{{ tuning.width.plain.narrowest.train.mean | .2f }} to "
        "{{ tuning.width.plain.points[3].train.mean | .2f }}, in each of "
        "{{ tuning.width.seeds }} runs, and raise the test error from "
        "{{ tuning.width.plain.narrowest.test.mean | .2f }} to "
        "{{ tuning.width.plain.points[3].test.mean | .2f }}, in "
        "{{ tuning.width.plain.eight.above }} of them; with 128 units it is "
        "{{ tuning.width.plain.widest.test.mean | .2f }}.",
        zh="学习率相同、没有衰减时，单元从一个增加到八个，训练误差从 "
        "{{ tuning.width.plain.narrowest.train.mean | .2f }} 降到 "
        "{{ tuning.width.plain.points[3].train.mean | .2f }}，{{ tuning.width.seeds }} 次训练"
        "次次如此；测试误差却从 {{ tuning.width.plain.narrowest.test.mean | .2f }} 升到 "
        "{{ tuning.width.plain.points[3].test.mean | .2f }}，其中 "
        "{{ tuning.width.plain.eight.above }} 次如此；128 个单元时为 "
        "{{ tuning.width.plain.widest.test.mean | .2f }}。",
        criterion="width.plain.eight.train_max < 0 and "
        "width.plain.eight.above > 0.7 * width.seeds and "
        "width.plain.widest.test.mean < width.plain.points[3].test.mean",
        covers=("width.plain.*",),
        runs="width.seeds",
        spread=("width.plain.eight.min", "width.plain.eight.max"),
        figure="tuning-width",
    ),
    Claim(
        id="tuning-width-with-its-own-rate",
        en="With the rate chosen for each width the order turns round: eight units have a test "
        "error of {{ tuning.width.tuned.points[3].test.mean | .2f }}, one unit "
        "{{ tuning.width.tuned.narrowest.test.mean | .2f }}. For eight units the chosen rate "
        "lowers "
        "the test error in {{ tuning.width.rate_gain.below }} of {{ tuning.width.seeds }} runs, "
        "and its median is {{ tuning.width.tuned.points[3].rate | .2g }} instead of $0.03$.",
        zh="为每个宽度各选学习率之后，次序反了过来：八个单元的测试误差为 "
        "{{ tuning.width.tuned.points[3].test.mean | .2f }}，一个单元为 "
        "{{ tuning.width.tuned.narrowest.test.mean | .2f }}。对八个单元，选定的学习率在 "
        "{{ tuning.width.seeds }} 次训练中有 {{ tuning.width.rate_gain.below }} 次降低了测试误差；"
        "选定值的中位数是 {{ tuning.width.tuned.points[3].rate | .2g }}，而不是 $0.03$。",
        criterion="width.tuned.points[3].test.mean < width.tuned.narrowest.test.mean and "
        "width.rate_gain.below > 0.7 * width.seeds and width.tuned.points[3].rate < 0.02",
        covers=("width.tuned.*", "width.rate_gain.*"),
        runs="width.seeds",
        spread=("width.rate_gain.min", "width.rate_gain.max"),
        figure="tuning-width",
    ),
    Claim(
        id="tuning-width-it-was-trained-too-far",
        en="Two other ways take the hump away. Eight units have a test error of "
        "{{ tuning.width.stopped.points[3].test.mean | .2f }} at the rate $0.03$ if the training "
        "is stopped early, one unit {{ tuning.width.stopped.narrowest.test.mean | .2f }}; with one "
        "rate for all widths, chosen by their validation errors together, "
        "{{ tuning.width.common.points[3].test.mean | .2f }} and "
        "{{ tuning.width.common.narrowest.test.mean | .2f }}. With rates of their own one unit has "
        "{{ tuning.width.tuned.narrowest.test.mean | .2f }} and the order is the same.",
        zh="另有两种办法也能消去这个峰。学习率为 $0.03$ 而提前停止训练，八个单元的测试误差为 "
        "{{ tuning.width.stopped.points[3].test.mean | .2f }}，一个单元为 "
        "{{ tuning.width.stopped.narrowest.test.mean | .2f }}；所有宽度共用一个学习率，由它们的"
        "验证误差合起来选出，则为 {{ tuning.width.common.points[3].test.mean | .2f }} 和 "
        "{{ tuning.width.common.narrowest.test.mean | .2f }}。各用各的学习率时，一个单元为 "
        "{{ tuning.width.tuned.narrowest.test.mean | .2f }}，次序不变。",
        criterion="all([w.points[3].test.mean < w.narrowest.test.mean and "
        "w.points[3].test.mean < 0.7 * width.plain.points[3].test.mean "
        "for w in [width.stopped, width.common, width.tuned]])",
        covers=("width.stopped.*", "width.common.*", "width.tuned.narrowest.*"),
        runs="width.seeds",
        spread=("width.stopped.eight.min", "width.stopped.eight.max"),
        figure="tuning-width",
    ),
    Claim(
        id="tuning-width-decay-makes-width-safe",
        en="With decay and its own rate, 128 units have a test error of "
        "{{ tuning.width.decayed.widest.test.mean | .2f }}, lower than that of one unit "
        "({{ tuning.width.decayed.narrowest.test.mean | .2f }}) in "
        "{{ tuning.width.decayed.wide.below }} of {{ tuning.width.seeds }} runs, and lower than "
        "that of 128 units without decay ({{ tuning.width.tuned.widest.test.mean | .2f }}) in "
        "{{ tuning.width.decay_gain.below }}.",
        zh="有衰减、各选学习率时，128 个单元的测试误差为 "
        "{{ tuning.width.decayed.widest.test.mean | .2f }}，{{ tuning.width.seeds }} 次训练中有 "
        "{{ tuning.width.decayed.wide.below }} 次低于一个单元"
        "（{{ tuning.width.decayed.narrowest.test.mean | .2f }}），有 "
        "{{ tuning.width.decay_gain.below }} 次低于没有衰减的 128 个单元"
        "（{{ tuning.width.tuned.widest.test.mean | .2f }}）。",
        criterion="width.decayed.wide.below > 0.7 * width.seeds and "
        "width.decayed.widest.test.mean < width.tuned.widest.test.mean",
        covers=("width.decayed.*", "width.tuned.widest.*", "width.decay_gain.*"),
        runs="width.seeds",
        spread=("width.decayed.wide.min", "width.decayed.wide.max"),
        figure="tuning-width",
    ),
    Claim(
        id="tuning-clipping-no-accuracy",
        en="On clean data, with {{ tuning.clipping.settings }} settings for each, the mean test "
        "error is {{ tuning.clipping.best.plain.mean | .3f }} without clipping and "
        "{{ tuning.clipping.best.clipped.mean | .3f }} with it; clipping is better in "
        "{{ tuning.clipping.best.clipped_better }} of {{ tuning.clipping.runs }} runs, and the "
        "mean difference is less than twice its standard error.",
        zh="在干净的数据上，两者各有 {{ tuning.clipping.settings }} 个设置，平均测试误差不裁剪为 "
        "{{ tuning.clipping.best.plain.mean | .3f }}，裁剪为 "
        "{{ tuning.clipping.best.clipped.mean | .3f }}；{{ tuning.clipping.runs }} 次训练中裁剪"
        "更好的有 {{ tuning.clipping.best.clipped_better }} 次，"
        "两者之差的均值不到其标准误差的两倍。",
        criterion="abs(clipping.best.difference.mean) < 2 * clipping.best.difference.se and "
        "0.2 * clipping.runs < clipping.best.clipped_better < 0.8 * clipping.runs",
        covers=("clipping.best.*",),
        runs="clipping.runs",
        spread=("clipping.best.difference.min", "clipping.best.difference.max"),
        figure="tuning-clipping",
    ),
    Claim(
        id="tuning-clipping-heavy-tails",
        en="With label noise of heavy tails, where no run is lost, clipping lowers the test error "
        "from {{ tuning.clipping.heavy.plain.mean | .3f }} to "
        "{{ tuning.clipping.heavy.clipped.mean | .3f }}, in "
        "{{ tuning.clipping.heavy.clipped_better }} of {{ tuning.clipping.runs }} runs, again with "
        "{{ tuning.clipping.settings }} settings for each.",
        zh="标签噪声的尾部较重、但没有训练失败时，裁剪使测试误差从 "
        "{{ tuning.clipping.heavy.plain.mean | .3f }} 降到 "
        "{{ tuning.clipping.heavy.clipped.mean | .3f }}，{{ tuning.clipping.runs }} 次训练中有 "
        "{{ tuning.clipping.heavy.clipped_better }} 次更低，两者仍各有 "
        "{{ tuning.clipping.settings }} 个设置。",
        criterion="clipping.heavy.difference.mean + 2 * clipping.heavy.difference.se < 0 and "
        "clipping.heavy.clipped_better > 0.7 * clipping.runs and clipping.heavy.plain.max < 1",
        covers=("clipping.heavy.*",),
        runs="clipping.runs",
        spread=("clipping.heavy.difference.min", "clipping.heavy.difference.max"),
        figure="tuning-clipping",
    ),
    Claim(
        id="tuning-clipping-not-by-variance-or-tails-alone",
        en="Normal noise of the same variance is not enough for that (clipping is better in "
        "{{ tuning.clipping.wide.clipped_better }} of {{ tuning.clipping.runs }} runs), nor are "
        "heavy tails with the variance of the clean data "
        "({{ tuning.clipping.mild.clipped_better }}): the mean difference is less than twice its "
        "standard error.",
        zh="方差同样大而噪声服从正态分布，还不够（{{ tuning.clipping.runs }} 次训练中裁剪更好的有 "
        "{{ tuning.clipping.wide.clipped_better }} 次）；尾部重而方差与干净的数据相同，也不够"
        "（{{ tuning.clipping.mild.clipped_better }} 次）：两者之差的均值不到其标准误差的"
        "两倍。",
        criterion="all([abs(c.difference.mean) < 2 * c.difference.se and "
        "0.2 * clipping.runs < c.clipped_better < 0.8 * clipping.runs "
        "for c in [clipping.wide, clipping.mild]])",
        covers=("clipping.wide.*", "clipping.mild.*"),
        runs="clipping.runs",
        spread=("clipping.wide.difference.min", "clipping.wide.difference.max"),
        figure="tuning-clipping",
    ),
    Claim(
        id="tuning-clipping-survives-broken-rows",
        en="With 2 % broken rows, clipping at the best of its settings has a test error of "
        "{{ tuning.clipping.broken.clipped.mean | .3f }}; without clipping no rate keeps more "
        "than {{ tuning.clipping.broken.plain_kept }} of {{ tuning.clipping.runs }} runs better "
        "than the mean of the labels.",
        zh="有 2 % 的行损坏时，裁剪在最佳设置下的测试误差为 "
        "{{ tuning.clipping.broken.clipped.mean | .3f }}；不裁剪，任何学习率都至多使 "
        "{{ tuning.clipping.runs }} 次训练中的 {{ tuning.clipping.broken.plain_kept }} 次"
        "好于标签的均值。",
        criterion="clipping.broken.clipped_kept == clipping.runs and "
        "clipping.broken.plain_kept < 0.2 * clipping.runs",
        covers=("clipping.broken.*",),
        runs="clipping.runs",
        spread=("clipping.broken.clipped.min", "clipping.broken.clipped.max"),
        figure="tuning-clipping",
    ),
    Claim(
        id="tuning-clipping-shortens-the-steps",
        en="At the rate $0.01$ the bound 1 acts on clean data in "
        "{{ tuning.clipping.same.share.mean | pct }} of the steps and changes the test error from "
        "{{ tuning.clipping.same.plain.mean | .3f }} to "
        "{{ tuning.clipping.same.clipped.mean | .3f }}.",
        zh="学习率为 $0.01$ 时，上界 1 在干净的数据上作用于 "
        "{{ tuning.clipping.same.share.mean | pct }} 的步，测试误差从 "
        "{{ tuning.clipping.same.plain.mean | .3f }} 变为 "
        "{{ tuning.clipping.same.clipped.mean | .3f }}。",
        criterion="0.1 < clipping.same.share.min and clipping.same.clipped.mean < "
        "clipping.same.plain.mean",
        covers=("clipping.same.*",),
        runs="clipping.runs",
        spread=("clipping.same.share.min", "clipping.same.share.max"),
        figure="tuning-clipping",
    ),
)


def capped(error: Array) -> Array:
    return np.minimum(np.where(np.isfinite(error), error, LOST), LOST)


def start(hidden: int, copies: int, seeds: int) -> Params:
    """First weights, (copies * seeds, ., .): the same seeds for each copy."""
    first = init([np.random.default_rng(1000 + s) for s in range(seeds)], D, hidden)
    return [np.tile(p, (copies, 1, 1)) for p in first]


def chosen(score: Array, value: Array) -> Array:
    """The value of the setting with the best score, for each run; (settings, seeds) each."""
    return value[score.argmin(axis=0), np.arange(score.shape[1])]


def fit_width(hidden: int, decay: float) -> dict[str, Array]:
    """Errors with each rate, (rates, seeds) each; ``score`` is the validation error."""
    data = make(40, WIDTH_SEEDS)
    many = {k: np.tile(v, (len(WIDTH_RATES), 1, 1)) for k, v in data.items()}
    params = start(hidden, len(WIDTH_RATES), WIDTH_SEEDS)
    optimizer = SGD(np.repeat(WIDTH_RATES, WIDTH_SEEDS), decay)
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(WIDTH_STEPS):
            optimizer.step(params, gradients(params, many["x"], many["y"]))
        found = {
            name: capped(mse(params, many[a], many[b])).reshape(len(WIDTH_RATES), -1)
            for name, a, b in (("train", "x", "y"), ("score", "xv", "yv"), ("test", "xt", "yt"))
        }
    return found | {"rate": np.repeat(np.array(WIDTH_RATES)[:, None], WIDTH_SEEDS, axis=1)}


def fit_stopped(hidden: int) -> dict[str, Array]:
    """Errors at the rate 0.03, (seeds,) each, where the validation error was lowest."""
    data = make(40, WIDTH_SEEDS)
    params, optimizer = start(hidden, 1, WIDTH_SEEDS), SGD(WIDTH_RATES[FIXED])
    score = np.full(WIDTH_SEEDS, np.inf)
    kept = [p.copy() for p in params]
    for step in range(1, WIDTH_STEPS + 1):
        optimizer.step(params, gradients(params, data["x"], data["y"]))
        if step % LOOK == 0:
            now = mse(params, data["xv"], data["yv"])
            better = now < score
            score[better] = now[better]
            for k, p in zip(kept, params, strict=True):
                k[better] = p[better]
    return {
        "train": mse(kept, data["x"], data["y"]),
        "score": score,
        "test": mse(kept, data["xt"], data["yt"]),
        "rate": np.full(WIDTH_SEEDS, WIDTH_RATES[FIXED]),
    }


def width() -> dict[str, Any]:
    ways: dict[str, list[dict[str, Array]]] = {way: [] for way in (*WAYS, "stopped", "common")}
    without = [fit_width(hidden, 0.0) for hidden in WIDTHS]
    together = np.sum([found["score"] for found in without], axis=0)  # (rates, seeds)
    for hidden, found in zip(WIDTHS, without, strict=True):
        ways["stopped"].append(fit_stopped(hidden))
        ways["common"].append({k: chosen(together, v) for k, v in found.items()})
        ways["plain"].append({k: v[FIXED] for k, v in found.items()})
        for way, tried in (("tuned", found), ("decayed", fit_width(hidden, 0.03))):
            ways[way].append({k: chosen(tried["score"], v) for k, v in tried.items()})
    eight = WIDTHS.index(8)
    out: dict[str, Any] = {
        "seeds": WIDTH_SEEDS,
        "widths": list(WIDTHS),
        "parameters": [h * (D + 2) + 1 for h in WIDTHS],
    }
    for way, runs in ways.items():
        points = [
            {k: spread(r[k]) for k in ("train", "test")} | {"rate": float(np.median(r["rate"]))}
            for r in runs
        ]
        one = runs[0]
        out[way] = {
            "points": points,
            "narrowest": points[0],
            "widest": points[-1],
            "eight": paired(runs[eight]["test"] - one["test"])
            | {"train_max": float((runs[eight]["train"] - one["train"]).max())},
            "wide": paired(runs[-1]["test"] - one["test"]),
        }
    tuned, plain, decayed = (ways[way] for way in ("tuned", "plain", "decayed"))
    return out | {
        "rate_gain": paired(tuned[eight]["test"] - plain[eight]["test"]),
        "decay_gain": paired(decayed[-1]["test"] - tuned[-1]["test"]),
    }


def noisy(data: Sets, case: str) -> Sets:
    """The same inputs with other label noise; the test labels have none."""
    rng, ratio = np.random.default_rng(77), np.sqrt(TAIL / (TAIL - 2))  # standard deviation of t
    scale = NOISE * {"heavy": 1.0, "wide": ratio, "mild": 1 / ratio}[case]
    out = dict(data)
    for x, y in (("x", "y"), ("xv", "yv")):
        size = data[y].shape
        noise = rng.normal(size=size) if case == "wide" else rng.standard_t(TAIL, size=size)
        out[y] = target(data[x]) + scale * noise
    return out


def fit_clipped(case: str) -> tuple[Array, Array, Array]:
    """Validation and test error and the share of clipped steps, (settings, seeds) each.

    First the rates without clipping, then the rates with each bound.
    """
    data = make(200, CLIP_SEEDS)
    if case in ("heavy", "wide", "mild"):
        data = noisy(data, case)
    x, y = data["x"], data["y"]
    if case == "broken":
        bad = np.random.default_rng(3).random((CLIP_SEEDS, 200, 1)) < 0.02
        x, y = (np.where(bad, 1000.0, 1.0) * a for a in (x, y))
    rates = np.array([*PLAIN_RATES, *np.repeat(CLIP_RATES, len(BOUNDS))])
    bounds = np.array([*np.full(len(PLAIN_RATES), np.inf), *np.tile(BOUNDS, len(CLIP_RATES))])
    copies = rates.size
    bound = np.repeat(bounds, CLIP_SEEDS)[:, None, None]
    params = start(HIDDEN, copies, CLIP_SEEDS)
    optimizer = SGD(np.repeat(rates, CLIP_SEEDS), CLIP_DECAY)
    order, rows = np.random.default_rng(4), np.arange(CLIP_SEEDS)[:, None]
    acted = np.zeros(copies * CLIP_SEEDS)
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(CLIP_STEPS):
            pick = order.integers(0, 200, (CLIP_SEEDS, BATCH))
            some = (np.tile(a[rows, pick], (copies, 1, 1)) for a in (x, y))
            grads = gradients(params, *some)
            norm = np.sqrt(sum((g * g).sum(axis=(1, 2), keepdims=True) for g in grads))
            acted += (norm > bound)[:, 0, 0] / CLIP_STEPS
            # only where the bound acts: an infinite norm times zero is not a number
            factor = np.where(norm > bound, bound / norm, 1.0)
            optimizer.step(params, [g * factor for g in grads])
        found = (
            capped(mse(params, *(np.tile(data[k], (copies, 1, 1)) for k in pair)))
            for pair in (("xv", "yv"), ("xt", "yt"))
        )
        score, test = (e.reshape(copies, -1) for e in found)
    return score, test, acted.reshape(copies, -1)


def clipping() -> dict[str, Any]:
    n = len(PLAIN_RATES)
    kinds = {"plain": slice(0, n), "clipped": slice(n, None)}
    out: dict[str, Any] = {"runs": CLIP_SEEDS, "settings": n}
    mean_only = make(200, CLIP_SEEDS)["yt"].var(axis=(1, 2))
    for case in ("clean", "heavy", "wide", "mild", "broken"):
        key = "best" if case == "clean" else case
        score, test, acted = fit_clipped(case)
        best = {kind: chosen(score[part], test[part]) for kind, part in kinds.items()}
        kept = (test < mean_only).sum(axis=1)  # runs better than the mean, for each setting
        out[key] = {kind: spread(values) for kind, values in best.items()} | {
            "clipped_better": int((best["clipped"] < best["plain"]).sum()),
            "difference": paired(best["clipped"] - best["plain"]),
            **{f"{kind}_kept": int(kept[part].max()) for kind, part in kinds.items()},
        }
        if case == "clean":
            places = {
                "plain": int(np.abs(np.array(PLAIN_RATES) - SAME).argmin()),
                "clipped": n
                + len(BOUNDS) * int(np.abs(np.array(CLIP_RATES) - SAME).argmin())
                + BOUNDS.index(1.0),
            }
            out["same"] = {kind: spread(test[i]) for kind, i in places.items()}
            out["same"]["share"] = spread(acted[places["clipped"]])
    return out


def run() -> dict[str, Any]:
    return {"width": width(), "clipping": clipping()}


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    from experiments._dots import Dot, Panel, draw_bands, draw_dots
    from experiments.style import MUTED, SERIES, new_figure

    t = {
        "en": {
            "width": "hidden units",
            "mse": "mean squared error",
            "plain": "rate 0.03, no decay",
            "tuned": "rate chosen, no decay",
            "decayed": "rate chosen, decay 0.03",
            "train": "training",
            "test": "test",
            "rows": (
                "clean: no clipping",
                "clean: clipping",
                "heavy tails: no clipping",
                "heavy tails: clipping",
                "normal, as wide: no clipping",
                "normal, as wide: clipping",
                "mild tails: no clipping",
                "mild tails: clipping",
                "2 % broken: clipping",
            ),
            "error": "test error",
        },
        "zh": {
            "width": "隐藏单元数",
            "mse": "均方误差",
            "plain": "学习率 0.03，无衰减",
            "tuned": "各选学习率，无衰减",
            "decayed": "各选学习率，衰减 0.03",
            "train": "训练集",
            "test": "测试集",
            "rows": (
                "干净：不裁剪",
                "干净：裁剪",
                "重尾：不裁剪",
                "重尾：裁剪",
                "正态，方差同重尾：不裁剪",
                "正态，方差同重尾：裁剪",
                "重尾，方差同干净：不裁剪",
                "重尾，方差同干净：裁剪",
                "2 % 损坏：裁剪",
            ),
            "error": "测试误差",
        },
    }[lang]
    fig, axes = new_figure(width=7.2, height=3.0, ncols=3, sharey=True)
    for ax, name in zip(axes, WAYS, strict=True):
        for kind, color in (("train", SERIES[0]), ("test", SERIES[1])):
            rows = [p[kind] for p in result["width"][name]["points"]]
            draw_bands(ax, WIDTHS, rows, color=color, marker="o", markersize=3, label=t[kind])
        ax.set_xscale("log", base=2)
        ax.set_xticks(WIDTHS[::2], [str(w) for w in WIDTHS[::2]])
        ax.minorticks_off()
        ax.set_xlabel(t["width"])
        ax.set_title(t[name], fontsize=9)
    axes[0].set_ylabel(t["mse"])
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    clip = result["clipping"]
    found = (
        *(
            clip[case][kind]
            for case in ("best", "heavy", "wide", "mild")
            for kind in ("plain", "clipped")
        ),
        clip["broken"]["clipped"],
    )
    colors = (*(MUTED, SERIES[0]) * 4, SERIES[1])
    dots = [Dot(*row) for row in zip(t["rows"], found, colors, strict=True)]
    return {"tuning-width": fig, "tuning-clipping": draw_dots([Panel(t["error"], dots)])}
