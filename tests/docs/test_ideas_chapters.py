"""What neuron, chain-rule and notation say in words and no claim checks holds for their numbers."""

from __future__ import annotations

import pytest

from experiments.run import read_result


def test_neuron() -> None:
    result = read_result("neuron")
    value, grad, given, fork = (result[k] for k in ("value", "grad", "given", "fork"))
    assert given == {"x": 1.5, "w": -0.8, "b": 0.4, "y": 2.0}  # typed in the program of the page
    # "multiplies what came from the right by the local derivative"
    assert grad["y_hat"] == pytest.approx(value["e"], rel=1e-12)
    assert grad["h"] == pytest.approx(grad["y_hat"], rel=1e-12)
    assert result["slope"] == pytest.approx(1 - value["h"] ** 2, rel=1e-12)
    assert grad["a"] == pytest.approx(grad["h"] * result["slope"], rel=1e-12)
    assert grad["b"] == pytest.approx(grad["a"], rel=1e-12)
    assert grad["w"] == pytest.approx(grad["a"] * given["x"], rel=1e-12)
    # "two gradients come back, and they add. Here they have different signs"
    assert fork["skip"] < 0 < fork["neuron"]
    assert grad["x"] == pytest.approx(fork["skip"] + fork["neuron"], rel=1e-12)


def test_chain_rule() -> None:
    result = read_result("chain_rule")
    sample, order = result["sample"], result["order"]
    assert sample["J"] == 2 * sample["h"][0] - sample["h"][1]
    # The caption of the figure, and "they start together at two" in its text alternative.
    assert (order["layers"], order["depth"]["n"], order["outputs"]["n"]) == (6, 64, 64)
    assert (order["depth"]["layers"][0], order["depth"]["ratio"][0]) == (2, 1.0)


def test_notation_arrangements() -> None:
    counts = read_result("notation")["arrangements"]
    for name in ("distinct", "widths", "equal"):
        sizes = counts[name]
        assert [sizes[k]["tried"] for k in ("weight", "input", "deep")] == [8, 8, 48]
        assert sizes["weight"]["which"] == ["Delta' X"]
        assert sizes["input"]["which"] == ["Delta W"]
        assert sizes["deep"]["which"] == ["W_2' Delta_2' X"]


def test_notation_inverse() -> None:
    inverse = read_result("notation")["inverse"]
    assert inverse["right"]
    assert inverse["without"] > 0.1
