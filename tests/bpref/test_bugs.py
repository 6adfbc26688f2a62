"""Every wrong backward pass is wrong, every right one is right, and the list is complete."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import bpref.functional as F
from bpref.bugs import CATALOG, activation, catalog, conv, dense, loss, norm, sequence, structure

IDS = [bug.id for bug in CATALOG]
BY_ID = {bug.id: bug for bug in CATALOG}
MODULES = (dense, activation, loss, norm, conv, sequence, structure)
# The shape is wrong here, so the check refuses before it compares.
WRONG_SHAPE = {"gain_one_number"}


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_the_catalogue_is_complete() -> None:
    assert len(CATALOG) >= 24
    assert len(set(IDS)) == len(IDS)
    # A bug is a function with its own marked lines; none may be forgotten in the list.
    marked = [
        name
        for module in MODULES
        for name in vars(module)
        if f"start:{name}]" in (module.__loader__.get_source(module.__name__))
    ]
    assert sorted(marked) == sorted(IDS)


@pytest.mark.parametrize("bug", CATALOG, ids=IDS)
def test_names(bug: catalog.Bug) -> None:
    assert bug.wrong.__name__ == bug.id
    assert bug.right.__name__ == (
        "store" if bug.operator == "store" else f"{bug.operator}_backward"
    )
    assert bug.wrong.__module__ == bug.right.__module__ == f"bpref.bugs.{bug.room}"
    assert all(place == "article" or place.startswith("https://github.com/") for place in bug.seen)
    assert bug.networks


@pytest.mark.parametrize("bug", CATALOG, ids=IDS)
def test_the_lines_differ(bug: catalog.Bug) -> None:
    assert bug.wrong_lines
    assert bug.right_lines
    assert bug.wrong_lines != bug.right_lines
    assert "--8<--" not in bug.wrong_lines + bug.right_lines


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("bug", CATALOG, ids=IDS)
def test_the_right_pass_agrees_with_numerical_derivatives(bug: catalog.Bug, seed: int) -> None:
    report = bug.check("right", seed)
    assert report.ok, str(report)
    assert report.checked > len(report.kinks)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("bug", CATALOG, ids=IDS)
def test_the_gradient_check_finds_the_wrong_pass(bug: catalog.Bug, seed: int) -> None:
    if bug.id in WRONG_SHAPE:
        with pytest.raises(ValueError, match="expected shape"):
            bug.check("wrong", seed)
        return
    report = bug.check("wrong", seed)
    assert not report.ok
    assert report.max_relative_error > 1e-3


def test_only_two_words_are_known() -> None:
    with pytest.raises(ValueError, match="backward: expected 'wrong' or 'right', got 'left'"):
        CATALOG[0].check("left")


def test_options_reach_the_check() -> None:
    assert BY_ID["slope_twice"].check("wrong", rtol=10.0).ok
    assert not dataclasses.replace(BY_ID["slope_twice"]).check().ok


def test_the_example_depends_on_the_seed() -> None:
    worst = {float(BY_ID["slope_twice"].check("wrong", seed).worst.analytic) for seed in (0, 1)}
    assert len(worst) == 2


def equal(ours: object, theirs: object) -> None:
    if isinstance(ours, tuple):
        assert len(ours) <= len(theirs)
        for a, b in zip(ours, theirs, strict=False):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    else:
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("pair", "theirs", "shapes", "options"),
    [
        ((dense.linear, dense.linear_backward), "linear", [(5, 3), (4, 3), (4,)], {}),
        ((activation.tanh, activation.tanh_backward), "tanh", [(4, 3)], {}),
        ((activation.relu, activation.relu_backward), "relu", [(4, 3)], {}),
        (
            (activation.leaky_relu, activation.leaky_relu_backward), "leaky_relu", [(4, 3)],
            {"negative_slope": activation.SLOPE},
        ),
        ((loss.softmax, loss.softmax_backward), "softmax", [(4, 3)], {"dim": -1}),
        (
            (conv.conv2d, conv.conv2d_backward), "conv2d",
            [(2, 3, 4, 5), (2, 3, 3, 3), (2,)], {"padding": 1},
        ),
        ((conv.max_pool, conv.max_pool_backward), "max_pool2d", [(2, 3, 4, 6)], {"kernel_size": 2}),
    ],
    ids=["linear", "tanh", "relu", "leaky_relu", "softmax", "conv2d", "max_pool"],
)  # fmt: skip
def test_the_right_pass_agrees_with_the_package(pair, theirs, shapes, options, rng) -> None:
    arrays = [rng.normal(size=shape) for shape in shapes]
    output, cache = pair[0](*arrays)
    expected, their_cache = getattr(F, theirs)(*arrays, **options)
    equal(output, expected)
    delta = rng.normal(size=output.shape)
    equal(pair[1](delta, cache), getattr(F, f"{theirs}_backward")(delta, their_cache))


def test_half_mse_agrees_with_the_package(rng) -> None:
    Y_hat, Y = rng.normal(size=(2, 5, 3))
    J, cache = loss.half_mse(Y_hat, Y)
    expected, their_cache = F.half_mse_loss(Y_hat, Y)
    equal(J, expected)
    equal(loss.half_mse_backward(1.0, cache), F.half_mse_loss_backward(1.0, their_cache))


def test_cross_entropy_agrees_with_the_package(rng) -> None:
    Z, labels = rng.normal(size=(5, 3)), rng.integers(0, 3, size=5)
    mask = np.array([True, False, True, True, False])
    J, cache = loss.cross_entropy(Z, labels, mask)
    expected, their_cache = F.cross_entropy(Z, np.where(mask, labels, -100))
    equal(J, expected)
    ours = loss.cross_entropy_backward(1.0, cache)
    equal(ours, F.cross_entropy_backward(1.0, their_cache))
    # In two steps: softmax, then the negative logarithm.
    P, cache_P = loss.softmax(Z)
    J, cache = loss.negative_log(P, labels)
    equal(J, F.cross_entropy(Z, labels)[0])
    two_steps = loss.softmax_backward(loss.negative_log_backward(1.0, cache), cache_P)
    equal(two_steps, F.cross_entropy_backward(1.0, F.cross_entropy(Z, labels)[1]))


def test_layer_norm_agrees_with_the_package(rng) -> None:
    X, gain, shift, delta = (
        rng.normal(size=(4, 5)),
        *rng.normal(size=(2, 5)),
        rng.normal(size=(4, 5)),
    )
    output, cache = norm.layer_norm(X, gain, shift)
    expected, their_cache = F.layer_norm(X, (5,), gain, shift)
    equal(output, expected)
    equal(norm.layer_norm_backward(delta, cache), F.layer_norm_backward(delta, their_cache))


def test_embedding_and_attention_agree_with_the_package(rng) -> None:
    E, ids = rng.normal(size=(4, 3)), np.array([[0, 2, 2], [3, 0, 2]])
    delta = rng.normal(size=(2, 3, 3))
    _, cache = sequence.embedding(E, ids)
    equal(
        sequence.embedding_backward(delta, cache),
        F.embedding_backward(delta, F.embedding(ids, E)[1]),
    )
    Q, K, V, delta = rng.normal(size=(4, 2, 3, 4))
    output, cache = sequence.attention(Q, K, V)
    expected, their_cache = F.scaled_dot_product_attention(Q, K, V)
    equal(output, expected)
    theirs = F.scaled_dot_product_attention_backward(delta, their_cache)
    equal(sequence.attention_backward(delta, cache), theirs)


def test_a_bug_shows_only_where_it_can(rng) -> None:
    """Places where the wrong pass is right: why a check needs generic inputs."""
    delta, X = rng.normal(size=(2, 4, 3))
    symmetric = np.array([[2.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 4.0]])
    for wrong, cache in (
        (dense.missing_transpose, (X, symmetric)),
        (dense.missing_weight, (X, np.eye(3))),
    ):
        equal(wrong(delta, cache), dense.linear_backward(delta, cache))
    one = (rng.normal(size=(1, 1)), rng.normal(size=(1, 1)))
    equal(loss.sum_for_mean(1.0, one), loss.half_mse_backward(1.0, one))
    equal(loss.labels_broadcast(1.0, one), loss.half_mse_backward(1.0, one))
    ids = np.array([2, 0, 1])
    equal(
        sequence.embedding_assign(delta[:3], (ids, 3)),
        sequence.embedding_backward(delta[:3], (ids, 3)),
    )
    _, windows = conv.max_pool(rng.normal(size=(1, 1, 4, 4)))  # no ties
    g = rng.normal(size=(1, 1, 2, 2))
    equal(conv.pool_all_ties(g, windows), conv.max_pool_backward(g, windows))
    # The first step: the buffer is empty, nothing to clear.
    equal(structure.not_cleared(delta, 0 * delta), structure.store(delta, 0 * delta))


def test_nothing_is_modified(rng) -> None:
    A = rng.normal(size=(4, 3))
    before = A.copy()
    activation.relu_in_place(np.ones_like(A), A)
    mask = np.ones((2, 3), dtype=bool)
    norm.dropout_new_mask(np.ones((2, 3)), (mask, 0.5, np.random.default_rng(0)))
    loss.softmax_twice(1.0, (A, np.zeros(4, dtype=int), np.ones(4, dtype=bool)))
    np.testing.assert_array_equal(A, before)
    assert mask.all()
