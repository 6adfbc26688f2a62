"""The speed page: the measured ratios, with date and machine, and a reason where one is ahead."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bpref.ops import OPERATORS
from pages import words

RESULTS = Path(__file__).resolve().parent.parent / "benchmarks" / "results"
FLOORS = {"NumPy matrix products alone"}  # not a contender: it does not train


def pages(lang: str) -> dict[str, str]:
    """Return the page by its name below ``reference/``."""
    text = words.load("speed")
    measured = {
        name: json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("training_step", "layers", "operators")
    }
    head = ["---", f'title: "{text["title"][lang]}"', f'description: "{text["description"][lang]}"']
    lines = [
        *head,
        "---",
        "",
        f"# {text['title'][lang]} {{ #speed }}",
        "",
        text["intro"][lang].strip(),
    ]
    lines += ["", f'!!! note "{text["before"]["title"][lang]}"', "", f"    {text['before'][lang]}"]
    lines += ["", f"## {text['how']['title'][lang]} {{ #how }}", "", _how(text, lang, measured), ""]
    lines += _machine(text, lang, measured)
    for name in ("training_step", "layers"):
        lines += ["", f"## {text[name]['title'][lang]} {{ #{name.replace('_', '-')} }}", ""]
        lines += [text[name][lang].strip()]
        for threads, cases in sorted(measured[name]["threads"].items()):
            label = text["threads"][threads][lang]
            anchor = f"{name.replace('_', '-')}-{threads}"
            lines += ["", f"### {label} {{ #{anchor} }}", "", *table(text, lang, cases)]
        lines += ["", *_reasons(text, lang, measured[name]["threads"])]
    lines += ["", f"## {text['operators']['title'][lang]} {{ #operators }}", ""]
    lines += [text["operators"][lang].strip(), "", *_operators(text, lang, measured["operators"])]
    lines += ["", f'!!! warning "{text["mistake"]["title"][lang]}"', ""]
    lines += [f"    {text['mistake'][lang]}", ""]
    return {"speed.md": "\n".join(lines)}


def _how(text: dict[str, Any], lang: str, measured: dict[str, Any]) -> str:
    rounds = measured["operators"]["how"]["rounds"]
    how: str = text["how"][lang].strip()
    return how.format(**measured["training_step"]["how"], operator_rounds=rounds)


def _machine(text: dict[str, Any], lang: str, measured: dict[str, Any]) -> list[str]:
    machine, *others = (result["machine"] for result in measured.values())
    if any(other != machine for other in others):
        raise ValueError("benchmarks/results: the tables are of different days or machines")
    return [machine_line(text, lang, machine)]


def machine_line(text: dict[str, Any], lang: str, machine: dict[str, Any]) -> str:
    """Say when, where and with which versions was measured."""
    separator = ", " if lang == "en" else "、"
    versions = separator.join(f"{name} {v}" for name, v in machine["versions"].items())
    fields = {**machine, "versions": f"Python {machine['python']}{separator}{versions}"}
    return str(text["machine"][lang].format(**fields))


def table(text: dict[str, Any], lang: str, cases: dict[str, Any]) -> list[str]:
    """One row for each contender, one column for each case; turned where it gets too wide."""
    contenders = list(dict.fromkeys(name for rows in cases.values() for name in rows))
    if len(cases) > len(contenders):
        return _turned(text, lang, cases, contenders)
    lines = ['<div class="wide-table" markdown>', ""]
    heads = [case_name(text, lang, case) for case in cases]
    lines += ["| " + " | ".join([text["contender"][lang], *heads]) + " |"]
    lines += ["|---|" + "---:|" * len(cases)]
    for name in contenders:
        cells = [cell(rows.get(name)) for rows in cases.values()]
        lines.append("| " + " | ".join([contender_name(text, lang, name), *cells]) + " |")
    return [*lines, "", "</div>"]


def _turned(
    text: dict[str, Any], lang: str, cases: dict[str, Any], contenders: list[str]
) -> list[str]:
    """One row for each case, one column for each contender."""
    names = [contender_name(text, lang, name) for name in contenders]
    lines = ['<div class="wide-table" markdown>', ""]
    lines += ["| " + " | ".join([text["layer"][lang], *names]) + " |"]
    lines += ["|---|" + "---:|" * len(names)]
    for case, rows in cases.items():
        cells = [cell(rows.get(name)) for name in contenders]
        lines.append("| " + " | ".join([case_name(text, lang, case), *cells]) + " |")
    return [*lines, "", "</div>"]


def case_name(text: dict[str, Any], lang: str, case: str) -> str:
    """The case's name in the language of the page."""
    if lang == "zh":
        for english, chinese in text["case_zh"].items():
            case = case.replace(english, chinese)
    return case


def contender_name(text: dict[str, Any], lang: str, name: str) -> str:
    return str(text["names"][name][lang]) if name in text["names"] else name


def cell(row: Mapping[str, float] | None) -> str:
    """Return the median and the quartiles."""
    if row is None:
        return "—"
    digits = 2 if row["x"] < 10 else 1
    low, high = f"{row['low']:.{digits}f}", f"{row['high']:.{digits}f}"
    return f"**{row['x']:.{digits}f}** [{low}–\u2060{high}]"  # no line breaks after the dash


def ahead(cases: dict[str, Any]) -> list[tuple[str, str, float]]:
    """Return (case, peer, factor) wherever a peer's median is ahead of bpref's best."""
    found = []
    for case, rows in cases.items():
        best = max(row["x"] for name, row in rows.items() if name.startswith("bpref"))
        for name, row in rows.items():
            if row["x"] > best and not name.startswith("bpref") and name not in FLOORS:
                found.append((case, name, row["x"] / best))
    return found


def _reasons(text: dict[str, Any], lang: str, threads: dict[str, Any]) -> list[str]:
    """Say by how much each peer that is ahead is ahead, and why; a missing reason is an error."""
    lines = []
    for count, cases in sorted(threads.items()):
        for case, peer, factor in ahead(cases):
            reason = text["why"].get(case.split(",")[0].split(" ")[0])
            if reason is None:
                raise KeyError(f"pages/speed.toml: [why] has nothing for {case!r}")
            fields = {"peer": peer, "case": case_name(text, lang, case), "factor": f"{factor:.2f}"}
            fields |= {"threads": text["threads"][count][lang].lower(), "why": reason[lang]}
            lines.append("- " + text["ahead"][lang].format(**fields))
    if not lines:
        return [text["nobody"][lang]]
    return [text["ahead_title"][lang], "", *lines]


def _operators(text: dict[str, Any], lang: str, measured: dict[str, Any]) -> list[str]:
    counts = sorted(measured["threads"])
    columns = [f"{text['threads'][c][lang]}" for c in counts]
    lines = ['<div class="wide-table" markdown>', ""]
    lines += ["| " + " | ".join([text["operator"][lang], *columns]) + " |"]
    lines += ["|---|" + "---:|" * len(counts)]
    names = [name for name in measured["threads"][counts[0]] if OPERATORS[name].torch]
    behind = []
    for name in names:
        best = [_best(measured["threads"][count][name]) for count in counts]
        lines.append("| " + " | ".join([f"`{name}`", *map(cell, best)]) + " |")
        if any(row["x"] < 1 for row in best):
            behind.append(name)
    lines += ["", "</div>", "", *_operator_reasons(text, lang, behind), ""]
    return [*lines, _slower(text, lang, measured["threads"], names)]


def _best(rows: dict[str, Any]) -> dict[str, float]:
    """The row of bpref's clear or fast pair, whichever is ahead."""
    ours: list[dict[str, float]] = [row for n, row in rows.items() if n.startswith("bpref")]
    return max(ours, key=lambda row: row["x"])


def _operator_reasons(text: dict[str, Any], lang: str, behind: list[str]) -> list[str]:
    """Give the reason for each operator that is behind; a missing one is an error."""
    why = text["operators_why"].values()
    if missing := set(behind) - {name for group in why for name in group["of"]}:
        raise KeyError(f"pages/speed.toml: [operators_why] has nothing for {sorted(missing)}")
    separator, colon = (", ", ": ") if lang == "en" else ("、", "：")
    lines = [text["operators_ahead"][lang], ""]
    for group in why:
        if names := [f"`{name}`" for name in behind if name in group["of"]]:
            lines.append(f"- {separator.join(names)}{colon}{group[lang]}")
    return lines


def _slower(text: dict[str, Any], lang: str, threads: dict[str, Any], names: list[str]) -> str:
    """Say how often a second thread makes PyTorch itself slower."""
    one, *_, most = (threads[count] for count in sorted(threads))
    base = "PyTorch eager"
    count = sum(most[n][base]["microseconds"] > one[n][base]["microseconds"] for n in names)
    return str(text["slower"][lang].format(count=count, all=len(names)))
