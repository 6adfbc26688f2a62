"""Which option of the command helps where a table cannot be used as it is."""

from __future__ import annotations

import re
from typing import Final

_MISSING: Final = r"the value is missing( \(.*\))?$"
_DELIMITER: Final = r"separated by ('\\t'|'.'|\".\") \(\w+\), not by"

# Command, policy for missing cells, what the message says, what is advised.
_ADVICE: Final = (
    (
        "fit", "error", _MISSING,
        "--missing drop leaves such rows out, --missing mean fills in the features",
    ),
    ("fit", "mean", _MISSING, "a target is never filled in: --missing drop leaves such rows out"),
    (
        "predict|evaluate", ".*", _MISSING,
        "allowed after a training with --missing drop or, in a feature, mean",
    ),
    ("fit", ".*", r"drop it$|: drop the column\b", "--drop COLUMN leaves a column out"),
    ("fit|predict|evaluate", ".*", _DELIMITER, r"--delimiter \1"),
)  # fmt: skip


def advised(message: str, command: str, missing: str = "error") -> str:
    r"""Return the message of a `DataError` with the option that helps, if there is one.

    The reader of a table serves Python as well and knows of no options; this adds them.

    Parameters
    ----------
    message : str
        One line.
    command : str
        In which it was met: "fit".
    missing : str
        The command's policy for missing cells.

    Examples
    --------
    >>> advised("a.csv: line 3, column 'x': the value is missing", "predict")[-69:]
    '(allowed after a training with --missing drop or, in a feature, mean)'
    >>> advised("a.csv: the columns seem to be separated by '\\t' (tab), not by ','", "fit")[-17:]
    '(--delimiter tab)'
    >>> advised("a.csv: line 3: 2 cells where the header names 3 columns", "fit")
    'a.csv: line 3: 2 cells where the header names 3 columns'
    """
    for commands, policy, said, advice in _ADVICE:
        found = re.search(said, message)
        if found and re.fullmatch(commands, command) and re.fullmatch(policy, missing):
            return f"{message} ({found.expand(advice)})".replace(r"'\t')", "tab)")
    return message
