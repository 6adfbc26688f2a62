"""The API page of `bpref.nn`: every exported name, by section."""

from __future__ import annotations

from bpref import nn
from pages import words


def pages(lang: str) -> dict[str, str]:
    """Return the page by its name below ``reference/``."""
    text = words.load("nn_api")
    listed = [name for section in text["section"] for name in section["names"]]
    if sorted(listed) != sorted(nn.__all__):
        wrong = sorted(set(listed) ^ set(nn.__all__))
        raise ValueError(f"pages/nn_api.toml: expected each name of bpref.nn once, see {wrong}")
    lines = ["---", 'title: "bpref.nn"', f'description: "{text["description"][lang]}"', "---", ""]
    lines += [f"# {text['heading'][lang]} {{ #nn }}", "", text["intro"][lang], ""]
    lines += [f'!!! note "{text["before"]["title"][lang]}"', "", f"    {text['before'][lang]}"]
    for section in text["section"]:
        lines += ["", f"## {section['title'][lang]} {{ #{section['id']} }}", "", section[lang]]
        for name in section["names"]:
            member = getattr(nn, name)
            lines += ["", f"::: {member.__module__}.{member.__name__}"]
    lines += ["", f'!!! warning "{text["mistake"]["title"][lang]}"', ""]
    lines += [f"    {text['mistake'][lang]}", ""]
    return {"api/nn.md": "\n".join(lines)}
