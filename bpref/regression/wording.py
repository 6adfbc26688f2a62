"""How messages show what they name: short, on one line, with the nearest name."""

from __future__ import annotations

import difflib
import os
import unicodedata
from collections.abc import Sequence
from typing import Final

LIMIT: Final = 40  # characters of a cell or a name in a message
LISTED: Final = 10  # names in a message


def short(text: str, most: int = LIMIT) -> str:
    """Return `text`, or its beginning if it has more than `most` characters.

    Examples
    --------
    >>> short("price"), short("price", 3)
    ('price', 'pri…')
    """
    return text if len(text) <= most else f"{text[:most]}…"


def shown(text: object) -> str:
    r"""Return `text` quoted, without line breaks, with at most LIMIT characters of it.

    Examples
    --------
    >>> print(shown("two\nlines"), shown("9" * 50))
    'two\nlines' '9999999999999999999999999999999999999999…'
    """
    return repr(short(str(text)))


def visible(text: str) -> str:
    r"""Return `text` with escapes for what a terminal would obey or hide; otherwise as it is.

    A name from a file may hold an escape sequence, a line break, or signs that turn the direction.

    Examples
    --------
    >>> print(visible("größe\x1b[31m\u202e"))
    größe\x1b[31m\u202e
    """
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


def digits(value: float) -> str:
    """Return the number with four significant digits; below ten million without an exponent.

    Examples
    --------
    >>> digits(7.64423), digits(82834.5), digits(1.5e9)
    ('7.644', '82834', '1.5e+09')
    """
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e7 else f"{value:.4g}"


def listed(names: Sequence[str]) -> str:
    """Return the names, shortened, with commas; after LISTED of them how many are left.

    Examples
    --------
    >>> listed(["age", "bmi"])
    'age, bmi'
    """
    few = [shown(name)[1:-1] for name in names[:LISTED]]
    left = len(names) - len(few)
    return ", ".join(few) + (f" and {left} more" if left else "")


def nearest(name: str, names: Sequence[str]) -> str | None:
    """Return the one of `names` that `name` may have meant, or None.

    Examples
    --------
    >>> nearest("Prise", ["size", "price"])
    'price'
    >>> nearest("Prise", ["rooms"]) is None
    True
    """
    plain = {_plain(other): other for other in reversed(names)}
    close = difflib.get_close_matches(_plain(name), plain, n=1)
    return plain[close[0]] if close else None


def _plain(name: str) -> str:
    """Return what makes names alike: no capitals, and one form of letters that look the same."""
    return unicodedata.normalize("NFKC", name).casefold()


def missing_name(name: str, names: Sequence[str]) -> str:
    """Say that no column is called `name`, and which one may have been meant.

    Examples
    --------
    >>> missing_name("prise", ["size", "price"])
    "no column 'prise'; did you mean 'price'?"
    >>> missing_name("y", ["size", "price"])
    "no column 'y'; the columns are size, price"
    """
    other = nearest(name, names)
    if other is not None and unicodedata.normalize("NFKC", other) == unicodedata.normalize(
        "NFKC", name
    ):  # "é" may be one sign or two
        return f"no column {name!a}; did you mean {other!a}, which looks alike?"
    hint = f"did you mean {shown(other)}?" if other else f"the columns are {listed(names)}"
    return f"no column {shown(name)}; {hint}"


def path_name(path: str | os.PathLike[str]) -> str:
    """Return the path as it is typed; with line breaks or broken characters, in escapes."""
    name = os.fspath(path)
    return name if name.isprintable() else ascii(name)
