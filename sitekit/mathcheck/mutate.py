r"""Wrong formulas made from right ones: would the check notice?

Each mutation changes one place of one equation, as an author might: a transpose is lost, a sign
turns, a factor appears or goes, an index or a symbol is another one, a slope becomes the function.
The page is then checked again from that section on; a mutant is killed when anything fails. What
survives is either equal to the original or a hole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from sitekit.mathcheck.build import build
from sitekit.mathcheck.check import CASES, check_false, check_statement
from sitekit.mathcheck.errors import MathError
from sitekit.mathcheck.page import Equation, Page, Section, read

_TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|[a-zA-Z]|\d+|\S")


@dataclass(frozen=True)
class Mutant:
    """One changed equation: what was changed, and the new LaTeX."""

    kind: str
    tex: str


def mutants(tex: str, names: dict[str, str]) -> list[Mutant]:
    """All single changes of an equation; ``names`` says which symbol may be taken for which."""
    found: dict[str, Mutant] = {}
    for kind, changed in _changes(tex, names):
        if changed != tex and changed not in found:
            found[changed] = Mutant(kind, changed)
    return list(found.values())


def _changes(tex: str, names: dict[str, str]) -> Iterator[tuple[str, str]]:
    equals = tex.find("=")
    if equals < 0:
        return

    def right(pattern: str) -> Iterator[re.Match[str]]:
        return (m for m in re.finditer(pattern, tex) if m.start() > equals)

    def with_(match: re.Match[str], new: str) -> str:
        return tex[: match.start()] + new + tex[match.end() :]

    for m in right(r"\^\\top"):
        yield "transpose lost", with_(m, "")
    for m in right(r"(?<=[\w)}])\s*[+-]\s*(?=[\w\\(])"):
        yield "sign", with_(m, " - " if "+" in m[0] else " + ")
    start = re.compile(r"=\s*(?:&\s*)?").search(tex, equals)
    if start:
        rest = tex[start.end() :]
        yield (
            "factor 2",
            tex[: start.end()] + "2 (" + _first_side(rest)[0] + ")" + _first_side(rest)[1],
        )
        first, after = _first_side(rest)
        yield "sign", tex[: start.end()] + "-(" + first + ")" + after
    for m in right(r"\\frac\{1\}\{(?:2\s*)?[NnKm]\}"):
        yield "mean for sum", with_(m, "1")
    for m in right(r"(\\[a-zA-Z]+|[a-z])'\("):
        yield "slope for function", with_(m, m[0].replace("'", ""))
    for m in right(r"\(1 - "):
        yield "sign", with_(m, "(1 + ")
    for old, new in names.items():
        for m in right(re.escape(old) + r"(?![A-Za-z])"):
            if not re.search(r"\\[a-zA-Z]*$", tex[: m.start()]) or old.startswith("\\"):
                yield f"{old} taken for {new}", with_(m, new)
    for m in right(r"\\odot"):
        yield "product", with_(m, "+")
    for m in right(r"_\{([a-z])([a-z])\}"):
        yield "indices swapped", with_(m, f"_{{{m[2]}{m[1]}}}")
    for m in right(r"_\{(\d|[a-z](?: ?[+-] ?\d)?),([a-z])([a-z])\}"):
        yield "indices swapped", with_(m, f"_{{{m[1]},{m[3]}{m[2]}}}")
    for m in right(r"(?<![A-Za-z\\])([A-Z](?:_\{?[\dl](?:\+1)?\}?)?)(?:\^\\top)? (?=[\\A-Za-z({])"):
        yield f"{m[1]} missing", with_(m, "")


def _first_side(text: str) -> tuple[str, str]:
    """The text up to the next ``=`` or row outside brackets, and the rest."""
    depth = 0
    for k, char in enumerate(text):
        if char in "{(":
            depth += 1
        elif char in "})":
            depth -= 1
        elif depth == 0 and text.startswith(("=", r"\\", r"\end"), k):
            return text[:k].rstrip(), " " + text[k:]
    return text, ""


def neighbours(equations: list[Equation]) -> dict[str, str]:
    """Symbols that are easily confused on this page: pre-activation and activation, two layers."""
    text = " ".join(e.tex for e in equations)
    pairs = [
        ("a_1", "h_1"), ("a_2", "h_1"), ("h_1", "a_1"), ("A_1", "H_1"), ("H_1", "A_1"),
        ("W_2", "W_1"), ("a_l", "h_l"), ("A_l", "H_l"), ("h_{l-1}", "h_l"), ("H_{l-1}", "H_l"),
        ("W_{l+1}", "W_l"), (r"\delta_{l+1}", r"\delta_l"), (r"\hat y", "y"), (r"\hat Y", "Y"),
    ]  # fmt: skip
    return {a: b for a, b in pairs if a in text and b in text}


@dataclass
class Outcome:
    """How the mutants of one equation fared."""

    id: str
    defines: bool
    killed: int
    survivors: list[Mutant]


def run(path: Path, others: dict[str, Page] | None = None) -> Iterator[Outcome]:
    """Check all mutants of a page as the page itself is checked."""
    page = read(path)
    names = neighbours(page.equations)
    for section in page.sections:
        for equation in section.equations:
            if equation.unchecked is not None or equation.false:
                continue
            killed, survivors = 0, []
            for mutant in mutants(equation.tex, names):
                if _killed(page, section, equation, mutant, others or {}):
                    killed += 1
                else:
                    survivors.append(mutant)
            yield Outcome(
                equation.id, _defines(page, section, equation, others or {}), killed, survivors
            )


def _defines(page: Page, section: Section, equation: Equation, others: dict[str, Page]) -> bool:
    scope = build(section, page, others)
    return any(s.equation is equation and s.defines for s in scope.statements)


def _killed(
    page: Page, section: Section, equation: Equation, mutant: Mutant, others: dict[str, Page]
) -> bool:
    """Whether a check fails: of the equation, or of one in a section that sees it."""
    changed = replace(equation, tex=mutant.tex)
    original = section.items
    section.items = [changed if item is equation else item for item in original]
    try:
        for cases in (1, CASES):  # most fall in the first draw
            for seeing in _seeing(page, section):
                scope = build(seeing, page, others)
                if scope.errors:
                    return True
                for statement in scope.statements:
                    check = check_false if statement.equation.false else check_statement
                    check(scope, statement, cases)
    except MathError:
        return True
    finally:
        section.items = original
    return False


def _seeing(page: Page, section: Section) -> list[Section]:
    """The section first, then all that include it."""
    seen = {section.id}
    found = [section]
    for _ in page.sections:
        for other in page.sections:
            uses = {name for name, _ in other.uses} | {p.id for p in other.parents}
            if other.id not in seen and uses & seen and other.equations:
                seen.add(other.id)
                found.append(other)
    return found
