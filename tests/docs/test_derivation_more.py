"""What three derivation pages say in words holds for the numbers that they inject.

Softmax and cross-entropy, batch normalization, cost and memory. The drift test keeps the
committed results equal to a fresh run; these tests keep the sentences equal to the results.
"""

from __future__ import annotations

import math

import pytest

from experiments.run import read_result


def test_softmax_sample() -> None:
    sample = read_result("softmax_cross_entropy")["sample"]
    pushed = [sample["delta"][k] / sample["p"][k] for k in (0, 2)]
    assert pushed[0] == pytest.approx(pushed[1])  # "each in proportion to its probability"
    table = sample["jacobian"]
    for k in range(3):
        assert sum(table[k]) == pytest.approx(0, abs=1e-15)
        for j in range(3):
            assert table[k][j] == pytest.approx(table[j][k])  # "symmetric"
            assert (table[k][j] > 0) == (k == j)  # "positive on the diagonal, negative elsewhere"


def test_softmax_smoothing() -> None:
    smoothing = read_result("softmax_cross_entropy")["smoothing"]
    assert sum(smoothing["q"]) == pytest.approx(1)
    assert sum(smoothing["delta"]) == pytest.approx(0, abs=1e-15)
    ratio = smoothing["q"][1] / smoothing["q"][0]
    assert smoothing["gap"] == pytest.approx(math.log(ratio))


def test_softmax_mistake() -> None:
    result = read_result("softmax_cross_entropy")
    curve = [point["median"] for point in result["training"]["curves"]["diagonal"]]
    lowest = result["training"]["curve_steps"][curve.index(min(curve))]
    assert 10 <= lowest <= 30  # "turns after some twenty steps"
    assert curve[lowest // 10 :] == sorted(curve[lowest // 10 :])  # "falls at first, then rises"
    errors = result["diagonal"]
    for loss, least, most in (("cross_entropy", 0.49, 0.59), ("half_mse", 0.30, 0.52)):
        assert errors[loss]["least"] == pytest.approx(least, abs=0.005)
        assert errors[loss]["most"] == pytest.approx(most, abs=0.005)


def test_batch_norm_sample() -> None:
    sample = read_result("batch_normalization")["sample"]
    # The paths of sample 1 that the page spells out.
    paths = (-0.18, 2 * sample["grad_v"] * (-7) / 4, sample["grad_mu"] / 4)
    assert paths[1] == pytest.approx(0.133)
    assert sum(paths) == pytest.approx(sample["chain"][0])


def test_batch_norm_projection_and_mistake() -> None:
    result = read_result("batch_normalization")
    projection = result["projection"]
    assert projection["along"]["below"] <= projection["ones"]["below"]  # one bound for both
    assert projection["pair_zero"] < 1e-15 < projection["pair_eps"] < 1e-4
    cosine = result["constant"]["cosine"]
    assert [cosine[k]["median"] for k in (0, -1)] == pytest.approx([0.7, 0.99], abs=0.01)
    assert cosine[0]["least"] < 0.1 < 0.85 < cosine[-1]["least"] < 0.95  # "near 0 to 0.9"


def test_cost_formulas() -> None:
    result = read_result("cost_and_memory")
    formula = result["formula"]
    assert formula["layers"][formula["ratios"].index(formula["min"])] == 1  # "(one layer)"
    ratio = result["ratio"]
    assert set(ratio["products_by_width"]) == {1.875}
    assert ratio["all"]["w4"][-1] > 2.4
    assert 2 < ratio["all"]["w16"][-1] < 2.15
    assert ratio["all"]["w128"][-1] < 2


def test_cost_of_paths_and_differences() -> None:
    result = read_result("cost_and_memory")
    paths = result["paths"]
    n = paths["width"]
    for L, naive, reuse in zip(paths["depths"], paths["naive"], paths["reuse"], strict=True):
        assert naive == 2 * (L - 1) * n**L
        assert reuse == (L - 1) * (n * n + n)
    for name in ("w4", "w8", "w16"):
        row = result["differences"][name]
        assert row["backprop"] <= 3 * 4 * row["parameters"]


def test_memory_and_checkpoints() -> None:
    result = read_result("cost_and_memory")
    memory = result["memory"]
    assert memory["parameters"] == 16 * (64 * 64 + 64)
    for name, stored in memory["rows"].items():
        assert stored == int(name[1:]) * 17 * 64
    points = result["checkpoints"]
    for L, again, halving, again2 in zip(
        *(points[key] for key in ("depths", "again", "halving", "again2")), strict=True
    ):
        assert again == (math.isqrt(L) - 1) ** 2 < L  # "less than one forward pass"
        assert halving == math.log2(L) + 2
        assert again2 == L // 2 * math.log2(L) - L + 1
