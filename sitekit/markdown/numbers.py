r"""Numbers in prose come from result files: ``{{ two_layers.loss | .4f }}``.

The part before the first dot names a file ``<results>/<name>.json``; the rest is a path in
it (``a.b[2]``); after the bar stands a Python format specification, or

* ``sci``, ``sci3``: LaTeX, ``4.0 \times 10^{-32}`` (one digit after the point, or three);
* ``pct``, ``pct1``: a percentage with that many digits, ``12.3 %``.

Between words a negative number has a minus, which a screen reader says; it skips a hyphen.
A number that is not there stops the build.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from markdown import Markdown
from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor

REFERENCE = re.compile(
    r"\{\{\s*(?P<name>[a-z][a-z0-9_]*)\.(?P<path>[\w.\[\]-]+?)\s*(?:\|\s*(?P<format>[^{}|]+?)\s*)?\}\}"
)


class NumberError(ValueError):
    """A reference to a number that no run has written."""


def look_up(results: Path, name: str, path: str) -> Any:
    """The value at ``path`` in the result file of ``name``."""
    file = results / f"{name}.json"
    if not file.exists():
        raise NumberError(f"no result file {file.name} for {{{{ {name}.{path} }}}}")
    value = json.loads(file.read_text(encoding="utf-8"))
    for step in re.findall(r"[^.\[\]]+", path):
        try:
            value = value[int(step)] if isinstance(value, list) else value[step]
        except (KeyError, IndexError, ValueError, TypeError):
            raise NumberError(f"{file.name} has no {path!r} (looked for {step!r})") from None
    return value


def show(value: Any, spec: str) -> str:
    """The value as the page prints it."""
    single = isinstance(value, (str, int, float))
    if not single or (isinstance(value, float) and not math.isfinite(value)):
        raise NumberError(f"can't show {value!r}: it is not a single finite value")
    try:
        if match := re.fullmatch(r"sci(\d*)", spec):
            mantissa, exponent = f"{value:.{match[1] or 1}e}".split("e")
            return f"{mantissa} \\times 10^{{{int(exponent)}}}"
        if match := re.fullmatch(r"pct(\d*)", spec):
            return f"{100 * value:.{match[1] or 0}f}\u00a0%"
        return format(value, spec) if spec else str(value)
    except (ValueError, TypeError) as error:
        raise NumberError(f"can't show {value!r} as {spec!r}: {error}") from None


class NumberProcessor(Preprocessor):
    def __init__(self, md: Markdown, results: Path) -> None:
        super().__init__(md)
        self.results = results

    def run(self, lines: list[str]) -> list[str]:
        def replace(match: re.Match[str]) -> str:
            value = look_up(self.results, match["name"], match["path"])
            text = show(value, match["format"] or "")
            before = match.string[: match.start()]
            between_words = before.count("$") % 2 == before.count("`") % 2 == 0
            return re.sub(r"^-(?=\d)", "\u2212", text) if between_words else text

        shown = [REFERENCE.sub(replace, line) for line in lines]
        for line in shown:
            if left := re.search(r"\{\{(?:\s+[^{}]*(?:\}\}|$)|$)", line):
                raise NumberError(f"{left[0]} is not a reference: name.path | format")
        return shown


class NumbersExtension(Extension):
    def __init__(self, **kwargs: Any) -> None:
        self.config = {"results": ["experiments/results", "folder of the result files"]}
        super().__init__(**kwargs)

    def extendMarkdown(self, md: Markdown) -> None:
        # After fenced code has been set aside (25): code shows what it says.
        md.preprocessors.register(
            NumberProcessor(md, Path(self.getConfig("results"))), "numbers", 22
        )


def makeExtension(**kwargs: Any) -> NumbersExtension:
    return NumbersExtension(**kwargs)
