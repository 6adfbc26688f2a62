"""The items of the quiz, read from the Markdown of its page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

# An item: its heading, then a <div> with the question, the options and the folded explanations.
_ITEM = re.compile(
    r"^### (?P<title>[^{\n]+?) \{ #(?P<id>[\w-]+) \}\n\n"
    r'<div class="quiz-item" markdown>\n\n'
    r"(?P<question>\S[^\n]*)\n\n"
    r"(?P<options>(?:\d\. [^\n]+\n)+)\n"
    r'\?\?\? question "(?P<summary>[^"\n]+)"\n\n'
    r"(?P<explanations>(?: {4}\d\. [^\n]+\n)+)\n"
    r"</div>$",
    re.M,
)
_VERDICT = re.compile(
    r"\*\*(?P<word>[^*]+)\*\*\{ \.verdict \.(?P<kind>holds|false) \} (?P<text>.+)"
)
_LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")


class QuizError(ValueError):
    """An item that is not written like the others; the message names it."""


@dataclass(frozen=True)
class Option:
    """One answer that can be chosen, with what the page says about it."""

    text: str
    right: bool
    word: str  # "Right." or "Wrong.", in the language of the page
    explanation: str

    @property
    def links(self) -> list[str]:
        return _LINK.findall(self.explanation)


@dataclass(frozen=True)
class Item:
    id: str
    title: str
    question: str
    summary: str
    options: tuple[Option, ...]

    @property
    def right(self) -> int:
        """Index of the right option."""
        (index,) = (i for i, option in enumerate(self.options) if option.right)
        return index


def _numbered(block: str, where: str) -> list[str]:
    found = re.findall(r"^ *(\d)\. (.+)$", block, flags=re.M)
    if [int(number) for number, _ in found] != list(range(1, len(found) + 1)):
        raise QuizError(f"{where}: the options are not numbered 1, 2, 3, …")
    return [text for _, text in found]


def _item(match: re.Match[str], where: str) -> Item:
    texts = _numbered(match["options"], where)
    explanations = _numbered(match["explanations"], where)
    if len(texts) != len(explanations):
        raise QuizError(f"{where}: {len(texts)} options, {len(explanations)} explanations")
    options = []
    for text, explanation in zip(texts, explanations, strict=True):
        verdict = _VERDICT.fullmatch(explanation)
        if verdict is None:
            raise QuizError(f"{where}: {explanation[:40]!r} does not begin with a verdict")
        options.append(Option(text, verdict["kind"] == "holds", verdict["word"], verdict["text"]))
    if sum(option.right for option in options) != 1:
        raise QuizError(f"{where}: not exactly one option is right")
    return Item(match["id"], match["title"], match["question"], match["summary"], tuple(options))


def read_quiz(path: Path) -> list[Item]:
    """Every item of the page in its order; an item that is written otherwise is an error."""
    text = path.read_text(encoding="utf-8")
    items = [_item(match, f"{path}, {match['title']}") for match in _ITEM.finditer(text)]
    written = text.count('class="quiz-item"')
    if len(items) != written:
        raise QuizError(f"{path}: {written} items, of which {len(items)} can be read")
    return items
