"""The page about the speed and the memory of whole training runs, from one measurement."""

from __future__ import annotations

import json
from typing import Any

from pages import speed_scaling, words
from pages.speed import RESULTS, case_name, contender_name, machine_line, table

AUTO = "bpref auto"


def pages(lang: str) -> dict[str, str]:
    """Return the page by its name below ``reference/``."""
    text = words.load("speed_regression")
    measured = json.loads((RESULTS / "regression.json").read_text(encoding="utf-8"))
    threads = dict(sorted(measured["threads"].items()))
    lines = [
        *("---", f'title: "{text["title"][lang]}"', f'description: "{text["description"][lang]}"'),
        *("---", "", f"# {text['title'][lang]} {{ #speed-regression }}", ""),
        text["intro"][lang].strip(),
        *("", f'!!! note "{text["before"]["title"][lang]}"', "", f"    {text['before'][lang]}"),
        *("", f"## {text['how']['title'][lang]} {{ #how }}", ""),
        text["how"][lang].strip().format(**measured["how"]),
        *("", machine_line(text, lang, measured["machine"])),
        *("", f"## {text['runs']['title'][lang]} {{ #runs }}", "", text["runs"][lang].strip()),
    ]
    for count, cases in threads.items():
        lines += ["", f"### {text['threads'][count][lang]} {{ #runs-{count} }}", ""]
        lines += table(text, lang, cases)
    lines += ["", text["reading"][lang].strip(), "", chosen(text, lang, threads)]
    lines += ["", *reasons(text, lang, threads)]
    lines += ["", f"## {text['memory']['title'][lang]} {{ #memory }}", ""]
    lines += [text["memory"][lang].strip(), "", *memory(text, lang, threads)]
    lines += ["", *speed_scaling.section(lang)]
    lines += ["", f'!!! warning "{text["mistake"]["title"][lang]}"', ""]
    lines += [f"    {text['mistake'][lang]}", ""]
    return {"speed-regression.md": "\n".join(lines)}


def chosen(text: dict[str, Any], lang: str, threads: dict[str, Any]) -> str:
    """Say which backend "auto" was, case by case where it is not always the same."""
    backends = {
        case: rows[AUTO]["backend"] for cases in threads.values() for case, rows in cases.items()
    }
    if len(set(backends.values())) == 1:
        return str(text["chosen_one"][lang].format(backend=next(iter(backends.values()))))
    separator, end = ("; ", ".") if lang == "en" else ("；", "。")
    pairs = [f"{case_name(text, lang, case)}: `{name}`" for case, name in backends.items()]
    return text["chosen"][lang] + separator.join(pairs) + end


def ahead(rows: dict[str, Any]) -> list[tuple[str, float]]:
    """Return (contender, factor) wherever a median is ahead of bpref with "auto".

    The backend that "auto" chose is the same program: what it is ahead by is chance.
    """
    auto, same = rows[AUTO]["x"], f"bpref {rows[AUTO]['backend']}"
    return [(n, row["x"] / auto) for n, row in rows.items() if row["x"] > auto and n != same]


def reasons(text: dict[str, Any], lang: str, threads: dict[str, Any]) -> list[str]:
    """Say by how much each contender that is ahead is ahead, and why.

    Raises
    ------
    KeyError
        If there is no reason for it.
    """
    lines = []
    for count, cases in threads.items():
        for case, rows in cases.items():
            for name, factor in ahead(rows):
                if count not in text.get("why", {}).get(name, {}):
                    place = f'[why."{name}".{count}], ahead in {case!r}'
                    raise KeyError(f"pages/speed_regression.toml: no {place}")
                why = text["why"][name][count][lang]
                fields = {"peer": contender_name(text, lang, name), "factor": f"{factor:.2f}"}
                fields |= {"case": case_name(text, lang, case), "why": why}
                label = text["threads"][count][lang].lower()
                lines.append("- " + text["ahead"][lang].format(threads=label, **fields))
    return [text["ahead_title"][lang], "", *lines] if lines else [text["nobody"][lang]]


def memory(text: dict[str, Any], lang: str, threads: dict[str, Any]) -> list[str]:
    """One row for each backend, one column for each case and number of threads."""
    found = {
        (case_name(text, lang, case), text["threads"][count][lang].lower()): {
            name: row["memory"] for name, row in rows.items() if "memory" in row
        }
        for count, cases in threads.items()
        for case, rows in cases.items()
    }
    columns = {head: values for head, values in found.items() if values}
    separator = ", " if lang == "en" else "，"
    heads = [separator.join(head) for head in columns]
    lines = ['<div class="wide-table" markdown>', ""]
    lines += ["| " + " | ".join([text["backend"][lang], *heads]) + " |"]
    lines += ["|---|" + "---:|" * len(heads)]
    for name in next(iter(columns.values())):
        cells = [f"{values[name]:.2f}" for values in columns.values()]
        lines.append("| " + " | ".join([contender_name(text, lang, name), *cells]) + " |")
    return [*lines, "", "</div>"]
