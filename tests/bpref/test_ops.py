"""Every operator of the registry: central differences, PyTorch, memory layouts, cost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry import HypothesisDraw, assert_close, run, run_torch, tuples
from strategies import examples

import bpref.functional as F
from bpref.cost import measure, operator_cost
from bpref.gradcheck import check_gradients
from bpref.ops import OPERATORS, RandomDraw, Sample

every = pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS)
some = examples(25)
pairs = [(o, None) for o in OPERATORS.values()] + [
    (o, o.fast) for o in OPERATORS.values() if o.fast
]
every_pair = pytest.mark.parametrize(
    ("operator", "pair"), pairs, ids=[o.name + ("-fast" if pair else "") for o, pair in pairs]
)


@every_pair
@some
@given(st.data())
def test_backward_like_central_differences(operator, pair, data):
    sample = operator.sample(HypothesisDraw(data))
    forward = (pair or (operator.forward,))[0]
    _, grads, gradients = run(operator, sample, pair)

    def weighted_sum(**inputs):
        output, _ = forward(**operator.arguments(Sample(inputs, sample.options)))
        return sum(np.sum(g * o) for g, o in zip(tuples(grads), tuples(output), strict=True))

    report = check_gradients(weighted_sum, sample.inputs, gradients, rtol=1e-6)
    assert report.ok, str(report)


def assert_like_torch(operator, sample, pair, rtol):
    output, grads, gradients = run(operator, sample, pair)
    expected, expected_gradients = run_torch(operator, sample, grads)
    for ours, theirs in zip(tuples(output), tuples(expected), strict=True):
        assert_close(ours, theirs, rtol, "output")
    for name, gradient in gradients.items():
        assert_close(gradient, expected_gradients[name], rtol, f"gradient of {name}")


@every_pair
@pytest.mark.parametrize("values", ["smooth", "ties"])
@some
@given(data=st.data())
def test_like_torch(operator, pair, values, data):
    sample = operator.sample(HypothesisDraw(data, values=values))
    assert_like_torch(operator, sample, pair, 1e-10)


@every_pair
@some
@given(st.data())
def test_float32_like_torch(operator, pair, data):
    sample = operator.sample(HypothesisDraw(data, np.float32))
    assert_like_torch(operator, sample, pair, 1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("operator", "pair"),
    [(o, pair) for o, pair in pairs if o.extreme],
    ids=[o.name + ("-fast" if pair else "") for o, pair in pairs if o.extreme],
)
@some
@given(data=st.data())
def test_extreme_values_like_torch(operator, pair, dtype, data):
    """±1e4 without overflow, and so without a warning."""
    sample = operator.sample(HypothesisDraw(data, dtype, "extreme"))
    output, grads, gradients = run(operator, sample, pair)
    expected, expected_gradients = run_torch(operator, sample, grads)
    rtol = 1e-4 if dtype is np.float32 else 1e-10
    for ours, theirs in zip(tuples(output), tuples(expected), strict=True):
        assert_close(ours, theirs, rtol, "output")
    for name, gradient in gradients.items():
        assert_close(gradient, expected_gradients[name], rtol, f"gradient of {name}")


def layouts(array):
    """The same values in other memory layouts, all read-only."""
    if array.ndim == 0:
        return [array.copy()]
    wide = np.repeat(array, 2, axis=-1)[..., ::2]
    backwards = array[::-1].copy()[::-1]
    return [np.asfortranarray(array), wide, backwards]


@every_pair
@some
@given(st.data())
def test_any_memory_layout_and_nothing_is_modified(operator, pair, data):
    sample = operator.sample(HypothesisDraw(data))
    output, _, gradients = run(operator, sample, pair)
    for which in range(3):
        arrays = {k: layouts(v)[min(which, len(layouts(v)) - 1)] for k, v in sample.inputs.items()}
        options = {
            k: layouts(v)[-1] if isinstance(v, np.ndarray) else v for k, v in sample.options.items()
        }
        for array in [*arrays.values(), *options.values()]:
            if isinstance(array, np.ndarray):
                array.flags.writeable = False  # writing would raise
        again, _, gradients_again = run(operator, Sample(arrays, options), pair)
        for ours, theirs in zip(tuples(again), tuples(output), strict=True):
            assert_close(ours, np.asarray(theirs), 1e-12, "output")
        for name, gradient in gradients_again.items():
            assert_close(gradient, gradients[name], 1e-12, f"gradient of {name}")


@every_pair
def test_backward_does_not_modify_its_arguments(operator, pair):
    forward, backward = pair or (operator.forward, operator.backward)
    for seed in range(5):
        sample = operator.sample(RandomDraw(np.random.default_rng(seed)))
        _, grads, gradients = run(operator, sample, pair)
        for grad in tuples(grads):
            grad.flags.writeable = False
        _, cache = forward(**operator.arguments(sample))
        for _ in range(2):  # a second backward pass from the same cache gives the same
            again = operator.named_gradients(backward(grads, cache), sample)
            for name, gradient in again.items():
                np.testing.assert_array_equal(gradient, gradients[name])


@every
@some
@given(st.data())
def test_cost_rule_equals_counted_execution(operator, data):
    sample = operator.sample(HypothesisDraw(data))
    counted = measure(operator.name, sample)
    assert operator_cost(operator.name, **operator.arguments(sample)) == counted


@every
def test_wrong_grad_output_is_refused_by_name(operator):
    sample = operator.sample(RandomDraw(np.random.default_rng(0)))
    output, cache = operator.forward(**operator.arguments(sample))
    shape, dtype = np.shape(tuples(output)[0]), np.asarray(tuples(output)[0]).dtype
    others = tuple(np.zeros(np.shape(o), np.asarray(o).dtype) for o in tuples(output)[1:])
    for wrong, error in (
        (np.zeros((*shape, 7), dtype), ValueError),
        (np.zeros(shape or (1,), np.float16), TypeError),
    ):
        grad_output = (wrong, *others) if isinstance(output, tuple) else wrong
        with pytest.raises(error, match=r"^grad_output: expected (shape|dtype) .*, got "):
            operator.backward(grad_output, cache)


@every
def test_every_input_is_checked_by_name(operator):
    """An integer array in place of a float one, for each input in turn."""
    for seed in range(4):
        sample = operator.sample(RandomDraw(np.random.default_rng(seed)))
        for name, array in sample.inputs.items():
            inputs = {**sample.inputs, name: array.astype(np.int64)}
            shown = operator.variadic or name
            with pytest.raises(TypeError, match=rf"{shown}.*: expected dtype float.* got "):
                operator.forward(**operator.arguments(Sample(inputs, sample.options)))


def test_the_registry_is_complete():
    names = {name for name in F.__all__ if not name.endswith("_backward")}
    assert names == set(OPERATORS)


@every
def test_entry_is_complete(operator):
    assert operator.forward is getattr(F, operator.name)
    assert operator.backward is getattr(F, f"{operator.name}_backward")
    assert set(operator.rules) == set(operator.gradients)
    assert list(operator.shapes)[-1] == "output"
    assert set(operator.gradients) <= set(operator.shapes)
    assert operator.benchmark is not None
    assert operator.torch or operator.reference is not None
    assert set(operator.parameters) <= set(operator.shapes)
