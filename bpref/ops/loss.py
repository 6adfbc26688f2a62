"""Registry entries of `bpref.functional.loss`."""

from __future__ import annotations

from bpref.ops.operator import Operator

OPERATORS: list[Operator] = []
