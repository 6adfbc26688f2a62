"""The equation index: every display equation with its number, its address and how it is checked."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

from experiments import equations
from pages import words
from sitekit.mathcheck.check import Result


def pages(lang: str) -> dict[str, str]:
    """Return the pages by their names below ``reference/``."""
    text = words.load("equations")
    site = equations.site(lang)
    found: dict[str, list[tuple[str, Path, list[Result]]]] = defaultdict(list)
    listed = equations.pages(lang)
    for name, path in sorted(listed.items(), key=lambda e: equations.FOLDERS.index(_part(e[0]))):
        found[_part(name)].append((name, path, site.results(path)))
    made = {"equations/index.md": _index(text, lang, found)}
    for folder, entries in found.items():
        made[f"equations/{folder}.md"] = _folder(text, lang, folder, entries)
    return made


def _part(name: str) -> str:
    return name.split("/")[0]


def _head(text: dict[str, Any], lang: str, key: str, anchor: str) -> list[str]:
    part = text[key]
    return [
        "---",
        f'title: "{part["title"][lang]}"',
        f'description: "{part["description"][lang]}"',
        "---",
        "",
        f"# {part['title'][lang]} {{ #{anchor} }}",
        "",
        part[lang].strip(),
        "",
        f'!!! note "{text["before"]["title"][lang]}"',
        "",
        f"    {text['before'][lang]}",
        "",
    ]


def _index(text: dict[str, Any], lang: str, found: dict[str, Any]) -> str:
    lines = _head(text, lang, "index", "equations")
    statuses = ("claim", "definition", "false", "unchecked")
    columns = [text["part"][lang], *(text["status"][s][lang] for s in statuses)]
    lines += ["| " + " | ".join(columns) + " |", "|---|" + "---:|" * len(statuses)]
    for folder, entries in found.items():
        results = [r for _, _, rs in entries for r in rs]
        cells = [str(sum(r.status == s for r in results)) for s in statuses]
        link = f"[{text['folder'][folder][lang]}]({folder}.md)"
        lines.append("| " + " | ".join([link, *cells]) + " |")
    lines += ["", f"## {text['how']['title'][lang]} {{ #how }}", "", text["how"][lang].strip(), ""]
    lines += [f'!!! warning "{text["mistake"]["title"][lang]}"', ""]
    lines += [f"    {text['mistake'][lang]}", ""]
    return "\n".join(lines)


def _folder(text: dict[str, Any], lang: str, folder: str, entries: list[Any]) -> str:
    title = {
        **text["folder_page"],
        "title": {lang: text["folder_page"]["title"][lang].format(text["folder"][folder][lang])},
    }
    lines = _head({**text, "folder_page": title}, lang, "folder_page", f"equations-{folder}")
    for name, path, results in entries:
        heading = re.search(r'^title: "?(.*?)"?$', path.read_text(encoding="utf-8"), re.M)
        assert heading is not None
        anchor = f"{Path(name).stem}"
        lines += [f"## {heading[1]} {{ #{anchor} }}", ""]
        lines += ['<div class="wide-table" markdown>', ""]
        lines += [f"| {text['number'][lang]} | {text['formula'][lang]} | {text['kind'][lang]} |"]
        lines += ["|---:|---|---|"]
        for result in results:
            lines.append(_row(text, lang, name, result))
        lines += ["", "</div>", ""]
    return "\n".join(lines)


def _row(text: dict[str, Any], lang: str, name: str, result: Result) -> str:
    tex = " ".join(result.tex.split())
    kind = text["status"][result.status][lang]
    if result.status == "unchecked":
        kind += text["colon"][lang] + result.reason
    if result.python:
        # The function that decides; the whole expression stands at the equation.
        functions = [n for n in re.findall(r"[\w.]+(?=\()", result.python) if "." in n]
        kind += text["colon"][lang] + f"`{functions[0]}`"
    return f"| [({result.number})](../../{name}#{result.id}) | ${tex}$ | {kind} |"
