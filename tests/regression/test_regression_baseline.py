import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neural_network import MLPRegressor

from bpref.regression.baseline import (
    baselines,
    least_squares,
    mlp_baseline,
    mlp_options,
    mse,
    summary_rows,
)
from bpref.regression.config import Config


def data(rows=60, features=3, targets=1, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((rows, features))
    y = 50 + 7 * np.tanh(X @ rng.standard_normal((features, targets)))
    return X, y + rng.standard_normal((rows, targets))


@settings(max_examples=20, deadline=None)
@given(
    rows=st.integers(65_537, 70_000),
    features=st.integers(1, 6),
    targets=st.integers(1, 3),
    offset=st.sampled_from([0.0, 1e3, -1e5]),
)
def test_summary_rows_have_the_least_squares_line_of_all_rows(rows, features, targets, offset):
    X, y = data(rows, features, targets)
    X = X * 10.0 ** np.arange(features) + offset
    few = summary_rows(X, y)
    assert len(few[0]) == len(few[1]) == 2 * (features + targets)
    found, expected = (X @ w.T + b for w, b in (least_squares(*few), least_squares(X, y)))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_summary_rows_of_columns_that_depend_on_each_other():
    X, y = data(70_000, 2)
    X = np.column_stack([X, X.sum(axis=1), np.full(len(X), 3.0)])
    found, expected = (
        X @ w.T + b for w, b in (least_squares(*summary_rows(X, y)), least_squares(X, y))
    )
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_small_table_stays_as_it_is():
    X, y = data(100)
    few = summary_rows(X, y)
    assert few[0] is X
    assert few[1] is y


def test_the_three_baselines():
    X, y = data(100, targets=2)
    constant, line, mlp = baselines(Config(epochs=3), X[:60], y[:60], X[60:], y[60:])
    np.testing.assert_array_equal(constant.predict(X), np.tile(y[:60].mean(axis=0), (100, 1)))
    expected, *_ = np.linalg.lstsq(np.c_[X[:60], np.ones(60)], y[:60], rcond=None)
    np.testing.assert_allclose(line.predict(X), np.c_[X, np.ones(100)] @ expected, atol=1e-10)
    assert mlp.predict(X).shape == (100, 2)


@pytest.mark.parametrize("outputs", [1, 2, 3])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_a_step_of_mlp_regressor_is_a_step_of_the_same_network_in_pytorch(outputs, weight_decay):
    X, y = data(20, targets=outputs)
    y = y - 50
    config = Config(hidden_sizes=(5,), lr=0.05, batch_size=20, weight_decay=weight_decay)
    options, replaced = mlp_options(config, 20, outputs)
    assert replaced == []
    mlp = MLPRegressor(**options, random_state=0)
    target = y[:, 0] if outputs == 1 else y
    mlp.partial_fit(X, target)

    model = torch.nn.Sequential(
        torch.nn.Linear(3, 5), torch.nn.ReLU(), torch.nn.Linear(5, outputs)
    ).double()
    layers = [model[0], model[2]]
    with torch.no_grad():
        for layer, weight, bias in zip(layers, mlp.coefs_, mlp.intercepts_, strict=True):
            layer.weight.copy_(torch.from_numpy(weight.T.copy()))
            layer.bias.copy_(torch.from_numpy(bias.copy()))
    optimizer = torch.optim.SGD(
        [
            {"params": [layer.weight for layer in layers], "weight_decay": weight_decay},
            {"params": [layer.bias for layer in layers], "weight_decay": 0.0},
        ],
        lr=0.05,
    )
    torch.nn.functional.mse_loss(model(torch.from_numpy(X)), torch.from_numpy(y)).backward()
    optimizer.step()
    mlp.partial_fit(X, target)
    for layer, weight, bias in zip(layers, mlp.coefs_, mlp.intercepts_, strict=True):
        np.testing.assert_allclose(layer.weight.detach().numpy(), weight.T, atol=1e-12)
        np.testing.assert_allclose(layer.bias.detach().numpy(), bias, atol=1e-12)


@pytest.mark.parametrize("patience", [None, 4])
def test_mlp_regressor_keeps_the_best_epoch_on_the_same_validation_rows(patience):
    X, _ = data(40, features=8)
    noise = 2 * np.random.default_rng(0).standard_normal((40, 1))  # so much that it overfits
    y = 50 + np.tanh(X[:, :1]) + noise
    X, y, X_val, y_val = X[:25], y[:25], X[25:], y[25:]
    config = Config(
        hidden_sizes=(30,), optimizer="adam", lr=0.003, epochs=60, batch_size=8, patience=patience
    )
    found = mlp_baseline(config, X, y, X_val, y_val)

    mean, std = y.mean(), y.std()
    options, _ = mlp_options(config, 25, 1)
    mlp = MLPRegressor(**options, random_state=np.random.RandomState(0))
    losses = []
    for _ in range(60):
        mlp.partial_fit(X, (y[:, 0] - mean) / std)
        losses.append(mse(mlp.predict(X_val)[:, None] * std + mean, y_val))
    best = int(np.argmin(losses))
    assert best < 50  # or the choice would not be seen
    if patience is None:
        assert mse(found.predict(X_val), y_val) == pytest.approx(losses[best], rel=1e-12)
        assert "60 epochs" in found.note
    else:
        stop = next(e for e in range(60) if e - int(np.argmin(losses[: e + 1])) == patience)
        assert stop < best  # the patient run finds a better epoch later
        assert f" {stop + 1} epochs" in found.note
        assert mse(found.predict(X_val), y_val) == pytest.approx(min(losses[: stop + 1]), rel=1e-12)


def test_the_same_seed_gives_the_same_baseline():
    X, y = data()
    one, two, other = (
        mlp_baseline(Config(epochs=3, seed=s), X, y, X, y).predict(X) for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


def test_a_seed_beyond_32_bits():
    X, y = data()
    assert mlp_baseline(Config(epochs=1, seed=2**62), X, y, X, y).predict is not None


@pytest.mark.parametrize("lr", [1e4, 1e300])
def test_a_diverging_baseline_is_left_out_without_a_warning(lr):
    X, y = data()
    found = mlp_baseline(Config(epochs=50, lr=lr, hidden_sizes=(20, 20)), X, y, X, y)
    assert found.predict is None
    assert found.note.startswith("Left out: it")


def test_the_end_of_the_budget_is_no_warning_and_other_warnings_come_through(monkeypatch):
    X, y = data()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mlp_baseline(Config(epochs=2), X, y, X, y)
    assert caught == []
    fit = MLPRegressor.partial_fit

    def noisy(self, *args):
        warnings.warn("look here", UserWarning, stacklevel=2)
        return fit(self, *args)

    monkeypatch.setattr(MLPRegressor, "partial_fit", noisy)
    with pytest.warns(UserWarning, match="look here"):
        mlp_baseline(Config(epochs=2), X, y, X, y)


def test_too_many_rows_times_epochs_are_left_out():
    X, y = data(40)
    config = Config(epochs=5)
    assert mlp_baseline(config, X, y, X, y, mlp_visits=200).predict is not None
    found = mlp_baseline(config, X, y, X, y, mlp_visits=199)
    assert found.predict is None
    assert "40 rows × 5 epochs" in found.note


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"activation": "gelu"}, "It has no gelu: relu."),
        ({"optimizer": "rmsprop"}, "It has no rmsprop: adam."),
        ({"optimizer": "adamw"}, "It has no decoupled weight decay: an L2 penalty with adam."),
        ({"loss": "huber"}, "It has no huber loss: squared error."),
        ({"dropout": 0.1}, "It has no dropout."),
        ({"schedule": "cosine"}, "It has no such schedule: the rate is constant."),
        ({"warmup_epochs": 1}, "It has no such schedule: the rate is constant."),
        ({"clip_norm": 1.0}, "It has no clipping."),
        ({"hidden_sizes": ()}, None),
        ({"batch_size": 1000}, None),
        ({"activation": "sigmoid", "optimizer": "adam"}, None),
        ({"momentum": 0.9}, None),
    ],
)
def test_what_mlp_regressor_does_not_have_is_said(options, said):
    X, y = data(20)
    found = mlp_baseline(Config(epochs=2, **options), X, y, X, y)
    assert found.predict is not None
    said_all = found.note.split("rows.", 1)[1].strip()
    assert said_all == (said or "")


def test_a_constant_target_gives_no_trouble():
    X, _ = data(20)
    y = np.full((20, 1), 4.0)
    constant, line, mlp = baselines(Config(epochs=20), X, y, X, y)
    for found in (constant, line):
        np.testing.assert_allclose(found.predict(X), y, atol=1e-12)
    assert mse(mlp.predict(X), y) < mse(y + 1, y)
