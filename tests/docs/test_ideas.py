"""What the pages under ideas/ say in words holds for the numbers that they inject.

The drift test keeps the committed results equal to a fresh run; these tests keep the
sentences equal to the results.
"""

from __future__ import annotations

import pytest

from experiments.run import read_result


def test_what_it_is() -> None:
    result = read_result("what_it_is")
    rules = result["rules"]
    assert rules["none"]["moved"] == 0.0  # "the loss is what it was"
    assert rules["none"]["last"] == result["start"]
    others = [rules[name]["last"] for name in ("gd", "momentum", "rmsprop", "adam")]
    assert max(others) < 0.1 * result["start"]
    assert len({round(value, 4) for value in others}) == 4
    # One source of gradients: all rules see the same first one.
    assert len({rule["gradient_norm"] for rule in rules.values()}) == 1
    swap = result["swap"]
    assert swap["largest_gap"] < 1e-8  # "the optimizer can't tell the two apart"
    assert swap["forward_differences"] == 2 * swap["parameters"] * swap["steps"]
    assert swap["forward_backprop"] == swap["backward_backprop"] == swap["steps"]


def test_algorithm_shapes() -> None:
    shapes = read_result("algorithm")
    batch = shapes["X"][0]
    for name in ("A1", "H1", "yhat", "D1", "D2", "y"):
        assert shapes[name][0] == batch  # "the batch size appears in everything handed on"
    for name in ("dW1", "db1", "dW2", "db2"):
        assert batch not in shapes[name]  # "it does not appear in the gradients"


def test_algorithm_order() -> None:
    result = read_result("algorithm_order")
    one = result["lr_1"]["median"]  # "the error is proportional to the learning rate"
    assert result["lr_0_1"]["median"] == pytest.approx(0.1 * one)
    assert result["lr_0_01"]["median"] == pytest.approx(0.01 * one)


def test_algorithm_symmetry() -> None:
    result = read_result("algorithm_symmetry")
    for start in ("all_zero", "equal"):
        assert result[start]["spread_max"] == 0.0  # "exactly zero in every run"
        assert result[start]["loss_median"] > 5 * result["equal_random_bias"]["loss_median"]
    separate = result["random_zero_bias"]
    assert separate["spread_median"] > 1
    assert separate["loss_median"] < 0.25 * result["equal_random_bias"]["loss_median"]


def test_algorithm_loss() -> None:
    result = read_result("algorithm_loss")
    assert result["mini_batch"]["share_min"] > 0.25
    assert result["full_batch"]["share_max"] == 0.0
    stop = result["stop"]  # "the lowest training loss has the highest test loss"
    assert min(stop, key=lambda rule: stop[rule]["train"]) == "budget"
    assert max(stop, key=lambda rule: stop[rule]["test"]) == "budget"


def test_cost() -> None:
    result = read_result("strengths_and_limits_cost")
    assert result["slope"]["step"] == pytest.approx(1, abs=1e-3)
    assert result["slope"]["differences"] == pytest.approx(2, abs=1e-3)
    layers = result["layers"]
    assert result["ratio"]["backward"] == 2 - 1 / layers  # the first layer has nobody below
    paths = result["paths"]
    assert paths["naive"][0] < paths["backprop"][0]  # "with two layers … even cheaper"
    assert paths["naive"][-1] > 100 * paths["backprop"][-1]
    growth = [b / a for a, b in zip(paths["naive"], paths["naive"][1:], strict=False)]
    assert min(growth) > 4  # exponential: at least the width, in every layer
    assert paths["difference_max"] < 1e-15
    memory = result["memory"]
    assert memory["stored_double_batch"] == memory["stored_double_depth"] == 2 * memory["stored"]
    assert memory["checkpoint_stored"] == memory["stored"] / 2  # "half the memory"
    assert memory["checkpoint_difference"] == 0.0


def test_robustness() -> None:
    result = read_result("strengths_and_limits_robustness")
    accuracy = result["fgsm"]
    assert accuracy["fgsm_e0_25"] < 0.6 < 0.97 < accuracy["random_e0_25"]
    assert accuracy["fgsm_e0_5"] < 0.1 < 0.97 < accuracy["random_e0_5"]
    assert result["lr_0_01"]["failed"] == result["lr_0_001"]["failed"] == 0
    assert result["lr_0_01_scaled"]["failed"] == result["lr_0_01_scaled"]["seeds"]
    assert result["lr_0_001"]["median"] > result["lr_0_01"]["median"]


def test_convergence() -> None:
    result = read_result("strengths_and_limits_convergence")
    for key, kappa in (("k100", 100), ("k1000", 1000), ("k10000", 10000)):
        assert result["gradient_descent"][key] == pytest.approx(6.9 * kappa, rel=0.01)
        assert result["momentum"][key] < 15 * kappa**0.5
        assert result["newton"][key] == 1


def test_overfitting() -> None:
    result = read_result("strengths_and_limits_overfitting")
    nine = result["degree9"]
    assert nine["eigenvalue_min"] > 1e-3  # convex: one optimum
    assert nine["gradient_max"] < 1e-12  # and the fit is at it
    assert nine["train"] < 1e-20
    assert nine["test"] > 3 * result["degree1"]["test"]
    assert result["degree9_more_data"]["test"] < 1.1 * result["noise_variance"]


def test_depth() -> None:
    result = read_result("strengths_and_limits_depth")
    assert result["sigmoid_xavier"]["first"] < 1e-30  # "more than thirty orders of magnitude"
    assert result["tanh_large"]["first"] > 1e6
    for name in ("tanh_xavier", "relu_he"):
        assert 0.05 < result[name]["first"] < 20
