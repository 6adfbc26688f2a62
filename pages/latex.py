"""Cost rules, which are Python, as LaTeX: ``2*N*m*d`` becomes ``2 N m d``."""

from __future__ import annotations

import ast
import re


def latex(rule: str) -> str:
    """Return the rule as LaTeX.

    Parameters
    ----------
    rule : str
        Names, integers, ``+ - * // **`` and parentheses.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If it holds anything else.

    Examples
    --------
    >>> latex("2*N*(m + 1)*kH**2")
    '2 N (m + 1) k_H^{2}'
    """
    return _show(ast.parse(rule, mode="eval").body)


def _show(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return f"{node.value}"
    if isinstance(node, ast.Name):
        return name(node.id)
    if isinstance(node, ast.BinOp):
        left, right = node.left, node.right
        if isinstance(node.op, ast.Mult):
            return f"{_factor(left)} {_factor(right)}"
        if isinstance(node.op, ast.Add):
            return f"{_show(left)} + {_show(right)}"
        if isinstance(node.op, ast.Sub):
            return f"{_show(left)} - {_factor(right)}"
        if isinstance(node.op, ast.FloorDiv):
            return rf"\lfloor {_show(left)} / {_factor(right)} \rfloor"
        if isinstance(node.op, ast.Pow):
            return f"{_factor(left)}^{{{_show(right)}}}"
    raise ValueError(f"rule: expected arithmetic on names, got {ast.unparse(node)!r}")


def _factor(node: ast.expr) -> str:
    is_sum = isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub))
    return f"({_show(node)})" if is_sum else _show(node)


def name(identifier: str) -> str:
    """Return a size's name: ``kH`` is k with the index H, longer ones are upright."""
    if len(identifier) == 1:
        return identifier
    if match := re.fullmatch(r"([A-Za-z])_?([A-Z0-9ogv]|in|out)", identifier):
        base, index = match.groups()
        return f"{base}_{index}" if len(index) == 1 else rf"{base}_\text{{{index}}}"
    upright = identifier.replace("_", r"\_")
    return rf"\mathit{{{upright}}}"
