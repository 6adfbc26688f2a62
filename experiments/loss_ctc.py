"""CTC: label sequences without times, against frame labels that are known or guessed.

* ``enumeration``: the loss and its gradient at the logits against the sum over all 3^5 paths, 20
  draws; the gradient is p minus the share of the paths that have the symbol in that frame.
* ``training``: words of 2 to 4 labels (3 kinds), each held for 2 to 5 frames with 1 to 2 silent
  frames between, 24 frames, features of dimension 6 with noise, a window of 3 frames, an 18-12-4
  network, 25 words, 150 steps, 4 rates per contender (chosen on 25 validation words), 10 seeds.
  Contenders: CTC, which sees only the labels; cross-entropy with the true frame labels;
  cross-entropy with a guess: each label holds an equal share of the frames, its last third is
  silence. Label error rate: edit distance
  between the best path, repetitions and blanks removed, and the word, divided by its length.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

import bpref.functional as F
from experiments import _loss_nets as nets
from experiments._claim import Claim
from experiments._edit_distance import edit_distance
from experiments._ranges import bound, exactly

RTOL = 1e-3
SEEDS, STEPS, FRAMES, BATCH, SYMBOLS = 10, 150, 24, 25, 4
RATES = (0.05, 0.3, 2.0, 12.0)

WORKED = ("seeds", "steps", "rates", "training.silent.*")
CLAIMS = (
    Claim(
        "loss-ctc-enumeration",
        "CTC is the sum over all alignments: over {{ loss_ctc.enumeration.draws }} draws with five "
        "frames the loss and its gradient at the logits agree with the listing of all $3^5$ paths "
        "to ${{ loss_ctc.enumeration.below | sci }}$.",
        "CTC 就是对所有对齐方式求和：五帧的 {{ loss_ctc.enumeration.draws }} 次抽取中，损失及其对"
        " logits "
        "的梯度与列举全部 $3^5$ 条路径的结果相差不到 ${{ loss_ctc.enumeration.below | sci }}$。",
        "enumeration.loss.max < 1e-12 and enumeration.gradient.max < 1e-12 and "
        "enumeration.below <= 1e-12",
        ("enumeration.*",),
        runs="enumeration.draws",
        spread=("enumeration.gradient.min", "enumeration.gradient.max"),
        figure="loss-ctc",
    ),
    Claim(
        "loss-ctc-training",
        "Without any times CTC reads fresh words almost as well as cross-entropy with the true "
        "frame labels ({{ loss_ctc.training.ctc.errors.mean | pct1 }} against "
        "{{ loss_ctc.training.true.errors.mean | pct1 }} errors per label); with guessed times "
        "even the best of {{ loss_ctc.seeds }} runs has "
        "{{ loss_ctc.training.even.errors.min | pct }}.",
        "CTC 不知道任何时刻，读新词却几乎与拥有真实逐帧标签的交叉熵一样好（每个标签的错误率 "
        "{{ loss_ctc.training.ctc.errors.mean | pct1 }} 对 "
        "{{ loss_ctc.training.true.errors.mean | pct1 }}）；时刻靠猜的话，{{ loss_ctc.seeds }} "
        "次训练中最好的一次也有 {{ loss_ctc.training.even.errors.min | pct }}。",
        "training.ctc.errors.mean < training.true.errors.mean + 0.05 and "
        "training.ctc.errors.max < training.even.errors.min",
        ("training.ctc.errors.*", "training.true.errors.*", "training.even.*"),
        runs="seeds",
        spread=("training.ctc.errors.min", "training.ctc.errors.max"),
        figure="loss-ctc",
    ),
    Claim(
        "loss-ctc-blanks",
        "A CTC network says blank more often than there is silence: in "
        "{{ loss_ctc.training.ctc.blank.mean | pct }} of the frames on average, against "
        "{{ loss_ctc.training.silent.mean | pct }} that are silent.",
        "CTC 网络输出空白的次数多于真正的静音：平均 {{ loss_ctc.training.ctc.blank.mean | pct }} "
        "的帧为空白，而静音帧只占 {{ loss_ctc.training.silent.mean | pct }}。",
        "training.ctc.blank.mean > training.silent.mean + 0.03",
        ("training.ctc.blank.*",),
        runs="seeds",
        spread=("training.ctc.blank.min", "training.ctc.blank.max"),
        figure="loss-ctc",
    ),
)


def collapse(path: Any) -> list[int]:
    """Drop repetitions, then blanks (0)."""
    return [int(s) for s, before in zip(path, [0, *path], strict=False) if s not in (0, before)]


def enumeration() -> dict[str, Any]:
    loss_error, slope_error = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        a = rng.normal(size=(5, 1, 3))
        word = [int(v) for v in rng.integers(1, 3, rng.integers(1, 4))]
        log_p, softmax_cache = F.log_softmax(a, dim=-1)
        p = np.exp(log_p[:, 0])
        total, occupied = 0.0, np.zeros_like(p)
        for path in product(range(3), repeat=5):
            if collapse(path) == word:
                chance = float(np.prod([p[t, s] for t, s in enumerate(path)]))
                total += chance
                for t, s in enumerate(path):
                    occupied[t, s] += chance
        lengths = np.array([5]), np.array([len(word)])
        loss, cache = F.ctc_loss(log_p, np.array([word]), *lengths, reduction="sum")
        grad = F.log_softmax_backward(F.ctc_loss_backward(1.0, cache), softmax_cache)
        loss_error.append(abs(float(loss) + np.log(total)))
        slope_error.append(float(np.abs(grad[:, 0] - (p - occupied / total)).max()))
    return {
        "draws": 20,
        "loss": exactly(loss_error),
        "gradient": exactly(slope_error),
        "below": bound(max(loss_error + slope_error)),
    }


def words(rng: np.random.Generator, count: int, sounds: np.ndarray) -> Any:
    """Features (count · FRAMES, 18), frame labels, words and their lengths."""
    frames = np.zeros((count, FRAMES), dtype=int)
    targets, lengths = np.zeros((count, 4), dtype=int), rng.integers(2, 5, count)
    for i in range(count):
        targets[i, : lengths[i]] = rng.integers(1, SYMBOLS, lengths[i])
        t = int(rng.integers(0, 3))
        for label in targets[i, : lengths[i]]:
            held = int(rng.integers(2, 6))
            frames[i, t : t + held] = label
            t += held + int(rng.integers(1, 3))
        frames[i, t:] = 0
    x = sounds[frames] + 0.7 * rng.normal(size=(count, FRAMES, 6))
    padded = np.pad(x, ((0, 0), (1, 1), (0, 0)))
    x = np.concatenate([padded[:, k : k + FRAMES] for k in range(3)], axis=2)
    return x.reshape(count * FRAMES, -1), frames, targets, lengths


def evenly(targets: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Frame labels (..., FRAMES): an equal share for each label of a word, a third of it silent."""
    place, rest = np.divmod(np.arange(FRAMES) * lengths[..., None], FRAMES)
    return np.where(rest < 2 * FRAMES / 3, np.take_along_axis(targets, place, axis=-1), 0)


def ctc_slope(targets: np.ndarray, lengths: np.ndarray) -> Any:
    """The summed loss of K · S · BATCH words, its gradient at the logits (K, S, N, C)."""

    def slope(a: np.ndarray) -> np.ndarray:
        many = a.shape[0]
        log_p, softmax_cache = F.log_softmax(a.reshape(-1, FRAMES, SYMBOLS), dim=-1)
        t = np.tile(targets.reshape(-1, 4), (many, 1))
        n = np.tile(lengths.ravel(), many)
        log_p_first = np.ascontiguousarray(log_p.swapaxes(0, 1))
        _, cache = F.ctc_loss(log_p_first, t, np.full(len(n), FRAMES), n, reduction="sum")
        grad = F.ctc_loss_backward(1.0, cache).swapaxes(0, 1)
        return F.log_softmax_backward(grad, softmax_cache).reshape(a.shape)

    return slope


def error_rate(a: np.ndarray, targets: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Errors per label (K, S) of the best paths."""
    best = a.argmax(axis=-1).reshape(*a.shape[:2], -1, FRAMES)
    found = np.zeros(a.shape[:2])
    for k, s, i in np.ndindex(*best.shape[:3]):
        found[k, s] += edit_distance(collapse(best[k, s, i]), list(targets[s, i, : lengths[s, i]]))
    return found / lengths.sum(axis=1)


def training() -> dict[str, Any]:
    rngs = nets.generators(SEEDS, 40)
    sounds = [np.concatenate([np.zeros((1, 6)), 1.5 * g.normal(size=(3, 6))]) for g in rngs]

    def draw(first: int) -> Any:
        fresh = nets.generators(SEEDS, first)
        parts = [words(g, BATCH, s) for g, s in zip(fresh, sounds, strict=True)]
        return tuple(np.stack(part) for part in zip(*parts, strict=True))

    (x, frames, targets, lengths), (xv, _, tv, lv), (xt, ft, tt, lt) = map(draw, (1000, 2000, 3000))
    begin = nets.start(rngs, 18, 12, SYMBOLS)
    contenders = {
        "ctc": ctc_slope(targets, lengths),
        "true": nets.cross_entropy_slope(frames.reshape(SEEDS, -1)),
        "even": nets.cross_entropy_slope(evenly(targets, lengths).reshape(SEEDS, -1)),
    }
    out: dict[str, Any] = {"silent": nets.spread((ft == 0).mean(axis=(1, 2)))}
    for name, slope in contenders.items():
        params = nets.fit(begin, x, slope, RATES, STEPS)
        k = nets.chosen(-error_rate(nets.logits(params, xv), tv, lv))
        a = nets.logits(params, xt)[k : k + 1]
        out[name] = {
            "errors": nets.spread(error_rate(a, tt, lt)[0]),
            "blank": nets.spread((a[0].argmax(axis=-1) == 0).mean(axis=-1)),
            "rate": RATES[k],
            "inside": bool(0 < k < len(RATES) - 1),
        }
    return out


def run() -> dict[str, Any]:
    return {
        "seeds": SEEDS,
        "steps": STEPS,
        "rates": len(RATES),
        "enumeration": enumeration(),
        "training": training(),
    }


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    from experiments import style
    from experiments._dots import Dot, Panel, draw_dots

    names, errors, blank = {
        "en": (
            ("CTC, labels only", "cross-entropy, true times", "cross-entropy, guessed times"),
            "errors per label",
            "share of blank frames",
        ),
        "zh": (
            ("CTC，只有标签", "交叉熵，真实时刻", "交叉熵，猜的时刻"),
            "每个标签的错误率",
            "空白帧的比例",
        ),
    }[lang]
    panels = []
    for key, x, line in (
        ("errors", errors, None),
        ("blank", blank, result["training"]["silent"]["mean"]),
    ):
        rows = zip(names, ("ctc", "true", "even"), style.SERIES, strict=False)
        panels.append(Panel(x, [Dot(n, result["training"][k][key], c) for n, k, c in rows], line))
    return {"loss-ctc": draw_dots(panels)}
