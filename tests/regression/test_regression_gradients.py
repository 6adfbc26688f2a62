import dataclasses
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpref.regression import by_hand, numpy_training
from bpref.regression.callbacks import Callback, TrainingState
from bpref.regression.config import ACTIVATIONS, LOSSES, OPTIMIZERS, Config
from bpref.regression.errors import DivergenceError, RunError
from bpref.regression.gradients import (
    DEAD,
    EXPLODED,
    STEEP,
    VANISHED,
    GradientLog,
    GradientWarning,
    Layer,
    check_gradients,
    judge,
)
from bpref.regression.trainer import Data, train

BACKENDS = ("numpy", "torch")


def table(rows=60, d=4, m=1, seed=0, weights=False):
    """Standardised rows of a smooth function with noise."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((rows, d))
    y = np.sin(X @ rng.standard_normal((d, m))) + 0.1 * rng.standard_normal((rows, m))
    y = (y - y.mean(axis=0)) / (y.std(axis=0) or 1) if m == 1 and rows > 1 else y
    return Data(X, y, w_train=rng.uniform(0.1, 2, rows) if weights else None)


# --- autograd and the backward pass by hand ----------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    options=st.fixed_dictionaries(
        {
            "hidden_sizes": st.lists(st.integers(1, 6), max_size=4),
            "activation": st.sampled_from(ACTIVATIONS),
            "loss": st.sampled_from(LOSSES),
            "huber_delta": st.sampled_from([0.1, 1.0]),
            "dropout": st.sampled_from([0.0, 0.5]),
            "batch_size": st.integers(1, 40),
            "seed": st.integers(0, 1000),
            "dtype": st.sampled_from(["float32", "float64"]),
            "backend": st.sampled_from(["auto", *BACKENDS]),
        }
    ),
    rows=st.integers(1, 40),
    d=st.integers(1, 4),
    m=st.integers(1, 3),
    weights=st.booleans(),
)
def test_autograd_and_bpref_agree_for_every_network(options, rows, d, m, weights):
    config, data = Config(**options), table(rows, d, m, options["seed"], weights)
    found, ok = check_gradients(config, data)
    assert ok, found
    assert max(max(row.numpy, row.by_hand) for row in found) < 1e-13
    keys = [f"{2 * n}.{part}" for n in range(len(config.hidden_sizes) + 1) for part in "wb"]
    assert [row.parameter[: row.parameter.index(".") + 2] for row in found] == keys


def test_deep_networks_agree_where_the_gradient_has_vanished():
    config = Config(hidden_sizes=(16,) * 30, activation="sigmoid")
    rows, ok = check_gradients(config, table())
    assert ok
    assert 0 < rows[0].norm < 1e-15
    assert max(row.numpy for row in rows) < 1e-13


@pytest.mark.parametrize("n", [6, 30])
def test_derivatives_that_cancel_are_not_compared_with_nothing(n):
    """As many errors above as below: the derivative for the last bias is 0, or its rounding."""
    config = Config(hidden_sizes=(), loss="mae", batch_size=n)
    X, y = np.ones((n, 1)), np.array([100.0, -100.0] * (n // 2))[:, None]
    rows, ok = check_gradients(config, Data(X, y))
    assert ok
    assert max(row.norm for row in rows) < 1e-15


def spoiled(rule, factor):
    forward, slope = rule
    return forward, lambda delta, a, h: factor * slope(delta, a, h)


def test_a_wrong_rule_on_tensors_is_found_where_it_is(monkeypatch):
    monkeypatch.setitem(by_hand.RULES, "tanh", spoiled(by_hand.RULES["tanh"], 1 + 1e-8))
    config = Config(hidden_sizes=(5, 4), activation="tanh")
    rows, ok = check_gradients(config, table())
    assert not ok
    assert [row.by_hand > 1e-10 for row in rows] == [True, True, True, True, False, False]
    assert all(row.numpy < 1e-13 for row in rows)
    assert "DIFFER" in str(check_gradients(config, table()))


def test_a_wrong_rule_in_numpy_is_found(monkeypatch):
    right = numpy_training.fast.gelu_backward
    monkeypatch.setattr(numpy_training.fast, "gelu_backward", lambda g, c: right(g, c) * 1.001)
    rows, ok = check_gradients(Config(activation="gelu"), table())
    assert not ok
    assert [row.numpy > 1e-10 for row in rows] == [True, True, False, False]
    assert all(row.by_hand < 1e-13 for row in rows)


def test_a_gradient_that_is_not_finite_does_not_agree():
    data = table()
    data.X_train[:] = np.inf
    _, ok = check_gradients(Config(activation="identity"), data)
    assert not ok
    assert "DIFFER" in str(check_gradients(Config(), data))


def test_the_table_has_a_line_for_each_parameter():
    found = check_gradients(Config(hidden_sizes=(3,)), table(d=2))
    lines = str(found).splitlines()
    assert len({len(line) for line in lines[:-1]}) == 1
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines[1:-1]] == [row.parameter for row in found.rows]
    assert "3 × 2" in lines[1]
    assert lines[-1].startswith("autograd and bpref agree within 1e-10")


# --- what is recorded --------------------------------------------------------------------------


def records_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


class Norms(Callback):
    """The same numbers, computed in another way."""

    def __init__(self):
        self.found, self.before = [], None

    def on_fit_start(self, state):
        self.before = state.weights()

    def on_step(self, state):
        after, found = state.weights(), {}
        for layer, pair in zip("024", self.pairs(state), strict=False):
            keys = [f"{layer}.weight", f"{layer}.bias"]
            length = np.sqrt(sum((self.before[key].astype(float) ** 2).sum() for key in keys))
            steps = [(after[key].astype(float) - self.before[key]) ** 2 for key in keys]
            norm = np.sqrt(sum((g.astype(float) ** 2).sum() for g in pair))
            found[layer] = norm, np.sqrt(sum(s.sum() for s in steps)) / length
        self.found.append(found)
        self.before = after

    def pairs(self, state):
        gradients = [np.asarray(p.grad) for p in state.model.parameters()]
        return list(zip(gradients[::2], gradients[1::2], strict=True))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("every", [None, 1, 4])
def test_the_numbers_of_each_layer(tmp_path, backend, every):
    options = {"optimizer": "adam", "clip_norm": 0.1, "dropout": 0.2}
    config = Config(hidden_sizes=(7, 6), epochs=3, backend=backend, **options)
    path, norms = tmp_path / "gradients.jsonl", Norms()
    log = GradientLog(config, table().X_train, path, every=every)
    outcome = train(config, table(), callbacks=[log, norms])
    records = records_of(path)
    assert outcome.steps == 6  # 2 of each epoch
    due = {None: [1, 2, 4, 6], 1: [1, 2, 3, 4, 5, 6], 4: [1, 4]}[every]
    assert [record["step"] for record in records] == due
    assert [record["epoch"] for record in records] == [(step + 1) // 2 for step in due]
    for record in records:
        assert list(record["gradient_norm"]) == ["0", "2", "4"]
        assert list(record["dead_units"]) == ["0", "2"]
        for layer, (norm, ratio) in norms.found[record["step"] - 1].items():
            assert record["gradient_norm"][layer] == pytest.approx(norm, rel=1e-6)
            assert record["update_ratio"][layer] == pytest.approx(ratio, rel=1e-6)
        total = np.linalg.norm(list(record["gradient_norm"].values()))
        assert total == pytest.approx(0.1, rel=1e-3)  # after clipping
    assert log.record == records[-1]
    scalars = log.scalars()
    assert scalars["gradient_norm/2"] == records[-1]["gradient_norm"]["2"]
    assert len(scalars) == 8


def test_both_backends_record_the_same(tmp_path):
    found = []
    for backend in BACKENDS:
        config = Config(hidden_sizes=(7, 6), epochs=3, backend=backend, dtype="float64")
        log = GradientLog(config, table().X_train, tmp_path / backend, every=1)
        train(config, table(), callbacks=[log])
        found.append(records_of(tmp_path / backend))
    for one, other in zip(*found, strict=True):
        for name in ("gradient_norm", "update_ratio", "dead_units"):
            assert one[name] == pytest.approx(other[name], rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(
    options=st.fixed_dictionaries(
        {
            "backend": st.sampled_from(BACKENDS),
            "hidden_sizes": st.lists(st.integers(1, 5), max_size=3),
            "activation": st.sampled_from(ACTIVATIONS),
            "dropout": st.sampled_from([0.0, 0.3]),
            "optimizer": st.sampled_from(OPTIMIZERS),
            "momentum": st.sampled_from([0.0, 0.9]),
            "clip_norm": st.sampled_from([None, 0.1]),
            "batch_size": st.integers(3, 20),
            "accumulate": st.integers(1, 3),
            "dtype": st.sampled_from(["float32", "float64"]),
            "seed": st.integers(0, 100),
        }
    ),
    every=st.sampled_from([None, 1, 3]),
)
def test_the_run_is_the_same_bit_for_bit(tmp_path_factory, options, every):
    config, data = Config(epochs=3, **options), table(rows=17)
    path = tmp_path_factory.mktemp("log") / "gradients.jsonl"
    log = GradientLog(config, data.X_train, path, every=every, warn=lambda text: None)
    watched, alone = train(config, data, callbacks=[log]), train(config, data)
    assert watched.history == alone.history
    for key, value in alone.checkpoint.items():
        assert np.array_equal(watched.checkpoint[key], value), key


@pytest.mark.parametrize("every", [None, 1])
def test_a_run_that_goes_on_has_the_records_of_one_that_was_never_interrupted(tmp_path, every):
    config, data = Config(epochs=6, batch_size=20), table(weights=True)
    whole, path = tmp_path / "whole", tmp_path / "interrupted"
    checkpoints = {}

    class Keep(Callback):
        def on_step(self, state):
            checkpoints[state.step] = state.checkpoint()

    train(config, data, callbacks=[GradientLog(config, data.X_train, whole, every=every), Keep()])
    for step in (4, 9, 11):
        log = GradientLog(config, data.X_train, path, every=every)
        train(config, data, callbacks=[log])
        with path.open("a") as file:
            file.write('{"step": 18, "epo')  # killed while it wrote
        log = GradientLog(config, data.X_train, path, every=every)
        train(config, data, callbacks=[log], state=checkpoints[step])
        assert path.read_text() == whole.read_text()
    log = GradientLog(config, data.X_train, tmp_path / "lost", every=every)
    train(config, data, callbacks=[log], state=checkpoints[11])
    expected = [record for record in records_of(whole) if record["step"] > 11]
    assert records_of(tmp_path / "lost") == expected


def test_a_new_run_writes_a_new_file(tmp_path):
    path = tmp_path / "gradients.jsonl"
    path.write_text("something else\n")
    config = Config(epochs=1, batch_size=60)
    train(config, table(), callbacks=[GradientLog(config, table().X_train, path)])
    assert [record["step"] for record in records_of(path)] == [1]


def test_what_cannot_be_written_is_named(tmp_path):
    config = Config(epochs=1)
    log = GradientLog(config, table().X_train, tmp_path / "missing" / "gradients.jsonl")
    with pytest.raises(RunError, match=r"gradients.jsonl.*cannot be written"):
        train(config, table(), callbacks=[log])
    if not Path("/dev/full").exists():
        return
    log = GradientLog(config, table().X_train, tmp_path / "gradients.jsonl")

    class Full(Callback):
        def on_fit_start(self, state):
            log.file._file.close()
            log.file._file = open("/dev/full", "wb")  # noqa: SIM115

    with pytest.raises(RunError, match="No space left"):
        train(config, table(), callbacks=[log, Full()])
    log.close()
    log.close()


def test_every_must_be_a_number_of_steps():
    with pytest.raises(ValueError, match="every must be at least 1, got 0"):
        GradientLog(Config(), table().X_train, every=0)


def test_before_the_first_record_there_are_no_scalars():
    assert GradientLog(Config(), table().X_train).scalars() == {}


@pytest.mark.parametrize("rows", [1, 3, 511, 512, 513, 5000])
def test_the_sample_is_spread_over_the_rows(rows):
    X = np.arange(float(rows))[:, None]
    sample = GradientLog(Config(), X).sample[:, 0]
    assert len(set(sample)) == len(sample) == min(rows, 512)
    assert (sample[0], sample[-1]) == (0, rows - 1)
    assert rows <= 512 or np.diff(sample).max() <= rows // 512 + 1


# --- what is said ------------------------------------------------------------------------------


class Change(Callback):
    """Change the initial weights."""

    def __init__(self, **changes):
        self.changes = changes

    def on_fit_start(self, state):
        for key, parameter in state.model.named_parameters():
            for end, change in self.changes.items():
                if key.endswith(end):
                    change(parameter.data)


def times(factor):
    def change(values):
        values *= factor

    return change


def fill(number):
    def change(values):
        values[...] = number

    return change


def said(config, data, *before):
    """Return the kinds of the warnings of a run, with the layers of each."""
    texts = []
    log = GradientLog(config, data.X_train, every=1, warn=texts.append)
    found = {}

    class Collect(Callback):
        def on_step(self, state):
            for warning in log.record["warnings"]:
                layers = found.setdefault(warning["kind"], [])
                assert not set(layers) & set(warning["layers"])  # each of them once
                layers += warning["layers"]

    try:
        train(config, data, callbacks=[*before, log, Collect()])
    except DivergenceError:
        assert "exploding" in found  # said before the loss was lost
    assert texts == log.warnings
    assert all("step " in text and "; try " in text and "\n" not in text for text in texts)
    return found


NETWORKS = {
    "of the article": {},
    "with Adam": {"hidden_sizes": (32, 32), "optimizer": "adam", "lr": 0.01},
    "with momentum": {"hidden_sizes": (64,) * 4, "lr": 0.05, "momentum": 0.9},
    "of tanh": {"hidden_sizes": (32,) * 4, "activation": "tanh", "lr": 0.05},
    "of sigmoid": {"hidden_sizes": (32, 32), "activation": "sigmoid", "lr": 0.05},
    "linear": {"hidden_sizes": (), "lr": 0.05},
    "batches of one": {"hidden_sizes": (32, 32), "batch_size": 1, "epochs": 2},
    "with dropout": {"hidden_sizes": (32, 32), "dropout": 0.5, "loss": "mae"},
}
SEEDS = range(20)


@pytest.mark.parametrize("name", NETWORKS)
def test_of_a_healthy_network_nothing_is_said(name):
    for seed in SEEDS:
        config = Config(seed=seed, **{"epochs": 10, **NETWORKS[name]})
        assert said(config, table(seed=seed)) == {}, seed


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("depth", [30, 60])
def test_a_gradient_that_vanishes(seed, depth):
    config = Config(seed=seed, hidden_sizes=(16,) * depth, activation="sigmoid", epochs=1)
    found = said(config, table(seed=seed))
    assert list(found) == ["vanishing"]
    first = [str(2 * number) for number in range(depth - 12)]
    assert set(first) <= set(found["vanishing"])  # where it underflows to 0, too
    assert str(2 * depth - 2) not in found["vanishing"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_text_about_many_layers_is_one_line(backend):
    config = Config(hidden_sizes=(8,) * 12, activation="sigmoid", epochs=2, backend=backend)
    with pytest.warns(GradientWarning) as caught:
        train(config, table(), callbacks=[GradientLog(config, table().X_train)])
    text = str(caught[0].message)
    assert text.startswith("layer 0: vanishing gradient, ")
    assert "of that of the last layer (also layers 2, 4" in text
    assert text.endswith("(step 1); try relu or gelu, or fewer layers")


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    "options",
    [
        {"lr": 10.0, "hidden_sizes": (16, 16)},
        {"lr": 1e-3, "hidden_sizes": (16,) * 8, "scale": 5.0},
        {"lr": 1e-3, "hidden_sizes": (16,) * 8, "scale": 10.0, "optimizer": "adam"},
    ],
)
def test_a_gradient_that_explodes(seed, options):
    options = dict(options)
    before = Change(weight=times(options.pop("scale", 1.0)))
    found = said(Config(seed=seed, epochs=3, **options), table(seed=seed), before)
    assert found["exploding"]
    assert "vanishing" not in found


@pytest.mark.parametrize("seed", SEEDS)
def test_units_that_die(seed):
    config = Config(seed=seed, hidden_sizes=(16, 12, 8), epochs=2)

    class Kill(Callback):
        def on_fit_start(self, state):
            for key, parameter in state.model.named_parameters():
                if key == "2.bias":
                    parameter.data[...] = -100.0

    # What comes before a dead layer has no gradient, and what comes behind has constant inputs:
    # neither is a fault of its own.
    found = said(config, table(seed=seed), Kill())
    assert set(found) == {"dead"}
    assert "2" in found["dead"]
    assert "0" not in found["dead"]


def test_only_relu_units_die():
    config = Config(hidden_sizes=(16,), epochs=1, activation="leaky_relu")
    assert said(config, table(), Change(**{"0.bias": fill(-100.0)})) == {}


def test_a_run_that_goes_on_does_not_repeat_itself(tmp_path):
    config = Config(hidden_sizes=(8,) * 12, activation="sigmoid", epochs=4)
    path, checkpoints, texts = tmp_path / "gradients.jsonl", [], []

    class Keep(Callback):
        def on_epoch_end(self, state):
            checkpoints.append(state.checkpoint())

    log = GradientLog(config, table().X_train, path, warn=texts.append)
    train(config, table(), callbacks=[log, Keep()])
    assert texts
    log = GradientLog(config, table().X_train, path, warn=pytest.fail)
    train(config, table(), callbacks=[log], state=checkpoints[1])
    assert log.warnings == texts


# --- thresholds --------------------------------------------------------------------------------


def layer(name, gradient=1.0, weight=1.0, step=0.0):
    """A layer of one weight and one bias of 0."""
    before = np.array([[weight, 0.0]])
    return Layer(name, np.array([[gradient, 0.0]]), before, before + np.array([[step, 0.0]]))


@pytest.mark.parametrize(
    ("layers", "dead", "expected"),
    [
        ([layer("0", 0.99 * VANISHED), layer("2")], {}, {"vanishing": ["0"]}),
        ([layer("0", 1.01 * VANISHED), layer("2")], {}, {}),
        ([layer("0", 0.0), layer("2", 1e-9), layer("4")], {}, {"vanishing": ["2", "0"]}),
        ([layer("0", 0.0), layer("2", 0.0), layer("4")], {}, {}),
        ([layer("0", 0.0), layer("2", 0.0)], {}, {}),
        ([layer("0", step=1.01 * EXPLODED), layer("2")], {}, {"exploding": ["0"]}),
        ([layer("0", step=0.99 * EXPLODED), layer("2")], {}, {}),
        ([layer("0", step=np.nan), layer("2")], {}, {"exploding": ["0"]}),
        ([layer("0"), layer("2", 1.01 * STEEP)], {}, {"exploding": ["2"]}),
        ([layer("0"), layer("2", 0.99 * STEEP)], {}, {}),
        ([layer("0", np.inf), layer("2")], {}, {"exploding": ["0"]}),
        # Weights that happen to be small do not make an explosion of a usual step.
        ([layer("0", weight=1e-6, step=0.5)], {}, {}),
        ([layer("0", weight=0.0, step=0.9)], {}, {"exploding": ["0"]}),
        ([layer("0"), layer("2")], {"0": DEAD}, {"dead": ["0"]}),
        ([layer("0"), layer("2")], {"0": DEAD - 0.01}, {}),
    ],
)
def test_thresholds(layers, dead, expected):
    found = judge(layers, dead)
    assert {kind: list(names) for kind, names in found.items() if names} == expected


@given(
    values=st.lists(st.floats(-1, 1), min_size=2, max_size=8).filter(any),
    exponent=st.integers(-290, 290),
)
def test_lengths_neither_overflow_nor_vanish(values, exponent):
    values = [value if abs(value) > 1e-10 else 0.0 for value in values]
    row = np.array([values])
    small = Layer("0", row, row, row)
    scaled = Layer("0", row * 10.0**exponent, row, row)
    assert scaled.gradient == pytest.approx(small.gradient * 10.0**exponent, rel=1e-12)


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_what_is_not_finite_is_null_in_the_file(tmp_path, bad):
    config = Config(hidden_sizes=(3,))
    path = tmp_path / "gradients.jsonl"
    log = GradientLog(config, table().X_train, path, warn=lambda text: None)
    weights = {"0.weight": np.ones((3, 4)), "0.bias": np.ones(3)}
    weights |= {"2.weight": np.ones((1, 3)), "2.bias": np.ones(1)}
    state = TrainingState(steps_per_epoch=1, weights=lambda: weights, model=Fake(weights, bad))
    log.on_fit_start(state)
    state.step, state.lr = 1, 0.01
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        log.on_step(state)
    (record,) = records_of(path)
    assert record["gradient_norm"] == {"0": None, "2": None}
    assert record["update_ratio"] == {"0": 0.0, "2": 0.0}
    assert record["warnings"][0]["kind"] == "exploding"
    assert "gradient_norm/0" not in log.scalars()
    log.close()


@dataclasses.dataclass
class Fake:
    """A model of which only the gradients are asked for."""

    weights: dict
    bad: float

    def named_parameters(self):
        for key, value in self.weights.items():
            yield key, Gradient(np.full_like(value, self.bad))


@dataclasses.dataclass
class Gradient:
    grad: np.ndarray
