"""Automatic differentiation of scalars: the engine, and a drawing of what it recorded."""

from bpref.graph.drawing import LARGEST_DRAWING, to_svg
from bpref.graph.engine import OPERATORS, Value, apply, jvp, topological_order, vjp

__all__ = [
    "LARGEST_DRAWING",
    "OPERATORS",
    "Value",
    "apply",
    "jvp",
    "to_svg",
    "topological_order",
    "vjp",
]
