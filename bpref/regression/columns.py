"""What is known of a column of a table, and its written form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, TypeAlias

from bpref.regression.errors import RunError
from bpref.regression.wording import shown


class ColumnReport(NamedTuple):
    """What was done to one column of the table.

    Attributes
    ----------
    column : str
    role : {"feature", "target", "dropped"}
    kind : {"numeric", "categorical", ""}
    missing : int
        Training rows in which the cell was missing and was filled in.
    treatment : str
        One sentence.
    """

    column: str
    role: str
    kind: str
    missing: int
    treatment: str


@dataclass(frozen=True)
class NumericColumn:
    """A column of numbers: (value − mean) / std.

    Attributes
    ----------
    name : str
    mean, std : float
        Of the training rows in which the value is there; std divides by their number.
    missing : int
        Training rows in which it is not.
    note : str
        What else was done or seen.
    """

    kind: ClassVar[str] = "numeric"
    name: str
    mean: float
    std: float
    missing: int = 0
    note: str = ""

    @property
    def width(self) -> int:
        """Columns of X."""
        return 1

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns of X."""
        return (self.name,)


@dataclass(frozen=True)
class CategoricalColumn:
    """A column of categories: one column of X per level, 1 where the row has it.

    Attributes
    ----------
    name : str
    levels : tuple of str
        Those of the training rows, sorted.
    common : str
        The level of most training rows; fills in missing cells.
    missing : int
        Training rows in which the value is missing.
    note : str
        What else was done or seen.
    """

    kind: ClassVar[str] = "categorical"
    name: str
    levels: tuple[str, ...]
    common: str
    missing: int = 0
    note: str = ""

    @property
    def width(self) -> int:
        """Columns of X."""
        return len(self.levels)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns of X."""
        return tuple(f"{self.name}={level}" for level in self.levels)


Column: TypeAlias = NumericColumn | CategoricalColumn


# The written form


def column_to_dict(column: Column) -> dict[str, Any]:
    """Return JSON values from which `column_from_dict` makes an equal column."""
    written = {"kind": column.kind, **vars(column)}
    if isinstance(column, CategoricalColumn):
        written["levels"] = list(column.levels)
    return written


def entry(written: dict[str, Any], key: str, kind: type) -> Any:
    """Return a value of a written form; one of another type is an error."""
    value = written.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise RunError(f"preprocessing: {key} must be of type {kind.__name__}, got {shown(value)}")
    return value


def column_from_dict(written: Any) -> Column:
    """Return the column of `column_to_dict`; of a damaged form, say what is wrong."""
    if not isinstance(written, dict):
        raise RunError(f"preprocessing: a column must be an object, got {shown(written)}")
    name = entry(written, "name", str)
    missing, note = entry(written, "missing", int), entry(written, "note", str)
    kind = written.get("kind")
    if kind == "numeric":
        mean, std = (entry(written, key, float) for key in ("mean", "std"))
        if not (math.isfinite(mean) and math.isfinite(std) and std > 0):
            raise RunError(
                f"preprocessing: column {shown(name)} has mean {mean} and std {std}: "
                "they must be finite, std above 0"
            )
        return NumericColumn(name, mean, std, missing, note)
    if kind != "categorical":
        raise RunError(f"preprocessing: column {shown(name)} has the unknown kind {shown(kind)}")
    levels = entry(written, "levels", list)
    common = written.get("common")
    if not all(isinstance(level, str) for level in levels) or len(set(levels)) < len(levels):
        raise RunError(f"preprocessing: column {shown(name)} needs different levels of text")
    if common not in levels:
        raise RunError(f"preprocessing: column {shown(name)} has no level {shown(common)}")
    return CategoricalColumn(name, tuple(levels), str(common), missing, note)
