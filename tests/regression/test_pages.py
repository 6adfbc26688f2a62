"""The sentences of the practice pages hold for the numbers that they inject."""

import json
from pathlib import Path

RESULTS = Path(__file__).parents[2] / "experiments" / "results"


def result(name):
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def test_the_network_gains_nothing_over_the_line():
    r = result("regression")
    assert r["sgd_1e2"]["population"]["mean"] > r["least_squares"]["population"]["mean"]
    assert r["gap_to_least_squares"]["mean"] > 0
    assert r["gap_to_least_squares"]["largest"] < 0.25


def test_least_squares_is_where_the_theory_puts_it():
    r = result("regression")["least_squares"]
    standard_error = 30**-0.5
    n = 100
    assert abs(r["train"]["mean"] - (1 - 2 / n)) < 3 * r["train"]["sd"] * standard_error
    theory = 1 + 1 / n + (n + 1) / (n * (n - 3))
    assert round(theory, 4) == 1.0204
    assert abs(r["population"]["mean"] - theory) < 3 * r["population"]["sd"] * standard_error


def test_small_learning_rates_are_not_finished():
    r = result("regression")
    for slow, done in (("sgd_1e3", "sgd_1e2"), ("adam_1e3", "adam_1e2")):
        assert r[slow]["population"]["mean"] > 1.5 * r[done]["population"]["mean"]


def test_a_test_loss_below_one_means_nothing():
    r = result("regression")
    assert 0 < r["below_one"]["count"] < r["seeds"]
    assert r["below_one"]["smallest_population"] > 1
    assert abs(r["perfect"]["sd"] - 0.02**0.5) < 1e-3
    assert r["mean_of_batch_means"]["weight_ratio"] == 8


def test_numpy_and_pytorch_agree_to_rounding():
    r = result("regression_parity")
    assert r["steps"] == 400
    assert r["largest_weight_difference"] < 1e-13


def test_on_the_diabetes_file_the_network_overfits():
    r = result("regression_diabetes")
    assert r["mlp_better"]["train"] == r["seeds"]
    assert r["mlp_better"]["test"] < r["seeds"] / 2
    assert r["mlp"]["test"]["mean"] > r["least_squares"]["test"]["mean"]
    assert r["mlp"]["test"]["mean"] < 0.6 * r["constant"]["test"]["mean"]


def test_each_missing_line_has_the_effect_of_the_table():
    r = result("regression_omissions")
    complete = r["complete"]["median"]
    assert r["zero_grad_last"]["same_weights"]
    unmoved = {r[v]["median"] for v in ("no_step", "step_before_backward", "zero_grad_before_step")}
    assert len(unmoved) == 1
    assert unmoved.pop() > 5 * complete
    assert r["in_order"]["worse"] > r["seeds"] / 2
    assert complete < r["in_order"]["median"] < 1.2 * complete
    assert 3.5 < r["one_dimensional_labels"]["median"] < 6
    assert r["dropout"]["train"] > 1.3 * r["dropout"]["eval"]
