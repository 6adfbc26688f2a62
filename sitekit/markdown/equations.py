"""Display equations get a number, an address, and a mark that opens: what was checked, and how.

The checks are those of `sitekit.mathcheck`. A page with an equation that does not hold is not
built; the error names page, line and formula. Results are cached, so that a build computes only
what has changed. How a site configures this: see `sitekit.mathcheck`.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor
from markdown.treeprocessors import Treeprocessor
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from sitekit.mathcheck.check import Result
from sitekit.mathcheck.page import read
from sitekit.mathcheck.site import Site

WORDS = {
    "en": {
        "claim": "Equation {number}, checked",
        "definition": "Equation {number}, a definition",
        "false": "Equation {number}, wrong on purpose",
        "unchecked": "Equation {number}, not checked",
        "claim text": "Both sides were computed in {cases} random draws with all sizes different: "
        "{compared} numbers, largest relative error {error}.",
        "central": "Derivatives are taken by complex step; by central differences the error is "
        "{central}.",
        "definition text": "The formula defines its left side. It was computed in {cases} random "
        "draws ({compared} numbers); what is claimed about it is checked against it.",
        "false text": "Printed because it is wrong. It was put to the test in {cases} random draws "
        "and fails in each.",
        "unchecked text": "Not checked by the machine: {reason}.",
        "python": "The right side is also what <code>{python}</code> gives.",
        "code": "As NumPy code, made from the formula and run:",
        "repeat": "Repeat the check:",
    },
    "zh": {
        "claim": "公式 {number}，已检验",
        "definition": "公式 {number}，定义",
        "false": "公式 {number}，故意列出的错误公式",
        "unchecked": "公式 {number}，未检验",
        "claim text": "随机取值 {cases} 次，各维大小互不相同，计算两边并比较："
        "共 {compared} 个数，最大相对误差 {error}。",
        "central": "导数用复步长法计算；改用中心差分，误差为 {central}。",
        "definition text": "此式定义等号左边的量。随机取值 {cases} 次，算得 {compared} 个数；"
        "关于它的其他公式都与它对照检验。",
        "false text": "列出此式是因为它是错的。随机取值 {cases} 次，每次都不成立。",
        "unchecked text": "未经机器检验：{reason}。",
        "python": "右边也等于 <code>{python}</code> 的结果。",
        "code": "由公式生成、并已运行的 NumPy 代码：",
        "repeat": "重复检验：",
    },
}
MARKS = {"claim": "✓", "definition": "≔", "false": "✗", "unchecked": "–"}
_MARKER = re.compile(r"%equation (\d+)\n")


class EquationPreprocessor(Preprocessor):
    """Takes the attribute lines away and marks each formula with its number on the page."""

    def __init__(self, md: Markdown, site: Site) -> None:
        super().__init__(md)
        self.site = site
        self.results: dict[int, Result] = {}
        self.path: Path | None = None

    def run(self, lines: list[str]) -> list[str]:
        self.results = {}
        text = "\n".join(lines)
        self.path = self.site.find(text)
        if self.path is None:
            return lines
        self.results = {r.number: r for r in self.site.results(self.path)}
        out: list[str | None] = list(lines)
        for equation in read(self.path, text).equations:
            first = equation.line - 1
            after = first + equation.tex.count("\n") + 2
            indent = lines[first - 1][: len(lines[first - 1]) - len(lines[first - 1].lstrip())]
            out[first] = f"{indent}%equation {equation.number}\n{lines[first]}"
            if after < len(lines) and re.match(r"^ *\{.*\} *$", lines[after]):
                out[after] = None
        kept = "\n".join(line for line in out if line is not None)
        return re.sub(r"(?m)^ *<!-- *math:.*?-->\n", "", kept).split("\n")


class MarkProcessor(Treeprocessor):
    """Before the formulas are rendered: the number goes from the formula to its element."""

    def run(self, root: Element) -> None:
        for el in root.iter():
            if el.get("class") == "arithmatex" and (match := _MARKER.search(el.text or "")):
                el.set("data-equation", match[1])
                el.text = _MARKER.sub("", el.text or "")


class EquationProcessor(Treeprocessor):
    """After the formulas are rendered: number, address and mark around each display equation."""

    def __init__(self, md: Markdown, source: EquationPreprocessor, lang: str, root: Path) -> None:
        super().__init__(md)
        self.source, self.lang, self.root = source, lang, root

    def run(self, root: Element) -> None:
        for el in root.iter():
            number = el.attrib.pop("data-equation", None)
            if number is None:
                continue
            result = self.source.results[int(number)]
            formula = Element("div", {"class": el.get("class", "")})
            formula.text, el.text = el.text, None
            el.set("class", f"equation {result.status}")
            el.set("id", result.id)
            el.append(formula)
            details = Element("details", {"data-search-exclude": ""})
            details.text = self.md.htmlStash.store(self._inside(result))
            el.append(details)

    def _inside(self, result: Result) -> str:
        words = WORDS[self.lang]
        fields = {
            "number": result.number,
            "cases": result.cases,
            "compared": f"{result.compared:,}".replace(",", "\u202f"),
            "error": _power(result.error),
            "central": _power(result.central or 0.0),
            "reason": escape(result.reason).rstrip(".。"),
            "python": escape(result.python),
        }
        sentences = [words[f"{result.status} text"].format(**fields)]
        if result.central is not None:
            sentences.append(words["central"].format(**fields))
        if result.python:
            sentences.append(words["python"].format(**fields))
        label = words[result.status].format(**fields)
        separator = " " if self.lang == "en" else ""
        html = (
            f'<summary title="{label}"><span aria-hidden="true">({result.number})'
            f"\u202f{MARKS[result.status]}</span>"
            f'<span class="visually-hidden">{label}</span></summary>'
            f"<p>{separator.join(sentences)}</p>"
        )
        if result.code:
            formatter = HtmlFormatter(cssclass="language-python highlight", wrapcode=True)
            html += f"<p>{words['code']}</p>{highlight(result.code, PythonLexer(), formatter)}"
        if result.status in ("claim", "definition"):
            assert self.source.path is not None
            name = self.source.path.relative_to(self.root).as_posix()
            command = f"python -m sitekit.mathcheck {name}#{result.id}"
            html += f"<p>{words['repeat']}</p><p><code>{escape(command)}</code></p>"
        return html


def _power(value: float) -> str:
    """1.6e-15 as a reader writes it, rounded up: an error below it is what was found."""
    if value == 0:
        return "0"
    exponent = 0
    while value < 10.0**exponent:
        exponent -= 1
    sup = str(exponent + 1).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"&lt; 10{sup}"


class EquationsExtension(Extension):
    def __init__(self, **kwargs: Any) -> None:
        self.config = {
            "docs": ["docs", "folder of the pages"],
            "folders": [[], "folders below docs whose equations are checked"],
            "lang": ["en", "language of the marks"],
            "cache": [".cache/mathcheck", "folder of the results"],
        }
        super().__init__(**kwargs)

    def extendMarkdown(self, md: Markdown) -> None:
        root, lang = Path.cwd(), self.getConfig("lang")
        docs, folders = root / self.getConfig("docs"), self.getConfig("folders")
        if lang not in WORDS:
            raise ValueError(f"equations: lang is one of {', '.join(WORDS)}, not {lang!r}")
        for folder in folders:
            if not (docs / folder).is_dir():  # else nothing would be checked, in silence
                raise ValueError(f"equations: there is no folder {folder!r} in {docs}")
        site = Site(docs, folders, Path(self.getConfig("cache")))
        source = EquationPreprocessor(md, site)
        # Before anything else: the page is recognised by its text.
        md.preprocessors.register(source, "equations", 100)
        md.treeprocessors.register(MarkProcessor(md), "equation-marks", 16)
        processor = EquationProcessor(md, source, lang, root)
        md.treeprocessors.register(processor, "equations", 14)


def makeExtension(**kwargs: Any) -> EquationsExtension:
    return EquationsExtension(**kwargs)
