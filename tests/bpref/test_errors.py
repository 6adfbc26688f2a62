"""Every refusal names the argument, what was expected and what came."""

import re

import numpy as np
import pytest
import torch

import bpref.functional as F
from bpref import init, nn, optim
from bpref.gradcheck import check_gradients, numerical_gradient

X = np.zeros((4, 3))
W = np.zeros((2, 3))
B = np.zeros(2)
Y = np.zeros((4, 3))
LABELS = np.zeros(4, dtype=int)
X32 = X.astype(np.float32)
INTS = X.astype(int)


def backward(op, *arguments, **options):
    """Return op's backward function with the cache of one forward pass."""
    _, cache = op(*arguments, **options)
    return lambda grad_output: getattr(F, op.__name__ + "_backward")(grad_output, cache)


def sgd(**kwargs):
    return optim.SGD([nn.Parameter(B)], **kwargs)


def check(f=lambda x: np.sum(x), inputs=None, gradients=None, **kwargs):
    one = {"x": np.ones(2)}
    return check_gradients(
        f, one if inputs is None else inputs, one if gradients is None else gradients, **kwargs
    )


# name: (call, error, message)
CASES = {
    # linear
    "linear int input": (
        lambda: F.linear(INTS, W),
        TypeError,
        "input: expected dtype float32 or float64, got int64",
    ),
    "linear bool weight": (
        lambda: F.linear(X, W.astype(bool)),
        TypeError,
        "weight: expected dtype float32 or float64, got bool",
    ),
    "linear float16": (
        lambda: F.linear(X.astype(np.float16), W),
        TypeError,
        "input: expected dtype float32 or float64, got float16",
    ),
    "linear complex": (
        lambda: F.linear(X, W, B.astype(complex)),
        TypeError,
        "bias: expected dtype float32 or float64, got complex128",
    ),
    "linear mixed": (
        lambda: F.linear(X, W.astype(np.float32)),
        TypeError,
        "weight: expected dtype float64 as of input, got float32",
    ),
    "linear text": (
        lambda: F.linear("x", W),
        TypeError,
        "input: expected dtype float32 or float64, got <U1",
    ),
    "linear none": (
        lambda: F.linear(None, W),
        TypeError,
        "input: expected dtype float32 or float64, got object",
    ),
    "linear transposed": (
        lambda: F.linear(X, W.T),
        ValueError,
        "weight: expected shape (out_features, 3), got (3, 2)",
    ),
    "linear vector weight": (
        lambda: F.linear(X, B),
        ValueError,
        "weight: expected shape (out_features, 3), got (2,)",
    ),
    "linear bias": (
        lambda: F.linear(X, W, np.zeros(3)),
        ValueError,
        "bias: expected shape (2,), got (3,)",
    ),
    "linear bias row": (
        lambda: F.linear(X, W, np.zeros((1, 2))),
        ValueError,
        "bias: expected shape (2,), got (1, 2)",
    ),
    "linear scalar": (
        lambda: F.linear(np.array(1.0), W),
        ValueError,
        "input: expected shape (..., in_features), got ()",
    ),
    "linear no features": (
        lambda: F.linear(X, np.zeros((0, 3))),
        ValueError,
        "weight: expected at least one feature each way, got (0, 3)",
    ),
    "linear grad shape": (
        lambda: backward(F.linear, X, W)(np.zeros((4, 3))),
        ValueError,
        "grad_output: expected shape (4, 2), got (4, 3)",
    ),
    "linear grad scalar": (
        lambda: backward(F.linear, X, W)(1.0),
        ValueError,
        "grad_output: expected shape (4, 2), got ()",
    ),
    "linear grad dtype": (
        lambda: backward(F.linear, X32, W.astype(np.float32))(np.zeros((4, 2))),
        TypeError,
        "grad_output: expected dtype float32 as of the output, got float64",
    ),
    # activations
    **{
        f"{op.__name__} {what}": case
        for op in (F.identity, F.sigmoid, F.tanh, F.relu, F.leaky_relu)
        for what, case in {
            "int": (
                lambda op=op: op(INTS),
                TypeError,
                "input: expected dtype float32 or float64, got int64",
            ),
            "grad shape": (
                lambda op=op: backward(op, X)(np.zeros(3)),
                ValueError,
                "grad_output: expected shape (4, 3), got (3,)",
            ),
            "grad dtype": (
                lambda op=op: backward(op, X)(X32),
                TypeError,
                "grad_output: expected dtype float64 as of the output, got float32",
            ),
        }.items()
    },
    "slope text": (
        lambda: F.leaky_relu(X, "0.1"),
        TypeError,
        "negative_slope: expected a number, got str",
    ),
    "slope nan": (
        lambda: F.leaky_relu(X, float("nan")),
        ValueError,
        "negative_slope: expected a finite number, got nan",
    ),
    # losses
    **{
        f"{op.__name__} {what}": case
        for op in (F.mse_loss, F.half_mse_loss, F.binary_cross_entropy_with_logits)
        for what, case in {
            "int target": (
                lambda op=op: op(X, INTS),
                TypeError,
                "target: expected dtype float32 or float64, got int64",
            ),
            "mixed": (
                lambda op=op: op(X32, Y),
                TypeError,
                "target: expected dtype float32 as of input, got float64",
            ),
            "no broadcast": (
                lambda op=op: op(X[:, :1], np.zeros(4)),
                ValueError,
                "target: expected shape (4, 1), got (4,)",
            ),
            "reduction": (
                lambda op=op: op(X, Y, reduction="average"),
                ValueError,
                "reduction: expected one of ('none', 'mean', 'sum'), got 'average'",
            ),
            "grad of a scalar": (
                lambda op=op: backward(op, X, Y)(X),
                ValueError,
                "grad_output: expected shape (), got (4, 3)",
            ),
        }.items()
    },
    "half mse scalar": (
        lambda: F.half_mse_loss(np.array(1.0), np.array(1.0)),
        ValueError,
        "input: expected shape (N, ...), got ()",
    ),
    "half mse grad": (
        lambda: backward(F.half_mse_loss, X, Y, reduction="none")(X),
        ValueError,
        "grad_output: expected shape (4,), got (4, 3)",
    ),
    "bce label above": (
        lambda: F.binary_cross_entropy_with_logits(X, Y + 2.0),
        ValueError,
        "target: expected values from 0 to 1, got 2.0 at index (0, 0)",
    ),
    "bce label scalar": (
        lambda: F.binary_cross_entropy_with_logits(np.array(0.0), np.array(-1.0)),
        ValueError,
        "target: expected values from 0 to 1, got -1.0 at index ()",
    ),
    "bce label nan": (
        lambda: F.binary_cross_entropy_with_logits(B, np.array([0.0, np.nan])),
        ValueError,
        "target: expected values from 0 to 1, got nan at index (1,)",
    ),
    "ce float labels": (
        lambda: F.cross_entropy(X, LABELS.astype(float)),
        TypeError,
        "target: expected an integer dtype, got float64",
    ),
    "ce bool labels": (
        lambda: F.cross_entropy(X, LABELS.astype(bool)),
        TypeError,
        "target: expected an integer dtype, got bool",
    ),
    "ce one-hot": (
        lambda: F.cross_entropy(X, INTS),
        TypeError,
        "target: expected dtype float32 or float64, got int64",
    ),
    "ce label too large": (
        lambda: F.cross_entropy(X, np.array([0, 1, 3, 2])),
        ValueError,
        "target: expected labels from 0 to 2, got 3 at index (2,)",
    ),
    "ce negative label": (
        lambda: F.cross_entropy(X, np.array([0, -1, 2, -100])),
        ValueError,
        "target: expected labels from 0 to 2, got -1 at index (1,)",
    ),
    "ce int input": (
        lambda: F.cross_entropy(INTS, LABELS),
        TypeError,
        "input: expected dtype float32 or float64, got int64",
    ),
    "ce vector input": (
        lambda: F.cross_entropy(B, LABELS),
        ValueError,
        "target: expected shape (), got (4,)",
    ),
    "ce no class": (
        lambda: F.cross_entropy(np.zeros((4, 0)), LABELS),
        ValueError,
        "input: expected at least one class, got shape (4, 0)",
    ),
    "ce reduction": (
        lambda: F.cross_entropy(X, LABELS, reduction=None),
        ValueError,
        "reduction: expected one of ('none', 'mean', 'sum'), got None",
    ),
    "ce grad": (
        lambda: backward(F.cross_entropy, X, LABELS, reduction="none")(X),
        ValueError,
        "grad_output: expected shape (4,), got (4, 3)",
    ),
    # nn
    "Linear zero": (
        lambda: nn.Linear(0, 2),
        ValueError,
        "in_features: expected at least 1, got 0",
    ),
    "Linear float size": (
        lambda: nn.Linear(3, 2.0),
        TypeError,
        "out_features: expected an int, got float",
    ),
    "Linear bool size": (
        lambda: nn.Linear(True, 2),
        TypeError,
        "in_features: expected an int, got bool",
    ),
    "Linear dtype": (
        lambda: nn.Linear(3, 2, dtype=int),
        TypeError,
        "dtype: expected float32 or float64, got <class 'int'>",
    ),
    "Linear generator": (
        lambda: nn.Linear(3, 2, generator=0),
        TypeError,
        "generator: expected a numpy.random.Generator, got int",
    ),
    "Linear input": (
        lambda: nn.Linear(2, 2)(X),
        ValueError,
        "weight: expected shape (out_features, 3), got (2, 2)",
    ),
    "Sequential list": (
        lambda: nn.Sequential([nn.ReLU()]),
        TypeError,
        "modules[0]: expected a bpref.nn.Module, got list",
    ),
    "Sequential twice": (
        lambda: nn.Sequential(*[nn.ReLU()] * 2),
        ValueError,
        "modules: expected each module object once, got one of them twice",
    ),
    "Sequential twice inside": (
        lambda: (lambda r: nn.Sequential(r, nn.Sequential(r)))(nn.ReLU()),
        ValueError,
        "modules: expected each module object once, got one of them twice",
    ),
    "MLP sizes": (lambda: nn.MLP([3]), ValueError, "sizes: expected at least [d, m], got [3]"),
    "MLP activation": (
        lambda: nn.MLP([3, 1], "selu"),
        ValueError,
        "activation: expected one of ('identity', 'sigmoid', 'tanh', 'relu', 'leaky_relu', "
        "'elu', 'gelu', 'silu', 'softplus'), "
        "got 'selu'",
    ),
    "Parameter int": (
        lambda: nn.Parameter(INTS),
        TypeError,
        "data: expected dtype float32 or float64, got int64",
    ),
    "Parameter data": (
        lambda: setattr(nn.Parameter(W), "data", W.T),
        ValueError,
        "data: expected shape (2, 3), got (3, 2)",
    ),
    "Parameter grad": (
        lambda: setattr(nn.Parameter(W), "grad", B),
        ValueError,
        "grad: expected shape (2, 3), got (2,)",
    ),
    "accumulate": (
        lambda: nn.Parameter(W).accumulate(np.zeros(3)),
        ValueError,
        "gradient: expected shape (2, 3), got (3,)",
    ),
    "state_dict list": (
        lambda: nn.Linear(1, 1).load_state_dict([]),
        TypeError,
        "state_dict: expected a mapping, got list",
    ),
    "state_dict int": (
        lambda: nn.Linear(1, 1, bias=False).load_state_dict({"weight": np.array([[1]])}),
        TypeError,
        "state_dict['weight']: expected dtype float32 or float64, got int64",
    ),
    "state_dict shape": (
        lambda: nn.Linear(3, 2, bias=False).load_state_dict({"weight": W.T}),
        ValueError,
        "state_dict['weight']: expected shape (2, 3), got (3, 2)",
    ),
    "state_dict keys": (
        lambda: nn.Linear(3, 2, bias=False).load_state_dict({"w": W}),
        ValueError,
        "state_dict: expected the keys ['weight'], got ['w'] "
        "(missing ['weight'], unexpected ['w'])",
    ),
    # optim
    "SGD model": (
        lambda: optim.SGD(nn.Linear(1, 1)),
        TypeError,
        "params: expected an iterable of parameters, got Linear; pass model.parameters()",
    ),
    "SGD arrays": (
        lambda: optim.SGD([W]),
        TypeError,
        "params[0]: expected a bpref.nn.Parameter, got ndarray; pass model.parameters()",
    ),
    "SGD nothing": (
        lambda: optim.SGD([]),
        ValueError,
        "params: expected at least one parameter, got none",
    ),
    "SGD twice": (
        lambda: optim.SGD([nn.Parameter(B)] * 2),
        ValueError,
        "params: expected each parameter once, got one of them twice",
    ),
    "SGD lr": (lambda: sgd(lr=-0.1), ValueError, "lr: expected at least 0.0, got -0.1"),
    "SGD lr text": (lambda: sgd(lr="0.1"), TypeError, "lr: expected a number, got str"),
    "SGD lr nan": (
        lambda: sgd(lr=float("nan")),
        ValueError,
        "lr: expected a finite number, got nan",
    ),
    "SGD momentum": (
        lambda: sgd(momentum=-1),
        ValueError,
        "momentum: expected at least 0.0, got -1",
    ),
    "SGD decay": (
        lambda: sgd(weight_decay=-1e-4),
        ValueError,
        "weight_decay: expected at least 0.0, got -0.0001",
    ),
    "SGD nesterov": (
        lambda: sgd(nesterov=True),
        ValueError,
        "nesterov: expected momentum > 0 and dampening = 0, got momentum 0.0 and dampening 0.0",
    ),
    "SGD nesterov dampened": (
        lambda: sgd(nesterov=True, momentum=0.9, dampening=0.1),
        ValueError,
        "nesterov: expected momentum > 0 and dampening = 0, got momentum 0.9 and dampening 0.1",
    ),
    # init
    "init list": (
        lambda: init.uniform_([1.0]),
        TypeError,
        "array: expected a NumPy array, got list",
    ),
    "init parameter": (
        lambda: init.xavier_uniform_(nn.Parameter(W)),
        TypeError,
        "array: expected a NumPy array, got Parameter; pass its .data",
    ),
    "init int": (
        lambda: init.normal_(INTS),
        TypeError,
        "array: expected dtype float32 or float64, got int64",
    ),
    "init vector": (
        lambda: init.xavier_normal_(np.zeros(3)),
        ValueError,
        "array: expected shape (out, in, ...), none of them 0, got (3,)",
    ),
    "init read-only": (
        lambda: init.zeros_(np.broadcast_to(B, (2, 2))),
        ValueError,
        "array: expected an array that can be written to, got a read-only one",
    ),
    "init mode": (
        lambda: init.kaiming_normal_(np.zeros((2, 2)), mode="fan"),
        ValueError,
        "mode: expected 'fan_in' or 'fan_out', got 'fan'",
    ),
    "init nonlinearity": (
        lambda: init.calculate_gain("gelu"),
        ValueError,
        "nonlinearity: expected one of ('linear', 'identity', 'sigmoid', 'tanh', 'relu', 'selu', "
        "'conv1d', 'conv2d', 'conv3d', 'conv_transpose1d', 'conv_transpose2d', "
        "'conv_transpose3d', 'leaky_relu'), got 'gelu'",
    ),
    "init bounds": (
        lambda: init.uniform_(np.zeros(2), 1.0, 0.0),
        ValueError,
        "b: expected at least 1.0, got 0.0",
    ),
    "init std": (
        lambda: init.normal_(np.zeros(2), std=-1.0),
        ValueError,
        "std: expected at least 0.0, got -1.0",
    ),
    "init generator": (
        lambda: init.normal_(np.zeros(2), generator=np.random.RandomState(0)),
        TypeError,
        "generator: expected a numpy.random.Generator, got RandomState",
    ),
    # gradcheck
    "numerical int": (
        lambda: numerical_gradient(np.sum, INTS),
        TypeError,
        "x: expected dtype float32 or float64, got int64",
    ),
    "numerical vector": (
        lambda: numerical_gradient(lambda x: x, X),
        ValueError,
        "f: expected one number, got an array of shape (4, 3)",
    ),
    "numerical cache": (
        lambda: numerical_gradient(lambda x: F.mse_loss(x, Y), X),
        TypeError,
        "f: expected one number, got a tuple; an operator returns (output, cache), use [0]",
    ),
    "numerical complex": (
        lambda: numerical_gradient(lambda x: 1j, X),
        TypeError,
        "f: expected one real number, got complex",
    ),
    "numerical result32": (
        lambda: numerical_gradient(lambda x: np.float32(1), X),
        TypeError,
        "f: expected a float64 number, got float32",
    ),
    "numerical eps": (
        lambda: numerical_gradient(np.sum, X, eps=0.0),
        ValueError,
        "eps: expected a positive number, got 0.0",
    ),
    "check list": (
        lambda: check(inputs=[1.0]),
        TypeError,
        "inputs: expected a mapping of names to arrays, got list",
    ),
    "check nothing": (
        lambda: check(gradients={}),
        ValueError,
        "gradients: expected at least one gradient, got none",
    ),
    "check name": (
        lambda: check(gradients={"y": np.ones(2)}),
        ValueError,
        "gradients: expected names from ['x'], got 'y'",
    ),
    "check shape": (
        lambda: check(gradients={"x": np.ones((2, 1))}),
        ValueError,
        "gradients['x']: expected shape (2,), got (2, 1)",
    ),
    "check input dtype": (
        lambda: check(inputs={"x": np.ones(2, np.float16)}),
        TypeError,
        "inputs['x']: expected dtype float32 or float64, got float16",
    ),
    "check gradient dtype": (
        lambda: check(gradients={"x": np.ones(2, np.float32)}),
        TypeError,
        "gradients['x']: expected dtype float64 as of inputs['x'], got float32",
    ),
    "check rtol": (
        lambda: check(rtol=-1.0),
        ValueError,
        "rtol: expected at least 0.0, got -1.0",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), CASES.values(), ids=CASES)
def test_message(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()


def test_a_random_function_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="f: expected the same value for the same inputs, got"):
        check(f=lambda x: np.sum(x) + rng.normal())


def test_a_number_in_lists_is_accepted():
    output, _ = F.relu([-1.0, 2.0])
    np.testing.assert_array_equal(output, [0.0, 2.0])


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (torch.ones((4, 3), requires_grad=True), "expected a NumPy array, got Tensor"),
        (torch.ones((4, 3), dtype=torch.bfloat16), "expected a NumPy array, got Tensor"),
        ([[1.0, 2.0], [1.0]], "expected a NumPy array, got list"),
        (np.ma.masked_array(X, mask=X == 0), "expected an array without a mask"),
    ],
)
def test_what_is_no_plain_array_is_refused_by_name(value, why):
    def total(x):
        return float(np.sum(x))

    calls = {
        "input": lambda: F.relu(value),
        "weight": lambda: F.linear(X, value),
        "target": lambda: F.cross_entropy(X, value),
        "grad_output": lambda: backward(F.relu, X)(value),
        "data": lambda: nn.Parameter(value),
        "x": lambda: numerical_gradient(total, value),
        "inputs['x']": lambda: check_gradients(total, {"x": value}, {"x": X}),
        "gradients['x']": lambda: check_gradients(total, {"x": X}, {"x": value}),
        "state_dict['bias']": lambda: nn.Linear(3, 2).load_state_dict({"weight": W, "bias": value}),
    }
    for name, call in calls.items():
        if (
            name.startswith("state_dict")
            and isinstance(value, torch.Tensor)
            and value.requires_grad
        ):
            continue  # a trained model's own parameters are welcome there
        with pytest.raises(TypeError, match=f"^{re.escape(name)}: {re.escape(why)}"):
            call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: optim.SGD([nn.Parameter(B)], lr=10**400), "lr: expected a finite number"),
        (lambda: nn.MLP(3), "sizes: expected a sequence of int, got int"),
        (lambda: nn.MLP([1, 1], activation=[]), "activation: expected one of"),
        (lambda: nn.Parameter(B).accumulate(B.astype(complex)), "gradient: expected dtype"),
        (lambda: numerical_gradient(np.sum, B + 1.0, eps=1e-17), "eps: expected a step that"),
    ],
)
def test_odd_arguments_are_refused_by_name(call, message):
    with pytest.raises((TypeError, ValueError), match=f"^{re.escape(message)}"):
        call()
