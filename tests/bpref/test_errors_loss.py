"""Refusals of the losses: argument, expectation, what came. Others are in test_errors.py."""

import re

import numpy as np
import pytest

import bpref.functional as F
from bpref import nn

X = np.zeros((4, 3))
Y = np.zeros((4, 3))
X32 = X.astype(np.float32)
INTS = X.astype(int)
LABELS = np.zeros(4, dtype=int)
W = np.ones(3)
BOXES = np.tile([0.0, 0.0, 1.0, 1.0], (4, 1))
LOG_PROBS = np.zeros((5, 2, 3))
TARGETS = np.ones((2, 2), int)
LENGTHS = np.array([5, 5]), np.array([2, 2])
RETURNS = np.zeros(4)


def backward(op, *arguments, **options):
    """Return op's backward function with the cache of one forward pass."""
    _, cache = op(*arguments, **options)
    return lambda grad_output: getattr(F, op.__name__ + "_backward")(grad_output, cache)


def wrong_lengths(**changed):
    arguments = {"input_lengths": LENGTHS[0], "target_lengths": LENGTHS[1], **changed}
    return lambda: F.ctc_loss(LOG_PROBS, TARGETS, **arguments)


REDUCTION = "reduction: expected one of ('none', 'mean', 'sum'), got 'average'"

# name: (call, error, message)
CASES = {
    # losses of single numbers
    **{
        f"{op.__name__} {what}": case
        for op, target in (
            (F.l1_loss, Y),
            (F.smooth_l1_loss, Y),
            (F.huber_loss, Y),
            (F.kl_div, Y),
            (F.hinge_embedding_loss, Y + 1),
        )
        for what, case in {
            "int input": (
                lambda op=op: op(INTS, Y),
                TypeError,
                "input: expected dtype float32 or float64, got int64",
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
                lambda op=op, y=target: op(X, y, reduction="average"),
                ValueError,
                "reduction: expected one of ('none', 'mean', 'sum'",
            ),
            "grad shape": (
                lambda op=op, y=target: backward(op, X, y, reduction="none")(np.zeros(4)),
                ValueError,
                "grad_output: expected shape (4, 3), got (4,)",
            ),
            "grad dtype": (
                lambda op=op, y=target: backward(op, X, y, reduction="none")(X32),
                TypeError,
                "grad_output: expected dtype float64 as of the output, got float32",
            ),
            "grad of a scalar": (
                lambda op=op, y=target: backward(op, X, y)(X),
                ValueError,
                "grad_output: expected shape (), got (4, 3)",
            ),
        }.items()
    },
    "beta below 0": (
        lambda: F.smooth_l1_loss(X, Y, beta=-0.5),
        ValueError,
        "beta: expected at least 0.0, got -0.5",
    ),
    "beta text": (
        lambda: F.smooth_l1_loss(X, Y, beta="1"),
        TypeError,
        "beta: expected a number, got str",
    ),
    "delta 0": (
        lambda: F.huber_loss(X, Y, delta=0.0),
        ValueError,
        "delta: expected a number above 0, got 0.0",
    ),
    "kl reduction": (
        lambda: F.kl_div(X, Y, "batch"),
        ValueError,
        "reduction: expected one of ('none', 'mean', 'sum', 'batchmean'), got 'batch'",
    ),
    "kl probability": (
        lambda: F.kl_div(X, Y - 0.5),
        ValueError,
        "target: expected values from 0 to 1, got -0.5 at index (0, 0)",
    ),
    "hinge label": (
        lambda: F.hinge_embedding_loss(X, Y),
        ValueError,
        "target: expected labels 1 or -1, got 0.0 at index (0, 0)",
    ),
    "hinge margin": (
        lambda: F.hinge_embedding_loss(X, Y + 1, margin="1"),
        TypeError,
        "margin: expected a number, got str",
    ),
    # weights
    "bce reduction as weight": (
        lambda: F.binary_cross_entropy_with_logits(X, Y, "sum"),
        TypeError,
        'weight: expected an array, got str; write reduction="sum"',
    ),
    "bce pos_weight text": (
        lambda: F.binary_cross_entropy_with_logits(X, Y, pos_weight="mean"),
        TypeError,
        'pos_weight: expected an array, got str; write reduction="mean"',
    ),
    "bce weight shape": (
        lambda: F.binary_cross_entropy_with_logits(X, Y, np.ones(4)),
        ValueError,
        "weight: expected a shape that broadcasts to (4, 3), got (4,)",
    ),
    "bce pos_weight rank": (
        lambda: F.binary_cross_entropy_with_logits(X, Y, pos_weight=np.ones((1, 4, 3))),
        ValueError,
        "pos_weight: expected a shape that broadcasts to (4, 3), got (1, 4, 3)",
    ),
    "bce weight dtype": (
        lambda: F.binary_cross_entropy_with_logits(X, Y, X32),
        TypeError,
        "weight: expected dtype float64 as of input, got float32",
    ),
    "bce pos_weight dtype": (
        lambda: F.binary_cross_entropy_with_logits(X, Y, pos_weight=X32),
        TypeError,
        "pos_weight: expected dtype float64 as of input, got float32",
    ),
    # classes
    **{
        f"{op.__name__} {what}": case
        for op in (F.cross_entropy, F.nll_loss, F.multi_margin_loss)
        for what, case in {
            "int input": (
                lambda op=op: op(INTS, LABELS),
                TypeError,
                "input: expected dtype float32 or float64, got int64",
            ),
            "scalar input": (
                lambda op=op: op(np.array(1.0), LABELS),
                ValueError,
                "input: expected shape (N, C, ...) or (C,), got ()",
            ),
            "no class": (
                lambda op=op: op(np.zeros((4, 0)), LABELS),
                ValueError,
                "input: expected at least one class, got shape (4, 0)",
            ),
            "float labels": (
                lambda op=op: op(X, np.zeros(4)),
                TypeError,
                "target: expected an integer dtype, got float64",
            ),
            "label shape": (
                lambda op=op: op(X, LABELS[:2]),
                ValueError,
                "target: expected shape (4,), got (2,)",
            ),
            "label too large": (
                lambda op=op: op(X, LABELS + 3),
                ValueError,
                "target: expected labels from 0 to 2, got 3 at index (0,)",
            ),
            "negative label": (
                lambda op=op: op(X, np.array([0, 0, -1, 0])),
                ValueError,
                "target: expected labels from 0 to 2, got -1 at index (2,)",
            ),
            "weight text": (
                lambda op=op: op(X, LABELS, weight="mean"),
                TypeError,
                'weight: expected an array, got str; write reduction="mean"',
            ),
            "weight dtype": (
                lambda op=op: op(X, LABELS, weight=W.astype(np.float32)),
                TypeError,
                "weight: expected dtype float64 as of input, got float32",
            ),
            "weight shape": (
                lambda op=op: op(X, LABELS, weight=np.ones(4)),
                ValueError,
                "weight: expected shape (3,), got (4,)",
            ),
            "reduction": (
                lambda op=op: op(X, LABELS, reduction="average"),
                ValueError,
                REDUCTION,
            ),
            "grad shape": (
                lambda op=op: backward(op, X, LABELS, reduction="none")(X),
                ValueError,
                "grad_output: expected shape (4,), got (4, 3)",
            ),
            "grad dtype": (
                lambda op=op: backward(op, X, LABELS)(np.zeros((), np.float16).reshape(1)),
                TypeError,
                "grad_output: expected dtype float64 as of the output, got float16",
            ),
        }.items()
    },
    "label among pixels": (
        lambda: F.cross_entropy(np.zeros((1, 2, 2, 2)), np.array([[[0, 1], [5, 0]]])),
        ValueError,
        "target: expected labels from 0 to 1, got 5 at index (0, 1, 0)",
    ),
    "label of one sample": (
        lambda: F.cross_entropy(W, np.array(3)),
        ValueError,
        "target: expected labels from 0 to 2, got 3 at index ()",
    ),
    "soft label dtype": (
        lambda: F.cross_entropy(X, X32),
        TypeError,
        "target: expected dtype float64 as of input, got float32",
    ),
    "soft label": (
        lambda: F.cross_entropy(X, Y + 1.5),
        ValueError,
        "target: expected values from 0 to 1, got 1.5 at index (0, 0)",
    ),
    "soft label ignored": (
        lambda: F.cross_entropy(X, Y, ignore_index=0),
        ValueError,
        "ignore_index: expected no class with probabilities as target, got 0",
    ),
    "soft label ignore_index": (
        lambda: F.cross_entropy(X, Y, ignore_index="0"),
        TypeError,
        "ignore_index: expected an int, got str",
    ),
    "ignore_index": (
        lambda: F.nll_loss(X, LABELS, ignore_index=-100.0),
        TypeError,
        "ignore_index: expected an int, got float",
    ),
    "smoothing below": (
        lambda: F.cross_entropy(X, LABELS, label_smoothing=-0.1),
        ValueError,
        "label_smoothing: expected at least 0.0, got -0.1",
    ),
    "smoothing above": (
        lambda: F.cross_entropy(X, LABELS, label_smoothing=1.5),
        ValueError,
        "label_smoothing: expected at most 1.0, got 1.5",
    ),
    "smoothing text": (
        lambda: F.cross_entropy(X, LABELS, label_smoothing="0.1"),
        TypeError,
        "label_smoothing: expected a number, got str",
    ),
    "margin rank": (
        lambda: F.multi_margin_loss(np.zeros((2, 3, 4)), LABELS),
        ValueError,
        "input: expected shape (N, C) or (C,), got (2, 3, 4)",
    ),
    "margin power": (
        lambda: F.multi_margin_loss(X, LABELS, p=3),
        ValueError,
        "p: expected 1 or 2, got 3",
    ),
    "margin power float": (
        lambda: F.multi_margin_loss(X, LABELS, p=1.0),
        TypeError,
        "p: expected an int, got float",
    ),
    "margin text": (
        lambda: F.multi_margin_loss(X, LABELS, margin="1"),
        TypeError,
        "margin: expected a number, got str",
    ),
    # boxes
    **{
        f"{op.__name__} {what}": case
        for op in (F.iou_loss, F.generalized_box_iou_loss)
        for what, case in {
            "dtype": (
                lambda op=op: op(BOXES, BOXES.astype(np.float32)),
                TypeError,
                "boxes2: expected dtype float64 as of boxes1, got float32",
            ),
            "three numbers": (
                lambda op=op: op(X, X),
                ValueError,
                "boxes1: expected shape (..., 4), got (4, 3)",
            ),
            "scalar": (
                lambda op=op: op(np.array(1.0), BOXES),
                ValueError,
                "boxes1: expected shape (..., 4), got ()",
            ),
            "one for all": (
                lambda op=op: op(BOXES, BOXES[0]),
                ValueError,
                "boxes2: expected shape (4, 4), got (4,)",
            ),
            "turned x": (
                lambda op=op: op(BOXES[:, [2, 1, 0, 3]], BOXES),
                ValueError,
                "boxes1: expected x1 <= x2 and y1 <= y2, got [1.0, 0.0, 0.0, 1.0] at index (0,)",
            ),
            "turned y": (
                lambda op=op: op(BOXES[0], BOXES[0, [0, 3, 2, 1]]),
                ValueError,
                "boxes2: expected x1 <= x2 and y1 <= y2, got [0.0, 1.0, 1.0, 0.0] at index ()",
            ),
            "eps": (
                lambda op=op: op(BOXES, BOXES, eps=0.0),
                ValueError,
                "eps: expected a number above 0, got 0.0",
            ),
            "reduction": (
                lambda op=op: op(BOXES, BOXES, "average"),
                ValueError,
                REDUCTION,
            ),
            "grad shape": (
                lambda op=op: backward(op, BOXES, BOXES)(BOXES),
                ValueError,
                "grad_output: expected shape (4,), got (4, 4)",
            ),
            "grad of the mean": (
                lambda op=op: backward(op, BOXES, BOXES, "mean")(np.ones(4)),
                ValueError,
                "grad_output: expected shape (), got (4,)",
            ),
        }.items()
    },
    # ctc
    "ctc dtype": (
        lambda: F.ctc_loss(LOG_PROBS.astype(int), TARGETS, *LENGTHS),
        TypeError,
        "log_probs: expected dtype float32 or float64, got int64",
    ),
    "ctc rank": (
        lambda: F.ctc_loss(LOG_PROBS[:, 0], TARGETS, *LENGTHS),
        ValueError,
        "log_probs: expected shape (T, N, C), got (5, 3)",
    ),
    "ctc blank": (
        lambda: F.ctc_loss(LOG_PROBS, TARGETS, *LENGTHS, blank=3),
        ValueError,
        "blank: expected a class from 0 to 2, got 3",
    ),
    "ctc negative blank": (
        lambda: F.ctc_loss(LOG_PROBS, TARGETS, *LENGTHS, blank=-1),
        ValueError,
        "blank: expected at least 0, got -1",
    ),
    "ctc float targets": (
        lambda: F.ctc_loss(LOG_PROBS, TARGETS.astype(float), *LENGTHS),
        TypeError,
        "targets: expected an integer dtype, got float64",
    ),
    "ctc joined targets": (
        lambda: F.ctc_loss(LOG_PROBS, TARGETS.ravel(), *LENGTHS),
        ValueError,
        "targets: expected shape (2, S), got (4,)",
    ),
    "ctc blank among the labels": (
        lambda: F.ctc_loss(LOG_PROBS, np.array([[1, 1], [1, 0]]), *LENGTHS),
        ValueError,
        "targets: expected labels from 0 to 2 other than the blank 0, got 0 at index (1, 1)",
    ),
    "ctc label too large": (
        lambda: F.ctc_loss(LOG_PROBS, TARGETS + 2, *LENGTHS),
        ValueError,
        "targets: expected labels from 0 to 2 other than the blank 0, got 3 at index (0, 0)",
    ),
    "ctc negative label": (
        lambda: F.ctc_loss(LOG_PROBS, TARGETS - 2, *LENGTHS, blank=1),
        ValueError,
        "targets: expected labels from 0 to 2 other than the blank 1, got -1 at index (0, 0)",
    ),
    "ctc no frame": (
        wrong_lengths(input_lengths=np.array([5, 0])),
        ValueError,
        "input_lengths: expected lengths from 1 to 5, got 0 at index (1,)",
    ),
    "ctc too many frames": (
        wrong_lengths(input_lengths=np.array([6, 5])),
        ValueError,
        "input_lengths: expected lengths from 1 to 5, got 6 at index (0,)",
    ),
    "ctc too many labels": (
        wrong_lengths(target_lengths=np.array([2, 3])),
        ValueError,
        "target_lengths: expected lengths from 0 to 2, got 3 at index (1,)",
    ),
    "ctc negative length": (
        wrong_lengths(target_lengths=np.array([-1, 2])),
        ValueError,
        "target_lengths: expected lengths from 0 to 2, got -1 at index (0,)",
    ),
    "ctc float lengths": (
        wrong_lengths(input_lengths=np.array([5.0, 5.0])),
        TypeError,
        "input_lengths: expected an integer dtype, got float64",
    ),
    "ctc lengths of another batch": (
        wrong_lengths(target_lengths=np.array([2])),
        ValueError,
        "target_lengths: expected shape (2,), got (1,)",
    ),
    "ctc reduction": (
        lambda: F.ctc_loss(LOG_PROBS, TARGETS, *LENGTHS, reduction="average"),
        ValueError,
        REDUCTION,
    ),
    "ctc grad shape": (
        lambda: backward(F.ctc_loss, LOG_PROBS, TARGETS, *LENGTHS)(np.ones(2)),
        ValueError,
        "grad_output: expected shape (), got (2,)",
    ),
    "ctc grad of each": (
        lambda: backward(F.ctc_loss, LOG_PROBS, TARGETS, *LENGTHS, reduction="none")(1.0),
        ValueError,
        "grad_output: expected shape (2,), got ()",
    ),
    # reinforce
    "reinforce dtype": (
        lambda: F.reinforce_loss(INTS, LABELS, RETURNS),
        TypeError,
        "logits: expected dtype float32 or float64, got int64",
    ),
    "reinforce returns dtype": (
        lambda: F.reinforce_loss(X32, LABELS, RETURNS),
        TypeError,
        "returns: expected dtype float32 as of logits, got float64",
    ),
    "reinforce rank": (
        lambda: F.reinforce_loss(W, LABELS, RETURNS),
        ValueError,
        "logits: expected shape (N, A), got (3,)",
    ),
    "reinforce action": (
        lambda: F.reinforce_loss(X, LABELS + 3, RETURNS),
        ValueError,
        "action: expected labels from 0 to 2, got 3 at index (0,)",
    ),
    "reinforce action dtype": (
        lambda: F.reinforce_loss(X, RETURNS, RETURNS),
        TypeError,
        "action: expected an integer dtype, got float64",
    ),
    "reinforce returns shape": (
        lambda: F.reinforce_loss(X, LABELS, RETURNS[:, None]),
        ValueError,
        "returns: expected shape (4,), got (4, 1)",
    ),
    "reinforce baseline shape": (
        lambda: F.reinforce_loss(X, LABELS, RETURNS, RETURNS[:1]),
        ValueError,
        "baseline: expected shape (4,), got (1,)",
    ),
    "reinforce baseline dtype": (
        lambda: F.reinforce_loss(X, LABELS, RETURNS, RETURNS.astype(np.float32)),
        TypeError,
        "baseline: expected dtype float64 as of logits, got float32",
    ),
    "reinforce baseline text": (
        lambda: F.reinforce_loss(X, LABELS, RETURNS, "mean"),
        TypeError,
        "baseline: expected a number, got str",
    ),
    "reinforce reduction": (
        lambda: F.reinforce_loss(X, LABELS, RETURNS, reduction="average"),
        ValueError,
        REDUCTION,
    ),
    "reinforce grad": (
        lambda: backward(F.reinforce_loss, X, LABELS, RETURNS)(np.ones(4)),
        ValueError,
        "grad_output: expected shape (), got (4,)",
    ),
    # modules
    **{
        f"{module.__name__} reduction": (
            lambda module=module: module(reduction="average"),
            ValueError,
            "reduction: expected one of ('none', 'mean', 'sum'",
        )
        for module in (
            nn.MSELoss,
            nn.HalfMSELoss,
            nn.L1Loss,
            nn.SmoothL1Loss,
            nn.HuberLoss,
            nn.BCEWithLogitsLoss,
            nn.CrossEntropyLoss,
            nn.NLLLoss,
            nn.KLDivLoss,
            nn.HingeEmbeddingLoss,
            nn.MultiMarginLoss,
            nn.CTCLoss,
        )
    },
    "module batchmean": (lambda: nn.MSELoss("batchmean"), ValueError, "got 'batchmean'"),
    "module weight text": (
        lambda: nn.CrossEntropyLoss("sum"),
        TypeError,
        'weight: expected an array, got str; write reduction="sum"',
    ),
    "module weight int": (
        lambda: nn.NLLLoss(np.array([1, 2])),
        TypeError,
        "weight: expected dtype float32 or float64, got int64",
    ),
    "module pos_weight": (
        lambda: nn.BCEWithLogitsLoss(pos_weight=[1, 2]),
        TypeError,
        "pos_weight: expected dtype float32 or float64, got int64",
    ),
    "module beta": (
        lambda: nn.SmoothL1Loss(beta=-1.0),
        ValueError,
        "beta: expected at least 0.0, got -1.0",
    ),
    "module delta": (
        lambda: nn.HuberLoss(delta=-1.0),
        ValueError,
        "delta: expected a number above 0, got -1.0",
    ),
    "module ignore_index": (
        lambda: nn.CrossEntropyLoss(ignore_index=0.5),
        TypeError,
        "ignore_index: expected an int, got float",
    ),
    "module nll ignore_index": (
        lambda: nn.NLLLoss(ignore_index=None),
        TypeError,
        "ignore_index: expected an int, got NoneType",
    ),
    "module smoothing": (
        lambda: nn.CrossEntropyLoss(label_smoothing=2),
        ValueError,
        "label_smoothing: expected at most 1.0, got 2",
    ),
    "module margin": (
        lambda: nn.HingeEmbeddingLoss("1"),
        TypeError,
        "margin: expected a number, got str",
    ),
    "module margin of classes": (
        lambda: nn.MultiMarginLoss(margin=None),
        TypeError,
        "margin: expected a number, got NoneType",
    ),
    "module p": (lambda: nn.MultiMarginLoss(0), ValueError, "p: expected 1 or 2, got 0"),
    "module blank": (
        lambda: nn.CTCLoss(-1),
        ValueError,
        "blank: expected at least 0, got -1",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), CASES.values(), ids=CASES)
def test_message(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}" if ":" in message else message):
        call()


def test_backward_needs_a_forward_pass():
    criterion = nn.MSELoss()
    criterion(X, Y)
    criterion.backward()
    with pytest.raises(RuntimeError, match=r"^MSELoss.backward: expected a forward pass"):
        criterion.backward()
