"""The one error of the checker: what is wrong, and where it stands in the formula."""

from __future__ import annotations


class MathError(ValueError):
    """A formula that can't be read, does not fit, or is not true.

    ``pos`` is the offset in ``tex``. `located` fills in the formula and the page as the error
    travels outwards; an error inside a definition therefore names the definition's own text.
    """

    def __init__(self, message: str, pos: int | None = None) -> None:
        super().__init__(message)
        self.message, self.pos = message, pos
        self.tex: str | None = None
        self.where: str | None = None  # page:line
        self.line = 0

    def located(self, tex: str, page: str, line: int) -> MathError:
        """Say where the formula stands, unless that is known already."""
        if self.tex is None:
            before = tex[: self.pos or 0]
            self.tex, self.line = tex, line + before.count("\n")
            self.where = f"{page}:{self.line}"
        return self

    def __str__(self) -> str:
        if self.tex is None:
            return self.message
        pos = min(self.pos or 0, len(self.tex))
        start = self.tex.rfind("\n", 0, pos) + 1
        end = self.tex.find("\n", pos)
        shown = self.tex[start : end if end >= 0 else None]
        caret = "" if self.pos is None else "\n    " + " " * (pos - start) + "^"
        return f"{self.where}: {self.message}\n    {shown}{caret}"


class Untrue(MathError):
    """The formula can be read, and does not hold: its values or its shapes are wrong."""


class BadDraw(Exception):
    """The random sizes do not suit the page: a difference of two is not positive."""
