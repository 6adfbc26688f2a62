"""The ledger: every claim of the site, its criterion, experiment, spread and places."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments import claims, run
from experiments._claim import Claim, ClaimError
from pages import words

DOCS = Path(__file__).resolve().parent.parent / "docs"
MARK = re.compile(
    r"\[(?P<text>[^\]]*)\]\([./]*reference/claims\.md#(?P<id>[\w-]+)\)\{ *\.claim *\}"
)
_HEADING = re.compile(r"^#{1,6} +(?P<text>.*?) *\{ *#(?P<id>[\w-]+)[^}]*\} *$")
_FIGURE = re.compile(r"\]\(figure:(?P<name>[\w-]+)")


@dataclass(frozen=True)
class Place:
    """Where a page marks a claim or shows a figure: the section that holds it."""

    page: str  # below docs/<lang>
    section: str
    title: str
    text: str = ""  # of the mark


def pages(lang: str) -> dict[str, str]:
    """Return the page by its name below ``reference/``."""
    text = words.load("claims")
    marks, figures = places(lang)
    by_page: dict[str, list[tuple[str, Claim]]] = defaultdict(list)
    for experiment, found in claims.all_claims().items():
        for claim in found:
            if claim.id not in marks:
                raise ClaimError(f"claim {claim.id}: no page of docs/{lang} marks it")
            # A page outside of the chapters, as the home page, may repeat a claim and owns none.
            homes = [m.page for m in marks[claim.id] if m.page.split("/")[0] in text["folder"]]
            if not homes:
                raise ClaimError(f"claim {claim.id}: no chapter of docs/{lang} marks it")
            by_page[homes[0]].append((experiment, claim))
    head = text["head"]
    lines = ["---", f'title: "{head["title"][lang]}"']
    lines += [f'description: "{head["description"][lang]}"', "---", ""]
    lines += [f"# {head['title'][lang]} {{ #claims }}", "", head[lang].strip(), ""]
    for box, key in (("note", "before"), ("", "how"), ("warning", "mistake")):
        if box:
            lines += [f'!!! {box} "{text[key]["title"][lang]}"', "", f"    {text[key][lang]}", ""]
        else:
            lines += [f"## {text[key]['title'][lang]} {{ #{key} }}", "", text[key][lang].strip()]
            lines += [""]
    folders = list(text["folder"])
    part = ""
    for page in sorted(by_page, key=lambda name: (folders.index(name.split("/")[0]), _rank(name))):
        if (folder := page.split("/")[0]) != part:
            part = folder
            # With the page's own name in it: "Ideas" alone is also an entry of the navigation.
            name = head["title"][lang] + text["labels"]["colon"][lang] + text["folder"][part][lang]
            lines += [f"## {name} {{ #claims-{part} }}", ""]
        lines += [f"### {title_of(lang, page)} {{ #claims-{part}-{Path(page).stem} }}", ""]
        for experiment, claim in by_page[page]:
            lines += _entry(text, lang, experiment, claim, marks[claim.id], figures)
    return {"claims.md": "\n".join(lines)}


def _entry(
    text: dict[str, Any],
    lang: str,
    experiment: str,
    claim: Claim,
    marks: list[Place],
    figures: dict[str, Place],
) -> list[str]:
    label = {key: value[lang] for key, value in text["labels"].items()}
    result = run.read_result(experiment)
    if not claim.holds(result):
        raise ClaimError(f"claim {claim.id} does not hold: {claim.criterion}")
    if claim.runs:
        low, high = (f"`{path}` {{{{ {experiment}.{path} | .4g }}}}" for path in claim.spread)
        repeats = f"{{{{ {experiment}.{claim.runs} }}}}"
        kind = label["spread"] + label["colon"]
        kind += text["spread"][lang].format(low=low, high=high, repeats=repeats)
    else:
        kind = label["exact"] + label["colon"] + text["mark"][claim.exact][lang]
    said = label["comma"].join(dict.fromkeys(_link(place) for place in marks))
    lines = [f'<div class="claim-entry" id="{claim.id}" markdown>', "", getattr(claim, lang), ""]
    lines += [f"- {label['criterion']}{label['colon']}`{claim.criterion}`", f"- {kind}"]
    if claim.figure:
        if claim.figure not in figures:
            raise ClaimError(f"claim {claim.id}: no page shows the figure {claim.figure!r}")
        lines.append(f"- {label['figure']}{label['colon']}{_link(figures[claim.figure])}")
    lines += [f"- {label['result']}{label['colon']}`experiments/results/{experiment}.json`"]
    lines += [f"- {label['repeat']}{label['colon']}`python -m experiments --check {experiment}`"]
    lines += [f"- {label['said']}{label['colon']}{said}", "", "</div>", ""]
    return lines


def _link(place: Place) -> str:
    return f"[{place.title}](../{place.page}#{place.section})"


def _rank(name: str) -> int:
    """Place of a page in the navigation."""
    navigation = (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8")
    return navigation.find(f" {name}\n")


def title_of(lang: str, name: str) -> str:
    """The title of a page, from its head."""
    head = (DOCS / lang / name).read_text(encoding="utf-8")
    found = re.search(r'^title: "?(.*?)"?$', head, re.M)
    assert found is not None, name
    return found[1]


def places(lang: str) -> tuple[dict[str, list[Place]], dict[str, Place]]:
    """Where each claim is marked, in the order of the navigation, and where each figure stands."""
    marks: dict[str, list[Place]] = defaultdict(list)
    figures: dict[str, Place] = {}
    root = DOCS / lang
    names = [p.relative_to(root).as_posix() for p in root.rglob("*.md")]
    for name in sorted((n for n in names if not n.startswith("reference/")), key=_rank):
        section, title = "", title_of(lang, name)
        for line in (root / name).read_text(encoding="utf-8").splitlines():
            if heading := _HEADING.match(line):
                section, title = heading["id"], heading["text"]
            for mark in MARK.finditer(line):
                marks[mark["id"]].append(Place(name, section, title, mark["text"]))
            for figure in _FIGURE.finditer(line):
                figures.setdefault(figure["name"], Place(name, section, title))
    return marks, figures
