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


def test_factors_mean() -> None:
    divisor = read_result("factors")["divisor"]
    N, m = divisor["N"], divisor["m"]
    assert N not in (m, 1)  # "all elements" and "samples" can be told apart
    for loss in ("mse_loss", "l1_loss", "bce", "kl_div"):
        assert divisor[loss] == pytest.approx(N * m)
    for loss in ("cross_entropy", "nll_loss", "kl_div_batchmean"):
        assert divisor[loss] == pytest.approx(N)


def test_factors_trajectories() -> None:
    path = read_result("factors")["trajectory"]
    for exact in ("sgd", "momentum", "nesterov", "adam_eps", "decay_scaled"):
        assert path[exact] <= 1e-12  # "rounding"
    assert path["adam_eps"] < path["adam_same"] <= 1e-4  # "how little is lost"
    assert path["clip_scaled"] <= 1e-4  # the 1e-6 added to the norm
    for wrong in ("adam_rate", "decay_same", "clip_same"):
        gaps = path[wrong]
        assert min(gaps.values()) == gaps["mse"] > 0.1  # the two ends that the table names
        assert max(gaps.values()) == gaps["sum"]


def test_factors_same_rate() -> None:
    result = read_result("factors")["same_rate"]
    limit, lr = result["limit"], result["lr"]
    assert limit["sum"] < lr < limit["half_sum"]  # "too large for one"
    assert result["same"]["sum"][-1] > 1e6
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
    assert sample["quotient"] == pytest.approx(sample["dW"][0][1][1], abs=5e-7)
    assert sample["dW"][0][1][1] == pytest.approx(-2 * sample["delta"][0][1])
    assert sample["J_after"] < sample["J"]
    for layer in (0, 1):
        product = [
            b * s for b, s in zip(sample["back"][layer], sample["slope"][layer], strict=True)
        ]
        assert sample["delta"][layer] == pytest.approx(product)


def test_l_layers_check() -> None:
    check = read_result("l_layers")["check"]
    assert (check["shallowest"], check["deepest"]) == (1, 8)
    assert check["central"] <= 1e-6
    assert max(check["torch"], check["package"]) <= 1e-12


def test_l_layers_slope() -> None:
    result = read_result("l_layers")
    slope = result["slope"]
    for name in ("sigmoid", "tanh"):
        errors = slope[name]["error"]
        assert errors == sorted(errors)  # "the error grows with depth"
        assert 0.4 < errors[0] < 0.6  # "from about a half to one"
        assert 0.9 < errors[-1] < 1.2
        assert min(slope[name]["cosine"]) > 0.8  # "the direction stays similar"
    assert set(slope["relu"]["error"]) == {0.0}  # "exactly zero"
    for name, level in (("sigmoid", 0.2), ("tanh", 0.42)):
        curve = result["curves"][name]
        assert curve["at_a"][2] < 0.01 < 0.1 < curve["at_h"][2]
        assert curve["at_h"][2] == pytest.approx(level, abs=0.005)


def test_kinks_at_zero() -> None:
    found = read_result("kinks")["at_zero"]
    theirs, ours = found["torch"], found["bpref"]
    assert (theirs["relu"], theirs["clamp"], theirs["maximum"]) == (0.0, 1.0, 0.5)
    for name, value in ours.items():
        assert value == theirs[name]  # "as PyTorch does"
    assert theirs["sqrt_square"] == "nan" != theirs["abs"]
    assert theirs["hardtanh"] != theirs["clamp_one"]


def test_kinks_ties() -> None:
    ties = read_result("kinks")["ties"]
    shared = [0.0, pytest.approx(1 / 3), pytest.approx(1 / 3), 0.0, pytest.approx(1 / 3)]
    for name in ("amax", "max_all", "bpref_max_all"):
        assert ties[name] == shared
    for name in ("max_dim", "pool", "bpref_max_dim", "bpref_pool"):
        assert ties[name] == [0.0, 1.0, 0.0, 0.0, 0.0]


def test_kinks_checker() -> None:
    result = read_result("kinks")
    verdict = result["checker"]["verdict"]
    assert result["checker"]["central"] == 0.5
    assert [verdict[k]["ok"] for k in ("zero", "half", "one", "two", "neg")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert verdict["zero"]["kinks"] == verdict["one"]["kinks"] == 1
    assert result["cancel"] == {"torch": 0.0, "true": 1.0}


def test_kinks_training() -> None:
    training = read_result("kinks")["training"]
    assert training["float64"]["zeros"] == 0  # "it does not happen"
    assert training["float64"]["difference"] == 0.0  # "the runs agree to the last bit"
    assert training["float32"]["share_below"] <= 1e-5
    blank = training["blank"]
    assert blank["zeros"] == training["seeds"] * training["zeros_per_run"] > 0
    assert training["zeros_per_run"] == 2 * 16  # both layers, first step
    assert blank["difference"] > 0.001  # "the choice moves the result"
    losses = blank["loss"].values()
    assert max(losses) < 1.001 * min(losses)  # "but not its quality"


def test_kinks_pooling() -> None:
    pooling = read_result("kinks")["pooling"]
    assert pooling["before"] == 0.0 < pooling["after"]
    assert pooling["same_output"]
    assert pooling["difference"] == 0.0


def test_kinks_l1() -> None:
    l1 = read_result("kinks")["l1"]
    assert l1["hit"][4:] == [1.0] * (l1["steps"] - 3)  # "lands on the kink and stays"
    assert l1["swing"][-2:] == pytest.approx([0.9, 1.2])
    assert l1["swing"][-4:-2] == pytest.approx(l1["swing"][-2:])
    away = [abs(w - 1) for w in l1["decreasing"][3:]]
    assert max(away[-2:]) < 0.5 * max(away[:2])  # "closer and closer"
