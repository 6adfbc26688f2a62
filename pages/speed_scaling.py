"""From which size each step of scaling up pays: a section of the page on training runs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from bpref.regression.backend import WORK_FOR_THREADS, WORK_FOR_TORCH, choose_backend
from bpref.regression.config import Config
from pages import words
from pages.speed import RESULTS, cell, machine_line

Row = Mapping[str, float]
Cells = Mapping[str, Mapping[str, Row]]  # by network and batch size
ROUNDS = 3  # fewer have no quartiles worth the name


def section(lang: str) -> list[str]:
    """Return the lines of the section."""
    text = words.load("speed_scaling")
    measured = json.loads((RESULTS / "regression_scaling.json").read_text(encoding="utf-8"))
    one, two = measured["threads"]["1"], measured["threads"]["2"]
    lines = [f"## {text['title'][lang]} {{ #scaling }}", ""]
    lines += [text["intro"][lang].strip().format(**measured["how"]), ""]
    lines += [machine_line(text, lang, measured["machine"])]
    if measured["how"]["rounds"] < ROUNDS:
        lines += ["", text["few"][lang]]
    for part, found in (
        ("batch", batch(text, lang, one["batch"])),
        ("cores", cores(text, lang, two["threads"], two["processes"])),
        ("numbers", numbers(text, lang, one["dtype"], one["amp"])),
        ("backends", backends(text, lang, one["backend"])),
        ("parts", parts(text, lang, one["accumulate"])),
        ("loader", loader(text, lang, two["loader"])),
    ):
        about = text[part]["about"][lang].strip().format(**measured["how"])
        lines += ["", f"### {text[part]['title'][lang]} {{ #scaling-{part} }}", "", about, ""]
        lines += found
    return lines


def work_of(network: str, batch: str) -> int:
    """Return the multiply-adds of a forward pass of one batch."""
    sizes = [int(size) for size in network.split("-")]
    return int(batch) * sum(a * b for a, b in pairwise(sizes))


def by_work(cells: Cells) -> list[tuple[int, str, str]]:
    """Return (work, network, batch) of every cell, the smallest work first."""
    return sorted((work_of(net, size), net, size) for net, sizes in cells.items() for size in sizes)


def table(heads: Iterable[str], rows: Iterable[Iterable[str]], names: int = 1) -> list[str]:
    """Return a table whose first columns hold names."""
    heads = list(heads)
    ruler = "|---" * names + "|---:" * (len(heads) - names) + "|"
    lines = ['<div class="wide-table" markdown>', "", "| " + " | ".join(heads) + " |", ruler]
    return [*lines, *("| " + " | ".join(row) + " |" for row in rows), "", "</div>"]


def grid(
    text: dict[str, Any],
    lang: str,
    columns: Mapping[str, Cells],
    more: Callable[[str, str], list[str]] = lambda network, size: [],
    heads: Iterable[str] = (),
) -> list[str]:
    """Return a table with a row for each network and batch size, from little work to much."""
    first = next(iter(columns.values()))
    rows = [
        [network, size, f"{work:,}"]
        + [cell(cells[network][size]) for cells in columns.values()]
        + more(network, size)
        for work, network, size in by_work(first)
    ]
    return table([*(text[h][lang] for h in ("network", "size", "work")), *columns, *heads], rows, 1)


def pays(text: dict[str, Any], lang: str, name: str, cells: Cells) -> str:
    """Say in how many cells it was ahead, and from which work on always.

    Ahead is where the lower quartile is above 1.
    """
    ordered = [(work, cells[net][size]["low"] > 1) for work, net, size in by_work(cells)]
    fields = {"name": name, "n": sum(ahead for _, ahead in ordered), "all": len(ordered)}
    last_loss = max((i for i, (_, ahead) in enumerate(ordered) if not ahead), default=-1)
    if last_loss + 1 == len(ordered):
        return "- " + str(text["pays_not"][lang].format(**fields))
    return "- " + str(text["pays"][lang].format(**fields, work=f"{ordered[last_loss + 1][0]:,}"))


def cost(choices: Iterable[tuple[bool, float]]) -> float:
    """Return the mean factor by which a rule is slower than the better way of each cell.

    Parameters
    ----------
    choices : iterable of (bool, float)
        Whether the second way was chosen, and its speed relative to the first.
    """
    logs = [max(0.0, math.log(x) if not second else -math.log(x)) for second, x in choices]
    return math.exp(sum(logs) / len(logs))


def policies(
    text: dict[str, Any], lang: str, key: str, cells: list[tuple[bool, float]], limit: int
) -> str:
    """Say what the rule costs, and what always the first and always the second way cost."""
    costs = {
        "rule": cost(cells),
        "first": cost((False, x) for _, x in cells),
        "second": cost((True, x) for _, x in cells),
    }
    right = sum((x > 1) == second for second, x in cells)
    fields = {name: f"{(value - 1) * 100:.0f}" for name, value in costs.items()}
    best = min(costs["first"], costs["second"])
    verdict = text["supported" if costs["rule"] <= best else "unsupported"][lang]
    limits = {"limit": f"{limit:,}", "right": right, "all": len(cells), "verdict": verdict}
    return str(text[key]["rule"][lang].format(**fields, **limits))


def batch(text: dict[str, Any], lang: str, found: Mapping[str, Mapping[str, Row]]) -> list[str]:
    """Rows per second, and the loss after the same epoch."""
    sizes = list(next(iter(found.values())))
    rows = []
    for name in sizes:
        row = [name, f"{found[next(iter(found))][name]['steps']:,}"]
        for cells in found.values():
            row += [cell(cells[name]), f"{cells[name]['loss']:.3f}"]
        rows.append(row)
    loss = text["batch"]["loss"][lang]
    heads = [head for network in found for head in (network, loss)]
    lines = table([text["size"][lang], text["batch"]["steps"][lang], *heads], rows)
    best = {network: max(cells, key=lambda s: cells[s]["x"]) for network, cells in found.items()}
    lines += ["", text["batch"]["best"][lang], ""]
    for network, size in best.items():
        lines.append(
            "- "
            + text["batch"]["best_of"][lang].format(
                network=network,
                size=size,
                x=f"{found[network][size]['x']:.1f}",
                first=sizes[0],
                before=f"{found[network][sizes[0]]['loss']:.3f}",
                after=f"{found[network][size]['loss']:.3f}",
            )
        )
    return lines


def cores(
    text: dict[str, Any], lang: str, threads: Mapping[str, Cells], processes: Mapping[str, Any]
) -> list[str]:
    """A second thread and a second process."""
    names = text["cores"]["names"]
    cells = processes["cells"]

    def of(way: str) -> Cells:
        return {n: {size: rows[way] for size, rows in c.items()} for n, c in cells.items()}

    columns: dict[str, Cells] = {
        names["numpy"][lang]: threads["numpy"],
        names["torch"][lang]: threads["torch"],
        names["processes"][lang]: of("two processes"),
        names["auto"][lang]: of("auto"),
    }

    def earned(network: str, size: str) -> list[str]:
        row = cells[network][size]["two processes"]
        return [f"{row['earned']:,.0f}" if "earned" in row else "—"]

    lines = grid(text, lang, columns, earned, [names["earned"][lang]])
    lines += ["", text["cores"]["start"][lang].format(x=f"{processes['start']['x']:.1f}"), ""]
    lines += [pays(text, lang, name, found) for name, found in list(columns.items())[:3]]
    for backend in ("numpy", "torch"):
        choices = [
            (work >= WORK_FOR_THREADS[backend], threads[backend][network][size]["x"])
            for work, network, size in by_work(threads[backend])
        ]
        head = text["cores"]["rule_of"][lang].format(name=names[backend][lang])
        lines += ["", head + policies(text, lang, "cores", choices, WORK_FOR_THREADS[backend])]
    return [*lines, "", text["cores"]["careful"][lang]]


def numbers(text: dict[str, Any], lang: str, dtype: Mapping[str, Cells], amp: Cells) -> list[str]:
    """float32 and mixed precision."""
    names = text["numbers"]["names"]
    columns = {names[backend][lang]: dtype[backend] for backend in ("numpy", "torch")}
    if amp:
        columns[names["amp"][lang]] = amp
    lines = [*grid(text, lang, columns), ""]
    lines += [pays(text, lang, name, found) for name, found in columns.items()]
    return lines if amp else [*lines, "", text["numbers"]["no_amp"][lang]]


def backends(text: dict[str, Any], lang: str, found: Mapping[str, Cells]) -> list[str]:
    """NumPy against PyTorch, and the rule that chooses."""
    lines = [*grid(text, lang, found), ""]
    choices = list(chosen(found))
    return [*lines, policies(text, lang, "backends", choices, WORK_FOR_TORCH)]


def chosen(found: Mapping[str, Cells]) -> Iterator[tuple[bool, float]]:
    """Yield whether "auto" takes NumPy, and its speed relative to PyTorch, for every cell."""
    for options, cells in found.items():
        activation, optimizer = options.split(", ")
        for _, network, size in by_work(cells):
            sizes = tuple(int(n) for n in network.split("-"))
            config = Config(
                hidden_sizes=sizes[1:-1],
                batch_size=int(size),
                activation=activation,
                optimizer=optimizer,
                device="cpu",
            )
            yield choose_backend(config, sizes) == "numpy", cells[network][size]["x"]


def parts(text: dict[str, Any], lang: str, found: Mapping[str, Any]) -> list[str]:
    """A batch in parts."""
    counts = list(next(iter(next(iter(found.values())).values())))
    heads = [text["network"][lang], text["backend"][lang]]
    heads += [text["parts"]["count"][lang].format(n=n) for n in counts]
    rows = [
        [network, f"`{backend}`", *(cell(cells[n]) for n in counts)]
        for backend, networks in found.items()
        for network, cells in networks.items()
    ]
    return table(heads, rows, 2)


def loader(text: dict[str, Any], lang: str, found: Mapping[str, Mapping[str, Row]]) -> list[str]:
    """Workers of a DataLoader."""
    counts = list(next(iter(found.values())))
    heads = [text["loader"]["cost"][lang]]
    heads += [text["loader"]["count"][lang].format(n=n) for n in counts]
    rows = [[cost, *(cell(cells[n]) for n in counts)] for cost, cells in found.items()]
    lines = [*table(heads, rows), ""]
    for n in counts:
        ahead = [cost for cost, cells in found.items() if cells[n]["low"] > 1]
        key = "ahead" if ahead else "nowhere"
        fields = {"n": n, "costs": ", ".join(ahead)}
        lines.append("- " + text["loader"][key][lang].format(**fields))
    return lines
