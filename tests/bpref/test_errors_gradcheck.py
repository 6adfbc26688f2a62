"""Every refusal of the gradient check names the argument, what was expected and what came."""

import re

import numpy as np
import pytest
import torch

import bpref.functional as F
from bpref.gradcheck import (
    assert_backward,
    assert_gradients,
    check_backward,
    check_gradients,
    numerical_gradient,
)

X = np.ones((4, 3))
X32 = X.astype(np.float32)
INTS = X.astype(int)


def check(f=lambda x: np.sum(x), inputs=None, gradients=None, **options):
    one = {"x": np.ones(2)}
    return check_gradients(
        f, one if inputs is None else inputs, one if gradients is None else gradients, **options
    )


def pair(forward=F.tanh, backward=F.tanh_backward, inputs=None, options=None, **others):
    return check_backward(
        forward, backward, {"input": X} if inputs is None else inputs, options, **others
    )


def plain(forward=np.tanh, backward=lambda g, x: g, inputs=None, **others):
    return pair(forward, backward, inputs, backward_takes="inputs", **others)


def in_complex(f):
    return lambda: numerical_gradient(f, X, mode="complex")


# name: (call, error, message)
CASES = {
    "x dtype": (
        lambda: numerical_gradient(np.sum, X.astype(np.float16)),
        TypeError,
        "x: expected dtype float32 or float64, got float16",
    ),
    "float16 value": (
        lambda: numerical_gradient(lambda x: np.float16(1), X32),
        TypeError,
        "f: expected a float32 number, got float16",
    ),
    "a tensor with a graph": (
        lambda: check(f=lambda x: torch.ones((), requires_grad=True)),
        TypeError,
        "f: expected a NumPy array, got Tensor: Can't call numpy() on Tensor that requires grad. "
        "Use tensor.detach().numpy() instead.",
    ),
    "backward writes into the inputs": (
        lambda: plain(lambda x: x**2, lambda g, x: np.multiply(x, 2 * g, out=x)),
        ValueError,
        "backward: expected to leave inputs['input'] as it is, got other values: it writes into "
        "its arguments, or into arrays that share their memory",
    ),
    "float32 output": (
        lambda: plain(lambda x: np.tanh(x.astype(np.float32))),
        TypeError,
        "output: expected dtype float64 as of the inputs, got float32",
    ),
    "float32 value": (
        lambda: check(f=lambda x: np.sum(x).astype(np.float32)),
        TypeError,
        "f: expected a float64 number, got float32",
    ),
    "eps": (lambda: check(eps=-1.0), ValueError, "eps: expected a positive number, got -1.0"),
    "eps type": (lambda: check(eps="small"), TypeError, "eps: expected a number, got str"),
    "eps without effect": (
        lambda: numerical_gradient(np.sum, X, eps=1e-20),
        ValueError,
        "eps: expected a step that changes x[0, 0], got 1e-20",
    ),
    "rtol type": (lambda: check(rtol="1"), TypeError, "rtol: expected a number, got str"),
    "mode": (
        lambda: check(mode="forward"),
        ValueError,
        "mode: expected one of ('central', 'complex', 'directional'), got 'forward'",
    ),
    "mode of a gradient": (
        lambda: numerical_gradient(np.sum, X, mode="directional"),
        ValueError,
        "mode: expected one of ('central', 'complex'), got 'directional'",
    ),
    "max_elements": (
        lambda: check(max_elements=0),
        ValueError,
        "max_elements: expected at least 1, got 0",
    ),
    "max_elements type": (
        lambda: check(max_elements=2.0),
        TypeError,
        "max_elements: expected an int, got float",
    ),
    "directions": (
        lambda: check(directions=0),
        ValueError,
        "directions: expected at least 1, got 0",
    ),
    "generator": (
        lambda: check(generator=0),
        TypeError,
        "generator: expected a numpy.random.Generator, got int",
    ),
    "signs": (lambda: check(signs=X), TypeError, "signs: expected a callable, got ndarray"),
    "hints": (
        lambda: check(hints=[X]),
        TypeError,
        "hints: expected a mapping of names to arrays, got list",
    ),
    "a hint": (
        lambda: check(hints={"h": [[1.0], [1.0, 2.0]]}),
        TypeError,
        "hints['h']: expected a NumPy array, got list",
    ),
    "input dtype": (
        lambda: check(inputs={"x": np.ones(2, int)}, gradients={"x": np.ones(2, int)}),
        TypeError,
        "inputs['x']: expected dtype float32 or float64, got int64",
    ),
    "gradient dtype": (
        lambda: check(inputs={"x": np.ones(2, np.float32)}),
        TypeError,
        "gradients['x']: expected dtype float32 as of inputs['x'], got float64",
    ),
    "gradients mapping": (
        lambda: check(gradients=[1.0]),
        TypeError,
        "gradients: expected a mapping of names to arrays, got list",
    ),
    # complex steps
    "imaginary part dropped": (
        in_complex(lambda x: np.sum(np.abs(x))),
        TypeError,
        "f: expected a complex number for complex inputs, got float64: something in it drops the "
        "imaginary part, as abs and .real do; use mode='central'",
    ),
    "imaginary part cast away": (
        in_complex(lambda x: float(np.sum(x))),
        TypeError,
        "f: expected code that takes complex numbers, got ComplexWarning: Casting complex values "
        "to real discards the imaginary part; use mode='central'",
    ),
    "assignment to a real array": (
        in_complex(lambda x: np.sum(x) + _stored(x).sum()),
        TypeError,
        "f: expected code that takes complex numbers, got ComplexWarning",
    ),
    "complex refused": (
        in_complex(lambda x: F.mse_loss(x, X)[0]),
        TypeError,
        "f: expected code that takes complex numbers, got TypeError: input: expected dtype "
        "float32 or float64, got complex128; use mode='central'",
    ),
    "part of the derivative lost": (
        in_complex(lambda x: np.sum(x**2) + np.sum(np.abs(x))),
        ValueError,
        "from central differences along the same direction: abs, conj and norm lose derivatives, "
        "or there is a kink; use mode='central'",
    ),
    "conjugate": (
        in_complex(lambda x: np.vdot(x, x)),
        ValueError,
        "f: expected code that is analytic in complex numbers, got the derivative 0 from a "
        "complex step and",
    ),
    "complex vector": (
        lambda: numerical_gradient(lambda x: x[: 1 + np.iscomplexobj(x)], X[0], mode="complex"),
        ValueError,
        "f: expected one number, got an array of shape (2,)",
    ),
    "lost in a check": (
        lambda: check(f=lambda x: np.sum(x * np.abs(x)), mode="complex"),
        ValueError,
        "f: expected code that is analytic in complex numbers",
    ),
    # pairs
    "style": (
        lambda: pair(backward_takes="saved"),
        ValueError,
        "backward_takes: expected one of ('cache', 'inputs'), got 'saved'",
    ),
    "inputs mapping": (
        lambda: pair(inputs=[X]),
        TypeError,
        "inputs: expected a mapping of names to values, got list",
    ),
    "options mapping": (
        lambda: pair(options=[1]),
        TypeError,
        "options: expected a mapping of names to values, got list",
    ),
    "an input": (
        lambda: pair(inputs={"input": [[1.0], [1.0, 2.0]]}),
        TypeError,
        "inputs['input']: expected a NumPy array, got list",
    ),
    "no cache": (
        lambda: pair(forward=lambda input: np.tanh(input)),
        TypeError,
        "forward: expected (output, cache), got ndarray; "
        "without a cache, use backward_takes='inputs'",
    ),
    "three results": (
        lambda: pair(forward=lambda input: (input, input, input)),
        TypeError,
        "forward: expected (output, cache), got tuple",
    ),
    "output dtype": (
        lambda: plain(forward=lambda x: INTS),
        TypeError,
        "output: expected dtype float32 or float64, got int64",
    ),
    "output dtype in a nest": (
        lambda: plain(forward=lambda x: (x, (x, INTS))),
        TypeError,
        "output[1][1]: expected dtype float32 or float64, got int64",
    ),
    "pair generator": (
        lambda: plain(generator=1),
        TypeError,
        "generator: expected a numpy.random.Generator, got int",
    ),
    "too few gradients": (
        lambda: plain(lambda x, y: x * y, lambda g, x, y: g * y, {"x": X, "y": X}),
        ValueError,
        "backward: expected 2 gradients, one for each of ['x', 'y'], got 1",
    ),
    "too many gradients": (
        lambda: plain(backward=lambda g, x: (g, g)),
        ValueError,
        "backward: expected 1 gradients, one for each of ['input'], got 2",
    ),
    "gradient names": (
        lambda: plain(backward=lambda g, x: {"x": g}),
        ValueError,
        "backward: expected gradients for ['input'], got ['x']; "
        "None stands for an input without a gradient",
    ),
    "gradient shape": (
        lambda: plain(backward=lambda g, x: g.T),
        ValueError,
        "gradients['input']: expected shape (4, 3), got (3, 4)",
    ),
    "no gradient": (
        lambda: plain(backward=lambda g, x: None),
        ValueError,
        "gradients: expected at least one gradient, got none",
    ),
    "random forward": (
        lambda: plain(forward=lambda x: x + np.random.default_rng().normal()),
        ValueError,
        "f: expected the same value for the same inputs, got",
    ),
    "complex in a pair": (
        lambda: pair(mode="complex"),
        TypeError,
        "f: expected code that takes complex numbers, got TypeError: input: expected dtype",
    ),
    # assertions refuse bad input with the same errors
    "assert gradients": (
        lambda: assert_gradients(np.sum, {"x": X}, {}),
        ValueError,
        "gradients: expected at least one gradient, got none",
    ),
    "assert backward": (
        lambda: assert_backward(F.tanh, F.tanh_backward, [X]),
        TypeError,
        "inputs: expected a mapping of names to values, got list",
    ),
}


def _stored(x):
    buffer = np.zeros(3)
    buffer[:] = x[0]
    return buffer


@pytest.mark.parametrize(("call", "error", "message"), CASES.values(), ids=CASES)
def test_message(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()


def test_the_error_of_the_function_is_kept():
    with pytest.raises(TypeError) as raised:
        numerical_gradient(lambda x: F.mse_loss(x, X)[0], X, mode="complex")
    assert isinstance(raised.value.__cause__, TypeError)


def test_torch_tensors_without_a_graph_are_arrays():
    x = torch.ones(3, dtype=torch.float64)
    report = check_gradients(lambda x: float((x**2).sum()), {"x": x}, {"x": 2 * x})
    assert report.ok, str(report)
    with pytest.raises(TypeError, match=re.escape("gradients['x']: expected a NumPy array")):
        check_gradients(np.sum, {"x": x}, {"x": x.clone().requires_grad_()})
