"""Deep fully connected stacks in float64: forward pass, backward pass, initialisations.

Helper of the ``gradients*`` experiments. Rows are samples, as everywhere: ``H`` is ``(N, n)`` and
a layer computes ``A = H @ W.T + b``. Nothing here trains; the functions only answer how large
``dL/dh`` is at every depth at initialisation.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Array = np.ndarray


def sigmoid(a: Array) -> Array:
    """Logistic function without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * a))


#: name -> (activation, derivative as a function of the pre-activation)
ACTIVATIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "sigmoid": (sigmoid, lambda a: sigmoid(a) * (1.0 - sigmoid(a))),
    "tanh": (np.tanh, lambda a: 1.0 - np.tanh(a) ** 2),
    "relu": (lambda a: np.maximum(a, 0.0), lambda a: (a > 0.0).astype(float)),
    "leaky_relu": (
        lambda a: np.where(a > 0.0, a, 0.01 * a),
        lambda a: np.where(a > 0.0, 1.0, 0.01),
    ),
}

#: the initialisations of the tables, in the order in which they are shown
INITS = ("small", "torch", "xavier", "he", "orthogonal", "unit")


def draw_layer(
    init: str, n: int, rng: np.random.Generator, gain: float = 1.0
) -> tuple[Array, Array]:
    """Return ``W`` of shape ``(n, n)`` and ``b`` of shape ``(n,)``.

    ``small``: N(0, 0.01^2); ``unit``: N(0, 1); ``torch``: the default of ``torch.nn.Linear``,
    U(-1/sqrt n, 1/sqrt n) for weights and biases; ``xavier``: N(0, 1/n), as fan-in equals
    fan-out; ``he``: N(0, 2/n); ``orthogonal``: a random orthogonal matrix times ``gain``.
    Biases are zero except for ``torch``.
    """
    bias = np.zeros(n)
    if init == "small":
        weight = rng.normal(0.0, 0.01, (n, n))
    elif init == "unit":
        weight = rng.normal(0.0, 1.0, (n, n))
    elif init == "torch":
        bound = 1.0 / np.sqrt(n)
        weight = rng.uniform(-bound, bound, (n, n))
        bias = rng.uniform(-bound, bound, n)
    elif init == "xavier":
        weight = rng.normal(0.0, np.sqrt(1.0 / n), (n, n))
    elif init == "he":
        weight = rng.normal(0.0, np.sqrt(2.0 / n), (n, n))
    elif init == "orthogonal":
        q, r = np.linalg.qr(rng.normal(size=(n, n)))
        weight = gain * q * np.sign(np.diag(r))
    else:
        raise ValueError(f"unknown initialisation {init!r}")
    return weight, bias


def gains(
    activation: str, init: str, seed: int, *, depth: int = 50, width: int = 64, batch: int = 16
) -> Array:
    """Return ``||dL/dh_{L-k}|| / ||dL/dh_L||`` for ``k = 0 … depth`` at initialisation.

    ``h_0`` is drawn from N(0, 1) and so is ``dL/dh_L``: the numbers describe layers, not a loss.
    """
    rng = np.random.default_rng(seed)
    act, slope = ACTIVATIONS[activation]
    gain = np.sqrt(2.0) if "relu" in activation else 1.0
    h = rng.normal(size=(batch, width))
    layers = []
    for _ in range(depth):
        weight, bias = draw_layer(init, width, rng, gain)
        a = h @ weight.T + bias
        layers.append((weight, a))
        h = act(a)
    grad = rng.normal(size=(batch, width))
    first = np.linalg.norm(grad)
    norms = [1.0]
    for weight, a in reversed(layers):
        grad = (grad * slope(a)) @ weight
        norms.append(float(np.linalg.norm(grad) / first))
    return np.array(norms)


def spread(values: list[float] | Array) -> dict[str, float]:
    """Median and range, and the same as powers of ten, of a list of positive numbers."""
    v = np.asarray(values, dtype=float)
    out = {"median": float(np.median(v)), "min": float(v.min()), "max": float(v.max())}
    if v.min() > 0.0:
        out |= {f"log10_{k}": float(np.log10(x)) for k, x in list(out.items())}
    return out
