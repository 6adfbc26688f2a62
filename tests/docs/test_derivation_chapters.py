"""What factors.md, l-layers.md and kinks.md under derivation/ say in words holds for their numbers.

The drift test keeps the committed results equal to a fresh run; these tests keep the
sentences equal to the results.
"""

from __future__ import annotations

import pytest

from experiments.run import read_result


def test_factors_sample() -> None:
    sample = read_result("factors")["sample"]
    c, grad, rate = sample["c"], sample["grad"], sample["rate"]
    assert len(set(c.values())) == 5  # no two rows of the table coincide
    for kind in c:
        assert sample["J"][kind] == pytest.approx(c[kind] * sample["S"])
        # "the last column gives it back": factor times rate is the same in every row.
        assert grad[kind] * rate[kind] == pytest.approx(grad["half_mean"])
    assert rate["half_mean"] == 1.0


def test_factors_figure() -> None:
    """The text alternative; how it is on other data sets is a claim."""
    result = read_result("factors")["same_rate"]
    assert result["same"]["sum"][-1] > 1e6  # "shoots up"
    ends = [result["same"][kind][20] for kind in ("half_sum", "mean", "half_mean", "mse")]
    assert ends == sorted(ends)  # "the others fall more and more slowly"
    reference = result["rescaled"]["half_mean"]
    for curve in result["rescaled"].values():
        assert curve == pytest.approx(reference)  # "all five curves lie on each other"


def test_factors_batches() -> None:
    result = read_result("factors")["batches"]
    assert result["full"] < result["fair"] < result["weight_last"]


def test_l_layers_sample() -> None:
    sample = read_result("l_layers")["sample"]
    assert sample["dW"][0][1][1] == pytest.approx(-2 * sample["delta"][0][1])
    for layer in (0, 1):
        product = [
            b * s for b, s in zip(sample["back"][layer], sample["slope"][layer], strict=True)
        ]
        assert sample["delta"][layer] == pytest.approx(product)


def test_l_layers_slope() -> None:
    result = read_result("l_layers")
    slope = result["slope"]
    for name in ("sigmoid", "tanh"):
        errors = slope[name]["error"]["median"]
        assert 0.4 < errors[0] < 0.6  # "from about a half to one"
        assert 0.9 < errors[-1] < 1.2
        cosines = slope[name]["cosine"]["median"]
        assert cosines[0] == pytest.approx(0.93, abs=0.005)  # "from 0.93 to about 0.85"
        assert cosines[-1] == pytest.approx(0.85, abs=0.03)
    for name, level in (("tanh", 0.6), ("sigmoid", 0.4)):  # "the lowest networks"
        assert slope[name]["cosine"]["least"][-1] == pytest.approx(level, abs=0.03)
    for name, level in (("sigmoid", 0.2), ("tanh", 0.42)):
        assert result["curves"][name]["at_h"][2] == pytest.approx(level, abs=0.005)
