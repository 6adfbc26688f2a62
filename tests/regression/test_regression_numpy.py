"""PyTorch by autograd, PyTorch by hand and NumPy: one trajectory."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bpref.regression.config import ACTIVATIONS, LOSSES, OPTIMIZERS, SCHEDULES, Config
from bpref.regression.engine import NumpyEngine, TorchEngine
from bpref.regression.steps import Steps
from bpref.regression.trainer import Data, changing_rate, make_batches, train
from bpref.regression.training import fit

CPU = torch.device("cpu")
TOLERANCE = 1e-10


def table(rows=23, d=3, m=1, seed=0, weights=False):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((rows, d))
    y = np.sin(X @ rng.standard_normal((d, m))) + 0.3 * rng.standard_normal((rows, m))
    w = rng.uniform(0, 2, rows) if weights else None
    return Data(X, y, X[: rows // 2], y[: rows // 2], w, None if w is None else w[: rows // 2])


def run(config, data, engine):
    """What `trainer.train` does, with an engine of one's own."""
    train_batches, val_batches = make_batches(config, data, engine, None)

    def clip(loss):
        engine.optimizer.clip(config.clip_norm)
        return loss

    steps = Steps(
        rate=changing_rate(config, len(train_batches)),
        masks=engine.masks,
        before_update=clip if config.clip_norm else None,
    )
    history = fit(
        engine.network,
        train_batches,
        val_batches,
        engine.criterion,
        engine.optimizer,
        config.epochs,
        measure_train=False,
        accumulate=config.accumulate,
        steps=steps,
    )
    return engine.copy_of_vector(), history


def assert_one_trajectory(config, data):
    config = dataclasses.replace(config, dtype="float64")
    sizes = (data.X_train.shape[1], *config.hidden_sizes, data.y_train.shape[1])
    weights, history = run(config, data, NumpyEngine(config, sizes))
    assert np.isfinite(weights).all()
    for autograd in (True, False):
        other, of_other = run(config, data, TorchEngine(config, sizes, CPU, autograd))
        assert np.abs(other - weights).max() <= TOLERANCE
        for name, values in vars(history).items():
            np.testing.assert_allclose(getattr(of_other, name), values, rtol=0, atol=TOLERANCE)


BASE = Config(epochs=100, batch_size=8, hidden_sizes=(6,), lr=0.01)
CASES = {
    **{f"{o} {loss}": {"optimizer": o, "loss": loss} for o in OPTIMIZERS for loss in LOSSES},
    **{f"{a} {loss}": {"activation": a, "loss": loss} for a in ACTIVATIONS for loss in LOSSES},
    **{f"{a} adam": {"activation": a, "optimizer": "adam"} for a in ACTIVATIONS},
    **{f"{s} {o}": {"schedule": s, "optimizer": o} for s in SCHEDULES for o in OPTIMIZERS},
    **{f"{o} decay": {"optimizer": o, "weight_decay": 0.1} for o in OPTIMIZERS},
    "momentum": {"momentum": 0.9},
    "rmsprop momentum decay": {"optimizer": "rmsprop", "momentum": 0.9, "weight_decay": 0.1},
    "warm-up": {"warmup_epochs": 30, "schedule": "cosine"},
    "clipping": {"clip_norm": 0.1},
    "accumulation": {"accumulate": 3},
    "accumulation of single rows": {"accumulate": 8},
    "dropout": {"dropout": 0.4, "hidden_sizes": (6, 5)},
    "linear": {"hidden_sizes": ()},
    "deep": {"hidden_sizes": (5, 4, 3)},
    "one batch": {"batch_size": 1000},
    "single rows": {"batch_size": 1},
}


@pytest.mark.parametrize("options", CASES.values(), ids=CASES.keys())
def test_one_trajectory(options):
    assert_one_trajectory(dataclasses.replace(BASE, **options), table())


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("accumulate", [1, 3])
def test_one_trajectory_with_weights_and_outputs(loss, accumulate):
    config = dataclasses.replace(BASE, loss=loss, accumulate=accumulate, huber_delta=0.5)
    assert_one_trajectory(config, table(m=3, weights=True))


@settings(max_examples=30, deadline=None)
@given(
    rows=st.integers(1, 40),
    d=st.integers(1, 4),
    m=st.integers(1, 3),
    seed=st.integers(0, 1000),
    weights=st.booleans(),
    options=st.fixed_dictionaries(
        {
            "hidden_sizes": st.lists(st.integers(1, 6), max_size=3),
            "activation": st.sampled_from(ACTIVATIONS),
            "dropout": st.sampled_from([0.0, 0.3]),
            "loss": st.sampled_from(LOSSES),
            "huber_delta": st.sampled_from([0.2, 1.0]),
            "optimizer": st.sampled_from(OPTIMIZERS),
            "momentum": st.sampled_from([0.0, 0.9]),
            "weight_decay": st.sampled_from([0.0, 0.01]),
            "schedule": st.sampled_from(SCHEDULES),
            "warmup_epochs": st.sampled_from([0, 3]),
            "batch_size": st.integers(4, 50),
            "accumulate": st.integers(1, 4),
            "clip_norm": st.sampled_from([None, 0.1, 1.0]),
        }
    ),
)
def test_one_trajectory_of_any_run(rows, d, m, seed, weights, options):
    config = Config(epochs=5, lr=0.003, seed=seed, **options)
    assert_one_trajectory(config, table(max(rows, 2), d, m, seed, weights))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_train_gives_the_same_on_both_backends(dtype):
    config = dataclasses.replace(BASE, dtype=dtype, epochs=20, dropout=0.2, clip_norm=1.0)
    a, b = (
        train(dataclasses.replace(config, backend=name), table()) for name in ("numpy", "torch")
    )
    tolerance = 1e-10 if dtype == "float64" else 1e-4
    assert (a.backend, b.backend) == ("numpy", "torch")
    for key in a.last:
        assert a.last[key].dtype == b.last[key].dtype == dtype
        np.testing.assert_allclose(a.last[key], b.last[key], rtol=0, atol=tolerance)
    assert a.best_epoch == b.best_epoch


def test_both_begin_with_the_same_weights():
    for dtype in ("float32", "float64"):
        config = Config(dtype=dtype, hidden_sizes=(7, 5), seed=3)
        a = NumpyEngine(config, (4, 7, 5, 2)).copy_of_vector()
        b = TorchEngine(config, (4, 7, 5, 2), CPU).copy_of_vector()
        assert a.dtype == b.dtype == dtype
        assert (a == b).all()
