"""Every number of one training step, written down so that each can be checked.

`trace_training_step` runs forward pass, backward pass and update of a small network with
`bpref.functional` and records each array: its name, its role, its shape, the id of the formula it
comes from, and its values. `save` writes JSON lines: a header, then one entry a line. `load`
computes every entry again from the entries before it, with formulas of its own that share no code
with `bpref.functional`, and refuses the file at the first entry that is not what it must be.

Names are the symbols of the derivation pages: ``x``, ``y``, ``W_1``, ``b_1``, ``a_1``, ``h_1``,
``J``, ``delta_1`` (δ₁ = ∂J/∂a₁), ``grad_W_1`` (∂J/∂W₁), ``new_W_1`` (W₁ after the step). Arrays
have samples as rows.

The inputs ``x``, ``y`` and the initial parameters are given and follow from nothing. When one of
them was changed, the first wrong entry is the first that follows from it.
"""

from __future__ import annotations

import itertools
import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import bpref
from bpref import _check
from bpref import functional as F
from bpref.nn import Identity, LeakyReLU, Linear, Module, Parameter, ReLU, Sequential, Sigmoid, Tanh

__all__ = [
    "FORMULAS",
    "Entry",
    "Formula",
    "Trace",
    "TraceError",
    "dumps",
    "explain",
    "load",
    "loads",
    "save",
    "trace_training_step",
]

FORMAT, VERSION = "bpref.trace", 1
ACTIVATIONS: dict[str, type[Module]] = {
    "identity": Identity,
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
}
LOSSES = ("half_mse_loss", "mse_loss", "binary_cross_entropy_with_logits", "cross_entropy")
DTYPES = ("float32", "float64")

# The value of a formula; the sum of the absolute values of its terms; how many terms there are.
Result = tuple[np.ndarray, np.ndarray, int]


# --- the formulas ---------------------------------------------------------------------------


def _limit(size: np.ndarray, terms: int, dtype: str) -> np.ndarray:
    """Return how far rounding can take a value: adding n terms costs at most n ε / 2 of them.

    Another processor adds the same terms in another order. 16 ε are for the elementary functions.
    """
    info = np.finfo(dtype)
    return (16 + terms / 2) * float(info.eps) * size + float(info.tiny)


def _exact(value: np.ndarray) -> Result:
    return value, np.abs(value), 1


def _sum(
    subscripts: str, *factors: np.ndarray, terms: int, plus: np.ndarray | float = 0.0
) -> Result:
    value = np.einsum(subscripts, *factors) + plus
    return value, np.einsum(subscripts, *map(np.abs, factors)) + np.abs(plus), terms


def _mean(terms: np.ndarray, sizes: np.ndarray) -> Result:
    return terms.mean(), sizes.mean(), terms.size


def _mean_square(error: np.ndarray, factor: float) -> Result:
    squares = factor * error**2
    return _mean(squares, squares)


def _sigmoid(a: np.ndarray) -> np.ndarray:
    return np.where(a < 0, np.exp(a) / (1.0 + np.exp(a)), 1.0 / (1.0 + np.exp(-a)))


def _binary_cross_entropy(h: np.ndarray, y: np.ndarray) -> Result:
    return _mean(np.logaddexp(0.0, h) - y * h, np.logaddexp(0.0, np.abs(h)) + np.abs(y * h))


def _log_softmax(h: np.ndarray) -> np.ndarray:
    shifted = h - h.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _cross_entropy(h: np.ndarray, y: np.ndarray) -> Result:
    log_p = np.take_along_axis(_log_softmax(h), y[:, np.newaxis], axis=1)
    value, size, terms = _mean(-log_p, 1.0 + np.abs(log_p))
    return value, size, terms + h.shape[1]


def _cross_entropy_backward(h: np.ndarray, y: np.ndarray) -> Result:
    log_p, q = _log_softmax(h), np.arange(h.shape[1]) == y[:, np.newaxis]
    p = np.exp(log_p)  # an error of log p is one relative to p
    return (p - q) / len(h), (p * (1.0 + np.abs(log_p)) + q) / len(h), h.shape[1]


@dataclass(frozen=True)
class Formula:
    """How an entry follows from earlier ones.

    Attributes
    ----------
    text : str
        The formula with names of arguments in braces; ``{out}`` is the entry itself.
    page : str
        Where it is explained: a page of this site and the id of a heading.
    compute : callable
        Takes the arguments by name. Returns the value, the sum of the absolute values of its
        terms, and their number: what the permitted rounding error depends on.
    """

    text: str
    page: str
    compute: Callable[..., Result]


_MODEL, _TWO_LAYERS = "derivation/model.md#", "derivation/two-layers.md#"

# --8<-- [start:FORMULAS]
FORMULAS: dict[str, Formula] = {
    "linear": Formula(
        "{out} = {h} {W}ᵀ + {b}",
        _TWO_LAYERS + "batch",
        lambda h, W, b: _sum("ik,jk->ij", h, W, plus=b, terms=h.shape[1]),
    ),
    "linear_without_bias": Formula(
        "{out} = {h} {W}ᵀ",
        _TWO_LAYERS + "batch",
        lambda h, W: _sum("ik,jk->ij", h, W, terms=h.shape[1]),
    ),
    "identity": Formula("{out} = {a}", _TWO_LAYERS + "output", lambda a: _exact(a)),
    "sigmoid": Formula(
        "{out} = 1 / (1 + exp(−{a}))", _MODEL + "sigmoid", lambda a: _exact(_sigmoid(a))
    ),
    "tanh": Formula("{out} = tanh({a})", _MODEL + "tanh", lambda a: _exact(np.tanh(a))),
    "relu": Formula(
        "{out} = {a} where {a} > 0, else 0",
        _MODEL + "relu",
        lambda a: _exact(np.where(a > 0, a, 0.0)),
    ),
    "leaky_relu": Formula(
        "{out} = {a} where {a} > 0, else {c} {a}",
        _MODEL + "leaky-relu",
        lambda a, c: _exact(np.where(a > 0, a, c * a)),
    ),
    "half_mse_loss": Formula(
        "{out} = 1/(2N) Σ ({h} − {y})²",
        _MODEL + "half-mse",
        lambda h, y: _mean_square(h - y, h.shape[1] / 2),
    ),
    "mse_loss": Formula(
        "{out} = 1/(N m) Σ ({h} − {y})²",
        _MODEL + "mse",
        lambda h, y: _mean_square(h - y, 1.0),
    ),
    "binary_cross_entropy_with_logits": Formula(
        "{out} = 1/(N m) Σ (log(1 + exp({h})) − {y} {h})", _MODEL + "bce", _binary_cross_entropy
    ),
    "cross_entropy": Formula(
        "{out} = −1/N Σ log softmax({h})[{y}]", _MODEL + "cross-entropy", _cross_entropy
    ),
    "half_mse_loss_backward": Formula(
        "{out} = ({h} − {y}) / N", _MODEL + "half-mse", lambda h, y: _exact((h - y) / len(h))
    ),
    "mse_loss_backward": Formula(
        "{out} = 2 ({h} − {y}) / (N m)", _MODEL + "mse", lambda h, y: _exact(2.0 * (h - y) / h.size)
    ),
    "binary_cross_entropy_with_logits_backward": Formula(
        "{out} = (σ({h}) − {y}) / (N m)",
        _MODEL + "bce",
        lambda h, y: ((_sigmoid(h) - y) / h.size, (_sigmoid(h) + y) / h.size, 1),
    ),
    "cross_entropy_backward": Formula(
        "{out} = (softmax({h}) − one-hot({y})) / N",
        _MODEL + "cross-entropy",
        _cross_entropy_backward,
    ),
    "identity_backward": Formula(
        "{out} = {grad}", _TWO_LAYERS + "output", lambda grad, a, h: _exact(grad)
    ),
    "sigmoid_backward": Formula(
        "{out} = {grad} ⊙ {h} ⊙ (1 − {h})",
        _MODEL + "sigmoid",
        lambda grad, a, h: _exact(grad * h * (1.0 - h)),
    ),
    "tanh_backward": Formula(
        "{out} = {grad} ⊙ (1 − {h} ⊙ {h})",
        _MODEL + "tanh",
        lambda grad, a, h: (grad * (1.0 - h * h), np.abs(grad) * (1.0 + h * h), 1),
    ),
    "relu_backward": Formula(
        "{out} = {grad} where {a} > 0, else 0",
        _MODEL + "relu",
        lambda grad, a, h: _exact(np.where(a > 0, grad, 0.0)),
    ),
    "leaky_relu_backward": Formula(
        "{out} = {grad} where {a} > 0, else {c} {grad}",
        _MODEL + "leaky-relu",
        lambda grad, a, h, c: _exact(np.where(a > 0, grad, c * grad)),
    ),
    "linear_backward_weight": Formula(
        "{out} = {delta}ᵀ {h}",
        _TWO_LAYERS + "batch",
        lambda delta, h: _sum("ij,ik->jk", delta, h, terms=len(h)),
    ),
    "linear_backward_bias": Formula(
        "{out} = {delta}ᵀ 1",
        _TWO_LAYERS + "batch",
        lambda delta: _sum("ij->j", delta, terms=len(delta)),
    ),
    "linear_backward_input": Formula(
        "{out} = {delta} {W}",
        _TWO_LAYERS + "batch",
        lambda delta, W: _sum("ij,jk->ik", delta, W, terms=len(W)),
    ),
    "sgd_step": Formula(
        "{out} = {theta} − η {grad}",
        "ideas/algorithm.md#order",
        lambda theta, grad, lr: (theta - lr * grad, np.abs(theta) + np.abs(lr * grad), 1),
    ),
}
# --8<-- [end:FORMULAS]


# --- what a trace is ------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Entry:
    """One array of the step.

    Attributes
    ----------
    name : str
        As in ``h_1``.
    role : str
        input, label, parameter, pre-activation, activation, loss, gradient, delta or updated.
    formula : str
        A key of `FORMULAS`, or "given". Most are names of functions in `bpref.functional`.
    value : ndarray
        Read-only; of shape () for the loss.
    """

    name: str
    role: str
    formula: str
    value: np.ndarray


# --8<-- [start:Trace]
@dataclass(frozen=True, eq=False)
class Trace:
    """All numbers of one training step, in the order in which they were computed.

    Attributes
    ----------
    header : dict
        format, version, bpref (its version), dtype, batch (N), loss, lr, and layers: for each
        layer in_features, out_features, bias, activation, and negative_slope for leaky_relu.
    entries : tuple of Entry
        What is given, then the forward pass, the loss, the backward pass, the updated parameters.

    Examples
    --------
    >>> from bpref import nn
    >>> model = nn.MLP([2, 3, 1], "tanh", generator=np.random.default_rng(0))
    >>> trace = trace_training_step(model, np.ones((4, 2)), np.zeros((4, 1)))
    >>> [entry.name for entry in trace.entries][:8]
    ['x', 'y', 'W_1', 'b_1', 'W_2', 'b_2', 'a_1', 'h_1']
    >>> trace["h_1"].shape
    (4, 3)
    """

    header: dict[str, Any]
    entries: tuple[Entry, ...]

    def __getitem__(self, name: str) -> np.ndarray:
        for entry in self.entries:
            if entry.name == name:
                return entry.value
        raise KeyError(f"name: expected one of {[e.name for e in self.entries]}, got {name!r}")


# --8<-- [end:Trace]


class TraceError(ValueError):
    """A trace is not what it must be; says where and how.

    Attributes
    ----------
    line : int
        In the file, from 1.
    name : str
        The first wrong entry; "header" for the first line, "end" behind the last entry.
    expected, found : str
        What had to stand there and what stands there.
    index : tuple of int, or None
        The first wrong element of the value, when it is the value that is wrong.
    """

    def __init__(
        self,
        line: int,
        name: str,
        expected: str,
        found: str,
        index: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__(line, name, expected, found, index)
        self.line, self.name, self.expected, self.found = line, name, expected, found
        self.index = index

    def __str__(self) -> str:
        place = f"[{', '.join(map(str, self.index))}]" if self.index else ""
        return f"line {self.line}, {self.name}{place}: expected {self.expected}, got {self.found}"


@dataclass(frozen=True)
class _Step:
    """What an entry must look like, and what its formula takes: earlier entries and constants."""

    name: str
    role: str
    shape: tuple[int, ...]
    dtype: str
    formula: str
    takes: dict[str, str | float]


def _plan(header: Mapping[str, Any]) -> list[_Step]:
    """Return all entries that a trace with this header has, in order."""
    N, loss, layers = header["batch"], header["loss"], list(enumerate(header["layers"], 1))
    steps: list[_Step] = []

    def add(
        name: str,
        role: str,
        shape: tuple[int, ...],
        formula: str = "given",
        **takes: str | float,
    ) -> None:
        dtype = "int64" if (name, loss) == ("y", "cross_entropy") else header["dtype"]
        steps.append(_Step(name, role, shape, dtype, formula, takes))

    L, output = layers[-1][0], (N, layers[-1][1]["out_features"])
    parameters: dict[str, tuple[int, ...]] = {}
    for k, layer in layers:
        parameters[f"W_{k}"] = layer["out_features"], layer["in_features"]
        if layer["bias"]:
            parameters[f"b_{k}"] = (layer["out_features"],)

    add("x", "input", (N, layers[0][1]["in_features"]))
    add("y", "label", (N,) if loss == "cross_entropy" else output)
    for name, shape in parameters.items():
        add(name, "parameter", shape)

    h = "x"
    for k, layer in layers:
        a, shape, takes = f"a_{k}", (N, layer["out_features"]), {"h": h, "W": f"W_{k}"}
        if layer["bias"]:
            add(a, "pre-activation", shape, "linear", **takes, b=f"b_{k}")
        else:
            add(a, "pre-activation", shape, "linear_without_bias", **takes)
        h = f"h_{k}"
        add(h, "activation", shape, layer["activation"], a=a, **_slope(layer))
    add("J", "loss", (), loss, h=h, y="y")

    add(f"grad_h_{L}", "gradient", output, f"{loss}_backward", h=h, y="y")
    for k, layer in reversed(layers):
        delta, W, b = f"delta_{k}", f"W_{k}", f"b_{k}"
        formula, takes = f"{layer['activation']}_backward", {"a": f"a_{k}", "h": f"h_{k}"}
        shape = (N, layer["out_features"])
        add(delta, "delta", shape, formula, grad=f"grad_h_{k}", **takes, **_slope(layer))
        h = f"h_{k - 1}" if k > 1 else "x"
        add(f"grad_{W}", "gradient", parameters[W], "linear_backward_weight", delta=delta, h=h)
        if layer["bias"]:
            add(f"grad_{b}", "gradient", parameters[b], "linear_backward_bias", delta=delta)
        if k > 1:
            shape = (N, layer["in_features"])
            add(f"grad_{h}", "gradient", shape, "linear_backward_input", delta=delta, W=W)
    for name, shape in parameters.items():
        add(
            f"new_{name}",
            "updated",
            shape,
            "sgd_step",
            theta=name,
            grad=f"grad_{name}",
            lr=header["lr"],
        )
    return steps


def _slope(layer: Mapping[str, Any]) -> dict[str, float]:
    return {"c": layer["negative_slope"]} if layer["activation"] == "leaky_relu" else {}


# --- recording ------------------------------------------------------------------------------


# --8<-- [start:trace_training_step]
def trace_training_step(
    model: Sequential,
    x: np.ndarray,
    y: np.ndarray,
    loss: str = "half_mse_loss",
    lr: float = 1e-3,
) -> Trace:
    """Run one step of gradient descent and record every array of it.

    Parameters
    ----------
    model : nn.Sequential or nn.MLP
        `Linear` layers, each followed by at most one of `Identity`, `Sigmoid`, `Tanh`, `ReLU`,
        `LeakyReLU`. Its parameters and gradients are left as they are.
    x : ndarray, shape (N, d), dtype of the parameters
        The batch, at least one sample.
    y : ndarray, shape (N, m), dtype of x
        The labels; from 0 to 1 for binary cross-entropy. For "cross_entropy" integer class
        labels of shape (N,), from 0 to m − 1.
    loss : {"half_mse_loss", "mse_loss", "binary_cross_entropy_with_logits", "cross_entropy"}
        Of `bpref.functional`, with the mean as reduction.
    lr : float, default 1e-3
        The learning rate η, at least 0.

    Returns
    -------
    Trace

    Raises
    ------
    TypeError
        If the model is not a Sequential of such modules, or an array has another dtype.
    ValueError
        If a shape does not fit, a parameter is used twice, the loss is unknown, a label is out of
        range, or a number is not finite.

    Examples
    --------
    >>> from bpref import nn
    >>> model = nn.Sequential(nn.Linear(1, 1))
    >>> model[0].weight.data, model[0].bias.data = np.array([[2.0]]), np.array([1.0])
    >>> trace = trace_training_step(model, np.array([[3.0]]), np.array([[5.0]]), lr=0.1)
    >>> float(trace["J"]), trace["delta_1"], trace["grad_W_1"], trace["new_W_1"]
    (2.0, array([[2.]]), array([[6.]]), array([[1.4]]))
    """
    layers, parameters = _describe(model)
    if loss not in LOSSES:
        raise ValueError(f"loss: expected one of {tuple(LOSSES)}, got {loss!r}")
    lr = _check.real("lr", lr, minimum=0.0)
    (x,) = _check.floats(x=x)
    _check.shape("x", x, ("N", layers[0]["in_features"]))
    if len(x) == 0:
        raise ValueError("x: expected at least one sample, got none")
    y = _check_labels(loss, y, x, layers[-1]["out_features"])

    header = {
        "format": FORMAT,
        "version": VERSION,
        "bpref": bpref.__version__,
        "dtype": str(x.dtype),
        "batch": len(x),
        "loss": loss,
        "lr": lr,
        "layers": layers,
    }
    with np.errstate(over="ignore", invalid="ignore"):  # refused below, by name
        values = _run(layers, {"x": x, "y": y, **parameters}, loss, lr)
    entries = []
    for step in _plan(header):
        value = np.array(values[step.name])
        value.setflags(write=False)
        index = _first(~np.isfinite(value))
        if index is not None:
            raise ValueError(
                f"{step.name}: expected finite values, got {value[index]} at index {index}"
            )
        entries.append(Entry(step.name, step.role, step.formula, value))
    return Trace(header, tuple(entries))


# --8<-- [end:trace_training_step]


def _run(
    layers: list[dict[str, Any]], values: dict[str, np.ndarray], loss: str, lr: float
) -> dict[str, Any]:
    """Return all arrays of the step by name, computed with `bpref.functional`."""
    parameters = [name for name in values if name not in ("x", "y")]
    results: dict[str, Any] = dict(values)
    caches, h = [], values["x"]
    for k, layer in enumerate(layers, 1):
        a, linear_cache = F.linear(h, values[f"W_{k}"], values.get(f"b_{k}"))
        h, cache = getattr(F, layer["activation"])(a, *_slope(layer).values())
        results[f"a_{k}"], results[f"h_{k}"] = a, h
        caches.append((k, layer["activation"], linear_cache, cache))
    results["J"], loss_cache = getattr(F, loss)(h, values["y"])

    grad = getattr(F, f"{loss}_backward")(1.0, loss_cache)
    for k, activation, linear_cache, cache in reversed(caches):
        delta = getattr(F, f"{activation}_backward")(grad, cache)
        results[f"grad_h_{k}"], results[f"delta_{k}"] = grad, delta
        grad, results[f"grad_W_{k}"], results[f"grad_b_{k}"] = F.linear_backward(
            delta, linear_cache
        )
    for name in parameters:
        results[f"new_{name}"] = values[name] - lr * results[f"grad_{name}"]
    return results


def _describe(model: Any) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Return the layers as the header has them, and the parameters by name."""
    if not isinstance(model, Sequential):
        came = type(model).__name__
        raise TypeError(f"model: expected a bpref.nn.Sequential, got {came}")
    activations = {module: name for name, module in ACTIVATIONS.items()}
    layers: list[dict[str, Any]] = []
    parameters: dict[str, Parameter] = {}
    for i in range(len(model)):
        module: Any = model[i]
        kind = type(module)  # exactly: a subclass may compute something else
        if kind is Linear:
            layer = {"in_features": module.in_features, "out_features": module.out_features}
            layers.append({**layer, "bias": module.bias is not None, "activation": "identity"})
            parameters[f"W_{len(layers)}"] = module.weight
            if module.bias is not None:
                parameters[f"b_{len(layers)}"] = module.bias
        elif kind not in activations:
            known = ", ".join(["Linear", *(one.__name__ for one in activations)])
            raise TypeError(f"model[{i}]: expected one of {known}, got {kind.__name__}")
        elif i == 0 or type(model[i - 1]) is not Linear:
            raise ValueError(f"model[{i}]: expected a Linear right before {kind.__name__}")
        else:
            layers[-1]["activation"] = activations[kind]
            if kind is LeakyReLU:
                layers[-1]["negative_slope"] = module.negative_slope
    if not layers:
        raise ValueError("model: expected at least one Linear, got none")
    if len({id(parameter) for parameter in parameters.values()}) < len(parameters):
        raise ValueError("model: expected each parameter once, got one of them twice")
    return layers, {name: parameter.data for name, parameter in parameters.items()}


def _check_labels(loss: str, y: Any, x: np.ndarray, m: int) -> np.ndarray:
    """Return the labels when they fit the loss."""
    if loss == "cross_entropy":
        y = _check.array("y", y)
        if y.dtype.kind not in "iu":
            raise TypeError(f"y: expected an integer dtype, got {y.dtype}")
        _check.shape("y", y, (len(x),))
        y = y.astype(np.int64)
    else:
        x, y = _check.floats(x=x, y=y)
        _check.shape("y", y, (len(x), m))
    problem = _label_problem(loss, y, m)
    if problem is not None:
        expected, found, index = problem
        raise ValueError(f"y: expected {expected}, got {found} at index {index}")
    return y


def _label_problem(loss: str, y: np.ndarray, m: int) -> tuple[str, str, tuple[int, ...]] | None:
    """Return what is expected of the first wrong label, that label, and its index."""
    if loss == "cross_entropy":
        index, expected = _first((y < 0) | (y >= m)), f"labels from 0 to {m - 1}"
    elif loss == "binary_cross_entropy_with_logits":
        index, expected = _first(~((y >= 0) & (y <= 1))), "values from 0 to 1"
    else:
        return None
    return None if index is None else (expected, str(y[index]), index)


def _first(wrong: np.ndarray) -> tuple[int, ...] | None:
    """Return the index of the first true element."""
    return tuple(map(int, np.argwhere(wrong)[0])) if wrong.any() else None


# --- writing and reading --------------------------------------------------------------------

FIELDS = ("name", "role", "shape", "formula", "value")


# --8<-- [start:save]
def save(trace: Trace, path: str | os.PathLike[str]) -> None:
    """Write a trace as JSON lines.

    Floats are written with all digits that they need to come back as the same floats.

    Parameters
    ----------
    trace : Trace
        What `trace_training_step` returned.
    path : str or path
        Overwritten when it exists.
    """
    with open(path, "wb") as file:
        file.write(dumps(trace).encode())


# --8<-- [end:save]


# --8<-- [start:dumps]
def dumps(trace: Trace) -> str:
    """Return what `save` writes.

    Parameters
    ----------
    trace : Trace
        What `trace_training_step` returned.

    Returns
    -------
    str
        A header and one line for each entry.

    Examples
    --------
    >>> from bpref import nn
    >>> model = nn.Sequential(nn.Linear(1, 1, bias=False))
    >>> model[0].weight.data = np.array([[2.0]])
    >>> text = dumps(trace_training_step(model, np.array([[3.0]]), np.array([[5.0]])))
    >>> print(text.splitlines()[6])
    {"name": "J", "role": "loss", "shape": [], "formula": "half_mse_loss", "value": 0.5}
    """
    lines = [json.dumps(trace.header)]
    for entry in trace.entries:
        value = (entry.name, entry.role, entry.value.shape, entry.formula, entry.value.tolist())
        lines.append(json.dumps(dict(zip(FIELDS, value, strict=True))))
    return "\n".join(lines) + "\n"


# --8<-- [end:dumps]


# --8<-- [start:load]
def load(path: str | os.PathLike[str]) -> Trace:
    """Read a trace and verify it: every entry is computed again from the entries before it.

    Parameters
    ----------
    path : str or path
        A file that `save` wrote.

    Returns
    -------
    Trace

    Raises
    ------
    TraceError
        At the first wrong entry; see `loads`.
    """
    with open(path, "rb") as file:
        return loads(file.read())


# --8<-- [end:load]


# --8<-- [start:loads]
def loads(text: str | bytes) -> Trace:
    """Read and verify what `dumps` returned.

    Parameters
    ----------
    text : str or bytes
        A header and one line for each entry.

    Returns
    -------
    Trace

    Raises
    ------
    TypeError
        If text is neither str nor bytes.
    TraceError
        At the first entry that is missing, renamed, out of order, of another role, shape or
        formula, not finite, or further from its formula than rounding explains. Where an input or
        an initial parameter was changed, that is the first entry that follows from it.

    Notes
    -----
    Rounding explains (16 + n / 2) ε of the sum of the absolute values of the n terms, with
    ε = 2.2e-16 in float64 and 1.2e-7 in float32. Source: N. J. Higham, "Accuracy and Stability of
    Numerical Algorithms", 2nd edition, SIAM 2002, doi:10.1137/1.9780898718027, on inner products.

    Examples
    --------
    >>> from bpref import nn
    >>> model = nn.Sequential(nn.Linear(1, 1, bias=False))
    >>> model[0].weight.data = np.array([[2.0]])
    >>> text = dumps(trace_training_step(model, np.array([[3.0]]), np.array([[5.0]])))
    >>> float(loads(text)["J"])
    0.5
    >>> loads(text.replace("0.5", "0.6"))
    Traceback (most recent call last):
    bpref.trace.TraceError: line 7, J: expected 0.5, got 0.6
    """
    if not isinstance(text, (str, bytes)):
        raise TypeError(f"text: expected a str or bytes, got {type(text).__name__}")
    raw = text.encode() if isinstance(text, str) else text
    lines = raw.removesuffix(b"\n").split(b"\n")
    header = _read_header(_parse(1, "header", lines[0]))
    plan = _plan(header)
    entries: list[Entry] = []
    known: dict[str, np.ndarray] = {}
    for number, step in enumerate(plan, 2):
        if number > len(lines):
            raise TraceError(number, step.name, f"the entry {step.name}", "the end of the file")
        value = _read_entry(number, step, _parse(number, step.name, lines[number - 1]))
        if step.name == "y":
            problem = _label_problem(header["loss"], value, header["layers"][-1]["out_features"])
            if problem is not None:
                raise TraceError(number, "y", *problem)
        if step.formula != "given":
            _verify(number, step, value, known)
        # float32 is verified in float64, so that only the rounding of the trace itself counts.
        known[step.name] = value if value.dtype == np.int64 else value.astype(np.float64)
        value.setflags(write=False)
        entries.append(Entry(step.name, step.role, step.formula, value))
    if len(lines) > len(plan) + 1:
        number = len(plan) + 2
        raise TraceError(number, "end", "the end of the file", _excerpt(lines[number - 1]))
    return Trace(header, tuple(entries))


# --8<-- [end:loads]


def _verify(number: int, step: _Step, value: np.ndarray, known: dict[str, np.ndarray]) -> None:
    """Compare a value with what its formula gives."""
    arguments = {
        name: known[taken] if isinstance(taken, str) else taken
        for name, taken in step.takes.items()
    }
    with np.errstate(all="ignore"):  # numbers that overflow are wrong, and are refused here
        expected, size, terms = FORMULAS[step.formula].compute(**arguments)
        limit = _limit(size, terms, step.dtype)
        right = (np.abs(value - expected) <= limit) & np.isfinite(limit)
        expected = np.asarray(expected, step.dtype)
    index = _first(~right)
    if index is not None:
        raise TraceError(number, step.name, str(expected[index]), str(value[index]), index)


def _read_entry(number: int, step: _Step, record: dict[str, Any]) -> np.ndarray:
    """Return the value of an entry when all about it is as planned."""
    if set(record) != set(FIELDS):
        raise TraceError(number, step.name, f"the fields {list(FIELDS)}", str(list(record)))
    planned = (step.name, step.role, list(step.shape), step.formula)
    for key, wanted in zip(FIELDS, planned, strict=False):
        # As text, because True == 1 == 1.0.
        found, expected = json.dumps(record[key]), json.dumps(wanted)
        if found != expected:
            raise TraceError(number, step.name, f"{key} {expected}", _excerpt(found))
    kind = f"numbers written as {step.dtype}"
    written = json.dumps(record["value"])
    try:
        with np.errstate(over="ignore"):
            value = np.array(record["value"], dtype=step.dtype)
    except (TypeError, ValueError, OverflowError):
        raise TraceError(number, step.name, kind, _excerpt(written)) from None
    if json.dumps(value.tolist()) != written:
        raise TraceError(number, step.name, kind, _excerpt(written))
    if value.shape != step.shape:
        raise TraceError(number, step.name, f"a value of shape {step.shape}", str(value.shape))
    index = _first(~np.isfinite(value))
    if index is not None:
        raise TraceError(number, step.name, "finite values", str(value[index]), index)
    return value


def _read_header(record: dict[str, Any]) -> dict[str, Any]:
    """Return the header when a plan can be made from it."""
    checks: dict[str, tuple[Callable[[Any], bool], str]] = {
        "format": (lambda v: v == FORMAT, json.dumps(FORMAT)),
        "version": (lambda v: type(v) is int and v == VERSION, str(VERSION)),
        "bpref": (lambda v: isinstance(v, str), "a str"),
        "dtype": (lambda v: v in DTYPES, f"one of {list(DTYPES)}"),
        "batch": (_is_size, "an int of at least 1"),
        "loss": (lambda v: v in LOSSES, f"one of {list(LOSSES)}"),
        "lr": (lambda v: _is_finite(v) and v >= 0, "a float of at least 0"),
        "layers": (_are_layers, "layers that fit each other"),
    }
    if set(record) != set(checks):
        raise TraceError(1, "header", f"the fields {list(checks)}", str(list(record)))
    for key, (fits, expected) in checks.items():
        if not fits(record[key]):
            found = _excerpt(json.dumps(record[key]))
            raise TraceError(1, "header", f"{key}: {expected}", found)
    return record


def _are_layers(layers: Any) -> bool:
    """Whether this is a list of layers, each with as many inputs as the one before has outputs."""
    if not isinstance(layers, list) or not all(map(_is_layer, layers)):
        return False
    pairs = itertools.pairwise(layers)
    return layers != [] and all(one["out_features"] == two["in_features"] for one, two in pairs)


def _is_layer(layer: Any) -> bool:
    checks: dict[str, Callable[[Any], bool]] = {
        "in_features": _is_size,
        "out_features": _is_size,
        "bias": lambda v: isinstance(v, bool),
        "activation": lambda v: v in list(ACTIVATIONS),
    }
    if not isinstance(layer, dict):
        return False
    if layer.get("activation") == "leaky_relu":
        checks["negative_slope"] = _is_finite
    return set(layer) == set(checks) and all(fits(layer[key]) for key, fits in checks.items())


def _is_size(value: Any) -> bool:
    return type(value) is int and value >= 1


def _is_finite(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _parse(number: int, name: str, line: bytes) -> dict[str, Any]:
    """Return the JSON object on a line."""
    try:
        record = json.loads(line.decode(), object_pairs_hook=_object)
    except (ValueError, RecursionError):  # not JSON, not UTF-8, or nested without end
        record = None
    if not isinstance(record, dict):
        raise TraceError(number, name, "one JSON object", _excerpt(line))
    return record


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _excerpt(text: str | bytes) -> str:
    shown = text.decode(errors="replace") if isinstance(text, bytes) else text
    return repr(shown if len(shown) <= 60 else shown[:57] + "...")


# --- reading it with one's own eyes ---------------------------------------------------------


# --8<-- [start:explain]
def explain(trace: Trace) -> str:
    """Return the step as text: each entry with its formula and its values.

    Parameters
    ----------
    trace : Trace
        What `trace_training_step` or `load` returned.

    Returns
    -------
    str

    Examples
    --------
    >>> from bpref import nn
    >>> model = nn.Sequential(nn.Linear(1, 1, bias=False))
    >>> model[0].weight.data = np.array([[2.0]])
    >>> trace = trace_training_step(model, np.array([[3.0]]), np.array([[5.0]]), lr=0.1)
    >>> for line in explain(trace).splitlines()[13:17]:
    ...     print(line)
    J  loss, shape ()
        J = 1/(2N) Σ (h_1 − y)²
        0.5
    ∂J/∂h_1  gradient, shape (1, 1)
    """
    header = trace.header
    N, L = header["batch"], len(header["layers"])
    lines = [f"{header['loss']}, η = {header['lr']}, N = {N}, layers: {L}, {header['dtype']}"]
    for step, entry in zip(_plan(header), trace.entries, strict=True):
        lines.append(f"{_symbol(entry.name)}  {entry.role}, shape {entry.value.shape}")
        if entry.formula != "given":
            names = {argument: _symbol(str(taken)) for argument, taken in step.takes.items()}
            text = FORMULAS[entry.formula].text
            lines.append("    " + text.format(out=_symbol(entry.name), **names))
        values = np.array2string(entry.value, precision=6)
        lines += [f"    {line}" for line in values.splitlines()]
    return "\n".join(lines)


# --8<-- [end:explain]


def _symbol(name: str) -> str:
    """Return the symbol of the derivation pages: δ_1, ∂J/∂W_1, W_1′."""
    if name.startswith("grad_"):
        return "∂J/∂" + name.removeprefix("grad_")
    if name.startswith("new_"):
        return name.removeprefix("new_") + "′"
    return name.replace("delta", "δ")
