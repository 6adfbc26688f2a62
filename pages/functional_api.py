"""The API page of `bpref.functional`: every operator of the registry with its docstring."""

from __future__ import annotations

from bpref.ops import FAMILIES
from pages import words


def pages(lang: str) -> dict[str, str]:
    """Return the page by its name below ``reference/``."""
    text, rules = words.load("functional_api"), words.load("backward_rules")
    lines = [
        "---",
        f'title: "{text["title"][lang]}"',
        f'description: "{text["description"][lang]}"',
    ]
    lines += ["---", "", f"# {text['heading'][lang]} {{ #functional }}", "", text["intro"][lang]]
    lines += ["", f'!!! note "{text["before"]["title"][lang]}"', "", f"    {text['before'][lang]}"]
    for family, operators in FAMILIES.items():
        title = rules["family"][family]["title"][lang]
        link = f"[{text['rules'][lang]}](../backward-rules/{family}.md)"
        lines += ["", f"## {title} {{ #{family}-operators }}", "", link]
        for operator in operators:
            for function in (operator.forward, operator.backward):
                lines += ["", f"::: {function.__module__}.{function.__name__}"]
    lines += ["", f'!!! warning "{text["mistake"]["title"][lang]}"', ""]
    lines += [f"    {text['mistake'][lang]}", ""]
    return {"api/functional.md": "\n".join(lines)}
