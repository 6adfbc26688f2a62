import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bpref import nn, optim
from bpref.regression.config import SCHEDULES, Config
from bpref.regression.schedule import rate


def rates(steps_per_epoch=5, **options):
    config = Config(**options)
    return [rate(step, config, steps_per_epoch) for step in range(config.epochs * steps_per_epoch)]


def test_constant():
    assert rates(epochs=2, lr=0.3) == [0.3] * 10


def test_warm_up_climbs_in_equal_steps_to_the_rate():
    assert rates(epochs=3, lr=1.0, warmup_epochs=1) == [0.2, 0.4, 0.6, 0.8, 1.0] + [1.0] * 10


def test_step_divides_by_ten_at_each_third():
    found = rates(3, epochs=3, lr=1.0, schedule="step")
    assert found == pytest.approx([1] * 3 + [0.1] * 3 + [0.01] * 3)


def test_cosine_is_pytorchs():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.7)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20)
    expected = []
    for _ in range(20):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates(epochs=4, lr=0.7, schedule="cosine") == pytest.approx(expected, abs=1e-12)


def test_linear_is_that_of_bpref():
    optimizer = optim.SGD([nn.Parameter(np.zeros(1))], lr=0.7)
    scheduler = optim.LinearLR(optimizer, start_factor=1.0, end_factor=0.0, total_iters=20)
    expected = []
    for _ in range(20):
        expected.append(optimizer.lr)
        scheduler.step()
    assert rates(epochs=4, lr=0.7, schedule="linear") == pytest.approx(expected, abs=1e-12)


@given(
    schedule=st.sampled_from(SCHEDULES),
    epochs=st.integers(1, 12),
    warmup=st.integers(0, 12),
    steps=st.integers(1, 7),
    lr=st.floats(1e-6, 10),
)
def test_every_rate_is_positive_and_none_above_the_given_one(schedule, epochs, warmup, steps, lr):
    warmup = min(warmup, epochs)
    found = rates(steps, epochs=epochs, warmup_epochs=warmup, lr=lr, schedule=schedule)
    assert all(0 < value <= lr * (1 + 1e-12) for value in found)
    first = warmup * steps
    assert found[:first] == sorted(found[:first])
    assert found[first:] == sorted(found[first:], reverse=True)
    if first < len(found):
        assert math.isclose(found[first], lr)


@pytest.mark.parametrize(("schedule", "end"), [("cosine", 0), ("linear", 0), ("step", 0.01)])
@pytest.mark.parametrize("warmup", [0, 1, 2])  # 2: the warm-up is all of the run
def test_behind_the_run_the_rate_stays_as_it_ended(schedule, end, warmup):
    config = Config(lr=1.0, epochs=2, schedule=schedule, warmup_epochs=warmup)
    last = rate(9, config, 5)
    found = [rate(step, config, 5) for step in (11, 12, 15, 20, 1000)]
    assert found == pytest.approx([end] * 5, abs=1e-15)
    assert last >= found[0]
