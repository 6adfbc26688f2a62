"""The experiments of the FAQ on tuning: their statistics, their searches, PyTorch's LoRA."""

import numpy as np
import pytest
import torch
from scipy import stats

from experiments import (
    _tables,
    tuning_budget,
    tuning_checks,
    tuning_folds,
    tuning_search,
    tuning_seeds,
)
from experiments.tuning_what_first import explained


def test_the_share_of_a_setting_is_all_or_nothing_at_the_ends():
    level = np.repeat([0, 1, 2], 12)
    assert explained(1.0 * level, level) == pytest.approx(1.0)
    rng = np.random.default_rng(0)
    shares = [explained(rng.normal(size=36), level) for _ in range(2000)]
    assert abs(np.mean(shares)) < 0.005  # nothing is left of what chance gives
    assert min(shares) < 0


def test_the_share_of_a_setting_follows_from_the_analysis_of_variance():
    rng = np.random.default_rng(1)
    level = np.repeat([0, 1, 2], 12)
    response = 0.5 * level + rng.normal(size=36)
    f = stats.f_oneway(*(response[level == k] for k in range(3))).statistic
    r2 = 2 * f / (2 * f + 33)
    assert explained(response, level) == pytest.approx(1 - (1 - r2) * 35 / 33)


def test_parts_of_a_split_share_no_row_and_the_training_rows_are_standardised():
    for name in _tables.TARGETS:
        parts = _tables.split(name, 3)
        assert parts.train.y.mean() == pytest.approx(0, abs=1e-12)
        assert parts.train.y.std() == pytest.approx(1)
        rows = [tuple(row) for part in parts for row in part.X]
        assert len(set(rows)) >= 0.98 * len(rows)  # a table may hold equal rows


def test_a_run_that_diverges_counts_as_lost():
    lost = _tables.errors("diabetes", 0, optimizer="sgd", lr=1e6, epochs=2)
    assert lost.tolist() == [_tables.LOST, _tables.LOST]


def test_the_grid_covers_its_ranges_at_equal_ratios():
    low, high = tuning_search.RANGES["lr"]
    for shift in (0.0, 0.5, 0.999):
        a, b = tuning_search.ticks("lr", 2, shift)
        assert low <= a < b < high
        assert b / a == pytest.approx(np.sqrt(high / low))
    assert tuning_search.ticks("hidden_sizes", 2, 0.0) == [4, 16]


@pytest.mark.parametrize("way", tuning_search.WAYS)
def test_no_search_spends_more_epochs_than_random_search(way, monkeypatch):
    monkeypatch.setattr(tuning_search, "TRIALS", 4)
    monkeypatch.setattr(tuning_search, "EPOCHS", 9)
    monkeypatch.setattr(tuning_search, "CANDIDATES", 6)
    monkeypatch.setattr(tuning_search, "RANGES", dict(list(tuning_search.RANGES.items())[:2]))
    found = tuning_search.search(way, _tables.split("auto_mpg", 0), 0)
    assert tuning_search.spent(found) <= 4 * 9
    assert "lr" in found.best_params_


def test_a_score_flatters_only_by_choosing():
    rng = np.random.default_rng(0)
    pool = rng.random((tuning_budget.POOL, tuning_budget.ROWS))
    chose, fresh = tuning_budget.winners(pool, pool, tuning_budget.ROWS, 0)
    np.testing.assert_allclose(chose, fresh)  # the same rows: nothing to find out
    other = rng.random(pool.shape)
    chose, fresh = tuning_budget.winners(pool, other, tuning_budget.ROWS, 0)
    assert chose[0] == pytest.approx(fresh[0])  # one trial chooses nothing
    assert (np.diff(chose) < 0).all()  # more trials, a better score
    np.testing.assert_allclose(fresh, 0.5, atol=0.02)  # of models that are all the same


def test_wrong_winners_and_intervals_of_equal_configurations():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, tuning_seeds.SEEDS))
    a, b = a - a.mean(), b - b.mean()
    found = tuning_seeds.wrong(a, b)
    np.testing.assert_allclose(found["own"], 0.5, atol=0.05)
    above, below = tuning_seeds.conclusions(a - b)
    np.testing.assert_allclose(np.add(above, below), 0.05, atol=0.02)


def test_lora_and_the_whole_matrix_train_as_in_pytorch(monkeypatch):
    monkeypatch.setattr(tuning_checks, "STEPS", 5)
    monkeypatch.setattr(tuning_checks, "RATES", (0.01,))
    layers, seed, rank = tuning_checks.Layers("low"), 2, 4
    x, y, xt, yt = (torch.from_numpy(layers.data[k][seed]) for k in ("x", "y", "xt", "yt"))
    size = tuning_checks.SIDE
    a = np.random.default_rng(100 + seed).normal(size=(rank, size)) / np.sqrt(size)
    A = torch.from_numpy(a).requires_grad_()
    B = torch.zeros(size, rank, dtype=torch.float64, requires_grad=True)
    W = torch.zeros(size, size, dtype=torch.float64, requires_grad=True)
    for found, params, change in (
        (layers.lora(rank), [A, B], lambda: tuning_checks.SCALE * B @ A),
        (layers.whole(), [W], lambda: W),
    ):
        optimizer = torch.optim.Adam(params, lr=0.01)
        for _ in range(5):
            optimizer.zero_grad()
            loss = 0.5 * ((x @ change().T - y) ** 2).sum() / len(x)
            loss.backward()
            optimizer.step()
        error = ((xt @ change().T - yt) ** 2).mean().item()
        assert found["test"][seed] == pytest.approx(error, rel=1e-9)


def test_the_splits_of_linear_gaps_share_a_table():
    """Both models are equally good on average; the splits of one table agree with each other."""
    gaps = np.array([tuning_seeds.linear_gaps(np.random.default_rng(s), 20) for s in range(200)])
    means = gaps.mean(axis=1)
    assert abs(means.mean()) < 3 * means.std(ddof=1) / np.sqrt(len(means))
    assert means.std(ddof=1) > 1.5 * gaps.std(axis=1, ddof=1).mean() / np.sqrt(20)
    assert tuning_seeds.wider(10) == pytest.approx(np.sqrt(1 + 10 / 3))


def test_folds_share_their_rows_and_choose_by_the_mean():
    rows, rest = tuning_folds.few("diabetes", 3)
    parts = _tables.split("diabetes", 3)
    assert len(rows.y) == tuning_folds.ROWS
    assert len(rows.y) + len(rest.y) == sum(len(part.y) for part in parts)
    test = np.arange(tuning_folds.POOL, dtype=float)
    folds = np.tile(test[:, None], tuning_folds.FOLDS)  # every fold knows the best one
    found = tuning_folds.winners(folds, test, 0)
    assert found["one"] == found["all"] == 0.0 < found["folds"]
