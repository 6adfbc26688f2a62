"""Softmax twice with more classes: from harmless to costly.

A linear classifier on 16 features, 3, 10 and 50 Gaussian classes, ten samples per class and at
least 300, 300 full-batch steps, five rates for each of the two (chosen on 1000 validation samples),
10 seeds; accuracy on 1000 fresh samples.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments import _loss_nets as nets
from experiments._claim import Claim

RTOL = 1e-3  # accuracies are counts of samples; rounding may move one
SEEDS, STEPS, D = 10, 300, 16
RATES = (0.02, 0.2, 2.0, 20.0, 200.0)
CLASSES = (3, 10, 50)
KINDS = ("logits", "probabilities")

WORKED = ("seeds", "steps", "rates")
CLAIMS = (
    Claim(
        "loss-double-softmax-many-classes",
        "With 50 classes softmax twice costs accuracy in each of {{ loss_many_classes.seeds }} "
        "runs, even with the best of {{ loss_many_classes.rates }} rates: "
        "{{ loss_many_classes.c50.logits.mean | pct1 }} becomes "
        "{{ loss_many_classes.c50.probabilities.mean | pct1 }}. With 3 and with 10 classes the "
        "means differ by at most {{ loss_many_classes.few | pct1 }}.",
        "50 类时，即使各取 {{ loss_many_classes.rates }} 个学习率中最好的，"
        "{{ loss_many_classes.seeds }} 次训练中，两次 softmax 次次损失准确率："
        "{{ loss_many_classes.c50.logits.mean | pct1 }} 变成 "
        "{{ loss_many_classes.c50.probabilities.mean | pct1 }}。3 类和 10 类时，均值相差至多 "
        "{{ loss_many_classes.few | pct1 }}。",
        "c50.gap.min > 0.05 and few < 0.03",
        ("c3.*", "c10.*", "c50.*", "few"),
        runs="seeds",
        spread=("c50.gap.min", "c50.gap.max"),
        figure="loss-many-classes",
    ),
)


def softmax(a: np.ndarray) -> np.ndarray:
    e = np.exp(a - a.max(axis=-1, keepdims=True))
    out: np.ndarray = e / e.sum(axis=-1, keepdims=True)
    return out


def accuracies(kind: str, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy on validation and on fresh samples, for each rate."""
    rng = np.random.default_rng(seed)
    centres = 0.8 * rng.normal(size=(classes, D))

    def draw(n: int) -> tuple[np.ndarray, np.ndarray]:
        label = rng.integers(0, classes, n)
        return centres[label] + rng.normal(size=(n, D)), label

    (x, label), valid, fresh = draw(max(300, 10 * classes)), draw(1000), draw(1000)
    y, rate = np.eye(classes)[label], np.reshape(RATES, (-1, 1, 1)) / len(x)
    w, b = np.zeros((len(RATES), D, classes)), np.zeros((len(RATES), 1, classes))
    for _ in range(STEPS):
        p = softmax(x @ w + b)
        delta = p - y
        if kind == "probabilities":
            delta = softmax(p) - y
            delta = p * (delta - (p * delta).sum(axis=-1, keepdims=True))
        w -= rate * (x.T @ delta)
        b -= rate * delta.sum(axis=-2, keepdims=True)
    found = [((v @ w + b).argmax(axis=-1) == truth).mean(axis=-1) for v, truth in (valid, fresh)]
    return found[0], found[1]


def run() -> dict[str, Any]:
    result: dict[str, Any] = {"seeds": SEEDS, "steps": STEPS, "rates": len(RATES)}
    for classes in CLASSES:
        picked, entry = {}, {}
        for kind in KINDS:
            pairs = [accuracies(kind, classes, seed) for seed in range(SEEDS)]
            valid, test = (np.stack(v, axis=1) for v in zip(*pairs, strict=True))
            k = nets.chosen(valid)
            picked[kind] = test[k]
            entry[kind] = nets.spread(test[k]) | {"rate": RATES[k]}
        entry["gap"] = nets.spread(picked["logits"] - picked["probabilities"])
        result[f"c{classes}"] = entry
    result["few"] = max(abs(result[f"c{c}"]["gap"]["mean"]) for c in (3, 10))
    return result


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    from experiments import style
    from experiments._dots import Dot, Panel, draw_dots

    t = {
        "en": ("{} classes, {}", "logits, right", "softmax twice", "accuracy on fresh samples"),
        "zh": ("{} 类，{}", "logits（正确）", "两次 softmax", "新样本上的准确率"),
    }[lang]
    dots = [
        Dot(t[0].format(c, name), result[f"c{c}"][kind], color)
        for c in CLASSES
        for kind, name, color in zip(KINDS, t[1:3], style.SERIES, strict=False)
    ]
    return {"loss-many-classes": draw_dots([Panel(t[3], dots, None)])}
