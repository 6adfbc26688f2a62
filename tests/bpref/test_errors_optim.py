"""Refusals of optimizers, schedules, clipping and `init`; what is refused changes nothing."""

import copy
import math
import re

import numpy as np
import pytest
from refusing import refused

from bpref import init, nn, optim

NAN, INF = math.nan, math.inf


def parameters():
    result = [nn.Parameter(np.ones((2, 3))), nn.Parameter(np.ones(2))]
    for p in result:
        p.grad = np.full(p.shape, 0.5)
    return result


def make(name, **kwargs):
    return getattr(optim, name)(parameters(), **kwargs)


def schedule(name, **kwargs):
    return getattr(optim, name)(make("SGD"), **kwargs)


def cycle(**kwargs):
    return schedule("OneCycleLR", **{"max_lr": 1.0, "total_steps": 10, **kwargs})


def sequential(schedulers, milestones, optimizer=None):
    return optim.SequentialLR(optimizer or make("SGD"), schedulers, milestones)


def numbers(name, least, *, below=None, at_most=None, positive=False):
    """What every argument that is a number refuses: (value, error, message)."""
    yield "0.1", TypeError, f"{name}: expected a number, got str"
    yield True, TypeError, f"{name}: expected a number, got bool"
    yield None, TypeError, f"{name}: expected a number, got NoneType"
    yield NAN, ValueError, f"{name}: expected a finite number, got nan"
    yield INF, ValueError, f"{name}: expected a finite number, got inf"
    if least is not None:
        yield least - 0.5, ValueError, f"{name}: expected at least {least}, got {least - 0.5}"
    if below is not None:
        yield below, ValueError, f"{name}: expected less than {below}, got {below}"
    if at_most is not None:
        more = at_most + 0.5
        yield more, ValueError, f"{name}: expected at most {at_most}, got {more}"
    if positive:
        yield 0, ValueError, f"{name}: expected a number above 0, got 0"


def integers(name, least):
    yield 2.0, TypeError, f"{name}: expected an int, got float"
    yield True, TypeError, f"{name}: expected an int, got bool"
    yield least - 1, ValueError, f"{name}: expected at least {least}, got {least - 1}"


# (what is called, argument, its refusals)
ARGUMENTS = [
    *[(name, "lr", numbers("lr", 0.0)) for name in ("Adagrad", "RMSprop", "Adam", "AdamW")],
    ("SGD", "dampening", numbers("dampening", None)),
    ("Adagrad", "lr_decay", numbers("lr_decay", 0.0)),
    ("Adagrad", "weight_decay", numbers("weight_decay", 0.0)),
    (
        "Adagrad",
        "initial_accumulator_value",
        numbers("initial_accumulator_value", 0.0),
    ),
    ("Adagrad", "eps", numbers("eps", 0.0)),
    ("RMSprop", "alpha", numbers("alpha", 0.0, below=1)),
    ("RMSprop", "eps", numbers("eps", 0.0)),
    ("RMSprop", "weight_decay", numbers("weight_decay", 0.0)),
    ("RMSprop", "momentum", numbers("momentum", 0.0)),
    ("Adam", "eps", numbers("eps", 0.0)),
    ("Adam", "weight_decay", numbers("weight_decay", 0.0)),
    ("AdamW", "weight_decay", numbers("weight_decay", 0.0)),
    ("StepLR", "gamma", numbers("gamma", 0.0)),
    ("StepLR", "step_size", integers("step_size", 1)),
    ("ExponentialLR", "gamma", numbers("gamma", 0.0)),
    ("LinearLR", "start_factor", numbers("start_factor", 0.0, at_most=1, positive=True)),
    ("LinearLR", "end_factor", numbers("end_factor", 0.0, at_most=1)),
    ("LinearLR", "total_iters", integers("total_iters", 1)),
    ("CosineAnnealingLR", "T_max", integers("T_max", 1)),
    ("CosineAnnealingLR", "eta_min", numbers("eta_min", 0.0)),
    ("ReduceLROnPlateau", "factor", numbers("factor", 0.0, below=1)),
    ("ReduceLROnPlateau", "patience", integers("patience", 0)),
    ("ReduceLROnPlateau", "threshold", numbers("threshold", 0.0)),
    ("ReduceLROnPlateau", "cooldown", integers("cooldown", 0)),
    ("ReduceLROnPlateau", "min_lr", numbers("min_lr", 0.0)),
    ("ReduceLROnPlateau", "eps", numbers("eps", 0.0)),
    ("OneCycleLR", "max_lr", numbers("max_lr", 0.0)),
    ("OneCycleLR", "total_steps", integers("total_steps", 1)),
    ("OneCycleLR", "pct_start", numbers("pct_start", 0.0, at_most=1)),
    ("OneCycleLR", "base_momentum", numbers("base_momentum", 0.0, below=1)),
    ("OneCycleLR", "max_momentum", numbers("max_momentum", 0.0, below=1)),
    ("OneCycleLR", "div_factor", numbers("div_factor", 0.0, positive=True)),
    ("OneCycleLR", "final_div_factor", numbers("final_div_factor", 0.0, positive=True)),
]
NEEDED = {
    "StepLR": {"step_size": 2},
    "CosineAnnealingLR": {"T_max": 2},
    "OneCycleLR": {"max_lr": 1.0, "total_steps": 4},
}
SINGLE = [
    (f"{call} {argument} {value!r}", call, argument, value, error, message)
    for call, argument, refusals in ARGUMENTS
    for value, error, message in refusals
    if not (argument == "total_steps" and value is None)
]


@pytest.mark.parametrize(
    ("call", "argument", "value", "error", "message"),
    [case[1:] for case in SINGLE],
    ids=[case[0] for case in SINGLE],
)
def test_a_number_out_of_range(call, argument, value, error, message):
    kwargs = {**NEEDED.get(call, {}), argument: value}
    target = make("SGD") if call.endswith(("LR", "Plateau")) else parameters()
    before = vars(target).copy() if isinstance(target, optim.Optimizer) else None
    with refused(error, message):
        getattr(optim, call)(target, **kwargs)
    if before is not None:
        assert vars(target) == before


# name: (call, error, message)
CASES = {
    # what the numbers above leave
    "l1 missing": (lambda: make("ProximalL1"), TypeError, "missing 1 required keyword-only"),
    "l1": (lambda: make("ProximalL1", l1=-1), ValueError, "l1: expected at least 0.0, got -1"),
    "betas": (
        lambda: make("Adam", betas=0.9),
        TypeError,
        "betas: expected a pair of numbers, got float",
    ),
    "betas three": (
        lambda: make("AdamW", betas=(0.9, 0.9, 0.9)),
        ValueError,
        "betas: expected a pair of numbers, got 3",
    ),
    "betas first": (
        lambda: make("Adam", betas=[1.0, 0.9]),
        ValueError,
        "betas[0]: expected less than 1, got 1.0",
    ),
    "betas second": (
        lambda: make("Adam", betas=(0.9, -0.1)),
        ValueError,
        "betas[1]: expected at least 0.0, got -0.1",
    ),
    "Adam model": (
        lambda: optim.Adam(nn.Linear(1, 1)),
        TypeError,
        "params: expected an iterable of parameters, got Linear; pass model.parameters()",
    ),
    # schedules
    "no optimizer": (
        lambda: optim.StepLR(0.1, 2),
        TypeError,
        "optimizer: expected a bpref.optim.Optimizer, got float",
    ),
    "cycle no optimizer": (
        lambda: optim.OneCycleLR(None, 1.0, 10),
        TypeError,
        "optimizer: expected a bpref.optim.Optimizer, got NoneType",
    ),
    "cycle no steps": (
        lambda: cycle(total_steps=None),
        ValueError,
        "total_steps: expected an int, or epochs and steps_per_epoch, got None",
    ),
    "cycle epochs alone": (
        lambda: cycle(total_steps=None, epochs=2),
        ValueError,
        "total_steps: expected an int, or epochs and steps_per_epoch, got None",
    ),
    "cycle steps alone": (
        lambda: cycle(total_steps=None, steps_per_epoch=2),
        ValueError,
        "total_steps: expected an int, or epochs and steps_per_epoch, got None",
    ),
    "cycle epochs": (
        lambda: cycle(total_steps=None, epochs=0, steps_per_epoch=2),
        ValueError,
        "epochs: expected at least 1, got 0",
    ),
    "cycle steps per epoch": (
        lambda: cycle(total_steps=None, epochs=2, steps_per_epoch=1.5),
        TypeError,
        "steps_per_epoch: expected an int, got float",
    ),
    "cycle strategy": (
        lambda: cycle(anneal_strategy="cosine"),
        ValueError,
        "anneal_strategy: expected one of ('cos', 'linear'), got 'cosine'",
    ),
    "cycle momentum": (
        lambda: optim.OneCycleLR(make("Adagrad"), 1.0, 10),
        ValueError,
        "cycle_momentum: expected an optimizer with momentum or betas, got Adagrad",
    ),
    "plateau mode": (
        lambda: schedule("ReduceLROnPlateau", mode="low"),
        ValueError,
        "mode: expected one of ('min', 'max'), got 'low'",
    ),
    "plateau threshold mode": (
        lambda: schedule("ReduceLROnPlateau", threshold_mode="relative"),
        ValueError,
        "threshold_mode: expected one of ('rel', 'abs'), got 'relative'",
    ),
    "plateau metrics": (
        lambda: schedule("ReduceLROnPlateau").step("0.1"),
        TypeError,
        "metrics: expected a number, got str",
    ),
    "plateau metrics bool": (
        lambda: schedule("ReduceLROnPlateau").step(True),
        TypeError,
        "metrics: expected a number, got bool",
    ),
    "sequential no list": (
        lambda: sequential(schedule("StepLR", step_size=1), []),
        TypeError,
        "schedulers: expected a list, got StepLR",
    ),
    "sequential milestone": (
        lambda: sequential([schedule("StepLR", step_size=1)], 3),
        TypeError,
        "milestones: expected a list, got int",
    ),
    "sequential nothing": (
        lambda: sequential([], []),
        ValueError,
        "schedulers: expected at least one, got none",
    ),
    "sequential kind": (
        lambda: sequential([make("SGD")], []),
        TypeError,
        "schedulers[0]: expected a schedule by epochs, got SGD",
    ),
    "sequential plateau": (
        lambda: (lambda o: sequential([optim.ReduceLROnPlateau(o)], [], o))(make("SGD")),
        TypeError,
        "schedulers[0]: expected a schedule by epochs, got ReduceLROnPlateau",
    ),
    "sequential another": (
        lambda: (
            lambda o: sequential([optim.StepLR(o, 1), schedule("StepLR", step_size=1)], [1], o)
        )(make("SGD")),
        ValueError,
        "schedulers[1]: expected a schedule for this optimizer, got another's",
    ),
    **{
        f"sequential milestones {milestones}": (
            lambda milestones=milestones: (
                lambda o: sequential([optim.StepLR(o, 1) for _ in range(3)], milestones, o)
            )(make("SGD")),
            error,
            message,
        )
        for milestones, error, message in [
            ((1,), ValueError, "milestones: expected one less than schedulers, got 1 for 3"),
            ((1, 2, 3), ValueError, "milestones: expected one less than schedulers, got 3 for 3"),
            ((3, 2), ValueError, "milestones: expected increasing epochs, got [3, 2]"),
            ((2, 2), ValueError, "milestones: expected increasing epochs, got [2, 2]"),
            ((0, 2), ValueError, "milestones[0]: expected at least 1, got 0"),
            ((1, 2.0), TypeError, "milestones[1]: expected an int, got float"),
        ]
    },
    # clipping
    "clip model": (
        lambda: optim.clip_grad_norm_(nn.Linear(1, 1), 1.0),
        TypeError,
        "parameters: expected an iterable of parameters, got Linear; pass model.parameters()",
    ),
    "clip arrays": (
        lambda: optim.clip_grad_value_([np.ones(2)], 1.0),
        TypeError,
        "parameters[0]: expected a bpref.nn.Parameter, got ndarray; pass model.parameters()",
    ),
    "clip nothing": (
        lambda: optim.clip_grad_norm_(iter([]), 1.0),
        ValueError,
        "parameters: expected at least one parameter, got none",
    ),
    "clip twice": (
        lambda: optim.clip_grad_value_(parameters()[:1] * 2, 1.0),
        ValueError,
        "parameters: expected each parameter once, got one of them twice",
    ),
    **{
        f"clip {argument} {value}": (
            lambda kwargs={**norm, argument: value}: optim.clip_grad_norm_(parameters(), **kwargs),
            error,
            f"{argument}: expected {message}",
        )
        for norm in [{"max_norm": 1.0}]
        for argument in ("max_norm", "norm_type")
        for value, error, message in [
            ("inf", TypeError, "a number, got str"),
            (NAN, ValueError, "a finite number, got nan"),
            (-INF, ValueError, "a finite number, got -inf"),
            (-1.0, ValueError, "at least 0.0, got -1.0"),
        ]
    },
    "clip norm type zero": (
        lambda: optim.clip_grad_norm_(parameters(), 1.0, 0),
        ValueError,
        "norm_type: expected a number above 0, got 0.0",
    ),
    "clip value": (
        lambda: optim.clip_grad_value_(parameters(), -1),
        ValueError,
        "clip_value: expected at least 0.0, got -1",
    ),
    "clip value nan": (
        lambda: optim.clip_grad_value_(parameters(), NAN),
        ValueError,
        "clip_value: expected a finite number, got nan",
    ),
    # initial values
    "eye vector": (
        lambda: init.eye_(np.ones(3)),
        ValueError,
        "array: expected shape (rows, columns), got (3,)",
    ),
    "eye list": (lambda: init.eye_([[1.0]]), TypeError, "array: expected a NumPy array, got list"),
    "ones int": (
        lambda: init.ones_(np.ones(2, int)),
        TypeError,
        "array: expected dtype float32 or float64, got int64",
    ),
    "orthogonal vector": (
        lambda: init.orthogonal_(np.ones(3)),
        ValueError,
        "array: expected shape (out, in, ...), none of them 0, got (3,)",
    ),
    "orthogonal empty": (
        lambda: init.orthogonal_(np.ones((0, 3))),
        ValueError,
        "array: expected shape (out, in, ...), none of them 0, got (0, 3)",
    ),
    "orthogonal gain": (
        lambda: init.orthogonal_(np.ones((2, 2)), gain="relu"),
        TypeError,
        "gain: expected a number, got str",
    ),
    "orthogonal generator": (
        lambda: init.orthogonal_(np.ones((2, 2)), generator=0),
        TypeError,
        "generator: expected a numpy.random.Generator, got int",
    ),
    "conv vector": (
        lambda: init.conv_(np.ones(3)),
        ValueError,
        "array: expected shape (out, in, ...), none of them 0, got (3,)",
    ),
    "recurrent size": (
        lambda: init.recurrent_([np.ones(3)], 0),
        ValueError,
        "hidden_size: expected at least 1, got 0",
    ),
    "recurrent array": (
        lambda: init.recurrent_([[1.0]], 2),
        TypeError,
        "array: expected a NumPy array, got list",
    ),
    "embedding vector": (
        lambda: init.embedding_(np.ones(3)),
        ValueError,
        "array: expected shape (num_embeddings, embedding_dim), got (3,)",
    ),
    "embedding padding": (
        lambda: init.embedding_(np.ones((3, 2)), 3),
        ValueError,
        "padding_idx: expected an index from -3 to 2, got 3",
    ),
    "embedding padding kind": (
        lambda: init.embedding_(np.ones((3, 2)), 1.0),
        TypeError,
        "padding_idx: expected an int, got float",
    ),
    "attention vector": (
        lambda: init.multi_head_attention_(np.ones(3), np.ones((3, 3))),
        ValueError,
        "array: expected shape (out, in, ...), none of them 0, got (3,)",
    ),
    "attention bias": (
        lambda: init.multi_head_attention_(np.ones((3, 1)), np.ones((1, 1)), [0.0] * 3),
        TypeError,
        "array: expected a NumPy array, got list",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), CASES.values(), ids=CASES)
def test_message(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$" if ": " in message else message):
        call()


# Saved states: (change of a good one, error, message)


def trained(name="SGD", flat=True, **kwargs):
    """An optimizer after two steps."""
    params = parameters()
    if flat:
        nn.flatten(params)
    optimizer = getattr(optim, name)(params, **kwargs)
    for _ in range(2):
        optimizer.step()
    return optimizer


def changed(state, *path, value):
    """A copy of the state with another value at the path."""
    state = copy.deepcopy(state)
    place = state
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return state


GOOD = np.ones((2, 3))
STATES = {
    "list": (lambda s: [], TypeError, "state_dict: expected a mapping, got list"),
    "keys": (
        lambda s: {"steps": 1},
        ValueError,
        "state_dict: expected the keys ['steps', 'options', 'state'], got ['steps']",
    ),
    "more keys": (
        lambda s: {**s, "lr": 0.1},
        ValueError,
        "state_dict: expected the keys ['steps', 'options', 'state'], "
        "got ['steps', 'options', 'state', 'lr']",
    ),
    "steps": (
        lambda s: changed(s, "steps", value=-1),
        ValueError,
        "state_dict['steps']: expected at least 0, got -1",
    ),
    "steps kind": (
        lambda s: changed(s, "steps", value=2.0),
        TypeError,
        "state_dict['steps']: expected an int, got float",
    ),
    "options kind": (
        lambda s: changed(s, "options", value=[]),
        TypeError,
        "state_dict['options']: expected a mapping, got list",
    ),
    "options of another": (
        lambda s: changed(s, "options", value={"lr": 0.1, "l1": 1.0}),
        ValueError,
        "state_dict['options']: expected the keys ['lr', 'momentum', 'dampening', "
        "'weight_decay', 'nesterov'], got ['lr', 'l1']",
    ),
    "option": (
        lambda s: changed(s, "options", "lr", value=-1.0),
        ValueError,
        "lr: expected at least 0.0, got -1.0",
    ),
    "options that do not go together": (
        lambda s: changed(s, "options", "dampening", value=0.5),
        ValueError,
        "nesterov: expected momentum > 0 and dampening = 0, got momentum 0.5 and dampening 0.5",
    ),
    "state kind": (
        lambda s: changed(s, "state", value={}),
        TypeError,
        "state_dict['state']: expected a list, got dict",
    ),
    "state length": (
        lambda s: changed(s, "state", value=s["state"][:1]),
        ValueError,
        "state_dict['state']: expected 2 dicts, got 1",
    ),
    "state element": (
        lambda s: changed(s, "state", 0, value=None),
        TypeError,
        "state_dict['state'][0]: expected a mapping, got NoneType",
    ),
    "state second element": (
        lambda s: changed(s, "state", 1, value=[]),
        TypeError,
        "state_dict['state'][1]: expected a mapping, got list",
    ),
    "state of one only": (
        lambda s: changed(s, "state", 1, value={}),
        ValueError,
        "state_dict['state'][1]: expected the keys ['momentum_buffer'], got []",
    ),
    "state names": (
        lambda s: changed(s, "state", value=[{"sum": GOOD}, {"sum": np.ones(2)}]),
        ValueError,
        "state_dict['state']: expected names from ('momentum_buffer',), got ['sum']",
    ),
    "state shape": (
        lambda s: changed(s, "state", 1, "momentum_buffer", value=np.ones(3)),
        ValueError,
        "state_dict['state'][1]['momentum_buffer']: expected shape (2,), got (3,)",
    ),
    "state dtype": (
        lambda s: changed(s, "state", 0, "momentum_buffer", value=np.ones((2, 3), int)),
        TypeError,
        "state_dict['state'][0]['momentum_buffer']: expected dtype float32 or float64, got int64",
    ),
}


@pytest.mark.parametrize(("change", "error", "message"), STATES.values(), ids=STATES)
@pytest.mark.parametrize("flat", [True, False])
def test_a_wrong_state_changes_nothing(change, error, message, flat):
    optimizer = trained(flat=flat, momentum=0.9, nesterov=True)
    twin = copy.deepcopy(optimizer)
    good = trained(momentum=0.5, nesterov=True, lr=0.3).state_dict()
    with refused(error, message):
        optimizer.load_state_dict(change(good))
    for each in (optimizer, twin):
        each.step()
    assert optimizer.steps == twin.steps == 3
    assert optimizer.lr == twin.lr
    for p, q in zip(optimizer.params, twin.params, strict=True):
        np.testing.assert_array_equal(p.data, q.data)


TWO = "['exp_avg', 'exp_avg_sq']"
# What a resumed run lacks: (options, steps, names kept of each state, index and message)
PARTIAL = {
    "one array of all": ({}, 5, ["exp_avg"], f"[0]: expected the keys {TWO}, got ['exp_avg']"),
    "all arrays": ({}, 5, [], f"[0]: expected the keys {TWO}, got []"),
    "steps": ({}, 0, ["exp_avg", "exp_avg_sq"], f"[0]: expected the keys [], got {TWO}"),
    "what an option adds": (
        {"amsgrad": True},
        5,
        ["exp_avg", "exp_avg_sq"],
        f"[0]: expected the keys ['exp_avg', 'exp_avg_sq', 'max_exp_avg_sq'], got {TWO}",
    ),
}


@pytest.mark.parametrize(("kwargs", "steps", "kept", "message"), PARTIAL.values(), ids=PARTIAL)
@pytest.mark.parametrize("flat", [True, False])
def test_a_state_without_its_arrays_or_steps_is_refused(kwargs, steps, kept, message, flat):
    optimizer = trained("Adam", flat, lr=0.5)
    before = optimizer.state_dict()
    good = trained("Adam", flat, **kwargs).state_dict()
    states = [{name: state[name] for name in kept} for state in good["state"]]
    message = f"state_dict['state']{message}"
    with refused(ValueError, message):
        optimizer.load_state_dict({**good, "steps": steps, "state": states})
    np.testing.assert_equal(optimizer.state_dict(), before)


def test_the_state_that_lacks_an_array_is_named():
    optimizer = trained("Adam")
    for i in (0, 1):
        state = optimizer.state_dict()
        del state["state"][i]["exp_avg"]
        message = f"state_dict['state'][{i}]: expected the keys {TWO}, got ['exp_avg_sq']"
        with refused(ValueError, message):
            optimizer.load_state_dict(state)


def parts(optimizer):
    two = [optim.StepLR(optimizer, 1), optim.CosineAnnealingLR(optimizer, 5)]
    return optim.SequentialLR(optimizer, two, [2])


SCHEDULE_STATES = {
    "list": (parts, lambda s: [], TypeError, "state_dict: expected a mapping, got list"),
    "another's": (
        parts,
        lambda s: optim.StepLR(make("SGD"), 1).state_dict(),
        ValueError,
        "state_dict: expected the keys ['last_epoch', 'base_lr', 'last_lr', 'schedulers'], "
        "got ['last_epoch', 'base_lr', 'last_lr']",
    ),
    "last_epoch": (
        parts,
        lambda s: changed(s, "last_epoch", value=-1),
        ValueError,
        "state_dict['last_epoch']: expected at least 0, got -1",
    ),
    "base_lr": (
        parts,
        lambda s: changed(s, "base_lr", value=-1.0),
        ValueError,
        "state_dict['base_lr']: expected at least 0.0, got -1.0",
    ),
    "last_lr": (
        parts,
        lambda s: changed(s, "last_lr", value=[0.1]),
        TypeError,
        "state_dict['last_lr']: expected a number, got list",
    ),
    "last_lr negative": (
        parts,
        lambda s: changed(s, "last_lr", value=-0.5),
        ValueError,
        "state_dict['last_lr']: expected at least 0.0, got -0.5",
    ),
    "schedulers": (
        parts,
        lambda s: changed(s, "schedulers", value=None),
        TypeError,
        "state_dict['schedulers']: expected a list, got NoneType",
    ),
    "schedulers dict": (
        parts,
        lambda s: changed(s, "schedulers", value={}),
        TypeError,
        "state_dict['schedulers']: expected a list, got dict",
    ),
    "schedulers length": (
        parts,
        lambda s: changed(s, "schedulers", value=[]),
        ValueError,
        "state_dict['schedulers']: expected 2 dicts, got 0",
    ),
    "second schedule": (
        parts,
        lambda s: changed(s, "schedulers", 1, "last_epoch", value="2"),
        TypeError,
        "state_dict['schedulers'][1]['last_epoch']: expected an int, got str",
    ),
    "one cycle, too late": (
        lambda o: optim.OneCycleLR(o, 1.0, 3),
        lambda s: changed(s, "last_epoch", value=4),
        ValueError,
        "state_dict['last_epoch']: expected at most 3, got 4",
    ),
    "one cycle, epoch": (
        lambda o: optim.OneCycleLR(o, 1.0, 3),
        lambda s: changed(s, "last_epoch", value=-4),
        ValueError,
        "state_dict['last_epoch']: expected at least 0, got -4",
    ),
    "plateau epoch": (
        optim.ReduceLROnPlateau,
        lambda s: changed(s, "last_epoch", value=-4),
        ValueError,
        "state_dict['last_epoch']: expected at least 0, got -4",
    ),
    "plateau best": (
        optim.ReduceLROnPlateau,
        lambda s: changed(s, "best", value=None),
        TypeError,
        "state_dict['best']: expected a number, got NoneType",
    ),
    "plateau bad epochs": (
        optim.ReduceLROnPlateau,
        lambda s: changed(s, "num_bad_epochs", value=-1),
        ValueError,
        "state_dict['num_bad_epochs']: expected at least 0, got -1",
    ),
    "plateau cooldown": (
        optim.ReduceLROnPlateau,
        lambda s: changed(s, "cooldown_counter", value=0.5),
        TypeError,
        "state_dict['cooldown_counter']: expected an int, got float",
    ),
}


@pytest.mark.parametrize(
    ("build", "change", "error", "message"), SCHEDULE_STATES.values(), ids=SCHEDULE_STATES
)
def test_a_wrong_state_of_a_schedule_changes_nothing(build, change, error, message):
    optimizer = make("SGD", lr=0.5)
    whole = build(optimizer)
    before = whole.state_dict()
    good = {**before, "last_epoch": 3, "last_lr": 0.25}
    with refused(error, message):
        whole.load_state_dict(change(good))
    assert whole.state_dict() == before
    assert optimizer.lr == before["last_lr"]
