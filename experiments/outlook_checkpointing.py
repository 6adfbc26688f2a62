"""Activation checkpointing: same gradient, fewer stored activations, more forward work.

Claim: of L layers only every k-th activation is kept; the others are computed again, segment by
segment, when the backward pass arrives. Counted by running it (64 tanh layers of width 8, batch
4, float64): the largest number of activation arrays alive at one time, the number of layers
computed again, and the largest difference between the gradients with and without checkpoints.
The last segment keeps its activations. Expected: L/k + k arrays and (L/k - 1)(k - 1) layers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments._claim import Claim

LAYERS, WIDTH, BATCH = 64, 8, 4
SEGMENTS = (1, 2, 4, 8, 16, 32, 64)
Array = np.ndarray

WORKED = ("layers",)
CLAIMS = (
    Claim(
        id="outlook-checkpointing-counts",
        en="With every {{ outlook_checkpointing.best_segment }}th of "
        "{{ outlook_checkpointing.layers }} layers kept, at most "
        "{{ outlook_checkpointing.best_stored }} activations are alive instead of "
        "{{ outlook_checkpointing.all_stored }}, {{ outlook_checkpointing.best_again }} layers are "
        "computed again, and no gradient changes: largest difference "
        "{{ outlook_checkpointing.difference | .1f }}.",
        zh="{{ outlook_checkpointing.layers }} 层中每 {{ outlook_checkpointing.best_segment }} "
        "层保存一层，同时存在的激活值最多 {{ outlook_checkpointing.best_stored }} 个，而不是 "
        "{{ outlook_checkpointing.all_stored }} 个；重新计算 "
        "{{ outlook_checkpointing.best_again }} 层；梯度不变，最大差为 "
        "{{ outlook_checkpointing.difference | .1f }}。",
        criterion="best_segment ** 2 == layers and difference == 0 and best_again < layers and "
        "all(stored[i] == layers // segments[i] + segments[i] and again[i] == (layers // "
        "segments[i] - 1) * (segments[i] - 1) for i in (0, 1, 2, 3, 4, 5, 6))",
        covers=("all_stored", "best_*", "difference", "stored*", "again*"),
        exact="count",
        figure="outlook_checkpointing",
    ),
)


class Tape:
    """Activations by layer number, with a count of those alive."""

    def __init__(self) -> None:
        self.arrays: dict[int, Array] = {}
        self.peak = 0
        self.computed = 0

    def put(self, layer: int, array: Array) -> None:
        self.arrays[layer] = array
        self.peak = max(self.peak, len(self.arrays))

    def layer(self, weights: list[Array], layer: int, below: Array) -> Array:
        self.computed += 1
        out: Array = np.tanh(below @ weights[layer - 1].T)
        return out


def train_step(weights: list[Array], x: Array, segment: int) -> tuple[list[Array], Tape]:
    """Gradients of ½ Σ h_L² with every `segment`-th activation kept."""
    tape = Tape()
    h = x
    tape.put(0, h)
    for layer in range(1, LAYERS + 1):
        h = tape.layer(weights, layer, h)
        if layer % segment == 0 or layer > LAYERS - segment:
            tape.put(layer, h)
    grads: list[Array] = [np.empty(0)] * LAYERS
    delta = h.copy()
    for layer in range(LAYERS, 0, -1):
        if layer - 1 not in tape.arrays:
            first = (layer - 1) // segment * segment
            h = tape.arrays[first]
            for again in range(first + 1, layer):
                h = tape.layer(weights, again, h)
                tape.put(again, h)
        delta = delta * (1 - tape.arrays.pop(layer) ** 2)
        grads[layer - 1] = delta.T @ tape.arrays[layer - 1]
        delta = delta @ weights[layer - 1]
    return grads, tape


def run() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    weights = [rng.standard_normal((WIDTH, WIDTH)) / WIDTH**0.5 for _ in range(LAYERS)]
    x = rng.standard_normal((BATCH, WIDTH))
    reference, _ = train_step(weights, x, LAYERS)
    stored, again, differences = [], [], []
    for segment in SEGMENTS:
        grads, tape = train_step(weights, x, segment)
        pairs = zip(grads, reference, strict=True)
        differences.append(max(float(np.abs(a - b).max()) for a, b in pairs))
        stored.append(tape.peak)
        again.append(tape.computed - LAYERS)
    best = int(np.argmin(stored))
    return {
        "layers": LAYERS,
        "segments": list(SEGMENTS),
        "stored": stored,
        "again": again,
        "difference": max(differences),
        "all_stored": stored[-1],
        "best_segment": SEGMENTS[best],
        "best_stored": stored[best],
        "best_again": again[best],
    }


def draw(result: dict[str, Any], lang: str) -> Figure:
    from experiments.style import BACKWARD, FORWARD, new_figure

    text = {
        "en": (
            "activations alive at one time, at most",
            "layers computed again",
            "layers per segment (every how many layers one activation is kept)",
            "count, of 64 layers",
        ),
        "zh": (
            "同时保存的激活值（最多）",
            "重新计算的层数",
            "每段的层数（每隔几层保存一次激活值）",
            "个数（共 64 层）",
        ),
    }[lang]
    fig, ax = new_figure(width=6.6, height=3.6)
    x = range(len(result["segments"]))
    ax.plot(x, result["stored"], color=BACKWARD, marker="o", label=text[0])
    ax.plot(x, result["again"], color=FORWARD, marker="s", label=text[1])
    ax.set_xticks(list(x), [str(s) for s in result["segments"]])
    ax.set_ylim(0, 80)
    ax.set_xlabel(text[2])
    ax.set_ylabel(text[3])
    ax.legend(loc="upper center", ncols=2)
    return fig
