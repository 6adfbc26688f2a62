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
    assert sample["by_jacobian"] == pytest.approx(sample["delta"], rel=1e-12)  # "both rows agree"
    assert sample["quotient"] == pytest.approx(sample["delta"][0], rel=1e-8)
    assert sample["delta_sum"] < 1e-15  # "the gradient adds up to zero"
    pushed = [sample["delta"][k] / sample["p"][k] for k in (0, 2)]
    assert pushed[0] == pytest.approx(pushed[1])  # "each in proportion to its probability"
    table = sample["jacobian"]
    for k in range(3):
        assert sum(table[k]) == pytest.approx(0, abs=1e-15)
        for j in range(3):
            assert table[k][j] == pytest.approx(table[j][k])  # "symmetric"
            assert (table[k][j] > 0) == (k == j)  # "positive on the diagonal, negative elsewhere"
    assert sample["p_new"][1] > sample["p"][1]
    assert sample["J_new"] < sample["J"]


def test_softmax_smoothing() -> None:
    smoothing = read_result("softmax_cross_entropy")["smoothing"]
    assert sum(smoothing["q"]) == pytest.approx(1)
    assert sum(smoothing["delta"]) == pytest.approx(0, abs=1e-15)
    assert smoothing["J"] > smoothing["J_min"] > 0  # "not zero but the entropy"
    entropy = -sum(q * math.log(q) for q in smoothing["q"])
    assert smoothing["J_min"] == pytest.approx(entropy)
    ratio = smoothing["q"][1] / smoothing["q"][0]
    assert smoothing["gap"] == pytest.approx(math.log(ratio))


def test_softmax_check_and_mistake() -> None:
    result = read_result("softmax_cross_entropy")
    assert result["check"]["central"] <= 1e-6
    assert result["check"]["torch"] <= 1e-10
    assert result["check"]["eigenvalue_above"] > -1e-12  # "never negative along any direction"
    wrong = result["diagonal"]
    assert wrong["right_class"] < 1e-15  # "the right class gets its true gradient"
    assert wrong["other_classes"] == 0.0  # "all other classes get 0"
    assert min(wrong["cross_entropy"], wrong["half_mse"]) > 0.3
    assert wrong["end_right"] < wrong["start"] < wrong["end_diagonal"]  # "above the start"
    assert wrong["higher"] == wrong["seeds"]


def test_batch_norm_sample() -> None:
    sample = read_result("batch_normalization")["sample"]
    assert sample["chain"] == pytest.approx(sample["dx"], abs=1e-15)
    assert sample["quotient"] == pytest.approx(sample["dx"][0], rel=1e-6)
    assert max(sample["dx_sum"], sample["dx_along"]) < 1e-15  # the two sums
    signs = [a * b < 0 for a, b in zip(sample["constant"], sample["dx"], strict=True)]
    assert signs == [False, True, False, True]  # "at samples 2 and 4 even the sign changes"
    assert sample["too_large"] > 3
    # The paths of sample 1 that the page spells out.
    paths = (-0.18, 2 * sample["grad_v"] * (-7) / 4, sample["grad_mu"] / 4)
    assert paths[1] == pytest.approx(0.133)
    assert sum(paths) == pytest.approx(sample["chain"][0])


def test_batch_norm_projection_and_mistake() -> None:
    result = read_result("batch_normalization")
    assert result["check"]["central"] <= 1e-6
    assert result["check"]["torch"] <= 1e-10
    projection = result["projection"]
    assert projection["along"] <= projection["ones"] <= 1e-12  # one bound is printed for both
    assert projection["kept"] < 1e-9
    assert projection["pair_zero"] < 1e-15 < projection["pair_eps"] < 1e-4
    wrong = result["constant"]
    assert wrong["cosine_n4"] < 0.8 < 0.95 < wrong["cosine_n32"]  # "the larger the batch"
    assert wrong["error_n4"] > wrong["error_n32"]
    assert wrong["end_right"] < wrong["end_wrong"] < 1.1 * wrong["end_right"]
    assert wrong["end_wrong"] < 0.1 * wrong["start"]  # "training hides it"
    assert wrong["seeds"] / 2 < wrong["higher"] < wrong["seeds"]


def test_cost_formulas() -> None:
    result = read_result("cost_and_memory")
    layer = result["layer"]
    size = layer["N"] * layer["d"] * layer["m"]
    assert layer["linear"] == layer["weights"] == layer["inputs"] == size
    assert layer["linear_backward"] == 2 * layer["linear"]
    assert layer["tanh"] == 0
    assert layer["tanh_backward"] == 2 * layer["N"] * layer["m"]
    assert result["formula"]["equal"] is True  # "equal these formulas exactly"
    assert 1 == result["formula"]["min"] < result["formula"]["max"] < 2
    ratio = result["ratio"]
    assert ratio["products"] == [2 - 1 / depth for depth in ratio["depths"]]
    assert set(ratio["products_by_width"]) == {1.875}
    assert ratio["by_width"] == sorted(ratio["by_width"], reverse=True)
    assert ratio["all"]["w4"][-1] > 2.4
    assert 2 < ratio["all"]["w16"][-1] < 2.15
    assert ratio["all"]["w128"][-1] < 2
    digits = ratio["digits"]
    assert digits["ratio"] < 1.02  # "far from 2"
    assert digits["forward"] + digits["backward"] <= 3 * 64 * digits["parameters"]


def test_cost_of_paths_and_differences() -> None:
    result = read_result("cost_and_memory")
    paths = result["paths"]
    n = paths["width"]
    for L, count, naive, reuse in zip(
        paths["depths"], paths["paths"], paths["naive"], paths["reuse"], strict=True
    ):
        assert count == n**L
        assert naive == 2 * (L - 1) * n**L
        assert reuse == (L - 1) * (n * n + n)
    growth = [b / a for a, b in zip(paths["naive"], paths["naive"][1:], strict=False)]
    assert min(growth) > 9  # "by more than nine"
    steps = [b - a for a, b in zip(paths["reuse"], paths["reuse"][1:], strict=False)]
    assert set(steps) == {paths["reuse_more"]}
    assert paths["difference"] <= 1e-12
    rows = [result["differences"][name] for name in ("w4", "w8", "w16")]
    for row in rows:
        assert row["agree"] is True
        assert row["passes"] == 2 * row["parameters"]
        assert row["central"] == row["passes"] * row["forward"]
        assert row["backprop"] <= 3 * 4 * row["parameters"]
        # "quadratic": the ratio grows in proportion to the parameters
        assert row["ratio"] / row["parameters"] == pytest.approx(0.7, abs=0.05)


def test_memory_and_checkpoints() -> None:
    result = read_result("cost_and_memory")
    memory = result["memory"]
    assert memory["parameters"] == 16 * (64 * 64 + 64)
    for name, stored in memory["rows"].items():
        assert stored == int(name[1:]) * 17 * 64
        assert (stored > memory["parameters"]) == (int(name[1:]) >= memory["batch_equal"])
    points = result["checkpoints"]
    for L, stored, root, again, halving, again2 in zip(
        *(points[key] for key in ("depths", "all", "root", "again", "halving", "again2")),
        strict=True,
    ):
        assert stored == L + 1
        assert root == 2 * math.isqrt(L)
        assert again == (math.isqrt(L) - 1) ** 2 < L  # "less than one forward pass"
        assert root + again == L + 1
        assert halving == math.log2(L) + 2
        assert again2 == L // 2 * math.log2(L) - L + 1
    assert points["difference"] == 0.0
    nine = points["nine"]
    assert nine["rest"] == nine["one"]  # "as many as without any checkpoint"
    assert nine["equal"]["peak"] < nine["rest"]["peak"]
