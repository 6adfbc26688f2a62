"""The benchmark of scaling up trains what it says, and every row has a base."""

from itertools import pairwise

import pytest

from benchmarks import regression_backend, regression_processes, regression_scaling
from bpref.regression import Config, engine
from bpref.regression.backend import WORK_FOR_THREADS, steps_work


@pytest.fixture
def small(monkeypatch):
    for name, value in {
        "ROUNDS": 2,
        "SECONDS": 0.0,
        "HIDDEN": ((4,), (3, 2)),
        "BATCHES": (8,),
        "SIZES": (64, 256),
        "ROWS": 512,
        "PARTS": (1, 3),
        "PARTS_OF": 16,
        "ROW_COSTS": (0,),
        "WORKERS": (0, 1),
        "LOADER_ROWS": 64,
    }.items():
        monkeypatch.setattr(regression_scaling, name, value)
    monkeypatch.setattr(regression_backend, "steps_of", lambda hidden, batch: 2)


def leaves(found):
    for value in found.values():
        if "x" in value:
            yield value
        else:
            yield from leaves(value)


@pytest.mark.parametrize("case", ["dtype", "backend", "amp", "accumulate"])
def test_every_cell_has_a_median_between_its_quartiles(small, case):
    found = regression_scaling.CASES[1][case]()
    rows = list(leaves(found))
    assert rows
    for row in rows:
        assert 0 < row["low"] <= row["x"] <= row["high"]


def test_larger_batches_take_fewer_steps_and_learn_less(small):
    for rows in regression_scaling.batch_sizes().values():
        assert [rows[size]["steps"] for size in ("64", "256")] == [8, 2]
        assert rows["64"]["x"] == 1.0
        assert rows["64"]["loss"] < rows["256"]["loss"]


def test_the_rule_for_threads_is_left_aside_and_comes_back(small, monkeypatch):
    limits = []
    monkeypatch.setattr("bpref.regression.train", lambda *_: limits.append(engine.WORK_FOR_THREADS))
    for threads in (1, 2, None):
        regression_scaling.training(Config(), None, threads)()
    many, none, rule = limits
    assert min(many.values()) > 1e15  # no step is as large: one thread
    assert none == {"numpy": 0, "torch": 0}
    assert rule == engine.WORK_FOR_THREADS == WORK_FOR_THREADS


def test_workers_give_every_row(small):
    found = regression_scaling.loader_workers()
    assert list(found["0"]) == ["1"]
    dataset = regression_scaling.Rows(0)
    assert [row[0] for row in map(dataset.__getitem__, range(3))] == [0, 1, 2]


class Alone:
    """A group of one process."""

    rank, world_size, ended = 0, 1, False

    def sum_(self, tensor):
        return tensor

    def any(self, answer):
        return answer

    def gather(self, text):
        return [text]

    def wait(self):
        pass


def test_every_way_of_the_processes_is_timed_in_every_round(small):
    took = regression_processes.measure(Alone(), (3,), 8, rounds=2)
    assert list(took) == ["one thread", "two threads", "auto", "two processes"]
    assert all(len(seconds) == 2 and min(seconds) > 0 for seconds in took.values())


def test_the_table_has_as_many_rows_as_the_steps_need():
    for hidden, batch in (((10,), 32), ((1024, 1024), 256)):
        data = regression_backend.table(hidden, batch)
        assert len(data.X_train) == batch * regression_backend.steps_of(hidden, batch)


def test_the_work_of_a_row_is_that_of_the_rule():
    from pages.speed_scaling import work_of

    config = Config(hidden_sizes=(64, 64), batch_size=256)
    sizes = (20, 64, 64, 1)
    assert work_of("20-64-64-1", "256") == steps_work(config, sizes)
    assert work_of("20-64-64-1", "256") == 256 * sum(a * b for a, b in pairwise(sizes))
