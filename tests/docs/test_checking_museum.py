"""What the bug museum says in words holds for the numbers that it injects."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from bpref.bugs import CATALOG
from experiments import bug_museum
from experiments.run import read_result

PAGES = [Path(f"docs/{lang}/checking/bug-museum.md") for lang in ("en", "zh")]
BLIND = ("shapes", "falls", "overfit")


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    return read_result("bug_museum")


def cell(result: dict[str, Any], bug: str, network: str, size: str) -> dict[str, Any]:
    found: dict[str, Any] = result["bugs"][bug]["cells"][network][size]
    return found


def test_every_bug_is_there(result: dict[str, Any]) -> None:
    assert set(result["bugs"]) == {bug.id for bug in CATALOG} == set(bug_museum.TITLES)
    assert len(CATALOG) == 34  # the description says so in words
    assert {bug.room for bug in CATALOG} == set(bug_museum.ROOMS)
    for bug in CATALOG:
        cells = result["bugs"][bug.id]["cells"]
        assert set(cells) == set(bug.networks)
        assert all(set(sizes) == {"small", "large"} for sizes in cells.values())
        assert result["bugs"][bug.id]["runs"] == 2 * bug_museum.SEEDS * len(cells)
    assert bug_museum.SEEDS == 20  # the captions say so


@pytest.mark.parametrize("path", PAGES, ids=str)
def test_every_bug_has_its_section(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for bug in CATALOG:
        (heading,) = re.findall(rf"^### .+ {{ #{bug.id.replace('_', '-')} }}$", text, flags=re.M)
        section = text.split(heading)[1].split("\n### ")[0]
        source = bug.wrong.__module__.replace(".", "/") + ".py"
        for name in (bug.id, bug.section):
            assert f'--8<-- "{source}:{name}"' in section
        for key in bug_museum.DETECTORS:
            assert f"bug_museum.bugs.{bug.id}.share.{key} " in section
        for address in bug.seen:
            assert ("errata/formulas.md" if address == "article" else address) in section


def test_the_wrong_pass_of_the_example(result: dict[str, Any]) -> None:
    worked = result["worked"]
    right, wrong = worked["right"], worked["wrong"]
    # "The second unit has the wrong sign", "the loss falls with both".
    assert right["delta_1"][1] * wrong["delta_1"][1] < 0
    assert right["dW"][1][0] == pytest.approx(worked["quotient"][1][0], rel=1e-6)
    assert right["J"] < wrong["J"] < worked["J"]
    assert worked["product"] > 0
    assert 0 < worked["cosine"] < 0.8  # "far from 1, but positive"


def test_false_alarms(result: dict[str, Any]) -> None:
    false = result["false"]
    assert false["count"]["shapes"] == false["count"]["gradcheck"] == 0
    assert false["share"]["falls"] < 1
    assert false["share"]["overfit"] < 1
    assert 2 < false["share"]["compare"] < 8  # one in 21 is 4.8 %
    for sizes in result["right"].values():
        for part in sizes.values():
            assert part["cosine"] == 1.0


def test_the_gradient_check_finds_them_all(result: dict[str, Any]) -> None:
    bugs = result["bugs"]
    missed = [name for name, bug in bugs.items() if bug["share"]["gradcheck"] < 100]
    assert missed == ["pool_all_ties"]  # "the only bug of the museum that …"
    assert bugs["pool_all_ties"]["share"]["gradcheck"] > 90
    assert result["overall"]["always"]["gradcheck"] == len(bugs) - 1
    assert result["overall"]["never"]["gradcheck"] == 0


def test_the_other_detectors_do_not(result: dict[str, Any]) -> None:
    mean, never = result["overall"]["mean"], result["overall"]["never"]
    assert mean["shapes"] < 10
    assert mean["falls"] < 25
    assert abs(mean["overfit"] - mean["falls"]) < 5  # "hardly a better one"
    assert mean["compare"] < 50
    assert never["falls"] > len(CATALOG) / 2
    # "the first column is dark in two rows"
    assert never["shapes"] == len(CATALOG) - 2
    quiet = [
        name for name, bug in result["bugs"].items() if all(bug["share"][key] == 0 for key in BLIND)
    ]
    assert len(quiet) == result["overall"]["quiet"] > 0


def test_angles(result: dict[str, Any]) -> None:
    uphill = [
        name
        for name, bug in result["bugs"].items()
        if any(c["cosine"] < 0 for sizes in bug["cells"].values() for c in sizes.values())
    ]
    assert uphill == ["sign_flip"]
    assert result["overall"]["cosine"]["negative"] == 1
    assert result["overall"]["cosine"]["half"] > len(CATALOG) / 2


def test_missing_weight(result: dict[str, Any]) -> None:
    """Better than the right pass in one network, fatal in the other."""
    tanh = cell(result, "missing_weight", "mlp_tanh", "large")
    assert tanh["curve"][-1] < result["right"]["mlp_tanh"]["large"]["curve"][-1]
    relu = cell(result, "missing_weight", "mlp_relu", "large")
    assert relu["flags"]["falls"] > 0.8 * bug_museum.SEEDS


def test_bias_wrong_axis(result: dict[str, Any]) -> None:
    small, large = (cell(result, "bias_wrong_axis", "mlp_tanh", s) for s in ("small", "large"))
    assert small["flags"]["shapes"] == 0  # "nothing complains"
    assert large["flags"]["shapes"] == bug_museum.SEEDS
    assert small["flags"]["overfit"] == large["flags"]["overfit"] == bug_museum.SEEDS


def test_sum_for_mean(result: dict[str, Any]) -> None:
    """The direction is exact; a larger batch makes it worse."""
    small, large = (cell(result, "sum_for_mean", "mlp_tanh", s) for s in ("small", "large"))
    assert small["cosine"] == large["cosine"] == 1.0
    assert large["flags"]["falls"] > small["flags"]["falls"]


def test_gain_one_number(result: dict[str, Any]) -> None:
    """Only shapes and the gradient check notice it."""
    share = result["bugs"]["gain_one_number"]["share"]
    assert share["shapes"] == share["gradcheck"] == 100
    assert share["falls"] == share["overfit"] == share["compare"] == 0


def test_curves_are_drawn_as_long_as_they_are_known(result: dict[str, Any]) -> None:
    points = bug_museum.STEPS // bug_museum.EVERY + 1
    for bug in result["bugs"].values():
        for sizes in bug["cells"].values():
            for part in sizes.values():
                assert len(part["curve"]) == points
                assert part["curve"][0] is not None
                known = [value is not None for value in part["curve"]]
                assert known == sorted(known, reverse=True)
