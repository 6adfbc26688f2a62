"""What one cell of a table says: nothing, a number, or text, and what is wrong with it."""

from __future__ import annotations

import re
from typing import Final

from bpref.regression.wording import shown

# Cells that hold no value: those that pandas takes for missing.
MISSING_MARKS: Final = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
)  # fmt: skip
LARGEST: Final = 1e100  # a column with larger values would overflow when it is squared

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NAN = re.compile(r"[+-]?nan", re.IGNORECASE)
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
_DAY = r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2}))"
_TIME = r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?"
_DATE = re.compile(rf"({_DAY}([T ]{_TIME} ?(Z|UTC|[+-]\d\d:?\d\d)?)?|{_TIME})", re.ASCII)
_GROUPS = re.compile(r"[+-]?\d{1,3}([,'’_ \u00a0\u202f]\d{3})+(\.\d+)?", re.ASCII)
_COMMA = re.compile(r"[+-]?(\d{1,3}([. ]\d{3})+|\d+),\d+", re.ASCII)
_UNIT = re.compile(r"[$€£¥] ?[+-]?\d[\d.,]*|[+-]?\d[\d.,]* ?[%$€£¥]", re.ASCII)
_LONGEST = 40  # a longer cell is no date and no number with separators


def parse(cell: str) -> float | str | None:
    """Return the number of a cell (infinite if it is beyond float64), its text, or None.

    Spaces around it don't count. "inf" is None, like a missing cell: no number to learn from.

    Examples
    --------
    >>> parse(" 1.5e3 "), parse("red"), parse("NA"), parse("-inf"), parse("1e400")
    (1500.0, 'red', None, None, inf)
    """
    text = cell.strip()
    if _NUMBER.fullmatch(text):
        return float(text)
    if text in MISSING_MARKS or _NAN.fullmatch(text) or _INFINITE.fullmatch(text):
        return None
    return text


def unusable(cell: str) -> str:
    """Say why a cell without a value cannot be used.

    Examples
    --------
    >>> unusable(" "), unusable("NA"), unusable("inf")
    ('the value is missing', "the value is missing ('NA')", "'inf' is not a finite number")
    """
    text = cell.strip()
    if _INFINITE.fullmatch(text):
        return f"{shown(text)} is not a finite number"
    return "the value is missing" + (f" ({shown(text)})" if text else "")


def is_date(text: str) -> bool:
    """Whether the text is a date or a time of day.

    Examples
    --------
    >>> is_date("2024-01-31"), is_date("31.1.2024 08:15"), is_date("9:30"), is_date("3.11")
    (True, True, True, False)
    """
    return len(text) <= _LONGEST and _DATE.fullmatch(text) is not None


def almost_number(text: str) -> str | None:
    """Say what keeps the text from being a number, or return None where it is just text.

    Examples
    --------
    >>> almost_number("1,5"), almost_number("red")
    ("'1,5' has a decimal comma: write 1.5", None)
    >>> almost_number("1,234")
    "'1,234' has a decimal comma or a thousands separator: write 1.234 or 1234"
    """
    if len(text) > _LONGEST:
        return None
    grouped, comma = _GROUPS.fullmatch(text), _COMMA.fullmatch(text)
    joined = re.sub(r"[,'’_ \u00a0\u202f]", "", text)
    point = re.sub(r"[. ]", "", text).replace(",", ".")
    if grouped and comma:
        return (
            f"{shown(text)} has a decimal comma or a thousands separator: write {point} or {joined}"
        )
    if grouped:
        return f"{shown(text)} has a thousands separator: write {joined}"
    if comma:
        return f"{shown(text)} has a decimal comma: write {point}"
    if _UNIT.fullmatch(text):
        return f"{shown(text)} has a unit: write the number alone"
    return None
