"""The "Backward rules" pages: one overview, one page for each family of operators."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from bpref.ops import FAMILIES, Operator
from pages import words
from pages.latex import latex, name

ROOT = Path(__file__).resolve().parent.parent
FOLDER = "backward-rules"


def pages(lang: str) -> dict[str, str]:
    """Return every page by its name below ``reference/``."""
    text = words.load("backward_rules")
    result = {f"{FOLDER}/index.md": _overview(text, lang)}
    for family, operators in FAMILIES.items():
        result[f"{FOLDER}/{family}.md"] = _family(text, lang, family, operators)
    return result


def _overview(text: dict[str, Any], lang: str) -> str:
    overview = text["overview"]
    lines = [*_head(overview, lang, "backward-rules"), "", *_box(text, lang, "note", "before")]
    for part in overview["part"]:
        lines += ["", f"## {part['title'][lang]} {{ #{part['id']} }}", "", part[lang].strip()]
        lines += _example(part)
    table = overview["table"]
    lines += ["", f"## {table['title'][lang]} {{ #all }}", "", table[lang].strip(), ""]
    lines += ['<div class="wide-table name-table" markdown>', ""]
    lines += [_row(table["columns"][lang]), _rule(5)]
    for family, operators in FAMILIES.items():
        for operator in operators:
            cost = operator.cost
            lines.append(
                _row(
                    [
                        f"[`{operator.name}`]({family}.md#{_anchor(operator)})",
                        _torch(text, lang, operator, prefix=""),  # the header holds it
                        f"${latex(cost.forward)}$",
                        f"${latex(cost.backward)}$",
                        f"${latex(cost.stored)}$",
                    ]
                )
            )
    lines += ["", "</div>", "", *_box(text, lang, "warning", "mistake", overview["mistake"]), ""]
    return "\n".join(lines)


def _family(text: dict[str, Any], lang: str, family: str, operators: list[Operator]) -> str:
    words = text["family"][family]
    lines = [*_head(words, lang, f"{family}-rules"), "", *_box(text, lang, "note", "before_family")]
    lines += _example(words)
    for operator in operators:
        lines += ["", *_operator(text, lang, operator)]
    lines += ["", *_box(text, lang, "warning", "mistake", words["mistake"]), ""]
    return "\n".join(lines)


def _operator(text: dict[str, Any], lang: str, operator: Operator) -> list[str]:
    labels, sentence = text["labels"], text["operator"][operator.name][lang].strip()
    heading = f"## `{operator.name}` {{ #{_anchor(operator)} }}"
    lines = [heading, "", sentence, "", "$$", operator.formula, "$$", ""]
    if operator.name in text["symbols"]:
        lines += [text["symbols"][operator.name][lang], ""]
    columns = [labels[key][lang] for key in ("argument", "shape", "gradient")]
    lines += ['<div class="wide-table rule-table" markdown>', "", _row(columns), _rule(3)]
    for argument, shape in operator.shapes.items():
        rule = operator.rules.get(argument)
        label = labels["output"][lang] if argument == "output" else f"`{argument}`"
        lines.append(_row([label, _shape(text, lang, shape), f"${rule}$" if rule else "—"]))
    cost = operator.cost
    lines += ["", "</div>", "", f"- {labels['torch'][lang]}{_torch(text, lang, operator)}"]
    lines.append(
        "- "
        + labels["cost"][lang].format(
            forward=f"${latex(cost.forward)}$",
            backward=f"${latex(cost.backward)}$",
            stored=f"${latex(cost.stored)}$",
        )
    )
    lines += _letters(text, lang, operator)
    for function in (operator.forward, operator.backward):
        path = Path(function.__code__.co_filename).resolve().relative_to(ROOT).as_posix()
        lines += ["", f'??? example "{labels["code"][lang]}`{function.__name__}`"', ""]
        lines += [f'    ```python title="{path}"', f'    --8<-- "{path}:{function.__name__}"']
        lines += ["    ```"]
    return lines


def _letters(text: dict[str, Any], lang: str, operator: Operator) -> list[str]:
    """Explain the letters of the cost rules that the table of shapes does not show."""
    rules = " ".join((operator.cost.forward, operator.cost.backward, operator.cost.stored))
    shown = set(re.findall(r"[A-Za-z]+", " ".join(operator.shapes.values())))
    explained = []
    for letter in dict.fromkeys(re.findall(r"[A-Za-z]\w*", rules)):
        own = text["letters"].get(operator.name, {})
        meaning = own.get(letter) or (None if letter in shown else text["letters"]["any"][letter])
        if meaning is not None:
            explained.append(f"${name(letter)}${text['labels']['is'][lang]}{meaning[lang]}")
    if not explained:
        return []
    separator, end = ("; ", ".") if lang == "en" else ("；", "。")
    here = text["labels"]["where"][lang]
    return [f"- {here} {separator.join(explained)}{end}"]


def _head(words: dict[str, Any], lang: str, anchor: str) -> list[str]:
    title, description = words["title"][lang], words["description"][lang]
    front = ["---", f'title: "{title}"', f'description: "{description}"', "---"]
    return [*front, "", f"# {title} {{ #{anchor} }}", "", words["intro"][lang].strip()]


def _box(
    text: dict[str, Any], lang: str, kind: str, label: str, body: dict[str, str] | None = None
) -> list[str]:
    title = text["labels"]["before_title" if kind == "note" else "mistake"][lang]
    content = (body or text["labels"][label])[lang].strip()
    return [f'!!! {kind} "{title}"', "", f"    {content}"]


def _example(words: dict[str, Any]) -> list[str]:
    if "example" not in words:
        return []
    fence = ["", "```python", words["example"].strip(), "```", ""]
    output = ["```text", words["output"].strip(), "```"]
    return [*fence, "<!--pytest-codeblocks:expected-output-->", "", *output]


def _torch(text: dict[str, Any], lang: str, operator: Operator, prefix: str = "torch.") -> str:
    return f"`{prefix}{operator.torch}`" if operator.torch else text["labels"]["none"][lang]


def _shape(text: dict[str, Any], lang: str, shape: str) -> str:
    """A shape in words comes from the list of words; a tuple is code."""
    if shape in text["shapes"]:
        return str(text["shapes"][shape][lang])
    return f"`{shape}`"


def _anchor(operator: Operator) -> str:
    return operator.anchor.split("#")[1]


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\vert ") for cell in cells) + " |"


def _rule(columns: int) -> str:
    return "|" + "---|" * columns
