"""Small networks under a regulariser: every strength and every seed, with the same budget.

The task: 6 inputs, y = sin(1.5 x_1) + 0.5 x_2 plus noise (standard deviation 0.5). The network is
6-30-1 with tanh; 800 full-batch steps with rate 0.03 and momentum 0.9 for every contender. A run
is one strength and one seed: data and first weights depend on the seed alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments._many_nets import Params, gradients, init, mse

D, HIDDEN, STEPS, LR, MOMENTUM, NOISE = 6, 30, 800, 0.03, 0.9, 0.5
METHODS = ("none", "l1", "l2", "dropout", "noise")
PAIRS = {"train": ("x", "y"), "validation": ("xv", "yv"), "test": ("xt", "yt")}
BLOCK = 40_000  # hidden values in work at once: they stay in the cache

Array = np.ndarray
Function = Callable[[Array], Array]
Sets = dict[str, Array]


class Fitted(NamedTuple):
    """Parameters (strengths, seeds, ., .) and, if asked for, errors (times, strengths, seeds)."""

    params: Params
    curves: dict[str, Array]


def target(x: Array) -> Array:
    out: Array = np.sin(1.5 * x[..., :1]) + 0.5 * x[..., 1:2]
    return out


def make(n: int, seeds: int, f: Function = target) -> Sets:
    """Sets for training (x, y), validation (xv, yv: 40 points) and test (xt, yt: no noise)."""
    sets: dict[str, list[Array]] = {k: [] for pair in PAIRS.values() for k in pair}
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        for (a, b), m, noise in zip(PAIRS.values(), (n, 40, 500), (NOISE, NOISE, 0), strict=True):
            x = rng.normal(size=(m, D))
            sets[a].append(x)
            sets[b].append(f(x) + noise * rng.normal(size=(m, 1)))
    return {k: np.stack(v) for k, v in sets.items()}


def soft_threshold(v: Array, t: Array | float) -> Array:
    """The proximal step of L1: towards zero by t, and not beyond."""
    out: Array = v - np.clip(v, -t, t)
    return out


def fit(
    data: Sets,
    method: str = "none",
    strengths: Sequence[float] = (0.0,),
    *,
    steps: int = STEPS,
    hidden: int = HIDDEN,
    every: int = 0,
    lr: float = LR,
) -> Fitted:
    """Train one network for each strength and seed.

    method is "none", "l1" (proximal step), "l2", "dropout" (probability) or "noise" (standard
    deviation added to the inputs); biases are not decayed. With ``every`` the errors on the three
    sets are recorded after so many steps, from 0 on.
    """
    if method not in METHODS:
        raise ValueError(f"method: expected one of {', '.join(METHODS)}, got {method!r}")
    seeds, n, _ = data["x"].shape
    size = max(1, BLOCK // (len(strengths) * n * hidden))
    blocks = [
        _fit(
            data,
            range(first, min(first + size, seeds)),
            method,
            strengths,
            steps,
            hidden,
            every,
            lr,
        )
        for first in range(0, seeds, size)
    ]
    params = [np.concatenate(p, axis=1) for p in zip(*(b.params for b in blocks), strict=True)]
    names = blocks[0].curves
    return Fitted(params, {k: np.concatenate([b.curves[k] for b in blocks], -1) for k in names})


def _fit(
    data: Sets,
    seeds: range,
    method: str,
    strengths: Sequence[float],
    steps: int,
    hidden: int,
    every: int,
    lr: float,
) -> Fitted:
    """`fit` for some of the seeds; the first axis is the run, strength by strength."""
    copies = len(strengths)
    data = {k: v[seeds.start : seeds.stop] for k, v in data.items()}
    x, y = (np.tile(data[k], (copies, 1, 1)) for k in ("x", "y"))
    strength = np.repeat(np.asarray(strengths, float), len(seeds))[:, None, None]
    start = init([np.random.default_rng(1000 + s) for s in seeds], D, hidden)
    params = [np.tile(p, (copies, 1, 1)) for p in start]
    before = [p.copy() for p in params]
    rngs = [np.random.default_rng(7000 + s) for s in seeds]
    found: dict[str, list[Array]] = {k: [] for k in (PAIRS if every else ())}

    def drawn(how: str, width: int) -> Array:
        """The same random numbers for every strength: one change at a time."""
        values = np.stack([getattr(g, how)(size=(x.shape[1], width)) for g in rngs])
        return np.tile(values, (copies, 1, 1))

    for step in range(steps + 1):
        if every and step % every == 0:
            whole = _split(params, copies)
            for k, (a, b) in PAIRS.items():
                if k in found:
                    found[k].append(errors(whole, data[a], data[b]))
        if step == steps:
            break
        now, mask = x, np.ones(1)
        if method == "noise":
            now = x + strength * drawn("normal", D)
        elif method == "dropout":
            mask = (drawn("random", hidden) >= strength) / (1.0 - strength)
        for i, g in enumerate(gradients(params, now, y, mask)):
            p, is_weight = params[i], i % 2 == 0
            if method == "l2" and is_weight:
                g = g + strength * p
            # Heavy ball: PyTorch's momentum, written so that its fixed point under the soft
            # threshold is that of the penalised loss.
            new = p - lr * g + MOMENTUM * (p - before[i])
            if method == "l1" and is_weight:
                new = soft_threshold(new, lr * strength)
            before[i], params[i] = p, new
    return Fitted(_split(params, copies), {k: np.array(v) for k, v in found.items()})


def _split(params: Params, copies: int) -> Params:
    return [p.reshape(copies, -1, *p.shape[1:]) for p in params]


def errors(params: Params, x: Array, y: Array) -> Array:
    """The mean squared error of every run, (strengths, seeds)."""
    copies, seeds = params[0].shape[:2]
    flat = [p.reshape(-1, *p.shape[2:]) for p in params]
    return mse(flat, *(np.tile(a, (copies, 1, 1)) for a in (x, y))).reshape(copies, seeds)


def all_errors(params: Params, data: Sets) -> dict[str, Array]:
    """The errors on the training, validation and test set, each (strengths, seeds)."""
    return {k: errors(params, data[a], data[b]) for k, (a, b) in PAIRS.items()}


def weights(params: Params) -> Array:
    """All weights without the biases, (strengths, seeds, number)."""
    return np.concatenate([p.reshape(*p.shape[:2], -1) for p in params[::2]], axis=-1)


def paired(difference: Array) -> dict[str, Any]:
    """Differences over the seeds: mean, standard error, range, how many below and above zero."""
    d = np.asarray(difference, float)
    return {
        "mean": float(d.mean()),
        "se": float(d.std(ddof=1) / np.sqrt(d.size)),
        "min": float(d.min()),
        "max": float(d.max()),
        "below": int((d < 0).sum()),
        "above": int((d > 0).sum()),
    }
