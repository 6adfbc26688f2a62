"""The contenders of the benchmark of training runs compute the same thing."""

import os
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from benchmarks import regression
from benchmarks.regression_peers import PEERS, Task

MODULES = {
    "skorch": "skorch",
    "Lightning": "lightning",
    "Keras on PyTorch": "keras",
    "scikit-learn": "sklearn",
}
# Of the peers, not of ours: some tell about their own old calls when they are imported.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def task():
    return Task.make(200, 3, (5, 4), batch=32, epochs=2, lr=0.1)


def backpropagation(task):
    """The losses of a run with the whole table as one batch, formula by formula."""
    weights = [w.astype(np.float64) for w in task.weights]

    def layers(X):
        h = [X.astype(np.float64)]
        for W, b in zip(weights[::2], weights[1::2], strict=True):
            z = h[-1] @ W.T + b
            h.append(np.maximum(z, 0) if len(h) < len(weights) // 2 else z)
        return h

    losses = []
    for _ in range(task.epochs):
        h = layers(task.X)
        delta = 2 * (h[-1] - task.y) / len(task.y)
        for layer in reversed(range(len(weights) // 2)):
            W, b = weights[2 * layer : 2 * layer + 2]
            grad_W, grad_b = delta.T @ h[layer], delta.sum(axis=0)
            delta = (delta @ W) * (h[layer] > 0)
            W -= task.lr * grad_W
            b -= task.lr * grad_b
        losses.append(((layers(task.X_test)[-1] - task.y_test) ** 2).mean())
    return losses


@pytest.mark.parametrize("name", PEERS)
def test_losses_of_a_run_without_order(name):
    if name in MODULES and find_spec(MODULES[name]) is None:
        missing = f"{MODULES[name]} is not installed: pip install -e '.[dev,training-peers]'"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    task = Task.make(60, 3, (5, 4), batch=60, epochs=4, lr=0.1)
    np.testing.assert_allclose(PEERS[name](task), backpropagation(task), rtol=1e-5)


def test_another_learning_rate_is_noticed(task):
    def impostor(task):
        return PEERS["bpref numpy"](replace(task, lr=0.09))

    with pytest.raises(AssertionError, match="impostor"):
        regression.check(task, {"article": PEERS["article"], "impostor": impostor})


def test_every_row_has_the_speed_relative_to_the_article(task, monkeypatch):
    monkeypatch.setattr(regression, "SECONDS", 0.0)
    names = ("article", "bpref auto", "bpref numpy")
    rows = regression.compare(task, {name: PEERS[name] for name in names}, rounds=2)
    assert set(rows) == set(names)
    assert rows["article"]["x"] == rows["article"]["low"] == rows["article"]["high"] == 1.0


def test_of_a_large_table_who_fetches_row_by_row_gets_a_share(task, monkeypatch):
    monkeypatch.setattr(regression, "LARGE", len(task.X))
    rows_of = {}

    def record(name):
        return lambda task: rows_of.setdefault(name, [float(len(task.X))])

    regression.compare(task, {n: record(n) for n in ("article", "bpref numpy")}, rounds=2)
    assert rows_of == {"article": [200 / regression.SHARE], "bpref numpy": [200.0]}
