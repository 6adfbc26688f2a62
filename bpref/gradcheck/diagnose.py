"""Guess why a gradient is wrong: try simple corrections until one of them passes the check.

A correction is named only when the gradient would agree everywhere with it, to the tolerance of
the check; the two rules about float32 have none to name. The rules go from the simple to the
special; the first that finds something ends the search.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import Any

import numpy as np

from bpref.gradcheck.numeric import Probe, along

__all__: list[str] = []

MAX_AXES = 4  # of a gradient whose axes are permuted and reversed; the number of ways explodes
FEW = 3  # derivatives that must fit a free constant; two points always lie on a line


@dataclass(frozen=True)
class Evidence:
    """What is known about one input whose gradient failed.

    analytic is the whole gradient, numeric the derivatives along the probes, kinks left out.
    agree(derivatives, where) tells whether derivatives pass the check on the selected probes.
    factors are arrays that might be missing, by name; sizes are numbers that might be.
    jumps tells whether f stays the same over a distance that its slopes say it can't.
    """

    name: str
    analytic: np.ndarray
    numeric: np.ndarray
    rounding: np.ndarray
    wrong: np.ndarray
    probes: Sequence[Probe]
    agree: Callable[[np.ndarray, np.ndarray], bool]
    factors: Mapping[str, np.ndarray]
    sizes: Mapping[str, int]
    jumps: bool = False

    def fits(self, gradient: np.ndarray) -> bool:
        """Whether this gradient would have passed."""
        if gradient.shape != self.analytic.shape or not np.isfinite(gradient).all():
            return False
        return self.agree(along(gradient, self.probes), np.full(len(self.probes), True))


def guess_causes(evidence: Evidence) -> tuple[str, ...]:
    """Return up to two corrections of the first rule that finds one."""
    rules = (
        *(_not_finite, _zero, _jumps, _known_factor, _rearranged),
        *(_elementwise, _rounded, _any_factor, _located, _summed, _added),
    )
    with np.errstate(all="ignore"):  # a correction that divides by 0 just does not fit
        for rule in rules:
            found = tuple(cause for cause, _ in zip(rule(evidence), range(2), strict=False))
            if found:
                return found
    return ()


def _not_finite(e: Evidence) -> Iterator[str]:
    if count := int(np.sum(~np.isfinite(e.analytic))):
        yield f"analytic is nan or infinite in {count} of {e.analytic.size} elements"
    elif not np.isfinite(e.numeric).all():
        yield "numeric is nan or infinite: f leaves its domain within the step"


def _zero(e: Evidence) -> Iterator[str]:
    if not e.analytic.any():
        yield "analytic is 0 everywhere: never computed, or overwritten"
    elif np.all(np.abs(e.numeric) <= e.rounding):
        yield f"numeric is 0 everywhere: f is flat here, or does not depend on {e.name}"


def _jumps(e: Evidence) -> Iterator[str]:
    if e.jumps and e.analytic.dtype == np.float64:
        yield "f changes in jumps: a part of it is computed in float32"


def _known_factor(e: Evidence) -> Iterator[str]:
    if found := _multiple(e, np.full(len(e.probes), True)):
        yield f"numeric = {found[0]} everywhere: {found[1]}"


def _multiple(e: Evidence, where: np.ndarray) -> tuple[str, str] | None:
    """Return relation and meaning when numeric is ±1, ±2, ±N ... × analytic on these probes."""
    analytic = along(e.analytic, e.probes)
    near = _distance_to(_best_factor(analytic[where], e.numeric[where]))
    for number in sorted({1, 2, 3, 4, *e.sizes.values()} - {0}, key=near):
        for sign in (1, -1):
            if e.agree(sign * number * analytic, where):
                return _times(sign, number, _meaning(e, number, "missing", "mean", "sum"))
            if e.agree(sign * analytic / number, where):
                return _divided(sign, number, _meaning(e, number, "superfluous", "sum", "mean"))
    return None


def _rounded(e: Evidence) -> Iterator[str]:
    if e.analytic.dtype != np.float64 or next(_added(e), None) is not None:
        return
    largest = np.abs(e.numeric - along(e.analytic, e.probes)).max()
    if largest <= 16 * np.finfo(np.float32).eps * np.abs(e.numeric).max():
        yield "no error is larger than float32's rounding: a part is computed in float32"


def _any_factor(e: Evidence) -> Iterator[str]:
    analytic = along(e.analytic, e.probes)
    if np.count_nonzero(analytic) >= FEW:
        factor = _best_factor(analytic, e.numeric)
        if e.fits(factor * e.analytic):
            yield f"numeric = {factor:.4g} × analytic everywhere: a missing factor {factor:.4g}"


def _best_factor(analytic: np.ndarray, numeric: np.ndarray) -> float:
    return float(analytic @ numeric / (analytic @ analytic))


def _distance_to(factor: float) -> Callable[[int], float]:
    """How far a number, or one over it, is from the factor."""
    size = abs(factor)
    return lambda number: min(abs(number - size), abs(1 / number - size))


def _times(sign: int, number: int, meaning: str) -> tuple[str, str]:
    if number == 1:
        return "-analytic", "a wrong sign"
    if sign < 0:
        meaning += ", and a wrong sign"
    return f"{sign * number} × analytic", meaning


def _divided(sign: int, number: int, meaning: str) -> tuple[str, str]:
    if sign < 0:
        return f"-analytic / {number}", f"{meaning}, and a wrong sign"
    return f"analytic / {number}", meaning


def _meaning(e: Evidence, number: int, kind: str, came: str, expected: str) -> str:
    """What a factor might be: a size turns a mean into a sum."""
    text = f"a {kind} factor {number}"
    if (kind, number) == ("superfluous", 2):
        text += ", or added twice"
    names = [name for name, size in e.sizes.items() if size == number]
    return f"{text}; if it is {names[0]}, a {came} where a {expected} belongs" if names else text


def _rearranged(e: Evidence) -> Iterator[str]:
    a, axes = e.analytic, range(e.analytic.ndim)
    if a.ndim == 0 or a.ndim > MAX_AXES:
        return
    for order in permutations(axes):
        if e.fits(a.transpose(order)):
            how = "T" if a.ndim == 2 else f"transpose{order}"
            yield f"numeric = analytic.{how}: a missing transpose"
    wide = a.ndim == 2 and a.shape[0] != a.shape[1]  # for a square the reshape is the identity
    if wide and e.fits(a.reshape(a.shape[::-1]).T):
        yield f"numeric = analytic.reshape{a.shape[::-1]}.T: reshape used as a transpose"
    for count in range(1, a.ndim + 1):
        for some in combinations(axes, count):
            if e.fits(np.flip(a, some)):
                yield f"numeric = np.flip(analytic, axis={some}): an axis that runs backwards"
    for axis in axes:
        for shift in (1, -1):
            if e.fits(np.roll(a, shift, axis)):
                yield f"numeric = np.roll(analytic, {shift}, axis={axis}): an index off by one"


def _elementwise(e: Evidence) -> Iterator[str]:
    a = e.analytic
    factors = {name: factor for name, factor in e.factors.items() if _broadcasts(factor, a)}
    missing = [name for name, factor in factors.items() if e.fits(a * factor)]
    yield from (f"numeric = analytic × {name}: a missing factor {name}" for name in missing)
    superfluous = [name for name, factor in factors.items() if e.fits(a / factor)]
    yield from (f"numeric = analytic / {name}: a superfluous factor {name}" for name in superfluous)
    if missing or superfluous:
        return
    for (name, right), (used, stale) in permutations(factors.items(), 2):
        if e.fits(a * right / stale):
            relation = f"numeric = analytic × {name} / {used}"
            yield f"{relation}: {used} used where {name} belongs, a stale activation"


def _broadcasts(factor: np.ndarray, gradient: np.ndarray) -> bool:
    """Whether a product with this factor has the shape of the gradient."""
    pairs = zip(factor.shape[::-1], gradient.shape[::-1], strict=False)
    return factor.ndim <= gradient.ndim and all(a in (1, b) for a, b in pairs)


def _summed(e: Evidence) -> Iterator[str]:
    a = e.analytic
    for name, factor in e.factors.items():
        sums = dict(_sums(factor, a.shape))
        for axes, right in sums.items():
            if e.fits(right):
                came = [_over(i) for i, other in sums.items() if _equal(other, a)]
                wrong = f", analytic = the same {came[0]}: the wrong axis" if came else ""
                yield f"numeric = {name} {_over(axes)}{wrong}"
    for axis in range(a.ndim):
        if e.fits(np.broadcast_to(a.sum(axis, keepdims=True), a.shape)):
            yield f"numeric = analytic summed over axis {axis}: a missing sum"
    if len(e.probes) == a.size and isinstance(e.probes[0], tuple):
        numeric = e.numeric.reshape(a.shape)
        for axis in range(a.ndim):
            if _equal(np.broadcast_to(numeric.sum(axis, keepdims=True), a.shape), a):
                yield f"analytic = numeric summed over axis {axis}: a sum too many"


def _sums(array: np.ndarray, shape: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], Any]]:
    """The sums of an array over some axes that have this shape, after a broadcast if need be."""
    for count in range(min(array.ndim, MAX_AXES) + 1):
        for axes in combinations(range(array.ndim), count):
            total = array.sum(axes)
            if total.shape == shape:
                yield axes, total
            elif array.shape == shape:
                yield axes, np.broadcast_to(array.sum(axes, keepdims=True), shape)


def _over(axes: tuple[int, ...]) -> str:
    if not axes:
        return "itself"
    return f"summed over ax{'i' if len(axes) == 1 else 'e'}s {', '.join(map(str, axes))}"


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.allclose(one, other, rtol=1e-3, atol=1e-3 * np.abs(other).max(initial=0.0)))


def _added(e: Evidence) -> Iterator[str]:
    """A summand left out: a penalty on x, the second branch of a residual block. Or too many."""
    missing = e.numeric - along(e.analytic, e.probes)
    for name, term in {**e.factors, "1": np.ones(e.analytic.shape)}.items():
        if term.shape != e.analytic.shape:
            continue
        basis = along(term, e.probes)
        if np.count_nonzero(basis) < FEW:
            continue
        weight = float(basis @ missing / (basis @ basis))
        left = np.abs(missing - weight * basis) - e.rounding
        # It must explain the error, not only take the edge off an error near the tolerance.
        if not left.max() <= 0.01 * np.abs(missing).max():
            continue
        if weight != 0 and e.fits(e.analytic + weight * term):
            times = "" if abs(abs(weight) - 1) < 1e-3 else f"{abs(weight):.4g} × "
            sign, kind = ("+", "missing") if weight > 0 else ("−", "superfluous")
            yield f"numeric = analytic {sign} {times}{name}: a {kind} summand"


def _located(e: Evidence) -> Iterator[str]:
    """Where it is wrong, if that is a slice, and what helps there."""
    if not isinstance(e.probes[0], tuple) or e.wrong.all():
        return
    index = np.array(e.probes)
    for axis in range(e.analytic.ndim):
        wrong, right = set(index[e.wrong, axis].tolist()), set(index[~e.wrong, axis].tolist())
        if wrong.isdisjoint(right):
            yield f"wrong only at {_listed(sorted(wrong))} of axis {axis}{_there(e)}"
            return
    if there := _there(e):
        count = int(np.count_nonzero(e.wrong))
        yield f"wrong in {count} of {len(e.probes)} elements{there}"


def _listed(indices: list[int]) -> str:
    if len(indices) == 1:
        return f"index {indices[0]}"
    if indices[-1] - indices[0] == len(indices) - 1:
        return f"indices {indices[0]} to {indices[-1]}"
    return "indices " + ", ".join(map(str, indices[:5])) + (", …" if len(indices) > 5 else "")


def _there(e: Evidence) -> str:
    if not along(e.analytic, e.probes)[e.wrong].any():
        return ", analytic is 0 there: a part that is never written"
    if found := _multiple(e, e.wrong):
        return f", numeric = {found[0]} there: {found[1]}"
    return ""
