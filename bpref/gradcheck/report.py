"""What a check found, and how it is printed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["GradientReport", "Kink", "WorstElement"]

VISIBLE = 1e-2  # str(report) warns where errors larger than this could hide in rounding
SHOWN = 3  # lines that str(report) spends on one kind of finding


def _place(name: str, index: tuple[int, ...], direction: int | None) -> str:
    if direction is not None:
        return f"{name} along direction {direction}"
    return f"{name}[{', '.join(map(str, index))}]" if index else name


@dataclass(frozen=True)
class WorstElement:
    """A derivative that was compared, for example the one with the largest relative error.

    Attributes
    ----------
    name : str
        The input that it belongs to.
    index : tuple of int
        Empty for an input without axes, and for a direction.
    analytic, numeric : float
        The derivative that was given and the one from values of f.
    relative_error : float
    direction : int or None
        The number of the random direction, from 0, in the mode "directional".
    """

    name: str
    index: tuple[int, ...]
    analytic: float
    numeric: float
    relative_error: float
    direction: int | None = None

    def __str__(self) -> str:
        place = _place(self.name, self.index, self.direction)
        return f"{place}: analytic {self.analytic:.10g}, numeric {self.numeric:.10g}"


@dataclass(frozen=True)
class Kink:
    """A point where f bends within the step, so that its central difference means nothing.

    Attributes
    ----------
    name : str
        The input that it belongs to.
    index : tuple of int
        As in `WorstElement`.
    analytic : float
        The derivative that was given. It fits the slopes of f: between them when the bend is
        at the point itself, else the slope on the point's own side of the bend.
    left, right : float
        The slopes (f(x) − f(x − h)) / h and (f(x + h) − f(x)) / h.
    direction : int or None
        As in `WorstElement`.
    """

    name: str
    index: tuple[int, ...]
    analytic: float
    left: float
    right: float
    direction: int | None = None

    def __str__(self) -> str:
        place = _place(self.name, self.index, self.direction)
        slopes = f"slopes {self.left:.6g} on the left, {self.right:.6g} on the right"
        return f"{place}: analytic {self.analytic:.6g}, {slopes}"


@dataclass(frozen=True)
class GradientReport:
    """What a check found; true in an `if` or `assert` when all gradients agree.

    Attributes
    ----------
    ok : bool
        Whether the largest relative error is at most rtol.
    max_relative_error : float
        Kinks are left out; 0.0 when there was no element to check.
    worst : WorstElement or None
    errors : dict of str to float
        The largest relative error of each input.
    checked : int
        The number of elements, or of directions, that were compared; kinks are counted too.
    rtol : float
    resolution : dict of str to float
        For each input, the relative error of its largest gradient that the rounding of f can
        hide. From 1 on, a gradient of zero would pass as well.
    failures : tuple of WorstElement
        Up to three of each input that fails, the largest relative error first.
    kinks : tuple of Kink
        Where f bends within the step and the gradient fits one of its slopes.
    causes : dict of str to tuple of str
        For each input that fails, the corrections of its gradient that would make it pass, or a
        sign that a part is computed in float32.
    mode : str
        "central", "complex" or "directional".
    total : int
        The number of elements of all gradients; more than `checked` when they were sampled.
    dtype : str
        "float32" when an input with a gradient is float32, else "float64".
    """

    ok: bool
    max_relative_error: float
    worst: WorstElement | None
    errors: dict[str, float]
    checked: int
    rtol: float
    resolution: dict[str, float]
    failures: tuple[WorstElement, ...] = ()
    kinks: tuple[Kink, ...] = ()
    causes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    mode: str = "central"
    total: int = 0
    dtype: str = "float64"

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        lines = [*self._verdict(), *self._other_inputs(), *self._causes(), *self._limits()]
        return "\n".join(lines)

    def _verdict(self) -> list[str]:
        if self.worst is None:
            left = "every element is at a kink" if self.kinks else "there is no element to check"
            return [f"gradients agree: {left}"]
        verdict, sign = ("agree", "<=") if self.ok else ("DIFFER", ">")
        kind = "direction" if self.mode == "directional" else "element"
        sampled = f" of {self.total}" if kind == "element" and self.checked < self.total else ""
        return [
            f"gradients {verdict}: largest relative error {self.max_relative_error:.2e} "
            f"{sign} {self.rtol:.0e}, {self.checked}{sampled} {kind}s",
            f"worst {kind} {self.worst}",
        ]

    def _other_inputs(self) -> list[str]:
        """The worst of every further input that fails."""
        seen = {self.worst.name} if self.worst else set()
        lines = []
        for failure in self.failures:
            if failure.name not in seen:
                seen.add(failure.name)
                lines.append(f"also {failure}")
        return lines

    def _causes(self) -> list[str]:
        return [f"{name}: {cause}?" for name, found in self.causes.items() for cause in found]

    def _limits(self) -> list[str]:
        lines = [f"kink, not counted: {kink}" for kink in self.kinks[:SHOWN]]
        if len(self.kinks) > SHOWN:
            lines.append(f"kink, not counted: {len(self.kinks) - SHOWN} more")
        for name, hidden in self.resolution.items():
            if hidden > max(VISIBLE, self.rtol) or self.dtype == "float32":
                lines.append(f"{name}: the rounding of f hides relative errors below {hidden:.0e}")
        return lines
