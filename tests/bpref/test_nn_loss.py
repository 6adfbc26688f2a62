"""The losses as modules against torch.nn: loss, gradient, options, state_dict, repr."""

import re

import numpy as np
import pytest
import torch
from strategies import assert_like_torch, normal

import bpref.functional as F
from bpref import nn
from bpref.fast import loss as fast

LABELS = np.array([0, 2, 1, 1, 0])
WEIGHT = np.array([0.5, 1.0, 2.0])
LOG_P = F.log_softmax(normal(0, 5, 3), 1)[0]
PROBABILITIES = np.exp(F.log_softmax(normal(1, 5, 3), 1)[0])
SIGNS = np.where(normal(1, 5, 3) > 0, 1.0, -1.0)

# name: (input, target, options that are tried, all with names)
CASES = {
    "MSELoss": (normal(0, 5, 3), normal(1, 5, 3), [{}]),
    "L1Loss": (normal(0, 5, 3), normal(1, 5, 3), [{}]),
    "SmoothL1Loss": (normal(0, 5, 3), normal(1, 5, 3), [{}, {"beta": 0.3}]),
    "HuberLoss": (normal(0, 5, 3), normal(1, 5, 3), [{}, {"delta": 0.3}]),
    "BCEWithLogitsLoss": (
        normal(0, 5, 3),
        PROBABILITIES,
        [{}, {"weight": WEIGHT}, {"pos_weight": WEIGHT}],
    ),
    "CrossEntropyLoss": (
        normal(0, 5, 3),
        LABELS,
        [{}, {"weight": WEIGHT}, {"ignore_index": 1}, {"label_smoothing": 0.2}],
    ),
    "NLLLoss": (LOG_P, LABELS, [{}, {"weight": WEIGHT}, {"ignore_index": 1}]),
    "KLDivLoss": (LOG_P, PROBABILITIES, [{}, {"log_target": True}]),
    "HingeEmbeddingLoss": (normal(0, 5, 3), SIGNS, [{}, {"margin": 0.3}]),
    "MultiMarginLoss": (
        normal(0, 5, 3),
        LABELS,
        [{}, {"p": 2}, {"margin": 0.3}, {"weight": WEIGHT}],
    ),
}
EVERY = [(name, options) for name, (_, _, tried) in CASES.items() for options in tried]


def to_torch(value):
    return torch.from_numpy(value.copy()) if isinstance(value, np.ndarray) else value


def torch_module(name, options):
    return getattr(torch.nn, name)(**{key: to_torch(value) for key, value in options.items()})


@pytest.mark.parametrize(("name", "options"), EVERY, ids=str)
@pytest.mark.parametrize("reduction", ["default", "none", "sum"])
def test_like_torch(name, options, reduction):
    input, target, _ = CASES[name]
    if reduction != "default":
        options = {**options, "reduction": reduction}
    elif name == "KLDivLoss":
        options = {**options, "reduction": "batchmean"}  # PyTorch warns of the default
    criterion, reference = getattr(nn, name)(**options), torch_module(name, options)
    tensor = to_torch(input).requires_grad_()
    expected = reference(tensor, to_torch(target))
    grad_output = normal(2, *expected.shape)
    expected.backward(to_torch(np.asarray(grad_output)))
    assert_like_torch(criterion(input, target), expected)
    assert_like_torch(criterion.backward(grad_output), tensor.grad)


@pytest.mark.parametrize("name", CASES)
def test_the_gradient_of_a_final_loss_is_one(name):
    input, target, _ = CASES[name]
    criterion = getattr(nn, name)()
    criterion(input, target)
    by_default = criterion.backward()
    criterion(input, target)
    np.testing.assert_array_equal(criterion.backward(1.0), by_default)
    criterion(input, target)
    np.testing.assert_allclose(criterion.backward(3.0), 3 * by_default, rtol=1e-14)


def test_half_mse_is_that_of_functional():
    input, target, _ = CASES["MSELoss"]
    for reduction in ("mean", "sum", "none"):
        criterion = nn.HalfMSELoss(reduction)
        loss, cache = F.half_mse_loss(input, target, reduction)
        np.testing.assert_array_equal(criterion(input, target), loss)
        grad_output = np.ones(np.shape(loss))
        np.testing.assert_array_equal(
            criterion.backward(grad_output), F.half_mse_loss_backward(grad_output, cache)
        )
    criterion = nn.HalfMSELoss()
    assert criterion(input, target) == F.half_mse_loss(input, target)[0]
    _, cache = F.half_mse_loss(input, target)
    np.testing.assert_array_equal(criterion.backward(), F.half_mse_loss_backward(1.0, cache))


@pytest.mark.parametrize(
    "options", [{}, {"blank": 1}, {"reduction": "sum"}, {"zero_infinity": True}]
)
def test_ctc_is_that_of_functional(options):
    """With lengths of which the second is too short; the functional is compared with PyTorch."""
    log_probs = F.log_softmax(normal(0, 4, 2, 4), 2)[0]
    arguments = np.array([[2, 3], [2, 2]]), np.array([4, 2]), np.array([2, 2])
    criterion = nn.CTCLoss(**options)
    loss, cache = F.ctc_loss(log_probs, *arguments, **options)
    assert criterion(log_probs, *arguments) == loss
    np.testing.assert_array_equal(criterion.backward(), F.ctc_loss_backward(1.0, cache))
    tensors = (torch.from_numpy(a) for a in (log_probs, *arguments))
    assert_like_torch(loss, torch.nn.CTCLoss(**options)(*tensors))


def test_options_in_pytorchs_order():
    """Without the deprecated size_average and reduce."""
    assert nn.MSELoss("sum").reduction == nn.L1Loss("sum").reduction == "sum"
    assert nn.HalfMSELoss("none").reduction == "none"
    smooth, huber = nn.SmoothL1Loss("sum", 0.5), nn.HuberLoss("none", 0.25)
    assert (smooth.reduction, smooth.beta) == ("sum", 0.5)
    assert (huber.reduction, huber.delta) == ("none", 0.25)
    binary = nn.BCEWithLogitsLoss(WEIGHT, "sum", 2 * WEIGHT)
    np.testing.assert_array_equal(binary.weight.data, WEIGHT)
    np.testing.assert_array_equal(binary.pos_weight.data, 2 * WEIGHT)
    assert binary.reduction == "sum"
    classes = nn.CrossEntropyLoss(WEIGHT, 1, "sum", 0.1)
    np.testing.assert_array_equal(classes.weight.data, WEIGHT)
    assert (classes.ignore_index, classes.reduction, classes.label_smoothing) == (1, "sum", 0.1)
    nll = nn.NLLLoss(WEIGHT, 1, "sum")
    np.testing.assert_array_equal(nll.weight.data, WEIGHT)
    assert (nll.ignore_index, nll.reduction) == (1, "sum")
    kl = nn.KLDivLoss("batchmean", True)
    assert (kl.reduction, kl.log_target) == ("batchmean", True)
    hinge = nn.HingeEmbeddingLoss(0.5, "sum")
    assert (hinge.margin, hinge.reduction) == (0.5, "sum")
    margin = nn.MultiMarginLoss(2, 0.5, WEIGHT, "sum")
    assert (margin.p, margin.margin, margin.reduction) == (2, 0.5, "sum")
    np.testing.assert_array_equal(margin.weight.data, WEIGHT)
    ctc = nn.CTCLoss(1, "sum", True)
    assert (ctc.blank, ctc.reduction, ctc.zero_infinity) == (1, "sum", True)


@pytest.mark.parametrize("name", [*CASES, "CTCLoss"])
def test_defaults_and_repr_are_pytorchs(name):
    ours, theirs = getattr(nn, name)(), getattr(torch.nn, name)()
    assert repr(ours) == repr(theirs)
    for option, value in vars(ours).items():
        assert getattr(theirs, option) == value
    assert list(ours.parameters()) == []
    assert ours.state_dict() == {}


def test_repr_of_half_mse():
    assert repr(nn.HalfMSELoss("sum")) == "HalfMSELoss()"


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("CrossEntropyLoss", ["weight"]),
        ("NLLLoss", ["weight"]),
        ("MultiMarginLoss", ["weight"]),
        ("BCEWithLogitsLoss", ["weight", "pos_weight"]),
    ],
)
def test_weights_move_to_torch_and_back(name, keys):
    options = {key: (i + 1) * WEIGHT for i, key in enumerate(keys)}
    ours, theirs = getattr(nn, name)(**options), torch_module(name, options)
    assert list(ours.state_dict()) == list(theirs.state_dict()) == keys
    fresh = torch_module(name, {key: np.zeros(3) for key in keys})
    fresh.load_state_dict({key: to_torch(value) for key, value in ours.state_dict().items()})
    again = getattr(nn, name)(**{key: np.zeros(3) for key in keys})
    again.load_state_dict(fresh.state_dict())
    for key, value in options.items():
        np.testing.assert_array_equal(again.state_dict()[key], value)
    input, target, _ = CASES[name]
    assert again(input, target) == ours(input, target)


def test_weights_are_copied():
    weight = WEIGHT.copy()
    criterion = nn.CrossEntropyLoss(weight)
    weight[...] = 0.0
    np.testing.assert_array_equal(criterion.weight.data, WEIGHT)


@pytest.mark.parametrize("name", CASES)
def test_float32(name):
    input, target, _ = CASES[name]
    target = target.astype(np.float32) if target.dtype == np.float64 else target
    criterion = getattr(nn, name)()
    assert criterion(input.astype(np.float32), target).dtype == np.float32
    assert criterion.backward().dtype == np.float32


def test_a_training_loop():
    """The loss modules close the loop: model(x), criterion, criterion.backward, model.backward."""
    rng = np.random.default_rng(0)
    model, criterion = nn.MLP([2, 8, 3], generator=rng), nn.CrossEntropyLoss()
    x, y = rng.standard_normal((30, 2)), rng.integers(0, 3, 30)
    losses = []
    for _ in range(50):
        losses.append(criterion(model(x), y))
        model.zero_grad()
        model.backward(criterion.backward())
        for parameter in model.parameters():
            parameter.data -= 0.5 * parameter.grad
    assert losses[-1] < 0.8 * losses[0]


# The fast path of cross_entropy; the registry's tests compare it with PyTorch as well.


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weight": WEIGHT},
        {"ignore_index": 0},
        {"ignore_index": 2},
        {"label_smoothing": 0.1},
    ],
)
def test_fast_cross_entropy(options, reduction):
    input = normal(0, 5, 3)
    for target in (LABELS, PROBABILITIES, np.array([0, -100, 1, 2, -100])):
        if target is PROBABILITIES and "ignore_index" in options:
            continue
        target = np.where(target < 0, options.get("ignore_index", -100), target)
        loss, cache = fast.cross_entropy(input, target, reduction=reduction, **options)
        expected, expected_cache = F.cross_entropy(input, target, reduction=reduction, **options)
        np.testing.assert_allclose(loss, expected, rtol=1e-14)
        grad_output = np.arange(1.0, 6.0) if reduction == "none" else 2.0
        np.testing.assert_allclose(
            fast.cross_entropy_backward(grad_output, cache),
            F.cross_entropy_backward(grad_output, expected_cache),
            rtol=1e-13,
            atol=1e-16,
        )


def test_fast_cross_entropy_takes_its_own_way():
    """Its cache is shorter; whatever is not the ordinary case goes to the clear version."""
    plain = normal(0, 5, 3), LABELS
    assert len(fast.cross_entropy(*plain)[1]) == 4
    assert len(fast.cross_entropy(*plain, reduction="sum")[1]) == 4
    others = [
        lambda: fast.cross_entropy(*plain, WEIGHT),
        lambda: fast.cross_entropy(*plain, ignore_index=0),
        lambda: fast.cross_entropy(*plain, label_smoothing=0.1),
        lambda: fast.cross_entropy(plain[0], PROBABILITIES),
        lambda: fast.cross_entropy(plain[0], np.full(5, -100)),
        lambda: fast.cross_entropy(plain[0].tolist(), LABELS),
        lambda: fast.cross_entropy(plain[0][0], np.array(1)),
        lambda: fast.cross_entropy(np.empty((0, 3)), np.empty(0, int)),
        lambda: fast.cross_entropy(normal(0, 5, 3, 2), np.zeros((5, 2), int)),
    ]
    for call in others:
        assert len(call()[1]) == 5


def test_fast_cross_entropy_complains_like_the_clear_one():
    input = normal(0, 5, 3)
    for target, message in (
        (LABELS + 1, "target: expected labels from 0 to 2, got 3 at index (1,)"),
        (LABELS - 1, "target: expected labels from 0 to 2, got -1 at index (0,)"),
        (LABELS[:4], "target: expected shape (5,), got (4,)"),
    ):
        with pytest.raises(ValueError, match="^" + re.escape(message)):
            fast.cross_entropy(input, target)
    with pytest.raises(ValueError, match=r"^reduction: expected one of"):
        fast.cross_entropy(input, LABELS, reduction="average")
    with pytest.raises(TypeError, match=r"^ignore_index: expected an int, got float"):
        fast.cross_entropy(input, LABELS, ignore_index=-1.0)
    _, cache = fast.cross_entropy(input, LABELS)
    with pytest.raises(ValueError, match=r"^grad_output: expected shape \(\), got \(5,\)"):
        fast.cross_entropy_backward(np.ones(5), cache)


def test_fast_cross_entropy_backward_may_be_called_twice():
    _, cache = fast.cross_entropy(normal(0, 5, 3), LABELS)
    once = fast.cross_entropy_backward(1.0, cache)
    np.testing.assert_array_equal(fast.cross_entropy_backward(1.0, cache), once)
