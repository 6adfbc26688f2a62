"""Schedules against torch.optim.lr_scheduler, every step of long runs; resuming; what is ours."""

import inspect
import math
import pickle

import numpy as np
import pytest
import torch
from strategies import normal

from bpref import nn, optim

# name: (class, arguments)
SCHEDULES = {
    "StepLR": ("StepLR", {"step_size": 30}),
    "StepLR gamma": ("StepLR", {"step_size": 1, "gamma": 0.98}),
    "ExponentialLR": ("ExponentialLR", {"gamma": 0.98}),
    "LinearLR": ("LinearLR", {}),
    "LinearLR long": ("LinearLR", {"start_factor": 0.01, "end_factor": 0.7, "total_iters": 150}),
    "LinearLR to zero": ("LinearLR", {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 50}),
    "CosineAnnealingLR": ("CosineAnnealingLR", {"T_max": 200}),
    "CosineAnnealingLR again": ("CosineAnnealingLR", {"T_max": 30, "eta_min": 0.01}),
    "CosineAnnealingLR short": ("CosineAnnealingLR", {"T_max": 1}),
    "OneCycleLR": ("OneCycleLR", {"max_lr": 0.3, "total_steps": 200}),
    "OneCycleLR epochs": (
        "OneCycleLR",
        {"max_lr": 0.3, "epochs": 21, "steps_per_epoch": 10, "pct_start": 0.1, "div_factor": 4},
    ),
    "OneCycleLR linear": (
        "OneCycleLR",
        {"max_lr": 0.3, "total_steps": 201, "anneal_strategy": "linear", "final_div_factor": 7.0},
    ),
    "OneCycleLR three": (
        "OneCycleLR",
        {"max_lr": 0.2, "total_steps": 200, "three_phase": True, "pct_start": 0.4},
    ),
    "OneCycleLR momentum": (
        "OneCycleLR",
        {"max_lr": 0.2, "total_steps": 200, "base_momentum": 0.2, "max_momentum": 0.7},
    ),
    "OneCycleLR no momentum": (
        "OneCycleLR",
        {"max_lr": 0.2, "total_steps": 200, "cycle_momentum": False},
    ),
    "OneCycleLR all up": ("OneCycleLR", {"max_lr": 0.2, "total_steps": 250, "pct_start": 1.0}),
    "OneCycleLR all down": ("OneCycleLR", {"max_lr": 0.2, "total_steps": 200, "pct_start": 0.0}),
    "OneCycleLR three late": (
        "OneCycleLR",
        {"max_lr": 0.2, "total_steps": 200, "three_phase": True, "pct_start": 0.8},
    ),
    "OneCycleLR one step up": (
        "OneCycleLR",
        {"max_lr": 0.2, "total_steps": 200, "three_phase": True, "pct_start": 0.001},
    ),
}
schedules = pytest.mark.parametrize(("name", "kwargs"), SCHEDULES.values(), ids=SCHEDULES)


def ours(name="SGD", **kwargs):
    """A parameter and its optimizer."""
    p = nn.Parameter(normal(0, 5))
    nn.flatten([p])
    return p, getattr(optim, name)([p], **{"lr": 0.1, **kwargs})


def theirs(name="SGD", **kwargs):
    """A parameter and PyTorch's optimizer, at work on its arrays."""
    p = nn.Parameter(normal(0, 5))
    tensor = torch.nn.Parameter(torch.from_numpy(p.data))
    tensor.grad = torch.from_numpy(p.grad)
    return p, getattr(torch.optim, name)([tensor], **{"lr": 0.1, **kwargs})


def ours_schedule(name, optimizer, **kwargs):
    return getattr(optim, name)(optimizer, **kwargs)


def their_schedule(name, optimizer, **kwargs):
    return getattr(torch.optim.lr_scheduler, name)(optimizer, **kwargs)


def rates(optimizer):
    """lr and momentum or betas."""
    values = (
        vars(optimizer) if isinstance(optimizer, optim.Optimizer) else optimizer.param_groups[0]
    )
    momentum = values["betas"] if "betas" in values else (values["momentum"], 0.0)
    return [values["lr"], *momentum]


def train(parameter, optimizer, schedules, steps, metrics=None):
    """Return for each step the parameters, the rates before and after, and the last lr."""
    rows = []
    for step in steps:
        parameter.grad = [0.2, 0.5, 1.0, 1.5, 2.0] * parameter.data + normal(step, 5) / 10
        row = rates(optimizer)
        optimizer.step()
        for schedule in schedules:
            schedule.step(*([] if metrics is None else [metrics[step]]))
        last = schedules[-1].get_last_lr()
        assert len(last) == 1
        rows.append([*parameter.data, *row, *rates(optimizer), *last])
    return np.array(rows)


def assert_like_torch(mine, expected):
    scale = np.maximum(np.abs(expected).max(axis=1, keepdims=True), 1.0)
    assert mine.shape == expected.shape
    assert (np.abs(mine - expected) / scale).max() <= 1e-10


@schedules
@pytest.mark.parametrize("rule", [("SGD", {"momentum": 0.9}), ("Adam", {})], ids=["SGD", "Adam"])
def test_two_hundred_steps_like_torch(name, kwargs, rule):
    p, optimizer = ours(rule[0], **rule[1])
    q, reference = theirs(rule[0], **rule[1])
    schedule = ours_schedule(name, optimizer, **kwargs)
    expected = their_schedule(name, reference, **kwargs)
    assert schedule.get_last_lr() == pytest.approx(expected.get_last_lr(), rel=1e-15)
    mine = train(p, optimizer, [schedule], range(200))
    assert_like_torch(mine, train(q, reference, [expected], range(200)))
    assert schedule.last_epoch == 200
    assert len(set(mine[:, 5])) > 1  # the rate did change


def test_arguments_and_defaults_like_torch():
    for name in {name for name, _ in SCHEDULES.values()} | {"SequentialLR", "ReduceLROnPlateau"}:
        mine = inspect.signature(getattr(optim, name)).parameters
        expected = inspect.signature(getattr(torch.optim.lr_scheduler, name)).parameters
        assert list(mine) == [key for key in expected if key != "last_epoch"]
        for key, value in mine.items():
            assert value.default == expected[key].default, (name, key)


FORMULAS = {
    "StepLR": ({"step_size": 3, "gamma": 0.5}, lambda t: 0.8 * 0.5 ** (t // 3)),
    "ExponentialLR": ({"gamma": 0.9}, lambda t: 0.8 * 0.9**t),
    "LinearLR": (
        {"start_factor": 0.25, "end_factor": 0.5, "total_iters": 4},
        lambda t: 0.8 * (0.25 + 0.25 * min(t / 4, 1)),
    ),
    "CosineAnnealingLR": (
        {"T_max": 6, "eta_min": 0.2},
        lambda t: 0.2 + 0.6 * (1 + math.cos(math.pi * t / 6)) / 2,
    ),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_the_formulas_of_the_documentation(name):
    kwargs, formula = FORMULAS[name]
    optimizer = ours(lr=0.8)[1]
    schedule = ours_schedule(name, optimizer, **kwargs)
    for t in range(30):
        assert optimizer.lr == pytest.approx(formula(t), rel=1e-12)
        schedule.step()


# Several schedules


@pytest.mark.parametrize(
    ("parts", "milestones"),
    [
        ([("LinearLR", {"total_iters": 20}), ("CosineAnnealingLR", {"T_max": 180})], [20]),
        ([("LinearLR", {"start_factor": 0.1}), ("ExponentialLR", {"gamma": 0.97})], [3]),
        (
            [
                ("LinearLR", {"start_factor": 0.1, "total_iters": 10}),
                ("StepLR", {"step_size": 7, "gamma": 0.8}),
                ("LinearLR", {"start_factor": 0.5}),
                ("CosineAnnealingLR", {"T_max": 11, "eta_min": 0.01}),
            ],
            [10, 60, 61],
        ),
        ([("ExponentialLR", {"gamma": 0.9})], []),
        (
            [
                ("LinearLR", {"total_iters": 20}),
                ("OneCycleLR", {"max_lr": 0.2, "total_steps": 180, "max_momentum": 0.9}),
            ],
            [20],
        ),
    ],
)
def test_one_schedule_after_the_other_like_torch(parts, milestones):
    trajectories = []
    for make, schedule in ((ours, ours_schedule), (theirs, their_schedule)):
        p, optimizer = make(momentum=0.5)
        schedulers = [schedule(name, optimizer, **kwargs) for name, kwargs in parts]
        whole = schedule("SequentialLR", optimizer, schedulers=schedulers, milestones=milestones)
        assert whole.get_last_lr() == [rates(optimizer)[0]]
        trajectories.append(train(p, optimizer, [whole], range(199)))
    assert_like_torch(*trajectories)


def test_schedules_in_schedules():
    """PyTorch can't do that after a milestone."""
    optimizer = ours(lr=1.0)[1]
    inner = optim.SequentialLR(
        optimizer,
        [optim.LinearLR(optimizer, 0.5, total_iters=1), optim.ExponentialLR(optimizer, 0.5)],
        [2],
    )
    outer = optim.SequentialLR(optimizer, [optim.StepLR(optimizer, 1, 0.1), inner], [3])
    found = []
    for _ in range(8):
        found.append(optimizer.lr)
        outer.step()
    np.testing.assert_allclose(found, [1, 0.1, 0.01, 0.5, 1, 1, 0.5, 0.25], rtol=1e-12)
    assert outer.last_epoch == 8
    assert inner.last_epoch == 5


@pytest.mark.parametrize(
    "parts",
    [
        [
            ("LinearLR", {"start_factor": 0.1, "total_iters": 20}),
            ("ExponentialLR", {"gamma": 0.98}),
        ],
        [("CosineAnnealingLR", {"T_max": 50}), ("StepLR", {"step_size": 60, "gamma": 0.5})],
        [("ExponentialLR", {"gamma": 0.99}), ("CosineAnnealingLR", {"T_max": 70, "eta_min": 0.01})],
    ],
)
def test_two_schedules_at_once_like_torch(parts):
    trajectories = []
    for make, schedule in ((ours, ours_schedule), (theirs, their_schedule)):
        p, optimizer = make(momentum=0.5)
        both = [schedule(name, optimizer, **kwargs) for name, kwargs in parts]
        trajectories.append(train(p, optimizer, both, range(200)))
    assert_like_torch(*trajectories)


def test_a_rate_changed_by_hand_stays_changed():
    optimizer = ours(lr=1.0)[1]
    schedule = optim.ExponentialLR(optimizer, gamma=0.5)
    optimizer.lr = 8.0
    schedule.step()
    assert optimizer.lr == 4.0
    assert schedule.base_lr == optimizer.initial_lr == 1.0


# ReduceLROnPlateau


def losses(steps=200):
    """Falling, with noise; nan, inf, and a best value that comes again."""
    values = {t: 3 * 0.97**t + 0.1 * float(normal(t)) for t in range(steps)}
    values |= dict.fromkeys(range(51, 57), -0.5)
    return list((values | {3: math.nan, 50: math.inf}).values())


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"factor": 0.5, "patience": 3},
        {"factor": 0.5, "patience": 0, "threshold": 0.05},
        {"factor": 0.7, "patience": 2, "threshold": 0.1, "threshold_mode": "abs"},
        {"mode": "max", "patience": 4},
        {"mode": "max", "factor": 0.9, "patience": 4, "threshold": 0.3, "threshold_mode": "abs"},
        {"mode": "max", "factor": 0.9, "patience": 4, "threshold": 0.2},
        {"factor": 0.5, "patience": 1, "cooldown": 5},
        {"factor": 0.5, "patience": 1, "cooldown": 1},
        {"factor": 0.5, "patience": 1, "min_lr": 0.02},
        {"factor": 0.5, "patience": 1, "eps": 0.01},
        {"factor": 0.5, "patience": 1, "eps": 0.05},  # exactly the first reduction
        {"factor": 0.5, "patience": 4, "threshold": 0.0},
        {"factor": 0.5, "patience": 4, "threshold": 0.0, "mode": "max"},
        {"factor": 0.0, "patience": 20, "eps": 0.0},
    ],
    ids=str,
)
@pytest.mark.parametrize("sign", [1, -1])
def test_plateau_like_torch(kwargs, sign):
    metrics = [sign * value for value in losses()]
    trajectories, counters = [], []
    for make, schedule in ((ours, ours_schedule), (theirs, their_schedule)):
        p, optimizer = make(momentum=0.5)
        plateau = schedule("ReduceLROnPlateau", optimizer, **kwargs)
        trajectories.append(train(p, optimizer, [plateau], range(200), metrics))
        counters.append((plateau.best, plateau.num_bad_epochs, plateau.cooldown_counter))
    assert_like_torch(*trajectories)
    assert counters[0] == counters[1]


def test_plateau_takes_what_losses_are():
    optimizer = ours()[1]
    schedule = optim.ReduceLROnPlateau(optimizer, patience=0)
    for metric in (3, np.float32(2.0), np.int64(1), 0.5):
        schedule.step(metric)
    assert schedule.best == 0.5
    assert optimizer.lr == 0.1
    assert schedule.last_epoch == 4


# OneCycleLR at its ends


def test_one_cycle_ends_with_an_error():
    optimizer = ours(momentum=0.9)[1]
    schedule = optim.OneCycleLR(optimizer, max_lr=1.0, total_steps=3)
    for _ in range(3):
        schedule.step()
    before = rates(optimizer), schedule.state_dict()
    with pytest.raises(ValueError, match=r"^step: expected at most 3 calls, got one more$"):
        schedule.step()
    assert before == (rates(optimizer), schedule.state_dict())


def test_the_last_linear_rate_is_not_negative():
    for make, schedule in ((ours, ours_schedule), (theirs, their_schedule)):
        optimizer = make(momentum=0.9)[1]
        cycle = schedule(
            "OneCycleLR", optimizer, max_lr=1.0, total_steps=8, anneal_strategy="linear"
        )
        for _ in range(8):
            assert rates(optimizer)[0] > 0
            optimizer.step()
            cycle.step()
        if make is ours:
            assert optimizer.lr == 0.0
            cycle.load_state_dict(cycle.state_dict())
            optimizer.load_state_dict(optimizer.state_dict())
        else:
            assert rates(optimizer)[0] < 0


@pytest.mark.parametrize(
    ("kwargs", "expected"),
    [
        ({"total_steps": 10, "pct_start": 0.1}, 1.0),  # PyTorch divides by zero
        ({"total_steps": 1}, 4e-6),
    ],
)
def test_a_phase_without_steps(kwargs, expected):
    optimizer = ours(momentum=0.9)[1]
    schedule = optim.OneCycleLR(optimizer, max_lr=1.0, **kwargs)
    assert optimizer.lr == pytest.approx(expected, rel=1e-12)
    schedule.step()
    assert optimizer.lr < 1.0


def test_one_cycle_starts_like_its_base():
    optimizer = ours(momentum=0.9)[1]
    schedule = optim.OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
    assert schedule.base_lr == optimizer.initial_lr == optimizer.lr == 0.04
    assert optimizer.momentum == 0.95
    adam = ours("Adam", betas=(0.5, 0.7))[1]
    optim.OneCycleLR(adam, max_lr=1.0, total_steps=10)
    assert adam.betas == (0.95, 0.7)
    no_momentum = ours("Adagrad")[1]
    optim.OneCycleLR(no_momentum, max_lr=1.0, total_steps=10, cycle_momentum=False)
    assert not hasattr(no_momentum, "momentum")


# Saving and going on


def sequential(optimizer):
    parts = [optim.LinearLR(optimizer, total_iters=4), optim.CosineAnnealingLR(optimizer, 20)]
    return optim.SequentialLR(optimizer, parts, [4])


RESUMED = {
    **{
        key: (lambda optimizer, name=name, kwargs=kwargs: ours_schedule(name, optimizer, **kwargs))
        for key, (name, kwargs) in SCHEDULES.items()
    },
    "SequentialLR": sequential,
    "ReduceLROnPlateau": lambda o: optim.ReduceLROnPlateau(o, "max", 0.7, 2, cooldown=2),
}


def test_plateau_starts_with_nothing_counted():
    _, optimizer = ours()
    state = optim.ReduceLROnPlateau(optimizer).state_dict()
    assert (state["num_bad_epochs"], state["cooldown_counter"]) == (0, 0)


@pytest.mark.parametrize("make", RESUMED.values(), ids=RESUMED)
@pytest.mark.parametrize("interrupted", [2, 7])
@pytest.mark.parametrize("order", ["optimizer first", "schedule first"])
def test_a_resumed_run_equals_an_uninterrupted_one(make, interrupted, order):
    metrics = losses(15) if make is RESUMED["ReduceLROnPlateau"] else None
    p, optimizer = ours(momentum=0.9)
    through = train(p, optimizer, [make(optimizer)], range(15), metrics)

    p, optimizer = ours(momentum=0.9)
    schedule = make(optimizer)
    first = train(p, optimizer, [schedule], range(interrupted), metrics)
    saved = pickle.loads(pickle.dumps((p.data, optimizer.state_dict(), schedule.state_dict())))

    q, second = ours(momentum=0.5, lr=0.7)
    q.data = saved[0]
    if order == "optimizer first":
        second.load_state_dict(saved[1])
        resumed = make(second)
        resumed.load_state_dict(saved[2])
    else:
        resumed = make(second)
        resumed.load_state_dict(saved[2])
        second.load_state_dict(saved[1])
    assert resumed.state_dict() == schedule.state_dict() == saved[2]
    assert resumed.get_last_lr() == schedule.get_last_lr()
    rest = train(q, second, [resumed], range(interrupted, 15), metrics)
    np.testing.assert_array_equal(np.concatenate([first, rest]), through)


def test_a_schedule_needs_next_lr():
    class Nothing(optim.LRScheduler):
        pass

    schedule = Nothing(ours()[1])
    assert schedule.get_last_lr() == [0.1]
    with pytest.raises(NotImplementedError, match=r"^Nothing does not define next_lr$"):
        schedule.step()
    assert schedule.last_epoch == 0
