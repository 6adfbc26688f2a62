"""The one error of the checker: what is wrong, and where it stands in the formula."""

from __future__ import annotations


class MathError(ValueError):
    """A formula that can't be read, does not fit, or is not true.

    ``pos`` is the offset in ``tex``. `located` fills in the formula and the page as the error
    travels outwards; an error inside a definition therefore names the definition's own text.
    ``source`` tells formulas apart: page, first line, LaTeX. ``blocked`` are the ids of the
    equations that could not be checked because of this error.
    """

    def __init__(self, message: str, pos: int | None = None) -> None:
        super().__init__(message)
        self.message, self.pos = message, pos
        self.tex: str | None = None
        self.where: str | None = None  # page:line
        self.line = 0
        self.source: tuple[str, int, str] | None = None
        self.blocked: list[str] = []

    def located(self, tex: str, page: str, line: int) -> MathError:
        """Say where the formula stands, unless that is known already."""
        if self.tex is None:
            before = tex[: self.pos or 0]
            self.tex, self.line = tex, line + before.count("\n")
            self.where = f"{page}:{self.line}"
            self.source = (page, line, tex)
        return self

    def __str__(self) -> str:
        if self.tex is None:
            return self.message
        pos = min(self.pos or 0, len(self.tex))
        start = self.tex.rfind("\n", 0, pos) + 1
        end = self.tex.find("\n", pos)
        shown = self.tex[start : end if end >= 0 else None]
        caret = "" if self.pos is None else "\n    " + " " * (pos - start) + "^"
        names = ", ".join(self.blocked)
        others = f"\n    not checked because of this: {names}" if names else ""
        return f"{self.where}: {self.message}\n    {shown}{caret}{others}"


class Untrue(MathError):
    """The formula can be read, and does not hold: its values or its shapes are wrong."""


class BadDraw(Exception):
    """The random sizes do not suit the page: a difference of two is not positive."""


class FalseEquation(ValueError):
    """Equations of a page that do not hold or can't be read; the build stops."""
