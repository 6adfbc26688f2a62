"""ctc_loss against the enumeration of all alignments, and against PyTorch behind log_softmax."""

import itertools

import numpy as np
import pytest
import torch
from strategies import assert_like_torch

import bpref.functional as F

torch_F = torch.nn.functional


def log_probs(frames, samples, symbols, seed=0):
    logits = np.random.default_rng(seed).standard_normal((frames, samples, symbols))
    return F.log_softmax(logits, -1)[0]


def collapse(alignment, blank):
    """Drop repetitions, then blanks."""
    return tuple(symbol for symbol, _ in itertools.groupby(alignment) if symbol != blank)


def enumerate_alignments(log_p, target, blank=0):
    """p(target) and how often each symbol is emitted in each frame, given the target."""
    frames, symbols = log_p.shape
    total, visits = 0.0, np.zeros((frames, symbols))
    for alignment in itertools.product(range(symbols), repeat=frames):
        if collapse(alignment, blank) == tuple(target):
            probability = np.exp(log_p[np.arange(frames), alignment].sum())
            total += probability
            visits[np.arange(frames), alignment] += probability
    return total, visits / total


TARGETS = [[], [1], [2], [1, 2], [1, 1], [2, 1, 2], [1, 2, 1], [2, 2, 1]]


@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize("frames", [4, 5])
@pytest.mark.parametrize("blank", [0, 1])
def test_like_all_alignments(target, frames, blank):
    symbols = [0, 1, 2]
    symbols.remove(blank)
    target = [symbols[label - 1] for label in target]  # any labels but the blank
    log_p = log_probs(frames, 1, 3)
    total, visits = enumerate_alignments(log_p[:, 0], target, blank)
    lengths = np.array([frames]), np.array([len(target)])
    targets = np.array([target], int).reshape(1, len(target))
    loss, cache = F.ctc_loss(log_p, targets, *lengths, blank, "none")
    np.testing.assert_allclose(loss, [-np.log(total)], rtol=1e-12)
    gradient = F.ctc_loss_backward(np.array([2.0]), cache)
    np.testing.assert_allclose(gradient[:, 0], -2 * visits, rtol=1e-12, atol=1e-15)


def test_all_targets_together_have_the_probability_one():
    log_p = log_probs(3, 1, 3)
    total = 0.0
    for length in range(4):
        for target in itertools.product((1, 2), repeat=length):
            targets = np.array([target], int).reshape(1, length)
            loss, _ = F.ctc_loss(log_p, targets, np.array([3]), np.array([length]), reduction="sum")
            total += np.exp(-loss)
    np.testing.assert_allclose(total, 1.0, rtol=1e-12)


BATCH = {
    "targets": np.array([[1, 2, 2], [3, 1, 0], [2, 0, 0], [0, 0, 0]]),
    "input_lengths": np.array([6, 4, 1, 5]),
    "target_lengths": np.array([3, 2, 1, 0]),
}


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("zero_infinity", [False, True])
def test_like_torch_behind_log_softmax(reduction, zero_infinity):
    logits = np.random.default_rng(0).standard_normal((6, 4, 4))
    tensor = torch.from_numpy(logits).requires_grad_()
    tensors = (torch.from_numpy(array) for array in BATCH.values())
    options = {"reduction": reduction, "zero_infinity": zero_infinity}
    expected = torch_F.ctc_loss(tensor.log_softmax(2), *tensors, **options)
    grad_output = np.random.default_rng(1).standard_normal(expected.shape)
    expected.backward(torch.from_numpy(np.asarray(grad_output)))

    log_p, log_cache = F.log_softmax(logits, 2)
    loss, cache = F.ctc_loss(log_p, **BATCH, **options)
    gradient = F.log_softmax_backward(F.ctc_loss_backward(grad_output, cache), log_cache)
    assert_like_torch(loss, expected)
    assert_like_torch(gradient, tensor.grad)


def test_torchs_gradient_is_already_that_for_the_logits():
    log_p = log_probs(6, 4, 4)
    tensor = torch.from_numpy(log_p).requires_grad_()
    torch_F.ctc_loss(tensor, *map(torch.from_numpy, BATCH.values())).backward()
    _, cache = F.ctc_loss(log_p, **BATCH)
    posterior = -F.ctc_loss_backward(1.0, cache)
    frames = np.arange(6)[:, None] < BATCH["input_lengths"]
    shares = 1 / (4 * np.maximum(BATCH["target_lengths"], 1))
    np.testing.assert_allclose(posterior.sum(axis=2), frames * shares)
    expected = np.exp(log_p) * (frames * shares)[:, :, None] - posterior
    np.testing.assert_allclose(tensor.grad.numpy(), expected, rtol=1e-12, atol=1e-15)


def test_mean_divides_by_the_target_lengths_first():
    log_p = log_probs(6, 4, 4)
    none, _ = F.ctc_loss(log_p, **BATCH, reduction="none")
    mean, _ = F.ctc_loss(log_p, **BATCH)
    np.testing.assert_allclose(mean, (none / [3, 2, 1, 1]).mean(), rtol=1e-14)


def test_what_stands_behind_the_lengths_does_not_matter():
    log_p, targets = log_probs(6, 4, 4), BATCH["targets"].copy()
    loss, cache = F.ctc_loss(log_p, **BATCH)
    log_p[4:, 1] = 7.0
    log_p[1:, 2] = -np.inf
    targets[1, 2:], targets[2, 1:], targets[3] = -1, 99, 3
    again, cache_again = F.ctc_loss(log_p, **{**BATCH, "targets": targets})
    assert loss == again
    gradient = F.ctc_loss_backward(1.0, cache_again)
    np.testing.assert_array_equal(F.ctc_loss_backward(1.0, cache), gradient)
    np.testing.assert_array_equal(gradient[1:, 2], np.zeros((5, 4)))


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("zero_infinity", [False, True])
def test_a_target_that_does_not_fit(reduction, zero_infinity):
    """1 1 needs a blank in between, so three frames; the second sample has two."""
    log_p = log_probs(4, 2, 3)
    arguments = {
        "targets": np.array([[1, 2], [1, 1]]),
        "input_lengths": np.array([4, 2]),
        "target_lengths": np.array([2, 2]),
    }
    options = {"reduction": reduction, "zero_infinity": zero_infinity}
    tensor = torch.from_numpy(log_p).requires_grad_()
    expected = torch_F.ctc_loss(tensor, *map(torch.from_numpy, arguments.values()), **options)
    expected.sum().backward()
    loss, cache = F.ctc_loss(log_p, **arguments, **options)
    np.testing.assert_allclose(loss, expected.detach().numpy(), rtol=1e-12)
    gradient = F.ctc_loss_backward(np.ones(np.shape(loss)), cache)
    np.testing.assert_array_equal(gradient[:, 1], tensor.grad.numpy()[:, 1])
    assert np.isnan(gradient[0, 1, 0]) != zero_infinity
    first = {name: array[:1] for name, array in arguments.items()}
    _, first_cache = F.ctc_loss(log_p[:, :1], **first, reduction=reduction)
    alone = F.ctc_loss_backward(np.ones(1 if reduction == "none" else ()), first_cache)
    np.testing.assert_allclose(
        gradient[:, 0], alone[:, 0] / (2 if reduction == "mean" else 1), rtol=1e-12
    )


def test_defaults_and_the_order_of_the_arguments():
    log_p, tensors = log_probs(6, 4, 4), [torch.from_numpy(a) for a in BATCH.values()]
    assert_like_torch(
        F.ctc_loss(log_p, *BATCH.values())[0], torch_F.ctc_loss(torch.from_numpy(log_p), *tensors)
    )
    impossible = np.array([1, 4, 1, 5])  # the first target has no alignment
    args = log_p, BATCH["targets"], impossible, BATCH["target_lengths"]
    assert F.ctc_loss(*args)[0] == np.inf
    ours, _ = F.ctc_loss(*args, 0, "sum", True)
    tensors = [torch.from_numpy(a) for a in args]
    assert_like_torch(ours, torch_F.ctc_loss(*tensors, 0, "sum", True))


def test_lists_and_unsigned_lengths():
    log_p = log_probs(6, 4, 4)
    loss, cache = F.ctc_loss(log_p, **BATCH)
    for kind in (list, lambda array: array.astype(np.uint8)):
        again, cache_again = F.ctc_loss(log_p, **{k: kind(v) for k, v in BATCH.items()})
        assert loss == again
        np.testing.assert_array_equal(
            F.ctc_loss_backward(1.0, cache), F.ctc_loss_backward(1.0, cache_again)
        )


def test_long_sequences_do_not_underflow():
    """600 frames: the probability of the target is far below the smallest float64."""
    log_p = log_probs(600, 1, 5)
    targets = 1 + np.arange(40)[None] % 4
    arguments = targets, np.array([600]), np.array([40])
    loss, cache = F.ctc_loss(log_p, *arguments)
    expected = torch_F.ctc_loss(torch.from_numpy(log_p), *map(torch.from_numpy, arguments))
    assert loss * 40 > 750
    assert_like_torch(loss, expected)
    gradient = F.ctc_loss_backward(40.0, cache)
    np.testing.assert_allclose(gradient.sum(axis=2), -np.ones((600, 1)), rtol=1e-9)


def test_empty_batch():
    empty = np.empty(0, int)
    loss, cache = F.ctc_loss(np.empty((3, 0, 2)), np.empty((0, 2), int), empty, empty)
    assert np.isnan(loss)
    assert F.ctc_loss_backward(1.0, cache).shape == (3, 0, 2)
