import inspect
import os
import re
import subprocess
import sys
import warnings
from dataclasses import fields
from datetime import date

import joblib
import numpy as np
import pandas as pd
import polars
import pytest
import torch
from scipy import sparse, stats
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning, NotFittedError
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    RandomizedSearchCV,
    cross_val_score,
    train_test_split,
)
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from bpref import nn
from bpref.regression import BackpropRegressor
from bpref.regression.config import Config
from bpref.regression.errors import ConfigError, DivergenceError
from bpref.regression.estimator import OPTIONS
from bpref.regression.trainer import Data, predict, train

BACKENDS = ("numpy", "torch")
ALL_ROWS = 10_000  # a batch that holds every table of this file


def table(rows=23, d=3, m=None, seed=0):
    rng = np.random.default_rng(seed)
    X = 5 * rng.standard_normal((rows, d)) + 7
    y = X @ rng.standard_normal((d, m or 1)) + rng.standard_normal((rows, m or 1))
    return X, y if m else y[:, 0]


def assert_same_weights(a, b):
    assert list(a.weights_) == list(b.weights_)
    for key in a.weights_:
        assert (a.weights_[key] == b.weights_[key]).all(), key
        assert a.weights_[key].dtype == b.weights_[key].dtype


# What scikit-learn asks for


@parametrize_with_checks(
    [
        BackpropRegressor(),
        BackpropRegressor(backend="torch"),
        BackpropRegressor((8, 5), activation="tanh", optimizer="adam", schedule="linear"),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_all_checks_pass_and_none_is_skipped():
    code = (
        "from sklearn.utils.estimator_checks import check_estimator; "
        "from bpref.regression import BackpropRegressor; "
        "found = check_estimator(BackpropRegressor()); "
        "wrong = [c['check_name'] for c in found if c['status'] != 'passed']; "
        "print(len(found), wrong)"
    )
    # The check of array API inputs runs only with this variable.
    environment = os.environ | {"SCIPY_ARRAY_API": "1"}
    run = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(run, env=environment, capture_output=True, text=True, check=True)
    count, wrong = done.stdout.split(maxsplit=1)
    assert wrong.strip() == "[]"
    assert int(count) > 50


def test_parameters_are_those_of_config_with_its_defaults():
    defaults = BackpropRegressor().get_params()
    config = {field.name: field.default for field in fields(Config)}
    own = {"standardize", "warm_start", "random_state", "verbose"}
    assert defaults.keys() - own == config.keys() - {"seed", "test", "missing"}
    differ = {name for name in defaults.keys() - own if defaults[name] != config[name]}
    assert differ == {"dtype"}
    assert {*OPTIONS, "hidden_sizes", "device", "dtype"} == defaults.keys() - own


def test_the_docstring_names_every_parameter_and_attribute():
    text = inspect.getdoc(BackpropRegressor)
    parameters, rest = text.split("Parameters\n---")[1].split("Attributes\n---")
    attributes = rest.split("Notes\n---")[0]

    def named(section):
        lines = re.findall(r"^(\w+(?:, \w+)*) :", section, re.M)
        return [name for line in lines for name in line.split(", ")]

    assert named(parameters) == list(inspect.signature(BackpropRegressor).parameters)
    X, y = table()
    fitted = BackpropRegressor(epochs=1).fit(pd.DataFrame(X, columns=["a", "b", "c"]), y)
    public = {name for name in vars(fitted) if name.endswith("_") and not name.startswith("_")}
    assert set(named(attributes)) == public


def test_parameters_survive_clone_and_the_fitted_model_a_change_of_them():
    model = BackpropRegressor([4, 3], lr=0.1, patience=3, random_state=np.random.RandomState(0))
    assert clone(model).get_params().keys() == model.get_params().keys()
    assert clone(model).hidden_sizes == [4, 3]
    X, y = table()
    before = model.fit(X, y).predict(X)
    model.set_params(hidden_sizes=(9,), activation="tanh", optimizer="adam", dtype="float32")
    assert (model.predict(X) == before).all()
    with pytest.raises(ValueError, match="Invalid parameter 'alpha'"):
        model.set_params(alpha=1)


def test_importing_the_package_imports_neither_scikit_learn_nor_pytorch():
    code = (
        "import sys, bpref.regression; assert not {'sklearn', 'torch', 'pandas'} & {*sys.modules}; "
        "from bpref.regression import BackpropRegressor; import numpy as np; X = np.eye(4); "
        "BackpropRegressor(backend='numpy', dropout=0.5, patience=2).fit(X, X).predict(X); "
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


# What it computes


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("weights", [False, True])
def test_it_trains_as_mlp_regressor_does(backend, weights):
    """Gradient descent on all rows, from the same weights: the same model."""
    X, y = load_diabetes(return_X_y=True)
    X, y = StandardScaler().fit_transform(X), (y - y.mean()) / y.std()
    w = np.random.default_rng(0).integers(1, 4, len(X)).astype(float) if weights else None
    options = {"activation": "tanh", "standardize": False, "random_state": 3, "backend": backend}
    ours = BackpropRegressor((7, 5), batch_size=ALL_ROWS, lr=0.05, epochs=200, **options)
    ours.fit(X, y, sample_weight=w)

    theirs = MLPRegressor(
        hidden_layer_sizes=(7, 5),
        activation="tanh",
        solver="sgd",
        momentum=0,
        alpha=0,
        batch_size=len(X),
        shuffle=False,
        learning_rate_init=1e-300,  # the first fit only allocates
        max_iter=1,
        n_iter_no_change=ALL_ROWS,
        warm_start=True,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs.fit(X, y)
        initial = nn.MLP([10, 7, 5, 1], generator=np.random.default_rng(3)).state_dict()
        for i in range(3):
            theirs.coefs_[i][...] = initial[f"{2 * i}.weight"].T
            theirs.intercepts_[i][...] = initial[f"{2 * i}.bias"]
        del theirs._optimizer
        theirs.set_params(learning_rate_init=0.1, max_iter=200)  # its loss is half of the MSE
        theirs.fit(X, y, sample_weight=w)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=0, atol=1e-12)
    losses = 2 * np.array(theirs.loss_curve_[1:])
    np.testing.assert_allclose(ours.loss_curve_, losses, rtol=1e-12)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_it_scores_on_diabetes_as_mlp_regressor_does(optimizer):
    X, y = load_diabetes(return_X_y=True)
    y = (y - y.mean()) / y.std()
    folds = KFold(5, shuffle=True, random_state=0)
    ours = BackpropRegressor(optimizer=optimizer, epochs=40, random_state=0)
    theirs = MLPRegressor(
        hidden_layer_sizes=(10,),
        solver=optimizer,
        momentum=0,
        alpha=0,
        batch_size=32,
        learning_rate_init=0.01,
        max_iter=40,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        their_scores = cross_val_score(make_pipeline(StandardScaler(), theirs), X, y, cv=folds)
    our_scores = cross_val_score(ours, X, y, cv=folds)
    assert our_scores.mean() > their_scores.mean() - 0.01
    assert our_scores.mean() > 0.4


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("m", [1, 2])
def test_it_is_the_trainer_on_standardised_rows(backend, m):
    X, y = table(m=m)
    options = {"epochs": 7, "batch_size": 4, "dtype": "float64", "backend": backend}
    model = BackpropRegressor((6,), random_state=5, **options).fit(X, y)
    config = Config(hidden_sizes=(6,), seed=5, **options)
    x_rows = StandardScaler().fit(X).transform(X)
    y_scaler = StandardScaler().fit(y)
    outcome = train(config, Data(x_rows, y_scaler.transform(y)))
    for key in outcome.last:
        np.testing.assert_allclose(model.weights_[key], outcome.last[key], rtol=0, atol=1e-13)
    expected = y_scaler.inverse_transform(predict(config, outcome.last, x_rows))
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-12)
    assert model.loss_curve_ == pytest.approx(outcome.history.epoch_loss)
    assert (model.n_iter_, model.best_epoch_, model.seed_) == (7, 7, 5)
    assert (model.backend_, model.device_, model.dtype_) == (backend, "cpu", "float64")


def test_the_unit_of_columns_does_not_matter():
    X, y = table(m=2)
    factors, offsets = np.array([1e3, 1e-3, 7.0]), np.array([5.0, 0.0, 1e4])
    model = BackpropRegressor(random_state=0)
    expected = clone(model).fit(X, y).predict(X)
    other = clone(model).fit(X * factors + offsets, y * [100, 0.01] - 50)
    np.testing.assert_allclose(
        other.predict(X * factors + offsets), expected * [100, 0.01] - 50, rtol=1e-6
    )


def test_without_standardisation_the_rows_are_taken_as_they_are():
    X, y = table()
    model = BackpropRegressor(standardize=False, lr=1e-4, random_state=1, dtype="float64")
    model.fit(X, y)
    outcome = train(Config(lr=1e-4, seed=1, dtype="float64"), Data(X, y[:, None]))
    for key in outcome.last:
        assert (model.weights_[key] == outcome.last[key]).all()
    assert model.X_scaling_.mean.tolist() == [0, 0, 0]
    assert model.y_scaling_.scale.tolist() == [1]


def test_constant_columns_and_targets_are_only_centred():
    X, y = table(m=2)
    X[:, 1], y[:, 0] = 1e6, 3.0
    model = BackpropRegressor(random_state=0, weight_decay=0.1, epochs=300).fit(X, y)
    assert model.X_scaling_.scale[1] == model.y_scaling_.scale[0] == 1
    assert np.abs(model.predict(X)[:, 0] - 3).max() < 0.2
    moved = X + np.array([0, 0.5, 0])  # no cliff where the column begins to vary
    assert np.abs(model.predict(moved) - model.predict(X)).max() < 1


# Sample weights


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("options", [{}, {"loss": "huber"}, {"optimizer": "adam"}])
def test_a_weight_of_two_is_the_row_twice_and_zero_leaves_it_out(backend, options):
    X, y = table(m=2)
    times = np.random.default_rng(0).integers(0, 4, len(X))
    model = BackpropRegressor(batch_size=ALL_ROWS, random_state=0, backend=backend, **options)
    weighted = clone(model).fit(X, y, sample_weight=times)
    repeated = clone(model).fit(np.repeat(X, times, axis=0), np.repeat(y, times, axis=0))
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-9)
    np.testing.assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-9)
    assert abs(clone(model).fit(X, y).predict(X) - weighted.predict(X)).max() > 0.01


@pytest.mark.parametrize("options", [{}, {"patience": 3}, {"dropout": 0.3}])
def test_rows_of_weight_zero_are_as_if_they_were_not_there(options):
    X, y = table()
    w = np.random.default_rng(1).uniform(0, 2, len(X))
    w[[0, 4, 9, 22]] = 0
    X_bad = X.copy()
    X_bad[4] = 1e9
    model = BackpropRegressor(batch_size=5, random_state=0, **options)
    a = clone(model).fit(X_bad, y, sample_weight=w)
    b = clone(model).fit(X[w > 0], y[w > 0], sample_weight=w[w > 0])
    assert_same_weights(a, b)
    c = clone(model).set_params(patience=None).partial_fit(X_bad, y, w)
    d = clone(model).set_params(patience=None).partial_fit(X[w > 0], y[w > 0], w[w > 0])
    assert_same_weights(c, d)


def test_only_the_ratios_of_weights_count():
    X, y = table()
    w = np.random.default_rng(1).uniform(0.1, 2, len(X))
    model = BackpropRegressor(batch_size=5, random_state=0)
    a, b = clone(model).fit(X, y, w), clone(model).fit(X, y, 1024 * w)
    np.testing.assert_allclose(a.predict(X), b.predict(X), rtol=1e-9)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.ones(22), r"shape \(23,\), got \(22,\)"),
        (np.ones((23, 1)), r"shape \(23,\), got \(23, 1\)"),
        (np.zeros(23), "not zero everywhere"),
        (np.r_[-1, np.ones(22)], "at least 0"),
        (np.r_[np.nan, np.ones(22)], "sample_weight contains NaN"),
        (["a"] * 23, "could not convert string"),
    ],
)
def test_weights_that_cannot_be_used_are_refused(weight, message):
    X, y = table()
    with pytest.raises(ValueError, match=message):
        BackpropRegressor().fit(X, y, sample_weight=weight)


# Training in several calls

RUNS = {
    "sgd": {},
    "momentum": {"momentum": 0.9, "weight_decay": 0.1},
    "adam": {"optimizer": "adam", "schedule": "cosine", "warmup_epochs": 2},
    "adamw": {"optimizer": "adamw", "accumulate": 2, "standardize": False},
    "rmsprop": {"optimizer": "rmsprop", "momentum": 0.5, "schedule": "linear"},
    "adagrad": {"optimizer": "adagrad", "schedule": "step", "loss": "mae"},
    "dropout": {"dropout": 0.5, "hidden_sizes": (8, 7), "clip_norm": 0.1},
    "float32": {"dtype": "float32", "activation": "gelu"},
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("options", RUNS.values(), ids=RUNS.keys())
def test_calls_of_partial_fit_are_the_epochs_of_fit(backend, weights, options):
    X, y = table(m=2)
    w = np.arange(len(X)) / 10 if weights else None
    model = BackpropRegressor(epochs=6, batch_size=5, backend=backend, random_state=2, lr=0.005)
    model.set_params(**options)
    whole, parts = clone(model).fit(X, y, w), clone(model)
    for _ in range(6):
        parts.partial_fit(X, y, w)
    assert_same_weights(parts, whole)
    assert parts.history_ == whole.history_
    assert parts.n_iter_ == parts.best_epoch_ == len(parts.loss_curve_) == 6
    assert (parts.predict(X) == whole.predict(X)).all()


@pytest.mark.parametrize(
    ("backend", "options"),
    [
        *((backend, RUNS[name]) for backend in BACKENDS for name in ("sgd", "momentum", "dropout")),
        ("torch", {"amp": True}),  # NumPy has no mixed precision
    ],
)
def test_two_warm_fits_are_one_fit_of_their_epochs(backend, options):
    X, y = table()
    model = BackpropRegressor(epochs=4, batch_size=5, backend=backend, random_state=2)
    model.set_params(**options)
    twice = clone(model).set_params(warm_start=True).fit(X, y)
    joined = clone(model).set_params(epochs=8).fit(X, y)
    assert twice.n_iter_ == 4
    assert_same_weights(twice.fit(X, y), joined)
    assert twice.history_ == joined.history_
    assert_same_weights(clone(model).fit(X, y).fit(X, y), clone(model).fit(X, y))


def test_partial_fit_goes_on_behind_fit_and_a_cold_fit_begins_anew():
    X, y = table()
    model = BackpropRegressor(epochs=4, batch_size=5, random_state=2)
    behind = clone(model).fit(X, y).partial_fit(X, y)
    assert_same_weights(behind, clone(model).set_params(epochs=5).fit(X, y))
    assert_same_weights(behind.fit(X, y), clone(model).fit(X, y))


def test_partial_fit_learns_from_a_stream():
    X, y = table(rows=2000, seed=3)
    model = BackpropRegressor(lr=0.05, random_state=0)
    for start in range(0, 1600, 64):
        model.partial_fit(X[start : start + 64], y[start : start + 64])
    assert model.n_iter_ == 25
    assert model.score(X[1600:], y[1600:]) > 0.9
    first = StandardScaler().fit(X[:64])
    np.testing.assert_allclose(model.X_scaling_.mean, first.mean_)
    np.testing.assert_allclose(model.X_scaling_.scale, first.scale_)


def test_parameters_that_may_change_count_from_then_on():
    X, y = table()
    model = BackpropRegressor(random_state=2).partial_fit(X, y)
    before = model.weights_
    model.set_params(lr=1e-12, batch_size=4).partial_fit(X, y)
    for key in before:
        np.testing.assert_allclose(model.weights_[key], before[key], atol=1e-9)
    assert model.history_.lr == [0.01, 1e-12]


@pytest.mark.parametrize("schedule", ["cosine", "linear", "step"])
def test_the_rate_stays_positive_beyond_the_epochs_of_a_schedule(schedule):
    X, y = table()
    model = BackpropRegressor(epochs=3, batch_size=5, schedule=schedule)
    for _ in range(6):
        model.partial_fit(X, y)
    assert min(model.history_.lr) > 0
    with pytest.raises(ValueError, match="they had 5 batches, this one has 2"):
        model.partial_fit(X[:8], y[:8])
    model.set_params(schedule="constant").partial_fit(X[:8], y[:8])
    with pytest.raises(ValueError, match=r"they had 4\.57\d* batches, this one has 4"):
        model.set_params(schedule=schedule).partial_fit(X[:20], y[:20])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_sizes": (4,)}, r"hidden_sizes must stay \(10,\) .*, got \(4,\)"),
        ({"activation": "tanh"}, "activation must stay 'relu'"),
        ({"optimizer": "adam"}, "optimizer must stay 'sgd'"),
        ({"momentum": 0.9}, "momentum must stay 0.0"),
        ({"dtype": "float32"}, "dtype must stay 'float64'"),
        ({"standardize": False}, "standardize must stay True"),
        ({"backend": "torch"}, "backend must be 'numpy'"),
        ({"device": "cuda"}, "backend numpy runs on the cpu"),
    ],
)
def test_what_the_weights_belong_to_must_stay(change, message):
    X, y = table()
    model = BackpropRegressor(epochs=2, warm_start=True).fit(X, y)
    before = model.predict(X)
    model.set_params(**change)
    with pytest.raises(ConfigError, match=message):
        model.fit(X, y)
    with pytest.raises(ConfigError, match=message):
        model.partial_fit(X, y)
    model.set_params(device="auto")
    assert (model.predict(X) == before).all()
    model.set_params(warm_start=False, **change)
    if "device" not in change:
        model.fit(X, y)


def test_later_rows_must_have_the_columns_of_the_first():
    X, y = table(m=2)
    model = BackpropRegressor().partial_fit(X, y)
    with pytest.raises(ValueError, match="2 features, but BackpropRegressor is expecting 3"):
        model.partial_fit(X[:, :2], y)
    with pytest.raises(ValueError, match="y has 1 outputs, but had 2 before"):
        model.partial_fit(X, y[:, 0])
    with pytest.raises(ValueError, match="partial_fit needs patience=None, got 3"):
        model.set_params(patience=3).partial_fit(X, y)


# Early stopping


@pytest.mark.parametrize("weights", [False, True])
def test_early_stopping_keeps_the_weights_that_are_best_on_the_validation_rows(weights):
    X, y = table(rows=60, seed=1)
    w = np.random.default_rng(0).uniform(0.1, 2, len(X)) if weights else np.ones(len(X))
    model = BackpropRegressor(
        (30,), epochs=2000, lr=0.1, patience=5, validation=0.25, random_state=4
    )
    model.fit(X, y, w if weights else None)
    rows, val_rows = train_test_split(np.arange(60), test_size=0.25, random_state=4)
    losses = model.history_.val_loss
    assert model.n_iter_ == len(losses) == model.best_epoch_ + 5 < 2000
    assert losses[model.best_epoch_ - 1] == min(losses)
    np.testing.assert_allclose(model.X_scaling_.mean, np.average(X[rows], 0, w[rows]))
    error = (model.predict(X[val_rows]) - y[val_rows]) / model.y_scaling_.scale
    assert np.average(error**2, weights=w[val_rows]) == pytest.approx(min(losses))


def test_a_warm_start_behind_early_stopping_begins_with_the_best_weights():
    X, y = table(rows=60, seed=1)
    model = BackpropRegressor((30,), epochs=500, lr=0.1, patience=5, random_state=4)
    model.set_params(warm_start=True).fit(X, y)
    before, epochs = model.predict(X), model.n_iter_
    model.set_params(lr=1e-12, patience=7).fit(X, y)
    np.testing.assert_allclose(model.predict(X), before, rtol=1e-6)
    assert model.best_epoch_ > epochs
    assert model.n_iter_ >= epochs + 7


def test_all_rows_train_unless_patience_is_given():
    X, y = table()
    model = BackpropRegressor(epochs=2).fit(X, y)
    np.testing.assert_allclose(model.X_scaling_.mean, X.mean(axis=0))
    assert model.history_.val_loss == []
    with pytest.raises(ValueError, match="train set will be empty"):
        BackpropRegressor(patience=1).fit(X[:1], y[:1])


# Randomness


def test_random_state():
    X, y = table()
    repeated = [BackpropRegressor(epochs=2, random_state=7).fit(X, y) for _ in range(2)]
    assert_same_weights(*repeated)
    a, b = (BackpropRegressor(epochs=2).fit(X, y) for _ in range(2))
    assert a.seed_ != b.seed_
    assert (a.predict(X) != b.predict(X)).any()
    assert_same_weights(a, BackpropRegressor(epochs=2, random_state=a.seed_).fit(X, y))
    drawn = [
        BackpropRegressor(epochs=2, random_state=np.random.RandomState(3)).fit(X, y).seed_
        for _ in range(2)
    ]
    assert drawn[0] == drawn[1]
    assert_same_weights(
        BackpropRegressor(epochs=2, random_state=np.int64(7)).fit(X, y), repeated[0]
    )


# Tables, types, shapes


def test_data_frames():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    model = BackpropRegressor(epochs=5, random_state=0).fit(X, y)
    assert model.feature_names_in_.tolist() == X.columns.tolist()
    assert model.n_features_in_ == 10
    expected = BackpropRegressor(epochs=5, random_state=0).fit(X.to_numpy(), y.to_numpy())
    assert_same_weights(model, expected)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(X[X.columns[::-1]])
    one = BackpropRegressor(epochs=5, random_state=0).fit(X, y.to_frame())
    assert one.predict(X).shape == (442, 1)
    assert (one.predict(X)[:, 0] == model.predict(X)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_model_does_not_depend_on_what_holds_the_table(dtype):
    X, y = table(rows=100)
    X = X.astype(dtype)
    expected = BackpropRegressor(epochs=5, random_state=0).fit(X, y)
    assert expected.dtype_ == np.dtype(dtype).name
    frame = pd.DataFrame(X, columns=list("abc"))
    holders = [np.asfortranarray(X), frame, frame.astype(np.dtype(dtype).name.capitalize())]
    for held in [*holders, torch.from_numpy(X)]:
        model = BackpropRegressor(epochs=5, random_state=0).fit(held, y)
        assert model.dtype_ == expected.dtype_
        assert_same_weights(model, expected)
        np.testing.assert_array_equal(model.predict(held), expected.predict(X))


DATES = pd.Series(pd.date_range("2026-01-01", periods=23))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (DATES.to_frame("day"), y), "column 'day' holds dates or times .datetime64"),
        (lambda X, y: (X.assign(a=DATES - DATES[0]), y), "column 'a' holds dates or times .timed"),
        (lambda X, y: (X.assign(b=DATES.dt.to_period("D")), y), "column 'b' holds dates .*period"),
        (lambda X, y: (np.full((23, 3), "NaT", "datetime64[s]"), y), "X holds dates or times"),
        (lambda X, y: (X, DATES), "y holds dates or times"),
    ],
)
def test_dates_are_not_taken_for_numbers(change, message):
    """Nanoseconds of one table would be seconds of another."""
    X, y = table()
    with pytest.raises(TypeError, match=message):
        BackpropRegressor(epochs=1).fit(*change(pd.DataFrame(X, columns=list("abc")), y))
    model = BackpropRegressor(epochs=1).fit(X, y)
    with pytest.raises(TypeError, match="X holds dates"):
        model.predict(np.zeros((2, 3), "datetime64[s]"))


def test_masked_values_are_not_taken_for_numbers():
    X, y = table()
    bad = np.ma.masked_greater(X, 0.5)
    with pytest.raises(ValueError, match="X has masked values"):
        BackpropRegressor(epochs=1).fit(bad, y)
    with pytest.raises(ValueError, match="y has masked values"):
        BackpropRegressor(epochs=1).fit(X, np.ma.masked_greater(y, 0.5))
    model = BackpropRegressor(epochs=1).fit(np.ma.array(X), y)  # nothing is masked
    with pytest.raises(ValueError, match="X has masked values"):
        model.predict(bad)


@pytest.mark.parametrize("values", [list("xyz"), pd.Categorical(list("xyz")), [1.0, "?", 2.0]])
def test_a_column_that_is_not_of_numbers_is_named(values):
    X, y = table(rows=3)
    frame = pd.DataFrame(X, columns=["a", "b", "c"]).assign(b=values)
    with pytest.raises(ValueError, match=r"'b' is not of numbers .could not convert .*'[?x]'"):
        BackpropRegressor(epochs=1).fit(frame, y)
    with pytest.raises(ValueError, match="X contains NaN"):
        BackpropRegressor(epochs=1).fit(frame.assign(b=[1, 2, None]), y)


def test_tables_of_polars():
    X, y = table(rows=100)
    for kind in (polars.Float32, polars.Float64):
        frame = polars.DataFrame(X, schema=dict.fromkeys("abc", kind), strict=False)
        target = polars.Series("y", y)
        expected = BackpropRegressor(epochs=5, random_state=0).fit(frame.to_numpy(), y)
        model = clone(expected).fit(frame, target)
        assert model.dtype_ == expected.dtype_ == str(kind).lower()
        assert_same_weights(model, expected)
        assert model.score(frame, target) == expected.score(frame.to_numpy(), y)
    assert model.feature_names_in_.tolist() == frame.columns
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame.select("c", "a", "b"))
    for values, message in (
        (polars.Series(["x"] * 100, dtype=polars.Categorical), "column 'b' is not of numbers"),
        (polars.Series([None] * 100, dtype=polars.Float64), "X contains NaN"),
        (polars.Series([date(2026, 1, 1)] * 100), r"column 'b' holds dates or times .Date."),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            model.predict(frame.with_columns(b=values))
    with pytest.raises(TypeError, match=r"X is a LazyFrame.*collect"):
        model.fit(frame.lazy(), target)
    steps = make_pipeline(StandardScaler(), BackpropRegressor(epochs=5, random_state=0))
    steps.set_output(transform="polars").fit(frame, target)
    assert steps[-1].feature_names_in_.tolist() == frame.columns
    assert cross_val_score(steps, frame, target, cv=3).shape == (3,)


@pytest.mark.parametrize("m", [None, 1, 2])
def test_predictions_have_the_axes_of_y(m):
    X, y = table(rows=200, m=m)
    model = BackpropRegressor(lr=0.05, random_state=0).fit(X, y)
    assert model.predict(X).shape == y.shape
    assert model.predict(X[:1]).shape == y[:1].shape
    assert model.n_outputs_ == (m or 1)
    assert model.score(X, y) > 0.9
    assert list(model.weights_) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert model.weights_["2.weight"].shape == (m or 1, 10)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("of_rows", "option", "expected"),
    [
        (np.float32, "auto", np.float32),
        (np.float64, "auto", np.float64),
        (np.int64, "auto", np.float64),
        (np.float64, "float32", np.float32),
        (np.float32, "float64", np.float64),
    ],
)
def test_dtypes(backend, of_rows, option, expected):
    X, y = table(rows=100)
    X = np.round(X).astype(of_rows)
    model = BackpropRegressor(dtype=option, backend=backend, random_state=0).fit(X, y)
    assert model.dtype_ == np.dtype(expected).name
    assert {weight.dtype for weight in model.weights_.values()} == {np.dtype(expected)}
    assert model.predict(X).dtype == np.float64
    reference = BackpropRegressor(random_state=0).fit(X.astype(float), y).predict(X)
    rtol = 1e-3 if expected is np.float32 else 1e-9
    np.testing.assert_allclose(model.predict(X), reference, rtol=rtol)


def test_targets_far_from_zero_keep_their_digits_in_float32():
    X, y = table(rows=200)
    model = BackpropRegressor(lr=0.05, random_state=0, dtype="float32")
    near = clone(model).fit(X, y).score(X, y)
    far = clone(model).fit(X + 1e7, y + 1e7).score(X + 1e7, y + 1e7)
    assert far == pytest.approx(near, abs=1e-3)


def test_mixed_precision():
    X, y = table(rows=200)
    model = BackpropRegressor(lr=0.05, amp=True, random_state=0).fit(X, y)
    assert model.backend_ == "torch"
    assert model.score(X, y) > 0.9
    with torch.no_grad():  # as around a prediction in PyTorch
        assert_same_weights(clone(model).fit(X, y), model)


@pytest.mark.parametrize("container", [sparse.csr_array, sparse.csc_matrix, sparse.coo_array])
def test_sparse_tables_are_refused(container):
    X, y = table()
    with pytest.raises(TypeError, match=r"Sparse data was passed.* but dense data is required"):
        BackpropRegressor().fit(container(X), y)
    with pytest.raises(TypeError, match="Sparse data was passed for y"):
        BackpropRegressor().fit(X, container(y[:, None]))
    model = BackpropRegressor(epochs=1).fit(X, y)
    with pytest.raises(TypeError, match="Sparse data was passed"):
        model.predict(container(X))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (X[:, 0], y), "Expected 2D array"),
        (lambda X, y: (X[:0], y[:0]), "0 sample"),
        (lambda X, y: (X[:, :0], y), "0 feature"),
        (lambda X, y: (X, y[:-1]), "inconsistent numbers of samples"),
        (lambda X, y: (X, y[:, None, None]), "dim 3"),
        (lambda X, y: (X, np.zeros((23, 0))), "0 feature|all at least 1"),
        (lambda X, y: (X, None), "requires y"),
        (lambda X, y: (X, ["a"] * 23), "could not convert string"),
        (lambda X, y: (np.full((23, 3), "a"), y), "could not convert string"),
        (lambda X, y: (X + np.array([np.nan, 0, 0]), y), "X contains NaN"),
        (lambda X, y: (X, y + np.inf), "y contains infinity"),
        (lambda X, y: (X * 1e307, y), "X has values too large to be standardised"),
        (lambda X, y: (X, y * 1e300), "y has values too large to be standardised"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(change, message):
    X, y = change(*table())
    with pytest.raises(ValueError, match=message):
        BackpropRegressor(epochs=1).fit(X, y)


def test_values_beyond_the_dtype_are_refused():
    X, y = table()
    model = BackpropRegressor(epochs=1, dtype="float32", standardize=False)
    with pytest.raises(ValueError, match="y has values too large for float32"):
        model.fit(X, y * 1e39)
    model.set_params(standardize=True).fit(X, y)
    with pytest.raises(ValueError, match="X has values too large for float32"):
        model.predict(X * 1e39)


# Parameters and faults


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_sizes": (0,)}, "hidden_sizes must be an integer from 1"),
        ({"hidden_sizes": (2.5,)}, "hidden_sizes must be an integer"),
        ({"hidden_sizes": None}, "hidden_sizes must be an integer"),
        ({"activation": "swish"}, "activation must be one of relu, "),
        ({"dropout": 1}, "dropout must be at least 0 and below 1"),
        ({"loss": "squared_error"}, "loss must be one of mse, mae, huber"),
        ({"optimizer": "lbfgs"}, "optimizer must be one of sgd"),
        ({"lr": 0}, "lr must be above 0"),
        ({"lr": "adaptive"}, "lr must be above 0"),
        ({"epochs": 0}, "epochs must be an integer from 1"),
        ({"epochs": 2.0}, "epochs must be an integer"),
        ({"batch_size": 0}, "batch_size must be an integer from 1"),
        ({"batch_size": "auto"}, "batch_size must be an integer"),
        ({"accumulate": 33}, "accumulate must be an integer from 1 to 32"),
        ({"warmup_epochs": 101}, "warmup_epochs must be an integer from 0 to 100"),
        ({"patience": 0}, "patience must be an integer from 1"),
        ({"validation": 1.0, "patience": 1}, "validation must be above 0 and below 1"),
        ({"dtype": "float16"}, "dtype must be one of float32, float64"),
        ({"device": "gpu7"}, "device 'gpu7' cannot be used"),
        ({"device": "cuda", "backend": "numpy"}, "backend numpy runs on the cpu"),
        ({"random_state": -1}, "Seed must be between 0"),
        ({"random_state": "a"}, "cannot be used to seed"),
    ],
)
def test_parameters_that_cannot_be_used_are_refused_by_fit(options, message):
    model = BackpropRegressor(**options)
    with pytest.raises(ValueError, match=message):
        model.fit(*table())
    with pytest.raises(NotFittedError):
        model.predict(table()[0])


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_fit_that_diverges_leaves_no_model(backend):
    X, y = table()
    model = BackpropRegressor((20, 20), epochs=3, backend=backend, random_state=0).fit(X, y)
    model.set_params(lr=1e6, epochs=100)
    with pytest.raises(DivergenceError, match="try a smaller learning rate") as caught:
        model.fit(X, y)
    assert caught.value.outcome.stop_reason == "diverged"
    with pytest.raises(NotFittedError):
        model.predict(X)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("lr", [1e6, 1e300])  # the loss overflows; the very first update does
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_training_further_that_diverges_leaves_the_model_as_it_was(backend, lr, method):
    X, y = table()
    model = BackpropRegressor((20, 20), epochs=3, backend=backend, random_state=0)
    before = model.fit(X, y).predict(X)
    model.set_params(lr=lr, warm_start=True, epochs=1, batch_size=ALL_ROWS)
    with pytest.raises(DivergenceError, match="try a smaller learning rate"):  # noqa: PT012
        while model.n_iter_ < 100:
            before = model.predict(X)
            getattr(model, method)(X, y)
    assert np.isfinite(before).all()
    assert (model.predict(X) == before).all()
    assert 3 <= model.n_iter_ == len(model.loss_curve_) < 100


def test_a_search_goes_on_behind_a_fit_that_diverges():
    X, y = table()
    model = BackpropRegressor((20, 20), random_state=0)
    search = GridSearchCV(model, {"lr": [1e6, 0.01]}, cv=KFold(2))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "One or more of the test scores are non-finite")
        with pytest.warns(FitFailedWarning, match="DivergenceError"):
            search.fit(X, y)
    assert search.best_params_ == {"lr": 0.01}


# Together with the rest of scikit-learn


def test_a_pipeline_for_a_table_of_numbers_and_categories():
    X, y = table(rows=300)
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    frame["kind"] = np.where(np.arange(300) % 3, "low", "high")
    y = y + np.where(frame["kind"] == "high", 30, 0)
    encode = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["kind"]), remainder="passthrough"
    )
    model = make_pipeline(encode, BackpropRegressor(lr=0.05, random_state=0))
    model.fit(frame[:200], y[:200])
    assert model.score(frame[200:], y[200:]) > 0.9


def test_a_search_in_two_processes_with_numbers_of_numpy():
    X, y = table(rows=120)
    grid = {
        "hidden_sizes": [np.array([4, 3]), 8, []],
        "epochs": np.array([5, 60]),
        "lr": np.array([0.05]),
    }
    search = GridSearchCV(BackpropRegressor(random_state=0), grid, cv=3, n_jobs=2)
    search.fit(X, y, sample_weight=np.linspace(0, 1, 120))
    assert search.best_params_["epochs"] == 60
    assert search.score(X, y) > 0.9
    alone = clone(search).set_params(n_jobs=1).fit(X, y, sample_weight=np.linspace(0, 1, 120))
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"]
    )


def test_a_random_search():
    X, y = table(rows=60)
    space = {"lr": stats.loguniform(1e-3, 1e-1), "batch_size": stats.randint(5, 40)}
    model = BackpropRegressor(epochs=5, random_state=0)
    search = RandomizedSearchCV(model, space, n_iter=4, cv=2, random_state=0).fit(X, y)
    assert isinstance(search.best_estimator_.lr, np.floating)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_model_written_by_joblib_predicts_and_goes_on_as_before(backend, tmp_path):
    X, y = table(m=2)
    options = {"optimizer": "adam", "dropout": 0.2, "batch_size": 5, "random_state": 0}
    model = BackpropRegressor(epochs=3, backend=backend, **options).fit(X, y)
    joblib.dump(model, tmp_path / "model.joblib")
    read = joblib.load(tmp_path / "model.joblib")
    assert (read.predict(X) == model.predict(X)).all()
    assert_same_weights(read.partial_fit(X, y), model.partial_fit(X, y))
    mapped = joblib.load(tmp_path / "model.joblib", mmap_mode="r")  # read-only arrays
    assert_same_weights(mapped.partial_fit(X, y), model)


def test_a_model_is_moved_to_another_device_for_prediction():
    X, y = table()
    model = BackpropRegressor(epochs=3, backend="numpy", random_state=0).fit(X, y)
    expected = model.predict(X)
    model.set_params(device="cpu", backend="auto")
    assert (model.predict(X) == expected).all()
    model.set_params(device="cpu:0")  # not the name that NumPy knows: PyTorch predicts
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-12)
    with pytest.raises(ConfigError, match="device 'gpu7' cannot be used"):
        model.set_params(device="gpu7").predict(X)


def test_verbose_shows_the_losses(capsys):
    X, y = table()
    BackpropRegressor(epochs=20, patience=20, verbose=True).fit(X, y)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("epoch 1/20: training loss ")
    assert "validation loss" in lines[-1]
    BackpropRegressor(epochs=20).fit(X, y)
    assert capsys.readouterr().err == ""
