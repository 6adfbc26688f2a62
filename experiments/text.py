"""Text: gradients of an embedding and of a recurrent network, and why word order needs them.

Data made here: sentences such as "the film was not good but bad in every scene". The label is the
word after "but"; every positive sentence has a negative twin with exactly the same words in another
order.

Measured: (1) the hand-written embedding gradient and backpropagation through time (BPTT) against
torch.autograd in float64, 20 batches; (2) test accuracy over 10 seeds of the recurrent network and
of a bag of words; (3) the same network trained with BPTT cut after k steps, 10 seeds; with k = 0
only the output layer is trained; (4) the error of an embedding gradient that is assigned instead of
accumulated; (5) the size of dJ/dh_t over 40 steps back in time at initialisation, for three sizes
of the recurrent matrix, 20 seeds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from experiments import _ranges, style
from experiments._applications import Adam, cross_entropy, gradient, spread, worst
from experiments._claim import Claim
from experiments._dots import draw_bands

Array = np.ndarray
RTOL = (
    1e-3  # hundreds of Adam steps amplify the last bits of the matrix products of another machine
)
SEEDS = range(10)
BATCHES = 20  # for the gradients, each with a network of its own
CUTS = (0, 1, 2, 3, 4, 5, 6, 8)
EPOCHS = 15
TAIL = 3  # words after the one that decides

SUBJECTS = ("film", "plot", "cast", "score", "story", "scene", "ending", "camera")
GOOD = ("good", "fresh", "warm", "clever")
BAD = ("bad", "dull", "cold", "weak")
TAILS = (("in", "every", "scene"), ("from", "the", "start"), ("in", "the", "end"))
WORDS = sorted(
    {"the", "was", "not", "but", *SUBJECTS, *GOOD, *BAD, *(w for tail in TAILS for w in tail)}
)
INDEX = {w: i for i, w in enumerate(WORDS)}

WORKED = ("seeds", "batches", "sentences", "words", "example*", "back.runs")
CLAIMS = (
    Claim(
        id="text-assigned-embedding-gradient",
        en="With `grad[ids] += g` the embedding gradient of a batch of 16 sentences is off by "
        "{{ text.torch.assigned_embedding.min | pct }} to "
        "{{ text.torch.assigned_embedding.max | pct }} of its largest element in "
        "{{ text.batches }} batches; every other gradient is right to "
        "${{ text.torch.assigned_others.max | sci0 }}$.",
        zh="写成 `grad[ids] += g`，{{ text.batches }} 批（每批 16 句）的词嵌入梯度误差是最大元素的 "
        "{{ text.torch.assigned_embedding.min | pct }} 到 "
        "{{ text.torch.assigned_embedding.max | pct }}；其他梯度的误差都不超过 "
        "${{ text.torch.assigned_others.max | sci0 }}$。",
        criterion="torch.assigned_embedding.min > 0.1 and torch.assigned_others.max <= 1e-10",
        covers=("torch.assigned_*",),
        runs="batches",
        spread=("torch.assigned_embedding.min", "torch.assigned_embedding.max"),
        figure="text_check",
    ),
    Claim(
        id="text-gradients-agree",
        en="In {{ text.batches }} batches no hand-written gradient differs from PyTorch's by more "
        "than ${{ text.torch.worst.max | sci0 }}$ of its largest element.",
        zh="{{ text.batches }} 批句子上，手写的各个梯度与 PyTorch 相比，误差都不超过最大元素的 "
        "${{ text.torch.worst.max | sci0 }}$。",
        criterion="torch.worst.max <= 1e-10",
        covers=("torch.worst.*",),
        runs="batches",
        spread=("torch.worst.min", "torch.worst.max"),
        figure="text_check",
    ),
    Claim(
        id="text-order-needs-recurrence",
        en="The recurrent network is right in at least "
        "{{ text.accuracy.recurrent.min | pct1 }} of the test sentences, the bag of words in "
        "{{ text.accuracy.bag.min | pct1 }} to {{ text.accuracy.bag.max | pct1 }} "
        "({{ text.seeds }} seeds).",
        zh="循环网络在测试句上的准确率至少是 {{ text.accuracy.recurrent.min | pct1 }}，词袋模型是 "
        "{{ text.accuracy.bag.min | pct1 }} 到 {{ text.accuracy.bag.max | pct1 }}"
        "（{{ text.seeds }} 个种子）。",
        # A sentence and its twin have one bag: one of the two is wrong, whatever the weights are.
        criterion="accuracy.recurrent.min > 0.95 and accuracy.bag.min == accuracy.bag.max == 0.5",
        covers=("accuracy.*",),
        runs="seeds",
        spread=("accuracy.recurrent.min", "accuracy.recurrent.max"),
        figure="text",
    ),
    Claim(
        id="text-gradient-fades-or-grows",
        en="40 steps back ${{ text.back.small.at40.median | sci }}$ of the gradient is left at "
        "$0.6$ times an orthogonal matrix, ${{ text.back.one.at40.median | sci }}$ at $1.0$, and "
        "at $1.5$ it has grown by {{ text.back.large.at40.min | .1f }} to "
        "{{ text.back.large.at40.max | .0f }} (medians and range over {{ text.back.runs }} "
        "seeds).",
        zh="往回 40 步，循环矩阵为正交矩阵的 $0.6$ 倍时梯度剩下 "
        "${{ text.back.small.at40.median | sci }}$，$1.0$ 倍时剩下 "
        "${{ text.back.one.at40.median | sci }}$，$1.5$ 倍时增大到 "
        "{{ text.back.large.at40.min | .1f }} 至 {{ text.back.large.at40.max | .0f }} 倍"
        "（{{ text.back.runs }} 个种子的中位数和范围）。",
        # No slope of tanh exceeds 1, so the product can't exceed the power of the factor.
        criterion="back.small.at40.max <= 0.6 ** 40 and 0.6 ** 40 < back.one.at40.min and "
        "back.one.at40.max < 0.01 and 1 < back.large.at40.min and back.large.at40.max <= 1.5 ** 40",
        covers=("back.*.at40.*",),
        runs="back.runs",
        spread=("back.large.at40.min", "back.large.at40.max"),
        figure="text",
    ),
    Claim(
        id="text-cut-gradient-is-zero",
        en="With three steps the largest gradient at the eight deciding words is "
        "{{ text.torch.cut_deciders.max | .1f }} in each of {{ text.batches }} batches; with all "
        "steps it is {{ text.torch.full_deciders.min | .3f }} to "
        "{{ text.torch.full_deciders.max | .3f }}.",
        zh="只回退三步，{{ text.batches }} 批句子中八个起决定作用的词上最大的梯度都是 "
        "{{ text.torch.cut_deciders.max | .1f }}；不截断时是 "
        "{{ text.torch.full_deciders.min | .3f }} 到 {{ text.torch.full_deciders.max | .3f }}。",
        criterion="torch.cut_deciders.max == 0 and torch.full_deciders.min > 0.001",
        covers=("torch.cut_deciders.*", "torch.full_deciders.*"),
        runs="batches",
        spread=("torch.full_deciders.min", "torch.full_deciders.max"),
        figure="text_check",
    ),
    Claim(
        id="text-cut-steps",
        en="With one step of gradient the mean accuracy over {{ text.seeds }} seeds is "
        "{{ text.cut.1.mean | pct1 }}, with no step in the recurrence "
        "{{ text.cut.0.mean | pct1 }}; from four steps on it is at least "
        "{{ text.cut.4.min | pct1 }} in every run.",
        zh="梯度只走一步，{{ text.seeds }} 个种子的平均准确率是 {{ text.cut.1.mean | pct1 }}；"
        "一步也不进入循环层则是 {{ text.cut.0.mean | pct1 }}；从四步起，每次运行都至少是 "
        "{{ text.cut.4.min | pct1 }}。",
        criterion="0.5 < cut['0'].min and cut['0'].mean < cut['1'].mean < cut['4'].min and "
        "cut['3'].mean < cut['4'].min and min(cut[k].min for k in ('4', '5', '6', '8')) "
        "> 0.95",
        covers=("cut.*",),
        runs="seeds",
        spread=("cut.1.min", "cut.1.max"),
        figure="text_cut",
    ),
)


def make_sentences() -> tuple[Array, Array, list[str]]:
    """All sentences: ids (N, 10), labels (N,) with 1 = positive, and the sentences as text."""
    rows, labels, text = [], [], []
    for subject in SUBJECTS:
        for good in GOOD:
            for bad in BAD:
                for tail in TAILS:
                    for label, (a, b) in ((1, (bad, good)), (0, (good, bad))):
                        words = ["the", subject, "was", "not", a, "but", b, *tail]
                        rows.append([INDEX[w] for w in words])
                        labels.append(label)
                        text.append(" ".join(words))
    return np.array(rows), np.array(labels), text


def init(rng: np.random.Generator, d: int = 8, hidden: int = 16) -> dict[str, Array]:
    return {
        "E": rng.normal(0.0, 0.5, (len(WORDS), d)),
        "W": rng.normal(0.0, np.sqrt(1 / d), (hidden, d)),
        "U": rng.normal(0.0, np.sqrt(1 / hidden), (hidden, hidden)),
        "b": np.zeros(hidden),
        "V": rng.normal(0.0, np.sqrt(1 / hidden), (2, hidden)),
        "c": np.zeros(2),
    }


def forward(p: dict[str, Array], ids: Array) -> tuple[Array, list[Array]]:
    """Logits (N, 2) and the states h_0 … h_T."""
    h = [np.zeros((len(ids), p["U"].shape[0]))]
    for t in range(ids.shape[1]):
        h.append(np.tanh(p["E"][ids[:, t]] @ p["W"].T + h[-1] @ p["U"].T + p["b"]))
    return h[-1] @ p["V"].T + p["c"], h


def loss_and_gradients(
    p: dict[str, Array],
    ids: Array,
    y: Array,
    *,
    steps: int | None = None,
    accumulate: bool = True,
) -> tuple[float, dict[str, Array]]:
    """Loss and gradients; ``steps`` cuts BPTT, ``accumulate=False`` makes the common mistake."""
    z, h = forward(p, ids)
    loss, dz = cross_entropy(z, y)
    g = {k: np.zeros_like(v) for k, v in p.items()}
    g["V"], g["c"] = dz.T @ h[-1], dz.sum(axis=0)
    dh = dz @ p["V"]
    length = ids.shape[1]
    first = 0 if steps is None else max(0, length - steps)
    for t in range(length - 1, first - 1, -1):
        delta = dh * (1.0 - h[t + 1] ** 2)
        g["W"] += delta.T @ p["E"][ids[:, t]]
        g["U"] += delta.T @ h[t]
        g["b"] += delta.sum(axis=0)
        if accumulate:
            np.add.at(g["E"], ids[:, t], delta @ p["W"])
        else:
            g["E"][ids[:, t]] += delta @ p["W"]  # keeps one of the rows that share a word
        dh = delta @ p["U"]
    return loss, g


def accuracy(p: dict[str, Array], ids: Array, y: Array) -> float:
    return float((forward(p, ids)[0].argmax(axis=1) == y).mean())


def bag_logits(p: dict[str, Array], ids: Array) -> tuple[Array, Array]:
    mean = p["E"][ids].mean(axis=1)
    return mean @ p["V"].T + p["c"], mean


def split(rng: np.random.Generator) -> tuple[Array, Array]:
    """Half of the pairs for training; a sentence and its twin stay together."""
    pairs = rng.permutation(len(make_sentences()[0]) // 2)
    half = len(pairs) // 2
    fit, test = (np.sort(np.r_[2 * p, 2 * p + 1]) for p in (pairs[:half], pairs[half:]))
    return fit, test


def train(seed: int, model: str, steps: int | None = None) -> list[float]:
    """Test accuracy before training and after every epoch."""
    rng = np.random.default_rng(seed)
    ids, y, _ = make_sentences()
    fit, test = split(rng)
    p = init(rng)
    if model == "bag":
        p = {"E": p["E"], "V": rng.normal(0.0, 0.3, (2, 8)), "c": p["c"]}
    adam = Adam(p, 0.005)

    def score() -> float:
        if model == "bag":
            return float((bag_logits(p, ids[test])[0].argmax(axis=1) == y[test]).mean())
        return accuracy(p, ids[test], y[test])

    curve = [score()]
    for _ in range(EPOCHS):
        for rows in np.array_split(rng.permutation(fit), 12):
            if model == "bag":
                z, mean = bag_logits(p, ids[rows])
                dz = cross_entropy(z, y[rows])[1]
                g = {"V": dz.T @ mean, "c": dz.sum(axis=0), "E": np.zeros_like(p["E"])}
                np.add.at(g["E"], ids[rows], (dz @ p["V"])[:, None, :] / ids.shape[1])
            else:
                g = loss_and_gradients(p, ids[rows], y[rows], steps=steps)[1]
            adam.step(g)
        curve.append(score())
    return curve


def against_torch(seed: int) -> dict[str, float]:
    """Worst relative differences from autograd, and gradients at the deciding words."""
    rng = np.random.default_rng(seed)
    ids, y, _ = make_sentences()
    rows = rng.choice(len(ids), 16, replace=False)
    p = init(rng)
    t = {k: torch.tensor(v, requires_grad=True) for k, v in p.items()}
    h = torch.zeros((16, 16), dtype=torch.float64)
    for step in range(ids.shape[1]):
        x = torch.nn.functional.embedding(torch.tensor(ids[rows, step]), t["E"])
        h = torch.tanh(x @ t["W"].T + h @ t["U"].T + t["b"])
    torch.nn.functional.cross_entropy(h @ t["V"].T + t["c"], torch.tensor(y[rows])).backward()
    ours = loss_and_gradients(p, ids[rows], y[rows])[1]
    wrong = loss_and_gradients(p, ids[rows], y[rows], accumulate=False)[1]
    cut = loss_and_gradients(p, ids[rows], y[rows], steps=TAIL)[1]
    deciders = [INDEX[w] for w in GOOD + BAD]
    return {
        "worst": max(worst(ours[k], gradient(t[k])) for k in t),
        "assigned_embedding": worst(wrong["E"], gradient(t["E"])),
        "assigned_others": max(worst(wrong[k], gradient(t[k])) for k in t if k != "E"),
        "cut_deciders": float(np.abs(cut["E"][deciders]).max()),
        "full_deciders": float(np.abs(ours["E"][deciders]).max()),
    }


def back_in_time(scale: float, seed: int, steps: int = 40, hidden: int = 32) -> Array:
    """||dJ/dh_{T-k}|| / ||dJ/dh_T|| for k = 0 … steps; U is orthogonal times ``scale``."""
    rng = np.random.default_rng(seed)
    u = scale * np.linalg.qr(rng.normal(size=(hidden, hidden)))[0]
    h = [np.zeros(hidden)]
    for _ in range(steps):
        h.append(np.tanh(u @ h[-1] + rng.normal(0.0, 0.3, hidden)))
    g = rng.normal(size=hidden)
    start = np.linalg.norm(g)
    norms = [1.0]
    for t in range(steps, 0, -1):
        g = u.T @ (g * (1.0 - h[t] ** 2))
        norms.append(float(np.linalg.norm(g) / start))
    return np.array(norms)


def run() -> dict[str, Any]:
    curves = {
        "recurrent": [train(seed, "recurrent") for seed in SEEDS],
        "bag": [train(seed, "bag") for seed in SEEDS],
    }
    cut = {str(k): spread([train(s, "recurrent", k)[-1] for s in SEEDS]) for k in CUTS}
    back: dict[str, Any] = {"runs": 20}
    for name, scale in (("small", 0.6), ("one", 1.0), ("large", 1.5)):
        norms = np.array([back_in_time(scale, seed) for seed in range(back["runs"])])
        back[name] = {
            "scale": scale,
            "median": np.median(norms, axis=0).tolist(),
            "at20": spread(norms[:, 20]),
            "at40": spread(norms[:, 40]),
        }
    ids, _, text = make_sentences()
    checks = [against_torch(seed) for seed in range(BATCHES)]
    rounding = ("worst", "assigned_others")
    return {
        "seeds": len(SEEDS),
        "batches": BATCHES,
        "sentences": len(ids),
        "words": len(WORDS),
        "example": text[:2],
        "torch": {
            k: (_ranges.spread if k in rounding else _ranges.exactly)(c[k] for c in checks)
            for k in checks[0]
        },
        "accuracy": {k: spread([c[-1] for c in v]) for k, v in curves.items()},
        "curve": {k: np.median(np.array(v), axis=0).tolist() for k, v in curves.items()},
        "cut": cut,
        "back": back,
    }


def draw_check(result: dict[str, Any], lang: str) -> Figure:
    """The gradients with scatter-add and with assignment, against PyTorch's."""
    rows = {
        "en": ("scatter-add: all", "assigned: embedding", "assigned: all others"),
        "zh": ("散布累加：全部梯度", "赋值：词嵌入的梯度", "赋值：其他梯度"),
    }[lang]
    keys = ("worst", "assigned_embedding", "assigned_others")
    colours = (style.SERIES[0], style.SERIES[1], style.SERIES[1])
    bars = [
        _ranges.Bar(row, result["torch"][key], colour)
        for row, key, colour in zip(rows, keys, colours, strict=True)
    ]
    x = {"en": "relative difference from PyTorch", "zh": "与 PyTorch 的相对误差"}[lang]
    return _ranges.draw_ranges(bars, x)


def draw_cut(result: dict[str, Any], lang: str) -> Figure:
    """Test accuracy against the number of steps that the gradient goes back."""
    x, y = {
        "en": ("steps with gradient", "test accuracy"),
        "zh": ("有梯度的步数", "测试准确率"),
    }[lang]
    fig, ax = style.new_figure(5.6, 2.8)
    spreads = [result["cut"][str(k)] for k in CUTS]
    draw_bands(ax, CUTS, spreads, color=style.SERIES[0], marker="o")
    ax.set_ylim(0.45, 1.04)
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    return fig


def draw(result: dict[str, Any], lang: str) -> dict[str, Figure]:
    return {
        "text": draw_training(result, lang),
        "text_check": draw_check(result, lang),
        "text_cut": draw_cut(result, lang),
    }


def draw_training(result: dict[str, Any], lang: str) -> Figure:
    text = {
        "en": {
            "recurrent": "recurrent, word by word",
            "bag": "bag of words",
            "epoch": "epoch",
            "acc": "test accuracy",
            "steps": "steps back in time",
            "norm": "relative size of the gradient",
            "scale": "recurrent matrix × {}",
        },
        "zh": {
            "recurrent": "循环网络（逐词）",
            "bag": "词袋模型",
            "epoch": "轮",
            "acc": "测试准确率",
            "steps": "向过去回退的步数",
            "norm": "梯度的相对大小",
            "scale": "循环矩阵 × {}",
        },
    }[lang]
    fig, (left, right) = style.new_figure(6.8, 3.0, ncols=2)
    left.plot(result["curve"]["recurrent"], color=style.SERIES[0], label=text["recurrent"])
    left.plot(result["curve"]["bag"], color=style.SERIES[1], label=text["bag"])
    left.set_ylim(0.3, 1.04)
    left.set_xlabel(text["epoch"])
    left.set_ylabel(text["acc"])
    left.legend(loc="center right")
    for i, name in enumerate(("small", "one", "large")):
        back = result["back"][name]
        right.semilogy(
            back["median"], color=style.SERIES[2 + i], label=text["scale"].format(back["scale"])
        )
    right.set_xlabel(text["steps"])
    right.set_ylabel(text["norm"])
    right.legend(loc="lower left")
    return fig
