"""Forward and backward of single layers: bpref.nn, eager PyTorch, JAX jit; float32.

Inputs and parameters get gradients in all three. The results are compared before timing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmarks import report
from benchmarks.training_step import ROUNDS, SECONDS, compare
from bpref import nn
from bpref.ops import OPERATORS

BASE = "PyTorch eager"
Gradients = list[np.ndarray]
Step = Callable[[], Gradients]


def data(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def bpref_step(modules: list[nn.Module], x: np.ndarray, grad_output: np.ndarray) -> Step:
    parameters = [p for m in modules for p in m.parameters()]

    def step() -> Gradients:
        for p in parameters:
            p.zero_grad()
        h = x
        for m in modules:
            h = m(h)
            h = h[0] if isinstance(h, tuple) else h
        grad = grad_output
        for m in reversed(modules):
            grad = m.backward(grad)
            grad = grad[0] if isinstance(grad, tuple) else grad
        return [grad, *(p.grad for p in parameters)]

    return step


def torch_step(modules: list[torch.nn.Module], x: np.ndarray, grad_output: np.ndarray) -> Step:
    parameters = [p for m in modules for p in m.parameters()]
    tx, tg = torch.from_numpy(x).requires_grad_(), torch.from_numpy(grad_output)

    def step() -> Gradients:
        tx.grad = None
        for p in parameters:
            p.grad = None
        h: Any = tx
        for m in modules:
            h = m(h)
            h = h[0] if isinstance(h, tuple) else h
        h.backward(tg)
        return [t.grad.numpy() for t in [tx, *parameters] if t.grad is not None]

    return step


def jax_step(function: Callable[..., Any], arrays: list[np.ndarray], grad: np.ndarray) -> Step:
    """`function(*arrays)` gives the output; all arrays get gradients."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_cpu_enable_async_dispatch", False)

    @jax.jit
    def pull_back(arrays: list[Any], grad: Any) -> Any:
        _, backward = jax.vjp(lambda *a: function(*a), *arrays)
        return backward(grad)

    on_device, grad_output = [jnp.asarray(a) for a in arrays], jnp.asarray(grad)

    def step() -> Gradients:
        found = pull_back(on_device, grad_output)
        found[0].block_until_ready()
        return [np.asarray(g) for g in found]

    return step


def of_modules(
    ours: list[nn.Module],
    theirs: list[torch.nn.Module],
    jax_function: Callable[..., Any],
    x: np.ndarray,
) -> dict[str, Step]:
    """The three steps of a chain of modules with the same weights."""
    for mine, yours in zip(ours, theirs, strict=True):
        mine.load_state_dict(yours.state_dict())
    h: Any = torch.from_numpy(x)
    with torch.no_grad():
        for m in theirs:
            h = m(h)
            h = h[0] if isinstance(h, tuple) else h
    grad_output = data(*h.shape, seed=1)
    weights = [p.detach().numpy().copy() for m in theirs for p in m.parameters()]
    return {
        BASE: torch_step(theirs, x, grad_output),
        "bpref": bpref_step(ours, x, grad_output),
        "JAX jit": jax_step(jax_function, [x, *weights], grad_output),
    }


def conv2d() -> dict[str, Step]:
    from jax import lax

    def function(x: Any, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
        for W, b in ((W1, b1), (W2, b2)):
            x = lax.conv_general_dilated(x, W, (1, 1), "SAME") + b[:, None, None]
        return x

    return of_modules(
        [nn.Conv2d(c, m, 3, padding=1, dtype=np.float32) for c, m in ((3, 16), (16, 32))],
        [torch.nn.Conv2d(c, m, 3, padding=1) for c, m in ((3, 16), (16, 32))],
        function,
        data(32, 3, 32, 32),
    )


def lstm() -> dict[str, Step]:
    import jax
    import jax.numpy as jnp

    def function(x: Any, W: Any, U: Any, b: Any, c: Any) -> Any:
        def cell(state: Any, gates: Any) -> Any:
            h, memory = state
            i, f, g, o = jnp.split(gates + h @ U.T, 4, axis=1)
            memory = jax.nn.sigmoid(f) * memory + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(memory)
            return (h, memory), h

        zero = jnp.zeros((x.shape[1], U.shape[1]), x.dtype)
        return jax.lax.scan(cell, (zero, zero), x @ W.T + b + c)[1]

    return of_modules(
        [nn.LSTM(64, 128, dtype=np.float32)], [torch.nn.LSTM(64, 128)], function, data(50, 32, 64)
    )


def attention(heads: int) -> dict[str, Step]:
    import jax
    import jax.numpy as jnp

    q, k, v = (data(8, heads, 128, 128 // heads, seed=seed) for seed in range(3))
    grad_output = data(*q.shape, seed=3)

    operator = OPERATORS["scaled_dot_product_attention"]
    forward, backward = operator.fast or (operator.forward, operator.backward)

    def ours() -> Gradients:
        _, cache = forward(q, k, v)
        gradients = backward(grad_output, cache)
        return [g for g in gradients if g is not None]

    tensors = [torch.from_numpy(a).requires_grad_() for a in (q, k, v)]
    tq, tk, tv = tensors
    t_grad = torch.from_numpy(grad_output)

    def theirs() -> Gradients:
        output = torch.nn.functional.scaled_dot_product_attention(tq, tk, tv)
        return [g.numpy() for g in torch.autograd.grad(output, tensors, t_grad)]

    def function(q: Any, k: Any, v: Any) -> Any:
        scores = q @ jnp.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
        return jax.nn.softmax(scores) @ v

    return {BASE: theirs, "bpref": ours, "JAX jit": jax_step(function, [q, k, v], grad_output)}


class SelfAttention(nn.Module):
    def __init__(self, features: int, heads: int) -> None:
        self.attention = nn.MultiheadAttention(features, heads, batch_first=True, dtype=np.float32)

    def forward(self, x: np.ndarray) -> np.ndarray:
        return self.attention(x, x, x, need_weights=False)[0]

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        grad_query, grad_key, grad_value = self.attention.backward(grad_output)
        return grad_query + grad_key + grad_value


class TorchSelfAttention(torch.nn.Module):
    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        self.attention = torch.nn.MultiheadAttention(features, heads, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.attention(x, x, x, need_weights=False)[0]


def multihead_attention(heads: int) -> dict[str, Step]:
    import jax
    import jax.numpy as jnp

    def function(x: Any, W: Any, b: Any, W_out: Any, b_out: Any) -> Any:
        n, places, features = x.shape
        parts = jnp.split(x @ W.T + b, 3, axis=-1)
        q, k, v = (p.reshape(n, places, heads, features // heads).swapaxes(1, 2) for p in parts)
        weights = jax.nn.softmax(q @ k.swapaxes(2, 3) / np.sqrt(features // heads))
        joined = (weights @ v).swapaxes(1, 2).reshape(x.shape)
        return joined @ W_out.T + b_out

    return of_modules(
        [SelfAttention(128, heads)], [TorchSelfAttention(128, heads)], function, data(8, 128, 128)
    )


def layer_norm(rows: int, features: int) -> dict[str, Step]:
    import jax.numpy as jnp

    def function(x: Any, w: Any, b: Any) -> Any:
        centred = x - jnp.mean(x, axis=-1, keepdims=True)
        variance = jnp.mean(centred**2, axis=-1, keepdims=True)
        return centred / jnp.sqrt(variance + 1e-5) * w + b

    return of_modules(
        [nn.LayerNorm(features, dtype=np.float32)],
        [torch.nn.LayerNorm(features)],
        function,
        data(rows, features),
    )


def batch_norm(*shape: int) -> dict[str, Step]:
    import jax.numpy as jnp

    axes = tuple(a for a in range(len(shape)) if a != 1)
    per_channel = (1, shape[1]) + (1,) * (len(shape) - 2)

    def function(x: Any, w: Any, b: Any) -> Any:
        centred = x - jnp.mean(x, axis=axes, keepdims=True)
        variance = jnp.mean(centred**2, axis=axes, keepdims=True)
        normal = centred / jnp.sqrt(variance + 1e-5)
        return normal * w.reshape(per_channel) + b.reshape(per_channel)

    ours, theirs = {
        2: (nn.BatchNorm1d, torch.nn.BatchNorm1d),
        4: (nn.BatchNorm2d, torch.nn.BatchNorm2d),
    }[len(shape)]
    return of_modules(
        [ours(shape[1], dtype=np.float32)], [theirs(shape[1])], function, data(*shape)
    )


CASES: dict[str, Callable[[], dict[str, Step]]] = {
    "conv2d 3→16→32, 3×3, 32×32, N = 32": conv2d,
    "LSTM, T = 50, N = 32, 64→128": lstm,
    "MultiheadAttention, 1 head, N = 8, T = 128, D = 128": lambda: multihead_attention(1),
    "MultiheadAttention, 4 heads, N = 8, T = 128, D = 128": lambda: multihead_attention(4),
    "attention alone, 1 head, N = 8, T = 128, D = 128": lambda: attention(1),
    "attention alone, 4 heads, N = 8, T = 128, D = 128": lambda: attention(4),
    "layer_norm, 1024 × 1024": lambda: layer_norm(1024, 1024),
    "layer_norm, 1024 × 128": lambda: layer_norm(1024, 128),
    "batch_norm 2d, 32 × 32 × 32 × 32": lambda: batch_norm(32, 32, 32, 32),
    "batch_norm 1d, 256 × 512": lambda: batch_norm(256, 512),
}


def main(threads: int) -> None:
    report.one_process_with(threads)
    for case, build in CASES.items():
        try:
            steps = build()
        except ImportError as error:
            raise SystemExit(f"this benchmark needs {error.name}: pip install '.[bench]'") from None
        expected = steps[BASE]()
        for name, step in steps.items():
            for ours, theirs in zip(step(), expected, strict=True):
                scale = np.abs(theirs).max()
                np.testing.assert_allclose(
                    ours, theirs, rtol=1e-3, atol=1e-3 * scale, err_msg=f"{case}: {name}"
                )
        result = compare(dict(steps), BASE)
        rows = "  ".join(
            f"{n} {r['x']:.2f} [{r['low']:.2f}–{r['high']:.2f}]" for n, r in result.items()
        )
        print(f"{case}: {rows}", flush=True)
        report.save("layers", threads, case, result, rounds=ROUNDS, seconds=SECONDS)
