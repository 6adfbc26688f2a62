"""Random values of what a page declares and does not define."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sitekit.mathcheck import functions as fn
from sitekit.mathcheck.errors import BadDraw, MathError
from sitekit.mathcheck.expression import Entry, Expr, Ref
from sitekit.mathcheck.families import within
from sitekit.mathcheck.functions import Array
from sitekit.mathcheck.scope import Scope
from sitekit.mathcheck.sizes import Bind, Sizes

Node = tuple[Entry, tuple[int, ...]]  # a symbol, or a member of a family


class Draw(Sizes):
    """One random case: sizes, and values of what is given; the same seed gives the same case."""

    def __init__(self, scope: Scope, seed: int, scale: float = 1.0) -> None:
        self.seed, self.scale = seed, scale
        self.rng = np.random.default_rng(seed)
        self._given: dict[Node, Array] = {}
        super().__init__(scope, self.rng)

    def given(self, entry: Entry, key: tuple[int, ...], samples: int | None) -> Array:
        """A random value for what the page does not define; drawn once."""
        if (entry, key) not in self._given:
            self._given[entry, key] = self._new(entry, key, samples)
        return self._given[entry, key]

    def integer(self, expr: Expr, bind: Bind) -> int:
        """The value of an index; the number of a class or a word is one too: ``E_{k_t}``."""
        if not isinstance(expr, Ref) or expr.entry.kind != "number":
            return super().integer(expr, bind)
        entry = expr.entry
        key = tuple(self.integer(k, bind) for k in expr.key)
        within(self, entry, key)
        if entry.sample is None or expr.sample is None:
            return int(self.given(entry, key, None))
        low, high = self.limits(entry.sample, entry.ranges, {}, expr.pos)
        chosen = self.given(entry, key, high - low + 1)
        at = self.integer(expr.sample, bind)
        if not 1 <= at <= len(chosen):
            raise MathError(f"index {at} is outside 1 … {len(chosen)}", expr.pos)
        return int(chosen[at - 1])

    def _new(self, entry: Entry, key: tuple[int, ...], samples: int | None) -> Array:
        if entry.shape is None:
            raise MathError(f"{entry.name} is neither declared nor defined")
        shape = self.shape(entry.shape, entry, key)
        full = shape if samples is None else (samples, *shape)
        if entry.kind == "ones":
            return np.ones(full)
        if entry.kind == "one-hot":
            eye = np.eye(shape[0])
            chosen = self.rng.integers(shape[0], size=samples)
            return np.asarray(eye[chosen])
        if entry.kind == "number":
            assert entry.count is not None
            most = self.integer(self.resolved(entry.count), {})
            if most < 1:
                raise BadDraw
            return np.asarray(self.rng.integers(1, most + 1, size=full))
        if entry.kind == "set":
            if full == ():  # a single one takes all values in turn, draw after draw
                return np.asarray(entry.choices[self.seed % len(entry.choices)])
            return np.asarray(self.rng.choice(entry.choices, size=full))
        if entry.interval is not None:
            low, high = entry.interval
            return np.asarray(self.rng.uniform(low + 0.05, high - 0.05, size=full))
        if entry.positive:
            return np.asarray(self.rng.uniform(0.3, 1.7, size=full))
        return np.asarray(self.scale * self.rng.normal(size=full))

    def function(self, entry: Entry, pos: int) -> Callable[..., Any]:
        """Any smooth function for one that is declared and not defined."""
        n = self.shape(entry.inputs, entry, ())
        m = self.shape(entry.shape or (), entry, ())
        if not n and not m:
            return fn.Smooth(self.rng)
        if len(n) == 1 and len(m) <= 1:
            return fn.SmoothMap(self.rng, n[0], m[0] if m else None)
        raise MathError("a function is on numbers or on vectors", pos)
