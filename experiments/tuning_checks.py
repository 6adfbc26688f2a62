"""Checks before tuning, the price of choosing on a small set, and LoRA.

* ``bugs``: eight versions of the same 6-16-1 training program, one right. For each: loss after
  overfitting one batch of 8, largest relative error of a gradient check on the first 8 rows of its
  own data, and validation error
  against the baseline "predict the mean"; 10 seeds of data and weights.
* ``coins``: 100 classifiers that toss a coin; the accuracy of the best of them on the set that
  chose it, 2000 repetitions.
* ``lora``: a frozen 64 x 64 layer, 200 noisy samples of a target that differs from it by a matrix
  of rank 4 (``low``) or of full rank and the same size (``full``); 300 steps of Adam for every
  contender, four learning rates of which 100 validation samples choose one; 10 seeds. float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments._claim import Claim
from experiments._many_nets import SGD, Params, gradients, init, mse, spread
from experiments._regularized_nets import NOISE, D, target

HIDDEN, SEEDS, TOSSES, COINS = 16, 10, 2000, 100
SIZES = (50, 200, 1000, 10000)
BUGS = (
    "none",
    "half_w1",
    "no_bias_gradient",
    "no_activation_slope",
    "wrong_sign",
    "shuffled_labels",
    "unscaled_input",
    "no_activation",
)
WRONG_GRADIENTS = BUGS[1:5]
SIDE, TRUE_RANK, STEPS, SCALE = 64, 4, 300, 2.0
RATES, RANKS = (0.001, 0.003, 0.01, 0.03), (1, 4, 8)
# Thousands of steps of momentum amplify the last bit of a matrix product.
RTOL = 1e-3

Array = np.ndarray

WORKED = ("seeds", "coins.classifiers", "coins.repetitions", "lora.steps", "lora.rates")
CLAIMS = (
    Claim(
        id="tuning-checks-each-finds-another",
        en="No check finds all seven mistakes, and each finds one that passes the other two. A "
        "gradient check finds the four wrong gradients (at "
        "{{ tuning_checks.seeds }} of {{ tuning_checks.seeds }} points) and nothing else. "
        "Shuffled labels pass the gradient check and the batch of 8 "
        "({{ tuning_checks.bugs.shuffled_labels.overfits }} of {{ tuning_checks.seeds }} runs) and "
        "never beat the baseline. A forgotten activation passes the gradient check and beats the "
        "baseline in {{ tuning_checks.bugs.no_activation.beats_baseline }} runs, but "
        "fits the batch in {{ tuning_checks.bugs.no_activation.overfits }} only; inputs that are "
        "not scaled fail on the batch and at the baseline.",
        zh="没有一项检查能查出全部七个错误，而每一项都能查出另外两项查不出的错误。"
        "梯度检验查出四种错误的梯度"
        "（{{ tuning_checks.seeds }} 个点中 {{ tuning_checks.seeds }} 个），别的查不出。"
        "标签打乱时，梯度检验和 8 个样本的过拟合都能通过"
        "（{{ tuning_checks.seeds }} 次中 {{ tuning_checks.bugs.shuffled_labels.overfits }} 次），"
        "但从不胜过基线。漏掉激活函数时，梯度检验能通过，"
        "{{ tuning_checks.bugs.no_activation.beats_baseline }} 次胜过基线，但能拟合那个批量的只有 "
        "{{ tuning_checks.bugs.no_activation.overfits }} 次；"
        "输入没有缩放，则既不能过拟合那个批量，也不能胜过基线。",
        criterion="all([bugs[b].gradient_passes == 0 for b in "
        "['half_w1', 'no_bias_gradient', 'no_activation_slope', 'wrong_sign']]) and "
        "all([bugs[b].gradient_passes == seeds for b in "
        "['none', 'shuffled_labels', 'unscaled_input', 'no_activation']]) and "
        "bugs.shuffled_labels.overfits == seeds and bugs.shuffled_labels.beats_baseline == 0 and "
        "bugs.half_w1.overfits == seeds and bugs.half_w1.beats_baseline == seeds and "
        "bugs.no_activation.overfits < 0.3 * seeds and "
        "bugs.no_activation.beats_baseline == seeds and "
        "bugs.unscaled_input.overfits == 0 and bugs.unscaled_input.beats_baseline == 0",
        covers=("bugs.*",),
        runs="seeds",
        spread=("bugs.shuffled_labels.validation.min", "bugs.shuffled_labels.validation.max"),
        figure="tuning-checks",
    ),
    Claim(
        id="tuning-checks-silent-mistakes",
        en="With the gradient of the first layer halved, or that of its bias forgotten, the "
        "program "
        "overfits the batch and beats the baseline in all {{ tuning_checks.seeds }} runs, and its "
        "validation error ({{ tuning_checks.bugs.half_w1.validation.mean | .2f }} and "
        "{{ tuning_checks.bugs.no_bias_gradient.validation.mean | .2f }}) is that of the right one "
        "({{ tuning_checks.bugs.none.validation.mean | .2f }}) up to the scatter of the runs.",
        zh="第一层的梯度减半，或漏掉它的偏置的梯度，程序在全部 {{ tuning_checks.seeds }} 次训练中"
        "都能"
        "过拟合那个批量，也都胜过基线，验证误差"
        "（{{ tuning_checks.bugs.half_w1.validation.mean | .2f }} 和 "
        "{{ tuning_checks.bugs.no_bias_gradient.validation.mean | .2f }}）与正确的程序"
        "（{{ tuning_checks.bugs.none.validation.mean | .2f }}）的差别不超出各次训练的波动。",
        criterion="all([b.overfits == seeds and b.beats_baseline == seeds and "
        "abs(b.validation.mean - bugs.none.validation.mean) < bugs.none.validation.std "
        "for b in [bugs.half_w1, bugs.no_bias_gradient]])",
        covers=("bugs.*",),
        runs="seeds",
        spread=("bugs.half_w1.validation.min", "bugs.half_w1.validation.max"),
        figure="tuning-checks",
    ),
    Claim(
        id="tuning-checks-best-coin",
        en="The best of {{ tuning_checks.coins.classifiers }} coin tosses shows an accuracy of "
        "{{ tuning_checks.coins.best_of_50.mean | pct1 }} on the 50 samples that chose it and of "
        "{{ tuning_checks.coins.best_of_10000.mean | pct1 }} on 10 000 (mean of "
        "{{ tuning_checks.coins.repetitions }} repetitions); its true accuracy is 50 %. The bound "
        "$s \\sqrt{2 \\log K}$ lies above every mean.",
        zh="{{ tuning_checks.coins.classifiers }} 个抛硬币的分类器中最好的一个，在选出它的 50 个"
        "样本上"
        "显示的准确率为 {{ tuning_checks.coins.best_of_50.mean | pct1 }}，10 000 个样本上为 "
        "{{ tuning_checks.coins.best_of_10000.mean | pct1 }}"
        "（{{ tuning_checks.coins.repetitions }} 次重复的均值）；真实的准确率是 50 %。"
        "上界 $s \\sqrt{2 \\log K}$ 高于每一个均值。",
        criterion="coins.best_of_50.mean > 0.65 and coins.best_of_10000.mean < 0.52 and "
        "all([0.5 + b > c.mean for b, c in coins.against])",
        covers=("coins.*",),
        runs="coins.repetitions",
        spread=("coins.best_of_50.min", "coins.best_of_50.max"),
        figure="tuning-coins",
    ),
    Claim(
        id="tuning-checks-adam-changes-all",
        en="One step of Adam changes {{ tuning_checks.lora.full_changed }} of "
        "{{ tuning_checks.lora.full_parameters }} weights; LoRA of rank 4 trains "
        "{{ tuning_checks.lora.r4_parameters }} numbers, and its first step changes "
        "{{ tuning_checks.lora.first_step_b_changed }} of $B$ and "
        "{{ tuning_checks.lora.first_step_a_changed }} of $A$.",
        zh="Adam 的一步改变 {{ tuning_checks.lora.full_parameters }} 个权重中的 "
        "{{ tuning_checks.lora.full_changed }} 个；秩 4 的 LoRA 只训练 "
        "{{ tuning_checks.lora.r4_parameters }} 个数，它的第一步改变 $B$ 的 "
        "{{ tuning_checks.lora.first_step_b_changed }} 个和 $A$ 的 "
        "{{ tuning_checks.lora.first_step_a_changed }} 个。",
        criterion="lora.full_changed == lora.full_parameters and lora.first_step_a_changed == 0 "
        "and lora.first_step_b_changed > 0 and 4 * lora.r4_parameters < lora.full_parameters",
        covers=("lora.*_changed", "lora.*_parameters"),
        exact="count",
    ),
    Claim(
        id="tuning-checks-lora-fits-a-low-rank",
        en="If the change has rank 4, LoRA of rank 4 has a test error of "
        "{{ tuning_checks.lora.low.r4.mean | .4f }}, the whole matrix of "
        "{{ tuning_checks.lora.low.full.mean | .4f }}, and LoRA is better in "
        "{{ tuning_checks.lora.low.better }} of {{ tuning_checks.seeds }} runs.",
        zh="若改变的秩为 4，秩 4 的 LoRA 的测试误差为 "
        "{{ tuning_checks.lora.low.r4.mean | .4f }}，训练整个矩阵为 "
        "{{ tuning_checks.lora.low.full.mean | .4f }}；{{ tuning_checks.seeds }} 次训练中有 "
        "{{ tuning_checks.lora.low.better }} 次 LoRA 更好。",
        criterion="lora.low.better == seeds and lora.low.r4.mean < 0.5 * lora.low.full.mean",
        covers=("lora.low.*",),
        runs="seeds",
        spread=("lora.low.r4.min", "lora.low.r4.max"),
        figure="tuning-lora",
    ),
    Claim(
        id="tuning-checks-lora-misses-a-full-rank",
        en="If the change has full rank and the same size, the order turns round: rank 4 leaves "
        "{{ tuning_checks.lora.full.r4.mean | .4f }}, the whole matrix "
        "{{ tuning_checks.lora.full.full.mean | .4f }}; LoRA is better in "
        "{{ tuning_checks.lora.full.better }} of {{ tuning_checks.seeds }} runs.",
        zh="若改变是满秩的，大小相同，次序就反过来：秩 4 的误差为 "
        "{{ tuning_checks.lora.full.r4.mean | .4f }}，训练整个矩阵为 "
        "{{ tuning_checks.lora.full.full.mean | .4f }}；{{ tuning_checks.seeds }} 次训练中有 "
        "{{ tuning_checks.lora.full.better }} 次 LoRA 更好。",
        criterion="lora.full.better == 0 and lora.full.r4.mean > 1.1 * lora.full.full.mean",
        covers=("lora.full.*",),
        runs="seeds",
        spread=("lora.full.r4.min", "lora.full.r4.max"),
        figure="tuning-lora",
    ),
)


def error_of(params: Params, x: Array, y: Array, bug: str) -> Array:
    """Mean squared error of each run, as the program with the mistake computes it."""
    if bug != "no_activation":
        return mse(params, x, y)
    w1, b1, w2, b2 = params
    out = (x @ w1.mT + b1) @ w2.mT + b2
    return np.asarray(((out - y) ** 2).mean(axis=(1, 2)))


def wrong_gradients(params: Params, x: Array, y: Array, bug: str) -> Params:
    """Return the gradients with one planted mistake."""
    if bug == "no_activation":  # forgotten on the way back as well: the gradient is right
        w1, b1, w2, b2 = params
        h = x @ w1.mT + b1
        delta2 = (h @ w2.mT + b2 - y) / x.shape[1]
        delta1 = delta2 @ w2
        ones = np.ones((1, 1, x.shape[1]))
        return [delta1.mT @ x, ones @ delta1, delta2.mT @ h, ones @ delta2]
    g = gradients(params, x, y)
    if bug == "half_w1":
        g[0] = 0.5 * g[0]
    elif bug == "no_bias_gradient":
        g[1] = np.zeros_like(g[1])
    elif bug == "wrong_sign":
        g[0], g[1] = -g[0], -g[1]
    elif bug == "no_activation_slope":
        w1, b1, w2, b2 = params
        h = np.tanh(x @ w1.transpose(0, 2, 1) + b1)
        delta1 = (h @ w2.transpose(0, 2, 1) + b2 - y) / x.shape[1] * w2
        g[0], g[1] = delta1.transpose(0, 2, 1) @ x, delta1.sum(axis=1, keepdims=True)
    return g


def gradient_error(bug: str, seed: int, x: Array, y: Array) -> float:
    """Compare with central differences of J at a random point; largest relative error."""
    rng = np.random.default_rng(seed)
    params = init([rng], D, HIDDEN)
    params = [p + 0.1 * rng.normal(size=p.shape) for p in params]
    worst = 0.0
    for p, g in zip(params, wrong_gradients(params, x, y, bug), strict=True):
        numeric = np.zeros_like(p)
        for i in np.ndindex(*p.shape):
            keep = p[i]
            p[i] = keep + 1e-5
            up = 0.5 * error_of(params, x, y, bug).item()
            p[i] = keep - 1e-5
            down = 0.5 * error_of(params, x, y, bug).item()
            p[i] = keep
            numeric[i] = (up - down) / 2e-5
        scale = np.maximum(np.abs(numeric), np.abs(g)).max()
        if scale > 0:  # saturated units: both are zero, and that is right
            worst = max(worst, float(np.abs(numeric - g).max() / scale))
    return worst


def bugs() -> dict[str, Any]:
    seeds = SEEDS
    sets: dict[str, list[Array]] = {k: [] for k in ("x", "y", "xv", "yv", "shuffled")}
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(200, D))
        y = target(x) + NOISE * rng.normal(size=(200, 1))
        xv = rng.normal(size=(200, D))
        sets["x"].append(x)
        sets["y"].append(y)
        sets["shuffled"].append(rng.permutation(y))
        sets["xv"].append(xv)
        sets["yv"].append(target(xv) + NOISE * rng.normal(size=(200, 1)))
    data = {k: np.stack(v) for k, v in sets.items()}
    mean = ((data["yv"] - data["y"].mean(axis=1, keepdims=True)) ** 2).mean(axis=(1, 2))
    out: dict[str, Any] = {"baseline": spread(mean)}
    for bug in BUGS:
        x, y, xv = data["x"], data["y"], data["xv"]
        if bug == "shuffled_labels":
            y = data["shuffled"]
        if bug == "unscaled_input":  # the same inputs in other units, with an offset
            x, xv = 1000.0 * (x + 50.0), 1000.0 * (xv + 50.0)
        losses = {}
        for kind, n, steps in (("batch", 8, 3000), ("all", 200, 300)):
            params = init([np.random.default_rng(50 + s) for s in range(seeds)], D, HIDDEN)
            optimizer = SGD(0.03, 0.0 if kind == "batch" else 0.01)
            with np.errstate(over="ignore", invalid="ignore"):
                for _ in range(steps):
                    g = wrong_gradients(params, x[:, :n], y[:, :n], bug)
                    optimizer.step(params, g)
            if kind == "batch":
                losses[kind] = error_of(params, x[:, :n], y[:, :n], bug)
            else:
                losses[kind] = error_of(params, xv, data["yv"], bug)
        batch, val = losses["batch"], losses["all"]
        error = [gradient_error(bug, s, x[[s], :8], y[[s], :8]) for s in range(seeds)]
        out[bug] = {
            "overfits": int((batch < 1e-3).sum()),
            "gradient_passes": int(sum(e < 1e-6 for e in error)),
            "validation": spread(val),
            "beats_baseline": int((val < 0.9 * mean).sum()),
        }
        if bug in WRONG_GRADIENTS:
            out[bug]["gradient_error"] = spread(np.round(error, 8))
    return out


def coins() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    found = {
        f"best_of_{n}": spread(rng.binomial(n, 0.5, (TOSSES, COINS)).max(axis=1) / n) for n in SIZES
    }
    bounds = [float(np.sqrt(0.25 / n * 2 * np.log(COINS))) for n in SIZES]
    against = [list(pair) for pair in zip(bounds, found.values(), strict=True)]
    return found | {"classifiers": COINS, "repetitions": TOSSES, "against": against}


class Layers:
    """The layer of every rate and seed at once: X (1, S, N, d), weights (K, S, ., .)."""

    def __init__(self, kind: str) -> None:
        sets: dict[str, list[Array]] = {k: [] for k in ("w0", "x", "y", "xv", "yv", "xt", "yt")}
        for seed in range(SEEDS):
            rng = np.random.default_rng(seed)
            w0 = rng.normal(size=(SIDE, SIDE)) / np.sqrt(SIDE)
            rank = TRUE_RANK if kind == "low" else SIDE
            change = rng.normal(size=(SIDE, rank)) @ rng.normal(size=(rank, SIDE))
            change *= np.sqrt(TRUE_RANK / SIDE) / np.linalg.norm(change) * np.sqrt(SIDE)
            sets["w0"].append(w0)
            for a, b, n, noise in (
                ("x", "y", 200, 0.3),
                ("xv", "yv", 100, 0.3),
                ("xt", "yt", 500, 0),
            ):
                x = rng.normal(size=(n, SIDE))
                sets[a].append(x)
                sets[b].append(x @ (w0 + change).T + noise * rng.normal(size=(n, SIDE)))
        data = {k: np.stack(v) for k, v in sets.items()}
        # the frozen layer's output is the same in every step: only the rest is to be learned
        self.data = {
            **{k: data[k] for k in ("x", "xv", "xt")},
            **{"y" + k: data["y" + k] - data["x" + k] @ data["w0"].mT for k in ("", "v", "t")},
        }

    def error(self, change: Array, part: str) -> Array:
        """Mean squared error, (K, S)."""
        out = self.data["x" + part] @ change.mT - self.data["y" + part]
        return np.asarray((out**2).mean(axis=(-1, -2)))

    def descend(self, params: list[Array], change: Any, grads: Any) -> dict[str, Array]:
        """Train with each rate; test error (S,) at the chosen one, and what one step changed."""
        params = [np.repeat(p[None], len(RATES), axis=0) for p in params]
        first = [p.copy() for p in params]
        moments = [[np.zeros_like(p), np.zeros_like(p)] for p in params]
        rate = np.reshape(RATES, (-1, 1, 1, 1))
        for step in range(1, STEPS + 1):
            for p, g, mv in zip(params, grads(*params), moments, strict=True):
                mv[0] = 0.9 * mv[0] + 0.1 * g
                mv[1] = 0.999 * mv[1] + 0.001 * g * g
                m, v = mv[0] / (1 - 0.9**step), mv[1] / (1 - 0.999**step)
                p -= rate * m / (np.sqrt(v) + 1e-8)
            if step == 1:
                changed = [int((p != f)[0, 0].sum()) for p, f in zip(params, first, strict=True)]
        score, test = (self.error(change(*params), part) for part in ("v", "t"))
        best = score.argmin(axis=0)
        return {"test": test[best, np.arange(SEEDS)], "changed": np.array(changed)}

    def whole(self) -> dict[str, Array]:
        x, y = self.data["x"], self.data["y"]
        start = np.zeros((SEEDS, SIDE, SIDE))
        return self.descend([start], lambda w: w, lambda w: [(x @ w.mT - y).mT @ x / x.shape[-2]])

    def lora(self, rank: int) -> dict[str, Array]:
        x, y = self.data["x"], self.data["y"]
        rngs = [np.random.default_rng(100 + seed) for seed in range(SEEDS)]
        a = np.stack([g.normal(size=(rank, SIDE)) / np.sqrt(SIDE) for g in rngs])

        def grads(a: Array, b: Array) -> list[Array]:
            hidden = x @ a.mT
            delta = (SCALE * hidden @ b.mT - y) / x.shape[-2]
            return [SCALE * (delta @ b).mT @ x, SCALE * delta.mT @ hidden]

        start = [a, np.zeros((SEEDS, SIDE, rank))]
        return self.descend(start, lambda a, b: SCALE * b @ a, grads)


def lora() -> dict[str, Any]:
    out: dict[str, Any] = {
        "steps": STEPS,
        "rates": len(RATES),
        "full_parameters": SIDE * SIDE,
        **{f"r{r}_parameters": 2 * r * SIDE for r in RANKS},
    }
    for kind in ("low", "full"):
        layers = Layers(kind)
        whole, low = layers.whole(), {r: layers.lora(r) for r in RANKS}
        out[kind] = {
            "start": spread(layers.error(np.zeros((SIDE, SIDE)), "t")),
            "full": spread(whole["test"]),
            **{f"r{r}": spread(found["test"]) for r, found in low.items()},
            "better": int((low[TRUE_RANK]["test"] < whole["test"]).sum()),
        }
    a, b = low[TRUE_RANK]["changed"].tolist()
    return out | {
        "full_changed": int(whole["changed"][0]),
        "first_step_a_changed": a,
        "first_step_b_changed": b,
    }


def run() -> dict[str, Any]:
    return {"seeds": SEEDS, "bugs": bugs(), "coins": coins(), "lora": lora()}


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    from experiments._dots import Dot, Panel, draw_dots
    from experiments.style import MUTED, SERIES, new_figure

    t = {
        "en": {
            "bugs": (
                "right",
                "gradient of W₁ halved",
                "gradient of b₁ forgotten",
                "factor σ′(a₁) forgotten",
                "sign of layer 1 wrong",
                "labels shuffled",
                "inputs not scaled",
                "activation forgotten",
            ),
            "validation": "validation error; dotted: predict the mean",
            "size": "samples in the set that chooses",
            "accuracy": "accuracy of the best of 100 coin tosses",
            "bound": "bound",
            "lora": ("nothing", "whole matrix", "LoRA, rank 1", "LoRA, rank 4", "LoRA, rank 8"),
            "low": "change of rank 4: test error",
            "full": "change of full rank: test error",
        },
        "zh": {
            "bugs": (
                "正确",
                "W₁ 的梯度减半",
                "漏掉 b₁ 的梯度",
                "漏掉因子 σ′(a₁)",
                "第一层符号写反",
                "标签打乱",
                "输入没有缩放",
                "漏掉激活函数",
            ),
            "validation": "验证误差；虚线：预测均值",
            "size": "用来选择的样本数",
            "accuracy": "100 个抛硬币者中最好的准确率",
            "bound": "上界",
            "lora": ("不训练", "整个矩阵", "LoRA，秩 1", "LoRA，秩 4", "LoRA，秩 8"),
            "low": "秩为 4 的改变：测试误差",
            "full": "满秩的改变：测试误差",
        },
    }[lang]
    found = result["bugs"]
    bug_dots = [
        Dot(name, found[bug]["validation"], MUTED if bug == "none" else SERIES[1])
        for name, bug in zip(t["bugs"], BUGS, strict=True)
    ]
    fig, ax = new_figure(6.4, 3.2)
    ends = [result["coins"][f"best_of_{n}"] for n in SIZES]
    for n, e in zip(SIZES, ends, strict=True):
        ax.plot([n, n], [e["min"], e["max"]], color=SERIES[0], lw=4, alpha=0.4)
        ax.plot(n, e["mean"], "o", color=SERIES[0], markersize=6)
    size = np.geomspace(40, 12000, 60)
    bound = 0.5 + np.sqrt(0.25 / size * 2 * np.log(COINS))
    ax.plot(size, bound, color=SERIES[1], linestyle="--", label=t["bound"])
    ax.axhline(0.5, color=MUTED, linestyle=":")
    ax.set_xscale("log")
    ax.set_xticks(SIZES, [str(n) for n in SIZES])
    ax.minorticks_off()
    ax.set_xlabel(t["size"])
    ax.set_ylabel(t["accuracy"])
    ax.legend()
    rows = ("start", "full", *(f"r{r}" for r in RANKS))
    panels = [
        Panel(
            t[kind],
            [
                Dot(name, result["lora"][kind][row], MUTED if row == "start" else SERIES[0])
                for name, row in zip(t["lora"], rows, strict=True)
            ],
        )
        for kind in ("low", "full")
    ]
    return {
        "tuning-checks": draw_dots([Panel(t["validation"], bug_dots, found["baseline"]["mean"])]),
        "tuning-coins": fig,
        "tuning-lora": draw_dots(panels),
    }
