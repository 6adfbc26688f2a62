"""Schedules: how the learning rate changes from epoch to epoch, or from batch to batch.

A schedule works on the rate that its optimizer has, as in PyTorch, so that two of them can be
used on one optimizer at once, and a rate that was changed by hand stays changed. The formulas
below hold when nobody else changes the rate; η₀ is the rate of the optimizer before its first
schedule.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bpref import _check
from bpref.optim.optimizer import Optimizer, fraction


# --8<-- [start:LRScheduler]
class LRScheduler:
    """The base of every schedule.

    A subclass defines `next_lr`. The rate of epoch 0 is set when the schedule is made; `step`
    comes after the optimizer's steps of each epoch (or after each step, if epochs are counted
    so).

    Parameters
    ----------
    optimizer : Optimizer
        Its ``lr`` is changed.

    Attributes
    ----------
    optimizer : Optimizer
    base_lr : float
        η₀.
    last_epoch : int
        How many steps were made.

    Raises
    ------
    TypeError
        If it is not an optimizer.

    Examples
    --------
    >>> from bpref import nn, optim
    >>> class Halving(LRScheduler):
    ...     def next_lr(self, epoch, lr):
    ...         return lr / 2
    >>> optimizer = optim.SGD([nn.Parameter(np.ones(1))], lr=0.8)
    >>> schedule = Halving(optimizer)
    >>> schedule.step()
    >>> optimizer.lr
    0.4
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = _check_optimizer(optimizer)
        if optimizer.initial_lr is None:
            optimizer.initial_lr = optimizer.lr
        self.base_lr = optimizer.initial_lr
        self.start(optimizer.lr)

    def first_lr(self, lr: float) -> float:
        """Return the rate of epoch 0, given the rate before."""
        return lr

    def next_lr(self, epoch: int, lr: float) -> float:
        """Return the rate of an epoch from 1 on, given the rate of the epoch before."""
        raise NotImplementedError(f"{type(self).__name__} does not define next_lr")

    def start(self, lr: float) -> None:
        """Begin with epoch 0, from the rate lr."""
        self._set(0, self.first_lr(lr))

    def step(self) -> None:
        """Change the optimizer's rate to that of the next epoch."""
        epoch = self.last_epoch + 1
        self._set(epoch, self.next_lr(epoch, self.optimizer.lr))

    def get_last_lr(self) -> list[float]:
        """Return the rate that was set last, in a list, as PyTorch does.

        Returns
        -------
        list of float
            One element.
        """
        return [self.last_lr]

    def state_dict(self) -> dict[str, Any]:
        """Return where the schedule is; the arguments of the constructor are not part of it.

        Returns
        -------
        dict
        """
        return {"last_epoch": self.last_epoch, "base_lr": self.base_lr, "last_lr": self.last_lr}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken; nothing is changed when anything does not fit.

        The optimizer's rate (and what else the schedule changes) is set, too.

        Parameters
        ----------
        state_dict : mapping
            From a schedule of the same class, made with the same arguments.

        Raises
        ------
        TypeError
            If something is of the wrong kind.
        ValueError
            If keys are missing or unexpected, or a number is out of range.
        """
        self._restore(self._check_state("state_dict", state_dict))

    def _set(self, epoch: int, lr: float) -> None:
        self.last_epoch, self.last_lr = epoch, lr
        self.optimizer.lr = lr

    def _check_state(self, name: str, state: Any) -> dict[str, Any]:
        _check.keys(name, state, self.state_dict())
        return {
            "last_epoch": _check.count(f"{name}['last_epoch']", state["last_epoch"]),
            "base_lr": _check.real(f"{name}['base_lr']", state["base_lr"], minimum=0.0),
            "last_lr": _check.real(f"{name}['last_lr']", state["last_lr"], minimum=0.0),
        }

    def _restore(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._set(self.last_epoch, self.last_lr)


# --8<-- [end:LRScheduler]


# --8<-- [start:StepLR]
class StepLR(LRScheduler):
    """Multiply the rate by gamma every step_size epochs: η = η₀ · gamma^⌊epoch / step_size⌋.

    Parameters
    ----------
    optimizer : Optimizer
    step_size : int
        At least 1.
    gamma : float, default 0.1
        At least 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range.

    Examples
    --------
    >>> from bpref import nn, optim
    >>> optimizer = optim.SGD([nn.Parameter(np.ones(1))], lr=0.8)
    >>> schedule, rates = StepLR(optimizer, step_size=2, gamma=0.5), []
    >>> for epoch in range(5):
    ...     rates.append(optimizer.lr)
    ...     schedule.step()
    >>> rates
    [0.8, 0.8, 0.4, 0.4, 0.2]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size = _check.positive_int("step_size", step_size)
        self.gamma = _check.real("gamma", gamma, minimum=0.0)
        super().__init__(optimizer)

    def next_lr(self, epoch: int, lr: float) -> float:
        return lr * self.gamma if epoch % self.step_size == 0 else lr


# --8<-- [end:StepLR]


# --8<-- [start:ExponentialLR]
class ExponentialLR(LRScheduler):
    """Multiply the rate by gamma every epoch: η = η₀ · gamma^epoch.

    Parameters
    ----------
    optimizer : Optimizer
    gamma : float
        At least 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range.

    Examples
    --------
    >>> from bpref import nn, optim
    >>> schedule = ExponentialLR(optim.SGD([nn.Parameter(np.ones(1))], lr=0.8), gamma=0.5)
    >>> schedule.step()
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.2]
    """

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        self.gamma = _check.real("gamma", gamma, minimum=0.0)
        super().__init__(optimizer)

    def next_lr(self, epoch: int, lr: float) -> float:
        return lr * self.gamma


# --8<-- [end:ExponentialLR]


# --8<-- [start:LinearLR]
class LinearLR(LRScheduler):
    """Warm-up: the factor of the rate goes from start_factor to end_factor in equal steps.

    η = η₀ · (start_factor + (end_factor − start_factor) · min(epoch / total_iters, 1)).

    Parameters
    ----------
    optimizer : Optimizer
    start_factor : float, default 1/3
        Above 0, at most 1.
    end_factor : float, default 1
        From 0 to 1.
    total_iters : int, default 5
        At least 1; the rate stays as it is afterwards.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range.

    Notes
    -----
    Source of the warm-up: P. Goyal et al., "Accurate, Large Minibatch SGD: Training ImageNet in
    1 Hour", 2017, arXiv:1706.02677, section 2.2.

    Examples
    --------
    >>> from bpref import nn, optim
    >>> optimizer = optim.SGD([nn.Parameter(np.ones(1))], lr=0.8)
    >>> schedule, rates = LinearLR(optimizer, start_factor=0.25, total_iters=3), []
    >>> for epoch in range(5):
    ...     rates.append(round(optimizer.lr, 6))
    ...     schedule.step()
    >>> rates
    [0.2, 0.4, 0.6, 0.8, 0.8]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
    ) -> None:
        self.start_factor = _up_to_one("start_factor", _positive("start_factor", start_factor))
        self.end_factor = _up_to_one("end_factor", end_factor)
        self.total_iters = _check.positive_int("total_iters", total_iters)
        super().__init__(optimizer)

    def first_lr(self, lr: float) -> float:
        return lr * self.start_factor

    def next_lr(self, epoch: int, lr: float) -> float:
        if epoch > self.total_iters:
            return lr
        return lr * self._factor(epoch) / self._factor(epoch - 1)

    def _factor(self, epoch: int) -> float:
        share = epoch / self.total_iters
        return self.start_factor + (self.end_factor - self.start_factor) * share


# --8<-- [end:LinearLR]


# --8<-- [start:CosineAnnealingLR]
class CosineAnnealingLR(LRScheduler):
    """Half a cosine from η₀ down to eta_min in T_max epochs, then up again, and so on.

    η = eta_min + (η₀ − eta_min) · (1 + cos(π · epoch / T_max)) / 2.

    Parameters
    ----------
    optimizer : Optimizer
    T_max : int
        At least 1.
    eta_min : float, default 0
        At least 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range.

    Notes
    -----
    Source: I. Loshchilov, F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts",
    ICLR 2017, arXiv:1608.03983, equation 5; without the restarts.

    Examples
    --------
    >>> from bpref import nn, optim
    >>> optimizer = optim.SGD([nn.Parameter(np.ones(1))], lr=0.8)
    >>> schedule, rates = CosineAnnealingLR(optimizer, T_max=2), []
    >>> for epoch in range(5):
    ...     rates.append(round(optimizer.lr, 6))
    ...     schedule.step()
    >>> rates
    [0.8, 0.4, 0.0, 0.4, 0.8]
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        self.T_max = _check.positive_int("T_max", T_max)
        self.eta_min = _check.real("eta_min", eta_min, minimum=0.0)
        super().__init__(optimizer)

    def next_lr(self, epoch: int, lr: float) -> float:
        before, after = self._height(epoch - 1), self._height(epoch)
        if (epoch - 1) % (2 * self.T_max) == self.T_max:  # at the bottom nothing is left to scale
            return lr + (self.base_lr - self.eta_min) * after
        return self.eta_min + (lr - self.eta_min) * after / before

    def _height(self, epoch: int) -> float:
        return (1 + math.cos(math.pi * epoch / self.T_max)) / 2


# --8<-- [end:CosineAnnealingLR]


# --8<-- [start:SequentialLR]
class SequentialLR(LRScheduler):
    """One schedule after the other: a warm-up, then what follows.

    Each counts its own epochs from 0 and starts from its own η₀.

    Parameters
    ----------
    optimizer : Optimizer
    schedulers : sequence of LRScheduler
        For this optimizer, at least one; no `ReduceLROnPlateau`.
    milestones : sequence of int
        The epochs at which the second schedule begins, the third, …: increasing, at least 1.

    Raises
    ------
    TypeError
        If an element is of the wrong kind.
    ValueError
        If a schedule belongs to another optimizer, or the milestones do not fit.

    Examples
    --------
    >>> from bpref import nn, optim
    >>> optimizer = optim.SGD([nn.Parameter(np.ones(1))], lr=0.8)
    >>> warm_up = LinearLR(optimizer, start_factor=0.25, total_iters=2)
    >>> decay = ExponentialLR(optimizer, gamma=0.5)
    >>> schedule, rates = SequentialLR(optimizer, [warm_up, decay], milestones=[2]), []
    >>> for epoch in range(5):
    ...     rates.append(round(optimizer.lr, 6))
    ...     schedule.step()
    >>> rates
    [0.2, 0.5, 0.8, 0.4, 0.2]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
    ) -> None:
        for name, value in (("schedulers", schedulers), ("milestones", milestones)):
            if not isinstance(value, (list, tuple)):
                raise TypeError(f"{name}: expected a list, got {type(value).__name__}")
        if not schedulers:
            raise ValueError("schedulers: expected at least one, got none")
        self.schedulers = list(schedulers)
        for index, scheduler in enumerate(self.schedulers):
            name, came = f"schedulers[{index}]", type(scheduler).__name__
            if not isinstance(scheduler, LRScheduler) or isinstance(scheduler, ReduceLROnPlateau):
                raise TypeError(f"{name}: expected a schedule by epochs, got {came}")
            if scheduler.optimizer is not optimizer:
                raise ValueError(f"{name}: expected a schedule for this optimizer, got another's")
        self.milestones = [
            _check.positive_int(f"milestones[{i}]", epoch) for i, epoch in enumerate(milestones)
        ]
        if len(self.milestones) != len(self.schedulers) - 1:
            raise ValueError(
                "milestones: expected one less than schedulers, "
                f"got {len(self.milestones)} for {len(self.schedulers)}"
            )
        if sorted(set(self.milestones)) != self.milestones:
            raise ValueError(f"milestones: expected increasing epochs, got {self.milestones}")
        super().__init__(optimizer)

    def start(self, lr: float) -> None:
        self.last_epoch = 0
        self.schedulers[0].start(self.base_lr)
        self.last_lr = self.optimizer.lr

    def step(self) -> None:
        """Let the schedule whose turn it is change the optimizer's rate."""
        epoch = self.last_epoch + 1
        scheduler = self.schedulers[bisect_right(self.milestones, epoch)]
        if epoch in self.milestones:
            scheduler.start(scheduler.base_lr)
        else:
            scheduler.step()
        self.last_epoch, self.last_lr = epoch, self.optimizer.lr

    def state_dict(self) -> dict[str, Any]:
        """Return where the schedule is, with the states of its parts.

        Returns
        -------
        dict
        """
        states = [scheduler.state_dict() for scheduler in self.schedulers]
        return {**super().state_dict(), "schedulers": states}

    def _check_state(self, name: str, state: Any) -> dict[str, Any]:
        result = super()._check_state(name, state)
        name, states = f"{name}['schedulers']", state["schedulers"]
        if not isinstance(states, (list, tuple)):
            raise TypeError(f"{name}: expected a list, got {type(states).__name__}")
        if len(states) != len(self.schedulers):
            raise ValueError(f"{name}: expected {len(self.schedulers)} dicts, got {len(states)}")
        result["schedulers"] = [
            scheduler._check_state(f"{name}[{index}]", part)
            for index, (scheduler, part) in enumerate(zip(self.schedulers, states, strict=True))
        ]
        return result

    def _restore(self, state: dict[str, Any]) -> None:
        for scheduler, part in zip(self.schedulers, state.pop("schedulers"), strict=True):
            scheduler._restore(part)
        super()._restore(state)


# --8<-- [end:SequentialLR]


# --8<-- [start:OneCycleLR]
class OneCycleLR(LRScheduler):
    """One cycle: from a small rate up to max_lr, then down to almost nothing.

    Made for `step` after every batch. The rate starts with max_lr / div_factor, reaches max_lr
    after the share pct_start of all steps and ends with max_lr / (div_factor ·
    final_div_factor). Momentum moves the other way: SGD's ``momentum``, or β₁ of Adam's
    ``betas``. With three_phase the rate first returns to its start, then goes on to its end.

    Parameters
    ----------
    optimizer : Optimizer
        Its lr plays no part.
    max_lr : float
        At least 0.
    total_steps : int, optional
        The number of batches; ``epochs * steps_per_epoch`` without it.
    epochs, steps_per_epoch : int, optional
        Both, if there is no total_steps.
    pct_start : float, default 0.3
        From 0 to 1.
    anneal_strategy : {"cos", "linear"}
        Half a cosine or a line between two values.
    cycle_momentum : bool, default True
        Needs an optimizer with ``momentum`` or ``betas``.
    base_momentum : float, default 0.85
        The momentum at the largest rate, from 0 to below 1.
    max_momentum : float, default 0.95
        The momentum at the smallest rate, from 0 to below 1.
    div_factor : float, default 25
        Above 0.
    final_div_factor : float, default 1e4
        Above 0.
    three_phase : bool, default False

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If one is out of range, there is no number of steps, or the optimizer has no momentum;
        in `step`, after total_steps.

    Notes
    -----
    Source: L. Smith, N. Topin, "Super-Convergence: Very Fast Training of Neural Networks Using
    Large Learning Rates", 2018, arXiv:1708.07120.

    The last call of `step` sets a rate that no step uses. For "linear" PyTorch's is below 0;
    here it is 0.

    Examples
    --------
    >>> from bpref import nn, optim
    >>> optimizer = optim.SGD([nn.Parameter(np.ones(1))], lr=0.1, momentum=0.9)
    >>> schedule, rates = OneCycleLR(optimizer, 1.0, total_steps=5, pct_start=0.6), []
    >>> for batch in range(5):
    ...     rates.append(round(optimizer.lr, 4))
    ...     schedule.step()
    >>> rates
    [0.04, 0.52, 1.0, 0.5, 0.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float,
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float = 0.85,
        max_momentum: float = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
    ) -> None:
        _check_optimizer(optimizer)
        highest = _check.real("max_lr", max_lr, minimum=0.0)
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError(
                    "total_steps: expected an int, or epochs and steps_per_epoch, got None"
                )
            epochs = _check.positive_int("epochs", epochs)
            total_steps = epochs * _check.positive_int("steps_per_epoch", steps_per_epoch)
        self.total_steps = _check.positive_int("total_steps", total_steps)
        first_steps = _up_to_one("pct_start", pct_start) * self.total_steps
        _one_of("anneal_strategy", anneal_strategy, ("cos", "linear"))
        self.anneal_strategy = anneal_strategy
        low, high = fraction("base_momentum", base_momentum), fraction("max_momentum", max_momentum)
        initial = highest / _positive("div_factor", div_factor)
        lowest = initial / _positive("final_div_factor", final_div_factor)
        self.cycle_momentum = bool(cycle_momentum)
        if cycle_momentum and not (hasattr(optimizer, "momentum") or hasattr(optimizer, "betas")):
            came = type(optimizer).__name__
            raise ValueError(
                f"cycle_momentum: expected an optimizer with momentum or betas, got {came}"
            )
        # Of each phase: its last epoch, its first and last rate, its first and last momentum.
        self.phases = [(first_steps - 1, (initial, highest), (high, low))]
        if three_phase:
            self.phases.append((2 * first_steps - 2, (highest, initial), (low, high)))
            self.phases.append((self.total_steps - 1, (initial, lowest), (high, high)))
        else:
            self.phases.append((self.total_steps - 1, (highest, lowest), (low, high)))
        optimizer.initial_lr = initial
        super().__init__(optimizer)

    def first_lr(self, lr: float) -> float:
        return self._values(0)[0]

    def next_lr(self, epoch: int, lr: float) -> float:
        if epoch > self.total_steps:
            raise ValueError(f"step: expected at most {self.total_steps} calls, got one more")
        return self._values(epoch)[0]

    def _set(self, epoch: int, lr: float) -> None:
        super()._set(epoch, lr)
        if self.cycle_momentum:
            momentum = self._values(epoch)[1]
            optimizer: Any = self.optimizer
            if hasattr(optimizer, "betas"):
                optimizer.betas = momentum, optimizer.betas[1]
            else:
                optimizer.momentum = momentum

    def _check_state(self, name: str, state: Any) -> dict[str, Any]:
        result = super()._check_state(name, state)
        if result["last_epoch"] > self.total_steps:
            came = result["last_epoch"]
            raise ValueError(
                f"{name}['last_epoch']: expected at most {self.total_steps}, got {came}"
            )
        return result

    def _values(self, epoch: int) -> tuple[float, float]:
        """Return rate and momentum of an epoch."""
        ends = [end for end, _, _ in self.phases]
        index = bisect_left(ends[:-1], epoch)
        start = ends[index - 1] if index else 0.0
        end, rates, momenta = self.phases[index]
        share = (epoch - start) / (end - start) if end > start else 1.0
        if self.anneal_strategy == "cos":
            share = (1 - math.cos(math.pi * share)) / 2
        rate, momentum = (first + (last - first) * share for first, last in (rates, momenta))
        return max(rate, 0.0), momentum


# --8<-- [end:OneCycleLR]


# --8<-- [start:ReduceLROnPlateau]
class ReduceLROnPlateau(LRScheduler):
    """Multiply the rate by factor when a measured value has stopped to improve.

    Parameters
    ----------
    optimizer : Optimizer
    mode : {"min", "max"}
        Whether small values are good (a loss) or large ones (an accuracy).
    factor : float, default 0.1
        From 0 to below 1.
    patience : int, default 10
        How many epochs without improvement are put up with; the next one reduces the rate.
    threshold : float, default 1e-4
        An improvement is a value below best · (1 − threshold) for "rel", or below
        best − threshold for "abs"; above the same with + for mode "max".
    threshold_mode : {"rel", "abs"}
    cooldown : int, default 0
        How many epochs after a reduction are not counted.
    min_lr : float, default 0
        The rate does not go below it.
    eps : float, default 1e-8
        A reduction by less is left out.

    Attributes
    ----------
    best : float
        The best value so far.
    num_bad_epochs, cooldown_counter : int

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If an argument is out of range, or mode or threshold_mode is unknown.

    Examples
    --------
    >>> from bpref import nn, optim
    >>> optimizer = optim.SGD([nn.Parameter(np.ones(1))], lr=0.8)
    >>> schedule, rates = ReduceLROnPlateau(optimizer, factor=0.5, patience=1), []
    >>> for loss in [3.0, 2.0, 2.0, 2.0, 2.0]:
    ...     schedule.step(loss)
    ...     rates.append(optimizer.lr)
    >>> rates
    [0.8, 0.8, 0.8, 0.4, 0.4]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float = 0.0,
        eps: float = 1e-8,
    ) -> None:
        _one_of("mode", mode, ("min", "max"))
        _one_of("threshold_mode", threshold_mode, ("rel", "abs"))
        self.mode, self.threshold_mode = mode, threshold_mode
        self.factor = fraction("factor", factor)
        self.patience = _check.count("patience", patience)
        self.threshold = _check.real("threshold", threshold, minimum=0.0)
        self.cooldown = _check.count("cooldown", cooldown)
        self.min_lr = _check.real("min_lr", min_lr, minimum=0.0)
        self.eps = _check.real("eps", eps, minimum=0.0)
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = 0
        super().__init__(optimizer)

    def step(self, metrics: float) -> None:  # type: ignore[override]
        """Count an epoch and reduce the rate when it is time.

        Parameters
        ----------
        metrics : float
            The measured value, usually the loss on the validation set; nan is no improvement.

        Raises
        ------
        TypeError
            If it is not a number.
        """
        value = _number("metrics", metrics)
        self.num_bad_epochs += 1
        if self._improves(value):
            self.best, self.num_bad_epochs = value, 0
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        lr = self.optimizer.lr
        if self.num_bad_epochs > self.patience:
            reduced = max(lr * self.factor, self.min_lr)
            lr = reduced if lr - reduced > self.eps else lr
            self.num_bad_epochs, self.cooldown_counter = 0, self.cooldown
        self._set(self.last_epoch + 1, lr)

    def state_dict(self) -> dict[str, Any]:
        """Return where the schedule is, with what it has seen so far.

        Returns
        -------
        dict
        """
        return {
            **super().state_dict(),
            "best": self.best,
            "num_bad_epochs": self.num_bad_epochs,
            "cooldown_counter": self.cooldown_counter,
        }

    def _improves(self, value: float) -> bool:
        sign = -1 if self.mode == "min" else 1
        if self.threshold_mode == "rel":
            bound = self.best * (1 + sign * self.threshold)
        else:
            bound = self.best + sign * self.threshold
        return value < bound if self.mode == "min" else value > bound

    def _check_state(self, name: str, state: Any) -> dict[str, Any]:
        return {
            **super()._check_state(name, state),
            "best": _number(f"{name}['best']", state["best"]),
            **{
                key: _check.count(f"{name}[{key!r}]", state[key])
                for key in ("num_bad_epochs", "cooldown_counter")
            },
        }


# --8<-- [end:ReduceLROnPlateau]


def _check_optimizer(optimizer: Any) -> Optimizer:
    if not isinstance(optimizer, Optimizer):
        came = type(optimizer).__name__
        raise TypeError(f"optimizer: expected a bpref.optim.Optimizer, got {came}")
    return optimizer


def _one_of(name: str, value: Any, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name}: expected one of {known}, got {value!r}")


def _up_to_one(name: str, value: Any) -> float:
    """Return `value` when it is a number from 0 to 1."""
    if _check.real(name, value, minimum=0.0) > 1:
        raise ValueError(f"{name}: expected at most 1, got {value}")
    return float(value)


def _positive(name: str, value: Any) -> float:
    if _check.real(name, value, minimum=0.0) == 0:
        raise ValueError(f"{name}: expected a number above 0, got {value}")
    return float(value)


def _number(name: str, value: Any) -> float:
    """Return `value` when it is a real number, inf and nan included."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name}: expected a number, got {type(value).__name__}")
    return float(value)
