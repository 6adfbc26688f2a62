"""What the chapters neuron, chain-rule and notation say in words holds for their numbers."""

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
    for name, quotient in result["check"]["quotient"].items():  # "see only the total"
        assert quotient == pytest.approx(grad[name], rel=1e-6)


def test_neuron_batch() -> None:
    batch = read_result("neuron")["batch"]
    assert batch["graph"] <= 1e-10
    assert batch["central"] <= 1e-6
    size = batch["size"]
    assert size["parameters"] == size["d"] + 1
    assert size["values"] > 10 * size["parameters"]  # "the slow way"


def test_chain_rule_sample() -> None:
    sample = read_result("chain_rule")["sample"]
    assert sample["J"] == 2 * sample["h"][0] - sample["h"][1]
    assert sample["left"] == 1 * 2 * 2 + 1 * 2 * 3
    assert sample["right"] == 2 * 2 * 3 + 1 * 2 * 3


def test_chain_rule_order() -> None:
    order = read_result("chain_rule")["order"]
    L = order["layers"]
    width, depth, outputs = order["width"], order["depth"], order["outputs"]
    for n, left, right in zip(width["n"], width["left"], width["right"], strict=True):
        assert left == (L - 1) * n**2
        assert right == (L - 2) * n**3 + n**2
    n = depth["n"]
    for layers, left, right in zip(depth["layers"], depth["left"], depth["right"], strict=True):
        assert left == (layers - 1) * n**2
        assert right == (layers - 2) * n**3 + n**2
    assert depth["ratio"][0] == 1.0  # "they start together at two"
    assert width["ratio"][-1] > 1.9 * width["ratio"][-2]  # "grows with the width"
    assert depth["ratio"][-1] < 1.2 * depth["ratio"][2]  # "more depth hardly changes it"
    for m, ratio in zip(outputs["m"], outputs["ratio"], strict=True):
        assert (ratio > 1) == (m < outputs["n"])  # reverse mode wins below n outputs
        assert (ratio == 1) == (m == outputs["n"])
    assert (width["n"][3], width["n"][4], outputs["m"][6]) == (64, 128, 64)
    # "with one input the numbers of the first case change places"
    case = (width["right"][3], width["left"][3])
    assert (order["one_input"]["left"], order["one_input"]["right"]) == case


def test_chain_rule_modes() -> None:
    result = read_result("chain_rule")
    assert result["passes"]["equal"]
    assert result["passes"]["reverse_passes"] == 1
    assert result["passes"]["forward_passes"] == result["passes"]["inputs"]
    assert max(result["check"][k] for k in ("torch", "jacobian")) <= 1e-10
    assert max(result["check"][k] for k in ("central", "forward")) <= 1e-6


def test_notation_sample() -> None:
    sample = read_result("notation")["sample"]
    assert len(sample["products"]) == 8
    assert sample["equal"] == ["Dt_X"]  # the row with "yes"
    assert sample["products"]["Dt_X"] == sample["numeric"]


def test_notation_arrangements() -> None:
    result = read_result("notation")
    counts = result["arrangements"]
    for sizes in counts.values():
        assert [sizes[k]["tried"] for k in ("weight", "input", "deep")] == [8, 8, 48]
        assert {row["right"] for row in sizes.values()} == {1}  # always exactly one
        assert sizes["weight"]["which"] == "Delta' X"
        assert sizes["input"]["which"] == "Delta W"
        assert sizes["deep"]["which"] == "W_2' Delta_2' X"
    assert {row["fit"] for row in counts["distinct"].values()} == {1}  # "the tip is exact"
    assert all(1 < row["fit"] < row["tried"] for row in counts["widths"].values())
    assert all(row["fit"] == row["tried"] for row in counts["equal"].values())
    nearest = [row["nearest_wrong"] for row in counts["equal"].values()]
    assert min(nearest) == counts["equal"]["deep"]["nearest_wrong"] > 0.2  # "the closest of them"
    special = result["special"]
    assert special["identity"]["right"] > special["symmetric"]["right"] == special["ones"]["right"]
    assert special["ones"]["right"] > 1
    assert {row["fit"] for row in special.values()} == {8}


def test_notation_layouts() -> None:
    result = read_result("notation")
    assert result["conventions"]["central"] <= 1e-6
    assert result["layout"]["jacobian_is_W"]
    assert result["inverse"]["right"]
    assert result["inverse"]["without"] > 0.1
