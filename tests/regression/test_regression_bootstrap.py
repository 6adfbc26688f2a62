import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from bpref.regression.bootstrap import (
    BCA_ROWS,
    interval,
    paired_difference,
    score_intervals,
)
from bpref.regression.scores import METRICS, scores


def sample(rows, seed=0):
    rng = np.random.default_rng(seed)
    y = 3 * rng.standard_normal(rows)
    return y, y + rng.standard_normal(rows)


def mean(values):
    return np.mean(values, axis=-1)


@settings(deadline=None)
@given(st.integers(2, 200), st.integers(0, 1000), st.floats(-1e6, 1e6), st.floats(1e-3, 1e3))
def test_scores_agree_with_scikit_learn(rows, seed, shift, scale):
    y, prediction = (shift + scale * values for values in sample(rows, seed))
    found = scores(y, prediction)
    expected = {
        "mse": metrics.mean_squared_error(y, prediction),
        "rmse": metrics.root_mean_squared_error(y, prediction),
        "mae": metrics.mean_absolute_error(y, prediction),
        "r2": metrics.r2_score(y, prediction),
    }
    for name in METRICS:
        assert found[name] == pytest.approx(expected[name], rel=1e-6)


def test_scores_work_along_the_last_axis():
    y, prediction = sample(12)
    rows = scores(y.reshape(3, 4), prediction.reshape(3, 4))
    for name in METRICS:
        expected = [scores(y[i : i + 4], prediction[i : i + 4])[name] for i in (0, 4, 8)]
        np.testing.assert_allclose(rows[name], expected, rtol=1e-12)


def test_r2_of_a_constant_is_not_defined():
    third = np.full(3, 0.1)  # its mean is not 0.1, its variance is not 0
    assert np.isnan(scores(third, third)["r2"])
    assert np.isnan(scores(np.ones(1), np.zeros(1))["r2"])


@pytest.mark.parametrize("shapes", [((3,), (3, 1)), ((3,), (4,)), ((0,), (0,)), ((), ())])
def test_scores_refuse_to_broadcast(shapes):
    with pytest.raises(ValueError, match="are needed"):
        scores(np.zeros(shapes[0]), np.zeros(shapes[1]))


def test_the_interval_holds_the_true_value_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for seed in range(200):
        square = rng.standard_normal(60) ** 2  # the true MSE is 1
        found = interval(mean, square, seed=seed)
        assert found.method == "BCa"
        hits += found.low < 1 < found.high
    assert 176 <= hits <= 198  # 95 % of 200 is 190


def test_the_ends_follow_the_unit():
    y, prediction = sample(50)
    one = score_intervals(y, prediction, seed=3)
    ten = score_intervals(10 * y + 1e6, 10 * prediction + 1e6, seed=3)
    for name, factor in (("mse", 100), ("rmse", 10), ("mae", 10), ("r2", 1)):
        assert ten[name].low == pytest.approx(factor * one[name].low, rel=1e-6)
        assert ten[name].high == pytest.approx(factor * one[name].high, rel=1e-6)


def test_every_score_lies_in_its_interval_and_more_rows_make_it_narrower():
    widths = {}
    for rows in (30, 300, 3000):
        y, prediction = sample(rows)
        found = score_intervals(y, prediction, seed=0)
        for name, value in scores(y, prediction).items():
            assert found[name].low < value < found[name].high
            widths.setdefault(name, []).append(found[name].high - found[name].low)
    for some in widths.values():
        assert some[0] > 2 * some[1] > 4 * some[2]


def test_the_seed_decides_the_draws():
    y, prediction = sample(30)
    one, two, other = (score_intervals(y, prediction, seed=s) for s in (0, 0, 1))
    assert one == two
    assert one["mse"] != other["mse"]


def test_a_large_test_set_gets_the_percentile_interval_and_fewer_draws():
    y, prediction = sample(BCA_ROWS)
    assert score_intervals(y, prediction, seed=0)["mse"].method == "BCa"
    y, prediction = sample(200_000)
    found = interval(mean, (y - prediction) ** 2, seed=0)
    assert (found.method, found.resamples) == ("percentile", 299)
    # The mean of 200 000 squares of N(0, 1) has the standard deviation sqrt(2 / 200 000).
    assert found.high - found.low == pytest.approx(2 * 1.96 * (2 / 200_000) ** 0.5, rel=0.2)


def test_one_row_has_no_interval():
    y, prediction = sample(1)
    assert set(score_intervals(y, prediction, seed=0).values()) == {None}
    assert paired_difference(y, prediction, y, seed=0) is None


def test_where_some_draws_have_no_r2_there_is_no_interval():
    y, prediction = sample(3)
    found = score_intervals(y, prediction, seed=0)
    assert found["r2"] is None
    assert found["mse"].low < found["mse"].high


@pytest.mark.parametrize("error", [0.0, 0.1, 1 / 3, 1e100, 1e-200])
@pytest.mark.parametrize("rows", [2, 10, 3000])
def test_equal_errors_give_an_interval_of_one_point(error, rows):
    y = np.arange(float(rows)) if error < 1 else np.zeros(rows)
    found = score_intervals(y * 0, y * 0 + error, seed=0)
    assert found["mae"].low == pytest.approx(error, rel=1e-12)
    assert found["mae"].high == pytest.approx(error, rel=1e-12)


def test_the_paired_difference_sees_what_two_intervals_do_not():
    rng = np.random.default_rng(0)
    y = rng.standard_normal(100)
    hard = 10 * rng.standard_normal(100)  # the same rows are hard for both
    good, bad = y + hard, y + 1.02 * hard
    one, two = (score_intervals(y, p, seed=0)["mse"] for p in (good, bad))
    assert two.low < one.high  # the intervals overlap
    assert paired_difference(y, good, bad, seed=0).high < 0
    assert paired_difference(y, bad, good, seed=0).low > 0
    same = paired_difference(y, good, good, seed=0)
    assert (same.low, same.high) == (0, 0)


def test_two_models_that_are_equally_good_are_rarely_told_apart():
    rng = np.random.default_rng(1)
    apart = 0
    for seed in range(100):
        y = rng.standard_normal(60)
        found = paired_difference(
            y, y + rng.standard_normal(60), y + rng.standard_normal(60), seed=seed
        )
        apart += not found.low <= 0 <= found.high
    assert apart <= 12  # 5 of 100 are expected
