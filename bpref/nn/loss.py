"""The losses as modules: ``loss = criterion(input, target)``, ``criterion.backward()``.

Their options are PyTorch's without the deprecated ``size_average`` and ``reduce``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bpref import _check
from bpref import functional as F
from bpref.fast import loss as fast
from bpref.functional.loss_likelihood import KL_REDUCTIONS
from bpref.nn.module import Module
from bpref.nn.parameter import Buffer

Loss = np.ndarray | np.floating
GradOutput = np.ndarray | float


class _Criterion(Module):
    """A loss with a reduction; the repr shows no options, as in PyTorch."""

    def __init__(self, reduction: str) -> None:
        self.reduction = _check.known_reduction(reduction)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def _buffer(name: str, value: Any) -> Buffer | None:
    """Return weights as a buffer, part of the state_dict as in PyTorch; None stays None."""
    _check.not_text(**{name: value})
    if value is None:
        return None
    (array,) = _check.floats(**{name: value})
    return Buffer(array)


def _data(buffer: Buffer | None) -> np.ndarray | None:
    return None if buffer is None else buffer.data


# --8<-- [start:MSELoss]
class MSELoss(_Criterion):
    """The squared error, see `bpref.functional.mse_loss`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}

    Raises
    ------
    ValueError
        If the reduction is unknown.

    Examples
    --------
    >>> criterion = MSELoss()
    >>> float(criterion(np.array([1.0, 4.0]), np.array([0.0, 1.0])))
    5.0
    >>> criterion.backward()
    array([1., 3.])
    """

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: np.ndarray, target: np.ndarray) -> Loss:
        """Return the loss."""
        loss, self._cache = F.mse_loss(input, target, self.reduction)
        return loss

    def backward(self, grad_output: GradOutput = 1.0) -> np.ndarray:
        """Return ∂J/∂input, shape of the input."""
        return F.mse_loss_backward(grad_output, self._take_cache())


# --8<-- [end:MSELoss]


class HalfMSELoss(_Criterion):
    """Half the squared distance per sample, see `bpref.functional.half_mse_loss`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}

    Raises
    ------
    ValueError
        If the reduction is unknown.

    Examples
    --------
    >>> criterion = HalfMSELoss()
    >>> float(criterion(np.array([[1.0], [4.0]]), np.array([[0.0], [1.0]])))
    2.5
    """

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: np.ndarray, target: np.ndarray) -> Loss:
        """Return the loss."""
        loss, self._cache = F.half_mse_loss(input, target, self.reduction)
        return loss

    def backward(self, grad_output: GradOutput = 1.0) -> np.ndarray:
        """Return ∂J/∂input, shape of the input."""
        return F.half_mse_loss_backward(grad_output, self._take_cache())


class L1Loss(_Criterion):
    """The absolute error, see `bpref.functional.l1_loss`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}

    Raises
    ------
    ValueError
        If the reduction is unknown.

    Examples
    --------
    >>> float(L1Loss()(np.array([1.0, 4.0]), np.array([0.0, 1.0])))
    2.0
    """

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__(reduction)

    def forward(self, input: np.ndarray, target: np.ndarray) -> Loss:
        """Return the loss."""
        loss, self._cache = F.l1_loss(input, target, self.reduction)
        return loss

    def backward(self, grad_output: GradOutput = 1.0) -> np.ndarray:
        """Return ∂J/∂input, shape of the input."""
        return F.l1_loss_backward(grad_output, self._take_cache())


class SmoothL1Loss(_Criterion):
    """A parabola up to β, lines of slope 1 beyond, see `bpref.functional.smooth_l1_loss`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
    beta : float, default 1.0
        β, at least 0.

    Raises
    ------
    TypeError, ValueError
        If the reduction is unknown or beta does not fit.

    Examples
    --------
    >>> float(SmoothL1Loss()(np.array([0.5]), np.array([0.0])))
    0.125
    """

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = _check.real("beta", beta, minimum=0.0)

    def forward(self, input: np.ndarray, target: np.ndarray) -> Loss:
        """Return the loss."""
        loss, self._cache = F.smooth_l1_loss(input, target, self.reduction, self.beta)
        return loss

    def backward(self, grad_output: GradOutput = 1.0) -> np.ndarray:
        """Return ∂J/∂input, shape of the input."""
        return F.smooth_l1_loss_backward(grad_output, self._take_cache())


class HuberLoss(_Criterion):
    """A parabola up to δ, lines of slope δ beyond, see `bpref.functional.huber_loss`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
    delta : float, default 1.0
        δ, above 0.

    Raises
    ------
    TypeError, ValueError
        If the reduction is unknown or delta does not fit.

    Examples
    --------
    >>> float(HuberLoss(delta=2.0)(np.array([3.0]), np.array([0.0])))
    4.0
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = _check.positive("delta", delta)

    def forward(self, input: np.ndarray, target: np.ndarray) -> Loss:
        """Return the loss."""
        loss, self._cache = F.huber_loss(input, target, self.reduction, self.delta)
        return loss

    def backward(self, grad_output: GradOutput = 1.0) -> np.ndarray:
        """Return ∂J/∂input, shape of the input."""
        return F.huber_loss_backward(grad_output, self._take_cache())


class BCEWithLogitsLoss(_Criterion):
    """Sigmoid and binary cross-entropy, see `bpref.functional.binary_cross_entropy_with_logits`.

    Parameters
    ----------
    weight : ndarray, optional
        Factors of the losses.
    reduction : {"mean", "sum", "none"}
    pos_weight : ndarray, optional
        Factors of the losses of positive labels.

    Attributes
    ----------
    weight, pos_weight : Buffer or None

    Raises
    ------
    TypeError, ValueError
        If the reduction is unknown or weights are not float32 or float64.

    Examples
    --------
    >>> criterion = BCEWithLogitsLoss(pos_weight=np.array([3.0]))
    >>> round(float(criterion(np.zeros(2), np.array([1.0, 0.0]))), 6)   # (3 log 2 + log 2) / 2
    1.386294
    """

    def __init__(
        self,
        weight: np.ndarray | None = None,
        reduction: str = "mean",
        pos_weight: np.ndarray | None = None,
    ) -> None:
        super().__init__(reduction)
        self.weight = _buffer("weight", weight)
        self.pos_weight = _buffer("pos_weight", pos_weight)

    def forward(self, input: np.ndarray, target: np.ndarray) -> Loss:
        """Return the loss of logits and labels from 0 to 1."""
        loss, self._cache = F.binary_cross_entropy_with_logits(
            input, target, _data(self.weight), self.reduction, _data(self.pos_weight)
        )
        return loss

    def backward(self, grad_output: GradOutput = 1.0) -> np.ndarray:
        """Return ∂J/∂input, shape of the input."""
        return F.binary_cross_entropy_with_logits_backward(grad_output, self._take_cache())


# --8<-- [start:CrossEntropyLoss]
class CrossEntropyLoss(_Criterion):
    """Softmax and cross-entropy, see `bpref.functional.cross_entropy`.

    Parameters
    ----------
    weight : ndarray, shape (C,), optional
        A factor for each class.
    ignore_index : int, default -100
        Samples with this label have no loss and no gradient.
    reduction : {"mean", "sum", "none"}
    label_smoothing : float, default 0.0
        ε, from 0 to 1.

    Attributes
    ----------
    weight : Buffer or None

    Raises
    ------
    TypeError, ValueError
        If an option has the wrong kind or is out of range.

    Examples
    --------
    >>> criterion = CrossEntropyLoss()
    >>> round(float(criterion(np.zeros((2, 4)), np.array([0, 3]))), 6)   # log 4
    1.386294
    >>> criterion.backward()[0]
    array([-0.375,  0.125,  0.125,  0.125])
    """

    def __init__(
        self,
        weight: np.ndarray | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(reduction)
        self.weight = _buffer("weight", weight)
        self.ignore_index = _check.integer("ignore_index", ignore_index)
        self.label_smoothing = _check.fraction("label_smoothing", label_smoothing)

    def forward(self, input: np.ndarray, target: np.ndarray) -> Loss:
        """Return the loss of logits (N, C, ...) and labels or probabilities."""
        options = self.ignore_index, self.reduction, self.label_smoothing
        loss, self._cache = fast.cross_entropy(input, target, _data(self.weight), *options)
        return loss

    def backward(self, grad_output: GradOutput = 1.0) -> np.ndarray:
        """Return ∂J/∂input, shape of the input."""
        return fast.cross_entropy_backward(grad_output, self._take_cache())


# --8<-- [end:CrossEntropyLoss]


class NLLLoss(_Criterion):
    """Minus the log-probability of the label, see `bpref.functional.nll_loss`.

    Parameters
    ----------
    weight : ndarray, shape (C,), optional
        A factor for each class.
    ignore_index : int, default -100
        Samples with this label have no loss and no gradient.
    reduction : {"mean", "sum", "none"}

    Attributes
    ----------
    weight : Buffer or None

    Raises
    ------
    TypeError, ValueError
        If an option has the wrong kind or is out of range.

    Examples
    --------
    >>> float(NLLLoss()(np.array([[-1.0, -2.0]]), np.array([1])))
    2.0
    """

    def __init__(
        self,
        weight: np.ndarray | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction)
        self.weight = _buffer("weight", weight)
        self.ignore_index = _check.integer("ignore_index", ignore_index)

    def forward(self, input: np.ndarray, target: np.ndarray) -> Loss:
        """Return the loss of log-probabilities (N, C, ...) and labels."""
        options = self.ignore_index, self.reduction
        loss, self._cache = F.nll_loss(input, target, _data(self.weight), *options)
        return loss

    def backward(self, grad_output: GradOutput = 1.0) -> np.ndarray:
        """Return ∂J/∂input, shape of the input."""
        return F.nll_loss_backward(grad_output, self._take_cache())


class KLDivLoss(_Criterion):
    """The Kullback-Leibler divergence, see `bpref.functional.kl_div`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none", "batchmean"}
        "batchmean" is the mean divergence of a batch of distributions.
    log_target : bool, default False
        Whether the target holds log-probabilities.

    Raises
    ------
    ValueError
        If the reduction is unknown.

    Examples
    --------
    >>> criterion = KLDivLoss("batchmean")
    >>> round(float(criterion(np.log([[0.5, 0.5]]), np.array([[1.0, 0.0]]))), 6)
    0.693147
    """

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        self.reduction = _check.known_reduction(reduction, KL_REDUCTIONS)
        self.log_target = bool(log_target)

    def forward(self, input: np.ndarray, target: np.ndarray) -> Loss:
        """Return the loss of log-probabilities and probabilities."""
        loss, self._cache = F.kl_div(input, target, self.reduction, self.log_target)
        return loss

    def backward(self, grad_output: GradOutput = 1.0) -> np.ndarray:
        """Return ∂J/∂input, shape of the input."""
        return F.kl_div_backward(grad_output, self._take_cache())


class HingeEmbeddingLoss(_Criterion):
    """Near for the label 1, far for −1, see `bpref.functional.hinge_embedding_loss`.

    Parameters
    ----------
    margin : float, default 1.0
        From this distance on, a pair with the label −1 costs nothing.
    reduction : {"mean", "sum", "none"}

    Raises
    ------
    TypeError, ValueError
        If the reduction is unknown or margin is not a finite number.

    Examples
    --------
    >>> float(HingeEmbeddingLoss()(np.array([0.5]), np.array([-1.0])))
    0.5
    """

    def __init__(self, margin: float = 1.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = _check.real("margin", margin)

    def forward(self, input: np.ndarray, target: np.ndarray) -> Loss:
        """Return the loss of distances and labels 1 or −1."""
        loss, self._cache = F.hinge_embedding_loss(input, target, self.margin, self.reduction)
        return loss

    def backward(self, grad_output: GradOutput = 1.0) -> np.ndarray:
        """Return ∂J/∂input, shape of the input."""
        return F.hinge_embedding_loss_backward(grad_output, self._take_cache())


class MultiMarginLoss(_Criterion):
    """The hinge loss of many classes, see `bpref.functional.multi_margin_loss`.

    Parameters
    ----------
    p : {1, 2}
        The power of the violations.
    margin : float, default 1.0
    weight : ndarray, shape (C,), optional
        A factor for each label.
    reduction : {"mean", "sum", "none"}

    Attributes
    ----------
    weight : Buffer or None

    Raises
    ------
    TypeError, ValueError
        If an option has the wrong kind or is out of range.

    Examples
    --------
    >>> criterion = MultiMarginLoss()
    >>> round(float(criterion(np.array([[3.0, 2.5, 0.0]]), np.array([0]))), 6)
    0.166667
    """

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: np.ndarray | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction)
        self.p = _check.power("p", p)
        self.margin = _check.real("margin", margin)
        self.weight = _buffer("weight", weight)

    def forward(self, input: np.ndarray, target: np.ndarray) -> Loss:
        """Return the loss of scores (N, C) and labels (N,)."""
        options = self.p, self.margin, _data(self.weight), self.reduction
        loss, self._cache = F.multi_margin_loss(input, target, *options)
        return loss

    def backward(self, grad_output: GradOutput = 1.0) -> np.ndarray:
        """Return ∂J/∂input, shape of the input."""
        return F.multi_margin_loss_backward(grad_output, self._take_cache())


class CTCLoss(_Criterion):
    """Connectionist temporal classification, see `bpref.functional.ctc_loss`.

    Parameters
    ----------
    blank : int, default 0
        The symbol that is the blank.
    reduction : {"mean", "sum", "none"}
    zero_infinity : bool, default False
        Whether targets that do not fit into their frames have the loss and gradient 0.

    Raises
    ------
    TypeError, ValueError
        If the reduction is unknown or blank is not an int of at least 0.

    Examples
    --------
    >>> criterion, one = CTCLoss(), np.array([1])
    >>> log_probs = np.log(np.full((2, 1, 3), 1 / 3))
    >>> round(float(criterion(log_probs, np.array([[1]]), 2 * one, one)), 6)   # log 3
    1.098612
    """

    def __init__(
        self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False
    ) -> None:
        super().__init__(reduction)
        self.blank = _check.count("blank", blank)
        self.zero_infinity = bool(zero_infinity)

    def forward(
        self,
        log_probs: np.ndarray,
        targets: np.ndarray,
        input_lengths: np.ndarray,
        target_lengths: np.ndarray,
    ) -> Loss:
        """Return the loss of log-probabilities (T, N, C) and label sequences (N, S)."""
        options = self.blank, self.reduction, self.zero_infinity
        loss, self._cache = F.ctc_loss(log_probs, targets, input_lengths, target_lengths, *options)
        return loss

    def backward(self, grad_output: GradOutput = 1.0) -> np.ndarray:
        """Return ∂J/∂log_probs, shape (T, N, C); PyTorch's is already that for the logits."""
        return F.ctc_loss_backward(grad_output, self._take_cache())
