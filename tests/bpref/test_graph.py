"""The scalar engine against torch, central differences, complex steps, and its own other mode."""

import ast
import cmath
import copy
import math
import operator
import pickle
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import quick, seeds

from bpref import graph
from bpref.graph import (
    OPERATORS,
    Value,
    apply,
    drawing,
    engine,
    jvp,
    to_svg,
    topological_order,
    vjp,
)

# --- random graphs ---------------------------------------------------------------------------
# A program is a list of steps; each takes earlier results by index, so that they are shared. One
# program runs on values, on tensors, on complex numbers. Each step keeps its result of moderate
# size, where all of them can be differentiated.

BINARY = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": lambda a, b: a * b * 0.5,
    "div": lambda a, b: a / (b * b + 1.0),
    "pow": lambda a, b: (a * a + 0.5) ** (b * 0.25),
}
CONSTANT = {
    "c + a": lambda a, c: c + a,
    "a + c": lambda a, c: a + c,
    "c - a": lambda a, c: c - a,
    "a - c": lambda a, c: a - c,
    "c * a": lambda a, c: c * a,
    "a * c": lambda a, c: a * c,
    "c / a": lambda a, c: c / (a * a + 1.0),
    "a / c": lambda a, c: a / (c * c + 1.0),
    "a ** c": lambda a, c: (a * a + 0.5) ** c,
    "c ** a": lambda a, c: (c * c + 0.5) ** (a * 0.25),
    "a ** 3": lambda a, c: a**3 / 9.0,
}
UNARY = ("neg", "exp", "log", "tanh", "sigmoid", "relu")

numbers = st.floats(-2.0, 2.0).map(lambda x: round(x, 3))
steps = st.tuples(
    st.sampled_from([*BINARY, *CONSTANT, *UNARY]), st.integers(0, 99), st.integers(0, 99), numbers
)
programs = st.tuples(st.lists(numbers, min_size=1, max_size=4), st.lists(steps, max_size=12))


def unary(name, a):
    if isinstance(a, Value):
        if name == "exp":
            return (a * 0.5).exp()
        if name == "log":
            return (a * a + 1.0).log()
        return -a if name == "neg" else getattr(a, name)()
    if isinstance(a, torch.Tensor):
        table = {
            "neg": operator.neg,
            "exp": lambda a: torch.exp(a * 0.5),
            "log": lambda a: torch.log(a * a + 1.0),
            "tanh": torch.tanh,
            "sigmoid": torch.sigmoid,
            "relu": torch.relu,
        }
        return table[name](a)
    table = {
        "neg": operator.neg,
        "exp": lambda a: cmath.exp(a * 0.5),
        "log": lambda a: cmath.log(a * a + 1.0),
        "tanh": cmath.tanh,
        "sigmoid": lambda a: 1.0 / (1.0 + cmath.exp(-a)),
        "relu": lambda a: a if a.real > 0 else 0j,
    }
    return table[name](a)


def run(program, leaves):
    """Return the results of all steps, the leaves first."""
    results = list(leaves)
    for name, i, j, c in program[1]:
        a, b = results[i % len(results)], results[j % len(results)]
        if name in BINARY:
            results.append(BINARY[name](a, b))
        elif name in CONSTANT:
            results.append(CONSTANT[name](a, c))
        else:
            results.append(unary(name, a))
    return results


def moderate(results):
    """Not so large or so close to a kink that differences say nothing."""
    plain = [complex(r) for r in results]
    return all(abs(r) < 50 for r in plain) and all(r.real == 0 or abs(r) > 1e-3 for r in plain)


def close(ours, theirs, rtol=1e-11):
    scale = max(1.0, *map(abs, ours), *map(abs, theirs))
    assert np.abs(np.subtract(ours, theirs)).max() <= rtol * scale, (ours, theirs)


@quick
@given(programs)
def test_values_and_gradients_are_those_of_torch(program):
    assume(moderate(run(program, map(complex, program[0]))))
    leaves = [Value(x) for x in program[0]]
    tensors = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in program[0]]
    ours, theirs = run(program, leaves), run(program, tensors)
    for tensor in theirs:
        tensor.retain_grad()
    close([v.data for v in ours], [float(t.detach()) for t in theirs])
    for _ in range(3):  # sums over calls, for leaves and for intermediate values
        ours[-1].backward(0.5)
        theirs[-1].backward(torch.tensor(0.5, dtype=torch.float64), retain_graph=True)
        grads = [0.0 if t.grad is None else float(t.grad) for t in theirs]
        close([v.grad for v in ours], grads)


@quick
@given(programs)
def test_gradients_are_those_of_complex_steps_and_central_differences(program):
    xs = program[0]
    assume(moderate(run(program, map(complex, xs))))
    leaves = [Value(x) for x in xs]
    gradients = vjp(run(program, leaves)[-1], leaves)

    def f(i, step):
        moved = [complex(x) + (step if k == i else 0.0) for k, x in enumerate(xs)]
        return complex(run(program, moved)[-1])

    close(gradients, [f(i, 1e-30j).imag / 1e-30 for i in range(len(xs))])
    h = 1e-6
    differences = [(f(i, h) - f(i, -h)).real / (2 * h) for i in range(len(xs))]
    has_relu = any(name == "relu" for name, *_ in program[1])
    kinks = has_relu and 0 in run(program, map(complex, xs))
    if not kinks:
        close(gradients, differences, rtol=1e-7)


@quick
@given(programs, st.lists(numbers, min_size=20, max_size=20), numbers)
def test_forward_mode_is_the_transpose_of_reverse_mode(program, tangents, grad):
    """grad · (J t) = (Jᵀ grad) · t, with tangents on leaves and on intermediate values."""
    assume(moderate(run(program, map(complex, program[0]))))
    values = run(program, [Value(x) for x in program[0]])
    along = dict(zip(values, tangents, strict=False))
    forward = grad * jvp(values[-1], along)
    reverse = [
        g * t for g, t in zip(vjp(values[-1], list(along), grad), along.values(), strict=True)
    ]
    close([forward], [math.fsum(reverse)])
    assert all(v.grad == 0.0 for v in topological_order(values[-1]))


# --- accumulation ----------------------------------------------------------------------------


def test_repeated_backward_doubles_and_does_not_propagate_old_gradients():
    x = Value(3.0)
    h = x * x
    y = h * h
    y.backward()
    assert (x.grad, h.grad, y.grad) == (108.0, 18.0, 1.0)
    y.backward()
    assert (x.grad, h.grad, y.grad) == (216.0, 36.0, 2.0)
    h.backward(10.0)  # from the middle: y does not take part
    assert (x.grad, h.grad, y.grad) == (276.0, 46.0, 2.0)
    y.zero_grad()
    assert (x.grad, h.grad, y.grad) == (0.0, 0.0, 0.0)


def test_two_outputs_share_a_leaf():
    x = Value(2.0)
    (x * 3.0).backward()
    (x * x).backward()
    assert x.grad == 7.0


def test_diamonds_are_walked_once():
    """60 diamonds in a row have 2⁶⁰ paths and 61 values."""
    x = y = Value(1.0)
    for _ in range(60):
        y = y + y
    assert len(topological_order(y)) == 61
    y.backward()
    assert x.grad == jvp(y, {x: 1.0}) == 2.0**60


def test_a_value_waits_for_all_its_children():
    x = Value(2.0)
    a = x * 3.0
    y = a * (a + (a + x)).exp() * x  # short and long ways from the same values
    y.backward()
    t = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    b = t * 3.0
    (b * (b + (b + t)).exp() * t).backward()
    assert x.grad == pytest.approx(float(t.grad), rel=1e-14)


def test_an_unused_leaf_has_gradient_zero():
    x, unused = Value(2.0), Value(5.0)
    y = x * x
    y.backward()
    assert unused.grad == 0.0
    assert vjp(y, [unused, x]) == (0.0, 4.0)
    assert jvp(y, {unused: 1.0}) == 0.0
    assert jvp(y, {}) == 0.0


def test_a_leaf_is_its_own_output():
    x = Value(2.0)
    x.backward()
    assert x.grad == 1.0
    assert topological_order(x) == [x]
    assert vjp(x, [x], 3.0) == (3.0,)
    assert jvp(x, {x: 3.0}) == 3.0


def test_defaults():
    x = Value(2)
    assert (x.data, x.grad, x.label, x.parents, x.derivatives) == (2.0, 0.0, "", (), ())
    assert type(x.data) is float
    assert vjp(x * 3.0, [x]) == (3.0,)


def test_a_later_change_of_data_does_not_reach_a_result():
    x = Value(3.0)
    y = x * x
    x.data = 100.0
    y.backward()
    assert (y.data, x.grad) == (9.0, 6.0)


# --- single operators ------------------------------------------------------------------------


def test_order_and_labels():
    x, y = Value(2.0, "x"), Value(3.0, "y")
    results = [x + y, x - y, x * y, x / y, x**y, -x, x.exp(), x.log(), x.tanh(), x.sigmoid()]
    assert [v.label for v in results] == [
        "+",
        "-",
        "*",
        "/",
        "**",
        "neg",
        "exp",
        "log",
        "tanh",
        "sigmoid",
    ]
    assert all(v.parents[0] is x for v in results)
    labels = [x + 1, 1 + x, x - 1.5, 1.5 - x, 2 * x, x / 4, 4 / x, x**2, 2**x]
    assert [v.label for v in labels] == [
        "+ 1", "1 +", "- 1.5", "1.5 -", "2 *", "/ 4", "4 /", "** 2", "2 **"
    ]  # fmt: skip
    assert all(v.parents == (x,) for v in labels)
    assert [v.data for v in labels] == [3.0, 3.0, 0.5, -0.5, 4.0, 0.5, 2.0, 4.0, 4.0]


def test_kinks_and_exponents_that_are_plain_numbers():
    x = Value(0.0)
    assert vjp(x.relu(), [x]) == (0.0,)
    assert vjp(x**0, [x]) == (0.0,)
    assert vjp(x**1, [x]) == (1.0,)
    assert vjp(x**2, [x]) == (0.0,)
    negative = Value(-3.0)
    assert (negative**2).data == 9.0
    assert vjp(negative**2, [negative]) == (-6.0,)
    assert vjp(negative**-1, [negative]) == pytest.approx((-1 / 9,))
    assert vjp(negative.relu(), [negative]) == (0.0,)


@pytest.mark.parametrize("a", [-1e4, -750.0, -40.0, -1.0, 0.0, 1.0, 40.0, 1e4])
def test_sigmoid_and_tanh_far_out(a):
    for name in ("sigmoid", "tanh"):
        x = Value(a)
        t = torch.tensor(a, dtype=torch.float64, requires_grad=True)
        y, expected = getattr(x, name)(), getattr(torch, name)(t)
        expected.backward()
        assert y.data == pytest.approx(float(expected.detach()), rel=1e-13, abs=1e-308)
        assert vjp(y, [x])[0] == pytest.approx(float(t.grad), rel=1e-13, abs=1e-308)


def test_plain_numbers_of_numpy():
    x = Value(np.float64(3.0))
    for two in (2, 2.0, np.float64(2.0), np.float32(2.0), np.int64(2)):
        for y, value, slope in (
            (two * x, 6.0, 2.0),
            (x * two, 6.0, 2.0),
            (two - x, -1.0, -1.0),
            (two / x, 2 / 3, -2 / 9),
            (x**two, 9.0, 6.0),
        ):
            assert type(y) is Value
            assert y.data == pytest.approx(value)
            assert vjp(y, [x])[0] == pytest.approx(slope)


def test_sum_works():
    values = [Value(1.0), Value(2.0), Value(3.0)]
    total = sum(values)
    assert total.data == 6.0
    assert vjp(total, values) == (1.0, 1.0, 1.0)


def test_an_operator_is_a_row_of_the_table(monkeypatch):
    monkeypatch.setitem(
        OPERATORS, "hypot", (math.hypot, lambda y, a, b: a / y, lambda y, a, b: b / y)
    )
    a, b = Value(3.0), Value(4.0)
    assert vjp(apply("hypot", a, b), [a, b]) == (0.6, 0.8)
    assert apply("hypot", 3, b).label == "3 hypot"
    assert apply("hypot", 3, b).parents == (b,)


def test_a_row_with_another_number_of_derivatives_than_arguments(monkeypatch):
    monkeypatch.setitem(OPERATORS, "cos", (math.cos,))
    expected = "^cos: expected one derivative for each argument, got 0 for 1$"
    with pytest.raises(ValueError, match=expected):
        apply("cos", Value(1.0))
    with pytest.raises(ValueError, match=r"^neg: .*, got 1 for 2$"):
        apply("neg", Value(1.0), 2.0)


# --- errors ----------------------------------------------------------------------------------

X, ZERO, BIG = Value(-8.0), Value(0.0), Value(1e200)
FINITE = "expected arguments with a finite value and finite derivatives, got "
ERRORS = {
    "log of a negative": (lambda: X.log(), ValueError, f"log: {FINITE}-8"),
    "log of zero": (lambda: ZERO.log(), ValueError, f"log: {FINITE}0"),
    "division by zero": (lambda: X / ZERO, ZeroDivisionError, f"/: {FINITE}-8, 0"),
    "division by 0": (lambda: X / 0, ZeroDivisionError, f"/: {FINITE}-8, 0"),
    "exp": (lambda: Value(1000.0).exp(), OverflowError, f"exp: {FINITE}1000"),
    "product": (lambda: BIG * BIG, OverflowError, f"*: {FINITE}1e+200, 1e+200"),
    "derivative": (lambda: 1.0 / Value(1e-200), OverflowError, f"/: {FINITE}1, 1e-200"),
    "root": (lambda: X ** (1 / 3), ValueError, f"**: {FINITE}-8, 0.333333"),
    "slope of the root": (lambda: ZERO**0.5, ValueError, f"**: {FINITE}0, 0.5"),
    "negative power": (lambda: ZERO**-1, ValueError, f"**: {FINITE}0, -1"),
    "value as exponent": (lambda: X ** Value(2.0), ValueError, f"**: {FINITE}-8, 2"),
    "negative base": (lambda: (-2) ** Value(2.0), ValueError, f"**: {FINITE}-2, 2"),
    "text": (lambda: X + "1", TypeError, "+: expected a number, got str"),
    "reflected text": (lambda: "1" * X, TypeError, "*: expected a number, got str"),
    "list": (lambda: X / [1], TypeError, "/: expected a number, got list"),
    "bool": (lambda: X - True, TypeError, "-: expected a number, got bool"),
    "array": (lambda: np.ones(2) + X, TypeError, "+: expected a number, got ndarray"),
    "nan constant": (lambda: X + math.nan, ValueError, "+: expected a finite number, got nan"),
    "nan": (lambda: Value(math.nan), ValueError, "data: expected a finite number, got nan"),
    "None": (lambda: Value(None), TypeError, "data: expected a number, got NoneType"),
    "tensor": (lambda: Value(torch.tensor(1.0)), TypeError, "data: expected a number, got Tensor"),
    "label": (lambda: Value(1.0, 2), TypeError, "label: expected a str, got int"),
    "control": (
        lambda: Value(1.0, "a\0"),
        ValueError,
        "label: expected text that prints, got 'a\\x00'",
    ),
    "operator": (
        lambda: apply("sinh", X),
        ValueError,
        "operator: expected one of ['+', '-', '*', '/', '**', 'neg', 'exp', 'log', 'tanh', "
        "'sigmoid', 'relu'], got 'sinh'",
    ),
    "grad": (lambda: X.backward("1"), TypeError, "grad: expected a number, got str"),
    "grad inf": (
        lambda: X.backward(math.inf),
        ValueError,
        "grad: expected a finite number, got inf",
    ),
    "order": (lambda: topological_order(1.0), TypeError, "output: expected a Value, got float"),
    "vjp output": (lambda: vjp(1.0, [X]), TypeError, "output: expected a Value, got float"),
    "vjp input": (lambda: vjp(X, [1.0]), TypeError, "inputs: expected a Value, got float"),
    "vjp grad": (lambda: vjp(X, [X], None), TypeError, "grad: expected a number, got NoneType"),
    "jvp output": (lambda: jvp(2, {}), TypeError, "output: expected a Value, got int"),
    "jvp key": (lambda: jvp(X, {"x": 1.0}), TypeError, "tangents: expected a Value, got str"),
    "jvp tangent": (lambda: jvp(X, {X: "1"}), TypeError, "tangents: expected a number, got str"),
    "svg": (lambda: to_svg(3.0), TypeError, "output: expected a Value, got float"),
    "svg title": (lambda: to_svg(X, 3), TypeError, "title: expected a str, got int"),
    "svg title that does not print": (
        lambda: to_svg(X, "\n"),
        ValueError,
        "title: expected text that prints, got '\\n'",
    ),
    "copy": (
        lambda: copy.deepcopy(X * 2),
        TypeError,
        "Value: expected a leaf to copy or pickle, got a result; take its data",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), ERRORS.values(), ids=ERRORS)
def test_errors_say_what_was_expected_and_what_came(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) is error
    assert str(caught.value) == message
    assert X.grad == 0.0


def test_python_functions_do_not_drop_the_graph():
    with pytest.raises(TypeError):
        math.exp(Value(1.0))
    with pytest.raises(TypeError):
        float(Value(1.0))


# --- deep graphs -----------------------------------------------------------------------------

DEEP = """
import copy, pickle, threading
from bpref.graph import Value, jvp

def work():
    x = y = Value(1.0)
    for _ in range(10**6):
        y = -y
    y.backward()
    assert x.grad == 1.0
    assert jvp(y, {x: 2.0}) == 2.0
    assert repr(y) == "Value(data=1.0, grad=1.0)"
    for refuse in (copy.copy, copy.deepcopy, pickle.dumps):
        try:
            refuse(y)
        except TypeError as error:
            assert "expected a leaf" in str(error)
        else:
            raise AssertionError(refuse)
    del y  # frees a million values, each of which holds the next
    print("done")

threading.stack_size(512 * 1024)  # a sixteenth of the usual stack: recursion in C would show
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


def test_a_chain_of_a_million_values():
    """In a process of its own: an overflow of the stack ends the process."""
    command = [sys.executable, "-W", "error", "-c", DEEP]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def test_walks_of_deep_graphs_do_not_recurse():
    x = y = Value(1.0)
    for _ in range(2 * sys.getrecursionlimit()):
        y = -y
    y.backward()
    y.zero_grad()
    assert x.grad == 0.0
    assert vjp(y, [x]) == (1.0,)
    with pytest.raises(ValueError, match="values to draw"):
        to_svg(y)


def test_a_value_is_small():
    assert not hasattr(Value(1.0), "__dict__")
    assert sys.getsizeof(Value(1.0)) <= 72


def test_a_leaf_can_be_copied_and_pickled():
    x = Value(2.0, "x")
    (x * x).backward()
    for again in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert again is not x
        assert (again.data, again.grad, again.label, again.parents) == (2.0, 4.0, "x", ())
    first, second = copy.deepcopy([x, x])
    assert first is second


# --- the drawing -----------------------------------------------------------------------------

SVG = "{http://www.w3.org/2000/svg}"


def neuron():
    x, w, b = Value(0.5, "x"), Value(-3.0, "权重 <w>"), Value(2.0, 'b & "c"')
    y = (w * x + b).tanh() ** 2 + 0.01 * w * w
    y.backward()
    return y


def boxes(root):
    return [
        tuple(float(r.get(k)) for k in ("x", "y", "width", "height"))
        for r in root.iter(f"{SVG}rect")
    ]


def test_the_drawing_shows_every_label_value_and_gradient():
    y = neuron()
    root = ET.fromstring(to_svg(y, "One <neuron>"))
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert root[0].tag == f"{SVG}title"
    assert root[0].text == "One <neuron>"
    texts = [t.text or "" for t in root.iter(f"{SVG}text")]
    expected = [
        line
        for v in topological_order(y)
        for line in (v.label, f"value {v.data:.6g}", f"gradient {v.grad:.6g}")
    ]
    assert texts == expected
    assert root[1].tag == f"{SVG}desc"
    assert root[1].text.startswith("1: 权重 <w>, value -3, gradient ")
    assert root[1].text.split("; ")[2].endswith(", from 1, from 2")
    assert all(f"value {v.data:.6g}" in root[1].text for v in topological_order(y))


def test_the_drawing_needs_nothing_else():
    svg = to_svg(neuron())
    assert "<title>Computational graph</title>" in svg
    assert not re.search(r"<style|<script|href|\bid=|url\(|@import", svg)
    colours = set(re.findall(r"(?:fill|stroke): ([^\"]+)\"", svg))
    names = ("ink", "muted", "forward", "backward")
    assert colours == {f"var(--fig-{name}, currentColor)" for name in names}


def tangled(seed, n):
    """A graph of n steps, each of which takes the last result and an earlier one or two."""
    rng = np.random.default_rng(seed)
    values = [Value(0.5, "x"), Value(0.25, "w")]
    for _ in range(n):
        last, other = values[-1], values[rng.integers(len(values))]
        choices = [-last, last + other, other + last, last * other, -other + last]
        values.append(choices[rng.integers(len(choices))])
    return values[-1]


@quick
@given(seeds, st.integers(0, 30))
def test_boxes_lie_apart_inside_the_drawing_and_edges_go_right(seed, n):
    y = tangled(seed, n)
    order = topological_order(y)
    root = ET.fromstring(to_svg(y))
    _, _, width, height = map(float, root.get("viewBox").split())
    places = boxes(root)
    assert len(places) == len(order)
    for i, (x, y_, w, h) in enumerate(places):
        assert x > 0
        assert y_ > 0
        assert x + w < width
        assert y_ + h < height
        for x2, y2, _, _ in places[:i]:
            assert abs(x - x2) >= w + 40 or abs(y_ - y2) >= h + 10
    box = dict(zip(order, places, strict=True))
    edges = [(parent, v) for v in order for parent in v.parents]
    paths = [p.get("d") for p in root.iter(f"{SVG}path")]
    assert len(paths) == len(edges)
    for path, (parent, child) in zip(paths, edges, strict=True):
        x0, y0, stop, *_, x1, y1 = map(float, re.findall(r"-?[\d.]+", path.split("l")[0]))
        left, top, w, h = box[parent]
        assert (x0, y0) == (left + w, top + h / 2)
        assert (x1, y1) == (box[child][0], box[child][1] + h / 2)
        assert x0 <= stop < x1
        for left, top, w, h in places:  # the straight part meets no box
            assert not (top < y0 < top + h and left < stop and left + w > x0)


def test_a_drawing_of_too_many_values_is_refused():
    y = Value(1.0)
    for _ in range(graph.LARGEST_DRAWING - 1):
        y = -y
    assert to_svg(y).count("<rect") == 200
    with pytest.raises(ValueError, match=r"^output: expected at most 200 values to draw, got 201$"):
        to_svg(-y)


# --- the budget ------------------------------------------------------------------------------


@pytest.mark.parametrize(("module", "most"), [(engine, 135), (drawing, 55)])
def test_the_engine_fits_on_three_screens(module, most):
    """Lines of code without docstrings, comments and blank lines; the drawing apart."""
    source = Path(module.__file__).read_text(encoding="utf-8")
    tree = ast.parse(source)
    prose = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(
            node
        ):
            prose.update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    code = [
        number
        for number, line in enumerate(source.splitlines(), 1)
        if number not in prose and line.strip() and not line.strip().startswith("#")
    ]
    assert len(code) <= most
