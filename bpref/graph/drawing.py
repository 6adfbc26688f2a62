"""A drawing of a graph of scalars, as SVG."""

from __future__ import annotations

import html

from bpref import _check
from bpref.graph.engine import Value, topological_order

LARGEST_DRAWING = 200  # nobody can read a drawing of more values


# --8<-- [start:to_svg]
def to_svg(output: Value, title: str = "Computational graph") -> str:
    """Draw the graph of a value: inputs on the left, the output on the right.

    Each box shows a label, the value and the gradient as they are now: call `backward` first.

    Parameters
    ----------
    output : Value
        Computed from at most 200 values, itself included.
    title : str, default "Computational graph"
        What a screen reader says; all labels and numbers follow as the description.

    Returns
    -------
    str
        An ``<svg>`` element that needs nothing else. Where the page defines them, its colours are
        ``--fig-ink``, ``--fig-muted``, ``--fig-forward`` and ``--fig-backward``; elsewhere all is
        drawn in the colour of the text.

    Raises
    ------
    TypeError
        If output is not a Value or title is not a string.
    ValueError
        If the graph has more than 200 values, or title does not print.

    Examples
    --------
    >>> x = Value(2.0, "x")
    >>> y = x.exp()
    >>> svg = to_svg(y)
    >>> svg[:4], "value 7.38906" in svg
    ('<svg', True)
    """
    order = topological_order(output)
    if len(order) > LARGEST_DRAWING:
        most = f"expected at most {LARGEST_DRAWING} values to draw"
        raise ValueError(f"output: {most}, got {len(order)}")
    lines = {v: (v.label, f"value {v.data:.6g}", f"gradient {v.grad:.6g}") for v in order}
    # Counted in bytes, because a Chinese character is wider than a letter.
    width = 16 + 7 * max(len(line.encode()) for texts in lines.values() for line in texts)
    step = width + 44

    # A column is the longest way to the output. A result takes over the row of a parent that has
    # no other child, so that the edges, which run along the row of the parent, meet no box.
    column, children = {output: 0}, dict.fromkeys(order, 0)
    for value in reversed(order):
        for parent in value.parents:
            children[parent] += 1
            column[parent] = max(column.get(parent, 0), column[value] + 1)
    rows: dict[Value, int] = {}
    for value in order:
        free = [rows[parent] for parent in value.parents if children[parent] == 1]
        rows[value] = free[0] if free else max(rows.values(), default=-1) + 1
    last, lowest = max(column.values()), max(rows.values())
    at = {v: (1 + (last - column[v]) * step, 30 + rows[v] * 68) for v in order}

    number = {v: i for i, v in enumerate(order, 1)}
    shapes, told = [], []
    for value, (x, y) in at.items():
        for start, level in (at[parent] for parent in value.parents):
            path = f"M{start + width} {level}H{x - 44}C{x - 20} {level} {x - 30} {y} {x} {y}"
            shapes.append(f'<path d="{path}l-7 -4v8l7 -4" {_colour("stroke", "muted")}/>')
        box = f'x="{x}" y="{y - 28}" width="{width}" height="56" rx="6"'
        shapes.append(f"<rect {box} {_colour('stroke', 'ink')}/>")
        places = zip(lines[value], ("ink", "forward", "backward"), (-12, 5, 22), strict=True)
        for line, colour, below in places:
            place = f'x="{x + width // 2}" y="{y + below}" {_colour("fill", colour)}'
            shapes.append(f"<text {place}>{html.escape(line)}</text>")
        sources = [f"from {number[parent]}" for parent in value.parents]
        told.append(f"{number[value]}: {', '.join([*lines[value], *sources])}")
    size = f"{last * step + width + 2} {60 + lowest * 68}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" role="img" fill="none" '
            'style="font: 12px system-ui, sans-serif; text-anchor: middle">',
            f"<title>{html.escape(_check.text('title', title))}</title>",
            f"<desc>{html.escape('; '.join(told))}</desc>",
            *shapes,
            "</svg>",
        ]
    )


# --8<-- [end:to_svg]


def _colour(attribute: str, colour: str) -> str:
    return f'style="{attribute}: var(--fig-{colour}, currentColor)"'
