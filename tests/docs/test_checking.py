"""What the pages under checking/ say in words, beyond what their claims already ask."""

from __future__ import annotations

from experiments.gradient_checking import MASK_STEPS, STEPS
from experiments.run import read_result

GRADIENT = read_result("gradient_checking")
PARITY = read_result("parity")
DRIFT = read_result("parity_drift")


def test_places_in_lists_that_pages_and_claims_name_by_number() -> None:
    assert STEPS[37] == "2e-6"  # the best central step; 34 and 40 are a factor of ten away
    assert (STEPS[34], STEPS[40]) == ("2e-7", "2e-5")
    assert max(float(step) for step in STEPS[:30]) < 1e-8
    assert MASK_STEPS[4] == "1e-5"
    assert DRIFT["marks"][0] == 1
    assert DRIFT["marks"][8] == DRIFT["steps"]


def test_prices_of_a_check() -> None:
    scale = GRADIENT["scale"]
    assert scale["calls_directions"] == 2 * scale["directions"]
    assert scale["calls_all"] == 2 * scale["parameters"]


def test_four_routes_agree_in_the_digits_shown() -> None:
    routes = PARITY["routes"]
    for name in ("W_1", "b_1", "W_2", "b_2"):
        for route in ("graph", "autograd"):  # "the same in all digits shown"
            assert shown(routes[route][name], 12) == shown(routes["hand"][name], 12)
        assert shown(routes["differences"][name], 9) == shown(routes["hand"][name], 9)


def shown(values: list, digits: int) -> list[str]:
    flat = [v for row in values for v in (row if isinstance(row, list) else [row])]
    return [f"{value:.{digits}f}" for value in flat]


def test_drift_only_grows() -> None:
    for logs in DRIFT["log10"].values():
        assert logs == sorted(logs)
