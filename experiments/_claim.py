"""What a claim is: a sentence, the result it rests on, and a criterion that can fail."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import ModuleType
from typing import Any

# What a criterion may call; everything else in it is a key of the result.
FUNCTIONS = {f.__name__: f for f in (abs, all, any, len, max, min, sorted, sum)}


class ClaimError(ValueError):
    """A claim that is not met, or that can't be read; the message names it."""


class Keys:
    """A result whose keys are read with a dot: `noticed.shapes.mean`."""

    def __init__(self, result: dict[str, Any]) -> None:
        self._result = result

    def __getattr__(self, key: str) -> Any:
        try:
            return _open(self._result[key])
        except KeyError:
            raise AttributeError(f"no key {key!r}, only {', '.join(self._result)}") from None

    def __getitem__(self, key: str) -> Any:
        return getattr(self, key)

    def values(self) -> list[Any]:
        return [_open(value) for value in self._result.values()]


def _open(value: Any) -> Any:
    if isinstance(value, dict):
        return Keys(value)
    return [_open(v) for v in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class Claim:
    """An empirical sentence of the site.

    Attributes
    ----------
    id : str
        Unique on the site, in kebab case; the address of the claim in the ledger.
    en, zh : str
        The sentence, in Markdown; measured numbers are references, `{{ name.path | .3f }}`.
    criterion : str
        A Python expression over the keys of the result file, true where the claim holds. The
        ledger prints it as it is run.
    covers : tuple of str
        Which numbers of the result file the claim answers for: paths, with * as in file names.
    runs : str
        Path of the number of independent repeats (seeds, draws); "" where nothing is random.
    spread : tuple of str
        Paths of the lowest and the highest value over the repeats, or of a mean and its standard
        error. Given exactly where `runs` is.
    exact : str
        Why there is no spread, one of EXACT. Given exactly where `runs` is not.
    figure : str
        Name of the figure that shows it, "" where the sentence is a count.
    """

    id: str
    en: str
    zh: str
    criterion: str
    covers: tuple[str, ...]
    runs: str = ""
    spread: tuple[str, str] | tuple[()] = ()
    exact: str = ""
    figure: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.id):
            raise ClaimError(f"claim {self.id!r}: the id is not in kebab case")
        if bool(self.runs) == bool(self.exact) or bool(self.runs) != bool(self.spread):
            raise ClaimError(f"claim {self.id}: give runs and spread, or exact")
        if self.exact and self.exact not in EXACT:
            raise ClaimError(f"claim {self.id}: exact is one of {', '.join(EXACT)}")
        if self.runs and not self.figure:
            raise ClaimError(f"claim {self.id}: a measured claim needs a figure")

    def holds(self, result: dict[str, Any]) -> bool:
        """Whether the criterion is met by a result."""
        names = {key: _open(value) for key, value in result.items()}
        try:
            met = eval(self.criterion, {"__builtins__": {}, **FUNCTIONS, **names})
        except (AttributeError, IndexError, NameError, SyntaxError, TypeError) as error:
            raise ClaimError(f"claim {self.id}: {self.criterion!r}: {error}") from None
        if not isinstance(met, bool):
            raise ClaimError(f"claim {self.id}: {self.criterion!r} is {met!r}, not true or false")
        return met

    def answers_for(self, path: str) -> bool:
        """Whether the claim covers this number of its result file."""
        return any(matches(path, pattern) for pattern in self.covers)


# Why the value of a claim has no spread.
EXACT = ("count", "arithmetic", "deterministic")


def matches(path: str, pattern: str) -> bool:
    """Whether a path in a result file fits a pattern; [ and ] stand for themselves."""
    return fnmatchcase(path, pattern.replace("[", "[[]"))


def claims_of(module: ModuleType) -> tuple[Claim, ...]:
    """The claims of an experiment, none where it has none."""
    return tuple(getattr(module, "CLAIMS", ()))


def worked_of(module: ModuleType) -> tuple[str, ...]:
    """Paths of numbers that claim nothing: settings, and the arithmetic of a worked example."""
    return tuple(getattr(module, "WORKED", ()))


def broken(module: ModuleType, result: dict[str, Any]) -> Iterator[str]:
    """Name every claim of an experiment that a result does not meet."""
    for claim in claims_of(module):
        if not claim.holds(result):
            yield f"claim {claim.id} does not hold: {claim.criterion}"
