"""The data of the depth explorer: signal and gradient per layer for 720 kinds of networks.

Widths, initialisations, activations, normalisations (behind the linear map, before the activation)
and skip connections in all combinations, depths 10 to 100, 10 seeds, batch 16, float64, at
initialisation. ``signals`` holds, for each kind and in powers of ten with two decimals: the median
size of h_l over that of h_0 at the layers ``layers``; for each depth the median size of dJ/dh_l
over that of dJ/dh_L at the start of each fifth of the network; and for each depth the smallest and
the largest gain over the seeds. ``draw`` also writes the script that the page loads.

tanh with N(0, 1) alone is chaotic: rounding errors grow as fast as the gradient. Behind 20 layers
its numbers can't be reproduced and are left out (null); see ``gradients_chaos``.
"""

from __future__ import annotations

import base64
import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments._claim import Claim
from experiments._deep import ACTIVATIONS, INITS, NORMS, Draws, Kinds, signals

# Two decimals: where the forward pass amplifies rounding, the last one may flip.
RTOL = 5e-3
SEEDS = 10
BATCH = 16
DEPTHS = (10, 20, 50, 100)
WIDTHS = (16, 32, 64)
PARTS = 5
#: stands for the logarithm of a gradient of exactly zero: a network whose ReLUs are all dead
ZERO = -327.0
#: written where there is no number
NOTHING = -327.68
#: how many layers of the chaotic networks can be reproduced
REPRODUCIBLE = 20
#: of the names of the kinds, in the order of the data
NAMES = (tuple(f"w{n}" for n in WIDTHS), INITS, tuple(ACTIVATIONS), NORMS, ("plain", "skip"))
CHAOTIC = ("unit", "tanh", "none", "plain")
LAYERS = sorted({d * k // PARTS for d in DEPTHS for k in range(1, PARTS + 1)})
SCRIPT = Path(__file__).parent.parent / "docs/theme/assets/js/depth-explorer-data.js"

WORKED = ("seeds", "batch", "depths*", "widths*", "layers*", "of", "kinds")
CLAIMS = (
    Claim(
        id="gradients-skip-and-norm-keep-every-kind",
        en="Of {{ gradients_explorer.of }} combinations of width, activation and initialization, "
        "{{ gradients_explorer.kept.none_plain[3] }} keep the gradient within a factor of 1000 "
        "over "
        "100 layers when left alone, {{ gradients_explorer.kept.layer_plain[3] }} with layer norm, "
        "{{ gradients_explorer.kept.none_skip[3] }} with skip connections, and all "
        "{{ gradients_explorer.kept.layer_skip[3] }} with both, whichever of the three "
        "normalizations it is, for each of {{ gradients_explorer.seeds }} seeds.",
        zh="宽度、激活函数与初始化的 {{ gradients_explorer.of }} 种组合，经过 100 "
        "层，梯度变化不超过 1000 倍的：什么都不加有 "
        "{{ gradients_explorer.kept.none_plain[3] }} 种，加层归一化有 "
        "{{ gradients_explorer.kept.layer_plain[3] }} 种，加跳跃连接有 "
        "{{ gradients_explorer.kept.none_skip[3] }} 种，两者都加则 "
        "{{ gradients_explorer.kept.layer_skip[3] }} 种全部做到，三种归一化都是如此，"
        "{{ gradients_explorer.seeds }} 个种子无一例外。",
        criterion="min(kept.batch_skip + kept.layer_skip + kept.rms_skip) == of and "
        "with_both.low > -3 and with_both.high < 3 and kept.none_plain[3] < 0.3 * of and "
        "kept.none_skip[3] < 0.6 * of",
        covers=("kept.*", "with_both.*", "signals.*"),
        runs="seeds",
        spread=("with_both.low", "with_both.high"),
        figure="gradients_explorer",
    ),
)


def rows(width: int, init: str) -> np.ndarray:
    """Everything that is kept of one initialisation, of shape (A, M, S, numbers)."""
    kinds = Kinds(tuple(ACTIVATIONS), NORMS, (False, True))
    found = [
        signals(Draws(seed, width, max(DEPTHS), BATCH), init, kinds, DEPTHS, PARTS)
        for seed in range(SEEDS)
    ]
    with np.errstate(divide="ignore"):
        forward = np.log10([s.forward[..., 1:] for s in found])
        backward = {d: np.log10([s.backward[d][..., :-1] for s in found]) for d in DEPTHS}
    parts = [np.median(forward, axis=0)]
    parts += [np.median(backward[d], axis=0) for d in DEPTHS]
    parts += [end(backward[d][..., :1], axis=0) for d in DEPTHS for end in (np.min, np.max)]
    return np.concatenate(parts, axis=-1)


def kept() -> list[bool]:
    """Which numbers of a chaotic network can be reproduced."""
    flags = [layer <= REPRODUCIBLE for layer in LAYERS]
    flags += [d <= REPRODUCIBLE for d in DEPTHS for _ in range(PARTS)]
    return flags + [d <= REPRODUCIBLE for d in DEPTHS for _ in range(2)]


def kept_kinds(found: dict[str, Any], norm: str, skip: str, depth: int) -> int:
    """How many kinds keep the size of the gradient within a factor of 1000, by the median."""
    keys = [" ".join((*kind, norm, skip)) for kind in product(*NAMES[:3])]
    at = len(LAYERS) + PARTS * DEPTHS.index(depth)
    return sum(found[key][at] is not None and abs(found[key][at]) <= 3.0 for key in keys)


def run() -> dict[str, Any]:
    found: dict[str, list[float | None]] = {}
    for name, width in zip(NAMES[0], WIDTHS, strict=True):
        for init in INITS:
            table = rows(width, init)
            table = np.where(np.isneginf(table), ZERO, table)
            if not np.isfinite(table).all() or np.abs(table).max() > -ZERO:
                raise ValueError(f"a signal of width {width} and {init} overflows")
            kinds = product(*NAMES[2:])
            for kind, row in zip(kinds, table.reshape(-1, table.shape[-1]), strict=True):
                # Adding zero turns a rounded -0.0 into 0.0.
                numbers: list[float | None] = [round(float(v), 2) + 0.0 for v in row]
                if (init, *kind) == CHAOTIC:
                    numbers = [v if keep else None for v, keep in zip(numbers, kept(), strict=True)]
                found[" ".join((name, init, *kind))] = numbers
    both = [v for key, v in found.items() if "none" not in key and "skip" in key]
    ends = [[row[-2 * len(DEPTHS) + end :: 2] for row in both] for end in (0, 1)]
    ends = [[v for row in rows for v in row] for rows in ends]
    return {
        "kept": {
            f"{norm}_{skip}": [kept_kinds(found, norm, skip, depth) for depth in DEPTHS]
            for norm, skip in product(*NAMES[3:])
        },
        # over all seeds, depths and kinds with skip connections and a normalisation
        "with_both": {"low": min(ends[0]), "high": max(ends[1])},
        "of": len(found) // len(NORMS) // 2,
        "seeds": SEEDS,
        "batch": BATCH,
        "depths": DEPTHS,
        "widths": WIDTHS,
        "layers": LAYERS,
        "kinds": len(found),
        "signals": found,
    }


def script(result: dict[str, Any]) -> str:
    """The module that the page loads: settings, and all numbers as hundredths in 16 bits."""
    keys = [" ".join(kind) for kind in product(*NAMES)]
    levels = np.array(
        [[NOTHING if v is None else v for v in result["signals"][key]] for key in keys]
    )
    packed = base64.b64encode(np.rint(100 * levels).astype("<i2").tobytes()).decode()
    about = {
        "seeds": result["seeds"],
        "batch": result["batch"],
        "depths": result["depths"],
        "parts": PARTS,
        "zero": ZERO,
        "nothing": NOTHING,
        "reproducible": REPRODUCIBLE,
        "layers": result["layers"],
        "names": NAMES,
    }
    return (
        "// Written by experiments/gradients_explorer.py; depth-explorer-engine.js reads it.\n"
        f"export const about = {json.dumps(about)};\n"
        f'export const packed =\n  "{packed}";\n'
    )


def draw(result: dict[str, Any], lang: str) -> Figure:
    from experiments.style import INK, SERIES, new_figure

    if lang == "en":
        SCRIPT.write_text(script(result), encoding="utf-8")
    names = {
        "none plain": {"en": "alone", "zh": "单独"},
        "layer plain": {"en": "layer norm", "zh": "层归一化"},
        "batch plain": {"en": "batch norm", "zh": "批归一化"},
        "none skip": {"en": "skip", "zh": "跳跃连接"},
        "layer skip": {"en": "skip and layer norm", "zh": "跳跃连接加层归一化"},
    }
    titles = {"en": ("size of h", "size of the gradient"), "zh": ("h 的大小", "梯度的大小")}[lang]
    depth = 50
    fig, (left, right) = new_figure(7.2, 3.7, ncols=2, sharey=True)
    forward = [0, *(layer for layer in LAYERS if layer <= depth)]
    backward = [depth * k // PARTS for k in range(PARTS + 1)]
    for (name, label), color in zip(names.items(), SERIES, strict=False):
        row = result["signals"][f"w64 torch relu {name}"]
        at = len(LAYERS) + PARTS * DEPTHS.index(depth)
        left.plot(forward, [0.0, *row[: len(forward) - 1]], color=color, marker="o", markersize=3)
        values = [*row[at : at + PARTS], 0.0]
        right.plot(backward, values, color=color, marker="o", markersize=3, label=label[lang])
    for ax, title in ((left, titles[0]), (right, titles[1])):
        ax.axhline(0.0, color=INK, linewidth=0.8)
        ax.set_title(title, fontsize=10)
        ax.set_xlabel({"en": "layer", "zh": "层"}[lang])
    left.set_ylabel("log10")
    fig.legend(loc="outside upper center", ncols=3)
    return fig
