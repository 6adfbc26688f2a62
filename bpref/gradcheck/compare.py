"""The comparison of one gradient with numerical derivatives, and the report on all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bpref.gradcheck import numeric as numerical
from bpref.gradcheck.diagnose import Evidence, guess_causes
from bpref.gradcheck.kinks import Look, look_closer, pattern_changed
from bpref.gradcheck.numeric import Probe, along, machine_epsilon, scalar, slopes
from bpref.gradcheck.report import GradientReport, Kink, WorstElement

__all__: list[str] = []

Arrays = Mapping[str, np.ndarray]
FAILURES = 3  # of each input that the report keeps


@dataclass(frozen=True)
class Options:
    """The options of `check_gradients`, checked."""

    rtol: float
    eps: float
    mode: str
    max_elements: int | None
    directions: int
    generator: np.random.Generator
    signs: Callable[..., Any] | None
    hints: Arrays


class Problem:
    """The function, its value at the inputs, and how far rounding may move that value."""

    def __init__(
        self,
        f: Callable[..., Any],
        inputs: Arrays,
        gradients: Arrays,
        dtype: np.dtype,
        options: Options,
    ) -> None:
        self.f, self.inputs, self.gradients = f, inputs, gradients
        self.dtype, self.options = dtype, options
        self.value, again = self._call({}), self._call({})
        if self.value != again and not (np.isnan(self.value) and np.isnan(again)):
            raise ValueError(
                f"f: expected the same value for the same inputs, got {self.value} and {again}; "
                "fix its random numbers"
            )
        noise, self.flat = self._measured_noise()
        self.noise = max(16 * machine_epsilon(dtype) * abs(self.value), 8 * noise)

    def of_one(self, name: str) -> Callable[[np.ndarray], Any]:
        """Return f as a function of one input; the others stay fixed."""
        return lambda x: self.f(**{**_copies(self.inputs), name: x})

    def real(self, name: str) -> Callable[[np.ndarray], float]:
        """The same, with a check of what f returns."""
        return lambda x: self._call({name: x})

    def _call(self, changed: Arrays) -> float:
        return scalar(self.f(**{**_copies(self.inputs), **changed}), self.dtype)

    def _measured_noise(self) -> tuple[float, float]:
        if self.options.mode == "complex":  # nothing is subtracted
            return 0.0, 0.0
        rng = np.random.default_rng(numerical.SEED)
        ways = {n: numerical.random_directions(self.inputs[n], 1, rng)[0] for n in self.gradients}

        def line(distance: float) -> float:
            moved = {n: numerical.move(self.inputs[n], v, distance) for n, v in ways.items()}
            return self._call(moved)

        return numerical.rounding_noise(line, machine_epsilon(self.dtype), self.options.eps)


class Comparison:
    """One input: a derivative along each probe, given and numerical."""

    def __init__(self, problem: Problem, name: str) -> None:
        self.problem, self.name, self.options = problem, name, problem.options
        self.x, self.gradient = problem.inputs[name], problem.gradients[name]
        self.probes = self._choose_probes()
        self.steps = numerical.step_sizes(self.x, self.probes, self.options.eps)
        self.analytic = along(self.gradient, self.probes)
        self.numeric, self.gaps = self._differences()
        # The step of a complex difference cancels: its rounding is that of a step of full size.
        full = self.options.eps if self.options.mode == "complex" else 1.0
        self.rounding = problem.noise * full / np.array(self.steps, dtype=np.float64)
        self.largest = float(np.abs(self.numeric[np.isfinite(self.numeric)]).max(initial=0.0))
        self.error = self.errors_of(self.analytic)
        self.kinks: dict[int, Kink] = {}
        if self.options.mode != "complex":
            for i in np.flatnonzero(self.error > self.options.rtol).tolist():
                self._look_again(i)

    def _choose_probes(self) -> Sequence[Probe]:
        options, x = self.options, self.x
        if options.mode != "directional":
            return numerical.sampled_indices(x.shape, options.max_elements, options.generator)
        count = options.directions if x.size else 0
        return numerical.random_directions(x, count, options.generator)

    def _differences(self) -> tuple[np.ndarray, np.ndarray]:
        """The numerical derivatives, and how far the slopes on both sides of x are apart."""
        numeric, gaps = np.empty(len(self.probes)), np.zeros(len(self.probes))
        pairs = list(zip(self.probes, self.steps, strict=True))
        if self.options.mode == "complex":
            f = self.problem.of_one(self.name)
            numerical.refuse_lost_derivatives(f, self.x, np.random.default_rng(numerical.SEED))
            numeric[:] = [numerical.complex_step(f, self.x, probe, step) for probe, step in pairs]
            return numeric, gaps
        real = self.problem.real(self.name)
        for i, (probe, step) in enumerate(pairs):
            numeric[i], high, low = numerical.central(real, self.x, probe, step)
            gaps[i] = abs(high - 2 * self.problem.value + low) / step
        return numeric, gaps

    def errors_of(self, derivatives: np.ndarray) -> np.ndarray:
        """The relative errors that these derivatives would have."""
        return _relative_error(derivatives, self.numeric, self.rounding, self.largest)

    def _look_again(self, i: int) -> None:
        """Put a derivative that failed right when the step is to blame."""
        analytic, probe, step = float(self.analytic[i]), self.probes[i], self.steps[i]
        # Without a gap there is neither a kink nor a curvature that could explain the error.
        if not abs(analytic - self.numeric[i]) <= self.gaps[i] + self.rounding[i]:
            return
        real, value = self.problem.real(self.name), self.problem.value

        def both(step: float) -> tuple[float, float]:
            return slopes(real, self.x, probe, step, value)

        def error_of(numeric: float, rounding: float) -> float:
            return float(_relative_error(analytic, numeric, rounding, self.largest))

        verdict = look_closer(
            both,
            analytic,
            Look(step, *both(step), float(self.rounding[i])),
            64 * machine_epsilon(self.problem.dtype) * step / self.options.eps,
            error_of,
            self.options.rtol,
            self._sign_changes(probe),
        )
        if verdict is None:
            return
        look = verdict.look
        if verdict.kink:
            index, direction = self.place(i)
            self.kinks[i] = Kink(self.name, index, analytic, look.left, look.right, direction)
            self.error[i] = 0.0
        else:
            self.numeric[i], self.rounding[i] = look.mean, look.rounding
            self.error[i] = error_of(look.mean, look.rounding)

    def _sign_changes(self, probe: Probe) -> Callable[[float], bool] | None:
        """Whether the user's sign pattern differs between x − h and x + h, as a function of h."""
        signs = self.options.signs
        if signs is None:
            return None

        def pattern(step: float) -> Any:
            moved = numerical.move(self.x, probe, step)
            return signs(**{**_copies(self.problem.inputs), self.name: moved})

        return lambda step: pattern_changed(pattern(step), pattern(-step))

    def place(self, i: int) -> tuple[tuple[int, ...], int | None]:
        """The index of the element, or the number of the direction."""
        probe = self.probes[i]
        return (probe, None) if isinstance(probe, tuple) else ((), i)

    def worst(self, count: int) -> list[WorstElement]:
        """The elements with the largest errors, kinks left out."""
        order = [i for i in np.argsort(-self.error, kind="stable").tolist() if i not in self.kinks]
        found = []
        for i in order[:count]:
            a, n, error = float(self.analytic[i]), float(self.numeric[i]), float(self.error[i])
            index, direction = self.place(i)
            found.append(WorstElement(self.name, index, a, n, error, direction))
        return found

    def causes(self) -> tuple[str, ...]:
        """Guess why the gradient is wrong, if it is."""
        rtol = self.options.rtol
        if not self.probes or not self.error.max() > rtol:
            return ()
        keep = np.array([i not in self.kinks for i in range(len(self.probes))])

        def agree(derivatives: np.ndarray, where: np.ndarray) -> bool:
            whole = np.zeros(len(self.probes))
            whole[keep] = derivatives
            return bool(self.errors_of(whole)[keep][where].max() <= rtol)

        arrays = {**self.problem.inputs, **self.options.hints}
        evidence = Evidence(
            self.name,
            self.gradient,
            self.numeric[keep],
            self.rounding[keep],
            self.error[keep] > rtol,
            [probe for probe, kept in zip(self.probes, keep, strict=True) if kept],
            agree,
            {name: array for name, array in arrays.items() if array.dtype.kind in "fiub"},
            dict(_sizes(arrays)),
            # 8: slopes of both signs may cancel along the direction that was looked at
            self.problem.flat * self.largest > 8 * self.problem.noise,
        )
        return guess_causes(evidence)


def _sizes(arrays: Arrays) -> Iterator[tuple[str, int]]:
    """The sizes that a mean may divide by, by name."""
    for name, array in arrays.items():
        yield from ((f"{name}.shape[{axis}]", size) for axis, size in enumerate(array.shape))
    for name, array in arrays.items():
        yield f"{name}.size", array.size


def report_on(problem: Problem) -> GradientReport:
    rtol = problem.options.rtol
    comparisons = [Comparison(problem, name) for name in problem.gradients]
    worst = [one for c in comparisons for one in c.worst(FAILURES)]
    worst.sort(key=lambda one: -one.relative_error)
    causes = {c.name: found for c in comparisons if (found := c.causes())}
    largest = max((one.relative_error for one in worst), default=0.0)
    return GradientReport(
        ok=largest <= rtol,
        max_relative_error=largest,
        worst=worst[0] if worst else None,
        errors={c.name: float(c.error.max(initial=0.0)) for c in comparisons},
        checked=sum(len(c.probes) for c in comparisons),
        rtol=rtol,
        resolution={c.name: _resolution(c.analytic, c.numeric, c.rounding) for c in comparisons},
        failures=tuple(one for one in worst if one.relative_error > rtol),
        kinks=tuple(kink for c in comparisons for kink in c.kinks.values()),
        causes=causes,
        mode=problem.options.mode,
        total=sum(c.gradient.size for c in comparisons),
        dtype=problem.dtype.name,
    )


def _relative_error(analytic: Any, numeric: Any, rounding: Any, largest: float) -> np.ndarray:
    """Return the relative error of each element, as in the notes of `check_gradients`."""
    finite = np.isfinite(analytic) & np.isfinite(numeric)
    a, n = np.where(finite, analytic, 0.0), np.where(finite, numeric, 0.0)
    difference = np.maximum(np.abs(a - n) - rounding, 0.0)
    scale = np.maximum(np.maximum(np.abs(a), np.abs(n)), 1e-3 * largest)
    error = np.divide(difference, scale, out=np.zeros_like(scale), where=scale > 0)
    return np.where(finite, error, np.inf)


def _resolution(analytic: np.ndarray, numeric: np.ndarray, rounding: np.ndarray) -> float:
    """Return the rounding as a share of the largest gradient; 0 where all gradients are 0."""
    gradient = np.maximum(np.abs(analytic), np.abs(numeric))
    if not np.any(gradient) or not np.isfinite(gradient).all():
        return 0.0
    largest = gradient.argmax()
    return float(rounding[largest] / gradient[largest])


def _copies(inputs: Arrays) -> dict[str, np.ndarray]:
    return {name: x.copy() for name, x in inputs.items()}
