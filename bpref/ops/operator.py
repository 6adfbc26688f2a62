"""What the registry says of one operator, and the arguments that checks draw for it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")
Array = np.ndarray


@dataclass(frozen=True)
class Sample:
    """Arguments for one call of an operator.

    Attributes
    ----------
    inputs : dict of str to ndarray
        What is differentiated, in the order of the gradients. An optional input that is left
        out (a bias, say) does not appear.
    options : dict
        What is held fixed: labels, masks, sizes, a random generator.
    """

    inputs: dict[str, Array]
    options: dict[str, Any] = field(default_factory=dict)


class Draw:
    """The choices that a sample is made of: shapes, options and values.

    `RandomDraw` takes them from a NumPy generator; the tests have one that takes them from
    hypothesis, so that a failure is shrunk to the smallest shape.

    Parameters
    ----------
    dtype : float32 or float64
        The dtype of all values.
    values : {"smooth", "ties", "extreme"}
        "smooth" keeps values away from kinks and ties, for central differences; "ties" rounds
        them to one decimal, so that kinks and ties are met exactly; "extreme" takes them from
        ±1e4, ±100, ±1 and 0.
    """

    def __init__(self, dtype: Any = np.float64, values: str = "smooth") -> None:
        self.dtype = np.dtype(dtype)
        self.values = values
        self.generators = 0

    def integer(self, low: int, high: int) -> int:
        """Return an integer from low to high, both included."""
        raise NotImplementedError

    def choice(self, options: Sequence[T]) -> T:
        """Return one of the options."""
        return options[self.integer(0, len(options) - 1)]

    def boolean(self) -> bool:
        """Return False or True."""
        return self.integer(0, 1) == 1

    def batch(self) -> int:
        """Return a batch size; 0 and 1 are among them."""
        return self.choice((2, 0, 1, 3, 5))

    def shape(self, max_axes: int = 3) -> tuple[int, ...]:
        """Return any shape; (), size-1 axes and empty axes are among them."""
        return tuple(self.integer(0, 3) for _ in range(self.integer(0, max_axes)))

    def generator(self) -> np.random.Generator:
        """Return a generator with a drawn seed; a second one with that seed gives other numbers."""
        self.generators += 1
        return np.random.default_rng((self.generators, self.integer(0, 2**16)))

    def normal(self, *shape: int) -> Array:
        """Return normal values, cut off at 4; kinks do not matter for them."""
        rng = self.generator()
        if self.values == "extreme":
            return rng.choice([-1e4, -100, -1, 0, 1, 100, 1e4], shape).astype(self.dtype)
        values = rng.standard_normal(shape).clip(-4, 4)
        return np.asarray(values.round(1) if self.values == "ties" else values, self.dtype)

    def uniform(self, low: float, high: float, *shape: int) -> Array:
        """Return values between low and high, whatever `values` says."""
        return np.asarray(self.generator().uniform(low, high, shape), self.dtype)

    def away_from(self, *shape: int, kinks: Sequence[float] = (0.0,)) -> Array:
        """Return values like `normal`, but for "smooth" none within 0.01 of a kink."""
        values = self.normal(*shape)
        if self.values == "smooth":
            for kink in kinks:
                values = np.where(np.abs(values - kink) < 0.01, kink + 0.01, values)
        return np.asarray(values, self.dtype)

    def distinct(self, *shape: int) -> Array:
        """Return values like `normal`, but for "smooth" no two closer than 0.01."""
        if self.values != "smooth":
            return self.normal(*shape)
        size = int(np.prod(shape))
        ranks = self.generator().permutation(size).reshape(shape)
        return np.asarray((ranks - size / 2) * max(0.01, 6 / max(size, 1)), self.dtype)


class RandomDraw(Draw):
    """Choices from a NumPy generator.

    Examples
    --------
    >>> draw = RandomDraw(np.random.default_rng(0))
    >>> draw.normal(2, 3).shape
    (2, 3)
    """

    def __init__(
        self, rng: np.random.Generator, dtype: Any = np.float64, values: str = "smooth"
    ) -> None:
        super().__init__(dtype, values)
        self.rng = rng

    def integer(self, low: int, high: int) -> int:
        """Return an integer from low to high, both included."""
        return int(self.rng.integers(low, high, endpoint=True))


@dataclass(frozen=True)
class Cost:
    """How much an operator computes and keeps, as formulas in the names of `Operator.sizes`.

    Attributes
    ----------
    forward, backward : str
        The multiplications of two floating-point numbers; in a matrix product each comes with
        an addition. Additions alone, divisions, comparisons and exp are not counted.
    stored : str
        The elements of all arrays that wait in the cache for the backward pass, the input
        included, parameters left out.
    """

    forward: str
    backward: str
    stored: str


@dataclass(frozen=True)
class Operator:
    """One operator: what it computes, what checks it, what it costs, where it is explained.

    Attributes
    ----------
    name : str
        The name in `bpref.functional`.
    family : str
        The section of "Backward rules" that it belongs to.
    forward, backward : callable
        The pair.
    gradients : tuple of str
        The arguments that backward returns gradients for, in its order; an argument that was
        left out gets None. For a variadic operator the name of the one list argument.
    sample : callable
        ``sample(draw) -> Sample``: arguments with drawn shapes and options.
    formula : str
        The forward pass as LaTeX.
    rules : dict of str to str
        For each of `gradients`, the backward rule as LaTeX.
    shapes : dict of str to str
        The shape of each input and, last, of "output".
    sizes : callable
        ``sizes(**arguments) -> dict``: the numbers that stand behind the letters of `cost`.
    cost : Cost
    torch : str
        The PyTorch counterpart below ``torch.``; "" when there is none.
    reference : callable, optional
        ``reference(torch, **arguments) -> tensor`` where the counterpart has another signature
        or does not exist. It gets the module, so that nothing here imports it.
    parameters : tuple of str
        Arguments that are parameters, learned or frozen, so not stored activations.
    variadic : str
        The name of the one list argument that takes all inputs, as in ``concat(tensors)``.
    benchmark : callable, optional
        ``benchmark(draw) -> Sample``: arguments of a realistic size, for the speed table.
    fast : tuple of two callables, optional
        A second pair with preallocated buffers or a better memory layout and the same results.
    extreme : bool
        Whether inputs up to ±1e4 in float32 are meant to work.
    """

    name: str
    family: str
    forward: Callable[..., Any]
    backward: Callable[..., Any]
    gradients: tuple[str, ...]
    sample: Callable[[Draw], Sample]
    formula: str
    rules: dict[str, str]
    shapes: dict[str, str]
    sizes: Callable[..., Mapping[str, int]]
    cost: Cost
    torch: str
    reference: Callable[..., Any] | None = None
    parameters: tuple[str, ...] = ()
    variadic: str = ""
    benchmark: Callable[[Draw], Sample] | None = None
    fast: tuple[Callable[..., Any], Callable[..., Any]] | None = None
    extreme: bool = True

    def arguments(self, sample: Sample) -> dict[str, Any]:
        """Return the keyword arguments of one call.

        A random generator is copied, so that every call with a sample draws the same numbers.

        Parameters
        ----------
        sample : Sample
            Drawn by ``operator.sample``.

        Returns
        -------
        dict
        """
        options = copy.deepcopy(sample.options)
        if self.variadic:
            return {self.variadic: list(sample.inputs.values()), **options}
        return {**sample.inputs, **options}

    def named_gradients(self, gradients: Any, sample: Sample) -> dict[str, Array]:
        """Return what backward returned under the names of the inputs.

        Parameters
        ----------
        gradients : ndarray, tuple or list
            What backward returned.
        sample : Sample
            The arguments of the call.

        Returns
        -------
        dict of str to ndarray

        Raises
        ------
        ValueError
            If a gradient is missing, or one came for an input that was left out.
        """
        if not isinstance(gradients, (tuple, list)):
            gradients = (gradients,)
        names = tuple(sample.inputs) if self.variadic else self.gradients
        if len(gradients) != len(names):
            raise ValueError(f"{self.name}_backward: expected {names}, got {len(gradients)} values")
        named = {n: g for n, g in zip(names, gradients, strict=True) if g is not None}
        if set(named) != set(sample.inputs):
            expected = list(sample.inputs)
            raise ValueError(f"{self.name}_backward: expected {expected}, got {list(named)}")
        return named

    @property
    def anchor(self) -> str:
        """The place on the site, from the folder of a language on."""
        return f"reference/backward-rules/{self.family}.md#{self.name.replace('_', '-')}"
