"""A trace holds what nn and torch compute, comes back as it was, and tells of every change."""

import copy
import inspect
import itertools
import json
import math
import pickle
import re
import string
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import assert_like_torch, normal, quick, seeds

import bpref.functional as F
from bpref import nn, optim, trace
from bpref.trace import (
    FORMULAS,
    Entry,
    Trace,
    TraceError,
    dumps,
    explain,
    load,
    loads,
    save,
    trace_training_step,
)

DOCS = Path(__file__).resolve().parents[2] / "docs"
ACTIVATIONS = {
    "identity": (nn.Identity, torch.nn.Identity),
    "sigmoid": (nn.Sigmoid, torch.nn.Sigmoid),
    "tanh": (nn.Tanh, torch.nn.Tanh),
    "relu": (nn.ReLU, torch.nn.ReLU),
    "leaky_relu": (lambda: nn.LeakyReLU(0.2), lambda: torch.nn.LeakyReLU(0.2)),
}
LOSSES = ["half_mse_loss", "mse_loss", "binary_cross_entropy_with_logits", "cross_entropy"]
dtypes = st.sampled_from(["float32", "float64"])


def build(seed, sizes, activations, bias, dtype, torch_too=False):
    """A model of ours (and the same in torch): one activation for each layer, None for none."""
    ours, theirs = [], []
    for k, (d, m) in enumerate(itertools.pairwise(sizes)):
        layer = nn.Linear(d, m, bias[k], dtype=dtype)
        layer.weight.data = normal(seed + 10 * k, m, d, dtype=dtype)
        ours.append(layer)
        theirs.append(torch.nn.Linear(d, m, bias[k], dtype=getattr(torch, dtype)))
        if bias[k]:
            layer.bias.data = normal(seed + 10 * k + 1, m, dtype=dtype)
        if activations[k] is not None:
            ours.append(ACTIVATIONS[activations[k]][0]())
            theirs.append(ACTIVATIONS[activations[k]][1]())
    model = nn.Sequential(*ours)
    if not torch_too:
        return model
    twin = torch.nn.Sequential(*theirs)
    twin.load_state_dict({k: torch.from_numpy(v) for k, v in model.state_dict().items()})
    return model, twin


def data(seed, N, d, m, loss, dtype):
    rng = np.random.default_rng(seed)
    x = normal(seed, N, d, dtype=dtype)
    if loss == "cross_entropy":
        return x, rng.integers(0, m, N)
    if loss == "binary_cross_entropy_with_logits":
        return x, rng.uniform(size=(N, m)).astype(dtype)
    return x, normal(seed + 1, N, m, dtype=dtype)


@st.composite
def settings_of_a_step(draw):
    """(seed, sizes, activations, bias, loss, dtype, N, lr)."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=2, max_size=4))
    layers = len(sizes) - 1
    names = st.sampled_from([None, *ACTIVATIONS])
    return {
        "seed": draw(seeds),
        "sizes": sizes,
        "activations": draw(st.lists(names, min_size=layers, max_size=layers)),
        "bias": draw(st.lists(st.booleans(), min_size=layers, max_size=layers)),
        "loss": draw(st.sampled_from(LOSSES)),
        "dtype": draw(dtypes),
        "N": draw(st.integers(1, 4)),
        "lr": draw(st.sampled_from([0.5, 0.1, 1.0])),
    }


def step_of(s):
    model = build(s["seed"], s["sizes"], s["activations"], s["bias"], s["dtype"])
    x, y = data(s["seed"] + 5, s["N"], s["sizes"][0], s["sizes"][-1], s["loss"], s["dtype"])
    return trace_training_step(model, x, y, loss=s["loss"], lr=s["lr"])


def example(dtype="float64", loss="half_mse_loss", activations=("tanh", None)):
    return step_of(
        {
            "seed": 1,
            "sizes": [2, 3, 2],
            "activations": activations,
            "bias": [True, True],
            "loss": loss,
            "dtype": dtype,
            "N": 3,
            "lr": 0.5,
        }
    )


def same(one, two):
    assert one.header == two.header
    assert len(one.entries) == len(two.entries)
    for a, b in zip(one.entries, two.entries, strict=True):
        assert (a.name, a.role, a.formula) == (b.name, b.role, b.formula)
        assert a.value.dtype == b.value.dtype
        assert a.value.tobytes() == b.value.tobytes()
        assert a.value.shape == b.value.shape


# --- what is recorded ------------------------------------------------------------------------


def test_the_entries_of_two_layers():
    entries = [(e.name, e.role, e.value.shape, e.formula) for e in example().entries]
    assert entries == [
        ("x", "input", (3, 2), "given"),
        ("y", "label", (3, 2), "given"),
        ("W_1", "parameter", (3, 2), "given"),
        ("b_1", "parameter", (3,), "given"),
        ("W_2", "parameter", (2, 3), "given"),
        ("b_2", "parameter", (2,), "given"),
        ("a_1", "pre-activation", (3, 3), "linear"),
        ("h_1", "activation", (3, 3), "tanh"),
        ("a_2", "pre-activation", (3, 2), "linear"),
        ("h_2", "activation", (3, 2), "identity"),
        ("J", "loss", (), "half_mse_loss"),
        ("grad_h_2", "gradient", (3, 2), "half_mse_loss_backward"),
        ("delta_2", "delta", (3, 2), "identity_backward"),
        ("grad_W_2", "gradient", (2, 3), "linear_backward_weight"),
        ("grad_b_2", "gradient", (2,), "linear_backward_bias"),
        ("grad_h_1", "gradient", (3, 3), "linear_backward_input"),
        ("delta_1", "delta", (3, 3), "tanh_backward"),
        ("grad_W_1", "gradient", (3, 2), "linear_backward_weight"),
        ("grad_b_1", "gradient", (3,), "linear_backward_bias"),
        ("new_W_1", "updated", (3, 2), "sgd_step"),
        ("new_b_1", "updated", (3,), "sgd_step"),
        ("new_W_2", "updated", (2, 3), "sgd_step"),
        ("new_b_2", "updated", (2,), "sgd_step"),
    ]


def test_the_numbers_of_the_page_two_layers_by_hand():
    model = nn.MLP([2, 3, 1], "tanh")
    model[0].weight.data = np.array([[0.4, -0.2], [-0.3, 0.8], [0.6, 0.1]])
    model[0].bias.data = np.array([0.1, 0.2, -0.1])
    model[2].weight.data = np.array([[0.7, -0.5, 0.9]])
    model[2].bias.data = np.array([0.3])
    page = (DOCS / "en" / "derivation" / "two-layers.md").read_text(encoding="utf-8")
    found = re.search(r"x, y = np\.array\(\[(.+?)\]\), np\.array\(\[(.+?)\]\)", page)
    x = np.array([[float(v) for v in found[1].split(",")]])
    y = np.array([[float(v) for v in found[2].split(",")]])
    step = trace_training_step(model, x, y, lr=0.1)
    assert f"h_1     {step['h_1'][0].round(6)}" in page
    assert f"delta_2 {step['delta_2'][0].round(6)}" in page
    assert f"delta_1 {step['delta_1'][0].round(6)}" in page
    assert f"dW_2    {step['grad_W_2'].round(6)}" in page
    assert f"J = {float(step['J']):.6f}, after one step" in page


@quick
@given(settings_of_a_step())
def test_values_are_those_of_nn_optim_and_torch(s):
    model, twin = build(s["seed"], s["sizes"], s["activations"], s["bias"], s["dtype"], True)
    x, y = data(s["seed"] + 5, s["N"], s["sizes"][0], s["sizes"][-1], s["loss"], s["dtype"])
    before = copy.deepcopy(model.state_dict())
    step = trace_training_step(model, x, y, loss=s["loss"], lr=s["lr"])
    assert all(np.array_equal(before[k], v) for k, v in model.state_dict().items())
    assert all(not p.grad.any() for p in model.parameters())

    J, cache = getattr(F, s["loss"])(model(x), y)
    model.backward(getattr(F, f"{s['loss']}_backward")(1.0, cache))
    sgd = optim.SGD(model.parameters(), lr=s["lr"])
    linears = [module for module in model.modules if type(module) is nn.Linear]
    names = [f"{p}_{k}" for k in range(1, len(linears) + 1) for p in ("W", "b")]
    parameters = [p for layer in linears for p in (layer.weight, layer.bias)]
    recorded = [(n, p) for n, p in zip(names, parameters, strict=True) if p is not None]
    assert step["J"] == J
    for name, p in recorded:
        np.testing.assert_array_equal(step[f"grad_{name}"], p.grad)
    sgd.step()
    for name, p in recorded:
        np.testing.assert_array_equal(step[f"new_{name}"], p.data)

    rtol = 1e-12 if s["dtype"] == "float64" else 1e-4
    h, tensors, k = torch.from_numpy(x), {}, 0
    for layer in twin:
        if isinstance(layer, torch.nn.Linear):
            k += 1
            h = tensors[f"a_{k}"] = layer(h)
            h = tensors[f"h_{k}"] = h.clone()
        else:
            h = tensors[f"h_{k}"] = layer(tensors[f"a_{k}"]).clone()
    for tensor in tensors.values():
        tensor.retain_grad()
    target = torch.from_numpy(y)
    losses = {
        "half_mse_loss": lambda: ((h - target) ** 2).sum() / (2 * len(h)),
        "mse_loss": lambda: torch.nn.functional.mse_loss(h, target),
        "binary_cross_entropy_with_logits": lambda: (
            torch.nn.functional.binary_cross_entropy_with_logits(h, target)
        ),
        "cross_entropy": lambda: torch.nn.functional.cross_entropy(h, target),
    }
    losses[s["loss"]]().backward()
    scale = max(1.0, *(float(t.grad.abs().max()) for t in tensors.values()))
    for name, tensor in tensors.items():
        assert_like_torch(step[name], tensor, rtol)
        grad = step["delta" + name[1:]] if name.startswith("a") else step[f"grad_{name}"]
        assert np.abs(grad - tensor.grad.numpy()).max() <= rtol * scale


def test_inputs_may_be_read_only_and_non_contiguous_and_are_copied():
    model = build(0, [2, 2], ["tanh"], [True], "float64")
    x = normal(0, 2, 6)[:, ::2].T
    y = normal(1, 3, 2)
    expected = dumps(trace_training_step(model, x.copy(), y))
    x.setflags(write=False)
    step = trace_training_step(model, x, y)
    y[...] = 0.0
    model[0].weight.data = np.zeros((2, 2))
    assert dumps(step) == expected
    with pytest.raises(ValueError, match="read-only"):
        step["x"][0, 0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        loads(expected)["x"][0, 0] = 1.0


def test_defaults_and_the_header():
    model = build(0, [2, 3, 1], ["leaky_relu", None], [True, False], "float32")
    step = trace_training_step(model, normal(0, 4, 2, dtype="float32"), np.zeros((4, 1), "f4"))
    assert step.header == {
        "format": "bpref.trace",
        "version": 1,
        "bpref": "0.1.0",
        "dtype": "float32",
        "batch": 4,
        "loss": "half_mse_loss",
        "lr": 1e-3,
        "layers": [
            {
                "in_features": 2,
                "out_features": 3,
                "bias": True,
                "activation": "leaky_relu",
                "negative_slope": 0.2,
            },
            {"in_features": 3, "out_features": 1, "bias": False, "activation": "identity"},
        ],
    }
    assert list(step.header) == list(json.loads(dumps(step).splitlines()[0]))


def test_an_unknown_name_is_named():
    with pytest.raises(KeyError, match=r"name: expected one of \['x', 'y', 'W_1'.*, got 'h_9'"):
        example()["h_9"]


# --- writing and reading ---------------------------------------------------------------------


@quick
@given(settings_of_a_step())
def test_a_trace_comes_back_as_it_was(s):
    step = step_of(s)
    text = dumps(step)
    again = loads(text)
    same(step, again)
    assert dumps(again) == text
    same(step, loads(text.encode()))
    same(step, loads(text.removesuffix("\n")))
    same(step, loads(text.replace("\n", "\r\n")))


def test_a_line_is_json_for_anyone():
    first, line = dumps(example()).splitlines()[:2]
    assert json.loads(first)["format"] == "bpref.trace"
    x = example()["x"]
    assert json.loads(line) == {
        "name": "x",
        "role": "input",
        "shape": [3, 2],
        "formula": "given",
        "value": x.tolist(),
    }
    assert list(json.loads(line)) == ["name", "role", "shape", "formula", "value"]


def test_files(tmp_path):
    step, path = example(), tmp_path / "step.jsonl"
    save(step, path)
    assert path.read_bytes() == dumps(step).encode()
    same(load(path), step)
    same(load(str(path)), step)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(TraceError, match=r"^line 24, new_b_2: expected one JSON object, got '"):
        load(path)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", ["binary_cross_entropy_with_logits", "cross_entropy"])
@pytest.mark.parametrize("scale", [1.0, 30.0, 1e4])
def test_extreme_logits_come_back(dtype, loss, scale):
    """Saturated sigmoids and probabilities that underflow are no reason to refuse a trace."""
    model = build(3, [3, 4, 3], ["sigmoid", None], [True, True], dtype)
    for parameter in model.parameters():
        parameter.data *= scale
    for seed in range(20):
        x, y = data(seed, 4, 3, 3, loss, dtype)
        step = trace_training_step(model, x, y, loss=loss)
        same(step, loads(dumps(step)))
    y = np.array([0, 1, 2, 0]) if loss == "cross_entropy" else np.eye(4, 3, dtype=dtype)
    step = trace_training_step(model, 0 * x, y, loss=loss)
    same(step, loads(dumps(step)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_layers_and_cancelling_sums_come_back(dtype):
    """The limit knows the size of the terms: a sum near zero is allowed their rounding error."""
    model = build(4, [300, 40, 2], ["tanh", None], [True, True], dtype)
    x, y = data(5, 64, 300, 2, "mse_loss", dtype)
    model[0].weight.data[0] = np.resize([1e3, -1e3], 300)
    x[0] = 0.1  # a_1[0, 0] is b_1[0] plus a sum that cancels
    step = trace_training_step(model, x, y, loss="mse_loss")
    same(step, loads(dumps(step)))


@pytest.mark.parametrize("classes", range(1, 9))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logits_of_zero_come_back(classes, dtype):
    """The loss is log C: the only term beside the logits."""
    model = build(0, [1, classes], [None], [False], dtype)
    model[0].weight.data *= 0
    step = trace_training_step(model, np.ones((3, 1), dtype), [0, 0, 0], loss="cross_entropy")
    assert float(step["J"]) == pytest.approx(math.log(classes), rel=1e-6)
    same(step, loads(dumps(step)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_small_probabilities_and_losses_that_cancel_come_back(dtype):
    """p = exp(log p) has |log p| times the rounding error; log(1 + exp(h)) − y h cancels."""
    model = build(0, [1, 12], [None], [False], dtype)
    model[0].weight.data = np.linspace(-70.0, 0.0, 12, dtype=dtype)[:, np.newaxis]
    x = np.linspace(0.8, 1.1, 40, dtype=dtype)[:, np.newaxis]
    step = trace_training_step(model, x, [11] * 40, loss="cross_entropy")
    same(step, loads(dumps(step)))
    step = trace_training_step(model, np.array([[1.7]], dtype), [11], loss="cross_entropy")
    assert 0 < step["J"] < 1e-3
    same(step, loads(dumps(step)))
    model = build(0, [1, 200], [None], [False], dtype)
    model[0].weight.data = np.linspace(100.0, 900.0, 200, dtype=dtype)[:, np.newaxis]
    y = np.full((1, 200), 1 - 1e-6, dtype)
    loss = "binary_cross_entropy_with_logits"
    step = trace_training_step(model, np.ones((1, 1), dtype), y, loss=loss)
    same(step, loads(dumps(step)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_update_that_cancels_comes_back(dtype):
    """With lr x² = 1 a step lands on the label, far below the size of its two terms."""
    model = build(0, [1, 1], [None], [False], dtype)
    model[0].weight.data = np.array([[1000.1]], dtype)
    x, y = np.array([[1 / math.sqrt(0.3)]], dtype), np.array([[1e-3]], dtype)
    step = trace_training_step(model, x, y, lr=0.3)
    assert abs(step["new_W_1"]) < 1e-2
    same(step, loads(dumps(step)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_long_sums_come_back(dtype):
    """Over 10,000 equal terms, the roundings of float32 add up to 1e-4."""
    model = build(0, [1, 2], [None], [True], dtype)
    model[0].weight.data[...] = 0.0
    model[0].bias.data[...] = 0.37
    x, y = np.full((10_000, 1), 0.1, dtype), np.zeros((10_000, 2), dtype)
    step = trace_training_step(model, x, y)
    same(step, loads(dumps(step)))
    model = build(0, [10_000, 1], [None], [False], dtype)
    model[0].weight.data[...] = 0.3
    step = trace_training_step(model, np.full((1, 10_000), 0.3, dtype), np.zeros((1, 1), dtype))
    same(step, loads(dumps(step)))


def test_what_rounding_does_not_explain_is_refused():
    """(16 + n/2) ε of the sum of the absolute values of n = 2 terms."""
    model = build(0, [2, 1], [None], [False], "float64")
    model[0].weight.data = np.array([[0.5, 0.25]])
    text = dumps(trace_training_step(model, np.ones((1, 2)), np.ones((1, 1))))
    assert "[[0.75]]" in text
    eps = np.finfo(np.float64).eps
    for terms, fits in ((12, True), (18, False)):
        for sign in (1, -1):
            lines = [json.loads(line) for line in text.splitlines()]
            lines[4]["value"] = [[0.75 + sign * terms * 0.75 * eps]]
            if fits:
                assert loads(text_of(lines))["a_1"] == lines[4]["value"][0][0]
            else:
                assert refused(lines).name == "a_1"


def test_zeros_at_kinks_come_back():
    for activation in ACTIVATIONS:
        model = build(0, [1, 1], [activation], [False], "float64")
        step = trace_training_step(model, np.zeros((2, 1)), np.zeros((2, 1)))
        same(step, loads(dumps(step)))


# --- tampering -------------------------------------------------------------------------------


def records(step):
    return [json.loads(line) for line in dumps(step).splitlines()]


def text_of(lines):
    return "".join(json.dumps(line) + "\n" for line in lines)


def refused(lines):
    with pytest.raises(TraceError) as caught:
        loads(text_of(lines))
    return caught.value


def change(record, place, by):
    """Add to one element of a value; return its index."""
    value = np.array(record["value"])
    index = tuple(map(int, np.unravel_index(place % value.size, value.shape)))
    value[index] += by
    record["value"] = value.tolist()
    return index


tampered = st.tuples(settings_of_a_step(), st.integers(0, 999), st.integers(0, 999))


@quick
@given(tampered, st.sampled_from([1e-3, -1.0, 1e6]))
def test_a_changed_value_is_named_with_its_index(case, by):
    s, line, place = case
    step = step_of(s)
    lines = records(step)
    derived = [i for i, r in enumerate(lines) if i and r["formula"] != "given"]
    i = derived[line % len(derived)]
    name = lines[i]["name"]
    original = np.array(lines[i]["value"])
    # Compared with the largest number that can occur in the entry's formula.
    size = max(1.0, *(float(np.abs(e.value).max()) for e in step.entries))
    by = float(np.float32(by * size)) if s["dtype"] == "float32" else by * size
    index = change(lines[i], place, by)
    lines[i]["value"] = np.array(lines[i]["value"], dtype=s["dtype"]).tolist()
    error = refused(lines)
    assert (error.line, error.name, error.index) == (i + 1, name, index)
    assert float(error.found) == np.array(lines[i]["value"], s["dtype"])[index]
    recorded = float(original[index])
    close = 1e-4 if s["dtype"] == "float32" else 1e-10
    assert abs(float(error.expected) - recorded) <= close * size
    place = f"[{', '.join(map(str, index))}]" if index else ""
    assert str(error) == (
        f"line {i + 1}, {name}{place}: expected {error.expected}, got {error.found}"
    )


@quick
@given(tampered)
def test_a_changed_input_shows_in_the_first_entry_that_follows_from_it(case):
    s, line, place = case
    step = step_of(s)
    lines = records(step)
    givens = [i for i, r in enumerate(lines) if i and r["formula"] == "given"]
    if s["loss"] in LOSSES[2:]:
        givens.remove(2)  # labels have a test of their own
    i = givens[line % len(givens)]
    change(lines[i], place, 1.0)
    lines[i]["value"] = np.array(lines[i]["value"], s["dtype"]).tolist()

    # What the other numbers would have had to be.
    model = build(s["seed"], s["sizes"], s["activations"], s["bias"], s["dtype"])
    linears = [module for module in model.modules if type(module) is nn.Linear]
    arrays = {"x": step["x"], "y": step["y"]}
    name, value = lines[i]["name"], np.array(lines[i]["value"], s["dtype"])
    if name in arrays:
        arrays[name] = value
    else:
        layer = linears[int(name[2:]) - 1]
        (layer.weight if name[0] == "W" else layer.bias).data = value
    wanted = trace_training_step(model, *arrays.values(), loss=s["loss"], lr=s["lr"])
    limit = 1e-3 if s["dtype"] == "float32" else 1e-9
    differ = [
        a.name
        for a, b in zip(step.entries, wanted.entries, strict=True)
        if a.formula != "given" and np.abs(a.value - b.value).max() > limit
    ]
    same_ones = [
        a.name
        for a, b in zip(step.entries, wanted.entries, strict=True)
        if np.array_equal(a.value, b.value)
    ]
    error = refused(lines)
    assert error.name not in same_ones
    names = [e.name for e in step.entries]
    assert names.index(error.name) <= min(names.index(n) for n in differ)


@quick
@given(tampered, st.sampled_from(["name", "role", "shape", "formula", "value"]))
def test_a_changed_field_is_named(case, key):
    s, line, _ = case
    lines = records(step_of(s))
    i = 1 + line % (len(lines) - 1)
    name, old = lines[i]["name"], lines[i][key]
    new = {
        "name": "z_1",
        "role": "mask",
        "formula": "linear_backward",
        "shape": [*lines[i]["shape"], 1],
        "value": [old],
    }[key]
    lines[i][key] = new
    error = refused(lines)
    assert (error.line, error.name, error.index) == (i + 1, name, None)
    if key == "value":
        shape = tuple(lines[i]["shape"])
        assert error.expected == f"a value of shape {shape}"
        assert error.found == str((1, *shape))
    else:
        assert error.expected == f"{key} {json.dumps(old)}"
        assert error.found == repr(json.dumps(new))


@quick
@given(tampered)
def test_entries_that_are_missing_moved_or_doubled_are_named(case):
    s, first, second = case
    lines = records(step_of(s))
    i, j = 1 + first % (len(lines) - 1), 1 + second % (len(lines) - 1)
    names = [None, *(r["name"] for r in lines[1:]), "end"]

    error = refused(lines[:i] + lines[i + 1 :])
    assert (error.line, error.name) == (i + 1, names[i])
    error = refused(lines[: i + 1] + lines[i:])
    assert (error.line, error.name) == (i + 2, names[i + 1])
    error = refused(lines[:i])
    assert (error.line, error.name) == (i + 1, names[i])
    assert str(error) == (
        f"line {i + 1}, {names[i]}: expected the entry {names[i]}, got the end of the file"
    )
    if i != j:
        swapped = list(lines)
        swapped[i], swapped[j] = swapped[j], swapped[i]
        error = refused(swapped)
        assert (error.line, error.name) == (min(i, j) + 1, names[min(i, j)])


def test_what_follows_the_last_entry_is_refused():
    text = dumps(example())
    for more in ("{}\n", "\n", text, "x" * 100):
        with pytest.raises(TraceError) as caught:
            loads(text + more)
        assert caught.value.line == 25
        assert caught.value.name == "end"
        assert caught.value.expected == "the end of the file"
    assert str(caught.value) == f"line 25, end: expected the end of the file, got '{'x' * 57}...'"


@quick
@given(st.integers(0, 10**6))
def test_a_file_that_was_cut_is_refused(length):
    text = dumps(example())
    length %= len(text) - 1
    with pytest.raises(TraceError) as caught:
        loads(text[:length])
    kept = text[:length].removesuffix("\n").count("\n")
    # The last line was cut, or the one after it is missing.
    assert caught.value.line in (kept + 1, kept + 2)


@quick
@given(st.integers(0, 10**6), st.integers(0, 255))
def test_any_other_byte_is_refused_or_says_the_same(position, byte):
    raw = dumps(example()).encode()
    position %= len(raw)
    changed = raw[:position] + bytes([byte]) + raw[position + 1 :]
    try:
        step = loads(changed)
    except TraceError:  # and no other error
        return
    for a, b in zip(step.entries, example().entries, strict=True):
        np.testing.assert_allclose(a.value, b.value, rtol=1e-11, atol=1e-11)


NOT_JSON = {
    "text": (b"hello", "'hello'"),
    "nothing": (b"", "''"),
    "list": (b"[1]", "'[1]'"),
    "number": (b"3", "'3'"),
    "null": (b"null", "'null'"),
    "cut": (b'{"name": ', "'{\"name\": '"),
    "key twice": (b'{"name": 1, "name": 1}', '\'{"name": 1, "name": 1}\''),
    "not UTF-8": (b"\xff{}", "'\ufffd{}'"),
    "deep": (b"[" * 100_000, repr("[" * 57 + "...")),
    "rather deep": (b'{"a": ' * 900 + b"1" + b"}" * 900, repr(('{"a": ' * 900)[:57] + "...")),
    "digits": (b'{"a": ' + b"1" * 9999 + b"}", repr('{"a": ' + "1" * 51 + "...")),
}


@pytest.mark.parametrize(("line", "found"), NOT_JSON.values(), ids=NOT_JSON)
@pytest.mark.parametrize(("number", "name"), [(1, "header"), (2, "x"), (12, "J")])
def test_a_line_that_is_no_json_object_is_named(line, found, number, name):
    lines = dumps(example()).encode().splitlines()
    lines[number - 1] = line
    with pytest.raises(TraceError) as caught:
        loads(b"\n".join(lines))
    error = caught.value
    if error.expected != "one JSON object":  # a deep object is JSON for some versions of Python
        assert line.startswith(b'{"a": ')
        assert error.expected.startswith("the fields [")
    else:
        assert str(error) == f"line {number}, {name}: expected one JSON object, got {found}"


def test_fields_that_are_missing_or_too_many_are_named():
    for edit in (lambda r: r.pop("role"), lambda r: r.update(note=1)):
        lines = records(example())
        edit(lines[12])
        error = refused(lines)
        assert (error.line, error.name) == (13, "grad_h_2")
        assert error.expected == "the fields ['name', 'role', 'shape', 'formula', 'value']"
        assert error.found == str(list(lines[12]))


NUMBERS = [
    ("float64", 'true', "numbers written as float64", None),
    ("float64", '1', "numbers written as float64", None),
    ("float64", '"0.5"', "numbers written as float64", None),
    ("float64", "null", "numbers written as float64", None),
    ("float64", "{}", "numbers written as float64", None),
    ("float64", "[0.5, 0.5]", "numbers written as float64", None),
    ("float64", "1" + "0" * 400, "numbers written as float64", None),
    ("float64", "NaN", "finite values", (0, 1)),
    ("float64", "Infinity", "finite values", (0, 1)),
    ("float64", "-1e999", "finite values", (0, 1)),
    ("float32", "0.1", "numbers written as float32", None),
    ("float32", "1e300", "numbers written as float32", None),
]  # fmt: skip


@pytest.mark.parametrize(("dtype", "number", "expected", "index"), NUMBERS)
@pytest.mark.parametrize("name", ["x", "h_2"])
def test_a_number_of_another_kind_is_refused(dtype, number, expected, index, name):
    lines = dumps(example(dtype)).splitlines()
    i = next(i for i, line in enumerate(lines) if f'"name": "{name}"' in line)
    first, second = re.findall(r"-?[\d.]+(?:e-?\d+)?", lines[i].split('"value": ')[1])[:2]
    lines[i] = lines[i].replace(f"[[{first}, {second}", f"[[{first}, {number}")
    with pytest.raises(TraceError) as caught:
        loads("\n".join(lines))
    error = caught.value
    assert (error.line, error.name, error.expected) == (i + 1, name, expected)
    assert error.index == index
    if index is None:
        assert error.found.startswith("'[[")
    else:
        assert error.found in ("nan", "inf", "-inf")


@pytest.mark.parametrize(
    ("loss", "label", "expected", "found", "index"),
    [
        ("cross_entropy", 2, "labels from 0 to 1", "2", (1,)),
        ("cross_entropy", -1, "labels from 0 to 1", "-1", (1,)),
        ("cross_entropy", -100, "labels from 0 to 1", "-100", (1,)),
        ("cross_entropy", 0.5, "numbers written as int64", None, None),
        ("cross_entropy", 10**20, "numbers written as int64", None, None),
        ("binary_cross_entropy_with_logits", [0.5, 1.5], "values from 0 to 1", "1.5", (1, 1)),
        ("binary_cross_entropy_with_logits", [0.5, -0.1], "values from 0 to 1", "-0.1", (1, 1)),
    ],
)
def test_labels_out_of_range_are_refused(loss, label, expected, found, index):
    lines = records(example(loss=loss))
    lines[2]["value"][1] = label
    error = refused(lines)
    assert (error.line, error.name, error.expected, error.index) == (3, "y", expected, index)
    assert found is None or error.found == found


def test_another_label_shows_in_the_loss():
    lines = records(example(loss="cross_entropy"))
    lines[2]["value"][1] = 1 - lines[2]["value"][1]
    assert refused(lines).name == "J"


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_small_changes_are_seen(loss, activation):
    """1e-9 of an element in float64, for entries whose terms do not cancel."""
    step = example(loss=loss, activations=(activation, activation))
    lines = records(step)
    seen = 0
    for i in range(7, len(lines)):
        value = np.array(lines[i]["value"])
        if value.any():
            place = int(np.abs(value).argmax())
            by = float(1e-9 * np.abs(value).max())
            edited = copy.deepcopy(lines)
            index = change(edited[i], place, by)
            error = refused(edited)
            assert (error.name, error.index) == (lines[i]["name"], index)
            seen += 1
    assert seen >= 12


@pytest.mark.parametrize(
    ("name", "wrong", "entry"),
    [
        ("linear", lambda h, W, b: (h @ W.T, (h, W, True)), "a_1"),
        ("tanh", lambda a: (np.sinh(a), (np.tanh(a),)), "h_1"),
        ("half_mse_loss", lambda h, y: (((h - y) ** 2).sum() / len(h), (h - y, "mean")), "J"),
        ("half_mse_loss_backward", lambda g, c: c[0], "grad_h_2"),
        ("tanh_backward", lambda g, c: g * (1.0 - c[0]), "delta_1"),
        ("linear_backward", lambda g, c: (g @ c[1], g.T @ c[0] / 2, g.sum(0)), "grad_W_2"),
        ("linear_backward", lambda g, c: (g @ c[1], g.T @ c[0], g.mean(0)), "grad_b_2"),
        ("linear_backward", lambda g, c: (g @ c[1] ** 2, g.T @ c[0], g.sum(0)), "grad_h_1"),
    ],
)
def test_the_verification_does_not_share_the_errors_of_the_package(monkeypatch, name, wrong, entry):
    monkeypatch.setattr(F, name, wrong)
    text = dumps(example())
    with pytest.raises(TraceError) as caught:
        loads(text)
    assert caught.value.name == entry


def test_numbers_that_overflow_in_the_verification_are_wrong():
    lines = records(example())
    lines[3]["value"] = [[1e308, 1e308]] * 3
    assert refused(lines).name == "a_1"
    lines = records(example())
    lines[1]["value"] = [[1e200, -1e200]] * 3
    lines[3]["value"] = [[1e200, 1e200]] * 3
    assert refused(lines).name == "a_1"
    lines = records(example())
    lines[2]["value"] = [[1e200, 1e200]] * 3
    assert refused(lines).name == "J"


# --- the header ------------------------------------------------------------------------------

LAYER = {"in_features": 2, "out_features": 3, "bias": True, "activation": "tanh"}
LAST = {"in_features": 3, "out_features": 2, "bias": True, "activation": "identity"}
HEADERS = [
    ("format", "trace", '"bpref.trace"'),
    ("version", 2, "1"),
    ("version", True, "1"),
    ("version", 1.0, "1"),
    ("bpref", 1, "a str"),
    ("dtype", "float16", "one of ['float32', 'float64']"),
    ("dtype", [], "one of ['float32', 'float64']"),
    ("batch", 0, "an int of at least 1"),
    ("batch", 3.0, "an int of at least 1"),
    ("batch", True, "an int of at least 1"),
    ("loss", "l1_loss", f"one of {LOSSES}"),
    ("loss", {}, f"one of {LOSSES}"),
    ("lr", -0.5, "a float of at least 0"),
    ("lr", 1, "a float of at least 0"),
    ("lr", math.nan, "a float of at least 0"),
    ("lr", math.inf, "a float of at least 0"),
    ("lr", None, "a float of at least 0"),
    ("layers", [], "layers that fit each other"),
    ("layers", {}, "layers that fit each other"),
    ("layers", 3, "layers that fit each other"),
    ("layers", [LAYER, LAYER], "layers that fit each other"),
    ("layers", [LAYER, None], "layers that fit each other"),
    ("layers", [LAYER, {**LAST, "bias": 1}], "layers that fit each other"),
    ("layers", [{**LAYER, "in_features": 0}, LAST], "layers that fit each other"),
    ("layers", [LAYER, {**LAST, "out_features": 2.0}], "layers that fit each other"),
    ("layers", [{**LAYER, "activation": "gelu"}, LAST], "layers that fit each other"),
    ("layers", [{**LAYER, "activation": []}, LAST], "layers that fit each other"),
    ("layers", [{**LAYER, "negative_slope": 0.1}, LAST], "layers that fit each other"),
    ("layers", [{**LAYER, "activation": "leaky_relu"}, LAST], "layers that fit each other"),
    (
        "layers",
        [{**LAYER, "activation": "leaky_relu", "negative_slope": 1}, LAST],
        "layers that fit each other",
    ),
    (
        "layers",
        [{**LAYER, "activation": "leaky_relu", "negative_slope": math.nan}, LAST],
        "layers that fit each other",
    ),
    (
        "layers",
        [{k: v for k, v in LAYER.items() if k != "bias"}, LAST],
        "layers that fit each other",
    ),
]


@pytest.mark.parametrize(("key", "value", "expected"), HEADERS)
def test_a_header_that_makes_no_sense_is_refused(key, value, expected):
    lines = records(example())
    lines[0][key] = value
    error = refused(lines)
    assert (error.line, error.name, error.index) == (1, "header", None)
    assert error.expected == f"{key}: {expected}"
    written = json.dumps(value)
    assert error.found == repr(written if len(written) <= 60 else written[:57] + "...")


@pytest.mark.parametrize(
    ("edit", "name"),
    [
        (lambda h: h.update(lr=0.25), "new_W_1"),
        (lambda h: h.update(loss="mse_loss"), "J"),
        (lambda h: h.update(loss="cross_entropy"), "y"),
        (lambda h: h.update(batch=2), "x"),
        (lambda h: h.update(dtype="float32"), "x"),
        (lambda h: h["layers"][0].update(activation="relu"), "h_1"),
        (lambda h: h["layers"][0].update(bias=False), "W_2"),
        (lambda h: h["layers"][1].update(bias=False), "a_1"),
        (lambda h: h["layers"][0].update(in_features=3), "x"),
        (lambda h: h["layers"][1].update(out_features=3), "y"),
        (lambda h: h.update(layers=[LAST]), "x"),
    ],
)
def test_another_header_shows_in_the_first_entry_that_does_not_fit(edit, name):
    lines = records(example())
    edit(lines[0])
    assert refused(lines).name == name


def test_another_slope_of_leaky_relu_shows():
    lines = records(example(activations=("leaky_relu", None)))
    lines[0]["layers"][0]["negative_slope"] = 0.3
    assert refused(lines).name == "h_1"


def test_the_fields_of_the_header():
    fields = ["format", "version", "bpref", "dtype", "batch", "loss", "lr", "layers"]
    for edit in (lambda h: h.pop("lr"), lambda h: h.update(note="")):
        lines = records(example())
        edit(lines[0])
        error = refused(lines)
        assert (error.line, error.name, error.expected) == (1, "header", f"the fields {fields}")
        assert error.found == str(list(lines[0]))
    with pytest.raises(TraceError, match=r"^line 1, header: expected one JSON object, got ''$"):
        loads("")


def test_errors_can_be_pickled():
    for error in (refused(records(example())[:5]), TraceError(3, "a_1", "0.5", "0.6", (0, 1))):
        again = pickle.loads(pickle.dumps(error))
        assert str(again) == str(error)
        assert (again.line, again.name, again.index) == (error.line, error.name, error.index)
        assert isinstance(error, ValueError)
    assert str(error) == "line 3, a_1[0, 1]: expected 0.5, got 0.6"


# --- formulas --------------------------------------------------------------------------------


def test_every_formula_is_used_and_no_other():
    used = set()
    for loss in LOSSES:
        for activation in ACTIVATIONS:
            used |= {e.formula for e in example(loss=loss, activations=(activation, None)).entries}
    model = build(0, [2, 2], [None], [False], "float64")
    used |= {e.formula for e in trace_training_step(model, *[np.ones((1, 2))] * 2).entries}
    assert used - {"given"} == set(FORMULAS)


@pytest.mark.parametrize("name", FORMULAS)
def test_a_formula_names_its_arguments_and_a_heading_that_exists(name):
    formula = FORMULAS[name]
    in_text = {field for _, field, _, _ in string.Formatter().parse(formula.text) if field}
    arguments = set(inspect.signature(formula.compute).parameters)
    local = {"a", "h"} if name in {f"{a}_backward" for a in ACTIVATIONS} else set()
    assert "out" in in_text
    assert in_text - {"out"} <= arguments <= in_text | local | {"lr"}
    page, heading = formula.page.split("#")
    for lang in ("en", "zh"):
        assert f"{{ #{heading} }}" in (DOCS / lang / page).read_text(encoding="utf-8")


def test_names_of_formulas_are_names_of_functions():
    own = {"linear_without_bias", "sgd_step"} | {
        f"linear_backward_{part}" for part in ("input", "weight", "bias")
    }
    assert all(hasattr(F, name) for name in set(FORMULAS) - own)


# --- errors of the recording -----------------------------------------------------------------

X, Y = np.ones((3, 2)), np.ones((3, 2))
NET = nn.MLP([2, 3, 2], "tanh", generator=np.random.default_rng(0))


class Doubled(nn.Linear):
    """A subclass that computes something else."""

    def forward(self, input):
        return 2 * super().forward(input)


def shared():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    return model


def step(model=NET, x=X, y=Y, **kwargs):
    return lambda: trace_training_step(model, x, y, **kwargs)


KNOWN = "Linear, Identity, Sigmoid, Tanh, ReLU, LeakyReLU"
ERRORS = {
    "no Sequential": (
        step(nn.Linear(2, 2)),
        TypeError,
        "model: expected a bpref.nn.Sequential, got Linear",
    ),
    "nested": (
        step(nn.Sequential(nn.Sequential(nn.Linear(2, 2)))),
        TypeError,
        f"model[0]: expected one of {KNOWN}, got Sequential",
    ),
    "subclass": (
        step(nn.Sequential(nn.Linear(2, 2), Doubled(2, 2))),
        TypeError,
        f"model[1]: expected one of {KNOWN}, got Doubled",
    ),
    "activation first": (
        step(nn.Sequential(nn.Tanh(), nn.Linear(2, 2))),
        ValueError,
        "model[0]: expected a Linear right before Tanh",
    ),
    "two activations": (
        step(nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.ReLU())),
        ValueError,
        "model[2]: expected a Linear right before ReLU",
    ),
    "empty": (step(nn.Sequential()), ValueError, "model: expected at least one Linear, got none"),
    "shared": (
        step(shared()),
        ValueError,
        "model: expected each parameter once, got one of them twice",
    ),
    "loss": (
        step(loss="l1_loss"),
        ValueError,
        f"loss: expected one of {tuple(LOSSES)}, got 'l1_loss'",
    ),
    "lr": (step(lr="1"), TypeError, "lr: expected a number, got str"),
    "negative lr": (step(lr=-1), ValueError, "lr: expected at least 0.0, got -1"),
    "x int": (step(x=X.astype(int)), TypeError, "x: expected dtype float32 or float64, got int64"),
    "x shape": (step(x=np.ones((3, 4))), ValueError, "x: expected shape (N, 2), got (3, 4)"),
    "x vector": (step(x=np.ones(2)), ValueError, "x: expected shape (N, 2), got (2,)"),
    "x empty": (step(x=X[:0], y=Y[:0]), ValueError, "x: expected at least one sample, got none"),
    "x nan": (
        step(x=np.array([[0.0, 0.0], [0.0, np.nan]]), y=np.ones((2, 2))),
        ValueError,
        "x: expected finite values, got nan at index (1, 1)",
    ),
    "x float32": (
        step(x=X.astype("f4"), y=Y.astype("f4")),
        TypeError,
        "weight: expected dtype float32 as of input, got float64",
    ),
    "y shape": (step(y=np.ones((3, 1))), ValueError, "y: expected shape (3, 2), got (3, 1)"),
    "y float32": (
        step(y=Y.astype("f4")),
        TypeError,
        "y: expected dtype float64 as of x, got float32",
    ),
    "y probability": (
        step(y=2 * Y, loss="binary_cross_entropy_with_logits"),
        ValueError,
        "y: expected values from 0 to 1, got 2.0 at index (0, 0)",
    ),
    "y label": (
        step(y=np.array([0, 1, 2]), loss="cross_entropy"),
        ValueError,
        "y: expected labels from 0 to 1, got 2 at index (2,)",
    ),
    "y ignored label": (
        step(y=np.array([0, -100, 1]), loss="cross_entropy"),
        ValueError,
        "y: expected labels from 0 to 1, got -100 at index (1,)",
    ),
    "y float label": (
        step(loss="cross_entropy"),
        TypeError,
        "y: expected an integer dtype, got float64",
    ),
    "y labels of another shape": (
        step(y=np.array([[0, 1]]), loss="cross_entropy"),
        ValueError,
        "y: expected shape (3,), got (1, 2)",
    ),
    "overflow": (
        step(x=1e200 * X, y=1e200 * Y),
        ValueError,
        "J: expected finite values, got inf at index ()",
    ),
    "text": (lambda: loads(3), TypeError, "text: expected a str or bytes, got int"),
}


@pytest.mark.parametrize(("call", "error", "message"), ERRORS.values(), ids=ERRORS)
def test_errors_say_what_was_expected_and_what_came(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) is error
    assert str(caught.value) == message


# --- reading with one's own eyes -------------------------------------------------------------


def test_explain_shows_every_entry_with_its_formula():
    model = build(0, [1, 1, 1], ["leaky_relu", "sigmoid"], [True, False], "float64")
    model[0].weight.data, model[0].bias.data = np.array([[2.0]]), np.array([-1.0])
    model[2].weight.data = np.array([[-0.5]])
    step = trace_training_step(model, np.array([[0.25]]), np.array([[0.5]]), lr=0.1)
    lines = explain(step).splitlines()
    assert lines[0] == "half_mse_loss, η = 0.1, N = 1, layers: 2, float64"
    assert lines[1:3] == ["x  input, shape (1, 1)", "    [[0.25]]"]
    formulas = [line.strip() for line in lines if "=" in line][1:]
    assert formulas == [
        "a_1 = x W_1ᵀ + b_1",
        "h_1 = a_1 where a_1 > 0, else 0.2 a_1",
        "a_2 = h_1 W_2ᵀ",
        "h_2 = 1 / (1 + exp(−a_2))",
        "J = 1/(2N) Σ (h_2 − y)²",
        "∂J/∂h_2 = (h_2 − y) / N",
        "δ_2 = ∂J/∂h_2 ⊙ h_2 ⊙ (1 − h_2)",
        "∂J/∂W_2 = δ_2ᵀ h_1",
        "∂J/∂h_1 = δ_2 W_2",
        "δ_1 = ∂J/∂h_1 where a_1 > 0, else 0.2 ∂J/∂h_1",
        "∂J/∂W_1 = δ_1ᵀ x",
        "∂J/∂b_1 = δ_1ᵀ 1",
        "W_1′ = W_1 − η ∂J/∂W_1",
        "b_1′ = b_1 − η ∂J/∂b_1",
        "W_2′ = W_2 − η ∂J/∂W_2",
    ]
    headings = [line for line in lines[1:] if not line.startswith(" ")]
    assert len(headings) == len(step.entries)
    assert headings[11] == "δ_2  delta, shape (1, 1)"
    assert lines[lines.index("h_1  activation, shape (1, 1)") + 2] == "    [[-0.1]]"


def test_what_a_trace_is_made_of():
    step = example()
    assert isinstance(step, Trace)
    assert isinstance(step.entries, tuple)
    assert all(isinstance(entry, Entry) for entry in step.entries)
    assert set(trace.__all__) >= {"trace_training_step", "save", "load", "TraceError", "explain"}
