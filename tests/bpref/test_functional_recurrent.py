"""rnn, lstm and gru beyond the registry's tests: by hand, truncation, lengths, padding, caches."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest
import torch
from strategies import assert_like_torch, normal

import bpref.functional as F
from bpref.cost import measure, operator_cost
from bpref.fast import recurrent as fast
from bpref.functional._recurrent import in_reading_order
from bpref.ops import OPERATORS, Sample

GATES = {"rnn": 1, "lstm": 4, "gru": 3}
PAIRS = {
    "rnn": (F.rnn, F.rnn_backward),
    "lstm": (F.lstm, F.lstm_backward),
    "gru": (F.gru, F.gru_backward),
    "lstm-fast": (fast.lstm, fast.lstm_backward),
}
every = pytest.mark.parametrize(("name", "pair"), PAIRS.items(), ids=PAIRS)


def arrays(name, T=4, N=3, D=2, H=2, dtype=np.float64, seed=0):
    """The arguments of a layer by name, biases included."""
    rows = GATES[name.split("-")[0]] * H
    shapes = {"input": (T, N, D), "h_0": (N, H), "c_0": (N, H)}
    shapes |= {"weight_ih": (rows, D), "weight_hh": (rows, H)}
    shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
    if not name.startswith("lstm"):
        del shapes["c_0"]
    return {key: normal(seed + i, *s, dtype=dtype) for i, (key, s) in enumerate(shapes.items())}


def gradients_for(outputs, seed=50):
    return tuple(normal(seed + i, *o.shape, dtype=o.dtype) for i, o in enumerate(outputs))


def both(pair, **arguments):
    """Outputs and gradients."""
    outputs, cache = pair[0](**arguments)
    return outputs, pair[1](gradients_for(outputs), cache)


def assert_equal(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-14)


def sigmoid(a):
    return 1 / (1 + math.exp(-a))


def test_rnn_by_hand():
    x, W_ih, W_hh = np.array([[[2.0]], [[3.0]]]), np.array([[0.5]]), np.array([[-1.0]])
    b_ih, b_hh = np.array([0.25]), np.array([0.125])
    (output, h_n), cache = F.rnn(x, np.array([[0.75]]), W_ih, W_hh, b_ih, b_hh)
    h_1 = math.tanh(0.5 * 2 - 0.75 + 0.375)
    h_2 = math.tanh(0.5 * 3 - h_1 + 0.375)
    np.testing.assert_allclose(output.ravel(), [h_1, h_2], rtol=1e-15)
    np.testing.assert_allclose(h_n, [[h_2]], rtol=1e-15)
    delta_2 = 10 * (1 - h_2**2)
    delta_1 = -delta_2 * (1 - h_1**2)
    found = F.rnn_backward((None, np.array([[10.0]])), cache)
    expected = [
        [0.5 * delta_1, 0.5 * delta_2],
        [-delta_1],
        [2 * delta_1 + 3 * delta_2],
        [0.75 * delta_1 + h_1 * delta_2],
        [delta_1 + delta_2],
        [delta_1 + delta_2],
    ]
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours.ravel(), theirs, rtol=1e-14)


@pytest.mark.parametrize("op", [F.lstm, fast.lstm])
def test_lstm_by_hand(op):
    x, h_0, c_0 = np.array([[[2.0]]]), np.array([[0.5]]), np.array([[3.0]])
    W_ih, W_hh = np.array([[0.1], [0.2], [0.3], [0.4]]), np.array([[1.0], [2.0], [3.0], [4.0]])
    (output, h_n, c_n), _ = op(x, h_0, c_0, W_ih, W_hh)
    i, f, g, o = sigmoid(0.7), sigmoid(1.4), math.tanh(2.1), sigmoid(2.8)
    c = f * 3 + i * g
    np.testing.assert_allclose(c_n, [[c]], rtol=1e-15)
    np.testing.assert_allclose(h_n, [[o * math.tanh(c)]], rtol=1e-15)
    np.testing.assert_array_equal(output[0], h_n)


def test_gru_by_hand():
    x, h_0 = np.array([[[2.0]]]), np.array([[0.5]])
    W_ih, W_hh = np.array([[0.1], [0.2], [0.3]]), np.array([[1.0], [2.0], [3.0]])
    b_ih, b_hh = np.array([0.25, 0.5, 0.75]), np.array([0.125, 0.375, 0.625])
    (output, h_n), _ = F.gru(x, h_0, W_ih, W_hh, b_ih, b_hh)
    r, z = sigmoid(0.7 + 0.375), sigmoid(1.4 + 0.875)
    n = math.tanh(0.6 + 0.75 + r * (1.5 + 0.625))
    np.testing.assert_allclose(h_n, [[(1 - z) * n + z * 0.5]], rtol=1e-15)
    np.testing.assert_array_equal(output[0], h_n)


@every
def test_names_and_defaults(name, pair):
    states = ["h_0", "c_0"] if name.startswith("lstm") else ["h_0"]
    options = {"nonlinearity": "tanh"} if name == "rnn" else {}
    options |= {"lengths": None, "truncation": None, "reverse": False}
    expected = ["input", *states, "weight_ih", "weight_hh", "bias_ih", "bias_hh", *options]
    found = inspect.signature(pair[0]).parameters
    assert list(found) == expected
    defaults = {n: p.default for n, p in found.items() if p.default is not inspect.Parameter.empty}
    assert defaults == {"bias_ih": None, "bias_hh": None, **options}


def torch_steps(name, nonlinearity, lengths, truncation, reverse, **arguments):
    """One sequence after the other, step by step, with a detach after every few steps."""
    t = {k: torch.from_numpy(v).requires_grad_() for k, v in arguments.items()}
    T, N, _ = t["input"].shape
    cell = {
        "rnn": torch.rnn_relu_cell if nonlinearity == "relu" else torch.rnn_tanh_cell,
        "lstm": torch.lstm_cell,
        "gru": torch.gru_cell,
    }[name]
    weights = [t[k] for k in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    names = [k for k in ("h_0", "c_0") if k in t]
    output, final = torch.zeros(T, N, t["h_0"].shape[1], dtype=torch.float64), []
    for n in range(N):
        state = [t[k][n : n + 1] for k in names]
        steps = list(range(lengths[n]))
        for count, step in enumerate(reversed(steps) if reverse else steps):
            if truncation is not None and count > 0 and count % truncation == 0:
                state = [s.detach() for s in state]
            hx = tuple(state) if len(state) > 1 else state[0]
            new = cell(t["input"][step, n : n + 1], hx, *weights)
            state = list(new) if isinstance(new, tuple) else [new]
            output[step, n] = state[0][0]
        final.append(state)
    return t, (output, *(torch.cat(s) for s in zip(*final, strict=True)))


@every
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [None, [7, 1, 4]])
@pytest.mark.parametrize("truncation", [1, 2, 3, 6, 7, 100, None])
def test_truncation_like_torch_with_detach(name, pair, truncation, lengths, reverse):
    for nonlinearity in ("tanh", "relu") if name == "rnn" else ("",):
        arguments = arrays(name, T=7)
        options = {"lengths": lengths, "truncation": truncation, "reverse": reverse}
        if nonlinearity:
            options["nonlinearity"] = nonlinearity
        outputs, gradients = both(pair, **arguments, **options)
        t, expected = torch_steps(
            name.split("-")[0],
            nonlinearity,
            lengths or [7, 7, 7],
            truncation,
            reverse,
            **arguments,
        )
        for ours, theirs in zip(outputs, expected, strict=True):
            assert_like_torch(ours, theirs)
        total = sum(
            (e * torch.from_numpy(g)).sum()
            for e, g in zip(expected, gradients_for(outputs), strict=True)
        )
        total.backward()
        for ours, theirs in zip(gradients, t.values(), strict=True):
            assert_like_torch(ours, theirs.grad)


@every
def test_truncation_stops_the_gradient_and_nothing_else(name, pair):
    arguments = arrays(name, T=6)
    outputs, cache = pair[0](**arguments, truncation=3)
    assert_equal(outputs, pair[0](**arguments)[0])
    last = np.zeros_like(outputs[0])
    last[5] = 1.0
    grad_input, grad_h_0, *_ = pair[1]((last, *([None] * (len(outputs) - 1))), cache)
    assert not grad_input[:3].any()
    assert not grad_h_0.any()
    assert all(grad_input[t].any() for t in (3, 4, 5))


@every
def test_no_loop_is_shorter_than_its_chunk(name, pair):
    arguments = arrays(name)
    assert_equal(both(pair, **arguments, truncation=4)[1], both(pair, **arguments)[1])


@every
@pytest.mark.parametrize("reverse", [False, True])
def test_padding_is_not_looked_at(name, pair, reverse):
    lengths = np.array([4, 1, 2])
    arguments = arrays(name)
    outputs, gradients = both(pair, **arguments, lengths=lengths, reverse=reverse)
    behind = np.arange(4)[:, None] >= lengths
    assert not outputs[0][behind].any()
    assert not gradients[0][behind].any()
    assert outputs[0][~behind].all()
    arguments["input"][behind] = np.nan
    again, gradients_again = both(pair, **arguments, lengths=lengths, reverse=reverse)
    assert_equal(again, outputs)
    assert_equal(gradients_again, gradients)


@every
@pytest.mark.parametrize("reverse", [False, True])
def test_lengths_like_each_sequence_alone(name, pair, reverse):
    arguments = arrays(name)
    outputs, _ = pair[0](**arguments, lengths=[3, 4, 1], reverse=reverse)
    for n, length in enumerate([3, 4, 1]):
        one = {k: v[n : n + 1] if k in ("h_0", "c_0") else v for k, v in arguments.items()}
        one["input"] = arguments["input"][:length, n : n + 1]
        alone, _ = pair[0](**one, reverse=reverse)
        assert_equal([outputs[0][:length, n : n + 1]], [alone[0]])
        assert_equal([state[n : n + 1] for state in outputs[1:]], alone[1:])


@every
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64])
def test_lengths_of_any_integer_dtype(name, pair, dtype):
    arguments, lengths = arrays(name), np.array([3, 4, 1])
    expected = both(pair, **arguments, lengths=lengths, reverse=True)
    found = both(pair, **arguments, lengths=lengths.astype(dtype), reverse=True)
    assert_equal(found[0], expected[0])
    assert_equal(found[1], expected[1])


@every
def test_full_lengths_are_the_default(name, pair):
    arguments = arrays(name)
    expected = both(pair, **arguments)
    found = both(pair, **arguments, lengths=np.array([4, 4, 4]))
    for ours, theirs in zip(found[0] + found[1], expected[0] + expected[1], strict=True):
        np.testing.assert_array_equal(ours, theirs)


@every
def test_reverse_reads_the_flipped_sequence(name, pair):
    arguments = arrays(name)
    outputs, _ = pair[0](**arguments, reverse=True)
    arguments["input"] = arguments["input"][::-1]
    flipped, _ = pair[0](**arguments)
    assert_equal([outputs[0][::-1], *outputs[1:]], flipped)


@every
def test_none_is_a_gradient_of_zero(name, pair):
    outputs, cache = pair[0](**arrays(name), lengths=[4, 2, 3])
    grads = gradients_for(outputs)
    for index, grad in enumerate(grads):
        zeros = [np.zeros_like(g) for g in grads]
        zeros[index] = grad
        nones = [None] * len(grads)
        nones[index] = grad
        for ours, theirs in zip(pair[1](nones, cache), pair[1](zeros, cache), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert not any(g.any() for g in pair[1]([None] * len(grads), cache))


@every
def test_one_bias_of_two(name, pair):
    for missing in ("bias_ih", "bias_hh"):
        arguments = arrays(name)
        zero = {**arguments, missing: np.zeros_like(arguments[missing])}
        del arguments[missing]
        (found, gradients), (expected, _) = both(pair, **arguments), both(pair, **zero)
        assert_equal(found, expected)
        assert [g is None for g in gradients[-2:]] == [missing == "bias_ih", missing == "bias_hh"]


@every
def test_results_are_separate_arrays(name, pair):
    arguments = arrays(name, T=2)
    outputs, cache = pair[0](**arguments)
    grads = gradients_for(outputs)
    expected = [g.copy() for g in pair[1](grads, cache)]
    for state in outputs[1:]:  # as someone does who starts the next batch at zero
        assert not np.shares_memory(state, outputs[0])
        state[...] = 0.0
    gradients = pair[1](grads, cache)
    assert_equal(gradients, expected)
    assert not np.shares_memory(gradients[-1], gradients[-2])


@every
def test_lengths_may_change_between_the_passes(name, pair):
    arguments, lengths = arrays(name), np.array([4, 2, 3])
    outputs, cache = pair[0](**arguments, lengths=lengths)
    grads = gradients_for(outputs)
    expected = pair[1](grads, cache)
    lengths[...] = 1
    assert_equal(pair[1](grads, cache), expected)


@pytest.mark.parametrize("name", GATES)
def test_the_cache_refers_to_the_callers_arrays(name):
    arguments = arrays(name)
    for reverse in (False, True):
        _, cache = PAIRS[name][0](**arguments, lengths=[4, 4, 4], reverse=reverse)
        assert np.shares_memory(cache[0], arguments["input"])
        assert any(part is arguments["weight_ih"] for part in cache)
        assert any(part is arguments["weight_hh"] for part in cache)


def test_relu_has_slope_zero_at_zero():
    zero = np.zeros((1, 1))
    (output, _), cache = F.rnn(np.zeros((1, 1, 1)), zero, zero + 1, zero + 1, nonlinearity="relu")
    assert output == 0.0
    assert not any(g.any() for g in F.rnn_backward((output + 1, zero + 1), cache)[:-2])


def test_relu_does_not_overflow_in_the_padding():
    x = np.ones((60, 2, 1), np.float32)
    weight = np.array([[10.0]], np.float32)
    h_0 = np.zeros((2, 1), np.float32)
    (output, h_n), cache = F.rnn(x, h_0, weight, weight, nonlinearity="relu", lengths=[1, 2])
    np.testing.assert_array_equal(h_n.ravel(), [10.0, 110.0])
    states = cache[1][:, :, 0]
    assert not states[2:, 0].any()
    assert not states[3:, 1].any()
    gradients = F.rnn_backward((output, h_n), cache)
    assert all(np.isfinite(g).all() for g in gradients if g is not None)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every
def test_saturated_gates(name, pair, dtype):
    """Everything at ±1e4: states at ±1, gradients of gates at zero, no overflow, no warning."""
    arguments = arrays(name, T=3, dtype=dtype)
    for array in arguments.values():
        array[...] = np.where(array < 0, -1e4, 1e4)
    outputs, gradients = both(pair, **arguments)
    assert all(np.isfinite(a).all() for a in (*outputs, *gradients))
    assert all(a.dtype == dtype for a in (*outputs, *gradients))
    if name != "gru":  # which may keep its initial state
        assert np.abs(outputs[0]).max() <= 1.0


@pytest.mark.parametrize("pair", [PAIRS["lstm"], PAIRS["lstm-fast"]])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_small_sigmoids_keep_their_digits(pair, dtype):
    """σ(−20) is 2e-9: not the difference of two numbers near 1/2."""
    zero, one = np.zeros((1, 1), dtype), np.ones((1, 1), dtype)
    weight = np.array([[20.0], [-20.0], [20.0], [20.0]], dtype)
    _, cache = pair[0](one[None], zero, one, weight, np.zeros_like(weight))
    gradients = pair[1]((None, None, one), cache)
    slope = math.exp(-20.0) / (1 + math.exp(-20.0)) ** 2
    np.testing.assert_allclose(gradients[2], [[sigmoid(-20.0)]], rtol=1e-6)  # ∂c_1/∂c_0 = f
    np.testing.assert_allclose(gradients[3][1], [slope], rtol=1e-6)


@pytest.mark.parametrize("truncation", [None, 1, 2, 4, 5, 9])
@pytest.mark.parametrize("name", GATES)
def test_cost_with_truncation(name, truncation):
    """The registry's samples leave it out where they are compared with central differences."""
    for nonlinearity in ("tanh", "relu") if name == "rnn" else ("",):
        options = {"nonlinearity": nonlinearity} if nonlinearity else {}
        sample = Sample(arrays(name, T=5), {"truncation": truncation, **options})
        arguments = OPERATORS[name].arguments(sample)
        assert operator_cost(name, **arguments) == measure(name, sample)


def test_reading_order_undoes_itself():
    x, lengths = normal(0, 4, 3, 2), np.array([4, 1, 3])
    padded = in_reading_order(x, lengths, reverse=False)
    np.testing.assert_array_equal(padded[:3, 2], x[:3, 2])
    assert not padded[3, 2].any()
    there = in_reading_order(x, lengths, reverse=True)
    np.testing.assert_array_equal(there[:, 0], x[::-1, 0])
    np.testing.assert_array_equal(in_reading_order(there, lengths, reverse=True), padded)
