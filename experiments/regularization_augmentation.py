"""Augmentation by rotation: good as far as the test images are turned, bad beyond.

Digits (see `_digits`), 12 seeds, 300 gradients, one rate. In each step every training image is
turned by a random multiple of 10 degrees up to a largest angle. Tested on images as they are, and
on images turned by up to 30 degrees. ``confused``: the share of sixes and nines that are taken for
the other one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments import _digits as digits
from experiments._claim import Claim
from experiments._many_nets import spread
from experiments._regularized_nets import paired

RTOL = 1e-3
SEEDS, STEPS, RATE = 12, 300, 0.3
ANGLES = (0, 10, 20, 30, 60, 90, 180)
TURNED = 30

WORKED = ("seeds", "steps", "angles*", "turned")
CLAIMS = (
    Claim(
        id="regularization-augmentation-as-the-world-turns",
        en="Training images turned by up to 30° raise the accuracy on test images that are turned "
        "by as much from {{ regularization_augmentation.turned_test[0].mean | pct1 }} to "
        "{{ regularization_augmentation.turned_test[3].mean | pct1 }}, in all "
        "{{ regularization_augmentation.seeds }} runs, and no other angle does better on average.",
        zh="把训练图像随机旋转至多 30°，在同样旋转过的测试图像上，准确率从 "
        "{{ regularization_augmentation.turned_test[0].mean | pct1 }} 升到 "
        "{{ regularization_augmentation.turned_test[3].mean | pct1 }}，"
        "{{ regularization_augmentation.seeds }} 次训练次次如此，其他角度平均都不如它。",
        criterion="gain.turned[3].min > 0 and "
        "turned_test[3].mean == max([a.mean for a in turned_test])",
        covers=("turned_test*", "gain.turned*"),
        runs="seeds",
        spread=("gain.turned[3].min", "gain.turned[3].max"),
        figure="regularization-augmentation",
    ),
    Claim(
        id="regularization-augmentation-hurts-upright",
        en="On upright test images the same augmentation lowers the accuracy: from "
        "{{ regularization_augmentation.upright_test[0].mean | pct1 }} to "
        "{{ regularization_augmentation.upright_test[3].mean | pct1 }} at 30° and "
        "{{ regularization_augmentation.upright_test[6].mean | pct1 }} at 180°, in all "
        "{{ regularization_augmentation.seeds }} runs. At 180° "
        "{{ regularization_augmentation.confused[6].mean | pct }} of the sixes and nines are taken "
        "for the other one (without: {{ regularization_augmentation.confused[0].mean | pct1 }}).",
        zh="在正放的测试图像上，同样的增强反而降低准确率：从 "
        "{{ regularization_augmentation.upright_test[0].mean | pct1 }} 降到 30° 时的 "
        "{{ regularization_augmentation.upright_test[3].mean | pct1 }} 和 180° 时的 "
        "{{ regularization_augmentation.upright_test[6].mean | pct1 }}，"
        "{{ regularization_augmentation.seeds }} 次训练次次如此。180° 时 6 和 9 有 "
        "{{ regularization_augmentation.confused[6].mean | pct }} 被认作对方（不旋转时为 "
        "{{ regularization_augmentation.confused[0].mean | pct1 }}）。",
        criterion="gain.upright[6].max < 0 and gain.upright[3].max < 0 and "
        "confused[6].mean > 0.05 and confused[0].mean < 0.01",
        covers=("upright_test*", "gain.upright*", "confused*"),
        runs="seeds",
        spread=("gain.upright[6].min", "gain.upright[6].max"),
        figure="regularization-augmentation",
    ),
)


def run() -> dict[str, Any]:
    _, label = digits.images()
    bank = digits.turned()
    middle = len(bank) // 2
    part = digits.split(SEEDS)
    rng = np.random.default_rng(0)
    largest = np.array(ANGLES)[:, None, None] / digits.STEP

    def batch(step: int) -> np.ndarray:
        # one draw for all angles: only the largest angle differs
        angle = np.rint(largest * rng.uniform(-1.0, 1.0, part.train.shape)).astype(int)
        return bank[middle + angle, part.train]

    onehot = np.broadcast_to(np.eye(10)[label[part.train]], (len(ANGLES), SEEDS, 100, 10))
    params = digits.fit(batch, onehot, RATE, STEPS)

    angle = rng.integers(-TURNED // digits.STEP, TURNED // digits.STEP + 1, part.test.shape)
    truth = label[part.test]
    found = digits.log_p(params, bank[middle, part.test])
    accuracy = {
        "train": digits.accuracy(digits.log_p(params, bank[middle, part.train]), label[part.train]),
        "upright": digits.accuracy(found, truth),
        "turned": digits.accuracy(digits.log_p(params, bank[middle + angle, part.test]), truth),
    }
    either = (truth == 6) | (truth == 9)
    swapped = either & (found.argmax(axis=-1) == 15 - truth)
    confused = swapped.sum(axis=-1) / either.sum(axis=-1)
    return {
        "seeds": SEEDS,
        "steps": STEPS,
        "angles": ANGLES,
        "turned": TURNED,
        "train": [spread(v) for v in accuracy["train"]],
        "upright_test": [spread(v) for v in accuracy["upright"]],
        "turned_test": [spread(v) for v in accuracy["turned"]],
        "gain": {
            k: [
                paired(v - accuracy[k][0]) if i else spread(v - v)
                for i, v in enumerate(accuracy[k])
            ]
            for k in ("upright", "turned")
        },
        "confused": [spread(v) for v in confused],
    }


def draw(result: dict[str, Any], lang: str) -> dict[str, Any]:
    from experiments._dots import draw_bands
    from experiments.style import SERIES, new_figure

    t = {
        "en": ("training images are turned by up to", "accuracy", "training images, upright",
               "test images, upright", "test images, turned by up to 30°"),
        "zh": ("训练图像随机旋转的最大角度", "准确率", "训练图像，正放", "测试图像，正放",
               "测试图像，旋转至多 30°"),
    }[lang]  # fmt: skip
    fig, ax = new_figure(6.4, 3.4)
    places = list(range(len(ANGLES)))
    names = (("train", t[2]), ("upright_test", t[3]), ("turned_test", t[4]))
    for (key, label), color in zip(names, SERIES, strict=False):
        draw_bands(ax, places, result[key], color=color, marker="o", markersize=4, label=label)
    ax.set_xticks(places, [f"{a}°" for a in ANGLES])
    ax.set_xlabel(t[0])
    ax.set_title(t[1])
    ax.set_ylim(0.3, 1.03)
    ax.set_yticks(
        [0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0],
        ["40 %", "50 %", "60 %", "70 %", "80 %", "90 %", "100 %"],
    )
    ax.legend(loc="lower left")
    return {"regularization-augmentation": fig}
