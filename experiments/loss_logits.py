"""Logits or probabilities: what the usual mistakes return, and what training makes of them.

* ``returned``: value and gradient at the logits of the same batch through right and wrong calls of
  PyTorch, float64.
* ``saturated``: one logit of 20 with label 0 in float32: sigmoid then BCELoss, and from the logit.
* ``training``: softmax before a loss that takes logits, linear classifier on three Gaussian
  classes, 300 steps of rate 0.5, and as many with the best of five rates; 20 seeds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional as TF

import bpref.functional as F
from experiments import _loss_nets as nets
from experiments._claim import Claim

RTOL = 1e-3
SEEDS, STEPS, N = 20, 300, 300
RATES = (0.1, 0.5, 2.5, 12.5, 62.5)

WORKED = ("seeds", "steps", "rates", "floor.*")
CLAIMS = (
    Claim(
        "loss-wrong-form",
        "The usual wrong forms raise no error: softmax before `cross_entropy` returns "
        "{{ loss_logits.returned.cross_entropy_softmax.value | .4f }} in place of "
        "{{ loss_logits.returned.cross_entropy.value | .4f }}, with a gradient "
        "{{ loss_logits.shrink | .1f }} times smaller; `nll_loss` of probabilities or of logits is "
        "negative; `cross_entropy` of a single output is 0 with gradient 0.",
        "常见的错误形式都不报错：在 `cross_entropy` 之前做 softmax，返回 "
        "{{ loss_logits.returned.cross_entropy_softmax.value | .4f }}，而不是 "
        "{{ loss_logits.returned.cross_entropy.value | .4f }}，梯度小 "
        "{{ loss_logits.shrink | .1f }} 倍；把概率或 logits 交给 `nll_loss`，结果为负；"
        "只有一个输出时，`cross_entropy` 为 0，梯度也为 0。",
        "shrink > 2 and returned.nll_softmax.value < 0 and returned.nll_logits.value < 0 and "
        "returned.one_output.value == 0 and returned.one_output.gradient == 0 and "
        "abs(returned.nll_log_softmax.value - returned.cross_entropy.value) < 1e-12",
        ("returned.*", "shrink"),
        exact="deterministic",
    ),
    Claim(
        "loss-sigmoid-then-log",
        "In float32 a logit of 20 with label 0 gives `BCELoss` behind a sigmoid the loss "
        "{{ loss_logits.saturated.probability.value | .0f }} and the gradient "
        "{{ loss_logits.saturated.probability.gradient | .0f }}; from the logit the loss is "
        "{{ loss_logits.saturated.logit.value | .0f }} and the gradient "
        "{{ loss_logits.saturated.logit.gradient | .0f }}.",
        "float32 中，logit 为 20、标签为 0：sigmoid 之后用 `BCELoss`，损失是 "
        "{{ loss_logits.saturated.probability.value | .0f }}，梯度是 "
        "{{ loss_logits.saturated.probability.gradient | .0f }}；直接由 logit 计算，损失是 "
        "{{ loss_logits.saturated.logit.value | .0f }}，梯度是 "
        "{{ loss_logits.saturated.logit.gradient | .0f }}。",
        "saturated.probability.gradient == 0 and abs(saturated.logit.gradient - 1) < 1e-6",
        ("saturated.*",),
        exact="deterministic",
    ),
    Claim(
        "loss-double-softmax",
        "With softmax twice, no run of {{ loss_logits.seeds }} reports a loss below the floor "
        "{{ loss_logits.floor.c3 | .3f }} for three classes (mean "
        "{{ loss_logits.training.same_rate.probabilities.reported.mean | .3f }}; right: "
        "{{ loss_logits.training.same_rate.logits.reported.mean | .3f }}), while the accuracy "
        "hardly "
        "tells: {{ loss_logits.training.same_rate.probabilities.accuracy.mean | pct1 }} against "
        "{{ loss_logits.training.same_rate.logits.accuracy.mean | pct1 }} at the same rate.",
        "做两次 softmax 时，{{ loss_logits.seeds }} 次训练报告的损失没有一次低于三类的下限 "
        "{{ loss_logits.floor.c3 | .3f }}（平均 "
        "{{ loss_logits.training.same_rate.probabilities.reported.mean | .3f }}，正确做法是 "
        "{{ loss_logits.training.same_rate.logits.reported.mean | .3f }}），准确率却几乎看不出差"
        "别："
        "学习率相同时为 {{ loss_logits.training.same_rate.probabilities.accuracy.mean | pct1 }} 对 "
        "{{ loss_logits.training.same_rate.logits.accuracy.mean | pct1 }}。",
        "training.same_rate.probabilities.reported.min > floor.c3 and "
        "training.tuned.probabilities.reported.min > floor.c3 and "
        "training.same_rate.logits.reported.mean < floor.c3 / 2 and "
        "training.same_rate.logits.accuracy.mean - training.same_rate.probabilities.accuracy.mean "
        "< 0.01",
        ("training.*",),
        runs="seeds",
        spread=(
            "training.same_rate.probabilities.reported.min",
            "training.same_rate.probabilities.reported.max",
        ),
        figure="loss-logits",
    ),
)


def returned() -> dict[str, Any]:
    logits = torch.tensor(
        [[2.0, 0.5, -1.0], [-1.0, 3.0, 0.0]], dtype=torch.float64, requires_grad=True
    )
    target = torch.tensor([0, 2])
    onehot = TF.one_hot(target, 3).double()
    calls = {
        "cross_entropy": lambda a: TF.cross_entropy(a, target),
        "nll_log_softmax": lambda a: TF.nll_loss(a.log_softmax(1), target),
        "cross_entropy_softmax": lambda a: TF.cross_entropy(a.softmax(1), target),
        "nll_softmax": lambda a: TF.nll_loss(a.softmax(1), target),
        "nll_logits": lambda a: TF.nll_loss(a, target),
        "softmax_over_batch": lambda a: TF.nll_loss(a.log_softmax(0), target),
        "bce": lambda a: TF.binary_cross_entropy_with_logits(a, onehot),
        "bce_sigmoid": lambda a: TF.binary_cross_entropy_with_logits(a.sigmoid(), onehot),
        "one_output": lambda a: TF.cross_entropy(a[:, :1], torch.zeros(2, dtype=torch.long)),
    }
    out = {}
    for name, call in calls.items():
        value = call(logits)
        (grad,) = torch.autograd.grad(value, logits)
        out[name] = {"value": value.item(), "gradient": grad.norm().item()}
    return out


def saturated() -> dict[str, Any]:
    out = {}
    for name, call in (
        ("probability", lambda a, y: TF.binary_cross_entropy(a.sigmoid(), y)),
        ("logit", TF.binary_cross_entropy_with_logits),
    ):
        a = torch.tensor([20.0], requires_grad=True)
        value = call(a, torch.zeros(1))
        value.backward()
        out[name] = {"value": value.item(), "gradient": a.grad.item()}
    return out


def training() -> dict[str, Any]:
    rngs = nets.generators(SEEDS)
    draw = nets.clouds(rngs, 3, 4, apart=1.0, width=0.5)
    (x, label), (xv, yv), (xt, yt) = draw(N), draw(500), draw(500)
    out: dict[str, Any] = {}
    for kind in ("logits", "probabilities"):
        w, b = np.zeros((len(RATES), SEEDS, 4, 3)), np.zeros((len(RATES), SEEDS, 1, 3))
        slope = nets.cross_entropy_slope(label)
        rate = np.reshape(RATES, (-1, 1, 1, 1)) / N
        for _ in range(STEPS):
            a = x @ w + b
            if kind == "logits":
                delta = slope(a)
            else:
                p, cache = F.softmax(a, dim=-1)
                delta = F.softmax_backward(slope(p), cache)
            w -= rate * (np.swapaxes(x, -1, -2) @ delta)
            b -= rate * delta.sum(axis=-2, keepdims=True)
        shown = (lambda a: a) if kind == "logits" else nets.softmax
        reported = nets.nll(shown(x @ w + b), label)
        test = nets.accuracy(xt @ w + b, yt)
        truth = nets.nll(xt @ w + b, yt)
        best = nets.chosen(nets.accuracy(xv @ w + b, yv))
        for name, k in (("same_rate", RATES.index(0.5)), ("tuned", best)):
            out.setdefault(name, {})[kind] = {
                "reported": nets.spread(reported[k]),
                "accuracy": nets.spread(test[k]),
                "nll": nets.spread(truth[k]),
                "rate": RATES[k],
            }
    return out


def run() -> dict[str, Any]:
    calls = returned()
    return {
        "seeds": SEEDS,
        "steps": STEPS,
        "rates": len(RATES),
        "floor": {f"c{c}": float(np.log1p((c - 1) / np.e)) for c in (3, 10, 1000)},
        "returned": calls,
        "shrink": calls["cross_entropy"]["gradient"] / calls["cross_entropy_softmax"]["gradient"],
        "saturated": saturated(),
        "training": training(),
    }


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    from experiments import style
    from experiments._dots import Dot, Panel, draw_dots

    t = {
        "en": {
            "logits": "logits, right",
            "probabilities": "softmax twice",
            "same_rate": "rate 0.5",
            "tuned": "best rate",
            "join": "{a}, {b}",
            "reported": "reported training loss",
            "accuracy": "accuracy on fresh samples",
        },
        "zh": {
            "logits": "logits（正确）",
            "probabilities": "两次 softmax",
            "same_rate": "学习率 0.5",
            "tuned": "最好的学习率",
            "join": "{a}，{b}",
            "reported": "报告的训练损失",
            "accuracy": "新样本上的准确率",
        },
    }[lang]
    panels = []
    for key, line in (("reported", result["floor"]["c3"]), ("accuracy", None)):
        dots = [
            Dot(t["join"].format(a=t[kind], b=t[how]), result["training"][how][kind][key], color)
            for how in ("same_rate", "tuned")
            for kind, color in zip(("logits", "probabilities"), style.SERIES, strict=False)
        ]
        panels.append(Panel(t[key], dots, line))
    return {"loss-logits": draw_dots(panels)}
