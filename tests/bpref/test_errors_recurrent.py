"""rnn, lstm, gru and their modules refuse bad input with argument, expectation and what came."""

import numpy as np
import pytest
from refusing import refused

import bpref.functional as F
from bpref import nn
from bpref.fast import recurrent as fast

X, H0 = np.zeros((4, 3, 2)), np.zeros((3, 5))
ARGUMENTS = {
    "rnn": (X, H0, np.zeros((5, 2)), np.zeros((5, 5))),
    "lstm": (X, H0, H0, np.zeros((20, 2)), np.zeros((20, 5))),
    "gru": (X, H0, np.zeros((15, 2)), np.zeros((15, 5))),
}
OPS = {"rnn": F.rnn, "lstm": F.lstm, "gru": F.gru, "lstm-fast": fast.lstm}
BACKWARD = {
    "rnn": F.rnn_backward,
    "lstm": F.lstm_backward,
    "gru": F.gru_backward,
    "lstm-fast": fast.lstm_backward,
}
NAMES = {
    "rnn": ("input", "h_0", "weight_ih", "weight_hh"),
    "lstm": ("input", "h_0", "c_0", "weight_ih", "weight_hh"),
    "gru": ("input", "h_0", "weight_ih", "weight_hh"),
}
every = pytest.mark.parametrize("name", OPS)
ROWS = {"rnn": 5, "lstm": 20, "gru": 15}
RNN = nn.RNN(2, 5)
LSTM = nn.LSTM(2, 5, num_layers=2)


def call(name, **changed):
    kind = name.split("-")[0]
    arguments = dict(zip(NAMES[kind], ARGUMENTS[kind], strict=True))
    return OPS[name](**(arguments | changed))


@every
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"input": X[0]}, "input: expected shape (T, N, D), got (3, 2)"),
        ({"input": X[:0]}, "input: expected shape (T, N, D) with T, D >= 1, got (0, 3, 2)"),
        ({"input": X[:, :, :0]}, "input: expected shape (T, N, D) with T, D >= 1, got (4, 3, 0)"),
        ({"h_0": H0[:2]}, "h_0: expected shape (3, H), got (2, 5)"),
        ({"h_0": H0[None]}, "h_0: expected shape (3, H), got (1, 3, 5)"),
        ({"h_0": H0[:, :0]}, "h_0: expected shape (N, H) with H >= 1, got (3, 0)"),
        ({"lengths": [4, 0, 1]}, "lengths: expected lengths from 1 to 4, got 0 at index 1"),
        ({"lengths": [4, 1, 5]}, "lengths: expected lengths from 1 to 4, got 5 at index 2"),
        ({"lengths": [-1, 1, 5]}, "lengths: expected lengths from 1 to 4, got -1 at index 0"),
        ({"lengths": [4, 1]}, "lengths: expected shape (3,), got (2,)"),
        ({"lengths": 4}, "lengths: expected shape (3,), got ()"),
        ({"truncation": 0}, "truncation: expected at least 1, got 0"),
    ],
)
def test_wrong_values(name, changed, message):
    with refused(ValueError, message):
        call(name, **changed)


@every
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"input": None}, "input: expected dtype float32 or float64, got object"),
        ({"h_0": None}, "h_0: expected dtype float32 or float64, got object"),
        ({"weight_hh": None}, "weight_hh: expected dtype float32 or float64, got object"),
        ({"bias_ih": np.zeros(1, int)}, "bias_ih: expected dtype float32 or float64, got int64"),
        (
            {"bias_hh": np.zeros(1, np.float32)},
            "bias_hh: expected dtype float64 as of input, got float32",
        ),
        ({"lengths": [1.0, 2.0, 3.0]}, "lengths: expected an integer dtype, got float64"),
        ({"lengths": [True, True, True]}, "lengths: expected an integer dtype, got bool"),
        ({"truncation": 2.0}, "truncation: expected an int, got float"),
        ({"truncation": True}, "truncation: expected an int, got bool"),
    ],
)
def test_wrong_kinds(name, changed, message):
    with refused(TypeError, message):
        call(name, **changed)


@every
def test_lengths_that_are_no_array(name):
    with pytest.raises(TypeError, match=r"^lengths: expected a NumPy array, got list"):
        call(name, lengths=[[1], [2, 3]])


@every
def test_shapes_that_depend_on_the_gates(name):
    rows = ROWS[name.split("-")[0]]
    for argument, shape, wrong in (
        ("weight_ih", (rows, 2), (rows, 3)),
        ("weight_hh", (rows, 5), (rows + 5, 5)),
        ("bias_ih", (rows,), (rows + 1,)),
        ("bias_hh", (rows,), (rows, 1)),
    ):
        with refused(ValueError, f"{argument}: expected shape {shape}, got {wrong}"):
            call(name, **{argument: np.zeros(wrong)})


@pytest.mark.parametrize("name", ["lstm", "lstm-fast"])
def test_cell_of_another_size(name):
    with refused(ValueError, "c_0: expected shape (3, 5), got (3, 4)"):
        call(name, c_0=np.zeros((3, 4)))


def test_unknown_nonlinearity():
    for nonlinearity in ("sigmoid", None):
        message = f"nonlinearity: expected one of ('tanh', 'relu'), got {nonlinearity!r}"
        with refused(ValueError, message):
            call("rnn", nonlinearity=nonlinearity)
        with refused(ValueError, message):
            nn.RNN(2, 5, nonlinearity=nonlinearity)


@every
def test_gradients_of_the_outputs(name):
    outputs, cache = call(name)
    backward, zeros = BACKWARD[name], [np.zeros_like(o) for o in outputs]
    names = ["grad_output", "grad_h_n", "grad_c_n"][: len(zeros)]
    listed = ", ".join(names)
    with refused(TypeError, f"grad_output: expected a tuple ({listed}), got ndarray"):
        backward(zeros[0], cache)
    with refused(ValueError, f"grad_output: expected a tuple ({listed}), got 1 values"):
        backward((zeros[0],), cache)
    for index, (argument, zero) in enumerate(zip(names, zeros, strict=True)):
        wrong = list(zeros)
        wrong[index] = zero[1:]
        with refused(ValueError, f"{argument}: expected shape {zero.shape}, got {zero[1:].shape}"):
            backward(wrong, cache)
        wrong[index] = zero.astype(np.float32)
        with refused(
            TypeError, f"{argument}: expected dtype float64 as of the output, got float32"
        ):
            backward(wrong, cache)


# name: (call, error, message)
CASES = {
    "input_size": (lambda: nn.RNN(0, 5), ValueError, "input_size: expected at least 1, got 0"),
    "hidden_size": (
        lambda: nn.GRU(2, 5.0),
        TypeError,
        "hidden_size: expected an int, got float",
    ),
    "num_layers": (lambda: nn.LSTM(2, 5, 0), ValueError, "num_layers: expected at least 1, got 0"),
    "dropout": (
        lambda: nn.LSTM(2, 5, dropout="0.5"),
        TypeError,
        "dropout: expected a number, got str",
    ),
    "proj_size": (
        lambda: nn.LSTM(2, 5, proj_size=3),
        NotImplementedError,
        "proj_size: expected 0, got 3; projections are not implemented",
    ),
    "generator": (
        lambda: nn.GRU(2, 5, generator=0),
        TypeError,
        "generator: expected a numpy.random.Generator, got int",
    ),
    "dtype": (
        lambda: nn.RNN(2, 5, dtype=int),
        TypeError,
        "dtype: expected float32 or float64, got <class 'int'>",
    ),
    "unbatched": (
        lambda: RNN(X[0]),
        ValueError,
        "input: expected shape (T, N, 2), got (3, 2)",
    ),
    "batch first": (
        lambda: nn.GRU(7, 5, batch_first=True)(X),
        ValueError,
        "input: expected shape (N, T, 7), got (4, 3, 2)",
    ),
    "int input": (
        lambda: RNN(X.astype(int)),
        TypeError,
        "input: expected dtype float32 or float64, got int64",
    ),
    "other dtype": (
        lambda: RNN(X.astype(np.float32)),
        TypeError,
        "weight_ih: expected dtype float32 as of input, got float64",
    ),
    "empty": (
        lambda: RNN(X[:0]),
        ValueError,
        "input: expected shape (T, N, D) with T, D >= 1, got (0, 3, 2)",
    ),
    "lengths": (
        lambda: LSTM(X, lengths=[1, 2, 9]),
        ValueError,
        "lengths: expected lengths from 1 to 4, got 9 at index 2",
    ),
    "hx shape": (lambda: RNN(X, H0), ValueError, "hx: expected shape (1, 3, 5), got (3, 5)"),
    "hx dtype": (
        lambda: RNN(X, H0[None].astype(np.float32)),
        TypeError,
        "hx: expected dtype float64 as of input, got float32",
    ),
    "hx no tuple": (
        lambda: LSTM(X, np.zeros((2, 3, 5))),
        TypeError,
        "hx: expected a tuple (h_0, c_0), got ndarray",
    ),
    "hx too short": (
        lambda: LSTM(X, (np.zeros((2, 3, 5)),)),
        ValueError,
        "hx: expected a tuple (h_0, c_0), got 1 values",
    ),
    "hx cell": (
        lambda: LSTM(X, (np.zeros((2, 3, 5)), np.zeros((1, 3, 5)))),
        ValueError,
        "c_0: expected shape (2, 3, 5), got (1, 3, 5)",
    ),
    "grad_output": (
        lambda: (LSTM(X), LSTM.backward(np.zeros((4, 3, 4)))),
        ValueError,
        "grad_output: expected shape (4, 3, 5), got (4, 3, 4)",
    ),
    "grad_state": (
        lambda: (RNN(X), RNN.backward(None, H0)),
        ValueError,
        "grad_state: expected shape (1, 3, 5), got (3, 5)",
    ),
    "grad_state no tuple": (
        lambda: (LSTM(X), LSTM.backward(None, np.zeros((2, 3, 5)))),
        TypeError,
        "grad_state: expected a tuple (grad_h_n, grad_c_n), got ndarray",
    ),
    "grad_c_n": (
        lambda: (LSTM(X), LSTM.backward(None, (None, H0))),
        ValueError,
        "grad_c_n: expected shape (2, 3, 5), got (3, 5)",
    ),
    "classifier classes": (
        lambda: nn.LSTMClassifier(10, 4, 8, 0),
        ValueError,
        "num_classes: expected at least 1, got 0",
    ),
    "classifier hidden": (
        lambda: nn.LSTMClassifier(10, 4, 0, 3),
        ValueError,
        "hidden_size: expected at least 1, got 0",
    ),
    "classifier tokens": (
        lambda: nn.LSTMClassifier(10, 4, 8, 3)(np.array([1, 2])),
        ValueError,
        "input: expected shape (N, T), got (2,)",
    ),
    "classifier token": (
        lambda: nn.LSTMClassifier(10, 4, 8, 3)(np.array([[1, 10]])),
        ValueError,
        "input: expected indices from 0 to 9, got 10 at index (0, 1)",
    ),
    "classifier lengths": (
        lambda: nn.LSTMClassifier(10, 4, 8, 3)(np.array([[1, 2]]), [3]),
        ValueError,
        "lengths: expected lengths from 1 to 2, got 3 at index 0",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), CASES.values(), ids=CASES)
def test_refused_by_name(call, error, message):
    with refused(error, message):
        call()


@pytest.mark.parametrize("module", [nn.RNN(2, 5), nn.LSTM(2, 5), nn.GRU(2, 5)])
def test_backward_needs_its_own_forward(module):
    output, _ = module(X)
    module.backward(output)
    name = type(module).__name__
    with pytest.raises(RuntimeError, match=f"{name}.backward: expected a forward pass before it"):
        module.backward(output)
