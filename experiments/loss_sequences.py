"""Padding: what the divisor, the mask and the way to average do to a next-token model.

Two thirds of the sentences are short (2 to 4 words, from one Markov chain over 10 words), one
third long (9 to 12 words, from another chain); the input says which chain a word is from only in
every second place. A 13-8-11 network (word, chain; the 11th class is the padding) on 18 sentences,
120 steps, 10 seeds. One change at a time, at the rate 0.5 and with the best of seven rates
(validation loss per token; for ``by_sentence`` per sentence): mean over the real tokens; masked but
divided by all positions; mean of the sentence means; padding counted as an eleventh word.
* ``average``: the three averages of the same losses, for a batch of 12, 9, 6 and 3 random tokens.
* ``micro``: mean of the means of 4 micro-batches against the mean over all tokens, 20 batches.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import bpref.functional as F
from experiments import _loss_nets as nets
from experiments._claim import Claim
from experiments._ranges import exactly

RTOL = 1e-3
SEEDS, STEPS, WORDS, SENTENCES = 10, 120, 10, 18
RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
PADDED = (12, 48)

WORKED = ("seeds", "steps", "rates", "average.*")
CLAIMS = (
    Claim(
        "loss-padding-reported",
        "Padding that counts as a word makes the reported loss say nothing: filled up to 48 "
        "positions it is {{ loss_sequences.training.padding_48.same.reported.mean | .2f }} on "
        "average, while a fresh real token costs "
        "{{ loss_sequences.training.padding_48.same.tokens.mean | .2f }}.",
        "把填充也算作一个词，报告的损失就失去了意义：填充到 48 个位置时，它平均为 "
        "{{ loss_sequences.training.padding_48.same.reported.mean | .2f }}，而新的真实词元的损失是 "
        "{{ loss_sequences.training.padding_48.same.tokens.mean | .2f }}。",
        "training.padding_48.same.reported.max < 0.2 * training.padding_48.same.tokens.min and "
        "training.padding_48.same.reported.max < training.padding_12.same.reported.min",
        (
            "training.padding_48.same.*",
            "training.padding_12.same.*",
            "training.tokens_12.same.*",
            "training.positions_12.same.*",
        ),
        runs="seeds",
        spread=(
            "training.padding_48.same.reported.min",
            "training.padding_48.same.reported.max",
        ),
        figure="loss-padding",
    ),
    Claim(
        "loss-padding-rate",
        "What the wrong divisor spoils is the rate: at the same rate it leaves a fresh token at "
        "{{ loss_sequences.training.positions_48.same.tokens.mean | .2f }} instead of "
        "{{ loss_sequences.training.tokens_12.same.tokens.mean | .2f }}; with its own best rate it "
        "is no worse on average "
        "({{ loss_sequences.training.positions_48.tuned.tokens.mean | .2f }}), nor is the padding "
        "that counts ({{ loss_sequences.training.padding_48.tuned.tokens.mean | .2f }}).",
        "除数用错，坏的是学习率：学习率相同时，新词元的损失停在 "
        "{{ loss_sequences.training.positions_48.same.tokens.mean | .2f }}，而不是 "
        "{{ loss_sequences.training.tokens_12.same.tokens.mean | .2f }}；换上各自最好的学习率，它"
        "平均"
        "并不更差（{{ loss_sequences.training.positions_48.tuned.tokens.mean | .2f }}），计入填充的"
        "也一样（{{ loss_sequences.training.padding_48.tuned.tokens.mean | .2f }}）。",
        "training.positions_48.same.behind.mean > 0.1 and "
        "abs(training.positions_48.tuned.behind.mean) < 0.03 and "
        "abs(training.padding_48.tuned.behind.mean) < 0.05",
        (
            "training.positions_48.*",
            "training.tokens_12.*",
            "training.padding_48.tuned.*",
            "training.positions_12.tuned.*",
            "training.padding_12.tuned.*",
        ),
        runs="seeds",
        spread=(
            "training.positions_48.same.behind.min",
            "training.positions_48.same.behind.max",
        ),
        figure="loss-padding",
    ),
    Claim(
        "loss-sentence-means",
        "The mean of the sentence means is another aim: a fresh token costs more in each of "
        "{{ loss_sequences.seeds }} runs, "
        "{{ loss_sequences.training.sentences_12.tuned.tokens.mean | .2f }} against "
        "{{ loss_sequences.training.tokens_12.tuned.tokens.mean | .2f }} on average; averaged over "
        "fresh sentences it is hardly better "
        "({{ loss_sequences.training.sentences_12.by_sentence.sentences.mean | .2f }} against "
        "{{ loss_sequences.training.tokens_12.by_sentence.sentences.mean | .2f }}).",
        "先对每句求平均，目标就不同了：{{ loss_sequences.seeds }} 次训练中，新词元的损失次次更"
        "大，平均 "
        "{{ loss_sequences.training.sentences_12.tuned.tokens.mean | .2f }} 对 "
        "{{ loss_sequences.training.tokens_12.tuned.tokens.mean | .2f }}；按新句子平均，也只好一"
        "点点（"
        "{{ loss_sequences.training.sentences_12.by_sentence.sentences.mean | .2f }} 对 "
        "{{ loss_sequences.training.tokens_12.by_sentence.sentences.mean | .2f }}）。",
        "training.sentences_12.tuned.behind.min > 0 and "
        "abs(training.sentences_12.by_sentence.behind.mean) < 0.1",
        (
            "training.sentences_12.*",
            "training.tokens_12.tuned.*",
            "training.tokens_12.by_sentence.*",
        ),
        runs="seeds",
        spread=(
            "training.sentences_12.tuned.behind.min",
            "training.sentences_12.tuned.behind.max",
        ),
        figure="loss-padding",
    ),
    Claim(
        "loss-micro-batch-means",
        "Over {{ loss_sequences.micro.batches }} batches of sentences in four micro-batches, the "
        "mean of the micro-batch means has a gradient that is off by "
        "{{ loss_sequences.micro.means.min | pct }} to {{ loss_sequences.micro.means.max | pct }} "
        "from that of the mean over all tokens; sums divided by all tokens agree to rounding.",
        "把 {{ loss_sequences.micro.batches }} 个批量的句子各分成四个微批量：微批量平均值的平均，"
        "其梯度"
        "与对全部词元求平均的梯度相差 {{ loss_sequences.micro.means.min | pct }} 到 "
        "{{ loss_sequences.micro.means.max | pct }}；先求和，再除以全部词元数，则只差舍入误差。",
        "micro.means.min > 0.01 and micro.sums.max < 1e-14",
        ("micro.*",),
        runs="micro.batches",
        spread=("micro.means.min", "micro.means.max"),
        figure="loss-padding",
    ),
)


def sentences(rng: np.random.Generator, chains: np.ndarray, count: int, padded: int) -> Any:
    """Inputs (count · padded, 13), next words and lengths; 10 marks the padding."""
    x = np.zeros((count, padded, WORDS + 3))
    y = np.full((count, padded), WORDS)
    lengths = np.zeros(count, dtype=int)
    for i in range(count):
        long = i % 3 == 0
        lengths[i] = rng.integers(9, 13) if long else rng.integers(2, 5)
        word = int(rng.integers(WORDS))
        for t in range(lengths[i]):
            x[i, t, word] = 1.0
            if t % 2 == 0:
                x[i, t, WORDS + 1 + long] = 1.0
            word = int(rng.choice(WORDS, p=chains[int(long), word]))
            y[i, t] = word
        x[i, lengths[i] :, WORDS] = 1.0
    return x.reshape(-1, WORDS + 3), y.ravel(), lengths


def weights(kind: str, y: np.ndarray, lengths: np.ndarray, padded: int) -> np.ndarray:
    """The weight of each position in the loss of a batch (S, N)."""
    real = (y < WORDS).astype(float)
    if kind == "tokens":
        return real / real.sum(axis=1, keepdims=True)
    if kind == "positions":
        return real / real.shape[1]
    if kind == "sentences":
        return real / np.repeat(lengths, padded, axis=1) / lengths.shape[1]
    return np.full(y.shape, 1.0 / y.shape[1])  # padding counts


def weighted_slope(y: np.ndarray, weight: np.ndarray) -> Any:
    def slope(a: np.ndarray) -> np.ndarray:
        wanted = np.broadcast_to(y, a.shape[:-1])
        each = np.broadcast_to(weight * y.shape[1], wanted.shape).reshape(-1)
        _, cache = F.cross_entropy(a.reshape(-1, WORDS + 1), wanted.reshape(-1), reduction="none")
        return F.cross_entropy_backward(each, cache).reshape(a.shape)

    return slope


def losses(a: np.ndarray, y: np.ndarray) -> np.ndarray:
    log_p = F.log_softmax(a, dim=-1)[0]
    wanted = np.broadcast_to(y, a.shape[:-1])[..., None]
    return -np.take_along_axis(log_p, wanted, axis=-1)[..., 0]


def training() -> dict[str, Any]:
    rngs = nets.generators(SEEDS, 900)
    chains = [g.dirichlet(np.full(WORDS, 0.15), (2, WORDS)) for g in rngs]

    def draw(count: int, padded: int, first: int) -> Any:
        fresh = nets.generators(SEEDS, first)
        parts = [sentences(g, c, count, padded) for g, c in zip(fresh, chains, strict=True)]
        return tuple(np.stack(part) for part in zip(*parts, strict=True))

    begin = nets.start(rngs, WORDS + 3, 8, WORDS + 1)
    out: dict[str, Any] = {}
    scores: dict[Any, np.ndarray] = {}
    for padded in PADDED:
        x, y, lengths = draw(SENTENCES, padded, 1000)
        xv, yv, lv = draw(60, 12, 2000)
        xt, yt, lt = draw(60, 12, 3000)
        kinds = ("tokens", "sentences", "positions", "padding")
        for kind in kinds if padded == PADDED[0] else kinds[2:]:
            weight = weights(kind, y, lengths, padded)
            params = nets.fit(begin, x, weighted_slope(y, weight), RATES, STEPS)
            reported = (losses(nets.logits(params, x), y) * weight).sum(axis=-1)
            score = {}
            for name, (xs, ys, ls) in (("v", (xv, yv, lv)), ("t", (xt, yt, lt))):
                each = losses(nets.logits(params, xs), ys)
                for how in ("tokens", "sentences"):
                    score[name, how] = (each * weights(how, ys, ls, 12)).sum(axis=-1)
            best = {how: nets.chosen(-score["v", how]) for how in ("tokens", "sentences")}
            entry = out[f"{kind}_{padded}"] = {}
            for name, k in (("same", RATES.index(0.5)), ("tuned", best["tokens"])):
                scores[kind, padded, name] = score["t", "tokens"][k]
                entry[name] = {
                    "tokens": nets.spread(score["t", "tokens"][k]),
                    "reported": nets.spread(reported[k]),
                    "behind": nets.spread(
                        score["t", "tokens"][k] - scores["tokens", PADDED[0], name]
                    ),
                    "rate": RATES[k],
                }
            found = score["t", "sentences"][best["sentences"]]
            scores[kind, padded, "by_sentence"] = found
            entry["by_sentence"] = {
                "sentences": nets.spread(found),
                "behind": nets.spread(found - scores["tokens", PADDED[0], "by_sentence"]),
                "rate": RATES[best["sentences"]],
            }
    return out


def averages() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    logits, words = rng.normal(size=(4, 12, 10)), rng.integers(0, 10, (4, 12))
    real = np.arange(12) < np.array([12, 9, 6, 3])[:, None]
    each = losses(logits, words) * real
    return {
        "real": int(real.sum()),
        "all": int(real.size),
        "tokens": float(each.sum() / real.sum()),
        "positions": float(each.sum() / real.size),
        "sentences": float((each.sum(axis=1) / real.sum(axis=1)).mean()),
    }


def micro_batches() -> dict[str, Any]:
    """Relative difference of the gradients at the logits, 4 micro-batches of 4 sentences."""
    difference, equal = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        lengths = rng.integers(2, 13, (4, 4))
        logits = rng.normal(size=(4, 4, 12, WORDS))
        words = rng.integers(0, WORDS, (4, 4, 12))
        words = np.where(np.arange(12) < lengths[..., None], words, -100)

        def gradient(part: Any, how: str, a: np.ndarray = logits, w: np.ndarray = words) -> Any:
            flat = a[part].reshape(-1, WORDS)
            _, cache = F.cross_entropy(flat, w[part].ravel(), reduction=how)
            return F.cross_entropy_backward(1.0, cache)

        whole = gradient(slice(None), "mean")
        mean = np.concatenate([gradient(i, "mean") / 4 for i in range(4)])
        total = np.concatenate([gradient(i, "sum") / lengths.sum() for i in range(4)])
        difference.append(float(np.linalg.norm(mean - whole) / np.linalg.norm(whole)))
        equal.append(float(np.linalg.norm(total - whole) / np.linalg.norm(whole)))
    return {"batches": 20, "means": exactly(difference), "sums": exactly(equal)}


def run() -> dict[str, Any]:
    return {
        "seeds": SEEDS,
        "steps": STEPS,
        "rates": len(RATES),
        "average": averages(),
        "micro": micro_batches(),
        "training": training(),
    }


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    from experiments import style
    from experiments._dots import Dot, Panel, draw_dots

    t = {
        "en": {
            "tokens": "mean over real tokens",
            "sentences": "mean of sentence means",
            "positions": "divided by all {n} positions",
            "padding": "padding counts, {n} positions",
            "reported": "reported loss",
            "same": "fresh token, rate 0.5",
            "tuned": "fresh token, best rate",
        },
        "zh": {
            "tokens": "对真实词元求平均",
            "sentences": "先对每句求平均",
            "positions": "除以全部 {n} 个位置",
            "padding": "计入填充，{n} 个位置",
            "reported": "报告的损失",
            "same": "新词元，学习率 0.5",
            "tuned": "新词元，最好的学习率",
        },
    }[lang]
    rows = ("tokens_12", "sentences_12", "positions_12", "positions_48", "padding_12", "padding_48")
    panels = []
    for x, how, key in (
        ("reported", "same", "reported"),
        ("same", "same", "tokens"),
        ("tuned", "tuned", "tokens"),
    ):
        dots = []
        for row in rows:
            kind, n = row.split("_")
            color = style.SERIES[0] if kind == "tokens" else style.SERIES[1]
            dots.append(Dot(t[kind].format(n=n), result["training"][row][how][key], color))
        line = result["training"]["tokens_12"][how]["tokens"]["mean"]
        panels.append(Panel(t[x], dots, None if key == "reported" else line))
    return {"loss-padding": draw_dots(panels, width=7.6)}
