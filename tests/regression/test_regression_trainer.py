import copy
import dataclasses
import json
import math
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bpref.regression.callbacks import Callback
from bpref.regression.config import ACTIVATIONS, LOSSES, OPTIMIZERS, SCHEDULES, Config
from bpref.regression.errors import ConfigError, DivergenceError
from bpref.regression.trainer import Data, predict, train

BACKENDS = ("numpy", "torch")


def table(rows=11, d=2, m=1, seed=0, weights=False):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((rows, d))
    y = X @ rng.standard_normal((d, m)) + 0.3 * rng.standard_normal((rows, m))
    w = rng.uniform(0.1, 2, rows) if weights else None
    X_val = rng.standard_normal((5, d))
    return Data(X, y, X_val, X_val @ rng.standard_normal((d, m)), w)


class Keep(Callback):
    """Every checkpoint of a run, as a file would give it back."""

    def __init__(self):
        self.found = []

    def on_step(self, state):
        self.add(state)

    def on_epoch_end(self, state):
        self.add(state)

    def add(self, state):
        checkpoint = state.checkpoint()
        arrays = {k: v.copy() for k, v in checkpoint.items() if isinstance(v, np.ndarray)}
        scalars = {k: v for k, v in checkpoint.items() if k not in arrays}
        text = json.dumps(scalars, allow_nan=False)
        self.found.append(arrays | json.loads(text))


def assert_same(a, b):
    for name in ("best", "last"):
        one, other = getattr(a, name), getattr(b, name)
        assert list(one) == list(other)
        for key in one:
            assert (one[key] == other[key]).all(), (name, key)
    assert a.history == b.history
    for name in ("best_epoch", "best_loss", "epochs_run", "steps", "stop_reason"):
        assert getattr(a, name) == getattr(b, name), name
    assert a.checkpoint.keys() == b.checkpoint.keys()


RUNS = {
    "sgd": {},
    "momentum": {"momentum": 0.9, "weight_decay": 0.1},
    "adam": {"optimizer": "adam", "schedule": "cosine", "warmup_epochs": 2},
    "adamw": {"optimizer": "adamw", "weight_decay": 0.1, "accumulate": 2},
    "rmsprop": {"optimizer": "rmsprop", "momentum": 0.5, "schedule": "linear"},
    "adagrad": {"optimizer": "adagrad", "schedule": "step"},
    "dropout": {"dropout": 0.5, "hidden_sizes": (8, 7), "clip_norm": 0.1},
    "float64": {"dtype": "float64", "loss": "huber", "activation": "gelu"},
    "patience": {"patience": 2, "lr": 0.5, "epochs": 20},
}


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("options", RUNS.values(), ids=RUNS.keys())
def test_a_run_goes_on_bit_for_bit_from_any_step(backend, options, weights):
    config = Config(**{"epochs": 4, "batch_size": 4, "backend": backend, **options})
    check_every_checkpoint(config, table(weights=weights))


def test_mixed_precision_goes_on_bit_for_bit_from_any_step():
    check_every_checkpoint(Config(epochs=4, batch_size=4, amp=True, dropout=0.2), table())


def check_every_checkpoint(config, data):
    keep = Keep()
    whole = train(config, data, callbacks=[keep])
    assert len(keep.found) == whole.steps + whole.epochs_run
    for checkpoint in keep.found:
        assert_same(train(config, data, state=checkpoint), whole)


@settings(max_examples=30, deadline=None)
@given(
    data=st.data(),
    options=st.fixed_dictionaries(
        {
            "backend": st.sampled_from(BACKENDS),
            "hidden_sizes": st.lists(st.integers(1, 5), max_size=2),
            "activation": st.sampled_from(ACTIVATIONS),
            "dropout": st.sampled_from([0.0, 0.3]),
            "loss": st.sampled_from(LOSSES),
            "optimizer": st.sampled_from(OPTIMIZERS),
            "momentum": st.sampled_from([0.0, 0.9]),
            "schedule": st.sampled_from(SCHEDULES),
            "warmup_epochs": st.integers(0, 3),
            "batch_size": st.integers(3, 20),
            "accumulate": st.integers(1, 3),
            "patience": st.sampled_from([None, 1, 2]),
        }
    ),
)
def test_any_run_goes_on_bit_for_bit(data, options):
    config = Config(epochs=3, **options)
    rows = table(data.draw(st.integers(1, 12)), weights=data.draw(st.booleans()))
    keep = Keep()
    whole = train(config, rows, callbacks=[keep])
    assert_same(train(config, rows, state=data.draw(st.sampled_from(keep.found))), whole)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_finished_run_stays_finished(backend):
    config = Config(epochs=3, batch_size=4, backend=backend)
    whole = train(config, table())
    assert_same(train(config, table(), state=whole.checkpoint), whole)
    longer = dataclasses.replace(config, epochs=5)
    assert_same(train(longer, table(), state=whole.checkpoint), train(longer, table()))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_checkpoint_is_a_copy(backend):
    keep = Keep()
    config = Config(epochs=2, batch_size=4, backend=backend, momentum=0.9)
    given = []

    class Give(Callback):
        def on_step(self, state):
            given.append(state.checkpoint())

    train(config, table(), callbacks=[Give(), keep])
    for a, b in zip(given, [c for c in keep.found if c["batch"]], strict=True):
        for key in a:
            assert np.array_equal(a[key], b[key])


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_callback_sees_the_run_and_ends_it(backend):
    seen = []

    class Watch(Callback):
        def on_fit_start(self, state):
            seen.append(("start", state.epoch, state.step, state.epochs, state.steps_per_epoch))

        def on_step(self, state):
            seen.append(("step", state.epoch, state.step))
            assert math.isfinite(state.loss)
            gradients = [p.grad for p in state.model.parameters()]
            assert all(np.isfinite(np.asarray(g)).all() for g in gradients)
            assert any(np.asarray(g).any() for g in gradients)
            return state.step == 7

        def on_epoch_end(self, state):
            seen.append(("epoch", state.epoch, state.step))
            assert state.history.val_loss[-1] == state.val_loss
            assert state.lr == 0.01

        def on_fit_end(self, state):
            seen.append(("end", state.epoch, state.step, state.stop_reason))

    outcome = train(Config(epochs=9, batch_size=4, backend=backend), table(), callbacks=[Watch()])
    assert seen == [
        ("start", 0, 0, 9, 3),
        *[("step", 0, 1), ("step", 0, 2), ("step", 0, 3), ("epoch", 1, 3)],
        *[("step", 1, 4), ("step", 1, 5), ("step", 1, 6), ("epoch", 2, 6)],
        ("step", 2, 7),
        ("end", 2, 7, "callback"),
    ]
    assert (outcome.epochs_run, outcome.steps, outcome.stop_reason) == (2, 7, "callback")
    assert outcome.checkpoint["batch"] == 1


def test_early_stopping_waits_for_so_many_epochs_and_keeps_the_best_weights():
    config = Config(epochs=200, batch_size=4, lr=0.2, patience=5, hidden_sizes=(20,))
    data = table(rows=6, seed=1)
    outcome = train(config, data)
    losses = outcome.history.val_loss
    assert outcome.stop_reason == "early stopping"
    assert outcome.epochs_run == len(losses) == outcome.best_epoch + 5
    assert outcome.best_loss == min(losses) == losses[outcome.best_epoch - 1]
    error = predict(config, outcome.best, data.X_val) - data.y_val
    assert np.mean(error**2) == pytest.approx(outcome.best_loss, rel=1e-5)
    last = predict(config, outcome.last, data.X_val) - data.y_val
    assert np.mean(last**2) == pytest.approx(losses[-1], rel=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_without_validation_rows_the_weights_of_the_last_epoch_are_the_best(backend):
    data = table()
    # The rate is so large that the epoch loss does not fall to the end.
    config = Config(epochs=9, batch_size=4, lr=0.3, backend=backend, patience=2)
    outcome = train(config, Data(data.X_train, data.y_train))
    losses = outcome.history.epoch_loss
    assert outcome.history.val_loss == []
    assert (outcome.epochs_run, outcome.best_epoch) == (9, 9)
    assert outcome.best_loss == losses[-1] > min(losses)
    for key in outcome.last:
        assert (outcome.best[key] == outcome.last[key]).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_without_validation_rows_a_run_goes_on_bit_for_bit(backend):
    data = table()
    rows = Data(data.X_train, data.y_train)
    config = Config(epochs=4, batch_size=4, backend=backend, optimizer="adam", dropout=0.5)
    keep = Keep()
    whole = train(config, rows, callbacks=[keep])
    for state in keep.found:
        assert_same(train(config, rows, state=state), whole)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("bad", [math.nan, 1e30])  # the weights; or what they make of the inputs
@pytest.mark.parametrize(("step", "epoch", "stops"), [(6, 2, False), (5, 2, True)])
def test_the_last_update_is_looked_at_without_validation_rows(backend, bad, step, epoch, stops):
    config = Config(epochs=2, batch_size=4, backend=backend)

    class Break(Callback):
        def on_step(self, state):
            if state.step == step:
                for parameter in state.model.parameters():
                    parameter.data[...] = bad
            return stops and state.step == step

    data = table()
    rows = data if stops else Data(data.X_train, data.y_train)
    with pytest.raises(DivergenceError, match="loss after the update became") as caught:
        train(config, rows, callbacks=[Break()])
    error = caught.value
    assert (error.step, error.epoch) == (step, epoch)
    assert (error.outcome.epochs_run, error.outcome.best_epoch) == (1, 1)
    good = train(dataclasses.replace(config, epochs=1), rows)
    for key in good.last:
        assert (error.outcome.last[key] == good.last[key]).all()
        assert (error.outcome.best[key] == good.best[key]).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_weights_count_as_repeated_rows(backend):
    data = table(rows=6)
    times = np.array([1, 0, 2, 3, 0, 1])
    config = Config(epochs=5, batch_size=100, backend=backend, dtype="float64")
    weighted = Data(data.X_train, data.y_train, data.X_val, data.y_val, times.astype(float))
    repeated = Data(
        *(np.repeat(a, times, axis=0) for a in (data.X_train, data.y_train)),
        data.X_val,
        data.y_val,
    )
    a, b = train(config, weighted), train(config, repeated)
    for key in a.last:
        np.testing.assert_allclose(a.last[key], b.last[key], rtol=0, atol=1e-12)
    np.testing.assert_allclose(a.history.epoch_loss, b.history.epoch_loss, atol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_batch_without_any_weight_changes_nothing(backend, loss):
    data = table(rows=4)
    only_first = Data(data.X_train, data.y_train, w_train=np.array([1.0, 0, 0, 0]))
    config = Config(epochs=3, batch_size=1, backend=backend, loss=loss, dtype="float64")
    one_row = Data(data.X_train[:1], data.y_train[:1])
    a, b = train(config, only_first), train(config, one_row)
    for key in a.last:
        np.testing.assert_allclose(a.last[key], b.last[key], rtol=0, atol=1e-14)
    np.testing.assert_allclose(a.history.epoch_loss, b.history.epoch_loss)


@pytest.mark.parametrize("backend", BACKENDS)
def test_arrays_of_any_layout_are_taken_and_left_alone(backend):
    data, config = table(rows=9, d=3, m=2), Config(epochs=3, batch_size=4, backend=backend)
    expected = train(config, data)
    before = copy.deepcopy(data)
    layouts = (
        lambda a: np.asfortranarray(a),
        lambda a: np.repeat(a, 2, axis=0)[::2],
        lambda a: np.repeat(a, 2, axis=1)[:, ::2],
        lambda a: a[::-1].copy()[::-1],
        read_only,
        lambda a: a.astype(">f8"),
    )
    for layout in layouts:
        fields = [layout(getattr(data, n)) for n in ("X_train", "y_train", "X_val", "y_val")]
        assert_same(train(config, Data(*fields)), expected)
    assert all(
        (getattr(data, n) == getattr(before, n)).all() for n in ("X_train", "y_train", "X_val")
    )


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("backend", BACKENDS)
def test_float32_arrays_are_not_copied(backend):
    from bpref.regression.trainer import _Run

    data = table()
    X, y = data.X_train.astype(np.float32), data.y_train.astype(np.float32)
    run = _Run(Config(backend=backend), Data(X, y), [], None, None)
    assert np.shares_memory(np.asarray(run.train_batches.X), X)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("options", "scale", "where"),
    [
        ({"lr": 1e6}, 1.0, r"the output of layer 2 \(Linear.* is not finite"),
        ({"lr": 1e-6}, 1e30, "distance from the targets"),
        ({"lr": 1e-6, "dropout": 0.5}, 1e30, "distance from the targets"),
    ],
)
def test_a_loss_that_is_not_finite_ends_the_run(backend, options, scale, where):
    data = table()
    data = dataclasses.replace(data, y_train=data.y_train * scale)
    config = Config(epochs=50, batch_size=4, backend=backend, **options)
    with pytest.raises(DivergenceError, match=where) as caught:
        train(config, data)
    error = caught.value
    assert f"at step {error.step} (epoch {error.epoch})" in str(error)
    assert "try a smaller learning rate" in str(error)
    assert "\n" not in str(error)
    outcome = error.outcome
    assert outcome.stop_reason == "diverged"
    assert outcome.epochs_run == error.epoch - 1
    for weights in (outcome.best, outcome.last):
        assert all(np.isfinite(array).all() for array in weights.values())


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_last_good_weights_are_those_of_the_last_whole_epoch(backend):
    config = Config(epochs=5, batch_size=4, backend=backend)

    class Break(Callback):
        def on_step(self, state):
            if state.step == 7:  # the first step of the third epoch
                for parameter in state.model.parameters():
                    parameter.data[...] = math.nan

    with pytest.raises(DivergenceError, match="gradient of layer 2") as caught:
        train(config, table(), callbacks=[Break()])
    assert (caught.value.step, caught.value.epoch) == (8, 3)
    good = train(dataclasses.replace(config, epochs=2), table())
    for key in good.last:
        assert (caught.value.outcome.last[key] == good.last[key]).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_validation_loss_that_is_not_finite_ends_the_run(backend):
    data = table()
    data = dataclasses.replace(data, y_val=data.y_val * 1e30)
    with pytest.raises(DivergenceError, match="validation"):
        train(Config(epochs=2, backend=backend), data)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_inputs_that_are_not_finite_are_named(backend, bad):
    data = table()
    data.X_train[3, 1] = bad
    with pytest.raises(DivergenceError, match="inputs are not finite"):
        train(Config(backend=backend), data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X_train": np.zeros(3)}, "2-D"),
        ({"y_train": np.zeros((3, 1))}, "same N"),
        ({"X_train": np.zeros((0, 2)), "y_train": np.zeros((0, 1))}, "at least 1"),
        ({"X_train": np.zeros((11, 0))}, "at least 1"),
        ({"X_val": None}, "together"),
        ({"X_val": np.zeros((5, 3))}, "2 and 1 columns"),
        ({"w_train": np.zeros(11)}, "not 0 everywhere"),
        ({"w_train": -np.ones(11)}, "at least 0"),
        ({"w_train": np.full(11, np.nan)}, "finite"),
        ({"w_train": np.ones(3)}, "shape"),
        ({"w_val": np.ones(3)}, "w_val must have shape"),
        ({"X_val": None, "y_val": None, "w_val": np.ones(3)}, "w_val needs"),
    ],
)
def test_data_that_do_not_fit_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        train(Config(), dataclasses.replace(table(), **change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "version 1, got 2"),
        ({"version": None}, "version"),
        ({"epoch": ...}, "'epoch' is missing"),
        ({"model.0.weight": np.zeros((3, 2))}, r"model.0.weight: expected shape \(10, 2\)"),
        ({"best.2.bias": ...}, "best.2.bias: expected shape .1,., got nothing"),
        ({"model.4.bias": np.zeros(1)}, "model.4.bias: expected nothing"),
    ],
)
@pytest.mark.parametrize("backend", BACKENDS)
def test_checkpoints_that_do_not_fit_are_refused(backend, change, message):
    config = Config(epochs=2, backend=backend)
    checkpoint = {**train(config, table()).checkpoint, **change}
    checkpoint = {key: value for key, value in checkpoint.items() if value is not ...}
    with pytest.raises(ValueError, match=message):
        train(config, table(), state=checkpoint)


def test_a_run_stays_on_its_backend():
    checkpoint = train(Config(epochs=2, backend="torch"), table()).checkpoint
    config = Config(epochs=3)
    assert train(config, table(), state=checkpoint).backend == "torch"
    with pytest.raises(ConfigError, match="backend must be 'torch'"):
        train(dataclasses.replace(config, backend="numpy"), table(), state=checkpoint)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"device": "cuda"}, "device 'cuda': the run began with"), ({"amp": True}, "amp: the run")],
)
def test_a_run_that_began_on_numpy_is_not_moved_in_silence(options, message):
    config = Config(epochs=2)
    began = train(dataclasses.replace(config, epochs=1), table())
    assert began.backend == "numpy"
    with pytest.raises(ConfigError, match=message):
        train(dataclasses.replace(config, **options), table(), state=began.checkpoint)


def test_a_run_that_began_on_numpy_is_refused_by_several_processes():
    class Pair:
        rank, world_size = 0, 2

    began = train(Config(epochs=1), table())
    with pytest.raises(ConfigError, match="numpy, which trains in one process"):
        train(Config(epochs=2), table(), state=began.checkpoint, group=Pair())


def test_an_unknown_device_is_refused():
    with pytest.raises(ConfigError, match="device 'gpu7'"):
        train(Config(device="gpu7"), table())


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("hidden_sizes", [(), (3,), (4, 3)])
def test_predict_is_the_forward_pass(backend, hidden_sizes):
    config = Config(epochs=2, backend=backend, dropout=0.5, hidden_sizes=hidden_sizes)
    data = table(m=2)
    weights = train(config, data).best
    x = data.X_val
    for number in range(len(hidden_sizes) + 1):
        x = x @ weights[f"{2 * number}.weight"].T + weights[f"{2 * number}.bias"]
        x = np.maximum(x, 0) if number < len(hidden_sizes) else x
    prediction = predict(config, dict(sorted(weights.items())), data.X_val)
    assert prediction.dtype == np.float64
    np.testing.assert_allclose(prediction, x, rtol=1e-5, atol=1e-6)
    assert predict(config, weights, data.X_val[:0]).shape == (0, 2)
    with pytest.raises(ValueError, match=r"0.weight: expected shape"):
        predict(config, weights, data.X_val[:, :1])
    with pytest.raises(ValueError, match=r"2-D"):
        predict(config, weights, data.X_val[0])
    with pytest.raises(ValueError, match=r"8.bias: expected"):
        predict(dataclasses.replace(config, hidden_sizes=(1, 1, 1, 1)), weights, data.X_val)


def test_predict_in_mixed_precision():
    config, data = Config(epochs=2, amp=True, dropout=0.5), table(m=2)
    weights = train(config, data).best
    exact = predict(Config(), weights, data.X_val)
    np.testing.assert_allclose(predict(config, weights, data.X_val), exact, rtol=0.1, atol=0.02)


class Group:
    """Threads in the place of processes: `sum_` waits for all of them."""

    def __init__(self, rank, shared):
        self.rank, self.world_size = rank, shared.parties
        self.shared = shared

    def sum_(self, tensor):
        self.shared.tensors[self.rank] = tensor.clone()
        self.shared.wait()
        total = torch.stack(self.shared.tensors).sum(0)
        self.shared.wait()
        tensor.copy_(total)


def train_in_threads(config, data, world_size, states=None):
    shared = threading.Barrier(world_size, timeout=60)
    shared.tensors = [None] * world_size

    def work(rank):
        try:
            state = states[rank] if states else None
            keep = Keep()
            return train(
                config, data, callbacks=[keep], state=state, group=Group(rank, shared)
            ), keep
        except DivergenceError:  # all raise it, and some may still be leaving the barrier
            raise
        except BaseException:
            shared.abort()
            raise

    with ThreadPoolExecutor(world_size) as pool:
        done = list(pool.map(work, range(world_size)))
    return [outcome for outcome, _ in done], [keep.found for _, keep in done]


@pytest.mark.parametrize("rows", [1, 2, 11])
@pytest.mark.parametrize("world_size", [2, 3])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"dropout": 0.5, "clip_norm": 0.1, "hidden_sizes": (6, 5)},
        {"optimizer": "adam", "accumulate": 2, "schedule": "cosine", "patience": 2},
    ],
)
def test_several_processes_train_as_one(rows, world_size, options):
    config = Config(epochs=3, batch_size=4, dtype="float64", backend="torch", **options)
    data = table(rows=rows, m=2, weights=True)
    expected = train(config, data)
    outcomes, found = train_in_threads(config, data, world_size)
    for outcome in outcomes:
        for key in expected.last:
            np.testing.assert_allclose(outcome.last[key], expected.last[key], rtol=0, atol=1e-12)
            assert (outcome.last[key] == outcomes[0].last[key]).all()
        for name in ("epoch_loss", "val_loss"):
            np.testing.assert_allclose(
                getattr(outcome.history, name), getattr(expected.history, name), atol=1e-12
            )
        assert outcome.stop_reason == expected.stop_reason
    again, _ = train_in_threads(config, data, world_size, [f[len(f) // 2] for f in found])
    for one, other in zip(outcomes, again, strict=True):
        assert_same(one, other)


def test_a_loss_that_is_not_finite_ends_all_processes():
    data = table()
    data.X_train[3, 1] = math.nan  # only one process has this row
    with pytest.raises(DivergenceError):
        train_in_threads(Config(backend="torch", epochs=1), data, 2)


def test_numpy_trains_in_one_process():
    with pytest.raises(ConfigError, match="one process"):
        train(Config(backend="numpy"), table(), group=Group(0, threading.Barrier(1)))


def test_many_rows_are_predicted_in_pieces(monkeypatch):
    config, data = Config(epochs=1), table(rows=50)
    weights = train(config, data).best
    whole = predict(config, weights, data.X_train)
    monkeypatch.setattr("bpref.regression.trainer.rows_at_once", lambda sizes: 7)
    np.testing.assert_allclose(predict(config, weights, data.X_train), whole, rtol=1e-6)


def test_the_numpy_backend_does_not_import_torch():
    code = (
        "import sys, numpy as np; from bpref.regression import Config, Data, predict, train; "
        "X = np.ones((4, 2)); config = Config(epochs=2, backend='numpy', dropout=0.5); "
        "predict(config, train(config, Data(X, X, X, X)).best, X); "
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
