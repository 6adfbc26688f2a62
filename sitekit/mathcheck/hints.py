"""What an author may have meant by a name that nobody has declared."""

from __future__ import annotations

import difflib
import re

from sitekit.mathcheck.functions import BUILTINS
from sitekit.mathcheck.page import Inline
from sitekit.mathcheck.scope import Scope

_COMMANDS = {
    *(rf"\{name}" for name in BUILTINS), *(rf"\operatorname{{{name}}}" for name in BUILTINS),
    r"\frac", r"\sum", r"\prod", r"\partial", r"\nabla", r"\odot", r"\cdot", r"\top", r"\lVert",
    r"\rVert", r"\lvert", r"\rvert", r"\hat", r"\bar", r"\tilde", r"\mathbf", r"\mathcal",
}  # fmt: skip
_ALIKE = 0.78  # of 1: two letters swapped are alike, \int and \sin are not


def suggestion(scope: Scope, name: str) -> str:
    """The end of an error message: a declaration that can't be read, or a name like this one."""
    for text, line in scope.unread:
        if re.search(re.escape(_bare(name)) + "(?![A-Za-z])", text):
            return f"; {line} seems to declare it and can't be read"
    if name in (r"\partial", r"\mathrm{d}"):
        return r"; write a derivative as \frac{\partial J}{\partial w}"
    if (plain := name.lstrip("\\")) in BUILTINS:
        return f"; write \\operatorname{{{plain}}}"
    known = {*scope.entries, *scope.sizes, *scope.ranges, *_COMMANDS}
    known = {k for k in known if ("{" in k) == ("{" in name)}  # \mathbf is no name for \mathbf{W}
    close = difflib.get_close_matches(name, known, 1, _ALIKE) if len(name) > 1 else []
    return f"; did you mean {close[0]}?" if close else ""


def unread(inline: Inline, scope: Scope) -> str | None:
    """The names in a formula that looks like a declaration; None if it does not."""
    match = re.match(r"(.*?)\\(?:in|colon)(?![A-Za-z])", inline.tex)
    if match is None and (match := re.match(r"\s*([^=]+?)\s*=.*\\l?dots", inline.tex)):
        match = None if match[1] in scope.ranges else match
    return _bare(match[1]) if match else None


def _bare(tex: str) -> str:
    return re.sub(r"[\s{}]", "", tex)
