"""What pages under ideas/ say in words and no claim checks holds for the numbers they inject."""

from __future__ import annotations

import pytest

from experiments.run import read_result


def test_what_it_is() -> None:
    rules = read_result("what_it_is")["rules"].values()
    first = [rule["gradient_norm"] for rule in rules]
    assert first == first[:1] * 5  # one source of gradients: all rules see the same first one


def test_algorithm_step() -> None:
    """The calculations of the table lead to the numbers of the run."""
    step = read_result("algorithm")["step"]
    assert step["rate"] == 0.01
    assert step["a1"] == [0.5 * 2 + 0, -1 * 2 + 1]
    assert step["h1"] == [1, 0]  # "unit 2 was off"
    assert step["output"] == 3 * step["h1"][0] + 2 * step["h1"][1] - 1
    assert step["J"] == 0.5 * (2 - 1) ** 2
    assert step["delta2"] == step["output"] - 1
    assert step["grad_h1"] == [3 * step["delta2"], 2 * step["delta2"]]
    assert (step["grad_W1"], step["grad_b1"]) == ([6, 0], [3, 0])
    assert (step["grad_W2"], step["grad_b2"]) == ([1, 0], 1)


def test_convergence_factor() -> None:
    """The factor of the worked example, (9/11) per step, is what the run counts."""
    steps = read_result("strengths_and_limits_convergence")["gradient_descent"]
    assert (9 / 11) ** 69 < 1e-6 < (9 / 11) ** 68  # "the first power below"
    assert steps["k10"] == 69


def test_cost_formulas() -> None:
    """The formulas of the page give the counts of its table."""
    result = read_result("strengths_and_limits_cost")
    layers, batch, ratio = result["layers"], result["batch"], result["ratio"]
    widest = result["rows"]["w1024"]
    assert widest["forward"] == batch * widest["parameters"]
    assert ratio["differences"] == pytest.approx(2 * widest["parameters"] / (3 - 1 / layers))


def test_depth_figure() -> None:
    """The alternative text of the figure names the order of the four curves."""
    result = read_result("strengths_and_limits_depth")
    names = ("sigmoid_xavier", "tanh_xavier", "relu_he", "tanh_large")
    first = [result[name]["first"]["median"] for name in names]
    assert first == sorted(first)
    assert first[0] < 1e-10 * first[1]
    assert first[1] < 1 < first[3]
    assert 0.3 < first[2] < 3
