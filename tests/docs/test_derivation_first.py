"""What the first derivation pages say in words holds for the numbers that they inject.

The model, one layer, two layers. The drift test keeps the committed results equal to a fresh
run; these tests keep the sentences equal to the results.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

import bpref.functional as F
from experiments.run import read_result


def test_model_layer_in_numbers() -> None:
    x, W, b = np.array([[1.0, 2.0]]), np.array([[1.0, -2.0], [3.0, 1.0]]), np.array([0.0, -4.0])
    a, _ = F.linear(x, W, b)
    assert a.tolist() == [[-3, 1]]
    assert F.relu(a)[0].tolist() == [[0, 1]]


def test_model_losses_in_numbers() -> None:
    three, one = np.array([[3.0]]), np.array([[1.0]])
    zero, none = np.zeros((1, 1)), np.zeros((1, 3))
    table = [
        (F.half_mse_loss, F.half_mse_loss_backward, three, one, 2, [2]),
        (F.mse_loss, F.mse_loss_backward, three, one, 4, [4]),
        (
            F.binary_cross_entropy_with_logits,
            F.binary_cross_entropy_with_logits_backward,
            zero,
            one,
            math.log(2),
            [-1 / 2],
        ),
        (
            F.cross_entropy,
            F.cross_entropy_backward,
            none,
            np.array([0]),
            math.log(3),
            [1 / 3 - 1, 1 / 3, 1 / 3],
        ),
    ]
    for loss, backward, prediction, label, value, derivative in table:
        found, cache = loss(prediction, label)
        assert found == pytest.approx(value)
        assert backward(1.0, cache)[0] == pytest.approx(derivative)


def test_model() -> None:
    assert 0.25**10 < 1e-6  # "ten of them in a row"
    assert read_result("model")["logits"] == {"bce": True, "cross_entropy": True}


def test_one_layer() -> None:
    sample = read_result("one_layer")["sample"]
    assert sample["dW"] == pytest.approx([sample["delta"] * x for x in sample["x"]])
