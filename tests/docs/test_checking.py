"""What the pages under checking/ say in words holds for the numbers that they inject.

The drift test keeps the committed results equal to a fresh run; these tests keep the
sentences equal to the results.
"""

from __future__ import annotations

import math

import pytest

from experiments.gradient_checking import EPSILON, STEPS
from experiments.run import read_result

GRADIENT = read_result("gradient_checking")
PARITY = read_result("parity")
DRIFT = read_result("parity_drift")
DEBUGGING = read_result("debugging")


def test_sample_has_two_digits_and_then_none() -> None:
    sample = GRADIENT["sample"]
    assert f"{sample['h1']['central']:.2f}" == f"{sample['exact']:.2f}"  # "two digits are right"
    assert f"{sample['h1']['central']:.3f}" != f"{sample['exact']:.3f}"
    central = [sample[f"h{k}"]["central_error"] for k in (1, 3, 5)]
    assert central == sorted(central, reverse=True)  # "a smaller step helps"
    assert sample["h5"]["central_error"] < sample["h12"]["central_error"]  # "then it hurts"
    assert sample["h17"]["forward"] == sample["h17"]["central"] == 0.0  # "the quotient is zero"
    assert abs(sample["complex"] / sample["exact"] - 1) < 1e-15  # "with all its digits"


def test_branches_have_the_slopes_of_the_derivation() -> None:
    for bits in (64, 32):
        slope = GRADIENT["curves"]["slope"]
        assert slope[f"forward_{bits}"]["truncation"] == pytest.approx(1, abs=0.05)
        assert slope[f"central_{bits}"]["truncation"] == pytest.approx(2, abs=0.05)
        for method in ("forward", "central"):
            assert slope[f"{method}_{bits}"]["rounding"] == pytest.approx(-1, abs=0.1)


def test_best_steps_follow_the_powers_of_epsilon() -> None:
    best = GRADIENT["curves"]["best"]
    for bits in (64, 32):
        for method, step, left in (("forward", 1 / 2, 1 / 2), ("central", 1 / 3, 2 / 3)):
            found = best[f"{method}_{bits}"]
            assert 0.1 < found["h"] / EPSILON[bits] ** step < 10
            assert 0.05 < found["error"] / EPSILON[bits] ** left < 10
        complex_errors = GRADIENT["curves"]["median"][f"complex_{bits}"]
        small = [e for e, h in zip(complex_errors, STEPS, strict=True) if float(h) < 1e-8]
        assert max(small) < EPSILON[bits]  # "any, small"
    assert best["central_32"]["h"] == pytest.approx(1000 * best["central_64"]["h"])
    assert best["central_32"]["error"] > 5e5 * best["central_64"]["error"]
    for method in ("forward", "central"):  # "the typical one is about ten times smaller"
        predicted = GRADIENT["optimum"][f"{method}_64"]["error"]
        assert 5 < predicted / best[f"{method}_64"]["error"] < 20


def test_a_factor_of_ten_costs_two_digits_at_most() -> None:
    median = GRADIENT["curves"]["median"]["central_64"]
    low = median.index(min(median))
    for other in (low - 3, low + 3):
        assert median[other] < 120 * median[low]
        assert median[other] < 1e-8


def test_tolerances_separate_right_from_wrong() -> None:
    tolerance = GRADIENT["tolerance"]
    assert tolerance["complex"] < 1e-10
    assert tolerance["central"] <= 1e-6
    assert tolerance["forward"] <= 1e-3
    assert tolerance["complex"] < tolerance["central"] < tolerance["forward"]


def test_directions_find_what_elements_miss() -> None:
    scale = GRADIENT["scale"]
    assert scale["element"] > 0.95 > 20 * scale["element_sampled"]
    assert scale["array"] == 1.0 > 10 * scale["array_sampled"]
    assert scale["calls_directions"] == 2 * scale["directions"]
    assert scale["calls_all"] == 2 * scale["parameters"]


def test_two_masks_are_two_functions() -> None:
    dropout = GRADIENT["dropout"]
    assert dropout["fresh_error"] > 1e5
    assert dropout["same_below"] < 1e-8


def test_four_routes_agree() -> None:
    routes = PARITY["routes"]
    for name in ("W_1", "b_1", "W_2", "b_2"):
        for route in ("graph", "autograd"):  # "the same in all digits shown"
            assert shown(routes[route][name], 12) == shown(routes["hand"][name], 12)
        assert shown(routes["differences"][name], 9) == shown(routes["hand"][name], 9)
    for bounds in (routes["distance"], PARITY["random"]):
        assert bounds["graph"] == bounds["autograd"] <= 1e-13
        assert bounds["differences"] <= 1e-6


def shown(values: list, digits: int) -> list[str]:
    flat = [v for row in values for v in (row if isinstance(row, list) else [row])]
    return [f"{value:.{digits}f}" for value in flat]


def test_accumulation() -> None:
    accumulate = PARITY["accumulate"]
    for name in ("graph", "torch"):  # "the sum of two equal gradients"
        assert accumulate[name]["twice"] == 2 * accumulate[name]["once"]
    assert accumulate["keeping"]["once"] == accumulate["torch"]["once"]
    assert accumulate["keeping"]["twice"] == 3 * accumulate["keeping"]["once"]


def test_orders_of_a_sum_differ() -> None:
    order = PARITY["order"]
    assert order["forward"]["sum"] != order["backward"]["sum"] != order["pairs"]["sum"]
    assert order["pairs"]["error"] < 0.1 * order["forward"]["error"]
    assert max(order[k]["error"] for k in ("forward", "backward", "pairs")) < 1e-5


def test_drift_starts_at_the_precision_and_grows_slowly() -> None:
    logs = DRIFT["log10"]
    for name, bits in (("float64", 64), ("adam", 64), ("float32", 32), ("mixed", 32)):
        assert abs(logs[name][0] - math.log10(EPSILON[bits])) < 1.5
        assert 0.5 < logs[name][-1] - logs[name][0] < 2.5  # "one or two powers of ten"
        assert logs[name] == sorted(logs[name])
    assert DRIFT["marks"][8] == DRIFT["steps"]  # the index that the page uses
    assert logs["float32"][-1] < logs["mixed"][-1]
    assert -8 < logs["float32"][-1] < logs["mixed"][-1] < -5


def test_debugging_values_before_training() -> None:
    init = DEBUGGING["init"]
    assert init["min"] < init["expected"] < init["max"] < init["expected"] + 0.3
    assert init["large"] > 10 * init["expected"]
    double = DEBUGGING["double"]
    assert double["floor"] < double["twice"] < double["floor"] + 0.01
    assert double["once"] < 0.01
    assert double["start"] == pytest.approx(math.log(10), abs=0.01)  # "shows nothing"
    broadcast = DEBUGGING["broadcast"]
    assert broadcast["flat"] == pytest.approx(broadcast["variance"])
    assert broadcast["right"] < 0.02


def test_debugging_gradients_and_updates() -> None:
    assert DEBUGGING["check"]["missing_slope"] > 0.1
    assert DEBUGGING["norms"]["sigmoid"] < 1e-5
    assert 0.1 < DEBUGGING["norms"]["tanh"] < 10
    ratio = DEBUGGING["ratio"]
    start = DEBUGGING["init"]["expected"]
    assert ratio["loss"][:6] == sorted(ratio["loss"][:6], reverse=True)
    assert ratio["loss"][0] > 0.9 * start  # "just below the value of guessing"
    assert ratio["loss"][6] > start  # "higher than before training"
    assert ratio["update"][6] > 1
    assert 50 < ratio["update"][5] / 1e-3 < 200  # "about a hundred times more was best"
    assert min(ratio["loss"]) == ratio["loss"][5]
    assert DEBUGGING["dead"] == {"usual": 0.0, "shifted": 1.0}
    assert DEBUGGING["mixing"] == {"samples": 6, "right": 1, "reshape": 4}


def test_debugging_overfitting_is_blind_to_most() -> None:
    tiny = DEBUGGING["tiny"]
    for name in ("right", "random_labels", "no_slope", "half_first"):
        assert tiny[name] < 0.01
    assert tiny["zero_input"] == pytest.approx(math.log(8), abs=0.01)
    blind = DEBUGGING["blind"]
    assert blind["real"] < 0.1 < 1.5 < blind["shuffled"] < blind["zeros"]


def test_debugging_switches() -> None:
    assert DEBUGGING["mode"]["train"] < DEBUGGING["mode"]["eval"] - 0.05
    zero_grad = DEBUGGING["zero_grad"]
    assert zero_grad["growth"] > 5 > 1 > zero_grad["right_growth"]
